"""Small-strain equilibrium of a box with true faces: div σ = 0, σ = g(x) C:ε, displacements or tractions given on the faces.

The box is a grid of rectangular cells, one bi- or trilinear element with full integration each, displacements at the corners.
C is isotropic; the factor g ≥ 0 is constant in a cell: degradation times relative stiffness, 0 in voids. The potential

    Π(u) = ½ u·K u − f·u,    ½ u·K u = Σ_cells g ∫ ½ ε:C:ε dV

is minimised over the displacements of the nodes that are not held, by conjugate gradients. The preconditioner is one scalar
Laplacian per component with the conditions of that component on every face (`bounded_preconditioner`): no face is padded, and
undamaged bodies need about as many iterations on any grid. Cracks need more, about √n times a constant with n cells per axis.

The residual is r = f − K u at the nodes that are not held, in the norm √(r·M⁻¹r) of the preconditioner M. Iterations stop when
it is below `tolerance` times its value for the ramp: the displacement that is linear between opposite faces where both are held,
constant where one is, with the same g and load. As M is close to K without damage, that is about the error in the energy norm.

C. Miehe, F. Welschinger, M. Hofacker, Int. J. Numer. Methods Eng. 83 (2010) 1273, doi:10.1002/nme.2861 (the specimens); L. Risthaus,
M. Schneider, Comput. Mech. 74 (2024), doi:10.1007/s00466-024-02469-1 (sine and cosine transforms for faces, another formulation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import bounded_kernels as kernels
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_loads import Loads
from phasefield.mechanics.bounded_preconditioner import ComponentLaplacian
from phasefield.mechanics.bounded_solution import BoundedSolution
from phasefield.spectral.grid import Grid
from phasefield.spectral.sweep import SERIAL_CELLS
from phasefield.spectral.sweep import _Pool as Pool
from phasefield.spectral.transforms import make_engine

# Of four vectors in a block of rows, half should stay in the second-level cache; smaller blocks cost more calls than they save.
BLOCK_BYTES = 2 * 1024 * 1024
# Residuals below this many roundings of √(u·K u) are zero.
ROUNDINGS = 1000.0
# Residuals of solvable problems do not grow by this factor, whatever the contrast.
DIVERGED = 1e8


class BoundedElasticity:
    """Equilibrium of a box with conditions on its faces; owns all work arrays, so that one object serves many solves.

    Args:
        grid: two or three axes; their boundaries (of other fields) do not matter here.
        lame: (λ, μ) where g = 1.
        faces: see `bounded_faces`.
        plane: `strain` or `stress`, for two axes; plane stress is λ* = 2λμ/(λ+2μ).
        held: nodes that are held besides the faces, bool (d, *nodes): partial supports. They make more iterations.
        held_values: their displacements, broadcastable to the same shape.
        threads: results do not depend on it, bit for bit.

    Raises:
        InputError: one-dimensional grids, moduli that are not positive definite, shapes that do not fit, contradictions between
            faces and held nodes, or conditions under which the body can move as a whole.
    """

    def __init__(
        self,
        grid: Grid,
        lame: tuple[float, float],
        faces: FaceConditions,
        *,
        plane: str = "strain",
        held: np.ndarray | None = None,
        held_values: np.ndarray | float = 0.0,
        threads: int = 1,
    ):
        d = grid.dimensions
        if d not in (2, 3):
            raise InputError("elasticity between faces needs two or three axes")
        if faces.dimensions != d or not np.allclose(faces.lengths, [a.length for a in grid.axes], rtol=1e-12):
            raise InputError("the face conditions were made for another box")
        self.grid, self.faces = grid, faces
        self.lame = _moduli(lame, plane, d)
        self.loads = Loads(grid, faces, held, held_values)
        first, shear = self.lame
        self.coefficients = kernels.coefficients(first, shear, grid.spacing)
        self._pool = Pool(threads if grid.cells > SERIAL_CELLS else 1)
        engine = make_engine()
        weights = shear + (first + shear) * np.eye(d)
        self.laplacians = [ComponentLaplacian(grid, faces.ends(c), weights[c], engine) for c in range(d)]
        self._free = [self.loads.mask(c) for c in range(d)]
        self._make_blocks()

    def _make_blocks(self) -> None:
        d, nodes = self.grid.dimensions, self.loads.nodes
        self.box = (nodes[0], nodes[1] if d == 3 else 1, nodes[-1])
        cells, (_, n1, width) = nodes[0] - 1, self.box
        height = max(1, BLOCK_BYTES // (4 * 8 * d * n1 * width))
        count = -(-cells // height)
        count += count % 2 if 1 < count < cells else 0
        bounds = [cells * b // count for b in range(count + 1)]
        # Rows of cells; the nodes at their low ends, and for the last block those at the high end too.
        self.rows = list(zip(bounds[:-1], bounds[1:], strict=True))
        self.columns = [(c, *block) for c in range(d) for block in self.laplacians[c].blocks()]
        self._edges = np.zeros((count, d, n1, width))
        self._scratch = np.zeros((self._pool.threads, 6 if d == 2 else 24, width + 1))
        self._stiffness = kernels.stiffness_2d if d == 2 else kernels.stiffness_3d
        self._density = kernels.density_2d if d == 2 else kernels.density_3d
        self._r, self._p, self._q = (np.zeros((d, *self.box)) for _ in range(3))

    def solve(
        self,
        factor: np.ndarray | float,
        load: float = 1.0,
        *,
        start: BoundedSolution | np.ndarray | None = None,
        tolerance: float = 1e-6,
        max_iterations: int = 5000,
    ) -> BoundedSolution:
        """The equilibrium under `load` times the given displacements and tractions, for the stiffness g C.

        Args:
            factor: g ≥ 0 per cell, (*grid.shape).
            start: a solution of this object, scaled to the new load, or displacements (d, *nodes), of which those that are
                held are replaced; None starts from the ramp.
            tolerance: of the relative residual (see the module); met down to rounding.

        Raises:
            InputError: a factor that is negative, not finite, of another shape or 0 everywhere, or 0 in a cell under a
                traction; a tolerance that is not positive.
            NumericalError: not converged within `max_iterations`, or a load on a part that nothing holds.
        """
        if not tolerance > 0.0:
            raise InputError(f"the tolerance must be positive, got {tolerance}")
        g = self._read_factor(factor)
        solve = _Solve(self, g, load * self._whole(self.loads.force), tolerance, max_iterations)
        ramp = load * self._whole(self.loads.ramp)
        u, scale = ramp.copy(), None
        if start is not None:
            scale = solve.residual(ramp)
            u = self._starting_point(start, load, ramp)
        u = solve.run(u, scale)
        return BoundedSolution(
            solver=self,
            displacement=u.reshape(self.grid.dimensions, *self.loads.nodes),
            factor=g.reshape(self.grid.shape),
            load=load,
            energy=0.5 * solve.quadratic,
            nodal_forces=-solve.r.reshape(self.grid.dimensions, *self.loads.nodes),
            iterations=solve.iterations,
            residual=solve.norm / solve.scale if solve.scale > 0.0 else 0.0,
        )

    def stiffness(self, factor: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, float]:
        """K u (d, *nodes) without any condition, and u·K u."""
        out = np.zeros((self.grid.dimensions, *self.box))
        total = self._apply(self._read_factor(factor), self._whole(np.ascontiguousarray(u, float)), out)
        self._add_edges(out)
        return out.reshape(u.shape), total

    def energy_density(self, u: np.ndarray) -> np.ndarray:
        """½ ε:C:ε without the factor g, mean over the Gauss points of each cell, (*grid.shape)."""
        out = np.zeros((self.box[0] - 1, max(1, self.box[1] - 1), self.box[2] - 1))
        whole = self._whole(np.ascontiguousarray(u, float))
        scale = 0.5 / self.grid.cell_volume

        def work(thread: int, b: int, first: int, last: int) -> None:
            self._density(whole, out, first, last, self.coefficients, scale, out)

        self.each_block(work)
        return out.reshape(self.grid.shape)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays it owns; a solve needs two vectors more."""
        loads = self.loads
        arrays = [self._edges, self._r, self._p, self._q, loads.constrained, loads.held, loads.ramp, loads.force]
        return sum(a.nbytes for a in (*arrays, *self._free, *(c.padded for c in self.laplacians)))

    # passes; `_Solve` calls them

    def each_block(self, work: Callable[[int, int, int, int], None]) -> None:
        """work(thread, number, first, last) for all blocks of rows of cells, by several threads at once."""

        def blocks(thread: int, begin: int, end: int) -> None:
            for b in range(begin, end):
                work(thread, b, *self.rows[b])

        self._pool.run(blocks, len(self.rows))

    def nodes_of(self, b: int) -> tuple[int, int]:
        """First and last + 1 row of nodes of a block."""
        first, last = self.rows[b]
        return first, last + 1 if b + 1 == len(self.rows) else last

    def _apply(self, g: np.ndarray, u: np.ndarray, out: np.ndarray) -> float:
        """out = K u up to the edges of the blocks, see `_add_edges`; u·K u."""
        sums = np.zeros(len(self.rows))

        def work(thread: int, b: int, first: int, last: int) -> None:
            scratch, edge = self._scratch[thread], self._edges[b]
            sums[b] = self._stiffness(u, g, first, last, self.coefficients, scratch, out, edge)

        self.each_block(work)
        # After the last row of cells there is no block to take the edge.
        out[:, -1] = self._edges[-1]
        return float(sums.sum())

    def add_edge(self, out: np.ndarray, b: int) -> None:
        """What block b − 1 adds to the first row of nodes of block b."""
        if b > 0:
            kernels.add_edge(out, self.rows[b][0], self._edges[b - 1])

    def _add_edges(self, out: np.ndarray) -> None:
        for b in range(len(self.rows)):
            self.add_edge(out, b)

    def _precondition(self, r: np.ndarray, before: Callable[[int, int, int], None] | None = None) -> float:
        """Begin z = M⁻¹r, which `_turn` finishes; r·M⁻¹r. before(b, first, last) prepares rows of nodes of r."""

        def forward(thread: int, b: int, *_: int) -> None:
            first, last = self.nodes_of(b)
            if before is not None:
                before(b, first, last)
            for c, laplacian in enumerate(self.laplacians):
                laplacian.to_waves(r[c], self._free[c], first, last)

        self.each_block(forward)
        sums = np.zeros(len(self.columns))

        def divide(thread: int, begin: int, end: int) -> None:
            for b in range(begin, end):
                c, first, last = self.columns[b]
                sums[b] = self.laplacians[c].divide(first, last)

        self._pool.run(divide, len(self.columns))
        return float(sums.sum())

    def _turn(self, beta: float, p: np.ndarray) -> None:
        """p = z + β p."""

        def backward(thread: int, b: int, *_: int) -> None:
            for c, laplacian in enumerate(self.laplacians):
                laplacian.turn(beta, self._free[c], *self.nodes_of(b), p[c])

        self.each_block(backward)

    # input

    def _whole(self, nodes: np.ndarray) -> np.ndarray:
        """Displacements or forces as the kernels take them, (d, n0, n1, nx + 1)."""
        return nodes.reshape(self.grid.dimensions, *self.box)

    def _read_factor(self, factor: np.ndarray | float) -> np.ndarray:
        g = np.ascontiguousarray(np.broadcast_to(np.asarray(factor, float), self.grid.shape) if np.ndim(factor) == 0
                                 else np.asarray(factor, float))  # fmt: skip
        if g.shape != self.grid.shape:
            raise InputError(f"the factor of the stiffness has the shape {g.shape}, the grid {self.grid.shape}")
        low, high = float(g.min()), float(g.max())
        if not (low >= 0.0 and 0.0 < high < np.inf):
            raise InputError(
                f"the factor of the stiffness must be finite, ≥ 0 and somewhere > 0 (got {low:g} … {high:g})"
            )
        self.loads.check_factor(g)
        return g.reshape(self.box[0] - 1, max(1, self.box[1] - 1), self.box[2] - 1)

    def _starting_point(self, start: BoundedSolution | np.ndarray, load: float, ramp: np.ndarray) -> np.ndarray:
        if isinstance(start, BoundedSolution):
            ratio = load / start.load if start.load != 0.0 else 0.0
            values = ratio * start.displacement
        else:
            values = np.array(start, float)
        if values.shape != self.loads.force.shape:
            raise InputError(f"the starting point has the shape {values.shape}, expected {self.loads.force.shape}")
        u = self._whole(values)
        np.copyto(u, ramp, where=self._whole(self.loads.constrained))
        return u


