"""A formula in space and time as a compiled loop over cells: what fills a block of a real field with s(x, y, z, t)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phasefield.kernels.cache import load_module
from phasefield.kernels.expressions import Expression
from phasefield.kernels.printing import scalar_code

AXES = ("x", "y", "z")
TIME = "t"

_PYTHON = '''\
"""A formula over the cells of a box, written by phasefield; safe to delete."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath={{"contract", "reassoc", "nsz", "arcp"}})
def fill(u, first, x, y, z, p):
{parameters}{constants}    for row in range(u.size // x.size):
        line = first // x.size + row
        v_y = y[line % y.size]
        v_z = z[line // y.size]
        part = u[row * x.size : (row + 1) * x.size]
        for i in range(x.size):
            v_x = x[i]
{temporaries}            part[i] = {result}
'''


def cell_map(expression: Expression) -> tuple[Callable[..., None], tuple[str, ...]]:
    """`fill(u, first, x, y, z, p)` of a formula in x, y, z and t, and the names whose values p holds, t among them.

    u: whole rows along x of one field, flat, in the order z, y, x; first: index of its first cell; x, y, z: cell centres
    (a missing axis has one cell). Computed in double precision whatever that of u: positions and times need it. What depends on
    t alone is computed once per call.
    """
    names = tuple(n for n in (*expression.variables, *expression.parameters) if n not in AXES)
    as_parameters = Expression(expression.text, AXES, names, expression.tree)
    code = scalar_code([as_parameters], "float64", "python")

    def lines(statements: Any, indent: int) -> str:
        return "".join(" " * indent + f"{name} = {body}\n" for name, body in statements)

    source = _PYTHON.format(
        parameters=lines([(f"p_{name}", f"p[{j}]") for j, name in enumerate(names)], 4),
        constants=lines(code.constants, 4),
        temporaries=lines(code.temporaries, 12),
        result=code.results[0],
    )
    return load_module(source, "cells").fill, names
