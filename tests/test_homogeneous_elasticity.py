"""The elastic kernel of one stiffness against direct minimisation, closed forms, and the fields it stands for."""

import itertools

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from phasefield.errors import InputError
from phasefield.mechanics import elastic_modes
from phasefield.mechanics import stiffness as st
from phasefield.mechanics.compatibility import compatible_normals, square_rectangle_kernel
from phasefield.mechanics.control import Control, ControlSetting
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.spectral.grid import Axis, Grid

SHEAR_FACTOR = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
MIXED = [True, False, False, True, False, True]
ODD = [(9,), (7, 5), (3, 5, 3)]
EVEN = [(8,), (8, 6), (7, 6), (8, 5), (6, 4, 8), (6, 5, 4), (2, 2, 2), (1, 4)]


def box(*cells, boundary="periodic"):
    """A grid with the cells of x, y, z and unequal lengths."""
    return Grid(
        tuple(Axis(name, n, 1.0 + 0.3 * i, boundary) for i, (name, n) in enumerate(zip("xyz", cells, strict=False)))
    )


def symmetric(rng, *shape):
    a = rng.normal(size=(*shape, 3, 3))
    return 0.5 * (a + a.swapaxes(-1, -2))


def random_rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def cubic(zener, rng):
    """A cubic crystal of that Zener ratio in a random orientation."""
    return st.rotate(st.cubic_stiffness(3.0, 1.4, 0.8 * zener), random_rotation(rng))


def anisotropic(rng):
    a = rng.normal(size=(6, 6))
    return st.tensor_from_mandel(a @ a.T + 0.3 * np.eye(6))


CRYSTALS = {
    "zener 0.3": lambda rng: cubic(0.3, rng),
    "zener 3": lambda rng: cubic(3.0, rng),
    "zener 10": lambda rng: cubic(10.0, rng),
    "anisotropic": anisotropic,
}


def eigenstrain_field(strains, theta):
    return np.einsum("pij,p...->ij...", strains, theta)


def field_mean(tensor):
    return tensor.reshape(3, 3, -1).mean(-1)


def full_indices(grid):
    """Signed mode numbers of x, y, z, each broadcastable against a full spectrum in grid shape."""
    numbers = [np.round(np.fft.fftfreq(a.cells, 1.0 / a.cells)).astype(int) for a in grid.axes]
    return [
        m.reshape([-1 if j == grid.dimensions - 1 - i else 1 for j in range(grid.dimensions)])
        for i, m in enumerate(numbers)
    ]


def kernel_energy(elasticity, grid, theta, values=None):
    """F by the symbol of every mode of the full spectrum, and the linear terms of the load."""
    hat = np.fft.fftn(theta, axes=range(1, theta.ndim), norm="forward")
    B = elasticity.symbol(grid, full_indices(grid))
    quadratic = 0.5 * np.einsum("p...,...pq,q...->...", hat.conj(), B, hat).real.sum()
    mean = theta.reshape(len(theta), -1).mean(1)
    return grid.volume * (quadratic - elasticity.mean_force(values) @ mean + elasticity.mean_constant(values))


# references that share no code with the package


def direct_solution(grid, C, eigenstrain, flags, values):
    """Minimum over real displacements on a grid of odd cells, and over the free mean strains: one dense linear system."""
    n = grid.cells
    derivatives = []
    for axis, line in enumerate(grid.axes):
        k = 2j * np.pi * np.fft.fftfreq(line.cells, 1.0 / line.cells) / line.length
        one = np.fft.ifft(k[:, None] * np.fft.fft(np.eye(line.cells), axis=0), axis=0).real
        sizes = [a.cells for a in grid.axes]
        before, after = int(np.prod(sizes[axis + 1 :])), int(np.prod(sizes[:axis]))
        derivatives.append(np.kron(np.eye(before), np.kron(one, np.eye(after))))
    derivatives += [np.zeros((n, n))] * (3 - grid.dimensions)
    free = [c for c in range(6) if flags[c]]
    A = np.zeros((3, 3, n, 3 * n + len(free)))
    for i, j in itertools.product(range(3), repeat=2):
        A[i, j, :, i * n : (i + 1) * n] += 0.5 * derivatives[j]
        A[i, j, :, j * n : (j + 1) * n] += 0.5 * derivatives[i]
    fixed = np.zeros((3, 3, n))
    load = np.zeros(3 * n + len(free))
    for c, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        for a, b in {(i, j), (j, i)}:
            if flags[c]:
                A[a, b, :, 3 * n + free.index(c)] = 1.0
                load[3 * n + free.index(c)] += n * values[c]
            else:
                fixed[a, b] = values[c]
    given = fixed - eigenstrain.reshape(3, 3, n)
    CA = np.einsum("ijkl,klnx->ijnx", C, A)
    K = np.einsum("ijnx,ijny->xy", A, CA)
    x = np.linalg.lstsq(K, load - np.einsum("ijnx,ijn->x", CA, given), rcond=1e-12)[0]
    elastic = A @ x + given
    stress = np.einsum("ijkl,kln->ijn", C, elastic)
    energy = (0.5 * np.sum(stress * elastic) - load @ x) * grid.cell_volume
    shape = (3, 3, *grid.shape)
    return energy, elastic.reshape(shape) + eigenstrain, stress.reshape(shape), x[: 3 * n].reshape(3, *grid.shape)


