/* tests/plan/regions.c -- rows that run through many steps without meeting: the same bits for any
 * team, with regions and without, and no region where rows mix. With poison the threads of a
 * region run one after the other, from the first or from the last by turns, and what is dead is
 * NaN: a row that needs another thread's shows in one order or the other. */
#include "plan/code.h"
#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { ROOTS = 64 };

/* What is unrolled over [T,B,I]; odd B are no multiple of anything. */
enum kind { LSTM, GRU, GRU_AFTER, STACKED, BIDIRECTIONAL, MASKED, SECOND_ORDER, LAYER_NORM,
            ELEMENTWISE, KINDS };

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, lengths, root[ROOTS];
    size_t     n_root;
    float     *data;
    int32_t   *length;
    int64_t    T, B, I, H;
} net;

static rg_val unroll(const net *n, const rg_cell *cell, bool masked, bool backward)
{
    const rg_unroll_opts o = { .reverse = backward,
                               .mask = masked ? rg_length_mask(n->lengths, n->T) : RG_NONE };
    return rg_unroll(NULL, cell, n->x, NULL, &o);
}

/* h' = tanh(norm(x·U + h·W)), each row with its own mean and deviation. */
static rg_val layer_norm(const net *n)
{
    rg_val U = rg_param(n->graph, NULL, "U", RG_SHAPE(n->I, n->H), rg_init_uniform(0.4));
    rg_val W = rg_param(n->graph, NULL, "W", RG_SHAPE(n->H, n->H), rg_init_uniform(0.3));
    rg_val h = rg_zeros(n->graph, RG_SHAPE(n->B, n->H)), hs[16];
    for (int t = 0; t < n->T; t++) {
        rg_val z = rg_add(rg_matmul(rg_select(n->x, 0, t), U), rg_matmul(h, W));
        rg_val d = rg_sub(z, rg_mean_over(z, 1, true));
        rg_val s = rg_sqrt(rg_shift(rg_mean_over(rg_square(d), 1, true), 1e-3));
        h = hs[t] = rg_tanh(rg_div(d, s));
    }
    return rg_stack(hs, (size_t)n->T, 0);
}

/* h' = tanh(a·h + x): no product at all; one tile program, unless nothing is fused. */
static rg_val elementwise(const net *n)
{
    rg_val a = rg_param(n->graph, NULL, "a", RG_SHAPE(n->I), rg_init_uniform(0.9));
    rg_val h = rg_zeros(n->graph, RG_SHAPE(n->B, n->I)), hs[16];
    for (int t = 0; t < n->T; t++)
        h = hs[t] = rg_tanh(rg_add(rg_mul(h, a), rg_select(n->x, 0, t)));
    return rg_stack(hs, (size_t)n->T, 0);
}

static rg_val outputs(net *n, enum kind kind)
{
    rg_graph *g = n->graph;
    rg_cell a, two[2];
    if (kind == LAYER_NORM)
        return layer_norm(n);
    if (kind == ELEMENTWISE)
        return elementwise(n);
    if (kind == GRU || kind == GRU_AFTER)
        a = rg_gru(g, "a", n->I, n->H, &(rg_cell_opts){ .reset_after = kind == GRU_AFTER });
    else
        a = rg_lstm(g, "a", n->I, n->H, NULL);
    if (kind == STACKED) {
        two[0] = a;
        two[1] = rg_gru(g, "b", n->H, n->H, NULL);
        a = rg_stacked(g, two, 2, 0.2);
    }
    if (kind != BIDIRECTIONAL)
        return unroll(n, &a, kind == MASKED, false);
    rg_cell b = rg_lstm(g, "b", n->I, n->H, NULL);
    const rg_val both[2] = { unroll(n, &a, false, false), unroll(n, &b, false, true) };
    return rg_concat(both, 2, 2);
}

/* The loss, all gradients; for the second order those of their squares too. */
static void differentiate(net *n, rg_val hs, enum kind kind)
{
    rg_val of[ROOTS];
    n->root[0] = rg_mean(rg_square(hs));
    n->n_root = 1 + rg_graph_params(of, ROOTS / 2, n->graph);
    of[n->n_root - 1] = n->x;
    rg_grad(n->root + 1, n->root[0], of, n->n_root++);
    if (kind != SECOND_ORDER)
        return;
    rg_val sum = rg_mean(rg_square(n->root[n->n_root - 1]));
    rg_grad(n->root + 1, sum, of, n->n_root - 1);
}

