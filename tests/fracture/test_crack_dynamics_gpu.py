"""Runs of bodies that crack and move on a GPU: those of the CPU, to the tolerance of the damage."""

import copy
from typing import Any

import numpy as np
import pytest
from dynamic_scenarios import plate

import phasefield as pf
from phasefield.errors import InputError
from phasefield.output import checkpoint

HOLE = [{"name": "hole", "shapes": [{"box": {"from": [10, 2], "to": [12, 5]}}], "void": True}]
PERIODIC = {"grid": {"x": {"cells": 16, "length": 16.0}, "y": {"cells": 13, "length": 13.0, "boundary": "no_flux"}}}
IMPACT = [{"face": "x.low", "to": [0.0, 5.0], "impact": {"mass": 8.0, "velocity": {"x": 3.0}}}]
MOVED = [{"face": "y.high", "displacement": {"y": 0.3}, "history": [[0, 0], [1, 1], [2, 0.5]]}]
# Fine enough that runs differ by what rounding of sums does, not by where a solver happens to stop.
FINE = {"damage_tolerance": 1e-9}


def small(**model: Any) -> dict[str, Any]:
    return plate((16, 13), end=1.2, **{**FINE, **model})


CASES: dict[str, dict[str, Any]] = {
    "spectral": small(split="spectral"),
    "hybrid, history": small(split="hybrid", irreversibility="history"),
    "rotated, void, AT1": small(elements="rotated", split="volumetric_deviatoric", regions=HOLE, dissipation="AT1"),
    "periodic, viscous": small(section=PERIODIC, viscosity=0.05),
    "damped, crack set": small(damping=0.2, faces={"x": {"high": "absorbing"}}, irreversibility="crack_set"),
    "impact": small(loads=IMPACT, initial_velocity={"y": "0.1*x"}),
    "displaced": small(loads=MOVED, faces={"y": {"low": "clamped"}}),
}


def simulation(case: dict[str, Any], device: str, until: float = 0.0):
    found = pf.Simulation.from_scenario(copy.deepcopy(case), device=device, threads=1)
    if until:
        found.advance(until=until)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_that_of_the_cpu(cupy, name):
    ours, theirs = (simulation(CASES[name], device) for device in ("cpu", "gpu"))
    assert (theirs.device, theirs.where) == ("gpu", "gpu")
    begin = ours.phi.copy()
    np.testing.assert_array_equal(theirs.phi, begin)
    for until in (0.3, 0.7):
        for run in (ours, theirs):
            run.advance(until=until)
        assert abs(ours.phi - theirs.phi).max() < 1e-7
        rows = [run.history_row() for run in (ours, theirs)]
        scale = max(abs(v) for k, v in rows[0].items() if "energy" in k)
        for key, value in rows[0].items():
            if key not in ("damage_iterations", "healing", "imbalance"):
                assert rows[1][key] == pytest.approx(value, rel=1e-6, abs=1e-7 * scale, nan_ok=True), key
    names = ours.model.derived_names()
    fields = [run.derived(names) for run in (ours, theirs)]
    for key, values in fields[0].items():
        np.testing.assert_allclose(
            fields[1][key], values, rtol=0.0, atol=1e-6 * max(abs(values).max(), 1e-3), err_msg=key
        )
    assert ours.body.kinetic > 0.0
    assert abs(ours.phi - begin).max() > 1e-3
    assert theirs.counters.steps == ours.counters.steps > 5


@pytest.mark.parametrize("name", ["spectral", "hybrid, history", "impact"])
def test_checkpoints_continue_bit_for_bit(cupy, name, tmp_path):
    whole = simulation(CASES[name], "gpu", 0.3)
    checkpoint.save(tmp_path / "c.h5", *whole.checkpoint())
    whole.advance(until=0.6)
    again = simulation(CASES[name], "gpu")
    again.restore(*checkpoint.load(tmp_path / "c.h5"))
    again.advance(until=0.6)
    np.testing.assert_equal(again.history_row(), whole.history_row())
    np.testing.assert_array_equal(again.phi, whole.phi)
    np.testing.assert_array_equal(again.body.velocity, whole.body.velocity)


@pytest.mark.parametrize(("first", "second"), [("cpu", "gpu"), ("gpu", "cpu")])
def test_a_run_goes_on_elsewhere(cupy, first, second, tmp_path):
    case = CASES["hybrid, history"]
    whole = simulation(case, first, 0.3)
    checkpoint.save(tmp_path / "c.h5", *whole.checkpoint())
    other = simulation(case, second)
    other.restore(*checkpoint.load(tmp_path / "c.h5"))
    np.testing.assert_array_equal(other.phi, whole.phi)
    for name in ("driving_energy", "displacement_x", "velocity_y"):
        np.testing.assert_array_equal(other.derived([name])[name], whole.derived([name])[name])
    for run in (whole, other):
        run.advance(until=0.6)
    assert abs(other.phi - whole.phi).max() < 1e-7
    assert other.counters.steps == whole.counters.steps


@pytest.mark.parametrize("elements", ["full", "rotated"])
def test_cracks_of_a_symmetric_body_stay_symmetric(cupy, elements):
    run = simulation(plate((20, 13), split="spectral", elements=elements, end=1.2), "gpu", 1.2)
    np.testing.assert_array_equal(run.phi, run.phi[::-1])
    u = run.body.displacement
    np.testing.assert_array_equal(u[1], -u[1][::-1])
    np.testing.assert_array_equal(u[0], u[0][::-1])
    assert (run.phi > 0.75).sum() > 8
    row = run.history_row()
    assert abs(row["imbalance"]) < 0.02 * row["work"]


def test_auto_is_the_cpu(cupy):
    """Until runs on a device have been measured, they are asked for."""
    assert simulation(small(), "auto").device == "cpu"
    assert simulation(small(), "gpu").device == "gpu"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (small(irreversibility="penalty"), "model.irreversibility: penalty in dynamic_fracture runs on the CPU only"),
        (
            plate((16, 13), section=PERIODIC, mean_strain={"strain": {"xx": 0.01}}),
            "model.mean_strain: dynamic_fracture with it runs on the CPU",
        ),
        (plate((8, 8, 6)), "model.name: dynamic_fracture in three dimensions runs on the CPU only"),
    ],
    ids=["penalty", "mean strain", "space"],
)
def test_what_has_no_kernels_is_refused(cupy, case, message):
    with pytest.raises(InputError, match=message):
        simulation(case, "gpu")
