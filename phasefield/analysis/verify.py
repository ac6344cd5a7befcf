"""Theory against measurement, from the file of a finished run.

Every check states what was measured, what theory says, the tolerance, and `pass`, `fail` or `not applicable` with the
reason. A run is verified when at least one check passed and none failed; nothing passes without data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.analysis.avrami import avrami_of_run
from phasefield.analysis.balance import energy_balance
from phasefield.analysis.conditions import steady
from phasefield.analysis.crack_checks import crack_checks
from phasefield.analysis.dynamic_checks import motion_checks
from phasefield.analysis.frames import check_frames
from phasefield.analysis.growth import GrowthCurve, NotApplicable, growth_curve
from phasefield.analysis.manufactured import solution_errors
from phasefield.analysis.shrinking import shrinking_radius
from phasefield.analysis.stability import LinearStability
from phasefield.analysis.structure_factor import equilibrium
from phasefield.analysis.twins import twins
from phasefield.analysis.verdict import (
    BALANCE,
    DISSIPATION,
    END,
    FAIL,
    FRAMES,
    NOT_APPLICABLE,
    PASS,
    Check,
    Verdict,
)
from phasefield.gradient_flow import ENERGY_ROUNDING
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario, load_scenario

__all__ = ["FAIL", "NOT_APPLICABLE", "PASS", "Check", "Verdict", "growth_checks", "verify"]

SINGLE_PRECISION_MASS = 1e-6
# The work of changing loads is known from row to row of the history only: to this share of the energy turned over, or it says
# nothing.
COARSEST_BALANCE = 0.05


def verify(run: Run | str, theory: Mapping[str, Any] | None = None, *, override_source: str = "theory") -> Verdict:
    """Compare a run with theory.

    Args:
        run: a run, its folder or its fields file.
        theory: overrides (dotted paths) of the scenario from which theory is made, to see a wrong theory fail.
        override_source: how messages call the place these come from.
    """
    run = run if isinstance(run, Run) else Run(run)
    recorded = load_scenario(run.scenario)
    assumed = load_scenario(run.scenario, dict(theory or {}), override_source=override_source)
    wanted = assumed.settings.verify
    if wanted is False:
        return Verdict((Check("verification", NOT_APPLICABLE, detail="turned off in the scenario (verify: false)"),))
    if isinstance(assumed.model, Fracture):
        return Verdict((*crack_checks(run, recorded, assumed), *_end(run)))
    if isinstance(assumed.model, DynamicFracture):
        return Verdict((*motion_checks(run, recorded, assumed), *_end(run)))
    checks: list[Check] = []
    growth = None
    if wanted.linear_stability is not False:
        try:
            growth = growth_curve(run, assumed, recorded)
            checks += growth_checks(growth, wanted.linear_stability)
        except NotApplicable as reason:
            checks.append(Check("linear stability", NOT_APPLICABLE, detail=str(reason)))
    for check in _conservation(run, recorded, wanted):
        checks.append(check)
    if wanted.energy:
        checks.append(_energy(run, recorded))
        checks += _balance(run, recorded)
    checks += _frames(run, recorded, wanted)
    if wanted.shrinking_radius is not False:
        checks.append(_shrinking(run, assumed, wanted.shrinking_radius))
    if wanted.structure_factor is not False:
        checks.append(_structure_factor(run, assumed, recorded, wanted.structure_factor))
    if wanted.avrami is not False:
        checks.append(_avrami(run, assumed, wanted.avrami))
    if wanted.twins is not False:
        checks += _twins(run, assumed, wanted.twins)
    if assumed.exact and wanted.manufactured is not False:
        checks += _manufactured(run, assumed, wanted.manufactured)
    checks += _end(run)
    return Verdict(tuple(checks), growth)


def _end(run: Run) -> list[Check]:
    """Nothing where the run came to its end."""
    status = run.status.get("status")
    if status == "failed":
        return [Check(END, FAIL, detail=str(run.status.get("reason", "failed")))]
    if status in (None, "finished"):
        return []
    return [Check(END, NOT_APPLICABLE, detail=f"the run is not finished: {run.status.get('reason', status)}")]


def growth_checks(curve: GrowthCurve, tolerances: Any) -> list[Check]:
    """The measured growth curve against theory: its largest rate, its shape, the scheme's factors, the wavelength."""
    theory = curve.theory
    top = theory.largest_growth_rate
    window = f"{curve.modes} modes in {curve.rate.size} shells, t = {curve.window[0]:.4g} … {curve.window[1]:.4g}"
    checks = [_wavelength(curve, theory, tolerances.wavelength)]
    checks.append(_close("largest growth rate", curve.fitted_rate, top, tolerances.growth_rate, window))
    for name, prediction, tolerance, detail in (
        ("growth curve", curve.predicted, tolerances.growth_rate, "rms over shells, relative to the largest rate"),
        ("growth curve of the scheme", curve.predicted_discrete, tolerances.discrete, "exact discrete factors, rms"),
    ):
        if prediction is None:
            continue
        rms = float(np.sqrt(np.mean((curve.rate - prediction) ** 2))) / top
        checks.append(Check(name, _status(rms, tolerance), math.nan, math.nan, rms, tolerance, detail))
    if curve.hard_rate.size:
        rms = float(np.sqrt(np.mean((curve.hard_rate - curve.hard_predicted) ** 2))) / top
        detail = f"{curve.hard_rate.size} shells that elasticity alone keeps from growing; exact discrete factors, rms"
        tolerance = tolerances.discrete
        checks.append(Check("hard directions", _status(rms, tolerance), error=rms, tolerance=tolerance, detail=detail))
    return checks


