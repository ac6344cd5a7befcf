"""Generated stage kernels against the plain NumPy form of the same table, on random data."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.backend import CpuBackend
from phasefield.kernels.expressions import parse
from phasefield.kernels.stages import scratch_rows
from phasefield.registry import lookup, names
from phasefield.stepping.schemes import phi_values

FIELDS, N0, R, WIDTH = 2, 5, 24, 8


def plain(stage, value, base, slots, f_hat, k2, weight, rates, dt):
    """One stage as the table reads: new value, its N, squared error per field and gradient energy."""
    m = rates[:, 0, None, None] + rates[:, 1, None, None] * k2
    kappa, S = rates[:, 2, None, None], rates[:, 3, None, None]
    z = -dt * m * (S + kappa * k2)
    values = phi_values(z)

    def coefficient(text):
        return parse(text, variables=tuple(values)).evaluate(**values)

    N = -m * (f_hat - S * value)
    new = coefficient(stage.base) * base
    for w, n in zip(stage.weights, [*slots, N], strict=True):
        new = new + dt * coefficient(w) * n
    error = np.zeros_like(new)
    for w, n in zip(stage.error, [*slots, N], strict=False):
        error = error + dt * coefficient(w) * n
    squared = (weight * np.abs(error) ** 2).sum(axis=(1, 2))
    gradient = 0.5 * (weight * kappa * k2 * np.abs(new) ** 2).sum()
    return new, N, squared, gradient


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_stage_kernels(scheme, precision):
    scheme = lookup("scheme", scheme)
    backend = CpuBackend(precision, 1)
    kernels = backend.compile_stages(scheme.stages)
    rng = np.random.default_rng(8)
    complex_ = np.result_type(backend.dtype, np.complex64)

    def field():
        return (rng.normal(size=(FIELDS, N0, R)) + 1j * rng.normal(size=(FIELDS, N0, R))).astype(complex_)

    k0, kr, weight = rng.uniform(0, 2, N0), rng.uniform(0, 2, R), rng.choice([1.0, 2.0], R)
    k2 = k0[:, None] + kr[None, :]
    rates = np.array([[0.0, 1.3, 0.7, 0.4], [0.9, 0.2, 1.1, 2.0]])
    dt, tolerance = 0.37, 1e-13 if precision == "double" else 2e-6
    base, value = field(), field()
    slots = [field() for _ in scheme.stages[:-1]]
    for i, (stage, kernel) in enumerate(zip(scheme.stages, kernels, strict=True)):
        f_hat = field()
        last = i == len(scheme.stages) - 1
        expected = plain(stage, base if i == 0 else value, base, slots[:i], f_hat, k2, weight, rates, dt)
        out, stored = value.copy(), [s.copy() for s in slots]
        block, sums = f_hat.copy(), np.zeros(16)
        scratch = np.zeros((scratch_rows(scheme.stages), 2 * WIDTH), backend.dtype)
        real = [a.view(backend.dtype) for a in (base, out, *stored[: i + 1])]
        for start in range(0, R, WIDTH):
            part = np.ascontiguousarray(block[:, :, start : start + WIDTH])
            kernel(part.view(backend.dtype), start, *real, k0, kr, weight, rates, dt, scratch, sums)
            block[:, :, start : start + WIDTH] = part
        np.testing.assert_allclose(out, expected[0], rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(block, out)
        if last:
            assert sums[FIELDS] == pytest.approx(expected[3], rel=10 * tolerance)
            np.testing.assert_allclose(sums[:FIELDS], expected[2], rtol=100 * tolerance)
        else:
            np.testing.assert_allclose(stored[i], expected[1], rtol=tolerance, atol=tolerance)
        value, slots = out, stored
