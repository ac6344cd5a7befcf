"""Generated kernels against the plain NumPy evaluation, and the cache they live in."""

import ctypes
import logging
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.kernels import cache
from phasefield.kernels.codegen import compile_pointwise, load_module, pointwise_source
from phasefield.kernels.expressions import parse

# name -> (formula, variables, parameters)
DENSITIES = {
    "well": ("0.25*(c**2 - 1)**2", ("c",), {}),
    "shifted_well": ("W*(c - low)**2*(high - c)**2", ("c",), {"W": 5.0, "low": 0.3, "high": 0.7}),
    "mixing": ("xlogx(c, d)/n + xlogx(1 - c) + chi*c*(1 - c)", ("c",), {"d": 0.01, "n": 2.0, "chi": 2.5}),
    "polynomial": ("3 + 0.1*c - 2*c**4/3 + c**5*W - low*c**7", ("c",), {"W": 0.5, "low": 0.2}),
    "powers": ("abs(c)**1.5 + (2 + c)**n + 1/(2 + c)**3 + (2 + c)**-0.5", ("c",), {"n": 1.3}),
    "kinks": ("max(c, 0.2)**2 + min(c, d)*abs(d) + max(0.5, d)", ("c", "d"), {}),
    # Names of our own variables, of Python and of C.
    "names": ("a*u + p*i**2 + t_0*double + sums*math*v_u", ("u", "i", "t_0", "v_u"),
              {"p": 2.0, "a": 1.0, "double": 3.0, "sums": 0.5, "math": 0.25}),
    "functions": ("exp(-c**2)*tanh(d)/cosh(c) + sin(c)*cos(d)*tan(0.1*c) + sinh(d)*log(3 + c)*sqrt(3 + d)",
                  ("c", "d"), {}),
    "constant": ("2.5", ("c",), {}),
}  # fmt: skip


def make(name):
    text, variables, parameters = DENSITIES[name]
    density = parse(text, variables=variables, parameters=parameters)
    return density, [density.derivative(v) for v in variables], parameters


def block(density, n=203):
    return np.random.default_rng(7).uniform(-1.2, 1.3, (len(density.variables), n))


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHASEFIELD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("NUMBA_CACHE_DIR", raising=False)
        yield


@pytest.mark.parametrize(
    ("name", "real"),
    [(name, "float64") for name in DENSITIES] + [(name, "float32") for name in ("mixing", "powers", "kinks")],
)
def test_kernels_equal_the_evaluation(name, real):
    density, derivatives, parameters = make(name)
    kernels = compile_pointwise(density, derivatives, real)
    u = block(density).astype(real)
    values = dict(zip(density.variables, u.astype(float), strict=True)) | parameters
    p = np.array(list(parameters.values()), real)
    sums = np.full(1 + 2 * len(u), np.nan)
    total = kernels.energy(u, p)
    work = u.copy()
    kernels.potential(work, p, sums)

    eps = np.finfo(real).eps
    expected = density.evaluate(**values)
    assert total == pytest.approx(expected.sum(), abs=20 * eps * abs(expected).sum())
    assert sums[0] == pytest.approx(total, abs=20 * eps * abs(expected).sum())
    np.testing.assert_array_equal(sums[1::2], u.min(axis=1))
    np.testing.assert_array_equal(sums[2::2], u.max(axis=1))
    for q, derivative in enumerate(derivatives):
        exact = derivative.evaluate(**values)
        np.testing.assert_allclose(work[q], exact, rtol=50 * eps, atol=50 * eps * (1 + abs(exact).max()))
    assert work.dtype == real


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("changing", [False, True])
def test_frozen_fields_and_changing_parameters(real, changing):
    """∂f/∂c and ∂f/∂d with the first set of parameters at given h, and Σ f with the second."""
    text = "W*(c**2 - 1)**2*(d**2 + h) + T*c**2*exp(d) + h*W**1.5*c"
    density = parse(text, variables=("c", "d", "h"), parameters=["W", "T"])
    derivatives = [density.derivative("c"), density.derivative("d")]
    kernels = compile_pointwise(density, derivatives, real, changing)
    cells, eps = block(density).astype(real), np.finfo(real).eps
    now, before = {"W": 1.7, "T": -0.4}, {"W": 0.6, "T": 0.9}
    p = np.array([*now.values(), *(before.values() if changing else ())], real)
    u, frozen = cells[:2].copy(), cells[2:].copy()
    sums = np.full(1 + 4 + changing, np.nan)
    values = dict(zip("cdh", cells.astype(float), strict=True))
    f, f_before = density.evaluate(**values, **now), density.evaluate(**values, **before)
    assert kernels.energy(u, frozen, p) == pytest.approx(f.sum(), abs=20 * eps * abs(f).sum())
    kernels.potential(u, frozen, p, sums)
    assert sums[0] == pytest.approx(f.sum(), abs=20 * eps * abs(f).sum())
    np.testing.assert_array_equal(sums[1:5:2], cells[:2].min(axis=1))
    np.testing.assert_array_equal(sums[2:5:2], cells[:2].max(axis=1))
    if changing:
        assert sums[5] == pytest.approx(f_before.sum(), abs=20 * eps * abs(f_before).sum())
    for found, derivative in zip(u, derivatives, strict=True):
        exact = derivative.evaluate(**values, **now)
        np.testing.assert_allclose(found, exact, rtol=50 * eps, atol=50 * eps * (1 + abs(exact).max()))
    np.testing.assert_array_equal(frozen, cells[2:])


