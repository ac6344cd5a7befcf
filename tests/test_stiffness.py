"""Stiffness, transformation strains and compatible interfaces: notations, symmetry, closed forms, each mistake."""

import numpy as np
import pytest
from pydantic import ValidationError

from phasefield.errors import InputError
from phasefield.mechanics import stiffness as st
from phasefield.mechanics.compatibility import compatible_normals, habit_plane
from phasefield.mechanics.stiffness import Stiffness
from phasefield.mechanics.transformation import TransformationStrains, orbit, point_group

CUBIC = {"C11": 140.0, "C12": 84.0, "C44": 28.0}
FE_NI = (0.1322, 0.1322, -0.1994)


def random_rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def random_stiffness(rng):
    """Fully anisotropic, positive definite."""
    a = rng.normal(size=(6, 6))
    return st.tensor_from_mandel(a @ a.T + 0.3 * np.eye(6))


def symmetric(rng, *shape):
    a = rng.normal(size=(*shape, 3, 3))
    return 0.5 * (a + a.swapaxes(-1, -2))


def complaints(section, data):
    """Places and messages of everything wrong with a section."""
    with pytest.raises(ValidationError) as caught:
        section.model_validate(data)
    return [(".".join(map(str, e["loc"])), e["msg"]) for e in caught.value.errors()]


def variants(**data):
    return TransformationStrains.model_validate(data).variants()


# notations


def test_components_round_trip():
    rng = np.random.default_rng(1)
    tensor = np.moveaxis(symmetric(rng, 4, 5), (-2, -1), (0, 1))
    six = st.to_components(tensor)
    assert six.shape == (6, 4, 5)
    np.testing.assert_array_equal(six[3], tensor[1, 2])
    np.testing.assert_array_equal(st.from_components(six), tensor)
    np.testing.assert_allclose(st.from_mandel(st.to_mandel(tensor)), tensor, rtol=1e-15)
    np.testing.assert_allclose(st.strain_from_voigt(st.strain_to_voigt(tensor)), tensor, rtol=1e-15)
    np.testing.assert_array_equal(st.strain_to_voigt(tensor)[5], 2.0 * tensor[0, 1])


def test_the_three_notations_give_one_stress():
    rng = np.random.default_rng(2)
    C, strain = random_stiffness(rng), symmetric(rng)
    stress = np.einsum("ijkl,kl->ij", C, strain)
    np.testing.assert_allclose(st.voigt_matrix(C) @ st.strain_to_voigt(strain), st.to_components(stress), rtol=1e-13)
    np.testing.assert_allclose(st.mandel_matrix(C) @ st.to_mandel(strain), st.to_mandel(stress), rtol=1e-13)
    np.testing.assert_array_equal(st.tensor_from_voigt(st.voigt_matrix(C)), C)
    energy = np.einsum("ij,ij", stress, strain)
    np.testing.assert_allclose(st.to_mandel(stress) @ st.to_mandel(strain), energy, rtol=1e-13)
    np.testing.assert_allclose(st.to_components(stress) @ st.strain_to_voigt(strain), energy, rtol=1e-13)


def test_compliance_is_the_inverse_on_symmetric_tensors():
    C = random_stiffness(np.random.default_rng(3))
    delta = np.eye(3)
    unit = 0.5 * (np.einsum("ik,jl->ijkl", delta, delta) + np.einsum("il,jk->ijkl", delta, delta))
    np.testing.assert_allclose(np.einsum("ijmn,mnkl->ijkl", st.compliance(C), C), unit, atol=1e-12)


def test_rotation_of_a_stiffness():
    rng = np.random.default_rng(4)
    C, strain, R = random_stiffness(rng), symmetric(rng), random_rotation(rng)
    expected = np.einsum("ia,jb,kc,ld,abcd->ijkl", R, R, R, R, C)
    np.testing.assert_allclose(st.rotate(C, R), expected, atol=1e-12)
    np.testing.assert_allclose(st.rotate(strain, R), R @ strain @ R.T, atol=1e-14)
    turned = np.einsum("ijkl,kl->ij", st.rotate(C, R), st.rotate(strain, R))
    np.testing.assert_allclose(turned, st.rotate(np.einsum("ijkl,kl->ij", C, strain), R), atol=1e-12)
    np.testing.assert_allclose(
        st.rotate(st.isotropic_stiffness(1.3, 0.7), R), st.isotropic_stiffness(1.3, 0.7), atol=1e-14
    )


