/* cli/compare_flow.c -- how far back the gradient of the last step's state reaches: the norm of
 * ∂<v, h_T>/∂s against the lag, v a random unit vector per row. */
#include "cli/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 16 };

typedef struct probe {
    const study     *st;
    rg_problem_graph g;
    rg_plan         *plan;
    rg_val          *norm;   /* [T·n_state] */
    double          *x;
    float           *x32;
    size_t           n_x;
} probe;

/* <v, h>, rows apart: v from the store's seed, of unit length. */
static rg_val along(rg_graph *g, rg_val h)
{
    rg_val v = rg_normal(g, "direction", rg_shape_of(h));
    rg_val unit = rg_div(v, rg_norm_over(v, 1, true));
    return rg_sum(rg_mul(h, unit));
}

static int build(probe *p, rg_params *params, const contestant *who)
{
    const rg_problem *problem = &p->st->problem;
    const rg_problem_model m = { .cell = who->make, .cell_opts = &who->opts,
                                 .hidden = who->hidden };
    rg_status st = rg_problem_graph_create(&p->g, params, problem, &m, ROWS);
    const size_t n = p->g.n_state * (size_t)problem->T;
    if (st)
        return fail(exit_code(st), "%s", p->g.graph ? rg_graph_message(p->g.graph)
                                                    : rg_params_message(params));
    p->norm = calloc(n, sizeof *p->norm);
    p->n_x = (size_t)rg_shape_count(rg_shape_of(p->g.x));
    p->x = calloc(p->n_x, sizeof *p->x);
    p->x32 = calloc(p->n_x, sizeof *p->x32);
    if (!p->norm || !p->x || !p->x32)
        return fail(RUN_TIME, "no memory");
    rg_grad(p->norm, along(p->g.graph, p->g.states[n - p->g.n_state]), p->g.states, n);
    for (size_t i = 0; i < n; i++)
        p->norm[i] = rg_norm(p->norm[i]);
    st = rg_plan_create(&p->plan, p->norm, n, &(rg_plan_opts){ .threads = 1 });
    return st ? fail(exit_code(st), "%s", rg_graph_message(p->g.graph)) : DONE;
}

static int run(probe *p, uint64_t seed)
{
    const rg_problem *problem = &p->st->problem;
    double number[ROWS * 4];
    int32_t *label = calloc(ROWS * (size_t)problem->T, sizeof *label);
    if (!label)
        return fail(RUN_TIME, "no memory");
    rg_problem_batch(problem, p->x, problem->classes ? NULL : number,
                     problem->classes ? label : NULL, ROWS, seed, 0, true);
    free(label);
    for (size_t i = 0; i < p->n_x; i++)
        p->x32[i] = (float)p->x[i];
    rg_status st = rg_plan_bind(p->plan, p->g.x, p->x32, p->n_x * sizeof *p->x32);
    if (st == RG_OK)
        st = rg_plan_run(p->plan);
    return st ? fail(exit_code(st), "%s", rg_plan_message(p->plan)) : DONE;
}

/* Least squares of ln N over lags max(1, K/20) .. K. */
static double slope_of(const double *ln, size_t lags)
{
    double n = 0, sk = 0, sl = 0, skk = 0, skl = 0;
    for (size_t k = lags > 41 ? (lags - 1) / 20 : 1; k < lags; k++)
        if (ln[k] > log(1e-35)) {
            const double x = (double)k;
            n += 1, sk += x, sl += ln[k], skk += x * x, skl += x * ln[k];
        }
    return n < 2 ? -INFINITY : (n * skl - sk * sl) / (n * skk - sk * sk);
}

/* Of the states, the one whose gradient lasts longest. */
static void take(outcome *out, int after, probe *p)
{
    const size_t S = p->g.n_state, T = (size_t)p->st->problem.T;
    double ln[MAX_LAGS];
    out->n_lags[after] = T;
    out->slope[after] = -INFINITY;
    for (size_t k = 0; k < S; k++) {
        for (size_t lag = 0; lag < T; lag++)
            ln[lag] = log(rg_plan_scalar(p->plan, p->norm[(T - 1 - lag) * S + k]));
        const double slope = slope_of(ln, T);
        if (k > 0 && !(slope > out->slope[after]))
            continue;
        out->slope[after] = slope;
        memcpy(out->flow[after], ln, T * sizeof *ln);
    }
}

int flow_measure(outcome *out, int after, const study *st, rg_params *params,
                 const contestant *who, uint64_t seed)
{
    probe p = { .st = st };
    if (st->problem.T > MAX_LAGS)
        return DONE;
    int code = build(&p, params, who);
    if (code == DONE)
        code = run(&p, seed);
    if (code == DONE)
        take(out, after, &p);
    rg_plan_destroy(&p.plan);
    rg_problem_graph_destroy(&p.g);
    free(p.norm);
    free(p.x);
    free(p.x32);
    return code;
}
