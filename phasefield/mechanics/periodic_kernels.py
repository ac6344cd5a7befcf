"""Numba kernels of the periodic elasticity solver: discrete gradients, their adjoint, the Green operator, linear laws.

Fields are `(component, n0, n1, nx)`: n0 belongs to the slowest axis, n1 = 1 in the plane, x contiguous. Strain and stress are
Mandel components xx, yy, √2 xy in the plane and xx, yy, zz, √2 yz, √2 xz, √2 xy in space, so that scalar products of six numbers
are those of the tensors. Kernels work on blocks of rows along the slowest axis, allocate nothing and release the GIL; where sums
are returned, the caller keeps them per block, so that bits do not depend on the number of threads.

Fourier arrays enter as real views `(component, n0, 2 modes)`. Both schemes have symbols D_j = i t_j e^{iφ} with real t_j and one
phase φ for all j, which drops out of the Green operator; t_j = column[j, e] · row[j, a] for number e of row a, each column of
modes counted twice. Real and imaginary parts are then treated alike, in loops over contiguous numbers. (Unsigned bounds rule out
negative indices; otherwise the compiler cannot tell that these loops are contiguous, and does not vectorise them.)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# As in `kernels.cpu`: "contract" keeps the order of operations, "reassoc" frees sums for SIMD lanes; NaN survives both.
_EXACT = {"nogil": True, "error_model": "numpy", "cache": True, "fastmath": {"contract"}}
_SUMS = {**_EXACT, "fastmath": {"contract", "reassoc", "nsz"}}
_ROOT_HALF = math.sqrt(0.5)


# --- rotated scheme: displacement at the corners, strain at the centres of the cells ----------------------------------


@njit(**_EXACT)
def rotated_strain_2d(u, first, spacing, mean, scratch, strain):
    """ε = ε̄ + sym(Du) in the rows first, first + 1, … of cells; strain (3, rows, 1, nx), scratch (≥ 4, nx + 1).

    D_x u = (u_{i+1,j} + u_{i+1,j+1} − u_{i,j} − u_{i,j+1}) / 2h_x and its like (Willot 2015, doi:10.1016/j.crme.2014.12.005):
    across the row the sums (for D_x) and differences (for D_y) of two rows of corners are combined.
    """
    n0, nx = u.shape[1], u.shape[3]
    gx, gy = 0.5 / spacing[0], 0.5 / spacing[1]
    for a in range(strain.shape[1]):
        low = first + a
        high = low + 1 if low + 1 < n0 else 0
        for c in range(2):
            for i in range(nx):
                p, q = u[c, low, 0, i], u[c, high, 0, i]
                scratch[2 * c, i] = gx * (p + q)
                scratch[2 * c + 1, i] = gy * (q - p)
            scratch[2 * c, nx] = scratch[2 * c, 0]
            scratch[2 * c + 1, nx] = scratch[2 * c + 1, 0]
        for i in range(nx):
            strain[0, a, 0, i] = mean[0] + (scratch[0, i + 1] - scratch[0, i])
            strain[1, a, 0, i] = mean[1] + (scratch[3, i + 1] + scratch[3, i])
            shear = (scratch[2, i + 1] - scratch[2, i]) + (scratch[1, i + 1] + scratch[1, i])
            strain[2, a, 0, i] = mean[2] + _ROOT_HALF * shear


@njit(**_EXACT)
def rotated_strain_3d(u, first, spacing, mean, scratch, strain):
    """The same in space; strain (6, planes, ny, nx), scratch (10, nx + 1) with zeros in its last row."""
    n0, n1, nx = u.shape[1:]
    gx, gy, gz = 0.25 / spacing[0], 0.25 / spacing[1], 0.25 / spacing[2]
    for a in range(strain.shape[1]):
        low = first + a
        high = low + 1 if low + 1 < n0 else 0
        for b in range(n1):
            back = b + 1 if b + 1 < n1 else 0
            for c in range(3):
                for i in range(nx):
                    p, q = u[c, low, b, i], u[c, low, back, i]
                    r, s = u[c, high, b, i], u[c, high, back, i]
                    scratch[3 * c, i] = gx * ((p + q) + (r + s))
                    scratch[3 * c + 1, i] = gy * ((q - p) + (s - r))
                    scratch[3 * c + 2, i] = gz * ((r + s) - (p + q))
            for i in range(nx):
                scratch[5, i] += scratch[7, i]  # ∂_z u_y + ∂_y u_z
            for t in range(9):
                scratch[t, nx] = scratch[t, 0]
            _cells_of_row(scratch, 0, 9, mean[0], 1.0, strain, 0, a, b)
            _cells_of_row(scratch, 9, 4, mean[1], 1.0, strain, 1, a, b)
            _cells_of_row(scratch, 9, 8, mean[2], 1.0, strain, 2, a, b)
            _cells_of_row(scratch, 9, 5, mean[3], _ROOT_HALF, strain, 3, a, b)
            _cells_of_row(scratch, 6, 2, mean[4], _ROOT_HALF, strain, 4, a, b)
            _cells_of_row(scratch, 3, 1, mean[5], _ROOT_HALF, strain, 5, a, b)


@njit(**_EXACT)
def _cells_of_row(scratch, p, q, mean, factor, strain, s, a, b):
    """ε_s = mean + factor (difference of scratch row p + sum of row q along x); one result per loop, for the vectoriser."""
    for i in range(strain.shape[3]):
        difference, total = scratch[p, i + 1] - scratch[p, i], scratch[q, i + 1] + scratch[q, i]
        strain[s, a, b, i] = mean + factor * (difference + total)


@njit(**_EXACT)
def rotated_force_2d(stress, first, spacing, scratch, force, edge):
    """force = Dᵀσ at the corners, from one block of cells: stress (3, rows, 1, nx).

    Row `first` of corners lacks what the block before contributes, and the row after the last one goes to edge (2, 1, nx):
    the caller adds edges to rows once all blocks are done, so that no block has to wait for another.
    """
    rows, nx = stress.shape[1], stress.shape[3]
    gx, gy = 0.5 / spacing[0], 0.5 / spacing[1]
    for a in range(rows + 1):
        # Corners touch the cells below (row a − 1) and above (row a); outside the block they count zero times.
        below, above = max(a - 1, 0), min(a, rows - 1)
        w_below, w_above = 1.0 if a > 0 else 0.0, 1.0 if a < rows else 0.0
        for i in range(nx):
            s = w_below * stress[0, below, 0, i] + w_above * stress[0, above, 0, i]
            scratch[0, i + 1] = gx * s
            d = w_below * stress[2, below, 0, i] - w_above * stress[2, above, 0, i]
            scratch[1, i + 1] = gy * _ROOT_HALF * d
            s = w_below * stress[2, below, 0, i] + w_above * stress[2, above, 0, i]
            scratch[2, i + 1] = gx * _ROOT_HALF * s
            d = w_below * stress[1, below, 0, i] - w_above * stress[1, above, 0, i]
            scratch[3, i + 1] = gy * d
        for t in range(4):
            scratch[t, 0] = scratch[t, nx]
        for c in range(2):
            target = force[c, first + a, 0] if a < rows else edge[c, 0]
            for i in range(nx):
                difference = scratch[2 * c, i] - scratch[2 * c, i + 1]
                target[i] = difference + (scratch[2 * c + 1, i] + scratch[2 * c + 1, i + 1])


@njit(**_EXACT)
def rotated_force_3d(stress, first, spacing, scratch, force, edge):
    """The same in space: stress (6, planes, ny, nx), edge (3, ny, nx), scratch (≥ 6, nx + 1)."""
    planes, n1, nx = stress.shape[1:]
    gx, gy, gz = 0.25 / spacing[0], 0.25 / spacing[1], 0.25 / spacing[2]
    hx, hy, hz = gx * _ROOT_HALF, gy * _ROOT_HALF, gz * _ROOT_HALF
    for a in range(planes + 1):
        low, high = max(a - 1, 0), min(a, planes - 1)
        w, v = 1.0 if a > 0 else 0.0, 1.0 if a < planes else 0.0
        for b in range(n1):
            front = b - 1 if b > 0 else n1 - 1
            # Rows 0, 2, 4 of scratch will be differenced along x, rows 1, 3, 5 summed. Loops of few results, for the vectoriser.
            for i in range(nx):
                p = w * (stress[0, low, front, i] + stress[0, low, b, i])
                q = v * (stress[0, high, front, i] + stress[0, high, b, i])
                scratch[0, i + 1] = gx * (p + q)
            for i in range(nx):
                lf, lb = w * stress[5, low, front, i], w * stress[5, low, b, i]
                hf, hb = v * stress[5, high, front, i], v * stress[5, high, b, i]
                scratch[2, i + 1] = hx * ((lf + lb) + (hf + hb))
                scratch[1, i + 1] = hy * ((lf + hf) - (lb + hb))
            for i in range(nx):
                lf, lb = w * stress[4, low, front, i], w * stress[4, low, b, i]
                hf, hb = v * stress[4, high, front, i], v * stress[4, high, b, i]
                scratch[4, i + 1] = hx * ((lf + lb) + (hf + hb))
                scratch[1, i + 1] += hz * ((lf + lb) - (hf + hb))
            for i in range(nx):
                lf, lb = w * stress[3, low, front, i], w * stress[3, low, b, i]
                hf, hb = v * stress[3, high, front, i], v * stress[3, high, b, i]
                scratch[3, i + 1] = hz * ((lf + lb) - (hf + hb))
                scratch[5, i + 1] = hy * ((lf + hf) - (lb + hb))
            for i in range(nx):
                p = w * (stress[1, low, front, i] - stress[1, low, b, i])
                q = v * (stress[1, high, front, i] - stress[1, high, b, i])
                scratch[3, i + 1] += gy * (p + q)
            for i in range(nx):
                p = w * (stress[2, low, front, i] + stress[2, low, b, i])
                q = v * (stress[2, high, front, i] + stress[2, high, b, i])
                scratch[5, i + 1] += gz * (p - q)
            for t in range(6):
                scratch[t, 0] = scratch[t, nx]
            for c in range(3):
                target = force[c, first + a, b] if a < planes else edge[c, b]
                for i in range(nx):
                    difference = scratch[2 * c, i] - scratch[2 * c, i + 1]
                    target[i] = difference + (scratch[2 * c + 1, i] + scratch[2 * c + 1, i + 1])


# --- Fourier scheme: both at the centres, D_j = i k_j; vectors hold i û, so that every factor is real -----------------


@njit(**_EXACT)
def fourier_strain(u, column, row, first, last, mean, strain):
    """Numbers [first, last) of every row of the transform of ε̄ + sym(Du): u (d, n0, w), strain (m, n0, w)."""
    d, n0 = u.shape[:2]
    for s in range(strain.shape[0]):
        j, k = _pair(d, s)
        factor = 0.5 if j == k else _ROOT_HALF
        for a in range(n0):
            p, q = factor * row[j, a], factor * row[k, a]
            for e in range(np.uintp(first), np.uintp(last)):
                strain[s, a, e] = p * column[j, e] * u[k, a, e] + q * column[k, e] * u[j, a, e]
        if first == 0:
            strain[s, 0, 0] = mean[s]


@njit(**_EXACT)
def fourier_force(stress, column, row, first, last, force):
    """The adjoint: numbers [first, last) of every row of Dᴴσ, from stress (m, n0, w) into force (d, n0, w)."""
    d, n0 = force.shape[:2]
    for j in range(d):
        for a in range(n0):
            for e in range(np.uintp(first), np.uintp(last)):
                force[j, a, e] = row[j, a] * column[j, e] * stress[j, a, e]
    for s in range(d, stress.shape[0]):
        j, k = _pair(d, s)
        for a in range(n0):
            p, q = _ROOT_HALF * row[j, a], _ROOT_HALF * row[k, a]
            for e in range(np.uintp(first), np.uintp(last)):
                force[k, a, e] += p * column[j, e] * stress[s, a, e]
            for e in range(np.uintp(first), np.uintp(last)):
                force[j, a, e] += q * column[k, e] * stress[s, a, e]


@njit(**_EXACT)
def _pair(d, s):
    """The axes of component s: xx, yy, xy in the plane; xx, yy, zz, yz, xz, xy in space."""
    if s < d:
        return s, s
    if d == 2 or s == 5:
        return 0, 1
    return (1, 2) if s == 3 else (0, 2)


# --- Green operator of the reference medium ---------------------------------------------------------------------------


@njit(**_SUMS)
def green_2d(acoustic, column, row, weight, first, last, z):
    """Replace g by z = K⁻¹ g in the numbers [first, last) of every row of z (2, n0, w); returns Σ weight g z.

    K_ik = C⁰_ijkl t_j t_l is the acoustic tensor; acoustic holds its components 11, 22, 12 as quadratic forms in t_1², t_2²,
    t_1t_2 (tuples in a tuple: numbers, of which the compiler knows that no store changes them). Where all t vanish (the mean,
    and modes the gradient does not see) z = 0.
    """
    total = 0.0
    for a in range(z.shape[1]):
        for e in range(np.uintp(first), np.uintp(last)):
            t1, t2 = column[0, e] * row[0, a], column[1, e] * row[1, a]
            q1, q2, q3 = t1 * t1, t2 * t2, t1 * t2
            k11 = acoustic[0][0] * q1 + acoustic[0][1] * q2 + acoustic[0][2] * q3
            k22 = acoustic[1][0] * q1 + acoustic[1][1] * q2 + acoustic[1][2] * q3
            k12 = acoustic[2][0] * q1 + acoustic[2][1] * q2 + acoustic[2][2] * q3
            determinant = k11 * k22 - k12 * k12
            inverse = 1.0 / determinant if determinant > 0.0 else 0.0
            g1, g2 = z[0, a, e], z[1, a, e]
            z1, z2 = inverse * (k22 * g1 - k12 * g2), inverse * (k11 * g2 - k12 * g1)
            total += weight[e] * (g1 * z1 + g2 * z2)
            z[0, a, e] = z1
            z[1, a, e] = z2
    return total


@njit(inline="always", **_SUMS)
def _form(f, q1, q2, q3, q4, q5, q6):
    return (f[0] * q1 + f[1] * q2 + f[2] * q3) + (f[3] * q4 + f[4] * q5 + f[5] * q6)


@njit(**_SUMS)
def green_3d(acoustic, column, row, weight, first, last, z):
    """The same in space; acoustic: components 11, 22, 33, 23, 13, 12 in t_1², t_2², t_3², t_2t_3, t_1t_3, t_1t_2."""
    total = 0.0
    for a in range(z.shape[1]):
        for e in range(np.uintp(first), np.uintp(last)):
            t1, t2, t3 = column[0, e] * row[0, a], column[1, e] * row[1, a], column[2, e] * row[2, a]
            q1, q2, q3, q4, q5, q6 = t1 * t1, t2 * t2, t3 * t3, t2 * t3, t1 * t3, t1 * t2
            k11, k22 = _form(acoustic[0], q1, q2, q3, q4, q5, q6), _form(acoustic[1], q1, q2, q3, q4, q5, q6)
            k33, k23 = _form(acoustic[2], q1, q2, q3, q4, q5, q6), _form(acoustic[3], q1, q2, q3, q4, q5, q6)
            k13, k12 = _form(acoustic[4], q1, q2, q3, q4, q5, q6), _form(acoustic[5], q1, q2, q3, q4, q5, q6)
            c11, c22, c33 = k22 * k33 - k23 * k23, k11 * k33 - k13 * k13, k11 * k22 - k12 * k12
            c23, c13, c12 = k12 * k13 - k11 * k23, k12 * k23 - k22 * k13, k13 * k23 - k12 * k33
            determinant = k11 * c11 + k12 * c12 + k13 * c13
            inverse = 1.0 / determinant if determinant > 0.0 else 0.0
            g1, g2, g3 = z[0, a, e], z[1, a, e], z[2, a, e]
            z1 = inverse * (c11 * g1 + c12 * g2 + c13 * g3)
            z2 = inverse * (c12 * g1 + c22 * g2 + c23 * g3)
            z3 = inverse * (c13 * g1 + c23 * g2 + c33 * g3)
            total += weight[e] * (g1 * z1 + g2 * z2 + g3 * z3)
            z[0, a, e] = z1
            z[1, a, e] = z2
            z[2, a, e] = z3
    return total


# --- vectors of the conjugate gradients: (d, n0, w), rows [first, last) -----------------------------------------------


@njit(**_EXACT)
def advance(alpha, x, g, p, force, first, last):
    """x −= α p and g −= α A p."""
    for c in range(x.shape[0]):
        for a in range(first, last):
            for i in range(x.shape[2]):
                x[c, a, i] -= alpha * p[c, a, i]
                g[c, a, i] -= alpha * force[c, a, i]


@njit(**_EXACT)
def turn(beta, z, p, first):
    """p = z + β p in the rows first, first + 1, … that z holds; β = 0 forgets p whatever it contains."""
    for c in range(z.shape[0]):
        for a in range(z.shape[1]):
            for i in range(z.shape[2]):
                kept = beta * p[c, first + a, i] if beta != 0.0 else 0.0
                p[c, first + a, i] = z[c, a, i] + kept


# --- sums over one block of cells: strain and stress (m, n) -----------------------------------------------------------


@njit(**_SUMS)
def pairing(strain, stress, sums):
    """sums[0] = Σ ε·σ and sums[1 + a] = Σ σ_a."""
    work = 0.0
    for a in range(stress.shape[0]):
        total = 0.0
        for i in range(stress.shape[1]):
            total += stress[a, i]
            work += strain[a, i] * stress[a, i]
        sums[1 + a] = total
    sums[0] = work


@njit(**_SUMS)
def quadratic(matrix, field):
    """Σ f·M f over the cells of a block, f one column of field (m, n), M symmetric."""
    total = 0.0
    for a in range(field.shape[0]):
        for b in range(field.shape[0]):
            if matrix[a, b] != 0.0:
                part = 0.0
                for i in range(field.shape[1]):
                    part += field[a, i] * field[b, i]
                total += matrix[a, b] * part
    return total


# --- linear laws: stress = C(x) strain for the cells first, first + 1, … of a block -----------------------------------


@njit(**_EXACT)
def isotropic(lame, shear, first, strain, stress):
    """σ = λ tr(ε) I + 2 μ ε; lame, shear (N,)."""
    if strain.shape[0] == 3:
        for i in range(strain.shape[1]):
            mu2 = 2.0 * shear[first + i]
            pressure = lame[first + i] * (strain[0, i] + strain[1, i])
            stress[0, i] = pressure + mu2 * strain[0, i]
            stress[1, i] = pressure + mu2 * strain[1, i]
            stress[2, i] = mu2 * strain[2, i]
        return
    for i in range(strain.shape[1]):
        mu2 = 2.0 * shear[first + i]
        pressure = lame[first + i] * (strain[0, i] + strain[1, i] + strain[2, i])
        stress[0, i] = pressure + mu2 * strain[0, i]
        stress[1, i] = pressure + mu2 * strain[1, i]
        stress[2, i] = pressure + mu2 * strain[2, i]
        stress[3, i] = mu2 * strain[3, i]
        stress[4, i] = mu2 * strain[4, i]
        stress[5, i] = mu2 * strain[5, i]


@njit(**_EXACT)
def phases(table, phase, first, strain, stress):
    """σ = C_{p(x)} ε; table (phases, m, m), phase (N,) of integers."""
    m = strain.shape[0]
    for a in range(m):
        for i in range(strain.shape[1]):
            total = table[phase[first + i], a, 0] * strain[0, i]
            for b in range(1, m):
                total += table[phase[first + i], a, b] * strain[b, i]
            stress[a, i] = total


@njit(**_EXACT)
def interpolated(base, contrast, weights, first, strain, stress):
    """σ = (C_0 + Σ_p w_p(x) ΔC_p) ε; base (m, m), contrast (p, m, m), weights (p, N). Zeros of the matrices cost nothing."""
    m, n = strain.shape
    for a in range(m):
        for i in range(n):
            stress[a, i] = 0.0
        for b in range(m):
            if base[a, b] != 0.0:
                for i in range(n):
                    stress[a, i] += base[a, b] * strain[b, i]
            for p in range(weights.shape[0]):
                if contrast[p, a, b] != 0.0:
                    for i in range(n):
                        stress[a, i] += (contrast[p, a, b] * weights[p, first + i]) * strain[b, i]


@njit(**_EXACT)
def packed(matrix, first, strain, stress):
    """σ = C(x) ε; matrix (m (m + 1)/2, N): the upper triangle row by row, 11, 12, …, 22, 23, …"""
    m, n = strain.shape
    if m == 3:
        for i in range(n):
            c12, c13, c23 = matrix[1, first + i], matrix[2, first + i], matrix[4, first + i]
            e1, e2, e3 = strain[0, i], strain[1, i], strain[2, i]
            stress[0, i] = matrix[0, first + i] * e1 + c12 * e2 + c13 * e3
            stress[1, i] = c12 * e1 + matrix[3, first + i] * e2 + c23 * e3
            stress[2, i] = c13 * e1 + c23 * e2 + matrix[5, first + i] * e3
        return
    for a in range(m):
        entry = a
        for i in range(n):
            stress[a, i] = matrix[entry, first + i] * strain[0, i]
        for b in range(1, m):
            entry += m - b if b <= a else 1  # down the column, then along the row
            for i in range(n):
                stress[a, i] += matrix[entry, first + i] * strain[b, i]
