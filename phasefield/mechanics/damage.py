"""The damage of a body whose strain is held: minimise over φₙ ≤ φ ≤ 1

    ∫ (1 − φ)² H + c₁φ + ½c₂φ² + κ/2 |∇φ|² dV,    H = (1 − η)ψ⁺,

that is ½ φ·Aφ − b·φ with A = diag(c₂ + 2H) − ∇·κ∇ and b = 2H − c₁, per volume of a cell. The Laplacian is that of the
shared term on faces of cells (`energy.gradient`): no flux leaves through faces of the specimen or of empty cells, or the
box is periodic.

A has no positive entry off its diagonal, and A·1 − b = c₁ + c₂ > 0: φ ≤ 1 wherever φₙ is.

With a viscosity τ the damage follows τ φ_t = −δE/δφ in place of being at the minimum. A step Δt, with the ψ⁺ of its beginning, is
the same problem with ½ (τ/Δt)|φ − φₙ|² added to the energy: τ/Δt on the diagonal of A, (τ/Δt)φₙ in b. It is of first order, and
the energy at these strains does not grow, for any Δt:

    E(uₙ, φₙ₊₁) + (τ/Δt) ∫ |φₙ₊₁ − φₙ|² dV ≤ E(uₙ, φₙ)

where φₙ satisfies the bounds, because E is convex in φ. Equilibrium of u then lowers it further.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.energy.fracture import CrackEnergy, Degradation
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.damage_methods import active_set, mprgp  # noqa: F401 (registered)
from phasefield.mechanics.damage_operator import DamageOperator
from phasefield.mechanics.damage_preconditioners import Preconditioner
from phasefield.mechanics.irreversibility import Bounds
from phasefield.registry import lookup

# A penalty acts on a set of cells that is found by trying.
LARGEST_SETS = 100


@dataclass(frozen=True)
class DamageResult:
    """φ (grid.shape), how often A was applied, and the projected scaled residual max |φ − P(φ − g/diag A)|."""

    phi: np.ndarray
    iterations: int
    residual: float


class DamageSolver:
    """Damage for given strain energies on one grid.

    Args:
        cracks: the energy of cracks, with the grid, Gc, ℓ and empty cells.
        degradation: g and its η.
        irreversibility: `bounds`, `history`, `crack_set`, `penalty` or `reversible`.
        method: `mprgp` or `active_set`; preconditioner: `jacobi` or `laplacian`.
        threads: the most that are used; results have the same bits for any number.
    """

    def __init__(
        self,
        cracks: CrackEnergy,
        degradation: Degradation | None = None,
        irreversibility: str = "bounds",
        method: str = "mprgp",
        preconditioner: str = "jacobi",
        threads: int = 1,
    ):
        self.cracks, self.degradation = cracks, degradation or Degradation()
        self.irreversibility: Bounds = lookup("irreversibility", irreversibility)(cracks)
        self._method = lookup("damage_method", method)
        make = lookup("damage_preconditioner", preconditioner)
        self.operator = DamageOperator(cracks.grid, cracks.gradient, threads)
        self._preconditioner: Preconditioner = make(self.operator, threads)

    def solve(
        self, start: np.ndarray, accepted: np.ndarray, psi: np.ndarray, tolerance: float = 1e-6, *, rate: float = 0.0
    ) -> DamageResult:
        """φ for the energies ψ⁺.

        Args:
            start: where to begin, (grid.shape); is not changed.
            accepted: φₙ of the last accepted step, between 0 and 1.
            psi: ψ⁺ ≥ 0, or less where a split says that pressure holds damage back (then as 0), energy density.
            tolerance: of the projected scaled residual, in units of φ.
            rate: τ/Δt of a step of viscous damage, energy density; 0: at rest.

        Raises:
            InputError: a tolerance that is not positive, a rate that is negative or not finite, arrays of another shape.
            NumericalError: numbers that are not finite, no convergence.
        """
        shape = self.cracks.grid.shape
        for what, array in (("start", start), ("accepted damage", accepted), ("energy", psi)):
            if np.shape(array) != shape:
                raise InputError(f"the {what} has the shape {np.shape(array)}, the grid {shape}")
        if not tolerance > 0.0:
            raise InputError(f"the tolerance must be greater than 0, got {tolerance:g}")
        if not 0.0 <= rate < np.inf:
            raise InputError(f"the rate τ/Δt must be finite and at least 0, got {rate:g}")
        rule, local = self.irreversibility, self.cracks.local
        drive = self.degradation.drive(rule.drive(np.maximum(psi, 0.0)))
        if self.cracks.solid is not None:
            drive = np.where(self.cracks.solid, drive, 0.0)
        D, b = local.quadratic + 2.0 * drive + rate, 2.0 * drive - local.linear + rate * accepted
        self.operator.x[...] = np.reshape(start, self.operator.shape)
        self.operator.lower[...] = np.reshape(rule.lower(accepted), self.operator.shape)
        iterations = 0
        acting = rule.penalty(np.asarray(start), accepted)
        for _ in range(LARGEST_SETS):
            more = 0.0 if acting is None else acting
            self.operator.set(D + more, b + more * accepted)
            self._preconditioner.prepare()
            residual = self._method(self.operator, self._preconditioner, tolerance)
            iterations += self.operator.products
            phi = self.operator.x.reshape(shape).copy()
            last, acting = acting, rule.penalty(phi, accepted)
            if acting is None or last is None or np.array_equal(acting, last):
                return DamageResult(phi, iterations, residual)
        raise NumericalError("the cells on which the penalty acts were not found")

    def begin(self, phi: np.ndarray) -> None:
        """A run begins with this damage: what a history makes of it."""
        self.irreversibility.begin(phi)

    def accept(self, psi: np.ndarray) -> None:
        """A step has been accepted with these ψ⁺: what a history keeps."""
        self.irreversibility.accept(psi)

    def close(self) -> None:
        """End the threads."""
        self.operator.close()
        self._preconditioner.close()
