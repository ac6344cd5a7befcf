"""Cells of `dynamic_kernels_3d`: corner values to modes, strains, stresses, and forces of the corners; for one piece of a row.

A cell goes from its corner values to the 21 modes X, Y, Z, XY, YZ, XZ, XYZ of three components, from there to strains and
stresses point by point, to the forces of the modes and those of the corners. Sums over the eight corners of a cell and its eight
points are taken pair by pair, along x, then y, then z: mirror images have the same bits. So have the splits of mirrored strains.
"""

from __future__ import annotations

import math

from numba import njit

from phasefield.mechanics.dynamic_kernels import COLD, FULL, INNER, LINEAR, STAR
from phasefield.mechanics.split_kernels import space_parts

_POINT = math.sqrt(1.0 / 3.0)
_THIRD = 1.0 / 3.0

# Nodes of a piece. With their distance in the scratch a constant the compiler sees that rows do not overlap.
PIECE = 64
ROW = PIECE + 8
# Rows of the scratch: modes and degradation; stresses of eight points, or two energies; corner forces; what the row of cells
# before put on its higher nodes; the kinetic energy of nodes and what damping takes.
CORNERS, BEFORE, KINETIC, LOST = 0, 24 * ROW, 30 * ROW, 31 * ROW
_MODES, _WHOLE, STRESS = 32 * ROW, 53 * ROW, 54 * ROW
SCRATCH_3D = 102 * ROW


@njit(**INNER)
def _star(x, y, z, a, b, c, lam, mu, gamma, g):
    """σ_xx, σ_yy, σ_zz, σ_yz, σ_xz, σ_xy, ψ⁺, ψ⁻ of strains in the same order, see `splits.StarConvex`."""
    t = (x + y) + z
    K = lam + 2.0 * _THIRD * mu
    up, down = max(t, 0.0), min(t, 0.0)
    dx, dy, dz = ((x - y) + (x - z)) * _THIRD, ((y - x) + (y - z)) * _THIRD, ((z - x) + (z - y)) * _THIRD
    square = ((dx * dx + dy * dy) + dz * dz) + 2.0 * ((a * a + b * b) + c * c)
    plus = 0.5 * K * (up * up - gamma * (down * down)) + mu * square
    minus = (1.0 + gamma) * 0.5 * K * (down * down)
    pressure, twice = K * (g * up + (1.0 + gamma - g * gamma) * down), 2.0 * mu * g
    return (
        pressure + twice * dx,
        pressure + twice * dy,
        pressure + twice * dz,
        twice * a,
        twice * b,
        twice * c,
        plus,
        minus,
    )


@njit(**INNER)
def _linear(x, y, z, a, b, c, lam, mu, gamma, g):
    """The same without a split."""
    t = (x + y) + z
    plus = 0.5 * lam * (t * t) + mu * (((x * x + y * y) + z * z) + 2.0 * ((a * a + b * b) + c * c))
    pressure, twice = g * lam * t, 2.0 * mu * g
    return pressure + twice * x, pressure + twice * y, pressure + twice * z, twice * a, twice * b, twice * c, plus, 0.0


@njit(**INNER)
def _spectral(x, y, z, a, b, c, lam, mu, gamma, g):
    """The same of the spectral split."""
    e1, e2, e3, x1, y1, z1, x2, y2, z2, x3, y3, z3 = space_parts(x, y, z, a, b, c)
    t = (x + y) + z
    up, down = max(t, 0.0), min(t, 0.0)
    p1, p2, p3 = max(e1, 0.0), max(e2, 0.0), max(e3, 0.0)
    n1, n2, n3 = min(e1, 0.0), min(e2, 0.0), min(e3, 0.0)
    plus = 0.5 * lam * (up * up) + mu * ((p1 * p1 + p2 * p2) + p3 * p3)
    minus = 0.5 * lam * (down * down) + mu * ((n1 * n1 + n2 * n2) + n3 * n3)
    pressure = lam * (g * up + down)
    f1, f2, f3 = 2.0 * mu * (g * p1 + n1), 2.0 * mu * (g * p2 + n2), 2.0 * mu * (g * p3 + n3)
    return (
        pressure + ((f1 * x1 * x1 + f2 * x2 * x2) + f3 * x3 * x3),
        pressure + ((f1 * y1 * y1 + f2 * y2 * y2) + f3 * y3 * y3),
        pressure + ((f1 * z1 * z1 + f2 * z2 * z2) + f3 * z3 * z3),
        (f1 * y1 * z1 + f2 * y2 * z2) + f3 * y3 * z3,
        (f1 * x1 * z1 + f2 * x2 * z2) + f3 * x3 * z3,
        (f1 * x1 * y1 + f2 * x2 * y2) + f3 * x3 * y3,
        plus,
        minus,
    )


