"""Runs of bodies that crack and move: balance, symmetry, checkpoints, steps, and what `check` and `verify` say of them."""

from __future__ import annotations

import copy
import tracemalloc
from typing import Any

import numpy as np
import pytest
from dynamic_scenarios import GC, NU, E, plate

import phasefield as pf
from phasefield.analysis.predict import predict
from phasefield.errors import InputError, NumericalError
from phasefield.output import checkpoint

HOLE = [{"name": "hole", "shapes": [{"box": {"from": [14, 3], "to": [17, 7]}}], "void": True}]
PERIODIC = {"grid": {"x": {"cells": 24, "length": 24.0}, "y": {"cells": 17, "length": 17.0, "boundary": "no_flux"}}}
PUSH = [{"face": "x.high", "to": [24.0, 8.0], "velocity": {"x": -0.6}, "ramp": 0.3, "until": 1.5}]

CASES: dict[str, dict[str, Any]] = {
    "plate": plate(),
    "spectral": plate(split="spectral"),
    "AT1, hybrid": plate(split="hybrid", dissipation="AT1"),
    "rotated": plate(elements="rotated", split="volumetric_deviatoric"),
    "history": plate(irreversibility="history"),
    "crack set": plate(irreversibility="crack_set"),
    "viscous": plate(viscosity=0.05),
    "damped": plate(damping=0.2, faces={"x": {"high": "absorbing"}}),
    "void": plate(regions=HOLE),
    "periodic": plate(section=PERIODIC),
    "pushed": plate(loads=PUSH, faces={"x": {"low": "sliding"}, "y": "sliding"}),
    "displaced": plate(
        loads=[{"face": "y.high", "displacement": {"y": 0.3}, "history": [[0, 0], [1, 1], [2, 0.5]]}],
        faces={"y": {"low": "clamped"}},
    ),
}  # fmt: skip


def pulled(traction: float) -> list[dict[str, Any]]:
    return [{"face": f"y.{end}", "traction": {"y": sign * traction}} for end, sign in (("low", -1.0), ("high", 1.0))]


def last(simulation) -> tuple[dict[str, float], np.ndarray, dict[str, np.ndarray]]:
    return simulation.history_row(), simulation.phi, simulation.derived(simulation.model.derived_names())


def assert_same_bits(a, b) -> None:
    (row, phi, fields), (other_row, other_phi, other_fields) = last(a), last(b)
    np.testing.assert_equal(row, other_row)
    np.testing.assert_array_equal(phi, other_phi)
    for name, values in fields.items():
        np.testing.assert_array_equal(values, other_fields[name])


@pytest.mark.parametrize("name", CASES)
def test_checkpoints_continue_bit_for_bit(name, tmp_path):
    whole = pf.Simulation.from_scenario(copy.deepcopy(CASES[name]), threads=1)
    whole.advance(until=1.0)
    # Between two times that steps lead up to, so that the plan of steps is part of what is kept.
    whole.advance(
        until=1.6, on_step=lambda sim: checkpoint.save(tmp_path / "c.h5", *sim.checkpoint()) if sim.time < 1.3 else None
    )
    whole.advance()
    arrays, meta = checkpoint.load(tmp_path / "c.h5")
    again = pf.Simulation.from_scenario(copy.deepcopy(CASES[name]), threads=1)
    again.restore(arrays, meta)
    assert 1.0 < again.time < 1.3
    again.advance(until=1.6)
    again.advance()
    assert_same_bits(whole, again)


@pytest.mark.parametrize("name", ["spectral", "rotated", "damped", "void", "periodic"])
def test_any_number_of_threads_gives_the_same_bits(name, monkeypatch):
    monkeypatch.setattr("phasefield.mechanics.dynamics.BLOCK_CELLS", 96)
    monkeypatch.setattr("phasefield.mechanics.dynamics.BLOCK_ROWS", 1)
    found = []
    for threads in (1, 2, 3):
        simulation = pf.Simulation.from_scenario(copy.deepcopy(CASES[name]), threads=threads)
        simulation.advance(until=1.2)
        found.append(simulation)
    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])


@pytest.mark.parametrize("split", ["none", "volumetric_deviatoric", "spectral"])
@pytest.mark.parametrize("elements", ["full", "rotated"])
def test_cracks_of_a_symmetric_body_stay_symmetric(split, elements):
    simulation = pf.Simulation.from_scenario(plate(end=4.0, split=split, elements=elements), threads=1)
    simulation.advance()
    assert simulation.phi.max() > 0.99
    assert (simulation.phi > 0.5).sum() > 60
    np.testing.assert_array_equal(simulation.phi, simulation.phi[::-1])
    np.testing.assert_array_equal(simulation.body.u[1], -simulation.body.u[1][::-1])


