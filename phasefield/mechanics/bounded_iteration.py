"""Conjugate gradients for a box with conditions on its faces (see `bounded`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from phasefield.errors import NumericalError
from phasefield.mechanics.bounded_passes import Passes

# Residuals below this many roundings of the forces that displacements of this size could cause are zero. Bodies on a few points
# can turn far with little strain, so the strain energy is no measure of rounding.
ROUNDINGS = 10.0
# Residuals of solvable problems do not grow by this factor, whatever the contrast.
DIVERGED = 1e8


class ConjugateGradients:
    """Minimises ½ u·K u − f·u over the nodes that are not held.

    r is f − K u at all nodes, so that at held ones it is minus the reaction; norm is √(r·M⁻¹r) over the others, scale that of the
    ramp, quadratic u·K u; all are those of the displacement that `run` leaves behind.

    Args:
        vectors: three work arrays; apply: (u, out) → u·K u, which leaves K u in `out` as `Passes.apply` does; stiffest: the
            largest stiffness of a cell by that of `passes`; force: f.
    """

    def __init__(
        self,
        passes: Passes,
        vectors: Sequence[np.ndarray],
        apply: Callable[[np.ndarray, np.ndarray], float],
        stiffest: float,
        force: np.ndarray,
    ):
        self.passes, self.apply, self.force, self._stiffest = passes, apply, force, stiffest
        self.r, self._p, self._q = vectors
        self.iterations, self.norm, self.scale, self.quadratic = 0, 0.0, 0.0, 0.0

    def residual(self, u: np.ndarray, response: Callable[[np.ndarray, np.ndarray], float] | None = None) -> float:
        """Set r for the displacement u; its norm. `response` stands for `apply` where forces are not linear in u."""
        self.quadratic = (response or self.apply)(u, self._q)

        def before(b: int) -> None:
            first, last = self.passes.nodes_of(b)
            self.r[:, first:last] = self.force[:, first:last]
            self.passes.subtract(1.0, self._q, self.r, b)

        square = self.passes.precondition(self.r, before)
        if not np.isfinite(square):
            raise NumericalError("elasticity: the displacements are not finite")
        return float(np.sqrt(square))

    def run(self, u: np.ndarray, scale: float | None, tolerance: float, limit: int) -> None:
        """Move u to the solution; `scale` is the residual of the ramp, None where u is the ramp.

        Raises:
            NumericalError: see `BoundedElasticity.solve`.
        """
        last = np.inf
        while True:
            self.norm = self.residual(u)
            self.scale = scale = self.norm if scale is None else scale
            goal = max(tolerance * scale, self.rounding(u))
            if self.norm <= goal:
                return
            # The recurrence says that it has converged, the true residual does not: begin again from there.
            if not self.norm < 0.5 * last:
                raise NumericalError(f"elasticity: rounding keeps the relative residual at {self.norm / scale:.1e}")
            last = self.norm
            self.descend(u, goal, limit)

    def rounding(self, u: np.ndarray) -> float:
        """The norm of rounding errors of K u, which are about independent from node to node."""
        force = np.sqrt(self.passes.nodal_stiffness * self._stiffest * u.size) * float(np.abs(u).max())
        return ROUNDINGS * float(np.finfo(float).eps) * force

    def descend(self, u: np.ndarray, goal: float, limit: int) -> float:
        """From the r and norm of u until their recurrence reaches the goal; r·Δu with the first r and the change of u."""
        p, square, descent = self._p, self.norm**2, 0.0
        p[...] = 0.0
        self.passes.turn(0.0, 0.0, u, p)
        while square > goal**2:
            if self.iterations == limit:
                found = np.sqrt(square) / self.scale
                raise NumericalError(f"elasticity: relative residual {found:.1e} after {limit} iterations")
            curvature = self.apply(p, self._q)
            if not (curvature > 0.0 and square < (DIVERGED * self.norm) ** 2):
                raise NumericalError("elasticity: a load acts on a part of the body that nothing holds")
            alpha = square / curvature
            remaining = self.passes.precondition(self.r, lambda b, alpha=alpha: self._subtract(alpha, b))
            self.passes.turn(alpha, remaining / square, u, p)
            descent += alpha * square
            square = remaining
            self.iterations += 1
        return descent

    def _subtract(self, alpha: float, b: int) -> None:
        self.passes.subtract(alpha, self._q, self.r, b)
