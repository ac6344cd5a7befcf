"""Two passes over memory: the whole of a stage, on the CPU.

The work array is `(fields, n0, R)`: n0 belongs to the slowest axis of the grid, R to everything else, padded to whole
blocks. All other Fourier arrays hold the blocks of columns one after another, `(fields, blocks, n0, R / blocks)`, so that a
spectral pass reads them as streams. A stage is

* a *spectral pass* over blocks of columns: transform along the slowest axis, update the modes, transform back;
* a *real pass* over blocks of rows (2-D) or planes (3-D): inverse transform along the remaining axes, pointwise
  physics, forward transform again.

Coefficients of a periodic box are complex, those of any other real (`modes`); kernels take both as rows of real numbers.

Between the passes the work array holds half-transformed data. Blocks have a fixed size that does not depend on the
number of threads, each is handled by one thread with single-threaded transforms, and sums are kept per block and added
in order: the bits of a run do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from phasefield.registry import register
from phasefield.spectral.blocks import cache_block_bytes
from phasefield.spectral.grid import Grid
from phasefield.spectral.modes import Layout, Modes, modes_along_x, slow_axes
from phasefield.spectral.pool import Pool
from phasefield.spectral.transforms import Engine

# Up to this many real numbers a second thread costs more than it brings: waking it takes as long as its share of the work.
SERIAL_CELLS = 256 * 256


@register("sweep", "cpu")
class Sweep:
    """Buffers and passes for `fields` real fields on a grid.

    Attributes: `shape_hat` (fields, blocks, n0, R / blocks) of Fourier arrays; `work`, the half-transformed array;
    `sums_width`, how many numbers a kernel may add up per block; `modes_per_weight`, by which sums of weights over all real
    numbers of an array become numbers of modes.

    Args:
        lift: real fields (fields, *grid.shape), broadcastable, that fields differ from what the waves of the boundaries can
            form: they are taken off by `forward` and added again whenever real fields come out. None for nothing.
        serial_cells: up to this many real numbers one thread does all; fewer than the default where blocks are much work.
    """

    def __init__(
        self,
        grid: Grid,
        fields: int,
        kernels: Any,
        engine: Engine,
        threads: int = 1,
        dtype: type = np.float64,
        block_bytes: int | None = None,
        lift: np.ndarray | None = None,
        serial_cells: int | None = None,
    ):
        block_bytes = block_bytes or cache_block_bytes()
        self.grid, self.fields, self.engine, self.kernels = grid, fields, engine, kernels
        self.sums_width = max(16, 2 + 2 * fields)
        self.dtype = np.dtype(dtype)
        self.hat_dtype = np.result_type(self.dtype, np.complex64) if grid.periodic else self.dtype
        self._parts = 2 if grid.periodic else 1
        self.modes_per_weight = 0.5 if grid.periodic else float(grid.cells)
        self._boundaries = tuple(axis.boundary for axis in grid.axes)
        nx = grid.axes[0].cells
        self._n0, self._middle = slow_axes(grid)
        self._nx, self._modes_x = nx, modes_along_x(grid)
        item = self.hat_dtype.itemsize
        self._pad_x = -(-self._modes_x // 4) * 4 if grid.dimensions == 3 else self._modes_x
        columns = self._middle * self._pad_x
        width = max(4, min(block_bytes // (item * self._n0 * fields), 128) // 4 * 4)
        # An even number of blocks, of nearly the same size, is what two threads share best.
        blocks = -(-columns // width)
        blocks += blocks % 2 if blocks > 1 else 0
        self.block_columns = -(-columns // (4 * blocks)) * 4
        self._column_blocks = -(-columns // self.block_columns)
        self.shape_hat = (fields, self._column_blocks, self._n0, self.block_columns)
        self.layout = Layout(grid, self._pad_x, self._column_blocks * self.block_columns)
        # A row length that is a multiple of 4096 bytes would send a whole column into the same cache sets.
        row = self.layout.columns
        self._work_row = row + self.block_columns if self._n0 > 1 and row * item % 4096 == 0 else row
        row_bytes = fields * self._middle * nx * self.dtype.itemsize
        self.block_rows = int(min(max(1, block_bytes // row_bytes), self._n0))
        self._row_blocks = -(-self._n0 // self.block_rows)
        alone = SERIAL_CELLS if serial_cells is None else serial_cells
        self.threads = threads if grid.cells * fields > alone else 1
        self._pool = Pool(self.threads)
        self.work = np.zeros((fields, self._n0, self._work_row), self.hat_dtype)
        self._make_buffers()
        whole = None if lift is None else np.broadcast_to(lift, (fields, *grid.shape))
        self._lift = None if whole is None else self.freeze(whole)
        self._mean_lift = np.zeros(fields) if whole is None else whole.reshape(fields, -1).mean(axis=1)
        self._mean_modes = self._modes_of_the_mean()
        self.sums = np.zeros((max(self._column_blocks, self._row_blocks), self.sums_width))

    def empty_hat(self) -> np.ndarray:
        """A new Fourier array full of zeros (the padding has to stay zero)."""
        return np.zeros(self.shape_hat, self.hat_dtype)

    def real_view(self, u_hat: np.ndarray) -> np.ndarray:
        """The same memory as real numbers, last axis twice as long: the form in which kernels take it."""
        return u_hat.view(self.dtype)

    def mean(self, u_hat: np.ndarray, field: int) -> float:
        """The mean of a field."""
        blocks, rows, columns, share = self._mean_modes
        return float(np.sum(share * u_hat[field, blocks, rows, columns].real) + self._mean_lift[field])

    def by_mode(self, u_hat: np.ndarray) -> np.ndarray:
        """A copy of a Fourier array as (fields, n0, R), columns in the order of `mode_index` on every device."""
        return u_hat.transpose(0, 2, 1, 3).copy().reshape(self.fields, self._n0, -1)

    def from_modes(self, modes: np.ndarray) -> np.ndarray:
        """The inverse of `by_mode`."""
        split = modes.reshape(self.fields, self._n0, self._column_blocks, self.block_columns)
        return np.ascontiguousarray(split.transpose(0, 2, 1, 3))

    @property
    def mode_index(self) -> tuple[np.ndarray, np.ndarray]:
        """(x index, middle index) of every stored column r; −1 marks padding."""
        return self.layout.mode_index

    def modes(self, laplacian: str) -> Modes:
        """k̃² of the discrete Laplacian and the multiplicity of every stored mode."""
        return self.layout.modes(laplacian)

    # --- passes -------------------------------------------------------------------------------------------------

    def stage_geometry(self, modes: Modes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """k0, kr and weight as stage kernels take them: an entry for the real and one for the imaginary part."""
        return modes.k0, np.repeat(modes.kr, self._parts), np.repeat(modes.weight, self._parts)

    def spectral_pass(
        self,
        kernel: Callable,
        arguments: tuple,
        *,
        forward: bool = True,
        backward: bool = True,
        stage: bool = False,
        before: Callable[[np.ndarray, int], None] | None = None,
    ) -> np.ndarray:
        """Columns: forward transform of `work`, before(block, b), kernel(block, b, *arguments), inverse transform.

        A stage kernel also gets its block's row of `sums`. Returns the sums, added over blocks in order.
        """
        transform = self.grid.dimensions > 1

        def work(thread: int, first: int, last: int) -> None:
            block, block_real = self._column_buffers[thread]
            for b in range(first, last):
                columns = self._columns[b]
                if forward and transform:
                    self._transform_columns(columns, True, block)
                elif forward:
                    block[...] = columns
                if before is not None:
                    before(block_real, b)
                if stage:
                    kernel(block_real, b, *arguments, self.sums[b])
                else:
                    kernel(block_real, b, *arguments)
                if backward and transform:
                    self._transform_columns(block, False, columns)
                elif backward:
                    columns[...] = block

        self.sums[:] = 0.0
        self._pool.run(work, self._column_blocks)
        return self.sums[: self._column_blocks].sum(axis=0)

    def real_pass(
        self,
        pointwise: Callable,
        parameters: np.ndarray,
        frozen: Sequence[np.ndarray] | None = None,
        after: Callable[[np.ndarray, int], None] | None = None,
        given: np.ndarray | None = None,
        before: Callable[[np.ndarray, int], None] | None = None,
    ) -> np.ndarray:
        """Rows or planes: inverse transform, pointwise(u, parameters, sums), forward transform.

        With `frozen`, fields that do not change, as `freeze` returns them, the call is pointwise(u, frozen, parameters,
        sums). What `pointwise` is going to see is handed to `before`(u, index of its first cell), what it leaves to `after`. With
        `given`, real fields that `unload` has taken from `work`, these stand in for the inverse transform. Returns the
        per-block sums, shape (blocks, sums_width): what `pointwise` wrote.
        """

        cells = self.block_rows * self._middle * self._nx

        def work(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                u, u_flat = self._row_buffers[thread][self._row_tail(b)]
                if given is None:
                    self._rows_backward(b, u, u_flat)
                else:
                    u_flat[...] = given.reshape(self.fields, -1)[:, b * cells : b * cells + u_flat.shape[1]]
                if before is not None:
                    before(u_flat, b * cells)
                if frozen is None:
                    pointwise(u_flat, parameters, self.sums[b])
                else:
                    pointwise(u_flat, frozen[b], parameters, self.sums[b])
                if after is not None:
                    after(u_flat, b * cells)
                self._rows_forward(u, b)

        self.sums[:] = 0.0
        self._pool.run(work, self._row_blocks)
        return self.sums[: self._row_blocks]

    def freeze(self, fields: np.ndarray) -> list[np.ndarray]:
        """Real fields (number, *grid.shape) cut into the blocks of a real pass, (number, cells of the block) each."""
        cut = np.asarray(fields, self.dtype).reshape(len(fields), self._n0, -1)
        height = self.block_rows
        blocks = (cut[:, b * height : (b + 1) * height] for b in range(self._row_blocks))
        return [np.ascontiguousarray(block).reshape(len(fields), -1) for block in blocks]

    def couple(self, packed: np.ndarray) -> np.ndarray:
        """Numbers per mode (components, n0, R) in the layout of stage kernels: one entry for either part of a mode."""
        count = packed.shape[0]
        split = packed.reshape(count, self._n0, self._column_blocks, self.block_columns).transpose(0, 2, 1, 3)
        return np.repeat(split.astype(self.dtype), self._parts, axis=-1)

    def couple_mean(self, coupling: np.ndarray, packed: np.ndarray) -> None:
        """Replace the numbers of the mode k = 0 in what `couple` returned by `packed` (components)."""
        coupling[:, 0, 0, :2] = packed[:, None]

    def forward(self, u: np.ndarray, u_hat: np.ndarray, lifted: bool = True) -> None:
        """u_hat = transform of the real fields `u`, shape (fields, *grid.shape); `lifted`: whether they contain the lift."""
        u = np.asarray(u, self.dtype).reshape(self.fields, -1)
        height = self.block_rows * self._middle * self._nx

        def fill(block: np.ndarray, first: int) -> None:
            block[...] = u[:, first : first + block.shape[1]]
            if self._lift is not None and lifted:
                block -= self._lift[first // height]

        self.forward_of(fill, u_hat)

    def forward_of(self, fill: Callable[[np.ndarray, int], None], u_hat: np.ndarray) -> None:
        """u_hat = transform of the real fields that fill(u, index of its first cell) writes block by block, u (fields, cells).

        Blocks are filled by several threads at once. A lift is not taken off; leaves `work` spoilt.
        """
        cells = self.block_rows * self._middle * self._nx

        def work(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                u, u_flat = self._row_buffers[thread][self._row_tail(b)]
                fill(u_flat, b * cells)
                self._rows_forward(u, b)

        self._pool.run(work, self._row_blocks)
        self.spectral_pass(self.kernels.store_block, (self.real_view(u_hat),), backward=False)

    def backward(self, u_hat: np.ndarray, u: np.ndarray) -> None:
        """u = real fields of `u_hat`, shape (fields, *grid.shape); leaves `work` spoilt."""
        self.load(u_hat)
        self.unload(u)

    def unload(self, u: np.ndarray, after: Callable[[np.ndarray, int], None] | None = None) -> None:
        """u = the real fields whose half-inverse transform `work` holds, shape (fields, *grid.shape); leaves `work` spoilt.

        Each block of them (fields, cells) is first handed to `after`(block, index of its first cell).
        """
        target = u.reshape(self.fields, -1)
        cells = self.block_rows * self._middle * self._nx

        def work(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                block, flat = self._row_buffers[thread][self._row_tail(b)]
                self._rows_backward(b, block, flat)
                if after is not None:
                    after(flat, b * cells)
                target[:, b * cells : b * cells + flat.shape[1]] = flat

        self._pool.run(work, self._row_blocks)

    def load(self, u_hat: np.ndarray) -> None:
        """work = half-inverse transform of `u_hat`, ready for a real pass."""
        self.spectral_pass(self.kernels.load_block, (self.real_view(u_hat),), forward=False)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    # --- buffers ------------------------------------------------------------------------------------------------

    def _row_tail(self, b: int) -> int:
        """1 for a last block with fewer rows than the others, else 0: index into a thread's row buffers."""
        return int(b == self._row_blocks - 1 and self._n0 % self.block_rows != 0)

    def _transform_columns(self, a: np.ndarray, forward: bool, out: np.ndarray) -> None:
        if self._parts == 2:
            self.engine.complex(a, 1, forward, out)
        else:
            self.engine.orthogonal(self._boundaries[-1], a, 1, forward, out)

    def _rows_backward(self, b: int, u: np.ndarray, u_flat: np.ndarray) -> None:
        """u = real fields of block b of rows or planes of `work`."""
        if self._parts == 2:
            self.engine.real_backward(self._rows[b], self._row_axes, u)
        elif len(self._row_axes) == 1:
            self.engine.orthogonal(self._boundaries[0], self._rows[b], 3, False, u)
        else:
            self.engine.orthogonal(self._boundaries[1], self._rows[b], 2, False, u)
            self.engine.orthogonal(self._boundaries[0], u, 3, False, u)
        if self._lift is not None:
            u_flat += self._lift[b]

    def _rows_forward(self, u: np.ndarray, b: int) -> None:
        """The inverse of `_rows_backward`, without the lift; spoils u."""
        if self._parts == 2:
            self.engine.real_forward(u, self._row_axes, self._rows[b])
        elif len(self._row_axes) == 1:
            self.engine.orthogonal(self._boundaries[0], u, 3, True, self._rows[b])
        else:
            self.engine.orthogonal(self._boundaries[0], u, 3, True, u)
            self.engine.orthogonal(self._boundaries[1], u, 2, True, self._rows[b])

    def _modes_of_the_mean(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Places (block, row, column) of all modes with a mean, and the mean of each."""
        if self._parts == 2:
            one = np.zeros(1, int)
            return one, one, one, np.ones(1)
        # The transform of 1/N along an axis: orthogonal transforms are their own transposes' inverses.
        along = []
        for axis in self.grid.axes:
            flat = np.full(axis.cells, 1.0 / axis.cells)
            self.engine.orthogonal(axis.boundary, flat, 0, True, flat)
            along.append(np.where(np.abs(flat) > 1e-14, flat, 0.0))
        slow = along[-1] if self.grid.dimensions > 1 else np.ones(1)
        x, middle = self.mode_index
        rest = np.where(x >= 0, along[0][x], 0.0)
        rest = rest if self.grid.dimensions < 3 else rest * along[1][middle]
        rows, columns = np.meshgrid(np.flatnonzero(slow), np.flatnonzero(rest), indexing="ij")
        rows, columns = rows.ravel(), columns.ravel()
        return columns // self.block_columns, rows, columns % self.block_columns, slow[rows] * rest[columns]

    def _make_buffers(self) -> None:
        n0, middle, nx, rows = self._n0, self._middle, self._nx, self.block_rows
        self._row_axes = (2, 3) if middle > 1 else (3,)
        used = self.work[:, :, : middle * self._pad_x].reshape(self.fields, n0, middle, self._pad_x)
        assert np.shares_memory(used, self.work)
        self._rows = [used[:, b * rows : (b + 1) * rows, :, : self._modes_x] for b in range(self._row_blocks)]
        width = self.block_columns
        self._columns = [self.work[:, :, b * width : (b + 1) * width] for b in range(self._column_blocks)]
        self._row_buffers = []
        for _ in range(self.threads):
            pair = []
            for height in (rows, n0 % rows or rows):
                u = np.zeros((self.fields, height, middle, nx), self.dtype)
                pair.append((u, u.reshape(self.fields, -1)))
            self._row_buffers.append(pair)
        self._column_buffers = []
        for _ in range(self.threads):
            block = np.zeros((self.fields, n0, self.block_columns), self.hat_dtype)
            self._column_buffers.append((block, block.view(self.dtype)))

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the work array and of all block buffers."""
        blocks = sum(b.nbytes for b, _ in self._column_buffers)
        rows = sum(u.nbytes for pair in self._row_buffers for u, _ in pair)
        lift = sum(block.nbytes for block in self._lift or ())
        return self.work.nbytes + blocks + rows + self.sums.nbytes + lift
