"""What all bodies share: signed distance, profile, the cells inside, and images on periodic axes.

A body with signed distance d (positive inside) and interface width δ has the indicator (1 + tanh(d/δ))/2; δ = 0 is a sharp edge.
Distances within 1e-9 of a cell of an edge count as on the edge, whatever their rounding.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product

import numpy as np
from pydantic import Field

from phasefield.errors import InputError
from phasefield.initial.base import NonNegative, Number, Spec
from phasefield.spectral.grid import Axis, Grid

# Fraction of a cell within which a cell centre counts as on an edge.
ON_EDGE = 1e-9
# A body longer than this many periods is a mistake, and would take long.
_MOST_PERIODS = 8


def nearest_offset(axis: Axis, coordinate: np.ndarray, centre: float) -> np.ndarray:
    """Coordinate minus centre, to the nearest image where the axis is periodic."""
    offset = coordinate - centre
    if axis.boundary == "periodic":
        offset = offset - axis.length * np.rint(offset / axis.length)
    return offset


def nearest_offsets(grid: Grid, centre: Sequence[float]) -> list[np.ndarray]:
    """`nearest_offset` along x, y, z, each broadcastable to `grid.shape`."""
    coordinates = grid.coordinates()
    return [nearest_offset(a, coordinates[a.name], c) for a, c in zip(grid.axes, centre, strict=True)]


def image_offsets(
    grid: Grid, centre: Sequence[float], reach: Sequence[float], where: str
) -> Iterator[list[np.ndarray]]:
    """Coordinates minus centre, along x, y, z, for every periodic image that may be the nearest one of a body, likely ones first.

    Args:
        reach: the body lies within centre ± reach along every axis.

    The largest of the signed distances to all images is that of their union wherever it is negative.

    Raises:
        InputError: a body that is longer than several periods.
    """
    counts = []
    for axis, half in zip(grid.axes, reach, strict=True):
        if axis.boundary == "periodic" and 2.0 * half > _MOST_PERIODS * axis.length:
            raise InputError(f"{where}: is longer than {_MOST_PERIODS} periods of the axis {axis.name}")
        counts.append(math.ceil(half / axis.length + 0.5) if axis.boundary == "periodic" else 0)
    offsets = nearest_offsets(grid, centre)
    shifts = product(*(range(-n, n + 1) for n in counts))
    for shift in sorted(shifts, key=lambda shift: sum(k * k for k in shift)):
        yield [o - k * a.length if k else o for o, k, a in zip(offsets, shift, grid.axes, strict=True)]


def distance_between_faces(gaps: Sequence[np.ndarray]) -> np.ndarray:
    """Signed distance, positive inside, to a right-angled body.

    Args:
        gaps: per direction, all at right angles, the distance from the nearest face, negative between the two faces.
    """
    furthest = reduce(np.maximum, gaps)
    outside = np.sqrt(sum(np.maximum(gap, 0.0) ** 2 for gap in gaps))
    return -np.where(furthest > 0.0, outside, furthest)


def distance_to_images(
    grid: Grid,
    centre: Sequence[float],
    reach: Sequence[float],
    where: str,
    distance: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Signed distance, shape `grid.shape`, to a body and its images.

    Args:
        reach: the body lies within centre ± reach along every axis.
        distance: that to the body alone, of points (d, n) relative to its centre.

    Signed distance grows with the body, so that an image counts only where its bounding box is nearer than the images before it.
    """
    result = np.full(grid.shape, -np.inf)
    for offsets in image_offsets(grid, centre, reach, where):
        box = distance_between_faces([np.abs(o) - r for o, r in zip(offsets, reach, strict=True)])
        nearer = np.broadcast_to(box, grid.shape) > result
        if nearer.any():
            points = np.array([np.broadcast_to(o, grid.shape)[nearer] for o in offsets])
            result[nearer] = np.maximum(result[nearer], distance(points))
    return result


class Shape(Spec, ABC):
    """One body; `inside` and `interface_width` stand in for those of the whole list."""

    inside: Number | None = Field(None, description="value inside this body, if not that of the list")
    interface_width: NonNegative | None = Field(None, description="δ of this body, if not that of the list")

    @abstractmethod
    def distance(self, grid: Grid, where: str) -> np.ndarray:
        """Signed distance to the surface, positive inside, broadcastable to `grid.shape`; `where` is the key path in messages."""

    def indicator(self, grid: Grid, where: str, width: float) -> np.ndarray:
        """(1 + tanh(d/δ))/2; with δ = 0 it is 1 inside, ½ on the edge and 0 outside."""
        distance = self.distance(grid, where)
        if width > 0.0:
            with np.errstate(over="ignore"):  # d/δ = ±inf has the right tanh
                return 0.5 * (1.0 + np.tanh(distance / width))
        on_edge = np.abs(distance) <= ON_EDGE * min(grid.spacing)
        return np.where(on_edge, 0.5, 0.5 * (1.0 + np.sign(distance)))

    def contains(self, grid: Grid, where: str) -> np.ndarray:
        """True for cells whose centre lies inside or on the edge, broadcastable to `grid.shape`."""
        return self.distance(grid, where) >= -ON_EDGE * min(grid.spacing)


def need_dimensions(grid: Grid, dimensions: int, where: str, other: str) -> None:
    """Raises `InputError` unless the grid has that many; `other` is the shape for other grids."""
    if grid.dimensions != dimensions:
        hint = "" if grid.dimensions == 1 else f" (use {other})"
        raise InputError(f"{where}: needs a {dimensions}-dimensional grid, this one has {grid.dimensions}{hint}")
