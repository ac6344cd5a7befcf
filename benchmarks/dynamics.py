"""What an explicit step of a moving body costs, beside what one would write with NumPy or SciPy.

python benchmarks/dynamics.py     → benchmarks/results/dynamics.json

800 × 321 cells of the branching plate, without damage solves; nanoseconds per cell and step, the least of several repetitions,
all in one process. `numpy`: the same elements with arrays of strains of all Gauss points and no split, as a script would have it.
`scipy`: u and v as vectors, f = K u with an assembled sparse matrix, which knows no split and would have to be assembled anew
whenever a crack grows. `share`: of the bandwidth of a copy of the same size, by the bytes that must move (u and v read, v
written, masses and φ read).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from record import write
from scipy.sparse import coo_matrix

from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.lattice_waves import element_stiffness
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid

NX, NY, H = 800, 321, 0.125e-3
E, NU, RHO = 32e9, 0.2, 2450.0
LAME, SHEAR = E * NU / ((1.0 + NU) * (1.0 - 2.0 * NU)), E / (2.0 * (1.0 + NU))
# Doubles per node: u and v read (2 each), v written (2), mass and φ read.
DOUBLES = 8


def grid() -> Grid:
    return Grid((Axis("x", NX, NX * H, "no_flux"), Axis("y", NY, NY * H, "no_flux")))


def least(call: Callable[[], object], repetitions: int = 15) -> float:
    """Seconds of the fastest call."""
    call()
    best = np.inf
    for _ in range(repetitions):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def ours(split: str, elements: str, threads: int) -> tuple[float, float]:
    """Seconds of the pass from displacements to velocities, and of that from displacements to energies."""
    body = MovingBody(grid(), make_split(split, LAME, SHEAR, 2), RHO, scheme=elements, threads=threads)
    rng = np.random.default_rng(0)
    body.u[...] = 1e-9 * rng.standard_normal(body.u.shape)
    phi, drive = np.zeros((NY, NX)), np.zeros((NY, NX))
    step = 0.9 * body.critical_step
    found = least(lambda: body.push(phi, step)), least(lambda: body.energies(drive, driving=True))
    body.close()
    return found


def numpy_step() -> float:
    """A vectorised script: strains at four Gauss points, stresses, and forces added to the nodes corner by corner."""
    rng = np.random.default_rng(0)
    u, v = 1e-9 * rng.standard_normal((2, NY + 1, NX + 1)), np.zeros((2, NY + 1, NX + 1))
    mass = np.full((NY + 1, NX + 1), RHO * H * H)
    g = np.ones((NY, NX))
    gauss = 3.0**-0.5
    points = [(0.5 * (1 + s * gauss), 0.5 * (1 + t * gauss)) for s in (-1, 1) for t in (-1, 1)]
    low, high = slice(0, -1), slice(1, None)
    corners = [(low, low), (low, high), (high, low), (high, high)]
    step = 0.8 * H / np.sqrt((LAME + 2 * SHEAR) / RHO)

    def call() -> None:
        force = np.zeros_like(u)
        a = [u[(slice(None), *c)] for c in corners]
        for s, t in points:
            Nx = [-(1 - t) / H, (1 - t) / H, -t / H, t / H]
            Ny = [-(1 - s) / H, -s / H, (1 - s) / H, s / H]
            xx, yy = (
                sum(n * q[0] for n, q in zip(Nx, a, strict=True)),
                sum(n * q[1] for n, q in zip(Ny, a, strict=True)),
            )
            xy = 0.5 * (
                sum(n * q[0] for n, q in zip(Ny, a, strict=True)) + sum(n * q[1] for n, q in zip(Nx, a, strict=True))
            )
            pressure = LAME * (xx + yy)
            sxx, syy, sxy = g * (pressure + 2 * SHEAR * xx), g * (pressure + 2 * SHEAR * yy), g * 2 * SHEAR * xy
            for k, c in enumerate(corners):
                force[(0, *c)] += 0.25 * H * H * (sxx * Nx[k] + sxy * Ny[k])
                force[(1, *c)] += 0.25 * H * H * (sxy * Nx[k] + syy * Ny[k])
        v[...] -= step * force / mass

    return least(call, 3)


def scipy_step() -> float:
    """f = K u with a sparse matrix."""
    node = np.arange((NY + 1) * (NX + 1)).reshape(NY + 1, NX + 1)
    cells = np.stack([node[:-1, :-1], node[:-1, 1:], node[1:, :-1], node[1:, 1:]], axis=-1).reshape(-1, 4)
    unknowns = (2 * cells[:, :, None] + np.arange(2)).reshape(-1, 8)
    k = element_stiffness((H, H), LAME, SHEAR)
    rows, columns = np.repeat(unknowns, 8, axis=1).ravel(), np.tile(unknowns, (1, 8)).ravel()
    K = coo_matrix((np.tile(k.ravel(), len(unknowns)), (rows, columns))).tocsr()
    u, v = 1e-9 * np.random.default_rng(0).standard_normal(K.shape[0]), np.zeros(K.shape[0])
    step = 0.8 * H / np.sqrt((LAME + 2 * SHEAR) / RHO) / (RHO * H * H)

    def call() -> None:
        v[...] -= step * (K @ u)

    return least(call, 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    cells = NX * NY
    copied = np.zeros((8, NY + 1, NX + 1))
    target = np.empty_like(copied)
    bandwidth = 2 * copied.nbytes / least(lambda: np.copyto(target, copied))
    rows = []
    for threads in options.threads:
        for split in ("none", "volumetric_deviatoric", "spectral"):
            for elements in ("full", "rotated"):
                push, energies = ours(split, elements, threads)
                share = 8 * DOUBLES * cells / push / bandwidth
                rows.append({"split": split, "elements": elements, "threads": threads, "push_ns": 1e9 * push / cells,
                             "energies_ns": 1e9 * energies / cells, "share": share})  # fmt: skip
                print(rows[-1], flush=True)
    numpy_ns, scipy_ns = 1e9 * numpy_step() / cells, 1e9 * scipy_step() / cells
    first = next(r for r in rows if r["split"] == "none" and r["elements"] == "full")
    result = {
        "rows": rows,
        "numpy_ns": numpy_ns,
        "scipy_ns": scipy_ns,
        "numpy_over_ours": numpy_ns / first["push_ns"],
        "scipy_over_ours": scipy_ns / first["push_ns"],
        "copy_bytes_per_second": bandwidth,
    }
    print({k: v for k, v in result.items() if k != "rows"})
    write("dynamics", result)


if __name__ == "__main__":
    main()
