"""Growth of fluctuations of homogeneous damage with a viscosity against linear stability, mode by mode."""

from __future__ import annotations

import math

import numpy as np

from phasefield.analysis.damage_growth import Contradiction, DamageGrowth, damage_growth
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.scenario.verify_sections import LinearStabilityCheck


def stability_checks(
    run: Run, recorded: LoadedScenario, assumed: LoadedScenario, wanted: LinearStabilityCheck
) -> list[Check]:
    """The checks `verify.linear_stability` of a fracture run; `assumed` is what theory is made of."""
    try:
        growth = damage_growth(run, assumed, recorded)
    except NotApplicable as reason:
        return [Check("linear stability", NOT_APPLICABLE, detail=str(reason))]
    except Contradiction as reason:
        return [Check("linear stability", FAIL, detail=f"theory has no state like that of the run: {reason}")]
    return compare(growth, wanted)


def compare(growth: DamageGrowth, wanted: LinearStabilityCheck) -> list[Check]:
    """Cut-off wavelength, largest rate, the curve, and the factors of the steps."""
    state, (rate, wavelength) = growth.state, growth.fitted
    window = f"fit to modes of all directions, t = {growth.window[0]:.4g} … {growth.window[1]:.4g}"
    checks = [
        _close(
            "cut-off wavelength",
            wavelength,
            state.cutoff_wavelength,
            wanted.wavelength,
            "along the fastest direction; the longest waves are the fastest, so the cut-off is compared",
        ),
        _close("largest growth rate", rate, state.largest_growth_rate, wanted.growth_rate, window),
    ]
    for name, error, tolerance, against in (
        ("growth curve", (growth.rate - growth.predicted)[growth.near], wanted.growth_rate, "σ(k, n)"),
        ("growth curve of the scheme", growth.missed, wanted.discrete, "the exact factors of its steps"),
    ):
        rms = float(np.sqrt(np.mean(error**2))) / growth.scale
        detail = f"{error.size} modes, each against {against}; rms, relative to the largest rate"
        checks.append(Check(name, _status(rms, tolerance), error=rms, tolerance=tolerance, detail=detail))
    return checks


def _close(name: str, measured: float, expected: float, tolerance: float, detail: str) -> Check:
    error = abs(measured - expected) / abs(expected) if math.isfinite(expected) else math.inf
    return Check(name, _status(error, tolerance), measured, expected, error, tolerance, detail)


def _status(error: float, tolerance: float) -> str:
    # A NaN error is a failure, not a pass.
    return PASS if error <= tolerance else FAIL
