"""Flat interfaces and coexistence, from the bulk formula alone.

Two phases a and b coexist when they share a tangent: f(b) − f(a) = μ (b − a), μ = f′(a) = f′(b). With Δf the height of f
above that tangent, the equilibrium profile obeys κ/2 (dφ/dx)² = Δf(φ), so that

    energy per area γ = ∫_a^b √(2κΔf) dφ,      width = (b − a) / max |dφ/dx| = (b − a) √(κ / (2 max Δf)).

For W (φ−a)² (b−φ)² the width is 2δ, δ = √(2κ/W)/(b−a), with the profile tanh(x/δ), and γ = √(2κW) (b−a)³/6.
With elastic misfit the phases are coherent: an interface along the softest direction n* costs ½B(n*)(φ − φ̄)², so that
f + ½B(n*)φ² takes the place of f.
Sources: J. W. Cahn, J. E. Hilliard, J. Chem. Phys. 28 (1958) 258, doi:10.1063/1.1744102, eqs 2.15–2.21; coherent phases,
J. W. Cahn, Acta Metall. 10 (1962) 907, doi:10.1016/0001-6160(62)90114-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.stability import LinearStability
from phasefield.kernels.expressions import Expression, parse
from phasefield.models.base import Model

SAMPLES = 4001
FINE_SAMPLES = 200_001
# Half-widths of the windows in which two phases are looked for, from a few hundredths to thousands.
REACHES = tuple(0.02 * 2.0**n for n in range(19))


@dataclass(frozen=True)
class Interface:
    """Coexisting values, interface width and energy per area of a flat interface."""

    low: float
    high: float
    width: float
    energy: float


def coexistence(f: Expression, values: Mapping[str, float], mean: float) -> tuple[float, float] | None:
    """The two phases into which a mixture of composition `mean` separates: the tie line of the convex hull of f.

    f is a formula in one variable, `values` its parameters. It is sampled on windows about `mean` that grow until the tie
    line lies inside; None where f is convex on all of them. Newton's method then finds the common tangent to rounding.
    """
    (variable,) = f.variables
    first, second = f.derivative(variable), f.derivative(variable).derivative(variable)
    for reach in REACHES:
        x = np.linspace(mean - reach, mean + reach, SAMPLES)
        y = f.evaluate(**{variable: x}, **values)
        inside = np.isfinite(y)
        x, y = x[inside], y[inside]
        if x.size < 10:
            return None
        hull = _lower_hull(x, y)
        left = hull[np.searchsorted(x[hull], mean, side="right") - 1]
        following = hull[hull > left]
        if following.size == 0 or following[0] - left <= 2:
            continue
        right = following[0]
        if left > 0 and right < x.size - 1:
            functions = [lambda u, g=g: float(g.evaluate(**{variable: u}, **values)) for g in (f, first, second)]
            return _refine(*functions, low=float(x[left]), high=float(x[right]))
    return None


def flat_interface(model: Model, mean: float, time: float = 0.0) -> Interface | None:
    """The equilibrium interface of a one-field model about `mean`, under the conditions at `time`; None without two phases."""
    if len(model.fields) != 1 or model.frozen or model.explicit:
        return None
    name = next(iter(model.fields))
    terms = model.terms_at(time)
    bulk = next((t for t in terms if t.pointwise is not None), None)
    kappa = sum(t.gradient_coefficient(name) for t in terms)
    if bulk is None or kappa <= 0.0:
        return None
    expression, values = bulk.pointwise, bulk.parameter_values()
    assert expression is not None
    if model.coupling is not None:
        elastic = LinearStability(model, {name: mean}).elastic_part
        added = parse(f"0.5*elastic_part*{name}**2", variables=(name,), parameters=("elastic_part",))
        expression = expression.plus(added)
        values = {**values, "elastic_part": elastic}
    phases = coexistence(expression, values, mean)
    if phases is None:
        return None
    low, high = phases
    x = np.linspace(low, high, FINE_SAMPLES)
    y = expression.evaluate(**{name: x}, **values)
    excess = np.maximum(y - (y[0] + (y[-1] - y[0]) * (x - low) / (high - low)), 0.0)
    energy = float(np.trapezoid(np.sqrt(2.0 * kappa * excess), x))
    width = (high - low) * float(np.sqrt(kappa / (2.0 * excess.max())))
    return Interface(low, high, width, energy)


def _lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the lower convex hull of points sorted in x (Andrew's monotone chain)."""
    hull: list[int] = []
    for i in range(x.size):
        while len(hull) >= 2:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return np.array(hull)


def _refine(
    f: Callable[[float], float],
    first: Callable[[float], float],
    second: Callable[[float], float],
    *,
    low: float,
    high: float,
) -> tuple[float, float]:
    """Newton's method on f′(a) = f′(b) = (f(b) − f(a))/(b − a); the start is kept where it does not converge nearby."""
    a, b = low, high
    for _ in range(60):
        if not a < b:
            return low, high
        curvature_a, curvature_b = second(a), second(b)
        slope = (f(b) - f(a)) / (b - a)
        if not (curvature_a > 0.0 and curvature_b > 0.0 and np.isfinite(slope)):
            return low, high
        # The chord's slope changes to second order only, so each end can be moved on its own.
        step_a, step_b = (slope - first(a)) / curvature_a, (slope - first(b)) / curvature_b
        a, b = a + step_a, b + step_b
        if max(abs(step_a), abs(step_b)) < 1e-15 * (high - low):
            break
    limit = 0.05 * (high - low)
    return (a, b) if abs(a - low) < limit and abs(b - high) < limit else (low, high)
