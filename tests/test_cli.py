"""The commands as users type them: what they print, what they write, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command_line import GOOD, call, contents

import phasefield as pf
from phasefield.output import checkpoint
from phasefield.registry import names
from phasefield.scenario import json_schema
from phasefield.scenario.document import read_document

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").rglob("*.yaml"))
SPINODAL = str(Path(__file__).parents[1] / "scenarios/spinodal.yaml")
RUN_FOLDER = {"scenario.yaml", "run.json", "run.log", "fields.vtkhdf", "checkpoint.h5", "plots"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a good scenario, `a.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(GOOD)
    return tmp_path


def good(*arguments: str) -> str:
    """Standard output of a command that must succeed."""
    code, out, err = call(*arguments)
    assert code == 0, err
    return out


def process(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "phasefield", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def frames(folder: str | Path) -> list[bytes]:
    run = pf.Run(folder)
    return [run.frame("c", i).tobytes() for i in range(len(run.times))]


# --- help and lists -------------------------------------------------------------------------------------------------


def test_help_is_light():
    """No numerical library is loaded to print help, nor to import the package."""
    heavy = ("numpy", "scipy", "numba", "matplotlib", "xarray", "sympy", "h5py", "pydantic", "ducc0")
    code = (
        "import sys, phasefield\n"
        "sys.argv = ['phasefield', '--help']\n"
        "try:\n    from phasefield.cli import main; main()\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        f"print('loaded:', [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
    for command in ("run", "check", "verify", "plot", "movie", "models", "schema", "info", "new"):
        assert re.search(rf"^\W*{command} ", done.stdout, re.MULTILINE)


def test_no_arguments_print_help(place):
    assert "Usage: phasefield" in good()


def test_models_lists_equations_and_parameters():
    out = good("models")
    for name in names("model"):
        assert name in out
    assert "κ in κ/2 |∇c|²" in out
    assert good("models", "allen_cahn").startswith("allen_cahn\n")


def test_info_names_versions():
    out = good("info")
    for row in ("phasefield", "python", "numpy", "HDF5", "cores"):
        assert re.search(rf"^{row} +\S", out, re.MULTILINE)


def test_output_that_the_terminal_cannot_show(place):
    """A terminal without Greek letters gets question marks, not a traceback."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("models", env=environment)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "")
    assert "?c/?t" in out


