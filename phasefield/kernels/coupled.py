"""The spectral half of a stage for fields coupled by a matrix symbol.

    δF/δφ_p = (∂f/∂φ_p) + κ k̃² φ̂_p + Σ_q Λ_pq(k) φ̂_q,      Λ real, symmetric, positive semi-definite

Elastic misfit gives such a Λ: the kernel B_pq(n). All fields share m, κ and S, so the eigenvectors of Λ(k) decouple a mode: in
their basis every scheme is the scalar one of `stages` with the symbol κk̃² + λ_i. The table of a scheme is therefore used as it
is, for the components y_i = Σ_p V_pi φ̂_p of every quantity.

The statements (`coupled_program`) are those of all fields at one mode, printed as a Numba function here and as a CUDA kernel in
`coupled_cuda`. The array `coupling` (components, …) holds λ_0 … λ_{N−1} and, for N > 2, V_00, V_01, … row by row, for every
mode; for N = 2 V_00 and V_10, from which V_01 = −V_10 and V_11 = V_00 follow. `drive` (N) is a uniform
driving force: F̂_p(k = 0) −= drive_p.

A symbol may also be there for stability alone (`stabilising`), a matrix beside the number S: what Λ adds to the implicit side is
taken off the explicit one, N_p = −m (F̂_p − S v_p − Σ_q Λ_pq v_q), and the energy does not contain it.
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
    cpu_statements,
    dependency,
    make_program,
    stage_arguments,
)

# Names that all fields of a mode share.
_SHARED = ("c_rate", "c_S", "c_gradient", "c_weight")


def components(fields: int) -> int:
    """How many numbers per mode describe Λ of `fields` coupled fields."""
    return fields + fields * len(_stored(fields))


def pack(matrices: np.ndarray) -> np.ndarray:
    """Eigenvalues and eigenvectors of symmetric matrices (…, N, N) as `coupling` holds them, (components, …).

    Negative eigenvalues, which can only be rounding, become zero.
    """
    fields = matrices.shape[-1]
    if fields == 1:
        return np.maximum(matrices[..., 0, 0], 0.0)[None]
    values, vectors = np.linalg.eigh(matrices)
    rows = [np.maximum(values[..., i], 0.0) for i in range(fields)]
    rows += [vectors[..., p, i] for p in range(fields) for i in _stored(fields)]
    return np.stack(rows)


def _stored(fields: int) -> range:
    """Eigenvectors that are stored: of two fields the first, from which the second follows by a quarter turn."""
    return range({1: 0, 2: 1}.get(fields, fields))


def _entry(p: int, i: int, fields: int) -> str:
    """V_pi by the numbers that are stored."""
    return f"V_{p}_{i}" if i in _stored(fields) else ("(-V_1_0)", "V_0_0")[p]


def coupled_arguments(number: int, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False) -> list[str]:
    """Names of the kernel's arguments: those of a plain stage, and `coupling` and `drive` after the weight."""
    names = stage_arguments(number, stages, multistep, noisy)
    place = names.index("rates")
    return [*names[:place], "coupling", "drive", *names[place:]]


def coupled_program(
    number: int,
    stages: Sequence[Stage],
    fields: int,
    multistep: bool = False,
    stabilising: bool = False,
    noisy: bool = False,
) -> Program:
    """The statements of stage `number` for all fields of a mode; `<array>_<p>` is the part of an array that belongs to field p.

    A name ends in the number of its field or, z and what follows from it, of its eigenvalue.
    """
    plain, stage, each = make_program(number, stages, multistep, noisy), stages[number], range(fields)
    last = number == len(stages) - 1
    noise = noisy and last
    matrix = [f"lambda_{i}" for i in each] + [f"V_{p}_{i}" for p in each for i in _stored(fields)]
    coefficients = []
    for name, arithmetic in plain.coefficients:
        own = name not in _SHARED
        coefficients += [(f"{name}_{i}", _component(arithmetic, i)) for i in each] if own else [(name, arithmetic)]
    if stabilising:
        coefficients += [(f"c_Lambda_{p}_{q}", _matrix(p, q, fields)) for p in each for q in range(p + 1)]
    # What a mode is made of, field by field; sums over quantities come after their components are known.
    update = [
        (f"{name}_{p}", _taken_off(_field(arithmetic, p), p, fields) if stabilising else _field(arithmetic, p))
        for p in each
        for name, arithmetic in plain.update
        if name not in ("moved", "result", "e")
    ]
    quantities = [q for q in dict.fromkeys([*stage.result, *stage.error]) if q != "result"]
    update += [(f"y_{q}_{i}", _to_component(q, i, fields)) for q in quantities for i in each]
    update += [(f"y_result_{i}", " + ".join(f"c_{q}_{i} * y_{q}_{i}" for q in stage.result)) for i in each]
    update += [(f"moved_{p}", _to_field("y_result", p, fields)) for p in each]
    update += [(f"result_{p}", f"unless_still(m, moved_{p}, u_{p})" + (f" + kick_{p}" if noise else "")) for p in each]
    if noise:
        # The energy of Λ is that of the state with its noise.
        update += [(f"y_noisy_{i}", _to_component("result", i, fields)) for i in each]
    sums = []
    if stage.error:
        update += [(f"y_e_{i}", " + ".join(f"e_{q}_{i} * y_{q}_{i}" for q in stage.error)) for i in each]
        update += [(f"e_{p}", _to_field("y_e", p, fields)) for p in each]
        sums += [(f"error_{p}", f"c_weight * e_{p} * e_{p}") for p in each]
    if last:
        sums += [("gradient", "c_gradient * (" + " + ".join(f"result_{p} * result_{p}" for p in each) + ")")]
        coefficients += [(f"c_lambda_{i}", f"w * lambda_{i}") for i in each if not stabilising]
        y = "y_noisy" if noise else "y_result"
        energy = " + ".join(f"c_lambda_{i} * {y}_{i} * {y}_{i}" for i in each)
        sums += [("matrix", "0.0" if stabilising else energy)]
    return Program(
        arguments=tuple((f"z_{i}", f"-dt * m * (S + symbol + lambda_{i})") for i in each),
        calls=tuple((tuple(f"{n}_{i}" for n in names), _component(a, i)) for i in each for names, a in plain.calls),
        coefficients=tuple(coefficients),
        loads=tuple((f"{name}_{p}", f"{array}_{p}") for p in each for name, array in plain.loads),
        update=tuple(update),
        sums=tuple(sums),
        stores=tuple((f"{array}_{p}", f"{name}_{p}") for p in each for array, name in plain.stores),
        matrix=tuple(matrix),
    )


