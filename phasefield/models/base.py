"""What a model states: its fields with their kinetics, and its free energy as a list of terms.

Conserved fields obey ∂φ/∂t = ∇·M∇ δF/δφ, non-conserved ones ∂φ/∂t = −L δF/δφ. In Fourier space both read
∂φ̂/∂t = −m(k) (δF/δφ)^ with m = M k̃² or m = L. Nothing here knows the device, the boundary, the time scheme or the output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from phasefield.energy.term import Term


class Strict(BaseModel):
    """Base of everything a scenario may contain: unknown keys are errors, values are frozen, and text or `true` is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Kinetics:
    """m(k) = constant + laplacian · k̃²."""

    constant: float = 0.0
    laplacian: float = 0.0

    @property
    def conserved(self) -> bool:
        """True when the k = 0 mode, the mean of the field, cannot change."""
        return self.constant == 0.0

    def rate(self, k2: np.ndarray) -> np.ndarray:
        """m(k)."""
        return self.constant + self.laplacian * k2


def conserved(mobility: float) -> Kinetics:
    """∂φ/∂t = ∇·M∇ δF/δφ with constant mobility M: m = M k̃²."""
    return Kinetics(laplacian=mobility)


def non_conserved(mobility: float) -> Kinetics:
    """∂φ/∂t = −L δF/δφ with constant L: m = L."""
    return Kinetics(constant=mobility)


class Model(ABC):
    """A free energy and the kinetics of its fields; built from validated parameters.

    Class attributes: `Params`, the scenario section with the model's parameters; `equation`, one line of text;
    `reference`, where it comes from.
    """

    Params: ClassVar[type[Strict]]
    equation: ClassVar[str]
    reference: ClassVar[str]

    def __init__(self, parameters: Any):
        self.parameters = parameters

    @property
    @abstractmethod
    def fields(self) -> dict[str, Kinetics]:
        """Kinetics of every field, in storage order."""

    @property
    @abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The free energy, term by term."""

    @property
    def laplacian(self) -> str:
        """Name of the discrete Laplacian all symbols of this model use."""
        return getattr(self.parameters, "laplacian", "spectral")

    def growth_matrix(self, base: Mapping[str, float], k2: np.ndarray) -> np.ndarray:
        """Linearised right-hand side about a uniform state: ∂φ̂/∂t = G φ̂, shape (*k2.shape, N, N).

        G_pq = −m_p(k) Σ_terms ∂²F/∂φ_p∂φ_q (k̃²).
        """
        names = list(self.fields)
        matrix = np.zeros((*np.shape(k2), len(names), len(names)))
        for term in self.terms:
            for (p, q), symbol in term.hessian(base, k2).items():
                i, j = names.index(p), names.index(q)
                matrix[..., i, j] -= self.fields[p].rate(k2) * symbol
        return matrix
