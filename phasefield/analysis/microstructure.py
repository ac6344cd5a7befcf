"""What a microstructure of martensite looks like: variants, their fractions, the orientation of walls, twin spacing, wall width.

Functions of order parameters η, (N, *grid.shape), in plain NumPy. `well` is η of martensite, `LandauBase.well`. With `signed`
wells stand at −well too, as for even polynomials: η_p and −η_p are two variants, with strains ε⁰_p and −ε⁰_p.

Variants are numbered 1 … N, and N+1 … 2N those at −well; 0 is austenite.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.compatibility import compatible_normals
from phasefield.spectral.grid import Grid

# A cell belongs to a variant whose order parameter is beyond this share of the well.
THRESHOLD = 0.5
# Half-width in degrees of the sectors about wall normals.
SECTOR = 15.0
# Levels of a wall between which its width is measured.
LOW, HIGH = 0.1, 0.9


# variants and what they add up to


def variant_map(eta: np.ndarray, well: float, signed: bool = False) -> np.ndarray:
    """Number of the variant at every cell, (*grid.shape): the largest of those beyond half the well, 0 where there is none."""
    eta = _levels(eta, well, signed)
    return np.where(eta.max(axis=0) > THRESHOLD, eta.argmax(axis=0) + 1, 0)


def variant_fractions(eta: np.ndarray, well: float, signed: bool = False) -> np.ndarray:
    """Volume fractions of the variants, (N,) or (2N,); their sum is the fraction that has transformed."""
    count = len(eta) * (2 if signed else 1)
    counted = np.bincount(variant_map(eta, well, signed).ravel(), minlength=count + 1)
    return counted[1:] / counted.sum()


def mean_transformation_strain(eta: np.ndarray, strains: np.ndarray) -> np.ndarray:
    """ε̄* = Σ_p ε⁰_p ⟨η_p⟩, (3, 3)."""
    return np.tensordot(np.asarray(eta, float).reshape(len(eta), -1).mean(axis=1), strains, 1)


def relative_mean_strain(eta: np.ndarray, strains: np.ndarray, well: float) -> float:
    """|ε̄*| over that of the variant with the largest strain, at its well: 1 for a single variant, 0 for self-accommodation."""
    largest = max(float(np.linalg.norm(e)) for e in strains)
    return float(np.linalg.norm(mean_transformation_strain(eta, strains))) / (well * largest)


# orientation of walls


def wall_normals(strains: np.ndarray, dimensions: int, signed: bool = False) -> np.ndarray:
    """Unit normals (K, 3) of all compatible walls between two variants that lie within the axes of the grid, each once.

    Raises:
        InputError: no two variants have a compatible wall there.
    """
    variants = [*strains, *(-e for e in strains)] if signed else list(strains)
    found: list[np.ndarray] = []
    for a, b in combinations(variants, 2):
        try:
            normals = compatible_normals(a, b)[0]
        except InputError:
            continue
        for n in normals:
            flat = np.abs(n[dimensions:]).max(initial=0.0) < 1e-9
            if flat and not any(abs(n @ m) > 1.0 - 1e-9 for m in found):
                found.append(n)
    if not found:
        raise InputError("no two variants have a compatible wall with a normal within the grid")
    return np.array(found)


@dataclass(frozen=True)
class WallOrientation:
    """Where the structure factor Σ_p |η̂_p(k)|², k ≠ 0, lies.

    share: of it within `SECTOR` degrees of a wall normal; direction: intensity-weighted mean deviation within these sectors,
    in degrees, in two dimensions counted anticlockwise from the nearest normal, in three the angle to it, which is positive.
    """

    share: float
    direction: float


def wall_orientation(eta: np.ndarray, grid: Grid, normals: np.ndarray, sector: float = SECTOR) -> WallOrientation:
    """Share and mean direction of the structure factor about wall normals (K, 3).

    Only states of mostly martensite say anything: the elastic energy filters noise in austenite along the same directions.
    """
    power, k = _structure_factor(eta, grid)
    n = normals[:, : grid.dimensions]
    cosine = k @ n.T / np.linalg.norm(k, axis=1, keepdims=True)
    nearest = np.argmax(np.abs(cosine), axis=1)
    angle = np.degrees(np.arccos(np.minimum(np.abs(cosine[np.arange(len(k)), nearest]), 1.0)))
    near = angle <= sector
    if grid.dimensions == 2:
        # n × k of the one of k and −k on the side of n.
        m = n[nearest]
        cross = (m[:, 0] * k[:, 1] - m[:, 1] * k[:, 0]) * np.sign(cosine[np.arange(len(k)), nearest])
        angle = np.copysign(angle, cross)
    total = float(power.sum())
    if not total > 0.0:
        return WallOrientation(np.nan, np.nan)
    inside = float(power[near].sum())
    return WallOrientation(inside / total, float(power[near] @ angle[near]) / inside if inside > 0.0 else np.nan)


# walls


@dataclass(frozen=True)
class Walls:
    """Walls per volume and their shape.

    area: wall area per volume (length per area in two dimensions), walls between variants counted once; spacing: mean
    distance across a domain, the fraction of martensite over `area`, in a laminate the width of a twin; width: from 10 % to
    90 % of a wall. nan where there is no wall.
    """

    area: float
    spacing: float
    width: float


def walls(eta: np.ndarray, grid: Grid, well: float, signed: bool = False) -> Walls:
    """Area, spacing and width of walls from η and its gradient, which have to be resolved (a width of two cells or more).

    With ψ = η/well of a variant, ∫ W(ψ) |∇ψ| dV is the area of its walls (co-area formula) for any weight W with ∫₀¹ W dψ = 1:
    here 30 ψ² (1−ψ)², blind to what goes on inside domains. Every wall between two variants bounds both; one between variant
    and austenite counts half. The width is the volume where 0.1 < ψ < 0.9 over that area. A single signed order parameter has
    ψ = (1 + η/well)/2, an austenite layer being part of the wall. A domain of width w has two walls, so that a laminate has
    the area 1/w per volume (mean intercept along the normal; E. E. Underwood, Quantitative Stereology (1970)).
    """
    one = signed and len(eta) == 1
    levels = 0.5 * (1.0 + np.asarray(eta, float) / well) if one else _levels(eta, well, signed)
    slopes = np.array([_gradient(u, grid) for u in levels])
    inside = np.clip(levels, 1e-6, 1.0 - 1e-6)
    crossed = 30.0 * float(np.mean((inside * (1.0 - inside)) ** 2 * np.sqrt(np.sum(slopes**2, axis=1)))) * len(levels)
    if not crossed > 1e-12:
        return Walls(0.0, np.nan, np.nan)
    # The share of a cell beyond a level, with ln ψ/(1−ψ) linear in it, as it is in a wall tanh(x/δ).
    h = np.array(grid.spacing).reshape(-1, *[1] * grid.dimensions)
    # Its change across a cell of a wall is below 4; beyond, in domains, small errors of slopes must not be blown up.
    change = np.clip(np.sum(np.abs(slopes) * h, axis=1) / (inside * (1.0 - inside)), 1e-12, 4.0)
    logit = np.log(inside / (1.0 - inside))
    low, high = (np.clip(0.5 + (logit - np.log(c / (1.0 - c))) / change, 0.0, 1.0) for c in (LOW, HIGH))
    area = crossed if one else 0.5 * crossed
    martensite = 1.0 if one else float(variant_fractions(eta, well, signed).sum())
    return Walls(area, martensite / area, float(np.mean(low - high)) * len(levels) / crossed)


def _levels(eta: np.ndarray, well: float, signed: bool) -> np.ndarray:
    """η/well of every variant, (N or 2N, *grid.shape)."""
    eta = np.asarray(eta, float) / well
    return np.concatenate([eta, -eta]) if signed else eta


def _structure_factor(eta: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Σ_p |η̂_p|² (M,) with the multiplicity of half a spectrum, and k (M, dimensions), x first, without k = 0."""
    axes = tuple(range(1, grid.dimensions + 1))
    spectrum = np.fft.rfftn(np.asarray(eta, float), axes=axes)
    k = _wave_vectors(grid)
    weight = np.full(spectrum.shape[-1], 2.0)
    weight[0] = 1.0
    if grid.axes[0].cells % 2 == 0:
        weight[-1] = 1.0
    power = (np.abs(spectrum) ** 2).sum(axis=0) * weight
    return power.ravel()[1:], np.stack([np.broadcast_to(c, power.shape).ravel()[1:] for c in k], axis=1)


def _wave_vectors(grid: Grid) -> list[np.ndarray]:
    """k_x, k_y, k_z of `np.fft.rfftn`, each shaped to broadcast against a spectrum."""
    result = []
    for i, axis in enumerate(grid.axes):
        n = np.fft.rfftfreq(axis.cells) if i == 0 else np.fft.fftfreq(axis.cells)
        shape = [1] * grid.dimensions
        shape[grid.dimensions - 1 - i] = -1
        result.append((2.0 * np.pi / axis.spacing * n).reshape(shape))
    return result


def _gradient(u: np.ndarray, grid: Grid) -> np.ndarray:
    """∂u/∂x, ∂u/∂y, ∂u/∂z of the trigonometric interpolant, (dimensions, *grid.shape)."""
    spectrum, axes = np.fft.rfftn(u), range(u.ndim)
    return np.array([np.fft.irfftn(1j * k * spectrum, s=u.shape, axes=axes) for k in _wave_vectors(grid)])
