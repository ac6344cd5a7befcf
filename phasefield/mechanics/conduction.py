"""Heat in a slab that was at one temperature and is cooled from its faces: exact solutions of ∂θ/∂t = D ∂²θ/∂x².

θ is the change of temperature, 0 at t = 0. A face passes ∂θ/∂n = B (Θ − θ), n outwards, where what touches it has changed by Θ:
B = ∞ keeps the face at Θ, B = 0 insulates it; B is the heat transfer coefficient over the conductivity, 1/length.

As long as √(Dt) < L/12 the faces do not feel each other, θ is the sum of what they do to half spaces,

    θ = Θ [erfc ξ − exp(−ξ²) erfcx(ξ + B√(Dt))],    ξ = x/2√(Dt),    erfcx z = exp(z²) erfc z,

and then the series

    θ = θ_∞(x) − Σ cₙ cos(βₙx − a₀) exp(−βₙ²Dt),    βₙL = nπ + a₀ + a₁,    aᵢ = arctan(Bᵢ/βₙ).

H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed. (1959), §§ 2.7, 3.9–3.11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc, erfcx

# √(Dt)/L up to which θ is that of half spaces: erfc(6) is 2e-17.
EARLY = 1.0 / 12.0
# The terms behind them are less than exp(−(πn/12)²) = 1e-18 when the series begins.
TERMS = 25


@dataclass(frozen=True)
class Cooling:
    """What touches a face: its change of temperature Θ and B."""

    temperature: float = 0.0
    transfer: float = math.inf


INSULATED = Cooling(0.0, 0.0)


def half_space(depth: np.ndarray, reach: float, cooling: Cooling) -> np.ndarray:
    """θ at `depth` behind the only face; reach: √(Dt) > 0."""
    xi = depth / (2.0 * reach)
    value = erfc(xi)
    if math.isfinite(cooling.transfer):
        value = value - np.exp(-xi * xi) * erfcx(xi + cooling.transfer * reach)
    return cooling.temperature * value


class Slab:
    """0 < x < L, at least one of whose faces passes heat.

    Args:
        length: L. diffusivity: D. low, high: the faces at 0 and at L.
    """

    def __init__(self, length: float, diffusivity: float, low: Cooling = INSULATED, high: Cooling = INSULATED):
        self.length, self.diffusivity, self.low, self.high = length, diffusivity, low, high
        n = np.arange(TERMS)
        lower, upper = n * math.pi / length, (n + 1) * math.pi / length
        for _ in range(60):
            middle = 0.5 * (lower + upper)
            beyond = middle * length - self._angle(low, middle) - self._angle(high, middle) > n * math.pi
            lower, upper = np.where(beyond, lower, middle), np.where(beyond, middle, upper)
        self._beta = beta = 0.5 * (lower + upper)
        self._first = a = self._angle(low, beta)
        b = self._angle(high, beta)
        resistance = [1.0 / face.transfer if face.transfer else math.inf for face in (low, high)]
        self._slope = (high.temperature - low.temperature) / (length + sum(resistance))
        if math.isinf(resistance[0]):
            self._start = high.temperature
        else:
            self._start = low.temperature + (self._slope * resistance[0] if resistance[0] else 0.0)
        # ∫ θ_∞ cos(βx − a) dx over ∫ cos²(βx − a) dx, with βL − a = nπ + b.
        sign = (-1.0) ** n
        whole = (sign * np.sin(b) + np.sin(a)) / beta
        first_moment = length * sign * np.sin(b) / beta + (sign * np.cos(b) - np.cos(a)) / beta**2
        square = 0.5 * length + (np.sin(2.0 * a) + np.sin(2.0 * b)) / (4.0 * beta)
        self._weights = (self._start * whole + self._slope * first_moment) / square

    @staticmethod
    def _angle(face: Cooling, beta: np.ndarray) -> np.ndarray:
        return np.full_like(beta, 0.5 * math.pi) if math.isinf(face.transfer) else np.arctan2(face.transfer, beta)

    def temperature(self, x: np.ndarray, time: float) -> np.ndarray:
        """θ at the places x, 0 < x < L, any shape."""
        if time <= 0.0:
            return np.zeros(np.shape(x))
        reach = math.sqrt(self.diffusivity * time)
        if reach < EARLY * self.length:
            return half_space(x, reach, self.low) + half_space(self.length - x, reach, self.high)
        decayed = self._weights * np.exp(-((self._beta * reach) ** 2))
        return self._start + self._slope * x - np.cos(np.multiply.outer(x, self._beta) - self._first) @ decayed
