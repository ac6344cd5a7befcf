"""The J-integral of a body between faces: the energy that flows to a crack tip per area that the crack grows by.

With the displacement gradient u_{i,k}, the stress σ and the density of elastic energy W,

    J_k = ∮ (W δ_kj − σ_ij u_{i,k}) n_j ds = ∫ (σ_ij u_{i,k} − W δ_kj) ∂q/∂x_j dV

for any function q that is 1 around the tip and 0 outside: the second form, a mean over many contours, is the one computed here.
Only cells where q varies count. J·t is the energy release rate of a crack along t, in space times the length of its front. W and
σ are those with the degradation of damage, so that a contour may cross the crack behind its tip. J does not depend on q as
long as the material is homogeneous where q varies, apart from the crack itself.

In equilibrium of damage and displacements, a crack that grows steadily along x has J_x = ∫ w(φ) dy, what its trail dissipates per
length, where the contour crosses it.

Products are of means over cells, which leaves an error of second order in the size of cells.

J. R. Rice, J. Appl. Mech. 35 (1968) 379, doi:10.1115/1.3601206; F. Z. Li, C. F. Shih, A. Needleman, Eng. Fract. Mech. 21
(1985) 405, doi:10.1016/0013-7944(85)90029-3 (the form with q).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.bounded_solution import BoundedSolution, SplitSolution
from phasefield.spectral.grid import AXIS_NAMES, Grid


def plateau(
    grid: Grid, centre: Sequence[float], inner: float | Sequence[float], outer: float | Sequence[float]
) -> np.ndarray:
    """q at the nodes (*nodes): 1 in a box around `centre`, falling linearly to 0 at a larger one.

    Args:
        centre: [x, y] or [x, y, z].
        inner, outer: half of the boxes' lengths, one number or one per axis.

    Raises:
        InputError: boxes that are not one within the other and both within the body.
    """
    d = grid.dimensions
    if len(centre) != d:
        raise InputError(f"centre: needs {d} coordinates on this grid (got {len(centre)})")
    small, large = (np.broadcast_to(np.asarray(a, float), (d,)) for a in (inner, outer))
    if not np.all((small > 0.0) & (large > small)):
        raise InputError(f"the boxes of q: outer must be larger than inner, and inner positive (got {inner}, {outer})")
    q = np.ones(tuple(n + 1 for n in grid.shape))
    for axis in range(d):
        length = grid.axes[axis].length
        slack = 1e-9 * length
        if centre[axis] - large[axis] < -slack or centre[axis] + large[axis] > length + slack:
            raise InputError(
                f"the outer box of q leaves the body along {AXIS_NAMES[axis]}: "
                f"{centre[axis] - large[axis]:g} … {centre[axis] + large[axis]:g}, the body 0 … {length:g}"
            )
        line = np.arange(grid.axes[axis].cells + 1) * grid.spacing[axis]
        along = np.clip((large[axis] - np.abs(line - centre[axis])) / (large[axis] - small[axis]), 0.0, 1.0)
        shape = [1] * d
        shape[d - 1 - axis] = -1
        q = np.minimum(q, along.reshape(shape))
    return q


def j_integral(solution: BoundedSolution | SplitSolution, q: np.ndarray) -> np.ndarray:
    """J of an equilibrium, components (d,) along x, y(, z); per thickness in the plane.

    Args:
        q: at the nodes, (*nodes), as `plateau` makes it.

    Raises:
        InputError: a q of another shape.
    """
    grid = solution.solver.grid
    d = grid.dimensions
    if q.shape != tuple(n + 1 for n in grid.shape):
        raise InputError(f"q: has the shape {q.shape}, the nodes {tuple(n + 1 for n in grid.shape)}")
    slope = [_cell_mean(q, j, grid) for j in range(d)]
    stress = _tensor(solution.stress, d)
    result = np.empty(d)
    for k in range(d):
        flow = -solution.energy_density * slope[k]
        for i in range(d):
            gradient = _cell_mean(solution.displacement[i], k, grid)
            flow += gradient * sum(stress[i][j] * slope[j] for j in range(d))
        result[k] = float(flow.sum()) * grid.cell_volume
    return result


def _cell_mean(field: np.ndarray, direction: int, grid: Grid) -> np.ndarray:
    """Mean over each cell of the derivative along `direction` of a field given at the nodes."""
    d = grid.dimensions
    for k in range(d):
        axis = d - 1 - k
        n = field.shape[axis]
        low, high = np.take(field, range(n - 1), axis=axis), np.take(field, range(1, n), axis=axis)
        field = (high - low) / grid.spacing[k] if k == direction else 0.5 * (low + high)
    return field


def _tensor(mandel: np.ndarray, d: int) -> list[list[np.ndarray]]:
    """σ_ij of Mandel components, 2: xx, yy, √2 xy; 3: xx, yy, zz, √2 yz, √2 xz, √2 xy."""
    places = [[0, 2], [2, 1]] if d == 2 else [[0, 5, 4], [5, 1, 3], [4, 3, 2]]
    return [[mandel[p] * (1.0 if p < d else np.sqrt(0.5)) for p in row] for row in places]
