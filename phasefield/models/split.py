"""A model seen by a time scheme: an implicit linear symbol and an explicit pointwise function.

∂φ̂_p/∂t = −m_p(k) [ κ_p k̃² φ̂_p + (∂f/∂φ_p)^ ],   m_p = constant_p + laplacian_p k̃²

κ_p comes from the gradient terms, f is the sum of all pointwise densities. Both are collected from the model's terms, so
a new model never writes them down twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from phasefield.kernels.expressions import Expression
from phasefield.models.base import Model

# f″ is sampled at this many values per field when its largest value on a range is wanted.
SAMPLES = 257
# The same for each of a pair of several fields.
PAIR_SAMPLES = 9


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
        self.coupling = model.coupling
        kinetics = {model.fields[n] for n in self.names}
        if self.coupling is not None and (len(kinetics) > 1 or np.ptp(self.kappa) > 0.0):
            raise ValueError("fields coupled by a matrix symbol share their kinetics and gradient energy")

    @cached_property
    def parameters(self) -> np.ndarray:
        """Values of the formula's parameters, in the order `density.parameters`."""
        return self.parameters_at(0.0)

    def parameters_at(self, time: float) -> np.ndarray:
        """The same at another time, for models whose parameters change."""
        values = {**self.bulk.parameter_values(), **self.model.parameters_at(time)}
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

    def curvature(
        self,
        ranges: Sequence[tuple[float, float]],
        *,
        magnitude: bool = False,
        frozen: Sequence[tuple[float, float]] = (),
        time: float = 0.0,
        more: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None = None,
    ) -> np.ndarray:
        """Largest second derivative of f per field on the box of `ranges`, of frozen fields on their own ranges.

        For one field this is max f″, or max |f″| when the `magnitude` is asked for. With several fields p it is the maximum
        of ∂²f/∂φ_p² + Σ_{q≠p} |∂²f/∂φ_p∂φ_q| (Gershgorin); coupled ones, which share one S, get the largest eigenvalue of
        the Hessian over states no further from the origin than the largest value of any field: order parameters that exclude
        each other do not fill the corners of the box. Up
        to three fields are sampled on a grid of about `SAMPLES` points in all, more of them in pairs.
        """
        ends = [np.unique([low, high]) for low, high in frozen]
        mesh = self._states(ranges, ends)
        given = self.model.parameters_at(time)
        if (self.coupling is not None or more is not None) and len(self.names) > 1:
            return self._largest_eigenvalue(ranges, mesh, given, magnitude, more)
        result = []
        for i, p in enumerate(self.names):
            bound = self._second(p, p, mesh, given)
            bound = bound if more is None else bound + more([mesh[n] for n in self.names])[i]
            bound = np.abs(bound) if magnitude else bound
            for q in self.names:
                if q != p:
                    bound = bound + np.abs(self._second(p, q, mesh, given))
            result.append(float(np.max(bound)))
        return np.array(result)

    def _states(self, ranges: Sequence[tuple[float, float]], ends: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Values of all fields at the states looked at: a grid, or, of more than three fields, one for every pair of them.

        Beside a pair, the other fields are as close to 0 as they get, and once as far from it where they never are 0: order
        parameters exclude each other, a composition takes all its values beside them.
        """
        names = (*self.names, *self.model.frozen)
        if len(ranges) <= 3:
            count = max(3, int(SAMPLES ** (1.0 / len(ranges))))
            axes = [np.linspace(low, high, count) for low, high in ranges]
            return dict(zip(names, (m.ravel() for m in np.meshgrid(*axes, *ends, indexing="ij")), strict=True))
        near = [min(max(0.0, low), high) for low, high in ranges]
        far = [a if a == 0.0 else max(r, key=abs) for a, r in zip(near, ranges, strict=True)]
        parts = []
        for p, q in combinations(range(len(ranges)), 2):
            for rest in (near, far) if far != near else (near,):
                axes = [np.linspace(*r, PAIR_SAMPLES) if i in (p, q) else rest[i : i + 1] for i, r in enumerate(ranges)]
                parts.append([m.ravel() for m in np.meshgrid(*axes, *ends, indexing="ij")])
        return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}

    def _largest_eigenvalue(
        self,
        ranges: Sequence[tuple[float, float]],
        mesh: Mapping[str, np.ndarray],
        given: Mapping[str, float],
        magnitude: bool,
        more: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None,
    ) -> np.ndarray:
        # At least the corner of the box that is closest to the origin counts, where several fields are away from 0.
        closest = np.linalg.norm([min(max(0.0, low), high) for low, high in ranges])
        radius = max(float(closest), *(max(abs(low), abs(high)) for low, high in ranges))
        near = np.hypot.reduce([mesh[n] for n in self.names]) <= 1.0001 * radius
        states = {name: values[near] for name, values in mesh.items()}
        hessian = np.empty((int(np.count_nonzero(near)), len(self.names), len(self.names)))
        for i, p in enumerate(self.names):
            for j, q in enumerate(self.names[: i + 1]):
                hessian[:, i, j] = hessian[:, j, i] = self._second(p, q, states, given)
        for i, added in enumerate(more([states[n] for n in self.names]) if more is not None else ()):
            hessian[:, i, i] += added
        values = np.linalg.eigvalsh(hessian)
        return np.full(len(self.names), float(np.abs(values).max() if magnitude else values.max()))

    def _second(self, p: str, q: str, values: Mapping[str, np.ndarray], given: Mapping[str, float]) -> np.ndarray:
        result = self.bulk.second_derivative(p, q, {**values, **given})  # type: ignore[attr-defined]
        return np.broadcast_to(result, np.shape(next(iter(values.values()))))
