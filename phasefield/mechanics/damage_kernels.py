"""Numba kernels of the damage solver: A = diag(D) − ∇·κ∇ on faces, and what conjugate gradients between bounds need.

Fields are (n0, n1, nx): n0 belongs to the slowest axis, n1 = 1 in the plane, x contiguous. `f0`, `f1`, `fx` hold κ/h² of the
face between a cell and the next one along that axis (`GradientEnergy.faces`), so that boundaries and empty cells are zeros
among them. Kernels work on rows [first, last) of the slowest axis, allocate nothing and release the GIL; sums go to the
row of `sums` of their block, so that bits do not depend on the number of threads. Differences of cells are not contracted
and are added in pairs: the bits of a field and of its mirror image are the same.

With g = Ax − b and bounds l ≤ x ≤ u, a cell is free where l < x < u; d is the diagonal of A. Of a state, `state_sums` adds up

| | |
|---|---|
| 0 | Σ z g, z = g/d of free cells |
| 1 | Σ z̃ g, z̃ = z cut off where x − z would leave the bounds |
| 2 | Σ β²/d, β = g of cells at a bound, where −g points inwards |
| 3 | Σ z q |
| 4 | Σ r², r = x − P(x − g/d), P the projection onto the bounds: the projected scaled residual |
| 5 | Σ z² |
| 6 | how many cells a step took beyond their bounds |
"""

from __future__ import annotations

from numba import njit

_EXACT = {"nogil": True, "error_model": "numpy", "cache": True}
# As in `kernels.cpu`: sums may be reassociated, NaN survives.
_SUMS = {**_EXACT, "fastmath": {"contract", "reassoc", "nsz"}}
SUMS = 7


@njit(**_EXACT)
def _row_of_product(D, f0, f1, fx, x, a, b, out):
    """out (nx) = (Ax) of row a, b."""
    n0, n1, nx = x.shape
    own, product = x[a, b], D[a, b]
    for i in range(nx):
        out[i] = product[i] * own[i]
    if n0 > 1:
        low, high = a - 1 if a > 0 else n0 - 1, a + 1 if a + 1 < n0 else 0
        before, after, f, e = x[low, b], x[high, b], f0[low, b], f0[a, b]
        for i in range(nx):
            out[i] += f[i] * (own[i] - before[i]) + e[i] * (own[i] - after[i])
    if n1 > 1:
        low, high = b - 1 if b > 0 else n1 - 1, b + 1 if b + 1 < n1 else 0
        before, after, f, e = x[a, low], x[a, high], f1[a, low], f1[a, b]
        for i in range(nx):
            out[i] += f[i] * (own[i] - before[i]) + e[i] * (own[i] - after[i])
    if nx > 1:
        face, last = fx[a, b], nx - 1
        out[0] += face[last] * (own[0] - own[last]) + face[0] * (own[0] - own[1])
        out[last] += face[last - 1] * (own[last] - own[last - 1]) + face[last] * (own[last] - own[0])
        left, here, right, e, result = own[: last - 1], own[1:last], own[2:], face[1:last], out[1:last]
        f = face[: last - 1]
        for i in range(last - 1):
            result[i] += f[i] * (here[i] - left[i]) + e[i] * (here[i] - right[i])


@njit(**_SUMS)
def _sums_of_row(x, g, q, lower, upper, inverse, z, sums):
    """z of a row, and its share of the sums of the state."""
    for i in range(x.size):
        t = g[i] * inverse[i]
        z[i] = t if (lower[i] < x[i]) & (x[i] < upper) else 0.0
    zg = zr = chopped = zq = rr = zz = 0.0
    for i in range(x.size):
        t, low, high = g[i] * inverse[i], x[i] - lower[i], x[i] - upper
        r = t if t > high else high
        r = r if r < low else low
        zg += g[i] * z[i]
        zq += z[i] * q[i]
        zz += z[i] * z[i]
        rr += r * r
        # Of cells at a bound only t is not zero, and r where they want to leave it.
        zr += g[i] * r if z[i] != 0.0 else 0.0
        chopped += g[i] * (t - z[i]) if r != 0.0 else 0.0
    sums[0] += zg
    sums[1] += zr
    sums[2] += chopped
    sums[3] += zq
    sums[4] += rr
    sums[5] += zz


@njit(**_EXACT)
def gradient(D, f0, f1, fx, x, b, lower, upper, inverse, g, q, z, first, last, sums):
    """g = Ax − b, z and the sums of the state."""
    for a in range(first, last):
        for c in range(x.shape[1]):
            row, source = g[a, c], b[a, c]
            _row_of_product(D, f0, f1, fx, x, a, c, row)
            for i in range(row.size):
                row[i] -= source[i]
            _sums_of_row(x[a, c], row, q[a, c], lower[a, c], upper, inverse[a, c], z[a, c], sums)


@njit(**_SUMS)
def _sums_along(g, p, q, sums):
    """p·q, g·p."""
    pq = gp = 0.0
    for i in range(p.size):
        pq += p[i] * q[i]
        gp += g[i] * p[i]
    sums[0] += pq
    sums[1] += gp


