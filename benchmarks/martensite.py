"""What the theory page of the martensite claims, measured: `python benchmarks/martensite.py [SECTION …]`.

Sections: `steps`, how S delays a quench; `filter`, where noise lies before anything has transformed; `walls`, how many cells a
wall needs; `cost`, what a step costs beside one of Cahn–Hilliard (for docs/performance.md).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.analysis.landau import variant_wall
from phasefield.analysis.microstructure import variant_fractions, wall_normals, wall_orientation
from phasefield.bench import best_times, make_step
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.landau_martensite import Landau234
from phasefield.simulation import Simulation
from phasefield.spectral.grid import Axis, Grid

SCENARIOS = Path(__file__).parents[1] / "scenarios"
QUENCH = SCENARIOS / "martensite_2d.yaml"
SMALL = {f"grid.{axis}": {"cells": 128, "length": 128.0} for axis in "xy"}


def quench(changes: dict[str, Any]) -> Simulation:
    """The quench of `scenarios/martensite_2d.yaml` with some keys changed."""
    return Simulation.from_scenario(QUENCH, {"verify": False, **changes}, device="cpu")


def order_parameters(simulation: Simulation) -> np.ndarray:
    return np.stack(list(simulation.state.values()))


def steps() -> None:
    """Time at which half has transformed, for fixed steps (S = 12.1) and for error control."""
    print("scheme, step     1 + LSΔt   half transformed at t   rejected steps")
    for step in (0.02, 0.1, 0.5, 1.0, 5.0, 20.0, None):
        section = {"end": 4000.0} if step is None else {"end": 4000.0, "scheme": "imex1", "step": step}
        simulation = quench({"time": section, "stabilisation": None if step is None else 12.1, **SMALL})
        while simulation.stepper.mean(0) + simulation.stepper.mean(1) < 0.5:
            simulation.advance(until=simulation.time + (step or 0.1))
        label = "sbdf2, adaptive" if step is None else f"imex1, {step:g}"
        delay = "" if step is None else f"{1.0 + 12.1 * step:.1f}"
        print(f"{label:<16} {delay:>8}   {simulation.time:21.1f}   {simulation.counters.rejected}")
        simulation.close()


def filter_of_noise() -> None:
    """Share of the structure factor within 15° of ⟨11⟩, of η₁ − η₂ and summed over both, from noise of 0.01 onwards."""
    print("t    transformed   η₁ − η₂   summed")
    simulation = quench({f"initial.eta_{p}": {"mean": 0.0, "noise": 0.01} for p in (1, 2)} | {"stabilisation": None})
    normals = wall_normals(simulation.model.strains, 2)
    for until in (0.0, 1.0, 2.0, 5.0, 10.0, 12.0, 15.0, 20.0):
        simulation.advance(until=until)
        eta = order_parameters(simulation)
        shares = [wall_orientation(u, simulation.grid, normals).share for u in (eta[:1] - eta[1:], eta)]
        print(f"{until:<4g} {variant_fractions(eta, 1.0).sum():11.3f}   {shares[0]:.4f}    {shares[1]:.3f}")
    simulation.close()


def walls() -> None:
    """The wall of the closed form (2-3-4, A = −0.5) laid on cells of size 1 along ⟨11⟩, at 16 places between two layers of cells.

    The slope of its energy with the place is the load σ:(ε⁰₂ − ε⁰₁), in units of Δf, that has to be overcome to move it.
    """
    cells, places = 64, 16
    grid = Grid(tuple(Axis(name, cells, float(cells)) for name in "xy"))
    x = grid.coordinates()
    # Two walls per period; layers of cells are 1/√2 apart.
    period, area, layer = cells / np.sqrt(2.0), 2.0 * np.sqrt(2.0) * cells, np.sqrt(0.5)
    polynomial = Landau234(A=-0.5)
    f, values = polynomial.expression(("eta_1", "eta_2")), polynomial.parameter_values()
    print("κ     width   error of the energy   pinned below a load of")
    for kappa in (0.5, 1.0, 2.0, 4.0, 8.0):
        wall, energies = variant_wall(-0.5, 1.0, kappa), []
        for place in np.arange(places) * layer / places:
            s = ((x["x"] + x["y"]) / np.sqrt(2.0) + place) % period
            eta = wall.profile(s - 0.25 * period) * wall.profile(0.75 * period - s)
            state = {"eta_1": eta, "eta_2": 1.0 - eta}
            gradient = sum(GradientEnergy(kappa, name).energy(state, grid) for name in state)
            energies.append((float((f.evaluate(**state, **values) + 1.0).sum()) + gradient) / area)
        slope = np.abs(np.diff([*energies, energies[0]])).max() / (layer / places)
        print(f"{kappa:<5g} {wall.width:5.2f}   {np.mean(energies) / wall.energy - 1.0:19.1e}   {slope:.0e}")


def step_of(name: str, cells: tuple[int, ...], threads: int) -> tuple[Callable[[], None], Simulation]:
    """A function that makes one fixed step of a shipped quench on another grid, and its simulation."""
    grid = {f"grid.{axis}": {"cells": n, "length": float(n)} for axis, n in zip("xyz", cells, strict=False)}
    simulation = Simulation.from_scenario(
        SCENARIOS / name, {"verify": False, "time.end": 1e9, **grid}, device="cpu", threads=threads
    )
    stepper, dt = simulation.stepper, simulation.scenario.settings.time.step
    S = np.full(len(simulation.split.names), simulation.scenario.settings.stabilisation)

    def step() -> None:
        stepper.attempt(dt, S)
        stepper.accept()

    return step, simulation


def cost() -> None:
    """Milliseconds of a step of `imex1` with two threads, the best of many in which both models take turns."""
    # Processor time of one of the two threads is about what a step takes where nothing else runs.
    print("cells   variants   clock       martensite   Cahn–Hilliard   ratio")
    for name, cells in (("martensite_2d.yaml", (1024, 1024)), ("martensite_3d.yaml", (128, 128, 128))):
        made = [step_of(name, cells, 2), make_step(cells, "imex1", 2)]
        variants, box = len(made[0][1].split.names), f"{cells[0]}^{len(cells)}"
        for label, clock in (("wall", time.perf_counter), ("processor", time.thread_time)):
            martensite, other = best_times([step for step, _ in made], 30.0, clock)
            print(
                f"{box:<7} {variants:8d}   {label:<9}   {martensite:10.1f}   {other:13.2f}   {martensite / other:5.2f}"
            )
        for _, simulation in made:
            simulation.close()


SECTIONS = {"steps": steps, "filter": filter_of_noise, "walls": walls, "cost": cost}


if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        print(f"\n{name}: {SECTIONS[name].__doc__}")
        SECTIONS[name]()