static void net_begin(net *n, enum kind kind, int64_t T, int64_t B, int64_t I, int64_t H)
{
    *n = (net){ .T = T, .B = B, .I = I, .H = H };
    RGT_CHECK(rg_params_create(&n->params, 5, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(T, B, I));
    n->lengths = rg_input(n->graph, "lengths", RG_INT, RG_SHAPE(B));
    differentiate(n, outputs(n, kind), kind);
    n->data = malloc((size_t)(T * B * I) * sizeof *n->data);
    n->length = malloc((size_t)B * sizeof *n->length);
    for (int64_t i = 0; i < T * B * I; i++)
        n->data[i] = sinf(0.7f * (float)i);
    for (int64_t i = 0; i < B; i++)
        n->length[i] = (int32_t)(i * 5 % (T + 1));
}

static void net_end(net *n)
{
    free(n->data);
    free(n->length);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static rg_plan *net_plan(net *n, int threads, const char *disable, bool poison)
{
    rg_plan *plan;
    /* without BLAS: its products have no rows of their own, and some CPUs would choose it */
    const rg_plan_opts o = { .threads = threads, .portable = true, .disable = disable,
                             .poison = poison, .verify = true };
    RGT_CHECK_MSG(rg_plan_create(&plan, n->root, n->n_root, &o) == RG_OK, "%s",
                  rg_graph_message(n->graph));
    RGT_CHECK(rg_plan_bind(plan, n->x, n->data, (size_t)(n->T * n->B * n->I) * 4) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, n->lengths, n->length, (size_t)n->B * 4) == RG_OK);
    return plan;
}

/* All roots of this run, one behind the other. */
static size_t run(net *n, rg_plan *plan, float **out)
{
    size_t total = 0;
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    for (size_t i = 0; i < n->n_root; i++)
        total += (size_t)rg_shape_count(rg_shape_of(n->root[i]));
    float *at = *out = malloc(total * sizeof **out);
    for (size_t i = 0; i < n->n_root; i++) {
        const size_t count = (size_t)rg_shape_count(rg_shape_of(n->root[i]));
        memcpy(at, rg_plan_data(plan, n->root[i]), count * sizeof *at);
        at += count;
    }
    return total;
}

static const rg_code *code_of(const rg_plan *plan)
{
    return (const rg_code *)plan->exec;
}

/* Steps that run by rows. */
static size_t steps_by_rows(const rg_plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < code_of(plan)->n_region; i++)
        if (code_of(plan)->region[i].by_rows)
            n += code_of(plan)->region[i].end - code_of(plan)->region[i].first;
    return n;
}

/* ---- Bits ----------------------------------------------------------------------------------- */

static bool same_runs(net *n, rg_plan *plan, float *const *want)
{
    bool same = true;
    for (int k = 0; k < 2; k++) {
        float *have;
        const size_t total = run(n, plan, &have);
        same &= memcmp(have, want[k], total * sizeof *have) == 0;
        free(have);
    }
    return same;
}

static void check_net(enum kind kind, int64_t B)
{
    static const int team[] = { 1, 2, 3, 4, 8 };
    const char *disable = kind == ELEMENTWISE ? "solo fuse" : "solo";
    net n;
    float *want[2];
    net_begin(&n, kind, 8, B, 7, 19);
    rg_plan *plain = net_plan(&n, 1, "regions", false);
    RGT_CHECK(code_of(plain)->n_region == 0);
    run(&n, plain, &want[0]);
    run(&n, plain, &want[1]);
    for (int i = 0; i < 5; i++)
        for (int poison = 0; poison < (team[i] == 4 ? 1 : 2); poison++) {
            rg_plan *plan = net_plan(&n, team[i], disable, poison);
            RGT_CHECK_MSG(team[i] == 1 || 4 * steps_by_rows(plan) > code_of(plan)->n_step,
                          "kind %d, %d rows: %zu of %zu steps", (int)kind, (int)B,
                          steps_by_rows(plan), code_of(plan)->n_step);
            RGT_CHECK_MSG(same_runs(&n, plan, want), "kind %d, %d rows, %d threads, poison %d",
                          (int)kind, (int)B, team[i], poison);
            rg_plan_destroy(&plan);
        }
    free(want[0]);
    free(want[1]);
    rg_plan_destroy(&plain);
    net_end(&n);
}

