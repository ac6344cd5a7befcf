"""Wave speeds: published values, Rayleigh's equation as it stands, and the limits of the energy factor."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.analysis.wave_speeds import wave_speeds
from phasefield.errors import InputError


@pytest.mark.parametrize(
    ("young", "nu", "density", "plane", "expected"),
    [
        (32e9, 0.2, 2450.0, "strain", (3809.5, 2332.8, 2125.2)),
        (190e9, 0.3, 8000.0, "strain", (5654.3, 3022.4, 2803.0)),
        (3.09e9, 0.35, 1180.0, "stress", (1727.5, 984.8, 906.9)),
    ],
    ids=["glass", "steel", "PMMA"],
)
def test_materials_of_the_benchmarks(young, nu, density, plane, expected):
    found = wave_speeds(young, nu, density, plane)
    np.testing.assert_allclose((found.dilatational, found.shear, found.rayleigh), expected, atol=0.05)


def test_closed_forms_of_rayleigh():
    """ν = ¼: c_R = c_s √(2 − 2/√3); incompressible, ν = ½: 0.9553 (Rayleigh 1885)."""
    found = wave_speeds(1.0, 0.25, 1.0)
    assert found.rayleigh / found.shear == pytest.approx(np.sqrt(2.0 - 2.0 / np.sqrt(3.0)), rel=1e-14)
    found = wave_speeds(1.0, 0.5 - 1e-12, 1.0)
    assert found.rayleigh / found.shear == pytest.approx(0.9553, abs=5e-5)


@pytest.mark.parametrize("plane", ["strain", "stress"])
@pytest.mark.parametrize("nu", [-0.9, -0.3, 0.0, 0.2, 0.3, 0.45])
def test_rayleigh_function_vanishes(nu, plane):
    c = wave_speeds(2.0, nu, 3.0, plane)
    a, b = 1.0 - (c.rayleigh / c.dilatational) ** 2, 1.0 - (c.rayleigh / c.shear) ** 2
    assert abs(4.0 * np.sqrt(a * b) - (1.0 + b) ** 2) < 2e-14
    lame, shear = 2.0 * nu / ((1.0 + nu) * (1.0 - 2.0 * nu)), 1.0 / (1.0 + nu)
    if plane == "stress":
        lame = 2.0 * lame * shear / (lame + 2.0 * shear)
    assert c.dilatational == pytest.approx(np.sqrt((lame + 2.0 * shear) / 3.0), rel=1e-14)
    assert c.shear == pytest.approx(np.sqrt(shear / 3.0), rel=1e-14)


@pytest.mark.parametrize("nu", [0.0, 0.3])
def test_energy_factor(nu):
    """Its definition; 1 + O(v²) at rest, where the definition is 0/0; beyond all bounds at c_R."""
    c = wave_speeds(2.0, nu, 3.0)
    for v in np.array([0.2, 0.5, 0.9]) * c.rayleigh:
        d, s = np.sqrt(1.0 - (v / c.dilatational) ** 2), np.sqrt(1.0 - (v / c.shear) ** 2)
        expected = v**2 * d / ((1.0 - nu) * c.shear**2 * (4.0 * d * s - (1.0 + s**2) ** 2))
        assert c.energy_factor(v) == pytest.approx(expected, rel=1e-11)
    assert c.energy_factor(0.0) == pytest.approx(1.0, rel=1e-15)
    excess = [c.energy_factor(v) - 1.0 for v in (1e-3 * c.shear, 2e-3 * c.shear)]
    assert excess[1] / excess[0] == pytest.approx(4.0, rel=1e-4)
    assert c.energy_factor(c.rayleigh * (1.0 - 1e-6)) > 1e5
    with pytest.raises(InputError, match="Rayleigh"):
        c.energy_factor(c.rayleigh)


def test_bad_input():
    with pytest.raises(InputError, match="unknown plane 'strains'"):
        wave_speeds(1.0, 0.3, 1.0, "strains")
    with pytest.raises(InputError, match="ν"):
        wave_speeds(1.0, 0.5, 1.0)
