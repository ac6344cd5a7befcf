"""Initial conditions: each form, each mistake, profiles against closed forms, noise, validation."""

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from phasefield.errors import InputError
from phasefield.initial import InitialField, Mean, evaluate
from phasefield.random import normal_field, uniform_field
from phasefield.spectral.grid import Axis, Grid

adapter = TypeAdapter(InitialField)
BOX = {"x": (12, 6.0), "y": (10, 4.0), "z": (8, 2.0)}


def grid(dimensions=2, boundary="periodic", cells=None, lengths=None):
    sizes = [BOX[name] for name in "xyz"[:dimensions]]
    cells = cells or [n for n, _ in sizes]
    lengths = lengths or [length for _, length in sizes]
    return Grid(tuple(Axis(*args, boundary) for args in zip("xyz", cells, lengths, strict=False)))


def values(spec, on=None, seed=1, folder=".", field="c"):
    return evaluate(adapter.validate_python(spec), field, on or grid(), seed, folder)


def refused(spec):
    """The error list of a value that must not validate."""
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(spec)
    return caught.value.errors()


# numbers and expressions


@pytest.mark.parametrize("spec", [2, 2.0, {"mean": 2.0}, {"mean": 2}, "1 + 1", {"expression": "2"}], ids=str)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_uniform(spec, dimensions):
    result = values(spec, grid(dimensions))
    assert result.dtype == np.float64
    assert result.shape == grid(dimensions).shape
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert (result == 2.0).all()


def test_expression_in_axes_and_lengths():
    box = grid(3)
    result = values("x + 10*y + 100*z + cos(2*pi*x/Lx) + Ly*Lz", box)
    for cell in [(0, 0, 0), (7, 9, 11), (3, 5, 2)]:
        x, y, z = ((i + 0.5) * h for i, h in zip(reversed(cell), (0.5, 0.4, 0.25), strict=True))
        assert result[cell] == pytest.approx(x + 10 * y + 100 * z + np.cos(2 * np.pi * x / 6) + 8, rel=1e-14)


@pytest.mark.parametrize(("text", "name"), [("x + y", "y"), ("x/Ly", "Ly"), ("z", "z")])
def test_expression_in_an_axis_the_grid_lacks(text, name):
    adapter.validate_python(text)
    with pytest.raises(InputError, match=rf"initial\.c.*'{name}'"):
        values(text, grid(1))


@pytest.mark.parametrize("spec", ["x + qq", {"expression": "x +"}, {"expression": "x.real"}], ids=str)
def test_expression_errors_have_a_path(spec):
    (error,) = refused(spec)
    assert error["loc"] == ("expression",)
    assert "expression" in error["msg"]


def test_values_that_are_not_finite():
    with pytest.raises(InputError, match=r"initial\.c: not finite in 50 of 100 cells.*at x = 0.5, y = 0.5"):
        values("sqrt(x - 5)", grid(cells=[10, 10], lengths=[10.0, 10.0]))
    with pytest.raises(InputError, match=r"in 2 of 24 cells; the first is inf at x = 5.5, y = 0.5"):
        values("1/(x - 5.5)", grid(cells=[12, 2], lengths=[12.0, 2.0]))


# noise


@pytest.mark.parametrize(("distribution", "field"), [("gaussian", normal_field), ("uniform", uniform_field)])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_noise_is_the_random_field_without_its_mean(distribution, field, dimensions):
    box = grid(dimensions)
    result = values({"mean": 0.3, "noise": 0.01, "distribution": distribution}, box, seed=5)
    raw = field(box.shape, seed=5, stream="initial:c")
    assert abs(raw.mean()) > 1e-3  # else the next lines show nothing
    assert abs(result.mean() - 0.3) < 2e-16
    np.testing.assert_allclose(result - 0.3, 0.01 * (raw - raw.mean()), rtol=0, atol=1e-15)


def test_noise_amplitude():
    box = grid(cells=[200, 200], lengths=[1.0, 1.0])
    gaussian = values({"mean": 0.0, "noise": 0.01}, box)
    assert gaussian.std() == pytest.approx(0.01, rel=4 / np.sqrt(2 * box.cells))
    uniform = values({"mean": 0.0, "noise": 0.01, "distribution": "uniform"}, box)
    assert 0.0099 < np.abs(uniform).max() < 0.0102
    assert uniform.std() == pytest.approx(0.01 / np.sqrt(3), rel=0.02)


def test_noise_is_reproducible_and_depends_on_seed_and_field():
    spec = {"mean": 0.0, "noise": 1.0}
    assert (values(spec) == values(spec)).all()
    assert not (values(spec) == values(spec, seed=2)).any()
    assert not (values(spec) == values(spec, field="eta")).any()


