"""How the crack of a body with inertia ran: the path of its tips, their speed over that of Rayleigh waves, and lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.running_crack import RunningCrack, notch_of, running_crack
from phasefield.crack_dynamics import PROMINENCE
from phasefield.mechanics.crack_tips import find_tips
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.visual.crack_curves import NO_CRACKS, crack_measure, has_inertia, nothing
from phasefield.visual.fields import box, even_frames, height_ratio
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PINK,
    SEQUENTIAL,
    caption,
    frameless,
    legend_above,
    load_run,
    new_figure,
    note,
    scenario_of,
    styled,
    truncated,
)

# Of c_R: cracks in glass and polymers fork rather than run faster.
LIMIT = 0.6
# Frames in which tips are looked for, at most.
MOST_FRAMES = 100
# Late tips would be hard to see on white.
TIMES = truncated(SEQUENTIAL, 0.0, 0.92)
# Damage behind tips.
BEHIND = "Greys"


def follows_tips(run: Run) -> bool:
    """Whether the history has tips: that of a body with inertia in the plane."""
    return has_inertia(run) and "tip_length" in run.history


def why_no_tip(run: Run) -> str:
    """Why there is no tip to follow; empty where there is one."""
    if crack_measure(run) is None:
        return NO_CRACKS
    if not has_inertia(run):
        return "Tips are followed in bodies with inertia."
    found = running(run)
    return found if isinstance(found, str) else ""


def running(run: Run) -> RunningCrack | str:
    """How the crack ran, or why that cannot be said."""
    if not follows_tips(run):
        return "Tips are followed in the plane only."
    try:
        return running_crack(run, scenario_of(run))
    except NotApplicable as reason:
        text = str(reason)
        return f"{text[:1].upper()}{text[1:]}."


@styled
def figure_tip(run: Run | str) -> Figure:
    """Where the tips were, frame by frame; the speed of the longest crack's tip; lengths of that crack and of all cracks."""
    run = load_run(run)
    if reason := why_no_tip(run):
        return nothing(run, reason)
    scenario, crack = scenario_of(run), running(run)
    assert isinstance(crack, RunningCrack)
    width = 6.8
    upper = min(max((width - 1.7) * height_ratio(box(run), "xy"), 1.0), 6.0) + 0.5
    figure = new_figure(run, width, upper + 5.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=[upper, 4.8])
    draw_path(parts[0].subplots(), run, scenario, crack)
    speed, length = parts[1].subplots(2, 1, sharex=True)
    draw_speed(speed, crack)
    speed.set_xlabel("")
    draw_lengths(length, run, crack)
    values = [f"start at {crack.start:.4g}"]
    values += [f"fork at {crack.branching:.4g}"] if np.isfinite(crack.branching) else []
    values += [f"arrival at {crack.arrival:.4g}"] if np.isfinite(crack.arrival) else []
    if crack.speed.size:
        values.append(f"fastest {crack.fastest:.4g}, {crack.fastest / crack.speeds.rayleigh:.3g} of Rayleigh waves")
    caption(figure, "; ".join(values))
    return figure


def draw_path(axes: Axes, run: Run, scenario: LoadedScenario, crack: RunningCrack) -> None:
    """Tips of all frames in colours of time, on the damage of the last one; only the longest crack's where none was written."""
    lengths = box(run)
    if "phi" in run.names:
        extent = (0.0, lengths["x"], 0.0, lengths["y"])
        axes.imshow(run.frame("phi"), origin="lower", extent=extent, cmap=BEHIND, vmin=0.0, vmax=2.0)
        t, x, y = _tips(run, scenario)
    else:
        history = run.history
        t, x, y = (history[n].values for n in ("time", "tip_x", "tip_y"))
    found: Any = axes.scatter(
        x, y, c=t, s=9.0, cmap=TIMES, vmin=0.0, vmax=float(run.history["time"].values[-1]), zorder=2.0
    )
    own = [fork.position for fork in crack.forks]
    if own:
        axes.plot(*zip(*own, strict=True), "o", ms=9.0, mfc="none", mec=BLACK, mew=0.9, label="fork", zorder=3.0)
        axes.legend(loc="upper left")
    axes.set(xlim=(0.0, lengths["x"]), ylim=(0.0, lengths["y"]), aspect="equal", xlabel="x", ylabel="y")
    axes.locator_params(nbins=5)
    figure: Any = axes.figure
    figure.colorbar(found, ax=axes, label="tips at time $t$", pad=0.015, aspect=15)


