"""What M(c) costs: steps of `sbdf2` with a formula and with a number as mobility, interleaved in one process, best of several.

python benchmarks/mobility.py [threads]     → benchmarks/results/mobility.json
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
from record import write

from phasefield.backend import available_threads
from phasefield.bench import best_times
from phasefield.simulation import Simulation

GRIDS = ((512, 512), (1024, 1024), (96, 96, 96))
SECONDS = 3.0


def simulation(mobility: float | str, cells: tuple[int, ...], threads: int) -> Simulation:
    return Simulation.from_scenario(
        {
            "model": {
                "name": "cahn_hilliard",
                "mobility": mobility,
                "gradient_energy": 2.0,
                "free_energy": "0.25*(c**2 - 1)**2",
            },
            "grid": {axis: {"cells": n, "length": float(n)} for axis, n in zip("xyz", cells, strict=False)},
            "initial": {"c": {"mean": 0.0, "noise": 0.01}},
            "time": {"end": 1e9, "step": 0.1},
        },
        device="cpu",
        threads=threads,
    )


def step(sim: Simulation) -> None:
    sim.stepper.attempt(0.1, np.array([1.0]))
    sim.stepper.accept()


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else available_threads()
    rows = []
    for cells in GRIDS:
        sims = [simulation(mobility, cells, threads) for mobility in (1.0, "1 - 0.5*c**2")]
        best = best_times([partial(step, sim) for sim in sims], SECONDS)
        for sim in sims:
            sim.close()
        name = " × ".join(map(str, cells))
        rows.append({"cells": name, "number_ms": best[0], "formula_ms": best[1], "ratio": best[1] / best[0]})
        print(f"{name:16s} {best[0]:7.2f} ms  {best[1]:7.2f} ms  {best[1] / best[0]:.2f}")
    write("mobility", {"threads": threads, "rows": rows})


if __name__ == "__main__":
    main()
