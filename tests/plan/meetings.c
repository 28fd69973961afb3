/* tests/plan/meetings.c -- few rows on several threads: each computes the same columns of every
 * gate and of what follows, so that the team meets once for each time step and direction; and the
 * bits are those of one thread. With poison the threads run one after the other between meetings,
 * from the first or from the last by turns, over memory that was NaN when the run began: what
 * would have to wait shows in one order or the other. */
#include "plan/code.h"
#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 12, ROOTS = 32 };

/* What is unrolled over [STEPS,B,I]. */
enum kind { LSTM, GRU, GRU_AFTER, RNN, TWO_WAYS, DEEP, KINDS };

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, root[ROOTS];
    size_t     n_root;
    float     *data;
    int64_t    B, I, H;
} net;

static rg_cell cell_of(const net *n, enum kind kind, const char *group, int64_t inputs)
{
    const rg_cell_opts after = { .reset_after = kind == GRU_AFTER };
    if (kind == GRU || kind == GRU_AFTER)
        return rg_gru(n->graph, group, inputs, n->H, &after);
    return kind == RNN ? rg_rnn(n->graph, group, inputs, n->H, NULL)
                       : rg_lstm(n->graph, group, inputs, n->H, NULL);
}

static rg_val outputs(const net *n, enum kind kind)
{
    rg_cell a = cell_of(n, kind, "a", n->I);
    if (kind == DEEP) {
        rg_cell two[2] = { a, cell_of(n, GRU, "b", n->H) };
        a = rg_stacked(n->graph, two, 2, 0);
    }
    rg_val hs = rg_unroll(NULL, &a, n->x, NULL, NULL);
    if (kind != TWO_WAYS)
        return hs;
    rg_cell b = cell_of(n, kind, "b", n->I);
    const rg_val both[2] = {
        hs, rg_unroll(NULL, &b, n->x, NULL, &(rg_unroll_opts){ .reverse = true }) };
    return rg_concat(both, 2, 2);
}

