"""CUDA text shared by all GPU kernels: device functions, sums in a fixed order, and the kernels of `kernels.gpu`.

Everything is launched with `BLOCK` threads per block in a loop over the grid, and with a number of blocks that follows from
the number of modes alone. Sums go thread by thread, as a tree over the block, then block by block in a second launch: no
atomics, hence the same bits in every run. A `mode` is one complex coefficient, loaded and stored as a whole.

The text is plain C once the CUDA keywords are defined away; the tests compile it so and compare with the CPU kernels.
"""

from __future__ import annotations

import functools
import math

BLOCK = 256
# Enough blocks to fill the largest devices, few enough that adding up their partial sums costs nothing.
MAX_BLOCKS = 1024

_TYPES = """\
typedef %(real)s real;
#define BLOCK %(block)d
typedef struct __align__(%(bytes)d) { real part[2]; } mode;
"""

# φ₃ = Σ zⁿ/(n+3)!, as far as it matters for |z| < 1 in double precision.
_SERIES = "\n".join(f"        t = t * z + {1 / math.factorial(n)!r};" for n in range(21, 2, -1))

DEVICE = f"""\
// e^x
static __device__ __forceinline__ double exponential(double x)
{{
    return exp(x);
}}

// e^z, phi1, phi2, phi3: the Taylor series of phi3 and the recurrence downwards where the definitions would lose digits.
static __device__ __forceinline__ void phi_functions(double z, double *e, double *phi1, double *phi2, double *phi3)
{{
    if (fabs(z) < 1.0) {{
        double t = {1 / math.factorial(22)!r};
{_SERIES}
        *phi3 = t;
        *phi2 = 0.5 + z * *phi3;
        *phi1 = 1.0 + z * *phi2;
        *e = 1.0 + z * *phi1;
    }} else {{
        const double inverse = 1.0 / z;
        *e = exponential(z);
        *phi1 = (*e - 1.0) * inverse;
        *phi2 = (*phi1 - 1.0) * inverse;
        *phi3 = (*phi2 - 0.5) * inverse;
    }}
}}

// The symbol of -kappa laplacian: the shared term in Fourier space. Every kernel calls this and nothing else.
static __device__ __forceinline__ double gradient_symbol(double kappa, double k2)
{{
    return kappa * k2;
}}

// moved, but u where the rate m is zero
static __device__ __forceinline__ real unless_still(double m, real moved, real u)
{{
    return m == 0.0 ? u : moved;
}}

static __device__ __forceinline__ double power_of(mode u)
{{
    return (double)u.part[0] * u.part[0] + (double)u.part[1] * u.part[1];
}}

// The sum of `value` over the threads of the block, as a tree; every thread gets it.
static __device__ double gather(double value, double *share)
{{
    share[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int half = BLOCK / 2; half > 0; half /= 2) {{
        if (threadIdx.x < half)
            share[threadIdx.x] += share[threadIdx.x + half];
        __syncthreads();
    }}
    const double total = share[0];
    __syncthreads();
    return total;
}}

#define MODES_LOOP(i, n) \\
    for (unsigned int i = blockIdx.x * BLOCK + threadIdx.x; i < (n); i += gridDim.x * BLOCK)
"""

