"""Material laws σ(x, ε) = ∂ψ/∂ε of bodies whose stiffness differs from place to place.

Components are Mandel's, xx, yy, √2 xy and xx, yy, zz, √2 yz, √2 xz, √2 xy; arrays are (m, *grid.shape).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics import periodic_kernels as kernels
from phasefield.mechanics.stiffness import IN_PLANE, PAIRS, mandel_matrix


class Law(ABC):
    """σ(x, ε) = ∂ψ/∂ε, evaluated for blocks of cells: `cells` is a slice of the flattened grid, strain and stress are (m, n).

    Blocks are handled by several threads at once. `linear` promises that `tangent` does not depend on the strain.
    """

    linear = False

    def __init__(self, shape: tuple[int, ...]):
        if len(shape) not in PAIRS:
            raise InputError(f"a material law lives on a grid of 2 or 3 dimensions, got the shape {shape}")
        self.shape, self.components = tuple(shape), len(PAIRS[len(shape)][0])

    @abstractmethod
    def reference(self) -> np.ndarray:
        """A positive definite stiffness (m, m) not far from ∂σ/∂ε on average: the reference medium."""

    @abstractmethod
    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        """Fill in σ (m, n) and ψ (n,)."""

    @abstractmethod
    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        """out = (∂σ/∂ε) direction at the given strain; a linear law gets None."""

    def _field(self, values: np.ndarray, leading: tuple[int, ...] = ()) -> np.ndarray:
        """`values` with flattened cells, by reference where its memory allows."""
        values = np.asarray(values)
        if values.shape != (*leading, *self.shape):
            raise InputError(f"expected an array of shape {(*leading, *self.shape)}, got {values.shape}")
        return np.ascontiguousarray(values).reshape(*leading, -1)


class LinearLaw(Law):
    """σ = C(x):(ε − ε*(x)), ψ = ½ (ε − ε*):C:(ε − ε*); eigenstrain (m, *shape) or None. Arrays are kept by reference."""

    linear = True

    def __init__(self, shape: tuple[int, ...], eigenstrain: np.ndarray | None = None):
        super().__init__(shape)
        self.eigenstrain = None if eigenstrain is None else self._field(eigenstrain, (self.components,))

    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        elastic = (
            strain if self.eigenstrain is None else strain - self.eigenstrain[:, cells].astype(strain.dtype, copy=False)
        )
        self.tangent(cells, None, elastic, stress)
        np.einsum("an,an->n", elastic, stress, out=energy)
        energy *= 0.5


class Isotropic(LinearLaw):
    """C = λ I⊗I + 2μ 𝟙 with fields λ and μ, shape (*shape); both may be zero in voids."""

    def __init__(self, lame: np.ndarray, shear: np.ndarray, eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(lame), eigenstrain)
        self.lame, self.shear = self._field(lame), self._field(shear)

    def reference(self) -> np.ndarray:
        volume = np.zeros(self.components)
        volume[: len(self.shape)] = 1.0
        return float(self.lame.mean()) * np.outer(volume, volume) + 2.0 * float(self.shear.mean()) * np.eye(volume.size)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.isotropic(self.lame, self.shear, cells.start, direction, out)


class Phases(LinearLaw):
    """C(x) = C_p for the phase number p(x): integers (*shape) and a list of stiffnesses (see `stiffness_matrix`)."""

    def __init__(self, phase: np.ndarray, stiffness: Sequence[np.ndarray], eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(phase), eigenstrain)
        self.phase = self._field(phase)
        self.table = np.stack([stiffness_matrix(c, len(self.shape)) for c in stiffness])
        if self.phase.dtype.kind not in "iu" or self.phase.min() < 0 or self.phase.max() >= len(self.table):
            raise InputError(f"phase numbers are integers from 0 to {len(self.table) - 1}")

    def reference(self) -> np.ndarray:
        share = np.bincount(self.phase, minlength=len(self.table)) / self.phase.size
        return np.einsum("p,pab->ab", share, self.table)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.phases(self.table, self.phase, cells.start, direction, out)


class Interpolated(LinearLaw):
    """C(x) = C_0 + Σ_p w_p(x) (C_p − C_0): weights (n, *shape) and n + 1 stiffnesses."""

    def __init__(self, weights: np.ndarray, stiffness: Sequence[np.ndarray], eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(weights)[1:], eigenstrain)
        self.base, *others = (stiffness_matrix(c, len(self.shape)) for c in stiffness)
        self.weights = self._field(weights, (len(others),))
        self.contrast = np.stack([c - self.base for c in others])

    def reference(self) -> np.ndarray:
        return self.base + np.einsum("p,pab->ab", self.weights.mean(axis=1), self.contrast)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.interpolated(self.base, self.contrast, self.weights, cells.start, direction, out)


class Anisotropic(LinearLaw):
    """C(x) in full: the upper triangle of the Mandel matrix row by row, (m (m + 1)/2, *shape)."""

    def __init__(self, packed: np.ndarray, eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(packed)[1:], eigenstrain)
        self.packed = self._field(packed, (self.components * (self.components + 1) // 2,))

    def reference(self) -> np.ndarray:
        upper = np.zeros((self.components, self.components))
        upper[np.triu_indices(self.components)] = self.packed.mean(axis=1)
        return upper + np.triu(upper, 1).T

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.packed(self.packed, cells.start, direction, out)


def stiffness_matrix(stiffness: np.ndarray, dimensions: int) -> np.ndarray:
    """Mandel matrix (m, m) of a stiffness given as one, as a tensor (d, d, d, d), or in space for a plane problem.

    Raises:
        InputError: another shape, or not symmetric.
    """
    c = np.asarray(stiffness, float)
    m = len(PAIRS[dimensions][0])
    if c.ndim == 4 and min(c.shape) >= dimensions:
        c = mandel_matrix(c, dimensions)
    elif c.shape == (6, 6) and dimensions == 2:
        c = c[np.ix_(IN_PLANE, IN_PLANE)]
    if c.shape != (m, m) or not np.allclose(c, c.T, rtol=1e-9, atol=1e-9 * np.abs(c).max()):
        raise InputError(f"a stiffness is a symmetric {m} x {m} Mandel matrix or a tensor of rank four")
    return c
