"""The direction in which a matrix that depends on direction is softest: where its eigenvalues are smallest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Directions looked at before the best one is refined: over half a circle, and over half a sphere.
_ON_CIRCLE, _ON_SPHERE = 3600, 20_000
# Eigenvalues closer than this, relative to the largest one, are equal.
_SAME = 1e-9


# Moves of a refinement, of which a few hundred are usual.
MOST_MOVES = 10_000


def unit_vectors(dimensions: int) -> np.ndarray:
    """Unit vectors over half of the directions within the first axes, (M, 3), those of low index first in 3-D."""
    if dimensions == 1:
        return np.array([[1.0, 0.0, 0.0]])
    if dimensions == 2:
        angle = np.pi * np.arange(_ON_CIRCLE) / _ON_CIRCLE
        return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
    index = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    # Of n and −n the one whose last component that is not zero is positive; short and positive vectors come first.
    last = np.array([next((x for x in v[::-1] if x), 0) for v in index])
    low = index[last > 0]
    low = low[np.lexsort((*-low.T, np.sum(low**2, axis=1)))].astype(float)
    # A spiral with equal areas per point.
    i = np.arange(_ON_SPHERE) + 0.5
    z, angle = 1.0 - i / _ON_SPHERE, np.pi * (1.0 + np.sqrt(5.0)) * i
    r = np.sqrt(1.0 - z * z)
    spiral = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
    return np.concatenate([low / np.linalg.norm(low, axis=1, keepdims=True), spiral])


def softest_direction(matrix: Callable[[np.ndarray], np.ndarray], dimensions: int) -> np.ndarray:
    """The unit vector n (3,) at which the smallest eigenvalue of matrix(n) is smallest.

    Where that eigenvalue is the same in many directions the next one decides, and so on: variants whose strains add up to zero
    have a combination without strain, soft everywhere, and what tells directions apart is the others. Among equals the first
    of `unit_vectors` is taken.

    Args:
        matrix: from directions (M, 3) to symmetric matrices (M, N, N).
        dimensions: of the grid; n lies within its axes.
    """
    candidates = unit_vectors(dimensions)
    values = np.linalg.eigvalsh(matrix(candidates))
    tolerance = _SAME * max(float(np.abs(values).max()), np.finfo(float).tiny)
    kept, deciding = np.arange(len(candidates)), 0
    for i in range(values.shape[1]):
        low = values[kept, i]
        chosen = kept[low <= low.min() + tolerance]
        if len(kept) == len(candidates) and len(chosen) < len(kept):
            deciding = i
        kept = chosen
    n = candidates[kept[0]]
    return (
        n
        if dimensions == 1
        else _refine(lambda v: np.linalg.eigvalsh(matrix(v))[:, deciding], n, dimensions, tolerance)
    )


def _refine(value: Callable[[np.ndarray], np.ndarray], n: np.ndarray, dimensions: int, tolerance: float) -> np.ndarray:
    """A minimum next to n: steps in the tangent plane, halved when none goes down by more than rounding."""
    step = 0.02
    # Where rounding depends on how many values are asked for at once, two neighbours may each seem lower than the other.
    for _ in range(MOST_MOVES):
        if step <= 1e-9:
            break
        axes = np.array([[-n[1], n[0], 0.0]]) if dimensions == 2 else np.linalg.svd(n[None])[2][1:]
        moves = np.concatenate([axes, -axes, *([axes[:1] + axes[1:], axes[:1] - axes[1:]] if dimensions == 3 else [])])
        trial = n + step * moves
        trial /= np.linalg.norm(trial, axis=1, keepdims=True)
        values, now = value(trial), value(n[None])[0]
        best = int(np.argmin(values))
        n, step = (trial[best], step) if values[best] < now - 1e-6 * tolerance else (n, 0.5 * step)
    return n
