"""Figures of the page on fracture: cracks over the material, and forces.

Finished runs in `runs/` are used, else they are made there, in minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import phasefield as pf
from phasefield.models.fracture import Fracture
from phasefield.visual.style import BLACK, BLUE, ORANGE, frameless, styled

ROOT = Path(__file__).parents[2]
# Matrix, then regions.
COLOURS = ("#f3ecdf", "#8fa9bf", "#5d6f80", "#ffffff")
# Published peaks: displacement in mm, force in kN. C. Miehe, M. Hofacker, F. Welschinger (2010), doi:10.1016/j.cma.2010.04.011,
# read from its figures.
SHEAR_PEAK, BENDING_PEAK = (9.4e-3, 0.531), (0.0390, 0.03475)


def finished(scenario: str, folder: str, overrides: dict[str, Any] | None = None) -> pf.Run:
    """The run of a scenario in `runs/<folder>`, made if it is not there."""
    path = ROOT / "runs" / folder
    known = path.exists() and pf.Run(path).status.get("status") == "finished"
    if known:
        return pf.Run(path)
    return pf.run(ROOT / f"scenarios/{scenario}.yaml", overrides, output=path, overwrite=True)


def draw_crack(axes: Axes, run: pf.Run, index: int = -1, colours: tuple[str, ...] = COLOURS) -> None:
    """Regions of the material, and the damage in black over them."""
    loaded = pf.load_scenario(run.scenario)
    model = loaded.model
    assert isinstance(model, Fracture)
    material = model.material(loaded.grid, loaded.folder)
    x, y = loaded.grid.axes
    place = {"extent": (0.0, x.length, 0.0, y.length), "origin": "lower"}
    chosen = ListedColormap(colours[: len(material.names)])
    axes.imshow(
        material.region, cmap=chosen, vmin=-0.5, vmax=len(material.names) - 0.5, interpolation="nearest", **place
    )
    phi = run.frame("phi", index % run.times.size)
    picture = np.zeros((*phi.shape, 4))
    picture[..., :3] = (0.10, 0.05, 0.08)
    picture[..., 3] = np.where(material.solid, np.clip(phi, 0.0, 1.0) ** 1.2, 0.0)
    axes.imshow(picture, interpolation="bilinear", **place)
    axes.set(xticks=[], yticks=[])
    frameless(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _canvas(width: float, height: float) -> Figure:
    figure = Figure((width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def figure_inclusions() -> Figure:
    """The crack among inclusions, and force against displacement."""
    run = finished("fracture_inclusions", "fracture_inclusions")
    figure = _canvas(8.6, 4.5)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
    draw_crack(left, run)
    history = run.history
    u, F = (np.asarray(history[name]) for name in ("load", "force"))
    right.plot(u, F, "-", lw=1.3, color=BLUE)
    right.plot(u, F, "o", ms=2.2, color=BLUE)
    right.set(xlabel="displacement of the upper grip", ylabel="force", xlim=(0, None), ylim=(0, None))
    frameless(right)
    return figure


@styled
def figure_sens() -> Figure:
    """Shear: the crack with the spectral split and without a split, and both forces."""
    runs = {
        "spectral": finished("fracture_sens", "fracture_sens"),
        "none": finished("fracture_sens", "fracture_sens_none", {"model.split": "none"}),
    }
    figure = _canvas(8.6, 2.9)
    axes = figure.subplots(1, 3, width_ratios=[1.0, 1.0, 1.25])
    for place, (name, run), colour in zip(axes, runs.items(), (BLUE, ORANGE), strict=False):
        draw_crack(place, run, colours=("#f3ecdf", "#ffffff"))
        place.set_title(f"split: {name}")
        history = run.history
        u, F = (np.asarray(history[key]) for key in ("load", "force"))
        axes[2].plot(1e3 * u, F, ".-", ms=3, lw=1.2, color=colour, label=name)
    axes[2].plot(1e3 * SHEAR_PEAK[0], SHEAR_PEAK[1], "x", ms=6, color=BLACK, label="peak of Miehe et al.")
    axes[2].set(xlabel="displacement, µm", ylabel="force, kN", xlim=(0, None), ylim=(0, None))
    axes[2].legend(loc="lower right")
    frameless(axes[2])
    return figure


@styled
def figure_three_point() -> Figure:
    """Bending: the crack, and the force."""
    run = finished("fracture_three_point", "fracture_three_point")
    figure = _canvas(8.6, 2.5)
    left, right = figure.subplots(1, 2, width_ratios=[2.0, 1.0])
    draw_crack(left, run, colours=("#f3ecdf", "#ffffff", "#5d6f80"))
    u, F = (np.asarray(run.history[name]) for name in ("load", "force"))
    right.plot(1e3 * u, 1e3 * F, ".-", ms=3, lw=1.2, color=BLUE, label="scenario")
    right.plot(1e3 * BENDING_PEAK[0], 1e3 * BENDING_PEAK[1], "x", ms=6, color=BLACK, label="peak of Miehe et al.")
    right.set(xlabel="displacement, µm", ylabel="force, N", xlim=(0, None), ylim=(0, None))
    right.legend(loc="lower right", fontsize=7)
    frameless(right)
    return figure


FIGURES = {
    "fracture_inclusions": figure_inclusions,
    "fracture_sens": figure_sens,
    "fracture_three_point": figure_three_point,
}
