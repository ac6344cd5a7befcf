"""The damage solver: methods and preconditioners on a crack with the energy of its tip, cold and from the state before.

python benchmarks/damage_solver.py [cells]     → benchmarks/results/damage_solver.json

A square, no flux through its sides, a crack (φ = 1) from the left to the middle, and ψ⁺ = Gc/(2πr) ahead of its tip and
behind (the scale of a crack about to run), at most 10³ Gc/ℓ. `cold`: from the bounds. `warm`: the tip has moved on by one
cell, from the solution before. Tolerance 1e-6 of the projected scaled residual; products with A, and milliseconds (best of
several) on one thread.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from record import write

from phasefield.energy.fracture import CrackEnergy
from phasefield.mechanics.damage import DamageResult, DamageSolver
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid

ROUNDS, TOLERANCE = 5, 1e-6


def timed(solver: DamageSolver, *arguments: np.ndarray) -> tuple[DamageResult, float]:
    """The result and the shortest time in ms."""
    best, result = float("inf"), solver.solve(*arguments, TOLERANCE)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        result = solver.solve(*arguments, TOLERANCE)
        best = min(best, 1e3 * (time.perf_counter() - began))
    return result, best


def energy(grid: Grid, tip: int, ell: float) -> np.ndarray:
    """ψ⁺ around a tip, Gc = h = 1."""
    i = np.arange(grid.shape[0])
    x, y = i - tip, i - grid.shape[0] // 2
    r = np.hypot(y[:, None], x[None, :])
    return np.minimum(1.0 / (2.0 * np.pi * np.maximum(r, 0.5)), 1e3 / ell)


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    grid = Grid((Axis("x", cells, float(cells), "no_flux"), Axis("y", cells, float(cells), "no_flux")))
    tip = cells // 2
    before = np.zeros(grid.shape)
    before[cells // 2, :tip] = 1.0
    rows = []
    for dissipation in names("dissipation"):
        for ell in (4.0, 8.0):
            cracks = CrackEnergy(grid, 1.0, ell, dissipation)
            for method in names("damage_method"):
                for preconditioner in names("damage_preconditioner"):
                    solver = DamageSolver(cracks, method=method, preconditioner=preconditioner)
                    cold, cold_ms = timed(solver, before, before, energy(grid, tip, ell))
                    warm, warm_ms = timed(solver, cold.phi, cold.phi, energy(grid, tip + 1, ell))
                    row = {
                        "dissipation": dissipation,
                        "ell_over_h": ell,
                        "method": method,
                        "preconditioner": preconditioner,
                        "cold": cold.iterations,
                        "cold_ms": cold_ms,
                        "warm": warm.iterations,
                        "warm_ms": warm_ms,
                    }
                    rows.append(row)
                    print(
                        f"{dissipation} ℓ = {ell:g}h  {method:10s} {preconditioner:9s} "
                        f"cold {cold.iterations:5d} {cold_ms:8.1f} ms   warm {warm.iterations:4d} {warm_ms:7.1f} ms"
                    )
    write("damage_solver", {"cells": cells, "tolerance": TOLERANCE, "threads": 1, "rows": rows})


if __name__ == "__main__":
    main()
