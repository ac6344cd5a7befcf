"""Small-strain equilibrium in a periodic cell:  div σ = 0,  σ = ∂ψ/∂ε(x, ε),  ε = ε̄ + sym(Du),  mean strain or stress given.

The unknowns are the periodic fluctuation u and those parts of ε̄ whose conjugate mean stress is prescribed. Their potential

    Π(u, ε̄) = Σ_cells ψ(ε̄ + sym(Du)) − N σ̄:ε̄

is made stationary by conjugate gradients (linear laws: ψ = ½ (ε − ε*):C(x):(ε − ε*)) or Newton's method around them. Both are
preconditioned with the Green operator of a homogeneous reference medium C⁰, K⁻¹ with K_ik = D̄_j C⁰_ijkl D_l, block by block in
Fourier space, and with (C⁰)⁻¹/N restricted to the free mean strains. The system is symmetric and positive semi-definite.

| scheme | D_j, with a = k h/2 | transforms per iteration | use |
|---|---|---|---|
| `rotated` | (2i/h_j) sin a_j Π_{l≠j} cos a_l e^{iΣa}: corner differences | d forward, d back | voids, cracks, any contrast |
| `fourier` | i k_j, zero at the Nyquist frequency of even axes | m forward, m back | smooth stiffness |

d = 2 or 3 displacements, m = 3 or 6 components of strain. A plane problem is plane strain: the third direction enters through the
in-plane stiffness only (an eigenstrain across the plane through its in-plane equivalent, C_PP⁻¹ C_Pz ε*_zz).

The residual is the gradient g = (Dᵀσ, N(⟨σ⟩ − σ̄)) in the norm of the preconditioner, √(g·M⁻¹g). Divided by ‖σ‖ = √(Σ σ:(C⁰)⁻¹:σ)
of the same state it is at most one if all mean strains are given, and depends neither on the start nor on the scale of C⁰.

Components are Mandel's, xx, yy, √2 xy and xx, yy, zz, √2 yz, √2 xz, √2 xy, everywhere; arrays are (m, *grid.shape).

Willot (2015), doi:10.1016/j.crme.2014.12.005 (rotated scheme); Moulinec and Suquet (1998), doi:10.1016/S0045-7825(97)00218-1;
Brisard and Dormieux (2010), doi:10.1016/j.commatsci.2010.06.009 (conjugate gradients); Eisenstat and Walker (1996),
doi:10.1137/0917003 (inexact Newton).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.laws import Law, stiffness_matrix
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic_schemes import Scheme
from phasefield.mechanics.periodic_solve import Solution, Solve
from phasefield.mechanics.stiffness import PAIRS
from phasefield.registry import lookup
from phasefield.spectral.grid import Grid
from phasefield.spectral.pool import Pool
from phasefield.spectral.transforms import make_engine

# Up to this many cells a second thread costs more than it brings.
SERIAL_CELLS = 256 * 256


class PeriodicElasticity:
    """Equilibrium of a periodic cell; owns all work arrays, so that one object serves many solves on one grid.

    Args:
        grid: two or three periodic axes.
        scheme: `rotated` (default) or `fourier`; see the module.
        dtype: of fields and vectors; sums are double in any case. Single precision reaches residuals of about 1e-4.
        threads: results do not depend on it, bit for bit.

    Raises:
        InputError: unknown scheme, one-dimensional grid, or an axis that is not periodic.
    """

    def __init__(self, grid: Grid, *, scheme: str = "rotated", dtype: type = np.float64, threads: int = 1):
        if grid.dimensions not in PAIRS or any(axis.boundary != "periodic" for axis in grid.axes):
            raise InputError("periodic elasticity needs two or three periodic axes")
        kind = lookup("elastic_scheme", scheme)
        self.grid, self.dtype = grid, np.dtype(dtype)
        self._pool = Pool(threads if grid.cells > SERIAL_CELLS else 1)
        self.scheme: Scheme = kind(grid, make_engine(), self._pool, self.dtype)
        self.buffers = [self.scheme.buffers(self.scheme.components) for _ in range(2)]
        self.vectors = [np.zeros(self.scheme.vector_shape, self.dtype) for _ in range(3)]

    def solve(
        self,
        law: Law,
        control: MeanControl,
        *,
        start: Solution | None = None,
        overwrite_start: bool = False,
        tolerance: float = 1e-6,
        max_iterations: int = 2000,
        reference: np.ndarray | None = None,
    ) -> Solution:
        """Find the equilibrium, from u = 0 or from the displacement and mean strain of `start`.

        A start that satisfies the tolerance comes back as it is, bit for bit.

        Args:
            overwrite_start: let the result have the arrays of `start`, a solution of this very object that is not needed any
                more.
            tolerance: of the relative residual (see the module); met down to rounding.
            max_iterations: conjugate-gradient iterations in all.
            reference: (m, m), instead of the reference medium that the law proposes.

        Raises:
            InputError: shapes that do not fit, a tolerance or a reference medium that is not positive (definite).
            NumericalError: not converged, a linear law with negative stiffness, or no step that lowers the potential.
        """
        if law.shape != self.grid.shape or control.strain.size != self.scheme.components:
            raise InputError(f"law {law.shape} and mean control must fit the grid {self.grid.shape}")
        if start is not None and start.strain.shape[1:] != self.grid.shape:
            raise InputError(f"the starting point {start.strain.shape[1:]} must fit the grid {self.grid.shape}")
        if overwrite_start and (start is None or start.scheme is not self.scheme):
            raise InputError("only the arrays of a solution of this object can be overwritten")
        if not tolerance > 0.0:
            raise InputError(f"the tolerance must be positive, got {tolerance}")
        stiffness = law.reference() if reference is None else stiffness_matrix(reference, self.grid.dimensions)
        if not np.isfinite(stiffness).all() or not np.linalg.eigvalsh(stiffness)[0] > 0.0:
            raise InputError("the reference medium must be positive definite; is there any material in the cell?")
        self.scheme.set_reference(stiffness)
        arrays = start if overwrite_start else None
        return Solve(
            self.scheme, self.buffers, self.vectors, law, control, stiffness, tolerance, max_iterations, arrays
        ).run(start)

    def blank(self) -> Solution:
        """No displacement and no strain at all: a start whose arrays may be overwritten."""
        m, shape = self.scheme.components, self.grid.shape
        fields = (np.zeros((m, *shape), self.dtype), np.zeros((m, *shape), self.dtype), np.zeros(shape, self.dtype))
        vector = np.zeros(self.scheme.vector_shape, self.dtype)
        return Solution(self.scheme, vector, *fields, np.zeros(m), np.zeros(m), 0, (), ())

    def each_block(self, work: Callable[[slice], None]) -> None:
        """work(cells) for every block of cells, `cells` a slice of the flattened grid, by several threads at once."""
        self.scheme.row_pass(lambda thread, b, rows: work(self.scheme.cells[b]))

    @property
    def memory_bytes(self) -> int:
        """Bytes of the work arrays."""
        return self.scheme.hat.nbytes + sum(a.nbytes for a in (*self.buffers[0], *self.buffers[1], *self.vectors))

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
