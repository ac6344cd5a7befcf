"""What commands print: verdicts, predictions, models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from phasefield.analysis.convergence import ConvergenceRow, order_confirmed
from phasefield.analysis.crack_prediction import CrackPrediction
from phasefield.analysis.mixture import MixturePhases
from phasefield.analysis.predict import Prediction
from phasefield.analysis.stability import LinearStability
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS, Verdict
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# Columns of a terminal on which the details fit beside the numbers.
WIDE = 130
_STYLE = {PASS: "green", FAIL: "bold red"}


def _console() -> Console:
    console = Console(highlight=False)
    # Without a terminal, tables must not be cut to 80 columns.
    return console if console.is_terminal else Console(highlight=False, width=160)


def number(value: float, digits: int = 6) -> str:
    """A number for a table; empty where there is none."""
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def print_verdict(verdict: Verdict) -> None:
    """The checks as a table, and the verdict in one line; a narrow terminal gets the details only where a check did not pass."""
    console = _console()
    narrow = console.width < WIDE
    table = Table(box=None, pad_edge=False)
    for title in ("check", "measured", "theory", "error", "tolerance", "", "detail"):
        if title != "detail" or not narrow:
            table.add_column(
                title, justify="left" if title in ("check", "", "detail") else "right", no_wrap=title != "detail"
            )
    for c in verdict.checks:
        status = "n/a" if narrow and c.status == NOT_APPLICABLE else c.status
        numbers = (number(c.measured), number(c.expected), number(c.error, 2), number(c.tolerance, 2))
        row = (escape(c.name), *numbers, f"[{_STYLE.get(c.status, 'yellow')}]{status}[/]")
        table.add_row(*row, *(() if narrow else (escape(c.detail),)))
    console.print(table)
    for c in verdict.checks:
        if narrow and c.status != PASS and c.detail:
            console.print(escape(f"{c.name}: {c.detail}"))
    console.print(f"[bold {'green' if verdict.passed else 'red'}]{verdict.summary}[/]")


def print_convergence(rows: list[ConvergenceRow]) -> None:
    """A study of orders as two tables, against step and against cells, and in one line whether the scheme has its order."""
    console = _console()
    for varied, title in (("time", "step"), ("space", "cells")):
        chosen = [row for row in rows if row.varied == varied]
        if not chosen:
            continue
        table = Table(box=None, pad_edge=False)
        for name in (title, "L2 error", "order", "declared"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in chosen:
            first = number(row.step) if varied == "time" else " × ".join(map(str, row.cells))
            order = "rounding" if row.rounding else "" if math.isnan(row.order) else f"{row.order:.3f}"
            declared = "spectral" if math.isinf(row.declared) else number(row.declared)
            table.add_row(first, f"{row.error:.4e}", order, declared)
        console.print(table)
        console.print()
    confirmed = order_confirmed(rows)
    text = "the order in time is confirmed" if confirmed else "the order in time is NOT the declared one"
    console.print(f"[bold {'green' if confirmed else 'red'}]{text}[/]")


def print_run(run: Run, figures: list[Path]) -> None:
    """The end of `run`: the verdict, and where everything is."""
    import phasefield

    print_verdict(phasefield.verify(run))
    status = run.status
    print(
        f"{status['steps']} steps, {status['seconds']:.1f} s ({status['seconds_to_first_step']:.1f} s to the first step)"
    )
    if "stopped" in status:
        print(f"ended at t = {status['time']:.6g}: {status['stopped']}")
    for path in (run.file, *figures):
        print(f"wrote {path}")


def print_prediction(loaded: LoadedScenario, prediction: Prediction | CrackPrediction) -> None:
    """The resolved scenario and what theory says about it."""
    print(loaded.resolved_yaml())
    rows: list[tuple[str, str]] = [("equation", loaded.model.equation)]
    rows += prediction.rows() if isinstance(prediction, CrackPrediction) else _theory(loaded, prediction)
    steps = "chosen by the error control" if prediction.steps is None else str(prediction.steps)
    rows += [
        ("memory", f"{prediction.memory_bytes / 2**20:.1f} MiB of arrays"),
        ("steps", steps),
        ("frames", str(prediction.frames)),
    ]
    for key, value in rows:
        print(f"{key:<20}{value}")
    for warning in prediction.warnings:
        print(f"warning: {warning}")


def _theory(loaded: LoadedScenario, prediction: Prediction) -> list[tuple[str, str]]:
    """What linear stability, phases and walls say of fields that follow the gradient of an energy."""
    stability, interface = prediction.stability, prediction.interface
    base = ", ".join(f"{n} = {0.0 if abs(v) < 1e-15 else v:.4g}" for n, v in stability.base.items())
    rows: list[tuple[str, str]] = [("uniform state", base)]
    if stability.directional:
        rows += _directions(stability, loaded.grid.dimensions)
    if stability.unstable:
        infinite = "infinite (long waves along n)" if stability.directional else "infinite (the uniform mode)"
        uniform = stability.fastest_wavenumber == 0.0
        rows += [
            ("fastest wavelength", infinite if uniform else f"{stability.fastest_wavelength:.6g}"),
            ("growth time", f"{stability.growth_time:.6g}"),
            ("cut-off wavelength", f"{stability.cutoff_wavelength:.6g}"),
        ]
    else:
        # That of the uniform mode of a conserved field is 0, to rounding.
        rate = stability.largest_growth_rate
        rows.append(("linear stability", f"stable: largest growth rate {rate if abs(rate) > 1e-300 else 0.0:.4g}"))
    for phases in prediction.mixture:
        rows += _mixture(phases)
    if interface is not None:
        rows += [
            ("coexisting phases", f"{interface.low:.6g} and {interface.high:.6g}"),
            ("interface energy", f"{interface.energy:.6g} per area"),
            ("interface width", f"{interface.width:.4g} = {prediction.cells_per_interface:.3g} cells"),
        ]
    if (wall := prediction.wall) is not None:
        rows.append(
            ("thinnest wall", f"{wall.kind}, {wall.width:.4g} = {prediction.cells_per_wall:.3g} cells (10–90 %)")
        )
        if not math.isnan(wall.energy):
            rows.append(("wall energy", f"{wall.energy:.6g} per area"))
    return rows


def _directions(stability: LinearStability, dimensions: int) -> list[tuple[str, str]]:
    """Where growth is fastest, what elasticity adds to f″ there for each combination of fields, and the mode k = 0."""
    n = stability.fastest_direction
    assert n is not None
    parts, matrix = stability.elastic_parts(), stability.curvature_matrix
    rounding = 1e-12 * max(float(np.abs(stability.elastic_parts(np.eye(3)[0])).max()), float(np.abs(matrix).max()))
    shown = ", ".join(f"{0.0 if abs(x) < rounding else x:.6g}" for x in parts)
    place = ", ".join(f"{0.0 if abs(x) < 1e-9 else x:.6g}" for x in n[:dimensions])
    rows = [("fastest direction", f"n = ({place})"), ("elastic part", f"{shown} along n, beside f″")]
    if not all(k.conserved for k in stability.model.fields.values()):
        rows.append(("uniform mode", f"growth rate {stability.uniform_growth_rate:.6g} under the load at the start"))
    return rows


def _mixture(phases: MixturePhases) -> list[tuple[str, str]]:
    """Binodal and spinodal at one χ."""
    place = f"χ = {phases.chi:.6g}" + ("" if phases.temperature is None else f", T = {phases.temperature:g} K")
    if phases.binodal is None or phases.spinodal is None:
        return [("binodal", f"none at {place}: one phase, χ is not above {phases.critical:.6g}")]
    return [
        (name, f"{low:.6g} and {high:.6g} at {place}")
        for name, (low, high) in (("binodal", phases.binodal), ("spinodal", phases.spinodal))
    ]


def print_models(models: list[Any]) -> None:
    """Name, equation and parameters of every model."""
    for model in models:
        fields = model.Params.model_fields
        print(f"{fields['name'].annotation.__args__[0]}\n  {model.equation}\n  {model.reference}")
        for name, field in fields.items():
            if name == "name":
                continue
            default = "" if field.is_required() else f" [default: {_default(field.default)}]"
            print(f"    {name:<20}{field.description or ''}{default}")
        print()


def _default(value: Any) -> str:
    return str(value.model_dump(exclude_none=True)) if hasattr(value, "model_dump") else str(value)
