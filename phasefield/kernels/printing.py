"""Formula trees as scalar code for Numba and for CUDA or C: one printer with a small table per language.

Names are prefixed (`v_` variables, `p_` parameters, `t_` temporaries): a user's name never meets one of ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from phasefield.errors import InputError
from phasefield.kernels.expressions import Expression
from phasefield.kernels.functions import Max, Min, Tree, expand_xlogx, sign
from phasefield.kernels.symbolic import integer_power

MAX_PRODUCT = 4096

_COMMON = {name: name for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt")}
_FUNCTIONS = {
    "python": {**{name: f"math.{name}" for name in _COMMON}, "Abs": "abs"},
    # In CUDA C++ these names are overloaded for float; in C they compute in double.
    "cuda": {**_COMMON, "Abs": "fabs"},
}
_CHOICE = {"python": "({yes} if {condition} else {no})", "cuda": "({condition} ? {yes} : {no})"}
_POWER = {"python": "{base} ** {exponent}", "cuda": "pow({base}, {exponent})"}
_OR = {"python": "or", "cuda": "||"}
_NOT = {"python": "not {}", "cuda": "!({})"}


@dataclass(frozen=True)
class Code:
    """Scalar statements of a density and its derivatives: `name = expression`, in order.

    `constants` depend on parameters alone and may stand before a loop.
    """

    constants: tuple[tuple[str, str], ...]
    temporaries: tuple[tuple[str, str], ...]
    results: tuple[str, ...]


def scalar_code(expressions: Sequence[Expression], real: str, language: str) -> Code:
    """Print several expressions of the same names together, with their common parts computed once."""
    trees = [expand_xlogx(e.tree) for e in expressions]
    head = expressions[0]
    renamed = {sympy.Symbol(n): sympy.Symbol(f"v_{n}") for n in head.variables}
    renamed |= {sympy.Symbol(n): sympy.Symbol(f"p_{n}") for n in head.parameters}
    variables = {renamed[sympy.Symbol(n)] for n in head.variables}
    trees = [tree.xreplace(renamed) for tree in trees]
    candidates = [_shared(trees, variables, real, language)]
    nested = [_horner(tree, variables) for tree in trees]
    if nested != trees:
        candidates.append(_shared(nested, variables, real, language))
    return min(candidates, key=_cost)


def _shared(trees: list[Tree], variables: set, real: str, language: str) -> Code:
    """Name every part that occurs twice, and every part without a variable.

    `sympy.cse` would also turn signs around, which costs more than it saves here.
    """
    uses: dict[Any, int] = {}

    def count(tree: Any, times: int = 1) -> None:
        first = tree not in uses
        uses[tree] = uses.get(tree, 0) + times
        if first and tree.free_symbols & variables:
            # Powers, Max, Min and sign are printed with their arguments repeated.
            repeated = tree.is_Pow or isinstance(tree, Max | Min | sign)
            for part in tree.args:
                count(part, 2 if repeated else 1)

    show, names = ScalarPrinter(real, language), {}
    constants: list[tuple[str, str]] = []
    temporaries: list[tuple[str, str]] = []

    def name_parts(tree: Any) -> Any:
        if tree in names or tree.is_Atom:
            return names.get(tree, tree)
        if not tree.free_symbols & variables:
            bodies, result = constants, tree
        else:
            bodies, result = temporaries, rebuild(tree)
        # A multiple of a parameter is not worth a name.
        worth = bodies is constants and tree.free_symbols and not tree.as_coeff_Mul()[1].is_Symbol
        if worth or uses[tree] > 1:
            names[tree] = sympy.Symbol(f"t_{len(names)}")
            bodies.append((names[tree].name, show(result)))
            return names[tree]
        return result

    def rebuild(tree: Any) -> Any:
        # An exponent stays in place: the printer turns numbers there into products.
        parts = tree.args[:1] if tree.is_Pow and tree.args[1].is_Number else tree.args
        named = [name_parts(part) for part in parts]
        return tree.func(*named, *tree.args[len(parts) :])

    for tree in trees:
        count(tree)
    results = tuple(show(name_parts(tree)) for tree in trees)
    return Code(tuple(constants), tuple(temporaries), results)


def _cost(code: Code) -> int:
    text = " ".join([*(body for _, body in code.temporaries), *code.results])
    weights = {
        " + ": 1,
        " - ": 1,
        " * ": 1,
        " / ": 4,
        " ** ": 20,
        "pow(": 20,
        "exp(": 15,
        "log(": 15,
        "sqrt(": 5,
    }
    return sum(weight * text.count(token) for token, weight in weights.items())


def _horner(tree: Tree, variables: set) -> Tree:
    """Every sum of monomials in one variable in Horner's form; factored sums are left alone."""

    def nest(total: Tree) -> Tree:
        names = total.free_symbols & variables
        if len(names) != 1:
            return total
        (x,) = names
        coefficients: dict[int, list[Tree]] = {}
        for term in total.args:
            coefficient, power = term.as_independent(x, as_Add=False)
            base, n = power.as_base_exp()
            if power != 1 and (base != x or not n.is_Integer or n < 0):
                return total
            coefficients.setdefault(0 if power == 1 else int(n), []).append(coefficient)
        powers = sorted(coefficients, reverse=True)
        if powers[0] < 2:
            return total
        result = sympy.Add(*coefficients[powers[0]])
        for high, low in zip(powers, [*powers[1:], 0], strict=True):
            result = sympy.Mul(x ** (high - low), result)
            if low in coefficients and low != high:
                result = sympy.Add(result, *coefficients[low])
        return result

    return tree.replace(lambda e: e.is_Add, nest)


