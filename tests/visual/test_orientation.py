"""Directions of walls: histograms of angles, and pole figures."""

import numpy as np
import pytest
from figures import data_of, texts
from matplotlib.patches import Wedge

import phasefield as pf
from phasefield.mechanics.compatibility import compatible_normals
from phasefield.models.base import Variants
from phasefield.visual import pole_figure
from phasefield.visual.orientation import Spectrum, angle_shares, contrasts, plane_angles, structured_frame
from phasefield.visual.plot import figure_fields, figure_orientation


def variants(count, signed=False, well=1.0):
    fields = ("eta",) if count == 1 else tuple(f"eta_{p + 1}" for p in range(count))
    strains = np.array([np.diag(np.roll([2.0, -1.0, -1.0], p)) for p in range(count)])
    return Variants(fields, strains, lambda time: well, signed, "austenite")


def plane_wave(shape, lengths, numbers):
    """cos(k·x) with `numbers` waves along x, y[, z]."""
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    phase = sum(2 * np.pi * m * a for m, a in zip(reversed(numbers), np.meshgrid(*axes, indexing="ij"), strict=True))
    return np.cos(phase)


@pytest.mark.parametrize(
    ("shape", "lengths", "numbers"),
    [
        ((12, 16), (16.0, 12.0), (3, -2)),
        ((15, 16), (10.0, 12.0), (0, 2)),
        ((8, 9), (10.0, 12.0), (4, 0)),
        ((8, 12, 15), (7.0, 12.0, 9.0), (-2, 3, 1)),
        ((8, 12, 16), (7.0, 12.0, 9.0), (8, 0, 0)),
    ],
)
def test_a_wave_has_one_direction(shape, lengths, numbers):
    values = plane_wave(shape, lengths, numbers)
    spectrum = Spectrum({"a": values, "b": 0.5 * values + 3.0}, lengths)
    power = spectrum.power({"a": 1.0})
    assert power.sum() == pytest.approx(values.var())
    k = np.zeros(3)
    k[: len(numbers)] = np.array(numbers) / lengths
    alike = np.abs(np.abs(spectrum.directions @ (k / np.linalg.norm(k))) - 1.0) < 1e-6
    assert power[alike].sum() == pytest.approx(power.sum())
    assert spectrum.power({"a": 1.0, "b": -2.0}).sum() == pytest.approx(0.0, abs=1e-20)


def test_power_of_noise_is_its_variance():
    values = np.random.default_rng(1).normal(size=(9, 10, 8)).astype(np.float32)
    power = Spectrum({"a": values}, (1.0, 1.0, 1.0)).power({"a": 1.0})
    assert power.sum() == pytest.approx(values.var(), rel=1e-5)


def test_shares_of_angles():
    angles = np.array([0.0, 180.0, -1.0, 45.0, 225.0, 47.0, 100.0])
    n = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles)), np.zeros(7)], axis=1)
    centres, share = angle_shares(n, np.ones(7))
    assert dict(zip(centres[share > 0], 7 * share[share > 0], strict=True)) == {0.0: 3, 45.0: 3, 100.0: 1}
    assert share.sum() == pytest.approx(1.0)


def test_normals_within_the_plane():
    twin = compatible_normals(np.diag([1.0, -1.0, 0.0]), np.diag([-1.0, 1.0, 0.0]))[0]
    assert plane_angles(twin) == pytest.approx([45.0, 135.0])
    assert plane_angles(compatible_normals(np.diag([1.0, 0.0, -1.0]), np.diag([-1.0, 0.0, 1.0]))[0]) == []
    assert plane_angles(np.array([[1.0, -1e-17, 0.0], [-1.0, 0.0, 0.0]])) == [0.0]


