"""Surfaces of one value of a field in space."""

import numpy as np
import pytest

from phasefield.visual import isosurface as module
from phasefield.visual.isosurface import isosurface, shades


def centres(cells, lengths):
    """z, y, x at the centres of cells."""
    lines = [(np.arange(n) + 0.5) * length / n for n, length in zip(cells, lengths, strict=True)]
    return np.meshgrid(*lines[::-1], indexing="ij")


def area(triangles):
    sides = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return 0.5 * np.linalg.norm(np.cross(*sides), axis=1).sum()


def unpaired_edges(triangles):
    """Edges that do not belong to an even number of triangles: the rims of a surface with holes."""
    corners = np.round(triangles * 1e9).astype(np.int64)
    ends = np.concatenate([corners[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    order = np.lexsort(np.moveaxis(ends, 2, 0)[::-1], axis=1)
    ends = np.take_along_axis(ends, order[..., None], axis=1).reshape(-1, 6)
    ends = ends[np.any(ends[:, :3] != ends[:, 3:], axis=1)]
    return int(np.sum(np.unique(ends, axis=0, return_counts=True)[1] % 2))


def test_a_sphere_is_closed_and_has_its_area():
    cells, lengths = (40, 36, 32), np.array([1.25, 1.125, 1.0])
    z, y, x = centres(cells, lengths)
    distance = np.sqrt((x - 0.6) ** 2 + (y - 0.55) ** 2 + (z - 0.5) ** 2)
    triangles = isosurface(1.0 - distance, lengths, 0.7)
    radius = np.linalg.norm(triangles - [0.6, 0.55, 0.5], axis=2)
    # Interpolation along the diagonal of a cube, √3 h long.
    np.testing.assert_allclose(radius, 0.3, rtol=0.0, atol=3 / 32**2 / (8 * 0.3))
    # Inscribed facets lack O(h²/R²).
    assert area(triangles) == pytest.approx(4 * np.pi * 0.3**2, rel=3e-3)
    assert unpaired_edges(triangles) == 0


def test_a_plane_is_exact_and_closed_at_the_faces():
    lengths = np.array([2.0, 1.0, 0.5])
    z, y, x = centres((16, 8, 6), lengths)
    triangles = isosurface(0.3 * x + 0.4 * y - 0.1 * z, lengths, 0.5)
    assert unpaired_edges(triangles) == 0
    assert triangles.min() == 0.0
    np.testing.assert_allclose(triangles.max(axis=(0, 1)), lengths)
    inner = np.all((triangles > [0.0625, 0.0625, 0.05]) & (triangles < lengths - [0.0625, 0.0625, 0.05]), axis=(1, 2))
    assert inner.any()
    np.testing.assert_allclose(triangles[inner] @ [0.3, 0.4, -0.1], 0.5, atol=1e-12)


def test_nothing_below_the_level_and_a_box_above_it():
    lengths = np.array([1.0, 2.0, 3.0])
    assert isosurface(np.zeros((4, 5, 6)), lengths, 0.5).shape == (0, 3, 3)
    everything = isosurface(np.ones((4, 5, 6)), lengths, 0.5)
    assert np.all(np.any((everything == 0.0) | (everything == lengths), axis=2))
    assert unpaired_edges(everything) == 0


def test_large_surfaces_are_drawn_from_fewer_cells(monkeypatch):
    lengths = np.ones(3)
    z, y, x = centres((24, 24, 24), lengths)
    field = 1.0 - np.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2)
    fine = isosurface(field, lengths, 0.7)
    monkeypatch.setattr(module, "MOST_CUBES", 400)
    coarse = isosurface(field, lengths, 0.7)
    assert len(coarse) < 0.4 * len(fine)
    assert area(coarse) == pytest.approx(area(fine), rel=0.05)
    assert unpaired_edges(coarse) == 0


def test_both_sides_of_a_facet_are_lit_alike():
    triangles = np.random.default_rng(1).random((20, 3, 3))
    np.testing.assert_allclose(shades(triangles), shades(triangles[:, ::-1]))
    assert shades(triangles).min() >= 0.0
    assert shades(triangles).max() <= 1.0
