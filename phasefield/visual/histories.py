"""Graphs of scalars over time: energy and step size, and the radius of a shrinking body."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.growth import NotApplicable
from phasefield.analysis.shrinking import shrinking_radius
from phasefield.output.reader import Run
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
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

# A time axis is logarithmic when the times span more than this ratio.
LOG_RATIO = 100.0
# A part of the work smaller than this is not seen.
SEEN = 0.02
TERM_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, GREY)


@styled
def figure_energy(run: Run | str) -> Figure:
    """Energy, in all and by term, and the step size against time; of a body that cracks also the balance with the work.

    Of a body with inertia that cracks: what it misses of the balance, in place of the step size.
    """
    run = load_run(run)
    history = run.history
    if "imbalance" in history:
        return _figure_motion(run)
    balance = "work" in history and "released" in history
    figure = new_figure(run, 5.6, 6.8 if balance else 4.8)
    grid = figure.subplots(3 if balance else 2, 1, sharex=True, height_ratios=[2.0] * (1 + balance) + [1.0])
    upper, lower = grid[0], grid[-1]
    draw_energy(upper, run)
    if balance:
        legend_above(upper, 4)
        draw_balance(grid[1], run)
        grid[1].set_xlabel("")
    upper.set_xlabel("")
    time, steps = history["time"].values, history["steps"].values
    made = np.diff(steps) > 0
    if made.any():
        # The mean from row to row: a step that ends at a row is cut short to do so, and says little.
        mean = np.diff(time)[made] / np.diff(steps)[made]
        lower.plot(time[1:][made], mean, color=BLUE, lw=1.2)
        if mean.max() > 10.0 * mean.min():
            lower.set_yscale("log")
            plain_log_ticks(lower.yaxis)
        else:
            lower.set_ylim(0.0, 1.2 * mean.max())
    lower.set_ylabel(r"mean step $\Delta t$")
    lower.set_xlabel("time $t$")
    frameless(lower)
    taken, rejected = (int(history[n].values[-1]) if time.size else 0 for n in ("steps", "rejected_steps"))
    caption(figure, f"{taken} steps, {rejected} rejected")
    return figure


def draw_energy(axes: Axes, run: Run) -> None:
    """Total energy and its terms against time."""
    history = run.history
    time = history["time"].values
    terms = [str(n) for n in history if str(n).startswith("energy_") and n not in ("energy_increase", "energy_added")]
    marker = "o" if time.size == 1 else ""
    axes.plot(time, history["energy"].values, color=BLACK, lw=2.4, marker=marker, label="total")
    for term, colour in zip(sorted(terms), TERM_COLOURS, strict=False):
        label = term.removeprefix("energy_").replace("_", " ")
        style = "--" if label == "gradient" else "-"
        axes.plot(time, history[term].values, color=colour, lw=1.2, ls=style, marker=marker, label=label)
    corners = mark_corners(axes, run)
    if not corners and _early(time, history["energy"].values):
        axes.set_xscale("log")
        axes.set_xlim(time[time > 0.0][0], time[-1])
        # t = 0 lies outside: what falls before the first row is not to flatten all that follows.
        shown = np.concatenate([history[n].values[time > 0.0] for n in ("energy", *terms)])
        margin = 0.05 * float(np.ptp(shown))
        axes.set_ylim(shown.min() - margin, shown.max() + margin)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("energy $F$")
    axes.legend()
    frameless(axes)


def draw_balance(axes: Axes, run: Run) -> None:
    """Work of the loads against what became of it: elastic energy and dissipated energy, both since the start.

    W = ΔE + D + R: the gap between W and ΔE + D, shaded, went at once where a crack jumped, or into viscosity.
    """
    history = run.history
    time, work = history["time"].values, history["work"].values
    elastic = history["energy_elastic"].values - history["energy_elastic"].values[:1]
    dissipated = history["dissipated"].values
    marker = "o" if time.size == 1 else ""
    axes.plot(time, elastic, color=BLUE, lw=1.2, marker=marker, label=r"elastic, $\Delta E$")
    axes.plot(time, dissipated, color=PINK, lw=1.2, marker=marker, label="dissipated, $D$")
    axes.plot(time, elastic + dissipated, color=ORANGE, lw=2.4, marker=marker, label=r"$\Delta E + D$")
    axes.plot(time, work, color=BLACK, lw=1.0, ls="--", marker=marker, label="work, $W$")
    if np.max(np.abs(work - elastic - dissipated), initial=0.0) > SEEN * np.max(np.abs(work), initial=0.0):
        axes.fill_between(time, elastic + dissipated, work, color=GREY, alpha=0.3, lw=0.0, label="released")
    mark_corners(axes, run)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("energy")
    legend_above(axes, 3)
    frameless(axes)


def _figure_motion(run: Run) -> Figure:
    history = run.history
    figure = new_figure(run, 5.6, 8.2)
    grid = figure.subplots(4, 1, sharex=True, height_ratios=[2.0, 2.0, 2.0, 1.0])
    draw_energy(grid[0], run)
    legend_above(grid[0], 5)
    draw_motion(grid[1], run)
    draw_parts(grid[2], run)
    time, missed = (history[n].values for n in ("time", "imbalance"))
    work, _ = _work(run)
    scale = (
        float(np.max(np.abs(work), initial=0.0)) or float(np.max(np.abs(history["energy"].values), initial=0.0)) or 1.0
    )
    grid[3].axhline(0.0, color=GREY, lw=0.5)
    grid[3].plot(time, missed / scale, color=BLUE, lw=1.2, marker="o" if time.size == 1 else "")
    grid[3].set_ylabel("missed")
    frameless(grid[3])
    for axes in grid[:3]:
        axes.set_xlabel("")
    grid[3].set_xlabel("time $t$")
    steps = int(history["steps"].values[-1]) if time.size else 0
    largest = float(np.max(np.abs(missed), initial=0.0)) / scale
    caption(figure, f"{steps} steps; energy missed by the balance, over the largest work, at most {largest:.2g}")
    return figure


def draw_motion(axes: Axes, run: Run) -> None:
    """Work of the loads on a body with inertia against its kinetic energy T, and what all that it became adds up to.

    W = T + ΔU + D + what was damped, with the elastic energy U and that of cracks D since the start. W is also that of heat.
    """
    history = run.history
    time, kinetic = history["time"].values, history["energy_kinetic"].values
    elastic, dissipated, damped = _parts(run)
    label, total = r"$T + \Delta U + D$", kinetic + elastic + dissipated + damped
    marker = "o" if time.size == 1 else ""
    axes.plot(time, total, color=ORANGE, lw=2.4, marker=marker, label=label + " + damped" * bool(damped.any()))
    axes.plot(time, kinetic, color=GREEN, lw=1.2, marker=marker, label="kinetic, $T$")
    work, name = _work(run)
    axes.plot(time, work, color=BLACK, lw=1.0, ls="--", marker=marker, label=name)
    _finish(axes, run)


def draw_parts(axes: Axes, run: Run) -> None:
    """The elastic energy, that of cracks and what was damped, all since the start: small beside the kinetic energy."""
    time = run.history["time"].values
    elastic, dissipated, damped = _parts(run)
    marker = "o" if time.size == 1 else ""
    axes.plot(time, elastic, color=BLUE, lw=1.2, marker=marker, label=r"elastic, $\Delta U$")
    axes.plot(time, dissipated, color=PINK, lw=1.2, marker=marker, label="dissipated, $D$")
    if damped.any():
        axes.plot(time, damped, color=SKY, lw=1.2, marker=marker, label="damped")
    _finish(axes, run)


def _work(run: Run) -> tuple[np.ndarray, str]:
    """What the loads did, with what thermal strains did where there are such, and what that is called."""
    history = run.history
    if "heat_work" in history:
        return history["work"].values + history["heat_work"].values, "of loads and heat, $W$"
    return history["work"].values, "work, $W$"


def _parts(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    history = run.history
    elastic, dissipated, damped = (history[n].values for n in ("energy_elastic", "dissipated", "damped"))
    # A viscosity of damage takes energy as dampers do.
    damped = damped + history["delayed"].values if "delayed" in history else damped
    return elastic - elastic[:1], dissipated, damped


def _finish(axes: Axes, run: Run) -> None:
    mark_corners(axes, run)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("energy")
    legend_above(axes, 3)
    frameless(axes)


def mark_corners(axes: Axes, run: Run) -> bool:
    """Dotted lines where a load or the temperature begins to change otherwise; whether there are any within the run."""
    times = run.history["time"].values
    corners = [t for t in scenario_of(run).model.events if times[0] < t < times[-1]]
    for time in corners:
        axes.axvline(time, color=GREY, lw=0.5, ls=":", zorder=0.5)
    return bool(corners)


def _early(time: np.ndarray, energy: np.ndarray) -> bool:
    """True where a logarithmic time axis helps: over decades of time, and with half the fall in the first quarter."""
    later = time[time > 0.0]
    if later.size < 3 or later[-1] < LOG_RATIO * later[0]:
        return False
    middle = 0.5 * (energy[0] + energy[-1])
    return bool(energy[0] > energy[-1] and energy[time >= 0.25 * time[-1]][0] <= middle)


@styled
def figure_radius(run: Run | str) -> Figure:
    """Radius squared of a shrinking disc or sphere against R² = R₀² − 2(d−1) L κ t."""
    run = load_run(run)
    figure = new_figure(run, 5.2, 3.8)
    draw_radius(figure.subplots(), run)
    return figure


def draw_radius(axes: Axes, run: Run) -> None:
    """R² measured as points, theory as a line; the reason where there is no radius."""
    scenario = scenario_of(run)
    try:
        result = shrinking_radius(run, scenario)
    except NotApplicable as reason:
        note(axes, f"No radius to follow: {reason}.")
        return
    time, square = result.times, result.radius**2
    law = square[0] + result.expected_slope * (time - time[0])
    label = rf"theory, $R_0^2 - 2(d-1)L\kappa t$: slope ${result.expected_slope:.4g}$"
    axes.plot(time, law, color=BLACK, label=label)
    axes.plot(time, square, "o", color=BLUE, label=rf"measured: slope ${result.slope:.4g}$")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("radius squared $R^2$")
    axes.legend(loc="lower left")
    frameless(axes)
