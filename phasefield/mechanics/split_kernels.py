"""Numba kernels of energy splits, cell by cell: energies, stress and tangent of a body whose tensile part is degraded.

Strain and stress are Mandel components (m, cells): xx, yy, √2 xy of plane strain (zz is zero) and xx, yy, zz, √2 yz, √2 xz,
√2 xy in space. `g` (cells) multiplies the tensile part, `lame` and `shear` (cells) are the constants of the intact body. Kernels
allocate nothing and release the GIL. Products are not contracted: a strain and its mirror image have the same bits of energy.

`plane_parts` and `space_parts` split one strain with unequal treatment of the signs of its principal values; they are meant to be
inlined into loops of solvers too.
"""

from __future__ import annotations

import math

from numba import njit

_PLAIN = {"nogil": True, "error_model": "numpy", "cache": True}
_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO = math.sqrt(2.0)


# --- volume and shape: none, volumetric–deviatoric, star-convex --------------------------------------------------------


@njit(**_PLAIN)
def star_plane(strain, g, lame, shear, gamma, stress, plus, minus):
    """σ = K (g ⟨t⟩₊ + (1 + γ − gγ) ⟨t⟩₋) I + 2gμ dev ε with t = tr ε, and ψ⁺, ψ⁻ without g; the deviator is that of space."""
    for i in range(strain.shape[1]):
        x, y, s = strain[0, i], strain[1, i], strain[2, i]
        mu, h = shear[i], g[i]
        K = lame[i] + 2.0 / 3.0 * mu
        t = x + y
        up, down = max(t, 0.0), min(t, 0.0)
        dx, dy, dz = ((x - y) + x) / 3.0, ((y - x) + y) / 3.0, t / 3.0
        plus[i] = 0.5 * K * (up * up - gamma * (down * down)) + mu * ((dx * dx + dy * dy) + (dz * dz + s * s))
        minus[i] = (1.0 + gamma) * 0.5 * K * (down * down)
        pressure = K * (h * up + (1.0 + gamma - h * gamma) * down)
        stress[0, i] = pressure + 2.0 * mu * h * dx
        stress[1, i] = pressure + 2.0 * mu * h * dy
        stress[2, i] = 2.0 * mu * h * s


@njit(**_PLAIN)
def star_space(strain, g, lame, shear, gamma, stress, plus, minus):
    """The same in space."""
    for i in range(strain.shape[1]):
        x, y, z = strain[0, i], strain[1, i], strain[2, i]
        a, b, c = strain[3, i], strain[4, i], strain[5, i]
        mu, h = shear[i], g[i]
        K = lame[i] + 2.0 / 3.0 * mu
        t = x + y + z
        up, down = max(t, 0.0), min(t, 0.0)
        # Differences first: exactly zero under equal pressure from all sides, which t/3 taken off is not.
        dx, dy, dz = ((x - y) + (x - z)) / 3.0, ((y - x) + (y - z)) / 3.0, ((z - x) + (z - y)) / 3.0
        plus[i] = 0.5 * K * (up * up - gamma * (down * down)) + mu * (
            (dx * dx + dy * dy + dz * dz) + (a * a + b * b + c * c)
        )
        minus[i] = (1.0 + gamma) * 0.5 * K * (down * down)
        pressure, twice = K * (h * up + (1.0 + gamma - h * gamma) * down), 2.0 * mu * h
        stress[0, i] = pressure + twice * dx
        stress[1, i] = pressure + twice * dy
        stress[2, i] = pressure + twice * dz
        stress[3, i] = twice * a
        stress[4, i] = twice * b
        stress[5, i] = twice * c


