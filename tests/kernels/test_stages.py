"""Generated stage kernels against the plain NumPy form of the same table, on random data."""

from __future__ import annotations

import numpy as np
import pytest
from stage_reference import DT, RATIO, cases, make_data, plain_stage

from phasefield.backend import CpuBackend

MODES = 8


@pytest.mark.parametrize("fields", [1, 2])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", cases(), ids=str)
def test_stage_kernels(case, precision, fields):
    """Block by block, as the sweep calls them."""
    backend = CpuBackend(precision, 1)
    data = make_data(case, backend.dtype, fields)
    result, own, expected_sums = plain_stage(case, data)
    kernel = backend.compile_stages(case.stages, case.multistep)[case.number]
    n0, blocks = data.k0.size, data.kr.size // MODES

    def split(a):
        return np.ascontiguousarray(a.reshape(fields, n0, blocks, 2 * MODES).transpose(0, 2, 1, 3))

    stored = {name: split(a) for name, a in data.arrays.items()}
    parts, *arrays = stored.values()
    sums = np.zeros(16)
    geometry = (data.k0, np.repeat(data.kr, 2), np.repeat(data.weight, 2), data.rates)
    for b in range(blocks):
        part = np.ascontiguousarray(parts[:, b])
        kernel(part, b, *arrays, *geometry, DT, RATIO, sums)
        parts[:, b] = part
    tolerance = 1e-12 if precision == "double" else 5e-6
    target = stored["out" if case.number == 0 else "value"]
    scale = np.abs(result).max()
    np.testing.assert_allclose(target, split(result), rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_array_equal(parts, target)
    np.testing.assert_allclose(sums[: fields + 1], expected_sums, rtol=100 * tolerance, atol=tolerance)
    if case.multistep or not case.last:
        kept = stored[f"slot{case.number}"]
        np.testing.assert_allclose(kept, split(own), rtol=tolerance, atol=tolerance * np.abs(own).max())
