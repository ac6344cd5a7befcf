"""Bodies under the load ±1: Clapeyron's theorem, forces as derivatives, fields at the centres of cells, keeping and recalling."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from crack_scenarios import LAME, NU, SHEAR, E, cell, plate, problem_of

from phasefield.mechanics.cracked_body import CrackedBody, Response, component_names
from phasefield.models.fracture import Fracture
from phasefield.scenario import load_scenario

SPLITS = ("none", "volumetric_deviatoric", "star_convex", "spectral", "hybrid")
FINE = 1e-10

# Controls of plates, with names of what they give: displacements, forces or both.
FACES: dict[str, dict[str, Any]] = {
    "displacement": {"y": {"low": "clamped", "high": {"displacement": {"x": 0.3, "y": 1.0}}}},
    "traction": {"y": {"low": "clamped", "high": {"traction": {"x": 20.0, "y": 50.0}}}},
    "both": {
        "y": {"low": "clamped", "high": {"displacement": {"y": 1.0}, "traction": {"x": 30.0}}},
        "x": {"high": {"traction": {"y": 10.0}}},
    },
}
MEANS: dict[str, dict[str, Any]] = {
    "strain": {"strain": {"yy": 0.02, "xy": 0.01, "xx": 0.0}},
    "stress": {"stress": {"yy": 20.0, "xy": 5.0}},
    "mixed": {"strain": {"yy": 0.02, "xy": 0.005}, "stress": {"xx": 8.0}},
}
SPACE: dict[str, dict[str, Any]] = {
    "strain": {"strain": {"zz": 0.02, "yz": 0.01, "xx": 0.005, "yy": 0.0, "xz": 0.0, "xy": 0.0}},
    "stress": {"stress": {"zz": 20.0, "xz": 5.0}},
    "mixed": {"strain": {"zz": 0.02, "xy": 0.004}, "stress": {"xx": 8.0, "yy": 0.0, "yz": 0.0, "xz": 2.0}},
}


def faced(control: str, cells: tuple[int, ...], **model) -> dict[str, Any]:
    return plate(cells, faces=FACES[control], **model)


def periodic(control: str, cells: tuple[int, ...], **model) -> dict[str, Any]:
    return cell(cells, mean=(MEANS if len(cells) == 2 else SPACE)[control], length=2.0, **model)


KINDS = {"faces": faced, "cell": periodic}
CASES = [("faces", control) for control in FACES] + [("cell", control) for control in MEANS]
GRIDS = [(10, 9), (5, 6, 4)]


def damage(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """g of a crack in the middle and random damage elsewhere."""
    phi = 0.6 * np.random.default_rng(seed).random(shape)
    phi[..., shape[-2] // 2, : shape[-1] // 2] = 1.0
    return (1.0 - 1e-6) * (1.0 - phi) ** 2 + 1e-6


@cache
def body(kind: str, control: str, cells: tuple[int, ...], split: str = "none") -> CrackedBody:
    return problem_of(KINDS[kind](control, cells, split=split)).body


def scaled_body(kind: str, control: str, cells: tuple[int, ...], split: str, scale: float) -> CrackedBody:
    """The same body, all given displacements, tractions and means times a factor."""
    data = KINDS[kind](control, cells, split=split)

    def times(part):
        if isinstance(part, dict):
            return {k: times(v) for k, v in part.items()}
        return part if isinstance(part, str) else scale * part

    for key in ("faces", "mean"):
        if key in data["model"]:
            data["model"][key] = times(data["model"][key])
    return problem_of(data).body


def respond(one: CrackedBody, sign: float = 1.0, start: Response | None = None) -> Response:
    return one.respond(damage(one.grid.shape), sign, start, FINE)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("cells", GRIDS, ids=["plane", "space"])
@pytest.mark.parametrize(("kind", "control"), CASES)
def test_clapeyron(kind, control, cells, split):
    """2U = P + q: twice the energy is the work of the forces on the displacements, those given and those found."""
    one = body(kind, control, cells, split)
    for sign in (1.0, -1.0):
        found = respond(one, sign)
        # The energy of `hybrid` is none of its drive: gψ of the whole strain is what forces work against.
        assert abs(2.0 * found.energy - sign * (found.force + found.deflection)) < 1e-7 * found.energy
        assert found.energy > 0.0
        assert found.sign == sign


@pytest.mark.parametrize(("kind", "control"), CASES)
@pytest.mark.parametrize("cells", GRIDS, ids=["plane", "space"])
def test_what_is_given(kind, control, cells):
    one = body(kind, control, cells)
    assert one.displaced == (control in ("displacement", "both", "strain", "mixed"))
    assert one.forced == (control in ("traction", "both", "stress", "mixed"))
    found = respond(one)
    assert (found.force != 0.0) == one.displaced
    assert (found.deflection != 0.0) == one.forced
    axes, pairs = ("xy", ("xx", "yy", "xy")) if len(cells) == 2 else ("xyz", ("xx", "yy", "zz", "yz", "xz", "xy"))
    names = {
        "faces": [f"reaction_{a}_{end}_{c}" for a in axes for end in ("low", "high") for c in axes],
        "cell": [f"mean_{of}_{pair}" for of in ("strain", "stress") for pair in pairs],
    }
    assert list(found.records) == names[kind]


@pytest.mark.parametrize("split", ["none", "spectral", "volumetric_deviatoric"])
@pytest.mark.parametrize(("kind", "control"), [c for c in CASES if c[1] in ("displacement", "strain")])
def test_the_force_is_the_derivative_of_the_energy(kind, control, split):
    """P = dU/ds, by central differences of solutions at s = 1 ± 1e-3, solved on their own."""
    cells, step = GRIDS[0], 1e-3
    low, high = (respond(scaled_body(kind, control, cells, split, s)).energy for s in (1.0 - step, 1.0 + step))
    found = respond(body(kind, control, cells, split))
    assert abs((high - low) / (2.0 * step) - found.force) < 1e-6 * abs(found.force)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("kind", "control"), CASES)
def test_everything_scales_with_the_load(kind, control, split):
    """|s| times the equilibrium at sign(s): against a body whose load is 3 times and −0.5 times as large."""
    one = body(kind, control, GRIDS[0], split)
    for s in (3.0, -0.5):
        unit, direct = respond(one, np.sign(s)), respond(scaled_body(kind, control, GRIDS[0], split, s))
        assert np.isclose(direct.energy, s**2 * unit.energy, rtol=1e-7)
        # `direct` is loaded by s times the pattern and its P and q belong to that: one more factor s.
        assert np.isclose(direct.force, s * abs(s) * unit.force, rtol=1e-6)
        assert np.isclose(direct.deflection, s * abs(s) * unit.deflection, rtol=1e-6)
        np.testing.assert_allclose(direct.drive, s**2 * unit.drive, rtol=0, atol=1e-5 * direct.drive.max())
        a, b = one.fields(unit, abs(s)), one.fields(direct, 1.0)
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-5 * np.abs(b[name]).max(), err_msg=name)


@pytest.mark.parametrize("split", ["none", "spectral"])
@pytest.mark.parametrize(("kind", "control"), CASES)
def test_the_energy_is_that_of_the_fields(kind, control, split):
    """∫ ½ σ:ε of mean strains and stresses of cells is at most U (they do not see the differences within a cell), and near."""
    one = body(kind, control, GRIDS[0], split)
    found = one.respond(np.ones(one.grid.shape), 1.0, None, FINE)
    f = one.fields(found, 1.0)
    density = 0.5 * (f["strain_xx"] * f["stress_xx"] + f["strain_yy"] * f["stress_yy"])
    total = float((density + f["strain_xy"] * f["stress_xy"]).sum())
    # The corners of a cell with faces are not smooth.
    assert total <= found.energy * (1.0 + 1e-9)
    assert np.isclose(total, found.energy, rtol=0.1 if kind == "faces" else 1e-9)


def uniform_fields(d: int, gradient: np.ndarray, grid) -> dict[str, np.ndarray]:
    """Displacement, strain and stress of u = gradient · x."""
    axes = "xyz"[:d]
    coordinates = np.broadcast_arrays(*[grid.coordinates()[a] for a in axes])
    strain = 0.5 * (gradient + gradient.T)
    stress = LAME * np.trace(strain) * np.eye(d) + 2.0 * SHEAR * strain
    result = {f"displacement_{a}": sum(gradient[i, j] * coordinates[j] for j in range(d)) for i, a in enumerate(axes)}
    for i in range(d):
        for j in range(i, d):
            result[f"strain_{axes[i]}{axes[j]}"] = np.full(grid.shape, strain[i, j])
            result[f"stress_{axes[i]}{axes[j]}"] = np.full(grid.shape, stress[i, j])
    return result


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("cells", GRIDS, ids=["plane", "space"])
def test_uniform_strains_are_exact_at_the_centres(cells, split):
    """In a whole body under linear displacements all fields are known, names included; g = 1, so that splits do not matter."""
    d, axes = len(cells), "xyz"[: len(cells)]
    gradient = 0.01 * np.array([[1.0, 0.4, -0.2], [0.4, -0.5, 0.3], [-0.2, 0.3, 0.8]])[:d, :d]
    lengths = dict(zip(axes, map(float, cells), strict=True))

    def face(axis: int, end: int) -> dict[str, Any]:
        away = end * lengths[axes[axis]]
        slopes = {i: {axes[j]: float(gradient[i, j]) for j in range(d) if j != axis} for i in range(d)}
        values = {axes[i]: {"value": float(gradient[i, axis] * away), "slope": slopes[i]} for i in range(d)}
        return {"displacement": values}

    faces = {axes[a]: {"low": face(a, 0), "high": face(a, 1)} for a in range(d)}
    names = component_names("strain", d)
    strain = {n[-2:]: float(gradient[axes.index(n[-2]), axes.index(n[-1])]) for n in names}
    for data in (plate(cells, faces=faces, split=split), cell(cells, mean={"strain": strain}, split=split)):
        model = load_scenario(data).model
        assert isinstance(model, Fracture)
        one = problem_of(data).body
        found = one.respond(np.ones(one.grid.shape), 1.0, None, 1e-12)
        fields, expected = one.fields(found, 2.0), uniform_fields(d, 2.0 * gradient, one.grid)
        assert sorted([*fields, "driving_energy"]) == sorted(model.derived_names())
        assert set(fields) == set(expected)
        for name, values in expected.items():
            scale = max(np.abs(v).max() for n, v in expected.items() if n[:6] == name[:6])
            # Displacements of a cell are free up to a translation: those of faces are held.
            np.testing.assert_allclose(fields[name], values, rtol=0, atol=1e-9 * scale, err_msg=name)
        energy = 0.5 * sum(
            (1.0 if n[-2] == n[-1] else 2.0)
            * expected[f"strain_{n[-2:]}"].flat[0]
            * expected[f"stress_{n[-2:]}"].flat[0]
            for n in names
        )
        assert np.isclose(4.0 * found.energy, energy * np.prod(cells), rtol=1e-9)


def test_plane_stress():
    """E in place of E/(1 − ν²) with free sides, and no stress across the plane."""
    for kind in ("cell", "faces"):
        common = {"plane": "stress", "length": 2.0}
        if kind == "cell":
            data = cell((6, 6), mean={"strain": {"yy": 0.01, "xy": 0.0}, "stress": {"xx": 0.0}}, **common)
        else:
            data = plate((6, 6), faces={"y": {"low": "sliding", "high": {"displacement": {"y": 0.06}}},
                                        "x": {"low": "sliding"}}, **common)  # fmt: skip
        one = problem_of(data).body
        found = one.respond(np.ones(one.grid.shape), 1.0, None, FINE)
        fields = one.fields(found, 1.0)
        np.testing.assert_allclose(fields["stress_yy"], E * 0.01, rtol=1e-8)
        np.testing.assert_allclose(fields["strain_xx"], -NU * 0.01, rtol=1e-7)
        assert np.isclose(found.energy, 0.5 * E * 1e-4 * 36, rtol=1e-8)


@pytest.mark.parametrize("split", ["none", "spectral"])
@pytest.mark.parametrize("cells", GRIDS, ids=["plane", "space"])
@pytest.mark.parametrize(("kind", "control"), CASES)
def test_a_response_that_was_kept_leads_to_the_same_bits(kind, control, cells, split):
    """Keep, recall in another body of the same scenario, and go on with a little more damage: bit for bit."""
    one = body(kind, control, cells, split)
    g = damage(one.grid.shape)
    found = one.respond(g, -1.0, None, 1e-6)
    arrays = {name: array.copy() for name, array in one.keep(found).items()} | {"g": g.copy()}
    other = problem_of(KINDS[kind](control, cells, split=split)).body
    again = other.recall(arrays, {"sign": found.sign, "energy": found.energy})
    assert (again.sign, again.energy, again.force, again.deflection) == (
        -1.0,
        found.energy,
        found.force,
        found.deflection,
    )
    assert again.records == found.records
    np.testing.assert_array_equal(again.drive, found.drive)
    for name, values in one.fields(found, 0.7).items():
        np.testing.assert_array_equal(values, other.fields(again, 0.7)[name], err_msg=name)
    more = 0.9 * g
    a, b = one.respond(more, -1.0, found, 1e-8), other.respond(more, -1.0, again, 1e-8)
    assert a.iterations == b.iterations > 0
    np.testing.assert_array_equal(a.drive, b.drive)
    assert (a.energy, a.force, a.deflection) == (b.energy, b.force, b.deflection)


def test_reactions_balance():
    """Forces of the supports add up to nothing, and to the force where one face moves by 1."""
    one = problem_of(plate((8, 8))).body
    found = one.respond(damage((8, 8)), 1.0, None, FINE)
    r = found.records
    assert np.isclose(r["reaction_y_low_y"] + r["reaction_y_high_y"], 0.0, atol=1e-7 * found.force)
    assert np.isclose(r["reaction_y_high_y"], found.force, rtol=1e-9)
    assert r["reaction_x_low_x"] == 0.0