@njit(**_PLAIN)
def star_plane_tangent(strain, g, lame, shear, gamma, direction, out):
    """out = (∂σ/∂ε) direction; on the kink t = 0 that of tension."""
    for i in range(strain.shape[1]):
        mu, h = shear[i], g[i]
        K = lame[i] + 2.0 / 3.0 * mu
        factor = h if strain[0, i] + strain[1, i] >= 0.0 else 1.0 + gamma - h * gamma
        volume = (K * factor - 2.0 / 3.0 * mu * h) * (direction[0, i] + direction[1, i])
        out[0, i] = volume + 2.0 * mu * h * direction[0, i]
        out[1, i] = volume + 2.0 * mu * h * direction[1, i]
        out[2, i] = 2.0 * mu * h * direction[2, i]


@njit(**_PLAIN)
def star_space_tangent(strain, g, lame, shear, gamma, direction, out):
    """The same in space."""
    for i in range(strain.shape[1]):
        mu, h = shear[i], g[i]
        K = lame[i] + 2.0 / 3.0 * mu
        factor = h if strain[0, i] + strain[1, i] + strain[2, i] >= 0.0 else 1.0 + gamma - h * gamma
        volume = (K * factor - 2.0 / 3.0 * mu * h) * (direction[0, i] + direction[1, i] + direction[2, i])
        for j in range(3):
            out[j, i] = volume + 2.0 * mu * h * direction[j, i]
        for j in range(3, 6):
            out[j, i] = 2.0 * mu * h * direction[j, i]


# --- principal strains: spectral ---------------------------------------------------------------------------------------


@njit(inline="always", **_PLAIN)
def weight(value, g):
    """g for principal strains that are positive, 1 for the others."""
    return g if value > 0.0 else 1.0


@njit(inline="always", **_PLAIN)
def slope(p, q, g):
    """(w(p)p − w(q)q)/(p − q) of two principal strains; their common weight where they have one sign, also if they are equal."""
    same = (p > 0.0) == (q > 0.0)
    difference = 1.0 if same else p - q
    return weight(p, g) if same else (weight(p, g) * p - weight(q, g) * q) / difference


@njit(inline="always", **_PLAIN)
def plane_parts(x, y, s):
    """(larger, smaller, half their difference) of the principal strains of (xx, yy, √2 xy): m ± r.

    The one nearer to zero comes from the determinant, so that it keeps its digits, and its sign, where the two almost cancel.
    """
    m, half = 0.5 * (x + y), 0.5 * (x - y)
    r = math.sqrt(half * half + 0.5 * (s * s))
    far = m + r if m >= 0.0 else m - r
    near = (x * y - 0.5 * (s * s)) / far if far != 0.0 else 0.0
    return (far, near, r) if m >= 0.0 else (near, far, r)


@njit(**_PLAIN)
def spectral_plane(strain, g, lame, shear, stress, plus, minus):
    """σ = λ(g⟨t⟩₊ + ⟨t⟩₋) I + 2μ (g ε₊ + ε₋), ψ± = ½λ⟨t⟩±² + μ|ε±|², ε± the part of ε with principal values of that sign.

    In the plane wε = ½(w₁e₁ + w₂e₂) I + s (ε − mI), s the divided difference of w(e)e: no directions are needed.
    """
    for i in range(strain.shape[1]):
        x, y, s = strain[0, i], strain[1, i], strain[2, i]
        lam, mu, h = lame[i], shear[i], g[i]
        high, low, _ = plane_parts(x, y, s)
        t = x + y
        up, down = max(t, 0.0), min(t, 0.0)
        high_up, high_down = max(high, 0.0), min(high, 0.0)
        low_up, low_down = max(low, 0.0), min(low, 0.0)
        plus[i] = 0.5 * lam * (up * up) + mu * (high_up * high_up + low_up * low_up)
        minus[i] = 0.5 * lam * (down * down) + mu * (high_down * high_down + low_down * low_down)
        mean = 0.5 * (weight(high, h) * high + weight(low, h) * low)
        rise, half = slope(high, low, h), 0.5 * (x - y)
        pressure = lam * (h * up + down) + 2.0 * mu * mean
        stress[0, i] = pressure + 2.0 * mu * rise * half
        stress[1, i] = pressure - 2.0 * mu * rise * half
        stress[2, i] = 2.0 * mu * rise * s


