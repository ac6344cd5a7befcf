"""Random fields: published known answers, the C form, independence of blocks and threads, statistics."""

import ctypes
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from phasefield.kernels.philox import fill_words, philox4x32
from phasefield.kernels.philox_source import PHILOX_CUDA
from phasefield.random import normal_field, philox_key, stream_tag, uniform_field

FIELDS = [uniform_field, normal_field]

# counter, key, result: the known-answer file of Random123 (philox 4x32, 10 rounds)
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def _hex(text):
    return [np.uint32(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    assert list(philox4x32(*_hex(counter), *_hex(key))) == _hex(expected)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_counter_layout(counter, key, expected):
    low, high, step, tag = _hex(counter)
    words = np.empty((1, 4), np.uint32)
    fill_words(words, np.uint64(int(high) << 32 | int(low)), step, tag, *_hex(key))
    assert list(words[0]) == _hex(expected)


# one thread walks the whole grid-stride loop
PLAIN_C = r"""
#include <math.h>
#define __device__ static
#define __forceinline__ inline
#define __global__
struct { int x; } blockIdx = {0}, blockDim = {1}, threadIdx = {0}, gridDim = {1};
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler found")
    folder = tmp_path_factory.mktemp("philox")
    (folder / "philox.c").write_text(PLAIN_C + PHILOX_CUDA)
    command = [
        compiler,
        "-std=c99",
        "-O2",
        "-Wall",
        "-Werror",
        "-shared",
        "-fPIC",
        "philox.c",
        "-o",
        "philox.so",
    ]
    subprocess.run([*command, "-lm"], cwd=folder, check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(folder / "philox.so"))


def test_c_source_gives_the_same_words(library):
    first, step, tag, k0, k1 = 2**32 - 100, 7, stream_tag("initial:c", 3), *philox_key(2026)
    ours = np.empty((1000, 4), np.uint32)
    theirs = np.zeros_like(ours)
    fill_words(ours, np.uint64(first), np.uint32(step), tag, k0, k1)
    library.philox_fill_words(
        ctypes.c_void_p(theirs.ctypes.data),
        ctypes.c_longlong(len(theirs)),
        ctypes.c_ulonglong(first),
        *(ctypes.c_uint32(int(n)) for n in (step, tag, k0, k1)),
    )
    assert (ours == theirs).all()


@pytest.mark.parametrize("field", FIELDS)
def test_c_source_gives_the_same_fields(library, field):
    shape, offset, whole = (3, 5, 7), (1, 2, 30), (4, 8, 40)
    ours = field(shape, seed=9, stream="s", step=5, offset=offset, global_shape=whole)
    theirs = np.zeros(shape)
    getattr(library, f"philox_fill_{field.__name__.removesuffix('_field')}")(
        ctypes.c_void_p(theirs.ctypes.data),
        *(ctypes.c_longlong(n) for n in (theirs.size, *shape[1:], *offset, *whole[1:])),
        *(ctypes.c_uint32(int(n)) for n in (5, stream_tag("s"), *philox_key(9))),
    )
    if field is uniform_field:
        assert (ours == theirs).all()
    else:
        # log and cos of two C libraries
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("field", FIELDS)
def test_definition_from_the_words(field):
    """The deviates follow from the four words by the documented formulas."""
    n = 500
    words = np.empty((n, 4), np.uint32)
    fill_words(words, np.uint64(0), np.uint32(4), stream_tag("a", 1), *philox_key(3))
    m = (
        [int(a) << 21 | int(b) >> 11 for a, b in words[:, :2]],
        [int(c) << 21 | int(d) >> 11 for _, _, c, d in words],
    )
    if field is uniform_field:
        expected = np.array([(2 * m0 + 1 - 2**53) / 2**53 for m0 in m[0]])
    else:
        u1, u2 = (np.array(m[0], float) + 1) / 2**53, np.array(m[1], float) / 2**53
        expected = np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)
    got = field((n,), seed=3, stream="a", step=4, draw=1)
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("shape", [(37,), (13, 37), (5, 13, 37)])
def test_blocks_are_parts_of_the_whole(field, shape):
    whole = field(shape, seed=1, stream="c", step=3)
    part = tuple(slice(n // 3, n // 3 + n // 2) for n in shape)
    block = field(whole[part].shape, seed=1, stream="c", step=3, offset=[s.start for s in part], global_shape=shape)
    assert (block == whole[part]).all()


@pytest.mark.parametrize("field", FIELDS)
def test_slabs_filled_by_threads_in_any_order(field):
    shape = (8, 6, 50)
    whole = field(shape, seed=1, stream="c")
    out = np.empty(shape)

    def fill(z):
        field((1, 6, 50), seed=1, stream="c", offset=(z, 0, 0), global_shape=shape, out=out[z : z + 1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, reversed(range(8))))
    assert (out == whole).all()


def test_out_may_be_strided_and_cells_do_not_depend_on_dimension():
    whole = normal_field((4, 6), seed=1, stream="c")
    out = np.empty((6, 4)).T
    assert normal_field((4, 6), seed=1, stream="c", out=out) is out
    assert (out == whole).all()
    assert (normal_field((1, 4, 6), seed=1, stream="c")[0] == whole).all()
    assert (normal_field((24,), seed=1, stream="c").reshape(4, 6) == whole).all()


def test_cells_beyond_32_bits():
    """The high counter word is used: cell n and cell n + 2³² differ."""
    whole = (2**13, 2**10, 2**10)
    low = uniform_field((1, 1, 8), seed=1, stream="c", offset=(0, 0, 0), global_shape=whole)
    high = uniform_field((1, 1, 8), seed=1, stream="c", offset=(2**12, 0, 0), global_shape=whole)
    assert not (low == high).any()


def test_single_precision_is_the_rounded_double():
    single = normal_field((100,), seed=1, stream="c", dtype=np.float32)
    assert single.dtype == np.float32
    assert (single == normal_field((100,), seed=1, stream="c").astype(np.float32)).all()


def _moments(field, stream="c", **options):
    x = field((256, 256), seed=11, stream=stream, **options).ravel()
    return x, x.size


def test_normal_moments():
    x, n = _moments(normal_field)
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((x**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((x**4).mean() - 3) < 4 * np.sqrt(96 / n)
    # Kolmogorov–Smirnov against the normal distribution: 1.63/√n at 1 %
    from scipy.stats import kstest

    assert kstest(x, "norm").statistic < 1.63 / np.sqrt(n)


def test_uniform_moments():
    x, n = _moments(uniform_field)
    assert np.abs(x).max() < 1
    assert abs(x.mean()) < 4 * np.sqrt(1 / 3 / n)
    assert abs((x**2).mean() - 1 / 3) < 4 * np.sqrt(4 / 45 / n)
    assert abs((x**4).mean() - 1 / 5) < 4 * np.sqrt((1 / 9 - 1 / 25) / n)


@pytest.mark.parametrize("other", [{"stream": "eta"}, {"step": 1}, {"draw": 1}, {"seed": 12}, {"stream": 5}], ids=str)
def test_streams_steps_draws_and_seeds_are_uncorrelated(other):
    base = {"seed": 11, "stream": "c"}
    x, y = (normal_field((65536,), **options) for options in (base, base | other))
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(x.size)


def test_spectrum_is_white():
    x = normal_field((128, 128), seed=4, stream="c")
    power = np.abs(np.fft.rfft2(x)) ** 2 / x.size
    ky, kx = np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None, :]
    k = np.hypot(kx, ky)
    inner = (kx > 0) & (kx < 0.5)  # each mode once; power is exponential with mean 1
    for low in np.arange(0.0, 0.5, 0.1):
        ring = power[inner & (k > low) & (k <= low + 0.1)]
        assert abs(ring.mean() - 1) < 4 / np.sqrt(ring.size)


def test_stream_names_are_stable():
    """The numbers of a published seed must not change between versions."""
    assert stream_tag("initial:c", 2) == 0x58A05202
    assert stream_tag(5, 2) == 5 << 8 | 2
    expected = [0.9486355718727487, 0.7930579656168086]
    np.testing.assert_allclose(normal_field((2,), seed=1, stream="initial:c"), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": (1, 0)}, "does not fit"),
        ({"offset": (-1, 0), "global_shape": (9, 9)}, "does not fit"),
        ({"global_shape": (2, 9)}, "does not fit"),
        ({"step": -1}, "step"),
        ({"step": 2**32}, "step"),
        ({"stream": 2**24}, "stream"),
        ({"draw": 256}, "draw"),
        ({"seed": None}, "seed"),
        ({"out": np.empty(3)}, "out"),
    ],
    ids=str,
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        uniform_field((4, 5), **({"seed": 1, "stream": "c"} | options))


def test_import_is_light():
    code = "import sys, phasefield.random; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
