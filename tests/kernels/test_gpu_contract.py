"""The GPU's kernels without a GPU: same names as the CPU's, and CUDA text run by a C compiler against the CPU's results."""

import inspect
import math
import subprocess
import sys

import fake_cupy
import numpy as np
import pytest
from cuda_on_cpu import needs_compiler
from stage_reference import DT, RATIO, cases, make_data

from phasefield.backend import make_backend
from phasefield.errors import InputError
from phasefield.kernels import cpu, gpu, gpu_programs
from phasefield.kernels.codegen import compile_pointwise
from phasefield.kernels.expressions import parse
from phasefield.kernels.gpu_programs import GpuPointwise, GpuStage, StageScratch
from phasefield.kernels.stages import make_program
from phasefield.kernels.stages_cuda import arithmetic, cuda_source
from phasefield.stepping import schemes

EPS = {real: float(np.finfo(real).eps) for real in ("float64", "float32")}
# Two fields, more modes than a block has threads, and not a multiple of it.
FIELDS, N0, COLUMNS = 2, 23, 17
ETDRK2 = next(c for c in cases() if str(c) == "etdrk2-1")


@pytest.fixture
def cupy(monkeypatch):
    yield fake_cupy.install(monkeypatch)
    fake_cupy.forget()


def public(module):
    """Public kernels of a module and the names of their parameters."""
    found = {}
    for name, value in vars(module).items():
        function = getattr(value, "py_func", value)
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
            found[name] = list(inspect.signature(function).parameters)
    return found


def test_same_names_and_signatures():
    ours, theirs = public(gpu), public(cpu)
    assert len(theirs) > 8
    assert {name: ours.get(name) for name in theirs} == theirs
    assert set(ours) - set(theirs) == {"load_cupy", "require_device", "blocks_for"}


# Stages ---------------------------------------------------------------------------------------------------------------


def data_of(case, real):
    return make_data(case, real, FIELDS, N0, COLUMNS)


def run_cpu(case, real):
    data = data_of(case, real)
    backend = make_backend("cpu", {"float64": "double", "float32": "single"}[real], 1)
    block, *rest = (a if i == 0 else a[:, None] for i, a in enumerate(data.arrays.values()))
    sums = np.zeros(16)
    geometry = (data.k0, np.repeat(data.kr, 2), np.repeat(data.weight, 2), data.rates, DT, RATIO)
    backend.compile_stages(case.stages, case.multistep)[case.number](block, 0, *rest, *geometry, sums)
    return list(data.arrays.values()), sums[: FIELDS + 1]


def run_gpu(cupy, case, real, scale=1.0):
    data = data_of(case, real)
    data.arrays["block"] /= np.dtype(real).type(scale)
    block, *rest = [cupy.asarray(a) for a in data.arrays.values()]
    scratch = StageScratch(scale, cupy.empty(StageScratch.size(FIELDS), np.float64))
    sums = cupy.empty(FIELDS + 1, np.float64)
    stage = GpuStage(case.number, case.stages, real, case.multistep)
    geometry = (*(cupy.asarray(g) for g in (data.k0, data.kr, data.weight)), data.rates, DT, RATIO)
    stage(block, 0, *rest, *geometry, scratch, sums)
    return [cupy.asnumpy(a) for a in (block, *rest)], cupy.asnumpy(sums)


@needs_compiler
@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("case", cases(), ids=str)
def test_cuda_stage_equals_cpu_stage(cupy, case, real):
    expected, sums = run_cpu(case, real)
    arrays, gpu_sums = run_gpu(cupy, case, real)
    tolerance = 1e-13 if real == "float64" else 8 * EPS[real]
    for ours, theirs in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max())
    np.testing.assert_allclose(gpu_sums, sums, rtol=20 * tolerance)
    assert sums[-1] > 0.0 or not case.last


@needs_compiler
def test_cuda_stage_scales_the_transform(cupy):
    plain, sums = run_gpu(cupy, ETDRK2, "float64")
    scaled, scaled_sums = run_gpu(cupy, ETDRK2, "float64", scale=0.125)
    np.testing.assert_array_equal(plain[2], scaled[2])
    np.testing.assert_array_equal(sums, scaled_sums)


@needs_compiler
def test_few_blocks_give_the_same_sums(cupy, monkeypatch):
    """The loop over the grid, in which a thread takes several modes."""
    many, sums = run_gpu(cupy, ETDRK2, "float64")
    monkeypatch.setattr(gpu, "MAX_BLOCKS", 1)
    few, few_sums = run_gpu(cupy, ETDRK2, "float64")
    np.testing.assert_array_equal(many[2], few[2])
    np.testing.assert_allclose(few_sums, sums, rtol=1e-14)


def test_coefficients_in_c():
    assert arithmetic("1/2*z") == "((1.0 / 2.0) * z)"
    assert arithmetic("-phi2 + 3.5") == "((-phi2) + 3.5)"
    for text in ("z**2", "exp(z)", "z if z else 1", "True"):
        with pytest.raises(ValueError, match="no form in C"):
            arithmetic(text)


