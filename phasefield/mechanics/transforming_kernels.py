"""Numba kernels of bodies that transform: strain, stiffness and driving forces from order parameters, cell by cell.

Order parameters η are (N, cells), strains and stresses Mandel components (M, cells). Functions of one order parameter are
polynomials c₁η + c₂η² + c₃η³ + c₄η⁴, given by the array c. Kernels work on the cells first … last − 1 and release the GIL.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_EXACT = {"nogil": True, "error_model": "numpy", "cache": True, "fastmath": {"contract"}}
_SUMS = {**_EXACT, "fastmath": {"contract", "reassoc", "nsz"}}


@njit(inline="always", **_EXACT)
def value(c, x):
    """c₁x + c₂x² + c₃x³ + c₄x⁴."""
    return x * (c[0] + x * (c[1] + x * (c[2] + x * c[3])))


@njit(inline="always", **_EXACT)
def slope(c, x):
    """Its derivative."""
    return c[0] + x * (2.0 * c[1] + x * (3.0 * c[2] + x * (4.0 * c[3])))


# --- one stiffness: θ = h(η), s = B θ, force = h′(η) (s − given forces) -----------------------------------------------


@njit(**_EXACT)
def to_theta(u, c, sums):
    """Replace η by θ = h(η): the pointwise half of a real pass."""
    for p in range(u.shape[0]):
        for i in range(u.shape[1]):
            u[p, i] = value(c, u[p, i])


@njit(**_SUMS)
def respond(block, b, table, weight, sums):
    """Replace θ̂ by B θ̂ in a block of columns (N, n0, 2 m). sums: ½ Σ weight θ̂*·B·θ̂ without k = 0, then the means θ̄.

    table (N (N + 1)/2, blocks, n0, 2 m): the lower triangle of B, row by row; weight: one number for either part of a mode.
    """
    N, n0, width = block.shape
    rows = np.empty((N, width))
    total = 0.0
    for a in range(n0):
        mean = b == 0 and a == 0
        for p in range(N):
            if mean:
                sums[1 + p] = block[p, 0, 0]
            rows[p] = 0.0
            for q in range(N):
                entry = table[p * (p + 1) // 2 + q if q <= p else q * (q + 1) // 2 + p, b, a]
                for j in range(width):
                    rows[p, j] += entry[j] * block[q, a, j]
        for p in range(N):
            part = 0.0
            for j in range(2 if mean else 0, width):
                part += weight[b * width + j] * block[p, a, j] * rows[p, j]
            total += part
            for j in range(width):
                block[p, a, j] = rows[p, j]
    sums[0] += 0.5 * total


@njit(**_SUMS)
def force_of(response, first, eta, c, given, drive, sums):
    """Replace s by h′(η) (s − given − drive) in a block (N, n) of the cells first, first + 1, …; given (N, cells) or (N, 0).

    sums: Σ given h(η), then max |s − given − drive| per field.
    """
    work = 0.0
    for p in range(response.shape[0]):
        peak = 0.0
        for i in range(response.shape[1]):
            x = eta[p, first + i]
            s = response[p, i] - drive[p]
            if given.shape[1]:
                s -= given[p, first + i]
                work += given[p, first + i] * value(c, x)
            peak = max(peak, abs(s))
            response[p, i] = slope(c, x) * s
        sums[1 + p] = peak
    sums[0] = work


# --- stiffness that differs from place to place -----------------------------------------------------------------------


@njit(**_EXACT)
def transform(eta, h, w, strains, row, offset, fixed, region, idle, first, last, eigenstrain, weights):
    """ε* = offset + ε^f(x) + s Σ_p ε⁰_p h(η_p), and weights of stiffness (1 − r(x)) w_p Π_{q≠p} (1 − w_q), w_p = w(η_p).

    strains (N, M); row (N): where the weight of a variant is added, −1 for one that keeps C₀; offset (M); fixed (M, cells) or
    (M, 0); region r (cells) or (0), whose own weight stands in a row of its own and is left alone; idle 1 − s (cells) or (0).
    """
    for a in range(strains.shape[1]):
        for i in range(first, last):
            eigenstrain[a, i] = 0.0
        for p in range(strains.shape[0]):
            if strains[p, a] != 0.0:
                for i in range(first, last):
                    eigenstrain[a, i] += strains[p, a] * value(h, eta[p, i])
        if idle.size:
            for i in range(first, last):
                eigenstrain[a, i] *= 1.0 - idle[i]
        for i in range(first, last):
            eigenstrain[a, i] += offset[a] + (fixed[a, i] if fixed.shape[1] else 0.0)
    for k in range(weights.shape[0] - (1 if region.size else 0)):
        for i in range(first, last):
            weights[k, i] = 0.0
    for p in range(strains.shape[0]):
        if row[p] >= 0:
            for i in range(first, last):
                share = value(w, eta[p, i])
                for q in range(strains.shape[0]):
                    share *= 1.0 - value(w, eta[q, i]) if q != p else 1.0
                weights[row[p], i] += share * (1.0 - region[i]) if region.size else share


@njit(**_EXACT)
def stress(base, contrast, weights, eigenstrain, first, strain, elastic, whole, out, energy):
    """Elastic strain e = ε − ε*, its stress C(x) e and ½ e:C:e for the cells of a block, strain (m, n), m ≤ M.

    Components beyond m have the strain 0. elastic, whole (M, cells) get e and the stress; out (m, n) the first m of it.
    """
    m, n = strain.shape
    M = base.shape[0]
    for a in range(M):
        for i in range(n):
            elastic[a, first + i] = -eigenstrain[a, first + i]
        if a < m:
            for i in range(n):
                elastic[a, first + i] += strain[a, i]
    for i in range(n):
        energy[i] = 0.0
    for a in range(M):
        for i in range(n):
            whole[a, first + i] = 0.0
        for b in range(M):
            if base[a, b] != 0.0:
                for i in range(n):
                    whole[a, first + i] += base[a, b] * elastic[b, first + i]
            for k in range(contrast.shape[0]):
                if contrast[k, a, b] != 0.0:
                    for i in range(n):
                        whole[a, first + i] += (contrast[k, a, b] * weights[k, first + i]) * elastic[b, first + i]
        for i in range(n):
            energy[i] += 0.5 * whole[a, first + i] * elastic[a, first + i]
        if a < m:
            for i in range(n):
                out[a, i] = whole[a, first + i]


@njit(**_SUMS)
def forces(eta, h, w, strains, row, contrast, region, idle, elastic, whole, first, last, scratch, out, peaks):
    """out = −s h′(η_p) σ:ε⁰_p + w′(η_p) (1 − r) g_p, g_p the change of ½ e:C:e with the weight w_p; scratch (K + 2, cells).

    peaks (3, N): the largest s |σ:ε⁰_p|, (1 − r) |g_p| and (1 − r) |e:ΔC_p:ε⁰_p|.
    """
    N, M = strains.shape
    for p in range(N):
        for i in range(first, last):
            out[p, i] = 0.0
        for a in range(M):
            if strains[p, a] != 0.0:
                for i in range(first, last):
                    out[p, i] += strains[p, a] * whole[a, i]
        if idle.size:
            for i in range(first, last):
                out[p, i] *= 1.0 - idle[i]
        peak = 0.0
        for i in range(first, last):
            peak = max(peak, abs(out[p, i]))
            out[p, i] *= -slope(h, eta[p, i])
        peaks[0, p], peaks[1, p], peaks[2, p] = peak, 0.0, 0.0
    K = contrast.shape[0]
    for k in range(K):
        for i in range(first, last):
            scratch[k, i] = 0.0
        for a in range(M):
            for b in range(M):
                if contrast[k, a, b] != 0.0:
                    for i in range(first, last):
                        scratch[k, i] += (0.5 * contrast[k, a, b]) * elastic[a, i] * elastic[b, i]
    if row.max() < 0:
        return
    alone, others = scratch[K], scratch[K + 1]
    for p in range(N):
        # What one of the other variants has alone, and the share that none of them has.
        for i in range(first, last):
            alone[i], others[i] = 1.0, 0.0
        for q in range(N):
            if q != p:
                for i in range(first, last):
                    share = value(w, eta[q, i])
                    energy = scratch[row[q], i] if row[q] >= 0 else 0.0
                    others[i] = others[i] * (1.0 - share) + alone[i] * share * energy
                    alone[i] *= 1.0 - share
        peak = 0.0
        for i in range(first, last):
            energy = alone[i] * (scratch[row[p], i] if row[p] >= 0 else 0.0) - others[i]
            energy *= 1.0 - region[i] if region.size else 1.0
            peak = max(peak, abs(energy))
            out[p, i] += slope(w, eta[p, i]) * energy
        peaks[1, p] = peak
        if row[p] < 0:
            continue
        for i in range(first, last):
            others[i] = 0.0
        for a in range(M):
            pull = 0.0
            for b in range(M):
                pull += contrast[row[p], a, b] * strains[p, b]
            if pull != 0.0:
                for i in range(first, last):
                    others[i] += pull * elastic[a, i]
        peak = 0.0
        for i in range(first, last):
            share = 1.0 - region[i] if region.size else 1.0
            peak = max(peak, abs(share * others[i]))
        peaks[2, p] = peak
