"""A model seen by a time scheme: an implicit linear symbol and an explicit pointwise function.

∂φ̂_p/∂t = −m_p(k) [ κ_p k̃² φ̂_p + (∂f/∂φ_p)^ ],   m_p = constant_p + laplacian_p k̃²

κ_p comes from the gradient terms, f is the sum of all pointwise densities. Both are collected from the model's terms, so
a new model never writes them down twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from phasefield.kernels.expressions import Expression
from phasefield.models.base import Model

# f″ is sampled at this many values per field when its largest value on a range is wanted.
SAMPLES = 257


class Split:
    """Coefficients and formulas of a model, in the order in which its fields are stored."""

    def __init__(self, model: Model):
        self.model = model
        self.names = tuple(model.fields)
        pointwise = [t for t in model.terms if t.pointwise is not None]
        if len(pointwise) != 1:
            raise ValueError("a model lists exactly one pointwise term; add the formulas before")
        self.bulk = pointwise[0]
        self.density: Expression = pointwise[0].pointwise  # type: ignore[assignment]
        self.derivatives: list[Expression] = [self.density.derivative(name) for name in self.names]

    @cached_property
    def parameters(self) -> np.ndarray:
        """Values of the formula's parameters, in the order `density.parameters`."""
        values = self.bulk.parameter_values()
        return np.array([values[name] for name in self.density.parameters], dtype=float)

    @cached_property
    def kappa(self) -> np.ndarray:
        """κ per field."""
        return np.array([sum(t.gradient_coefficient(n) for t in self.model.terms) for n in self.names])

    def rates(self) -> np.ndarray:
        """Columns (m constant, m laplacian, κ, S = 0) per field: the `rates` argument of stage kernels."""
        kinetics = [self.model.fields[n] for n in self.names]
        columns = [[k.constant for k in kinetics], [k.laplacian for k in kinetics], self.kappa, [0.0] * len(kinetics)]
        return np.array(columns, dtype=float).T.copy()

    def curvature(self, ranges: Sequence[tuple[float, float]], *, magnitude: bool = False) -> np.ndarray:
        """Largest ∂²f/∂φ_p² + Σ_{q≠p} |∂²f/∂φ_p∂φ_q| per field p on the box of `ranges` (Gershgorin bound).

        For one field this is max f″, or max |f″| when the `magnitude` is asked for. With several, the box is sampled on a
        grid of about `SAMPLES` points in all.
        """
        count = max(3, int(SAMPLES ** (1.0 / len(ranges))))
        axes = [np.linspace(low, high, count) for low, high in ranges]
        mesh = dict(zip(self.names, np.meshgrid(*axes, indexing="ij"), strict=True))
        result = []
        for p in self.names:
            bound = self._second(p, p, mesh)
            bound = np.abs(bound) if magnitude else bound
            for q in self.names:
                if q != p:
                    bound = bound + np.abs(self._second(p, q, mesh))
            result.append(float(np.max(bound)))
        return np.array(result)

    def _second(self, p: str, q: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.bulk.second_derivative(p, q, values)  # type: ignore[attr-defined]
