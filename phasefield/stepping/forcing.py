"""Sources: ∂φ/∂t = (model) + s(x, y, z, t), one formula per field.

A source enters N of every stage of a time scheme at the stage's own time (`kernels.stages`), so that a scheme keeps its order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.errors import InputError, NumericalError
from phasefield.kernels.cell_map import TIME, cell_map
from phasefield.kernels.expressions import Expression
from phasefield.models.base import Model

# Sources at this many times are kept: a multistep scheme needs two at once, a stage often the last one again.
KEPT = 2


def why_not_forced(model: Model) -> str | None:
    """Why a model takes no source, or None."""
    if model.coupling is not None or model.explicit:
        return "fields that elasticity couples take no source yet"
    return "a field with inertia takes no source yet" if model.viscosity is not None else None


class Forcing:
    """Fourier coefficients ŝ(t) of the sources of all fields, zero for those that have none.

    Args:
        sources: formulas in x, y, z, t and the lengths Lx, Ly, Lz, by field name.
        names: all fields in storage order.
        sweep: the sweep of the run; a second one of its kind transforms the sources, because the first is busy with the state.
        section: where the scenario gives them, `source` or `manufactured`, for messages.

    Raises:
        InputError: the sweep works on a device that cannot evaluate sources, or a source is not finite at t = 0.
    """

    def __init__(self, sources: Mapping[str, Expression], names: tuple[str, ...], sweep: Any, section: str = "source"):
        if not isinstance(sweep.work, np.ndarray):
            raise InputError(f"{section}: runs on the CPU only so far; use --device cpu")
        self._section = section
        self._fields = [name for name in names if name in sources]
        grid, centres = sweep.grid, [np.zeros(1)] * 3
        for position, axis in enumerate(grid.axes):
            centres[position] = axis.centres
        lengths = {f"L{axis.name}": axis.length for axis in grid.axes}
        self._maps = []
        for name in self._fields:
            fill, parameters = cell_map(sources[name])
            values = np.array([lengths.get(p, 0.0) for p in parameters])
            self._maps.append((names.index(name), fill, centres, values, [p == TIME for p in parameters]))
        self._steady = not any(TIME in sources[name].names_used for name in self._fields)
        self._sweep = type(sweep)(grid, len(names), sweep.kernels, sweep.engine, sweep.threads, sweep.dtype)
        self._kept: dict[float, np.ndarray] = {}
        self._free = [self._sweep.empty_hat() for _ in range(KEPT)]
        self.at(0.0)

    def at(self, time: float) -> np.ndarray:
        """ŝ at a time in the form stage kernels take; valid until `KEPT` other times have been asked for.

        Raises:
            InputError: a source is not finite at t = 0, before anything is on disk.
            NumericalError: or later.
        """
        key = 0.0 if self._steady else time
        hat = self._kept.pop(key, None)
        if hat is None:
            hat = self._free.pop() if self._free else self._kept.pop(next(iter(self._kept)))
            self._evaluate(time, hat)
        # The one asked for last stands last.
        self._kept[key] = hat
        return self._sweep.real_view(hat)

    def _evaluate(self, time: float, hat: np.ndarray) -> None:
        for *_, values, is_time in self._maps:
            values[is_time] = time

        def fill(u: np.ndarray, first: int) -> None:
            u[...] = 0.0
            for q, kernel, centres, values, _ in self._maps:
                kernel(u[q], first, *centres, values)

        sweep = self._sweep
        sweep.forward_of(fill, hat)
        for name, (q, *_) in zip(self._fields, self._maps, strict=True):
            # One value that is not finite spoils the transform of them all.
            if not np.isfinite(sweep.real_view(hat)[q].reshape(-1)[0]):
                what = "is" if self._section == "source" else "its source is"
                kind = InputError if time == 0.0 else NumericalError
                raise kind(f"{self._section}.{name}: {what} not finite everywhere at t = {time:g}")

    def close(self) -> None:
        """End the threads."""
        self._sweep.close()

    @property
    def memory_bytes(self) -> int:
        """Bytes of the transformed sources and of the sweep's buffers."""
        return self._sweep.buffer_bytes + sum(a.nbytes for a in (*self._kept.values(), *self._free))
