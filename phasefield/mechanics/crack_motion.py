"""How cracks move: speeds of tips, from where they were at many times (`crack_tips`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasefield.errors import InputError


def tip_speed(
    times: Sequence[float] | np.ndarray, path: Sequence[float] | np.ndarray, window: float
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of straight lines fitted to a path by least squares over windows of time.

    Args:
        times, path: (n), ascending times. window: length of the windows, each with five points or more.

    Returns:
        Times (m) of the middles of the windows, those of points of the path with a whole window around them, and speeds (m).

    Raises:
        InputError: times that do not ascend or do not fit the path, or windows with less than five points.
    """
    t, s = np.asarray(times, float), np.asarray(path, float)
    if t.ndim != 1 or t.shape != s.shape or np.any(np.diff(t) <= 0.0):
        raise InputError("times must ascend, one for each point of the path")
    if not window > 0.0:
        raise InputError(f"the window must be positive, got {window:g}")
    half, slack = 0.5 * window, 1e-9 * window
    middles = t[(t - half >= t[0] - slack) & (t + half <= t[-1] + slack)] if len(t) else t
    first = np.searchsorted(t, middles - half - slack)
    last = np.searchsorted(t, middles + half + slack)
    if len(middles) and (last - first).min() < 5:
        raise InputError(f"windows of {window:g} need five points or more of the path")
    speeds = np.empty(len(middles))
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        x = t[a:b] - t[a:b].mean()
        speeds[i] = (x @ (s[a:b] - s[a:b].mean())) / (x @ x)
    return middles, speeds
