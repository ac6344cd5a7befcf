"""Figure of the page on coarsening: domains, their lengths over time, and the steps.

A finished run in `runs/coarsening` is used, else one is made there, in minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import phasefield as pf
from phasefield.visual.style import BLACK, BLUE, DIVERGING, GREEN, GREY, ORANGE, frameless, styled

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "runs/coarsening"
LENGTHS = {
    "mean_wavelength": ("s", ORANGE, r"mean wavelength $2\pi/\langle k\rangle$"),
    "interface_spacing": ("o", BLUE, r"interface spacing $\ell=V/A$"),
    "first_zero": ("^", GREEN, r"first zero of $g(r)$"),
}
DECADES = 1.5


@styled
def figure_coarsening() -> Figure:
    """Three frames; lengths against time over t^(1/3), the mean wavelength also over its law; steps over t^(13/18)."""
    known = FOLDER.exists() and pf.Run(FOLDER).status.get("status") == "finished"
    run = pf.Run(FOLDER) if known else pf.run(ROOT / "scenarios/coarsening.yaml", output=FOLDER, overwrite=True)
    found = pf.coarsening(run)
    figure = Figure((8.4, 6.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.1, 1.1])
    wanted = found.time[-1] * np.array([0.01, 0.1, 1.0])
    for axes, time in zip(top.subplots(1, 3), wanted, strict=True):
        index = int(np.argmin(np.abs(run.times - time)))
        axes.imshow(
            run.frame("c", index), cmap=DIVERGING, vmin=-1.0, vmax=1.0, origin="lower", interpolation="antialiased"
        )
        axes.set(xticks=[], yticks=[], title=rf"$t = 10^{{{np.log10(run.times[index]):.2g}}}$")
    left, right = bottom.subplots(1, 2, width_ratios=[1.25, 1.0])
    _lengths(left, found)
    _steps(right, found)
    return figure


def _lengths(axes: Axes, found: pf.Coarsening) -> None:
    window = found.window(DECADES)
    t = found.time
    for name, (mark, colour, text) in LENGTHS.items():
        exponent = found.law(name, window).exponent
        axes.plot(t, getattr(found, name), mark, ms=4, color=colour, label=f"{text}: {exponent:.3f}")
    for name in ("interface_spacing", "first_zero"):
        height = np.exp(np.mean(np.log(getattr(found, name)) - np.log(t) / 3))
        axes.plot(
            t, height * t ** (1 / 3), "--", lw=1.0, color=BLACK, label="slope 1/3" if name == "first_zero" else None
        )
    spacing, interface = found.interface_spacing, found.interface
    logarithm = np.log(2.0 * spacing / interface.width) + np.mean(found.tail_constant)
    law = 2.0 * np.pi**2 * found.variance * spacing / (logarithm * (interface.high - interface.low) ** 2)
    axes.plot(
        t, law, ":", lw=1.2, color=ORANGE, label=r"its law: $2\pi^2s^2\ell\,/\,[\Delta c^2(\log(\ell/\delta)+C)]$"
    )
    axes.axvspan(*window, color=GREY, alpha=0.1, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="time $t$", ylabel="length $L$", ylim=(10, 190))
    axes.set_yticks([10, 20, 50, 100], ["10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_title(f"slopes over {DECADES} decades, shaded")
    # The law above the marks it belongs to.
    handles, labels = axes.get_legend_handles_labels()
    order = [0, 4, 1, 2, 3]
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper left", fontsize=7)
    frameless(axes)


def _steps(axes: Axes, found: pf.Coarsening) -> None:
    window = found.window(DECADES)
    known = np.isfinite(found.step_size)
    t, size = found.time[known], found.step_size[known]
    axes.plot(
        t, size, "o", ms=4, color=BLUE, label=f"mean step since the frame before: {found.step_exponent(window):.2f}"
    )
    for exponent, line, text in ((13 / 18, "--", "slope 13/18"), (2 / 3, ":", "slope 2/3")):
        axes.plot(
            t, np.exp(np.mean(np.log(size) - exponent * np.log(t))) * t**exponent, line, lw=1.0, color=BLACK, label=text
        )
    axes.axvspan(*window, color=GREY, alpha=0.1, lw=0)
    axes.set(
        xscale="log", yscale="log", xlabel="time $t$", ylabel=r"step $\Delta t$", title="steps of the error control"
    )
    axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.legend(loc="upper left", fontsize=7)
    frameless(axes)


FIGURES = {"coarsening": figure_coarsening}
