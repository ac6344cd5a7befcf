"""The branching plate: stress across the crack and the crack at four times, and as a movie.

The finished run in `runs/` is used, else it is made there, in minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fracture_curves import finished
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import phasefield as pf
from phasefield.visual.movie import write_movie
from phasefield.visual.style import BLACK, DIVERGING, styled

NAME, NAMES = "dynamic_branching", ["phi", "stress_yy"]
# Pascal, seconds and metres in what is shown.
MPA, MICROSECONDS, MILLIMETRES = 1e6, 1e6, 1e3
# Ends of the colour scale in MPa; 1 MPa acts on the faces, and tips have more than this.
MOST = 3.0
# Few colours keep files small: steps of 0.2 MPa, zero in the middle of one.
COLOURS = DIVERGING.resampled(31)
BAR = 20.0
TIMES = (20e-6, 38e-6, 52e-6, 76e-6)


def _run() -> pf.Run:
    return finished(NAME, f"{NAME}_stress", {"output.fields.names": NAMES})


def _canvas(width: float, height: float) -> Figure:
    figure = Figure((width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw(axes: Axes, run: pf.Run) -> tuple[Any, Callable[[int], None]]:
    """Images of stress and crack without axes, and what shows a frame in them."""
    x, y = pf.load_scenario(run.scenario).grid.axes
    place: dict[str, Any] = {
        "extent": (0.0, x.length * MILLIMETRES, 0.0, y.length * MILLIMETRES),
        "origin": "lower",
        "interpolation": "antialiased",
    }
    nothing = np.zeros(run.frame("phi", 0).shape)
    stress = axes.imshow(nothing, cmap=COLOURS, vmin=-MOST, vmax=MOST, **place)
    crack = axes.imshow(np.zeros((*nothing.shape, 4)), **place)
    axes.set(xticks=[], yticks=[])
    axes.plot([3.0, 3.0 + BAR], [3.0, 3.0], color=BLACK, lw=2.0, solid_capstyle="butt")
    axes.text(3.0 + 0.5 * BAR, 4.0, f"{BAR:g} mm", ha="center", va="bottom", fontsize=8.0)

    def update(index: int) -> None:
        phi = run.frame("phi", index)
        stress.set_data(run.frame("stress_yy", index) / MPA)
        black = np.zeros((*phi.shape, 4))
        black[..., 3] = np.clip(phi, 0.0, 1.0) ** 2
        crack.set_data(black)
        axes.set_title(f"{run.times[index] * MICROSECONDS:.0f} µs", loc="left")

    return stress, update


@styled
def figure_branching() -> Figure:
    """Four times: the crack runs, is about to fork, has forked, and arrives."""
    run = _run()
    figure = _canvas(8.6, 4.1)
    grid = figure.subplots(2, 2)
    stress: Any = None
    for axes, time in zip(grid.ravel(), TIMES, strict=True):
        stress, update = _draw(axes, run)
        update(int(np.argmin(np.abs(run.times - time))))
    figure.colorbar(stress, ax=list(grid.ravel()), label="$\\sigma_{yy}$ in MPa", extend="both", pad=0.015, aspect=25)
    return figure


@styled
def movie_branching(path: Path) -> None:
    """All frames, one per microsecond."""
    run = _run()
    figure = _canvas(6.0, 2.6)
    stress, update = _draw(axes := figure.subplots(), run)
    figure.colorbar(stress, ax=axes, label="$\\sigma_{yy}$ in MPa", extend="both", pad=0.015, aspect=18)
    write_movie(figure, update, list(range(run.times.size)), path, fps=12.5, colours=96, dpi=100)


FIGURES = {NAME: figure_branching}
MOVIES = {f"{NAME}.gif": movie_branching}
