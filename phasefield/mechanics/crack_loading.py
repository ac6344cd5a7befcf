"""How the load of a body that cracks develops: its factor, or the energy that cracks take up.

```yaml
load: [[0, 0], [1, 0.006]]                   # time, factor; linear in between: displacement or force control, cyclic if wanted
load:                                        # one phase after the other
  - {until: 0.5, factor: 0.0044}             # the factor goes linearly from its value at the beginning of the phase to this one
  - {until: 1.5, dissipation: 1.2e-3}        # the energy of cracks grows by this much, linearly in time; the factor follows
  - {until: 2.0, factor: 0.0}
```
The factor multiplies what the faces or the mean strains and stresses of the scenario prescribe; it is 0 at time 0 unless
pairs say otherwise. After the last phase the factor is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, PositiveFloat, Tag, model_validator

from phasefield.mechanics.loading import History, HistorySetting
from phasefield.mechanics.stiffness import Section, complaint


class CrackPhase(Section):
    """A stretch of time with one kind of control."""

    until: PositiveFloat = Field(description="time at which the phase ends")
    factor: float | None = Field(default=None, description="load factor at the end; linear in time from the one before")
    dissipation: PositiveFloat | None = Field(
        default=None,
        description="by how much the energy of cracks grows in the phase, linearly in time; the load follows",
    )

    @model_validator(mode="after")
    def _one(self) -> CrackPhase:
        if (self.factor is None) == (self.dissipation is None):
            raise complaint("control", "a phase needs either factor or dissipation")
        return self


def _in_order(value: Any) -> Any:
    last = 0.0
    for phase in value if isinstance(value, list) else []:
        until = (
            phase.until if isinstance(phase, CrackPhase) else phase.get("until") if isinstance(phase, dict) else None
        )
        if isinstance(until, int | float) and not isinstance(until, bool):
            if until <= last:
                raise complaint(
                    "order", f"the phases must end one after the other (got until: {until:g} after {last:g})"
                )
            last = until
    return value


def _kind(value: Any) -> str | None:
    phases = isinstance(value, list) and value and all(isinstance(v, dict | CrackPhase) for v in value)
    return "{phases}" if phases else "{pair}"


CrackLoadSetting = Annotated[
    Annotated[HistorySetting, Tag("{pair}")] | Annotated[list[CrackPhase], BeforeValidator(_in_order), Tag("{phases}")],
    Discriminator(_kind),
]


@dataclass(frozen=True)
class Start:
    """Where a phase begins: time, load factor, energy of cracks."""

    time: float
    load: float
    dissipated: float


class CrackLoad:
    """The load at any time; a phase starts from where the run has come, which only the run knows."""

    def __init__(self, setting: list[list[float]] | Sequence[CrackPhase]):
        self._history: History | None = None
        self._phases: list[CrackPhase] = []
        if setting and isinstance(setting[0], CrackPhase):
            self._phases = [phase for phase in setting if isinstance(phase, CrackPhase)]
        else:
            self._history = History.of(setting)  # type: ignore[arg-type]

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which a phase ends, the slope changes, or the load passes through 0 (where cracks close)."""
        if self._history is None:
            return tuple(phase.until for phase in self._phases)
        pairs = zip(self._history.times, self._history.values, strict=True)
        zeros = [a + (b - a) * u / (u - v) for (a, u), (b, v) in pairwise(pairs) if u * v < 0.0]
        return tuple(sorted({*self._history.corners, *zeros}))

    def phase(self, time: float) -> int:
        """Index of the phase at `time`; a corner belongs to the phase that begins there."""
        return sum(time >= phase.until for phase in self._phases)

    def given_dissipation(self, phase: int) -> bool:
        """Whether it is the energy of cracks that is prescribed in a phase."""
        return phase < len(self._phases) and self._phases[phase].dissipation is not None

    @property
    def any_dissipation(self) -> bool:
        """Whether it is in any phase."""
        return any(phase.dissipation is not None for phase in self._phases)

    def value(self, time: float, phase: int, start: Start) -> float:
        """Prescribed factor, or energy of cracks, at a time of a phase that began with `start`."""
        if self._history is not None:
            return self._history(time)
        if phase >= len(self._phases):
            return start.load
        current = self._phases[phase]
        share = min(1.0, (time - start.time) / (current.until - start.time))
        if current.dissipation is not None:
            return start.dissipated + share * current.dissipation
        assert current.factor is not None
        return start.load + share * (current.factor - start.load)

    def initial(self) -> float:
        """The factor at time 0."""
        return 0.0 if self._history is None else self._history(0.0)