class _Solve:
    """One solve by conjugate gradients; `r` is f − K u at all nodes, so that at held ones it is minus the reaction."""

    def __init__(self, body: BoundedElasticity, g: np.ndarray, force: np.ndarray, tolerance: float, limit: int):
        self.body, self.g, self.force, self.tolerance, self.limit = body, g, force, tolerance, limit
        self.r, self.p, self.q = body._r, body._p, body._q
        self.iterations, self.norm, self.scale, self.quadratic = 0, 0.0, 0.0, 0.0

    def residual(self, u: np.ndarray) -> float:
        """Set r for the displacement u; its norm."""
        self.quadratic = self.body._apply(self.g, u, self.q)

        def before(b: int, first: int, last: int) -> None:
            self.body.add_edge(self.q, b)
            np.subtract(self.force[:, first:last], self.q[:, first:last], out=self.r[:, first:last])

        square = self.body._precondition(self.r, before)
        if not np.isfinite(square):
            raise NumericalError("elasticity: the displacements are not finite")
        return float(np.sqrt(square))

    def run(self, u: np.ndarray, scale: float | None) -> np.ndarray:
        """Iterate from u; `scale` is the residual of the ramp, None where u is the ramp."""
        last = np.inf
        while True:
            self.norm = self.residual(u)
            self.scale = self.norm if scale is None else scale
            scale = self.scale
            goal = max(self.tolerance * scale, ROUNDINGS * np.finfo(float).eps * float(np.sqrt(self.quadratic)))
            if self.norm <= goal:
                return u
            # The recurrence says that it has converged, the true residual does not: begin again from there.
            if not self.norm < 0.5 * last:
                raise NumericalError(f"elasticity: rounding keeps the relative residual at {self.norm / scale:.1e}")
            last = self.norm
            self._iterate(u, goal)

    def _iterate(self, u: np.ndarray, goal: float) -> None:
        square = self.norm**2
        self.p[...] = 0.0
        self.body._turn(0.0, self.p)
        while square > goal**2:
            if self.iterations == self.limit:
                raise NumericalError(
                    f"elasticity: relative residual {np.sqrt(square) / self.scale:.1e} after {self.limit} iterations, "
                    f"tolerance {self.tolerance:.1e}"
                )
            curvature = self.body._apply(self.g, self.p, self.q)
            if not (curvature > 0.0 and square < (DIVERGED * self.norm) ** 2):
                raise NumericalError("elasticity: a load acts on a part of the body that nothing holds")
            remaining = self._advance(square / curvature, u)
            self.body._turn(remaining / square, self.p)
            square = remaining
            self.iterations += 1

    def _advance(self, alpha: float, u: np.ndarray) -> float:
        """u += α p, r −= α K p; r·M⁻¹r."""

        def before(b: int, first: int, last: int) -> None:
            self.body.add_edge(self.q, b)
            kernels.advance(alpha, u, self.r, self.p, self.q, first, last)

        return self.body._precondition(self.r, before)


def _moduli(lame: tuple[float, float], plane: str, dimensions: int) -> tuple[float, float]:
    """(λ or λ*, μ)."""
    first, shear = (float(v) for v in lame)
    if not (np.isfinite(first) and np.isfinite(shear) and shear > 0.0 and first + 2.0 * shear / 3.0 > 0.0):
        raise InputError(f"the Lamé constants must satisfy μ > 0 and λ + 2μ/3 > 0 (got λ = {first:g}, μ = {shear:g})")
    if plane not in ("strain", "stress"):
        raise InputError(f"plane: must be strain or stress (got '{plane}')")
    if plane == "strain":
        return first, shear
    if dimensions == 3:
        raise InputError("plane: a body in three dimensions is not plane")
    return 2.0 * first * shear / (first + 2.0 * shear), shear
