"""A run in memory: the only mutable owner of state and clock.

    sim = Simulation.from_scenario("scenarios/spinodal.yaml")
    sim.advance(until=5.0)
    sim.state["c"], sim.energy

Observers see the simulation at the times of their schedule and may not change it; steps land exactly on those times. What a step
is depends on how the model of the scenario evolves: `gradient_flow`, `crack_growth` or `crack_dynamics`.
"""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from phasefield.initial.nuclei import SAME_TIME
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.scenario.fields import initial_fields
from phasefield.stepping.schedule import EveryStep, Schedule

if TYPE_CHECKING:
    from phasefield.models.base import Model
    from phasefield.spectral.grid import Grid

# Where the evolutions live that `Model.evolution` names: module and class, loaded when needed.
EVOLUTIONS = {
    "gradient_flow": ("phasefield.gradient_flow", "GradientFlow"),
    "crack_growth": ("phasefield.crack_growth", "CrackGrowth"),
    "crack_dynamics": ("phasefield.crack_dynamics", "CrackDynamics"),
}


class Observer(Protocol):
    """Something that looks at the simulation when its schedule says so, and may not change it."""

    schedule: Schedule

    def observe(self, simulation: Any) -> None:
        """Called at every time of the schedule."""


class Simulation(ABC):
    """State and clock of one run; build it with `from_scenario`."""

    scenario: LoadedScenario
    grid: Grid
    model: Model
    time: float
    end: float
    # Why the run has ended before its time; empty while it has not.
    stopped: str = ""
    # What a long step is about, for a display.
    activity: str = ""
    # Called now and then during a step that takes long; what it raises ends the run, with the state before the step.
    on_wait: Callable[[Any], None] | None = None

    @staticmethod
    def from_scenario(
        scenario: str | Path | Mapping[str, Any] | LoadedScenario,
        overrides: Mapping[str, Any] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
    ) -> Any:
        """A simulation at t = 0 with its initial condition set, of the class that the model of the scenario needs.

        Raises:
            InputError: a mistake in the scenario.
        """
        loaded = (
            scenario if isinstance(scenario, LoadedScenario) and not overrides else load_scenario(scenario, overrides)
        )
        module, name = EVOLUTIONS[loaded.model.evolution]
        kind = getattr(importlib.import_module(module), name)
        simulation = kind(loaded, device=device, threads=threads)
        simulation.set_state(initial_fields(loaded))
        return simulation

    # --- state --------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """The fields in real space, by name: new arrays in grid shape."""

    @abstractmethod
    def set_state(self, fields: Mapping[str, np.ndarray]) -> None:
        """Replace the fields (grid shape, one array per field)."""

    @abstractmethod
    def derived(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Fields that follow from the state, such as the chemical potential or the stress; see `Model.derived_names`."""

    @property
    @abstractmethod
    def energy(self) -> float:
        """The total energy."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps accepted so far."""

    @property
    @abstractmethod
    def step_size(self) -> float:
        """Length of the last of them, 0 before the first."""

    def history_names(self) -> list[str]:
        """Columns of `/history`: those of the present row, unless an evolution knows them without one."""
        return list(self.history_row())

    @abstractmethod
    def history_row(self) -> dict[str, float]:
        """Their values in the present state."""

    # --- where it runs ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def device(self) -> str:
        """`cpu` or `gpu`."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """CPU threads in use."""

    @property
    @abstractmethod
    def engine_name(self) -> str:
        """The library that transforms."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Device, threads and transforms in words."""

    # --- time ---------------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.time >= self.end or bool(self.stopped)

    def advance(
        self,
        until: float | None = None,
        observers: Iterable[Observer] = (),
        on_step: Callable[[Any], None] | None = None,
    ) -> None:
        """Step to `until` (the scenario's end when absent), landing on every time the observers want to see.

        Args:
            until: time to stop at, exactly.
            observers: called whenever the clock stands at a time of their schedule.
            on_step: called after every accepted step; an exception it raises ends the run between two steps.

        Raises:
            NumericalError: NaN, or a step that cannot be made however small; the state is the last good one.
        """
        until = self.end if until is None else until
        observers = list(observers)
        while self.time < until and not self.stopped:
            self._begin()
            events = [o.schedule.next(self.time) for o in observers]
            corner = min((t for t in self._corners() if t > self.time), default=math.inf)
            target = min([*events, until, corner])
            # 7 · 0.1 and 0.7 are the same moment: what lies within rounding of the target happens at it.
            moment = target + SAME_TIME * abs(target)
            target = until if until <= moment else target
            self._step(target)
            self._end_step()
            if on_step is not None:
                on_step(self)
            self._after_step()
            for observer, event in zip(observers, events, strict=True):
                if (self.time == target and event <= moment) or isinstance(observer.schedule, EveryStep):
                    observer.observe(self)

    def _begin(self) -> None:  # noqa: B027 - most evolutions need none
        """Before a step is planned."""

    def _corners(self) -> Iterable[float]:
        """Times on which a step has to end."""
        return ()

    @abstractmethod
    def _step(self, target: float) -> None:
        """One accepted step towards `target`, which it does not pass."""

    def _end_step(self) -> None:  # noqa: B027 - most evolutions need none
        """What belongs to a step, before anybody sees its result."""

    def _after_step(self) -> None:  # noqa: B027 - most evolutions need none
        """After `on_step`, before observers look."""

    # --- checkpoints --------------------------------------------------------------------------------------------

    @abstractmethod
    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything needed to continue bit for bit: arrays, and numbers."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Go on from what `checkpoint` gave, bit for bit, on the same device with the same scenario."""

    @abstractmethod
    def close(self) -> None:
        """End the threads."""
