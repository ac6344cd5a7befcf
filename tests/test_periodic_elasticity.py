"""Periodic elasticity: closed forms, an independent dense solution of the same equations, bounds, voids, Newton's method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import periodic, periodic_schemes
from phasefield.mechanics.laws import Anisotropic, Interpolated, Isotropic, Law, Phases, stiffness_matrix
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.periodic_solve import Solve
from phasefield.spectral.grid import Axis, Grid

SCHEMES = ("rotated", "fourier")
PAIRS = {2: [(0, 0), (1, 1), (0, 1)], 3: [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]}
LAME, SHEAR = 0.3 / (1.3 * 0.4), 0.5 / 1.3  # E = 1, ν = 0.3


def make_grid(*cells: int, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Grid:
    """Axes x, y[, z] with the given cells."""
    return Grid(tuple(Axis("xyz"[n], c, c * spacing[n]) for n, c in enumerate(cells)))


def strain_control(*values: float) -> MeanControl:
    return MeanControl(("strain",) * len(values), values)


def stress_control(*values: float) -> MeanControl:
    return MeanControl(("stress",) * len(values), values)


def isotropic(d: int, lame: float = LAME, shear: float = SHEAR) -> np.ndarray:
    """Mandel matrix of an isotropic medium."""
    volume = np.array([float(i == j) for i, j in PAIRS[d]])
    return lame * np.outer(volume, volume) + 2.0 * shear * np.eye(volume.size)


def random_stiffness(rng: np.random.Generator, m: int) -> np.ndarray:
    a = rng.normal(size=(m, m))
    return a @ a.T / m + np.eye(m)


def symbols(grid: Grid, scheme: str) -> list[np.ndarray]:
    """D_j over the full spectrum, written down from the definition (theory: discrete derivative symbols)."""
    d = grid.dimensions
    k, h = [], grid.spacing
    for n, axis in enumerate(grid.axes):
        shape = [1] * d
        shape[d - 1 - n] = axis.cells
        k.append(2.0 * np.pi * np.fft.fftfreq(axis.cells, axis.spacing).reshape(shape))
    if scheme == "fourier":
        nyquist = [np.isclose(np.abs(k[n]), np.pi / h[n]) for n in range(d)]
        return [np.broadcast_to(1j * np.where(nyquist[n], 0.0, k[n]), grid.shape) for n in range(d)]
    half = [k[n] * h[n] / 2.0 for n in range(d)]
    phase = np.exp(1j * sum(half))
    product = [[np.sin(half[n]) if n == j else np.cos(half[n]) for n in range(d)] for j in range(d)]
    return [2j / h[j] * np.prod(np.broadcast_arrays(*product[j]), axis=0) * phase for j in range(d)]


def strain_of(u: np.ndarray, D: list[np.ndarray]) -> np.ndarray:
    """Mandel strain (m, *shape) of a displacement (d, *shape)."""
    d = len(D)
    axes = tuple(range(1, d + 1))
    u_hat = np.fft.fftn(u, axes=axes)
    e = [(D[i] * u_hat[j] + D[j] * u_hat[i]) * (0.5 if i == j else np.sqrt(0.5)) for i, j in PAIRS[d]]
    return np.fft.ifftn(np.array(e), axes=axes).real


def dense_solution(grid: Grid, scheme: str, C: np.ndarray, eigenstrain: np.ndarray, control: MeanControl):
    """Strain and stress from the assembled normal equations: C (N, m, m), eigenstrain (m, N)."""
    d, n = grid.dimensions, grid.cells
    D, m = symbols(grid, scheme), len(PAIRS[d])
    gradient = np.array([strain_of(row.reshape(d, *grid.shape), D).ravel() for row in np.eye(d * n)]).T
    free = control.free.shape[1]
    A = np.hstack([gradient, np.repeat(control.free, n, axis=0).reshape(m * n, free)])
    block = np.einsum("nab,nk->anbk", C, np.eye(n)).reshape(m * n, m * n)
    given = np.repeat(control.strain, n)
    load = np.concatenate([np.zeros(d * n), n * control.free.T @ control.stress])
    x = np.linalg.lstsq(A.T @ block @ A, load - A.T @ block @ (given - eigenstrain.ravel()), rcond=1e-11)[0]
    strain = given + A @ x
    stress = block @ (strain - eigenstrain.ravel())
    return strain.reshape(m, *grid.shape), stress.reshape(m, *grid.shape)


def laws_with_matrices(grid: Grid, rng: np.random.Generator) -> dict[str, tuple[Any, np.ndarray, np.ndarray]]:
    """Every linear law with random fields: (law, C (N, m, m), eigenstrain (m, N))."""
    shape, n, m = grid.shape, grid.cells, len(PAIRS[grid.dimensions])
    eigen = 0.1 * rng.normal(size=(m, *shape))
    C = [random_stiffness(rng, m) for _ in range(3)]
    lame, shear = rng.random((2, *shape)) + 0.2
    phase, weights = rng.integers(0, 3, shape), rng.random((2, *shape)) * 0.5
    full = np.array([random_stiffness(rng, m) for _ in range(n)])
    upper = np.triu_indices(m)
    flat_lame, flat_shear, flat_weights = lame.ravel(), shear.ravel(), weights.reshape(2, -1)
    matrices = {
        "isotropic": np.array([isotropic(grid.dimensions, flat_lame[i], flat_shear[i]) for i in range(n)]),
        "phases": np.array(C)[phase.ravel()],
        "interpolated": C[0] + np.einsum("pn,pab->nab", flat_weights, np.array(C[1:]) - C[0]),
        "anisotropic": full,
    }
    laws = {
        "isotropic": Isotropic(lame, shear, eigen),
        "phases": Phases(phase, C, eigen),
        "interpolated": Interpolated(weights, C, eigen),
        "anisotropic": Anisotropic(full[:, upper[0], upper[1]].T.reshape(-1, *shape), eigen),
    }
    return {name: (laws[name], matrices[name], eigen.reshape(m, -1)) for name in laws}


# --- against the assembled equations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(6, 5), (4, 6), (1, 5), (4, 3, 2), (2, 4, 3)], ids=str)
@pytest.mark.parametrize("name", ["isotropic", "phases", "interpolated", "anisotropic"])
def test_random_media_solve_the_assembled_equations(cells, scheme, name):
    grid = make_grid(*cells, spacing=(0.7, 1.1, 0.9))
    rng = np.random.default_rng(len(name) + grid.cells)
    law, C, eigen = laws_with_matrices(grid, rng)[name]
    m = eigen.shape[0]
    kinds = tuple(rng.permutation(["strain"] * (m // 2) + ["stress"] * (m - m // 2)))
    directions = np.linalg.qr(rng.normal(size=(m, m)))[0]
    cell = PeriodicElasticity(grid, scheme=scheme)
    for control in (MeanControl(kinds, rng.normal(size=m)), MeanControl(kinds, rng.normal(size=m), directions)):
        strain, stress = dense_solution(grid, scheme, C, eigen, control)
        solution = cell.solve(law, control, tolerance=1e-11)
        scale = np.abs(strain).max()
        np.testing.assert_allclose(solution.strain, strain, atol=1e-9 * scale)
        np.testing.assert_allclose(solution.stress, stress, atol=1e-9 * np.abs(stress).max())
        np.testing.assert_allclose(solution.mean_strain, strain.reshape(m, -1).mean(axis=1), atol=1e-9 * scale)
        np.testing.assert_allclose(solution.mean_stress, stress.reshape(m, -1).mean(axis=1), atol=1e-9)
        energy = 0.5 * np.einsum("an,an->n", strain.reshape(m, -1) - eigen, stress.reshape(m, -1))
        np.testing.assert_allclose(solution.energy_density.ravel(), energy, atol=1e-9 * np.abs(energy).max())
        # The displacement belongs to the strain.
        fluctuation = strain_of(solution.displacement, symbols(grid, scheme))
        np.testing.assert_allclose(
            fluctuation + solution.mean_strain.reshape(-1, *[1] * grid.dimensions), strain, atol=1e-9 * scale
        )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(8, 5), (4, 6, 5)], ids=str)
def test_the_operator_is_symmetric_and_positive(cells, scheme, monkeypatch):
    """q·Ap = p·Aq, p·Ap = Σ ε·Cε ≥ 0, and Dᵀ is the adjoint of D; on several blocks."""
    monkeypatch.setattr(periodic_schemes, "BLOCK_BYTES", 1)
    grid, rng = make_grid(*cells, spacing=(0.7, 1.1, 0.9)), np.random.default_rng(3)
    m = len(PAIRS[grid.dimensions])
    law = laws_with_matrices(grid, rng)["anisotropic"][0]
    cell = PeriodicElasticity(grid, scheme=scheme)
    assert len(cell.scheme.rows) > 1
    solve = Solve(cell.scheme, cell.buffers, cell.vectors, law, strain_control(*[0.0] * m), np.eye(m), 1e-6, 10)
    weight = 1.0
    if scheme == "fourier":
        weight = cell.scheme.weight.reshape(1, 1, -1)
    vectors = [cell.scheme.from_cells(rng.normal(size=(grid.dimensions, *grid.shape))) for _ in range(2)]
    images, curvatures = [], []
    for v in vectors:
        out = np.zeros_like(v)
        curvatures.append(solve._cells(solve._tangent, m + 1, v, np.zeros(m), out)[0])
        images.append(out)
    products = np.array([[np.sum(weight * v * w) for w in images] for v in vectors])
    np.testing.assert_allclose(products, products.T, rtol=1e-12)
    np.testing.assert_allclose(np.diag(products), curvatures, rtol=1e-12)
    assert min(curvatures) > 0.0


# --- closed forms -----------------------------------------------------------------------------------------------------


def laminate(d: int, layers: np.ndarray, C: list[np.ndarray], eigen: list[np.ndarray], mean: np.ndarray) -> np.ndarray:
    """Strain (m, layers) of a rank-one laminate with normal x: ε_i = ε̄ + sym(a_i ⊗ n), n·σ_i equal, Σ a_i = 0."""
    m = len(PAIRS[d])
    N = np.zeros((m, d))  # Mandel components of sym(a ⊗ e_x)
    for row, (i, j) in enumerate(PAIRS[d]):
        if i == 0:
            N[row, j] = 1.0 if j == 0 else np.sqrt(0.5)
    K = np.array([np.linalg.inv(N.T @ C[p] @ N) for p in layers])
    r = np.array([N.T @ C[p] @ (mean - eigen[p]) for p in layers])
    traction = np.linalg.solve(K.sum(axis=0), np.einsum("lij,lj->i", K, r))
    return (mean + np.einsum("ai,lij,lj->la", N, K, traction - r)).T


@pytest.mark.parametrize("control", ["strain", "stress"])
@pytest.mark.parametrize(
    ("scheme", "cells"), [("rotated", (16, 3)), ("rotated", (15, 2, 4)), ("fourier", (15, 4)), ("fourier", (9, 3, 2))]
)
def test_laminates_are_exact(scheme, cells, control):
    """The Fourier scheme needs an odd number of cells across: at the Nyquist frequency it does not see a jump of traction."""
    rng, grid = np.random.default_rng(1), make_grid(*cells)
    d, m = grid.dimensions, len(PAIRS[grid.dimensions])
    layers = (np.arange(cells[0]) % 5 > 2).astype(int)
    C, eigen = [random_stiffness(rng, m), 50.0 * random_stiffness(rng, m)], [0.1 * rng.normal(size=m), np.zeros(m)]

    def mean_stress(mean: np.ndarray) -> np.ndarray:
        strain = laminate(d, layers, C, eigen, mean)
        return np.mean([C[p] @ (strain[:, n] - eigen[p]) for n, p in enumerate(layers)], axis=0)

    given = rng.normal(size=m)
    rest = mean_stress(np.zeros(m))
    effective = np.array([mean_stress(e) - rest for e in np.eye(m)]).T
    mean = given if control == "strain" else np.linalg.solve(effective, given - rest)
    strain = laminate(d, layers, C, eigen, mean)
    phase = np.broadcast_to(layers, grid.shape)
    law = Phases(phase, C, np.moveaxis(np.array(eigen)[phase], -1, 0))
    solution = PeriodicElasticity(grid, scheme=scheme).solve(law, MeanControl((control,) * m, given), tolerance=1e-13)
    exact = np.broadcast_to(strain.reshape(m, *[1] * (d - 1), -1), solution.strain.shape)
    np.testing.assert_allclose(solution.strain, exact, atol=1e-10 * np.abs(exact).max())
    np.testing.assert_allclose(solution.mean_strain, mean, atol=1e-10 * np.abs(mean).max())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(16, 12), (7, 9), (16, 16, 16)], ids=str)
def test_homogeneous_medium_with_eigenstrain_in_closed_form(cells, scheme):
    """ε̂ = sym(D ⊗ K⁻¹ (D̄·C:ε̂*)) for k ≠ 0 and ε̄ = S:σ̄ + ⟨ε*⟩: one iteration, the reference medium being the medium."""
    grid, rng = make_grid(*cells, spacing=(0.7, 1.1, 0.9)), np.random.default_rng(2)
    d, m = grid.dimensions, len(PAIRS[grid.dimensions])
    C, eigen, applied = random_stiffness(rng, m), rng.normal(size=(m, *grid.shape)), rng.normal(size=m)
    axes = tuple(range(1, d + 1))
    polarisation = np.fft.fftn(np.einsum("ab,b...->a...", C, eigen), axes=axes)
    D = np.array(symbols(grid, scheme))
    B = np.zeros((m, d, *grid.shape), complex)
    for row, (i, j) in enumerate(PAIRS[d]):
        B[row, i] += D[j] * (0.5 if i == j else np.sqrt(0.5))
        B[row, j] += D[i] * (0.5 if i == j else np.sqrt(0.5))
    K = np.einsum("ai...,ab,bj...->...ij", B.conj(), C, B)
    seen = np.sum(np.abs(D) ** 2, axis=0) > 1e-20
    K[~seen] = np.eye(d)
    u_hat = np.linalg.solve(K, np.einsum("ai...,a...->...i", B.conj(), polarisation)[..., None])[..., 0]
    u_hat[~seen] = 0.0
    mean = np.linalg.solve(C, applied) + eigen.mean(axis=axes)
    strain = np.fft.ifftn(np.einsum("ai...,...i->a...", B, u_hat), axes=axes).real + mean.reshape(-1, *[1] * d)
    law = Phases(np.zeros(grid.shape, int), [C], eigen)
    solution = PeriodicElasticity(grid, scheme=scheme).solve(law, stress_control(*applied), tolerance=1e-12)
    assert solution.iterations <= 2
    np.testing.assert_allclose(solution.strain, strain, atol=1e-10 * np.abs(strain).max())
    np.testing.assert_allclose(solution.mean_stress, applied, atol=1e-11)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(15, 21), (9, 7, 11)], ids=str)
def test_exact_relations_for_any_morphology(cells, scheme):
    """Uniform shear modulus (Hill 1964, doi:10.1016/0022-5096(64)90019-5) and dilatation in a uniform medium (Bitter-Crum)."""
    grid, rng = make_grid(*cells), np.random.default_rng(4)
    d, m, fill = grid.dimensions, len(PAIRS[grid.dimensions]), rng.random(grid.shape)
    volume = np.array([float(i == j) for i, j in PAIRS[d]])
    cell = PeriodicElasticity(grid, scheme=scheme)
    lame = 0.2 + 20.0 * fill
    solution = cell.solve(Isotropic(lame, np.full(grid.shape, SHEAR)), strain_control(*volume), tolerance=1e-12)
    # (λ + 2μ) tr ε is uniform, hence 1/(λ_eff + 2μ) = ⟨1/(λ + 2μ)⟩.
    effective = 1.0 / np.mean(1.0 / (lame + 2.0 * SHEAR)) - 2.0 * SHEAR
    np.testing.assert_allclose(solution.mean_stress[0], d * effective + 2.0 * SHEAR, rtol=1e-10)

    uniform = Phases(np.zeros(grid.shape, int), [isotropic(d)], volume.reshape(-1, *[1] * d) * fill)
    free = cell.solve(uniform, stress_control(*[0.0] * m), tolerance=1e-12)
    bulk = LAME + 2.0 * SHEAR / d
    modulus = 2.0 * d * (d - 1) * bulk * SHEAR / (LAME + 2.0 * SHEAR)
    np.testing.assert_allclose(free.energy_density.mean(), 0.5 * modulus * fill.var(), rtol=1e-10)


def test_slit_crack_against_its_closed_form():
    """S_yyyy = (1/E') (1 − (4W/πH) ln cos(πa/W)); a slit of n cells acts as a crack of length n + 0.54 cells."""
    width, height, slit = 128, 256, 32
    g = np.ones((height, width))
    g[height // 2, (width - slit) // 2 : (width + slit) // 2] = 0.0
    solution = PeriodicElasticity(make_grid(width, height)).solve(
        Isotropic(LAME * g, SHEAR * g), MeanControl(("strain", "stress", "stress"), (0.0, 1.0, 0.0)), tolerance=1e-8
    )
    a = 0.5 * (slit + 0.54)
    modulus = 1.0 / (1.0 - 0.3**2)
    compliance = (1.0 - 4.0 * width / (np.pi * height) * np.log(np.cos(np.pi * a / width))) / modulus
    # ε̄_xx = 0 is enforced by σ̄_xx; S_xxyy is that of the uncracked cell.
    poisson = -LAME / (LAME + 2.0 * SHEAR)
    expected = compliance + poisson * (-poisson) * (1.0 / modulus)
    assert solution.mean_strain[1] == pytest.approx(expected, rel=2e-3)


# --- bounds, voids ----------------------------------------------------------------------------------------------------


def effective_stiffness(cell: PeriodicElasticity, law: Law, tolerance: float = 1e-11) -> np.ndarray:
    m = law.components
    return np.array([cell.solve(law, strain_control(*e), tolerance=tolerance).mean_stress for e in np.eye(m)]).T


@pytest.mark.parametrize("scheme", SCHEMES)
def test_effective_stiffness_of_a_random_medium_obeys_the_bounds(scheme):
    rng, grid = np.random.default_rng(5), make_grid(64, 64)
    soft, stiff = (LAME, SHEAR), (20.0 * LAME, 20.0 * SHEAR)
    phase = np.repeat(np.repeat(rng.integers(0, 2, (16, 16)), 4, axis=0), 4, axis=1)
    law = Phases(phase, [isotropic(2, *soft), isotropic(2, *stiff)])
    C = effective_stiffness(PeriodicElasticity(grid, scheme=scheme), law)
    np.testing.assert_allclose(C, C.T, atol=1e-10 * C.max())
    f = phase.mean()
    voigt = (1.0 - f) * law.table[0] + f * law.table[1]
    reuss = np.linalg.inv((1.0 - f) * np.linalg.inv(law.table[0]) + f * np.linalg.inv(law.table[1]))
    assert np.linalg.eigvalsh(voigt - C)[0] > 0.0
    assert np.linalg.eigvalsh(C - reuss)[0] > 0.0
    # Hashin-Shtrikman bounds of the plane bulk modulus; the sample is only nearly isotropic.
    k1, k2 = (sum(pair) for pair in (soft, stiff))
    lower = k1 + f / (1.0 / (k2 - k1) + (1.0 - f) / (k1 + soft[1]))
    upper = k2 + (1.0 - f) / (1.0 / (k1 - k2) + f / (k2 + stiff[1]))
    bulk = 0.25 * (C[0, 0] + C[1, 1] + 2.0 * C[0, 1])
    assert lower < bulk < upper


def pores(n: int, fraction: float, radius: float, seed: int) -> np.ndarray:
    """1 in the matrix, 0 in overlapping circular pores."""
    rng, g = np.random.default_rng(seed), np.ones((n, n))
    y, x = np.mgrid[:n, :n] + 0.5
    while 1.0 - g.mean() < fraction:
        dx, dy = (np.minimum(np.abs(a - c), n - np.abs(a - c)) for a, c in zip((x, y), rng.random(2) * n, strict=True))
        g[dx**2 + dy**2 < radius**2] = 0.0
    return g


@pytest.mark.parametrize("control", [strain_control(0, 1, 0), MeanControl(("stress", "strain", "stress"), (0, 1, 0))])
def test_thirty_per_cent_voids_converge(control):
    """Stiffness exactly zero; iterations to 1e-6 of ‖σ‖ and of the first residual (the norm of the theory notes: about 106)."""
    g = pores(128, 0.3, 6.0, seed=0)
    law = Isotropic(LAME * g, SHEAR * g)
    solution = PeriodicElasticity(make_grid(128, 128)).solve(law, control, tolerance=1e-6)
    history = np.array(solution.history)
    assert solution.iterations <= 150
    assert np.argmax(history <= 1e-6 * history[0]) <= 150
    assert solution.residuals[-1] <= 1e-6
    assert np.all(solution.stress[:, g == 0.0] == 0.0)
    assert np.isfinite(solution.strain).all()
    # Hill-Mandel: ⟨σ:ε⟩ = σ̄:ε̄.
    work = float(np.mean(np.sum(solution.strain * solution.stress, axis=0)))
    assert work == pytest.approx(float(solution.mean_stress @ solution.mean_strain), rel=1e-6)


def test_voids_are_the_limit_of_soft_pores():
    g = pores(64, 0.3, 6.0, seed=1)
    cell, control = PeriodicElasticity(make_grid(64, 64)), strain_control(1, 0, 0)
    stress = [
        cell.solve(Isotropic(LAME * h, SHEAR * h), control, tolerance=1e-9).mean_stress
        for h in (np.maximum(g, 1e-8), g)
    ]
    np.testing.assert_allclose(*stress, rtol=1e-6, atol=1e-7)


# --- control, start, errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mixed_control_is_met(scheme):
    grid, rng = make_grid(16, 16, 16), np.random.default_rng(6)
    f = 0.1 + rng.random(grid.shape)
    cell = PeriodicElasticity(grid, scheme=scheme)
    law = Isotropic(LAME * f, SHEAR * f)
    control = MeanControl(("strain",) + ("stress",) * 5, (0.01, 0.0, 0.001, 0.0, 0.0, -0.002))
    solution = cell.solve(law, control, tolerance=1e-9)
    assert solution.mean_strain[0] == 0.01
    np.testing.assert_allclose(solution.mean_stress[1:], [0.0, 0.001, 0.0, 0.0, -0.002], atol=1e-10)
    axes = (1, 2, 3)
    np.testing.assert_allclose(solution.strain.mean(axis=axes), solution.mean_strain, atol=1e-15)
    np.testing.assert_allclose(solution.stress.mean(axis=axes), solution.mean_stress, atol=1e-15)


def test_proportional_stress_under_given_strain():
    """σ̄ ∥ n with ε̄·n given: the size of the stress comes out."""
    rng, n = np.random.default_rng(7), np.array([1.0, 2.0, -0.5])
    n /= np.linalg.norm(n)
    directions = np.linalg.qr(np.column_stack([n, np.eye(3)[:, :2]]))[0]
    directions[:, 0] = n
    f = 0.5 + rng.random((12, 16))
    control = MeanControl(("strain", "stress", "stress"), (0.02, 0.0, 0.0), directions)
    solution = PeriodicElasticity(make_grid(16, 12)).solve(Isotropic(LAME * f, SHEAR * f), control, tolerance=1e-10)
    assert solution.mean_strain @ n == pytest.approx(0.02, rel=1e-12)
    np.testing.assert_allclose(solution.mean_stress, (solution.mean_stress @ n) * n, atol=1e-11)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_states_without_fluctuation_need_no_iterations(scheme):
    grid = make_grid(8, 6)
    cell, ones = PeriodicElasticity(grid, scheme=scheme), np.ones(grid.shape)
    assert cell.solve(Isotropic(LAME * ones, SHEAR * ones), strain_control(1, 2, 3)).iterations == 0
    assert cell.solve(Isotropic(LAME * ones, SHEAR * ones), stress_control(0, 0, 0)).iterations == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_compatible_eigenstrains_leave_no_stress(scheme):
    """Any stiffness: ε = ε*. All stress vanishes, and only the rounding of C⁰:ε can say when to stop."""
    grid, rng = make_grid(16, 13), np.random.default_rng(16)
    D = symbols(grid, scheme)
    eigen = strain_of(rng.normal(size=(2, *grid.shape)), D) + rng.normal(size=(3, 1, 1))
    f = 0.2 + rng.random(grid.shape)
    cell, law = PeriodicElasticity(grid, scheme=scheme), Isotropic(LAME * f, SHEAR * f, eigen)
    solution = cell.solve(law, stress_control(0, 0, 0), tolerance=1e-10)
    np.testing.assert_allclose(solution.strain, eigen, atol=1e-10)
    assert cell.solve(law, stress_control(0, 0, 0), start=solution, tolerance=1e-10).iterations == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_warm_start_saves_iterations(scheme):
    grid = make_grid(64, 64)
    cell, control = PeriodicElasticity(grid, scheme=scheme), MeanControl(("stress", "strain", "stress"), (0, 1, 0))
    g = np.maximum(pores(64, 0.2, 5.0, seed=2), 1e-2)
    first = cell.solve(Isotropic(LAME * g, SHEAR * g), control)
    assert cell.solve(Isotropic(LAME * g, SHEAR * g), control, start=first).iterations == 0
    g = g * (1.0 - 0.01 * np.random.default_rng(0).random(grid.shape))
    cold = cell.solve(Isotropic(LAME * g, SHEAR * g), control)
    warm = cell.solve(Isotropic(LAME * g, SHEAR * g), control, start=first)
    assert warm.iterations < 0.6 * cold.iterations
    np.testing.assert_allclose(warm.stress, cold.stress, atol=1e-4)


def test_high_contrast_is_measured_by_the_stress_that_results():
    """Rigid grains: the first stress is 10⁴ times the final one, yet the true residual ends below the tolerance."""
    rng, grid = np.random.default_rng(8), make_grid(32, 32)
    f = np.where(pores(32, 0.5, 5.0, seed=3) == 0.0, 1e4, 1.0)
    cell, law = PeriodicElasticity(grid), Isotropic(LAME * f, SHEAR * f)
    control = strain_control(*rng.normal(size=3))
    loose, tight = (cell.solve(law, control, tolerance=t) for t in (1e-6, 1e-11))
    assert loose.residuals[-1] <= 1e-6
    np.testing.assert_allclose(loose.mean_stress, tight.mean_stress, rtol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(24, 20), (12, 10, 9)], ids=str)
def test_same_bits_whatever_the_threads(cells, scheme, monkeypatch):
    monkeypatch.setattr(periodic, "SERIAL_CELLS", 0)
    monkeypatch.setattr(periodic_schemes, "BLOCK_BYTES", 4096)
    grid = make_grid(*cells)
    f = 0.1 + np.random.default_rng(9).random(grid.shape)
    control = stress_control(*np.eye(len(PAIRS[grid.dimensions]))[1])
    solutions = []
    for threads in (1, 1, 2, 3):
        cell = PeriodicElasticity(grid, scheme=scheme, threads=threads)
        solutions.append(cell.solve(Isotropic(LAME * f, SHEAR * f), control))
        cell.close()
    for other in solutions[1:]:
        assert np.array_equal(solutions[0].stress, other.stress)
        assert np.array_equal(solutions[0].displacement, other.displacement)
        assert solutions[0].history == other.history


@pytest.mark.parametrize("scheme", SCHEMES)
def test_single_precision(scheme):
    grid = make_grid(32, 24)
    f = 0.1 + np.random.default_rng(10).random(grid.shape)
    law, control = Isotropic(LAME * f, SHEAR * f), stress_control(1.0, 0.0, 0.3)
    single = PeriodicElasticity(grid, scheme=scheme, dtype=np.float32).solve(law, control, tolerance=1e-3)
    double = PeriodicElasticity(grid, scheme=scheme).solve(law, control, tolerance=1e-10)
    assert single.stress.dtype == np.float32
    np.testing.assert_allclose(single.mean_strain, double.mean_strain, atol=2e-3 * np.abs(double.mean_strain).max())


def test_failures_say_what_happened():
    grid = make_grid(16, 16)
    cell, control = PeriodicElasticity(grid), strain_control(1, 0, 0)
    f = 0.01 + np.random.default_rng(11).random(grid.shape)
    with pytest.raises(NumericalError, match="after 3 iterations: relative residual"):
        cell.solve(Isotropic(LAME * f, SHEAR * f), control, max_iterations=3)
    with pytest.raises(NumericalError, match="not finite"):
        cell.solve(Isotropic(np.nan * f, SHEAR * f), control, reference=np.eye(3))
    f[3:6, 4:9] = -10.0
    with pytest.raises(NumericalError, match="not positive"):
        cell.solve(Isotropic(LAME * f, SHEAR * f), control, reference=np.eye(3))
    for nothing in (0.0, np.nan):
        with pytest.raises(InputError, match="positive definite"):
            cell.solve(Isotropic(nothing * f, nothing * f), control)


def test_mistakes_are_named():
    ones = np.ones((4, 6))
    cell = PeriodicElasticity(make_grid(6, 4))
    with pytest.raises(InputError, match="must fit the grid"):
        cell.solve(Isotropic(ones.T, ones.T), strain_control(1, 0, 0))
    with pytest.raises(InputError, match="must fit the grid"):
        cell.solve(Isotropic(ones, ones), strain_control(1, 0, 0, 0, 0, 0))
    start = PeriodicElasticity(make_grid(4, 4)).solve(
        Isotropic(np.ones((4, 4)), np.ones((4, 4))), strain_control(1, 0, 0)
    )
    with pytest.raises(InputError, match="starting point"):
        cell.solve(Isotropic(ones, ones), strain_control(1, 0, 0), start=start)
    with pytest.raises(InputError, match="tolerance"):
        cell.solve(Isotropic(ones, ones), strain_control(1, 0, 0), tolerance=0.0)
    with pytest.raises(InputError, match="expected an array of shape"):
        Isotropic(ones, np.ones((4, 5)))
    with pytest.raises(InputError, match="phase numbers"):
        Phases(np.full((4, 6), 2), [np.eye(3), np.eye(3)])
    with pytest.raises(InputError, match="symmetric 3 x 3"):
        Phases(np.zeros((4, 6), int), [np.triu(np.ones((3, 3)))])
    with pytest.raises(InputError, match="orthonormal"):
        MeanControl(("strain",) * 3, (0, 0, 0), 2.0 * np.eye(3))
    with pytest.raises(InputError, match="kinds"):
        MeanControl(("strain", "force", "stress"), (0, 0, 0))
    with pytest.raises(InputError, match="two or three periodic axes"):
        PeriodicElasticity(make_grid(8))
    with pytest.raises(InputError, match="rotated"):
        PeriodicElasticity(make_grid(8, 8), scheme="rotate")


def test_stiffness_in_other_forms():
    """A tensor of rank four, and a stiffness in space for a plane problem, give the same matrix."""
    C = random_stiffness(np.random.default_rng(12), 6)
    tensor = np.zeros((3, 3, 3, 3))
    for p, (i, j) in enumerate(PAIRS[3]):
        for q, (k, l) in enumerate(PAIRS[3]):  # noqa: E741
            value = C[p, q] / np.sqrt((1 + (i != j)) * (1 + (k != l)))
            for a, b in {(i, j), (j, i)}:
                for c, d in {(k, l), (l, k)}:
                    tensor[a, b, c, d] = value
    np.testing.assert_allclose(stiffness_matrix(tensor, 3), C, atol=1e-14)
    plane = C[np.ix_((0, 1, 5), (0, 1, 5))]
    for form in (C, tensor, tensor[:2, :2, :2, :2], plane):
        np.testing.assert_allclose(stiffness_matrix(form, 2), plane, atol=1e-14)


# --- nonlinear laws ---------------------------------------------------------------------------------------------------


class Stiffening(Law):
    """ψ = ½ ε·Cε + ¼ β(x) (ε·ε)²: convex."""

    def __init__(self, C: np.ndarray, beta: np.ndarray):
        super().__init__(beta.shape)
        self.C, self.beta = C, self._field(beta)

    def reference(self):
        return self.C

    def stress(self, cells, strain, stress, energy):
        square, elastic = np.sum(strain**2, axis=0), self.C @ strain
        stress[...] = elastic + self.beta[cells] * square * strain
        energy[...] = 0.5 * np.sum(strain * elastic, axis=0) + 0.25 * self.beta[cells] * square**2

    def tangent(self, cells, strain, direction, out):
        square, product = np.sum(strain**2, axis=0), np.sum(strain * direction, axis=0)
        out[...] = self.C @ direction + self.beta[cells] * (square * direction + 2.0 * product * strain)


class Saturating(Law):
    """ψ = s² (√(1 + ε·Cε/s²) − 1), s(x): softening towards linear growth; full Newton steps from zero overshoot."""

    def __init__(self, C: np.ndarray, scale: np.ndarray):
        super().__init__(scale.shape)
        self.C, self.scale = C, self._field(scale)

    def reference(self):
        return self.C

    def stress(self, cells, strain, stress, energy):
        elastic, s2 = self.C @ strain, self.scale[cells] ** 2
        root = np.sqrt(1.0 + np.sum(strain * elastic, axis=0) / s2)
        stress[...] = elastic / root
        energy[...] = s2 * (root - 1.0)

    def tangent(self, cells, strain, direction, out):
        elastic, s2 = self.C @ strain, self.scale[cells] ** 2
        root = np.sqrt(1.0 + np.sum(strain * elastic, axis=0) / s2)
        out[...] = (self.C @ direction - elastic * (np.sum(elastic * direction, axis=0) / (s2 * root**2))) / root


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [(24, 20), (8, 6, 7)], ids=str)
def test_newton_converges_quadratically(cells, scheme, monkeypatch):
    monkeypatch.setattr(periodic_schemes, "BLOCK_BYTES", 8192)
    grid, rng = make_grid(*cells), np.random.default_rng(13)
    d, m = grid.dimensions, len(PAIRS[grid.dimensions])
    law = Stiffening(isotropic(d), 5.0 * rng.random(grid.shape))
    cell = PeriodicElasticity(grid, scheme=scheme)
    control = MeanControl(("strain",) + ("stress",) * (m - 1), (0.5, *[0.1] * (m - 1)))
    solution = cell.solve(law, control, tolerance=1e-12)
    r = np.array(solution.residuals)
    assert 3 <= r.size <= 9
    assert r[-1] <= 1e-12
    fast = r[:-1] < 0.1
    assert np.all(r[1:][fast] <= np.maximum(10.0 * r[:-1][fast] ** 2, 1e-12))

    # Dissipation-free: σ̄ is the derivative of the effective energy with respect to ε̄ (all strains given now).
    def energy(mean: np.ndarray) -> float:
        return float(cell.solve(law, strain_control(*mean), start=solution, tolerance=1e-10).energy_density.mean())

    step, mean = 1e-4, solution.mean_strain
    slope = [(energy(mean + step * e) - energy(mean - step * e)) / (2.0 * step) for e in np.eye(m)]
    np.testing.assert_allclose(slope, solution.mean_stress, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("law", [Stiffening, Saturating])
def test_the_laws_of_these_tests_are_consistent(law):
    """Stress and tangent against finite differences of energy and stress, so that the tests above mean something."""
    rng = np.random.default_rng(14)
    material = law(isotropic(2), 0.2 + rng.random((2, 3)))
    cells, strain, direction = slice(0, 6), rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    results = []
    for sign in (1.0, -1.0):
        stress, energy = np.empty((3, 6)), np.empty(6)
        material.stress(cells, strain + sign * 1e-5 * direction, stress, energy)
        results.append((stress, energy))
    stress, tangent = np.empty((3, 6)), np.empty((3, 6))
    material.stress(cells, strain, stress, np.empty(6))
    material.tangent(cells, strain, direction, tangent)
    np.testing.assert_allclose((results[0][1] - results[1][1]) / 2e-5, np.sum(stress * direction, axis=0), rtol=1e-6)
    np.testing.assert_allclose((results[0][0] - results[1][0]) / 2e-5, tangent, atol=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_line_search_rescues_a_softening_law(scheme):
    """Loads far beyond the scale s: undamped Newton would diverge from u = 0; the potential at the end is the lowest seen."""
    grid, rng = make_grid(16, 20), np.random.default_rng(15)
    law = Saturating(isotropic(2), 0.05 + 0.1 * rng.random(grid.shape))
    cell = PeriodicElasticity(grid, scheme=scheme)
    solution = cell.solve(law, strain_control(1.0, -0.3, 0.2), tolerance=1e-9)
    assert solution.residuals[-1] <= 1e-9
    uniform = np.zeros_like(solution.strain).reshape(3, -1) + solution.mean_strain[:, None]
    energy = np.empty(grid.cells)
    law.stress(slice(0, grid.cells), uniform, np.empty_like(uniform), energy)
    assert solution.energy_density.mean() < energy.mean()
    again = cell.solve(law, strain_control(1.0, -0.3, 0.2), tolerance=1e-9, start=solution)
    assert again.iterations == 0
