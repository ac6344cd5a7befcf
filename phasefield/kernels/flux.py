"""Numba kernels of the flux M(c)∇μ: what the passes of `stepping.flux` do with a block.

Blocks of columns and Fourier arrays are real numbers as in `cpu`: (1, n0, width) and (1, blocks, n0, width). `kr` holds an entry
for every real number of a row; `elastic`, Λ of a matrix symbol, (blocks, n0, width), or a single row of zeros, (1, 1, width).
"""

from __future__ import annotations

from numba import njit

from phasefield.kernels.cpu import gradient_symbol

_OPTIONS = {"nogil": True, "error_model": "numpy", "cache": True, "fastmath": {"contract", "nsz"}}


@njit(**_OPTIONS)
def store_potential(block, b, u_hat, kappa, k0, kr, elastic, out):
    """out = μ̂ = F̂ + (κk̃² + Λ) û, F̂ that of the block."""
    n0, width = block.shape[1:]
    row_kr = kr[b * width : (b + 1) * width]
    for a in range(n0):
        row_elastic = elastic[min(b, elastic.shape[0] - 1), min(a, elastic.shape[1] - 1)]
        for j in range(width):
            symbol = gradient_symbol(kappa, k0[a] + row_kr[j]) + row_elastic[j]
            out[0, b, a, j] = block[0, a, j] + symbol * u_hat[0, b, a, j]


@njit(**_OPTIONS)
def load_derivative(block, b, source, slow_coefficient, slow_place, coefficient, place_block, place_column):
    """block = derivative of `source`, by the tables of `spectral.derivatives`; place = (block, column)."""
    n0, width = block.shape[1:]
    factor = coefficient[b * width : (b + 1) * width]
    blocks, columns = place_block[b * width : (b + 1) * width], place_column[b * width : (b + 1) * width]
    for a in range(n0):
        slow, row = slow_coefficient[a], slow_place[a]
        for j in range(width):
            block[0, a, j] = slow * factor[j] * source[0, blocks[j], row, columns[j]]


@njit(**_OPTIONS)
def load_derivative_of_pairs(block, b, source, slow_coefficient, coefficient):
    """The same where the partner of every number is its neighbour, as real and imaginary part are: this loop is vectorised."""
    n0, width = block.shape[1:]
    factor = coefficient[b * width : (b + 1) * width]
    for a in range(n0):
        slow, row_block, row = slow_coefficient[a], block[0, a], source[0, b, a]
        for r in range(width // 2):
            row_block[2 * r] = slow * factor[2 * r] * row[2 * r + 1]
            row_block[2 * r + 1] = slow * factor[2 * r + 1] * row[2 * r]


@njit(**_OPTIONS)
def load_explicit(block, b, potential, u_hat, kappa, k0, kr, elastic):
    """block = F̂ = μ̂ − (κk̃² + Λ) û."""
    n0, width = block.shape[1:]
    row_kr = kr[b * width : (b + 1) * width]
    for a in range(n0):
        row_elastic = elastic[min(b, elastic.shape[0] - 1), min(a, elastic.shape[1] - 1)]
        for j in range(width):
            symbol = gradient_symbol(kappa, k0[a] + row_kr[j]) + row_elastic[j]
            block[0, a, j] = potential[0, b, a, j] - symbol * u_hat[0, b, a, j]


@njit(**_OPTIONS)
def subtract_divergence(
    block, b, flux_hat, slow_coefficient, slow_place, coefficient, place_block, place_column, mobility, k0, kr
):
    """block −= ∂ĝ/(M₀k̃²), ĝ one component of the flux; the mean, which has no rate, is left as it is."""
    n0, width = block.shape[1:]
    row_kr, factor = kr[b * width : (b + 1) * width], coefficient[b * width : (b + 1) * width]
    blocks, columns = place_block[b * width : (b + 1) * width], place_column[b * width : (b + 1) * width]
    for a in range(n0):
        slow, row = slow_coefficient[a], slow_place[a]
        for j in range(width):
            m = mobility * (k0[a] + row_kr[j])
            scale = slow / m if m > 0.0 else 0.0
            block[0, a, j] -= scale * factor[j] * flux_hat[0, blocks[j], row, columns[j]]


@njit(**_OPTIONS)
def subtract_divergence_of_pairs(block, b, flux_hat, slow_coefficient, coefficient, mobility, k0, kr):
    """The same where the partner of every number is its neighbour."""
    n0, width = block.shape[1:]
    row_kr, factor = kr[b * width : (b + 1) * width], coefficient[b * width : (b + 1) * width]
    for a in range(n0):
        slow, row_block, row = slow_coefficient[a], block[0, a], flux_hat[0, b, a]
        for r in range(width // 2):
            m = mobility * (k0[a] + row_kr[2 * r])
            scale = slow / m if m > 0.0 else 0.0
            row_block[2 * r] -= scale * factor[2 * r] * row[2 * r + 1]
            row_block[2 * r + 1] -= scale * factor[2 * r + 1] * row[2 * r]


@njit(**_OPTIONS)
def multiply_excess(u, mobility, reference, sums):
    """u ← (M − M₀) u in every cell, M₀ = reference[0]."""
    for i in range(u.shape[1]):
        u[0, i] *= mobility[0, i] - reference[0]
