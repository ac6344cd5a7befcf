"""What theory says of a body with inertia that will crack, before it is run."""

from __future__ import annotations

import math
from dataclasses import replace

from phasefield.analysis.crack_prediction import CrackPrediction, predict_bulk
from phasefield.analysis.wave_speeds import WaveSpeeds, wave_speeds
from phasefield.crack_dynamics import longest_step
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.scenario import LoadedScenario


def bulk_speeds(loaded: LoadedScenario) -> WaveSpeeds:
    """Wave speeds of the material outside all regions."""
    model = loaded.model
    assert isinstance(model, DynamicFracture)
    bulk = model.bulk(loaded.grid, loaded.folder)
    assert bulk.density is not None
    return wave_speeds(bulk.young_modulus, bulk.poisson_ratio, bulk.density, model.parameters.plane)


def predict_motion(loaded: LoadedScenario) -> CrackPrediction:
    """Everything `check` prints of a `dynamic_fracture` scenario; builds the body, but takes no step.

    Raises:
        InputError: the body, its faces, loads or initial cracks contradict each other, or the step is not stable.
    """
    model, end = loaded.model, float(loaded.settings.time.end)
    assert isinstance(model, DynamicFracture)
    body, loads, damage = model.built(loaded, threads=1)
    body.close()
    damage.close()
    step = longest_step(loaded, body)
    prediction, _ = predict_bulk(loaded, damage.cracks, math.ceil(end / step - 1e-9))
    speeds = bulk_speeds(loaded)
    longest = max(axis.length for axis in loaded.grid.axes)
    share = step / body.critical_step
    rows = (
        ("dilatational waves", f"{speeds.dilatational:.6g}, across the body in {longest / speeds.dilatational:.4g}"),
        ("shear waves", f"{speeds.shear:.6g}"),
        (
            "Rayleigh waves",
            f"{speeds.rayleigh:.6g}: no crack that opens is faster, and few exceed {0.6 * speeds.rayleigh:.4g}",
        ),
        ("step", f"{step:.4g}, {share:.3g} of the longest that is stable whatever cracks"),
    )
    warnings = list(prediction.warnings)
    if not loads.given and model.thermal_strain(loaded) is None:
        warnings.append("nothing happens to the body: no load, initial velocity or temperature is given")
    return replace(prediction, warnings=tuple(warnings), more=rows)
