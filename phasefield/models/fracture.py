"""Fracture: cracks as a damage field whose gradient costs energy, in bodies that deform elastically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.fracture import CrackEnergy, Degradation, Dissipation, DissipationEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.term import Term
from phasefield.errors import InputError, unknown
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.control import ControlSetting
from phasefield.mechanics.crack_loading import CrackLoad, CrackLoadSetting
from phasefield.mechanics.cracked_body import CrackedBody, FacedBody, PeriodicBody, component_names
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.material import Material, material_of
from phasefield.mechanics.material_sections import MaterialSection
from phasefield.mechanics.splits import make_split
from phasefield.mechanics.stiffness import COMPONENTS, IN_PLANE
from phasefield.models.base import Kinetics, Model, Strict, non_conserved
from phasefield.models.fracture_sections import Minimisation, SplitSection, SplitSetting, Stop, Support
from phasefield.registry import lookup, names, register
from phasefield.spectral.grid import AXIS_NAMES

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


@dataclass(frozen=True)
class Bulk:
    """E, ν and Gc of the matrix: means, where they differ from place to place."""

    young_modulus: float
    poisson_ratio: float
    toughness: float


def _check_name(kind: str, value: str) -> str:
    if value not in names(kind):
        raise PydanticCustomError("name", "{text}", {"text": str(unknown(kind, value, names(kind)))})
    return value


@register("model", "fracture")
class Fracture(Model):
    """Cracks as damage φ, 0 where the body is whole and 1 where it is broken, in equilibrium or with a viscosity.

    E(u, φ) = ∫ g(φ)ψ⁺(ε) + ψ⁻(ε) + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV,  g = (1 − η)(1 − φ)² + η,

    is stationary in u and minimal in φ ≥ φₙ at every load, or τ ∂φ/∂t = −δE/δφ. AT1: c₁ = 3Gc/(8ℓ), κ = ¾Gcℓ; AT2: c₂ = Gc/ℓ,
    κ = Gcℓ.

    Source: B. Bourdin, G. A. Francfort, J.-J. Marigo, J. Mech. Phys. Solids 48 (2000) 797, doi:10.1016/S0022-5096(99)00028-9.
    """

    equation = "min over φ ≥ φₙ of ∫ gψ⁺ + ψ⁻ + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV, div σ = 0"
    reference = (
        "B. Bourdin, G. A. Francfort, J.-J. Marigo, Numerical experiments in revisited brittle fracture, J. Mech. Phys. Solids "
        "48 (2000) 797, doi:10.1016/S0022-5096(99)00028-9"
    )
    evolution = "crack_growth"
    history_every_step = True

    example: ClassVar[dict[str, Any]] = {
        "length": 4.0,
        "young_modulus": 1000.0,
        "poisson_ratio": 0.3,
        "toughness": 1.0,
        "mean": {"strain": {"yy": 1.0}, "stress": {"xx": 0.0}},
        "load": [[0.0, 0.0], [100.0, 0.008]],
    }

    class Params(MaterialSection, Strict):
        """Parameters of fracture."""

        name: Literal["fracture"]
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
        viscosity: PositiveFloat | None = Field(
            default=None, description="τ in τ ∂φ/∂t = −δE/δφ; equilibrium at every step when absent"
        )
        faces: dict[Literal["x", "y", "z"], Any] | None = Field(
            None,
            description="what is prescribed on faces: clamped, sliding, free, displacement, traction; needs no_flux axes",
        )
        supports: list[Support] = Field(default=[], description="displacements of nodes in parts of a body with faces")
        mean: ControlSetting | None = Field(
            default=None, description="mean strains and stresses of a periodic cell at load factor 1"
        )
        load: CrackLoadSetting = Field(
            description="the load factor: pairs [time, factor], or phases {until, factor} and {until, dissipation}"
        )
        stop: Stop | None = Field(default=None, description="when the run ends before its time")
        minimisation: Minimisation = Field(
            default=Minimisation(), description="alternate minimisation: how displacements and damage are made to fit"
        )
        elastic_scheme: Literal["rotated", "fourier"] = Field(
            default="rotated", description="strains of a periodic cell"
        )

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

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {"phi": non_conserved(1.0 / (self.damage_viscosity or 1.0))}

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

    @property
    def damage_viscosity(self) -> float | None:
        """τ of damage that takes time; None in equilibrium."""
        return self.parameters.viscosity

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
    def load(self) -> CrackLoad:
        """The load at any time."""
        return CrackLoad(self.parameters.load)

    @property
    def events(self) -> tuple[float, ...]:
        return self.load.corners

    @property
    def loses_energy(self) -> bool:
        """Whether the energy can only fall while the load stands still."""
        return self.variational

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
        return Bulk(E, nu, Gc)

    def uniaxial_modulus(self, component: str, dimensions: int, bulk: Bulk) -> float | None:
        """M of ψ⁺ = ½Mε² under a tensile mean strain `xx`, `yy` or `zz`: λ + 2μ where no other strain is free, E/(1 − ν²) in
        plane strain with the other side free, E where both are; None without a closed form.
        """
        p, control = self.parameters, self.parameters.mean
        axes = [f"{a}{a}" for a in AXIS_NAMES[:dimensions]]
        if control is None or component not in axes or (control.strain or {}).get(component, 0.0) <= 0.0:
            return None
        if any((control.stress or {}).values()):
            return None
        flags = control.stress_controlled(dimensions)
        free = [bool(flags[COMPONENTS.index(name)]) for name in axes if name != component]  # type: ignore[arg-type]
        E, nu = bulk.young_modulus, bulk.poisson_ratio
        # With a side free, part of the energy is that of compression, of which splits do not agree.
        if any(free) and self.split_name[0] != "none":
            return None
        if p.plane == "stress":
            return E if all(free) else E / (1.0 - nu**2)
        if not any(free):
            return E * (1.0 - nu) / ((1.0 + nu) * (1.0 - 2.0 * nu))
        return (E / (1.0 - nu**2) if dimensions == 2 else E) if all(free) else None

    def memory_bytes(self, grid: Grid) -> int:
        """About how many bytes the arrays of a run need."""
        d, components = grid.dimensions, 3 if grid.dimensions == 2 else 6
        # Damage, its solver and Anderson's iterates; vectors and preconditioner of the body, its strains and stresses.
        own = 16 + 2 * (self.parameters.minimisation.depth + 1)
        body = 9 * d + (5 * components if self.parameters.faces is None else components)
        if self.parameters.faces is not None and not lookup("split", self.split_name[0]).linear:
            # The tangent of every cell: condensed in the plane, of eight Gauss points in space.
            body += 15 if d == 2 else 8 * 21
        return 8 * grid.cells * (own + body)

    # --- the body -----------------------------------------------------------------------------------------------

    def built(self, loaded: Any, threads: int) -> tuple[CrackedBody, DamageSolver]:
        """`build` for a loaded scenario, whose messages then name file and line."""
        try:
            return self.build(loaded.grid, loaded.folder, threads)
        except InputError as error:
            raise loaded.located(error) from None

    def build(self, grid: Grid, folder: Path, threads: int = 1) -> tuple[CrackedBody, DamageSolver]:
        """The body with its loads, and the solver of its damage.

        Raises:
            InputError: what the grid, the material, the faces and the supports contradict, with the key path.
        """
        p = self.parameters
        if (reason := self.unsuited(grid)) is not None:
            raise InputError(f"grid: {reason}")
        if p.viscosity is not None and self.load.any_dissipation:
            raise InputError("model.load: a dissipation is prescribed in equilibrium only; leave out model.viscosity")
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
        if p.faces is None:
            flags, values = self.mean_control(grid.dimensions)
            return PeriodicBody(grid, split, flags, values, p.elastic_scheme, threads), damage
        held, held_values = self._held(grid)
        try:
            faces = FaceConditions.of(p.faces, grid, "model.faces")
            body = FacedBody(grid, split, faces, held=held, held_values=held_values, threads=threads)
        except InputError as error:
            text = str(error)
            if text.startswith("model."):
                raise
            text = text.removeprefix("held_values: ")
            raise InputError(f"model.{text}" if text.startswith("faces") else f"model.supports: {text}") from None
        return body, damage

    def check_damage(self, phi: np.ndarray) -> None:
        """Refuse an initial φ that is no damage.

        Raises:
            InputError: it is not between 0 and 1.
        """
        if not (phi.min() >= 0.0 and phi.max() <= 1.0):
            raise InputError(f"initial.phi: damage lies between 0 and 1 (got {phi.min():g} … {phi.max():g})")

    def mean_control(self, d: int) -> tuple[list[bool], list[float]]:
        """Of a periodic cell, for every component: whether the mean stress is given, and the value at load factor 1."""
        control = self.parameters.mean
        assert control is not None
        chosen = list(IN_PLANE) if d == 2 else list(range(6))
        flags, values = control.stress_controlled(d), control.values()
        return [bool(flags[i]) for i in chosen], [float(values[i]) for i in chosen]

    def _held(self, grid: Grid) -> tuple[np.ndarray | None, np.ndarray | float]:
        """Nodes held by supports (d, *nodes), and their displacements."""
        if not self.parameters.supports:
            return None, 0.0
        d = grid.dimensions
        shape = (d, *(n + 1 for n in grid.shape))
        held, values = np.zeros(shape, bool), np.zeros(shape)
        lines = [np.arange(axis.cells + 1) * axis.spacing for axis in grid.axes]
        for number, support in enumerate(self.parameters.supports):
            here = f"model.supports.{number}"
            if len(support.from_) != d or len(support.to) != d:
                raise InputError(f"{here}: from and to need {d} coordinates on this grid")
            inside = np.ones(shape[1:], bool)
            for i, line in enumerate(lines):
                low, high = sorted((support.from_[i], support.to[i]))
                slack = 1e-9 * grid.axes[i].length
                along = [1] * d
                along[d - 1 - i] = -1
                inside &= ((line >= low - slack) & (line <= high + slack)).reshape(along)
            if not inside.any():
                raise InputError(f"{here}: no node lies between from and to; nodes are the corners of cells")
            for name, value in support.displacement.items():
                if name not in AXIS_NAMES[:d]:
                    raise InputError(f"{here}.displacement.{name}: {unknown('component', name, AXIS_NAMES[:d])}")
                c = AXIS_NAMES.index(name)
                held[c] |= inside
                values[c][inside] = value
        return held, values

    def unsuited(self, grid: Grid) -> str | None:
        p = self.parameters
        if grid.dimensions == 1:
            return "fracture needs two or three axes"
        kinds = {axis.boundary for axis in grid.axes}
        if p.faces is None:
            if p.supports:
                return "supports are for bodies with faces: give model.faces"
            if kinds != {"periodic"}:
                return "a body without model.faces is a periodic cell: all axes are periodic (or give faces, with no_flux axes)"
            return None if p.mean is not None else "a periodic cell needs model.mean: mean strains and stresses"
        if p.mean is not None:
            return "model.mean is for periodic cells: leave out either mean or faces"
        if kinds != {"no_flux"}:
            return "a body with model.faces needs boundary: no_flux on all axes"
        return None

    def derived_names(self) -> tuple[str, ...]:
        d = self.dimensions
        displacements = [f"displacement_{name}" for name in AXIS_NAMES[:d]]
        return (*displacements, *component_names("strain", d), *component_names("stress", d), "driving_energy")

    def derived_fields(self, names: Sequence[str], state: Any, grid: Grid, time: float) -> dict[str, np.ndarray]:
        raise InputError("displacements and stresses are those of a run; they do not follow from the damage alone")
