"""The one object that knows the device.

Everything above asks a `Backend` for its kernels, its compiled formulas and its arrays, and never which device it is.
The CPU backend owns the number of threads and the FFT engine; `kernels.gpu` is loaded only when a GPU is asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phasefield.errors import InputError
from phasefield.registry import lookup, register

if TYPE_CHECKING:
    from phasefield.kernels.expressions import Expression
    from phasefield.kernels.stages import Stage

PRECISIONS = {"double": np.float64, "single": np.float32}


def available_threads() -> int:
    """Cores this process may use (its affinity mask where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@register("backend", "cpu")
class CpuBackend:
    """Numba kernels and a thread pool on the CPU."""

    device = "cpu"
    xp = np

    def __init__(self, precision: str = "double", threads: int | None = None):
        self.precision = precision
        self.dtype = np.dtype(PRECISIONS[precision])
        self.threads = threads or available_threads()
        self.kernels: Any = importlib.import_module("phasefield.kernels.cpu")

    def compile_pointwise(self, density: Expression, derivatives: Sequence[Expression], changing: bool = False) -> Any:
        """Compiled potential and energy of a pointwise free-energy density; see `kernels.codegen`."""
        from phasefield.kernels.codegen import compile_pointwise

        return compile_pointwise(density, derivatives, self.dtype.name, changing)

    def compile_map(self, expression: Expression) -> Any:
        """A compiled function max(0, g) of local field values; see `kernels.pointmap`."""
        from phasefield.kernels.pointmap import compile_map

        return compile_map(expression, self.dtype.name)

    def compile_stages(
        self, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False, forced: bool = False
    ) -> list[Any]:
        """One compiled spectral kernel per stage of a time scheme; see `kernels.stages`."""
        from phasefield.kernels.codegen import load_module
        from phasefield.kernels.stages import cpu_source

        sources = [cpu_source(i, stages, multistep, noisy, forced) for i in range(len(stages))]
        return [load_module(source, "stage").stage for source in sources]

    def compile_coupled_stages(
        self,
        stages: Sequence[Stage],
        fields: int,
        multistep: bool = False,
        stabilising: bool = False,
        noisy: bool = False,
    ) -> list[Any]:
        """The same for fields coupled by a matrix symbol; see `kernels.coupled`."""
        from phasefield.kernels.codegen import load_module
        from phasefield.kernels.coupled import coupled_source

        sources = [coupled_source(i, stages, fields, multistep, stabilising, noisy) for i in range(len(stages))]
        return [load_module(source, "stage").stage for source in sources]

    def to_host(self, array: Any) -> np.ndarray:
        return np.asarray(array)

    def to_device(self, array: Any, dtype: Any = None) -> Any:
        """The array in the precision of the fields, or in `dtype`."""
        return np.ascontiguousarray(array, dtype or self.dtype)


@register("backend", "gpu")
class GpuBackend:
    """CUDA kernels and cuFFT through CuPy, on the current device. `make_backend` looks for a device first."""

    device = "gpu"
    threads = 1

    def __init__(self, precision: str = "double", threads: int | None = None):
        self.precision = precision
        self.dtype = np.dtype(PRECISIONS[precision])
        self.kernels: Any = importlib.import_module("phasefield.kernels.gpu")
        self.xp: Any = self.kernels.load_cupy()

    def compile_pointwise(self, density: Expression, derivatives: Sequence[Expression], changing: bool = False) -> Any:
        """Compiled potential and energy of a pointwise free-energy density; see `kernels.codegen.Pointwise`."""
        from phasefield.kernels.gpu_programs import GpuPointwise

        return GpuPointwise(density, derivatives, self.dtype.name, changing)

    def compile_stages(self, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False) -> list[Any]:
        """One compiled spectral kernel per stage of a time scheme; see `kernels.stages_cuda`.

        Raises:
            InputError: `noisy`, which has no CUDA form so far.
        """
        from phasefield.kernels.gpu_programs import GpuStage

        _refuse(noisy)
        return [GpuStage(i, stages, self.dtype.name, multistep) for i in range(len(stages))]

    def compile_coupled_stages(
        self,
        stages: Sequence[Stage],
        fields: int,
        multistep: bool = False,
        stabilising: bool = False,
        noisy: bool = False,
    ) -> list[Any]:
        """The same for fields coupled by a matrix symbol; see `kernels.coupled_cuda`."""
        from phasefield.kernels.gpu_programs import GpuCoupledStage

        _refuse(noisy)
        options = (stages, fields, self.dtype.name, multistep, stabilising)
        return [GpuCoupledStage(i, *options) for i in range(len(stages))]

    def to_host(self, array: Any) -> np.ndarray:
        return self.xp.asnumpy(array)

    def to_device(self, array: Any, dtype: Any = None) -> Any:
        """The array on the device, in the precision of the fields or in `dtype`."""
        return self.xp.asarray(array, dtype or self.dtype, order="C")


def _refuse(noisy: bool) -> None:
    if noisy:
        raise InputError("model.thermal_energy: noise runs on the CPU only so far; use --device cpu")


def make_backend(device: str = "auto", precision: str = "double", threads: int | None = None) -> Any:
    """The backend of a device: `cpu`, `gpu`, or `auto` (the GPU where CuPy finds one, else the CPU).

    Raises:
        InputError: unknown device, or `gpu` without CuPy or without a usable GPU.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise InputError(f"unknown device '{device}'; valid names: auto, cpu, gpu")
    if threads is not None and threads < 1:
        raise InputError(f"the number of threads must be at least 1, got {threads}")
    if device != "cpu":
        try:
            importlib.import_module("phasefield.kernels.gpu").require_device()
        except InputError as error:
            if device == "gpu":
                raise InputError(f"no GPU can be used: {error}") from None
        else:
            return lookup("backend", "gpu")(precision)
    return lookup("backend", "cpu")(precision, threads)
