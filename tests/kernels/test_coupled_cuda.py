"""CUDA stages of coupled fields, run by a C compiler, against the CPU's."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
from coupled_reference import make_coupled_data, variants
from cuda_on_cpu import needs_compiler
from stage_reference import DT, RATIO, cases

from phasefield.backend import make_backend
from phasefield.kernels import cpu, gpu
from phasefield.kernels.coupled import coupled_program, pack
from phasefield.kernels.coupled_cuda import coupled_cuda_source
from phasefield.kernels.gpu_programs import GpuCoupledStage, StageScratch

# More modes than a block has threads, and not a multiple of it.
N0, COLUMNS = 23, 17
SBDF2 = next(c for c in cases() if str(c) == "sbdf2-0")


@pytest.fixture
def cupy(monkeypatch):
    yield fake_cupy.install(monkeypatch)
    fake_cupy.forget()


def run_cpu(case, precision, fields, conserved, stabilising=False):
    backend = make_backend("cpu", precision, 1)
    data = make_coupled_data(case, backend.dtype, fields, conserved, N0, COLUMNS)
    plain, sums = data.plain, np.zeros(16)
    block, *rest = (a if i == 0 else a[:, None] for i, a in enumerate(data.arrays.values()))
    coupling = np.repeat(pack(data.matrices)[:, None], 2, axis=-1).astype(backend.dtype)
    geometry = (plain.k0, np.repeat(plain.kr, 2), np.repeat(plain.weight, 2), coupling, data.drive, plain.rates)
    kernel = backend.compile_coupled_stages(case.stages, fields, case.multistep, stabilising)[case.number]
    kernel(block, 0, *rest, *geometry, DT, RATIO, sums)
    return list(data.arrays.values()), sums[: fields + 2]


def run_gpu(cupy, case, precision, fields, conserved, scale=1.0, stabilising=False):
    real = {"double": "float64", "single": "float32"}[precision]
    data = make_coupled_data(case, real, fields, conserved, N0, COLUMNS)
    data.arrays["block"] /= np.dtype(real).type(scale)
    plain = data.plain
    block, *rest = [cupy.asarray(a) for a in data.arrays.values()]
    scratch = StageScratch(scale, cupy.empty(StageScratch.size(fields), np.float64))
    sums = cupy.empty(fields + 2, np.float64)
    geometry = [cupy.asarray(g) for g in (plain.k0, plain.kr, plain.weight)]
    coupling = cupy.asarray(pack(data.matrices)[:, None], real)
    stage = GpuCoupledStage(case.number, case.stages, fields, real, case.multistep, stabilising)
    stage(block, 0, *rest, *geometry, coupling, data.drive, plain.rates, DT, RATIO, scratch, sums)
    return [cupy.asnumpy(a) for a in (block, *rest)], cupy.asnumpy(sums)


@needs_compiler
@pytest.mark.parametrize(("case", "precision", "fields", "conserved"), variants(), ids=str)
@pytest.mark.parametrize("stabilising", [False, True])
def test_cuda_stage_equals_cpu_stage(cupy, case, precision, fields, conserved, stabilising):
    expected, sums = run_cpu(case, precision, fields, conserved, stabilising)
    arrays, gpu_sums = run_gpu(cupy, case, precision, fields, conserved, stabilising=stabilising)
    tolerance = 1e-13 if precision == "double" else 2e-6
    for ours, theirs in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max())
    np.testing.assert_allclose(gpu_sums, sums, rtol=20 * tolerance)
    if conserved:
        base = list(make_coupled_data(case, arrays[0].dtype, fields, conserved, N0, COLUMNS).arrays).index("base")
        np.testing.assert_array_equal(arrays[0][:, 0, :2], arrays[base][:, 0, :2])


@needs_compiler
def test_the_transform_is_scaled_before_the_driving_force_is_taken_off(cupy):
    plain, sums = run_gpu(cupy, SBDF2, "double", 2, False)
    scaled, scaled_sums = run_gpu(cupy, SBDF2, "double", 2, False, scale=0.125)
    for ours, theirs in zip(scaled, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(scaled_sums, sums)


@needs_compiler
def test_few_blocks_give_the_same_sums(cupy, monkeypatch):
    """The loop over the grid, in which a thread takes several modes."""
    many, sums = run_gpu(cupy, SBDF2, "double", 3, True)
    monkeypatch.setattr(gpu, "MAX_BLOCKS", 1)
    few, few_sums = run_gpu(cupy, SBDF2, "double", 3, True)
    np.testing.assert_array_equal(many[0], few[0])
    np.testing.assert_allclose(few_sums, sums, rtol=1e-14)


def test_both_languages_print_the_same_statements():
    for case, _, fields, _ in variants():
        source = coupled_cuda_source(case.number, case.stages, fields, "float32", case.multistep)
        for _, text in coupled_program(case.number, case.stages, fields, case.multistep).update:
            assert text in source
        assert "typedef float real" in source


@needs_compiler
@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("fields", [1, 2, 3])
def test_coupling_energy(cupy, fields, real):
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(N0, COLUMNS, fields, fields))
    packed = pack(factors @ np.swapaxes(factors, -1, -2))[:, None].astype(real)
    u, weight = rng.normal(size=(fields, 1, N0, 2 * COLUMNS)).astype(real), rng.choice([0.0, 1.0, 2.0], COLUMNS)
    expected = cpu.coupling_energy(u, np.repeat(packed, 2, axis=-1), np.repeat(weight, 2))
    found = gpu.coupling_energy(cupy.asarray(u), cupy.asarray(packed), weight)
    assert found == pytest.approx(expected, rel=1e-13 if real == "float64" else 1e-5)
