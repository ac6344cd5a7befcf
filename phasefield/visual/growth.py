"""The measured growth curve of a run against theory and against the exact factors of its time scheme."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.damage_growth import Contradiction, damage_growth
from phasefield.analysis.growth import GrowthCurve, NotApplicable, growth_curve
from phasefield.analysis.stability import LinearStability
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    caption,
    frameless,
    load_run,
    new_figure,
    note,
    scenario_of,
    styled,
)


@styled
def figure_growth(run: Run | str) -> Figure:
    """σ(k) measured and predicted, and what is left between them in percent of the largest rate."""
    run = load_run(run)
    if isinstance(scenario_of(run).model, Fracture):
        return figure_damage_growth(run)
    result = measured_growth(run)
    if isinstance(result, str):
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), result)
        return figure
    figure = new_figure(run, 5.6, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1.0])
    draw_growth(upper, result)
    upper.set_xlabel("")
    top = result.theory.largest_growth_rate
    lower.axhline(0.0, color=BLACK, lw=0.7)
    for prediction, style, label in (
        (result.predicted, {"color": ORANGE, "marker": "s", "mfc": "none"}, "against theory"),
        (result.predicted_discrete, {"color": GREEN, "marker": "x"}, "against the time scheme"),
    ):
        if prediction is None:
            continue
        lower.plot(result.wavenumber, 100.0 * (result.rate - prediction) / top, ls="none", label=label, **style)
    lower.set_ylabel(r"error, % of $\sigma^*$")
    lower.set_xlabel(_wavenumber(result))
    reach = 1.4 * max(abs(v) for v in lower.get_ylim())
    lower.set_ylim(-reach, reach)
    lower.legend(ncols=2, loc="upper left", bbox_to_anchor=(0.0, 1.22), borderaxespad=0.0, handletextpad=0.2)
    frameless(lower)
    start, end = result.window
    modes = f"{result.modes} modes in {result.rate.size} shells, {start:.4g} ≤ t ≤ {end:.4g}"
    caption(figure, f"{modes}; predictions take the same modes, binned alike")
    return figure


def figure_damage_growth(run: Run) -> Figure:
    """σ of modes of homogeneous damage over k̃, measured and predicted; theory's line is that of the fastest direction."""
    scenario = scenario_of(run)
    try:
        found = damage_growth(run, scenario, scenario)
    except (NotApplicable, Contradiction) as reason:
        figure = new_figure(run, 5.6, 3.2)
        note(figure.subplots(), f"Growth rates were not measured: {reason}.")
        return figure
    figure = new_figure(run, 5.6, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1.0])
    state, (rate, wavelength), k = found.state, found.fitted, np.sqrt(found.k2)
    top, line = found.scale, np.linspace(0.0, 1.05 * float(k[found.near].max()), 400)
    steepest = found.feedback >= -0.02 * top
    upper.axhline(0.0, color=BLACK, lw=0.7)
    curve = state.growth_rate(line[1:, None] * state.fastest_direction)
    name = _legend("theory", r"\lambda_c", state.cutoff_wavelength, state.largest_growth_rate)
    upper.plot(line[1:], curve, color=BLACK, label=f"{name}, along n")
    upper.plot(k, found.predicted_discrete, "s", mfc="none", color=GREEN, ms=5.0, label="exact factors of the steps")
    shown = {"color": SKY, "ms": 3.0, "alpha": 0.7}
    upper.plot(k[~steepest], found.rate[~steepest], "o", label="measured, other directions", **shown)
    name = _legend("measured", r"\lambda_c", wavelength, rate)
    upper.plot(k[steepest], found.rate[steepest], "o", color=BLUE, ms=3.0, label=name)
    upper.set_ylim(-1.35 * top, 1.15 * top)
    upper.set_xlim(0.0, line[-1])
    upper.set_ylabel(r"growth rate $\sigma(k, n)$")
    upper.legend(loc="lower left")
    frameless(upper)
    lower.axhline(0.0, color=BLACK, lw=0.7)
    for prediction, style, label in (
        (found.predicted, {"color": ORANGE, "marker": "s", "mfc": "none"}, "against theory"),
        (found.predicted_discrete, {"color": GREEN, "marker": "x"}, "against the steps"),
    ):
        error = 100.0 * (found.rate - prediction)[found.near] / top
        lower.plot(k[found.near], error, ls="none", ms=3.0, label=label, **style)
    lower.set_ylabel(r"error, % of $\sigma^*$")
    lower.set_xlabel("wavenumber $k$")
    reach = 1.4 * max(abs(v) for v in lower.get_ylim())
    lower.set_ylim(-reach, reach)
    lower.legend(ncols=2, loc="upper left", bbox_to_anchor=(0.0, 1.22), borderaxespad=0.0, handletextpad=0.2)
    frameless(lower)
    start, end = found.window
    caption(figure, f"{found.rate.size} modes, {start:.4g} ≤ t ≤ {end:.4g}; below, those with |σ| ≤ 1.2 σ*")
    return figure


