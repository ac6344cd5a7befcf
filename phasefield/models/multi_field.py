"""Several conserved and non-conserved fields, coupled by one free energy that the scenario writes."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.free_energies import FreeEnergy, FreeEnergyBase, check_variables
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import Term
from phasefield.errors import InputError, did_you_mean
from phasefield.kernels.expressions import check_name
from phasefield.models.base import Kinetics, Model, Strict, conserved, non_conserved
from phasefield.registry import register

MAX_FIELDS = 24
KINETICS = {"conserved": conserved, "non_conserved": non_conserved}
# What a file of fields calls something else, and how names of derived fields begin.
TAKEN = {"time", "step", "x", "y", "z", "VTKHDF", "history", "spectrum", "growth", "verification", "provenance"}
TAKEN_BEGINNINGS = ("potential_", "component")


class FieldSection(Strict):
    """One field: how it moves, and what its edges cost."""

    kinetics: str = Field(description="conserved: ∂φ/∂t = ∇·M∇δF/δφ; non_conserved: ∂φ/∂t = −L δF/δφ")
    mobility: PositiveFloat = Field(1.0, description="M or L")
    gradient_energy: PositiveFloat = Field(1.0, description="κ in κ/2 |∇φ|²")

    @field_validator("kinetics")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in KINETICS:
            text = f"unknown kinetics '{value}'; {did_you_mean(value, KINETICS)}"
            raise PydanticCustomError("kinetics", "{message}", {"message": text})
        return value


@register("model", "multi_field")
class MultiField(Model):
    """Fields φ_p, each conserved or not, with a free energy in all of them.

    ∂φ_p/∂t = ∇·M_p∇μ_p  or  −L_p μ_p,   μ_p = ∂f/∂φ_p − κ_p∇²φ_p,   F = ∫ [f(φ₁, φ₂, …) + Σ κ_p/2 |∇φ_p|²] dV.

    Source: L.-Q. Chen, Annu. Rev. Mater. Res. 32 (2002) 113, doi:10.1146/annurev.matsci.32.112001.132041, eqs 1–3.
    """

    equation = "∂φ_p/∂t = ∇·M_p∇μ_p or −L_p μ_p, μ_p = ∂f/∂φ_p − κ_p∇²φ_p"
    reference = (
        "L.-Q. Chen, Phase-field models for microstructure evolution, Annu. Rev. Mater. Res. 32 (2002) 113, "
        "doi:10.1146/annurev.matsci.32.112001.132041"
    )

    example: ClassVar[dict[str, Any]] = {
        "fields": {
            "c": {"kinetics": "conserved", "mobility": 1.0, "gradient_energy": 1.0},
            "eta": {"kinetics": "non_conserved", "mobility": 1.0, "gradient_energy": 2.0},
        },
        "free_energy": {
            "formula": "0.5*(c - h)**2 + W*eta**2*(1 - eta)**2",
            "parameters": {"W": 2.0},
            "definitions": {"h": "eta**2*(3 - 2*eta)"},
        },
    }

    # On top of the barrier, c = h: an unstable state.
    example_means: ClassVar[dict[str, float]] = {"c": 0.5, "eta": 0.5}

    class Params(Strict):
        """Parameters of the model of several fields."""

        name: Literal["multi_field"]
        fields: Annotated[dict[str, FieldSection], Field(min_length=1, max_length=MAX_FIELDS)] = Field(
            description="kinetics, mobility and gradient_energy of every field, by name"
        )
        free_energy: FreeEnergy = Field(description="f: a formula in all fields, with parameters and definitions")
        laplacian: Literal["spectral", "finite_difference"] = Field(
            "spectral", description="discrete −∇²: k² or 4/h² sin²"
        )

        @field_validator("fields")
        @classmethod
        def _usable_names(cls, fields: dict[str, FieldSection]) -> dict[str, FieldSection]:
            for name in fields:
                try:
                    check_name(name, "field")
                except InputError as error:
                    raise PydanticCustomError("name", "{message}", {"message": str(error)}) from None
                if name in TAKEN or name.startswith(TAKEN_BEGINNINGS):
                    text = f"'{name}' stands for something else in the files of a run; choose another name"
                    raise PydanticCustomError("name", "{message}", {"message": text})
            return fields

        @field_validator("free_energy")
        @classmethod
        def _function_of_the_fields(cls, value: FreeEnergyBase, info: ValidationInfo) -> FreeEnergyBase:
            return check_variables(value, tuple(info.data["fields"])) if "fields" in info.data else value

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {name: KINETICS[field.kinetics](field.mobility) for name, field in self.parameters.fields.items()}

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        p, names = self.parameters, tuple(self.parameters.fields)
        bulk = BulkEnergy(p.free_energy.expression(names), p.free_energy.parameter_values(), names)
        return bulk, *(GradientEnergy(f.gradient_energy, name, p.laplacian) for name, f in p.fields.items())
