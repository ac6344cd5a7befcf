"""Loading so slow that the state is always at rest: hold every load until nothing moves any more, and bisect to critical loads.

A load that grows at a finite rate passes a limit of stability late, by ∝ rate^⅔, because a state close to it moves ever more
slowly. Here every increment lasts as long as it takes:

    table = pf.quasi_static(scenario, {"stress_xx": [0.0, 0.01, 0.02], "temperature": 0.8})
    found = pf.critical_load(scenario, "stress_xx", between=(0.0, 0.1))

An increment is a scenario of its own: the given one with other conditions, from the state at which the last increment ended. All
that a scenario says may therefore be a condition; `held_conditions` lists their names. Loads and temperatures that change with
time in the scenario stand still at their values of the beginning. Loading at a given rate is what such histories are for: phases
under `load:`, pairs [time, T] under `temperature:`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasefield.analysis.driving_force import DrivingForce, force_scale
from phasefield.analysis.held_conditions import standing_still, under
from phasefield.errors import InputError, NumericalError
from phasefield.gradient_flow import GradientFlow
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.scenario.fields import initial_fields

if TYPE_CHECKING:
    import xarray

# Start of an increment, or a scenario with its initial condition.
Start = str | Path | Mapping[str, Any] | LoadedScenario | GradientFlow
# The driving force is evaluated after so many steps, and later after this share of the steps so far.
_LOOK_EVERY, _LOOK_SHARE = 4, 0.1
# Tolerance of the steps of a hold, and the longest one in units of the mobility.
_TOLERANCE, _LONGEST = 1e-3, 1e12


class Jumped(Exception):
    """A state left its branch during a hold."""


class QuasiStatic:
    """A body that is led from one state of rest to the next.

    Args:
        start: a scenario, whose initial condition is the first state, or a simulation, whose present state, load and
            temperature are.
        rest: rms driving force √⟨(δF/δφ)²⟩ at which a state counts as being at rest, relative to max |f″| · max |φ| of the
            Landau polynomial. Close to a limit of stability it is the distance from that limit which can be told.
        limit: longest time of a hold, in units of the scenario; steps: most steps of a hold. Adaptive steps grow without end when
            a state comes to rest, and time then says little.
        time: the section `time:` for the holds. How fast a state relaxes does not matter here, so that it is not that of the
            scenario but `imex1`, whose energy falls for steps of any length, with adaptive steps.
        device, threads: as for `GradientFlow`.

    `state`, the fields by name, `scenario`, with the conditions of the last increment, and `dissipation`, the energy given up so
    far, belong to the last state of rest: an increment that fails leaves them as they are.

    Raises:
        InputError: a mistake in the scenario, or a model with noise or inertia.
    """

    def __init__(
        self,
        start: Start,
        *,
        rest: float = 1e-7,
        limit: float = math.inf,
        steps: int = 100_000,
        time: Mapping[str, Any] | None = None,
        device: str = "auto",
        threads: int | None = None,
    ):
        if isinstance(start, GradientFlow):
            self.scenario, self.state, now = start.scenario, start.state, start.time
        else:
            self.scenario, now = load_scenario(start), 0.0
            self.state = initial_fields(self.scenario)
        if not self.scenario.loses_energy:
            raise InputError(
                "states of rest are found by falling energy: leave thermal noise and inertia out of the model, "
                "and sources out of the scenario"
            )
        steps_in_time = _relaxation(self.scenario) if time is None else dict(time)
        # Seeds appear at times, which say nothing here; those at t = 0 are in the state.
        still = {**standing_still(self.scenario, now), "nucleation": {}}
        self.scenario = load_scenario(self.scenario, {**still, "time": steps_in_time})
        self.rest, self.limit, self.steps = rest, limit, steps
        self.dissipation = 0.0
        self._device, self._threads = device, threads

    def hold(self, conditions: Mapping[str, Any] | None = None, *, jump: float = math.inf) -> dict[str, float]:
        """Change conditions at once, and wait until the state is at rest.

        Args:
            conditions: by name; those not named stay as they are.
            jump: change of the mean of a field at which to give up.

        Returns:
            A row of the table, see `staircase`.

        Raises:
            InputError: a condition that the scenario cannot have.
            NumericalError: not at rest within the limits.
            Jumped: the mean of a field changed by more than `jump`.
        """
        scenario = under(self.scenario, conditions or {})
        simulation = GradientFlow(scenario, device=self._device, threads=self._threads)
        try:
            simulation.set_state(self.state)
            force = self._relax(simulation, jump)
            self.state, self.scenario = simulation.state, scenario
            self.dissipation += simulation.dissipation
            return self._row(simulation, force, conditions or {})
        finally:
            simulation.close()

    def staircase(self, conditions: Mapping[str, Any]) -> xarray.Dataset:
        """Hold one load after the other.

        Args:
            conditions: by name, a value, or one for every increment.

        Returns:
            A table along `increment`: the conditions, mean, smallest and largest value of every field, what the model adds (mean
            strains and stresses, temperature), `energy` with its parts, `dissipation` (energy given up since the beginning, loads
            and temperature kept in between), `duration`, `steps` and `driving_force` of the hold.
        """
        import xarray

        counts = {len(v) for v in conditions.values() if _is_sequence(v)}
        if len(counts) != 1:
            raise InputError("a staircase needs at least one list of values, and all lists of the same length")
        rows = []
        for i in range(counts.pop()):
            at = {name: v[i] if _is_sequence(v) else v for name, v in conditions.items()}
            try:
                rows.append(self.hold(at))
            except NumericalError as error:
                raise NumericalError(f"increment {i}: {error}") from None
        return xarray.Dataset({name: ("increment", [row[name] for row in rows]) for name in rows[0]})

    def _relax(self, simulation: GradientFlow, jump: float) -> float:
        """Step until rest; the rms driving force then."""
        force = DrivingForce(simulation)
        wanted = self.rest * force_scale(simulation)
        fields = range(len(simulation.split.names))
        means = [simulation.stepper.mean(q) for q in fields]
        look, rms = 0, force.rms()

        def watch(sim: GradientFlow) -> None:
            nonlocal look, rms
            if any(abs(sim.stepper.mean(q) - means[q]) > jump for q in fields):
                raise Jumped
            steps = sim.counters.steps
            if steps >= look or steps >= self.steps:
                look, rms = steps + max(_LOOK_EVERY, int(_LOOK_SHARE * steps)), force.rms()
                if rms <= wanted or steps >= self.steps:
                    raise _Enough

        if rms > wanted:
            with suppress(_Enough):
                simulation.advance(until=self.limit, on_step=watch)
                rms = force.rms()
        if not rms <= wanted:
            raise NumericalError(
                f"not at rest after {simulation.counters.steps} steps, a time of {simulation.time:g}: the rms driving force is "
                f"{rms:.3g}, and {wanted:.3g} is rest; hold for longer (limit, steps), or be content with less (rest)"
            )
        return rms

    def _row(self, simulation: GradientFlow, force: float, conditions: Mapping[str, Any]) -> dict[str, float]:
        stepper, energies = simulation.stepper, simulation.energies
        means = np.array([stepper.mean(q) for q in range(len(simulation.split.names))])
        row = {name: float(v) for name, v in conditions.items() if isinstance(v, int | float | np.number)}
        for mean, (low, high), name in zip(means, stepper.ranges, simulation.split.names, strict=True):
            row |= {f"mean_{name}": float(mean), f"min_{name}": low, f"max_{name}": high}
        row |= simulation.records()
        row |= {"energy": energies.total, "energy_bulk": energies.bulk, "energy_gradient": energies.gradient}
        if simulation.model.coupling is not None or simulation.model.explicit:
            row["energy_elastic"] = energies.coupling
        row |= {"dissipation": self.dissipation, "duration": float(simulation.time)}
        return row | {"steps": simulation.counters.steps, "driving_force": force}


class _Enough(Exception):
    """Ends a hold."""


def quasi_static(start: Start, conditions: Mapping[str, Any], **options: Any) -> xarray.Dataset:
    """Hold one load after the other, each until the state is at rest: `QuasiStatic(start, **options).staircase(conditions)`."""
    return QuasiStatic(start, **options).staircase(conditions)


def _relaxation(scenario: LoadedScenario) -> dict[str, Any]:
    """Steps that grow as long as they like, up to where they would overflow after many."""
    fastest = max(k.constant + k.laplacian for k in scenario.model.fields.values())
    return {"end": _LONGEST / fastest, "scheme": "imex1", "step": {"tolerance": _TOLERANCE, "max": _LONGEST / fastest}}


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
