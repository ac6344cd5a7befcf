"""Allen–Cahn: relaxation of a non-conserved order parameter."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.free_energies import DoubleWell, FreeEnergy, FreeEnergyBase, check_variables
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import Term
from phasefield.models.base import Kinetics, Model, Strict, non_conserved
from phasefield.registry import register


@register("model", "allen_cahn")
class AllenCahn(Model):
    """Non-conserved order parameter φ.

    ∂φ/∂t = −L (f′(φ) − κ∇²φ),  F = ∫ [f(φ) + κ/2 |∇φ|²] dV.

    Source: S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979) 1085, doi:10.1016/0001-6160(79)90196-2, eq. 11.
    """

    equation = "∂φ/∂t = −L (f′(φ) − κ∇²φ)"
    reference = (
        "S. M. Allen, J. W. Cahn, A microscopic theory for antiphase boundary motion, Acta Metall. 27 (1979) 1085, "
        "doi:10.1016/0001-6160(79)90196-2"
    )

    class Params(Strict):
        """Parameters of the Allen–Cahn model."""

        name: Literal["allen_cahn"]
        mobility: PositiveFloat = Field(1.0, description="L in ∂φ/∂t = −L δF/δφ")
        gradient_energy: PositiveFloat = Field(1.0, description="κ in κ/2 |∇φ|²")
        free_energy: FreeEnergy = Field(
            DoubleWell(name="double_well"), description="f(phi): a formula in phi, or a named one"
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

        @field_validator("free_energy")
        @classmethod
        def _function_of_the_field(cls, value: FreeEnergyBase) -> FreeEnergyBase:
            return check_variables(value, ("phi",))

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {"phi": non_conserved(self.parameters.mobility)}

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        p = self.parameters
        bulk = BulkEnergy(p.free_energy.expression(("phi",)), p.free_energy.parameter_values(), ("phi",))
        return bulk, GradientEnergy(p.gradient_energy, "phi", p.laplacian)
