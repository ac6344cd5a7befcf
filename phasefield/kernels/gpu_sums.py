"""Several sums or maxima over the blocks of a launch, added up on the device and fetched in one transfer.

A kernel leaves value q of block b in partial[q · MAX_BLOCKS + b]. The order of sums depends on the number of blocks alone, as in
`gpu_source`, with whose text these go together.
"""

from __future__ import annotations

import numpy as np

from phasefield.kernels.gpu import compiled, load_cupy
from phasefield.kernels.gpu_source import BLOCK, MAX_BLOCKS, with_types

# Device functions for kernels that leave values.
LEAVE = f"""\
#define MOST_BLOCKS {MAX_BLOCKS}

// As Python's max(a, b) and min(a, b).
static __device__ __forceinline__ double larger(double a, double b)
{{
    return b > a ? b : a;
}}

static __device__ __forceinline__ double smaller(double a, double b)
{{
    return b < a ? b : a;
}}

// share[q BLOCK] of every q < count becomes the sum over the BLOCK numbers from there on, as a tree, or the largest of them.
static __device__ void tree(double *share, unsigned int count, int largest)
{{
    __syncthreads();
    for (unsigned int half = BLOCK / 2; half > 0; half /= 2) {{
        if (threadIdx.x < half)
            for (unsigned int q = 0; q < count; ++q) {{
                double *own = share + q * BLOCK + threadIdx.x;
                own[0] = largest ? larger(own[0], own[half]) : own[0] + own[half];
            }}
        __syncthreads();
    }}
}}

// Values of this thread, count of them, become those of its block; share: room for count BLOCK numbers.
static __device__ void leave(const double *values, unsigned int count, int largest, double *partial, double *share)
{{
    for (unsigned int q = 0; q < count; ++q)
        share[q * BLOCK + threadIdx.x] = values[q];
    tree(share, count, largest);
    if (threadIdx.x < count)
        partial[threadIdx.x * MOST_BLOCKS + blockIdx.x] = share[threadIdx.x * BLOCK];
}}
"""

_TOTALS = """\
// Block q: result[q] of value q of all blocks of a launch.
extern "C" __global__ void totals(const double *partial, unsigned int blocks, int largest, double *result)
{
    __shared__ double share[BLOCK];
    const double *own = partial + blockIdx.x * MOST_BLOCKS;
    double value = largest ? own[0] : 0.0;
    for (unsigned int b = threadIdx.x; b < blocks; b += BLOCK)
        value = largest ? larger(value, own[b]) : value + own[b];
    share[threadIdx.x] = value;
    tree(share, 1, largest);
    if (threadIdx.x == 0)
        result[blockIdx.x] = share[0];
}
"""


class DeviceSums:
    """Room for `width` values of every block.

    Attributes: `partial`, for kernels.
    """

    def __init__(self, width: int):
        cupy = load_cupy()
        self._host = cupy.asnumpy
        self._totals = compiled(with_types(LEAVE + "\n" + _TOTALS, "float64")).get_function("totals")
        self.partial, self._result = cupy.zeros(width * MAX_BLOCKS, np.float64), cupy.zeros(width, np.float64)

    def fetch(self, blocks: int, width: int, *, largest: bool = False) -> np.ndarray:
        """The first `width` values over all blocks of the last launch: their sums, or the largest."""
        self._totals((width,), (BLOCK,), (self.partial, np.uint32(blocks), np.int32(largest), self._result))
        return self._host(self._result)[:width]
