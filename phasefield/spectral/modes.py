"""Which mode is stored where, and its k̃²: the geometry that the sweeps of all devices share.

A Fourier array is `(fields, n0, R)`: n0 belongs to the slowest axis of the grid, and column r to the x index
r % row_length and, in 3-D, to the middle index r // row_length. Rows may be longer than the nx//2 + 1 modes of a real
transform, and R longer than all rows together; what is left over is padding, with weight 0.

A periodic box keeps complex coefficients of the Fourier series. In any other the coefficients are real, one for every wave of an
orthonormal basis: products of the waves of the axes, where a periodic axis has cos kx − sin kx for n = 0 … N−1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasefield.kernels.coupled import components, pack
from phasefield.spectral.grid import Grid
from phasefield.spectral.symbols import axis_symbol


@dataclass(frozen=True)
class Modes:
    """Geometry of the stored modes: k̃² = k0[a] + kr[r].

    weight: |û|² times it is the share of a mode in the mean of u²; multiplicity: modes of the full spectrum it stands for.
    """

    k0: np.ndarray
    kr: np.ndarray
    weight: np.ndarray
    multiplicity: np.ndarray

    @property
    def k2(self) -> np.ndarray:
        """k̃² of every stored mode, shape (n0, R)."""
        return self.k0[:, None] + self.kr[None, :]


def slow_axes(grid: Grid) -> tuple[int, int]:
    """(n0, middle): cells of the slowest axis and of the one between it and x, 1 where there is none."""
    nz, ny, _ = grid.shape3
    return {1: (1, 1), 2: (ny, 1), 3: (nz, ny)}[grid.dimensions]


def modes_along_x(grid: Grid) -> int:
    """Stored modes in a row of the grid."""
    cells = grid.axes[0].cells
    return cells // 2 + 1 if grid.periodic else cells


@dataclass(frozen=True)
class Layout:
    """Storage of the modes of a grid: `row_length` stored modes along x, `columns` = R."""

    grid: Grid
    row_length: int
    columns: int

    @cached_property
    def mode_index(self) -> tuple[np.ndarray, np.ndarray]:
        """(x index, middle index) of every stored column r; −1 marks padding."""
        r = np.arange(self.columns)
        x, middle = r % self.row_length, r // self.row_length
        padding = (x >= modes_along_x(self.grid)) | (middle >= slow_axes(self.grid)[1])
        return np.where(padding, -1, x), np.where(padding, -1, middle)

    def modes(self, laplacian: str) -> Modes:
        """k̃² of the discrete Laplacian, weight and multiplicity of every stored mode."""
        axes, nx = self.grid.axes, self.grid.axes[0].cells
        x, middle = self.mode_index
        valid = x >= 0
        kr = np.where(valid, axis_symbol(axes[0], laplacian, half=self.grid.periodic)[x], 0.0)
        k0 = np.zeros(1)
        if self.grid.dimensions >= 2:
            k0 = axis_symbol(axes[-1], laplacian, half=False)
        if self.grid.dimensions == 3:
            kr = kr + np.where(valid, axis_symbol(axes[1], laplacian, half=False)[middle], 0.0)
        if not self.grid.periodic:
            return Modes(k0, kr, valid / self.grid.cells, valid.astype(float))
        alone = (x == 0) | ((nx % 2 == 0) & (x == nx // 2))
        weight = np.where(valid, np.where(alone, 1.0, 2.0), 0.0)
        return Modes(k0, kr, weight, weight)

    def pack(self, fields: int, symbol: Callable[..., np.ndarray]) -> np.ndarray:
        """A matrix symbol as `kernels.coupled.pack` stores it, (components, n0, R), for the whole layout.

        `symbol(x[, y[, z]])` takes signed mode numbers and returns (…, fields, fields). Padding gets the symbol 0.
        """
        return self.tabulate(components(fields), symbol, pack)

    def tabulate(
        self, count: int, symbol: Callable[..., np.ndarray], numbers: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """What `numbers` makes of the matrices of a symbol, (R, N, N) → (count, R), for the whole layout: (count, n0, R)."""
        x, middle = self.mode_index
        valid = x >= 0
        columns = [np.where(valid, x, 0)]
        if self.grid.dimensions == 3:
            columns.append(_signed(np.where(valid, middle, 0), self.grid.axes[1].cells))
        n0 = slow_axes(self.grid)[0]
        result = np.empty((count, n0, self.columns))
        for a in range(n0):
            slow = [_signed(np.full(self.columns, a), n0)] if self.grid.dimensions > 1 else []
            matrices = symbol(*columns, *slow)
            result[:, a] = numbers(np.where(valid[:, None, None], matrices, 0.0))
        return result


def _signed(index: np.ndarray, cells: int) -> np.ndarray:
    """Mode numbers in −N/2 … N/2; N/2 itself stays positive."""
    return np.where(index > cells // 2, index - cells, index)
