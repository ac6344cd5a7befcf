"""Discs and spheres at random places that do not overlap: random sequential addition.

Radii are drawn first and the largest bodies placed first: a place is drawn, and taken unless the body would come nearer than a
gap to one that is there. Without any gap equal discs jam at 0.547 of the area, equal spheres at 0.38 of the volume (B. Widom, J.
Chem. Phys. 44 (1966) 3888, doi:10.1063/1.1726548; J. Feder, J. Theor. Biol. 87 (1980) 237, doi:10.1016/0022-5193(80)90358-6).

The numbers are functions of seed, stream and the count of draws alone (`phasefield.random`): places do not depend on the cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError
from phasefield.initial.body import ON_EDGE, nearest_offset
from phasefield.random import Seed, uniform_field
from phasefield.spectral.grid import Grid

# Places tried for one body before the packing counts as jammed, and how many are looked at together.
_MOST_TRIALS, _FIRST_LOT, _LARGEST_LOT = 200_000, 32, 4096
# Their distances are all computed, with numbers growing as the square.
MOST_BODIES = 10_000
# Distances computed together.
_MOST_DISTANCES = 4_000_000
_BALL = {2: (math.pi, 2), 3: (4.0 * math.pi / 3.0, 3)}


@dataclass(frozen=True)
class Balls:
    """Discs or spheres: centres (n, d) in the order x, y, z, and radii (n)."""

    centres: np.ndarray
    radii: np.ndarray

    def cells(self, grid: Grid) -> np.ndarray:
        """True for cells whose centre lies inside or on the edge, shape `grid.shape`."""
        inside = np.zeros(grid.shape, bool)
        edge = ON_EDGE * min(grid.spacing)
        for centre, radius in zip(self.centres, self.radii, strict=True):
            rows, squares = [], []
            for axis, c in zip(grid.axes, centre, strict=True):
                window = np.arange(
                    math.floor((c - radius) / axis.spacing) - 1, math.ceil((c + radius) / axis.spacing) + 1
                )
                periodic = axis.boundary == "periodic"
                window = np.unique(window % axis.cells) if periodic else window[(window >= 0) & (window < axis.cells)]
                rows.append(window)
                squares.append(nearest_offset(axis, axis.centres[window], c) ** 2)
            inside[np.ix_(*reversed(rows))] |= np.sqrt(_outer_sum(squares)) <= radius + edge
        return inside


def _outer_sum(squares: list[np.ndarray]) -> np.ndarray:
    """Σ of values along x, y, z, on their grid z, y, x."""
    total = np.zeros(())
    for values in reversed(squares):
        total = total[..., None] + values
    return total


def random_radii(
    smallest: float,
    largest: float,
    fraction: float | None,
    count: int | None,
    grid: Grid,
    seed: Seed,
    stream: str,
    where: str,
) -> np.ndarray:
    """Uniform in [smallest, largest], the largest first: `count` of them, or as many as come nearest to a fraction of the box.

    Raises:
        InputError: the fraction is less than half of one body, or takes too many; `where` is the key path.
    """
    factor, power = _BALL[grid.dimensions]
    if count is None:
        assert fraction is not None
        wanted = fraction * grid.volume
        count = math.ceil(wanted / (factor * smallest**power)) + 1
        if count > MOST_BODIES:
            raise InputError(f"{where}.fraction: takes up to {count} bodies; at most {MOST_BODIES} are placed")
    else:
        wanted = None
    draws = 0.5 + 0.5 * uniform_field((count,), seed=seed, stream=stream)
    radii = smallest + (largest - smallest) * draws
    if wanted is not None:
        volumes = np.concatenate([[0.0], np.cumsum(factor * radii**power)])
        radii = radii[: int(np.argmin(np.abs(volumes - wanted)))]
        if not radii.size:
            raise InputError(
                f"{where}.fraction: {fraction:g} is less than half of one body in a box of {grid.volume:g}"
            )
    return np.sort(radii)[::-1]


def place_balls(grid: Grid, radii: np.ndarray, gap: float, seed: Seed, stream: str, where: str) -> Balls:
    """Places for bodies of given radii, in their order, `gap` apart from one another and from faces that are not periodic.

    Raises:
        InputError: a body does not fit the box, or no place is left; `where` is the key path in messages.
    """
    for axis in grid.axes:
        needed = 2.0 * radii.max() + (gap if axis.boundary == "periodic" else 2.0 * gap)
        if needed > axis.length:
            text = f"a body of radius {radii.max():g} with a gap of {gap:g} does not fit the axis {axis.name}"
            raise InputError(f"{where}: {text} of length {axis.length:g}")
    centres = np.empty((len(radii), grid.dimensions))
    drawn = 0
    for number, radius in enumerate(radii):
        end, lot = drawn + _MOST_TRIALS, _FIRST_LOT
        while True:
            places = _places(grid, radius + gap, drawn, lot, seed, stream)
            apart = np.zeros((lot, number))
            for position, axis in enumerate(grid.axes):
                apart += nearest_offset(axis, places[:, position, None] - centres[:number, position], 0.0) ** 2
            free = (np.sqrt(apart) >= radius + radii[:number] + gap).all(axis=1)
            if free.any():
                first = int(np.argmax(free))
                centres[number], drawn = places[first], drawn + first + 1
                break
            drawn, lot = drawn + lot, min(4 * lot, _LARGEST_LOT, _MOST_DISTANCES // number)
            if drawn >= end:
                factor, power = _BALL[grid.dimensions]
                share = factor * float((radii[:number] ** power).sum()) / grid.volume
                raise InputError(
                    f"{where}: no place is left after {number} of {len(radii)} bodies, a fraction of {share:.3g}; "
                    "lower fraction (or count) or gap"
                )
    return Balls(centres, radii)


def _places(grid: Grid, margin: float, first: int, count: int, seed: Seed, stream: str) -> np.ndarray:
    """Candidates number first … first + count, (count, d): uniform in the box, `margin` away from faces that are not periodic."""
    columns = []
    for number, axis in enumerate(grid.axes, start=1):
        share = uniform_field((count,), seed=seed, stream=stream, draw=number, offset=(first,), global_shape=(2**48,))
        keep = 0.0 if axis.boundary == "periodic" else margin
        columns.append(keep + (axis.length - 2.0 * keep) * (0.5 + 0.5 * share))
    return np.stack(columns, axis=1)
