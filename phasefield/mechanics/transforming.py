"""Equilibrium of a body whose eigenstrain and stiffness follow order parameters η_p.

    ε* = s Σ_p ε⁰_p h(η_p) + ε^f(x),     C = (1 − r(x)) [C₀ + Σ_p v_p (C_p − C₀)] + r(x) C_r

h and w are polynomials. The weight v_p = w(η_p) Π_{q≠p} (1 − w(η_q)) is w(η_p) where no other variant is: with 0 ≤ w ≤ 1 all of
them add up to at most 1, so that C stays positive definite where variants overlap. ε^f is a fixed eigenstrain, r a fixed field
between 0 and 1: a region of another material, which transforms (s = 1) or does not (s = 1 − r). The energy
F = min ∫ ½ (ε−ε*):C:(ε−ε*) dV − V σ̄:ε̄, the last term over components whose mean stress is prescribed, has the derivative

    δF/δη_p = −s h′(η_p) σ:ε⁰_p + ½ w′(η_p) (1 − r) e:[Σ_q (∂v_q/∂w_p) (C_q − C₀)]:e,     e = ε − ε*,

at the equilibrium, however ε depends on η. Equilibria are found by `mechanics.periodic`, each from the one before.

Strains have six components on every grid, and fields do not vary along missing axes, as in `mechanics.homogeneous`. A plane
problem is solved in the plane if nothing couples to the shears across it; otherwise the grid becomes a slab one cell thick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from phasefield.errors import InputError, NumericalError
from phasefield.mechanics import periodic_kernels
from phasefield.mechanics import transforming_kernels as kernels
from phasefield.mechanics.laws import LinearLaw
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.periodic_solve import Solution
from phasefield.mechanics.stiffness import from_components, from_mandel, mandel_matrix, to_mandel
from phasefield.mechanics.transforming_body import TransformingBody
from phasefield.spectral.grid import Axis, Grid

# Of the relative residual. The energy is off by its square, which has to drown in rounding: steps are judged by energies.
TOLERANCE = 1e-7
# Components, out of xx, yy, zz, yz, xz, xy, in the order in which they are computed. In the plane xx, yy, xy are the solver's and
# zz comes along; in a slab y is along the slowest axis, and the one cell along the middle one.
_PLANE, _SLAB, _SPACE = (0, 1, 5, 2), (0, 2, 1, 3, 5, 4), (0, 1, 2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class Peaks:
    """Largest values over a body, per variant (N): |σ:ε⁰_p|, |∂(½ e:C:e)/∂w_p| and |e:(C_p − C₀):ε⁰_p|."""

    stress: np.ndarray
    energy: np.ndarray
    softening: np.ndarray

    @classmethod
    def of_stress(cls, stress: np.ndarray) -> Peaks:
        """Of a body with one stiffness."""
        return cls(stress, np.zeros_like(stress), np.zeros_like(stress))


class _Law(LinearLaw):
    """The stiffness of a transforming body with its present weights; components in the order of the solver, others last."""

    def __init__(self, grid: Grid, base: np.ndarray, contrast: np.ndarray, inside: int):
        super().__init__(grid.shape)
        M, cells = len(base), grid.cells
        self.base, self.contrast = base, contrast
        self.weights = np.zeros((len(contrast), cells))
        self.eigen, self.elastic, self.whole = (np.zeros((M, cells)) for _ in range(3))
        self._inner = base[:inside, :inside].copy(), contrast[:, :inside, :inside].copy()

    def reference(self) -> np.ndarray:
        base, contrast = self._inner
        return base + np.einsum("k,kab->ab", self.weights.mean(axis=1), contrast)

    def stress(self, cells: slice, strain: np.ndarray, stress: np.ndarray, energy: np.ndarray) -> None:
        arrays = (self.base, self.contrast, self.weights, self.eigen, cells.start, strain)
        kernels.stress(*arrays, self.elastic, self.whole, stress, energy)

    def tangent(self, cells: slice, strain: np.ndarray | None, direction: np.ndarray, out: np.ndarray) -> None:
        periodic_kernels.interpolated(*self._inner, self.weights, cells.start, direction, out)


class TransformingElasticity:
    """Equilibria of a transforming body on one grid; owns all work arrays and remembers the last equilibrium.

    Args:
        body: what transforms how.
        grid: 1, 2 or 3 periodic axes.
        fixed: ε^f, tensor components (6, *grid.shape), or None.
        region: r (*grid.shape), which a body with a region needs.
        in_plane: whether loads leave shears across the plane and the mean stress normal to it alone.
        scheme: of `mechanics.periodic`; tolerance: of its relative residual; threads: do not change results.

    Attributes: `energy`, F of the last equilibrium; `forces` (N, *grid.shape), δF/δη; `mean_strain`, `mean_stress` (3, 3);
    `peaks`; `iterations`, all so far.

    Raises:
        InputError: axes that are not periodic, a region outside 0 … 1 or missing.
    """

    def __init__(
        self,
        body: TransformingBody,
        grid: Grid,
        *,
        fixed: np.ndarray | None = None,
        region: np.ndarray | None = None,
        in_plane: bool = True,
        scheme: str = "fourier",
        tolerance: float = TOLERANCE,
        threads: int = 1,
    ):
        self.body, self.grid, self._tolerance = body, grid, tolerance
        self._rows, contrasts = body.contrasts()
        strains, base = to_mandel(body.strains.transpose(1, 2, 0)).T, mandel_matrix(body.stiffness)
        in_plane = in_plane and grid.dimensions == 2 and not _shears_across([base, *contrasts], strains, fixed)
        self._order = order = np.array(_PLANE if in_plane else _SLAB if grid.dimensions == 2 else _SPACE)
        self._inside = 3 if in_plane else 6
        box = grid if in_plane or grid.dimensions == 3 else _slab(grid)
        self._cell = PeriodicElasticity(box, scheme=scheme, threads=threads)
        # Rotations leave rounding where zeros should be, and zeros cost nothing.
        base, *contrasts = (np.where(np.abs(C) > 1e-14 * np.abs(base).max(), C, 0.0) for C in (base, *contrasts))
        select = np.ix_(order, order)
        contrast = np.array([C[select] for C in contrasts]).reshape(-1, len(order), len(order))
        self._law = _Law(box, base[select].copy(), contrast, self._inside)
        self._strains = np.ascontiguousarray(strains[:, order])
        self._fixed = np.zeros((len(order), 0))
        if fixed is not None:
            self._fixed = np.ascontiguousarray(to_mandel(from_components(fixed)).reshape(6, -1)[order])
        self._variants = len(contrasts) - (body.region is not None)
        self._region = self._idle = np.zeros(0)
        if body.region is not None:
            self._region = _checked_region(region, grid)
            self._law.weights[-1] = self._region
            self._idle = self._idle if body.region_transforms else self._region
        self._h, self._w = (np.array(c, float) for c in (body.strain_function, body.stiffness_function))
        self._offset = np.zeros(len(order))
        self._scratch = np.zeros((len(contrasts) + 2, grid.cells))
        self._solution = self._cell.blank()
        self._kept: tuple[np.ndarray, np.ndarray] | None = None
        self.forces = np.zeros((len(strains), *grid.shape))
        self.energy = np.nan
        self.iterations = 0
        self.mean_strain, self.mean_stress = np.zeros((3, 3)), np.zeros((3, 3))
        self.peaks = Peaks.of_stress(np.zeros(len(strains)))

    def solve(self, eta: np.ndarray, stress_controlled: np.ndarray, values: np.ndarray) -> None:
        """Equilibrium for order parameters (N, *grid.shape) under a load: flags and tensor components, (6,) each.

        Raises:
            NumericalError: no equilibrium was found, as when the stiffness is negative somewhere.
        """
        flat = np.ascontiguousarray(eta, float).reshape(len(self._strains), -1)
        flags, prescribed = stress_controlled[self._order], to_mandel(from_components(values))[self._order]
        law, inside = self._law, self._inside
        # Prescribed strains out of the plane count as eigenstrains with their sign changed: the solver's are zero there.
        offset = self._offset = np.where(np.arange(len(flags)) < inside, 0.0, -prescribed)

        def fill(cells: slice) -> None:
            given = (self._strains, self._rows, offset, self._fixed, self._region, self._idle)
            kernels.transform(flat, self._h, self._w, *given, cells.start, cells.stop, law.eigen, law.weights)

        self._cell.each_block(fill)
        control = MeanControl(["stress" if f else "strain" for f in flags[:inside]], prescribed[:inside].tolist())
        try:
            found = self._cell.solve(
                law, control, start=self._solution, overwrite_start=True, tolerance=self._tolerance
            )
        except (InputError, NumericalError) as reason:
            # Not the user's input: the stiffness that order parameters make is negative, somewhere or on average.
            sums = law.weights[: self._variants].sum(axis=0)
            hint = f"; weights of the variants add up to {sums.min():.3g} … {sums.max():.3g}" if self._variants else ""
            raise NumericalError(f"{reason}{hint}") from None
        self._solution = found
        self.iterations += found.iterations
        self._measure(found, flags, prescribed)
        self._drive(flat)

    def _measure(self, found: Solution, flags: np.ndarray, given: np.ndarray) -> None:
        inside, law = self._inside, self._law
        strain, stress = np.zeros(6), np.zeros(6)
        outside = self._order[inside:]
        strain[self._order[:inside]], stress[self._order[:inside]] = found.mean_strain, found.mean_stress
        strain[outside], stress[outside] = given[inside:], law.whole[inside:].mean(axis=1)
        self.mean_strain, self.mean_stress = from_mandel(strain), from_mandel(stress)
        free = flags[:inside]
        work = float(given[:inside][free] @ found.mean_strain[free])
        self.energy = self.grid.cell_volume * float(found.energy_density.sum()) - self.grid.volume * work

    def _drive(self, eta: np.ndarray) -> None:
        law, N = self._law, len(eta)
        found: dict[int, np.ndarray] = {}

        def work(cells: slice) -> None:
            found[cells.start] = block = np.zeros((3, N))
            given = (self._strains, self._rows, law.contrast, self._region, self._idle, law.elastic, law.whole)
            out = (cells.start, cells.stop, self._scratch, self.forces.reshape(N, -1), block)
            kernels.forces(eta, self._h, self._w, *given, *out)

        self._cell.each_block(work)
        self.peaks = Peaks(*np.max(list(found.values()), axis=0))

    def directions(self, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """Where displacements vary along at signed mode numbers of x[, y[, z]], (…, 3): n of any length as the discretisation has
        it, 0 for modes that it does not relax, such as those at the Nyquist frequency.
        """
        pairs = [self._cell.scheme.axis_factors(axis, half=False) for axis in self.grid.axes]
        own, others = ([p[i][m] for p, m in zip(pairs, indices, strict=True)] for i in (0, 1))
        result = np.zeros((*np.broadcast_shapes(*(np.shape(m) for m in indices)), 3))
        for j, factor in enumerate(own):
            result[..., j] = factor
            for i, other in enumerate(others):
                result[..., j] *= other if i != j else 1.0
        return result

    # --- the equilibrium from which the next one is looked for --------------------------------------------------

    def keep(self) -> None:
        """Remember the last equilibrium for `rewind`."""
        found = self._solution
        if self._kept is None:
            self._kept = found.vector.copy(), found.mean_strain.copy()
        self._kept[0][...], self._kept[1][...] = found.vector, found.mean_strain

    def rewind(self) -> None:
        """Look for the next equilibrium from the one kept; for the state it belongs to it is found again bit for bit."""
        if self._kept is not None:
            vector, mean = self._kept
            self._solution.vector[...] = vector
            self._solution = replace(self._solution, mean_strain=mean.copy())

    def checkpoint(self) -> dict[str, np.ndarray]:
        """The equilibrium kept."""
        return {} if self._kept is None else {"elastic_vector": self._kept[0], "elastic_mean": self._kept[1]}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the equilibrium of a checkpoint; forget all equilibria where there is none."""
        self._kept = None
        if arrays:
            self._kept = np.array(arrays["elastic_vector"]), np.array(arrays["elastic_mean"])
            self.rewind()
        else:
            self._solution = self._cell.blank()

    @property
    def memory_bytes(self) -> int:
        """Bytes of all arrays."""
        law, found = self._law, self._solution
        own = (self.forces, self._fixed, self._scratch, law.weights, law.eigen, law.elastic, law.whole)
        kept = (found.vector, found.vector, found.strain, found.stress, found.energy_density)
        return self._cell.memory_bytes + sum(a.nbytes for a in (*own, *kept))

    def fields(self) -> dict[str, np.ndarray]:
        """Of the last equilibrium, as `HomogeneousElasticity.fields`: strain, stress, displacement and energy_density."""
        law, order, found = self._law, self._order, self._solution
        strain, stress = (np.zeros((6, self.grid.cells)) for _ in range(2))
        strain[order], stress[order] = law.elastic + law.eigen - self._offset[:, None], law.whole
        u = np.zeros((3, self.grid.cells))
        axes = [0, 2, 1] if order[1] == 2 else list(range(len(found.displacement)))
        u[axes] = found.displacement.reshape(len(axes), -1)
        return {
            "strain": from_mandel(strain).reshape(3, 3, *self.grid.shape),
            "stress": from_mandel(stress).reshape(3, 3, *self.grid.shape),
            "displacement": u.reshape(3, *self.grid.shape),
            "energy_density": found.energy_density.reshape(self.grid.shape).copy(),
        }

    def close(self) -> None:
        """End the threads."""
        self._cell.close()


