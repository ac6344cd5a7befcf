"""What all initial conditions share: strict numbers, the parent of their schemas, the choice by a key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from phasefield.errors import did_you_mean
from phasefield.spectral.grid import Grid

# strict: a quoted number or `true` in a scenario is a mistake, not a number
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
AxisName = Literal["x", "y", "z"]


class Spec(BaseModel):
    """Frozen, no unknown keys; options that were not given are left out of the resolved scenario, keys are those written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _without_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # `from` is a word of Python: such an attribute has another name than its key.
        fields = type(self).model_fields
        return {fields[name].alias or name: value for name, value in handler(self).items() if value is not None}


class Source(Spec, ABC):
    """Where the values of a field come from, and the noise added to them."""

    noise: NonNegative = Field(0.0, description="amplitude of the noise added to every cell")
    distribution: Literal["gaussian", "uniform"] = Field(
        "gaussian", description="gaussian: standard deviation = noise; uniform: between -noise and +noise"
    )

    @abstractmethod
    def values(self, field: str, grid: Grid, folder: Path, place: str) -> np.ndarray | float:
        """The field without noise, broadcastable to `grid.shape`; `place` is its key path in messages."""


def entries(least: int, most: int | None = None) -> AfterValidator:
    """Checks how many entries a list has; unlike `min_length` it does not count those with errors of their own as missing."""

    def check(value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(value) < least or len(value) > (most or least):
            wanted = f"at least {least}" if most and len(value) < least else f"{most or least}"
            raise PydanticCustomError("entries", "{text}", {"text": f"must have {wanted} entries (got {len(value)})"})
        return value

    return AfterValidator(check)


def only_key(value: Mapping[str, Any], known: Iterable[str], what: str) -> str:
    """The one key of `value` that is among `known`; a validation error otherwise."""
    known = list(known)
    given = [key for key in value if key in known]
    if len(given) == 1:
        return given[0]
    choice = f"{', '.join(known[:-1])} or {known[-1]}"
    hint = f"got {' and '.join(given)}" if given else "got none of them"
    if not given and value:
        name = next(iter(value))
        hint = f"unknown name '{name}'; {did_you_mean(name, known)}"
    # a template, so that braces in a user's key are not taken for a placeholder
    raise PydanticCustomError("choice", "{text}", {"text": f"{what} needs exactly one of {choice}; {hint}"})


def first_cell(chosen: np.ndarray, values: np.ndarray, grid: Grid) -> tuple[float, str]:
    """Value and place, as text, of the first of the chosen cells (grid.shape, bool)."""
    cell = np.unravel_index(int(np.argmax(chosen)), grid.shape)
    place = (f"{axis.name} = {axis.centres[index]:g}" for axis, index in zip(grid.axes, reversed(cell), strict=True))
    return values[cell], ", ".join(place)
