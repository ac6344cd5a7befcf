"""An assembled-matrix solution of elasticity on a box, for the tests: Gauss quadrature, SciPy sparse, direct solver."""

from __future__ import annotations

from itertools import product

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg

from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.spectral.grid import Grid


def element_matrix(spacing: tuple[float, ...], lame: float, shear: float) -> tuple[np.ndarray, np.ndarray]:
    """(d 2^d, d 2^d) by two Gauss points per axis; corners (2^d, d) as 0 and 1, numbers are corner · d + component."""
    d = len(spacing)
    corners = np.array(list(product((0, 1), repeat=d)))
    matrix = np.zeros((d * len(corners),) * 2)
    for gauss in product((0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), repeat=d):
        x = np.array(gauss)
        shape = np.where(corners, x, 1.0 - x)
        gradient = np.empty((len(corners), d))
        for j in range(d):
            others = np.prod(np.delete(shape, j, axis=1), axis=1)
            gradient[:, j] = (2.0 * corners[:, j] - 1.0) / spacing[j] * others
        # strain[i, j, number]
        strain = np.zeros((d, d, matrix.shape[0]))
        for n in range(len(corners)):
            for c in range(d):
                strain[c, :, n * d + c] += 0.5 * gradient[n]
                strain[:, c, n * d + c] += 0.5 * gradient[n]
        trace = np.einsum("iin->n", strain)
        density = lame * np.outer(trace, trace) + 2.0 * shear * np.einsum("ijn,ijm->nm", strain, strain)
        matrix += density * np.prod(spacing) / 2**d
    return matrix, corners


def numbers(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Global numbers (cells, d 2^d) of the unknowns of all elements, in arrays (d, *nodes); coordinates of nodes (N, d)."""
    d = grid.dimensions
    nodes = tuple(n + 1 for n in grid.shape)
    _, corners = element_matrix(grid.spacing, 1.0, 1.0)
    index = np.arange(np.prod(nodes)).reshape(nodes)
    columns = []
    for corner in corners:
        part = tuple(slice(corner[d - 1 - k], nodes[k] - 1 + corner[d - 1 - k]) for k in range(d))
        columns += [index[part].ravel() + c * index.size for c in range(d)]
    points = np.stack(np.meshgrid(*[np.arange(a.cells + 1) * a.spacing for a in grid.axes[::-1]], indexing="ij")[::-1])
    return np.stack(columns, axis=1), points.reshape(d, -1).T


def assemble(grid: Grid, lame: float, shear: float, factor: np.ndarray) -> sparse.csr_matrix:
    element, _ = element_matrix(grid.spacing, lame, shear)
    unknowns, _ = numbers(grid)
    data = factor.reshape(-1, 1, 1) * element
    rows = np.repeat(unknowns[:, :, None], unknowns.shape[1], axis=2)
    size = grid.dimensions * int(np.prod([n + 1 for n in grid.shape]))
    return sparse.csr_matrix((data.ravel(), (rows.ravel(), rows.transpose(0, 2, 1).ravel())), shape=(size, size))


def solve(
    grid, lame, shear, factor, faces: FaceConditions, held=None, held_values=0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement and K u − f, both (d, *nodes), under unit load."""
    d, nodes = grid.dimensions, tuple(n + 1 for n in grid.shape)
    K = assemble(grid, lame, shear, factor)
    _, points = numbers(grid)
    u, fixed, f = (np.zeros((d, len(points)), t) for t in (float, bool, float))
    lengths = [a.length for a in grid.axes]
    for axis in range(d):
        for end in (0, 1):
            face = faces.faces[axis][end]
            on = np.isclose(points[:, axis], end * lengths[axis])
            # The load of a node is t times the shape functions' integrals: half at edges, a quarter at corners.
            area = np.prod([h for j, h in enumerate(grid.spacing) if j != axis]) * np.ones(len(points))
            for j in range(d):
                if j != axis:
                    area[np.isclose(points[:, j], 0) | np.isclose(points[:, j], lengths[j])] *= 0.5
            for c in range(d):
                given = face.displacement[c]
                if given is not None:
                    fixed[c, on] = True
                    u[c, on] = given.value + points[on] @ np.array(given.slope)
                f[c, on] += face.traction[c] * area[on]
    if held is not None:
        held = held.reshape(d, -1)
        values = np.broadcast_to(held_values, (d, *nodes)).reshape(d, -1)
        u[held], fixed[held] = values[held], True
    u, f, free = u.ravel(), f.ravel(), ~fixed.ravel()
    if free.any():
        inner = K[free][:, free].tocsc()
        u[free] = scipy.sparse.linalg.spsolve(inner, f[free] - K[free][:, ~free] @ u[~free])
    return u.reshape(d, *nodes), (K @ u - f).reshape(d, *nodes)
