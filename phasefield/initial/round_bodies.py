"""Bodies with a curved surface: disc, sphere, ellipse, ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from phasefield.initial.base import Number, Positive, entries
from phasefield.initial.body import Shape, distance_to_images, nearest_offsets, need_dimensions
from phasefield.spectral.grid import Grid

_MOST_STEPS = 60
# Points computed together.
_LOT = 8192


class _Round(Shape):
    dimensions: ClassVar[int]
    other: ClassVar[str]
    centre: tuple[Number, ...]
    radius: Positive = Field(description="radius, in units of the box")

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        need_dimensions(grid, self.dimensions, where, self.other)
        return self.radius - np.sqrt(sum(offset**2 for offset in nearest_offsets(grid, self.centre)))


class Disc(_Round):
    """Disc in a two-dimensional grid."""

    dimensions, other = 2, "sphere"
    centre: tuple[Number, ...] = Field(min_length=2, max_length=2, description="[x, y] of the centre")


class Sphere(_Round):
    """Sphere in a three-dimensional grid."""

    dimensions, other = 3, "disc"
    centre: tuple[Number, ...] = Field(min_length=3, max_length=3, description="[x, y, z] of the centre")


class _Elliptic(Shape):
    dimensions: ClassVar[int]
    other: ClassVar[str]
    centre: tuple[Number, ...]
    radii: tuple[Positive, ...]
    angle: Number = Field(0.0, description="degrees from x to the first radius, towards y")

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        need_dimensions(grid, self.dimensions, where, self.other)
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        a, b, *rest = self.radii
        reach = [float(np.hypot(a * cos, b * sin)), float(np.hypot(a * sin, b * cos)), *rest]

        def alone(points: np.ndarray) -> np.ndarray:
            own = points.copy()
            own[0], own[1] = cos * points[0] + sin * points[1], cos * points[1] - sin * points[0]
            return ellipsoid_distance(self.radii, own)

        return distance_to_images(grid, self.centre, reach, where, alone)


class Ellipse(_Elliptic):
    """Ellipse in a two-dimensional grid."""

    dimensions, other = 2, "ellipsoid"
    centre: tuple[Number, ...] = Field(min_length=2, max_length=2, description="[x, y] of the centre")
    radii: Annotated[tuple[Positive, ...], entries(2)] = Field(description="two half axes")


class Ellipsoid(_Elliptic):
    """Ellipsoid in a three-dimensional grid, turned about z."""

    dimensions, other = 3, "ellipse"
    centre: tuple[Number, ...] = Field(min_length=3, max_length=3, description="[x, y, z] of the centre")
    radii: Annotated[tuple[Positive, ...], entries(3)] = Field(description="three half axes, the third along z")


def ellipsoid_distance(radii: Sequence[float], points: np.ndarray) -> np.ndarray:
    """Signed distance (n), positive inside, of points (d, n) to Σ (x_i/r_i)² = 1 about the origin with its axes along x_i.

    The nearest point of the surface is x_i = r_i² y_i/(t + r_i²) with the largest root t of

        F(t) = Σ (r_i y_i/(t + r_i²))² − 1 = 0,

    found by Newton's method from max_i (r_i |y_i| − r_i²), where F ≥ 0: F falls and is convex from there on, so that the
    steps approach the root from one side (D. Eberly, Distance from a Point to an Ellipse, an Ellipsoid, or a Hyperellipsoid,
    geometrictools.com, 2013). Where y vanishes along the shortest axis there may be no root: t = −r² of that axis then.
    """
    result = np.empty(points.shape[1])
    for begin in range(0, result.size, _LOT):
        some = slice(begin, begin + _LOT)
        result[some] = _lot_of_distances(np.asarray(radii, float)[:, None], np.abs(points[:, some]))
    return result


def _lot_of_distances(r: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The distances of points y ≥ 0 (d, n), few enough to stay in the cache; r (d, 1)."""
    some = y > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (r * y - r**2).max(axis=0)
        for step in range(_MOST_STEPS):
            shares = np.where(some, r * y / (t + r**2), 0.0)
            excess = (shares**2).sum(axis=0) - 1.0
            if step == 0:
                missing = np.where(excess < -1e-12, -excess, 0.0)
            slope = 2.0 * np.where(some, shares**2 / (t + r**2), 0.0).sum(axis=0)
            move = np.where(excess > 0.0, excess / slope, 0.0)
            t = t + move
            if not (move > 1e-15 * (np.abs(t) + r.min() ** 2)).any():
                break
    nearest = r * np.where(some, r * y / np.where(some, t + r**2, 1.0), 0.0)
    shortest = int(np.argmin(r))
    nearest[shortest] += r[shortest] * np.sqrt(missing)
    length = np.sqrt(((nearest - y) ** 2).sum(axis=0))
    return np.sign(1.0 - ((y / r) ** 2).sum(axis=0)) * length
