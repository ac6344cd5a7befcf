"""The spectral half of a stage as a CUDA kernel, printed from the same statements as the CPU's (`stages.make_program`).

One thread per stored mode. Coefficients are computed in double precision and used in that of the fields, sums are double.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from phasefield.kernels.gpu_source import with_types
from phasefield.kernels.stages import Program, Stage, function_calls, make_program, stage_arguments

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

# One launch per field. partial: (blocks, 2 fields), squared errors before gradient energies.
_KERNEL = """\
// Stage {number} of a time scheme, written by phasefield.
extern "C" __global__ void stage({arrays},
    const double *k0, const double *kr, const double *weight, double rate_constant, double rate_laplacian, double kappa,
    double stabilisation, double dt, double ratio, double scale, double *partial, unsigned int field, unsigned int fields,
    unsigned int n0, unsigned int columns)
{{
    const long long offset = (long long)field * n0 * columns;
    const real S = (real)stabilisation, forward = (real)scale;
{sums}    MODES_LOOP(i, n0 * columns) {{
        const unsigned int a = i / columns, r = i - a * columns;
        const double k2 = k0[a] + kr[r];
        const double m = rate_constant + rate_laplacian * k2;
        const double symbol = gradient_symbol(kappa, k2);
        const double z = -dt * m * (stabilisation + symbol);
{coefficients}{loads}        for (int part = 0; part < 2; ++part) {{
{update}        }}
{stores}    }}
{reduction}}}

// Block q < fields: sums[q] = the error of field q; block `fields`: the gradient energy of all fields.
extern "C" __global__ void stage_sums(const double *partial, unsigned int blocks, unsigned int fields, double *sums)
{{
    __shared__ double share[BLOCK];
    const unsigned int q = blockIdx.x, count = q < fields ? 1 : fields;
    double total = 0.0;
    for (unsigned int b = threadIdx.x; b < blocks; b += BLOCK)
        for (unsigned int f = 0; f < count; ++f)
            total += partial[b * 2 * fields + q + f];
    total = gather(total, share);
    if (threadIdx.x == 0)
        sums[q] = q < fields ? total : 0.5 * total;
}}
"""


def cuda_source(number: int, stages: Sequence[Stage], real: str, multistep: bool = False) -> str:
    """CUDA source of stage `number` for fields of type `real` (`float64` or `float32`).

    Kernel `stage` takes the arrays of `stages.stage_arguments` without `b`; F̂ in `block` is `scale` times
    what it holds (cuFFT does not normalise). `stage_sums` adds up [squared error per field …, gradient energy].
    """
    program = make_program(number, stages, multistep)
    written = {array for array, _ in program.stores}
    names = stage_arguments(number, stages, multistep)
    arrays = [name for name in names[: names.index("k0")] if name != "b"]
    parameters = ", ".join(f"{'' if a in written else 'const '}mode *{a}" for a in arrays)
    text = _KERNEL.format(
        number=number,
        arrays=parameters,
        sums=_sums(program),
        coefficients=_indent(8, _coefficients(program)),
        loads=_indent(8, [f"const mode {n}_mode = {a}[offset + i];" for n, a in program.loads] + _results(program)),
        update=_indent(12, _update(program)),
        stores=_indent(8, [f"{a}[offset + i] = {n}_mode;" for a, n in program.stores]),
        reduction=_indent(4, _reduction(program)),
    )
    return with_types(text, real)


def has_sums(number: int, stages: Sequence[Stage]) -> bool:
    """Whether a stage adds anything up."""
    return bool(make_program(number, stages).sums)


def arithmetic(text: str) -> str:
    """A coefficient as C: every number a double, so that 1/2 is a half; nothing but + - * / and names."""

    def show(node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return f"({show(node.left)} {_OPERATORS[type(node.op)]} {show(node.right)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return f"(-{show(node.operand)})"
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value is not True:
            return repr(float(node.value))
        if isinstance(node, ast.Name):
            return node.id
        raise ValueError(f"'{ast.unparse(node)}' in the coefficient '{text}' has no form in C: use + - * / and names")

    return show(ast.parse(text, mode="eval").body)


def _coefficients(program: Program) -> list[str]:
    lines = []
    for names, argument in function_calls(program):
        lines.append(f"double {', '.join(names)};")
        lines.append(f"phi_functions({argument}, {', '.join('&' + n for n in names)});")
    if any(name in ("c_gradient", "c_weight") for name, _ in program.coefficients):
        lines.append("const double w = weight[r];")
    return lines + [f"const real {name} = (real){arithmetic(text)};" for name, text in program.coefficients]


def _results(program: Program) -> list[str]:
    return [f"mode {name}_mode;" for name in dict.fromkeys(n for _, n in program.stores)]


def _update(program: Program) -> list[str]:
    lines = []
    for name, array in program.loads:
        scale = "forward * " if array == "block" else ""
        lines.append(f"const real {name} = {scale}{name}_mode.part[part];")
    lines += [f"const real {name} = {text};" for name, text in program.update]
    lines += [f"{name} += {text};" for name, text in program.sums]
    return lines + [f"{name}_mode.part[part] = {name};" for name in dict.fromkeys(n for _, n in program.stores)]


def _sums(program: Program) -> str:
    lines = ["__shared__ double share[BLOCK];", "double error = 0.0, gradient = 0.0;"] if program.sums else []
    return _indent(4, lines)


def _reduction(program: Program) -> list[str]:
    if not program.sums:
        return []
    return [
        "error = gather(error, share);",
        "gradient = gather(gradient, share);",
        "if (threadIdx.x == 0) {",
        "    partial[blockIdx.x * 2 * fields + field] = error;",
        "    partial[blockIdx.x * 2 * fields + fields + field] = gradient;",
        "}",
    ]


def _indent(width: int, lines: Sequence[str]) -> str:
    return "".join(" " * width + line + "\n" for line in lines)
