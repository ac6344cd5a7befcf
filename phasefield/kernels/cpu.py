"""Numba kernels of the CPU. `kernels.gpu` holds the same names with the same signatures.

Fourier arrays are stored block by block and enter as real views: shape (fields, blocks, n0, 2 m), real and imaginary parts
interleaved, where n0 is the slowest axis of the grid and a block holds m of the columns that run over everything else. (Where the
coefficients are real, 2 m is m.) Every operation of a step multiplies a mode by a real number, so the loops are purely real and
the compiler vectorises them. `k0` (n0) and `kr` (blocks · 2 m) hold the two summands of k̃², `weight` (blocks · 2 m) the share of
the square of a number in the mean square of the field (2 for a conjugate pair, 0 for padding).

Everything is evaluated per block by one thread; no kernel allocates.
"""

from __future__ import annotations

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_PLAIN = {"nogil": True, "error_model": "numpy", "cache": True}
# "contract" allows fused multiply-add. Reassociation would destroy the two-part range reduction of `exponential`.
_EXACT = {**_PLAIN, "fastmath": {"contract"}}
# Sums may be reassociated (SIMD lanes); NaN must survive, so neither nnan nor ninf.
_FAST = {**_PLAIN, "fastmath": {"contract", "reassoc", "nsz"}}

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10


