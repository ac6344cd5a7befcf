"""Linear stability against the closed forms of the theory page."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import scenario

import phasefield as pf
from phasefield.analysis.stability import LinearStability
from phasefield.registry import lookup


def model(name: str = "cahn_hilliard", **parameters):
    cls = lookup("model", name)
    return cls(cls.Params.model_validate({"name": name, **parameters}))


@pytest.mark.parametrize(("kappa", "mobility", "mean"), [(0.5, 1.0, 0.0), (2.3, 0.4, 0.3), (1e-3, 7.0, -0.45)])
def test_conserved(kappa, mobility, mean):
    f2 = 3 * mean**2 - 1
    theory = LinearStability(model(gradient_energy=kappa, mobility=mobility), {"c": mean})
    assert theory.unstable
    assert theory.fastest_wavelength == pytest.approx(2 * math.pi * math.sqrt(2 * kappa / abs(f2)), rel=1e-9)
    assert theory.largest_growth_rate == pytest.approx(mobility * f2**2 / (4 * kappa), rel=1e-12)
    assert theory.cutoff_wavenumber == pytest.approx(math.sqrt(abs(f2) / kappa), rel=1e-12)
    assert theory.cutoff_wavenumber == pytest.approx(math.sqrt(2) * theory.fastest_wavenumber, rel=1e-9)
    assert theory.growth_time == pytest.approx(4 * kappa / (mobility * f2**2))
    assert theory.time_to_amplitude(0.01, 0.1) == pytest.approx(theory.growth_time * math.log(10))
    assert theory.curvature("c") == pytest.approx(f2)
    k = np.linspace(0, 3, 7)
    np.testing.assert_allclose(theory.growth_rate(k), -mobility * k**2 * (f2 + kappa * k**2), rtol=1e-12, atol=1e-15)


def test_non_conserved():
    theory = LinearStability(model("allen_cahn", gradient_energy=0.7, mobility=2.0), {"phi": 0.2})
    f2 = 3 * 0.2**2 - 1
    assert theory.fastest_wavenumber == 0.0
    assert theory.fastest_wavelength == math.inf
    assert theory.largest_growth_rate == pytest.approx(2.0 * abs(f2))
    assert theory.cutoff_wavenumber == pytest.approx(math.sqrt(abs(f2) / 0.7), rel=1e-12)


def test_stable_state():
    theory = LinearStability(model(), {"c": 0.9})
    assert not theory.unstable
    assert math.isnan(theory.fastest_wavelength)
    assert math.isnan(theory.cutoff_wavelength)
    assert theory.growth_time == math.inf


def test_flory_huggins_spinodal_bounds_the_instability():
    """N₁ = N₂ = 1: unstable exactly between c = ½(1 ∓ √(1 − 2/χ))."""
    chi = 3.0
    energy = {"name": "flory_huggins", "length_1": 1, "length_2": 1, "interaction": chi}
    edge = 0.5 * (1 - math.sqrt(1 - 2 / chi))
    assert edge == pytest.approx(0.211325, abs=1e-6)
    assert LinearStability(model(free_energy=energy), {"c": edge + 1e-4}).unstable
    assert not LinearStability(model(free_energy=energy), {"c": edge - 1e-4}).unstable


def test_from_a_scenario():
    theory = pf.linear_stability(scenario(initial={"c": {"mean": 0.25, "noise": 0.1}}), {"model.gradient_energy": 3.0})
    assert theory.base["c"] == pytest.approx(0.25, abs=1e-15)
    assert theory.largest_growth_rate == pytest.approx((1 - 3 * 0.25**2) ** 2 / 12.0)