def _wavelength(curve: GrowthCurve, theory: LinearStability, tolerance: float) -> Check:
    if theory.fastest_wavenumber > 0.0:
        return _close("fastest-growing wavelength", curve.fitted_wavelength, theory.fastest_wavelength, tolerance, "")
    longest = "long waves along n are" if theory.directional else "the uniform mode is"
    detail = f"{longest} the fastest, so the cut-off is compared"
    return _close("cut-off wavelength", curve.fitted_cutoff_wavelength, theory.cutoff_wavelength, tolerance, detail)


def _close(name: str, measured: float, expected: float, tolerance: float, detail: str) -> Check:
    error = abs(measured - expected) / abs(expected)
    return Check(name, _status(error, tolerance), measured, expected, error, tolerance, detail)


def _status(error: float, tolerance: float) -> str:
    # A NaN error is a failure, not a pass.
    return PASS if error <= tolerance else FAIL


def _conservation(run: Run, scenario: LoadedScenario, wanted: Any) -> list[Check]:
    checks = []
    for name in scenario.model.fields:
        if not scenario.keeps_mean(name) or wanted.mass is False:
            continue
        history = run.history
        drift = float(np.max(np.asarray(history[f"drift_{name}"])))
        size = float(np.max(np.abs([history[f"min_{name}"], history[f"max_{name}"]])))
        mean = float(np.asarray(history[f"mean_{name}"])[0])
        tolerance = wanted.mass
        if scenario.settings.precision == "single":
            tolerance = max(tolerance, SINGLE_PRECISION_MASS)
        error = drift / size if size > 0.0 else drift
        last = float(np.asarray(history[f"mean_{name}"])[-1])
        detail = "largest drift of the mean at any step"
        checks.append(Check(f"mean of {name}", _status(error, tolerance), last, mean, error, tolerance, detail))
    return checks


