"""What a step costs against the number of cells: `python benchmarks/cost.py [--quick] [-o FILE.json]`.

Cahn–Hilliard with the quartic well at fixed steps, 64² to 4096² and 32³ to 384³, every scheme, one thread and all threads,
beside a pair of transforms of the same grid (planned FFTW where pyFFTW is installed). And what comes before the first step:
answering `--help`, and a short run with an empty and with a filled cache of compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.backend import available_threads
from phasefield.bench import best_times, make_pair, make_step
from phasefield.output.provenance import cpu_model, libraries, package_version
from phasefield.registry import names

SQUARES = (64, 128, 256, 512, 1024, 2048, 4096)
CUBES = (32, 64, 128, 192, 256, 384)
SMALL = """
model: {name: cahn_hilliard, gradient_energy: 2.0}
grid: {x: {cells: 64, length: 64.0}, y: {cells: 64, length: 64.0}}
initial: {c: {mean: 0.0, noise: 0.01}}
time: {end: 1.0}
"""


def cost(cells: tuple[int, ...]) -> dict[str, Any]:
    """Milliseconds per step of every scheme on one grid; one scheme at a time, the pair beside each."""
    most = available_threads()
    row: dict[str, Any] = {"cells": list(cells), "steps_ms": {}, "bytes_per_cell": {}}
    seconds = 1.0 if np.prod(cells) < 2**21 else 3.0
    for threads in sorted({1, most}):
        pair, row["pair"] = make_pair(cells, threads)
        for scheme in names("scheme"):
            if scheme == "etdrk4" and np.prod(cells) > 2**24:
                continue
            step, simulation = make_step(cells, scheme, threads)
            ours, theirs = best_times([step, pair], seconds)
            row["bytes_per_cell"][scheme] = round(simulation.stepper.memory_bytes / simulation.grid.cells, 1)
            simulation.close()
            times = row["steps_ms"].setdefault(f"{threads}", {})
            times[scheme] = round(ours, 4)
            times["pair"] = round(min(theirs, times.get("pair", np.inf)), 4)
    return row


def start_up() -> dict[str, float]:
    """Seconds of `--help` and of a run of 64² cells to t = 1, the latter before and after kernels are compiled."""

    def seconds(*arguments: str, **environment: str) -> float:
        began = time.perf_counter()
        command = [sys.executable, "-m", "phasefield", *arguments]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
        return round(time.perf_counter() - began, 2)

    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "small.yaml"
        scenario.write_text(SMALL, encoding="utf-8")
        run = ("run", str(scenario), "-o", str(Path(folder) / "run"), "--overwrite", "--device", "cpu")
        cache = {"PHASEFIELD_CACHE_DIR": str(Path(folder) / "cache"), "NUMBA_CACHE_DIR": str(Path(folder) / "numba")}
        return {
            "help": min(seconds("--help") for _ in range(3)),
            "run_with_empty_cache": seconds(*run, **cache),
            "run_with_filled_cache": min(seconds(*run, **cache) for _ in range(3)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 1024² and 128³")
    parser.add_argument("-o", "--output", type=Path, help="write the table as JSON")
    options = parser.parse_args()
    largest = 2**21 if options.quick else 2**26
    grids = [(n,) * 2 for n in SQUARES] + [(n,) * 3 for n in CUBES]
    rows = []
    for cells in grids:
        if np.prod(cells) <= largest:
            rows.append(cost(cells))
            for threads, times in rows[-1]["steps_ms"].items():
                figures = "  ".join(
                    f"{name} {value:.4g} ({value / times['pair']:.2f})" for name, value in times.items()
                )
                print(f"{'x'.join(map(str, cells)):<14}{threads} threads  {figures}", flush=True)
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cpu": cpu_model(), "threads": available_threads(), "python": platform.python_version()},
        "versions": {"phasefield": package_version(), **libraries()},
        "start_up_s": start_up(),
        "grids": rows,
    }
    print("  ".join(f"{k} {v} s" for k, v in record["start_up_s"].items()))
    if options.output:
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
