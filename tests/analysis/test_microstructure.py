"""Variants, fractions, wall orientation, spacing and width on microstructures made to measure, and in a quench."""

from __future__ import annotations

import math

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.microstructure import (
    mean_transformation_strain,
    relative_mean_strain,
    variant_fractions,
    variant_map,
    wall_normals,
    wall_orientation,
    walls,
)
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.twins import twins
from phasefield.analysis.verify import FAIL, NOT_APPLICABLE, PASS
from phasefield.errors import InputError
from phasefield.scenario import load_scenario
from phasefield.spectral.grid import Axis, Grid

SQUARE = np.array([np.diag([1.0, -1.0, 0.0]), np.diag([-1.0, 1.0, 0.0])])
TETRAGONAL = np.array([np.diag(np.roll([2.0, -1.0, -1.0], i)) for i in range(3)])
GRID = Grid((Axis("x", 128, 128.0), Axis("y", 96, 96.0)))


def laminate(grid, waves, delta=2.0):
    """Twins u = ±1 with walls tanh(s/δ), `waves` periods along each axis of the box; their width."""
    coordinates = [grid.coordinates()[a.name] for a in grid.axes]
    k = np.array([2 * np.pi * m / a.length for m, a in zip(waves, grid.axes, strict=True)])
    period = 2 * np.pi / np.linalg.norm(k)
    s = sum(ki * x for ki, x in zip(k, coordinates, strict=True)) / np.linalg.norm(k) + np.zeros(grid.shape)
    s = s % period
    u = np.tanh(s / delta) - np.tanh((s - period / 2) / delta) + np.tanh((s - period) / delta)
    return u, period / 2


def variants(u):
    """Two order parameters that add up to 1."""
    return np.stack([0.5 * (1 + u), 0.5 * (1 - u)])


def test_map_and_fractions():
    eta = np.array([[[0.9, 0.45, -0.9, 0.6]], [[0.2, 0.4, 0.1, 0.7]]])
    assert variant_map(eta, 1.0).tolist() == [[1, 0, 0, 2]]
    assert variant_map(eta, 1.0, signed=True).tolist() == [[1, 0, 3, 2]]
    np.testing.assert_allclose(variant_fractions(eta, 1.0), [0.25, 0.25])
    np.testing.assert_allclose(variant_fractions(eta, 1.0, signed=True), [0.25, 0.25, 0.25, 0.0])
    # Half of the well, whatever that is.
    assert variant_map(eta, 2.0).tolist() == [[0, 0, 0, 0]]
    assert variant_map(3.0 * eta, 3.0).tolist() == [[1, 0, 0, 2]]
    one = np.array([[0.6, -0.6, 0.4, -0.4]])
    assert variant_map(one, 1.0, signed=True).tolist() == [1, 2, 0, 0]


def test_mean_strain():
    eta = np.zeros((2, 8, 8))
    eta[0], eta[1, :2] = 0.5, 1.0
    np.testing.assert_allclose(mean_transformation_strain(eta, SQUARE), np.diag([0.25, -0.25, 0.0]))
    assert relative_mean_strain(eta, SQUARE, 1.0) == pytest.approx(0.25)
    assert relative_mean_strain(2.0 * eta, SQUARE, 2.0) == pytest.approx(0.25)


def test_wall_normals():
    r = math.sqrt(0.5)
    assert np.abs(wall_normals(SQUARE, 2)) == pytest.approx(np.array([[r, r, 0.0]] * 2), abs=1e-12)
    assert len(wall_normals(SQUARE[:1], 2, signed=True)) == 2
    # {110}: six planes in space; of those only the two of the first pair stand on the plane of a 2-D grid.
    assert len(wall_normals(TETRAGONAL, 3)) == 6
    assert len(wall_normals(TETRAGONAL, 2)) == 2
    with pytest.raises(InputError, match="no two variants"):
        wall_normals(TETRAGONAL[:1], 3, signed=True)


