"""Uploads to PFHub: the data files its benchmarks ask for, and a record that keeps the rules of its schema."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import call
from pfhub_rules import PROBLEMS, mistakes

import phasefield as pf
from phasefield.errors import InputError
from phasefield.output import pfhub, pfhub_mms
from phasefield.output.pfhub_record import Contributor
from phasefield.registry import lookup, names
from phasefield.scenario.schema import BENCHMARKS

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "pfhub"
WHO = ("--author", "Ada Lovelace", "--email", "ada@lovelace.example", "--url", "https://lovelace.example/runs")


@pytest.fixture(scope="module")
def spinodal(tmp_path_factory):
    small = {"grid.x.cells": 64, "grid.y.cells": 64, "time.end": 2.0, "output.fields.at": [1]}
    small |= {"output.history.every": 0.25, "verify": False}
    return pf.run(SCENARIOS / "1a.yaml", small, output=tmp_path_factory.mktemp("1a"), device="cpu", threads=1)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """The three parts of 8a, coarse and short; the one in the middle is followed to t = 200."""
    runs = []
    for radius, end in ((4.95, 2.0), (5.0, 200.0), (5.05, 2.0)):
        small = {"grid.x.cells": 32, "grid.y.cells": 32, "time.end": end, "time.step": 1.0, "time.scheme": "imex1"}
        small |= {"initial.phi.shapes.0.disc.radius": radius, "output.fields": {"every": 100.0}, "verify": False}
        folder = tmp_path_factory.mktemp(f"r{radius}")
        runs.append(pf.run(SCENARIOS / "8a.yaml", small, output=folder, device="cpu", threads=1))
    return runs


def export(runs, folder, *options):
    code, out, err = call("export", *(str(run.folder) for run in runs), "--pfhub", "-o", str(folder), *WHO, *options)
    assert code == 0, err
    return out, yaml.safe_load((folder / "pfhub.yaml").read_text(encoding="utf-8"))


def table(path):
    lines = path.read_text().splitlines()
    return lines[0].split(","), np.array([[float(v or "nan") for v in line.split(",")] for line in lines[1:]]).T


def test_free_energy_of_every_row(spinodal, tmp_path):
    out, record = export([spinodal], tmp_path)
    assert out.split() == [str(tmp_path / "free_energy_1a.csv"), str(tmp_path / "pfhub.yaml")]
    header, (time, energy) = table(tmp_path / "free_energy_1a.csv")
    assert header == ["time", "free_energy"]
    np.testing.assert_array_equal(time, spinodal.history["time"].values)
    np.testing.assert_array_equal(energy, spinodal.history["energy"].values)
    assert time[0] == 0.0
    assert energy[0] == pytest.approx(319.1, abs=0.1)
    assert record["results"]["dataset_temporal"] == [{"name": "free_energy_1a.csv", "columns": header}]


def test_the_record_keeps_the_rules_of_the_schema(spinodal, tmp_path):
    _, record = export([spinodal], tmp_path, "--affiliation", "Somewhere", "--orcid", "0000-0002-1825-0097")
    assert mistakes(record) == []
    status = spinodal.status
    assert record["benchmark_problem"] == "1a.1"
    (person,) = record["contributors"]
    assert person == {
        "id": "https://orcid.org/0000-0002-1825-0097",
        "name": "Ada Lovelace",
        "affiliation": ["Somewhere"],
        "email": "ada@lovelace.example",
    }
    results = record["results"]
    assert results["hardware"] == {"architecture": "cpu", "cores": 1, "nodes": 1}
    assert results["fictive_time"] == 2.0
    assert results["time_in_s"] == pytest.approx(status["seconds"], abs=1e-3)
    assert results["memory_in_kb"] * 1024 >= status["peak_memory_bytes"] > (results["memory_in_kb"] - 1) * 1024
    assert "64 x 64 cells" in record["summary"]


def test_the_rules_find_what_is_wrong(spinodal, tmp_path):
    _, record = export([spinodal], tmp_path)
    record["benchmark_problem"] = "1a"
    record["extra"] = 1
    del record["summary"]
    record["results"]["memory_in_kb"] = 1.5
    record["results"]["dataset_temporal"][0].pop("columns")
    record["contributors"][0]["email"] = "nobody"
    found = mistakes(record)
    assert len(found) == 6
    for place in (
        "extra: not",
        "summary: missing",
        "memory_in_kb: 1.5",
        "columns: missing",
        "email: 'nobody'",
        "problem: '1a'",
    ):
        assert any(place in line for line in found), place


def test_seeds_are_one_upload_of_three_runs(seeds, tmp_path):
    out, record = export(seeds[::-1], tmp_path)
    assert [Path(p).name for p in out.split()] == [
        "data_1.csv", "data_2.csv", "data_3.csv", "phase_field_2.csv", "pfhub.yaml"
    ]  # fmt: skip
    assert mistakes(record) == []
    assert record["benchmark_problem"] == "8a.0"
    assert [d["name"] for d in record["results"]["dataset_spatial"]] == ["phase_field_2.csv"]
    for number, run in enumerate(seeds, start=1):
        header, (time, fraction, energy) = table(tmp_path / f"data_{number}.csv")
        assert header == ["time", "fraction", "energy"]
        np.testing.assert_array_equal(time, run.history["time"].values)
        np.testing.assert_array_equal(fraction, run.history["mean_phi"].values)
        np.testing.assert_array_equal(energy, run.history["energy"].values)
    assert record["results"]["time_in_s"] == pytest.approx(sum(r.status["seconds"] for r in seeds), abs=1e-2)
    header, (x, y, phi) = table(tmp_path / "phase_field_2.csv")
    assert header == ["x", "y", "phi"]
    assert (x.min(), x.max()) == (-x.max(), 50.0 - 100.0 / 64)
    frame, i = seeds[1].frame("phi"), 32 * 3 + 7
    assert (x[i], y[i], phi[i]) == (-50.0 + 7.5 * 3.125, -50.0 + 3.5 * 3.125, frame[3, 7])


def test_particles_of_many_seeds_are_counted_where_there_are_frames(seeds, tmp_path):
    """8b and 8c: one file per run, in the order given."""
    columns = lookup("benchmark", "pfhub/8b").tables([seeds[0], seeds[1]])[1].columns
    counts = dict(zip(columns["time"].tolist(), columns["particle_count"].tolist(), strict=True))
    # Cells of 3 cannot hold an interface of 2.8: what counts is that the seed is there at first.
    assert counts[0.0] == 1
    assert [t for t, n in counts.items() if n != ""] == [0.0, 100.0, 200.0]


@pytest.fixture(scope="module")
def mms_run(tmp_path_factory):
    """Runs of 7a on coarse grids; each is made once."""
    made: dict[tuple, pf.Run] = {}

    def make(cells: int, step: float | dict, end: float = 8.0, **extra) -> pf.Run:
        key = (cells, str(step), end, *extra)
        if key not in made:
            grid = {"grid.x.cells": 2 * cells, "grid.y.cells": cells}
            time = {"time.end": end, "time.step": step, "output.fields.every": 1.0, "output.history.every": 1.0}
            folder = tmp_path_factory.mktemp("7a")
            values = {**grid, **time, "verify": False, **extra}
            made[key] = pf.run(SCENARIOS / "7a.yaml", values, output=folder, device="cpu", threads=1)
        return made[key]

    return make


def published_solution(cells: int, time: float) -> np.ndarray:
    """η of the statement, written out, at the centres of 2 cells × cells."""
    y, x = ((np.arange(n) + 0.5) / (2 * cells) for n in (cells, 2 * cells))
    front = 0.25 + 0.0075 * time * np.sin(8 * np.pi * x) + 0.03 * np.sin(22 * np.pi * x + 0.0625 * np.pi * time)
    return 0.5 * (1.0 - np.tanh((y[:, None] - front[None, :]) / math.sqrt(2.0 * 0.0004)))


def test_runs_of_7a_are_sorted_into_both_convergence_studies(mms_run, tmp_path):
    """The exported errors are those of the statement, of real runs."""
    runs = [mms_run(16, 0.2), mms_run(24, 0.4), mms_run(24, 0.2), mms_run(24, 0.8)]
    out, record = export(runs, tmp_path)
    assert [Path(p).name for p in out.split()] == ["spatial.csv", "temporal.csv", "pfhub.yaml"]
    assert mistakes(record) == []
    assert record["benchmark_problem"] == "7a.0"
    header, (sizes, spatial) = table(tmp_path / "spatial.csv")
    assert header == ["mesh_size", "L2_error"]
    np.testing.assert_allclose(sizes, [1 / 48, 1 / 32], rtol=1e-14)
    header, (steps, temporal) = table(tmp_path / "temporal.csv")
    assert header == ["time_step", "L2_error"]
    np.testing.assert_allclose(steps, [0.2, 0.4, 0.8], rtol=1e-14)

    def expected(run: pf.Run, cells: int) -> float:
        difference = run.frame("phi") - published_solution(cells, 8.0)
        return math.sqrt(np.sum(difference**2) / (2 * cells) ** 2)

    np.testing.assert_allclose(spatial, [expected(runs[2], 24), expected(runs[0], 16)], rtol=1e-9)
    np.testing.assert_allclose(temporal, [expected(runs[i], 24) for i in (2, 1, 3)], rtol=1e-9)
    assert temporal[0] == pf.l2_error(runs[2])["phi"]
    assert 1e-4 < temporal[0] < 0.1


def test_a_manufactured_run_that_stops_early_is_refused(mms_run):
    with pytest.raises(InputError, match="ends at t = 8"):
        pfhub_mms.l2_error(mms_run(16, 0.2, end=7.0))


def test_a_run_of_7a_without_its_solution_is_refused(tmp_path):
    scenario = yaml.safe_load((SCENARIOS / "7a.yaml").read_text())
    del scenario["manufactured"]
    scenario |= {"initial": {"phi": "exp(-20*y)"}, "output": {"history": {"every": 1.0}, "fields": {"every": 8.0}}}
    coarse = {"grid.x.cells": 16, "grid.y.cells": 8, "time.step": 1.0, "verify": False}
    run = pf.run(scenario, coarse, output=tmp_path / "run", device="cpu", threads=1)
    with pytest.raises(InputError, match="has no manufactured solution"):
        pfhub_mms.l2_error(run)


def test_an_adaptive_run_counts_for_space_only(mms_run):
    runs = [mms_run(16, {"tolerance": 1e-2})]
    assert [t.name for t in pfhub.benchmark_of(runs).tables(runs)] == ["spatial.csv"]


@pytest.mark.parametrize("part", ["1b", "2a"])
def test_test_forms_of_the_other_energies_can_be_uploaded(part, tmp_path):
    run = pf.run(SCENARIOS / f"{part}.yaml", output=tmp_path / "run", test=True, device="cpu", threads=1)
    _, record = export([run], tmp_path / "upload")
    assert mistakes(record) == []
    assert record["benchmark_problem"] == f"{part}.1"
    header, (time, energy) = table(tmp_path / f"upload/free_energy_{part}.csv")
    assert header == ["time", "free_energy"]
    np.testing.assert_array_equal(time, run.history["time"].values)
    np.testing.assert_array_equal(energy, run.history["energy"].values)
    # F(0) by quadrature of the statement; the seam of 2a adds to 9023.58, see its header.
    assert energy[0] == pytest.approx({"1b": 319.043, "2a": 9141.82}[part], rel=1e-4)


def test_every_benchmark_of_the_schema_can_be_exported():
    assert set(BENCHMARKS) == set(names("benchmark"))
    for name in BENCHMARKS:
        problem = lookup("benchmark", name).problem
        assert problem in PROBLEMS
        assert problem.split(".")[0] == name.removeprefix("pfhub/")


def test_the_shipped_scenarios_say_which_benchmark_they_are():
    for path in SCENARIOS.glob("*.yaml"):
        assert pf.load_scenario(path).settings.benchmark == f"pfhub/{path.stem}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--author is missing"),
        (("--author", "A B", "--email", "ab", "--url", "https://a.b"), "--email: 'ab' is no address"),
        (("--author", "A B", "--email", "a@b.c"), "--url is missing"),
        (("--author", "A B", "--email", "a@b.c", "--url", "here"), "--url: 'here' is no address"),
        ((*WHO, "--orcid", "0000-0002-1825-0098"), "--orcid: '0000-0002-1825-0098' is no ORCID"),
    ],
)
def test_who_uploads_has_to_be_known(spinodal, tmp_path, options, message):
    code, _, err = call("export", str(spinodal.folder), "--pfhub", "-o", str(tmp_path / "out"), *options)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


def test_placeholders_are_noticed():
    def warnings(name: str, email: str, *affiliation: str) -> str:
        return "; ".join(Contributor(name, email, "https://a.b", affiliation).warnings)

    assert "placeholder" in warnings("Your Name", "ada@london.ac.uk", "A")
    assert "not a real address" in warnings("Ada Lovelace", "you@example.com", "A")
    assert warnings("Ada Lovelace", "ada@london.ac.uk") == "no --affiliation given"
    assert warnings("Ada Lovelace", "ada@london.ac.uk", "A") == ""


def test_runs_that_are_no_upload(spinodal, seeds, tmp_path):
    def message(*runs: pf.Run) -> str:
        with pytest.raises(InputError) as error:
            pfhub.benchmark_of(runs).tables(runs)
        return str(error.value)

    assert "different benchmarks: pfhub/1a, pfhub/8a" in message(spinodal, seeds[0])
    assert "pfhub/1a is one run (got 2)" in message(spinodal, spinodal)
    assert "both have a seed of radius 4.95" in message(seeds[0], seeds[0])
    plain = {
        "model": {"name": "cahn_hilliard"},
        "grid": {"x": {"cells": 16, "length": 16.0}},
        "initial": {"c": {"mean": 0.0, "noise": 0.01}},
        "time": {"end": 0.2, "step": 0.1},
    }
    run = pf.run(plain, output=tmp_path / "plain", device="cpu", threads=1)
    assert "its scenario needs a key such as benchmark: pfhub/1a" in message(run)
    wrong = pf.run({**plain, "benchmark": "pfhub/8a"}, output=tmp_path / "wrong", device="cpu", threads=1)
    assert "not a single disc" in message(wrong)
    (wrong.folder / "run.json").write_text('{"status": "interrupted"}')
    assert "not finished (status: interrupted)" in message(wrong)


def test_an_unknown_benchmark_is_a_mistake_in_the_scenario():
    scenario = yaml.safe_load((SCENARIOS / "1a.yaml").read_text())
    with pytest.raises(InputError, match=r"benchmark: unknown benchmark 'pfhub/1e'; did you mean 'pfhub/1"):
        pf.load_scenario({**scenario, "benchmark": "pfhub/1e"})
    assert pf.load_scenario(scenario).resolved()["benchmark"] == "pfhub/1a"
