"""Runs with M(c) against theory: the right mobility passes, a wrong one fails, and the scheme's factors know M₀."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.growth import _discrete_exponents
from phasefield.analysis.stability import LinearStability
from phasefield.scenario import load_scenario

SCENARIO = {
    "model": {"name": "cahn_hilliard", "gradient_energy": 2.0, "mobility": "1.5*(0.6 + c)*(1 - c)"},
    "grid": {"x": {"cells": 96, "length": 110.0}, "y": {"cells": 90, "length": 96.0}},
    "initial": {"c": {"mean": -0.1, "noise": 2.0e-3}},
    "time": {"end": 50.0, "step": {"tolerance": 1.0e-4}},
    "seed": 4,
}


@pytest.fixture(scope="module", params=["sbdf2", "etdrk2"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mobility") / "run"
    return pf.run(SCENARIO, {"time.scheme": request.param}, output=folder, device="cpu", threads=1)


def checks(run, theory=None):
    return {c.name: c for c in pf.verify(run, theory).checks}


def test_right_mobility_passes(run):
    verdict = pf.verify(run)
    assert verdict.passed, str(verdict)
    found = checks(run)
    assert found["growth curve"].error < 0.02
    assert found["growth curve of the scheme"].error < 2e-3
    # σ* = M(c̄) f″²/(4κ), with M(−0.1) = 0.825.
    assert found["largest growth rate"].expected == pytest.approx(0.825 * 0.97**2 / 8.0, rel=1e-6)


@pytest.mark.parametrize("wrong", ["1.6*(0.6 + c)*(1 - c)", 1.0, "0.825*1.07"])
def test_wrong_mobility_fails(run, wrong):
    found = checks(run, {"model.mobility": wrong})
    assert found["largest growth rate"].status == "fail"
    assert found["growth curve"].status == "fail"
    assert found["growth curve of the scheme"].status == "fail"


def test_only_the_mobility_of_the_mean_matters_to_growth(run):
    """The same rate as a number: theory, and the factors of the scheme with the M₀ the run really used."""
    found = checks(run, {"model.mobility": 0.825})
    assert found["largest growth rate"].status == "pass"
    assert found["growth curve of the scheme"].error < 2e-3


def test_recorded_reference_mobility(run):
    """max M on the attained range, near M(c̄) while the fluctuation is small, and used by every step."""
    recorded = np.asarray(run.growth["step_mobility"])
    assert recorded.size == np.asarray(run.growth["step_size"]).size
    assert np.all((recorded > 0.825) & (recorded < 0.97))


def test_discrete_curve_takes_both_mobilities():
    """ln G of imex1 in closed form, 1 + Δt s/(1 + Δt M₀k²(S+K)), with M₀ far from M(c̄)."""
    loaded = load_scenario(SCENARIO, {"time": {"end": 1.0, "scheme": "imex1", "step": 0.3}})
    theory = LinearStability(loaded.model, {"c": -0.1})
    dt, S, M0, k2 = 0.3, 0.7, 1.9, np.linspace(0.0, 0.5, 60)
    s, K = theory.growth_rate_of_symbol(k2), 2.0 * k2
    steps, elapsed = np.tile([dt, S, M0], (10, 1)), dt * np.arange(11)
    *_, found = _discrete_exponents(k2, np.zeros_like(k2), steps, elapsed, theory, loaded)
    expected = 10.0 * np.log(1.0 + dt * s / (1.0 + dt * M0 * k2 * (S + K)))
    np.testing.assert_allclose(found, expected, atol=1e-8)
    plain = 10.0 * np.log(1.0 + dt * s / (1.0 + dt * 0.825 * k2 * (S + K)))
    assert np.abs(expected - plain).max() > 0.01


def test_files_without_reference_mobility(run, tmp_path):
    """Runs of earlier versions had a constant mobility and did not record it."""
    earlier = tmp_path / "run"
    shutil.copytree(run.folder, earlier)
    before = checks(run)["growth curve of the scheme"].error
    with h5py.File(earlier / "fields.vtkhdf", "r+") as file:
        del file["growth/step_mobility"]
    assert checks(pf.Run(earlier))["growth curve of the scheme"].error == pytest.approx(before, abs=1e-4)
