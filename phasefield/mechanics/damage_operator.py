"""The quadratic function of the damage problem, ½ x·Ax − b·x with A = diag(D) − ∇·κ∇, its passes over the cells and its state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from phasefield.energy.gradient import GradientEnergy
from phasefield.mechanics import damage_kernels as kernels
from phasefield.spectral.grid import Grid
from phasefield.spectral.pool import Pool

# Cells of a block: what one thread handles at a time. Does not depend on their number, as sums are added block by block.
BLOCK_CELLS = 16384
# Up to this many cells a second thread costs more than it brings.
SERIAL_CELLS = 256 * 256


class DamageOperator:
    """Buffers and passes of ½ x·Ax − b·x over lower ≤ x ≤ upper on a grid.

    Args:
        gradient: the shared term, which states κ/h² of all faces.
        threads: the most that are used.

    Attributes: `x`, `g` = Ax − b, `z`, `p` and `q` = Ap, (n0, n1, nx) each; `lower` likewise, `upper`, a number; `inverse` of the
    diagonal of A; `products`, how often A was applied since `set`. Fields given to `set` are (grid.shape). `faces`: κ/h² of those
    between a cell and the next along each of the three axes; `across`: the sum over all faces of a cell.
    """

    def __init__(self, grid: Grid, gradient: GradientEnergy, threads: int = 1):
        self.grid, self.gradient = grid, gradient
        nz, ny, nx = grid.shape3
        self.shape = (ny, 1, nx) if grid.dimensions == 2 else (nz, ny, nx)
        faces = [face.reshape(self.shape) for face in gradient.faces(grid)]
        # From x, y, z to the slowest axis, the middle one, x; missing axes have no faces.
        faces += [np.zeros(self.shape)] * (3 - len(faces))
        self.faces = (faces[1], faces[2], faces[0]) if grid.dimensions == 2 else (faces[2], faces[1], faces[0])
        self.across = self._sum_of_faces()
        self.x, self.g, self.z, self.p, self.q, self.lower, self._y = (np.zeros(self.shape) for _ in range(7))
        self.b, self.D = np.zeros(self.shape), np.ones(self.shape)
        self.inverse = np.ones(self.shape)
        self.upper, self.products = 1.0, 0
        rows = max(1, BLOCK_CELLS // (self.shape[1] * self.shape[2]))
        self._bounds = [*range(0, self.shape[0], rows), self.shape[0]]
        self._pool = Pool(threads if grid.cells > SERIAL_CELLS else 1)
        self._sums = np.zeros((len(self._bounds) - 1, kernels.SUMS))

    def set(self, D: np.ndarray, b: np.ndarray) -> None:
        """The numbers of the problem, (grid.shape) or broadcastable; rows of A that are zero are made x = 0."""
        self.D[...] = np.broadcast_to(D, self.grid.shape).reshape(self.shape)
        self.b[...] = np.broadcast_to(b, self.grid.shape).reshape(self.shape)
        self.products = 0
        diagonal = self.D + self.across
        # An empty cell without faces and dissipation, or one of AT1 all alone.
        self.D[diagonal == 0.0] = 1.0
        diagonal[diagonal == 0.0] = 1.0
        np.divide(1.0, diagonal, out=self.inverse)

    def clip(self) -> None:
        """x = P(x), between the bounds."""
        np.clip(self.x, self.lower, self.upper, out=self.x)

    @property
    def mean(self) -> tuple[float, float]:
        """Means of D and κ over cells that have faces and may move: in a crack D is as large as its energy, without a role."""
        inside = (self.across > 0.0) & (self.lower < self.upper)
        kappa = np.broadcast_to(self.gradient.coefficient, self.grid.shape).reshape(self.shape)
        return (float(self.D[inside].mean()), float(kappa[inside].mean())) if inside.any() else (1.0, 0.0)

    def gradient_of_state(self) -> np.ndarray:
        """g = Ax − b, z = g/d of free cells; returns the sums of the state."""
        self.products += 1
        self.q[...] = 0.0
        return self._state(
            kernels.gradient,
            self.D,
            *self.faces,
            self.x,
            self.b,
            self.lower,
            self.upper,
            self.inverse,
            self.g,
            self.q,
            self.z,
        )

    def multiply(self) -> tuple[float, float]:
        """q = Ap; returns (p·q, g·p)."""
        self.products += 1
        total = self._run(kernels.product, self.D, *self.faces, self.p, self.g, self.q).sum(axis=0)
        return float(total[0]), float(total[1])

    def move(self, alpha: float) -> np.ndarray:
        """g −= αq, and x −= αp if all cells stay within their bounds; returns the sums of the new state.

        Where a cell would leave its bounds (the last of the sums) x is left as it was, for `expand` or `shorten`.
        """
        sums = self._state(
            kernels.move, alpha, self.x, self.g, self.p, self.q, self.lower, self.upper, self.inverse, self._y, self.z
        )
        if sums[6] == 0.0:
            self.x, self._y = self._y, self.x
        return sums

    def longest_step(self) -> float:
        """The longest step along −p within the bounds."""
        return float(self._run(kernels.longest_step, self.x, self.p, self.lower, self.upper)[:, 0].min())

    def expand(self, back: float, length: float) -> None:
        """To the nearest bound along −p, then one projected step of the free gradient; after a move by `back`, too far."""
        alpha = self.longest_step()
        self._run(
            kernels.expand,
            *(alpha, back, length),
            *(self.x, self.g, self.p, self.q, self.lower, self.upper, self.inverse),
        )

    def largest(self) -> tuple[float, float]:
        """(max of the projected scaled residual, max of g/d of free cells)."""
        sums = self._run(kernels.largest, self.x, self.g, self.lower, self.upper, self.inverse)
        return float(sums[:, 0].max()), float(sums[:, 1].max())

    def search(self, beta: float) -> None:
        """p = z − βp."""
        self._run(kernels.search, beta, self.z, self.p)

    def search_from_z(self) -> None:
        """p = z."""
        self.p[...] = self.z

    def release(self) -> None:
        """p = g/d of cells that want to leave their bound."""
        self._run(kernels.release, self.x, self.g, self.lower, self.upper, self.inverse, self.p)

    def only_free(self, out: np.ndarray) -> None:
        """out = g of free cells, zero elsewhere."""
        self._run(kernels.only_free, self.x, self.g, self.lower, self.upper, out)

    def restrict(self) -> tuple[float, float]:
        """z = 0 at bounds; returns (z·g, z·q)."""
        total = self._run(kernels.restrict, self.x, self.g, self.q, self.lower, self.upper, self.z).sum(axis=0)
        return float(total[0]), float(total[3])

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    def _state(self, kernel: Callable, *arguments: object) -> np.ndarray:
        return self._run(kernel, *arguments).sum(axis=0)

    def _run(self, kernel: Callable, *arguments: object) -> np.ndarray:
        bounds, sums = self._bounds, self._sums

        def work(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                kernel(*arguments, bounds[b], bounds[b + 1], sums[b])

        sums[...] = 0.0
        self._pool.run(work, len(sums))
        return sums

    def _sum_of_faces(self) -> np.ndarray:
        """The part of the diagonal of A that comes from the gradient."""
        return sum((f + np.roll(f, 1, axis) for axis, f in enumerate(self.faces)), np.zeros(self.shape))
