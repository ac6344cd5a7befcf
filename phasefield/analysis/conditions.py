"""Whether loads and temperature stand still: theory of a uniform state and falling energies hold only while they do."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from phasefield.models.base import Model


def steady(model: Model, start: float, end: float) -> bool:
    """Whether parameters of f and loads have the same values throughout [start, end].

    Both are piecewise linear in time with corners at `model.events`, so comparing corners is enough.
    """
    corners = [start, *(t for t in model.events if start < t < end), end]
    first = _conditions(model, start, start)
    # A phase of the load continues up to its end, where the next one begins.
    later = [_conditions(model, b, within) for a, b in pairwise(corners) for within in (a, b)]
    return all(_same(first, conditions) for conditions in later)


def steady_until(model: Model) -> float:
    """The last time up to which nothing has changed since the start; infinite where nothing ever does."""
    until = 0.0
    for corner in sorted({t for t in model.events if t > 0.0}):
        if not steady(model, 0.0, corner):
            # At the corner itself a new phase may begin, up to which everything was as before.
            continues = _same(_conditions(model, 0.0, 0.0), _conditions(model, corner, until))
            return corner if continues else until
        until = corner
    return math.inf


def _conditions(model: Model, time: float, within: float) -> np.ndarray:
    """Parameters of f, symbol and driving force of the load at `time`, in the phase of the load that `within` lies in."""
    return np.concatenate([list(model.parameters_at(time).values()), model.load_at(time, within)])


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-12, atol=1e-300))