@njit(**_EXACT)
def product(D, f0, f1, fx, p, g, q, first, last, sums):
    """q = Ap; sums: p·q, g·p."""
    for a in range(first, last):
        for c in range(p.shape[1]):
            _row_of_product(D, f0, f1, fx, p, a, c, q[a, c])
            _sums_along(g[a, c], p[a, c], q[a, c], sums)


@njit(**_EXACT)
def move(alpha, x, g, p, q, lower, upper, inverse, y, z, first, last, sums):
    """y = x − αp, cut off at the bounds, g −= αq, and z and the sums of the state y."""
    for a in range(first, last):
        for c in range(x.shape[1]):
            X, Y, G, P, Q, low = x[a, c], y[a, c], g[a, c], p[a, c], q[a, c], lower[a, c]
            beyond = 0
            for i in range(X.size):
                t = X[i] - alpha * P[i]
                G[i] -= alpha * Q[i]
                beyond += (t < low[i]) | (t > upper)
                t = t if t > low[i] else low[i]
                Y[i] = t if t < upper else upper
            sums[6] += beyond
            _sums_of_row(Y, G, Q, low, upper, inverse[a, c], z[a, c], sums)


@njit(**_EXACT)
def longest_step(x, p, lower, upper, first, last, sums):
    """sums 0: the longest step along −p within the bounds."""
    longest = 1e300
    for a in range(first, last):
        for c in range(x.shape[1]):
            X, P, low = x[a, c], p[a, c], lower[a, c]
            for i in range(X.size):
                room = X[i] - low[i] if P[i] > 0.0 else X[i] - upper
                step = room / P[i] if P[i] != 0.0 else 1e300
                longest = step if step < longest else longest
    sums[0] = longest


@njit(**_EXACT)
def largest(x, g, lower, upper, inverse, first, last, sums):
    """sums 0 and 1: the largest |r| and, of free cells, |g/d|."""
    worst = worst_free = 0.0
    for a in range(first, last):
        for c in range(x.shape[1]):
            X, G, low, scale = x[a, c], g[a, c], lower[a, c], inverse[a, c]
            for i in range(X.size):
                t = G[i] * scale[i]
                r = abs(min(max(t, X[i] - upper), X[i] - low[i]))
                worst = r if r > worst else worst
                t = abs(t) if (low[i] < X[i]) & (X[i] < upper) else 0.0
                worst_free = t if t > worst_free else worst_free
    sums[0] = worst
    sums[1] = worst_free


@njit(**_EXACT)
def expand(alpha, back, length, x, g, p, q, lower, upper, inverse, first, last, sums):
    """x = P(y − length g/d of the free cells), y = x − αp: a step to the bound and a projected one along the gradient.

    g is that after a step `back` along −p, which was too long.
    """
    for a in range(first, last):
        for c in range(x.shape[1]):
            X, G, P, Q = x[a, c], g[a, c], p[a, c], q[a, c]
            low, scale = lower[a, c], inverse[a, c]
            for i in range(X.size):
                y = min(max(X[i] - alpha * P[i], low[i]), upper)
                step = length * scale[i] * (G[i] - (alpha - back) * Q[i]) if low[i] < y < upper else 0.0
                X[i] = min(max(y - step, low[i]), upper)


@njit(**_EXACT)
def search(beta, z, p, first, last, sums):
    """p = z − βp."""
    for a in range(first, last):
        for c in range(p.shape[1]):
            P, Z = p[a, c], z[a, c]
            for i in range(P.size):
                P[i] = Z[i] - beta * P[i]


@njit(**_EXACT)
def release(x, g, lower, upper, inverse, p, first, last, sums):
    """p = β/d: cells at a bound that want to leave it."""
    for a in range(first, last):
        for c in range(p.shape[1]):
            X, G, P, low, scale = x[a, c], g[a, c], p[a, c], lower[a, c], inverse[a, c]
            for i in range(P.size):
                t = scale[i] * G[i]
                at_low, at_high = X[i] <= low[i], X[i] >= upper
                if at_low and at_high:
                    t = 0.0
                elif at_low:
                    t = min(t, 0.0)
                elif at_high:
                    t = max(t, 0.0)
                else:
                    t = 0.0
                P[i] = t


@njit(**_SUMS)
def _sums_of_free(x, g, q, lower, upper, z, sums):
    zg = zq = 0.0
    for i in range(x.size):
        z[i] = z[i] if lower[i] < x[i] < upper else 0.0
        zg += g[i] * z[i]
        zq += z[i] * q[i]
    sums[0] += zg
    sums[3] += zq


@njit(**_EXACT)
def restrict(x, g, q, lower, upper, z, first, last, sums):
    """z = 0 where cells are not free; sums 0 and 3 of the state for this z."""
    for a in range(first, last):
        for c in range(x.shape[1]):
            _sums_of_free(x[a, c], g[a, c], q[a, c], lower[a, c], upper, z[a, c], sums)


@njit(**_EXACT)
def only_free(x, g, lower, upper, out, first, last, sums):
    """out = g of free cells, zero elsewhere."""
    for a in range(first, last):
        for c in range(x.shape[1]):
            X, G, low, target = x[a, c], g[a, c], lower[a, c], out[a, c]
            for i in range(X.size):
                target[i] = G[i] if low[i] < X[i] < upper else 0.0