@njit(**_PLAIN)
def spectral_plane_tangent(strain, g, lame, shear, direction, out):
    """out = (∂σ/∂ε) direction: s H + (w₁ − s)(P₁:H) P₁ + (w₂ − s)(P₂:H) P₂ with P = ½(I ± (ε − mI)/r), and the volume."""
    for i in range(strain.shape[1]):
        x, y, s = strain[0, i], strain[1, i], strain[2, i]
        p, q, r = direction[0, i], direction[1, i], direction[2, i]
        lam, mu, h = lame[i], shear[i], g[i]
        high, low, radius = plane_parts(x, y, s)
        inverse = 1.0 / radius if radius > 0.0 else 0.0
        nx, ns = 0.5 * (x - y) * inverse, s * inverse
        along = nx * (p - q) + ns * r
        rise = slope(high, low, h)
        first = (weight(high, h) - rise) * 0.5 * (p + q + along)
        second = (weight(low, h) - rise) * 0.5 * (p + q - along)
        volume = lam * (h if x + y >= 0.0 else 1.0) * (p + q)
        spherical, deviatoric = mu * (first + second), mu * (first - second)
        out[0, i] = volume + 2.0 * mu * rise * p + spherical + deviatoric * nx
        out[1, i] = volume + 2.0 * mu * rise * q + spherical - deviatoric * nx
        out[2, i] = 2.0 * mu * rise * r + deviatoric * ns


