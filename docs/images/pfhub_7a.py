"""Figure of PFHub 7a, from `benchmarks/results/pfhub_7a.json`: errors against steps and against cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pfhub_curves import DPI, published

from phasefield.visual.style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, frameless, styled

RESULTS = Path(__file__).parents[2] / "benchmarks/results/pfhub_7a.json"
SCHEMES = {"imex1": ("o", PINK), "etdrk2": ("^", ORANGE), "sbdf2": ("s", GREEN), "etdrk4": ("D", BLUE)}
WINDOW = (1e-4, 5e-3)


@styled
def figure_orders() -> Figure:
    """L2 at t = 8: left of the schemes, right of both Laplacians and of an upload."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["orders"]
    figure = Figure((8.6, 3.9), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    for scheme, (mark, colour) in SCHEMES.items():
        row = found["temporal"][scheme]
        label = f"{scheme}, order {row['order']:.2f}"
        left.plot(row["step"], row["error"], f"{mark}-", ms=4.0, mfc="white", color=colour, label=label)
    rows = published("7a", "upload")
    right.plot(
        [r["at"] for r in rows], [r["value"] for r in rows], "v", ms=4.5, mfc="white", color=BLACK,
        label="SymPhas, upload, differences",
    )  # fmt: skip
    names = {"finite_difference": ("differences", "s", RED), "spectral": ("spectral", "o", BLUE)}
    for laplacian, (name, mark, colour) in names.items():
        row = found["spatial"][laplacian]
        label = f"phasefield, {name}" + (f", order {row['order']:.2f}" if laplacian != "spectral" else "")
        right.plot(row["mesh_size"], row["error"], f"{mark}-", ms=4.0, mfc="white", color=colour, label=label)
    left.set(xlabel=r"time step $\Delta t$", ylabel="$L_2$ error at $t = 8$", title="Time, 256 × 128 cells")
    right.set(xlabel="size of a cell", title="Space, small time steps")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", ylim=(5e-7, 3e-2))
        axes.axhspan(*WINDOW, color=GREY, alpha=0.15, lw=0)
        axes.minorticks_off()
        axes.legend(loc="upper left" if axes is left else "lower right")
        frameless(axes)
    return figure


FIGURES = {"pfhub_7a": figure_orders}
