/* train/trial_test.c -- how well a model answers the test rows of a problem, summed in f64; batches
 * for plans of both precisions. */
#include "train/trial.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/real.h"
#include "graph/params.h"

#include <math.h>
#include <string.h>

/* ---- Batches -------------------------------------------------------------------------------- */

static size_t y_bytes(const rg_feed *f)
{
    return f->n_y * (f->problem->classes ? sizeof *f->label
                     : rg_dtype_size(f->real));
}

rg_status rg_feed_create(rg_feed *f, const rg_problem *p, const rg_problem_graph *g, rg_plan *plan,
                         int64_t B, rg_err *err)
{
    rg_alloc a;
    rg_status st;
    (void)rg_alloc_resolve(&a, NULL);
    *f = (rg_feed){ .problem = p, .B = B, .real = rg_plan_facts(plan).real,
                    .n_x = (size_t)rg_shape_count(rg_shape_of(g->x)),
                    .n_y = (size_t)rg_shape_count(rg_shape_of(g->y)) };
    f->x = rg_get(&a, f->n_x * sizeof *f->x);
    f->x32 = rg_get(&a, f->n_x * sizeof *f->x32);
    f->number = p->classes ? NULL : rg_get(&a, f->n_y * sizeof *f->number);
    f->number32 = rg_get(&a, f->n_y * sizeof *f->number32);
    f->label = rg_get(&a, f->n_y * sizeof *f->label);
    if (!f->x || !f->x32 || !f->number32 || !f->label || (!p->classes && !f->number))
        return rg_fail(err, RG_ENOMEM, "problem %s: no memory for a batch", p->name);
    const bool f64 = f->real == RG_F64;
    const void *x = f64 ? (void *)f->x : f->x32;
    const void *y = p->classes ? (void *)f->label : f64 ? (void *)f->number : f->number32;
    if ((st = rg_plan_bind(plan, g->x, x, f->n_x * rg_dtype_size(f->real))) ||
        (st = rg_plan_bind(plan, g->y, y, y_bytes(f))))
        return rg_fail(err, st, "%s", rg_plan_message(plan));
    return RG_OK;
}

void rg_feed_fill(rg_feed *f, uint64_t seed, uint64_t step, bool test)
{
    rg_problem_batch(f->problem, f->x, f->number, f->problem->classes ? f->label : NULL, f->B,
                     seed, step, test);
    if (f->real == RG_F64)
        return;
    for (size_t i = 0; i < f->n_x; i++)
        f->x32[i] = (float)f->x[i];
    for (size_t i = 0; i < f->n_y && f->number; i++)
        f->number32[i] = (float)f->number[i];
}

void rg_feed_release(rg_feed *f)
{
    rg_alloc a;
    (void)rg_alloc_resolve(&a, NULL);
    rg_release(&a, f->x, f->n_x * sizeof *f->x);
    rg_release(&a, f->x32, f->n_x * sizeof *f->x32);
    rg_release(&a, f->number, f->n_y * sizeof *f->number);
    rg_release(&a, f->number32, f->n_y * sizeof *f->number32);
    rg_release(&a, f->label, f->n_y * sizeof *f->label);
    memset(f, 0, sizeof *f);
}

/* ---- Testing -------------------------------------------------------------------------------- */

enum { MOST_ROWS = 256 };

/* Rows of a test batch: few enough for memory, all of them if they are few. */
static int64_t rows_of(const rg_problem *p)
{
    return p->test && p->test < MOST_ROWS ? (int64_t)p->test : MOST_ROWS;
}

rg_status rg_tester_create(rg_tester *t, rg_params *params, const rg_problem *p,
                           const rg_problem_model *model, const rg_plan_opts *plan, rg_err *err)
{
    const int64_t B = p ? rows_of(p) : 0;
    rg_plan_opts opts = plan ? *plan : (rg_plan_opts){ .threads = 0 };
    *t = (rg_tester){ .problem = p };
    rg_status st = rg_problem_graph_create(&t->g, params, p, model, B);
    opts.mode = RG_EVALUATE;
    opts.accumulate = false;
    if (st == RG_OK)
        st = rg_plan_create(&t->plan, &t->g.z, 1, &opts);
    if (st)
        return rg_fail(err, st, "%s", t->g.graph ? rg_graph_message(t->g.graph)
                                                 : rg_params_message(params));
    return rg_feed_create(&t->feed, p, &t->g, t->plan, B, err);
}

