"""Graphs of the structure factor and of the mean wavelength."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasefield.analysis.coarsening import mean_wavelength
from phasefield.analysis.stability import LinearStability
from phasefield.output.reader import Run
from phasefield.visual.fields import box, chosen_frames
from phasefield.visual.style import (
    BLACK,
    BLUE,
    GREY,
    SEQUENTIAL,
    conserves_all,
    frameless,
    load_run,
    math_mode,
    new_figure,
    note,
    plain_log_ticks,
    scenario_of,
    styled,
    time_label,
)

CURVES = 6
# Spectra are shown over this many powers of ten below their highest value: what is lower is round-off.
DECADES = 10
# Neighbouring shells are merged for display into bands with this ratio of wavenumbers.
BAND = 1.06


@styled
def figure_spectrum(run: Run | str) -> Figure:
    """Structure factor S(k) = V ⟨|ĉ_k|²⟩, averaged over shells, at several times; and 2π/⟨k⟩ against time."""
    run = load_run(run)
    figure = new_figure(run, 9.4, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[1.4, 1.0])
    draw_spectra(left, run)
    draw_wavelength(right, run)
    return figure


def draw_spectra(axes: Axes, run: Run) -> None:
    """S(k) of the first field at up to six times, evenly spread over the frames; 2π/λ* marked."""
    data = run.spectrum
    if data is None:
        note(axes, "The file holds no spectra.")
        return
    name, theory = _subject(run)
    k, power = _bands(data["wavenumber"].values, data["modes"].values, data[f"power_{name}"].values)
    power *= np.prod(list(box(run).values()))
    indices = [i for i in chosen_frames(run, CURVES) if i < len(power)]
    for place, index in zip(np.linspace(0.0, 0.88, len(indices)), indices, strict=True):
        shown = power[index] > 0.0
        label = time_label(data["time"].values[index])
        axes.plot(k[shown], power[index][shown], color=SEQUENTIAL(place), lw=1.2, label=label)
    top = power[indices].max()
    if not top > 0.0:
        axes.clear()
        note(axes, "The field is constant: it has no spectrum.")
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    lowest = power[indices][power[indices] > 0.0].min()
    axes.set_ylim(max(0.5 * lowest, top / 10.0**DECADES), 4.0 * top)
    if _has_wavelength(run, theory):
        text = rf"$\lambda^* = {theory.fastest_wavelength:.4g}$"
        axes.axvline(theory.fastest_wavenumber, color=GREY, lw=1.0, ls=":", label=text)
    plain_log_ticks(axes.xaxis)
    axes.set_xlabel("wavenumber $k$")
    axes.set_ylabel(rf"$S(k) = V\,\langle|{math_mode(name)}|^2\rangle$")
    axes.legend(handlelength=1.2, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    frameless(axes)


def draw_wavelength(axes: Axes, run: Run) -> None:
    """2π/⟨k⟩, ⟨k⟩ the first moment of the shell sums; a coarsening law where one may hold.

    The guide spans the last decade of times, in 2-D and 3-D: t^(1/3) for conserved fields (Lifshitz and Slyozov 1961,
    doi:10.1016/0022-3697(61)90054-3), t^(1/2) for others (Allen and Cahn 1979, doi:10.1016/0001-6160(79)90196-2).
    """
    name, theory = _subject(run)
    time, wavelength = mean_wavelength(run, name)
    shown = np.isfinite(wavelength)
    if not shown.any():
        axes.set_axis_off()
        return
    coarsening = _coarsening(time, wavelength, theory) if len(box(run)) > 1 else np.zeros(0, int)
    if coarsening.size:
        shown &= time > 0.0
    axes.plot(time[shown], wavelength[shown], "o-", color=BLUE, ms=3.0, lw=1.0, label=r"$2\pi/\langle k\rangle$")
    if _has_wavelength(run, theory):
        axes.axhline(theory.fastest_wavelength, color=GREY, lw=1.0, ls=":", label=r"$\lambda^*$, theory")
    if coarsening.size:
        exponent, text = (1 / 3, "$t^{1/3}$") if conserves_all(theory.model) else (1 / 2, "$t^{1/2}$")
        law = time[coarsening] ** exponent
        height = 1.12 * np.max(wavelength[coarsening] / law)
        axes.plot(time[coarsening], height * law, color=BLACK, lw=1.0, ls="--", label=text)
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_log_ticks(axes.xaxis)
        plain_log_ticks(axes.yaxis)
    axes.set_xlabel("time $t$")
    axes.set_ylabel("mean wavelength")
    axes.legend()
    frameless(axes)


def _has_wavelength(run: Run, theory: LinearStability) -> bool:
    """Whether there is a fastest-growing wavelength and it fits into the box; elastic misfit alone singles out none."""
    return theory.unstable and theory.fastest_wavelength <= max(box(run).values())


def _bands(k: np.ndarray, modes: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shells merged into bands a few per cent wide, without k = 0: a shell of one or two modes is mostly noise."""
    used = (k > 0.0) & (modes > 0.0)
    k, modes, power = k[used], modes[used], power[:, used]
    band = np.unique(np.floor(np.log(k / k[0]) / np.log(BAND) + 1e-9), return_inverse=True)[1]
    total = np.bincount(band, modes)
    mean = np.array([np.bincount(band, modes * row) for row in power]).reshape(len(power), -1) / total
    return np.bincount(band, modes * k) / total, mean


def _coarsening(time: np.ndarray, wavelength: np.ndarray, theory: LinearStability) -> np.ndarray:
    """Samples in the last decade of times; none where there is no decade beyond λ*, or the wavelength does not rise."""
    # Twins under elastic misfit have flat walls: no curvature drives them.
    if not theory.unstable or theory.model.coupling is not None or theory.model.explicit:
        return np.zeros(0, int)
    least = theory.fastest_wavelength if theory.fastest_wavenumber > 0.0 else theory.cutoff_wavelength
    later = np.nonzero((time > 0.0) & (wavelength > 0.95 * least))[0]
    if later.size < 3 or time[later[-1]] < 10.0 * time[later[0]]:
        return np.zeros(0, int)
    last = later[time[later] >= 0.1 * time[later[-1]]]
    return last if wavelength[last[-1]] > 1.1 * wavelength[last[0]] else np.zeros(0, int)


def _subject(run: Run) -> tuple[str, LinearStability]:
    """The model's first field, and theory about the means at the start."""
    model = scenario_of(run).model
    theory = LinearStability(model, {n: float(run.history[f"mean_{n}"].values[0]) for n in model.fields})
    return next(iter(model.fields)), theory
