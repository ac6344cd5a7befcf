"""The reference mobility M₀ of the split M = M₀ + (M − M₀): M₀ on the implicit side, the rest on the explicit one.

About a uniform state with mobility M a step of `imex1` multiplies a mode by G = 1 − Δt M k̃²(f″+K)/(1 + Δt M₀k̃²(S+K)), so that
|G| ≤ 1 for every Δt asks for M (f″+K) ≤ 2 M₀ (S+K). With S ≥ ½ max f″ this holds for all M ≤ M₀ = max M; a smaller M₀ would need
a larger S, and a larger one only slows the motion down.

M₀ follows the attained range as S does (`stabilisation`). It is raised when max M on it exceeds M₀ by more than the safety factor
of S covers, and lowered when a look every few steps shows that less would do.
"""

from __future__ import annotations

from phasefield.models.mobility import Mobility
from phasefield.stepping.stabilisation import LOOK_EVERY, TOO_LARGE

# max M over M₀ from which on M₀ is raised; S, ten per cent above ½ max f″, would cover 1.1.
TOO_SMALL = 1.05


def reference_mobility(mobility: Mobility, present: float, attained: tuple[float, float], step: int = 0) -> float:
    """M₀ for the range attained after `step` steps: max M on it, or the `present` value where that will do (nan: there is none).

    Raises:
        NumericalError: M is not finite on the range.
    """
    largest = mobility.largest(*attained)
    if not largest <= TOO_SMALL * present:
        return largest
    too_large = step % LOOK_EVERY == 0 and present > TOO_LARGE * largest
    # Where a field has come to rest at M = 0 there is nothing left to be chosen.
    return largest if too_large and largest > 0.0 else present
