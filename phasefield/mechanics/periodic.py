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

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import periodic_kernels as kernels
from phasefield.registry import lookup, register
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.pool import Pool
from phasefield.spectral.symbols import wavenumbers
from phasefield.spectral.transforms import Engine, make_engine

# Strain and stress of a block of cells, or a block of columns, should stay in the second-level cache.
BLOCK_BYTES = 1024 * 1024
# Up to this many cells a second thread costs more than it brings.
SERIAL_CELLS = 256 * 256
# Residuals below this many roundings of the stress (or of C⁰:ε, where stresses cancel) are zero.
ROUNDINGS = 1000.0
# Newton steps shorter than this fraction lead nowhere.
SHORTEST_STEP = 1e-4
# Pairs (j, k) of the components.
_PAIRS = {2: ((0, 1, 0), (0, 1, 1)), 3: ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))}


# --- material laws ----------------------------------------------------------------------------------------------------


class Law(ABC):
    """σ(x, ε) = ∂ψ/∂ε, evaluated for blocks of cells: `cells` is a slice of the flattened grid, strain and stress are (m, n).

    Blocks are handled by several threads at once. `linear` promises that `tangent` does not depend on the strain.
    """

    linear = False

    def __init__(self, shape: tuple[int, ...]):
        if len(shape) not in _PAIRS:
            raise InputError(f"a material law lives on a grid of 2 or 3 dimensions, got the shape {shape}")
        self.shape, self.components = tuple(shape), len(_PAIRS[len(shape)][0])

    @abstractmethod
    def reference(self) -> np.ndarray:
        """A positive definite stiffness (m, m) not far from ∂σ/∂ε on average: the reference medium."""

    @abstractmethod
    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        """Fill in σ (m, n) and ψ (n,)."""

    @abstractmethod
    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        """out = (∂σ/∂ε) direction at the given strain; a linear law gets None."""

    def _field(self, values: np.ndarray, leading: tuple[int, ...] = ()) -> np.ndarray:
        """`values` with flattened cells, by reference where its memory allows."""
        values = np.asarray(values)
        if values.shape != (*leading, *self.shape):
            raise InputError(f"expected an array of shape {(*leading, *self.shape)}, got {values.shape}")
        return np.ascontiguousarray(values).reshape(*leading, -1)


class LinearLaw(Law):
    """σ = C(x):(ε − ε*(x)), ψ = ½ (ε − ε*):C:(ε − ε*); eigenstrain (m, *shape) or None. Arrays are kept by reference."""

    linear = True

    def __init__(self, shape: tuple[int, ...], eigenstrain: np.ndarray | None = None):
        super().__init__(shape)
        self.eigenstrain = None if eigenstrain is None else self._field(eigenstrain, (self.components,))

    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        elastic = (
            strain if self.eigenstrain is None else strain - self.eigenstrain[:, cells].astype(strain.dtype, copy=False)
        )
        self.tangent(cells, None, elastic, stress)
        np.einsum("an,an->n", elastic, stress, out=energy)
        energy *= 0.5


class Isotropic(LinearLaw):
    """C = λ I⊗I + 2μ 𝟙 with fields λ and μ, shape (*shape); both may be zero in voids."""

    def __init__(self, lame: np.ndarray, shear: np.ndarray, eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(lame), eigenstrain)
        self.lame, self.shear = self._field(lame), self._field(shear)

    def reference(self) -> np.ndarray:
        volume = np.zeros(self.components)
        volume[: len(self.shape)] = 1.0
        return float(self.lame.mean()) * np.outer(volume, volume) + 2.0 * float(self.shear.mean()) * np.eye(volume.size)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.isotropic(self.lame, self.shear, cells.start, direction, out)


class Phases(LinearLaw):
    """C(x) = C_p for the phase number p(x): integers (*shape) and a list of stiffnesses (see `mandel_matrix`)."""

    def __init__(self, phase: np.ndarray, stiffness: Sequence[np.ndarray], eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(phase), eigenstrain)
        self.phase = self._field(phase)
        self.table = np.stack([mandel_matrix(c, len(self.shape)) for c in stiffness])
        if self.phase.dtype.kind not in "iu" or self.phase.min() < 0 or self.phase.max() >= len(self.table):
            raise InputError(f"phase numbers are integers from 0 to {len(self.table) - 1}")

    def reference(self) -> np.ndarray:
        share = np.bincount(self.phase, minlength=len(self.table)) / self.phase.size
        return np.einsum("p,pab->ab", share, self.table)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.phases(self.table, self.phase, cells.start, direction, out)


