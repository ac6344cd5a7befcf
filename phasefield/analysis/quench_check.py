"""The row of cracks that a quenched face sends in, against the wavelength with which its damage first becomes unstable."""

from __future__ import annotations

import math
from typing import Any

from phasefield.analysis.crack_row import crack_spacing
from phasefield.analysis.thermal_shock import first_cracks
from phasefield.analysis.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from phasefield.errors import InputError
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

NAME = "spacing of cracks"


def quench_check(run: Run, scenario: LoadedScenario, wanted: Any) -> Check:
    """Mean spacing at a depth in the last frame, against `first_cracks`."""
    model = scenario.model
    assert isinstance(model, DynamicFracture)
    p, bulk = model.parameters, model.bulk(scenario.grid, scenario.folder)
    thermal = p.thermal
    cooled = [] if thermal is None else [c for c in thermal.cooled if c.face == wanted.face]
    if thermal is None or len(cooled) != 1 or cooled[0].transfer is not None:
        return Check(NAME, FAIL, detail=f"{wanted.face} is not cooled at once to another temperature (model.thermal)")
    if p.dissipation != "AT1" or p.plane != "stress" or model.split_name[0] != "none":
        return Check(NAME, NOT_APPLICABLE, detail="the theory is for AT1 in plane stress without a split")
    if "phi" not in run.names:
        return Check(NAME, NOT_APPLICABLE, detail="phi was not written")
    critical = math.sqrt(3.0 * bulk.toughness / (8.0 * bulk.young_modulus * p.length)) / abs(thermal.expansion)
    ratio = abs(cooled[0].temperature) / critical
    try:
        theory = first_cracks(ratio, bulk.poisson_ratio)
        phi = run.frame("phi", run.times.size - 1).astype(float)
        row = crack_spacing(phi, scenario.grid, wanted.face, wanted.depth)
    except InputError as error:
        return Check(NAME, FAIL, detail=str(error))
    expected = theory.wavelength * p.length
    if row.number < 2:
        return Check(NAME, FAIL, expected=expected, detail=f"{row.number} cracks reach a depth of {wanted.depth:g}")
    error = abs(row.spacing - expected) / expected
    detail = f"{row.number} cracks deeper than {wanted.depth:g}, ΔT = {ratio:.4g} ΔT_c"
    status = PASS if error <= wanted.tolerance else FAIL
    return Check(NAME, status, row.spacing, expected, error, wanted.tolerance, detail)
