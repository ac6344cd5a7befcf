"""Scenario files: strict reading, validation, and the resolved form that reproduces a run."""

from __future__ import annotations

from phasefield.scenario.load import LoadedScenario, json_schema, load_scenario
from phasefield.scenario.schema import build_model, scenario_class

__all__ = ["LoadedScenario", "build_model", "json_schema", "load_scenario", "scenario_class"]
