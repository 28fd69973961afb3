/* graph/init_matrix.c -- Householder QR and the Hessenberg QR algorithm, in place.
 * Source: G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed. 2013, 5.1-5.2 and 7.4-7.5;
 * why the signs of R matter: F. Mezzadri, "How to generate random matrices from the classical
 * compact groups", 2007. */
#include "graph/init_matrix.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Q --------------------------------------------------------------------------------------- */

/* An [m,n] matrix, m >= n, whose element (i,j) is w[i·row + j·col]. */
typedef struct tall {
    double *w;
    int64_t m, n, row, col;
} tall;

/* Column k, rows k..m-1, becomes (α, v): the reflection H = Id - τ·(1,v)(1,v)ᵀ, τ = 2/(1 + |v|²),
 * takes that column to (α, 0). */
static void reflector(const tall *a, int64_t k)
{
    double *x = a->w + k * (a->row + a->col), square = 0;
    for (int64_t i = 0; i < a->m - k; i++)
        square += x[i * a->row] * x[i * a->row];
    double alpha = x[0] < 0 ? sqrt(square) : -sqrt(square);
    double scale = x[0] - alpha;
    if (scale == 0)
        return;
    for (int64_t i = 1; i < a->m - k; i++)
        x[i * a->row] /= scale;
    x[0] = alpha;
}

static double tau_of(const tall *a, int64_t k)
{
    const double *v = a->w + k * (a->row + a->col);
    double square = 1;
    for (int64_t i = 1; i < a->m - k; i++)
        square += v[i * a->row] * v[i * a->row];
    return 2 / square;
}

/* s += v·row and row -= v·s, for some elements of a row, `col` apart. */
static void add_row(double *restrict s, double v, const double *restrict row, int64_t n,
                    int64_t col)
{
    if (col == 1)
        for (int64_t c = 0; c < n; c++)
            s[c] += v * row[c];
    else
        for (int64_t c = 0; c < n; c++)
            s[c] += v * row[c * col];
}

/* The same of four rows, one after the other, while a sum is at hand. */
static void add_four(double *restrict s, const double v[4], const double *restrict row, int64_t n,
                     int64_t apart)
{
    const double *b = row + apart, *c = b + apart, *d = c + apart;
    for (int64_t k = 0; k < n; k++)
        s[k] = (((s[k] + v[0] * row[k]) + v[1] * b[k]) + v[2] * c[k]) + v[3] * d[k];
}

static void subtract_from_row(double *restrict row, double v, const double *restrict s, int64_t n,
                              int64_t col)
{
    if (col == 1)
        for (int64_t c = 0; c < n; c++)
            row[c] -= v * s[c];
    else
        for (int64_t c = 0; c < n; c++)
            row[c * col] -= v * s[c];
}

enum { COLUMNS = 64 };  /* that go through all reflections together, so that they stay in a cache */

/* H of column k applied to columns j0..j1-1, right of it: A -= τ·v·(vᵀA). */
static void reflect(const tall *a, int64_t k, int64_t j0, int64_t j1)
{
    const double *v = a->w + k * (a->row + a->col);
    double *top = a->w + k * a->row + j0 * a->col;
    double tau = tau_of(a, k), s[COLUMNS] = { 0 };
    int64_t i = 1;
    add_row(s, 1, top, j1 - j0, a->col);
    for (; a->col == 1 && i + 4 <= a->m - k; i += 4) {
        const double four[4] = { v[i * a->row], v[(i + 1) * a->row], v[(i + 2) * a->row],
                                 v[(i + 3) * a->row] };
        add_four(s, four, top + i * a->row, j1 - j0, a->row);
    }
    for (; i < a->m - k; i++)
        add_row(s, v[i * a->row], top + i * a->row, j1 - j0, a->col);
    for (i = 0; i < a->m - k; i++)
        subtract_from_row(top + i * a->row, tau * (i ? v[i * a->row] : 1), s, j1 - j0, a->col);
}

/* Column k becomes ±H·e_k. */
static void column_of_q(const tall *a, int64_t k)
{
    double *v = a->w + k * (a->row + a->col);
    double sign = v[0] < 0 ? -1 : 1, tau = tau_of(a, k);
    for (int64_t i = 1; i < a->m - k; i++)
        v[i * a->row] *= -sign * tau;
    v[0] = sign * (1 - tau);
}

/* R, and reflections below it, in columns j0..j1-1; what is left of them is ready. */
static void to_r(const tall *a, int64_t j0, int64_t j1)
{
    for (int64_t k = 0; k < j1; k++) {
        if (k >= j0)
            reflector(a, k);
        reflect(a, k, k < j0 ? j0 : k + 1, j1);
    }
}

/* Q in these columns, which are ready; reflections are still what they were left of them. */
static void to_q(const tall *a, int64_t j0, int64_t j1)
{
    for (int64_t k = j1 - 1; k >= 0; k--) {
        const int64_t from = k < j0 ? j0 : k + 1;
        for (int64_t j = from; j < j1; j++)
            a->w[k * a->row + j * a->col] = 0;
        reflect(a, k, from, j1);
        if (k >= j0)
            column_of_q(a, k);
    }
}

void rg_orthonormalize(double *w, int64_t m, int64_t n)
{
    const tall a = m >= n ? (tall){ w, m, n, n, 1 } : (tall){ w, n, m, 1, n };
    for (int64_t j = 0; j < a.n; j += COLUMNS)
        to_r(&a, j, j + COLUMNS < a.n ? j + COLUMNS : a.n);
    for (int64_t j = (a.n - 1) / COLUMNS * COLUMNS; j >= 0; j -= COLUMNS)
        to_q(&a, j, j + COLUMNS < a.n ? j + COLUMNS : a.n);
}

