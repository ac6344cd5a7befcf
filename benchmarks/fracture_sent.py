"""Single-edge-notch tension: paths of equilibrium against Griffith's curve of the same specimen, and what they cost.

python benchmarks/fracture_sent.py [case …]     → benchmarks/results/fracture_sent.json

Without names all cases are run; others that are in the file stay. A square of 1 mm, E = 210 kN/mm², ν = 0.3, Gc = 2.7e-3 kN/mm,
ℓ = 0.015 mm, clamped below, u_y given and u_x = 0 above, tolerance 1e-4, residual stiffness 1e-9, one thread unless
`--threads` says otherwise. Lengths in mm, forces in kN, energies in kN mm (per mm of thickness).

`dissipation` control: ten steps of load to 4.2 µm, from there on steps of 4 Gc h. `displacement` control: the same ten steps,
then steps of 0.02 µm. The run ends when the force is below a tenth of its largest.

C. Miehe, M. Hofacker, F. Welschinger, Comput. Methods Appl. Mech. Engrg. 199 (2010) 2765, doi:10.1016/j.cma.2010.04.011.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from record import RESULTS, write

import phasefield as pf
from phasefield.analysis.griffith import GriffithCurve, edge_crack, griffith_curve, sent_specimen
from phasefield.crack_growth import CrackGrowth

TOUGHNESS, NOTCH = 2.7e-3, 0.5
__all__ = ["CASES", "Case", "griffith", "measures", "replace", "run", "stored_curve"]
# Where a crack is long enough to have left the notch, and short enough not to see the other side.
RUNNING = (0.55, 0.85)


@dataclass(frozen=True)
class Case:
    """What is run; `notch`: φ = 1 (`damage`) or empty cells (`void`), one row of cells."""

    cells: int = 256
    dissipation: str = "AT1"
    notch: str = "damage"
    control: str = "dissipation"
    irreversibility: str = "bounds"
    acceleration: str = "anderson"
    tolerance: float = 1e-4
    length: float = 0.015


CASES = {
    "AT1": Case(),
    "AT2": Case(dissipation="AT2"),
    "AT1 plain": Case(acceleration="none"),
    "AT1 over-relaxed": Case(acceleration="over_relaxation"),
    "AT1 134": Case(cells=134),
    "AT1 134 plain": Case(cells=134, acceleration="none"),
    "AT1 134 over-relaxed": Case(cells=134, acceleration="over_relaxation"),
    "AT2 134": Case(cells=134, dissipation="AT2"),
    "AT2 134 void": Case(cells=134, dissipation="AT2", notch="void"),
    "AT2 void": Case(dissipation="AT2", notch="void"),
    "AT1 void": Case(notch="void"),
    "AT2 134 displacement": Case(cells=134, dissipation="AT2", control="displacement"),
    "AT2 134 displacement plain": Case(cells=134, dissipation="AT2", control="displacement", acceleration="none"),
    "AT2 134 void displacement": Case(cells=134, dissipation="AT2", notch="void", control="displacement"),
    # The rule bounds nothing: a notch of φ = 1 would heal.
    "AT2 134 void history": Case(
        cells=134, dissipation="AT2", notch="void", control="displacement", irreversibility="history"
    ),
}


def scenario(case: Case) -> dict[str, Any]:
    """The scenario of a case; time counts steps."""
    h = 1.0 / case.cells
    if case.control == "dissipation":
        steps = int(0.5 / (4.0 * h) * 0.985)
        last: dict[str, float] = {"until": 10.0 + steps, "dissipation": steps * 4.0 * TOUGHNESS * h}
    else:
        steps = 90
        last = {"until": 10.0 + steps, "factor": 4.2e-3 + steps * 2e-5}
    slit = {"slit": {"from": [-0.1, 0.5], "to": [NOTCH, 0.5]}}
    axis = {"cells": case.cells, "length": 1.0, "boundary": "no_flux"}
    model: dict[str, Any] = {
        "name": "fracture",
        "dissipation": case.dissipation,
        "toughness": TOUGHNESS,
        "length": case.length,
        "young_modulus": 210.0,
        "poisson_ratio": 0.3,
        "irreversibility": case.irreversibility,
        "faces": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}},
        "load": [{"until": 10.0, "factor": 4.2e-3}, last],
        "stop": {"force": 0.1},
        "minimisation": {"acceleration": case.acceleration, "tolerance": case.tolerance},
    }
    if case.notch == "void":
        model["regions"] = [{"name": "notch", "shapes": [slit], "void": True}]
    return {
        "model": model,
        "grid": {"x": axis, "y": axis},
        "initial": {"phi": 0.0 if case.notch == "void" else {"shapes": [slit]}},
        "time": {"end": last["until"], "step": 1.0},
    }


def run(case: Case, threads: int) -> dict[str, Any]:
    """Rows of the history as lists by name, passes of every step, and the time taken."""
    rows: list[dict[str, float]] = []
    used = time.process_time()
    simulation = pf.Simulation.from_scenario(scenario(case), threads=threads)
    assert isinstance(simulation, CrackGrowth)

    def note(sim: Any) -> None:
        rows.append(sim.history_row() | {"step_passes": sim.last_passes})

    began, load_before = time.perf_counter(), os.getloadavg()[0]
    simulation.advance(on_step=note)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    simulation.close()
    names = ("load", "force", "dissipated", "energy_elastic", "work", "released", "step_passes", "jumps", "max_phi")
    path = {name: [float(row[name]) for row in rows] for name in names}
    last = rows[-1]
    counts = {n: int(last[n]) for n in ("steps", "passes", "taken_back", "elastic_iterations", "damage_iterations")}
    costs = {
        "seconds": seconds,
        "cpu_seconds": used,
        "threads": threads,
        "machine_load": [load_before, os.getloadavg()[0]],
    }
    return {"case": asdict(case), "path": path, **counts, **costs, "ended": simulation.stopped}


def numerical_toughness(case: Case) -> float:
    """Energy of a crack along this grid over Gc."""
    return pf.load_scenario(scenario(case)).model.dissipation.numerical_toughness(case.length, 1.0 / case.cells)


def griffith(cells: int) -> GriffithCurve:
    """From 0.5 mm (and two lengths before) to 0.94 mm, every other cell; residual stiffness as in the runs."""
    body = sent_specimen(cells)
    lengths = np.arange(cells // 2 - 4, int(0.94 * cells) + 1, 2) / cells
    curve = griffith_curve(body, edge_crack(body.grid, residual=1e-9), lengths, TOUGHNESS)
    body.close()
    return curve


def stored_curve(lists: dict[str, list[float]]) -> GriffithCurve:
    """A curve of the record."""
    return GriffithCurve(release=np.zeros(0), **{name: np.array(values) for name, values in lists.items()})


def measures(result: dict[str, Any], curve: GriffithCurve) -> dict[str, float]:
    """Peaks, distance from Griffith's curve, energies and passes of one run."""
    case = Case(**result["case"])
    path = {name: np.array(values) for name, values in result["path"].items()}
    factor = numerical_toughness(case)
    u, F, D, W = path["load"], path["force"], path["dissipated"], path["work"]
    peak = int(np.argmax(F))
    balance = np.abs(path["released"]) / np.maximum(W, 1e-300)
    smooth = path["jumps"] == 0
    row = {
        "peak_force": F[peak],
        "peak_force_at": u[peak],
        "largest_displacement": float(u.max()),
        "dissipated": D[-1],
        "of_ligament": D[-1] / (NOTCH * TOUGHNESS * factor),
        "balance": float(balance[smooth].max()),
        "created": float((-path["released"] / np.maximum(W, 1e-300)).max()),
        "released": path["released"][-1] / W[-1],
        "most_passes": float(path["step_passes"].max()),
    }
    # Two lengths of the crack: what it has dissipated, and the one whose specimen is as stiff.
    by_energy = NOTCH + D / (TOUGHNESS * factor)
    stiffness = 2.0 * curve.energy
    by_stiffness = np.interp(-F / u, -stiffness, curve.lengths)
    for name, a in (("energy", by_energy), ("stiffness", by_stiffness)):
        inside = (a > RUNNING[0]) & (a < RUNNING[1])
        if case.control == "dissipation" and inside.any():
            expected = np.interp(a[inside], curve.lengths, curve.load) * np.sqrt(factor)
            row[f"off_griffith_{name}"] = float(np.max(np.abs(u[inside] / expected - 1.0)))
            row[f"length_difference_{name}"] = float(np.mean(by_energy[inside] - by_stiffness[inside]))
    return row


