"""The shared term: κ/2 |∇φ|², the price of an edge.

Energy density κ/2 |∇φ|², derivative −κ∇²φ, symbol κ k̃². Cahn–Hilliard, Allen–Cahn and every later model use this class
and no other. The fast path of a run never calls `density` or `derivative`: the stage kernels evaluate
`kernels.*.gradient_symbol`, and `energy_hat` below sums κ/2 k̃²|φ̂|² by `kernels.*.gradient_energy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.energy.term import State, Term
from phasefield.registry import register
from phasefield.spectral.grid import Grid
from phasefield.spectral.waves import backward, forward, symbol_on_grid


@register("term", "gradient")
class GradientEnergy(Term):
    """κ/2 |∇φ|² of one field, with the symbol of the chosen discrete Laplacian.

    Args:
        coefficient: κ > 0, energy per length (energy density × length²).
        field: name of the field φ.
        laplacian: `spectral` (k̃² = k²) or `finite_difference` (k̃² = 4/h² Σ sin²(k_j h/2)).

    Source: J. W. Cahn, J. E. Hilliard, J. Chem. Phys. 28 (1958) 258, doi:10.1063/1.1744102, eq. 2.8.
    """

    name = "gradient"

    def __init__(self, coefficient: float, field: str, laplacian: str = "spectral"):
        self.coefficient, self.field, self.laplacian = coefficient, field, laplacian
        self.fields = (field,)

    def symbol(self, k2: np.ndarray) -> np.ndarray:
        """κ k̃²."""
        return self.coefficient * k2

    def density(self, state: State, grid: Grid) -> np.ndarray:
        """κ/2 |∇φ|² per cell, up to a divergence: ½ v (−κ∇²v), whose integral is the energy of the discrete symbol.

        v is φ; between faces with given values φ = v + g with the lift g, whose own ½ κ |∇g|² is added.
        """
        own = 0.5 * (state[self.field] - grid.lift_values(self.field)) * self.derivative(state, grid)[self.field]
        return own + self.lift_density(grid)

    def lift_density(self, grid: Grid) -> float:
        """½ κ |∇g|² of the lift, the same everywhere."""
        slope = grid.lift(self.field)[1]
        return float(0.5 * self.coefficient * (slope @ slope))

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        # The lift is harmonic.
        v_hat = forward(state[self.field] - grid.lift_values(self.field), grid)
        return {self.field: backward(self.symbol(symbol_on_grid(grid, self.laplacian)) * v_hat, grid)}

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        return {(self.field, self.field): self.symbol(k2)}

    def gradient_coefficient(self, field: str) -> float:
        return self.coefficient if field == self.field else 0.0

    def energy_hat(self, kernels: Any, u_hat: np.ndarray, index: int, geometry: tuple, volume: float) -> float:
        """∫ κ/2 |∇v|² dV from the coefficients of field `index` of `u_hat`, a real view; `geometry` as stage kernels take it."""
        return volume * kernels.gradient_energy(u_hat, index, *geometry, self.coefficient)

    def latex(self) -> str:
        symbol = {"c": "c", "phi": r"\varphi"}.get(self.field, self.field)
        return rf"\frac{{\kappa}}{{2}} |\nabla {symbol}|^2"