def test_noise_of_a_block_needs_no_other_block():
    box = grid(3)
    whole = values({"mean": 0.0, "noise": 1.0}, box)
    slab = normal_field(
        (2, 10, 12), seed=1, stream="initial:c", offset=(4, 0, 0), global_shape=box.shape
    )  # the mean removed is one number for the whole field
    difference = whole[4:6] - slab
    np.testing.assert_allclose(difference, difference[0, 0, 0], rtol=0, atol=1e-15)


def test_noise_on_top_of_an_expression_keeps_its_mean():
    plain, noisy = values("x"), values({"expression": "x", "noise": 0.5})
    assert noisy.mean() == pytest.approx(plain.mean(), abs=1e-15)
    assert (noisy - plain).std() == pytest.approx(0.5, rel=0.3)


# shapes


def tanh_profile(distance, width=0.4, inside=1.0, outside=0.0):
    return (inside + outside) / 2 + (inside - outside) / 2 * np.tanh(distance / width)


def wrapped(difference, length):
    """Distance to the nearest image, by trying the neighbours."""
    return np.min([np.abs(difference + n * length) for n in (-2, -1, 0, 1, 2)], axis=0)


def test_disc_profile():
    spec = {
        "shapes": [{"disc": {"centre": [3.0, 2.0], "radius": 1.1}}],
        "inside": 0.9,
        "outside": 0.1,
        "interface_width": 0.4,
    }
    c = grid().coordinates()
    distance = 1.1 - np.hypot(c["x"] - 3.0, c["y"] - 2.0)
    np.testing.assert_allclose(values(spec), tanh_profile(distance, 0.4, 0.9, 0.1), rtol=1e-14)


def test_disc_across_the_corner_wraps_only_where_periodic():
    spec = {"shapes": [{"disc": {"centre": [0.2, 3.9], "radius": 1.3}}], "interface_width": 0.4}
    c = grid().coordinates()
    images = 1.3 - np.hypot(wrapped(c["x"] - 0.2, 6.0), wrapped(c["y"] - 3.9, 4.0))
    result = values(spec)
    np.testing.assert_allclose(result, tanh_profile(images), rtol=1e-13, atol=1e-15)
    assert min(result[0, 0], result[0, -1], result[-1, 0], result[-1, -1]) > 0.9  # all four corners
    walls = values(spec, grid(boundary="no_flux"))
    plain = 1.3 - np.hypot(c["x"] - 0.2, c["y"] - 3.9)
    np.testing.assert_allclose(walls, tanh_profile(plain), rtol=1e-13, atol=1e-15)
    assert walls[-1, 0] > 0.9
    assert max(walls[0, 0], walls[0, -1], walls[-1, -1]) < 0.1


def test_a_centre_may_be_given_in_any_image():
    at = [values({"shapes": [{"disc": {"centre": [x, 2.0], "radius": 1.0}}]}) for x in (0.3, 6.3, -5.7)]
    assert (at[0] == at[1]).all()
    assert (at[0] == at[2]).all()


