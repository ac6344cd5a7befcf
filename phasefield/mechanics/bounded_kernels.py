"""Numba kernels of elements with bi- and trilinear displacement and full integration, on a box of equal cells.

The displacement in a cell is a sum of products of the local coordinates s, t, r ∈ [−1, 1] along x, y, z. Its modes are the sums
of the values at the corners with the signs of 1, s, t, r, st, tr, sr, str: X, Y, Z are the differences across the cell,

    ∂u/∂x = X/(2ᵈ⁻¹ h_x) + (XY t + XZ r + XYZ tr)/(2ᵈ⁻¹ h_x),    and its like for y and z,

the mixed ones the hourglass modes. Integrals of s², s²t² over the cell are V/3 and V/9 and odd ones vanish, so full integration
(two Gauss points per axis, exact for rectangular cells) is a small sum over modes: no element matrix is formed.

`stiffness` gets the forces of the nodes as the adjoint of the same sums. Rows of cells are scattered to the two rows of nodes
they touch; the last row of nodes of a block belongs to the next one, which finds it in `edge`.

Displacement and force are (d, n0, n1, nx + 1): n0 nodes along the slowest axis, n1 = 1 in the plane; factors (cells of the
slowest axis, n1 − 1 or 1, nx). Kernels release the GIL and allocate nothing; sums are returned per block.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

_EXACT = {"nogil": True, "error_model": "numpy", "cache": True, "fastmath": {"contract"}}
_SUMS = {**_EXACT, "fastmath": {"contract", "reassoc", "nsz"}}
# In space, rows are worked on in pieces of so many cells, each with 24 rows of forces. With their distance a constant the
# compiler sees that they do not overlap, and vectorises.
PIECE = 128
_ROW = PIECE + 2
SCRATCH_3D = 24 * _ROW


def coefficients(lame: float, shear: float, spacing: Sequence[float]) -> np.ndarray:
    """Factors of the modes in their forces, those of `_law_2d` or `_law_3d`.

    Args:
        lame, shear: λ and μ; plane stress needs λ* = 2λμ/(λ+2μ). spacing: (h_x, h_y[, h_z]).
    """
    d = len(spacing)
    h = np.array(spacing, float)
    a = 1.0 / (2.0 ** (d - 1) * h)
    volume, axial = float(np.prod(h)), lame + 2.0 * shear
    square = np.outer(a, a)
    if d == 2:
        xx, yy, xy = square[0, 0], square[1, 1], square[0, 1]
        hourglass = [(axial * xx + shear * yy) / 3.0, (axial * yy + shear * xx) / 3.0]
        return volume * np.array([axial * xx, axial * yy, lame * xy, shear * xx, shear * yy, shear * xy, *hourglass])
    pairs = [(0, 1), (1, 2), (0, 2)]
    normal = [axial * square[j, j] for j in range(3)]
    across = [shear * square[j, j] for j in range(3)]
    poisson = [lame * square[j, k] for j, k in pairs]
    shears = [shear * square[j, k] for j, k in pairs]
    triple = [(normal[c] + sum(across) - across[c]) / 9.0 for c in range(3)]
    return volume * np.array([*normal, *across, *poisson, *shears, *triple])


@njit(**_SUMS)
def _law_2d(k, x1, y1, h1, x2, y2, h2):
    """Forces of the modes X, Y, XY of u_x and u_y at unit factor."""
    return (
        k[0] * x1 + k[2] * y2,
        k[4] * y1 + k[5] * x2,
        k[6] * h1,
        k[5] * y1 + k[3] * x2,
        k[2] * x1 + k[1] * y2,
        k[7] * h2,
    )


@njit(**_SUMS)
def _modes_2d(p, q, r, s):
    """X, Y, XY of the values at (0, 0), (1, 0), (0, 1), (1, 1)."""
    return (q - p) + (s - r), (r - p) + (s - q), (p - q) + (s - r)


@njit(**_SUMS)
def stiffness_2d(u, factor, first, last, k, scratch, out, edge):
    """out = K u from the rows first … last − 1 of cells; the sum u·K u over them. scratch (6, nx + 2) with zeros at both ends."""
    nx = factor.shape[2]
    total = 0.0
    for c in range(2):
        for i in range(nx + 1):
            out[c, first, 0, i] = 0.0
    for a in range(first, last):
        low1, low2, high1, high2 = u[0, a, 0], u[1, a, 0], u[0, a + 1, 0], u[1, a + 1, 0]
        g = factor[a, 0]
        part = 0.0
        for i in range(nx):
            x1, y1, h1 = _modes_2d(low1[i], low1[i + 1], high1[i], high1[i + 1])
            x2, y2, h2 = _modes_2d(low2[i], low2[i + 1], high2[i], high2[i + 1])
            fx1, fy1, fh1, fx2, fy2, fh2 = _law_2d(k, x1, y1, h1, x2, y2, h2)
            w = g[i]
            part += w * ((fx1 * x1 + fy1 * y1 + fh1 * h1) + (fx2 * x2 + fy2 * y2 + fh2 * h2))
            # Across a row: X − XY below, X + XY above; Y is the same on both sides.
            scratch[0, i + 1] = w * (fx1 - fh1)
            scratch[1, i + 1] = w * (fx1 + fh1)
            scratch[2, i + 1] = w * fy1
            scratch[3, i + 1] = w * (fx2 - fh2)
            scratch[4, i + 1] = w * (fx2 + fh2)
            scratch[5, i + 1] = w * fy2
        total += part
        for c in range(2):
            below = out[c, a, 0]
            above = edge[c, 0] if a + 1 == last else out[c, a + 1, 0]
            for i in range(nx + 1):
                y = scratch[3 * c + 2, i] + scratch[3 * c + 2, i + 1]
                below[i] += (scratch[3 * c, i] - scratch[3 * c, i + 1]) - y
                above[i] = (scratch[3 * c + 1, i] - scratch[3 * c + 1, i + 1]) + y
    return total


@njit(**_SUMS)
def density_2d(u, factor, first, last, k, scale, out):
    """out = scale × (u·K u of each cell) at unit factor, the mean over its Gauss points of the strain energy density."""
    nx = factor.shape[2]
    for a in range(first, last):
        low1, low2, high1, high2 = u[0, a, 0], u[1, a, 0], u[0, a + 1, 0], u[1, a + 1, 0]
        line = out[a, 0]
        for i in range(nx):
            x1, y1, h1 = _modes_2d(low1[i], low1[i + 1], high1[i], high1[i + 1])
            x2, y2, h2 = _modes_2d(low2[i], low2[i + 1], high2[i], high2[i + 1])
            fx1, fy1, fh1, fx2, fy2, fh2 = _law_2d(k, x1, y1, h1, x2, y2, h2)
            line[i] = scale * ((fx1 * x1 + fy1 * y1 + fh1 * h1) + (fx2 * x2 + fy2 * y2 + fh2 * h2))


@njit(**_SUMS)
def _law_3d(k, a, b, c):
    """Forces of the modes X, Y, Z, XY, YZ, XZ, XYZ of u_x, u_y and u_z at unit factor."""
    x1, y1, z1, xy1, yz1, xz1, t1 = a
    x2, y2, z2, xy2, yz2, xz2, t2 = b
    x3, y3, z3, xy3, yz3, xz3, t3 = c
    nx, ny, nz, sx, sy, sz = k[0], k[1], k[2], k[3], k[4], k[5]
    lxy, lyz, lxz, mxy, myz, mxz = k[6], k[7], k[8], k[9], k[10], k[11]
    third = 1.0 / 3.0
    return (
        (
            nx * x1 + lxy * y2 + lxz * z3,
            sy * y1 + mxy * x2,
            sz * z1 + mxz * x3,
            third * ((nx + sy) * xy1 + lxz * yz3),
            third * ((sy + sz) * yz1 + mxz * xy3 + mxy * xz2),
            third * ((nx + sz) * xz1 + lxy * yz2),
            k[12] * t1,
        ),
        (
            sx * x2 + mxy * y1,
            lxy * x1 + ny * y2 + lyz * z3,
            sz * z2 + myz * y3,
            third * ((ny + sx) * xy2 + lyz * xz3),
            third * ((ny + sz) * yz2 + lxy * xz1),
            third * ((sx + sz) * xz2 + myz * xy3 + mxy * yz1),
            k[13] * t2,
        ),
        (
            sx * x3 + mxz * z1,
            sy * y3 + myz * z2,
            lxz * x1 + lyz * y2 + nz * z3,
            third * ((sx + sy) * xy3 + myz * xz2 + mxz * yz1),
            third * ((nz + sy) * yz3 + lxz * xy1),
            third * ((nz + sx) * xz3 + lyz * xy2),
            k[14] * t3,
        ),
    )


@njit(**_SUMS)
def _modes_3d(p, q, r, s, v, w, m, n):
    """X, Y, Z, XY, YZ, XZ, XYZ of the values at (0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), …"""
    x0, y0, h0 = _modes_2d(p, q, r, s)
    x1, y1, h1 = _modes_2d(v, w, m, n)
    z = ((v + w) + (m + n)) - ((p + q) + (r + s))
    return x0 + x1, y0 + y1, z, h0 + h1, y1 - y0, x1 - x0, h1 - h0


@njit(**_EXACT)
def _rows_3d(u, c, a, b):
    """The rows of nodes along the four edges in x of a row of cells."""
    return u[c, a, b], u[c, a, b + 1], u[c, a + 1, b], u[c, a + 1, b + 1]


@njit(**_SUMS)
def _pairing_3d(a, f):
    return ((a[0] * f[0] + a[1] * f[1]) + (a[2] * f[2] + a[3] * f[3])) + ((a[4] * f[4] + a[5] * f[5]) + a[6] * f[6])


@njit(**_SUMS)
def _spread_3d(w, f, scratch, i):
    """Forces of the modes of one cell to `scratch`: what is even and what is odd in x, for the four edges along x."""
    fx, fy, fz, fxy, fyz, fxz, ft = f
    scratch[i] = w * ((fyz - fy) - fz)
    scratch[i + _ROW] = w * ((fy - fz) - fyz)
    scratch[i + 2 * _ROW] = w * ((fz - fy) - fyz)
    scratch[i + 3 * _ROW] = w * ((fy + fz) + fyz)
    scratch[i + 4 * _ROW] = w * ((fx - fxy) + (ft - fxz))
    scratch[i + 5 * _ROW] = w * ((fx + fxy) - (ft + fxz))
    scratch[i + 6 * _ROW] = w * ((fx - fxy) + (fxz - ft))
    scratch[i + 7 * _ROW] = w * ((fx + fxy) + (fxz + ft))


@njit(**_SUMS)
def _piece_3d(rows, begin, size):
    """The nodes of `size` cells of rows of nodes."""
    end = begin + size + 1
    return rows[0][begin:end], rows[1][begin:end], rows[2][begin:end], rows[3][begin:end]


@njit(**_SUMS)
def _add_3d(scratch, size, begin, a, b, last, out, edge):
    """Add what `_spread_3d` has left of a piece of the cells (a, b) to their nodes; `edge` has the row `last`."""
    # Before the first and behind the last cell of the piece there is nothing.
    for row in range(24):
        scratch[row * _ROW] = 0.0
        scratch[row * _ROW + size + 1] = 0.0
    for c in range(3):
        for corner in range(4):
            plane = edge[c] if corner >= 2 and a + 1 == last else out[c, a + (corner >> 1)]
            line = plane[b + (corner & 1)][begin : begin + size + 1]
            row = (8 * c + corner) * _ROW
            even, odd = scratch[row : row + _ROW], scratch[row + 4 * _ROW : row + 5 * _ROW]
            for i in range(size + 1):
                line[i] += (even[i] + even[i + 1]) + (odd[i] - odd[i + 1])


@njit(**_SUMS)
def stiffness_3d(u, factor, first, last, k, scratch, out, edge):
    """The same in space; scratch (SCRATCH_3D)."""
    _, n1, nx = factor.shape
    total = 0.0
    for c in range(3):
        out[c, first] = 0.0
        edge[c] = 0.0
    for a in range(first, last):
        if a + 1 < last:
            for c in range(3):
                out[c, a + 1] = 0.0
        for b in range(n1):
            r1, r2, r3 = _rows_3d(u, 0, a, b), _rows_3d(u, 1, a, b), _rows_3d(u, 2, a, b)
            for begin in range(0, nx, PIECE):
                size = min(PIECE, nx - begin)
                p1, q1, v1, w1 = _piece_3d(r1, begin, size)
                p2, q2, v2, w2 = _piece_3d(r2, begin, size)
                p3, q3, v3, w3 = _piece_3d(r3, begin, size)
                g = factor[a, b, begin : begin + size]
                part = 0.0
                for i in range(size):
                    m1 = _modes_3d(p1[i], p1[i + 1], q1[i], q1[i + 1], v1[i], v1[i + 1], w1[i], w1[i + 1])
                    m2 = _modes_3d(p2[i], p2[i + 1], q2[i], q2[i + 1], v2[i], v2[i + 1], w2[i], w2[i + 1])
                    m3 = _modes_3d(p3[i], p3[i + 1], q3[i], q3[i + 1], v3[i], v3[i + 1], w3[i], w3[i + 1])
                    f1, f2, f3 = _law_3d(k, m1, m2, m3)
                    w = g[i]
                    part += w * ((_pairing_3d(m1, f1) + _pairing_3d(m2, f2)) + _pairing_3d(m3, f3))
                    _spread_3d(w, f1, scratch, i + 1)
                    _spread_3d(w, f2, scratch, i + 1 + 8 * _ROW)
                    _spread_3d(w, f3, scratch, i + 1 + 16 * _ROW)
                total += part
                _add_3d(scratch, size, begin, a, b, last, out, edge)
    return total


@njit(**_SUMS)
def density_3d(u, factor, first, last, k, scale, out):
    """The same as `density_2d` in space."""
    _, n1, nx = factor.shape
    for a in range(first, last):
        for b in range(n1):
            p1, q1, v1, w1 = _rows_3d(u, 0, a, b)
            p2, q2, v2, w2 = _rows_3d(u, 1, a, b)
            p3, q3, v3, w3 = _rows_3d(u, 2, a, b)
            line = out[a, b]
            for i in range(nx):
                m1 = _modes_3d(p1[i], p1[i + 1], q1[i], q1[i + 1], v1[i], v1[i + 1], w1[i], w1[i + 1])
                m2 = _modes_3d(p2[i], p2[i + 1], q2[i], q2[i + 1], v2[i], v2[i + 1], w2[i], w2[i + 1])
                m3 = _modes_3d(p3[i], p3[i + 1], q3[i], q3[i + 1], v3[i], v3[i + 1], w3[i], w3[i + 1])
                f1, f2, f3 = _law_3d(k, m1, m2, m3)
                line[i] = scale * ((_pairing_3d(m1, f1) + _pairing_3d(m2, f2)) + _pairing_3d(m3, f3))


# --- vectors of the conjugate gradients, rows first … last − 1 of nodes -----------------------------------------------


@njit(**_EXACT)
def subtract(alpha, force, edge, r, first, last):
    """r −= α force, where `edge` is added to the first row: what the block of cells before it contributes, or no elements."""
    for c in range(r.shape[0]):
        for a in range(first, last):
            for b in range(r.shape[2]):
                target, source = r[c, a, b], force[c, a, b]
                for i in range(target.size):
                    target[i] -= alpha * source[i]
        if edge.size > 0:
            for b in range(r.shape[2]):
                target, source = r[c, first, b], edge[c, b]
                for i in range(target.size):
                    target[i] -= alpha * source[i]


@njit(**_EXACT)
def to_waves(r, free, first, last, begin, scales, work):
    """work = W^(−½) r for the free nodes of one component: r (n0, n1, nx + 1), work without the nodes on held faces.

    begin (3): the first node along each axis that is not on such a face; free: (0, 0, 0), or 1 and 0 for nodes to be left out.
    """
    s0, s1, sx = scales
    masked = free.size > 0
    for a in range(first, last):
        for b in range(s1.size):
            line = work[a - begin[0], b]
            source = r[a, b + begin[1]][begin[2] :]
            scale = s0[a - begin[0]] * s1[b]
            for i in range(sx.size):
                line[i] = scale * sx[i] * source[i]
            if masked:
                keep = free[a, b + begin[1]][begin[2] :]
                for i in range(sx.size):
                    line[i] *= keep[i]


@njit(**_EXACT)
def turn(alpha, beta, work, free, first, last, begin, scales, x, p):
    """x += α p and p = z + β p with z = W^(−½) work at the same nodes."""
    s0, s1, sx = scales
    masked = free.size > 0
    for a in range(first, last):
        for b in range(s1.size):
            line = work[a - begin[0], b]
            if masked:
                keep = free[a, b + begin[1]][begin[2] :]
                for i in range(sx.size):
                    line[i] *= keep[i]
            target = p[a, b + begin[1]][begin[2] :]
            scale = s0[a - begin[0]] * s1[b]
            moved = x[a, b + begin[1]][begin[2] :]
            for i in range(sx.size):
                moved[i] += alpha * target[i]
                target[i] = scale * sx[i] * line[i] + beta * target[i]


@njit(**_SUMS)
def divide(work, begin, end, slow, fast, null):
    """Divide the columns begin … end − 1 of waves (n0, columns) of one component by Λ = slow + fast; the sum of squares ÷ Λ.

    null: what 1/0 is, for the constant of a component that no face holds.
    """
    total = 0.0
    across = fast[begin:end]
    for a in range(work.shape[0]):
        line = work[a][begin:end]
        along = slow[a]
        for j in range(across.size):
            value = along + across[j]
            product = line[j] * (1.0 / value if value > 0.0 else null)
            total += line[j] * product
            line[j] = product
    return total
