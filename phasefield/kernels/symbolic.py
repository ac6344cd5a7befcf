"""What can be done with the tree of a formula: differentiate, evaluate, typeset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy
from sympy.printing.latex import translate

from phasefield.errors import InputError
from phasefield.kernels import functions
from phasefield.kernels.functions import Tree, expand_xlogx

MAX_TREE = 20_000

_NUMPY: dict[type, Callable[..., Any]] = {
    functions.exp: np.exp,
    functions.log: np.log,
    functions.sin: np.sin,
    functions.cos: np.cos,
    functions.tan: np.tan,
    functions.sinh: np.sinh,
    functions.cosh: np.cosh,
    functions.tanh: np.tanh,
    functions.Abs: np.abs,
    functions.sign: np.sign,
    functions.Max: np.maximum,
    functions.Min: np.minimum,
    functions.part: lambda x: x,
    functions.select: lambda s, a, b: np.where(np.asarray(s) >= 0, a, b),
}


def is_finite(number: Any) -> bool:
    """Whether a number of a tree is real and within the range of double precision."""
    try:
        return math.isfinite(float(number))
    except (TypeError, OverflowError, ValueError):
        return False


def has_complex_power(tree: Tree) -> bool:
    """Whether a negative constant is raised to a fraction, which has no real value."""
    return any(
        base.is_Number and base.is_negative and exponent.is_Number and not exponent.is_Integer
        for base, exponent in (p.args for p in tree.atoms(sympy.Pow))
    )


def differentiate(tree: Tree, name: str) -> Tree:
    """∂tree/∂name by the rules of calculus, factored where that is shorter, never multiplied out.

    sympy's own `diff` writes nⁿ⁻¹ of a symbolic power as cⁿn/c, which is nan at c = 0.
    """
    symbol, known = sympy.Symbol(name), {}
    result = _differentiate(tree, symbol, known)
    _check_size(result)
    if result.is_Add:
        result = min(result, _common_factor(result), key=lambda t: t.count_ops())
    numbers = {n: sympy.Integer(int(n)) for n in result.atoms(sympy.Float) if n == int(n) and abs(n) < 1e15}
    return result.xreplace(numbers)


def _differentiate(tree: Tree, symbol: sympy.Symbol, known: dict) -> Tree:
    if tree in known:
        return known[tree]
    if symbol not in tree.free_symbols:
        result = sympy.Integer(0)
    elif tree == symbol:
        result = sympy.Integer(1)
    elif tree.is_Add:
        result = sympy.Add(*[_differentiate(a, symbol, known) for a in tree.args])
    elif tree.is_Mul or tree.is_Pow:
        result = _differentiate_product(tree, symbol, known)
    elif isinstance(tree, functions.part):
        # The slope of a named part is a part again: products with it are not multiplied out.
        slope = _differentiate(tree.args[0], symbol, known)
        result = functions.part(slope) if slope.is_Add or slope.is_Mul else slope
    else:
        terms = [(i, _differentiate(a, symbol, known)) for i, a in enumerate(tree.args, start=1)]
        result = sympy.Add(*[tree.fdiff(i) * d for i, d in terms if d != 0])
    known[tree] = result
    return result


def _differentiate_product(tree: Tree, symbol: sympy.Symbol, known: dict) -> Tree:
    """(k ∏ bᵢ^nᵢ)′ = k ∏ bᵢ^(nᵢ−1) · Σᵢ nᵢ bᵢ′ ∏_{j≠i} bⱼ, which keeps the roots of a well exact."""
    factors = [f.as_base_exp() for f in sympy.Mul.make_args(tree)]
    moving = [(b, n) for b, n in factors if symbol in b.free_symbols]
    _check_size(tree, factor=len(moving))
    terms = [
        sympy.Mul(n, _differentiate(b, symbol, known), *[other for other, _ in moving if other is not b])
        for b, n in moving
    ]
    outside = [b**n for b, n in factors if symbol not in b.free_symbols] + [b ** (n - 1) for b, n in moving]
    total = sympy.Add(*terms)
    content, primitive = total.primitive()
    return sympy.Mul(content, *outside, primitive) if content.is_Integer else sympy.Mul(*outside, total)


def _common_factor(tree: Tree) -> Tree:
    """A sum with the powers that all its terms share taken out; a − b and b − a count as the same."""
    terms = [_factors(term) for term in tree.args]
    shared = {
        base: min(powers[base] for _, powers in terms)
        for base in terms[0][1]
        if all(base in powers for _, powers in terms)
    }
    shared = {base: n for base, n in shared.items() if n > 0}
    rest = sympy.Add(*[sympy.Mul(c, *[b ** (n - shared.get(b, 0)) for b, n in powers.items()]) for c, powers in terms])
    content, primitive = rest.primitive()
    if content.is_Integer:
        return sympy.Mul(content, *[b**n for b, n in shared.items()], primitive)
    return sympy.Mul(*[b**n for b, n in shared.items()], rest)


def _factors(term: Tree) -> tuple[Tree, dict[Tree, Tree]]:
    """Coefficient and integer powers {base: n} of a product; everything else counts as a base with n = 1."""
    coefficient, rest = term.as_coeff_Mul()
    powers: dict[Tree, Tree] = {}
    for factor in sympy.Mul.make_args(rest):
        base, n = factor.as_base_exp()
        if not n.is_Integer:
            base, n = factor, sympy.Integer(1)
        if base.is_Add and base.could_extract_minus_sign():
            base, coefficient = -base, coefficient * (-1) ** n
        powers[base] = powers.get(base, sympy.Integer(0)) + n
    return coefficient, powers


def _check_size(tree: Tree, factor: int = 1) -> None:
    # Counted with repetition: this is the length of the text that reports would have to carry.
    budget, stack = MAX_TREE, [tree]
    while stack:
        node = stack.pop()
        budget -= factor
        if budget < 0:
            raise InputError("the formula is too long to be differentiated; simplify it")
        stack.extend(node.args)


def integer_power(x: Any, n: int, multiply: Callable[[Any, Any], Any]) -> Any:
    """xⁿ for n ≥ 1 by repeated squaring, for whatever `multiply` multiplies (arrays or pieces of code)."""
    if n == 1:
        return x
    half = integer_power(x, n // 2, multiply)
    square = multiply(half, half)
    return multiply(square, x) if n % 2 else square


def evaluate(tree: Tree, values: Mapping[str, Any]) -> np.ndarray:
    """Value of a tree for arrays by name; common parts are computed once."""
    arrays = {name: _real(value) for name, value in values.items()}
    shape = np.broadcast_shapes(*[np.shape(a) for a in arrays.values()])
    with np.errstate(all="ignore"):
        result = np.asarray(_evaluate(expand_xlogx(tree), arrays, {}))
    if result.shape != shape:
        result = np.array(np.broadcast_to(result, shape))
    return result[()]


def _real(value: Any) -> Any:
    # Numbers stay Python floats: they take the precision of the arrays they meet.
    if isinstance(value, int | float):
        return float(value)
    array = np.asarray(value)
    return array if array.dtype.kind == "f" else array.astype(float)


def _evaluate(tree: Tree, arrays: Mapping[str, Any], known: dict) -> Any:
    if tree in known:
        return known[tree]
    if tree.is_Symbol:
        result = arrays[str(tree)]
    elif tree.is_number and tree.is_Atom:
        result = float(tree)
    else:
        arguments = [_evaluate(a, arrays, known) for a in tree.args]
        if tree.is_Add:
            result = sum(arguments[1:], arguments[0])
        elif tree.is_Mul:
            result = math.prod(arguments[1:], start=arguments[0])
        elif tree.is_Pow:
            result = _evaluate_power(arguments[0], tree.args[1], arguments[1])
        else:
            result = _NUMPY[tree.func](*arguments)
    known[tree] = result
    return result


def _evaluate_power(base: Any, exponent: Any, value: Any) -> Any:
    base = np.asarray(base)
    doubled = 2 * exponent
    if not doubled.is_Integer or abs(int(doubled)) > 2**20:
        return np.power(base, value)
    n = abs(int(doubled))
    root = np.sqrt(base) if n % 2 else base
    result = integer_power(root, n if n % 2 else n // 2, np.multiply)
    return result if doubled > 0 else 1 / result


def latex(tree: Tree) -> str:
    """LaTeX of a tree: short fractions as fractions, other numbers as decimals, long names upright."""
    decimals = {
        q: sympy.Float(repr(float(q)), 15)
        for q in tree.atoms(sympy.Rational)
        if not q.is_Integer and (q.q > 100 or (q.q > 4 and 10**6 % q.q == 0))
    }
    names = {s: _symbol_name(str(s)) for s in tree.free_symbols}
    return sympy.latex(tree.xreplace(decimals), ln_notation=True, symbol_names=names)


def _symbol_name(name: str) -> str:
    head, *rest = name.split("_")
    greek = translate(head)
    letter = greek if greek.startswith("\\") or len(head) == 1 else rf"\mathrm{{{head}}}"
    return letter if not rest else f"{letter}_{{{','.join(rest)}}}"