def test_euler_angles():
    np.testing.assert_allclose(st.euler_rotation(90, 0, 0) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(st.euler_rotation(0, 90, 0) @ [0, 1, 0], [0, 0, 1], atol=1e-15)
    # Bunge's matrix, first row: sample to crystal, hence the first column here.
    a, b, c = np.radians([20.0, 50.0, 75.0])
    row = [
        np.cos(a) * np.cos(c) - np.sin(a) * np.sin(c) * np.cos(b),
        np.sin(a) * np.cos(c) + np.cos(a) * np.sin(c) * np.cos(b),
        np.sin(c) * np.sin(b),
    ]
    R = st.euler_rotation(20, 50, 75)
    np.testing.assert_allclose(R[:, 0], row, atol=1e-15)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-15)


# the section


def test_cubic_constants():
    section = Stiffness.model_validate({"cubic": CUBIC})
    matrix = section.voigt_matrix()
    assert matrix[0, 0] == 140
    assert matrix[0, 1] == 84
    assert matrix[3, 3] == 28
    assert matrix[0, 3] == 0
    assert section.zener_ratio() == pytest.approx(1.0, rel=1e-14)
    assert Stiffness.model_validate({"cubic": {**CUBIC, "C44": 56}}).zener_ratio() == pytest.approx(2.0)


@pytest.mark.parametrize(
    "pair",
    [{"young": 260.0, "poisson": 0.3}, {"bulk": 650 / 3, "shear": 100.0}, {"lame": 150.0, "shear": 100.0}],
    ids=str,
)
def test_isotropic_pairs_agree(pair):
    section = Stiffness.model_validate({"isotropic": pair, "orientation": [10, 20, 30]})
    np.testing.assert_allclose(section.tensor(), st.isotropic_stiffness(150.0, 100.0), atol=1e-11)
    assert section.zener_ratio() == pytest.approx(1.0, rel=1e-12)
    # Uniaxial stress: E and ν by their definition.
    uniaxial = np.einsum("ijkl,kl->ij", section.compliance(), np.diag([1.0, 0.0, 0.0]))
    assert uniaxial[0, 0] == pytest.approx(1 / 260)
    assert uniaxial[1, 1] == pytest.approx(-0.3 / 260)


def test_voigt_matrix_6x6_and_zener_of_other_crystals():
    C = random_stiffness(np.random.default_rng(5))
    matrix = 0.5 * (st.voigt_matrix(C) + st.voigt_matrix(C).T)
    section = Stiffness.model_validate({"voigt": matrix.tolist()})
    np.testing.assert_allclose(section.tensor(), C, atol=1e-14)
    assert Stiffness.model_validate({"voigt": matrix}) == section
    with pytest.raises(InputError, match="cubic"):
        section.zener_ratio()


def test_voigt_matrix_3x3():
    section = Stiffness.model_validate(
        {"voigt": [[10, 4, 0.5], [4, 8, -0.2], [0.5, -0.2, 3]], "orientation": [90, 0, 0]}
    )
    matrix = section.voigt_matrix()
    # A quarter turn about z swaps x and y and turns the sign of the shear couplings.
    expected = [[8, 4, 0.2], [4, 10, -0.5], [0.2, -0.5, 3]]
    np.testing.assert_allclose(matrix[np.ix_([0, 1, 5], [0, 1, 5])], expected, atol=1e-14)
    np.testing.assert_allclose(matrix[np.ix_([2, 3, 4], [0, 1, 5])], 0, atol=1e-14)
    np.testing.assert_allclose(matrix[np.ix_([2, 3, 4], [2, 3, 4])], 7 * np.eye(3), atol=1e-14)


