"""From Python's syntax tree to a sympy tree: the whitelist of formulas.

Constants are folded here, with fractions of bounded size that fall back to floats, because sympy would
happily compute the integer 9**9**9. A power of a power, which sympy multiplies out by itself, is bounded too.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy

from phasefield.errors import InputError, did_you_mean, nearest
from phasefield.kernels import functions, symbolic
from phasefield.kernels.expressions import CONSTANTS, FUNCTIONS, MAX_DEPTH, Expression, short
from phasefield.kernels.functions import Tree

MAX_NODES = 500
# The same with every named part counted wherever it stands.
MAX_WRITTEN_OUT = 8000
MAX_POWER = 32
MAX_NESTED_POWER = 64
MAX_EXACT = 10**15
DEFAULT_CONTINUATION = Fraction(1, 10_000)

Number = Fraction | float


@dataclass(frozen=True)
class Piece:
    """A part of the formula: its tree, its value when constant, the product of the powers nested in it."""

    tree: Tree
    value: Number | None = None
    power: int = 1


_OPERATORS: dict[type[ast.operator], Callable] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_CHAINS = ((ast.Add, ast.Sub), (ast.Mult, ast.Div))
_CONSTANT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "abs": abs,
    "min": min,
    "max": max,
}


class Builder:
    """Walks one formula; every refusal quotes the piece and its column.

    definitions: named parts it may use; power, written_out: of the whole, once it is built.
    """

    def __init__(
        self,
        text: str,
        what: str,
        variables: tuple[str, ...],
        parameters: tuple[str, ...],
        shift: int,
        definitions: Mapping[str, Expression] | None = None,
    ) -> None:
        self.text, self.what, self.shift = text, what, shift
        self.variables, self.parameters, self.definitions = variables, parameters, dict(definitions or {})
        self.nodes = self.inside = 0
        self.power = 1

    @property
    def written_out(self) -> int:
        """How many numbers, names and operators there are with all definitions written out."""
        return self.nodes + self.inside

    def build(self, node: ast.expr) -> Tree:
        piece = self._visit(node, 0)
        tree, self.power = piece.tree, piece.power
        numbers = tree.atoms(sympy.Number, sympy.core.numbers.ImaginaryUnit, type(sympy.zoo))
        if any(not symbolic.is_finite(number) for number in numbers) or symbolic.has_complex_power(tree):
            raise self._refusal(node, "is not a finite real number for any value of the variables")
        return tree

    # Each visitor returns a Piece or raises InputError.

    def _visit(self, node: ast.expr, depth: int) -> Piece:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise InputError(f"{self.what} has more than {MAX_NODES} numbers, names and operators")
        if depth > MAX_DEPTH:
            raise self._refusal(node, f"is nested more than {MAX_DEPTH} levels deep")
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                piece = self._visit(node.operand, depth + 1)
                sign = self._number(node, Fraction(1 if isinstance(node.op, ast.UAdd) else -1))
                return self._combine(node, ast.Mult, sign, piece)
            case ast.BinOp(op=ast.Pow()):
                return self._power(node, depth)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return self._chain(node, depth)
            case ast.BinOp(op=ast.BitXor()):
                raise self._refusal(node, "uses '^'; use ** for powers")
            case ast.Call():
                return self._call(node, depth)
        raise self._refusal(node, "is not allowed in a formula; use numbers, names, + - * / **, and functions")

    def _constant(self, node: ast.Constant) -> Piece:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refusal(node, "is not a real number")
        # repr gives the shortest decimal, so that 0.1 becomes the fraction 1/10.
        if isinstance(value, float):
            if math.isinf(value):
                raise self._refusal(node, "is too large a number")
            if value == 0 and set("123456789") & set(self._piece(node).lower().split("e")[0]):
                raise self._refusal(node, "is too small a number")
            return self._number(node, Fraction(repr(value)))
        return self._number(node, Fraction(value))

    def _name(self, node: ast.Name) -> Piece:
        name = node.id
        if name in self.variables or name in self.parameters:
            return Piece(sympy.Symbol(name))
        if name in self.definitions:
            return self._definition(node, self.definitions[name])
        if name == "pi":
            return Piece(sympy.pi, math.pi)
        if name in FUNCTIONS:
            raise self._refusal(node, f"is a function; write {name}(...)")
        # `pi` is no guess: the field of another model, `phi`, is a likelier mistake than a misspelt constant.
        known = (*self.variables, *self.parameters, *self.definitions)
        match = nearest(name, known)
        valid = ", ".join(sorted((*known, *CONSTANTS)))
        raise self._refusal(
            node, f"is not known; did you mean '{match}'?" if match else f"is not known; valid names: {valid}"
        )

    def _definition(self, node: ast.Name, definition: Expression) -> Piece:
        self.inside += definition.written_out
        if self.written_out > MAX_WRITTEN_OUT:
            raise InputError(
                f"{self.what} has, with its definitions written out, more than {MAX_WRITTEN_OUT} numbers, names and operators"
            )
        tree = definition.tree
        if isinstance(tree, sympy.Rational):
            return self._number(node, Fraction(int(tree.p), int(tree.q)))
        if tree.is_number:
            return self._number(node, float(tree))
        return Piece(tree if tree.is_Symbol else functions.part(tree), None, definition.power)

    def _chain(self, node: ast.BinOp, depth: int) -> Piece:
        """a + b − c … or a·b/c … from left to right: a long sum is not deep nesting."""
        operators = next(chain for chain in _CHAINS if isinstance(node.op, chain))
        links: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, operators):
            links.append(left)
            left = left.left
        self.nodes += len(links) - 1
        result = self._visit(left, depth + 1)
        for link in reversed(links):
            result = self._combine(link, type(link.op), result, self._visit(link.right, depth + 1))
        return result

    def _power(self, node: ast.BinOp, depth: int) -> Piece:
        base, exponent = self._visit(node.left, depth + 1), self._visit(node.right, depth + 1)
        if exponent.value is None:
            inside = sorted({str(s) for s in exponent.tree.free_symbols} & set(self.variables))
            if inside:
                raise self._refusal(node.right, f"is an exponent with the variable '{inside[0]}'; use exp(...) instead")
            return self._settle(node, sympy.Pow(base.tree, exponent.tree), base.power * exponent.power)
        n, number = exponent.value, base.value
        if abs(n) > MAX_POWER:
            raise self._refusal(node.right, f"is an exponent beyond ±{MAX_POWER}")
        if number is not None:
            if number == 0 and n < 0:
                raise self._refusal(node, "divides by zero")
            exact = isinstance(number, Fraction) and isinstance(n, Fraction) and n.denominator == 1
            return self._fold(node, lambda: _to_float(number) ** _to_float(n) if not exact else number**n)
        power = base.power * max(1, math.ceil(abs(n)))
        if power > MAX_NESTED_POWER:
            raise self._refusal(node, f"nests powers to more than {MAX_NESTED_POWER} in all")
        return self._settle(node, sympy.Pow(base.tree, exponent.tree), power)

    def _call(self, node: ast.Call, depth: int) -> Piece:
        if not isinstance(node.func, ast.Name):
            raise self._refusal(node.func, "cannot be called; a product needs '*'")
        name = node.func.id
        if name in (*self.variables, *self.parameters, *self.definitions, *CONSTANTS):
            raise self._refusal(node.func, f"is not a function; a product needs '*': {name}*(...)")
        if name not in FUNCTIONS:
            raise self._refusal(node.func, f"is not a known function; {did_you_mean(name, FUNCTIONS)}")
        if node.keywords:
            raise self._refusal(node, "has a keyword argument; give arguments by position")
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(node.args) <= most:
            count = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise self._refusal(node, f"has {len(node.args)} arguments; {name} takes {count}")
        arguments = [self._visit(argument, depth + 1) for argument in node.args]
        if name == "xlogx":
            return self._xlogx(node, arguments)
        values = [a.value for a in arguments]
        if None not in values:
            return self._fold(node, lambda: _CONSTANT_FUNCTIONS[name](*map(_to_float, values)))
        trees, power = [a.tree for a in arguments], max(a.power for a in arguments)
        if name == "sqrt":
            return self._settle(node, sympy.Pow(trees[0], sympy.Rational(1, 2)), power)
        return self._settle(
            node,
            reduce(functions.FUNCTIONS[name], trees[1:], trees[0])
            if len(trees) > 1
            else functions.FUNCTIONS[name](trees[0]),
            power,
        )

    def _xlogx(self, node: ast.Call, arguments: list[Piece]) -> Piece:
        x = arguments[0]
        delta = arguments[1] if len(arguments) > 1 else self._number(node, DEFAULT_CONTINUATION)
        inside = {str(s) for s in delta.tree.free_symbols} & set(self.variables)
        if inside or (delta.value is not None and delta.value <= 0):
            raise self._refusal(node.args[1], "must be a positive number or a parameter")
        if x.value is not None and delta.value is not None:
            return self._fold(node, lambda: functions.xlogx_value(_to_float(x.value), _to_float(delta.value)))
        return self._settle(node, functions.xlogx(x.tree, delta.tree), x.power)

    # Constants and results.

    def _combine(self, node: ast.expr, operator: type[ast.operator], a: Piece, b: Piece) -> Piece:
        operate = _OPERATORS[operator]
        if operator is ast.Div and b.value == 0:
            raise self._refusal(node, "divides by zero")
        if a.value is None or b.value is None:
            return self._settle(node, operate(a.tree, b.tree), max(a.power, b.power))
        exact = isinstance(a.value, Fraction) and isinstance(b.value, Fraction)
        folded = self._fold(
            node,
            lambda: operate(a.value, b.value) if exact else operate(_to_float(a.value), _to_float(b.value)),
        )
        if a.tree.has(sympy.pi) or b.tree.has(sympy.pi):
            return Piece(operate(a.tree, b.tree), folded.value)
        return folded

    def _fold(self, node: ast.expr, compute: Callable[[], Any]) -> Piece:
        try:
            value = compute()
        except OverflowError:
            raise self._refusal(node, "is too large a number") from None
        except (ValueError, ZeroDivisionError):
            raise self._refusal(node, "is not a real number") from None
        if isinstance(value, complex):
            raise self._refusal(node, "is not a real number")
        return self._number(node, value)

    def _number(self, node: ast.expr, value: Number) -> Piece:
        """A constant: exact while numerator and denominator are short, otherwise a float."""
        if isinstance(value, int):
            value = Fraction(value)
        if isinstance(value, Fraction):
            if abs(value.numerator) <= MAX_EXACT and value.denominator <= MAX_EXACT:
                return Piece(sympy.Rational(value.numerator, value.denominator), value)
            try:
                value = float(value)
            except OverflowError:
                value = math.inf
        if not math.isfinite(value):
            raise self._refusal(node, "is too large a number")
        if value == int(value) and abs(value) <= MAX_EXACT:
            return Piece(sympy.Integer(int(value)), Fraction(int(value)))
        return Piece(sympy.Float(value), value)

    def _settle(self, node: ast.expr, tree: Tree, power: int) -> Piece:
        """A result of sympy; what has collapsed to a number is folded by us from here on."""
        if tree is sympy.zoo or tree is sympy.nan or tree.is_infinite:
            raise self._refusal(node, "divides by zero")
        if isinstance(tree, sympy.Rational):
            return self._number(node, Fraction(int(tree.p), int(tree.q)))
        if isinstance(tree, sympy.Float):
            return self._number(node, float(tree))
        return Piece(tree, None, power)

    def _refusal(self, node: ast.expr, reason: str) -> InputError:
        column = node.col_offset + self.shift + 1
        return InputError(f"{self.what}: '{short(self._piece(node))}' in column {column} {reason}")

    def _piece(self, node: ast.expr) -> str:
        return self.text[node.col_offset + self.shift : (node.end_col_offset or 0) + self.shift]


def _to_float(value: Number | None) -> float:
    assert value is not None
    return float(value)
