"""Binodal and spinodal of a Flory–Huggins mixture, at the temperatures where a run starts and ends."""

from __future__ import annotations

from dataclasses import dataclass

from phasefield.energy.free_energies import FloryHuggins
from phasefield.energy.phase_diagram import (
    flory_huggins_binodal,
    flory_huggins_critical_point,
    flory_huggins_spinodal,
)
from phasefield.models.base import Model


@dataclass(frozen=True)
class MixturePhases:
    """binodal and spinodal: two compositions each, None where χ ≤ critical; temperature: None where there is none."""

    temperature: float | None
    chi: float
    critical: float
    binodal: tuple[float, float] | None
    spinodal: tuple[float, float] | None
    continuation: float

    @property
    def continued(self) -> bool:
        """Whether a phase lies where the logarithms are continued: the run then finds other compositions."""
        return self.binodal is not None and min(self.binodal[0], 1.0 - self.binodal[1]) < self.continuation


def mixture_phases(model: Model) -> tuple[MixturePhases, ...]:
    """One entry per temperature, the first and the last of the model's history; empty unless f is Flory–Huggins."""
    energy = getattr(model.parameters, "free_energy", None)
    if not isinstance(energy, FloryHuggins):
        return ()
    history = getattr(model, "temperatures", ())
    given = dict.fromkeys([history[0], history[-1]]) if history else [energy.temperature]
    result = []
    for T in given:
        chi, lengths = energy.chi(T if history else None), (energy.length_1, energy.length_2)
        critical = flory_huggins_critical_point(*lengths)[1]
        binodal, spinodal = flory_huggins_binodal(*lengths, chi), flory_huggins_spinodal(*lengths, chi)
        result.append(MixturePhases(T, chi, critical, binodal, spinodal, energy.continuation))
    return tuple(result)
