"""Twin spacing against the width of the martensite: `python benchmarks/twin_spacing.py` (about 10 s).

A slab of martensite of width L between inert austenite, twinned across: walls cost γ per area, and at the faces of the slab,
where twins end, the strain does not fit. Per area of the slab

    F/A = γL/w + c w,    w* = √(γL/c) ∝ √L,

for twins of thickness w without branches (C. Kittel, Phys. Rev. 70 (1946) 965, doi:10.1103/PhysRev.70.965, for magnets;
A. G. Khachaturyan, Theory of Structural Transformations in Solids (1983), for martensite). Measured are

* the closure energy c w of sharp laminates, from the elastic energy alone: slope of ln E against ln w;
* F(w) of relaxed laminates, one pair of twins in a periodic box of height 2w, and its minimum over w for L = 32 … 256 cells.

The crystal is turned by 45°, so that ⟨11⟩ walls lie along the grid: x is normal to the slab, y to the twins. Two-four polynomial
with W = 8, κ = 4 (walls of 2.2 cells, γ = 16/3), C = 1/0.6/0.2, ε⁰ = √10, clamped. Austenite is where a shift of 2W makes η = 0
the only well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import record
from scipy.fft import next_fast_len

from phasefield.analysis.landau import double_well_wall
from phasefield.analysis.quasi_static import QuasiStatic
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.mechanics.stiffness import Stiffness
from phasefield.spectral.grid import Axis, Grid

W, KAPPA, STRAIN = 8.0, 4.0, math.sqrt(10.0)
STIFFNESS = {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}, "orientation": [45.0, 0.0, 0.0]}
WIDTHS = (32, 64, 128, 256)
# Twin thicknesses tried, over that of sharp laminates.
RATIOS = np.linspace(0.8, 1.5, 8)
# Austenite on either side in units of w: the field of the closure falls as exp(−πx/w).
MARGIN = 2.0


def box(L: int, w: int) -> tuple[int, int]:
    """Cells along x and y."""
    cells = next_fast_len(int(L + 2.0 * MARGIN * w))
    return cells + cells % 2, 2 * w


def closure_energy(L: int, w: int) -> float:
    """Elastic energy per area of a slab of sharp twins, both faces together."""
    nx, ny = box(L, w)
    grid = Grid((Axis("x", nx, float(nx)), Axis("y", ny, float(ny))))
    shear = np.zeros((1, 3, 3))
    shear[0, 0, 1] = shear[0, 1, 0] = STRAIN
    solver = HomogeneousElasticity(Stiffness.model_validate(STIFFNESS).tensor(), shear, "strain", 2)
    slab = np.abs(np.arange(nx) + 0.5 - 0.5 * nx) < 0.5 * L
    twins = np.where(np.arange(ny) < w, 1.0, -1.0)
    return solver.energy(grid, (twins[:, None] * slab)[None]) / ny


def laminate_energy(L: int, w: int) -> float:
    """Energy per area of the relaxed slab, over that of the same slab without twins, walls and misfit."""
    nx, ny = box(L, w)
    slab = {"stripe": {"axis": "x", "centre": 0.5 * nx, "width": float(L)}}
    scenario = {
        "model": {
            "name": "martensite",
            "gradient_energy": KAPPA,
            "landau": {"name": "landau_24", "W": W},
            "stiffness": STIFFNESS,
            "transformation": {"strains": [[1.0, -1.0, 0.0]], "scale": STRAIN},
            "load": "strain",
        },
        "grid": {"x": {"cells": nx, "length": float(nx)}, "y": {"cells": ny, "length": float(ny)}},
        "initial": {"eta": 0.0},
        "fixed": {"transformation_shift": {"shapes": [slab], "inside": 0.0, "outside": 2.0 * W}},
        "time": {"end": 1.0},
    }
    body = QuasiStatic(scenario, rest=1e-7, device="cpu")
    x, y = np.arange(nx) + 0.5 - 0.5 * nx, np.arange(ny) + 0.5
    twins = np.tanh(ny / (2.0 * np.pi) * np.sin(2.0 * np.pi * y / ny))
    body.state = {"eta": twins[:, None] * 0.5 * (np.tanh(x + 0.5 * L) - np.tanh(x - 0.5 * L))}
    # f(0) = W/4 in the austenite.
    return body.hold()["energy"] / ny - 0.25 * W * (nx - L)


def best_spacing(L: int, coefficient: float) -> dict[str, Any]:
    """The twin thickness of least energy, between those tried: the minimum of a cubic in ln w."""
    gamma = double_well_wall(W, KAPPA).energy
    sharp = math.sqrt(gamma * L / coefficient)
    tried = sorted({round(sharp * r) for r in RATIOS})
    energies = [laminate_energy(L, w) for w in tried]
    cubic = np.polynomial.Polynomial.fit(np.log(tried), energies, 3)
    fine = np.linspace(math.log(tried[0]), math.log(tried[-1]), 20001)
    at = fine[np.argmin(cubic(fine))]
    return {
        "L": L,
        "w": float(np.exp(at)),
        "w_sharp": sharp,
        "energy": float(cubic(at)),
        "energy_sharp": 2.0 * math.sqrt(gamma * L * coefficient),
        "tried": [{"w": w, "energy": e} for w, e in zip(tried, energies, strict=True)],
    }


def slope(x: list[float], y: list[float]) -> float:
    """d ln y / d ln x by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def closure(L: int = 256, thicknesses: tuple[int, ...] = (8, 16, 32, 64)) -> dict[str, Any]:
    """Closure energies of sharp laminates: c from the thickest twins, and the slope."""
    energies = [closure_energy(L, w) for w in thicknesses]
    rows = [{"w": w, "energy": e} for w, e in zip(thicknesses, energies, strict=True)]
    return {"coefficient": energies[-1] / thicknesses[-1], "slope": slope(list(thicknesses), energies), "rows": rows}


def main() -> None:
    sharp = closure()
    print(f"closure energy of sharp laminates: {sharp['coefficient']:.4f} w, slope {sharp['slope']:.3f}")
    print("   L      w*   sharp        F   sharp")
    rows = []
    for L in WIDTHS:
        rows.append(best_spacing(L, sharp["coefficient"]))
        r = rows[-1]
        print(f"{L:4} {r['w']:7.2f} {r['w_sharp']:7.2f} {r['energy']:8.2f} {r['energy_sharp']:7.2f}", flush=True)
    exponent = slope([r["L"] for r in rows], [r["w"] for r in rows])
    energy_exponent = slope([r["L"] for r in rows], [r["energy"] for r in rows])
    print(f"w* ∝ L^{exponent:.3f}, F ∝ L^{energy_exponent:.3f}")
    wall = double_well_wall(W, KAPPA)
    content = {"wall_energy": wall.energy, "wall_cells": wall.cells(1.0), "closure": sharp}
    record.write("twin_spacing", {**content, "exponent": exponent, "energy_exponent": energy_exponent, "rows": rows})


if __name__ == "__main__":
    main()