@intrinsic
def _double_from_bits(typing_context, bits):
    """The double whose bit pattern is the 64-bit integer `bits`."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@njit(inline="always", **_EXACT)
def exponential(x):
    """e^x to about 1 ulp without branches or library calls, so that loops over it vectorise.

    Range reduction x = n ln 2 + r with |r| ≤ ½ ln 2, a Taylor polynomial of degree 13 and an exponent made from bits.
    Results below 1e-307 are returned as 0.
    """
    y = min(max(x, -707.0), 709.0)
    n = math.floor(y * _LOG2_E + 0.5)
    r = (y - n * _LN2_HIGH) - n * _LN2_LOW
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    scale = _double_from_bits((types.int64(n) + 1023) << 52)  # pyright: ignore[reportCallIssue]
    return p * scale if x > -707.0 else 0.0 * x


@njit(inline="always", **_EXACT)
def phi_functions(z):
    """(e^z, φ₁, φ₂, φ₃) with φ₁ = (e^z−1)/z, φ₂ = (φ₁−1)/z, φ₃ = (φ₂−½)/z, accurate to a few ulp for every real z.

    |z| < 1: Taylor series of φ₃ and the recurrence downwards (φ₂ = ½ + zφ₃, …); elsewhere the definitions, which lose
    no digits there. Both are evaluated and one selected, so that the loop over modes stays free of branches.
    """
    small = abs(z) < 1.0
    s = z if small else 0.0
    t3 = 1.9572941063391263e-20
    t3 = t3 * s + 4.110317623312165e-19
    t3 = t3 * s + 8.22063524662433e-18
    t3 = t3 * s + 1.5619206968586225e-16
    t3 = t3 * s + 2.8114572543455206e-15
    t3 = t3 * s + 4.779477332387385e-14
    t3 = t3 * s + 7.647163731819816e-13
    t3 = t3 * s + 1.1470745597729725e-11
    t3 = t3 * s + 1.6059043836821613e-10
    t3 = t3 * s + 2.08767569878681e-09
    t3 = t3 * s + 2.505210838544172e-08
    t3 = t3 * s + 2.755731922398589e-07
    t3 = t3 * s + 2.7557319223985893e-06
    t3 = t3 * s + 2.48015873015873e-05
    t3 = t3 * s + 1.984126984126984e-04
    t3 = t3 * s + 1.388888888888889e-03
    t3 = t3 * s + 8.333333333333333e-03
    t3 = t3 * s + 4.1666666666666664e-02
    t3 = t3 * s + 1.6666666666666666e-01
    t2 = 0.5 + s * t3
    t1 = 1.0 + s * t2
    e = exponential(z)
    inverse = 1.0 / (1.0 if small else z)
    d1 = (e - 1.0) * inverse
    d2 = (d1 - 1.0) * inverse
    d3 = (d2 - 0.5) * inverse
    if small:
        return 1.0 + s * t1, t1, t2, t3
    return e, d1, d2, d3


@njit(inline="always", **_EXACT)
def gradient_symbol(kappa, k2):
    """κ k̃², the symbol of −κ∇²: the shared term in Fourier space. Every stage kernel calls this and nothing else."""
    return kappa * k2


@njit(inline="always", **_EXACT)
def unless_still(m, moved, u):
    """`moved`, but `u` where the rate m is zero."""
    return u if m == 0.0 else moved


@njit(**_FAST)
def gradient_energy(u_hat, field, k0, kr, weight, kappa):
    """Σ_k ½ κ k̃² |û_k|², the mean density of κ/2 |∇u|² of one field (Parseval)."""
    blocks, n0, width = u_hat.shape[1:]
    total = 0.0
    for b in range(blocks):
        row_kr, row_weight = kr[b * width : (b + 1) * width], weight[b * width : (b + 1) * width]
        for a in range(n0):
            row_u = u_hat[field, b, a]
            row = 0.0
            for j in range(width):
                row += row_weight[j] * gradient_symbol(kappa, k0[a] + row_kr[j]) * (row_u[j] * row_u[j])
            total += row
    return 0.5 * total


@njit(**_FAST)
def coupling_energy(u_hat, coupling, weight):
    """½ Σ_k û*·Λ(k)·û, the mean energy density of a matrix symbol; `coupling` as stage kernels take it."""
    fields, blocks, n0, width = u_hat.shape
    total = 0.0
    for b in range(blocks):
        for a in range(n0):
            row = 0.0
            for j in range(width):
                mode = 0.0
                for i in range(fields):
                    y = 0.0
                    for p in range(fields):
                        v = 1.0
                        if fields == 2:
                            # The second eigenvector is the first one turned by a quarter.
                            v = coupling[2 + (p ^ i), b, a, j]
                            v = -v if i > p else v
                        elif fields > 2:
                            v = coupling[fields + p * fields + i, b, a, j]
                        y += v * u_hat[p, b, a, j]
                    mode += coupling[i, b, a, j] * y * y
                row += weight[b * width + j] * mode
            total += row
    return 0.5 * total


@njit(**_FAST)
def gradient_potential(u_hat, field, k0, kr, kappa, out):
    """out = κ k̃² û, the transform of −κ∇²u of one field; `out` has the shape of `u_hat`."""
    blocks, n0, width = u_hat.shape[1:]
    for b in range(blocks):
        for a in range(n0):
            for j in range(width):
                out[field, b, a, j] = gradient_symbol(kappa, k0[a] + kr[b * width + j]) * u_hat[field, b, a, j]


@njit(**_PLAIN)
def store_block(block, b, out):
    """Copy a block of columns (fields, n0, 2 m) into the whole array `out` as its block `b`."""
    for f in range(block.shape[0]):
        for a in range(block.shape[1]):
            for j in range(block.shape[2]):
                out[f, b, a, j] = block[f, a, j]


@njit(**_PLAIN)
def load_block(block, b, source):
    """The inverse of `store_block`."""
    for f in range(block.shape[0]):
        for a in range(block.shape[1]):
            for j in range(block.shape[2]):
                block[f, a, j] = source[f, b, a, j]


@njit(**_PLAIN)
def shell_power(u_hat, field, k0, kr, weight, width, power, count):
    """Add weight·û² of every number to power[s] and weight to count[s], s the shell of width `width` around k̃."""
    blocks, n0, row = u_hat.shape[1:]
    for b in range(blocks):
        for a in range(n0):
            for j in range(row):
                w = weight[b * row + j]
                s = int(math.sqrt(k0[a] + kr[b * row + j]) / width + 0.5)
                if w > 0.0 and s < power.size:
                    power[s] += w * u_hat[field, b, a, j] ** 2
                    count[s] += w


@njit(**_FAST)
def fluctuation(u_hat, field, weight):
    """Σ weight |û|² over all modes but the first: the variance of a field whose mean that one is."""
    blocks, n0, width = u_hat.shape[1:]
    total = 0.0
    for b in range(blocks):
        row_weight = weight[b * width : (b + 1) * width]
        for a in range(n0):
            row_u = u_hat[field, b, a]
            row = 0.0
            for j in range(width):
                row += row_weight[j] * (row_u[j] * row_u[j])
            total += row
    return total - weight[0] * u_hat[field, 0, 0, 0] ** 2
