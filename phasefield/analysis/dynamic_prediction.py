"""What theory says of a body with inertia that will crack, before it is run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from phasefield.analysis.crack_prediction import CrackPrediction, predict_bulk
from phasefield.analysis.wave_speeds import WaveSpeeds, wave_speeds
from phasefield.crack_dynamics import longest_step
from phasefield.mechanics.dynamic_load_sections import SAME_TIME
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.scenario import LoadedScenario
from phasefield.scenario.schema import HISTORY_ROWS
from phasefield.spectral.grid import AXIS_NAMES

# Of the layer from which heat has flowed, at the end of a run.
COOLED_CELLS = 4.0


def bulk_speeds(loaded: LoadedScenario) -> WaveSpeeds:
    """Wave speeds of the material outside all regions."""
    model = loaded.model
    assert isinstance(model, DynamicFracture)
    bulk = model.bulk(loaded.grid, loaded.folder)
    assert bulk.density is not None
    return wave_speeds(bulk.young_modulus, bulk.poisson_ratio, bulk.density, model.parameters.plane)


def step_sizes(loaded: LoadedScenario, corners: Iterable[float], longest: float) -> list[tuple[int, float]]:
    """How many equal steps of what length a run takes between the times of its frames, rows and corners of loads."""
    output, end = loaded.settings.output, float(loaded.settings.time.end)
    stops = np.asarray([*corners, *(output.fields.at or []), end], float)
    for every in (output.fields.every, output.history.every or end / HISTORY_ROWS):
        if every is not None:
            stops = np.append(stops, every * np.arange(1, math.floor(end / every) + 1))
    stops = np.unique(stops[(stops > 0.0) & (stops <= end)])
    lengths = np.diff(stops, prepend=0.0)
    # Times that differ by rounding are one.
    lengths = lengths[lengths > SAME_TIME * end]
    counts = np.maximum(1, np.ceil(lengths / longest * (1.0 - SAME_TIME)))
    return [(int(n), float(length / n)) for n, length in zip(counts, lengths, strict=True)]


def predict_motion(loaded: LoadedScenario) -> CrackPrediction:
    """Everything `check` prints of a `dynamic_fracture` scenario; builds the body, but takes no step.

    Raises:
        InputError: the body, its faces, loads or initial cracks contradict each other, or the step is not stable.
    """
    model = loaded.model
    assert isinstance(model, DynamicFracture)
    body, loads, damage = model.built(loaded, threads=1)
    body.close()
    damage.close()
    step = longest_step(loaded, body)
    sizes = step_sizes(loaded, loads.corners, step)
    prediction, _ = predict_bulk(loaded, damage.cracks, sum(count for count, _ in sizes))
    speeds = bulk_speeds(loaded)
    longest = max(axis.length for axis in loaded.grid.axes)
    shortest, longest_used = min(size for _, size in sizes), max(size for _, size in sizes)
    share = longest_used / body.critical_step
    between = "" if shortest > 0.999 * longest_used else f"{shortest:.4g} to "
    text = f"{between}{longest_used:.4g}, {share:.3g} of the longest that is stable whatever cracks"
    rows = (
        ("dilatational waves", f"{speeds.dilatational:.6g}, across the body in {longest / speeds.dilatational:.4g}"),
        ("shear waves", f"{speeds.shear:.6g}"),
        (
            "Rayleigh waves",
            f"{speeds.rayleigh:.6g}: no crack that opens is faster, and few exceed {0.6 * speeds.rayleigh:.4g}",
        ),
        ("step", text),
    )
    warnings = list(prediction.warnings)
    if not loads.given and model.thermal_strain(loaded) is None:
        warnings.append("nothing happens to the body: no load, initial velocity or temperature is given")
    thermal = model.parameters.thermal
    diffusivity = (thermal and thermal.diffusivity) or 0.0
    depth = 2.0 * math.sqrt(diffusivity * float(loaded.settings.time.end))
    for cooled in thermal.cooled if thermal is not None else ():
        spacing = loaded.grid.axes[AXIS_NAMES.index(cooled.face[0])].spacing
        if depth < COOLED_CELLS * spacing:
            text = f"heat has come 2√(Dt) = {depth:.3g} from {cooled.face} at the end, {depth / spacing:.2g} cells"
            warnings.append(f"{text}: too few for its strains, better {COOLED_CELLS:g}")
    return replace(prediction, warnings=tuple(warnings), more=rows)
