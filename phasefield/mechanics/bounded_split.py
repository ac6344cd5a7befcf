"""Equilibrium of a box with true faces whose elastic energy is split, and whose constants may differ from cell to cell.

The elements, conditions, preconditioner and the norm of the residual are those of `bounded`. The potential

    Π(u) = Σ_cells V ⟨g ψ⁺(ε) + ψ⁻(ε)⟩ − f·u,    ⟨·⟩ the mean over the 2ᵈ Gauss points of a cell,

has a degradation g ≥ 0 per cell and ψ± of a `Split` with λ and μ per cell; cells with λ = μ = 0 are voids.

| split | constants | solved by |
|---|---|---|
| linear (`none`, `hybrid`) | one ratio λ/μ, any size | `BoundedElasticity` with g times the relative stiffness |
| linear | different ratios | conjugate gradients with a stiffness kept per cell |
| others | any | Newton's method around them |

Energies of splits are positively homogeneous of degree two and have continuous first derivatives; second ones jump where a
principal strain or the volume changes its sign. With the tangent K_t(u) of one side, ∂E/∂u = K_t(u) u and E = ½ u·K_t(u) u hold
exactly: a solution times a load ≥ 0 is the solution for this load. Π is convex for g ≤ 1. Newton steps are inexact (Eisenstat
and Walker) and shortened until Π falls (Armijo). The residual is f − ∂E/∂u in the norm √(r·M⁻¹r), relative to that of the ramp,
as for linear bodies.

S. C. Eisenstat, H. F. Walker, SIAM J. Sci. Comput. 17 (1996) 16, doi:10.1137/0917003 (inexact steps); L. Qi, J. Sun, Math.
Program. 58 (1993) 353, doi:10.1007/BF01581275 (Newton's method where derivatives jump).
"""

from __future__ import annotations

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_gauss import GaussPoints
from phasefield.mechanics.bounded_iteration import ConjugateGradients
from phasefield.mechanics.bounded_newton import Newton
from phasefield.mechanics.bounded_solution import Equilibrium, SplitSolution
from phasefield.mechanics.splits import NoSplit, Split
from phasefield.spectral.grid import Grid

# Ratios λ/μ that differ by less are the same.
_SAME = 1e-12