def test_both_languages_print_the_same_statements():
    for case in cases():
        source = cuda_source(case.number, case.stages, "float32", case.multistep)
        for _, text in make_program(case.number, case.stages, case.multistep).update:
            assert text in source
        assert "typedef float real" in source


# Kernels --------------------------------------------------------------------------------------------------------------


def modes(real="float64"):
    rng = np.random.default_rng(11)
    u = rng.normal(size=(FIELDS, 1, N0, 2 * COLUMNS)).astype(real)
    u[:, 0, 0, 1] = 0.0  # k = 0 is a mean
    weight = rng.choice([0.0, 1.0, 2.0], COLUMNS)
    return u, rng.uniform(0.0, 4.0, N0), rng.uniform(0.0, 9.0, COLUMNS), weight


@needs_compiler
@pytest.mark.parametrize("real", ["float64", "float32"])
def test_kernels_equal_those_of_the_cpu(cupy, real, monkeypatch):
    u, k0, kr, weight = modes(real)
    kr_2, weight_2 = np.repeat(kr, 2), np.repeat(weight, 2)
    d = cupy.asarray(u)
    tolerance = 1e-13 if real == "float64" else 20 * EPS[real]
    for field in range(FIELDS):
        assert gpu.gradient_energy(d, field, k0, kr, weight, 0.7) == pytest.approx(
            cpu.gradient_energy(u, field, k0, kr_2, weight_2, 0.7), rel=tolerance
        )
        assert gpu.fluctuation(d, field, weight) == pytest.approx(cpu.fluctuation(u, field, weight_2), rel=tolerance)
        out, out_d = np.zeros_like(u), cupy.zeros(u.shape, u.dtype)
        cpu.gradient_potential(u, field, k0, kr_2, 0.7, out)
        gpu.gradient_potential(d, field, k0, kr, 0.7, out_d)
        np.testing.assert_allclose(cupy.asnumpy(out_d), out, rtol=tolerance)


@needs_compiler
@pytest.mark.parametrize("at_once", [10_000, 100])
def test_shells_equal_those_of_the_cpu(cupy, monkeypatch, at_once):
    monkeypatch.setattr(gpu, "SORTED_MODES", at_once)
    u, k0, kr, weight = modes()
    d = cupy.asarray(u)
    for shells in (30, 4):  # all modes inside, and some beyond the last shell
        expected, found = np.ones((2, shells)), np.ones((2, shells))
        cpu.shell_power(u, 1, k0, np.repeat(kr, 2), np.repeat(weight, 2), 0.31, *expected)
        gpu.shell_power(d, 1, k0, kr, weight, 0.31, *found)
        np.testing.assert_array_equal(2.0 * found[1] - 1.0, expected[1])
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
        assert expected[1].max() > 5


@needs_compiler
def test_exponential_and_phi(cupy):
    z = np.concatenate([-np.geomspace(1e-12, 700.0, 301), np.geomspace(1e-12, 30.0, 99), [0.0, -1.0, 1.0]])
    found = cupy.asnumpy(gpu.phi_functions(z))
    expected = schemes.function_values(z[abs(z) < 20.0])
    for row, name in enumerate(("exp_z", "phi1", "phi2", "phi3")):
        np.testing.assert_allclose(found[row][abs(z) < 20.0], expected[name], rtol=1e-13)
    np.testing.assert_allclose(found[1][z < -20.0], -1.0 / z[z < -20.0], rtol=1e-8)
    np.testing.assert_allclose(cupy.asnumpy(gpu.exponential(z)), np.exp(z), rtol=4 * EPS["float64"])
    assert gpu.gradient_symbol(0.5, 4.0) == cpu.gradient_symbol.py_func(0.5, 4.0) == 2.0


@needs_compiler
def test_blocks_are_stored_and_loaded(cupy):
    u = cupy.asarray(modes()[0])
    block, out = cupy.asarray(modes()[0][:, 0]), cupy.zeros(u.shape, np.float64)
    gpu.store_block(block, 0, out)
    np.testing.assert_array_equal(cupy.asnumpy(out)[:, 0], cupy.asnumpy(block))
    back = cupy.zeros(block.shape, np.float64)
    gpu.load_block(back, 0, out)
    np.testing.assert_array_equal(cupy.asnumpy(back), cupy.asnumpy(block))


