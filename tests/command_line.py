"""The command line in this process, a small good scenario, what a complaint looks like, and a look at what lies on disk."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from phasefield import cli

GOOD = """\
title: A small mixture
model:
  name: cahn_hilliard
  mobility: 1.0
  gradient_energy: 2.0
  free_energy: 0.25*(c**2 - 1)**2
grid:
  x: {cells: 16, length: 20.0}
  y: {cells: 12, length: 15.0}
initial:
  c: {mean: 0.0, noise: 0.01}
time: {end: 1.0, step: 0.1}
output: {fields: {every: 0.5}, history: {every: 0.1}}
seed: 1
test: {time.end: 0.5}
"""


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below `folder` with what it holds, every folder with None."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command line, called in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["phasefield", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        sys.argv = before
    return int(end.value.code or 0), out.getvalue(), err.getvalue()


def check_complaint(code: int, out: str, err: str, message: str) -> None:
    """Exit code 2, and on standard error one line that begins with `message`."""
    assert err.startswith(f"phasefield: error: {message}"), err
    assert len(err.splitlines()) == 1, err
    assert code == 2
    assert out == ""
    for technical in (
        "Traceback",
        "pydantic",
        "Input should",
        "Section",
        "{text}",
        "function-",
        "validation error",
        "tagged",
    ):
        assert technical not in err


def replaced(text: str, old: str, new: str) -> str:
    """`text` with the first `old`, which must be there, made `new`."""
    assert old in text, old
    return text.replace(old, new, 1)


def check_refused(folder: Path, text: str, message: str, *arguments: str) -> None:
    """A run of this scenario from `folder`, the working directory, gives the message and leaves nothing there."""
    (folder / "a.yaml").write_text(text)
    before = contents(folder)
    check_complaint(*call("run", "a.yaml", *arguments), message)
    assert contents(folder) == before
