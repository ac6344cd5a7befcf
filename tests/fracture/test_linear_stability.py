"""Runs of homogeneous damage with noise: `verify` passes them, mode by mode, and fails wrong theories and wrong code."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.crack_checks import crack_checks
from phasefield.analysis.damage_growth import damage_growth
from phasefield.analysis.homogeneous_damage import damage_stability, mean_strain, steady_until
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.predict import predict
from phasefield.mechanics.crack_loading import CrackLoad
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.splits import make_split
from phasefield.visual.growth import figure_growth, measures_growth

GC, ELL, E, NU, TAU, PHI = 1.3, 4.0, 1000.0, 0.3, 2.0, 0.6
LAME, SHEAR = E * NU / ((1 + NU) * (1 - 2 * NU)), E / (2 * (1 + NU))
CHECKS = ("cut-off wavelength", "largest growth rate", "growth curve", "growth curve of the scheme")


def load_of(dissipation: str, energy: float, ell: float = ELL) -> float:
    """The factor of a mean strain of this energy under which φ is in equilibrium: 2ψ(1 − φ) = c₁ + c₂φ."""
    drive = 3 * GC / (8 * ell) if dissipation == "AT1" else PHI * GC / ell
    return math.sqrt(drive / (2 * (1 - PHI) * energy))


def scenario(dissipation: str = "AT2", split: str = "none", cells=(56, 48), ell: float = ELL, **overrides) -> dict:
    """A periodic cell under a mean strain with principal values of both signs."""
    # ψ⁺ of unit load, spectral: λ⟨tr⟩²/2 + μ⟨ε⟩².
    strain, names = {"xx": 1.0, "yy": -0.3, "xy": 0.0}, "xyz"[: len(cells)]
    energy = LAME * 0.7**2 / 2 + SHEAR * (1.0 + (0.3**2 if split == "none" else 0.0))
    if len(cells) == 3:
        strain |= {"zz": 0.2, "yz": 0.0, "xz": 0.0}
        energy = LAME * 0.9**2 / 2 + SHEAR * (1.0 + 0.2**2 + (0.3**2 if split == "none" else 0.0))
    load = load_of(dissipation, energy, ell)
    psi = load**2 * energy
    # A guess of the growth time from uniaxial strain: τσ = 6ψ − c₂.
    time = TAU / (6 * psi - (GC / ell if dissipation == "AT2" else 0.0))
    document = {
        "model": {
            "name": "fracture",
            "dissipation": dissipation,
            "split": split,
            "toughness": GC,
            "length": ell,
            "young_modulus": E,
            "poisson_ratio": NU,
            "mean": {"strain": strain},
            "load": load,
            "viscosity": TAU,
            "irreversibility": "reversible",
            "minimisation": {"tolerance": 1e-9},
        },
        "grid": {name: {"cells": n, "length": float(n)} for name, n in zip(names, cells, strict=True)},
        "initial": {"phi": {"mean": PHI, "noise": 1e-4}},
        "time": {"end": 2.5 * time, "step": 0.02 * time},
        "verify": {"linear_stability": {"growth_rate": 0.05, "discrete": 1e-3}},
    }
    for path, value in overrides.items():
        *parents, last = path.split("__")
        section = document
        for name in parents:
            section = section[name]
        section[last] = value
    return copy.deepcopy(document)


def checks_of(run: pf.Run, **theory) -> dict:
    found = pf.verify(run, {k.replace("__", "."): v for k, v in theory.items()})
    return {check.name: check for check in found.checks}


@pytest.fixture(scope="module")
def base_run(tmp_path_factory) -> pf.Run:
    """With the tolerances that scenarios have by default."""
    document = scenario()
    document["time"]["step"] /= 2.0
    return pf.run({**document, "verify": {}}, output=tmp_path_factory.mktemp("stability") / "run")


# --- a sound run is verified ------------------------------------------------------------------------------------------


def test_every_check_passes_far_within_its_tolerance(base_run):
    """The factors of the steps to 1e-4 of the largest rate: what is left is the tolerance of the solvers."""
    verdict = pf.verify(base_run)
    assert verdict.passed, str(verdict)
    found = checks_of(base_run)
    assert all(found[name].status == "pass" for name in CHECKS)
    assert found["growth curve of the scheme"].error < 2e-4
    assert found["cut-off wavelength"].error < 0.01


@pytest.mark.parametrize("split", ["none", "spectral"])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_models_and_splits(dissipation, split, tmp_path):
    run = pf.run(scenario(dissipation, split), output=tmp_path / "run")
    assert pf.verify(run).passed, str(pf.verify(run))
    assert all(checks_of(run)[name].status == "pass" for name in CHECKS)


@pytest.mark.parametrize("scheme", ["rotated", pytest.param("fourier", marks=pytest.mark.slow)])
def test_in_space(scheme, tmp_path):
    document = scenario("AT1", "spectral", (20, 18, 16), ell=2.5, model__elastic_scheme=scheme)
    document["time"]["end"] *= 0.5
    run = pf.run(document, output=tmp_path / "run")
    assert pf.verify(run).passed, str(pf.verify(run))
    assert all(checks_of(run)[name].status == "pass" for name in CHECKS)


def test_under_mean_stresses(tmp_path):
    """A side is free: the mean strain follows φ, and the fastest waves are inclined by cos²θ = 1 − ν′."""
    modulus = E / (1 - NU**2)
    load = load_of("AT2", 0.5 * modulus)
    mean = {"strain": {"xx": 1.0, "xy": 0.0}, "stress": {"yy": 0.0}}
    run = pf.run(scenario(model__mean=mean, model__load=load), output=tmp_path / "run")
    assert pf.verify(run).passed, str(pf.verify(run))
    loaded = pf.load_scenario(run.scenario)
    state = damage_growth(run, loaded, loaded).state
    assert state.fastest_direction[0] ** 2 == pytest.approx(1 - NU / (1 - NU) * (1 - NU), abs=1e-3)


def test_with_calibrated_toughness(tmp_path):
    """All energies are smaller by √(1 + h²/4ℓ²): at a load that is as much smaller in energy nothing but time changes."""
    factor = math.sqrt(1 + 1 / (4 * ELL**2))
    document = scenario()
    document["model"]["load"] /= math.sqrt(factor)
    document["model"]["calibrate_toughness"] = True
    run = pf.run(document, output=tmp_path / "run")
    assert pf.verify(run).passed, str(pf.verify(run))
    found = checks_of(run, model__calibrate_toughness=False)
    assert found["growth curve of the scheme"].status == "fail"


# --- a wrong theory or a wrong code is not -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["length", "toughness", "viscosity", "young_modulus", "poisson_ratio"])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_theory_that_is_off_by_ten_percent_fails(base_run, name, factor):
    value = base_run.scenario["model"][name]
    found = checks_of(base_run, **{f"model__{name}": factor * value})
    assert found["growth curve of the scheme"].status == "fail"
    assert found["growth curve of the scheme"].error > 0.01


@pytest.mark.parametrize("theory", [{"model__dissipation": "AT1"}, {"model__elastic_scheme": "fourier"}])
def test_another_theory_fails(base_run, theory):
    found = checks_of(base_run, **theory)
    assert found["growth curve of the scheme"].status == "fail"


def test_a_theory_without_such_a_state_fails(base_run):
    """Twice the toughness: φ of AT1 would be at its bound."""
    found = checks_of(base_run, model__dissipation="AT1", model__toughness=20.0 * GC)
    assert "fail" in (found.get("linear stability") or found["growth curve of the scheme"]).status


def test_a_wrong_laplacian_fails(tmp_path, monkeypatch):
    """That of damage, with κ too large by 5 % along x."""
    from phasefield.energy import gradient

    faces = gradient.GradientEnergy.faces

    def wrong(self, grid):
        found = list(faces(self, grid))
        return type(faces(self, grid))([1.05 * found[0], *found[1:]])

    monkeypatch.setattr(gradient.GradientEnergy, "faces", wrong)
    run = pf.run(scenario(), output=tmp_path / "run")
    monkeypatch.undo()
    assert checks_of(run)["growth curve of the scheme"].status == "fail"


def test_a_wrong_feedback_fails(tmp_path, monkeypatch):
    """Strains that follow 95 % of the damage's fluctuation."""
    from phasefield.mechanics.cracked_body import PeriodicBody

    respond = PeriodicBody.respond

    def wrong(self, g, sign, start, tolerance):
        return respond(self, g.mean() + 0.95 * (g - g.mean()), sign, start, tolerance)

    monkeypatch.setattr(PeriodicBody, "respond", wrong)
    run = pf.run(scenario(), output=tmp_path / "run")
    monkeypatch.undo()
    found = checks_of(run)
    assert found["growth curve of the scheme"].status == "fail"
    assert found["largest growth rate"].status == "fail"


