"""Bodies that transform: one stiffness as a limit, laminates, Hill's theorem, forces as derivatives, and bits."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.control import Control
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.mechanics.stiffness import (
    cubic_stiffness,
    euler_rotation,
    isotropic_stiffness,
    mandel_matrix,
    rotate,
    to_mandel,
)
from phasefield.mechanics.transforming import TransformingElasticity
from phasefield.mechanics.transforming_body import LINEAR, TransformingBody
from phasefield.spectral.grid import Axis, Grid

LEVITAS, QUADRATIC = (0.0, 3.0, -2.0, 0.0), (0.0, 1.0, 0.0, 0.0)
SOFT, STIFF = cubic_stiffness(3.0, 1.2, 1.5), rotate(cubic_stiffness(6.0, 2.0, 1.0), euler_rotation(20.0, 0.0, 0.0))
CLAMPED = (np.zeros(6, bool), np.zeros(6))


def box(*cells: int) -> Grid:
    return Grid(tuple(Axis("xyz"[i], n, n * (1.0 + 0.2 * i)) for i, n in enumerate(cells)))


def smooth(grid: Grid, count: int, seed: int = 1) -> np.ndarray:
    """Random fields without content at Nyquist modes."""
    hat = np.fft.fftn(np.random.default_rng(seed).normal(size=(count, *grid.shape)), axes=range(1, grid.dimensions + 1))
    for axis, cells in enumerate(grid.shape):
        kept = np.abs(np.fft.fftfreq(cells, 1.0 / cells)) <= cells // 4
        hat *= kept.reshape([-1 if i == axis + 1 else 1 for i in range(hat.ndim)])
    return np.fft.ifftn(hat, axes=range(1, grid.dimensions + 1)).real


def strains(count: int = 2, in_plane: bool = False) -> np.ndarray:
    e = np.random.default_rng(2).normal(size=(count, 3, 3))
    e = 0.3 * (e + e.transpose(0, 2, 1))
    if in_plane:
        e[:, :2, 2] = e[:, 2, :2] = 0.0
    return e


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("cells", [(15,), (15, 13), (16, 12), (9, 7, 11)])
def test_one_stiffness_is_the_closed_form(cells, across):
    """Energy, forces and fields; with shears across the plane a plane problem becomes a slab."""
    grid, e = box(*cells), strains(in_plane=not across)
    C = rotate(SOFT, euler_rotation(20.0, 30.0, 40.0)) if across else SOFT
    theta, fixed = smooth(grid, 2), 0.3 * smooth(grid, 6, seed=3)
    fixed[3:5] *= across
    for control in (
        Control(strain={"zz": 0.1}),
        Control(stress={"xx": 0.2}),
        Control(strain={"xx": 0.1, "zz": 0.2}, stress={"yy": 0.05, "xy": -0.1}),
    ):
        load = control.stress_controlled(grid.dimensions), control.values()
        body = TransformingElasticity(TransformingBody(C, e), grid, fixed=fixed, in_plane=not across, tolerance=1e-12)
        body.solve(theta, *load)
        closed = HomogeneousElasticity(C, e, load[0], grid.dimensions)
        fields = closed.fields(grid, theta, load[1], fixed)
        assert body.energy == pytest.approx(closed.energy(grid, theta, load[1], fixed), rel=1e-11)
        force = -np.einsum("pij,ij...->p...", e, fields["stress"])
        np.testing.assert_allclose(body.forces, force, atol=1e-11 * np.abs(force).max())
        found = body.fields()
        for name, expected in fields.items():
            np.testing.assert_allclose(found[name], expected, atol=1e-11 * np.abs(expected).max(), err_msg=name)
        eps = fixed.reshape(6, -1).mean(axis=1)
        means = closed.mean_response(theta.reshape(2, -1).mean(axis=1), load[1], eps[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]])
        np.testing.assert_allclose(body.mean_strain, means[0], atol=1e-12)
        np.testing.assert_allclose(body.mean_stress, means[1], atol=1e-12)


def laminate(stiffness, shares, eigenstrains, mean) -> tuple[float, np.ndarray]:
    """Energy density and mean stress (Mandel) of layers normal to x: strains ε̄ + sym(a_i ⊗ x), Σ f_i a_i = 0, one traction."""
    C = [mandel_matrix(c) for c in stiffness]
    # Components with an x: xx, xz, xy. Those of a_i.
    normal = np.zeros((6, 3))
    normal[0, 0], normal[5, 1], normal[4, 2] = 1.0, np.sqrt(0.5), np.sqrt(0.5)
    count = len(C)
    rows, right = np.zeros((3 * count, 3 * count)), np.zeros(3 * count)
    for i in range(count - 1):
        for j, sign in ((i, 1.0), (i + 1, -1.0)):
            rows[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] = sign * normal.T @ C[j] @ normal
            right[3 * i : 3 * i + 3] -= sign * normal.T @ C[j] @ (mean - eigenstrains[j])
    rows[-3:] = np.hstack([f * np.eye(3) for f in shares])
    a = np.linalg.solve(rows, right).reshape(count, 3)
    e = [mean + normal @ a[i] - eigenstrains[i] for i in range(count)]
    energy = sum(0.5 * f * x @ c @ x for f, c, x in zip(shares, C, e, strict=True))
    return float(energy), sum(f * c @ x for f, c, x in zip(shares, C, e, strict=True))


@pytest.mark.parametrize("scheme", ["fourier", "rotated"])
@pytest.mark.parametrize("cells", [(16,), (16, 6), (16, 4, 6)])
def test_laminate_of_three_materials(cells, scheme):
    """Austenite, two variants and an idle region, layers of four cells each: exact, whatever the discretisation."""
    grid, e = box(*cells), strains(in_plane=True)
    other = cubic_stiffness(9.0, 2.0, 4.0)
    layer = np.broadcast_to(np.arange(16) // 4, grid.shape)
    eta = np.stack([1.0 * (layer == 1), 1.0 * (layer == 2)])
    # In the region variants have neither strain nor stiffness.
    eta[0] += 1.0 * (layer == 3)
    mean = np.array([0.1, -0.2, 0.05, 0.0, 0.0, 0.15])
    body = TransformingBody(SOFT, e, LEVITAS, QUADRATIC, np.array([STIFF, 0.5 * SOFT]), other, region_transforms=False)
    found = TransformingElasticity(body, grid, region=1.0 * (layer == 3), scheme=scheme, tolerance=1e-12)
    found.solve(eta, np.zeros(6, bool), mean)
    mandel = [to_mandel(t) for t in (np.zeros((3, 3)), *e, np.zeros((3, 3)))]
    stretch = mean * np.sqrt([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    energy, stress = laminate([SOFT, STIFF, 0.5 * SOFT, other], [0.25] * 4, mandel, stretch)
    assert found.energy == pytest.approx(energy * grid.volume, rel=1e-10)
    np.testing.assert_allclose(to_mandel(found.mean_stress), stress, atol=1e-10)
    # Under that stress the same strain comes out, and the potential less the work.
    if grid.dimensions == 3:
        values = np.array([found.mean_stress[i] for i in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])
        work = float(np.sum(found.mean_stress * found.mean_strain))
        before = found.mean_strain.copy()
        found.solve(eta, np.ones(6, bool), values)
        np.testing.assert_allclose(found.mean_strain, before, atol=1e-9)
        assert found.energy == pytest.approx((energy - work) * grid.volume, rel=1e-9)


@pytest.mark.parametrize("cells", [(15, 13), (9, 7, 11)])
def test_dilatation_between_materials_of_one_shear_modulus(cells):
    """Hill's theorem: with μ uniform the elastic field of a dilatation is a gradient, and the energy blind to morphology.

    (λ + 2μ) t − s = c with t = tr ε, s = 3K ε* (2 (λ + μ) ε* in the plane); E = ½ ∫ [(λ + 2μ) t² − 2 s t + d ε* s] dV, ⟨t⟩ = 0.
    """
    grid, d, mu, lame, other = box(*cells), len(cells), 0.7, 0.5, 2.3
    eta = 0.5 + 0.3 * np.tanh(smooth(grid, 1))
    strain = np.diag([1.0] * d + [0.0] * (3 - d))[None]
    body = TransformingBody(isotropic_stiffness(lame, mu), strain, variants=isotropic_stiffness(other, mu)[None])
    found = TransformingElasticity(body, grid, tolerance=1e-12)
    found.solve(eta, *CLAMPED)
    local, theta = lame + eta[0] * (other - lame), eta[0]
    s, p = (d * local + 2.0 * mu) * theta, local + 2.0 * mu
    t = (s - np.mean(s / p) / np.mean(1.0 / p)) / p
    expected = 0.5 * np.mean(p * t**2 - 2.0 * s * t + d * theta * s)
    assert found.energy == pytest.approx(grid.volume * expected, rel=1e-11)


@pytest.mark.parametrize("scheme", ["fourier", "rotated"])
@pytest.mark.parametrize("transforms", [True, False])
def test_force_is_the_derivative_of_the_energy(scheme, transforms):
    """Of everything at once: three overlapping variants, each with a stiffness, a fixed strain and a region, mixed control."""
    grid, rng = box(7, 8, 6), np.random.default_rng(4)
    body = TransformingBody(
        SOFT,
        strains(3),
        LEVITAS,
        QUADRATIC,
        np.array([STIFF, SOFT, 0.6 * SOFT]),
        2.0 * SOFT,
        region_transforms=transforms,
    )
    control = Control(strain={"xx": 0.1}, stress={"yy": 0.2, "xz": -0.1})
    load = control.stress_controlled(3), control.values()
    region, fixed = rng.uniform(size=grid.shape), 0.1 * rng.normal(size=(6, *grid.shape))
    found = TransformingElasticity(body, grid, region=region, fixed=fixed, scheme=scheme, tolerance=1e-10)
    eta, direction = 0.4 + 0.2 * rng.normal(size=(3, *grid.shape)), rng.normal(size=(3, *grid.shape))
    found.solve(eta, *load)
    slope, scale = (f(found.forces * direction) * grid.cell_volume for f in (np.sum, lambda x: np.abs(x).sum()))
    errors = []
    for h in (2e-4, 1e-4):
        ends = []
        for sign in (1.0, -1.0):
            found.solve(eta + sign * h * direction, *load)
            ends.append(found.energy)
        errors.append((ends[0] - ends[1]) / (2.0 * h) - slope)
    assert abs(4.0 * errors[1] - errors[0]) / 3.0 < 1e-8 * scale
    assert abs(errors[1]) < 1e-6 * scale


def test_weights_of_overlapping_variants():
    """v_p = w_p Π (1 − w_q): the plain sum where variants do not overlap, never more than 1 together."""
    body = TransformingBody(SOFT, strains(3), variants=np.array([STIFF, STIFF, 0.5 * SOFT]))
    np.testing.assert_allclose(body.stiffness_of(np.array([0.3, 0.0, 0.0])), 0.7 * SOFT + 0.3 * STIFF)
    w = np.random.default_rng(5).uniform(size=3)
    for p in range(3):
        up, down = (body.stiffness_of(w + s * 0.5 * np.eye(3)[p]) for s in (1.0, -1.0))
        np.testing.assert_allclose(body.stiffness_change(w, (p,)), up - down, atol=1e-13)
    grid = box(8, 8)
    found = TransformingElasticity(body, grid)
    found.solve(np.broadcast_to(w.reshape(3, 1, 1), (3, 8, 8)), *CLAMPED)
    uniform = mandel_matrix(body.stiffness_of(w))
    e = -to_mandel(np.einsum("p,pij->ij", w, strains(3)))
    assert found.energy == pytest.approx(0.5 * grid.volume * e @ uniform @ e, rel=1e-12)
    assert not body.homogeneous
    assert TransformingBody(SOFT, strains(2), variants=np.array([SOFT, (1.0 + 1e-14) * SOFT])).homogeneous


def test_bits_do_not_depend_on_threads_nor_on_looking_back():
    """A state that was kept is found again with all its bits, after others and from a checkpoint."""
    body = TransformingBody(SOFT, strains(in_plane=True), LEVITAS, variants=np.array([STIFF, 0.5 * SOFT]))
    grid = box(300, 260)
    eta = 0.5 + 0.2 * smooth(grid, 2)
    alone, both = (TransformingElasticity(body, grid, threads=n) for n in (1, 2))
    for found in (alone, both):
        found.solve(eta, *CLAMPED)
        found.solve(1.01 * eta, *CLAMPED)
    np.testing.assert_array_equal(alone.forces, both.forces)
    assert alone.energy == both.energy
    forces, energy, iterations = alone.forces.copy(), alone.energy, alone.iterations
    alone.keep()
    alone.solve(0.9 * eta, *CLAMPED)
    assert alone.iterations > iterations
    arrays = alone.checkpoint()
    other = TransformingElasticity(body, grid)
    other.restore(arrays)
    for found in (alone, other):
        found.rewind()
        before = found.iterations
        found.solve(1.01 * eta, *CLAMPED)
        assert found.iterations == before
        np.testing.assert_array_equal(found.forces, forces)
        assert found.energy == energy
    for found in (alone, both, other):
        found.close()


def test_mistakes():
    with pytest.raises(InputError, match="as many stiffnesses"):
        TransformingBody(SOFT, strains(2), variants=np.array([SOFT]))
    body = TransformingBody(SOFT, strains(2), region=STIFF)
    with pytest.raises(InputError, match="where it is"):
        TransformingElasticity(body, box(8, 8))
    with pytest.raises(InputError, match="between 0 and 1"):
        TransformingElasticity(body, box(8, 8), region=np.full((8, 8), 1.5))
    soft = TransformingBody(SOFT, strains(1), LINEAR, LINEAR, np.array([0.1 * SOFT]))
    eta = 1.5 + 0.5 * smooth(box(8, 8), 1)
    with pytest.raises(NumericalError, match="weights of the variants add up to"):
        TransformingElasticity(soft, box(8, 8)).solve(eta, *CLAMPED)
