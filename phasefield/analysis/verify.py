"""Theory against measurement, from the file of a finished run.

Every check states what was measured, what theory says, the tolerance, and `pass`, `fail` or `not applicable` with the
reason. A run is verified when at least one check passed and none failed; nothing passes without data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from phasefield.analysis.frames import check_frames
from phasefield.analysis.growth import GrowthCurve, NotApplicable, growth_curve
from phasefield.analysis.shrinking import shrinking_radius
from phasefield.analysis.stability import LinearStability
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario, load_scenario
from phasefield.simulation import ENERGY_ROUNDING

PASS, FAIL, NOT_APPLICABLE = "pass", "fail", "not applicable"
SINGLE_PRECISION_MASS = 1e-6
FRAMES, END = "energy of the frames", "end of the run"


def is_consistency(name: str) -> bool:
    """Whether a check holds for every sound run, whatever its physics: it is necessary, and says nothing of theory."""
    return name.startswith("mean of ") or name in ("energy decay", FRAMES, END)


@dataclass(frozen=True)
class Check:
    """One line of the verdict. `error` is relative; it is compared with `tolerance`."""

    name: str
    status: str
    measured: float = math.nan
    expected: float = math.nan
    error: float = math.nan
    tolerance: float = math.nan
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """All checks of a run."""

    checks: tuple[Check, ...]
    growth: GrowthCurve | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """At least one check passed and none failed."""
        states = [c.status for c in self.checks]
        return PASS in states and FAIL not in states

    @property
    def compared_with_theory(self) -> bool:
        """At least one prediction of theory was met, not only what every sound run shows."""
        return any(c.status == PASS and not is_consistency(c.name) for c in self.checks)

    @property
    def summary(self) -> str:
        """The verdict in one line, with the names of what could not be checked."""
        unchecked = [c.name for c in self.checks if c.status == NOT_APPLICABLE]
        missing = f" (not checked: {', '.join(unchecked)})" if unchecked else ""
        if not any(c.status in (PASS, FAIL) for c in self.checks):
            return "nothing was checked" + missing
        if not self.passed:
            return "NOT verified" + missing
        return ("verified" if self.compared_with_theory else "consistent, but not compared with theory") + missing

    def to_dict(self) -> dict[str, Any]:
        """Plain data: {passed, checks: [...]}."""
        return {"passed": self.passed, "checks": [asdict(c) for c in self.checks]}

    def __str__(self) -> str:
        rows = [
            f"{c.status:>14}  {c.name:<28} measured {c.measured:<12.6g} theory {c.expected:<12.6g} "
            f"error {c.error:<9.3g} tolerance {c.tolerance:<9.3g} {c.detail}"
            for c in self.checks
        ]
        return "\n".join([*rows, self.summary])


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
    checks += _frames(run, recorded, wanted)
    if wanted.shrinking_radius is not False:
        checks.append(_shrinking(run, assumed, wanted.shrinking_radius))
    status = run.status.get("status")
    if status == "failed":
        checks.append(Check(END, FAIL, detail=str(run.status.get("reason", "failed"))))
    elif status not in (None, "finished"):
        checks.append(Check(END, NOT_APPLICABLE, detail=f"the run is not finished: {run.status.get('reason', status)}"))
    return Verdict(tuple(checks), growth)


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
        rms = float(np.sqrt(np.mean((curve.rate - prediction) ** 2))) / top
        checks.append(Check(name, _status(rms, tolerance), math.nan, math.nan, rms, tolerance, detail))
    return checks


def _wavelength(curve: GrowthCurve, theory: LinearStability, tolerance: float) -> Check:
    if theory.fastest_wavenumber > 0.0:
        return _close("fastest-growing wavelength", curve.fitted_wavelength, theory.fastest_wavelength, tolerance, "")
    detail = "the uniform mode is the fastest, so the cut-off is compared"
    return _close("cut-off wavelength", curve.fitted_cutoff_wavelength, theory.cutoff_wavelength, tolerance, detail)


def _close(name: str, measured: float, expected: float, tolerance: float, detail: str) -> Check:
    error = abs(measured - expected) / abs(expected)
    return Check(name, _status(error, tolerance), measured, expected, error, tolerance, detail)


def _status(error: float, tolerance: float) -> str:
    # A NaN error is a failure, not a pass.
    return PASS if error <= tolerance else FAIL


def _conservation(run: Run, scenario: LoadedScenario, wanted: Any) -> list[Check]:
    checks = []
    for name, kinetics in scenario.model.fields.items():
        if not kinetics.conserved or wanted.mass is False:
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
    detail = f"recomputed from {found.times.size} frames; they fall, and agree with the history"
    last = float(found.energies[-1])
    recorded = float(np.interp(found.times[-1], run.history["time"], run.history["energy"]))
    checks = [Check(FRAMES, _status(error, found.tolerance), last, recorded, error, found.tolerance, detail)]
    for name, kinetics in scenario.model.fields.items():
        if kinetics.conserved and wanted.mass is not False:
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
    return Check("energy decay", _status(increase, tolerance), energy[-1], energy[0], increase, tolerance, detail)


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