@njit(inline="always", **_PLAIN)
def space_parts(xx, yy, zz, yz, xz, xy):
    """Principal strains and directions of a symmetric tensor: (e₁, e₂, e₃, v₁, v₂, v₃), v three numbers each, in no order.

    A root of the characteristic polynomial gives the value that is furthest from the other two; it is well conditioned there,
    unlike for two values that almost coincide. The other two follow in the plane across its direction, as in two dimensions, so
    that all are accurate to rounding of the largest. (Eberly, "A robust eigensolver for 3×3 symmetric matrices", 2014.)
    """
    a, b, c = ((xx - yy) + (xx - zz)) / 3.0, ((yy - xx) + (yy - zz)) / 3.0, ((zz - xx) + (zz - yy)) / 3.0
    scale = math.sqrt(((a * a + b * b) + c * c + 2.0 * (yz * yz + xz * xz + xy * xy)) / 6.0)
    # Choices are between numbers only, so that loops are vectorised.
    one = 1.0 / (scale if scale > 0.0 else 1.0)
    a, b, c, d, e, f = a * one, b * one, c * one, yz * one, xz * one, xy * one
    # Half the determinant of the scaled deviator is cos 3θ; its values are 2 cos of θ and of θ ± 2π/3.
    cosine = 0.5 * (a * (b * c - d * d) - f * (f * c - d * e) + e * (f * d - b * e))
    # 2 cos θ is the root of x³ − 3x = 2 cos 3θ between √3 and 2: two steps of Newton from a polynomial that is 1e-5 off. No
    # cosine is called, so that loops are vectorised, and all their turns alike.
    steep = min(abs(cosine), 1.0)
    root = 1.732061 + steep * (0.332823 + steep * (steep * (0.035024 - 0.008071 * steep) - 0.091844))
    root -= (root * (root * root - 3.0) - 2.0 * steep) / (3.0 * (root * root - 1.0))
    root -= (root * (root * root - 3.0) - 2.0 * steep) / (3.0 * (root * root - 1.0))
    alone = root if cosine >= 0.0 else -root
    # Its direction is across two rows of (deviator − value): the longest of the three cross products.
    p, q, r = a - alone, b - alone, c - alone
    x1, y1, z1 = f * d - e * q, e * f - p * d, p * q - f * f
    x2, y2, z2 = f * r - e * d, e * e - p * r, p * d - f * e
    x3, y3, z3 = q * r - d * d, d * e - f * r, f * d - q * e
    n1, n2, n3 = x1 * x1 + y1 * y1 + z1 * z1, x2 * x2 + y2 * y2 + z2 * z2, x3 * x3 + y3 * y3 + z3 * z3
    x1, y1, z1 = (x2 if n2 > n1 else x1), (y2 if n2 > n1 else y1), (z2 if n2 > n1 else z1)
    n1 = max(n1, n2)
    x1, y1, z1 = (x3 if n3 > n1 else x1), (y3 if n3 > n1 else y1), (z3 if n3 > n1 else z1)
    n1 = max(n1, n3)
    x1, n1 = (x1 if n1 > 0.0 else 1.0), (n1 if n1 > 0.0 else 1.0)
    norm = 1.0 / math.sqrt(n1)
    x1, y1, z1 = x1 * norm, y1 * norm, z1 * norm
    # Two unit vectors across it: (−z, 0, x) or (0, z, −y), the longer one.
    larger = x1 if abs(x1) > abs(y1) else -y1
    norm = 1.0 / math.sqrt(larger * larger + z1 * z1)
    x2, y2, z2 = (-z1 if abs(x1) > abs(y1) else 0.0) * norm, (0.0 if abs(x1) > abs(y1) else z1) * norm, larger * norm
    x3, y3, z3 = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
    # The tensor in this frame.
    u, v, w = xx * x2 + xy * y2 + xz * z2, xy * x2 + yy * y2 + yz * z2, xz * x2 + yz * y2 + zz * z2
    k22, k23 = u * x2 + v * y2 + w * z2, u * x3 + v * y3 + w * z3
    u, v, w = xx * x3 + xy * y3 + xz * z3, xy * x3 + yy * y3 + yz * z3, xz * x3 + yz * y3 + zz * z3
    k33 = u * x3 + v * y3 + w * z3
    u, v, w = xx * x1 + xy * y1 + xz * z1, xy * x1 + yy * y1 + yz * z1, xz * x1 + yz * y1 + zz * z1
    k11 = u * x1 + v * y1 + w * z1
    half, middle = 0.5 * (k22 - k33), 0.5 * (k22 + k33)
    radius = math.sqrt(half * half + k23 * k23)
    # Half-angle: tan 2α = k23/half, cos α the larger of the two.
    near, far = (abs(half) if radius > 0.0 else 1.0), (radius if radius > 0.0 else 1.0)
    ca = math.sqrt(0.5 * (1.0 + near / far))
    sa = 0.5 * k23 / (far * ca)
    sign = 1.0 if half >= 0.0 else -1.0
    sa = sign * sa
    e2, e3 = middle + sign * radius, middle - sign * radius
    X, Y, Z = ca * x2 + sa * x3, ca * y2 + sa * y3, ca * z2 + sa * z3
    x3, y3, z3 = ca * x3 - sa * x2, ca * y3 - sa * y2, ca * z3 - sa * z2
    return k11, e2, e3, x1, y1, z1, X, Y, Z, x3, y3, z3


