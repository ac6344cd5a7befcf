"""Bodies with faces normal to the axes: stripe, front, box."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError, did_you_mean
from phasefield.initial.base import AxisName, Number, Positive
from phasefield.initial.body import Shape, distance_between_faces, nearest_offset, nearest_offsets
from phasefield.spectral.grid import Axis, Grid


class _Flat(Shape):
    axis: AxisName = Field(description="the axis normal to the faces")

    def _axis(self, grid: Grid, where: str) -> tuple[Axis, np.ndarray]:
        """The axis and its coordinates."""
        for axis in grid.axes:
            if axis.name == self.axis:
                return axis, grid.coordinates()[axis.name]
        names = [a.name for a in grid.axes]
        raise InputError(f"{where}.axis: the grid has no axis '{self.axis}'; {did_you_mean(self.axis, names)}")


class Stripe(_Flat):
    """Slab between two planes normal to `axis`."""

    centre: Number = Field(description="position of the mid-plane on the axis")
    width: Positive = Field(description="distance between the two faces")

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        axis, coordinate = self._axis(grid, where)
        if axis.boundary == "periodic" and self.width >= axis.length:
            raise InputError(
                f"{where}.width: {self.width:g} leaves nothing outside on the periodic axis {axis.name} "
                f"of length {axis.length:g}"
            )
        return 0.5 * self.width - np.abs(nearest_offset(axis, coordinate, self.centre))


class Front(_Flat):
    """Half space on the low side of `position`.

    On a periodic axis a second front, facing the other way, stands at the seam (0 = length): the body is then
    the stripe between 0 and `position`.
    """

    position: Number = Field(description="position of the front on the axis; inside is below it")

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        axis, coordinate = self._axis(grid, where)
        if not 0 < self.position < axis.length:
            raise InputError(
                f"{where}.position: {self.position:g} is not between 0 and the length "
                f"{axis.length:g} of axis {axis.name}"
            )
        if axis.boundary == "periodic":
            middle = 0.5 * self.position
            return middle - np.abs(nearest_offset(axis, coordinate, middle))
        return self.position - coordinate


class Box(Shape):
    """Interval, rectangle or cuboid along the axes, between two corners or about a centre.

    On a periodic axis that it spans as a whole it has no faces.
    """

    start: tuple[Number, ...] | None = Field(
        None, alias="from", min_length=1, max_length=3, description="corner with the smallest coordinates, [x, y, …]"
    )
    to: tuple[Number, ...] | None = Field(
        None, min_length=1, max_length=3, description="corner with the largest coordinates"
    )
    centre: tuple[Number, ...] | None = Field(None, min_length=1, max_length=3, description="[x, y, …] of the centre")
    size: tuple[Positive, ...] | None = Field(None, min_length=1, max_length=3, description="lengths of the edges")

    @model_validator(mode="after")
    def _one_form(self) -> Box:
        given = {"from": self.start, "to": self.to, "centre": self.centre, "size": self.size}
        names = [name for name, value in given.items() if value is not None]
        if names not in (["from", "to"], ["centre", "size"]):
            got = " and ".join(names) or "none"
            raise PydanticCustomError("box", "{text}", {"text": f"needs from and to, or centre and size (got {got})"})
        first, second = (given[name] for name in names)
        if len(first) != len(second):  # type: ignore[arg-type]
            text = f"{names[0]} and {names[1]} have different numbers of coordinates"
            raise PydanticCustomError("box", "{text}", {"text": text})
        if self.start is not None and not all(a < b for a, b in zip(self.start, self.to, strict=True)):  # type: ignore[arg-type]
            raise PydanticCustomError("box", "every coordinate of to must be greater than that of from")
        return self

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        if self.start is not None and self.to is not None:
            centre = [0.5 * (a + b) for a, b in zip(self.start, self.to, strict=True)]
            size = [b - a for a, b in zip(self.start, self.to, strict=True)]
        else:
            centre, size = list(self.centre or ()), list(self.size or ())
        if len(centre) != grid.dimensions:
            raise InputError(f"{where}: has {len(centre)} coordinates, the grid {grid.dimensions} dimensions")
        gaps = [
            np.abs(offset) - 0.5 * length
            for axis, offset, length in zip(grid.axes, nearest_offsets(grid, centre), size, strict=True)
            if axis.boundary != "periodic" or length < axis.length * (1.0 - 1e-12)
        ]
        if not gaps:
            raise InputError(f"{where}: leaves nothing outside in a periodic box")
        return distance_between_faces(gaps)
