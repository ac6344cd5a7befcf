"""Runs of bodies that crack: the load changes step by step, and displacements and damage follow in equilibrium.

Time is what the load is a function of. Every step ends in an equilibrium that alternate minimisation has converged to, unless the
model has a viscosity: damage then follows τ ∂φ/∂t = −δE/δφ, one semi-implicit pass per step. See docs/theory/fracture.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from phasefield.backend import available_threads
from phasefield.energy.fracture import check_resolution
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.crack_balance import Balance, CrackCounters, work
from phasefield.mechanics.crack_loading import Start
from phasefield.mechanics.cracked_body import Response
from phasefield.models.fracture import Fracture
from phasefield.registry import lookup
from phasefield.scenario import LoadedScenario
from phasefield.scenario.schema import StepSection
from phasefield.simulation import Simulation
from phasefield.spectral.transforms import make_engine
from phasefield.stepping.acceleration import Acceleration
from phasefield.stepping.alternate import (
    DAMAGE_SHARE,
    Alternation,
    CrackProblem,
    Equilibrium,
    GivenDissipation,
    GivenLoad,
    Separated,
    TooFar,
)

logger = logging.getLogger(__name__)

# Steps grow and shrink so that this many passes are needed, by these factors at most.
WANTED_PASSES, SLOWEST, FASTEST = 15, 0.5, 2.0
# A step in which φ changes by more somewhere is tried again shorter, down to the smallest; there it is recorded as a jump.
LARGEST_CHANGE = 0.5
# A phase with given dissipation begins with steps this much shorter than its own, which then double: the load jumps to where the
# crack starts, and the work on the way is known as well as the first step is short.
FIRST_DISSIPATION = 1.0 / 64.0
# Where the force has fallen below a quarter of its largest, such steps shrink with it, to this at least: little is left to break,
# and the load is about to rise without end.
TAPER, LAST_DISSIPATION = 4.0, 1.0 / 8.0
# Without other wishes, steps are this share of the run, and at least this share of the first.
FIRST_SHARE, SMALLEST_SHARE = 0.02, 1.0 / 16.0


class CrackGrowth(Simulation):
    """State, clock and load of one run; build it with `Simulation.from_scenario`.

    Attributes: `phi`, the damage (*grid.shape); `load`, the factor of the load; `balance`, energies; `counters`.
    """

    model: Fracture

    def __init__(self, scenario: LoadedScenario, *, device: str = "auto", threads: int | None = None):
        if device == "gpu":
            raise scenario.located(InputError("model.name: fracture runs on the CPU only; use --device cpu or auto"))
        settings = scenario.settings
        self.scenario, self.grid = scenario, scenario.grid
        assert isinstance(scenario.model, Fracture)
        self.model = scenario.model
        self.end, self.time = float(settings.time.end), 0.0
        self._threads = available_threads() if threads is None else threads
        body, damage = self.model.built(scenario, self._threads)
        if coarse := check_resolution(self.grid, self.model.parameters.length):
            logger.warning("%s", coarse)
        self.problem = CrackProblem(body, damage)
        how = self.model.parameters.minimisation
        self.acceleration: Acceleration = lookup("acceleration", how.acceleration)(how.depth, how.relaxation)
        self.alternation = Alternation(how.tolerance, most_passes=how.most_passes)
        if self.model.damage_viscosity is not None:
            # A pass is a step, and its errors stay: equilibria are as accurate as the damage.
            accurate = min(self.alternation.equilibrium, DAMAGE_SHARE * how.tolerance)
            self.alternation = replace(self.alternation, equilibrium=accurate)
        self.balance, self.counters = Balance(), CrackCounters()
        self.phi = np.zeros(self.grid.shape)
        self.load, self.force, self.deflection = 0.0, 0.0, 0.0
        self.response: Response | None = None
        self.start = Start(0.0, 0.0, 0.0)
        self.phase = 0
        self.last_size, self.last_passes = 0.0, 0
        self.largest_force = 0.0
        self.stopped = ""
        self._ramp = 1.0
        step = settings.time.step
        self._adaptive = isinstance(step, StepSection)
        if isinstance(step, StepSection):
            first = step.first or FIRST_SHARE * self.end
            self._size = min(max(first, step.min or 0.0), step.max or math.inf)
            self._smallest = step.min or SMALLEST_SHARE * self._size
            self._largest = step.max or self.end
        else:
            self._size = self._smallest = self._largest = float(step)

    # --- state --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, np.ndarray]:
        return {"phi": self.phi.copy()}

    def set_state(self, fields: Mapping[str, np.ndarray]) -> None:
        """Replace φ. What is given is a crack: the damage around it follows at once, under the load at this time."""
        phi = np.asarray(fields["phi"], float)
        try:
            self.model.check_damage(phi)
        except InputError as error:
            raise self.scenario.located(error) from None
        solid = self.problem.cracks.solid
        phi = phi if solid is None else np.where(solid, phi, 0.0)
        self.load = self.model.load.initial()
        self.problem.damage.begin(phi)
        if self.model.damage_viscosity is None:
            nothing = np.zeros(self.grid.shape)
            phi = self.problem.solve_damage(phi, phi, nothing, 1e-3 * self.alternation.tolerance)
            if self.load != 0.0:
                control = GivenLoad(self.problem, phi, self.load, self.alternation.tolerance, self.model.variational)
                phi = self.alternation.run(self.problem, control, self.acceleration, phi, phi, None).phi
        self.phi = phi
        sign = -1.0 if self.load < 0.0 else 1.0
        self.response = self.problem.respond(phi, sign, None, self.alternation.equilibrium)
        self.problem.damage.accept(self.load**2 * self.response.drive)
        self._follow()
        self.balance.first_elastic, self.balance.first_cracks = self.balance.elastic, self.balance.cracks
        self.start = Start(self.time, self.load, self.balance.cracks)

    def derived(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        if not names:
            return {}
        assert self.response is not None
        fields = self.problem.body.fields(self.response, abs(self.load))
        fields["driving_energy"] = self.load**2 * self.response.drive
        return {name: fields[name] for name in names}

    @property
    def energy(self) -> float:
        return self.balance.elastic + self.balance.cracks

    @property
    def steps(self) -> int:
        return self.counters.steps

    @property
    def step_size(self) -> float:
        return self.last_size

    def history_row(self) -> dict[str, float]:
        """Scalars of the present state; counts are those since the start."""
        assert self.response is not None
        balance, counters = self.balance, self.counters
        measure = "crack_length" if self.grid.dimensions == 2 else "crack_area"
        row = {
            "time": self.time,
            "step_size": self.last_size,
            "load": self.load,
            "force": self.force,
            "deflection": self.deflection,
            "energy": self.energy,
            "energy_elastic": balance.elastic,
            "energy_local": balance.local,
            "energy_gradient": balance.gradient,
            "dissipated": balance.cracks - balance.first_cracks,
            "work": balance.work,
            "released": balance.released,
            measure: self.problem.cracks.length(self.phi),
            "mean_phi": float(self.phi.mean()),
            "min_phi": float(self.phi.min()),
            "max_phi": float(self.phi.max()),
        }
        row |= {name: abs(self.load) * value for name, value in self.response.records.items()}
        row |= {name: float(value) for name, value in asdict(counters).items()}
        return row

    # --- where it runs ------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def threads(self) -> int:
        return self._threads

    @property
    def engine_name(self) -> str:
        return make_engine().name

    @property
    def where(self) -> str:
        return f"{self._threads} CPU thread(s), {self.engine_name}"

    # --- time ---------------------------------------------------------------------------------------------------

    def _corners(self) -> Iterable[float]:
        return self.model.load.corners

    def _begin(self) -> None:
        phase = self.model.load.phase(self.time)
        if phase != self.phase:
            self.phase = phase
            self.start = Start(self.time, self.load, self.balance.cracks)
        if self.time == self.start.time:
            self._ramp = FIRST_DISSIPATION if self.model.load.given_dissipation(phase) else 1.0

    def _step(self, target: float) -> None:
        remaining = target - self.time
        wanted = self._size * self._ramp * self._taper()
        size = min(wanted, remaining)
        if wanted >= remaining * (1.0 - 1e-9):
            size = remaining
        elif remaining < 1.5 * wanted:
            # What is left is not to be a sliver.
            size = 0.5 * remaining
        while True:
            time = target if size >= remaining else self.time + size
            shortest = not self._adaptive or size <= self._smallest * (1.0 + 1e-9)
            try:
                found, control = self._try(time, math.inf if shortest else LARGEST_CHANGE)
                break
            except Separated:
                self._end_run("the body is in two: no load makes its cracks take up the energy that is asked for")
                return
            except (TooFar, NumericalError) as reason:
                if shortest:
                    raise NumericalError(f"{reason}{self._hint()}") from None
                logger.info(
                    "t = %g: a step of %g is tried again shorter (%s)",
                    self.time,
                    size,
                    str(reason) or "φ changes too much",
                )
                self.counters.rejected_steps += 1
                size = max(self._smallest, 0.25 * size)
        self._ramp = min(1.0, 2.0 * self._ramp)
        self.activity = ""
        self._accept(found, time, isinstance(control, GivenDissipation))

    def _hint(self) -> str:
        """Why there may be no equilibrium."""
        if self.model.load.given_dissipation(self.phase):
            return "; the body may be in two, with nothing left to break: see model.stop"
        if self.problem.body.forced:
            return "; a body that breaks cannot carry given forces: prescribe displacements or the dissipation"
        return ""

    def _taper(self) -> float:
        """By how much steps of given dissipation are shorter where little force is left."""
        if not self.model.load.given_dissipation(self.phase) or self.largest_force == 0.0:
            return 1.0
        return min(1.0, max(LAST_DISSIPATION, TAPER * self._force_left() / self.largest_force))

    def _force_left(self) -> float:
        """The size of the force, or of the load where it is forces that are given."""
        return abs(self.force) if self.problem.body.displaced else abs(self.load)

    def _try(self, time: float, largest_change: float) -> tuple[Equilibrium, Any]:
        """The state at a time; changes nothing but effort."""
        value = self.model.load.value(time, self.phase, self.start)
        problem, tolerance = self.problem, self.alternation.tolerance
        if self.model.load.given_dissipation(self.phase):
            step = value - self.balance.cracks
            variational = self.model.variational
            control: Any = GivenDissipation(problem, self.phi, value, step, self.load, tolerance, variational)
            largest_change = math.inf
        else:
            control = GivenLoad(problem, self.phi, value, tolerance, self.model.variational)
        response = self.response
        assert response is not None
        if control.sign != response.sign:
            response = problem.respond(self.phi, control.sign, None, self.alternation.equilibrium)
        if self.model.damage_viscosity is not None:
            return self._relax(control.load, response, time - self.time), control
        result = self.alternation.run(
            problem, control, self.acceleration, self.phi, self.phi, response, self._watch, largest_change
        )
        return result, control

    def _relax(self, load: float, response: Response, size: float) -> Equilibrium:
        """One semi-implicit pass: the damage at the strains of the old damage under the new load, and their equilibrium."""
        assert self.model.damage_viscosity is not None
        self.problem.effort.passes += 1
        psi = load**2 * response.drive
        result = self.problem.damage.solve(
            self.phi, self.phi, psi, DAMAGE_SHARE * self.alternation.tolerance, rate=self.model.damage_viscosity / size
        )
        self.problem.effort.damage_iterations += result.iterations
        after = self.problem.respond(result.phi, response.sign, response, self.alternation.equilibrium)
        return Equilibrium(result.phi, after, load, 0.0, 1)

    def _watch(self, number: int, residual: float) -> None:
        self.activity = f"pass {number}, {residual:.1e}"
        if self.on_wait is not None:
            self.on_wait(self)

    def _accept(self, found: Equilibrium, time: float, given_dissipation: bool) -> None:
        counters, change = self.counters, found.phi - self.phi
        before = (self.load, self.force, self.deflection)
        counters.steps += 1
        counters.jumps += int(not given_dissipation and float(change.max()) > LARGEST_CHANGE)
        counters.healing = max(counters.healing, -float(change.min()))
        effort = self.problem.effort
        counters.passes, counters.taken_back = effort.passes, effort.taken_back
        counters.elastic_iterations, counters.damage_iterations = effort.elastic_iterations, effort.damage_iterations
        self.last_size, self.last_passes = time - self.time, found.passes
        self.time, self.phi, self.load, self.response = time, found.phi, found.load, found.response
        self.problem.damage.accept(self.load**2 * found.response.drive)
        self._follow()
        self.balance.work += work(before, (self.load, self.force, self.deflection))
        if not math.isfinite(self.energy):
            raise NumericalError(f"the energy is not finite at t = {time:g}")
        if self._adaptive:
            factor = min(max(WANTED_PASSES / max(found.passes, 1), SLOWEST), FASTEST)
            self._size = min(max(self._size * factor, self._smallest), self._largest)
        self._check_stop(grown=float(change.max()) > 0.0)

    def _follow(self) -> None:
        """Forces and energies of the present state."""
        assert self.response is not None
        scale, response = abs(self.load), self.response
        self.force, self.deflection = scale * response.force, scale * response.deflection
        self.balance.elastic = scale**2 * response.energy
        self.balance.local, self.balance.gradient = self.problem.cracks.energies(self.phi)

    def _check_stop(self, grown: bool) -> None:
        """End the run where the scenario says that enough has broken; a force that falls while nothing breaks is unloading."""
        stop = self.model.parameters.stop
        # Stiffness would not do: that of a body with a crack is less from the start.
        size = self._force_left()
        self.largest_force = max(self.largest_force, size)
        if stop is None:
            return
        if grown and stop.force is not None and size < stop.force * self.largest_force:
            self._end_run(f"the force has fallen to {size / self.largest_force:.3g} of its largest")
        length = self.problem.cracks.length(self.phi) if stop.crack is not None else 0.0
        if stop.crack is not None and length > stop.crack:
            self._end_run(f"the cracks have reached {length:.4g}")

    def _end_run(self, reason: str) -> None:
        self.stopped = reason
        logger.info("stopped at t = %g: %s", self.time, reason)

    # --- checkpoints --------------------------------------------------------------------------------------------

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        assert self.response is not None
        arrays = {f"body_{name}": a for name, a in self.problem.body.keep(self.response).items()}
        arrays["phi"] = self.phi
        largest = getattr(self.problem.damage.irreversibility, "largest", None)
        if largest is not None:
            arrays["history"] = largest
        meta = {
            "time": self.time,
            "load": self.load,
            "sign": self.response.sign,
            "elastic": self.response.energy,
            "size": self._size,
            "ramp": self._ramp,
            "last": [self.last_size, self.last_passes],
            "phase": self.phase,
            "start": asdict(self.start),
            "balance": asdict(self.balance),
            "counters": asdict(self.counters),
            "largest_force": self.largest_force,
            "stopped": self.stopped,
        }
        return arrays, meta

    def restore(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        self.time, self.load, self._size = float(meta["time"]), float(meta["load"]), float(meta["size"])
        self._ramp = float(meta["ramp"])
        self.last_size, self.last_passes = float(meta["last"][0]), int(meta["last"][1])
        self.phase, self.start = int(meta["phase"]), Start(**meta["start"])
        self.balance, self.counters = Balance(**meta["balance"]), CrackCounters(**meta["counters"])
        self.largest_force, self.stopped = float(meta["largest_force"]), str(meta["stopped"])
        self.phi = np.array(arrays["phi"])
        if "history" in arrays:
            self.problem.damage.irreversibility.largest[...] = arrays["history"]  # type: ignore[attr-defined]
        body = {name.removeprefix("body_"): a for name, a in arrays.items() if name.startswith("body_")}
        body["g"] = self.problem.degradation.value(self.phi)
        self.response = self.problem.body.recall(body, {"sign": meta["sign"], "energy": meta["elastic"]})
        effort, counters = self.problem.effort, self.counters
        effort.passes, effort.taken_back = counters.passes, counters.taken_back
        effort.elastic_iterations, effort.damage_iterations = counters.elastic_iterations, counters.damage_iterations
        self._follow()

    def close(self) -> None:
        self.problem.body.close()
        self.problem.damage.close()
