"""The PFHub scenarios that are here against published numbers: `python benchmarks/pfhub.py [NAME …]`.

Every benchmark whose energy others have published runs to its end; printed are F at t = 1, 10, 100 and 1000, the median of the
uploads where it is known, and the wall time of a first run with kernels compiled before. Writes `benchmarks/results/pfhub.json`.
Other parts have scripts of their own: `benchmarks/pfhub_7a.py`, `benchmarks/pfhub_8a.py` and `benchmarks/nucleation.py`.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import record

import phasefield as pf
from phasefield.backend import available_threads
from phasefield.output.provenance import cpu_model

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "scenarios/pfhub"
PUBLISHED = ROOT / "docs/data/pfhub_medians.csv"
MARKS = (1.0, 10.0, 100.0, 1000.0)
# Measured by scripts of their own.
ELSEWHERE = ("7a", "8a", "8b", "8c")


def medians(part: str) -> dict[float, float]:
    """Published medians of the free energy by time."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["benchmark"], row["kind"]) == (part, "median")]
    return {float(row["at"]): float(row["value"]) for row in rows}


def measure(part: str) -> dict[str, Any]:
    """Energies at the marks from the history of a run with fine rows, and the times of a run as shipped."""
    path = SCENARIOS / f"{part}.yaml"
    with tempfile.TemporaryDirectory() as folder:
        # Rows at every mark; this run also compiles.
        end = min(MARKS[-1], pf.load_scenario(path).settings.time.end)
        fine = {"time.end": end, "output.history.every": 1.0, "output.fields": {"every": end}, "verify": False}
        history = pf.run(path, fine, output=Path(folder) / "fine", device="cpu").history.load()
        whole = pf.run(path, output=Path(folder) / "whole", device="cpu")
        state, last = whole.status, float(whole.history["energy"].values[-1])
    times, energies = history["time"].values, history["energy"].values
    marks = [t for t in MARKS if t <= end]
    return {
        "free_energy": {f"{t:g}": float(energies[np.abs(times - t).argmin()]) for t in marks},
        "median": {f"{t:g}": v for t, v in medians(part).items()},
        "end": {"time": state["time"], "free_energy": last, "steps": state["steps"]},
        "seconds": state["seconds"],
        "memory_mib": state["peak_memory_bytes"] / 2**20,
        "verified": state["verified"],
    }


def main() -> None:
    parts = sys.argv[1:] or [p.stem for p in sorted(SCENARIOS.glob("*.yaml")) if p.stem not in ELSEWHERE]
    results = {}
    for part in parts:
        results[part] = row = measure(part)
        print(f"{part}: {row['end']['steps']} steps to t = {row['end']['time']:g} in {row['seconds']:.1f} s")
        for time, energy in row["free_energy"].items():
            known = row["median"].get(time)
            against = "" if known is None else f"   median {known:g}   {100.0 * (energy / known - 1.0):+.1f} %"
            print(f"  t = {time:<6}F = {energy:.3f}{against}")
        print(f"  end       F = {row['end']['free_energy']:.3f}")
    record.write("pfhub", {"cpu": cpu_model(), "threads": available_threads(), "benchmarks": results})


if __name__ == "__main__":
    main()
