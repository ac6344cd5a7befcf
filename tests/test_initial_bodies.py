"""Boxes, ellipses, polygons and cracks against distances computed another way, and cracks against what they must separate."""

from itertools import pairwise, product

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from pydantic import TypeAdapter, ValidationError
from scipy import ndimage, optimize

from phasefield.energy.fracture import CrackEnergy
from phasefield.errors import InputError
from phasefield.initial import InitialField, evaluate
from phasefield.initial.round_bodies import ellipsoid_distance
from phasefield.initial.shapes import Body
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.damage import DamageSolver
from phasefield.spectral.grid import Axis, Grid

WIDTH = 0.3


def grid(cells, lengths, boundary="periodic"):
    return Grid(tuple(Axis(*args, boundary) for args in zip("xyz", cells, lengths, strict=False)))


PLANE = grid((40, 30), (4.0, 3.0))
WALLS = grid((40, 30), (4.0, 3.0), "no_flux")
SPACE = grid((20, 16, 12), (2.0, 1.6, 1.2))


def values(*bodies, on=PLANE, **options):
    return evaluate({"shapes": list(bodies), **options}, "phi", on, 1, ".")


def cells(kind, on=PLANE, **options):
    """Cells of a sharp body, and that it has no values but 0 and 1."""
    result = values({kind: options}, on=on)
    assert set(np.unique(result)) <= {0.0, 1.0}
    return result == 1.0


def images(on):
    """Shifts by whole periods, on every periodic axis -2 … 2."""
    return product(*([k * a.length for k in range(-2, 3)] if a.boundary == "periodic" else [0.0] for a in on.axes))


def largest_over_images(distance, on):
    """Signed distance of a body and its images: `distance(x, y, …)` is that of the body alone."""
    coordinates = on.coordinates().values()
    everywhere = (distance(*(c - s for c, s in zip(coordinates, shift, strict=True))) for shift in images(on))
    return np.max(np.broadcast_arrays(*everywhere), axis=0)


def profile(distance):
    return 0.5 * (1 + np.tanh(distance / WIDTH))


# boxes


def box_distance(low, high):
    def distance(*point):
        out = [np.maximum(np.maximum(a - p, p - b), 0.0) for p, a, b in zip(point, low, high, strict=True)]
        depth = np.min(
            np.broadcast_arrays(*(np.minimum(p - a, b - p) for p, a, b in zip(point, low, high, strict=True))), 0
        )
        return np.where(depth > 0, depth, -np.sqrt(sum(o**2 for o in out)))

    return distance


@pytest.mark.parametrize("on", [PLANE, WALLS, SPACE, grid((16,), (2.0,))], ids=["plane", "walls", "space", "line"])
def test_box_profile(on):
    low, high = [-0.4, 0.6, 0.3][: on.dimensions], [0.5, 1.2, 0.55][: on.dimensions]
    expected = profile(largest_over_images(box_distance(low, high), on))
    result = values({"box": {"from": low, "to": high}}, on=on, interface_width=WIDTH)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)
    middle = {"centre": [0.5 * (a + b) for a, b in zip(low, high, strict=True)]}
    size = {"size": [b - a for a, b in zip(low, high, strict=True)]}
    same = values({"box": {**middle, **size}}, on=on, interface_width=WIDTH)
    np.testing.assert_allclose(same, expected, rtol=1e-12, atol=1e-14)


def test_box_over_a_whole_period_is_a_stripe():
    box = values({"box": {"from": [0.5, 0.0], "to": [1.5, 3.0]}}, interface_width=WIDTH)
    stripe = values({"stripe": {"axis": "x", "centre": 1.0, "width": 1.0}}, interface_width=WIDTH)
    np.testing.assert_allclose(box, stripe, rtol=1e-13)
    with pytest.raises(InputError, match=r"initial\.phi\.shapes\.0\.box: leaves nothing outside"):
        values({"box": {"from": [0, 0], "to": [4, 3]}})
    assert (values({"box": {"from": [0, 0], "to": [4, 3]}}, on=WALLS) == 1.0).all()


