"""What the run of a cracking body with inertia has to show: its energy balance, momentum, symmetry, and a crack below c_R."""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.analysis.crack_checks import crack_area_check, frames_check, irreversibility_check, status_of
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.quench_check import quench_check
from phasefield.analysis.running_crack import RunningCrack, running_crack
from phasefield.analysis.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.spectral.grid import AXIS_NAMES

# Of momentum against impulse, relative to the largest impulse; that of rounding grows with the number of steps.
MOMENTUM = 1e-9
# The balance over the energy of cracks may be larger by this than that over all energies, of which cracks take a few per cent.
OF_CRACKS = 20.0


def motion_checks(run: Run, recorded: LoadedScenario, assumed: LoadedScenario) -> list[Check]:
    """All checks that the scenario asks for; `assumed` is what theory is made of."""
    wanted, model = assumed.settings.verify, assumed.model
    assert isinstance(model, DynamicFracture)
    checks = [irreversibility_check(run, recorded)]
    if wanted.energy:
        checks += _balance(run, model, wanted.balance)
    checks.append(_momentum(run, model))
    checks.append(frames_check(run, recorded, assumed))
    if wanted.mirror:
        checks += [_mirror(run, assumed, name) for name in wanted.mirror]
    if wanted.crack_area is not False:
        checks.append(crack_area_check(run, model, assumed, wanted.crack_area))
    if wanted.crack_row is not False:
        checks.append(quench_check(run, assumed, wanted.crack_row))
    return checks + _crack(run, assumed, wanted.running_crack)


def _balance(run: Run, model: DynamicFracture, tolerance: float) -> list[Check]:
    """T + U + D + what dampers took against the work of loads and heat: relative to the energy turned over, and to D."""
    name, history = "energy balance", run.history
    if not model.variational:
        split, rule = model.split_name[0], model.parameters.irreversibility
        detail = f"split {split} with irreversibility {rule} has no energy to balance"
        return [Check(name, NOT_APPLICABLE, detail=detail)]
    columns = ("energy_kinetic", "energy_elastic", "dissipated", "damped")
    left = np.abs(np.asarray(history["imbalance"]))
    scale = float(max(np.max(np.abs(np.asarray(history[c]))) for c in (*columns, "work")))
    if scale == 0.0:
        return [Check(name, NOT_APPLICABLE, detail="nothing happened")]
    row = int(np.argmax(left))
    error = float(left[row]) / scale
    work = float(history["work"][row])
    detail = f"largest |T + U + D + damped − W| of {left.size} rows, over the largest energy"
    checks = [
        Check(
            name, status_of(error, tolerance), work + float(history["imbalance"][row]), work, error, tolerance, detail
        )
    ]
    dissipated = float(np.max(np.asarray(history["dissipated"]), initial=0.0))
    if dissipated > 1e-3 * scale:
        error, allowed = float(left[row]) / dissipated, OF_CRACKS * tolerance
        detail = "the same over the largest D, the energy that cracks took"
        checks.append(
            Check("balance of cracks", status_of(error, allowed), error=error, tolerance=allowed, detail=detail)
        )
    return checks


def _momentum(run: Run, model: DynamicFracture) -> Check:
    """Σ M v against the impulses of all loads and reactions."""
    name, history = "momentum", run.history
    p = model.parameters
    if p.damping or np.any(np.asarray(history["damped"])):
        return Check(name, NOT_APPLICABLE, detail="dampers take momentum too")
    axes = [a for a in AXIS_NAMES if f"momentum_{a}" in history]
    impulse = np.stack([np.asarray(history[f"impulse_{a}"]) for a in axes])
    momentum = np.stack([np.asarray(history[f"momentum_{a}"]) for a in axes])
    # Opposite loads add up to nothing: what each of them gave is the scale.
    scale = float(np.max(np.asarray(history["momentum_scale"])))
    if scale == 0.0:
        return Check(name, NOT_APPLICABLE, detail="nothing moves")
    error = float(np.max(np.abs(momentum - impulse))) / scale
    detail = "largest |Σ M v − ∫ forces dt| of any row and axis, over the momentum of the parts"
    return Check(name, status_of(error, MOMENTUM), error=error, tolerance=MOMENTUM, detail=detail)


def _mirror(run: Run, scenario: LoadedScenario, axis: str) -> Check:
    """Frames of φ against their mirror images: the same bits."""
    name = f"mirror symmetry in {axis}"
    if "phi" not in run.names:
        return Check(name, NOT_APPLICABLE, detail="phi was not written")
    if axis not in AXIS_NAMES[: scenario.grid.dimensions]:
        return Check(name, FAIL, detail=f"the grid has no axis {axis}")
    along = scenario.grid.dimensions - 1 - AXIS_NAMES.index(axis)
    error = max(
        float(np.max(np.abs(phi - np.flip(phi, along)))) for phi in (run.frame("phi", i) for i in range(run.times.size))
    )
    detail = f"largest difference of φ and its mirror image in {run.times.size} frames"
    return Check(name, status_of(error, 0.0), error=error, tolerance=0.0, detail=detail)


def _crack(run: Run, scenario: LoadedScenario, wanted: Any) -> list[Check]:
    """The speed of the tip against that of Rayleigh waves, and what the scenario expects."""
    try:
        crack = running_crack(run, scenario)
    except NotApplicable as reason:
        status = NOT_APPLICABLE if wanted is False else FAIL
        return [Check("tip speed", status, detail=str(reason))]
    checks = []
    if crack.speed.size:
        measured, limit = crack.fastest, crack.speeds.rayleigh
        detail = f"highest of {crack.speed.size} windows, {measured / limit:.3g} of the speed of Rayleigh waves"
        status = PASS if measured < limit else FAIL
        checks.append(Check("tip speed", status, measured, limit, max(measured / limit - 1.0, 0.0), 0.0, detail))
    else:
        checks.append(Check("tip speed", NOT_APPLICABLE, detail="too few rows of the history in which one tip ran"))
    return checks if wanted is False else checks + _expected(crack, wanted)


def _expected(crack: RunningCrack, wanted: Any) -> list[Check]:
    checks = []
    place = ""
    if crack.forks:
        first = crack.forks[0]
        place = f", at x = {first.position[0]:.5g}, y = {first.position[1]:.5g}, arms {first.angle:.3g}° apart"
    found = {
        "start": ("start of the crack", crack.start, "the tip is ℓ away from the notch"),
        "branching": ("branching", crack.branching, f"when the tip passed the first fork of the last frame{place}"),
        "arrival": ("arrival", crack.arrival, "the tip is within ℓ of a face"),
        "angle": ("crack angle", crack.angle, "from the notch, degrees"),
        "fastest": ("fastest tip", crack.fastest / crack.speeds.rayleigh, "over the speed of Rayleigh waves"),
    }
    for key, (name, measured, detail) in found.items():
        if (given := getattr(wanted, key)) is None:
            continue
        low, high = given
        outside = max(low - measured, measured - high, 0.0) if measured == measured else np.inf
        text = f"{detail}; expected between {low:g} and {high:g}"
        middle, tolerance = 0.5 * (low + high), 0.5 * (high - low)
        error = abs(measured - middle) if measured == measured else np.inf
        status = PASS if outside == 0.0 else FAIL
        checks.append(Check(name, status, measured, middle, error, tolerance, text))
    return checks
