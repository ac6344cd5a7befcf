"""The measured growth curve of a run, and what theory and the time scheme predict for the very same modes.

The growth rate of a shell between the first sample and a later one is ½ ln(P₁/P₀)/(t₁ − t₀), P the summed power of its
followed modes. The prediction multiplies the *actual* initial power of every mode by exp(2σ(k̃²)(t₁ − t₀)) and sums the same
shell, so binning adds no bias; the discrete one uses the product of the scheme's factors over the steps really made.

t₁ is the last sample of the linear regime for shells that grow fast. Slow and decaying shells end earlier, while theory still
gives them a fair share of the power of the strongest: later, pairs of strong waves would outweigh their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.stability import LinearStability
from phasefield.output.reader import Run
from phasefield.registry import lookup
from phasefield.scenario import LoadedScenario

# The window ends at the last sample below this measure of nonlinearity (defined in `spectra.LinearRegime`).
NONLINEARITY = 0.005
# A shell is followed as long as theory gives it at least this share of the largest mean power per mode.
POWER_SHARE = 0.05
# The fit for the maximum uses shells growing at least this fast, relative to the largest measured rate.
FIT_SHARE = 0.6
LEAST_GROWTH, LEAST_SHELLS, LEAST_MODES, LEAST_SAMPLES = 1.0, 6, 12, 3


class NotApplicable(Exception):
    """A check has nothing to compare; the message says why."""


@dataclass(frozen=True)
class GrowthCurve:
    """Growth rates per shell over one window, measured and predicted.

    wavenumber: power-weighted rms k̃ of the shell; rate, predicted, predicted_discrete: growth rates; window: its two times;
    modes: how many modes of the full spectrum were followed in the shells used.
    """

    theory: LinearStability
    wavenumber: np.ndarray
    rate: np.ndarray
    predicted: np.ndarray
    predicted_discrete: np.ndarray
    weight: np.ndarray
    window: tuple[float, float]
    modes: int

    @property
    def _parabola(self) -> np.ndarray:
        """(c₂, c₁, c₀) of a parabola in k̃² through the fast shells: σ is one exactly for one field."""
        fast = self.rate >= FIT_SHARE * self.rate.max()
        if np.count_nonzero(fast) < 4:
            fast = np.argsort(self.rate)[-4:]
        return np.polyfit(self.wavenumber[fast] ** 2, self.rate[fast], 2, w=np.sqrt(self.weight[fast]))

    @property
    def fitted_wavelength(self) -> float:
        """2π/k at the maximum of the fitted curve; nan when it has none."""
        c2, c1, _ = self._parabola
        x = -0.5 * c1 / c2 if c2 < 0.0 else math.nan
        return 2.0 * math.pi / math.sqrt(x) if x > 0.0 else math.nan

    @property
    def fitted_rate(self) -> float:
        """The maximum of the fitted curve over k̃² ≥ 0."""
        c2, c1, c0 = self._parabola
        if c2 < 0.0 < c1:
            return float(c0 - 0.25 * c1**2 / c2)
        line = np.polyfit(self.wavenumber**2, self.rate, 1, w=np.sqrt(self.weight))
        return float(line[1])

    @property
    def fitted_cutoff_wavelength(self) -> float:
        """2π/k_c from a straight line in k̃² through all shells (non-conserved fields: σ = −L(f″ + κk²))."""
        slope, intercept = np.polyfit(self.wavenumber**2, self.rate, 1, w=np.sqrt(self.weight))
        x = -intercept / slope
        return 2.0 * math.pi / math.sqrt(x) if x > 0.0 else math.nan


def growth_curve(run: Run, assumed: LoadedScenario, recorded: LoadedScenario) -> GrowthCurve:
    """Measure the growth curve of `run` and predict it from the model in `assumed`.

    Args:
        run: the run; its `/growth` group holds the samples.
        assumed: scenario from which theory is made.
        recorded: the run's own scenario (its time scheme).

    Raises:
        NotApplicable: no linear regime was recorded, or it is too short to say anything.
    """
    data = run.growth
    if data is None:
        raise NotApplicable("the file holds no samples of the linear regime")
    if data.attrs.get("reason"):
        raise NotApplicable(str(data.attrs["reason"]))
    base = {name: float(data.attrs[f"base_{name}"]) for name in assumed.model.fields}
    theory = LinearStability(assumed.model, base)
    if not theory.unstable:
        raise NotApplicable("the uniform state is stable in theory")
    nonlinearity = np.asarray(data["nonlinearity"])
    if nonlinearity[0] > NONLINEARITY:
        raise NotApplicable(
            f"the initial fluctuation is too large to be linear: measure of nonlinearity {nonlinearity[0]:.2g}"
        )
    last = _window_end(nonlinearity)
    times = np.asarray(data["time"])
    span = float(times[last] - times[0])
    if last < LEAST_SAMPLES or theory.largest_growth_rate * span < LEAST_GROWTH:
        raise NotApplicable(
            f"the linear regime ends too soon: the fastest mode grows by a factor "
            f"{math.exp(theory.largest_growth_rate * span):.3g} in it; start with less noise or run longer"
        )
    # From the box and the scenario alone: a run with wrong wavenumbers must not vouch for itself.
    k2, shell = symbol_of_modes(np.asarray(data["mode_index"]), assumed), np.asarray(data["mode_shell"]).astype(int)
    weight = np.asarray(data["mode_weight"])
    initial = weight * np.asarray(data["mode_power"])
    measured = np.asarray(data["power"])
    shells = measured.shape[1]
    count = np.bincount(shell, weight, shells)
    steps = np.stack([np.asarray(data["step_size"]), np.asarray(data["step_stabilisation"])], axis=1)

    elapsed = times - times[0]
    growth = theory.growth_rate_of_symbol(k2)
    end = np.zeros(shells, dtype=int)
    rates = np.zeros((3, shells))
    centre = np.zeros(shells)
    for i, exponent in zip(range(1, last + 1), _discrete_exponents(k2, steps, elapsed, theory, recorded), strict=False):
        power = initial * np.exp(2.0 * growth * elapsed[i])
        expected = np.bincount(shell, power, shells)
        per_mode = expected / np.maximum(count, 1.0)
        here = (measured[0] > 0.0) & (measured[i] > 0.0) & (per_mode >= POWER_SHARE * per_mode.max())
        discrete = np.bincount(shell, initial * np.exp(2.0 * exponent), shells)
        for row, result in zip(rates, (measured[i], expected, discrete), strict=True):
            row[here] = 0.5 * np.log(result[here] / measured[0][here]) / elapsed[i]
        centre[here] = np.sqrt(np.bincount(shell, power * k2, shells)[here] / expected[here])
        end[here] = i
    used = end > 0
    if np.count_nonzero(end == last) < LEAST_SHELLS or count[used].sum() < LEAST_MODES:
        raise NotApplicable(
            f"only {int(count[end == last].sum())} modes in {np.count_nonzero(end == last)} shells grow visibly: "
            "the box is too small"
        )
    window = (float(times[0]), float(times[last]))
    rate, predicted, discrete = (r[used] for r in rates)
    modes = int(count[used].sum())
    return GrowthCurve(theory, centre[used], rate, predicted, discrete, count[used], window, modes)


def symbol_of_modes(index: np.ndarray, scenario: LoadedScenario) -> np.ndarray:
    """k̃² of modes given by their FFT indices (modes, axes slowest first), in plain NumPy, independent of the run's own."""
    total = np.zeros(index.shape[0])
    for column, axis in enumerate(reversed(scenario.grid.axes)):
        n = np.fft.fftfreq(axis.cells, 1.0 / axis.cells)[index[:, column]]
        if scenario.model.laplacian == "finite_difference":
            total += (2.0 * axis.cells / axis.length * np.sin(np.pi * n / axis.cells)) ** 2
        else:
            total += (2.0 * np.pi * n / axis.length) ** 2
    return total


