"""Wavenumbers and discrete Laplacians.

The symbol k̃² of −∇² is a sum over axes, one summand per axis:

The waves of an axis depend on its boundary, see `grid`. With k = πn/L the stencil is the one that mirrors a field at the faces,
or turns it over.

| name | summand of an axis | meaning |
|---|---|---|
| `spectral` | k² | exact derivative of the trigonometric interpolant |
| `finite_difference` | (4/h²) sin²(k h/2) | second-order three-point stencil |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from phasefield.registry import lookup, register
from phasefield.spectral.grid import Axis


def wavenumbers(axis: Axis, *, half: bool) -> np.ndarray:
    """Angular wavenumbers of an axis in storage order.

    Periodic: 2π n / L in FFT order; only n ≥ 0 when `half` (real transform). No flux: π n / L from n = 0; fixed: from n = 1.
    """
    if axis.boundary != "periodic":
        return np.pi * (np.arange(axis.cells) + (axis.boundary == "fixed")) / axis.length
    n = np.fft.rfftfreq(axis.cells, 1.0 / axis.cells) if half else np.fft.fftfreq(axis.cells, 1.0 / axis.cells)
    return 2.0 * np.pi * np.abs(n) / axis.length if half else 2.0 * np.pi * n / axis.length


@register("laplacian", "spectral")
def spectral(k: np.ndarray, spacing: float) -> np.ndarray:
    """k²."""
    return k * k


@register("laplacian", "finite_difference")
def finite_difference(k: np.ndarray, spacing: float) -> np.ndarray:
    """(4/h²) sin²(k h/2), the symbol of the stencil (−1, 2, −1)/h²."""
    s = np.sin(0.5 * k * spacing)
    return (4.0 / spacing**2) * s * s


def axis_symbol(axis: Axis, laplacian: str, *, half: bool) -> np.ndarray:
    """The summand of k̃² that belongs to `axis`, for its wavenumbers in storage order."""
    rule: Callable[[np.ndarray, float], np.ndarray] = lookup("laplacian", laplacian)
    return rule(wavenumbers(axis, half=half), axis.spacing)
