"""What PFHub asks for: the data files of every benchmark, made from runs.

File names and columns follow the submission guidelines of the benchmarks at https://pages.nist.gov/pfhub/benchmarks/
(revision of March 2025). The record that goes with them, `pfhub.yaml`, is made in `output/pfhub_record.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phasefield.errors import InputError
from phasefield.output.csv_export import write_table
from phasefield.output.particles import particles
from phasefield.output.pfhub_mms import l2_error, mesh_size, time_step
from phasefield.output.reader import Run
from phasefield.registry import lookup, register
from phasefield.scenario import load_scenario

# Seeds of benchmark 8a, r* = 5, in the order that numbers the files.
SEEDS = (4.95, 5.0, 5.05)
END_8A = 200.0


@dataclass(frozen=True)
class Table:
    """A data file: columns by name; `spatial` where a row is a place and not a time."""

    name: str
    columns: dict[str, np.ndarray]
    spatial: bool = False


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of PFHub.

    problem: how the schema of PFHub calls it, part and revision; several: whether one upload is made of several runs.
    """

    problem: str
    tables: Callable[[Sequence[Run]], list[Table]]
    several: bool = False


def _benchmark(part: str, revision: int, several: bool = False) -> Callable:
    def enter(tables: Callable[[Sequence[Run]], list[Table]]) -> Callable[[Sequence[Run]], list[Table]]:
        register("benchmark", f"pfhub/{part}")(Benchmark(f"{part}.{revision}", tables, several))
        return tables

    return enter


def benchmark_of(runs: Sequence[Run]) -> Benchmark:
    """The benchmark which all runs are of.

    Raises:
        InputError: a run says of no benchmark that it is one, is not finished, or they differ.
    """
    names = []
    for run in runs:
        if "benchmark" not in run.scenario:
            raise InputError(
                f"'{run.folder}' is no benchmark of PFHub; its scenario needs a key such as benchmark: pfhub/1a"
            )
        if run.status.get("status") != "finished":
            raise InputError(f"'{run.folder}' is not finished (status: {run.status.get('status', 'unknown')})")
        names.append(run.scenario["benchmark"])
    if len(set(names)) > 1:
        raise InputError(
            f"the runs are of different benchmarks: {', '.join(sorted(set(names)))}; export them one by one"
        )
    found: Benchmark = lookup("benchmark", names[0])
    if len(runs) > 1 and not found.several:
        raise InputError(f"{names[0]} is one run (got {len(runs)})")
    return found


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write the data files; returns their paths."""
    return [write_table(folder / table.name, table.columns) for table in tables]


def _free_energy(part: str) -> Callable[[Sequence[Run]], list[Table]]:
    def tables(runs: Sequence[Run]) -> list[Table]:
        history = runs[0].history.load()
        columns = {"time": history["time"].values, "free_energy": history["energy"].values}
        return [Table(f"free_energy_{part}.csv", columns)]

    return tables


for _part in ("1a", "1b", "2a"):
    _benchmark(_part, 1)(_free_energy(_part))


def _fraction(run: Run) -> dict[str, np.ndarray]:
    """Solid fraction ∫φ dV / V and free energy at every row of the history."""
    history, field = run.history.load(), _order_parameter(run)
    return {
        "time": history["time"].values,
        "fraction": history[f"mean_{field}"].values,
        "energy": history["energy"].values,
    }


def _order_parameter(run: Run) -> str:
    return next(iter(run.scenario["initial"]))


@_benchmark("8a", 0, several=True)
def _single_seed(runs: Sequence[Run]) -> list[Table]:
    """`data_{i}.csv` and `phase_field_{i}.csv`, i = 1, 2, 3 for seeds of 0.99, 1 and 1.01 r*; the origin is the centre."""
    tables, seen = [], {}
    for run in runs:
        number = _seed_number(run)
        if number in seen:
            raise InputError(f"'{seen[number]}' and '{run.folder}' both have a seed of radius {SEEDS[number - 1]:g}")
        seen[number] = run.folder
        tables.append(Table(f"data_{number}.csv", _fraction(run)))
        if abs(run.times[-1] - END_8A) <= 1e-9 * END_8A:
            tables.append(Table(f"phase_field_{number}.csv", _places(run), spatial=True))
    return sorted(tables, key=lambda table: table.name)


def _seed_number(run: Run) -> int:
    try:
        (body,) = run.scenario["initial"][_order_parameter(run)]["shapes"]
        radius = float(body["disc"]["radius"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"'{run.folder}' is not benchmark 8a: its initial state is not a single disc") from None
    for number, seed in enumerate(SEEDS, start=1):
        if abs(radius - seed) <= 1e-9:
            return number
    raise InputError(f"benchmark 8a has seeds of radius 4.95, 5 and 5.05; '{run.folder}' has one of {radius:g}")


def _places(run: Run) -> dict[str, np.ndarray]:
    """The last frame as rows x, y, φ, x fastest."""
    fields, field = run.fields, _order_parameter(run)
    phi = run.frame(field)
    x, y = (fields[axis].values - 0.5 * run.scenario["grid"][axis]["length"] for axis in "xy")
    return {
        "x": np.tile(x, y.size),
        "y": np.repeat(y, x.size),
        "phi": phi.ravel(),
    }


@_benchmark("8b", 0, several=True)
@_benchmark("8c", 0, several=True)
def _many_seeds(runs: Sequence[Run]) -> list[Table]:
    """`data_{i}.csv` in the order in which runs are given; particles are counted at times that have a frame too."""
    tables = []
    for number, run in enumerate(runs, start=1):
        columns: dict[str, np.ndarray] = dict(_fraction(run))
        field, frames, grid = _order_parameter(run), run.times, load_scenario(run.scenario).grid
        counts: list[int | str] = []
        for time in columns["time"]:
            near = int(np.argmin(np.abs(frames - time)))
            written = abs(frames[near] - time) <= 1e-9 * max(time, 1.0)
            counts.append(particles(run.frame(field, near), grid).count if written else "")
        columns["particle_count"] = np.array(counts, dtype=object)
        tables.append(Table(f"data_{number}.csv", columns))
    return tables


@_benchmark("7a", 0, several=True)
def _manufactured(runs: Sequence[Run]) -> list[Table]:
    """`spatial.csv` of the runs with the finest time step, `temporal.csv` of those with fixed steps on the finest mesh."""
    rows = sorted((mesh_size(run), time_step(run), l2_error(run)) for run in runs)
    finest_mesh, finest_step = min(r[0] for r in rows), min(r[1] for r in rows)
    spatial = [(h, error) for h, step, error in rows if step == finest_step]
    temporal = [(step, error) for h, step, error in rows if h == finest_mesh and step > 0.0]
    tables = []
    for name, first, pairs in (("spatial", "mesh_size", spatial), ("temporal", "time_step", temporal)):
        if pairs:
            ordinates, errors = np.array(pairs).T
            tables.append(Table(f"{name}.csv", {first: ordinates, "L2_error": errors}))
    return tables
