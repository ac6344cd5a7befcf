"""Compiled pointwise physics: from a density f(u) and its derivatives ∂f/∂u_q, loops over a block of cells.

The same formulas become Numba code for CPUs (`compile_pointwise`) and CUDA source for GPUs
(`pointwise_source(..., language="cuda")`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phasefield.kernels.cache import load_module
from phasefield.kernels.expressions import Expression
from phasefield.kernels.printing import Code, scalar_code

__all__ = ["Pointwise", "compile_pointwise", "load_module", "pointwise_source"]

CUDA_BLOCK = 256


@dataclass(frozen=True)
class Pointwise:
    """Kernels of one density, for u of shape (fields, n) and p with the values of `parameters` in that order.

    `potential(u, p, sums)` overwrites u with ∂f/∂u_q; before that it takes sums[0] = Σ f and, for each field
    q, sums[1+2q], sums[2+2q] = min, max of u_q. A nan in u makes sums[0] nan.
    `energy(u, p)` is Σ f and leaves u alone; it agrees with sums[0] to rounding.
    Both release the GIL, allocate nothing, and give the same bits for the same block.

    With frozen fields the arguments are (u, frozen, p, …), frozen (number of them, n). With `changing` parameters p holds
    two sets one after the other: derivatives and sums[0] are those of the first, sums[1 + 2 fields] is Σ f with the second.
    """

    potential: Callable[[Any, Any, Any], None]
    energy: Callable[[Any, Any], float]
    fields: int
    parameters: tuple[str, ...]
    real: str


def compile_pointwise(
    density: Expression, derivatives: Sequence[Expression], real: str = "float64", changing: bool = False
) -> Pointwise:
    """CPU kernels of `density`, compiled at the first call, cached on disk.

    The first variables of the density are the fields, one for each derivative; others are frozen fields.
    """
    source = pointwise_source(density, derivatives, real, "python", changing)
    module = load_module(source, "pointwise")
    return Pointwise(module.potential, module.energy, len(derivatives), density.parameters, real)


def pointwise_source(
    density: Expression,
    derivatives: Sequence[Expression],
    real: str = "float64",
    language: str = "python",
    changing: bool = False,
) -> str:
    """Source of the kernels: a Python module for Numba, or CUDA C++ (see `_CUDA` for its launch rules).

    Raises:
        ValueError: more derivatives than variables.
    """
    if len(density.variables) < len(derivatives):
        raise ValueError(f"{len(density.variables)} variables cannot have {len(derivatives)} derivatives")
    whole = scalar_code([density, *derivatives], real, language)
    alone = scalar_code([density], real, language)
    if language == "cuda":
        return _cuda_source(density, whole, alone, real, len(derivatives), changing)
    return _python_source(density, whole, alone, real, len(derivatives), changing)


# CPU ----------------------------------------------------------------------------------------------------

# Sums are made of parts: of a uniform field all summands are equal and round the same way, so that the error of one long
# sum grows with the number of cells.
_CHUNK = 1024

# nnan and ninf are off: a nan must reach the sum. Floats are in the order of their bits as integers (with the
# lower bits of negative ones turned over). LLVM vectorises the minimum of integers, but not that of floats
# unless it may assume that there is no nan; for a polynomial this makes the loop ten times faster.
_PYTHON = '''\
"""Pointwise kernels of a free-energy density, written by phasefield; safe to delete."""

import math

import numpy as np
from numba import njit

options = dict(cache=True, nogil=True, error_model="numpy", fastmath={{"contract", "reassoc", "nsz", "arcp"}})


@njit(**options)
def order(bits):
    return bits ^ ((bits >> np.{integer}({sign_shift})) & np.{integer}({low_bits}))


@njit(**options)
def part({rows}, p, sums):
{parameters}{constants}    total = 0.0
{ranges}    for i in range(u_0.size):
{loads}{temporaries}        total += np.float64({density})
{updates}    sums[0] += total
{stores}

@njit(**options)
def potential({arguments}, sums):
    sums[0] = 0.0
{starts}    for first in range(0, u.shape[1], {chunk}):
        part({slices}, sums)


@njit(**options)
def energy_part({rows}, p):
{parameters}{energy_constants}    total = 0.0
    for i in range(u_0.size):
{loads}{energy_temporaries}        total += np.float64({energy_density})
    return total


@njit(**options)
def energy({arguments}):
    total = 0.0
    for first in range(0, u.shape[1], {chunk}):
        total += energy_part({slices})
    return total
'''


def _python_source(density: Expression, whole: Code, alone: Code, real: str, count: int, changing: bool) -> str:
    bits = 64 if real == "float64" else 32
    integer = f"int{bits}"
    fields = list(enumerate(density.variables[:count]))
    frozen = list(enumerate(density.variables[count:]))
    loads = [(f"v_{name}", f"u_{q}[i]") for q, name in fields] + [(f"v_{n}", f"frozen_{q}[i]") for q, n in frozen]
    parameters = [(f"p_{name}", f"p[{j}]") for j, name in enumerate(density.parameters)]
    constants = _lines(whole.constants, 4)
    updates, ranges, stores, starts = [], "", "", ""
    for (q, name), derivative in zip(fields, whole.results[1:], strict=True):
        updates += [
            f"        key = order(np.{real}(v_{name}).view(np.{integer}))\n",
            f"        low_{q} = min(low_{q}, key)\n        high_{q} = max(high_{q}, key)\n",
            f"        u_{q}[i] = {derivative}\n",
        ]
        for k, end, start in ((1 + 2 * q, f"low_{q}", "np.inf"), (2 + 2 * q, f"high_{q}", "-np.inf")):
            starts += f"    sums[{k}] = {start}\n"
            ranges += f"    {end} = order(np.{real}(sums[{k}]).view(np.{integer}))\n"
            stores += f"    sums[{k}] = np.{integer}(order({end})).view(np.{real})\n"
    if changing:
        # Σ f once more, with the parameters there were before.
        second = _renamed(alone, [f"p_{name}" for name in density.parameters])
        parameters += [
            (f"p_{name}_b", f"p[{len(density.parameters) + j}]") for j, name in enumerate(density.parameters)
        ]
        constants += _lines(second.constants, 4)
        ranges += "    before = 0.0\n"
        starts += f"    sums[{1 + 2 * count}] = 0.0\n"
        stores += f"    sums[{1 + 2 * count}] += before\n"
        updates.insert(0, _lines(second.temporaries, 8) + f"        before += np.float64({second.results[0]})\n")
    # Pieces of rows: a loop that does not start at 0 asks for negative indices, a piece of two rows for its strides, and neither
    # is vectorised.
    piece = f"[first : first + {_CHUNK}]"
    return _PYTHON.format(
        integer=integer,
        sign_shift=bits - 1,
        low_bits=hex(2 ** (bits - 1) - 1),
        arguments="u, frozen, p" if frozen else "u, p",
        rows=", ".join([f"u_{q}" for q, _ in fields] + [f"frozen_{q}" for q, _ in frozen]),
        slices=", ".join([f"u[{q}]{piece}" for q, _ in fields] + [f"frozen[{q}]{piece}" for q, _ in frozen] + ["p"]),
        chunk=_CHUNK,
        parameters=_lines(parameters, 4),
        constants=constants,
        starts=starts,
        ranges=ranges,
        loads=_lines(loads, 8),
        temporaries=_lines(whole.temporaries, 8),
        density=whole.results[0],
        updates="".join(updates),
        stores=stores,
        energy_constants=_lines(alone.constants, 4),
        energy_temporaries=_lines(alone.temporaries, 8),
        energy_density=alone.results[0],
    )


def _renamed(code: Code, parameters: Sequence[str]) -> Code:
    """The same statements with `_b` behind the names they define and behind `parameters`."""
    names = [*parameters, *(name for name, _ in (*code.constants, *code.temporaries))]
    if not names:
        return code
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def rename(text: str) -> str:
        return pattern.sub(r"\g<1>_b", text)

    def both(statements: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((rename(name), rename(body)) for name, body in statements)

    return replace(
        code,
        constants=both(code.constants),
        temporaries=both(code.temporaries),
        results=tuple(rename(text) for text in code.results),
    )


def _lines(statements: Sequence[tuple[str, str]], indent: int, form: str = "{} = {}\n") -> str:
    return "".join(" " * indent + form.format(name, body) for name, body in statements)


# GPU ----------------------------------------------------------------------------------------------------

# Launch `potential` or `energy` with BLOCK threads per block and a fixed number of blocks, then `finish` with
# `width` blocks of BLOCK threads. The order of summation depends on n and the number of blocks alone.
_CUDA = """\
// Pointwise kernels of a free-energy density, written by phasefield.
typedef {real_type} real;
#define FIELDS {fields}
#define VARIABLES {variables}
#define WIDTH {width}
#define BLOCK {block}

