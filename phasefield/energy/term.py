"""What a term of the free energy has to state: its density, its derivative, and its linear symbol.

F = Σ terms. One generic test checks, for every registered term, that `derivative` is the finite difference of `energy`;
another that a model's growth matrix is the linearisation of its right-hand side. A state is a dict of real arrays in
grid shape, one per field.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from phasefield.spectral.grid import Grid

if TYPE_CHECKING:
    from phasefield.kernels.expressions import Expression

State = Mapping[str, np.ndarray]


class Term(ABC):
    """One summand of the free energy F = ∫ Σ f_i dV."""

    name: str
    fields: tuple[str, ...]

    @abstractmethod
    def density(self, state: State, grid: Grid) -> np.ndarray:
        """Energy per volume at every cell, shape `grid.shape`."""

    @abstractmethod
    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        """δF/δφ of every field the term depends on, shape `grid.shape` each."""

    @abstractmethod
    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        """Linear symbol of the derivative about a uniform base state: δ²F for every pair of fields, over k̃².

        `direction`: the unit vector k/|k|, (3,) or one for every k̃², (*k2.shape, 3), for terms that depend on it.
        """

    def energy(self, state: State, grid: Grid) -> float:
        """∫ density dV by the midpoint rule (spectrally accurate on periodic grids)."""
        return float(self.density(state, grid).sum() * grid.cell_volume)

    @property
    def pointwise(self) -> Expression | None:
        """The density as a formula of the local field values, if it is one: such terms are treated explicitly."""
        return None

    def gradient_coefficient(self, field: str) -> float:
        """κ of the shared gradient term for `field`: such terms are treated implicitly."""
        return 0.0

    def parameter_values(self) -> dict[str, float]:
        """Values of the parameters of the pointwise formula."""
        return {}

    @abstractmethod
    def latex(self) -> str:
        """The density as LaTeX."""
