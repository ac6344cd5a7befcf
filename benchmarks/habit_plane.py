"""The habit plane of Fe–31 % Ni: `python benchmarks/habit_plane.py` (about two minutes).

Two tetragonal variants, strains ε₁ = +0.1322 twice and ε₃ = −0.1994 once, are twins on (110): with the fraction 0.3987 of one of
them the mean strain diag(0, −0.0672, 0.1322) leaves a plane undistorted, whose normal is (0, 0.581, 0.814). Two experiments:

* `plates`: a twinned plate in inert austenite. Its normal (0, cos θ, sin θ) is imposed, and so is the period of the twins; the
  order parameters inside relax, and with them the fractions, which begin at one half. The energy as a function of θ has its
  minimum at the habit plane; fractions are measured in the middle half of the plate. Fields vary in the plane of both normals.
* `nucleus`: a disc of the mean strain grows freely in the y–z plane, neither normal nor shape being imposed; twins are averaged
  out. Measured is the intensity-weighted direction of the structure factor when a tenth has transformed (45° for a disc).

C = 140/84/28 GPa (isotropic), energies in units of Δf, cells of size 1, κ = 4. All strains are scaled such that C₁₁ε₃² = 10 Δf,
for the nucleus 30 (129 at 355 K): in linear elasticity that changes no direction, and makes twins coarse enough for a grid.
Source of the constants: A. Artemev, Y. Jin, A. G. Khachaturyan, Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import record
from scipy.fft import next_fast_len

from phasefield.analysis.quasi_static import QuasiStatic
from phasefield.mechanics.compatibility import habit_plane
from phasefield.simulation import Simulation

LONG, SHORT = 0.1322, -0.1994
VARIANTS = [np.diag([SHORT, LONG, LONG]), np.diag([LONG, SHORT, LONG])]
STIFFNESS = {"C11": 140.0, "C12": 84.0, "C44": 28.0}
PLATE, NUCLEUS = (math.sqrt(zeta / (STIFFNESS["C11"] * SHORT**2)) for zeta in (10.0, 30.0))
ANGLES = tuple(range(40, 72, 4))


def expected() -> dict[str, Any]:
    """Fraction and normal by algebra; θ of the normal (0, cos θ, sin θ)."""
    plane = habit_plane(*VARIANTS)[0]
    normal = np.abs(plane.normals[0])
    return {
        "fraction": plane.fraction,
        "normal": normal.tolist(),
        "angle": math.degrees(math.atan2(normal[2], normal[1])),
    }


def plate(angle: float, thickness: int = 64, period: float = 24.0) -> dict[str, float]:
    """Energy per area, and fraction of the first variant, of a relaxed plate with the normal (0, cos θ, sin θ)."""
    theta = math.radians(angle)
    n, m = np.array([0.0, math.cos(theta), math.sin(theta)]), np.array([1.0, 1.0, 0.0]) / math.sqrt(2.0)
    along = float(m @ n)
    across = float(np.linalg.norm(m - along * n))
    t = (m - along * n) / across
    # The grid has x along n and y along t: rows of the matrix are the axes of the grid, columns those of the crystal.
    axes = np.array([n, t, np.cross(n, t)])
    nx, ny, height = next_fast_len(thickness + 4 * round(period)), round(period), period / across
    slab = {"stripe": {"axis": "x", "centre": 0.5 * nx, "width": float(thickness)}}
    scenario = {
        "model": {
            "name": "martensite",
            "gradient_energy": 4.0,
            "landau": {"name": "landau_234", "A": -0.5},
            "stiffness": {"cubic": STIFFNESS, "orientation": axes.tolist()},
            "transformation": {"strains": [v.tolist() for v in VARIANTS], "scale": PLATE},
            # The austenite around a thin plate keeps strains within its plane at 0, and stresses across it.
            "load": {"strain": {"yy": 0.0, "zz": 0.0, "yz": 0.0}, "stress": {"xx": 0.0, "xy": 0.0, "xz": 0.0}},
        },
        "grid": {"x": {"cells": nx, "length": float(nx)}, "y": {"cells": ny, "length": height}},
        "initial": {"eta_1": 0.0, "eta_2": 0.0},
        "fixed": {"transformation_shift": {"shapes": [slab], "inside": 0.0, "outside": 20.0}},
        "time": {"end": 1.0},
    }
    body = QuasiStatic(scenario, rest=1e-6, device="cpu")
    x, y = (body.scenario.grid.coordinates()[axis] for axis in "xy")
    x = x - 0.5 * nx
    first = np.mod((along * x + across * y) / period, 1.0) < 0.5
    inside = np.abs(x) < 0.5 * thickness
    body.state = {"eta_1": 1.0 * (inside & first), "eta_2": 1.0 * (inside & ~first)}
    energy = body.hold()["energy"] / height
    middle = np.broadcast_to(np.abs(x) < 0.25 * thickness, first.shape)
    one, two = (float(body.state[name][middle].mean()) for name in ("eta_1", "eta_2"))
    return {"angle": angle, "energy": energy, "fraction": one / (one + two)}


def plates(thickness: int = 64, period: float = 24.0, angles: tuple[float, ...] = ANGLES) -> dict[str, Any]:
    """Plates of many normals; angle of least energy (minimum of a quartic), and the fraction there."""
    rows = [plate(angle, thickness, period) for angle in angles]
    energy, fraction = (np.polynomial.Polynomial.fit(angles, [r[k] for r in rows], 4) for k in ("energy", "fraction"))
    fine = np.linspace(angles[0], angles[-1], 20001)
    at = float(fine[np.argmin(energy(fine))])
    found = {"angle": at, "normal": [0.0, math.cos(math.radians(at)), math.sin(math.radians(at))]}
    return {"thickness": thickness, "period": period, **found, "fraction": float(fraction(at)), "rows": rows}


def nucleus(cells: int = 256, transformed: float = 0.1) -> dict[str, float]:
    """Direction of the structure factor in degrees from y, both ± counted alike, and its share within 10° of the habit planes."""
    theory = expected()
    mean = theory["fraction"] * VARIANTS[0] + (1.0 - theory["fraction"]) * VARIANTS[1]
    disc = {"disc": {"centre": [0.5 * cells, 0.5 * cells], "radius": 6.0}}
    scenario = {
        "model": {
            "name": "martensite",
            "gradient_energy": 4.0,
            "landau": {"name": "landau_234", "A": 0.15},
            "stiffness": {"cubic": STIFFNESS},
            "transformation": {"strains": [[mean[1, 1], mean[2, 2], 0.0]], "scale": NUCLEUS},
            "load": ["stress"] * 6,
        },
        "grid": {axis: {"cells": cells, "length": float(cells)} for axis in "xy"},
        "initial": {"eta": {"shapes": [disc], "inside": 1.0, "outside": 0.0, "interface_width": 2.0}},
        "time": {"end": 100.0, "scheme": "imex1", "step": 0.05},
    }
    simulation = Simulation.from_scenario(scenario, device="cpu")
    while simulation.stepper.mean(0) < transformed:
        simulation.advance(until=simulation.time + 0.1)
    power = np.abs(np.fft.fft2(simulation.state["eta"])) ** 2
    power[0, 0] = 0.0
    k = np.fft.fftfreq(cells)
    angle = np.degrees(np.arctan2(np.abs(k)[:, None], np.abs(k)[None, :]))
    near = np.abs(angle - theory["angle"]) < 10.0
    result = {"transformed": simulation.stepper.mean(0), "angle": float((power * angle).sum() / power.sum())}
    simulation.close()
    return {**result, "share": float(power[near].sum() / power.sum())}


def main() -> None:
    theory = expected()
    print(f"theory: fraction {theory['fraction']:.4f}, angle {theory['angle']:.2f}°")
    found = []
    for thickness, period in ((64, 24.0), (128, 24.0), (128, 32.0), (128, 16.0), (256, 24.0)):
        found.append(plates(thickness, period))
        r = found[-1]
        print(
            f"plate {thickness:3}, period {period:g}: angle {r['angle']:.2f}°, fraction {r['fraction']:.4f}", flush=True
        )
    free = nucleus()
    print(
        f"nucleus at {free['transformed']:.2f}: angle {free['angle']:.2f}°, {free['share']:.2f} of the power within 10°"
    )
    record.write("habit_plane", {"theory": theory, "plates": found, "nucleus": free})


if __name__ == "__main__":
    main()
