"""Energy of cracks: the terms, κ that differs from cell to cell, the homogeneous response, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.energy.fracture import CrackEnergy, Degradation, HomogeneousResponse, check_resolution
from phasefield.energy.gradient import GradientEnergy
from phasefield.errors import InputError
from phasefield.registry import lookup
from phasefield.spectral.grid import Axis, Grid

BOUNDARIES = [("periodic", "no_flux", "periodic"), ("no_flux", "periodic", "no_flux")]
STEEL = {"E": 210e3, "Gc": 2.7, "ell": 0.015}  # MPa, N/mm, mm


def box(boundaries, dimensions: int) -> Grid:
    axes = [("x", 8, 2.0), ("y", 6, 1.2), ("z", 5, 1.5)][:dimensions]
    return Grid(tuple(Axis(*a, boundary=b) for a, b in zip(axes, boundaries, strict=False)))


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("mean", ["harmonic", "arithmetic"])
def test_a_constant_given_cell_by_cell_is_the_stencil_of_the_symbol(boundaries, dimensions, mean):
    grid = box(boundaries, dimensions)
    phi = np.random.default_rng(1).normal(size=grid.shape)
    one = GradientEnergy(1.7, "phi", "finite_difference")
    many = GradientEnergy(np.full(grid.shape, 1.7), "phi", "finite_difference", mean)
    state = {"phi": phi}
    expected = one.derivative(state, grid)["phi"]
    np.testing.assert_allclose(
        many.derivative(state, grid)["phi"], expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )
    assert many.energy(state, grid) == pytest.approx(one.energy(state, grid), rel=1e-12)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_derivative_of_a_varying_energy_is_its_difference(boundaries, dimensions):
    grid, rng = box(boundaries, dimensions), np.random.default_rng(2)
    toughness = rng.uniform(0.5, 2.0, grid.shape)
    solid = rng.uniform(size=grid.shape) > 0.2
    cracks = CrackEnergy(grid, toughness, 0.9, "AT2", solid)
    phi, direction = rng.uniform(size=grid.shape), rng.normal(size=grid.shape)
    derivative = sum(term.derivative({"phi": phi}, grid)["phi"] for term in cracks.terms)
    assert np.all(derivative[~solid] == 0.0)
    # The energy is quadratic: central differences are exact.
    difference = cracks.energy(phi + direction) - cracks.energy(phi - direction)
    assert difference / 2 == pytest.approx((derivative * direction).sum() * grid.cell_volume, rel=1e-11)


@pytest.mark.parametrize("mean", ["harmonic", "arithmetic"])
def test_energy_is_a_sum_over_faces(mean):
    """Written out for a row of four cells, the second of which is empty in the second case."""
    kappa, phi = np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.1, 0.7, 0.2, 0.9])
    for values in (kappa, np.where(np.arange(4) == 1, 0.0, kappa)):
        a, b = values[:-1], values[1:]
        face = {"harmonic": 2 * a * b / (a + b), "arithmetic": np.where(a * b > 0, (a + b) / 2, 0)}[mean]
        grid = Grid((Axis("x", 4, 2.0, "no_flux"),))
        term = GradientEnergy(values, "phi", "finite_difference", mean)
        expected = np.sum(0.5 * face * (np.diff(phi) / 0.5) ** 2) * 0.5
        assert term.energy({"phi": phi}, grid) == pytest.approx(expected, rel=1e-14)


def test_layers_in_series_pass_the_exact_flux():
    """Between given ends, the solution of (κφ′)′ = 0 has the flux of the layers in series: harmonic means are exact."""
    kappa = np.array([1.0, 1.0, 4.0, 4.0, 0.5, 0.5, 0.5])
    n, h = len(kappa), 0.2
    grid = Grid((Axis("x", n, n * h, "no_flux"),))
    face = GradientEnergy(kappa, "phi", "finite_difference").faces(grid)[0][:-1] * h**2
    resistance = np.sum(h / face)
    # From the first centre to the last one.
    assert resistance == pytest.approx(h * (np.sum(1 / kappa) - 0.5 / kappa[0] - 0.5 / kappa[-1]), rel=1e-14)


def test_a_term_without_symbol_says_so():
    kappa = np.ones(8)
    with pytest.raises(InputError, match="finite_difference"):
        GradientEnergy(kappa, "phi")
    term = GradientEnergy(kappa, "phi", "finite_difference")
    with pytest.raises(InputError, match="no symbol"):
        term.symbol(np.ones(3))
    with pytest.raises(InputError, match="no symbol"):
        term.gradient_coefficient("phi")
    assert term.gradient_coefficient("c") == 0.0
    with pytest.raises(InputError, match="shape"):
        term.faces(Grid((Axis("x", 9, 1.0),)))
    with pytest.raises(InputError, match="no_flux"):
        GradientEnergy(1.0, "phi", "finite_difference").faces(Grid((Axis("x", 8, 1.0, "fixed"),)))
    with pytest.raises(InputError, match="finite_difference"):
        GradientEnergy(1.0, "phi").faces(Grid((Axis("x", 8, 1.0),)))
    with pytest.raises(InputError, match="negative"):
        GradientEnergy(-kappa, "phi", "finite_difference")


def test_coefficients_of_both_dissipations():
    grid = Grid((Axis("x", 8, 8.0),))
    one, two = CrackEnergy(grid, 2.0, 4.0, "AT1"), CrackEnergy(grid, 2.0, 4.0, "AT2")
    assert (one.local.linear, one.local.quadratic, one.gradient.coefficient) == (3 / 16, 0.0, 6.0)
    assert (two.local.linear, two.local.quadratic, two.gradient.coefficient) == (0.0, 0.5, 8.0)
    assert one.penalty(0.01)[0] == pytest.approx(0.5 * 27 / 64e-4)
    assert two.penalty(0.01)[0] == pytest.approx(0.5 * (1e4 - 1))


def test_degradation_and_its_derivative():
    g, phi = Degradation(0.01), np.linspace(0, 1, 7)
    assert g.value(np.array([0.0, 1.0])).tolist() == [1.0, 0.01]
    np.testing.assert_allclose((g.value(phi + 0.1) - g.value(phi - 0.1)) / 0.2, g.derivative(phi), rtol=0, atol=1e-14)
    np.testing.assert_allclose(g.derivative(phi) * 3.0, -2.0 * g.drive(np.array(3.0)) * (1 - phi))
    with pytest.raises(InputError, match="residual"):
        Degradation(1.0)


@pytest.mark.parametrize(
    ("dissipation", "modulus", "strength", "strain"),
    [
        ("AT2", STEEL["E"], 1996.7, 0.016903),
        ("AT1", STEEL["E"], 3765.0, 0.017928),
        ("AT2", 282.69e3, 2316.6, 0.014569),
    ],
)
def test_strength_of_steel(dissipation, modulus, strength, strain):
    bar = HomogeneousResponse(modulus, STEEL["Gc"], STEEL["ell"], dissipation)
    assert bar.strength == pytest.approx(strength, abs=0.05)
    assert bar.critical_strain == pytest.approx(strain, abs=5e-7)
    # 1 is among the factors: the stress of AT1 has a corner there.
    strains = bar.critical_strain * np.linspace(0, 3, 30001)
    stress = bar.stress(strains)
    assert stress.max() == pytest.approx(bar.strength, rel=1e-7)
    assert strains[stress.argmax()] == pytest.approx(bar.critical_strain, abs=2 * strains[1])


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_response_is_stationary_and_known(dissipation):
    """∂/∂φ of the energy density vanishes where there is damage; formulas of the two models written out."""
    M, Gc, ell, eta = 3.0, 0.5, 0.2, 0.01
    bar = HomogeneousResponse(M, Gc, ell, dissipation, eta)
    strain = np.linspace(0.01, 2, 50)
    phi, psi = bar.damage(strain), 0.5 * M * strain**2
    model = lookup("dissipation", dissipation)()
    slope = Degradation(eta).derivative(phi) * psi + model.linear(Gc, ell) + model.quadratic(Gc, ell) * phi
    np.testing.assert_allclose(slope[phi > 0], 0.0, rtol=0, atol=1e-13)
    assert np.all(slope[phi == 0] >= 0.0)
    bare = HomogeneousResponse(M, Gc, ell, dissipation)
    if dissipation == "AT1":
        limit = np.sqrt(3 * Gc / (8 * M * ell))
        over = strain[strain > limit]
        np.testing.assert_allclose(bare.damage(over), 1 - (limit / over) ** 2, rtol=1e-12)
        np.testing.assert_allclose(bare.stress(over), bare.strength * (limit / over) ** 3, rtol=1e-12)
        assert np.all(bare.damage(strain[strain < limit]) == 0.0)
    else:
        part = (Gc / ell) / (M * strain**2 + Gc / ell)
        np.testing.assert_allclose(bare.stress(strain), M * strain * part**2, rtol=1e-12)


def test_resolution_is_refused_and_warned():
    grid = Grid((Axis("x", 10, 1.0), Axis("y", 10, 0.5)))
    with pytest.raises(InputError, match=r"1\.9 cells"):
        CrackEnergy(grid, 1.0, 0.19)
    assert "2 cells of 0.1 along x" in check_resolution(grid, 0.2)
    assert not check_resolution(grid, 0.4)


def test_impossible_bodies_are_refused():
    grid = Grid((Axis("x", 8, 1.0),))
    for toughness, ell, message in [(0.0, 1.0, "toughness"), (1.0, -1.0, "length"), (np.ones(3), 1.0, "shape")]:
        with pytest.raises(InputError, match=message):
            CrackEnergy(grid, toughness, ell)
    with pytest.raises(InputError, match="AT2"):
        CrackEnergy(grid, 1.0, 1.0, "AT3")
    with pytest.raises(InputError, match="no_flux"):
        CrackEnergy(Grid((Axis("x", 8, 1.0, "fixed"),)), 1.0, 1.0)
