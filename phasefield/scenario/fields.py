"""The fields that a scenario gives, on its grid: initial ones, those that do not move, and exact solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.initial import evaluate
from phasefield.initial.nuclei import added
from phasefield.scenario.load import LoadedScenario
from phasefield.scenario.space_time import values_at


def initial_fields(scenario: LoadedScenario) -> dict[str, np.ndarray]:
    """The initial condition of every field in grid shape, with the seeds that are there at t = 0; or a manufactured solution."""
    if scenario.exact:
        return exact_fields(scenario, 0.0)
    fields = _given(scenario, {name: scenario.settings.initial[name] for name in scenario.model.fields})
    first = [n for n in scenario.nuclei if n.time <= 0.0]
    return fields | {name: fields[name] + change for name, change in added(fields, first, scenario.grid).items()}


def exact_fields(scenario: LoadedScenario, time: float) -> dict[str, np.ndarray]:
    """The manufactured solution at a time, every field in grid shape.

    Raises:
        InputError: it is not finite in every cell.
    """
    result = {name: values_at(u, scenario.grid, time) for name, u in scenario.exact.items()}
    for name, values in result.items():
        if not np.isfinite(values).all():
            raise scenario.located(InputError(f"manufactured.{name}: is not finite everywhere at t = {time:g}"))
    return {name: result[name] for name in scenario.model.fields}


def fixed_fields(scenario: LoadedScenario) -> dict[str, np.ndarray]:
    """The fixed fields that the scenario gives, in grid shape."""
    return _given(scenario, scenario.settings.fixed)


def _given(scenario: LoadedScenario, sources: Mapping[str, Any]) -> dict[str, np.ndarray]:
    try:
        return {
            name: evaluate(source, name, scenario.grid, scenario.settings.seed, scenario.folder)
            for name, source in sources.items()
        }
    except InputError as error:
        raise scenario.located(error) from None
