"""A plane of cells with φ = 1: energy and profile against the closed forms of the finite-difference Laplacian."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.energy.fracture import AT2, CrackEnergy
from phasefield.energy.gradient import GradientEnergy
from phasefield.mechanics.damage import DamageSolver
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.waves import symbol_on_grid

METHODS = names("damage_method")


def crack(dissipation, ell, cells, across, boundary="periodic", wide=1, method="mprgp", h=1.0):
    """(φ, energy per area over Gc) of a plane of `wide` cells across axis number `across`; Gc = 1.7."""
    axes = [Axis(n, c, c * h, boundary) for n, c in zip("xyz", cells, strict=False)]
    grid = Grid(tuple(axes))
    cracks = CrackEnergy(grid, 1.7, ell, dissipation)
    seed = np.zeros(grid.shape)
    middle = cells[across] // 2
    seed[(slice(None),) * (len(cells) - 1 - across) + (slice(middle, middle + wide),)] = 1.0
    phi = DamageSolver(cracks, method=method).solve(seed, seed, np.zeros(grid.shape), 1e-14).phi
    area = grid.volume / axes[across].length
    return phi, cracks.energy(phi) / area / 1.7


def line(phi: np.ndarray, across: int) -> np.ndarray:
    """φ along the normal; it is the same everywhere on the plane."""
    moved = np.moveaxis(phi, phi.ndim - 1 - across, 0).reshape(phi.shape[phi.ndim - 1 - across], -1)
    assert np.abs(moved - moved[:, :1]).max() < 1e-11
    return moved[:, 0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("cells", "across"), [((160,), 0), ((160, 4), 0), ((4, 160), 1), ((4, 3, 160), 2), ((3, 160, 4), 1)]
)
@pytest.mark.parametrize("ell", [2.0, 4.0, 8.0])
def test_exponential_profile(ell, cells, across, method):
    """AT2, periodic: φ_j = (r^j + r^(N−j))/(1 + r^N), energy √(1 + q²/4)(1 − r^N)/(1 + r^N), q = h/ℓ."""
    phi, energy = crack("AT2", ell, cells, across, method=method)
    q, n = 1 / ell, cells[across]
    r = 1 + q**2 / 2 - q * np.sqrt(1 + q**2 / 4)
    distance = np.abs(np.arange(n) - n // 2)
    expected = (r**distance + r ** (n - distance)) / (1 + r**n)
    np.testing.assert_allclose(line(phi, across), expected, rtol=0, atol=1e-10)
    assert energy == pytest.approx(np.sqrt(1 + q**2 / 4) * (1 - r**n) / (1 + r**n), rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", ["periodic", "no_flux"])
@pytest.mark.parametrize(("cells", "across"), [((64,), 0), ((3, 64), 1), ((64, 4, 3), 0)])
@pytest.mark.parametrize("ell", [2.0, 2.5, 4.0, 5.0, 8.0])
def test_parabolic_profile(ell, cells, across, boundary, method):
    """AT1, 2ℓ/h a whole number m: φ_j = (1 − j/m)²₊, energy 1 + q²/32."""
    phi, energy = crack("AT1", ell, cells, across, boundary, method=method)
    q, distance = 1 / ell, np.abs(np.arange(cells[across]) - cells[across] // 2)
    # κ(φ_{j+1} − 2φ_j + φ_{j−1})/h² = c₁ is solved exactly by the parabola that ends at 2ℓ.
    expected = np.maximum(1 - distance * q / 2, 0.0) ** 2
    np.testing.assert_allclose(line(phi, across), expected, rtol=0, atol=1e-10)
    assert energy == pytest.approx(1 + q**2 / 32, rel=1e-10)


@pytest.mark.parametrize("ell", [2.0, 4.0, 5.0, 8.0])
def test_two_cells_wide(ell):
    """q/2 + √(1 + q²/4) for AT2 (far from its images) and 1 + 3q/8 + q²/32 for AT1."""
    q = 1 / ell
    assert crack("AT1", ell, (64,), 0, wide=2)[1] == pytest.approx(1 + 3 * q / 8 + q**2 / 32, rel=1e-10)
    n = int(30 * ell)
    assert crack("AT2", ell, (n,), 0, "no_flux", 2)[1] == pytest.approx(q / 2 + np.sqrt(1 + q**2 / 4), rel=1e-10)


def test_unequal_cells_and_units():
    """h enters as h/ℓ."""
    _, energy = crack("AT1", 0.06, (64, 3), 0, h=0.015)
    assert energy == pytest.approx(1 + 0.25**2 / 32, rel=1e-10)


@pytest.mark.parametrize("q", [0.5, 0.25, 0.125])
def test_why_the_laplacian_is_not_spectral(q):
    """The same crack with k²: (π/2)/arctan(π/q), 5 % too dear at ℓ = 4h, where finite differences are off by 0.8 %.

    The energy is ½/(A⁻¹)₀₀ per cell, A diagonal in Fourier space, with the symbols that the shared term states.
    """
    n = 2 * round(20 / q)
    grid = Grid((Axis("x", n, n * q),))
    for laplacian, expected in (
        ("spectral", 0.5 * np.pi / np.arctan(np.pi / q)),
        ("finite_difference", AT2().numerical_toughness(1.0, q)),
    ):
        symbol = 1.0 + GradientEnergy(1.0, "phi", laplacian).symbol(symbol_on_grid(grid, laplacian))
        response = np.fft.irfft(1.0 / symbol, n)[0]
        assert 0.5 * q / response == pytest.approx(expected, rel=1e-4)


def test_inclined_cracks():
    """45°: a diagonal row of cells is the crack of a grid of h/√2; 0°, 26.6° and 45° differ by less than 3 % at q = ¼."""
    n, ell = 128, 4.0
    grid = Grid((Axis("x", n, float(n)), Axis("y", n, float(n))))
    cracks, i = CrackEnergy(grid, 1.0, ell, "AT2"), np.arange(n)
    found = []
    for rows, length in (([i * 0 + n // 2], n), ([i], n * np.sqrt(2)), ([i // 2, i // 2 + n // 2], n * np.sqrt(5))):
        seed = np.zeros(grid.shape)
        for row in rows:
            seed[row % n, i] = 1.0
        phi = DamageSolver(cracks).solve(seed, seed, np.zeros(grid.shape), 1e-13).phi
        found.append(cracks.energy(phi) / length)
    q, r2 = 1 / ell, 1 / np.sqrt(2)
    exact = [np.sqrt(1 + q**2 / 4), np.sqrt(1 + (q * r2) ** 2 / 4)]
    # The diagonal's images are n/√2 away: √(…)(1 − r^m)/(1 + r^m) with m steps of h/√2.
    s = q * r2
    r = 1 + s**2 / 2 - s * np.sqrt(1 + s**2 / 4)
    exact[1] *= (1 - r**n) / (1 + r**n)
    assert found[1] == pytest.approx(exact[1], rel=1e-10)
    assert max(found) / min(found) < 1.03


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_no_flux_into_empty_cells(dissipation):
    """A crack that ends at a hole is that of a shorter body."""
    grid = Grid((Axis("x", 40, 40.0, "no_flux"), Axis("y", 12, 12.0, "no_flux")))
    solid = np.ones(grid.shape, bool)
    solid[:, 26:] = False
    seed = np.zeros(grid.shape)
    seed[6, :26] = 1.0
    small = Grid((Axis("x", 26, 26.0, "no_flux"), grid.axes[1]))
    whole, part = CrackEnergy(grid, 1.0, 4.0, dissipation, solid), CrackEnergy(small, 1.0, 4.0, dissipation)
    phi = DamageSolver(whole).solve(seed, seed, np.zeros(grid.shape), 1e-13).phi
    expected = DamageSolver(part).solve(seed[:, :26], seed[:, :26], np.zeros(small.shape), 1e-13).phi
    np.testing.assert_allclose(phi[:, :26], expected, rtol=0, atol=1e-11)
    assert np.all(phi[:, 26:] == 0.0)
    assert whole.energy(phi) == pytest.approx(part.energy(expected), rel=1e-11)
