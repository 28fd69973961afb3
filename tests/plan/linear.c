/* tests/plan/linear.c -- planning is linear: the nodes and operands that passes touch, for each
 * node of the graph, are as many for long sequences as for short ones. Counted, never timed. */
#include <retrograd/retrograd.h>

#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>

enum { B = 2, I = 3, H = 4 };

static rg_val lstm(rg_graph *g, rg_val x)
{
    const rg_cell cell = rg_lstm(g, "lstm", I, H, NULL);
    return rg_unroll(NULL, &cell, x, NULL, NULL);
}

static rg_val gru(rg_graph *g, rg_val x)
{
    const rg_cell cell = rg_gru(g, "gru", I, H, NULL);
    return rg_unroll(NULL, &cell, x, NULL, NULL);
}

static rg_val stacked(rg_graph *g, rg_val x)
{
    const rg_cell cell[2] = { rg_lstm(g, "low", I, H, NULL), rg_lstm(g, "high", H, H, NULL) };
    return rg_unroll(NULL, &cell[1], rg_unroll(NULL, &cell[0], x, NULL, NULL), NULL, NULL);
}

typedef rg_val network(rg_graph *g, rg_val x);

/* Visits of passes for each node of the graph. */
static double visits(network *make, int64_t T)
{
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_val root[32];
    RGT_CHECK(!rg_params_create(&ps, 1, NULL) && !rg_graph_create(&g, ps, NULL));
    root[0] = rg_mean(rg_square(make(g, rg_input(g, "x", RG_F, RG_SHAPE(T, B, I)))));
    rg_val x[31];
    const size_t n = rg_graph_params(x, 31, g);
    rg_grad(root + 1, root[0], x, n);
    RGT_CHECK_MSG(!rg_plan_create(&plan, root, 1 + n, &(rg_plan_opts){ .dry_run = true }), "%s",
                  rg_graph_message(g));
    const double each = (double)plan->prog.visits / (double)g->n_node;
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return each;
}

static void is_linear(network *make, const char *name, int64_t longest)
{
    const double first = visits(make, 250);
    RGT_CHECK_MSG(first > 10 && first < 100, "%s: %.2f visits a node", name, first);
    for (int64_t T = 500; T <= longest; T *= 2) {
        const double now = visits(make, T);
        RGT_CHECK_MSG(fabs(now / first - 1) < 0.03, "%s: %.2f visits a node, at T = %d %.2f", name,
                      first, (int)T, now);
    }
}

RGT_TEST(linear, passes_touch_each_node_of_an_lstm_as_often_at_any_length)
{
    is_linear(lstm, "lstm", 4000);
}

RGT_TEST(linear, so_they_do_with_a_gru_and_with_two_layers)
{
    is_linear(gru, "gru", 1000);
    is_linear(stacked, "two layers", 1000);
}
