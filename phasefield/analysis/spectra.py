"""Observers of Fourier space: the structure factor of every frame, and the linear regime sampled for `verify`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phasefield.analysis.stability import LinearStability
from phasefield.simulation import Simulation, StepRecord
from phasefield.stepping.schedule import Never, Schedule

# Modes followed one by one: all below this multiple of the cut-off, thinned shell by shell when there are more than MAX_MODES.
RANGE_IN_CUTOFFS = 1.3
MAX_MODES = 200_000
SHELLS = 40
# Samples per growth time of the fastest mode, and how many at most.
SAMPLES_PER_GROWTH_TIME = 4
MAX_SAMPLES = 400
# Sampling ends when the measure of nonlinearity has passed this value.
NONLINEARITY_END = 0.02
# Averages over a Gaussian, exact for polynomials up to degree 17.
GAUSS_POINTS, _weights = np.polynomial.hermite_e.hermegauss(9)
GAUSS_WEIGHTS = _weights / _weights.sum()


class StructureFactor:
    """Shell averages of |ĉ_k|² over all modes; shells are as wide as the smallest wavenumber of the longest axis."""

    def __init__(self, simulation: Simulation):
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

    def sample(self, simulation: Simulation) -> None:
        """Add the spectrum of the present state: rows (field, shell)."""
        stepper, modes = simulation.stepper, simulation.stepper.modes
        view = simulation.sweep.real_view(stepper.state_hat)
        rows = []
        for q in range(len(simulation.split.names)):
            power, count = np.zeros(self.shells), np.zeros(self.shells)
            simulation.backend.kernels.shell_power(view, q, modes.k0, modes.kr, modes.weight, self.width, power, count)
            self.count = count
            rows.append(power / np.maximum(count, 1.0))
        self.times.append(simulation.time)
        self.power.append(np.array(rows))

    def datasets(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The group `/spectrum` of the fields file."""
        power = np.array(self.power)
        result: dict[str, Any] = {
            "time": (("time",), np.array(self.times), {"units": "1"}),
            "wavenumber": (("wavenumber",), self.wavenumber, {"units": "1", "long_name": "shell centre |k|"}),
            "modes": (("wavenumber",), self.count, {"long_name": "modes per shell"}),
        }
        for q, name in enumerate(names):
            text = f"mean of |{name}_k|² over the modes of a shell"
            result[f"power_{name}"] = (("time", "wavenumber"), power[:, q], {"long_name": text})
        return result


