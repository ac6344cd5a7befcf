"""A crack that surfs: the field of a crack tip is prescribed on the boundary of a plate and moves on, and the crack follows.

Under plane strain, with κ = 3 − 4ν, polar coordinates r, θ around the tip of the field and K = √(E′Gc),

    u_x = K/(2μ) √(r/2π) cos(θ/2) (κ − 1 + 2 sin²(θ/2)) ,    u_y = K/(2μ) √(r/2π) sin(θ/2) (κ + 1 − 2 cos²(θ/2)) .

J of the crack (`j_integral`) is what it takes to make the crack longer, wherever the crack is in the field. As in a strip
(`strip`), cells that broke still carry a little at the opening w = (8K/E′)√(r/2π) that they have a distance r behind the tip, and
have cost less: where the contour crosses the crack its trail has dissipated

    J = Gc_num − D′²h/(Mw²) = Gc_num − (2π/64)(D′²/Gc)(E′/M) h/r ,    D′ = 3/2 Gc for AT1.

M. L. Williams, J. Appl. Mech. 24 (1957) 109, doi:10.1115/1.4011454 (the field); M. Z. Hossain, C.-J. Hsueh, B. Bourdin,
K. Bhattacharya, J. Mech. Phys. Solids 71 (2014) 15, doi:10.1016/j.jmps.2014.06.002 (surfing boundary conditions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.j_integral import j_integral, plateau
from phasefield.energy.fracture import CrackEnergy
from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.cracked_body import FacedBody, Response
from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.splits import make_split
from phasefield.spectral.grid import Axis, Grid
from phasefield.stepping.acceleration import Anderson
from phasefield.stepping.alternate import Alternation, CrackProblem, GivenLoad

# Damage beyond which a cell in the row of the crack counts as cracked, to place the contour of J.
_CRACKED = 0.9


def crack_tip_field(
    points: np.ndarray, tip: tuple[float, float], intensity: float, young: float, poisson: float
) -> np.ndarray:
    """Displacements (2, …) at points (…, 2) of a crack along the negative x axis from `tip`, mode I with K = `intensity`."""
    shear, kappa = 0.5 * young / (1.0 + poisson), 3.0 - 4.0 * poisson
    x, y = points[..., 0] - tip[0], points[..., 1] - tip[1]
    half, size = 0.5 * np.arctan2(y, x), intensity / (2.0 * shear) * np.sqrt(np.hypot(x, y) / (2.0 * np.pi))
    along = np.cos(half) * (kappa - 1.0 + 2.0 * np.sin(half) ** 2)
    across = np.sin(half) * (kappa + 1.0 - 2.0 * np.cos(half) ** 2)
    return size * np.stack([along, across])


@dataclass(frozen=True)
class Surf:
    """One position of the field. field: x of its tip; grown: energy of cracks since the start over Gc_num, a length; tip: x of
    the last cracked cell; J: its component along x; trail: ∫ w(φ) dy
    where the contour crosses the crack; both over Gc_num."""

    field: float
    grown: float
    tip: float
    J: float
    trail: float


class Surfing:
    """A plate of 2 × 1 with `cells` cells across and a crack of ½ along mid-height, length ℓ = `resolution` cells.

    Gc, E and ν set units; `intensity` is K over √(E′Gc).
    """

    def __init__(
        self,
        cells: int,
        resolution: float,
        dissipation: str = "AT1",
        *,
        young: float = 210.0,
        poisson: float = 0.3,
        toughness: float = 2.7e-3,
        intensity: float = 1.0,
        irreversibility: str = "bounds",
        tolerance: float = 1e-4,
    ):
        self.grid = Grid((Axis("x", 2 * cells, 2.0, "no_flux"), Axis("y", cells, 1.0, "no_flux")))
        self.elastic, self.h = (young, poisson), 1.0 / cells
        self.intensity = intensity * np.sqrt(young / (1.0 - poisson**2) * toughness)
        lame = young * poisson / ((1.0 + poisson) * (1.0 - 2.0 * poisson)), 0.5 * young / (1.0 + poisson)
        faces = FaceConditions.of({"x": "clamped", "y": "clamped"}, self.grid)
        self.body = FacedBody(self.grid, make_split("none", *lame, 2), faces)
        cracks = CrackEnergy(self.grid, toughness, resolution * self.h, dissipation)
        self.problem = CrackProblem(self.body, DamageSolver(cracks, irreversibility=irreversibility))
        self.cost = toughness * cracks.numerical_toughness
        self.alternation, self.acceleration = Alternation(tolerance), Anderson()
        self.row, phi = cells // 2, np.zeros(self.grid.shape)
        phi[self.row, : cells // 2] = 1.0
        self.phi = self.problem.solve_damage(phi, phi, np.zeros(self.grid.shape), 1e-3 * tolerance)
        self._first, self._response = cracks.energy(self.phi), None

    @property
    def height(self) -> float:
        """y of the crack: the middle of a row of cells."""
        return (self.row + 0.5) * self.h

    def move(self, field: float, contour: tuple[float, float]) -> Surf:
        """Equilibrium with the tip of the field at x = `field`.

        contour: half lengths of the two squares around the tip of the crack between which J is taken (`plateau`).
        """
        problem, tolerance = self.problem, self.alternation.tolerance
        self.body.prescribe(crack_tip_field(self.body.nodes, (field, self.height), self.intensity, *self.elastic))
        before: Response = problem.respond(self.phi, 1.0, self._response, self.alternation.equilibrium)
        control = GivenLoad(problem, self.phi, 1.0, tolerance, problem.damage.irreversibility.variational)
        found = self.alternation.run(problem, control, self.acceleration, self.phi, self.phi, before)
        self.phi, self._response = found.phi, found.response
        problem.damage.accept(found.response.drive)
        tip = (np.flatnonzero(self.phi[self.row] > _CRACKED)[-1] + 0.5) * self.h
        J = j_integral(found.response.solution, plateau(self.grid, (tip, self.height), *contour))[0]
        grown = (problem.cracks.energy(self.phi) - self._first) / self.cost
        trail = self._column(round((tip - sum(contour) / 2.0) / self.h - 0.5))
        return Surf(field, grown, float(tip), float(J) / self.cost, trail / self.cost)

    def _column(self, index: int) -> float:
        """∫ w(φ) dy across the crack, of a column of cells."""
        phi, cracks = self.phi[:, index], self.problem.cracks
        local = (cracks.local.linear + 0.5 * cracks.local.quadratic * phi) * phi
        kappa = cracks.model.gradient(cracks.toughness, cracks.ell)
        return float(self.h * local.sum() + 0.5 * kappa * np.square(np.diff(phi)).sum() / self.h)

    def close(self) -> None:
        """End the threads."""
        self.body.close()
        self.problem.damage.close()
