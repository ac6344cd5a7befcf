"""One picture of a run: frames of the field or of the variants, the energy, what theory says about it, and what loads do.

Of a body that cracks: frames of the damage, force against load, the balance of energy, the crack and the effort.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.growth import GrowthCurve
from phasefield.output.reader import Run
from phasefield.visual.avrami import draw_avrami, wants_avrami
from phasefield.visual.crack_curves import crack_measure, draw_length, draw_load, draw_passes
from phasefield.visual.fields import box, draw_frames, stack_height, stacked, telling_frames
from phasefield.visual.growth import draw_growth, measured_growth
from phasefield.visual.histories import draw_balance, draw_energy, draw_radius, mark_corners
from phasefield.visual.isosurface import draw_surfaces
from phasefield.visual.loop import draw_loops, loop_count
from phasefield.visual.paths import paths_of
from phasefield.visual.spectrum import draw_spectra
from phasefield.visual.style import GREY, caption, load_run, new_figure, scenario_of, styled, time_label

# Inches of one panel of the lower row; there are at least two.
PANEL = 4.3


@styled
def figure_overview(run: Run | str) -> Figure:
    """Frames; energy; growth rates, or the radius or Avrami's law where the scenario has them checked, or spectra; loops under
    changing loads.

    There are the first, the middle and the last frame; under changing loads five, those that differ most. Of a body that cracks:
    the first, one while the crack runs, and the last; force against load, the balance of energy, the crack and the effort.
    """
    run = load_run(run)
    if (measure := crack_measure(run)) is not None:
        return _crack_overview(run, measure)
    paths = paths_of(run)
    loops = loop_count(paths) if paths.driven else 0
    middle, reason = _middle(run, with_spectra=not loops)
    indices = telling_frames(run, 5 if loops else 3)
    width = PANEL * 2 if not loops else PANEL * 0.85 * (1 + len(middle) + loops)
    lengths = box(run)
    ratio = lengths["y"] / lengths["x"] if "y" in lengths else 0.4 * len(indices)
    upper_height = min(max((width - 1.55) / max(len(indices), 3) * ratio, 1.0), 6.0) + 0.65
    figure = new_figure(run, width, upper_height + 3.6)
    parts: Any = figure.subfigures(2, 1, height_ratios=[upper_height, 3.2])
    upper, lower = parts
    draw_frames(upper, run, None, indices, ["xy"])
    axes = list(lower.subplots(1, 1 + len(middle) + loops))
    draw_energy(axes[0], run)
    for panel, draw in zip(axes[1:], middle, strict=False):
        draw(panel)
    if loops:
        draw_loops(axes[1 + len(middle) :], paths, run.times[indices])
    caption(lower, "\n".join(filter(None, [_summary(run), reason if loops else ""])))
    return figure


def _crack_overview(run: Run, measure: str) -> Figure:
    indices, lengths, upright = telling_frames(run, 3), box(run), stacked(run)
    width = 9.3 if upright else 10.8
    history = run.history
    length = np.interp(run.times[indices], history["time"].values, history[measure].values)
    what = measure.removeprefix("crack_")
    titles = [f"{time_label(run.times[i])}, {what} {a:.4g}" for i, a in zip(indices, length, strict=True)]
    # Surfaces are to be seen, and flat bodies are wide: their frames stand one above the other.
    space = len(lengths) == 3
    if upright:
        frames = stack_height(run, width, len(indices))
    else:
        frames = min(max((width - 1.4) / 3 * lengths["y"] / lengths["x"], 1.0), 5.0) + 0.65
    heights = [frames, *([3.0] if space else []), 3.6]
    figure = new_figure(run, width, sum(heights) + 0.4)
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    if len(indices) < 3 and not upright:
        # A run that was interrupted: its frames are as large as others, and on the left.
        parts[0] = parts[0].subfigures(1, 2, width_ratios=[len(indices) + 0.3, 2.7 - len(indices)])[0]
    draw_frames(parts[0], run, "phi" if "phi" in run.names else None, indices, ["xy"], titles)
    for axes in parts[0].axes:
        if axes.images:
            axes.locator_params(axis="x", nbins=6 if upright else 3)
    if space and "phi" in run.names:
        draw_surfaces(parts[1], run, indices, [""] * len(indices))
        caption(parts[1], "surfaces φ = ½")
    grid = parts[-1].subplot_mosaic([["load", "energy", "length"], ["load", "energy", "passes"]], height_ratios=[2, 1])
    draw_load(grid["load"], run, run.times[indices])
    draw_balance(grid["energy"], run)
    draw_length(grid["length"], run, history["time"].values)
    draw_passes(grid["passes"], run)
    for name in ("length", "passes"):
        mark_corners(grid[name], run)
    grid["length"].sharex(grid["passes"])
    grid["length"].tick_params(labelbottom=False)
    grid["passes"].set_xlabel("time $t$")
    caption(parts[-1], _summary(run))
    return figure


def _middle(run: Run, *, with_spectra: bool) -> tuple[list[Callable[[Axes], None]], str]:
    """What is drawn beside the energy, and why it is not the growth rates."""
    if wants_radius(run):
        return [lambda axes: draw_radius(axes, run)], ""
    if wants_avrami(run):
        return [lambda axes: draw_avrami(axes, run)], ""
    growth = measured_growth(run)
    if isinstance(growth, GrowthCurve):
        return [lambda axes: draw_growth(axes, growth, legend_size=7.0)], ""

    def spectra(axes: Axes) -> None:
        draw_spectra(axes, run)
        axes.set_title(textwrap.fill(growth, 60), color=GREY, fontsize=8.0, parse_math=False)

    return [spectra] if with_spectra else [], growth


def wants_radius(run: Run) -> bool:
    """True when the scenario asks for the shrinking radius to be checked."""
    wanted = scenario_of(run).settings.verify
    return wanted is not False and wanted.shrinking_radius is not False


def _summary(run: Run) -> str:
    """Equation, size and verdict in a line."""
    scenario = scenario_of(run)
    cells = " × ".join(str(axis.cells) for axis in scenario.grid.axes)
    parts = [scenario.model.equation, f"{cells} cells"]
    if scenario.grid.dimensions == 3:
        parts.append(f"frames in the plane z = {0.5 * scenario.grid.axes[2].length:.4g}")
    if (verdict := run.verification) is not None:
        status = [str(s) for s in verdict["status"].values]
        passed, failed = status.count("pass"), status.count("fail")
        parts.append(f"{passed} of {passed + failed} checks passed")
    return "  ·  ".join(parts)
