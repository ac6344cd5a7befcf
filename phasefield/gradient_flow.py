"""Runs of fields that follow the gradient of a free energy: Cahn–Hilliard, Allen–Cahn, martensite.

A step whose error is too large, whose energy grew or that produced a NaN is rejected and tried again smaller.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import phasefield.spectral.sweep
import phasefield.spectral.sweep_gpu  # noqa: F401 - both register a sweep; this one loads CuPy when it is made
from phasefield.backend import make_backend
from phasefield.errors import InputError, NumericalError
from phasefield.initial.nuclei import Nuclei, added
from phasefield.mechanics.stiffness import COMPONENTS
from phasefield.models.split import Split
from phasefield.registry import lookup
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import fixed_fields
from phasefield.scenario.schema import StepSection
from phasefield.simulation import Simulation
from phasefield.spectral.transforms import make_engine
from phasefield.stepping.control import StepControl
from phasefield.stepping.forcing import Forcing
from phasefield.stepping.noise import LangevinNoise
from phasefield.stepping.reference_mobility import reference_mobility
from phasefield.stepping.schemes import find_scheme
from phasefield.stepping.stabilisation import Stabilisation
from phasefield.stepping.stepper import Energies, Stepper
from phasefield.stepping.thermal import SERIAL_CELLS, ThermalNoise

# Energy differences below this many units of rounding of the energy itself are not growth. A uniform field is the worst case:
# all cells round the same way, and a sum of parts of 512 equal numbers is off by about a hundred units.
ENERGY_ROUNDING = 256.0
# Absolute floor of the error limit, relative to the largest magnitude of the field, in units of rounding.
ERROR_ROUNDING = 500.0
# A field that dies out is judged by at least this share of its largest magnitude.
LEAST_SHARE = 1e-3
# Rejections of one step after which the run is given up.
MAX_REJECTIONS = 60


@dataclass
class StepRecord:
    """The last accepted step."""

    size: float
    stabilisation: np.ndarray
    energy_change: float
    reference_mobility: float


@dataclass
class Counters:
    """What happened since the start."""

    steps: int = 0
    rejected_error: int = 0
    rejected_energy: int = 0
    largest_energy_increase: float = 0.0
    largest_mean_drift: list[float] = field(default_factory=list)
    # Per field, of those the error control has looked at.
    largest_magnitude: list[float] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        return self.rejected_error + self.rejected_energy


class GradientFlow(Simulation):
    """State, clock and control of one run; build it with `Simulation.from_scenario`."""

    scenario: LoadedScenario

    def __init__(self, scenario: LoadedScenario, *, device: str = "auto", threads: int | None = None):
        settings = scenario.settings
        self.scenario, self.grid, self.model = scenario, scenario.grid, scenario.model
        self.backend = make_backend(self._choose_device(device), settings.precision, threads)
        engine = make_engine(os.environ.get("PHASEFIELD_FFT", "auto"))
        self.split = Split(self.model)
        scheme = find_scheme(settings.time.scheme, self.model)
        self.scheme = scheme if isinstance(settings.time.step, StepSection) else scheme.without_error()
        make_sweep = lookup("sweep", self.backend.device)
        sweep = (len(self.split.names), self.backend.kernels, engine, self.backend.threads, self.backend.dtype)
        self.sweep = make_sweep(self.grid, *sweep, lift=self._lift())
        self.engine = self.sweep.engine
        self.fixed = fixed_fields(scenario)
        self.thermal: ThermalNoise | None = None
        if self.model.thermal_energy and self.model.noise_correction is not None:
            noise = (self.model.thermal_energy, settings.seed, self.model.noise_correction)
            own = make_sweep(self.grid, *sweep, serial_cells=SERIAL_CELLS)
            self.thermal = ThermalNoise(self.split, self.scheme, own, *noise)
        self.forcing = self._make_forcing()
        added = (self._make_noise(), self.thermal, self.forcing)
        try:
            self.stepper = Stepper(self.split, self.scheme, self.sweep, self.backend, self.fixed, *added)
        except InputError as error:
            raise scenario.located(error) from None
        self.stabilisation = Stabilisation(
            self._curvature,
            self.scheme.stabilisation,
            settings.stabilisation,
            self.model.changing or self.stepper.force is not None,
        )
        self.end = float(settings.time.end)
        self.time = 0.0
        # Energy given up by the steps so far, loads and temperature kept as they were at the beginning of each.
        self.dissipation = 0.0
        self.nuclei = Nuclei(scenario.nuclei)
        zeros = [0.0] * len(self.split.names)
        self.counters = Counters(largest_mean_drift=zeros, largest_magnitude=zeros.copy())
        self.last_step: StepRecord | None = None
        self.step_listeners: list[Callable[[GradientFlow, StepRecord], None]] = []
        self.control: StepControl
        self.initial_means: list[float] = []

    # --- state --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, np.ndarray]:
        """The fields in real space, by name: new arrays in grid shape."""
        u = self.backend.to_host(self.stepper.real_state())
        return dict(zip(self.split.names, u, strict=True))

    def derived(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Fields that follow from the state, such as the chemical potential or the stress; see `Model.derived_names`."""
        if not names:
            return {}
        state: dict[str, Any] = {**self.state, **self.model.frozen_fields(self.grid, self.fixed)}
        parts = [self.fixed.get(f"eigenstrain_{c}") for c in COMPONENTS]
        if any(part is not None for part in parts):
            zero = np.zeros(self.grid.shape)
            state["eigenstrain"] = np.stack([zero if part is None else part for part in parts])
        return self.model.derived_fields(names, state, self.grid, self.time)

    def records(self) -> dict[str, float]:
        """What the model adds to the history: loads, temperature, mean strains and stresses of the present state."""
        means = np.array([self.stepper.mean(q) for q in range(len(self.split.names))])
        result = self.model.records(self.time, means, self.stepper.phase)
        return result if self.stepper.force is None else result | self.stepper.force.records(self.time)

    def set_state(self, fields: Mapping[str, np.ndarray]) -> None:
        """Replace the fields (grid shape, one array per field) and take their means as the conserved ones."""
        u = np.stack([np.asarray(fields[n], self.backend.dtype) for n in self.split.names])
        self.stepper.set_state(self.backend.to_device(u), self.time)
        self._after_new_state()
        if self.thermal is not None:
            try:
                self.thermal.prepare(float(self.scenario.settings.time.step), self.stabilisation.values, self.time)
            except InputError as error:
                raise self.scenario.located(error) from None
        self.initial_means = [self.stepper.mean(q) for q in range(len(self.split.names))]

    def _after_new_state(self) -> None:
        if not math.isfinite(self.energies.total):
            raise NumericalError("the energy of the initial state is not finite: check initial: and the free energy")
        self.stabilisation.update(self.stepper.ranges)
        self._follow_mobility(math.nan)
        if self.time == 0.0:
            self.control = self._make_control()

    def _lift(self) -> np.ndarray | None:
        """What fields differ by from the waves of their boundaries, (N, *grid.shape); None for nothing."""
        # One field may have a slope, another the same value at both ends: their lifts have different shapes.
        lift = [np.broadcast_to(self.grid.lift_values(name), self.grid.shape) for name in self.split.names]
        return np.stack(lift) if any(np.any(g) for g in lift) else None

    def _follow_mobility(self, present: float, step: int = 0) -> None:
        """Choose M₀ of a mobility that depends on the field anew if the present value will not do."""
        if (mobility := self.model.variable_mobility) is None:
            return
        (low, high), *_ = self.stepper.ranges
        try:
            value = reference_mobility(mobility, present, (low, high), step)
        except NumericalError as error:
            if not math.isnan(present):
                raise
            # The initial state is input, and nothing lies on disk yet.
            raise self.scenario.located(InputError(f"model.mobility: {error}")) from None
        if value == 0.0:
            text = f"model.mobility: is 0 everywhere between {low:.6g} and {high:.6g}, where the initial state is"
            raise self.scenario.located(InputError(f"{text}: nothing would ever move"))
        if value != present:
            self.stepper.refer_to(value)

    def _choose_device(self, device: str) -> str:
        """The device, of those the scenario can run on."""
        variable = self.model.variable_mobility is not None
        if device == "gpu" and variable:
            text = "model.mobility: a mobility that depends on the field runs on the CPU only; use --device cpu or auto"
            raise self.scenario.located(InputError(text))
        noisy = bool(self.model.thermal_energy)
        only_cpu = variable or noisy or self.scenario.forced or not self.grid.periodic
        return "cpu" if device == "auto" and only_cpu else device

    @property
    def energies(self) -> Energies:
        """Bulk, gradient and total energy of the state."""
        return self.stepper.energies

    @property
    def energy(self) -> float:
        return self.energies.total

    @property
    def steps(self) -> int:
        return self.counters.steps

    @property
    def step_size(self) -> float:
        return self.last_step.size if self.last_step else 0.0

    @property
    def where(self) -> str:
        if self.backend.device != "cpu":
            return self.backend.device
        return f"{self.sweep.threads} CPU thread(s), {self.engine.name}"

    @property
    def threads(self) -> int:
        return self.sweep.threads

    @property
    def device(self) -> str:
        return self.backend.device

    @property
    def engine_name(self) -> str:
        return self.engine.name

    def history_names(self) -> list[str]:
        names = ["time", "step_size", "energy", "energy_bulk", "energy_gradient", "energy_increase", "dissipation"]
        if self.model.coupling is not None or self.model.explicit:
            names.append("energy_elastic")
        for name in self.split.names:
            names += [f"{what}_{name}" for what in ("mean", "min", "max", "drift", "stabilisation")]
        if self.nuclei.nuclei:
            names += ["seeds", "energy_added"]
        return [*names, *self.model.record_names(), "steps", "rejected_steps"]

    def history_row(self) -> dict[str, float]:
        """Scalars of the present state. `drift_<field>` and `energy_increase` are the largest values at any step so far."""
        counters, energies = self.counters, self.energies
        row = {
            "time": self.time,
            "step_size": self.step_size,
            "energy": energies.total,
            "energy_bulk": energies.bulk,
            "energy_gradient": energies.gradient,
            "energy_increase": counters.largest_energy_increase,
            "dissipation": self.dissipation,
            "steps": counters.steps,
            "rejected_steps": counters.rejected,
        }
        if self.model.coupling is not None or self.model.explicit:
            row["energy_elastic"] = energies.coupling
        if self.nuclei.nuclei:
            row |= {"seeds": self.nuclei.placed, "energy_added": self.nuclei.energy_added}
        row |= self.records()
        for q, name in enumerate(self.split.names):
            low, high = self.stepper.ranges[q]
            values = (self.stepper.mean(q), low, high, counters.largest_mean_drift[q], self.stabilisation.values[q])
            kinds = ("mean", "min", "max", "drift", "stabilisation")
            row |= {f"{kind}_{name}": value for kind, value in zip(kinds, values, strict=True)}
        return row

    # --- time ---------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        # A checkpoint may have been written at a corner of the load, before the phase that begins there was entered.
        self._enter_phase()
        self._nucleate()

    def _corners(self) -> Iterator[float]:
        yield from self.model.events
        yield self.nuclei.next

    def _end_step(self) -> None:
        self._nucleate()

    def _after_step(self) -> None:
        self._enter_phase()

    def _enter_phase(self) -> None:
        phase = self.stepper.phase_at(self.time)
        if phase != self.stepper.phase:
            self.stepper.enter_phase(phase)

    def _nucleate(self) -> None:
        """Place the seeds whose time has come. Scheme and step control begin as at the start; the energy put in is recorded."""
        due = self.nuclei.due(self.time)
        if not due:
            return
        before, change = self.energies.total, added(self.state, due, self.grid)
        zero = np.zeros(self.grid.shape)
        whole = np.stack([change.get(name, zero) for name in self.split.names])
        self.stepper.add(self.backend.to_device(whole.astype(self.backend.dtype)))
        if not math.isfinite(self.energies.total):
            raise NumericalError(f"the energy is not finite after the seeds at t = {self.time:g}")
        self.stabilisation.update(self.stepper.ranges)
        self._follow_mobility(self.stepper.reference_mobility)
        self.control = self._make_control()
        self.nuclei.record(len(due), self.energies.total - before)

    def _step(self, target: float) -> None:
        """One accepted step towards `target`, which it does not pass."""
        limits = self._error_limits()
        tolerated = ENERGY_ROUNDING * np.finfo(self.backend.dtype).eps * self.energies.scale
        old = self.energies
        for _ in range(MAX_REJECTIONS):
            remaining = target - self.time
            dt = self.control.propose(remaining)
            S = self.stabilisation.values.copy()
            landed = dt >= remaining * (1.0 - 1e-9)
            error = self.stepper.attempt(dt, S, limits, end=target if landed else self.time + dt)
            if error is not None and not error <= 1.0:
                self.counters.rejected_error += 1
                self._reject(
                    dt, error, "the error estimate is not finite" if math.isnan(error) else "the error stays too large"
                )
                continue
            change = self.stepper.energy_change
            if not (change <= tolerated if self.scenario.loses_energy else math.isfinite(change)):
                self.counters.rejected_energy += 1
                not_finite = self.stepper.failure or "the state is not finite"
                self._reject(dt, None, not_finite if math.isnan(change) else "the energy grows")
                continue
            self.stepper.accept()
            self.control.accept(dt, error)
            self.time = self.stepper.time
            self.dissipation -= change
            self._record(StepRecord(dt, S, change, self.stepper.reference_mobility), old)
            return
        raise NumericalError(f"no step was accepted in {MAX_REJECTIONS} tries at t = {self.time:g}")

    def _reject(self, dt: float, error: float | None, reason: str) -> None:
        self.stepper.restore()
        smaller = self.control.reject(dt, error)
        # A step shortened to land on an event may be smaller than `min` without any fault of the run.
        floor = max(min(self.control.smallest, dt), 1e-14 * max(self.time, self.end * 1e-6))
        if smaller < floor:
            raise NumericalError(
                f"step size collapsed at t = {self.time:.10g} (step {self.counters.steps}): {reason} "
                f"however small the step (last tried {dt:.3g})"
            )

    def _record(self, record: StepRecord, old: Energies) -> None:
        counters = self.counters
        counters.steps += 1
        if old.scale > 0.0:
            counters.largest_energy_increase = max(counters.largest_energy_increase, record.energy_change / old.scale)
        for q, start in enumerate(self.initial_means):
            counters.largest_mean_drift[q] = max(counters.largest_mean_drift[q], abs(self.stepper.mean(q) - start))
        self.stabilisation.update(self.stepper.ranges, counters.steps)
        self._follow_mobility(self.stepper.reference_mobility, counters.steps)
        self.last_step = record
        for listener in self.step_listeners:
            listener(self, record)

    def _error_limits(self) -> np.ndarray | None:
        """Largest rms error of a step per field: tolerance × magnitude, with a floor at round-off.

        The magnitude of a conserved field is the rms fluctuation about its mean; that of another one, whose mean takes part
        in the motion, the rms of the field itself, between fixed faces that of the lift and of the deviation from it together.
        Fields with an S of their own, which may die out one by one, are judged by no less than `LEAST_SHARE` of the largest
        magnitude they have had: what is left of a grain that has vanished decides nothing, and its decay would set the step
        for ever.
        """
        if self.control.tolerance is None:
            return None
        eps = np.finfo(self.backend.dtype).eps
        apart = len(self.split.names) > 1 and self.split.coupling is None and self.stepper.force is None
        limits, largest = [], self.counters.largest_magnitude
        for q, name in enumerate(self.split.names):
            low, high = self.stepper.ranges[q]
            rest = 0.0 if self.scenario.keeps_mean(name) else self._rest(q)
            magnitude = math.hypot(self.stepper.fluctuation(q), rest)
            largest[q] = max(largest[q], magnitude)
            magnitude = max(magnitude, LEAST_SHARE * largest[q]) if apart else magnitude
            floor = ERROR_ROUNDING * eps * max(abs(low), abs(high))
            # A field that is zero everywhere has no size to compare an error with: its first step is taken as it is.
            limits.append(self.control.tolerance * magnitude + floor if magnitude > 0.0 else math.inf)
        return np.array(limits)

    def _rest(self, field: int) -> float:
        """Root mean square of what `Stepper.fluctuation` leaves out: the mean, between fixed faces the lift."""
        if not self.grid.fixed:
            return self.stepper.mean(field)
        return math.sqrt(float(np.mean(self.grid.lift_values(self.split.names[field]) ** 2)))

    def _make_noise(self) -> LangevinNoise | None:
        """Noise in the explicit part, of models whose noise is not drawn mode by mode."""
        kT, settings = self.model.thermal_energy, self.scenario.settings
        if not kT or self.thermal is not None:
            return None
        mobility = next(iter(self.model.fields.values())).constant
        step = float(settings.time.step)
        return LangevinNoise(kT, mobility, self.grid.cell_volume, step, settings.seed, self.split.names)

    def _make_forcing(self) -> Forcing | None:
        if not self.scenario.forced:
            return None
        try:
            section = "manufactured" if self.scenario.exact else "source"
            return Forcing(self.scenario.sources, self.split.names, self.sweep, section)
        except InputError as error:
            raise self.scenario.located(error) from None

    def _make_control(self) -> StepControl:
        step = self.scenario.settings.time.step
        if not isinstance(step, StepSection):
            return StepControl(size=float(step), nominal=float(step))
        default = self._first_step(step.tolerance)
        first = step.first or max(default, step.min or 0.0)
        if self.scheme.multistep:
            # Its first step has no error estimate: it is never longer than the cautious one.
            first = min(first, default)
        return StepControl(
            size=first,
            tolerance=step.tolerance,
            smallest=step.min or 0.0,
            largest=step.max or math.inf,
            error_order=self.scheme.error_order,
        )

    def _curvature(self, ranges: Any, *, magnitude: bool = False) -> np.ndarray:
        """Largest f″ on given ranges, with frozen fields and parameters as they are."""
        frozen, time, force = self.stepper.frozen_ranges, self.time, self.stepper.force
        more = None if force is None else force.curvature
        return self.split.curvature(ranges, magnitude=magnitude, frozen=frozen, time=time, more=more)

    def _first_step(self, tolerance: float) -> float:
        """1 / max [m κ k̃² + m |f″| / √tolerance]: the shortest wave is resolved, and the bulk term so well that a step of
        first order, with which multistep schemes begin, stays within the tolerance.
        """
        k2 = np.array([self.stepper.modes.k2.max()])
        bulk = self._curvature(self.stepper.ranges, magnitude=True) / math.sqrt(tolerance)
        rates = [float(constant + laplacian * k2[0]) for constant, laplacian, *_ in self.stepper.rates]
        fastest = max(m * (kappa * float(k2[0]) + b) for m, kappa, b in zip(rates, self.split.kappa, bulk, strict=True))
        return min(self.end, 1.0 / fastest if fastest > 0.0 else self.end)

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything needed to continue bit for bit: Fourier coefficients, clock, control and counters."""
        arrays, stepper = self.stepper.checkpoint()
        meta = {
            "time": self.time,
            "stepper": stepper,
            "control": self.control.state(),
            "counters": asdict(self.counters),
            "stabilisation": {"ranges": self.stabilisation.ranges, "values": self.stabilisation.values.tolist()},
            "initial_means": self.initial_means,
            "energies": [self.energies.bulk, self.energies.gradient],
            "dissipation": self.dissipation,
            "nuclei": self.nuclei.state(),
            "threads": self.sweep.threads,
            "fft_engine": self.engine.name,
        }
        return arrays, meta

    def restore(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Go on from what `checkpoint` gave, bit for bit, on the same device with the same scenario."""
        self.time, self.dissipation = float(meta["time"]), float(meta["dissipation"])
        self.stepper.restore_checkpoint(arrays, **meta["stepper"])
        self.stabilisation.restore(**meta["stabilisation"])
        self.control = StepControl(**meta["control"])
        self.counters = Counters(**meta["counters"])
        self.initial_means = list(meta["initial_means"])
        self.nuclei.restore(**meta["nuclei"])

    def close(self) -> None:
        """End the threads."""
        self.sweep.close()
        if self.thermal is not None:
            self.thermal.close()
        if self.forcing is not None:
            self.forcing.close()
        self.stepper.close()
        if self.stepper.force is not None:
            self.stepper.force.close()
