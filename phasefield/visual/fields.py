"""Pictures of the fields, or of variants: frames side by side in one dimension, two, or three (mid-planes)."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure, FigureBase

from phasefield.analysis.interface import flat_interface
from phasefield.errors import InputError, unknown
from phasefield.models.cracked import Cracked
from phasefield.output.reader import Run
from phasefield.visual.crack_curves import crack_measure
from phasefield.visual.paths import driven
from phasefield.visual.style import (
    DAMAGE,
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
from phasefield.visual.variants import FEW, MANY, PRESENT, Palette, palette_of

PLANES = {"xy": "z", "xz": "y", "yz": "x"}
# Two frames are different when some measure of them differs by this share of its largest value.
DIFFERENT = 0.2
# Cracks are equally long when they differ by this share of what they grow in all.
ALIKE = 0.02
# A body lower than this, over its width, is flat.
FLAT = 0.3


@styled
def figure_fields(run: Run | str, name: str | None = None, frames: int = 4) -> Figure:
    """Frames of one field on one colour scale, or of all variants in their colours.

    Frames are spread evenly over those in the file; of a run under changing loads, those that differ most are shown, and of a
    body that cracks, those between which the crack has grown alike. A 3-D field is shown on the three mid-planes of the box; of a
    vector field, the magnitude is shown. Frames of a flat body that cracks stand one above the other.

    Args:
        run: the run, or its folder.
        name: the field; when absent all variants where the model has such, otherwise the first field.
        frames: how many frames at most.
    """
    run = load_run(run)
    indices, lengths = telling_frames(run, frames), box(run)
    planes = ["xy"] if len(lengths) < 3 else list(PLANES)
    if len(lengths) == 1:
        figure = new_figure(run, 6.5, 0.9 + 1.2 * len(indices))
    elif stacked(run):
        figure = new_figure(run, 7.0, 0.4 + stack_height(run, 7.0, len(indices)))
    else:
        ratio = sum(height_ratio(lengths, p) for p in planes)
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


def even_frames(run: Run, most: int) -> list[int]:
    """At most `most` frames a whole number apart, so that time runs evenly, and the last."""
    last = chosen_frames(run, most)[-1]
    return [*range(0, last, math.ceil(last / max(most - 1, 1)) or 1), last]


def telling_frames(run: Run, count: int) -> list[int]:
    """The same, but under changing loads or temperature the frames that look most different.

    That is judged by means and extremes of the fields and by the energy of their walls. The first and the last frame are taken,
    then again and again the one least like those taken: among frames at the end of a stage of the load as long as they add
    something, then among all. Of a crack, frames between which it has grown by about as much are taken.
    """
    if count < 3 or len(run.times) <= count:
        return chosen_frames(run, count)
    if (measure := crack_measure(run)) is not None:
        return _along_the_crack(run, measure, count)
    if not driven(run):
        return chosen_frames(run, count)
    history, model = run.history, scenario_of(run).model
    columns = [history[f"{what}_{field}"].values for field in model.fields for what in ("mean", "min", "max")]
    walls = history["energy_gradient"].values
    measures = [*(c / max(np.abs(columns).max(), 1e-300) for c in columns), walls / max(np.abs(walls).max(), 1e-300)]
    points = np.nan_to_num([np.interp(run.times, history["time"].values, m) for m in measures])
    corners = sorted({int(np.argmin(np.abs(run.times - t))) for t in model.events})
    taken = [0, len(run.times) - 1]
    for candidates, least in ((np.array(corners, int), DIFFERENT), (np.arange(len(run.times)), 0.0)):
        while len(taken) < count and candidates.size:
            distance = np.abs(points[:, candidates, None] - points[:, None, taken]).max(axis=0).min(axis=1)
            if distance.max() <= least:
                break
            taken.append(int(candidates[np.argmax(distance)]))
    return sorted(taken)


def _along_the_crack(run: Run, measure: str, count: int) -> list[int]:
    """First and last frame, and those nearest to even shares of what the crack grows; among like ones that with most energy.

    Where the crack jumps from one frame to the next, that is the frame before.
    """
    history = run.history
    rows = history["time"].values
    length, energy = (np.interp(run.times, rows, history[n].values) for n in (measure, "energy_elastic"))
    grown = length[-1] - length[0]
    if not grown > 1e-3 * abs(length[0]):
        return chosen_frames(run, count)
    taken = {0, len(length) - 1}
    for share in np.linspace(0.0, 1.0, count)[1:-1]:
        away = np.abs((length - length[0]) / grown - share)
        away[list(taken)] = np.inf
        alike = np.flatnonzero(away <= away.min() + ALIKE)
        taken.add(int(alike[np.argmax(energy[alike])]))
    return sorted(taken)


def stacked(run: Run) -> bool:
    """Whether frames stand one above the other: those of a flat body that cracks."""
    lengths = box(run)
    return len(lengths) == 2 and lengths["y"] <= FLAT * lengths["x"] and crack_measure(run) is not None


def stack_height(run: Run, width: float, frames: int) -> float:
    """Inches that frames one above the other need in a figure of this width."""
    return 0.25 + frames * (0.32 + 0.82 * width * height_ratio(box(run), "xy"))


def box(run: Run) -> dict[str, float]:
    """Lengths of the box by axis name; centres are at (i + ½) h, so first + last is the length."""
    data = run.fields
    axes = "xyz"[: int(data.attrs["dimensions"])]
    return {a: float(data[a].values[0] + data[a].values[-1]) for a in axes}


# Empty cells, beside white for whole material.
VOID = (0.72, 0.72, 0.72, 1.0)


def draw_frames(
    figure: FigureBase,
    run: Run,
    name: str | None,
    indices: list[int],
    planes: list[str],
    titles: list[str] | None = None,
) -> None:
    """Fill a figure or part of one: one column per frame, one row per plane; in 1-D, and where `stacked`, one row per frame.

    Titles are the times when absent.
    """
    palette = palette_of(run) if name is None else None
    name = name if name is not None else run.names[0]
    if name not in run.names:
        raise unknown("field", name, run.names)
    lengths = box(run)
    if len(lengths) == 1:
        _lines(figure, run, [name] if palette is None else list(palette.variants.fields), indices)
        return
    slots = [(p, i) for p in planes for i in indices]
    normals = PLANES if len(lengths) == 3 else dict.fromkeys(planes, "")
    options: dict[str, Any] = {}
    present = np.zeros(0)
    if palette is None:
        images = {(p, i): plane_values(run, name, i, normals[p]) for p, i in slots}
        options["norm"], options["cmap"] = colour_scale(run, name, list(images.values()))
    else:
        images, present = _composites(run, palette, {(p, i): normals[p] for p, i in slots})
    titles = [time_label(run.times[i]) for i in indices] if titles is None else titles
    if upright := stacked(run):
        grid = figure.subplots(len(indices), 1, squeeze=False, sharex=True).T
    else:
        grid = figure.subplots(
            len(planes),
            len(indices),
            squeeze=False,
            sharey="row",
            height_ratios=[height_ratio(lengths, p) for p in planes],
        )
    mappable: Any = None
    voids = _voids(run) if name == "phi" and len(lengths) == 2 else None
    for row, plane in enumerate(planes):
        for column, index in enumerate(indices):
            axes = grid[row, column]
            extent = (0.0, lengths[plane[0]], 0.0, lengths[plane[1]])
            mappable = axes.imshow(images[plane, index], origin="lower", extent=extent, aspect="equal", **options)
            if voids is not None:
                axes.imshow(voids, origin="lower", extent=extent, aspect="equal")
            axes.locator_params(nbins=4)
            if not upright or column == len(indices) - 1:
                axes.set_xlabel(plane[0])
            if upright or column == 0:
                axes.set_ylabel(plane[1])
            if row == 0:
                axes.set_title(titles[column])
    if palette is None:
        figure.colorbar(mappable, ax=grid, label=field_label(run, name), shrink=0.9, pad=0.015, aspect=25)
    else:
        palette.legend(grid[0, -1], present)


def _voids(run: Run) -> np.ndarray | None:
    """Empty cells of a body that cracks in grey, the others transparent, (ny, nx, 4); None where there are none."""
    scenario = scenario_of(run)
    if not isinstance(scenario.model, Cracked):
        return None
    solid = scenario.model.material(scenario.grid, scenario.folder).solid
    if solid.all():
        return None
    picture = np.zeros((*solid.shape, 4))
    picture[~solid] = VOID
    return picture


def _composites(
    run: Run, palette: Palette, slots: dict[tuple[str, int], str]
) -> tuple[dict[tuple[str, int], np.ndarray], np.ndarray]:
    """RGB pictures of all variants for (plane, frame) with the plane's normal; and which variants occur in them."""
    images, present = {}, np.zeros(len(palette.names), bool)
    for (plane, index), normal in slots.items():
        values = [plane_values(run, name, index, normal) for name in palette.variants.fields]
        fractions = palette.fractions(values, float(run.times[index]))
        present |= fractions.reshape(len(present), -1).max(axis=1) >= PRESENT
        images[plane, index] = palette.blend(fractions)
    return images, present


