"""The material of a body on a grid: E, ν, Gc and, of models with inertia, ρ cell by cell, and where it is empty.

A cell belongs to a region when its centre lies inside or on the edge. Regions are painted in their order: what one does not name
stays as it is beneath it, and a region over a void is solid again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from phasefield.errors import InputError
from phasefield.initial.base import first_cell
from phasefield.initial.files import FileData
from phasefield.initial.formulas import formula_values
from phasefield.mechanics.material_sections import LIMITS, Region, limits_text
from phasefield.spectral.grid import Grid


class MaterialParameters(Protocol):
    """What `material_of` reads: a `MaterialSection`, or any section with these keys."""

    @property
    def young_modulus(self) -> float | str | FileData: ...
    @property
    def poisson_ratio(self) -> float | str | FileData: ...
    @property
    def toughness(self) -> float | str | FileData: ...
    @property
    def regions(self) -> list[Region]: ...

    # And `density`, of models with inertia.


@dataclass(frozen=True, eq=False)
class Material:
    """Constants of an isotropic body, cell by cell; arrays of `grid.shape`, not writeable.

    Attributes:
        young_modulus: E, pressure; 0 in voids.
        poisson_ratio, toughness: ν and Gc, energy per area; in voids what is beneath them, without meaning.
        density: ρ, mass per volume, likewise; None where the model has no inertia.
        solid: bool, False in voids.
        region: number of the region on top, 0 for the matrix, and names[region] its name.
    """

    young_modulus: np.ndarray
    poisson_ratio: np.ndarray
    toughness: np.ndarray
    solid: np.ndarray
    region: np.ndarray
    names: tuple[str, ...]
    density: np.ndarray | None = None

    @cached_property
    def shear(self) -> np.ndarray:
        """μ = E/(2(1 + ν)), pressure; 0 in voids."""
        return _frozen(self.young_modulus / (2.0 * (1.0 + self.poisson_ratio)))

    @cached_property
    def lame(self) -> np.ndarray:
        """λ = Eν/((1 + ν)(1 − 2ν)), pressure; 0 in voids."""
        nu = self.poisson_ratio
        return _frozen(self.young_modulus * nu / ((1.0 + nu) * (1.0 - 2.0 * nu)))

    @cached_property
    def uniform(self) -> Mapping[str, float]:
        """The properties that have one value in all solid cells, with that value: names of `LIMITS`."""
        found = {}
        for name in LIMITS:
            if getattr(self, name) is None:
                continue
            values = getattr(self, name)[self.solid]
            if (values == values[0]).all():
                found[name] = float(values[0])
        return found

    def fraction(self, name: str) -> float:
        """Share of the cells in which the region is on top; `matrix` for that of none."""
        return float((self.region == self.names.index(name)).mean())


def material_of(parameters: MaterialParameters, grid: Grid, folder: Path | str, place: str = "model") -> Material:
    """The material of a section on a grid.

    Args:
        folder: where relative file names start.
        place: key path of the section in messages.

    Raises:
        InputError: what does not fit the grid, unreadable files, values out of their limits, regions without a cell or with all
            of them, nothing solid left.
    """
    folder = Path(folder)
    known = [name for name in LIMITS if getattr(parameters, name, None) is not None]
    values = {name: np.empty(grid.shape) for name in known}
    solid, label = np.ones(grid.shape, bool), np.zeros(grid.shape, np.int32)
    for name, array in values.items():
        _paint(array, np.ones(grid.shape, bool), getattr(parameters, name), name, grid, folder, f"{place}.{name}")
    for number, region in enumerate(parameters.regions):
        where = f"{place}.regions.{number}"
        cells = region.cells(grid, folder, where)
        label[cells] = number + 1
        solid[cells] = not region.void
        for name in LIMITS:
            if (source := getattr(region, name)) is None:
                continue
            if name not in known:
                raise InputError(f"{where}.{name}: is for models with inertia; leave it out")
            _paint(values[name], cells, source, name, grid, folder, f"{where}.{name}")
    if not solid.any():
        raise InputError(f"{place}.regions: the voids leave nothing solid")
    values["young_modulus"][~solid] = 0.0
    arrays = {name: _frozen(array) for name, array in values.items()}
    names = ("matrix", *(region.name for region in parameters.regions))
    return Material(**arrays, solid=_frozen(solid), region=_frozen(label), names=names)


def _paint(array: np.ndarray, cells: np.ndarray, source: Any, name: str, grid: Grid, folder: Path, place: str) -> None:
    """Set some cells of one property from a number, a formula or a file."""
    if isinstance(source, FileData):
        given = source.read(name, grid, folder, f"{place}.file")
    elif isinstance(source, str):
        given = np.broadcast_to(formula_values(source, grid, place), grid.shape)
    else:
        given = np.broadcast_to(np.float64(source), grid.shape)
    low, high = LIMITS[name]
    wrong = cells & ~((low < given) & (given < high))
    if wrong.any():
        value, where = first_cell(wrong, given, grid)
        raise InputError(
            f"{place}: {limits_text(name)}; in {int(wrong.sum())} cells it is not, first {value:g} at {where}"
        )
    array[cells] = given[cells]


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
