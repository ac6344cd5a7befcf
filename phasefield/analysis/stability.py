"""Linear stability of a uniform state: what theory says before anything is computed.

A small fluctuation of a uniform state grows as exp(σ(k) t), σ the largest eigenvalue of the model's growth matrix. For one
field σ(k) = −m(k) (f″ + κk²). With f″ < 0 and a conserved field: λ* = 2π √(2κ/|f″|), σ* = M f″²/(4κ), cut-off
k_c = √(|f″|/κ) = √2 k*, M that of the state where it depends on it; with a non-conserved one the uniform mode is the fastest,
σ* = L |f″|.

Elastic misfit adds its matrix B(n) to the second derivatives of f, n = k/|k|: growth depends on direction, and is fastest where B
is softest. For one field f″ becomes f″ + B(n) (the coherent spinodal); for variants whose second derivatives are A δ_pq the
eigenvectors of B(n) grow at the rates −m(k) (A + κk² + λ_i(n)). The mode k = 0 feels the load instead (`uniform_growth_rate`);
rates at k = 0 are otherwise those of waves longer than everything but the box.

Sources: J. W. Cahn, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1, eqs 15–18; with elasticity Acta Metall. 10
(1962) 179, doi:10.1016/0001-6160(62)90114-1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.energy.term import Term
from phasefield.mechanics.directions import softest_direction
from phasefield.models.base import Kinetics, Model
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.scenario.fields import initial_fields

# Maxima and zeros of σ are looked for among so many points at once, so often.
POINTS, ROUNDS = 401, 8


@dataclass(frozen=True)
class LinearStability:
    """Growth rates of a model about the uniform state `base`, under the load and at the temperature of the start."""

    model: Model
    base: Mapping[str, float]

    @cached_property
    def kinetics(self) -> Kinetics:
        """m(k̃²) of the first field at the base state; coupled fields share it."""
        return next(iter(self.model.kinetics_at(self.base).values()))

    def growth_rate(self, k: np.ndarray | float, direction: Any = None) -> np.ndarray:
        """σ(k), the largest real part among the eigenvalues of the growth matrix; k is |k|, any shape.

        `direction`: that of k, two or three numbers of any length; the fastest one when absent.
        """
        return self.growth_rate_of_symbol(np.asarray(k, float) ** 2, direction)

    def growth_rate_of_symbol(self, k2: np.ndarray, direction: Any = None) -> np.ndarray:
        """σ as a function of the discrete symbol k̃², as the run used it."""
        matrix = self.growth_matrix(k2, direction)
        if matrix.shape[-1] == 1:
            return matrix[..., 0, 0]
        return np.linalg.eigvals(matrix).real.max(axis=-1)

    def growth_matrix(self, k2: np.ndarray | float, direction: Any = None) -> np.ndarray:
        """G of ∂φ̂/∂t = G φ̂ at k̃² (any shape), (…, N, N), in a direction, the fastest one when absent."""
        n = self.fastest_direction if direction is None else _in_space(direction)
        # k = 0 is the limit of long waves, not the uniform mode, whose elastic energy depends on the load.
        k2 = np.maximum(np.asarray(k2, float), np.finfo(float).tiny)
        return self.model.growth_matrix(self.base, k2, n)

    @property
    def uniform_growth_rate(self) -> float:
        """σ of the mode k = 0 itself, under the control of the mean strain and stress at the start; 0 for conserved fields."""
        return float(np.linalg.eigvals(self.model.growth_matrix(self.base, np.zeros(1))[0]).real.max())

    # --- direction ----------------------------------------------------------------------------------------------

    @property
    def directional(self) -> bool:
        """Whether growth depends on the direction of k."""
        return bool(self._elastic_terms)

    @cached_property
    def fastest_direction(self) -> np.ndarray | None:
        """The unit vector n (3,) in which fluctuations grow fastest; None where all directions are alike.

        Where the fastest fluctuation is the same in all directions, the next one decides, see `directions.softest_direction`.
        """
        if not self.directional:
            return None

        return softest_direction(lambda n: self.curvature_matrix + self._elastic_matrix(n), self.model.dimensions)

    def elastic_parts(self, direction: Any = None) -> np.ndarray:
        """Eigenvalues of B(n), ascending, (N,), in the fastest direction unless another one is given; 0 without elasticity."""
        n = self.fastest_direction if direction is None else _in_space(direction)
        return np.linalg.eigvalsh(self._elastic_matrix(n))

    @cached_property
    def elastic_part(self) -> float:
        """What elasticity adds to f″ in the fastest direction, for the combination of fields that grows fastest there."""
        return float(self.elastic_parts()[0])

    @cached_property
    def curvature_matrix(self) -> np.ndarray:
        """∂²f/∂φ_p∂φ_q at the base state, (N, N): without gradient and elastic terms."""
        local = [t for t in self.model.terms if t.pointwise is not None]
        return self._second_derivatives(local, np.ones(()), None)

    @property
    def least_curvature(self) -> float:
        """Smallest eigenvalue of these second derivatives; f″ of a single field."""
        return float(np.linalg.eigvalsh(self.curvature_matrix)[0])

    @property
    def isotropic(self) -> bool:
        """Whether the second derivatives of f are A δ_pq, so that eigenvectors of B(n) are those of growth."""
        H = self.curvature_matrix
        return bool(np.abs(H - H[0, 0] * np.eye(len(H))).max() <= 1e-9 * np.abs(H).max())

    @property
    def gradient_coefficient(self) -> float:
        """κ of the first field; coupled fields share it."""
        first = next(iter(self.model.fields))
        return sum(t.gradient_coefficient(first) for t in self.model.terms)

    @cached_property
    def _elastic_terms(self) -> list[Term]:
        local = [t for t in self.model.terms if t.pointwise is None]
        return [t for t in local if not any(t.gradient_coefficient(f) for f in t.fields)]

    def _elastic_matrix(self, n: np.ndarray | None) -> np.ndarray:
        """B(n) (…, N, N) for directions (…, 3)."""
        shape = () if n is None else n.shape[:-1]
        return self._second_derivatives(self._elastic_terms, np.ones(shape), n)

    def _second_derivatives(self, terms: Iterable[Term], k2: np.ndarray, n: np.ndarray | None) -> np.ndarray:
        """Σ δ²F of some terms at k̃² and directions that go with them, (*k2.shape, N, N)."""
        names = list(self.model.fields)
        result = np.zeros((*k2.shape, len(names), len(names)))
        for term in terms:
            for (p, q), symbol in term.hessian(self.base, k2, n).items():
                result[..., names.index(p), names.index(q)] += symbol
        return result

    # --- the fastest mode ---------------------------------------------------------------------------------------

    @property
    def unstable(self) -> bool:
        """True when some fluctuation grows."""
        return self._peak[1] > 0.0

    @property
    def fastest_wavenumber(self) -> float:
        """k* of the fastest-growing mode; 0 when the longest waves are the fastest; nan when nothing grows."""
        return math.sqrt(self._peak[0]) if self.unstable else math.nan

    @property
    def fastest_wavelength(self) -> float:
        """λ* = 2π/k*; infinite when the longest waves are the fastest; nan when nothing grows."""
        k = self.fastest_wavenumber
        return math.inf if k == 0.0 else 2.0 * math.pi / k

    @property
    def largest_growth_rate(self) -> float:
        """σ* = σ(k*): negative or zero when the state is stable."""
        return self._peak[1]

    @property
    def growth_time(self) -> float:
        """1/σ*, in which the fastest mode grows by the factor e."""
        return 1.0 / self.largest_growth_rate if self.unstable else math.inf

    @cached_property
    def cutoff_wavenumber(self) -> float:
        """k_c: shorter waves decay; nan when nothing grows."""
        if not self.unstable:
            return math.nan
        low = self._peak[0] if self._peak[0] > 0.0 else 1e-12
        beyond = low * 2.0 ** np.arange(141)
        negative = self.growth_rate_of_symbol(beyond) <= 0.0
        if not negative.any():
            return math.inf
        i = max(1, int(np.argmax(negative)))
        low, high = beyond[i - 1], beyond[i]
        for _ in range(ROUNDS):
            points = np.linspace(low, high, POINTS)
            i = max(1, int(np.argmax(self.growth_rate_of_symbol(points) <= 0.0)))
            low, high = points[i - 1], points[i]
        return math.sqrt(0.5 * (low + high))

    @property
    def cutoff_wavelength(self) -> float:
        """2π/k_c."""
        return 2.0 * math.pi / self.cutoff_wavenumber

    def time_to_amplitude(self, initial: float, final: float) -> float:
        """Time in which the fastest mode grows from amplitude `initial` to `final`."""
        return self.growth_time * math.log(final / initial) if self.unstable else math.inf

    def curvature(self, field: str) -> float:
        """∂²f/∂φ² at the base state, for one field."""
        i = list(self.model.fields).index(field)
        return float(self.curvature_matrix[i, i])

    def _rate(self, k2: float) -> float:
        return float(self.growth_rate_of_symbol(np.array([k2]))[0])

    @cached_property
    def _peak(self) -> tuple[float, float]:
        """(k̃², σ) of the maximum: a scan over decades, refined around its best point."""
        scan = np.concatenate([[0.0], np.logspace(-12, 12, 2401)])
        rates = self.growth_rate_of_symbol(scan)
        i = int(np.argmax(rates))
        if i == 0:
            return 0.0, float(rates[0])
        # A search finds the place of a maximum to √ε; a parabola through three points does better.
        for _ in range(ROUNDS // 2):
            low, high = scan[i - 1], scan[min(i + 1, scan.size - 1)]
            scan = np.linspace(low, high, POINTS)
            i = min(max(1, int(np.argmax(self.growth_rate_of_symbol(scan)))), scan.size - 2)
        k2 = _parabola_vertex(self._rate, float(scan[i]))
        return k2, self._rate(k2)


def _parabola_vertex(f: Any, x: float) -> float:
    h = 1e-3 * x
    left, middle, right = f(x - h), f(x), f(x + h)
    bend = left - 2.0 * middle + right
    return x if bend >= 0.0 else x + 0.5 * h * (left - right) / bend


def _in_space(direction: Any) -> np.ndarray:
    """A direction of two or three components as (3,)."""
    n = np.asarray(direction, float)
    return np.concatenate([n, np.zeros(3 - n.size)])


def linear_stability(
    scenario: str | Path | Mapping[str, Any] | LoadedScenario, overrides: Mapping[str, Any] | None = None
) -> LinearStability:
    """Linear stability about the mean of a scenario's initial condition."""
    loaded = load_scenario(scenario, overrides)
    base = {name: float(values.mean()) for name, values in initial_fields(loaded).items()}
    return LinearStability(loaded.model, base)