def test_edges_do_not_depend_on_rounding():
    """Centres on the edge get the mean, also where 0.35 is not a multiple of 0.1 in binary."""
    result = values({"box": {"from": [0.35, 0.25], "to": [1.45, 2.15]}})
    assert (result[2:22, [3, 14]] == 0.5).all()
    assert (result[[2, 21], 3:15] == 0.5).all()
    assert (result[3:21, 4:14] == 1.0).all()
    assert result.sum() == 18 * 10 + (2 * 20 + 2 * 10) / 2


# ellipses


@pytest.mark.parametrize(("radii", "angle"), [((1.2, 0.4), 30.0), ((0.3, 0.9), 110.0), ((1.5, 1.4999), 0.0)])
def test_ellipse_profile(radii, angle):
    """Against the nearest of many points of the curve: s apart, that is s²/8d too far at the distance d."""
    turn = np.linspace(0, 2 * np.pi, 100_001)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, across = radii[0] * np.cos(turn), radii[1] * np.sin(turn)
    curve = np.array([c * along - s * across, s * along + c * across])

    def distance(x, y):
        points = np.array(np.broadcast_arrays(x - 3.8, y - 0.2))
        nearest = np.array([np.hypot(*(curve - p[:, None])).min() for p in points.reshape(2, -1).T])
        inside = ((c * points[0] + s * points[1]) / radii[0]) ** 2 + (
            (c * points[1] - s * points[0]) / radii[1]
        ) ** 2 < 1
        return np.where(inside, 1, -1) * nearest.reshape(points.shape[1:])

    coarse = grid((10, 9), (4.0, 3.0))
    shifts = product((-4.0, 0.0, 4.0), (-3.0, 0.0, 3.0))
    x, y = coarse.coordinates()["x"], coarse.coordinates()["y"]
    expected = profile(np.max([distance(x - a, y - b) for a, b in shifts], axis=0))
    body = {"ellipse": {"centre": [3.8, 0.2], "radii": radii, "angle": angle}}
    np.testing.assert_allclose(values(body, on=coarse, interface_width=WIDTH), expected, rtol=0, atol=1e-6)


def test_ellipses_of_equal_radii_are_discs_and_spheres():
    for on, round_, long in ((PLANE, "disc", "ellipse"), (SPACE, "sphere", "ellipsoid")):
        centre = [0.3, 1.4, 0.1][: on.dimensions]
        one = values({round_: {"centre": centre, "radius": 0.5}}, on=on, interface_width=WIDTH)
        two = values(
            {long: {"centre": centre, "radii": [0.5] * on.dimensions, "angle": 20}}, on=on, interface_width=WIDTH
        )
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("radii", [(1.0, 0.5, 0.25), (0.5, 0.5, 2.0), (1.0, 1.0, 0.1), (3.0, 2.0, 1.0)], ids=str)
def test_distance_to_an_ellipsoid(radii):
    """Against a minimiser, and on the axes and planes of symmetry, where Newton's equation degenerates."""
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal(size=(20, 3)), rng.normal(size=(9, 3)) * rng.integers(0, 2, (9, 3)), np.zeros((1, 3))]
    )
    found = ellipsoid_distance(radii, points.T)

    def surface(angles):
        (a, b), r = angles, np.array(radii)
        return r * np.array([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)])

    lattice = np.array(list(product(np.linspace(-np.pi, np.pi, 81), np.linspace(-1.5, 1.5, 41))))
    samples = np.array([surface(angles) for angles in lattice])
    for point, distance in zip(points, found, strict=True):
        start = lattice[np.argmin(((samples - point) ** 2).sum(axis=1))]
        gap = optimize.minimize(lambda t, p: ((surface(t) - p) ** 2).sum(), start, args=(point,), tol=1e-14).fun
        sign = 1 if ((point / np.array(radii)) ** 2).sum() < 1 else -1
        assert distance == pytest.approx(sign * np.sqrt(gap), abs=1e-6)


# polygons

STAR = [[0.42, 0.31], [1.93, 0.52], [3.31, 0.24], [2.23, 1.42], [2.61, 2.73], [1.51, 1.74], [0.22, 2.21]]


