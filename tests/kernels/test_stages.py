"""Generated stage kernels against the plain NumPy form of the same table, on random data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stage_reference import DT, RATIO, cases, make_data, plain_stage

from phasefield.backend import CpuBackend
from phasefield.kernels.stages import make_program, stage_arguments
from phasefield.registry import lookup

ONE_STEP = ("imex1", "etdrk2", "etdrk4")

MODES = 8
NOISY = [
    replace(c, stages=lookup("scheme", c.name).without_error().stages, multistep=False)
    for c in cases()
    if c.name in ONE_STEP
]


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


@pytest.mark.parametrize("case", NOISY, ids=str)
def test_noise_is_added_to_the_last_stage(case):
    """Result and block gain the array, the energy is that of the sum; what does not move gains it too, as it is."""
    backend = CpuBackend("double", 1)
    data = make_data(case, backend.dtype, 2)
    block, *arrays = (a[:, None].copy() if i else a.copy() for i, a in enumerate(data.arrays.values()))
    noise = np.random.default_rng(4).normal(size=arrays[0].shape)
    result, own, _ = plain_stage(case, data)
    kernel = backend.compile_stages(case.stages, noisy=True)[case.number]
    geometry = (data.k0, np.repeat(data.kr, 2), np.repeat(data.weight, 2), data.rates)
    sums = np.zeros(16)
    kernel(block, 0, *arrays, *((noise,) if case.last else ()), *geometry, DT, RATIO, sums)
    expected = result + noise[:, 0] if case.last else result
    np.testing.assert_allclose(block, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(block, arrays[1][:, 0])
    assert ("noise" in stage_arguments(case.number, case.stages, noisy=True)) == case.last
    if case.last:
        k2 = np.repeat(data.k0[:, None] + data.kr, 2, axis=1)
        symbol = data.rates[:, 2, None, None] * k2
        assert sums[2] == pytest.approx(0.5 * (np.repeat(data.weight, 2) * symbol * expected**2).sum(), rel=1e-12)
        still = k2[0] == 0.0
        np.testing.assert_array_equal(block[0, 0, still], (data.arrays["base"] + noise[:, 0])[0, 0, still])
    else:
        np.testing.assert_allclose(arrays[-1][:, 0], own, rtol=1e-12, atol=1e-12)


def test_noise_and_an_error_estimate_exclude_each_other():
    with pytest.raises(ValueError, match="no error estimate"):
        make_program(0, lookup("scheme", "sbdf2").stages, True, True)
