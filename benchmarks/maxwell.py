"""The plateau stress of Fe₇₀Pd₃₀ just above its transition: `python benchmarks/maxwell.py` (a few seconds).

A bar with both phases under a prescribed mean strain half-way between them: walls move until both have the same f − σe, and the
stress is σ_M(T), whatever the size of the phases. ∂σ_M/∂T = ½ α₀ e₀ = 8.246 MPa/K at T_c (Clausius–Clapeyron).
Constants: A₂ = 212 (T − 265 K)/265 K, A₄ = 1.7·10⁴, A₆ = 3·10⁷ GPa (R. P. Dhote et al., Comput. Mech. 53 (2014),
doi:10.1007/s00466-013-0966-0), in units with b = c = κ = 1; the walls are compatible, so that elastic constants do not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import record

from phasefield.analysis.landau import martensite_strain, maxwell_slope, maxwell_stress, scales, transitions
from phasefield.analysis.quasi_static import QuasiStatic

A2, T_A, A4, A6 = 212.0, 265.0, 1.7e4, 3.0e7
# At 0.74 K martensite ceases to be metastable without a stress.
ABOVE = (0.05, 0.1, 0.2, 0.5, 0.7)
LENGTH, CELLS = 80.0, 256


def plateau(a: float) -> float:
    """Driving force σ:ε⁰ at rest."""
    e0 = martensite_strain(a, 1.0, 1.0)
    slab = {"stripe": {"axis": "x", "centre": 0.5 * LENGTH, "width": 0.5 * LENGTH}}
    scenario = {
        "model": {
            "name": "martensite",
            "gradient_energy": 1.0,
            "landau": {"name": "landau_246", "a": a, "b": 1.0, "c": 1.0},
            "stiffness": {"cubic": {"C11": 10.0, "C12": 6.0, "C44": 2.0}, "orientation": [45.0, 0.0, 0.0]},
            "transformation": {"strains": [[1.0, -1.0, 0.0]]},
            "load": {"strain": {"xy": 0.0}, "stress": {"xx": 0.0, "yy": 0.0}},
        },
        "grid": {"x": {"cells": CELLS, "length": LENGTH}, "y": {"cells": 4, "length": 1.25}},
        "initial": {"eta": {"shapes": [slab], "inside": e0, "outside": 0.0, "interface_width": 2.0}},
        "time": {"end": 1.0},
    }
    body = QuasiStatic(scenario, rest=1e-8, device="cpu")
    shear = float(body.scenario.model.strains[0][0, 1])  # type: ignore[attr-defined]
    return 2.0 * shear * body.hold({"strain_xy": 0.5 * e0 * shear})["mean_stress_xy"]


def slope_at_coexistence(rows: list[dict[str, Any]]) -> float:
    """MPa/K: the secants from T_c, extrapolated to T_c by a straight line through those up to 0.2 K."""
    near = [r for r in rows if r["above"] <= 0.2]
    line = np.polynomial.Polynomial.fit([r["above"] for r in near], [r["stress"] / r["above"] for r in near], 1)
    return float(line(0.0))


def main() -> None:
    units = scales(A4, A6, 1.0)
    slope = A2 / T_A / units.modulus
    T_c = T_A + transitions(1.0, 1.0).coexistence / slope
    MPa = 1e3 * units.stress
    rows = []
    print("T − T_c   plateau    σ_M (MPa)   secant (MPa/K)")
    for above in ABOVE:
        a = slope * (T_c + above - T_A)
        rows.append({"above": above, "stress": MPa * plateau(a), "theory": MPa * maxwell_stress(a, 1.0, 1.0)})
        r = rows[-1]
        print(f"{above:7} {r['stress']:9.5f}    {r['theory']:9.5f}   {r['stress'] / above:14.4f}", flush=True)
    found, theory = slope_at_coexistence(rows), 1e3 * maxwell_slope(A2 / T_A, A4, A6)
    print(f"dσ_M/dT at T_c: {found:.4f} MPa/K, theory {theory:.4f}")
    record.write("maxwell", {"T_c": T_c, "slope": found, "theory": theory, "rows": rows})


if __name__ == "__main__":
    main()