class ScalarPrinter:
    """A tree as one expression of scalar code, in full parentheses, with every number of type `real`."""

    def __init__(self, real: str, language: str) -> None:
        if real not in ("float64", "float32") or language not in _FUNCTIONS:
            raise ValueError(f"no scalar code for {real} in {language}")
        self.real, self.language = real, language

    def __call__(self, tree: Tree) -> str:
        text = self._print(tree)
        return text[1:-1] if text.startswith("(") and _closes_last(text) else text

    def literal(self, value: Any) -> str:
        """A number, written so that it is of type `real` in either language."""
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        with np.errstate(all="ignore"):
            single = float(np.float32(number))
        if not math.isfinite(number if self.real == "float64" else single):
            raise InputError(f"the number {value} of a formula is too large for {self.real}")
        if number != 0 and self.real == "float32" and single == 0:
            raise InputError(f"the number {value} of a formula is too small for {self.real}")
        if self.real == "float64":
            text = repr(number)
        else:
            text = f"np.float32({number!r})" if self.language == "python" else f"{number!r}f"
        return f"({text})" if number < 0 else text

    def _print(self, tree: Any) -> str:
        if tree.is_Symbol:
            return str(tree)
        if tree.is_number and tree.is_Atom:
            return self.literal(tree)
        if tree.is_Add:
            return self._sum(tree)
        if tree.is_Mul or tree.is_Pow:
            return self._product(tree)
        if isinstance(tree, Max | Min):
            return self._extreme(tree)
        name, arguments = type(tree).__name__, [self._print(a) for a in tree.args]
        special = getattr(self, f"_print_{name}", None)
        if special is not None:
            return special(*arguments)
        return f"{_FUNCTIONS[self.language][name]}({_bare(arguments[0])})"

    def _sum(self, tree: Any) -> str:
        # A negative first term costs a negation. Otherwise sympy's order, which is the same in every process.
        terms = sorted(tree.args, key=lambda term: bool(term.as_coeff_Mul()[0].is_negative))
        text = self._print(terms[0])
        for term in terms[1:]:
            coefficient, rest = term.as_coeff_Mul()
            if coefficient.is_negative:
                text += f" - {self._print(sympy.Mul(-coefficient, *sympy.Mul.make_args(rest)))}"
            else:
                text += f" + {self._print(term)}"
        return f"({text})"

    def _product(self, tree: Any) -> str:
        above, below, negative = [], [], False
        for factor in sympy.Mul.make_args(tree):
            if factor.is_number and factor.is_Atom:
                negative ^= bool(factor.is_negative)
                if abs(factor) != 1:
                    above.append(self.literal(abs(factor)))
                continue
            base, exponent = factor.as_base_exp()
            if exponent.is_Number and exponent.is_negative:
                below.append(self._power(base, -exponent))
            else:
                above.append(self._power(base, exponent))
        text = " * ".join(above) or self.literal(1)
        if below:
            divisor = below[0] if len(below) == 1 else f"({' * '.join(below)})"
            text = f"{text} / {divisor}" if len(above) <= 1 else f"({text}) / {divisor}"
        if negative:
            return f"(-{text})" if len(above) + len(below) == 1 and not below else f"(-({text}))"
        return f"({text})" if len(above) > 1 or below else text

    def _power(self, base: Any, exponent: Any) -> str:
        doubled = 2 * exponent
        text = self._print(base)
        if not doubled.is_Integer or doubled > MAX_PRODUCT:
            body = _POWER[self.language].format(base=text, exponent=self._print(exponent))
            return f"({body})" if self.language == "python" else body
        n = int(doubled)
        if n % 2:
            root = f"{_FUNCTIONS[self.language]['sqrt']}({_bare(text)})"
            return root if n == 1 else f"({integer_power(text, n // 2, _times)} * {root})"
        return integer_power(text, n // 2, _times)

    def _print_sign(self, x: str) -> str:
        minus = self._choice(f"{x} < {self.literal(0)}", self.literal(-1), self.literal(0))
        return self._choice(f"{x} > {self.literal(0)}", self.literal(1), minus)

    def _print_part(self, x: str) -> str:
        return x

    def _print_select(self, s: str, a: str, b: str) -> str:
        return self._choice(f"{s} >= {self.literal(0)}", a, b)

    def _extreme(self, tree: Any) -> str:
        """Max or Min; nan gets through, because a comparison with nan is false."""
        less = "<" if type(tree).__name__ == "Max" else ">"
        a, b = sorted(tree.args, key=_is_constant)
        first, second = self._print(a), self._print(b)
        if _is_constant(b):  # never nan: one comparison, which compilers turn into a vector instruction
            condition = _NOT[self.language].format(f"{first} {less} {second}")
        else:
            condition = f"{first} {less}= {second} {_OR[self.language]} {second} != {second}"
            first, second = second, first
        return self._choice(condition, first, second)

    def _choice(self, condition: str, yes: str, no: str) -> str:
        return _CHOICE[self.language].format(condition=condition, yes=yes, no=no)


def _is_constant(tree: Any) -> bool:
    return tree.is_number or (tree.is_Symbol and tree.name.startswith("p_"))


def _times(a: str, b: str) -> str:
    return f"({a} * {b})"


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(") and _closes_last(text) else text


def _closes_last(text: str) -> bool:
    """Whether the parenthesis that opens `text` closes at its very end."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return i == len(text) - 1
    return False