def _lines(figure: FigureBase, run: Run, names: list[str], indices: list[int]) -> None:
    """Graphs of one field, or of several in the colours of their variants."""
    x = run.fields["x"].values
    colours = FEW if len(names) <= len(FEW) else MANY
    grid = figure.subplots(len(indices), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axes, index in zip(grid, indices, strict=True):
        for name, colour in zip(names, cycle(colours), strict=False):
            axes.plot(x, plane_values(run, name, index, ""), color=colour, lw=1.0, label=field_label(run, name))
        axes.set_title(time_label(run.times[index]), loc="right", pad=2.0)
        axes.set_ylabel(field_label(run, names[0]) if len(names) == 1 else symbol(names[0].rpartition("_")[0]))
        axes.set_xlim(0.0, box(run)["x"])
        frameless(axes)
    if len(names) > 1:
        grid[0].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.2)
    grid[-1].set_xlabel("x")


def field_label(run: Run, name: str) -> str:
    return symbol(name) if "component" not in run.fields[name].dims else f"|{symbol(name)}|"


def height_ratio(lengths: dict[str, float], plane: str) -> float:
    return lengths[plane[1]] / lengths[plane[0]]


def plane_values(run: Run, name: str, index: int, normal: str) -> np.ndarray:
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


def colour_scale(run: Run, name: str, images: list[np.ndarray]) -> tuple[Normalize, Colormap]:
    """Colours from the extremes of all images; diverging about the middle between two phases where there are two.

    Damage has colours of its own, from 0 to 1; other fields of bodies that crack diverge from 0 if they have both signs.
    """
    cracks = crack_measure(run) is not None
    if name == "phi" and cracks:
        return Normalize(0.0, 1.0), DAMAGE
    low, high = min(float(i.min()) for i in images), max(float(i.max()) for i in images)
    if cracks and low < 0.0 < high:
        return Normalize(-max(-low, high), max(-low, high)), DIVERGING
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
