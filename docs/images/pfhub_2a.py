"""Figure of PFHub 2a: our curve, and published runs over the same problem solved here, whatever it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pfhub_curves import SCENARIOS, one_plot, published

from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At
from phasefield.visual.style import BLUE, GREEN, ORANGE, RED, frameless, styled

SCENARIO: Path = SCENARIOS / "2a.yaml"
START = 0.1
ROWS_PER_DECADE = 14
PARAMETERS = ("eta_1", "eta_2", "eta_3", "eta_4")
KAPPA = 3.0


class Energies:
    """Observer, at logarithmic times: energy; energy without the gradients of the order parameters; without any gradients."""

    def __init__(self, end: float) -> None:
        number = round(ROWS_PER_DECADE * np.log10(end / START)) + 1
        self.times = np.geomspace(START, end, number)
        self.schedule = At(tuple(self.times))
        self.rows: list[tuple[float, float, float]] = []

    def observe(self, simulation: Simulation) -> None:
        y, x = (2.0 * np.pi * np.fft.fftfreq(axis.cells, axis.length / axis.cells) for axis in simulation.grid.axes)
        k2, state = y[:, None] ** 2 + x[None, :] ** 2, simulation.state
        # Parseval: Σ |∇φ|² ΔV = Σ k² |φ̂|² ΔV / cells.
        half = 0.5 * KAPPA * simulation.grid.cell_volume / k2.size
        gradients = {name: half * float(np.sum(k2 * np.abs(np.fft.fft2(u)) ** 2)) for name, u in state.items()}
        total = simulation.energies.total
        partial = total - sum(gradients[name] for name in PARAMETERS)
        self.rows.append((total, partial, partial - gradients["c"]))


def energies(end: float, overrides: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """Times, and the three energies."""
    watch = Energies(end)
    values = {"time.end": end, "output.fields": {"every": end}, **overrides}
    simulation = Simulation.from_scenario(SCENARIO, values, device="cpu")
    try:
        simulation.advance(observers=[watch])
    finally:
        simulation.close()
    return (watch.times, *np.array(watch.rows).T)


def frichtl() -> dict[str, str]:
    """A start in which (0.11 + 0.01 i) y has become 0.12 y."""
    changed = {}
    for i, name in enumerate(PARAMETERS, start=1):
        slow = f"cos({0.01 * i:.2f}*x - 4)*cos({0.007 + 0.01 * i:.3f}*y) + cos({0.11 + 0.01 * i:.2f}*x)*cos(0.12*y)"
        beat = (
            f"(cos({0.046 + 0.001 * i:.3f}*x + {0.0405 + 0.001 * i:.4f}*y)"
            f"*cos({0.031 + 0.001 * i:.3f}*x - {0.004 + 0.001 * i:.3f}*y))**2"
        )
        changed[f"initial.{name}"] = f"0.1*({slow} + 1.5*{beat})**2"
    return changed


def guan() -> dict[str, str]:
    """A start with ε = 0.01 in place of 0.05."""
    waves = "cos(0.105*x)*cos(0.11*y) + (cos(0.13*x)*cos(0.087*y))**2 + cos(0.025*x - 0.15*y)*cos(0.07*x - 0.02*y)"
    return {"initial.c": f"0.5 + 0.01*({waves})"}


@styled
def figure_ripening() -> Figure:
    """Free energy over time, both logarithmic; marks: published, lines of the same colour: the same problem here."""
    figure, axes = one_plot()
    own, other, third = energies(1.0e4, {}), energies(2000.0, frichtl()), energies(400.0, guan())
    axes.plot(own[0], own[1], color=BLUE, lw=2.0, label="phasefield, as published", zorder=3)
    cases = (
        ("frichtl", "v", RED, r"Frichtl: other start", other[0], other[1]),
        ("greenquist", "s", GREEN, r"Greenquist: without gradients", own[0], own[3]),
        ("guan", "^", ORANGE, r"Guan: other start, without $|\nabla\eta|^2$", third[0], third[2]),
    )
    rows = [*published("2a", "run"), *published("2a", "upload")]
    for part, mark, colour, label, at, values in cases:
        mine = [row for row in rows if row["part"] == part]
        axes.plot(at, values, "-", color=colour, lw=1.0)
        axes.plot(
            [r["at"] for r in mine], [r["value"] for r in mine], mark, ms=4.5, mfc="white", color=colour,
            label=f"MOOSE, {label}", zorder=4,
        )  # fmt: skip
        for row in mine:
            if at[0] <= row["at"] <= at[-1]:
                here = float(np.exp(np.interp(np.log(row["at"]), np.log(at), np.log(values))))
                print(
                    f"{part:<11}t = {row['at']:<9g}{row['value']:9.1f} here {here:9.1f} {100 * (row['value'] / here - 1):+6.1f} %"
                )
    title = "PFHub 2a: Ostwald ripening, periodic square"
    axes.set(xscale="log", yscale="log", xlim=(START, 1.2e4), xlabel="time $t$", ylabel="free energy $F$", title=title)
    ticks = [200, 500, 1000, 2000, 5000]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.plot([], [], "-", color="0.4", lw=1.0, label="phasefield, the problem of the marks")
    axes.legend(loc="lower left")
    frameless(axes)
    return figure


FIGURES = {"pfhub_2a": figure_ripening}