KERNELS = """\
// out: (4, n), the functions above at z.
extern "C" __global__ void phi_table(const double *z, double *out, unsigned int n)
{
    MODES_LOOP(i, n) {
        double e, phi1, phi2, phi3;
        phi_functions(z[i], &e, &phi1, &phi2, &phi3);
        out[i] = e;
        out[(long long)n + i] = phi1;
        out[2LL * n + i] = phi2;
        out[3LL * n + i] = phi3;
    }
}

extern "C" __global__ void exponential_table(const double *x, double *out, unsigned int n)
{
    MODES_LOOP(i, n)
        out[i] = exponential(x[i]);
}

// partial[block]: sum of 1/2 weight symbol |u|^2.
extern "C" __global__ void gradient_energy(const mode *u, const double *k0, const double *kr, const double *weight,
                                           double kappa, double *partial, unsigned int n0, unsigned int columns)
{
    __shared__ double share[BLOCK];
    double total = 0.0;
    MODES_LOOP(i, n0 * columns) {
        const unsigned int a = i / columns, r = i - a * columns;
        total += weight[r] * gradient_symbol(kappa, k0[a] + kr[r]) * power_of(u[i]);
    }
    total = gather(0.5 * total, share);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = total;
}

// partial[block]: sum of 1/2 weight u.Lambda.u; coupling: eigenvalues, then for several fields eigenvectors row by row.
extern "C" __global__ void coupling_energy(const mode *u, const real *coupling, const double *weight, unsigned int fields,
                                           double *partial, unsigned int n0, unsigned int columns)
{
    __shared__ double share[BLOCK];
    const long long modes = (long long)n0 * columns;
    double total = 0.0;
    MODES_LOOP(i, n0 * columns)
        for (unsigned int q = 0; q < fields; ++q) {
            double re = 0.0, im = 0.0;
            for (unsigned int p = 0; p < fields; ++p) {
                double v = 1.0;
                if (fields == 2)
                    v = (q > p ? -1.0 : 1.0) * coupling[(2 + (p ^ q)) * modes + i];
                else if (fields > 2)
                    v = coupling[(fields + p * fields + q) * modes + i];
                re += v * u[p * modes + i].part[0];
                im += v * u[p * modes + i].part[1];
            }
            total += weight[i % columns] * coupling[q * modes + i] * (re * re + im * im);
        }
    total = gather(0.5 * total, share);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = total;
}

extern "C" __global__ void gradient_potential(const mode *u, const double *k0, const double *kr, double kappa, mode *out,
                                              unsigned int n0, unsigned int columns)
{
    MODES_LOOP(i, n0 * columns) {
        const unsigned int a = i / columns, r = i - a * columns;
        const real symbol = (real)gradient_symbol(kappa, k0[a] + kr[r]);
        mode u_i = u[i];
        u_i.part[0] *= symbol;
        u_i.part[1] *= symbol;
        out[i] = u_i;
    }
}

// partial[block]: sum of weight |u|^2 over all modes but the first, which is k = 0.
extern "C" __global__ void fluctuation(const mode *u, const double *weight, double *partial, unsigned int n0,
                                       unsigned int columns)
{
    __shared__ double share[BLOCK];
    double total = 0.0;
    MODES_LOOP(i, n0 * columns)
        if (i > 0)
            total += weight[i % columns] * power_of(u[i]);
    total = gather(total, share);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = total;
}

// One block: total = all of partial.
extern "C" __global__ void add_up(const double *partial, unsigned int n, double *total)
{
    __shared__ double share[BLOCK];
    double value = 0.0;
    for (unsigned int b = threadIdx.x; b < n; b += BLOCK)
        value += partial[b];
    value = gather(value, share);
    if (threadIdx.x == 0)
        *total = value;
}

// keys[i] = shell << 32 | i for the modes of the rows that start at k0; modes without a shell get the shell `shells`.
extern "C" __global__ void shell_keys(const double *k0, const double *kr, const double *weight, double width,
                                      unsigned int shells, unsigned long long *keys, unsigned int n0, unsigned int columns)
{
    MODES_LOOP(i, n0 * columns) {
        const unsigned int a = i / columns, r = i - a * columns;
        const double place = sqrt(k0[a] + kr[r]) / width + 0.5;
        const int inside = weight[r] > 0.0 && place < (double)shells;
        keys[i] = (unsigned long long)(inside ? (unsigned int)place : shells) << 32 | i;
    }
}

static __device__ unsigned int first_not_below(const unsigned long long *keys, unsigned int n, unsigned long long key)
{
    unsigned int low = 0, high = n;
    while (low < high) {
        const unsigned int middle = low + (high - low) / 2;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// One block per shell, keys sorted: out[shell] = sum of weight |u|^2, out[shells + shell] = sum of weight.
extern "C" __global__ void shell_sums(const mode *u, const double *weight, const unsigned long long *keys, double *out,
                                      unsigned int n, unsigned int columns)
{
    __shared__ double share[BLOCK];
    const unsigned long long shell = blockIdx.x;
    const unsigned int end = first_not_below(keys, n, (shell + 1) << 32);
    double power = 0.0, count = 0.0;
    for (unsigned int j = first_not_below(keys, n, shell << 32) + threadIdx.x; j < end; j += BLOCK) {
        const unsigned int i = (unsigned int)keys[j];
        power += weight[i % columns] * power_of(u[i]);
        count += weight[i % columns];
    }
    power = gather(power, share);
    count = gather(count, share);
    if (threadIdx.x == 0) {
        out[shell] = power;
        out[gridDim.x + shell] = count;
    }
}
"""


@functools.cache
def with_types(text: str, real: str) -> str:
    """CUDA `text` after the types of a precision (`float64` or `float32`) and the shared device functions."""
    name, size = {"float64": ("double", 8), "float32": ("float", 4)}[real]
    return _TYPES % {"real": name, "block": BLOCK, "bytes": 2 * size} + DEVICE + "\n" + text
