"""Cahn–Hilliard: phase separation of a conserved composition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.elastic import ElasticEnergy
from phasefield.energy.free_energies import DoubleWell, FreeEnergy, FreeEnergyBase, check_variables
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import State, Term
from phasefield.mechanics.control import Control
from phasefield.mechanics.loading import Load, LoadSetting, TemperatureSetting
from phasefield.mechanics.stiffness import Stiffness, rotate
from phasefield.mechanics.transformation import StrainSetting, strain_tensor
from phasefield.models.base import Kinetics, Strict, conserved
from phasefield.models.mobility import Mobility, MobilityFormula, MobilitySetting, check_mobility
from phasefield.models.temperature import TemperatureModel
from phasefield.registry import register

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


class Misfit(Strict):
    """Strain ε* = ε⁰ c of a composition, in a body of one stiffness."""

    stiffness: Stiffness = Field(description="elastic constants: cubic, isotropic or voigt; orientation")
    strain: StrainSetting = Field(
        description="ε⁰ per unit of c: a number (the same in all directions), or a strain tensor"
    )
    load: LoadSetting = Field(
        default=Control(stress={}),
        description="prescribed mean strains and stresses: stress (free, default), strain, …",
    )

    def transformation(self) -> np.ndarray:
        """ε⁰ in the axes of the grid, (3, 3)."""
        tensor = strain_tensor(self.strain)
        return tensor if self.stiffness.orientation is None else rotate(tensor, self.stiffness.rotation())


@register("model", "cahn_hilliard")
class CahnHilliard(TemperatureModel):
    """Conserved composition c with a mobility M that is a number or a function M(c) ≥ 0.

    ∂c/∂t = ∇·M∇μ,  μ = f′(c; T) − κ∇²c,  F = ∫ [f(c; T) + κ/2 |∇c|²] dV.

    Source: J. W. Cahn, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1, eq. 14; M(c): J. Zhu, L.-Q. Chen, J. Shen,
    V. Tikare, Phys. Rev. E 60 (1999) 3564, doi:10.1103/PhysRevE.60.3564.
    """

    equation = "∂c/∂t = ∇·M∇(f′(c) − κ∇²c)"
    reference = "J. W. Cahn, On spinodal decomposition, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1"

    class Params(Strict):
        """Parameters of the Cahn–Hilliard model."""

        name: Literal["cahn_hilliard"]
        mobility: MobilitySetting = Field(1.0, description="M in ∂c/∂t = ∇·M∇μ: a number, or a formula in c")
        gradient_energy: PositiveFloat = Field(1.0, description="κ in κ/2 |∇c|²")
        temperature: TemperatureSetting | None = Field(
            None, description="T in kelvin: a number or pairs [time, T], for free energies that depend on temperature"
        )
        free_energy: FreeEnergy = Field(
            DoubleWell(name="double_well"), description="f(c): a formula in c, or a named one"
        )
        laplacian: Literal["spectral", "finite_difference"] = Field(
            "spectral", description="discrete −∇²: k² or 4/h² sin²"
        )
        thermal_energy: NonNegativeFloat = Field(
            0.0,
            description="kT of thermal noise, in units of F; needs a fixed step and scheme imex1, etdrk2 or etdrk4",
        )
        noise_correction: bool = Field(
            True,
            description="whether the noise has the variance with which the scheme keeps ⟨|φ̂_k|²⟩ = kT/(V(f″+κk̃²)) at any step",
        )

        misfit: Misfit | None = Field(
            None, description="elastic misfit: stiffness, and the strain that composition brings about (Vegard's law)"
        )

        @field_validator("mobility")
        @classmethod
        def _mobility_of_the_field(cls, value: float | MobilityFormula) -> float | MobilityFormula:
            return check_mobility(value, "c")

        @field_validator("free_energy")
        @classmethod
        def _function_of_the_field(cls, value: FreeEnergyBase, info: ValidationInfo) -> FreeEnergyBase:
            if "temperature" not in info.data:
                return value
            history = info.data["temperature"]
            return check_variables(value, ("c",), None if history is None else [T for _, T in history])

        @field_validator("laplacian")
        @classmethod
        def _has_a_gradient(cls, value: str, info: ValidationInfo) -> str:
            # ∇·M∇ needs first derivatives, whose product is −k²; a three-point stencil is no such product.
            if value != "spectral" and isinstance(info.data.get("mobility"), MobilityFormula):
                raise PydanticCustomError("laplacian", "a mobility that depends on c needs laplacian: spectral")
            return value

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        # No number describes M(c): `kinetics_at` knows it at a state, and whoever uses it without one gets nan.
        M = self.parameters.mobility
        return {"c": conserved(math.nan if isinstance(M, MobilityFormula) else M)}

    @cached_property
    def variable_mobility(self) -> Mobility | None:
        M = self.parameters.mobility
        return M.of("c") if isinstance(M, MobilityFormula) else None

    def kinetics_at(self, base: Mapping[str, float]) -> dict[str, Kinetics]:
        if self.variable_mobility is None:
            return self.fields
        return {"c": conserved(float(self.variable_mobility.at(base["c"])))}

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return self.terms_at(0.0)

    @cached_property
    def coupling(self) -> ElasticEnergy | None:
        misfit = self.parameters.misfit
        if misfit is None:
            return None
        load = Load(misfit.load, self.dimensions)
        return ElasticEnergy(misfit.stiffness.tensor(), misfit.transformation()[None], ("c",), load)

    def terms_at(self, time: float) -> tuple[Term, ...]:
        p = self.parameters
        values = p.free_energy.parameter_values(self.temperature(time))
        bulk = BulkEnergy(p.free_energy.expression(("c",)), values, ("c",))
        gradient = GradientEnergy(p.gradient_energy, "c", p.laplacian)
        return (bulk, gradient) if self.coupling is None else (bulk, gradient, self.coupling.at(time))

    def parameters_at(self, time: float) -> dict[str, float]:
        return self.parameters.free_energy.parameter_values(self.temperature(time)) if self.changing else {}

    @property
    def load_corners(self) -> tuple[float, ...]:
        return () if self.coupling is None else self.coupling.load.corners

    def derived_names(self) -> tuple[str, ...]:
        return (*super().derived_names(), *(() if self.coupling is None else self.coupling.derived_names()))

    def derived_fields(self, names: Sequence[str], state: State, grid: Grid, time: float) -> dict[str, np.ndarray]:
        result = super().derived_fields(names, state, grid, time)
        return result if self.coupling is None else result | self.coupling.at(time).derived_fields(names, state, grid)

    def record_names(self) -> tuple[str, ...]:
        return (*super().record_names(), *(() if self.coupling is None else self.coupling.record_names()))

    def records(self, time: float, means: np.ndarray, phase: int = 0) -> dict[str, float]:
        result = super().records(time, means, phase)
        return result if self.coupling is None else result | self.coupling.records(time, means, phase)
