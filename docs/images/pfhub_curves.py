"""Figures of the page on PFHub: our curves over published ones, from `docs/data/pfhub_medians.csv`."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import phasefield as pf
from phasefield.visual.style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, frameless, styled

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios/pfhub"
PUBLISHED = HERE.parent / "data/pfhub_medians.csv"
# Told apart by mark as well as by colour.
CODES = {
    "MEUMAPPS": ("s", GREEN),
    "FEniCS": ("^", ORANGE),
    "MOOSE": ("v", PINK),
    "FiPy": ("s", GREEN),
    "Julia": ("^", ORANGE),
}
WIDTH, HEIGHT, DPI = 6.4, 3.9, 120


def published(benchmark: str, kind: str) -> list[dict[str, Any]]:
    """Rows of one benchmark and kind, numbers read; `at` is a time, of 7a the size of a cell."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = [
            r for r in csv.DictReader(file) if (r["benchmark"], r["kind"]) == (benchmark, kind)
        ]
    return [{**row, "at": float(row["at"] or "nan"), "value": float(row["value"])} for row in rows]


def one_plot() -> tuple[Figure, Any]:
    figure = Figure((WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


@styled
def figure_free_energy(part: str, title: str) -> Figure:
    """Free energy over time, both logarithmic, of a scenario over uploads, their medians and known end states."""
    path = SCENARIOS / f"{part}.yaml"
    figure, axes = one_plot()
    with tempfile.TemporaryDirectory() as folder:
        overrides: dict[str, Any] = {"verify": False, "output.history.every": 100.0}
        whole = pf.run(path, overrides, output=Path(folder) / "whole").history.load()
        overrides |= {"time.end": 200.0, "output.fields": {"every": 200.0}, "output.history.every": 0.5}
        early = pf.run(path, overrides, output=Path(folder) / "early").history.load()
    later = whole["time"].values > 200.0
    times = np.concatenate([early["time"].values[1:], whole["time"].values[later]])
    energies = np.concatenate([early["energy"].values[1:], whole["energy"].values[later]])
    uploads = published(part, "upload")
    for code in dict.fromkeys(row["code"] for row in uploads):
        mine = [row for row in uploads if row["code"] == code]
        mark, colour = CODES[code]
        axes.plot(
            [r["at"] for r in mine], [r["value"] for r in mine], mark, ls=":", lw=0.8, ms=4.5, mfc="white", color=colour,
            label=f"{code}, upload",
        )  # fmt: skip
    axes.plot(times, energies, color=BLUE, lw=2.0, label="phasefield", zorder=3)
    middle = published(part, "median")
    axes.plot(
        [r["at"] for r in middle], [r["value"] for r in middle], "D", ms=7, color=RED, mec="white",
        label="median of all uploads", zorder=4,
    )  # fmt: skip
    for row in published(part, "end"):
        axes.axhline(row["value"], color=GREY, lw=0.8, ls="--")
        axes.text(1.2, row["value"], row["part"], color=GREY, va="bottom", fontsize=8)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(0.5, 1.2 * times[-1]),
        xlabel="time $t$",
        ylabel="free energy $F$",
        title=title,
    )
    ticks = [t for t in (10, 20, 50, 100, 200, 300) if 0.8 * energies.min() < t < 350]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper right")
    frameless(axes)
    return figure


@styled
def figure_seeds() -> Figure:
    """Solid fraction over time of the three seeds of 8a, spectral and with the differences and cells of the uploads."""
    figure, axes = one_plot()
    parts = {"0.99": (RED, 66.0, "right"), "1.00": (BLACK, 128.0, "right"), "1.01": (BLUE, 121.0, "left")}
    differences = {"model.laplacian": "finite_difference", "grid.x.cells": 250, "grid.y.cells": 250}
    for part, (colour, at, side) in parts.items():
        for line, method in (("-", {}), ("--", differences)):
            times, fractions = _seed(5.0 * float(part), **method)
            axes.plot(times, fractions, line, color=colour, lw=2.0 if line == "-" else 1.0, zorder=2)
            if line == "-":
                text = f"$r_0 = {part}\\,r^*$"
                height, away = float(np.interp(at, times, fractions)), 8 if side == "left" else -8
                where = {"textcoords": "offset points", "ha": side, "va": "top"}
                axes.annotate(text, (at, height), (away, -4), color=colour, **where)
        for code in ("FiPy", "Julia"):
            rows = [r for r in published("8a", "upload") if (r["part"], r["code"]) == (part, code)]
            marks = {"marker": CODES[code][0], "ms": 4.5, "mfc": "white", "color": colour, "ls": "", "zorder": 3}
            axes.plot([r["at"] for r in rows], [100.0 * r["value"] for r in rows], **marks)
    axes.plot([], [], "-", color=GREY, lw=2.0, label="phasefield, spectral")
    axes.plot([], [], "--", color=GREY, lw=1.0, label="phasefield, differences on cells of 0.4")
    axes.plot([], [], CODES["FiPy"][0], color=GREY, mfc="white", label="FiPy, upload, cells of 0.4")
    axes.plot([], [], CODES["Julia"][0], color=GREY, mfc="white", label="Mancias et al. 2022, cells of 0.4")
    title = "PFHub 8a: seeds near the critical radius"
    axes.set(xlim=(0.0, 170.0), ylim=(0.0, 2.6), xlabel="time $t$", ylabel="solid fraction in %", title=title)
    axes.legend(loc="upper left")
    frameless(axes)
    return figure


def _seed(radius: float, **overrides: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times and solid fraction in per cent."""
    overrides |= {"initial.phi.shapes.0.disc.radius": radius, "time.end": 170.0, "verify": False}
    with tempfile.TemporaryDirectory() as folder:
        history = pf.run(SCENARIOS / "8a.yaml", overrides, output=folder).history.load()
    return history["time"].values, 100.0 * history["mean_phi"].values


FIGURES = {
    "pfhub_1a": lambda: figure_free_energy("1a", "PFHub 1a: spinodal decomposition, periodic square"),
    "pfhub_1b": lambda: figure_free_energy("1b", "PFHub 1b: spinodal decomposition, no flux"),
    "pfhub_8a": figure_seeds,
}
