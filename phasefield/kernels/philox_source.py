"""Philox4x32-10 on the GPU: CUDA C with the functions and the counter layout of `kernels.philox`.

The text is plain C once `__device__`, `__global__` and `__forceinline__` are defined away, so the tests
compile it with a C compiler and compare word for word without a GPU. Words and uniform deviates are
bit-identical on every device; normal deviates may differ in the last place (log and cos of the C library
against those of CUDA).

Kernels walk the block with a grid-stride loop, any launch configuration is right. `REAL` is the type of `out`
(`-DREAL=float` for single precision; deviates are computed in double and rounded once).
"""

PHILOX_CUDA = r"""
#ifndef REAL
#define REAL double
#endif
#ifdef __cplusplus
#define PHILOX_KERNEL extern "C" __global__ void
#else
#define PHILOX_KERNEL __global__ void
#endif

typedef unsigned int philox_u32;
typedef unsigned long long philox_u64;

/* ten rounds on c[4] in place */
__device__ __forceinline__ void philox4x32(philox_u32 *c, philox_u32 k0, philox_u32 k1)
{
    for (int round = 0; round < 10; ++round) {
        philox_u64 a = 0xD2511F53ULL * c[0];
        philox_u64 b = 0xCD9E8D57ULL * c[2];
        c[0] = (philox_u32)(b >> 32) ^ c[1] ^ k0;
        c[1] = (philox_u32)b;
        c[2] = (philox_u32)(a >> 32) ^ c[3] ^ k1;
        c[3] = (philox_u32)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* counter = (cell low, cell high, step, stream << 8 | draw) */
__device__ __forceinline__ void philox_words(philox_u32 *w, philox_u64 cell, philox_u32 step, philox_u32 tag,
                                             philox_u32 k0, philox_u32 k1)
{
    w[0] = (philox_u32)cell;
    w[1] = (philox_u32)(cell >> 32);
    w[2] = step;
    w[3] = tag;
    philox4x32(w, k0, k1);
}

__device__ __forceinline__ philox_u64 philox_mantissa(philox_u32 high, philox_u32 low)
{
    return ((philox_u64)high << 21) | (low >> 11);
}

/* on (-1, 1), exact in double */
__device__ __forceinline__ double philox_uniform(philox_u64 cell, philox_u32 step, philox_u32 tag,
                                                 philox_u32 k0, philox_u32 k1)
{
    philox_u32 w[4];
    philox_words(w, cell, step, tag, k0, k1);
    long long odd = (long long)((philox_mantissa(w[0], w[1]) << 1) | 1ULL);
    return (double)(odd - 9007199254740992LL) * 0x1p-53;
}

/* standard normal, Box-Muller */
__device__ __forceinline__ double philox_normal(philox_u64 cell, philox_u32 step, philox_u32 tag,
                                                philox_u32 k0, philox_u32 k1)
{
    philox_u32 w[4];
    philox_words(w, cell, step, tag, k0, k1);
    double u1 = (double)(philox_mantissa(w[0], w[1]) + 1ULL) * 0x1p-53;
    double u2 = (double)philox_mantissa(w[2], w[3]) * 0x1p-53;
    return sqrt(-2.0 * log(u1)) * cos(6.283185307179586 * u2);
}

/* global cell of element i of a C-contiguous block (sz, sy, sx) that starts at (z0, y0, x0) */
__device__ __forceinline__ philox_u64 philox_cell(long long i, long long sy, long long sx, long long z0,
                                                  long long y0, long long x0, long long ny, long long nx)
{
    long long row = i / sx;
    return (philox_u64)(((z0 + row / sy) * ny + y0 + row % sy) * nx + x0 + i % sx);
}

#define PHILOX_LOOP(i, n) \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
         i += (long long)gridDim.x * blockDim.x)

PHILOX_KERNEL philox_fill_words(philox_u32 *out, long long n, philox_u64 first, philox_u32 step,
                                philox_u32 tag, philox_u32 k0, philox_u32 k1)
{
    PHILOX_LOOP(i, n) philox_words(out + 4 * i, first + i, step, tag, k0, k1);
}

PHILOX_KERNEL philox_fill_uniform(REAL *out, long long n, long long sy, long long sx,
    long long z0, long long y0, long long x0, long long ny, long long nx, philox_u32 step, philox_u32 tag,
    philox_u32 k0, philox_u32 k1)
{
    PHILOX_LOOP(i, n)
        out[i] = (REAL)philox_uniform(philox_cell(i, sy, sx, z0, y0, x0, ny, nx), step, tag, k0, k1);
}

PHILOX_KERNEL philox_fill_normal(REAL *out, long long n, long long sy, long long sx,
    long long z0, long long y0, long long x0, long long ny, long long nx, philox_u32 step, philox_u32 tag,
    philox_u32 k0, philox_u32 k1)
{
    PHILOX_LOOP(i, n)
        out[i] = (REAL)philox_normal(philox_cell(i, sy, sx, z0, y0, x0, ny, nx), step, tag, k0, k1);
}
"""
