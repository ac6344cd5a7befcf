"""PFHub benchmark 7a: the distance of a run from the manufactured solution.

    η = ½ [1 − tanh((y − α)/√(2κ))],  α(x, t) = ¼ + A₁ t sin(B₁x) + A₂ sin(B₂x + C₂t)

with A₁ = 0.0075, B₁ = 8π, A₂ = 0.03, B₂ = 22π, C₂ = 0.0625π on 0 < x < 1, 0 < y < ½ at t = 8.
Source: https://pages.nist.gov/pfhub/benchmarks/benchmark7.ipynb/
"""

from __future__ import annotations

import math

import numpy as np

from phasefield.errors import InputError
from phasefield.output.reader import Run

A1, B1, A2, B2, C2 = 0.0075, 8.0 * math.pi, 0.03, 22.0 * math.pi, 0.0625 * math.pi
END = 8.0


def solution(x: np.ndarray, y: np.ndarray, time: float, kappa: float) -> np.ndarray:
    """η on the points y (rows) × x (columns)."""
    alpha = 0.25 + A1 * time * np.sin(B1 * x) + A2 * np.sin(B2 * x + C2 * time)
    return 0.5 * (1.0 - np.tanh((y[:, None] - alpha[None, :]) / math.sqrt(2.0 * kappa)))


def l2_error(run: Run) -> float:
    """L₂ = √(Σ (η − η_sol)² Δx Δy) of the last frame, at t = 8.

    Raises:
        InputError: the last frame is not at t = 8.
    """
    time = float(run.times[-1])
    if abs(time - END) > 1e-9 * END:
        raise InputError(f"benchmark 7a ends at t = 8; the last frame of '{run.folder}' is at t = {time:g}")
    fields = run.fields
    x, y = fields["x"].values, fields["y"].values
    exact = solution(x, y, time, float(run.scenario["model"]["gradient_energy"]))
    dx, dy = _spacing(run)
    eta = run.frame(next(iter(run.scenario["initial"]))).astype(float)
    return math.sqrt(np.sum((eta - exact) ** 2) * dx * dy)


def mesh_size(run: Run) -> float:
    """Effective size of a cell, √(Δx Δy)."""
    return math.sqrt(math.prod(_spacing(run)))


def time_step(run: Run) -> float:
    """The fixed step; 0 where steps are adaptive."""
    step = run.scenario["time"]["step"]
    return float(step) if isinstance(step, int | float) else 0.0


def _spacing(run: Run) -> tuple[float, float]:
    x, y = (run.scenario["grid"][axis] for axis in "xy")
    return x["length"] / x["cells"], y["length"] / y["cells"]
