"""Scalar Laplacians with the conditions of each displacement component, inverted by sine and cosine transforms.

For component c, with weights a_j = λ + 2μ along its own axis and μ across, the preconditioner is the finite-difference operator

    M_c = V Σ_j (a_j/h_j²) L_j,     L_j = tridiagonal (−1, 2, −1) along axis j, with a 1 at ends that are free,

lumped masses w = ½ at free ends standing for the other axes. L v = ℓ W v has on an axis of n cells the solutions

| low end, high end | nodes | v_k | ℓ | W^(−½)-scaled transform, and its inverse |
|---|---|---|---|---|
| held, held | 1 … n−1 | sin(πmk/n), m = 1 … n−1 | 2 − 2cos(πm/n) | DST-I, DST-I |
| free, free | 0 … n | cos(πmk/n), m = 0 … n | 2 − 2cos(πm/n) | DCT-I, DCT-I |
| held, free | 1 … n | sin(π(m+½)k/n), m = 0 … n−1 | 2 − 2cos(π(m+½)/n) | DST-III, DST-II |
| free, held | 0 … n−1 | cos(π(m+½)k/n), m = 0 … n−1 | 2 − 2cos(π(m+½)/n) | DCT-III, DCT-II |

W^½ v, normalised, are the rows of the orthogonal transforms Q: M_c = W^½ Qᵀ Λ Q W^½, and r·M⁻¹r is the sum of
(Q W^(−½) r)²/Λ, known before any transform back. S. A. Martucci, IEEE Trans. Signal Process. 42 (1994) 1038,
doi:10.1109/78.295213 (the family of transforms); derived and tested here against dense matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from phasefield.mechanics import bounded_kernels as kernels
from phasefield.spectral.grid import Grid
from phasefield.spectral.transforms import Engine

# (held at the low end, held at the high end): family, kind forward, kind back, first wave.
TRANSFORMS = {
    (True, True): ("dst", 1, 1, 1.0),
    (False, False): ("dct", 1, 1, 0.0),
    (True, False): ("dst", 3, 2, 0.5),
    (False, True): ("dct", 3, 2, 0.5),
}
# A block of columns should stay in the second-level cache.
BLOCK_BYTES = 512 * 1024


@dataclass(frozen=True)
class Line:
    """One axis of n cells for one component: the nodes that are not held, their lumped masses, transforms and eigenvalues."""

    cells: int
    held: tuple[bool, bool]

    @property
    def begin(self) -> int:
        return int(self.held[0])

    @property
    def nodes(self) -> int:
        return self.cells + 1 - sum(self.held)

    @property
    def scale(self) -> np.ndarray:
        """W^(−½)."""
        weight = np.ones(self.nodes)
        if not self.held[0]:
            weight[0] = 0.5
        if not self.held[1]:
            weight[-1] = 0.5
        return 1.0 / np.sqrt(weight)

    @property
    def eigenvalues(self) -> np.ndarray:
        """ℓ = 4 sin²(½ πm/n), which keeps its digits where it is small."""
        first = TRANSFORMS[self.held][3]
        return 4.0 * np.sin(0.5 * np.pi / self.cells * (first + np.arange(self.nodes))) ** 2

    def transform(self, engine: Engine, a: np.ndarray, axis: int, *, forward: bool) -> None:
        """Q or Qᵀ along an axis of `a`, in place."""
        family, there, back, _ = TRANSFORMS[self.held]
        engine.trigonometric(family, there if forward else back, a, axis, a)


class ComponentLaplacian:
    """M_c of one component and its work array (n0, n1, nx): waves along the fast axes, nodes or waves along the slowest.

    Args:
        held: per axis, x first, whether the two ends are held; weights: a_j, x first.
    """

    def __init__(self, grid: Grid, held: tuple[tuple[bool, bool], ...], weights: np.ndarray, engine: Engine):
        d, self.engine = grid.dimensions, engine
        lines = [Line(axis.cells, ends) for axis, ends in zip(grid.axes, held, strict=True)][::-1]
        factors = [grid.cell_volume * w / axis.spacing**2 for w, axis in zip(weights, grid.axes, strict=True)][::-1]
        parts = [f * line.eigenvalues for f, line in zip(factors, lines, strict=True)]
        # In the plane a middle axis of one node stands in; a row is padded, so that columns do not share their cache sets.
        self.lines = lines
        self.fast = list(enumerate(lines[1:], 4 - d))
        n0, nx = lines[0].nodes, lines[-1].nodes
        n1 = lines[1].nodes if d == 3 else 1
        row = -(-nx // 8) * 8
        row += 8 * (n1 * row * 8 % 1024 == 0)
        self.padded = np.zeros((n0, n1, row))
        self.work = self.padded[:, :, :nx]
        self.columns = self.padded.reshape(n0, n1 * row)
        self.begin = (lines[0].begin, lines[1].begin if d == 3 else 0, lines[-1].begin)
        self.end = lines[0].begin + n0
        self.scales = (lines[0].scale, lines[1].scale if d == 3 else np.ones(1), lines[-1].scale)
        fast = np.ones((n1, row))
        fast[:, :nx] = reduce(np.add.outer, parts[1:]).reshape(n1, nx)
        self.slow_values, self.fast_values = parts[0], fast.reshape(-1)
        # The constant is the softest wave; without a face that holds it, let it be as soft as the softest of the others.
        self.null = 1.0 / min(float(part[part > 0.0].min(initial=np.inf)) for part in parts)

    def blocks(self) -> list[tuple[int, int]]:
        """Bounds of the blocks of columns: equal shares of about `BLOCK_BYTES`, an even number where there are several."""
        if self.work.size == 0:
            return []
        n0, columns = self.columns.shape
        count = max(1, -(-8 * n0 * columns // BLOCK_BYTES))
        count += count % 2 if count > 1 else 0
        width = -(-columns // (8 * count)) * 8
        return [(c, min(c + width, columns)) for c in range(0, columns, width)]

    def rows(self, first: int, last: int) -> tuple[int, int]:
        """Which of the rows first … last − 1 of nodes are not held; none where faces hold all nodes."""
        return max(first, self.begin[0]), min(last, self.end) if self.work.size else 0

    def to_waves(self, r: np.ndarray, free: np.ndarray, first: int, last: int) -> None:
        """Q W^(−½) r along the fast axes for rows of nodes, r (n0, n1, nx + 1); `free` masks nodes, or has no elements."""
        first, last = self.rows(first, last)
        if first < last:
            kernels.to_waves(r, free, first, last, self.begin, self.scales, self.padded)
            view = self.work[first - self.begin[0] : last - self.begin[0]]
            for axis, line in self.fast:
                line.transform(self.engine, view, axis, forward=True)

    def divide(self, begin: int, end: int) -> float:
        """A block of columns: Q along the slowest axis, Λ⁻¹, Qᵀ. Returns its share of r·M⁻¹r."""
        view = self.columns[:, begin:end]
        self.lines[0].transform(self.engine, view, 0, forward=True)
        total = kernels.divide(self.columns, begin, end, self.slow_values, self.fast_values, self.null)
        self.lines[0].transform(self.engine, view, 0, forward=False)
        return total

    def turn(
        self, alpha: float, beta: float, free: np.ndarray, first: int, last: int, x: np.ndarray, p: np.ndarray
    ) -> None:
        """x += α p, then p = M⁻¹r + β p, for rows of nodes that are not held."""
        first, last = self.rows(first, last)
        if first < last:
            view = self.work[first - self.begin[0] : last - self.begin[0]]
            for axis, line in self.fast:
                line.transform(self.engine, view, axis, forward=False)
            kernels.turn(alpha, beta, self.padded, free, first, last, self.begin, self.scales, x, p)
