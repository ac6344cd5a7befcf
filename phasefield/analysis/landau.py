"""Closed forms of the Landau polynomials of martensite: transitions, critical stresses, walls at rest, fronts, units.

2-4-6: f = ½a e² − ¼b e⁴ + ⅙c e⁶, σ = f′ = a e − b e³ + c e⁵, with a = α₀ (T − T_A); A₂, A₄, A₆ of the literature are a, b, c.
2-3-4: f = Δf [½A η² − ⅓B η³ + ¼C η⁴]. 2-4: f = W/4 (η² − 1)². The gradient energy is κ/2 |∇η|².

A flat wall at rest obeys κ/2 (dη/dx)² = f(η) − f_min, so that its energy per area is γ = ∫ √(2κ (f − f_min)) dη. Elastic energy
is left out: the walls are those of compatible orientations.
Sources: F. Falk, Acta Metall. 28 (1980) 1773, doi:10.1016/0001-6160(80)90030-9 (homogeneous states) and Z. Phys. B 51 (1983)
177, doi:10.1007/BF01308772 (walls); what has no source is derived in its docstring.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq

from phasefield.errors import InputError

Real = TypeVar("Real", float, np.ndarray)

# Fewer cells than this across a wall (10–90 %) and the grid pins it, or changes its energy.
LEAST_CELLS_PER_WALL = 2.0
# 10–90 % of tanh(x/δ), of 1/(1 + e^(−x/ℓ)) and of 1/√(1 + e^(−2x/w)), over δ, ℓ and w.
_TANH, _LOGISTIC, _ROOT_LOGISTIC = 2.0 * math.atanh(0.8), 2.0 * math.log(9.0), 0.5 * math.log(99.0 * 81.0 / 19.0)


# Homogeneous states of 2-4-6.


@dataclass(frozen=True)
class Transitions:
    """Values of a (or temperatures) at which states of 2-4-6 appear, disappear or change places."""

    austenite_spinodal: float
    coexistence: float
    martensite_spinodal: float
    hysteresis_end: float

    def temperatures(self, slope: float, temperature_A: float) -> Transitions:
        """T = T_A + a/α₀ of each."""
        values = (self.austenite_spinodal, self.coexistence, self.martensite_spinodal, self.hysteresis_end)
        return Transitions(*[temperature_A + a / slope for a in values])


def transitions(b: float, c: float) -> Transitions:
    """Transition values of a.

    | | a | τ = 4ac/b² | |
    |---|---|---|---|
    | austenite spinodal | 0 | 0 | f″(0) = 0 |
    | coexistence | 3b²/16c | 3/4 | f(e₀) = f(0) |
    | martensite spinodal | b²/4c | 1 | the well at e₀ and the barrier merge |
    | end of the hysteresis | 9b²/20c | 9/5 | σ(e) becomes monotone |
    """
    unit = b**2 / c
    return Transitions(0.0, 3.0 / 16.0 * unit, 0.25 * unit, 0.45 * unit)


def martensite_strain(a: float, b: float, c: float) -> float:
    """e₀ = √[(b + √(b² − 4ac))/2c], the larger root of σ(e) = 0; nan beyond the martensite spinodal, a > b²/4c."""
    discriminant = b**2 - 4.0 * a * c
    return math.sqrt((b + math.sqrt(discriminant)) / (2.0 * c)) if discriminant >= 0.0 else math.nan


def energy_density(e: Real, a: float, b: float, c: float) -> Real:
    """f(e) = ½a e² − ¼b e⁴ + ⅙c e⁶."""
    return e**2 * (a / 2.0 - e**2 * (b / 4.0 - e**2 * c / 6.0))


def stress(e: Real, a: float, b: float, c: float) -> Real:
    """σ(e) = f′ = a e − b e³ + c e⁵ of a homogeneous state."""
    return e * (a - e**2 * (b - e**2 * c))


@dataclass(frozen=True)
class CriticalStresses:
    """Where a homogeneous state gives way, and the strain there; nan where that does not happen.

    `loading`: austenite becomes martensite under a growing stress, 0 < a < 9b²/20c. `unloading`: martensite becomes austenite
    (or, below the martensite spinodal at a negative stress, another variant) under a falling one, a < 9b²/20c.
    """

    loading: float
    unloading: float
    loading_strain: float
    unloading_strain: float


def critical_stresses(a: float, b: float, c: float) -> CriticalStresses:
    """Extrema of σ(e): e² = [3b ∓ √(9b² − 20ac)]/10c, − loading and + unloading."""
    discriminant = 9.0 * b**2 - 20.0 * a * c
    if discriminant < 0.0:
        return CriticalStresses(math.nan, math.nan, math.nan, math.nan)
    # 3b − √… as a quotient: no cancellation where the strain is small.
    upper = (3.0 * b + math.sqrt(discriminant)) / (10.0 * c)
    lower = a / (5.0 * c * upper)
    low, high = (math.sqrt(lower) if lower >= 0.0 else math.nan), math.sqrt(upper)
    return CriticalStresses(stress(low, a, b, c), stress(high, a, b, c), low, high)


def maxwell_stress(a: float, b: float, c: float) -> float:
    """Stress σ ≥ 0 at which austenite and martensite have the same f − σe: the plateau of a cell that may nucleate.

    0 at coexistence, a = 3b²/16c, up to the common value of both critical stresses at a = 9b²/20c. Solved to rounding.

    Raises:
        InputError: a outside these two. Below, martensite is the stable phase without a stress already.
    """
    start, end = transitions(b, c).coexistence, transitions(b, c).hysteresis_end
    if not start <= a <= end:
        raise InputError(f"no equal-energy stress for a = {a:g}: needs 3b²/16c = {start:g} <= a <= 9b²/20c = {end:g}")
    # In units e_c = √(b/c), σ_c = c e_c⁵ the polynomial has b = c = 1.
    alpha, sigma_c = a * c / b**2, c * (b / c) ** 2.5
    limits = critical_stresses(min(alpha, 0.45), 1.0, 1.0)

    def difference(s: float) -> float:
        """f − σe of martensite over that of austenite; falls with s, by the difference of the strains."""
        low = _root(lambda e: stress(e, alpha, 1.0, 1.0) - s, 0.0, limits.loading_strain)
        # σ(2) = 24 + 2α is beyond every critical stress.
        high = _root(lambda e: stress(e, alpha, 1.0, 1.0) - s, limits.unloading_strain, 2.0)
        return energy_density(high, alpha, 1.0, 1.0) - energy_density(low, alpha, 1.0, 1.0) - s * (high - low)

    return sigma_c * _root(difference, max(0.0, limits.unloading), limits.loading)


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """Root of f between two points; one of them where rounding has moved the root out of the interval."""
    ends = f(low), f(high)
    if ends[0] * ends[1] >= 0.0:
        return low if abs(ends[0]) <= abs(ends[1]) else high
    return brentq(f, low, high, xtol=1e-16, rtol=1e-15)  # type: ignore[return-value]


def maxwell_slope(slope: float, b: float, c: float) -> float:
    """dσ_M/dT = ½ α₀ e₀ at coexistence, e₀² = 3b/4c: Clausius–Clapeyron, ∂f/∂T = ½ α₀ e² against the strain e₀."""
    return 0.5 * slope * math.sqrt(0.75 * b / c)


# Walls at rest.


@dataclass(frozen=True)
class Wall:
    """A flat wall between two states: energy per area, width, profile.

    `width` is the distance between 10 % and 90 % of the change; `length` the one in the formula of the profile, `profile` η(x).
    """

    energy: float
    width: float
    length: float
    profile: Callable[[np.ndarray], np.ndarray]

    def cells(self, spacing: float) -> float:
        """Cells across the wall; fewer than `LEAST_CELLS_PER_WALL` do not resolve it."""
        return self.width / spacing


def double_well_wall(W: float, kappa: float) -> Wall:
    """2-4, from η = −1 to 1: η = tanh(x/δ), δ = √(2κ/W), γ = (2√2/3) √(κW)."""
    delta = math.sqrt(2.0 * kappa / W)
    energy = 2.0 * math.sqrt(2.0) / 3.0 * math.sqrt(kappa * W)
    return Wall(energy, _TANH * delta, delta, lambda x: np.tanh(x / delta))


def austenite_martensite_wall(b: float, c: float, kappa: float) -> Wall:
    """2-4-6 at coexistence, a = 3b²/16c, from e = 0 to e₀ = √(3b/4c); elsewhere such a wall moves.

    f = (c/6) e² (e² − e₀²)² gives e = e₀/√(1 + e^(−2x/w)), w = √(3κ/c)/e₀², γ = √(κc/3) e₀⁴/4.
    """
    squared = 0.75 * b / c
    w, e0 = math.sqrt(3.0 * kappa / c) / squared, math.sqrt(squared)

    def profile(x: np.ndarray) -> np.ndarray:
        # logaddexp: no overflow deep in the austenite.
        return e0 * np.exp(-0.5 * np.logaddexp(0.0, -2.0 * np.asarray(x, dtype=float) / w))

    return Wall(math.sqrt(kappa * c / 3.0) * squared**2 / 4.0, _ROOT_LOGISTIC * w, w, profile)


def twin_wall(a: float, b: float, c: float, kappa: float) -> Wall:
    """2-4-6 between the variants −e₀ and e₀, where martensite is stable: a < 3b²/16c. `length` is 1/q.

    With s = 2e₀² − 3b/2c > 0, f − f(e₀) = (c/6)(e² − e₀²)²(e² + s), and

        e = e₀ sinh(qx)/√(Q + sinh²(qx)),   q = e₀ √(c (e₀² + s)/3κ),   Q = 1 + e₀²/s,
        γ = 2√(κc/3) F(e₀),   F(e) = ∫₀^e (e₀² − t²)√(t² + s) dt.

    Towards coexistence s → 0 and the wall splits in two around a layer of austenite: its width grows as ln(1/s).

    Raises:
        InputError: a ≥ 3b²/16c.
    """
    limit = transitions(b, c).coexistence
    if not a < limit:
        raise InputError(f"no twin wall at rest for a = {a:g}: needs a < 3b²/16c = {limit:g}, the coexistence")
    e0 = martensite_strain(a, b, c)
    s = 2.0 * e0**2 - 1.5 * b / c
    q, Q = e0 * math.sqrt(c * (e0**2 + s) / (3.0 * kappa)), 1.0 + e0**2 / s
    R = math.sqrt(e0**2 + s)
    area = e0 * R + s * math.asinh(e0 / math.sqrt(s))
    F = 0.5 * e0**2 * area - 0.25 * e0 * R**3 + 0.125 * s * area

    def profile(x: np.ndarray) -> np.ndarray:
        # Numerator and denominator over cosh(qx): sinh overflows far from the wall.
        u = q * np.asarray(x, dtype=float)
        decay = np.exp(-np.abs(u))
        sech, tanh = 2.0 * decay / (1.0 + decay**2), np.tanh(u)
        return e0 * tanh / np.sqrt(Q * sech**2 + tanh**2)

    # e/e₀ = ±0.8 at sinh²(qx) = (16/9) Q.
    width = 2.0 * math.asinh(4.0 / 3.0 * math.sqrt(Q)) / q
    return Wall(2.0 * math.sqrt(kappa * c / 3.0) * F, width, 1.0 / q, profile)


def variant_wall(A: float, delta_f: float, kappa: float) -> Wall:
    """2-3-4 between two variants, from (η₁, η₂) = (0, 1) to (1, 0), held to η₁ + η₂ = 1; `profile` is η₁.

    On that line f = −Δf + (Δf C/16)(u² − 1)², u = η₁ − η₂, and the gradient energy is κ/4 |∇u|²: a 2-4 wall with
    u = tanh(x/δ), δ = 2√(κ/(Δf C)), γ = √(κ Δf C)/3, C = 2A + 12. The force off the line, Δf A (1 − u²)/2 per
    variant, vanishes for A = 0, where the wall is exact; otherwise elasticity, strong against Δf, holds it there (the
    line costs no elastic energy when the normal is compatible). Without elasticity the energy is lower, by
    0.01 % for A = 0.15 and 0.6 % for A = −1. Derived here.
    """
    C = 2.0 * A + 12.0
    delta = 2.0 * math.sqrt(kappa / (delta_f * C))
    energy = math.sqrt(kappa * delta_f * C) / 3.0
    return Wall(energy, _TANH * delta, delta, lambda x: 0.5 * (1.0 + np.tanh(x / delta)))


# 2-3-4.


@dataclass(frozen=True)
class Barrier:
    """Stationary points of 2-3-4 with the default coefficients, energies in units of Δf.

    For A < 0 the point η = A/C is no barrier but a shallow well at negative η.
    """

    position: float
    height: float
    austenite_curvature: float
    martensite_curvature: float


def barrier(A: float) -> Barrier:
    """f′ = Δf C η (η − A/C)(η − 1) for B = 3A + 12, C = 2A + 12: a barrier at A/C of height A³(A + 8)/4C³.

    The curvatures are f″(0) = A and f″(1) = A + 12; across to another variant f has the curvature B at η = 1.
    Y. Wang, A. G. Khachaturyan, Acta Mater. 45 (1997) 759, doi:10.1016/S1359-6454(96)00180-2.
    """
    C = 2.0 * A + 12.0
    return Barrier(A / C, A**3 * (A + 8.0) / (4.0 * C**3), A, A + 12.0)


@dataclass(frozen=True)
class Front:
    """A flat front of martensite that moves into austenite; `width` between 10 % and 90 %, `profile` at time 0."""

    speed: float
    width: float
    length: float
    profile: Callable[[np.ndarray], np.ndarray]


def transformation_front(A: float, delta_f: float, kappa: float, mobility: float = 1.0) -> Front:
    """2-3-4 without elasticity: ∂η/∂t = −L (f′ − κη″) has the front η = 1/(1 + e^((x − vt)/ℓ)),

        ℓ = √(2κ/(Δf C)),   v = L √(κ Δf C/2) (1 − 2A/C),   C = 2A + 12.

    By insertion: κ/ℓ² = Δf C/2 from the terms in η, then v/ℓ = L Δf C (½ − A/C). Stable for A > −3; for A < 0 the austenite
    ahead is unstable and any noise in it grows. Cubic fronts: S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979) 1085,
    doi:10.1016/0001-6160(79)90196-2, give the limit of small driving forces.
    """
    C = 2.0 * A + 12.0
    length = math.sqrt(2.0 * kappa / (delta_f * C))
    speed = mobility * math.sqrt(0.5 * kappa * delta_f * C) * (1.0 - 2.0 * A / C)
    return Front(speed, _LOGISTIC * length, length, lambda x: 0.5 * (1.0 - np.tanh(0.5 * np.asarray(x) / length)))


# Units.


@dataclass(frozen=True)
class Scales:
    """Units in which 2-4-6 has b = c = κ = 1; SI where the constants are. Times are nan where their constant is not given.

    `strain` e_c, `length` δ, `stress` of e (also the unit of applied σ), `modulus` of a, `energy` per volume, `wall_energy`
    per area, `inertial_time` of ρ, `relaxation_time` of the mobility Γ in ∂e/∂t = −Γ δF/δe.
    """

    strain: float
    length: float
    modulus: float
    stress: float
    energy: float
    wall_energy: float
    inertial_time: float
    relaxation_time: float


def scales(b: float, c: float, kappa: float, density: float = math.nan, mobility: float = math.nan) -> Scales:
    """e_c = √(b/c), δ = √(κc)/b, a: c e_c⁴ = b²/c, σ: c e_c⁵, f: c e_c⁶, γ: c e_c⁶ δ, t: √(ρδ²/c e_c⁴) and 1/(Γ c e_c⁴).

    R. P. Dhote et al., Comput. Mech. 53 (2014), doi:10.1007/s00466-013-0966-0.
    """
    strain, length, modulus = math.sqrt(b / c), math.sqrt(kappa * c) / b, b**2 / c
    energy = modulus * strain**2
    inertial = math.sqrt(density * length**2 / modulus)
    return Scales(
        strain, length, modulus, modulus * strain, energy, energy * length, inertial, 1.0 / (mobility * modulus)
    )
