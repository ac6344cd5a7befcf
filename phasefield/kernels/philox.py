"""Philox4x32-10 on the CPU (Numba): four random 32-bit words as a pure function of a counter and a key.

Salmon, Moraes, Dror and Shaw, SC'11, doi:10.1145/2063384.2063405. `philox_source` holds the same functions in
C for the GPU; `phasefield.random` is the interface. Counter and key are fixed there and here:

    counter = (cell & 0xffffffff, cell >> 32, step, stream << 8 | draw),    cell = x + nx (y + ny z)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_MULTIPLY_0, _MULTIPLY_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_S32, _S21, _S11, _ONE = np.uint64(32), np.uint64(21), np.uint64(11), np.uint64(1)
_ULP = 2.0**-53


@njit(cache=True, nogil=True)
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Ten rounds; all arguments and results are uint32."""
    for _ in range(10):
        a = _MULTIPLY_0 * np.uint64(c0)
        b = _MULTIPLY_2 * np.uint64(c2)
        c0 = np.uint32(b >> _S32) ^ c1 ^ k0
        c1 = np.uint32(b & _LOW)
        c2 = np.uint32(a >> _S32) ^ c3 ^ k1
        c3 = np.uint32(a & _LOW)
        k0 = np.uint32(k0 + _WEYL_0)
        k1 = np.uint32(k1 + _WEYL_1)
    return c0, c1, c2, c3


@njit(cache=True, nogil=True)
def cell_words(cell, step, tag, k0, k1):
    """The four words of one cell (a uint64)."""
    return philox4x32(np.uint32(cell & _LOW), np.uint32(cell >> _S32), step, tag, k0, k1)


@njit(cache=True, nogil=True)
def mantissa(high, low):
    """53 random bits out of two words, as uint64."""
    return (np.uint64(high) << _S21) | (np.uint64(low) >> _S11)


@njit(cache=True, nogil=True)
def cell_uniform(cell, step, tag, k0, k1):
    """(2m + 1) 2⁻⁵³ − 1 for m = 0 … 2⁵³ − 1: exact in double, symmetric about 0, never ±1."""
    w0, w1, _, _ = cell_words(cell, step, tag, k0, k1)
    odd = np.int64((mantissa(w0, w1) << _ONE) | _ONE)
    return np.float64(odd - np.int64(9007199254740992)) * _ULP


@njit(cache=True, nogil=True)
def cell_normal(cell, step, tag, k0, k1):
    """Box–Muller: √(−2 ln u₁) cos 2πu₂ with u₁ in (0, 1], u₂ in [0, 1). At most 8.57 in magnitude."""
    w0, w1, w2, w3 = cell_words(cell, step, tag, k0, k1)
    u1 = np.float64(mantissa(w0, w1) + _ONE) * _ULP
    u2 = np.float64(mantissa(w2, w3)) * _ULP
    return math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2)


@njit(cache=True, nogil=True)
def subtract_normal(u, first, amplitude, step, tags, k0, k1):
    """u[q, i] −= amplitude · standard normal deviate of cell first + i with the tag tags[q]."""
    for q in range(u.shape[0]):
        for i in range(u.shape[1]):
            u[q, i] -= amplitude * cell_normal(np.uint64(first + i), step, tags[q], k0, k1)


@njit(cache=True, nogil=True)
def fill_words(out, first, step, tag, k0, k1):
    """Words of the cells first, first + 1, … into out, shape (cells, 4), uint32."""
    for n in range(out.shape[0]):
        w0, w1, w2, w3 = cell_words(np.uint64(first + n), step, tag, k0, k1)
        out[n, 0] = w0
        out[n, 1] = w1
        out[n, 2] = w2
        out[n, 3] = w3


@njit(cache=True, nogil=True)
def fill_uniform(out, z0, y0, x0, ny, nx, step, tag, k0, k1):
    """Fill the block `out` (z, y, x) that starts at cell (z0, y0, x0) of a field with ny rows of nx cells."""
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = ((z0 + z) * ny + y0 + y) * nx + x0
            for x in range(out.shape[2]):
                out[z, y, x] = cell_uniform(np.uint64(row + x), step, tag, k0, k1)


@njit(cache=True, nogil=True)
def fill_normal(out, z0, y0, x0, ny, nx, step, tag, k0, k1):
    """As `fill_uniform`, with standard normal deviates."""
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = ((z0 + z) * ny + y0 + y) * nx + x0
            for x in range(out.shape[2]):
                out[z, y, x] = cell_normal(np.uint64(row + x), step, tag, k0, k1)
