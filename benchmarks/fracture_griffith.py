"""Phase-field cracks against Griffith's theory: `python benchmarks/fracture_griffith.py` (about ten minutes on one core).

* `strips`: energy release rate of a crack that runs along a periodic strip, against Gc_num of the grid and against what it takes
  to break a column of cells (`phasefield.analysis.strip`).
* `surfing`: J of a crack that follows a moving crack-tip field, against Gc_num and what its trail has dissipated.
* `centre_crack`: the load of a growing centre crack, against Griffith's for the length its stiffness tells.
* `sizes`: the largest load of plates with cracks from ℓ/4 to 8ℓ, AT1: from the strength σ_c to Griffith's load.

Split `none`, η = 1e-9, dissipation control where the load is one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import record

from phasefield.analysis.centre_crack import CentreCrack, centre_crack_scenario
from phasefield.analysis.strip import StripTheory
from phasefield.analysis.surfing import Surfing
from phasefield.simulation import Simulation

E, GC = 1000.0, 1.0


def strip(height: int, ell: float, dissipation: str, nu: float, irreversibility: str = "bounds") -> dict[str, Any]:
    """Mean G of the steps in which a quarter to a half of the ligament has broken; six heights long, half of it cracked."""
    length, middle = 6 * height, 0.5 * height + 0.5
    grow = {"AT1": 1.5, "AT2": 2.3}[dissipation] * height
    scenario = {
        "model": {
            "name": "fracture",
            "dissipation": dissipation,
            "irreversibility": irreversibility,
            "toughness": GC,
            "length": ell,
            "young_modulus": E,
            "poisson_ratio": nu,
            "mean": {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}},
            "load": [{"until": 1.0, "dissipation": grow}],
        },
        "grid": {"x": {"cells": length, "length": length}, "y": {"cells": height, "length": height}},
        "initial": {"phi": {"shapes": [{"slit": {"from": [0.25 * length, middle], "to": [0.75 * length, middle]}}]}},
        "time": {"end": 1.0, "step": 0.125 * height / grow},
    }
    simulation = Simulation.from_scenario(scenario, threads=1)
    theory = StripTheory(
        height, 1.0, E / (1 - nu**2), E * (1 - nu) / ((1 + nu) * (1 - 2 * nu)), GC, ell, dissipation,
        heals=irreversibility == "crack_set",
    )  # fmt: skip
    rows: list[dict[str, float]] = []
    simulation.advance(on_step=lambda s: rows.append(s.history_row()))
    cost = simulation.problem.cracks.numerical_toughness
    simulation.close()
    strain = np.array([r["mean_strain_yy"] for r in rows])
    stress = np.array([r["mean_stress_yy"] for r in rows])
    whole = theory.modulus * strain * (1.0 - np.array([theory.damage(e) for e in strain])) ** 2
    share = stress / whole
    chosen = (share < 0.75 * share[0]) & (share > 0.5 * share[0])
    G = np.array([theory.driving(e) for e in strain[chosen]])
    return {
        "height": height,
        "ell": ell,
        "dissipation": dissipation,
        "poisson_ratio": nu,
        "irreversibility": irreversibility,
        "strain": float(strain[chosen].mean() / theory.griffith_strain),
        "G": float(G.mean()) / cost,
        "spread": float(np.ptp(G)) / cost,
        "column": theory.release / cost,
    }


def surfing(
    cells: int, resolution: float, dissipation: str, contour: tuple[int, int], **options: Any
) -> dict[str, Any]:
    """Means over the last third of 44 cells of surfing, 4 at a time."""
    run = Surfing(cells, resolution, dissipation, **options)
    found = [run.move(0.5 + k * run.h, (contour[0] * run.h, contour[1] * run.h)) for k in range(0, 45, 4)]
    passes = run.problem.effort.passes
    run.close()
    J, trail = np.array([(s.J, s.trail) for s in found[8:]]).T
    return {
        "cells": cells,
        "ell": resolution,
        "dissipation": dissipation,
        "contour": list(contour),
        "J": float(J.mean()),
        "spread": float(np.ptp(J)),
        "trail": float(trail.mean()),
        "passes": passes,
    }


def centre_crack(
    cells: int, width: int, height: int, ell: float, grow: float, step: float, enough: float = 0.0
) -> dict[str, Any]:
    """Growth of a slit of `cells` cells; ends once the load has fallen to the share `enough` of its largest."""
    simulation = Simulation.from_scenario(centre_crack_scenario(cells, width, height, ell, grow, step), threads=1)
    cost = simulation.problem.cracks.numerical_toughness
    plate = CentreCrack(float(width), float(height), E, cost)
    first, rows = simulation.balance.cracks, []
    while not simulation.finished and (not rows or rows[-1]["stress"] >= enough * max(r["stress"] for r in rows)):
        simulation.advance(until=min(1.0, simulation.time + step / grow))
        strain = simulation.history_row()["mean_strain_yy"]
        a = plate.half_length(strain, simulation.load)
        rows.append(
            {
                "grown": (simulation.balance.cracks - first) / cost,
                "stress": simulation.load,
                "half_length": a,
                "over_griffith": simulation.load / plate.griffith(a),
            }
        )
    simulation.close()
    strength = float(np.sqrt(3.0 * E * GC / (8.0 * ell)))
    peak = max(r["stress"] for r in rows)
    return {
        "half": 0.5 * cells,
        "width": width,
        "height": height,
        "ell": ell,
        "wide": plate.wide(0.5 * cells) / ell,
        "peak": peak / strength,
        "griffith": plate.griffith(0.5 * cells) / strength,
        "rows": rows,
    }


def sizes() -> list[dict[str, Any]]:
    """2a from 2 to 64 cells at ℓ = 4h, and some of them at ℓ = 8h; W = H = 8a, 96 at least."""
    found = []
    for cells, ell in ((2, 4.0), (4, 4.0), (8, 4.0), (16, 4.0), (32, 4.0), (64, 4.0), (4, 8.0), (16, 8.0), (32, 8.0)):
        size = max(24 * round(ell), 4 * cells)
        one = centre_crack(cells, size, 2 * size if cells > 32 else size, ell, 4.0 * ell, 0.25 * ell, enough=0.98)
        found.append({k: v for k, v in one.items() if k != "rows"})
        print(f"2a = {cells:2}h, ℓ = {ell:g}h: σ/σ_c {one['peak']:.3f}, Griffith {one['griffith']:.3f}", flush=True)
    return found


def main() -> None:
    strips = []
    for case in (
        (32, 4.0, "AT1", 0.0), (32, 4.0, "AT1", 0.3), (64, 4.0, "AT1", 0.0), (64, 4.0, "AT1", 0.3), (64, 8.0, "AT1", 0.0),
        (32, 4.0, "AT2", 0.3, "crack_set"), (64, 4.0, "AT2", 0.3, "crack_set"), (32, 4.0, "AT2", 0.3), (64, 4.0, "AT2", 0.3),
    ):  # fmt: skip
        strips.append(strip(*case))
        r = strips[-1]
        print(f"strip {case}: G/Gc_num {r['G']:.4f} ± {0.5 * r['spread']:.4f}, column {r['column']:.4f}", flush=True)
    surfs = []
    for case in ((64, 4.0, "AT1", (12, 18)), (64, 4.0, "AT1", (18, 24)), (64, 6.0, "AT1", (18, 24))):
        surfs.append(surfing(*case))
        r = surfs[-1]
        print(f"surfing {case}: J/Gc_num {r['J']:.4f} ± {0.5 * r['spread']:.4f}, trail {r['trail']:.4f}", flush=True)
    size_effect = sizes()
    long = centre_crack(80, 256, 512, 4.0, 24.0, 4.0)
    for r in long["rows"]:
        print(f"a = {r['half_length']:.2f}h, grown {r['grown']:.2f}h: σ/Griffith {r['over_griffith']:.4f}", flush=True)
    record.write("fracture_griffith", {"strips": strips, "surfing": surfs, "centre_crack": long, "sizes": size_effect})


if __name__ == "__main__":
    main()
