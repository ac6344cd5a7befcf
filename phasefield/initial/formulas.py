"""Formulas in the cell centres x, y, z and the box lengths Lx, Ly, Lz, as text in a scenario."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError
from phasefield.kernels.expressions import Expression, parse
from phasefield.spectral.grid import AXIS_NAMES, Grid


def checked_formula(text: str, what: str = "expression") -> str:
    """For validators: the text, if it is a formula in the axes of some grid; axes that the grid lacks are found later."""
    try:
        _parse(text, AXIS_NAMES, what)
    except InputError as error:
        raise PydanticCustomError("expression", "{text}", {"text": str(error)}) from error
    return text


def formula_values(
    text: str, grid: Grid, place: str, coordinates: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """Values at the cell centres, or other coordinates, broadcastable to them; not finite outside the domain of the formula.

    Raises:
        InputError: a name that the grid does not have; `place` is the key path.
    """
    coordinates = grid.coordinates() if coordinates is None else coordinates
    expression = _parse(text, tuple(coordinates), place)
    lengths = {f"L{axis.name}": axis.length for axis in grid.axes}
    with np.errstate(all="ignore"):
        return np.asarray(expression.evaluate(**coordinates, **lengths))


def _parse(text: str, axes: tuple[str, ...], what: str) -> Expression:
    return parse(text, variables=axes, parameters=[f"L{axis}" for axis in axes], what=what)
