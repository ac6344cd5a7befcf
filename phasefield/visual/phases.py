"""Which two phases a free energy has, to centre colours between them."""

from __future__ import annotations

import numpy as np

from phasefield.models.base import Model

_POINTS = 1001
_LEAST_GAP = 10


def two_phases(model: Model, field: str, low: float, high: float) -> tuple[float, float] | None:
    """The two values of a field that the common tangent of its bulk energy touches; None when there are no two.

    The tangent is the widest gap in the lower convex hull of f, sampled on intervals about [low, high] that widen until
    they hold the whole gap. Asked of models with one field only: of coupled ones, f alone does not tell.
    """
    if list(model.fields) != [field]:
        return None
    middle, half = 0.5 * (low + high), max(high - low, 1e-3 * abs(low + high), 1e-9)
    while half < 1e4 * max(1.0, abs(middle)):
        u = np.linspace(middle - half, middle + half, _POINTS)
        hull = _lower_hull(u, _bulk_energy(model, field, u))
        gap = int(np.argmax(np.diff(hull)))
        if 0 < gap < hull.size - 2 and hull[gap + 1] - hull[gap] > _LEAST_GAP:
            return float(u[hull[gap]]), float(u[hull[gap + 1]])
        half *= 3.0
    return None


def _bulk_energy(model: Model, field: str, u: np.ndarray) -> np.ndarray:
    """f(u), with 0 for what does not depend on the local value."""
    total = np.zeros(u.size)
    with np.errstate(all="ignore"):
        for term in model.terms:
            if term.pointwise is not None:
                total = total + term.pointwise.evaluate(**{field: u}, **term.parameter_values())
    return total


def _lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the points on the lower convex hull of a graph, from left to right."""
    hull: list[int] = []
    for i in range(x.size):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return np.array(hull)