// Density at one cell; its derivatives go to d.
static __device__ __forceinline__ real point(const real *v, const real *p, real *d)
{{
{parameters}{loads}{body}{updates}    return {density};
}}

static __device__ __forceinline__ real density(const real *v, const real *p)
{{
{parameters}{loads}{energy_body}    return {energy_density};
}}

// nan wins, on either side.
static __device__ __forceinline__ double lower(double a, double b) {{ return (b < a || b != b) ? b : a; }}
static __device__ __forceinline__ double upper(double a, double b) {{ return (b > a || b != b) ? b : a; }}
// Numbers k of two parts in one: sums stand before and behind the ranges.
static __device__ __forceinline__ double join(int k, double a, double b)
{{
    return k == 0 || k > 2 * FIELDS ? a + b : (k % 2 ? lower(a, b) : upper(a, b));
}}

// Combine `value` of all threads of the block as a tree; thread 0 writes it.
static __device__ void gather(int k, double value, double *share, double *target)
{{
    share[threadIdx.x] = value;
    __syncthreads();
    for (int half = BLOCK / 2; half > 0; half /= 2) {{
        if (threadIdx.x < half)
            share[threadIdx.x] = join(k, share[threadIdx.x], share[threadIdx.x + half]);
        __syncthreads();
    }}
    if (threadIdx.x == 0)
        *target = share[0];
    __syncthreads();
}}

