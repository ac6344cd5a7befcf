"""The stabilisation S: how much of f″ is moved to the implicit side.

The original energy decays for every step size when S ≥ ½ max f″ on the range the field attains, for `imex1`, ETD1 and
`etdrk2` alike (with the absolute value for the exponential schemes: Z. Fu, J. Yang, J. Comput. Phys. 454 (2022) 110943,
doi:10.1016/j.jcp.2022.110943). S follows the range in use: it is raised when a field leaves the range it was computed for,
which is then widened by a margin, and never lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# Each time a field leaves the range, the new range gets this share of its width as margin on both sides.
MARGIN = 0.1


class Stabilisation:
    """S per field, from the largest f″ on the range in use, or fixed by the user.

    Args:
        curvature: largest f″ per field on given ranges, see `Split.curvature`.
        fixed: the user's S, or None.
    """

    def __init__(self, curvature: Callable[[Sequence[tuple[float, float]]], np.ndarray], fixed: float | None = None):
        self._curvature, self._fixed = curvature, fixed
        self.ranges: list[tuple[float, float]] = []
        self.values = np.zeros(0)

    def update(self, attained: Sequence[tuple[float, float]]) -> bool:
        """Take notice of the attained ranges; True when S changed."""
        if self.ranges and all(
            low <= a and b <= high for (a, b), (low, high) in zip(attained, self.ranges, strict=True)
        ):
            return False
        old = self.values
        ranges = list(attained)
        if self.ranges:
            ranges = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(attained, self.ranges, strict=True)]
        self.ranges = [(a - MARGIN * (b - a), b + MARGIN * (b - a)) for a, b in ranges]
        self.values = self._evaluate()
        return not np.array_equal(old, self.values)

    def restore(self, ranges: Sequence[tuple[float, float]]) -> None:
        """Set the range in use to that of a checkpoint."""
        self.ranges = [(float(a), float(b)) for a, b in ranges]
        self.values = self._evaluate()

    def _evaluate(self) -> np.ndarray:
        if self._fixed is not None:
            return np.full(len(self.ranges), float(self._fixed))
        return np.maximum(0.0, 0.5 * self._curvature(self.ranges))
