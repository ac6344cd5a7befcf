"""Where on a body that moves something acts: faces by name, boxes, nodes on them, and integrals over faces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.mechanics.bounded_faces import ENDS
from phasefield.mechanics.dynamics import MovingBody
from phasefield.spectral.grid import AXIS_NAMES

# Coordinates that differ by less than this share of the box are the same.
_SAME = 1e-9
Box = list[tuple[float, float]]


class Surface:
    """The faces of a body; a face is (axis, end), 0 for x and 0 for low."""

    def __init__(self, body: MovingBody):
        self.body, self.grid = body, body.grid
        self.dimensions = body.grid.dimensions

    def face(self, name: str, place: str) -> tuple[int, int]:
        """The face `x.low`, …

        Raises:
            InputError: there is none of this name; `place` is the key path.
        """
        d = self.dimensions
        periodic = {f"{AXIS_NAMES[a]}.{end}": AXIS_NAMES[a] for a in range(d) for end in ENDS if self.body.periodic[a]}
        if name in periodic:
            raise InputError(f"{place}: the axis {periodic[name]} is periodic and has no faces")
        known = [f"{axis.name}.{end}" for axis in self.grid.axes for end in ENDS]
        known = [one for one in known if one not in periodic]
        if name not in known:
            raise InputError(f"{place}: {unknown('face', name, known)}")
        axis, end = name.split(".")
        return AXIS_NAMES.index(axis), ENDS.index(end)

    def box(self, low: list[float] | None, high: list[float] | None, place: str) -> Box:
        """Of every axis x, y[, z]: the ends of the box between two corners; those of the body where one is absent.

        Raises:
            InputError: corners of another dimension.
        """
        d = self.dimensions
        for name, corner in (("from", low), ("to", high)):
            if corner is not None and len(corner) != d:
                raise InputError(f"{place}.{name}: needs {d} coordinates on this grid (got {len(corner)})")
        corners = zip(low or [0.0] * d, high or [axis.length for axis in self.grid.axes], strict=True)
        return [(min(a, b), max(a, b)) for a, b in corners]

    def check_meets(self, face: tuple[int, int], box: Box, place: str) -> None:
        """Refuse a box that a face does not meet."""
        axis, end = face
        length = self.grid.axes[axis].length
        at, slack = end * length, _SAME * length
        if not box[axis][0] - slack <= at <= box[axis][1] + slack:
            name = AXIS_NAMES[axis]
            raise InputError(
                f"{place}: the face {name}.{ENDS[end]} at {name} = {at:g} does not lie between from and to"
            )

    def nodes(self, face: tuple[int, int] | None, box: Box | None = None) -> np.ndarray:
        """True for nodes (*nodes) with mass on a face, or anywhere, within a box; copies along periodic axes are left out."""
        body = self.body
        inside = np.ones(body.nodes, bool)
        for a, ends in enumerate(box or []):
            axis = self.grid.axes[a]
            line, slack = np.arange(axis.cells + 1) * axis.spacing, _SAME * axis.length
            chosen = (line >= ends[0] - slack) & (line <= ends[1] + slack)
            if body.periodic[a]:
                chosen[0] |= chosen[-1]
            inside &= self._along(chosen, a)
        if face is not None:
            inside &= self._face_mask(*face)
        own = np.zeros(body.nodes, bool)
        own[body.own] = True
        return inside & own & (body.mass > 0.0)

    def shares(self, face: tuple[int, int], box: Box) -> np.ndarray:
        """How much of each cell at a face lies within a box, 0 to 1, and 0 in voids: grid.shape without the axis of the face."""
        axis, end = face
        share = np.where(self.body.solid, 1.0, 0.0)
        for a, (low, high) in enumerate(box):
            if a != axis:
                spacing = self.grid.axes[a].spacing
                edges = np.arange(self.grid.axes[a].cells + 1) * spacing
                part = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])
                # Whole cells count as 1 to the last bit, so that forces on mirrored faces are the same.
                part = np.where(part > (1.0 - _SAME) * spacing, 1.0, part / spacing)
                share = share * self._along(np.where(part > _SAME, part, 0.0), a)
        return np.take(share, -end, self.dimensions - 1 - axis)

    def integrals(self, cells: np.ndarray, face: tuple[int, int]) -> np.ndarray:
        """∫ N q dA of one number q per cell beside a face: nodal values (*nodes), those of copies as their originals'."""
        axis, end = face
        d = self.dimensions
        others = [a for a in range(d) if a != axis]
        share = cells * math.prod(self.grid.axes[a].spacing for a in others) / 2.0 ** (d - 1)
        for position, a in enumerate(others):
            along = share.ndim - 1 - position
            zero = np.zeros_like(np.take(share, [0], along))
            share = np.concatenate([zero, share], along) + np.concatenate([share, zero], along)
            if self.body.periodic[a]:
                index: list[Any] = [slice(None)] * share.ndim
                index[along] = [0, -1]
                share[tuple(index)] = np.take(share, [0], along) + np.take(share, [-1], along)
        result = np.zeros(self.body.nodes)
        result[self._face_index(axis, end)] = share
        return result

    def _face_index(self, axis: int, end: int) -> tuple[Any, ...]:
        index: list[Any] = [slice(None)] * self.dimensions
        index[self.dimensions - 1 - axis] = -end
        return tuple(index)

    def _face_mask(self, axis: int, end: int) -> np.ndarray:
        mask = np.zeros(self.body.nodes, bool)
        mask[self._face_index(axis, end)] = True
        return mask

    def _along(self, line: np.ndarray, axis: int) -> np.ndarray:
        """Values along one axis, to be broadcast over the others."""
        d = self.dimensions
        return line.reshape([-1 if k == d - 1 - axis else 1 for k in range(d)])