def test_polygon_profile():
    on = grid((20, 15), (4.0, 3.0), "no_flux")
    result = values({"polygon": {"points": STAR}}, on=on, interface_width=WIDTH)
    x, y = (np.broadcast_to(c, on.shape) for c in on.coordinates().values())
    ring = np.array([*STAR, STAR[0]])
    edges = np.concatenate([np.linspace(a, b, 20_001) for a, b in pairwise(ring)])
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    nearest = np.array([np.hypot(*(edges - p).T).min() for p in centres]).reshape(on.shape)
    inside = Outline(ring).contains_points(centres).reshape(on.shape)
    np.testing.assert_allclose(result, profile(np.where(inside, nearest, -nearest)), rtol=0, atol=1e-5)
    assert (cells("polygon", on, points=STAR) == inside).all()


def test_a_rectangle_is_a_box_in_any_order_and_across_edges():
    corners = [[3.5, 2.5], [4.6, 2.5], [4.6, 3.4], [3.5, 3.4]]
    box = values({"box": {"from": corners[0], "to": corners[2]}}, interface_width=WIDTH)
    for points in (corners, corners[::-1], corners[2:] + corners[:2], [[x - 4.0, y] for x, y in corners]):
        np.testing.assert_allclose(
            values({"polygon": {"points": points}}, interface_width=WIDTH), box, rtol=1e-12, atol=1e-14
        )


def test_a_polygon_that_crosses_itself_counts_even_and_odd():
    """A pentagram: the pentagon in its middle is enclosed twice."""
    turn = np.radians(90 + 144 * np.arange(5))
    points = (np.stack([2 + np.cos(turn), 1.5 + np.sin(turn)], axis=1)).tolist()
    result = cells("polygon", WALLS, points=points)
    assert not result[15, 20]
    assert result[22, 19]
    inner = 0.5 * (3 - np.sqrt(5))  # radius of the pentagon inside, for corners on a unit circle
    star, pentagon = 5 * inner * np.sin(np.pi / 5), 2.5 * inner**2 * np.sin(0.4 * np.pi)
    assert 0.01 * result.sum() == pytest.approx(star - pentagon, abs=0.02)


# slits


def expected_row(y, spacing):
    """Number of the row that a line lies in, on a face the one above."""
    return int(np.floor(y / spacing + 1e-6))


@pytest.mark.parametrize("boundary", ["periodic", "no_flux"])
def test_a_slit_along_an_axis_is_one_row_of_cells_wherever_it_lies(boundary):
    on = grid((40, 30), (4.0, 3.0), boundary)
    rng = np.random.default_rng(1)
    heights = [*rng.uniform(0, 3, 20), *(0.1 * rng.integers(0, 30, 10)), *(0.05 + 0.1 * rng.integers(0, 30, 5))]
    for y in heights:
        expected = np.zeros(on.shape, bool)
        expected[expected_row(y, 0.1), 5:20] = True
        for start, end in (([0.5, y], [2.0, y]), ([2.0, y], [0.5, y])):
            assert (cells("slit", on, **{"from": start, "to": end}) == expected).all(), y
        turned = grid((30, 40), (3.0, 4.0), boundary)
        assert (cells("slit", turned, **{"from": [y, 0.5], "to": [y, 2.0]}) == expected.T).all(), y


def test_a_slit_through_an_edge_of_the_box():
    for y in (0.0, 3.0, 6.0):
        result = cells("slit", **{"from": [3.5, y], "to": [4.5, y]})
        expected = np.zeros(PLANE.shape, bool)
        expected[0, [0, 1, 2, 3, 4, 35, 36, 37, 38, 39]] = True
        assert (result == expected).all()


def test_ends_on_centres_belong_to_a_slit():
    assert cells("slit", **{"from": [0.35, 1.0], "to": [0.75, 1.0]}).sum() == 5
    assert cells("slit", **{"from": [0.36, 1.0], "to": [0.74, 1.0]}).sum() == 3


SIDES = ndimage.generate_binary_structure(2, 1)
CORNERS = ndimage.generate_binary_structure(2, 2)


def crossing(angle, point, length=6.0):
    e = 0.5 * length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return {"from": (np.array(point) - e).tolist(), "to": (np.array(point) + e).tolist()}


