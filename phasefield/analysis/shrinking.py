"""A shrinking disc or sphere: R² = R₀² − 2(d−1) L κ t for a non-conserved field with wells of equal depth.

Source: S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979) 1085, doi:10.1016/0001-6160(79)90196-2, eq. 13:
the velocity of an interface is −Lκ times its curvature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.growth import NotApplicable
from phasefield.analysis.interface import flat_interface
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# Radii below this share of the first one are left out: the law holds for R much larger than the interface width.
SMALLEST_SHARE = 0.4


@dataclass(frozen=True)
class Shrinking:
    """Measured against expected d(R²)/dt; `error` is the largest |R² − (R₀² − 2(d−1)Lκt)| relative to R₀²."""

    slope: float
    expected_slope: float
    error: float
    detail: str
    times: np.ndarray
    radius: np.ndarray


def shrinking_radius(run: Run, scenario: LoadedScenario) -> Shrinking:
    """Follow the radius of the one body in the frames of a run.

    Raises:
        NotApplicable: the model conserves its field, the grid has one dimension, or no body is found.
    """
    (name, kinetics), *others = scenario.model.fields.items()
    dimensions = scenario.grid.dimensions
    if scenario.forced:
        raise NotApplicable("a source moves the interface, not only its curvature")
    if others or kinetics.conserved:
        raise NotApplicable("the law holds for a single non-conserved field")
    if dimensions == 1:
        raise NotApplicable("a flat interface in one dimension does not move")
    first = run.frame(name, 0).astype(float)
    bulk = next(t for t in scenario.model.terms if t.pointwise is not None)
    depth = {
        f: float(bulk.density({name: np.array([u])}, scenario.grid)[0])
        for f, u in (("in", first.max()), ("out", first.min()))
    }
    interface = flat_interface(scenario.model, 0.5 * float(first.max() + first.min()))
    if interface is None or abs(depth["in"] - depth["out"]) > 1e-3 * interface.energy / interface.width:
        raise NotApplicable(
            "the two phases do not have the same energy: the interface is driven, not only by its curvature"
        )
    kappa = sum(t.gradient_coefficient(name) for t in scenario.model.terms)
    expected = -2.0 * (dimensions - 1) * kinetics.constant * kappa
    frames = [(t, _radius(run.frame(name, i), scenario.grid.spacing)) for i, t in enumerate(run.times)]
    times = np.array([t for t, r in frames if r > 0.0])
    radius = np.array([r for _, r in frames if r > 0.0])
    if radius.size == 0:
        raise NotApplicable("no closed body is found in the first frame")
    kept = radius >= SMALLEST_SHARE * radius[0]
    times, radius = times[kept], radius[kept]
    if radius.size < 4:
        raise NotApplicable(f"only {radius.size} frames show the body: write frames more often")
    law = radius[0] ** 2 + expected * (times - times[0])
    error = float(np.max(np.abs(radius**2 - law))) / radius[0] ** 2
    slope = float(np.polyfit(times, radius**2, 1)[0])
    detail = f"R from {radius[0]:.4g} to {radius[-1]:.4g} in {radius.size} frames; error of R² relative to R₀²"
    return Shrinking(slope, expected, error, detail, times, radius)


def _radius(u: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Mean half-width of the body at mid-level along lines through its centre; 0 when there is none.

    The body is what deviates from the value at the box corner; its centre is the mean position of that deviation.
    """
    deviation = u.astype(float) - float(u.flat[0])
    body = deviation / deviation.flat[np.abs(deviation).argmax()]
    if not np.abs(deviation).max() > 0.0:
        return 0.0
    inside = np.argwhere(body > 0.5)
    if inside.size == 0:
        return 0.0
    centre = np.round(inside.mean(axis=0)).astype(int)
    level = 0.5 * (body.max() + body.min())
    widths = []
    for axis in range(u.ndim):
        index = tuple(slice(None) if a == axis else centre[a] for a in range(u.ndim))
        line = body[index]
        h = spacing[u.ndim - 1 - axis]
        inner = np.nonzero(line > level)[0]
        if inner.size == 0 or inner[0] == 0 or inner[-1] == line.size - 1:
            return 0.0
        left, right = inner[0], inner[-1]
        start = left - (line[left] - level) / (line[left] - line[left - 1])
        stop = right + (line[right] - level) / (line[right] - line[right + 1])
        widths.append(0.5 * (stop - start) * h)
    return float(np.mean(widths))
