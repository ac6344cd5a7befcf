"""Figure of the page on fracture: single-edge-notch tension against Griffith's curve.

The paths are those of benchmarks/results/fracture_sent.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phasefield.visual.style import BLACK, BLUE, GREEN, GREY, ORANGE, frameless, styled

RECORD = Path(__file__).parents[2] / "benchmarks/results/fracture_sent.json"
NOTCH = 0.5
# Largest force of the digitised curve of Miehe, Hofacker and Welschinger (2010): µm, kN.
PUBLISHED = (5.55, 0.701)
SHOWN = {
    "AT1": (BLUE, "-", "AT1, notch φ = 1"),
    "AT2": (ORANGE, "-", "AT2, notch φ = 1"),
    "AT1 void": (GREEN, "-", "AT1, notch of empty cells"),
    "AT2 134 displacement": (GREY, ":", "AT2, φ = 1, displacement given, ℓ = 2h"),
}


@styled
def figure_sent() -> Figure:
    """Force over displacement; displacement over the length of the crack as the dissipated energy tells it."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    runs = {name: record["runs"][name] for name in SHOWN}
    griffith = {name: np.array(values) for name, values in record["griffith"]["256"].items()}
    figure = Figure((8.4, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    grown = griffith["lengths"] >= NOTCH
    u, a = 1e3 * griffith["load"][grown], griffith["lengths"][grown]
    left.plot(u, griffith["reaction"][grown], "--", color=BLACK, label="Griffith, same elastic solver")
    right.plot(a, u, "--", color=BLACK)
    for name, (colour, line, label) in SHOWN.items():
        run = {key: np.array(values) for key, values in runs[name]["path"].items()}
        left.plot(1e3 * run["load"], run["force"], line, color=colour, label=label)
        if "displacement" not in name:
            length = NOTCH + run["dissipated"] / _cost(runs[name])
            right.plot(length, 1e3 * run["load"], line, color=colour)
    left.plot(*PUBLISHED, "x", color=BLACK, label="published largest force, AT2")
    left.set(xlabel="displacement, µm", ylabel="force, kN", xlim=(0.0, 6.0), ylim=(0.0, 0.95))
    left.legend(loc="upper left", fontsize=7)
    right.set(xlabel="length of the crack, mm", ylabel="displacement, µm", xlim=(0.49, 1.0), ylim=(4.0, 5.3))
    for axes in (left, right):
        frameless(axes)
    return figure


def _cost(run: dict[str, Any]) -> float:
    """Energy of a crack along the grid, per length."""
    ligament: float = run["path"]["dissipated"][-1] / run["measures"]["of_ligament"]
    return ligament / NOTCH


FIGURES = {"fracture_sent": figure_sent}
