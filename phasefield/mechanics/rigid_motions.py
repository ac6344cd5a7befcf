"""Motions of a body as a whole, and which of them a set of supports leaves free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Motions are free that move the supports by less than the root of this, relative to the motion which moves them most.
_FREE = 1e-12


def rigid_rows(points: np.ndarray, components: np.ndarray) -> np.ndarray:
    """u_c(x) of the motions t + ω × x, one row per support: (M, d + d(d−1)/2), columns t, then ω (about z in the plane).

    Args:
        points: (M, d); components: c of each, (M,).
    """
    count, d = points.shape
    axes = 1 if d == 2 else 3
    rows = np.zeros((count, d + axes))
    each = np.arange(count)
    rows[each, components] = 1.0
    x = np.zeros((count, 3))
    x[:, :d] = points
    for a in range(axes):
        omega = np.zeros(3)
        omega[2 if d == 2 else a] = 1.0
        rows[:, d + a] = np.cross(omega, x)[each, components]
    return rows


def free_motion(points: np.ndarray, components: np.ndarray, lengths: Sequence[float]) -> str | None:
    """The words for a motion as a whole that held components leave free, None where there is none.

    Args:
        points, components: see `rigid_rows`; lengths: of the body along its axes.
    """
    d = len(lengths)
    rows = rigid_rows((points - 0.5 * np.array(lengths)) / max(lengths), components)
    gram = rows.T @ rows
    values, motions = np.linalg.eigh(gram)
    limit = _FREE * max(float(values[-1]), 1.0)
    null = motions[:, values <= limit]
    if null.shape[1] == 0:
        return None
    for a, name in enumerate("xyz"[:d]):
        if np.abs(gram[a]).max() <= limit:
            return f"move along {name}"
    turns = null[d:]
    dominant = int(np.argmax(np.linalg.norm(turns, axis=1)))
    if np.linalg.norm(turns[dominant]) < 1e-6:
        direction = null[:d, 0] / np.abs(null[:d, 0]).max()
        return f"move along ({', '.join(f'{v:.3g}' for v in direction)})"
    return f"turn about {'z' if d == 2 else 'xyz'[dominant]}"
