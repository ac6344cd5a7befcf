"""Source code of the spectral half of a stage, made from a scheme's table.

A scheme is a list of stages, a stage a list of coefficients written as arithmetic in z (and in e^z, φ₁, φ₂, φ₃):

    out = base(z) û + Δt Σ_i weight_i(z) N_i,      N_i = −m (F̂_i − S v_i),      z = −Δt m (S + κ k̃²)

with m = m₀ + m₂ k̃² the kinetics (m₀ = L or m₂ = M), F̂_i the transform of the explicit pointwise part at the stage value v_i.
The same coefficient strings are printed into a Numba function here and into a CUDA kernel by `kernels.gpu`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Columns of the `rates` array of a stage kernel.
RATE_CONSTANT, RATE_LAPLACIAN, GRADIENT, STABILISATION = 0, 1, 2, 3
# Entries of the sums a stage kernel adds to: first, per field, the squared error; then the gradient energy.
PHI_NAMES = ("exp_z", "phi1", "phi2", "phi3")


@dataclass(frozen=True)
class Stage:
    """Coefficients of one stage as arithmetic in `z`, `exp_z`, `phi1`, `phi2`, `phi3`.

    base: coefficient of the state at the beginning of the step.
    weights: coefficients of Δt N of every stage value so far, the newest last.
    error: coefficients of the embedded error estimate (a difference of two solutions), or empty.
    """

    base: str
    weights: tuple[str, ...]
    error: tuple[str, ...] = ()

    @property
    def coefficients(self) -> tuple[str, ...]:
        return (self.base, *self.weights, *self.error)


def stage_arguments(number: int, stages: Sequence[Stage]) -> list[str]:
    """Names of a stage kernel's arguments: the arrays of the step, then geometry, rates and results."""
    first, last = number == 0, number == len(stages) - 1
    slots = [f"slot{i}" for i in range(number if last else number + 1)]
    arrays = ["base", "out"] if first else ["base", "value"]
    return ["block", "start", *arrays, *slots, "k0", "kr", "weight", "rates", "dt", "scratch", "sums"]


@cache
def _dependency() -> str:
    return hashlib.sha256(Path(__file__).with_name("cpu.py").read_bytes()).hexdigest()


def cpu_source(number: int, stages: Sequence[Stage]) -> str:
    """Python source of the Numba function of stage `number`.

    The stage's own N enters as `n`, earlier ones come from slots. The first stage reads the state from `base` and
    writes `out`; later ones update `value` in place. The new value also replaces the block, ready for the inverse
    transform. Results added to `sums`: [squared error per field …, gradient energy].
    """
    stage, last = stages[number], number == len(stages) - 1
    value = "base" if number == 0 else "value"
    target = "out" if number == 0 else "value"
    used = [name for name in PHI_NAMES if any(name in c for c in stage.coefficients)]
    rows = ["rate", "base_row", *(f"w{i}_row" for i in range(len(stage.weights)))]
    rows += [f"e{i}_row" for i in range(len(stage.error))] + (["gradient_row"] if last else [])
    values = ["-m", stage.base, *(f"dt * ({w})" for w in stage.weights), *(f"dt * ({e})" for e in stage.error)]
    values += ["weight[start + r] * symbol"] if last else []
    lines = [
        f'"""Stage {number} of a time scheme. Depends on kernels/cpu.py {_dependency()}."""',
        "from numba import njit",
        "from phasefield.kernels.cpu import gradient_symbol, phi_functions",
        "",
        '@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})',
        f"def stage({', '.join(stage_arguments(number, stages))}):",
        "    fields, n0, width = block.shape",
        "    modes = width // 2",
        "    first = 2 * start",
        "    for f in range(fields):",
        "        S = rates[f, 3]",
        "        error = 0.0",
        "        gradient = 0.0",
        "        for a in range(n0):",
        "            for r in range(modes):",
        "                k2 = k0[a] + kr[start + r]",
        "                m = rates[f, 0] + rates[f, 1] * k2",
        "                symbol = gradient_symbol(rates[f, 2], k2)",
        "                z = -dt * m * (S + symbol)",
    ]
    if used:
        names = ", ".join(n if n in used else "_" + n for n in PHI_NAMES)
        lines.append(f"                {names} = phi_functions(z)")
    for i, expression in enumerate(values):
        lines.append(f"                x{i} = {expression}")
        lines.append(f"                scratch[{i}, 2 * r] = x{i}")
        lines.append(f"                scratch[{i}, 2 * r + 1] = x{i}")
    if stage.error:
        lines.append(f"                scratch[{len(rows)}, 2 * r] = weight[start + r]")
        lines.append(f"                scratch[{len(rows)}, 2 * r + 1] = weight[start + r]")
    index = {name: i for i, name in enumerate(rows)}
    lines += [
        "            for j in range(width):",
        f"                v = {value}[f, a, first + j]",
        f"                n = scratch[{index['rate']}, j] * (block[f, a, j] - S * v)",
    ]
    own = number
    terms = [f"scratch[{index['base_row']}, j] * {'v' if number == 0 else 'base[f, a, first + j]'}"]
    for i in range(len(stage.weights)):
        lines.append(f"                n{i} = {'n' if i == own else f'slot{i}[f, a, first + j]'}")
        terms.append(f"scratch[{index[f'w{i}_row']}, j] * n{i}")
    lines.append(f"                new = {' + '.join(terms)}")
    if not last:
        lines.append(f"                slot{own}[f, a, first + j] = n")
    if stage.error:
        sum_ = " + ".join(f"scratch[{index[f'e{i}_row']}, j] * n{i}" for i in range(len(stage.error)))
        lines.append(f"                e = {sum_}")
        lines.append(f"                error += scratch[{len(rows)}, j] * e * e")
    if last:
        lines.append(f"                gradient += scratch[{index['gradient_row']}, j] * new * new")
    lines += [
        f"                {target}[f, a, first + j] = new",
        "                block[f, a, j] = new",
        "        sums[f] += error",
        "        sums[fields] += 0.5 * gradient",
    ]
    return "\n".join(lines) + "\n"


def scratch_rows(stages: Sequence[Stage]) -> int:
    """Rows of the scratch array that the largest stage needs."""
    return max(len(s.coefficients) for s in stages) + 3
