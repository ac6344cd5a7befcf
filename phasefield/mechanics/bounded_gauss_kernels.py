"""Numba kernels of the same elements for stresses that differ from Gauss point to Gauss point: strains, forces, tangents.

Modes X, Y, … of a cell are those of `bounded_kernels`; a Gauss point lies at s, t, r = ±1/√3. Cells go in lines along x: line l
is (l // n1, l % n1), with n1 = 1 in the plane. Strain and stress of n cells at a Gauss point are (m, n), Mandel components.

Tangents are symmetric matrices, their upper triangles row by row. In the plane they are summed over the Gauss points, as the
stiffness in the five numbers on which the strain of a cell depends: its mean (xx, yy, √2 xy) and the hourglass modes of u_x and
u_y; 15 entries a cell. In space ∂σ/∂ε itself is kept, 21 entries for each of 8 points, where the sum would need 171. They lie in
pieces of `PIECE` cells of a line, so that distances are constants and the compiler vectorises.
"""

from __future__ import annotations

import math

from numba import njit

from phasefield.mechanics import bounded_kernels as cells

PIECE = 64
ROOT_THIRD = math.sqrt(1.0 / 3.0)
_ROOT_HALF = math.sqrt(0.5)
_EXACT, _SUMS = cells._EXACT, cells._SUMS
_PLAIN = {"nogil": True, "error_model": "numpy", "cache": True}
# Loops with calls left in them are not vectorised.
_INNER = {**_SUMS, "forceinline": True}
_modes_2d, _modes_3d, _rows_3d, _piece_3d = cells._modes_2d, cells._modes_3d, cells._rows_3d, cells._piece_3d
# Numbers of scratch for one piece: in the plane six rows of forces; in space those of `bounded_kernels`, modes and their forces.
ROW = PIECE + 8
SCRATCH_2D = 6 * ROW
SCRATCH_3D = cells.SCRATCH_3D + 42 * ROW
_MODES = cells.SCRATCH_3D
_FORCES = _MODES + 21 * ROW


@njit(**_PLAIN)
def clear(out, edge, first, last):
    """No force at the nodes of the rows first … last − 1, and none for the row behind."""
    for c in range(out.shape[0]):
        for a in range(first, last):
            for b in range(out.shape[2]):
                line = out[c, a, b]
                for i in range(line.size):
                    line[i] = 0.0
        for b in range(out.shape[2]):
            line = edge[c, b]
            for i in range(line.size):
                line[i] = 0.0


# --- in the plane -----------------------------------------------------------------------------------------------------


@njit(**_PLAIN)
def strain_2d(u, first, last, a, scratch, strain):
    """Strains (4, 3, n) of the lines first … last − 1; a = 1/2h_x, 1/2h_y. Points in the order s − + − +, t − − + +."""
    nx = u.shape[3] - 1
    ax, ay = a
    for j in range(first, last):
        low1, low2, high1, high2 = u[0, j, 0], u[1, j, 0], u[0, j + 1, 0], u[1, j + 1, 0]
        for i in range(nx):
            x1, y1, h1 = _modes_2d(low1[i], low1[i + 1], high1[i], high1[i + 1])
            x2, y2, h2 = _modes_2d(low2[i], low2[i + 1], high2[i], high2[i + 1])
            n = (j - first) * nx + i
            xx, yy, xy = ax * x1, ay * y2, _ROOT_HALF * (ay * y1 + ax * x2)
            hxx, hyy = ROOT_THIRD * ax * h1, ROOT_THIRD * ay * h2
            hs, ht = ROOT_THIRD * _ROOT_HALF * ay * h1, ROOT_THIRD * _ROOT_HALF * ax * h2
            for q in range(4):
                s, t = 2.0 * (q & 1) - 1.0, 2.0 * (q >> 1) - 1.0
                strain[q, 0, n] = xx + t * hxx
                strain[q, 1, n] = yy + s * hyy
                strain[q, 2, n] = xy + (s * hs + t * ht)


@njit(**_EXACT)
def _spread_2d(scratch, size, begin, j, last, out, edge):
    """Add the forces X − XY, X + XY, Y of u_x and u_y in `scratch` to the nodes of a piece of line j."""
    for row in range(6):
        scratch[row * ROW] = 0.0
        scratch[row * ROW + size + 1] = 0.0
    for c in range(2):
        below = out[c, j, 0][begin : begin + size + 1]
        above = (edge[c, 0] if j + 1 == last else out[c, j + 1, 0])[begin : begin + size + 1]
        row = 3 * c * ROW
        for i in range(size + 1):
            y = scratch[row + 2 * ROW + i] + scratch[row + 2 * ROW + i + 1]
            below[i] += (scratch[row + i] - scratch[row + i + 1]) - y
            above[i] += (scratch[row + ROW + i] - scratch[row + ROW + i + 1]) + y


