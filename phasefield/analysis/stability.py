"""Linear stability of a uniform state: what theory says before anything is computed.

A small fluctuation of a uniform state grows as exp(σ(k) t), σ the largest eigenvalue of the model's growth matrix. For one
field σ(k) = −m(k) (f″ + κk²). With f″ < 0 and a conserved field: λ* = 2π √(2κ/|f″|), σ* = M f″²/(4κ), cut-off
k_c = √(|f″|/κ) = √2 k*; with a non-conserved one the uniform mode is the fastest, σ* = L |f″|.

Source: J. W. Cahn, Acta Metall. 9 (1961) 795, doi:10.1016/0001-6160(61)90182-1, eqs 15–18.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from phasefield.models.base import Model
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.simulation import initial_fields


@dataclass(frozen=True)
class LinearStability:
    """Growth rates of a model about the uniform state `base`."""

    model: Model
    base: Mapping[str, float]

    def growth_rate(self, k: np.ndarray | float) -> np.ndarray:
        """σ(k), the largest real part among the eigenvalues of the growth matrix; k is |k|, any shape."""
        return self.growth_rate_of_symbol(np.asarray(k, float) ** 2)

    def growth_rate_of_symbol(self, k2: np.ndarray) -> np.ndarray:
        """σ as a function of the discrete symbol k̃², as the run used it."""
        matrix = self.model.growth_matrix(self.base, np.asarray(k2, float))
        if matrix.shape[-1] == 1:
            return matrix[..., 0, 0]
        return np.linalg.eigvals(matrix).real.max(axis=-1)

    @property
    def unstable(self) -> bool:
        """True when some fluctuation grows."""
        return self._peak[1] > 0.0

    @property
    def fastest_wavenumber(self) -> float:
        """k* of the fastest-growing mode; 0 when the uniform mode is the fastest; nan when nothing grows."""
        return math.sqrt(self._peak[0]) if self.unstable else math.nan

    @property
    def fastest_wavelength(self) -> float:
        """λ* = 2π/k*; infinite when the uniform mode is the fastest; nan when nothing grows."""
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
        low = high = self._peak[0] if self._peak[0] > 0.0 else 1e-12
        while self._rate(high) > 0.0:
            low, high = high, 2.0 * high
            if high > 1e30:
                return math.inf
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._rate(middle) > 0.0 else (low, middle)
        return math.sqrt(0.5 * (low + high))

    @property
    def cutoff_wavelength(self) -> float:
        """2π/k_c."""
        return 2.0 * math.pi / self.cutoff_wavenumber

    def time_to_amplitude(self, initial: float, final: float) -> float:
        """Time in which the fastest mode grows from amplitude `initial` to `final`."""
        return self.growth_time * math.log(final / initial) if self.unstable else math.inf

    def curvature(self, field: str) -> float:
        """∂²f/∂φ² at the base state: the growth matrix without gradient term, for one field."""
        zero = np.zeros(1)
        return float(sum(t.hessian(self.base, zero).get((field, field), zero)[0] for t in self.model.terms))

    def _rate(self, k2: float) -> float:
        return float(self.growth_rate_of_symbol(np.array([k2]))[0])

    @cached_property
    def _peak(self) -> tuple[float, float]:
        """(k̃², σ) of the maximum: a scan over decades, then golden section."""
        scan = np.concatenate([[0.0], np.logspace(-12, 12, 2401)])
        rates = self.growth_rate_of_symbol(scan)
        i = int(np.argmax(rates))
        if i == 0:
            return 0.0, float(rates[0])
        low, high = scan[i - 1], scan[min(i + 1, scan.size - 1)]
        ratio = 0.5 * (math.sqrt(5.0) - 1.0)
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        fa, fb = self._rate(a), self._rate(b)
        for _ in range(120):
            if fa >= fb:
                high, b, fb = b, a, fa
                a = high - ratio * (high - low)
                fa = self._rate(a)
            else:
                low, a, fa = a, b, fb
                b = low + ratio * (high - low)
                fb = self._rate(b)
        # A golden section finds the place of a maximum to √ε; a parabola through three points does better.
        k2 = _parabola_vertex(self._rate, 0.5 * (low + high))
        return k2, self._rate(k2)


def _parabola_vertex(f: Any, x: float) -> float:
    h = 1e-3 * x
    left, middle, right = f(x - h), f(x), f(x + h)
    bend = left - 2.0 * middle + right
    return x if bend >= 0.0 else x + 0.5 * h * (left - right) / bend


def linear_stability(
    scenario: str | Path | Mapping[str, Any] | LoadedScenario, overrides: Mapping[str, Any] | None = None
) -> LinearStability:
    """Linear stability about the mean of a scenario's initial condition."""
    loaded = load_scenario(scenario, overrides)
    base = {name: float(values.mean()) for name, values in initial_fields(loaded).items()}
    return LinearStability(loaded.model, base)
