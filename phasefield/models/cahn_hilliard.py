"""Cahn–Hilliard: phase separation of a conserved composition."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.free_energies import DoubleWell, FreeEnergy, FreeEnergyBase, check_variables
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import Term
from phasefield.models.base import Kinetics, Model, Strict, conserved
from phasefield.registry import register


@register("model", "cahn_hilliard")
class CahnHilliard(Model):
    """Conserved composition c with constant mobility.

    ∂c/∂t = ∇·M∇μ,  μ = f′(c) − κ∇²c,  F = ∫ [f(c) + κ/2 |∇c|²] dV.

    Source: J. W. Cahn, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1, eq. 14.
    """

    equation = "∂c/∂t = ∇·M∇(f′(c) − κ∇²c)"
    reference = "J. W. Cahn, On spinodal decomposition, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1"

    class Params(Strict):
        """Parameters of the Cahn–Hilliard model."""

        name: Literal["cahn_hilliard"]
        mobility: PositiveFloat = Field(1.0, description="M in ∂c/∂t = ∇·M∇μ")
        gradient_energy: PositiveFloat = Field(1.0, description="κ in κ/2 |∇c|²")
        free_energy: FreeEnergy = Field(
            DoubleWell(name="double_well"), description="f(c): a formula in c, or a named one"
        )
        laplacian: Literal["spectral", "finite_difference"] = Field(
            "spectral", description="discrete −∇²: k² or 4/h² sin²"
        )

        @field_validator("free_energy")
        @classmethod
        def _function_of_the_field(cls, value: FreeEnergyBase) -> FreeEnergyBase:
            return check_variables(value, ("c",))

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {"c": conserved(self.parameters.mobility)}

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        p = self.parameters
        bulk = BulkEnergy(p.free_energy.expression(("c",)), p.free_energy.parameter_values(), ("c",))
        return bulk, GradientEnergy(p.gradient_energy, "c", p.laplacian)
