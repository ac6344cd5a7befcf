"""Distance of fields from the manufactured solution u of their scenario: L2 = sqrt(Σ (φ − u)² ΔV).

Source: PFHub benchmark 7, https://pages.nist.gov/pfhub/benchmarks/benchmark7.ipynb/.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import exact_fields


@dataclass(frozen=True)
class SolutionError:
    """Of one field: L2 = sqrt(Σ (φ − u)² ΔV), and the norm sqrt(Σ u² ΔV) of the solution u."""

    absolute: float
    norm: float

    @property
    def relative(self) -> float:
        """L2 over the norm; L2 itself where the solution is zero."""
        return self.absolute / self.norm if self.norm > 0.0 else self.absolute


def errors_of_state(scenario: LoadedScenario, state: Mapping[str, np.ndarray], time: float) -> dict[str, SolutionError]:
    """Errors of fields in grid shape at a time, by field.

    Raises:
        InputError: the scenario has no manufactured solution.
    """
    if not scenario.exact:
        raise scenario.located(InputError("manufactured: is missing; without an exact solution there is no error"))
    result = {}
    for name, u in exact_fields(scenario, time).items():
        squares = (float(np.sum(a**2)) * scenario.grid.cell_volume for a in (state[name].astype(float) - u, u))
        result[name] = SolutionError(*(math.sqrt(s) for s in squares))
    return result
