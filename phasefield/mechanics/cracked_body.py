"""A body that cracks, as alternate minimisation sees it: its equilibrium at given damage, under the load ±1.

Loads are proportional: a pattern of displacements, tractions, mean strains or mean stresses times a factor s. Stresses of
all splits are positively homogeneous of degree one in the strain: the equilibrium under s is |s| times that under sign(s),
and energies are s² times as large. A body is therefore solved at s = ±1 only, whatever the load.

With P the force that belongs to the given displacements (or mean strains) and q the displacement that belongs to the given forces
(or mean stresses), the elastic energy is U = ½(P·1 + q·1) at s = 1 by Clapeyron's theorem, and the work of a load that changes is
∫ P ds + ∫ s dq.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.mechanics.bounded_faces import FaceConditions
from phasefield.mechanics.bounded_solution import SplitSolution
from phasefield.mechanics.bounded_split import BoundedBody
from phasefield.mechanics.degraded import Degraded
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.periodic_solve import Solution
from phasefield.mechanics.splits import Split
from phasefield.mechanics.stiffness import COMPONENTS, IN_PLANE
from phasefield.spectral.grid import AXIS_NAMES, Grid

# Residuals are relative to that of the ramp, which is as steep as a cell where nodes are held: about ten times that of the body.
HELD = 0.1


@dataclass(frozen=True, eq=False)
class Response:
    """An equilibrium under s = ±1.

    drive: what drives damage, ψ⁺ without g (*grid.shape); energy: U; force: P; deflection: q; both with the sign of s; records:
    further numbers for a history, proportional to s; iterations: of conjugate gradients; solution: what the solver keeps.
    """

    sign: float
    drive: np.ndarray
    energy: float
    force: float
    deflection: float
    records: dict[str, float]
    iterations: int
    solution: Any


class CrackedBody(ABC):
    """Equilibria of one body under one pattern of loads.

    Attributes: `displaced`, whether displacements or mean strains other than 0 are given; `forced`, whether forces or mean
    stresses are.
    """

    grid: Grid
    displaced: bool
    forced: bool

    @abstractmethod
    def respond(self, g: np.ndarray, sign: float, start: Response | None, tolerance: float) -> Response:
        """The equilibrium with the degradation g (*grid.shape) under s = sign, from that of a damage nearby."""

    @abstractmethod
    def fields(self, response: Response, scale: float) -> dict[str, np.ndarray]:
        """Displacement, strain and stress at the centres of cells, by names such as `stress_xy`, at |s| = scale."""

    @abstractmethod
    def keep(self, response: Response) -> dict[str, np.ndarray]:
        """Arrays from which `recall` makes a starting point that leads to the same bits."""

    @abstractmethod
    def recall(self, arrays: Mapping[str, np.ndarray], response: Mapping[str, float]) -> Response:
        """The opposite of `keep`."""

    @abstractmethod
    def close(self) -> None:
        """End the threads."""


def component_names(kind: str, dimensions: int) -> list[str]:
    """`strain_xx`, `strain_yy`, `strain_xy` in the plane."""
    chosen = IN_PLANE if dimensions == 2 else range(6)
    return [f"{kind}_{COMPONENTS[i]}" for i in chosen]


def tensor_fields(kind: str, mandel: np.ndarray, dimensions: int) -> dict[str, np.ndarray]:
    """Tensor components by name, of Mandel components (m, *shape)."""
    names = component_names(kind, dimensions)
    shear = np.sqrt(0.5)
    return {
        name: values * (1.0 if i < dimensions else shear)
        for i, (name, values) in enumerate(zip(names, mandel, strict=True))
    }


def at_centres(nodal: np.ndarray) -> np.ndarray:
    """Means over the corners of cells, of values at the nodes (*nodes)."""
    for axis in range(nodal.ndim):
        n = nodal.shape[axis]
        nodal = 0.5 * (np.take(nodal, range(n - 1), axis) + np.take(nodal, range(1, n), axis))
    return nodal


class PeriodicBody(CrackedBody):
    """A periodic cell under mean strains and stresses.

    Args:
        split: with λ and μ of the cells, 0 in voids.
        stress_controlled: for xx, yy, xy (plane) or all six components, whether the mean stress is given.
        values: (m,) the given mean strains and stresses at s = 1, tensor components.
        scheme: of the periodic solver.
    """

    def __init__(
        self,
        grid: Grid,
        split: Split,
        stress_controlled: Sequence[bool],
        values: Sequence[float],
        scheme: str = "rotated",
        threads: int = 1,
    ):
        self.grid, self.split = grid, split
        d, m = grid.dimensions, split.components
        mandel = np.asarray(values, float) * np.where(np.arange(m) < d, 1.0, np.sqrt(2.0))
        kinds = ["stress" if free else "strain" for free in stress_controlled]
        self._controls = {sign: MeanControl(kinds, list(sign * mandel)) for sign in (1.0, -1.0)}
        self.displaced = bool(np.any(self._controls[1.0].strain))
        self.forced = bool(np.any(self._controls[1.0].stress))
        self._solver = PeriodicElasticity(grid, scheme=scheme, threads=threads)
        self._law = Degraded(split, np.ones(grid.shape))
        self._volume = grid.cell_volume * grid.cells

    def respond(self, g: np.ndarray, sign: float, start: Response | None, tolerance: float) -> Response:
        self._law.g[...] = g.reshape(-1)
        control = self._controls[sign]
        from_ = start.solution if start is not None and start.sign == sign else None
        solution = self._solver.solve(self._law, control, start=from_, tolerance=tolerance, max_iterations=20_000)
        return self._response(sign, solution, g, solution.iterations)

    def _response(self, sign: float, solution: Any, g: np.ndarray, iterations: int) -> Response:
        control = self._controls[sign]
        strain = solution.strain.reshape(self.split.components, -1)
        plus, minus = self.split.energies(strain)
        energy = float(self.split.stored(plus, minus, g.reshape(-1)).sum()) * self.grid.cell_volume
        d = self.grid.dimensions
        records = {f"mean_{n}": float(v) for n, v in tensor_fields("strain", solution.mean_strain, d).items()}
        records |= {f"mean_{n}": float(v) for n, v in tensor_fields("stress", solution.mean_stress, d).items()}
        return Response(
            sign=sign,
            drive=np.asarray(self.split.drive(plus, minus), float).reshape(self.grid.shape),
            energy=energy,
            force=self._volume * float(solution.mean_stress @ control.strain) * sign,
            deflection=self._volume * float(solution.mean_strain @ control.stress) * sign,
            records=records,
            iterations=iterations,
            solution=solution,
        )

    def fields(self, response: Response, scale: float) -> dict[str, np.ndarray]:
        solution, d = response.solution, self.grid.dimensions
        coordinates = self.grid.coordinates()
        mean = np.zeros((d, d))
        for (i, j), value in zip(_pairs(d), solution.mean_strain, strict=True):
            mean[i, j] = mean[j, i] = value * (1.0 if i == j else np.sqrt(0.5))
        result = {}
        fluctuation = self._solver.scheme.at_centres(solution.displacement)
        for i, name in enumerate(AXIS_NAMES[:d]):
            affine = sum((mean[i, j] * coordinates[AXIS_NAMES[j]] for j in range(d)), np.zeros(self.grid.shape))
            result[f"displacement_{name}"] = scale * (fluctuation[i] + affine)
        result |= tensor_fields("strain", scale * solution.strain, d)
        return result | tensor_fields("stress", scale * solution.stress, d)

    def keep(self, response: Response) -> dict[str, np.ndarray]:
        s = response.solution
        names = ("vector", "strain", "stress", "energy_density", "mean_strain", "mean_stress")
        return {name: getattr(s, name) for name in names}

    def recall(self, arrays: Mapping[str, np.ndarray], response: Mapping[str, float]) -> Response:
        names = ("vector", "strain", "stress", "energy_density", "mean_strain", "mean_stress")
        kept = {n: np.array(arrays[n]) for n in names}
        solution = Solution(self._solver.scheme, **kept, iterations=0, residuals=(), history=())
        return self._response(float(response["sign"]), solution, np.array(arrays["g"]), 0)

    def close(self) -> None:
        self._solver.close()


class FacedBody(CrackedBody):
    """A body between faces with displacements and tractions on them.

    Args:
        split: with λ and μ of the cells, 0 in voids.
        faces, held, held_values: see `bounded`.
    """

    def __init__(
        self,
        grid: Grid,
        split: Split,
        faces: FaceConditions,
        *,
        held: np.ndarray | None = None,
        held_values: np.ndarray | float = 0.0,
        threads: int = 1,
    ):
        self.grid = grid
        self._solver = BoundedBody(grid, split, faces, held=held, held_values=held_values, threads=threads)
        self._force = self._solver.loads.force
        self._share = HELD if held is not None else 1.0
        self.forced = bool(self._force.any())
        axial = np.broadcast_to(split.lame + 2.0 * split.shear, (grid.cells,))
        self._solver.loads.check_factor(axial.reshape(grid.shape))
        self._follow()

    def _follow(self) -> None:
        loads = self._solver.loads
        self._given = np.where(loads.constrained, loads.ramp, 0.0)
        self.displaced = bool(self._given.any())

    def prescribe(self, displacement: np.ndarray) -> None:
        """Other displacements of the nodes that faces or `held` prescribe, at s = 1, with a smooth continuation (d, *nodes).

        See `Loads.prescribe`.
        """
        self._solver.loads.prescribe(displacement)
        self._share = 1.0
        self._follow()

    @property
    def nodes(self) -> np.ndarray:
        """Positions of the nodes (*nodes, d), x first."""
        return self._solver.loads.points()

    def respond(self, g: np.ndarray, sign: float, start: Response | None, tolerance: float) -> Response:
        # An equilibrium under the other sign is none of a split that tells tension from compression.
        begin = None if start is None else start.solution
        solution = self._solver.solve(g, sign, start=begin, tolerance=self._share * tolerance, max_iterations=20_000)
        return self._response(sign, solution, solution.iterations)

    def _response(self, sign: float, solution: SplitSolution, iterations: int) -> Response:
        records = {
            f"reaction_{face.replace('.', '_')}_{AXIS_NAMES[c]}": float(force[c])
            for face, force in solution.reactions.items()
            for c in range(self.grid.dimensions)
        }
        return Response(
            sign=sign,
            drive=solution.drive,
            energy=solution.energy,
            force=float((solution.nodal_forces * self._given).sum()),
            deflection=float((solution.displacement * self._force).sum()),
            records=records,
            iterations=iterations,
            solution=solution,
        )

    def fields(self, response: Response, scale: float) -> dict[str, np.ndarray]:
        solution, d = response.solution, self.grid.dimensions
        result = {}
        for i, name in enumerate(AXIS_NAMES[:d]):
            result[f"displacement_{name}"] = scale * at_centres(solution.displacement[i])
        result |= tensor_fields("strain", scale * solution.strain, d)
        return result | tensor_fields("stress", scale * solution.stress, d)

    def keep(self, response: Response) -> dict[str, np.ndarray]:
        s = response.solution
        return {name: getattr(s, name) for name in ("displacement", "nodal_forces", "plus", "minus", "drive")}

    def recall(self, arrays: Mapping[str, np.ndarray], response: Mapping[str, float]) -> Response:
        names = ("displacement", "nodal_forces", "plus", "minus", "drive", "g")
        sign, energy = float(response["sign"]), float(response["energy"])
        solution = SplitSolution(
            solver=self._solver,
            load=sign,
            energy=energy,
            iterations=0,
            residual=0.0,
            newton_steps=0,
            **{name: np.array(arrays[name]) for name in names},
        )
        return self._response(sign, solution, 0)

    def close(self) -> None:
        self._solver.close()


def _pairs(d: int) -> list[tuple[int, int]]:
    return [(0, 0), (1, 1), (0, 1)] if d == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
