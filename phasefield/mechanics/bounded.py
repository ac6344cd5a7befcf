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

L. Risthaus, M. Schneider, Comput. Mech. (2024), doi:10.1007/s00466-024-02469-1: sine and cosine transforms for faces, in another
formulation.
"""

from __future__ import annotations

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_iteration import ConjugateGradients
from phasefield.mechanics.bounded_loads import Loads
from phasefield.mechanics.bounded_passes import Passes
from phasefield.mechanics.bounded_preconditioner import ComponentLaplacian
from phasefield.mechanics.bounded_solution import BoundedSolution, Equilibrium
from phasefield.spectral.grid import Grid
from phasefield.spectral.transforms import make_engine


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
        engine = make_engine()
        weights = self.lame[1] + (self.lame[0] + self.lame[1]) * np.eye(d)
        laplacians = [ComponentLaplacian(grid, faces.ends(c), weights[c], engine) for c in range(d)]
        self.passes = Passes(grid, self.lame, laplacians, [self.loads.mask(c) for c in range(d)], threads)
        self.vectors = [np.zeros((d, *self.passes.box)) for _ in range(3)]

    def solve(
        self,
        factor: np.ndarray | float,
        load: float = 1.0,
        *,
        start: Equilibrium | np.ndarray | None = None,
        tolerance: float = 1e-6,
        max_iterations: int = 5000,
    ) -> BoundedSolution:
        """The equilibrium under `load` times the given displacements and tractions, for the stiffness g C.

        Args:
            factor: g ≥ 0 per cell, (*grid.shape).
            start: a solution for the same grid, scaled to the new load, or displacements (d, *nodes), of which those that are
                held are replaced; None starts from the ramp.
            tolerance: of the relative residual (see the module); met down to rounding.

        Raises:
            InputError: a factor that is negative, not finite, of another shape or 0 everywhere, or 0 in a cell under a
                traction; a tolerance that is not positive.
            NumericalError: not converged within `max_iterations`, or a load on a part that nothing holds.
        """
        if not tolerance > 0.0:
            raise InputError(f"the tolerance must be positive, got {tolerance}")
        g = self.read_factor(factor)
        whole = self.passes.whole
        iteration = ConjugateGradients(
            self.passes,
            self.vectors,
            lambda u, out: self.passes.apply(g, u, out),
            float(g.max()),
            load * whole(self.loads.force),
        )
        ramp = load * whole(self.loads.ramp)
        u, scale = ramp.copy(), None
        if start is not None:
            scale = iteration.residual(ramp)
            u = self.starting_point(start, load, ramp)
        iteration.run(u, scale, tolerance, max_iterations)
        return BoundedSolution(
            solver=self,
            displacement=u.reshape(self.loads.force.shape),
            factor=g.reshape(self.grid.shape),
            load=load,
            energy=0.5 * iteration.quadratic,
            nodal_forces=-iteration.r.reshape(self.loads.force.shape),
            iterations=iteration.iterations,
            residual=iteration.norm / iteration.scale if iteration.scale > 0.0 else 0.0,
        )

    def stiffness(self, factor: np.ndarray | float, u: np.ndarray) -> tuple[np.ndarray, float]:
        """K u (d, *nodes) without any condition, and u·K u."""
        force, total = self.passes.stiffness(
            self.read_factor(factor), self.passes.whole(np.ascontiguousarray(u, float))
        )
        return force.reshape(u.shape), total

    def energy_density(self, u: np.ndarray) -> np.ndarray:
        """½ ε:C:ε without the factor g, mean over the Gauss points of each cell, (*grid.shape)."""
        return self.passes.energy_density(self.passes.whole(np.ascontiguousarray(u, float))).reshape(self.grid.shape)

    def close(self) -> None:
        """End the threads."""
        self.passes.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays it owns; a solve needs two vectors more."""
        loads = self.loads
        arrays = [loads.constrained, loads.held, loads.ramp, loads.force, *self.vectors]
        return self.passes.memory_bytes + sum(a.nbytes for a in arrays)

    def read_factor(self, factor: np.ndarray | float) -> np.ndarray:
        """g as the kernels take it, checked."""
        g = np.asarray(factor, float)
        g = np.ascontiguousarray(np.broadcast_to(g, self.grid.shape) if g.ndim == 0 else g)
        if g.shape != self.grid.shape:
            raise InputError(f"the factor of the stiffness has the shape {g.shape}, the grid {self.grid.shape}")
        low, high = float(g.min()), float(g.max())
        if not (low >= 0.0 and 0.0 < high < np.inf):
            raise InputError(
                f"the factor of the stiffness must be finite, ≥ 0 and somewhere > 0 (got {low:g} … {high:g})"
            )
        self.loads.check_factor(g)
        return g.reshape(self.passes.cells)

    def starting_point(self, start: Equilibrium | np.ndarray, load: float, ramp: np.ndarray) -> np.ndarray:
        """A start as `solve` takes it, scaled to the load, with the given displacements (those of the ramp) at held nodes."""
        if isinstance(start, Equilibrium):
            ratio = load / start.load if start.load != 0.0 else 0.0
            values = ratio * start.displacement
        else:
            values = np.array(start, float, order="C")
        if values.shape != self.loads.force.shape:
            raise InputError(f"the starting point has the shape {values.shape}, expected {self.loads.force.shape}")
        u = self.passes.whole(values)
        np.copyto(u, ramp, where=self.passes.whole(self.loads.constrained))
        return u


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
