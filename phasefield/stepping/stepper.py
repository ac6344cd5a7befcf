"""One step of any scheme on any model: the passes of `Sweep` with the stage kernels of the scheme.

The stepper owns the arrays of a run. Between steps `state_hat` holds the Fourier coefficients and the sweep's work array
the half-transformed explicit part F(u) at the same state, together with its bulk energy and range, so that a step ends by
knowing the energy of its result. A rejected step costs one more evaluation and leaves the state untouched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.energy.gradient import GradientEnergy
from phasefield.errors import NumericalError
from phasefield.kernels.coupled import pack
from phasefield.kernels.stages import GRADIENT, RATE_LAPLACIAN, STABILISATION, kept_slots
from phasefield.models.base import ExplicitForce
from phasefield.models.split import Split
from phasefield.stepping.explicit import ExplicitPart
from phasefield.stepping.flux import Flux
from phasefield.stepping.forcing import Forcing
from phasefield.stepping.noise import LangevinNoise
from phasefield.stepping.open_faces import OpenFaces
from phasefield.stepping.schemes import Scheme
from phasefield.stepping.thermal import ThermalNoise


@dataclass(frozen=True)
class Energies:
    """Energies of a state, integrated over the box.

    coupling: that of a matrix symbol with its loads, of elastic misfit for example, or of an explicit force; terms: sum of the
    magnitudes of its parts.
    """

    bulk: float
    gradient: float
    coupling: float = 0.0
    terms: float = 0.0

    @property
    def total(self) -> float:
        return self.bulk + self.gradient + self.coupling

    @property
    def scale(self) -> float:
        """A magnitude against which round-off in `total` is measured."""
        return abs(self.bulk) + abs(self.gradient) + self.terms


class Stepper:
    """Arrays and kernels of a run; `attempt` a step, then `accept` or `restore`."""

    def __init__(
        self,
        split: Split,
        scheme: Scheme,
        sweep: Any,
        backend: Any,
        fixed: Mapping[str, np.ndarray] | None = None,
        noise: LangevinNoise | None = None,
        thermal: ThermalNoise | None = None,
        forcing: Forcing | None = None,
    ):
        self.split, self.scheme, self.sweep, self.backend = split, scheme, sweep, backend
        self.modes = sweep.modes(split.model.laplacian)
        self.rates = split.rates()
        pointwise = backend.compile_pointwise(split.density, split.derivatives, split.model.changing)
        self._potential = pointwise.potential
        self._parameters = backend.to_device(split.parameters)
        self._frozen: Any = None
        self.frozen_ranges: list[tuple[float, float]] = []
        fields = split.model.frozen_fields(sweep.grid, fixed or {})
        if split.model.frozen:
            self.frozen_ranges = [(float(fields[n].min()), float(fields[n].max())) for n in split.model.frozen]
            self._frozen = sweep.freeze(np.stack([fields[n] for n in split.model.frozen]))
        self._faces = OpenFaces(split, sweep.grid)
        # What is neither a formula of local values nor a matrix symbol.
        force = split.model.explicit_force(sweep.grid, fields, backend.threads)
        self._explicit = ExplicitPart(force, sweep, backend)
        self._k0, self._kr, self._weight = sweep.stage_geometry(self.modes)
        # Gradient energy of what fields differ by from the waves of their boundaries.
        gradients = [t for t in split.model.terms if isinstance(t, GradientEnergy)]
        self._lift_energy = sweep.grid.volume * sum(t.lift_density(sweep.grid) for t in gradients)
        multistep = scheme.multistep
        # Noise that is part of F, and noise that is added to the result of a step.
        self._noise, self._thermal = noise, thermal
        # A source s(x, t), added to N of every stage.
        self._forcing = forcing
        self._compile(multistep)
        self._flux = self._make_flux()
        self.state_hat = sweep.empty_hat()
        self._value_hat = sweep.empty_hat()
        self._slots = [sweep.empty_hat() for _ in range(kept_slots(scheme.stages, multistep))]
        # State and size of the step before; its F̂ is in the slot. This is what a multistep scheme looks back at.
        self._previous = [sweep.empty_hat()] if multistep else []
        self._last_dt = 0.0
        # Steps made so far, by which the noise is numbered.
        self.steps = 0
        # Times of the state, of the step before and of the state that waits for `accept`.
        self.time = self._previous_time = self._attempted_time = 0.0
        # A step overwrites the F̂ of the step before; a rejected one leaves it to be evaluated again.
        self._slot_spoilt = False
        fields = len(split.names)
        self.energies = Energies(math.nan, math.nan)
        self.ranges: list[tuple[float, float]] = [(math.nan, math.nan)] * fields
        self._candidate = self.energies, self.ranges
        self._energy_change = math.nan
        # Why the attempted state could not be evaluated, empty if it could.
        self.failure = ""

    def _compile(self, multistep: bool) -> None:
        """Kernels of the stages; with a matrix symbol, of the energy or for stability alone, its eigensystem at every mode."""
        backend, scheme, sweep = self.backend, self.scheme, self.sweep
        geometry = sweep.stage_geometry(self.modes)
        self._coupling: Any = None
        stabilising, noisy = self.force is not None, self._thermal is not None
        self._loads = self.force if self.force is not None else self.split.coupling
        self._matrix = self.force if self.force is not None and self.force.stabilising else self.split.coupling
        self.phase = self._previous_phase = self.phase_at(0.0)
        if self._matrix is None:
            options = {"noisy": True} if noisy else {}
            options |= {"forced": True} if self._forcing is not None else {}
            self._stages = backend.compile_stages(scheme.stages, multistep, **options)
            self._start = backend.compile_stages(scheme.start, multistep, **options)
            self._geometry = geometry
            return
        fields, symbol = len(self.split.names), self._matrix.symbol
        self._stages = backend.compile_coupled_stages(scheme.stages, fields, multistep, stabilising, noisy)
        self._start = backend.compile_coupled_stages(scheme.start, fields, multistep, stabilising, noisy)
        self._coupling = sweep.couple(sweep.layout.pack(fields, lambda *m: symbol(sweep.grid, m)))
        self._drive, self._mean_symbol = np.zeros(fields), np.zeros((fields, fields))
        self._set_mean_symbol(self._matrix.mean_symbol(self.phase))
        self._geometry = (*geometry, self._coupling, self._drive)

    def _make_flux(self) -> Flux | None:
        """What a mobility that depends on the field adds to F̂."""
        mobility = self.split.model.variable_mobility
        if mobility is None:
            return None
        compiled = self.backend.compile_map(mobility.expression)
        return Flux(mobility, self.sweep, compiled, self._geometry, self.rates, self._coupling)

    def phase_at(self, time: float) -> int:
        """Number of the phase of the loads that holds at `time`."""
        return 0 if self._loads is None else self._loads.phase(time)

    @property
    def force(self) -> ExplicitForce | None:
        """The explicit part of the model, which knows about the last state that was evaluated."""
        return self._explicit.force

    # --- state --------------------------------------------------------------------------------------------------

    def set_state(self, u: np.ndarray, time: float = 0.0) -> None:
        """Start from real fields, shape (fields, *grid.shape)."""
        self.time = time
        self.sweep.forward(u, self.state_hat)
        self._last_dt = 0.0
        self._slot_spoilt = False
        self._explicit.restore({})
        if self._thermal is not None:
            self._thermal.start(self.mean(0))
        self._begin()

    def add(self, change: np.ndarray) -> None:
        """Change the state between two steps by real fields, shape (fields, *grid.shape), and start anew from it.

        Only the change is transformed, so that a field without one keeps its coefficients to the last bit.
        """
        self.sweep.forward(change, self._value_hat, lifted=False)
        self.state_hat += self._value_hat
        self._last_dt = 0.0
        self._slot_spoilt = False
        self._begin()

    def _begin(self) -> None:
        """Evaluate the state, from which the next step starts, and its energies."""
        self.restore()
        self._explicit.keep()
        self.energies, self.ranges, _ = self._evaluated(*self._quadratic_energies(), self.state_hat, self.time)

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Everything the next step depends on: Fourier arrays on the host, and the size of the last step."""
        arrays = {"state_hat": self.state_hat}
        if self._previous and self._last_dt:
            arrays |= {"previous_hat": self._previous[0], "previous_explicit": self._slots[0]}
        numbers: dict[str, float] = {
            "last_dt": self._last_dt,
            "steps": self.steps,
            "time": self.time,
            "previous_time": self._previous_time,
            "phase": self.phase,
            "previous_phase": self._previous_phase,
        }
        if self._thermal is not None:
            arrays["noise_mean"] = np.array(self._thermal.mean)
        if self._flux is not None:
            numbers["reference_mobility"] = self.reference_mobility
        return {n: self.backend.to_host(a) for n, a in arrays.items()} | self._explicit.checkpoint(), numbers

    def restore_checkpoint(
        self,
        arrays: Mapping[str, np.ndarray],
        last_dt: float,
        time: float = 0.0,
        previous_time: float = 0.0,
        phase: int = 0,
        previous_phase: int = 0,
        steps: int = 0,
        reference_mobility: float | None = None,
    ) -> None:
        """Go on from a checkpoint of the same grid and device, bit for bit."""
        if reference_mobility is not None:
            self.rates[:, RATE_LAPLACIAN] = reference_mobility
        self.time, self._previous_time, self.steps = time, previous_time, int(steps)
        self.phase, self._previous_phase = int(phase), int(previous_phase)
        if self._matrix is not None:
            self._set_mean_symbol(self._matrix.mean_symbol(self.phase))
        xp = self.backend.xp
        self.state_hat[...] = xp.asarray(arrays["state_hat"])
        if self._previous and last_dt:
            self._previous[0][...] = xp.asarray(arrays["previous_hat"])
            self._slots[0][...] = xp.asarray(arrays["previous_explicit"])
        self._slot_spoilt = False
        self._last_dt = last_dt
        self._explicit.restore(arrays)
        if self._thermal is not None:
            self._thermal.start(float(arrays["noise_mean"]))
        self._begin()

    def real_state(self) -> Any:
        """The fields in real space, a new array (fields, *grid.shape) on the device."""
        u = self.backend.xp.empty((len(self.split.names), *self.sweep.grid.shape), self.backend.dtype)
        self.sweep.backward(self.state_hat, u)
        self.restore()
        return u

    def mean(self, field: int) -> float:
        """The mean of a field."""
        return self.sweep.mean(self.state_hat, field)

    def fluctuation(self, field: int) -> float:
        """Root mean square of the deviation from the mean; between fixed faces from the lift."""
        view = self.sweep.real_view(self.state_hat)
        variance = self.backend.kernels.fluctuation(view, field, self._weight)
        if self.sweep.grid.fixed:
            # The first mode, which the kernel leaves out, is no mean here.
            variance += float(self._weight[0]) * float(view[field, 0, 0, 0]) ** 2
        return math.sqrt(max(0.0, variance))

    @property
    def reference_mobility(self) -> float:
        """M₀, the mobility on the implicit side: M itself where it is constant; 0 of fields that are not conserved."""
        return float(self.rates[0, RATE_LAPLACIAN])

    def refer_to(self, mobility: float) -> None:
        """Change M₀, on which F̂ depends: what a multistep scheme keeps of the step before is evaluated anew."""
        self.rates[:, RATE_LAPLACIAN] = mobility
        if self._previous and self._last_dt:
            self._slot_spoilt = True
            self.restore()

    # --- steps --------------------------------------------------------------------------------------------------

    def attempt(
        self,
        dt: float,
        stabilisation: np.ndarray,
        error_limit: np.ndarray | None = None,
        *,
        end: float | None = None,
    ) -> float | None:
        """Try a step; returns max over fields of error / error_limit, or None without error estimate.

        The new state waits for `accept`. When the error exceeds its limit the evaluation of the new state is skipped:
        only `restore` may follow. `end` is the time at the end of the step where time + dt would round it.
        """
        self.rates[:, STABILISATION] = stabilisation
        view = self.sweep.real_view
        base, value, *slots = (view(a) for a in (self.state_hat, self._value_hat, *self._slots))
        previous = tuple(view(a) for a in self._previous)
        ratio = dt / self._last_dt if self._last_dt else 1.0
        geometry = (*self._geometry, self.rates, dt, ratio)
        kernels, stages = self._stages, self.scheme.stages
        estimated = error_limit is not None and self.scheme.estimates_error
        if previous and not self._last_dt:
            # The first step of a multistep scheme has nothing to compare itself with.
            kernels, stages, estimated = self._start, self.scheme.start, False
        error = None
        self._slot_spoilt = bool(previous) and self._last_dt > 0.0
        self._attempted_dt, self.failure = dt, ""
        self._attempted_time = self.time + dt if end is None else end
        sums, moment = np.zeros(0), self.time
        for i, (kernel, stage) in enumerate(zip(kernels, stages, strict=True)):
            if self.split.coupling is not None:
                self._drive[:] = self.split.coupling.drive(moment, self.phase)
            last = i == len(stages) - 1
            noise = (
                ()
                if self._thermal is None or not last
                else (self._thermal.of_step(self.steps, dt, stabilisation, self.time),)
            )
            added = (*self._sources(moment), *noise)
            arguments = (base, value, *slots[: i + 1], *previous, *added, *geometry)
            sums = self._explicit_pass(kernel, arguments, self._value_hat if i else self.state_hat, stage=True)
            if last:
                sums = self.backend.to_host(sums)
                if estimated:
                    error = float(np.max(np.sqrt(sums[: len(self.split.names)]) / error_limit))
                    if not error <= 1.0:
                        return error
            moment = self._attempted_time if last else self.time + stage.time * dt
            try:
                self._real_pass(moment, self.phase, self.steps + 1, self.time if last else moment)
            except NumericalError as reason:
                # A state at which no equilibrium is found is no better than one that is not finite.
                self._energy_change, self.failure = math.nan, str(reason)
                return error
        quadratic = self.sweep.grid.volume * sums[len(self.split.names) :][:2]
        energies, ranges, before = self._evaluated(
            float(quadratic[0]) + self._lift_energy, float(quadratic[1:].sum()), self._value_hat, self._attempted_time
        )
        self._candidate = energies, ranges
        self._energy_change = before - self.energies.total
        return error

    def _sources(self, moment: float) -> tuple[np.ndarray, ...]:
        """Transformed source at the time of a stage value; for a multistep scheme also that of the step before."""
        if self._forcing is None:
            return ()
        # The earlier one is asked for first: it is the one to be given up at the next step.
        previous = (self._forcing.at(self._previous_time),) if self._previous else ()
        return (self._forcing.at(moment), *previous)

    @property
    def candidate_energies(self) -> Energies:
        """Energies of the state that waits for `accept`."""
        return self._candidate[0]

    @property
    def energy_change(self) -> float:
        """By how much the attempted step changes the energy, loads and parameters kept as they were at its beginning."""
        return self._energy_change

    def accept(self) -> None:
        """The attempted state becomes the state."""
        self.state_hat, self._value_hat = self._value_hat, self.state_hat
        if self._previous:
            # The old state becomes the step before; the array of the one before that is free.
            self._previous[0], self._value_hat = self._value_hat, self._previous[0]
            self._last_dt = self._attempted_dt
            self._previous_time, self._previous_phase = self.time, self.phase
            self._slot_spoilt = False
        self._explicit.keep()
        self.time = self._attempted_time
        self.steps += 1
        self.energies, self.ranges = self._candidate

    def restore(self) -> None:
        """Evaluate F(u) of the state again: after a rejected step, or after `work` has served something else.

        After a rejected step of a multistep scheme F of the step before as well: its array is what the step wrote to, and
        evaluating it again now and then is cheaper than a further array for every run.
        """
        if self._slot_spoilt:
            self._evaluate(self._previous[0], self._previous_time, self._previous_phase)
            kernel = self.backend.kernels.store_block
            view = self.sweep.real_view(self._slots[0])
            self._explicit_pass(kernel, (view,), self._previous[0], backward=False)
            if self.split.coupling is not None:
                slot = self._slots[0].reshape(len(self.split.names), -1)
                drive = self.split.coupling.drive(self._previous_time, self._previous_phase)
                slot[:, 0] -= self.backend.to_device(drive, np.float64)
            self._slot_spoilt = False
        self._evaluate(self.state_hat, self.time, self.phase)

    def enter_phase(self, phase: int) -> None:
        """Go over to another phase of the loads; where F or the symbol at k = 0 jumps, a multistep scheme starts anew."""
        jumps = self.force is not None and self.force.jumps(self.phase, phase)
        self.phase = phase
        if self._matrix is not None:
            symbol = self._matrix.mean_symbol(phase)
            jumps = jumps or not np.array_equal(symbol, self._mean_symbol)
            self._set_mean_symbol(symbol)
        if jumps:
            self._last_dt = 0.0
            self._slot_spoilt = False
        if self.force is not None:
            self._begin()
        self.energies, self.ranges, _ = self._evaluated(*self._quadratic_energies(), self.state_hat, self.time)

    def _set_mean_symbol(self, symbol: np.ndarray) -> None:
        self._mean_symbol[:] = symbol
        self.sweep.couple_mean(self._coupling, pack(symbol))

    # --- evaluation ---------------------------------------------------------------------------------------------

    def _evaluate(self, u_hat: Any, time: float, phase: int) -> None:
        """`work` = half-transformed F(u) with the parameters at `time`."""
        self._explicit.rewind()
        self.sweep.load(u_hat)
        self._real_pass(time, phase, self.steps, time)

    def _explicit_pass(self, kernel: Any, arguments: tuple, u_hat: Any, **options: bool) -> Any:
        """A spectral pass whose blocks hold F̂ of the state `u_hat`, which was the last to be evaluated."""
        if self._flux is None:
            return self.sweep.spectral_pass(kernel, arguments, **options)
        self._flux.evaluate(u_hat)
        return self.sweep.spectral_pass(kernel, arguments, forward=False, before=self._flux.load, **options)

    def _real_pass(self, time: float, phase: int, step: int, before: float) -> None:
        """F(u) at `time` from what `work` holds, before step number `step`; energies also for the loads at another time."""
        parameters = self._parameters
        if self.split.model.changing:
            both = [self.split.parameters_at(time), self.split.parameters_at(self.time)]
            parameters = self.backend.to_device(np.concatenate(both))
        given = self._explicit.evaluate(time, phase, before)
        after = self._explicit.add_to(None if self._noise is None else self._noise.of_step(step))
        after = self._faces.taken_off(time, after) if self._faces.needed else after
        measure = None if self._flux is None else self._flux.measure
        self._bulk_sums = self.sweep.real_pass(self._potential, parameters, self._frozen, after, given, measure)

    def _evaluated(
        self, gradient: float, coupling: float, u_hat: Any, time: float
    ) -> tuple[Energies, list[tuple[float, float]], float]:
        """Energies at `time`, ranges, and the total energy under the conditions of the state's own time.

        From the sums of the last real pass; `gradient` and `coupling` are the quadratic energies of `u_hat`.
        """
        sums = self.backend.to_host(self._bulk_sums)
        fields, cell = len(self.split.names), self.sweep.grid.cell_volume
        bulk = float(sums[:, 0].sum()) * cell
        bulk_before = float(sums[:, 1 + 2 * fields].sum()) * cell if self.split.model.changing else bulk
        ranges = [(float(sums[:, 1 + 2 * q].min()), float(sums[:, 2 + 2 * q].max())) for q in range(fields)]
        loads, loads_before = self._load_energies(u_hat, (time, self.time))
        energies = Energies(bulk, gradient, coupling + loads, coupling + abs(loads))
        return energies, ranges, bulk_before + gradient + coupling + loads_before

    def _load_energies(self, u_hat: Any, times: Sequence[float]) -> list[float]:
        """V (c − g·ū) at given times; of an explicit force its whole energy, at the times for which it was evaluated."""
        coupling, phase = self.split.coupling, self.phase
        if self.force is not None:
            return [self.force.energy, self.force.energy_before]
        if coupling is None:
            return [0.0 for _ in times]
        means = self.backend.to_host(u_hat.reshape(len(self.split.names), -1)[:, 0]).real
        volume = self.sweep.grid.volume
        return [volume * float(coupling.constant(t, phase) - coupling.drive(t, phase) @ means) for t in times]

    def _quadratic_energies(self) -> tuple[float, float]:
        """Gradient energy, and that of the coupling without its loads."""
        view, kernels = self.sweep.real_view(self.state_hat), self.backend.kernels
        gradient = sum(
            kernels.gradient_energy(view, q, self._k0, self._kr, self._weight, self.rates[q, GRADIENT])
            for q in range(len(self.split.names))
        )
        coupling = 0.0
        if self.split.coupling is not None:
            coupling = kernels.coupling_energy(view, self._coupling, self._weight)
        return self.sweep.grid.volume * gradient + self._lift_energy, self.sweep.grid.volume * coupling

    def close(self) -> None:
        """End the threads of what has its own."""
        if self._flux is not None:
            self._flux.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the state, the stages, the coupling, the flux of M(c), frozen fields and the sweep's buffers."""
        extra = 0 if self._coupling is None else self._coupling.nbytes
        extra += sum(block.nbytes for block in self._frozen or ())
        extra += self._explicit.memory_bytes
        parts = (self._thermal, self._forcing, self._flux)
        extra += sum(part.memory_bytes for part in parts if part is not None)
        return (2 + len(self._slots) + len(self._previous)) * self.state_hat.nbytes + self.sweep.buffer_bytes + extra
