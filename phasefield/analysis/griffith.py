"""The Griffith curve of a specimen: the load at which a crack of each length is about to grow, by linear elasticity alone.

At unit load, with the crack of length a cut into the cells, the body has the potential Π₁(a) = ½ u·K u − f·u. Loads scale it with
s². When the crack front, of width B, moves on at a held load, the energy released per area is

    G(a) = − s² Π₁′(a) / B ,    so that G = Gc gives    s_c(a) = √(Gc B / −Π₁′(a)) .

Under displacements without tractions Π₁ is the elastic energy F₁. If the unit load is one unit displacement, its force is
P = 2 F₁ s (Clapeyron): with k = 2 F₁ the stiffness of the specimen, s_c = √(2 Gc B / −k′) and P_c = k s_c. If the load is one
force, 2 F₁ s is the displacement of its point. Where s_c falls with a, growth under that load is unstable.

Π₁′ is taken by central differences of second order over the given lengths, one-sided at the two ends. Cells make Π₁ a smooth
function of the number of cells, so that steps of one to four cells serve; a row of empty cells acts as a crack
about h/10 longer (two grids, edge crack under tension), which is not corrected here.

A. A. Griffith, Phil. Trans. R. Soc. A 221 (1921) 163, doi:10.1098/rsta.1921.0006; G. R. Irwin, J. A. Kies, Welding J. 33
(1954) 193 (the energy release rate from the stiffness).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.spectral.grid import Axis, Grid

# A length that is this fraction of a cell off a whole number of cells counts as whole.
_WHOLE = 1e-6


@dataclass(frozen=True)
class GriffithCurve:
    """A specimen with growing crack; arrays (lengths,).

    lengths: a; energy: elastic energy F₁ at unit load (per thickness in the plane); release: G at unit load, −Π₁′/B; load:
    critical load factor s_c, inf where the crack releases no energy; reaction: 2 F₁ s_c, the force on the one prescribed
    displacement (or the displacement of the one force).
    """

    lengths: np.ndarray
    energy: np.ndarray
    release: np.ndarray
    load: np.ndarray
    reaction: np.ndarray


def griffith_curve(
    solver: BoundedElasticity,
    crack: Callable[[float], np.ndarray] | Sequence[np.ndarray],
    lengths: Sequence[float] | np.ndarray,
    toughness: float,
    *,
    width: float = 1.0,
    tolerance: float = 1e-6,
) -> GriffithCurve:
    """Solve once for every length, each time from the solution before, and differentiate.

    Args:
        solver: the specimen with its unit load.
        crack: factors of the stiffness g (*grid.shape) of the specimen with a crack of a given length, or one array per length;
            `edge_crack` makes the usual one.
        lengths: a, increasing, at least three; best two cells apart.
        toughness: Gc > 0.
        width: B of the crack front, 1 in the plane (energies per thickness), the thickness of the body in space.
        tolerance: of the solver; the energy has about its square as relative error.

    Raises:
        InputError: lengths that do not increase or are fewer than three, another number of arrays, a toughness or width that is
            not positive; see also `BoundedElasticity.solve`.
    """
    a = np.asarray(lengths, float)
    if a.ndim != 1 or a.size < 3 or not np.isfinite(a).all() or not np.all(np.diff(a) > 0.0):
        raise InputError("lengths: a Griffith curve needs at least three lengths, increasing")
    if not (0.0 < toughness < np.inf and 0.0 < width < np.inf):
        raise InputError(f"toughness and width must be positive (got {toughness:g} and {width:g})")
    if not callable(crack) and len(crack) != a.size:
        raise InputError(f"crack: {len(crack)} arrays for {a.size} lengths")
    energy, potential = np.empty_like(a), np.empty_like(a)
    solution = None
    for i, length in enumerate(a):
        factor = crack(float(length)) if callable(crack) else crack[i]
        solution = solver.solve(factor, start=solution, tolerance=tolerance)
        energy[i] = solution.energy
        potential[i] = solution.energy - float(np.vdot(solver.loads.force, solution.displacement))
    release = -np.gradient(potential, a, edge_order=2) / width
    load = np.full_like(a, np.inf)
    np.sqrt(toughness / np.where(release > 0.0, release, 1.0), out=load, where=release > 0.0)
    return GriffithCurve(a, energy, release, load, 2.0 * energy * load)


def edge_crack(grid: Grid, *, residual: float = 0.0) -> Callable[[float], np.ndarray]:
    """g of a crack from the face x = 0 along x: of the row of cells above mid-height (all along z) the factor is `residual`.

    Raises:
        InputError: (by the function returned) a length that is not a whole number of cells, or beyond the body.
    """
    x = grid.axes[0]

    def factor(length: float) -> np.ndarray:
        count = round(length / x.spacing)
        if not 0 <= count <= x.cells or abs(length / x.spacing - count) > _WHOLE:
            raise InputError(
                f"crack: the length {length:g} must be a whole number of cells of {x.spacing:g}, 0 to {x.cells} of them"
            )
        g = np.ones(grid.shape)
        g[..., grid.axes[1].cells // 2, :count] = residual
        return g

    return factor


def sent_specimen(
    cells: int, *, young: float = 210.0, poisson: float = 0.3, size: float = 1.0, threads: int = 1
) -> BoundedElasticity:
    """Single-edge-notch tension: a square in plane strain, clamped below; above u_x = 0, and u_y is the load. kN and mm.

    C. Miehe, M. Hofacker, F. Welschinger, Comput. Methods Appl. Mech. Engrg. 199 (2010) 2765, doi:10.1016/j.cma.2010.04.011.
    """
    grid = Grid((Axis("x", cells, size), Axis("y", cells, size)))
    faces = FaceConditions.of({"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}}, grid)
    lame = young * poisson / ((1.0 + poisson) * (1.0 - 2.0 * poisson)), young / (2.0 * (1.0 + poisson))
    return BoundedElasticity(grid, lame, faces, threads=threads)