def test_orientation_as_angles_and_as_matrix():
    angles = [20, 50, 75]
    R = st.euler_rotation(*angles)
    by_angles = Stiffness.model_validate({"cubic": {**CUBIC, "C44": 60}, "orientation": angles})
    by_matrix = Stiffness.model_validate({"cubic": {**CUBIC, "C44": 60}, "orientation": np.round(R, 5).tolist()})
    np.testing.assert_allclose(by_angles.tensor(), st.rotate(by_angles.crystal_tensor(), R), rtol=1e-13)
    # Typed with five digits: the nearest rotation.
    np.testing.assert_allclose(by_matrix.rotation() @ by_matrix.rotation().T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(by_matrix.tensor(), by_angles.tensor(), atol=3e-3)


def test_a_section_survives_being_written():
    section = Stiffness.model_validate({"isotropic": {"young": 1, "poisson": 0.3}, "orientation": [1, 2, 3]})
    assert Stiffness.model_validate(section.model_dump(mode="json", exclude_none=True)) == section
    strains = TransformationStrains.model_validate({"generate": {"stretch": [0.9, 1.1, 1.1], "parent": "cubic"}})
    assert TransformationStrains.model_validate(strains.model_dump(mode="json", exclude_none=True)) == strains
    for kind in (Stiffness, TransformationStrains):
        assert kind.model_json_schema()["additionalProperties"] is False


EYE6 = np.eye(6).tolist()
SKEW = (np.eye(6) + 0.1 * np.eye(6, k=1)).tolist()


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ({}, "", "needs exactly one of cubic, isotropic and voigt (got none)"),
        (
            {"cubic": CUBIC, "isotropic": {"young": 1, "poisson": 0}},
            "",
            "needs exactly one of cubic, isotropic and voigt (got cubic and isotropic)",
        ),
        (
            {"cubic": {"C11": 1, "C12": 2, "C44": 3}},
            "cubic",
            "not positive definite: C11 − C12 = -1 must be greater than 0",
        ),
        (
            {"cubic": {"C11": 1, "C12": -0.6, "C44": 0}},
            "cubic",
            "not positive definite: C11 + 2 C12 = -0.2 and C44 = 0 must be greater than 0",
        ),
        ({"cubic": {"C11": 1, "C12": "a", "C44": 3}}, "cubic.C12", "Input should be a valid number"),
        ({"cubic": {"C11": 1, "C12": 0}}, "cubic.C44", "Field required"),
        (
            {"isotropic": {"young": 1, "shear": 1}},
            "isotropic",
            "needs one of the pairs young and poisson, bulk and shear, lame and shear (got young and shear)",
        ),
        (
            {"isotropic": {"young": 1, "poisson": 0.5}},
            "isotropic",
            "not positive definite: poisson = 0.5 must be between −1 and 0.5",
        ),
        (
            {"isotropic": {"young": -1, "poisson": 0.3}},
            "isotropic",
            "not positive definite: young = -1 must be greater than 0",
        ),
        (
            {"isotropic": {"lame": -1, "shear": 1}},
            "isotropic",
            "not positive definite: bulk modulus = -0.333333 must be greater than 0",
        ),
        ({"voigt": SKEW}, "voigt", "not symmetric: row 1, column 2 is 0.1, row 2, column 1 is 0"),
        (
            {"voigt": np.diag([1.0, 1, 1, 1, 1, -0.5]).tolist()},
            "voigt",
            "not positive definite: the smallest eigenvalue is -1 (shear strain counted as √2 ε_xy)",
        ),
        (
            {"voigt": np.eye(4).tolist()},
            "voigt",
            "must be a 6x6 matrix (xx, yy, zz, yz, xz, xy) or a 3x3 one (xx, yy, xy) (got 4x4 numbers)",
        ),
        (
            {"voigt": [[1, 0], [0]]},
            "voigt",
            "must be a 6x6 matrix (xx, yy, zz, yz, xz, xy) or a 3x3 one (xx, yy, xy); the rows have different lengths",
        ),
        (
            {"voigt": [[True] * 3] * 3},
            "voigt",
            "must be a 6x6 matrix (xx, yy, zz, yz, xz, xy) or a 3x3 one (xx, yy, xy)",
        ),
        ({"voigt": [[float("inf")] * 3] * 3}, "voigt", "must be finite"),
        (
            {"voigt": EYE6, "orientation": [[1, 0, 0], [0, 2, 0], [0, 0, 1]]},
            "orientation",
            "not a rotation: R Rᵀ differs from the unit matrix by 3",
        ),
        (
            {"voigt": EYE6, "orientation": np.diag([1.0, 1, -1]).tolist()},
            "orientation",
            "not a rotation: the determinant is −1, a reflection",
        ),
        (
            {"voigt": EYE6, "orientation": 30},
            "orientation",
            "must be a 3x3 rotation matrix or three Euler angles in degrees",
        ),
        (
            {"voigt": np.eye(3).tolist(), "orientation": [0, 30, 0]},
            "",
            "a 3x3 voigt matrix can only be turned about z, as by orientation: [30, 0, 0]",
        ),
        ({"voigt": EYE6, "young": 1}, "young", "Extra inputs are not permitted"),
    ],
)
def test_stiffness_mistakes(data, place, message):
    assert complaints(Stiffness, data) == [(place, message)]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (np.eye(6), r"shape \(3, 3, 3, 3\), got \(6, 6\)"),
        (np.arange(81.0).reshape(3, 3, 3, 3), "not symmetric"),
        (np.full((3, 3, 3, 3), np.nan), "not finite"),
        (-st.isotropic_stiffness(1.0, 1.0), "not positive definite: the smallest eigenvalue is -5"),
    ],
    ids=["shape", "symmetry", "nan", "negative"],
)
def test_tensors_that_are_no_stiffness(tensor, message):
    with pytest.raises(InputError, match=message):
        st.check_stiffness(tensor)


