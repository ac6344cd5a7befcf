"""Martensite: order parameters of variants, Landau polynomial, and the long-range elasticity of their misfit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.elastic import ElasticEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.inhomogeneity import Inhomogeneity, first_indefinite, make_body
from phasefield.energy.landau_martensite import Coupling as StrainFunction
from phasefield.energy.landau_martensite import CouplingFunction, Landau24, Landau234
from phasefield.energy.term import State, Term
from phasefield.energy.transforming import TransformingEnergy
from phasefield.kernels.expressions import parse
from phasefield.mechanics.control import Control
from phasefield.mechanics.loading import Load, LoadSetting
from phasefield.mechanics.stiffness import COMPONENTS, Stiffness
from phasefield.mechanics.transformation import TransformationStrains
from phasefield.models.base import ExplicitForce, Kinetics, Variants, non_conserved
from phasefield.models.landau import LandauModel, LandauParams
from phasefield.registry import register

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid

SHIFT = "transformation_shift"
REGION = "region"
EIGENSTRAIN = tuple(f"eigenstrain_{c}" for c in COMPONENTS)


@register("model", "martensite")
class Martensite(LandauModel):
    """Variants p = 1 … N of a martensite, each with an order parameter η_p and a transformation strain ε⁰_p.

    ∂η_p/∂t = −L (∂f/∂η_p − κ∇²η_p − σ:ε⁰_p),  F = ∫ [f(η; T) + κ/2 Σ|∇η_p|²] dV + F_el[Σ ε⁰_p η_p].

    With a nonlinear `coupling` h the strain is Σ ε⁰_p h(η_p) and the driving force σ:ε⁰_p h′(η_p); with an `inhomogeneity` the
    stiffness follows variants and a region of another material (`energy.transforming`). Elasticity is then treated explicitly.

    With one transformation strain and an even polynomial (`landau_246`, `landau_24`), η and −η are the two variants.

    Source: A. Artemev, Y. Jin, A. G. Khachaturyan, Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0, eqs 1–6.
    """

    equation = "∂η_p/∂t = −L (∂f/∂η_p − κ∇²η_p − σ:ε⁰_p)"
    reference = (
        "A. Artemev, Y. Jin, A. G. Khachaturyan, Three-dimensional phase field model of proper martensitic transformation, "
        "Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0"
    )

    example: ClassVar[dict[str, Any]] = {
        "gradient_energy": 2.0,
        "landau": {"name": "landau_246", "a": -0.25, "b": 1.0, "c": 1.0},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": {"strains": [[[1.0, 0.0], [0.0, -1.0]]], "scale": 2.0},
        "load": "strain",
    }

    class Params(LandauParams):
        """Parameters of the martensite model."""

        name: Literal["martensite"]
        mobility: PositiveFloat = Field(1.0, description="L in ∂η/∂t = −L δF/δη")
        gradient_energy: PositiveFloat = Field(1.0, description="κ in κ/2 |∇η|²")
        stiffness: Stiffness = Field(description="elastic constants: cubic, isotropic or voigt; orientation")
        transformation: TransformationStrains = Field(description="ε⁰ of every variant: strains, or generate")
        coupling: CouplingFunction = Field(
            default=StrainFunction(), description="h(η) in ε* = Σ ε⁰_p h(η_p): linear, quadratic, or levitas"
        )
        inhomogeneity: Inhomogeneity | None = Field(
            None,
            description="stiffness of variants and of a region of another material, where it is not that of austenite",
        )
        load: LoadSetting = Field(
            default=Control(strain={}),
            description="prescribed mean strains and stresses: strain (clamped, default), stress (free), values, or phases",
        )
        thermal_energy: NonNegativeFloat = Field(
            0.0, description="kT of Langevin noise, in units of the energy; needs scheme imex1 and a fixed step"
        )
        laplacian: Literal["spectral", "finite_difference"] = Field(
            "spectral", description="discrete −∇²: k² or 4/h² sin²"
        )

        @field_validator("transformation")
        @classmethod
        def _one_for_landau_24(cls, value: TransformationStrains, info: ValidationInfo) -> TransformationStrains:
            landau = info.data.get("landau")
            count = len(value.variants())
            if landau is not None and isinstance(landau, Landau24) and count != 1:
                raise PydanticCustomError(
                    "variants", "landau_24 has one order parameter, there are {count} strains", {"count": count}
                )
            return value

        @field_validator("inhomogeneity")
        @classmethod
        def _of_these_variants(cls, value: Inhomogeneity | None, info: ValidationInfo) -> Inhomogeneity | None:
            known = info.data
            if value is None or not known.keys() >= {
                "landau",
                "temperature",
                "stiffness",
                "transformation",
                "coupling",
            }:
                return value
            signed = not isinstance(known["landau"], Landau234)
            body = make_body(known["stiffness"], known["transformation"], known["coupling"], value, signed)
            for T in [v for _, v in known["temperature"] or [(0.0, None)]]:
                low, high = known["landau"].range(T)
                if wrong := first_indefinite(body, low, high):
                    p, eta = wrong
                    text = f"the stiffness of variant {p + 1} is not positive definite at η = {eta:.3g}; interpolate otherwise"
                    raise PydanticCustomError("definite", "{message}", {"message": text})
            return value

    def fixed_names(self) -> tuple[str, ...]:
        return (SHIFT, *EIGENSTRAIN, *self.fixed_needed())

    def fixed_needed(self) -> tuple[str, ...]:
        section = self.parameters.inhomogeneity
        return () if section is None or section.region is None else (REGION,)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """eta, or eta_1, eta_2, …"""
        count = len(self.strains)
        return ("eta",) if count == 1 else tuple(f"eta_{p + 1}" for p in range(count))

    @cached_property
    def strains(self) -> np.ndarray:
        """ε⁰_p in the axes of the grid, (N, 3, 3)."""
        p = self.parameters
        return p.transformation.variants(None if p.stiffness.orientation is None else p.stiffness.rotation())

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {name: non_conserved(self.parameters.mobility) for name in self.names}

    @cached_property
    def elastic(self) -> ElasticEnergy | TransformingEnergy:
        """The elastic term: with a linear coupling and one stiffness it is a matrix symbol, which couples the fields."""
        p = self.parameters
        load, stiffness = Load(p.load, self.dimensions), p.stiffness.tensor()
        if p.coupling.linear and p.inhomogeneity is None:
            return ElasticEnergy(stiffness, self.strains, self.names, load)
        scheme = "fourier" if p.inhomogeneity is None else p.inhomogeneity.discretisation
        signed = not isinstance(p.landau, Landau234)
        body = make_body(p.stiffness, p.transformation, p.coupling, p.inhomogeneity, signed)
        return TransformingEnergy(body, self.names, load, scheme)

    @property
    def coupling(self) -> ElasticEnergy | None:
        return self.elastic if isinstance(self.elastic, ElasticEnergy) else None

    def explicit_force(self, grid: Grid, fixed: Mapping[str, np.ndarray], threads: int = 1) -> ExplicitForce | None:
        return (
            self.elastic.force(grid, fixed, threads=threads) if isinstance(self.elastic, TransformingEnergy) else None
        )

    @property
    def explicit(self) -> bool:
        return isinstance(self.elastic, TransformingEnergy)

    def explicit_bytes(self, grid: Grid) -> int:
        return self.elastic.bytes_needed(grid) if isinstance(self.elastic, TransformingEnergy) else 0

    def load_at(self, time: float, within: float) -> np.ndarray:
        load, phase = self.elastic.load, self.elastic.load.phase(within)
        return (
            np.array([*load.controlled_in(phase), *load.values(time, phase)])
            if self.explicit
            else super().load_at(time, within)
        )

    @property
    def variants(self) -> Variants:
        landau = self.parameters.landau

        def well(time: float) -> float:
            # Where only a load keeps martensite there is no well: the polynomial's range says how far η gets.
            temperature = self.temperature(time)
            return landau.well(temperature) or landau.range(temperature)[1]

        parent = "" if landau.name == "landau_24" else "austenite"
        return Variants(self.names, self.strains, well, landau.name != "landau_234", parent)

    def terms_at(self, time: float) -> tuple[Term, ...]:
        p = self.parameters
        gradient = [GradientEnergy(p.gradient_energy, name, p.laplacian) for name in self.names]
        return self._bulk(time), *gradient, self.elastic.at(time)

    def _bulk(self, time: float) -> BulkEnergy:
        landau = self.parameters.landau
        shifted = SHIFT in self.fixed
        expression = landau.expression(self.names, shift=SHIFT if shifted else None)
        forces = self._forces
        if forces:
            # A fixed eigenstrain pulls on every variant: a term −force_p(x) η_p with given forces.
            text = " ".join(f"- {force}*{name}" for force, name in zip(forces, self.names, strict=True))
            variables = (*expression.variables, *forces)
            expression = parse(f"{expression.text} {text}", variables=variables, parameters=expression.parameters)
        values = landau.parameter_values(self.temperature(time))
        return BulkEnergy(expression, values, self.names, self.frozen)

    # --- what does not move, and what changes with time ---------------------------------------------------------

    @property
    def _forces(self) -> tuple[str, ...]:
        linear = isinstance(self.elastic, ElasticEnergy)
        return tuple(f"force_{name}" for name in self.names) if linear and self.fixed & set(EIGENSTRAIN) else ()

    @property
    def frozen(self) -> tuple[str, ...]:
        return (*((SHIFT,) if SHIFT in self.fixed else ()), *self._forces)

    def frozen_fields(self, grid: Grid, fixed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        result = {SHIFT: fixed[SHIFT]} if SHIFT in self.fixed else {}
        if REGION in fixed:
            result[REGION] = fixed[REGION]
        if self.fixed & set(EIGENSTRAIN):
            zero = np.zeros(grid.shape)
            components = np.stack([fixed.get(name, zero) for name in EIGENSTRAIN])
            if isinstance(self.elastic, TransformingEnergy):
                return result | {"eigenstrain": components}
            force = self.elastic.force_of_fixed(grid, components)
            assert force is not None
            result |= dict(zip(self._forces, force, strict=True))
        return result

    @property
    def load_corners(self) -> tuple[float, ...]:
        return self.elastic.load.corners

    def derived_names(self) -> tuple[str, ...]:
        return (*super().derived_names(), *self.elastic.derived_names(), "variant")

    def derived_fields(self, names: Sequence[str], state: State, grid: Grid, time: float) -> dict[str, np.ndarray]:
        """Also `variant`: p where η_p is the largest and above half its well, 0 in austenite; of one field the sign of η."""
        result = super().derived_fields(names, state, grid, time)
        result |= self.elastic.at(time).derived_fields(names, state, grid)
        if "variant" in names:
            u = np.stack([state[name] for name in self.names])
            half = 0.5 * (self.parameters.landau.well(self.temperature(time)) or np.inf)
            signed = np.sign(u[0]) * (np.abs(u[0]) > half)
            result["variant"] = signed if len(u) == 1 else np.where(u.max(axis=0) > half, 1.0 + u.argmax(axis=0), 0.0)
        return result

    def record_names(self) -> tuple[str, ...]:
        return (*super().record_names(), *self.elastic.record_names())

    def records(self, time: float, means: np.ndarray, phase: int = 0) -> dict[str, float]:
        result = super().records(time, means, phase)
        return result | (self.elastic.records(time, means, phase) if isinstance(self.elastic, ElasticEnergy) else {})