@pytest.mark.parametrize("sizes", [((30, 30), (3.0, 3.0)), ((45, 30), (3.0, 3.0))], ids=["square", "flat_cells"])
def test_an_inclined_slit_separates_by_the_thinnest_chain(sizes):
    on = grid(*sizes, "no_flux")
    rng = np.random.default_rng(2)
    angles = [*rng.uniform(0, 180, 40), 0, 30, 45, 45, 60, 90, 135, 179.9]
    for number, angle in enumerate(angles):
        point = rng.uniform(1.2, 1.8, 2) if number % 2 else [1.5, 1.5]
        slit = cells("slit", on, **crossing(angle, point))
        assert ndimage.label(slit, SIDES)[1] == 1, angle
        assert ndimage.label(~slit, CORNERS)[1] == 2, angle
        # Thinnest: every cell that is not at the rim of the box touches both sides, by an edge or a corner.
        sides, _ = ndimage.label(~slit, CORNERS)
        near = [ndimage.binary_dilation(sides == side, CORNERS) for side in (1, 2)]
        assert (near[0] & near[1])[1:-1, 1:-1][slit[1:-1, 1:-1]].all(), angle
        assert (
            slit == cells("slit", on, **dict(zip(("to", "from"), crossing(angle, point).values(), strict=True)))
        ).all()


