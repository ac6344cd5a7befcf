"""CUDA text of `dynamic_kernels` in the plane, with the same arithmetic in the same order: the same bits as on the CPU.

That holds for text compiled without contraction of products and sums (`--fmad=false`): division and square root of doubles are
rounded correctly on a device. Sums of energies go by blocks and differ in rounding.

Nodes are done in tiles of `WIDE` × `HIGH`, one thread each. The block first computes the (WIDE + 1)(HIGH + 1) cells around its
nodes into shared memory; without that every thread would compute four cells. A node that has a copy behind the end of a periodic
axis writes this, too.
"""

from __future__ import annotations

import functools
import math

from phasefield.kernels.gpu_source import BLOCK, with_types
from phasefield.kernels.gpu_sums import LEAVE

WIDE, HIGH = 32, BLOCK // 32

_DEFINITIONS = """\
#define SPLIT {split}
#define POINTS {points}
#define HEATED {heated}
#define WIDE {wide}
#define HIGH {high}
#define AROUND ((WIDE + 1) * (HIGH + 1))
#define THIRD {third!r}
#define POINT {point!r}
"""

_CELLS = """\
typedef struct { double ax, ay, volume, eta, gamma, hourglass, exx, eyy, exy; } cell_numbers;
// What cells are made of: arrays of rows, or of one row for all.
typedef struct { const double *lam, *mu, *heat; unsigned int lam_rows, mu_rows, heat_rows; } cell_fields;
typedef struct { double xx, yy, xy, plus, minus; } cell_response;
typedef struct { double x1, y1, h1, x2, y2, h2; } cell_modes;

#if SPLIT == 0
static __device__ __forceinline__ cell_response respond(double x, double y, double z, double s, double lam, double mu,
                                                        double gamma, double g)
{
    cell_response r;
    const double t = (x + y) + z;
    const double K = lam + 2.0 * THIRD * mu;
    const double up = larger(t, 0.0), down = smaller(t, 0.0);
    const double dx = ((x - y) + (x - z)) * THIRD, dy = ((y - x) + (y - z)) * THIRD, dz = ((z - x) + (z - y)) * THIRD;
    r.plus = 0.5 * K * (up * up - gamma * (down * down)) + mu * (((dx * dx + dy * dy) + dz * dz) + 2.0 * (s * s));
    r.minus = (1.0 + gamma) * 0.5 * K * (down * down);
    const double pressure = K * (g * up + (1.0 + gamma - g * gamma) * down), twice = 2.0 * mu * g;
    r.xx = pressure + twice * dx;
    r.yy = pressure + twice * dy;
    r.xy = twice * s;
    return r;
}
#elif SPLIT == 2
static __device__ __forceinline__ cell_response respond(double x, double y, double z, double s, double lam, double mu,
                                                        double gamma, double g)
{
    cell_response r;
    const double t = (x + y) + z;
    r.plus = 0.5 * lam * (t * t) + mu * (((x * x + y * y) + z * z) + 2.0 * (s * s));
    r.minus = 0.0;
    const double pressure = g * lam * t, twice = 2.0 * mu * g;
    r.xx = pressure + twice * x;
    r.yy = pressure + twice * y;
    r.xy = twice * s;
    return r;
}
#else
static __device__ __forceinline__ cell_response respond(double x, double y, double z, double s, double lam, double mu,
                                                        double gamma, double g)
{
    cell_response out;
    const double t = (x + y) + z;
    const double m = 0.5 * (x + y), d = 0.5 * (x - y);
    const double r = sqrt(d * d + s * s) + 1e-30;
    const double a = m + r, b = m - r;
    const double tp = larger(t, 0.0), ap = larger(a, 0.0), bp = larger(b, 0.0), zp = larger(z, 0.0);
    const double tn = t - tp, an = a - ap, bn = b - bp, zn = z - zp;
    const double pressure = (g * (lam * tp + mu * (ap + bp))) + (lam * tn + mu * (an + bn));
    const double turn = mu * (g * (ap - bp) + (an - bn)) / r;
    out.plus = 0.5 * lam * (tp * tp) + mu * ((ap * ap + bp * bp) + zp * zp);
    out.minus = 0.5 * lam * (tn * tn) + mu * ((an * an + bn * bn) + zn * zn);
    out.xx = pressure + turn * d;
    out.yy = pressure - turn * d;
    out.xy = turn * s;
    return out;
}
#endif

static __device__ __forceinline__ unsigned int row_of(unsigned int row, unsigned int rows)
{
    return row < rows ? row : rows - 1;
}

// X, Y, XY of the corner values of a cell, both components; u: (2, ny + 1, nx + 1).
static __device__ __forceinline__ cell_modes modes_of(const double *u, unsigned int row, unsigned int column,
                                                      unsigned int nx, unsigned int ny)
{
    const double *low = u + (long long)row * (nx + 1) + column, *high = low + (nx + 1);
    cell_modes c;
    double p = low[0], q = low[1], r = high[0], s = high[1];
    c.x1 = (q - p) + (s - r);
    c.y1 = (r - p) + (s - q);
    c.h1 = (p - q) + (s - r);
    low += (long long)(ny + 1) * (nx + 1);
    high += (long long)(ny + 1) * (nx + 1);
    p = low[0];
    q = low[1];
    r = high[0];
    s = high[1];
    c.x2 = (q - p) + (s - r);
    c.y2 = (r - p) + (s - q);
    c.h2 = (p - q) + (s - r);
    return c;
}

// Strains xx, yy, zz, xy at the centre of a cell.
static __device__ __forceinline__ void strain_of(cell_modes c, cell_numbers n, double heat, double *strain)
{
    strain[0] = n.exx + n.ax * c.x1;
    strain[1] = n.eyy + n.ay * c.y2;
    strain[2] = 0.0;
    strain[3] = n.exy + 0.5 * (n.ay * c.y1 + n.ax * c.x2);
#if HEATED != 0
    strain[0] = strain[0] - heat;
    strain[1] = strain[1] - heat;
#endif
#if HEATED == 1
    strain[2] = -heat;
#endif
}

// The response at Gauss point 0 ... 3 of a cell: low x and y, low x and high y, high x and low y, both high.
static __device__ __forceinline__ cell_response respond_at(unsigned int point, cell_modes c, const double *strain, double lam,
                                                           double mu, cell_numbers n, double g)
{
    const double hxx = POINT * n.ax * c.h1, hyy = POINT * n.ay * c.h2;
    const double hs = 0.5 * POINT * n.ay * c.h1, ht = 0.5 * POINT * n.ax * c.h2;
    const double xx = point < 2 ? strain[0] - hxx : strain[0] + hxx;
    const double yy = point % 2 == 0 ? strain[1] - hyy : strain[1] + hyy;
    const double turn = point == 0 || point == 3 ? hs + ht : hs - ht;
    const double xy = point % 2 == 0 ? strain[3] - turn : strain[3] + turn;
    return respond(xx, yy, strain[2], xy, lam, mu, n.gamma, g);
}

// Forces of a cell as those of its modes: fx1, fy1, fh1, fx2, fy2, fh2, at share[0], share[AROUND], ...
static __device__ void forces_of(const double *u, double phi, cell_fields fields, cell_numbers n, unsigned int row,
                                 unsigned int column, unsigned int nx, unsigned int ny, double *share)
{
    const cell_modes c = modes_of(u, row, column, nx, ny);
    const double whole = 1.0 - phi;
    const double g = (1.0 - n.eta) * (whole * whole) + n.eta;
    const double la = fields.lam[(long long)row_of(row, fields.lam_rows) * nx + column];
    const double m = fields.mu[(long long)row_of(row, fields.mu_rows) * nx + column];
    const double heat = HEATED ? fields.heat[(long long)row_of(row, fields.heat_rows) * nx + column] : 0.0;
    double strain[4];
    strain_of(c, n, heat, strain);
#if POINTS == 0 && SPLIT != 2
    const cell_response p0 = respond_at(0, c, strain, la, m, n, g), p1 = respond_at(1, c, strain, la, m, n, g);
    const cell_response p2 = respond_at(2, c, strain, la, m, n, g), p3 = respond_at(3, c, strain, la, m, n, g);
    const double w = 0.25 * n.volume;
    const double sxx = (p0.xx + p1.xx) + (p2.xx + p3.xx), syy = (p0.yy + p1.yy) + (p2.yy + p3.yy);
    const double sxy = (p0.xy + p1.xy) + (p2.xy + p3.xy);
    const double xx_t = (p2.xx + p3.xx) - (p0.xx + p1.xx), xy_t = (p2.xy + p3.xy) - (p0.xy + p1.xy);
    const double yy_s = (p1.yy + p3.yy) - (p0.yy + p2.yy), xy_s = (p1.xy + p3.xy) - (p0.xy + p2.xy);
    share[2 * AROUND] = w * POINT * (n.ax * xx_t + n.ay * xy_s);
    share[5 * AROUND] = w * POINT * (n.ay * yy_s + n.ax * xy_t);
#else
    const double w = n.volume;
    const cell_response p = respond(strain[0], strain[1], strain[2], strain[3], la, m, n.gamma, g);
    const double sxx = p.xx, syy = p.yy, sxy = p.xy;
#if POINTS == 0
    // All four points at once, as stresses are linear in the strains.
    const double third = THIRD * n.volume * g, axial = la + 2.0 * m;
    share[2 * AROUND] = third * (axial * (n.ax * n.ax) + m * (n.ay * n.ay)) * c.h1;
    share[5 * AROUND] = third * (axial * (n.ay * n.ay) + m * (n.ax * n.ax)) * c.h2;
#else
    const double stiff = n.hourglass * (m * g);
    share[2 * AROUND] = stiff * c.h1;
    share[5 * AROUND] = stiff * c.h2;
#endif
#endif
    share[0] = w * (n.ax * sxx);
    share[AROUND] = w * (n.ay * sxy);
    share[3 * AROUND] = w * (n.ax * sxy);
    share[4 * AROUND] = w * (n.ay * syy);
}

// psi+ and psi- of a cell: means over its Gauss points; that of hourglass modes is in psi+.
static __device__ void energies_of(const double *u, cell_fields fields, cell_numbers n, unsigned int row, unsigned int column,
                                   unsigned int nx, unsigned int ny, double *plus, double *minus)
{
    const cell_modes c = modes_of(u, row, column, nx, ny);
    const double la = fields.lam[(long long)row_of(row, fields.lam_rows) * nx + column];
    const double m = fields.mu[(long long)row_of(row, fields.mu_rows) * nx + column];
    const double heat = HEATED ? fields.heat[(long long)row_of(row, fields.heat_rows) * nx + column] : 0.0;
    double strain[4];
    strain_of(c, n, heat, strain);
#if POINTS == 0 && SPLIT != 2
    const cell_response p0 = respond_at(0, c, strain, la, m, n, 1.0), p1 = respond_at(1, c, strain, la, m, n, 1.0);
    const cell_response p2 = respond_at(2, c, strain, la, m, n, 1.0), p3 = respond_at(3, c, strain, la, m, n, 1.0);
    *plus = 0.25 * ((p0.plus + p1.plus) + (p2.plus + p3.plus));
    *minus = 0.25 * ((p0.minus + p1.minus) + (p2.minus + p3.minus));
#else
    const cell_response p = respond(strain[0], strain[1], strain[2], strain[3], la, m, n.gamma, 1.0);
#if POINTS == 0
    const double axial = la + 2.0 * m;
    const double stiff1 = 0.5 * THIRD * (axial * (n.ax * n.ax) + m * (n.ay * n.ay));
    const double stiff2 = 0.5 * THIRD * (axial * (n.ay * n.ay) + m * (n.ax * n.ax));
#else
    const double hourglass = 0.5 * n.hourglass / n.volume;
    const double stiff1 = hourglass * m, stiff2 = stiff1;
#endif
    *plus = p.plus + (stiff1 * (c.h1 * c.h1) + stiff2 * (c.h2 * c.h2));
    *minus = p.minus;
#endif
}
"""

