"""CUDA kernels of the GPU: the names and signatures of `kernels.cpu`, for CuPy arrays.

Fourier arrays enter as real views (fields, n0, 2 R). Geometry may come from the host or the device; what is wanted as a
number is waited for and returned as a Python float. Sums have a fixed order. CuPy is imported by the first call, so this
module can be loaded anywhere.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.kernels.gpu_source import BLOCK, KERNELS, MAX_BLOCKS, with_types

INSTALL = 'pip install "phasefield[gpu12]" (CUDA 12) or "phasefield[gpu13]" (CUDA 13)'
# Modes sorted at a time by `shell_power`, to bound its memory.
SORTED_MODES = 2**24


def load_cupy() -> Any:
    """The module `cupy`."""
    return importlib.import_module("cupy")


def require_device() -> None:
    """Make sure that CuPy, its CUDA libraries and a device are there.

    Raises:
        InputError: what is missing, and how to install it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns at import when it cannot find CUDA; the errors below say more
        try:
            cupy = load_cupy()
        except ImportError as error:
            raise InputError(f"CuPy cannot be imported ({error}): {INSTALL}") from None
        try:
            devices = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise InputError(f"CuPy finds no usable CUDA device ({error})") from None
        if devices < 1:
            raise InputError("CuPy finds no CUDA device")
        try:
            for library in ("cupyx.scipy.fft", "cupy.cuda.cufft", "cupy.cuda.nvrtc"):
                importlib.import_module(library)
        except (ImportError, OSError, RuntimeError) as error:
            raise InputError(f"CUDA libraries are missing ({error}): {INSTALL}") from None


@functools.cache
def compiled(source: str, contracted: bool = True) -> Any:
    """The CUDA module of a source text, compiled by NVRTC at first use; CuPy keeps the result on disk.

    contracted: whether ab + c may be rounded once. Without, every operation is rounded as on the CPU.
    """
    options = ("-std=c++17",) if contracted else ("-std=c++17", "--fmad=false")
    return load_cupy().RawModule(code=source, options=options)


