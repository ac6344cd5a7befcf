"""What the section `manufactured:` cannot check alone: whether its formulas can be the solution in this box.

A solution that does not keep to the boundaries is none: fields would not follow it however fine the grid and the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from phasefield.kernels.cell_map import TIME
from phasefield.kernels.expressions import Expression
from phasefield.scenario.messages import Problem
from phasefield.spectral.grid import Axis

if TYPE_CHECKING:
    from phasefield.scenario.load import LoadedScenario

# Functions with a kink, where derivatives of the solution, and with them its source, are missing something.
KINKS = ("abs", "max", "min")
# A solution may miss its boundaries by this share of its largest magnitude, as the tails of a front do.
MISS = 1e-3


def check_manufactured(loaded: LoadedScenario) -> Iterator[Problem]:
    """Every field that its boundaries, or a missing derivative, keep from being a solution."""
    for name, u in loaded.exact.items():
        kinks = [f for f in KINKS if f"{f}(" in u.text.replace(" ", "")]
        if kinks:
            yield Problem(("manufactured", name), f"{kinks[0]} has a kink; a solution needs its derivatives everywhere")
            continue
        for axis in loaded.grid.axes:
            if axis.boundary != "no_flux" and (text := _missed(loaded, name, u, axis)):
                yield Problem(("manufactured", name), text)
                break


def _missed(loaded: LoadedScenario, name: str, u: Expression, axis: Axis) -> str | None:
    """By what a solution misses the values, or the period, of an axis at t = 0 or at the end."""
    for time in (0.0, float(loaded.settings.time.end)):
        low, high = (_face(loaded, u, axis, place, time) for place in (0.0, axis.length))
        largest = max(float(np.max(np.abs(_face(loaded, u, axis, axis.centres, time)))), 1e-300)
        if axis.boundary == "periodic":
            worst = float(np.max(np.abs(high - low)))
            text = f"differs by {worst:.3g} between {axis.name} = 0 and {axis.length:g}, the ends of a periodic axis"
            if worst > MISS * largest:
                return f"{text}, at t = {time:g}"
            continue
        for values, given, place in zip((low, high), axis.ends(name), (0.0, axis.length), strict=True):
            at = int(np.argmax(np.abs(values - given)))
            if abs(values.flat[at] - given) > MISS * max(largest, abs(given)):
                where = f"at {axis.name} = {place:g}, t = {time:g}"
                return f"is {values.flat[at]:.3g} {where}, where grid.{axis.name}.values hold it at {given:g}"
    return None


def _face(loaded: LoadedScenario, u: Expression, axis: Axis, places: np.ndarray | float, time: float) -> np.ndarray:
    """Values of u at places along an axis, on a few cells along the others."""
    points = {axis.name: np.atleast_1d(places)}
    for other in loaded.grid.axes:
        if other.name != axis.name:
            points[other.name] = other.centres[:: max(1, other.cells // 32)]
    mesh = np.meshgrid(*points.values(), indexing="ij")
    lengths = {f"L{a.name}": a.length for a in loaded.grid.axes}
    values = u.evaluate(**dict(zip(points, mesh, strict=True)), **lengths, **{TIME: time})
    return np.array(np.broadcast_to(values, mesh[0].shape), float)