static void net_begin(net *n, enum kind kind, int64_t B, int64_t H, bool train)
{
    *n = (net){ .B = B, .I = 5, .H = H, .n_root = 1 };
    RGT_CHECK(rg_params_create(&n->params, 5, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(STEPS, B, n->I));
    n->root[0] = outputs(n, kind);
    if (train) {
        rg_val of[ROOTS];
        n->root[0] = rg_mean(rg_square(n->root[0]));
        n->n_root += rg_graph_params(of, ROOTS - 1, n->graph);
        rg_grad(n->root + 1, n->root[0], of, n->n_root - 1);
    }
    n->data = malloc((size_t)(STEPS * B * n->I) * sizeof *n->data);
    for (int64_t i = 0; i < STEPS * B * n->I; i++)
        n->data[i] = sinf(0.7f * (float)i);
}

static void net_end(net *n)
{
    free(n->data);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static rg_plan *net_plan(net *n, int threads, bool poison)
{
    rg_plan *plan;
    /* without BLAS, which does not say what its parts touch */
    const rg_plan_opts o = { .threads = threads, .portable = true, .disable = "solo",
                             .poison = poison, .verify = true };
    RGT_CHECK_MSG(rg_plan_create(&plan, n->root, n->n_root, &o) == RG_OK, "%s",
                  rg_graph_message(n->graph));
    RGT_CHECK(rg_plan_bind(plan, n->x, n->data, (size_t)(STEPS * n->B * n->I) * 4) == RG_OK);
    return plan;
}

static rg_code *code_of(const rg_plan *plan)
{
    return (rg_code *)plan->exec;
}

/* All roots of two runs, in both orders of threads, are those of this plan's? */
static bool agree(const net *n, rg_plan *one, rg_plan *other)
{
    bool same = true;
    for (int k = 0; k < 2; k++) {
        RGT_CHECK(rg_plan_run(one) == RG_OK && rg_plan_run(other) == RG_OK);
        for (size_t i = 0; i < n->n_root; i++)
            same &= memcmp(rg_plan_data(one, n->root[i]), rg_plan_data(other, n->root[i]),
                           (size_t)rg_shape_count(rg_shape_of(n->root[i])) * 4) == 0;
    }
    return same;
}

/* ---- Bits ----------------------------------------------------------------------------------- */

static void check_net(enum kind kind, int64_t B, int64_t H)
{
    static const int team[] = { 2, 3, 4, 8 };
    net n;
    net_begin(&n, kind, B, H, true);
    rg_plan *one = net_plan(&n, 1, false);
    for (int i = 0; i < 4; i++)
        for (int poison = 0; poison < (team[i] < 4 ? 2 : 1); poison++) {
            rg_plan *plan = net_plan(&n, team[i], poison);
            RGT_CHECK_MSG(agree(&n, one, plan), "kind %d, %d rows, %d units, %d threads, poison %d",
                          (int)kind, (int)B, (int)H, team[i], poison);
            rg_plan_destroy(&plan);
        }
    rg_plan_destroy(&one);
    net_end(&n);
}

RGT_TEST(meetings, few_rows_have_the_bits_of_one_thread)
{
    for (int kind = 0; kind < KINDS; kind++) {
        check_net((enum kind)kind, 1, 128);
        check_net((enum kind)kind, 3, 64);
        check_net((enum kind)kind, 1, 83); /* bands that end within a block */
    }
}

/* ---- How often ------------------------------------------------------------------------------ */

static size_t meetings(const rg_plan *plan, int threads)
{
    rg_code *c = code_of(plan);
    size_t n = 0;
    rg_code_choose(c, threads);
    for (uint32_t t = 0; t < c->n_interval; t++)
        n += c->meets[t];
    return n;
}

RGT_TEST(meetings, one_row_needs_one_for_each_time_step_and_direction)
{
    static const struct { enum kind kind; int64_t B, H; size_t a_step; } want[] = {
        { LSTM, 1, 256, 1 }, { LSTM, 1, 128, 1 }, { RNN, 1, 96, 1 }, { GRU_AFTER, 1, 128, 1 },
        { LSTM, 4, 128, 1 }, { GRU, 1, 128, 2 }, /* r∘h is read by a product of its own */
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        for (int train = 0; train < 2; train++) {
            net n;
            net_begin(&n, want[i].kind, want[i].B, want[i].H, train);
            rg_plan *plan = net_plan(&n, 2, false);
            const size_t most = want[i].a_step * STEPS * (train ? 2 : 1) + (train ? 10 : 3);
            const size_t have = meetings(plan, 2);
            RGT_CHECK_MSG(have <= most, "%d, %d rows, train %d: %zu meetings, not %zu",
                          (int)want[i].kind, (int)want[i].B, train, have, most);
            rg_plan_destroy(&plan);
            net_end(&n);
        }
}

/* Bands of 83 columns end within a panel. */
RGT_TEST(meetings, none_is_left_out_where_cuts_differ)
{
    net n;
    net_begin(&n, LSTM, 1, 83, false);
    rg_plan *plan = net_plan(&n, 2, false);
    RGT_CHECK_MSG(meetings(plan, 2) >= 2 * STEPS - 1, "%zu", meetings(plan, 2));
    rg_plan_destroy(&plan);
    net_end(&n);
}

RGT_TEST(meetings, a_printout_tells_how_many)
{
    net n;
    rgt_text text = { .data = NULL };
    char want[64];
    net_begin(&n, LSTM, 1, 128, true);
    rg_plan *plan = net_plan(&n, 2, false);
    rg_plan_print(plan, rgt_write, &text);
    (void)snprintf(want, sizeof want, "\nthreads meet %zu times in a run\n", meetings(plan, 2));
    RGT_CHECK_MSG(rgt_has(text.data, want), "%s", text.data);
    rgt_text_free(&text);
    rg_plan_destroy(&plan);
    net_end(&n);
}

/* ---- The checks can fail -------------------------------------------------------------------- */

RGT_TEST(meetings, threads_in_turn_show_one_that_is_missing)
{
    net n;
    size_t seen = 0, asked = 0;
    net_begin(&n, LSTM, 1, 64, true);
    rg_plan *one = net_plan(&n, 1, false), *plan = net_plan(&n, 2, true);
    rg_code *c = code_of(plan);
    RGT_CHECK(agree(&n, one, plan));
    for (uint32_t t = 0; t + 1 < c->n_interval; t++) {
        if (!c->meets[t])
            continue;
        c->meets[t] = 0;
        asked++;
        seen += !agree(&n, one, plan);
        c->meets[t] = 1;
    }
    RGT_CHECK(agree(&n, one, plan));
    RGT_CHECK_MSG(asked > 2 * STEPS && seen >= 2 * STEPS - 2, "%zu of %zu", seen, asked);
    rg_plan_destroy(&plan);
    rg_plan_destroy(&one);
    net_end(&n);
}

/* A result half a block beside its place, or cut differently, must be waited for. */
RGT_TEST(meetings, what_is_cut_differently_is_waited_for)
{
    net n;
    net_begin(&n, LSTM, 1, 128, false);
    rg_plan *plan = net_plan(&n, 2, false);
    rg_code *c = code_of(plan);
    size_t left_out = 0;
    for (size_t i = 0; i + 1 < c->n_step; i++) {
        rg_task *s = &c->step[i];
        if (!s->share || s->share(s, s->n_in).pitch == 0 || c->meets[s->interval] ||
            s[1].interval == s->interval)
            continue;
        left_out++;
        s->arg[s->n_in].offset += 64;
        rg_code_choose(c, 2);
        RGT_CHECK_MSG(c->meets[s->interval], "step %zu", i);
        s->arg[s->n_in].offset -= 64;
        s->unit *= 9; /* the same cut */
        rg_code_choose(c, 2);
        RGT_CHECK_MSG(!c->meets[s->interval], "step %zu", i);
        s->unit /= 9;
        s->parts *= 2; /* another one */
        rg_code_choose(c, 2);
        RGT_CHECK_MSG(c->meets[s->interval], "step %zu", i);
        s->parts /= 2;
        rg_code_choose(c, 2);
    }
    RGT_CHECK_MSG(left_out >= STEPS - 1, "%zu", left_out);
    rg_plan_destroy(&plan);
    net_end(&n);
}
