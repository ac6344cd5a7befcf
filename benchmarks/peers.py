"""The same Cahn–Hilliard step in other programs, side by side: `python benchmarks/peers.py [--quick] [-o FILE.json]`.

c_t = ∇²(c³ − c − κ∇²c), κ = 2, periodic, unit cells, all programs with the same number of threads. Peers that are not
installed are left out: `pip install torch exponax jax evoxels py-pde fipy` brings them. Two tables:

* milliseconds per step at equal precision, for programs whose steps are comparable (semi-implicit or ETDRK2), each in a
  process of its own so that their thread pools do not meet, in turn, the best of two rounds;
* seconds to a given time and the error of the energy there, for explicit and finite-volume programs: to t = 20 on 64² cells,
  and through coarsening to t = 2000 on 128² cells. Compilation is left out on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, str(THREADS))
os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={THREADS}")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402

from phasefield.bench import best_times, make_step  # noqa: E402
from phasefield.output.provenance import cpu_model, libraries, package_version  # noqa: E402
from phasefield.simulation import Simulation  # noqa: E402

KAPPA, DT, S = 2.0, 0.05, 2.0


def start(cells: tuple[int, ...]) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=cells)


def squared(cells: tuple[int, ...], last: int) -> np.ndarray:
    """k² of the half spectrum."""
    axes = [2 * np.pi * np.fft.fftfreq(n) for n in cells[:-1]] + [2 * np.pi * np.fft.rfftfreq(cells[-1])]
    return np.asarray(sum(k**2 for k in np.meshgrid(*axes, indexing="ij", sparse=True)))[..., :last]


def numpy_step(cells: tuple[int, ...]) -> Callable:
    """What people write: SciPy's transforms with all threads, NumPy arithmetic, semi-implicit Euler."""
    c = start(cells)
    k2 = squared(cells, cells[-1] // 2 + 1)
    denominator = 1.0 + DT * k2 * (S + KAPPA * k2)
    state = {"c": c, "hat": scipy.fft.rfftn(c, workers=THREADS)}

    def step() -> None:
        f = scipy.fft.rfftn(state["c"] ** 3 - state["c"], workers=THREADS)
        state["hat"] = ((1.0 + DT * S * k2) * state["hat"] - DT * k2 * f) / denominator
        state["c"] = scipy.fft.irfftn(state["hat"], s=cells, workers=THREADS)

    return step


def torch_step(cells: tuple[int, ...]) -> Callable:
    """The same script in PyTorch on the CPU."""
    import torch

    torch.set_num_threads(THREADS)
    k2 = torch.from_numpy(squared(cells, cells[-1] // 2 + 1))
    explicit, denominator = 1.0 + DT * S * k2, 1.0 + DT * k2 * (S + KAPPA * k2)
    c = torch.from_numpy(start(cells))
    state = {"c": c, "hat": torch.fft.rfftn(c)}

    def step() -> None:
        c = state["c"]
        state["hat"] = (explicit * state["hat"] - DT * k2 * torch.fft.rfftn(c * c * c - c)) / denominator
        state["c"] = torch.fft.irfftn(state["hat"], s=cells)

    return step


def exponax_step(cells: tuple[int, ...]) -> Callable:
    """exponax' ETDRK2, compiled, without dealiasing."""
    import equinox
    import exponax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    stepper = exponax.stepper.reaction.CahnHilliard(
        len(cells), float(cells[0]), cells[0], DT, diffusivity=1.0, gamma=KAPPA, order=2, dealiasing_fraction=1.0
    )
    compiled = equinox.filter_jit(stepper)
    state = {"u": jnp.asarray(start(cells)[None])}

    def step() -> None:
        state["u"] = compiled(state["u"]).block_until_ready()

    return step


def evoxels_seconds(cells: tuple[int, ...], steps: int) -> float:
    """Seconds per step of evoxels' solver (single precision on the CPU), from the difference of two runs."""
    import evoxels

    def run(count: int) -> float:
        fields = evoxels.VoxelFields(cells, domain_size=tuple(float(n) for n in cells), convention="cell_center")
        fields.add_field("c", 0.5 + 0.1 * start(cells))
        began = time.perf_counter()
        evoxels.run_cahn_hilliard_solver(
            fields, "c", "torch", device="cpu", time_increment=DT, frames=1, max_iters=count, verbose=False, jit=True
        )
        return time.perf_counter() - began

    run(2)
    return (run(2 + steps) - run(2)) / steps


def ours_step(scheme: str, precision: str = "double") -> Callable[[tuple[int, ...]], Callable]:
    return lambda cells: make_step(cells, scheme, THREADS, precision)[0]


MAKERS: dict[str, Callable[[tuple[int, ...]], Callable]] = {
    "imex1": ours_step("imex1"),
    "sbdf2": ours_step("sbdf2"),
    "etdrk2": ours_step("etdrk2"),
    "imex1_single": ours_step("imex1", "single"),
    "numpy": numpy_step,
    "torch": torch_step,
    "exponax_etdrk2": exponax_step,
}


def one(program: str, cells: tuple[int, ...]) -> float:
    """Milliseconds per step of one program, measured in this process."""
    if program == "evoxels_single":
        return 1e3 * evoxels_seconds(cells, 30)
    return best_times([MAKERS[program](cells)], 3.0)[0]


def step_table(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for cells in ((256, 256), (1024, 1024), (128, 128, 128), *(() if quick else ((2048, 2048), (256, 256, 256)))):
        programs = [p for p in MAKERS if not p.endswith("_single")]
        if len(cells) == 3:
            programs += ["imex1_single", *(["evoxels_single"] if np.prod(cells) < 2**22 else [])]
        if np.prod(cells) > 2**22:
            programs.remove("exponax_etdrk2")
        row: dict[str, Any] = {"cells": list(cells)}
        for _ in range(2):
            for program in programs:
                command = [sys.executable, "-W", "ignore", __file__, "--one", program, "x".join(map(str, cells))]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    value = float(done.stdout.split()[-1])
                    row[program] = round(min(value, row.get(program, value)), 4)
        rows.append(row)
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    return rows


# --- equal accuracy -------------------------------------------------------------------------------------------------

SHORT, LONG = (64, 20.0), (128, 2000.0)


def energy(c: np.ndarray) -> float:
    """Spectral energy of a field with unit cells."""
    k2 = squared(c.shape, c.shape[-1] // 2 + 1)
    c_hat = np.fft.rfftn(c) / c.size
    weight = np.full(c_hat.shape[-1], 2.0)
    weight[0] = weight[-1] = 1.0
    gradient = 0.5 * KAPPA * (weight * k2 * np.abs(c_hat) ** 2).sum()
    return float((0.25 * (c * c - 1.0) ** 2).mean() + gradient) * c.size


def smooth_start(side: int) -> np.ndarray:
    """Long waves, resolved alike by spectral and finite-volume methods."""
    x = 2 * np.pi * (np.arange(side) + 0.5) / side
    y = x[:, None]
    return 0.5 * np.sin(2 * x) * np.cos(2 * y) + 0.3 * np.cos(3 * x + y) + 0.2 * np.sin(2 * y - x)


def ours_to_accuracy(case: tuple[int, float], step: Any, scheme: str = "sbdf2") -> tuple[float, float]:
    side, end = case
    axis = {"cells": side, "length": float(side)}
    scenario = {
        "model": {"name": "cahn_hilliard", "gradient_energy": KAPPA},
        "grid": {"x": axis, "y": axis},
        "initial": {"c": 0.0},
        "time": {"end": end, "step": step, "scheme": scheme},
    }
    simulation = Simulation.from_scenario(scenario, device="cpu")
    simulation.set_state({"c": smooth_start(side)})
    simulation.stepper.attempt(1e-9, np.array([1.0]))
    simulation.stepper.restore()
    began = time.perf_counter()
    simulation.advance()
    return time.perf_counter() - began, energy(simulation.state["c"])


def pde_to_accuracy(case: tuple[int, float], dt: float) -> tuple[float, float]:
    import pde

    side, end = case
    grid = pde.CartesianGrid([[0, side]] * 2, [side] * 2, periodic=True)
    field = pde.ScalarField(grid, smooth_start(side))
    equation = pde.CahnHilliardPDE(interface_width=KAPPA)
    seconds = {}
    result = None
    # Every call compiles anew, for seconds: the difference of a long run and a short one is stepping.
    times = (end, end, 21 * end, end) if end < 100.0 else (0.01 * end, 0.01 * end, end)
    for until in times:
        began = time.perf_counter()
        result = equation.solve(field, t_range=until, dt=dt, adaptive=False, backend="numba", tracker=None)
        seconds[until] = time.perf_counter() - began
    few, many = min(times), max(times)
    return (seconds[many] - seconds[few]) * end / (many - few), energy(np.asarray(result.data))


def fipy_to_accuracy(case: tuple[int, float], dt: float) -> tuple[float, float]:
    import fipy

    side, end = case
    mesh = fipy.PeriodicGrid2D(nx=side, ny=side, dx=1.0, dy=1.0)
    c = fipy.CellVariable(mesh=mesh, value=smooth_start(side).ravel(), hasOld=True)
    equation = fipy.TransientTerm() == fipy.DiffusionTerm(coeff=3.0 * c.faceValue**2 - 1.0) - fipy.DiffusionTerm(
        coeff=(1.0, KAPPA)
    )
    began = time.perf_counter()
    elapsed = 0.0
    while elapsed < end - 1e-9:
        c.updateOld()
        for _ in range(2):
            equation.sweep(var=c, dt=dt)
        elapsed += dt
    return time.perf_counter() - began, energy(np.asarray(c.value).reshape(side, side))


def accuracy_table(quick: bool) -> list[dict[str, Any]]:
    tolerances = [{"tolerance": t} for t in (1e-2, 3e-3, 1e-3, 3e-4)]
    cases: list[tuple[tuple[int, float], str, Callable, list[Any]]] = [
        (SHORT, "phasefield", ours_to_accuracy, tolerances),
        (SHORT, "py-pde", pde_to_accuracy, [0.01, 0.005]),
        (SHORT, "FiPy", fipy_to_accuracy, [0.5, 0.25] if quick else [0.5, 0.25, 0.1]),
    ]
    if not quick:
        cases += [(LONG, "phasefield", ours_to_accuracy, tolerances), (LONG, "py-pde", pde_to_accuracy, [0.01])]
    references = {case: ours_to_accuracy(case, {"tolerance": 1e-6}, "etdrk4")[1] for case in {c for c, *_ in cases}}
    rows = []
    for case, name, run, steps in cases:
        for step in steps:
            try:
                seconds, value = run(case, step)
            except ImportError:
                print(f"{name} is not installed")
                break
            error = float(f"{abs(value / references[case] - 1.0):.3g}")
            side, end = case
            row = {"cells": side, "end": end, "program": name, "step": str(step)}
            rows.append({**row, "seconds": round(seconds, 4), "error": error})
            place = f"{side}² to t = {end:g}"
            print(f"{place:<20}{name:<12}{step!s:<24}{seconds:>10.4f} s   error of the energy {error:.1e}", flush=True)
    return rows


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small grids only")
    parser.add_argument("--one", nargs=2, metavar=("PROGRAM", "CELLS"), help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path, help="write the tables as JSON")
    options = parser.parse_args()
    if options.one:
        program, cells = options.one
        print(one(program, tuple(int(n) for n in cells.split("x"))))
        return
    record: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cpu": cpu_model(), "threads": THREADS, "python": platform.python_version()},
        "versions": {"phasefield": package_version(), **libraries()},
        "steps_ms": step_table(options.quick),
        "accuracy": accuracy_table(options.quick),
    }
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
