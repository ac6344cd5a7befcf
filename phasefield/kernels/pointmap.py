"""A function of local field values, compiled: out = max(0, g(u)) over a block of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phasefield.kernels.cache import load_module
from phasefield.kernels.expressions import Expression
from phasefield.kernels.printing import scalar_code

# A nan is no number below 0 and stays a nan.
_PYTHON = '''\
"""A map of field values, written by phasefield; safe to delete."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath={{"contract", "reassoc", "nsz", "arcp"}})
def part({rows}, p, out):
{head}    for i in range(out.size):
{body}        value = {result}
        out[i] = 0.0 if value < 0.0 else value


@njit(cache=True, nogil=True)
def apply(u, p, out):
    part({slices}, p, out)
'''


def compile_map(expression: Expression, real: str = "float64") -> Callable[[Any, Any, Any], None]:
    """apply(u, p, out): out[i] = max(0, g(u[0, i], u[1, i], …)), p the values of g's parameters in their order.

    Compiled at the first call, cached on disk. Releases the GIL and gives the same bits for the same block.
    """
    return load_module(map_source(expression, real), "map").apply


def map_source(expression: Expression, real: str = "float64") -> str:
    """Source of the Python module with `apply`."""
    code = scalar_code([expression], real, "python")
    head = [(f"p_{name}", f"p[{j}]") for j, name in enumerate(expression.parameters)]
    body = [(f"v_{name}", f"u_{q}[i]") for q, name in enumerate(expression.variables)]
    fields = range(len(expression.variables))
    return _PYTHON.format(
        rows=", ".join(f"u_{q}" for q in fields),
        slices=", ".join(f"u[{q}]" for q in fields),
        head="".join(f"    {name} = {text}\n" for name, text in [*head, *code.constants]),
        body="".join(f"        {name} = {text}\n" for name, text in [*body, *code.temporaries]),
        result=code.results[0],
    )
