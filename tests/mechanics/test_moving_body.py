"""Bodies that move: forces, energies, waves and stable steps, against plain NumPy, static elements and dispersion relations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

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


def bodies_of(*splits: str):
    """(d, scheme, split): each kernel in space takes some seconds to compile, and most of them are left to the slow tests."""
    cases = []
    for d, scheme, split in product((2, 3), ("full", "rotated"), splits):
        quick = d == 2 or split == "none" or (scheme, split) == ("full", "spectral")
        marks = () if quick else (pytest.mark.slow,)
        cases.append(pytest.param(d, scheme, split, id=f"{split}-{scheme}-{d}d", marks=marks))
    return pytest.mark.parametrize(("d", "scheme", "split"), cases)


every_body = bodies_of(*SPLITS)
every_split = pytest.mark.parametrize("split", SPLITS)
every_scheme = pytest.mark.parametrize("scheme", ["full", "rotated"])
every_dimension = pytest.mark.parametrize("d", [2, 3], ids=["2d", "3d"])
every_boundary = pytest.mark.parametrize("boundary", ["periodic", "faces", "mixed"])


def make(
    cells,
    split="none",
    scheme="full",
    boundary="faces",
    spacing=SPACING,
    lame=LAME,
    shear=SHEAR,
    density=DENSITY,
    **options,
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
    body = make(
        cells, split, scheme, boundary, lame=lame, shear=shear, density=density, residual_stiffness=1e-3, plane=plane
    )
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


@every_body
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


@pytest.mark.parametrize(
    ("scheme", "split"),
    [
        pytest.param(
            scheme, split, marks=() if split == "none" or (scheme, split) == ("full", "spectral") else pytest.mark.slow
        )
        for scheme in ("full", "rotated")
        for split in SPLITS
    ],
)
def test_a_hot_plane_is_a_slice_of_a_hot_body(scheme, split):
    """Plane strain: a body in space with u_z = 0 and the same thermal strain, of which ε_zz holds nothing back."""
    plane, _ = uneven(2, split, scheme, "faces")
    (nx, ny), shape = (a.cells for a in plane.grid.axes), plane.grid.shape
    lame, shear = (
        np.broadcast_to(c, shape[0] * shape[1]).reshape(1, *shape) for c in (plane.split.lame, plane.split.shear)
    )
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


@every_body
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
    """T + U + lost − ½Δt v⁺·C v̄ is conserved: v̄ stands in the middle of two steps, u at the end of one."""
    body, phi = uneven(d, "none", scheme, "mixed")
    random = np.random.default_rng(1)
    body.v[...] = random.standard_normal(body.v.shape) * (body.mass > 0)
    step = 0.9 * body.critical_step
    rates = random.random(body.v.shape) / (50 * step)
    body.copy_periodic(body.v)
    body.copy_periodic(rates)
    body.damp(rates)
    totals = []
    for _ in range(200):
        body.move(step)
        before = body.v.copy()
        body.push(phi, step)
        drag = body.mass * rates * 0.5 * (before + body.v)
        last = 0.5 * step * float((body.v * drag)[(slice(None), *body.own)].sum())
        totals.append(body.kinetic + body.elastic(phi) + body.lost - last)
    assert body.lost > 0.3 * totals[0]
    assert np.ptp(totals) < 1e-13 * totals[0]


# --- bits -------------------------------------------------------------------------------------------------------------


def mirrored(values, axis, d, vector=False):
    """Of cells, nodes or nodal vectors."""
    flipped = np.flip(values, values.ndim - 1 - axis).copy()
    if vector:
        flipped[axis] *= -1.0
    return flipped


def symmetric(values, d, vector=False):
    for axis in range(d):
        values = values + mirrored(values, axis, d, vector)
    return values


@bodies_of("none", "star_convex", "spectral")
@pytest.mark.parametrize("boundary", ["faces", "periodic"])
def test_mirror_images_have_the_same_bits(d, scheme, split, boundary):
    random = np.random.default_rng(8)
    cells = (261, 5) if d == 2 else (67, 5, 4)
    shape = cells[::-1]
    lame, shear, density, phi, heat = (symmetric(random.uniform(0.0, 1.0, shape), d) / 2**d for _ in range(5))
    body = make(cells, split, scheme, boundary, lame=1 + lame, shear=1 + shear, density=1 + density)
    body.expansion = 0.1 * heat
    body.strain[:d] = 0.05
    before = phi = 0.3 * phi
    body.u[...] = 0.05 * symmetric(random.standard_normal(body.u.shape), d, vector=True)
    for axis in range(d):
        if body.periodic[axis]:
            # The ends are one plane, and its own mirror image.
            along = d - axis
            index = [slice(None)] * (d + 1)
            index[along] = slice(-1, None)
            ends = 0.5 * (np.take(body.u, [0], along) + np.take(body.u, [-1], along))
            body.u[tuple(index)] = ends
            index[along] = slice(0, 1)
            body.u[tuple(index)] = ends
    plus, step = np.zeros(shape), 0.5 * body.critical_step
    for _ in range(200):
        body.push(phi, step)
        body.move(step)
        body.energies(plus, driving=True)
        # ψ⁺ of star-convex splits may be negative.
        drive = np.maximum(plus, 0.0)
        phi = np.maximum(phi, 0.9 * drive / (1.0 + drive))
    assert np.isfinite(body.v).all()
    assert np.abs(phi - before).max() > 0.1
    assert np.ptp(phi) > 0.1
    for axis in range(d):
        for vector in (body.u, body.v):
            np.testing.assert_array_equal(vector, mirrored(vector, axis, d, vector=True))
        np.testing.assert_array_equal(phi, mirrored(phi, axis, d))


@every_dimension
@every_boundary
def test_threads_and_blocks_do_not_change_bits(d, boundary, monkeypatch):
    random = np.random.default_rng(3)
    cells = (40, 12) if d == 2 else (40, 3, 7)
    start = random.standard_normal((d, *(n + 1 for n in cells[::-1])))
    phi, results = random.random(cells[::-1]), []
    monkeypatch.setattr(dynamics, "BLOCK_ROWS", 1)
    for block, threads in ((10**6, 1), (80, 1), (80, 2), (80, 3)):
        monkeypatch.setattr(dynamics, "BLOCK_CELLS", block)
        body = make(cells, "star_convex", "rotated", boundary, threads=threads)
        body.expansion = np.zeros(body.grid.shape)
        body.u[...] = start
        body.copy_periodic(body.u)
        plus = np.zeros(phi.shape)
        for _ in range(5):
            body.move(0.1)
            body.push(phi, 0.1)
        body.energies(plus)
        body.close()
        assert body.blocks == 1 if block > 80 else body.blocks > 4
        results.append((body.u, body.v, plus, body.kinetic if block == 80 else None))
    for n, (u, v, plus, kinetic) in enumerate(results):
        np.testing.assert_array_equal(u, results[0][0])
        np.testing.assert_array_equal(v, results[0][1])
        np.testing.assert_array_equal(plus, results[0][2])
        assert n == 0 or kinetic == results[1][3]


@pytest.mark.parametrize("cells", [(4000, 33), (160, 120, 33)], ids=["2d", "3d"])
def test_blocks_of_long_rows_are_thick(cells):
    """Every block computes one row of cells, or plane, that is not its own."""
    assert make(cells).blocks == 4


# --- waves and stable steps -------------------------------------------------------------------------------------------


@every_scheme
@pytest.mark.parametrize(
    ("cells", "numbers"),
    [((12, 10), (1, 0)), ((12, 10), (2, 3)), ((12, 10), (-5, 5)), ((8, 6, 6), (0, 1, 0)), ((8, 6, 6), (2, -1, 3))],
    ids=["x", "oblique", "short", "y-3d", "oblique-3d"],
)
def test_plane_waves_have_the_frequency_of_the_dispersion_relation(scheme, cells, numbers):
    d, count = len(cells), 3000
    spacing = SPACING[:d]
    body = make(cells, "none", scheme, "periodic", residual_stiffness=0.0)
    step = 0.8 * wave_limit(spacing, LAME, SHEAR, DENSITY, scheme)
    lengths = np.array(cells) * spacing
    k = 2 * np.pi * np.array(numbers) / lengths
    squares, vectors = np.linalg.eigh(stiffness_symbol(k, spacing, LAME, SHEAR, scheme).real / DENSITY)
    x = np.meshgrid(*[np.arange(n + 1) * h for n, h in zip(cells, spacing, strict=True)][::-1], indexing="ij")[::-1]
    phase = sum(a * b for a, b in zip(k, x, strict=True))
    phi = np.zeros(body.grid.shape)
    for square, vector in zip(squares, vectors.T, strict=True):
        turn = step * leapfrog_frequencies(np.sqrt(square), step)
        along = vector.reshape(-1, *[1] * d)
        body.u[...] = along * np.cos(phase)
        body.v[...] = (body.u - along * np.cos(phase + turn)) / step
        for _ in range(count):
            body.push(phi, step)
            body.move(step)
        wave = (along * body.u * np.exp(-1j * phase))[(slice(None), *body.own)].sum() * 2 / body.grid.cells
        found = count * turn + np.angle(wave * np.exp(1j * count * turn)) * -1.0
        assert found / count == pytest.approx(turn, rel=1e-10)
        np.testing.assert_allclose(body.u, along * np.cos(phase - count * turn), rtol=0, atol=1e-8)


def growth(body, step, count=1500, phi=0.0):
    """Of Σ M v² over so many steps from random velocities."""
    body.u[...] = 0.0
    body.v[...] = np.random.default_rng(4).standard_normal(body.v.shape) * (body.mass > 0)
    body.copy_periodic(body.v)
    damage = np.broadcast_to(phi, body.grid.shape).astype(float)
    start = (body.mass * body.v**2).sum()
    for _ in range(count):
        body.push(damage, step)
        body.move(step)
    return (body.mass * body.v**2).sum() / start


@every_scheme
@pytest.mark.parametrize("spacing", [(0.5, 0.5), (1.0, 0.5), (0.5, 0.5, 0.5), (1.0, 0.5, 0.7)], ids=str)
def test_the_largest_step_of_waves(scheme, spacing):
    body = make((8, 6, 4)[: len(spacing)], "none", scheme, "periodic", spacing)
    limit = wave_limit(spacing, LAME, SHEAR, DENSITY, scheme)
    assert body.critical_step <= limit * (1 + 1e-12)
    assert growth(body, 0.999 * limit) < 1e3
    assert growth(body, 1.001 * limit) > 1e6


@every_dimension
@every_scheme
def test_the_largest_step_of_broken_bodies(d, scheme):
    """One intact cell among broken ones that have mass, and among voids."""
    spacing, middle = SPACING[:d], (1,) * d
    single = element_limit(spacing, LAME, SHEAR, DENSITY, scheme)
    body = make((3,) * d, "none", scheme, residual_stiffness=0.0)
    assert body.critical_step == pytest.approx(single, rel=1e-13)
    phi = np.ones(body.grid.shape)
    phi[middle] = 0.0
    assert growth(body, 0.999 * body.critical_step, phi=phi) < 1e3
    assert growth(body, 0.999 * single * 2 ** (d / 2), phi=phi) < 1e3
    assert growth(body, 1.001 * single * 2 ** (d / 2), phi=phi) > 1e6
    constants = np.zeros((2, *body.grid.shape))
    constants[0][middle], constants[1][middle] = LAME, SHEAR
    alone = make((3,) * d, "none", scheme, lame=constants[0], shear=constants[1])
    assert growth(alone, 0.999 * alone.critical_step) < 1e3
    assert growth(alone, 1.001 * alone.critical_step) > 1e6


def test_the_step_allows_for_stiffer_volume_under_pressure():
    """A broken star-convex body under pressure has the bulk modulus (1 + γ) K: one cell, which swings between both."""
    body = make((1, 1), "star_convex", spacing=(0.5, 0.5), residual_stiffness=0.0)
    intact = element_limit((0.5, 0.5), LAME, SHEAR, DENSITY)
    assert body.critical_step < 0.9 * intact
    assert growth(body, body.critical_step, phi=1.0) < 1e3


# --- loads ------------------------------------------------------------------------------------------------------------


def bar(n, d=2, high="free", history=None, ramp=1.0, scheme="full"):
    """A bar of length 8 whose low end gets a traction, with faces along it that slide: plane waves."""
    cells, spacing = (n, 2, 1)[:d], (8.0 / n, 0.3, 0.4)
    body = make(cells, "none", scheme, "faces", spacing)
    load = DynamicLoad(face="x.low", traction={"x": STRESS}, ramp=ramp, history=history)
    faces = {"x": {"high": high}} | dict.fromkeys("yz"[: d - 1], "sliding")
    return body, DynamicLoads(body, faces, [load])


def run(body, loads, end):
    """To the time `end`, in equal steps below 0.7 h/c_d."""
    phi = np.zeros(body.grid.shape)
    count = int(np.ceil(end / (0.7 * body.critical_step)))
    step = end / count
    loads.start(step)
    body.push(phi, 0.5 * step)
    loads.push(0.0, 0.5 * step, step, correction=True)
    for n in range(1, count + 1):
        body.move(step)
        loads.moved(step)
        body.push(phi, step)
        loads.push(n * step, step, step)
    return step


STRESS = 0.02
FAST = np.sqrt((LAME + 2 * SHEAR) / DENSITY)
SPEED = STRESS / (DENSITY * FAST)


def rise(time, ramp=1.0):
    return np.where(time < ramp, 0.5 - 0.5 * np.cos(np.pi * np.clip(time, 0.0, ramp) / ramp), 1.0)


@every_dimension
@every_scheme
def test_a_load_arrives_with_the_speed_of_pressure_waves(d, scheme):
    """v = σ/(ρc_d) ramp(t − x/c_d): second order, no motion ahead of it and none along the faces."""
    end, errors = 4.0, []
    for n in (40, 80):
        body, loads = bar(n, d, scheme=scheme)
        step = run(body, loads, end)
        x = np.arange(n + 1) * body.grid.spacing[0]
        expected = SPEED * rise(end + 0.5 * step - x / FAST)
        errors.append(np.sqrt(np.mean((body.v[0] - expected) ** 2)) / SPEED)
        assert not body.v[1:].any() or np.abs(body.v[1:]).max() < 1e-14 * SPEED
        assert body.kinetic + body.elastic(np.zeros(body.grid.shape)) == pytest.approx(loads.work, rel=1e-12)
    assert errors[1] < 5e-3
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.3


@pytest.mark.parametrize(("high", "factor"), [("free", 2.0), ("absorbing", 1.0), ("clamped", 0.0)])
def test_faces_reflect_waves(high, factor):
    """A free face doubles the velocity, a clamped one stops it, an absorbing one lets it pass."""
    body, loads = bar(160, high=high)
    run(body, loads, 8.0 / FAST + 1.6)
    assert np.abs(body.v[0, :, -1] / SPEED - factor).max() < 3e-3


def test_absorbing_faces_take_waves_that_meet_them_straight():
    """What comes back is what the grid makes of the wave: its energy falls with the fourth power of h."""
    left = []
    for n in (40, 80):
        body, loads = bar(n, high="absorbing", ramp=0.0, history=[[0, 0], [0.75, 1], [1.5, 0]])
        run(body, loads, 8.0 / FAST + 4.0)
        left.append((body.kinetic + body.elastic(np.zeros(body.grid.shape))) / loads.work)
        # Down to what moves the damper in the last step.
        assert loads.work == pytest.approx(body.lost + left[-1] * loads.work, rel=1e-4)
    assert left[1] < 3e-4
    assert left[1] < 0.1 * left[0]


@every_dimension
@pytest.mark.parametrize("kind", ["traction", "velocity"])
def test_loads_beside_periodic_axes_count_nodes_once(d, kind):
    """A traction pulls with its force on the face, and all its work is in the body; so for nodes that are moved."""
    grid = make((6, 5, 4)[:d], boundary="faces").grid
    axes = tuple(Axis(a.name, a.cells, a.length, "no_flux" if a.name == "y" else "periodic") for a in grid.axes)
    body = MovingBody(Grid(axes), make_split("none", LAME, SHEAR, d), DENSITY)
    # A part of the face, up to the end of the periodic axis x. The first half step, of which no work is told, hardly moves it.
    load = DynamicLoad(face="y.high", ramp=2.0, **{kind: {"y": 0.3}}, **{"from": [a.length / 3 for a in axes]})
    loads = DynamicLoads(body, {"y": {"low": "clamped"}}, [load])
    run(body, loads, 3.0)
    energy = body.kinetic + body.elastic(np.zeros(body.grid.shape))
    assert energy > 1e-3
    assert loads.work == pytest.approx(energy, rel=1e-4)
    for c in range(d):
        np.testing.assert_array_equal(np.take(body.v[c], 0, -1), np.take(body.v[c], -1, -1))