def _shears_across(stiffnesses: list[np.ndarray], strains: np.ndarray, fixed: np.ndarray | None) -> bool:
    """Whether stiffnesses (6, 6), strains (N, 6) or a fixed strain (6, …) bring shears yz or xz into a plane problem."""
    inside, across = (0, 1, 2, 5), (3, 4)
    coupled = any(np.abs(C[np.ix_(inside, across)]).max() > 1e-13 * np.abs(C).max() for C in stiffnesses)
    return coupled or bool(np.any(strains[:, across])) or (fixed is not None and bool(np.any(fixed[list(across)])))


def _slab(grid: Grid) -> Grid:
    """A box of three axes, missing ones one cell long; two axes become the first and the slowest, which is cut into blocks."""
    x, *others = grid.axes
    z = Axis("z", others[0].cells, others[0].length) if others else Axis("z", 1, 1.0)
    return Grid((x, Axis("y", 1, 1.0), z))


def _checked_region(region: np.ndarray | None, grid: Grid) -> np.ndarray:
    if region is None:
        raise InputError("a body with a region needs the field that says where it is")
    flat = np.ascontiguousarray(region, float).reshape(-1)
    if flat.size != grid.cells or not np.all((flat >= 0.0) & (flat <= 1.0)):
        raise InputError(f"the field of a region lies between 0 and 1 (got {flat.min():g} … {flat.max():g})")
    return flat