/* ---- Spectral radius ------------------------------------------------------------------------- */

static void exchange(double *a, double *b, int64_t n, int64_t stride)
{
    for (int64_t i = 0; i < n; i++) {
        double t = a[i * stride];
        a[i * stride] = b[i * stride];
        b[i * stride] = t;
    }
}

/* Similarity by eliminations with pivots: zeros below the first subdiagonal. */
static void to_hessenberg(double *h, int64_t n)
{
    for (int64_t k = 1; k + 1 < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(h[i * n + k - 1]) > fabs(h[pivot * n + k - 1]))
                pivot = i;
        if (h[pivot * n + k - 1] == 0)
            continue;
        exchange(h + pivot * n, h + k * n, n, 1);
        exchange(h + pivot, h + k, n, n);
        for (int64_t i = k + 1; i < n; i++) {  /* rows i -= y_i · row k; y_i stays at (i, k-1) */
            double y = h[i * n + k - 1] /= h[k * n + k - 1];
            for (int64_t j = k; j < n; j++)
                h[i * n + j] -= y * h[k * n + j];
        }
        for (int64_t r = 0; r < n; r++)  /* column k += Σ y_i · column i */
            for (int64_t i = k + 1; i < n; i++)
                h[r * n + k] += h[i * n + k - 1] * h[r * n + i];
        for (int64_t i = k + 1; i < n; i++)
            h[i * n + k - 1] = 0;
    }
}

/* Rows and columns k .. k+size-1 of the block lo..hi are reflected so that (x, y, z) goes to a
 * multiple of e_1. */
static void chase(double *h, int64_t n, int64_t lo, int64_t hi, int64_t k, const double x[3],
                  int64_t size)
{
    double norm = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    if (norm == 0)
        return;
    double v[3] = { x[0] < 0 ? x[0] - norm : x[0] + norm, x[1], x[2] };
    double tau = 2 / (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int64_t j = k > lo ? k - 1 : lo; j <= hi; j++) {
        double s = 0;
        for (int64_t i = 0; i < size; i++)
            s += v[i] * h[(k + i) * n + j];
        for (int64_t i = 0; i < size; i++)
            h[(k + i) * n + j] -= tau * v[i] * s;
    }
    for (int64_t r = lo; r <= (k + 3 < hi ? k + 3 : hi); r++) {
        double s = 0;
        for (int64_t i = 0; i < size; i++)
            s += v[i] * h[r * n + k + i];
        for (int64_t i = 0; i < size; i++)
            h[r * n + k + i] -= tau * v[i] * s;
    }
}

/* Francis's implicit step with two shifts of sum s and product t on lo..hi, hi >= lo+2. */
static void francis_step(double *h, int64_t n, int64_t lo, int64_t hi, double s, double t)
{
    const double *a = h + lo * n + lo, *b = a + n, *c = b + n;
    double x[3] = { a[0] * a[0] + a[1] * b[0] - s * a[0] + t, b[0] * (a[0] + b[1] - s),
                    b[0] * c[1] };
    for (int64_t k = lo; k < hi; k++) {
        int64_t size = k + 1 < hi ? 3 : 2;
        chase(h, n, lo, hi, k, x, size);
        for (int64_t i = 1; k > lo && i < size; i++)
            h[(k + i) * n + k - 1] = 0;
        for (int64_t i = 0; i < 3; i++)
            x[i] = k + 1 + i <= hi ? h[(k + 1 + i) * n + k] : 0;
    }
}

/* Larger modulus of the eigenvalues of [a b; c d]. */
static double radius_of_two(double a, double b, double c, double d)
{
    double middle = (a + d) / 2, half = (a - d) / 2, q = half * half + b * c;
    return q >= 0 ? fabs(middle) + sqrt(q) : hypot(middle, sqrt(-q));
}

/* Where the unreduced block that ends at hi begins. */
static int64_t block_start(const double *h, int64_t n, int64_t hi)
{
    int64_t k = hi;
    for (; k > 0; k--) {
        double size = fabs(h[k * n + k]) + fabs(h[(k - 1) * n + k - 1]);
        if (fabs(h[k * n + k - 1]) <= DBL_EPSILON * size)
            break;
    }
    return k;
}

bool rg_spectral_radius(double *out, double *w, int64_t n)
{
    enum { MAX_STEPS = 90, UNUSUAL = 10 };
    int steps = 0;
    double radius = 0;
    to_hessenberg(w, n);
    for (int64_t hi = n - 1; hi >= 0;) {
        int64_t lo = block_start(w, n, hi);
        const double *r = w + hi * n + hi, *q = r - n; /* diagonal at r[0] and q[-1] */
        if (hi - lo < 2) {
            double found = hi == lo ? fabs(r[0]) : radius_of_two(q[-1], q[0], r[-1], r[0]);
            radius = fmax(radius, found);
            hi = lo - 1;
            steps = 0;
            continue;
        }
        if (++steps > MAX_STEPS)
            return false;
        double odd = fabs(r[-1]) + fabs(q[-2]);
        if (steps % UNUSUAL == 0) /* shifts that break a cycle */
            francis_step(w, n, lo, hi, 1.5 * odd, odd * odd);
        else
            francis_step(w, n, lo, hi, q[-1] + r[0], q[-1] * r[0] - q[0] * r[-1]);
    }
    *out = radius;
    return isfinite(radius);
}
