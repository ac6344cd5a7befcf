"""The kernels of `dynamic_kernels` in space: trilinear displacements, 8 Gauss points or one with four hourglass modes.

What cells do is in `dynamic_cells_3d`. Node rows take what cells put on them in three steps: two cells along x, two rows along y
(`BEFORE` keeps the row before), two planes along z (`carry` keeps the plane before), in pairs, so that mirror images have the
same bits. A block of planes of nodes computes the plane of cells before it once more, and a piece of a row the cell before it.

Displacements and velocities are (3, n0 + 1, n1 + 1, nx + 1), cells (n0, n1, nx), constants (n0 or 1, n1, nx).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit

from phasefield.mechanics.dynamic_cells_3d import (
    BEFORE,
    CORNERS,
    KINETIC,
    LOST,
    PIECE,
    ROW,
    SCRATCH_3D,
    STRESS,
    cell_forces,
    collect,
    mixed,
    signs,
    split_stress,
    strain,
)
from phasefield.mechanics.dynamic_kernels import FULL, INNER, LINEAR, PLAIN, sum_of


@njit(**INNER)
def _new_velocities(nodes, counted, damped, dt, V, W, A, force, c, scratch):
    """Of a piece of a row of nodes; Σ ½ v M v⁺ and what damping takes of the first `counted`."""
    at, before = CORNERS + 8 * c * ROW, BEFORE + 2 * c * ROW
    lost = 0.0
    for i in range(nodes):
        along = scratch[at + ROW + i] + scratch[at + i + 1]
        f = force[i] + (scratch[before + i] + along)
        old = V[i]
        mass = 1.0 / W[i] if W[i] > 0.0 else 0.0
        if damped:
            half = 0.5 * dt * A[i]
            new = ((1.0 - half) * old - dt * (W[i] * f)) / (1.0 + half)
            scratch[LOST + i] = 0.25 * dt * (mass * A[i]) * ((old + new) * (old + new))
        else:
            new = old - dt * (W[i] * f)
        V[i] = new
        scratch[KINETIC + i] = 0.5 * mass * (old * new)
    if damped:
        lost = sum_of(scratch, LOST, LOST + counted)
    return sum_of(scratch, KINETIC, KINETIC + counted), lost


@njit(**INNER)
def _push_3d(
    kind, points, heated,
    u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums,
):  # fmt: skip
    """See `dynamic_kernels._push_2d`: the planes first … last − 1 of nodes. carry: (3, n1 + 1, nx + 1)."""
    nz, ny, nx = phi.shape
    kinetic = lost = 0.0
    start = first - 1
    if start < 0 and not wrap[2]:
        start = 0
    carry[:] = 0.0
    for k in range(start, last):
        # The plane of cells before the first one is that behind the last along a periodic axis; so for rows and cells.
        plane = k if k >= 0 else nz - 1
        own = k >= first
        for begin in range(0, nx + 1, PIECE):
            nodes = min(PIECE, nx + 1 - begin)
            size = min(nodes, nx - begin)
            # The copy of a periodic axis is no node of its own.
            counted = size if wrap[0] else nodes
            for side in range(6):
                for i in range(nodes):
                    scratch[BEFORE + side * ROW + i] = 0.0
            for j in range(-1 if wrap[1] else 0, ny + 1):
                row = j if j >= 0 else ny - 1
                if plane < nz and row < ny:
                    # The cell before the piece, which moves on to its place, and the piece.
                    before = begin - 1 if begin > 0 or not wrap[0] else nx - 1
                    for part in range(2):
                        at, count = (before, min(1, before + 1)) if part == 0 else (begin, size)
                        if count > 0:
                            cell_forces(
                                kind, points, heated, u, plane, row, at, count, phi, lam, mu, heat, numbers, scratch
                            )
                        if part == 0:
                            for side in range(24):
                                value = scratch[CORNERS + side * ROW + 1] if count > 0 else 0.0
                                scratch[CORNERS + side * ROW] = value
                    for side in range(24):
                        scratch[CORNERS + side * ROW + size + 1] = 0.0
                else:
                    for side in range(24):
                        for i in range(nodes + 1):
                            scratch[CORNERS + side * ROW + i] = 0.0
                for c in range(3):
                    at, before = CORNERS + 8 * c * ROW, BEFORE + 2 * c * ROW
                    if j >= 0:
                        force = carry[c, j][begin:]
                        if own:
                            W, V, A = inverse_mass[k, j][begin:], v[c, k, j][begin:], damping[c, k, j][begin:]
                            there = counted if j < ny or not wrap[1] else 0
                            energy, taken = _new_velocities(nodes, there, damped, dt, V, W, A, force, c, scratch)
                            kinetic += energy
                            lost += taken
                        for i in range(nodes):
                            along = scratch[at + 5 * ROW + i] + scratch[at + 4 * ROW + i + 1]
                            force[i] = scratch[before + ROW + i] + along
                    for i in range(nodes):
                        scratch[before + i] = scratch[at + 3 * ROW + i] + scratch[at + 2 * ROW + i + 1]
                        scratch[before + ROW + i] = scratch[at + 7 * ROW + i] + scratch[at + 6 * ROW + i + 1]
    sums[0], sums[1] = kinetic, lost


@njit(**INNER)
def _point_energies(kind, heated, size, lam, mu, heat, numbers, scratch, p, n):
    """Means of ψ⁺ and ψ⁻ over eight points."""
    gamma = numbers[5]
    for q in range(8):
        s, t, r = signs(q)
        at = STRESS + 2 * q * ROW
        for i in range(size):
            e0, e1, e2, e3, e4, e5 = strain(scratch, i, s, t, r, heated, heat[i], numbers)
            _, _, _, _, _, _, plus, minus = split_stress(kind, e0, e1, e2, e3, e4, e5, lam[i], mu[i], gamma, 1.0)
            scratch[at + i] = plus
            scratch[at + ROW + i] = minus
    for i in range(size):
        at = STRESS + i
        p01, p23 = scratch[at] + scratch[at + 2 * ROW], scratch[at + 4 * ROW] + scratch[at + 6 * ROW]
        p45, p67 = scratch[at + 8 * ROW] + scratch[at + 10 * ROW], scratch[at + 12 * ROW] + scratch[at + 14 * ROW]
        p[i] = 0.125 * ((p01 + p23) + (p45 + p67))
        at += ROW
        p01, p23 = scratch[at] + scratch[at + 2 * ROW], scratch[at + 4 * ROW] + scratch[at + 6 * ROW]
        p45, p67 = scratch[at + 8 * ROW] + scratch[at + 10 * ROW], scratch[at + 12 * ROW] + scratch[at + 14 * ROW]
        n[i] = 0.125 * ((p01 + p23) + (p45 + p67))


@njit(**INNER)
def _centre_energies(kind, points, heated, size, lam, mu, heat, numbers, scratch, p, n):
    """ψ⁺ with that of mixed modes, and ψ⁻, of the strain at the centre."""
    gamma, half = numbers[5], 0.5 / numbers[3]
    for i in range(size):
        e0, e1, e2, e3, e4, e5 = strain(scratch, i, 0.0, 0.0, 0.0, heated, heat[i], numbers)
        _, _, _, _, _, _, plus, minus = split_stress(kind, e0, e1, e2, e3, e4, e5, lam[i], mu[i], gamma, 1.0)
        u, f = mixed(points, i, lam[i], mu[i], numbers, scratch)
        first = (u[0] * f[0] + u[1] * f[1]) + (u[2] * f[2] + u[3] * f[3])
        second = (u[4] * f[4] + u[5] * f[5]) + (u[6] * f[6] + u[7] * f[7])
        third = (u[8] * f[8] + u[9] * f[9]) + (u[10] * f[10] + u[11] * f[11])
        p[i] = plus + half * ((first + second) + third)
        n[i] = minus


@njit(**INNER)
def _energies_3d(kind, points, heated, u, lam, mu, heat, numbers, first, last, plus, minus):
    """See `dynamic_kernels._energies_2d`: the planes first … last − 1 of cells."""
    _, ny, nx = plus.shape
    scratch = np.empty(SCRATCH_3D)
    for k in range(first, last):
        for j in range(ny):
            for begin in range(0, nx, PIECE):
                size = min(PIECE, nx - begin)
                he = heat[min(k, heat.shape[0] - 1), j][begin:]
                la, m = lam[min(k, lam.shape[0] - 1), j][begin:], mu[min(k, mu.shape[0] - 1), j][begin:]
                p, n = plus[k, j][begin:], minus[min(k, minus.shape[0] - 1), j][begin:]
                collect(u, k, j, begin, size, scratch)
                if points == FULL and kind != LINEAR:
                    _point_energies(kind, heated, size, la, m, he, numbers, scratch, p, n)
                else:
                    _centre_energies(kind, points, heated, size, la, m, he, numbers, scratch, p, n)


@cache
def push_3d(split: int, points: int, heated: int) -> Callable[..., None]:
    """`_push_3d` for one kind of cells."""
    kind, where, warm = split, points, heated

    @njit(**PLAIN)
    def push(
        u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums
    ):  # fmt: skip
        _push_3d(
            kind, where, warm,
            u, v, phi, lam, mu, heat, numbers, inverse_mass, damping, damped, dt, wrap, first, last, scratch, carry, sums,
        )  # fmt: skip

    return push


@cache
def energies_3d(split: int, points: int, heated: int) -> Callable[..., None]:
    """`_energies_3d` for one kind of cells."""
    kind, where, warm = split, points, heated

    @njit(**PLAIN)
    def energies(u, lam, mu, heat, numbers, first, last, plus, minus):
        _energies_3d(kind, where, warm, u, lam, mu, heat, numbers, first, last, plus, minus)

    return energies