# transformation strains


@pytest.mark.parametrize(
    ("parent", "order"),
    [
        ("cubic", 24),
        ("hexagonal", 12),
        ("tetragonal", 8),
        ("square", 8),
        ("trigonal", 6),
        ("orthorhombic", 4),
        ("monoclinic", 2),
    ],
)
def test_point_groups(parent, order):
    group = point_group(parent)
    assert len(group) == order
    np.testing.assert_array_equal(group[0], np.eye(3))
    np.testing.assert_allclose(np.linalg.det(group), 1.0, rtol=1e-14)
    for a in group:
        np.testing.assert_allclose(a @ a.T, np.eye(3), atol=1e-14)
        for b in group:
            assert np.abs(a @ b - group).max((1, 2)).min() < 1e-14
    # A strain without symmetry has as many variants as the group has elements.
    assert len(orbit(symmetric(np.random.default_rng(0)), group)) == order


ALPHA, GAMMA, DELTA, EPSILON = 1.0243, 0.9563, 0.058, -0.0427


@pytest.mark.parametrize(
    ("stretch", "parent", "number"),
    [
        ([1.1322, 1.1322, 0.8006], "cubic", 3),
        # CuAlNi, NiTi
        (
            [
                [(1.0619 + 1.023) / 2, 0, (1.0619 - 1.023) / 2],
                [0, 0.9178, 0],
                [(1.0619 - 1.023) / 2, 0, (1.0619 + 1.023) / 2],
            ],
            "cubic",
            6,
        ),
        ([[GAMMA, EPSILON, EPSILON], [EPSILON, ALPHA, DELTA], [EPSILON, DELTA, ALPHA]], "cubic", 12),
        ([[1.0, 0.01, 0.01], [0.01, 1.0, 0.01], [0.01, 0.01, 1.0]], "cubic", 4),
        ([1.05, 0.95], "square", 2),
        ([[1.0, 0.1], [0.1, 1.2]], "square", 4),
        ([1.05, 0.95, 1.0], "hexagonal", 3),
        ([1.02, 1.02, 0.95], "tetragonal", 1),
        ([1.02, 0.99, 0.95], "orthorhombic", 1),
    ],
    ids=str,
)
def test_numbers_of_variants(stretch, parent, number):
    strains = variants(generate={"stretch": stretch, "parent": parent})
    assert strains.shape == (number, 3, 3)
    np.testing.assert_allclose(strains, strains.swapaxes(1, 2), atol=1e-15)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(strains), np.linalg.eigvalsh(strains[:1]).repeat(number, 0), atol=1e-14
    )


