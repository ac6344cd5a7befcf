"""When things happen: schedules are values, and say nothing about what happens."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

# Times closer than this fraction of the interval are the same event.
_SAME = 1e-9
_ROUNDING = 1e-12


class Schedule(Protocol):
    """A rule that gives the next event after a time, without a memory of its own."""

    def next(self, after: float) -> float:
        """The first event time > `after`; infinity when there is none."""
        ...


@dataclass(frozen=True)
class Every:
    """Events at start + n · interval, n = 1, 2, …; the times are products, so no error piles up."""

    interval: float
    start: float = 0.0

    def next(self, after: float) -> float:
        n = math.floor((after - self.start) / self.interval + _SAME) + 1
        return self.start + max(n, 1) * self.interval


@dataclass(frozen=True)
class At:
    """Events at the given increasing times."""

    times: tuple[float, ...]

    def next(self, after: float) -> float:
        i = bisect_right(self.times, after + _ROUNDING * abs(after))
        return self.times[i] if i < len(self.times) else math.inf


class Never:
    """No events."""

    def next(self, after: float) -> float:
        return math.inf


class EveryStep(Never):
    """After every step, whenever that is."""
