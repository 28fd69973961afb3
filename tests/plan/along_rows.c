/* tests/plan/along_rows.c -- sums and softmax of rows in the tile programs around them: the bits of
 * steps of their own, and not one step more than a cell without them has. */
#include "tests/rgt.h"

#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 6, ROOTS = 4 };

/* γ∘(x - mean)/√(variance + ε) */
static rg_val normalized(rg_val x, rg_val gain)
{
    rg_val d = rg_sub(x, rg_mean_over(x, -1, true));
    rg_val deviation = rg_sqrt(rg_shift(rg_mean_over(rg_square(d), -1, true), 1e-5));
    return rg_mul(gain, rg_div(d, deviation));
}

/* ---- The same bits --------------------------------------------------------------------------- */

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, root[ROOTS];
    float     *data;
} net;

/* Columns 1 .. n of wider rows, normalized; weighted by a softmax; sums that lose their axis. */
static void net_open(net *n, int64_t cols)
{
    RGT_CHECK(rg_params_create(&n->params, 7, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(2, ROWS / 2, cols + 2));
    rg_val gain = rg_param(n->graph, NULL, "gain", RG_SHAPE(cols), rg_init_uniform(2));
    rg_val y = normalized(rg_slice(n->x, 2, 1, cols + 1), gain);
    rg_val weight = rg_softmax(y, -1), all = rg_logsumexp_over(rg_mul(y, weight), -1, false);
    rg_val top = rg_max_over(rg_log_softmax(rg_scale(y, 0.3), -1), -1, true);
    n->root[0] = rg_sum(rg_add(all, rg_squeeze(rg_tanh(top), -1)));
    n->root[1] = rg_mul(rg_sub(weight, top), y);
    const rg_val wrt[2] = { n->x, gain };
    rg_grad(n->root + 2, n->root[0], wrt, 2);
    RGT_CHECK_MSG(rg_graph_status(n->graph) == RG_OK, "%s", rg_graph_message(n->graph));
    n->data = calloc((size_t)(ROWS * (cols + 2)), sizeof *n->data);
    for (int64_t i = 0; i < ROWS * (cols + 2); i++)
        n->data[i] = (float)((i * 7919 + 13) % 1009) / 200 - 2.5F;
}

static void net_close(net *n)
{
    free(n->data);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static size_t count_of(rg_val v)
{
    return (size_t)rg_shape_count(rg_shape_of(v));
}

/* Equal numbers bit for bit, of either precision. */
static bool same(const void *a, const void *b, size_t n, rg_dtype real)
{
    return memcmp(a, b, n * (real == RG_F32 ? sizeof(float) : sizeof(double))) == 0;
}

static rg_plan *plan_of(const net *n, rg_dtype real, const char *disable, int threads)
{
    const size_t count = count_of(n->x);
    rg_plan *plan;
    double *wide = calloc(count, sizeof *wide);
    RGT_CHECK_MSG(rg_plan_create(&plan, n->root, ROOTS,
                                 &(rg_plan_opts){ .real = real, .threads = threads,
                                                  .disable = disable, .verify = true,
                                                  .poison = true }) == RG_OK,
                  "%s", rg_graph_message(n->graph));
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)n->data[i];
    RGT_CHECK(rg_plan_bind(plan, n->x, real == RG_F32 ? (void *)n->data : wide,
                           count * (real == RG_F32 ? sizeof(float) : sizeof(double))) == RG_OK);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    free(wide);
    return plan;
}

RGT_TEST(along_rows, fused_or_not_on_any_team_the_bits_are_the_same)
{
    static const int64_t cols[] = { 2, 3, 7, 16, 17, 31, 64, 65, 100, 130, 1023, 1024, 1025 };
    for (size_t k = 0; k < sizeof cols / sizeof *cols; k++)
        for (int real = 0; real < 2; real++) {
            net n;
            net_open(&n, cols[k]);
            rg_plan *apart = plan_of(&n, (rg_dtype)real, "fuse", 1);
            for (int threads = 1; threads <= 3; threads++) {
                rg_plan *fused = plan_of(&n, (rg_dtype)real, NULL, threads);
                for (int r = 0; r < ROOTS; r++)
                    RGT_CHECK_MSG(same(rg_plan_data(apart, n.root[r]),
                                       rg_plan_data(fused, n.root[r]), count_of(n.root[r]),
                                       (rg_dtype)real),
                                  "root %d, %d columns, f%d, %d threads", r, (int)cols[k],
                                  real == RG_F32 ? 32 : 64, threads);
                rg_plan_destroy(&fused);
            }
            rg_plan_destroy(&apart);
            net_close(&n);
        }
}

/* ---- No step more ---------------------------------------------------------------------------- */

struct steps {
    size_t all, sums, columns;
};

static void count_step(void *user, const rg_timed_step *step)
{
    struct steps *s = user;
    s->all++;
    s->sums += strcmp(step->kernel, "sum_over") == 0;
    s->columns += strcmp(step->kernel, "sum_columns") == 0;
}

/* A step of training h' = tanh(γ∘norm(x·U + h·W)), or without the norm, over T steps. */
static struct steps steps_of(int64_t T, int64_t H, bool norm)
{
    enum { B = 4, I = 3 };
    struct steps s = { 0, 0, 0 };
    const rg_trace trace = { .user = &s, .step = count_step };
    rg_params *params;
    rg_graph *g;
    rg_plan *plan;
    RGT_CHECK(rg_params_create(&params, 7, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&g, params, NULL) == RG_OK);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I)), h = rg_zeros(g, RG_SHAPE(B, H));
    rg_val U = rg_param(g, NULL, "U", RG_SHAPE(I, H), rg_init_uniform(0.5));
    rg_val W = rg_param(g, NULL, "W", RG_SHAPE(H, H), rg_init_uniform(0.1));
    rg_val gain = rg_param(g, NULL, "gain", RG_SHAPE(H), rg_init_const(1));
    for (int t = 0; t < T; t++) {
        rg_val z = rg_add(rg_matmul(rg_select(X, 0, t), U), rg_matmul(h, W));
        h = rg_tanh(norm ? normalized(z, gain) : rg_mul(gain, z));
    }
    RGT_CHECK_MSG(rg_plan_create_train(&plan, rg_mean(rg_square(h)), NULL, 0,
                                       &(rg_plan_opts){ .threads = 1, .verify = true,
                                                        .trace = &trace }) == RG_OK,
                  "%s", rg_graph_message(g));
    float *x = calloc((size_t)(T * B * I), sizeof *x);
    RGT_CHECK(rg_plan_bind(plan, X, x, (size_t)(T * B * I) * sizeof *x) == RG_OK);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    free(x);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
    return s;
}

RGT_TEST(along_rows, a_norm_costs_a_cell_no_step)
{
    const struct steps plain = steps_of(9, 16, false), norm = steps_of(9, 16, true);
    RGT_CHECK_MSG(norm.sums <= 1 && norm.all <= plain.all + 2, "%zu steps, %zu of them sums; %zu",
                  norm.all, norm.sums, plain.all);
}

/* The gradient of γ: one sum of columns, however many steps it is summed over. */
RGT_TEST(along_rows, column_sums_over_time_are_one)
{
    const struct steps few = steps_of(3, 16, true), many = steps_of(12, 16, true);
    RGT_CHECK_MSG(many.columns <= few.columns && many.columns <= 2, "%zu, then %zu sums of columns",
                  few.columns, many.columns);
}

RGT_TEST(along_rows, long_rows_keep_steps_of_their_own)
{
    RGT_CHECK(steps_of(2, 1024, true).sums <= 1);
    RGT_CHECK(steps_of(2, 1025, true).sums >= 2 * 2);
}
