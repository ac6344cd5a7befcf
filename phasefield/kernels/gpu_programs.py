"""Generated CUDA kernels with the calls of their CPU counterparts: pointwise formulas and the stages of a time scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.kernels.codegen import CUDA_BLOCK, pointwise_source
from phasefield.kernels.coupled_cuda import coupled_cuda_source
from phasefield.kernels.expressions import Expression
from phasefield.kernels.gpu import blocks_for, compiled, load_cupy
from phasefield.kernels.gpu_source import BLOCK, MAX_BLOCKS
from phasefield.kernels.stages import GRADIENT, RATE_CONSTANT, RATE_LAPLACIAN, STABILISATION, Stage
from phasefield.kernels.stages_cuda import cuda_source, has_sums


@dataclass(frozen=True)
class StageScratch:
    """What a stage on the GPU needs beside its arrays.

    scale: factor of the forward transform, which cuFFT leaves out.
    partial: room for the sums of all blocks, `StageScratch.size(fields)` doubles on the device.
    """

    scale: float
    partial: Any

    @staticmethod
    def size(fields: int) -> int:
        return max(2 * fields, fields + 2) * MAX_BLOCKS

    def numbers(self, rates: np.ndarray, dt: float, ratio: float) -> list[np.float64]:
        """What a kernel takes as numbers before `partial`; `rates` of one field."""
        chosen = rates[[RATE_CONSTANT, RATE_LAPLACIAN, GRADIENT, STABILISATION]]
        return [np.float64(x) for x in (*chosen, dt, ratio, self.scale)]


class GpuStage:
    """Stage `number` of a scheme, called as a CPU stage is; `scratch` is a `StageScratch`, and there is one block."""

    def __init__(self, number: int, stages: Sequence[Stage], real: str, multistep: bool = False):
        module = compiled(cuda_source(number, stages, real, multistep))
        self._stage, self._sums = module.get_function("stage"), module.get_function("stage_sums")
        self._adds_up = has_sums(number, stages)

    def __call__(self, block: Any, b: int, *arguments: Any) -> None:
        """`arguments`: those of `stages.stage_arguments` after `b`; `sums` gets [squared error …, gradient energy]."""
        *arrays, k0, kr, weight, rates, dt, ratio, scratch, sums = arguments
        fields, n0, width = block.shape
        shape = (np.uint32(n0), np.uint32(width // 2))
        blocks = blocks_for(n0 * width // 2)
        for f in range(fields):
            numbers = scratch.numbers(rates[f], dt, ratio)
            place = (scratch.partial, np.uint32(f), np.uint32(fields), *shape)
            self._stage((blocks,), (BLOCK,), (block, *arrays, k0, kr, weight, *numbers, *place))
        if self._adds_up:
            self._sums((fields + 1,), (BLOCK,), (scratch.partial, np.uint32(blocks), np.uint32(fields), sums))
        else:
            sums.fill(0.0)


class GpuCoupledStage:
    """The same for fields coupled by a matrix symbol; `coupling` is on the device, `drive` on the host."""

    def __init__(
        self,
        number: int,
        stages: Sequence[Stage],
        fields: int,
        real: str,
        multistep: bool = False,
        stabilising: bool = False,
    ):
        module = compiled(coupled_cuda_source(number, stages, fields, real, multistep, stabilising))
        self._stage, self._sums = module.get_function("stage"), module.get_function("stage_sums")
        self._adds_up = has_sums(number, stages)

    def __call__(self, block: Any, b: int, *arguments: Any) -> None:
        """`arguments`: those of `coupled.coupled_arguments` after `b`; `sums` gets [squared error …, the two energies]."""
        *arrays, k0, kr, weight, coupling, drive, rates, dt, ratio, scratch, sums = arguments
        fields, n0, width = block.shape
        blocks = blocks_for(n0 * width // 2)
        numbers = scratch.numbers(rates[0], dt, ratio) + [np.float64(g) for g in drive]
        place = (scratch.partial, np.uint32(n0), np.uint32(width // 2))
        self._stage((blocks,), (BLOCK,), (block, *arrays, k0, kr, weight, coupling, *numbers, *place))
        if self._adds_up:
            self._sums((fields + 2,), (BLOCK,), (scratch.partial, np.uint32(blocks), np.uint32(fields), sums))
        else:
            sums.fill(0.0)


class GpuPointwise:
    """Kernels of one density; see `codegen.Pointwise` for what they do. Arrays are on the device."""

    def __init__(self, density: Expression, derivatives: Sequence[Expression], real: str, changing: bool = False):
        self.fields, self.parameters, self.real = len(derivatives), density.parameters, real
        module = compiled(pointwise_source(density, derivatives, real, "cuda", changing))
        self._potential, self._energy = module.get_function("potential"), module.get_function("energy")
        self._finish = module.get_function("finish")
        self._width = 1 + 2 * self.fields + changing
        # The last row takes the sum of `energy`.
        self._partial = load_cupy().zeros((MAX_BLOCKS + 1, self._width), np.float64)

    def potential(self, u: Any, *arguments: Any) -> None:
        """(u, [frozen,] p, sums): overwrite u (fields, n) with ∂f/∂u_q; sums = [Σ f, min u_0, max u_0, …] of what it was."""
        *arrays, sums = arguments
        self._launch(self._potential, self._width, u, arrays, sums)

    def energy(self, u: Any, *arrays: Any) -> float:
        """(u, [frozen,] p): Σ f over u, which stays as it is."""
        total = self._partial[MAX_BLOCKS]
        self._launch(self._energy, 1, u, arrays, total)
        return float(total[0])

    def _launch(self, kernel: Any, width: int, u: Any, arrays: Sequence[Any], sums: Any) -> None:
        n = u.shape[1]
        blocks = blocks_for(n)
        kernel((blocks,), (CUDA_BLOCK,), (u, *arrays, self._partial, np.int64(n)))
        self._finish((width,), (CUDA_BLOCK,), (self._partial, np.int32(blocks), np.int32(width), sums))
