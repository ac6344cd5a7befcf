"""Notched bodies in shear and in bending: published forces, stiffness of the assembled matrices, ways of the cracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import phasefield as pf
from phasefield.models.fracture import Fracture
from phasefield.scenario import load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def stiffness(name: str, overrides: dict) -> float:
    """Force per displacement without damage."""
    loaded = load_scenario(SCENARIOS / f"{name}.yaml", overrides)
    assert isinstance(loaded.model, Fracture)
    body, damage = loaded.model.build(loaded.grid, loaded.folder)
    response = body.respond(np.ones(loaded.grid.shape), 1.0, None, 1e-8)
    body.close()
    damage.close()
    assert response.force == pytest.approx(2.0 * response.energy, rel=1e-5)
    return response.force


def test_beam_held_at_nodes_has_the_stiffness_of_assembled_matrices():
    """0.7572433 kN/mm: tests/mechanics/test_bounded_closed_forms.py, the same beam held at three nodes."""
    nodes = [
        {"from": [0.0, 0.0], "to": [0.0, 0.0], "displacement": {"x": 0.0, "y": 0.0}},
        {"from": [8.0, 0.0], "to": [8.0, 0.0], "displacement": {"y": 0.0}},
        {"from": [4.0, 2.0], "to": [4.0, 2.0], "displacement": {"y": -1.0}},
    ]
    size = {
        "grid.x.cells": 160,
        "grid.y.cells": 40,
        "model.length": 0.2,
        "model.supports": nodes,
        "model.split": "none",
    }
    assert stiffness("fracture_three_point", size) == pytest.approx(0.7572433, rel=1e-5)


def test_a_crack_carries_shear_and_a_slit_does_not():
    """Notch of φ = 1, spectral split: stiffer by a fifth, as what is pressed keeps its stiffness."""
    size = {"grid.x.cells": 66, "grid.y.cells": 66, "model.length": 0.04}
    loaded = load_scenario(SCENARIOS / "fracture_sens.yaml", {**size, "model.regions": []})
    empty = stiffness("fracture_sens", size)
    assert isinstance(loaded.model, Fracture)
    body, damage = loaded.model.build(loaded.grid, loaded.folder)
    notch = np.zeros(loaded.grid.shape)
    notch[33, :33] = 1.0
    phi = damage.solve(notch, notch, np.zeros_like(notch), 1e-8).phi
    crack = body.respond(damage.degradation.value(phi), 1.0, None, 1e-8).force
    body.close()
    damage.close()
    assert 1.1 < crack / empty < 1.3


def peak(run: pf.Run) -> tuple[float, float]:
    u, force = (np.asarray(run.history[name], float) for name in ("load", "force"))
    return float(u[np.argmax(force)]), float(force.max())


@pytest.mark.slow
def test_shear_has_the_published_force_and_bends_the_crack(tmp_path):
    """C. Miehe, M. Hofacker, F. Welschinger (2010), doi:10.1016/j.cma.2010.04.011: 0.531 kN at 9.4 µm."""
    run = pf.run(SCENARIOS / "fracture_sens.yaml", output=tmp_path / "run")
    u, force = peak(run)
    assert force == pytest.approx(0.531, rel=0.15)
    assert u == pytest.approx(9.4e-3, rel=0.15)
    phi = run.frame("phi", run.times.size - 1)
    rows, columns = np.nonzero(phi > 0.9)
    # Downwards alone, and steeper than to the right.
    assert rows.max() <= phi.shape[0] // 2
    assert rows.max() - rows.min() > 1.2 * (columns.max() - columns.min())
    assert np.max(np.abs(run.history["released"].values)) < 0.01 * run.history["work"].values[-1]


@pytest.mark.slow
def test_bending_has_the_published_force(tmp_path):
    """C. Miehe, M. Hofacker, F. Welschinger (2010), doi:10.1016/j.cma.2010.04.011: 0.03475 kN at 0.0390 mm."""
    run = pf.run(SCENARIOS / "fracture_three_point.yaml", output=tmp_path / "run")
    u, force = peak(run)
    assert force == pytest.approx(0.03475, rel=0.15)
    assert u == pytest.approx(0.0390, rel=0.15)
    assert np.max(np.abs(run.history["released"].values)) < 0.01 * run.history["work"].values[-1]
