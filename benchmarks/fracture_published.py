"""Largest forces of two published bodies: `python benchmarks/fracture_published.py` (minutes) → results/fracture_published.json.

`scenarios/fracture_sens.yaml` and `fracture_three_point.yaml` as they are, against C. Miehe, M. Hofacker, F. Welschinger, Comput.
Methods Appl. Mech. Engrg. 199 (2010) 2765, doi:10.1016/j.cma.2010.04.011, values read from its figures.

Finished runs in `runs/` are used, else they are made there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import record

import phasefield as pf

ROOT = Path(__file__).parents[1]
# Displacement in mm, force in kN.
PUBLISHED = {"fracture_sens": (9.4e-3, 0.531), "fracture_three_point": (0.0390, 0.03475)}


def finished(name: str) -> pf.Run:
    folder = ROOT / "runs" / name
    if folder.exists() and pf.Run(folder).status.get("status") == "finished":
        return pf.Run(folder)
    return pf.run(ROOT / f"scenarios/{name}.yaml", output=folder, overwrite=True)


def measured(run: pf.Run) -> dict[str, Any]:
    """The largest force with its displacement, the largest later one, balance and effort."""
    u, force = (np.asarray(run.history[name], float) for name in ("load", "force"))
    released, work = (np.asarray(run.history[name], float) for name in ("released", "work"))
    first = int(np.argmax(force))
    return {
        "stiffness": force[1] / u[1],
        "peak_displacement": u[first],
        "peak_force": force[first],
        "balance": float(np.max(np.abs(released[1:]) / work[1:])),
        "steps": int(run.history["steps"].values[-1]),
        "passes": int(run.history["passes"].values[-1]),
        "seconds": float(run.status.get("seconds", np.nan)),
    }


def main() -> None:
    content = {}
    for name, (u, force) in PUBLISHED.items():
        found = measured(finished(name))
        content[name] = {"published_displacement": u, "published_force": force, **found}
        print(
            f"{name}: {found['peak_force']:.4g} kN at {found['peak_displacement']:.4g} mm, published {force:g} at {u:g}"
        )
    record.write("fracture_published", content)


if __name__ == "__main__":
    main()