def test_nan_reaches_the_sum_wherever_it_is():
    density, derivatives, _ = make("well")
    kernels = compile_pointwise(density, derivatives, "float64")
    for n in (1, 7, 64, 203):
        for place in (0, n // 2, n - 1):
            u, sums = np.full((1, n), 0.5), np.zeros(3)
            u[0, place] = np.nan
            assert np.isnan(kernels.energy(u, np.empty(0)))
            kernels.potential(u, np.empty(0), sums)
            assert np.isnan(sums[0])
            assert np.isnan(u).sum() == 1


def test_a_row_of_a_larger_array_is_a_block():
    density, derivatives, _ = make("kinks")
    kernels = compile_pointwise(density, derivatives, "float64")
    whole = block(density)
    part, sums = whole[:, 50:90], np.zeros(5)
    before = whole.copy()
    kernels.potential(part, np.empty(0), sums)
    assert sums[1] == before[0, 50:90].min()
    np.testing.assert_array_equal(whole[:, :50], before[:, :50])
    np.testing.assert_array_equal(whole[:, 90:], before[:, 90:])


def test_same_block_same_bits():
    density, derivatives, _ = make("well")
    kernels = compile_pointwise(density, derivatives, "float64")
    results = []
    for _ in range(2):
        u, sums = block(density), np.zeros(3)
        kernels.potential(u, np.empty(0), sums)
        results.append(u.tobytes() + sums.tobytes())
    assert results[0] == results[1]


def test_sources_are_economical():
    density, derivatives, _ = make("mixing")
    assert pointwise_source(density, derivatives).count("math.log(") == 2 * 2  # shared by f and f′, in two kernels
    density, derivatives, _ = make("polynomial")
    assert " ** " not in pointwise_source(density, derivatives)
    density, derivatives, _ = make("well")
    single = pointwise_source(density, derivatives, "float32", "cuda")
    assert "0.25f" in single
    assert "typedef float real" in single
    with pytest.raises(ValueError, match="cannot have"):
        pointwise_source(density, [*derivatives, *derivatives], "float64")


def test_numbers_out_of_single_precision_are_refused():
    density = parse("1e60*c", variables=["c"])
    with pytest.raises(InputError, match="too large for float32"):
        pointwise_source(density, [density.derivative("c")], "float32")
    density = parse("1e-60*c", variables=["c"])
    with pytest.raises(InputError, match="too small for float32"):
        pointwise_source(density, [density.derivative("c")], "float32", "cuda")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler found")
def test_cuda_expressions_equal_the_evaluation(tmp_path):
    """The scalar functions of the CUDA sources, all compiled as C by the system's compiler."""
    pieces = ["#include <math.h>\n#define __device__\n#define __forceinline__ inline\n"]
    for name in DENSITIES:
        density, derivatives, _ = make(name)
        source = pointwise_source(density, derivatives, "float64", "cuda")
        functions = source[source.index("// Density at one cell") : source.index("// nan wins")]
        functions = functions.replace(" point(", f" point_{name}(").replace(" density(", f" density_{name}(")
        pieces.append(functions.replace("real", "double"))
        pieces.append(f"double call_{name}(double *v, double *p, double *d) {{ return point_{name}(v, p, d); }}\n")
        pieces.append(f"double call_energy_{name}(double *v, double *p) {{ return density_{name}(v, p); }}\n")
    (tmp_path / "all.c").write_text("".join(pieces))
    library = tmp_path / "all.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, tmp_path / "all.c", "-lm"], check=True)
    compiled = ctypes.CDLL(str(library))
    pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
    for name in DENSITIES:
        density, derivatives, parameters = make(name)
        call, energy = compiled[f"call_{name}"], compiled[f"call_energy_{name}"]
        call.argtypes, call.restype = [pointer] * 3, ctypes.c_double
        energy.argtypes, energy.restype = [pointer] * 2, ctypes.c_double
        p = np.array(list(parameters.values()))
        for cell in block(density, 20).T:
            v, d = np.ascontiguousarray(cell), np.zeros(len(cell))
            values = dict(zip(density.variables, v, strict=True)) | parameters
            f = call(v, p, d)
            assert f == pytest.approx(density.evaluate(**values), rel=1e-12)
            assert energy(v, p) == pytest.approx(f, rel=1e-13)
            exact = [derivative.evaluate(**values) for derivative in derivatives]
            np.testing.assert_allclose(d, exact, rtol=1e-11, atol=1e-12)


# The cache ------------------------------------------------------------------------------------------


def test_foreign_content_is_replaced_and_never_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PHASEFIELD_CACHE_DIR", str(tmp_path))
    source = "answer = 42\n"
    module = load_module(source, "trial")
    assert load_module(source, "trial") is module
    (file,) = (tmp_path / "kernels").glob("trial_*.py")
    assert module.__file__ == str(file)
    assert (tmp_path / "kernels").stat().st_mode & 0o777 == 0o700
    file.write_text("answer = 13\n")  # as long as the original, so that size does not give it away
    monkeypatch.delitem(sys.modules, module.__name__)
    assert load_module(source, "trial").answer == 42
    assert file.read_text() == source
    assert not list((tmp_path / "kernels").glob("*.tmp"))


def test_a_broken_module_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("PHASEFIELD_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            load_module("1/0\n", "broken")


def test_folder_by_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PHASEFIELD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "phasefield" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_folder() == tmp_path / "home" / ".cache" / "phasefield" / "kernels"


@pytest.mark.parametrize("trouble", ["a file in the way", "writable by others"])
def test_unusable_folder_gives_a_temporary_one(tmp_path, monkeypatch, caplog, trouble):
    if trouble == "a file in the way":
        (tmp_path / "kernels").write_text("")
    else:
        (tmp_path / "kernels").mkdir()
        (tmp_path / "kernels").chmod(0o777)
    monkeypatch.setenv("PHASEFIELD_CACHE_DIR", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        first, second = cache.cache_folder(), cache.cache_folder()
    assert first == second != tmp_path / "kernels"
    assert len(caplog.records) == 1


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    script = textwrap.dedent("""
        import numpy as np
        from phasefield.kernels.codegen import compile_pointwise
        from phasefield.kernels.expressions import parse
        f = parse("(c**2 - 0.5)**2", variables=["c"])
        kernels = compile_pointwise(f, [f.derivative("c")], "float64")
        u, sums = np.ones((1, 8)), np.zeros(3)
        kernels.potential(u, np.empty(0), sums)
        stats = kernels.potential.stats
        print(sums[0], u[0, 0], sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
    """)
    environment = {**os.environ, "PHASEFIELD_CACHE_DIR": str(tmp_path)}

    def start():
        return subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)

    # Two at once from an empty cache, whoever comes first; then one more.
    pair = [start(), start()]
    for process in pair:
        assert process.communicate()[0].split()[:2] == ["2.0", "2.0"]
        assert process.returncode == 0
    last = start()
    assert last.communicate()[0].split() == ["2.0", "2.0", "1", "0"]
