"""An elastic solve between faces next to finite elements: scikit-fem with SuperLU, and with algebraic multigrid of PyAMG.

OMP_NUM_THREADS=1 python benchmarks/elastic_peers.py [cells …]     → benchmarks/results/elastic_peers.json

`pip install scikit-fem pyamg` brings the others.

The same mesh and elements (bilinear squares, full integration, plane strain), the same material, g per cell, one thread. As the
damage changes, g does between any two solves: every time counts from g to the displacement, so matrices are assembled anew.

    sent        single-edge notch in tension, the notch a row of cells with g = 1e-9
    random      the same load, no notch, g independent in each cell, log-uniform from 1e-3 to 1

    fft         this solver, 1e-6 of the residual of the ramp
    superlu     scikit-fem, SciPy's SuperLU with the ordering for symmetric matrices, faster here than its default
    amg         scikit-fem, conjugate gradients with smoothed aggregation (rigid motions given), 1e-6 of its residual
    … scatter   the same solvers, assembly without scikit-fem: one element matrix, times g, added into a fixed pattern

Milliseconds of processor time, the best of three, as others use the machine too; errors are those of the energy
norm against SuperLU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pyamg
import scipy.sparse as sparse
import scipy.sparse.linalg
import skfem
from record import write
from skfem.models.elasticity import lame_parameters, linear_elasticity

from phasefield.analysis.griffith import edge_crack, sent_specimen

YOUNG, POISSON, TOLERANCE, ROUNDS = 210.0, 0.3, 1e-6, 3


class Elements:
    """The square of `sent_specimen` in scikit-fem: matrix of g, free unknowns, given displacements."""

    def __init__(self, cells: int):
        line = np.linspace(0.0, 1.0, cells + 1)
        mesh = skfem.MeshQuad.init_tensor(line, line)
        self.basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementQuad1()), intorder=2)
        x, y = self.basis.doflocs
        component = np.zeros(x.size, int)
        component[self.basis.nodal_dofs[1]] = 1
        fixed = np.isclose(y, 0.0) | np.isclose(y, 1.0)
        self.free = np.flatnonzero(~fixed)
        self.given = np.where(np.isclose(y, 1.0) & (component == 1), 1.0, 0.0)
        # g is by rows of cells, elements have the order of the mesh.
        centre = mesh.p[:, mesh.t].mean(axis=1)
        self.order = (centre[1] * cells).astype(int) * cells + (centre[0] * cells).astype(int)
        first, second = lame_parameters(YOUNG, POISSON)
        law = linear_elasticity(first, second)
        self.form = skfem.BilinearForm(lambda u, v, w: w["g"] * law.form(u, v, w))
        self.points = self.basis.X.shape[1]
        x, y, component = x[self.free], y[self.free], component[self.free]
        self.motions = np.stack([component == 0, component == 1, np.where(component == 0, -y, x)], axis=1).astype(float)
        self._pattern()

    def assemble(self, factor: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Matrix of the free unknowns and right-hand side, by scikit-fem."""
        g = np.repeat(factor.ravel()[self.order][:, None], self.points, axis=1)
        K = self.form.assemble(self.basis, g=g).tocsr()
        rows = K[self.free]
        return rows[:, self.free], -(rows @ self.given)

    def _pattern(self) -> None:
        """Where the entries of every element matrix go in the matrix of the free unknowns."""
        dofs = self.basis.element_dofs.T
        local = skfem.Basis(self.basis.mesh.restrict([0]), self.basis.elem, intorder=2)
        element = self.form.assemble(local, g=np.ones((1, self.points))).toarray()
        back = local.element_dofs[:, 0]
        self.element = element[np.ix_(back, back)]
        number = np.full(self.given.size, -1)
        number[self.free] = np.arange(self.free.size)
        rows, columns = np.repeat(dofs, 8, axis=1), np.tile(dofs, (1, 8))
        weight = np.broadcast_to(self.element.ravel(), rows.shape).ravel()
        cell = np.repeat(np.arange(len(dofs)), 64)
        r, c = number[rows.ravel()], number[columns.ravel()]
        inner, shape = (r >= 0) & (c >= 0), (self.free.size,) * 2
        structure = sparse.csr_matrix((np.ones(inner.sum()), (r[inner], c[inner])), shape=shape)
        structure.sort_indices()
        structure.data = np.arange(structure.nnz, dtype=float)
        entry = np.asarray(structure[r[inner], c[inner]]).ravel().astype(int)
        self.values = sparse.csr_matrix((weight[inner], (entry, cell[inner])), shape=(structure.nnz, len(dofs)))
        self.structure = structure
        edge = (r >= 0) & (c < 0)
        load = -weight[edge] * self.given[columns.ravel()[edge]]
        self.loads = sparse.csr_matrix((load, (r[edge], cell[edge])), shape=(self.free.size, len(dofs)))

    def scatter(self, factor: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
        """The same by two products with matrices prepared before."""
        g = factor.ravel()[self.order]
        s = self.structure
        return sparse.csr_matrix((self.values @ g, s.indices, s.indptr), shape=s.shape), self.loads @ g


def direct(K: sparse.csr_matrix, b: np.ndarray, motions: np.ndarray) -> tuple[np.ndarray, int]:
    return scipy.sparse.linalg.splu(K.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(b), 0


def multigrid(K: sparse.csr_matrix, b: np.ndarray, motions: np.ndarray) -> tuple[np.ndarray, int]:
    ladder = pyamg.smoothed_aggregation_solver(K, B=motions, strength=("symmetric", {"theta": 0.0}), max_coarse=200)
    residuals: list[float] = []
    x = ladder.solve(b, tol=TOLERANCE, accel="cg", residuals=residuals, maxiter=2000)
    return x, len(residuals) - 1


def best(solve: Callable[[], tuple[np.ndarray, int]]) -> tuple[np.ndarray, int, float]:
    """Result, iterations and the shortest processor time in ms."""
    shortest, result = float("inf"), solve()
    for _ in range(ROUNDS):
        began = time.process_time()
        result = solve()
        shortest = min(shortest, 1e3 * (time.process_time() - began))
    return *result, shortest


def compare(cells: int, medium: str) -> list[dict]:
    body, elements = sent_specimen(cells), Elements(cells)
    factor = 10.0 ** np.random.default_rng(0).uniform(-3.0, 0.0, body.grid.shape)
    if medium == "sent":
        factor = edge_crack(body.grid, residual=1e-9)(0.5)
    K, b = elements.assemble(factor)
    fast, fast_b = elements.scatter(factor)
    assert abs(fast - K).max() < 1e-12 * abs(K).max()
    assert np.abs(fast_b - b).max() < 1e-12 * np.abs(b).max()
    reference, _ = direct(K, b, elements.motions)

    def fft() -> tuple[np.ndarray, int]:
        found = body.solve(factor, tolerance=TOLERANCE)
        return found.displacement, found.iterations

    x, y = elements.basis.doflocs
    node = np.rint(y * cells).astype(int), np.rint(x * cells).astype(int)
    component = np.zeros(x.size, int)
    component[elements.basis.nodal_dofs[1]] = 1
    programs: dict[str, Callable[[], tuple[np.ndarray, int]]] = {"fft": fft}
    for name, solver in (("superlu", direct), ("amg", multigrid)):
        for suffix, make in (("", elements.assemble), (" scatter", elements.scatter)):
            programs[name + suffix] = lambda solver=solver, make=make: solver(*make(factor), elements.motions)
    rows = []
    for name, program in programs.items():
        u, iterations, milliseconds = best(program)
        u = u[component, *node][elements.free] if name == "fft" else u
        e = u - reference
        error = float(np.sqrt(max(e @ (K @ e), 0.0) / (reference @ (K @ reference))))
        rows.append({"cells": cells, "medium": medium, "program": name, "ms": milliseconds, "iterations": iterations})
        rows[-1] |= {"error": error, "over_fft": milliseconds / rows[0]["ms"]}
        print(
            f"{cells:4d}² {medium:7s} {name:16s} {milliseconds:9.1f} ms  {rows[-1]['over_fft']:6.1f} ×  "
            f"{iterations:4d} iterations  error {error:.1e}"
        )
    return rows


def main() -> None:
    sizes = [int(a) for a in sys.argv[1:]] or [128, 256]
    rows = [row for n in sizes for medium in ("sent", "random") for row in compare(n, medium)]
    versions = {"scikit-fem": skfem.__version__, "pyamg": pyamg.__version__, "scipy": scipy.__version__}
    write("elastic_peers", {"threads": 1, "tolerance": TOLERANCE, "versions": versions, "rows": rows})


if __name__ == "__main__":
    main()