RGT_TEST(regions, bits_are_those_of_any_team_and_of_no_regions)
{
    static const int64_t rows[] = { 5, 8, 21 };
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < 3; i++)
            check_net((enum kind)kind, rows[i]);
}

/* ---- Where rows mix ------------------------------------------------------------------------- */

enum mixing { A_PRODUCT_FROM_THE_LEFT, A_MEAN_OF_ALL, A_TURN, A_REVERSAL, MIXINGS };

/* One step in which rows meet. */
static rg_val mix(rg_val h, rg_val M, enum mixing how)
{
    switch (how) {
    case A_PRODUCT_FROM_THE_LEFT:
        return rg_matmul(M, h);
    case A_MEAN_OF_ALL:
        return rg_sub(h, rg_mean_over(h, 0, true));
    case A_TURN:
        return rg_transpose(h, (const int[]){ 1, 0 }, 2);
    default:
        return rg_reverse(h, 0);
    }
}

static void mixing_net(net *n, enum mixing how)
{
    enum { STEPS = 6, SIDE = 24 };
    *n = (net){ .T = 1, .B = SIDE, .I = SIDE, .n_root = 1 };
    RGT_CHECK(rg_params_create(&n->params, 5, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(1, SIDE, SIDE));
    n->lengths = rg_input(n->graph, "lengths", RG_INT, RG_SHAPE(SIDE));
    rg_val M = rg_param(n->graph, NULL, "M", RG_SHAPE(SIDE, SIDE), rg_init_uniform(0.3));
    rg_val h = rg_select(n->x, 0, 0);
    for (int t = 0; t < STEPS; t++)
        h = rg_tanh(rg_exp(rg_neg(mix(h, M, how))));
    n->root[0] = h;
    n->data = malloc(SIDE * SIDE * sizeof *n->data);
    n->length = calloc(SIDE, sizeof *n->length);
    for (int i = 0; i < SIDE * SIDE; i++)
        n->data[i] = sinf(0.7f * (float)i);
}

RGT_TEST(regions, there_is_none_where_rows_mix)
{
    for (int how = 0; how < MIXINGS; how++) {
        net n;
        mixing_net(&n, (enum mixing)how);
        rg_plan *plan = net_plan(&n, 2, "solo", true);
        RGT_CHECK_MSG(code_of(plan)->n_region == 0, "kind %d", how);
        rg_plan_destroy(&plan);
        net_end(&n);
    }
}

/* ---- The checks can fail -------------------------------------------------------------------- */

/* All steps from `first` on as a region, whatever they touch. */
static void force_region(rg_plan *plan, int64_t rows)
{
    rg_code *c = (rg_code *)plan->exec;
    size_t end = 0;
    RGT_CHECK((c->region = rg_arena_get(c->arena, sizeof *c->region)) != NULL);
    for (; end < c->n_step && c->step[end].run_rows && c->step[end].rows % rows == 0; end++)
        c->step[end].a_row = c->step[end].rows / rows;
    c->n_region = 1;
    c->region[0] = (rg_region){ 0, end, rows, 3, true };
    RGT_CHECK(end > 3);
}

/* Values of two runs, which run the threads in both orders. */
static bool forced_is_right(enum mixing how, bool force)
{
    net n;
    float *want[2];
    mixing_net(&n, how);
    rg_plan *plain = net_plan(&n, 1, "regions", false);
    run(&n, plain, &want[0]);
    run(&n, plain, &want[1]);
    rg_plan *plan = net_plan(&n, 2, "solo inplace", true);
    if (force)
        force_region(plan, n.B);
    const bool right = same_runs(&n, plan, want);
    free(want[0]);
    free(want[1]);
    rg_plan_destroy(&plan);
    rg_plan_destroy(&plain);
    net_end(&n);
    return right;
}

RGT_TEST(regions, threads_in_turn_show_rows_that_mix)
{
    for (int how = 0; how < MIXINGS; how++)
        RGT_CHECK(forced_is_right((enum mixing)how, false));
    RGT_CHECK(!forced_is_right(A_PRODUCT_FROM_THE_LEFT, true));
    RGT_CHECK(!forced_is_right(A_TURN, true));
}

RGT_TEST(regions, verification_sees_rows_that_meet_in_memory)
{
    net n;
    rg_err err = { .status = RG_OK };
    net_begin(&n, LSTM, 6, 16, 7, 19);
    rg_plan *plan = net_plan(&n, 2, "solo", false);
    rg_code *c = (rg_code *)plan->exec;
    RGT_CHECK(c->n_region >= 2 && rg_code_verify_regions(c, &err) == RG_OK);
    size_t seen = 0;
    for (size_t i = c->region[0].first + 1; i < c->region[0].end; i++) {
        rg_task *s = &c->step[i];
        const int64_t pitch = s->line[s->n_in].pitch;
        s->line[s->n_in].pitch = pitch + 4; /* a result in other lines */
        seen += rg_code_verify_regions(c, &err) == RG_EINTERNAL && rgt_has(err.text, "region 1");
        s->line[s->n_in].pitch = pitch;
        s->arg[s->n_in].offset += 4 * (size_t)n.H / 2; /* a result half a line later */
        seen += rg_code_verify_regions(c, &err) == RG_EINTERNAL;
        s->arg[s->n_in].offset -= 4 * (size_t)n.H / 2;
    }
    RGT_CHECK_MSG(seen >= c->region[0].end - c->region[0].first, "%zu", seen);
    RGT_CHECK(rg_code_verify_regions(c, &err) == RG_OK);
    rg_plan_destroy(&plan);
    net_end(&n);
}

/* ---- Memory, choice, printing --------------------------------------------------------------- */

static size_t arena_of(int64_t T, const char *disable)
{
    net n;
    net_begin(&n, LSTM, T, 16, 8, 32);
    rg_plan *plan = net_plan(&n, 2, disable, false);
    const size_t bytes = code_of(plan)->arena_bytes;
    rg_plan_destroy(&plan);
    net_end(&n);
    return bytes;
}

RGT_TEST(regions, memory_serves_again_within_one)
{
    const size_t with = arena_of(64, "solo"), without = arena_of(64, "solo regions");
    RGT_CHECK_MSG(with <= without + without / 50, "%zu and %zu bytes", with, without);
}

RGT_TEST(regions, few_rows_of_wide_weights_run_by_columns)
{
    static const struct { int64_t B, H; int threads; bool by_rows; } want[] = {
        { 32, 64, 2, true }, { 20, 200, 2, true }, { 2, 256, 2, false }, { 8, 256, 2, true },
        { 8, 256, 64, false }, { 64, 256, 8, true },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        net n;
        net_begin(&n, LSTM, 4, want[i].B, 8, want[i].H);
        rg_plan *plan = net_plan(&n, 2, "solo", false);
        rg_code *c = (rg_code *)plan->exec;
        rg_code_choose(c, want[i].threads);
        RGT_CHECK_MSG((steps_by_rows(plan) > 0) == want[i].by_rows, "B %d, H %d, %d threads",
                      (int)want[i].B, (int)want[i].H, want[i].threads);
        rg_plan_destroy(&plan);
        net_end(&n);
    }
}

RGT_TEST(regions, a_printout_shows_them)
{
    net n;
    rgt_text text = { .data = NULL };
    net_begin(&n, LSTM, 6, 16, 7, 19);
    rg_plan *plan = net_plan(&n, 2, "solo", false);
    rg_plan_print(plan, rgt_write, &text);
    RGT_CHECK_MSG(rgt_has(text.data, "16 rows in panels of 2, run by rows"), "%s", text.data);
    rgt_text_free(&text);
    rg_plan_destroy(&plan);
    net_end(&n);
}
