"""One step of any scheme on any model: the passes of `Sweep` with the stage kernels of the scheme.

The stepper owns the arrays of a run. Between steps `state_hat` holds the Fourier coefficients and the sweep's work array
the half-transformed explicit part F(u) at the same state, together with its bulk energy and range, so that a step ends by
knowing the energy of its result. A rejected step costs one more evaluation and leaves the state untouched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.kernels.stages import GRADIENT, STABILISATION, kept_slots
from phasefield.models.split import Split
from phasefield.stepping.schemes import Scheme


@dataclass(frozen=True)
class Energies:
    """Energies of a state, integrated over the box."""

    bulk: float
    gradient: float

    @property
    def total(self) -> float:
        return self.bulk + self.gradient

    @property
    def scale(self) -> float:
        """A magnitude against which round-off in `total` is measured."""
        return abs(self.bulk) + abs(self.gradient)


class Stepper:
    """Arrays and kernels of a run; `attempt` a step, then `accept` or `restore`."""

    def __init__(self, split: Split, scheme: Scheme, sweep: Any, backend: Any):
        self.split, self.scheme, self.sweep, self.backend = split, scheme, sweep, backend
        self.modes = sweep.modes(split.model.laplacian)
        self.rates = split.rates()
        pointwise = backend.compile_pointwise(split.density, split.derivatives)
        self._potential = pointwise.potential
        self._parameters = backend.to_device(split.parameters)
        # On the device, in double precision whatever that of the fields; `modes` is for everybody else.
        geometry = (self.modes.k0, self.modes.kr, self.modes.weight)
        self._k0, self._kr, self._weight = (backend.to_device(a, np.float64) for a in geometry)
        multistep = scheme.multistep
        self._stages = backend.compile_stages(scheme.stages, multistep)
        self._start = backend.compile_stages(scheme.start, multistep)
        self._geometry = sweep.stage_geometry(self.modes)
        self.state_hat = sweep.empty_hat()
        self._value_hat = sweep.empty_hat()
        self._slots = [sweep.empty_hat() for _ in range(kept_slots(scheme.stages, multistep))]
        # State and size of the step before; its F̂ is in the slot. This is what a multistep scheme looks back at.
        self._previous = [sweep.empty_hat()] if multistep else []
        self._last_dt = 0.0
        # A step overwrites the F̂ of the step before; a rejected one leaves it to be evaluated again.
        self._slot_spoilt = False
        fields = len(split.names)
        self.energies = Energies(math.nan, math.nan)
        self.ranges: list[tuple[float, float]] = [(math.nan, math.nan)] * fields
        self._candidate = self.energies, self.ranges

    # --- state --------------------------------------------------------------------------------------------------

    def set_state(self, u: np.ndarray) -> None:
        """Start from real fields, shape (fields, *grid.shape)."""
        self.sweep.forward(u, self.state_hat)
        self._last_dt = 0.0
        self._slot_spoilt = False
        self.restore()
        self.energies, self.ranges = self._evaluated(self._gradient_energy())

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Everything the next step depends on: Fourier arrays on the host, and the size of the last step."""
        arrays = {"state_hat": self.state_hat}
        if self._previous and self._last_dt:
            arrays |= {"previous_hat": self._previous[0], "previous_explicit": self._slots[0]}
        return {name: self.backend.to_host(a) for name, a in arrays.items()}, {"last_dt": self._last_dt}

    def restore_checkpoint(self, arrays: Mapping[str, np.ndarray], last_dt: float) -> None:
        """Go on from a checkpoint of the same grid and device, bit for bit."""
        xp = self.backend.xp
        self.state_hat[...] = xp.asarray(arrays["state_hat"])
        if self._previous and last_dt:
            self._previous[0][...] = xp.asarray(arrays["previous_hat"])
            self._slots[0][...] = xp.asarray(arrays["previous_explicit"])
        self._slot_spoilt = False
        self._last_dt = last_dt
        self.restore()
        self.energies, self.ranges = self._evaluated(self._gradient_energy())

    def real_state(self) -> Any:
        """The fields in real space, a new array (fields, *grid.shape) on the device."""
        u = self.backend.xp.empty((len(self.split.names), *self.sweep.grid.shape), self.backend.dtype)
        self.sweep.backward(self.state_hat, u)
        self.restore()
        return u

    def mean(self, field: int) -> float:
        """The k = 0 coefficient."""
        return float(self.state_hat[field].reshape(-1)[0].real)

    def fluctuation(self, field: int) -> float:
        """Root mean square of the deviation from the mean."""
        view = self.sweep.real_view(self.state_hat)
        return math.sqrt(max(0.0, self.backend.kernels.fluctuation(view, field, self._weight)))

    # --- steps --------------------------------------------------------------------------------------------------

    def attempt(self, dt: float, stabilisation: np.ndarray, error_limit: np.ndarray | None = None) -> float | None:
        """Try a step; returns max over fields of error / error_limit, or None without error estimate.

        The new state waits for `accept`. When the error exceeds its limit the evaluation of the new state is skipped:
        only `restore` may follow.
        """
        self.rates[:, STABILISATION] = stabilisation
        view = self.sweep.real_view
        base, value, *slots = (view(a) for a in (self.state_hat, self._value_hat, *self._slots))
        previous = tuple(view(a) for a in self._previous)
        ratio = dt / self._last_dt if self._last_dt else 1.0
        geometry = (*self._geometry, self.rates, dt, ratio)
        stages, estimated = self._stages, error_limit is not None and self.scheme.estimates_error
        if previous and not self._last_dt:
            # The first step of a multistep scheme has nothing to compare itself with.
            stages, estimated = self._start, False
        error = None
        self._slot_spoilt = bool(previous) and self._last_dt > 0.0
        sums = np.zeros(0)
        for i, kernel in enumerate(stages):
            arguments = (base, value, *slots[: i + 1], *previous, *geometry)
            sums = self.sweep.spectral_pass(kernel, arguments, stage=True)
            if i == len(stages) - 1:
                sums = self.backend.to_host(sums)
                if estimated:
                    error = float(np.max(np.sqrt(sums[: len(self.split.names)]) / error_limit))
                    if not error <= 1.0:
                        return error
            self._bulk_sums = self.sweep.real_pass(self._potential, self._parameters)
        self._candidate = self._evaluated(self.sweep.grid.volume * float(sums[len(self.split.names)]))
        self._attempted_dt = dt
        return error

    @property
    def candidate_energies(self) -> Energies:
        """Energies of the state that waits for `accept`."""
        return self._candidate[0]

    def accept(self) -> None:
        """The attempted state becomes the state."""
        self.state_hat, self._value_hat = self._value_hat, self.state_hat
        if self._previous:
            # The old state becomes the step before; the array of the one before that is free.
            self._previous[0], self._value_hat = self._value_hat, self._previous[0]
            self._last_dt = self._attempted_dt
            self._slot_spoilt = False
        self.energies, self.ranges = self._candidate

    def restore(self) -> None:
        """Evaluate F(u) of the state again: after a rejected step, or after `work` has served something else.

        After a rejected step of a multistep scheme F of the step before as well: its array is what the step wrote to, and
        evaluating it again now and then is cheaper than a further array for every run.
        """
        if self._slot_spoilt:
            self._evaluate(self._previous[0])
            kernel = self.backend.kernels.store_block
            self.sweep.spectral_pass(kernel, (self.sweep.real_view(self._slots[0]),), backward=False)
            self._slot_spoilt = False
        self._evaluate(self.state_hat)

    def _evaluate(self, u_hat: Any) -> None:
        """`work` = half-transformed F(u)."""
        self.sweep.load(u_hat)
        self._bulk_sums = self.sweep.real_pass(self._potential, self._parameters)

    def _evaluated(self, gradient: float) -> tuple[Energies, list[tuple[float, float]]]:
        """Energies and ranges from the sums of the last real pass."""
        sums = self.backend.to_host(self._bulk_sums)
        bulk = float(sums[:, 0].sum()) * self.sweep.grid.cell_volume
        ranges = [
            (float(sums[:, 1 + 2 * q].min()), float(sums[:, 2 + 2 * q].max())) for q in range(len(self.split.names))
        ]
        return Energies(bulk, gradient), ranges

    def _gradient_energy(self) -> float:
        view = self.sweep.real_view(self.state_hat)
        return self.sweep.grid.volume * sum(
            self.backend.kernels.gradient_energy(view, q, self._k0, self._kr, self._weight, self.rates[q, GRADIENT])
            for q in range(len(self.split.names))
        )

    @property
    def memory_bytes(self) -> int:
        """Bytes of the state, the stages and the sweep's buffers."""
        return (2 + len(self._slots) + len(self._previous)) * self.state_hat.nbytes + self.sweep.buffer_bytes