def measured_growth(run: Run) -> GrowthCurve | str:
    """The growth curve of a run, or the sentence that says why there is none."""
    scenario = scenario_of(run)
    if isinstance(scenario.model, Fracture):
        return "Growth rates of damage have a figure of their own: growth"
    try:
        return growth_curve(run, scenario, scenario)
    except NotApplicable as reason:
        return f"Growth rates were not measured: {reason}."


def measures_growth(run: Run) -> bool:
    """Whether `figure_growth` has rates to show."""
    scenario = scenario_of(run)
    if not isinstance(scenario.model, Fracture):
        return isinstance(measured_growth(run), GrowthCurve)
    try:
        damage_growth(run, scenario, scenario)
    except (NotApplicable, Contradiction):
        return False
    return True


def draw_growth(axes: Axes, curve: GrowthCurve, legend_size: float | None = None) -> None:
    """Measured rates as points; theory, its binned form and the time scheme's as lines; λ* marked on both.

    Where rates depend on direction, lines are those of the fastest one, and points of the others are pale.
    """
    theory = curve.theory
    k = np.linspace(0.0, 1.12 * max(theory.cutoff_wavenumber, float(curve.wavenumber.max())), 400)
    rates = theory.growth_rate(k)
    axes.axhline(0.0, color=BLACK, lw=0.7)
    (wavelength, rate), (found, found_rate) = _peaks(curve, theory)
    peaked = _has_peak(curve)
    sign = r"\lambda^*" if peaked else r"\lambda_c"
    axes.plot(k, rates, color=BLACK, label=_legend("theory", sign, wavelength, rate))
    order = np.flatnonzero(curve.softest)
    order = order[np.argsort(curve.wavenumber[order])]
    x = curve.wavenumber[order]
    axes.plot(
        x,
        curve.predicted[order],
        color=ORANGE,
        lw=3.5,
        alpha=0.5,
        label="theory, binned over the same modes",
        zorder=1.5,
    )
    if curve.predicted_discrete is not None:
        discrete = curve.predicted_discrete[order]
        axes.plot(x, discrete, color=GREEN, ls="--", lw=1.2, label="exact factors of the time scheme")
    other = ~curve.softest
    if other.any():
        shown = {"color": SKY, "ms": 2.5, "alpha": 0.6, "zorder": 2.5}
        axes.plot(curve.wavenumber[other], curve.rate[other], "o", label="measured, harder directions", **shown)
    axes.plot(x, curve.rate[order], "o", color=BLUE, zorder=3, label=_legend("measured", sign, found, found_rate))
    for length, height, colour, style in ((wavelength, rate, BLACK, "-"), (found, found_rate, BLUE, "--")):
        if np.isfinite(length):
            # A line under the peak, or a mark where the curve crosses zero.
            low, high = (0.0, height) if peaked else (-0.08 * height, 0.08 * height)
            axes.vlines(2.0 * np.pi / length, low, high, color=colour, ls=style, lw=0.8, zorder=0.5)
    top = theory.largest_growth_rate
    # Room for the legend.
    axes.set_ylim((-0.75 if other.any() else -0.58) * top, 1.15 * max(top, float(curve.rate.max())))
    axes.set_xlim(0.0, k[-1])
    axes.set_xlabel(_wavenumber(curve))
    axes.set_ylabel(r"growth rate $\sigma(k)$")
    axes.legend(loc="lower left", fontsize=legend_size)
    frameless(axes)


def _wavenumber(curve: GrowthCurve) -> str:
    return r"effective wavenumber $(k^2 + \delta/\kappa)^{1/2}$" if curve.effective else "wavenumber $k$"


def _peaks(curve: GrowthCurve, theory: LinearStability) -> tuple[tuple[float, float], tuple[float, float]]:
    """(wavelength, largest rate) of theory and measured; the cut-off's wavelength where the uniform mode is fastest."""
    if _has_peak(curve):
        wavelengths = theory.fastest_wavelength, curve.fitted_wavelength
    else:
        wavelengths = theory.cutoff_wavelength, curve.fitted_cutoff_wavelength
    return (wavelengths[0], theory.largest_growth_rate), (wavelengths[1], curve.fitted_rate)


def _has_peak(curve: GrowthCurve) -> bool:
    """Whether σ(k) rises to a maximum among the waves of the box; elastic misfit alone has it at the longest of all."""
    return curve.theory.fastest_wavenumber > 0.5 * float(curve.wavenumber.min())


def _legend(who: str, sign: str, wavelength: float, rate: float) -> str:
    return rf"{who}: ${sign} = {wavelength:.4g}$, $\sigma^* = {rate:.4g}$"
