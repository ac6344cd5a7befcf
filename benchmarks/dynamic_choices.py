"""What the choices of explicit dynamic fracture are worth, on the branching plate with 400 × 161 cells.

python benchmarks/dynamic_choices.py     → benchmarks/results/dynamic_choices.json

`late`: the force of a step with the damage of the step before; the balance at 80 µs over W and over D. `disturbed`: displacements
changed by 1e-12 of themselves at 1 µs; the largest difference of φ and its mirror image every 10 µs. `damage`: nanoseconds per
cell of the damage of one step, of all cells by the full solver and of those that change, from the same states at 12, 30 and
60 µs; the least of several repetitions on one thread.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from record import write

import phasefield as pf
from phasefield.mechanics.damage_steps import DamageSteps

SCENARIO = Path(__file__).parents[1] / "scenarios" / "dynamic_branching.yaml"
COARSE = {"grid.x.cells": 400, "grid.y.cells": 161}


def simulation() -> Any:
    return pf.Simulation.from_scenario(SCENARIO, COARSE, threads=1)


def balance(late: bool) -> dict[str, float]:
    """At 80 µs, with the force of the present damage or that of the step before."""
    sim = simulation()
    if late:
        push, crack, kept = sim.body.push, sim._crack, {"phi": sim.running.phi}

        def crack_later(size: float) -> None:
            kept["phi"] = sim.running.phi
            crack(size)

        sim._crack = crack_later
        sim.body.push = lambda phi, step: push(kept["phi"], step)
    sim.advance()
    row = sim.history_row()
    sim.close()
    return {"of_work": row["imbalance"] / row["work"], "of_cracks": row["imbalance"] / row["dissipated"]}


def disturbed(share: float) -> list[float]:
    """max |φ − mirror image| at 10, 20, …, 80 µs."""
    sim, found = simulation(), []
    sim.advance(until=1e-6)
    sim.body.u *= 1.0 + share * np.random.default_rng(0).standard_normal(sim.body.u.shape)
    for step in range(1, 9):
        sim.advance(until=step * 1e-5)
        found.append(float(np.abs(sim.phi - sim.phi[::-1]).max()))
    sim.close()
    return found


def damage() -> list[dict[str, float]]:
    """ns per cell of one damage solution, both ways."""
    sim, found = simulation(), []
    tolerance, steps = sim.model.parameters.damage_tolerance, DamageSteps(sim.damage, 1)
    for moment in (12e-6, 30e-6, 60e-6):
        sim.advance(until=moment)
        # The state before the damage of the next step.
        before, phi = sim.running.before.copy(), sim.running.phi.copy()
        sim.body.move(sim.last_size)
        drive = np.zeros(sim.grid.shape)
        sim.body.energies(drive, driving=True)
        sim.body.move(-sim.last_size)
        start = np.clip(2.0 * phi - before, phi, 1.0)
        full = least(lambda s=start, p=phi, d=drive: sim.damage.solve(s, p, d, tolerance))
        few = least(lambda b=before, p=phi, d=drive: steps.follow(b, p, d, tolerance))
        found.append({"time": moment, "all_cells_ns": full / sim.grid.cells, "changing_cells_ns": few / sim.grid.cells})
    steps.close()
    sim.close()
    return found


def least(call: Any, repetitions: int = 15) -> float:
    """Nanoseconds of the fastest call."""
    best = np.inf
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return 1e9 * best


def main() -> None:
    result = {
        "present": balance(late=False),
        "late": balance(late=True),
        "disturbed": disturbed(1e-12),
        "damage": damage(),
    }
    print(result)
    write("dynamic_choices", result)


if __name__ == "__main__":
    main()
