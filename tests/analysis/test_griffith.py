"""The Griffith curve: strips and edge cracks in closed form, the notched square of the literature, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.analysis.griffith import GriffithCurve, edge_crack, griffith_curve, sent_specimen
from phasefield.errors import InputError
from phasefield.mechanics.bounded import BoundedElasticity
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR = 0.3 / (1.3 * 0.4), 0.5 / 1.3  # E = 1, ν = 0.3
STRETCHED = 1.0 / (1.0 - 0.3**2)


@pytest.mark.parametrize("width", [None, 0.5])
def test_a_clamped_strip_is_neutral(width):
    """u given on both edges of a strip of height H: G = ½ M u²/H for any a, M = λ + 2μ; u_c = √(2 Gc H/M).

    In the plane, and in space between two faces that slide.
    """
    n, height, toughness = 32, 1.0, 1e-4
    axes = [Axis("x", 8 * n, 8 * height), Axis("y", n, height)]
    setting = {"y": {"low": "clamped", "high": {"displacement": {"x": 0.0, "y": 1.0}}}, "x": {"high": "sliding"}}
    if width is not None:
        axes.append(Axis("z", 1, width))
        setting["y"]["high"] = {"displacement": {"x": 0.0, "y": 1.0, "z": 0.0}}
        setting["z"] = "sliding"
    grid = Grid(tuple(axes))
    body = BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of(setting, grid))
    lengths = np.arange(4 * n - 4, 4 * n + 5, 2) / n
    curve = griffith_curve(body, edge_crack(grid), lengths, toughness, width=width or 1.0)
    modulus = LAME + 2.0 * SHEAR
    np.testing.assert_allclose(curve.release, 0.5 * modulus / height, rtol=1e-6)
    np.testing.assert_allclose(curve.load, np.sqrt(2.0 * toughness * height / modulus), rtol=1e-6)
    np.testing.assert_allclose(curve.reaction, 2.0 * curve.energy * curve.load, rtol=1e-14)
    # The reaction is the force of the face.
    one = body.solve(edge_crack(grid)(lengths[2]), load=curve.load[2])
    assert one.reactions["y.high"][1] == pytest.approx(curve.reaction[2], rel=1e-6)


def test_an_edge_crack_under_tractions():
    """G = K²/E′ at a + 0.1 h, K = σ √(2W tan β) (0.752 + 2.02 α + 0.37 (1 − sin β)³)/cos β, α = a/W, β = πα/2, good to 0.5 %.

    H. Tada, P. C. Paris, G. R. Irwin, The Stress Analysis of Cracks Handbook. The load is a traction: the potential falls.
    """
    n = 64
    grid = Grid((Axis("x", n, 1.0), Axis("y", 3 * n, 3.0)))
    setting = {"y": {"low": {"traction": {"y": -1.0}}, "high": {"traction": {"y": 1.0}}}}
    held = np.zeros((2, 3 * n + 1, n + 1), bool)
    held[:, 3 * n // 2, -1] = held[0, n // 2, -1] = True  # no motion as a whole; they carry nothing
    body = BoundedElasticity(grid, (LAME, SHEAR), FaceConditions.of(setting, grid), held=held)
    lengths = np.arange(14, 34) / n
    curve = griffith_curve(body, edge_crack(grid), lengths, toughness=2.0)
    a = lengths + 0.1 / n
    beta = 0.5 * np.pi * a
    K = np.sqrt(2.0 * np.tan(beta)) * (0.752 + 2.02 * a + 0.37 * (1.0 - np.sin(beta)) ** 3) / np.cos(beta)
    np.testing.assert_allclose(curve.release[1:-1], (K**2 / STRETCHED)[1:-1], rtol=0.01)
    np.testing.assert_allclose(curve.load, np.sqrt(2.0 / curve.release), rtol=1e-14)
    assert np.all(np.diff(curve.load) < 0.0)


def sent(cells: int, step: int, last: float, residual: float) -> GriffithCurve:
    """Gc = 2.7e-3 kN/mm, from 0.5 mm (and two lengths before) on."""
    body = sent_specimen(cells)
    lengths = np.arange(cells // 2 - 2 * step, int(last * cells) + 1, step) / cells
    return griffith_curve(body, edge_crack(body.grid, residual=residual), lengths, 2.7e-3)


def check_sent(curve: GriffithCurve) -> None:
    """u_c = 4.56 µm and 0.644 kN at 0.5 mm, 4.72 µm at about 0.86 mm, less beyond."""
    assert curve.lengths[2] == 0.5
    assert 1e3 * curve.load[2] == pytest.approx(4.56, abs=0.02)
    assert curve.reaction[2] == pytest.approx(0.644, abs=1e-3)
    top = int(np.argmax(curve.load))
    assert 1e3 * curve.load[top] == pytest.approx(4.72, abs=0.005)
    assert curve.lengths[top] == pytest.approx(0.86, abs=0.02)
    assert np.all(np.diff(curve.load[: top + 1]) > 0.0)
    assert np.all(np.diff(curve.load[top + 1 :]) < 0.0)
    assert np.all(np.diff(curve.reaction) < 0.0)


def test_single_edge_notch_tension_coarse():
    """Steps of two cells: of four, the largest load is 0.1 % too low."""
    curve = sent(128, 2, 0.94, residual=1e-9)
    check_sent(curve)
    assert 2.0 * curve.energy[2] == pytest.approx(141.254, rel=1e-5)
    # Empty cells, and another step: neither matters here.
    other = sent(128, 4, 0.57, residual=0.0)
    assert other.load[2] == pytest.approx(curve.load[2], rel=2e-4)


@pytest.mark.slow
def test_single_edge_notch_tension():
    """4.5567 µm and 0.64408 kN at 0.5 mm, 4.7219 µm at 0.867 mm (benchmarks/results/elastic_checks.json)."""
    curve = sent(256, 2, 0.94, residual=0.0)
    check_sent(curve)
    assert 1e3 * curve.load[2] == pytest.approx(4.5567, rel=1e-4)
    assert curve.reaction[2] == pytest.approx(0.64408, rel=1e-4)


def test_a_crack_that_releases_nothing_never_grows():
    """No load suffices for a body that becomes stiffer."""
    body = sent_specimen(16)
    factor = np.ones(body.grid.shape)
    curve = griffith_curve(body, [factor, 1.01 * factor, 1.02 * factor], [0.25, 0.5, 0.75], 1.0)
    assert np.isinf(curve.load).all()
    assert np.all(curve.release <= 0.0)


def test_bad_input_is_refused():
    body = sent_specimen(8)
    crack = edge_crack(body.grid)
    for lengths in ([0.25, 0.5], [0.25, 0.5, 0.5], [[0.25, 0.5, 0.75]], [0.25, 0.5, np.nan]):
        with pytest.raises(InputError, match="at least three lengths, increasing"):
            griffith_curve(body, crack, lengths, 1.0)
    for toughness, width in ((0.0, 1.0), (1.0, -1.0), (np.nan, 1.0)):
        with pytest.raises(InputError, match="toughness and width must be positive"):
            griffith_curve(body, crack, [0.25, 0.5, 0.75], toughness, width=width)
    with pytest.raises(InputError, match="2 arrays for 3 lengths"):
        griffith_curve(body, [crack(0.25)] * 2, [0.25, 0.5, 0.75], 1.0)
    for length in (0.3, -0.125, 1.125):
        with pytest.raises(InputError, match=r"whole number of cells of 0.125, 0 to 8"):
            crack(length)
