"""CUDA sources run by a C compiler: every thread of a block is a coroutine, `__syncthreads` hands over to the next.

`Module(source).get_function(name)(grid, block, arguments)` is called like a kernel of CuPy. The source is compiled as it is,
keywords defined away, so reductions in shared memory are run as written.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="no C compiler found")

_HEAD = """\
#include <math.h>
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>
#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))
typedef struct { unsigned int x, y, z; } dim3_;
static dim3_ threadIdx, blockIdx, blockDim, gridDim;
#define MOST_THREADS 256
// Coroutines begin with a context of their own, once, and are left and entered by jumps, which need no system calls.
static ucontext_t first_[MOST_THREADS];
static jmp_buf scheduler_, threads_[MOST_THREADS];
static char stacks_[MOST_THREADS][65536];
static int begun_[MOST_THREADS], done_[MOST_THREADS];
static unsigned int current_;
static void (*kernel_)(void **);
static void **arguments_;
static void __syncthreads(void) { if (!_setjmp(threads_[current_])) _longjmp(scheduler_, 1); }
static double __longlong_as_double(long long bits) { double x; memcpy(&x, &bits, 8); return x; }
static void body_(void) { for (;;) { kernel_(arguments_); done_[current_] = 1; __syncthreads(); } }
static void enter_(unsigned int t)
{
    if (_setjmp(scheduler_))
        return;
    if (begun_[t])
        _longjmp(threads_[t], 1);
    begun_[t] = 1;
    getcontext(&first_[t]);
    first_[t].uc_stack.ss_sp = stacks_[t];
    first_[t].uc_stack.ss_size = sizeof stacks_[t];
    first_[t].uc_link = 0;
    makecontext(&first_[t], body_, 0);
    setcontext(&first_[t]);
}
static void launch_(void (*kernel)(void **), unsigned int grid, unsigned int block, void **arguments)
{
    kernel_ = kernel; arguments_ = arguments; gridDim.x = grid; blockDim.x = block;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x) {
        memset(done_, 0, sizeof done_);
        for (unsigned int running = block; running > 0;)
            for (unsigned int t = 0; t < block; ++t)
                if (!done_[t]) {
                    current_ = threadIdx.x = t;
                    enter_(t);
                    running -= done_[t];
                }
    }
}
"""

_SIGNATURE = re.compile(r"(?:__global__ void|PHILOX_KERNEL) (\w+)\(([^)]*)\)")


class Module:
    """The kernels of a CUDA source text; `contracted`: products and sums may be rounded once."""

    def __init__(self, source: str, definitions: str = "", *, contracted: bool = True):
        real = re.search(r"typedef (\w+) real;", source)
        self._real = {"float": "f4", "double": "f8"}[real[1]] if real else ""
        self._types = {name: [_type_of(p) for p in text.split(",")] for name, text in _SIGNATURE.findall(source)}
        tail = ""
        for name, types in self._types.items():
            values = ", ".join(f"*({t} *)a[{i}]" for i, t in enumerate(types))
            tail += f"static void call_{name}(void **a) {{ {name}({values}); }}\n"
            tail += (
                f"void launch_{name}(unsigned int g, unsigned int b, void **a) {{ launch_(call_{name}, g, b, a); }}\n"
            )
        self._library = _library(definitions + _HEAD + source.replace('extern "C" ', "") + tail, contracted)

    def get_function(self, name: str) -> Any:
        launch, types = self._library[f"launch_{name}"], self._types[name]

        def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            assert len(arguments) == len(types), f"{name} takes {len(types)} arguments, got {len(arguments)}"
            cells = [_argument(a, t, self._real) for a, t in zip(arguments, types, strict=True)]
            pointers = (ctypes.c_void_p * len(cells))(*[ctypes.addressof(c) for c in cells])
            launch(ctypes.c_uint(grid[0]), ctypes.c_uint(block[0]), pointers)

        return run


_SCALARS = {
    "double": (np.float64, ctypes.c_double),
    "unsigned int": (np.uint32, ctypes.c_uint),
    "philox_u32": (np.uint32, ctypes.c_uint),
    "philox_u64": (np.uint64, ctypes.c_ulonglong),
    "int": (np.int32, ctypes.c_int),
    "long long": (np.int64, ctypes.c_longlong),
}


def _type_of(parameter: str) -> str:
    return re.sub(r"\w+$", "", parameter.strip()).replace("const ", "").strip()


def _argument(value: Any, declared: str, real: str) -> Any:
    if declared.endswith("*"):
        assert hasattr(value, "pointer"), f"{declared} needs a device array, got {type(value).__name__}"
        # A complex mode is two real numbers.
        kinds = {"double": "f8", "real": real, "mode": real, "long long": "i8", "unsigned long long": "u8"}
        kinds["philox_u32"] = "u4"
        assert value.dtype.str[1:] == kinds[declared[:-1].strip()], f"{declared} points to {value.dtype}"
        return ctypes.c_void_p(value.pointer)
    kind, cell = _SCALARS[declared]
    # CuPy passes numbers by their own type: any other size would be read wrongly.
    assert type(value) is kind, f"{declared} needs {kind.__name__}, got {type(value).__name__}"
    return cell(value.item())


@functools.cache
def _library(text: str, contracted: bool) -> ctypes.CDLL:
    folder = Path(tempfile.mkdtemp(prefix="phasefield-cuda-"))
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:12]
    path.with_suffix(".c").write_text(text)
    assert COMPILER is not None
    # A kernel must not be taken for a function of the C library of the same name.
    command = [COMPILER, "-O1", "-std=gnu17", "-w", "-shared", "-fPIC", "-Wl,-Bsymbolic", "-o", path.with_suffix(".so")]
    command += [] if contracted else ["-ffp-contract=off"]
    subprocess.run([*command, path.with_suffix(".c"), "-lm"], check=True)
    library = ctypes.CDLL(str(path.with_suffix(".so")))
    shutil.rmtree(folder)
    return library