def mode_energy(C, strain, k):
    """min over û of (ε−ε*)*:C:(ε−ε*), ε = sym(ik ⊗ û), by a dense system in û."""
    A = 0.5j * (np.einsum("i,ja->ija", k, np.eye(3)) + np.einsum("j,ia->ija", k, np.eye(3)))
    K = np.einsum("ija,ijkl,klb->ab", A.conj(), C, A)
    u = np.linalg.solve(K, np.einsum("ija,ijkl,kl->a", A.conj(), C, strain))
    e = A @ u - strain
    return np.einsum("ij,ijkl,kl->", e.conj(), C, e).real


# the kernel


@pytest.mark.parametrize("crystal", CRYSTALS)
@pytest.mark.parametrize("cells", ODD, ids=str)
def test_direct_minimisation(cells, crystal):
    """Energy, strain, stress and displacement of random fields under random load, for three controls."""
    rng = np.random.default_rng(1)
    grid = box(*cells)
    C, strains = CRYSTALS[crystal](rng), symmetric(rng, 3)
    theta, values = rng.normal(size=(3, *grid.shape)), rng.normal(size=6)
    fixed = np.moveaxis(symmetric(rng, *grid.shape), (-2, -1), (0, 1))
    for flags in ([False] * 6, [True] * 6, MIXED):
        elasticity = HomogeneousElasticity(C, strains, flags)
        total = eigenstrain_field(strains, theta) + fixed
        energy, strain, stress, u = direct_solution(grid, C, total, flags, values)
        fields = elasticity.fields(grid, theta, values, fixed)
        scale = np.abs(stress).max()
        assert elasticity.energy(grid, theta, values, fixed) == pytest.approx(energy, rel=1e-10)
        np.testing.assert_allclose(fields["strain"], strain, atol=1e-10 * np.abs(strain).max())
        np.testing.assert_allclose(fields["stress"], stress, atol=1e-10 * scale)
        u -= u.reshape(3, -1).mean(1).reshape(3, *[1] * grid.dimensions)
        np.testing.assert_allclose(fields["displacement"], u, atol=1e-10 * np.abs(u).max())
        without, *_ = direct_solution(grid, C, total - fixed, flags, values)
        assert kernel_energy(elasticity, grid, theta, values) == pytest.approx(without, rel=1e-10)


