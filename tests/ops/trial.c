/* tests/ops/trial.c -- operands drawn for one operation, and its value by plan. */
#include "tests/ops/trial.h"

#include "base/checked.h"
#include "base/philox.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t below(uint64_t seed, uint64_t i, uint64_t n)
{
    return rg_draw_below(seed, RG_DOMAIN_USER, 11, i, n);
}

/* n numbers from lo .. hi, one from the middle of each of n equal strips, shuffled. */
static double *spread_numbers(double lo, double hi, int64_t n, uint64_t seed)
{
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    RGT_CHECK(x != NULL);
    for (int64_t i = 0; i < n; i++) {
        const double u = rg_draw_uniform(seed, RG_DOMAIN_USER, 12, (uint64_t)i);
        x[i] = lo + (hi - lo) * ((double)i + 0.4 + 0.2 * u) / (double)n;
    }
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)below(seed, (uint64_t)i, (uint64_t)i + 1);
        const double swap = x[i];
        x[i] = x[j];
        x[j] = swap;
    }
    return x;
}

static void draw_operands(trial *t)
{
    const rg_op_sample *s = t->sample;
    int64_t reals = 0;
    for (size_t k = 0; k < t->n_in; k++)
        reals += s->in[k].kind == RG_F ? t->n[k] : 0;
    double *pool = spread_numbers(s->lo, s->hi, reals, t->seed), *at = pool;
    for (size_t k = 0; k < t->n_in; k++) {
        const size_t bytes = (size_t)t->n[k] * rg_kind_size(s->in[k].kind, RG_F64);
        t->data[k] = calloc(1, bytes + 1);
        RGT_CHECK(t->data[k] != NULL);
        for (int64_t i = 0; i < t->n[k]; i++) {
            const uint64_t draw = (uint64_t)(i + 1000 * (int64_t)k);
            if (s->in[k].kind == RG_F)
                ((double *)t->data[k])[i] = *at++;
            else if (s->in[k].kind == RG_INT)
                ((int32_t *)t->data[k])[i] =
                    (int32_t)below(t->seed, draw, (uint64_t)(s->bound ? s->bound : 1));
            else
                ((uint8_t *)t->data[k])[i] = (uint8_t)below(t->seed, draw, 2);
        }
    }
    free(pool);
}

void trial_begin(trial *t, const rg_op *op, const rg_op_sample *sample, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->op = op;
    t->sample = sample;
    t->seed = seed;
    t->n_in = op->arity ? op->arity : sample->n_in;
    RGT_CHECK(rg_graph_create(&t->graph, NULL, NULL) == RG_OK);
    for (size_t k = 0; k < t->n_in; k++) {
        t->n[k] = rg_shape_count(sample->in[k].shape);
        t->in[k] = rg_input(t->graph, NULL, sample->in[k].kind, sample->in[k].shape);
    }
    draw_operands(t);
    t->y = rg_emit_in(t->graph, op, sample->attr, t->in, t->n_in);
    RGT_CHECK_MSG(t->y.id, "%s", rg_graph_message(t->graph));
}

void trial_end(trial *t)
{
    for (size_t k = 0; k < t->n_in; k++)
        free(t->data[k]);
    for (size_t k = 0; k < t->n_more; k++)
        free(t->more_data[k]);
    rg_graph_destroy(&t->graph);
}

rg_val trial_input(trial *t, rg_shape shape)
{
    const int64_t n = rg_shape_count(shape);
    const size_t k = t->n_more++;
    RGT_CHECK(t->n_more <= sizeof t->more / sizeof *t->more);
    double *x = t->more_data[k] = malloc((size_t)(n + 1) * sizeof *x);
    RGT_CHECK(x != NULL);
    for (int64_t i = 0; i < n; i++)
        x[i] = rg_draw_normal(t->seed, RG_DOMAIN_USER, 100 + k, (uint64_t)i);
    return t->more[k] = rg_input(t->graph, NULL, RG_F, shape);
}

rg_val trial_dot(rg_val a, rg_val b)
{
    return rg_sum(rg_mul(a, b));
}

