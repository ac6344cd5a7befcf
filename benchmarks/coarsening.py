"""Exponents of coarsening: `python benchmarks/coarsening.py [symmetric] [droplets] [accuracy] [-s key=value …]`.

* symmetric: `scenarios/coarsening.yaml`, 1024² to t = 10⁵, with seeds 1, 2, 3.
* droplets: the same at mean −0.4.
* accuracy: seed 1 again with a tenth of the tolerance, from the same initial state.

Runs are kept in `runs/coarsening…`; a finished run of the same scenario there is used as it is.
Writes `benchmarks/results/coarsening.json`; parts that are not run keep their numbers. Theory: every length as t^(1/3), steps as
t^(13/18), see docs/theory/coarsening.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, write

import phasefield as pf
from phasefield.analysis.coarsening import Coarsening, coarsening
from phasefield.scenario import load_scenario
from phasefield.scenario.document import scalar

ROOT = Path(__file__).parents[1]
SCENARIO = ROOT / "scenarios/coarsening.yaml"
LENGTHS = ("interface_spacing", "first_zero", "mean_wavelength")
# Decades of time before the end over which exponents are fitted.
DECADES = (1.0, 1.5, 2.0)
SEEDS = (1, 2, 3)


def kept(name: str, overrides: dict[str, Any]) -> pf.Run:
    """The finished run of this very scenario in `runs/<name>`, or a new one there."""
    folder = ROOT / "runs" / name
    if folder.exists():
        run = pf.Run(folder)
        if run.status.get("status") == "finished" and run.scenario == load_scenario(SCENARIO, overrides).resolved():
            return run
    return pf.run(SCENARIO, overrides, output=folder, overwrite=True)


def exponents(found: Coarsening) -> list[dict[str, Any]]:
    """Fits of all lengths and of the step, over windows of several widths."""
    first, rows = float(found.time[0]), []
    early = (first, first * 10.0**1.5)
    for name, window in {**{f"last {d:g}": found.window(d) for d in DECADES}, "first 1.5": early}.items():
        rows.append(
            {
                "decades": name,
                "window": window,
                **{length: asdict(found.law(length, window)) for length in LENGTHS},
                "step_exponent": found.step_exponent(window),
                "tail_constant": _range(found.tail_constant, found, window),
            }
        )
    return rows


def _range(values: np.ndarray, found: Coarsening, window: tuple[float, float]) -> list[float]:
    inside = values[(found.time >= window[0] * (1 - 1e-9)) & (found.time <= window[1] * (1 + 1e-9))]
    return [float(inside.min()), float(inside.max())]


def record(run: pf.Run) -> dict[str, Any]:
    found, status = coarsening(run), run.status
    columns = ("time", *LENGTHS, "step_size", "tail_constant")
    return {
        "cells": [axis["cells"] for axis in run.scenario["grid"].values()],
        "mean": run.scenario["initial"]["c"]["mean"],
        "tolerance": run.scenario["time"]["step"]["tolerance"],
        "seed": run.scenario["seed"],
        "steps": int(run.history["steps"].values[-1]),
        "rejected_steps": int(run.history["rejected_steps"].values[-1]),
        "seconds": status["seconds"],
        "verified": status["verified"],
        "largest_wavelength_over_box": float(found.mean_wavelength[-1] / found.box),
        "fits": exponents(found),
        "curves": {name: [v if np.isfinite(v) else None for v in getattr(found, name).tolist()] for name in columns},
    }


def symmetric(overrides: dict[str, Any]) -> dict[str, Any]:
    """The first seed in full; exponents of every seed, their mean and the standard error of it, by decades and length."""
    runs = [kept("coarsening" if seed == 1 else f"coarsening_{seed}", {**overrides, "seed": seed}) for seed in SEEDS]
    fits = [exponents(coarsening(run)) for run in runs]
    over_seeds = {}
    for row, decades in enumerate(fit["decades"] for fit in fits[0]):
        values = {name: [fit[row][name]["exponent"] for fit in fits] for name in LENGTHS}
        values["step"] = [fit[row]["step_exponent"] for fit in fits]
        over_seeds[decades] = {
            name: {"mean": np.mean(v).item(), "error": (np.std(v, ddof=1) / np.sqrt(len(v))).item(), "seeds": v}
            for name, v in values.items()
        }
    return {**record(runs[0]), "over_seeds": over_seeds}


def droplets(overrides: dict[str, Any]) -> dict[str, Any]:
    return record(kept("coarsening_droplets", {"initial.c.mean": -0.4, **overrides}))


def accuracy(overrides: dict[str, Any]) -> dict[str, Any]:
    """The first run with a tenth of the tolerance: differences at the same times, and exponents of both."""
    usual = coarsening(kept("coarsening", {**overrides, "seed": 1}))
    run = kept("coarsening_tight", {**overrides, "time.step.tolerance": 1e-5})
    tight, window = coarsening(run), usual.window(max(DECADES))
    result: dict[str, Any] = {
        "tolerance": run.scenario["time"]["step"]["tolerance"],
        "steps": int(run.history["steps"].values[-1]),
        "seconds": run.status["seconds"],
        "fits": exponents(tight),
    }
    for name in LENGTHS:
        inside = (usual.time >= window[0] * (1 - 1e-9)) & (usual.time <= window[1] * (1 + 1e-9))
        difference = getattr(usual, name)[inside] / getattr(tight, name)[inside] - 1.0
        result[f"difference_{name}"] = float(np.max(np.abs(difference)))
    return result


PARTS = {"symmetric": symmetric, "droplets": droplets, "accuracy": accuracy}


def show(name: str, part: dict[str, Any]) -> None:
    for fit in part["fits"]:
        numbers = ", ".join(
            f"{n} {fit[n]['exponent']:.3f} (offset {fit[n]['offset_exponent']:.3f}, {100 * fit[n]['deviation']:.1f} %)"
            for n in LENGTHS
        )
        print(f"{name}, t = {fit['window'][0]:.0f} … {fit['window'][1]:.0f}: {numbers}; step {fit['step_exponent']:.3f}, "
              f"C {fit['tail_constant']}")  # fmt: skip
    for decades, values in part.get("over_seeds", {}).items():
        print(f"{decades} decades:", ", ".join(f"{n} {v['mean']:.3f} ± {v['error']:.3f}" for n, v in values.items()))
    print({k: v for k, v in part.items() if k.startswith("difference")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="of " + ", ".join(PARTS))
    parser.add_argument("-s", action="append", default=[], help="key=value, as for `phasefield run`")
    arguments = parser.parse_args()
    overrides = {key: scalar(value) for key, value in (text.split("=", 1) for text in arguments.s)}
    stored = RESULTS / "coarsening.json"
    before = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    content = {name: before[name] for name in PARTS if name in before}
    for name in arguments.parts or PARTS:
        content[name] = PARTS[name](overrides)
        show(name, content[name])
    write("coarsening", {"scenario": "scenarios/coarsening.yaml", **content})


if __name__ == "__main__":
    main()
