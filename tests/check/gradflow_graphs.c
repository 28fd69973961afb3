/* tests/check/gradflow_graphs.c -- gradient flow of masked batches, of two directions, of loops of
 * one's own; spikes; memory that fails. */
#include <retrograd/retrograd.h>

#include <math.h>
#include <string.h>

#include "tests/rgt.h"

/* A store and a graph, in f32. */
struct bed {
    rg_params *params;
    rg_graph  *g;
};

static struct bed open_bed(void)
{
    struct bed b;
    rg_params_create(&b.params, 4, NULL);
    rg_graph_create(&b.g, b.params, NULL);
    return b;
}

static void close_bed(struct bed *b)
{
    rg_graph_destroy(&b->g);
    rg_params_destroy(&b->params);
}

enum { MT = 20, MB = 4 };

/* N(k) of a masked batch, or of its rows alone; f64, the same direction for every row of one
 * length is not needed: the probe `loss` has none. */
static rg_gradflow_report *masked_flow(int row, const double *x, const int32_t *length)
{
    rg_params *params;
    rg_graph *g;
    rg_plan *plan;
    rg_gradflow_report *r;
    const int64_t T = row < 0 ? MT : length[row], B = row < 0 ? MB : 1;
    rg_params_create(&params, 4, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&g, params, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, 3)), n = rg_input(g, "n", RG_INT, RG_SHAPE(B));
    rg_cell cell = rg_lstm(g, "l", 3, 5, NULL);
    rg_unroll_opts opts = { .mask = row < 0 ? rg_length_mask(n, T) : RG_NONE };
    rg_val Y = rg_unroll(NULL, &cell, X, NULL, &opts);
    rg_val loss = rg_sum(rg_square(Y)); /* a sum: rows do not share */
    double *own = rg_graph_alloc(g, (size_t)(T * B * 3) * sizeof *own);
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++)
            for (int i = 0; i < 3; i++)
                own[(t * B + b) * 3 + i] = x[(t * MB + (row < 0 ? b : row)) * 3 + i];
    rg_plan_create_train(&plan, loss, NULL, 0, &(rg_plan_opts){ .real = RG_F64 });
    rg_plan_bind(plan, X, own, (size_t)(T * B * 3) * sizeof *own);
    rg_plan_bind(plan, n, length, (size_t)B * sizeof *length);
    rg_status st = rg_gradflow(&r, loss, &(rg_gradflow_opts){ .probe = RG_PROBE_LOSS,
                                                              .data = plan, .real = RG_F64 });
    RGT_CHECK_MSG(st == RG_OK, "%s", r->message);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
    return r;
}

RGT_TEST(gradflow, a_masked_batch_is_its_rows_each_from_its_own_end)
{
    static double x[MT * MB * 3];
    const int32_t length[MB] = { 20, 7, 0, 13 };
    for (int t = 0; t < MT; t++)
        for (int b = 0; b < MB; b++)
            for (int i = 0; i < 3; i++)
                x[(t * MB + b) * 3 + i] = t < length[b] ? sin(t * 7 + b * 3 + i) : NAN;
    rg_gradflow_report *all = masked_flow(-1, x, length), *row[MB] = { NULL };
    for (int b = 0; b < MB; b++)
        row[b] = length[b] ? masked_flow(b, x, length) : NULL;
    RGT_CHECK(all->lag == 19 && all->n_state == 2);
    for (size_t s = 0; s < 2; s++)
        for (int64_t k = 0; k < 20; k++) {
            double sum = 0, n = 0;
            for (int b = 0; b < MB; b++)
                if (row[b] && k < length[b]) {
                    sum += row[b]->state[s].norm[k] * row[b]->state[s].norm[k];
                    n += 1;
                }
            RGT_CHECK_MSG(fabs(all->state[s].norm[k] / sqrt(sum / n) - 1) < 1e-12,
                          "%s lag %d: %g, %g", all->state[s].name, (int)k, all->state[s].norm[k],
                          sqrt(sum / n));
        }
    rg_gradflow_destroy(&all);
    for (int b = 0; b < MB; b++)
        rg_gradflow_destroy(&row[b]);
}

RGT_TEST(gradflow, both_directions_are_loops_and_each_starts_from_its_own_end)
{
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(12, 2, 3)), Y[2];
    rg_cell fwd = rg_gru(g, "fwd", 3, 4, NULL), bwd = rg_gru(g, "bwd", 3, 4, NULL);
    Y[0] = rg_unroll(NULL, &fwd, X, NULL, NULL); /* both in the scopes "gru step t" */
    Y[1] = rg_unroll(NULL, &bwd, X, NULL, &(rg_unroll_opts){ .reverse = true });
    RGT_CHECK(rg_gradflow(&r, rg_mean(rg_square(rg_concat(Y, 2, 2))), NULL) == RG_OK);
    RGT_CHECK_MSG(r->n_state == 2 && r->n_layer == 2, "%zu, %zu", r->n_state, r->n_layer);
    for (size_t k = 0; k < 2; k++) {
        const char *name = r->state[k].name;
        RGT_CHECK(strcmp(name, "fwd h") == 0 || strcmp(name, "bwd h") == 0);
        RGT_CHECK_MSG(fabs(r->state[k].norm[0] - 1) < 1e-6, "%s: %g", name, r->state[k].norm[0]);
        RGT_CHECK(r->state[k].norm[11] < 0.1 && r->state[k].norm[11] > 0);
    }
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