@njit(**INNER)
def split_stress(kind, x, y, z, a, b, c, lam, mu, gamma, g):
    if kind == LINEAR:
        return _linear(x, y, z, a, b, c, lam, mu, gamma, g)
    if kind == STAR:
        return _star(x, y, z, a, b, c, lam, mu, gamma, g)
    return _spectral(x, y, z, a, b, c, lam, mu, gamma, g)


@njit(**INNER)
def collect(u, k, j, begin, size, scratch):
    """Modes of `size` cells of the row (k, j), from `begin` on, to `scratch`."""
    for c in range(3):
        # Slices begin at 0: the compiler then knows that no index is negative.
        low0, low1 = u[c, k, j][begin:], u[c, k, j + 1][begin:]
        high0, high1 = u[c, k + 1, j][begin:], u[c, k + 1, j + 1][begin:]
        at = _MODES + 7 * c * ROW
        for i in range(size):
            p, q, r, s = low0[i], low0[i + 1], low1[i], low1[i + 1]
            v, w, m, n = high0[i], high0[i + 1], high1[i], high1[i + 1]
            x0, y0, h0 = (q - p) + (s - r), (r - p) + (s - q), (p - q) + (s - r)
            x1, y1, h1 = (w - v) + (n - m), (m - v) + (n - w), (v - w) + (n - m)
            scratch[at + i] = x0 + x1
            scratch[at + ROW + i] = y0 + y1
            scratch[at + 2 * ROW + i] = ((v + w) + (m + n)) - ((p + q) + (r + s))
            scratch[at + 3 * ROW + i] = h0 + h1
            scratch[at + 4 * ROW + i] = y1 - y0
            scratch[at + 5 * ROW + i] = x1 - x0
            scratch[at + 6 * ROW + i] = h1 - h0


@njit(**INNER)
def _slopes(scratch, at, s, t, r):
    """X, Y, Z of one component at a point: ∂/∂x, ∂/∂y, ∂/∂z times 4h."""
    xy, yz, xz, xyz = scratch[at + 3 * ROW], scratch[at + 4 * ROW], scratch[at + 5 * ROW], scratch[at + 6 * ROW]
    return (
        (scratch[at] + t * xy) + r * (xz + t * xyz),
        (scratch[at + ROW] + s * xy) + r * (yz + s * xyz),
        (scratch[at + 2 * ROW] + s * xz) + t * (yz + s * xyz),
    )


@njit(**INNER)
def strain(scratch, i, s, t, r, heated, heat, numbers):
    """xx, yy, zz, yz, xz, xy at a point of cell i."""
    ax, ay, az = numbers[0], numbers[1], numbers[2]
    x1, y1, z1 = _slopes(scratch, _MODES + i, s, t, r)
    x2, y2, z2 = _slopes(scratch, _MODES + 7 * ROW + i, s, t, r)
    x3, y3, z3 = _slopes(scratch, _MODES + 14 * ROW + i, s, t, r)
    xx, yy, zz = numbers[10] + ax * x1, numbers[11] + ay * y2, numbers[12] + az * z3
    if heated != COLD:
        xx, yy, zz = xx - heat, yy - heat, zz - heat
    yz, xz, xy = 0.5 * (az * z2 + ay * y3), 0.5 * (az * z1 + ax * x3), 0.5 * (ay * y1 + ax * x2)
    return xx, yy, zz, numbers[13] + yz, numbers[14] + xz, numbers[15] + xy


@njit(**INNER)
def _to_corners(scratch, at, i, x, y, z, xy, yz, xz, xyz):
    """Forces of the modes of one component on the corners; x changes fastest, then y."""
    a0, a1, b0, b1 = x - xy, x + xy, xz - xyz, xz + xyz
    c0, c1 = z - yz, z + yz
    o0, o1, o2, o3 = a0 - b0, a1 - b1, a0 + b0, a1 + b1
    e0, e1, e2, e3 = -y - c0, y - c1, -y + c0, y + c1
    at += i
    scratch[at] = e0 - o0
    scratch[at + ROW] = e0 + o0
    scratch[at + 2 * ROW] = e1 - o1
    scratch[at + 3 * ROW] = e1 + o1
    scratch[at + 4 * ROW] = e2 - o2
    scratch[at + 5 * ROW] = e2 + o2
    scratch[at + 6 * ROW] = e3 - o3
    scratch[at + 7 * ROW] = e3 + o3


