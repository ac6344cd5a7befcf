"""The functions of formulas as sympy classes that stay as they are written.

sympy's own would rewrite themselves for complex arguments (|√c| → √|c|, tan(c + π/2) → −cot c) and so change
where a formula is defined. Each class states its derivative; code for it is in `printing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy
from sympy.core.function import ArgumentIndexError

# A sympy expression. sympy's own annotations promise less than its operators deliver.
Tree: TypeAlias = Any


class Inert(sympy.Function):
    """A function that stays as it is written."""

    if TYPE_CHECKING:
        args: Any

        def __new__(cls, *args: Any) -> Any: ...

    @classmethod
    def eval(cls, *args: Any) -> None:
        return None


class exp(Inert):  # noqa: N801 - sympy typesets functions by class name
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return self

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _power(rf"e^{{{printer._print(self.args[0])}}}", exp)


class log(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return 1 / self.args[0]


class sin(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return cos(self.args[0])


class cos(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return -sin(self.args[0])


class tan(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return 1 + self**2


class sinh(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return cosh(self.args[0])


class cosh(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return sinh(self.args[0])


class tanh(Inert):  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return 1 - self**2


class Abs(Inert):
    """|x|; derivative sign(x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return sign(self.args[0])


class sign(Inert):  # noqa: N801
    """−1, 0 or 1; derivative 0 almost everywhere. Only as the derivative of |x|."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return sympy.Integer(0)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _power(rf"\operatorname{{sign}}\left({printer._print(self.args[0])}\right)", exp)


class Max(Inert):
    """The larger of two, nan if one is; derivative by the argument that is the larger."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Tree:
        a, b = self.args
        return select(a - b, *((1, 0) if argindex == 1 else (0, 1)))


class Min(Inert):
    """The smaller of two, nan if one is; derivative by the argument that is the smaller."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Tree:
        a, b = self.args
        return select(b - a, *((1, 0) if argindex == 1 else (0, 1)))


class select(Inert):  # noqa: N801
    """select(s, a, b) = a where s ≥ 0, otherwise b; the jump has no derivative."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> Tree:
        values = {1: None, 2: (1, 0), 3: (0, 1)}[argindex]
        return sympy.Integer(0) if values is None else select(self.args[0], *values)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        s, a, b = map(printer._print, self.args)
        return _power(rf"\begin{{cases}} {a} & {s} \geq 0 \\ {b} & \text{{otherwise}} \end{{cases}}", exp)


class xlogx(Inert):  # noqa: N801
    r"""x ln x, below δ its Taylor polynomial δ ln δ + (ln δ + 1)(x−δ) + (x−δ)²/(2δ).

    In one line, without a branch:  x ln max(x, δ) + (min(x, δ)² − δ²)/(2δ).
    """

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Tree:
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return xlogx_slope(*self.args)

    def expanded(self) -> Tree:
        x, delta = self.args
        low = Min(x, delta)
        return x * log(Max(x, delta)) + (low - delta) * (low + delta) / (2 * delta)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        x = self.args[0]
        name = printer._print(x) if x.is_Symbol else rf"\left({printer._print(x)}\right)"
        return _power(rf"{name} \ln {name}", exp)


class xlogx_slope(Inert):  # noqa: N801
    r"""The derivative of `xlogx`: ln x + 1, below δ ln δ + x/δ; both are ln max(x, δ) + min(x, δ)/δ."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Tree:
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return 1 / Max(*self.args)

    def expanded(self) -> Tree:
        x, delta = self.args
        return log(Max(x, delta)) + Min(x, delta) / delta

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        x = self.args[0]
        name = printer._print(x) if x.is_Symbol else rf"\left({printer._print(x)}\right)"
        return _power(rf"\left(\ln {name} + 1\right)", exp)


class part(Inert):  # noqa: N801
    """A named part of a formula: its value is that of its argument, and rules of algebra do not reach inside.

    It stays one piece wherever it occurs, in derivatives too, so that kernels compute it once.
    """

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Tree:
        return sympy.Integer(1)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _power(rf"\left({printer._print(self.args[0])}\right)", exp)


FUNCTIONS: dict[str, Callable[..., Tree]] = {
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "abs": Abs,
    "min": Min,
    "max": Max,
}


def xlogx_value(x: float, delta: float) -> float:
    """`xlogx` of two numbers."""
    low = min(x, delta)
    return x * math.log(max(x, delta)) + (low - delta) * (low + delta) / (2 * delta)


def expand_xlogx(tree: Tree) -> Tree:
    """The tree with `xlogx` and its slope written out, so that they share ln max(x, δ)."""
    while tree.has(xlogx, xlogx_slope):
        tree = tree.replace(lambda e: isinstance(e, xlogx | xlogx_slope), lambda e: e.expanded())
    return tree


def _power(body: str, exponent: str | None) -> str:
    return body if exponent is None else rf"\left({body}\right)^{{{exponent}}}"