/* What a loop that runs after another hands down to it is none of that one's own flow. */
RGT_TEST(gradflow, a_lower_loop_is_measured_as_if_nothing_read_it)
{
    enum { STEPS = 9 };
    double norm[2][STEPS];
    for (int both = 0; both < 2; both++) {
        struct bed b = open_bed();
        rg_gradflow_report *r;
        const rg_gradflow_opts opts = { .probe = RG_PROBE_JACOBIAN, .real = RG_F64 };
        rg_val X = rg_input(b.g, "x", RG_F, RG_SHAPE(STEPS, 2, 3));
        rg_cell low = rg_gru(b.g, "low", 3, 4, NULL), top = rg_rnn(b.g, "top", 4, 5, NULL);
        rg_val Y = rg_unroll(NULL, &low, X, NULL, NULL);
        Y = both ? rg_unroll(NULL, &top, Y, NULL, NULL) : Y;
        RGT_CHECK(rg_gradflow(&r, rg_sum(Y), &opts) == RG_OK);
        RGT_CHECK(r->n_state == (size_t)both + 1 && strcmp(r->state[0].name, "low h") == 0);
        for (int k = 0; k < STEPS; k++)
            norm[both][k] = r->state[0].norm[k];
        RGT_CHECK(!both || fabs(r->state[1].norm[0] - 1) < 1e-12);
        rg_gradflow_destroy(&r);
        close_bed(&b);
    }
    for (int k = 0; k < STEPS; k++)
        RGT_CHECK_MSG(fabs(norm[0][k] / norm[1][k] - 1) < 1e-12, "%g, %g", norm[0][k], norm[1][k]);
    RGT_CHECK(fabs(norm[0][0] - 1) < 1e-12);
}

RGT_TEST(gradflow, a_path_that_is_cut_names_the_time_step)
{
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(12, 2, 3)), h = rg_zeros(g, RG_SHAPE(2, 4));
    rg_cell cell = rg_rnn(g, "cell", 3, 4, NULL);
    for (int t = 0; t < 12; t++) { /* a loop of one's own, cut between steps 4 and 5 */
        if (t == 5)
            h = rg_detach(h);
        rg_step(&h, &cell, rg_select(X, 0, t), &h, t);
    }
    RGT_CHECK(rg_gradflow(&r, rg_mean(h), NULL) == RG_OK);
    RGT_CHECK_MSG(r->verdict == RG_FLOW_CUT && r->layer[0].cut == 5, "%s", r->message);
    RGT_CHECK(strstr(r->message, "before time step 5") && strstr(r->message, "rg_detach"));
    RGT_CHECK(r->state[0].norm[6] > 0 && r->state[0].norm[7] == 0);
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

RGT_TEST(gradflow, a_state_that_is_a_detached_value_cuts_there)
{
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(12, 2, 3)), h = rg_zeros(g, RG_SHAPE(2, 4));
    rg_gate gate = rg_gate_declare(g, "cell", "", 3, 4, 0);
    for (int t = 0; t < 12; t++) {
        rg_scope_push(g, "loop", t);
        h = rg_tanh(rg_gate_sum(&gate, rg_select(X, 0, t), h));
        h = t == 5 ? rg_detach(h) : h;
        rg_scope_pop(g);
    }
    RGT_CHECK(rg_gradflow(&r, rg_mean(h), NULL) == RG_OK);
    RGT_CHECK_MSG(r->verdict == RG_FLOW_CUT && r->layer[0].cut == 5, "%s", r->message);
    RGT_CHECK(r->state[0].norm[6] > 0 && r->state[0].norm[7] == 0);
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

RGT_TEST(gradflow, last_steps_without_loss_cut_nothing)
{
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(12, 2, 3));
    rg_cell cell = rg_gru(g, "cell", 3, 4, NULL);
    rg_val Y = rg_unroll(NULL, &cell, X, NULL, NULL);
    rg_val loss = rg_mean(rg_square(rg_slice(Y, 0, 0, 9))); /* nothing is asked of steps 9 to 11 */
    const rg_gradflow_opts opts = { .probe = RG_PROBE_LOSS };
    RGT_CHECK(rg_gradflow(&r, loss, &opts) == RG_OK);
    RGT_CHECK_MSG(r->layer[0].cut == RG_NO_STEP && r->verdict == RG_FLOW_HEALTHY, "%s", r->message);
    RGT_CHECK(r->state[0].norm[2] == 0 && r->state[0].norm[3] > 0);
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

