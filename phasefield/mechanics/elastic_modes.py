"""Modes of a periodic box as closed forms of elasticity take them, part by part: directions, and transforms of tensor fields.

For an even number of cells the modes +N/2 and −N/2 are one, and the direction of a wave vector with such a component is not
unique: what depends on it is averaged over the signs (`mechanics.homogeneous`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.spectral.grid import Grid

# Modes handled at once: work arrays of a few MB, whatever the grid.
CHUNK = 16384
# Signs of the Nyquist components along x, y, z. Every pair of axes sees all four combinations, and all three axes see
# each of their combinations up to a common sign, which B does not notice: these four average as all eight do.
_SIGNS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)


class Modes:
    """Wave vectors of some modes of a grid, and the directions they may have.

    zero: (M,) the mean; ambiguous: indices of modes whose direction depends on the sign of a Nyquist component;
    unsigned: (M,) modes that are their own negative, which have no odd response.
    """

    def __init__(self, grid: Grid, indices: np.ndarray):
        lengths = np.array([a.length for a in grid.axes])
        cells = np.array([a.cells for a in grid.axes])
        self._k = np.zeros((3, indices.shape[1]))
        self._k[: grid.dimensions] = 2.0 * np.pi * indices / lengths[:, None]
        self._nyquist = np.zeros(self._k.shape, bool)
        self._nyquist[: grid.dimensions] = 2 * np.abs(indices) == cells[:, None]
        self.zero = ~self._k.any(0)
        # The mean has no direction: any will do, and what comes of it is replaced.
        self._k[0, self.zero] = 1.0
        self.length = np.sqrt(np.sum(self._k**2, axis=0))
        self.ambiguous = np.flatnonzero(self._nyquist.any(0) & ((self._k != 0).sum(0) > 1))
        self.unsigned = self.zero | ~np.where(self._nyquist, 0.0, self._k).any(0)

    def average(self, evaluate: Callable[[np.ndarray, Any], np.ndarray]) -> np.ndarray:
        """evaluate(n (3, M), which modes) → (…, M), averaged over the signs of Nyquist components."""
        result = evaluate(self._k / self.length, slice(None))
        if self.ambiguous.size:
            result[..., self.ambiguous] = np.mean([evaluate(n, self.ambiguous) for n in self.choices()], axis=0)
        return result

    def choices(self) -> Iterator[np.ndarray]:
        """Directions (3, …) of the ambiguous modes, for each choice of signs."""
        k, nyquist = self._k[:, self.ambiguous], self._nyquist[:, self.ambiguous]
        # A mode and its negative share their Nyquist components, but need opposite directions for real fields:
        # the sign follows that of the first component that has one.
        rest = np.where(nyquist, 0.0, k)
        first = np.take_along_axis(rest, np.argmax(rest != 0, axis=0)[None], axis=0)
        half = np.where(first < 0, -1.0, 1.0)
        for signs in _SIGNS:
            yield np.where(nyquist, half * signs[:, None] * np.abs(k), k) / self.length[self.ambiguous]


def half_spectrum(grid: Grid) -> Iterator[tuple[slice, Modes]]:
    """The modes of `np.fft.rfftn`, flattened, part by part."""
    check_periodic(grid)
    numbers = [np.fft.fftfreq(a.cells, 1.0 / a.cells) for a in grid.axes]
    numbers[0] = np.arange(grid.axes[0].cells // 2 + 1.0)
    shape = tuple(len(m) for m in reversed(numbers))
    for part in parts(int(np.prod(shape))):
        positions = np.unravel_index(np.arange(part.start, part.stop), shape)
        yield part, Modes(grid, np.array([m[i] for m, i in zip(numbers, reversed(positions), strict=True)]))


def weights(grid: Grid) -> np.ndarray:
    """How many modes of the full spectrum each mode of `np.fft.rfftn` stands for, flattened."""
    cells = grid.axes[0].cells
    weight = np.full(cells // 2 + 1, 2.0)
    weight[0] = 1.0
    if cells % 2 == 0:
        weight[-1] = 1.0
    return np.tile(weight, grid.cells // cells)


def transform(grid: Grid, fields: np.ndarray) -> np.ndarray:
    """Coefficients (F, M) of real fields (F, *grid.shape): N⁻¹ Σ f e^{−ik·x} over the half spectrum."""
    return np.fft.rfftn(fields, axes=range(1, fields.ndim), norm="forward").reshape(len(fields), -1)


def back(grid: Grid, hat: np.ndarray) -> np.ndarray:
    """The real fields (F, *grid.shape) of coefficients (F, M)."""
    half = (*grid.shape[:-1], grid.shape[-1] // 2 + 1)
    return np.fft.irfftn(hat.reshape(-1, *half), s=grid.shape, axes=range(1, grid.dimensions + 1), norm="forward")


def mean_of(fields: np.ndarray) -> np.ndarray:
    return fields.reshape(len(fields), -1).mean(1)


def parts(count: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def check_periodic(grid: Grid) -> None:
    for axis in grid.axes:
        if axis.boundary != "periodic":
            raise InputError(f"elasticity in closed form needs periodic axes; {axis.name} is {axis.boundary}")
