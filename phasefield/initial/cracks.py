"""Sharp cracks: slit in the plane, penny in space.

Without `thickness` a crack is one cell thick: the cells whose centre x has

    −½ < n·(x − p)/w ≤ ½,    w = Σ_a |n_a| h_a,

for a point p and the normal n of the crack, its last component that is not zero taken positive. Across an axis that is one
layer of cells, wherever the crack lies; on a face between two layers it is the one behind the face, in the direction of the axis.
Otherwise it is the thinnest digital line (plane) that no path crosses from cell to cell, even by an edge or a corner: the
"standard" one, connected by faces (J.-P. Reveillès, Géométrie discrète, calcul en nombres entiers et algorithmique, thesis,
Strasbourg 1991). Cells on its two sides share no node, so that elements with displacements at corners transmit nothing. A
thinner chain, connected by corners, would leave the two sides hinged together at every step of it.

The ends of a slit and the rim of a penny are flat: a cell belongs if the projection of its centre lies on the crack, ends
included. Every cell has the whole value `inside`; there is no ½ on edges, with `thickness` neither.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError
from phasefield.initial.base import Number, Positive
from phasefield.initial.body import ON_EDGE, Shape, distance_between_faces, image_offsets, need_dimensions
from phasefield.spectral.grid import Grid


class _Crack(Shape):
    """A flat body in its own coordinates: `_gaps` are (beyond the rim, across)."""

    dimensions: ClassVar[int]
    other: ClassVar[str]
    thickness: Positive | None = Field(None, description="distance of the two faces; default: one layer of cells")

    @abstractmethod
    def _gaps(self, grid: Grid, where: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields for every periodic image the distance beyond the rim, negative within, and n·(x − p)."""

    @abstractmethod
    def _normal(self) -> np.ndarray:
        """The unit normal n of the crack, its last component that is not zero positive."""

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        need_dimensions(grid, self.dimensions, where, self.other)
        if self.thickness is None:
            raise InputError(f"{where}: is sharp without a thickness; give one, or interface_width: 0")
        result = np.full(grid.shape, -np.inf)
        for beyond, across in self._gaps(grid, where):
            faces = distance_between_faces([beyond, np.abs(across) - 0.5 * self.thickness])
            np.maximum(result, faces, out=result)
        return result

    def indicator(self, grid: Grid, where: str, width: float) -> np.ndarray:
        return self.contains(grid, where).astype(float) if width == 0.0 else super().indicator(grid, where, width)

    def contains(self, grid: Grid, where: str) -> np.ndarray:
        need_dimensions(grid, self.dimensions, where, self.other)
        cells = np.zeros(grid.shape, bool)
        if self.thickness is not None:
            cells |= super().contains(grid, where)
        else:
            layer = float(np.abs(self._normal()) @ np.array(grid.spacing))
            edge = ON_EDGE * min(grid.spacing)
            for beyond, across in self._gaps(grid, where):
                share = across / layer
                cells |= (beyond <= edge) & (share > ON_EDGE - 0.5) & (share <= ON_EDGE + 0.5)
        if not cells.any():
            raise InputError(f"{where}: covers no cell")
        return cells


def _upward(normal: Sequence[float]) -> np.ndarray:
    """The unit normal whose last component that is not zero is positive."""
    unit = np.asarray(normal, float)
    unit = unit / np.linalg.norm(unit)
    unit[np.abs(unit) < 1e-14] = 0.0
    return unit if unit[np.flatnonzero(unit)[-1]] > 0.0 else -unit


class Slit(_Crack):
    """Straight crack with flat ends in a two-dimensional grid; without `thickness` a chain of cells connected by their edges."""

    dimensions, other = 2, "penny or box"
    start: tuple[Number, ...] = Field(alias="from", min_length=2, max_length=2, description="[x, y] of one end")
    to: tuple[Number, ...] = Field(min_length=2, max_length=2, description="[x, y] of the other end")

    @model_validator(mode="after")
    def _has_length(self) -> Slit:
        if self.start == self.to:
            raise PydanticCustomError("slit", "from and to are the same point")
        return self

    def _normal(self) -> np.ndarray:
        return _upward([self.start[1] - self.to[1], self.to[0] - self.start[0]])

    def _gaps(self, grid: Grid, where: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        start, end = np.array(self.start), np.array(self.to)
        length, normal = float(np.hypot(*(end - start))), self._normal()
        half = 0.5 * np.abs(end - start) + 0.5 * max(self.thickness or 0.0, *grid.spacing)
        for x, y in image_offsets(grid, (0.5 * (start + end)).tolist(), half.tolist(), where):
            yield np.abs(normal[1] * x - normal[0] * y) - 0.5 * length, normal[0] * x + normal[1] * y


class Penny(_Crack):
    """Flat round crack in a three-dimensional grid; without `thickness` a layer of cells connected by their faces."""

    dimensions, other = 3, "slit"
    centre: tuple[Number, ...] = Field(min_length=3, max_length=3, description="[x, y, z] of the centre")
    normal: tuple[Number, ...] = Field(min_length=3, max_length=3, description="normal of the faces, of any length")
    radius: Positive = Field(description="radius, in units of the box")

    @model_validator(mode="after")
    def _has_normal(self) -> Penny:
        if not any(self.normal):
            raise PydanticCustomError("penny", "normal is zero")
        return self

    def _normal(self) -> np.ndarray:
        return _upward(self.normal)

    def _gaps(self, grid: Grid, where: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        n = self._normal()
        half = self.radius * np.sqrt(np.maximum(1.0 - n**2, 0.0)) + 0.5 * max(self.thickness or 0.0, *grid.spacing)
        for x, y, z in image_offsets(grid, self.centre, half.tolist(), where):
            across = n[0] * x + n[1] * y + n[2] * z
            in_plane = (x - n[0] * across) ** 2 + (y - n[1] * across) ** 2 + (z - n[2] * across) ** 2
            yield np.sqrt(in_plane) - self.radius, across
