"""PFHub benchmark 7: orders of accuracy, and what an error costs: `python benchmarks/pfhub_7a.py [orders] [7a] [7b] [7c]`.

Orders: the L2 error of 7a against fixed steps for every scheme, and against cells for both Laplacians. As the benchmark asks,
log E = p log R + b is fitted over the errors in [1e-4, 5e-3]. Cost, as PFHub defines it: time × cores × clock / 2 GHz at levels
of the error, for the cheapest cells and steps found. Runs take one thread and its processor time, the wall time of an idle core.

7b has κ = 1.5625e-6, interfaces 16 times thinner; 7c is 7b with C₂ = 0.5. Some minutes.
Writes `benchmarks/results/pfhub_7a.json`; what is not measured again is kept.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import record

import phasefield as pf
from phasefield.output.provenance import cpu_model
from phasefield.simulation import Simulation

SCENARIO = Path(__file__).parents[1] / "scenarios/pfhub/7a.yaml"
WINDOW = (1e-4, 5e-3)
END = 8.0
# Numbers of steps to t = 8 from which the studies of a scheme start, and how often each is doubled.
STEPS = {"imex1": ((120,), 6), "sbdf2": ((10, 15), 4), "etdrk2": ((10, 15), 4), "etdrk4": ((4, 5, 6, 7), 5)}
# Cells along y; there are twice as many along x. Steps are small enough that the error is that of the grid.
FINE = 128
CELLS = {"spectral": (36, 40, 44, 48, 56, 64, 72, 80, 96), "finite_difference": (60, 90, 120, 180, 240, 360)}
FINE_STEPS = 160


@dataclass(frozen=True)
class Part:
    """A problem of the cost study: parameters, the cells along y tried for every level of the error, levels of the schemes."""

    kappa: float
    c2: str
    cells: dict[float, tuple[int, ...]]
    levels: dict[str, tuple[float, ...]]
    # Steps tried first, for the largest level, and by which factor they differ in the end.
    first: int
    resolution: float


SMALL = {5e-3: (45,), 1e-3: (60, 64), 1e-4: (84,)}
LARGE = {5e-3: (384,), 1e-3: (640,), 1e-4: (960,)}
EVERY = {scheme: tuple(SMALL) for scheme in ("imex1", "sbdf2", "etdrk2", "etdrk4")}
# Searches of whole minutes are left out: those of imex1 and etdrk2, and of sbdf2 for the smallest error.
QUICK = {"sbdf2": (5e-3, 1e-3), "etdrk4": (5e-3, 1e-3, 1e-4)}
PARTS = {
    "7a": Part(0.0004, "0.0625*pi", SMALL, EVERY, 4, 1.15),
    "7b": Part(1.5625e-6, "0.0625*pi", LARGE, QUICK, 20, 1.5),
    "7c": Part(1.5625e-6, "0.5", LARGE, QUICK, 20, 1.5),
}


@dataclass(frozen=True)
class Result:
    cells: int
    steps: int
    error: float
    seconds: float


@functools.cache
def run(name: str, scheme: str, cells: int, steps: int, laplacian: str = "spectral") -> Result:
    """One run to t = 8 in one thread; compilation and the fields of the start are not timed."""
    part = PARTS[name]
    solution = f"0.5*(1 - tanh((y - 0.25 - 0.0075*t*sin(8*pi*x) - 0.03*sin(22*pi*x + {part.c2}*t))/sqrt({2.0 * part.kappa!r})))"
    values: dict[str, Any] = {"grid.x.cells": 2 * cells, "grid.y.cells": cells, "model.gradient_energy": part.kappa}
    values |= {"manufactured.phi": solution, "model.laplacian": laplacian}
    values |= {"time.scheme": scheme, "time.step": END / steps}
    simulation = Simulation.from_scenario(SCENARIO, values, device="cpu", threads=1)
    try:
        began = time.process_time()
        simulation.advance()
        seconds = time.process_time() - began
        rejected = simulation.counters.rejected
        error = math.inf if rejected else pf.l2_error(simulation)["phi"]
    except pf.NumericalError:
        error, seconds = math.inf, math.nan
    finally:
        simulation.close()
    return Result(cells, steps, error, seconds)


def fitted(sizes: list[float], errors: list[float]) -> float | None:
    """p of log E = p log R + b over the errors of the window; None with fewer than three."""
    inside = [(r, e) for r, e in zip(sizes, errors, strict=True) if WINDOW[0] <= e <= WINDOW[1]]
    if len(inside) < 3:
        return None
    r, e = np.log(np.array(inside)).T
    return float(np.polyfit(r, e, 1)[0])


def orders() -> dict[str, Any]:
    """Errors and fitted orders against step and size of a cell."""
    temporal, spatial = {}, {}
    for scheme, (starts, doublings) in STEPS.items():
        grid = {"time.scheme": scheme, "grid.x.cells": 2 * FINE, "grid.y.cells": FINE}
        found: list[tuple[float, float]] = []
        for first in starts:
            rows = pf.convergence(SCENARIO, grid, time=doublings + 1, space=0, step=END / first, threads=1)
            found += [(row.step, row.error) for row in rows]
        steps, errors = (list(column) for column in zip(*sorted(found, reverse=True), strict=True))
        temporal[scheme] = {"step": steps, "error": errors, "order": fitted(steps, errors)}
        print(f"{scheme:<8}order {temporal[scheme]['order']:.3f}  " + "  ".join(f"{e:.2e}" for e in errors), flush=True)
    for laplacian, cells in CELLS.items():
        runs = [run("7a", "etdrk4", n, FINE_STEPS, laplacian) for n in cells]
        sizes, errors = [0.5 / r.cells for r in runs], [r.error for r in runs]
        spatial[laplacian] = {"mesh_size": sizes, "error": errors, "order": fitted(sizes, errors)}
        print(f"{laplacian:<18}order {spatial[laplacian]['order']:.3f}  " + "  ".join(f"{e:.2e}" for e in errors))
    return {"temporal": temporal, "spatial": spatial}


def fewest_steps(name: str, scheme: str, cells: int, level: float, first: int) -> Result | None:
    """The run with the largest steps whose error is within the level; None where that of the grid is too large."""
    steps = first
    while (error := run(name, scheme, cells, steps).error) > level:
        if steps > first and error > 0.98 * run(name, scheme, cells, steps // 2).error:
            return None
        steps *= 2
    low, high = steps // 2, steps
    while high > PARTS[name].resolution * low and high > low + 1:
        middle = round(math.sqrt(low * high))
        low, high = (low, middle) if run(name, scheme, cells, middle).error <= level else (middle, high)
    return run(name, scheme, cells, high)


def cost(name: str, clock: float) -> list[dict[str, Any]]:
    """The cheapest run by scheme and level."""
    rows, part = [], PARTS[name]
    for scheme, levels in part.levels.items():
        first = part.first
        for level in levels:
            found = [r for n in part.cells[level] if (r := fewest_steps(name, scheme, n, level, first))]
            best = min(found, key=lambda r: r.seconds, default=None)
            if best is None:
                print(f"{scheme:<8}{level:g}: no grid is fine enough")
                continue
            first = best.steps
            row = {"scheme": scheme, "level": level, "cells": [2 * best.cells, best.cells], "steps": best.steps}
            row |= {"error": best.error, "seconds": best.seconds, "cost": best.seconds * clock / 2.0}
            rows.append(row)
            print(
                f"{scheme:<8}{level:<8g}{2 * best.cells:>5} × {best.cells:<5}{best.steps:>6} steps  error {best.error:.2e}  "
                f"{best.seconds:8.3f} s  cost {row['cost']:.3f}",
                flush=True,
            )
    return rows


def clock_ghz() -> float:
    """Clock of the processor as Linux tells it."""
    found = re.search(r"cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit("the clock of this processor is unknown; say --clock GHZ")
    return float(found[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="orders, 7a, 7b, 7c; all when absent")
    parser.add_argument("--clock", type=float, help="of a core, GHz")
    arguments = parser.parse_args()
    clock = arguments.clock or clock_ghz()
    what = arguments.what or ["orders", *PARTS]
    path = record.RESULTS / "pfhub_7a.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content = {"orders": old.get("orders"), "cost": old.get("cost", {}), "cpu": cpu_model(), "clock_ghz": clock}
    if "orders" in what:
        content["orders"] = orders()
        record.write("pfhub_7a", content)
    for name in (n for n in PARTS if n in what):
        print(name)
        content["cost"][name] = cost(name, clock)
        record.write("pfhub_7a", content)


if __name__ == "__main__":
    main()
