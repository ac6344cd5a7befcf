"""Single-edge-notch tension against Griffith's curve of the same specimen: the paths of `benchmarks/fracture_sent.py`."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def study(monkeypatch):
    """The script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("fracture_sent")


@cache
def measured(name: str, **changes: Any) -> dict[str, Any]:
    """Run a case once."""
    study = importlib.import_module("fracture_sent")
    case = study.replace(study.CASES[name], **changes)
    result = study.run(case, threads=2)
    return result | result["path"] | study.measures(result, study.griffith(case.cells))


@pytest.mark.slow
def test_at1_follows_the_griffith_curve(study):
    """u_c(a) within 2 % for 0.55 < a < 0.85 mm, the length being that of the energy or that of the stiffness."""
    run = measured("AT1")
    assert run["off_griffith_energy"] < 0.02
    assert run["off_griffith_stiffness"] < 0.02
    assert 1e3 * run["largest_displacement"] == pytest.approx(4.72, abs=0.1)
    assert run["peak_force"] == pytest.approx(0.615, abs=0.02)


@pytest.mark.slow
def test_at2_is_damaged_before_it_breaks(study):
    """Lower peak than AT1: the body is softened around the tip. Largest displacement 4 % higher."""
    run = measured("AT2")
    assert run["peak_force"] == pytest.approx(0.58, abs=0.02)
    assert 1e3 * run["peak_force_at"] == pytest.approx(4.57, abs=0.1)
    assert 1e3 * run["largest_displacement"] == pytest.approx(4.92, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["AT1", "AT2"])
def test_energies_and_effort(study, name):
    """The ligament's energy, the balance on every step, and the passes."""
    run = measured(name)
    assert run["of_ligament"] == pytest.approx(1.0, abs=0.05)
    assert run["balance"] < 0.01
    assert run["passes"] <= 800
    assert run["passes"] <= 20 * run["steps"]


def same_path(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Displacements of the steps that both have, to 0.5 % while the crack runs."""
    pairs = [(u, v) for u, v, F in zip(a["load"], b["load"], a["force"], strict=False) if F > 0.15]
    return len(pairs) > 20 and max(abs(u / v - 1.0) for u, v in pairs) < 5e-3


@pytest.mark.slow
def test_acceleration_saves_passes(study):
    """Plain alternation takes 1.44 times the passes of Anderson's, on the same path to the same tolerance (256²: 1.57)."""
    plain, relaxed, anderson = (measured(f"AT1 134{name}") for name in (" plain", " over-relaxed", ""))
    assert same_path(plain, anderson)
    assert same_path(relaxed, anderson)
    assert plain["passes"] >= 1.4 * anderson["passes"]


@pytest.mark.slow
def test_a_jump_releases_energy(study):
    """Displacement given: E + D never exceeds W by 1 %, and what a jump has released is missing from then on."""
    run = measured("AT2 134 displacement")
    assert run["jumps"][-1] >= 1
    assert run["created"] < 0.01
    assert 0.05 < run["released"] < 0.15


@pytest.mark.slow
def test_a_blunt_notch_needs_more_than_a_crack(study):
    """Empty cells: the damage has to begin, at more than Griffith's load and the more the smaller ℓ; later the paths agree."""
    damaged, void = measured("AT2 134"), measured("AT2 134 void")
    assert void["peak_force"] > 1.02 * damaged["peak_force"]
    late = {
        name: [u for u, F in zip(r["load"], r["force"], strict=True) if 0.2 < F < 0.4]
        for name, r in (("damaged", damaged), ("void", void))
    }
    assert max(late["void"]) == pytest.approx(max(late["damaged"]), rel=0.02)


def test_recorded_numbers(study):
    """What the documentation states is what the record says, and the measures are those of the recorded paths."""
    record = json.loads((BENCHMARKS / "results/fracture_sent.json").read_text(encoding="utf-8"))
    for run in record["runs"].values():
        curve = study.stored_curve(record["griffith"][str(run["case"]["cells"])])
        assert study.measures(run, curve) == pytest.approx(run["measures"], rel=1e-3, abs=1e-5)
    AT1 = record["runs"]["AT1"]["measures"]
    assert AT1["off_griffith_energy"] < 0.02
    assert AT1["balance"] < 0.01
