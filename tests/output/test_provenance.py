import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phasefield.output import provenance

SCENARIO = "model: {name: cahn_hilliard}\ntime: {end: 2.0}\n"


def collect():
    return provenance.collect(SCENARIO, device="cpu", threads=2, fft_engine="ducc0", seed=7)


def test_the_record_is_json_and_complete():
    record = collect()
    assert json.loads(json.dumps(record)) == record
    assert (record["device"], record["threads"], record["fft_engine"], record["seed"]) == (
        "cpu",
        2,
        "ducc0",
        7,
    )
    assert record["libraries"]["numpy"] == np.__version__
    assert record["libraries"]["HDF5"].count(".") >= 2
    assert record["scenario_sha256"] == provenance.scenario_hash(SCENARIO)
    assert record["command"] == sys.argv
    assert record["started"].endswith("+00:00")
    assert record["cpu"]
    assert record["cores"] >= 1


def test_only_named_variables_of_the_batch_system(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURM_JWT", "very-secret")
    monkeypatch.setenv("API_TOKEN", "very-secret")
    record = collect()
    assert record["slurm"]["SLURM_JOB_ID"] == "42"
    assert "very-secret" not in json.dumps(record)


def test_the_hash_sees_values_not_layout():
    same = "# a comment\ntime:\n  end: 2.0\nmodel:\n  name: cahn_hilliard\n"
    assert provenance.scenario_hash(same) == provenance.scenario_hash(SCENARIO)
    assert provenance.scenario_hash(SCENARIO.replace("2.0", "2.5")) != provenance.scenario_hash(SCENARIO)


def git(folder, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_git_state(tmp_path):
    assert provenance.git_state(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert provenance.git_state(tmp_path) is None  # nothing committed yet
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    clean = {"sha": git(tmp_path, "rev-parse", "HEAD"), "dirty": False, "diff_sha256": None}
    assert provenance.git_state(tmp_path) == clean
    (tmp_path / "a.py").write_text("a = 2\n")
    changed = provenance.git_state(tmp_path)
    assert changed is not None
    assert changed["dirty"]
    assert len(changed["diff_sha256"]) == 64
    (tmp_path / "installed").mkdir()  # a package inside somebody else's repository
    assert provenance.git_state(tmp_path / "installed") is None


def test_without_git(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(tmp_path) is None


def test_version_is_unknown_when_not_installed(monkeypatch):
    monkeypatch.setattr(provenance, "_version", lambda name: None)
    assert provenance.package_version() == "unknown"


def test_peak_memory_is_in_bytes():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kibibytes = int(status["VmHWM"].split()[0])
    assert provenance.peak_memory() == pytest.approx(1024 * kibibytes, rel=0.1)
    assert set(provenance.at_end()) == {"ended", "peak_memory_bytes"}


def test_environment_rows_are_text():
    rows = provenance.environment()
    assert next(iter(rows)) == "phasefield"
    assert all(isinstance(value, str) and value for value in rows.values())
    assert {"python", "cpu", "numpy", "h5py", "HDF5"} <= rows.keys()


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from phasefield.output import provenance as p; p.environment();"
        "print(*({'numba', 'scipy', 'xarray', 'matplotlib', 'sympy', 'ducc0', 'cupy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
