"""What the elasticity of a box with faces returns: displacement, energy, forces of the supports; strain and stress on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phasefield.mechanics.bounded import BoundedElasticity
    from phasefield.mechanics.bounded_split import BoundedBody


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """Displacements and forces of an equilibrium.

    displacement: (d, *nodes), x first; load: that of the solve; energy: the elastic energy (per thickness in the plane);
    nodal_forces: ∂E/∂u − f (d, *nodes), at held nodes the force of the support on the body, at others the error of equilibrium;
    iterations of the conjugate gradients; residual, relative to that of the ramp.
    """

    solver: BoundedElasticity | BoundedBody
    displacement: np.ndarray
    load: float
    energy: float
    nodal_forces: np.ndarray
    iterations: int
    residual: float

    @cached_property
    def reactions(self) -> dict[str, np.ndarray]:
        """Forces (d,) of the supports on the body by face, `x.low` … ; see `Loads.reactions`."""
        return self.solver.loads.reactions(self.nodal_forces)

    @cached_property
    def strain(self) -> np.ndarray:
        """Mean strain of each cell in Mandel components, xx, yy, √2 xy or xx, yy, zz, √2 yz, √2 xz, √2 xy, (m, *grid.shape)."""
        grid = self.solver.grid
        d = grid.dimensions
        gradient = np.empty((d, d, *grid.shape))
        for c in range(d):
            for j in range(d):
                field = self.displacement[c]
                for k in range(d):
                    axis = d - 1 - k
                    low, high = (np.take(field, range(e, field.shape[axis] - 1 + e), axis=axis) for e in (0, 1))
                    field = (high - low) / grid.spacing[k] if k == j else 0.5 * (low + high)
                gradient[c, j] = field
        pairs = [(0, 1)] if d == 2 else [(1, 2), (0, 2), (0, 1)]
        shears = [np.sqrt(0.5) * (gradient[a, b] + gradient[b, a]) for a, b in pairs]
        return np.stack([*(gradient[c, c] for c in range(d)), *shears])


@dataclass(frozen=True, kw_only=True)
class BoundedSolution(Equilibrium):
    """An equilibrium with σ = g C:ε; factor: g (*grid.shape). The energy is ½ u·K u."""

    solver: BoundedElasticity
    factor: np.ndarray

    @cached_property
    def base_energy_density(self) -> np.ndarray:
        """½ ε:C:ε without the factor g, mean over the Gauss points of each cell, (*grid.shape)."""
        return self.solver.energy_density(self.displacement)

    @property
    def energy_density(self) -> np.ndarray:
        """g ½ ε:C:ε (*grid.shape); times the volume of a cell it sums up to `energy`."""
        return self.factor * self.base_energy_density

    @cached_property
    def stress(self) -> np.ndarray:
        """Mean stress of each cell, g (λ tr ε I + 2μ ε), in the same components; in plane stress with λ*."""
        lame, shear = self.solver.lame
        d = self.solver.grid.dimensions
        stress = 2.0 * shear * self.strain
        stress[:d] += lame * self.strain[:d].sum(axis=0)
        return self.factor * stress


@dataclass(frozen=True, kw_only=True)
class SplitSolution(Equilibrium):
    """An equilibrium of a body with a split energy, Σ V (gψ⁺ + ψ⁻).

    g: degradation; plus, minus, drive: means over the Gauss points of each cell of ψ⁺, ψ⁻ (without g) and of what drives damage,
    all (*grid.shape); newton_steps: 0 where the stress is linear in the strain.
    """

    solver: BoundedBody
    g: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    drive: np.ndarray
    newton_steps: int

    @property
    def energy_density(self) -> np.ndarray:
        """gψ⁺ + ψ⁻ (*grid.shape), or what else the split stores; times the volume of a cell it sums up to `energy`."""
        return self.solver.split.stored(self.plus, self.minus, self.g)

    @cached_property
    def stress(self) -> np.ndarray:
        """Mean stress of each cell, in the components of `strain`."""
        return self.solver.mean_stress(self.g, self.displacement)
