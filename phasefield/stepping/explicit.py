"""Forces that need the whole state in real space, within the passes of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from phasefield.models.base import ExplicitForce

# What a real pass does with a block of F (fields, cells) that begins with a given cell.
Hook = Callable[[Any, int], None]


class ExplicitPart:
    """Takes the real fields out of a sweep before a real pass, has the force of a model evaluated there, and adds it to F.

    For a model without such a force all of this is nothing.
    """

    def __init__(self, force: ExplicitForce | None, sweep: Any, backend: Any):
        self.force, self._sweep, self._backend = force, sweep, backend
        self._fields = self._forces = None
        if force is not None:
            self._fields = backend.xp.empty((sweep.fields, *sweep.grid.shape), backend.dtype)

    def evaluate(self, time: float, phase: int, before: float) -> Any:
        """Evaluate the force for what `work` holds; returns the real fields, which have to be given to the real pass then.

        Raises:
            NumericalError: the state has no force.
        """
        if self.force is not None:
            self._sweep.unload(self._fields)
            self.force.update(self._backend.to_host(self._fields), time, phase, before)
            self._forces = self._backend.to_device(self.force.forces).reshape(self._sweep.fields, -1)
        return self._fields

    def add_to(self, after: Hook | None) -> Hook | None:
        """What to do with F: add the force, then whatever else there is to be done."""
        forces = self._forces
        if forces is None:
            return after

        def add(F: Any, first: int) -> None:
            F += forces[:, first : first + F.shape[1]]
            if after is not None:
                after(F, first)

        return add

    def keep(self) -> None:
        """The last state becomes the one to which `rewind` goes back."""
        if self.force is not None:
            self.force.keep()

    def rewind(self) -> None:
        """Forget what was evaluated since."""
        if self.force is not None:
            self.force.rewind()

    def checkpoint(self) -> dict[str, np.ndarray]:
        """Arrays on the host, for `restore`."""
        return {} if self.force is None else self.force.checkpoint()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over a checkpoint; without arrays, forget all states."""
        if self.force is not None:
            self.force.restore(arrays)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the real fields and of what the force keeps."""
        return 0 if self.force is None or self._fields is None else self._fields.nbytes + self.force.memory_bytes
