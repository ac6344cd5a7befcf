"""A double of the part of CuPy that phasefield uses, on the CPU: kernels by `cuda_on_cpu`, cuFFT by NumPy.

Arrays are as strict as CuPy's: they do not mix with NumPy arrays, nor turn into them unasked.
"""

from __future__ import annotations

import contextlib
import sys
import types
from typing import Any

import cuda_on_cpu
import numpy as np


class Array:
    """A device array."""

    def __init__(self, values: np.ndarray):
        self._a = values

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("implicit conversion of a device array to NumPy")

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "dtype", "size", "ndim", "nbytes", "flags", "strides"):
            return getattr(self._a, name)
        raise AttributeError(f"the double of CuPy has no ndarray.{name}")

    @property
    def pointer(self) -> int:
        return self._a.ctypes.data

    @property
    def real(self) -> Array:
        return Array(np.real(self._a))

    def view(self, dtype: Any) -> Array:
        return Array(self._a.view(dtype))

    def reshape(self, *shape: Any) -> Array:
        result = self._a.reshape(*shape)
        assert np.shares_memory(result, self._a) or result.size == 0
        return Array(result)

    def __getitem__(self, key: Any) -> Array:
        parts = tuple(_values(k) for k in key) if isinstance(key, tuple) else _values(key)
        return Array(np.asarray(self._a[parts]))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._a[_values(key)] = _values(value)

    def __imul__(self, other: Any) -> Array:
        self._a *= _values(other)
        return self

    def __iadd__(self, other: Any) -> Array:
        self._a += _values(other)
        return self

    def __isub__(self, other: Any) -> Array:
        self._a -= _values(other)
        return self

    def __mul__(self, other: Any) -> Array:
        return Array(self._a * _values(other))

    __rmul__ = __mul__

    def __float__(self) -> float:
        return float(self._a)

    def fill(self, value: float) -> None:
        self._a.fill(value)

    def sort(self) -> None:
        self._a.sort()


def _values(value: Any) -> Any:
    if isinstance(value, Array):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"unsupported type {type(value)}")
    return value


def _asarray(a: Any, dtype: Any = None, order: str | None = None) -> Array:
    if isinstance(a, Array):
        return a if dtype is None or a.dtype == dtype else Array(a._a.astype(dtype))
    return Array(np.array(a, dtype, order="C"))


def _asnumpy(a: Any) -> np.ndarray:
    return a._a.copy() if isinstance(a, Array) else np.asarray(a)


class RawModule(cuda_on_cpu.Module):
    def __init__(self, *, code: str, options: tuple[str, ...] = ()):
        super().__init__(code, contracted="--fmad=false" not in options)


class Plan:
    """A cuFFT plan: unnormalised, and C2R destroys its input."""

    def __init__(self, a: Array, shape: tuple[int, ...] | None, axes: tuple[int, ...], value_type: str, area: Any):
        assert axes == tuple(range(1, a.ndim))
        assert a.flags.c_contiguous
        self.axes, self.value_type, self.work_area = axes, value_type, area
        self.input = (a.shape, a.dtype)
        self.shape = shape or a.shape[1:]

    def fft(self, a: Array, out: Array, direction: int) -> None:
        assert (a.shape, a.dtype) == self.input
        assert direction == (1 if self.value_type == "C2R" else -1)
        if self.value_type == "R2C":
            out._a[...] = np.fft.rfftn(a._a, axes=self.axes)
        else:
            out._a[...] = np.fft.irfftn(a._a, s=self.shape, axes=self.axes, norm="forward")
            a._a[...] = np.nan


class _Memory:
    def __init__(self, size: int):
        self.mem = types.SimpleNamespace(size=size)


def install(monkeypatch: Any) -> types.ModuleType:
    """Put the double in the place of `cupy` for one test; returns it."""
    from phasefield.kernels import gpu

    allocators = [_Memory]

    @contextlib.contextmanager
    def using_allocator(allocator: Any):
        allocators.append(allocator)
        yield
        allocators.pop()

    def get_fft_plan(a: Array, shape: Any = None, axes: Any = None, value_type: str = "C2C") -> Plan:
        return Plan(a, shape, axes, value_type, allocators[-1](a.nbytes))

    cupy: Any = types.ModuleType("cupy")
    cupy.ndarray, cupy.RawModule, cupy.asarray, cupy.asnumpy = Array, RawModule, _asarray, _asnumpy
    cupy.zeros = lambda shape, dtype: Array(np.zeros(shape, dtype))
    # What a kernel forgets to write must show.
    cupy.empty = lambda shape, dtype: Array(np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype))
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError)
    cupy.cuda = types.SimpleNamespace(
        runtime=runtime, get_allocator=lambda: allocators[-1], using_allocator=using_allocator
    )
    fft: Any = types.ModuleType("cupyx.scipy.fft")
    fft.get_fft_plan = get_fft_plan
    modules = {"cupy": cupy, "cupyx.scipy.fft": fft}
    for name in ("cupyx", "cupyx.scipy", "cupy.cuda.cufft", "cupy.cuda.nvrtc"):
        modules[name] = types.ModuleType(name)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for cache in (gpu.compiled, gpu._partial_sums):
        cache.cache_clear()
    return cupy


def forget() -> None:
    """Drop what `install` left in the caches of `kernels.gpu`."""
    from phasefield.kernels import gpu

    for cache in (gpu.compiled, gpu._partial_sums):
        cache.cache_clear()
