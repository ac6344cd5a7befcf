"""Initial conditions: what a scenario's `initial:` section says of one field, and its values on a grid.

| written | meaning |
|---|---|
| `0.3` | uniform |
| `0.5 + 0.1*cos(2*pi*x/Lx)` | expression in the grid's axes x, y, z and the box lengths Lx, Ly, Lz |
| `{mean: 0.3, noise: 0.01}` | uniform with noise |
| `{expression: …}` | as above, with noise if wanted |
| `{shapes: [{disc: {centre: [x, y], radius: r}}], interface_width: w}` | bodies, see `shapes` |
| `{file: data.npy}` | values from a file of numbers or a picture, see `files` |

Every mapping takes `noise` and `distribution`. The noise has its sample mean removed, since a scenario
prescribes a composition: with N cells a raw sample would miss it by noise/√N, and a conserved field would
keep the error for the whole run. (Uniform noise can therefore pass its amplitude by that little.) Noise
depends on seed, field name and cell alone (`phasefield.random`, stream "initial:<field>").
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator, field_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError
from phasefield.initial.base import Number, Source, first_cell, only_key
from phasefield.initial.files import File
from phasefield.initial.formulas import checked_formula, formula_values
from phasefield.initial.shapes import Shapes
from phasefield.random import Seed, normal_field, uniform_field
from phasefield.spectral.grid import Grid

__all__ = ["File", "Formula", "InitialField", "Mean", "Shapes", "Source", "evaluate"]


class Mean(Source):
    """The same value everywhere."""

    mean: Number = Field(description="value of the field, and its exact mean with noise")

    def values(self, field: str, grid: Grid, folder: Path, place: str) -> float:
        return self.mean


class Formula(Source):
    """An expression in the cell centres x, y, z and the lengths Lx, Ly, Lz of the axes that the grid has."""

    expression: str = Field(description="formula in x, y, z and the box lengths Lx, Ly, Lz")

    @field_validator("expression")
    @classmethod
    def _parses(cls, text: str) -> str:
        return checked_formula(text)

    def values(self, field: str, grid: Grid, folder: Path, place: str) -> np.ndarray:
        return formula_values(self.expression, grid, place)  # `evaluate` reports where values are not finite


_SOURCES: dict[str, type[Source]] = {"mean": Mean, "expression": Formula, "shapes": Shapes, "file": File}


def _choose(value: Any, handler: ValidatorFunctionWrapHandler) -> Source:
    """The source a value stands for: chosen by key, not by trial, so that errors name the user's key."""
    if isinstance(value, Source):
        return value
    if isinstance(value, str):
        value = {"expression": value}
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = {"mean": value}
    if not isinstance(value, Mapping):
        raise PydanticCustomError(
            "initial_field",
            "an initial value is a number, an expression or a mapping with mean, expression, shapes or file",
        )
    return _SOURCES[only_key(value, _SOURCES, "an initial value")].model_validate(value)


# What may be written; a validated value is always a `Source`.
InitialField = Annotated[
    Number | str | Mean | Formula | Shapes | File,
    WrapValidator(_choose),
    Field(description="a number, an expression, or a mapping with mean, expression, shapes or file"),
]
_adapter: TypeAdapter[Any] = TypeAdapter(InitialField)


def evaluate(spec: InitialField, field: str, grid: Grid, seed: Seed, folder: Path | str) -> np.ndarray:
    """Values of one field on a grid.

    Parameters
    ----------
    spec : a validated `InitialField`, or anything it can be made from.
    field : the field's name: the random stream, the default dataset, and the path in messages.
    seed : of the scenario.
    folder : of the scenario; where relative file names start.

    Returns a new float64 array of `grid.shape`. Raises `InputError`, naming `initial.<field>…`, for what does
    not fit the grid, for unreadable files, and for values that are not finite (with the place of the first).
    """
    source: Source = _adapter.validate_python(spec)
    values = source.values(field, grid, Path(folder), f"initial.{field}")
    if np.iscomplexobj(values):
        raise InputError(f"initial.{field}: the values are complex")
    result = np.array(np.broadcast_to(values, grid.shape), dtype=np.float64, order="C")
    if source.noise > 0:
        deviates = normal_field if source.distribution == "gaussian" else uniform_field
        noise = deviates(grid.shape, seed=seed, stream=f"initial:{field}")
        noise -= noise.mean()
        result += source.noise * noise
    _check_finite(result, field, grid)
    return result


def _check_finite(values: np.ndarray, field: str, grid: Grid) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        value, place = first_cell(bad, values, grid)
        raise InputError(
            f"initial.{field}: not finite in {int(bad.sum())} of {grid.cells} cells; the first is {value} at {place}"
        )
