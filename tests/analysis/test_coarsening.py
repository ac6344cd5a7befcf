"""Lengths of domains: patterns of known period, laws of known exponent, and t^(1/3) of a real run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import scenario
from scipy.special import jn_zeros

import phasefield as pf
from phasefield.analysis.coarsening import Coarsening, coarsening, first_zero
from phasefield.analysis.interface import Interface
from phasefield.analysis.modes import NotApplicable

WAVELENGTH = 32.0
BOX = {"x": {"cells": 128, "length": 128.0}, "y": {"cells": 48, "length": 64.0}}
RESTING = scenario(
    model_={"gradient_energy": 2.0, "free_energy": "0.25*(c**2 - 1)**2"},
    grid=BOX,
    time={"end": 20.0, "step": {"tolerance": 1e-4}},
    output={"fields": {"every": 5.0}, "history": {"every": 1.0}},
    verify=False,
)
EXACT = Interface(-1.0, 1.0, 4.0, 4.0 / 3.0)


def run_of(tmp_path, formula, **changes):
    return pf.run({**RESTING, "initial": {"c": formula}, **changes}, output=tmp_path / "run")


def test_lengths_of_stripes(tmp_path):
    """Two interfaces per period, and the moments of the transform of the last frame."""
    run = run_of(tmp_path, f"tanh(sin(2*pi*x/{WAVELENGTH})*{WAVELENGTH}/(4*pi))")
    found = pf.coarsening(run)
    np.testing.assert_allclose(found.time, [5.0, 10.0, 15.0, 20.0])
    # What is left is the attraction of interfaces over a distance of eight δ, and their shape at first.
    np.testing.assert_allclose(found.interface_spacing[-1], WAVELENGTH / 2, rtol=1e-3)
    # Frames are stored in single precision.
    c = run.frame("c", -1).astype(float)
    power = np.abs(np.fft.fftn(c) / c.size) ** 2
    k = np.hypot(*np.meshgrid(2 * np.pi * np.fft.fftfreq(48, 64 / 48), 2 * np.pi * np.fft.fftfreq(128), indexing="ij"))
    inside = k <= np.pi  # shells end where the finer axis does
    np.testing.assert_allclose(found.variance[-1], power[inside].sum(), rtol=1e-7)
    expected = 2 * np.pi * power[inside].sum() / (k * power)[inside].sum()
    np.testing.assert_allclose(found.mean_wavelength[-1], expected, rtol=1e-7)
    assert WAVELENGTH / 2 < found.mean_wavelength[-1] < WAVELENGTH


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_first_zero_of_a_single_wave(dimensions):
    k = np.arange(1, 33) * 2 * np.pi / 128.0
    shells = np.zeros((2, k.size))
    shells[0, 3] = 0.7
    zero = {1: np.pi / 2, 2: jn_zeros(0, 1)[0], 3: np.pi}[dimensions] / k[3]
    found = first_zero(k, shells, dimensions, 0.5)
    np.testing.assert_allclose(found[0], zero, rtol=1e-3)
    assert np.isnan(found[1]), "without any power there is no zero"


def test_first_zero_against_the_correlation_in_real_space():
    """Of a random isotropic field, by FFT of its power and an average over angles at every distance."""
    n = 256
    k = 2 * np.pi * np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n), indexing="ij"))
    noise = np.fft.fft2(np.random.default_rng(5).normal(size=(n, n)))
    power = np.abs(noise * k * np.exp(-((k / 0.25) ** 2))) ** 2
    g = np.fft.ifft2(power).real
    x = np.minimum(np.arange(n), n - np.arange(n))
    ring = np.rint(np.hypot(*np.meshgrid(x, x, indexing="ij"))).astype(int).ravel()
    mean = np.bincount(ring, g.ravel()) / np.bincount(ring)
    after = int(np.argmax(mean <= 0.0))
    expected = after - 1 + mean[after - 1] / (mean[after - 1] - mean[after])
    width = 2 * np.pi / n
    shell = np.rint(k / width).astype(int).ravel()
    shells = np.bincount(shell, power.ravel())[1:]
    found = first_zero(width * np.arange(1, shells.size + 1), shells[None], 2, 1.0)
    np.testing.assert_allclose(found, expected, rtol=0.01)


def pattern(t, length, **changes):
    same = {"interface_spacing": length, "first_zero": length, "mean_wavelength": length}
    return Coarsening(t, **same, step_size=t, variance=np.ones(t.size), interface=EXACT, box=1e4, power=3, **changes)


@pytest.mark.parametrize("power", [2, 3])
def test_law_with_an_offset(power):
    """L^p = 1000 + 2 t: the plain slope falls short, the fit finds both numbers, and beyond the offset the slope is 1/p."""
    t = np.geomspace(100.0, 3200.0, 20)
    law = replace(pattern(t, (1000.0 + 2.0 * t) ** (1 / power)), power=power).law("first_zero", (100.0, 3200.0))
    assert (law.rate, law.offset) == (pytest.approx(2.0), pytest.approx(1000.0))
    assert law.exponent < 0.8 / power
    assert law.offset_exponent == pytest.approx(1 / power)
    assert law.deviation < 1e-12
    assert law.rows == 20


def test_exponents_of_powers_and_of_steps():
    t = np.geomspace(1.0, 100.0, 25)
    found = replace(pattern(t, t**0.4), step_size=np.r_[np.nan, 0.1 * t[1:] ** 0.7])
    law = found.law("interface_spacing", (10.0, 100.0))
    assert law.exponent == pytest.approx(0.4)
    assert law.deviation > 0.01
    assert found.step_exponent((1.0, 100.0)) == pytest.approx(0.7)
    with pytest.raises(NotApplicable, match="fewer than 4 frames"):
        found.law("first_zero", (90.0, 100.0))


def test_window_ends_before_domains_feel_the_box():
    t = np.geomspace(1.0, 1e4, 41)
    found = pattern(t, 100.0 * t ** (1 / 3))
    start, end = found.window(1.5)
    assert end == pytest.approx(10**3.2)  # the next frame has 1259 of 1250
    assert start == pytest.approx(end / 10**1.5)
    with pytest.raises(NotApplicable, match="less than 5 decades"):
        found.window(5.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"free_energy": "0.5*c**2"}, "no two phases"),
        (
            {"misfit": {"stiffness": {"cubic": {"C11": 10.0, "C12": 6.0, "C44": 5.0}}, "strain": 0.05}},
            "one field without elasticity",
        ),
    ],
)
def test_what_has_no_interface_energy(tmp_path, changes, reason):
    run = run_of(tmp_path, "0.1*cos(2*pi*x/32)", model={**RESTING["model"], **changes})
    with pytest.raises(NotApplicable, match=reason):
        coarsening(run)


@pytest.mark.slow
def test_domains_grow_as_the_third_root_of_time(tmp_path):
    """512², a decade and a half: the interface spacing and the first zero of the correlation."""
    times = [float(f"{t:.4g}") for t in np.geomspace(200.0, 10000.0, 21)]
    changes = {
        "grid.x": {"cells": 512, "length": 512.0},
        "grid.y": {"cells": 512, "length": 512.0},
        "time.end": 10000.0,
        "output": {"fields": {"at": times, "precision": "single"}, "history": {"every": 50.0}},
    }
    found = coarsening(pf.run("scenarios/coarsening.yaml", changes, output=tmp_path / "run"))
    window = found.window(1.5)
    assert found.law("interface_spacing", window).exponent == pytest.approx(1 / 3, abs=0.03)
    assert found.law("first_zero", window).exponent == pytest.approx(1 / 3, abs=0.03)
    # The mean wavelength lags behind by its logarithm, and by nothing else.
    inside = (found.time >= window[0]) & (found.time <= window[1])
    assert found.law("mean_wavelength", window).exponent < 0.3
    assert np.ptp(found.tail_constant[inside]) < 0.15
    assert np.ptp(np.log(found.interface_spacing[inside])) > 1.0
