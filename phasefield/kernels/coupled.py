"""Source code of the spectral half of a stage for fields coupled by a matrix symbol.

    δF/δφ_p = (∂f/∂φ_p) + κ k̃² φ̂_p + Σ_q Λ_pq(k) φ̂_q,      Λ real, symmetric, positive semi-definite

Elastic misfit gives such a Λ: the kernel B_pq(n). All fields share m, κ and S, so the eigenvectors of Λ(k) decouple a mode: in
their basis every scheme is the scalar one of `stages` with the symbol κk̃² + λ_i. The table of a scheme is therefore used as it
is, for the components y_i = Σ_p V_pi φ̂_p of every quantity.

The array `coupling` (components, blocks, n0, 2 m) holds λ_0 … λ_{N−1} and, for N > 1, V_00, V_01, … row by row; every entry stands
twice, for the real and the imaginary part. `drive` (N) is a uniform driving force: F̂_p(k = 0) −= drive_p.
Added to `sums`: [squared error per field …, gradient energy, energy of Λ].
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from phasefield.kernels.stages import (
    HALF_NAMES,
    PHI_NAMES,
    Program,
    Stage,
    dependency,
    function_calls,
    make_program,
    stage_arguments,
)

_Z_NAMES = ("z", *PHI_NAMES, *HALF_NAMES)


def components(fields: int) -> int:
    """How many numbers per mode describe Λ of `fields` coupled fields."""
    return 1 if fields == 1 else fields + fields * fields


def pack(matrices: np.ndarray) -> np.ndarray:
    """Eigenvalues and eigenvectors of symmetric matrices (…, N, N) as `coupling` holds them, (components, …).

    Negative eigenvalues, which can only be rounding, become zero.
    """
    fields = matrices.shape[-1]
    if fields == 1:
        return np.maximum(matrices[..., 0, 0], 0.0)[None]
    values, vectors = np.linalg.eigh(matrices)
    rows = [np.maximum(values[..., i], 0.0) for i in range(fields)]
    rows += [vectors[..., p, i] for p in range(fields) for i in range(fields)]
    return np.stack(rows)


def coupling_energy(u_hat: np.ndarray, coupling: np.ndarray, weight: np.ndarray) -> float:
    """½ Σ_k û*·Λ(k)·û, the mean energy density of a matrix symbol; `u_hat` a real view, `weight` one number per column."""
    fields, _, _, width = u_hat.shape
    total = 0.0
    for b, w in enumerate(np.repeat(weight, 2).reshape(-1, width)):
        u, c = u_hat[:, b], coupling[:, b]
        y = u
        if fields > 1:
            y = np.einsum("pi...,p...->i...", c[fields:].reshape(fields, fields, *u.shape[1:]), u)
        total += float(np.sum(c[:fields] * y * y * w))
    return 0.5 * total


def coupled_arguments(number: int, stages: Sequence[Stage], multistep: bool = False) -> list[str]:
    """Names of the kernel's arguments: those of a plain stage, and `coupling` and `drive` after the weight."""
    names = stage_arguments(number, stages, multistep)
    place = names.index("rates")
    return [*names[:place], "coupling", "drive", *names[place:]]


def coupled_source(number: int, stages: Sequence[Stage], fields: int, multistep: bool = False) -> str:
    """Python source of the Numba function of stage `number` for `fields` coupled fields."""
    program = make_program(number, stages, multistep)
    arguments = coupled_arguments(number, stages, multistep)
    used = list(dict.fromkeys(a for _, a in program.loads) | dict.fromkeys(a for a, _ in program.stores))
    rows = [
        f"row_{array}_{p} = {array}[{p}, {'' if array == 'block' else 'b, '}a]" for array in used for p in range(fields)
    ]
    rows += [f"row_c_{i} = coupling[{i}, b, a]" for i in range(components(fields))]
    last = number == len(stages) - 1
    lines = [
        f'"""Stage {number} of a time scheme for {fields} coupled fields. Depends on kernels/cpu.py {dependency()}."""',
        "from numba import njit",
        "from phasefield.kernels.cpu import gradient_symbol, phi_functions, unless_still",
        "",
        '@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})',
        f"def stage({', '.join(arguments)}):",
        "    n0, width = block.shape[1:]",
        "    rate_constant, rate_laplacian, kappa, S = rates[0]",
        "    row_kr = kr[b * width : (b + 1) * width]",
        "    row_weight = weight[b * width : (b + 1) * width]",
        "    if b == 0:",
        *(f"        block[{p}, 0, 0] -= drive[{p}]" for p in range(fields)),
        *(f"    error_{p} = 0.0" for p in range(fields)),
        "    gradient = 0.0",
        "    elastic = 0.0",
        "    for a in range(n0):",
        "        row_k0 = k0[a]",
        *("        " + row for row in rows),
        "        for j in range(width):",
        *("            " + line for line in _inner(program, stages[number], fields, last)),
        *(f"    sums[{p}] += error_{p}" for p in range(fields)),
        f"    sums[{fields}] += 0.5 * gradient",
        f"    sums[{fields + 1}] += 0.5 * elastic",
    ]
    return "\n".join(lines) + "\n"