def test_a_wrong_step_fails(tmp_path, monkeypatch):
    """τ/Δt with steps that are 3 % too long."""
    from phasefield.mechanics.damage import DamageSolver

    solve = DamageSolver.solve

    def wrong(self, start, accepted, psi, tolerance=1e-6, *, rate=0.0):
        return solve(self, start, accepted, psi, tolerance, rate=rate / 1.03)

    monkeypatch.setattr(DamageSolver, "solve", wrong)
    run = pf.run(scenario(), output=tmp_path / "run")
    monkeypatch.undo()
    assert checks_of(run)["growth curve of the scheme"].status == "fail"


def test_coarse_steps_fail_the_curve_and_pass_the_scheme(tmp_path):
    document = scenario()
    document["time"]["step"] *= 10.0
    found = checks_of(pf.run(document, output=tmp_path / "run"))
    assert found["growth curve"].status == "fail"
    assert found["growth curve of the scheme"].status == "pass"


# --- where there is nothing to compare ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"model__irreversibility": "bounds"}, "holds damage that would heal"),
        ({"model__irreversibility": "penalty"}, "holds damage that would heal"),
        ({"model__split": "hybrid"}, "no energy"),
        ({"model__load": 0.0}, "nothing is loaded"),
        ({"model__load": [[0.0, 0.04], [1.0, 0.041]]}, "the load changes from the start"),
        ({"initial": {"phi": {"mean": 0.3, "noise": 1e-4}}}, "does not rest under this load: in equilibrium it is 0.6"),
        ({"initial": {"phi": {"mean": PHI}}}, "no fluctuation"),
        ({"initial": {"phi": {"mean": PHI, "noise": 0.01}}}, "not uniform"),
        ({"model__minimisation": {"tolerance": 1e-4}}, "minimisation.tolerance"),
        (
            {
                "model__regions": [
                    {"name": "hole", "shapes": [{"disc": {"centre": [20, 20], "radius": 5}}], "void": True}
                ]
            },
            "place to place",
        ),
        ({"grid": {a: {"cells": 16, "length": 16.0} for a in "xy"}}, "1 wave(s) that fit into the cell grow"),
    ],
    ids=lambda v: None if isinstance(v, dict) else v.split(":")[0],
)
def test_the_reason_is_told(overrides, reason, tmp_path):
    document = scenario(**overrides)
    document["time"]["end"] = 3.0 * document["time"]["step"]
    check = checks_of(pf.run(document, output=tmp_path / "run"))["linear stability"]
    assert check.status == "not applicable"
    assert reason in check.detail


