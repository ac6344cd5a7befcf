"""Particles: connected regions in which a field lies above a threshold, across the edges of periodic axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.spectral.grid import Grid


@dataclass(frozen=True)
class Particles:
    """labels: number of its particle at every cell, 1, 2, …, 0 outside, in grid shape; sizes: their lengths, areas or volumes, in
    the order of the numbers.
    """

    labels: np.ndarray
    sizes: np.ndarray

    @property
    def count(self) -> int:
        return int(self.sizes.size)

    @property
    def fraction(self) -> float:
        """Share of the box that lies in particles."""
        return float(np.count_nonzero(self.labels)) / self.labels.size


def particles(u: np.ndarray, grid: Grid, threshold: float = 0.5) -> Particles:
    """Regions with u > threshold; cells are neighbours where they share a face, also through the ends of a periodic axis.

    Args:
        u: the field, in grid shape.
        grid: where it lives.
        threshold: level between the two phases.

    Raises:
        ValueError: u is not of the shape of the grid.
    """
    from scipy.ndimage import label
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if u.shape != grid.shape:
        raise ValueError(f"a field of shape {u.shape} does not fit a grid of shape {grid.shape}")
    inside, found = label(u > threshold)  # pyright: ignore[reportGeneralTypeIssues]
    pairs = []
    for position, axis in enumerate(reversed(grid.axes)):
        if axis.boundary == "periodic":
            first, last = inside.take(0, position).ravel(), inside.take(-1, position).ravel()
            pairs.append(np.stack([first, last])[:, (first > 0) & (last > 0)])
    a, b = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), int)
    links = coo_array((np.ones(a.size), (a, b)), shape=(found + 1, found + 1))
    # Cells outside are number 0 and linked to nothing; they come first.
    _, merged = connected_components(links, directed=False)
    labels = merged[inside]
    sizes = np.bincount(labels.ravel(), minlength=1)[1:] * grid.cell_volume
    return Particles(labels, sizes)
