"""Rows of parallel cracks that grow inwards from a face: how many are left at a depth, and how far they are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct, rfft

from phasefield.errors import InputError, unknown
from phasefield.mechanics.bounded_faces import ENDS
from phasefield.spectral.grid import Grid


@dataclass(frozen=True)
class CrackRow:
    """Cracks on a line parallel to a face.

    number: of cracks; spacing: mean distance of neighbours, NaN of fewer than two (on a periodic axis the box is a neighbour of
    itself: NaN of none); wavelength: of the largest Fourier component of φ along the line, NaN where φ is uniform; positions:
    where they are, middles of the intervals with φ above the threshold.
    """

    number: int
    spacing: float
    wavelength: float
    positions: tuple[float, ...]


def crack_spacing(phi: np.ndarray, grid: Grid, face: str, depth: float, threshold: float = 0.5) -> CrackRow:
    """Cracks that reach the line at `depth` behind `face`, in the plane.

    φ on the line is interpolated linearly between rows of cells; a crack is an interval in which it is above `threshold`. The
    wavelength is 2L/n or, on a periodic axis, L/n, with n the number of the largest component of a cosine or Fourier series:
    as exact as n is large. Unlike the number it also tells of damage that has not yet become cracks.

    Args:
        phi: damage (*grid.shape). face: x.low, x.high, y.low or y.high. depth: at least 0, no more than the grid is deep.

    Raises:
        InputError: a grid that is not two-dimensional, an unknown face, another shape, a depth outside the grid.
    """
    if grid.dimensions != 2:
        raise InputError(f"rows of cracks are lines in the plane; this grid has {grid.dimensions} axes")
    if np.shape(phi) != grid.shape:
        raise InputError(f"the damage has the shape {np.shape(phi)}, the grid {grid.shape}")
    known = [f"{axis.name}.{end}" for axis in grid.axes for end in ENDS]
    if face not in known:
        raise unknown("face", face, known)
    name, end = face.split(".")
    inward, along = grid.axes if name == grid.axes[0].name else grid.axes[::-1]
    if not 0.0 <= depth <= inward.length:
        raise InputError(f"the depth must be between 0 and {inward.length:g}, got {depth:g}")
    rows = np.asarray(phi, float) if name == "y" else np.asarray(phi, float).T
    place = (depth if end == "low" else inward.length - depth) / inward.spacing - 0.5
    place = min(max(place, 0.0), inward.cells - 1.0)
    first = min(int(place), inward.cells - 2)
    line = rows[first] + (place - first) * (rows[first + 1] - rows[first])
    periodic = along.boundary == "periodic"
    positions = _intervals(line - threshold, along.spacing, periodic)
    number = len(positions)
    if periodic:
        spacing = along.length / number if number else math.nan
    else:
        spacing = (positions[-1] - positions[0]) / (number - 1) if number > 1 else math.nan
    return CrackRow(number, spacing, _wavelength(line, along.length, periodic), tuple(positions))


def _intervals(excess: np.ndarray, spacing: float, periodic: bool) -> list[float]:
    """Middles of the intervals with an excess > 0; its values are those of the centres of cells."""
    n, above = len(excess), excess > 0.0
    if not above.any():
        return []
    if above.all():
        return [0.5 * n * spacing]
    shift = int(np.argmin(above)) if periodic else 0
    above = np.roll(above, -shift)
    change = np.diff(np.concatenate([[0], above.astype(int), [0]]))
    middles = 0.5 * (np.nonzero(change == 1)[0] + np.nonzero(change == -1)[0]) + shift
    return sorted(float(m) for m in (middles % n if periodic else middles) * spacing)


def _wavelength(line: np.ndarray, length: float, periodic: bool) -> float:
    if np.ptp(line) == 0.0:
        return math.nan
    spectrum = np.abs(rfft(line) if periodic else dct(line))[1:]  # type: ignore[arg-type]
    return (length if periodic else 2.0 * length) / (1 + int(np.argmax(spectrum)))
