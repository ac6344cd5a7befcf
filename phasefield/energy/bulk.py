"""Energy densities that depend on the local field values alone: f(φ), given by a formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from phasefield.energy.term import State, Term
from phasefield.registry import register
from phasefield.spectral.grid import Grid

if TYPE_CHECKING:
    from phasefield.kernels.expressions import Expression


@register("term", "bulk")
class BulkEnergy(Term):
    """∫ f(φ₁, φ₂, …; parameters) dV.

    Args:
        expression: the density f as a parsed formula in the fields.
        parameters: values of the formula's parameters.
        fields: names of the fields among the formula's variables.
        frozen: names of its other variables, which do not move; where a state does not hold them they are 0.
    """

    name = "bulk"

    def __init__(
        self,
        expression: Expression,
        parameters: Mapping[str, float],
        fields: tuple[str, ...],
        frozen: tuple[str, ...] = (),
    ):
        self.expression, self.parameters = expression, dict(parameters)
        self.fields, self.frozen = fields, frozen

    @property
    def pointwise(self) -> Expression:
        return self.expression

    def parameter_values(self) -> dict[str, float]:
        return self.parameters

    def density(self, state: State, grid: Grid) -> np.ndarray:
        return self.expression.evaluate(**self._values(state))

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        values = self._values(state)
        return {f: self.expression.derivative(f).evaluate(**values) for f in self.fields}

    def _values(self, state: Mapping[str, Any]) -> dict[str, Any]:
        given = {f: state.get(f, 0.0) for f in self.frozen}
        return {**{f: state[f] for f in self.fields}, **given, **self.parameters}

    def second_derivative(self, first: str, second: str, values: Mapping[str, np.ndarray | float]) -> np.ndarray:
        """∂²f/∂φ_first∂φ_second at given field values, which may also hold other values of the parameters."""
        expression = self.expression.derivative(first).derivative(second)
        return np.asarray(expression.evaluate(**{**dict.fromkeys(self.frozen, 0.0), **self.parameters, **values}))

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        values = {f: base[f] for f in self.fields}
        return {
            (a, b): float(self.second_derivative(a, b, values)) * np.ones_like(k2)
            for a in self.fields
            for b in self.fields
        }

    def latex(self) -> str:
        return self.expression.latex()
