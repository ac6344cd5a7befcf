"""PFHub benchmark 7a: what a run says about the order of accuracy.

Source: https://pages.nist.gov/pfhub/benchmarks/benchmark7.ipynb/
"""

from __future__ import annotations

import math

from phasefield.errors import InputError
from phasefield.output.reader import Run
from phasefield.output.solution_error import errors_of_state
from phasefield.scenario import load_scenario

END = 8.0


def l2_error(run: Run) -> float:
    """L₂ = √(Σ (η − η_sol)² Δx Δy) of the last frame, at t = 8, against the manufactured solution of the run's scenario.

    Raises:
        InputError: the last frame is not at t = 8, or the scenario has no manufactured solution of one field.
    """
    time = float(run.times[-1])
    if abs(time - END) > 1e-9 * END:
        raise InputError(f"benchmark 7a ends at t = 8; the last frame of '{run.folder}' is at t = {time:g}")
    scenario = load_scenario(run.scenario)
    if list(scenario.exact) != run.names or len(run.names) != 1:
        raise InputError(f"'{run.folder}' is not benchmark 7a: it has no manufactured solution of its one field")
    (name,) = run.names
    return errors_of_state(scenario, {name: run.frame(name)}, time)[name].absolute


def mesh_size(run: Run) -> float:
    """Effective size of a cell, √(Δx Δy)."""
    x, y = (run.scenario["grid"][axis] for axis in "xy")
    return math.sqrt(x["length"] / x["cells"] * y["length"] / y["cells"])


def time_step(run: Run) -> float:
    """The fixed step; 0 where steps are adaptive."""
    step = run.scenario["time"]["step"]
    return float(step) if isinstance(step, int | float) else 0.0