def _inner(program: Program, stage: Stage, fields: int, last: bool) -> list[str]:
    """The statements for one real number of a mode, of all fields."""
    each = range(fields)
    lines = [
        "k2 = row_k0 + row_kr[j]",
        "w = row_weight[j]",
        "m = rate_constant + rate_laplacian * k2",
        "symbol = gradient_symbol(kappa, k2)",
        "c_rate = -m",
    ]
    for i in each:
        lines += [f"value_{i} = row_c_{i}[j]", f"z_{i} = -dt * m * (S + symbol + value_{i})"]
        for names, argument in function_calls(program):
            results = ", ".join(f"{n if n in program.functions else '_' + n}_{i}" for n in names)
            lines.append(f"{results} = phi_functions({_component(argument, i)})")
        for name, arithmetic in program.coefficients:
            if name.startswith(("c_", "e_")) and name not in ("c_rate", "c_gradient", "c_weight"):
                lines.append(f"{name}_{i} = {_component(arithmetic, i)}")
    if fields > 1:
        lines += [f"V_{p}_{i} = row_c_{fields + p * fields + i}[j]" for p in each for i in each]
    for p in each:
        lines += [f"{name}_{p} = row_{array}_{p}[j]" for name, array in program.loads]
        lines += [
            f"{name}_{p} = {_field(arithmetic, p)}"
            for name, arithmetic in program.update
            if name not in ("moved", "result", "e")
        ]
    quantities = [q for q in dict.fromkeys([*stage.result, *stage.error]) if q != "result"]
    for q in quantities:
        lines += [f"y_{q}_{i} = {_rotated(q, i, fields)}" for i in each]
    lines += [f"y_result_{i} = " + " + ".join(f"c_{q}_{i} * y_{q}_{i}" for q in stage.result) for i in each]
    lines += [f"result_{p} = unless_still(m, {_back('y_result', p, fields)}, u_{p})" for p in each]
    if stage.error:
        lines += [f"y_e_{i} = " + " + ".join(f"e_{q}_{i} * y_{q}_{i}" for q in stage.error) for i in each]
        for p in each:
            lines += [f"e_{p} = {_back('y_e', p, fields)}", f"error_{p} += w * e_{p} * e_{p}"]
    if last:
        squares = " + ".join(f"result_{p} * result_{p}" for p in each)
        elastic = " + ".join(f"value_{i} * y_result_{i} * y_result_{i}" for i in each)
        lines += [f"gradient += w * symbol * ({squares})", f"elastic += w * ({elastic})"]
    return lines + [f"row_{array}_{p}[j] = {name}_{p}" for p in each for array, name in program.stores]


def _component(text: str, i: int) -> str:
    """Arithmetic in z and functions of z, for the i-th eigenvalue."""
    return re.sub(rf"\b({'|'.join(_Z_NAMES)})\b", rf"\g<1>_{i}", text)


def _field(text: str, p: int) -> str:
    """Arithmetic in quantities of a mode, for field p."""
    return re.sub(r"\b(?!c_rate\b|S\b)([A-Za-z_]\w*)\b", rf"\g<1>_{p}", text)


def _rotated(q: str, i: int, fields: int) -> str:
    return f"{q}_0" if fields == 1 else " + ".join(f"V_{p}_{i} * {q}_{p}" for p in range(fields))


def _back(q: str, p: int, fields: int) -> str:
    return f"{q}_0" if fields == 1 else " + ".join(f"V_{p}_{i} * {q}_{i}" for i in range(fields))
