"""One equilibrium of a periodic cell: Newton's method around conjugate gradients.

Equations, norms and sources stand in `mechanics.periodic`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasefield.errors import NumericalError
from phasefield.mechanics import periodic_kernels as kernels
from phasefield.mechanics.laws import Law
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic_schemes import Scheme

# Residuals below this many roundings of the stress (or of C⁰:ε, where stresses cancel) are zero.
ROUNDINGS = 1000.0
# Newton steps shorter than this fraction lead nowhere.
SHORTEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class Solution:
    """Equilibrium fields; Mandel components.

    Attributes:
        vector: periodic fluctuation u as its scheme keeps it, `scheme.vector_shape`.
        strain, stress: (m, *shape), at the centres. In voids the strain is that of one of many continuations.
        energy_density: ψ, (*shape).
        mean_strain, mean_stress: (m,).
        iterations: conjugate-gradient iterations, over all Newton steps.
        residuals: true relative residual at the start, after every Newton step and at the end.
        history: residual at the start and after every iteration (of the linearised problem), by the ‖σ‖ of the solution.
    """

    scheme: Scheme
    vector: np.ndarray
    strain: np.ndarray
    stress: np.ndarray
    energy_density: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    iterations: int
    residuals: tuple[float, ...]
    history: tuple[float, ...]

    @cached_property
    def displacement(self) -> np.ndarray:
        """u, (d, *shape); at the lower corners of cells (rotated) or at centres (fourier)."""
        return self.scheme.to_cells(self.vector)


@dataclass(frozen=True)
class _State:
    """A point (u, ε̄) as the solver sees it: norms of gradient, stress and C⁰:ε, the potential, and means."""

    residual: float
    stress: float
    strain: float
    potential: float
    mean_gradient: np.ndarray
    mean_stress: np.ndarray


class Solve:
    """One solve: the outer loop and the conjugate gradients inside it.

    The gradient g of the potential, not its negative, is carried along, so steps are subtracted. Mean strains are
    control.strain + free y. With a linear law the iterations work on (u, y) itself, else on a Newton step (x, x_mean).
    """

    def __init__(
        self,
        scheme: Scheme,
        buffers: Sequence[list[np.ndarray]],
        vectors: Sequence[np.ndarray],
        law: Law,
        control: MeanControl,
        reference: np.ndarray,
        tolerance: float,
        limit: int,
        arrays: Solution | None = None,
    ):
        self.scheme, self.buffers, self.law, self.control = scheme, buffers, law, control
        self.g, self.p, self.force = vectors
        self.m, self.count, self.shape = control.strain.size, scheme.grid.cells, scheme.grid.shape
        self.reference, self.compliance = reference, np.linalg.inv(reference)
        self.mean_inverse = np.linalg.inv(control.free.T @ reference @ control.free) / self.count
        if arrays is None:
            self.strain, self.stress = (np.empty((self.m, self.count), scheme.dtype) for _ in range(2))
            self.energy = np.empty(self.count, scheme.dtype)
        else:
            self.strain, self.stress = (a.reshape(self.m, -1) for a in (arrays.strain, arrays.stress))
            self.energy = arrays.energy_density.reshape(-1)
        self.overwrite = arrays is not None
        self.tolerance, self.limit, self.rounding = tolerance, limit, ROUNDINGS * float(np.finfo(scheme.dtype).eps)
        self.iterations, self.residuals, self.history = 0, [], []

    def run(self, start: Solution | None) -> Solution:
        if start is None:
            u, y = np.zeros_like(self.g), np.zeros(self.control.free.shape[1])
        else:
            u, y = self._vector_of(start), self.control.free.T @ start.mean_strain
        state = self._note(self._evaluate(u, y, self.g))
        self.history.append(state.residual)
        if not state.residual <= self.goal:
            state = (self._linear if self.law.linear else self._newton)(u, y, state)
        return Solution(
            scheme=self.scheme,
            vector=u,
            strain=self.strain.reshape(-1, *self.shape),
            stress=self.stress.reshape(-1, *self.shape),
            energy_density=self.energy.reshape(self.shape),
            mean_strain=self._mean(y),
            mean_stress=state.mean_stress,
            iterations=self.iterations,
            residuals=tuple(self.residuals),
            history=tuple(self._relative(norm) for norm in self.history),
        )

    def _vector_of(self, start: Solution) -> np.ndarray:
        """The displacement of a starting point, which may belong to another scheme or precision."""
        alike = type(start.scheme) is type(self.scheme) and start.vector.dtype == self.g.dtype
        if not alike:
            return self.scheme.from_cells(start.displacement)
        return start.vector if self.overwrite else start.vector.copy()

    def _linear(self, u: np.ndarray, y: np.ndarray, state: _State) -> _State:
        """Conjugate gradients on (u, y), checked against the true residual and stress when they claim to have converged."""
        last = np.inf
        self._begin(state)
        while True:
            while self.norm > self.goal:
                if not self._iterate(u, y):
                    raise self._failure("the stiffness is not positive")
            # Into the other array: if the stress has become smaller than at the start, the iterations go on as they were.
            state = self._note(self._evaluate(u, y, self.force))
            if state.residual <= self.goal:
                return state
            if self.norm <= self.goal:
                # Rounding has driven the recurrence away from the true residual: begin again from there.
                if not state.residual < 0.5 * last:
                    raise self._failure(f"rounding keeps the relative residual at {self.residuals[-1]:.1e}")
                self.g, self.force, last = self.force, self.g, state.residual
                self._begin(state)

    def _newton(self, u: np.ndarray, y: np.ndarray, state: _State) -> _State:
        """Inexact Newton steps; the forcing term min(0.1, relative residual) keeps the convergence quadratic."""
        x, x_mean = np.zeros_like(u), np.zeros_like(y)
        while not state.residual <= self.goal:
            x[...], x_mean[...] = 0.0, 0.0
            self._begin(state)
            target = max(min(0.1, self.residuals[-1]) * state.residual, 0.5 * self.goal)
            while self.norm > target and self._iterate(x, x_mean):
                pass
            if self.descent == 0.0:  # negative curvature at once: down the preconditioned gradient
                x[...], x_mean[...], self.descent = -self.p, -self.p_mean, self.norm**2
            state = self._note(self._search(u, y, x, x_mean, state))
        return state

    def _search(self, u: np.ndarray, y: np.ndarray, x: np.ndarray, x_mean: np.ndarray, state: _State) -> _State:
        """Add (x, x_mean), halved until the potential falls as it should (Armijo); moves u and y."""
        u += x
        y += x_mean
        length = 1.0
        while length > SHORTEST_STEP:
            trial = self._evaluate(u, y, self.g)
            # Near the minimum the decrease drowns in the rounding of the potential.
            bound = state.potential - 1e-4 * length * self.descent + self.rounding * state.stress * state.strain
            if trial.potential <= bound:
                return trial
            length *= 0.5
            u -= length * x
            y -= length * x_mean
        raise self._failure("no step along the Newton direction lowers the potential")

    # conjugate gradients

    def _begin(self, state: _State) -> None:
        """Start at g, whose M⁻¹g the evaluation has left in the scheme. `descent` adds up −g₀·x = Σ α (g·M⁻¹g)."""
        self.g_mean, self.norm, self.descent = state.mean_gradient, state.residual, 0.0
        self.p_mean = self.mean_inverse @ self.g_mean
        self.scheme.turn(0.0, self.p)

    def _iterate(self, x: np.ndarray, x_mean: np.ndarray) -> bool:
        """One iteration on (x, x_mean); False, and nothing done, where the curvature along the direction is not positive."""
        if self.iterations == self.limit:
            raise self._failure(f"relative residual {self._relative(self.norm):.1e}, tolerance {self.tolerance:.1e}")
        sums = self._cells(self._tangent, self.m + 1, self.p, self.control.free @ self.p_mean, self.force)
        if not np.isfinite(sums[0]):
            raise self._failure("strain or tangent are not finite")
        if not sums[0] > 0.0:
            return False
        square = self.norm**2
        alpha = square / sums[0]
        x_mean -= alpha * self.p_mean
        self.g_mean = self.g_mean - alpha * (self.control.free.T @ sums[1:])
        z_mean = self.mean_inverse @ self.g_mean
        remaining = self.scheme.precondition(self.g, (alpha, x, self.p, self.force)) + float(self.g_mean @ z_mean)
        self.scheme.turn(remaining / square, self.p)
        self.p_mean = z_mean + remaining / square * self.p_mean
        self.norm = float(np.sqrt(remaining))
        self.descent += alpha * square
        self.iterations += 1
        self.history.append(self.norm)
        return True

    # passes over the cells

    def _cells(
        self, respond: Callable[..., None], width: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """out = Dᵀσ, with the σ that `respond` finds for ε = mean + sym(Du); returns the sums it wrote, (width,)."""
        scheme, (strains, stresses) = self.scheme, self.buffers
        sums = np.zeros((len(scheme.rows), width))
        scheme.begin(u, mean)

        def work(thread: int, b: int, rows: slice) -> None:
            strain, stress = scheme.block(strains[thread], b, self.m), scheme.block(stresses[thread], b, self.m)
            scheme.strain(thread, b, u, mean, strain)
            respond(scheme.cells[b], strain.reshape(self.m, -1), stress.reshape(self.m, -1), sums[b])
            scheme.force(thread, b, stress, out)

        scheme.row_pass(work)
        scheme.end(out)
        return sums.sum(axis=0)

    def _tangent(self, cells: slice, strain: np.ndarray, stress: np.ndarray, sums: np.ndarray) -> None:
        self.law.tangent(cells, None if self.law.linear else self.strain[:, cells], strain, stress)
        kernels.pairing(strain, stress, sums)

    def _response(self, cells: slice, strain: np.ndarray, stress: np.ndarray, sums: np.ndarray) -> None:
        self.law.stress(cells, strain, stress, self.energy[cells])
        self.strain[:, cells], self.stress[:, cells] = strain, stress
        kernels.pairing(strain, stress, sums)
        sums[0] = self.energy[cells].sum(dtype=float)
        sums[-2:] = kernels.quadratic(self.compliance, stress), kernels.quadratic(self.reference, strain)

    def _evaluate(self, u: np.ndarray, y: np.ndarray, out: np.ndarray) -> _State:
        """Fields, gradient (into `out`) and norms at (u, y)."""
        mean, given = self._mean(y), self.control.stress
        sums = self._cells(self._response, self.m + 3, u, mean, out)
        total = sums[1 : self.m + 1]
        g_mean = self.control.free.T @ (total - self.count * given)
        # Without any stress at the start the load sets the scale.
        stress = max(sums[-2], self.count * float(given @ self.compliance @ given))
        return _State(
            residual=float(np.sqrt(self.scheme.precondition(out) + g_mean @ self.mean_inverse @ g_mean)),
            stress=float(np.sqrt(stress)),
            strain=float(np.sqrt(sums[-1])),
            potential=float(sums[0] - self.count * given @ mean),
            mean_gradient=g_mean,
            mean_stress=total / self.count,
        )

    def _mean(self, y: np.ndarray) -> np.ndarray:
        return self.control.strain + self.control.free @ y

    def _note(self, state: _State) -> _State:
        """Set the residual that counts as converged at this state, and note the present one."""
        if not np.isfinite(state.residual):
            raise self._failure("strain or stress are not finite")
        self.goal = max(self.tolerance * state.stress, self.rounding * (state.stress + state.strain))
        self.residuals.append(self._relative(state.residual))
        return state

    def _relative(self, residual: float) -> float:
        """The residual by ‖σ‖, or by what makes the goal the tolerance where rounding sets the goal."""
        return residual * (self.tolerance / self.goal) if self.goal > 0.0 else residual

    def _failure(self, reason: str) -> NumericalError:
        return NumericalError(f"no equilibrium after {self.iterations} iterations: {reason}")
