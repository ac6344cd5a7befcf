"""The overview of a run whose Avrami exponent is checked."""

import numpy as np
import pytest
from figures import assert_tidy, texts

import phasefield as pf
from phasefield.visual.plot import figure_overview

SCENARIO = {
    "model": {
        "name": "allen_cahn",
        "free_energy": {
            "formula": "phi**2*(1 - phi)**2 - D*phi**3*(10 - 15*phi + 6*phi**2)",
            "parameters": {"D": 0.2357},
        },
    },
    "grid": {"x": {"cells": 256, "length": 200.0}},
    "initial": {"phi": 0.0},
    "nucleation": {"phi": {"radius": 3.0, "interface_width": 1.4142, "random": {"count": 3, "from": 0.0, "to": 0.0}}},
    "time": {"end": 60.0, "step": {"tolerance": 1e-3}},
    "output": {"history": {"every": 0.5}, "fields": {"every": 20.0}},
    "verify": {"avrami": 0.5, "linear_stability": False},
}


def panel(figure):
    return next(a for a in figure.axes if "log" in a.get_ylabel())


def test_avrami_panel_shows_the_measured_exponent_and_the_law(tmp_path):
    run = pf.run(SCENARIO, output=tmp_path / "run")
    figure = figure_overview(run)
    assert_tidy(figure)
    measured, law = panel(figure).get_lines()
    check = next(c for c in pf.verify(run).checks if c.name == "Avrami exponent")
    assert f"n = {check.measured:.3f}" in measured.get_label()
    x, y = (np.log(np.asarray(d, float)) for d in measured.get_data())
    assert np.polyfit(x, y, 1)[0] == pytest.approx(check.measured, rel=1e-9)
    x, y = (np.log(np.asarray(d, float)) for d in law.get_data())
    assert np.polyfit(x, y, 1)[0] == pytest.approx(1.0, rel=1e-9)
    mean = np.asarray(run.history["mean_phi"])
    used = (mean > 0.0228) & (mean < 0.9) & (np.asarray(run.history["time"]) > 0.0)
    np.testing.assert_allclose(measured.get_ydata(), -np.log(1.0 - mean[used]), rtol=1e-12)


def test_a_run_too_short_says_why(tmp_path):
    figure = figure_overview(pf.run({**SCENARIO, "time": {"end": 1.0}}, output=tmp_path / "run"))
    assert any("No Avrami exponent: only" in " ".join(t.split()) for t in texts(figure))
