"""Figure of the page on fracture: largest stress of plates with cracks of all lengths, and a long crack that grows.

Drawn from `benchmarks/results/fracture_griffith.json`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phasefield.visual.style import BLACK, BLUE, GREY, ORANGE, styled

RESULTS = Path(__file__).parents[2] / "benchmarks/results/fracture_griffith.json"


@styled
def figure_sizes() -> Figure:
    """σ_max/σ_c over a/ℓ with both limits; σ over Griffith's for two measures of the length of a growing crack."""
    data = json.loads(RESULTS.read_text(encoding="utf-8"))
    figure = Figure((8.4, 3.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    a = np.geomspace(0.15, 20.0, 200)
    crossover = 8.0 / (3.0 * np.pi)
    left.loglog(a, np.sqrt(crossover / a), color=BLACK, lw=1.0, label="Griffith")
    left.axhline(1.0, color=BLACK, lw=1.0, ls="--", label=r"strength $\sigma_c$")
    left.loglog(a, 1.0 / np.sqrt(1.0 + a / crossover), color=GREY, lw=1.0, ls=":", label=r"$a+0.85\,\ell$ for $a$")
    for ell, mark, colour in ((4.0, "o", BLUE), (8.0, "s", ORANGE)):
        chosen = [r for r in data["sizes"] if r["ell"] == ell]
        left.plot(
            [r["wide"] for r in chosen],
            [r["peak"] for r in chosen],
            mark,
            ms=5,
            color=colour,
            label=rf"AT1, $\ell={ell:g}h$",
        )
    left.set(
        xlabel=r"$(W/\pi\ell)\,\tan(\pi a/W)$",
        ylabel=r"largest $\sigma/\sigma_c$",
        xlim=(0.15, 20.0),
        ylim=(0.15, 1.6),
    )
    left.legend(fontsize=8)
    crack = data["centre_crack"]
    rows, half = crack["rows"], crack["half"]
    grown = np.array([r["grown"] for r in rows])
    width, stiff = crack["width"], np.array([r["half_length"] for r in rows])
    by_stiffness = np.array([r["over_griffith"] for r in rows])
    # The same load over Griffith's for half + grown/2.
    tangent = np.tan(np.pi * (half + 0.5 * grown) / width) / np.tan(np.pi * stiff / width)
    right.plot(grown / crack["ell"], by_stiffness, "o-", ms=4, color=BLUE, label="$a$ by the stiffness of the plate")
    right.plot(
        grown / crack["ell"],
        by_stiffness * np.sqrt(tangent),
        "s-",
        ms=4,
        color=ORANGE,
        label="$a$ by the energy of cracks",
    )
    right.axhline(1.0, color=BLACK, lw=1.0)
    right.set(
        xlabel=r"growth of the crack over $\ell$", ylabel=r"$\sigma/\sigma_\mathrm{Griffith}(a)$", ylim=(0.8, 1.05)
    )
    right.legend(fontsize=8, loc="lower right")
    return figure


FIGURES = {"fracture_sizes": figure_sizes}
