"""A crack in the middle of a periodic plate under tension: the load at which it grows, and its length by the plate's stiffness.

A row of cracks of length 2a at distances W, in rows H ≥ 2W apart, has

    K = σ √(W tan(πa/W)) ,    ε̄/σ = (1/E′) [1 − (4W/πH) ln cos(πa/W)] ,    σ_G(a) = √(E′Gc / (W tan(πa/W)))

(plane strain or stress by E′). Solved for a, the second gives the length of a sharp crack that makes the plate as compliant.
Short cracks do not weaken a body whose strength is σ_c: σ_G(a) = σ_c at a = E′Gc/(πσ_c²) in a wide plate, for AT1 8ℓ/3π = 0.85 ℓ.

G. R. Irwin, J. Appl. Mech. 24 (1957) 361, doi:10.1115/1.4011547 (K of a row of cracks; the compliance is its integral over a).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class CentreCrack:
    """A plate W × H: width, height, E′ and Gc."""

    width: float
    height: float
    modulus: float
    toughness: float

    def wide(self, a: float) -> float:
        """(W/π) tan(πa/W): half the length of the crack in an infinite plate with the same K."""
        return float(self.width / np.pi * np.tan(np.pi * a / self.width))

    def griffith(self, a: float) -> float:
        """σ_G(a)."""
        return float(np.sqrt(self.modulus * self.toughness / (np.pi * self.wide(a))))

    def half_length(self, strain: float, stress: float) -> float:
        """a with the compliance ε̄/σ."""
        excess = max(self.modulus * strain / stress - 1.0, 0.0)
        return float(self.width / np.pi * np.arccos(np.exp(-np.pi * self.height / (4.0 * self.width) * excess)))


def centre_crack_scenario(
    cells: int,
    width: int,
    height: int,
    ell: float,
    grow: float,
    step: float,
    *,
    dissipation: str = "AT1",
    young: float = 1000.0,
    poisson: float = 0.0,
    toughness: float = 1.0,
) -> dict[str, Any]:
    """A scenario: a slit of `cells` cells of size 1 in a plate under mean stress yy, whose cracks take up the energy `grow`."""
    middle, half = 0.5 * height + 0.5, 0.5 * cells - 0.25
    slit = {"from": [0.5 * width - half, middle], "to": [0.5 * width + half, middle]}
    return {
        "model": {
            "name": "fracture",
            "dissipation": dissipation,
            "toughness": toughness,
            "length": ell,
            "young_modulus": young,
            "poisson_ratio": poisson,
            "mean": {"stress": {"yy": 1.0, "xx": 0.0, "xy": 0.0}},
            "load": [{"until": 1.0, "dissipation": grow}],
        },
        "grid": {
            "x": {"cells": width, "length": float(width)},
            "y": {"cells": height, "length": float(height)},
        },
        "initial": {"phi": {"shapes": [{"slit": slit}]}},
        "time": {"end": 1.0, "step": step / grow},
    }