@pytest.mark.parametrize(
    "name", ["plate", "spectral", "rotated", "viscous", "damped", "void", "periodic", "pushed", "displaced"]
)
def test_energy_balance_is_of_second_order(name):
    """|T + U + D + damped − W| falls with the square of the step, where damage grows too, up to the tolerance of damage."""
    errors = []
    for size in (0.02, 0.005):
        scenario = copy.deepcopy(CASES[name])
        scenario["time"]["step"] = size
        scenario["model"]["damage_tolerance"] = 1e-9
        simulation = pf.Simulation.from_scenario(scenario, threads=1)
        simulation.advance()
        row = simulation.history_row()
        assert row["dissipated"] > 0.0
        errors.append(abs(row["imbalance"]) / max(row["work"], row["energy_kinetic"]))
    assert errors[0] < 5e-3
    assert errors[1] < 0.3 * errors[0] or errors[1] < 1e-6, errors


def test_balance_and_momentum_survive_steps_of_other_lengths():
    """Odd times that somebody waits for change the step; velocities then go to where they belong."""
    one = pf.Simulation.from_scenario(plate(split="spectral"), threads=1)
    one.advance()
    many = pf.Simulation.from_scenario(plate(split="spectral"), threads=1)
    for time in np.sort(np.random.default_rng(3).uniform(0.0, 2.0, 25)):
        many.advance(until=float(time))
    many.advance()
    assert many.steps > one.steps
    row, other = many.history_row(), one.history_row()
    assert abs(row["imbalance"]) < 3e-3 * row["work"]
    assert row["work"] == pytest.approx(other["work"], rel=2e-3)
    assert row["momentum_y"] == pytest.approx(row["impulse_y"], abs=1e-11 * row["momentum_scale"])


def test_a_whole_body_accelerates_as_a_point():
    """Without a crack, under one traction, the centre of mass obeys Newton's law."""
    pull = [{"face": "x.high", "traction": {"x": 0.5}}]
    simulation = pf.Simulation.from_scenario(plate((20, 12), 0.0, loads=pull, end=3.0), threads=1)
    simulation.advance()
    row = simulation.history_row()
    # Velocities are half a step ahead.
    assert row["momentum_x"] == pytest.approx(0.5 * 12.0 * (3.0 + 0.5 * simulation.last_size), rel=1e-12)
    assert row["momentum_y"] == pytest.approx(0.0, abs=1e-12 * row["momentum_scale"])


def test_uniform_damage_follows_the_closed_form():
    """A square that is stretched from all sides, each point at its own speed from the start, has no waves: φ = 2H/(Gc/ℓ + 2H)."""
    rate, end = 4e-3, 2.0
    faces = {"x": {"low": "sliding"}, "y": {"low": "sliding"}}
    loads = [{"face": f"{a}.high", "velocity": {a: 12.0 * rate}} for a in "xy"]
    flow = {a: f"{rate}*{a}" for a in "xy"}
    scenario = plate((12, 12), 0.0, faces=faces, loads=loads, initial_velocity=flow, end=end, damage_tolerance=1e-10)
    simulation = pf.Simulation.from_scenario(scenario, threads=1)
    simulation.advance()
    lame, shear = E * NU / ((1.0 + NU) * (1.0 - 2.0 * NU)), E / (2.0 * (1.0 + NU))
    drive = 2.0 * (lame + shear) * (rate * end) ** 2 * (1.0 - 1e-9)
    expected = 2.0 * drive / (GC / 2.0 + 2.0 * drive)
    assert expected > 0.2
    np.testing.assert_allclose(simulation.phi, expected, rtol=1e-8)


def test_check_tells_of_waves():
    prediction = predict(pf.load_scenario(plate()))
    rows = dict(prediction.rows())
    assert rows["dilatational waves"].startswith("33.3333")
    assert rows["Rayleigh waves"].startswith("18.59")
    # 0.9 of what is stable, 0.02683, are 0.02415: nine equal steps to each row of the history.
    assert prediction.steps == 90
    assert rows["step"].startswith("0.02222, 0.828 of")
    assert not any("nothing happens" in warning for warning in prediction.warnings)
    idle = predict(pf.load_scenario(plate(loads=[])))
    assert any("nothing happens" in warning for warning in idle.warnings)