def test_reader_that_goes_away(place):
    """`phasefield schema | head -1` is no failure."""
    done = subprocess.run(
        f"{sys.executable} -m phasefield schema | head -1", shell=True, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


# --- schema ---------------------------------------------------------------------------------------------------------

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_REMARKS = {"title", "description", "default", "discriminator", "$defs"}


def violations(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """What JSON Schema, as far as ours goes, holds against a value; a keyword unknown here is an error."""
    found: list[str] = []
    for keyword, rule in schema.items():
        if keyword == "$ref":
            found += violations(value, root["$defs"][rule.rsplit("/", 1)[1]], root)
        elif keyword in ("anyOf", "oneOf"):
            fitting = sum(not violations(value, option, root) for option in rule)
            if fitting == 0 or (keyword == "oneOf" and fitting > 1):
                found.append(f"{value!r} fits {fitting} of {keyword}")
        elif keyword == "type":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = (
                isinstance(value, _TYPES[rule])
                if rule in _TYPES
                else number and (rule == "number" or isinstance(value, int))
            )
            found += [] if fits else [f"{value!r} is not of type {rule}"]
        elif keyword in ("enum", "const"):
            found += (
                []
                if any(v is value or (v == value and type(v) is type(value)) for v in np.atleast_1d(rule).tolist())
                else [f"{value!r} is not {rule}"]
            )
        elif keyword == "properties" and isinstance(value, dict):
            found += [v for k, s in rule.items() if k in value for v in violations(value[k], s, root)]
        elif keyword == "required" and isinstance(value, dict):
            found += [f"{k} is missing" for k in rule if k not in value]
        elif keyword == "additionalProperties" and isinstance(value, dict):
            others = {k: v for k, v in value.items() if k not in schema.get("properties", {})}
            if rule is False:
                found += [f"unknown key {k}" for k in others]
            elif rule is not True:
                found += [v for item in others.values() for v in violations(item, rule, root)]
        elif keyword == "propertyNames" and isinstance(value, dict):
            found += [v for k in value for v in violations(k, rule, root)]
        elif keyword == "prefixItems" and isinstance(value, list):
            found += [v for item, s in zip(value, rule, strict=False) for v in violations(item, s, root)]
        elif keyword == "items" and isinstance(value, list):
            found += [v for item in value for v in violations(item, rule, root)]
        elif keyword in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
            if isinstance(value, {"Items": list, "Length": str, "Properties": dict}[keyword[3:]]):
                fits = len(value) >= rule if keyword.startswith("min") else len(value) <= rule
                found += [] if fits else [f"{keyword} {rule}"]
        elif keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(value, int | float):
                outside = (
                    value < rule
                    if "in" in keyword.lower()[:12] and keyword.lower().endswith("minimum")
                    else value > rule
                )
                found += [f"{keyword} {rule}"] if outside or ("exclusive" in keyword and value == rule) else []
        else:
            assert keyword in {
                *_REMARKS,
                "properties",
                "required",
                "additionalProperties",
                "items",
                "propertyNames",
                "prefixItems",
            }, keyword
    return found


def test_schema_is_what_scenarios_obey(place):
    schema = json.loads(good("schema"))
    assert schema == json.loads(json.dumps(json_schema()))
    good("schema", "-o", "scenario.schema.json")
    assert json.loads(Path("scenario.schema.json").read_text(encoding="utf-8")) == schema
    for path in SCENARIOS:
        assert violations(read_document(path).data, schema, schema) == [], path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time", {"end": -1.0}),
        ("time", {"end": 1.0, "step": True}),
        ("time", {"end": 1.0, "step": {"tolerence": 1.0}}),
        ("model", {"name": "cahn"}),
        ("model", {"name": "multi_field", "fields": {}, "free_energy": "0"}),
        ("initial", {"c": {"mean": "0"}}),
        ("verify", True),
        ("sed", 1),
        ("seed", 1.5),
        ("grid", {"x": {"cells": 2, "length": 1.0}}),
    ],
)
def test_schema_refuses_what_the_program_refuses(key, value):
    data = {**yaml.safe_load(GOOD), key: value}
    with pytest.raises(pf.InputError):
        pf.load_scenario(data)
    assert violations(data, json_schema(), json_schema())


# --- check and new --------------------------------------------------------------------------------------------------


def test_check_predicts_and_writes_nothing(place):
    before = contents(place)
    out = good("check", "a.yaml", "-s", "time.end=2")
    assert contents(place) == before
    assert yaml.safe_load(out.split("\nequation")[0])["time"]["end"] == 2.0
    rows = dict(re.findall(r"^([a-z -]+?)  +(\S.*)$", out[out.index("\nequation") :], re.MULTILINE))
    # λ* = 2π √(2κ/|f″|) with κ = 2, f″ = −1; 1/σ* = 4κ/f″².
    assert float(rows["fastest wavelength"]) == pytest.approx(4 * np.pi, rel=1e-5)
    assert float(rows["growth time"]) == pytest.approx(8.0, rel=1e-5)
    assert rows["steps"] == "20"
    assert rows["frames"] == "5"


@pytest.mark.parametrize("model", names("model"))
def test_starter_of_every_model_runs(place, model):
    assert "next: phasefield check b.v2.yaml" in good("new", "b.v2", "--model", model)
    good("check", "b.v2.yaml")
    small = ["-s", "time.end=0.5", "-s", "grid.x.cells=16", "-s", "grid.y.cells=12"]
    # Cracks are two cells wide at least.
    small += ["-s", "model.length=24.0"] if model.endswith("fracture") else []
    good("run", "b.v2.yaml", "--test", *small)
    assert pf.Run("runs/b.v2").status["status"] == "finished"


# --- run ------------------------------------------------------------------------------------------------------------


def test_run_writes_a_folder_and_prints_the_verdict(place):
    code, out, err = call("run", "a.yaml")
    assert code == 0
    assert {p.name for p in Path("runs/a").iterdir()} == RUN_FOLDER
    assert "\nconsistent, but not compared with theory (not checked: linear stability)\n" in out
    assert "mean of c" in out
    assert "wrote runs/a/fields.vtkhdf\n" in out
    # Without a terminal: plain lines, a first one at the start and then one at every tenth of the run.
    lines = err.splitlines()
    assert len(lines) == 11
    assert all(re.match(r"t = \S+ +\d+ %  energy \S+ +step \S+ +steps \d+  \d+\.\d s$", line) for line in lines)
    assert "\x1b" not in out + err
    status = json.loads(Path("runs/a/run.json").read_text())
    assert (status["status"], status["time"], status["steps"], status["verified"]) == ("finished", 1.0, 10, True)
    assert pf.Run("runs/a").times.tolist() == [0.0, 0.5, 1.0]