def blocks_for(items: int) -> int:
    """Blocks of a launch over so many modes or cells: depends on nothing else, and so does the order of sums."""
    return max(1, min(-(-items // BLOCK), MAX_BLOCKS))


@functools.cache
def _partial_sums() -> Any:
    return load_cupy().zeros(MAX_BLOCKS + 1, np.float64)


def _kernel(name: str, real: str) -> Any:
    return compiled(with_types(KERNELS, real)).get_function(name)


def _run(name: str, u_hat: Any, items: int, *arguments: Any) -> None:
    _kernel(name, u_hat.dtype.name)((blocks_for(items),), (BLOCK,), arguments)


def _on_device(array: Any, dtype: Any = np.float64) -> Any:
    return load_cupy().asarray(array, dtype)


def _shape(u_hat: Any) -> tuple[np.uint32, np.uint32]:
    """(n0, R) of a real view as the kernels take them."""
    return np.uint32(u_hat.shape[-2]), np.uint32(u_hat.shape[-1] // 2)


def _total(name: str, u_hat: Any, *arguments: Any) -> float:
    """Launch a kernel that leaves one sum per block, and add these up."""
    n0, columns = _shape(u_hat)
    partial = _partial_sums()
    blocks = blocks_for(int(n0) * int(columns))
    _run(name, u_hat, int(n0) * int(columns), *arguments, partial, n0, columns)
    _kernel("add_up", u_hat.dtype.name)((1,), (BLOCK,), (partial, np.uint32(blocks), partial[MAX_BLOCKS:]))
    return float(partial[MAX_BLOCKS])


def exponential(x: Any) -> Any:
    """e^x of an array in double precision, as the stage kernels compute it."""
    x = _on_device(x)
    out = load_cupy().empty(x.shape, np.float64)
    _run("exponential_table", x, x.size, x, out, np.uint32(x.size))
    return out


def phi_functions(z: Any) -> Any:
    """(e^z, φ₁, φ₂, φ₃) of an array in double precision, shape (4, *z.shape), as the stage kernels compute them."""
    z = _on_device(z)
    out = load_cupy().empty((4, *z.shape), np.float64)
    _run("phi_table", z, z.size, z, out, np.uint32(z.size))
    return out


def gradient_symbol(kappa: Any, k2: Any) -> Any:
    """κ k̃², the symbol of −κ∇²; its CUDA form of the same name stands in `gpu_source`."""
    return kappa * k2


def unless_still(m: Any, moved: Any, u: Any) -> Any:
    """`moved`, but `u` where the rate m is zero."""
    return load_cupy().where(m == 0.0, u, moved)


def gradient_energy(u_hat: Any, field: int, k0: Any, kr: Any, weight: Any, kappa: float) -> float:
    """Σ_k ½ κ k̃² |û_k|², the mean density of κ/2 |∇u|² of one field (Parseval, coefficients normalised by N)."""
    geometry = (_on_device(k0), _on_device(kr), _on_device(weight))
    return _total("gradient_energy", u_hat, u_hat[field], *geometry, np.float64(kappa))


def coupling_energy(u_hat: Any, coupling: Any, weight: Any) -> float:
    """½ Σ_k û*·Λ(k)·û, the mean energy density of a matrix symbol; `coupling` as stage kernels take it."""
    return _total("coupling_energy", u_hat, u_hat, coupling, _on_device(weight), np.uint32(u_hat.shape[0]))


def gradient_potential(u_hat: Any, field: int, k0: Any, kr: Any, kappa: float, out: Any) -> None:
    """out = κ k̃² û, the transform of −κ∇²u of one field; `out` has the shape of `u_hat`."""
    n0, columns = _shape(u_hat)
    arguments = (u_hat[field], _on_device(k0), _on_device(kr), np.float64(kappa), out[field], n0, columns)
    _run("gradient_potential", u_hat, int(n0) * int(columns), *arguments)


def store_block(block: Any, b: int, out: Any) -> None:
    """Copy a block of columns (fields, n0, 2 m) into the whole array `out` as its block `b`."""
    out[:, b] = block


def load_block(block: Any, b: int, source: Any) -> None:
    """The inverse of `store_block`."""
    block[...] = source[:, b]


def shell_power(
    u_hat: Any, field: int, k0: Any, kr: Any, weight: Any, width: float, power: np.ndarray, count: np.ndarray
) -> None:
    """Add weight·|û|² of every mode to power[s] and weight to count[s], s the shell of width `width` around k̃.

    `power` and `count` are on the host. Modes are sorted by shell, a bounded number at a time, so that every shell is a
    contiguous piece and can be added up in order.
    """
    xp, real = load_cupy(), u_hat.dtype.name
    k0, kr, weight = _on_device(k0), _on_device(kr), _on_device(weight)
    n0, columns = (int(n) for n in _shape(u_hat))
    shells, height = power.size, max(1, SORTED_MODES // columns)
    for first in range(0, n0, height):
        rows = k0[first : first + height]
        modes = rows.size * columns
        size = (np.uint32(rows.size), np.uint32(columns))
        keys = xp.empty(modes, np.uint64)
        found = xp.empty((2, shells), np.float64)
        _run("shell_keys", u_hat, modes, rows, kr, weight, np.float64(width), np.uint32(shells), keys, *size)
        keys.sort()
        arguments = (u_hat[field].reshape(n0, -1)[first:], weight, keys, found, np.uint32(modes), np.uint32(columns))
        _kernel("shell_sums", real)((shells,), (BLOCK,), arguments)
        found = xp.asnumpy(found)
        power += found[0]
        count += found[1]


def fluctuation(u_hat: Any, field: int, weight: Any) -> float:
    """Σ weight |û_k|² over all modes but k = 0: the variance of the field."""
    return _total("fluctuation", u_hat, u_hat[field], _on_device(weight))
