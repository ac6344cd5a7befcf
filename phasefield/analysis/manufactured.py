"""How far a state is from the manufactured solution of its scenario."""

from __future__ import annotations

from phasefield.analysis.modes import NotApplicable
from phasefield.errors import InputError
from phasefield.gradient_flow import GradientFlow
from phasefield.output.reader import Run
from phasefield.output.solution_error import SolutionError, errors_of_state
from phasefield.scenario import LoadedScenario, load_scenario


def solution_errors(of: GradientFlow | Run, scenario: LoadedScenario | None = None) -> dict[str, SolutionError]:
    """Errors of the present state, or of the last frame of a run, by field; `scenario`: whose solution, if not their own.

    Raises:
        InputError: the scenario has no manufactured solution.
        NotApplicable: a field was not written.
    """
    if isinstance(of, GradientFlow):
        scenario, time, state = scenario or of.scenario, of.time, of.state
    else:
        scenario, time = scenario or load_scenario(of.scenario), float(of.times[-1])
        missing = [name for name in scenario.model.fields if name not in of.names]
        if missing:
            raise NotApplicable(f"field {missing[0]} was not written")
        state = {name: of.frame(name) for name in scenario.model.fields}
    return errors_of_state(scenario, state, time)


def l2_error(of: GradientFlow | Run) -> dict[str, float]:
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
