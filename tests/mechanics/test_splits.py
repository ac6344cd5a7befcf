"""Energy splits: the kernels against plain NumPy, derivatives by differences, symmetries, and what each split promises."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.mechanics.splits import make_split
from phasefield.mechanics.stiffness import from_mandel, to_mandel
from phasefield.registry import names

LAME, SHEAR = 1.3, 0.9
EXAMPLES = [
    ("none", {}),
    ("volumetric_deviatoric", {}),
    ("star_convex", {"gamma": 2.5}),
    ("spectral", {}),
    ("hybrid", {}),
]
GIVEN = [example for example in EXAMPLES if example[0] != "hybrid"]
R2 = np.sqrt(2.0)


def build(example, dimensions, lame=LAME, shear=SHEAR):
    return make_split(example[0], lame, shear, dimensions, **example[1])


def tensors(strain: np.ndarray) -> np.ndarray:
    """(n, 3, 3) of Mandel components of plane strain or of space."""
    if len(strain) == 3:
        strain = np.stack([strain[0], strain[1], *np.zeros((3, strain.shape[1])), strain[2]])
    return np.moveaxis(from_mandel(strain), -1, 0)


def components(tensor: np.ndarray, m: int) -> np.ndarray:
    mandel = to_mandel(np.moveaxis(tensor, 0, -1))
    return mandel if m == 6 else mandel[[0, 1, 5]]


def plain(example, strain: np.ndarray, g: np.ndarray, lame=LAME, shear=SHEAR):
    """σ, ψ⁺ and ψ⁻ from eigenvalues by LAPACK."""
    name, more = example
    e, eye = tensors(strain), np.eye(3)
    lame, shear = np.broadcast_to(lame, len(e)), np.broadcast_to(shear, len(e))
    double = 2 * shear[:, None, None]
    t = np.trace(e, axis1=1, axis2=2)
    up, down = np.maximum(t, 0), np.minimum(t, 0)
    if name in ("spectral", "hybrid"):
        values, vectors = np.linalg.eigh(e)
        positive, negative = (
            np.einsum("nia,na,nja->nij", vectors, f(values, 0), vectors) for f in (np.maximum, np.minimum)
        )
        plus = 0.5 * lame * up**2 + shear * np.sum(positive**2, axis=(1, 2))
        minus = 0.5 * lame * down**2 + shear * np.sum(negative**2, axis=(1, 2))
        whole = (lame * (g * up + down))[:, None, None] * eye + double * (g[:, None, None] * positive + negative)
        if name == "hybrid":
            whole = g[:, None, None] * ((lame * t)[:, None, None] * eye + double * e)
    else:
        gamma = {"none": -1.0, "volumetric_deviatoric": 0.0}.get(name, more.get("gamma"))
        K, dev = lame + 2 * shear / 3, e - (t / 3)[:, None, None] * eye
        plus = 0.5 * K * (up**2 - gamma * down**2) + shear * np.sum(dev**2, axis=(1, 2))
        minus = 0.5 * (1 + gamma) * K * down**2
        pressure = g * K * (up - gamma * down) + (1 + gamma) * K * down
        whole = pressure[:, None, None] * eye + double * g[:, None, None] * dev
    return components(whole, len(strain)), plus, minus


def evaluate(split, strain, g):
    n = strain.shape[1]
    stress, plus, minus = np.empty_like(strain), np.empty(n), np.empty(n)
    split.stress(strain, g, stress, plus, minus)
    return stress, plus, minus


def random_strains(dimensions: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(3 if dimensions == 2 else 6, n))


def degenerate_strains(dimensions: int) -> np.ndarray:
    """Equal or vanishing principal strains, turned and not, and nearly so."""
    base = [(1, 0, 0), (-1, 0, 0), (1, 1, 0), (-1, -1, 0), (1, 1, 1), (-1, -1, -1), (0, 0, 0), (1, -1, 0), (2, -1, -1)]
    base += [
        (1, 1 + 1e-9, 0),
        (1, 1e-9, -1e-9),
        (-1, 1e-12, 1e-12),
        (1e-9, -1e-9, 1),
        (1, 1, -2),
        (3, 1e-8, 1e-8 + 1e-15),
    ]
    rng = np.random.default_rng(7)
    found = []
    for values in base:
        for turn in range(4):
            if dimensions == 2:
                angle = rng.uniform(0, np.pi) if turn else 0.0
                c, s = np.cos(angle), np.sin(angle)
                R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
                values = (*values[:2], 0)
            else:
                R = np.linalg.qr(rng.normal(size=(3, 3)))[0] if turn else np.eye(3)
            found.append(R @ np.diag(np.array(values, float)) @ R.T)
    e = np.array(found)
    return np.ascontiguousarray(components(0.5 * (e + e.transpose(0, 2, 1)), 3 if dimensions == 2 else 6))


def test_every_split_has_an_example():
    assert {name for name, _ in EXAMPLES} == set(names("split"))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
@pytest.mark.parametrize("strains", [random_strains, degenerate_strains])
def test_kernels_equal_the_plain_form(example, dimensions, strains):
    strain = strains(dimensions)
    g = np.random.default_rng(1).uniform(1e-9, 1, strain.shape[1])
    for found, expected in zip(evaluate(build(example, dimensions), strain, g), plain(example, strain, g), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=2e-14 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
def test_both_parts_add_up_to_the_elastic_energy(example, dimensions):
    for strain in (random_strains(dimensions), degenerate_strains(dimensions)):
        plus, minus = build(example, dimensions).energies(strain)
        t = strain[:dimensions].sum(axis=0)
        whole = 0.5 * LAME * t**2 + SHEAR * np.sum(strain**2, axis=0)
        np.testing.assert_allclose(plus + minus, whole, rtol=1e-13, atol=1e-30)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
def test_stress_and_tangent_are_derivatives(example, dimensions):
    """Central differences of gψ⁺ + ψ⁻ (of g times the whole for hybrid) and of σ, extrapolated; strains away from kinks."""
    split, strain = build(example, dimensions), random_strains(dimensions)
    values = np.linalg.eigvalsh(tensors(strain)[:, :dimensions, :dimensions])
    clear = (np.abs(values).min(axis=1) > 0.02) & (np.abs(strain[:dimensions].sum(axis=0)) > 0.02)
    strain = np.ascontiguousarray(strain[:, clear])
    assert strain.shape[1] > 100
    m, n = strain.shape
    g = np.random.default_rng(2).uniform(0.01, 1, n)
    stress = evaluate(split, strain, g)[0]

    def energy(e):
        _, plus, minus = evaluate(split, np.ascontiguousarray(e), g)
        return split.stored(plus, minus, g)

    for c in range(m):
        direction = np.zeros((m, n))
        direction[c] = 1.0
        tangent = np.empty_like(strain)
        split.tangent(strain, g, direction, tangent)
        slopes, curves = [], []
        for h in (1e-3, 5e-4):
            low, high = strain - h * direction, strain + h * direction
            slopes.append((energy(high) - energy(low)) / (2 * h))
            curves.append((evaluate(split, high, g)[0] - evaluate(split, low, g)[0]) / (2 * h))
        np.testing.assert_allclose((4 * slopes[1] - slopes[0]) / 3, stress[c], rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            (4 * curves[1] - curves[0]) / 3, tangent, rtol=0, atol=1e-6 if dimensions == 3 else 1e-8
        )


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
def test_tangents_are_symmetric_and_bounded_by_the_intact_body(example, dimensions):
    """Also on kinks and for equal principal strains, where 0 ≤ H:(∂σ/∂ε):H ≤ H:C:H has to hold for Newton's method."""
    strain = np.concatenate([random_strains(dimensions), degenerate_strains(dimensions)], axis=1)
    m, n = strain.shape
    g, split = np.full(n, 0.01), build(example, dimensions)
    columns = np.empty((m, m, n))
    for c in range(m):
        direction = np.zeros((m, n))
        direction[c] = 1.0
        split.tangent(strain, g, direction, columns[c])
    matrix = np.moveaxis(columns, -1, 0)
    np.testing.assert_allclose(matrix, matrix.transpose(0, 2, 1), rtol=0, atol=1e-12)
    values = np.linalg.eigvalsh(matrix)
    intact = dimensions * LAME + 2 * SHEAR
    assert values.min() > -1e-12
    # γ > 0 makes the volume under pressure stiffer once the body is damaged: (1 + γ − gγ) K.
    assert values.max() < intact * (1 + example[1].get("gamma", 0.0)) + 1e-12


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
def test_turning_the_strain_turns_the_stress(example, dimensions):
    rng, split = np.random.default_rng(5), build(example, dimensions)
    strain = np.concatenate([random_strains(dimensions), degenerate_strains(dimensions)], axis=1)
    g = rng.uniform(0.01, 1, strain.shape[1])
    angle = 0.7
    R = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    R = R if dimensions == 2 else np.linalg.qr(rng.normal(size=(3, 3)))[0]
    m = len(strain)
    turned = np.ascontiguousarray(components(R @ tensors(strain) @ R.T, m))
    stress, plus, minus = evaluate(split, strain, g)
    stress_turned, plus_turned, minus_turned = evaluate(split, turned, g)
    np.testing.assert_allclose(plus_turned, plus, rtol=0, atol=1e-13)
    np.testing.assert_allclose(minus_turned, minus, rtol=0, atol=1e-13)
    np.testing.assert_allclose(stress_turned, components(R @ tensors(stress) @ R.T, m), rtol=0, atol=1e-13)


