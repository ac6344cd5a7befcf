"""Bodies with a diffuse interface: disc, sphere, stripe, front.

A body with signed distance d (positive inside) and interface width δ has the profile

    u = (inside + outside)/2 + (inside − outside)/2 · tanh(d/δ),

the equilibrium profile of a double well when δ is its width; δ = 0 is a sharp edge. On a periodic axis
distances are to the nearest image, so a body may lie across the edge of the box.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError, did_you_mean
from phasefield.initial.base import AxisName, NonNegative, Number, Positive, Source, Spec, only_key
from phasefield.spectral.grid import Axis, Grid


def nearest_offset(axis: Axis, coordinate: np.ndarray, centre: float) -> np.ndarray:
    """Coordinate minus centre, to the nearest image where the axis is periodic."""
    offset = coordinate - centre
    if axis.boundary == "periodic":
        offset = offset - axis.length * np.rint(offset / axis.length)
    return offset


class Shape(Spec, ABC):
    """One body; `inside` and `interface_width` stand in for those of the whole list."""

    inside: Number | None = Field(None, description="value inside this body, if not that of the list")
    interface_width: NonNegative | None = Field(None, description="δ of this body, if not that of the list")

    @abstractmethod
    def distance(self, grid: Grid, where: str) -> np.ndarray:
        """Signed distance to the surface, positive inside, broadcastable to `grid.shape`."""


class _Round(Shape):
    dimensions: ClassVar[int]
    other: ClassVar[str]
    centre: tuple[Number, ...]
    radius: Positive = Field(description="radius, in units of the box")

    def distance(self, grid: Grid, where: str) -> np.ndarray:
        if grid.dimensions != self.dimensions:
            hint = "" if grid.dimensions == 1 else f" (use {self.other})"
            raise InputError(
                f"{where}: needs a {self.dimensions}-dimensional grid, this one has {grid.dimensions}{hint}"
            )
        coordinates = grid.coordinates()
        squares = [nearest_offset(a, coordinates[a.name], c) ** 2 for a, c in zip(grid.axes, self.centre, strict=True)]
        return self.radius - np.sqrt(sum(squares))


class Disc(_Round):
    """Disc in a two-dimensional grid."""

    dimensions, other = 2, "sphere"
    centre: tuple[Number, ...] = Field(min_length=2, max_length=2, description="[x, y] of the centre")


class Sphere(_Round):
    """Sphere in a three-dimensional grid."""

    dimensions, other = 3, "disc"
    centre: tuple[Number, ...] = Field(min_length=3, max_length=3, description="[x, y, z] of the centre")


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


class Body(Spec):
    """One entry of the list, {kind: {…}}."""

    disc: Disc | None = None
    sphere: Sphere | None = None
    stripe: Stripe | None = None
    front: Front | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            only_key(value, cls.model_fields, "a shape")
        return value

    @property
    def kind(self) -> str:
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def shape(self) -> Shape:
        return getattr(self, self.kind)


def _not_empty(bodies: tuple[Body, ...]) -> tuple[Body, ...]:
    # not `min_length`: that one also counts, as missing, bodies that have errors of their own
    if not bodies:
        raise PydanticCustomError("too_short", "the list of shapes is empty")
    return bodies


class Shapes(Source):
    """Union of bodies on a background. Where bodies overlap, the one with the largest indicator
    (1 + tanh(d/δ))/2 gives the value; of equal ones, the first in the list."""

    shapes: Annotated[tuple[Body, ...], AfterValidator(_not_empty)] = Field(
        description="list of {disc | sphere | stripe | front: …}", json_schema_extra={"minItems": 1}
    )
    inside: Number = Field(1.0, description="value inside the bodies")
    outside: Number = Field(0.0, description="value of the background")
    interface_width: NonNegative = Field(
        0.0,
        description="δ of the profile tanh(d/δ); 0 is a sharp edge (a centre exactly on it gets the mean)",
    )

    def values(self, field: str, grid: Grid, folder: Path) -> np.ndarray:
        largest = np.zeros(grid.shape)
        inside = np.full(grid.shape, self.inside)
        for number, body in enumerate(self.shapes):
            shape = body.shape
            distance = shape.distance(grid, f"initial.{field}.shapes.{number}.{body.kind}")
            width = self.interface_width if shape.interface_width is None else shape.interface_width
            with np.errstate(over="ignore"):  # d/δ = ±inf has the right tanh
                profile = np.tanh(distance / width) if width > 0 else np.sign(distance)
            indicator = np.broadcast_to(0.5 * (1.0 + profile), grid.shape)
            wins = indicator > largest
            largest[wins] = indicator[wins]
            inside[wins] = self.inside if shape.inside is None else shape.inside
        return self.outside + (inside - self.outside) * largest
