"""Elasticity between faces: the hole of Kirsch, bending on three points, and iterations under refinement."""

from __future__ import annotations

import numpy as np
import pytest
from bounded_reference import assemble, solve
from test_bounded_elasticity import TENSION, damaged, slit, specimen

from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_solution import BoundedSolution
from phasefield.spectral.grid import Axis, Grid

# --- hole -------------------------------------------------------------------------------------------------------------


def kirsch(cells: int, radius: float = 0.2) -> float:
    """Mean |error| of stress, relative, of a square of side 1 with a hole, pulled along x as a part of an infinite plate.

    The displacements of Kirsch's solution are given at all nodes of the outline. G. Kirsch, Z. Ver. Dtsch. Ing. 42 (1898) 797.
    """
    lame, shear, kappa = 0.3 / (1.3 * 0.4), 0.5 / 1.3, 3.0 - 4.0 * 0.3
    grid = Grid((Axis("x", cells, 1.0), Axis("y", cells, 1.0)))
    nodes = np.linspace(-0.5, 0.5, cells + 1)
    X, Y = np.meshgrid(nodes, nodes)
    q, t = radius / np.maximum(np.hypot(X, Y), 0.5 * radius), np.arctan2(Y, X)
    u = np.array(
        [
            (kappa + 1) / q * np.cos(t) + 2 * q * ((1 + kappa) * np.cos(t) + np.cos(3 * t)) - 2 * q**3 * np.cos(3 * t),
            (kappa - 3) / q * np.sin(t) + 2 * q * ((1 - kappa) * np.sin(t) + np.sin(3 * t)) - 2 * q**3 * np.sin(3 * t),
        ]
    )
    u *= radius / (8.0 * shear)
    outline = np.zeros(u.shape, bool)
    outline[:, [0, -1]] = outline[:, :, [0, -1]] = True
    faces = FaceConditions.of({}, grid)
    body = BoundedElasticity(grid, (lame, shear), faces, held=outline, held_values=u)

    middle = 0.5 * (nodes[1:] + nodes[:-1])
    X, Y = np.meshgrid(middle, middle)
    r, t = np.hypot(X, Y), np.arctan2(Y, X)
    q, solid = radius / r, r > radius
    radial = 0.5 * (1 - q**2) + 0.5 * (1 - 4 * q**2 + 3 * q**4) * np.cos(2 * t)
    hoop = 0.5 * (1 + q**2) - 0.5 * (1 + 3 * q**4) * np.cos(2 * t)
    sliding = -0.5 * (1 + 2 * q**2 - 3 * q**4) * np.sin(2 * t)
    c, s = np.cos(t), np.sin(t)
    xx = radial * c**2 + hoop * s**2 - 2.0 * sliding * c * s
    yy = radial * s**2 + hoop * c**2 + 2.0 * sliding * c * s
    xy = (radial - hoop) * c * s + sliding * (c**2 - s**2)
    exact = np.where(solid, np.array([xx, yy, np.sqrt(2.0) * xy]), 0.0)
    found = body.solve(solid.astype(float), tolerance=1e-8)
    return float(np.abs(found.stress - exact).sum() / np.abs(exact).sum())


def test_stress_around_a_hole_converges_with_h():
    """Slope 1, about 1.7 h: 5.1, 2.8, 1.3, 0.5 % on 32 to 256 cells of 1/32 to 1/256."""
    cells = np.array([32, 64, 128, 256])
    errors = np.array([kirsch(n) for n in cells])
    assert np.all(errors * cells < 1.9)
    assert np.polyfit(np.log(cells), np.log(errors), 1)[0] < -0.95


# --- bending on three points ------------------------------------------------------------------------------------------

BEAM = (12.0, 8.0)  # λ and μ in kN/mm², E = 20.8, ν = 0.3