def _window_end(nonlinearity: np.ndarray) -> int:
    """Index of the last sample before the measure of nonlinearity passes its limit for the first time."""
    beyond = np.nonzero(nonlinearity > NONLINEARITY)[0]
    return int(beyond[0]) - 1 if beyond.size else nonlinearity.size - 1


def _discrete_exponents(
    k2: np.ndarray, steps: np.ndarray, elapsed: np.ndarray, theory: LinearStability, recorded: LoadedScenario
) -> Iterator[np.ndarray]:
    """Σ ln |G(k̃²; Δt, S)| at every mode, over the steps up to elapsed[1], elapsed[2], …

    The factors depend on the mode through k̃² alone and are smooth in it: they are evaluated at 400 values and
    interpolated by a cubic spline (relative error below 1e-9).
    """
    from scipy.interpolate import CubicSpline

    covered = np.cumsum(steps[:, 0])
    # The error estimate does not take part in the update.
    scheme = lookup("scheme", recorded.settings.time.scheme).without_error()
    nodes = np.linspace(0.0, float(k2.max()), 400)
    (field, kinetics), *_ = theory.model.fields.items()
    rate = kinetics.rate(nodes)
    curvature = theory.curvature(field)
    kappa_k2 = -theory.growth_rate_of_symbol(nodes) / np.where(rate > 0.0, rate, 1.0) - curvature
    amplitude = np.ones_like(nodes)
    exponent = np.zeros_like(nodes)
    previous: np.ndarray | None = None
    last_dt = 0.0
    done = 0
    for span in elapsed[1:]:
        count = int(np.searchsorted(covered, span * (1.0 - 1e-9))) + 1
        if not scheme.multistep:
            pairs, repeats = np.unique(steps[done:count], axis=0, return_counts=True)
            for (dt, S), repeat in zip(pairs, repeats, strict=True):
                z, n = -dt * rate * (S + kappa_k2), -dt * rate * (curvature - S)
                exponent += repeat * np.log(np.abs(scheme.growth_factor(z, n)))
        else:
            for dt, S in steps[done:count]:
                z, n = -dt * rate * (S + kappa_k2), -dt * rate * (curvature - S)
                following = scheme.linear_step(z, n, amplitude, previous, dt / last_dt if last_dt else 1.0)
                # Both levels are rescaled, so that no mode over- or underflows.
                scale = np.abs(following)
                exponent += np.log(scale)
                previous, amplitude, last_dt = amplitude / scale, following / scale, float(dt)
        done = count
        yield CubicSpline(nodes, exponent)(k2)
