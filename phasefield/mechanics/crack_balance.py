"""What happened in the run of a body that cracks: energies, the work of its load, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass
class CrackCounters:
    """What happened since the start."""

    steps: int = 0
    rejected_steps: int = 0
    jumps: int = 0
    passes: int = 0
    elastic_iterations: int = 0
    damage_iterations: int = 0
    taken_back: int = 0
    healing: float = 0.0


@dataclass
class CracksBalance:
    """The energy of cracks, by its parts, and at the start."""

    local: float = 0.0
    gradient: float = 0.0
    first_cracks: float = 0.0

    @property
    def cracks(self) -> float:
        return self.local + self.gradient


@dataclass
class Balance(CracksBalance):
    """Energies: of cracks, work of the loads, elastic energy now and at the start."""

    work: float = 0.0
    elastic: float = 0.0
    first_elastic: float = 0.0

    @property
    def released(self) -> float:
        """W − ΔE − ΔD: what neither the body nor its cracks have, because it went at once."""
        return self.work - (self.elastic - self.first_elastic) - (self.cracks - self.first_cracks)


def work(before: tuple[float, float, float], after: tuple[float, float, float]) -> float:
    """∫ P ds + ∫ s dq between two states (s, P, q): load factor, force and deflection.

    A trapezium; two where the load changes its sign: P and q are 0 there, and bodies whose cracks close are of another stiffness.
    """
    states = [before, after]
    if before[0] * after[0] < 0.0:
        states.insert(1, (0.0, 0.0, 0.0))
    return sum(
        0.5 * (P + P_after) * (s_after - s) + 0.5 * (s + s_after) * (q_after - q)
        for (s, P, q), (s_after, P_after, q_after) in pairwise(states)
    )