@pytest.mark.parametrize(("rows", "frames"), [(0.07, 0.3), (2.0, 2.0), (0.03, 0.5)])
def test_check_counts_the_steps_of_the_run(tmp_path, rows, frames):
    load = [{"face": "y.high", "traction": {"y": 1.0}, "history": [[0.0, 0.0], [0.777, 1.0]]}]
    scenario = plate(loads=load, section={"output": {"history": {"every": rows}, "fields": {"every": frames}}})
    run = pf.run(scenario, output=tmp_path / "run", threads=1)
    assert predict(pf.load_scenario(scenario)).steps == int(run.history["steps"].values[-1])


def test_check_warns_of_heat_that_has_not_come_far():
    def warnings(diffusivity):
        cooled = {"face": "y.low", "temperature": -1.0}
        scenario = plate(loads=[])
        scenario["model"]["thermal"] = {"expansion": 1e-5, "diffusivity": diffusivity, "cooled": [cooled]}
        return [w for w in predict(pf.load_scenario(scenario)).warnings if "heat" in w]

    # 2√(Dt) with t = 2 against cells of 1.
    assert len(warnings(1.9)) == 1
    assert warnings(2.1) == []


def test_a_run_is_verified(tmp_path):
    section = {"verify": {"mirror": ["y"], "balance": 3e-3}}
    scenario = plate((48, 33), end=3.0, loads=pulled(6.0), split="spectral", section=section)
    run = pf.run(scenario, output=tmp_path / "run", threads=1)
    checks = {c.name: c for c in pf.verify(run).checks}
    assert pf.verify(run).passed, str(pf.verify(run))
    for name in (
        "irreversibility",
        "energy balance",
        "balance of cracks",
        "momentum",
        "crack energy of frames",
        "mirror symmetry in y",
    ):
        assert checks[name].status == "pass", name
    # A wrong theory fails: another Gc, another symmetry.
    wrong = pf.verify(run, {"model.toughness": 1.1})
    assert {c.name for c in wrong.checks if c.status == "fail"} == {"crack energy of frames"}
    other = pf.verify(run, {"verify.mirror": ["x"]})
    assert [c.status for c in other.checks if c.name == "mirror symmetry in x"] == ["fail"]


def test_unstable_steps_are_refused_before_they_are_taken():
    with pytest.raises(InputError, match=r"time\.step: 0\.05 is not stable; 0\.02683 is the longest"):
        pf.Simulation.from_scenario(plate(section={"time": {"end": 1.0, "step": 0.05}}))


@pytest.mark.parametrize("uneven", [False, True], ids=["uniform", "uneven"])
def test_memory_is_foretold(uneven):
    """Within a quarter of the largest sum of all arrays."""
    constants = {name: f"{value} + 0.1*sin(x + 2*y)" for name, value in (("toughness", 1.0), ("young_modulus", 1000.0))}
    scenario = plate((160, 150), **(constants if uneven else {}))
    pf.Simulation.from_scenario(plate(), threads=1).advance(until=0.1)
    tracemalloc.start()
    simulation = pf.Simulation.from_scenario(scenario, threads=1)
    simulation.advance(until=0.1)
    simulation.history_row()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert simulation.model.memory_bytes(simulation.grid) == pytest.approx(peak, rel=0.25)


def test_damage_is_given_before_the_first_step():
    simulation = pf.Simulation.from_scenario(plate(), threads=1)
    simulation.set_state(simulation.state)
    simulation.advance(until=0.5)
    with pytest.raises(InputError, match="only before the first step"):
        simulation.set_state(simulation.state)


@pytest.mark.parametrize("field", ["u", "v"])
def test_numbers_that_are_not_finite_end_a_run_with_the_last_good_state(field):
    simulation = pf.Simulation.from_scenario(plate(), threads=1)
    simulation.advance(until=0.5)
    good = last(simulation)
    getattr(simulation.body, field)[0, 3, 3] = np.nan
    with pytest.raises(NumericalError, match=r"finite.*the state is that of t = 0\.5"):
        simulation.advance()
    assert simulation.time == 0.5
    np.testing.assert_equal(last(simulation)[0], good[0])
    np.testing.assert_array_equal(simulation.phi, good[1])


def test_runs_that_the_gpu_cannot_do_are_refused():
    with pytest.raises(InputError, match="penalty in dynamic_fracture runs on the CPU only"):
        pf.Simulation.from_scenario(plate(irreversibility="penalty"), device="gpu")
