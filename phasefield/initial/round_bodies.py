"""Bodies with a curved surface: disc, sphere, ellipse, ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from phasefield.initial.base import Number, Positive, entries
from phasefield.initial.body import Shape, image_offsets, nearest_offsets, need_dimensions
from phasefield.spectral.grid import Grid

_MOST_STEPS = 60


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
        reach = [max(self.radii[:2])] * 2 + list(self.radii[2:])
        result = np.full(grid.shape, -np.inf)
        for x, y, *rest in image_offsets(grid, self.centre, reach, where):
            own = [cos * x + sin * y, cos * y - sin * x, *rest]
            np.maximum(result, ellipsoid_distance(self.radii, own), out=result)
        return result


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


def ellipsoid_distance(radii: Sequence[float], point: Sequence[np.ndarray]) -> np.ndarray:
    """Signed distance, positive inside, of points to Σ (x_i/r_i)² = 1 about the origin with its axes along x_i.

    The nearest point of the surface is x_i = r_i² y_i/(t + r_i²) with the largest root t of

        F(t) = Σ (r_i y_i/(t + r_i²))² − 1 = 0,

    found by Newton's method from max_i (r_i |y_i| − r_i²), where F ≥ 0: F falls and is convex from there on, so that the
    steps approach the root from one side (D. Eberly, Distance from a Point to an Ellipse, an Ellipsoid, or a Hyperellipsoid,
    geometrictools.com, 2013). Where y vanishes along the shortest axis there may be no root: t = −r² of that axis then.
    """
    y = np.abs(np.broadcast_arrays(*point)).reshape(len(radii), -1)
    r = np.asarray(radii, float)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (r * y - r**2).max(axis=0)
        for step in range(_MOST_STEPS):
            shares = np.where(y > 0.0, r * y / (t + r**2), 0.0)
            excess = (shares**2).sum(axis=0) - 1.0
            if step == 0:
                missing = np.where(excess < -1e-12, -excess, 0.0)
            slope = 2.0 * np.where(y > 0.0, shares**2 / (t + r**2), 0.0).sum(axis=0)
            move = np.where(excess > 0.0, excess / slope, 0.0)
            t = t + move
            if not (move > 1e-15 * (np.abs(t) + r.min() ** 2)).any():
                break
    nearest = r * np.where(y > 0.0, r * y / np.where(y > 0.0, t + r**2, 1.0), 0.0)
    shortest = int(np.argmin(r))
    nearest[shortest] += r[shortest] * np.sqrt(missing)
    length = np.sqrt(((nearest - y) ** 2).sum(axis=0))
    sign = np.sign(1.0 - ((y / r) ** 2).sum(axis=0))
    return (sign * length).reshape(np.broadcast_shapes(*(np.shape(p) for p in point)))
