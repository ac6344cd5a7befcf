"""Newton's method around conjugate gradients for a box with faces and a split energy (see `bounded_split`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasefield.errors import NumericalError
from phasefield.mechanics.bounded_gauss import GaussPoints
from phasefield.mechanics.bounded_iteration import ConjugateGradients

# A step has to bring this part of the decrease that the slope at its beginning promises (Armijo).
SUFFICIENT = 1e-4
# Where the potential drowns in rounding, a step is good that leaves at most this part of the slope.
FLAT = 0.9
# Roundings of the energy that a potential is uncertain by.
ROUNDINGS = 100.0
# Steps shorter than this fraction lead nowhere.
SHORTEST_STEP = 1e-12
# The forcing term: the part of the residual that a linear problem leaves.
LOOSEST = 0.1
# The g that tangents have at least after steps that had to be shortened: where it ends, begins and is highest.
FLOORS = (1e-6, 1e-2, 0.3)


class Newton:
    """Minimises E(u) − f·u over the nodes that are not held, E being the energy of `points` with the degradation g.

    An open crack of small g is soft until it closes: a step that does not know the other side is long, and ends where the first
    cells close. After such a step tangents are those of max(g, floor), with which cracks move little, until full steps succeed
    again. These are positive too, so that directions are those of descent; the residual is that of g in any case.

    r, norm, scale, iterations are those of `ConjugateGradients`; energy is E, steps the number of Newton steps.

    Args:
        vectors: three work arrays; step: one more, with zeros at held nodes; stiffest: see `ConjugateGradients`.
    """

    def __init__(
        self,
        points: GaussPoints,
        vectors: Sequence[np.ndarray],
        step: np.ndarray,
        g: np.ndarray,
        stiffest: float,
        force: np.ndarray,
    ):
        self.points, self.g, self.force, self._step = points, g, force, step
        self.linear = ConjugateGradients(points.passes, vectors, points.apply, stiffest, force)
        self.energy, self.steps = 0.0, 0

    def residual(self, u: np.ndarray) -> float:
        """Set r = f − ∂E/∂u and E; the norm of r."""
        self.linear.norm = self.linear.residual(u, lambda v, out: self.points.respond(self.g, v, out))
        self.energy = self.linear.quadratic
        return self.linear.norm

    def potential(self, u: np.ndarray) -> float:
        """E − f·u after `residual`."""
        return self.energy - float(np.einsum("cabi,cabi->", self.force, u))

    def run(self, u: np.ndarray, scale: float, tolerance: float, limit: int) -> None:
        """Move u, for which `residual` was called last, to the solution.

        Raises:
            NumericalError: see `BoundedBody.solve`.
        """
        linear, step = self.linear, self._step
        linear.scale, forcing, floor = scale, LOOSEST, 0.0
        while True:
            norm, goal = linear.norm, max(tolerance * scale, linear.rounding(u))
            if norm <= goal:
                return
            self.points.linearise(np.maximum(self.g, floor) if floor > 0.0 else self.g, u)
            step[...] = 0.0
            descent = linear.descend(step, max(forcing * norm, 0.5 * goal), limit)
            length = self._search(u, descent)
            self.steps += 1
            if length < 0.5:
                floor = min(max(10.0 * floor, FLOORS[1]), FLOORS[2])
            elif length == 1.0:
                floor = 0.3 * floor if floor > FLOORS[0] else 0.0
            # Eisenstat and Walker's second choice, with a factor of 0.9 and the power 2.
            forcing = min(LOOSEST, 0.9 * (linear.norm / norm) ** 2)

    def _search(self, u: np.ndarray, descent: float) -> float:
        """Move u along the step, whose slope is −`descent` at first, until the potential falls as it should; the length.

        The potential is convex along the line and its slope has no cancellation: where a step is too long, the slopes at both
        ends tell by the secant where it vanishes.
        """
        before, size = self.potential(u), abs(self.energy)
        length, moved = 1.0, 0.0
        while length > SHORTEST_STEP:
            u += (length - moved) * self._step
            moved = length
            self.residual(u)
            fall = before - self.potential(u)
            if fall >= SUFFICIENT * length * descent:
                return length
            slope = -float(np.einsum("cabi,cabi->", self.linear.r, self._step))
            noise = ROUNDINGS * float(np.finfo(float).eps) * (size + abs(self.energy) + abs(before))
            if slope <= 0.0 or (fall >= -noise and slope <= FLAT * descent):
                return length
            length *= min(max(descent / (descent + slope), 1e-10), 0.9)
        raise NumericalError("elasticity: no step along the Newton direction lowers the potential")
