"""How cracks move: speeds of tips and the time of branching, from tips at many times (`crack_tips`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.crack_tips import Fork, Tip


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


def branching(
    times: Sequence[float] | np.ndarray, tips: Sequence[Sequence[Tip]], forks: Sequence[Sequence[Fork]]
) -> tuple[float, Fork] | None:
    """When and where the crack from the notch first forks for good: the first fork of those present at the end.

    A fork is seen when its arms are long enough; the time is that at which the longest tip passed it, linear between times.

    Args:
        times: (n), ascending; tips, forks: at these times, by `find_tips` and `find_forks`.

    Returns:
        None without a fork at the last time.
    """
    if not len(times) == len(tips) == len(forks):
        raise InputError("branching needs tips and forks for each of the times")
    own = [f for f in forks[-1] if f.crack == 0] if len(forks) else []
    if not own:
        return None
    fork = min(own, key=lambda f: f.length)
    lengths = np.array([max((t.length for t in now if t.crack == 0), default=0.0) for now in tips])
    after = int(np.flatnonzero(lengths >= fork.length)[0])
    if after == 0:
        return float(times[0]), fork
    share = (fork.length - lengths[after - 1]) / (lengths[after] - lengths[after - 1])
    return float(times[after - 1] + share * (times[after] - times[after - 1])), fork