def test_measures_and_the_first_variant():
    U = np.array([[1.05, 0.02, 0], [0.02, 0.97, 0.01], [0, 0.01, 1.0]])
    linear = variants(generate={"stretch": U, "parent": "monoclinic"})
    green = variants(generate={"stretch": U, "parent": "monoclinic", "measure": "green"}, scale=0.5)
    np.testing.assert_allclose(linear[0], U - np.eye(3), atol=1e-15)
    np.testing.assert_allclose(green[0], 0.25 * (U @ U - np.eye(3)), atol=1e-15)
    strain = variants(generate={"strain": FE_NI, "parent": "cubic"})
    np.testing.assert_allclose(strain, variants(generate={"stretch": np.add(FE_NI, 1), "parent": "cubic"}), atol=1e-15)


def test_listed_strains():
    strains = variants(
        strains=[[1, 2, 3], [[1, 3], [3, 2]], [1, 2, 0, 0, 0, 3], np.diag([4.0, 5, 6]).tolist()], scale=0.1
    )
    plane = np.array([[0.1, 0.3, 0], [0.3, 0.2, 0], [0, 0, 0]])
    np.testing.assert_allclose(strains, [plane, plane, plane, np.diag([0.4, 0.5, 0.6])], atol=1e-16)


def test_strains_turn_with_the_crystal():
    R = st.euler_rotation(20, 50, 75)
    section = TransformationStrains.model_validate({"generate": {"strain": FE_NI, "parent": "cubic"}})
    for turned, strain in zip(section.variants(R), section.variants(), strict=True):
        np.testing.assert_allclose(turned, R @ strain @ R.T, atol=1e-15)


SHAPES = "must be a symmetric 2x2 or 3x3 matrix, or its 3 (xx, yy, xy) or 6 (xx, yy, zz, yz, xz, xy) components"


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ({}, "", "needs exactly one of strains and generate (got none)"),
        ({"strains": [[1, 0]]}, "strains.0", f"{SHAPES} (got 2 numbers)"),
        ({"strains": [[1, 0, 0], "x"]}, "strains.1", SHAPES),
        (
            {"strains": [[[0, 0.1], [-0.1, 0]]]},
            "strains.0",
            "not symmetric: row 1, column 2 is 0.1, row 2, column 1 is -0.1",
        ),
        ({"strains": []}, "strains", "List should have at least 1 item after validation, not 0"),
        ({"generate": {"parent": "cubic"}}, "generate", "needs exactly one of stretch and strain (got none)"),
        (
            {"generate": {"parent": "cubic", "stretch": [1, 1, 1], "strain": [1, 1, 1]}},
            "generate",
            "needs exactly one of stretch and strain (got both)",
        ),
        (
            {"generate": {"parent": "cubic", "stretch": [0.1, 0.1, -0.2]}},
            "generate",
            "stretch is not positive definite: the smallest stretch is -0.2",
        ),
        (
            {"generate": {"parent": "cubic", "strain": [0.1, 0.1, -0.2], "measure": "green"}},
            "generate",
            "measure belongs to stretch; a strain is used as it is",
        ),
        (
            {"generate": {"parent": "cubic", "strain": [[0, 1, 0], [0, 0, 0], [0, 0, 0]]}},
            "generate.strain",
            "not symmetric: row 1, column 2 is 1, row 2, column 1 is 0",
        ),
    ],
)
def test_transformation_mistakes(data, place, message):
    assert complaints(TransformationStrains, data) == [(place, message)]


def test_unknown_parent():
    [(place, message)] = complaints(TransformationStrains, {"generate": {"strain": [1, 0, 0], "parent": "cubik"}})
    assert place == "generate.parent"
    assert "'cubic'" in message


