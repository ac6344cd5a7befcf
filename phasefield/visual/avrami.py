"""A transformation by nucleation and growth in Avrami's axes, where his law is a straight line of slope n."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from phasefield.analysis.avrami import WINDOW, avrami_of_run, transformed_fraction
from phasefield.analysis.modes import NotApplicable
from phasefield.output.reader import Run
from phasefield.visual.style import BLACK, BLUE, frameless, note, plain_log_ticks, scenario_of


def wants_avrami(run: Run) -> bool:
    """True when the scenario asks for the Avrami exponent to be checked."""
    wanted = scenario_of(run).settings.verify
    return wanted is not False and wanted.avrami is not False


def draw_avrami(axes: Axes, run: Run) -> None:
    """−log(1 − Y) against time, both axes logarithmic, and Avrami's law with its exponent; the reason where there is none."""
    scenario = scenario_of(run)
    try:
        fit, expected = avrami_of_run(run, scenario)
        times, fraction = transformed_fraction(run, scenario)
    except NotApplicable as reason:
        note(axes, f"No Avrami exponent: {reason}.")
        return
    used = (times > 0.0) & (fraction > WINDOW[0]) & (fraction < WINDOW[1])
    extended = -np.log1p(-fraction[used])
    # The law has one free constant, here that of the rows in the mean.
    law = np.exp(np.mean(np.log(extended)) + expected * (np.log(times[used]) - np.mean(np.log(times[used]))))
    axes.plot(times[used], extended, "o", color=BLUE, ms=3.0, label=f"measured: $n = {fit.exponent:.3f}$")
    axes.plot(times[used], law, color=BLACK, lw=1.0, label=f"Avrami: $n = {expected}$")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_log_ticks(axes.xaxis)
    plain_log_ticks(axes.yaxis)
    axes.set_xlabel("time since nucleation began")
    axes.set_ylabel(r"$-\log(1 - Y)$")
    axes.legend(loc="upper left")
    frameless(axes)
