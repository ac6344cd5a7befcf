"""`pfhub.yaml`, the record with which PFHub takes results.

It follows the LinkML schema `pfhub_schema` 0.1.0, class BenchmarkResult, in its present form (datasets are called
dataset_temporal and dataset_spatial): https://github.com/usnistgov/pfhub-schema, the same as in the `pfhub` command line,
https://github.com/usnistgov/pfhub-cli, whose `pfhub validate` checks such a file. The older form is `meta.yaml`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from phasefield.errors import InputError
from phasefield.output.pfhub import Benchmark, Table, benchmark_of, write_tables
from phasefield.output.reader import Run

SCHEMA_URL = "https://github.com/usnistgov/pfhub-schema/tree/e0010d9/project"
# Of the libraries a run depends on, those that do the computing.
_DEPENDENCIES = {
    "ducc0": "https://pypi.org/project/ducc0/",
    "scipy": "https://scipy.org",
    "numba": "https://numba.pydata.org",
    "numpy": "https://numpy.org",
}
_EMAIL = re.compile(r"\S+@[^\s@]+\.[^\s@.]+")
_ORCID = re.compile(r"(?:orcid:|https://orcid\.org/)?((?:\d{4}-){3}\d{3}[\dX])")
_PLACEHOLDER = re.compile(r"your|name|author|john doe|jane doe|nobody|somebody|test|todo|x+|\?+", re.IGNORECASE)
_PLACEHOLDER_HOST = re.compile(r"@(.*\.)?(example(\.(com|org|net))?|invalid|test|localhost)$", re.IGNORECASE)


@dataclass(frozen=True)
class Contributor:
    """Who uploads, as given on the command line; `url`: where the scenario or the code can be seen."""

    name: str
    email: str
    url: str
    affiliation: tuple[str, ...] = ()
    orcid: str | None = None

    def __post_init__(self) -> None:
        for option, value in (("--author", self.name), ("--email", self.email), ("--url", self.url)):
            if not value.strip():
                raise InputError(f"PFHub wants to know who uploads: {option} is missing or empty")
        if not _EMAIL.fullmatch(self.email):
            raise InputError(f"--email: '{self.email}' is no address such as name@university.edu")
        if not re.fullmatch(r"https?://\S+", self.url):
            raise InputError(f"--url: '{self.url}' is no address such as https://github.com/name/repository")
        if self.orcid is not None and not _valid_orcid(self.orcid):
            raise InputError(
                f"--orcid: '{self.orcid}' is no ORCID such as 0000-0002-1825-0097 (the last digit is a check)"
            )

    @property
    def warnings(self) -> list[str]:
        """What looks as if it had been left from an example."""
        found = []
        words = re.findall(r"[^\s.,]+", self.name)
        if all(_PLACEHOLDER.fullmatch(w) for w in words) or _PLACEHOLDER.fullmatch(self.name):
            found.append(f"--author '{self.name}' looks like a placeholder; put your name before you upload")
        if _PLACEHOLDER_HOST.search(self.email):
            found.append(f"--email '{self.email}' is not a real address; put yours before you upload")
        if not self.affiliation:
            found.append("no --affiliation given")
        return found

    def entry(self) -> dict[str, Any]:
        """The item of `contributors`; identified by the ORCID, which PFHub prefers, or else by the address."""
        match = _ORCID.fullmatch(self.orcid) if self.orcid else None
        identity = f"https://orcid.org/{match[1]}" if match else f"mailto:{self.email}"
        return {"id": identity, "name": self.name, "affiliation": list(self.affiliation), "email": self.email}


def export_pfhub(runs: Sequence[Run], contributor: Contributor, folder: Path) -> list[Path]:
    """Write the data files of a benchmark and `pfhub.yaml`; returns the paths.

    Args:
        runs: one run, or those of one upload where the benchmark wants several (7a, 8a, 8b, 8c).

    Raises:
        InputError: a run is no benchmark or not finished, runs of different benchmarks, or the folder cannot be written.
    """
    benchmark = benchmark_of(runs)
    tables = benchmark.tables(runs)
    text = yaml.safe_dump(record(runs, benchmark, tables, contributor), sort_keys=False, allow_unicode=True, width=100)
    written = write_tables(tables, folder)
    path = folder / "pfhub.yaml"
    try:
        path.write_text(f"---\n{text}", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}") from None
    return [*written, path]


def record(
    runs: Sequence[Run], benchmark: Benchmark, tables: Sequence[Table], contributor: Contributor
) -> dict[str, Any]:
    """The content of `pfhub.yaml`. Times of several runs are added; memory is that of the largest."""
    states = [run.status for run in runs]
    if any(not state.get("peak_memory_bytes") for state in states):
        raise InputError("PFHub wants the memory a run took, and this run has none on record (see its run.json)")
    results: dict[str, Any] = {}
    for key, spatial in (("dataset_temporal", False), ("dataset_spatial", True)):
        listed: list[dict[str, Any]] = [{"name": t.name} for t in tables if t.spatial == spatial]
        if not spatial:
            for item, table in zip(listed, (t for t in tables if not t.spatial), strict=True):
                item["columns"] = list(table.columns)
        if listed:
            results[key] = listed
    results |= {
        "hardware": {"architecture": states[0]["device"], "cores": max(s["threads"] for s in states), "nodes": 1},
        "fictive_time": float(max(s["time"] for s in states)),
        "memory_in_kb": math.ceil(max(s["peak_memory_bytes"] for s in states) / 1024),
        "time_in_s": round(sum(float(s["seconds"]) for s in states), 3),
    }
    return {
        "id": _identifier(benchmark, states),
        "benchmark_problem": benchmark.problem,
        "contributors": [contributor.entry()],
        "date_created": states[-1]["ended"][:10],
        "framework": _framework(states[0], contributor.url),
        "implementation": {"url": contributor.url, "name": _name(runs[0])},
        "results": results,
        "schema": {"url": SCHEMA_URL},
        "summary": _summary(runs[0], states[0]),
    }


def _identifier(benchmark: Benchmark, states: Sequence[dict[str, Any]]) -> str:
    """Unique: what was run, where and when."""
    origin = "\n".join(f"{s['scenario_sha256']} {s['host']} {s['started']}" for s in states)
    return f"phasefield_{benchmark.problem.split('.')[0]}_{hashlib.sha256(origin.encode()).hexdigest()[:12]}"


def _framework(state: dict[str, Any], url: str) -> list[dict[str, Any]]:
    own: dict[str, Any] = {"url": _home() or url, "name": "phasefield"}
    if state.get("git"):
        own["commit"] = state["git"]["sha"]
    entries = [{**own, **_version(state["version"])}]
    # Of the two transforms, the one that was used.
    used = [n for n in _DEPENDENCIES if n not in ("ducc0", "scipy") or n == state["fft_engine"]]
    for name in used:
        if name in state["libraries"]:
            entries.append({"url": _DEPENDENCIES[name], "name": name, **_version(state["libraries"][name])})
    return entries


def _version(version: str) -> dict[str, str]:
    """`version` as PFHub wants it, with a digit first; nothing where there is none."""
    return {"version": version} if version[:1].isdigit() else {}


def _home() -> str | None:
    """Address of this project, where the installed package names one."""
    try:
        urls = importlib.metadata.metadata("phasefield").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return urls[0].split(",", 1)[1].strip() if urls else None


def _name(run: Run) -> str:
    return str(run.scenario["benchmark"])


def _summary(run: Run, state: dict[str, Any]) -> str:
    scenario = run.scenario
    grid, time = scenario["grid"], scenario["time"]
    cells = " x ".join(str(grid[axis]["cells"]) for axis in "xyz" if axis in grid)
    step = time["step"]
    steps = f"adaptive steps, tolerance {step['tolerance']:g}" if isinstance(step, dict) else f"fixed steps of {step:g}"
    title = scenario.get("title") or run.folder.resolve().name
    space = scenario["model"].get("laplacian", "spectral").replace("_", "-")
    where = f"{state['threads']} thread(s) of {state['cpu']}" if state["device"] == "cpu" else state["device"]
    return (
        f"{title}. Model {scenario['model']['name']}; space: {space}, {cells} cells; time: {time['scheme']}, {steps}; "
        f"{scenario['precision']} precision; {where}, FFT by {state['fft_engine']}."
    )


def _valid_orcid(text: str) -> bool:
    """Whether the last digit is the check of ISO 7064 MOD 11-2."""
    match = _ORCID.fullmatch(text)
    if match is None:
        return False
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = 2 * (total + int(digit)) % 11
    check = (12 - total) % 11
    return digits[-1] == ("X" if check == 10 else str(check))
