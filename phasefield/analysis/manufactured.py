"""How far a state is from the manufactured solution of its scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.modes import NotApplicable
from phasefield.errors import InputError
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.simulation import Simulation, exact_fields


@dataclass(frozen=True)
class SolutionError:
    """Of one field: L2 = sqrt(Σ (φ − u)² ΔV), and the norm sqrt(Σ u² ΔV) of the solution u."""

    absolute: float
    norm: float

    @property
    def relative(self) -> float:
        """L2 over the norm; L2 itself where the solution is zero."""
        return self.absolute / self.norm if self.norm > 0.0 else self.absolute


def solution_errors(of: Simulation | Run, scenario: LoadedScenario | None = None) -> dict[str, SolutionError]:
    """Errors of the present state, or of the last frame of a run, by field; `scenario`: whose solution, if not their own.

    Raises:
        InputError: the scenario has no manufactured solution.
        NotApplicable: a field was not written.
    """
    if isinstance(of, Simulation):
        scenario, time, state = scenario or of.scenario, of.time, of.state
    else:
        scenario, time = scenario or load_scenario(of.scenario), float(of.times[-1])
        missing = [name for name in scenario.model.fields if name not in of.names]
        if missing:
            raise NotApplicable(f"field {missing[0]} was not written")
        state = {name: of.frame(name, len(of.times) - 1).astype(float) for name in scenario.model.fields}
    if not scenario.exact:
        raise scenario.located(InputError("manufactured: is missing; without an exact solution there is no error"))
    result = {}
    for name, u in exact_fields(scenario, time).items():
        squares = (float(np.sum(a**2)) * scenario.grid.cell_volume for a in (state[name] - u, u))
        result[name] = SolutionError(*(math.sqrt(s) for s in squares))
    return result


def l2_error(of: Simulation | Run) -> dict[str, float]:
    """sqrt(Σ (φ − u)² ΔV) of every field against the manufactured solution u at the same time.

    Args:
        of: a simulation, or a run, whose last frame is taken.

    Raises:
        InputError: the scenario has no manufactured solution, or the run did not write every field.

    Source: PFHub benchmark 7, https://pages.nist.gov/pfhub/benchmarks/benchmark7.ipynb/.
    """
    try:
        return {name: error.absolute for name, error in solution_errors(of).items()}
    except NotApplicable as reason:
        raise InputError(str(reason)) from None