def test_a_kink_of_the_split_is_told():
    """Uniaxial strain: the second principal strain is 0, and fluctuations have both signs of it."""
    loaded = pf.load_scenario(scenario(split="spectral", model__mean={"strain": {"xx": 1.0, "yy": 0.0, "xy": 0.0}}))
    with pytest.raises(NotApplicable, match="kink"):
        damage_stability(loaded, PHI)


def test_runs_in_equilibrium_have_no_such_line(base_run):
    loaded = pf.load_scenario(base_run.scenario, {"model.viscosity": None})
    assert not {c.name for c in crack_checks(base_run, loaded, loaded)} & {*CHECKS, "linear stability"}


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_figure_shows_every_mode(base_run):
    loaded = pf.load_scenario(base_run.scenario)
    found = damage_growth(base_run, loaded, loaded)
    upper, lower = figure_growth(base_run).axes
    points = [line for line in upper.lines if str(line.get_label()).startswith("measured")]
    assert sum(len(np.asarray(line.get_xdata())) for line in points) == found.rate.size
    assert max(np.max(np.asarray(line.get_ydata())) for line in points) == found.rate.max()
    assert len(np.asarray(lower.lines[1].get_xdata())) == found.near.sum()
    assert measures_growth(base_run)


def test_the_figure_says_why_there_is_none(tmp_path):
    document = scenario(model__irreversibility="bounds")
    document["time"]["end"] = document["time"]["step"]
    run = pf.run(document, output=tmp_path / "run")
    assert not measures_growth(run)
    assert "holds damage" in " ".join(text.get_text() for text in figure_growth(run).axes[0].texts).replace("\n", " ")


