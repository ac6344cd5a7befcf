"""Random fields without state: every number is a function of (seed, stream, step, draw, global cell) alone.

Nothing is advanced and nothing is remembered, so the same field comes out on any number of threads, on any
MPI layout (each rank asks for its own block), on CPU and GPU, in any order of calls, and after a restart.

Generator: Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) with

    key     = SeedSequence(seed).generate_state(2, uint32)
    counter = (cell low, cell high, step, stream << 8 | draw),   cell = x + nx (y + ny z)

The cell index uses the size of the whole field: the same seed on a finer grid is another field. Numba is
imported on the first call; the loops are in `kernels.philox`, their CUDA form in `kernels.philox_source`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

Seed = int | np.random.SeedSequence


def philox_key(seed: Seed) -> tuple[np.uint32, np.uint32]:
    """The two key words of a seed: an integer >= 0, or a `SeedSequence` (with a spawn key for repeats)."""
    if seed is None:
        # SeedSequence would take it as "from the system's entropy"
        raise ValueError("a random field needs a seed, an integer >= 0")
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    k0, k1 = sequence.generate_state(2, np.uint32)
    return k0, k1


def stream_tag(stream: str | int, draw: int = 0) -> np.uint32:
    """Fourth counter word, stream << 8 | draw.

    A string such as "initial:c" stands for the first 24 bits of its SHA-256, the same in every process; an
    integer below 2²⁴ is taken as it is. `draw` (0 to 255) numbers several deviates in one cell, e.g. vector
    components.
    """
    if isinstance(stream, str):
        stream = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:3], "big")
    if not 0 <= stream < 2**24:
        raise ValueError(f"a random stream is a string or an integer from 0 to 2**24 - 1, got {stream}")
    if not 0 <= draw < 2**8:
        raise ValueError(f"draw is from 0 to 255, got {draw}")
    return np.uint32(stream << 8 | draw)


def uniform_field(
    shape: Sequence[int],
    *,
    seed: Seed,
    stream: str | int,
    step: int = 0,
    draw: int = 0,
    offset: Sequence[int] | None = None,
    global_shape: Sequence[int] | None = None,
    dtype: Any = np.float64,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Independent deviates uniform on (−1, 1): mean 0, variance 1/3, 53 random bits each.

    Parameters
    ----------
    shape : (nx,), (ny, nx) or (nz, ny, nx); the block that is wanted.
    seed, stream, step, draw : what the field depends on; 0 <= step < 2³². See `philox_key` and `stream_tag`.
    offset, global_shape : start of the block and size of the whole field, both in the order of `shape`;
        default: the block is the whole field. The numbers are exactly those of the whole field's part.
    dtype : of the result. Deviates are computed in double and rounded, so in single precision ±1 can occur.
    out : array of this shape to fill instead of a new one (its dtype is kept).

    Returns the array; raises `ValueError` for a block that does not fit.
    """
    from phasefield.kernels.philox import fill_uniform

    return _fill(fill_uniform, shape, seed, stream, step, draw, offset, global_shape, dtype, out)


def normal_field(
    shape: Sequence[int],
    *,
    seed: Seed,
    stream: str | int,
    step: int = 0,
    draw: int = 0,
    offset: Sequence[int] | None = None,
    global_shape: Sequence[int] | None = None,
    dtype: Any = np.float64,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Independent standard normal deviates (Box–Muller, one per cell); parameters as for `uniform_field`.

    √(−2 ln u₁) cos 2πu₂ of two 53-bit uniforms, u₁ in (0, 1]: finite, at most 8.57 in magnitude. The
    underlying integers agree on all devices; the deviates may differ in the last place between CPU and GPU.
    """
    from phasefield.kernels.philox import fill_normal

    return _fill(fill_normal, shape, seed, stream, step, draw, offset, global_shape, dtype, out)


def _three(numbers: Sequence[int], fill: int, what: str) -> tuple[int, int, int]:
    """Pad to (z, y, x) on the left."""
    if not 1 <= len(numbers) <= 3:
        raise ValueError(f"{what} has one to three numbers, got {tuple(numbers)}")
    z, y, x = (fill,) * (3 - len(numbers)) + tuple(int(n) for n in numbers)
    return z, y, x


def _fill(fill, shape, seed, stream, step, draw, offset, global_shape, dtype, out) -> np.ndarray:
    block = _three(shape, 1, "shape")
    start = _three((0,) if offset is None else offset, 0, "offset")
    whole = _three(shape if global_shape is None else global_shape, 1, "global_shape")
    if any(o < 0 or n < 0 or o + n > total for o, n, total in zip(start, block, whole, strict=True)):
        raise ValueError(f"a block of shape {block} at {start} does not fit into a field of shape {whole}")
    if not 0 <= step < 2**32:
        raise ValueError(f"step is from 0 to 2**32 - 1, got {step}")
    if out is None:
        out = np.empty(tuple(shape), dtype)
    elif out.shape != tuple(shape):
        raise ValueError(f"out has shape {out.shape}, wanted {tuple(shape)}")
    k0, k1 = philox_key(seed)
    # leading axes of length one: always a view, whatever the strides of `out`
    view = out[(None,) * (3 - out.ndim)]
    fill(view, *start, whole[1], whole[2], np.uint32(step), stream_tag(stream, draw), k0, k1)
    return out