# Parameters that all kernels of cells share, and what they are gathered into.
_PARAMETERS = """\
const double *lam, const double *mu, const double *heat, unsigned int lam_rows, unsigned int mu_rows,
    unsigned int heat_rows, double ax, double ay, double volume, double eta, double gamma, double hourglass, double exx,
    double eyy, double exy, unsigned int nx, unsigned int ny"""
_GATHERED = """\
    const cell_fields fields = {lam, mu, heat, lam_rows, mu_rows, heat_rows};
    const cell_numbers n = {ax, ay, volume, eta, gamma, hourglass, exx, eyy, exy};"""

_KERNELS = """\
// u += dt v, n numbers.
extern "C" __global__ void move(double *u, const double *v, double dt, unsigned int n)
{
    MODES_LOOP(i, n)
        u[i] += dt * v[i];
}

// v = v + dt/M (-f(u, phi) - C v'), v' the mean of both; inverse: (ny + 1, nx + 1); damping: like v.
// Values: 1/2 v M v of before and after; dt v' C v'.
extern "C" __global__ void push(const double *u, double *v, const double *phi, const double *inverse, const double *damping,
    unsigned int damped, double dt, unsigned int wrap_x, unsigned int wrap_y, double *partial, @PARAMETERS@)
{
    __shared__ double around[6 * AROUND];
    __shared__ double share[2 * BLOCK];
@GATHERED@
    // Nodes that are no copies.
    const unsigned int wide = wrap_x ? nx : nx + 1, high = wrap_y ? ny : ny + 1;
    const unsigned int across = (wide + WIDE - 1) / WIDE, tiles = across * ((high + HIGH - 1) / HIGH);
    const long long nodes = (long long)(nx + 1) * (ny + 1);
    double sums[2] = {0.0, 0.0};
    for (unsigned int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const unsigned int first_row = tile / across * HIGH, first_column = tile % across * WIDE;
        for (unsigned int k = threadIdx.x; k < AROUND; k += BLOCK) {
            // Counted from one row below and one column before the first node.
            unsigned int row = first_row + k / (WIDE + 1), column = first_column + k % (WIDE + 1);
            row = row > 0 ? row - 1 : (wrap_y ? ny - 1 : ny);
            column = column > 0 ? column - 1 : (wrap_x ? nx - 1 : nx);
            if (row < ny && column < nx)
                forces_of(u, phi[(long long)row * nx + column], fields, n, row, column, nx, ny, around + k);
            else
                for (unsigned int part = 0; part < 6; ++part)
                    around[part * AROUND + k] = 0.0;
        }
        __syncthreads();
        const unsigned int row = first_row + threadIdx.x / WIDE, column = first_column + threadIdx.x % WIDE;
        if (row < high && column < wide) {
            const long long node = (long long)row * (nx + 1) + column;
            const double W = inverse[node], mass = W > 0.0 ? 1.0 / W : 0.0;
            for (unsigned int c = 0; c < 2; ++c) {
                const double *below = around + 3 * c * AROUND + threadIdx.x / WIDE * (WIDE + 1) + threadIdx.x % WIDE;
                const double *above = below + (WIDE + 1);
                // Of four cells the shares of the corner that this node is: both high, low x, high x, both low.
                const double f0 = (below[0] + below[AROUND]) + below[2 * AROUND];
                const double f1 = (-below[1] + below[AROUND + 1]) - below[2 * AROUND + 1];
                const double f2 = (above[0] - above[AROUND]) - above[2 * AROUND];
                const double f3 = (-above[1] - above[AROUND + 1]) + above[2 * AROUND + 1];
                const double f = (f0 + f1) + (f2 + f3);
                const long long here = c * nodes + node;
                const double old = v[here];
                double fresh;
                if (damped) {
                    const double half = 0.5 * dt * damping[here];
                    fresh = ((1.0 - half) * old - dt * (W * f)) / (1.0 + half);
                    sums[1] += 0.25 * dt * (mass * damping[here]) * ((old + fresh) * (old + fresh));
                } else
                    fresh = old - dt * (W * f);
                sums[0] += 0.5 * mass * (old * fresh);
                v[here] = fresh;
                if (wrap_x && column == 0)
                    v[here + nx] = fresh;
                if (wrap_y && row == 0) {
                    v[here + (long long)ny * (nx + 1)] = fresh;
                    if (wrap_x && column == 0)
                        v[here + (long long)ny * (nx + 1) + nx] = fresh;
                }
            }
        }
        __syncthreads();
    }
    leave(sums, 2, 0, partial, share);
}

// psi+ and, if `both`, psi- of all cells.
extern "C" __global__ void energies(const double *u, double *plus, double *minus, unsigned int both, @PARAMETERS@)
{
@GATHERED@
    MODES_LOOP(i, nx * ny) {
        const unsigned int row = i / nx, column = i - row * nx;
        double p, m;
        energies_of(u, fields, n, row, column, nx, ny, &p, &m);
        plus[i] = p;
        if (both)
            minus[i] = m;
    }
}

// Value: g psi+ + psi-, summed over cells.
extern "C" __global__ void elastic(const double *u, const double *phi, double *partial, @PARAMETERS@)
{
    __shared__ double share[BLOCK];
@GATHERED@
    double total = 0.0;
    MODES_LOOP(i, nx * ny) {
        const unsigned int row = i / nx, column = i - row * nx;
        double p, m;
        energies_of(u, fields, n, row, column, nx, ny, &p, &m);
        const double whole = 1.0 - phi[i];
        total += ((1.0 - eta) * (whole * whole) + eta) * p + m;
    }
    leave(&total, 1, 0, partial, share);
}
"""


@functools.cache
def dynamic_source(split: int, points: int, heated: int) -> str:
    """Kernels `move`, `push`, `energies` and `elastic` for one kind of cells, see `dynamic_kernels`."""
    head = _DEFINITIONS.format(
        split=split, points=points, heated=heated, wide=WIDE, high=HIGH, third=1.0 / 3.0, point=math.sqrt(1.0 / 3.0)
    )
    kernels = _KERNELS.replace("@PARAMETERS@", _PARAMETERS).replace("@GATHERED@", _GATHERED)
    return with_types(LEAVE + "\n" + head + _CELLS + "\n" + kernels, "float64")