# --- parts -------------------------------------------------------------------------------------------------------------


def test_check_prints_the_equilibrium_and_the_growth():
    """Against closed forms: ε̄ of a band, so that τσ = 6ψ − c₂."""
    rows = dict(predict(pf.load_scenario(scenario())).rows())
    assert f"φ = {PHI}" in rows["equilibrium damage"]
    psi = PHI * GC / ELL / (2 * (1 - PHI))
    rate = (6 * psi - GC / ELL) / TAU
    assert float(rows["growth rate"].split()[0]) == pytest.approx(rate, rel=1e-5)
    assert float(rows["growth time"]) == pytest.approx(1 / rate, rel=1e-5)
    assert float(rows["cut-off wavelength"]) == pytest.approx(2 * np.pi * np.sqrt(GC * ELL / (TAU * rate)), rel=1e-5)
    rows = dict(predict(pf.load_scenario(scenario(model__irreversibility="bounds"))).rows())
    assert "none to compare with" in rows["homogeneous damage"]
    stable = dict(predict(pf.load_scenario(scenario(model__load=0.005))).rows())
    assert "stable" in stable["linear stability"]


def test_the_header_of_the_scenario_tells_its_theory():
    scenarios = Path(__file__).parents[2] / "scenarios"
    rows = dict(predict(pf.load_scenario(scenarios / "damage_localisation.yaml")).rows())
    assert float(rows["equilibrium damage"].split()[2]) == pytest.approx(0.4, rel=1e-3)
    assert float(rows["growth rate"].split()[0]) == pytest.approx(0.4688, rel=1e-3)
    assert float(rows["cut-off wavelength"]) == pytest.approx(15.9, rel=1e-3)
    assert "n = (1, 0)" in rows["growth rate"]


def test_mean_strain_balances_the_mean_stress():
    split = make_split("volumetric_deviatoric", LAME, SHEAR, 2)
    control = MeanControl(("strain", "stress", "stress"), [0.01, 2.0, -1.0])
    strain, out, scratch = mean_strain(split, control, 0.3), np.empty((3, 1)), np.empty((2, 1))
    split.stress(strain[:, None], np.array([0.3]), out, *scratch)
    assert strain[0] == 0.01
    np.testing.assert_allclose(out[1:, 0], [2.0, -1.0], rtol=1e-11)


def test_how_long_a_load_stands_still():
    assert steady_until(CrackLoad([[0.0, 0.3]]), 5.0) == 5.0
    assert steady_until(CrackLoad([[0.0, 0.3], [2.0, 0.3], [3.0, 0.4]]), 5.0) == 2.0
    assert steady_until(CrackLoad([[0.0, 0.3], [2.0, 0.4]]), 5.0) == 0.0
