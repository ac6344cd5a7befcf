"""Fracture: cracks as a damage field whose gradient costs energy, in bodies that deform elastically."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from phasefield.errors import InputError, unknown
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.control import ControlSetting
from phasefield.mechanics.crack_loading import CrackLoad, CrackLoadSetting
from phasefield.mechanics.cracked_body import CrackedBody, FacedBody, PeriodicBody
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.stiffness import COMPONENTS, IN_PLANE
from phasefield.models.base import Kinetics, non_conserved
from phasefield.models.cracked import Bulk, Cracked, CrackedParams
from phasefield.models.fracture_sections import Minimisation, Stop, Support
from phasefield.registry import lookup, register
from phasefield.spectral.grid import AXIS_NAMES

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


@register("model", "fracture")
class Fracture(Cracked):
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

    class Params(CrackedParams):
        """Parameters of fracture."""

        name: Literal["fracture"]
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

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {"phi": non_conserved(1.0 / (self.damage_viscosity or 1.0))}

    @property
    def damage_viscosity(self) -> float | None:
        """τ of damage that takes time; None in equilibrium."""
        return self.parameters.viscosity

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
        if p.viscosity is not None and self.load.any_dissipation:
            raise InputError("model.load: a dissipation is prescribed in equilibrium only; leave out model.viscosity")
        split, damage, _ = self.solvers(grid, folder, threads)
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
