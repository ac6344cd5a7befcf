"""Irreversibility: how the damage φ of a step is kept from healing, given φₙ of the last accepted one.

| name | rule | remarks |
|---|---|---|
| `bounds` | φ ≥ φₙ | of the energy; the right limit for ℓ → 0; the default |
| `history` | H = max over accepted steps of ψ⁺ | linear, not of the energy; unloaded flanks keep their drive |
| `crack_set` | φ ≥ φₙ where φₙ > 0.95 | damage that is no crack yet may heal |
| `penalty` | ½γ⟨φₙ − φ⟩₊² is added to the energy | holds φ ≥ φₙ to a relative tolerance |
| `reversible` | none | cracks heal when they are unloaded: relaxation of the energy and nothing else |

φ ≥ 0 always holds: AT1 needs it.

B. Bourdin, G. A. Francfort, J.-J. Marigo (2000), doi:10.1016/S0022-5096(99)00028-9 (crack_set); C. Miehe, M. Hofacker,
F. Welschinger (2010), doi:10.1016/j.cma.2010.04.011 (history); T. Gerasimov, L. De Lorenzis (2019),
doi:10.1016/j.cma.2019.05.038 (penalty).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from phasefield.energy.fracture import CrackEnergy
from phasefield.errors import InputError
from phasefield.registry import register


@register("irreversibility", "bounds")
class Bounds:
    """φ ≥ φₙ."""

    variational: ClassVar[bool] = True

    def __init__(self, cracks: CrackEnergy):
        self.cracks = cracks

    def lower(self, accepted: np.ndarray) -> np.ndarray:
        """The lower bound of φ, (grid.shape)."""
        return accepted

    def drive(self, psi: np.ndarray) -> np.ndarray:
        """The ψ⁺ that drives damage."""
        return psi

    def penalty(self, phi: np.ndarray, accepted: np.ndarray) -> np.ndarray | None:
        """γ where it acts on φ, 0 elsewhere; None for rules without one."""
        return None

    def begin(self, phi: np.ndarray) -> None:
        """A run begins with the damage φ."""

    def accept(self, psi: np.ndarray) -> None:
        """A step has been accepted with this ψ⁺."""


@register("irreversibility", "history")
class History(Bounds):
    """H = max over accepted steps; kept here. It grows at `accept` only: locked inside an iteration it dissipates too much."""

    variational: ClassVar[bool] = False

    def __init__(self, cracks: CrackEnergy):
        super().__init__(cracks)
        self.largest = np.zeros(cracks.grid.shape)

    def lower(self, accepted: np.ndarray) -> np.ndarray:
        return np.zeros_like(accepted)

    def drive(self, psi: np.ndarray) -> np.ndarray:
        return np.maximum(self.largest, psi)

    def begin(self, phi: np.ndarray) -> None:
        """H for which φ is in equilibrium where it is not 0, c₁ + c₂φ − ∇·κ∇φ = 2H(1 − φ); cracks are held to a thousandth.

        M. J. Borden, C. V. Verhoosel, M. A. Scott, T. J. R. Hughes, C. M. Landis, Comput. Methods Appl. Mech. Eng. 217–220 (2012)
        77, doi:10.1016/j.cma.2012.01.008 (initial cracks by a history).
        """
        grid = self.cracks.grid
        pull = sum(term.derivative({"phi": phi}, grid)["phi"] for term in self.cracks.terms)
        self.largest[...] = np.where(phi > 0.0, np.maximum(pull, 0.0) / (2.0 * np.maximum(1.0 - phi, 1e-3)), 0.0)

    def accept(self, psi: np.ndarray) -> None:
        np.maximum(self.largest, psi, out=self.largest)


@register("irreversibility", "crack_set")
class CrackSet(Bounds):
    """φ ≥ φₙ where φₙ > 0.95."""

    threshold: ClassVar[float] = 0.95

    def lower(self, accepted: np.ndarray) -> np.ndarray:
        return np.where(accepted > self.threshold, accepted, 0.0)


@register("irreversibility", "reversible")
class Reversible(Bounds):
    """φ ≥ 0 alone."""

    def lower(self, accepted: np.ndarray) -> np.ndarray:
        return np.zeros_like(accepted)


@register("irreversibility", "penalty")
class Penalty(Bounds):
    """½γ⟨φₙ − φ⟩₊² with γ of the model for a relative tolerance, 0.01 unless told.

    φₙ is that of the last step, so that what heals adds up over the steps; the energy of the penalty is no part of any balance.
    """

    variational: ClassVar[bool] = False

    def __init__(self, cracks: CrackEnergy, tolerance: float = 0.01):
        super().__init__(cracks)
        if not 0.0 < tolerance < 1.0:
            raise InputError(f"the tolerance of the penalty must be between 0 and 1, got {tolerance:g}")
        self._gamma = cracks.penalty(tolerance)

    def lower(self, accepted: np.ndarray) -> np.ndarray:
        return np.zeros_like(accepted)

    def penalty(self, phi: np.ndarray, accepted: np.ndarray) -> np.ndarray | None:
        return np.where(phi < accepted, self._gamma, 0.0)
