"""Material of a body: what regions cover, what they change, and one clear message for every mistake."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from phasefield.errors import InputError
from phasefield.initial.placement import place_balls
from phasefield.mechanics import material_sections
from phasefield.mechanics.material import material_of
from phasefield.mechanics.material_sections import MaterialSection
from phasefield.models.base import Strict
from phasefield.spectral.grid import Axis, Grid

GRID = Grid((Axis("x", 20, 2.0), Axis("y", 10, 1.0)))
SPACE = Grid((Axis("x", 12, 1.2), Axis("y", 10, 1.0), Axis("z", 8, 0.8)))
STEEL = {"young_modulus": 210.0, "poisson_ratio": 0.3, "toughness": 2.7e-3}
DISC = [{"disc": {"centre": [0.05, 0.5], "radius": 0.3}}]
BOX = [{"box": {"from": [0.5, 0.2], "to": [1.5, 0.6]}}]


def material(*regions, on=GRID, folder=".", **options):
    section = MaterialSection.model_validate({**STEEL, **options, "regions": list(regions)})
    return material_of(section, on, folder)


def region(name="a", **options):
    return {"name": name, **options}


def disc(on=GRID):
    x, y = on.coordinates()["x"], on.coordinates()["y"]
    return np.hypot(np.minimum(np.abs(x - 0.05), 2 - np.abs(x - 0.05)), y - 0.5) <= 0.3 + 1e-9


def box():
    cells = np.zeros(GRID.shape, bool)
    cells[2:6, 5:15] = True
    return cells


# matrix


def test_a_uniform_body():
    body = material()
    assert body.uniform == STEEL
    for name, value in STEEL.items():
        array = getattr(body, name)
        assert array.shape == GRID.shape
        assert array.dtype == np.float64
        assert (array == value).all()
        assert not array.flags.writeable
    assert body.solid.all()
    assert not body.region.any()
    assert body.names == ("matrix",)
    assert body.fraction("matrix") == 1.0
    np.testing.assert_allclose(body.lame, 121.15384615384616, rtol=1e-14)
    np.testing.assert_allclose(body.shear, 80.76923076923077, rtol=1e-14)


def test_formulas_and_files(tmp_path):
    gc = np.random.default_rng(0).uniform(1, 2, GRID.shape)
    np.save(tmp_path / "gc.npy", gc)
    body = material(
        folder=tmp_path,
        young_modulus="210*(1 + 0.5*sin(2*pi*y/Ly)*x/Lx)",
        toughness={"file": "gc.npy"},
        poisson_ratio="0.1 + 0.1",
    )
    x, y = GRID.coordinates()["x"], GRID.coordinates()["y"]
    np.testing.assert_allclose(body.young_modulus, 210 * (1 + 0.5 * np.sin(2 * np.pi * y) * x / 2), rtol=1e-14)
    assert (body.toughness == gc).all()
    assert body.uniform == {"poisson_ratio": 0.2}
    np.testing.assert_allclose(body.lame, body.young_modulus * 0.2 / (1.2 * 0.6), rtol=1e-14)
    np.testing.assert_allclose(body.shear, body.young_modulus / 2.4, rtol=1e-14)


# regions


def test_later_regions_lie_over_earlier_ones_and_keep_what_they_do_not_name():
    body = material(
        region("fibre", shapes=DISC, young_modulus=800.0, poisson_ratio=0.2),
        region("pore", shapes=BOX, void=True),
        region("layer", expression="0.15 - abs(y - 0.5)", toughness="1 + x"),
    )
    layer = np.broadcast_to(np.abs(GRID.coordinates()["y"] - 0.5) < 0.15, GRID.shape)
    hole = box() & ~layer
    assert (body.solid == ~hole).all()
    expected = np.where(disc(), 1, 0)
    expected[box()] = 2
    expected[layer] = 3
    assert (body.region == expected).all()
    assert body.names == ("matrix", "fibre", "pore", "layer")
    assert body.fraction("pore") == hole.mean()
    # Beneath the layer the pore is solid again, with the stiffness of what it was cut from.
    stiff = np.where(disc(), 800.0, 210.0)
    assert (body.young_modulus == np.where(hole, 0.0, stiff)).all()
    assert (body.poisson_ratio == np.where(disc(), 0.2, 0.3)).all()
    x = np.broadcast_to(GRID.coordinates()["x"], GRID.shape)
    np.testing.assert_array_equal(body.toughness, np.where(layer, 1 + x, 2.7e-3))
    assert (body.shear[hole] == 0.0).all()
    assert (body.lame[hole] == 0.0).all()
    assert (body.shear[~hole] > 0.0).all()
    assert body.uniform == {}


def test_what_differs_only_in_voids_is_uniform():
    body = material(region(shapes=BOX, void=True))
    assert body.uniform == STEEL
    assert body.fraction("a") == 0.2


def test_edges_belong_to_regions():
    """Centres exactly on the edge, also of a slit."""
    body = material(region(shapes=[{"box": {"from": [0.45, 0.25], "to": [0.65, 0.35]}}], void=True))
    assert (~body.solid).sum() == 3 * 2
    body = material(region(shapes=[{"slit": {"from": [0.5, 0.4], "to": [1.0, 0.4]}}], void=True))
    assert np.argwhere(~body.solid).tolist() == [[4, i] for i in range(5, 10)]


def test_a_region_by_picture(tmp_path):
    pixels = np.zeros((10, 20), np.uint8)
    pixels[:3, :5] = 255  # at the top left
    pixels[8, 9] = 128
    Image.fromarray(pixels).save(tmp_path / "fibres.png")
    top = np.zeros(GRID.shape, bool)
    top[7:, :5] = True
    dot = np.zeros(GRID.shape, bool)
    dot[1, 9] = True
    rules = {"above": (0.6, top), "below": (0.6, ~top), "between": ([0.5, 0.6], dot)}
    for name, (value, expected) in rules.items():
        image = {"file": "fibres.png", name: value}
        assert ((material(region(image=image, void=True), folder=tmp_path).region == 1) == expected).all(), name
    np.save(tmp_path / "labels.npy", np.arange(200.0).reshape(10, 20))
    image = {"file": "labels.npy", "between": [10, 12]}
    assert np.flatnonzero(material(region(image=image, toughness=1.0), folder=tmp_path).region).tolist() == [10, 11, 12]


def test_random_regions():
    random = {"shape": "disc", "radius": [0.05, 0.15], "fraction": 0.3, "gap": 0.02, "seed": 3}
    fine = Grid((Axis("x", 400, 2.0), Axis("y", 200, 1.0)))
    body = material(region(random=random, young_modulus=800.0), on=fine)
    assert body.fraction("a") == pytest.approx(0.3, abs=np.pi * 0.15**2 / 2 / 2 + 0.002)
    again = material(region(random=random, void=True), on=fine)
    assert (again.region == body.region).all()
    other = material(region("b", random=random, void=True), on=fine)
    assert (other.region != body.region).any()
    other = material(region(random={**random, "seed": 4}, void=True), on=fine)
    assert (other.region != body.region).any()
    spheres = material(region(random={"shape": "sphere", "radius": 0.2, "count": 2}, void=True), on=SPACE)
    assert 1 - spheres.solid.mean() == pytest.approx(2 * 4 / 3 * np.pi * 0.008 / SPACE.volume, rel=0.15)


def test_bodies_are_placed_once(monkeypatch):
    """For every section with the same numbers, such as those of a run, its checks and its pictures."""
    placed = []

    def place(*arguments):
        placed.append(arguments)
        return place_balls(*arguments)

    monkeypatch.setattr(material_sections, "place_balls", place)
    random = {"shape": "disc", "radius": 0.05, "fraction": 0.2, "seed": 5}
    first, second = (material(region("once", random=random, void=True)) for _ in range(2))
    assert (first.solid == second.solid).all()
    assert len(placed) == 1
    material(region("once", random={**random, "gap": 0.01}, void=True))
    assert len(placed) == 2


# sections


def test_a_models_section_may_inherit_the_keys():
    class Parameters(MaterialSection, Strict):
        ell: float

    parameters = Parameters.model_validate({**STEEL, "ell": 0.1, "regions": [region(shapes=DISC, void=True)]})
    assert not material_of(parameters, GRID, ".").solid.all()


EXAMPLE = {
    "young_modulus": 210,
    "poisson_ratio": "0.3 + 0.01*x",
    "toughness": {"file": "gc.npy", "resample": "nearest"},
    "regions": [
        region("a", shapes=[{"slit": {"from": [0, 0.5], "to": [0.5, 0.5]}}], void=True),
        region("b", image={"file": "a.png", "between": [0.2, 0.4]}, young_modulus="x + 1"),
        region("c", random={"shape": "disc", "radius": [0.1, 0.2], "count": 3}, toughness=1.0),
        region("d", expression="x - 1", poisson_ratio=0.1),
    ],
}


@pytest.mark.parametrize("mode", ["json", "python"])
def test_round_trip(mode):
    section = MaterialSection.model_validate(EXAMPLE)
    dumped = section.model_dump(mode=mode, exclude_none=True)
    assert MaterialSection.model_validate(dumped) == section
    assert dumped["young_modulus"] == 210.0
    assert dumped["regions"][0]["shapes"][0]["slit"]["from"] in ([0, 0.5], (0, 0.5))


def test_schema_has_descriptions():
    schema = MaterialSection.model_json_schema()
    for name in ("Region", "ImageSection", "RandomSection"):
        assert all(entry.get("description") for entry in schema["$defs"][name]["properties"].values()), name
    assert all(entry.get("description") for entry in schema["properties"].values())


# mistakes


@pytest.mark.parametrize(
    ("change", "loc", "message"),
    [
        ({"young_modulus": 0.0}, ("young_modulus",), "must be greater than 0"),
        ({"young_modulus": True}, ("young_modulus",), "a number, a formula in x, y, z or {file: …}"),
        ({"young_modulus": float("inf")}, ("young_modulus",), "must be greater than 0"),
        ({"poisson_ratio": 0.5}, ("poisson_ratio",), "must be between -1 and 0.5"),
        ({"poisson_ratio": -1}, ("poisson_ratio",), "must be between -1 and 0.5"),
        ({"toughness": "2*q"}, ("toughness",), "formula: 'q' in column 3 is not known"),
        ({"toughness": {"fil": "a"}}, ("toughness", "file"), "required"),
        ({"toughnes": 1.0}, ("toughnes",), "not permitted"),
        ({"regions": [region()]}, ("regions", 0), "exactly one of shapes, image, expression or random (got none)"),
        (
            {"regions": [region(shapes=DISC, expression="x", void=True)]},
            ("regions", 0),
            "got shapes and expression",
        ),
        (
            {"regions": [region(shapes=DISC)]},
            ("regions", 0),
            "needs one of young_modulus, poisson_ratio, toughness, density, or void",
        ),
        ({"regions": [region(shapes=DISC, void=True, toughness=1.0)]}, ("regions", 0), "a void has no toughness"),
        ({"regions": [region(shapes=DISC, void="yes")]}, ("regions", 0, "void"), "boolean"),
        ({"regions": [region(shapes=DISC, toughness=-1)]}, ("regions", 0, "toughness"), "greater than 0"),
        ({"regions": [region(shapes=[], void=True)]}, ("regions", 0, "shapes"), "empty"),
        ({"regions": [region(shapes=[{"disk": {}}], void=True)]}, ("regions", 0, "shapes", 0), "did you mean 'disc'"),
        ({"regions": [region(expression="x >", void=True)]}, ("regions", 0, "expression"), "expression"),
        ({"regions": [region(shapes=DISC, void=True)] * 2}, ("regions",), "two regions have the name 'a'"),
        ({"regions": [region(image={"file": "a.png"}, void=True)]}, ("regions", 0, "image"), "exactly one of above"),
        (
            {"regions": [region(image={"file": "a.png", "between": [2, 1]}, void=True)]},
            ("regions", 0, "image"),
            "first number of between is greater",
        ),
        (
            {"regions": [region(random={"shape": "disc", "radius": 1.0}, void=True)]},
            ("regions", 0, "random"),
            "either fraction or count",
        ),
        (
            {"regions": [region(random={"shape": "disc", "radius": [0.0, 1.0], "count": 1}, void=True)]},
            ("regions", 0, "random", "radius"),
            "number greater than 0, or two of them",
        ),
        (
            {"regions": [region(random={"shape": "disc", "radius": [2.0, 1.0], "count": 1}, void=True)]},
            ("regions", 0, "random", "radius"),
            "first radius is greater",
        ),
    ],
    ids=str,
)
def test_mistakes_in_the_section(change, loc, message):
    with pytest.raises(ValidationError) as caught:
        MaterialSection.model_validate({**STEEL, **change})
    errors = caught.value.errors()
    assert errors[0]["loc"] == loc
    assert message in errors[0]["msg"]
    assert len(errors) == 1 or "not permitted" in errors[1]["msg"]


@pytest.mark.parametrize(
    ("options", "regions", "message"),
    [
        ({}, [region(shapes=[{"sphere": {"centre": [1] * 3, "radius": 1}}], void=True)], r"regions\.0\.shapes\.0\.sphere: needs"),
        (
            {},
            [region(shapes=DISC, void=True), region("b", shapes=[*BOX, {"disc": {**DISC[0]["disc"], "inside": 1}}], void=True)],
            r"regions\.1\.shapes\.1\.disc\.inside: the bodies of a region are sharp",
        ),
        ({}, [region(expression="x - 5", void=True)], r"regions\.0: the region 'a' covers no cell"),
        ({}, [region(expression="x + 5", toughness=1.0)], r"regions\.0: the region 'a' covers every cell"),
        (
            {},
            [region(expression="x - 1", void=True), region("b", expression="1.2 - x", void=True)],
            r"regions: the voids leave nothing solid",
        ),
        ({}, [region(expression="sqrt(x - 1)", void=True)], r"regions\.0\.expression: is not a number in 100 cells"),
        ({}, [region(expression="z", void=True)], r"regions\.0\.expression.*'z'"),
        ({}, [region(image={"file": "no.png", "above": 0.5}, void=True)], r"regions\.0\.image\.file: no such file"),
        (
            {},
            [region(random={"shape": "sphere", "radius": 0.1, "count": 1}, void=True)],
            r"regions\.0\.random\.shape: a sphere needs a 3-dimensional grid, this one has 2",
        ),
        ({}, [region(random={"shape": "disc", "radius": 0.6, "count": 1}, void=True)], r"regions\.0\.random: a body of radius"),
        ({"toughness": "x - 1"}, [], r"toughness: must be greater than 0; in 100 cells it is not, first -0\.95 at x = 0\.05, y"),
        ({"toughness": {"file": "no.npy"}}, [], r"toughness\.file: no such file"),
        ({"poisson_ratio": "x/3"}, [], r"poisson_ratio: must be between -1 and 0\.5; in 50 cells it is not, first 0\.516667"),
        ({}, [region(shapes=BOX, young_modulus="x - 0.9")], r"regions\.0\.young_modulus: must be greater than 0; in 16 cells"),
        ({}, [region(shapes=BOX, young_modulus="sqrt(x - 0.9)")], r"regions\.0\.young_modulus: .*first nan at x = 0\.55"),
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_that_the_grid_shows(options, regions, message, tmp_path):
    with pytest.raises(InputError, match=rf"^model\.{message}"):
        material(*regions, folder=tmp_path, **options)


def test_a_formula_counts_only_inside_its_region():
    """ln(x − 0.4) is no number for x < 0.4, outside the box."""
    body = material(region(shapes=BOX, young_modulus="2 + log(x - 0.4)"))
    assert (body.young_modulus[~box()] == 210.0).all()