def test_sphere_profile():
    spec = {"shapes": [{"sphere": {"centre": [5.9, 0.1, 1.0], "radius": 0.8}}], "interface_width": 0.4}
    c = grid(3).coordinates()
    squares = [wrapped(c[a] - p, n) ** 2 for a, p, n in (("x", 5.9, 6.0), ("y", 0.1, 4.0), ("z", 1.0, 2.0))]
    expected = tanh_profile(0.8 - np.sqrt(sum(squares)))
    np.testing.assert_allclose(values(spec, grid(3)), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_stripe_profile(dimensions):
    spec = {"shapes": [{"stripe": {"axis": "x", "centre": 5.5, "width": 2.0}}], "interface_width": 0.4}
    box = grid(dimensions)
    x = box.coordinates()["x"]
    expected = np.broadcast_to(tanh_profile(1.0 - wrapped(x - 5.5, 6.0)), box.shape)
    np.testing.assert_allclose(values(spec, box), expected, rtol=1e-13, atol=1e-15)


def test_front_between_walls_is_single_and_periodic_is_double():
    spec = {"shapes": [{"front": {"axis": "y", "position": 2.5}}], "interface_width": 0.1}
    y = grid().coordinates()["y"]
    walls = values(spec, grid(boundary="no_flux"))
    np.testing.assert_allclose(walls, np.broadcast_to(tanh_profile(2.5 - y, 0.1), (10, 12)), rtol=1e-12)
    periodic = values(spec)
    seam = np.minimum(wrapped(y, 4.0), wrapped(y - 2.5, 4.0)) * np.where(y < 2.5, 1, -1)
    expected = np.broadcast_to(tanh_profile(seam, 0.1), (10, 12))
    np.testing.assert_allclose(periodic, expected, rtol=1e-12, atol=1e-15)


def test_sharp_edges():
    spec = {"shapes": [{"stripe": {"axis": "x", "centre": 3.0, "width": 2.0}}], "inside": 5, "outside": -1}
    expected = [-1.0] * 4 + [5.0] * 4 + [-1.0] * 4
    assert values(spec, grid(1)).tolist() == expected
    on_the_edge = {"shapes": [{"stripe": {"axis": "x", "centre": 3.0, "width": 2.5}}]}
    assert values(on_the_edge, grid(1)).tolist() == [0] * 3 + [0.5] + [1] * 4 + [0.5] + [0] * 3


def test_union_takes_the_largest_indicator_and_bodies_may_differ():
    first = {"stripe": {"axis": "x", "centre": 2.0, "width": 2.0}}
    second = {"stripe": {"axis": "x", "centre": 4.0, "width": 2.0, "inside": -0.5, "interface_width": 0.2}}
    x = grid(1).coordinates()["x"]
    spec = {"shapes": [first, second], "inside": 1.0, "outside": 0.25, "interface_width": 0.4}
    one = 0.5 + 0.5 * np.tanh((1 - wrapped(x - 2, 6.0)) / 0.4)
    two = 0.5 + 0.5 * np.tanh((1 - wrapped(x - 4, 6.0)) / 0.2)
    expected = np.where(two > one, 0.25 - 0.75 * two, 0.25 + 0.75 * one)
    np.testing.assert_allclose(values(spec, grid(1)), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("shape", "dimensions", "message"),
    [
        (
            {"disc": {"centre": [1, 1], "radius": 1}},
            3,
            r"shapes\.1\.disc: needs a 2-dim.*has 3 \(use sphere\)",
        ),
        ({"disc": {"centre": [1, 1], "radius": 1}}, 1, r"shapes\.1\.disc: needs a 2-dimensional grid"),
        ({"sphere": {"centre": [1, 1, 1], "radius": 1}}, 2, r"sphere: needs a 3-dim.*\(use disc\)"),
        ({"stripe": {"axis": "z", "centre": 1, "width": 1}}, 2, r"stripe\.axis: the grid has no axis 'z'"),
        ({"stripe": {"axis": "x", "centre": 1, "width": 6}}, 2, r"stripe\.width: 6 leaves nothing outside"),
        ({"front": {"axis": "y", "position": 1}}, 1, r"front\.axis: the grid has no axis 'y'"),
        (
            {"front": {"axis": "x", "position": 6.0}},
            2,
            r"front\.position: 6 is not between 0 and the length 6",
        ),
    ],
)
def test_shapes_that_do_not_fit_the_grid(shape, dimensions, message):
    good = {"front": {"axis": "x", "position": 1}}
    with pytest.raises(InputError, match=r"initial\.c\.shapes.*") as caught:
        values({"shapes": [good, shape]}, grid(dimensions))
    caught.match(message)


# validation


@pytest.mark.parametrize(
    ("spec", "loc", "message"),
    [
        (True, (), "a number, an expression or a mapping"),
        (None, (), "a number, an expression or a mapping"),
        ([0.5], (), "a number, an expression or a mapping"),
        (float("nan"), ("mean",), "finite"),
        ({}, (), "exactly one of mean, expression, shapes or file; got none"),
        ({"maen": 0.5}, (), "unknown name 'maen'; did you mean 'mean'"),
        ({"{maen}": 0.5}, (), "unknown name '{maen}'"),
        ({"mean": 0.5, "file": "a.npy"}, (), "got mean and file"),
        ({"mean": "0.5"}, ("mean",), "valid number"),
        ({"mean": True}, ("mean",), "valid number"),
        ({"mean": 0.5, "nois": 1}, ("nois",), "not permitted"),
        ({"mean": 0.5, "noise": -1}, ("noise",), "greater than or equal to 0"),
        ({"mean": 0.5, "noise": float("inf")}, ("noise",), "finite"),
        ({"mean": 0.5, "distribution": "cauchy"}, ("distribution",), "gaussian"),
        ({"mean": 0.5, "interface_width": 1.0}, ("interface_width",), "not permitted"),
        ({"expression": 0.5}, ("expression",), "string"),
        ({"shapes": []}, ("shapes",), "empty"),
        ({"shapes": {"disc": {}}}, ("shapes",), "tuple"),
        (
            {"shapes": [{}]},
            ("shapes", 0),
            "exactly one of disc, sphere, ellipse, ellipsoid, stripe, front, box, polygon, slit or penny",
        ),
        ({"shapes": [{"disk": {}}]}, ("shapes", 0), "did you mean 'disc'"),
        ({"shapes": [{"disc": {"centre": [1, 2], "radius": 0}}]}, ("shapes", 0, "disc", "radius"), "greater"),
        (
            {"shapes": [{"disc": {"centre": [1, 2], "radius": -1}}]},
            ("shapes", 0, "disc", "radius"),
            "greater",
        ),
        ({"shapes": [{"disc": {"centre": [1], "radius": 1}}]}, ("shapes", 0, "disc", "centre"), "at least 2"),
        (
            {"shapes": [{"disc": {"centre": [1] * 3, "radius": 1}}]},
            ("shapes", 0, "disc", "centre"),
            "at most 2",
        ),
        (
            {"shapes": [{"sphere": {"centre": [1, 2], "radius": 1}}]},
            ("shapes", 0, "sphere", "centre"),
            "least 3",
        ),
        ({"shapes": [{"disc": {"radius": 1}}]}, ("shapes", 0, "disc", "centre"), "required"),
        (
            {"shapes": [{"stripe": {"axis": "t", "centre": 1, "width": 1}}]},
            ("shapes", 0, "stripe", "axis"),
            "'x', 'y' or 'z'",
        ),
        (
            {"shapes": [{"front": {"axis": "x", "position": 1, "interface_width": -1}}]},
            ("shapes", 0, "front", "interface_width"),
            "greater",
        ),
        ({"shapes": [{"front": {"axis": "x", "position": 1}}], "inside": "a"}, ("inside",), "number"),
        ({"file": ""}, ("file",), "at least 1"),
        ({"file": "a.npy", "frame": 1.5}, ("frame",), "integer"),
        ({"file": "a.npy", "resample": "yes"}, ("resample",), "'average' or 'nearest'"),
    ],
    ids=str,
)
def test_mistakes_are_found_at_their_place(spec, loc, message):
    (error,) = refused(spec)
    assert error["loc"] == loc
    assert message in error["msg"]


class Scenario(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    initial: dict[str, InitialField]


def test_paths_inside_a_scenario():
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate({"initial": {"c": {"mean": 0.5, "noise": -1}, "eta": "x +"}})
    assert [e["loc"] for e in caught.value.errors()] == [
        ("initial", "c", "noise"),
        ("initial", "eta", "expression"),
    ]


EXAMPLES = [
    0.5,
    "cos(x)",
    {"mean": 0.5, "noise": 0.01, "distribution": "uniform"},
    {"expression": "x*Lx", "noise": 0.5},
    {
        "shapes": [
            {"disc": {"centre": [1, 2.5], "radius": 1, "inside": 0.5}},
            {"stripe": {"axis": "x", "centre": 1, "width": 2, "interface_width": 0}},
        ],
        "inside": 0.9,
        "interface_width": 2.0,
    },
    {"file": "a.h5", "dataset": "c", "frame": 2, "resample": True},
    {"file": "a.png", "resample": "nearest", "levels": {"black": 1, "white": 0.5}, "threshold": 0.3, "stretch": True},
    {
        "shapes": [
            {"slit": {"from": [0, 1], "to": [1, 2]}},
            {"box": {"from": [0], "to": [1]}},
            {"box": {"centre": [0], "size": [1]}},
        ]
    },
]


@pytest.mark.parametrize("spec", EXAMPLES, ids=str)
@pytest.mark.parametrize("mode", ["json", "python"])
def test_round_trip(spec, mode):
    scenario = Scenario.model_validate({"initial": {"c": spec}})
    dumped = scenario.model_dump(mode=mode)
    assert Scenario.model_validate(dumped) == scenario
    assert None not in dumped["initial"]["c"].values()
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


def test_a_resolved_number_is_a_mapping_with_all_that_was_assumed():
    dumped = Scenario.model_validate({"initial": {"c": 0.5}}).model_dump(mode="json")
    assert dumped == {"initial": {"c": {"mean": 0.5, "noise": 0.0, "distribution": "gaussian"}}}


def test_schema_offers_every_form_with_descriptions():
    schema = Scenario.model_json_schema()
    field = schema["properties"]["initial"]["additionalProperties"]
    assert [form.get("type") or form["$ref"].split("/")[-1] for form in field["anyOf"]] == [
        *("number", "string", "Mean", "Formula", "Shapes", "File")
    ]
    for name in ("Mean", "Formula", "Shapes", "File", "Disc", "Sphere", "Stripe", "Front"):
        for key, entry in schema["$defs"][name]["properties"].items():
            assert entry.get("description"), (name, key)
        assert schema["$defs"][name]["additionalProperties"] is False


def test_specs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        adapter.validate_python(0.5).mean = 1.0
    assert isinstance(adapter.validate_python(0.5), Mean)


def test_evaluate_takes_what_has_not_been_validated():
    assert (evaluate(0.5, "c", grid(), 1, ".") == 0.5).all()
