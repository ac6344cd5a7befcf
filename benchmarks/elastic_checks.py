"""Numbers of the elastic solvers that take longer than a test should: iterations under refinement, errors, the Griffith curve.

python benchmarks/elastic_checks.py     → benchmarks/results/elastic_checks.json

Iterations of a cold start to 1e-6 of the ramp's residual, single-edge notch in tension and shear: an empty row (g = 1e-9), a
crack φ = 1 with the profile of AT2, ℓ = 0.015 of the side or ℓ = 3.84 h, and no crack. Errors of stress, mean over the body:
a hole in a plate (between faces), coated hole and grain (periodic). The Griffith curve of the notched square, Gc = 2.7e-3 kN/mm.
The cases are those of the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from record import write

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "mechanics")]

from test_bounded_closed_forms import kirsch  # noqa: E402
from test_bounded_elasticity import SHEARED, TENSION, damaged, slit, specimen  # noqa: E402
from test_periodic_closed_forms import coated  # noqa: E402

from phasefield.analysis.griffith import edge_crack, griffith_curve, sent_specimen  # noqa: E402

CELLS = (64, 128, 256, 512)
CRACKS = {
    "none": lambda n: np.ones((n, n)),
    "empty row": slit,
    "phi, l = 0.015": damaged,
    "phi, l = 3.84 h": lambda n: damaged(n, 3.84 / n),
}


def iterations() -> list[dict]:
    rows = []
    for load, setting in (("tension", TENSION), ("shear", SHEARED)):
        for crack, factor in CRACKS.items():
            counts = {str(n): specimen(n, setting).solve(factor(n)).iterations for n in CELLS}
            rows.append({"load": load, "crack": crack, "iterations": counts})
            print(rows[-1])
    return rows


def errors() -> dict:
    found = {"hole in a plate": {str(n): kirsch(n) for n in CELLS}}
    for name, core in (("coated hole", (0.0, 0.0)), ("coated grain", (20.0, 8.0))):
        found[name] = {str(n): coated(n, core)[0] for n in CELLS}
    print(found)
    return found


def griffith(cells: int) -> dict:
    body = sent_specimen(cells)
    lengths = np.arange(cells // 2 - 4, int(0.94 * cells) + 1, 2) / cells
    curve = griffith_curve(body, edge_crack(body.grid), lengths, 2.7e-3)
    top = int(np.argmax(curve.load))
    print(
        f"{cells}: {curve.load[2]:.7f} mm, {curve.reaction[2]:.6f} kN, largest {curve.load[top]:.7f} at {lengths[top]}"
    )
    return {"cells": cells, "mm": lengths[2:], "load_mm": curve.load[2:], "force_kN": curve.reaction[2:]}


def main() -> None:
    curves = [griffith(n) for n in (128, 256)]
    curves = [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in c.items()} for c in curves]
    write("elastic_checks", {"iterations": iterations(), "mean_error_of_stress": errors(), "griffith": curves})


if __name__ == "__main__":
    main()
