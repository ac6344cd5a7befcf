"""The passes of a stage on a GPU: whole arrays, cuFFT, one kernel after another on one stream.

The interface is that of `spectral.sweep`, the split of the work another: all transforms belong to the spectral pass, and
`work` holds real fields between passes. cuFFT does not normalise; the factor 1/N goes into the stage kernels, which saves a
pass over memory. Sums stay on the device until `Backend.to_host` fetches them, so that a pass never waits.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.kernels.gpu_programs import StageScratch
from phasefield.registry import register
from phasefield.spectral.grid import Grid
from phasefield.spectral.modes import Layout, Modes, slow_axes

# Kernels count cells, and cuFFT strides, in 32 bits.
MOST_CELLS = 2**31 - 1


class CuFft:
    """One plan per direction for a batch of fields; both plans work in the same piece of memory.

    Args:
        xp: the module `cupy`.
        u, u_hat: arrays as they will be transformed, (fields, *grid.shape) and (fields, …, nx//2 + 1).
    """

    name = "cufft"

    def __init__(self, xp: Any, u: Any, u_hat: Any):
        get_fft_plan = importlib.import_module("cupyx.scipy.fft").get_fft_plan
        axes = tuple(range(1, u.ndim))
        self._work: Any = None
        usual = xp.cuda.get_allocator()

        def allocate(size: int) -> Any:
            if self._work is None or size > self._work.mem.size:
                self._work = usual(size)
            return self._work

        # Plans never run at the same time. The batch is part of the plan: fields of odd size one by one would not have
        # the alignment that cuFFT asks for.
        with xp.cuda.using_allocator(allocate):
            self._backward = get_fft_plan(u_hat, shape=u.shape[1:], axes=axes, value_type="C2R")
            self._forward = get_fft_plan(u, axes=axes, value_type="R2C")

    def forward(self, u: Any, u_hat: Any) -> None:
        """u_hat = N times the Fourier coefficients of u."""
        self._forward.fft(u, u_hat, -1)

    def backward(self, u_hat: Any, u: Any) -> None:
        """u = the fields of the Fourier coefficients u_hat, which are destroyed."""
        self._backward.fft(u_hat, u, 1)

    @property
    def work_bytes(self) -> int:
        return self._work.mem.size


@register("sweep", "gpu")
class GpuSweep:
    """Buffers and passes for `fields` real fields on a periodic grid; every array lies on the device.

    Attributes: `shape_hat` (fields, 1, n0, R) of Fourier arrays, one block without padding; `work`, the real fields between
    passes; `sums` (1, sums_width) of the last real pass. `engine` and `threads` are those of the CPU and not used.

    Raises:
        InputError: more cells than 32 bits count, or an axis that is not periodic.
    """

    # Kernels of a GPU count modes, not the real numbers they are made of.
    modes_per_weight = 1.0

    def __init__(
        self,
        grid: Grid,
        fields: int,
        kernels: Any,
        engine: object = None,
        threads: int = 1,
        dtype: Any = np.float64,
        **_: Any,
    ):
        if not grid.periodic:
            raise InputError("only periodic axes run on a GPU so far; use --device cpu")
        if grid.cells > MOST_CELLS:
            raise InputError(f"{grid.cells} cells are too many for one GPU: at most {MOST_CELLS}")
        self.grid, self.fields, self.kernels, self.threads = grid, fields, kernels, 1
        self.xp = kernels.load_cupy()
        self.dtype = np.dtype(dtype)
        self.complex_dtype = np.result_type(self.dtype, np.complex64)
        row = grid.axes[0].cells // 2 + 1
        n0, middle = slow_axes(grid)
        self.layout = Layout(grid, row, middle * row)
        self.shape_hat = (fields, 1, n0, middle * row)
        self.work = self.xp.zeros((fields, *grid.shape), self.dtype)
        self._flat = self.work.reshape(fields, grid.cells)
        block = self.xp.zeros((fields, *grid.shape[:-1], row), self.complex_dtype)
        self._block = block
        self._block_real = block.reshape(fields, n0, middle * row).view(self.dtype)
        self.engine = CuFft(self.xp, self.work, block)
        self.sums_width = max(16, 2 + 2 * fields)
        self.sums = self.xp.zeros((1, self.sums_width), np.float64)
        # Squared errors and two energies, of which uncoupled fields leave the last zero.
        self._spectral_sums = self.xp.zeros(fields + 2, np.float64)
        self._scratch = StageScratch(1.0 / grid.cells, self.xp.zeros(StageScratch.size(fields), np.float64))

    def mean(self, u_hat: Any, field: int) -> float:
        """The mean of a field: its coefficient at k = 0."""
        return float(u_hat[field].reshape(-1)[0].real)

    def by_mode(self, u_hat: Any) -> Any:
        """A Fourier array as (fields, n0, R), columns in the order of `mode_index` on every device."""
        return u_hat.reshape(self.fields, *self.shape_hat[2:])

    def from_modes(self, modes: Any) -> Any:
        """The inverse of `by_mode`."""
        return modes.reshape(self.shape_hat)

    def empty_hat(self) -> Any:
        """A new Fourier array full of zeros."""
        return self.xp.zeros(self.shape_hat, self.complex_dtype)

    def real_view(self, u_hat: Any) -> Any:
        """The same memory as real numbers, last axis twice as long: the form in which kernels take it."""
        return u_hat.view(self.dtype)

    @property
    def mode_index(self) -> tuple[np.ndarray, np.ndarray]:
        """(x index, middle index) of every stored column r."""
        return self.layout.mode_index

    def modes(self, laplacian: str) -> Modes:
        """k̃² of the discrete Laplacian and the multiplicity of every stored mode, on the host."""
        return self.layout.modes(laplacian)

    def stage_geometry(self, modes: Modes) -> tuple[Any, Any, Any]:
        """k0, kr and weight on the device, as stage kernels take them: in double precision whatever that of the fields."""
        return tuple(self.xp.asarray(a, np.float64) for a in (modes.k0, modes.kr, modes.weight))  # type: ignore

    # --- passes -------------------------------------------------------------------------------------------------

    def spectral_pass(
        self,
        kernel: Callable,
        arguments: tuple,
        *,
        forward: bool = True,
        backward: bool = True,
        stage: bool = False,
        before: Callable[[Any, int], None] | None = None,
    ) -> Any:
        """Forward transform of `work`, before(block, 0), kernel(block, 0, *arguments), inverse transform into `work`.

        A stage kernel also gets a `StageScratch` and its sums, and scales the transform itself; others find Fourier
        coefficients. Returns the sums on the device, valid until the next spectral pass.
        """
        if forward:
            self.engine.forward(self.work, self._block)
        if forward and not stage:
            self._block *= self.dtype.type(self._scratch.scale)
        if before is not None:
            before(self._block_real, 0)
        extra = (self._scratch, self._spectral_sums) if stage else ()
        kernel(self._block_real, 0, *arguments, *extra)
        if backward:
            self.engine.backward(self._block, self.work)
        return self._spectral_sums

    def real_pass(
        self,
        pointwise: Callable,
        parameters: Any,
        frozen: Sequence[Any] | None = None,
        after: Callable[[Any, int], None] | None = None,
        given: Any = None,
        before: Callable[[Any, int], None] | None = None,
    ) -> Any:
        """pointwise(u, parameters, sums) on all cells; returns the sums on the device, valid until the next real pass.

        With `frozen`, fields that do not change, as `freeze` returns them, the call is pointwise(u, frozen, parameters, sums).
        Fields `given` are those that `work` still holds.
        """
        if before is not None:
            before(self._flat, 0)
        pointwise(self._flat, *(frozen or ()), parameters, self.sums[0])
        if after is not None:
            after(self._flat, 0)
        return self.sums

    def freeze(self, fields: np.ndarray) -> list[Any]:
        """Real fields (number, *grid.shape) as a real pass takes them: one block with all cells, (number, cells)."""
        return [self.xp.asarray(fields.reshape(len(fields), -1), self.dtype)]

    def couple(self, packed: np.ndarray) -> Any:
        """Numbers per mode (components, n0, R) as stage kernels take them: (components, 1, n0, R) on the device."""
        return self.xp.asarray(packed[:, None], self.dtype, order="C")

    def couple_mean(self, coupling: Any, packed: np.ndarray) -> None:
        """Replace the numbers of the mode k = 0 in what `couple` returned by `packed` (components)."""
        coupling[:, 0, 0, 0] = self.xp.asarray(packed, self.dtype)

    def forward(self, u: Any, u_hat: Any, lifted: bool = True) -> None:
        """u_hat = transform of the real fields `u`, shape (fields, *grid.shape); periodic boxes have no lift."""
        self.work[...] = self.xp.asarray(u, self.dtype).reshape(self.work.shape)
        self.spectral_pass(self.kernels.store_block, (self.real_view(u_hat),), backward=False)

    def backward(self, u_hat: Any, u: Any) -> None:
        """u = real fields of `u_hat`, shape (fields, *grid.shape); leaves `work` spoilt."""
        self.load(u_hat)
        self.unload(u)

    def unload(self, u: Any) -> None:
        """u = the real fields that `work` holds, shape (fields, *grid.shape)."""
        u[...] = self.work

    def load(self, u_hat: Any) -> None:
        """work = the real fields of `u_hat`, ready for a real pass."""
        self.spectral_pass(self.kernels.load_block, (self.real_view(u_hat),), forward=False)

    def close(self) -> None:
        """Nothing to end: there are no threads."""

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the fields, the transform, cuFFT's own memory and the sums."""
        arrays = (self.work, self._block, self.sums, self._spectral_sums, self._scratch.partial)
        return sum(a.nbytes for a in arrays) + self.engine.work_bytes
