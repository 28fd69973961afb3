/* tests/ops/lab.c -- inputs with numbers in them, and what plans make of them. */
#include "tests/ops/lab.h"

#include "base/checked.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void lab_begin(lab *l)
{
    memset(l, 0, sizeof *l);
    RGT_CHECK(rg_graph_create(&l->graph, NULL, NULL) == RG_OK);
}

void lab_end(lab *l)
{
    for (size_t k = 0; k < l->n; k++)
        free(l->data[k]);
    for (size_t k = 0; k < l->n_copy; k++)
        free(l->copy[k]);
    rg_graph_destroy(&l->graph);
}

static void *block(int64_t n, size_t item)
{
    void *p = calloc((size_t)n + 1, item);
    RGT_CHECK(p != NULL);
    return p;
}

rg_val lab_input(lab *l, rg_kind kind, rg_shape shape, const double *x)
{
    const int64_t n = rg_shape_count(shape);
    const size_t k = l->n++;
    RGT_CHECK(l->n <= LAB_INPUTS && n >= 0);
    l->data[k] = block(n, rg_kind_size(kind, RG_F64));
    for (int64_t i = 0; x && i < n; i++)
        if (kind == RG_F)
            ((double *)l->data[k])[i] = x[i];
        else if (kind == RG_INT)
            ((int32_t *)l->data[k])[i] = (int32_t)x[i];
        else
            ((uint8_t *)l->data[k])[i] = x[i] != 0;
    return l->in[k] = rg_input(l->graph, NULL, kind, shape);
}

/* What a plan of f32 is given: the same numbers, rounded. */
static const void *as_float(lab *l, const double *x, int64_t n)
{
    float *y = l->copy[l->n_copy++] = block(n, sizeof *y);
    RGT_CHECK(l->n_copy < LAB_COPIES);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i];
    return y;
}

rg_plan *lab_plan(lab *l, const rg_val *roots, size_t n, rg_dtype real, rg_effort effort)
{
    rg_plan *plan = NULL;
    const rg_plan_opts opts = { .real = real, .mode = RG_TRAIN, .effort = effort, .threads = 1,
                                .keep_subnormals = l->keep_subnormals, .verify = true };
    RGT_CHECK_MSG(rg_plan_create(&plan, roots, n, &opts) == RG_OK, "%s",
                  rg_graph_message(l->graph));
    for (size_t k = 0; k < l->n; k++) {
        const rg_kind kind = rg_kind_of(l->in[k]);
        const int64_t count = rg_shape_count(rg_shape_of(l->in[k]));
        const void *data = kind == RG_F && real == RG_F32 ? as_float(l, l->data[k], count)
                                                          : l->data[k];
        RGT_CHECK_MSG(rg_plan_bind(plan, l->in[k], data,
                                   (size_t)count * rg_kind_size(kind, real)) == RG_OK,
                      "%s", rg_plan_message(plan));
    }
    return plan;
}

void lab_run(rg_plan *plan)
{
    *(int64_t *)rg_params_find(rg_plan_state(plan), "plan.run").data = 0;
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
}

static double element(const void *data, rg_dtype dtype, int64_t i)
{
    return dtype == RG_F32   ? ((const float *)data)[i]
           : dtype == RG_F64 ? ((const double *)data)[i]
           : dtype == RG_I32 ? ((const int32_t *)data)[i]
                             : ((const uint8_t *)data)[i];
}

double *lab_values(lab *l, rg_val v, rg_dtype real, rg_effort effort)
{
    rg_plan *plan = lab_plan(l, &v, 1, real, effort);
    const int64_t n = rg_shape_count(rg_shape_of(v));
    double *y = block(n, sizeof *y);
    lab_run(plan);
    const void *data = rg_plan_data(plan, v);
    for (int64_t i = 0; i < n; i++)
        y[i] = element(data, rg_kind_dtype(rg_kind_of(v), real), i);
    rg_plan_destroy(&plan);
    return y;
}

double worst_error(const double *a, const double *b, int64_t n, double floor)
{
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isfinite(b[i]))
            scale = fmax(scale, fabs(b[i]));
        if (isnan(a[i]) != isnan(b[i]) || (!isnan(a[i]) && isinf(a[i]) != isinf(b[i])) ||
            (isinf(a[i]) && a[i] != b[i]))
            return INFINITY;
        if (isfinite(a[i]))
            worst = fmax(worst, fabs(a[i] - b[i]));
    }
    return worst == 0 ? 0 : worst / (scale + floor);
}

static bool same_zeros(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] == 0 && b[i] == 0 && signbit(a[i]) != signbit(b[i]))
            return false;
    return true;
}

/* One plan's answer; what is wrong with it is noted element by element. */
static void expect_from(lab *l, rg_val v, const char *what, const double *want, size_t n,
                        rg_dtype real, rg_effort effort)
{
    const char *precision = real == RG_F32 ? "f32" : "f64";
    const char *how = effort == RG_OPTIMIZE ? "optimized" : "interpreted";
    double *have = lab_values(l, v, real, effort);
    const double error = worst_error(have, want, (int64_t)n, 0);
    const bool good = error <= (real == RG_F32 ? 1e-6 : 1e-14) &&
                      (!l->signed_zeros || same_zeros(have, want, n));
    for (size_t i = 0; i < n && !good; i++)
        rgt_note("[%zu] is %.17g, not %.17g\n", i, have[i], want[i]);
    RGT_CHECK_MSG(good, "%s, %s %s: error %g", what, precision, how, error);
    free(have);
}

void lab_expect(lab *l, rg_val v, const char *what, const double *want, size_t n)
{
    RGT_CHECK_MSG(v.id != 0, "%s: %s", what, rg_graph_message(l->graph));
    RGT_CHECK_MSG(rg_shape_count(rg_shape_of(v)) == (int64_t)n, "%s has another shape", what);
    expect_from(l, v, what, want, n, RG_F32, RG_OPTIMIZE);
    expect_from(l, v, what, want, n, RG_F32, RG_INTERPRET);
    expect_from(l, v, what, want, n, RG_F64, RG_OPTIMIZE);
    expect_from(l, v, what, want, n, RG_F64, RG_INTERPRET);
}
