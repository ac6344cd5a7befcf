"""Damage that follows short steps: the problem of `damage`, begun so close to its solution that few cells need any work.

In explicit dynamics a step is less than what a wave needs for one cell, and φ of the step before, plus what it grew by, is within
the tolerance of the solution nearly everywhere. One pass finds the cells where |φ − P(φ − g/d)| is above half the tolerance
(g = Aφ − b, d the diagonal of A, P the projection onto the bounds). These and the cells around them are solved for by projected
steps,

    φ ← P(φ − 0.9 g/d + 0.3 (φ − φ before)),

the others stay as they are. Where that takes neighbours above the tolerance, they are added. It ends when every cell of the
grid is within the tolerance: the criterion is that of `DamageSolver.solve`.

There is no sum over cells, and which cells are solved for is a matter of their neighbourhood alone: mirror images stay mirror
images to the last bit. Without bounds the steps converge, as A has no eigenvalue above 2 in the metric d (B. T. Polyak, USSR
Comput. Math. Math. Phys. 4 (1964) 1, doi:10.1016/0041-5553(64)90137-5). Where they take too many, `solve` goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics import damage_steps_kernels as kernels
from phasefield.mechanics.damage import DamageSolver
from phasefield.spectral.pool import Pool

# Of the projected steps; converges for length < 1 + momentum.
LENGTH, MOMENTUM = 0.9, 0.3
# How far around cells that are not done others are solved for with them.
WIDTH = 2
# Cells whose residual is above this share of the tolerance are solved for too: what their neighbours do would take them above it.
SHARE = 0.5
# Pieces of a row that are nearer are one: loops cost as much as some cells.
GAP = 16
# Sweeps in one step after which `solve` is asked.
LARGEST_SWEEPS = 60
# Up to this many cells a second thread costs more than it brings.
SERIAL_CELLS = 256 * 256


@dataclass(frozen=True)
class FollowedDamage:
    """φ (grid.shape); sweeps over cells that were not done, or products of `solve`; how many cells were solved for."""

    phi: np.ndarray
    iterations: int
    cells: int


class DamageSteps:
    """Damage of one short step after the other.

    Args:
        solver: the problem, its rule of irreversibility, and the solver for steps that are not that short.
        threads: the most that are used; results have the same bits for any number.
    """

    def __init__(self, solver: DamageSolver, threads: int = 1):
        self.solver = solver
        self.shape = solver.operator.shape
        n0, n1, nx = self.shape
        self._table, self._kind = self._kinds()
        self._pool = Pool(threads if solver.cracks.grid.cells > SERIAL_CELLS else 1)
        self._inverse, self._other = np.zeros(self.shape), np.zeros(self.shape)
        self._flags, self._flagged = np.zeros(self.shape, np.uint8), np.zeros(n0 * n1, bool)
        self._scratch = [np.zeros(nx) for _ in range(self._pool.threads)]
        # Zeros behind the last cell, up to whole words.
        self._lines = [np.zeros(8 * (nx // 8 + 1) + 2 * 8 * WIDTH, np.uint8) for _ in range(self._pool.threads)]
        self._near, self._around = (_Pieces(n0 * n1, nx, width) for width in (WIDTH, WIDTH + 1))
        wraps = {axis.name: axis.boundary == "periodic" for axis in solver.cracks.grid.axes}
        slow = ("y", "") if len(wraps) == 2 else ("z", "y")
        self._periodic = np.array([wraps.get(name, False) for name in (*slow, "x")])

    def follow(
        self, before: np.ndarray, accepted: np.ndarray, psi: np.ndarray, tolerance: float = 1e-4, *, rate: float = 0.0
    ) -> FollowedDamage:
        """φ for the energies ψ⁺; begins at φₙ and, where it grew in the last step, as much more.

        Args:
            before: φₙ₋₁, of the step before the last one, (grid.shape).
            accepted: φₙ of the last step.
            psi, tolerance, rate: as in `DamageSolver.solve`.

        Raises:
            InputError: a tolerance that is not positive, a rate that is negative or not finite, arrays of another shape.
            NumericalError: numbers that are not finite, no convergence.
        """
        grid, rule = self.solver.cracks.grid, self.solver.irreversibility
        for what, array in (("damage before", before), ("accepted damage", accepted), ("energy", psi)):
            if np.shape(array) != grid.shape:
                raise InputError(f"the {what} has the shape {np.shape(array)}, the grid {grid.shape}")
        if not (tolerance > 0.0 and 0.0 <= rate < np.inf):
            raise InputError(f"tolerance > 0 and a finite rate ≥ 0 are needed, got {tolerance:g} and {rate:g}")
        phi = np.empty(grid.shape)
        x, last = phi.reshape(self.shape), self._field(accepted)
        self._rows(lambda t, i, j: kernels.extrapolate(last, self._field(before), i, j, x))
        if rule.penalty(phi, accepted) is not None:
            return self._solved(phi, accepted, psi, tolerance, rate, 0)
        drive, lower = self._field(rule.drive(psi)), self._field(rule.lower(accepted))
        cells = (self._table, self._kind)
        fields = (x, drive, last, lower, rate, tolerance)
        marks = (self._flags, self._flagged)
        self._rows(
            lambda t, i, j: kernels.flag(*cells, *fields[:-1], SHARE * tolerance, i, j, self._scratch[t], *marks)
        )
        sweeps, solved, left = 0, 0, int(self._flagged.any())
        while left:
            for pieces in (self._near, self._around):
                self._find(pieces)
            solved = max(solved, self._near.cells)
            self._over(self._around, kernels.prepare, lambda t: (*cells, x, drive, rate, self._inverse, self._other))
            found, other = x, self._other
            while left and sweeps < LARGEST_SWEEPS:
                problem = (*cells, found, *fields[1:], self._inverse, LENGTH, MOMENTUM)
                left = self._over(self._near, kernels.sweep, lambda t, p=problem, y=other: (*p, self._scratch[t], y))
                found, other = other, found
                sweeps += 1
            # The last sweep looked at what is now `other`.
            if other is not x:
                self._over(self._near, kernels.copy, lambda t, y=other: (y, x))
            if left:
                return self._solved(phi, accepted, psi, tolerance, rate, sweeps)
            problem = (*cells, *fields, self._inverse, SHARE)
            left = self._over(self._around, kernels.check, lambda t, p=problem: (*p, self._scratch[t], *marks))
        return FollowedDamage(phi, sweeps, solved)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    def _field(self, values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, float).reshape(self.shape)

    def _solved(
        self, phi: np.ndarray, accepted: np.ndarray, psi: np.ndarray, tolerance: float, rate: float, sweeps: int
    ) -> FollowedDamage:
        result = self.solver.solve(phi, accepted, psi, tolerance, rate=rate)
        return FollowedDamage(result.phi, sweeps + result.iterations, phi.size)

    def _find(self, pieces: _Pieces) -> None:
        """The cells about the flags; the width of `pieces` says how far."""
        found = (pieces.counts, pieces.lengths, pieces.edges)
        marks = (self._flags, self._flagged, pieces.width, GAP, self._periodic)
        self._rows(lambda t, i, j: kernels.spread(*marks, i, j, self._lines[t], *found))
        pieces.share(self._pool.threads)

    def _rows(self, work: Callable[[int, int, int], None]) -> None:
        self._pool.run(work, self.shape[0])

    def _over(self, pieces: _Pieces, kernel: Callable, numbers: Callable[[int], tuple]) -> int:
        """The sum of what a kernel returns for all pieces."""
        found = [0] * self._pool.threads

        def work(thread: int, first: int, last: int) -> None:
            for share in range(first, last):
                rows = (pieces.rows, pieces.counts, pieces.edges, pieces.shares[share], pieces.shares[share + 1])
                found[thread] += kernel(*rows, *numbers(thread)) or 0

        self._pool.run(work, len(pieces.shares) - 1)
        return sum(found)

    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of cells of every kind, and which kind a row is."""
        cracks, operator = self.solver.cracks, self.solver.operator
        faces = operator.faces
        weight = np.full(cracks.grid.shape, 2.0 * self.solver.degradation.drive(np.ones(1))[0])
        if cracks.solid is not None:
            weight[~cracks.solid] = 0.0
        local = [np.broadcast_to(c, cracks.grid.shape) for c in (cracks.local.linear, cracks.local.quadratic)]
        columns = [a.reshape(self.shape) for a in (*local, weight)]
        for axis in range(2):
            columns += [np.roll(faces[axis], 1, axis), faces[axis]]
        columns += [faces[2], operator.across]
        # Where all rows differ the table is as large as the columns: of the rows only digests are kept.
        names: dict[bytes, int] = {}
        kind, places = np.zeros(self.shape[0] * self.shape[1], np.int64), []
        for row, index in enumerate(np.ndindex(self.shape[:2])):
            digest = blake2b(np.stack([column[index] for column in columns]).tobytes()).digest()
            kind[row] = names.setdefault(digest, len(names))
            if kind[row] == len(places):
                places.append(index)
        table = np.empty((len(places), len(columns), self.shape[2]))
        for which, index in enumerate(places):
            for position, column in enumerate(columns):
                table[which, position] = column[index]
        return table, kind


class _Pieces:
    """Pieces of rows, see `damage_steps_kernels.spread`, in shares of about as many cells."""

    def __init__(self, rows: int, nx: int, width: int):
        self.width = width
        self.counts, self.lengths = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        # Pieces are 2 width + 1 long and do not touch, but for the two that the ends of the row cut off.
        self.edges = np.zeros((rows, 2 * (nx // (2 * width + 2) + 3)), np.int32)
        self.rows, self.shares, self.cells = np.zeros(0, np.int64), [0, 0], 0

    def share(self, threads: int) -> None:
        self.rows = np.flatnonzero(self.counts)
        total = np.cumsum(self.lengths[self.rows])
        self.cells = int(total[-1])
        self.shares = [0, len(self.rows)]
        if threads > 1 and self.cells > SERIAL_CELLS:
            inner = np.searchsorted(total, self.cells * np.arange(1, threads) / threads)
            self.shares = [0, *(int(i) for i in inner), len(self.rows)]
