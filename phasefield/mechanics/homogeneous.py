"""Elastic energy of transformation strains when all phases have the same stiffness: a closed form in Fourier space.

With ε* = Σ_p ε⁰_p θ_p + ε^f (ε^f a fixed eigenstrain) and the displacements minimised out,

  F/V = ½ Σ_{k≠0} θ̂_p* B_pq(n) θ̂_q + ½ θ̄_p B⁰_pq θ̄_q − g_p θ̄_p + c,     B_pq(n) = ε⁰_p:C:ε⁰_q − n·σ⁰_p·Ω(n)·σ⁰_q·n,

θ̂(k) = N⁻¹ Σ_x θ e^{−ik·x}, n = k/|k|, σ⁰_p = C:ε⁰_p, Ω⁻¹_ij = C_ikjl n_k n_l. B⁰, g and c depend on which mean strains
and stresses are prescribed (`mechanics.control`). Where a mean stress is prescribed, F includes its work −V σ̄:ε̄: it is the
potential that decreases. Strains are tensors in three dimensions on every grid; on 1-D and 2-D grids fields do not vary
along the missing axes (n_z = 0, generalised plane strain; plane strain when the mean out-of-plane strains are 0).

Nyquist modes. For an even number N of cells, +N/2 and −N/2 are one mode, and n is not unique. B is averaged over the
sign of each such component; stress and strain too, so that −ε⁰_p:σ is the derivative of F on every grid. An average of
energies is however more than the energy of the average: ½⟨σ:(ε−ε*)⟩ falls short of F by the scatter of the Nyquist
modes over the signs, which no choice of real fields with this kernel avoids. `fields` adds that scatter to the energy
density, so that its integral is F exactly. With odd N, or no content at Nyquist modes, there is no difference.

Sources: A. G. Khachaturyan, Theory of Structural Transformations in Solids (1983), ch. 7; A. Artemev, Y. Jin,
A. G. Khachaturyan, Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.control import Control, resolve_control
from phasefield.mechanics.elastic_modes import (
    Modes,
    back,
    check_periodic,
    half_spectrum,
    mean_of,
    parts,
    transform,
    weights,
)
from phasefield.mechanics.stiffness import (
    COMPONENTS,
    PAIRS,
    check_stiffness,
    from_components,
    from_mandel,
    mandel_matrix,
    to_components,
    to_mandel,
)
from phasefield.spectral.grid import Grid

_R2 = np.sqrt(0.5)
# Products n_i n_j, and the entries of symmetric 3x3 matrices, in the order of the components.
_PAIRS = tuple(zip(*PAIRS[3], strict=True))


class HomogeneousElasticity:
    """The elastic energy of N transformation strains in a body of one stiffness.

    Args:
        stiffness: C_ijkl, (3, 3, 3, 3), pressure.
        strains: ε⁰_p, (N, 3, 3).
        control: a `Control`, one or six of the words `"strain"` and `"stress"`, or six flags (True: the mean stress is
            prescribed).
        dimensions: of the grid, which decides what `control` means for out-of-plane components; flags are used as they are.

    Throughout, `values` (6,) are the prescribed mean strains and stresses: tensor components in the order xx, yy, zz, yz,
    xz, xy, by default those of `control` (0 where it gives none). θ is (N, *grid.shape), θ̄ is (N,). Energies are in
    units of the stiffness times volume (area, length).

    Raises:
        InputError: a stiffness or strain of the wrong shape or symmetry, a stiffness that is not positive definite.
    """

    def __init__(
        self,
        stiffness: np.ndarray,
        strains: np.ndarray,
        control: Control | str | Sequence[str] | Sequence[bool] | np.ndarray = "strain",
        dimensions: int = 3,
    ):
        self.stiffness = check_stiffness(stiffness)
        self.strains = np.asarray(strains, float)
        if self.strains.ndim != 3 or self.strains.shape[1:] != (3, 3) or not len(self.strains):
            raise InputError(f"transformation strains have the shape (N, 3, 3), got {self.strains.shape}")
        if not np.isfinite(self.strains).all():
            raise InputError("the transformation strains are not finite")
        if np.abs(self.strains - self.strains.transpose(0, 2, 1)).max() > 1e-9 * np.abs(self.strains).max():
            raise InputError("transformation strains are symmetric")
        self.stress_controlled, self._values = resolve_control(control, dimensions)
        self._C = mandel_matrix(self.stiffness)
        # C = L Lᵀ: |Lᵀe|² = e:C:e, so that energies are sums of squares and never negative.
        self._L = np.linalg.cholesky(self._C)
        # ε⁰ as columns, (6, N)
        self._E = to_mandel(self.strains.transpose(1, 2, 0))
        self._acoustic = _acoustic_matrix(self.stiffness)

    @property
    def variants(self) -> int:
        """N."""
        return len(self.strains)

    # the kernel

    def kernel(self, n: np.ndarray) -> np.ndarray:
        """B_pq(n) for directions n (…, 3), (…, N, N): energy density per θ², symmetric, positive semi-definite.

        Evaluated as e_p:C:e_q with e_p = ε⁰_p − sym(n ⊗ Ω·σ⁰_p·n), the strain that relaxation leaves: the same matrix,
        but exact to round-off where it vanishes. The length of n does not matter.
        """
        n = np.asarray(n, float)
        if n.shape[-1:] != (3,):
            raise InputError(f"directions have the shape (…, 3), got {n.shape}")
        length = np.linalg.norm(n, axis=-1, keepdims=True)
        if not np.all(length > 0):
            raise InputError("a direction has no length")
        flat = (n / length).reshape(-1, 3).T
        result = np.empty((flat.shape[1], self.variants, self.variants))
        for part in parts(flat.shape[1]):
            result[part] = np.moveaxis(self._kernel(flat[:, part]), -1, 0)
        return result.reshape(*n.shape[:-1], self.variants, self.variants)

    def symbol(self, grid: Grid, indices: Sequence[np.ndarray]) -> np.ndarray:
        """The matrix of every mode: B averaged over the signs of Nyquist components, `mean_symbol` at k = 0.

        Args:
            grid: periodic on all axes.
            indices: signed integer mode numbers m of x, then y, then z: k_j = 2π m_j / L_j; broadcastable arrays.

        Returns:
            (…, N, N), … the broadcast shape of the indices.

        Raises:
            InputError: an axis that is not periodic, or the wrong number of index arrays.
        """
        check_periodic(grid)
        if len(indices) != grid.dimensions:
            raise InputError(f"a grid of {grid.dimensions} dimensions needs as many index arrays, got {len(indices)}")
        shape = np.broadcast_shapes(*(np.shape(m) for m in indices))
        flat = np.array([np.broadcast_to(m, shape).ravel() for m in indices])
        result = np.empty((flat.shape[1], self.variants, self.variants))
        for part in parts(flat.shape[1]):
            modes = Modes(grid, flat[:, part])
            B = modes.average(lambda n, _: self._kernel(n))
            result[part] = np.moveaxis(B, -1, 0)
            result[part][modes.zero] = self.mean_symbol
        return result.reshape(*shape, self.variants, self.variants)

    def _kernel(self, n: np.ndarray) -> np.ndarray:
        """B for directions (3, M), (N, N, M)."""
        elastic, _ = self._relax(n, self._E[:, :, None])
        roots = (self._L.T @ elastic.reshape(6, -1)).reshape(6, self.variants, -1)
        B = np.empty((self.variants, self.variants, n.shape[1]))
        for p in range(self.variants):
            for q in range(p + 1):
                B[p, q] = B[q, p] = np.einsum("cm,cm->m", roots[:, p], roots[:, q])
        return B

    def _relax(self, n: np.ndarray, eigenstrain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What relaxation in the directions n (3, M) leaves of eigenstrains (6, …, M or 1) in Mandel notation.

        Returns the elastic strain with its sign changed, e = ε* − sym(n ⊗ a), (6, …, M), and a = Ω·(C:ε*)·n, (3, …, M).
        """
        inverse, determinant = _adjugate(self._acoustic @ np.array([n[i] * n[j] for i, j in _PAIRS]))
        xx, yy, zz, yz, xz, xy = np.tensordot(self._C, eigenstrain, 1)
        x, y, z = n
        traction = (
            xx * x + _R2 * (xy * y + xz * z),
            yy * y + _R2 * (xy * x + yz * z),
            zz * z + _R2 * (xz * x + yz * y),
        )
        a = np.array([sum(inverse[i][j] * traction[j] for j in range(3)) for i in range(3)]) / determinant
        u, v, w = a
        compatible = np.array(
            [x * u, y * v, z * w, _R2 * (y * w + z * v), _R2 * (x * w + z * u), _R2 * (x * v + y * u)]
        )
        return eigenstrain - compatible, a

    # the mean

    @cached_property
    def _mean_stiffness(self) -> np.ndarray:
        """σ̄ = σ̄₀ − M ε̄* (6, 6, Mandel): C̃ = C_PP − C_PQ C_QQ⁻¹ C_QP over strain-controlled components P, else 0."""
        P, Q = ~self.stress_controlled, self.stress_controlled
        M = np.zeros((6, 6))
        condensed = self._C[np.ix_(P, P)] - self._C[np.ix_(P, Q)] @ np.linalg.solve(
            self._C[np.ix_(Q, Q)], self._C[np.ix_(Q, P)]
        )
        M[np.ix_(P, P)] = 0.5 * (condensed + condensed.T)
        return M

    @cached_property
    def mean_symbol(self) -> np.ndarray:
        """B⁰_pq (N, N), the matrix at k = 0: ε⁰_p:C:ε⁰_q under strain control, 0 under stress control.

        For mixed control ε⁰_p:M:ε⁰_q with the stiffness M condensed onto the strain-controlled components.
        """
        P = ~self.stress_controlled
        # As a sum of squares, like B(n).
        roots = np.linalg.cholesky(self._mean_stiffness[np.ix_(P, P)]).T @ self._E[P]
        return roots.T @ roots

    def mean_response(
        self,
        theta_mean: np.ndarray,
        values: np.ndarray | None = None,
        eigenstrain_mean: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean strain and mean stress, (3, 3) each, for mean fields θ̄ (N,) and a mean fixed eigenstrain (3, 3)."""
        eigenstrain = self._E @ np.asarray(theta_mean, float)
        if eigenstrain_mean is not None:
            eigenstrain = eigenstrain + to_mandel(np.asarray(eigenstrain_mean, float))
        strain, stress = self._mean_fields(eigenstrain, values)
        return from_mandel(strain), from_mandel(stress)

    def mean_force(self, values: np.ndarray | None = None) -> np.ndarray:
        """g_p (N,), the driving force of the load on θ̄_p: ε⁰_p:σ̄ with the mean stress at θ = 0."""
        return self._E.T @ self._mean_fields(np.zeros(6), values)[1]

    def mean_constant(self, values: np.ndarray | None = None) -> float:
        """c, the energy density at θ = 0: ½ ε̄:σ̄, less σ̄:ε̄ over the stress-controlled components."""
        return self._mean_energy(np.zeros(6), values)

    def _mean_fields(self, eigenstrain: np.ndarray, values: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Mean strain and stress for the mean eigenstrain, Mandel (6,) each."""
        given = self._given(values)
        P, Q = ~self.stress_controlled, self.stress_controlled
        elastic = given - eigenstrain
        # σ_Q = C_QP e_P + C_QQ e_Q
        elastic[Q] = np.linalg.solve(self._C[np.ix_(Q, Q)], given[Q] - self._C[np.ix_(Q, P)] @ elastic[P])
        stress = self._C @ elastic
        stress[Q] = given[Q]
        strain = elastic + eigenstrain
        strain[P] = given[P]
        return strain, stress

    def _mean_energy(self, eigenstrain: np.ndarray, values: np.ndarray | None) -> float:
        strain, stress = self._mean_fields(eigenstrain, values)
        Q = self.stress_controlled
        return float(0.5 * (strain - eigenstrain) @ stress - strain[Q] @ stress[Q])

    def _given(self, values: np.ndarray | None) -> np.ndarray:
        components = self._values if values is None else np.asarray(values, float)
        if components.shape != (6,):
            raise InputError(f"mean strains and stresses are six numbers ({', '.join(COMPONENTS)})")
        return to_mandel(from_components(components))

    # whole fields

    def energy(
        self,
        grid: Grid,
        theta: np.ndarray,
        values: np.ndarray | None = None,
        eigenstrain: np.ndarray | None = None,
    ) -> float:
        """F, integrated over the grid, for fields θ (N, *grid.shape) and a fixed eigenstrain as in `misfit_force`."""
        total = self._eigenstrain(grid, theta, eigenstrain)
        hat, weight = transform(grid, total), weights(grid)
        fluctuating = 0.0
        for part, modes in half_spectrum(grid):
            doubled = modes.average(lambda n, at, part=part: self._squares(self._relax(n, hat[:, part][:, at])[0]))
            fluctuating += 0.5 * float(np.sum(weight[part] * np.where(modes.zero, 0.0, doubled)))
        return grid.volume * (fluctuating + self._mean_energy(mean_of(total), values))

    def misfit_force(self, grid: Grid, eigenstrain: np.ndarray) -> np.ndarray:
        """Driving force of a fixed eigenstrain on every θ_p: F gains −∫ Σ_p force_p θ_p dV + `misfit_energy`.

        force_p(x) = ε⁰_p:σ^f(x), σ^f the stress of ε^f alone under zero load, its mean according to the control.

        Args:
            eigenstrain: ε^f (3, 3, *grid.shape), or its tensor components (6, *grid.shape).

        Returns:
            (N, *grid.shape).
        """
        nothing = np.zeros((self.variants, *grid.shape))
        stress = to_mandel(self.fields(grid, nothing, np.zeros(6), eigenstrain)["stress"])
        return np.tensordot(self._E.T, stress, 1)

    def misfit_energy(self, grid: Grid, eigenstrain: np.ndarray, values: np.ndarray | None = None) -> float:
        """What a fixed eigenstrain adds to F at θ = 0, its work under the load included."""
        nothing = np.zeros((self.variants, *grid.shape))
        return self.energy(grid, nothing, values, eigenstrain) - grid.volume * self.mean_constant(values)

    def fields(
        self,
        grid: Grid,
        theta: np.ndarray,
        values: np.ndarray | None = None,
        eigenstrain: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """The fields in mechanical equilibrium with θ (N, *grid.shape) and a fixed eigenstrain as in `misfit_force`.

        Returns:
            strain, stress: (3, 3, *grid.shape).
            displacement: its periodic part, (3, *grid.shape), mean zero; its symmetric gradient and the mean strain make up
                the strain, but for Nyquist modes, whose displacement has no sign.
            energy_density: ½ σ:(ε−ε*) and the scatter of Nyquist modes (see above), grid.shape. Its integral is F
                plus the work V σ̄:ε̄ over stress-controlled components.
        """
        total = self._eigenstrain(grid, theta, eigenstrain)
        hat = transform(grid, total)
        strain_hat = np.empty_like(hat)
        u_hat = np.empty((3, hat.shape[1]), complex)
        # Energy of the Nyquist modes: where they are, and how each choice of signs departs from the average.
        places: list[np.ndarray] = []
        departures: list[np.ndarray] = []
        for part, modes in half_spectrum(grid):
            local = hat[:, part]
            both = modes.average(lambda n, at, local=local: np.concatenate(self._relax(n, local[:, at])))
            strain_hat[:, part] = np.where(modes.zero, 0.0, local - both[:6])
            # u = −(i/|k|) a is odd in k, so without a sign of k there is none.
            u_hat[:, part] = np.where(modes.unsigned, 0.0, -1j / modes.length * both[6:])
            at = modes.ambiguous
            if at.size:
                each = np.array([self._relax(n, local[:, at])[0] for n in modes.choices()])
                places.append(part.start + at)
                departures.append(each - each.mean(0))
        mean_strain, _ = self._mean_fields(mean_of(total), values)
        strain = back(grid, strain_hat) + mean_strain.reshape(6, *[1] * grid.dimensions)
        elastic = strain - total
        stress = np.tensordot(self._C, elastic, 1)
        density = 0.5 * np.einsum("c...,c...->...", stress, elastic)
        if places:
            where, scattered = np.concatenate(places), np.concatenate(departures, axis=-1)
            for departure in scattered:
                spectrum = np.zeros_like(hat)
                spectrum[:, where] = departure
                density += 0.5 * self._squares(back(grid, spectrum)) / len(scattered)
        return {
            "strain": from_mandel(strain),
            "stress": from_mandel(stress),
            "displacement": back(grid, u_hat),
            "energy_density": density,
        }

    def _squares(self, strain: np.ndarray) -> np.ndarray:
        """e:C:e (…) of real or complex strains (6, …)."""
        roots = np.tensordot(self._L.T, strain, 1)
        return np.einsum("c...,c...->...", roots, roots.conj()).real

    def _eigenstrain(self, grid: Grid, theta: np.ndarray, fixed: np.ndarray | None) -> np.ndarray:
        """ε* = Σ ε⁰_p θ_p + ε^f, Mandel (6, *grid.shape)."""
        theta = np.asarray(theta, float)
        if theta.shape != (self.variants, *grid.shape):
            raise InputError(f"fields have the shape {(self.variants, *grid.shape)}, got {theta.shape}")
        total = np.tensordot(self._E, theta, 1)
        if fixed is None:
            return total
        fixed = np.asarray(fixed, float)
        if fixed.shape == (3, 3, *grid.shape):
            if np.abs(fixed - fixed.swapaxes(0, 1)).max() > 1e-9 * np.abs(fixed).max():
                raise InputError("an eigenstrain is symmetric")
            fixed = to_components(fixed)
        if fixed.shape != (6, *grid.shape):
            either = f"{(3, 3, *grid.shape)} or {(6, *grid.shape)}"
            raise InputError(f"an eigenstrain has the shape {either}, got {fixed.shape}")
        return total + to_mandel(from_components(fixed))


def _acoustic_matrix(C: np.ndarray) -> np.ndarray:
    """(6, 6) from the products n_k n_l to the entries of Ω⁻¹_ij = C_ikjl n_k n_l."""
    return np.array([[C[i, k, j, m] + (C[i, m, j, k] if k != m else 0.0) for k, m in _PAIRS] for i, j in _PAIRS])


def _adjugate(entries: np.ndarray) -> tuple[tuple[tuple[np.ndarray, ...], ...], np.ndarray]:
    """Adjugate, as rows, and determinant of symmetric 3x3 matrices given by their six entries (6, M)."""
    xx, yy, zz, yz, xz, xy = entries
    a, b, c = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
    d, e, f = xz * xy - xx * yz, xy * yz - yy * xz, yz * xz - zz * xy
    return ((a, f, e), (f, b, d), (e, d, c)), xx * a + xy * f + xz * e