@pytest.mark.parametrize("crystal", CRYSTALS)
@pytest.mark.parametrize("cells", [(16, 16), (8, 8, 8)], ids=str)
def test_every_entry_by_polarisation(cells, crystal):
    """B_pq of every mode from the direct energies of unit fields, averaged over the signs of Nyquist components."""
    rng = np.random.default_rng(2)
    grid = box(*cells)
    C, strains = CRYSTALS[crystal](rng), symmetric(rng, 2)
    indices = full_indices(grid)
    symbol = HomogeneousElasticity(C, strains).symbol(grid, indices)
    m = np.stack([np.broadcast_to(i, grid.shape) for i in indices], axis=-1)
    lengths = np.array([a.length for a in grid.axes])
    scale = np.abs(symbol).max()
    chosen = rng.permutation(grid.cells)[:150]
    # Modes with one, two and three Nyquist components are few: all corners, and all sorts of edges and faces.
    nyquist = [i for i in np.ndindex(grid.shape) if np.sum(2 * np.abs(m[i]) == cells) >= 2][::2]
    for where in [np.unravel_index(i, grid.shape) for i in chosen] + nyquist:
        if not m[where].any():
            continue
        choices = [(-1, 1) if 2 * abs(v) == n else (1,) for v, n in zip(m[where], cells, strict=True)]
        B = np.zeros((2, 2))
        for signs in itertools.product(*choices):
            k = np.zeros(3)
            k[: len(cells)] = 2 * np.pi * m[where] * signs / lengths
            w = [mode_energy(C, s, k) for s in (*strains, strains.sum(0))]
            off = 0.5 * (w[2] - w[0] - w[1])
            B += np.array([[w[0], off], [off, w[1]]]) / np.prod([len(c) for c in choices])
        np.testing.assert_allclose(symbol[where], B, atol=1e-10 * scale)


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_kernel_is_the_formula(crystal):
    """ε⁰:C:ε⁰ − n·σ⁰·Ω·σ⁰·n, symmetric, positive semi-definite, whatever the length and the sign of n."""
    rng = np.random.default_rng(3)
    C, strains = CRYSTALS[crystal](rng), symmetric(rng, 4)
    n = rng.normal(size=(5, 30, 3))
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    elasticity = HomogeneousElasticity(C, strains)
    B = elasticity.kernel(n)
    sigma = np.einsum("ijkl,pkl->pij", C, strains)
    omega = np.linalg.inv(np.einsum("ikjl,...k,...l->...ij", C, n, n))
    relaxed = np.einsum("...i,pij,...jk,qkl,...l->...pq", n, sigma, omega, sigma, n, optimize=True)
    expected = np.einsum("pij,qij->pq", sigma, strains) - relaxed
    assert B.shape == (5, 30, 4, 4)
    np.testing.assert_allclose(B, expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_array_equal(B, B.swapaxes(-1, -2))
    assert np.linalg.eigvalsh(B).min() > -1e-15 * np.abs(B).max()
    np.testing.assert_allclose(elasticity.kernel(-3.0 * n), B, atol=1e-13 * np.abs(B).max())


def test_rotation_of_crystal_and_direction():
    rng = np.random.default_rng(4)
    C, strains, R = anisotropic(rng), symmetric(rng, 3), random_rotation(rng)
    n = rng.normal(size=(50, 3))
    B = HomogeneousElasticity(C, strains).kernel(n)
    turned = HomogeneousElasticity(st.rotate(C, R), np.array([st.rotate(s, R) for s in strains])).kernel(n @ R.T)
    np.testing.assert_allclose(turned, B, atol=1e-13 * np.abs(B).max())


def test_parts_do_not_matter(monkeypatch):
    rng = np.random.default_rng(5)
    grid = box(6, 4, 5)
    elasticity = HomogeneousElasticity(anisotropic(rng), symmetric(rng, 2))
    theta = rng.normal(size=(2, *grid.shape))
    whole = elasticity.symbol(grid, full_indices(grid)), elasticity.energy(grid, theta), elasticity.fields(grid, theta)
    monkeypatch.setattr(elastic_modes, "CHUNK", 7)
    np.testing.assert_allclose(elasticity.symbol(grid, full_indices(grid)), whole[0], rtol=1e-13, atol=1e-14)
    assert elasticity.energy(grid, theta) == pytest.approx(whole[1], rel=1e-14)
    for name, field in elasticity.fields(grid, theta).items():
        np.testing.assert_allclose(field, whole[2][name], atol=1e-13, err_msg=name)


# where it vanishes


def test_no_energy_on_110_between_tetragonal_variants():
    strains = np.array([np.diag(d) for d in ([-0.1994, 0.1322, 0.1322], [0.1322, -0.1994, 0.1322])])
    elasticity = HomogeneousElasticity(st.cubic_stiffness(140.0, 84.0, 28.0), strains)
    twin = np.array([1.0, -1.0])
    energy = twin @ elasticity.kernel(np.array([[1, 1, 0], [1, -1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]])) @ twin
    np.testing.assert_allclose(energy[:2], 0, atol=1e-28)
    assert energy[2:].min() > 1.0


def test_zero_on_compatible_normals_and_nowhere_else():
    rng = np.random.default_rng(6)
    a, n = rng.normal(size=(2, 3))
    strain = 0.5 * (np.outer(a, n) + np.outer(n, a))
    normals, _ = compatible_normals(np.zeros((3, 3)), strain)
    elasticity = HomogeneousElasticity(anisotropic(rng), strain[None])
    scale = elasticity.kernel(np.eye(3)).max()
    assert elasticity.kernel(normals).max() < 1e-25 * scale
    others = rng.normal(size=(2000, 3))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    far = np.abs(others @ normals.T).max(1) < 0.999
    assert elasticity.kernel(others[far]).min() > 1e-4 * scale


def test_shear_of_a_square_lattice():
    """B(θ) = 4C′ε²(1 − C′/C₁₁) cos²2θ, C′ = (C₁₁ − C₁₂)/2, of diag(ε, −ε) in an isotropic body."""
    C11, C12, e = 1.4, 0.84, 0.05
    elasticity = HomogeneousElasticity(st.cubic_stiffness(C11, C12, 0.28), np.diag([e, -e, 0.0])[None])
    angle = np.linspace(0.0, np.pi, 181)
    n = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    B = elasticity.kernel(n)[:, 0, 0]
    C = 0.5 * (C11 - C12)
    np.testing.assert_allclose(B, 4 * C * e**2 * (1 - C / C11) * np.cos(2 * angle) ** 2, atol=1e-12 * 0.00224)
    np.testing.assert_allclose(B[[0, 90, 180]], 0.00224, rtol=1e-12)
    np.testing.assert_allclose(B[[45, 135]], 0.0, atol=1e-18)


# isotropic closed forms


@pytest.mark.parametrize("dimensions", [2, 3])
def test_bitter_crum(dimensions):
    """A dilatation in an isotropic body costs the same in every direction, hence in every shape."""
    lame, mu, e = 1.3, 0.7, 0.04
    nu = lame / (2 * (lame + mu))
    if dimensions == 2:
        cells, strain, B = (16, 15), np.diag([e, e, 0]), 4 * (lame + mu) * e**2 * mu / (lame + 2 * mu)
    else:
        cells, strain, B = (8, 6, 7), e * np.eye(3), 4 * mu * (1 + nu) / (1 - nu) * e**2
        assert pytest.approx(12 * (lame + 2 * mu / 3) * mu * e**2 / (lame + 2 * mu), rel=1e-14) == B
    grid = box(*cells)
    C = st.isotropic_stiffness(lame, mu)
    elasticity = HomogeneousElasticity(C, strain[None], "stress", dimensions)
    symbol = elasticity.symbol(grid, full_indices(grid))[..., 0, 0].ravel()
    np.testing.assert_allclose(symbol[1:], B, rtol=1e-12)
    free = HomogeneousElasticity(C, strain[None], "stress", 3)
    rng = np.random.default_rng(7)
    x = grid.coordinates()["x"] + np.zeros(grid.shape)
    for theta in (rng.random(grid.shape), (x < 0.5).astype(float), (rng.random(grid.shape) < 0.2).astype(float)):
        expected = 0.5 * B * grid.volume * theta.var()
        assert free.energy(grid, theta[None]) == pytest.approx(expected, rel=1e-12)
        fields = free.fields(grid, theta[None])
        assert grid.cell_volume * fields["energy_density"].sum() == pytest.approx(expected, rel=1e-12)


def eshelby_strains(e):
    """Two orientations of one deviatoric strain: along the axes, and along the diagonals."""
    return np.array([np.diag([e, -e, 0.0]), [[0, e, 0], [e, 0, 0], [0, 0, 0]]])


def test_eshelby_circle():
    """Energy and stress of a circle, R = 32 cells, in periodic boxes of 256 and 512, extrapolated to an infinite one.

    Its images contribute in proportion to the area fraction f: by (1 − f) as in every box, and by the square symmetry of
    the lattice of images, with opposite signs for the two orientations of the strain. Eshelby 1957,
    doi:10.1098/rspa.1957.0133; plane strain: σ = −2μ(1−β)ε⁰, β = (3−4ν)/(4(1−ν)).
    """
    nu, mu, e, R = 0.3, 1.0, 0.05, 32
    C = st.isotropic_stiffness(2 * mu * nu / (1 - 2 * nu), mu)
    elasticity = HomogeneousElasticity(C, eshelby_strains(e), "stress", 2)
    beta = (3 - 4 * nu) / (4 * (1 - nu))
    measured = {}
    for cells in (256, 512):
        grid = Grid((Axis("x", cells, float(cells)), Axis("y", cells, float(cells))))
        x, y = grid.coordinates()["x"], grid.coordinates()["y"]
        disc = ((x - cells / 2) ** 2 + (y - cells / 2) ** 2 < R**2).astype(float)
        f, middle = disc.mean(), cells // 2
        closed = 0.5 * 2 * mu * 2 * e**2 * (1 - beta) * disc.sum()
        row = [f]
        for p in range(2):
            theta = np.zeros((2, *grid.shape))
            theta[p] = disc
            fields = elasticity.fields(grid, theta)
            energy = grid.cell_volume * fields["energy_density"].sum()
            s = fields["stress"]
            inside = 0.5 * (s[0, 0] - s[1, 1]) if p == 0 else s[0, 1]
            core = inside[middle - 16 : middle + 16, middle - 16 : middle + 16]
            assert core.std() < 0.01 * abs(core.mean())
            row += [energy / closed, inside[middle, middle] / (-2 * mu * (1 - beta) * e)]
        # The average over both orientations is free of the lattice's symmetry, at any fraction.
        assert row[1] + row[3] == pytest.approx(2 * (1 - f), rel=1e-12)
        measured[cells] = np.array(row)
    small, large = measured[512], measured[256]
    infinite = small - (large - small) * small[0] / (large[0] - small[0])
    np.testing.assert_allclose(infinite[1:], 1.0, rtol=0.01)


def test_eshelby_sphere():
    """Energy of a sphere, R = 16 and 32 cells in a box of 128, extrapolated to an infinite one: β = 2(4−5ν)/(15(1−ν))."""
    nu, mu, e, cells = 0.3, 1.0, 0.05, 128
    grid = Grid(tuple(Axis(name, cells, float(cells)) for name in "xyz"))
    elasticity = HomogeneousElasticity(st.isotropic_stiffness(2 * mu * nu / (1 - 2 * nu), mu), eshelby_strains(e))
    x, y, z = np.arange(cells // 2 + 1), *(np.fft.fftfreq(cells, 1 / cells).reshape(s) for s in ((-1, 1), (-1, 1, 1)))
    B = elasticity.symbol(grid, (x, y, z))
    weight = np.where((x == 0) | (x == cells // 2), 1.0, 2.0)
    beta = 2 * (4 - 5 * nu) / (15 * (1 - nu))
    r2 = sum((c - cells / 2) ** 2 for c in grid.coordinates().values())
    rows = []
    for R in (16, 32):
        ball = (r2 < R**2).astype(float)
        power = weight * np.abs(np.fft.rfftn(ball, norm="forward")) ** 2
        power[0, 0, 0] = 0.0
        energy = 0.5 * grid.volume * np.einsum("zyx,zyxpp->p", power, B)
        closed = 0.5 * 2 * mu * 2 * e**2 * (1 - beta) * ball.sum()
        rows.append(np.array([ball.mean(), *(energy / closed)]))
        # The average over all orientations of the strain, two of which are like the first and three like the second.
        assert (2 * rows[-1][1] + 3 * rows[-1][2]) / 5 == pytest.approx(1 - ball.mean(), rel=1e-12)
    small, large = rows
    infinite = small - (large - small) * small[0] / (large[0] - small[0])
    np.testing.assert_allclose(infinite[1:], 1.0, rtol=0.01)


# the mean


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_every_control_by_direct_minimisation(crystal):
    """All 64 choices of prescribed mean strains and stresses: potential, driving force, mean strain and stress."""
    rng = np.random.default_rng(8)
    C, strains = CRYSTALS[crystal](rng), symmetric(rng, 3)
    voigt = np.array([[C[i, j, k, m] for k, m in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
                      for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])  # fmt: skip
    for flags in itertools.product([False, True], repeat=6):
        Q = np.array(flags)
        elasticity = HomogeneousElasticity(C, strains, Q)
        values, theta = rng.normal(size=6), rng.normal(size=3)

        def potential(theta, Q=Q, values=values):
            """min over the free mean strains (engineering shear) of ½(ε̄−ε*):C:(ε̄−ε*) − σ̄:ε̄."""
            free = np.array([s[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * SHEAR_FACTOR for s in strains])
            eigen = theta @ free
            strain = np.where(Q, 0.0, values * SHEAR_FACTOR)
            right = values[Q] - voigt[Q] @ (strain - eigen)
            strain[Q] = np.linalg.solve(voigt[np.ix_(Q, Q)], right)
            e = strain - eigen
            return 0.5 * e @ voigt @ e - values[Q] @ strain[Q], strain / SHEAR_FACTOR, voigt @ e

        B, g, c = elasticity.mean_symbol, elasticity.mean_force(values), elasticity.mean_constant(values)
        W, strain, stress = potential(theta)
        scale = abs(W) + abs(c) + abs(g @ theta)
        assert abs(0.5 * theta @ B @ theta - g @ theta + c - W) < 1e-10 * scale
        mean_strain, mean_stress = elasticity.mean_response(theta, values)
        np.testing.assert_allclose(st.to_components(mean_strain), strain, atol=1e-10 * np.abs(strain).max())
        np.testing.assert_allclose(st.to_components(mean_stress), stress, atol=1e-10 * np.abs(stress).max())
        force = np.einsum("ij,pij->p", mean_stress, strains)
        np.testing.assert_allclose(g - B @ theta, force, atol=1e-10 * np.abs(force).max())
        # The potential is quadratic: central differences are exact.
        for p in range(3):
            step = np.eye(3)[p]
            slope = 0.5 * (potential(theta + step)[0] - potential(theta - step)[0])
            assert slope == pytest.approx(-force[p], abs=1e-10 * scale)
        np.testing.assert_array_equal(B, B.T)
        assert np.linalg.eigvalsh(B).min() > -1e-14 * np.abs(voigt).max()


def test_the_two_pure_controls():
    rng = np.random.default_rng(9)
    C, strains, values = anisotropic(rng), symmetric(rng, 2), rng.normal(size=6)
    given = st.from_components(values)
    clamped, free = HomogeneousElasticity(C, strains, "strain"), HomogeneousElasticity(C, strains, "stress")
    np.testing.assert_allclose(clamped.mean_symbol, np.einsum("pij,ijkl,qkl->pq", strains, C, strains), rtol=1e-12)
    np.testing.assert_array_equal(free.mean_symbol, 0.0)
    np.testing.assert_allclose(clamped.mean_force(values), np.einsum("ij,ijkl,pkl->p", given, C, strains), rtol=1e-11)
    np.testing.assert_allclose(free.mean_force(values), np.einsum("ij,pij->p", given, strains), rtol=1e-13)
    compliance = st.compliance(C)
    assert free.mean_constant(values) == pytest.approx(-0.5 * np.einsum("ij,ijkl,kl", given, compliance, given))
    assert clamped.mean_constant(values) == pytest.approx(0.5 * np.einsum("ij,ijkl,kl", given, C, given))
    theta = np.array([0.3, -0.8])
    strain, stress = free.mean_response(theta, values)
    expected = np.einsum("ijkl,kl->ij", compliance, given) + np.einsum("p,pij->ij", theta, strains)
    np.testing.assert_allclose(strain, expected, atol=1e-12)
    np.testing.assert_array_equal(stress, st.from_mandel(st.to_mandel(given)))


@pytest.mark.parametrize("control", ["strain", "stress", MIXED], ids=str)
@pytest.mark.parametrize("cells", ODD + EVEN, ids=str)
def test_energy_of_the_kernel_is_that_of_the_fields(cells, control):
    """On odd and even grids, at 1e-12: ∫ energy density less the work over stress-controlled components."""
    rng = np.random.default_rng(10)
    grid = box(*cells)
    C, strains, values = anisotropic(rng), symmetric(rng, 2), rng.normal(size=6)
    elasticity = HomogeneousElasticity(C, strains, control)
    theta = rng.normal(size=(2, *grid.shape))
    energy = kernel_energy(elasticity, grid, theta, values)
    assert elasticity.energy(grid, theta, values) == pytest.approx(energy, rel=1e-12)
    fields = elasticity.fields(grid, theta, values)
    Q = elasticity.stress_controlled
    mean_strain, mean_stress = field_mean(fields["strain"]), field_mean(fields["stress"])
    work = (st.to_components(mean_strain) * st.to_components(mean_stress) * SHEAR_FACTOR)[Q].sum()
    assert grid.volume * (fields["energy_density"].mean() - work) == pytest.approx(energy, rel=1e-12)
    # Mean strain and stress are what is prescribed.
    np.testing.assert_allclose(st.to_components(mean_strain)[~Q], values[~Q], atol=1e-12)
    np.testing.assert_allclose(st.to_components(mean_stress)[Q], values[Q], atol=1e-11)
    elastic = fields["strain"] - eigenstrain_field(strains, theta)
    np.testing.assert_allclose(np.einsum("ijkl,kl...->ij...", C, elastic), fields["stress"], atol=1e-11)
    plain = 0.5 * np.einsum("ij...,ij...->...", fields["stress"], elastic)
    assert np.all(fields["energy_density"] >= plain - 1e-14 * plain.max())
    if cells in ODD:
        np.testing.assert_allclose(fields["energy_density"], plain, rtol=1e-12)
    # −½⟨σ:ε*⟩ is linear in the stress, and so the same on every grid (strain control, no load).
    if control == "strain":
        still = elasticity.fields(grid, theta)["stress"]
        clapeyron = -0.5 * grid.cell_volume * np.sum(still * eigenstrain_field(strains, theta))
        assert clapeyron == pytest.approx(elasticity.energy(grid, theta), rel=1e-12)


@pytest.mark.parametrize("cells", [(8, 6), (6, 8, 4)], ids=str)
def test_without_nyquist_content_even_grids_are_like_odd_ones(cells):
    """½⟨σ:(ε−ε*)⟩ alone is the energy, the strain is the gradient of the displacement, the stress has no divergence."""
    rng = np.random.default_rng(11)
    grid = box(*cells)
    elasticity = HomogeneousElasticity(anisotropic(rng), symmetric(rng, 2))
    axes = tuple(range(1, grid.dimensions + 1))
    hat = np.fft.fftn(rng.normal(size=(2, *grid.shape)), axes=axes)
    waves, clean = [np.zeros(1)] * 3, np.ones(grid.shape, bool)
    for i, (m, a) in enumerate(zip(full_indices(grid), grid.axes, strict=True)):
        clean &= 2 * np.abs(m) != a.cells
        waves[i] = 2 * np.pi * m / a.length
    theta = np.fft.ifftn(hat * clean, axes=axes).real
    fields = elasticity.fields(grid, theta)
    elastic = fields["strain"] - eigenstrain_field(elasticity.strains, theta)
    plain = 0.5 * grid.cell_volume * np.sum(fields["stress"] * elastic)
    assert plain == pytest.approx(kernel_energy(elasticity, grid, theta), rel=1e-12)
    u_hat = np.fft.fftn(fields["displacement"], axes=axes)
    stress_hat = np.fft.fftn(fields["stress"], axes=tuple(a + 1 for a in axes))
    strain = np.array(
        [[np.fft.ifftn(0.5j * (waves[i] * u_hat[j] + waves[j] * u_hat[i])).real for i in range(3)] for j in range(3)]
    )
    np.testing.assert_allclose(fields["strain"], strain, atol=1e-12)
    divergence = sum(waves[j] * stress_hat[:, j] for j in range(3))
    assert np.abs(divergence).max() < 1e-11 * np.abs(stress_hat).max()
    np.testing.assert_allclose(fields["displacement"].reshape(3, -1).mean(1), 0, atol=1e-15)


@pytest.mark.parametrize("cells", [(8, 6), (6, 4, 5), (5, 7)], ids=str)
def test_stress_drives_the_fields(cells):
    """δF/δθ_p = −ε⁰_p:σ cell by cell, Nyquist modes included; central differences of a quadratic are exact."""
    rng = np.random.default_rng(12)
    grid = box(*cells)
    values = rng.normal(size=6)
    elasticity = HomogeneousElasticity(anisotropic(rng), symmetric(rng, 2), MIXED)
    theta = rng.normal(size=(2, *grid.shape))
    stress = elasticity.fields(grid, theta, values)["stress"]
    for _ in range(10):
        p, where = rng.integers(2), tuple(rng.integers(grid.shape))
        step = np.zeros_like(theta)
        step[(p, *where)] = 1.0
        slope = 0.5 * (elasticity.energy(grid, theta + step, values) - elasticity.energy(grid, theta - step, values))
        expected = -grid.cell_volume * np.sum(stress[(..., *where)] * elasticity.strains[p])
        assert slope == pytest.approx(expected, abs=1e-11)


def test_symbol_is_even_and_positive():
    rng = np.random.default_rng(13)
    grid = box(6, 4, 8)
    elasticity = HomogeneousElasticity(anisotropic(rng), symmetric(rng, 3), MIXED)
    indices = full_indices(grid)
    symbol = elasticity.symbol(grid, indices)
    scale = np.abs(symbol).max()
    np.testing.assert_allclose(elasticity.symbol(grid, [-m for m in indices]), symbol, atol=1e-14 * scale)
    np.testing.assert_array_equal(symbol[0, 0, 0], elasticity.mean_symbol)
    assert np.linalg.eigvalsh(symbol).min() > -1e-15 * scale
    # +N/2 and −N/2 are one mode.
    np.testing.assert_allclose(
        elasticity.symbol(grid, (3, 1, 4)), elasticity.symbol(grid, (-3, 1, -4)), atol=1e-14 * scale
    )


def test_a_plane_problem_is_a_slab_of_the_three_dimensional_one():
    rng = np.random.default_rng(14)
    plane, slab = box(6, 5), box(6, 5, 3)
    C, strains, theta = anisotropic(rng), symmetric(rng, 2), rng.normal(size=(2, 5, 6))
    thick = np.repeat(theta[:, None], 3, axis=1)
    flags = Control(stress={"xx": 0.1}).stress_controlled(2)
    two, three = HomogeneousElasticity(C, strains, flags), HomogeneousElasticity(C, strains, flags)
    thickness = slab.axes[2].length
    assert three.energy(slab, thick) == pytest.approx(thickness * two.energy(plane, theta), rel=1e-12)
    for name, field in two.fields(plane, theta).items():
        np.testing.assert_allclose(three.fields(slab, thick)[name][..., 1, :, :], field, atol=1e-12, err_msg=name)


# a fixed eigenstrain


@pytest.mark.parametrize("control", ["strain", "stress", MIXED], ids=str)
@pytest.mark.parametrize("cells", [(7,), (8, 6), (4, 3, 6)], ids=str)
def test_fixed_eigenstrain(cells, control):
    rng = np.random.default_rng(15)
    grid = box(*cells)
    elasticity = HomogeneousElasticity(anisotropic(rng), symmetric(rng, 2), control)
    theta, values = rng.normal(size=(2, *grid.shape)), rng.normal(size=6)
    fixed = rng.normal(size=(6, *grid.shape))
    force = elasticity.misfit_force(grid, fixed)
    assert force.shape == theta.shape
    expected = elasticity.energy(grid, theta, values) + elasticity.misfit_energy(grid, fixed, values)
    expected -= grid.cell_volume * np.sum(force * theta)
    assert elasticity.energy(grid, theta, values, fixed) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(elasticity.misfit_force(grid, st.from_components(fixed)), force, atol=1e-13)
    # The strain of a variant, given as a fixed eigenstrain, is that variant.
    field = eigenstrain_field(elasticity.strains, theta)
    nothing = np.zeros_like(theta)
    assert elasticity.energy(grid, nothing, values, field) == pytest.approx(
        elasticity.energy(grid, theta, values), rel=1e-12
    )
    mean_strain, mean_stress = elasticity.mean_response(np.zeros(2), values, field_mean(field))
    fields = elasticity.fields(grid, theta, values)
    np.testing.assert_allclose(field_mean(fields["strain"]), mean_strain, atol=1e-12)
    np.testing.assert_allclose(field_mean(fields["stress"]), mean_stress, atol=1e-11)


# control


@pytest.mark.parametrize(
    ("written", "dimensions", "flags"),
    [
        ("strain", 3, "000000"),
        ("stress", 3, "111111"),
        ("stress", 2, "110001"),
        ("stress", 1, "100000"),
        ({"stress": {"xx": 1.0}}, 2, "110001"),
        ({"stress": {"zz": 0.0}}, 2, "111001"),
        ({"stress": {"yy": 0, "zz": 0, "yz": 0, "xz": 0, "xy": 0}}, 1, "111111"),
        ({"strain": {"xx": 0.01}}, 2, "000000"),
        ({"strain": {"xx": 0.01}, "stress": {"yy": 2.0}}, 2, "010000"),
        (["stress", "strain", "stress", "strain", "strain", "stress"], 2, "101001"),
        (["stress"] * 6, 2, "111111"),
    ],
    ids=str,
)
def test_what_a_control_means(written, dimensions, flags):
    control = TypeAdapter(ControlSetting).validate_python(written)
    assert "".join("01"[int(f)] for f in control.stress_controlled(dimensions)) == flags
    assert TypeAdapter(ControlSetting).validate_python(control.model_dump(mode="json", exclude_none=True)) == control
    elasticity = HomogeneousElasticity(st.isotropic_stiffness(1, 1), np.eye(3)[None], control, dimensions)
    np.testing.assert_array_equal(elasticity.stress_controlled, control.stress_controlled(dimensions))
    if isinstance(written, str | list):
        again = HomogeneousElasticity(st.isotropic_stiffness(1, 1), np.eye(3)[None], written, dimensions)
        np.testing.assert_array_equal(again.stress_controlled, elasticity.stress_controlled)


def test_values_of_a_control_are_the_default():
    control = Control(strain={"xy": 0.01, "xx": -0.02}, stress={"yy": 3.0})
    np.testing.assert_array_equal(control.values(), [-0.02, 3.0, 0, 0, 0, 0.01])
    elasticity = HomogeneousElasticity(st.isotropic_stiffness(1, 1), np.eye(3)[None], control, 2)
    np.testing.assert_array_equal(elasticity.mean_force(), elasticity.mean_force(control.values()))
    assert elasticity.mean_constant() == elasticity.mean_constant(control.values()) != 0.0
    # A fixed eigenstrain has its own force, the load has another.
    np.testing.assert_array_equal(elasticity.misfit_force(box(4, 4), np.zeros((6, 4, 4))), 0.0)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("stres", "unknown control 'stres'; did you mean 'stress'?"),
        (["strain"] * 5, "needs six words, for xx, yy, zz, yz, xz, xy (got 5)"),
        (["strain"] * 5 + [1], "unknown control '1'"),
        ({}, "needs a section strain or stress"),
        ({"strain": {"xx": 1}, "stress": {"xx": 1}}, "xx is prescribed both as a mean strain and as a mean stress"),
        ({"strain": {"yx": 1}}, "Input should be 'xx', 'yy', 'zz', 'yz', 'xz' or 'xy'"),
    ],
)
def test_control_mistakes(written, message):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(ControlSetting).validate_python(written)
    assert [e["msg"] for e in caught.value.errors()] == [message]


ISOTROPIC = st.isotropic_stiffness(1.0, 1.0)


def one(**changes):
    return HomogeneousElasticity(**{"stiffness": ISOTROPIC, "strains": np.eye(3)[None], **changes})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one(stiffness=np.eye(6)), "a stiffness has the shape"),
        (lambda: one(stiffness=-ISOTROPIC), "not positive definite"),
        (lambda: one(strains=np.eye(3)), r"shape \(N, 3, 3\), got \(3, 3\)"),
        (lambda: one(strains=np.triu(np.ones((1, 3, 3)))), "symmetric"),
        (lambda: one(strains=np.full((1, 3, 3), np.nan)), "not finite"),
        (lambda: one(control="stres"), "unknown control 'stres'; did you mean 'stress'?"),
        (lambda: one(control=[True] * 5), "six words or flags"),
        (lambda: one().kernel(np.ones(2)), r"shape \(…, 3\)"),
        (lambda: one().kernel(np.zeros((2, 3))), "no length"),
        (lambda: one().symbol(box(4, 4), (1,)), "as many index arrays"),
        (lambda: one().symbol(box(4, 4, boundary="no_flux"), (1, 1)), "periodic axes; x is no_flux"),
        (lambda: one().energy(box(4, 4, boundary="no_flux"), np.zeros((1, 4, 4))), "periodic axes"),
        (lambda: one().energy(box(4, 4), np.zeros((4, 4))), r"shape \(1, 4, 4\), got \(4, 4\)"),
        (lambda: one().fields(box(4), np.zeros((1, 4)), np.zeros(3)), "six numbers"),
        (lambda: one().misfit_force(box(4), np.zeros((3, 4))), "an eigenstrain has the shape"),
        (lambda: one().misfit_force(box(1), np.triu(np.ones((3, 3)))[..., None]), "an eigenstrain is symmetric"),
        (lambda: square_rectangle_kernel(np.ones(3), 1.0, 1.0), r"shape \(…, 2\)"),
        (lambda: square_rectangle_kernel(np.zeros(2), 1.0, 1.0), "no length"),
        (lambda: square_rectangle_kernel(np.ones(2), 1.0, 0.0), "greater than 0"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(InputError, match=message):
        call()


# square to rectangle


@pytest.mark.parametrize(("A1", "A3"), [(140.0, 280.0), (1.0, 0.1), (0.2, 3.0)])
def test_square_rectangle_kernel_by_direct_minimisation(A1, A3):
    """min ½A₁|e₁|² + ½A₃|e₃|² over displacements with given e₂, direction by direction."""
    rng = np.random.default_rng(16)
    for n in rng.normal(size=(50, 2)):
        # Rows: e₁, e₂, e₃ of the displacement (u_x, u_y) of a mode with wave vector n.
        e = 1j * np.array([[n[0], n[1]], [n[0], -n[1]], [n[1] / np.sqrt(2), n[0] / np.sqrt(2)]]) / np.sqrt(2)
        # û on the line e₂ = 1, from a particular solution along the null vector of e₂.
        start, null = e[1].conj() / np.sum(np.abs(e[1]) ** 2), np.array([n[1], n[0]]) + 0j
        modulus = np.array([A1, 0.0, A3])
        along, there = e @ null, e @ start
        there = there - along * np.sum(modulus * along.conj() * there) / np.sum(modulus * np.abs(along) ** 2)
        assert there[1] == pytest.approx(1.0, abs=1e-12)
        expected = np.sum(modulus * np.abs(there) ** 2)
        assert square_rectangle_kernel(n, A1, A3) == pytest.approx(expected, rel=1e-12)
    angle = np.array([np.pi / 4, 3 * np.pi / 4, 0.0, np.pi / 2])
    values = square_rectangle_kernel(np.stack([np.cos(angle), np.sin(angle)], -1), A1, A3)
    np.testing.assert_allclose(values, [0, 0, A1, A1], atol=1e-15 * A1)
