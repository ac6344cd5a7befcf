"""What happened in the run of a cracking body with inertia: energies beside those of the body, and counts."""

from __future__ import annotations

from dataclasses import dataclass

from phasefield.mechanics.crack_balance import CracksBalance


@dataclass
class MotionCounters:
    """What happened since the start."""

    steps: int = 0
    damage_iterations: int = 0
    healing: float = 0.0


@dataclass
class MotionBalance(CracksBalance):
    """Energies of cracks, and what all energies together began with, T as that of the present length of steps.

    heat_work: what changes of thermal strain have added to the elastic energy. delayed: ∫∫ τ (∂φ/∂t)² dV dt.
    """

    first_energy: float = 0.0
    heat_work: float = 0.0
    delayed: float = 0.0
