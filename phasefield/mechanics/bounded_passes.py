"""Passes over the nodes and cells of a box, block by block and with several threads: K u, M⁻¹ r, updates of vectors.

Blocks are rows of cells with the nodes at their low ends, and blocks of columns of each component in the preconditioner. Their
sizes do not depend on the number of threads and sums are added in order, so the bits do not either.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from phasefield.mechanics import bounded_kernels as kernels
from phasefield.mechanics.bounded_preconditioner import ComponentLaplacian
from phasefield.spectral.grid import Grid
from phasefield.spectral.pool import Pool
from phasefield.spectral.sweep import SERIAL_CELLS

# Four vectors in a block of rows. Smaller blocks than about twice the second-level cache cost more in calls than they save.
BLOCK_BYTES = 2 * 1024 * 1024


class Passes:
    """Vectors are (d, *box), box = (n0, n1, nx + 1) nodes with n1 = 1 in the plane; factors of the stiffness are `cells`.

    Args:
        lame: (λ, μ), λ* in plane stress; laplacians: one per component; free: their masks of nodes, see `Loads.mask`.
    """

    def __init__(
        self,
        grid: Grid,
        lame: tuple[float, float],
        laplacians: list[ComponentLaplacian],
        free: list[np.ndarray],
        threads: int,
    ):
        d = self.dimensions = grid.dimensions
        nz, ny, nx = grid.shape3
        self.box, self.cells = (
            ((nz + 1, ny + 1, nx + 1), (nz, ny, nx)) if d == 3 else ((ny + 1, 1, nx + 1), (ny, 1, nx))
        )
        self.laplacians, self._free = laplacians, free
        self._pool = Pool(threads if grid.cells > SERIAL_CELLS else 1)
        self.threads = self._pool.threads
        self._coefficients = kernels.coefficients(*lame, grid.spacing)
        self._density_scale = 0.5 / grid.cell_volume
        # About the diagonal of K where g = 1.
        self.nodal_stiffness = grid.cell_volume * (lame[0] + 2.0 * lame[1]) * sum(1.0 / h**2 for h in grid.spacing)
        self._stiffness = kernels.stiffness_2d if d == 2 else kernels.stiffness_3d
        self._density = kernels.density_2d if d == 2 else kernels.density_3d
        n0, n1, width = self.box
        height = max(1, BLOCK_BYTES // (4 * 8 * d * n1 * width))
        count = -(-(n0 - 1) // height)
        count += count % 2 if 1 < count < n0 - 1 else 0
        self.rows = list(pairwise((n0 - 1) * b // count for b in range(count + 1)))
        self.columns = [(c, *block) for c in range(d) for block in laplacians[c].blocks()]
        # What each block adds to the first row of nodes of the next one; the last one keeps that row for itself.
        self.edges = np.zeros((count, d, n1, width))
        self._no_edge = np.zeros((0, 0, 0))
        self._scratch = np.zeros((self.threads, *((6, width + 1) if d == 2 else (kernels.SCRATCH_3D,))))

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the work arrays."""
        return sum(a.nbytes for a in (self.edges, self._scratch, *self._free, *(c.padded for c in self.laplacians)))

    def whole(self, nodes: np.ndarray) -> np.ndarray:
        """Displacements or forces (d, *nodes) as vectors."""
        return nodes.reshape(self.dimensions, *self.box)

    def apply(self, g: np.ndarray, u: np.ndarray, out: np.ndarray) -> float:
        """out = K u but for what the blocks add to each other, which `subtract` knows; returns u·K u."""
        sums = np.zeros(len(self.rows))

        def work(thread: int, b: int) -> None:
            rows, scratch = self.rows[b], self._scratch[thread]
            sums[b] = self._stiffness(u, g, *rows, self._coefficients, scratch, out, self.edges[b])

        self.each(work, len(self.rows))
        self.finish(out)
        return float(sums.sum())

    def finish(self, out: np.ndarray) -> None:
        """Take what the last block adds to the row of nodes behind it."""
        out[:, -1] = self.edges[-1]

    def subtract(self, alpha: float, force: np.ndarray, r: np.ndarray, b: int) -> None:
        """r −= α K u in block b, `force` being the result of the last `apply`."""
        edge = self.edges[b - 1] if b > 0 else self._no_edge
        kernels.subtract(alpha, force, edge, r, *self.nodes_of(b))

    def stiffness(self, g: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, float]:
        """K u in a new array, and u·K u."""
        force, result = np.zeros_like(u), np.zeros_like(u)
        total = self.apply(g, u, force)
        for b in range(len(self.rows)):
            self.subtract(-1.0, force, result, b)
        return result, total

    def energy_density(self, u: np.ndarray) -> np.ndarray:
        """Mean of ½ ε:C:ε over the Gauss points, `cells`."""
        out = np.zeros(self.cells)

        def work(thread: int, b: int) -> None:
            self._density(u, out, *self.rows[b], self._coefficients, self._density_scale, out)

        self.each(work, len(self.rows))
        return out

    def precondition(self, r: np.ndarray, before: Callable[[int], None]) -> float:
        """Begin z = M⁻¹r, which `turn` finishes, after before(b) has made block b of r; returns r·M⁻¹r."""

        def forward(thread: int, b: int) -> None:
            before(b)
            for c, laplacian in enumerate(self.laplacians):
                laplacian.to_waves(r[c], self._free[c], *self.nodes_of(b))

        self.each(forward, len(self.rows))
        sums = np.zeros(len(self.columns))

        def divide(thread: int, b: int) -> None:
            c, first, last = self.columns[b]
            sums[b] = self.laplacians[c].divide(first, last)

        self.each(divide, len(self.columns))
        return float(sums.sum())

    def turn(self, alpha: float, beta: float, x: np.ndarray, p: np.ndarray) -> None:
        """x += α p, then p = z + β p."""

        def backward(thread: int, b: int) -> None:
            for c, laplacian in enumerate(self.laplacians):
                laplacian.turn(alpha, beta, self._free[c], *self.nodes_of(b), x[c], p[c])

        self.each(backward, len(self.rows))

    def nodes_of(self, b: int) -> tuple[int, int]:
        """First and last + 1 row of nodes of a block of rows."""
        first, last = self.rows[b]
        return first, last + 1 if b + 1 == len(self.rows) else last

    def each(self, work: Callable[[int, int], None], count: int) -> None:
        """work(thread, b) for b = 0 … count − 1, by several threads at once."""

        def share(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                work(thread, b)

        self._pool.run(share, count)