static rg_plan *plan_of(const trial *t, const rg_val *roots, size_t n, const rg_plan_opts *opts)
{
    rg_plan *plan = NULL;
    RGT_CHECK_MSG(rg_plan_create(&plan, roots, n, opts) == RG_OK, "%s: %s", t->op->name,
                  rg_graph_message(t->graph));
    return plan;
}

static void bind(rg_plan *plan, rg_val v, const void *data, size_t bytes)
{
    RGT_CHECK_MSG(rg_plan_bind(plan, v, data, bytes) == RG_OK, "%s", rg_plan_message(plan));
}

rg_plan *trial_plan(const trial *t, const rg_val *roots, size_t n)
{
    rg_plan *plan = plan_of(t, roots, n, &(rg_plan_opts){ .real = RG_F64, .mode = RG_TRAIN,
                                                          .effort = RG_INTERPRET, .threads = 1 });
    for (size_t k = 0; k < t->n_in; k++)
        bind(plan, t->in[k], t->data[k],
             (size_t)t->n[k] * rg_kind_size(t->sample->in[k].kind, RG_F64));
    for (size_t k = 0; k < t->n_more; k++)
        bind(plan, t->more[k], t->more_data[k],
             (size_t)rg_shape_count(rg_shape_of(t->more[k])) * sizeof(double));
    return plan;
}

void trial_run(rg_plan *plan)
{
    *(int64_t *)rg_params_find(rg_plan_state(plan), "plan.run").data = 0;
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
}

/* What a plan of f32 is given: the same numbers, rounded. */
static void *as_float(const double *x, int64_t n)
{
    float *y = malloc((size_t)(n + 1) * sizeof *y);
    RGT_CHECK(y != NULL);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i];
    return y;
}

static double element(const void *data, rg_dtype dtype, int64_t i)
{
    return dtype == RG_F32   ? ((const float *)data)[i]
           : dtype == RG_F64 ? ((const double *)data)[i]
           : dtype == RG_I32 ? ((const int32_t *)data)[i]
                             : ((const uint8_t *)data)[i];
}

double *trial_values(const trial *t, rg_dtype real, rg_effort effort)
{
    rg_plan *plan = plan_of(t, &t->y, 1, &(rg_plan_opts){ .real = real, .mode = RG_TRAIN,
                                                          .effort = effort, .threads = 1 });
    const int64_t n = rg_shape_count(rg_shape_of(t->y));
    double *y = malloc((size_t)(n + 1) * sizeof *y);
    void *copy[TRIAL_MOST] = { NULL };
    for (size_t k = 0; k < t->n_in; k++) {
        const rg_kind kind = t->sample->in[k].kind;
        if (kind == RG_F && real == RG_F32)
            copy[k] = as_float(t->data[k], t->n[k]);
        bind(plan, t->in[k], copy[k] ? copy[k] : t->data[k],
             (size_t)t->n[k] * rg_kind_size(kind, real));
    }
    trial_run(plan);
    const void *data = rg_plan_data(plan, t->y);
    for (int64_t i = 0; i < n; i++)
        y[i] = element(data, rg_kind_dtype(rg_kind_of(t->y), real), i);
    for (size_t k = 0; k < t->n_in; k++)
        free(copy[k]);
    rg_plan_destroy(&plan);
    return y;
}

double worst_error(const double *a, const double *b, int64_t n, double floor)
{
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isfinite(b[i]))
            scale = fmax(scale, fabs(b[i]));
        if (isnan(a[i]) != isnan(b[i]) || ((isinf(a[i]) || isinf(b[i])) && a[i] != b[i] &&
                                           !isnan(a[i])))
            return INFINITY;
        if (isfinite(a[i]) && isfinite(b[i]))
            worst = fmax(worst, fabs(a[i] - b[i]));
    }
    return worst == 0 ? 0 : worst / (scale + floor);
}

const char *trial_name(const rg_op *op, size_t sample)
{
    static char text[80];
    (void)snprintf(text, sizeof text, "%s, sample %zu", op->name, sample);
    return text;
}
