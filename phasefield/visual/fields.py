"""Pictures of the fields: frames side by side in one dimension, two, or three (mid-planes)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure, FigureBase

from phasefield.analysis.interface import flat_interface
from phasefield.errors import InputError, unknown
from phasefield.output.reader import Run
from phasefield.visual.style import (
    BLUE,
    DIVERGING,
    SEQUENTIAL,
    caption,
    frameless,
    load_run,
    new_figure,
    scenario_of,
    styled,
    symbol,
    time_label,
)

PLANES = {"xy": "z", "xz": "y", "yz": "x"}


@styled
def figure_fields(run: Run | str, name: str | None = None, frames: int = 4) -> Figure:
    """Frames of one field, evenly spread over those in the file, on one colour scale.

    A 3-D field is shown on the three mid-planes of the box; of a vector field, the magnitude is shown.

    Args:
        run: the run, or its folder.
        name: the field; the first one when absent.
        frames: how many frames at most.
    """
    run = load_run(run)
    indices, lengths = chosen_frames(run, frames), box(run)
    planes = ["xy"] if len(lengths) < 3 else list(PLANES)
    if len(lengths) == 1:
        figure = new_figure(run, 6.5, 0.9 + 1.2 * len(indices))
    else:
        ratio = sum(_height(lengths, p) for p in planes)
        figure = new_figure(run, 1.5 + 2.2 * len(indices), 0.55 + 0.4 * len(planes) + min(2.1 * ratio, 9.0))
    draw_frames(figure, run, name, indices, planes)
    if len(lengths) == 3:
        text = ", ".join(f"{n} = {0.5 * lengths[n]:.4g}" for n in "zyx")
        caption(figure, f"planes through the middle of the box: {text} (from top)")
    return figure


def chosen_frames(run: Run, count: int) -> list[int]:
    """Indices of at most `count` frames, first and last among them."""
    available = len(run.times)
    if count < 1:
        raise InputError(f"the number of frames must be at least 1, got {count}")
    if available == 0:
        raise InputError(f"'{run.file}' holds no frame yet")
    if count == 1:
        return [available - 1]
    return sorted({round(i) for i in np.linspace(0, available - 1, min(count, available))})


def box(run: Run) -> dict[str, float]:
    """Lengths of the box by axis name; centres are at (i + ½) h, so first + last is the length."""
    data = run.fields
    axes = "xyz"[: int(data.attrs["dimensions"])]
    return {a: float(data[a].values[0] + data[a].values[-1]) for a in axes}


def draw_frames(figure: FigureBase, run: Run, name: str | None, indices: list[int], planes: list[str]) -> None:
    """Fill a figure or part of one: one column per frame, one row per plane; in 1-D one row per frame."""
    name = name if name is not None else run.names[0]
    if name not in run.names:
        raise unknown("field", name, run.names)
    lengths = box(run)
    images = {(p, i): _values(run, name, i, PLANES[p] if len(lengths) == 3 else "") for p in planes for i in indices}
    label = symbol(name) if "component" not in run.fields[name].dims else f"|{symbol(name)}|"
    if len(lengths) == 1:
        _lines(figure, run, [images["xy", i] for i in indices], indices, label)
        return
    norm, colours = _scale(run, name, list(images.values()))
    grid = figure.subplots(
        len(planes), len(indices), squeeze=False, sharey="row", height_ratios=[_height(lengths, p) for p in planes]
    )
    mappable: Any = None
    for row, plane in enumerate(planes):
        for column, index in enumerate(indices):
            axes = grid[row, column]
            extent = (0.0, lengths[plane[0]], 0.0, lengths[plane[1]])
            mappable = axes.imshow(
                images[plane, index], origin="lower", extent=extent, norm=norm, cmap=colours, aspect="equal"
            )
            axes.set_xlabel(plane[0])
            axes.locator_params(nbins=4)
            if column == 0:
                axes.set_ylabel(plane[1])
            if row == 0:
                axes.set_title(time_label(run.times[index]))
    figure.colorbar(mappable, ax=grid, label=label, shrink=0.9, pad=0.015, aspect=25)


def _lines(figure: FigureBase, run: Run, lines: list[np.ndarray], indices: list[int], label: str) -> None:
    x = run.fields["x"].values
    grid = figure.subplots(len(indices), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axes, index, line in zip(grid, indices, lines, strict=True):
        axes.plot(x, line, color=BLUE, lw=1.0)
        axes.set_title(time_label(run.times[index]), loc="right", pad=2.0)
        axes.set_ylabel(label)
        axes.set_xlim(0.0, box(run)["x"])
        frameless(axes)
    grid[-1].set_xlabel("x")


def _height(lengths: dict[str, float], plane: str) -> float:
    return lengths[plane[1]] / lengths[plane[0]]


def _values(run: Run, name: str, index: int, normal: str) -> np.ndarray:
    """A line, an image, or the mid-plane perpendicular to `normal`; of a vector field, the magnitude."""
    data = run.fields[name].isel(time=index)
    if normal:
        data = data.isel({normal: data.sizes[normal] // 2})
    values = np.asarray(data.values, float)
    if "component" in data.dims:
        values = np.sqrt(np.sum(values**2, axis=-1))
    return (
        np.squeeze(values, axis=tuple(i for i, n in enumerate(values.shape) if n == 1)) if values.size > 1 else values
    )


def _scale(run: Run, name: str, images: list[np.ndarray]) -> tuple[Normalize, Colormap]:
    """Colours from the extremes of all images; diverging about the middle between two phases where there are two."""
    low, high = min(float(i.min()) for i in images), max(float(i.max()) for i in images)
    interface = flat_interface(scenario_of(run).model, 0.5 * (low + high))
    if interface is not None:
        centre = 0.5 * (interface.low + interface.high)
        if low < centre < high:
            half = max(centre - low, high - centre)
            return Normalize(centre - half, centre + half), DIVERGING
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        half = 0.05 * (abs(low) or 1.0)
        low, high = low - half, high + half
    return Normalize(low, high), SEQUENTIAL
