"""`verify` with elasticity: growth component by component, wrong constants and wrong arrays found, loads that change."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.conditions import steady, steady_until
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS
from phasefield.scenario import load_scenario

SQUARE = {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": 1.7}
QUENCH = {
    "model": {
        "name": "martensite",
        "gradient_energy": 1.2,
        "mobility": 0.8,
        "landau": {"name": "landau_234", "A": -0.5},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": SQUARE,
    },
    "grid": {"x": {"cells": 64, "length": 66.0}, "y": {"cells": 54, "length": 58.0}},
    "initial": {f"eta_{p}": {"mean": 0.0, "noise": 1e-6} for p in (1, 2)},
    "time": {"end": 12.0, "step": {"tolerance": 1e-4}},
    "seed": 3,
}
MIXTURE = {
    "model": {
        "name": "cahn_hilliard",
        "gradient_energy": 0.5,
        "misfit": {"stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.6}}, "strain": 0.35},
    },
    "grid": {"x": {"cells": 54, "length": 52.0}, "y": {"cells": 50, "length": 48.0}},
    "initial": {"c": {"mean": 0.0, "noise": 1e-5}},
    "time": {"end": 20.0, "step": {"tolerance": 1e-4}},
    "seed": 3,
}
GROWTH = ("largest growth rate", "growth curve", "growth curve of the scheme")


def by_name(verdict):
    return {c.name: c for c in verdict.checks}


def changed(data, **sections):
    return {**data, **{k: {**data[k], **v} if isinstance(v, dict) else v for k, v in sections.items()}}


@pytest.fixture(scope="module")
def quench(tmp_path_factory):
    return pf.run(QUENCH, output=tmp_path_factory.mktemp("quench") / "run")


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    return pf.run(MIXTURE, output=tmp_path_factory.mktemp("mixture") / "run")


def test_variants_grow_component_by_component(quench):
    verdict = pf.verify(quench)
    checks = by_name(verdict)
    assert verdict.passed, str(verdict)
    for name in (*GROWTH, "cut-off wavelength", "hard directions", "energy of the frames"):
        assert checks[name].status == PASS
    assert checks["growth curve of the scheme"].error < 1e-4
    assert checks["hard directions"].error < 1e-4
    assert "long waves" in checks["cut-off wavelength"].detail
    # Both components take part: along ⟨11⟩ the one with strain grows as well.
    assert set(np.unique(quench.growth["mode_component"])) == {0, 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"model.stiffness.cubic.C44": 0.22},
        {"model.transformation.scale": 1.78},
        {"model.gradient_energy": 1.32},
        {"model.landau.A": -0.55},
    ],
)
def test_wrong_constants_fail(quench, wrong):
    assert not pf.verify(quench, wrong).passed


def test_coherent_spinodal(mixture):
    """Conserved: rates depend on k and on direction separately."""
    verdict = pf.verify(mixture)
    checks = by_name(verdict)
    assert verdict.passed, str(verdict)
    for name in (*GROWTH, "fastest-growing wavelength"):
        assert checks[name].status == PASS
    assert checks["growth curve of the scheme"].error < 2e-4
    theory = verdict.growth.theory
    assert theory.elastic_part == pytest.approx(0.35**2 * 2.2 * 0.8, rel=1e-9)
    # Without misfit the largest rate would be 1/4κ = ½.
    assert checks["largest growth rate"].measured == pytest.approx((1 - theory.elastic_part) ** 2 / 2.0, rel=0.02)
    assert np.ptp(verdict.growth.excess) > 0.1
    assert 0 < np.count_nonzero(verdict.growth.softest) < verdict.growth.rate.size


@pytest.mark.parametrize(
    "wrong",
    [
        {"model.misfit.stiffness.cubic.C44": 0.66},
        {"model.misfit.strain": 0.37},
        {"model.misfit": None},
    ],
)
def test_wrong_misfit_fails(mixture, wrong):
    assert not pf.verify(mixture, wrong).passed


@pytest.mark.parametrize("scheme", ["imex1", "etdrk2"])
def test_long_fixed_steps_follow_their_own_factors(tmp_path, scheme):
    """Steps of a tenth of the growth time and large S: first order is off by per cents, the factors of the scheme are not."""
    data = changed(QUENCH, time={"step": 0.25, "scheme": scheme}, stabilisation=6.0)
    checks = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))
    assert (checks["growth curve"].status == FAIL) == (scheme == "imex1")
    assert checks["growth curve of the scheme"].error < 1e-4
    assert checks["hard directions"].error < 1e-4


def test_isotropic_misfit_needs_one_variable(tmp_path):
    data = changed(MIXTURE, grid={"x": {"cells": 40, "length": 40.0}}, time={"end": 14.0})
    data["model"] = {
        **data["model"],
        "misfit": {"stiffness": {"isotropic": {"young": 1.0, "poisson": 0.3}}, "strain": 0.3},
    }
    verdict = pf.verify(pf.run(data, output=tmp_path / "run"))
    assert verdict.passed, str(verdict)
    assert verdict.growth.softest.all()
    assert not np.any(verdict.growth.excess)


def test_wrong_arrays_of_the_run_are_seen(tmp_path, monkeypatch):
    """A run that treats all of elasticity consistently, but turned by a few degrees, must not vouch for itself."""
    from phasefield.mechanics.homogeneous import HomogeneousElasticity

    right = HomogeneousElasticity.symbol

    def turned(self, grid, indices):
        return right(self, grid, (indices[0] + np.round(0.2 * indices[1]), indices[1]))

    with monkeypatch.context() as context:
        context.setattr(HomogeneousElasticity, "symbol", turned)
        run = pf.run(QUENCH, output=tmp_path / "run")
    checks = by_name(pf.verify(run))
    assert checks["growth curve of the scheme"].status == FAIL
    assert checks["energy of the frames"].status == FAIL


# where there is nothing to compare


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"load": {"stress": {"xx": 0.01}}}, "no stationary state"),
        ({"load": [{"until": 3.0, "strain": {"xx": 0.1}}]}, "changes from the start"),
        ({"landau": {"name": "landau_234", "A": 0.15}}, "is stable"),
    ],
)
def test_what_cannot_grow_from_a_uniform_state(tmp_path, change, reason):
    data = changed(QUENCH, time={"end": 0.4, "step": 0.1}, model=change)
    check = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))["linear stability"]
    assert check.status == NOT_APPLICABLE
    assert reason in check.detail


def test_fixed_fields_are_no_uniform_state(tmp_path):
    data = changed(QUENCH, time={"end": 1.0, "step": 0.1})
    data["fixed"] = {"transformation_shift": {"mean": 0.0, "noise": 0.1}, "eigenstrain_xx": "0.02 + 0.1*cos(2*pi*x/Lx)"}
    checks = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))
    assert "fixed fields" in checks["linear stability"].detail
    # Their energy is part of that of the frames.
    assert checks["energy of the frames"].status == PASS


def test_transformed_base_state(tmp_path):
    """At η₁ = 0.3 = η₂ the second derivatives of f differ between directions of (η₁, η₂)."""
    data = changed(QUENCH, time={"end": 0.4, "step": 0.1})
    data["initial"] = {f"eta_{p}": {"mean": 0.3, "noise": 1e-6} for p in (1, 2)}
    check = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))["linear stability"]
    assert "unit matrix" in check.detail


def test_growth_until_the_load_comes(tmp_path):
    """A clamped quench is linear until a stress is applied: sampling ends there, and later steps are not counted."""
    data = changed(
        QUENCH,
        time={"end": 8.0},
        model={"load": [{"until": 6.0, "strain": {}}, {"until": 8.0, "stress": {"xx": 0.01}}]},
    )
    run = pf.run(data, output=tmp_path / "run")
    verdict = pf.verify(run)
    assert verdict.growth is not None, str(verdict)
    assert verdict.growth.window[1] <= 6.0 < verdict.growth.window[1] + 1.0
    assert float(run.growth["step_size"].sum()) == pytest.approx(6.0)
    assert by_name(verdict)["growth curve of the scheme"].status == PASS


# loads and temperature that change

CYCLE = {
    "model": {
        "name": "martensite",
        "gradient_energy": 2.0,
        "landau": {"name": "landau_246", "a": {"slope": 1.0, "temperature_A": 0.0}, "b": 1.0, "c": 1.0},
        "temperature": [[0, -0.25], [32, -0.25], [40, 0.05]],
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": {"strains": [[3.0, -3.0, 0.0]]},
        "load": [
            {"until": 10, "strain": {}},
            {"until": 20, "stress": {"xx": 0.1, "yy": -0.1}},
            {"until": 24, "stress": {"xx": 0.1, "yy": -0.1}},
            {"until": 30, "stress": {}},
        ],
    },
    "grid": {"x": {"cells": 24, "length": 24.0}, "y": {"cells": 24, "length": 24.0}},
    "initial": {"eta": {"mean": 0.0, "noise": 0.1}},
    "time": {"end": 50.0, "step": 0.1, "scheme": "imex1"},
    "output": {"fields": {"every": 5.0}, "history": {"every": 0.2}},
}


@pytest.fixture(scope="module")
def cycle(tmp_path_factory):
    return pf.run(CYCLE, output=tmp_path_factory.mktemp("cycle") / "run")


def test_balance_of_a_loading_cycle(cycle):
    verdict = pf.verify(cycle)
    checks = by_name(verdict)
    assert verdict.passed, str(verdict)
    balance = checks["energy balance"]
    assert balance.status == PASS
    assert balance.error < balance.tolerance < 0.03
    assert "40 in which the temperature changes" in balance.detail
    assert checks["dissipation"].status == PASS
    assert "they agree" in checks["energy of the frames"].detail or "they fall" in checks["energy of the frames"].detail
    # Neither is theory.
    assert not verdict.compared_with_theory


@pytest.mark.parametrize(("column", "name"), [("dissipation", "dissipation"), ("energy", "energy balance")])
def test_spoilt_balance_is_seen(cycle, tmp_path, column, name):
    folder = tmp_path / "spoilt"
    shutil.copytree(cycle.folder, folder)
    with h5py.File(folder / "fields.vtkhdf", "r+") as file:
        values = file[f"history/{column}"]
        data = values[:]
        data[130] -= 0.3 * np.ptp(data)
        values[...] = data
    assert by_name(pf.verify(str(folder)))[name].status == FAIL


def test_too_few_rows_say_nothing(tmp_path):
    run = pf.run({**CYCLE, "output": {"history": {"every": 10.0}}}, output=tmp_path / "run")
    check = by_name(pf.verify(run))["energy balance"]
    assert check.status == NOT_APPLICABLE
    assert "more often" in check.detail


def test_thermal_noise_gives_energy_back(tmp_path):
    data = changed(QUENCH, time={"end": 2.0, "step": 0.1, "scheme": "imex1"}, model={"thermal_energy": 1e-4})
    data["output"] = {"history": {"every": 0.5}}
    checks = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))
    assert "thermal noise" in checks["linear stability"].detail
    assert checks["energy decay"].status == NOT_APPLICABLE
    assert checks["energy of the frames"].status == PASS


def test_when_conditions_stand_still():
    model = load_scenario(CYCLE).model
    assert steady_until(model) == 10.0
    # The corner itself belongs to the new control.
    assert steady(model, 0.0, 9.9)
    assert not steady(model, 0.0, 10.0)
    assert steady(model, 20.0, 23.0)
    assert not steady(model, 20.0, 25.0)
    assert steady(model, 30.0, 32.0)
    assert not steady(model, 30.0, 33.0)
    assert steady(model, 40.0, 1e6)
    for never in (QUENCH, MIXTURE, changed(QUENCH, model={"load": {"stress": {"xx": 0.1}}})):
        assert steady_until(load_scenario(never).model) == np.inf
    ramp = changed(QUENCH, model={"load": [{"until": 3.0, "strain": {"xx": 0.1}}]})
    assert steady_until(load_scenario(ramp).model) == 0.0
