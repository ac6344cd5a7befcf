"""Graphs of bodies that crack: force against load, with the jumps, and the length of cracks with the energy they took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.mechanics.stiffness import COMPONENTS
from phasefield.models.cracked import Cracked
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.visual.histories import mark_corners
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PINK,
    RED,
    caption,
    frameless,
    legend_above,
    load_run,
    new_figure,
    note,
    plain_log_ticks,
    scenario_of,
    styled,
)

NO_CRACKS = "This run follows no cracks: it has no load, force and crack length."
NO_LOAD = "A body with inertia has no force that belongs to its load: see the figures energy and tip."
# With more steps, their points would hide the line.
MOST_POINTS = 300
# Passes that differ by more than this have a logarithmic axis.
DECADE = 10.0
MARK: dict[str, Any] = {"marker": "o", "ms": 6.5, "mfc": "none", "mec": BLACK, "mew": 0.9, "ls": "", "zorder": 4.0}
JUMP: dict[str, Any] = {"color": RED, "ls": "--", "lw": 1.0, "marker": "v", "ms": 4.5, "markevery": [1], "zorder": 3.0}


@dataclass(frozen=True)
class LoadCurve:
    """What is drawn as load and answer: values with one entry per row of the history, and what they are called."""

    x: np.ndarray
    y: np.ndarray
    x_label: str
    y_label: str
    name: str = ""


def crack_measure(run: Run) -> str | None:
    """The column `crack_length` or `crack_area` of a body that cracks; None for other runs."""
    history = run.history
    return next((n for n in ("crack_length", "crack_area") if n in history and "dissipated" in history), None)


def has_inertia(run: Run) -> bool:
    """Whether a run is that of a body with inertia that cracks."""
    history = run.history
    return crack_measure(run) is not None and "energy_kinetic" in history and "imbalance" in history


def load_curves(run: Run) -> list[LoadCurve]:
    """Of a periodic cell mean stress against mean strain, for the components that load it; of a body with faces force against
    load, and load against deflection where only forces are given.
    """
    history = run.history
    columns = {str(n): np.asarray(history[n].values, float) for n in history}
    model = scenario_of(run).model
    if isinstance(model, Fracture) and (control := model.parameters.mean) is not None:
        given = {**(control.strain or {}), **(control.stress or {})}
        loaded = [c for c in COMPONENTS if given.get(c) and f"mean_strain_{c}" in columns]  # type: ignore[call-overload]
        if loaded:
            which = rf"_{{{loaded[0]}}}" if len(loaded) == 1 else ""
            labels = rf"mean strain $\bar\varepsilon{which}$", rf"mean stress $\bar\sigma{which}$"
            return [
                LoadCurve(columns[f"mean_strain_{c}"], columns[f"mean_stress_{c}"], *labels, f"${c}$") for c in loaded
            ]
    if not columns["force"].any() and columns["deflection"].any():
        return [LoadCurve(columns["deflection"], columns["load"], "deflection", "load")]
    return [LoadCurve(columns["load"], columns["force"], "load", "force")]


@styled
def figure_load(run: Run | str) -> Figure:
    """Force against load, or mean stress against mean strain, step by step; of bodies in equilibrium."""
    run = load_run(run)
    if crack_measure(run) is None or has_inertia(run):
        return nothing(run, NO_CRACKS if crack_measure(run) is None else NO_LOAD)
    figure = new_figure(run, 5.2, 4.0)
    draw_load(figure.subplots(), run)
    jumps, steps = (int(run.history[n].values[-1]) for n in ("jumps", "steps"))
    parts = [f"{steps} steps", f"{jumps} {'jump' if jumps == 1 else 'jumps'}"]
    if len(curves := load_curves(run)) == 1:
        row = int(np.argmax(np.abs(curves[0].y)))
        name = curves[0].y_label.partition(" $")[0]
        parts.append(f"largest {name} {curves[0].y[row]:.4g} at {curves[0].x[row]:.4g}")
    caption(figure, ", ".join(parts))
    return figure


def draw_load(axes: Axes, run: Run, marks: np.ndarray | None = None) -> None:
    """The curve with a point per step, jumps as broken lines to where they ended; `marks` are times to be shown on it."""
    time, after = run.history["time"].values, jump_rows(run)
    curves = load_curves(run)
    colours = (BLUE, ORANGE, PINK, GREY, BLACK, RED)
    for curve, colour in zip(curves, colours, strict=False):
        points = "o" if time.size <= MOST_POINTS else ""
        smooth = np.insert(curve.x, after, np.nan), np.insert(curve.y, after, np.nan)
        axes.plot(*smooth, color=colour, lw=1.2)
        label = curve.name if len(curves) > 1 else "steps"
        axes.plot(curve.x, curve.y, points, ls="", color=colour, ms=2.6, label=label if points else None)
        for row in after:
            ends = slice(row - 1, row + 1)
            axes.plot(
                curve.x[ends], curve.y[ends], **JUMP, label="jump" if row == after[0] and curve is curves[0] else None
            )
    for curve in curves if marks is not None else []:
        shown = np.interp(marks, time, curve.x), np.interp(marks, time, curve.y)  # type: ignore[arg-type]
        axes.plot(*shown, **MARK, label="frames" if curve is curves[0] else None)
    axes.axhline(0.0, color=GREY, lw=0.5, zorder=0.5)
    axes.set_xlabel(curves[0].x_label)
    axes.set_ylabel(curves[0].y_label)
    axes.locator_params(axis="x", nbins=6)
    legend_above(axes, 4)
    frameless(axes)


def jump_rows(run: Run) -> np.ndarray:
    """Rows of the history at the end of a jump: of a step in which damage changed by much at once; none with inertia."""
    if "jumps" not in run.history:
        return np.zeros(0, int)
    return np.flatnonzero(np.diff(run.history["jumps"].values) > 0) + 1


@styled
def figure_crack(run: Run | str) -> Figure:
    """Length (area) of the cracks and the energy they took, against time, and against load where there is one."""
    run = load_run(run)
    if crack_measure(run) is None:
        return nothing(run, NO_CRACKS)
    history = run.history
    against = {name: label for name, label in (("time", "time $t$"), ("load", "load")) if name in history}
    figure = new_figure(run, 1.6 + 2.9 * len(against), 5.0)
    grid = figure.subplots(2, len(against), sharex="col", sharey="row", squeeze=False)
    for column, (name, label) in enumerate(against.items()):
        upper, lower = grid[:, column]
        x = history[name].values
        draw_length(upper, run, x)
        draw_dissipated(lower, run, x)
        lower.set_xlabel(label)
        lower.locator_params(axis="x", nbins=6)
        if name == "time":
            mark_corners(upper, run)
            mark_corners(lower, run)
        else:
            upper.set_ylabel("")
            lower.set_ylabel("")
    legend_above(grid[1, 0], 2)
    return figure


def draw_length(axes: Axes, run: Run, x: np.ndarray, marks: np.ndarray | None = None) -> None:
    """Length or area of the cracks, jumps marked; `marks` are times to be shown on the curve."""
    measure = crack_measure(run)
    assert measure is not None
    values, after = run.history[measure].values, jump_rows(run)
    # With inertia rows are not steps.
    points = x.size == 1 or (x.size <= MOST_POINTS and not has_inertia(run))
    axes.plot(x, values, "o-" if points else "-", color=BLUE, ms=2.6, lw=1.2)
    if after.size:
        axes.plot(x[after], values[after], **{**JUMP, "ls": "", "markevery": None}, label="after a jump")
        legend_above(axes, 1)
    if marks is not None:
        time = run.history["time"].values
        axes.plot(np.interp(marks, time, x), np.interp(marks, time, values), **MARK, label="frames")
        legend_above(axes, 2)
    axes.set_ylabel(measure.replace("_", " "))
    frameless(axes)


def draw_dissipated(axes: Axes, run: Run, x: np.ndarray) -> None:
    """Energy that the cracks took since the start, and Gc of the bulk times what they grew."""
    history, measure = run.history, crack_measure(run)
    assert measure is not None
    grown = history[measure].values - history[measure].values[:1]
    scenario = scenario_of(run)
    model = scenario.model
    marker = "o" if x.size == 1 else ""
    axes.plot(x, history["dissipated"].values, color=PINK, lw=2.4, marker=marker, label="dissipated")
    if isinstance(model, Cracked):
        Gc = model.bulk(scenario.grid, scenario.folder).toughness
        label = rf"$G_c$ × growth, $G_c = {Gc:.4g}$"
        axes.plot(x, Gc * grown, color=BLACK, lw=1.0, ls="--", marker=marker, label=label)
    axes.set_ylabel("dissipated energy")
    frameless(axes)


def draw_passes(axes: Axes, run: Run) -> None:
    """Passes of alternate minimisation per step against time: many where a crack jumps or starts."""
    history = run.history
    time, steps, passes = (history[n].values for n in ("time", "steps", "passes"))
    made = np.diff(steps) > 0
    if made.any():
        each = np.diff(passes)[made] / np.diff(steps)[made]
        axes.plot(time[1:][made], each, "o-" if time.size <= MOST_POINTS else "-", color=GREY, ms=2.4, lw=0.9)
        if each.max() > DECADE * max(each.min(), 1.0):
            axes.set_yscale("log")
            plain_log_ticks(axes.yaxis)
        else:
            axes.set_ylim(0.0, 1.15 * each.max())
    axes.set_ylabel("passes")
    frameless(axes)


def nothing(run: Run, reason: str) -> Figure:
    """A figure that says why there is nothing to show."""
    figure = new_figure(run, 5.6, 3.2)
    note(figure.subplots(), reason)
    return figure
