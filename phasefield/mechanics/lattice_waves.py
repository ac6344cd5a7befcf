"""Plane waves on elements with lumped mass, their speeds, and the largest stable step of the leapfrog.

Elements are cells h_x × h_y [× h_z] with bi- or trilinear displacement. A node has the mass ρV, and each of the 2ᵈ elements at it
contributes ρV/2ᵈ. Two schemes:

    full       2ᵈ Gauss points
    rotated    the strain at the centre alone, and a stiffness c μ against the modes that have none there (hourglass modes):

    energy ½ c μ Σ_components Σ_modes k_m H_m² ,    k_m H_m² = ∫ |∇u|² dV  of the mode u alone

so that c = 1 is the full integration of |∇u|². H_m is the sum over the corners with the signs of the mode (`bounded_kernels`).
A wave u e^{i(k·x − ωt)} with p_n = e^{ik·x_n} at the corners x_n of the element matrix K_nm has

    ρω² u = K(k) u ,    K(k) = V⁻¹ Σ_nm p̄_n K_nm p_m .

Leapfrog with step Δt has sin(ω_h Δt/2) = ωΔt/2 and is stable for Δt < 2/ω_max. Two values of 2/ω_max:

- `wave_limit`: waves in an unbounded body, min h/c_d. Free faces, whose nodes have less mass, need less: 10 × 10 square cells
  0.991 h/c_d at ν = 0.3 and 0.941 at 0.45, 4 × 4 × 4 cells 0.958 and 0.865.
- `element_limit`: one free element. No assembly of such elements vibrates faster than the fastest of them alone (Irons and
  Treharne): it holds for any faces, voids and factors g ≤ 1. It is reached by a cell among voids that have no mass. Square and
  cubic cells with λ ≥ 0 swell uniformly at

    ω² = 4(dλ + 2μ)/(ρh²) ,    Δt = √((λ + 2μ)/(dλ + 2μ)) h/c_d .

A factor g ≤ 1 lowers K (u·K u for every u) and leaves the mass: damage never lowers the limit of the body without damage. One
intact cell in a broken body of the same mass has 2ᵈᐟ² times its `element_limit`.

Elements here have corners x + 2y (+ 4z) and unknowns corner · d + component.

D. P. Flanagan, T. Belytschko, Int. J. Numer. Meth. Eng. 17 (1981) 679, doi:10.1002/nme.1620170504 (hourglass stiffness).
B. M. Irons, G. Treharne, Proc. 3rd Conf. Matrix Methods in Structural Mechanics, Wright-Patterson AFB (1971) (bound by elements).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from phasefield.errors import InputError, unknown

HOURGLASS = 0.05
# Distance of the quadrature points from the centre, in half cells.
SCHEMES = {"full": 3.0**-0.5, "rotated": 0.0}
_SCAN = 9


def hourglass_coefficients(spacing: Sequence[float]) -> np.ndarray:
    """k_m of the modes XY in the plane; XY, YZ, XZ, XYZ in space: ∫|∇u|² dV of a mode with H_m = 1.

    In the plane u = H st/4 with ∂u/∂x = H t/(2h_x); in space u = H st/8 with ∂u/∂x = H t/(4h_x), and u = H str/8. With
    ∫t² = V/3 and ∫t²r² = V/9 these are

        V (1/h_x² + 1/h_y²)/12 ;    V (1/h_x² + 1/h_y²)/48, …,    V (1/h_x² + 1/h_y² + 1/h_z²)/144 .
    """
    h = _spacing(spacing)
    volume, square = float(np.prod(h)), 1.0 / h**2
    if len(h) == 2:
        return np.array([volume * (square[0] + square[1]) / 12.0])
    pairs = [square[i] + square[j] for i, j in ((0, 1), (1, 2), (0, 2))]
    return volume * np.array([*(p / 48.0 for p in pairs), square.sum() / 144.0])


def element_stiffness(
    spacing: Sequence[float], lame: float, shear: float, scheme: str = "full", hourglass: float = HOURGLASS
) -> np.ndarray:
    """The matrix of one element, (d 2ᵈ, d 2ᵈ), force per displacement (times thickness in the plane).

    Args:
        lame, shear: λ and μ; plane stress needs λ* = 2λμ/(λ+2μ).
        scheme: `full` or `rotated`.
        hourglass: c of the rotated scheme.

    Raises:
        InputError: two or three positive spacings, μ > 0, λ + 2μ/d ≥ 0 and c ≥ 0 are needed, and a scheme that exists.
    """
    h = _spacing(spacing)
    d = len(h)
    if scheme not in SCHEMES:
        raise unknown("scheme", scheme, SCHEMES)
    if not (np.isfinite([lame, shear, hourglass]).all() and shear > 0.0 and lame + 2.0 * shear / d >= 0.0):
        raise InputError(f"the Lamé constants must satisfy μ > 0 and λ + 2μ/d ≥ 0 (got λ = {lame:g}, μ = {shear:g})")
    if hourglass < 0.0:
        raise InputError(f"the hourglass stiffness must not be negative, got {hourglass:g}")
    signs = _signs(d)
    points = [SCHEMES[scheme] * s for s in signs] if scheme == "full" else [np.zeros(d)]
    K = np.zeros((2**d, d, 2**d, d))
    for point in points:
        factors = 0.5 * (1.0 + signs * point)
        # gradient[n, j] = ∂N_n/∂x_j
        gradient = np.stack([signs[:, j] / h[j] * np.delete(factors, j, 1).prod(1) for j in range(d)], axis=1)
        K += lame * np.einsum("na,mb->namb", gradient, gradient) + shear * np.einsum("nb,ma->namb", gradient, gradient)
        K += shear * np.einsum("nj,mj,ab->namb", gradient, gradient, np.eye(d))
    K *= np.prod(h) / len(points)
    if scheme == "rotated":
        sets = [(0, 1)] if d == 2 else [(0, 1), (1, 2), (0, 2), (0, 1, 2)]
        modes = [signs[:, s].prod(1) for s in sets]
        for k, mode in zip(hourglass_coefficients(spacing), modes, strict=True):
            K += hourglass * shear * k * np.einsum("n,m,ab->namb", mode, mode, np.eye(d))
    return K.reshape(d * 2**d, d * 2**d)


def stiffness_symbol(
    k: np.ndarray,
    spacing: Sequence[float],
    lame: float,
    shear: float,
    scheme: str = "full",
    hourglass: float = HOURGLASS,
) -> np.ndarray:
    """K(k) (…, d, d), Hermitian, modulus per length², for wave vectors k (…, d)."""
    h = _spacing(spacing)
    d = len(h)
    k = np.asarray(k, float)
    if k.shape[-1:] != (d,):
        raise InputError(f"wave vectors have the shape (…, {d}), got {k.shape}")
    K = element_stiffness(spacing, lame, shear, scheme, hourglass).reshape(2**d, d, 2**d, d) / np.prod(h)
    # From the centre, where waves see the symmetry of the cell.
    phases = np.exp(1j * (k @ (0.5 * _signs(d) * h).T))
    return np.einsum("...n,...nab->...ab", phases.conj(), np.einsum("namb,...m->...nab", K, phases))


def frequencies(
    k: np.ndarray,
    spacing: Sequence[float],
    lame: float,
    shear: float,
    density: float,
    scheme: str = "full",
    hourglass: float = HOURGLASS,
) -> np.ndarray:
    """ω (…, d) of waves with the wave vectors k (…, d), continuous in time, ascending."""
    _check_density(density)
    squares = np.linalg.eigvalsh(stiffness_symbol(k, spacing, lame, shear, scheme, hourglass)) / density
    return np.sqrt(np.maximum(squares, 0.0))


def leapfrog_frequencies(omega: np.ndarray | float, step: float) -> np.ndarray:
    """ω_h = (2/Δt) arcsin(ωΔt/2), what leapfrog with the step Δt makes of ω.

    Raises:
        InputError: ωΔt > 2, where it is unstable.
    """
    half = 0.5 * step * np.asarray(omega, float)
    if not np.all(half <= 1.0):
        raise InputError(f"leapfrog is unstable with the step {step:g}: it has to be below {step / half.max():g}")
    return 2.0 / step * np.arcsin(half)


def phase_speeds(
    direction: Sequence[float],
    wavelengths: np.ndarray,
    spacing: Sequence[float],
    lame: float,
    shear: float,
    density: float,
    scheme: str = "full",
    hourglass: float = HOURGLASS,
    step: float | None = None,
) -> np.ndarray:
    """ω/|k| of waves of given lengths along a direction, (…, d), ascending; long shear waves c_s, the last c_d.

    Args:
        direction: (d), of any length.
        wavelengths: (…), at least 2h along an axis.
        step: of leapfrog; None is continuous in time.
    """
    unit = np.asarray(direction, float)
    unit = unit / np.linalg.norm(unit)
    wave = 2.0 * np.pi / np.asarray(wavelengths, float)
    omega = frequencies(wave[..., None] * unit, spacing, lame, shear, density, scheme, hourglass)
    if step is not None:
        omega = leapfrog_frequencies(omega, step)
    return omega / wave[..., None]


def wave_limit(
    spacing: Sequence[float],
    lame: float,
    shear: float,
    density: float,
    scheme: str = "full",
    hourglass: float = HOURGLASS,
) -> float:
    """2/ω_max over all waves of an unbounded body, by a scan of wave vectors.

    In all cases tried (−0.95 ≤ ν ≤ 0.49, c ≤ 3, edges up to 1 : 2, scans of 201² and 25³) the maximum lies where each k_j is 0 or
    π/h_j, which the scan includes; for λ ≥ 0 and c ≤ 1 it is min h/c_d, the wave (π/h, 0) along the axis of the shortest edges.
    """
    h = _spacing(spacing)
    # Reflections of k leave ω as it is: shares of π/h between 0 and 1 are all.
    shares = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, _SCAN)] * len(h), indexing="ij"), axis=-1)
    omega = frequencies(np.pi * shares / h, spacing, lame, shear, density, scheme, hourglass)
    return float(2.0 / omega.max())


def element_limit(
    spacing: Sequence[float],
    lame: float,
    shear: float,
    density: float,
    scheme: str = "full",
    hourglass: float = HOURGLASS,
) -> float:
    """2/ω_max of one free element with the masses ρV/2ᵈ at its corners: a stable step for every assembly of such elements."""
    _check_density(density)
    K = element_stiffness(spacing, lame, shear, scheme, hourglass)
    mass = density * float(np.prod(_spacing(spacing))) / 2 ** len(spacing)
    return float(2.0 / np.sqrt(np.linalg.eigvalsh(K)[-1] / mass))


def _signs(d: int) -> np.ndarray:
    """(2ᵈ, d): −1 or 1, x fastest."""
    return np.array([c[::-1] for c in product((-1.0, 1.0), repeat=d)])


def _spacing(spacing: Sequence[float] | np.ndarray) -> np.ndarray:
    h = np.array(spacing, float)
    if h.shape not in ((2,), (3,)) or not (np.isfinite(h).all() and (h > 0.0).all()):
        raise InputError(f"waves on elements need two or three positive spacings, got {list(map(float, h.ravel()))}")
    return h


def _check_density(density: float) -> None:
    if not (np.isfinite(density) and density > 0.0):
        raise InputError(f"the density must be positive, got {density:g}")