def test_quiet_and_test(place):
    code, _, err = call("run", "a.yaml", "--test", "--quiet", "-o", "r")
    assert (code, err) == (0, "")
    assert pf.Run("r").times[-1] == 0.5
    assert call("run", "a.yaml", "--test", "-q", "-o", "s", "-s", "time.end=0.2")[0] == 0
    assert pf.Run("s").times[-1] == 0.2


def test_resolved_scenario_reproduces_the_run(place):
    """From another folder, too, with a file name that was relative and a title that looks like a number."""
    folder = place / "sub"
    folder.mkdir()
    np.save(folder / "first.npy", np.random.default_rng(1).normal(size=(12, 16)) * 0.01)
    text = GOOD.replace("{mean: 0.0, noise: 0.01}", "{file: first.npy, noise: 0.001}").replace(
        "A small mixture", "'1e5'"
    )
    (folder / "b.yaml").write_text(text)
    good("run", "sub/b.yaml", "-o", "r", "-s", "seed=5")
    good("run", "r/scenario.yaml", "-o", "r2")
    assert frames("r") == frames("r2")
    assert checkpoint.load(place / "r/checkpoint.h5")[0]["state_hat"].tobytes() == (
        checkpoint.load(place / "r2/checkpoint.h5")[0]["state_hat"].tobytes()
    )
    assert Path("r/scenario.yaml").read_text() == Path("r2/scenario.yaml").read_text()


def test_overwrite_replaces_a_run_and_nothing_else(place):
    good("run", "a.yaml", "-o", "r")
    (place / "r/notes.txt").write_text("mine")
    (place / "r/data").mkdir()
    (place / "r/data/x.txt").write_text("mine")
    (place / "r/checkpoint.previous.h5").write_text("old")
    before = contents(place)
    code, _, err = call("run", "a.yaml", "-o", "r", "-s", "seed=2")
    assert code == 2
    assert "--overwrite" in err
    assert contents(place) == before
    old = frames("r")
    good("run", "a.yaml", "-o", "r", "-s", "seed=2", "--overwrite")
    assert frames("r") != old
    assert (place / "r/notes.txt").read_text() == "mine"
    assert (place / "r/data/x.txt").read_text() == "mine"
    assert not (place / "r/checkpoint.previous.h5").exists()


def test_overwrite_never_takes_the_users_scenario(place):
    """A folder that holds only somebody's scenario.yaml is no run."""
    (place / "scenario.yaml").write_text(GOOD)
    code, _, err = call("run", "scenario.yaml", "-o", ".", "--overwrite")
    assert code == 2
    assert "holds files but no run" in err
    assert (place / "scenario.yaml").read_text() == GOOD


def test_run_through_a_linked_folder(place):
    (place / "disk").mkdir()
    (place / "link").symlink_to("disk")
    good("run", "a.yaml", "-o", "link")
    assert (place / "disk/fields.vtkhdf").exists()


# --- verify ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spinodal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spinodal") / "run"
    assert call("run", SPINODAL, "--test", "-q", "-o", str(folder))[0] == 0
    return folder


def test_verify_passes_the_right_theory(spinodal):
    out = good("verify", str(spinodal))
    assert out.endswith("\nverified\n")
    assert "fastest-growing wavelength" in out
    verdict = pf.Run(spinodal).verification
    assert verdict is not None
    assert verdict.attrs["passed"] == 1


def test_verify_fails_a_wrong_theory(spinodal):
    """κ 10 % too large: the wave is 5 % too long, the rate 10 % too small; the stored verdict stays."""
    code, out, _ = call("verify", str(spinodal), "-s", "model.gradient_energy=2.2")
    assert code == 1
    assert out.endswith("\nNOT verified\n")
    verdict = pf.Run(spinodal).verification
    assert verdict is not None
    assert verdict.attrs["passed"] == 1
    code, _, err = call("verify", str(spinodal), "-s", "model.gradient_energy=0")
    assert code == 2
    assert err.startswith(
        "phasefield: error: -s model.gradient_energy=0: model.gradient_energy: must be greater than 0"
    )