@pytest.mark.parametrize("waves", [(4, 3), (4, -3)])
def test_laminate_along_its_normal(waves):
    """Walls along ⟨11⟩ that coincide with rows of cells."""
    u, spacing = laminate(GRID, waves, 1.6)
    normals = wall_normals(SQUARE, 2)
    for eta, signed in ((variants(u), False), (u[None], True), (2.5 * u[None], True)):
        well = 2.5 if eta.max() > 2.0 else 1.0
        found = walls(eta, GRID, well, signed)
        assert found.area == pytest.approx(1.0 / spacing, rel=1e-3)
        # Cells in the middle of a wall belong to neither variant.
        assert found.spacing == pytest.approx(spacing, rel=0.02)
        assert found.width == pytest.approx(3.2 * math.atanh(0.8), rel=0.01)
        where = wall_orientation(eta, GRID, normals)
        assert where.share == pytest.approx(1.0, abs=1e-12)
        assert where.direction == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("delta", "rel"), [(1.0, 0.025), (1.5, 5e-3), (2.0, 1e-3)])
def test_width_of_resolved_walls(delta, rel):
    """Two cells across a wall: 2 %; three: 0.5 %; more: 0.1 %."""
    # The next wall is far against δ.
    for waves in ((3, 0), (2, 1), (0, 2)):
        u, _ = laminate(GRID, waves, delta)
        assert walls(variants(u), GRID, 1.0).width == pytest.approx(2 * delta * math.atanh(0.8), rel=rel)


def test_direction_is_signed():
    """A laminate a few degrees off ⟨11⟩, one way and the other."""
    normals = wall_normals(SQUARE, 2)
    grid = Grid((Axis("x", 128, 128.0), Axis("y", 128, 128.0)))
    for waves in ((5, 6), (6, 5), (-6, 5), (7, 5)):
        where = wall_orientation(variants(laminate(grid, waves)[0]), grid, normals)
        expected = math.degrees(math.atan2(waves[1], waves[0])) % 90.0 - 45.0
        assert where.direction == pytest.approx(expected, abs=0.01)
        assert where.share == pytest.approx(1.0, abs=1e-6)
    far = wall_orientation(variants(laminate(grid, (6, 1))[0]), grid, normals)
    assert far.share == pytest.approx(0.0, abs=1e-6)
    # White noise fills the square of all k: 1 − tan 30° of it lies within 15° of the diagonals.
    noise = np.random.default_rng(1).normal(size=(2, 128, 128))
    assert wall_orientation(noise, grid, normals).share == pytest.approx(1 - math.tan(math.pi / 6), abs=0.02)
    nothing = wall_orientation(np.zeros((2, 128, 128)), grid, normals)
    assert math.isnan(nothing.share)


def test_three_dimensions():
    grid = Grid((Axis("x", 32, 32.0), Axis("y", 32, 32.0), Axis("z", 24, 24.0)))
    normals = wall_normals(TETRAGONAL, 3)
    u, spacing = laminate(grid, (2, 2, 0), 1.5)
    eta = np.concatenate([variants(u), np.zeros((1, *u.shape))])
    where = wall_orientation(eta, grid, normals)
    assert where.share == pytest.approx(1.0)
    assert where.direction == pytest.approx(0.0, abs=1e-6)
    found = walls(eta, grid, 1.0)
    assert found.spacing == pytest.approx(spacing, rel=0.01)
    assert found.width == pytest.approx(3.0 * math.atanh(0.8), rel=0.01)
    tilted = wall_orientation(
        np.stack([laminate(grid, (2, 2, 0))[0] * 0, *variants(laminate(grid, (3, 2, 0))[0])]), grid, normals
    )
    assert tilted.direction == pytest.approx(45.0 - math.degrees(math.atan2(2, 3)), abs=0.05)


