"""Source code of the spectral half of a stage, made from a scheme's table.

A scheme is a list of stages, a stage a table of coefficients, each arithmetic in z and in functions of z:

    result = Σ_q coefficient_q(z) q,      N_i = −m (F̂_i − S v_i),      z = −Δt m (S + κ k̃²)

with m = m₀ + m₂ k̃² the kinetics (m₀ = L or m₂ = M), F̂_i the transform of the explicit pointwise part at the stage value v_i,
and q among

| quantity | meaning |
|---|---|
| `u` | the state at the beginning of the step |
| `N0`, `N1`, … | Δt N of the first, second, … stage value |
| `u_previous` | the state one step earlier (multistep schemes) |
| `N_previous` | Δt times N of the step before, with the present S |
| `result` | the new value (in error estimates only) |

A step with noise adds the array `noise` to the value of its last stage (`noisy`); the energy is that of the sum.
A `forced` stage has a source besides: N_i = −m (F̂_i − S v_i) + ŝ(t_i), at the time t_i of the stage value.

A stage is put together once, as a list of statements (`make_program`), and printed twice: as a Numba function here, as a
CUDA kernel in `stages_cuda`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# Columns of the `rates` array of a stage kernel.
RATE_CONSTANT, RATE_LAPLACIAN, GRADIENT, STABILISATION = 0, 1, 2, 3
# Functions of z, and the same of z/2.
PHI_NAMES = ("exp_z", "phi1", "phi2", "phi3")
HALF_NAMES = ("exp_h", "phi1_h", "phi2_h", "phi3_h")


@dataclass(frozen=True)
class Stage:
    """Coefficients of one stage as arithmetic in `z`, `exp_z`, `phi1`, `phi2`, `phi3` (e^z and φ_i(z)), `exp_h`, `phi1_h`, …
    (the same of z/2) and `ratio`, this step's Δt over the last one's.

    result: quantity → coefficient of the stage's value.
    error: quantity → coefficient of an estimate of the local error, or empty. A last stage has it if the scheme has.
    time: the moment within the step, between 0 and 1, whose value the stage approximates.
    """

    result: Mapping[str, str]
    error: Mapping[str, str] = field(default_factory=dict)
    time: float = 1.0

    @property
    def quantities(self) -> frozenset[str]:
        """Everything the stage reads."""
        return frozenset(self.result) | frozenset(self.error)

    @property
    def coefficients(self) -> tuple[str, ...]:
        return (*self.result.values(), *self.error.values())


def is_multistep(stages: Sequence[Stage]) -> bool:
    """Whether any stage looks back at the step before."""
    return any(q.endswith("_previous") for stage in stages for q in stage.quantities)


def kept_slots(stages: Sequence[Stage], multistep: bool) -> int:
    """How many arrays a step keeps: N of every stage but the last, or F̂ for the step after."""
    if multistep and len(stages) != 1:
        raise ValueError("a multistep scheme has one stage")
    return 1 if multistep else len(stages) - 1


def stage_arguments(
    number: int, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False, forced: bool = False
) -> list[str]:
    """Names of a stage kernel's arguments: the arrays of the step, then geometry, rates and results.

    Every stage of a multistep scheme takes the state of the step before, `previous`, used or not; its F̂ waits in `slot0`. The
    same holds for its source where there is one. The last stage of a step with noise takes `noise`.
    """
    arrays = ["base", "out"] if number == 0 else ["base", "value"]
    slots = [f"slot{i}" for i in range(min(number + 1, kept_slots(stages, multistep)))]
    earlier = ["previous"] if multistep else []
    earlier += ["forcing"] if forced else []
    earlier += ["forcing_previous"] if forced and multistep else []
    noise = ["noise"] if noisy and number == len(stages) - 1 else []
    geometry = ["k0", "kr", "weight", "rates", "dt", "ratio"]
    return ["block", "b", *arrays, *slots, *earlier, *noise, *geometry, "sums"]


@cache
def dependency() -> str:
    """A hash of what the generated kernels call, so that they are compiled anew when it changes."""
    return hashlib.sha256(Path(__file__).with_name("cpu.py").read_bytes()).hexdigest()


@dataclass(frozen=True)
class Program:
    """The statements of one stage in their order; every name stands for one real number of a mode.

    arguments: (name, arithmetic in m, symbol, S, dt) of z.
    calls: (names of e^z, φ₁, φ₂, φ₃, argument); names that nobody uses begin with an underscore.
    coefficients: (name, arithmetic in z, its functions, m, symbol, S, w = weight, dt), the same for both parts of a mode.
    loads: (name, array) of the parts that are read; `block` holds F̂.
    update: (name, arithmetic in loads and coefficients).
    sums: (name, arithmetic) of what is added up over all modes: squared error, twice the gradient energy.
    stores: (array, name).
    matrix: names of the numbers that describe a matrix symbol at the mode, before everything else (see `coupled`).
    """

    arguments: tuple[tuple[str, str], ...]
    calls: tuple[tuple[tuple[str, ...], str], ...]
    coefficients: tuple[tuple[str, str], ...]
    loads: tuple[tuple[str, str], ...]
    update: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...]
    stores: tuple[tuple[str, str], ...]
    matrix: tuple[str, ...] = ()


def make_program(
    number: int, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False, forced: bool = False
) -> Program:
    """The statements of stage `number`.

    The stage's own N is N<number>, earlier ones come from slots. The first stage reads the state from `base` and
    writes `out`; later ones update `value` in place. The new value also replaces the block, ready for the inverse
    transform. With `multistep` the first stage replaces the F̂ of the step before by its own; such schemes have one stage.
    With `noisy` the last stage adds `noise`; an error estimate would take that for an error.
    `forced`: the arrays `forcing` and, with `multistep`, `forcing_previous` are added to N.
    """
    stage, first, last = stages[number], number == 0, number == len(stages) - 1
    noise = noisy and last
    if noise and stage.error:
        raise ValueError("a step with noise has no error estimate")
    own = f"N{number}"
    coefficients = [("c_rate", "-m"), ("c_S", "S")]
    for prefix, table in (("c", stage.result), ("e", stage.error)):
        for quantity, text in table.items():
            coefficients.append((f"{prefix}_{quantity}", f"dt * ({text})" if quantity.startswith("N") else text))
    coefficients += [("c_gradient", "w * symbol")] if last else []
    coefficients += [("c_weight", "w")] if stage.error else []
    loads = [("F", "block"), ("v", "base" if first else "value")]
    sources = {"u": "base", "u_previous": "previous", "F_previous": "slot0"}
    sources |= {f"N{i}": f"slot{i}" for i in range(number)}
    needed = set(stage.quantities) | ({"u_previous", "F_previous"} if "N_previous" in stage.quantities else set())
    loads += [(q, a) for q, a in sources.items() if q in needed and not (q == "u" and first)]
    loads += [("kick", "noise")] if noise else []
    update = [("u", "v")] if first else []
    # What is kept for the step after does not contain S, which may have changed by then.
    update += [("kept", "F")] if first and multistep else []
    source, source_previous, motion = (" + s", " + s_previous", _motion(stage)) if forced else ("", "", "m")
    loads += [("s", "forcing")] if forced else []
    loads += [("s_previous", "forcing_previous")] if forced and "N_previous" in stage.quantities else []
    if "N_previous" in stage.quantities:
        update += [("N_previous", f"c_rate * (F_previous - c_S * u_previous){source_previous}")]
    update += [(own, f"c_rate * (F - c_S * v){source}"), ("moved", _sum("c", stage.result))]
    # A mode with m = 0, the mean of a conserved field, keeps its bits; weights that add up to one only nearly would not do.
    update += [("result", f"unless_still({motion}, moved, u)" + (" + kick" if noise else ""))]
    update += [("e", _sum("e", stage.error))] if stage.error else []
    stores = [("slot0", "kept")] if first and multistep else [] if last else [(f"slot{number}", own)]
    stores += [("out" if first else "value", "result"), ("block", "result")]
    sums = [("error", "c_weight * e * e")] if stage.error else []
    sums += [("gradient", "c_gradient * result * result")] if last else []
    return Program(
        arguments=(("z", "-dt * m * (S + symbol)"),),
        calls=tuple(_calls(stage)),
        coefficients=tuple(coefficients),
        loads=tuple(loads),
        update=tuple(update),
        sums=tuple(sums),
        stores=tuple(stores),
    )


def _motion(stage: Stage) -> str:
    """A number that is zero where nothing moves a mode: no rate, no source at any of the times, no motion in the step before."""
    parts = ["m", *(f"abs({q})" for q in stage.result if q.startswith("N"))]
    return " + ".join([*parts, "abs(u - u_previous)"] if "u_previous" in stage.result else parts)


def _sum(prefix: str, table: Mapping[str, str]) -> str:
    return " + ".join(f"{prefix}_{quantity} * {quantity}" for quantity in table)


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _calls(stage: Stage) -> list[tuple[tuple[str, ...], str]]:
    """The functions of z and of z/2 that a stage needs."""
    calls = []
    for names, argument in ((PHI_NAMES, "z"), (HALF_NAMES, "0.5 * z")):
        used = [any(_mentions(c, n) for c in stage.coefficients) for n in names]
        if any(used):
            calls.append((tuple(n if u else "_" + n for n, u in zip(names, used, strict=True)), argument))
    return calls


def cpu_statements(program: Program) -> list[str]:
    """The statements as Python, for one real number of a mode; rows of arrays are `row_<array>`."""
    lines = [
        "k2 = row_k0 + row_kr[j]",
        "w = row_weight[j]",
        "m = rate_constant + rate_laplacian * k2",
        "symbol = gradient_symbol(kappa, k2)",
        *(f"{name} = row_{name}[j]" for name in program.matrix),
        *(f"{name} = {arithmetic}" for name, arithmetic in program.arguments),
        *(f"{', '.join(names)} = phi_functions({argument})" for names, argument in program.calls),
        *(f"{name} = {arithmetic}" for name, arithmetic in program.coefficients),
        *(f"{name} = row_{array}[j]" for name, array in program.loads),
        *(f"{name} = {arithmetic}" for name, arithmetic in program.update),
        *(f"{name} += {arithmetic}" for name, arithmetic in program.sums),
        *(f"row_{array}[j] = {name}" for array, name in program.stores),
    ]
    return lines


def cpu_source(
    number: int, stages: Sequence[Stage], multistep: bool = False, noisy: bool = False, forced: bool = False
) -> str:
    """Python source of the Numba function of stage `number`: one loop over the real numbers of a row, without a branch.

    `kr` and `weight` hold every entry twice, for the real and the imaginary part: computing a coefficient twice is cheaper
    than spreading it over both parts. Added to `sums`: [squared error per field …, gradient energy].
    """
    program = make_program(number, stages, multistep, noisy, forced)
    arguments = stage_arguments(number, stages, multistep, noisy, forced)
    used = {a for _, a in program.loads} | {a for a, _ in program.stores}
    rows = [a for a in arguments[2 : arguments.index("k0")] if a in used]
    lines = [
        f'"""Stage {number} of a time scheme. Depends on kernels/cpu.py {dependency()}."""',
        "from numba import njit",
        "from phasefield.kernels.cpu import gradient_symbol, phi_functions, unless_still",
        "",
        '@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})',
        f"def stage({', '.join(arguments)}):",
        "    fields, n0, width = block.shape",
        "    row_kr = kr[b * width : (b + 1) * width]",
        "    row_weight = weight[b * width : (b + 1) * width]",
        "    for f in range(fields):",
        "        rate_constant, rate_laplacian, kappa, S = rates[f]",
        "        error = 0.0",
        "        gradient = 0.0",
        "        for a in range(n0):",
        "            row_k0 = k0[a]",
        "            row_block = block[f, a]",
        *(f"            row_{array} = {array}[f, b, a]" for array in rows),
        "            for j in range(width):",
    ]
    lines += ["                " + line for line in cpu_statements(program)]
    lines += ["        sums[f] += error", "        sums[fields] += 0.5 * gradient"]
    return "\n".join(lines) + "\n"
