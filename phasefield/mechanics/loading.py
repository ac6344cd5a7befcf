"""Loads and temperatures that change with time, as a scenario writes them.

```yaml
temperature: 250.0
temperature: [[0, 250.0], [100, 250.0], [200, 290.0]]       # time, value; linear in between, constant at the ends

load: strain                                                # all mean strains are 0: a clamped box
load: stress                                                # all mean stresses are 0: a free one
load: {stress: {xx: 0.02, yy: -0.02}}
load:                                                       # one phase after the other
  - {until: 150, strain: {}}                                # clamped
  - {until: 450, stress: {xx: 0.1, yy: -0.1}}               # ramps to these values, linearly in time
  - {until: 500, stress: {xx: 0.1, yy: -0.1}}               # holds them
  - {until: 600, stress: {}}                                # back to 0
```
In a list of phases every prescribed component runs linearly from its value at the beginning of the phase to the given one at
`until`. A component that becomes prescribed in another way than before starts from 0, and in the first phase from 0. After the
last phase its values are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PositiveFloat, Tag

from phasefield.mechanics.control import Control, ControlSetting, read_control
from phasefield.mechanics.stiffness import complaint


def _read_history(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [[0.0, float(value)]]
    pairs = value if isinstance(value, list) else []
    numbers = [x for p in pairs for x in (p if isinstance(p, list | tuple) and len(p) == 2 else [None])]
    if not numbers or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers):
        raise complaint("history", "must be a number, or pairs [time, value] such as [[0, 250.0], [100, 290.0]]")
    history = [[float(t), float(v)] for t, v in pairs]
    for (a, _), (b, _) in pairwise(history):
        if not b > a:
            raise complaint("order", f"the times must increase (got {b:g} after {a:g})")
    if history[0][0] < 0.0:
        raise complaint("order", f"a run starts at time 0 (got {history[0][0]:g})")
    return history


# [[time, value], …]: a single number is constant.
HistorySetting = Annotated[
    list[list[float]], BeforeValidator(_read_history, json_schema_input_type=float | list[tuple[float, float]])
]


def _above_absolute_zero(history: list[list[float]]) -> list[list[float]]:
    for _, T in history:
        if T <= 0.0:
            raise complaint("temperature", f"must be above 0 K (got {T:g})")
    return history


# The same for temperatures in kelvin.
TemperatureSetting = Annotated[HistorySetting, AfterValidator(_above_absolute_zero)]


@dataclass(frozen=True)
class History:
    """A piecewise linear function of time, constant before its first and after its last corner."""

    times: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Sequence[Sequence[float]]) -> History:
        """From [[time, value], …]."""
        return cls(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))

    def __call__(self, time: float) -> float:
        return float(np.interp(time, self.times, self.values))

    @property
    def constant(self) -> bool:
        """Whether it never changes."""
        return len(set(self.values)) == 1

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which its slope changes."""
        return () if self.constant else self.times


class LoadPhase(Control):
    """A stretch of time with one kind of control: its values are reached at `until`."""

    until: PositiveFloat = Field(description="time at which the phase ends")


def _read_load(value: Any) -> Any:
    """Phases as they are; anything else is one control that holds for ever."""
    if not (isinstance(value, list) and value and all(isinstance(v, dict | LoadPhase) for v in value)):
        return read_control(value)
    last = 0.0
    for phase in value:
        until = phase.until if isinstance(phase, LoadPhase) else phase.get("until")
        if isinstance(until, int | float) and not isinstance(until, bool):
            if until <= last:
                raise complaint(
                    "order", f"the phases must end one after the other (got until: {until:g} after {last:g})"
                )
            last = until
    return value


def _kind(value: Any) -> str | None:
    if isinstance(value, list):
        return "{phases}"
    return "{section}" if isinstance(value, dict | Control) else None


# A `Control`, or a list of `LoadPhase`: the kind of the value decides which, so that a mistake is reported once.
LoadSetting = Annotated[
    Annotated[Control, Tag("{section}")] | Annotated[list[LoadPhase], Tag("{phases}")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="must be strain, stress, a section of mean strains and stresses, or a list of phases",
    ),
    BeforeValidator(_read_load, json_schema_input_type=ControlSetting | list[LoadPhase]),
]


class Load:
    """Prescribed mean strains and stresses at any time.

    Args:
        setting: one `Control`, or phases.
        dimensions: of the grid.
    """

    def __init__(self, setting: Control | list[LoadPhase], dimensions: int):
        self._phases = [setting] if isinstance(setting, Control) else list(setting)
        self.dimensions = dimensions
        steady = isinstance(setting, Control)
        self._ends = [np.inf if steady else phase.until for phase in self._phases]  # type: ignore[union-attr]
        # Values at the beginning and at the end of every phase.
        self._from: list[np.ndarray] = []
        before, kind_before = np.zeros(6), None
        for phase in self._phases:
            kind = phase.stress_controlled(dimensions)
            same = np.zeros(6, bool) if kind_before is None else kind == kind_before
            self._from.append(phase.values() if steady else np.where(same, before, 0.0))
            before, kind_before = phase.values(), kind

    def phase(self, time: float) -> int:
        """Index of the phase at `time`; a corner belongs to the phase that begins there."""
        return min(int(np.searchsorted(self._ends, time, side="right")), len(self._phases) - 1)

    def stress_controlled(self, time: float) -> np.ndarray:
        """True for the components (6,) whose mean stress is prescribed."""
        return self.controlled_in(self.phase(time))

    def controlled_in(self, phase: int) -> np.ndarray:
        """The same for a phase given by its index."""
        return self._phases[phase].stress_controlled(self.dimensions)

    def values(self, time: float, phase: int | None = None) -> np.ndarray:
        """Prescribed mean strains and stresses (6,): tensor components in the order xx, yy, zz, yz, xz, xy.

        With `phase`, its own ramp continued to `time`: at the end of a phase the values it ends with.
        """
        i = self.phase(time) if phase is None else phase
        start, end = self._ends[i - 1] if i else 0.0, self._ends[i]
        target = self._phases[i].values()
        if not np.isfinite(end) or time >= end:
            return target
        return self._from[i] + (target - self._from[i]) * (time - start) / (end - start)

    @property
    def phases(self) -> int:
        """How many there are."""
        return len(self._phases)

    @property
    def in_plane(self) -> bool:
        """Whether shears across the plane xy are always 0, and the mean strain along z is prescribed."""
        across = [
            not p.stress_controlled(self.dimensions)[2:5].any() and not p.values()[3:5].any() for p in self._phases
        ]
        return all(across)

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which a phase ends."""
        return tuple(t for t in self._ends if np.isfinite(t))

    @cached_property
    def constant(self) -> bool:
        """Whether nothing ever changes."""
        return len(self._phases) == 1 and not self.corners
