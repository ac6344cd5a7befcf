"""Particles: counts and sizes of regions that are known."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.output.particles import particles
from phasefield.spectral.grid import Axis, Grid


def grid(*cells: int, boundary: str = "periodic") -> Grid:
    """Unequal cell sizes: 0.5, 0.25, 2."""
    axes = zip("xyz", cells, (0.5, 0.25, 2.0), strict=False)
    return Grid(tuple(Axis(name, n, n * h, boundary) for name, n, h in axes))


def test_two_blocks_and_their_areas():
    u = np.zeros((12, 16))
    u[2:4, 3:6] = 1.0
    u[8:11, 10:12] = 0.7
    found = particles(u, grid(16, 12))
    assert found.count == 2
    np.testing.assert_allclose(np.sort(found.sizes), [6 * 0.125, 6 * 0.125])
    assert found.fraction == 12 / 192
    assert len({found.labels[2, 3], found.labels[9, 10], found.labels[0, 0]}) == 3
    assert particles(u, grid(16, 12), threshold=0.8).count == 1


def test_a_corner_is_no_connection():
    u = np.zeros((8, 8))
    u[2, 2] = u[3, 3] = 1.0
    assert particles(u, grid(8, 8)).count == 2


@pytest.mark.parametrize("cells", [(16,), (16, 12), (8, 10, 12)])
def test_shifts_of_a_periodic_field_change_nothing(cells):
    box = grid(*cells)
    u = np.random.default_rng(3).random(box.shape)
    expected = particles(u, box, 0.55)
    for shift in (1, 3, 7):
        moved = particles(np.roll(u, [shift] * u.ndim, range(u.ndim)), box, 0.55)
        assert moved.count == expected.count
        np.testing.assert_allclose(np.sort(moved.sizes), np.sort(expected.sizes))


def test_a_particle_on_all_four_corners_is_one_only_where_axes_are_periodic():
    u = np.zeros((10, 14))
    u[np.ix_([0, 1, -1], [0, 1, -2, -1])] = 1.0
    wrapped = particles(u, grid(14, 10))
    assert wrapped.count == 1
    np.testing.assert_allclose(wrapped.sizes, [12 * 0.125])
    apart = particles(u, grid(14, 10, boundary="no_flux"))
    assert apart.count == 4
    mixed = Grid((Axis("x", 14, 7.0, "no_flux"), Axis("y", 10, 2.5)))
    assert particles(u, mixed).count == 2


def test_nothing_and_everything():
    box = grid(8, 6)
    empty, full = particles(np.zeros(box.shape), box), particles(np.ones(box.shape), box)
    assert (empty.count, empty.fraction, empty.sizes.size) == (0, 0.0, 0)
    assert (full.count, full.fraction) == (1, 1.0)
    np.testing.assert_allclose(full.sizes, [box.volume])


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        particles(np.zeros((4, 4)), grid(8, 6))
