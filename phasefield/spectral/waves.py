"""Transforms of whole fields in plain NumPy and SciPy: what checks and slow paths use in place of a sweep.

Coefficients are those of `numpy.fft.rfftn` in a periodic box, and in any other those of the orthonormal waves of its axes (see
`grid`), as a sweep stores them.
"""

from __future__ import annotations

import numpy as np

from phasefield.spectral.grid import Grid
from phasefield.spectral.symbols import axis_symbol


def forward(u: np.ndarray, grid: Grid) -> np.ndarray:
    """Coefficients of real fields (…, *grid.shape); of fixed axes u has to be without its lift."""
    if grid.periodic:
        return np.fft.rfftn(u, axes=_axes(grid))
    for axis, boundary in _each(grid):
        u = _along(u, axis, boundary, True)
    return u


def backward(u_hat: np.ndarray, grid: Grid) -> np.ndarray:
    """The inverse of `forward`."""
    if grid.periodic:
        return np.fft.irfftn(u_hat, s=grid.shape, axes=_axes(grid))
    for axis, boundary in _each(grid):
        u_hat = _along(u_hat, axis, boundary, False)
    return u_hat


def symbol_on_grid(grid: Grid, laplacian: str) -> np.ndarray:
    """k̃² of every coefficient of `forward`."""
    total: np.ndarray | float = 0.0
    for position, axis in enumerate(grid.axes):
        shape = [1] * grid.dimensions
        shape[grid.dimensions - 1 - position] = -1
        total = total + axis_symbol(axis, laplacian, half=position == 0 and grid.periodic).reshape(shape)
    return np.asarray(total)


def _axes(grid: Grid) -> tuple[int, ...]:
    return tuple(range(-grid.dimensions, 0))


def _each(grid: Grid) -> list[tuple[int, str]]:
    return [(-1 - position, axis.boundary) for position, axis in enumerate(grid.axes)]


def _along(u: np.ndarray, axis: int, boundary: str, forward: bool) -> np.ndarray:
    import scipy.fft

    if boundary == "periodic":
        whole = np.fft.fft(u, axis=axis, norm="ortho")
        return whole.real + whole.imag
    transform = scipy.fft.dct if boundary == "no_flux" else scipy.fft.dst
    return np.asarray(transform(u, type=2 if forward else 3, axis=axis, norm="ortho"))
