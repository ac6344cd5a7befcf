"""Dynamic fracture: cracks that run, branch and stop in bodies with inertia."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from phasefield.errors import InputError
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_gpu import RULES
from phasefield.mechanics.dynamic_load_sections import AxisName, DynamicLoad, Formula, Layer, MeanStrain
from phasefield.mechanics.dynamic_loads import DynamicLoads
from phasefield.mechanics.dynamics import HOURGLASS, MovingBody
from phasefield.mechanics.dynamics_gpu import GpuBody  # noqa: F401 (registered)
from phasefield.mechanics.material_sections import Density
from phasefield.mechanics.thermal_strain import ThermalSection, ThermalStrain
from phasefield.models.base import Kinetics, non_conserved
from phasefield.models.cracked import Cracked, CrackedParams
from phasefield.registry import lookup, register
from phasefield.spectral.grid import AXIS_NAMES

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


@register("model", "dynamic_fracture")
class DynamicFracture(Cracked):
    """Cracks as damage φ in a body with inertia: at every moment φ minimises the energy at the strains of that moment.

    ρ ü = div σ − αρ u̇,   σ = g(φ) ∂ψ⁺/∂ε + ∂ψ⁻/∂ε,   φ = argmin over φ ≥ φₙ of ∫ g(φ)ψ⁺ + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV,

    or τ ∂φ/∂t = −δE/δφ. Constants as in `fracture`. With thermal strains ε is what is left of the strain without them.

    Source: M. J. Borden, C. V. Verhoosel, M. A. Scott, T. J. R. Hughes, C. M. Landis, Comput. Methods Appl. Mech. Eng. 217–220
    (2012) 77, doi:10.1016/j.cma.2012.01.008; C. J. Larsen, C. Ortner, E. Süli, Math. Models Methods Appl. Sci. 20 (2010) 1021,
    doi:10.1142/S0218202510004520 (existence).
    """

    equation = "ρ ü = div σ(u, φ) − αρ u̇, φ = argmin over φ ≥ φₙ of ∫ gψ⁺ + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV"
    reference = (
        "M. J. Borden, C. V. Verhoosel, M. A. Scott, T. J. R. Hughes, C. M. Landis, A phase-field description of dynamic brittle "
        "fracture, Comput. Methods Appl. Mech. Eng. 217–220 (2012) 77, doi:10.1016/j.cma.2012.01.008"
    )
    evolution = "crack_dynamics"

    example: ClassVar[dict[str, Any]] = {
        "length": 4.0,
        "young_modulus": 1000.0,
        "poisson_ratio": 0.2,
        "toughness": 1.0,
        "density": 1.0,
        "loads": [
            {"face": "y.low", "traction": {"y": -8.0}},
            {"face": "y.high", "traction": {"y": 8.0}},
        ],
    }

    class Params(CrackedParams):
        """Parameters of dynamic fracture."""

        name: Literal["dynamic_fracture"]
        density: Density = Field(description="ρ, mass per volume: a number, a formula in x, y, z or {file: …}")
        damping: NonNegativeFloat = Field(default=0.0, description="α of a force −αρu̇ everywhere, 1/time")
        faces: dict[AxisName, Any] = Field(
            default={},
            description="free, clamped, sliding or absorbing, by axis or by axis and end; free when not named",
        )
        layers: list[Layer] = Field(
            default=[], description="damping in front of faces, which absorb unless faces says otherwise"
        )
        loads: list[DynamicLoad] = Field(
            default=[],
            description="tractions, velocities, displacements and impacts on faces or parts of them, in time",
        )
        initial_velocity: dict[AxisName, Formula] = Field(
            default={}, description="velocity at time 0: numbers or formulas in x, y, z"
        )
        mean_strain: MeanStrain | None = Field(default=None, description="along periodic axes, in time")
        thermal: ThermalSection | None = Field(
            default=None, description="thermal strains of a body that is cooled, or whose temperature is given"
        )
        viscosity: PositiveFloat | None = Field(
            default=None, description="τ in τ ∂φ/∂t = −δE/δφ; damage without delay when absent"
        )
        elements: Literal["full", "rotated"] = Field(
            default="full", description="strains at all Gauss points of a cell, or at its centre"
        )
        hourglass: NonNegativeFloat = Field(
            default=HOURGLASS, description="stiffness of rotated elements against hourglass modes, over that of μ"
        )
        safety: float = Field(
            default=0.9,
            gt=0.0,
            lt=1.0,
            description="step over the largest that is stable, where time.step is not given",
        )
        damage_tolerance: float = Field(
            default=1e-4, gt=0.0, lt=0.1, description="error of φ anywhere in the solution of each step"
        )

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        return {"phi": non_conserved(1.0 / (self.parameters.viscosity or 1.0))}

    @property
    def damage_viscosity(self) -> float | None:
        """τ of damage that takes time; None for one without delay."""
        return self.parameters.viscosity

    @property
    def variational(self) -> bool:
        """Whether stress and damage follow from one energy: not where ψ⁺ < 0 under pressure, which damage takes as 0."""
        name, numbers = self.split_name
        own = lookup("split", name).variational and numbers.get("gamma", 0.0) <= 0.0
        return own and lookup("irreversibility", self.parameters.irreversibility).variational

    @property
    def loses_energy(self) -> bool:
        return False

    def memory_bytes(self, grid: Grid) -> int:
        """About how many bytes the arrays of a run need."""
        d, p = grid.dimensions, self.parameters
        constants = (p.young_modulus, p.poisson_ratio, p.toughness, p.density)
        # Constants of every cell, and rows of damage that all differ.
        uneven = bool(p.regions) or not all(isinstance(c, float) for c in constants)
        # Damage and its solver; displacement, velocity, damping and masses of nodes; energies.
        return 8 * grid.cells * (28 + 17 * uneven + 3 * d + 2 + 4)

    def built(self, loaded: Any, threads: int, device: str = "cpu") -> tuple[MovingBody, DynamicLoads, DamageSolver]:
        """`build` for a loaded scenario, whose messages then name file and line."""
        try:
            return self.build(loaded.grid, loaded.folder, threads, device)
        except InputError as error:
            raise loaded.located(error) from None

    def build(
        self, grid: Grid, folder: Path, threads: int = 1, device: str = "cpu"
    ) -> tuple[MovingBody, DynamicLoads, DamageSolver]:
        """The body, on the device, its loads, and the solver of its damage.

        Raises:
            InputError: what the grid, the material, the faces and the loads contradict, with the key path.
        """
        p = self.parameters
        split, damage, material = self.solvers(grid, folder, threads)
        assert material.density is not None
        body = lookup("moving_body", device)(
            grid,
            split,
            material.density,
            scheme=p.elements,
            hourglass=p.hourglass,
            residual_stiffness=p.residual_stiffness,
            threads=threads,
        )
        if p.damping:
            body.damp(p.damping)
        loads = DynamicLoads(body, p.faces, p.loads, p.layers, p.initial_velocity, p.mean_strain)
        return body, loads, damage

    def only_on_cpu(self) -> str | None:
        """Why a run needs the CPU, if it does."""
        if self.dimensions == 3:
            return "model.name: dynamic_fracture in three dimensions"
        p = self.parameters
        for name in ("thermal", "mean_strain"):
            if getattr(p, name) is not None:
                return f"model.{name}: dynamic_fracture with it"
        return None if p.irreversibility in RULES else f"model.irreversibility: {p.irreversibility} in dynamic_fracture"

    def thermal_strain(self, loaded: Any) -> ThermalStrain | None:
        """ε* of the body of a loaded scenario; None where its temperature does not matter.

        Raises:
            InputError: what the grid and the section contradict, with the key path.
        """
        section = self.parameters.thermal
        try:
            return None if section is None else ThermalStrain(section, loaded.grid)
        except InputError as error:
            raise loaded.located(error) from None

    def unsuited(self, grid: Grid) -> str | None:
        if grid.dimensions == 1:
            return "fracture needs two or three axes"
        kinds = {axis.name: axis.boundary for axis in grid.axes}
        wrong = [name for name, kind in kinds.items() if kind not in ("periodic", "no_flux")]
        return f"{wrong[0]}: bodies with inertia need boundary: no_flux (with faces) or periodic" if wrong else None

    def derived_names(self) -> tuple[str, ...]:
        velocities = tuple(f"velocity_{name}" for name in AXIS_NAMES[: self.dimensions])
        temperature = () if self.parameters.thermal is None else ("temperature",)
        return (*super().derived_names(), *velocities, *temperature)
