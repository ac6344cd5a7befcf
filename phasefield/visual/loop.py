"""What loads and temperature do to a body: stress against strain, strain against temperature, and all of them over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from phasefield.mechanics.stiffness import COMPONENTS
from phasefield.output.reader import Run
from phasefield.visual.histories import mark_corners
from phasefield.visual.paths import Paths, paths_of, varies
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SEQUENTIAL,
    SKY,
    frameless,
    load_run,
    math_symbol,
    new_figure,
    note,
    styled,
    truncated,
)

COLOURS: dict[str, str] = dict(zip(COMPONENTS, (BLUE, ORANGE, GREEN, RED, SKY, PINK), strict=True))
# Line widths of the first, second and third component: dashes would begin anew on every piece of a coloured line.
WIDTHS = (2.0, 1.2, 0.6)
# The end lies within the start where a loop is closed.
START: dict[str, Any] = {"marker": "o", "color": BLACK, "mfc": "white", "ms": 8.5, "zorder": 4}
END: dict[str, Any] = {"marker": "s", "color": BLACK, "ms": 4.0, "zorder": 5}
MARK: dict[str, Any] = {"marker": "o", "ms": 4.5, "mfc": "white", "mec": GREY, "mew": 0.9, "zorder": 4.5}
# Time as colour, without the palest end.
TIMES = truncated(SEQUENTIAL, 0.0, 0.92)


@styled
def figure_loop(run: Run | str) -> Figure:
    """Loops of stress, strain and temperature, and their traces over time with what is dissipated."""
    run = load_run(run)
    paths = paths_of(run)
    if not varies(run):
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), "No mean stress, mean strain or temperature changes in this run.")
        return figure
    traces = _traces(run, paths)
    count = loop_count(paths)
    height = max(1.5 * len(traces), 2.9 * count, 2.6) + 0.6
    if not count:
        figure = new_figure(run, 5.6, height)
        _draw_traces(figure, run, paths, traces)
        return figure
    figure = new_figure(run, 9.4, height)
    parts: Any = figure.subfigures(1, 2, width_ratios=[1.0, 1.15])
    draw_loops(list(parts[0].subplots(count, 1, squeeze=False)[:, 0]), paths)
    _draw_traces(parts[1], run, paths, traces)
    return figure


def loop_count(paths: Paths) -> int:
    """How many panels `draw_loops` fills: stress–strain, and one against temperature."""
    return len(_pairs(paths))


def draw_loops(grid: list[Axes], paths: Paths, marks: np.ndarray | None = None) -> None:
    """Fill the axes with loops coloured by time, the colour bar at the last one; `marks` are times to be shown on them."""
    norm = Normalize(paths.time[0], paths.time[-1])
    mappable: Any = None
    for axes, (x, y) in zip(grid, _pairs(paths), strict=True):
        mappable = _draw_loop(axes, paths.time, x, y, norm, marks)
    if mappable is not None:
        grid[0].figure.colorbar(mappable, ax=grid, label="time $t$", pad=0.02, aspect=25)
        handles = [Line2D([], [], ls="", label="start", **START), Line2D([], [], ls="", label="end", **END)]
        if marks is not None:
            handles.append(Line2D([], [], ls="", label="frames", **MARK))
        # Above the first loop: a place inside that is free in all loops does not exist.
        key = Legend(
            grid[0],
            handles,
            [str(h.get_label()) for h in handles],
            loc="lower center",
            bbox_to_anchor=(0.5, 1.01),
            ncols=3,
            handletextpad=0.1,
            borderaxespad=0.0,
            columnspacing=1.2,
        )
        grid[0].add_artist(key)
        # Clipped artists get no room.
        key.set_clip_on(False)


@dataclass(frozen=True)
class _Quantity:
    """One axis of a loop: its name, its sign, and its values by component; one nameless component for temperature."""

    name: str
    sign: str
    values: dict[str, np.ndarray]

    @property
    def label(self) -> str:
        names = list(self.values)
        return f"{self.name} ${self.symbol(names[0])}$" if len(names) == 1 else self.name

    def symbol(self, component: str) -> str:
        return component_symbol(self.sign, component)


def component_symbol(sign: str, component: str) -> str:
    """Mean stress or strain in math text: σ̄_xx; of a field that is a strain, the mean of the field itself."""
    if component in COMPONENTS or not component:
        return f"{sign}_{{{component}}}" if component else sign
    return rf"\langle {math_symbol(component)}\rangle" if "epsilon" in sign else rf"\sigma_{{{math_symbol(component)}}}"


def _stress(paths: Paths, components: list[str]) -> _Quantity:
    return _Quantity("mean stress", r"\bar\sigma", {c: paths.stress[c] for c in components})


def _strain(paths: Paths, components: list[str]) -> _Quantity:
    return _Quantity("mean strain", r"\bar\varepsilon", {c: paths.strain[c] for c in components})


def _pairs(paths: Paths) -> list[tuple[_Quantity, _Quantity]]:
    """(horizontal, vertical) of every loop."""
    pairs = []
    both = paths.loaded
    if both:
        pairs.append((_strain(paths, both), _stress(paths, both)))
    if paths.temperature is not None:
        temperature = _Quantity("temperature", "T", {"": paths.temperature})
        if paths.strain:
            pairs.append((temperature, _strain(paths, both or paths.largest(paths.strain))))
        elif paths.stress:
            pairs.append((temperature, _stress(paths, paths.largest(paths.stress))))
    return pairs


def _draw_loop(
    axes: Axes, time: np.ndarray, x: _Quantity, y: _Quantity, norm: Normalize, marks: np.ndarray | None
) -> LineCollection:
    lines: LineCollection | None = None
    handles = []
    for component, width in zip(y.values, WIDTHS, strict=False):
        u, v = x.values.get(component, x.values.get("")), y.values[component]
        assert u is not None
        points = np.stack([u, v], axis=1)
        pieces = np.stack([points[:-1], points[1:]], axis=1)
        lines = LineCollection(list(pieces), cmap=TIMES, norm=norm, linewidths=width, capstyle="round")
        lines.set_array(0.5 * (time[:-1] + time[1:]))
        axes.add_collection(lines)
        handles.append(Line2D([], [], color=GREY, lw=width, label=f"${y.symbol(component)}$"))
        if marks is not None:
            axes.plot(np.interp(marks, time, u), np.interp(marks, time, v), ls="", **MARK)
        axes.plot(u[0], v[0], **START)
        axes.plot(u[-1], v[-1], **END)
    assert lines is not None
    if len(handles) > 1:
        axes.legend(handles=handles, handlelength=1.2)
    axes.axhline(0.0, color=GREY, lw=0.5, zorder=0.5)
    if "" not in x.values:
        axes.axvline(0.0, color=GREY, lw=0.5, zorder=0.5)
    axes.margins(0.08)
    axes.autoscale_view()
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    frameless(axes)
    return lines


def _traces(run: Run, paths: Paths) -> list[tuple[str, dict[str, tuple[np.ndarray, str]]]]:
    """(label, curves by name with their colours) of every panel over time."""
    panels = []
    if paths.temperature is not None:
        panels.append(("temperature $T$", {"": (paths.temperature, BLACK)}))
    for label, sign, values in (
        ("mean stress", r"\bar\sigma", paths.stress),
        ("mean strain", r"\bar\varepsilon", paths.strain),
    ):
        if values:
            panels.append(
                (label, {f"${component_symbol(sign, c)}$": (v, COLOURS.get(c, BLUE)) for c, v in values.items()})
            )
    if "dissipation" in run.history:
        panels.append(("dissipated energy", {"": (run.history["dissipation"].values, BLACK)}))
    return panels


def _draw_traces(figure: Any, run: Run, paths: Paths, panels: list[Any]) -> None:
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, curves) in zip(grid, panels, strict=True):
        mark_corners(axes, run)
        for name, (values, colour) in curves.items():
            axes.plot(paths.time, values, color=colour, lw=1.3, label=name or None)
        axes.set_ylabel(label)
        if any(curves):
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0)
        frameless(axes)
    grid[-1].set_xlim(paths.time[0], paths.time[-1])
    grid[-1].set_xlabel("time $t$")