def test_pairs_of_variants():
    (single,) = contrasts(variants(1, signed=True))
    assert single.name == "±η"
    assert len(single.normals) == 0  # 2, −1, −1: no eigenvalue of the difference is zero
    pairs = contrasts(variants(3))
    assert [p.name for p in pairs] == ["η₁ − η₂", "η₁ − η₃", "η₂ − η₃"]
    for pair in pairs:
        for normal in pair.normals:
            np.testing.assert_allclose(np.sort(np.abs(normal)), [0.0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)


def test_twins_lie_on_compatible_planes(martensite):
    figure = figure_orientation(martensite["twins"])
    (axes,) = figure.axes
    wedges = [p for p in axes.patches if isinstance(p, Wedge)]
    largest = max(wedges, key=lambda w: w.r)
    assert 0.5 * (largest.theta1 + largest.theta2) % 90.0 == pytest.approx(45.0)
    lines = [data_of(each) for each in axes.get_lines() if each.get_linestyle() == "--"]
    assert {round(np.degrees(np.arctan2(y[1], x[1]))) for x, y in lines} == {45, 135}
    assert "η₁ − η₂" in texts(figure)


def test_the_frame_shown_is_one_with_walls(martensite):
    run = martensite["cycle"]
    assert run.frame("eta").std() < 0.1
    index = structured_frame(run, ("eta",))
    assert run.frame("eta", index).std() > 0.5
    assert f"t = {run.times[index]:.4g}; normals of stress-free interfaces in red" in texts(figure_orientation(run))


def test_orientation_says_why_there_is_nothing_to_show(martensite, twins_scenario, tmp_path):
    assert "A line has one direction only." in texts(figure_orientation(martensite["line"]))
    scenario = {
        **twins_scenario,
        "initial": {"eta_1": {"mean": 0.1}, "eta_2": {"mean": 0.0}},
        "time": {"end": 0.1, "scheme": "imex1", "step": 0.1},
    }
    uniform = pf.run(scenario, output=tmp_path / "uniform", threads=1)
    assert "No walls to be seen: all fields are nearly constant." in texts(figure_orientation(uniform))
    part = {**scenario, "output": {"fields": {"names": ["eta_2"]}}}
    incomplete = pf.run(part, output=tmp_path / "part", threads=1)
    assert any("not all of their fields" in t for t in texts(figure_orientation(incomplete)))
    # The composite needs all of them too.
    assert [a.images[0].get_array().ndim for a in figure_fields(incomplete).axes if a.images] == [2, 2]


# -------------------------------------------------------- pole figures


def test_stereographic_projection_and_back():
    n = np.random.default_rng(2).normal(size=(50, 3))
    n[:, 2] = np.abs(n[:, 2])
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    x, y = np.array([pole_figure.to_plane(each) for each in n]).T
    assert np.hypot(x, y).max() <= 1.0
    np.testing.assert_allclose(pole_figure.from_plane(x, y), n, atol=1e-12)
    assert pole_figure.to_plane(np.array([0.0, 0.0, 1.0])) == (0.0, 0.0)


def test_density_is_a_multiple_of_the_uniform_one():
    rng = np.random.default_rng(3)
    n = rng.normal(size=(200_000, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    at = np.eye(3)
    np.testing.assert_allclose(pole_figure.density(at, n, np.ones(len(n))), 1.0, atol=0.1)
    # One direction: its integral over the sphere is that of the uniform distribution, and it falls to half at the blur.
    one = pole_figure.density(n, np.array([[0.6, 0.0, 0.8]]), np.ones(1))
    assert one.mean() == pytest.approx(1.0, rel=0.05)
    angle = np.radians(pole_figure.BLUR)
    tilted = np.array(
        [[0.6, 0.0, 0.8], [0.6 * np.cos(angle) + 0.8 * np.sin(angle), 0.0, 0.8 * np.cos(angle) - 0.6 * np.sin(angle)]]
    )
    top, half = pole_figure.density(tilted, np.array([[-0.6, 0.0, -0.8]]), np.ones(1))
    assert half == pytest.approx(0.5 * top, rel=1e-3)


def test_poles_are_marked_and_named(martensite):
    figure = figure_orientation(martensite["box"])
    shown = [a for a in figure.axes if a.images]
    assert 1 <= len(shown) <= 3
    assert any(t.startswith("$(") for t in texts(figure))
    assert pole_figure.indices(np.array([0.0, -1.0, 1.0]) / np.sqrt(2)) == r"$(0\bar{1}1)$"
    assert pole_figure.indices(np.array([1.0, 2.0, -3.0])) == r"$(12\bar{3})$"
    assert pole_figure.indices(np.array([1.0, 0.123, 0.0])) == ""
    flat = pole_figure.both_ends(np.array([1.0, -1.0, 0.0]))
    np.testing.assert_array_equal(flat, [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    np.testing.assert_array_equal(pole_figure.both_ends(np.array([0.0, 1.0, -1.0])), [[0.0, -1.0, 1.0]])
