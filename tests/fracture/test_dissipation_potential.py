"""The potential of dissipation control: plain passes lower it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from phasefield.models.fracture import Fracture
from phasefield.scenario import load_scenario
from phasefield.stepping.acceleration import Plain
from phasefield.stepping.alternate import Alternation, CrackProblem, GivenDissipation

SCENARIO = Path(__file__).parents[2] / "scenarios/fracture_sens.yaml"
SIZE = {"grid.x.cells": 32, "grid.y.cells": 32, "model.length": 0.0625}


@pytest.mark.parametrize("split", ["none", "spectral"])
def test_plain_passes_lower_the_energy_at_unit_load(split):
    loaded = load_scenario(SCENARIO, {**SIZE, "model.split": split})
    assert isinstance(loaded.model, Fracture)
    problem = CrackProblem(*loaded.model.build(loaded.grid, loaded.folder))
    phi = np.zeros(loaded.grid.shape)
    control = GivenDissipation(problem, phi, 2e-4, 2e-4, 0.0, 1e-4, variational=True)
    seen: list[float] = []
    own = control.potential

    def potential(response, dissipation):
        seen.append(own(response, dissipation) if seen or control.load else np.inf)
        return seen[-1] if np.isfinite(seen[-1]) else None

    control.potential = potential  # type: ignore[method-assign]
    found = Alternation(tolerance=1e-4).run(problem, control, Plain(), phi, phi, None)
    problem.body.close()
    problem.damage.close()
    values = np.array(seen[1:])
    assert found.passes == len(seen) > 5
    assert np.all(np.diff(values) < 1e-6 * values[0])
    assert values[-1] < 0.99 * values[0]
    assert values[-1] == pytest.approx(found.response.energy, rel=1e-3)
    assert problem.cracks.energy(found.phi) == pytest.approx(2e-4, rel=1e-3)
