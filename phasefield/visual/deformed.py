"""Bodies that crack, drawn as they are deformed: displacements exaggerated, broken cells left out, so that cracks stand open."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from phasefield.output.reader import Run
from phasefield.visual.crack_curves import NO_CRACKS, crack_measure
from phasefield.visual.fields import box, telling_frames
from phasefield.visual.style import DAMAGE, GREY, caption, load_run, new_figure, note, styled, time_label, truncated

DISPLACEMENTS = ("displacement_x", "displacement_y")
# Cells with more damage are left out: they have a hundredth of their stiffness.
BROKEN = 0.9
# Exaggeration makes the largest difference of displacements this share of the body's mean side.
SHOWN = 0.12
# White would not be told from what is left out.
COLOURS = truncated(DAMAGE, 0.12, 1.0)
# Bodies wider than this, over their height, stand one above the other.
WIDE = 1.6


def why_not_deformed(run: Run) -> str:
    """Why a run cannot be drawn deformed; empty where it can."""
    if crack_measure(run) is None:
        return NO_CRACKS
    if len(box(run)) != 2:
        return "Only bodies in the plane are drawn deformed."
    missing = [name for name in ("phi", *DISPLACEMENTS) if name not in run.names]
    return f"The file holds no {', '.join(missing)}: output.fields.names says what is written." if missing else ""


@styled
def figure_deformed(run: Run | str, frames: int = 3) -> Figure:
    """Frames of the damage on the deformed body, all with the same exaggeration."""
    run = load_run(run)
    if reason := why_not_deformed(run):
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), reason)
        return figure
    indices, lengths = telling_frames(run, frames), box(run)
    phi = [run.frame("phi", i).astype(float) for i in indices]
    moved = [
        np.stack([corner_means(run.frame(name, i).astype(float), p < BROKEN) for name in DISPLACEMENTS])
        for i, p in zip(indices, phi, strict=True)
    ]
    factor = exaggeration(moved, lengths)
    corners = [corners_at_rest(p.shape, lengths) + factor * u for u, p in zip(moved, phi, strict=True)]
    every = np.concatenate([xy.reshape(2, -1) for xy in corners], axis=1)
    low = np.fmin(np.nanmin(every, axis=1), 0.0)
    high = np.fmax(np.nanmax(every, axis=1), [lengths["x"], lengths["y"]])
    width, height = high - low

    upright = width > WIDE * height
    rows, columns = (len(indices), 1) if upright else (1, len(indices))
    inches = 6.5 if upright else 1.4 + 2.5 * columns
    figure = new_figure(run, inches, 1.0 + rows * (0.3 + min((inches - 1.2) / columns * height / width, 5.0)))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    mesh: Any = None
    for axes, xy, damage, index in zip(grid, corners, phi, indices, strict=True):
        whole = np.ma.masked_array(damage, damage >= BROKEN)
        # Corners among broken cells alone have no place, and no cell that is drawn needs them.
        mesh = axes.pcolormesh(*np.nan_to_num(xy), whole, cmap=COLOURS, norm=Normalize(0.0, 1.0))
        axes.add_patch(Rectangle((0.0, 0.0), lengths["x"], lengths["y"], fill=False, ec=GREY, lw=0.5, ls=":"))
        axes.set_aspect("equal")
        axes.set_xlim(low[0] - 0.01 * width, high[0] + 0.01 * width)
        axes.set_ylim(low[1] - 0.01 * height, high[1] + 0.01 * height)
        axes.set_title(time_label(run.times[index]))
        axes.set_axis_off()
    figure.colorbar(mesh, ax=list(grid), label="φ", shrink=0.9, pad=0.015, aspect=25)
    caption(figure, f"displacements × {factor:g}; cells with φ ≥ {BROKEN:g} left out; dotted: without load")
    return figure


def corner_means(values: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Values at the corners of cells, (ny + 1, nx + 1): means over the whole cells around a corner, NaN where there are none."""
    ny, nx = values.shape
    total, count = np.zeros((ny + 1, nx + 1)), np.zeros((ny + 1, nx + 1))
    for j in (0, 1):
        for i in (0, 1):
            total[j : ny + j, i : nx + i] += np.where(whole, values, 0.0)
            count[j : ny + j, i : nx + i] += whole
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def corners_at_rest(shape: tuple[int, ...], lengths: dict[str, float]) -> np.ndarray:
    """x and y of the corners of cells, (2, ny + 1, nx + 1)."""
    ny, nx = shape
    y, x = np.meshgrid(np.linspace(0.0, lengths["y"], ny + 1), np.linspace(0.0, lengths["x"], nx + 1), indexing="ij")
    return np.stack([x, y])


def exaggeration(displacements: list[np.ndarray], lengths: dict[str, float]) -> float:
    """1, 2 or 5 times a power of ten, by which the largest difference of displacements in any frame is shown clearly."""
    largest = max(float(np.nanmax(u) - np.nanmin(u)) for frame in displacements for u in frame)
    if not largest > 0.0:
        return 1.0
    wanted = SHOWN * float(np.sqrt(lengths["x"] * lengths["y"])) / largest
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step for step in (1.0, 2.0, 5.0) if step * power <= wanted * (1.0 + 1e-9)) * power)