def test_pressure_drives_no_damage_where_promised():
    """Three sides in space: exactly zero. Two sides in plane strain: the deviator of space is not zero, principal strains are."""
    space = np.zeros((6, 4))
    space[:3] = -np.array([1.0, 0.1, 1e-3, 0.7])
    for name in ("volumetric_deviatoric", "spectral"):
        plus, minus = make_split(name, LAME, SHEAR, 3).energies(space)
        assert np.all(plus == 0.0)
        assert np.all(minus > 0.0)
    plane = np.ascontiguousarray(space[[0, 1, 5]])
    assert np.all(make_split("spectral", LAME, SHEAR, 2).energies(plane)[0] == 0.0)
    plus = make_split("volumetric_deviatoric", LAME, SHEAR, 2).energies(plane)[0]
    np.testing.assert_allclose(plus, SHEAR * 2 / 3 * plane[0] ** 2, rtol=1e-13)
    # The star-convex energy goes further: pressure holds damage back.
    assert np.all(make_split("star_convex", LAME, SHEAR, 3, gamma=1.0).energies(space)[0] < 0.0)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(("gamma", "name"), [(0.0, "volumetric_deviatoric"), (-1.0, "none")])
def test_star_convex_contains_its_neighbours(gamma, name, dimensions):
    strain = random_strains(dimensions)
    g = np.random.default_rng(6).uniform(0, 1, strain.shape[1])
    one = evaluate(make_split("star_convex", LAME, SHEAR, dimensions, gamma=gamma), strain, g)
    for a, b in zip(one, evaluate(make_split(name, LAME, SHEAR, dimensions), strain, g), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_intact_body_obeys_hooke(example, dimensions):
    strain = np.concatenate([random_strains(dimensions), degenerate_strains(dimensions)], axis=1)
    stress = evaluate(build(example, dimensions), strain, np.ones(strain.shape[1]))[0]
    expected = 2 * SHEAR * strain
    expected[:dimensions] += LAME * strain[:dimensions].sum(axis=0)
    np.testing.assert_allclose(stress, expected, rtol=0, atol=1e-13)


def test_plane_stress_is_the_plane_of_a_free_body():
    """ε_zz from σ_zz = 0 in space, and the same in-plane stress and energy."""
    strain = random_strains(2)
    split = make_split("none", LAME, SHEAR, 2, plane="stress")
    g = np.full(strain.shape[1], 0.3)
    stress, plus, _ = evaluate(split, strain, g)
    space = np.zeros((6, strain.shape[1]))
    space[[0, 1, 5]] = strain
    space[2] = -LAME / (LAME + 2 * SHEAR) * (strain[0] + strain[1])
    expected, energy, _ = evaluate(make_split("none", LAME, SHEAR, 3), space, g)
    np.testing.assert_allclose(expected[2], 0.0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(stress, expected[[0, 1, 5]], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(plus, energy, rtol=1e-12)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e[0])
def test_constants_may_differ_from_cell_to_cell(example):
    strain = random_strains(2, 60)
    rng = np.random.default_rng(8)
    lame, shear, g = rng.uniform(0.5, 2, 60), rng.uniform(0.5, 2, 60), rng.uniform(0, 1, 60)
    split, part = build(example, 2, lame, shear), slice(20, 50)
    block, stress = np.ascontiguousarray(strain[:, part]), np.empty((3, 30))
    plus, minus = np.empty(30), np.empty(30)
    split.stress(block, g[part], stress, plus, minus, part)
    for found, expected in zip((stress, plus, minus), plain(example, strain, g, lame, shear), strict=True):
        np.testing.assert_allclose(found, expected[..., part], rtol=1e-12, atol=1e-14)


def test_hybrid_does_not_close_cracks():
    """σ = gCε under pressure too, where ψ⁺ = 0."""
    strain = np.array([[0.1, -0.1, -0.1], [0.0, 0.0, -0.3], [0.0, 0.0, 0.0]])
    split = make_split("hybrid", LAME, SHEAR, 2)
    assert not split.variational
    assert split.linear
    stress, plus, minus = np.empty((3, 3)), np.empty(3), np.empty(3)
    split.stress(strain, np.full(3, 0.01), stress, plus, minus)
    elastic = np.array([[LAME + 2 * SHEAR, LAME, 0], [LAME, LAME + 2 * SHEAR, 0], [0, 0, 2 * SHEAR]])
    np.testing.assert_allclose(stress, 0.01 * elastic @ strain, rtol=1e-12, atol=1e-14)
    assert plus[0] > 0.0
    assert (plus[1:] == 0.0).all()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("spektral", (1.0, 1.0, 2), "spectral"),
        ("spectral", (1.0, 1.0, 1), "dimensions"),
        ("spectral", (1.0, 1.0, 2, "stress"), "plane stress"),
        ("hybrid", (1.0, 1.0, 2, "stress"), "plane stress"),
        ("none", (1.0, 1.0, 3, "stress"), "plane stress"),
        ("none", (1.0, 1.0, 2, "strains"), "plane"),
        ("none", (1.0, -1.0, 2), "negative"),
    ],
)
def test_what_cannot_be_is_said(name, arguments, message):
    with pytest.raises(InputError, match=message):
        make_split(name, *arguments)


def test_parameters_belong_to_a_split():
    with pytest.raises(InputError, match="takes no parameter"):
        make_split("spectral", 1.0, 1.0, 2, gamma=1.0)
    with pytest.raises(InputError, match="no parameter"):
        make_split("star_convex", 1.0, 1.0, 2, delta=1.0)
    with pytest.raises(InputError, match="at least −1"):
        make_split("star_convex", 1.0, 1.0, 2, gamma=-1.5)
