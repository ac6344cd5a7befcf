"""Wave speeds of an isotropic body, and the energy that flows into the tip of a running crack.

    c_d = √((λ + 2μ)/ρ) ,    c_s = √(μ/ρ) ,    c_R the root of  D(v) = 4 α_d α_s − (1 + α_s²)² ,    α² = 1 − v²/c²

with λ* = 2λμ/(λ + 2μ) in plane stress. For ξ = (v/c_s)² and κ = (c_s/c_d)² the root is the only one between 0 and 1 of

    ξ³ − 8ξ² + (24 − 16κ)ξ − 16(1 − κ) = 0 .

A crack in mode I running with v < c_R takes up G = A(v) K²/E′ for the dynamic stress intensity K; A(0) = 1 and A → ∞ at c_R.

Lord Rayleigh, Proc. London Math. Soc. 17 (1885) 4, doi:10.1112/plms/s1-17.1.4.
L. B. Freund, Dynamic Fracture Mechanics (1990), doi:10.1017/CBO9780511546761, ch. 5 (A(v)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from phasefield.errors import InputError, unknown

_PLANES = ("strain", "stress")


@dataclass(frozen=True)
class WaveSpeeds:
    """c_d, c_s and c_R, length per time."""

    dilatational: float
    shear: float
    rayleigh: float

    def energy_factor(self, speed: float) -> float:
        """A(v) = v² α_d/((1 − ν) c_s² D), with 1/(1 − ν) = 2(1 − κ), which holds in plane strain and, with its c_d, plane stress.

        Written without the cancellation of D at small v.

        Raises:
            InputError: v < 0 or v ≥ c_R.
        """
        if not 0.0 <= speed < self.rayleigh:
            raise InputError(f"the speed of a crack lies between 0 and that of Rayleigh waves, {self.rayleigh:g}")
        kappa = (self.shear / self.dilatational) ** 2
        xi = (speed / self.shear) ** 2
        # D/ξ with √(1 − y) − 1 = −y/(1 + √(1 − y)), y = 1 − α_d² α_s²
        ratio = 1.0 + kappa - kappa * xi
        D = 4.0 - xi - 4.0 * ratio / (1.0 + np.sqrt(1.0 - xi * ratio))
        return float(2.0 * (1.0 - kappa) * np.sqrt(1.0 - kappa * xi) / D)


def wave_speeds(young: float, poisson: float, density: float, plane: str = "strain") -> WaveSpeeds:
    """Speeds from E, ν and ρ.

    Args:
        plane: `strain` (also bodies in space) or `stress`.

    Raises:
        InputError: E > 0, ρ > 0 and −1 < ν < ½ are needed, and a plane that exists.
    """
    if plane not in _PLANES:
        raise unknown("plane", plane, _PLANES)
    if not (np.isfinite([young, density]).all() and young > 0.0 and density > 0.0 and -1.0 < poisson < 0.5):
        raise InputError(f"need E > 0, ρ > 0 and −1 < ν < ½ (got E = {young:g}, ν = {poisson:g}, ρ = {density:g})")
    # Plane stress is plane strain with ν/(1 + ν) and the same μ.
    nu = poisson if plane == "strain" else poisson / (1.0 + poisson)
    kappa = (0.5 - nu) / (1.0 - nu)
    shear = float(np.sqrt(0.5 * young / ((1.0 + poisson) * density)))
    return WaveSpeeds(shear / float(np.sqrt(kappa)), shear, shear * _rayleigh(kappa))


def _rayleigh(kappa: float) -> float:
    """c_R/c_s for κ = (c_s/c_d)² < 1."""

    def cubic(xi: float) -> float:
        return ((xi - 8.0) * xi + (24.0 - 16.0 * kappa)) * xi - 16.0 * (1.0 - kappa)

    # −16(1 − κ) at 0 and 1 at 1.
    return float(np.sqrt(brentq(cubic, 0.0, 1.0, xtol=1e-16, rtol=8.9e-16)))  # type: ignore[arg-type]
