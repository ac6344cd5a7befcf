"""`verify` passes on runs of every kind and fails when theory is wrong; it never passes without data."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS, Check, Verdict

INVENTED = {
    "model": {
        "name": "cahn_hilliard",
        "mobility": 3.0,
        "gradient_energy": 0.37,
        "free_energy": {"formula": "A*c**2*(1 - c)**2 + 0.03*sin(3*c)", "parameters": {"A": 1.7}},
    },
    "grid": {"x": {"cells": 96, "length": 60.0}, "y": {"cells": 80, "length": 72.0}},
    "initial": {"c": {"mean": 0.43, "noise": 2e-4}},
    "time": {"end": 2.5, "step": {"tolerance": 1e-4}},
    "seed": 4,
}


def by_name(verdict):
    return {c.name: c for c in verdict.checks}


@pytest.fixture(scope="module")
def invented(tmp_path_factory):
    return pf.run(INVENTED, output=tmp_path_factory.mktemp("verify") / "run")


def test_passes_on_an_invented_scenario(invented):
    verdict = pf.verify(invented)
    checks = by_name(verdict)
    assert verdict.passed, str(verdict)
    assert {c.status for c in checks.values()} == {PASS}
    assert set(checks) == {
        "fastest-growing wavelength",
        "largest growth rate",
        "growth curve",
        "growth curve of the scheme",
        "mean of c",
        "energy decay",
        "energy of the frames",
        "mean of c in frames",
    }
    # With little noise theory is followed far more closely than the tolerances ask.
    assert checks["growth curve"].error < 5e-3
    assert checks["growth curve of the scheme"].error < 2e-3


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_fails_when_kappa_is_wrong_by_ten_per_cent(invented, factor):
    verdict = pf.verify(invented, {"model.gradient_energy": 0.37 * factor})
    checks = by_name(verdict)
    assert not verdict.passed
    for name in ("fastest-growing wavelength", "largest growth rate", "growth curve", "growth curve of the scheme"):
        assert checks[name].status == FAIL


@pytest.mark.parametrize("wrong", [{"model.mobility": 3.2}, {"model.free_energy.parameters.A": 1.6}])
def test_fails_when_other_constants_are_wrong(invented, wrong):
    assert not pf.verify(invented, wrong).passed


def test_prediction_is_not_read_from_the_measurement(invented, tmp_path):
    """Spoil the measured power: the verdict must notice."""
    folder = tmp_path / "spoilt"
    shutil.copytree(invented.folder, folder)
    with h5py.File(folder / "fields.vtkhdf", "r+") as file:
        power = file["growth/power"]
        time = file["growth/time"][:]
        # As if everything had grown by 4 % of the largest rate faster.
        faster = 0.04 * pf.linear_stability(INVENTED).largest_growth_rate
        power[...] = power[:] * np.exp(2.0 * faster * time)[:, None]
    assert not pf.verify(str(folder)).passed


def test_scheme_with_large_steps_follows_its_own_factors(tmp_path):
    """imex1 with long steps is 10 % off theory; the discrete check knows by how much, the physical one objects."""
    data = {**INVENTED, "time": {"end": 2.5, "step": 0.02, "scheme": "imex1"}}
    checks = by_name(pf.verify(pf.run(data, output=tmp_path / "run")))
    assert checks["growth curve"].status == FAIL
    assert checks["growth curve of the scheme"].status == PASS
    assert checks["growth curve of the scheme"].error < 0.1 * checks["growth curve"].error


def test_verdict_does_not_depend_on_output_times(tmp_path):
    data = {**INVENTED, "grid": {"x": {"cells": 64, "length": 50.0}}, "output": {"history": {"every": 2.0}}}
    sparse = pf.verify(pf.run(data, output=tmp_path / "a"))
    dense = pf.verify(pf.run({**data, "output": {"fields": {"every": 0.077}}}, output=tmp_path / "b"))
    assert sparse.passed
    assert dense.passed
    assert by_name(sparse)["largest growth rate"].measured == pytest.approx(
        by_name(dense)["largest growth rate"].measured, rel=1e-3
    )


def test_allen_cahn_compares_the_cut_off(tmp_path):
    data = {
        "model": {"name": "allen_cahn", "mobility": 0.5, "gradient_energy": 1.3},
        "grid": {"x": {"cells": 96, "length": 120.0}, "y": {"cells": 96, "length": 100.0}},
        "initial": {"phi": {"mean": 0.0, "noise": 1e-3}},
        "time": {"end": 12.0, "step": {"tolerance": 1e-4}},
    }
    run = pf.run(data, output=tmp_path / "run")
    verdict = pf.verify(run)
    assert verdict.passed, str(verdict)
    assert by_name(verdict)["cut-off wavelength"].status == PASS
    assert not pf.verify(run, {"model.gradient_energy": 1.43}).passed


def test_stable_state_is_not_applicable(tmp_path):
    data = {**INVENTED, "initial": {"c": {"mean": 0.02, "noise": 1e-3}}, "time": {"end": 1.0, "step": 0.1}}
    data["model"] = {"name": "cahn_hilliard"}
    data["initial"] = {"c": {"mean": 0.9, "noise": 1e-3}}
    verdict = pf.verify(pf.run(data, output=tmp_path / "run"))
    check = by_name(verdict)["linear stability"]
    assert check.status == NOT_APPLICABLE
    assert "stable" in check.detail
    assert verdict.passed
    assert not verdict.compared_with_theory
    assert verdict.summary.startswith("consistent, but not compared with theory")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"initial": {"c": {"mean": 0.43, "noise": 0.2}}}, "too large to be linear"),
        ({"time": {"end": 0.1, "step": 0.02}}, "linear regime ends too soon"),
        ({"grid": {"x": {"cells": 16, "length": 2.5}}}, "no unstable wave"),
        (
            {"grid": {"x": {"cells": 32, "length": 9.0}}, "initial": {"c": {"mean": 0.43, "noise": 1e-4}}},
            "box is too small",
        ),
    ],
)
def test_too_little_to_say_is_not_applicable(tmp_path, change, reason):
    verdict = pf.verify(pf.run({**INVENTED, **change}, output=tmp_path / "run"))
    check = by_name(verdict)["linear stability"]
    assert check.status == NOT_APPLICABLE
    assert reason in check.detail


@pytest.mark.parametrize("stretch", [(1.3, 1.3), (1.0, 1.2)])
def test_wrong_wavenumbers_are_seen(tmp_path, monkeypatch, stretch):
    """A run whose every symbol is wrong, consistently, must not vouch for itself; nor for an anisotropic box."""
    from phasefield.spectral import symbols

    right = symbols.wavenumbers

    def wrong(axis, *, half):
        return right(axis, half=half) * stretch["xy".index(axis.name)]

    with monkeypatch.context() as context:
        context.setattr(symbols, "wavenumbers", wrong)
        run = pf.run(INVENTED, output=tmp_path / "run")
        assert not pf.verify(run).passed
    checks = by_name(pf.verify(run))
    assert checks["growth curve"].status == FAIL
    assert checks["energy of the frames"].status == FAIL


def test_finite_differences_are_verified_with_their_own_symbol(tmp_path):
    data = {**INVENTED, "model": {**INVENTED["model"], "laplacian": "finite_difference"}}
    run = pf.run(data, output=tmp_path / "run")
    assert pf.verify(run).passed
    assert not pf.verify(run, {"model.laplacian": "spectral"}).passed


def test_spoilt_frames_are_seen(invented, tmp_path):
    folder = tmp_path / "spoilt"
    shutil.copytree(invented.folder, folder)
    with h5py.File(folder / "fields.vtkhdf", "r+") as file:
        frame = file["c"][-1]
        file["c"][-1] = np.roll(frame, 1, axis=-1) * 1.001
    checks = by_name(pf.verify(str(folder)))
    assert checks["energy of the frames"].status == FAIL
    assert checks["mean of c in frames"].status == FAIL


def test_moving_mean_is_not_applicable(tmp_path):
    """σ(k) is a growth rate only about a stationary state: an order parameter at 0.2 moves as a whole."""
    data = {
        "model": {"name": "allen_cahn"},
        "grid": {"x": {"cells": 64, "length": 64.0}},
        "initial": {"phi": {"mean": 0.2, "noise": 1e-4}},
        "time": {"end": 8.0, "step": {"tolerance": 1e-4}},
    }
    run = pf.run(data, output=tmp_path / "run")
    check = by_name(pf.verify(run))["linear stability"]
    assert check.status == NOT_APPLICABLE
    assert "no stationary state" in check.detail
    # The whole field moves, and the error is measured against it, not against the tiny fluctuation.
    assert run.status["steps"] < 1000


def test_well_without_cubic_and_quartic_terms(tmp_path):
    """f‴ = f⁗ = 0 at the base state: the window must end all the same when the field saturates."""
    well = {"name": "landau", "coefficients": {2: -0.5, 6: 1.0 / 6.0}}
    data = {
        "model": {"name": "cahn_hilliard", "gradient_energy": 2.0, "free_energy": well},
        "grid": {"x": {"cells": 96, "length": 96.0}, "y": {"cells": 96, "length": 96.0}},
        "initial": {"c": {"mean": 0.0, "noise": 1e-2}},
        "time": {"end": 100.0, "step": {"tolerance": 1e-4}},
    }
    verdict = pf.verify(pf.run(data, output=tmp_path / "run"))
    assert verdict.passed, str(verdict)
    assert verdict.compared_with_theory


def test_unfinished_run_says_so(invented, tmp_path):
    folder = tmp_path / "unfinished"
    shutil.copytree(invented.folder, folder)
    status = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**status, "status": "interrupted", "reason": "stopped"}))
    assert by_name(pf.verify(str(folder)))["end of the run"].status == NOT_APPLICABLE


def test_nothing_passes_without_data():
    assert not Verdict(()).passed
    assert not Verdict((Check("a", NOT_APPLICABLE),)).passed
    assert Verdict((Check("a", NOT_APPLICABLE), Check("b", PASS))).passed
    assert Verdict((Check("growth curve", PASS),)).summary == "verified"
    for name in ("mean of c", "energy decay", "energy of the frames"):
        assert not Verdict((Check(name, PASS),)).compared_with_theory
    assert not Verdict((Check("a", FAIL), Check("b", PASS))).passed


def test_turned_off(tmp_path):
    data = {**INVENTED, "verify": False, "time": {"end": 0.1, "step": 0.1}}
    run = pf.run(data, output=tmp_path / "run")
    assert not pf.verify(run).passed
    assert run.status["status"] == "finished"


def test_stored_verdict_and_dict(invented):
    stored = invented.verification
    verdict = pf.verify(invented)
    assert [str(s) for s in stored["check"].values] == [c.name for c in verdict.checks]
    assert int(stored.attrs["passed"]) == 1
    assert verdict.to_dict()["checks"][0]["name"] == "fastest-growing wavelength"


DISC = {
    "model": {"name": "allen_cahn", "gradient_energy": 2.0},
    "grid": {"x": {"cells": 64, "length": 64.0}, "y": {"cells": 64, "length": 64.0}},
    "initial": {
        "phi": {
            "shapes": [{"disc": {"centre": [32.0, 32.0], "radius": 20.0}}],
            "inside": 1.0,
            "outside": -1.0,
            "interface_width": 2.0,
        }
    },
    "time": {"end": 40.0, "step": {"tolerance": 1e-4}},
    "output": {"fields": {"every": 5.0}},
    "verify": {"linear_stability": False, "shrinking_radius": 0.02},
}


def test_shrinking_disc_follows_its_curvature(tmp_path):
    run = pf.run(DISC, output=tmp_path / "run")
    assert by_name(pf.verify(run))["shrinking radius"].status == PASS
    assert by_name(pf.verify(run, {"model.mobility": 1.1}))["shrinking radius"].status == FAIL


def test_driven_disc_is_not_applicable(tmp_path):
    """Wells of unequal depth: the law does not hold, and its failure would say nothing."""
    tilted = {**DISC["model"], "free_energy": "0.25*(phi**2 - 1)**2 + 0.05*phi"}
    verdict = pf.verify(pf.run({**DISC, "model": tilted}, output=tmp_path / "run"))
    check = by_name(verdict)["shrinking radius"]
    assert check.status == NOT_APPLICABLE
    assert "same energy" in check.detail
