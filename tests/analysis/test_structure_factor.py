"""The check `structure factor`: right runs pass, wrong theory fails, and too few samples say so."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import scenario

import phasefield as pf
from phasefield.analysis.structure_factor import _averages, equilibrium
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS

STABLE = scenario(
    model_={"free_energy": "0.3*c**2 + 0.1*c**4", "thermal_energy": 1e-4},
    grid={"x": {"cells": 48, "length": 48.0}, "y": {"cells": 40, "length": 48.0}},
    initial={"c": 0.0},
    time={"end": 600.0, "step": 0.5, "scheme": "imex1"},
    output={"fields": {"every": 5.0}, "history": {"every": 50.0}},
    verify={"structure_factor": 0.06},
)


def check_of(run, theory=None):
    return next(c for c in pf.verify(run, theory).checks if c.name == "structure factor")


def walls(**values):
    box = {axis: {"cells": 32, "length": 32.0} for axis in "xy"}
    return box | {"x": {**box["x"], "boundary": "fixed", "values": values}}


ORDER = {
    "model": {"name": "allen_cahn", "free_energy": "0.3*phi**2 + 0.1*phi**4", "thermal_energy": 1e-4},
    "initial": {"phi": 0.1},
}


def mixture(temperature):
    energy = {"name": "flory_huggins", "interaction": {"a": 0.0, "b": 300.0}}
    return {"name": "cahn_hilliard", "temperature": temperature, "free_energy": energy, "thermal_energy": 1e-4}


@pytest.fixture(scope="module")
def stable(tmp_path_factory):
    return pf.run(STABLE, output=tmp_path_factory.mktemp("stable") / "run")


def test_equilibrium_passes_and_counts_as_theory(stable):
    check, verdict = check_of(stable), pf.verify(stable)
    assert check.status == PASS, check
    assert check.measured == pytest.approx(1e-4, rel=0.02)
    assert verdict.passed
    assert verdict.compared_with_theory


@pytest.mark.parametrize(
    "wrong",
    [
        {"model.thermal_energy": 1.1e-4},
        {"model.gradient_energy": 2.3},
        {"model.free_energy": "0.5*c**2"},
        {"model.laplacian": "finite_difference"},
    ],
    ids=str,
)
def test_wrong_theory_fails(stable, wrong):
    assert check_of(stable, wrong).status == FAIL


def test_shells_hold_what_chance_allows(stable):
    """The scatter of the shells is the one that is stated."""
    loaded = pf.load_scenario(stable.scenario)
    found = equilibrium(stable, loaded, loaded, 0.06)
    chi2 = np.mean(((found.ratio - 1.0) / found.scatter) ** 2)
    assert 0.4 < chi2 < 1.8
    assert found.wavenumber.size > 12
    assert np.all(found.scatter <= 0.03)


def test_uncorrected_noise_fails_at_a_long_step(tmp_path):
    data = {**STABLE, "model": {**STABLE["model"], "noise_correction": False}}
    check = check_of(pf.run(data, output=tmp_path / "run"))
    assert check.status == FAIL
    assert check.measured < 0.7e-4


@pytest.mark.parametrize("misfit", [False, True])
def test_other_models_and_misfit(tmp_path, misfit):
    if misfit:
        stiffness = {"stiffness": {"cubic": {"C11": 2.0, "C12": 1.0, "C44": 1.5}}, "strain": 0.5}
        data = {**STABLE, "model": {**STABLE["model"], "misfit": stiffness}}
    else:
        model = {"name": "allen_cahn", "gradient_energy": 1.0, "free_energy": "0.25*(phi**2 - 1)**2"}
        model |= {"thermal_energy": 1e-4}
        data = {**STABLE, "model": model, "initial": {"phi": 1.0}}
    check = check_of(pf.run(data, output=tmp_path / "run"))
    assert check.status == PASS, check


REASONS = [
    ({"time": {"end": 20.0, "step": 0.5, "scheme": "imex1"}}, "shells are known to 0.03"),
    ({"model": {**STABLE["model"], "free_energy": "0.25*(c**2 - 1)**2"}}, "is not stable"),
    ({"model": {**STABLE["model"], "thermal_energy": 0.0}}, "no thermal noise"),
    ({"grid": walls(c=[0.1, -0.1])}, "the values given at the faces differ"),
    ({**ORDER, "grid": walls(phi=0.1)}, "f′ = 0.0604 at the value given at the faces"),
    ({"model": mixture([[0.0, 300.0], [10.0, 290.0]])}, "parameters of f change"),
]


def test_fluctuations_between_equal_faces_are_compared(tmp_path):
    """c = 0.1 at the faces: uniform, so that theory holds for the sine waves."""
    change = {"grid": walls(c=0.1), "initial": {"c": 0.1}, "verify": {"structure_factor": 0.1}}
    check = check_of(pf.run({**STABLE, **change}, output=tmp_path / "run"))
    assert check.status == PASS, check


@pytest.mark.parametrize(("change", "reason"), REASONS)
def test_not_applicable(tmp_path, change, reason):
    data = {**STABLE, "time": {"end": 20.0, "step": 0.5, "scheme": "imex1"}, **change}
    check = check_of(pf.run(data, output=tmp_path / "run"))
    assert check.status == NOT_APPLICABLE
    assert reason in check.detail


def test_independent_frames():
    """n²/Σ_ij e^{−2|t_i−t_j|/τ} over the frames later than 5 τ, against the double sum."""
    times = np.array([0.0, 3.0, 4.0, 6.5, 7.0, 11.0])
    decay = np.array([1e-9, 1.0, 1.4, 300.0, 0.0])
    power = np.arange(30.0).reshape(6, 5)
    frames, independent, mean = _averages(times, power, decay)
    for s, rate in enumerate(decay):
        late = times * rate >= 5.0
        assert frames[s] == late.sum()
        if late.any():
            correlation = np.exp(-2.0 * rate * np.abs(times[late, None] - times[late]))
            assert independent[s] == pytest.approx(late.sum() ** 2 / correlation.sum(), rel=1e-12)
            assert mean[s] == pytest.approx(power[late, s].mean())
    assert frames.tolist() == [0, 3, 4, 5, 0]
