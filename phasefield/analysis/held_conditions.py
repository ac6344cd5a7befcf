"""Conditions of a scenario that are held: histories brought to a standstill, and loads set by component.

| name | condition |
|---|---|
| `stress_xx`, `strain_xy`, … | mean stress or strain, which is prescribed from then on; other components stay as they are |
| `temperature`, `stress`, `load`, … | the key of that name of the model: σ₂ of `square_rectangle` is `stress` |
| `model.landau.a.tau`, … | any key with dots |
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.loading import History, Load
from phasefield.mechanics.stiffness import COMPONENTS
from phasefield.scenario import LoadedScenario, load_scenario


def standing_still(scenario: LoadedScenario, time: float) -> dict[str, Any]:
    """Overrides that turn histories of a scenario into the constants they are at a time."""
    parameters, result = scenario.model.parameters, {}
    for name in ("temperature", "stress"):
        pairs = getattr(parameters, name, None)
        if isinstance(pairs, list):
            result[f"model.{name}"] = History.of(pairs)(time)
    key, setting = _load_of(scenario)
    if setting is not None:
        load = Load(setting, scenario.grid.dimensions)
        result[key] = _sections(load, time)
    return result


def _sections(load: Load, time: float) -> dict[str, dict[str, float]]:
    """A load at a time with every component named."""
    sections: dict[str, dict[str, float]] = {"strain": {}, "stress": {}}
    for name, controlled, value in zip(COMPONENTS, load.stress_controlled(time), load.values(time), strict=True):
        sections["stress" if controlled else "strain"][name] = float(value)
    return sections


def _load_of(scenario: LoadedScenario) -> tuple[str, Any]:
    """Key and setting of the load, or None where the model has none."""
    parameters = scenario.model.parameters
    if hasattr(parameters, "load"):
        return "model.load", parameters.load
    misfit = getattr(parameters, "misfit", None)
    return "model.misfit.load", None if misfit is None else misfit.load


def under(scenario: LoadedScenario, conditions: Mapping[str, Any]) -> LoadedScenario:
    """The scenario under other conditions."""
    components, others = {}, {}
    for name, value in conditions.items():
        kind, _, component = name.partition("_")
        if kind in ("stress", "strain") and component in COMPONENTS:
            if not isinstance(value, int | float | np.number) or not math.isfinite(value):
                raise InputError(f"condition {name}: must be a number (got {value!r})")
            components[kind, component] = float(value)
        else:
            others[name if "." in name else f"model.{name}"] = value.item() if isinstance(value, np.number) else value
    if others:
        scenario = load_scenario(scenario, others, override_source="condition")
    if components:
        key, setting = _load_of(scenario)
        if setting is None:
            raise InputError(f"condition {'_'.join(next(iter(components)))}: the model has no load")
        sections = _sections(Load(setting, scenario.grid.dimensions), 0.0)
        for (kind, component), value in components.items():
            for section in sections.values():
                section.pop(component, None)
            sections[kind][component] = value
        scenario = load_scenario(scenario, {key: sections}, override_source="condition")
    return scenario
