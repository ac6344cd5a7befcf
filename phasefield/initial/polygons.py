"""Polygons in the plane."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.initial.base import Number, entries
from phasefield.initial.body import Shape, distance_to_images, need_dimensions
from phasefield.spectral.grid import Grid

_MOST_POINTS = 10_000
Point = Annotated[tuple[Number, ...], Field(min_length=2, max_length=2)]


class Polygon(Shape):
    """Polygon in a two-dimensional grid; where its edges cross, what they enclose an even number of times is outside."""

    points: Annotated[tuple[Point, ...], entries(3, _MOST_POINTS)] = Field(
        description="[[x, y], …], in order; the last one is joined to the first"
    )

    @model_validator(mode="after")
    def _has_area(self) -> Polygon:
        corners = np.array(self.points) - np.mean(self.points, axis=0)
        if np.linalg.svd(corners, compute_uv=False)[-1] <= 1e-12 * np.abs(corners).max():
            raise PydanticCustomError("polygon", "the points lie on one line")
        return self

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        need_dimensions(grid, 2, where, "box")
        corners = np.array(self.points)
        low, high = corners.min(axis=0), corners.max(axis=0)
        centre, reach = 0.5 * (low + high), 0.5 * (high - low)

        def alone(points: np.ndarray) -> np.ndarray:
            return polygon_distance(corners - centre, *points)

        return distance_to_images(grid, centre.tolist(), reach.tolist(), where, alone)


def polygon_distance(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance, positive inside, of points (x, y) to a polygon (n, 2): the nearest edge, with the sign of even and odd
    numbers of edges crossed on the way out along x."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    squares, inside = np.full(shape, np.inf), np.zeros(shape, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        if ex == ey == 0.0:
            continue
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        np.minimum(squares, (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2, out=squares)
        if ey != 0.0:
            # Half-open in y, so that a corner is crossed once.
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) / ey * ex)
    return np.where(inside, 1.0, -1.0) * np.sqrt(squares)
