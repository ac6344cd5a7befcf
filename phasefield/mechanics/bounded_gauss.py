"""Passes over the Gauss points of a box: forces and energies of a split, its tangents, and their products with displacements.

Blocks are those of `bounded_passes`, worked on in chunks of lines of cells whose strains and stresses stay in the second-level
cache. The split sees the cells of a chunk at one Gauss point at a time, as arrays: its own kernels are used, nothing is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from phasefield.mechanics import bounded_gauss_kernels as kernels
from phasefield.mechanics.bounded_passes import Passes
from phasefield.mechanics.splits import Split
from phasefield.spectral.grid import Grid

# Strains and stresses of a chunk.
CHUNK_BYTES = 512 * 1024


class GaussPoints:
    """Two points per axis in each cell, each with the weight V/2ᵈ.

    `plus`, `minus`, `drive` (cells, flattened) are the means of ψ⁺, ψ⁻ and of what drives damage over the points of a cell, at
    the displacement of the last `respond`.
    """

    def __init__(self, grid: Grid, passes: Passes, split: Split):
        d = grid.dimensions
        self.passes, self.split, self.volume = passes, split, grid.cell_volume
        self.points, self.components = 2**d, split.components
        self._lines, self._nx = passes.cells[1], passes.cells[2]
        self._slopes = tuple(1.0 / (2.0 ** (d - 1) * h) for h in grid.spacing)
        plane = d == 2
        self._strain = kernels.strain_2d if plane else kernels.strain_3d
        self._force = kernels.force_2d if plane else kernels.force_3d
        self._store = kernels.store_2d if plane else kernels.store_3d
        self._product = kernels.tangent_2d if plane else kernels.tangent_3d
        self._height = max(1, CHUNK_BYTES // (16 * self.points * self.components * self._nx))
        cells, chunk = grid.cells, self._height * self._nx
        self._fields = np.zeros((passes.threads, 2 * self.points * self.components * chunk))
        self._scratch = np.zeros((passes.threads, kernels.SCRATCH_2D if plane else kernels.SCRATCH_3D))
        self.plus, self.minus, self.drive = (np.zeros(cells) for _ in range(3))
        self._kept = 15 if plane else 21 * (1 if split.linear else self.points)
        self._tangent = np.zeros(0)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays it owns; tangents count once there was a product."""
        return sum(a.nbytes for a in (self._fields, self._scratch, self.plus, self.minus, self.drive, self._tangent))

    def respond(self, g: np.ndarray, u: np.ndarray, out: np.ndarray) -> float:
        """out = ∂E/∂u, as `Passes.apply` leaves it, and E = Σ V ⟨gψ⁺ + ψ⁻⟩; sets the energies of the cells."""
        passes, split, g, sums = self.passes, self.split, g.reshape(-1), np.zeros(len(self.passes.rows))

        def work(thread: int, b: int) -> None:
            edge, (first, last) = passes.edges[b], passes.rows[b]
            kernels.clear(out, edge, first, last)
            for lines, cells, strain, stress in self._chunks(thread, b):
                self._strain(u, *lines, self._slopes, self._scratch[thread], strain)
                here = g[cells]
                plus, minus, total = np.empty(here.size), np.empty(here.size), np.zeros(here.size)
                for a in (self.plus, self.minus, self.drive):
                    a[cells] = 0.0
                for q in range(self.points):
                    split.stress(strain[q], here, stress[q], plus, minus, cells)
                    self.plus[cells] += plus
                    self.minus[cells] += minus
                    self.drive[cells] += split.drive(plus, minus)
                    total += split.stored(plus, minus, here)
                for a in (self.plus, self.minus, self.drive):
                    a[cells] /= self.points
                sums[b] += total.sum()
                self._force(stress, *lines, last, self._slopes, self.volume, self._scratch[thread], out, edge)

        passes.each(work, len(passes.rows))
        passes.finish(out)
        return float(sums.sum()) * self.volume / self.points

    def linearise(self, g: np.ndarray, u: np.ndarray) -> None:
        """Keep ∂σ/∂ε at u for `apply`; a linear split does not look at u."""
        split, m, g = self.split, self.components, g.reshape(-1)
        alike = self.points if split.linear else 1
        if self._tangent.size == 0:
            pieces = -(-self._nx // kernels.PIECE)
            self._tangent = np.zeros(self.passes.cells[0] * self._lines * pieces * kernels.PIECE * self._kept)

        def work(thread: int, b: int) -> None:
            for lines, cells, strain, _ in self._chunks(thread, b):
                self._strain(u, *lines, self._slopes, self._scratch[thread], strain)
                here = g[cells]
                tangent = np.empty((m * (m + 1) // 2, here.size))
                for q in range(0, self.points, alike):
                    split.tangent_matrix(strain[q], here, tangent, cells)
                    self._store(tangent, q, alike, *lines, self._nx, self._slopes, self.volume, self._tangent)

        self.passes.each(work, len(self.passes.rows))

    def apply(self, u: np.ndarray, out: np.ndarray) -> float:
        """out = K u with the tangents kept, as `Passes.apply` leaves it; u·K u."""
        passes, sums = self.passes, np.zeros(len(self.passes.rows))

        def work(thread: int, b: int) -> None:
            edge, scratch = passes.edges[b], self._scratch[thread]
            sums[b] = self._product(u, self._tangent, *passes.rows[b], self._slopes, scratch, out, edge)

        passes.each(work, len(passes.rows))
        passes.finish(out)
        return float(sums.sum())

    def mean_stress(self, g: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Mean stress of each cell (m, cells), flattened."""
        g, result = g.reshape(-1), np.zeros((self.components, g.size))

        def work(thread: int, b: int) -> None:
            for lines, cells, strain, stress in self._chunks(thread, b):
                self._strain(u, *lines, self._slopes, self._scratch[thread], strain)
                here = g[cells]
                plus, minus = np.empty(here.size), np.empty(here.size)
                for q in range(self.points):
                    self.split.stress(strain[q], here, stress[q], plus, minus, cells)
                result[:, cells] = stress.mean(axis=0)

        self.passes.each(work, len(self.passes.rows))
        return result

    def forces(self, response: Callable[[np.ndarray, np.ndarray], float], u: np.ndarray) -> tuple[np.ndarray, float]:
        """What `apply` or `respond` make of u as a vector of its own, and the number they return."""
        force, result = np.zeros_like(u), np.zeros_like(u)
        total = response(u, force)
        for b in range(len(self.passes.rows)):
            self.passes.subtract(-1.0, force, result, b)
        return result, total

    def _chunks(self, thread: int, b: int) -> Iterator[tuple[tuple[int, int], slice, np.ndarray, np.ndarray]]:
        """((first, last + 1) line, their cells, room for strains and for stresses (points, m, n)) of a block of rows."""
        first, last = (row * self._lines for row in self.passes.rows[b])
        for begin in range(first, last, self._height):
            end = min(begin + self._height, last)
            n = (end - begin) * self._nx
            rooms = self._fields[thread][: 2 * self.points * self.components * n]
            strain, stress = rooms.reshape(2, self.points, self.components, n)
            yield (begin, end), slice(begin * self._nx, end * self._nx), strain, stress
