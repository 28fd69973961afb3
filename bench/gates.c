/* bench/gates.c -- the elementwise part of an lstm, 64 rows of 256 units: a plan's tile programs
 * against one loop written by hand. */
#include "bench/nets.h"
#include "bench/ref/lstm.h"

#include <stdlib.h>

enum { B = 64, H = 256 };

struct gates {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;
    float     *z, *c;
};

/* Gates and states, all stored; or the gradients of z and c of a loss on both states. */
static void open_gates(struct gates *n, bool both, int threads)
{
    rg_val part[4], root[6], wish[2];
    rgb_check(rg_params_create(&n->params, 1, NULL), "store");
    rgb_check(rg_graph_create(&n->graph, n->params, NULL), "graph");
    rg_graph *g = n->graph;
    rg_val Z = wish[0] = rg_input(g, "z", RG_F, RG_SHAPE(B, 4 * H));
    rg_val C = wish[1] = rg_input(g, "c", RG_F, RG_SHAPE(B, H));
    for (int k = 0; k < 4; k++) {
        rg_val b = rg_param(g, "b", (char[]){ "ifgo"[k], 0 }, RG_SHAPE(H), rg_init_zeros());
        rg_val z = rg_add(rg_slice(Z, 1, k * H, (k + 1) * H), b);
        part[k] = k == 2 ? rg_tanh(z) : rg_sigmoid(z);
    }
    rg_val c = rg_add(rg_mul(part[1], C), rg_mul(part[0], part[2]));
    rg_val h = rg_mul(part[3], rg_tanh(c));
    size_t n_root = 6;
    for (int k = 0; k < 4; k++)
        root[k] = part[k];
    root[4] = c, root[5] = h;
    if (both) {
        rg_grad(root, rg_mean(rg_square(h)), wish, 2);
        n_root = 2;
    }
    rgb_check(rg_plan_create(&n->plan, root, n_root, &(rg_plan_opts){ .threads = threads }),
              rg_graph_message(g));
    n->z = calloc(B * 4 * H, sizeof *n->z);
    n->c = calloc(B * H, sizeof *n->c);
    if (!n->z || !n->c)
        rgb_check(RG_ENOMEM, "inputs");
    for (int i = 0; i < B * 4 * H; i++)
        n->z[i] = rgb_value(0, i, 2);
    rgb_check(rg_plan_bind(n->plan, Z, n->z, B * 4 * H * sizeof *n->z), rg_plan_message(n->plan));
    rgb_check(rg_plan_bind(n->plan, C, n->c, B * H * sizeof *n->c), rg_plan_message(n->plan));
}

static void close_gates(struct gates *n)
{
    free(n->z);
    free(n->c);
    rg_plan_destroy(&n->plan);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static void run_plan(void *arg)
{
    const struct gates *n = arg;
    rgb_check(rg_plan_run(n->plan), rg_plan_message(n->plan));
}

static void hand_forward(void *arg)
{
    ref_lstm_cell_forward(arg);
}

static void hand_both(void *arg)
{
    ref_lstm_cell_forward(arg);
    ref_lstm_cell_backward(arg);
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const bool both = row->arg != NULL;
    struct gates n;
    ref_lstm *hand = ref_lstm_create(1, B, 1, H, REF_OWN, 1);
    if (!hand)
        rgb_check(RG_ENOMEM, "the loop by hand");
    open_gates(&n, both, opts->threads);
    const rgb_body body[] = { { run_plan, &n }, { both ? hand_both : hand_forward, hand } };
    const rgb_race race = rgb_race_rounds(body, 2, opts);
    rgb_begin(row);
    rgb_text("what", both ? "forward and backward" : "forward");
    rgb_number("B", B);
    rgb_number("H", H);
    rgb_number("threads", rg_plan_facts(n.plan).threads);
    rgb_times(race.time[0]);
    rgb_number("ns_per_unit", 1e9 * race.time[0].min / (B * H));
    rgb_number("hand_ns_per_unit", 1e9 * race.time[1].min / (B * H));
    rgb_number("time", race.time[0].min / race.time[1].min);
    rgb_end();
    close_gates(&n);
    ref_lstm_destroy(hand);
}

static const rgb_row rows[] = {
    { "F2-forward", "elementwise part of an lstm against a loop by hand", run, NULL },
    { "F2-both", "the same, forward and backward", run, "both" },
};

const rgb_rows rgb_gates = { rows, sizeof rows / sizeof *rows };
