"""The J-integral against the Griffith curve of the same body, from contour to contour, and where nothing cracks."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.analysis.griffith import edge_crack, griffith_curve, sent_specimen
from phasefield.analysis.j_integral import j_integral, plateau
from phasefield.errors import InputError
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_split import BoundedBody
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid


def test_an_edge_crack_in_tension():
    """−Π₁′(a) of differences over two cells, within 1 %, and the same J on three contours within 0.3 %."""
    n = 96
    body = sent_specimen(n)
    grid, h = body.grid, 1.0 / n
    crack, a = edge_crack(grid), np.arange(n // 2 - 4, n // 2 + 5, 2) * h
    curve = griffith_curve(body, crack, a, 1.0, tolerance=1e-8)
    solution = body.solve(crack(a[2]), tolerance=1e-8)
    tip = [a[2], 0.5 + 0.5 * h]
    found = [j_integral(solution, plateau(grid, tip, r * h, (r + 8) * h))[0] for r in (8, 20, 36)]
    np.testing.assert_allclose(found, curve.release[2], rtol=0.01)
    np.testing.assert_allclose(found, found[1], rtol=0.003)


@pytest.mark.parametrize(("d", "split"), [(2, "spectral"), (3, "none")])
def test_nothing_flows_into_a_whole_body(d, split):
    """Without a crack J = 0, however the body is strained: all components, with an energy that is split too."""
    cells = (12, 10, 8)[:d]
    grid = Grid(tuple(Axis(a, n, 1.0, "no_flux") for a, n in zip("xyz", cells, strict=False)))
    faces = FaceConditions.of(dict.fromkeys("xyz"[:d], "clamped"), grid)
    body = BoundedBody(grid, make_split(split, 1.2, 0.8, d), faces)
    gradient = np.random.default_rng(1).uniform(-1.0, 1.0, (d, d))
    body.loads.prescribe(np.moveaxis(body.loads.points() @ gradient.T, -1, 0))
    solution = body.solve(np.ones(grid.shape), tolerance=1e-10)
    J = j_integral(solution, plateau(grid, [0.5] * d, 0.2, 0.5))
    assert np.abs(J).max() < 1e-9 * solution.energy
    body.close()


def test_a_jump_of_the_stiffness():
    """Strained alike along y, half of it three times as stiff: J = ∫ ∂W/∂x q dV, the jump of W times ∫ q dy along it."""
    n = 32
    grid = Grid((Axis("x", n, 1.0, "no_flux"), Axis("y", n, 1.0, "no_flux")))
    pulled = {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}
    faces = FaceConditions.of({"x": "sliding", "y": pulled}, grid)
    body = BoundedBody(grid, make_split("none", 0.0, 0.5, 2), faces)
    g = np.ones(grid.shape)
    g[:, n // 2 :] = 3.0
    q = plateau(grid, [0.5, 0.5], 0.25, 0.5)
    solution = body.solve(g, tolerance=1e-10)
    # ν = 0, E = 1.
    across = 0.5 * (3.0 - 1.0) * np.trapezoid(q[:, n // 2], dx=1.0 / n)
    assert j_integral(solution, q)[0] == pytest.approx(across, rel=1e-6)
    body.close()


def test_bad_input():
    grid = Grid((Axis("x", 8, 1.0, "no_flux"), Axis("y", 8, 1.0, "no_flux")))
    with pytest.raises(InputError, match="leaves the body along y"):
        plateau(grid, [0.5, 0.2], 0.1, 0.3)
    with pytest.raises(InputError, match="outer must be larger"):
        plateau(grid, [0.5, 0.5], 0.3, 0.3)
    with pytest.raises(InputError, match="2 coordinates"):
        plateau(grid, [0.5, 0.5, 0.5], 0.1, 0.3)
