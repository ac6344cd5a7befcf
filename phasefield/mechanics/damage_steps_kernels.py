"""Numba kernels of `damage_steps`: residuals, the cells near large ones, and sweeps over them.

Fields are (n0, n1, nx) as in `damage_kernels`; row a n1 + b is that of a, b. What cells are like is in `table` (kinds of rows, 9,
nx); `kind` (rows) says which is that of a row:

| | |
|---|---|
| 0, 1 | c₁, c₂ |
| 2 | 2(1 − η), times ψ⁺ that is 2H; 0 in empty cells |
| 3, 4 | κ/h² of the faces towards the row before and behind, along n0 |
| 5, 6 | the same along n1 |
| 7 | κ/h² of the faces between a cell and the next along x |
| 8 | the sum over all faces of a cell |

The gradient is g = c₂x + c₁ − 2H(1 − x) + τ/Δt (x − φₙ) − ∇·κ∇x, the diagonal d the sum of 8, c₂, 2H and τ/Δt. A cell is done
where |x − P(x − g/d)| is at most the tolerance.

No result of a cell depends on a sum over cells, nothing is contracted, and neighbours are added in pairs: a field and its mirror
image have the same bits, and so have results of any number of threads. Loops run over flat fields with unsigned integers: no
index can then count from behind, which a loop over a few cells would pay for.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_PLAIN = {"nogil": True, "error_model": "numpy", "cache": True}
# Loops with calls left in them are not vectorised.
_INNER = {**_PLAIN, "forceinline": True}
QUADRATIC, WEIGHT, FACES0, FACES1, ALONG, ACROSS, COLUMNS = (np.uint64(c) for c in (1, 2, 3, 5, 7, 8, 9))


@njit(**_INNER)
def _linear(T, X, P, c0, c1, w, at, n, g):
    for i in range(n):
        # Not a number stays so.
        drive = 0.0 if P[at + i] <= 0.0 else P[at + i]
        g[i] = (T[c1 + i] * X[at + i] + T[c0 + i]) - (T[w + i] * drive) * (1.0 - X[at + i])


@njit(**_INNER)
def _delayed(rate, X, L, at, n, g):
    for i in range(n):
        g[i] += rate * (X[at + i] - L[at + i])


@njit(**_INNER)
def _across(T, X, before, behind, at, low, high, n, g):
    for i in range(n):
        g[i] += T[before + i] * (X[at + i] - X[low + i]) + T[behind + i] * (X[at + i] - X[high + i])


@njit(**_INNER)
def _along(T, X, face, at, left, right, before, n, g, start):
    for i in range(n):
        g[start + i] += T[before + i] * (X[at + i] - X[left + i]) + T[face + i] * (X[at + i] - X[right + i])


@njit(**_INNER)
def _gradient(T, kind, X, P, L, rate, n0, n1, nx, row, begin, end, g):
    """g of the cells begin … end − 1 of a row, to g[0 …]."""
    one = np.uint64(1)
    n, at, own = end - begin, row * nx + begin, kind * COLUMNS * nx + begin
    a, b = row // n1, row % n1
    _linear(T, X, P, own, own + QUADRATIC * nx, own + WEIGHT * nx, at, n, g)
    if rate > 0.0:
        _delayed(rate, X, L, at, n, g)
    if n0 > one:
        low, high = a - one if a > 0 else n0 - one, a + one if a + one < n0 else np.uint64(0)
        before = own + FACES0 * nx
        _across(T, X, before, before + nx, at, (low * n1 + b) * nx + begin, (high * n1 + b) * nx + begin, n, g)
    if n1 > one:
        low, high = b - one if b > 0 else n1 - one, b + one if b + one < n1 else np.uint64(0)
        before = own + FACES1 * nx
        _across(T, X, before, before + nx, at, (a * n1 + low) * nx + begin, (a * n1 + high) * nx + begin, n, g)
    if nx > one:
        face, last = own + ALONG * nx, nx - one
        start, stop = np.uint64(0), n
        if begin == 0:
            _along(T, X, face, at, at + last, at + one, face + last, one, g, start)
            start = one
        if end == nx:
            stop = n - one
            to, edge = at + stop, face + stop
            _along(T, X, edge, to, to - one, to - last, edge - one, one, g, stop)
        if start < stop:
            to, edge = at + start, face + start
            _along(T, X, edge, to, to - one, to + one, edge - one, stop - start, g, start)


@njit(**_INNER)
def _sizes(x):
    return np.uint64(x.shape[0]), np.uint64(x.shape[1]), np.uint64(x.shape[2])


@njit(**_INNER)
def _diagonal(T, P, across, quadratic, weight, at, rate):
    drive = 0.0 if P[at] <= 0.0 else P[at]
    return (T[across] + T[quadratic]) + (T[weight] * drive + rate)


@njit(**_INNER)
def _done(t, room, above, tolerance):
    """Whether |min(max(t, x − 1), x − lower)| ≤ tolerance, `room` being x − lower and `above` 1 − x; False if t is no number."""
    return ((t <= tolerance) | (room <= tolerance)) & ((t >= -tolerance) | (above <= tolerance))


@njit(**_PLAIN)
def extrapolate(accepted, before, first, last, x):
    """x: φₙ and what it grew by in the step before; at most 1."""
    for a in range(first, last):
        for b in range(x.shape[1]):
            X, A, B = x[a, b], accepted[a, b], before[a, b]
            for i in range(X.size):
                t = A[i] + (A[i] - B[i])
                t = A[i] if t < A[i] else t
                X[i] = 1.0 if t > 1.0 else t


@njit(**_PLAIN)
def flag(table, kind, x, psi, accepted, lower, rate, tolerance, first, last, g, flags, flagged):
    """flags = 1 in cells that are not done, `flagged` (rows) where a row has any; flags of other rows are left as they were."""
    n0, n1, nx = _sizes(x)
    T, X, P, L = table.reshape(-1), x.reshape(-1), psi.reshape(-1), accepted.reshape(-1)
    low, F = lower.reshape(-1), flags.reshape(-1)
    for row in range(np.uint64(first) * n1, np.uint64(last) * n1):
        which, at = np.uint64(kind[row]), row * nx
        _gradient(T, which, X, P, L, rate, n0, n1, nx, row, np.uint64(0), nx, g)
        own = which * COLUMNS * nx
        across, quadratic, weight = own + ACROSS * nx, own + QUADRATIC * nx, own + WEIGHT * nx
        found = 0
        for i in range(nx):
            d = _diagonal(T, P, across + i, quadratic + i, weight + i, at + i, rate)
            # Without the quotient g/d; an infinite d is an error found later.
            down = (g[i] <= tolerance * d) | (X[at + i] - low[at + i] <= tolerance)
            up = (g[i] >= -tolerance * d) | (1.0 - X[at + i] <= tolerance)
            found += not (down & up & (d < np.inf))
        flagged[row] = found > 0
        if found > 0:
            for i in range(nx):
                d = _diagonal(T, P, across + i, quadratic + i, weight + i, at + i, rate)
                down = (g[i] <= tolerance * d) | (X[at + i] - low[at + i] <= tolerance)
                up = (g[i] >= -tolerance * d) | (1.0 - X[at + i] <= tolerance)
                F[at + i] = not (down & up & (d < np.inf))


@njit(**_INNER)
def _piece(edges, k, start, stop, nx):
    start, stop = max(start, 0), min(stop, nx)
    edges[2 * k], edges[2 * k + 1] = start, stop
    return stop - start


@njit(**_PLAIN)
def spread(flags, flagged, width, gap, periodic, first, last, line, counts, cells, edges):
    """Pieces of rows of the cells at most `width` cells along every axis from a flag, and of what is between them up to `gap`.

    periodic: of the axes of n0, n1 and nx. line: (≥ nx + 2 width, a multiple of 8). counts: pieces of each row; cells: how many
    cells these have; edges: where the k-th of them begins (2k) and ends (2k + 1).
    """
    n0, n1, nx = flags.shape
    middle = width if n1 > 1 else 0
    words = line.view(np.int64)
    for a in range(first, last):
        for b in range(n1):
            row, empty = a * n1 + b, True
            counts[row] = cells[row] = 0
            for da in range(-width, width + 1):
                for db in range(-middle, middle + 1):
                    c, e = a + da, b + db
                    if not ((0 <= c < n0 or periodic[0]) and (0 <= e < n1 or periodic[1])):
                        continue
                    c, e = c % n0, e % n1
                    if not flagged[c * n1 + e]:
                        continue
                    if empty:
                        line[:] = 0
                        empty = False
                    source, target = flags[c, e], line[width : width + nx]
                    for i in range(nx):
                        target[i] |= source[i]
            if empty:
                continue
            if periodic[2]:
                for i in range(width):
                    line[width - 1 - i] = line[width + (nx - 1 - i) % nx]
                    line[width + nx + i] = line[width + i % nx]
            found, start, stop, total = 0, 0, 0, 0
            for word in range(words.size):
                if words[word] == 0:
                    continue
                for j in range(8 * word, 8 * word + 8):
                    if line[j] == 0:
                        continue
                    # line[j] is cell j − width.
                    low, high = j - 2 * width, j + 1
                    if found > 0 and low <= stop + gap:
                        stop = high
                        continue
                    if found > 0:
                        total += _piece(edges[row], found - 1, start, stop, nx)
                    start, stop = low, high
                    found += 1
            counts[row], cells[row] = found, total + _piece(edges[row], found - 1, start, stop, nx)


@njit(**_PLAIN)
def prepare(rows, counts, edges, first, last, table, kind, x, psi, rate, inverse, y):
    """1/d, and y = x."""
    _, _, nx = _sizes(x)
    T, X, Y, P, V = table.reshape(-1), x.reshape(-1), y.reshape(-1), psi.reshape(-1), inverse.reshape(-1)
    for r in range(first, last):
        row = np.uint64(rows[r])
        for k in range(counts[row]):
            begin, end = np.uint64(edges[row, 2 * k]), np.uint64(edges[row, 2 * k + 1])
            at, own = row * nx + begin, np.uint64(kind[row]) * COLUMNS * nx + begin
            across, quadratic, weight = own + ACROSS * nx, own + QUADRATIC * nx, own + WEIGHT * nx
            for i in range(end - begin):
                d = _diagonal(T, P, across + i, quadratic + i, weight + i, at + i, rate)
                # Empty cells have nothing that could move them.
                V[at + i] = 1.0 / d if d != 0.0 else 0.0
                Y[at + i] = X[at + i]


@njit(**_PLAIN)
def sweep(
    rows, counts, edges, first, last, table, kind, x, psi, accepted, lower, rate, tolerance, inverse, length, momentum, g, y
):  # fmt: skip
    """y = P(x − length g/d + momentum (x − y)); returns how many cells of x are not done."""
    n0, n1, nx = _sizes(x)
    T, X, P, L = table.reshape(-1), x.reshape(-1), psi.reshape(-1), accepted.reshape(-1)
    low, V, Y = lower.reshape(-1), inverse.reshape(-1), y.reshape(-1)
    left = 0
    for r in range(first, last):
        row = np.uint64(rows[r])
        which = np.uint64(kind[row])
        for k in range(counts[row]):
            begin, end = np.uint64(edges[row, 2 * k]), np.uint64(edges[row, 2 * k + 1])
            _gradient(T, which, X, P, L, rate, n0, n1, nx, row, begin, end, g)
            at = row * nx + begin
            for i in range(end - begin):
                t, old = g[i] * V[at + i], X[at + i]
                left += not _done(t, old - low[at + i], 1.0 - old, tolerance)
                new = (old - length * t) + momentum * (old - Y[at + i])
                new = new if new > low[at + i] else low[at + i]
                Y[at + i] = new if new < 1.0 else 1.0
    return left


@njit(**_PLAIN)
def check(
    rows, counts, edges, first, last, table, kind, x, psi, accepted, lower, rate, tolerance, inverse, share, g, flags, flagged
):  # fmt: skip
    """How many cells of x are not done; in pieces that have some, cells above `share` of the tolerance are flagged."""
    n0, n1, nx = _sizes(x)
    T, X, P, L, F = table.reshape(-1), x.reshape(-1), psi.reshape(-1), accepted.reshape(-1), flags.reshape(-1)
    low, V = lower.reshape(-1), inverse.reshape(-1)
    found = 0
    for r in range(first, last):
        row = np.uint64(rows[r])
        which = np.uint64(kind[row])
        for k in range(counts[row]):
            begin, end = np.uint64(edges[row, 2 * k]), np.uint64(edges[row, 2 * k + 1])
            _gradient(T, which, X, P, L, rate, n0, n1, nx, row, begin, end, g)
            at, new = row * nx + begin, 0
            for i in range(end - begin):
                new += not _done(g[i] * V[at + i], X[at + i] - low[at + i], 1.0 - X[at + i], tolerance)
            if new == 0:
                continue
            found += new
            if not flagged[row]:
                for i in range(nx):
                    F[row * nx + i] = 0
                flagged[row] = True
            for i in range(end - begin):
                if not _done(g[i] * V[at + i], X[at + i] - low[at + i], 1.0 - X[at + i], share * tolerance):
                    F[at + i] = 1
    return found


@njit(**_PLAIN)
def copy(rows, counts, edges, first, last, x, y):
    """y = x."""
    n1 = x.shape[1]
    for r in range(first, last):
        row = rows[r]
        for k in range(counts[row]):
            start, stop = edges[row, 2 * k], edges[row, 2 * k + 1]
            X, Y = x[row // n1, row % n1, start:stop], y[row // n1, row % n1, start:stop]
            for i in range(X.size):
                Y[i] = X[i]
