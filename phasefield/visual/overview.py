"""One picture of a run: frames of the field or of the variants, the energy, what theory says about it, and what loads do.

Of a body that cracks: `crack_overview`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.growth import GrowthCurve
from phasefield.output.reader import Run
from phasefield.visual.avrami import draw_avrami, wants_avrami
from phasefield.visual.crack_curves import crack_measure
from phasefield.visual.crack_overview import crack_overview
from phasefield.visual.fields import box, draw_frames, telling_frames
from phasefield.visual.growth import draw_growth, measured_growth
from phasefield.visual.histories import draw_energy, draw_radius
from phasefield.visual.loop import draw_loops, loop_count
from phasefield.visual.paths import paths_of
from phasefield.visual.spectrum import draw_spectra
from phasefield.visual.style import GREY, caption, load_run, new_figure, scenario_of, styled, summary

# Inches of one panel of the lower row; there are at least two.
PANEL = 4.3


@styled
def figure_overview(run: Run | str) -> Figure:
    """Frames; energy; growth rates, or the radius or Avrami's law where the scenario has them checked, or spectra; loops under
    changing loads.

    There are the first, the middle and the last frame; under changing loads five, those that differ most. Of a body that cracks
    see `crack_overview`.
    """
    run = load_run(run)
    if (measure := crack_measure(run)) is not None:
        return crack_overview(run, measure)
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
    caption(lower, "\n".join(filter(None, [summary(run), reason if loops else ""])))
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
