"""Bodies that move: forces, energies, waves and stable steps, against plain NumPy, static elements and the dispersion relation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.mechanics import dynamics
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.dynamic_loads import DynamicLoad, DynamicLoads
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.lattice_waves import (
    element_limit,
    hourglass_coefficients,
    leapfrog_frequencies,
    stiffness_symbol,
    wave_limit,
)
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR, DENSITY = 1.3, 0.8, 2.1
SPACING = (0.5, 0.7, 0.4)
SPLITS = ["none", "volumetric_deviatoric", "star_convex", "spectral", "hybrid"]
FACES = {"periodic": "periodic", "faces": "no_flux"}
every_split = pytest.mark.parametrize("split", SPLITS)
every_scheme = pytest.mark.parametrize("scheme", ["full", "rotated"])
every_dimension = pytest.mark.parametrize("d", [2, 3], ids=["2d", "3d"])
every_boundary = pytest.mark.parametrize("boundary", ["periodic", "faces", "mixed"])


def make(
    cells, split="none", scheme="full", boundary="faces", spacing=SPACING, lame=LAME, shear=SHEAR, density=DENSITY, **options
):
    d = len(cells)
    ends = [FACES.get(boundary, ("periodic", "no_flux", "periodic")[a]) for a in range(d)]
    grid = Grid(tuple(Axis("xyz"[a], cells[a], cells[a] * spacing[a], ends[a]) for a in range(d)))
    more = {"gamma": 0.5} if split == "star_convex" else {}
    law = make_split(split, lame, shear, d, options.pop("plane", "strain"), **more)
    return MovingBody(grid, law, density, scheme=scheme, **options)


def uneven(d, split, scheme, boundary, plane="strain"):
    """A body with constants of its own in every cell, some of them voids, hot and strained, and its damage."""
    random = np.random.default_rng(5)
    cells = (7, 6) if d == 2 else (5, 4, 3)
    shape = cells[::-1]
    lame, shear, density = (c * random.uniform(0.5, 2.0, shape) for c in (LAME, SHEAR, DENSITY))
    void = random.random(shape) < 0.15
    lame[void] = shear[void] = 0.0
    body = make(cells, split, scheme, boundary, lame=lame, shear=shear, density=density, residual_stiffness=1e-3, plane=plane)
    body.u[...] = random.standard_normal(body.u.shape)
    body.copy_periodic(body.u)
    body.strain[...] = random.standard_normal(body.strain.shape)
    body.expansion = 0.3 * random.standard_normal(shape)
    return body, random.random(shape)


def forces(body, phi):
    """−∂U/∂u, from one step without velocities."""
    body.v[...] = 0.0
    body.push(phi, 1.0)
    force = body.v * body.mass
    body.v[...] = 0.0
    return force


# --- energies and forces ----------------------------------------------------------------------------------------------


def plain_energies(body, driving=False):
    """(ψ⁺, ψ⁻) per cell from shape functions, point by point."""
    d, grid = body.grid.dimensions, body.grid
    h = np.array(grid.spacing)
    corners = list(product((0, 1), repeat=d))  # slowest axis first
    index = [tuple(slice(c[a], c[a] + grid.shape[a]) for a in range(d)) for c in corners]
    values = np.stack([body.u[(slice(None), *i)].reshape(d, -1) for i in index])
    signs = 2.0 * np.array([c[::-1] for c in corners]) - 1.0
    points = signs * 3.0**-0.5 if body.scheme == "full" else np.zeros((1, d))
    law = body.split
    if law.name == "hybrid" and not driving:
        law = make_split("none", law.lame, law.shear, d)
    elif law.name == "hybrid":
        law = make_split("spectral", law.lame, law.shear, d)
    pairs = [(0, 0), (1, 1), (0, 1)] if d == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    plus, minus = np.zeros(grid.cells), np.zeros(grid.cells)
    for point in points:
        factors = 0.5 * (1.0 + signs * point)
        slope = np.stack([signs[:, j] / h[j] * np.delete(factors, j, 1).prod(1) for j in range(d)], axis=1)
        gradient = np.einsum("ncx,nj->cjx", values, slope)
        strain = np.empty((len(pairs), grid.cells))
        for k, (i, j) in enumerate(pairs):
            both = 0.5 * (gradient[i, j] + gradient[j, i]) + body.strain[k]
            strain[k] = both - body.expansion.ravel() if i == j else np.sqrt(2.0) * both
        first, second = law.energies(strain)
        plus += first / len(points)
        minus += second / len(points)
    if body.scheme == "rotated":
        sets = [(0, 1)] if d == 2 else [(0, 1), (1, 2), (0, 2), (0, 1, 2)]
        shear = np.broadcast_to(law.shear, (grid.cells,))
        for k, axes in zip(hourglass_coefficients(grid.spacing), sets, strict=True):
            mode = np.einsum("ncx,n->cx", values, signs[:, axes].prod(1))
            plus += 0.5 * dynamics.HOURGLASS * shear * k * (mode**2).sum(0) / grid.cell_volume
    return plus.reshape(grid.shape), minus.reshape(grid.shape)


@every_dimension
@every_scheme
@every_split
@pytest.mark.parametrize("driving", [False, True], ids=["stress", "driving"])
def test_energies_are_those_of_shape_functions_and_points(d, scheme, split, driving):
    body, _ = uneven(d, split, scheme, "mixed")
    if d == 2:
        # Thermal strain across the plane is no part of a plane strain: the plain form has none, see the test after this one.
        body.expansion = np.zeros(body.grid.shape)
    plus, minus = np.full(body.grid.shape, np.nan), np.full(body.grid.shape, np.nan)
    body.energies(plus, minus, driving=driving)
    expected = plain_energies(body, driving)
    scale = max(np.abs(e).max() for e in expected)
    np.testing.assert_allclose(plus, expected[0], rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(minus, expected[1], rtol=0, atol=1e-13 * scale)
    assert not plus[~body.solid].any()


@every_scheme
@every_split
def test_a_hot_plane_is_a_slice_of_a_hot_body(scheme, split):
    """Plane strain: a body in space with u_z = 0 and the same thermal strain, of which ε_zz holds nothing back."""
    plane, _ = uneven(2, split, scheme, "faces")
    (nx, ny), shape = (a.cells for a in plane.grid.axes), plane.grid.shape
    lame, shear = (np.broadcast_to(c, shape[0] * shape[1]).reshape(1, *shape) for c in (plane.split.lame, plane.split.shear))
    space = make((nx, ny, 1), split, scheme, "faces", lame=lame, shear=shear, density=plane.density[None])
    space.u[:2] = plane.u[:, None]
    space.strain[[0, 1, 5]] = plane.strain
    space.expansion = plane.expansion[None]
    results = []
    for body in (plane, space):
        plus, minus = np.zeros(body.grid.shape), np.zeros(body.grid.shape)
        body.energies(plus, minus, driving=True)
        results.append((plus.reshape(shape), minus.reshape(shape)))
    for mine, theirs in zip(*results, strict=True):
        # The hourglass coefficient of a mode XY is the same in both: 4 V₂/48 · 4 = V₂/12 of a sum twice as large.
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())


@every_dimension
@every_scheme
@every_split
@every_boundary
def test_forces_are_derivatives_of_the_energy(d, scheme, split, boundary):
    body, phi = uneven(d, split, scheme, boundary)
    force = forces(body, phi)
    scale = np.abs(force).max()
    owned = np.argwhere(body.mass[body.own] > 0.0)
    for n, node in enumerate(owned[:: max(1, len(owned) // 6)]):
        at = (n % d, *node)
        start, energies, step = body.u[at], [], 1e-5
        for side in (1.0, -1.0):
            body.u[at] = start + side * step
            body.copy_periodic(body.u)
            energies.append(body.elastic(phi))
        body.u[at] = start
        body.copy_periodic(body.u)
        assert force[at] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=3e-8 * scale)
    assert not force[:, body.mass == 0.0].any()


@every_dimension
@pytest.mark.parametrize("split", ["none", "hybrid"])
def test_forces_without_split_are_those_of_static_elements(d, split):
    body = make((70, 3) if d == 2 else (70, 3, 2), split, residual_stiffness=1e-4)
    random = np.random.default_rng(2)
    body.u[...], phi = random.standard_normal(body.u.shape), random.random(body.grid.shape)
    static = BoundedElasticity(body.grid, (LAME, SHEAR), FaceConditions.of({"x": {"low": "clamped"}}, body.grid))
    expected, _ = static.stiffness((1 - 1e-4) * (1 - phi) ** 2 + 1e-4, body.u)
    density = static.energy_density(body.u)
    static.close()
    force = forces(body, phi)
    np.testing.assert_allclose(force, -expected, rtol=0, atol=2e-14 * np.abs(expected).max())
    plus, minus = np.zeros(body.grid.shape), np.zeros(body.grid.shape)
    body.energies(plus, minus)
    np.testing.assert_allclose(plus, density, rtol=1e-12)
    assert not minus.any()


@every_scheme
def test_hot_plane_stress_is_without_stress_when_free_to_swell(scheme):
    body = make((5, 4), "none", scheme, plane="stress")
    body.expansion = np.full(body.grid.shape, 0.02)
    for c, axis in enumerate(body.grid.axes):
        nodes = 0.02 * axis.spacing * np.arange(axis.cells + 1)
        body.u[c] = nodes.reshape((1, -1) if c == 0 else (-1, 1))
    plus = np.zeros(body.grid.shape)
    body.energies(plus)
    assert np.abs(forces(body, np.zeros(body.grid.shape))).max() < 1e-15
    assert np.abs(plus).max() < 1e-30


# --- conservation -----------------------------------------------------------------------------------------------------


@every_dimension
@every_scheme
@every_boundary
def test_linear_bodies_keep_energy_and_momentum(d, scheme, boundary):
    body, phi = uneven(d, "none", scheme, boundary)
    body.expansion, body.strain[...], body.u[...] = None, 0.0, 0.0
    body.v[...] = np.random.default_rng(1).standard_normal(body.v.shape) * (body.mass > 0)
    body.copy_periodic(body.v)
    momentum, step = body.momentum(), 0.9 * body.critical_step
    energies = []
    for _ in range(300):
        body.move(step)
        body.push(phi, step)
        energies.append(body.kinetic + body.elastic(phi))
    assert np.ptp(energies) < 1e-13 * energies[0]
    size = float((body.mass * np.abs(body.v)).sum())
    assert np.abs(body.momentum() - momentum).max() < 1e-13 * size


@every_dimension
@every_scheme
def test_damping_takes_what_is_lost(d, scheme):
    body, phi = uneven(d, "none", scheme, "mixed")
    body.expansion, body.strain[...], body.u[...] = None, 0.0, 0.0
    random = np.random.default_rng(1)
    body.v[...] = random.standard_normal(body.v.shape) * (body.mass > 0)
    body.copy_periodic(body.v)
    step = 0.9 * body.critical_step
    rates = random.random(body.v.shape) / (50 * step)
    body.copy_periodic(rates)
    body.damp(rates)
    body.move(step)
    body.push(phi, step)
    start, before = body.kinetic + body.elastic(phi), body.lost
    last = before
    for _ in range(200):
        body.move(step)
        body.push(phi, step)
        last = 0.5 * (before + body.lost)
        before = body.lost
    # The kinetic energy is that between two half steps: half of what the last push took has not been taken from it.
    del last
    assert body.kinetic + body.elastic(phi) < 0.9 * start
