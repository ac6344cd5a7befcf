"""Driving forces of misfit that are no matrix symbol: nonlinear in the order parameters, or of several stiffnesses.

They are evaluated at whole states and treated explicitly (`models.base.ExplicitForce`). Long steps stay stable when what is added
on the implicit side, a matrix Λ(k) and a number S_el, is at least half of the second derivatives of the elastic energy of
`mechanics.transforming`,

    δ²F_el/δη_pδη_q ≤ h′_p B_pq h′_q + δ_pq [|σ:ε⁰_p h″_p| + |g_p w″_p| + 2 |e:ΔC_p:ε⁰_p h′_p w′_p|],

    g_p = ∂(½ e:C:e)/∂w_p,  ΔC_p = C_p − C₀,

with B of a stiffness that no place exceeds. Where h(η) = η the first part is a symbol, and Λ = B; in the limit of equal
stiffnesses that is the implicit scheme itself. Otherwise h′ differs from place to place, and S_el contains λ_max(B) h′².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phasefield.energy.elastic import ElasticEnergy
from phasefield.kernels import cpu
from phasefield.mechanics import transforming_kernels as kernels
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.mechanics.transforming import Peaks, TransformingElasticity
from phasefield.mechanics.transforming_body import LINEAR, TransformingBody
from phasefield.spectral.grid import Grid
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine


class _ElasticForce:
    """What both forces share. `linear` is the elastic term in θ = h(η) for the stiffness C₀, and knows the load.

    Attributes: `forces` (N, *grid.shape), δF_el/δη_p of the last state; `energy`, its F_el; `energy_before`, its F_el under the
    load at another time; `peaks`; `stabilising`, whether there is a Λ.
    """

    forces: np.ndarray
    energy: float
    energy_before: float
    peaks: Peaks

    def __init__(self, linear: ElasticEnergy, body: TransformingBody):
        self.linear, self.body = linear, body
        self.stabilising = tuple(body.strain_function) == LINEAR
        self._h, self._w = (np.array(c, float) for c in (body.strain_function, body.stiffness_function))
        self._bounds: dict[int, HomogeneousElasticity] = {}
        self._largest = linear.largest(body.upper_bound)

    def curvature(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """2 S_el for each field, at values of the fields that the body may attain, with stresses as in the last state."""
        result = []
        for p, x in enumerate(values):
            (h1, h2), (w1, w2) = (_derivatives(c, x) for c in (self._h, self._w))
            peaks = self.peaks.stress[p], self.peaks.energy[p], 2.0 * self.peaks.softening[p]
            local = peaks[0] * np.abs(h2) + peaks[1] * np.abs(w2) + peaks[2] * np.abs(h1 * w1)
            result.append(local if self.stabilising else local + self._largest * h1**2)
        return result

    def bound(self, phase: int) -> HomogeneousElasticity:
        """A body of the upper bound of stiffness, under the control of a phase of the load."""
        if phase not in self._bounds:
            load = self.linear.load
            options = (self.linear.strains, load.controlled_in(phase), load.dimensions)
            self._bounds[phase] = HomogeneousElasticity(self.body.upper_bound, *options)
        return self._bounds[phase]

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """Λ (…, N, N)."""
        return self.bound(0).symbol(grid, indices)

    def mean_symbol(self, phase: int) -> np.ndarray:
        """Λ at k = 0."""
        return self.bound(phase).mean_symbol

    def phase(self, time: float) -> int:
        """Index of the phase of the load at `time`."""
        return self.linear.load.phase(time)

    def jumps(self, phase: int, following: int) -> bool:
        """Whether another kind of control follows: prescribed values go on where they were."""
        load = self.linear.load
        return not np.array_equal(load.controlled_in(phase), load.controlled_in(following))

    def keep(self) -> None:
        """The last state is the one to come back to."""

    def rewind(self) -> None:
        """Go back to it."""

    def checkpoint(self) -> dict[str, np.ndarray]:
        """Arrays that the next evaluation depends on."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take them over."""