@njit(**INNER)
def mixed(points, i, la, m, numbers, scratch):
    """Modes XY, YZ, XZ, XYZ of the three components of cell i, and their forces: with one point those of the hourglass stiffness,
    with all of them those of a body without split, whose points add up to closed forms."""
    ax, ay, az, w = numbers[0], numbers[1], numbers[2], _THIRD * numbers[3]
    at = _MODES + i
    h1, j1, l1, d1 = scratch[at + 3 * ROW], scratch[at + 4 * ROW], scratch[at + 5 * ROW], scratch[at + 6 * ROW]
    h2, j2, l2, d2 = scratch[at + 10 * ROW], scratch[at + 11 * ROW], scratch[at + 12 * ROW], scratch[at + 13 * ROW]
    h3, j3, l3, d3 = scratch[at + 17 * ROW], scratch[at + 18 * ROW], scratch[at + 19 * ROW], scratch[at + 20 * ROW]
    modes = (h1, j1, l1, d1, h2, j2, l2, d2, h3, j3, l3, d3)
    if points == FULL:
        n = la + 2.0 * m
        qx, qy, qz = w * (ax * ax), w * (ay * ay), w * (az * az)
        qxy, qyz, qxz = w * (ax * ay), w * (ay * az), w * (ax * az)
        nx, ny, nz, sx, sy, sz = n * qx, n * qy, n * qz, m * qx, m * qy, m * qz
        forces = (
            (nx + sy) * h1 + la * qxz * j3,
            (sy + sz) * j1 + m * (qxz * h3 + qxy * l2),
            (nx + sz) * l1 + la * qxy * j2,
            _THIRD * (nx + (sy + sz)) * d1,
            (ny + sx) * h2 + la * qyz * l3,
            (ny + sz) * j2 + la * qxy * l1,
            (sx + sz) * l2 + m * (qyz * h3 + qxy * j1),
            _THIRD * (ny + (sx + sz)) * d2,
            (sx + sy) * h3 + m * (qyz * l2 + qxz * j1),
            (nz + sy) * j3 + la * qxz * h1,
            (nz + sx) * l3 + la * qyz * h2,
            _THIRD * (nz + (sx + sy)) * d3,
        )
    else:
        a, b, c, d = m * numbers[6], m * numbers[7], m * numbers[8], m * numbers[9]
        forces = (a * h1, b * j1, c * l1, d * d1, a * h2, b * j2, c * l2, d * d2, a * h3, b * j3, c * l3, d * d3)
    return modes, forces


@njit(**INNER)
def _one_point(kind, points, heated, size, lam, mu, heat, numbers, scratch):
    """Corner forces from the strain at the centre and from mixed modes."""
    w, gamma = numbers[3], numbers[5]
    wx, wy, wz = w * numbers[0], w * numbers[1], w * numbers[2]
    for i in range(size):
        la, m, g = lam[i], mu[i], scratch[_WHOLE + i]
        xx, yy, zz, yz, xz, xy = strain(scratch, i, 0.0, 0.0, 0.0, heated, heat[i], numbers)
        xx, yy, zz, yz, xz, xy, _, _ = split_stress(kind, xx, yy, zz, yz, xz, xy, la, m, gamma, g)
        _, f = mixed(points, i, la, m, numbers, scratch)
        at = CORNERS + 1
        _to_corners(scratch, at, i, wx * xx, wy * xy, wz * xz, g * f[0], g * f[1], g * f[2], g * f[3])
        _to_corners(scratch, at + 8 * ROW, i, wx * xy, wy * yy, wz * yz, g * f[4], g * f[5], g * f[6], g * f[7])
        _to_corners(scratch, at + 16 * ROW, i, wx * xz, wy * yz, wz * zz, g * f[8], g * f[9], g * f[10], g * f[11])


@njit(**INNER)
def signs(q):
    """s, t, r of one of eight points; s changes fastest."""
    return (
        (2.0 * (q & 1) - 1.0) * _POINT,
        (2.0 * ((q >> 1) & 1) - 1.0) * _POINT,
        (2.0 * (q >> 2) - 1.0) * _POINT,
    )


