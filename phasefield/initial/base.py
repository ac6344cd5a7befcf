"""What all initial conditions share: strict numbers, the parent of their schemas, the choice by a key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from phasefield.errors import did_you_mean
from phasefield.spectral.grid import Grid

# strict: a quoted number or `true` in a scenario is a mistake, not a number
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
AxisName = Literal["x", "y", "z"]


class Spec(BaseModel):
    """Frozen, no unknown keys; options that were not given are left out of the resolved scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _without_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class Source(Spec, ABC):
    """Where the values of a field come from, and the noise added to them."""

    noise: NonNegative = Field(0.0, description="amplitude of the noise added to every cell")
    distribution: Literal["gaussian", "uniform"] = Field(
        "gaussian", description="gaussian: standard deviation = noise; uniform: between -noise and +noise"
    )

    @abstractmethod
    def values(self, field: str, grid: Grid, folder: Path) -> np.ndarray | float:
        """The field without noise, broadcastable to `grid.shape`."""


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
