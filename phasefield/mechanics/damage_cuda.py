"""CUDA text of `damage_kernels`, with the same arithmetic on every cell: the same bits but for sums, which go by blocks.

Fields are (n0, n1, nx), f0, f1, fx the numbers κ/h² of faces, as there. Compile without contraction (`--fmad=false`).
"""

from __future__ import annotations

import functools

from phasefield.kernels.gpu_source import with_types
from phasefield.kernels.gpu_sums import LEAVE

# The lower bound of φ: φₙ, 0, or φₙ where it is above a threshold.
KEEP, NONE, ABOVE = 0, 1, 2

_CELLS = """\
// (Ax) of cell i.
static __device__ __forceinline__ double product_of(const double *D, const double *f0, const double *f1, const double *fx,
                                                    const double *x, unsigned int i, unsigned int n0, unsigned int n1,
                                                    unsigned int nx)
{
    const unsigned int row = i / nx, column = i - row * nx, a = row / n1, b = row - a * n1;
    const double own = x[i];
    double out = D[i] * own;
    if (n0 > 1) {
        const unsigned int step = n1 * nx, round = (n0 - 1) * step;
        const unsigned int low = a > 0 ? i - step : i + round, high = a + 1 < n0 ? i + step : i - round;
        out += f0[low] * (own - x[low]) + f0[i] * (own - x[high]);
    }
    if (n1 > 1) {
        const unsigned int round = (n1 - 1) * nx;
        const unsigned int low = b > 0 ? i - nx : i + round, high = b + 1 < n1 ? i + nx : i - round;
        out += f1[low] * (own - x[low]) + f1[i] * (own - x[high]);
    }
    if (nx > 1) {
        const unsigned int low = column > 0 ? i - 1 : i + nx - 1, high = column + 1 < nx ? i + 1 : i + 1 - nx;
        out += fx[low] * (own - x[low]) + fx[i] * (own - x[high]);
    }
    return out;
}

// z of a cell, and its share of the sums of the state, see `damage_kernels`.
static __device__ __forceinline__ double share_of(double x, double g, double q, double lower, double upper, double inverse,
                                                  double *sums)
{
    const double t = g * inverse, low = x - lower, high = x - upper;
    const double z = lower < x && x < upper ? t : 0.0;
    double r = t > high ? t : high;
    r = r < low ? r : low;
    sums[0] += g * z;
    sums[1] += z != 0.0 ? g * r : 0.0;
    sums[2] += r != 0.0 ? g * (t - z) : 0.0;
    sums[3] += z * q;
    sums[4] += r * r;
    sums[5] += z * z;
    return z;
}
"""

