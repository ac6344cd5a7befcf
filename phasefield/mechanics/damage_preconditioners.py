"""Preconditioners of the damage solver: z ≈ A⁻¹g on the free cells.

| name | M | cost |
|---|---|---|
| `jacobi` | the diagonal of A | nothing: part of every pass |
| `laplacian` | D̄ − κ̄∇², D̄ and κ̄ the means of D and κ, inverted by FFT or DCT | two transforms |

On a set of free cells the restriction of M⁻¹ to them is used, which is symmetric and positive definite with M.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numba import njit

from phasefield.kernels import cpu
from phasefield.kernels.cpu import gradient_symbol
from phasefield.mechanics.damage_operator import DamageOperator
from phasefield.registry import register
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine


class Preconditioner(Protocol):
    """Made once for an operator; `prepare` after its numbers were set."""

    def prepare(self) -> None: ...

    def apply(self, sums: np.ndarray) -> tuple[float, float]:
        """z of the state whose Jacobi sums are given; returns (z·g, z·q)."""
        ...

    def close(self) -> None: ...


@register("damage_preconditioner", "jacobi")
class Jacobi:
    """z = g/d: what the passes leave."""

    def __init__(self, operator: DamageOperator, threads: int = 1):
        pass

    def prepare(self) -> None:
        pass

    def apply(self, sums: np.ndarray) -> tuple[float, float]:
        return float(sums[0]), float(sums[3])

    def close(self) -> None:
        pass


@njit(nogil=True, error_model="numpy", cache=True)
def _divide(block, b, k0, kr, mean, kappa):
    """û /= D̄ + κ̄k̃² in one block of columns."""
    width = block.shape[2]
    for a in range(block.shape[1]):
        for j in range(width):
            block[0, a, j] /= mean + gradient_symbol(kappa, k0[a] + kr[b * width + j])


@njit(nogil=True, error_model="numpy", cache=True)
def _nothing(u, parameters, sums):
    pass


@register("damage_preconditioner", "laplacian")
class Laplacian:
    """z = (D̄ + κ̄k̃²)⁻¹ g with the symbol of the same finite differences; D̄ is never below κ̄π²/L², L the longest axis."""

    def __init__(self, operator: DamageOperator, threads: int = 1):
        self._operator = operator
        grid = operator.grid
        self._sweep = Sweep(grid, 1, cpu, make_engine(), threads)
        modes = self._sweep.modes(operator.gradient.laplacian)
        self._k0, self._kr, _ = self._sweep.stage_geometry(modes)
        self._longest = max(axis.length for axis in grid.axes)
        self._source, self._none = np.empty(operator.shape), np.zeros(1)
        self._numbers = (1.0, 0.0)

    def prepare(self) -> None:
        mean, kappa = self._operator.mean
        self._numbers = (max(mean, kappa * (math.pi / self._longest) ** 2), kappa)

    def apply(self, sums: np.ndarray) -> tuple[float, float]:
        operator, sweep = self._operator, self._sweep
        operator.only_free(self._source)
        sweep.real_pass(_nothing, self._none, given=self._source)
        sweep.spectral_pass(_divide, (self._k0, self._kr, *self._numbers))
        sweep.unload(operator.z)
        return operator.restrict()

    def close(self) -> None:
        self._sweep.close()
