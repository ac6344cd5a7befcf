"""The law of a damaged body for the periodic solver: σ = g ∂ψ⁺/∂ε + ∂ψ⁻/∂ε with a split and a field g."""

from __future__ import annotations

import numpy as np

from phasefield.mechanics.laws import Law
from phasefield.mechanics.splits import Split


class Degraded(Law):
    """σ(x, ε) of a split, degraded by g(x), shape (*shape), which may be changed in place between solutions.

    Conjugate gradients for splits that are linear, Newton's method around them for the others. Cells must be in double precision.

    Raises:
        InputError: g of another shape than the grid's.
    """

    def __init__(self, split: Split, g: np.ndarray):
        super().__init__(np.shape(g))
        self.split, self.g = split, self._field(np.asarray(g, float))
        self.linear = split.linear

    def reference(self) -> np.ndarray:
        """The mean stiffness of the intact body."""
        m, n = self.components, self.g.size
        whole, still, out = np.ones(n), np.zeros((m, n)), np.empty((m, n))
        columns = []
        for direction in np.eye(m):
            self.split.tangent(still, whole, np.repeat(direction[:, None], n, axis=1), out)
            columns.append(out.mean(axis=1))
        return np.array(columns).T

    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        plus, minus = np.empty(strain.shape[1]), np.empty(strain.shape[1])
        self.split.stress(strain, self.g[cells], stress, plus, minus, cells)
        energy[...] = self.split.stored(plus, minus, self.g[cells])

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        # The tangent of a linear split does not look at the strain.
        self.split.tangent(direction if strain is None else strain, self.g[cells], direction, out, cells)
