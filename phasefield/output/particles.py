"""Counting particles: the connected regions of one phase."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def count_particles(phi: np.ndarray, periodic: tuple[bool, ...], level: float = 0.5) -> int:
    """Number of connected regions where φ > `level`; cells that share a face are connected, also across periodic faces.

    periodic: one value per axis of `phi`.
    """
    labels = np.empty(phi.shape, np.int32)
    count = int(ndimage.label(phi > level, output=labels))  # type: ignore[arg-type]
    parent = list(range(count + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for axis, joined in enumerate(periodic):
        if joined:
            first, last = np.take(labels, 0, axis), np.take(labels, -1, axis)
            both = (first > 0) & (last > 0)
            for a, b in set(zip(first[both].tolist(), last[both].tolist(), strict=True)):
                parent[root(a)] = root(b)
    return sum(parent[i] == i for i in range(1, count + 1))
