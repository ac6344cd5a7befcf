"""Orders of accuracy by a manufactured solution: the error at the end against step and cells.

With errors E at steps Δt and Δt/2 the observed order is p = log₂(E(Δt)/E(Δt/2)); the same with cells N and 2N in space.

Source: P. J. Roache, J. Fluids Eng. 124 (2002) 4, doi:10.1115/1.1436090.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.analysis.manufactured import solution_errors
from phasefield.errors import InputError, NumericalError
from phasefield.gradient_flow import GradientFlow
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.scenario.schema import MAX_AXIS, MAX_CELLS, StepSection
from phasefield.stepping.schemes import find_scheme

# How far the observed order in time may be from the declared one.
ORDER_TOLERANCE = 0.2
# Orders in space of the discrete Laplacians; an error that falls faster than any power has none.
SPACE_ORDERS = {"spectral": math.inf, "finite_difference": 2.0}
# An error in time of so many times that of the grid no longer shows its order clearly.
FLOOR = 10.0
# Steps tried in time: the last of so many is 32 768 times smaller than the first.
MOST_STEPS = 16
# Errors below this many units of rounding of the solution, or one unit per step, are rounding.
ROUNDING = 1000.0


@dataclass(frozen=True)
class ConvergenceRow:
    """One run of a study.

    varied: `time` or `space`; step: Δt; cells: along x, y, z; error: L2 = sqrt(Σ (φ − u)² ΔV) at the end, over all fields; order:
    observed, against the row before, nan in the first; declared: of the scheme, or of the discrete Laplacian (inf: spectral);
    rounding: whether the error is no more than rounding may be.
    """

    varied: str
    step: float
    cells: tuple[int, ...]
    error: float
    order: float
    declared: float
    rounding: bool


def convergence(
    scenario: str | Path | Mapping[str, Any] | LoadedScenario,
    overrides: Mapping[str, Any] | None = None,
    *,
    time: int = 3,
    space: int = 3,
    step: float | None = None,
    test: bool = False,
    threads: int | None = None,
) -> list[ConvergenceRow]:
    """Run a scenario that has `manufactured:` with smaller and smaller steps, and with more and more cells.

    In time: fixed steps Δt, Δt/2, … on the scenario's grid. In space: with the smallest of these steps, half the cells (where
    they can be halved), as many, twice as many, …

    Args:
        scenario: path of a YAML file, or its content as a dict.
        overrides: dotted key paths and values.
        time: number of steps tried, at least 2.
        space: number of grids tried, 0 for none.
        step: the largest step; `time.step` when absent.
        test: apply the scenario's `test:` overrides.
        threads: CPU threads.

    Raises:
        InputError: no manufactured solution, or no step to start from.
        NumericalError: a step that could not be made.
    """
    loaded = load_scenario(scenario, overrides, test=test)
    if not loaded.settings.manufactured:
        raise loaded.located(InputError("manufactured: is missing; a convergence study needs an exact solution"))
    if time < 2 or space < 0:
        raise InputError(
            f"a study takes two or more steps in time and no negative number of grids (got {time}, {space})"
        )
    if time > MOST_STEPS:
        raise InputError(f"a study takes at most {MOST_STEPS} steps in time, each half the one before (got {time})")
    largest = _largest_step(loaded, step)
    steps = [largest / 2**i for i in range(time)]
    own = tuple(axis.cells for axis in loaded.grid.axes)
    coarsest = tuple(n // 2 for n in own) if all(n % 2 == 0 and n >= 8 for n in own) else own
    grids = [tuple(n * 2**level for n in coarsest) for level in range(space)]
    if grids and (max(grids[-1]) > MAX_AXIS or math.prod(grids[-1]) > MAX_CELLS):
        finest = " × ".join(map(str, grids[-1]))
        raise InputError(f"{space} grids, each with twice the cells, end at {finest} cells: choose fewer with --space")
    results: dict[tuple[float, tuple[int, ...]], _Result] = {}
    rows: list[ConvergenceRow] = []
    for varied, h, cells in [("time", h, own) for h in steps] + [("space", steps[-1], g) for g in grids]:
        if (h, cells) not in results:
            results[h, cells] = _measure(loaded, h, cells, threads)
        before = rows[-1] if rows and rows[-1].varied == varied else None
        rows.append(_row(varied, loaded, h, cells, results[h, cells], before))
    return rows


def order_confirmed(rows: list[ConvergenceRow]) -> bool:
    """Whether the last observed order in time is the declared one to `ORDER_TOLERANCE`; errors at rounding count as such.

    Where the smallest steps come down to the error of the grid, which the study in space shows, it is enough that larger ones
    have the order.
    """
    timed, spaced = ([row for row in rows if row.varied == varied] for varied in ("time", "space"))
    seen = [abs(row.order - row.declared) <= ORDER_TOLERANCE for row in timed]
    last = timed[-1]
    return last.rounding or seen[-1] or (any(seen) and last.error <= FLOOR * _grid_error(last, spaced))


def _grid_error(row: ConvergenceRow, spaced: list[ConvergenceRow]) -> float:
    """By how much the error of a run changes with the finest grid tried."""
    finer = [other for other in spaced if other.cells > row.cells]
    return abs(row.error - finer[-1].error) if finer else 0.0


def _largest_step(loaded: LoadedScenario, step: float | None) -> float:
    if step is None:
        if isinstance(loaded.settings.time.step, StepSection):
            raise loaded.located(InputError("time.step: is adaptive; say with --step from which step to start"))
        step = float(loaded.settings.time.step)
    if not 0.0 < step <= loaded.settings.time.end:
        raise InputError(
            f"the largest step must lie between 0 and time.end = {loaded.settings.time.end:g} (got {step:g})"
        )
    return step


def _row(
    varied: str,
    loaded: LoadedScenario,
    step: float,
    cells: tuple[int, ...],
    result: _Result,
    before: ConvergenceRow | None,
) -> ConvergenceRow:
    """A result with its order against the row before."""
    order = math.nan
    if before is not None and result.error > 0.0 and before.error > 0.0:
        order = math.log2(before.error / result.error)
    declared = float(find_scheme(loaded.settings.time.scheme, loaded.model).order)
    if varied == "space":
        declared = SPACE_ORDERS.get(loaded.model.laplacian, math.nan)
    eps = float(np.finfo(np.float64 if loaded.settings.precision == "double" else np.float32).eps)
    rounding = result.error <= eps * result.norm * max(ROUNDING, result.steps)
    return ConvergenceRow(varied, step, cells, result.error, order, declared, rounding)


@dataclass(frozen=True)
class _Result:
    """L2 error at the end and norm of the solution, over all fields, and the number of steps."""

    error: float
    norm: float
    steps: int


def _measure(loaded: LoadedScenario, step: float, cells: tuple[int, ...], threads: int | None) -> _Result:
    counts = {f"grid.{axis.name}.cells": n for axis, n in zip(loaded.grid.axes, cells, strict=True)}
    scenario = load_scenario(loaded, {"time.step": step, **counts})
    simulation = GradientFlow.from_scenario(scenario, device="cpu", threads=threads)
    try:
        simulation.advance()
        if simulation.counters.rejected:
            raise NumericalError(f"a step of {step:g} was rejected: start from a smaller one")
        errors = solution_errors(simulation).values()
        error, norm = math.hypot(*(e.absolute for e in errors)), math.hypot(*(e.norm for e in errors))
        return _Result(error, norm, simulation.counters.steps)
    finally:
        simulation.close()
