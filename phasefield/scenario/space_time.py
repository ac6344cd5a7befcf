"""Formulas in space and time: sources and exact solutions of a scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError
from phasefield.kernels.cell_map import TIME
from phasefield.kernels.expressions import Expression, parse
from phasefield.spectral.grid import AXIS_NAMES, Grid


def parse_space_time(text: str, axes: tuple[str, ...] = AXIS_NAMES, what: str = "formula") -> Expression:
    """A formula in the cell centres along `axes`, the time t and the lengths of the axes.

    Raises:
        InputError: what the parser of formulas refuses, the name of an axis that is not among `axes` included.
    """
    return parse(text, variables=(*axes, TIME), parameters=[f"L{axis}" for axis in axes], what=what)


def parse_all(section: str, formulas: Mapping[str, str], grid: Grid) -> dict[str, Expression]:
    """The formulas of a section, by field name, on a grid."""
    axes = tuple(axis.name for axis in grid.axes)
    return {name: parse_space_time(text, axes, f"{section}.{name}") for name, text in formulas.items()}


def values_at(formula: Expression, grid: Grid, time: float) -> np.ndarray:
    """Values of a formula in all cells at a time, (*grid.shape)."""
    lengths = {f"L{axis.name}": axis.length for axis in grid.axes}
    values = formula.evaluate(**grid.coordinates(), **lengths, **{TIME: float(time)})
    return np.array(np.broadcast_to(values, grid.shape))


def _read(value: Any) -> Any:
    """A number is a formula too. Axes that the grid lacks are found later, when the grid is known."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise PydanticCustomError("finite", "must be finite")
        value = repr(value)
    if not isinstance(value, str):
        raise PydanticCustomError("formula", "must be a formula in x, y, z and t, or a number")
    try:
        parse_space_time(value)
    except InputError as error:
        raise PydanticCustomError("formula", "{text}", {"text": str(error).removeprefix("formula: ")}) from error
    return value


# What may be written; a validated value is always text.
SpaceTime = Annotated[
    str,
    BeforeValidator(_read),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
    Field(description="a formula in x, y, z, t and the box lengths Lx, Ly, Lz"),
]