def test_a_slit_transmits_nothing_and_a_chain_of_corners_does():
    """The numbers of docs/theory/fracture.md at 30°: cells that are empty, and cells with φ = 1 in the damage they cause."""
    n = 64
    on = grid((n, n), (1.0, 1.0), "no_flux")
    pulled = FaceConditions.of({"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 0.01}}}}, on)
    elasticity = BoundedElasticity(on, (121.15, 80.77), pulled)
    whole = elasticity.solve(1.0).energy
    cracks = CrackEnergy(on, toughness=1.0, ell=4 / n, dissipation="AT2")
    length = 1.0 / np.cos(np.radians(30))

    def left(chosen, eta):
        """Stiffness that is left with empty cells, with φ = 1 there, and the energy of the damage per length."""
        broken = chosen.astype(float)
        phi = DamageSolver(cracks).solve(broken, broken, np.zeros(on.shape), 1e-10).phi
        factor = (1 - eta) * (1 - phi) ** 2 + eta
        energies = [elasticity.solve(g, tolerance=1e-8).energy / whole for g in (1.0 - broken, factor)]
        return *energies, cracks.energy(phi) / length

    slit = cells("slit", on, **crossing(30, [0.5, 0.503], 1.9))
    empty, damaged, energy = left(slit, 1e-9)
    assert empty < 1e-12
    assert damaged < 1e-7
    assert energy == pytest.approx(1.082, abs=1e-3)
    x, y = on.coordinates()["x"], on.coordinates()["y"]
    across = (y - 0.503) - np.tan(np.pi / 6) * (x - 0.5)
    chain = np.abs(across) <= 0.5 / n  # one cell per column, connected by corners
    assert (chain.sum(axis=0) == 1).all()
    empty, damaged, _ = left(chain, 1e-9)
    assert empty == pytest.approx(0.895, abs=1e-2)
    assert damaged == pytest.approx(0.132, abs=1e-2)
    elasticity.close()


def test_a_slit_with_a_thickness_is_a_rectangle():
    slit = {"from": [3.2, 2.4], "to": [4.4, 3.3], "thickness": 0.25}
    corners = np.array([3.2, 2.4]), np.array([4.4, 3.3])
    side = 0.125 * np.array([-0.9, 1.2]) / 1.5
    points = [corners[0] - side, corners[1] - side, corners[1] + side, corners[0] + side]
    polygon = {"points": [p.tolist() for p in points]}
    for options in ({"interface_width": WIDTH}, {}):
        one, two = values({"slit": slit}, **options), values({"polygon": polygon}, **options)
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)


def test_edges_of_a_thick_slit_are_broken():
    """Its faces lie on the centres of two rows: both have the whole value, and so have the ends."""
    result = values({"slit": {"from": [0.45, 1.5], "to": [1.25, 1.5], "thickness": 0.1}})
    expected = np.zeros(PLANE.shape)
    expected[14:16, 4:13] = 1.0
    assert (result == expected).all()


def test_a_long_slit_winds_around_a_periodic_box():
    """Slope 3/4 over two periods of x: the points of the line, cell by cell, are all on it."""
    slit = cells("slit", **{"from": [0.03, 0.02], "to": [8.03, 6.02]})
    along = np.linspace(0.01, 0.99, 5000)
    i, j = ((0.03 + 8 * along) / 0.1).astype(int) % 40, ((0.02 + 6 * along) / 0.1).astype(int) % 30
    assert slit[j, i].mean() > 0.99  # points near a corner of their cell may lie in one just beyond the chain
    assert slit.sum() == 70  # the second time round it is the same line: 40 columns and 30 rows, one step each


# pennies

FACES = ndimage.generate_binary_structure(3, 1)
ALL = ndimage.generate_binary_structure(3, 3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_penny_across_an_axis_is_one_layer(axis):
    normal = np.eye(3)[axis]
    rng = np.random.default_rng(3)
    for place in [*rng.uniform(0, 1.2, 6), 0.0, 0.3, 0.35]:
        centre = np.array([1.0, 0.8, 0.6])
        centre[axis] = place
        others = [c for k, c in enumerate(SPACE.coordinates().values()) if k != axis]
        flat = sum((c - p) ** 2 for c, p in zip(others, np.delete(centre, axis), strict=True)) <= 0.42**2
        layer = SPACE.coordinates()["xyz"[axis]]
        chosen = layer == layer.ravel()[expected_row(place, 0.1)]
        for sign in (2.0, -1.0):
            penny = cells("penny", SPACE, centre=centre.tolist(), normal=(sign * normal).tolist(), radius=0.42)
            assert (penny == (flat & chosen)).all(), place


def test_an_inclined_penny_separates():
    on = grid((20, 16, 12), (2.0, 1.6, 1.2), "no_flux")
    rng = np.random.default_rng(4)
    for _ in range(10):
        normal = rng.normal(size=3)
        penny = cells("penny", on, centre=[1.0, 0.8, 0.6], normal=normal.tolist(), radius=3.0)
        assert ndimage.label(penny, FACES)[1] == 1
        assert ndimage.label(~penny, ALL)[1] == 2
        small = cells("penny", on, centre=[1.0, 0.8, 0.6], normal=normal.tolist(), radius=0.4)
        assert (small <= penny).all()
        assert ndimage.label(small, FACES)[1] == 1
        # Area of the disc as that of the cells seen along the steepest axis.
        steepest = int(np.argmax(np.abs(normal)))
        seen = small.any(axis=2 - steepest).sum() * 0.01
        area = np.pi * 0.4**2 * np.abs(normal[steepest]) / np.linalg.norm(normal)
        assert seen == pytest.approx(area, rel=0.2)


def test_a_penny_with_a_thickness():
    """Against the distance to a flat cylinder, across the edges of the box."""
    n = np.array([1.0, 2.0, 2.0]) / 3.0

    def distance(x, y, z):
        p = np.array(np.broadcast_arrays(x - 1.9, y - 0.1, z - 0.6))
        across = np.tensordot(n, p, 1)
        rim = np.sqrt((p**2).sum(axis=0) - across**2) - 0.45
        face = np.abs(across) - 0.1
        return -np.where(
            np.maximum(rim, face) > 0, np.hypot(np.maximum(rim, 0), np.maximum(face, 0)), np.maximum(rim, face)
        )

    body = {"centre": [1.9, 0.1, 0.6], "normal": [1, 2, 2], "radius": 0.45, "thickness": 0.2}
    d = largest_over_images(distance, SPACE)
    np.testing.assert_allclose(
        values({"penny": body}, on=SPACE, interface_width=WIDTH), profile(d), rtol=1e-10, atol=1e-12
    )
    assert (cells("penny", SPACE, **body) == (d >= -1e-10)).all()


def test_cracks_keep_their_value_among_other_bodies():
    """A sharp crack beside diffuse bodies is 1 exactly."""
    bodies = [
        {"disc": {"centre": [1.0, 1.0], "radius": 0.4}},
        {"slit": {"from": [0.5, 1.0], "to": [3.0, 2.0], "interface_width": 0}},
    ]
    result = values(*bodies, interface_width=WIDTH)
    assert (result[cells("slit", **{"from": [0.5, 1.0], "to": [3.0, 2.0]})] == 1.0).all()


# mistakes


@pytest.mark.parametrize(
    ("body", "on", "message"),
    [
        ({"box": {"from": [0.1], "to": [0.2]}}, PLANE, r"0\.box: has 1 coordinates, the grid 2 dimensions"),
        ({"ellipse": {"centre": [0, 0], "radii": [1, 1]}}, SPACE, r"0\.ellipse: needs a 2-dim.*\(use ellipsoid\)"),
        ({"ellipsoid": {"centre": [0] * 3, "radii": [1] * 3}}, PLANE, r"0\.ellipsoid: needs a 3-dim.*\(use ellipse\)"),
        ({"polygon": {"points": STAR}}, SPACE, r"0\.polygon: needs a 2-dim.*\(use box\)"),
        ({"slit": {"from": [0, 0], "to": [1, 1]}}, SPACE, r"0\.slit: needs a 2-dim.*\(use penny or box\)"),
        ({"penny": {"centre": [0] * 3, "normal": [0, 0, 1], "radius": 1}}, PLANE, r"0\.penny: needs a 3-dim"),
        ({"slit": {"from": [0.5, 3.0], "to": [1.5, 3.0]}}, WALLS, r"0\.slit: covers no cell"),
        ({"slit": {"from": [0.51, 1.0], "to": [0.54, 1.0]}}, PLANE, r"0\.slit: covers no cell"),
        (
            {"slit": {"from": [0.5, 1], "to": [1, 1], "interface_width": 1}},
            PLANE,
            r"0\.slit: is sharp without a thickness",
        ),
        ({"slit": {"from": [0, 0], "to": [100, 0]}}, PLANE, r"0\.slit: is longer than 8 periods of the axis x"),
    ],
    ids=str,
)
def test_bodies_that_do_not_fit_the_grid(body, on, message):
    with pytest.raises(InputError, match=rf"^initial\.phi\.shapes\.{message}"):
        values(body, on=on)


@pytest.mark.parametrize(
    ("kind", "options", "loc", "message"),
    [
        ("box", {"from": [0, 0]}, (), "needs from and to, or centre and size (got from)"),
        ("box", {"from": [0, 0], "to": [1, 1], "size": [1, 1]}, (), "got from and to and size"),
        ("box", {"from": [0, 0], "to": [1]}, (), "from and to have different numbers of coordinates"),
        ("box", {"from": [0, 1], "to": [1, 1]}, (), "every coordinate of to must be greater"),
        ("ellipse", {"centre": [0, 0], "radii": [1, 0]}, ("radii", 1), "greater than 0"),
        ("polygon", {"points": [[0, 0], [1, 1]]}, ("points",), "at least 3 entries (got 2)"),
        ("polygon", {"points": [[0, 0], [1, 1], [2, 2]]}, (), "lie on one line"),
        ("polygon", {"points": [[0, 0], [1, 1], [2]]}, ("points", 2), "at least 2"),
        ("slit", {"from": [0, 0], "to": [0, 0]}, (), "the same point"),
        ("slit", {"to": [0, 0]}, ("from",), "required"),
        ("slit", {"from": [0, 0], "to": [1, 0], "thickness": 0}, ("thickness",), "greater than 0"),
        ("penny", {"centre": [0] * 3, "normal": [0] * 3, "radius": 1}, (), "normal is zero"),
    ],
    ids=str,
)
def test_mistakes_in_bodies(kind, options, loc, message):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(InitialField).validate_python({"shapes": [{kind: options}]})
    (error,) = caught.value.errors()
    assert error["loc"] == ("shapes", 0, kind, *loc)
    assert message in error["msg"]


def test_every_kind_has_descriptions():
    schema = Body.model_json_schema()
    kinds = schema["$defs"]
    assert len(kinds) == len(Body.model_fields) == 10
    for kind in kinds.values():
        assert all(entry.get("description") for entry in kind["properties"].values())
