"""What models of cracking bodies have in common: the material, the energy of cracks, the split, and what follows from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.fracture import CrackEnergy, Degradation, Dissipation, DissipationEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import Term
from phasefield.errors import InputError, unknown
from phasefield.mechanics.cracked_body import component_names
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.material import Material, material_of
from phasefield.mechanics.material_sections import MaterialSection
from phasefield.mechanics.splits import Split, make_split
from phasefield.models.base import Model, Strict
from phasefield.models.fracture_sections import SplitSection, SplitSetting
from phasefield.registry import lookup, names
from phasefield.spectral.grid import AXIS_NAMES

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


@dataclass(frozen=True)
class Bulk:
    """E, ν, Gc and, of models with inertia, ρ of the matrix: means, where they differ from place to place."""

    young_modulus: float
    poisson_ratio: float
    toughness: float
    density: float | None = None


def _check_name(kind: str, value: str) -> str:
    if value not in names(kind):
        raise PydanticCustomError("name", "{text}", {"text": str(unknown(kind, value, names(kind)))})
    return value


class CrackedParams(MaterialSection, Strict):
    """The material and its cracks."""

    dissipation: str = Field(default="AT1", description="AT1 (with an elastic limit) or AT2")
    length: PositiveFloat = Field(description="ℓ, the width of a crack; at least 2 cells, better 4")
    calibrate_toughness: bool = Field(
        default=False,
        description="divide Gc by what a crack along the grid costs, √(1 + h²/4ℓ²) or 1 + h²/32ℓ² (AT2, AT1)",
    )
    plane: Literal["strain", "stress"] = Field(
        default="strain", description="plane strain or plane stress, in two dimensions"
    )
    split: SplitSetting = Field(
        "none",
        description="what part of the elastic energy drives cracks: none, volumetric_deviatoric, spectral, …",
    )
    residual_stiffness: float = Field(
        default=1e-9, ge=0.0, lt=1.0, description="η, stiffness of broken material over that of intact"
    )
    irreversibility: str = Field(default="bounds", description="bounds (φ ≥ φₙ), history, crack_set or penalty")

    @field_validator("dissipation")
    @classmethod
    def _dissipation(cls, value: str) -> str:
        return _check_name("dissipation", value)

    @field_validator("irreversibility")
    @classmethod
    def _irreversibility(cls, value: str) -> str:
        return _check_name("irreversibility", value)

    @field_validator("split")
    @classmethod
    def _split(cls, value: str | SplitSection) -> str | SplitSection:
        _check_name("split", value if isinstance(value, str) else value.name)
        return value


class Cracked(Model):
    """Damage φ whose gradient costs energy; what the body around it does is left to the models."""

    parameters: Any

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The energy of cracks, where Gc is one number; that of strains depends on displacements, which are no field."""
        p, Gc = self.parameters, self.parameters.toughness
        if not isinstance(Gc, float) or any(region.toughness is not None or region.void for region in p.regions):
            raise InputError("model.toughness: differs from place to place; its energy needs a grid")
        model = self.dissipation
        local = DissipationEnergy(model.linear(Gc, p.length), model.quadratic(Gc, p.length))
        return local, GradientEnergy(model.gradient(Gc, p.length), "phi", "finite_difference")

    @property
    def laplacian(self) -> str:
        return "finite_difference"

    @cached_property
    def split_name(self) -> tuple[str, dict[str, float]]:
        """Name of the split and its parameters."""
        split = self.parameters.split
        if isinstance(split, str):
            return split, {}
        return split.name, {} if split.gamma is None else {"gamma": split.gamma}

    @property
    def variational(self) -> bool:
        """Whether displacements and damage minimise one energy."""
        own = lookup("split", self.split_name[0]).variational
        return own and lookup("irreversibility", self.parameters.irreversibility).variational

    @cached_property
    def dissipation(self) -> Dissipation:
        """AT1 or AT2."""
        return lookup("dissipation", self.parameters.dissipation)()

    def material(self, grid: Grid, folder: Path) -> Material:
        """E, ν and Gc of every cell, and where it is empty; Gc as the model uses it, calibrated where the scenario says so.

        Raises:
            InputError: regions that do not fit the grid, values that are not possible.
        """
        material = material_of(self.parameters, grid, folder)
        if not self.parameters.calibrate_toughness:
            return material
        factor = self.dissipation.numerical_toughness(self.parameters.length, max(grid.spacing))
        return replace(material, toughness=material.toughness / factor)

    def bulk(self, grid: Grid, folder: Path) -> Bulk:
        """The material outside all regions."""
        material = self.material(grid, folder)
        matrix = material.solid & (material.region == 0)
        chosen = matrix if matrix.any() else material.solid
        E, nu, Gc = (
            float(a[chosen].mean()) for a in (material.young_modulus, material.poisson_ratio, material.toughness)
        )
        return Bulk(E, nu, Gc, None if material.density is None else float(material.density[chosen].mean()))

    def solvers(self, grid: Grid, folder: Path, threads: int = 1) -> tuple[Split, DamageSolver, Material]:
        """The split of the body, the solver of its damage, and its material.

        Raises:
            InputError: what the grid and the material contradict, with the key path.
        """
        p = self.parameters
        if (reason := self.unsuited(grid)) is not None:
            raise InputError(f"grid: {reason}")
        material = self.material(grid, folder)
        toughness = material.uniform.get("toughness", material.toughness)
        try:
            solid = None if material.solid.all() else material.solid
            cracks = CrackEnergy(grid, toughness, p.length, p.dissipation, solid)
        except InputError as error:
            raise InputError(f"model.length: {error}") from None
        damage = DamageSolver(cracks, Degradation(p.residual_stiffness), p.irreversibility, threads=threads)
        name, parameters = self.split_name
        lame, shear = material.lame, material.shear
        if material.solid.all() and {"young_modulus", "poisson_ratio"} <= set(material.uniform):
            lame, shear = lame.flat[0], shear.flat[0]
        try:
            split = make_split(name, lame, shear, grid.dimensions, p.plane, **parameters)
        except InputError as error:
            raise InputError(f"model.split: {error}") from None
        return split, damage, material

    @abstractmethod
    def memory_bytes(self, grid: Grid) -> int:
        """About how many bytes the arrays of a run need."""

    def check_damage(self, phi: np.ndarray) -> None:
        """Refuse an initial φ that is no damage.

        Raises:
            InputError: it is not between 0 and 1.
        """
        if not (phi.min() >= 0.0 and phi.max() <= 1.0):
            raise InputError(f"initial.phi: damage lies between 0 and 1 (got {phi.min():g} … {phi.max():g})")

    def derived_names(self) -> tuple[str, ...]:
        d = self.dimensions
        displacements = [f"displacement_{name}" for name in AXIS_NAMES[:d]]
        return (*displacements, *component_names("strain", d), *component_names("stress", d), "driving_energy")

    def derived_fields(self, names: Sequence[str], state: Any, grid: Grid, time: float) -> dict[str, np.ndarray]:
        raise InputError("displacements and stresses are those of a run; they do not follow from the damage alone")
