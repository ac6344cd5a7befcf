"""What boundaries cost: steps of `imex1` in one process, interleaved, best of several; ratio to the periodic box.

python benchmarks/boundaries.py [threads]     → benchmarks/results/boundaries.json
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
from record import write

from phasefield.backend import available_threads
from phasefield.bench import best_times
from phasefield.simulation import Simulation

BOXES = {
    1024: [
        ("periodic", "periodic"),
        ("no_flux", "no_flux"),
        ("fixed", "fixed"),
        ("periodic", "no_flux"),
        ("fixed", "periodic"),
    ],
    128: [("periodic",) * 3, ("no_flux",) * 3, ("fixed",) * 3, ("periodic", "fixed", "no_flux")],
}
SECONDS = 3.0


def simulation(mix: tuple[str, ...], cells: int, threads: int) -> Simulation:
    axis = {"cells": cells, "length": float(cells)}
    return Simulation.from_scenario(
        {
            "model": {"name": "cahn_hilliard", "gradient_energy": 2.0, "free_energy": "0.25*(c**2 - 1)**2"},
            "grid": {name: {**axis, "boundary": boundary} for name, boundary in zip("xyz", mix, strict=False)},
            "initial": {"c": {"mean": 0.0, "noise": 0.01}},
            "time": {"end": 1e9, "step": 0.1, "scheme": "imex1"},
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
    for cells, mixes in BOXES.items():
        sims = [simulation(mix, cells, threads) for mix in mixes]
        best = best_times([partial(step, sim) for sim in sims], SECONDS)
        for sim in sims:
            sim.close()
        for mix, milliseconds in zip(mixes, best, strict=True):
            row = {"cells": cells, "boundaries": " ".join(mix), "ms": milliseconds, "ratio": milliseconds / best[0]}
            rows.append(row)
            print(f"{cells:5d}  {row['boundaries']:28s} {row['ms']:7.2f} ms  {row['ratio']:.2f}")
    write("boundaries", {"threads": threads, "rows": rows})


if __name__ == "__main__":
    main()
