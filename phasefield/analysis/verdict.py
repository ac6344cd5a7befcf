"""The lines of a verdict and what they add up to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from phasefield.analysis.growth import GrowthCurve

PASS, FAIL, NOT_APPLICABLE = "pass", "fail", "not applicable"
FRAMES, END = "energy of the frames", "end of the run"
DISSIPATION, BALANCE = "dissipation", "energy balance"
# Of cracking bodies.
CRACKS = ("irreversibility", "virtual work", "energy bound", "crack energy of frames")


def is_consistency(name: str) -> bool:
    """Whether a check holds for every sound run, whatever its physics: it is necessary, and says nothing of theory."""
    return name.startswith("mean of ") or name in ("energy decay", FRAMES, DISSIPATION, BALANCE, END, *CRACKS)


@dataclass(frozen=True)
class Check:
    """One line of the verdict. `error` is relative; it is compared with `tolerance`."""

    name: str
    status: str
    measured: float = math.nan
    expected: float = math.nan
    error: float = math.nan
    tolerance: float = math.nan
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """All checks of a run."""

    checks: tuple[Check, ...]
    growth: GrowthCurve | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """At least one check passed and none failed."""
        states = [c.status for c in self.checks]
        return PASS in states and FAIL not in states

    @property
    def compared_with_theory(self) -> bool:
        """At least one prediction of theory was met, not only what every sound run shows."""
        return any(c.status == PASS and not is_consistency(c.name) for c in self.checks)

    @property
    def summary(self) -> str:
        """The verdict in one line, with the names of what could not be checked."""
        unchecked = [c.name for c in self.checks if c.status == NOT_APPLICABLE]
        missing = f" (not checked: {', '.join(unchecked)})" if unchecked else ""
        if not any(c.status in (PASS, FAIL) for c in self.checks):
            return "nothing was checked" + missing
        if not self.passed:
            return "NOT verified" + missing
        return ("verified" if self.compared_with_theory else "consistent, but not compared with theory") + missing

    def to_dict(self) -> dict[str, Any]:
        """Plain data: {passed, checks: [...]}."""
        return {"passed": self.passed, "checks": [asdict(c) for c in self.checks]}

    def __str__(self) -> str:
        rows = [
            f"{c.status:>14}  {c.name:<28} measured {c.measured:<12.6g} theory {c.expected:<12.6g} "
            f"error {c.error:<9.3g} tolerance {c.tolerance:<9.3g} {c.detail}"
            for c in self.checks
        ]
        return "\n".join([*rows, self.summary])
