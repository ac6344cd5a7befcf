"""Conditions on faces and at held nodes as arrays over the nodes: what is held, the ramp between the faces, nodal forces."""

from __future__ import annotations

import numpy as np

from phasefield.errors import InputError
from phasefield.mechanics.bounded_faces import ENDS, FaceConditions
from phasefield.spectral.grid import AXIS_NAMES, Grid

# Values that differ by less than this fraction of the largest agree.
_SAME = 1e-9


class Loads:
    """What acts on the nodes of a grid at unit load. Arrays are (d, *nodes), nodes = cells + 1 along each axis.

    constrained: bool, nodes whose displacement is given; ramp: a displacement with these values, linear between opposite faces
    that are both held (blended where faces across different axes are), constant from a face whose opposite is free, 0
    elsewhere except at held nodes; force: t × area of a face, distributed over its nodes as the shape functions do.

    Raises:
        InputError: see `BoundedElasticity`.
    """

    def __init__(self, grid: Grid, faces: FaceConditions, held: np.ndarray | None, held_values: np.ndarray | float):
        self.grid, self.faces = grid, faces
        d = self.dimensions = grid.dimensions
        self.nodes = tuple(n + 1 for n in grid.shape)
        shape = (d, *self.nodes)
        self.constrained, self.ramp, self.force = np.zeros(shape, bool), np.zeros(shape), np.zeros(shape)
        for c in range(d):
            self._make_ramp(c)
        for axis, end, c, value in faces.tractions():
            self.force[self.face(c, axis, end)] += value * self._areas(axis)
        self.held = np.zeros(shape, bool)
        if held is not None:
            self._hold(np.asarray(held), held_values)
        faces.check_support(self._held_points())

    def face(self, component: int, axis: int, end: int) -> tuple:
        """The index of the nodes of a face in arrays (d, *nodes)."""
        index: list[int | slice] = [component, *[slice(None)] * self.dimensions]
        index[self.dimensions - axis] = -end
        return tuple(index)

    def mask(self, component: int) -> np.ndarray:
        """1 and 0 at the nodes (n0, n1, nx + 1) that are free and held, for a component with held nodes, else no elements."""
        if not self.held[component].any():
            return np.zeros((0, 0, 0))
        n1 = self.nodes[1] if self.dimensions == 3 else 1
        return np.where(self.held[component], 0.0, 1.0).reshape(self.nodes[0], n1, self.nodes[-1])

    def prescribe(self, values: np.ndarray) -> None:
        """Replace the ramp by `values` (d, *nodes): those of constrained nodes are prescribed, at unit load.

        Solvers read it at every solve, so that a body can follow boundary values that change in other ways than in proportion.
        Tolerances refer to the forces of the ramp: values inside should continue those at the boundary smoothly. With 0 inside,
        all of the displacement is taken up by one row of cells, and residuals that look small are not.

        Raises:
            InputError: another shape, values that are not finite.
        """
        values = np.asarray(values, float)
        if values.shape != self.ramp.shape:
            raise InputError(f"displacements: shape {values.shape} does not fit {self.ramp.shape}")
        if not np.isfinite(values).all():
            raise InputError("displacements: must be finite")
        self.ramp[...] = values

    def check_factor(self, factor: np.ndarray) -> None:
        """Refuse tractions on cells without stiffness."""
        for axis, end, c, _ in self.faces.tractions():
            cells = np.take(factor, -end, axis=self.dimensions - 1 - axis)
            if not np.all(cells > 0.0):
                name = AXIS_NAMES[axis]
                raise InputError(
                    f"faces.{name}.{ENDS[end]}.traction.{AXIS_NAMES[c]}: acts on cells without any stiffness; "
                    "leave them a residual one"
                )

    def reactions(self, forces: np.ndarray) -> dict[str, np.ndarray]:
        """Sums of nodal forces (d, *nodes) over the held nodes of each face, and over those held besides, (d,) each.

        A node on an edge where several faces hold the same component counts for each with an equal share, so that the sum of
        all entries is the resultant of all supports.
        """
        shared = np.zeros(forces.shape, int)
        for axis, end, c, _ in self.faces.prescribed():
            shared[self.face(c, axis, end)] += 1
        share = forces / np.maximum(shared, 1)
        names = [f"{AXIS_NAMES[axis]}.{end}" for axis in range(self.dimensions) for end in ENDS]
        result = {name: np.zeros(self.dimensions) for name in names}
        for axis, end, c, _ in self.faces.prescribed():
            result[f"{AXIS_NAMES[axis]}.{ENDS[end]}"][c] = share[self.face(c, axis, end)].sum()
        if self.held.any():
            only = self.held & (shared == 0)
            result["held"] = np.where(only, forces, 0.0).reshape(self.dimensions, -1).sum(axis=1)
        return result

    def points(self) -> np.ndarray:
        """Positions of all nodes (*nodes, d), x first."""
        lines = [np.arange(a.cells + 1) * a.spacing for a in reversed(self.grid.axes)]
        return np.stack(np.meshgrid(*lines, indexing="ij")[::-1], axis=-1)

    def _make_ramp(self, c: int) -> None:
        """Interpolation between the faces axis by axis, each time of what the axes before have left (Coons)."""
        points = self.points()
        for axis in range(self.dimensions):
            position = self.dimensions - 1 - axis
            pair = self.faces.faces[axis]
            given = [pair[end].displacement[c] for end in (0, 1)]
            if given == [None, None]:
                continue
            missing: list[np.ndarray | None] = [None, None]
            for end in (0, 1):
                prescribed = given[end]
                if prescribed is not None:
                    here = self.face(c, axis, end)
                    self.constrained[here] = True
                    missing[end] = np.expand_dims(prescribed.at(points[here[1:]]) - self.ramp[here], position)
            low, high = (m if m is not None else missing[1 - i] for i, m in enumerate(missing))
            assert low is not None
            assert high is not None
            n = self.nodes[position]
            s = (np.arange(n) / (n - 1)).reshape([-1 if i == position else 1 for i in range(self.dimensions)])
            self.ramp[c] += (1.0 - s) * low + s * high

    def _areas(self, axis: int) -> np.ndarray:
        """∫ N dA of the nodes of a face across `axis`."""
        total = np.ones(())
        for other in reversed(self.grid.axes):
            if other.name != AXIS_NAMES[axis]:
                weight = np.full(other.cells + 1, other.spacing)
                weight[0] = weight[-1] = 0.5 * other.spacing
                total = np.multiply.outer(total, weight)
        return total

    def _hold(self, held: np.ndarray, held_values: np.ndarray | float) -> None:
        if held.shape != self.ramp.shape or held.dtype != bool:
            raise InputError(f"held: must be a bool array of shape {self.ramp.shape}, got {held.dtype} {held.shape}")
        try:
            values = np.broadcast_to(np.asarray(held_values, float), held.shape)
        except ValueError:
            raise InputError(f"held_values: shape {np.shape(held_values)} does not fit {held.shape}") from None
        if not np.isfinite(values[held]).all():
            raise InputError("held_values: must be finite")
        twice = held & self.constrained
        size = max(np.abs(self.ramp).max(), np.abs(values[held]).max(initial=0.0))
        if np.any(np.abs(values - self.ramp)[twice] > _SAME * size):
            raise InputError("held_values: some nodes lie on a face that prescribes another displacement for them")
        if np.any(held & (self.force != 0.0)):
            raise InputError("held: some nodes lie on a face with a traction along the same component")
        self.held = held & ~self.constrained
        self.ramp[self.held] = values[self.held]
        self.constrained = self.constrained | held

    def _held_points(self) -> tuple[np.ndarray, np.ndarray] | None:
        if not self.held.any():
            return None
        where = np.nonzero(self.held)
        return self.points()[where[1:]], where[0]
