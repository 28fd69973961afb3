/* check/gradflow_jacobian.c -- norms and singular values of J_k = ∂h_T/∂s_{T-k}, of the longest
 * row.
 *
 * Singular values by rotations of columns (M. R. Hestenes, "Inversion of matrices by
 * biorthogonalization", 1958): exact to rounding for small ones, too. */
#include "check/gradflow.h"

#include <math.h>
#include <string.h>

/* An m × n matrix, row-major. */
struct matrix {
    const double *a;
    int64_t       m, n;
};

static double largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    return most;
}

static double frobenius(const struct matrix *J)
{
    const double most = largest(J->a, J->m * J->n);
    double sum = 0;
    for (int64_t i = 0; i < J->m * J->n && most > 0; i++)
        sum += J->a[i] / most * (J->a[i] / most);
    return most * sqrt(sum);
}

/* v <- J'·(J·v)/scale²; returns its length. */
static double multiply_twice(const struct matrix *J, double scale, double *v, double *u)
{
    double sum = 0;
    for (int64_t i = 0; i < J->m; i++) {
        u[i] = 0;
        for (int64_t j = 0; j < J->n; j++)
            u[i] += J->a[i * J->n + j] / scale * v[j];
    }
    for (int64_t j = 0; j < J->n; j++)
        v[j] = 0;
    for (int64_t i = 0; i < J->m; i++)
        for (int64_t j = 0; j < J->n; j++)
            v[j] += J->a[i * J->n + j] / scale * u[i];
    for (int64_t j = 0; j < J->n; j++)
        sum += v[j] * v[j];
    return sqrt(sum);
}

/* ‖J‖₂ by power iteration; @p work holds m + n numbers. */
static double spectral(const struct matrix *J, double *work)
{
    const double scale = frobenius(J);
    double *v = work, *u = work + J->n, was = 0;
    if (!(scale > 0) || !isfinite(scale))
        return scale;
    for (int64_t j = 0; j < J->n; j++) /* no direction of it is likely to be orthogonal */
        v[j] = 1 + 0.5 * sin((double)(j + 1));
    (void)multiply_twice(J, scale, v, u);
    for (int i = 0; i < 300; i++) {
        double length = 0;
        for (int64_t j = 0; j < J->n; j++)
            length += v[j] * v[j];
        for (int64_t j = 0; j < J->n; j++)
            v[j] /= sqrt(length);
        const double now = multiply_twice(J, scale, v, u);
        if (fabs(now - was) <= 1e-13 * now)
            break;
        was = now;
    }
    return scale * sqrt(was);
}

/* ---- Singular values ------------------------------------------------------------------------- */

/* Rotate columns p and q of length m, stored as rows, until they are orthogonal. Were they? */
static bool rotate(double *p, double *q, int64_t m)
{
    double a = 0, b = 0, c = 0;
    for (int64_t i = 0; i < m; i++) {
        a += p[i] * p[i];
        b += q[i] * q[i];
        c += p[i] * q[i];
    }
    if (fabs(c) <= 1e-15 * sqrt(a * b))
        return true;
    const double zeta = (b - a) / (2 * c);
    const double t = (zeta < 0 ? -1 : 1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    const double cosine = 1 / sqrt(1 + t * t), sine = cosine * t;
    for (int64_t i = 0; i < m; i++) {
        const double x = p[i];
        p[i] = cosine * x - sine * q[i];
        q[i] = sine * x + cosine * q[i];
    }
    return false;
}

/* The n singular values of n columns of length m, falling; the columns are overwritten. */
static void singular_values(double *out, double *column, int64_t n, int64_t m)
{
    enum { SWEEPS = 30 };
    const double scale = largest(column, n * m);
    for (int64_t i = 0; i < n * m && scale > 0; i++)
        column[i] /= scale;
    bool done = false;
    for (int s = 0; s < SWEEPS && !done; s++) {
        done = true;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                done = rotate(column + p * m, column + q * m, m) && done;
    }
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;
        int64_t at = k;
        for (int64_t i = 0; i < m; i++)
            sum += column[k * m + i] * column[k * m + i];
        for (; at > 0 && out[at - 1] < scale * sqrt(sum); at--)
            out[at] = out[at - 1];
        out[at] = scale * sqrt(sum);
    }
}

/* The shorter side's vectors as columns, one after the other. */
static void take_columns(double *out, const struct matrix *J)
{
    if (J->m <= J->n) {
        memcpy(out, J->a, (size_t)(J->m * J->n) * sizeof *out);
        return;
    }
    for (int64_t j = 0; j < J->n; j++)
        for (int64_t i = 0; i < J->m; i++)
            out[j * J->m + i] = J->a[i * J->n + j];
}

/* ---- A track --------------------------------------------------------------------------------- */

static rg_status add_singular(rg_flow *f, rg_flow_state *s, const rg_flow_track *t, int64_t W)
{
    const size_t n = s->lags < RG_FLOW_SINGULAR ? (size_t)s->lags : RG_FLOW_SINGULAR;
    const int64_t shorter = W < t->width ? W : t->width, longer = W < t->width ? t->width : W;
    int64_t *lag = rg_arena_get(&f->kept, n * sizeof *lag);
    double *value = rg_arena_get(&f->kept, n * (size_t)shorter * sizeof *value);
    double *column = rg_arena_get(&f->arena, (size_t)(shorter * longer) * sizeof *column);
    if (!lag || !value || !column)
        return rg_flow_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        lag[i] = n > 1 ? (int64_t)i * (s->lags - 1) / (int64_t)(n - 1) : 0;
        const struct matrix J = { t->row + lag[i] * W * t->width, W, t->width };
        take_columns(column, &J);
        singular_values(value + i * (size_t)shorter, column, shorter, longer);
    }
    s->n_singular = n;
    s->width = (size_t)shorter;
    s->singular_lag = lag;
    s->singular = value;
    return RG_OK;
}

rg_status rg_flow_jacobian(rg_flow *f, rg_flow_state *s, const rg_flow_track *t)
{
    const int64_t W = f->track[f->loop[t->loop].top].width;
    double *two = rg_arena_get(&f->kept, (size_t)s->lags * sizeof *two);
    double *all = rg_arena_get(&f->kept, (size_t)s->lags * sizeof *all);
    double *work = rg_arena_get(&f->arena, (size_t)(W + t->width) * sizeof *work);
    if (!two || !all || !work)
        return rg_flow_no_memory(f);
    for (int64_t k = 0; k < s->lags; k++) {
        const struct matrix J = { t->row + k * W * t->width, W, t->width };
        all[k] = frobenius(&J);
        two[k] = spectral(&J, work);
    }
    s->spectral = two;
    s->frobenius = all;
    return add_singular(f, s, t, W);
}
