"""One picture of a run: three frames of the field, its energy, and what theory says about it."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.figure import Figure

from phasefield.output.reader import Run
from phasefield.visual.fields import box, chosen_frames, draw_frames
from phasefield.visual.growth import draw_growth, measured_growth
from phasefield.visual.histories import draw_energy, draw_radius
from phasefield.visual.spectrum import draw_spectra
from phasefield.visual.style import GREY, caption, load_run, new_figure, scenario_of, styled


@styled
def figure_overview(run: Run | str) -> Figure:
    """First, middle and last frame; energy; growth rates, or the radius where the scenario has it checked."""
    run = load_run(run)
    lengths = box(run)
    ratio = lengths["y"] / lengths["x"] if "y" in lengths else 1.2
    upper_height = min(max(2.35 * ratio, 1.0), 6.0) + 0.65
    figure = new_figure(run, 8.6, upper_height + 3.6)
    parts: Any = figure.subfigures(2, 1, height_ratios=[upper_height, 3.2])
    upper, lower = parts
    draw_frames(upper, run, None, chosen_frames(run, 3), ["xy"])
    left, right = lower.subplots(1, 2)
    draw_energy(left, run)
    if wants_radius(run):
        draw_radius(right, run)
    else:
        growth = measured_growth(run)
        if isinstance(growth, str):
            draw_spectra(right, run)
            right.set_title(textwrap.fill(growth, 60), color=GREY, fontsize=8.0, parse_math=False)
        else:
            draw_growth(right, growth, legend_size=7.0)
    caption(lower, _summary(run))
    return figure


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
