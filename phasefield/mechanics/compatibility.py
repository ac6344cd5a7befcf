"""Which plane interfaces cost no elastic energy: twin planes, and habit planes of twinned martensite. And what the others
cost between the two variants of a square lattice.

Linearised kinematics: strains ε_a and ε_b meet without stress at a plane with normal n when ε_b − ε_a = sym(a ⊗ n), that
is, when the middle eigenvalue of the difference is zero and the outer ones do not have the same sign.
Source: J. M. Ball, R. D. James, Arch. Ration. Mech. Anal. 100 (1987) 13, doi:10.1007/BF00281246; linearised in
K. Bhattacharya, Microstructure of Martensite (2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError


def compatible_normals(
    strain_a: np.ndarray, strain_b: np.ndarray, tolerance: float = 1e-9
) -> tuple[np.ndarray, np.ndarray]:
    """The two unit normals n, and vectors a, of the interfaces between two strains: ε_b − ε_a = sym(a ⊗ n).

    With eigenvalues λ₁ ≤ 0 ≤ λ₃ of the difference: n± = √(λ₃/(λ₃−λ₁)) e₃ ± √(−λ₁/(λ₃−λ₁)) e₁ and a± = (λ₃−λ₁) n∓.

    Args:
        strain_a, strain_b: symmetric (3, 3).
        tolerance: largest middle eigenvalue, relative to the largest one, that counts as zero.

    Returns:
        normals (2, 3) and vectors (2, 3). Both rows agree where the difference has rank one.

    Raises:
        InputError: the strains are equal (every plane is compatible) or no plane is.
    """
    difference = np.asarray(strain_b, float) - np.asarray(strain_a, float)
    if difference.shape != (3, 3):
        raise InputError(f"strains have the shape (3, 3), their difference has {difference.shape}")
    values, axes = np.linalg.eigh(difference)
    scale = float(np.abs(values).max())
    if scale == 0.0:
        raise InputError("the strains are equal: every interface between them is compatible")
    low, middle, high = values
    if abs(middle) > tolerance * scale or low > tolerance * scale or high < -tolerance * scale:
        shown = ", ".join(f"{v:.6g}" for v in values)
        raise InputError(
            "the strains have no compatible interface: the eigenvalues of their difference are "
            f"{shown}, but the middle one must be 0, between one that is ≤ 0 and one that is ≥ 0"
        )
    span = high - low
    up, down = np.sqrt(max(high, 0.0) / span) * axes[:, 2], np.sqrt(max(-low, 0.0) / span) * axes[:, 0]
    # n and −n are one plane: the first component that is not zero is made positive, in n and a alike.
    pair = [_signed(up + down), _signed(up - down)]
    normals = np.array([n for n, _ in pair])
    (_, sign_plus), (_, sign_minus) = pair
    product = sign_plus * sign_minus
    return normals, span * product * normals[::-1]


def _signed(n: np.ndarray) -> tuple[np.ndarray, float]:
    sign = float(np.sign(n[np.flatnonzero(np.abs(n) > 1e-9)[0]]))
    return sign * n, sign


@dataclass(frozen=True)
class HabitPlane:
    """An interface between the undistorted parent and a laminate of two variants.

    fraction: volume fraction x of the first variant; strain: x ε₁ + (1−x) ε₂, (3, 3); normals, vectors: (2, 3) as from
    `compatible_normals` of 0 and the strain.
    """

    fraction: float
    strain: np.ndarray
    normals: np.ndarray
    vectors: np.ndarray


def habit_plane(strain_1: np.ndarray, strain_2: np.ndarray) -> list[HabitPlane]:
    """Fractions x in [0, 1] for which x ε₁ + (1−x) ε₂ is compatible with the parent, in ascending order of x.

    The roots of the cubic det(x ε₁ + (1−x) ε₂) whose zero eigenvalue is the middle one. Whether the variants are twins,
    so that a laminate of them is itself compatible, is `compatible_normals(strain_1, strain_2)`.

    Raises:
        InputError: no such fraction, or every one (strains in one plane).
    Source: M. S. Wechsler, D. S. Lieberman, T. A. Read, Trans. AIME 197 (1953) 1503 (finite strains); linearised here.
    """
    first, second = np.asarray(strain_1, float), np.asarray(strain_2, float)
    scale = max(float(np.abs(first).max()), float(np.abs(second).max()))
    A, D = second / (scale or 1.0), (first - second) / (scale or 1.0)
    # det(A + x D) = det A + x tr(adj(A) D) + x² tr(adj(D) A) + x³ det D
    coefficients = [np.linalg.det(A), np.sum(_cofactor(A) * D), np.sum(_cofactor(D) * A), np.linalg.det(D)]
    if np.abs(coefficients).max() < 1e-12:
        raise InputError(
            "x ε₁ + (1−x) ε₂ is singular for every fraction x: the strains lie in one plane or are equal; "
            "use compatible_normals of 0 and a strain"
        )
    polynomial = np.polynomial.Polynomial(_without_tail(coefficients))
    found: list[HabitPlane] = []
    for root in np.sort_complex(np.asarray(polynomial.roots(), complex)):
        x = float(root.real)
        # Double roots come back as close pairs with an error of √eps.
        if abs(root.imag) > 1e-6 or not -1e-9 <= x <= 1 + 1e-9 or any(abs(x - f.fraction) < 1e-6 for f in found):
            continue
        x = min(max(x, 0.0), 1.0)
        strain = x * first + (1.0 - x) * second
        values = np.linalg.eigvalsh(strain)
        if abs(values[1]) < 1e-6 * scale and values[0] < -1e-6 * scale and values[2] > 1e-6 * scale:
            found.append(HabitPlane(x, strain, *compatible_normals(np.zeros((3, 3)), strain, 1e-6)))
    if not found:
        raise InputError("no mixture of the two strains is compatible with the parent")
    return found


def square_rectangle_kernel(n: np.ndarray, A1: float, A3: float) -> np.ndarray:
    """A₁U(n), the elastic energy that compatibility leaves of the rectangular strain e₂ on a square lattice.

    F_c/V = ½ Σ_{k≠0} A₁U |ê₂|² is the minimum of ∫ ½A₁e₁² + ½A₃e₃² at given e₂, for e₁ = (ε_xx+ε_yy)/√2,
    e₂ = (ε_xx−ε_yy)/√2, e₃ = ε_xy (with e₃ = 2ε_xy the 8 is a 2):

      U(n) = (n_x²−n_y²)² / (1 + 8 (A₁/A₃) n_x² n_y²).

    Args:
        n: directions (…, 2), of any length.
        A1, A3: moduli of dilatation and of tensor shear, pressure, positive.

    Returns:
        (…), zero along ⟨11⟩. Its value at k = 0 is for the caller to set: 0, ⟨e₂⟩ being free or fixed.

    Source: T. Lookman et al., Phys. Rev. B 67 (2003) 024114, doi:10.1103/PhysRevB.67.024114; derived again.
    """
    if not (A1 > 0 and A3 > 0):
        raise InputError(f"the moduli A1 and A3 must be greater than 0 (got {A1} and {A3})")
    n = np.asarray(n, float)
    if n.shape[-1:] != (2,):
        raise InputError(f"directions have the shape (…, 2), got {n.shape}")
    xx, yy = n[..., 0] ** 2, n[..., 1] ** 2
    if not np.all(xx + yy > 0):
        raise InputError("a direction has no length")
    xx, yy = xx / (xx + yy), yy / (xx + yy)
    return A1 * (xx - yy) ** 2 / (1.0 + 8.0 * (A1 / A3) * xx * yy)


def _cofactor(matrix: np.ndarray) -> np.ndarray:
    """Cofactors of a 3x3 matrix: rows are cross products of the others."""
    a, b, c = matrix
    return np.array([np.cross(b, c), np.cross(c, a), np.cross(a, b)])


def _without_tail(coefficients: list[float]) -> list[float]:
    """Without highest powers that are zero up to round-off, which would send spurious roots to infinity."""
    largest = max(abs(c) for c in coefficients)
    while len(coefficients) > 1 and abs(coefficients[-1]) < 1e-12 * largest:
        coefficients = coefficients[:-1]
    return coefficients
