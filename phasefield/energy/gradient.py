"""The shared term: κ/2 |∇φ|², the price of an edge.

Energy density κ/2 |∇φ|², derivative −κ∇²φ, symbol κ k̃². Cahn–Hilliard, Allen–Cahn and every later model use this class
and no other. The fast path of a run never calls `density` or `derivative`: the stage kernels evaluate
`kernels.*.gradient_symbol`, and `energy_hat` below sums κ/2 k̃²|φ̂|² by `kernels.*.gradient_energy`.

κ may differ from cell to cell, and cells may be empty (a notch, a hole: nothing flows through their faces). The term then has no
symbol. With `finite_difference` it still is a sum over the faces between neighbours,

    F = Σ_faces ½ κ_f ((φ_j − φ_i)/h)² V_cell,     δF/δφ_i = Σ_faces of i  (κ_f/h²)(φ_i − φ_j),

with κ_f the harmonic mean 2κ_iκ_j/(κ_i + κ_j) (layers in series: the flux through them is exact) or the arithmetic one.
Constant κ gives the stencil whose symbol is 4/h² Σ sin²(k_j h/2). `faces` states the numbers κ_f/h², for solvers in real space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.energy.term import State, Term
from phasefield.errors import InputError
from phasefield.registry import lookup, register
from phasefield.spectral.grid import Grid
from phasefield.spectral.waves import backward, forward, symbol_on_grid


@register("face_mean", "harmonic")
def harmonic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """2ab/(a + b), zero where one of them is."""
    total = a + b
    return 2.0 * a * b / np.where(total > 0.0, total, 1.0)


@register("face_mean", "arithmetic")
def arithmetic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a + b)/2, zero where one of them is: nothing flows into empty cells."""
    return np.where((a > 0.0) & (b > 0.0), 0.5 * (a + b), 0.0)


@register("term", "gradient")
class GradientEnergy(Term):
    """κ/2 |∇φ|² of one field, with the symbol of the chosen discrete Laplacian.

    Args:
        coefficient: κ > 0, energy per length (energy density × length²); with `finite_difference` also one number per cell,
            shape `grid.shape`, zero in empty cells.
        field: name of the field φ.
        laplacian: `spectral` (k̃² = k²) or `finite_difference` (k̃² = 4/h² Σ sin²(k_j h/2)).
        face_mean: `harmonic` or `arithmetic`, κ of the face between two cells.

    Raises:
        InputError: κ that differs from cell to cell with another Laplacian, negative or not finite.

    Source: J. W. Cahn, J. E. Hilliard, J. Chem. Phys. 28 (1958) 258, doi:10.1063/1.1744102, eq. 2.8.
    """

    name = "gradient"

    def __init__(
        self, coefficient: float | np.ndarray, field: str, laplacian: str = "spectral", face_mean: str = "harmonic"
    ):
        self.coefficient, self.field, self.laplacian = coefficient, field, laplacian
        self._mean = lookup("face_mean", face_mean)
        self.fields = (field,)
        if self._varies:
            if laplacian != "finite_difference":
                raise InputError("a gradient energy that differs from cell to cell needs laplacian: finite_difference")
            if not (np.isfinite(coefficient).all() and np.min(coefficient) >= 0.0):
                raise InputError("the gradient energy of a cell must be finite and not negative")

    @property
    def _varies(self) -> bool:
        return np.ndim(self.coefficient) > 0

    def symbol(self, k2: np.ndarray) -> np.ndarray:
        """κ k̃². Raises `InputError` where κ differs from cell to cell."""
        return self._constant * k2

    @property
    def _constant(self) -> float:
        if self._varies:
            raise InputError("a gradient energy that differs from cell to cell has no symbol")
        return float(self.coefficient)

    def faces(self, grid: Grid) -> list[np.ndarray]:
        """κ_f/h² of the faces, one array (grid.shape) for each axis x, y, z: between a cell and the next along the axis.

        The last cell of a periodic axis is followed by the first; its entry is zero on a no-flux axis, as are those of all
        faces of cells with κ = 0.

        Raises:
            InputError: an axis with given values at its ends, another Laplacian than finite_difference, κ of another shape.
        """
        if self.laplacian != "finite_difference":
            raise InputError("faces are those of laplacian: finite_difference")
        if grid.fixed:
            raise InputError("faces are those of periodic and no_flux axes")
        if self._varies and np.shape(self.coefficient) != grid.shape:
            raise InputError(f"the gradient energy has the shape {np.shape(self.coefficient)}, the grid {grid.shape}")
        kappa = np.broadcast_to(np.asarray(self.coefficient, float), grid.shape)
        found = []
        for position, axis in enumerate(grid.axes):
            along = grid.dimensions - 1 - position
            face = self._mean(kappa, np.roll(kappa, -1, along)) / axis.spacing**2
            # A periodic axis of one cell has no other neighbour; one of two cells has the same one on both sides.
            if axis.boundary != "periodic" or axis.cells == 1:
                face[(slice(None),) * along + (-1,)] = 0.0
            found.append(np.ascontiguousarray(face))
        return found

    def density(self, state: State, grid: Grid) -> np.ndarray:
        """κ/2 |∇φ|² per cell, up to a divergence: ½ v (−κ∇²v), whose integral is the energy of the discrete symbol.

        v is φ; between faces with given values φ = v + g with the lift g, whose own ½ κ |∇g|² is added.
        """
        own = 0.5 * (state[self.field] - grid.lift_values(self.field)) * self.derivative(state, grid)[self.field]
        return own + self.lift_density(grid)

    def lift_density(self, grid: Grid) -> float:
        """½ κ |∇g|² of the lift, the same everywhere."""
        slope = grid.lift(self.field)[1]
        return float(0.5 * self._constant * (slope @ slope)) if slope.any() else 0.0

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        if self._varies:
            total = np.zeros(grid.shape)
            for position, face in enumerate(self.faces(grid)):
                along = grid.dimensions - 1 - position
                flux = face * (state[self.field] - np.roll(state[self.field], -1, along))
                total += flux - np.roll(flux, 1, along)
            return {self.field: total}
        # The lift is harmonic.
        v_hat = forward(state[self.field] - grid.lift_values(self.field), grid)
        return {self.field: backward(self.symbol(symbol_on_grid(grid, self.laplacian)) * v_hat, grid)}

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        return {(self.field, self.field): self.symbol(k2)}

    def gradient_coefficient(self, field: str) -> float:
        return self._constant if field == self.field else 0.0

    def energy_hat(self, kernels: Any, u_hat: np.ndarray, index: int, geometry: tuple, volume: float) -> float:
        """∫ κ/2 |∇v|² dV from the coefficients of field `index` of `u_hat`, a real view; `geometry` as stage kernels take it."""
        return volume * kernels.gradient_energy(u_hat, index, *geometry, self._constant)

    def latex(self) -> str:
        symbol = {"c": "c", "phi": r"\varphi"}.get(self.field, self.field)
        return rf"\frac{{\kappa}}{{2}} |\nabla {symbol}|^2"
