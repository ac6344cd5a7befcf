"""Flat interfaces: closed forms, and a run to equilibrium."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import scenario

from phasefield.analysis.interface import coexistence, flat_interface
from phasefield.kernels.expressions import parse
from phasefield.registry import lookup


def model(name: str = "cahn_hilliard", **parameters):
    cls = lookup("model", name)
    return cls(cls.Params.model_validate({"name": name, **parameters}))


@pytest.mark.parametrize(
    ("W", "a", "b", "kappa"),
    [(0.25, -1.0, 1.0, 2.0), (5.0, 0.3, 0.7, 2.0), (1.0, 0.0, 1.0, 1e-3), (2.0, -60.0, 40.0, 3.0)],
)
def test_double_well(W, a, b, kappa):
    energy = {"name": "double_well", "barrier": W, "low": a, "high": b}
    interface = flat_interface(model(gradient_energy=kappa, free_energy=energy), 0.4 * a + 0.6 * b)
    assert (interface.low, interface.high) == pytest.approx((a, b), abs=1e-7 * (b - a))
    assert interface.energy == pytest.approx(math.sqrt(2 * kappa * W) * (b - a) ** 3 / 6, rel=1e-6)
    assert interface.width == pytest.approx(2 * math.sqrt(2 * kappa / W) / (b - a), rel=1e-6)


@pytest.mark.parametrize(("chi", "binodal"), [(2.5, 0.144794), (3.0, 0.070720), (4.0, 0.021248)])
def test_flory_huggins_binodal(chi, binodal):
    energy = {"name": "flory_huggins", "length_1": 1, "length_2": 1, "interaction": chi}
    interface = flat_interface(model(free_energy=energy), 0.45)
    assert (interface.low, interface.high) == pytest.approx((binodal, 1 - binodal), abs=1e-6)


def test_unequal_chains_share_a_tangent():
    energy = {"name": "flory_huggins", "length_1": 10, "length_2": 20, "interaction": 0.24}
    built = model(free_energy=energy)
    interface = flat_interface(built, 0.5)
    f, values = built.terms[0].expression, built.terms[0].parameter_values()
    slope = f.derivative("c")
    ends = np.array([interface.low, interface.high])
    mu = slope.evaluate(c=ends, **values)
    chord = np.diff(f.evaluate(c=ends, **values)) / np.diff(ends)
    np.testing.assert_allclose(mu, [chord[0]] * 2, atol=1e-12)


@pytest.mark.parametrize(
    ("energy", "mean", "expected"),
    [
        ("0.25*(c**2 - 1)**2", 0.0, (-1.0, 1.0)),
        ("0.25*(c**2 - 1)**2", 0.5, (-1.0, 1.0)),
        ("5.0*(c - 0.3)**2*(0.7 - c)**2", 0.45, (0.3, 0.7)),
        # A linear term tilts f but leaves the points of common tangency.
        ("(c - 2)**2*(c - 4)**2 + 3*c", 2.5, (2.0, 4.0)),
    ],
)
def test_formulas_and_means(energy, mean, expected):
    interface = flat_interface(model(free_energy=energy), mean)
    assert (interface.low, interface.high) == pytest.approx(expected, abs=1e-9)


def test_one_phase():
    assert coexistence(parse("c**2", variables=("c",)), {}, 0.3) is None
    assert flat_interface(model(free_energy="c**2 + c**4"), 0.0) is None


@pytest.mark.parametrize("name", ["cahn_hilliard", "allen_cahn"])
def test_equilibrium_profile_and_energy(simulate, name):
    """Two walls in a periodic line relax to tanh(x/δ) with the closed-form energy, both to 1e-6."""
    field = {"cahn_hilliard": "c", "allen_cahn": "phi"}[name]
    kappa, W, length = 2.0, 0.25, 64.0
    delta = math.sqrt(2 * kappa / W) / 2
    data = scenario(
        name,
        1,
        grid={"x": {"cells": 128, "length": length}},
        # Too sharp at first, so that the profile has to form by itself.
        initial={
            field: {
                "shapes": [{"stripe": {"axis": "x", "centre": 32.0, "width": 32.0}}],
                "inside": 1.0,
                "outside": -1.0,
                "interface_width": 1.2,
            }
        },
        # The two phases exchange matter at the rate 2 (π/32)²: long enough for e^(−15).
        time={"end": 900.0, "step": 0.5},
    )
    simulation = simulate(data)
    simulation.advance()
    x = simulation.grid.coordinates()["x"]
    profile = np.tanh((16.0 - np.abs(x - 32.0)) / delta)
    # The two walls, 16 δ apart, see each other through tails of e^(−16).
    np.testing.assert_allclose(simulation.state[field], profile, atol=1e-6)
    gamma = math.sqrt(2 * kappa * W) * 2.0**3 / 6
    assert simulation.energies.total == pytest.approx(2 * gamma, rel=1e-6)
    assert simulation.energies.gradient == pytest.approx(gamma, rel=1e-6)
