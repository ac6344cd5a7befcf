"""The spectral half of a stage as a CUDA kernel, printed from the same statements as the CPU's (`stages.make_program`).

One thread per stored mode. Coefficients are computed in double precision and used in that of the fields, sums are double.
`coupled_cuda` prints the statements of coupled fields with the same functions.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence

from phasefield.kernels.gpu_source import with_types
from phasefield.kernels.stages import Program, Stage, make_program, stage_arguments

# Sums of a block, and where they go.
_PLACES = {"error": "blockIdx.x * 2 * fields + field", "gradient": "blockIdx.x * 2 * fields + fields + field"}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

# One launch per field. partial: (blocks, 2 fields), squared errors before gradient energies.
_KERNEL = """\
// Stage {number} of a time scheme, written by phasefield.
extern "C" __global__ void stage({parameters}, double *partial, unsigned int field, unsigned int fields,
    unsigned int n0, unsigned int columns)
{{
    const long long offset = (long long)field * n0 * columns;
{offsets}{sums}    MODES_LOOP(i, n0 * columns) {{
{statements}    }}
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
    names = stage_arguments(number, stages, multistep)
    arrays = [name for name in names[: names.index("k0")] if name != "b"]
    text = _KERNEL.format(
        number=number,
        parameters=parameters(arrays, {array for array, _ in program.stores}),
        offsets=indent(4, [f"{array} += offset;" for array in arrays]),
        sums=indent(4, sums(program, _PLACES)),
        statements=indent(8, cuda_statements(program)),
        reduction=indent(4, reduction(program, _PLACES)),
    )
    return with_types(text, real)


def parameters(arrays: Sequence[str], written: Collection[str], further: Sequence[str] = ()) -> str:
    """The beginning of a kernel's parameter list: arrays of modes, geometry, `further` ones, rates, dt, ratio and scale."""
    modes = [f"{'' if a in written else 'const '}mode *{a}" for a in arrays]
    geometry = [f"const double *{name}" for name in ("k0", "kr", "weight")]
    numbers = [f"double {name}" for name in ("rate_constant", "rate_laplacian", "kappa", "S", "dt", "ratio", "scale")]
    return ", ".join([*modes, *geometry, *further, *numbers])


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


def cuda_statements(program: Program) -> list[str]:
    """The statements of a program for mode i, both parts; numbers of `coupling` (components, modes) stand first."""
    results = list(dict.fromkeys(name for _, name in program.stores))
    lines = [
        "const unsigned int a = i / columns, r = i - a * columns;",
        "const double k2 = k0[a] + kr[r], w = weight[r];",
        "const double m = rate_constant + rate_laplacian * k2;",
        "const double symbol = gradient_symbol(kappa, k2);",
        *(f"const real {name} = coupling[{n} * modes + i];" for n, name in enumerate(program.matrix)),
        *(f"const double {name} = {arithmetic(text)};" for name, text in program.arguments),
    ]
    for names, argument in program.calls:
        lines.append(f"double {', '.join(names)};")
        lines.append(f"phi_functions({argument}, {', '.join('&' + n for n in names)});")
    lines += [f"const real {name} = (real){arithmetic(text)};" for name, text in program.coefficients]
    # A mode is read and written as a whole.
    lines += [f"const mode {name}_mode = {array}[i];" for name, array in program.loads]
    lines += [f"mode {name}_mode;" for name in results]
    lines.append("for (int part = 0; part < 2; ++part) {")
    lines += ["    " + line for line in _update(program, results)]
    return [*lines, "}", *(f"{array}[i] = {name}_mode;" for array, name in program.stores)]


def _update(program: Program, results: Sequence[str]) -> list[str]:
    lines = []
    for name, array in program.loads:
        scale = "(real)scale * " if array.startswith("block") else ""
        lines.append(f"const real {name} = {scale}{name}_mode.part[part];")
    lines += [f"const real {name} = {text};" for name, text in program.update]
    lines += [f"{name} += {text};" for name, text in program.sums]
    return lines + [f"{name}_mode.part[part] = {name};" for name in results]


def sums(program: Program, places: Mapping[str, str]) -> list[str]:
    """What a kernel needs to add up: shared memory and, set to zero, the names in `places`."""
    if not program.sums:
        return []
    return ["__shared__ double share[BLOCK];", f"double {', '.join(f'{name} = 0.0' for name in places)};"]


def reduction(program: Program, places: Mapping[str, str]) -> list[str]:
    """The end of a kernel that adds up: the sums of the block go to their places in `partial`."""
    if not program.sums:
        return []
    total = [f"{name} = gather({name}, share);" for name in places]
    stores = [f"    partial[{place}] = {name};" for name, place in places.items()]
    return [*total, "if (threadIdx.x == 0) {", *stores, "}"]


def indent(width: int, lines: Sequence[str]) -> str:
    """Lines of text, each after `width` blanks."""
    return "".join(" " * width + line + "\n" for line in lines)