# compatible interfaces


def test_random_compatible_strains():
    rng = np.random.default_rng(6)
    for _ in range(50):
        a, n = rng.normal(size=(2, 3))
        n /= np.linalg.norm(n)
        first = symmetric(rng)
        normals, vectors = compatible_normals(first, first + 0.5 * (np.outer(a, n) + np.outer(n, a)))
        assert np.abs(np.abs(normals @ n) - 1).min() < 1e-12
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-14)
        for m, b in zip(normals, vectors, strict=True):
            np.testing.assert_allclose(
                0.5 * (np.outer(b, m) + np.outer(m, b)), 0.5 * (np.outer(a, n) + np.outer(n, a)), atol=1e-13
            )


def test_tetragonal_twins_lie_on_110():
    v = variants(generate={"strain": FE_NI, "parent": "cubic"})
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        axes = np.flatnonzero(np.abs(np.diag(v[j] - v[i])) > 1e-9)
        for n in compatible_normals(v[i], v[j])[0]:
            np.testing.assert_allclose(np.abs(n[axes]), np.sqrt(0.5), rtol=1e-14)
    layered, _ = compatible_normals(np.zeros((3, 3)), np.diag([0, 0, 0.1]))
    np.testing.assert_allclose(layered, [[0, 0, 1], [0, 0, 1]], atol=1e-15)


def test_habit_plane_of_fe_ni():
    """A closed form: x = ε₁/(ε₁−ε₃), strain diag(0, ε₁+ε₃, ε₁), n² = (0, −(ε₁+ε₃), ε₁)/|ε₃|."""
    e1, _, e3 = FE_NI
    planes = habit_plane(np.diag([e3, e1, e1]), np.diag([e1, e3, e1]))
    assert len(planes) == 2
    assert planes[0].fraction == pytest.approx(e1 / (e1 - e3), rel=1e-12)
    assert planes[0].fraction == pytest.approx(0.3987, abs=1e-4)
    assert planes[1].fraction == pytest.approx(1 - planes[0].fraction, rel=1e-12)
    np.testing.assert_allclose(planes[0].strain, np.diag([0, e1 + e3, e1]), atol=1e-13)
    for n in planes[0].normals:
        np.testing.assert_allclose(np.abs(n), np.sqrt([0, -(e1 + e3) / -e3, e1 / -e3]), atol=1e-12)
        np.testing.assert_allclose(np.abs(n), [0, 0.581, 0.814], atol=1e-3)


def test_habit_planes_in_any_orientation():
    R = random_rotation(np.random.default_rng(7))
    first, second = (R @ np.diag(d) @ R.T for d in ([-0.1994, 0.1322, 0.1322], [0.1322, -0.1994, 0.1322]))
    straight = habit_plane(np.diag([-0.1994, 0.1322, 0.1322]), np.diag([0.1322, -0.1994, 0.1322]))
    for plane, reference in zip(habit_plane(first, second), straight, strict=True):
        assert plane.fraction == pytest.approx(reference.fraction, abs=1e-10)
        overlap = np.abs(plane.normals @ R @ reference.normals.T)
        np.testing.assert_allclose(overlap.max(0), 1, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compatible_normals(np.eye(3), np.eye(3)), "equal"),
        (
            lambda: compatible_normals(np.zeros((3, 3)), np.diag([0.1, 0.1, -0.2])),
            "no compatible interface: .* -0.2, 0.1, 0.1",
        ),
        (lambda: compatible_normals(np.zeros((3, 3)), np.diag([0.1, 0.2, 0.0])), "no compatible interface"),
        (lambda: compatible_normals(np.eye(2), np.zeros((2, 2))), "shape"),
        (lambda: habit_plane(np.diag([0.1, 0.1, 0.2]), np.diag([0.1, 0.2, 0.1])), "no mixture"),
        (lambda: habit_plane(np.diag([0.1, -0.1, 0]), np.diag([-0.1, 0.1, 0])), "one plane"),
    ],
)
def test_interfaces_that_do_not_exist(call, message):
    with pytest.raises(InputError, match=message):
        call()