@njit(**INNER)
def _moments(size, at, scratch):
    """Values of one stress component at eight points become their sums with the signs 1, s, t, st, r, sr, tr (and str)."""
    for i in range(size):
        j = at + i
        p0, p1, p2, p3 = scratch[j], scratch[j + 6 * ROW], scratch[j + 12 * ROW], scratch[j + 18 * ROW]
        p4, p5, p6, p7 = scratch[j + 24 * ROW], scratch[j + 30 * ROW], scratch[j + 36 * ROW], scratch[j + 42 * ROW]
        a0, a1, a2, a3 = p0 + p1, p2 + p3, p4 + p5, p6 + p7
        d0, d1, d2, d3 = p1 - p0, p3 - p2, p5 - p4, p7 - p6
        b0, b1, e0, e1 = a0 + a1, a2 + a3, a1 - a0, a3 - a2
        s0, s1, f0, f1 = d0 + d1, d2 + d3, d1 - d0, d3 - d2
        scratch[j] = b0 + b1
        scratch[j + 6 * ROW] = s0 + s1
        scratch[j + 12 * ROW] = e0 + e1
        scratch[j + 18 * ROW] = f0 + f1
        scratch[j + 24 * ROW] = b1 - b0
        scratch[j + 30 * ROW] = s1 - s0
        scratch[j + 36 * ROW] = e1 - e0


@njit(**INNER)
def _forces(size, xx, xy, xz, at, wx, wy, wz, scratch):
    """Corner forces of one component from the moments of its stresses xx, xy, xz that begin there."""
    px, py, pz = _POINT * wx, _POINT * wy, _POINT * wz
    x, y, z, corners = scratch[xx:], scratch[xy:], scratch[xz:], scratch[at:]
    for i in range(size):
        x_t, x_r, x_tr = x[i + 12 * ROW], x[i + 24 * ROW], x[i + 36 * ROW]
        y_s, y_r, y_sr = y[i + 6 * ROW], y[i + 24 * ROW], y[i + 30 * ROW]
        z_s, z_t, z_st = z[i + 6 * ROW], z[i + 12 * ROW], z[i + 18 * ROW]
        _to_corners(
            corners, 0, i, wx * x[i], wy * y[i], wz * z[i],
            px * x_t + py * y_s, py * y_r + pz * z_t, px * x_r + pz * z_s,
            _POINT * ((px * x_tr + py * y_sr) + pz * z_st),
        )  # fmt: skip


@njit(**INNER)
def _all_points(kind, heated, size, lam, mu, heat, numbers, scratch):
    """Corner forces from the strains at eight points."""
    gamma, w = numbers[5], 0.125 * numbers[3]
    wx, wy, wz = w * numbers[0], w * numbers[1], w * numbers[2]
    for q in range(8):
        s, t, r = signs(q)
        at = STRESS + 6 * q * ROW
        for i in range(size):
            e0, e1, e2, e3, e4, e5 = strain(scratch, i, s, t, r, heated, heat[i], numbers)
            xx, yy, zz, yz, xz, xy, _, _ = split_stress(
                kind, e0, e1, e2, e3, e4, e5, lam[i], mu[i], gamma, scratch[_WHOLE + i]
            )
            scratch[at + i] = xx
            scratch[at + ROW + i] = yy
            scratch[at + 2 * ROW + i] = zz
            scratch[at + 3 * ROW + i] = yz
            scratch[at + 4 * ROW + i] = xz
            scratch[at + 5 * ROW + i] = xy
    for part in range(6):
        _moments(size, STRESS + part * ROW, scratch)
    xx, yy, zz = STRESS, STRESS + ROW, STRESS + 2 * ROW
    yz, xz, xy = STRESS + 3 * ROW, STRESS + 4 * ROW, STRESS + 5 * ROW
    _forces(size, xx, xy, xz, CORNERS + 1, wx, wy, wz, scratch)
    _forces(size, xy, yy, yz, CORNERS + 8 * ROW + 1, wx, wy, wz, scratch)
    _forces(size, xz, yz, zz, CORNERS + 16 * ROW + 1, wx, wy, wz, scratch)


@njit(**INNER)
def cell_forces(kind, points, heated, u, k, j, begin, size, phi, lam, mu, heat, numbers, scratch):
    """Corner forces of `size` cells of the row (k, j), from `begin` on, to the places 1 … of the scratch."""
    eta = numbers[4]
    ph, he = phi[k, j][begin:], heat[min(k, heat.shape[0] - 1), j][begin:]
    la, m = lam[min(k, lam.shape[0] - 1), j][begin:], mu[min(k, mu.shape[0] - 1), j][begin:]
    collect(u, k, j, begin, size, scratch)
    for i in range(size):
        whole = 1.0 - ph[i]
        scratch[_WHOLE + i] = (1.0 - eta) * (whole * whole) + eta
    if points == FULL and kind != LINEAR:
        _all_points(kind, heated, size, la, m, he, numbers, scratch)
    else:
        _one_point(kind, points, heated, size, la, m, he, numbers, scratch)
