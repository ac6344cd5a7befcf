"""The branching plate: when its crack starts, forks and arrives, how fast it runs, and what a run costs.

python benchmarks/dynamic_branching.py [case …]     → benchmarks/results/dynamic_branching.json

Without names all cases are run; others that are in the file stay. The plate of `scenarios/dynamic_branching.yaml` (100 mm ×
40 mm, 1 MPa, 80 µs), one thread unless `--threads` says otherwise. `balance`: largest |T + U + D − W| over the largest W, and
over the largest D; `asymmetry`: largest difference of φ and its mirror image in any frame. Seconds are those of the whole run,
with history, frames and verdict, kernels compiled before; ns of CPU time are per cell and step.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, write

import phasefield as pf
from phasefield.analysis.running_crack import running_crack

SCENARIO = Path(__file__).parents[1] / "scenarios" / "dynamic_branching.yaml"
COARSE = {"grid.x.cells": 400, "grid.y.cells": 161}
FINE = {"grid.x.cells": 800, "grid.y.cells": 321}
RAMP = {"model.loads.0.ramp": 2.0e-6, "model.loads.1.ramp": 2.0e-6}
CASES: dict[str, dict[str, Any]] = {
    "AT2 spectral 0.25": COARSE,
    "AT2 volumetric 0.25": {**COARSE, "model.split": "volumetric_deviatoric"},
    "AT2 none 0.25": {**COARSE, "model.split": "none"},
    "AT2 rotated 0.25": {**COARSE, "model.elements": "rotated"},
    "AT1 spectral 0.25": {**COARSE, "model.dissipation": "AT1"},
    "AT2 history 0.25": {**COARSE, "model.irreversibility": "history"},
    "AT2 loose 0.25": {**COARSE, "model.damage_tolerance": 1e-3},
    "AT2 tight 0.25": {**COARSE, "model.damage_tolerance": 1e-5},
    "AT2 spectral 0.125": FINE,
    "AT2 volumetric 0.125": {**FINE, "model.split": "volumetric_deviatoric"},
    "AT2 ramp 0.125": {**FINE, **RAMP},
    "AT1 spectral 0.125": {**FINE, "model.dissipation": "AT1"},
}


def measures(changes: dict[str, Any], threads: int) -> dict[str, Any]:
    """What one case shows."""
    with tempfile.TemporaryDirectory() as folder:
        warm = {**changes, "time.end": 0.4e-6}
        pf.run(SCENARIO, warm, output=Path(folder) / "warm", threads=threads)
        began, cpu = time.perf_counter(), time.process_time()
        run = pf.run(SCENARIO, changes, output=Path(folder) / "run", threads=threads)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        scenario = pf.load_scenario(run.scenario)
        crack, history = running_crack(run, scenario), run.history
        left = np.abs(np.asarray(history["imbalance"]))
        frames = [run.frame("phi", i) for i in range(run.times.size)]
        steps, cells = int(history["steps"].values[-1]), scenario.grid.cells
        fork = crack.forks[0] if crack.forks else None
        return {
            "start_us": 1e6 * crack.start,
            "branching_us": 1e6 * crack.branching,
            "fork_mm": None if fork is None else 1e3 * fork.position[0],
            "fork_degrees": None if fork is None else fork.angle,
            "arrival_us": 1e6 * crack.arrival,
            "fastest": crack.fastest / crack.speeds.rayleigh,
            "mean": float((crack.length.max() / (crack.arrival - crack.start)) / crack.speeds.rayleigh),
            "balance_of_work": float(left.max() / history["work"].values.max()),
            "balance_of_cracks": float(left.max() / history["dissipated"].values.max()),
            "asymmetry": max(float(np.abs(phi - phi[::-1]).max()) for phi in frames),
            "steps": steps,
            "damage_iterations_per_step": float(history["damage_iterations"].values[-1]) / steps,
            "seconds": seconds,
            "cpu_ns": 1e9 * cpu / steps / cells,
            "threads": threads,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    path = RESULTS / "dynamic_branching.json"
    found = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else {}
    for name in options.cases:
        found[name] = measures(CASES[name], options.threads)
        print(name, {k: round(v, 5) if isinstance(v, float) else v for k, v in found[name].items()}, flush=True)
        write("dynamic_branching", {"cases": found})


if __name__ == "__main__":
    main()
