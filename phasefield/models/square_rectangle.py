"""Square to rectangle: the strain e₂ itself as the order parameter, with the compatibility of strains as a long-range force."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.bulk import BulkEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.landau_martensite import Landau234, LandauBase
from phasefield.energy.term import State, Term
from phasefield.mechanics.compatibility import square_rectangle_kernel
from phasefield.mechanics.loading import History, HistorySetting
from phasefield.models.base import Kinetics, Strict, conserved, non_conserved
from phasefield.models.landau import LandauModel, LandauParams
from phasefield.registry import register

if TYPE_CHECKING:
    from phasefield.spectral.grid import Grid


@register("term", "compatibility")
class CompatibilityEnergy(Term):
    """Elastic energy of the strains e₁ and e₃ that compatibility forces upon a field e₂.

    F/V = ½ Σ_{k≠0} A₁ U(n) |ê₂|² − σ₂ ē₂,  U = (n_x² − n_y²)² / (1 + 8 (A₁/A₃) n_x² n_y²),

    e₁ = (ε_xx + ε_yy)/√2, e₂ = (ε_xx − ε_yy)/√2, e₃ = ε_xy, σ₂ = (σ_xx − σ_yy)/√2; no other load.

    Args:
        bulk, shear: A₁ and A₃ in ½A₁e₁² + ½A₃e₃².
        stress: σ₂ as a function of time.
        field: name of e₂.

    Source: S. Kartha, J. A. Krumhansl, J. P. Sethna, L. K. Wickham, Phys. Rev. B 52 (1995) 803,
    doi:10.1103/PhysRevB.52.803.
    """

    name = "compatibility"

    def __init__(self, bulk: float, shear: float, stress: History, field: str = "e2", time: float = 0.0):
        self.bulk, self.shear, self.stress, self.field, self._time = bulk, shear, stress, field, time
        self.fields = (field,)

    def at(self, time: float) -> CompatibilityEnergy:
        """The same term under the load at `time`."""
        return CompatibilityEnergy(self.bulk, self.shear, self.stress, self.field, time)

    def kernel(self, n: np.ndarray) -> np.ndarray:
        """A₁ U(n) for vectors n (…, 2) of any length."""
        return square_rectangle_kernel(n, self.bulk, self.shear)

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        u = np.asarray(state[self.field], float)
        y, x = (np.fft.fftfreq(a.cells, a.spacing) for a in reversed(grid.axes))
        k = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)
        k[0, 0] = 1.0, 1.0
        # Along ⟨11⟩ U vanishes: what stands at k = 0 does not act.
        force = np.fft.ifft2(self.kernel(k) * np.fft.fft2(u - u.mean())).real
        return {self.field: force - self.stress(self._time)}

    def density(self, state: State, grid: Grid) -> np.ndarray:
        u = np.asarray(state[self.field], float)
        stress = self.stress(self._time)
        return 0.5 * (u - u.mean()) * (self.derivative(state, grid)[self.field] + stress) - stress * u

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        n = self.softest_direction if direction is None else np.asarray(direction, float)
        return {(self.field, self.field): np.where(np.asarray(k2) == 0.0, 0.0, self.kernel(n[..., :2]))}

    @property
    def softest_direction(self) -> np.ndarray:
        """⟨11⟩, along which strains are compatible."""
        return np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0])

    def latex(self) -> str:
        return r"\tfrac12 A_1 e_1^2 + \tfrac12 A_3 e_3^2 - \sigma_2 e_2"

    # --- as a matrix symbol -------------------------------------------------------------------------------------

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """A₁ U(n) at signed mode numbers, (…, 1, 1). Even in either component: Nyquist modes need no average."""
        x, y = np.broadcast_arrays(*indices)
        n = np.stack([x / grid.axes[0].length, y / grid.axes[1].length], axis=-1)
        n[(x == 0) & (y == 0)] = 1.0
        return self.kernel(n)[..., None, None]

    def phase(self, time: float) -> int:
        """One phase: the mean of e₂ is always free."""
        return 0

    def mean_symbol(self, phase: int) -> np.ndarray:
        """0: without a load a uniform e₂ costs nothing but f."""
        return np.zeros((1, 1))

    def drive(self, time: float, phase: int) -> np.ndarray:
        """σ₂."""
        return np.array([self.stress(time)])

    def constant(self, time: float, phase: int) -> float:
        """0: the energy of the other mean strains, which do not couple, is left out."""
        return 0.0


class Inertia(Strict):
    """ρ ∂²e₂/∂t² = ½ ∇²(δF/δe₂ + A′ ∂e₂/∂t): the momentum balance for e₂ = (ε_xx − ε_yy)/√2."""

    density: PositiveFloat = Field(description="ρ, mass per volume (area)")
    viscosity: NonNegativeFloat = Field(0.0, description="A′ in the viscous stress A′ ∂e₂/∂t")


@register("model", "square_rectangle")
class SquareRectangle(LandauModel):
    """The square-to-rectangle transition in its strain e₂ = (ε_xx − ε_yy)/√2, overdamped, in two dimensions.

    ∂e₂/∂t = −Γ (f′(e₂; T) − K∇²e₂ + compatibility force − σ₂),  F = ∫ [f(e₂) + K/2 |∇e₂|² + ½A₁e₁² + ½A₃e₃² − σ₂e₂] dV,

    e₁ and e₃ following e₂ at once through compatibility. With `inertia` instead

    ρ ∂²e₂/∂t² = ½∇²(δF/δe₂ + A′ ∂e₂/∂t),

    from rest: the mean of e₂ then stays as it is, and a load has no effect. The factor ½ is that of strains
    normalised by 1/√2, ρü = ∇·σ with σ_xx = −σ_yy = (δF/δe₂)/√2.

    Source: S. Kartha, J. A. Krumhansl, J. P. Sethna, L. K. Wickham, Phys. Rev. B 52 (1995) 803, doi:10.1103/PhysRevB.52.803.
    """

    equation = "∂e₂/∂t = −Γ (f′(e₂) − K∇²e₂ + A₁U(n)∗e₂ − σ₂)"
    reference = (
        "S. Kartha, J. A. Krumhansl, J. P. Sethna, L. K. Wickham, Disorder-driven pretransitional tweed pattern in martensitic "
        "transformations, Phys. Rev. B 52 (1995) 803, doi:10.1103/PhysRevB.52.803"
    )

    example: ClassVar[dict[str, Any]] = {
        "gradient_energy": 2.0,
        "landau": {"name": "landau_246", "a": -0.25, "b": 1.0, "c": 1.0},
        "bulk_modulus": 2.0,
        "shear_modulus": 4.0,
    }

    class Params(LandauParams):
        """Parameters of the square-to-rectangle model."""

        name: Literal["square_rectangle"]
        mobility: PositiveFloat = Field(1.0, description="Γ in ∂e₂/∂t = −Γ δF/δe₂")
        gradient_energy: PositiveFloat = Field(1.0, description="K in K/2 |∇e₂|²")
        bulk_modulus: PositiveFloat = Field(description="A₁ in ½A₁e₁², e₁ = (ε_xx + ε_yy)/√2")
        shear_modulus: PositiveFloat = Field(description="A₃ in ½A₃e₃², e₃ = ε_xy, the tensor component")
        stress: HistorySetting = Field(
            default=[[0.0, 0.0]], description="σ₂ = (σ_xx − σ_yy)/√2: a number or pairs [time, σ₂]"
        )
        inertia: Inertia | None = Field(
            None, description="density and viscosity: underdamped motion instead of relaxation; needs scheme leapfrog"
        )
        laplacian: Literal["spectral", "finite_difference"] = Field(
            "spectral", description="discrete −∇²: k² or 4/h² sin²"
        )

        @field_validator("landau")
        @classmethod
        def _even(cls, landau: LandauBase) -> LandauBase:
            if isinstance(landau, Landau234):
                raise PydanticCustomError("landau", "landau_234 is not even; a strain needs landau_246 or landau_24")
            return landau

    def unsuited(self, grid: Grid) -> str | None:
        if grid.dimensions != 2:
            return f"square_rectangle needs two axes, x and y (got {grid.dimensions})"
        return super().unsuited(grid)

    @cached_property
    def fields(self) -> dict[str, Kinetics]:
        inertia = self.parameters.inertia
        if inertia is not None:
            return {"e2": conserved(0.5 / inertia.density)}
        return {"e2": non_conserved(self.parameters.mobility)}

    @property
    def viscosity(self) -> float | None:
        inertia = self.parameters.inertia
        return None if inertia is None else inertia.viscosity

    def growth_matrix(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> np.ndarray:
        """σ, or with inertia the larger real part of the roots of σ² + m A′ σ + m (f″ + Kk̃² + A₁U) = 0."""
        first_order = super().growth_matrix(base, k2, direction)
        if self.viscosity is None:
            return first_order
        half = 0.5 * self.viscosity * self.fields["e2"].rate(k2)[..., None, None]
        return np.sqrt(np.maximum(half**2 + first_order, 0.0)) - half

    @cached_property
    def coupling(self) -> CompatibilityEnergy:
        p = self.parameters
        return CompatibilityEnergy(p.bulk_modulus, p.shear_modulus, History.of(p.stress))

    def terms_at(self, time: float) -> tuple[Term, ...]:
        p = self.parameters
        bulk = BulkEnergy(p.landau.expression(("e2",)), p.landau.parameter_values(self.temperature(time)), ("e2",))
        return bulk, GradientEnergy(p.gradient_energy, "e2", p.laplacian), self.coupling.at(time)

    @property
    def load_corners(self) -> tuple[float, ...]:
        return self.coupling.stress.corners

    def record_names(self) -> tuple[str, ...]:
        return (*super().record_names(), "stress_e2")

    def records(self, time: float, means: np.ndarray, phase: int = 0) -> dict[str, float]:
        return {**super().records(time, means, phase), "stress_e2": self.coupling.stress(time)}
