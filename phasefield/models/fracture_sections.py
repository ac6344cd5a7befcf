"""Sections of a fracture scenario: supports, alternate minimisation, when to stop, splits with a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from phasefield.errors import unknown
from phasefield.models.base import Strict


class Support(Strict):
    """Displacements of the nodes in a part of the body: a roller, a punch."""

    from_: list[float] = Field(
        alias="from", min_length=2, max_length=3, description="corner [x, y] or [x, y, z] of a box"
    )
    to: list[float] = Field(min_length=2, max_length=3, description="the opposite corner; nodes between both are held")
    displacement: dict[Literal["x", "y", "z"], float] = Field(
        min_length=1, description="displacements at load factor 1; components that are not named are free"
    )

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """With the key `from` of the scenario, which is no name in Python."""
        return {"from" if key == "from_" else key: value for key, value in handler(self).items()}


class Minimisation(Strict):
    """Alternate minimisation: displacements and damage in turn, until both fit."""

    acceleration: str = Field(default="anderson", description="anderson, over_relaxation or none")
    tolerance: float = Field(default=1e-4, gt=0.0, lt=0.1, description="largest change of φ anywhere in the last pass")
    most_passes: int = Field(default=5000, ge=1, description="passes of one step after which the run is given up")
    depth: int = Field(default=5, ge=1, le=50, description="iterates that anderson combines")
    relaxation: float = Field(default=1.6, gt=0.0, lt=2.0, description="ω of over_relaxation")

    @field_validator("acceleration")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ACCELERATIONS:
            raise PydanticCustomError("name", "{text}", {"text": str(unknown("acceleration", value, ACCELERATIONS))})
        return value


# Registered in `stepping.acceleration`, which models do not see.
ACCELERATIONS = ("anderson", "none", "over_relaxation")


class Stop(Strict):
    """When a run ends before its time."""

    force: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="once the force (or the load that forces stand for) is below this share of its largest",
    )
    crack: PositiveFloat | None = Field(
        default=None, description="once the cracks are longer, in space larger, than this"
    )


class SplitSection(Strict):
    """A split with a parameter."""

    name: str = Field(description="star_convex")
    gamma: float | None = Field(
        default=None, ge=-1.0, description="γ: how much of the energy of compression cannot break the body, from −1"
    )


def _name_or_section(value: Any) -> str | None:
    if isinstance(value, str):
        return "{name}"
    return "{section}" if isinstance(value, Mapping | SplitSection) else None


SplitSetting = Annotated[
    Annotated[str, Tag("{name}")] | Annotated[SplitSection, Tag("{section}")],
    Discriminator(
        _name_or_section,
        custom_error_type="kind",
        custom_error_message="must be a name, or a section such as {name: star_convex, gamma: 0.5}",
    ),
]
