"""Growth of fluctuations of homogeneous damage in a run, mode by mode, and what theory and the time scheme predict for it.

A mode of amplitude c₀ at the first sample and c at a later one, t after it, has grown at the rate ln|c/c₀|/t. Theory has
σ(k, n) with the symbols of the grid; the scheme multiplies c₀ by the factors of the steps really made, a real number: what is
left between both is a complex logarithm, which sees a wave that has moved as well.

Modes are compared at the last sample of the linear regime at which theory still gives them a fair share of the amplitude of the
strongest one: later, pairs of strong waves outweigh their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.damage_regime import LINEAR
from phasefield.analysis.damage_stability import DamageStability, discrete_symbols
from phasefield.analysis.homogeneous_damage import damage_stability
from phasefield.analysis.modes import NotApplicable
from phasefield.errors import PhasefieldError
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# A mode is followed as long as theory gives it this share of the largest amplitude.
SHARE = 0.1
LEAST_GROWTH, LEAST_SAMPLES, LEAST_MODES = 1.0, 3, 8
# Rates are compared with theory, and fitted, where they lie between ± this multiple of the largest one: a step of first order is
# too coarse for modes that decay faster.
RATES = 1.2


class Contradiction(Exception):
    """Theory has no state like that of the run; the message says why."""


@dataclass(frozen=True)
class DamageGrowth:
    """Rates per mode, measured and predicted.

    state: of theory; k2: k̃²; feedback: B/τ less that of the fastest direction, ≤ 0 up to the grid; rate, predicted: measured and
    of theory; missed: |ln| of what the factors of the steps leave of the amplitude, over the time; window: first and last sample.
    """

    state: DamageStability
    k2: np.ndarray
    feedback: np.ndarray
    rate: np.ndarray
    predicted: np.ndarray
    predicted_discrete: np.ndarray
    missed: np.ndarray
    window: tuple[float, float]

    @property
    def scale(self) -> float:
        """What errors refer to: the largest rate of theory, or of the run where theory has none above 0."""
        top = self.state.largest_growth_rate
        return top if top > 0.0 else float(self.rate.max())

    @property
    def near(self) -> np.ndarray:
        """Modes that grow or decay slowly enough to have a rate of their own, whatever the scheme."""
        return np.abs(self.rate) <= RATES * self.rate.max()

    @property
    def fitted(self) -> tuple[float, float]:
        """(largest growth rate, cut-off wavelength in the fastest direction) of the fit σ = a + b k̃² + c (B − B(n*))/τ."""
        near = self.near
        if np.count_nonzero(near) < LEAST_MODES:
            return math.nan, math.nan
        columns = np.stack([np.ones(near.sum()), self.k2[near], self.feedback[near]], axis=1)
        size = np.maximum(np.abs(columns).max(axis=0), 1e-300)
        # Directions that all feed back alike say nothing about c.
        a, b, _ = np.linalg.lstsq(columns / size, self.rate[near], rcond=1e-9)[0] / size
        return float(a), 2.0 * math.pi * math.sqrt(-b / a) if b < 0.0 < a else math.nan


def damage_growth(run: Run, assumed: LoadedScenario, recorded: LoadedScenario) -> DamageGrowth:
    """Measure the modes of `run`, and predict them from the model in `assumed`; `recorded` is the run's own scenario.

    Raises:
        NotApplicable: no linear regime was recorded, or it is too short.
        Contradiction: the assumed scenario has no such state.
    """
    data = run.growth
    if data is None:
        raise NotApplicable("the file holds no samples of the linear regime")
    if data.attrs.get("reason"):
        raise NotApplicable(str(data.attrs["reason"]))
    model, phi = assumed.model, float(data.attrs["base_phi"])
    assert isinstance(model, Fracture)
    own = damage_stability(recorded, phi)
    try:
        state = damage_stability(assumed, phi)
    except NotApplicable as reason:
        raise Contradiction(str(reason)) from None
    times, deviation = np.asarray(data["time"]), np.asarray(data["deviation"])
    beyond = np.flatnonzero(deviation > LINEAR)
    last = int(beyond[0]) - 1 if beyond.size else times.size - 1
    span = float(times[last] - times[0])
    if last < LEAST_SAMPLES or own.largest_growth_rate * span < LEAST_GROWTH:
        raise NotApplicable(
            f"the linear regime ends too soon: the fastest mode grows by a factor "
            f"{math.exp(own.largest_growth_rate * span):.3g} in it; start with less noise or run longer"
        )
    # From the box and the scenario alone: a run with wrong wavenumbers must not vouch for itself.
    symbols = discrete_symbols(assumed.grid, model.parameters.elastic_scheme)
    index = tuple(np.asarray(data["mode_index"]).T)
    t, k2 = symbols[0][index], symbols[1][index]
    steps = np.asarray(data["step_size"])
    counts = np.asarray(data["steps_before"]).astype(int)
    amplitude = np.asarray(data["amplitude_real"]) + 1j * np.asarray(data["amplitude_imaginary"])
    rate, discrete, missed = (np.full(k2.size, math.nan) for _ in range(3))
    sample = 1
    try:
        for number, factor in enumerate(state.factors_of(t, k2, steps[: counts[last]]), start=1):
            if sample > last or number != counts[sample]:
                continue
            elapsed, expected = times[sample] - times[0], factor * amplitude[0]
            here = np.abs(expected) >= SHARE * np.abs(expected).max()
            here &= amplitude[sample] != 0.0
            rate[here] = np.log(np.abs(amplitude[sample] / amplitude[0])[here]) / elapsed
            discrete[here] = np.log(factor[here]) / elapsed
            missed[here] = np.abs(np.log((amplitude[sample] / expected)[here])) / elapsed
            sample += 1
    except PhasefieldError as reason:
        raise Contradiction(str(reason)) from None
    used = np.isfinite(rate)
    if used.sum() < LEAST_MODES:
        raise NotApplicable(f"only {int(used.sum())} modes keep a visible amplitude: the cell is too small")
    feedback = (state.feedback(t[used]) - state.feedback(state.fastest_direction)) / state.viscosity
    return DamageGrowth(
        state,
        k2[used],
        feedback,
        rate[used],
        state.rates_of(t[used], k2[used]),
        discrete[used],
        missed[used],
        (float(times[0]), float(times[last])),
    )
