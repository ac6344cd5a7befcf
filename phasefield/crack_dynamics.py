"""Runs of bodies that crack and have inertia: explicit in time, the damage of every step at the strains of the same step.

With u and φ at t and v half a step ahead, a step is

    u ← u + Δt v,    t ← t + Δt,    φ ← argmin over φ ≥ φₙ at ψ⁺(u),    v ← v + Δt a(u, φ).

The force after a step is that of the same u and φ: taken from the φ of the step before, the energy balance would be of first
order in Δt only. See docs/theory/dynamic_fracture.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from phasefield.backend import available_threads, make_backend
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.crack_skeleton import CRACKED
from phasefield.mechanics.crack_tips import find_tips
from phasefield.mechanics.cracked_body import at_centres, tensor_fields
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.motion_balance import MotionBalance, MotionCounters
from phasefield.mechanics.running_damage import RunningDamage
from phasefield.mechanics.thermal_strain import heated_stress
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.registry import lookup
from phasefield.scenario import LoadedScenario
from phasefield.scenario.schema import StepSection
from phasefield.simulation import Simulation
from phasefield.spectral.grid import AXIS_NAMES
from phasefield.spectral.transforms import make_engine

# Of ℓ: how far a crack is from its notch, or an arm from a fork, that counts as one; more than the width of a band.
PROMINENCE = 5.0
# Steps that differ by less are of one length.
SAME_STEP = 1e-9
# The damage that a scenario begins with is found this much more accurately than that of a step.
INITIAL_TOLERANCE = 1e-4


def longest_step(scenario: LoadedScenario, body: MovingBody) -> float:
    """The longest step of a run: that of the scenario, or the share `safety` of the longest that is stable.

    Raises:
        InputError: the scenario's is not stable.
    """
    given, critical = scenario.settings.time.step, body.critical_step
    if isinstance(given, StepSection):
        return min(scenario.model.parameters.safety * critical, given.max or math.inf)
    if float(given) > critical:
        text = f"time.step: {float(given):g} is not stable; {critical:.4g} is the longest that is, whatever cracks"
        raise scenario.located(InputError(text))
    return float(given)


class CrackDynamics(Simulation):
    """State, clock and loads of one run; build it with `Simulation.from_scenario`.

    Attributes: `phi`, the damage (*grid.shape); `body`, displacements, velocities, energies; `loads`.
    """

    model: DynamicFracture

    def __init__(self, scenario: LoadedScenario, *, device: str = "auto", threads: int | None = None):
        settings = scenario.settings
        self.scenario, self.grid = scenario, scenario.grid
        assert isinstance(scenario.model, DynamicFracture)
        self.model = scenario.model
        self.end, self.time = float(settings.time.end), 0.0
        self._threads = available_threads() if threads is None else threads
        self._device = self._choose_device(device)
        self.body, self.loads, self.damage = self.model.built(scenario, self._threads, self._device)
        self.heat = self.model.thermal_strain(scenario)
        self.cracks = self.damage.cracks
        rule = self.model.parameters.irreversibility
        self.running: RunningDamage = lookup("running_damage", self._device)(self.damage, rule, self._threads)
        self._notch = np.zeros(self.grid.shape, bool)
        # Of every cell from the notch; None without one.
        self._distance: np.ndarray | None = None
        self.balance, self.counters = MotionBalance(), MotionCounters()
        self.longest = longest_step(scenario, self.body)
        # The state when somebody last waited for it.
        self._good: tuple[dict[str, np.ndarray], dict[str, Any]] | None = None
        # Length of the last step, of those up to the next time that somebody waits for, and how many of them are left.
        self.last_size, self._size, self._left, self._target = 0.0, 0.0, 0, 0.0

    def _choose_device(self, device: str) -> str:
        """`cpu` or `gpu`; `auto` is the CPU, as what a GPU makes of these runs has not been measured."""
        if device != "gpu":
            return "cpu"
        if reason := self.model.only_on_cpu():
            raise self.scenario.located(InputError(f"{reason} runs on the CPU only; use --device cpu or auto"))
        return make_backend(device, threads=self._threads).device

    # --- state --------------------------------------------------------------------------------------------------

    @property
    def phi(self) -> np.ndarray:
        """φ (*grid.shape) on the host, not to be written to."""
        return self.running.on_host("phi")

    @property
    def state(self) -> dict[str, np.ndarray]:
        return {"phi": self.phi.copy()}

    def set_state(self, fields: Mapping[str, np.ndarray]) -> None:
        """Replace φ, in a body at rest. What is given is a crack: the damage around it follows at once.

        Raises:
            InputError: φ is not between 0 and 1, or the body has begun to move.
        """
        if self.counters.steps:
            raise InputError("damage can be given only before the first step: the loads have begun")
        phi = np.asarray(fields["phi"], float)
        try:
            self.model.check_damage(phi)
        except InputError as error:
            raise self.scenario.located(error) from None
        solid = self.cracks.solid
        phi = phi if solid is None else np.where(solid, phi, 0.0)
        self.damage.begin(phi)
        nothing = np.zeros(self.grid.shape)
        tolerance = INITIAL_TOLERANCE * self.model.parameters.damage_tolerance
        self._notch = phi >= 1.0 if solid is None else (phi >= 1.0) | ~solid
        self._distance = None
        if self._notch.any():
            self._distance = np.asarray(distance_transform_edt(~self._notch, sampling=self.grid.spacing[::-1]))
        self.running.put(self.damage.solve(phi, phi, nothing, tolerance).phi if phi.any() else phi)
        self.body.put(0.0, 0.0)
        self.body.expansion = None if self.heat is None else self.heat.begin(self.time)
        strain = self.loads.mean_strain(self.time)
        self.body.strain = self.body.strain if strain is None else strain
        self.running.follow_strains(self.body)
        self.last_size = 0.0
        self._follow()
        self.body.kinetic = 0.0
        self.balance.first_cracks = self.balance.cracks
        self.balance.first_energy = self.balance.cracks + self.body.elastic(self.phi)
        self.loads.begin()
        self._keep()

    def derived(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        if not names:
            return {}
        d = self.grid.dimensions
        fields = {"driving_energy": self.running.on_host("drive").copy()}
        for kind, nodal in (("displacement", self.body.displacement), ("velocity", self.body.velocity)):
            for i, name in enumerate(AXIS_NAMES[:d]):
                if f"{kind}_{name}" in names:
                    fields[f"{kind}_{name}"] = at_centres(nodal[i])
        if any(name.startswith(("strain", "stress")) for name in names):
            strain = self.body.strain_at_centres()
            fields |= tensor_fields("strain", strain, d)
            g = self.damage.degradation.value(self.phi).reshape(-1)
            heat = 0.0 if self.body.expansion is None else self.body.expansion
            expansion = np.broadcast_to(heat, self.grid.shape).reshape(-1)
            stress = heated_stress(self.body.split, strain.reshape(len(strain), -1), expansion, g)
            fields |= tensor_fields("stress", stress.reshape(strain.shape), d)
        if self.heat is not None:
            fields["temperature"] = np.array(np.broadcast_to(self.heat.temperature(self.time), self.grid.shape))
        return {name: fields[name] for name in names}

    @property
    def energy(self) -> float:
        return self.body.kinetic + self.body.elastic(self.phi) + self.balance.cracks

    @property
    def steps(self) -> int:
        return self.counters.steps

    @property
    def step_size(self) -> float:
        return self.last_size

    def history_row(self) -> dict[str, float]:
        """Scalars of the present state; counts are those since the start, momentum and impulse are half a step ahead."""
        self._follow()
        balance, body, loads = self.balance, self.body, self.loads
        elastic = body.elastic(self.phi)
        energy = body.kinetic + elastic + balance.cracks
        measure = "crack_length" if self.grid.dimensions == 2 else "crack_area"
        row = {
            "time": self.time,
            "step_size": self.last_size,
            "energy": energy,
            "energy_kinetic": body.kinetic,
            "energy_elastic": elastic,
            "energy_local": balance.local,
            "energy_gradient": balance.gradient,
            "dissipated": balance.cracks - balance.first_cracks,
            "damped": body.lost,
            "work": loads.work,
            **({} if self.heat is None else {"heat_work": balance.heat_work}),
            **({} if self.model.damage_viscosity is None else {"delayed": balance.delayed}),
            "imbalance": energy + body.lost + balance.delayed - loads.work - balance.heat_work - balance.first_energy,
            measure: self.cracks.length(self.phi),
            "mean_phi": float(self.phi.mean()),
            "min_phi": float(self.phi.min()),
            "max_phi": float(self.phi.max()),
        }
        momentum = body.momentum()
        for i, name in enumerate(AXIS_NAMES[: self.grid.dimensions]):
            row[f"momentum_{name}"], row[f"impulse_{name}"] = float(momentum[i]), float(loads.impulse[i])
        row["momentum_scale"] = float((body.mass * np.abs(body.velocity))[(slice(None), *body.own)].sum())
        cracked = self.phi > CRACKED
        row["reach"] = float(self._distance[cracked].max()) if self._distance is not None and cracked.any() else 0.0
        if self.grid.dimensions == 2:
            row |= self._tips()
        return row | loads.records() | {name: float(value) for name, value in asdict(self.counters).items()}

    def _tips(self) -> dict[str, float]:
        """The tip of the longest crack from the notch, and how many tips there are."""
        found = find_tips(self.phi, self.grid, self._notch, PROMINENCE * self.model.parameters.length)
        first = next((t for t in found if t.crack == 0), None)
        x, y = first.position if first is not None else (math.nan, math.nan)
        length, forks = (first.length, first.forks) if first is not None else (0.0, 0)
        return {"tips": float(len(found)), "tip_x": x, "tip_y": y, "tip_length": length, "tip_forks": float(forks)}

    def _follow(self) -> None:
        self.balance.local, self.balance.gradient = self.cracks.energies(self.phi)

    # --- where it runs ------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        return self._device

    @property
    def threads(self) -> int:
        return self._threads

    @property
    def engine_name(self) -> str:
        return make_engine().name

    @property
    def where(self) -> str:
        return self._device if self._device != "cpu" else f"{self._threads} CPU thread(s)"

    # --- time ---------------------------------------------------------------------------------------------------

    def _corners(self) -> Iterable[float]:
        # What lies within rounding of the present has happened.
        return (t for t in self.loads.corners if t > self.time * (1.0 + SAME_STEP))

    def _step(self, target: float) -> None:
        if self._left == 0 or target != self._target:
            # Equal steps up to the next time that somebody waits for.
            self._left = max(1, math.ceil((target - self.time) / self.longest * (1.0 - SAME_STEP)))
            self._size, self._target = (target - self.time) / self._left, target
            if abs(self._size - self.last_size) > SAME_STEP * self._size:
                self._change_step()
        try:
            self._advance(target)
        except NumericalError as reason:
            when = self.time
            if self._good is not None:
                self.restore(*self._good)
            raise NumericalError(f"{reason} (t = {when:g}); the state is that of t = {self.time:g}") from None
        if self._left == 0:
            self._keep()

    def _advance(self, target: float) -> None:
        size = self._size
        added = self._move(size)
        self.loads.moved(size)
        self._left -= 1
        self.time = target if self._left == 0 else self.time + size
        self._account(added)
        self._crack(size)
        self._account(added)
        self.body.push(self.running.phi, size)
        self.loads.push(self.time, size, size)
        self.last_size = size
        self.counters.steps += 1
        if not math.isfinite(self.body.kinetic):
            raise NumericalError("the kinetic energy is not finite")

    def _keep(self) -> None:
        """A copy of the state, to come back to from numbers that are not finite."""
        arrays, meta = self.checkpoint()
        self._good = {name: np.array(values) for name, values in arrays.items()}, meta

    def _move(self, size: float) -> dict[str, np.ndarray]:
        """u ← u + Δt v, and ε* and ε̄ of then: half-way, what those that change add to ψ⁺ and ψ⁻ (2, *grid.shape)."""
        body, time = self.body, self.time + size
        new = {
            "expansion": None if self.heat is None else self.heat.next(time),
            "strain": self.loads.mean_strain(time),
        }
        added: dict[str, np.ndarray] = {}
        if all(value is None for value in new.values()):
            body.move(size)
            return added
        body.move(0.5 * size)
        before = np.empty((2, *self.grid.shape))
        body.energies(*before)
        for name, value in new.items():
            if value is not None:
                setattr(body, name, value)
                after = np.empty_like(before)
                body.energies(*after)
                added[name], before = after - before, after
        body.move(0.5 * size)
        return added

    def _account(self, added: Mapping[str, np.ndarray]) -> None:
        """Half their work in a step, before and after φ grows: in linear bodies without cracks it then balances exactly."""
        if added:
            g = self.damage.degradation.value(self.phi)
            works = {name: 0.5 * float((g * a[0] + a[1]).sum()) * self.grid.cell_volume for name, a in added.items()}
            self.balance.heat_work += works.get("expansion", 0.0)
            self.loads.mean_work += works.get("strain", 0.0)

    def _change_step(self) -> None:
        """Velocities go from half of the last step ahead to half of the next; at the start from 0 to half a step.

        T = ½ v(t − Δt/2)·M v(t + Δt/2) is then another by some (Δt a)², as if a step of the new length had led here: the balance
        goes on from there.
        """
        body, loads, change = self.body, self.loads, 0.5 * (self._size - self.last_size)
        kinetic, lost, work = body.kinetic, body.lost, loads.work
        if self.last_size == 0.0:
            loads.start(self._size)
        old = body.velocity.copy()
        body.push(self.running.phi, change)
        loads.push(self.time, change, self._size, correction=True)
        new = body.velocity
        before = new - self._size / change * (new - old)
        body.kinetic, body.lost = 0.5 * float((body.mass * new * before)[(slice(None), *body.own)].sum()), lost
        self.balance.first_energy += (body.kinetic - kinetic) - (loads.work - work)

    def _crack(self, size: float) -> None:
        self.running.follow_strains(self.body)
        viscosity, old = self.model.damage_viscosity, None
        if viscosity is not None:
            old = (self.running.on_host("before"), self.phi)
        rate = 0.0 if viscosity is None else viscosity / size
        iterations, healing = self.running.follow(self.model.parameters.damage_tolerance, rate)
        if viscosity is not None and old is not None:
            # As the work of loads: the mean of what acts before and after.
            grown = self.phi - old[1]
            before = (old[1] - old[0]) / self.last_size if self.last_size > 0.0 else 0.0
            force = 0.5 * viscosity * (before + grown / size)
            self.balance.delayed += float((force * grown).sum()) * self.grid.cell_volume
        self.counters.healing = max(self.counters.healing, healing)
        self.counters.damage_iterations += iterations

    # --- checkpoints --------------------------------------------------------------------------------------------

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        body, running = self.body, self.running
        arrays = {"phi": self.phi, "before": running.on_host("before"), "u": body.displacement, "v": body.velocity}
        arrays["mean_strain"] = body.strain
        if (largest := running.history) is not None:
            arrays["history"] = largest
        loads, state = self.loads.keep()
        arrays |= loads
        meta = {
            "time": self.time,
            "steps": [self.last_size, self._size, self._left, self._target],
            "kinetic": self.body.kinetic,
            "lost": self.body.lost,
            "loads": state,
            "balance": asdict(self.balance),
            "counters": asdict(self.counters),
            "stopped": self.stopped,
        }
        if self.heat is not None:
            meta["heat"] = self.heat.time
        return arrays, meta

    def restore(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        self.time, self.stopped = float(meta["time"]), str(meta["stopped"])
        last, size, left, target = meta["steps"]
        self.last_size, self._size, self._left, self._target = float(last), float(size), int(left), float(target)
        self.running.put(arrays["phi"], arrays["before"])
        self.body.put(arrays["u"], arrays["v"])
        self.body.strain = np.array(arrays["mean_strain"])
        if self.heat is not None:
            self.body.expansion = self.heat.begin(float(meta["heat"]))
        if "history" in arrays:
            self.running.put_history(arrays["history"])
        self.body.kinetic, self.body.lost = float(meta["kinetic"]), float(meta["lost"])
        self.loads.recall(arrays, meta["loads"])
        self.balance, self.counters = MotionBalance(**meta["balance"]), MotionCounters(**meta["counters"])
        self.running.follow_strains(self.body)

    def close(self) -> None:
        self.body.close()
        self.running.close()
        self.damage.close()
