"""Fracture next to a finite-element script: the notched square in tension, the same cells, load path and tolerance.

    python benchmarks/fracture_peers.py [--cells 64 128] [--output results.json]

The peer is what a user of finite elements would write with scikit-fem (`pip install scikit-fem`): bilinear displacements and
damage on the same squares, alternate minimisation without acceleration until no φ changes by more than the tolerance, history
field for irreversibility, SuperLU. It does less: its damage problem is linear, without bounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import scipy.sparse.linalg as spla

import phasefield as pf

YOUNG, POISSON, TOUGHNESS, TOLERANCE, ETA = 210.0, 0.3, 2.7e-3, 1e-4, 1e-9
LOADS = np.arange(1, 12) * 4.0e-4


def scenario(cells: int, ell: float) -> dict:
    """AT2 with a crack of one row of cells, pulled to 4.4 µm, before it runs."""
    axis = {"cells": cells, "length": 1.0, "boundary": "no_flux"}
    middle = (cells // 2 + 0.5) / cells
    return {
        "model": {
            "name": "fracture",
            "dissipation": "AT2",
            "young_modulus": YOUNG,
            "poisson_ratio": POISSON,
            "toughness": TOUGHNESS,
            "length": ell,
            "residual_stiffness": ETA,
            "faces": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}},
            "load": [[0.0, 0.0], [float(len(LOADS)), float(LOADS[-1])]],
            "minimisation": {"tolerance": TOLERANCE},
        },
        "grid": {"x": axis, "y": axis},
        "initial": {"phi": {"shapes": [{"slit": {"from": [-0.1, middle], "to": [0.5, middle]}}]}},
        "time": {"end": float(len(LOADS)), "step": 1.0},
        "verify": False,
    }


def ours(cells: int, ell: float, threads: int) -> dict:
    """Load, force, passes and seconds; compilation is not counted."""
    simulation = pf.Simulation.from_scenario(scenario(cells, ell), threads=threads)
    rows = []
    began = time.perf_counter()
    simulation.advance(on_step=lambda s: rows.append((s.load, s.force)))
    seconds = time.perf_counter() - began
    passes = simulation.counters.passes
    simulation.close()
    return {"seconds": seconds, "passes": passes, "force": [force for _, force in rows]}


def peer(cells: int, ell: float) -> dict:
    """The same with scikit-fem."""
    from skfem import Basis, BilinearForm, ElementQuad1, ElementVector, LinearForm, MeshQuad, asm, condense, solve
    from skfem.helpers import ddot, dot, grad, sym_grad
    from skfem.helpers import trace as tr

    line = np.linspace(0.0, 1.0, cells + 1)
    mesh = MeshQuad.init_tensor(line, line)
    ub, pb = Basis(mesh, ElementVector(ElementQuad1()), intorder=2), Basis(mesh, ElementQuad1(), intorder=2)
    lame, shear = YOUNG * POISSON / ((1 + POISSON) * (1 - 2 * POISSON)), YOUNG / (2 * (1 + POISSON))

    @BilinearForm
    def stiffness(u, v, w):
        e, f = sym_grad(u), sym_grad(v)
        return ((1 - ETA) * (1 - w["phi"]) ** 2 + ETA) * (lame * tr(e) * tr(f) + 2 * shear * ddot(e, f))

    @BilinearForm
    def damage(p, q, w):
        return (TOUGHNESS / ell + 2 * w["H"]) * p * q + TOUGHNESS * ell * dot(grad(p), grad(q))

    @LinearForm
    def drive(q, w):
        return 2 * w["H"] * q

    bottom, top = (ub.get_dofs(lambda x, at=at: np.isclose(x[1], at)) for at in (0.0, 1.0))
    held = np.concatenate([bottom.all(), top.all()])
    x = mesh.p
    h = 1.0 / cells
    row = (cells // 2) * h
    crack = np.flatnonzero((x[0] <= 0.5 + 1e-9) & (x[1] > row - 1e-9) & (x[1] < row + h + 1e-9))
    phi = np.zeros(pb.N)
    phi[crack] = 1.0
    ones = np.isin(np.arange(pb.N), crack)
    largest = np.zeros_like(pb.dx)
    u, passes, forces = np.zeros(ub.N), 0, []

    def solve_damage(H: np.ndarray) -> np.ndarray:
        matrix, vector = asm(damage, pb, H=H), asm(drive, pb, H=H)
        return solve(*condense(matrix, vector, x=ones.astype(float), D=np.flatnonzero(ones)))

    phi = solve_damage(largest)
    began = time.perf_counter()
    for load in LOADS:
        for _ in range(2000):
            passes += 1
            matrix = asm(stiffness, ub, phi=pb.interpolate(phi)).tocsc()
            u[held] = 0.0
            u[top.all("u^2")] = load
            free = np.setdiff1d(np.arange(ub.N), held)
            u[free] = spla.spsolve(matrix[free][:, free], -(matrix[free][:, held] @ u[held]))
            e = sym_grad(ub.interpolate(u))
            psi = 0.5 * lame * tr(e) ** 2 + shear * ddot(e, e)
            new = solve_damage(np.maximum(largest, np.asarray(psi)))
            change = float(np.abs(new - phi).max())
            phi = new
            if change <= TOLERANCE:
                break
        largest = np.maximum(largest, np.asarray(psi))
        forces.append(float((matrix @ u)[top.all("u^2")].sum()))
    return {"seconds": time.perf_counter() - began, "passes": passes, "force": forces}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result = {"machine": platform.processor() or platform.machine(), "threads": options.threads, "cells": {}}
    print(
        f"{'cells':>6} {'ours':>9} {'passes':>7} {'scikit-fem':>11} {'passes':>7} {'ratio':>7} {'per pass':>9} {'force':>16}"
    )
    for cells in options.cells:
        ell = 4.0 / cells
        ours(16, 0.25, options.threads)
        first, second = ours(cells, ell, options.threads), peer(cells, ell)
        ratio = second["seconds"] / first["seconds"]
        per_pass = ratio * first["passes"] / second["passes"]
        print(
            f"{cells:>6} {first['seconds']:>8.2f}s {first['passes']:>7} {second['seconds']:>10.1f}s {second['passes']:>7} "
            f"{ratio:>7.1f} {per_pass:>9.1f} {first['force'][-1]:>8.4f} {second['force'][-1]:.4f}"
        )
        result["cells"][cells] = {"ours": first, "peer": second, "ratio": ratio, "ratio_per_pass": per_pass}
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
