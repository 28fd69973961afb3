/* tests/ops/trial.c -- operands drawn for one operation, and its value by plan. */
#include "tests/ops/trial.h"

#include "base/philox.h"
#include "tests/rgt.h"

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
        double *x = malloc((size_t)(t->n[k] + 1) * sizeof *x);
        RGT_CHECK(x != NULL);
        for (int64_t i = 0; i < t->n[k]; i++) {
            const uint64_t draw = (uint64_t)(i + 1000 * (int64_t)k);
            const uint64_t many = s->in[k].kind == RG_BOOL ? 2 : s->bound ? (uint64_t)s->bound : 1;
            x[i] = s->in[k].kind == RG_F ? *at++ : (double)below(t->seed, draw, many);
        }
        (void)lab_input(&t->lab, s->in[k].kind, s->in[k].shape, x);
        free(x);
    }
    free(pool);
}

void trial_begin(trial *t, const rg_op *op, const rg_op_sample *sample, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    lab_begin(&t->lab);
    t->op = op;
    t->sample = sample;
    t->seed = seed;
    t->n_in = op->arity ? op->arity : sample->n_in;
    for (size_t k = 0; k < t->n_in; k++)
        t->n[k] = rg_shape_count(sample->in[k].shape);
    draw_operands(t);
    t->y = rg_emit_in(t->lab.graph, op, sample->attr, t->lab.in, t->n_in);
    RGT_CHECK_MSG(t->y.id, "%s", rg_graph_message(t->lab.graph));
}

void trial_end(trial *t)
{
    lab_end(&t->lab);
}

rg_val trial_input(trial *t, rg_shape shape)
{
    const rg_val v = lab_input(&t->lab, RG_F, shape, NULL);
    const size_t k = t->lab.n - 1;
    for (int64_t i = 0; i < rg_shape_count(shape); i++)
        ((double *)t->lab.data[k])[i] = rg_draw_normal(t->seed, RG_DOMAIN_USER, 100 + k,
                                                       (uint64_t)i);
    return v;
}

rg_val trial_dot(rg_val a, rg_val b)
{
    return rg_sum(rg_mul(a, b));
}

rg_plan *trial_plan(trial *t, const rg_val *roots, size_t n)
{
    return lab_plan(&t->lab, roots, n, RG_F64, RG_INTERPRET);
}

const char *trial_name(const rg_op *op, size_t sample)
{
    static char text[80];
    (void)snprintf(text, sizeof text, "%s, sample %zu", op->name, sample);
    return text;
}
