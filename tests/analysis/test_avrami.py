"""The Avrami exponent of curves that are known, and of runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.avrami import WINDOW, avrami, expected_exponent
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS


def test_window_is_that_of_the_benchmark():
    """−2 < log₁₀[−log₁₀(1 − Y)] < 0, which is about 0.02 < Y < 0.9."""
    low, high = (math.log10(-math.log10(1.0 - y)) for y in WINDOW)
    assert low == pytest.approx(-2.0, abs=1e-12)
    assert high == pytest.approx(0.0, abs=1e-12)
    assert WINDOW[0] == pytest.approx(0.0228, abs=1e-4)


@pytest.mark.parametrize("n", [1.0, 2.0, 3.0, 2.37])
def test_exponent_of_its_own_curve(n):
    times, rate = np.linspace(0.0, 40.0, 200), 20.0**-n
    fit = avrami(times, 1.0 - np.exp(-rate * times**n))
    assert fit.exponent == pytest.approx(n, rel=1e-10)
    assert math.exp(fit.log_rate) == pytest.approx(rate, rel=1e-9)
    assert WINDOW[0] < fit.fractions[0] < fit.fractions[1] < WINDOW[1]
    np.testing.assert_allclose(fit.fraction(times), 1.0 - np.exp(-rate * times**n), atol=1e-12)


def test_rows_outside_the_window_do_not_count():
    times = np.linspace(0.0, 40.0, 200)
    fraction = 1.0 - np.exp(-((times / 20.0) ** 3))
    spoilt = np.where((fraction > WINDOW[0]) & (fraction < WINDOW[1]), fraction, 1.0 - 1e-3 * fraction)
    assert avrami(times, spoilt).exponent == pytest.approx(3.0, rel=1e-10)


def test_too_few_rows():
    times = np.linspace(0.0, 40.0, 9)
    with pytest.raises(NotApplicable, match=r"only [0-7] rows"):
        avrami(times, 1.0 - np.exp(-((times / 20.0) ** 2)))


def test_discs_and_constant_rates_counted_from_geometry():
    """Y of discs that overlap, counted on a grid, no solver: 2 for all at once, 3 at a constant rate."""
    rng = np.random.default_rng(5)
    cells, length, v = 400, 400.0, 1.0
    x = np.arange(cells) + 0.5
    for expected, latest, count in ((2, 0.0, 400), (3, 120.0, 3000)):
        centres, starts = rng.uniform(0.0, length, (count, 2)), rng.uniform(0.0, latest, count)
        reached = np.full((cells, cells), np.inf)
        for (a, b), start in zip(centres, starts, strict=True):
            dx, dy = (np.abs(x - c) for c in (a, b))
            dx, dy = np.minimum(dx, length - dx), np.minimum(dy, length - dy)
            reached = np.minimum(reached, start + np.hypot(dx[None, :], dy[:, None]) / v)
        times = np.linspace(0.0, 60.0, 240)
        fraction = np.searchsorted(np.sort(reached.ravel()), times) / cells**2
        assert avrami(times, fraction).exponent == pytest.approx(expected, rel=0.06)


# --- runs ---------------------------------------------------------------------------------------------------------

FORMULA = "phi**2*(1 - phi)**2 - D*phi**3*(10 - 15*phi + 6*phi**2)"


def seeded(nucleation, **sections):
    return {
        "model": {"name": "allen_cahn", "free_energy": {"formula": FORMULA, "parameters": {"D": 0.2357}}},
        "grid": {"x": {"cells": 64, "length": 64.0}},
        "initial": {"phi": 0.0},
        "nucleation": {"phi": {"radius": 3.0, "interface_width": 1.4142, **nucleation}},
        "time": {"end": 30.0},
        "output": {"history": {"every": 0.25}},
        "verify": {"avrami": 0.25, "linear_stability": False},
        "seed": 3,
        **sections,
    }


@pytest.mark.parametrize(
    ("nucleation", "expected"),
    [
        ({"random": {"count": 3, "from": 0.0, "to": 0.0}}, (1, 0.0, "phi")),
        ({"random": {"count": 3, "from": 5.0, "to": 20.0}}, (2, 5.0, "phi")),
        ({"seeds": [{"time": 2.0, "centre": [1.0]}, {"time": 2.0, "centre": [30.0]}]}, (1, 2.0, "phi")),
    ],
)
def test_expected_exponent(nucleation, expected):
    assert expected_exponent(pf.load_scenario(seeded(nucleation))) == expected


def test_other_seeds_have_no_exponent():
    seeds = {"seeds": [{"time": t, "centre": [10.0]} for t in (1.0, 2.0)]}
    with pytest.raises(NotApplicable, match="neither all at once nor at a constant rate"):
        expected_exponent(pf.load_scenario(seeded(seeds)))
    unseeded = seeded(seeds)
    unseeded.pop("nucleation")
    with pytest.raises(NotApplicable, match="no seeds"):
        expected_exponent(pf.load_scenario(unseeded))


def test_verdict_on_a_run_in_one_dimension(tmp_path):
    """Two seeds half a box apart never overlap before the end: Y = 2vN t/L exactly, far from Avrami's law at large Y."""
    grid = {"x": {"cells": 512, "length": 400.0}}
    end = {"time": {"end": 100.0}, "output": {"history": {"every": 0.5}}}
    spaced = seeded({"seeds": [{"time": 0.0, "centre": [c]} for c in (100.0, 300.0)]}, grid=grid, **end)
    run = pf.run(spaced, output=tmp_path / "spaced")
    check = {c.name: c for c in pf.verify(run).checks}["Avrami exponent"]
    assert check.expected == 1.0
    history = run.history
    fit = avrami(history["time"].values, history["mean_phi"].values)
    assert check.measured == pytest.approx(fit.exponent, rel=1e-12)
    assert check.status == PASS
    # Theory of two dimensions must not be met.
    wrong = pf.verify(run, {"verify.avrami": 1e-3})
    assert {c.name: c for c in wrong.checks}["Avrami exponent"].status == FAIL
    assert not wrong.passed


def test_not_applicable_when_the_run_is_too_short(tmp_path):
    data = seeded({"seeds": [{"time": 0.0, "centre": [10.0]}]}, time={"end": 0.5})
    checks = {c.name: c for c in pf.verify(pf.run(data, output=tmp_path / "run")).checks}
    assert checks["Avrami exponent"].status == NOT_APPLICABLE


def test_not_applicable_when_nucleation_stops_too_early(tmp_path):
    data = seeded(
        {"random": {"count": 2, "from": 0.0, "to": 5.0}},
        grid={"x": {"cells": 256, "length": 200.0}},
        time={"end": 40.0},
    )
    checks = {c.name: c for c in pf.verify(pf.run(data, output=tmp_path / "run")).checks}
    assert checks["Avrami exponent"].status == NOT_APPLICABLE
    assert "constant until t = 5" in checks["Avrami exponent"].detail
