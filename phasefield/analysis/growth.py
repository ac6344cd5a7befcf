"""The measured growth curve of a run, and what theory and the time scheme predict for the very same modes.

The growth rate of a shell between the first sample and a later one is ½ ln(P₁/P₀)/(t₁ − t₀), P the summed power of its
followed modes. The prediction multiplies the *actual* initial power of every mode by exp(2σ(t₁ − t₀)) and sums the same
shell, so binning adds no bias; the discrete one uses the product of the scheme's factors over the steps really made. With
elasticity a mode is a component of the fields in the eigenbasis of B(n), and σ depends on its eigenvalue too (`modes`).

t₁ is the last sample of the linear regime for shells that grow fast. Slow and decaying shells end earlier, while theory still
gives them a fair share of the power of the strongest: later, pairs of strong waves would outweigh their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from phasefield.analysis.modes import NotApplicable, eigensystem, mixed, symbol_of_modes, variables
from phasefield.analysis.stability import LinearStability
from phasefield.output.reader import Run
from phasefield.registry import lookup
from phasefield.scenario import LoadedScenario

# The window ends at the last sample below this measure (defined in `nonlinearity`).
NONLINEARITY = 0.005
# A shell is followed as long as theory gives it at least this share of the largest mean power per mode.
POWER_SHARE = 0.05
# The fit for the maximum uses shells growing at least this fast, relative to the largest measured rate.
FIT_SHARE = 0.6
LEAST_GROWTH, LEAST_SHELLS, LEAST_MODES, LEAST_SAMPLES = 1.0, 6, 12, 3
# Nodes in K² or k̃² and in the excess δ between which exponents are interpolated.
NODES, NODES_PLANE = 400, (80, 8)

__all__ = ["GrowthCurve", "NotApplicable", "growth_curve"]


@dataclass(frozen=True)
class GrowthCurve:
    """Growth rates per shell over one window, measured and predicted.

    predicted_discrete is None where several fields are coupled by f alone: the factors of a scheme then depend on all of them.

    wavenumber: power-weighted rms k̃ of the shell, of the effective one K where elasticity acts as a larger wavenumber (see
    `modes`); rate, predicted, predicted_discrete: growth rates; window: its two times; modes: how many modes of the full
    spectrum were followed in the shells used; excess: power-weighted mean δ of the shell, where rates depend on it as well.
    hard_rate, hard_predicted: measured, and from the factors of the scheme, of shells that elasticity alone keeps from growing.
    """

    theory: LinearStability
    wavenumber: np.ndarray
    rate: np.ndarray
    predicted: np.ndarray
    predicted_discrete: np.ndarray | None
    weight: np.ndarray
    window: tuple[float, float]
    modes: int
    excess: np.ndarray
    hard_rate: np.ndarray
    hard_predicted: np.ndarray

    @property
    def effective(self) -> bool:
        """Whether `wavenumber` is K, with the elastic part of a mode in it, and not k."""
        return self.theory.directional and not self.theory.kinetics.conserved

    @property
    def softest(self) -> np.ndarray:
        """Shells that lie on the one curve of the fastest direction: all, where rates do not depend on δ."""
        scale = abs(self.theory.curvature(next(iter(self.theory.base))) + self.theory.elastic_part)
        return self.excess <= 0.05 * scale

    def _parabola(self, rate: np.ndarray) -> np.ndarray:
        """(c₂, c₁, c₀) of a parabola in k̃² through the fast shells: σ is one exactly for one field.

        Where rates depend on δ, σ is proportional to k̃²: a term c k̃²δ is fitted, no constant, and the curve is that of δ = 0.
        """
        fast = self.rate >= FIT_SHARE * self.rate.max()
        if np.count_nonzero(fast) < 4:
            fast = np.argsort(self.rate)[-4:]
        x, excess, w = self.wavenumber[fast] ** 2, self.excess[fast], np.sqrt(self.weight[fast])
        if not np.any(excess):
            return np.polyfit(x, rate[fast], 2, w=w)
        columns = np.stack([x**2, x, x * excess], axis=1)
        size = np.abs(columns).max(axis=0)
        c2, c1, _ = np.linalg.lstsq(columns / size * w[:, None], rate[fast] * w)[0] / size
        return np.array([c2, c1, 0.0])

    def _fitted(self, fit: Callable[[np.ndarray], float], exact: float) -> float:
        """What `fit` finds in the measured curve.

        Of several fields that f couples σ is no parabola. The same fit to the predicted curve tells by which factor it is off.
        """
        found = fit(self.rate)
        return found * exact / fit(self.predicted) if mixed(self.theory.model) else found

    @property
    def fitted_wavelength(self) -> float:
        """2π/k at the maximum of the fitted curve; nan when it has none."""

        def fit(rate: np.ndarray) -> float:
            c2, c1, _ = self._parabola(rate)
            x = -0.5 * c1 / c2 if c2 < 0.0 else math.nan
            return 2.0 * math.pi / math.sqrt(x) if x > 0.0 else math.nan

        return self._fitted(fit, self.theory.fastest_wavelength)

    @property
    def fitted_rate(self) -> float:
        """The maximum of the fitted curve over k̃² ≥ 0."""

        def fit(rate: np.ndarray) -> float:
            c2, c1, c0 = self._parabola(rate)
            if c2 < 0.0 < c1:
                return float(c0 - 0.25 * c1**2 / c2)
            return float(self._line(rate)[1])

        return self._fitted(fit, self.theory.largest_growth_rate)

    @property
    def fitted_cutoff_wavelength(self) -> float:
        """2π/k_c from a straight line in k̃² through all shells (non-conserved fields: σ = −L(f″ + κk²))."""

        def fit(rate: np.ndarray) -> float:
            slope, intercept = self._line(rate)
            x = -intercept / slope
            return 2.0 * math.pi / math.sqrt(x) if x > 0.0 else math.nan

        return self._fitted(fit, self.theory.cutoff_wavelength)

    def _line(self, rate: np.ndarray) -> np.ndarray:
        return np.polyfit(self.wavenumber**2, rate, 1, w=np.sqrt(self.weight))


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
    index = np.asarray(data["mode_index"])
    # Files of earlier versions have one component and no hard shells.
    component = np.asarray(data["mode_component"] if "mode_component" in data else np.zeros(len(index))).astype(int)
    x, excess, growth = _theory_of_modes(index, component, assumed, theory)
    shell, weight = np.asarray(data["mode_shell"]).astype(int), np.asarray(data["mode_weight"])
    initial = weight * np.asarray(data["mode_power"])
    measured = np.asarray(data["power"])
    shells = measured.shape[1]
    count = np.bincount(shell, weight, shells)
    columns = [np.asarray(data[f"step_{name}"]) for name in ("size", "stabilisation")]
    # Files of earlier versions have no reference mobility: it was the constant one.
    columns.append(np.asarray(data.get("step_mobility", np.full(columns[0].size, theory.kinetics.laplacian))))
    steps = np.stack(columns, axis=1)

    elapsed = times - times[0]
    end = np.zeros(shells, dtype=int)
    rates = np.zeros((3, shells))
    centre = np.zeros((2, shells))
    # The factors of a scheme for several fields depend on the phases of all of them, which are not recorded.
    none = mixed(assumed.model)
    exponents = (
        repeat(np.full(x.size, math.nan)) if none else _discrete_exponents(x, excess, steps, elapsed, theory, recorded)
    )
    for i, exponent in zip(range(1, last + 1), exponents, strict=False):
        power = initial * np.exp(2.0 * growth * elapsed[i])
        expected = np.bincount(shell, power, shells)
        per_mode = expected / np.maximum(count, 1.0)
        here = (measured[0] > 0.0) & (measured[i] > 0.0) & (per_mode >= POWER_SHARE * per_mode.max())
        discrete = np.bincount(shell, initial * np.exp(2.0 * exponent), shells)
        for row, result in zip(rates, (measured[i], expected, discrete), strict=True):
            row[here] = 0.5 * np.log(result[here] / measured[0][here]) / elapsed[i]
        for row, variable in zip(centre, (x, excess), strict=True):
            row[here] = np.bincount(shell, power * variable, shells)[here] / expected[here]
        end[here] = i
    hard = np.asarray(data["shell_hard"] if "shell_hard" in data else np.zeros(shells)).astype(bool)
    used, hard = (end > 0) & ~hard, (end > 0) & hard
    if np.count_nonzero(used & (end == last)) < LEAST_SHELLS or count[used].sum() < LEAST_MODES:
        raise NotApplicable(
            f"only {int(count[used & (end == last)].sum())} modes in {np.count_nonzero(used & (end == last))} shells "
            "grow visibly: the box is too small"
        )
    if lookup("scheme", recorded.settings.time.scheme).multistep:
        hard &= ~np.isin(np.arange(shells), shell[_oscillating(x, excess, steps, theory)])
    window = (float(times[0]), float(times[last]))
    rate, predicted = rates[0][used], rates[1][used]
    modes = int(count[used].sum())
    wavenumber, deviation = np.sqrt(np.maximum(centre[0][used], 0.0)), centre[1][used]
    return GrowthCurve(
        theory,
        wavenumber,
        rate,
        predicted,
        None if none else rates[2][used],
        count[used],
        window,
        modes,
        deviation,
        rates[0][hard],
        rates[2][hard],
    )


def _theory_of_modes(
    index: np.ndarray, component: np.ndarray, scenario: LoadedScenario, theory: LinearStability
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The variables of `modes.variables` and σ of every followed mode, in plain NumPy."""
    unique, where = np.unique(index, axis=0, return_inverse=True)
    k2 = symbol_of_modes(unique, scenario.model, scenario.grid)[where.ravel()]
    elastic = eigensystem(scenario.model, scenario.grid, unique)[0][where.ravel(), component]
    x, excess = variables(theory, k2, elastic)
    return x, excess, theory.growth_rate_of_symbol(x) - theory.kinetics.rate(x) * excess


