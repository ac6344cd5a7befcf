"""Source code of the spectral half of a stage, made from a scheme's table.

A scheme is a list of stages, a stage a list of coefficients written as arithmetic in z (and in e^z, φ₁, φ₂, φ₃):

    out = base(z) û + Δt Σ_i weight_i(z) N_i,      N_i = −m (F̂_i − S v_i),      z = −Δt m (S + κ k̃²)

with m = m₀ + m₂ k̃² the kinetics (m₀ = L or m₂ = M), F̂_i the transform of the explicit pointwise part at the stage value v_i.
A stage is put together once, as a list of statements (`make_program`), and printed twice: as a Numba function here, as a
CUDA kernel in `stages_cuda`.
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


@dataclass(frozen=True)
class Program:
    """The statements of one stage; every name stands for one real number of a mode.

    functions: those of e^z, φ₁, φ₂, φ₃ that are needed.
    coefficients: (name, arithmetic in z, m, symbol, w = weight, dt and `functions`), the same for both parts of a mode.
    loads: (name, array) of the parts that are read; `block` holds F̂.
    update: (name, arithmetic in loads, coefficients and S).
    stores: (array, name).
    sums: (name, arithmetic) of what is added up over all modes: squared error, twice the gradient energy.
    """

    functions: tuple[str, ...]
    coefficients: tuple[tuple[str, str], ...]
    loads: tuple[tuple[str, str], ...]
    update: tuple[tuple[str, str], ...]
    stores: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...]


def make_program(number: int, stages: Sequence[Stage]) -> Program:
    """The statements of stage `number`.

    The stage's own N is N<number>, earlier ones come from slots. The first stage reads the state from `base` and
    writes `out`; later ones update `value` in place. The new value also replaces the block, ready for the inverse
    transform.
    """
    stage, first, last = stages[number], number == 0, number == len(stages) - 1
    earlier = range(number)
    coefficients = [("c_rate", "-m"), ("c_base", stage.base)]
    coefficients += [(f"c_{i}", f"dt * ({w})") for i, w in enumerate(stage.weights)]
    coefficients += [(f"e_{i}", f"dt * ({e})") for i, e in enumerate(stage.error)]
    coefficients += [("c_gradient", "w * symbol")] if last else []
    coefficients += [("c_weight", "w")] if stage.error else []
    loads = [("F", "block"), ("v", "base" if first else "value")]
    loads += [] if first else [("b", "base")]
    loads += [(f"N{i}", f"slot{i}") for i in earlier]
    result = [f"c_base * {'v' if first else 'b'}", *(f"c_{i} * N{i}" for i in range(len(stage.weights)))]
    update = [(f"N{number}", "c_rate * (F - S * v)"), ("result", " + ".join(result))]
    update += [("e", " + ".join(f"e_{i} * N{i}" for i in range(len(stage.error))))] if stage.error else []
    stores = [] if last else [(f"slot{number}", f"N{number}")]
    stores += [("out" if first else "value", "result"), ("block", "result")]
    sums = [("error", "c_weight * e * e")] if stage.error else []
    sums += [("gradient", "c_gradient * result * result")] if last else []
    functions = tuple(n for n in PHI_NAMES if any(n in c for c in stage.coefficients))
    return Program(functions, tuple(coefficients), tuple(loads), tuple(update), tuple(stores), tuple(sums))


def cpu_source(number: int, stages: Sequence[Stage]) -> str:
    """Python source of the Numba function of stage `number`: a loop over coefficients, a loop over real numbers.

    Results added to `sums`: [squared error per field …, gradient energy].
    """
    program = make_program(number, stages)
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
        "                w = weight[start + r]",
        "                m = rates[f, 0] + rates[f, 1] * k2",
        "                symbol = gradient_symbol(rates[f, 2], k2)",
        "                z = -dt * m * (S + symbol)",
    ]
    if program.functions:
        names = ", ".join(n if n in program.functions else "_" + n for n in PHI_NAMES)
        lines.append(f"                {names} = phi_functions(z)")
    for i, (name, arithmetic) in enumerate(program.coefficients):
        lines.append(f"                {name} = {arithmetic}")
        lines.append(f"                scratch[{i}, 2 * r] = {name}")
        lines.append(f"                scratch[{i}, 2 * r + 1] = {name}")
    inner = [f"{name} = {_element(array)}" for name, array in program.loads]
    inner += [f"{name} = scratch[{i}, j]" for i, (name, _) in enumerate(program.coefficients)]
    inner += [f"{name} = {arithmetic}" for name, arithmetic in program.update]
    inner += [f"{name} += {arithmetic}" for name, arithmetic in program.sums]
    inner += [f"{_element(array)} = {name}" for array, name in program.stores]
    lines.append("            for j in range(width):")
    lines += ["                " + line for line in inner]
    lines += ["        sums[f] += error", "        sums[fields] += 0.5 * gradient"]
    return "\n".join(lines) + "\n"


def _element(array: str) -> str:
    return "block[f, a, j]" if array == "block" else f"{array}[f, a, first + j]"


def scratch_rows(stages: Sequence[Stage]) -> int:
    """Rows of the scratch array that the largest stage needs."""
    return max(len(s.coefficients) for s in stages) + 3