// u: (FIELDS, n), overwritten by the derivatives; frozen fields: (VARIABLES - FIELDS, n).
// partial: (blocks, WIDTH), sum of the density, min and max of each u_q, sum of the density with the second parameters.
extern "C" __global__ void potential(real *u, {frozen}const real *p, double *partial, long long n)
{{
    __shared__ double share[BLOCK];
    const double infinity = __longlong_as_double(0x7ff0000000000000LL);
    double total = 0.0, {before}low[FIELDS], high[FIELDS];
    for (int q = 0; q < FIELDS; ++q) {{
        low[q] = infinity;
        high[q] = -infinity;
    }}
    const long long stride = gridDim.x * (long long)BLOCK;
    for (long long i = blockIdx.x * (long long)BLOCK + threadIdx.x; i < n; i += stride) {{
        real v[VARIABLES], d[FIELDS];
{cell}        total += (double)point(v, p, d);
{add_before}        for (int q = 0; q < FIELDS; ++q) {{
            low[q] = lower(low[q], (double)v[q]);
            high[q] = upper(high[q], (double)v[q]);
            u[q * n + i] = d[q];
        }}
    }}
    double *target = partial + (long long)blockIdx.x * WIDTH;
    gather(0, total, share, target);
    for (int q = 0; q < FIELDS; ++q) {{
        gather(1, low[q], share, target + 1 + 2 * q);
        gather(2, high[q], share, target + 2 + 2 * q);
    }}
{gather_before}}}

// partial: (blocks, 1), sum of the density; u is left alone.
extern "C" __global__ void energy(const real *u, {frozen}const real *p, double *partial, long long n)
{{
    __shared__ double share[BLOCK];
    double total = 0.0;
    const long long stride = gridDim.x * (long long)BLOCK;
    for (long long i = blockIdx.x * (long long)BLOCK + threadIdx.x; i < n; i += stride) {{
        real v[VARIABLES];
{cell}        total += (double)density(v, p);
    }}
    gather(0, total, share, partial + blockIdx.x);
}}

// One block per k: sums[k] = all blocks of partial[:, k]; width = WIDTH after `potential`, 1 after `energy`.
extern "C" __global__ void finish(const double *partial, int blocks, int width, double *sums)
{{
    __shared__ double share[BLOCK];
    const double infinity = __longlong_as_double(0x7ff0000000000000LL);
    const int k = blockIdx.x;
    double value = k == 0 || k > 2 * FIELDS ? 0.0 : (k % 2 ? infinity : -infinity);
    for (int b = threadIdx.x; b < blocks; b += BLOCK)
        value = join(k, value, partial[(long long)b * width + k]);
    gather(k, value, share, sums + k);
}}
"""


def _cuda_source(density: Expression, whole: Code, alone: Code, real: str, count: int, changing: bool) -> str:
    declare = "const real {} = {};\n"
    variables = list(enumerate(density.variables))
    cell = "        for (int q = 0; q < FIELDS; ++q)\n            v[q] = u[q * n + i];\n"
    if len(variables) > count:
        cell += "        for (int q = FIELDS; q < VARIABLES; ++q)\n            v[q] = frozen[(q - FIELDS) * n + i];\n"
    # Σ f once more, with the parameters there were before: a second call, whose common parts the compiler finds.
    second = f"        before += (double)density(v, p + {len(density.parameters)});\n"
    return _CUDA.format(
        real_type="double" if real == "float64" else "float",
        fields=count,
        variables=len(variables),
        width=1 + 2 * count + changing,
        block=CUDA_BLOCK,
        frozen="const real *frozen, " if len(variables) > count else "",
        cell=cell,
        before="before = 0.0, " if changing else "",
        add_before=second if changing else "",
        gather_before="    gather(0, before, share, target + 1 + 2 * FIELDS);\n" if changing else "",
        parameters=_lines([(f"p_{n}", f"p[{j}]") for j, n in enumerate(density.parameters)], 4, declare),
        loads=_lines([(f"v_{name}", f"v[{q}]") for q, name in variables], 4, declare),
        body=_lines([*whole.constants, *whole.temporaries], 4, declare),
        updates=_lines([(f"d[{q}]", body) for q, body in enumerate(whole.results[1:])], 4, "{} = {};\n"),
        density=whole.results[0],
        energy_body=_lines([*alone.constants, *alone.temporaries], 4, declare),
        energy_density=alone.results[0],
    )
