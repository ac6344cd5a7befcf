"""Damage of short steps: the solution and criterion of the full solver, which cells are touched, and the bits of results."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from phasefield.energy.fracture import CrackEnergy, Degradation
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import damage_steps, damage_steps_kernels
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_steps import DamageSteps
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid

CELLS = {1: (150,), 2: (70, 60), 3: (34, 30, 26)}
BOUNDARIES = [("periodic", "no_flux", "periodic"), ("no_flux", "periodic", "no_flux"), ("no_flux",) * 3]
ETA = 0.01


def box(dimensions: int, boundaries) -> Grid:
    axes = zip("xyz", CELLS[dimensions], boundaries, strict=False)
    return Grid(tuple(Axis(name, n, n * 0.5, kind) for name, n, kind in axes))


def body(dimensions: int, boundaries, dissipation: str, varied: bool = True) -> CrackEnergy:
    grid, rng = box(dimensions, boundaries), np.random.default_rng(dimensions)
    if not varied:
        return CrackEnergy(grid, 1.3, 1.1, dissipation)
    solid = rng.uniform(size=grid.shape) > 0.05
    return CrackEnergy(grid, rng.uniform(0.5, 2.0, grid.shape), 1.1, dissipation, solid)


def energies(grid: Grid, step: float) -> np.ndarray:
    """ψ⁺ of a tip that moves along x, 0.3 cells a step, and a little everywhere."""
    r2 = np.zeros(grid.shape)
    for position, (axis, n) in enumerate(zip(grid.axes, reversed(grid.shape), strict=True)):
        centre = 0.2 * n + 0.3 * step if axis.name == "x" else 0.45 * n
        distance = np.abs(np.arange(n) - centre % n)
        distance = np.minimum(distance, n - distance) if axis.boundary == "periodic" else distance
        r2 = r2 + (distance**2).reshape((-1,) + (1,) * position)
    return 40.0 * np.exp(-r2 / 6.0) + 0.02 * (1.0 + np.sin(0.05 * step))


def residual(solver: DamageSolver, x, accepted, psi, rate=0.0) -> np.ndarray:
    """x − P(x − g/d), face by face."""
    cracks, grid = solver.cracks, solver.cracks.grid
    H = (1 - ETA) * np.maximum(solver.irreversibility.drive(psi), 0.0)
    H = H if cracks.solid is None else np.where(cracks.solid, H, 0.0)
    D = cracks.local.quadratic + 2 * H + rate
    g, d = D * x - (2 * H - cracks.local.linear + rate * accepted), D.copy()
    for position, face in enumerate(cracks.gradient.faces(grid)):
        along = grid.dimensions - 1 - position
        flux = face * (x - np.roll(x, -1, along))
        g, d = g + flux - np.roll(flux, 1, along), d + face + np.roll(face, 1, along)
    t = np.where(d > 0, g / np.where(d > 0, d, 1.0), 0.0)
    return x - np.clip(x - t, solver.irreversibility.lower(accepted), 1.0)


def run(solver: DamageSolver, steps: DamageSteps, count: int, tolerance: float, rate: float = 0.0):
    """Yields (φₙ₋₁, φₙ, ψ⁺, result) of `count` steps after one that the full solver made."""
    grid = solver.cracks.grid
    zero = np.zeros(grid.shape)
    before = accepted = DamageSolver(solver.cracks, Degradation(ETA)).solve(zero, zero, energies(grid, 0.0)).phi
    for k in range(1, count + 1):
        psi = energies(grid, k)
        result = steps.follow(before, accepted, psi, tolerance, rate=rate)
        yield before, accepted, psi, result
        solver.accept(psi)
        before, accepted = accepted, result.phi


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("boundaries", BOUNDARIES)
@pytest.mark.parametrize("rate", [0.0, 0.7])
def test_every_cell_satisfies_the_criterion(dissipation, dimensions, boundaries, rate):
    """Where Gc varies and cells are empty; the bounds hold exactly; few sweeps, and the full solver is not called."""
    cracks = body(dimensions, boundaries, dissipation)
    solver = DamageSolver(cracks, Degradation(ETA))
    solver.solve = None
    worst = 0.0
    for _, accepted, psi, result in run(solver, DamageSteps(solver), 8, 1e-4, rate):
        found = np.abs(residual(solver, result.phi, accepted, psi, rate)).max()
        worst = max(worst, found)
        assert found <= 1e-4 * (1 + 1e-9)
        assert np.all(result.phi >= accepted)
        assert np.all(result.phi <= 1.0)
    # The tolerance is used, or the test would say little of it.
    assert worst > 1e-5
    assert result.phi.max() > 0.9


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_the_solution_is_that_of_the_full_solver(dissipation, dimensions, boundaries, monkeypatch):
    """Held to 1e-10 both agree to 1e-8, at every one of several states."""
    monkeypatch.setattr(damage_steps, "LARGEST_SWEEPS", 10_000)
    cracks = body(dimensions, boundaries, dissipation)
    solver = DamageSolver(cracks, Degradation(ETA))
    for _, accepted, psi, result in run(solver, DamageSteps(solver), 4, 1e-10):
        full = solver.solve(accepted, accepted, psi, 1e-12).phi
        np.testing.assert_allclose(result.phi, full, rtol=0, atol=1e-8)


@pytest.mark.parametrize("rule", names("irreversibility"))
def test_all_rules_of_irreversibility(rule):
    """The full solver from the same state; the tip comes back to where it was, so that rules differ."""
    solver = DamageSolver(body(2, BOUNDARIES[0], "AT1"), Degradation(ETA), rule)
    solver.begin(np.zeros(solver.cracks.grid.shape))
    for _, accepted, psi, result in run(solver, DamageSteps(solver), 6, 1e-9):
        full = solver.solve(accepted, accepted, psi, 1e-12).phi
        np.testing.assert_allclose(result.phi, full, rtol=0, atol=1e-7)
    lower = solver.irreversibility.lower(result.phi)
    steps = DamageSteps(solver)
    after = steps.follow(result.phi, result.phi, 0.0 * psi, 1e-9).phi
    assert np.all(after >= lower)
    assert (after.max() < 0.5) == (rule == "reversible")


def test_cells_far_from_any_change_are_left_alone():
    """They keep φₙ and what it grew by in the last step, to the bit; and where nothing changes nothing is done."""
    solver = DamageSolver(body(2, BOUNDARIES[2], "AT2", varied=False), Degradation(ETA))
    steps = DamageSteps(solver)
    states = list(run(solver, steps, 30, 1e-4))
    few = 0
    for before, accepted, psi, result in states:
        start = np.clip(accepted + (accepted - before), accepted, 1.0)
        marked = np.abs(residual(solver, start, accepted, psi)) > 0.5e-4 * (1 + 1e-9)
        changed = result.phi != start
        assert changed.sum() <= result.cells
        if 0 < result.cells < 0.6 * psi.size:
            few += 1
            assert not changed[~binary_dilation(marked, iterations=40)].any()
    assert few > 10
    accepted, psi = states[-1][3].phi, states[-1][2]
    again = steps.follow(accepted, accepted, psi, 2.1e-4)
    assert (again.iterations, again.cells) == (0, 0)
    np.testing.assert_array_equal(again.phi, accepted)


def test_a_residual_that_spreads_takes_more_cells_with_it():
    """ψ⁺ jumps in one cell: what changes is far wider than the cells first solved for."""
    solver = DamageSolver(body(2, BOUNDARIES[2], "AT2", varied=False), Degradation(ETA))
    psi = np.zeros(solver.cracks.grid.shape)
    zero = np.zeros_like(psi)
    psi[30, 35] = 1e4
    result = DamageSteps(solver).follow(zero, zero, psi, 1e-6)
    assert result.cells > 4 * (2 * damage_steps.WIDTH + 1) ** 2
    assert np.abs(residual(solver, result.phi, zero, psi)).max() <= 1e-6


@pytest.mark.parametrize("gap", [0, 5])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("wraps", list(itertools.product([False, True], repeat=2)))
def test_cells_near_flags(gap, dimensions, wraps):
    """Against a dilation written out with copies of the box; the next width holds all neighbours, also where gaps are filled."""
    n0, n1, nx = {1: (1, 1, 61), 2: (23, 1, 61), 3: (13, 11, 61)}[dimensions]
    wrap0, wrapx = wraps
    periodic = np.array([wrap0 and n0 > 1, wrap0 and n1 > 1, wrapx])
    rng = np.random.default_rng(5)
    true = rng.uniform(size=(n0, n1, nx)) < 0.4 / (n0 * n1) ** 0.5 / 10
    true[0, 0, 1] = True
    flagged = true.any(axis=2).ravel()
    # Rows without flags hold what is left of former steps.
    flags = np.where(flagged.reshape(n0, n1, 1), true, rng.uniform(size=true.shape) < 0.5).astype(np.uint8)
    masks = []
    for width in (2, 3):
        counts, lengths = np.zeros(n0 * n1, np.int32), np.zeros(n0 * n1, np.int32)
        edges = np.zeros((n0 * n1, 60), np.int32)
        line = np.zeros(80, np.uint8)
        damage_steps_kernels.spread(flags, flagged, width, gap, periodic, 0, n0, line, counts, lengths, edges)
        mask = np.zeros((n0 * n1, nx), bool)
        for row, found in enumerate(counts):
            for begin, end in edges[row, : 2 * found].reshape(-1, 2):
                assert not mask[row, begin:end].any()
                mask[row, begin:end] = True
        np.testing.assert_array_equal(mask.sum(axis=1), lengths)
        masks.append(mask.reshape(true.shape))
        pad = [(width, width)] * 3
        wide = true
        for axis in range(3):
            only = [pad[a] if a == axis else (0, 0) for a in range(3)]
            wide = np.pad(wide, only, mode="wrap" if periodic[axis] else "constant")
        near = binary_dilation(wide, np.ones((3, 3, 3)), width)[tuple(slice(width, -width) for _ in range(3))]
        if gap == 0:
            np.testing.assert_array_equal(masks[-1], near)
        else:
            assert not np.any(near & ~masks[-1])
    for axis, shift in itertools.product(range(3), (1, -1)):
        moved = np.roll(masks[0], shift, axis)
        if not periodic[axis]:
            index = [slice(None)] * 3
            index[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
            moved[tuple(index)] = False
        assert not np.any(moved & ~masks[1])


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_mirror_images_have_the_same_bits(dimensions, axis, boundaries):
    cracks = body(dimensions, boundaries, "AT1", varied=False)
    noise = np.random.default_rng(7).uniform(0.5, 1.5, cracks.grid.shape)
    fields = []
    for flip in (False, True):
        solver = DamageSolver(cracks, Degradation(ETA))
        steps, before = DamageSteps(solver), np.zeros(cracks.grid.shape)
        accepted = before
        for k in range(6):
            psi = energies(cracks.grid, k) * noise
            result = steps.follow(before, accepted, np.flip(psi, axis) if flip else psi, 1e-4, rate=0.1)
            assert 0 < result.cells < psi.size
            before, accepted = accepted, result.phi
        fields.append(np.flip(accepted, axis) if flip else accepted)
    np.testing.assert_array_equal(*fields)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_same_bits_for_any_number_of_threads(dimensions, monkeypatch):
    monkeypatch.setattr(damage_steps, "SERIAL_CELLS", 0)
    found = []
    for threads in (1, 2, 3):
        solver = DamageSolver(body(dimensions, BOUNDARIES[0], "AT2"), Degradation(ETA))
        steps = DamageSteps(solver, threads)
        states = list(run(solver, steps, 6, 1e-5))
        assert len(steps._near.shares) == threads + 1
        found.append([(state[3].iterations, state[3].cells, state[3].phi) for state in states])
        steps.close()
    for other in found[1:]:
        for mine, first in zip(other, found[0], strict=True):
            assert mine[:2] == first[:2]
            np.testing.assert_array_equal(mine[2], first[2])


def test_the_full_solver_goes_on_where_sweeps_do_not_suffice(monkeypatch):
    """From what they found, so that it needs less than from the start."""
    grid = Grid((Axis("x", 60, 60.0, "no_flux"), Axis("y", 60, 60.0, "no_flux")))
    solver = DamageSolver(CrackEnergy(grid, 1.0, 12.0, "AT2"), Degradation(ETA))
    psi, zero = np.zeros(grid.shape), np.zeros(grid.shape)
    psi[30, 30] = 1e3
    result = DamageSteps(solver).follow(zero, zero, psi, 1e-9)
    assert result.cells == psi.size
    assert result.iterations > damage_steps.LARGEST_SWEEPS
    assert np.abs(residual(solver, result.phi, zero, psi)).max() <= 1e-9
    assert result.iterations - damage_steps.LARGEST_SWEEPS < solver.solve(zero, zero, psi, 1e-9).iterations


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_errors(bad):
    solver = DamageSolver(body(2, BOUNDARIES[0], "AT2", varied=False))
    psi, zero = np.zeros(solver.cracks.grid.shape), np.zeros(solver.cracks.grid.shape)
    psi[3, 4] = bad
    with pytest.raises(NumericalError, match="finite"):
        DamageSteps(solver).follow(zero, zero, psi)


def test_bad_input():
    solver = DamageSolver(body(2, BOUNDARIES[0], "AT2", varied=False))
    steps, zero = DamageSteps(solver), np.zeros(solver.cracks.grid.shape)
    with pytest.raises(InputError, match="damage before has the shape"):
        steps.follow(zero[1:], zero, zero)
    with pytest.raises(InputError, match="energy has the shape"):
        steps.follow(zero, zero, zero[0])
    with pytest.raises(InputError, match="tolerance"):
        steps.follow(zero, zero, zero, 0.0)
    with pytest.raises(InputError, match="rate"):
        steps.follow(zero, zero, zero, rate=np.inf)
