"""Bodies that move: M ü = −f(u, φ) − C u̇ + loads, explicit in time, on the elements of the equilibrium solvers.

    v(t + Δt/2) = v(t − Δt/2) + Δt/M (−f(u(t), φ(t)) − C v̄ + loads(t)),     u(t + Δt) = u(t) + Δt v(t + Δt/2)

with v̄ the mean of both velocities (Newmark 1959 with β = 0, "central differences", velocity Verlet, leapfrog: the same scheme).
M is lumped: an equal share of the mass of a cell at each of its corners. Without loads, damping and cracks T + U is conserved
exactly in linear bodies, with U at t and T = ½ v(t − Δt/2)·M v(t + Δt/2).

| scheme | strain | |
|---|---|---|
| `full` | at 2ᵈ Gauss points | elements of `bounded` |
| `rotated` | at the centre | rotated scheme of `periodic`; hourglass modes have `hourglass` times the stiffness of μ |

Displacements are periodic, along periodic axes, about those of a mean strain `strain`.

T. J. R. Hughes, The Finite Element Method (1987), ch. 9; D. P. Flanagan, T. Belytschko, Int. J. Numer. Methods Eng. 17 (1981)
679, doi:10.1002/nme.1620170504 (hourglass stiffness); E. H. Saenger, N. Gold, S. A. Shapiro, Wave Motion 31 (2000) 77,
doi:10.1016/S0165-2125(99)00023-2 (rotated grid).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.mechanics import dynamic_kernels as kernels
from phasefield.mechanics import dynamic_kernels_3d as space
from phasefield.mechanics.lattice_waves import element_limit, hourglass_coefficients
from phasefield.mechanics.splits import Hybrid, NoSplit, Spectral, Split, StarConvex
from phasefield.registry import register
from phasefield.spectral.grid import Grid
from phasefield.spectral.pool import Pool

# By the number of dimensions.
PUSH = {2: kernels.push_2d, 3: space.push_3d}
ENERGIES = {2: kernels.energies_2d, 3: space.energies_3d}
SCRATCH = {2: kernels.SCRATCH_2D, 3: space.SCRATCH_3D}
SCHEMES = {"full": kernels.FULL, "rotated": kernels.ROTATED}
HOURGLASS = 0.05
# Cells of a block: what one thread handles at a time. Does not depend on their number, as sums are added block by block.
BLOCK_CELLS = 16384
# Rows of a block at least: every block goes through the row of cells before it once more.
BLOCK_ROWS = 8
# Materials of more kinds than these get one bound of the step for all of them.
KINDS = 64


@register("moving_body", "cpu")
class MovingBody:
    """Nodes with masses, and the cells between them.

    Args:
        grid: with periodic axes and, where the body has faces, no-flux ones.
        split: with λ and μ of the cells, 0 in voids.
        density: ρ, mass per volume: a number, or one per cell (*grid.shape); what it is in voids has no meaning.
        scheme: `full` or `rotated`.
        hourglass: of `rotated`, see above.
        residual_stiffness: η in g = (1 − η)(1 − φ)² + η.
        threads: the most that are used; results have the same bits for any number.

    Attributes:
        u, v: displacement and velocity (d, *nodes), components x first, nodes = cells + 1 along each axis; the last nodes along a
            periodic axis are copies of the first.
        mass: M (*nodes); nodes without any, in voids, never move.
        strain: mean strain of a periodic cell, tensor components xx, yy, xy or xx, yy, zz, yz, xz, xy.
        expansion: ε* of thermal strains ε* I, broadcastable to grid.shape; None for none.
        kinetic: T at the time of u. lost: what damping has taken since the start.

    Raises:
        InputError: an unknown scheme, densities that are not positive, axes that are neither periodic nor no-flux.
    """

    def __init__(
        self,
        grid: Grid,
        split: Split,
        density: float | np.ndarray,
        *,
        scheme: str = "full",
        hourglass: float = HOURGLASS,
        residual_stiffness: float = 1e-9,
        threads: int = 1,
    ):
        if scheme not in SCHEMES:
            raise unknown("scheme", scheme, SCHEMES)
        if grid.fixed or grid.dimensions not in (2, 3):
            raise InputError("a moving body needs two or three axes that are periodic or no_flux")
        self.grid, self.split, self.scheme = grid, split, scheme
        d, shape = grid.dimensions, grid.shape
        self.nodes = tuple(n + 1 for n in shape)
        self.periodic = tuple(axis.boundary == "periodic" for axis in grid.axes)
        self._lame, self._shear = split.constants
        self.solid = np.broadcast_to(self._lame + 2.0 * self._shear > 0.0, (grid.cells,)).reshape(shape)
        self.density = np.broadcast_to(np.asarray(density, float), shape)
        if not (self.density[self.solid] > 0.0).all() or not np.isfinite(self.density[self.solid]).all():
            raise InputError("the density must be finite and greater than 0")
        self._hourglass = hourglass if scheme == "rotated" else 0.0
        self.mass = self._lumped(np.where(self.solid, self.density, 0.0) * grid.cell_volume)
        with np.errstate(divide="ignore"):
            self.inverse_mass = np.where(self.mass > 0.0, 1.0 / self.mass, 0.0)
        self.u, self.v = np.zeros((d, *self.nodes)), np.zeros((d, *self.nodes))
        self.strain = np.zeros(3 if d == 2 else 6)
        self.expansion: np.ndarray | None = None
        self._damping = np.zeros((d, *self.nodes))
        self._damped = False
        self.kinetic = self.lost = 0.0
        spacing = np.array(grid.spacing, float)
        self._gradient = 1.0 / (2.0 ** (d - 1) * spacing)
        self._eta, self._gamma = residual_stiffness, getattr(split, "gamma", -1.0)
        self._modes = self._hourglass * hourglass_coefficients(grid.spacing)
        self._wrap = np.array(self.periodic)
        # Rows of nodes along the slowest axis; of a periodic one the last are copies.
        self._rows = shape[0] if self.periodic[-1] else self.nodes[0]
        thick = max(BLOCK_ROWS, BLOCK_CELLS // (grid.cells // shape[0]))
        blocks = max(1, self._rows // thick)
        self._bounds = [self._rows * block // blocks for block in range(blocks + 1)]
        self._pool = Pool(threads if len(self._bounds) > 2 else 1)
        self._scratch = [np.zeros(SCRATCH[d]) for _ in range(self._pool.threads)]
        self._carry = [np.zeros((d, *self.nodes[1:])) for _ in range(self._pool.threads)]
        self._sums = np.zeros((len(self._bounds) - 1, 2))
        self._cells = [self._rows_of_cells(a) for a in (self._lame, self._shear)]
        self._unused = np.zeros((1, *shape[1:]))

    def _rows_of_cells(self, values: np.ndarray) -> np.ndarray:
        """(cells of the slowest axis, …), or one row of them where all are equal."""
        if np.size(values) == 1 or (values == values.flat[0]).all():
            return np.full((1, *self.grid.shape[1:]), values.flat[0])
        return np.ascontiguousarray(np.broadcast_to(values, (self.grid.cells,)).reshape(self.grid.shape))

    def _lumped(self, cells: np.ndarray) -> np.ndarray:
        """Equal shares of a quantity of cells (*grid.shape) at their corners (*nodes)."""
        share = cells / 2.0**self.grid.dimensions
        for axis in range(self.grid.dimensions):
            along = self.grid.dimensions - 1 - axis
            zero = np.zeros_like(np.take(share, [0], along))
            share = np.concatenate([zero, share], along) + np.concatenate([share, zero], along)
            if self.periodic[axis]:
                both = np.take(share, [0], along) + np.take(share, [-1], along)
                self._set_ends(share, along, both)
        return share

    @staticmethod
    def _set_ends(values: np.ndarray, along: int, ends: np.ndarray) -> None:
        index: list[slice] = [slice(None)] * values.ndim
        for end in (slice(0, 1), slice(-1, None)):
            index[along] = end
            values[tuple(index)] = ends

    @property
    def critical_step(self) -> float:
        """The largest stable Δt whatever cracks: 2/ω of the fastest mode of any single cell with its own mass.

        No assembly of cells has a higher frequency than the fastest of them (Irons and Treharne 1971,
        doi:10.1002/nme.1620030308), and degradation lowers those of all splits but `star_convex` with γ > 0, whose bulk modulus
        under pressure is at most 1 + γ times K.
        """
        stiffer = 1.0 + max(self._gamma, 0.0) if isinstance(self.split, StarConvex) else 1.0
        solid = self.solid.reshape(-1)
        columns = (np.broadcast_to(a, (self.grid.cells,))[solid] for a in (self._lame, self._shear))
        kinds = np.unique(np.stack([*columns, self.density.reshape(-1)[solid]]), axis=1).T
        if len(kinds) > KINDS:
            # The fastest of each by itself: a little too careful.
            kinds = np.array([[kinds[:, 0].max(), kinds[:, 1].max(), kinds[:, 2].min()]])
        return min(
            element_limit(self.grid.spacing, stiffer * lame, stiffer * shear, rho, self.scheme, self._hourglass)
            for lame, shear, rho in kinds
        )

    # --- dampers ------------------------------------------------------------------------------------------------

    def damp(self, coefficients: np.ndarray) -> None:
        """Add dampers C/M ≥ 0 (d, *nodes) or broadcastable, 1/time."""
        self._damping += np.where(self.mass > 0.0, coefficients, 0.0)
        self._damped = bool(self._damping.any())

    @property
    def damping(self) -> np.ndarray:
        """C/M (d, *nodes)."""
        return self._damping

    # --- u and v, wherever they are -----------------------------------------------------------------------------

    @property
    def displacement(self) -> np.ndarray:
        """u (d, *nodes) on the host, not to be written to."""
        return self.u

    @property
    def velocity(self) -> np.ndarray:
        """v likewise."""
        return self.v

    def put(self, u: np.ndarray | float, v: np.ndarray | float) -> None:
        """Replace u and v by arrays on the host, or numbers."""
        self.u[...], self.v[...] = u, v

    def place(self, index: tuple) -> Any:
        """What stands for components of some nodes, none twice: index arrays of u and v, on the host."""
        return index

    def displacement_at(self, place: Any) -> np.ndarray:
        """u of a `place`, a new array on the host."""
        return self.u[place]

    def velocity_at(self, place: Any) -> np.ndarray:
        """v likewise."""
        return self.v[place]

    def set_velocity(self, place: Any, values: np.ndarray) -> None:
        """Replace v of a `place`."""
        self.v[place] = values

    # --- a step -------------------------------------------------------------------------------------------------

    def _numbers(self) -> np.ndarray:
        grid = self.grid
        cell = [*self._gradient, grid.cell_volume, self._eta, self._gamma, *self._modes]
        return np.array([*cell, *self.strain])

    def _heat(self) -> tuple[np.ndarray, int]:
        if self.expansion is None:
            return self._unused, kernels.COLD
        expansion = np.asarray(self.expansion, float)
        rows = expansion.shape[0] if expansion.ndim == self.grid.dimensions else 1
        values = np.ascontiguousarray(np.broadcast_to(expansion, (rows, *self.grid.shape[1:])))
        return values, kernels.PLANE_STRESS if self.split.plane == "stress" else kernels.PLANE_STRAIN

    def _kind(self, driving: bool) -> int:
        if isinstance(self.split, Spectral) or (driving and isinstance(self.split, Hybrid)):
            return kernels.SPECTRAL
        assert isinstance(self.split, StarConvex | NoSplit)
        return kernels.LINEAR if self._gamma == -1.0 else kernels.STAR

    def move(self, step: float) -> None:
        """u += Δt v."""
        self._pool.run(lambda t, a, b: kernels.move(self.u, self.v, step, self._bounds[a], self._end(b)), self.blocks)

    def _end(self, block: int) -> int:
        """The first row of nodes behind a block: copies along a periodic axis move with the last block."""
        return self.nodes[0] if block == self.blocks else self._bounds[block]

    @property
    def blocks(self) -> int:
        return len(self._bounds) - 1

    def push(self, phi: np.ndarray, step: float) -> None:
        """v += Δt/M (−f(u, φ) − C v̄), and `kinetic` for a step that is as long before as after."""
        heat, heated = self._heat()
        push = PUSH[self.grid.dimensions](self._kind(False), SCHEMES[self.scheme], heated)
        numbers = self._numbers()

        def work(thread: int, first: int, last: int) -> None:
            for block in range(first, last):
                push(
                    self.u, self.v, phi, *self._cells, heat, numbers, self.inverse_mass, self._damping, self._damped, step,
                    self._wrap, self._bounds[block], self._bounds[block + 1],
                    self._scratch[thread], self._carry[thread], self._sums[block],
                )  # fmt: skip

        self._pool.run(work, self.blocks)
        self.copy_periodic(self.v)
        total = self._sums.sum(axis=0)
        self.kinetic = float(total[0])
        self.lost += float(total[1])

    def copy_periodic(self, nodal: np.ndarray) -> None:
        """The last nodes along periodic axes become copies of the first."""
        for axis, periodic in enumerate(self.periodic):
            if periodic:
                along = nodal.ndim - 1 - axis
                index: list[slice] = [slice(None)] * nodal.ndim
                first = (*index[:along], slice(0, 1))
                index[along] = slice(-1, None)
                nodal[tuple(index)] = nodal[first]

    def energies(self, plus: np.ndarray, minus: np.ndarray | None = None, *, driving: bool = False) -> None:
        """Fill in ψ⁺ and ψ⁻ (*grid.shape), without g: of the stress, or what drives cracks; they differ for `hybrid`."""
        heat, heated = self._heat()
        kernel = ENERGIES[self.grid.dimensions](self._kind(driving), SCHEMES[self.scheme], heated)
        numbers, cells = self._numbers(), self.grid.shape[0]
        other = self._unused.copy() if minus is None else minus

        def work(thread: int, first: int, last: int) -> None:
            for block in range(first, last):
                end = min(self._bounds[block + 1], cells)
                kernel(self.u, *self._cells, heat, numbers, self._bounds[block], end, plus, other)

        self._pool.run(work, self.blocks)

    # --- what it is like ----------------------------------------------------------------------------------------

    def elastic(self, phi: np.ndarray) -> float:
        """U = ∫ gψ⁺ + ψ⁻ dV."""
        plus, minus = np.zeros(self.grid.shape), np.zeros(self.grid.shape)
        self.energies(plus, minus)
        whole = (1.0 - self._eta) * (1.0 - phi) ** 2 + self._eta
        return float((whole * plus + minus).sum()) * self.grid.cell_volume

    @property
    def own(self) -> tuple[slice, ...]:
        """The index of nodes that are no copies, in arrays (*nodes)."""
        return tuple(slice(0, -1) if p else slice(None) for p in reversed(self.periodic))

    def momentum(self) -> np.ndarray:
        """Σ M v (d)."""
        return np.array([float((self.mass * v)[self.own].sum()) for v in self.velocity])

    def strain_at_centres(self) -> np.ndarray:
        """Elastic strain at the centres of cells, Mandel components (m, *grid.shape)."""
        d = self.grid.dimensions
        slope, displacement = np.empty((d, d, *self.grid.shape)), self.displacement
        for c in range(d):
            for axis in range(d):
                value = displacement[c]
                for other in range(d):
                    along = d - 1 - other
                    n = value.shape[along]
                    low, high = np.take(value, range(n - 1), along), np.take(value, range(1, n), along)
                    value = (high - low) / self.grid.axes[axis].spacing if other == axis else 0.5 * (low + high)
                slope[c, axis] = value
        pairs = [(0, 0), (1, 1), (0, 1)] if d == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
        heat = 0.0 if self.expansion is None else self.expansion
        result = np.empty((len(pairs), *self.grid.shape))
        for k, (i, j) in enumerate(pairs):
            if i == j:
                result[k] = slope[i, i] + self.strain[k] - heat
            else:
                result[k] = np.sqrt(0.5) * (slope[i, j] + slope[j, i]) + np.sqrt(2.0) * self.strain[k]
        return result

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