def _frames(run: Run, scenario: LoadedScenario, wanted: Any) -> list[Check]:
    """Energies and means of the written frames, computed anew."""
    if not wanted.energy:
        return []
    try:
        found = check_frames(run, scenario)
    except NotApplicable as reason:
        return [Check(FRAMES, NOT_APPLICABLE, detail=str(reason))]
    error = max(found.energy_error, found.energy_growth)
    they = "they fall, and agree" if found.falling else "they agree"
    detail = f"recomputed from {found.times.size} frames; {they} with the history"
    last = float(found.energies[-1])
    recorded = float(np.interp(found.times[-1], run.history["time"], run.history["energy"]))
    checks = [Check(FRAMES, _status(error, found.tolerance), last, recorded, error, found.tolerance, detail)]
    for name in scenario.model.fields:
        if scenario.keeps_mean(name) and wanted.mass is not False:
            drift = found.mean_drift[name]
            detail = "largest drift over the same frames"
            status = _status(drift, found.tolerance)
            checks.append(
                Check(f"mean of {name} in frames", status, error=drift, tolerance=found.tolerance, detail=detail)
            )
    return checks


def _energy(run: Run, scenario: LoadedScenario) -> Check:
    history = run.history
    energy = np.asarray(history["energy"])
    increase = float(np.max(np.asarray(history["energy_increase"])))
    eps = float(np.finfo(np.float64 if scenario.settings.precision == "double" else np.float32).eps)
    steps = int(np.asarray(history["steps"])[-1])
    tolerance = ENERGY_ROUNDING * eps
    detail = f"largest relative growth in any of {steps} steps"
    if steps == 0:
        return Check("energy decay", NOT_APPLICABLE, detail="no step was made")
    if gain := _energy_gain(scenario):
        return Check("energy decay", NOT_APPLICABLE, detail=gain)
    return Check("energy decay", _status(increase, tolerance), energy[-1], energy[0], increase, tolerance, detail)


def _energy_gain(scenario: LoadedScenario) -> str:
    """Where energy may come from while loads and temperature stay as they are; empty where it can only be lost."""
    if scenario.loses_energy:
        return ""
    if scenario.forced:
        return "a source does work on the fields"
    if scenario.model.loses_energy:
        return "matter that passes the fixed faces carries energy in and out"
    return f"{'thermal noise' if scenario.model.thermal_energy else 'motion'} gives energy back"


def _balance(run: Run, scenario: LoadedScenario) -> list[Check]:
    """Where loads or temperature change or seeds appear: the dissipation never falls back, and the energy is what it and their
    work leave."""
    end = float(np.asarray(run.history["time"])[-1])
    seeded = scenario.first_nucleus <= end
    if steady(scenario.model, 0.0, end) and not seeded:
        return []
    if scenario.forced:
        return [Check(BALANCE, NOT_APPLICABLE, detail="the work of a source is not followed")]
    try:
        found = energy_balance(run, scenario)
    except NotApplicable as reason:
        return [Check(BALANCE, NOT_APPLICABLE, detail=str(reason))]
    steps = int(np.asarray(run.history["steps"])[-1])
    tolerance = ENERGY_ROUNDING * found.rounding * max(1, steps)
    detail = "largest drop from row to row, relative to the energy turned over"
    status = _status(found.backwards, tolerance)
    checks = [Check(DISSIPATION, status, error=found.backwards, tolerance=tolerance, detail=detail)]
    if gain := _energy_gain(scenario):
        # What a step gives up is then no dissipation.
        checks = [Check(DISSIPATION, NOT_APPLICABLE, detail=gain)]
    if found.resolution > COARSEST_BALANCE:
        detail = f"the work of the loads is known to {found.resolution:.2g} only: write the history more often"
        return [*checks, Check(BALANCE, NOT_APPLICABLE, detail=detail)]
    tolerance = 2.0 * found.resolution + tolerance + 1e-9
    detail = f"changes over {found.rows} intervals of the history, against work of the loads less dissipation"
    if seeded:
        detail = detail.replace("work of the loads", "work of loads and seeds")
    if found.left_out:
        detail += f"; {found.left_out} in which the temperature changes are left out"
    checks.append(
        Check(BALANCE, _status(found.error, tolerance), found.change, found.expected, found.error, tolerance, detail)
    )
    return checks


def _shrinking(run: Run, scenario: LoadedScenario, tolerance: float) -> Check:
    name = "shrinking radius"
    try:
        result = shrinking_radius(run, scenario)
    except NotApplicable as reason:
        return Check(name, NOT_APPLICABLE, detail=str(reason))
    return Check(
        name,
        _status(result.error, tolerance),
        result.slope,
        result.expected_slope,
        result.error,
        tolerance,
        result.detail,
    )


