"""What the run of a cracking body has to show: equilibrium, irreversibility, its energy balance, and what its cracks cost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from phasefield.analysis.crack_profile import band_profile
from phasefield.analysis.crack_stability_checks import stability_checks
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.strip import StripTheory
from phasefield.analysis.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from phasefield.energy.fracture import HomogeneousResponse
from phasefield.models.cracked import Cracked
from phasefield.models.fracture import Fracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# Bounds of damage hold to rounding, frames in single precision to theirs.
ROUNDING = {"double": 1e-12, "single": 1e-6}
# Virtual work follows from an equilibrium to the square of its residual and to the sums' rounding.
VIRTUAL_WORK = 1e-4
# Steps under a steady load are as accurate as their equilibria.
STEADY = 1e-8
# Energies recomputed from frames.
FRAME_ENERGY = {"double": 1e-9, "single": 1e-5}
MOST_FRAMES = 12


def crack_checks(run: Run, recorded: LoadedScenario, assumed: LoadedScenario) -> list[Check]:
    """All checks that the scenario asks for; `assumed` is what theory is made of."""
    wanted, model = assumed.settings.verify, assumed.model
    assert isinstance(model, Fracture)
    checks = [irreversibility_check(run, recorded), _virtual_work(run)]
    if wanted.energy:
        checks += _balance(run, model, wanted.balance)
    checks.append(frames_check(run, recorded, assumed))
    if wanted.linear_stability is not False and model.damage_viscosity is not None:
        checks += stability_checks(run, recorded, assumed, wanted.linear_stability)
    if wanted.crack_area is not False:
        checks.append(crack_area_check(run, model, assumed, wanted.crack_area))
    if wanted.homogeneous is not False:
        checks += _homogeneous(run, model, assumed, wanted.homogeneous)
    if wanted.strip is not False:
        checks.append(_strip(run, model, assumed, wanted.strip))
    if wanted.band_profile is not False:
        checks.append(_band_profile(run, assumed, wanted.band_profile))
    return checks


def status_of(error: float, tolerance: float) -> str:
    """Pass or fail."""
    return PASS if error <= tolerance else FAIL


def _precision(scenario: LoadedScenario) -> str:
    return scenario.settings.output.fields.precision


def irreversibility_check(run: Run, scenario: LoadedScenario) -> Check:
    """Damage never heals, step by step and frame by frame, and lies between 0 and 1."""
    name, model = "irreversibility", scenario.model
    assert isinstance(model, Cracked)
    rule = model.parameters.irreversibility
    history = run.history
    outside = max(-float(np.min(history["min_phi"])), float(np.max(history["max_phi"])) - 1.0, 0.0)
    if rule != "bounds":
        detail = f"irreversibility: {rule} lets damage heal; φ between 0 and 1 alone"
        return Check(name, status_of(outside, 1e-9), error=outside, tolerance=1e-9, detail=detail)
    healing = float(np.max(history["healing"]))
    tolerance = ROUNDING["double"]
    detail = "largest decrease of φ in any step and frame, and how far it leaves 0 … 1"
    if "phi" in run.names and run.times.size > 1:
        frames = [run.frame("phi", i).astype(float) for i in _chosen(run)]
        healing = max(healing, *(float(np.max(a - b)) for a, b in pairwise(frames)))
        tolerance = ROUNDING[_precision(scenario)]
    error = max(healing, outside)
    return Check(name, status_of(error, tolerance), error=error, tolerance=tolerance, detail=detail)


def _chosen(run: Run) -> list[int]:
    count = run.times.size
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, MOST_FRAMES))})


def _virtual_work(run: Run) -> Check:
    """2U = P s + q s at every row (Clapeyron): forces, displacements and energies belong to one equilibrium."""
    history = run.history
    load = np.asarray(history["load"])
    twice = 2.0 * np.asarray(history["energy_elastic"])
    outer = load * (np.asarray(history["force"]) + np.asarray(history["deflection"]))
    scale = float(np.max(np.abs(twice), initial=0.0))
    if scale == 0.0:
        return Check("virtual work", NOT_APPLICABLE, detail="nothing was loaded")
    row = int(np.argmax(np.abs(twice - outer)))
    error = float(np.abs(twice - outer)[row]) / scale
    detail = "twice the elastic energy against forces times displacements, largest difference of any row over the largest energy"
    return Check("virtual work", status_of(error, VIRTUAL_WORK), outer[row], twice[row], error, VIRTUAL_WORK, detail)


def _balance(run: Run, model: Fracture, tolerance: float) -> list[Check]:
    """Energy and dissipation against the work of the load: equal along equilibria, never more, and what a jump releases."""
    history = run.history
    if not model.variational:
        name = model.split_name[0]
        detail = f"split {name} with irreversibility {model.parameters.irreversibility} has no energy to balance"
        return [Check("energy balance", NOT_APPLICABLE, detail=detail)]
    work, released = np.asarray(history["work"]), np.asarray(history["released"])
    dissipated, jumps = np.asarray(history["dissipated"]), np.asarray(history["jumps"])
    if work.size > 1 and not np.any(work) and np.any(history["load"]):
        return [_decay(np.asarray(history["energy"]), tolerance)]
    if work.size < 2 or not np.any(work):
        return [Check("energy balance", NOT_APPLICABLE, detail="no work was done")]
    scale = np.maximum.accumulate(np.maximum(np.abs(work), np.abs(dissipated)))
    checks = []
    if model.parameters.irreversibility in ("bounds", "history") and model.damage_viscosity is None:
        drop = float(np.max(-np.diff(dissipated), initial=0.0)) / float(np.max(np.abs(dissipated), initial=1e-300))
        detail = "largest drop of the energy of cracks from row to row"
        # Cells that are damaged more may be neighbours of others that are not: their gradient energy may fall a little.
        checks.append(Check("dissipation", status_of(drop, 1e-6), error=drop, tolerance=1e-6, detail=detail))
    # What the steps without a jump have released, and each jump by itself: one that releases much hides no gain after it.
    steps = np.diff(released, prepend=released[:1])
    jumped = np.diff(jumps, prepend=jumps[:1]) > 0
    gradual = np.cumsum(np.where(jumped, 0.0, steps))
    gained = np.minimum(gradual, np.where(jumped, steps, 0.0)) if model.damage_viscosity is None else released
    excess = float(np.max(np.divide(-gained, scale, out=np.zeros_like(gained), where=scale > 0.0)))
    detail = "E + D − W: energy that came from nowhere, over the work"
    checks.append(
        Check("energy bound", status_of(excess, tolerance), error=max(excess, 0.0), tolerance=tolerance, detail=detail)
    )
    if model.damage_viscosity is None and not jumped[1:].all():
        left = np.divide(np.abs(gradual), scale, out=np.zeros_like(gradual), where=scale > 0.0)
        row, count = int(np.argmax(left)), int(np.count_nonzero(jumped))
        error = float(left[row])
        lost = float(np.sum(steps[jumped]))
        apart = f"; {count} jump(s) release {lost / scale[-1]:.3g} of the work" if count else ""
        detail = f"largest |E + D − W| / W of {work.size - count} rows in equilibrium{apart}"
        energies = np.asarray(history["energy_elastic"]) - float(history["energy_elastic"][0]) + dissipated
        # Without what jumps have released so far.
        energies = energies + np.cumsum(np.where(jumped, steps, 0.0))
        checks.append(
            Check("energy balance", status_of(error, tolerance), energies[row], work[row], error, tolerance, detail)
        )
    return checks


def _decay(energy: np.ndarray, tolerance: float) -> Check:
    """Under a load that stands still energy can only be lost: displacements and damage minimise it in turn."""
    increase = float(np.max(np.diff(energy), initial=0.0)) / float(np.max(np.abs(energy)))
    tolerance = min(tolerance, STEADY)
    detail = "largest growth from row to row under a load that does no work, relative to the energy"
    return Check("energy bound", status_of(increase, tolerance), energy[-1], energy[0], increase, tolerance, detail)


def frames_check(run: Run, recorded: LoadedScenario, assumed: LoadedScenario) -> Check:
    """The energy of cracks, computed anew from frames of φ in plain NumPy with the constants of AT1 and AT2."""
    name = "crack energy of frames"
    model = assumed.model
    assert isinstance(model, Cracked)
    history = run.history
    rows = np.asarray(history["time"])
    energy = np.asarray(history["energy_local"]) + np.asarray(history["energy_gradient"])
    if "phi" not in run.names:
        return Check(name, NOT_APPLICABLE, detail="phi was not written")
    pairs = [(i, int(np.argmin(np.abs(rows - run.times[i])))) for i in _chosen(run)]
    pairs = [(i, r) for i, r in pairs if abs(rows[r] - run.times[i]) <= 1e-9 * max(abs(rows[r]), 1e-300)]
    if not pairs:
        return Check(name, NOT_APPLICABLE, detail="no frame falls on a row of the history")
    material = model.material(assumed.grid, assumed.folder)
    Gc, solid = material.toughness, material.solid
    measured = np.array([_plain_energy(run.frame("phi", i).astype(float), Gc, solid, model, assumed) for i, _ in pairs])
    expected = np.array([energy[r] for _, r in pairs])
    scale = float(np.max(np.abs(expected)))
    if scale == 0.0:
        return Check(name, NOT_APPLICABLE, detail="nothing is damaged")
    error = float(np.max(np.abs(measured - expected))) / scale
    tolerance = FRAME_ENERGY[_precision(recorded)]
    detail = f"recomputed from {len(pairs)} frames, against the history"
    return Check(name, status_of(error, tolerance), measured[-1], expected[-1], error, tolerance, detail)


def _plain_energy(
    phi: np.ndarray, Gc: np.ndarray, solid: np.ndarray, model: Cracked, scenario: LoadedScenario
) -> float:
    """∫ w(φ) + κ/2 |∇φ|² dV, differences between cells that are both solid, κ the harmonic mean of the two."""
    ell, first = model.parameters.length, model.parameters.dissipation == "AT1"
    local = 3.0 * Gc * phi / (8.0 * ell) if first else Gc * phi**2 / (2.0 * ell)
    total = float(np.where(solid, local, 0.0).sum())
    kappa = np.where(solid, (0.75 if first else 1.0) * Gc * ell, 0.0)
    for position, axis in enumerate(scenario.grid.axes):
        along = phi.ndim - 1 - position
        a, b = kappa, np.roll(kappa, -1, along)
        mean = np.divide(2.0 * a * b, a + b, out=np.zeros_like(a), where=(a + b) > 0.0)
        square = mean * (np.roll(phi, -1, along) - phi) ** 2
        if axis.boundary != "periodic":
            square = np.take(square, range(square.shape[along] - 1), axis=along)
        total += 0.5 * float(square.sum()) / axis.spacing**2
    return total * scenario.grid.cell_volume


def crack_area_check(run: Run, model: Cracked, scenario: LoadedScenario, wanted: Any) -> Check:
    """Dissipated energy of the run against the area that broke, with what a crack costs on this grid."""
    history = run.history
    factor = model.dissipation.numerical_toughness(model.parameters.length, max(scenario.grid.spacing))
    expected = wanted.area * model.bulk(scenario.grid, scenario.folder).toughness * factor
    measured = float(history["dissipated"][-1])
    error = abs(measured - expected) / expected
    detail = f"dissipated at the end, against area × {factor:.5g} Gc"
    return Check(
        "energy of the crack", status_of(error, wanted.tolerance), measured, expected, error, wanted.tolerance, detail
    )


def _homogeneous(run: Run, model: Fracture, scenario: LoadedScenario, tolerance: float) -> list[Check]:
    """Damage and stress of a body that is damaged everywhere alike, under one strain, against the closed form."""
    name, history = "homogeneous damage", run.history
    spread = float(np.max(np.asarray(history["max_phi"]) - np.asarray(history["min_phi"])))
    control = model.parameters.mean
    components = [c for c, v in (control.strain or {}).items() if v != 0.0] if control is not None else []
    if spread > 1e-9 or len(components) != 1:
        why = "damage differs from place to place" if spread > 1e-9 else "it needs one mean strain"
        return [Check(name, NOT_APPLICABLE, detail=f"{why}: no homogeneous bar")]
    component = components[0]
    bulk = model.bulk(scenario.grid, scenario.folder)
    modulus = model.uniaxial_modulus(component, scenario.grid.dimensions, bulk)
    if modulus is None:
        return [Check(name, NOT_APPLICABLE, detail="the split or the control has no closed form")]
    p = model.parameters
    bar = HomogeneousResponse(modulus, bulk.toughness, p.length, p.dissipation, p.residual_stiffness)
    strain = np.asarray(history[f"mean_strain_{component}"])
    stress, phi = np.asarray(history[f"mean_stress_{component}"]), np.asarray(history["max_phi"])
    # Damage stays where the strain has been largest.
    largest = np.maximum.accumulate(np.maximum(strain, 0.0))
    damage = bar.damage(largest)
    rising = strain >= largest * (1.0 - 1e-12)
    error = float(np.max(np.abs(phi - damage)))
    stresses = float(np.max(np.abs(stress - bar.stress(strain))[rising])) / bar.strength
    detail = f"φ(ε) of {p.dissipation}, modulus {modulus:.6g}, {strain.size} rows"
    return [
        Check(name, status_of(error, tolerance), phi[-1], damage[-1], error, tolerance, detail),
        Check(
            "homogeneous stress",
            status_of(stresses, tolerance),
            float(np.max(stress)),
            float(np.max(bar.stress(strain))),
            stresses,
            tolerance,
            "σ(ε), largest difference over the strength; measured and theory: the largest of the rows",
        ),
    ]


def _band_profile(run: Run, scenario: LoadedScenario, tolerance: float) -> Check:
    name = "damage band profile"
    try:
        found = band_profile(run, scenario)
    except NotApplicable as reason:
        return Check(name, NOT_APPLICABLE, detail=str(reason))
    row = int(np.argmax(np.abs(found.phi - found.expected)))
    detail = f"{found.place}; largest difference of φ, at {abs(found.distance[row]):.4g} from the crack"
    return Check(
        name, status_of(found.error, tolerance), found.phi[row], found.expected[row], found.error, tolerance, detail
    )


def _strip(run: Run, model: Fracture, scenario: LoadedScenario, tolerance: float) -> Check:
    """Energy release rate of a strip while its crack runs, against what it takes to break a column of it (`StripTheory`)."""
    name, history, p = "energy release rate", run.history, model.parameters
    bulk = model.bulk(scenario.grid, scenario.folder)
    modulus, nu = model.uniaxial_modulus("yy", scenario.grid.dimensions, bulk), bulk.poisson_ratio
    if scenario.grid.dimensions != 2 or modulus is None:
        return Check(
            name, NOT_APPLICABLE, detail="it needs a periodic strip in the plane, stretched along y, without a split"
        )
    assert p.mean is not None
    if nu != 0.0 and not p.mean.stress_controlled(2)[0]:
        return Check(
            name, NOT_APPLICABLE, detail="mean stress xx must be given: with mean strain xx, G depends on the crack"
        )
    if p.irreversibility not in ("bounds", "crack_set"):
        return Check(name, NOT_APPLICABLE, detail=f"the damage that {p.irreversibility} leaves behind is not known")
    if p.dissipation == "AT2" and p.irreversibility == "bounds":
        why = "damage of AT2 stays behind the tip, the more the further it has come; irreversibility: crack_set lets it heal"
        return Check(name, NOT_APPLICABLE, detail=why)
    E = bulk.young_modulus
    confined = E * (1.0 - nu) / ((1.0 + nu) * (1.0 - 2.0 * nu)) if p.plane == "strain" else E / (1.0 - nu**2)
    x, y = scenario.grid.axes
    theory = StripTheory(
        y.cells, y.spacing, modulus, confined, bulk.toughness, p.length, p.dissipation, p.residual_stiffness,
        heals=p.irreversibility == "crack_set",
    )  # fmt: skip
    strain, stress = np.asarray(history["mean_strain_yy"]), np.asarray(history["mean_stress_yy"])
    bar = HomogeneousResponse(modulus, bulk.toughness, p.length, p.dissipation, p.residual_stiffness)
    whole = bar.stress(strain)
    # The share of columns that are whole tells how far the crack has come, whatever the body around it has dissipated.
    share = np.divide(stress, whole, out=np.ones_like(stress), where=whole > 0.0)
    start = float(np.max(share[1:], initial=0.0))
    inside = (share < 0.85 * start) & (share > max(0.4 * start, 1.2 * y.length / x.length))
    if not inside.any():
        return Check(
            name, NOT_APPLICABLE, detail="the crack did not run, or the strip is too short: 4 heights at least"
        )
    measured, expected = theory.driving(float(np.mean(strain[inside]))), theory.release
    error = abs(measured - expected) / expected
    detail = f"{int(inside.sum())} rows in which the crack runs, against what breaks a column of {y.cells} cells"
    return Check(name, status_of(error, tolerance), measured, expected, error, tolerance, detail)