# Formulas -------------------------------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("cells", [7, 1000])
@pytest.mark.parametrize("most_blocks", [1024, 2])
def test_cuda_formula_equals_cpu_formula(cupy, monkeypatch, real, cells, most_blocks):
    monkeypatch.setattr(gpu, "MAX_BLOCKS", most_blocks)
    density = parse("W*(c - 0.3)**2*d**2 + abs(c)**1.5*max(d, c)", variables=("c", "d"), parameters=["W"])
    derivatives = [density.derivative("c"), density.derivative("d")]
    ours, theirs = GpuPointwise(density, derivatives, real), compile_pointwise(density, derivatives, real)
    assert (ours.fields, ours.parameters, ours.real) == (theirs.fields, theirs.parameters, theirs.real)
    u = np.random.default_rng(3).uniform(-1.0, 1.5, (2, cells)).astype(real)
    p = np.array([1.7], real)
    d, sums_d, sums = cupy.asarray(u), cupy.zeros(16, np.float64), np.zeros(16)
    tolerance = 1e-13 if real == "float64" else 50 * EPS[real]
    assert ours.energy(d, cupy.asarray(p)) == pytest.approx(theirs.energy(u, p), rel=tolerance)
    np.testing.assert_array_equal(cupy.asnumpy(d), u)
    ours.potential(d, cupy.asarray(p), sums_d)
    theirs.potential(u, p, sums)
    np.testing.assert_allclose(cupy.asnumpy(d), u, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(cupy.asnumpy(sums_d), sums, rtol=tolerance)
    np.testing.assert_array_equal(cupy.asnumpy(sums_d)[1:], sums[1:])


@needs_compiler
@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("variables", [("c",), ("c", "h", "g")])
@pytest.mark.parametrize("changing", [False, True])
@pytest.mark.parametrize("most_blocks", [1024, 2])
def test_frozen_fields_and_changing_parameters(cupy, monkeypatch, real, variables, changing, most_blocks):
    monkeypatch.setattr(gpu, "MAX_BLOCKS", most_blocks)
    text = "W*(c**2 - 1)**2 + T*exp(c)*W" + (" + h*c*T**2 + g*h*c**3" if len(variables) > 1 else "")
    density = parse(text, variables=variables, parameters=["W", "T"])
    both = (density, [density.derivative("c")], real)
    ours, theirs = GpuPointwise(*both, changing), compile_pointwise(*both, changing=changing)
    cells = np.random.default_rng(3).uniform(-1.0, 1.5, (len(variables), 1000)).astype(real)
    p = np.array([1.7, -0.4, 0.6, 0.9][: 4 if changing else 2], real)
    u, arrays = cells[:1].copy(), [*([cells[1:]] if len(variables) > 1 else []), p]
    d, arrays_d = cupy.asarray(u), [cupy.asarray(a) for a in arrays]
    width = 3 + changing
    sums_d, sums = cupy.zeros(16, np.float64), np.zeros(width)
    tolerance = 1e-13 if real == "float64" else 50 * EPS[real]
    assert ours.energy(d, *arrays_d) == pytest.approx(theirs.energy(u, *arrays), rel=tolerance)
    ours.potential(d, *arrays_d, sums_d)
    theirs.potential(u, *arrays, sums)
    np.testing.assert_allclose(cupy.asnumpy(d), u, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(cupy.asnumpy(sums_d)[:width], sums, rtol=tolerance)
    np.testing.assert_array_equal(cupy.asnumpy(sums_d)[[1, 2]], sums[[1, 2]])
    assert not cupy.asnumpy(sums_d)[width:].any()


@needs_compiler
def test_nan_reaches_the_sum_and_the_range(cupy):
    density = parse("c**2", variables=("c",))
    kernels = GpuPointwise(density, [density.derivative("c")], "float64")
    for place in (0, 255, 256, 599):
        u, sums = np.full((1, 600), 0.5), cupy.zeros(16, np.float64)
        u[0, place] = np.nan
        kernels.potential(cupy.asarray(u), cupy.zeros(0, np.float64), sums)
        assert np.isnan(cupy.asnumpy(sums)[:3]).all()


# Without a device -----------------------------------------------------------------------------------------------------


def test_import_needs_no_cupy():
    code = (
        "import sys; sys.modules['cupy'] = None\n"
        "import phasefield.kernels.gpu, phasefield.spectral.sweep_gpu\n"
        "from phasefield.backend import make_backend\n"
        "assert make_backend('auto').device == 'cpu'\n"
        "try: make_backend('gpu')\n"
        "except Exception as error: print(type(error).__name__, error.exit_code, error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.startswith("InputError 2 no GPU can be used: CuPy cannot be imported")
    assert 'pip install "phasefield[gpu12]"' in found


def test_no_device_and_no_libraries_are_told(cupy, monkeypatch):
    assert make_backend("auto").device == "gpu"
    monkeypatch.setitem(sys.modules, "cupyx.scipy.fft", None)
    with pytest.raises(InputError, match=r"CUDA libraries are missing .*gpu13"):
        gpu.require_device()
    cupy.cuda.runtime.getDeviceCount = lambda: 0
    with pytest.raises(InputError, match="finds no CUDA device"):
        gpu.require_device()

    def fail():
        raise cupy.cuda.runtime.CUDARuntimeError("no driver")

    cupy.cuda.runtime.getDeviceCount = fail
    with pytest.raises(InputError, match="no GPU can be used: CuPy finds no usable CUDA device"):
        make_backend("gpu")
    assert make_backend("auto").device == "cpu"


def test_blocks_follow_from_the_size_alone():
    assert [gpu.blocks_for(n) for n in (0, 1, 256, 257)] == [1, 1, 1, 2]
    assert gpu.blocks_for(10**9) == gpu_programs.MAX_BLOCKS
    assert math.log2(gpu.BLOCK) % 1 == 0  # `gather` halves the block
