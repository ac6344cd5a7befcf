"""Elasticity of boxes with true faces: transforms, elements, conditions, against assembled matrices and known stiffness."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg
from bounded_reference import assemble, solve

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import bounded_passes
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
        x = np.zeros_like(p)
        laplacian.turn(0.0, 0.0, none, 0, nodes[0], x, p)
        z = np.linalg.solve(total, r[inner].ravel())
        assert np.abs(p[inner].ravel() - z).max() < 1e-12 * np.abs(z).max()
        assert square == pytest.approx(r[inner].ravel() @ z, rel=1e-12)
        assert np.count_nonzero(p) <= z.size
        laplacian.to_waves(r, none, 0, nodes[0])
        for block in laplacian.blocks():
            laplacian.divide(*block)
        before = p.copy()
        laplacian.turn(0.25, 2.0, none, 0, nodes[0], x, p)
        assert np.abs(p - 3.0 * before).max() < 1e-12 * np.abs(before).max()
        assert np.array_equal(x, 0.25 * before)


# --- elements ---------------------------------------------------------------------------------------------------------

ALL_CLAMPED = dict.fromkeys("xyz", "clamped")


def clamped(grid: Grid) -> FaceConditions:
    return FaceConditions.of({a.name: "clamped" for a in grid.axes}, grid)


@pytest.mark.parametrize("cells", [(7, 5), (1, 1), (3, 40), (4, 3, 5), (1, 1, 1), (2, 6, 1)])
def test_the_stencil_is_the_assembled_matrix(cells, monkeypatch):
    monkeypatch.setattr(bounded_passes, "BLOCK_BYTES", 1)  # one row of cells per block
    grid = box(*cells)
    factor = random_factor(grid)
    factor[(0,) * len(cells)] = 1.0
    body = BoundedElasticity(grid, (LAME, SHEAR), clamped(grid))
    assert len(body.passes.rows) == grid.shape[0]
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
        if softest(grid, held) < 1e-12:
            with pytest.raises(InputError, match="as a whole"):
                BoundedElasticity(grid, (LAME, SHEAR), faces)
            refused += 1
            continue
        body = BoundedElasticity(grid, (LAME, SHEAR), faces)
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


# --- known numbers ----------------------------------------------------------------------------------------------------

STEEL = (210.0 * 0.3 / (1.3 * 0.4), 210.0 / 2.6)  # E = 210 kN/mm², ν = 0.3
TENSION = {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}}
SHEARED = {"y": {"low": "clamped", "high": {"displacement": {"x": 1.0, "y": 0.0}}}}


def specimen(n: int, setting: dict) -> BoundedElasticity:
    grid = box(n, n, lengths=(1.0, 1.0))
    return BoundedElasticity(grid, STEEL, FaceConditions.of(setting, grid))


def slit(n: int) -> np.ndarray:
    """A row of cells without stiffness but for 1e-9 over half the width."""
    factor = np.ones((n, n))
    factor[n // 2, : n // 2] = 1e-9
    return factor


def damaged(n: int, length: float = 0.015) -> np.ndarray:
    """(1 − φ)² of the crack φ = 1 on the same cells: φ − ℓ²Δφ = 0 elsewhere, no flux out of the box."""
    line = sparse.diags([np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1), -np.ones(n - 1)], [0, 1, -1])
    eye = sparse.eye_array(n)
    operator = sparse.csr_matrix(
        sparse.eye_array(n * n) + (length * n) ** 2 * (sparse.kron(line, eye) + sparse.kron(eye, line))
    )
    seed = slit(n).ravel() < 1.0
    phi = seed.astype(float)
    right = -(operator[~seed][:, seed] @ phi[seed])
    phi[~seed] = scipy.sparse.linalg.spsolve(operator[~seed][:, ~seed].tocsc(), right)
    return (1.0 - 1e-9) * (1.0 - phi.reshape(n, n)) ** 2 + 1e-9


@pytest.mark.parametrize(
    ("n", "tension", "shear"), [(64, 141.105, 44.84), (128, 141.254, 45.28), (256, 141.346, 45.54)]
)
def test_stiffness_and_iterations_of_notched_specimens(n, tension, shear):
    """Stiffness in kN/mm from another implementation; iterations of cold starts to 1e-6 of the ramp."""
    pull, slide = specimen(n, TENSION), specimen(n, SHEARED)
    found = pull.solve(slit(n))
    assert found.reactions["y.high"][1] == pytest.approx(tension, rel=1e-5)
    assert 2.0 * found.energy == pytest.approx(tension, rel=1e-5)
    assert found.reactions["y.low"][1] == pytest.approx(-found.reactions["y.high"][1], rel=1e-9)
    # 52, 70, 96 on 64², 128², 256²
    assert found.iterations <= 100 * np.sqrt(n / 256) + 5
    assert slide.solve(slit(n)).reactions["y.high"][0] == pytest.approx(shear, abs=0.006)
    # 58, 86, 120
    assert pull.solve(damaged(n)).iterations <= 130 * np.sqrt(n / 256) + 5
    assert max(pull.solve(1.0).iterations, slide.solve(1.0).iterations) <= 18
    assert pull.solve(slit(n) * 0.999, start=found).iterations == 0
    again = pull.solve(slit(n), load=-2.0, start=found)
    assert again.iterations == 0
    assert again.energy == pytest.approx(4.0 * found.energy, rel=1e-12)


def test_the_top_free_to_slide_is_softer():
    setting = {"y": {"low": "clamped", "high": {"displacement": {"y": 1.0}}}}
    assert specimen(256, setting).solve(slit(256)).reactions["y.high"][1] == pytest.approx(137.65, rel=1e-3)


def bent(cells: tuple[int, ...], plane: str) -> float:
    """Energy of a bar whose ends are turned by slopes of u_x, relative to ½ E′Iκ²L."""
    lengths = (3.0, 1.0, 0.5)[: len(cells)]
    grid = box(*cells, lengths=lengths)
    L, H = lengths[:2]
    end = {"value": -0.5 * H * L, "slope": {"y": L}}
    faces = FaceConditions.of({"x": {"low": "sliding", "high": {"displacement": {"x": end}}}}, grid)
    held = np.zeros((len(cells), *(n + 1 for n in grid.shape)), bool)
    held[(slice(1, None), *(0,) * len(cells))] = True
    if len(cells) == 3:
        held[2, 0, -1, 0] = True  # nor turn about x
    body = BoundedElasticity(grid, STEEL, faces, plane=plane, held=held)
    found = body.solve(1.0, tolerance=1e-10)
    assert np.abs(found.reactions["held"]).max() < 1e-6 * 210.0
    modulus = 210.0 / (1.0 - 0.09) if plane == "strain" and len(cells) == 2 else 210.0
    thickness = lengths[2] if len(cells) == 3 else 1.0
    return found.energy / (0.5 * modulus * thickness * H**3 / 12.0 * L)


@pytest.mark.parametrize("plane", ["strain", "stress"])
def test_pure_bending_in_the_plane(plane):
    """u_x = κx(y − H/2) is exact in the plane; the error of the elements falls with h²."""
    errors = [bent((3 * n, n), plane) - 1.0 for n in (8, 16, 32)]
    assert errors[2] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.02)


def test_pure_bending_in_space():
    errors = [bent((3 * n, n, n // 2), "strain") - 1.0 for n in (6, 12)]
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_a_cantilever_bends_and_shears_as_timoshenko_says():
    """Tip displacement P L³/3EI + P L/(k G A), k = 10(1 + ν)/(12 + 11ν) (Cowper 1966, doi:10.1115/1.3625046)."""
    L, H, P, E, nu = 10.0, 1.0, 0.01, 210.0, 0.3
    I, k = H**3 / 12.0, 10.0 * (1.0 + nu) / (12.0 + 11.0 * nu)  # noqa: E741
    theory = P * L**3 / (3.0 * E * I) + P * L / (k * STEEL[1] * H)
    tips = []
    for n in (8, 16):
        grid = box(5 * n, n, lengths=(L, H))
        faces = FaceConditions.of({"x": {"low": "clamped", "high": {"traction": {"y": P / H}}}}, grid)
        found = BoundedElasticity(grid, STEEL, faces, plane="stress").solve(1.0)
        assert found.reactions["x.low"] == pytest.approx([0.0, -P], abs=1e-7)
        tips.append(found.displacement[1, :, -1].mean())
    assert (4.0 * tips[1] - tips[0]) / 3.0 == pytest.approx(theory, rel=2e-3)


# --- promises ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [(40, 36), (10, 9, 12)])
def test_the_bits_do_not_depend_on_the_threads(cells, monkeypatch):
    monkeypatch.setattr(bounded_passes, "SERIAL_CELLS", 0)
    monkeypatch.setattr(bounded_passes, "BLOCK_BYTES", 40_000)
    monkeypatch.setattr("phasefield.mechanics.bounded_preconditioner.BLOCK_BYTES", 4096)
    grid = box(*cells)
    setting = {"x": {"low": "clamped", "high": {"displacement": {"y": 1.0}, "traction": {"x": 0.2}}}}
    faces = FaceConditions.of(setting, grid)
    found = []
    for threads in (1, 2, 3):
        body = BoundedElasticity(grid, (LAME, SHEAR), faces, threads=threads)
        assert len(body.passes.rows) > 3
        assert len(body.passes.columns) > 4
        one = body.solve(random_factor(grid, 2) + 1e-3)
        found.append((one.displacement, one.energy, one.nodal_forces, one.iterations, one.base_energy_density))
        body.close()
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_mirrored_bodies_have_mirrored_solutions():
    grid = box(18, 14)
    factor = random_factor(grid, 4) + 1e-2
    one = BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of(PLANE["sent"], grid)).solve(factor, tolerance=1e-12)
    upside_down = {"y": {"high": "clamped", "low": {"displacement": {"x": 0.0, "y": -1.0}}}}
    body = BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of(upside_down, grid))
    two = body.solve(factor[::-1], tolerance=1e-12)
    assert np.abs(two.displacement[0, ::-1] - one.displacement[0]).max() < 1e-10
    assert np.abs(two.displacement[1, ::-1] + one.displacement[1]).max() < 1e-10


def test_stress_of_a_stretched_bar():
    """σ_xx = E e in a bar free at its sides; in plane strain E/(1 − ν²)."""
    grid = box(4, 3, lengths=(2.0, 1.0))
    setting = {"x": {"low": "sliding", "high": {"displacement": {"x": 0.02}}}, "y": {"low": "sliding"}}
    faces = FaceConditions.of(setting, grid)
    for plane, modulus in (("strain", 210.0 / 0.91), ("stress", 210.0)):
        found = BoundedElasticity(grid, STEEL, faces, plane=plane).solve(0.5, tolerance=1e-12)
        assert np.abs(found.stress[0] - 0.5 * modulus * 0.01).max() < 1e-11
        assert np.abs(found.stress[1:]).max() < 1e-11
        assert found.reactions["x.high"][0] == pytest.approx(0.5 * modulus * 0.01, rel=1e-11)


def test_starts_from_displacements():
    grid = box(12, 10)
    faces = FaceConditions.of(PLANE["sent"], grid)
    body = BoundedElasticity(grid, (LAME, SHEAR), faces)
    factor = random_factor(grid) + 1e-2
    cold = body.solve(factor, tolerance=1e-11)
    kept = cold.displacement.copy()
    noisy = kept + 0.1 * np.random.default_rng(0).normal(size=kept.shape)
    warm = body.solve(factor, tolerance=1e-11, start=noisy)
    assert np.abs(warm.displacement - cold.displacement).max() < 1e-9
    body.solve(factor, load=3.0, start=cold)
    assert np.array_equal(cold.displacement, kept)
    nothing = body.solve(factor, load=0.0)
    assert nothing.iterations == 0
    assert not nothing.displacement.any()
    assert body.memory_bytes > 6 * kept.nbytes


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_FACES = [
    ({"w": "free"}, r"faces\.w: unknown axis"),
    ({"y": {"low": "free", "top": "free"}}, r"faces\.y\.top: unknown end 'top'"),
    ({"y": "clampd"}, r"faces\.y\.low: unknown form 'clampd'; did you mean 'clamped'"),
    ({"y": {"displacment": {"x": 0}}}, r"faces\.y\.low\.displacment: unknown key"),
    ({"y": {"displacement": {"z": 0}}}, r"faces\.y\.low\.displacement\.z: unknown component"),
    ({"y": {"displacement": {"x": "a"}}}, r"faces\.y\.low\.displacement\.x: must be a finite number"),
    ({"y": {"traction": {"x": float("nan")}}}, r"faces\.y\.low\.traction\.x: must be a finite number"),
    ({"y": {"low": {"displacement": {"x": 0}, "traction": {"x": 1}}}}, r"traction\.x: contradicts"),
    ({"y": {"low": {"displacement": {"x": {"valu": 0}}}}}, r"displacement\.x\.valu: unknown key"),
    ({"y": {"low": {"displacement": {"x": {"slope": {"y": 1}}}}}}, r"slope\.y: the face is at one y"),
    ({"y": {"low": {"displacement": {"x": {"slope": {"q": 1}}}}}}, r"slope\.q: unknown axis"),
    ({"y": {"low": {"displacement": {"x": {"slope": 3}}}}}, r"slope: expected slopes by axis"),
    ({"y": {"low": {"displacement": 3}}}, r"displacement: expected values by component"),
    ({"y": 3}, r"faces\.y\.low: expected one of clamped"),
    ([], r"faces: expected faces by axis"),
    (
        {"x": "clamped", "y": {"high": {"displacement": {"x": 1.0}}}},
        r"faces\.x\.low and faces\.y\.high: the displacements along x differ",
    ),
    (
        {"x": {"low": {"displacement": {"y": {"slope": {"y": 1.0}}}}}, "y": "clamped"},
        r"faces\.x\.low and faces\.y\.high: the displacements along y differ",
    ),
]


@pytest.mark.parametrize(("setting", "message"), BAD_FACES, ids=[m for _, m in BAD_FACES])
def test_face_conditions_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        FaceConditions.of(setting, box(4, 3))


LOOSE = [
    ((4, 3), {}, "move along x"),
    ((4, 3), {"y": "sliding"}, "move along x"),
    ((4, 3), {"x": {"low": "sliding"}}, "move along y"),
    ((4, 3), {"x": {"low": {"displacement": {"y": 0}}}}, "move along x"),
    ((4, 3, 3), {"z": "sliding"}, "move along x"),
    ((4, 3, 3), {"z": {"low": "sliding"}, "y": {"low": "sliding"}}, "move along x"),
]


@pytest.mark.parametrize(("cells", "setting", "motion"), LOOSE)
def test_bodies_that_can_move_as_a_whole_are_refused(cells, setting, motion):
    grid = box(*cells)
    with pytest.raises(InputError, match=f"the body can {motion} as a whole"):
        BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of(setting, grid))


@pytest.mark.parametrize(("nodes", "motion"), [(1, "turn about z"), (2, None)])
def test_bodies_on_points_that_can_turn_are_refused(nodes, motion):
    grid = box(4, 3)
    held = np.zeros((2, 4, 5), bool)
    held[:, 1, 1] = True
    held[1, 1, 3] = nodes == 2
    if motion is None:
        BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of({}, grid), held=held)
        return
    with pytest.raises(InputError, match=motion):
        BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of({}, grid), held=held)


def test_other_bad_input_is_refused():
    grid = box(4, 3)
    faces = FaceConditions.of({"y": {"low": "clamped", "high": {"traction": {"y": 1.0}}}}, grid)
    make = lambda **k: BoundedElasticity(grid, k.pop("lame", (LAME, SHEAR)), k.pop("faces", faces), **k)  # noqa: E731
    with pytest.raises(InputError, match="two or three axes"):
        BoundedElasticity(box(4), (LAME, SHEAR), faces)
    with pytest.raises(InputError, match="another box"):
        BoundedElasticity(box(4, 4), (LAME, SHEAR), faces)
    for lame in ((1.0, 0.0), (-1.0, 1.0), (np.nan, 1.0)):
        with pytest.raises(InputError, match="Lamé constants"):
            make(lame=lame)
    with pytest.raises(InputError, match="strain or stress"):
        make(plane="stres")
    solid = box(2, 2, 2)
    with pytest.raises(InputError, match="not plane"):
        BoundedElasticity(solid, (LAME, SHEAR), clamped(solid), plane="stress")
    held = np.zeros((2, 4, 5), bool)
    with pytest.raises(InputError, match="held: must be a bool array"):
        make(held=held[0])
    with pytest.raises(InputError, match="does not fit"):
        make(held=held, held_values=np.zeros(3))
    held[1, 0, 0] = True
    with pytest.raises(InputError, match="another displacement"):
        make(held=held, held_values=1.0)
    with pytest.raises(InputError, match="must be finite"):
        make(held=held, held_values=np.nan)
    with pytest.raises(InputError, match="with a traction"):
        make(held=np.roll(held, -1, axis=1))
    body = make()
    for factor in (-1.0, 0.0, np.inf, np.nan, np.ones((4, 3))):
        with pytest.raises(InputError, match="factor of the stiffness"):
            body.solve(factor)
    hole = np.ones(grid.shape)
    hole[-1, 2] = 0.0
    with pytest.raises(InputError, match=r"faces\.y\.high\.traction\.y: acts on cells without any stiffness"):
        body.solve(hole)
    with pytest.raises(InputError, match="tolerance"):
        body.solve(1.0, tolerance=0.0)
    with pytest.raises(InputError, match="starting point"):
        body.solve(1.0, start=np.zeros((2, 3, 4)))
    with pytest.raises(NumericalError, match="after 2 iterations"):
        body.solve(1.0, max_iterations=2)
    cut = np.ones(grid.shape)
    cut[1] = 0.0
    with pytest.raises(NumericalError, match="nothing holds"):
        body.solve(cut)
