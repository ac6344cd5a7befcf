"""Waves on the elements: closed forms along axes and diagonals, assembled bodies, and the largest stable step."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.lattice_waves import (
    SCHEMES,
    element_limit,
    element_stiffness,
    frequencies,
    hourglass_coefficients,
    leapfrog_frequencies,
    phase_speeds,
    stiffness_symbol,
    wave_limit,
)
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR, DENSITY = 1.3, 0.8, 2.1
DILATATIONAL, TRANSVERSE = np.sqrt((LAME + 2 * SHEAR) / DENSITY), np.sqrt(SHEAR / DENSITY)
SIZES = [(0.5, 0.7), (0.5, 0.7, 0.4)]
every_scheme = pytest.mark.parametrize("scheme", list(SCHEMES))
every_size = pytest.mark.parametrize("spacing", SIZES, ids=["2d", "3d"])


def body(cells, spacing, scheme, factor=None, massive=None, periodic=False, lame=LAME):
    """K (N, N) and lumped M (N) of a box of cells, all dense; unknowns node · d + component, nodes x fastest.

    factor: (*cells reversed) of K; massive: cells that have mass.
    """
    d, shape = len(cells), tuple(reversed(cells))
    element = element_stiffness(spacing, lame, SHEAR, scheme)
    nodes = shape if periodic else tuple(n + 1 for n in shape)
    index = np.arange(np.prod(nodes)).reshape(nodes)
    K, M = np.zeros((d * index.size,) * 2), np.zeros(index.size)
    for cell in np.ndindex(shape):
        corners = [index[tuple((cell[a] + c[a]) % nodes[a] for a in range(d))] for c in product((0, 1), repeat=d)]
        unknowns = np.ravel([[n * d + c for c in range(d)] for n in corners])
        K[np.ix_(unknowns, unknowns)] += element * (1.0 if factor is None else factor[cell])
        if massive is None or massive[cell]:
            M[corners] += DENSITY * np.prod(spacing) / 2**d
    return K, np.repeat(M, d)


def limit(K: np.ndarray, M: np.ndarray) -> float:
    """2/ω_max, nodes without mass left out."""
    keep = M > 0
    root = np.sqrt(M[keep])
    return float(2.0 / np.sqrt(np.linalg.eigvalsh(K[np.ix_(keep, keep)] / np.outer(root, root))[-1]))


# --- element ----------------------------------------------------------------------------------------------------------


@every_size
def test_the_full_element_is_that_of_static_elasticity(spacing):
    d = len(spacing)
    grid = Grid(tuple(Axis(n, 1, h) for n, h in zip("xyz", spacing, strict=False)))
    static = BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of({"x": {"low": "clamped"}}, grid))
    u = np.random.default_rng(1).standard_normal((d, *(2,) * d))
    force, _ = static.stiffness(1.0, u)
    static.close()
    mine = element_stiffness(spacing, LAME, SHEAR) @ np.moveaxis(u, 0, -1).ravel()
    np.testing.assert_allclose(np.moveaxis(force, 0, -1).ravel(), mine, rtol=0, atol=1e-13 * np.abs(mine).max())


@every_size
@every_scheme
def test_elements_keep_rigid_motions_and_uniform_strains(spacing, scheme):
    """No force for translations and rotations, the exact energy for uniform strains, and no other mode without energy."""
    d = len(spacing)
    corners = np.array([c[::-1] for c in product((0.0, 1.0), repeat=d)]) * spacing
    K = element_stiffness(spacing, LAME, SHEAR, scheme)
    F = np.random.default_rng(2).standard_normal((d, d))
    u, turn = (corners @ F.T).ravel(), (corners @ (F - F.T)).ravel() + 1.0
    strain = 0.5 * (F + F.T)
    energy = LAME * np.trace(strain) ** 2 + 2 * SHEAR * (strain**2).sum()
    assert u @ K @ u == pytest.approx(np.prod(spacing) * energy, rel=1e-13)
    assert np.abs(K @ turn).max() < 1e-14 * np.abs(K).max() * np.abs(turn).max() * len(turn)
    values = np.linalg.eigvalsh(K)
    rigid = d * (d + 1) // 2
    assert np.abs(values[:rigid]).max() < 1e-13 * values[-1]
    assert values[rigid] > 1e-3 * values[-1]


@every_size
def test_without_hourglass_stiffness_there_are_more_such_modes(spacing):
    d = len(spacing)
    values = np.linalg.eigvalsh(element_stiffness(spacing, LAME, SHEAR, "rotated", hourglass=0.0))
    assert np.sum(np.abs(values) < 1e-13 * values[-1]) == d * (d + 1) // 2 + d * (1 if d == 2 else 4)


@every_size
def test_hourglass_stiffness_is_full_integration_of_the_gradient(spacing):
    """c times ∫|∇u|² of each mode by Gauss points, in the coefficients and in the matrix."""
    d = len(spacing)
    signs = np.array([c[::-1] for c in product((-1.0, 1.0), repeat=d)])
    sets = [(0, 1)] if d == 2 else [(0, 1), (1, 2), (0, 2), (0, 1, 2)]
    gauss = np.array(list(product((-(3**-0.5), 3**-0.5), repeat=d)))
    for factor, chosen in zip(hourglass_coefficients(spacing), sets, strict=True):
        mode = signs[:, chosen].prod(1)
        # The function with the corner values `mode` is the product of the local coordinates chosen; H is 2ᵈ.
        square = 0.0
        for point in gauss:
            for j in chosen:
                square += (2.0 / spacing[j] * np.prod([point[i] for i in chosen if i != j])) ** 2
        exact = square * np.prod(spacing) / 2**d
        assert factor * (mode @ mode) ** 2 == pytest.approx(exact, rel=1e-14)
        u = np.zeros((2**d, d))
        u[:, 0] = mode
        K = element_stiffness(spacing, LAME, SHEAR, "rotated", hourglass=0.3)
        assert u.ravel() @ K @ u.ravel() == pytest.approx(0.3 * SHEAR * exact, rel=1e-13)


def test_bad_input():
    with pytest.raises(InputError, match="unknown scheme 'reduced'"):
        element_stiffness((1.0, 1.0), LAME, SHEAR, "reduced")
    with pytest.raises(InputError, match="two or three positive spacings"):
        element_stiffness((1.0, -1.0), LAME, SHEAR)
    with pytest.raises(InputError, match="Lamé"):
        element_stiffness((1.0, 1.0), LAME, 0.0)
    with pytest.raises(InputError, match="hourglass"):
        element_stiffness((1.0, 1.0), LAME, SHEAR, "rotated", -0.1)
    with pytest.raises(InputError, match="shape"):
        stiffness_symbol(np.zeros(3), (1.0, 1.0), LAME, SHEAR)
    with pytest.raises(InputError, match="density"):
        frequencies(np.zeros(2), (1.0, 1.0), LAME, SHEAR, 0.0)


# --- waves ------------------------------------------------------------------------------------------------------------


@every_scheme
@pytest.mark.parametrize(("cells", "spacing"), [((6, 5), SIZES[0]), ((4, 3, 3), SIZES[1])], ids=["2d", "3d"])
def test_periodic_bodies_vibrate_at_the_frequencies_of_waves(cells, spacing, scheme):
    K, M = body(cells, spacing, scheme, periodic=True)
    assembled = np.sort(np.linalg.eigvalsh(K / M[0]))
    numbers = np.stack(np.meshgrid(*[np.fft.fftfreq(n, h) for n, h in zip(cells, spacing, strict=True)]), axis=-1)
    omega = frequencies(2.0 * np.pi * numbers, spacing, LAME, SHEAR, DENSITY, scheme)
    np.testing.assert_allclose(np.sort(omega.ravel() ** 2), assembled, rtol=0, atol=1e-12 * assembled[-1])


@every_size
@every_scheme
def test_waves_along_an_axis(spacing, scheme):
    """ω = (2c/h) |sin kh/2|, as on a chain, in both schemes."""
    d = len(spacing)
    for axis, h in enumerate(spacing):
        k = np.zeros((9, d))
        k[:, axis] = np.linspace(0.05, 1.0, 9) * np.pi / h
        exact = 2.0 / h * np.sin(0.5 * k[:, axis, None] * h) * np.array([TRANSVERSE] * (d - 1) + [DILATATIONAL])
        np.testing.assert_allclose(frequencies(k, spacing, LAME, SHEAR, DENSITY, scheme), exact, rtol=1e-12)


@every_scheme
def test_waves_along_the_diagonal_of_square_cells(scheme):
    """ρω²h² = 4s[(λ+3μ)(1 − 2s/3)] ± (λ+μ) sin² qh, s = sin² qh/2, for full integration; √2 c sin(qh)/h for one point."""
    h = 0.5
    q = np.linspace(0.05, 0.95, 12) * np.pi / h
    found = frequencies(np.stack([q, q], axis=1), (h, h), LAME, SHEAR, DENSITY, scheme, hourglass=0.0)
    s = np.sin(0.5 * q * h) ** 2
    sum_, difference = 4 * s * (LAME + 3 * SHEAR) * (1 - 2 * s / 3), (LAME + SHEAR) * np.sin(q * h) ** 2
    full = np.sqrt(np.stack([sum_ - difference, sum_ + difference], axis=1) / DENSITY) / h
    rotated = np.sqrt(2.0) * np.sin(q * h)[:, None] / h * np.array([TRANSVERSE, DILATATIONAL])
    np.testing.assert_allclose(found, {"full": full, "rotated": rotated}[scheme], rtol=1e-11)


@every_size
@every_scheme
def test_long_waves_have_the_exact_speeds_at_second_order(spacing, scheme):
    d = len(spacing)
    exact = np.array([TRANSVERSE] * (d - 1) + [DILATATIONAL])
    direction, lengths = np.arange(1.0, d + 1.0), np.array([20.0, 40.0, 80.0])
    for step in (None, 0.8 * wave_limit(spacing, LAME, SHEAR, DENSITY, scheme)):
        speeds = phase_speeds(direction, lengths, spacing, LAME, SHEAR, DENSITY, scheme, step=step)
        errors = np.abs(speeds / exact - 1.0)
        assert np.all(errors[0] < 0.005)
        np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 2.0, atol=0.02)


def test_leapfrog_at_its_limit_has_no_dispersion_along_an_axis():
    """With Δt = h/c_d dilatational waves along an axis of square cells have exactly the speed c_d."""
    h = 0.5
    lengths = h * np.array([2.5, 4.0, 10.0])
    speeds = phase_speeds((1, 0), lengths, (h, h), LAME, SHEAR, DENSITY, step=h / DILATATIONAL)
    np.testing.assert_allclose(speeds[:, -1], DILATATIONAL, rtol=1e-13)
    with pytest.raises(InputError, match="unstable"):
        leapfrog_frequencies(2.0, 1.01)


# --- stable step ------------------------------------------------------------------------------------------------------

RATIOS = [0.0, 0.2, 0.3, 0.45]


def lame_of(nu: float) -> float:
    """λ for μ = SHEAR."""
    return 2.0 * nu / (1.0 - 2.0 * nu) * SHEAR


@every_scheme
@pytest.mark.parametrize("nu", RATIOS)
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.7), (2.0, 0.5), (1.0,) * 3, (0.5, 0.7, 0.4), (2.0, 0.5, 2.0)])
def test_waves_allow_the_step_of_the_shortest_edge(spacing, nu, scheme):
    lame = lame_of(nu)
    exact = min(spacing) / np.sqrt((lame + 2 * SHEAR) / DENSITY)
    assert wave_limit(spacing, lame, SHEAR, DENSITY, scheme) == pytest.approx(exact, rel=1e-13)


@every_scheme
@pytest.mark.parametrize("hourglass", [0.0, 1.0, 3.0])
def test_no_wave_is_faster_than_the_limit_allows(scheme, hourglass):
    """Not even for c = 3, where √(λ+2μ)/h is not the largest: random wave vectors, with ν from −0.9 to 0.49."""
    random = np.random.default_rng(7)
    for nu in (-0.9, -0.4, 0.3, 0.49):
        for spacing in SIZES:
            lame = lame_of(nu)
            k = random.uniform(0.0, np.pi, (2000, len(spacing))) / spacing
            omega = frequencies(k, spacing, lame, SHEAR, DENSITY, scheme, hourglass)
            assert 2.0 / omega.max() >= wave_limit(spacing, lame, SHEAR, DENSITY, scheme, hourglass)


@every_scheme
@pytest.mark.parametrize("nu", RATIOS)
@pytest.mark.parametrize("d", [2, 3])
def test_a_free_square_or_cubic_element_swells(d, nu, scheme):
    """√((λ+2μ)/(dλ+2μ)) h/c_d: 0.837 in the plane and 0.734 in space at ν = 0.3."""
    lame = lame_of(nu)
    exact = 0.5 / np.sqrt((lame + 2 * SHEAR) / DENSITY) * np.sqrt((lame + 2 * SHEAR) / (d * lame + 2 * SHEAR))
    assert element_limit((0.5,) * d, lame, SHEAR, DENSITY, scheme) == pytest.approx(exact, rel=1e-13)


@every_scheme
@pytest.mark.parametrize("cells", [(1, 1), (4, 3), (9, 1), (2, 2, 2)])
def test_free_bodies_lie_between_the_two_limits(cells, scheme):
    spacing, lame = (0.5,) * len(cells), lame_of(0.3)
    K, M = body(cells, spacing, scheme, lame=lame)
    low, high = (f(spacing, lame, SHEAR, DENSITY, scheme) for f in (element_limit, wave_limit))
    assert low * (1 - 1e-12) <= limit(K, M) < 0.99 * high


@every_scheme
@pytest.mark.parametrize("d", [2, 3])
def test_an_intact_cell_among_broken_ones(d, scheme):
    """With their mass the limit is 2^(d/2) that of the element; without, it is that of the element."""
    cells, spacing, lame = (3,) * d, (0.5,) * d, lame_of(0.3)
    alone = element_limit(spacing, lame, SHEAR, DENSITY, scheme)
    solid = np.zeros(cells, bool)
    solid[(1,) * d] = True
    assert limit(*body(cells, spacing, scheme, np.where(solid, 1.0, 1e-9), lame=lame)) == pytest.approx(
        2 ** (d / 2) * alone, rel=1e-6
    )
    assert limit(*body(cells, spacing, scheme, solid, solid, lame=lame)) == pytest.approx(alone, rel=1e-12)


@every_scheme
def test_damage_does_not_lower_the_limit(scheme):
    """u·K u grows with every g and the mass does not depend on it."""
    cells, spacing, lame = (6, 5), (0.5, 0.7), lame_of(0.45)
    whole = limit(*body(cells, spacing, scheme, lame=lame))
    random = np.random.default_rng(3)
    for density in (0.2, 0.5, 0.8):
        g = np.where(random.random(cells[::-1]) < density, 1e-9, random.random(cells[::-1]))
        assert limit(*body(cells, spacing, scheme, g, lame=lame)) >= whole


@every_scheme
def test_bodies_with_voids_stay_above_the_limit_of_an_element(scheme):
    cells, spacing, lame = (6, 5), (0.5, 0.7), lame_of(0.45)
    alone = element_limit(spacing, lame, SHEAR, DENSITY, scheme)
    random = np.random.default_rng(4)
    limits = []
    for share in (0.3, 0.5, 0.8):
        solid = random.random(cells[::-1]) < share
        limits.append(limit(*body(cells, spacing, scheme, solid, solid, lame=lame)))
    assert alone * (1 - 1e-12) <= min(limits) < 0.95 * wave_limit(spacing, lame, SHEAR, DENSITY, scheme)