def table(results: dict[str, Any]) -> None:
    """Print what was measured."""
    print(
        f"{'case':26s} {'F kN':>7s} {'at µm':>6s} {'u µm':>6s} {'off':>7s} {'balance':>8s} {'released':>8s} "
        f"{'D/lig':>6s} {'steps':>5s} {'passes':>6s} {'most':>5s} {'elastic':>7s} {'damage':>7s} {'s':>6s} {'CPU s':>6s}"
    )
    for name, r in results.items():
        m = r["measures"]
        print(
            f"{name:26s} {m['peak_force']:7.4f} {1e3 * m['peak_force_at']:6.3f} {1e3 * m['largest_displacement']:6.3f} "
            f"{m.get('off_griffith_energy', np.nan):7.2%} {m['balance']:8.1e} {m['released']:8.2%} {m['of_ligament']:6.3f} "
            f"{r['steps']:5d} {r['passes']:6d} {m['most_passes']:5.0f} {r['elastic_iterations']:7d} "
            f"{r['damage_iterations']:7d} {r['seconds']:6.0f} {r['cpu_seconds']:6.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for name in options.cases or CASES:
        result = run(CASES[name], options.threads)
        target = RESULTS / "fracture_sent.json"
        stored = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"griffith": {}, "runs": {}}
        cells = str(result["case"]["cells"])
        if cells not in stored["griffith"]:
            curve = griffith(int(cells))
            stored["griffith"][cells] = {k: [float(x) for x in v] for k, v in asdict(curve).items() if k != "release"}
        result["measures"] = measures(result, stored_curve(stored["griffith"][cells]))
        stored["runs"][name] = result
        stored["runs"] = {n: stored["runs"][n] for n in CASES if n in stored["runs"]}
        write("fracture_sent", {"griffith": stored["griffith"], "runs": stored["runs"]})
        table({name: result})
    table(json.loads((RESULTS / "fracture_sent.json").read_text(encoding="utf-8"))["runs"])


if __name__ == "__main__":
    main()