def sum_names(fields: int) -> list[str]:
    """What a stage may add up: the squared error of every field, twice the gradient energy, twice the energy of Λ."""
    return [*(f"error_{p}" for p in range(fields)), "gradient", "matrix"]


def coupled_source(
    number: int,
    stages: Sequence[Stage],
    fields: int,
    multistep: bool = False,
    stabilising: bool = False,
    noisy: bool = False,
) -> str:
    """Python source of the Numba function of stage `number` for `fields` coupled fields; see `stages.cpu_source`.

    Every entry of `coupling` (components, blocks, n0, 2 m) stands twice, for the real and the imaginary part. Added to `sums`:
    [squared error per field …, gradient energy, energy of Λ].
    """
    program = coupled_program(number, stages, fields, multistep, stabilising, noisy)
    used = dict.fromkeys([*(a for _, a in program.loads), *(a for a, _ in program.stores)])
    rows = [f"row_{name} = coupling[{n}, b, a]" for n, name in enumerate(program.matrix)]
    for array, p in (name.rsplit("_", 1) for name in used):
        rows.append(f"row_{array}_{p} = {array}[{p}, {'' if array == 'block' else 'b, '}a]")
    names = sum_names(fields)
    lines = [
        f'"""Stage {number} of a time scheme for {fields} coupled fields. Depends on kernels/cpu.py {dependency()}."""',
        "from numba import njit",
        "from phasefield.kernels.cpu import gradient_symbol, phi_functions, unless_still",
        "",
        '@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})',
        f"def stage({', '.join(coupled_arguments(number, stages, multistep, noisy))}):",
        "    n0, width = block.shape[1:]",
        "    rate_constant, rate_laplacian, kappa, S = rates[0]",
        "    row_kr = kr[b * width : (b + 1) * width]",
        "    row_weight = weight[b * width : (b + 1) * width]",
        "    if b == 0:",
        *(f"        block[{p}, 0, 0] -= drive[{p}]" for p in range(fields)),
        *(f"    {name} = 0.0" for name in names),
        "    for a in range(n0):",
        "        row_k0 = k0[a]",
        *("        " + row for row in rows),
        "        for j in range(width):",
        *("            " + line for line in cpu_statements(program)),
        *(f"    sums[{n}] += {'' if n < fields else '0.5 * '}{name}" for n, name in enumerate(names)),
    ]
    return "\n".join(lines) + "\n"


def _component(text: str, i: int) -> str:
    """Arithmetic in z and functions of z, for the i-th eigenvalue."""
    return re.sub(rf"\b({'|'.join(('z', *PHI_NAMES, *HALF_NAMES))})\b", rf"\g<1>_{i}", text)


def _field(text: str, p: int) -> str:
    """Arithmetic in quantities of a mode, for field p."""
    return re.sub(rf"\b(?!(?:{'|'.join(_SHARED)})\b)([A-Za-z_]\w*)\b", rf"\g<1>_{p}", text)


def _to_component(q: str, i: int, fields: int) -> str:
    """y_i = Σ_p V_pi q_p"""
    return f"{q}_0" if fields == 1 else " + ".join(f"{_entry(p, i, fields)} * {q}_{p}" for p in range(fields))


def _to_field(y: str, p: int, fields: int) -> str:
    """q_p = Σ_i V_pi y_i"""
    return f"{y}_0" if fields == 1 else " + ".join(f"{_entry(p, i, fields)} * {y}_{i}" for i in range(fields))


def _matrix(p: int, q: int, fields: int) -> str:
    """Λ_pq = Σ_i V_pi λ_i V_qi"""
    if fields == 1:
        return "lambda_0"
    return " + ".join(f"{_entry(p, i, fields)} * lambda_{i} * {_entry(q, i, fields)}" for i in range(fields))


def _taken_off(text: str, p: int, fields: int) -> str:
    """S v_p and Λ_pq v_q where the text has S v_p, with v any quantity; Λ is stored as its lower triangle."""
    entries = [f"c_Lambda_{max(p, q)}_{min(p, q)} * \\g<1>_{q}" for q in range(fields)]
    return re.sub(rf"c_S \* (\w+)_{p}\b", rf"(c_S * \g<1>_{p} + {' + '.join(entries)})", text)
