"""Which way the walls between variants lie: intensity of the structure factor of η_p − η_q against direction.

In two dimensions as shares over the half circle of angles, in three as a pole figure (stereographic projection, seen along
z) in multiples of a uniform distribution. Marked are the normals of interfaces that need no stress.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Wedge
from matplotlib.ticker import MaxNLocator

from phasefield.errors import InputError
from phasefield.mechanics.compatibility import compatible_normals
from phasefield.models.base import Variants
from phasefield.output.reader import Run
from phasefield.visual.fields import box
from phasefield.visual.pole_figure import draw_poles
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREY,
    RED,
    caption,
    load_run,
    new_figure,
    note,
    scenario_of,
    styled,
    symbol,
    time_label,
)
from phasefield.visual.variants import PRESENT, palette_of

# Pairs shown at most, those with the most intensity.
PAIRS = 6
COLUMNS = 3
# Degrees; 30, 45 and 60 are centres of bins.
BIN = 5.0
# A frame is worth showing when its fluctuations have this share of the largest.
SHARE = 0.5
# Variances below this, in units of the value of η in a variant squared, are no structure.
LEAST = 1e-3


@dataclass(frozen=True)
class Contrast:
    """A difference between two variants, Σ weight η, what it is called, and the normals (M, 3) that both can share."""

    name: str
    weights: dict[str, float]
    normals: np.ndarray


@styled
def figure_orientation(run: Run | str) -> Figure:
    """Polar histograms (2-D) or pole figures (3-D) of every pair of variants, in the last frame that has a structure.

    Pairs are those of variants that occur in this frame.
    """
    run = load_run(run)
    lengths = box(run)
    reason = _missing(run)
    if reason:
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), reason)
        return figure
    variants = scenario_of(run).model.variants
    assert variants is not None
    index = structured_frame(run, variants.fields)
    fields = {name: run.frame(name, index) for name in variants.fields}
    well = variants.well(float(run.times[index]))
    if sum(f.var() for f in fields.values()) < LEAST * well**2:
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), "No walls to be seen: all fields are nearly constant.")
        return figure
    there = {n for n, f in fields.items() if np.abs(f).max() >= PRESENT * well}
    every = [c for c in contrasts(variants) if c.weights.keys() <= there] or contrasts(variants)
    spectrum = Spectrum(fields, tuple(lengths.values()))
    # The strongest, but in their own order on the page.
    kept = sorted(np.argsort([-spectrum.power(c.weights).sum() for c in every], kind="stable")[:PAIRS])
    columns = min(COLUMNS, len(kept))
    rows = -(-len(kept) // columns)
    flat = len(lengths) == 2
    figure = new_figure(
        run, max(3.3 * columns, 4.6) if flat else 3.5 * columns + 0.4, (2.1 if flat else 3.1) * rows + 0.6
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, place in zip(grid.flat, kept, strict=False):
        contrast = every[place]
        axes.set_title(contrast.name)
        draw = draw_angles if flat else draw_poles
        draw(axes, spectrum.directions, spectrum.power(contrast.weights), contrast.normals)
    for axes in grid.flat[len(kept) :]:
        axes.set_axis_off()
    text = f"{time_label(run.times[index])}; normals of stress-free interfaces in red"
    if len(kept) < len(every):
        text += f"; the {len(kept)} strongest of {len(every)} pairs"
    caption(figure, text)
    return figure


def _missing(run: Run) -> str:
    """Why there is no figure; empty where there is one."""
    if len(box(run)) == 1:
        return "A line has one direction only."
    if palette_of(run) is None:
        return "The model has no variants, or not all of their fields are in the file."
    if len(run.times) == 0:
        raise InputError(f"'{run.file}' holds no frame yet")
    return ""


def contrasts(variants: Variants) -> list[Contrast]:
    """Every pair of variants; of a single field its two signs, or the variant and the parent."""
    names, strains = variants.fields, variants.strains
    if len(names) == 1:
        other = -strains[0] if variants.signed else np.zeros((3, 3))
        sign = "±" if variants.signed else ""
        return [Contrast(f"{sign}{symbol(names[0])}", {names[0]: 1.0}, _normals(strains[0], other))]
    return [
        Contrast(
            f"{symbol(names[p])} − {symbol(names[q])}",
            {names[p]: 1.0, names[q]: -1.0},
            _normals(strains[p], strains[q]),
        )
        for p, q in combinations(range(len(names)), 2)
    ]


def _normals(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    try:
        return compatible_normals(first, second, 1e-6)[0]
    except InputError:
        # Equal strains, or no plane is free of stress.
        return np.zeros((0, 3))


def structured_frame(run: Run, names: tuple[str, ...]) -> int:
    """The last frame with at least half of the largest variance, noise at the start left out; the last one without spectra."""
    data, times = run.spectrum, run.times
    if data is None or data.sizes["time"] < 2:
        return len(times) - 1
    modes = data["modes"].values
    # The first shell is the mean.
    variance = np.nan_to_num(sum((data[f"power_{n}"].values * modes)[1:, 1:].sum(axis=1) for n in names))
    chosen = data["time"].values[1:][variance >= SHARE * variance.max()][-1]
    return int(np.argmin(np.abs(times - chosen)))


class Spectrum:
    """Fourier coefficients of fields by direction, without the mean; n and −n are one.

    Args:
        fields: by name, in grid shape (…, y, x).
        lengths: of the box along x, y[, z].
    """

    def __init__(self, fields: dict[str, np.ndarray], lengths: tuple[float, ...]):
        (shape,) = {f.shape for f in fields.values()}
        self._hat = {name: np.fft.rfftn(f, norm="forward").ravel()[1:] for name, f in fields.items()}
        # Half of the modes along x are stored; those without a partner among them count once.
        weight = np.full(shape[-1] // 2 + 1, 2.0)
        weight[0] = 1.0
        if shape[-1] % 2 == 0:
            weight[-1] = 1.0
        self._weight = np.broadcast_to(weight, (*shape[:-1], weight.size)).ravel()[1:]
        numbers = [np.fft.fftfreq(n, 1.0 / n) for n in shape[:-1]] + [np.arange(weight.size)]
        mesh = np.meshgrid(*(m / length for m, length in zip(numbers, reversed(lengths), strict=True)), indexing="ij")
        vectors = np.zeros((self._weight.size, 3), np.float32)
        for axis, component in enumerate(reversed(mesh)):
            vectors[:, axis] = component.ravel()[1:]
        self.directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def power(self, weights: dict[str, float]) -> np.ndarray:
        """|Σ weight η̂_k|² of all directions; the sum is the variance of Σ weight η."""
        total = sum(weight * self._hat[name] for name, weight in weights.items())
        return self._weight * np.abs(total) ** 2


def draw_angles(axes: Axes, n: np.ndarray, power: np.ndarray, normals: np.ndarray) -> None:
    """Share of the power per bin of angles over the half circle; normals within the plane as lines.

    Drawn on plain axes: polar ones keep the room of the other half.
    """
    centres, share = angle_shares(n, power)
    steps = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(0.0, 100.0 * max(share.max(), 1e-3))
    ticks = [t for t in steps if t > 0.0]
    for tick in ticks:
        r = tick / ticks[-1]
        axes.add_patch(Arc((0.0, 0.0), 2.0 * r, 2.0 * r, theta2=180.0, lw=0.8 if r == 1.0 else 0.4, color=_rim(r)))
        axes.text(r, -0.04, f"{tick:g} %", ha="center", va="top", fontsize=7.0, color=GREY)
    for angle in range(0, 181, 45):
        u, v = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        axes.plot([0.0, u], [0.0, v], color=_rim(0.0), lw=0.4, zorder=1)
        axes.text(1.11 * u, 1.09 * v, f"{angle}°", ha="center", va="center", fontsize=8.0)
    for centre, height in zip(centres, 100.0 * share / ticks[-1], strict=True):
        # What lies below the horizon belongs to 180°.
        for low, high in _above(centre):
            axes.add_patch(Wedge((0.0, 0.0), height, low, high, color=BLUE, lw=0.0, zorder=2))
    marked = plane_angles(normals)
    # The two ends of the half circle are one direction.
    for angle in [*marked, *(180.0 for a in marked if a == 0.0)]:
        u, v = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        axes.plot([0.0, u], [0.0, v], color=RED, ls="--", lw=1.2, zorder=3)
    axes.plot([-1.0, 1.0], [0.0, 0.0], color=BLACK, lw=0.8, zorder=2.5)
    axes.set_xlim(-1.22, 1.22)
    axes.set_ylim(-0.16, 1.18)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _rim(r: float) -> str:
    return BLACK if r == 1.0 else "#BBBBBB"


def _above(centre: float) -> list[tuple[float, float]]:
    """A bin as intervals within 0 … 180°."""
    half = 0.5 * BIN
    if centre >= half:
        return [(centre - half, centre + half)]
    return [(0.0, centre + half), (180.0 + centre - half, 180.0)]


def angle_shares(n: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres of bins, 0, 5°, … 175°, and the share of the power in each."""
    angle = np.degrees(np.arctan2(n[:, 1], n[:, 0]))
    count = round(180.0 / BIN)
    # Angles in the middle between two bins, such as those of rounding errors, do not matter.
    place = np.round(angle / BIN).astype(int) % count
    total = power.sum()
    return BIN * np.arange(count), np.bincount(place, power, count) / (total if total > 0.0 else 1.0)


def plane_angles(normals: np.ndarray) -> list[float]:
    """Angles, 0 … 180°, of the normals that lie within the plane, each once."""
    inside = normals[np.abs(normals[:, 2]) < 1e-6] if len(normals) else normals
    return sorted({round(float(np.degrees(np.arctan2(y, x))) % 180.0, 3) % 180.0 for x, y, _ in inside})