class BoundedBody:
    """Equilibrium of a damaged body with conditions on its faces; owns all work arrays, so that one object serves many solves.

    Args:
        grid, faces, held, held_values, threads: see `BoundedElasticity`.
        split: with one λ and μ, or one per cell of the grid.

    Raises:
        InputError: a split of other dimensions or another number of cells, a body without any stiffness, and what
            `BoundedElasticity` refuses.
    """

    def __init__(
        self,
        grid: Grid,
        split: Split,
        faces: FaceConditions,
        *,
        held: np.ndarray | None = None,
        held_values: np.ndarray | float = 0.0,
        threads: int = 1,
    ):
        if split.dimensions != grid.dimensions:
            raise InputError(f"the split is for {split.dimensions} dimensions, the grid has {grid.dimensions}")
        lame, shear = np.broadcast_arrays(split.lame, split.shear)
        if lame.size not in (1, grid.cells):
            raise InputError(f"the split has constants for {lame.size} cells, the grid has {grid.cells}")
        axial = lame + 2.0 * shear
        if not 0.0 < float(axial.max()) < np.inf:
            raise InputError("the Lamé constants must be finite and somewhere > 0; is there any material in the box?")
        stiffest = int(axial.argmax())
        reference = float(lame[stiffest]), float(shear[stiffest])
        alike = np.abs(lame * reference[1] - reference[0] * shear) <= _SAME * reference[1] * axial
        self._uniform = reference[1] > 0.0 and bool(np.all(alike))
        if not self._uniform:
            solid = axial > 0.0
            reference = float(lame[solid].mean()), float(shear[solid].mean())
        self.grid, self.split, self.faces = grid, split, faces
        self.elastic = BoundedElasticity(
            grid, reference, faces, plane=split.plane, held=held, held_values=held_values, threads=threads
        )
        self.loads, self.passes = self.elastic.loads, self.elastic.passes
        # Stiffness of the cells relative to the reference; that of a scalar needs no array.
        relative = axial / (reference[0] + 2.0 * reference[1])
        self._relative = relative[0] if relative.size == 1 else relative.reshape(self.passes.cells)
        self._points = GaussPoints(grid, self.passes, split)
        self._step = np.zeros((grid.dimensions, *self.passes.box)) if not split.linear else np.zeros(0)

    def solve(
        self,
        g: np.ndarray | float,
        load: float = 1.0,
        *,
        start: Equilibrium | np.ndarray | None = None,
        tolerance: float = 1e-6,
        max_iterations: int = 20000,
    ) -> SplitSolution:
        """The equilibrium under `load` times the given displacements and tractions.

        Args:
            g: degradation of ψ⁺ per cell, (*grid.shape).
            start: a solution for the same grid, scaled to the new load, or displacements (d, *nodes), of which those that are
                held are replaced; None starts from the ramp. Newton's method begins there unless the ramp has less energy.
            tolerance: of the relative residual (see `bounded`); met down to rounding.
            max_iterations: conjugate-gradient iterations in all.

        Raises:
            InputError: a degradation that is negative, not finite, of another shape or 0 everywhere, no stiffness in a cell
                under a traction; a tolerance that is not positive.
            NumericalError: not converged within `max_iterations`, or a load on a part that nothing holds.
        """
        if not tolerance > 0.0:
            raise InputError(f"the tolerance must be positive, got {tolerance}")
        g = self.elastic.read_factor(g).copy()
        factor = self.elastic.read_factor((g * self._relative).reshape(self.grid.shape))
        if self.split.linear and self._uniform:
            return self._solve_uniform(g, factor, load, start, tolerance, max_iterations)
        solve = self._solve_linear if self.split.linear else self._solve_newton
        return solve(g, float(factor.max()), load, start, tolerance, max_iterations)

    def mean_stress(self, g: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Mean over the Gauss points of each cell of the stress at displacements (d, *nodes), (m, *grid.shape)."""
        u = self.passes.whole(np.ascontiguousarray(u, float))
        return self._points.mean_stress(self.elastic.read_factor(g), u).reshape(-1, *self.grid.shape)

    def forces(self, g: np.ndarray | float, u: np.ndarray) -> tuple[np.ndarray, float]:
        """∂E/∂u (d, *nodes) at displacements u without any condition, and the energy E."""
        factor, vector = self.elastic.read_factor(g), self.passes.whole(np.ascontiguousarray(u, float))
        force, energy = self._points.forces(lambda v, out: self._points.respond(factor, v, out), vector)
        return force.reshape(u.shape), energy

    def tangent(self, g: np.ndarray | float, u: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """K_t(u) direction (d, *nodes) without any condition."""
        whole = self.passes.whole
        self._points.linearise(self.elastic.read_factor(g), whole(np.ascontiguousarray(u, float)))
        force, _ = self._points.forces(self._points.apply, whole(np.ascontiguousarray(direction, float)))
        return force.reshape(u.shape)

    def close(self) -> None:
        """End the threads."""
        self.elastic.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays it owns; a solve needs two vectors more."""
        return (
            self.elastic.memory_bytes
            + self._points.memory_bytes
            + self._step.nbytes
            + np.asarray(self._relative).nbytes
        )

    def _solve_uniform(
        self,
        g: np.ndarray,
        factor: np.ndarray,
        load: float,
        start: Equilibrium | np.ndarray | None,
        tolerance: float,
        limit: int,
    ) -> SplitSolution:
        found = self.elastic.solve(
            factor.reshape(self.grid.shape), load, start=start, tolerance=tolerance, max_iterations=limit
        )
        u, points = self.passes.whole(found.displacement), self._points
        if type(self.split) is NoSplit:
            points.plus[:] = (found.base_energy_density.reshape(self.passes.cells) * self._relative).reshape(-1)
            points.minus[:] = 0.0
            points.drive[:] = self.split.drive(points.plus, points.minus)
        else:
            points.respond(g, u, self.elastic.vectors[1])
        return self._solution(u, g, load, found.energy, found.nodal_forces, found.iterations, found.residual, 0)

    def _solve_linear(
        self,
        g: np.ndarray,
        stiffest: float,
        load: float,
        start: Equilibrium | np.ndarray | None,
        tolerance: float,
        limit: int,
    ) -> SplitSolution:
        force, ramp = (load * self.passes.whole(a) for a in (self.loads.force, self.loads.ramp))
        points, vectors = self._points, self.elastic.vectors
        points.linearise(g, ramp)
        iteration = ConjugateGradients(self.passes, vectors, points.apply, stiffest, force)
        u, scale = ramp.copy(), None
        if start is not None:
            scale = iteration.residual(ramp)
            u = self.elastic.starting_point(start, load, ramp)
        iteration.run(u, scale, tolerance, limit)
        points.respond(g, u, vectors[1])
        energy, residual = 0.5 * iteration.quadratic, _relative(iteration.norm, iteration.scale)
        return self._solution(u, g, load, energy, -iteration.r, iteration.iterations, residual, 0)

    def _solve_newton(
        self,
        g: np.ndarray,
        stiffest: float,
        load: float,
        start: Equilibrium | np.ndarray | None,
        tolerance: float,
        limit: int,
    ) -> SplitSolution:
        force, ramp = (load * self.passes.whole(a) for a in (self.loads.force, self.loads.ramp))
        newton = Newton(self._points, self.elastic.vectors, self._step, g, stiffest, force)
        u = ramp.copy()
        scale = newton.residual(u)
        if start is not None:
            least, u = newton.potential(ramp), self.elastic.starting_point(start, load, ramp)
            newton.residual(u)
            if newton.potential(u) > least:
                u = ramp.copy()
                newton.residual(u)
        newton.run(u, scale, tolerance, limit)
        linear = newton.linear
        residual = _relative(linear.norm, scale)
        return self._solution(u, g, load, newton.energy, -linear.r, linear.iterations, residual, newton.steps)

    def _solution(
        self,
        u: np.ndarray,
        g: np.ndarray,
        load: float,
        energy: float,
        forces: np.ndarray,
        iterations: int,
        residual: float,
        steps: int,
    ) -> SplitSolution:
        nodes, cells, points = self.loads.force.shape, self.grid.shape, self._points
        return SplitSolution(
            solver=self,
            displacement=u.reshape(nodes),
            g=g.reshape(cells),
            load=load,
            energy=energy,
            plus=points.plus.reshape(cells).copy(),
            minus=points.minus.reshape(cells).copy(),
            drive=points.drive.reshape(cells).copy(),
            nodal_forces=forces.reshape(nodes),
            iterations=iterations,
            newton_steps=steps,
            residual=residual,
        )


def _relative(norm: float, scale: float) -> float:
    return norm / scale if scale > 0.0 else 0.0
