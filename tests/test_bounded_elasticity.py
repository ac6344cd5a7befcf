"""Elasticity of boxes with true faces: transforms, elements, conditions, against assembled matrices and known stiffness."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg
from bounded_reference import assemble, solve

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import bounded
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_preconditioner import ComponentLaplacian, Line
from phasefield.mechanics.rigid_motions import rigid_rows
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.transforms import Ducc0, Scipy

LAME, SHEAR = 1.3, 0.8
ENGINES = [Ducc0(), Scipy()]
ENDS = list(product((True, False), repeat=2))


def box(*cells: int, lengths: tuple[float, ...] | None = None) -> Grid:
    lengths = lengths or tuple(0.7 * n * (1.0 + 0.3 * i) for i, n in enumerate(cells))
    return Grid(tuple(Axis(name, n, L) for name, n, L in zip("xyz", cells, lengths, strict=False)))


def random_factor(grid: Grid, seed: int = 0) -> np.ndarray:
    """Contrast 1000, a tenth of the cells empty."""
    rng = np.random.default_rng(seed)
    factor = 10.0 ** rng.uniform(-3.0, 0.0, grid.shape)
    return np.where(rng.random(grid.shape) < 0.1, 0.0, factor)


# --- preconditioner ---------------------------------------------------------------------------------------------------


def dense_line(n: int, held: tuple[bool, bool]) -> tuple[np.ndarray, np.ndarray]:
    """The tridiagonal (−1, 2, −1) with 1 at free ends, and the masses, at the nodes that are not held."""
    L = 2.0 * np.eye(n + 1) - np.eye(n + 1, k=1) - np.eye(n + 1, k=-1)
    L[0, 0] = L[-1, -1] = 1.0
    W = np.ones(n + 1)
    W[[0, -1]] = 0.5
    keep = slice(int(held[0]), n + 1 - int(held[1]))
    return L[keep, keep], W[keep]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
@pytest.mark.parametrize("n", [2, 7, 16])
@pytest.mark.parametrize("held", ENDS)
def test_the_transforms_diagonalise_the_discrete_laplacian_of_a_line(held, n, engine):
    line = Line(n, held)
    L, W = dense_line(n, held)
    assert line.nodes == len(W)
    assert np.allclose(line.scale, W**-0.5, rtol=1e-15)
    Q = np.eye(line.nodes)
    line.transform(engine, Q, 0, forward=True)
    back = np.eye(line.nodes)
    line.transform(engine, back, 0, forward=False)
    assert np.abs(Q @ Q.T - np.eye(line.nodes)).max() < 1e-13
    assert np.abs(back - Q.T).max() < 1e-13
    scaled = L * np.outer(W**-0.5, W**-0.5)
    assert np.abs(Q @ scaled @ Q.T - np.diag(line.eigenvalues)).max() < 1e-13
    if any(held):
        r = np.random.default_rng(n).normal(size=line.nodes)
        z = W**-0.5 * (Q.T @ (Q @ (W**-0.5 * r) / line.eigenvalues))
        exact = np.linalg.solve(L, r)
        assert np.abs(z - exact).max() < 1e-13 * np.abs(exact).max() * n


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_preconditioner_inverts_the_weighted_laplacian(dimensions):
    grid = box(*(5, 6, 4)[:dimensions])
    rng = np.random.default_rng(1)
    weights = np.array([2.9, 0.8, 1.1])[:dimensions]
    for held in list(product(ENDS, repeat=dimensions))[:: 1 if dimensions == 2 else 5]:
        if not any(any(pair) for pair in held):
            continue
        lines = [dense_line(axis.cells, pair) for axis, pair in zip(grid.axes, held, strict=True)]
        total = 0.0
        for j, (w, axis) in enumerate(zip(weights, grid.axes, strict=True)):
            term = np.ones((1, 1))
            for k in reversed(range(dimensions)):
                term = np.kron(term, lines[k][0] if k == j else np.diag(lines[k][1]))
            total = total + grid.cell_volume * w / axis.spacing**2 * term
        laplacian = ComponentLaplacian(grid, held, weights, Ducc0())
        nodes = (grid.shape[0] + 1, grid.shape[1] + 1 if dimensions == 3 else 1, grid.shape[-1] + 1)
        inner = tuple(slice(b, b + s) for b, s in zip(laplacian.begin, laplacian.work.shape, strict=True))
        r, p = rng.normal(size=nodes), np.zeros(nodes)
        none = np.zeros((0, 0, 0))
        laplacian.to_waves(r, none, 0, nodes[0])
        square = sum(laplacian.divide(*block) for block in laplacian.blocks())
        laplacian.turn(0.0, none, 0, nodes[0], p)
        z = np.linalg.solve(total, r[inner].ravel())
        assert np.abs(p[inner].ravel() - z).max() < 1e-12 * np.abs(z).max()
        assert square == pytest.approx(r[inner].ravel() @ z, rel=1e-12)
        assert np.count_nonzero(p) <= z.size


# --- elements ---------------------------------------------------------------------------------------------------------

ALL_CLAMPED = dict.fromkeys("xyz", "clamped")


def clamped(grid: Grid) -> FaceConditions:
    return FaceConditions.of({a.name: "clamped" for a in grid.axes}, grid)


@pytest.mark.parametrize("cells", [(7, 5), (1, 1), (3, 40), (4, 3, 5), (1, 1, 1), (2, 6, 1)])
def test_the_stencil_is_the_assembled_matrix(cells, monkeypatch):
    monkeypatch.setattr(bounded, "BLOCK_BYTES", 1)  # one row of cells per block
    grid = box(*cells)
    factor = random_factor(grid)
    factor[(0,) * len(cells)] = 1.0
    body = BoundedElasticity(grid, (LAME, SHEAR), clamped(grid))
    assert len(body.rows) == grid.shape[0]
    K = assemble(grid, LAME, SHEAR, factor)
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, len(cells), *(n + 1 for n in grid.shape)))
    force, square = body.stiffness(factor, u)
    exact = (K @ u.ravel()).reshape(u.shape)
    assert np.abs(force - exact).max() < 1e-13 * np.abs(exact).max() * 10
    assert square == pytest.approx(np.vdot(u, exact), rel=1e-13)
    assert np.vdot(v, force) == pytest.approx(np.vdot(body.stiffness(factor, v)[0], u), rel=1e-11)
    density = body.energy_density(u)
    assert (density * factor).sum() * grid.cell_volume == pytest.approx(0.5 * square, rel=1e-12)


@pytest.mark.parametrize("cells", [(6, 5), (3, 4, 3)])
def test_motions_as_a_whole_cost_nothing(cells):
    grid = box(*cells)
    body = BoundedElasticity(grid, (LAME, SHEAR), clamped(grid))
    points = body.loads.points()
    d = grid.dimensions
    flat = points.reshape(-1, d)
    rows = [rigid_rows(flat, np.full(len(flat), c)) for c in range(d)]
    for motion in range(rows[0].shape[1]):
        u = np.stack([r[:, motion].reshape(points.shape[:-1]) for r in rows])
        force, _ = body.stiffness(random_factor(grid), u)
        assert np.abs(force).max() < 1e-13 * np.abs(u).max()


# --- patch test -------------------------------------------------------------------------------------------------------

GRADIENT = np.array([[0.3, -0.7, 0.2], [0.5, 0.4, -0.1], [-0.6, 0.8, 0.9]])


def linear_faces(grid: Grid, held: dict[tuple[int, int], tuple[int, ...]]) -> dict:
    """Conditions that u = A x satisfies; held[axis, end]: components prescribed there, the others get the traction σ n."""
    d = grid.dimensions
    A = GRADIENT[:d, :d]
    strain = 0.5 * (A + A.T)
    stress = LAME * np.trace(strain) * np.eye(d) + 2.0 * SHEAR * strain
    setting: dict = {}
    for axis, end in product(range(d), (0, 1)):
        displacement, traction = {}, {}
        for c in range(d):
            if c in held.get((axis, end), ()):
                slope = {"xyz"[j]: A[c, j] for j in range(d) if j != axis}
                displacement["xyz"[c]] = {"value": A[c, axis] * end * grid.axes[axis].length, "slope": slope}
            else:
                traction["xyz"[c]] = (2 * end - 1) * stress[c, axis]
        setting.setdefault("xyz"[axis], {})[("low", "high")[end]] = {"displacement": displacement, "traction": traction}
    return setting


def supports(d: int):
    """Every choice of prescribed components, in the plane; a random sample in space."""
    keys = list(product(range(d), (0, 1)))
    if d == 2:
        subsets = [(), (0,), (1,), (0, 1)]
        yield from (dict(zip(keys, choice, strict=True)) for choice in product(subsets, repeat=4))
        return
    rng = np.random.default_rng(3)
    for _ in range(60):
        yield {key: tuple(np.flatnonzero(rng.random(3) < 0.35)) for key in keys}


def softest(grid: Grid, held: dict[tuple[int, int], tuple[int, ...]]) -> float:
    """The lowest eigenvalue of the stiffness of a single cell of this shape with the same conditions, relative to the highest."""
    d = grid.dimensions
    one = box(*(1,) * d, lengths=tuple(a.length for a in grid.axes))
    corners = np.array(list(product((0, 1), repeat=d)))
    free = np.ones((d, 2**d), bool)
    for (axis, end), components in held.items():
        for c in components:
            free[c, corners[:, d - 1 - axis] == end] = False
    K = assemble(one, LAME, SHEAR, np.ones((1,) * d)).toarray()
    values = np.linalg.eigvalsh(K[np.ix_(free.ravel(), free.ravel())]) if free.any() else np.ones(1)
    return values[0] / np.linalg.norm(K, 2)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_linear_displacements_are_exact_in_every_mix_of_conditions(dimensions):
    grid = box(*(6, 5, 4)[:dimensions])
    solved = refused = 0
    for held in supports(dimensions):
        faces = FaceConditions.of(linear_faces(grid, held), grid)
        try:
            body = BoundedElasticity(grid, (LAME, SHEAR), faces)
        except InputError as error:
            assert "as a whole" in str(error)
            assert softest(grid, held) < 1e-12
            refused += 1
            continue
        assert softest(grid, held) > 1e-6
        found = body.solve(1.0, tolerance=1e-13)
        A = GRADIENT[:dimensions, :dimensions]
        exact = np.moveaxis(body.loads.points() @ A.T, -1, 0)
        assert np.abs(found.displacement - exact).max() < 1e-12 * np.abs(exact).max()
        strain = 0.5 * (A + A.T)
        energy = 0.5 * LAME * np.trace(strain) ** 2 + SHEAR * np.sum(strain**2)
        assert found.energy == pytest.approx(energy * grid.volume, rel=1e-12)
        assert np.allclose(found.base_energy_density, energy, rtol=1e-11)
        pairs = [(0, 0), (1, 1), (0, 1)] if dimensions == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
        scale = [1.0 if i == j else 2.0**0.5 for i, j in pairs]
        expected = np.array([s * strain[p] for p, s in zip(pairs, scale, strict=True)])
        assert np.abs(np.moveaxis(found.strain, 0, -1) - expected).max() < 1e-11
        resultant = sum(found.reactions.values()) + found.solver.loads.force.reshape(dimensions, -1).sum(axis=1)
        assert np.abs(resultant).max() < 1e-11
        solved += 1
    assert solved > 30
    assert refused > 5


# --- against assembled matrices ---------------------------------------------------------------------------------------


def check_against_assembled(grid, setting, held=None, values=0.0):
    faces = FaceConditions.of(setting, grid)
    factor = np.maximum(random_factor(grid, 5), 1e-4)
    body = BoundedElasticity(grid, (LAME, SHEAR), faces, held=held, held_values=values)
    found = body.solve(factor, tolerance=1e-12)
    u, forces = solve(grid, LAME, SHEAR, factor, faces, held, values)
    assert np.abs(found.displacement - u).max() < 1e-9 * np.abs(u).max()
    assert np.abs(found.nodal_forces - forces).max() < 1e-9 * np.abs(forces).max()
    # Clapeyron: twice the energy is the work of supports and tractions.
    work = np.vdot(u, forces + body.loads.force)
    assert found.energy == pytest.approx(0.5 * work, rel=1e-9)
    assert (found.energy_density.sum() * grid.cell_volume) == pytest.approx(found.energy, rel=1e-11)
    total = sum(found.reactions.values()) + body.loads.force.reshape(grid.dimensions, -1).sum(axis=1)
    assert np.abs(total).max() < 1e-8 * np.abs(forces).max()
    assert body.solve(factor, tolerance=1e-6, start=found).iterations == 0
    return found


PLANE = {
    "sent": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}},
    "one face": {"x": {"low": "clamped", "high": {"traction": {"x": 0.3, "y": -1.0}}}},
    "sliding": {"x": {"low": "sliding", "high": {"traction": {"y": 0.4}}}, "y": {"low": "sliding"}},
    "slopes": {
        "x": {"low": {"displacement": {"x": {"value": -0.2, "slope": {"y": 0.1}}}}, "high": "clamped"},
        "y": {"high": {"displacement": {"y": 0.0}, "traction": {"x": 2.0}}},
    },
    "shear": {
        "x": {"low": "free", "high": {"displacement": {"y": 0.0}}},
        "y": {"low": "clamped", "high": {"displacement": {"x": 1.0, "y": 0.0}}},
    },
}


@pytest.mark.parametrize("name", PLANE)
def test_plane_bodies_agree_with_assembled_matrices(name):
    check_against_assembled(box(17, 12), PLANE[name])


SPACE = {
    "one face": {"z": {"low": "clamped", "high": {"traction": {"x": 0.3, "y": -1.0, "z": 0.5}}}},
    "mixed": {
        "x": {"low": "sliding", "high": {"displacement": {"x": {"value": 0.1, "slope": {"z": 0.02}}, "y": 0.0}}},
        "y": {"low": {"displacement": {"z": 0.0, "y": 0.0}}, "high": {"traction": {"x": 0.2}}},
        "z": {"high": {"displacement": {"x": {"value": 0.06, "slope": {"x": 0.02}}}, "traction": {"y": 0.1}}},
    },
}
SPACE["mixed"]["z"]["high"]["displacement"] = {}


@pytest.mark.parametrize("name", SPACE)
def test_bodies_in_space_agree_with_assembled_matrices(name):
    check_against_assembled(box(6, 5, 7), SPACE[name])


def test_held_nodes_agree_with_assembled_matrices():
    grid = box(16, 9)
    held = np.zeros((2, 10, 17), bool)
    held[1, 0, [1, 15]] = True
    held[0, 0, 1] = True
    held[1, -1, 8] = True
    values = np.zeros(held.shape)
    values[1, -1, 8] = -0.3
    found = check_against_assembled(grid, {}, held, values)
    assert found.reactions["held"][1] == pytest.approx(0.0, abs=1e-8)
    grid = box(5, 4, 6)
    held = np.zeros((3, 7, 5, 6), bool)
    held[:, 0, 1:3, 2] = True
    held[2, 3, 2, 3] = True
    values = np.zeros(held.shape)
    values[2, 3, 2, 3] = 0.1
    check_against_assembled(grid, {"z": {"high": {"traction": {"x": 1.0}}}}, held, values)
    check_against_assembled(grid, {"x": {"low": "clamped"}}, held & (np.arange(3) == 2)[:, None, None, None], values)


def test_voids_of_no_stiffness_at_all():
    grid = box(24, 24, lengths=(1.0, 1.0))
    factor = np.ones(grid.shape)
    factor[12, :12] = 0.0
    factor[3:6, 15:20] = 0.0
    faces = FaceConditions.of(PLANE["sent"], grid)
    body = BoundedElasticity(grid, (LAME, SHEAR), faces)
    found = body.solve(factor, tolerance=1e-10)
    u, forces = solve(grid, LAME, SHEAR, np.maximum(factor, 1e-12), faces)
    assert found.energy == pytest.approx(0.5 * np.vdot(u, forces), rel=1e-8)
    assert found.reactions["y.high"] == pytest.approx(forces[:, -1].sum(axis=1), rel=1e-7)