def test_austenite_has_no_walls():
    found = walls(np.zeros((2, 96, 128)), GRID, 1.0)
    assert found.area == 0.0
    assert math.isnan(found.spacing)
    assert math.isnan(found.width)
    # Noise inside domains is no wall either.
    noise = 1.0 + 1e-3 * np.random.default_rng(0).normal(size=(1, 96, 128))
    assert walls(noise, GRID, 1.0).area < 1e-4


# in a run

QUENCH = {
    "model": {
        "name": "martensite",
        "gradient_energy": 4.0,
        "landau": {"name": "landau_234", "A": -0.5},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": math.sqrt(10.0)},
    },
    "grid": {a: {"cells": 96, "length": 96.0} for a in "xy"},
    "initial": {f"eta_{p}": {"mean": 0.0, "noise": 0.1} for p in (1, 2)},
    "time": {"end": 40.0, "scheme": "imex1", "step": 0.1},
    "stabilisation": 12.1,
    "seed": 1,
    "output": {"fields": {"at": [2.0]}, "history": {"every": 2.0}},
    "verify": {"twins": {}, "linear_stability": False},
}


@pytest.fixture(scope="module")
def quench(tmp_path_factory):
    return pf.run(QUENCH, output=tmp_path_factory.mktemp("quench") / "run")


def test_quench_ends_in_twins(quench):
    verdict = pf.verify(quench)
    checks = {c.name: c for c in verdict.checks}
    assert verdict.passed, str(verdict)
    assert verdict.compared_with_theory
    for name in ("wall orientation", "wall direction", "variant fractions", "mean transformation strain"):
        assert checks[name].status == PASS
    found = twins(quench, load_scenario(quench.scenario))
    assert found.clamped
    assert found.transformed > 0.9
    # 2 δ artanh 0.8 with δ = 2 √(κ/C), C = 11.
    assert found.walls.width == pytest.approx(4 * math.sqrt(4 / 11) * math.atanh(0.8), rel=0.02)


def test_twins_are_judged_by_the_tolerances(quench):
    """Walls on ⟨10⟩ would fail: turn the crystal in theory."""
    turned = pf.verify(quench, {"model.stiffness.orientation": [45.0, 0.0, 0.0]})
    checks = {c.name: c for c in turned.checks}
    assert checks["wall orientation"].status == FAIL
    strict = pf.verify(quench, {"verify.twins.mean_strain": 1e-12})
    assert {c.name: c for c in strict.checks}["mean transformation strain"].status == FAIL


def test_filtered_noise_is_no_twin(quench):
    """Long before the transformation almost all of the structure factor lies where twins have it: no verdict then."""
    scenario = load_scenario(quench.scenario)
    index = list(quench.times).index(2.0)
    eta = np.stack([quench.frame(n, index) for n in scenario.model.fields]).astype(float)
    difference = (eta[:1] - eta[1:]) / 2
    assert wall_orientation(difference, scenario.grid, wall_normals(SQUARE, 2)).share > 0.95
    with pytest.raises(NotApplicable, match="has transformed"):
        twins(quench, scenario, index)


def test_free_cells_need_not_balance(tmp_path):
    data = {**QUENCH, "model": {**QUENCH["model"], "load": "stress"}}
    checks = {c.name: c for c in pf.verify(pf.run(data, output=tmp_path / "run")).checks}
    assert checks["wall orientation"].status in (PASS, FAIL)
    assert checks["variant fractions"].status == NOT_APPLICABLE
    assert "clamped" in checks["variant fractions"].detail


def test_other_models_have_no_variants(tmp_path):
    data = {"model": {"name": "allen_cahn"}, "grid": {"x": {"cells": 16, "length": 16.0}}, "initial": {"phi": 0.1}}
    data |= {"time": {"end": 0.2, "step": 0.1}, "verify": {"twins": {"share": 0.9}}}
    checks = {c.name: c for c in pf.verify(pf.run(data, output=tmp_path / "run")).checks}
    assert checks["twins"].status == NOT_APPLICABLE
