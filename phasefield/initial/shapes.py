"""Bodies with a sharp or diffuse interface as the values of a field, {shapes: [{disc: {…}}, …]}.

| in | bodies |
|---|---|
| any grid | `stripe`, `front`, `box` |
| the plane | `disc`, `ellipse`, `polygon`, `slit` |
| space | `sphere`, `ellipsoid`, `penny` |

A body with signed distance d (positive inside) and interface width δ has the profile

    u = (inside + outside)/2 + (inside − outside)/2 · tanh(d/δ),

the equilibrium profile of a double well when δ is its width; δ = 0 is a sharp edge. On a periodic axis
distances are to the nearest image, so a body may lie across the edge of the box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError
from phasefield.initial.base import NonNegative, Number, Source, Spec, only_key
from phasefield.initial.body import Shape
from phasefield.initial.cracks import Penny, Slit
from phasefield.initial.flat_bodies import Box, Front, Stripe
from phasefield.initial.polygons import Polygon
from phasefield.initial.round_bodies import Disc, Ellipse, Ellipsoid, Sphere
from phasefield.spectral.grid import Grid


class Body(Spec):
    """One entry of the list, {kind: {…}}."""

    disc: Disc | None = None
    sphere: Sphere | None = None
    ellipse: Ellipse | None = None
    ellipsoid: Ellipsoid | None = None
    stripe: Stripe | None = None
    front: Front | None = None
    box: Box | None = None
    polygon: Polygon | None = None
    slit: Slit | None = None
    penny: Penny | None = None

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


Bodies = Annotated[tuple[Body, ...], AfterValidator(_not_empty)]


def covered(bodies: Iterable[Body], grid: Grid, place: str) -> np.ndarray:
    """True for the cells whose centre lies in a body or on its edge, shape `grid.shape`.

    Raises:
        InputError: bodies that do not fit the grid, or that have options of a diffuse profile; `place` is their key path.
    """
    cells = np.zeros(grid.shape, bool)
    for number, body in enumerate(bodies):
        where = f"{place}.{number}.{body.kind}"
        for option in ("inside", "interface_width"):
            if getattr(body.shape, option) is not None:
                raise InputError(f"{where}.{option}: the bodies of a region are sharp and have no value; leave it out")
        cells |= body.shape.contains(grid, where)
    return cells


class Shapes(Source):
    """Union of bodies on a background. Where bodies overlap, the one with the largest indicator
    (1 + tanh(d/δ))/2 gives the value; of equal ones, the first in the list."""

    shapes: Bodies = Field(
        description=f"list of {{{' | '.join(Body.model_fields)}: …}}", json_schema_extra={"minItems": 1}
    )
    inside: Number = Field(1.0, description="value inside the bodies")
    outside: Number = Field(0.0, description="value of the background")
    interface_width: NonNegative = Field(
        0.0,
        description="δ of the profile tanh(d/δ); 0 is a sharp edge (a centre exactly on it gets the mean, that of a slit "
        "or penny the value inside)",
    )

    def values(self, field: str, grid: Grid, folder: Path, place: str) -> np.ndarray:
        largest = np.zeros(grid.shape)
        inside = np.full(grid.shape, self.inside)
        for number, body in enumerate(self.shapes):
            shape = body.shape
            width = self.interface_width if shape.interface_width is None else shape.interface_width
            indicator = shape.indicator(grid, f"{place}.shapes.{number}.{body.kind}", width)
            indicator = np.broadcast_to(indicator, grid.shape)
            wins = indicator > largest
            largest[wins] = indicator[wins]
            inside[wins] = self.inside if shape.inside is None else shape.inside
        return self.outside + (inside - self.outside) * largest
