"""Discrete gradients D of a periodic cell, their adjoints and their Green operators K⁻¹, K_ik = D̄_j C⁰_ijkl D_l.

Which symbols D_j has in which scheme, and what they are good for, stands in `mechanics.periodic`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from phasefield.mechanics import periodic_kernels as kernels
from phasefield.mechanics.stiffness import PAIRS
from phasefield.registry import register
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.pool import Pool
from phasefield.spectral.symbols import wavenumbers
from phasefield.spectral.transforms import Engine

# Strain and stress of a block of cells, or a block of columns, should stay in the second-level cache.
BLOCK_BYTES = 1024 * 1024


class Scheme(ABC):
    """Discrete gradient, its adjoint and the Green operator, on blocks of rows (cells) and of columns (modes).

    Vectors of the conjugate gradients are real arrays `vector_shape` = (d, n0, w).
    """

    def __init__(self, grid: Grid, fields: int, width: int, engine: Engine, pool: Pool, dtype: np.dtype):
        self.grid, self.engine, self.pool, self.dtype = grid, engine, pool, dtype
        self.dimensions, self.components = d, m = grid.dimensions, len(PAIRS[grid.dimensions][0])
        n0, n1, nx = grid.shape[0], (grid.shape[1] if d == 3 else 1), grid.shape[-1]
        self.box, modes = (n0, n1, nx), nx // 2 + 1
        self.vector_shape = (d, n0, width)
        height = min(max(2, BLOCK_BYTES // (2 * m * n1 * nx * dtype.itemsize)), n0)
        self.rows = [slice(a, min(a + height, n0)) for a in range(0, n0, height)]
        self.cells = [slice(r.start * n1 * nx, r.stop * n1 * nx) for r in self.rows]
        lines = n1 * modes
        across = max(8, BLOCK_BYTES // (2 * fields * n0 * dtype.itemsize))
        self.columns = [(c, min(c + across, lines)) for c in range(0, lines, across)]
        self.axes = (2, 3) if d == 3 else (3,)
        self.hat = np.zeros((fields, n0, n1, modes), np.result_type(dtype, np.complex64))
        self.lines = self.hat.reshape(fields, n0, lines)
        self.modes = self.lines.view(dtype)
        self._make_symbols()

    def _make_symbols(self) -> None:
        """Tables t_j = column[j, e] row[j, a], and how many cells times modes of the full spectrum number e stands for."""
        d, (_, n1, nx) = self.dimensions, self.box
        # factor[j][n]: what axis n contributes to t_j, for the wavenumbers of axis n.
        pairs = [self.axis_factors(axis, half=n == 0) for n, axis in enumerate(self.grid.axes)]
        factor = [[pairs[n][0 if n == j else 1] for n in range(d)] for j in range(d)]
        self.row = np.stack([factor[j][d - 1] for j in range(d)])
        middle = [factor[j][1] if d == 3 else np.ones(1) for j in range(d)]
        # Twice, for real and imaginary parts.
        self.column = np.stack([np.repeat(np.outer(middle[j], factor[j][0]), 2) for j in range(d)])
        conjugates = np.full(nx // 2 + 1, 2.0)
        conjugates[0] = 1.0
        if nx % 2 == 0:
            conjugates[-1] = 1.0
        self.weight = self.grid.cells * np.repeat(np.tile(conjugates, n1), 2)
        self._green = kernels.green_2d if d == 2 else kernels.green_3d

    @staticmethod
    @abstractmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        """What an axis contributes to the derivative along itself and to the derivatives along the others."""

    def set_reference(self, stiffness: np.ndarray) -> None:
        """Take C⁰ (m, m) for the Green operator."""
        i, j = (np.array(a) for a in PAIRS[self.dimensions])
        c = stiffness / np.outer(*2 * [np.where(i == j, 1.0, np.sqrt(2.0))])
        position = np.zeros((self.dimensions, self.dimensions), int)
        position[i, j] = position[j, i] = np.arange(i.size)
        # K_ik = Σ_jl C_ijkl t_j t_l; off-diagonal products t_j t_l occur twice.
        pair = c[position[i[:, None], i], position[j[:, None], j]] + c[position[i[:, None], j], position[j[:, None], i]]
        self.acoustic = tuple(tuple(form) for form in (pair * np.where(i == j, 0.5, 1.0)).tolist())

    def _column_pass(self, work: Callable[[int, int], float | None], *, forward: bool, backward: bool) -> float:
        """For blocks of columns: transform along the slowest axis, work(first number, last), transform back; Σ of the results."""
        sums = np.zeros(len(self.columns))

        def blocks(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                begin, end = self.columns[b]
                view = self.lines[:, :, begin:end]
                if forward:
                    self.engine.complex(view, 1, True, view)
                sums[b] = work(2 * begin, 2 * end) or 0.0
                if backward:
                    self.engine.complex(view, 1, False, view)

        self.pool.run(blocks, len(self.columns))
        return float(sums.sum())

    def _green_sum(self, first: int, last: int) -> float:
        """z = K⁻¹ g in the work array; g·z."""
        z = self.modes[: self.dimensions]
        return self._green(self.acoustic, self.column, self.row, self.weight, first, last, z)

    def row_pass(self, work: Callable[[int, int, slice], None]) -> None:
        def blocks(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                work(thread, b, self.rows[b])

        self.pool.run(blocks, len(self.rows))

    def buffers(self, fields: int) -> list[np.ndarray]:
        """One array for the largest block of rows per thread, flat."""
        return [np.zeros(fields * self.cells[0].stop, self.dtype) for _ in range(self.pool.threads)]

    def block(self, buffer: np.ndarray, b: int, fields: int) -> np.ndarray:
        """The contiguous view (fields, rows, n1, nx) of a buffer that fits block b."""
        rows, (_, n1, nx) = self.rows[b].stop - self.rows[b].start, self.box
        return buffer[: fields * rows * n1 * nx].reshape(fields, rows, n1, nx)

    # What the solver asks for. `begin` and `end` frame a pass over the blocks of cells. `precondition` returns g·M⁻¹g, after it
    # has moved x and g when told so (`advance`), and leaves z = M⁻¹g behind, with which `turn` makes p = z + β p.

    @abstractmethod
    def begin(self, u: np.ndarray, mean: np.ndarray) -> None: ...

    @abstractmethod
    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None: ...

    @abstractmethod
    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None: ...

    @abstractmethod
    def end(self, out: np.ndarray) -> None: ...

    @abstractmethod
    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float: ...

    @abstractmethod
    def turn(self, beta: float, p: np.ndarray) -> None: ...

    @abstractmethod
    def to_cells(self, vector: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def from_cells(self, u: np.ndarray) -> np.ndarray: ...

    def at_centres(self, u: np.ndarray) -> np.ndarray:
        """Displacements (d, *shape), where `to_cells` has them, at the centres of cells."""
        return u


@register("elastic_scheme", "rotated")
class Rotated(Scheme):
    """Corner differences in real space; only the preconditioner transforms, d fields there and back."""

    def __init__(self, grid: Grid, engine: Engine, pool: Pool, dtype: np.dtype):
        d = grid.dimensions
        super().__init__(grid, d, grid.cells // grid.shape[0], engine, pool, dtype)
        _, n1, nx = self.box
        self._edges = np.zeros((len(self.rows), d, n1, nx), dtype)
        self._scratch = np.zeros((pool.threads, d * d + 1, nx + 1), dtype)
        self._z = self.buffers(d)
        self._strain = kernels.rotated_strain_2d if d == 2 else kernels.rotated_strain_3d
        self._force = kernels.rotated_force_2d if d == 2 else kernels.rotated_force_3d

    @staticmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        angle = 0.5 * axis.spacing * wavenumbers(axis, half=half)
        cosine = np.cos(angle)
        if axis.cells % 2 == 0:
            cosine[axis.cells // 2] = 0.0  # exactly, so that the modes the gradient does not see are recognised
        return 2.0 / axis.spacing * np.sin(angle), cosine

    def _full(self, vector: np.ndarray) -> np.ndarray:
        return vector.reshape(self.dimensions, *self.box)

    def begin(self, u: np.ndarray, mean: np.ndarray) -> None:
        pass

    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
        self._strain(self._full(u), self.rows[b].start, self.grid.spacing, mean, self._scratch[thread], out)

    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None:
        scratch, edge = self._scratch[thread], self._edges[b]
        self._force(stress, self.rows[b].start, self.grid.spacing, scratch, self._full(out), edge)

    def end(self, out: np.ndarray) -> None:
        for rows, edge in zip(self.rows, self._edges, strict=True):
            self._full(out)[:, rows.stop % self.box[0]] += edge

    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float:
        def forward(thread: int, b: int, rows: slice) -> None:
            if update is not None:
                alpha, x, p, force = update
                kernels.advance(alpha, x, g, p, force, rows.start, rows.stop)
            self.engine.real_forward(self._full(g)[:, rows], self.axes, self.hat[:, rows])

        self.row_pass(forward)
        return self._column_pass(self._green_sum, forward=True, backward=True)

    def turn(self, beta: float, p: np.ndarray) -> None:
        def backward(thread: int, b: int, rows: slice) -> None:
            z = self.block(self._z[thread], b, self.dimensions)
            self.engine.real_backward(self.hat[:, rows], self.axes, z)
            kernels.turn(beta, z.reshape(*z.shape[:2], -1), p, rows.start)

        self.row_pass(backward)

    def to_cells(self, vector: np.ndarray) -> np.ndarray:
        return vector.reshape(self.dimensions, *self.grid.shape).copy()

    def from_cells(self, u: np.ndarray) -> np.ndarray:
        return np.array(u, self.dtype).reshape(self.vector_shape)

    def at_centres(self, u: np.ndarray) -> np.ndarray:
        for axis in range(1, u.ndim):
            u = 0.5 * (u + np.roll(u, -1, axis))
        return u


@register("elastic_scheme", "fourier")
class Fourier(Scheme):
    """Derivatives of the trigonometric interpolant; strain and stress are transformed, vectors are coefficients i û."""

    def __init__(self, grid: Grid, engine: Engine, pool: Pool, dtype: np.dtype):
        modes = grid.cells // grid.axes[0].cells // grid.shape[0] * (grid.axes[0].cells // 2 + 1)
        super().__init__(grid, len(PAIRS[grid.dimensions][0]), 2 * modes, engine, pool, dtype)

    @staticmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        k = wavenumbers(axis, half=half)
        if axis.cells % 2 == 0:
            k[axis.cells // 2] = 0.0  # i k would make a real field imaginary there
        return k, np.ones_like(k)

    def begin(self, u: np.ndarray, mean: np.ndarray) -> None:
        def gradient(first: int, last: int) -> None:
            kernels.fourier_strain(u, self.column, self.row, first, last, mean, self.modes)

        self._column_pass(gradient, forward=False, backward=True)

    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
        self.engine.real_backward(self.hat[:, self.rows[b]], self.axes, out)

    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None:
        self.engine.real_forward(stress, self.axes, self.hat[:, self.rows[b]])

    def end(self, out: np.ndarray) -> None:
        def divergence(first: int, last: int) -> None:
            kernels.fourier_force(self.modes, self.column, self.row, first, last, out)

        self._column_pass(divergence, forward=True, backward=False)

    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float:
        if update is not None:
            alpha, x, p, force = update
            self.row_pass(lambda thread, b, rows: kernels.advance(alpha, x, g, p, force, rows.start, rows.stop))

        def green(first: int, last: int) -> float:
            self.modes[: self.dimensions, :, first:last] = g[:, :, first:last]
            return self._green_sum(first, last)

        return self._column_pass(green, forward=False, backward=False)

    def turn(self, beta: float, p: np.ndarray) -> None:
        z = self.modes[: self.dimensions]
        self.row_pass(lambda thread, b, rows: kernels.turn(beta, z[:, rows], p, rows.start))

    def to_cells(self, vector: np.ndarray) -> np.ndarray:
        u = np.empty((self.dimensions, *self.box), self.dtype)
        hat = -1j * vector.view(self.hat.dtype).reshape(self.dimensions, *self.hat.shape[1:])
        self.engine.complex(hat, 1, False, hat)
        self.engine.real_backward(hat, self.axes, u)
        return u.reshape(self.dimensions, *self.grid.shape)

    def from_cells(self, u: np.ndarray) -> np.ndarray:
        hat = np.empty((self.dimensions, *self.hat.shape[1:]), self.hat.dtype)
        self.engine.real_forward(np.ascontiguousarray(u, self.dtype).reshape(-1, *self.box), self.axes, hat)
        self.engine.complex(hat, 1, True, hat)
        hat *= 1j
        return hat.reshape(self.dimensions, self.box[0], -1).view(self.dtype)
