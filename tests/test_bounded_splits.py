"""Boxes with true faces, energy splits and constants per cell: against plain NumPy and assembled matrices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg
from bounded_reference import element_matrix, numbers

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import bounded_gauss, bounded_passes
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_split import BoundedBody
from phasefield.mechanics.splits import make_split
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR, GAMMA = 1.3, 0.8, 2.0
SPLITS = names("split")
NONLINEAR = [name for name in SPLITS if name not in ("none", "hybrid")]


def box(*cells: int) -> Grid:
    lengths = (0.7 * n * (1.0 + 0.3 * i) for i, n in enumerate(cells))
    return Grid(tuple(Axis(name, n, L) for name, n, L in zip("xyz", cells, lengths, strict=False)))


def split_of(name: str, grid: Grid, lame=LAME, shear=SHEAR, **options):
    parameters = {"gamma": GAMMA} if name == "star_convex" else {}
    flat = (np.reshape(v, -1) if np.ndim(v) else v for v in (lame, shear))
    return make_split(name, *flat, grid.dimensions, **options, **parameters)


def random_constants(grid: Grid, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """λ and μ that differ, a tenth of the cells empty."""
    rng = np.random.default_rng(seed)
    lame, shear = LAME * 4.0 ** rng.uniform(-1, 1, grid.shape), SHEAR * 4.0 ** rng.uniform(-1, 1, grid.shape)
    empty = rng.random(grid.shape) < 0.1
    return np.where(empty, 0.0, lame), np.where(empty, 0.0, shear)


def pulled(grid: Grid, *values: float) -> FaceConditions:
    """Clamped below, displaced above, along the slowest axis."""
    top = "xyz"[grid.dimensions - 1]
    given = dict(zip("xyz"[: grid.dimensions], values, strict=False))
    return FaceConditions.of({top: {"low": "clamped", "high": {"displacement": given}}}, grid)


# --- a plain form: every Gauss point with LAPACK's eigenvalues --------------------------------------------------------


def plain(name: str, grid: Grid, lame, shear, g: np.ndarray, u: np.ndarray):
    """∂E/∂u, E, and the means of ψ⁺ and ψ⁻ over the Gauss points of each cell."""
    d = grid.dimensions
    lame, shear, g = (np.broadcast_to(v, grid.shape).reshape(-1) for v in (lame, shear, g))
    corners = np.array(list(product((0, 1), repeat=d)))
    unknowns, _ = numbers(grid)
    values = u.reshape(-1)[unknowns].reshape(-1, len(corners), d)
    force, total = np.zeros(u.size), 0.0
    means = np.zeros((2, g.size))
    for gauss in product((0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), repeat=d):
        shape = np.where(corners, gauss, 1.0 - np.array(gauss))
        slope = np.stack(
            [(2 * corners[:, j] - 1) / grid.spacing[j] * np.prod(np.delete(shape, j, 1), axis=1) for j in range(d)], 1
        )
        gradient = np.einsum("pnc,nj->pcj", values, slope)
        strain = np.zeros((g.size, 3, 3))
        strain[:, :d, :d] = 0.5 * (gradient + gradient.swapaxes(1, 2))
        stress, plus, minus, stored = plain_law(name, lame, shear, g, strain)
        weight = grid.cell_volume / 2**d
        total += weight * stored.sum()
        means += np.array([plus, minus]) / 2**d
        share = weight * np.einsum("pcj,nj->pnc", stress[:, :d, :d], slope)
        np.add.at(force, unknowns, share.reshape(len(share), -1))
    return force.reshape(u.shape), total, means[0].reshape(grid.shape), means[1].reshape(grid.shape)


def plain_law(name: str, lame, shear, g, strain):
    one, t = np.eye(3), np.einsum("pii->p", strain)
    up, down = np.maximum(t, 0.0), np.minimum(t, 0.0)
    values, vectors = np.linalg.eigh(strain)
    positive, negative = (
        np.einsum("pia,pa,pja->pij", vectors, part, vectors) for part in (values.clip(min=0), values.clip(max=0))
    )
    square = lambda a: np.einsum("pij,pij->p", a, a)  # noqa: E731
    spectral = (
        0.5 * lame * up**2 + shear * square(positive),
        0.5 * lame * down**2 + shear * square(negative),
    )
    if name == "spectral":
        stress = (lame * (g * up + down))[:, None, None] * one
        stress = stress + 2 * shear[:, None, None] * (g[:, None, None] * positive + negative)
        return stress, *spectral, g * spectral[0] + spectral[1]
    if name == "hybrid":
        stress = g[:, None, None] * ((lame * t)[:, None, None] * one + 2 * shear[:, None, None] * strain)
        return stress, *spectral, g * (spectral[0] + spectral[1])
    gamma = {"none": -1.0, "volumetric_deviatoric": 0.0, "star_convex": GAMMA}[name]
    bulk, dev = lame + 2 / 3 * shear, strain - t[:, None, None] / 3 * one
    plus = 0.5 * bulk * (up**2 - gamma * down**2) + shear * square(dev)
    minus = (1 + gamma) * 0.5 * bulk * down**2
    pressure = bulk * (g * up + (1 + gamma - g * gamma) * down)
    stress = pressure[:, None, None] * one + (2 * g * shear)[:, None, None] * dev
    return stress, plus, minus, g * plus + minus


# --- forces, energies, tangents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [(7, 5), (1, 1), (130, 3), (4, 3, 5), (1, 1, 1), (66, 2, 2)], ids=str)
@pytest.mark.parametrize("name", SPLITS)
def test_forces_energies_and_tangents_are_those_of_the_plain_form(name, cells, monkeypatch):
    monkeypatch.setattr(bounded_passes, "BLOCK_BYTES", 1)  # one row of cells per block
    monkeypatch.setattr(bounded_gauss, "CHUNK_BYTES", 1)  # one line of cells per chunk
    grid = box(*cells)
    lame, shear = random_constants(grid, 1) if grid.cells > 1 else (LAME, SHEAR)
    rng = np.random.default_rng(0)
    g = 10.0 ** rng.uniform(-3, 0, grid.shape)
    body = BoundedBody(grid, split_of(name, grid, lame, shear), pulled(grid, *[1.0] * len(cells)))
    u = rng.normal(size=body.loads.ramp.shape)
    force, energy = body.forces(g, u)
    exact, stored, plus, minus = plain(name, grid, lame, shear, g, u)
    size = np.abs(exact).max()
    assert np.abs(force - exact).max() < 1e-13 * size
    assert energy == pytest.approx(stored, rel=1e-13)
    assert np.abs(body._points.plus.reshape(grid.shape) - plus).max() < 1e-13 * np.abs(plus).max()
    assert np.abs(body._points.minus.reshape(grid.shape) - minus).max() < 1e-13 * np.abs(plus).max()
    # Homogeneous of degree two: the tangent at u times u is the force, twice the energy its work.
    assert np.abs(body.tangent(g, u, u) - exact).max() < 1e-13 * size
    assert 2 * energy == pytest.approx(np.vdot(force, u), rel=1e-12)
    # Derivatives: of the energy the force, of the force the tangent, which is symmetric.
    v, w = rng.normal(size=(2, *u.shape))
    h = 1e-6
    (high, up), (low, down) = body.forces(g, u + h * v), body.forces(g, u - h * v)
    product_v, product_w = body.tangent(g, u, v), body.tangent(g, u, w)
    assert np.abs((high - low) / (2 * h) - product_v).max() < 1e-6 * np.abs(product_v).max()
    assert (up - down) / (2 * h) == pytest.approx(np.vdot(force, v), rel=1e-6, abs=1e-7 * energy)
    assert np.vdot(product_v, w) == pytest.approx(np.vdot(product_w, v), rel=1e-11, abs=1e-12 * energy)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("name", SPLITS)
def test_homogeneous_strains_are_exact(name, dimensions):
    grid = box(*(5, 4, 3)[:dimensions])
    A = np.array([[0.3, -0.7, 0.2], [0.5, 0.4, -0.1], [-0.6, 0.8, 0.9]])[:dimensions, :dimensions]
    pairs = [(0, 0), (1, 1), (0, 1)] if dimensions == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    for sign in (1.0, -1.0):
        strain = 0.5 * sign * (A + A.T)
        mandel = np.array([[strain[p] * (1.0 if p[0] == p[1] else 2.0**0.5)] for p in pairs])
        setting = {
            a: {
                end: {
                    "displacement": {
                        c: {
                            "value": sign * A[i, j] * e * grid.axes[j].length,
                            "slope": {b: sign * A[i, k] for k, b in enumerate("xyz"[:dimensions]) if k != j},
                        }
                        for i, c in enumerate("xyz"[:dimensions])
                    }
                }
                for e, end in enumerate(("low", "high"))
            }
            for j, a in enumerate("xyz"[:dimensions])
        }
        split = split_of(name, grid)
        found = BoundedBody(grid, split, FaceConditions.of(setting, grid)).solve(0.3, tolerance=1e-12)
        stress, plus, minus = np.empty_like(mandel), np.empty(1), np.empty(1)
        split.stress(mandel, np.array([0.3]), stress, plus, minus)
        assert found.iterations <= 1
        assert np.abs(found.strain.reshape(len(pairs), -1) - mandel).max() < 1e-14
        assert np.abs(found.stress.reshape(len(pairs), -1) - stress).max() < 1e-13
        assert np.allclose(found.plus, plus, rtol=1e-13, atol=1e-16)
        assert np.allclose(found.minus, minus, rtol=1e-13, atol=1e-16)
        assert found.energy == pytest.approx(split.stored(plus, minus, 0.3)[0] * grid.volume, rel=1e-13)


# --- linear splits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "hybrid"])
@pytest.mark.parametrize("cells", [(18, 13), (6, 5, 7)], ids=str)
def test_uniform_linear_bodies_are_those_of_the_linear_solver(name, cells):
    grid = box(*cells)
    g = 10.0 ** np.random.default_rng(2).uniform(-4, 0, grid.shape)
    g[0, ..., 1] = 0.0
    faces = pulled(grid, 0.3, -0.2, 0.1)
    linear = BoundedElasticity(grid, (LAME, SHEAR), faces).solve(g, 1.7, tolerance=1e-12)
    found = BoundedBody(grid, split_of(name, grid), faces).solve(g, 1.7, tolerance=1e-12)
    size = np.abs(linear.displacement).max()
    assert np.abs(found.displacement - linear.displacement).max() < 1e-9 * size
    assert found.energy == pytest.approx(linear.energy, rel=1e-9)
    assert np.allclose(found.stress, linear.stress, rtol=0, atol=1e-9 * np.abs(linear.stress).max())
    assert found.reactions.keys() == linear.reactions.keys()
    _, _, plus, minus = plain(name, grid, LAME, SHEAR, g, found.displacement)
    assert np.abs(found.plus - plus).max() < 1e-12 * plus.max()
    assert np.abs(found.minus - minus).max() < 1e-12 * plus.max()
    assert np.array_equal(found.drive, found.plus)
    assert found.energy_density.sum() * grid.cell_volume == pytest.approx(found.energy, rel=1e-9)
    # A factor on λ and μ is one on g; the kernel for one ratio and the one for several agree.
    relative = np.random.default_rng(3).uniform(0.1, 1.0, grid.shape)
    scaled = BoundedBody(grid, split_of(name, grid, LAME * relative, SHEAR * relative), faces)
    whole = BoundedElasticity(grid, (LAME, SHEAR), faces).solve(g * relative, tolerance=1e-12)
    assert scaled._uniform
    other = scaled.solve(g, tolerance=1e-12)
    assert np.abs(other.displacement - whole.displacement).max() < 1e-9 * size
    scaled._uniform = False
    assert np.abs(scaled.solve(g, tolerance=1e-12).displacement - whole.displacement).max() < 1e-9 * size


def test_plane_stress():
    grid = box(14, 11)
    faces = pulled(grid, 0.3, 0.2)
    g = np.random.default_rng(2).uniform(0.1, 1.0, grid.shape)
    linear = BoundedElasticity(grid, (LAME, SHEAR), faces, plane="stress").solve(g, tolerance=1e-12)
    found = BoundedBody(grid, split_of("none", grid, plane="stress"), faces).solve(g, tolerance=1e-12)
    assert np.abs(found.displacement - linear.displacement).max() < 1e-10
    assert np.allclose(found.stress, linear.stress, atol=1e-10)
    lame, shear = random_constants(grid)
    body = BoundedBody(grid, split_of("none", grid, lame, shear, plane="stress"), faces)
    star = np.divide(2 * lame * shear, lame + 2 * shear, out=np.zeros_like(lame), where=shear > 0)
    same = BoundedBody(grid, split_of("none", grid, star, shear), faces)
    a, b = (s.solve(g, tolerance=1e-12) for s in (body, same))
    assert a.energy == pytest.approx(b.energy, rel=1e-10)


@pytest.mark.parametrize("cells", [(17, 12), (6, 5, 4)], ids=str)
@pytest.mark.parametrize("name", ["none", "hybrid"])
def test_linear_composites_agree_with_assembled_matrices(name, cells):
    grid = box(*cells)
    lame, shear = random_constants(grid, 4)
    g = 10.0 ** np.random.default_rng(5).uniform(-2, 0, grid.shape)
    faces = pulled(grid, 0.4, -0.3, 0.2)
    body = BoundedBody(grid, split_of(name, grid, lame, shear), faces)
    found = body.solve(g, tolerance=1e-12)
    unknowns, _ = numbers(grid)
    first, second = element_matrix(grid.spacing, 1.0, 0.0)[0], element_matrix(grid.spacing, 0.0, 1.0)[0]
    data = (g * lame).reshape(-1, 1, 1) * first + (g * shear).reshape(-1, 1, 1) * second
    rows = np.repeat(unknowns[:, :, None], unknowns.shape[1], axis=2)
    K = sparse.csr_matrix(
        (data.ravel(), (rows.ravel(), rows.transpose(0, 2, 1).ravel())), shape=(body.loads.ramp.size,) * 2
    )
    held = body.loads.constrained.ravel()
    free = ~held & (K.diagonal() > 0.0)
    u = np.where(held, body.loads.ramp.ravel(), 0.0)
    u[free] = scipy.sparse.linalg.spsolve(K[free][:, free].tocsc(), -(K @ u)[free])
    error = np.where(free | held, found.displacement.ravel() - u, 0.0)
    assert np.abs(error).max() < 1e-9 * np.abs(u).max()
    assert found.energy == pytest.approx(0.5 * u @ (K @ u), rel=1e-10)
    assert np.abs(found.nodal_forces.ravel() - K @ u).max() < 1e-9 * np.abs(K @ u).max()
    assert found.newton_steps == 0
    again = body.solve(g, 3.0, start=found, tolerance=1e-10)
    assert again.iterations == 0


# --- nonlinear splits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [(15, 11), (6, 5, 4)], ids=str)
@pytest.mark.parametrize("name", NONLINEAR)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_solutions_are_minima_of_the_plain_energy(name, cells, sign):
    """The independent residual vanishes at free nodes; the energy is convex, so that this is the minimum."""
    grid = box(*cells)
    lame, shear = random_constants(grid, 6)
    rng = np.random.default_rng(7)
    g = 10.0 ** rng.uniform(-4, 0, grid.shape)
    body = BoundedBody(grid, split_of(name, grid, lame, shear), pulled(grid, 0.4 * sign, 0.3 * sign, -0.2 * sign))
    found = body.solve(g, 0.01, tolerance=1e-10)
    force, energy, plus, minus = plain(name, grid, lame, shear, g, found.displacement)
    free = ~body.loads.constrained
    assert found.residual <= 1e-10
    assert np.abs(force[free]).max() < 1e-8 * np.abs(force).max()
    assert np.abs(found.nodal_forces - force).max() < 1e-12 * np.abs(force).max()
    assert np.array_equal(found.displacement[~free], 0.01 * body.loads.ramp[~free])
    assert found.energy == pytest.approx(energy, rel=1e-12)
    assert np.abs(found.plus - plus).max() < 1e-12 * plus.max()
    assert np.abs(found.minus - minus).max() < 1e-12 * plus.max()
    assert found.energy_density.sum() * grid.cell_volume == pytest.approx(energy, rel=1e-12)
    # Clapeyron holds for energies that are homogeneous of degree two.
    work = np.vdot(found.displacement, np.where(free, 0.0, found.nodal_forces))
    assert work == pytest.approx(2 * energy, rel=1e-8)
    for _ in range(5):
        change = 1e-3 * np.where(free, rng.normal(size=force.shape), 0.0)
        assert plain(name, grid, lame, shear, g, found.displacement + change)[1] > energy
    # Scaled to another load, the solution is a solution.
    again = body.solve(g, 0.03, start=found, tolerance=1e-9)
    assert (again.newton_steps, again.iterations) == (0, 0)
    assert np.abs(again.displacement - 3 * found.displacement).max() < 1e-14
    other = body.solve(g, 0.01, start=rng.normal(size=force.shape), tolerance=1e-10)
    assert other.energy == pytest.approx(energy, rel=1e-11)


@pytest.mark.parametrize("name", NONLINEAR)
def test_tractions(name):
    grid = box(12, 9)
    faces = FaceConditions.of({"y": {"low": "clamped", "high": {"traction": {"x": 0.02, "y": -0.03}}}}, grid)
    g = 10.0 ** np.random.default_rng(1).uniform(-2, 0, grid.shape)
    body = BoundedBody(grid, split_of(name, grid), faces)
    found = body.solve(g, tolerance=1e-10)
    force, energy, _, _ = plain(name, grid, LAME, SHEAR, g, found.displacement)
    residual = np.where(body.loads.constrained, 0.0, force - body.loads.force)
    assert np.abs(residual).max() < 1e-8 * np.abs(force).max()
    assert np.vdot(found.displacement, body.loads.force) == pytest.approx(2 * energy, rel=1e-8)
    resultant = sum(found.reactions.values()) + body.loads.force.reshape(2, -1).sum(axis=1)
    assert np.abs(resultant).max() < 1e-9


# --- cracked specimens ------------------------------------------------------------------------------------------------

STEEL = (210.0 * 0.3 / (1.3 * 0.4), 210.0 / 2.6)


def cracked(grid: Grid, reach: float, ell: float, residual: float = 1e-9) -> np.ndarray:
    """g of an AT2 crack φ = 1 in the middle row, from the left edge to `reach`."""
    points = np.meshgrid(*[(np.arange(a.cells) + 0.5) * a.spacing for a in grid.axes[::-1]], indexing="ij")[::-1]
    normal = points[-1] - points[-1].flat[0] - (points[-1].shape[0] // 2) * grid.spacing[-1]
    ahead = np.maximum(points[0] - reach + 0.5 * grid.spacing[0], 0.0)
    phi = np.exp(-np.hypot(ahead, normal) / ell)
    assert phi.max() == 1.0
    return (1 - residual) * (1 - phi) ** 2 + residual


def sheared(grid: Grid, across: float = 1.0, along: float = 0.0) -> FaceConditions:
    sides = {"low": {"displacement": {"y": 0.0}}, "high": {"displacement": {"y": 0.0}}} if along == 0.0 else "free"
    return FaceConditions.of(
        {"y": {"low": "clamped", "high": {"displacement": {"x": across, "y": along}}}, "x": sides}, grid
    )


@pytest.mark.parametrize("name", NONLINEAR)
@pytest.mark.parametrize("pressed", [False, True], ids=["sheared", "pressed"])
def test_cracked_specimens_converge_while_the_crack_grows(name, pressed):
    n = 64
    grid = Grid((Axis("x", n, 1.0), Axis("y", n, 1.0)))
    body = BoundedBody(grid, split_of(name, grid, *STEEL), sheared(grid, *((0.3, -1.0) if pressed else (1.0, 0.0))))
    start, energies = None, []
    for tolerance, reach in ((1e-7, 0.5), (1e-3, 0.515625), (1e-5, 0.53125), (1e-7, 0.75)):
        start = body.solve(cracked(grid, reach, 0.03), 0.01, start=start, tolerance=tolerance)
        assert start.residual <= tolerance
        energies.append(start.energy)
        if name == "spectral":
            assert start.newton_steps <= 8
            assert start.iterations <= 200
    assert energies[-1] < energies[0]
    force, energy, _, _ = plain(name, grid, *STEEL, start.g, start.displacement)
    assert np.abs(force[~body.loads.constrained]).max() < 1e-5 * np.abs(force).max()
    assert energy == pytest.approx(start.energy, rel=1e-12)
    whole = body.solve(1.0, 0.01, tolerance=1e-7).energy
    # Pressed cracks are closed: with the spectral split they carry the load, in shear they do not.
    assert start.energy < whole
    if name == "spectral":
        assert (start.energy > 0.97 * whole) == pressed


def test_a_crack_pressed_between_sliding_sides_is_not_there():
    grid = box(20, 20)
    faces = FaceConditions.of({"x": "sliding", "y": {"low": "sliding", "high": {"displacement": {"y": -1.0}}}}, grid)
    g = np.ones(grid.shape)
    g[10, :10] = 1e-9
    found = BoundedBody(grid, split_of("spectral", grid), faces).solve(g, 0.01, tolerance=1e-10)
    strain = -0.01 / grid.axes[1].length
    assert found.energy == pytest.approx((0.5 * LAME + SHEAR) * strain**2 * grid.volume, rel=1e-13)
    assert not found.plus.any()


@pytest.mark.parametrize("name", NONLINEAR)
def test_a_cracked_body_in_space(name):
    grid = Grid((Axis("x", 12, 12.0), Axis("y", 10, 10.0), Axis("z", 8, 8.0)))
    for values in ((1.0, 0.0, 0.0), (0.2, 0.0, -1.0)):
        body = BoundedBody(grid, split_of(name, grid, *STEEL), pulled(grid, *values))
        found = body.solve(cracked(grid, 6.0, 2.0), 0.1, tolerance=1e-6)
        force, _, _, _ = plain(name, grid, *STEEL, found.g, found.displacement)
        assert found.residual <= 1e-6
        assert np.abs(force[~body.loads.constrained]).max() < 1e-5 * np.abs(force).max()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_random_cracks_converge(seed):
    """Inclined diffuse cracks and random damage down to g = 1e-9, warm starts after a jump of the damage, any tolerance."""
    rng = np.random.default_rng(seed)
    dimensions = 3 if seed % 4 == 0 else 2
    grid = box(*rng.integers(5, 11, 3)) if dimensions == 3 else box(*rng.integers(10, 50, 2))
    residual, tolerance = 10.0 ** -rng.integers(3, 10), 10.0 ** -rng.integers(3, 8)
    place = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1) - 0.5 * np.array(grid.shape)
    normal = rng.normal(size=dimensions)
    distance = np.abs(place @ (normal / np.linalg.norm(normal)))
    phi = rng.random(grid.shape) if seed % 3 == 0 else np.exp(-np.maximum(distance - 0.5, 0.0) / rng.uniform(1, 4))
    body = BoundedBody(grid, split_of("spectral", grid), pulled(grid, *rng.normal(size=dimensions)))
    start = None
    for jump in (0.0, 0.3):
        worse = np.minimum(1.0, phi + jump * rng.random(grid.shape))
        start = body.solve((1 - residual) * (1 - worse) ** 2 + residual, start=start, tolerance=tolerance)
        force, _, _, _ = plain("spectral", grid, LAME, SHEAR, start.g, start.displacement)
        assert start.residual <= tolerance
        assert np.abs(start.nodal_forces - force).max() < 1e-12 * np.abs(force).max()


# --- promises ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [(40, 33), (12, 9, 11)], ids=str)
@pytest.mark.parametrize("name", ["spectral", "none"])
def test_results_do_not_depend_on_the_number_of_threads(name, cells, monkeypatch):
    monkeypatch.setattr(bounded_passes, "SERIAL_CELLS", 0)
    monkeypatch.setattr(bounded_passes, "BLOCK_BYTES", 8192)
    monkeypatch.setattr(bounded_gauss, "CHUNK_BYTES", 8192)
    grid = box(*cells)
    lame, shear = random_constants(grid)
    g = 10.0 ** np.random.default_rng(2).uniform(-3, 0, grid.shape)
    found = []
    for threads in (1, 2, 3):
        body = BoundedBody(grid, split_of(name, grid, lame, shear), pulled(grid, 0.3, 0.2, 0.1), threads=threads)
        assert len(body.passes.rows) > 3
        found.append(body.solve(g, tolerance=1e-6))
        found[-1].stress  # noqa: B018
        body.close()
    for other in found[1:]:
        assert (other.iterations, other.energy) == (found[0].iterations, found[0].energy)
        for part in ("displacement", "plus", "minus", "drive", "nodal_forces", "stress"):
            assert np.array_equal(getattr(other, part), getattr(found[0], part)), part


def test_solutions_keep_their_degradation_and_loads_of_zero():
    grid = box(8, 8)
    body = BoundedBody(grid, split_of("spectral", grid), pulled(grid, 0.3, 0.2))
    g = np.full(grid.shape, 0.5)
    found = body.solve(g)
    g[...] = 0.0
    assert np.array_equal(found.g, np.full(grid.shape, 0.5))
    still = body.solve(1.0, 0.0, start=found)
    assert not still.displacement.any()
    assert still.energy == 0.0
    assert body.solve(1.0, 1.0, start=still).residual <= 1e-6
    assert body.memory_bytes > body.elastic.memory_bytes
    assert np.array_equal(found.stress, body.mean_stress(found.g, found.displacement))


def test_bad_input_is_refused():
    grid = box(6, 5)
    faces = pulled(grid, 1.0, 0.0)
    with pytest.raises(InputError, match="3 dimensions, the grid has 2"):
        BoundedBody(grid, make_split("none", 1.0, 1.0, 3), faces)
    with pytest.raises(InputError, match="constants for 7 cells, the grid has 30"):
        BoundedBody(grid, make_split("none", np.ones(7), 1.0, 2), faces)
    for lame, shear in ((0.0, 0.0), (np.inf, 1.0)):
        with pytest.raises(InputError, match="Lamé constants must be finite"):
            BoundedBody(grid, make_split("spectral", lame, shear, 2), faces)
    with pytest.raises(InputError, match="μ > 0"):
        BoundedBody(grid, make_split("none", 1.0, 0.0, 2), faces)
    body = BoundedBody(grid, split_of("spectral", grid), faces)
    with pytest.raises(InputError, match="tolerance must be positive"):
        body.solve(1.0, tolerance=0.0)
    with pytest.raises(InputError, match="shape"):
        body.solve(np.ones((6, 5)))
    for g in (-1.0, np.nan, 0.0):
        with pytest.raises(InputError, match="must be finite"):
            body.solve(g)
    with pytest.raises(InputError, match="starting point"):
        body.solve(1.0, start=np.zeros(3))
    with pytest.raises(NumericalError, match="after 3 iterations"):
        body.solve(10.0 ** np.random.default_rng(0).uniform(-3, 0, grid.shape), max_iterations=3)
    lame = np.ones(grid.shape)
    lame[-1, 2] = 0.0
    loaded = FaceConditions.of({"y": {"low": "clamped", "high": {"traction": {"y": 1.0}}}}, grid)
    with pytest.raises(InputError, match="cells without any stiffness"):
        BoundedBody(grid, split_of("spectral", grid, lame, lame), loaded).solve(1.0)
