"""Elastic misfit: the energy of strains that order parameters or compositions bring about in a body of one stiffness.

ε* = Σ_p ε⁰_p φ_p; the displacements follow at once. In Fourier space F_el is a quadratic form with the matrix B_pq(n), which
depends on the direction of k alone (`mechanics.homogeneous`). It is treated implicitly, and costs no transform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from phasefield.energy.term import State, Term
from phasefield.mechanics.directions import softest_direction, unit_vectors
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.mechanics.loading import Load
from phasefield.mechanics.stiffness import COMPONENTS, from_components
from phasefield.registry import register
from phasefield.spectral.grid import Grid


@register("term", "elastic")
class ElasticEnergy(Term):
    """½ ∫ (ε−ε*):C:(ε−ε*) dV with ε* = Σ_p ε⁰_p φ_p, minimised over displacements, less the work of prescribed mean stresses.

    F/V = ½ Σ_{k≠0} φ̂_p* B_pq(n) φ̂_q + ½ φ̄_p B⁰_pq φ̄_q − g_p φ̄_p + c; B⁰, g and c are those of the load.

    Args:
        stiffness: C (3, 3, 3, 3).
        strains: ε⁰_p (N, 3, 3), one for each of `fields`.
        fields: names of φ_p.
        load: mean strains and stresses as functions of time; `dimensions` of the grid come with it.

    Source: A. G. Khachaturyan, Theory of Structural Transformations in Solids (1983), ch. 7; A. Artemev, Y. Jin,
    A. G. Khachaturyan, Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0.
    """

    name = "elastic"

    def __init__(self, stiffness: np.ndarray, strains: np.ndarray, fields: tuple[str, ...], load: Load):
        self.stiffness, self.strains, self.fields, self.load = stiffness, strains, fields, load
        self._solvers: dict[tuple[bool, ...], HomogeneousElasticity] = {}
        self._time = 0.0
        # Mean of a fixed eigenstrain (3, 3), which adds to the driving force of the load.
        self.fixed_mean = np.zeros((3, 3))

    def at(self, time: float) -> ElasticEnergy:
        """The same term under the load at `time`."""
        result = ElasticEnergy(self.stiffness, self.strains, self.fields, self.load)
        result._solvers, result._time, result.fixed_mean = self._solvers, time, self.fixed_mean
        return result

    def solver(self, phase: int | None = None) -> HomogeneousElasticity:
        """The closed forms under the control of a phase of the load, by default that of the term's time."""
        time = self._time
        flags = self.load.stress_controlled(time) if phase is None else self.load.controlled_in(phase)
        key = tuple(bool(f) for f in flags)
        if key not in self._solvers:
            self._solvers[key] = HomogeneousElasticity(self.stiffness, self.strains, flags, self.load.dimensions)
        return self._solvers[key]

    # --- as a term of the free energy ---------------------------------------------------------------------------

    def density(self, state: State, grid: Grid) -> np.ndarray:
        theta, solver = self._stack(state), self.solver()
        values = self.load.values(self._time)
        strain, stress = solver.mean_response(theta.reshape(len(theta), -1).mean(axis=1), values)
        work = float((stress * strain)[_TENSOR_OF][solver.stress_controlled] @ _TWICE[solver.stress_controlled])
        pull = np.tensordot(self._fixed_force(), theta, 1)
        return solver.fields(grid, theta, values)["energy_density"] - work - pull

    def energy(self, state: State, grid: Grid) -> float:
        theta = self._stack(state)
        pull = float(self._fixed_force() @ theta.reshape(len(theta), -1).mean(axis=1))
        return self.solver().energy(grid, theta, self.load.values(self._time)) - grid.volume * pull

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        stress = self.solver().fields(grid, self._stack(state), self.load.values(self._time))["stress"]
        parts = zip(self.fields, self.strains, self._fixed_force(), strict=True)
        return {f: -np.einsum("ij,ij...->...", e, stress) - g for f, e, g in parts}

    def _fixed_force(self) -> np.ndarray:
        """ε⁰_p:σ (N) of the mean of a fixed eigenstrain alone; its fluctuation pulls through the pointwise formula."""
        nothing = np.zeros(len(self.fields))
        _, stress = self.solver().mean_response(nothing, np.zeros(6), self.fixed_mean)
        return np.einsum("pij,ij->p", self.strains, stress)

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        """B_pq(n) for k̃² > 0, B⁰_pq for k̃² = 0; n is the softest direction when none is given."""
        n = self.softest_direction if direction is None else np.asarray(direction, float)
        solver, k2 = self.solver(), np.asarray(k2, float)
        B = np.where((k2 == 0.0)[..., None, None], solver.mean_symbol, solver.kernel(n))
        return {(p, q): B[..., i, j] for i, p in enumerate(self.fields) for j, q in enumerate(self.fields)}

    def largest(self, stiffness: np.ndarray | None = None) -> float:
        """The largest eigenvalue of B(n), and of B⁰ in any phase of the load; for another stiffness when given."""
        C, load = self.stiffness if stiffness is None else stiffness, self.load
        controls = {tuple(load.controlled_in(i).tolist()) for i in range(load.phases)}
        bodies = [HomogeneousElasticity(C, self.strains, np.array(c), load.dimensions) for c in controls]
        matrices = [bodies[0].kernel(unit_vectors(load.dimensions)), *(body.mean_symbol[None] for body in bodies)]
        return max(float(np.linalg.eigvalsh(m)[..., -1].max()) for m in matrices)

    @cached_property
    def softest_direction(self) -> np.ndarray:
        """The unit vector n (3,) at which B(n) is softest: growth is fastest along it."""
        return softest_direction(self.solver().kernel, self.load.dimensions)

    def latex(self) -> str:
        return r"\tfrac12 (\varepsilon-\varepsilon^*):C:(\varepsilon-\varepsilon^*)"

    def _stack(self, state: State) -> np.ndarray:
        return np.stack([np.asarray(state[f], float) for f in self.fields])

    # --- as a matrix symbol -------------------------------------------------------------------------------------

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """B_pq(n) at signed mode numbers; see `HomogeneousElasticity.symbol`."""
        return self.solver(0).symbol(grid, indices)

    def phase(self, time: float) -> int:
        """Index of the phase of the load at `time`."""
        return self.load.phase(time)

    def mean_symbol(self, phase: int) -> np.ndarray:
        """B⁰ in a phase of the load."""
        return self.solver(phase).mean_symbol

    def drive(self, time: float, phase: int) -> np.ndarray:
        """g (N)."""
        nothing = np.zeros(len(self.fields))
        _, stress = self.solver(phase).mean_response(nothing, self.load.values(time, phase), self.fixed_mean)
        return np.einsum("pij,ij->p", self.strains, stress)

    def constant(self, time: float, phase: int) -> float:
        """c, energy per volume."""
        return self.solver(phase).mean_constant(self.load.values(time, phase))

    def derived_names(self) -> tuple[str, ...]:
        """Stress, strain and displacement within the grid's axes, and the elastic energy density."""
        parts = [c for c, d in zip(COMPONENTS, _HIGHEST_AXIS, strict=True) if d <= self.load.dimensions]
        axes = "xyz"[: self.load.dimensions]
        tensors = (f"{kind}_{c}" for kind in ("stress", "strain") for c in parts)
        return (*tensors, *(f"displacement_{a}" for a in axes), "elastic_energy_density")

    def derived_fields(self, names: Sequence[str], state: State, grid: Grid) -> dict[str, np.ndarray]:
        """Those of `derived_names` that are in `names`, for the load at the term's time.

        The displacement is its periodic part: what the mean strain adds is left out.
        """
        wanted = [name for name in self.derived_names() if name in names]
        if not wanted:
            return {}
        eigenstrain = state.get("eigenstrain")
        return self.as_derived(
            wanted, self.solver().fields(grid, self._stack(state), self.load.values(self._time), eigenstrain)
        )

    def as_derived(self, names: Sequence[str], found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Those of `derived_names` out of tensors and energy density as `HomogeneousElasticity.fields` returns them."""
        result = {}
        for name in names:
            kind, _, part = name.partition("_")
            if kind in ("stress", "strain"):
                i = COMPONENTS.index(part)
                result[name] = found[kind][_TENSOR_OF[0][i], _TENSOR_OF[1][i]]
            else:
                result[name] = (
                    found["displacement"]["xyz".index(part)] if kind == "displacement" else found["energy_density"]
                )
        return result

    def force_of_fixed(self, grid: Grid, eigenstrain: np.ndarray | None) -> np.ndarray | None:
        """ε⁰_p:σ (N, *grid.shape) of a fixed eigenstrain (6, *grid.shape), whose mean the term takes notice of, mean 0.

        That of the force depends on the control of the load, which may change: it goes with the load.
        """
        if eigenstrain is None:
            self.fixed_mean = np.zeros((3, 3))
            return None
        force = self.solver().misfit_force(grid, eigenstrain)
        force -= force.mean(axis=tuple(range(1, force.ndim)), keepdims=True)
        self.fixed_mean = from_components(eigenstrain.reshape(6, -1).mean(axis=1))
        return force

    def record_names(self) -> tuple[str, ...]:
        """Names of mean strains and stresses within the grid's axes."""
        parts = [c for c, d in zip(COMPONENTS, _HIGHEST_AXIS, strict=True) if d <= self.load.dimensions]
        return (*(f"mean_strain_{c}" for c in parts), *(f"mean_stress_{c}" for c in parts))

    def records(self, time: float, means: np.ndarray, phase: int) -> dict[str, float]:
        """Mean strains and stresses for the means φ̄ of the fields."""
        return self.as_records(*self.solver(phase).mean_response(means, self.load.values(time, phase), self.fixed_mean))

    def as_records(self, strain: np.ndarray, stress: np.ndarray) -> dict[str, float]:
        """Those of `record_names` for a mean strain and a mean stress, (3, 3) each."""
        both = {"strain": strain[_TENSOR_OF], "stress": stress[_TENSOR_OF]}
        result = {}
        for name in self.record_names():
            _, kind, component = name.split("_")
            result[name] = float(both[kind][COMPONENTS.index(component)])
        return result


# Place of the components xx, yy, zz, yz, xz, xy in a tensor, how often each stands in a double contraction, and how many
# axes a grid needs for it to lie within them.
_TENSOR_OF = (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1]))
_TWICE = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
_HIGHEST_AXIS = (1, 2, 3, 3, 3, 2)