def _tips(run: Run, scenario: LoadedScenario) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, x and y of the tips of the cracks from the notch in all frames."""
    notch, prominence = notch_of(scenario), PROMINENCE * scenario.model.parameters.length  # type: ignore[attr-defined]
    rows = [
        (run.times[index], *tip.position)
        for index in even_frames(run, MOST_FRAMES)
        for tip in find_tips(run.frame("phi", index).astype(float), scenario.grid, notch, prominence)
        if tip.crack == 0
    ]
    t, x, y = np.array(rows).reshape(-1, 3).T
    return t, x, y


def draw_speed(axes: Axes, crack: RunningCrack | str) -> None:
    """Speed of the tip over c_R, with c_R, which no crack exceeds that opens, and where cracks fork rather than run faster."""
    if isinstance(crack, str):
        note(axes, crack)
        return
    c_R = crack.speeds.rayleigh
    for level, style, text in ((1.0, "-", "$c_R$"), (LIMIT, ":", f"{LIMIT:g} $c_R$")):
        axes.axhline(level, color=GREY, lw=0.8, ls=style)
        place = {"xytext": (3, 2), "textcoords": "offset points", "color": GREY, "fontsize": 8.0}
        axes.annotate(text, (0.0, level), xycoords=("axes fraction", "data"), **place)
    if crack.speed.size:
        axes.plot(crack.middle, crack.speed / c_R, color=BLUE, lw=1.4, marker="o" if crack.speed.size == 1 else "")
    else:
        axes.text(0.5, 0.3, "too few rows for a speed", color=GREY, ha="center", transform=axes.transAxes)
    axes.set_xlim(*_span(crack))
    axes.set_ylim(min(0.0, 1.1 * float(np.min(crack.speed, initial=0.0)) / c_R), max(1.12, 1.1 * crack.fastest / c_R))
    mark_moments(axes, crack)
    axes.set_xlabel("time $t$")
    axes.set_ylabel(rf"speed of the tip $v/c_R$, $c_R = {c_R:.4g}$")
    frameless(axes)


def draw_lengths(axes: Axes, run: Run, crack: RunningCrack) -> None:
    """Length of the longest crack from the notch to its tip, and by how much all cracks have grown."""
    history = run.history
    length = history["crack_length"].values
    axes.plot(history["time"].values, length - length[:1], color=ORANGE, lw=1.2, label="all cracks together")
    seen = crack.length > 0.0
    axes.plot(crack.time[seen], crack.length[seen], color=BLUE, lw=1.4, label="from the notch to the tip")
    axes.set_xlim(*_span(crack))
    mark_moments(axes, crack, labels=False)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("length grown")
    legend_above(axes, 2)
    frameless(axes)


def mark_moments(axes: Axes, crack: RunningCrack | str, *, labels: bool = True) -> None:
    """Broken lines where the crack started, forked and arrived."""
    if isinstance(crack, str):
        return
    for time, text in ((crack.start, "start"), (crack.branching, "fork"), (crack.arrival, "arrival")):
        if not np.isfinite(time):
            continue
        axes.axvline(time, color=PINK, lw=0.8, ls="--", zorder=0.6)
        if labels:
            place = {"xytext": (2, 1), "textcoords": "offset points", "rotation": 90, "ha": "left", "va": "bottom"}
            axes.annotate(text, (time, 0.02), xycoords=("data", "axes fraction"), color=PINK, fontsize=8.0, **place)


def _span(crack: RunningCrack) -> tuple[float, float]:
    return 0.0, float(crack.time[-1]) * 1.02 or 1.0
