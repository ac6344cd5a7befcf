"""Langevin noise: thermal fluctuations of order parameters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from phasefield.errors import InputError
from phasefield.random import philox_key, stream_tag


class LangevinNoise:
    """ζ = √(2 kT L / (h^d Δt)) ξ in every cell and step, ξ standard normal: ∂φ/∂t = −L δF/δφ + ζ.

    It enters as −ζ/L in the explicit part F, so that every mode is damped as the scheme damps what is explicit. `imex1` then has
    the stationary variance ⟨|φ̂_k|²⟩ = kT / (V s) / (1 + ½ Δt L (2S − A + κk² + B)), s = A + κk² + B, f = ½Aφ².

    ξ depends on seed, field, step and cell alone.

    Args:
        thermal_energy: kT, in the units of F; mobility: L; cell_volume: h^d; step: Δt, the same for all steps.
        seed: of the scenario; fields: names, each with a stream of its own.

    Source: H. E. Cook, Acta Metall. 18 (1970) 297, doi:10.1016/0001-6160(70)90144-6, for conserved fields.
    """

    def __init__(
        self,
        thermal_energy: float,
        mobility: float,
        cell_volume: float,
        step: float,
        seed: int,
        fields: tuple[str, ...],
    ):
        self.amplitude = math.sqrt(2.0 * thermal_energy / (mobility * cell_volume * step))
        self._key = philox_key(seed)
        self._tags = np.array([stream_tag(f"langevin:{name}") for name in fields], np.uint32)

    def of_step(self, step: int) -> Callable[[np.ndarray, int], None]:
        """What a real pass does with F before step number `step`, counted from 0."""
        from phasefield.kernels.philox import subtract_normal

        amplitude, tags, (k0, k1), number = self.amplitude, self._tags, self._key, np.uint32(step)

        def add(F: np.ndarray, first: int) -> None:
            if not isinstance(F, np.ndarray):
                raise InputError("model.thermal_energy: noise runs on the CPU only so far; use --device cpu")
            subtract_normal(F, first, amplitude, number, tags, k0, k1)

        return add