RGT_TEST(gradflow, what_steps_leave_that_is_no_row_of_the_batch_is_no_state)
{
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(9, 3, 2)), h = rg_zeros(g, RG_SHAPE(3, 4));
    rg_val mean = rg_zeros(g, RG_SHAPE(1, 4)); /* of the batch, carried on */
    rg_gate w = rg_gate_declare(g, "cell", "", 2, 4, 0);
    for (int t = 0; t < 9; t++) {
        rg_scope_push(g, "cell", t);
        mean = rg_add(rg_scale(mean, 0.9), rg_scale(rg_mean_over(h, 0, true), 0.1));
        h = rg_tanh(rg_sub(rg_gate_sum(&w, rg_select(X, 0, t), h), mean));
        rg_scope_pop(g);
    }
    RGT_CHECK_MSG(rg_gradflow(&r, rg_mean(rg_square(h)), NULL) == RG_OK, "%s", r->message);
    RGT_CHECK(r->n_state == 1 && r->B == 3 && r->state[0].lags == 9);
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

RGT_TEST(gradflow, gates_may_be_given_by_hand_and_states_by_name)
{
    enum { STEPS = 7 };
    struct bed b = open_bed();
    rg_graph *g = b.g;
    rg_gradflow_report *r;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(STEPS, 3, 4)), h = rg_zeros(g, RG_SHAPE(3, 4));
    rg_val gate[STEPS], state[STEPS];
    for (int t = 0; t < STEPS; t++) { /* outside of any scope */
        gate[t] = rg_softmax(rg_select(X, 0, t), 1);
        h = state[t] = rg_add(rg_mul(gate[t], h), rg_select(X, 0, t));
    }
    const rg_flow_gate_values given = { "share", gate, STEPS };
    rg_gradflow_opts opts = { .states = state, .n_state = 1, .T = STEPS, .gates = &given,
                              .n_gate = 1, .names = (const char *const[]){ "mine h" } };
    rg_status st = rg_gradflow(&r, h, &opts);
    RGT_CHECK_MSG(st == RG_OK, "%s", r->message);
    RGT_CHECK(r->n_gate == 1 && strcmp(r->gate[0].name, "share") == 0);
    RGT_CHECK(fabs(r->gate[0].mean - 0.25) < 1e-6 && r->gate[0].width == 4 && r->gate[0].T == 7);
    RGT_CHECK(strcmp(r->layer[0].name, "mine") == 0 && strcmp(r->state[0].name, "mine h") == 0);
    RGT_CHECK(r->state[0].norm[6] > 0 && r->state[0].norm[6] < 0.1);
    rg_gradflow_destroy(&r);
    gate[3] = rg_select(gate[3], 0, 1);
    RGT_CHECK(rg_gradflow(&r, h, &opts) == RG_EGRAPH && strstr(r->message, "step 3"));
    rg_gradflow_destroy(&r);
    close_bed(&b);
}

/* ---- Spikes ---------------------------------------------------------------------------------- */

RGT_TEST(gradflow, a_norm_a_thousand_times_the_median_is_a_spike)
{
    static rg_norm_watch w;
    for (int i = 0; i < 2500; i++)
        RGT_CHECK(!rg_norm_watch_add(&w, 2 + sin(i), 1));
    RGT_CHECK(fabs(rg_norm_watch_median(&w) - 2) < 0.05 && w.clipped > 1000);
    RGT_CHECK(!rg_norm_watch_add(&w, 1900, 1) && rg_norm_watch_add(&w, 2200, 1));
    RGT_CHECK(!rg_norm_watch_add(&w, 2200, 10)); /* not beyond 1000 times the threshold */
    RGT_CHECK(rg_norm_watch_add(&w, INFINITY, 1) && rg_norm_watch_add(&w, NAN, 0));
    RGT_CHECK(w.spikes == 3 && w.worst == 2200);
    RGT_CHECK(rg_norm_watch_median(NULL) == 0);
}

/* ---- Memory --------------------------------------------------------------------------------- */

RGT_TEST(gradflow, every_allocation_may_fail)
{
    for (long n = 1; n < 4000; n += 1 + n / 40) {
        rgt_alloc state = { .fail_at = n };
        rg_graph *g = NULL;
        rg_params *params = NULL;
        rg_params_create(&params, 1, NULL);
        if (!rg_graph_create(&g, params, &(rg_graph_opts){ .alloc = rgt_hooks(&state) })) {
            rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(4, 2, 3));
            rg_cell cell = rg_gru(g, "c", 3, 2, NULL);
            rg_val y = rg_mean(rg_unroll(NULL, &cell, X, NULL, NULL));
            rg_gradflow_report *r;
            rg_status st = rg_gradflow(&r, y, &(rg_gradflow_opts){
                .draws = 1, .parameters = true, .threads = 1 });
            RGT_CHECK_MSG(st == RG_OK || st == RG_ENOMEM, "%ld: %d", n, (int)st);
            rg_gradflow_destroy(&r);
        }
        rg_graph_destroy(&g);
        rg_params_destroy(&params);
        RGT_CHECK_MSG(state.live == 0 && !state.corrupt, "%ld", n);
    }
}
