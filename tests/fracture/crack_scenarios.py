"""Small scenarios of bodies that crack; one cell has the length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.scenario import load_scenario
from phasefield.stepping.alternate import CrackProblem

E, NU, GC = 1000.0, 0.3, 1.0
LAME, SHEAR = E * NU / ((1.0 + NU) * (1.0 - 2.0 * NU)), E / (2.0 * (1.0 + NU))


def _scenario(grid: dict[str, Any], model: dict[str, Any], sections: dict[str, Any]) -> dict[str, Any]:
    constants = {"young_modulus": E, "poisson_ratio": NU, "toughness": GC, "load": [[0.0, 0.0], [1.0, 1.0]]}
    return {
        "model": {"name": "fracture", **constants, **model},
        "grid": grid,
        "initial": {"phi": 0.0},
        "time": {"end": 1.0, "step": 0.1},
        "output": {"fields": {"precision": "double"}},
        **sections,
    }


def cell(cells: tuple[int, ...] = (8, 8), *, section: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    """A periodic cell, stretched along y with no other strain where `mean` does not say otherwise."""
    components = ("xx", "yy", "xy") if len(cells) == 2 else ("xx", "yy", "zz", "yz", "xz", "xy")
    mean = {"strain": {name: float(name == "yy") for name in components}}
    grid = {a: {"cells": n, "length": float(n)} for a, n in zip("xyz", cells, strict=False)}
    return _scenario(grid, {"length": 4.0, "mean": mean, **model}, section or {})


def plate(
    cells: tuple[int, ...] = (16, 16), crack: float = 0.4, *, section: dict[str, Any] | None = None, **model: Any
) -> dict[str, Any]:
    """A body with a crack from the left to `crack` of its width, at half its height, pulled at its clamped upper face."""
    up = {"displacement": {name: float(name == "y") for name in "xyz"[: len(cells)]}}
    grid = {a: {"cells": n, "length": float(n), "boundary": "no_flux"} for a, n in zip("xyz", cells, strict=False)}
    row = cells[1] // 2
    corner, other = [-1.0, row + 0.25, -1.0], [crack * cells[0], row + 0.75, 1e3]
    body = {"box": {"from": corner[: len(cells)], "to": other[: len(cells)]}}
    start = {"initial": {"phi": {"shapes": [body]}}} if crack else {}
    return _scenario(
        grid, {"length": 2.0, "faces": {"y": {"low": "clamped", "high": up}}, **model}, {**start, **(section or {})}
    )


def problem_of(scenario: dict[str, Any], threads: int = 1) -> CrackProblem:
    """Body and damage solver of a scenario."""
    loaded = load_scenario(scenario)
    return CrackProblem(*loaded.model.build(loaded.grid, loaded.folder, threads))  # type: ignore[attr-defined]


def crack_of(scenario: dict[str, Any]) -> np.ndarray:
    """Its initial φ."""
    from phasefield.scenario.fields import initial_fields

    return initial_fields(load_scenario(scenario))["phi"]