class Interpolated(LinearLaw):
    """C(x) = C_0 + Σ_p w_p(x) (C_p − C_0): weights (n, *shape) and n + 1 stiffnesses."""

    def __init__(self, weights: np.ndarray, stiffness: Sequence[np.ndarray], eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(weights)[1:], eigenstrain)
        self.base, *others = (mandel_matrix(c, len(self.shape)) for c in stiffness)
        self.weights = self._field(weights, (len(others),))
        self.contrast = np.stack([c - self.base for c in others])

    def reference(self) -> np.ndarray:
        return self.base + np.einsum("p,pab->ab", self.weights.mean(axis=1), self.contrast)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.interpolated(self.base, self.contrast, self.weights, cells.start, direction, out)


class Anisotropic(LinearLaw):
    """C(x) in full: the upper triangle of the Mandel matrix row by row, (m (m + 1)/2, *shape)."""

    def __init__(self, packed: np.ndarray, eigenstrain: np.ndarray | None = None):
        super().__init__(np.shape(packed)[1:], eigenstrain)
        self.packed = self._field(packed, (self.components * (self.components + 1) // 2,))

    def reference(self) -> np.ndarray:
        upper = np.zeros((self.components, self.components))
        upper[np.triu_indices(self.components)] = self.packed.mean(axis=1)
        return upper + np.triu(upper, 1).T

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        kernels.packed(self.packed, cells.start, direction, out)


def mandel_matrix(stiffness: np.ndarray, dimensions: int) -> np.ndarray:
    """Mandel matrix (m, m) of a stiffness given as one, as a tensor (d, d, d, d), or in space for a plane problem.

    Raises:
        InputError: another shape, or not symmetric.
    """
    c = np.asarray(stiffness, float)
    i, j = (np.array(a) for a in _PAIRS[dimensions])
    if c.ndim == 4 and min(c.shape) >= dimensions:
        factor = np.where(i == j, 1.0, np.sqrt(2.0))
        c = c[i[:, None], j[:, None], i, j] * np.outer(factor, factor)
    elif c.shape == (6, 6) and dimensions == 2:
        c = c[np.ix_((0, 1, 5), (0, 1, 5))]
    if c.shape != (i.size, i.size) or not np.allclose(c, c.T, rtol=1e-9, atol=1e-9 * np.abs(c).max()):
        raise InputError(f"a stiffness is a symmetric {i.size} x {i.size} Mandel matrix or a tensor of rank four")
    return c


# --- what is prescribed, what comes out -------------------------------------------------------------------------------


class MeanControl:
    """Along every direction of strain space either the mean strain or the mean stress.

    Args:
        kinds: "strain" or "stress" for each of the m directions.
        values: the prescribed ε̄·n_i or σ̄·n_i (Mandel components).
        directions: (m, m), orthonormal columns n_i; the components themselves by default. A proportional stress σ̄ = s n of
            unknown size s under a given strain ε̄·n = e is n as the first column, kinds ("strain", "stress", …), values (e, 0, …).

    Attributes: `strain`, `stress` (m,), the prescribed parts; `free` (m, q), the directions whose mean strain is unknown.
    """

    def __init__(self, kinds: Sequence[str], values: Sequence[float], directions: np.ndarray | None = None):
        m = len(kinds)
        given = np.asarray(values, float)
        basis = np.eye(m) if directions is None else np.asarray(directions, float)
        if m not in (3, 6) or given.shape != (m,) or basis.shape != (m, m) or not set(kinds) <= {"strain", "stress"}:
            raise InputError(
                "the mean needs 3 (plane) or 6 kinds, 'strain' or 'stress', and as many values and directions"
            )
        if not np.allclose(basis.T @ basis, np.eye(m), atol=1e-10):
            raise InputError("the directions of a mean control must be orthonormal columns")
        free = np.array([kind == "stress" for kind in kinds])
        self.strain = basis[:, ~free] @ given[~free]
        self.stress = basis[:, free] @ given[free]
        self.free = basis[:, free]


@dataclass(frozen=True, eq=False)
class Solution:
    """Equilibrium fields; Mandel components.

    Attributes:
        vector: periodic fluctuation u as its scheme keeps it, `scheme.vector_shape`.
        strain, stress: (m, *shape), at the centres. In voids the strain is that of one of many continuations.
        energy_density: ψ, (*shape).
        mean_strain, mean_stress: (m,).
        iterations: conjugate-gradient iterations, over all Newton steps.
        residuals: true relative residual at the start, after every Newton step and at the end.
        history: residual at the start and after every iteration (of the linearised problem), by the ‖σ‖ of the solution.
    """

    scheme: _Scheme
    vector: np.ndarray
    strain: np.ndarray
    stress: np.ndarray
    energy_density: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    iterations: int
    residuals: tuple[float, ...]
    history: tuple[float, ...]

    @cached_property
    def displacement(self) -> np.ndarray:
        """u, (d, *shape); at the lower corners of cells (rotated) or at centres (fourier)."""
        return self.scheme.to_cells(self.vector)


# --- discretisations --------------------------------------------------------------------------------------------------


class _Scheme(ABC):
    """Discrete gradient, its adjoint and the Green operator, on blocks of rows (cells) and of columns (modes).

    Vectors of the conjugate gradients are real arrays `vector_shape` = (d, n0, w).
    """

    def __init__(self, grid: Grid, fields: int, width: int, engine: Engine, pool: Pool, dtype: np.dtype):
        self.grid, self.engine, self.pool, self.dtype = grid, engine, pool, dtype
        self.dimensions, self.components = d, m = grid.dimensions, len(_PAIRS[grid.dimensions][0])
        n0, n1, nx = grid.shape[0], (grid.shape[1] if d == 3 else 1), grid.shape[-1]
        self.box, modes = (n0, n1, nx), nx // 2 + 1
        self.vector_shape = (d, n0, width)
        height = min(max(2, BLOCK_BYTES // (2 * m * n1 * nx * dtype.itemsize)), n0)
        self.rows = [slice(a, min(a + height, n0)) for a in range(0, n0, height)]
        self.cells = [slice(r.start * n1 * nx, r.stop * n1 * nx) for r in self.rows]
        lines = n1 * modes
        across = max(8, BLOCK_BYTES // (2 * fields * n0 * dtype.itemsize))
        self.columns = [(c, min(c + across, lines)) for c in range(0, lines, across)]
        self.axes = (2, 3) if d == 3 else (3,)
        self.hat = np.zeros((fields, n0, n1, modes), np.result_type(dtype, np.complex64))
        self.lines = self.hat.reshape(fields, n0, lines)
        self.modes = self.lines.view(dtype)
        self._make_symbols()

    def _make_symbols(self) -> None:
        """Tables t_j = column[j, e] row[j, a], and how many cells times modes of the full spectrum number e stands for."""
        d, (_, n1, nx) = self.dimensions, self.box
        # factor[j][n]: what axis n contributes to t_j, for the wavenumbers of axis n.
        pairs = [self.axis_factors(axis, half=n == 0) for n, axis in enumerate(self.grid.axes)]
        factor = [[pairs[n][0 if n == j else 1] for n in range(d)] for j in range(d)]
        self.row = np.stack([factor[j][d - 1] for j in range(d)])
        middle = [factor[j][1] if d == 3 else np.ones(1) for j in range(d)]
        # Twice, for real and imaginary parts.
        self.column = np.stack([np.repeat(np.outer(middle[j], factor[j][0]), 2) for j in range(d)])
        conjugates = np.full(nx // 2 + 1, 2.0)
        conjugates[0] = 1.0
        if nx % 2 == 0:
            conjugates[-1] = 1.0
        self.weight = self.grid.cells * np.repeat(np.tile(conjugates, n1), 2)
        self._green = kernels.green_2d if d == 2 else kernels.green_3d

    @staticmethod
    @abstractmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        """What an axis contributes to the derivative along itself and to the derivatives along the others."""

    def set_reference(self, stiffness: np.ndarray) -> None:
        """Take C⁰ (m, m) for the Green operator."""
        i, j = (np.array(a) for a in _PAIRS[self.dimensions])
        c = stiffness / np.outer(*2 * [np.where(i == j, 1.0, np.sqrt(2.0))])
        position = np.zeros((self.dimensions, self.dimensions), int)
        position[i, j] = position[j, i] = np.arange(i.size)
        # K_ik = Σ_jl C_ijkl t_j t_l; off-diagonal products t_j t_l occur twice.
        pair = c[position[i[:, None], i], position[j[:, None], j]] + c[position[i[:, None], j], position[j[:, None], i]]
        self.acoustic = tuple(tuple(form) for form in (pair * np.where(i == j, 0.5, 1.0)).tolist())

    def _column_pass(self, work: Callable[[int, int], float | None], *, forward: bool, backward: bool) -> float:
        """For blocks of columns: transform along the slowest axis, work(first number, last), transform back; Σ of the results."""
        sums = np.zeros(len(self.columns))

        def blocks(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                begin, end = self.columns[b]
                view = self.lines[:, :, begin:end]
                if forward:
                    self.engine.complex(view, 1, True, view)
                sums[b] = work(2 * begin, 2 * end) or 0.0
                if backward:
                    self.engine.complex(view, 1, False, view)

        self.pool.run(blocks, len(self.columns))
        return float(sums.sum())

    def _green_sum(self, first: int, last: int) -> float:
        """z = K⁻¹ g in the work array; g·z."""
        z = self.modes[: self.dimensions]
        return self._green(self.acoustic, self.column, self.row, self.weight, first, last, z)

    def row_pass(self, work: Callable[[int, int, slice], None]) -> None:
        def blocks(thread: int, first: int, last: int) -> None:
            for b in range(first, last):
                work(thread, b, self.rows[b])

        self.pool.run(blocks, len(self.rows))

    def buffers(self, fields: int) -> list[np.ndarray]:
        """One array for the largest block of rows per thread, flat."""
        return [np.zeros(fields * self.cells[0].stop, self.dtype) for _ in range(self.pool.threads)]

    def block(self, buffer: np.ndarray, b: int, fields: int) -> np.ndarray:
        """The contiguous view (fields, rows, n1, nx) of a buffer that fits block b."""
        rows, (_, n1, nx) = self.rows[b].stop - self.rows[b].start, self.box
        return buffer[: fields * rows * n1 * nx].reshape(fields, rows, n1, nx)

    # What the solver asks for. `begin` and `end` frame a pass over the blocks of cells. `precondition` returns g·M⁻¹g, after it
    # has moved x and g when told so (`advance`), and leaves z = M⁻¹g behind, with which `turn` makes p = z + β p.

    @abstractmethod
    def begin(self, u: np.ndarray, mean: np.ndarray) -> None: ...

    @abstractmethod
    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None: ...

    @abstractmethod
    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None: ...

    @abstractmethod
    def end(self, out: np.ndarray) -> None: ...

    @abstractmethod
    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float: ...

    @abstractmethod
    def turn(self, beta: float, p: np.ndarray) -> None: ...

    @abstractmethod
    def to_cells(self, vector: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def from_cells(self, u: np.ndarray) -> np.ndarray: ...


@register("elastic_scheme", "rotated")
class _Rotated(_Scheme):
    """Corner differences in real space; only the preconditioner transforms, d fields there and back."""

    def __init__(self, grid: Grid, engine: Engine, pool: Pool, dtype: np.dtype):
        d = grid.dimensions
        super().__init__(grid, d, grid.cells // grid.shape[0], engine, pool, dtype)
        _, n1, nx = self.box
        self._edges = np.zeros((len(self.rows), d, n1, nx), dtype)
        self._scratch = np.zeros((pool.threads, d * d + 1, nx + 1), dtype)
        self._z = self.buffers(d)
        self._strain = kernels.rotated_strain_2d if d == 2 else kernels.rotated_strain_3d
        self._force = kernels.rotated_force_2d if d == 2 else kernels.rotated_force_3d

    @staticmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        angle = 0.5 * axis.spacing * wavenumbers(axis, half=half)
        cosine = np.cos(angle)
        if axis.cells % 2 == 0:
            cosine[axis.cells // 2] = 0.0  # exactly, so that the modes the gradient does not see are recognised
        return 2.0 / axis.spacing * np.sin(angle), cosine

    def _full(self, vector: np.ndarray) -> np.ndarray:
        return vector.reshape(self.dimensions, *self.box)

    def begin(self, u: np.ndarray, mean: np.ndarray) -> None:
        pass

    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
        self._strain(self._full(u), self.rows[b].start, self.grid.spacing, mean, self._scratch[thread], out)

    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None:
        scratch, edge = self._scratch[thread], self._edges[b]
        self._force(stress, self.rows[b].start, self.grid.spacing, scratch, self._full(out), edge)

    def end(self, out: np.ndarray) -> None:
        for rows, edge in zip(self.rows, self._edges, strict=True):
            self._full(out)[:, rows.stop % self.box[0]] += edge

    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float:
        def forward(thread: int, b: int, rows: slice) -> None:
            if update is not None:
                alpha, x, p, force = update
                kernels.advance(alpha, x, g, p, force, rows.start, rows.stop)
            self.engine.real_forward(self._full(g)[:, rows], self.axes, self.hat[:, rows])

        self.row_pass(forward)
        return self._column_pass(self._green_sum, forward=True, backward=True)

    def turn(self, beta: float, p: np.ndarray) -> None:
        def backward(thread: int, b: int, rows: slice) -> None:
            z = self.block(self._z[thread], b, self.dimensions)
            self.engine.real_backward(self.hat[:, rows], self.axes, z)
            kernels.turn(beta, z.reshape(*z.shape[:2], -1), p, rows.start)

        self.row_pass(backward)

    def to_cells(self, vector: np.ndarray) -> np.ndarray:
        return vector.reshape(self.dimensions, *self.grid.shape).copy()

    def from_cells(self, u: np.ndarray) -> np.ndarray:
        return np.array(u, self.dtype).reshape(self.vector_shape)


@register("elastic_scheme", "fourier")
class _Fourier(_Scheme):
    """Derivatives of the trigonometric interpolant; strain and stress are transformed, vectors are coefficients i û."""

    def __init__(self, grid: Grid, engine: Engine, pool: Pool, dtype: np.dtype):
        modes = grid.cells // grid.axes[0].cells // grid.shape[0] * (grid.axes[0].cells // 2 + 1)
        super().__init__(grid, len(_PAIRS[grid.dimensions][0]), 2 * modes, engine, pool, dtype)

    @staticmethod
    def axis_factors(axis: Axis, *, half: bool) -> tuple[np.ndarray, np.ndarray]:
        k = wavenumbers(axis, half=half)
        if axis.cells % 2 == 0:
            k[axis.cells // 2] = 0.0  # i k would make a real field imaginary there
        return k, np.ones_like(k)

    def begin(self, u: np.ndarray, mean: np.ndarray) -> None:
        def gradient(first: int, last: int) -> None:
            kernels.fourier_strain(u, self.column, self.row, first, last, mean, self.modes)

        self._column_pass(gradient, forward=False, backward=True)

    def strain(self, thread: int, b: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> None:
        self.engine.real_backward(self.hat[:, self.rows[b]], self.axes, out)

    def force(self, thread: int, b: int, stress: np.ndarray, out: np.ndarray) -> None:
        self.engine.real_forward(stress, self.axes, self.hat[:, self.rows[b]])

    def end(self, out: np.ndarray) -> None:
        def divergence(first: int, last: int) -> None:
            kernels.fourier_force(self.modes, self.column, self.row, first, last, out)

        self._column_pass(divergence, forward=True, backward=False)

    def precondition(self, g: np.ndarray, update: tuple | None = None) -> float:
        if update is not None:
            alpha, x, p, force = update
            self.row_pass(lambda thread, b, rows: kernels.advance(alpha, x, g, p, force, rows.start, rows.stop))

        def green(first: int, last: int) -> float:
            self.modes[: self.dimensions, :, first:last] = g[:, :, first:last]
            return self._green_sum(first, last)

        return self._column_pass(green, forward=False, backward=False)

    def turn(self, beta: float, p: np.ndarray) -> None:
        z = self.modes[: self.dimensions]
        self.row_pass(lambda thread, b, rows: kernels.turn(beta, z[:, rows], p, rows.start))

    def to_cells(self, vector: np.ndarray) -> np.ndarray:
        u = np.empty((self.dimensions, *self.box), self.dtype)
        hat = -1j * vector.view(self.hat.dtype).reshape(self.dimensions, *self.hat.shape[1:])
        self.engine.complex(hat, 1, False, hat)
        self.engine.real_backward(hat, self.axes, u)
        return u.reshape(self.dimensions, *self.grid.shape)

    def from_cells(self, u: np.ndarray) -> np.ndarray:
        hat = np.empty((self.dimensions, *self.hat.shape[1:]), self.hat.dtype)
        self.engine.real_forward(np.ascontiguousarray(u, self.dtype).reshape(-1, *self.box), self.axes, hat)
        self.engine.complex(hat, 1, True, hat)
        hat *= 1j
        return hat.reshape(self.dimensions, self.box[0], -1).view(self.dtype)


# --- solver -----------------------------------------------------------------------------------------------------------


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
        if grid.dimensions not in _PAIRS or any(axis.boundary != "periodic" for axis in grid.axes):
            raise InputError("periodic elasticity needs two or three periodic axes")
        kind = lookup("elastic_scheme", scheme)
        self.grid, self.dtype = grid, np.dtype(dtype)
        self._pool = Pool(threads if grid.cells > SERIAL_CELLS else 1)
        self.scheme: _Scheme = kind(grid, make_engine(), self._pool, self.dtype)
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
        stiffness = law.reference() if reference is None else mandel_matrix(reference, self.grid.dimensions)
        if not np.isfinite(stiffness).all() or not np.linalg.eigvalsh(stiffness)[0] > 0.0:
            raise InputError("the reference medium must be positive definite; is there any material in the cell?")
        self.scheme.set_reference(stiffness)
        arrays = start if overwrite_start else None
        return _Solve(self, law, control, stiffness, tolerance, max_iterations, arrays).run(start)

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


@dataclass(frozen=True)
class _State:
    """A point (u, ε̄) as the solver sees it: norms of gradient, stress and C⁰:ε, the potential, and means."""

    residual: float
    stress: float
    strain: float
    potential: float
    mean_gradient: np.ndarray
    mean_stress: np.ndarray


class _Solve:
    """One solve: the outer loop and the conjugate gradients inside it.

    The gradient g of the potential, not its negative, is carried along, so steps are subtracted. Mean strains are
    control.strain + free y. With a linear law the iterations work on (u, y) itself, else on a Newton step (x, x_mean).
    """

    def __init__(
        self,
        cell: PeriodicElasticity,
        law: Law,
        control: MeanControl,
        reference: np.ndarray,
        tolerance: float,
        limit: int,
        arrays: Solution | None = None,
    ):
        self.scheme, self.buffers, self.law, self.control = cell.scheme, cell.buffers, law, control
        self.g, self.p, self.force = cell.vectors
        self.m, self.count, self.shape = control.strain.size, cell.grid.cells, cell.grid.shape
        self.reference, self.compliance = reference, np.linalg.inv(reference)
        self.mean_inverse = np.linalg.inv(control.free.T @ reference @ control.free) / self.count
        if arrays is None:
            self.strain, self.stress = (np.empty((self.m, self.count), cell.dtype) for _ in range(2))
            self.energy = np.empty(self.count, cell.dtype)
        else:
            self.strain, self.stress = (a.reshape(self.m, -1) for a in (arrays.strain, arrays.stress))
            self.energy = arrays.energy_density.reshape(-1)
        self.overwrite = arrays is not None
        self.tolerance, self.limit, self.rounding = tolerance, limit, ROUNDINGS * float(np.finfo(cell.dtype).eps)
        self.iterations, self.residuals, self.history = 0, [], []

    def run(self, start: Solution | None) -> Solution:
        if start is None:
            u, y = np.zeros_like(self.g), np.zeros(self.control.free.shape[1])
        else:
            u, y = self._vector_of(start), self.control.free.T @ start.mean_strain
        state = self._note(self._evaluate(u, y, self.g))
        self.history.append(state.residual)
        if not state.residual <= self.goal:
            state = (self._linear if self.law.linear else self._newton)(u, y, state)
        return Solution(
            scheme=self.scheme,
            vector=u,
            strain=self.strain.reshape(-1, *self.shape),
            stress=self.stress.reshape(-1, *self.shape),
            energy_density=self.energy.reshape(self.shape),
            mean_strain=self._mean(y),
            mean_stress=state.mean_stress,
            iterations=self.iterations,
            residuals=tuple(self.residuals),
            history=tuple(self._relative(norm) for norm in self.history),
        )

    def _vector_of(self, start: Solution) -> np.ndarray:
        """The displacement of a starting point, which may belong to another scheme or precision."""
        alike = type(start.scheme) is type(self.scheme) and start.vector.dtype == self.g.dtype
        if not alike:
            return self.scheme.from_cells(start.displacement)
        return start.vector if self.overwrite else start.vector.copy()

    def _linear(self, u: np.ndarray, y: np.ndarray, state: _State) -> _State:
        """Conjugate gradients on (u, y), checked against the true residual and stress when they claim to have converged."""
        last = np.inf
        self._begin(state)
        while True:
            while self.norm > self.goal:
                if not self._iterate(u, y):
                    raise self._failure("the stiffness is not positive")
            # Into the other array: if the stress has become smaller than at the start, the iterations go on as they were.
            state = self._note(self._evaluate(u, y, self.force))
            if state.residual <= self.goal:
                return state
            if self.norm <= self.goal:
                # Rounding has driven the recurrence away from the true residual: begin again from there.
                if not state.residual < 0.5 * last:
                    raise self._failure(f"rounding keeps the relative residual at {self.residuals[-1]:.1e}")
                self.g, self.force, last = self.force, self.g, state.residual
                self._begin(state)

    def _newton(self, u: np.ndarray, y: np.ndarray, state: _State) -> _State:
        """Inexact Newton steps; the forcing term min(0.1, relative residual) keeps the convergence quadratic."""
        x, x_mean = np.zeros_like(u), np.zeros_like(y)
        while not state.residual <= self.goal:
            x[...], x_mean[...] = 0.0, 0.0
            self._begin(state)
            target = max(min(0.1, self.residuals[-1]) * state.residual, 0.5 * self.goal)
            while self.norm > target and self._iterate(x, x_mean):
                pass
            if self.descent == 0.0:  # negative curvature at once: down the preconditioned gradient
                x[...], x_mean[...], self.descent = -self.p, -self.p_mean, self.norm**2
            state = self._note(self._search(u, y, x, x_mean, state))
        return state

    def _search(self, u: np.ndarray, y: np.ndarray, x: np.ndarray, x_mean: np.ndarray, state: _State) -> _State:
        """Add (x, x_mean), halved until the potential falls as it should (Armijo); moves u and y."""
        u += x
        y += x_mean
        length = 1.0
        while length > SHORTEST_STEP:
            trial = self._evaluate(u, y, self.g)
            # Near the minimum the decrease drowns in the rounding of the potential.
            bound = state.potential - 1e-4 * length * self.descent + self.rounding * state.stress * state.strain
            if trial.potential <= bound:
                return trial
            length *= 0.5
            u -= length * x
            y -= length * x_mean
        raise self._failure("no step along the Newton direction lowers the potential")

    # conjugate gradients

    def _begin(self, state: _State) -> None:
        """Start at g, whose M⁻¹g the evaluation has left in the scheme. `descent` adds up −g₀·x = Σ α (g·M⁻¹g)."""
        self.g_mean, self.norm, self.descent = state.mean_gradient, state.residual, 0.0
        self.p_mean = self.mean_inverse @ self.g_mean
        self.scheme.turn(0.0, self.p)

    def _iterate(self, x: np.ndarray, x_mean: np.ndarray) -> bool:
        """One iteration on (x, x_mean); False, and nothing done, where the curvature along the direction is not positive."""
        if self.iterations == self.limit:
            raise self._failure(f"relative residual {self._relative(self.norm):.1e}, tolerance {self.tolerance:.1e}")
        sums = self._cells(self._tangent, self.m + 1, self.p, self.control.free @ self.p_mean, self.force)
        if not np.isfinite(sums[0]):
            raise self._failure("strain or tangent are not finite")
        if not sums[0] > 0.0:
            return False
        square = self.norm**2
        alpha = square / sums[0]
        x_mean -= alpha * self.p_mean
        self.g_mean = self.g_mean - alpha * (self.control.free.T @ sums[1:])
        z_mean = self.mean_inverse @ self.g_mean
        remaining = self.scheme.precondition(self.g, (alpha, x, self.p, self.force)) + float(self.g_mean @ z_mean)
        self.scheme.turn(remaining / square, self.p)
        self.p_mean = z_mean + remaining / square * self.p_mean
        self.norm = float(np.sqrt(remaining))
        self.descent += alpha * square
        self.iterations += 1
        self.history.append(self.norm)
        return True

    # passes over the cells

    def _cells(
        self, respond: Callable[..., None], width: int, u: np.ndarray, mean: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """out = Dᵀσ, with the σ that `respond` finds for ε = mean + sym(Du); returns the sums it wrote, (width,)."""
        scheme, (strains, stresses) = self.scheme, self.buffers
        sums = np.zeros((len(scheme.rows), width))
        scheme.begin(u, mean)

        def work(thread: int, b: int, rows: slice) -> None:
            strain, stress = scheme.block(strains[thread], b, self.m), scheme.block(stresses[thread], b, self.m)
            scheme.strain(thread, b, u, mean, strain)
            respond(scheme.cells[b], strain.reshape(self.m, -1), stress.reshape(self.m, -1), sums[b])
            scheme.force(thread, b, stress, out)

        scheme.row_pass(work)
        scheme.end(out)
        return sums.sum(axis=0)

    def _tangent(self, cells: slice, strain: np.ndarray, stress: np.ndarray, sums: np.ndarray) -> None:
        self.law.tangent(cells, None if self.law.linear else self.strain[:, cells], strain, stress)
        kernels.pairing(strain, stress, sums)

    def _response(self, cells: slice, strain: np.ndarray, stress: np.ndarray, sums: np.ndarray) -> None:
        self.law.stress(cells, strain, stress, self.energy[cells])
        self.strain[:, cells], self.stress[:, cells] = strain, stress
        kernels.pairing(strain, stress, sums)
        sums[0] = self.energy[cells].sum(dtype=float)
        sums[-2:] = kernels.quadratic(self.compliance, stress), kernels.quadratic(self.reference, strain)

    def _evaluate(self, u: np.ndarray, y: np.ndarray, out: np.ndarray) -> _State:
        """Fields, gradient (into `out`) and norms at (u, y)."""
        mean, given = self._mean(y), self.control.stress
        sums = self._cells(self._response, self.m + 3, u, mean, out)
        total = sums[1 : self.m + 1]
        g_mean = self.control.free.T @ (total - self.count * given)
        # Without any stress at the start the load sets the scale.
        stress = max(sums[-2], self.count * float(given @ self.compliance @ given))
        return _State(
            residual=float(np.sqrt(self.scheme.precondition(out) + g_mean @ self.mean_inverse @ g_mean)),
            stress=float(np.sqrt(stress)),
            strain=float(np.sqrt(sums[-1])),
            potential=float(sums[0] - self.count * given @ mean),
            mean_gradient=g_mean,
            mean_stress=total / self.count,
        )

    def _mean(self, y: np.ndarray) -> np.ndarray:
        return self.control.strain + self.control.free @ y

    def _note(self, state: _State) -> _State:
        """Set the residual that counts as converged at this state, and note the present one."""
        if not np.isfinite(state.residual):
            raise self._failure("strain or stress are not finite")
        self.goal = max(self.tolerance * state.stress, self.rounding * (state.stress + state.strain))
        self.residuals.append(self._relative(state.residual))
        return state

    def _relative(self, residual: float) -> float:
        """The residual by ‖σ‖, or by what makes the goal the tolerance where rounding sets the goal."""
        return residual * (self.tolerance / self.goal) if self.goal > 0.0 else residual

    def _failure(self, reason: str) -> NumericalError:
        return NumericalError(f"no equilibrium after {self.iterations} iterations: {reason}")
