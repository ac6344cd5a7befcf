"""PFHub benchmark 8a: the fate of the three seeds, and convergence in space: `python benchmarks/pfhub_8a.py`.

Part one: solid fraction of seeds of 0.99, 1 and 1.01 r* as shipped. Part two: the L₂ distance of φ at t = 100 and 200 from that
on the finest spectral grid, for r₀ = 1.01 r*, spectral and with finite differences; √(Σ (φ − φ_finest)² Δx Δy), where the coarser
field is interpolated to the finest grid by its Fourier series. A minute or two. Writes `benchmarks/results/pfhub_8a.json`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import record

from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At

SCENARIO = Path(__file__).parents[1] / "scenarios/pfhub/8a.yaml"
RADII = {"0.99": 4.95, "1": 5.0, "1.01": 5.05}
TIMES = (50.0, 100.0, 150.0, 200.0)
# The finest one comes first: the others are compared with it.
GRIDS = {"spectral": (320, 160, 120, 100, 80), "finite_difference": (320, 160, 80)}
# Errors of the steps have to be far below those of the grid.
TOLERANCES = {"spectral": 1e-6, "finite_difference": 1e-5}
LENGTH = 100.0


class States:
    """Observer: fraction, energy and, of some times, the field."""

    def __init__(self, keep: tuple[float, ...] = ()) -> None:
        self.schedule, self.keep = At(TIMES), keep
        self.fractions: list[float] = []
        self.energies: list[float] = []
        self.fields: dict[float, np.ndarray] = {}

    def observe(self, simulation: Simulation) -> None:
        self.fractions.append(float(simulation.stepper.mean(0)))
        self.energies.append(simulation.energies.total)
        if simulation.time in self.keep:
            self.fields[simulation.time] = simulation.state["phi"].copy()


def follow(states: States, **overrides: Any) -> float:
    """Run the scenario; returns the seconds."""
    began = time.perf_counter()
    simulation = Simulation.from_scenario(SCENARIO, overrides, device="cpu")
    try:
        simulation.advance(observers=[states])
    finally:
        simulation.close()
    return time.perf_counter() - began


def refined(phi: np.ndarray, cells: int) -> np.ndarray:
    """The Fourier series of a periodic field of cell averages at points, on the centres of finer cells."""
    n = phi.shape[0]
    k = np.fft.fftfreq(n, 1.0 / n)
    # Cell centres lie half a cell off the origin, on either grid.
    shift = np.exp(-2j * np.pi * k * (0.5 / n - 0.5 / cells))
    modes = np.fft.fft2(phi) * shift[:, None] * shift[None, :]
    if n % 2 == 0:
        modes[n // 2, :] = modes[:, n // 2] = 0.0
    finer = np.zeros((cells, cells), complex)
    index = k.astype(int)
    finer[np.ix_(index, index)] = modes
    return np.fft.ifft2(finer).real * (cells / n) ** 2


def convergence() -> dict[str, list[dict[str, Any]]]:
    """Fractions and L₂ distances on every grid, by Laplacian."""
    finest: dict[float, np.ndarray] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for laplacian, grids in GRIDS.items():
        for n in grids:
            states = States((100.0, 200.0))
            grid = {f"grid.{axis}.cells": n for axis in "xy"}
            steps = {"model.laplacian": laplacian, "time.step.tolerance": TOLERANCES[laplacian]}
            row: dict[str, Any] = {"cells": n, "spacing": LENGTH / n, "seconds": follow(states, **grid, **steps)}
            row["fraction"] = by_time(states.fractions)
            if not finest:
                finest = states.fields
            else:
                cells = finest[TIMES[-1]].shape[0]
                for t, phi in states.fields.items():
                    difference = refined(phi, cells) - finest[t]
                    row[f"l2_{t:g}"] = float(np.sqrt(np.sum(difference**2)) * LENGTH / cells)
            rows.setdefault(laplacian, []).append(row)
            errors = "  ".join(f"{k} {v:.3e}" for k, v in row.items() if k.startswith("l2"))
            print(f"{laplacian:<18}{n:>4}²  fraction at 200: {states.fractions[-1]:.8f}  {errors}", flush=True)
    return rows


def by_time(values: list[float]) -> dict[str, float]:
    return {f"{t:g}": v for t, v in zip(TIMES, values, strict=True)}


def main() -> None:
    seeds = {}
    for name, radius in RADII.items():
        states = States()
        seconds = follow(states, **{"initial.phi.shapes.0.disc.radius": radius})
        seeds[name] = {"fraction": by_time(states.fractions), "seconds": seconds}
        print(f"r0 = {name} r*: " + ", ".join(f"{f:.6f} at {t}" for t, f in seeds[name]["fraction"].items()))
    record.write("pfhub_8a", {"seeds": seeds, "convergence": convergence()})


if __name__ == "__main__":
    main()
