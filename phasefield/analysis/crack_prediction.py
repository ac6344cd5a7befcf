"""What theory says of a body that will crack, before it is run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from phasefield.analysis.homogeneous_damage import damage_stability
from phasefield.analysis.modes import NotApplicable
from phasefield.energy.fracture import CrackEnergy, HomogeneousResponse, check_resolution
from phasefield.errors import InputError
from phasefield.models.cracked import Cracked
from phasefield.models.fracture import Fracture
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import initial_fields
from phasefield.scenario.schema import StepSection


@dataclass(frozen=True)
class CrackPrediction:
    """Strength and resolution of the bulk material, and cost.

    more: rows about fluctuations of homogeneous damage, where it has a viscosity, or about waves, where the body has inertia.
    strength, critical_strain: largest stress of a bar that is damaged everywhere alike, and its strain; irwin_length: E′Gc/σ_c²;
    cells_per_length: ℓ over the widest cell; numerical_toughness: energy of a crack along the grid over Gc.
    """

    strength: float
    critical_strain: float
    irwin_length: float
    cells_per_length: float
    numerical_toughness: float
    initial_crack: float
    memory_bytes: int
    steps: int | None
    frames: int | None
    warnings: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """As `check` prints it."""
        return [
            ("strength", f"{self.strength:.6g} of a bar under tension, at a strain of {self.critical_strain:.4g}"),
            ("Irwin length", f"{self.irwin_length:.4g}: shorter cracks do not weaken the body much"),
            ("length ℓ", f"{self.cells_per_length:.3g} cells"),
            ("numerical Gc", f"{self.numerical_toughness:.5g} Gc, of a crack along the grid"),
            ("initial cracks", f"{self.initial_crack:.4g}"),
            *self.more,
        ]


def predict_cracks(loaded: LoadedScenario) -> CrackPrediction:
    """Everything `check` prints of a fracture scenario; builds the body, but solves nothing.

    Raises:
        InputError: the body, its faces, supports or initial cracks contradict each other.
    """
    model = loaded.model
    assert isinstance(model, Fracture)
    body, damage = model.built(loaded, threads=1)
    body.close()
    damage.close()
    step = loaded.settings.time.step
    steps = None if isinstance(step, StepSection) else math.ceil(loaded.settings.time.end / float(step) - 1e-9)
    prediction, initial = predict_bulk(loaded, damage.cracks, steps)
    warnings = list(prediction.warnings)
    if not (body.displaced or body.forced):
        warnings.append("the load has nothing to multiply: no displacement, force, mean strain or mean stress is given")
    notched = initial.any() or damage.cracks.solid is not None
    if not notched and model.load.any_dissipation and model.parameters.dissipation == "AT1":
        warnings.append(
            "dissipation control of a body without a crack: it breaks where the stress is largest, all at once"
        )
    growth = growth_rows(loaded) if model.damage_viscosity is not None and np.ptp(initial) < 0.5 else ()
    return replace(prediction, warnings=tuple(warnings), more=growth)


def predict_bulk(loaded: LoadedScenario, cracks: CrackEnergy, steps: int | None) -> tuple[CrackPrediction, np.ndarray]:
    """What does not depend on how the body is loaded, and the initial φ.

    Raises:
        InputError: an initial φ that is no damage.
    """
    model, settings = loaded.model, loaded.settings
    assert isinstance(model, Cracked)
    p = model.parameters
    initial = initial_fields(loaded)["phi"]
    try:
        model.check_damage(initial)
    except InputError as error:
        raise loaded.located(error) from None
    bulk = model.bulk(loaded.grid, loaded.folder)
    E, Gc = bulk.young_modulus, bulk.toughness
    bar = HomogeneousResponse(E, Gc, p.length, p.dissipation)
    plane = E / (1.0 - bulk.poisson_ratio**2) if p.plane == "strain" else E
    every, at = settings.output.fields.every, settings.output.fields.at or []
    frames = len({0.0, *map(float, at), float(settings.time.end)})
    if every is not None:
        frames = 1 + math.ceil(settings.time.end / every - 1e-9)
    cells = p.length / max(loaded.grid.spacing)
    warnings = []
    if coarse := check_resolution(loaded.grid, p.length):
        warnings.append(coarse)
    if p.length > max(axis.length for axis in loaded.grid.axes):
        warnings.append(f"ℓ = {p.length:g} is longer than the body: no crack fits into it")
    prediction = CrackPrediction(
        bar.strength,
        bar.critical_strain,
        plane * Gc / bar.strength**2,
        cells,
        cracks.numerical_toughness,
        float((initial >= 1.0).sum()) * loaded.grid.cell_volume / min(loaded.grid.spacing),
        model.memory_bytes(loaded.grid),
        steps,
        frames,
        tuple(warnings),
    )
    return prediction, initial


def growth_rows(loaded: LoadedScenario) -> tuple[tuple[str, str], ...]:
    """Equilibrium under the load at the start, and the growth of fluctuations about it; why there is none."""
    try:
        state = damage_stability(loaded)
    except NotApplicable as reason:
        return (("homogeneous damage", f"none to compare with: {reason}"),)
    rows = [("equilibrium damage", f"φ = {state.damage:.9g} everywhere, under the load at the start")]
    rate = state.largest_growth_rate
    if not state.unstable:
        return (*rows, ("linear stability", f"stable: largest growth rate {rate:.4g}"))
    place = ", ".join(f"{0.0 if abs(x) < 1e-9 else x:.4g}" for x in state.fastest_direction)
    return (
        *rows,
        ("growth rate", f"{rate:.6g} of long waves along n = ({place})"),
        ("growth time", f"{1.0 / rate:.6g}"),
        ("cut-off wavelength", f"{state.cutoff_wavelength:.6g}"),
    )
