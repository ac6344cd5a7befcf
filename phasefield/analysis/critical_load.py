"""Critical loads: where a state leaves its branch, by holding one load after the other and bisecting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.analysis.quasi_static import Jumped, QuasiStatic, Start
from phasefield.errors import InputError

# A mean order parameter that changes by more than this share of its range at one load has left its branch.
_JUMP = 0.1


@dataclass(frozen=True)
class CriticalLoad:
    """Where a branch of states of rest ends.

    value: half-way between `stays`, the last load at which the state stayed on its branch, and `jumps`, the first at which it did
    not; holds: how many loads were tried; branch: the row of the table at `stays`; state: the fields there.
    """

    value: float
    stays: float
    jumps: float
    holds: int
    branch: dict[str, float]
    state: dict[str, np.ndarray]


def critical_load(
    start: Start,
    condition: str | Mapping[str, float],
    *,
    between: tuple[float, float],
    tolerance: float | None = None,
    jump: float | None = None,
    **options: Any,
) -> CriticalLoad:
    """The load, temperature or other condition at which a state leaves its branch, by holding and bisecting.

    From the state of rest at the first load a step towards the second is tried. A state that stays on its branch is kept, and the
    next step is as long; after a jump the state before is taken up again and the step is halved. `rest` limits what can be told
    apart: less than that beyond the limit of stability, a state looks as if it were at rest.

    Args:
        start, options: as for `QuasiStatic`.
        condition: name of what changes, or several with factors: {"stress_xx": 1, "stress_yy": -1}.
        between: from a value at which the state is at rest to one beyond the limit, up or down.
        tolerance: largest distance of `stays` and `jumps`; by default 1e-5 of that of `between`.
        jump: change of the mean of a field, at one load, which is a jump; by default a tenth of the range of the Landau
            polynomial. It has to be smaller than what the mean jumps by, and in a large body that may be little.

    Raises:
        InputError: the state stays on its branch all the way.
        NumericalError: a state does not come to rest within the limits.
    """
    names = {condition: 1.0} if isinstance(condition, str) else dict(condition)
    low, high = map(float, between)
    width = 1e-5 * abs(high - low) if tolerance is None else tolerance
    if high == low or not width > 0.0:
        raise InputError("between needs two different values, and the tolerance has to be positive")

    def at(share: float) -> dict[str, float]:
        return {name: factor * (low + share * (high - low)) for name, factor in names.items()}

    body = QuasiStatic(start, **options)
    row = body.hold(at(0.0))
    threshold = _default_jump(body) if jump is None else jump
    # In shares of the way from `low` to `high`, which halving keeps free of rounding.
    stays, step, jumps, holds = 0.0, 1.0, math.inf, 1
    while abs(jumps - stays) * abs(high - low) > width:
        if stays == 1.0:
            raise InputError(f"the state stays on its branch from {low:g} to {high:g}: no critical load in between")
        holds += 1
        try:
            row = body.hold(at(stays + step), jump=threshold)
        except Jumped:
            jumps = stays + step
            step *= 0.5
        else:
            stays += step
            # From far away even a state on its branch may have moved by a jump: what failed then can succeed from closer by.
            jumps = jumps if stays < jumps else math.inf
    ends = low + stays * (high - low), low + jumps * (high - low)
    return CriticalLoad(0.5 * sum(ends), *ends, holds, row, body.state)


def _default_jump(body: QuasiStatic) -> float:
    landau = getattr(body.scenario.model.parameters, "landau", None)
    if landau is None:
        raise InputError("this model has no Landau polynomial that says what a jump is: give jump=")
    return _JUMP * max(map(abs, landau.range(body.scenario.model.temperature(0.0))))  # type: ignore[attr-defined]
