"""What a scenario says of the material of a body: elastic constants, toughness, and regions that differ.

```yaml
young_modulus: 210.0
poisson_ratio: 0.3
toughness: 2.7e-3*(1 + 0.5*sin(2*pi*y/Ly))     # a number, a formula or {file: …}
regions:                                       # later ones lie over earlier ones
  - name: fibres
    shapes: [{disc: {centre: [0.3, 0.4], radius: 0.05}}]
    young_modulus: 800.0
  - name: pores
    random: {shape: disc, radius: [0.01, 0.03], fraction: 0.1, gap: 0.01, seed: 3}
    void: true
```
What they are on a grid: `material`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, field_validator, model_validator

from phasefield.errors import InputError
from phasefield.initial.base import NonNegative, Number, Spec
from phasefield.initial.files import FileData
from phasefield.initial.formulas import checked_formula, formula_values
from phasefield.initial.placement import MOST_BODIES, Balls, place_balls, random_radii
from phasefield.initial.shapes import Bodies, covered
from phasefield.mechanics.stiffness import Section, complaint
from phasefield.spectral.grid import Grid

# What each property lies between, exclusively.
LIMITS: dict[str, tuple[float, float]] = {
    "young_modulus": (0.0, math.inf),
    "poisson_ratio": (-1.0, 0.5),
    "toughness": (0.0, math.inf),
    "density": (0.0, math.inf),
}
_WHERE = ("shapes", "image", "expression", "random")


def limits_text(name: str) -> str:
    """The clause of messages: what a property must be."""
    low, high = LIMITS[name]
    return f"must be greater than {low:g}" if math.isinf(high) else f"must be between {low:g} and {high:g}"


def _read_property(name: str) -> WrapValidator:
    """Reads a number within its limits, a formula, or the section of a file."""
    low, high = LIMITS[name]

    def read(value: Any, handler: ValidatorFunctionWrapHandler) -> float | str | FileData:
        if isinstance(value, FileData):
            return value
        if isinstance(value, str):
            return checked_formula(value, "formula")
        if isinstance(value, Mapping):
            return FileData.model_validate(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise complaint("property", "must be a number, a formula in x, y, z or {file: …}")
        if not low < value < high:
            raise complaint("limits", limits_text(name))
        return float(value)

    return WrapValidator(read)


_Form = Number | str | FileData
YoungModulus = Annotated[_Form, _read_property("young_modulus")]
PoissonRatio = Annotated[_Form, _read_property("poisson_ratio")]
Toughness = Annotated[_Form, _read_property("toughness")]
Density = Annotated[_Form, _read_property("density")]
Interval = Annotated[tuple[Number, ...], Field(min_length=2, max_length=2)]


class ImageSection(FileData):
    """Cells by the values of a file: a picture (0 black, 1 white) or numbers."""

    above: Number | None = Field(None, description="cells with a value greater than this")
    below: Number | None = Field(None, description="cells with a value less than this")
    between: Interval | None = Field(None, description="[a, b]: cells with a value from a to b, both included")

    @model_validator(mode="after")
    def _one_rule(self) -> ImageSection:
        given = [name for name in ("above", "below", "between") if getattr(self, name) is not None]
        if len(given) != 1:
            raise complaint(
                "rule", f"needs exactly one of above, below and between (got {' and '.join(given) or 'none'})"
            )
        if self.between is not None and not self.between[0] <= self.between[1]:
            raise complaint("order", "the first number of between is greater than the second")
        return self

    def cells(self, name: str, grid: Grid, folder: Path, place: str) -> np.ndarray:
        values = self.read(name, grid, folder, f"{place}.file")
        if np.isnan(values).any():
            raise InputError(f"{place}.file: {int(np.isnan(values).sum())} values are not numbers")
        if self.above is not None:
            return values > self.above
        if self.below is not None:
            return values < self.below
        low, high = self.between or (0.0, 0.0)
        return (low <= values) & (values <= high)


def _read_radius(value: Any, handler: ValidatorFunctionWrapHandler) -> float | tuple[float, float]:
    both: tuple[Any, ...] = tuple(value) if isinstance(value, list | tuple) and len(value) == 2 else (value, value)
    if not all(isinstance(r, int | float) and not isinstance(r, bool) and 0.0 < r < math.inf for r in both):
        raise complaint("radius", "must be a number greater than 0, or two of them, [smallest, largest]")
    small, large = both
    if small > large:
        raise complaint("order", "the first radius is greater than the second")
    return float(small) if both[0] is value else (float(small), float(large))


class RandomSection(Spec):
    """Discs or spheres at random places, without overlap; see `initial.placement`."""

    shape: Literal["disc", "sphere"] = Field(description="disc in the plane, sphere in space")
    radius: Annotated[float | tuple[float, float], WrapValidator(_read_radius)] = Field(
        description="radius, or [smallest, largest] of radii uniform between the two"
    )
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = Field(
        None, description="share of the box in bodies: as many as come nearest to it"
    )
    count: Annotated[int, Field(strict=True, ge=1, le=MOST_BODIES)] | None = Field(None, description="how many bodies")
    gap: NonNegative = Field(0.0, description="least distance between bodies, and from faces that are not periodic")
    seed: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="of the random places")

    @model_validator(mode="after")
    def _how_many(self) -> RandomSection:
        if (self.fraction is None) == (self.count is None):
            raise complaint("number", "needs either fraction or count")
        return self

    def cells(self, name: str, grid: Grid, place: str) -> np.ndarray:
        dimensions = {"disc": 2, "sphere": 3}[self.shape]
        if grid.dimensions != dimensions:
            raise InputError(
                f"{place}.shape: a {self.shape} needs a {dimensions}-dimensional grid, this one has {grid.dimensions}"
            )
        radius = self.radius if isinstance(self.radius, tuple) else (self.radius, self.radius)
        stream = f"region:{name}"
        return _placed(grid, radius, self.fraction, self.count, self.gap, self.seed, stream, place).cells(grid)


@lru_cache(maxsize=8)
def _placed(
    grid: Grid,
    radius: tuple[float, float],
    fraction: float | None,
    count: int | None,
    gap: float,
    seed: int,
    stream: str,
    place: str,
) -> Balls:
    """Kept: dense packings take seconds, and a run, its checks and its pictures each make their own material."""
    radii = random_radii(*radius, fraction, count, grid, seed, stream, place)
    return place_balls(grid, radii, gap, seed, stream, place)


class Region(Spec):
    """A part of the body of another material, or empty: where it lies, and what differs there.

    What it does not name stays as it is beneath.
    """

    name: str = Field(min_length=1, description="name in pictures and tables; random places depend on it too")
    shapes: Bodies | None = Field(None, description="bodies with sharp edges", json_schema_extra={"minItems": 1})
    image: ImageSection | None = Field(None, description="cells chosen by a picture or a file of numbers")
    expression: str | None = Field(None, description="cells where this formula in x, y, z is greater than 0")
    random: RandomSection | None = Field(None, description="discs or spheres at random places")
    young_modulus: YoungModulus | None = Field(None, description="E, pressure")
    poisson_ratio: PoissonRatio | None = Field(None, description="ν, between −1 and 0.5")
    toughness: Toughness | None = Field(None, description="Gc, energy per area of a crack")
    density: Density | None = Field(None, description="ρ, mass per volume, of models with inertia")
    void: Annotated[bool, Field(strict=True)] = Field(False, description="true: empty, no stiffness and no cracks")

    @field_validator("expression")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        return text if text is None else checked_formula(text)

    @model_validator(mode="after")
    def _complete(self) -> Region:
        given = [name for name in _WHERE if getattr(self, name) is not None]
        if len(given) != 1:
            choice = f"{', '.join(_WHERE[:-1])} or {_WHERE[-1]}"
            raise complaint("where", f"a region needs exactly one of {choice} (got {' and '.join(given) or 'none'})")
        differing = [name for name in LIMITS if getattr(self, name) is not None]
        if self.void and differing:
            raise complaint("void", f"a void has no {differing[0]}")
        if not self.void and not differing:
            raise complaint("nothing", f"a region needs one of {', '.join(LIMITS)}, or void: true")
        return self

    def cells(self, grid: Grid, folder: Path, place: str) -> np.ndarray:
        """True for the cells of the region, shape `grid.shape`.

        Raises:
            InputError: what does not fit the grid, unreadable files, no cell or all of them; `place` is the key path.
        """
        cells = np.broadcast_to(self._cells(grid, folder, place), grid.shape)
        if not cells.any():
            raise InputError(f"{place}: the region '{self.name}' covers no cell")
        if cells.all():
            raise InputError(f"{place}: the region '{self.name}' covers every cell: nothing is left of the matrix")
        return cells

    def _cells(self, grid: Grid, folder: Path, place: str) -> np.ndarray:
        if self.shapes is not None:
            return covered(self.shapes, grid, f"{place}.shapes")
        if self.image is not None:
            return self.image.cells(self.name, grid, folder, f"{place}.image")
        if self.random is not None:
            return self.random.cells(self.name, grid, f"{place}.random")
        values = formula_values(self.expression or "", grid, f"{place}.expression")
        if np.isnan(values).any():
            raise InputError(f"{place}.expression: is not a number in {int(np.isnan(values).sum())} cells")
        return values > 0.0


class MaterialSection(Section):
    """Elastic constants and toughness of the matrix, and regions that differ; a model's section may inherit these keys."""

    young_modulus: YoungModulus = Field(description="E, pressure: a number, a formula in x, y, z or {file: …}")
    poisson_ratio: PoissonRatio = Field(description="ν, between −1 and 0.5: in the same forms")
    toughness: Toughness = Field(description="Gc, energy per area of a crack: in the same forms")
    regions: list[Region] = Field(
        default=[], description="parts of another material, or empty; later ones lie over earlier ones"
    )

    @field_validator("regions")
    @classmethod
    def _names_differ(cls, regions: list[Region]) -> list[Region]:
        names = [region.name for region in regions]
        if twice := [name for number, name in enumerate(names) if name in names[:number]]:
            raise complaint("twice", f"two regions have the name '{twice[0]}'")
        return regions