class LinearRegime:
    """Follows single modes from the start until the linear regime is over, independent of the user's output times.

    Kept in double precision: the initial power of every followed mode, the power per shell at every sample, the variance of
    the field, and every step's size and S. `verify` predicts the shells mode by mode from the first and compares.

    The measure of nonlinearity is |⟨f″⟩ − f″|/|f″| + 20 ⟨(f″ − ⟨f″⟩)²⟩/f″², averages over a Gaussian of the field's variance
    about the base state: the relative change of f″ by the fluctuation itself, and twenty times the relative power that pairs of
    modes scatter into a third.
    """

    def __init__(self, simulation: Simulation):
        model = simulation.model
        names = simulation.split.names
        base = {n: simulation.stepper.mean(q) for q, n in enumerate(names)}
        self.theory = LinearStability(model, base)
        self.schedule: Schedule = Never()
        self.reason = ""
        self.times: list[float] = []
        self.power: list[np.ndarray] = []
        self.variance: list[float] = []
        self.nonlinearity: list[float] = []
        self.steps: list[tuple[float, float]] = []
        self.active = False
        if len(names) != 1:
            self.reason = "several coupled fields are not followed mode by mode"
            return
        if not self.theory.unstable:
            self.reason = f"the uniform state {_state(base)} is stable: f″ = {self.theory.curvature(names[0]):.4g}"
            return
        if not self._stationary(simulation, names[0], base):
            return
        self._choose_modes(simulation)
        if not self.reason:
            self.active = True
            self.schedule = _Sampling(self)
            simulation.step_listeners.append(self._listen)
            self.observe(simulation)

    @property
    def spacing(self) -> float:
        """Time between samples."""
        return self.theory.growth_time / SAMPLES_PER_GROWTH_TIME

    def observe(self, simulation: Simulation) -> None:
        """Take a sample; end the sampling when the regime is over."""
        view = simulation.sweep.real_view(simulation.stepper.state_hat)
        simulation.backend.kernels.mode_power(view, 0, self._rows, self._columns, self._buffer)
        if not self.times:
            self.initial_power = self._buffer.copy()
        self.times.append(simulation.time)
        self.power.append(np.bincount(self.shell, self.weight * self._buffer, self.shells))
        s = simulation.stepper.fluctuation(0)
        self.variance.append(s * s)
        self.nonlinearity.append(self._measure(s))
        if self.nonlinearity[-1] > NONLINEARITY_END or len(self.times) >= MAX_SAMPLES:
            self.active = False

    def _listen(self, simulation: Simulation, step: StepRecord) -> None:
        if self.active:
            self.steps.append((step.size, float(step.stabilisation[0])))

    def _stationary(self, simulation: Simulation, name: str, base: dict[str, float]) -> bool:
        """Keep f″ for `_measure`; False, with the reason, where the mean of the field moves by itself."""
        slope = simulation.split.density.derivative(name)
        values = simulation.split.bulk.parameter_values()
        curvature = slope.derivative(name)
        self._curvature = lambda u: np.asarray(curvature.evaluate(**{name: u}, **values), float)
        self._centre = base[name]
        if simulation.model.fields[name].conserved:
            return True
        drive = abs(float(slope.evaluate(**base, **values)))
        fluctuation = simulation.stepper.fluctuation(0)
        if drive > 1e-3 * abs(self.theory.curvature(name)) * fluctuation:
            self.reason = (
                f"the mean {_state(base)} is no stationary state: f′ = {drive:.3g}, so the field moves as a whole"
            )
            return False
        return True

    def _measure(self, deviation: float) -> float:
        f2 = float(self._curvature(np.array([self._centre]))[0])
        values = self._curvature(self._centre + deviation * GAUSS_POINTS)
        mean = float(GAUSS_WEIGHTS @ values)
        variance = float(GAUSS_WEIGHTS @ (values - mean) ** 2)
        return abs(mean - f2) / abs(f2) + 20.0 * variance / f2**2

    def _choose_modes(self, simulation: Simulation) -> None:
        modes = simulation.stepper.modes
        limit = RANGE_IN_CUTOFFS * self.theory.cutoff_wavenumber
        k2 = modes.k2
        wanted = (k2 <= limit**2) & (k2 > 0.0) & (modes.weight[None, :] > 0.0)
        rows, columns = np.nonzero(wanted)
        if simulation.stepper.fluctuation(0) == 0.0:
            self.reason = "the initial state has no fluctuation that could grow"
            return
        if rows.size == 0 or float(k2[wanted].min()) >= self.theory.cutoff_wavenumber**2:
            self.reason = (
                f"the box holds no unstable wave: cut-off wavelength {self.theory.cutoff_wavelength:.4g}, "
                f"longest axis {max(a.length for a in simulation.grid.axes):.4g}"
            )
            return
        # Single modes grow without scatter, so a shell may hold few of them: its width need not be a fundamental.
        self.width = limit / SHELLS
        k = np.sqrt(k2[rows, columns])
        shell = np.floor(k / self.width + 0.5).astype(np.int64)
        if rows.size > MAX_MODES:
            kept = _thin(shell, MAX_MODES)
            rows, columns, k, shell = rows[kept], columns[kept], k[kept], shell[kept]
        self.shells = int(shell.max()) + 1
        self.shell, self._rows, self._columns = shell, rows.astype(np.int64), columns.astype(np.int64)
        self.k2, self.weight = k**2, modes.weight[columns]
        self._buffer = np.zeros(rows.size)
        self.initial_power = self._buffer
        x, middle = simulation.sweep.mode_index
        # Integer wave numbers in the order z, y, x; `verify` computes k̃² from them and the box anew.
        slow = {1: [], 2: [rows], 3: [rows, middle[columns]]}[simulation.grid.dimensions]
        self.index = np.stack([*slow, x[columns]], axis=1).astype(np.int32)

    def datasets(self) -> dict[str, Any]:
        """The group `/growth` of the fields file."""
        if not self.times:
            return {}
        steps = np.array(self.steps).reshape(-1, 2)
        return {
            "time": (("time",), np.array(self.times), {"units": "1"}),
            "power": (
                ("time", "shell"),
                np.array(self.power),
                {"long_name": "Σ |c_k|² over the followed modes of a shell"},
            ),
            "variance": (("time",), np.array(self.variance), {}),
            "nonlinearity": (("time",), np.array(self.nonlinearity), {}),
            "mode_k2": (("mode",), self.k2, {"long_name": "discrete symbol of −∇²"}),
            "mode_index": (("mode", "axis"), self.index, {"long_name": "FFT index along the axes, slowest first"}),
            "mode_weight": (("mode",), self.weight, {"long_name": "modes of the full spectrum this one stands for"}),
            "mode_shell": (("mode",), self.shell, {}),
            "mode_power": (("mode",), self.initial_power, {"long_name": "|c_k|² at the first sample"}),
            "step_size": (("step",), steps[:, 0], {}),
            "step_stabilisation": (("step",), steps[:, 1], {}),
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
        return (math.floor(after / spacing + 1e-9) + 1) * spacing


def _thin(shell: np.ndarray, limit: int) -> np.ndarray:
    """Indices of about `limit` modes: shells with few modes keep all, others every n-th."""
    counts = np.bincount(shell)
    share = limit // max(1, np.count_nonzero(counts))
    kept = []
    for s in np.nonzero(counts)[0]:
        members = np.nonzero(shell == s)[0]
        kept.append(members[:: max(1, math.ceil(members.size / share))])
    return np.sort(np.concatenate(kept))


def _state(base: dict[str, float]) -> str:
    return ", ".join(f"{n} = {v:.4g}" for n, v in base.items())
