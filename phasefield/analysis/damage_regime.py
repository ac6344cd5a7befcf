"""Observer of damage with a viscosity: single modes of φ from the start until the linear regime is over, for `verify`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phasefield.analysis.damage_stability import DamageStability, discrete_symbols
from phasefield.analysis.homogeneous_damage import damage_stability, steady_until
from phasefield.analysis.modes import NotApplicable
from phasefield.crack_growth import CrackGrowth
from phasefield.stepping.alternate import DAMAGE_SHARE
from phasefield.stepping.schedule import EveryStep, Never, Schedule

# Samples per growth time of long waves, and how many at most.
SAMPLES_PER_GROWTH_TIME, MAX_SAMPLES = 4, 200
# A fluctuation is linear while its rms is below this share of 1 − φ̄; sampling goes on to four times as much.
LINEAR = 1e-3
SAMPLED = 4.0 * LINEAR
# Modes are followed up to this multiple of the cut-off wavenumber, and about this many at most.
REACH, MOST_MODES = 2.5, 20_000
LEAST_GROWING = 4
# Errors of a step may be this share of what it adds to the waves that grow, and the mean may move by this share of 1 − φ̄ in a
# growth time.
ACCURACY, REST = 0.02, 0.01


class DamageRegime:
    """Keeps the complex amplitudes of modes at times of the linear regime, and the length of every step up to them.

    The steps of the run are what they would be without it. `reason` says why nothing was kept; see `damage_growth`.
    """

    def __init__(self, simulation: CrackGrowth):
        self.schedule: Schedule = Never()
        self.reason, self.phi = "", float(simulation.phi.mean())
        self.times: list[float] = []
        self.amplitudes: list[np.ndarray] = []
        self.deviations: list[float] = []
        self.counts: list[int] = []
        self.steps: list[float] = []
        self.index, self.growing = np.zeros((0, simulation.grid.dimensions), int), np.zeros(0, bool)
        try:
            self.state = damage_stability(simulation.scenario, self.phi)
            self.end = steady_until(simulation.model.load, simulation.end)
            self._require_linear(simulation)
            self._choose(simulation)
        except NotApplicable as reason:
            self.reason = str(reason)
            return
        self.schedule = EveryStep()
        self._sample(simulation)

    @property
    def spacing(self) -> float:
        """Time between samples, at least."""
        return 1.0 / self.state.largest_growth_rate / SAMPLES_PER_GROWTH_TIME

    def observe(self, simulation: CrackGrowth) -> None:
        """After every step: its length, and now and then a sample; no more when the regime is over."""
        if simulation.time > self.end * (1.0 + 1e-12):
            self.schedule = Never()
            return
        self.steps.append(simulation.last_size)
        if len(self.steps) == 1 and (reason := self._inaccurate(simulation)):
            self.reason, self.schedule = reason, Never()
            return
        if simulation.time - self.times[-1] >= self.spacing * (1.0 - 1e-9):
            self._sample(simulation)

    def _sample(self, simulation: CrackGrowth) -> None:
        phi = simulation.phi
        deviation = float(phi.std()) / (1.0 - self.phi)
        if phi.min() <= 0.0 or deviation > SAMPLED or len(self.times) >= MAX_SAMPLES:
            self.schedule = Never()
            return
        modes = np.fft.rfftn(phi - phi.mean()) / phi.size
        self.times.append(simulation.time)
        self.amplitudes.append(modes[tuple(self.index.T)])
        self.deviations.append(deviation)
        self.counts.append(len(self.steps))

    def _require_linear(self, simulation: CrackGrowth) -> None:
        """Raise `NotApplicable` unless φ is a small fluctuation about a uniform state that stays where it is, and unstable."""
        phi, state = simulation.phi, self.state
        deviation, rest = float(phi.std()), 1.0 - self.phi
        if np.ptp(phi) == 0.0:
            raise NotApplicable("the initial damage has no fluctuation that could grow")
        if deviation > LINEAR * rest:
            raise NotApplicable(
                f"the initial damage is not uniform: its rms deviation is {deviation:.2g}; "
                f"less than {LINEAR * rest:.1g} is linear"
            )
        if phi.min() <= 0.0:
            raise NotApplicable("φ = 0 in some cells, the least there is: fluctuations about a bound are not linear")
        if self.end == 0.0:
            raise NotApplicable("the load changes from the start: there is no uniform state that stays")
        if not state.unstable:
            rate = state.largest_growth_rate
            raise NotApplicable(f"the uniform state φ = {self.phi:.4g} is stable: largest growth rate {rate:.4g}")
        if abs(state.after(1.0 / state.largest_growth_rate).damage - self.phi) > REST * rest:
            raise NotApplicable(f"the mean {_at_rest(simulation, self.phi)}")

    def _inaccurate(self, simulation: CrackGrowth) -> str:
        """Why errors of the steps would be seen; empty where they are not."""
        tolerance = DAMAGE_SHARE * simulation.alternation.tolerance
        size = math.sqrt(2.0) * float(np.linalg.norm(self.amplitudes[0][self.growing]))
        added = self.state.largest_growth_rate * simulation.last_size * size
        if tolerance <= ACCURACY * added:
            return ""
        wanted = 10.0 ** math.floor(math.log10(ACCURACY * added / DAMAGE_SHARE))
        return (
            f"steps are accurate to {tolerance:.1g} and add {added:.1g} to the waves that grow, too little to measure: "
            f"minimisation.tolerance: {wanted:.1e} or less would do"
        )

    def _choose(self, simulation: CrackGrowth) -> None:
        """The modes with waves longer than the cut-off's over `REACH`, apart from the uniform one."""
        grid, state = simulation.grid, self.state
        t, k2 = discrete_symbols(grid, simulation.model.parameters.elastic_scheme)
        cutoff = 2.0 * math.pi / state.cutoff_wavelength
        chosen = np.argwhere((k2 > 0.0) & (k2 <= (REACH * cutoff) ** 2))
        chosen = chosen[:: max(1, math.ceil(len(chosen) / MOST_MODES))]
        picked = tuple(chosen.T)
        self.growing = state.rates_of(t[picked], k2[picked]) > 0.0
        growing = int(np.count_nonzero(self.growing))
        if growing < LEAST_GROWING:
            longest = max(axis.length for axis in grid.axes)
            raise NotApplicable(
                f"{growing or 'no'} wave(s) that fit into the cell grow: "
                f"the cut-off wavelength is {state.cutoff_wavelength:.4g}, the longest wave {longest:.4g}"
            )
        self.index = chosen

    def datasets(self) -> dict[str, Any]:
        """The group `/growth` of the fields file."""
        if not self.times:
            return {}
        modes = np.array(self.amplitudes)
        return {
            "time": (("time",), np.array(self.times), {"units": "1"}),
            "amplitude_real": (("time", "mode"), np.real(modes), {"long_name": "Re φ̂ of a mode"}),
            "amplitude_imaginary": (("time", "mode"), np.imag(modes), {"long_name": "Im φ̂ of a mode"}),
            "deviation": (("time",), np.array(self.deviations), {"long_name": "rms of φ − mean over 1 − mean"}),
            "steps_before": (("time",), np.array(self.counts), {"long_name": "steps made before a sample"}),
            "mode_index": (("mode", "axis"), self.index, {"long_name": "FFT index along the axes, slowest first"}),
            "step_size": (("step",), np.array(self.steps[: self.counts[-1]]), {}),
        }

    def attributes(self) -> dict[str, Any]:
        """Attributes of the group `/growth`."""
        return {"reason": self.reason, "base_phi": self.phi}


def _at_rest(simulation: CrackGrowth, phi: float) -> str:
    try:
        equilibrium: DamageStability | None = damage_stability(simulation.scenario)
    except NotApplicable:
        equilibrium = None
    where = "" if equilibrium is None else f": in equilibrium it is {equilibrium.damage:.6g}"
    return f"φ = {phi:.6g} does not rest under this load{where}"
