"""Minimise ½ x·Ax − b·x over lower ≤ x ≤ 1, A symmetric and positive definite with no positive entry off its diagonal.

`mprgp`: conjugate gradients on the free cells; a projected gradient step where they meet a bound; a step of the cells that
want to leave their bounds when these dominate. Converges R-linearly, at a rate in terms of the spectrum of A (Dostál and
Schöberl 2005).

`active_set`: primal–dual active sets. Cells are held at the bound that x − g/d oversteps, conjugate gradients solve for
the others. Ends after finitely many sets where these solves are exact, A being an M-matrix (Hintermüller, Ito and Kunisch
2003); here they are as good as needed.

Both take the diagonal d of A as their metric: in the variables √d x, A has no eigenvalue above 2, because no row of A adds up, in
absolute values, to more than twice its diagonal. Both end when the projected scaled residual max |x − P(x − g/d)| is at most the
tolerance: a number in units of the damage. A·1 ≥ b in fracture, so that x ≤ 1 holds by itself; the methods know the bound all the
same.

Z. Dostál, J. Schöberl, Comput. Optim. Appl. 30 (2005) 23, doi:10.1007/s10589-005-4557-7;
M. Hintermüller, K. Ito, K. Kunisch, SIAM J. Optim. 13 (2003) 865, doi:10.1137/S1052623401383558.
"""

from __future__ import annotations

import numpy as np

from phasefield.errors import NumericalError
from phasefield.mechanics.damage_operator import DamageOperator
from phasefield.mechanics.damage_preconditioners import Preconditioner
from phasefield.registry import register

# Length of the projected gradient step in the metric d: at most 2 over the largest eigenvalue, which is 2 or less.
STEP = 1.0
# Γ² of the test whether cells at bounds dominate.
PROPORTION = 1.0
# Inner conjugate gradients end at this share of the residual with which a set of cells began, or of the tolerance.
INNER, INNER_TOLERANCE = 0.02, 0.3
LARGEST_COUNT = 100_000
LARGEST_SETS = 1000


def _check(sums: np.ndarray, operator: DamageOperator) -> None:
    if not np.isfinite(sums[:6]).all():
        raise NumericalError("the damage solver met a number that is not finite")
    if operator.products > LARGEST_COUNT:
        raise NumericalError(f"the damage solver has not converged after {operator.products} products")


@register("damage_method", "mprgp")
def mprgp(operator: DamageOperator, preconditioner: Preconditioner, tolerance: float) -> float:
    """Modified proportioning with reduced gradient projections, from `operator.x`, which it overwrites; returns the residual."""
    enough = operator.x.size * tolerance**2
    operator.clip()
    sums = operator.gradient_of_state()
    fresh = True
    while True:
        _check(sums, operator)
        # The largest residual is looked for once the mean one allows that it is small enough.
        if sums[4] <= enough and (residual := operator.largest()[0]) <= tolerance:
            return residual
        releasing = bool(sums[2] > PROPORTION * sums[1])
        if releasing:
            operator.release()
        elif fresh:
            preconditioner.apply(sums)
            operator.search_from_z()
        curvature, slope = operator.multiply()
        # AT1 without energy has no curvature where all cells move alike: they go to a bound.
        step = slope / curvature if curvature > 0.0 else 0.0
        if curvature > 0.0:
            sums = operator.move(step)
        too_far = curvature <= 0.0 or bool(sums[6])
        if too_far:
            operator.expand(step, 0.0 if releasing else STEP)
            sums = operator.gradient_of_state()
        elif not releasing:
            operator.search(preconditioner.apply(sums)[1] / curvature)
        fresh = releasing or too_far


@register("damage_method", "active_set")
def active_set(operator: DamageOperator, preconditioner: Preconditioner, tolerance: float) -> float:
    """Primal–dual active sets, from `operator.x`, which it overwrites; returns the residual."""
    lower, upper = operator.lower, operator.upper
    held = np.empty_like(lower)
    np.clip(operator.x, lower, upper, out=operator.x)
    try:
        for _ in range(LARGEST_SETS):
            operator.lower, operator.upper = lower, upper
            _check(operator.gradient_of_state(), operator)
            residual = operator.largest()[0]
            if residual <= tolerance:
                return residual
            target = operator.x - operator.g * operator.inverse
            # The bounds of the free cells are moved out of the way, the held ones are pinned to theirs.
            low = target <= lower
            high = (target >= upper) & ~low
            np.copyto(operator.x, lower, where=low)
            operator.x[high] = upper
            held.fill(-np.inf)
            held[low | high] = operator.x[low | high]
            operator.lower, operator.upper = held, np.inf
            if not _inner(operator, preconditioner, max(INNER_TOLERANCE * tolerance, INNER * residual)):
                np.copyto(operator.x, lower, where=operator.p > 0.0)
                operator.x[operator.p < 0.0] = upper
            np.clip(operator.x, lower, upper, out=operator.x)
    finally:
        operator.lower, operator.upper = lower, upper
    raise NumericalError(f"the damage solver has not found the cells at bounds (residual {residual:.3g})")


def _inner(operator: DamageOperator, preconditioner: Preconditioner, tolerance: float) -> bool:
    """Conjugate gradients on the free cells, until no g/d of theirs is above the tolerance; False if p has no curvature."""
    enough = operator.x.size * tolerance**2
    sums = operator.gradient_of_state()
    jacobi = sums.copy()
    preconditioner.apply(sums)
    operator.search_from_z()
    while True:
        _check(jacobi, operator)
        if jacobi[5] <= enough and operator.largest()[1] <= tolerance:
            return True
        curvature, slope = operator.multiply()
        if curvature <= 0.0:
            return False
        jacobi = operator.move(slope / curvature)
        operator.search(preconditioner.apply(jacobi)[1] / curvature)
