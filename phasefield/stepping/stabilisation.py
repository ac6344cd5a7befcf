"""The stabilisation S: how much of f″ is moved to the implicit side.

The original energy decays for every step size when S ≥ ½ max |f″| on the range the field attains (Z. Fu, J. Yang, J. Comput.
Phys. 454 (2022) 110943, doi:10.1016/j.jcp.2022.110943, for the exponential schemes; for `imex1` S ≥ ½ max f″ is enough).
`sbdf2` needs ¾ max f″ for a mode at a well to stay stable at long steps. Taken here is the scheme's share of max f″, or 0:
deep inside the spinodal, where f″ < 0, nothing needs to be stabilised and S > 0 would only slow the growth down; there the
energy guard of the control watches over the schemes.

S follows the attained range: it is chosen anew when a field goes beyond the last one by more than a margin, and lowered when
a look every few steps shows that less would do. It is computed on the attained range itself, with a safety factor: on a
wider one the f″ of Flory–Huggins, near c = 0 and 1, would be a hundred times too large, and so large an S stops all motion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# How far beyond the last range, relative to its width, a field may go before S is chosen anew.
MARGIN = 0.01
# S over the scheme's share of max f″ on the attained range.
SAFETY = 1.1
# Every so many steps S is compared with what the attained range asks for, and lowered when it is larger by this factor.
LOOK_EVERY = 16
TOO_LARGE = 1.25


class Stabilisation:
    """S per field, from the largest f″ on the range in use, or fixed by the user.

    Args:
        curvature: largest f″ per field on given ranges, see `Split.curvature`.
        share: S over max f″ that the scheme asks for.
        fixed: the user's S, or None.
        changing: whether f itself changes with time; every look may then raise S, too.
    """

    def __init__(
        self,
        curvature: Callable[[Sequence[tuple[float, float]]], np.ndarray],
        share: float = 0.5,
        fixed: float | None = None,
        changing: bool = False,
    ):
        self._curvature, self._share, self._fixed, self._changing = curvature, share, fixed, changing
        self.ranges: list[tuple[float, float]] = []
        self.values = np.zeros(0)

    def update(self, attained: Sequence[tuple[float, float]], step: int = 0) -> bool:
        """Take notice of the ranges attained after `step` steps; True when S changed."""
        inside = bool(self.ranges) and all(
            low <= a and b <= high for (a, b), (low, high) in zip(attained, self.ranges, strict=True)
        )
        if inside and (step % LOOK_EVERY or self._fixed is not None):
            return False
        ranges = [(a - MARGIN * (b - a), b + MARGIN * (b - a)) for a, b in attained]
        values = self._evaluate(attained)
        if inside and np.all(self.values <= TOO_LARGE * values):
            enough = not self._changing or np.all(self.values >= values / SAFETY)
            if enough:
                return False
        changed = not np.array_equal(self.values, values)
        self.ranges, self.values = ranges, values
        return changed

    def restore(self, ranges: Sequence[tuple[float, float]], values: Sequence[float]) -> None:
        """Set range and S to those of a checkpoint."""
        self.ranges = [(float(a), float(b)) for a, b in ranges]
        self.values = np.array(values, dtype=float)

    def _evaluate(self, ranges: Sequence[tuple[float, float]]) -> np.ndarray:
        if self._fixed is not None:
            return np.full(len(ranges), float(self._fixed))
        return np.maximum(0.0, self._share * SAFETY * self._curvature(ranges))
