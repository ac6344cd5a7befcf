"""Elastic misfit with a nonlinear strain function h(η), or with a stiffness that depends on variant or place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phasefield.energy.elastic import ElasticEnergy
from phasefield.energy.elastic_forces import InhomogeneousForce, NonlinearForce
from phasefield.energy.term import State, Term
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.mechanics.loading import Load
from phasefield.mechanics.stiffness import from_mandel, mandel_matrix, tensor_from_mandel, to_mandel
from phasefield.mechanics.transforming_body import TransformingBody
from phasefield.registry import register
from phasefield.spectral.grid import Grid

# Of the residual when a single state is looked at, and not one after the other.
_TOLERANCE = 1e-10


@register("term", "transforming")
class TransformingEnergy(Term):
    """½ ∫ (ε−ε*):C:(ε−ε*) dV, minimised over displacements, less the work of prescribed mean stresses.

    ε* = Σ_p ε⁰_p h(η_p) + ε^f, C between C₀ and C_p with weights w(η_p), and C_r in a region: see `mechanics.transforming`.
    States may hold the fixed fields `eigenstrain`, tensor components (6, *grid.shape), and `region`, which are 0 otherwise. With
    one stiffness the energy of ε^f alone, which is constant, is left out.

    Args:
        body: ε⁰, h, C and w.
        fields: names of η_p.
        load: mean strains and stresses as functions of time; `dimensions` of the grid come with it.
        scheme: discretisation, `fourier` or `rotated`, where stiffness differs from place to place.

    Source: V. I. Levitas, D. L. Preston, Phys. Rev. B 66 (2002) 134206, doi:10.1103/PhysRevB.66.134206, for h; S. Y. Hu,
    L. Q. Chen, Acta Mater. 49 (2001) 1879, doi:10.1016/S1359-6454(01)00118-5, for stiffness that follows the phase.
    """

    name = "transforming"

    def __init__(self, body: TransformingBody, fields: tuple[str, ...], load: Load, scheme: str = "fourier"):
        self.body, self.fields, self.load, self.scheme = body, fields, load, scheme
        # The term for h(η) = η and the stiffness C₀, in terms of θ = h(η).
        self.linear = ElasticEnergy(body.stiffness, body.strains, fields, load)
        self._time = 0.0

    def at(self, time: float) -> TransformingEnergy:
        """The same term under the load at `time`."""
        result = TransformingEnergy(self.body, self.fields, self.load, self.scheme)
        result.linear, result._time = self.linear, time
        return result

    @property
    def strains(self) -> np.ndarray:
        """ε⁰_p (N, 3, 3)."""
        return self.body.strains

    def phase(self, time: float) -> int:
        """Index of the phase of the load at `time`."""
        return self.load.phase(time)

    def force(self, grid: Grid, fixed: State, **options: Any) -> NonlinearForce | InhomogeneousForce:
        """What a run evaluates at its states, with fixed fields by name; `options`: threads, and tolerance of the solver."""
        eigenstrain = fixed.get("eigenstrain")
        if not self.body.homogeneous:
            region = fixed.get("region", np.zeros(grid.shape)) if self.body.region is not None else None
            options = {"scheme": self.scheme, **options}
            return InhomogeneousForce(self.linear, self.body, grid, eigenstrain, region, **options)
        options.pop("tolerance", None)
        return NonlinearForce(self.linear, self.body, grid, eigenstrain, **options)

    def bytes_needed(self, grid: Grid) -> int:
        """About how much memory `force` takes: real fields of eight bytes."""
        N, contrasts = len(self.fields), self.body.contrasts()[1]
        if self.body.homogeneous:
            # Real and imaginary parts of B, the transform, forces and the state.
            return int(8.4 * grid.cells * (N * (N + 1) // 2 + 3 * N))
        m = 3 if grid.dimensions == 2 else 6
        return int(8.4 * grid.cells * (9 * m + 2 * len(contrasts) + 2 * N + 5 * grid.dimensions + 4))

    # --- as a term of the free energy ---------------------------------------------------------------------------

    def density(self, state: State, grid: Grid) -> np.ndarray:
        """Up to a constant: ½ (ε−ε*):C:(ε−ε*), shifted so that its integral is the energy."""
        fields = self._fields(state, grid)["energy_density"]
        return fields + (self.energy(state, grid) / grid.volume - fields.mean())

    def energy(self, state: State, grid: Grid) -> float:
        return self._evaluated(state, grid).energy

    def derivative(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        return dict(zip(self.fields, self._evaluated(state, grid).forces.copy(), strict=True))

    def _evaluated(self, state: State, grid: Grid) -> NonlinearForce | InhomogeneousForce:
        force = self.force(grid, state, tolerance=_TOLERANCE)
        fields = np.stack([np.asarray(state[f], float) for f in self.fields])
        try:
            force.update(fields, self._time, self.phase(self._time), self._time)
        finally:
            force.close()
        return force

    def hessian(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> dict[tuple[str, str], np.ndarray]:
        """About a uniform state of strain e = ε̄ − ε* and stress σ, outside the region. With ψ = ½ (ε−ε*):C:(ε−ε*)

            δ²F = ∂²ψ/∂η_p∂η_q − a_p:C:a_q + B_pq(n),    a_p = h′_p ε⁰_p − w′_p C⁻¹:(C_p − C₀):e,

        B the kernel of a body with the stiffness C of that state and the strains a_p.
        """
        n = self.softest_direction if direction is None else np.asarray(direction, float)
        local, body = self._about(base)
        k2 = np.asarray(k2, float)
        B = local + np.where((k2 == 0.0)[..., None, None], body.mean_symbol, body.kernel(n))
        return {(p, q): B[..., i, j] for i, p in enumerate(self.fields) for j, q in enumerate(self.fields)}

    def _about(self, base: Mapping[str, float]) -> tuple[np.ndarray, HomogeneousElasticity]:
        """∂²ψ/∂η_p∂η_q − a_p:C:a_q (N, N), and the elasticity of the strains a_p in the uniform body."""
        eta, body, load = np.array([base[f] for f in self.fields], float), self.body, self.load
        h, w = (np.polynomial.Polynomial([0.0, *c]) for c in (body.strain_function, body.stiffness_function))
        h1, w1, each = h.deriv()(eta), w.deriv()(eta), range(len(eta))
        C = mandel_matrix(body.stiffness_of(w(eta)))
        flags, values = load.stress_controlled(self._time), load.values(self._time)
        uniform = HomogeneousElasticity(tensor_from_mandel(C), body.strains, flags, load.dimensions)
        strain, stress = (to_mandel(t) for t in uniform.mean_response(h(eta), values))
        strains = to_mandel(body.strains.transpose(1, 2, 0)).T
        e = strain - h(eta) @ strains
        # C is linear in every weight, so that its derivatives are differences.
        first = np.array([mandel_matrix(body.stiffness_change(w(eta), (p,))) for p in each])
        second = [
            [mandel_matrix(body.stiffness_change(w(eta), (p, q))) if p != q else 0.0 * C for q in each] for p in each
        ]
        # ∂ε*/∂η_p, and the stress that a change of stiffness brings about.
        d, moved = h1[:, None] * strains, w1[:, None] * (first @ e)
        a = d - np.linalg.solve(C, moved.T).T
        cross = moved @ d.T
        local = 0.5 * np.outer(w1, w1) * (np.array(second) @ e @ e)
        local += np.diag(0.5 * w.deriv(2)(eta) * (first @ e @ e) - h.deriv(2)(eta) * (strains @ stress))
        local += d @ C @ d.T - cross - cross.T - a @ C @ a.T
        tensors = np.moveaxis(from_mandel(a.T), -1, 0)
        return local, HomogeneousElasticity(tensor_from_mandel(C), tensors, flags, load.dimensions)

    @property
    def softest_direction(self) -> np.ndarray:
        """That of the linear term."""
        return self.linear.softest_direction

    def latex(self) -> str:
        return r"\tfrac12 (\varepsilon-\varepsilon^*(\eta)):C(\eta):(\varepsilon-\varepsilon^*(\eta))"

    # --- what it adds to output ---------------------------------------------------------------------------------

    def record_names(self) -> tuple[str, ...]:
        """Names of mean strains and stresses within the grid's axes."""
        return self.linear.record_names()

    def derived_names(self) -> tuple[str, ...]:
        """Stress, strain and displacement within the grid's axes, and the elastic energy density."""
        return self.linear.derived_names()

    def derived_fields(self, names: Sequence[str], state: State, grid: Grid) -> dict[str, np.ndarray]:
        """Those of `derived_names` that are in `names`, for the load at the term's time."""
        wanted = [name for name in self.derived_names() if name in names]
        return self.linear.as_derived(wanted, self._fields(state, grid)) if wanted else {}

    def _fields(self, state: State, grid: Grid) -> dict[str, np.ndarray]:
        """Strain, stress, displacement and energy density at a state."""
        force = self._evaluated(state, grid)
        if isinstance(force, InhomogeneousForce):
            return force.equilibrium.fields()
        h = np.polynomial.Polynomial([0.0, *self.body.strain_function])
        theta = h(np.stack([np.asarray(state[f], float) for f in self.fields]))
        return self.linear.solver().fields(grid, theta, self.load.values(self._time), state.get("eigenstrain"))
