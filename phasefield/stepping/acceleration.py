"""Acceleration of alternate minimisation, a fixed-point iteration φ ← G(φ).

| name | next φ |
|---|---|
| `none` | G(φ) |
| `over_relaxation` | φ + ω (G(φ) − φ) |
| `anderson` | the combination of the last iterates whose residuals G − φ cancel best, taken at their images |

Proposals are cut to the bounds of φ. What makes them safe is with the iteration: it goes back to G(φ) where a proposal raised the
energy.

P. E. Farrell, C. Maurini, Int. J. Numer. Methods Eng. 109 (2017) 648, doi:10.1002/nme.5300 (over-relaxation); D. G. Anderson,
J. ACM 12 (1965) 547, doi:10.1145/321296.321305; H. F. Walker, P. Ni, SIAM J. Numer. Anal. 49 (2011) 1715, doi:10.1137/10078356X.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from phasefield.registry import register

# Differences of residuals this much smaller than the largest say nothing.
REGULARISATION = 1e-10


class Acceleration(ABC):
    """Proposes the next iterate; `depth` and `relaxation` are for those that use them."""

    def __init__(self, depth: int = 5, relaxation: float = 1.6):
        self.depth, self.relaxation = depth, relaxation

    def reset(self) -> None:  # noqa: B027 - most remember nothing
        """Forget the iterates so far."""

    @abstractmethod
    def propose(self, x: np.ndarray, image: np.ndarray) -> np.ndarray:
        """The next iterate after x, whose image is G(x); bounds are the caller's."""


@register("acceleration", "none")
class Plain(Acceleration):
    """Alternate minimisation as it is."""

    def propose(self, x: np.ndarray, image: np.ndarray) -> np.ndarray:
        return image


@register("acceleration", "over_relaxation")
class OverRelaxation(Acceleration):
    """Every step longer by ω."""

    def propose(self, x: np.ndarray, image: np.ndarray) -> np.ndarray:
        return x + self.relaxation * (image - x)


@register("acceleration", "anderson")
class Anderson(Acceleration):
    """Anderson mixing over `depth` differences, least squares by normal equations."""

    def __init__(self, depth: int = 5, relaxation: float = 1.6):
        super().__init__(depth, relaxation)
        self._points: list[np.ndarray] = []
        self._images: list[np.ndarray] = []

    def reset(self) -> None:
        self._points.clear()
        self._images.clear()

    def propose(self, x: np.ndarray, image: np.ndarray) -> np.ndarray:
        self._points.append(x)
        self._images.append(image)
        del self._points[: -self.depth - 1], self._images[: -self.depth - 1]
        if len(self._images) < 2:
            return image
        residuals = [(g - p).reshape(-1) for p, g in zip(self._points, self._images, strict=True)]
        rows = [b - a for a, b in pairwise(residuals)]
        # Sums and not products of a BLAS, whose threads would spin beside ours and add up in an order of their own.
        matrix = np.array([[float((a * b).sum()) for b in rows] for a in rows])
        matrix += REGULARISATION * np.trace(matrix) * np.eye(len(rows))
        if not matrix.any():
            return image
        weights = np.linalg.solve(matrix, [float((a * residuals[-1]).sum()) for a in rows])
        result = image.copy()
        for weight, (before, after) in zip(weights, pairwise(self._images), strict=True):
            result -= weight * (after - before)
        return result
