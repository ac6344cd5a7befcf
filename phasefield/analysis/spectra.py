"""Observers of Fourier space: the structure factor of every frame, and the linear regime sampled for `verify`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.analysis.conditions import steady_until
from phasefield.analysis.modes import FollowedModes, NotApplicable, mixed
from phasefield.analysis.nonlinearity import Nonlinearity
from phasefield.analysis.stability import LinearStability
from phasefield.gradient_flow import GradientFlow, StepRecord
from phasefield.stepping.schedule import Never, Schedule

# Samples per growth time of the fastest mode, and how many at most.
SAMPLES_PER_GROWTH_TIME = 4
MAX_SAMPLES = 400
# Sampling ends when the measure of nonlinearity has passed this value.
NONLINEARITY_END = 0.02


class StructureFactor:
    """Shell averages of |ĉ_k|² over all modes; shells are as wide as the smallest wavenumber of the longest axis."""

    def __init__(self, simulation: GradientFlow):
        self._simulation = simulation
        lengths = [a.length for a in simulation.grid.axes]
        spacings = [a.spacing for a in simulation.grid.axes]
        self.width = 2.0 * math.pi / max(lengths)
        self.shells = min(4096, int(math.pi / min(spacings) / self.width) + 1)
        self.times: list[float] = []
        self.power: list[np.ndarray] = []
        self.count = np.zeros(0)

    @property
    def wavenumber(self) -> np.ndarray:
        return self.width * np.arange(self.shells)

    def sample(self) -> None:
        """Add the spectrum of the present state: rows (field, shell)."""
        simulation = self._simulation
        stepper, modes = simulation.stepper, simulation.stepper.modes
        view = simulation.sweep.real_view(stepper.state_hat)
        rows = []
        for q in range(len(simulation.split.names)):
            power, count = np.zeros(self.shells), np.zeros(self.shells)
            geometry = simulation.sweep.stage_geometry(modes)
            simulation.backend.kernels.shell_power(view, q, *geometry, self.width, power, count)
            count *= simulation.sweep.modes_per_weight
            self.count = count
            rows.append(power / np.maximum(count, 1.0))
        self.times.append(simulation.time)
        self.power.append(np.array(rows))

    def datasets(self) -> dict[str, Any]:
        """The group `/spectrum` of the fields file."""
        power = np.array(self.power)
        result: dict[str, Any] = {
            "time": (("time",), np.array(self.times), {"units": "1"}),
            "wavenumber": (("wavenumber",), self.wavenumber, {"units": "1", "long_name": "shell centre |k|"}),
            "modes": (("wavenumber",), self.count, {"long_name": "modes per shell"}),
        }
        for q, name in enumerate(self._simulation.split.names):
            text = f"mean of |{name}_k|² over the modes of a shell"
            result[f"power_{name}"] = (("time", "wavenumber"), power[:, q], {"long_name": text})
        return result


class LinearRegime:
    """Follows single modes from the start until the linear regime is over, independent of the user's output times.

    Kept in double precision: the initial power of every followed mode, the power per shell at every sample, the variance of
    the field, and every step's size, S and M₀. `verify` predicts the shells mode by mode from the first and compares.

    The regime ends when the measure of `nonlinearity` has passed its limit, or when a load or the temperature
    changes or a seed is placed.
    """

    def __init__(self, simulation: GradientFlow):
        base = _uniform_state(simulation)
        self.theory = LinearStability(simulation.model, base)
        self.schedule: Schedule = Never()
        self.reason = ""
        self.times: list[float] = []
        self.power: list[np.ndarray] = []
        self.variance: list[float] = []
        self.nonlinearity: list[float] = []
        self.steps: list[tuple[float, float, float]] = []
        self.active = False
        self.initial_power = np.zeros(0)
        try:
            self._require_uniform_state(simulation)
            self.modes = FollowedModes(simulation, self.theory)
        except NotApplicable as reason:
            self.reason = str(reason)
            return
        scale = abs(self.theory.least_curvature + self.theory.elastic_part)
        self._measure = Nonlinearity(simulation.split, base, scale)
        self.active = True
        self.schedule = _Sampling(self)
        simulation.step_listeners.append(self._listen)
        self.observe(simulation)

    @property
    def spacing(self) -> float:
        """Time between samples."""
        return self.theory.growth_time / SAMPLES_PER_GROWTH_TIME

    def observe(self, simulation: GradientFlow) -> None:
        """Take a sample; end the sampling when the regime is over."""
        power = self.modes.power(simulation)
        if not self.times:
            self.initial_power = power
        self.times.append(simulation.time)
        self.power.append(np.bincount(self.modes.shell, self.modes.weight * power))
        deviations = _deviations(simulation)
        self.variance.append(float(np.mean(deviations**2)))
        self.nonlinearity.append(self._measure(deviations))
        if self.nonlinearity[-1] > NONLINEARITY_END or len(self.times) >= MAX_SAMPLES:
            self.active = False

    def _listen(self, simulation: GradientFlow, step: StepRecord) -> None:
        self.active &= simulation.time <= self.end
        if self.active:
            self.steps.append((step.size, float(step.stabilisation[0]), step.reference_mobility))

    def _require_uniform_state(self, simulation: GradientFlow) -> None:
        """Raise `NotApplicable` unless the state is a fluctuation about a uniform one that would stay where it is."""
        model, theory, names = simulation.model, self.theory, simulation.split.names
        state = ", ".join(f"{n} = {v:.4g}" for n, v in theory.base.items())
        grid = simulation.grid
        if any(np.ptp(grid.lift_values(n)) > 0.0 for n in names):
            raise NotApplicable("the values given at the faces differ: there is no uniform state to grow from")
        if model.frozen:
            raise NotApplicable("fixed fields differ from place to place: there is no uniform state to grow from")
        if model.thermal_energy:
            raise NotApplicable("thermal noise feeds every fluctuation all the time: none grows on its own")
        if simulation.scenario.forced:
            raise NotApplicable("a source moves the fields all the time: no fluctuation grows on its own")
        if model.viscosity is not None:
            raise NotApplicable("with inertia a fluctuation has two rates, and oscillates where it does not grow")
        if model.explicit:
            raise NotApplicable("forces that are no matrix symbol mix the modes of the time scheme")
        if not theory.isotropic and not mixed(model):
            raise NotApplicable(
                f"the second derivatives of f at {state} are no multiple of the unit matrix: "
                "modes along different directions have no eigenvectors that stay apart"
            )
        curvature = theory.least_curvature
        if not theory.unstable:
            elastic = f", elastic part {theory.elastic_part:.4g}" if theory.directional else ""
            raise NotApplicable(f"the uniform state {state} is stable: f″ = {curvature:.4g}{elastic}")
        deviations = _deviations(simulation)
        moving = np.array([not model.fields[n].conserved for n in names])
        if moving.any():
            drive = _uniform_drive(simulation, theory.base) * moving
            if np.linalg.norm(drive) > 1e-3 * abs(curvature) * np.linalg.norm(deviations):
                slope = "f′" if model.coupling is None else "f′ less the driving force of the load"
                raise NotApplicable(
                    f"the mean {state} is no stationary state: {slope} = {np.abs(drive).max():.3g}, "
                    "so the field moves as a whole"
                )
        if not np.any(deviations):
            raise NotApplicable("the initial state has no fluctuation that could grow")
        self.end = steady_until(model)
        if self.end == 0.0:
            raise NotApplicable("a load or the temperature changes from the start: the uniform state is not stationary")
        # A sample at that very time would show the seed.
        self.end = min(self.end, (1.0 - 1e-9) * simulation.scenario.first_nucleus)

    def datasets(self) -> dict[str, Any]:
        """The group `/growth` of the fields file."""
        if not self.times:
            return {}
        steps, modes = np.array(self.steps).reshape(-1, 3), self.modes
        return {
            "time": (("time",), np.array(self.times), {"units": "1"}),
            "power": (
                ("time", "shell"),
                np.array(self.power),
                {"long_name": "Σ |c_k|² over the followed modes of a shell"},
            ),
            "variance": (("time",), np.array(self.variance), {"long_name": "variance of the fields, their mean"}),
            "nonlinearity": (("time",), np.array(self.nonlinearity), {}),
            "mode_k2": (("mode",), modes.k2, {"long_name": "discrete symbol of −∇²"}),
            "mode_index": (("mode", "axis"), modes.index, {"long_name": "FFT index along the axes, slowest first"}),
            "mode_component": (("mode",), modes.component, {"long_name": "number of the eigenvector of the coupling"}),
            "mode_weight": (("mode",), modes.weight, {"long_name": "modes of the full spectrum this one stands for"}),
            "mode_shell": (("mode",), modes.shell, {}),
            "shell_hard": (
                ("shell",),
                modes.hard.astype(np.int8),
                {"long_name": "1 where elasticity alone keeps from growing"},
            ),
            "mode_power": (("mode",), self.initial_power, {"long_name": "|c_k|² at the first sample"}),
            "step_size": (("step",), steps[:, 0], {}),
            "step_stabilisation": (("step",), steps[:, 1], {}),
            "step_mobility": (("step",), steps[:, 2], {"long_name": "mobility on the implicit side"}),
        }

    def attributes(self) -> dict[str, Any]:
        """Attributes of the group `/growth`."""
        base = {f"base_{n}": float(v) for n, v in self.theory.base.items()}
        return {"reason": self.reason, **base}


class _Sampling:
    """A sample every quarter growth time as long as the linear regime lasts."""

    def __init__(self, regime: LinearRegime):
        self._regime = regime

    def next(self, after: float) -> float:
        if not self._regime.active:
            return math.inf
        spacing = self._regime.spacing
        following = (math.floor(after / spacing + 1e-9) + 1) * spacing
        return following if following <= self._regime.end else math.inf


def _uniform_state(simulation: GradientFlow) -> dict[str, float]:
    """The means of the fields, between fixed faces the values given there."""
    if simulation.grid.fixed:
        return {n: simulation.grid.lift(n)[0] for n in simulation.split.names}
    return {n: simulation.stepper.mean(q) for q, n in enumerate(simulation.split.names)}


def _deviations(simulation: GradientFlow) -> np.ndarray:
    """Root mean square deviations of the fields from the uniform state, (N,)."""
    return np.array([simulation.stepper.fluctuation(q) for q in range(len(simulation.split.names))])


def _uniform_drive(simulation: GradientFlow, base: Mapping[str, float]) -> np.ndarray:
    """∂F/∂φ̄ (N) per volume at the uniform state: f′, and what the load and the mean misfit add."""
    split = simulation.split
    values = {**dict.fromkeys(split.model.frozen, 0.0), **split.bulk.parameter_values(), **base}
    drive = np.array([float(slope.evaluate(**values)) for slope in split.derivatives])
    if split.coupling is not None:
        means, phase = np.array([base[n] for n in split.names]), split.coupling.phase(0.0)
        drive += split.coupling.mean_symbol(phase) @ means - split.coupling.drive(0.0, phase)
    return drive
