"""One picture of a body that cracks: frames of the damage, and what loads, energies and cracks do."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.output.reader import Run
from phasefield.visual.crack_curves import draw_length, draw_load, draw_passes, has_inertia
from phasefield.visual.fields import box, draw_frames, stack_height, stacked, telling_frames
from phasefield.visual.histories import draw_balance, draw_motion, draw_parts, mark_corners
from phasefield.visual.isosurface import draw_surfaces
from phasefield.visual.style import caption, new_figure, summary, time_label
from phasefield.visual.tips import draw_speed, mark_moments, running

# A body with less damage anywhere is whole; what moves in it is shown, where it was written.
WHOLE = 0.01


def crack_overview(run: Run, measure: str) -> Figure:
    """Frames: the first, one while the crack runs, and the last; in space also their surfaces φ = ½. Graphs below them.

    In equilibrium: force against load, the balance of energy, the crack and the effort. With inertia: the balance of energy, its
    small parts, the speed of the tip in the plane, and the crack.
    """
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
    draw_frames(parts[0], run, _shown(run), indices, ["xy"], titles)
    for axes in parts[0].axes:
        if axes.images:
            axes.locator_params(axis="x", nbins=6 if upright else 3)
    if space and "phi" in run.names:
        draw_surfaces(parts[1], run, indices, [""] * len(indices))
        caption(parts[1], "surfaces φ = ½")
    draw = _motion if has_inertia(run) else _equilibria
    draw(parts[-1], run, run.times[indices])
    caption(parts[-1], summary(run))
    return figure


def _shown(run: Run) -> str | None:
    """The damage; of a body that stays whole, the first other field that was written."""
    if "phi" not in run.names:
        return None
    others = [name for name in run.names if name != "phi"]
    whole = has_inertia(run) and np.max(run.history["max_phi"].values, initial=0.0) < WHOLE
    return others[0] if whole and others else "phi"


def _equilibria(figure: Any, run: Run, marks: np.ndarray) -> None:
    grid = figure.subplot_mosaic([["load", "energy", "length"], ["load", "energy", "passes"]], height_ratios=[2, 1])
    draw_load(grid["load"], run, marks)
    draw_balance(grid["energy"], run)
    draw_length(grid["length"], run, run.history["time"].values)
    draw_passes(grid["passes"], run)
    for name in ("length", "passes"):
        mark_corners(grid[name], run)
    _share_time(grid["length"], grid["passes"])


def _motion(figure: Any, run: Run, marks: np.ndarray) -> None:
    crack = running(run)
    shown = not isinstance(crack, str)
    grid = figure.subplot_mosaic(
        [["work", "speed", "length"], ["parts", "speed", "length"]] if shown else [["work", "parts", "length"]]
    )
    draw_motion(grid["work"], run)
    draw_parts(grid["parts"], run)
    draw_length(grid["length"], run, run.history["time"].values, marks)
    grid["length"].set_xlabel("time $t$")
    if "speed" in grid:
        _share_time(grid["work"], grid["parts"])
        draw_speed(grid["speed"], crack)
        mark_moments(grid["length"], crack, labels=False)


def _share_time(upper: Axes, lower: Axes) -> None:
    upper.sharex(lower)
    upper.set_xlabel("")
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("time $t$")