def _structure_factor(run: Run, scenario: LoadedScenario, recorded: LoadedScenario, tolerance: float) -> Check:
    """Measured and expected are the mean kT of the shells and that of the scenario."""
    name = "structure factor"
    try:
        found = equilibrium(run, scenario, recorded, tolerance)
    except NotApplicable as reason:
        return Check(name, NOT_APPLICABLE, detail=str(reason))
    kT, k, (least, most) = scenario.model.thermal_energy, found.wavenumber, found.frames
    detail = (
        f"kT of {k.size} of {found.shells} shells, k = {k[0]:.3g} … {k[-1]:.3g}, over {least} to {most} frames; rms over "
        f"shells, of which chance {float(np.sqrt(np.mean(found.scatter**2))):.2g}"
    )
    measured = kT * float(found.ratio.mean())
    return Check(name, _status(found.error, tolerance), measured, kT, found.error, tolerance, detail)


def _manufactured(run: Run, scenario: LoadedScenario, tolerance: float) -> list[Check]:
    """The last frame against the manufactured solution at its time: L2, and L2 over the norm of the solution as the error."""
    try:
        errors = solution_errors(run, scenario)
    except NotApplicable as reason:
        return [Check("manufactured solution", NOT_APPLICABLE, detail=str(reason))]
    checks = []
    for name, error in errors.items():
        title = "manufactured solution" if len(errors) == 1 else f"manufactured solution {name}"
        detail = f"L2 error of {name} at t = {float(run.times[-1]):g}; error relative to the norm of the solution"
        status = _status(error.relative, tolerance)
        checks.append(Check(title, status, error.absolute, 0.0, error.relative, tolerance, detail))
    return checks


def _avrami(run: Run, scenario: LoadedScenario, tolerance: float) -> Check:
    name = "Avrami exponent"
    try:
        fit, expected = avrami_of_run(run, scenario)
    except NotApplicable as reason:
        return Check(name, NOT_APPLICABLE, detail=str(reason))
    error = abs(fit.exponent - expected) / expected
    detail = f"over {fit.rows} rows of the history, fraction {fit.fractions[0]:.3f} to {fit.fractions[1]:.3f}"
    return Check(name, _status(error, tolerance), fit.exponent, expected, error, tolerance, detail)


def _twins(run: Run, scenario: LoadedScenario, tolerances: Any) -> list[Check]:
    """Walls on compatible planes; in a clamped box variants in equal shares and no mean transformation strain."""
    try:
        found = twins(run, scenario)
    except NotApplicable as reason:
        return [Check("twins", NOT_APPLICABLE, detail=str(reason))]
    where, share, least = found.orientation, found.orientation.share, 1.0 - tolerances.share
    detail = f"share of the structure factor within 15° of compatible normals; walls {found.walls.spacing:.3g} apart"
    checks = [Check("wall orientation", _status(1.0 - share, least), share, 1.0, 1.0 - share, least, detail)]
    if scenario.grid.dimensions == 2:
        angle = abs(where.direction)
        detail = "intensity-weighted deviation from the nearest one, degrees"
        status = _status(angle, tolerances.direction)
        checks.append(Check("wall direction", status, where.direction, 0.0, angle, tolerances.direction, detail))
    if not found.clamped:
        detail = "only a clamped box makes variants balance: under stress control a single one costs less"
        return [*checks, Check("variant fractions", NOT_APPLICABLE, detail=detail)]
    detail = "largest difference; fractions " + ", ".join(f"{f:.4f}" for f in found.fractions)
    for name, error, tolerance, text in (
        ("variant fractions", found.imbalance, tolerances.fractions, detail),
        ("mean transformation strain", found.mean_strain, tolerances.mean_strain, "relative to a single variant"),
    ):
        checks.append(Check(name, _status(error, tolerance), error, 0.0, error, tolerance, text))
    return checks
