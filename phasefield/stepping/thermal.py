"""Thermal (Cook) noise, drawn mode by mode and added to the result of a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.kernels.phi import phi_values
from phasefield.models.split import Split
from phasefield.random import philox_key, stream_tag
from phasefield.stepping.schemes import Scheme

# Sets of amplitudes kept, one per step size and S: steps that land on output times are shorter than the others.
KEPT = 4
# Drawing takes ten times as long as transforming: up to this many cells a second thread brings nothing.
SERIAL_CELLS = 64 * 64


class ThermalNoise:
    """Noise with which the discrete scheme satisfies fluctuation and dissipation, for one field.

    ∂c/∂t = ∇·M∇μ + ∇·√(2MkT) ξ,    ∂φ/∂t = −Lμ + √(2LkT) ξ,    ⟨ξξ′⟩ = δ(x−x′) δ(t−t′)

    About a uniform state with f = f″ and symbol K = κk̃² (+ B of misfit) a step multiplies a mode by G = 1 − a(f+K) D, a = Δt m.
    Noise of the variance

        σ_k² = kT/V · (1 − G²)/(f + K) = kT/V · a D (1 + G)

    added to its result keeps ⟨|ĉ_k|²⟩ = kT/(V(f+K)) at every step size; the second form is positive and accurate for
    f + K ≤ 0 too. Without `corrected` the noise is that of the equation in the explicit part N, which `imex1` turns into
    σ_k² = 2a kT/V/(1 + a(S+K))²; the variance is then kT/(V(f+K)) / (1 + ½a(2S−f+K)).

    One white field per step is transformed and scaled mode by mode: the law of the divergence of a vector field with exactly the
    discrete Laplacian, and nothing at k = 0 of a conserved field. It depends on seed, field, step and cell alone. Amplitudes are
    relative to the transform of white noise, whose coefficients have the variance 1/cells in the full spectrum.

    f is f″ at the mean of the initial state, with the parameters at the beginning of the step: away from that mean, as in
    two-phase states, the correction is as good as the step is short.

    Args:
        split: of a model with one field; scheme: one-step, without error estimate.
        sweep: for one field, of its own: the arrays of the stepper's are in use between its passes. Its threads draw the noise.
        thermal_energy: kT, in the units of F; seed: of the scenario.

    Source: H. E. Cook, Acta Metall. 18 (1970) 297, doi:10.1016/0001-6160(70)90144-6; the variance of a step is derived in
    docs/theory/cook_noise.md.
    """

    def __init__(
        self, split: Split, scheme: Scheme, sweep: Any, thermal_energy: float, seed: int, corrected: bool = True
    ):
        (name,) = split.names
        self._split, self._scheme, self._sweep = split, scheme, sweep
        self._kT, self._corrected = thermal_energy, corrected
        modes = sweep.modes(split.model.laplacian)
        self._k0, self._kr, _ = sweep.stage_geometry(modes)
        self._hat = sweep.empty_hat()
        self._key, self._tag = philox_key(seed), stream_tag(f"thermal:{name}")
        self._elastic: Any = None
        if split.coupling is not None:
            symbol = split.coupling.symbol
            self._elastic = sweep.couple(sweep.layout.pack(1, lambda *m: symbol(sweep.grid, m)))[0]
        self._amplitudes: dict[tuple[float, float, float], np.ndarray] = {}
        self.mean = self._last_curvature = math.nan

    def start(self, mean: float) -> None:
        """Take f″ at the mean of an initial state."""
        self.mean, self._last_curvature = mean, math.nan
        self._amplitudes.clear()

    def prepare(self, dt: float, stabilisation: np.ndarray, time: float = 0.0) -> None:
        """Evaluate the amplitudes of a step from `time`.

        Raises:
            InputError: the scheme does not damp every stable mode at this Δt and S, so that no noise balances it.
        """
        self._amplitude(dt, float(stabilisation[0]), time)

    def of_step(self, step: int, dt: float, stabilisation: np.ndarray, time: float = 0.0) -> np.ndarray:
        """Fourier coefficients of the noise of step number `step`, which begins at `time`, as stage kernels take them.

        The next call overwrites them.

        Raises:
            InputError: as `prepare`.
        """
        from phasefield.kernels.philox import fill_normal

        cells, number, (k0, k1) = self._sweep.grid.cells, np.uint32(step), self._key

        def fill(u: np.ndarray, first: int) -> None:
            # Numbers go by the index of a cell alone, so the box may count as one row of cells.
            fill_normal(u[None], 0, 0, first, 1, cells, number, self._tag, k0, k1)

        self._sweep.forward_of(fill, self._hat)
        noise = self._sweep.real_view(self._hat)
        noise[0] *= self._amplitude(dt, float(stabilisation[0]), time)
        return noise

    def _amplitude(self, dt: float, S: float, time: float) -> np.ndarray:
        """√(cells σ_k²), shape (blocks, n0, width) as Fourier arrays of one field."""
        # A step that ends at a given time differs from the others by rounding.
        key = (float(f"{dt:.10g}"), S, self._curvature(time))
        if key not in self._amplitudes:
            if len(self._amplitudes) >= KEPT:
                self._amplitudes.pop(next(iter(self._amplitudes)))
            self._amplitudes[key] = self._evaluated(*key)
        return self._amplitudes[key]

    def _curvature(self, time: float) -> float:
        """f″ at the mean of the initial state."""
        if not (self._split.model.changing or math.isnan(self._last_curvature)):
            return self._last_curvature
        self._last_curvature = float(self._split.curvature([(self.mean, self.mean)], time=time)[0])
        return self._last_curvature

    def _evaluated(self, dt: float, S: float, f: float) -> np.ndarray:
        _, blocks, n0, width = self._sweep.real_view(self._hat).shape
        result = np.empty((blocks, n0, width), self._sweep.dtype)
        unit = self._kT / self._sweep.grid.cell_volume
        for b in range(blocks):
            k2 = self._k0[:, None] + self._kr[b * width : (b + 1) * width]
            variance = unit * self._variance(dt, S, f, k2, 0.0 if self._elastic is None else self._elastic[b])
            if not np.all(variance >= 0.0):
                raise InputError(
                    f"time.step: a step of {dt:g} with S = {S:g} does not damp all stable modes, and no noise balances it; "
                    "take a shorter step"
                )
            result[b] = np.sqrt(variance)
        return result

    def _variance(self, dt: float, S: float, f: float, k2: np.ndarray, elastic: Any) -> np.ndarray:
        """V σ_k²/kT."""
        kinetics = next(iter(self._split.model.fields.values()))
        a = dt * kinetics.rate(k2)
        z = -a * (S + self._split.kappa[0] * k2 + elastic)
        if not self._corrected:
            return 2.0 * a / (1.0 - z) ** 2
        n = -a * (f - S)
        D = self._scheme.increment(z, n, phi_values)
        return a * D * (2.0 + (z + n) * D)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the noise, its transform, the amplitudes kept and the sweep's buffers."""
        arrays = (self._hat, *self._amplitudes.values())
        return sum(a.nbytes for a in arrays) + self._sweep.buffer_bytes

    def close(self) -> None:
        """End the threads."""
        self._sweep.close()
