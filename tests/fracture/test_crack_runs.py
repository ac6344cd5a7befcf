"""Run folders of cracking bodies, the command line, and that every check fails where it should."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from command_line import call
from crack_scenarios import GC, NU, E, cell, plate

import phasefield as pf
from phasefield.analysis.verdict import FAIL, PASS
from phasefield.errors import Interrupted, NumericalError
from phasefield.output import checkpoint
from phasefield.scenario.verify_sections import CHECKS_OF, VerifySection

# Steps short enough for the trapezia of the work.
FINE = {"end": 1.0, "step": 0.02}


def states(run, theory: dict[str, Any] | None = None) -> dict[str, str]:
    return {check.name: check.status for check in pf.verify(run, theory).checks}


@pytest.fixture(scope="module")
def bar(tmp_path_factory) -> pf.Run:
    """A homogeneous bar, sides free."""
    mean = {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}}
    data = cell(mean=mean, load=[[0, 0], [1, 0.02]])
    data |= {"time": {"end": 1.0, "step": 0.01}, "verify": {"homogeneous": 1e-8}}
    return pf.run(data, output=tmp_path_factory.mktemp("bar") / "run", threads=1)


@pytest.fixture(scope="module")
def torn(tmp_path_factory) -> pf.Run:
    """A plate that tears up to its rim under given dissipation; fields of all kinds every quarter."""
    data = plate(load=[{"until": 0.5, "factor": 0.05}, {"until": 1.0, "dissipation": 4.0}])
    names = ["phi", "displacement_y", "strain_xy", "stress_yy", "driving_energy"]
    data |= {"time": FINE, "output": {"fields": {"every": 0.25, "precision": "double", "names": names}}}
    data |= {"verify": {"balance": 0.02}, "title": "A torn plate"}
    return pf.run(data, output=tmp_path_factory.mktemp("torn") / "run", threads=1)


@pytest.fixture(scope="module")
def strip(tmp_path_factory) -> pf.Run:
    """A crack that runs through a periodic strip."""
    mean = {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}}
    crack = {"phi": {"shapes": [{"slit": {"from": [20.0, 10.5], "to": [44.0, 10.5]}}]}}
    data = cell((64, 20), length=2.0, poisson_ratio=0.0, mean=mean, load=[{"until": 1.0, "dissipation": 30.0}])
    data |= {"initial": crack, "time": {"end": 1.0, "step": 0.1}}
    data |= {"verify": {"strip": 0.1, "crack_area": {"area": 30.0, "tolerance": 0.05}, "balance": 0.05}}
    return pf.run(data, output=tmp_path_factory.mktemp("strip") / "run", threads=1)


def test_the_run_folder_is_complete(torn):
    names = {p.name for p in torn.folder.iterdir()}
    assert names == {"scenario.yaml", "run.json", "run.log", "fields.vtkhdf", "checkpoint.h5"}
    status = json.loads((torn.folder / "run.json").read_text())
    assert status["status"] == "finished"
    assert status["verified"] is True
    assert status["time"] == 1.0
    assert status["steps"] == torn.history["time"].size - 1
    assert status["device"] == "cpu"
    assert torn.times.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert sorted(torn.names) == ["displacement_y", "driving_energy", "phi", "strain_xy", "stress_yy"]
    assert torn.frame("phi", 0).max() == 1.0
    assert np.all(torn.frame("displacement_y", 0) == 0.0)
    # Nodes of the upper face move by the load; the centres below it by a little less.
    top = torn.frame("displacement_y", 2)[-1]
    assert np.all((top > 0.8 * 0.05) & (top < 0.05))


def test_the_history_has_a_row_per_step(torn):
    history = torn.history
    steps = np.asarray(history["steps"])
    np.testing.assert_array_equal(steps, np.arange(steps.size))
    # The first steps of given dissipation are shorter: more rows than steps of 0.02.
    assert steps.size > 51
    for name in ("load", "force", "deflection", "energy_elastic", "dissipated", "work", "released", "crack_length",
                 "jumps", "passes", "reaction_y_high_y"):  # fmt: skip
        assert np.isfinite(np.asarray(history[name])).all(), name
    np.testing.assert_allclose(
        history["energy"], history["energy_elastic"] + history["energy_local"] + history["energy_gradient"]
    )
    np.testing.assert_allclose(history["force"], history["reaction_y_high_y"], rtol=1e-6, atol=1e-9)


def test_fewer_rows_where_they_are_asked_for(tmp_path):
    data = cell(load=[[0, 0], [1, 0.02]])
    data["output"]["history"] = {"every": 0.5}
    run = pf.run(data, output=tmp_path / "run", threads=1)
    np.testing.assert_allclose(run.history["time"], [0.0, 0.5, 1.0])


def test_the_resolved_scenario_repeats_the_run(torn, tmp_path):
    """`scenario.yaml` of the folder is a good scenario, and leads to the same bits."""
    again = pf.run(torn.folder / "scenario.yaml", output=tmp_path / "again", threads=1)
    np.testing.assert_array_equal(again.frame("phi"), torn.frame("phi"))
    np.testing.assert_array_equal(again.history["force"], torn.history["force"])
    assert yaml.safe_load((torn.folder / "scenario.yaml").read_text()) == again.scenario


def test_a_default_step_is_written_so_that_it_can_be_read(tmp_path):
    """Adaptive steps without any wish, and splits with a parameter."""
    for number, split in enumerate(("spectral", {"name": "star_convex", "gamma": 0.5}, {"name": "spectral"})):
        data = cell(load=[[0, 0], [1, 0.01]], split=split)
        data["time"] = {"end": 1.0}
        run = pf.run(data, output=tmp_path / f"{number}", threads=1)
        assert pf.load_scenario(run.folder / "scenario.yaml").settings.time.end == 1.0
        assert pf.verify(run).checks


def test_the_checkpoint_continues(torn, tmp_path):
    """The last state on disk is that of the last frame."""
    arrays, meta = checkpoint.load(torn.folder / "checkpoint.h5")
    assert meta["time"] == 1.0
    np.testing.assert_array_equal(arrays["phi"], torn.frame("phi"))


def test_csv(torn, tmp_path):
    code, out, err = call("export", str(torn.folder), "--csv", "-o", str(tmp_path / "csv"))
    assert (code, err) == (0, "")
    path = next(Path(line) for line in out.split() if line.endswith("history.csv"))
    first, *lines = path.read_text().splitlines()
    header = next(line for line in (first, *lines) if not line.startswith("#"))
    assert len([line for line in (first, *lines) if not line.startswith("#")]) == 1 + torn.history["time"].size
    assert {"load", "force", "released", "crack_length"} <= set(header.replace('"', "").split(","))


@pytest.mark.parametrize(("d", "dissipation", "split"), [(3, "AT2", "spectral"), (2, "AT1", "volumetric_deviatoric")])
def test_homogeneous_bars_are_verified(tmp_path, d, dissipation, split):
    data = cell((6, 6, 4)[:d], dissipation=dissipation, split=split, load=[[0, 0], [1, 0.03]])
    data |= {"time": {"end": 1.0, "step": 0.01}, "verify": {"homogeneous": 1e-8}}
    run = pf.run(data, output=tmp_path / "run", threads=1)
    found = states(run)
    assert found["homogeneous damage"] == found["homogeneous stress"] == PASS
    assert set(found.values()) == {PASS}, str(pf.verify(run))


# --- checks -----------------------------------------------------------------------------------------------------


def test_good_runs_pass(bar, torn, strip):
    expected = {
        "irreversibility", "virtual work", "dissipation", "energy bound", "energy balance", "crack energy of frames"
    }  # fmt: skip
    for run, more in (
        (bar, {"homogeneous damage", "homogeneous stress"}),
        (torn, set()),
        (strip, {"energy of the crack", "energy release rate"}),
    ):
        found = states(run)
        assert set(found) == expected | more
        assert set(found.values()) == {PASS}, found
        assert pf.verify(run).passed


@pytest.mark.parametrize(
    ("theory", "failing"),
    [
        ({"model.toughness": 1.05}, {"homogeneous damage", "homogeneous stress", "crack energy of frames"}),
        ({"model.length": 4.2}, {"homogeneous damage", "homogeneous stress", "crack energy of frames"}),
        ({"model.young_modulus": 1010.0}, {"homogeneous damage", "homogeneous stress"}),
        ({"model.poisson_ratio": 0.29}, {"homogeneous damage", "homogeneous stress"}),
        ({"model.dissipation": "AT2"}, {"homogeneous damage", "homogeneous stress", "crack energy of frames"}),
        ({"model.plane": "stress"}, {"homogeneous damage", "homogeneous stress"}),
    ],
)
def test_wrong_theory_of_the_bar_fails(bar, theory, failing):
    assert {name for name, state in states(bar, theory).items() if state == FAIL} == failing


@pytest.mark.parametrize(
    ("theory", "failing"),
    [
        ({"model.toughness": 1.2}, {"energy of the crack", "energy release rate", "crack energy of frames"}),
        ({"model.young_modulus": 1200.0}, {"energy release rate"}),
        ({"verify.crack_area.area": 35.0}, {"energy of the crack"}),
        ({"model.length": 2.1}, {"crack energy of frames"}),
    ],
)
def test_wrong_theory_of_the_strip_fails(strip, theory, failing):
    assert {name for name, state in states(strip, theory).items() if state == FAIL} == failing


def test_the_command_line_says_which_theory_failed(bar):
    code, out, _ = call("verify", str(bar.folder), "-s", "model.toughness=1.1")
    assert code == 1
    assert "homogeneous damage" in out
    code, out, _ = call("verify", str(bar.folder))
    assert code == 0


def tampered(run: pf.Run, folder: Path, change) -> pf.Run:
    """A copy of a run with `change(file)` made to its fields file."""
    shutil.copytree(run.folder, folder)
    with h5py.File(folder / "fields.vtkhdf", "r+") as file:
        change(file)
    return pf.Run(folder)


def test_tampered_files_fail(torn, bar, tmp_path):
    rows = torn.history["time"].size

    def set_row(name: str, row: int, value) -> Any:
        def change(file):
            data = file[f"history/{name}"]
            data[row] = value(data[row])

        return change

    def heal(file):
        data = file["VTKHDF/CellData/phi"]
        data[-1] = np.minimum(data[-1], 0.9)

    changes = {
        "force": (set_row("force", rows // 2, lambda v: 1.05 * v), {"virtual work"}),
        "elastic energy": (set_row("energy_elastic", rows - 1, lambda v: 1.05 * v), {"virtual work"}),
        "healing": (set_row("healing", rows - 1, lambda v: 1e-6), {"irreversibility"}),
        "overshoot": (set_row("max_phi", rows - 1, lambda v: 1.0 + 1e-6), {"irreversibility"}),
        "work": (set_row("released", rows - 1, lambda v: -0.5), {"energy bound", "energy balance"}),
        "lost work": (set_row("released", rows - 1, lambda v: 0.5), {"energy balance"}),
        "dissipation": (set_row("dissipated", rows // 2, lambda v: v + 1.0), {"dissipation"}),
        "frames": (heal, {"irreversibility", "crack energy of frames"}),
        "local energy": (set_row("energy_local", rows - 1, lambda v: 1.01 * v), {"crack energy of frames"}),
    }
    for name, (change, failing) in changes.items():
        run = tampered(torn, tmp_path / name, change)
        failed = {n for n, state in states(run).items() if state == FAIL}
        assert failed == failing, name

    def stress(file):
        file["history/mean_stress_yy"][50] *= 1.001

    run = tampered(bar, tmp_path / "stress", stress)
    assert {n for n, state in states(run).items() if state == FAIL} == {"homogeneous stress"}


def test_jumps_are_no_balance_but_release_is_bounded(tmp_path):
    """A plate that breaks at once: rows up to the jump are in balance, later ones below."""
    data = plate(load=[[0, 0], [1, 0.2]])
    data |= {"time": FINE, "verify": {"balance": 0.01}}
    run = pf.run(data, output=tmp_path / "run", threads=1)
    checks = {c.name: c for c in pf.verify(run).checks}
    assert checks["energy balance"].status == PASS
    assert "jump(s) release" in checks["energy balance"].detail
    assert checks["energy bound"].status == PASS
    assert run.history["released"][-1] > 0.0


def test_a_jump_hides_nothing_that_comes_after_it(tmp_path):
    """Energy that appears or is lost while the load goes back, after a jump that has released much more."""
    data = plate(load=[[0, 0], [1, 0.2], [1.5, 0.1]], crack=0.5, section={"time": {"end": 1.5, "step": 0.02}})
    run = pf.run(data, output=tmp_path / "run", threads=1)
    history = run.history
    assert pf.verify(run).passed
    assert float(history["jumps"][-1]) == float(history["jumps"][-10]) >= 1.0
    amount = 0.02 * float(np.abs(history["work"]).max())
    assert history["released"][-1] > 2.0 * amount

    def change(sign: float):
        def at_the_end(file):
            file["history/released"][-5:] = np.asarray(file["history/released"][-5:]) + sign * amount

        return at_the_end

    gained = tampered(run, tmp_path / "gained", change(-1.0))
    assert {n for n, state in states(gained).items() if state == FAIL} == {"energy bound", "energy balance"}
    lost = tampered(run, tmp_path / "lost", change(1.0))
    assert {n for n, state in states(lost).items() if state == FAIL} == {"energy balance"}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [({"split": "hybrid"}, "energy balance"), ({"irreversibility": "history"}, "energy balance")],
)
def test_what_has_no_energy_is_not_balanced(tmp_path, changes, missing):
    run = pf.run(plate(load=[[0, 0], [1, 0.05]], **changes), output=tmp_path / "run", threads=1)
    assert states(run)[missing] == "not applicable"
    assert pf.verify(run).passed


# --- how runs end -----------------------------------------------------------------------------------------------


def test_an_interruption_during_passes_leaves_the_state_before_the_step(tmp_path):
    """Ctrl-C while a step is being iterated: what is on disk is the state at its beginning, and the run goes on from there."""
    import os
    import signal

    class Reporter:
        """Interrupts in the third pass of the sixth step."""

        passes = 0
        before: tuple[float, np.ndarray] | None = None

        def start(self, simulation): ...

        def update(self, simulation):
            if simulation.steps == 5 and simulation.activity.startswith("pass 3,") and self.before is None:
                self.before = simulation.time, simulation.phi.copy()
                os.kill(os.getpid(), signal.SIGINT)

        def finish(self, simulation): ...

    data = plate(load=[[0, 0], [1, 0.15]])
    reporter = Reporter()
    with pytest.raises(Interrupted, match=r"stopped by SIGINT at t = 0.5; everything so far is in"):
        pf.run(copy.deepcopy(data), output=tmp_path / "run", threads=1, reporter=reporter)
    assert reporter.before is not None
    time, phi = reporter.before
    run = pf.Run(tmp_path / "run")
    assert run.status["status"] == "interrupted"
    assert run.status["time"] == time == 0.5
    np.testing.assert_array_equal(run.frame("phi"), phi)
    assert run.history["steps"][-1] == 5
    arrays, meta = checkpoint.load(tmp_path / "run/checkpoint.h5")
    np.testing.assert_array_equal(arrays["phi"], phi)
    again, whole = (pf.Simulation.from_scenario(copy.deepcopy(data), threads=1) for _ in range(2))
    again.restore(arrays, meta)
    again.advance()
    whole.advance()
    np.testing.assert_array_equal(again.phi, whole.phi)
    row, other = again.history_row(), whole.history_row()
    assert row["force"] == other["force"]
    for simulation in (again, whole):
        simulation.close()


def test_a_numerical_failure_leaves_the_last_state(tmp_path):
    data = plate(load=[[0, 0], [1, 0.3]], minimisation={"most_passes": 15})
    with pytest.raises(NumericalError, match=r"has not converged in 15 passes .* the last good state is in"):
        pf.run(data, output=tmp_path / "run", threads=1)
    run = pf.Run(tmp_path / "run")
    assert run.status["status"] == "failed"
    assert 0.0 < run.status["time"] < 1.0
    assert run.times[-1] == run.status["time"] == run.history["time"][-1]


def write(folder: Path, data: dict[str, Any]) -> str:
    path = folder / "plate.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


def test_exit_codes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = cell((8, 8), load=[[0, 0], [1, 0.005]])
    path = write(tmp_path, good)
    assert call("run", path, "-o", "good", "-q", "--threads", "1")[0] == 0
    code, _, err = call("run", path, "-o", "bad", "-s", "model.length=1")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "bad").exists()
    path = write(tmp_path, plate(load=[[0, 0], [1, 0.3]], minimisation={"most_passes": 15}))
    code, _, err = call("run", path, "-o", "failed", "-q", "--threads", "1")
    assert code == 3
    assert "has not converged in 15 passes" in err
    assert (tmp_path / "failed/checkpoint.h5").exists()


def test_the_gpu_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, cell())
    code, out, err = call("run", path, "--device", "gpu")
    assert (code, out) == (2, "")
    place = f"{path}:{line_of(path, 'name: fracture')}"
    text = "model.name: fracture runs on the CPU only; use --device cpu or auto"
    assert err.splitlines() == [f"phasefield: error: {place}: {text}"]
    assert not (tmp_path / "runs").exists()


def line_of(path: str, text: str) -> int:
    return next(i for i, line in enumerate(Path(path).read_text().splitlines(), 1) if text in line)


def test_check_says_what_theory_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, plate(length=3.0))
    code, out, err = call("check", path)
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    strength = np.sqrt(3 * E * GC / (8 * 3.0))
    assert f"{strength:.6g} of a bar under tension" in text
    irwin = E / (1 - NU**2) * GC / strength**2
    assert f"{irwin:.4g}" in text
    assert "length ℓ" in text
    assert "3 cells" in text
    assert "warning: ℓ = 3 is 3 cells of 1 along x: the energy of cracks depends on the grid below 4" in text
    assert f"{1 + 1 / (32 * 9):.5g} Gc" in text
    assert not (tmp_path / "runs").exists()


def test_a_run_says_that_its_grid_is_coarse(caplog):
    for length, told in ((3.0, 1), (4.0, 0)):
        caplog.clear()
        pf.Simulation.from_scenario(plate(length=length), threads=1).close()
        assert sum("depends on the grid below 4" in message for message in caplog.messages) == told


def test_checks_of_other_models_are_not_listed():
    """Unless they were set: nothing that a user wrote is lost."""
    own = pf.load_scenario({**plate(), "verify": {"mass": 1e-9}}).resolved()
    assert list(own["verify"]) == [
        *("linear_stability", "mass", "energy"),
        *("balance", "crack_area", "homogeneous", "strip", "band_profile"),
    ]
    assert pf.load_scenario(own).resolved() == own


def test_every_check_is_one_of_some_kinds_of_evolution_or_of_all():
    listed = {name for names in CHECKS_OF.values() for name in names}
    assert {*listed, "linear_stability", "energy"} == set(VerifySection.model_fields)


def test_check_warns_of_dissipation_without_a_crack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, plate(crack=0.0, length=4.0, load=[{"until": 1.0, "dissipation": 1.0}]))
    code, out, _ = call("check", path)
    assert code == 0
    assert "dissipation control of a body without a crack" in " ".join(out.split())


def test_a_run_that_stops_early_is_finished(tmp_path):
    data = plate(load=[[0, 0], [1, 0.5]], stop={"force": 0.5})
    run = pf.run(data, output=tmp_path / "run", threads=1)
    assert run.status["status"] == "finished"
    assert run.status["time"] < 1.0
    assert "stopped at t =" in (run.folder / "run.log").read_text()
    assert run.times[-1] == run.status["time"]