_KERNELS = """\
// The numbers of a step, as `DamageSolver.solve` has them, and where it begins: phi and what it grew by since `before`.
// linear, quadratic: c1, c2, one number or one per cell; weight: 1 - eta, 0 in empty cells, likewise; across: diagonal without D.
// history: largest psi+ so far, used if `kept`.
extern "C" __global__ void prepare(const double *phi, const double *before, const double *psi, const double *history,
    const double *linear, const double *quadratic, const double *weight, const double *across, unsigned int linear_step,
    unsigned int quadratic_step, unsigned int weight_step, unsigned int kept, unsigned int bound, double threshold,
    double rate, double *D, double *b, double *inverse, double *lower, double *x, unsigned int cells)
{
    MODES_LOOP(i, cells) {
        const double last = phi[i];
        double drive = larger(psi[i], 0.0);
        if (kept)
            drive = larger(history[i], drive);
        drive = weight[i * weight_step] * drive;
        double own = quadratic[i * quadratic_step] + 2.0 * drive + rate, diagonal = own + across[i];
        // An empty cell without faces and dissipation, or one of AT1 all alone.
        if (diagonal == 0.0)
            own = diagonal = 1.0;
        D[i] = own;
        inverse[i] = 1.0 / diagonal;
        b[i] = 2.0 * drive - linear[i * linear_step] + rate * last;
        lower[i] = bound == 0 || (bound == 2 && last > threshold) ? last : 0.0;
        x[i] = smaller(larger(last + (last - before[i]), last), 1.0);
    }
}

// before = phi, phi = x. Value, the largest: how much any cell has healed.
extern "C" __global__ void settle(const double *x, double *phi, double *before, double *partial, unsigned int cells)
{
    __shared__ double share[BLOCK];
    double healing = 0.0;
    MODES_LOOP(i, cells) {
        before[i] = phi[i];
        phi[i] = x[i];
        healing = larger(healing, before[i] - x[i]);
    }
    leave(&healing, 1, 1, partial, share);
}

// history = the larger of itself and psi
extern "C" __global__ void keep_largest(const double *psi, double *history, unsigned int cells)
{
    MODES_LOOP(i, cells)
        history[i] = larger(history[i], psi[i]);
}

extern "C" __global__ void clip(const double *lower, double upper, double *x, unsigned int cells)
{
    MODES_LOOP(i, cells)
        x[i] = smaller(larger(x[i], lower[i]), upper);
}

extern "C" __global__ void gradient(const double *D, const double *f0, const double *f1, const double *fx, const double *x,
    const double *b, const double *lower, double upper, const double *inverse, double *g, double *z, double *partial,
    unsigned int n0, unsigned int n1, unsigned int nx)
{
    __shared__ double share[7 * BLOCK];
    double sums[7] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    MODES_LOOP(i, n0 * n1 * nx) {
        const double value = product_of(D, f0, f1, fx, x, i, n0, n1, nx) - b[i];
        g[i] = value;
        z[i] = share_of(x[i], value, 0.0, lower[i], upper, inverse[i], sums);
    }
    leave(sums, 7, 0, partial, share);
}

// q = Ap. Values: p.q, g.p.
extern "C" __global__ void product(const double *D, const double *f0, const double *f1, const double *fx, const double *p,
    const double *g, double *q, double *partial, unsigned int n0, unsigned int n1, unsigned int nx)
{
    __shared__ double share[2 * BLOCK];
    double sums[2] = {0.0, 0.0};
    MODES_LOOP(i, n0 * n1 * nx) {
        const double value = product_of(D, f0, f1, fx, p, i, n0, n1, nx);
        q[i] = value;
        sums[0] += p[i] * value;
        sums[1] += g[i] * p[i];
    }
    leave(sums, 2, 0, partial, share);
}

// y = x - alpha p between the bounds, g -= alpha q, z and the sums of the state y.
extern "C" __global__ void advance(double alpha, const double *x, double *g, const double *p, const double *q,
    const double *lower, double upper, const double *inverse, double *y, double *z, double *partial, unsigned int cells)
{
    __shared__ double share[7 * BLOCK];
    double sums[7] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    MODES_LOOP(i, cells) {
        double t = x[i] - alpha * p[i];
        const double slope = g[i] - alpha * q[i];
        g[i] = slope;
        sums[6] += t < lower[i] || t > upper ? 1.0 : 0.0;
        t = t > lower[i] ? t : lower[i];
        t = t < upper ? t : upper;
        y[i] = t;
        z[i] = share_of(t, slope, q[i], lower[i], upper, inverse[i], sums);
    }
    leave(sums, 7, 0, partial, share);
}

// Value, the largest: minus the longest step along -p within the bounds.
extern "C" __global__ void longest_step(const double *x, const double *p, const double *lower, double upper, double *partial,
    unsigned int cells)
{
    __shared__ double share[BLOCK];
    double shortest = -1e300;
    MODES_LOOP(i, cells) {
        const double room = p[i] > 0.0 ? x[i] - lower[i] : x[i] - upper;
        const double step = p[i] != 0.0 ? room / p[i] : 1e300;
        shortest = larger(shortest, -step);
    }
    leave(&shortest, 1, 1, partial, share);
}

// Values, the largest: |r| and, of free cells, |g/d|.
extern "C" __global__ void largest(const double *x, const double *g, const double *lower, double upper, const double *inverse,
    double *partial, unsigned int cells)
{
    __shared__ double share[2 * BLOCK];
    double worst[2] = {0.0, 0.0};
    MODES_LOOP(i, cells) {
        double t = g[i] * inverse[i];
        const double r = fabs(smaller(larger(t, x[i] - upper), x[i] - lower[i]));
        worst[0] = larger(worst[0], r);
        t = lower[i] < x[i] && x[i] < upper ? fabs(t) : 0.0;
        worst[1] = larger(worst[1], t);
    }
    leave(worst, 2, 1, partial, share);
}

// x = P(y - length g/d of the free cells), y = x - alpha p; g is that after a step `back`.
extern "C" __global__ void expand(double alpha, double back, double length, double *x, const double *g, const double *p,
    const double *q, const double *lower, double upper, const double *inverse, unsigned int cells)
{
    MODES_LOOP(i, cells) {
        const double y = smaller(larger(x[i] - alpha * p[i], lower[i]), upper);
        const int moves = lower[i] < y && y < upper;
        const double step = moves ? length * inverse[i] * (g[i] - (alpha - back) * q[i]) : 0.0;
        x[i] = smaller(larger(y - step, lower[i]), upper);
    }
}

// p = z - beta p
extern "C" __global__ void search(double beta, const double *z, double *p, unsigned int cells)
{
    MODES_LOOP(i, cells)
        p[i] = z[i] - beta * p[i];
}

// p = g/d of cells at a bound that want to leave it.
extern "C" __global__ void release(const double *x, const double *g, const double *lower, double upper, const double *inverse,
    double *p, unsigned int cells)
{
    MODES_LOOP(i, cells) {
        const double t = inverse[i] * g[i];
        const int at_low = x[i] <= lower[i], at_high = x[i] >= upper;
        p[i] = at_low == at_high ? 0.0 : at_low ? smaller(t, 0.0) : larger(t, 0.0);
    }
}
"""


@functools.cache
def damage_source() -> str:
    """All kernels."""
    return with_types(LEAVE + "\n" + _CELLS + "\n" + _KERNELS, "float64")
