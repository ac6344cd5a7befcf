"""Linear stability of a body that is damaged everywhere alike: which fluctuations of φ grow under viscous kinetics, how fast.

A periodic body has the mean strain ε̄ and the damage φ. A fluctuation δφ of wave vector k changes the stress; the displacement
follows at once, div(C:δε + g′σ⁺δφ) = 0 with C = gC⁺ + C⁻ the tangent of the split at ε̄ and σ⁺ = ∂ψ⁺/∂ε, so that
δε = −g′ Γ:σ⁺ δφ, Γ(n) = sym n⊗(n·C·n)⁻¹⊗n. Put into τ φ_t = −(g′ψ⁺ + c₁ + c₂φ − κ∇²φ):

    τ σ(k) = −(g″ψ⁺ + c₂ + κk²) + g′² σ⁺:Γ(n):σ⁺ = −R(k²) + B(n).

The resistance R is that of the damage alone. The feedback B ≥ 0, strain that gathers where the body gets softer, knows the
direction n = k/|k| but not the length of k: the longest wave is the fastest, and waves beyond k_c = √((B − R(0))/κ) decay. The
mode k = 0 is apart: B is 0 when all of ε̄ is given; where mean stresses are given, F their directions, Γ = F(FᵀCF)⁻¹Fᵀ.

A step Δt of `DamageSolver.solve(rate=τ/Δt)` after equilibrium multiplies the mode by

    (τ/Δt + B)/(τ/Δt + R),

exactly, with the symbols of the grid in B and R. It is above 1 just where σ > 0, for any Δt, never negative, and for Δt = ∞
what a pass of alternate minimisation does to the mode. Nyquist modes without a discrete gradient have B = 0.

Nothing here knows of φ ≥ φₙ: it holds while no cell is at a bound.

Stability of homogeneous damage: K. Pham, H. Amor, J.-J. Marigo, C. Maurini, Int. J. Damage Mech. 20 (2011) 618,
doi:10.1177/1056789510386852 (a bar, with irreversibility).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import root_scalar

from phasefield.energy.fracture import Degradation, Dissipation, HomogeneousResponse
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.directions import softest_direction
from phasefield.mechanics.elastic_modes import check_periodic
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic_schemes import Scheme
from phasefield.mechanics.splits import Split
from phasefield.mechanics.stiffness import PAIRS
from phasefield.registry import lookup
from phasefield.spectral.grid import Grid
from phasefield.spectral.waves import symbol_on_grid

# Loads tried in search of the critical one, over that of 2H = Gc/ℓ. For C⁺, C⁻ ≥ 0 none below 0.57 is critical: B ≤ 8H.
_LOADS = np.geomspace(0.1, 100.0, 100)
# A mean state that moves by less in a step is at rest.
_REST = 1e-15


@dataclass(frozen=True, eq=False)
class DamageStability:
    """Growth of fluctuations about the homogeneous state (ε̄, φ).

    Args:
        split: of a homogeneous body, with its λ and μ.
        strain: ε̄, Mandel components, (3,) or (6,).
        toughness, ell, dissipation: Gc, ℓ, `AT1` or `AT2`.
        phi: φ, 0 ≤ φ < 1; that of equilibrium at ε̄ when absent.
        viscosity: τ > 0, energy density × time.
        residual_stiffness: η of the degradation.
        control: which parts of the mean are strains; all, when absent. Only its directions count: the state is taken as it is.

    Raises:
        InputError: numbers or shapes that are not possible, a split without an energy, constants that differ from cell to cell.
    """

    split: Split
    strain: np.ndarray
    toughness: float
    ell: float
    dissipation: str = "AT2"
    phi: float | None = None
    viscosity: float = 1.0
    residual_stiffness: float = 1e-9
    control: MeanControl | None = None

    def __post_init__(self) -> None:
        m = self.split.components
        if np.shape(self.strain) != (m,):
            raise InputError(f"the mean strain needs {m} Mandel components, got the shape {np.shape(self.strain)}")
        if self.control is not None and self.control.strain.size != m:
            raise InputError(f"the control of the mean needs {m} components, got {self.control.strain.size}")
        if not self.split.variational:
            raise InputError(f"the split '{self.split.name}' has no energy, of which this would be the stability")
        for what, value in (("viscosity", self.viscosity), ("toughness", self.toughness), ("length ℓ", self.ell)):
            if not 0.0 < value < np.inf:
                raise InputError(f"the {what} must be finite and greater than 0, got {value:g}")
        object.__setattr__(self, "strain", np.asarray(self.strain, float))
        if self.phi is None:
            object.__setattr__(self, "phi", float(self._response.damage(np.array(1.0))))
        if not 0.0 <= self.damage < 1.0:
            raise InputError(f"the damage must be at least 0 and below 1, got {self.damage:g}")

    # --- the state ----------------------------------------------------------------------------------------------

    @cached_property
    def energy(self) -> float:
        """ψ⁺(ε̄), or 0 where a split has less: it then drives no damage."""
        return max(float(self.split.drive(*self._energies)[0]), 0.0)

    @cached_property
    def stress(self) -> np.ndarray:
        """σ⁺ = ∂ψ⁺/∂ε at ε̄, (m,), of the ψ⁺ that drives damage."""
        return self._stress(1.0) - self._stress(0.0) if self.energy > 0.0 else np.zeros(self.split.components)

    @cached_property
    def tangent(self) -> np.ndarray:
        """C = gC⁺ + C⁻ at ε̄, (m, m)."""
        m, out = self.split.components, np.empty((self.split.components, self.split.components))
        repeated = np.repeat(self.strain[:, None], m, axis=1)
        self.split.tangent(repeated, np.full(m, self._g), np.eye(m), out)
        return out

    def after(self, step: float) -> DamageStability:
        """The homogeneous state after a step of time: φ with ψ⁺ of the beginning, then ε̄ at the same mean stresses.

        The state itself where it does not move.
        """
        rate, H = self.viscosity / step, self._degradation.drive(np.array(self.energy))
        model, given = self._model, (self.toughness, self.ell)
        drive = float(rate * self.damage + 2.0 * H - model.linear(*given))
        phi = drive / float(rate + 2.0 * H + model.quadratic(*given)) if drive > 0.0 else 0.0
        if abs(phi - self.damage) <= _REST:
            return self
        state = replace(self, phi=phi)
        F, target = self._free, self._stress(self._g)
        for _ in range(50):
            excess = F.T @ (state._stress(state._g) - target)
            if np.linalg.norm(excess) <= 1e-12 * np.linalg.norm(target):
                return state
            state = replace(state, strain=state.strain - F @ np.linalg.solve(F.T @ state.tangent @ F, excess))
        raise NumericalError("no mean strain was found for the mean stress")

    # --- growth -------------------------------------------------------------------------------------------------

    def resistance(self, k2: np.ndarray | float) -> np.ndarray:
        """R = g″ψ⁺ + c₂ + κk̃²."""
        model, given = self._model, (self.toughness, self.ell)
        curvature = 2.0 * self._degradation.drive(np.array(self.energy)) + model.quadratic(*given)
        return curvature + model.gradient(*given) * np.asarray(k2, float)

    def feedback(self, t: np.ndarray) -> np.ndarray:
        """B = g′² σ⁺:Γ:σ⁺ for gradients δε ∝ sym(t ⊗ u), t of shape (…, d) and any length; 0 where t = 0."""
        C, s = self._tensors
        t = np.asarray(t, float)
        none = ~np.any(t, axis=-1)
        # Term by term: the same bits for a vector alone and among others, or the search for a direction may go in circles.
        d = len(s)
        force, acoustic = np.zeros(t.shape), np.zeros((*t.shape, d))
        for j in range(d):
            force += t[..., j, None] * s[j]
            for i in range(d):
                acoustic += (t[..., j] * t[..., i])[..., None, None] * C[:, j, :, i]
        acoustic[none] = np.eye(d)
        follows = np.linalg.solve(acoustic, force[..., None])[..., 0]
        return self._slope**2 * np.sum(force * follows, axis=-1)

    @property
    def uniform_feedback(self) -> float:
        """B of the mode k = 0, under the control of the mean."""
        F = self._free
        force = F.T @ self.stress
        return float(self._slope**2 * (force @ np.linalg.solve(F.T @ self.tangent @ F, force)))

    def growth_rate(self, k: np.ndarray) -> np.ndarray:
        """σ of wave vectors k, (…, d), in a continuum; k = 0 is the uniform mode, not the limit of long waves."""
        k = np.asarray(k, float)
        return self._rate(self._with_uniform(k), np.sum(k * k, axis=-1))

    def growth_rates(self, grid: Grid, scheme: str = "rotated") -> np.ndarray:
        """σ of every mode of a periodic grid, as `numpy.fft.rfftn` arranges them, with the symbols of its discrete operators."""
        return self.rates_of(*self._symbols(grid, scheme))

    def growth_factors(self, grid: Grid, steps: Iterable[float], scheme: str = "rotated") -> np.ndarray:
        """By what some steps of time multiply every mode of δφ, as `numpy.fft.rfftn` arranges them; that of k = 0: δ of the mean.

        The mean state moves with the steps (`after`) if it is not at rest.

        Args:
            steps: the Δt of all steps, in their order; ∞ for passes of alternate minimisation.

        Raises:
            InputError: a Δt that is not positive, a mean damage of 0: fluctuations about a bound are not linear; a grid that
                does not fit, or an unknown scheme.
        """
        t, k2 = self._symbols(grid, scheme)
        total = np.ones(k2.shape)
        for total in self.factors_of(t, k2, steps):  # noqa: B007 - the last ones
            pass
        return total

    def rates_of(self, t: np.ndarray, k2: np.ndarray) -> np.ndarray:
        """`growth_rates` of some modes, of the symbols t (…, d) and k̃² (…)."""
        return self._rate(self._with_uniform(t, k2 == 0.0), k2)

    def factors_of(self, t: np.ndarray, k2: np.ndarray, steps: Iterable[float]) -> Iterator[np.ndarray]:
        """`growth_factors` of some modes after the first, the second, … step, of the symbols t (…, d) and k̃² (…)."""
        uniform = k2 == 0.0
        state, total = self, np.ones(k2.shape)
        B, R = state._with_uniform(t, uniform), state.resistance(k2)
        for step in steps:
            if not step > 0.0:
                raise InputError(f"a step of time must be greater than 0, got {step:g}")
            new, rate = state.after(step), self.viscosity / step
            if min(state.damage, new.damage) == 0.0:
                raise InputError(
                    "the mean damage is 0, the least there is: fluctuations are not those of a linear theory"
                )
            # The force on δφ is linearised about the new mean damage, the strain that δφ made belongs to the old one.
            total = total * (rate + B * (new._slope / state._slope)) / (rate + R)
            if new is not state:
                state, B, R = new, new._with_uniform(t, uniform), new.resistance(k2)
            yield total

    # --- the fastest mode ---------------------------------------------------------------------------------------

    @cached_property
    def fastest_direction(self) -> np.ndarray:
        """The unit vector n, (d,), of the largest feedback, in which waves of any length grow fastest."""
        d = self.split.dimensions
        return softest_direction(lambda n: -self.feedback(n[:, :d])[:, None, None], d)[:d]

    @property
    def largest_growth_rate(self) -> float:
        """That of long waves, (B(n) − R(0))/τ in the fastest direction; no finite wave reaches it."""
        return float(self._rate(self.feedback(self.fastest_direction), np.array(0.0)))

    @property
    def unstable(self) -> bool:
        """Whether long waves grow."""
        return self.largest_growth_rate > 0.0

    @property
    def cutoff_wavelength(self) -> float:
        """2π/k_c, the shortest wave that does not decay: a periodic body that is shorter stays homogeneous; ∞ if none grows."""
        excess = self.viscosity * self.largest_growth_rate
        return (
            2.0 * np.pi * float(np.sqrt(self._model.gradient(self.toughness, self.ell) / excess))
            if excess > 0.0
            else np.inf
        )

    @property
    def critical_load(self) -> float:
        """The least s at which the body under s ε̄, its damage in equilibrium, is unstable to long waves; ∞ if there is none.

        For AT1 that is at the elastic limit or above.
        """
        if self.energy == 0.0:
            return np.inf
        scale = float(np.sqrt(self.toughness / (2.0 * self.ell * self._degradation.drive(np.array(self.energy)))))
        limit = float(np.sqrt(self._model.linear(self.toughness, self.ell) * self.ell / self.toughness)) * scale

        def excess(s: float) -> float:
            return replace(self, strain=s * self.strain, phi=None).largest_growth_rate

        if limit > 0.0 and excess(limit) > 0.0:
            return limit
        loads = [limit, *(scale * _LOADS[scale * _LOADS > limit])]
        for low, high in itertools.pairwise(loads):
            if excess(high) > 0.0:
                return float(root_scalar(excess, bracket=(low, high), method="brentq", rtol=1e-14).root)
        return np.inf

    # --- parts --------------------------------------------------------------------------------------------------

    def _rate(self, feedback: np.ndarray, k2: np.ndarray) -> np.ndarray:
        return (feedback - self.resistance(k2)) / self.viscosity

    def _with_uniform(self, t: np.ndarray, uniform: np.ndarray | None = None) -> np.ndarray:
        """B of the gradients t, and that of the uniform mode where asked for (else where t = 0)."""
        B = self.feedback(t)
        return np.where(~np.any(t, axis=-1) if uniform is None else uniform, self.uniform_feedback, B)

    def _symbols(self, grid: Grid, scheme: str) -> tuple[np.ndarray, np.ndarray]:
        if grid.dimensions != self.split.dimensions:
            raise InputError(f"a grid of {grid.dimensions} dimensions for a split of {self.split.dimensions}")
        return discrete_symbols(grid, scheme)

    def _stress(self, g: float) -> np.ndarray:
        out, scratch = np.empty((self.split.components, 1)), np.empty((2, 1))
        self.split.stress(self.strain[:, None], np.array([g]), out, scratch[0], scratch[1])
        return out[:, 0]

    @property
    def _energies(self) -> tuple[np.ndarray, np.ndarray]:
        return self.split.energies(self.strain[:, None])

    @cached_property
    def _tensors(self) -> tuple[np.ndarray, np.ndarray]:
        """C_ijkl and σ⁺_ij within the axes of the grid."""
        d = self.split.dimensions
        i, j = (np.array(index) for index in PAIRS[d])
        position = np.zeros((d, d), int)
        position[i, j] = position[j, i] = np.arange(i.size)
        factor = np.where(i == j, 1.0, np.sqrt(2.0))
        C = self.tangent / np.outer(factor, factor)
        return C[position[:, :, None, None], position], (self.stress / factor)[position]

    @property
    def _free(self) -> np.ndarray:
        return np.zeros((self.split.components, 0)) if self.control is None else self.control.free

    @property
    def damage(self) -> float:
        """φ of the state."""
        assert self.phi is not None
        return self.phi

    @property
    def _degradation(self) -> Degradation:
        return Degradation(self.residual_stiffness)

    @property
    def _g(self) -> float:
        return float(self._degradation.value(np.array(self.damage)))

    @property
    def _slope(self) -> float:
        """g′."""
        return float(self._degradation.derivative(np.array(self.damage)))

    @property
    def _model(self) -> Dissipation:
        return lookup("dissipation", self.dissipation)()

    @property
    def _response(self) -> HomogeneousResponse:
        return HomogeneousResponse(
            2.0 * self.energy, self.toughness, self.ell, self.dissipation, self.residual_stiffness
        )


def discrete_symbols(grid: Grid, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """(t, k̃²) of every mode of a periodic grid, as `numpy.fft.rfftn` arranges them.

    t, (…, d): the symbols of the elastic scheme's derivatives without their common phase; k̃²: that of the Laplacian of damage.
    """
    check_periodic(grid)
    kind: type[Scheme] = lookup("elastic_scheme", scheme)
    d = grid.dimensions
    pairs = [kind.axis_factors(axis, half=n == 0) for n, axis in enumerate(grid.axes)]
    t = np.ones((*grid.shape[:-1], grid.shape[-1] // 2 + 1, d))
    for n, (own, other) in enumerate(pairs):
        along = [1] * d
        along[d - 1 - n] = -1
        for j in range(d):
            t[..., j] *= (own if j == n else other).reshape(along)
    return t, symbol_on_grid(grid, "finite_difference")
