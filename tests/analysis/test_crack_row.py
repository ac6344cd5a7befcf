"""Rows of cracks that were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phasefield.analysis.crack_row import crack_spacing
from phasefield.errors import InputError
from phasefield.spectral.grid import Axis, Grid


def row_of(places: list[float], depths: list[float], boundary: str = "periodic") -> tuple[np.ndarray, Grid]:
    """AT1 profiles of ℓ = 1 on lines along y, from y = 0 to their depths; 100 × 20, cells of ¼."""
    grid = Grid((Axis("x", 400, 100.0, boundary), Axis("y", 80, 20.0, "no_flux")))  # type: ignore[arg-type]
    x, y = grid.coordinates()["x"], grid.coordinates()["y"]
    phi = np.zeros(grid.shape)
    for place, depth in zip(places, depths, strict=True):
        away = np.abs(x - place)
        away = np.minimum(away, 100.0 - away) if boundary == "periodic" else away
        phi = np.maximum(phi, np.where(y < depth, np.maximum(1.0 - 0.5 * away, 0.0) ** 2, 0.0))
    return phi, grid


def test_a_row_that_halves():
    """Ten cracks, every second of which stops."""
    places = [5.0 + 10.0 * n for n in range(10)]
    phi, grid = row_of(places, [12.0, 5.0] * 5)
    shallow, deep, none = (crack_spacing(phi, grid, "y.low", depth) for depth in (1.0, 8.0, 15.0))
    assert (shallow.number, shallow.spacing, shallow.wavelength) == (10, 10.0, 10.0)
    np.testing.assert_allclose(shallow.positions, places)
    assert (deep.number, deep.spacing, deep.wavelength) == (5, 20.0, 20.0)
    assert none.number == 0
    assert math.isnan(none.spacing)
    assert math.isnan(none.wavelength)


@pytest.mark.parametrize("face", ["y.low", "y.high", "x.low", "x.high"])
def test_faces(face):
    phi, grid = row_of([20.0, 50.0, 65.0], [10.0, 10.0, 4.0])
    if face.endswith("high"):
        phi = np.ascontiguousarray(phi[::-1])
    if face.startswith("x"):
        phi = np.ascontiguousarray(phi.T)
        grid = Grid((Axis("x", 80, 20.0, "no_flux"), Axis("y", 400, 100.0, "periodic")))
    assert crack_spacing(phi, grid, face, 2.0).number == 3
    assert crack_spacing(phi, grid, face, 7.0).positions == pytest.approx((20.0, 50.0))


def test_crack_across_the_end_of_a_periodic_axis_is_one():
    phi, grid = row_of([0.0, 50.0], [9.0, 9.0])
    row = crack_spacing(phi, grid, "y.low", 3.0)
    assert row.number == 2
    assert row.positions == pytest.approx((0.0, 50.0))


def test_between_faces_the_spacing_is_that_of_neighbours():
    phi, grid = row_of([10.0, 30.0, 50.0, 70.0, 90.0], [9.0] * 5, "no_flux")
    row = crack_spacing(phi, grid, "y.low", 3.0)
    assert (row.number, row.spacing, row.wavelength) == (5, 20.0, 20.0)
    phi, grid = row_of([0.0, 40.0], [9.0] * 2, "no_flux")
    row = crack_spacing(phi, grid, "y.low", 3.0)
    assert row.spacing == pytest.approx(40.0, abs=0.3)  # of a crack in a face half is seen
    assert crack_spacing(*row_of([40.0], [9.0], "no_flux"), "y.low", 3.0).number == 1


def test_wavelength_of_damage_that_is_no_crack_yet():
    grid = Grid((Axis("x", 120, 60.0, "periodic"), Axis("y", 8, 4.0, "no_flux")))
    phi = 0.3 + 0.05 * np.cos(2.0 * np.pi * 15 * grid.coordinates()["x"] / 60.0) + 0.0 * grid.coordinates()["y"]
    row = crack_spacing(phi, grid, "y.low", 0.0)
    assert row.number == 0
    assert row.wavelength == pytest.approx(4.0)
    assert crack_spacing(phi, grid, "y.low", 0.0, threshold=0.3).number == 15


def test_depths_between_rows_are_interpolated():
    grid = Grid((Axis("x", 8, 8.0, "periodic"), Axis("y", 4, 4.0, "no_flux")))
    phi = np.zeros(grid.shape)
    phi[:2, 3] = 1.0
    numbers = [crack_spacing(phi, grid, "y.low", depth).number for depth in (0.0, 1.5, 1.9, 2.1, 4.0)]
    assert numbers == [1, 1, 1, 0, 0]
    assert crack_spacing(np.ones(grid.shape), grid, "y.low", 1.0).number == 1


def test_bad_input():
    phi, grid = row_of([20.0], [10.0])
    with pytest.raises(InputError, match=r"did you mean 'y\.low'"):
        crack_spacing(phi, grid, "y.lo", 1.0)
    with pytest.raises(InputError, match="between 0 and 20"):
        crack_spacing(phi, grid, "y.low", 21.0)
    with pytest.raises(InputError, match="shape"):
        crack_spacing(phi.T, grid, "y.low", 1.0)
    line = Grid((Axis("x", 8, 8.0, "periodic"),))
    with pytest.raises(InputError, match="1 axes"):
        crack_spacing(np.zeros(8), line, "x.low", 1.0)
