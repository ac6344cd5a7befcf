"""The damage solver: optimality against SciPy and dense matrices, what it promises, and the bits of its results."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from phasefield.energy.fracture import CrackEnergy, Degradation, HomogeneousResponse
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import damage_operator
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_operator import DamageOperator
from phasefield.mechanics.splits import make_split
from phasefield.registry import lookup, names
from phasefield.spectral.grid import Axis, Grid

WAYS = list(itertools.product(names("damage_method"), names("damage_preconditioner")))
MIXES = [("periodic", "no_flux", "periodic"), ("no_flux", "periodic", "no_flux")]


def box(dimensions: int, boundaries, cells=(9, 7, 5)) -> Grid:
    axes = zip("xyz", cells, boundaries, strict=False)
    return Grid(tuple(Axis(n, c, c * 0.5, b) for n, c, b in itertools.islice(axes, dimensions)))


def matrix(cracks: CrackEnergy, H: np.ndarray) -> np.ndarray:
    """A written out: one column per cell, faces by hand."""
    grid, n = cracks.grid, cracks.grid.cells
    index = np.arange(n).reshape(grid.shape)
    kappa = np.broadcast_to(cracks.gradient.coefficient, grid.shape)
    A = np.diag(np.broadcast_to(cracks.local.quadratic, grid.shape).ravel() + 2 * H.ravel())
    for position, axis in enumerate(grid.axes):
        along = grid.dimensions - 1 - position
        for cell in np.ndindex(grid.shape):
            other = list(cell)
            other[along] += 1
            if other[along] == axis.cells:
                if axis.boundary != "periodic":
                    continue
                other[along] = 0
            a, b = kappa[cell], kappa[tuple(other)]
            w = 0.0 if a * b == 0 else 2 * a * b / (a + b) / axis.spacing**2
            i, j = index[cell], index[tuple(other)]
            A[i, i] += w
            A[j, j] += w
            A[i, j] -= w
            A[j, i] -= w
    return A


def problem(seed: int, dimensions: int, boundaries, dissipation: str, holes: bool = False):
    """A body of varying toughness with seeds, earlier damage and peaks of energy, some above and some below the limit."""
    grid, rng = box(dimensions, boundaries), np.random.default_rng(seed)
    solid = rng.uniform(size=grid.shape) > 0.15 if holes else None
    cracks = CrackEnergy(grid, rng.uniform(0.5, 2, grid.shape), 1.1, dissipation, solid)
    psi = 10.0 ** rng.uniform(-4, 3, grid.shape)
    accepted = rng.uniform(0, 1, grid.shape) * (rng.uniform(size=grid.shape) > 0.5)
    accepted.flat[3] = 1.0
    if solid is not None:
        accepted[~solid] = 0.0
    return cracks, psi, accepted


@pytest.mark.parametrize(("method", "preconditioner"), WAYS)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("boundaries", MIXES)
def test_optimality_conditions(method, preconditioner, dissipation, dimensions, boundaries):
    """g = 0 inside, g ≥ 0 at the lower bound, g ≤ 0 at the upper one, with A written out."""
    cracks, psi, accepted = problem(dimensions, dimensions, boundaries, dissipation, holes=True)
    solver = DamageSolver(cracks, Degradation(0.01), method=method, preconditioner=preconditioner)
    result = solver.solve(accepted, accepted, psi, 1e-12)
    assert result.residual <= 1e-12
    assert result.iterations > 0
    H = 0.99 * psi * cracks.solid
    A = matrix(cracks, H)
    A[np.diag(A) == 0, np.diag(A) == 0] = 1.0
    x, low = result.phi.ravel(), accepted.ravel()
    b = (2 * H - cracks.local.linear).ravel()
    step = (A @ x - b) / np.diag(A)
    assert np.all(x >= low)
    assert np.all(x <= 1.0)
    np.testing.assert_allclose(x, np.clip(x - step, low, 1.0), rtol=0, atol=2e-12)
    # Some cells at a bound and some free, or the test would say little.
    assert 0 < np.sum((x > low) & (x < 1)) < x.size


@pytest.mark.parametrize(("method", "preconditioner"), WAYS)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_the_minimum_is_that_of_scipy(method, preconditioner, dissipation):
    cracks, psi, accepted = problem(11, 2, MIXES[0], dissipation)
    solver = DamageSolver(cracks, Degradation(0.0), method=method, preconditioner=preconditioner)
    phi = solver.solve(np.zeros_like(psi), accepted, psi, 1e-13).phi
    A, b = matrix(cracks, psi), (2 * psi - cracks.local.linear).ravel()
    root = np.linalg.cholesky(A)
    low = np.minimum(accepted.ravel(), 1 - 1e-9)
    found = lsq_linear(root.T, np.linalg.solve(root, b), (low, 1.0), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(phi.ravel(), found, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", names("damage_method"))
def test_both_bounds_hold_where_the_upper_one_acts(method):
    """Fracture never presses against φ = 1; the methods may be asked to, and agree with projected steps written out."""
    grid, rng = box(2, MIXES[1]), np.random.default_rng(4)
    operator = DamageOperator(grid, CrackEnergy(grid, 1.0, 1.1).gradient)
    D, b = rng.uniform(0.5, 2, grid.shape), rng.normal(scale=8.0, size=grid.shape)
    operator.set(D, b)
    operator.lower[...] = rng.uniform(0, 0.5, operator.shape)
    jacobi = lookup("damage_preconditioner", "jacobi")(operator)
    lookup("damage_method", method)(operator, jacobi, 1e-13)
    cracks = CrackEnergy(grid, 1.0, 1.1, "AT1")
    cracks.gradient = operator.gradient
    A = matrix(cracks, D / 2)
    low, x = operator.lower.ravel(), np.full(grid.cells, 0.5)
    for _ in range(20000):
        x = np.clip(x - (A @ x - b.ravel()) / np.diag(A), low, 1.0)
    assert np.sum(x == 1.0) > 3
    assert np.sum(x == low) > 3
    np.testing.assert_allclose(operator.x.ravel(), x, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("method", "preconditioner"), WAYS)
def test_an_elastic_body_stays_whole(method, preconditioner):
    """AT1 below its limit ψ⁺ = 3Gc/16ℓ: exactly no damage, also from a start that has some; just above it there is."""
    grid = box(2, MIXES[0])
    cracks, zero = CrackEnergy(grid, 2.0, 1.5, "AT1"), np.zeros(grid.shape)
    limit = 3 * 2.0 / (16 * 1.5)
    solver = DamageSolver(cracks, Degradation(0.0), method=method, preconditioner=preconditioner)
    psi = np.random.default_rng(3).uniform(0, 0.999 * limit, grid.shape)
    assert np.all(solver.solve(np.full(grid.shape, 0.1), zero, psi, 1e-10).phi == 0.0)
    # Without any energy A is singular: all cells may move alike.
    assert np.all(solver.solve(np.full(grid.shape, 0.1), zero, zero, 1e-10).phi == 0.0)
    assert np.all(solver.solve(zero, zero, np.full(grid.shape, 1.001 * limit), 1e-10).phi > 0.0)


@pytest.mark.parametrize("eta", [0.0, 0.01])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("split", names("split"))
def test_homogeneous_bar(split, dimensions, dissipation, eta):
    """σ(ε) and φ(ε) of a bar of steel to 1e-8: uniaxial strain with every split, and uniaxial stress where ψ⁺ has it all."""
    lame, shear, Gc, ell = 121.15e3, 80.77e3, 2.7, 0.015
    young = shear * (3 * lame + 2 * shear) / (lame + shear)
    poisson = lame / (2 * (lame + shear))
    grid = Grid(tuple(Axis(n, 4, 4 * ell / 4, "no_flux") for n in "xyz"[:dimensions]))
    g = Degradation(eta)
    solver = DamageSolver(CrackEnergy(grid, Gc, ell, dissipation), g)
    cases = [(lame + 2 * shear, 0.0)]
    if split in ("none", "volumetric_deviatoric", "star_convex"):
        # Sides free: in the plane only those within it.
        cases.append((young, -poisson) if dimensions == 3 else (young / (1 - poisson**2), -poisson / (1 - poisson)))
    for modulus, lateral in cases:
        bar = HomogeneousResponse(modulus, Gc, ell, dissipation, eta)
        phi, zero = np.zeros(grid.shape), np.zeros(grid.shape)
        for strain in bar.critical_strain * np.array([0.5, 0.99, 1.01, 1.5, 3.0]):
            if dimensions == 1:
                psi, model = np.full(grid.shape, 0.5 * modulus * strain**2), None
            else:
                e = np.zeros((3 if dimensions == 2 else 6, grid.cells))
                e[0] = strain
                e[1:dimensions] = lateral * strain
                model = make_split(split, lame, shear, dimensions)
                psi = model.drive(*model.energies(e)).reshape(grid.shape)
            phi = solver.solve(phi, zero, psi, 1e-13).phi
            np.testing.assert_allclose(phi, bar.damage(strain), rtol=1e-8, atol=1e-12)
            if model is not None:
                stress = np.empty_like(e)
                model.stress(e, g.value(phi).ravel(), stress, np.empty(grid.cells), np.empty(grid.cells))
                np.testing.assert_allclose(stress[0], bar.stress(strain), rtol=1e-8)
                if lateral:
                    np.testing.assert_allclose(stress[1], 0.0, rtol=0, atol=1e-8 * bar.strength)


def test_pressure_leaves_no_damage():
    grid = Grid(tuple(Axis(n, 4, 4.0, "no_flux") for n in "xyz"))
    solver, zero = DamageSolver(CrackEnergy(grid, 1.0, 4.0, "AT2")), np.zeros(grid.shape)
    strain = np.zeros((6, grid.cells))
    strain[:3] = -np.random.default_rng(1).uniform(0.1, 1, grid.cells)
    for name in ("spectral", "volumetric_deviatoric", "star_convex"):
        model = make_split(name, 1.3, 0.9, 3)
        psi = model.drive(*model.energies(strain)).reshape(grid.shape)
        assert np.all(solver.solve(zero, zero, psi).phi == 0.0)


@pytest.mark.parametrize(("method", "preconditioner"), WAYS)
def test_same_bits_for_any_number_of_threads(method, preconditioner, monkeypatch):
    monkeypatch.setattr(damage_operator, "SERIAL_CELLS", 0)
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    monkeypatch.setattr(damage_operator, "BLOCK_CELLS", 64)
    grid = Grid((Axis("x", 32, 32.0, "no_flux"), Axis("y", 24, 24.0)))
    rng = np.random.default_rng(2)
    psi, accepted = 10.0 ** rng.uniform(-3, 1, grid.shape), np.zeros(grid.shape)
    accepted[12, :9] = 1.0
    found = []
    for threads in (1, 2, 3):
        cracks = CrackEnergy(grid, 1.0, 4.0, "AT1")
        solver = DamageSolver(cracks, method=method, preconditioner=preconditioner, threads=threads)
        found.append(solver.solve(accepted, accepted, psi, 1e-9))
        solver.close()
    for other in found[1:]:
        assert other.iterations == found[0].iterations
        np.testing.assert_array_equal(other.phi, found[0].phi)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("method", names("damage_method"))
def test_symmetry_is_kept_bit_by_bit(method, axis):
    """Nothing is contracted or added in an order that knows left from right, but sums over the body: one number for all cells."""
    grid = Grid((Axis("x", 24, 24.0, "no_flux"), Axis("y", 16, 16.0, "no_flux")))
    rng = np.random.default_rng(2)
    psi = 10.0 ** rng.uniform(-3, 1, grid.shape)
    psi = psi + np.flip(psi, axis)
    accepted = np.zeros(grid.shape)
    accepted[7:9, 11:13] = 1.0
    phi = DamageSolver(CrackEnergy(grid, 1.0, 4.0, "AT1"), method=method).solve(accepted, accepted, psi, 1e-8).phi
    np.testing.assert_array_equal(phi, np.flip(phi, axis))


# What conjugate gradients need on a 128² field with a peak of H: peak/(Gc/ℓ) → products for ℓ = 4h and 8h.
JACOBI = {1e-6: (80, 156), 1e2: (75, 145), 1e3: (68, 129), 1e5: (21, 43)}
LAPLACIAN = {1e2: (11, 8), 1e3: (27, 18), 1e5: (223, 160)}


@pytest.mark.parametrize(("name", "table"), [("jacobi", JACOBI), ("laplacian", LAPLACIAN)])
def test_products_of_conjugate_gradients(name, table):
    """Without bounds, ½ z·g down by 1e-12; the counts of independent NumPy code, ± 50 %."""
    n = 128
    grid = Grid((Axis("x", n, float(n)), Axis("y", n, float(n))))
    r2 = sum((np.meshgrid(*[np.arange(n) - n / 2] * 2)[i]) ** 2 for i in range(2))
    for peak, counts in table.items():
        for ell, count in zip((4.0, 8.0), counts, strict=True):
            operator = DamageOperator(grid, CrackEnergy(grid, 1.0, ell).gradient)
            H = peak / ell / (1.0 + r2)
            operator.set(1.0 / ell + 2 * H, 2 * H)
            operator.lower.fill(-np.inf)
            operator.upper = np.inf
            preconditioner = lookup("damage_preconditioner", name)(operator)
            preconditioner.prepare()
            first = last = preconditioner.apply(operator.gradient_of_state())[0]
            operator.search_from_z()
            operator.products = 0
            while last > 1e-12 * first:
                curvature, slope = operator.multiply()
                last, zq = preconditioner.apply(operator.move(slope / curvature))
                operator.search(zq / curvature)
            assert 0.5 * count <= operator.products <= 1.5 * count, (peak, ell, operator.products)


def test_few_products_from_a_state_nearby():
    """What alternate minimisation asks for: the energy changes by a per cent."""
    cracks, psi, accepted = problem(5, 2, MIXES[1], "AT2")
    solver = DamageSolver(cracks)
    cold = solver.solve(accepted, accepted, psi, 1e-6)
    warm = solver.solve(cold.phi, accepted, 1.01 * psi, 1e-4)
    assert warm.iterations < 0.5 * cold.iterations


# --- irreversibility ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("rule", names("irreversibility"))
def test_damage_after_the_load_is_taken_away(rule, dissipation):
    """Bounds and history keep it, a crack set only what is a crack, the penalty all but its tolerance, `reversible` nothing;
    AT1 never below zero.
    """
    grid = Grid((Axis("x", 40, 40.0, "no_flux"),))
    cracks, zero = CrackEnergy(grid, 1.0, 4.0, dissipation), np.zeros(grid.shape)
    solver = DamageSolver(cracks, irreversibility=rule)
    # A crack at one place, some damage at another.
    psi = np.zeros(40)
    psi[[10, 30]] = 1e3, 1.0
    first = solver.solve(zero, zero, psi, 1e-12).phi
    assert first[10] > 0.95
    assert 0.3 < first[30] < 0.7
    solver.accept(psi)
    second = solver.solve(first, first, zero, 1e-12).phi
    assert np.all(second >= 0.0)
    if rule == "bounds":
        np.testing.assert_array_equal(second, first)
    elif rule == "history":
        np.testing.assert_allclose(second, first, rtol=0, atol=1e-10)
    elif rule == "penalty":
        assert np.all(second >= first - 0.011)
        assert np.any(second < first)
    elif rule == "reversible":
        np.testing.assert_allclose(second, 0.0, rtol=0, atol=1e-10)
    else:
        assert second[10] == first[10]
        assert second[30] < 0.05


def test_history_grows_at_accepted_steps_only():
    grid = Grid((Axis("x", 10, 10.0, "no_flux"),))
    cracks, zero = CrackEnergy(grid, 1.0, 4.0), np.zeros(grid.shape)
    solver = DamageSolver(cracks, irreversibility="history")
    high = solver.solve(zero, zero, np.full(grid.shape, 2.0)).phi
    assert solver.solve(high, zero, zero).phi.max() == pytest.approx(0.0, abs=1e-6)
    solver.accept(np.full(grid.shape, 2.0))
    np.testing.assert_allclose(solver.solve(zero, zero, zero, 1e-10).phi, 4.0 / (0.25 + 4.0), rtol=1e-8)


def test_penalty_is_the_minimum_of_its_energy():
    """c₂φ + 2H(φ − 1) − γ⟨φₙ − φ⟩₊ = 0 for a homogeneous body, in closed form."""
    grid = Grid((Axis("x", 6, 6.0),))
    cracks = CrackEnergy(grid, 1.0, 4.0)
    solver = DamageSolver(cracks, Degradation(0.0), irreversibility="penalty")
    accepted, psi = np.full(grid.shape, 0.5), np.full(grid.shape, 0.01)
    gamma, c2 = 0.25 * (1e4 - 1), 0.25
    expected = (2 * 0.01 + gamma * 0.5) / (c2 + 2 * 0.01 + gamma)
    np.testing.assert_allclose(solver.solve(accepted, accepted, psi, 1e-13).phi, expected, rtol=1e-12)


# --- viscous damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "preconditioner"), WAYS)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_a_viscous_step_is_the_minimum_with_its_own_term(method, preconditioner, dissipation):
    """Optimality of E + ½ (τ/Δt)|φ − φₙ|² with A written out, bounds that act among the cells."""
    cracks, psi, accepted = problem(7, 2, MIXES[0], dissipation)
    rate = 3.0
    solver = DamageSolver(cracks, Degradation(0.01), method=method, preconditioner=preconditioner)
    x = solver.solve(np.zeros_like(psi), accepted, psi, 1e-12, rate=rate).phi.ravel()
    A = matrix(cracks, 0.99 * psi) + rate * np.eye(psi.size)
    b = (2 * 0.99 * psi - cracks.local.linear + rate * accepted).ravel()
    np.testing.assert_allclose(x, np.clip(x - (A @ x - b) / np.diag(A), accepted.ravel(), 1), rtol=0, atol=2e-12)
    assert 0 < np.sum(x > accepted.ravel()) < x.size


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_viscous_damage_follows_its_equation_to_first_order(dissipation):
    """τ φ_t = 2H(1 − φ) − c₁ − c₂φ of a homogeneous body: an exponential in time; twice the steps, half the error."""
    grid = Grid((Axis("x", 6, 6.0),))
    cracks, tau, H, end = CrackEnergy(grid, 1.0, 4.0, dissipation), 2.0, 0.4, 3.0
    c1, c2 = float(cracks.local.linear), float(cracks.local.quadratic)
    rest, speed = (2 * H - c1) / (2 * H + c2), (2 * H + c2) / tau
    exact, errors = rest + (0.1 - rest) * np.exp(-speed * end), []
    for steps in (64, 128):
        phi = np.full(grid.shape, 0.1)
        for _ in range(steps):
            phi = (
                DamageSolver(cracks, Degradation(0.0))
                .solve(phi, phi, np.full(grid.shape, H), 1e-14, rate=tau * steps / end)
                .phi
            )
        errors.append(abs(phi[0] - exact))
    assert errors[0] < 5e-3
    assert errors[1] == pytest.approx(0.5 * errors[0], rel=0.03)


@pytest.mark.parametrize("rule", ["bounds", "crack_set", "reversible"])
@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3])
def test_the_energy_never_grows_in_a_viscous_step(rule, rate):
    """E(φₙ₊₁) + (τ/Δt) Σ(φₙ₊₁ − φₙ)² + ½ Δφ·AΔφ ≤ E(φₙ) at given strains, for steps of any length."""
    for dissipation in ("AT1", "AT2"):
        cracks, psi, phi = problem(9, 2, MIXES[1], dissipation)
        A, b = matrix(cracks, psi), (2 * psi - cracks.local.linear).ravel()
        solver = DamageSolver(cracks, Degradation(0.0), irreversibility=rule)
        for _ in range(3):
            new = solver.solve(phi, phi, psi, 1e-13, rate=rate).phi
            step = (new - phi).ravel()
            assert np.abs(step).max() > 0
            # E(φₙ) − E(φₙ₊₁), without the difference of large numbers.
            gain = step @ (b - 0.5 * A @ (phi + new).ravel())
            # What a residual of the tolerance is worth.
            open_ = 1e-13 * (np.diag(A) + rate) @ np.abs(step)
            assert gain - (rate * step @ step + 0.5 * step @ A @ step) >= -2 * open_
            phi = new


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_bad_input_is_said():
    grid = box(2, MIXES[0])
    cracks, zero = CrackEnergy(grid, 1.0, 1.5), np.zeros(grid.shape)
    with pytest.raises(InputError, match="mprgp"):
        DamageSolver(cracks, method="mprpg")
    with pytest.raises(InputError, match="bounds"):
        DamageSolver(cracks, irreversibility="bound")
    with pytest.raises(InputError, match="jacobi"):
        DamageSolver(cracks, preconditioner="jakobi")
    solver = DamageSolver(cracks)
    with pytest.raises(InputError, match="shape"):
        solver.solve(zero, zero, zero[:-1])
    with pytest.raises(InputError, match="tolerance"):
        solver.solve(zero, zero, zero, 0.0)
    for rate in (-1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="rate"):
            solver.solve(zero, zero, zero, rate=rate)
    psi = zero.copy()
    psi[2, 3] = np.nan
    for method in names("damage_method"):
        with pytest.raises(NumericalError, match="not finite"):
            DamageSolver(cracks, method=method).solve(zero, zero, psi)
