"""Phase diagrams of mixtures: which compositions coexist, and which demix on their own.

Binodal: two phases a < b share a tangent, f′(a) = f′(b) = (f(b) − f(a))/(b − a). Spinodal: f″ = 0; between its two
compositions f″ < 0, and a uniform mixture demixes by itself. For Flory–Huggins

    f = c ln c/N₁ + (1−c) ln(1−c)/N₂ + χ c(1−c),   f″ = 1/(N₁c) + 1/(N₂(1−c)) − 2χ,

so that the spinodal is a quadratic equation in c, with the critical point χ_c = ½ (1/√N₁ + 1/√N₂)², c_c = √N₂/(√N₁ + √N₂). The
binodal has a closed form for N₁ = N₂ = N alone: ln(c/(1−c)) + χN(1−2c) = 0, with the tangent f′ = 0.

Sources: P. J. Flory, J. Chem. Phys. 10 (1942) 51, doi:10.1063/1.1723621; P. G. de Gennes, Scaling Concepts in Polymer Physics
(1979), section IV.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from phasefield.kernels.expressions import Expression

# Where f″ is sampled for a change of sign between two phases.
SAMPLES = 4001


def _root(f: Callable[[float], float], low: float, high: float, tolerance: float = 1e-15) -> float:
    """Where f changes its sign between low and high, to `tolerance` or to rounding."""
    return float(brentq(f, low, high, xtol=tolerance, rtol=1e-15, maxiter=500))  # type: ignore[arg-type]


def flory_huggins_critical_point(length_1: float, length_2: float) -> tuple[float, float]:
    """(c_c, χ_c): for larger χ the mixture separates."""
    root_1, root_2 = math.sqrt(length_1), math.sqrt(length_2)
    return root_2 / (root_1 + root_2), 0.5 * (1.0 / root_1 + 1.0 / root_2) ** 2


def flory_huggins_spinodal(length_1: float, length_2: float, chi: float) -> tuple[float, float] | None:
    """The two compositions with f″ = 0, ascending; None where χ ≤ χ_c."""
    if chi <= flory_huggins_critical_point(length_1, length_2)[1]:
        return None
    # a c² + b c + N₂ = 0; both roots from the one without cancellation.
    a = 2.0 * chi * length_1 * length_2
    b = length_1 - length_2 - a
    q = -0.5 * (b - math.sqrt(max(0.0, b * b - 4.0 * a * length_2)))
    return length_2 / q, q / a


def flory_huggins_binodal(length_1: float, length_2: float, chi: float) -> tuple[float, float] | None:
    """The two compositions that coexist, ascending; None where χ ≤ χ_c.

    For every slope μ between those at the spinodal each phase is the one solution of f′ = μ on its side, and the distance of
    their tangents falls with μ: bisection within bisection cannot miss. The unknown is x = ln(c/(1−c)), which keeps
    compositions of 10⁻¹⁰⁰ as exact as those of one half.
    """
    spinodal = flory_huggins_spinodal(length_1, length_2, chi)
    if spinodal is None:
        return None

    ends = [math.log(c) - math.log1p(-c) for c in spinodal]
    # Beyond any solution: there ln c alone outweighs everything else.
    reach = 1000.0 + 4.0 * chi * max(length_1, length_2)
    if length_1 == length_2:
        x = _root(lambda x: x - chi * length_1 * math.tanh(0.5 * x), -reach, ends[0])
        return float(expit(x)), float(expit(-x))

    def slope(x: float) -> float:
        """f′, with ln c = −ln(1 + e⁻ˣ), ln(1−c) = −ln(1 + eˣ) and 1 − 2c = −tanh(x/2)."""
        ln_c, ln_rest = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
        return float((ln_c + 1.0) / length_1 - (ln_rest + 1.0) / length_2 - chi * math.tanh(0.5 * x))

    def intercept(x: float) -> float:
        """f − f′c, where the tangent meets c = 0, with the terms in ln c gone."""
        c = float(expit(x))
        return float(-np.logaddexp(0.0, x) / length_2 + c * (1.0 / length_2 - 1.0 / length_1) + chi * c * c)

    def phases(mu: float) -> tuple[float, float]:
        """The two solutions of f′ = μ outside the spinodal; an end of it where rounding leaves none."""
        found = []
        for inner, outer, side in ((ends[0], -reach, -1.0), (ends[1], reach, 1.0)):
            solvable = side * (mu - slope(inner)) > 0.0
            found.append(_root(lambda x: slope(x) - mu, inner, outer) if solvable else inner)
        return found[0], found[1]

    def difference(mu: float) -> float:
        a, b = phases(mu)
        return intercept(b) - intercept(a)

    lowest, highest = slope(ends[1]), slope(ends[0])
    mu = _root(difference, lowest, highest, 1e-15 * (highest - lowest))
    a, b = phases(mu)
    return float(expit(a)), float(expit(b))


def spinodal(f: Expression, values: Mapping[str, float], low: float, high: float) -> tuple[float, float] | None:
    """The outermost compositions with f″ = 0 between two coexisting phases, ascending; None where f″ keeps its sign.

    f is a formula in one variable, `values` its parameters.
    """
    (variable,) = f.variables
    second = f.derivative(variable).derivative(variable)

    def curvature(c: float) -> float:
        return float(second.evaluate(**{variable: c}, **values))

    c = np.linspace(low, high, SAMPLES)
    negative = np.nonzero(second.evaluate(**{variable: c}, **values) < 0.0)[0]
    if negative.size == 0 or negative[0] == 0 or negative[-1] == SAMPLES - 1:
        return None
    first, last = negative[0], negative[-1]
    left = _root(curvature, float(c[first - 1]), float(c[first]))
    right = _root(curvature, float(c[last]), float(c[last + 1]))
    return left, right