class NonlinearForce(_ElasticForce):
    """One stiffness: δF/δη_p = h′(η_p) (Σ_q B_pq θ_q − given forces), B applied in Fourier space.

    Args:
        eigenstrain: tensor components of a fixed one (6, *grid.shape), or None.
    """

    def __init__(
        self,
        linear: ElasticEnergy,
        body: TransformingBody,
        grid: Grid,
        eigenstrain: np.ndarray | None = None,
        threads: int = 1,
    ):
        super().__init__(linear, body)
        N, given = len(body.strains), linear.force_of_fixed(grid, eigenstrain)
        self.grid, self._sweep = grid, Sweep(grid, N, cpu, make_engine(), threads)
        triangle = self._sweep.layout.tabulate(N * (N + 1) // 2, lambda *m: linear.symbol(grid, m), _lower_triangle)
        self._table = self._sweep.couple(triangle)
        self._weight = self._sweep.stage_geometry(self._sweep.modes("spectral"))[2]
        self._given = np.zeros((N, 0)) if given is None else np.ascontiguousarray(given.reshape(N, -1))
        self._phase, self._mean, self._theta = -1, np.zeros((N, N)), np.zeros(N)
        self.forces = np.zeros((N, *grid.shape))

    def update(self, fields: np.ndarray, time: float, phase: int, before: float) -> None:
        """Forces at a state (N, *grid.shape), and energies."""
        N, sweep = len(fields), self._sweep
        if phase != self._phase:
            self._phase, self._mean = phase, self.linear.mean_symbol(phase)
            sweep.couple_mean(self._table, _lower_triangle(self._mean))
        fields = np.ascontiguousarray(fields, float)
        sweep.real_pass(kernels.to_theta, self._h, given=fields)
        sums = sweep.spectral_pass(kernels.respond, (self._table, self._weight), stage=True)
        fluctuation, self._theta = float(sums[0]), sums[1 : 1 + N].copy()
        drive, eta = self.linear.drive(time, phase), fields.reshape(N, -1)
        found: dict[int, np.ndarray] = {}

        def finish(block: np.ndarray, first: int) -> None:
            found[first] = row = np.zeros(1 + N)
            kernels.force_of(block, first, eta, self._h, self._given, drive, row)

        sweep.unload(self.forces, finish)
        rows = np.array([found[first] for first in sorted(found)])
        self.peaks = Peaks.of_stress(rows[:, 1:].max(axis=0))
        rest = self.grid.volume * fluctuation - self.grid.cell_volume * float(rows[:, 0].sum())
        self.energy, self.energy_before = (rest + self._energy_of_means(t, phase) for t in (time, before))

    def _energy_of_means(self, time: float, phase: int) -> float:
        linear, theta = self.linear, self._theta
        density = 0.5 * theta @ self._mean @ theta - linear.drive(time, phase) @ theta + linear.constant(time, phase)
        return self.grid.volume * float(density)

    def records(self, time: float) -> dict[str, float]:
        """Mean strains and stresses of the last state."""
        return self.linear.records(time, self._theta, self._phase)

    def close(self) -> None:
        """End the threads."""
        self._sweep.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the sweep, of B and of the forces."""
        return self._sweep.buffer_bytes + self._table.nbytes + self.forces.nbytes + self._given.nbytes


class InhomogeneousForce(_ElasticForce):
    """Several stiffnesses: an equilibrium for every state, looked for from that of the last one.

    Args:
        eigenstrain, region: fixed fields, see `TransformingElasticity`; options: others of it.
    """

    def __init__(
        self,
        linear: ElasticEnergy,
        body: TransformingBody,
        grid: Grid,
        eigenstrain: np.ndarray | None = None,
        region: np.ndarray | None = None,
        **options: Any,
    ):
        super().__init__(linear, body)
        fields = {"fixed": eigenstrain, "region": region, "in_plane": linear.load.in_plane}
        self.equilibrium = TransformingElasticity(body, grid, **fields, **options)
        self.forces = self.equilibrium.forces

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        n, solver = self.equilibrium.directions(indices), self.bound(0)
        # The mean, for which `mean_symbol` is taken, and modes at the Nyquist frequency.
        rigid = np.logical_not(n.any(axis=-1, keepdims=True))
        unrelaxed = np.einsum("pij,ijkl,qkl->pq", solver.strains, solver.stiffness, solver.strains)
        return np.where(rigid[..., None], unrelaxed, solver.kernel(np.where(rigid, 1.0, n)))

    def update(self, fields: np.ndarray, time: float, phase: int, before: float) -> None:
        """Forces at a state (N, *grid.shape), and energies.

        Raises:
            NumericalError: no equilibrium was found.
        """
        load, body = self.linear.load, self.equilibrium
        flags, values, others = load.controlled_in(phase), load.values(time, phase), load.values(before, phase)
        changed = not np.array_equal(values, others)
        if changed:
            body.solve(fields, flags, others)
            self.energy_before = body.energy
        body.solve(fields, flags, values)
        self.energy, self.peaks = body.energy, body.peaks
        if not changed:
            self.energy_before = self.energy

    def records(self, time: float) -> dict[str, float]:
        """Mean strains and stresses of the last state."""
        return self.linear.as_records(self.equilibrium.mean_strain, self.equilibrium.mean_stress)

    def keep(self) -> None:
        self.equilibrium.keep()

    def rewind(self) -> None:
        self.equilibrium.rewind()

    def checkpoint(self) -> dict[str, np.ndarray]:
        return self.equilibrium.checkpoint()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.equilibrium.restore(arrays)

    def close(self) -> None:
        """End the threads."""
        self.equilibrium.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays of the solver."""
        return self.equilibrium.memory_bytes


def _derivatives(c: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of c₁x + c₂x² + c₃x³ + c₄x⁴."""
    polynomial = np.polynomial.Polynomial([0.0, *c])
    return polynomial.deriv()(x), polynomial.deriv(2)(x)


def _lower_triangle(matrices: np.ndarray) -> np.ndarray:
    """The entries of symmetric matrices (…, N, N), row by row up to the diagonal, (N (N + 1)/2, …)."""
    i, j = np.tril_indices(matrices.shape[-1])
    return np.moveaxis(matrices[..., i, j], -1, 0)
