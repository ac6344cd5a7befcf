"""What the theory page of the martensite claims, measured: `python benchmarks/martensite.py [SECTION …]`.

Sections: `steps`, how S delays a quench; `filter`, where noise lies before anything has transformed; `walls`, how many cells a
wall needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.analysis.landau import variant_wall
from phasefield.analysis.microstructure import variant_fractions, wall_normals, wall_orientation
from phasefield.energy.gradient import GradientEnergy
from phasefield.energy.landau_martensite import Landau234
from phasefield.simulation import Simulation
from phasefield.spectral.grid import Axis, Grid

QUENCH = Path(__file__).parents[1] / "scenarios/martensite_2d.yaml"
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
        time = {"end": 4000.0} if step is None else {"end": 4000.0, "scheme": "imex1", "step": step}
        simulation = quench({"time": time, "stabilisation": None if step is None else 12.1, **SMALL})
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


SECTIONS = {"steps": steps, "filter": filter_of_noise, "walls": walls}


if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        print(f"\n{name}: {SECTIONS[name].__doc__}")
        SECTIONS[name]()
