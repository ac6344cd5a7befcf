"""The spectral half of a stage for coupled fields as a CUDA kernel, printed from the statements of `coupled`.

One thread per stored mode takes all fields; `coupling` has one entry per mode, in the precision of the fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from phasefield.kernels.coupled import coupled_program, sum_names
from phasefield.kernels.gpu_source import with_types
from phasefield.kernels.stages import Stage, stage_arguments
from phasefield.kernels.stages_cuda import cuda_statements, indent, parameters, reduction, sums

# The thread of mode 0 is the first of all. partial: (blocks, fields + 2), in the order of the sums.
_KERNEL = """\
// Stage {number} of a time scheme for {fields} coupled fields, written by phasefield.
extern "C" __global__ void stage({parameters}, {drives}, double *partial, unsigned int n0, unsigned int columns)
{{
    const long long modes = (long long)n0 * columns;
{arrays}    if (blockIdx.x == 0 && threadIdx.x == 0) {{
{drive}    }}
{sums}    MODES_LOOP(i, n0 * columns) {{
{statements}    }}
{reduction}}}

// Block q: sums[q]. The energies, behind the squared errors, are halved.
extern "C" __global__ void stage_sums(const double *partial, unsigned int blocks, unsigned int fields, double *sums)
{{
    __shared__ double share[BLOCK];
    const unsigned int q = blockIdx.x;
    double total = 0.0;
    for (unsigned int b = threadIdx.x; b < blocks; b += BLOCK)
        total += partial[b * (fields + 2) + q];
    total = gather(total, share);
    if (threadIdx.x == 0)
        sums[q] = q < fields ? total : 0.5 * total;
}}
"""


def coupled_cuda_source(
    number: int, stages: Sequence[Stage], fields: int, real: str, multistep: bool = False, stabilising: bool = False
) -> str:
    """CUDA source of stage `number` for `fields` coupled fields of type `real` (`float64` or `float32`).

    Kernel `stage` takes the arrays of `stages.stage_arguments` without `b`, all fields of each, and `drive` as numbers; F̂ in
    `block` is `scale` times what it holds. `stage_sums` adds up [squared error per field …, gradient energy, energy of Λ].
    """
    program, each = coupled_program(number, stages, fields, multistep, stabilising), range(fields)
    written = {array.rsplit("_", 1)[0] for array, _ in program.stores}
    names = stage_arguments(number, stages, multistep)
    arrays = [name for name in names[: names.index("k0")] if name != "b"]
    used = dict.fromkeys([*(a for _, a in program.loads), *(a for a, _ in program.stores)])
    pointers = []
    for array, p in (name.rsplit("_", 1) for name in used):
        pointers.append(f"{'' if array in written else 'const '}mode *{array}_{p} = {array} + {p} * modes;")
    places = {name: f"blockIdx.x * {fields + 2} + {n}" for n, name in enumerate(sum_names(fields))}
    text = _KERNEL.format(
        number=number,
        fields=fields,
        parameters=parameters(arrays, written, ["const real *coupling"]),
        drives=", ".join(f"double drive_{p}" for p in each),
        arrays=indent(4, pointers),
        drive=indent(8, [f"block_{p}->part[0] = (real)(block_{p}->part[0] - drive_{p} / scale);" for p in each]),
        sums=indent(4, sums(program, places)),
        statements=indent(8, cuda_statements(program)),
        reduction=indent(4, reduction(program, places)),
    )
    return with_types(text, real)