def _window_end(nonlinearity: np.ndarray) -> int:
    """Index of the last sample before the measure of nonlinearity passes its limit for the first time."""
    beyond = np.nonzero(nonlinearity > NONLINEARITY)[0]
    return int(beyond[0]) - 1 if beyond.size else nonlinearity.size - 1


def _oscillating(x: np.ndarray, excess: np.ndarray, steps: np.ndarray, theory: LinearStability) -> np.ndarray:
    """Modes that decay so fast against the steps that a two-step scheme may give them complex factors: they have no rate."""
    dt, S, mobility = steps.max(axis=0)
    first = next(iter(theory.base))
    a = dt * np.maximum(theory.kinetics.rate(x), theory.kinetics.constant + mobility * x)
    symbol = theory.gradient_coefficient * x + theory.elastic_part + excess + abs(theory.curvature(first))
    return a * symbol * (2.0 + 4.0 * a * S) > 0.6


def _discrete_exponents(
    x: np.ndarray,
    excess: np.ndarray,
    steps: np.ndarray,
    elapsed: np.ndarray,
    theory: LinearStability,
    recorded: LoadedScenario,
) -> Iterator[np.ndarray]:
    """Σ ln |G(x, δ; Δt, S, M₀)| at every mode, over the steps up to elapsed[1], elapsed[2], …

    m₀ = M₀k̃² of the split is that of the run, m that of theory: z = −Δt m₀ (S+K), n = Δt [m₀ (S+K) − m (f″+K)], K = κk̃² + λ.
    They are the same where the mobility is constant. The factors are smooth in x (K² or k̃²) and in δ: they are evaluated at nodes
    and interpolated by a cubic spline in x, or by quintic ones in both (errors below 1e-8).
    """
    covered = np.cumsum(steps[:, 0])
    # The error estimate does not take part in the update.
    scheme = lookup("scheme", recorded.settings.time.scheme).without_error()
    nodes, interpolate = _interpolation(x, excess)
    curvature = theory.curvature(next(iter(theory.model.fields)))
    rate = theory.kinetics.rate(nodes[0])
    symbol = theory.gradient_coefficient * nodes[0] + theory.elastic_part + nodes[1]
    amplitude = np.ones_like(rate)
    exponent = np.zeros_like(rate)
    previous: np.ndarray | None = None
    last_dt = 0.0
    done = 0

    def exponents(dt: float, S: float, mobility: float) -> tuple[np.ndarray, np.ndarray]:
        reference = theory.kinetics.constant + mobility * nodes[0]
        implicit = dt * reference * (S + symbol)
        return -implicit, implicit - dt * rate * (curvature + symbol)

    for span in elapsed[1:]:
        count = int(np.searchsorted(covered, span * (1.0 - 1e-9))) + 1
        if not scheme.multistep:
            different, repeats = np.unique(steps[done:count], axis=0, return_counts=True)
            for step, repeat in zip(different, repeats, strict=True):
                exponent += repeat * np.log(np.abs(scheme.growth_factor(*exponents(*step))))
        else:
            for dt, S, mobility in steps[done:count]:
                z, n = exponents(dt, S, mobility)
                following = scheme.linear_step(z, n, amplitude, previous, dt / last_dt if last_dt else 1.0)
                # Both levels are rescaled, so that no mode over- or underflows.
                scale = np.abs(following)
                exponent += np.log(scale)
                previous, amplitude, last_dt = amplitude / scale, following / scale, float(dt)
        done = count
        yield interpolate(exponent)


def _interpolation(
    x: np.ndarray, excess: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Nodes (x, δ), flat, and what takes values there to values at the modes."""
    from scipy.interpolate import CubicSpline, RectBivariateSpline

    low = min(0.0, float(x.min()))
    if not np.any(excess):
        line = np.linspace(low, float(x.max()), NODES)
        return (line, np.zeros(NODES)), lambda values: CubicSpline(line, values)(x)
    first = np.linspace(low, float(x.max()), NODES_PLANE[0])
    second = np.linspace(float(excess.min()), float(excess.max()), NODES_PLANE[1])
    plane = [g.ravel() for g in np.meshgrid(first, second, indexing="ij")]

    def between(values: np.ndarray) -> np.ndarray:
        return RectBivariateSpline(first, second, values.reshape(NODES_PLANE), kx=5, ky=5).ev(x, excess)

    return (plane[0], plane[1]), between