@njit(**_PLAIN)
def spectral_space(strain, g, lame, shear, stress, plus, minus):
    """`spectral_plane` in space."""
    for i in range(strain.shape[1]):
        lam, mu, h = lame[i], shear[i], g[i]
        x, y, z = strain[0, i], strain[1, i], strain[2, i]
        e1, e2, e3, x1, y1, z1, x2, y2, z2, x3, y3, z3 = space_parts(
            x, y, z, _ROOT_HALF * strain[3, i], _ROOT_HALF * strain[4, i], _ROOT_HALF * strain[5, i]
        )
        t = x + y + z
        up, down = max(t, 0.0), min(t, 0.0)
        p1, p2, p3 = max(e1, 0.0), max(e2, 0.0), max(e3, 0.0)
        n1, n2, n3 = min(e1, 0.0), min(e2, 0.0), min(e3, 0.0)
        plus[i] = 0.5 * lam * (up * up) + mu * (p1 * p1 + p2 * p2 + p3 * p3)
        minus[i] = 0.5 * lam * (down * down) + mu * (n1 * n1 + n2 * n2 + n3 * n3)
        pressure = lam * (h * up + down)
        f1, f2, f3 = 2.0 * mu * (h * p1 + n1), 2.0 * mu * (h * p2 + n2), 2.0 * mu * (h * p3 + n3)
        stress[0, i] = pressure + (f1 * x1 * x1 + f2 * x2 * x2 + f3 * x3 * x3)
        stress[1, i] = pressure + (f1 * y1 * y1 + f2 * y2 * y2 + f3 * y3 * y3)
        stress[2, i] = pressure + (f1 * z1 * z1 + f2 * z2 * z2 + f3 * z3 * z3)
        stress[3, i] = _ROOT_TWO * (f1 * y1 * z1 + f2 * y2 * z2 + f3 * y3 * z3)
        stress[4, i] = _ROOT_TWO * (f1 * x1 * z1 + f2 * x2 * z2 + f3 * x3 * z3)
        stress[5, i] = _ROOT_TWO * (f1 * x1 * y1 + f2 * x2 * y2 + f3 * x3 * y3)


@njit(inline="always", **_PLAIN)
def _between(u, v, xx, yy, zz, yz, xz, xy):
    """u·H·v."""
    return (
        u[0] * (xx * v[0] + xy * v[1] + xz * v[2])
        + u[1] * (xy * v[0] + yy * v[1] + yz * v[2])
        + u[2] * (xz * v[0] + yz * v[1] + zz * v[2])
    )


@njit(**_PLAIN)
def spectral_space_tangent(strain, g, lame, shear, direction, out):
    """`spectral_plane_tangent` in space: in the principal frame, component ij of H is multiplied by the divided difference."""
    for i in range(strain.shape[1]):
        lam, mu, h = lame[i], shear[i], g[i]
        x, y, z = strain[0, i], strain[1, i], strain[2, i]
        e1, e2, e3, x1, y1, z1, x2, y2, z2, x3, y3, z3 = space_parts(
            x, y, z, _ROOT_HALF * strain[3, i], _ROOT_HALF * strain[4, i], _ROOT_HALF * strain[5, i]
        )
        u, v, w = (x1, y1, z1), (x2, y2, z2), (x3, y3, z3)
        xx, yy, zz = direction[0, i], direction[1, i], direction[2, i]
        yz, xz, xy = _ROOT_HALF * direction[3, i], _ROOT_HALF * direction[4, i], _ROOT_HALF * direction[5, i]
        m = 2.0 * mu
        d1 = m * weight(e1, h) * _between(u, u, xx, yy, zz, yz, xz, xy)
        d2 = m * weight(e2, h) * _between(v, v, xx, yy, zz, yz, xz, xy)
        d3 = m * weight(e3, h) * _between(w, w, xx, yy, zz, yz, xz, xy)
        s23 = m * slope(e2, e3, h) * _between(v, w, xx, yy, zz, yz, xz, xy)
        s13 = m * slope(e1, e3, h) * _between(u, w, xx, yy, zz, yz, xz, xy)
        s12 = m * slope(e1, e2, h) * _between(u, v, xx, yy, zz, yz, xz, xy)
        volume = lam * (h if x + y + z >= 0.0 else 1.0) * (xx + yy + zz)
        for j in range(6):
            a, b = (j, j) if j < 3 else ((1, 2) if j == 3 else ((0, 2) if j == 4 else (0, 1)))
            value = d1 * u[a] * u[b] + d2 * v[a] * v[b] + d3 * w[a] * w[b]
            value += s23 * (v[a] * w[b] + w[a] * v[b]) + s13 * (u[a] * w[b] + w[a] * u[b])
            value += s12 * (u[a] * v[b] + v[a] * u[b])
            out[j, i] = volume + value if j < 3 else _ROOT_TWO * value