def test_plot_draws_what_is_asked(spinodal, place):
    out = good("plot", str(spinodal), "energy", "-o", "figures")
    assert out == "figures/energy.png\n"
    assert Path("figures/energy.png").stat().st_size > 1000
    code, _, err = call("plot", str(spinodal), "enrgy")
    assert code == 2
    assert "did you mean 'energy'?" in err


# --- ends that are not good -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_everything_so_far(place, kind):
    run = process("run", "a.yaml", "-o", "r", "-s", "time.end=1e6", "-s", "output.fields.every=5", "--threads", "1")
    assert run.stderr is not None
    assert run.stderr.readline().startswith("t = 0 ")
    while len(pf.Run("r").times) < 3:
        assert run.poll() is None
    run.send_signal(getattr(signal, kind))
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith(f"phasefield: stopped by {kind} at t = ")
    assert "'r'" in err
    status = json.loads(Path("r/run.json").read_text())
    assert status["status"] == "interrupted"
    assert status["time"] > 10.0
    opened = pf.Run("r")
    assert opened.times[-1] == status["time"]
    assert np.isfinite(opened.frame("c")).all()
    arrays, meta = checkpoint.load(place / "r/checkpoint.h5")
    assert meta["time"] == status["time"]
    mean_square = np.mean(opened.frame("c").astype(float) ** 2)
    assert np.isfinite(arrays["state_hat"]).all()
    assert mean_square > 0.0
    assert float(opened.history["time"][-1]) == status["time"]


def test_a_blow_up_ends_with_the_last_good_state(place):
    """f = −c⁴ has no minimum: the field runs away until it is no number."""
    changes = ["model.free_energy=-c**4", "initial.c.mean=0.5", "model.gradient_energy=0.1", "time.end=1000"]
    code, out, err = call("run", "a.yaml", "-o", "r", "--quiet", *(w for c in changes for w in ("-s", c)))
    assert code == 3
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("phasefield: error: step size collapsed at t = ")
    assert err.endswith("; the last good state is in 'r'\n")
    status = json.loads(Path("r/run.json").read_text())
    assert status["status"] == "failed"
    assert "not finite" in status["reason"]
    arrays, meta = checkpoint.load(place / "r/checkpoint.h5")
    assert np.isfinite(arrays["state_hat"]).all()
    assert meta["time"] == status["time"] > 0.0
    assert np.isfinite(pf.Run("r").frame("c", 0)).all()
    # What is there does not count as verified.
    code, out, _ = call("verify", "r")
    assert code == 1
    assert "end of the run" in out


# --- terminals ------------------------------------------------------------------------------------------------------


def on_a_terminal(columns: int, *arguments: str) -> str:
    """What a command writes to a terminal of so many columns."""
    pty, termios, fcntl = (pytest.importorskip(m) for m in ("pty", "termios", "fcntl"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, np.array([24, columns, 0, 0], np.uint16).tobytes())
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "phasefield", *arguments]
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    run = subprocess.Popen(command, env={**environment, "TERM": "xterm-256color"}, **streams)
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert run.wait(timeout=60) == 0
    return seen.decode()


@pytest.mark.parametrize("columns", [80, 60, 140])
def test_progress_bar_on_a_terminal(place, columns):
    (place / "a_scenario_with_quite_a_long_name.yaml").write_text(GOOD)
    seen = on_a_terminal(columns, "run", "a_scenario_with_quite_a_long_name.yaml", "-o", "r", "-s", "time.end=3")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    lines = [line for line in re.split(r"[\r\n]+", plain) if line]
    assert max(len(line) for line in lines) <= columns
    bars = [line for line in lines if "━" in line]
    pattern = r"━ +\d+ % t \S+ +energy \S+ +step \S+ +.*[\d-]:[\d-]{2}:[\d-]{2}"
    assert all(re.search(pattern, line) for line in bars), bars
    assert "100 %" in bars[-1]
    assert ("left" in bars[-1]) == (columns >= 80)
    # The verdict is a table without broken words, and says whether the run is verified.
    verdict = "\n".join(lines[len(lines) - lines[::-1].index(bars[-1]) :])
    assert "\nmean of c " in verdict
    assert "consistent, but not compared with theory (not checked: linear stability) " in " ".join(verdict.split())
    assert columns < 80 or "…" not in verdict
