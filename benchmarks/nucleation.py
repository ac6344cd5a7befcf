"""PFHub benchmarks 8b and 8c, repeated: `python benchmarks/nucleation.py [--repeats 10] [8b] [8c] [-s key=value …]`.

Transformed fraction Y, energy and number of particles over time for seeds at other places (and times) in every repeat; the Avrami
exponent of each, fitted over 0.023 < Y < 0.9, with mean, scatter and the error of the mean; and a fit of the mean curve. Writes
`benchmarks/results/nucleation_<name>.json`.

Theory: n = 2 for 25 seeds at t = 0, K = π v² N/V with the velocity v; n = 3 for seeds at a constant rate, K = π v² J/3.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from record import write

from phasefield.analysis.avrami import avrami, expected_exponent
from phasefield.output.particles import particles
from phasefield.scenario import load_scenario
from phasefield.scenario.document import scalar
from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At

FOLDER = Path(__file__).parents[1] / "scenarios/pfhub"
# Rows of the fit; of every fifth the particles are counted, and it is written down.
ROWS, EVERY = 200, 5


class Watch:
    """Observer: fraction, energy and particles over time."""

    def __init__(self, times: np.ndarray):
        self.schedule = At(tuple(times))
        self.rows: list[tuple[float, float, float, float]] = []

    def observe(self, simulation: Simulation) -> None:
        count = math.nan
        if (len(self.rows) + 1) % EVERY == 0:
            count = particles(simulation.state["phi"], simulation.grid).count
        self.rows.append((simulation.time, simulation.stepper.mean(0), simulation.energies.total, count))


def repeat(name: str, seed: int, overrides: dict[str, Any]) -> dict[str, Any]:
    """One run with its own seed."""
    began = time.perf_counter()
    scenario = load_scenario(FOLDER / f"{name}.yaml", {**overrides, "seed": seed})
    expected, start, _ = expected_exponent(scenario)
    # Less than a few per cent are left to transform in the second half of the published time.
    times = np.linspace(0.0, 0.5 * scenario.settings.time.end, ROWS + 1)[1:]
    watch = Watch(times)
    simulation = Simulation.from_scenario(scenario, device="cpu")
    simulation.advance(until=float(times[-1]), observers=[watch])
    simulation.close()
    t, y, energy, count = np.array(watch.rows).T
    fit = avrami(t - start, y)
    print(f"{name} seed {seed}: n = {fit.exponent:.3f}, {simulation.counters.steps} steps, "
          f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    return {
        "seed": seed,
        "exponent": fit.exponent,
        "rate": math.exp(fit.log_rate),
        "expected": expected,
        "steps": simulation.counters.steps,
        "seconds": time.perf_counter() - began,
        "curves": (t, y, energy, count),
        "most_particles": int(np.nanmax(count)),
        "energy_added": simulation.nuclei.energy_added,
    }


def benchmark(name: str, repeats: int, overrides: dict[str, Any]) -> None:
    scenario = load_scenario(FOLDER / f"{name}.yaml", overrides)
    runs = [repeat(name, seed, overrides) for seed in range(1, repeats + 1)]
    t = runs[0]["curves"][0]
    curves = np.stack([[r["curves"][i] for r in runs] for i in (1, 2, 3)])
    mean, scatter = curves.mean(axis=1), curves.std(axis=1, ddof=1)
    exponents = np.array([r["exponent"] for r in runs])
    of_mean = avrami(t, mean[0])
    shown = slice(EVERY - 1, None, EVERY)
    spread = float(exponents.std(ddof=1))
    result = {
        "scenario": f"scenarios/pfhub/{name}.yaml",
        "overrides": overrides,
        "cells": [a.cells for a in scenario.grid.axes],
        "repeats": repeats,
        "expected_exponent": runs[0]["expected"],
        "mean_exponent": float(exponents.mean()),
        "standard_deviation": spread,
        "error_of_the_mean": spread / math.sqrt(repeats),
        "exponent_of_the_mean_curve": of_mean.exponent,
        "rate_of_the_mean_curve": math.exp(of_mean.log_rate),
        "runs": [{k: v for k, v in r.items() if k not in ("curves", "expected")} for r in runs],
        "time": t[shown].tolist(),
        "fraction": mean[0][shown].tolist(),
        "fraction_scatter": scatter[0][shown].tolist(),
        "energy": mean[1][shown].tolist(),
        "particles": mean[2][shown].tolist(),
        "particles_scatter": scatter[2][shown].tolist(),
    }
    write(f"nucleation_{name}", result)
    print(f"{name}: n = {exponents.mean():.3f} ± {spread:.3f} (expected {runs[0]['expected']})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["8b", "8c"])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("-s", action="append", default=[], help="key=value, as for `phasefield run`")
    arguments = parser.parse_args()
    overrides = {key: scalar(value) for key, value in (text.split("=", 1) for text in arguments.s)}
    for name in arguments.names or ["8b", "8c"]:
        benchmark(name, arguments.repeats, overrides)


if __name__ == "__main__":
    main()