def bending(grid: Grid) -> tuple[BoundedElasticity, np.ndarray, np.ndarray]:
    """Supports at the two corners below, a displacement of −1 in the middle of the top: three nodes."""
    n1, nx = grid.shape
    held, values = np.zeros((2, n1 + 1, nx + 1), bool), np.zeros((2, n1 + 1, nx + 1))
    held[1, 0, [0, -1]] = held[0, 0, 0] = held[1, -1, nx // 2] = True
    values[1, -1, nx // 2] = -1.0
    body = BoundedElasticity(grid, BEAM, FaceConditions.of({}, grid), held=held, held_values=values)
    return body, held, values


def test_a_notched_beam_on_three_points_agrees_with_assembled_matrices():
    """8 × 2 mm, a notch 0.2 mm wide and 0.4 mm deep from below: stiffness in kN/mm, which falls with h as nodes are points."""
    grid = Grid((Axis("x", 160, 8.0), Axis("y", 40, 2.0)))
    body, held, values = bending(grid)
    factor = np.ones(grid.shape)
    factor[:8, 78:82] = 0.0
    found = body.solve(factor)
    # The notch has nodes without stiffness; 1e-13 leaves the assembled matrix regular.
    u, forces = solve(grid, *BEAM, np.maximum(factor, 1e-13), body.faces, held, values)
    load = -forces[1, -1, 80]
    assert load == pytest.approx(0.7572433, rel=1e-6)
    assert -found.nodal_forces[1, -1, 80] == pytest.approx(load, rel=1e-6)
    assert 2.0 * found.energy == pytest.approx(load, rel=1e-9)
    assert found.nodal_forces[1, 0, [0, -1]] == pytest.approx(0.5 * load, rel=1e-4)
    inner = slice(10, None)
    assert np.abs(found.displacement - u)[:, inner].max() < 1e-5
    assert found.iterations <= 45
    # The assembled energy of our displacement is no higher than that of any other field: a check independent of forces.
    K = assemble(grid, *BEAM, factor)
    assert found.displacement.ravel() @ (K @ found.displacement.ravel()) == pytest.approx(load, rel=1e-9)


def deflection(body: BoundedElasticity, found: BoundedSolution) -> float:
    """E′/P times the deflection of the mid-plane between its ends, under the load."""
    lame, shear = BEAM
    rows, columns = body.grid.shape
    middle = found.displacement[1, rows // 2]
    load = 2.0 * found.energy
    modulus = 4.0 * shear * (lame + shear) / (lame + 2.0 * shear)
    return float(0.5 * (middle[0] + middle[-1]) - middle[columns // 2]) * modulus / load


def test_a_slender_beam_on_three_points_bends_as_theory_says():
    """E′δ/P = ¼ (L/H)³ + ¼ c₁ L/H + c₀ with c₁ = 2.4 + 1.5 ν′, ν′ = ν/(1 − ν): shear, and the curvature missing under the load.

    c₁ is that of S. P. Timoshenko, J. N. Goodier, Theory of Elasticity, art. 40 (after von Kármán and Seewald), exact for a load
    on a line; Timoshenko's beam alone has 2.4 (1 + ν′) = 3.43, for a load without that. c₀ is indentation above and at the
    supports, which grows with refinement above and below the mid-plane but not on it. Three spans separate the three; errors
    fall with h², and extrapolation leaves 1e-3 for the remainder, which decays within a height from load and supports.
    """
    spans, fits = np.array([4.0, 8.0, 12.0]), []
    for cells in (8, 16):
        values = []
        for span in spans:
            columns = int(span) * cells
            body, _, _ = bending(Grid((Axis("x", columns, 2.0 * span), Axis("y", cells, 2.0))))
            values.append(deflection(body, body.solve(1.0, tolerance=1e-8)))
        fits.append(np.linalg.solve(np.stack([0.25 * spans**3, 0.25 * spans, np.ones(3)], axis=1), values))
    cubic, linear, local = (4.0 * fits[1] - fits[0]) / 3.0
    assert cubic == pytest.approx(1.0, abs=1e-4)
    assert linear == pytest.approx(2.4 + 1.5 * 0.3 / 0.7, rel=2e-3)
    assert -1.0 < local < 0.0


# --- iterations -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_iterations_grow_with_the_root_of_the_refinement():
    """From the ramp to 1e-6, 64² to 512² (benchmarks/results/elastic_checks.json).

    Empty row 52, 70, 96, 133; crack φ = 1 with ℓ = 3.84 h 95, 106, 120, 145; no crack 13. With one ℓ = 0.015 on all grids, less
    than a cell on the coarsest, the crack takes 58, 86, 120, 188: more than √n.
    """
    cells = np.array([64, 128, 256, 512])
    bodies = [specimen(n, TENSION) for n in cells]
    for factor, most in ((slit, 100), (lambda n: damaged(n, 3.84 / n), 130)):
        counts = np.array([b.solve(factor(n)).iterations for b, n in zip(bodies, cells, strict=True)])
        assert np.all(counts <= 1.05 * counts[0] * np.sqrt(cells / 64))
        assert counts[2] <= most
    assert max(b.solve(1.0).iterations for b in bodies) <= 18