@njit(**_EXACT)
def force_2d(stress, first, last, end, a, volume, scratch, out, edge):
    """Add the forces of the stresses (4, 3, n) of the lines first … last − 1 to the nodes; lines end at `end` in this block."""
    nx = out.shape[3] - 1
    ax, ay, w = a[0], a[1], 0.25 * volume
    for j in range(first, last):
        for begin in range(0, nx, PIECE):
            size = min(PIECE, nx - begin)
            for i in range(size):
                n = (j - first) * nx + begin + i
                xx = (stress[0, 0, n] + stress[1, 0, n]) + (stress[2, 0, n] + stress[3, 0, n])
                yy = (stress[0, 1, n] + stress[2, 1, n]) + (stress[1, 1, n] + stress[3, 1, n])
                p, q, r, v = stress[0, 2, n], stress[1, 2, n], stress[2, 2, n], stress[3, 2, n]
                xy = _ROOT_HALF * ((p + v) + (q + r))
                along_s = _ROOT_HALF * ((v - p) + (q - r))
                along_t = _ROOT_HALF * ((v - p) + (r - q))
                xx_t = (stress[2, 0, n] - stress[0, 0, n]) + (stress[3, 0, n] - stress[1, 0, n])
                yy_s = (stress[1, 1, n] - stress[0, 1, n]) + (stress[3, 1, n] - stress[2, 1, n])
                h1, h2 = ROOT_THIRD * (ax * xx_t + ay * along_s), ROOT_THIRD * (ay * yy_s + ax * along_t)
                scratch[i + 1] = w * (ax * xx - h1)
                scratch[i + 1 + ROW] = w * (ax * xx + h1)
                scratch[i + 1 + 2 * ROW] = w * ay * xy
                scratch[i + 1 + 3 * ROW] = w * (ax * xy - h2)
                scratch[i + 1 + 4 * ROW] = w * (ax * xy + h2)
                scratch[i + 1 + 5 * ROW] = w * ay * yy
            _spread_2d(scratch, size, begin, j, end, out, edge)


