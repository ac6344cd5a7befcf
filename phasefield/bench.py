"""`phasefield bench`: what a step costs on this machine, per scheme and grid.

Times are the best of several repeats, all schemes and the transform pair taken in turn, so that a busy moment hits them alike.
The pair is one forward and one inverse real transform of the whole grid: by planned FFTW where pyFFTW is installed, else by
ducc0 (or scipy) with the same number of threads. It is what a semi-implicit step cannot do without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.gradient_flow import GradientFlow
from phasefield.registry import names

GRIDS: tuple[tuple[int, ...], ...] = ((256, 256), (512, 512), (1024, 1024), (2048, 2048), (64, 64, 64), (128, 128, 128))
SECONDS_PER_GRID = 4.0


@dataclass(frozen=True)
class Row:
    """Costs on one grid: milliseconds per step by scheme, milliseconds of the transform pair, bytes per cell by scheme."""

    cells: tuple[int, ...]
    threads: int
    steps: dict[str, float]
    pair: float
    pair_name: str
    bytes_per_cell: dict[str, float]


def make_step(
    cells: Sequence[int], scheme: str, threads: int, precision: str = "double"
) -> tuple[Callable, GradientFlow]:
    """A function that makes one fixed step of Cahn–Hilliard with the quartic well, and its simulation."""
    scenario = {
        "model": {"name": "cahn_hilliard", "gradient_energy": 2.0, "free_energy": "0.25*(c**2 - 1)**2"},
        "grid": {axis: {"cells": n, "length": float(n)} for axis, n in zip("xyz", cells, strict=False)},
        "initial": {"c": {"mean": 0.0, "noise": 0.1}},
        "time": {"end": 1e9, "step": 0.05, "scheme": scheme},
        "precision": precision,
    }
    simulation = GradientFlow.from_scenario(scenario, device="cpu", threads=threads)
    stepper, S = simulation.stepper, np.array([2.0])

    def step() -> None:
        stepper.attempt(0.05, S)
        stepper.accept()

    return step, simulation


def make_pair(cells: Sequence[int], threads: int) -> tuple[Callable, str]:
    """A function that transforms forward and back once, and the name of what it uses."""
    shape = tuple(reversed(cells))
    half = (*shape[:-1], shape[-1] // 2 + 1)
    u = np.random.default_rng(0).normal(size=shape)
    try:
        import pyfftw  # pyright: ignore[reportMissingImports]
    except ImportError:
        import ducc0.fft as fft  # pyright: ignore[reportMissingImports]

        u_hat, axes = np.empty(half, complex), tuple(range(len(shape)))

        def pair() -> None:
            fft.r2c(u, axes=axes, out=u_hat, nthreads=threads)
            fft.c2r(u_hat, axes=axes, lastsize=shape[-1], forward=False, out=u, inorm=2, nthreads=threads)

        return pair, "ducc0"
    real, spectrum = pyfftw.empty_aligned(shape), pyfftw.empty_aligned(half, dtype=complex)
    options = {"axes": tuple(range(len(shape))), "threads": threads, "flags": ("FFTW_MEASURE",)}
    forward = pyfftw.FFTW(real, spectrum, **options)
    backward = pyfftw.FFTW(spectrum, real, direction="FFTW_BACKWARD", **options)
    real[:] = u

    def planned() -> None:
        forward.execute()
        backward.execute()

    return planned, "FFTW, planned"


def best_times(
    functions: Sequence[Callable], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Smallest milliseconds of each function; they take turns, each twice in a row so that the second finds warm caches.

    With `time.thread_time` as clock it is the processor time of the calling thread, which other programs lengthen least.
    """
    best = [np.inf] * len(functions)
    for function in functions:
        function()
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 5 or time.perf_counter() < end:
        for i, function in enumerate(functions):
            for _ in range(2):
                began = clock()
                function()
                best[i] = min(best[i], 1e3 * (clock() - began))
        rounds += 1
    return best


def measure(cells: Sequence[int], threads: int, seconds: float = SECONDS_PER_GRID, precision: str = "double") -> Row:
    """Costs of all schemes on one grid."""
    schemes = names("scheme")
    made = [make_step(cells, scheme, threads, precision) for scheme in schemes]
    pair, pair_name = make_pair(cells, threads)
    *steps, pair_time = best_times([*(f for f, _ in made), pair], seconds)
    total = float(np.prod(cells))
    memory = {s: simulation.stepper.memory_bytes / total for s, (_, simulation) in zip(schemes, made, strict=True)}
    for _, simulation in made:
        simulation.close()
    return Row(tuple(cells), threads, dict(zip(schemes, steps, strict=True)), pair_time, pair_name, memory)


def table(rows: Sequence[Row]) -> Any:
    """A rich table of rows: milliseconds per step, and over the transform pair."""
    from rich.table import Table

    schemes = list(rows[0].steps)
    result = Table(box=None, pad_edge=False)
    for title in (
        "cells",
        "threads",
        f"pair ({rows[0].pair_name})",
        *schemes,
        *(f"{s}/pair" for s in schemes),
        "bytes/cell",
    ):
        result.add_column(title, justify="right")
    for row in rows:
        cells = " × ".join(str(n) for n in row.cells)
        times = [f"{row.steps[s]:.3g}" for s in schemes]
        ratios = [f"{row.steps[s] / row.pair:.2f}" for s in schemes]
        memory = f"{min(row.bytes_per_cell.values()):.0f}–{max(row.bytes_per_cell.values()):.0f}"
        result.add_row(cells, str(row.threads), f"{row.pair:.3g}", *times, *ratios, memory)
    return result
