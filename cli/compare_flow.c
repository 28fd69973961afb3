/* cli/compare_flow.c -- how far back the gradient of the last step's state reaches, on rows of the
 * study: rg_gradflow() by its probe `end`. */
#include "cli/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 16, DRAWS = 4 };

/* A model of the study with test rows bound to it. */
typedef struct bound {
    rg_problem_graph g;
    rg_plan         *plan;
    double          *x;
    float           *x32;
    double          *number;
    int32_t         *label;
    size_t           n_x, n_y;
} bound;

static int build(bound *b, const study *st, rg_params *params, const contestant *who)
{
    const rg_problem_model m = { .cell = who->make, .cell_opts = &who->opts,
                                 .hidden = who->hidden };
    rg_status status = rg_problem_graph_create(&b->g, params, &st->problem, &m, ROWS);
    if (status == RG_OK)
        status = rg_plan_create(&b->plan, &b->g.z, 1, &(rg_plan_opts){ .threads = 1,
                                                                       .mode = RG_EVALUATE });
    if (status)
        return fail(exit_code(status), "%s", b->g.graph ? rg_graph_message(b->g.graph)
                                                        : rg_params_message(params));
    b->n_x = (size_t)rg_shape_count(rg_shape_of(b->g.x));
    b->n_y = (size_t)rg_shape_count(rg_shape_of(b->g.y));
    b->x = calloc(b->n_x, sizeof *b->x);
    b->x32 = calloc(b->n_x, sizeof *b->x32);
    b->number = calloc(b->n_y, sizeof *b->number);
    b->label = calloc(b->n_y, sizeof *b->label);
    return b->x && b->x32 && b->number && b->label ? DONE : fail(RUN_TIME, "no memory");
}

static int bind(bound *b, const study *st, uint64_t seed)
{
    const rg_problem *p = &st->problem;
    rg_problem_batch(p, b->x, p->classes ? NULL : b->number, p->classes ? b->label : NULL, ROWS,
                     seed, 0, true);
    for (size_t i = 0; i < b->n_x; i++)
        b->x32[i] = (float)b->x[i];
    rg_status status = rg_plan_bind(b->plan, b->g.x, b->x32, b->n_x * sizeof *b->x32);
    return status ? fail(exit_code(status), "%s", rg_plan_message(b->plan)) : DONE;
}

/* Of the states, the one whose gradient lasts longest. */
static void take(outcome *out, int after, const rg_gradflow_report *r)
{
    const rg_flow_state *best = &r->state[0];
    for (size_t k = 1; k < r->n_state; k++)
        if (r->state[k].slope > best->slope)
            best = &r->state[k];
    out->slope[after] = best->slope;
    out->n_lags[after] = best->lags < MAX_LAGS ? (size_t)best->lags : MAX_LAGS;
    for (size_t lag = 0; lag < out->n_lags[after]; lag++)
        out->flow[after][lag] = log(best->norm[lag]);
}

static int measure_it(outcome *out, int after, bound *b, uint64_t seed)
{
    rg_gradflow_report *report = NULL;
    const rg_gradflow_opts opts = { .data = b->plan, .draws = DRAWS, .threads = 1, .seed = seed };
    int code = DONE;
    rg_status status = rg_gradflow(&report, b->g.z, &opts);
    if (status)
        code = fail(exit_code(status), "%s", report ? report->message : "no memory");
    else
        take(out, after, report);
    rg_gradflow_destroy(&report);
    return code;
}

int flow_measure(outcome *out, int after, const study *st, rg_params *params,
                 const contestant *who, uint64_t seed)
{
    bound b = { .plan = NULL };
    if (st->problem.T > MAX_LAGS)
        return DONE;
    int code = build(&b, st, params, who);
    if (code == DONE)
        code = bind(&b, st, seed);
    if (code == DONE)
        code = measure_it(out, after, &b, seed);
    rg_plan_destroy(&b.plan);
    rg_problem_graph_destroy(&b.g);
    free(b.x);
    free(b.x32);
    free(b.number);
    free(b.label);
    return code;
}
