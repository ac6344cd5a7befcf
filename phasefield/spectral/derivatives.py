"""First derivatives on stored modes, as a gather of real numbers.

A Fourier array is a set of real numbers in rows a of the slowest axis and columns j of everything else. Along one axis the
derivative moves each number to the place of its partner and multiplies it:

    (∂u)^[a, j] = slow_coefficient[a] · coefficient[j] · û[slow_place[a], place[j]].

Complex coefficients: ∂ → i k swaps real and imaginary part, i k (a + i b) = −k b + i k a. The derivative is odd in k, and at the
Nyquist mode of an even number of cells, which stands for k and −k at once, it is 0: the only real choice that is odd, too.

Real coefficients: of a periodic axis the derivative of cos kx − sin kx is −k times the wave of −k; of a no-flux axis that of
cos kx is −k sin kx, a wave of a fixed axis, and back. The sine of the largest k has no cosine at the cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.modes import Layout, slow_axes
from phasefield.spectral.symbols import wavenumbers


@dataclass(frozen=True)
class DerivativeTables:
    """Coefficients and places of a derivative: slow_… for the rows (n0), the others for the real numbers of all columns.

    Columns are counted through all blocks, the real numbers of one column after another.
    """

    slow_coefficient: np.ndarray
    slow_place: np.ndarray
    coefficient: np.ndarray
    place: np.ndarray

    @property
    def of_pairs(self) -> bool:
        """Whether every number takes the place of its neighbour in the same row, 0 that of 1 and 1 that of 0."""
        neighbours = np.arange(self.place.size) ^ 1
        return np.array_equal(self.place, neighbours) and np.array_equal(
            self.slow_place, np.arange(self.slow_place.size)
        )


# Waves into which those of a boundary are turned by a derivative.
PARTNERS = {"periodic": "periodic", "no_flux": "fixed", "fixed": "no_flux"}


def partner_grid(grid: Grid, axis: int) -> Grid:
    """The box in whose waves the derivative along an axis is expressed: the same but for the boundary of that axis."""
    axes = list(grid.axes)
    axes[axis] = replace(axes[axis], boundary=PARTNERS[axes[axis].boundary], values=())
    return Grid(tuple(axes))


def derivative_tables(grid: Grid, layout: Layout, axis: int) -> DerivativeTables:
    """∂/∂x (axis 0), ∂/∂y (1) or ∂/∂z (2) of fields made of the waves of `grid`, in those of `partner_grid`."""
    if not grid.periodic:
        return _of_real_waves(grid, layout, axis)
    x, middle = layout.mode_index
    valid = x >= 0
    slowest = grid.dimensions - 1
    n0 = grid.axes[slowest].cells if grid.dimensions > 1 else 1
    slow = np.ones(n0)
    k = np.ones(layout.columns)
    if axis == 0:
        k = _odd_wavenumbers(grid.axes[0], half=True)[np.where(valid, x, 0)]
    elif axis == slowest:
        slow = _odd_wavenumbers(grid.axes[axis], half=False)
    else:
        k = _odd_wavenumbers(grid.axes[axis], half=False)[np.where(valid, middle, 0)]
    k = np.where(valid, k, 0.0)
    coefficient = np.stack([-k, k], axis=1).ravel()
    return DerivativeTables(slow, np.arange(n0), coefficient, np.arange(2 * layout.columns) ^ 1)


def _of_real_waves(grid: Grid, layout: Layout, axis: int) -> DerivativeTables:
    """Tables for orthonormal real waves: those of one axis change places, by the same rule in all rows and columns."""
    coefficient, place = _of_axis(grid.axes[axis])
    n0, r = slow_axes(grid)[0], np.arange(layout.columns)
    if axis == grid.dimensions - 1 and grid.dimensions > 1:
        return DerivativeTables(coefficient, place, np.where(layout.mode_index[0] >= 0, 1.0, 0.0), r)
    x, middle = layout.mode_index
    index, stride = (x, 1) if axis == 0 else (middle, layout.row_length)
    valid = x >= 0
    safe = np.where(valid, index, 0)
    factors, places = np.where(valid, coefficient[safe], 0.0), np.where(valid, r + (place[safe] - safe) * stride, r)
    return DerivativeTables(np.ones(n0), np.arange(n0), factors, places)


def _of_axis(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """(coefficient, place) of the derivative of the waves of one axis, in the order of its partner's."""
    n = np.arange(axis.cells)
    if axis.boundary == "periodic":
        return _odd_wavenumbers(axis, half=False), (axis.cells - n) % axis.cells
    if axis.boundary == "no_flux":
        inside = n < axis.cells - 1
        return np.where(inside, -np.pi * (n + 1) / axis.length, 0.0), np.where(inside, n + 1, n)
    return np.pi * n / axis.length, np.maximum(n - 1, 0)


def _odd_wavenumbers(axis: Axis, *, half: bool) -> np.ndarray:
    k = wavenumbers(axis, half=half)
    if axis.cells % 2 == 0:
        k[axis.cells // 2] = 0.0
    return k
