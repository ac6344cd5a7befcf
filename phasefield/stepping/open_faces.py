"""Conserved fields between faces with given values: matter passes, and the chemical potential is that of the values.

∂c/∂t = M ∇²μ with c = g and −κ∇²c = 0 at a face, so that μ = ∂f/∂c(g) there. The sine waves of the axis vanish at the faces, and
so must what they are to represent: μ less the harmonic function with the same values at the faces, which ∇² does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from phasefield.models.split import Split
from phasefield.spectral.grid import Grid

Hook = Callable[[Any, int], None]


class OpenFaces:
    """Takes the harmonic function off F of the conserved fields of a model. `needed` says whether there is anything to do."""

    def __init__(self, split: Split, grid: Grid):
        self._split, self.needed = split, False
        self._axis = next((axis for axis in grid.axes if axis.boundary == "fixed"), None)
        if self._axis is None:
            return
        self._conserved = [q for q, n in enumerate(split.names) if split.model.fields[n].conserved]
        self.needed = bool(self._conserved)
        share = grid.coordinates()[self._axis.name] / self._axis.length
        self._share = np.ascontiguousarray(np.broadcast_to(share, grid.shape)).ravel()

    def ends(self, time: float) -> list[tuple[float, float]]:
        """∂f/∂φ at the two ends, of every conserved field."""
        assert self._axis is not None
        split, axis = self._split, self._axis
        states = [{n: axis.ends(n)[side] for n in split.names} for side in (0, 1)]
        values = dict(zip(split.density.parameters, split.parameters_at(time), strict=True))
        result = []
        for q in self._conserved:
            low, high = (float(split.derivatives[q].evaluate(**state, **values)) for state in states)
            result.append((low, high))
        return result

    def taken_off(self, time: float, after: Hook | None) -> Hook:
        """What to do with F at `time`, before anything else that is to be done."""
        ends = list(zip(self._conserved, self.ends(time), strict=True))

        def take(F: Any, first: int) -> None:
            share = self._share[first : first + F.shape[1]]
            for q, (low, high) in ends:
                F[q] -= low if low == high else (low + (high - low) * share).astype(F.dtype)
            if after is not None:
                after(F, first)

        return take
