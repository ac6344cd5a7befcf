"""What order parameters do to strain and stiffness of a body; the formulas are those of `mechanics.transforming`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.stiffness import check_stiffness, mandel_matrix

# h(η) = η.
LINEAR = (1.0, 0.0, 0.0, 0.0)
# Stiffnesses closer than this, relative to the largest component of C₀, are the same.
_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class TransformingBody:
    """What order parameters do to strain and stiffness; tensors in the axes of the grid.

    stiffness: C₀ (3, 3, 3, 3); strains: ε⁰_p (N, 3, 3); strain_function, stiffness_function: c₁ … c₄ of h and w;
    variants: C_p (N, 3, 3, 3, 3), or None where all have C₀; region: C_r, or None; region_transforms: whether s = 1.

    Raises:
        InputError: a stiffness that is not one, or another number of them than of strains.
    """

    stiffness: np.ndarray
    strains: np.ndarray
    strain_function: tuple[float, ...] = LINEAR
    stiffness_function: tuple[float, ...] = LINEAR
    variants: np.ndarray | None = None
    region: np.ndarray | None = None
    region_transforms: bool = True

    def __post_init__(self) -> None:
        for C in (self.stiffness, *(() if self.variants is None else self.variants), *self._regions):
            check_stiffness(C)
        if self.variants is not None and len(self.variants) != len(self.strains):
            raise InputError(f"{len(self.strains)} variants have as many stiffnesses, got {len(self.variants)}")

    @property
    def _regions(self) -> tuple[np.ndarray, ...]:
        return () if self.region is None else (self.region,)

    @property
    def homogeneous(self) -> bool:
        """Whether there is one stiffness only."""
        return not self.contrasts()[1]

    def contrasts(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Which of the contrasts C − C₀ (6, 6, Mandel) that follow is a variant's (N), −1 for none, the region's last."""
        base, found, rows = mandel_matrix(self.stiffness), [], []
        for C in self.variants if self.variants is not None else [self.stiffness] * len(self.strains):
            contrast = mandel_matrix(C) - base
            alike = [
                np.abs(contrast - other).max() <= _SAME * np.abs(base).max() for other in (np.zeros((6, 6)), *found)
            ]
            rows.append(alike.index(True) - 1 if any(alike) else len(found))
            found += [] if any(alike) else [contrast]
        return np.array(rows), found + [mandel_matrix(C) - base for C in self._regions]

    def stiffness_of(self, weights: np.ndarray) -> np.ndarray:
        """C (3, 3, 3, 3) outside the region for weights w_p (N)."""
        result = np.array(self.stiffness, float)
        for p, C in enumerate(() if self.variants is None else self.variants):
            others = np.delete(weights, p)
            result += weights[p] * np.prod(1.0 - others) * (C - self.stiffness)
        return result

    def stiffness_change(self, weights: np.ndarray, variants: tuple[int, ...]) -> np.ndarray:
        """∂C/∂w_p, or ∂²C/∂w_p∂w_q: C is linear in each weight, so that its derivatives are differences between 1 and 0."""
        if not variants:
            return self.stiffness_of(weights)
        p, *rest = variants
        ends = [np.where(np.arange(len(weights)) == p, value, weights) for value in (1.0, 0.0)]
        one, zero = (self.stiffness_change(w, tuple(rest)) for w in ends)
        return one - zero

    @property
    def upper_bound(self) -> np.ndarray:
        """A stiffness (3, 3, 3, 3) that is nowhere exceeded where the body transforms: a multiple of the mean of all."""
        found = [self.stiffness, *(() if self.variants is None else self.variants)]
        found += self._regions if self.region_transforms else ()
        mean = np.mean(found, axis=0)
        root = np.linalg.inv(np.linalg.cholesky(mandel_matrix(mean)))
        factor = max(np.linalg.eigvalsh(root @ mandel_matrix(C) @ root.T)[-1] for C in found)
        return factor * mean
