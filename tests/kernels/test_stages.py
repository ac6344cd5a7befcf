"""Generated stage kernels against the plain NumPy form of the same table, on random data."""

from __future__ import annotations

import numpy as np
import pytest
from stage_reference import DT, RATIO, cases, make_data, plain_stage

from phasefield.backend import CpuBackend
from phasefield.kernels.stages import scratch_rows

WIDTH = 8


@pytest.mark.parametrize("fields", [1, 2])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", cases(), ids=str)
def test_stage_kernels(case, precision, fields):
    """Block by block, as the sweep calls them."""
    backend = CpuBackend(precision, 1)
    data = make_data(case, backend.dtype, fields)
    result, own, expected_sums = plain_stage(case, data)
    kernel = backend.compile_stages(case.stages, case.multistep)[case.number]
    block, *arrays = data.arrays.values()
    sums = np.zeros(16)
    scratch = np.zeros((scratch_rows(case.stages), 2 * WIDTH), backend.dtype)
    for start in range(0, data.kr.size, WIDTH):
        part = np.ascontiguousarray(block[:, :, 2 * start : 2 * (start + WIDTH)])
        geometry = (data.k0, data.kr, data.weight, data.rates, DT, RATIO)
        kernel(part, start, *arrays, *geometry, scratch, sums)
        block[:, :, 2 * start : 2 * (start + WIDTH)] = part
    tolerance = 1e-12 if precision == "double" else 5e-6
    target = data.arrays["out" if case.number == 0 else "value"]
    scale = np.abs(result).max()
    np.testing.assert_allclose(target, result, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_array_equal(block, target)
    np.testing.assert_allclose(sums[: fields + 1], expected_sums, rtol=100 * tolerance, atol=tolerance)
    if case.multistep or not case.last:
        kept = data.arrays[f"slot{case.number}"]
        np.testing.assert_allclose(kept, own, rtol=tolerance, atol=tolerance * np.abs(own).max())