void rg_tester_destroy(rg_tester *t)
{
    rg_feed_release(&t->feed);
    rg_plan_destroy(&t->plan);
    rg_problem_graph_destroy(&t->g);
}

typedef struct sums {
    double   loss, right;
    uint64_t answers, scored;
} sums;

static double element(const rg_feed *f, const void *z, size_t i)
{
    return rg_real_at(z, f->real, i);
}

/* -ln softmax(z)[label] of one answer; was the label the largest? */
static double nats_of(const rg_feed *f, const void *z, size_t at, int32_t label, bool *right)
{
    const size_t O = (size_t)f->problem->O, y = at + (size_t)label;
    double most = element(f, z, at), sum = 0;
    for (size_t o = 0; o < O; o++)
        most = fmax(most, element(f, z, at + o));
    for (size_t o = 0; o < O; o++)
        sum += exp(element(f, z, at + o) - most);
    *right = true;
    for (size_t o = 0; o < O; o++)
        *right &= at + o == y || element(f, z, at + o) < element(f, z, y);
    return most + log(sum) - element(f, z, y);
}

/* Answers of row b. */
static void add_classes(sums *s, const rg_feed *f, const void *z, int64_t b)
{
    const rg_problem *p = f->problem;
    const int64_t answers = p->every_step ? p->T : 1;
    const int64_t from = p->scored && p->every_step ? answers - p->scored : 0;
    for (int64_t t = 0; t < answers; t++) {
        const size_t i = (size_t)(t * f->B + b);
        bool right;
        s->loss += nats_of(f, z, i * (size_t)p->O, f->label[i], &right);
        s->answers++;
        if (t >= from) {
            s->right += right;
            s->scored++;
        }
    }
}

static void add_numbers(sums *s, const rg_feed *f, const void *z, int64_t b)
{
    for (size_t o = 0, O = (size_t)f->problem->O; o < O; o++) {
        const double e = element(f, z, (size_t)b * O + o) - f->number[(size_t)b * O + o];
        s->loss += e * e / (double)O;
    }
    s->answers++;
}

rg_status rg_tester_run(rg_problem_score *score, rg_tester *t, uint64_t seed, uint64_t rows,
                        rg_err *err)
{
    const uint64_t B = (uint64_t)t->feed.B;
    sums s = { .loss = 0 };
    if (!rows || (t->problem->test && rows > t->problem->test))
        rows = t->problem->test ? t->problem->test : B;
    for (uint64_t step = 0; step * B < rows; step++) {
        rg_feed_fill(&t->feed, seed, step, true);
        rg_status st = rg_plan_run(t->plan);
        if (st)
            return rg_fail(err, st, "%s", rg_plan_message(t->plan));
        const void *z = rg_plan_data(t->plan, t->g.z);
        for (uint64_t b = 0; b < B && step * B + b < rows; b++)
            (t->problem->classes ? add_classes : add_numbers)(&s, &t->feed, z, (int64_t)b);
    }
    score->loss = s.loss / (double)s.answers;
    score->rmse = t->problem->classes ? NAN : sqrt(score->loss);
    score->accuracy = t->problem->classes ? s.right / (double)s.scored : NAN;
    return RG_OK;
}

rg_status rg_problem_test(rg_problem_score *score, rg_params *params, const rg_problem *p,
                          const rg_problem_model *model, uint64_t seed, uint64_t rows,
                          const rg_plan_opts *plan)
{
    rg_tester t;
    if (!score || !params)
        return RG_EARG;
    rg_status st = rg_tester_create(&t, params, p, model, plan, &params->err);
    if (st == RG_OK)
        st = rg_tester_run(score, &t, seed, rows, &params->err);
    rg_tester_destroy(&t);
    return st;
}
