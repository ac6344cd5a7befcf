"""How far a fluctuation about a uniform state is from linear: the measure that ends the window of the growth rates.

For deviations η of the fields, taken as independent Gaussians of their measured variances about the base state,

    |⟨H⟩ − H₀| / a  +  20 ⟨|H − ⟨H⟩|²⟩ / (N a²),      H(η) = ∂²f/∂φ_p∂φ_q,  H₀ that of the base state,

the first with the spectral norm, the second with the sum of squares, a = |f″ + elastic part| of the fastest mode: the relative
change of the curvature by the fluctuation itself, and twenty times the relative power that pairs of modes scatter into a third.
A mobility M(c) adds the same two of its own, with M in the place of H and of a.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phasefield.models.split import Split

# Averages over a Gaussian, exact for polynomials up to degree 17; a product of them for up to three fields.
GAUSS_POINTS, _weights = np.polynomial.hermite_e.hermegauss(9)
GAUSS_WEIGHTS = _weights / _weights.sum()
MOST_IN_PRODUCT = 3
# Points of a fixed sample of mean 0 and covariance 1, for more fields.
SAMPLE = 1024


class Nonlinearity:
    """The measure for one base state.

    Args:
        split: of the model.
        base: the uniform state.
        scale: a.
    """

    def __init__(self, split: Split, base: Mapping[str, float], scale: float):
        self._names, self._values = split.names, split.bulk.parameter_values()
        self._values = {**dict.fromkeys(split.model.frozen, 0.0), **self._values}
        self._second = [[split.derivatives[i].derivative(q) for q in self._names] for i in range(len(self._names))]
        self._base, self._scale = np.array([base[n] for n in self._names]), scale
        self._points, self._weights = _gaussian(len(self._names))
        self._centre = self._hessian(self._base[:, None])[0]
        self._mobility = split.model.variable_mobility

    def __call__(self, deviations: np.ndarray) -> float:
        """The measure at root mean square deviations (N,)."""
        H = self._hessian(self._base[:, None] + deviations[:, None] * self._points)
        mean = np.tensordot(self._weights, H, 1)
        scatter = float(self._weights @ np.sum((H - mean) ** 2, axis=(1, 2))) / len(self._names)
        shift = float(np.linalg.norm(mean - self._centre, 2))
        return shift / self._scale + 20.0 * scatter / self._scale**2 + self._of_mobility(deviations)

    def _of_mobility(self, deviations: np.ndarray) -> float:
        if self._mobility is None:
            return 0.0
        relative = self._mobility.at(self._base[0] + deviations[0] * self._points[0]) / self._mobility.at(self._base[0])
        mean = float(self._weights @ relative)
        return abs(mean - 1.0) + 20.0 * float(self._weights @ (relative - mean) ** 2)

    def _hessian(self, states: np.ndarray) -> np.ndarray:
        """H (P, N, N) at states (N, P)."""
        count, values = states.shape[1], {**self._values, **dict(zip(self._names, states, strict=True))}
        result = np.empty((count, len(self._names), len(self._names)))
        for i, row in enumerate(self._second):
            for j, second in enumerate(row[: i + 1]):
                result[:, i, j] = result[:, j, i] = second.evaluate(**values)
        return result


def _gaussian(fields: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, P) and weights (P,) of averages over N independent normal variables."""
    if fields <= MOST_IN_PRODUCT:
        points = np.stack([g.ravel() for g in np.meshgrid(*[GAUSS_POINTS] * fields, indexing="ij")])
        weights = np.prod([g.ravel() for g in np.meshgrid(*[GAUSS_WEIGHTS] * fields, indexing="ij")], axis=0)
        return points, weights
    half = np.random.default_rng(0).normal(size=(fields, SAMPLE // 2))
    points = np.concatenate([half, -half], axis=1)
    points = np.linalg.solve(np.linalg.cholesky(np.cov(points, bias=True)), points)
    return points, np.full(SAMPLE, 1.0 / SAMPLE)