@njit(**_PLAIN)
def store_2d(tangent, q, count, first, last, nx, a, volume, out):
    """Add the tangents (6, n) of the q-th of four points of the lines first … last − 1 to their cells; the first point sets them.

    `count`: how many points, from the q-th on, have this tangent.
    """
    pieces = -(-nx // PIECE)
    w = 0.25 * volume
    ax, ay = ROOT_THIRD * a[0], ROOT_THIRD * a[1]
    for line in range(first, last):
        for begin in range(0, nx, PIECE):
            base = (line * pieces + begin // PIECE) * 15 * PIECE
            size = min(PIECE, nx - begin)
            n = (line - first) * nx + begin
            e0, e1, e2 = tangent[0][n : n + size], tangent[1][n : n + size], tangent[2][n : n + size]
            e3, e4, e5 = tangent[3][n : n + size], tangent[4][n : n + size], tangent[5][n : n + size]
            k = out[base : base + 15 * PIECE]
            if q == 0:
                for i in range(k.size):
                    k[i] = 0.0
            for p in range(q, q + count):
                s, t = 2.0 * (p & 1) - 1.0, 2.0 * (p >> 1) - 1.0
                # H1 adds (x1, 0, z1) to the strain, H2 adds (0, y2, z2).
                x1, z1, y2, z2 = t * ax, _ROOT_HALF * s * ay, s * ay, _ROOT_HALF * t * ax
                for i in range(size):
                    xx, xy, xs, yy, ys, ss = w * e0[i], w * e1[i], w * e2[i], w * e3[i], w * e4[i], w * e5[i]
                    f1, f2, f3 = xx * x1 + xs * z1, xy * x1 + ys * z1, xs * x1 + ss * z1
                    g1, g2, g3 = xy * y2 + xs * z2, yy * y2 + ys * z2, ys * y2 + ss * z2
                    k[i] += xx
                    k[i + PIECE] += xy
                    k[i + 2 * PIECE] += xs
                    k[i + 3 * PIECE] += f1
                    k[i + 4 * PIECE] += g1
                    k[i + 5 * PIECE] += yy
                    k[i + 6 * PIECE] += ys
                    k[i + 7 * PIECE] += f2
                    k[i + 8 * PIECE] += g2
                    k[i + 9 * PIECE] += ss
                    k[i + 10 * PIECE] += f3
                    k[i + 11 * PIECE] += g3
                    k[i + 12 * PIECE] += f1 * x1 + f3 * z1
                    k[i + 13 * PIECE] += f2 * y2 + f3 * z2
                    k[i + 14 * PIECE] += g2 * y2 + g3 * z2


@njit(**_SUMS)
def tangent_2d(u, tangent, first, last, a, scratch, out, edge):
    """out = K u of the rows first … last − 1 of cells with stored tangents; the sum u·K u over them."""
    nx = u.shape[3] - 1
    pieces = -(-nx // PIECE)
    ax, ay = a
    total = 0.0
    clear(out, edge, first, last)
    for j in range(first, last):
        for begin in range(0, nx, PIECE):
            size = min(PIECE, nx - begin)
            low1, low2 = u[0, j, 0][begin : begin + size + 1], u[1, j, 0][begin : begin + size + 1]
            high1, high2 = u[0, j + 1, 0][begin : begin + size + 1], u[1, j + 1, 0][begin : begin + size + 1]
            base = (j * pieces + begin // PIECE) * 15 * PIECE
            k = tangent[base : base + 15 * PIECE]
            part = 0.0
            for i in range(size):
                x1, y1, h1 = _modes_2d(low1[i], low1[i + 1], high1[i], high1[i + 1])
                x2, y2, h2 = _modes_2d(low2[i], low2[i + 1], high2[i], high2[i + 1])
                xx, yy, xy = ax * x1, ay * y2, _ROOT_HALF * (ay * y1 + ax * x2)
                k2, k3, k4 = k[i + 2 * PIECE], k[i + 3 * PIECE], k[i + 4 * PIECE]
                k1, k6, k7, k8 = k[i + PIECE], k[i + 6 * PIECE], k[i + 7 * PIECE], k[i + 8 * PIECE]
                k10, k11, k13 = k[i + 10 * PIECE], k[i + 11 * PIECE], k[i + 13 * PIECE]
                f0 = k[i] * xx + k1 * yy + k2 * xy + k3 * h1 + k4 * h2
                f1 = k1 * xx + k[i + 5 * PIECE] * yy + k6 * xy + k7 * h1 + k8 * h2
                f2 = k2 * xx + k6 * yy + k[i + 9 * PIECE] * xy + k10 * h1 + k11 * h2
                f3 = k3 * xx + k7 * yy + k10 * xy + k[i + 12 * PIECE] * h1 + k13 * h2
                f4 = k4 * xx + k8 * yy + k11 * xy + k13 * h1 + k[i + 14 * PIECE] * h2
                part += ((f0 * xx + f1 * yy) + f2 * xy) + (f3 * h1 + f4 * h2)
                f2 *= _ROOT_HALF
                scratch[i + 1] = ax * f0 - f3
                scratch[i + 1 + ROW] = ax * f0 + f3
                scratch[i + 1 + 2 * ROW] = ay * f2
                scratch[i + 1 + 3 * ROW] = ax * f2 - f4
                scratch[i + 1 + 4 * ROW] = ax * f2 + f4
                scratch[i + 1 + 5 * ROW] = ay * f1
            total += part
            _spread_2d(scratch, size, begin, j, last, out, edge)
    return total


# --- in space ---------------------------------------------------------------------------------------------------------


@njit(**_SUMS)
def _collect_3d(u, line, begin, size, scratch):
    """The 21 modes of the cells of a piece to `scratch`: X, Y, Z, XY, YZ, XZ, XYZ of u_x, then of u_y and u_z."""
    n1 = u.shape[2] - 1
    for c in range(3):
        p, q, v, w = _piece_3d(_rows_3d(u, c, line // n1, line % n1), begin, size)
        at = _MODES + 7 * c * ROW
        for i in range(size):
            x, y, z, xy, yz, xz, xyz = _modes_3d(p[i], p[i + 1], q[i], q[i + 1], v[i], v[i + 1], w[i], w[i + 1])
            scratch[at + i] = x
            scratch[at + i + ROW] = y
            scratch[at + i + 2 * ROW] = z
            scratch[at + i + 3 * ROW] = xy
            scratch[at + i + 4 * ROW] = yz
            scratch[at + i + 5 * ROW] = xz
            scratch[at + i + 6 * ROW] = xyz


@njit(**_INNER)
def _signs(q):
    """s, t, r of one of eight points; s changes fastest."""
    return (
        (2.0 * (q & 1) - 1.0) * ROOT_THIRD,
        (2.0 * ((q >> 1) & 1) - 1.0) * ROOT_THIRD,
        (2.0 * (q >> 2) - 1.0) * ROOT_THIRD,
    )


@njit(**_INNER)
def _gradient_3d(scratch, at, s, t, r, a):
    """∂/∂x, ∂/∂y, ∂/∂z at a point of the component whose modes begin at `at`; a = 1/4h."""
    x, y, z = scratch[at], scratch[at + ROW], scratch[at + 2 * ROW]
    xy, yz, xz = scratch[at + 3 * ROW], scratch[at + 4 * ROW], scratch[at + 5 * ROW]
    xyz = scratch[at + 6 * ROW]
    return (
        a[0] * ((x + t * xy) + (r * xz + t * r * xyz)),
        a[1] * ((y + s * xy) + (r * yz + s * r * xyz)),
        a[2] * ((z + s * xz) + (t * yz + s * t * xyz)),
    )


@njit(**_INNER)
def _add_modes_3d(scratch, at, fx, fy, fz, s, t, r):
    """The adjoint of `_gradient_3d`, a and volume left to the caller."""
    scratch[at] += fx
    scratch[at + ROW] += fy
    scratch[at + 2 * ROW] += fz
    scratch[at + 3 * ROW] += t * fx + s * fy
    scratch[at + 4 * ROW] += r * fy + t * fz
    scratch[at + 5 * ROW] += r * fx + s * fz
    scratch[at + 6 * ROW] += t * r * fx + s * r * fy + s * t * fz


@njit(**_INNER)
def _strain_3d(scratch, i, s, t, r, a):
    xx, xy, xz = _gradient_3d(scratch, _MODES + i, s, t, r, a)
    yx, yy, yz = _gradient_3d(scratch, _MODES + 7 * ROW + i, s, t, r, a)
    zx, zy, zz = _gradient_3d(scratch, _MODES + 14 * ROW + i, s, t, r, a)
    return xx, yy, zz, _ROOT_HALF * (yz + zy), _ROOT_HALF * (xz + zx), _ROOT_HALF * (xy + yx)


@njit(**_INNER)
def _add_stress_3d(scratch, i, stress, s, t, r, a):
    """The forces that a stress at a point puts on the modes of a cell; a: 1/4h, times the volume of the point."""
    xx, yy, zz, yz, xz, xy = stress
    ax, ay, az = a
    yz, xz, xy = _ROOT_HALF * yz, _ROOT_HALF * xz, _ROOT_HALF * xy
    _add_modes_3d(scratch, _FORCES + i, ax * xx, ay * xy, az * xz, s, t, r)
    _add_modes_3d(scratch, _FORCES + 7 * ROW + i, ax * xy, ay * yy, az * yz, s, t, r)
    _add_modes_3d(scratch, _FORCES + 14 * ROW + i, ax * xz, ay * yz, az * zz, s, t, r)


@njit(**_SUMS)
def _spread_forces_3d(scratch, size, begin, line, end, out, edge):
    """Add the forces of the modes to the nodes of a piece."""
    for c in range(3):
        at = _FORCES + 7 * c * ROW
        for i in range(size):
            x, y, z = scratch[at + i], scratch[at + i + ROW], scratch[at + i + 2 * ROW]
            xy, yz, xz = scratch[at + i + 3 * ROW], scratch[at + i + 4 * ROW], scratch[at + i + 5 * ROW]
            f = (x, y, z, xy, yz, xz, scratch[at + i + 6 * ROW])
            cells._spread_3d(1.0, f, scratch, i + 1 + 8 * c * cells._ROW)
    n1 = out.shape[2] - 1
    cells._add_3d(scratch, size, begin, line // n1, line % n1, end, out, edge)


@njit(**_PLAIN)
def strain_3d(u, first, last, a, scratch, strain):
    """Strains (8, 6, n) of the lines first … last − 1; a = 1/4h_x, 1/4h_y, 1/4h_z."""
    nx = u.shape[3] - 1
    for line in range(first, last):
        for begin in range(0, nx, PIECE):
            size = min(PIECE, nx - begin)
            _collect_3d(u, line, begin, size, scratch)
            n = (line - first) * nx + begin
            for q in range(8):
                s, t, r = _signs(q)
                for i in range(size):
                    xx, yy, zz, yz, xz, xy = _strain_3d(scratch, i, s, t, r, a)
                    strain[q, 0, n + i] = xx
                    strain[q, 1, n + i] = yy
                    strain[q, 2, n + i] = zz
                    strain[q, 3, n + i] = yz
                    strain[q, 4, n + i] = xz
                    strain[q, 5, n + i] = xy


@njit(**_PLAIN)
def force_3d(stress, first, last, end, a, volume, scratch, out, edge):
    """Add the forces of the stresses (8, 6, n) of the lines first … last − 1 to the nodes; `end`: last row of the block + 1."""
    nx = out.shape[3] - 1
    weighted = (0.125 * volume * a[0], 0.125 * volume * a[1], 0.125 * volume * a[2])
    for line in range(first, last):
        for begin in range(0, nx, PIECE):
            size = min(PIECE, nx - begin)
            n = (line - first) * nx + begin
            scratch[_FORCES:] = 0.0
            for q in range(8):
                s, t, r = _signs(q)
                for i in range(size):
                    k = n + i
                    normal = (stress[q, 0, k], stress[q, 1, k], stress[q, 2, k])
                    shear = (stress[q, 3, k], stress[q, 4, k], stress[q, 5, k])
                    _add_stress_3d(scratch, i, normal + shear, s, t, r, weighted)
            _spread_forces_3d(scratch, size, begin, line, end, out, edge)


@njit(**_PLAIN)
def store_3d(tangent, q, count, first, last, nx, a, volume, out):
    """Keep the tangents (21, n), times the volume of a point, of the q-th of eight points of the lines first … last − 1.

    `count`: 8 where all points are alike, so that one is kept, else 1.
    """
    pieces = -(-nx // PIECE)
    points = 8 // count
    for line in range(first, last):
        for begin in range(0, nx, PIECE):
            base = ((line * pieces + begin // PIECE) * points + q) * 21 * PIECE
            n = (line - first) * nx + begin
            for k in range(21):
                for i in range(min(PIECE, nx - begin)):
                    out[base + k * PIECE + i] = 0.125 * volume * tangent[k, n + i]


@njit(**_INNER)
def _product_3d(k, i, e):
    """Symmetric matrix of a point times e."""
    P = PIECE
    x, y, z, u, v, w = e
    k1, k2, k3, k4, k5 = k[i + P], k[i + 2 * P], k[i + 3 * P], k[i + 4 * P], k[i + 5 * P]
    k7, k8, k9, k10 = k[i + 7 * P], k[i + 8 * P], k[i + 9 * P], k[i + 10 * P]
    k12, k13, k14 = k[i + 12 * P], k[i + 13 * P], k[i + 14 * P]
    k16, k17, k19 = k[i + 16 * P], k[i + 17 * P], k[i + 19 * P]
    return (
        (k[i] * x + k1 * y + k2 * z) + (k3 * u + k4 * v + k5 * w),
        (k1 * x + k[i + 6 * P] * y + k7 * z) + (k8 * u + k9 * v + k10 * w),
        (k2 * x + k7 * y + k[i + 11 * P] * z) + (k12 * u + k13 * v + k14 * w),
        (k3 * x + k8 * y + k12 * z) + (k[i + 15 * P] * u + k16 * v + k17 * w),
        (k4 * x + k9 * y + k13 * z) + (k16 * u + k[i + 18 * P] * v + k19 * w),
        (k5 * x + k10 * y + k14 * z) + (k17 * u + k19 * v + k[i + 20 * P] * w),
    )


@njit(**_SUMS)
def tangent_3d(u, tangent, first, last, a, scratch, out, edge):
    """The same in space, where one tangent is kept for each point or for all of a cell."""
    nx, n1 = u.shape[3] - 1, u.shape[2] - 1
    pieces = -(-nx // PIECE)
    points = tangent.size // ((u.shape[1] - 1) * n1 * pieces * 21 * PIECE)
    total = 0.0
    clear(out, edge, first, last)
    for line in range(first * n1, last * n1):
        for begin in range(0, nx, PIECE):
            size = min(PIECE, nx - begin)
            _collect_3d(u, line, begin, size, scratch)
            scratch[_FORCES:] = 0.0
            base = (line * pieces + begin // PIECE) * points * 21 * PIECE
            part = 0.0
            for q in range(8):
                s, t, r = _signs(q)
                at = base + (q if points > 1 else 0) * 21 * PIECE
                k = tangent[at : at + 21 * PIECE]
                for i in range(size):
                    e = _strain_3d(scratch, i, s, t, r, a)
                    f = _product_3d(k, i, e)
                    part += ((e[0] * f[0] + e[1] * f[1]) + e[2] * f[2]) + ((e[3] * f[3] + e[4] * f[4]) + e[5] * f[5])
                    _add_stress_3d(scratch, i, f, s, t, r, a)
            total += part
            _spread_forces_3d(scratch, size, begin, line, last, out, edge)
    return total
