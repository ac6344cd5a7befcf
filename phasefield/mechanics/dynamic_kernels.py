"""Numba kernels of bodies that move: from displacements of nodes to strains, stresses, forces and new velocities, in one pass.

Elements are those of `bounded_kernels`, with the modes X, Y, XY of the corner values of a cell as the only combinations: on all
Gauss points, or on the one at the centre (`rotated`) with a little stiffness k against the hourglass mode. Every sum has the same
bits as that of its mirror image, so that a symmetric body stays symmetric for ever: no product is contracted, no sum reordered.

A node gets its force from the row of cells below and that above. A block of rows of nodes runs through the row of cells before it
once more than needed, and shares nothing with its neighbours: any number of threads gives the same bits.

Displacements and velocities are (2, n0 + 1, nx + 1). Along a periodic axis the last nodes are copies of the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from numba import njit

# What cells do: a split, the strains it acts on, and whether temperature strains the body.
STAR, SPECTRAL, LINEAR = 0, 1, 2
FULL, ROTATED = 0, 1
COLD, PLANE_STRAIN, PLANE_STRESS = 0, 1, 2

PLAIN = {"nogil": True, "error_model": "numpy", "cache": True}
# Loops with calls left in them are not vectorised.
INNER = {**PLAIN, "forceinline": True}
_SUM = {**PLAIN, "fastmath": {"reassoc", "nsz"}, "forceinline": True}

# Cells go in pieces along x; with their distance in the scratch a constant the compiler sees that rows do not overlap.
PIECE = 256
ROW = PIECE + 8
# Eight corner forces, the kinetic energy of nodes and what damping takes.
_KINETIC, _LOST = 8 * ROW, 9 * ROW
SCRATCH_2D = 10 * ROW
_POINT = math.sqrt(1.0 / 3.0)
_THIRD = 1.0 / 3.0


@njit(**_SUM)
def sum_of(row, first, last):
    total = 0.0
    for i in range(first, last):
        total += row[i]
    return total


@njit(**INNER)
def _star(x, y, z, s, lam, mu, gamma, g):
    """σ_xx, σ_yy, σ_xy, ψ⁺, ψ⁻ of strains xx, yy, zz and xy, see `splits.StarConvex`."""
    t = (x + y) + z
    K = lam + 2.0 * _THIRD * mu
    up, down = max(t, 0.0), min(t, 0.0)
    dx, dy, dz = ((x - y) + (x - z)) * _THIRD, ((y - x) + (y - z)) * _THIRD, ((z - x) + (z - y)) * _THIRD
    plus = 0.5 * K * (up * up - gamma * (down * down)) + mu * (((dx * dx + dy * dy) + dz * dz) + 2.0 * (s * s))
    minus = (1.0 + gamma) * 0.5 * K * (down * down)
    pressure, twice = K * (g * up + (1.0 + gamma - g * gamma) * down), 2.0 * mu * g
    return pressure + twice * dx, pressure + twice * dy, twice * s, plus, minus


@njit(**INNER)
def _spectral(x, y, z, s, lam, mu, gamma, g):
    """The same of the spectral split: principal strains m ± r and z."""
    t = (x + y) + z
    m, d = 0.5 * (x + y), 0.5 * (x - y)
    r = math.sqrt(d * d + s * s) + 1e-30
    a, b = m + r, m - r
    tp, ap, bp, zp = max(t, 0.0), max(a, 0.0), max(b, 0.0), max(z, 0.0)
    tn, an, bn, zn = t - tp, a - ap, b - bp, z - zp
    pressure = (g * (lam * tp + mu * (ap + bp))) + (lam * tn + mu * (an + bn))
    turn = mu * (g * (ap - bp) + (an - bn)) / r
    plus = 0.5 * lam * (tp * tp) + mu * ((ap * ap + bp * bp) + zp * zp)
    minus = 0.5 * lam * (tn * tn) + mu * ((an * an + bn * bn) + zn * zn)
    return pressure + turn * d, pressure - turn * d, turn * s, plus, minus


@njit(**INNER)
def _linear(x, y, z, s, lam, mu, gamma, g):
    """The same without a split."""
    t = (x + y) + z
    plus = 0.5 * lam * (t * t) + mu * (((x * x + y * y) + z * z) + 2.0 * (s * s))
    pressure, twice = g * lam * t, 2.0 * mu * g
    return pressure + twice * x, pressure + twice * y, twice * s, plus, 0.0


@njit(**INNER)
def _split(kind, x, y, z, s, lam, mu, gamma, g):
    if kind == LINEAR:
        return _linear(x, y, z, s, lam, mu, gamma, g)
    if kind == STAR:
        return _star(x, y, z, s, lam, mu, gamma, g)
    return _spectral(x, y, z, s, lam, mu, gamma, g)


@njit(**INNER)
def _modes(low, high, i):
    """X, Y, XY of the corner values of cell i."""
    p, q, r, s = low[i], low[i + 1], high[i], high[i + 1]
    return (q - p) + (s - r), (r - p) + (s - q), (p - q) + (s - r)


@njit(**INNER)
def _cells_2d(kind, points, heated, begin, size, low1, high1, low2, high2, phi, lam, mu, heat, numbers, scratch):
    """Corner forces of `size` cells of a row, from `begin` on, to scratch[1 …]."""
    ax, ay, volume, eta, gamma, hourglass = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    exx, eyy, exy = numbers[6], numbers[7], numbers[8]
    # Slices begin at 0: the compiler then knows that no index is negative.
    low1, high1, low2, high2 = low1[begin:], high1[begin:], low2[begin:], high2[begin:]
    phi, lam, mu, heat = phi[begin:], lam[begin:], mu[begin:], heat[begin:]
    for i in range(size):
        x1, y1, h1 = _modes(low1, high1, i)
        x2, y2, h2 = _modes(low2, high2, i)
        whole = 1.0 - phi[i]
        g = (1.0 - eta) * (whole * whole) + eta
        la, m = lam[i], mu[i]
        xx, yy, zz, xy = exx + ax * x1, eyy + ay * y2, 0.0, exy + 0.5 * (ay * y1 + ax * x2)
        if heated != COLD:
            xx, yy = xx - heat[i], yy - heat[i]
        if heated == PLANE_STRAIN:
            zz = -heat[i]
        if points == FULL and kind != LINEAR:
            hxx, hyy = _POINT * ax * h1, _POINT * ay * h2
            hs, ht = 0.5 * _POINT * ay * h1, 0.5 * _POINT * ax * h2
            a0, b0, c0, _, _ = _split(kind, xx - hxx, yy - hyy, zz, xy - (hs + ht), la, m, gamma, g)
            a1, b1, c1, _, _ = _split(kind, xx - hxx, yy + hyy, zz, xy + (hs - ht), la, m, gamma, g)
            a2, b2, c2, _, _ = _split(kind, xx + hxx, yy - hyy, zz, xy - (hs - ht), la, m, gamma, g)
            a3, b3, c3, _, _ = _split(kind, xx + hxx, yy + hyy, zz, xy + (hs + ht), la, m, gamma, g)
            w = 0.25 * volume
            sxx, syy, sxy = (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3), (c0 + c1) + (c2 + c3)
            xx_t, xy_t = (a2 + a3) - (a0 + a1), (c2 + c3) - (c0 + c1)
            yy_s, xy_s = (b1 + b3) - (b0 + b2), (c1 + c3) - (c0 + c2)
            fh1, fh2 = w * _POINT * (ax * xx_t + ay * xy_s), w * _POINT * (ay * yy_s + ax * xy_t)
        else:
            w = volume
            sxx, syy, sxy, _, _ = _split(kind, xx, yy, zz, xy, la, m, gamma, g)
            if points == FULL:
                # All four points at once, as stresses are linear in the strains.
                third, axial = _THIRD * volume * g, la + 2.0 * m
                fh1 = third * (axial * (ax * ax) + m * (ay * ay)) * h1
                fh2 = third * (axial * (ay * ay) + m * (ax * ax)) * h2
            else:
                stiff = hourglass * (m * g)
                fh1, fh2 = stiff * h1, stiff * h2
        fx1, fy1, fx2, fy2 = w * (ax * sxx), w * (ay * sxy), w * (ax * sxy), w * (ay * syy)
        j = i + 1
        # Towards low x and low y, high x and low y, low x and high y, both high.
        scratch[j] = (-fx1 - fy1) + fh1
        scratch[ROW + j] = (fx1 - fy1) - fh1
        scratch[2 * ROW + j] = (-fx1 + fy1) - fh1
        scratch[3 * ROW + j] = (fx1 + fy1) + fh1
        scratch[4 * ROW + j] = (-fx2 - fy2) + fh2
        scratch[5 * ROW + j] = (fx2 - fy2) - fh2
        scratch[6 * ROW + j] = (-fx2 + fy2) - fh2
        scratch[7 * ROW + j] = (fx2 + fy2) + fh2


@njit(**INNER)
def _push_2d(
    kind, points, heated,
    u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums,
):  # fmt: skip
    """v⁺ = v + Δt/M (−f(u, φ) − C v̄) of the rows first … last − 1 of nodes, in place; v̄ the mean of v and v⁺.

    lam, mu, heat: (rows, nx), one row or one per row of cells. damping: C/M of each component and node. wrap: whether x, y are
    periodic.
    sums: ½ v·M v⁺, the kinetic energy between v half a step before and v⁺ half a step after the time of u, and Δt v̄·C v̄.
    """
    nx, ny = u.shape[2] - 1, u.shape[1] - 1
    pieces = (nx + PIECE - 1) // PIECE
    kinetic = lost = 0.0
    for c in range(2):
        for i in range(nx + 1):
            carry[c, i] = 0.0
    start = first - 1
    if start < 0 and not wrap[1]:
        start = 0
    for j in range(start, last):
        # The row of cells before the first one is that behind the last along a periodic axis.
        row = j if j >= 0 else ny - 1
        inside, own = row < ny, j >= first
        for side in range(1, 8, 2):
            scratch[side * ROW] = 0.0
        if inside:
            low1, low2, high1, high2 = u[0, row], u[1, row], u[0, row + 1], u[1, row + 1]
            ph = phi[row]
            la, m = lam[min(row, lam.shape[0] - 1)], mu[min(row, mu.shape[0] - 1)]
            he = heat[min(row, heat.shape[0] - 1)]
        # Along a periodic axis the last cell comes first, before the pieces: the first node gets its force too.
        for piece in range(-1 if inside and wrap[0] else 0, pieces):
            begin = piece * PIECE if piece >= 0 else nx - 1
            size = min(PIECE, nx - begin)
            if inside:
                _cells_2d(kind, points, heated, begin, size, low1, high1, low2, high2, ph, la, m, he, numbers, scratch)
            else:
                for side in range(8):
                    for i in range(size + 1):
                        scratch[side * ROW + i] = 0.0
            if piece < 0:
                for side in range(1, 8, 2):
                    scratch[side * ROW] = scratch[side * ROW + 1]
                continue
            ends = begin + size == nx
            nodes = size + 1 if ends else size
            if ends:
                for side in range(0, 8, 2):
                    scratch[side * ROW + size + 1] = 0.0
            if own:
                # The copy of a periodic axis is no node of its own.
                counted = size if ends and wrap[0] else nodes
                W = inverse_mass[j][begin:]
                for c in range(2):
                    at = 4 * c * ROW
                    force, V, A = carry[c][begin:], v[c, j][begin:], damping[c, j][begin:]
                    if damped:
                        for i in range(nodes):
                            f = force[i] + (scratch[at + ROW + i] + scratch[at + i + 1])
                            old, half = V[i], 0.5 * dt * A[i]
                            new = ((1.0 - half) * old - dt * (W[i] * f)) / (1.0 + half)
                            V[i] = new
                            mass = 1.0 / W[i] if W[i] > 0.0 else 0.0
                            scratch[_KINETIC + i] = 0.5 * mass * (old * new)
                            scratch[_LOST + i] = 0.25 * dt * (mass * A[i]) * ((old + new) * (old + new))
                        lost += sum_of(scratch, _LOST, _LOST + counted)
                    else:
                        for i in range(nodes):
                            f = force[i] + (scratch[at + ROW + i] + scratch[at + i + 1])
                            old = V[i]
                            new = old - dt * (W[i] * f)
                            V[i] = new
                            mass = 1.0 / W[i] if W[i] > 0.0 else 0.0
                            scratch[_KINETIC + i] = 0.5 * mass * (old * new)
                    kinetic += sum_of(scratch, _KINETIC, _KINETIC + counted)
            for c in range(2):
                at = (4 * c + 2) * ROW
                force = carry[c][begin:]
                for i in range(nodes):
                    force[i] = scratch[at + ROW + i] + scratch[at + i + 1]
            for side in range(1, 8, 2):
                scratch[side * ROW] = scratch[side * ROW + size]
    sums[0], sums[1] = kinetic, lost


@njit(**INNER)
def _energies_2d(kind, points, heated, u, lam, mu, heat, numbers, first, last, plus, minus):
    """ψ⁺ and ψ⁻ of the rows first … last − 1 of cells: means over their Gauss points; that of hourglass modes is in ψ⁺."""
    nx = plus.shape[1]
    ax, ay, gamma = numbers[0], numbers[1], numbers[4]
    hourglass = 0.5 * numbers[5] / numbers[2]
    exx, eyy, exy = numbers[6], numbers[7], numbers[8]
    for j in range(first, last):
        low1, high1, low2, high2 = u[0, j], u[0, j + 1], u[1, j], u[1, j + 1]
        la, m = lam[min(j, lam.shape[0] - 1)], mu[min(j, mu.shape[0] - 1)]
        he = heat[min(j, heat.shape[0] - 1)]
        p, n = plus[j], minus[min(j, minus.shape[0] - 1)]
        for i in range(nx):
            x1, y1, h1 = _modes(low1, high1, i)
            x2, y2, h2 = _modes(low2, high2, i)
            xx, yy, zz, xy = exx + ax * x1, eyy + ay * y2, 0.0, exy + 0.5 * (ay * y1 + ax * x2)
            if heated != COLD:
                xx, yy = xx - he[i], yy - he[i]
            if heated == PLANE_STRAIN:
                zz = -he[i]
            if points == FULL and kind != LINEAR:
                hxx, hyy = _POINT * ax * h1, _POINT * ay * h2
                hs, ht = 0.5 * _POINT * ay * h1, 0.5 * _POINT * ax * h2
                _, _, _, p0, n0 = _split(kind, xx - hxx, yy - hyy, zz, xy - (hs + ht), la[i], m[i], gamma, 1.0)
                _, _, _, p1, n1 = _split(kind, xx - hxx, yy + hyy, zz, xy + (hs - ht), la[i], m[i], gamma, 1.0)
                _, _, _, p2, n2 = _split(kind, xx + hxx, yy - hyy, zz, xy - (hs - ht), la[i], m[i], gamma, 1.0)
                _, _, _, p3, n3 = _split(kind, xx + hxx, yy + hyy, zz, xy + (hs + ht), la[i], m[i], gamma, 1.0)
                p[i] = 0.25 * ((p0 + p1) + (p2 + p3))
                n[i] = 0.25 * ((n0 + n1) + (n2 + n3))
            else:
                _, _, _, p0, n0 = _split(kind, xx, yy, zz, xy, la[i], m[i], gamma, 1.0)
                stiff1 = stiff2 = hourglass * m[i]
                if points == FULL:
                    axial = la[i] + 2.0 * m[i]
                    stiff1 = 0.5 * _THIRD * (axial * (ax * ax) + m[i] * (ay * ay))
                    stiff2 = 0.5 * _THIRD * (axial * (ay * ay) + m[i] * (ax * ax))
                p[i] = p0 + (stiff1 * (h1 * h1) + stiff2 * (h2 * h2))
                n[i] = n0


@njit(**PLAIN)
def move(u, v, dt, first, last):
    """u⁺ = u + Δt v of the rows first … last − 1 of nodes."""
    for c in range(u.shape[0]):
        for j in range(first, last):
            U, V = u[c, j].reshape(-1), v[c, j].reshape(-1)
            for i in range(U.size):
                U[i] += dt * V[i]


@cache
def push_2d(split: int, points: int, heated: int) -> Callable[..., None]:
    """`_push_2d` for one kind of cells."""
    kind, where, warm = split, points, heated

    @njit(**PLAIN)
    def push(
        u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums
    ):  # fmt: skip
        _push_2d(
            kind, where, warm,
            u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums,
        )  # fmt: skip

    return push


@cache
def energies_2d(split: int, points: int, heated: int) -> Callable[..., None]:
    """`_energies_2d` for one kind of cells."""
    kind, where, warm = split, points, heated

    @njit(**PLAIN)
    def energies(u, lam, mu, heat, numbers, first, last, plus, minus):
        _energies_2d(kind, where, warm, u, lam, mu, heat, numbers, first, last, plus, minus)

    return energies
