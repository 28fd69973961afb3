/* tests/check/gradcheck.c -- what a check says of right gradients, and what it takes and leaves. */
#include "tests/check/nets.h"

#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void passes(const net_shape *s, int order)
{
    net n;
    net_open(&n, 1);
    rg_val loss = net_build(&n, s, NULL);
    rg_verdict v = net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .order = order });
    RGT_CHECK_MSG(v == RG_PASS, "%s", n.report->message);
    RGT_CHECK_MSG(n.report->worst_error < 1e-7, "%s", n.report->message);
    net_close(&n);
}

RGT_TEST(gradcheck, the_founding_cells_pass_first_and_second_order)
{
    for (int order = 1; order <= 2; order++) {
        passes(&(net_shape){ NET_RNN, 6, 3, 4, 8, 1, NULL }, order);
        passes(&(net_shape){ NET_GRU, 6, 3, 4, 8, 1, NULL }, order);
        passes(&(net_shape){ NET_LSTM, 6, 3, 4, 8, 1, NULL }, order);
    }
}

RGT_TEST(gradcheck, odd_sizes_pass)
{
    static const int64_t T[] = { 1, 2, 3, 7 }, H[] = { 1, 4, 5 };
    for (size_t t = 0; t < 4; t++)
        for (size_t h = 0; h < 3; h++)
            for (int cell = NET_RNN; cell <= NET_LSTM; cell++)
                passes(&(net_shape){ (net_cell)cell, T[t], t % 2 ? 3 : 1, 2, H[h], 1, NULL },
                       t == 2 ? 2 : 1);
}

RGT_TEST(gradcheck, every_parameter_and_step_is_a_block)
{
    net n;
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_RNN, 6, 3, 4, 8, 1, NULL }, NULL);
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_PASS);
    RGT_CHECK(n.report->n_block == 3 * 6 + 2);
    for (int64_t t = 0; t < 6; t++) {
        const rg_gradcheck_block *b = net_block(&n, "cell.W", t);
        RGT_CHECK(b && b->verdict == RG_PASS && strcmp(b->oracle, "difference") == 0);
        RGT_CHECK(b->got != 0 && b->sigma <= 1e-6 && b->error <= 1e-6 && *b->reason == '\0');
        RGT_CHECK(net_block(&n, "cell.U", t) && net_block(&n, "cell.b", t));
    }
    RGT_CHECK(net_block(&n, "cell.h0", RG_NO_STEP) && net_block(&n, "out.W", RG_NO_STEP));
    net_close(&n);
}

RGT_TEST(gradcheck, of_many_steps_the_first_the_last_and_some_between_are_checked)
{
    net n;
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_RNN, 50, 1, 2, 2, 1, NULL }, NULL);
    RGT_CHECK_MSG(net_check(&n, loss, NULL, 0, NULL) == RG_PASS, "%s", n.report->message);
    RGT_CHECK(n.report->n_block == 3 * 32 + 2);
    for (int64_t t = 0; t < 8; t++)
        RGT_CHECK(net_block(&n, "cell.W", t) && net_block(&n, "cell.W", 49 - t));
    int between = 0;
    for (int64_t t = 8; t < 42; t++)
        between += net_block(&n, "cell.W", t) != NULL;
    RGT_CHECK(between == 16);
    rg_gradcheck_opts all = { .all_steps = true };
    RGT_CHECK(net_check(&n, loss, NULL, 0, &all) == RG_PASS && n.report->n_block == 3 * 50 + 2);
    net_close(&n);
}

RGT_TEST(gradcheck, inputs_and_inner_values_can_be_checked)
{
    net n;
    rg_val h[5];
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_GRU, 5, 3, 4, 6, 1, NULL }, h);
    rg_val x[3] = { rg_input(n.g, "unused", RG_F, RG_SHAPE(2)), h[2], h[4] };
    RGT_CHECK_MSG(net_check(&n, loss, x, 3, &(rg_gradcheck_opts){ .order = 2 }) == RG_PASS, "%s",
                  n.report->message);
    RGT_CHECK(rgt_has(n.report->message, "no path: unused"));
    RGT_CHECK(strcmp(net_block(&n, "unused", RG_NO_STEP)->oracle, "no path") == 0);
    size_t used = 0;
    for (size_t i = 0; i < n.report->n_block; i++)
        if (rgt_has(n.report->block[i].name, "cell step 2: add %")) {
            used++;
            RGT_CHECK(n.report->block[i].step == 3 && n.report->block[i].got != 0);
        }
    RGT_CHECK(used == 2); /* first and second order; all its uses are in step 3 */
    net_close(&n);
}

RGT_TEST(gradcheck, the_loss_itself_and_tensors_without_elements_can_be_checked)
{
    net n;
    net_open(&n, 1);
    rg_val empty = rg_input(n.g, "empty", RG_F, RG_SHAPE(0, 3));
    rg_val one = rg_input(n.g, "one", RG_F, RG_SCALAR);
    rg_val loss = rg_add(rg_sum(rg_tanh(empty)), rg_mul(one, one));
    RGT_CHECK_MSG(net_check(&n, loss, (rg_val[]){ empty, loss, one, one }, 4,
                            &(rg_gradcheck_opts){ .order = 2 }) == RG_PASS, "%s",
                  n.report->message);
    RGT_CHECK(n.report->n_block == 6); /* named twice is checked once */
    bool itself = false;
    for (size_t i = 0; i < n.report->n_block; i++)
        itself = itself || (rgt_has(n.report->block[i].name, "add %") &&
                            fabs(n.report->block[i].want - 1) < 1e-9);
    RGT_CHECK(itself);
    RGT_CHECK(net_check(&n, one, &one, 1, NULL) == RG_PASS && n.report->block[0].got == 1);
    net_close(&n);
}

RGT_TEST(gradcheck, an_input_is_checked_at_each_step_that_selects_from_it)
{
    net n;
    net_open(&n, 1);
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(3, 4)), s = rg_const(n.g, 0);
    for (int64_t t = 0; t < 3; t++) {
        rg_scope_push(n.g, "loop", t);
        s = rg_tanh(rg_add(s, rg_square(rg_select(X, 0, t))));
        rg_scope_pop(n.g);
    }
    RGT_CHECK(net_check(&n, rg_sum(s), &X, 1, NULL) == RG_PASS && n.report->n_block == 3);
    for (int64_t t = 0; t < 3; t++) /* elements of another row do not matter at this step */
        RGT_CHECK(net_block(&n, "x", t) && net_block(&n, "x", t)->index / 4 == t);
    net_close(&n);
}

RGT_TEST(gradcheck, frozen_parameters_are_left_out_unless_named)
{
    net n;
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_RNN, 3, 2, 2, 3, 1, NULL }, NULL);
    RGT_CHECK(!rg_params_freeze(n.ps, "cell", true));
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_PASS && n.report->n_block == 1);
    RGT_CHECK(net_block(&n, "out.W", RG_NO_STEP));
    rg_val W = rg_param(n.g, "cell", "W", RG_SHAPE(3, 3), rg_init_zeros());
    RGT_CHECK(net_check(&n, loss, &W, 1, NULL) == RG_PASS && n.report->n_block == 3);
    RGT_CHECK(!rg_params_freeze(n.ps, NULL, true));
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_NOT_RUN &&
              n.report->status == RG_EGRAPH && rgt_has(n.report->message, "no unfrozen parameter"));
    net_close(&n);
}

RGT_TEST(gradcheck, graph_and_store_stay_bit_for_bit)
{
    net n;
    rgt_text before = { .data = NULL }, after = { .data = NULL };
    net_open(&n, 3);
    rg_val loss = net_build(&n, &(net_shape){ NET_LSTM, 4, 2, 3, 5, 1, NULL }, NULL);
    rg_param_info W = rg_params_find(n.ps, "cell.Wf");
    double *copy = malloc(25 * sizeof *copy);
    memcpy(copy, W.data, 25 * sizeof *copy);
    rg_graph_print(n.g, rgt_write, &before);
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .order = 2 }) == RG_PASS);
    rg_graph_print(n.g, rgt_write, &after);
    RGT_CHECK(strcmp(before.data, after.data) == 0);
    RGT_CHECK(!rg_graph_status(n.g) && *rg_graph_message(n.g) == '\0' && !rg_graph_verify(n.g));
    RGT_CHECK(memcmp(copy, W.data, 25 * sizeof *copy) == 0);
    free(copy);
    rgt_text_free(&before);
    rgt_text_free(&after);
    net_close(&n);
}

RGT_TEST(gradcheck, an_f32_store_is_checked_in_f64)
{
    net n = { .ps = NULL };
    RGT_CHECK(!rg_params_create(&n.ps, 1, NULL) && !rg_graph_create(&n.g, n.ps, NULL));
    rg_val loss = net_build(&n, &(net_shape){ NET_GRU, 4, 2, 3, 5, 1, NULL }, NULL);
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_PASS && n.report->worst_error < 1e-8);
    net_close(&n);
}

RGT_TEST(gradcheck, the_same_seed_gives_the_same_report_and_another_another)
{
    net n;
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_GRU, 3, 2, 3, 9, 1, NULL }, NULL);
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .seed = 5 }) == RG_PASS);
    const double worst = n.report->worst_error;
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .seed = 5 }) == RG_PASS);
    RGT_CHECK(memcmp(&worst, &n.report->worst_error, sizeof worst) == 0);
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .seed = 6 }) == RG_PASS);
    RGT_CHECK(worst != n.report->worst_error);
    net_close(&n);
}

/* ---- Data ----------------------------------------------------------------------------------- */

RGT_TEST(gradcheck, data_of_a_plan_is_used_in_its_place)
{
    net n;
    rg_plan *plan, *foreign;
    float x[6] = { 1, 2, 3, 0.5f, 1.5f, 2.5f };
    net_open(&n, 1);
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(2, 3));
    rg_val w = rg_param(n.g, NULL, "w", RG_SHAPE(3), rg_init_const(2));
    rg_val loss = rg_sum(rg_log(rg_mul(X, w)));
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_INCONCLUSIVE);
    RGT_CHECK(rgt_has(n.report->message, "not finite") && rgt_has(n.report->message, "'log'"));
    RGT_CHECK(!rg_plan_create(&plan, &loss, 1, NULL));
    rg_gradcheck_opts with = { .data = plan };
    RGT_CHECK(net_check(&n, loss, NULL, 0, &with) == RG_NOT_RUN &&
              n.report->status == RG_EGRAPH && rgt_has(n.report->message, "'x' is not bound"));
    RGT_CHECK(!rg_plan_bind(plan, X, x, sizeof x));
    RGT_CHECK(net_check(&n, loss, NULL, 0, &with) == RG_PASS);
    RGT_CHECK(fabs(net_block(&n, "w", RG_NO_STEP)->want - 1) < 1e-9); /* Σ_b 1/w = 2/2 */
    rg_graph *other;
    RGT_CHECK(!rg_graph_create(&other, NULL, NULL));
    rg_val c = rg_const(other, 1);
    RGT_CHECK(!rg_plan_create(&foreign, &c, 1, NULL));
    with.data = foreign;
    RGT_CHECK(net_check(&n, loss, NULL, 0, &with) == RG_NOT_RUN &&
              n.report->status == RG_EGRAPH && rgt_has(n.report->message, "another graph"));
    rg_plan_destroy(&foreign);
    rg_graph_destroy(&other);
    rg_plan_destroy(&plan);
    net_close(&n);
}

RGT_TEST(gradcheck, masks_are_drawn_as_ones_and_indices_below_their_bound)
{
    net n;
    net_open(&n, 1);
    rg_val E = rg_param(n.g, NULL, "E", RG_SHAPE(7, 3), rg_init_normal(1));
    rg_val ids = rg_input(n.g, "ids", RG_INT, RG_SHAPE(4, 2));
    rg_val mask = rg_input(n.g, "mask", RG_BOOL, RG_SHAPE(4, 2));
    rg_val y = rg_input(n.g, "y", RG_INT, RG_SHAPE(4, 2));
    rg_val l = rg_softmax_cross_entropy(rg_sin(rg_gather(E, ids)), y);
    rg_val loss = rg_sum(rg_where(mask, l, rg_const(n.g, 0)));
    RGT_CHECK_MSG(net_check(&n, loss, &E, 1, &(rg_gradcheck_opts){ .order = 2 }) == RG_PASS, "%s",
                  n.report->message);
    RGT_CHECK(net_block(&n, "E", RG_NO_STEP)->got != 0); /* so the mask was set */
    net_close(&n);
}

RGT_TEST(gradcheck, dropout_keeps_its_mask_during_a_check)
{
    net n;
    net_open(&n, 1);
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(5, 6));
    rg_val w = rg_param(n.g, NULL, "w", RG_SHAPE(6), rg_init_normal(1));
    rg_val noise = rg_normal(n.g, "noise", RG_SHAPE(5, 6));
    rg_val hidden = rg_add(rg_tanh(rg_mul(X, w)), noise);
    rg_val loss = rg_sum(rg_square(rg_dropout(hidden, 0.5, "drop")));
    RGT_CHECK_MSG(net_check(&n, loss, (rg_val[]){ X, w }, 2, &(rg_gradcheck_opts){ .order = 2 }) ==
                  RG_PASS, "%s", n.report->message);
    RGT_CHECK_MSG(net_check(&n, rg_sum(rg_dropout(X, 0.5, "all")), &X, 1, NULL) == RG_PASS, "%s",
                  n.report->message);
    RGT_CHECK(fabs(net_block(&n, "x", RG_NO_STEP)->want - 2) < 1e-6 ||
              net_block(&n, "x", RG_NO_STEP)->want == 0); /* training form: 0, or 1/(1-p) */
    net_close(&n);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void refuses(net *n, rg_val loss, const rg_val *x, size_t n_x, const rg_gradcheck_opts *opts,
                    rg_status status, const char *says)
{
    RGT_CHECK(net_check(n, loss, x, n_x, opts) == RG_NOT_RUN);
    RGT_CHECK_MSG(n->report->status == status && rgt_has(n->report->message, says), "%d: %s",
                  (int)n->report->status, n->report->message);
    RGT_CHECK(n->report->n_block == 0);
}

RGT_TEST(gradcheck, what_cannot_be_checked_is_refused_with_the_reason)
{
    net n, m;
    net_open(&n, 1);
    net_open(&m, 1);
    rg_val x = rg_input(n.g, "x", RG_F, RG_SHAPE(3)), i = rg_input(n.g, "i", RG_INT, RG_SHAPE(3));
    rg_val y = rg_input(m.g, "y", RG_F, RG_SHAPE(3)), s = rg_sum(x);
    refuses(&n, RG_NONE, &x, 1, NULL, RG_EARG, "no value");
    refuses(&n, (rg_val){ n.g, 99 }, &x, 1, NULL, RG_EARG, "no real value");
    refuses(&n, x, &x, 1, NULL, RG_ESHAPE, "not a scalar");
    refuses(&n, s, NULL, 1, NULL, RG_EARG, "x is NULL");
    refuses(&n, s, &y, 1, NULL, RG_EGRAPH, "x[0] lives in another graph");
    refuses(&n, s, &i, 1, NULL, RG_EDTYPE, "x[0] is not real");
    refuses(&n, s, (rg_val[]){ x, RG_NONE }, 2, NULL, RG_EARG, "x[1] is an unset value");
    refuses(&n, s, &x, 1, &(rg_gradcheck_opts){ .order = 3 }, RG_EARG, "order is 3");
    refuses(&n, s, &x, 1, &(rg_gradcheck_opts){ .rtol = -1 }, RG_EARG, "rtol");
    refuses(&n, s, &x, 1, &(rg_gradcheck_opts){ .rtol = NAN }, RG_EARG, "rtol");
    RGT_CHECK(rg_gradcheck(NULL, s, &x, 1, NULL) == RG_PASS);
    RGT_CHECK(rg_gradcheck(NULL, RG_NONE, &x, 1, NULL) == RG_NOT_RUN);
    (void)rg_add(x, rg_input(n.g, "z", RG_F, RG_SHAPE(2)));
    refuses(&n, s, &x, 1, NULL, RG_ESHAPE, "add");
    rg_gradcheck_destroy(NULL);
    rg_gradcheck_print(NULL, NULL, NULL);
    net_close(&m);
    net_close(&n);
}

/* Fail each allocation of a check in turn. */
static void sweep_memory(rgt_alloc *state, rg_val loss, const rg_val *x, size_t n,
                         rg_verdict expected)
{
    const rg_gradcheck_opts opts = { .order = 2 };
    const long live = state->live, calls = state->calls;
    RGT_CHECK(rg_gradcheck(NULL, loss, x, n, &opts) == expected);
    const long needed = state->calls - calls;
    RGT_CHECK(needed > 50 && state->live == live);
    for (long k = 1; k <= needed; k++) {
        rg_gradcheck_report *r;
        state->fail_at = state->calls + k;
        rg_verdict v = rg_gradcheck(&r, loss, x, n, &opts);
        RGT_CHECK_MSG(v == RG_NOT_RUN && (!r || r->status == RG_ENOMEM), "call %ld of %ld: %d, %s",
                      k, needed, (int)v, r ? r->message : "");
        rg_gradcheck_destroy(&r);
        RGT_CHECK_MSG(state->live == live && !state->corrupt, "call %ld leaks", k);
        RGT_CHECK(!rg_graph_status(loss.graph));
    }
    state->fail_at = 0;
}

RGT_TEST(gradcheck, every_failed_allocation_is_reported_and_nothing_leaks)
{
    rgt_alloc state = { .calls = 0 };
    rg_alloc hooks = rgt_hooks(&state);
    rg_graph *g;
    RGT_CHECK(!rg_graph_create(&g, NULL, &(rg_graph_opts){ .alloc = hooks }));
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3)), w = rg_input(g, "w", RG_F, RG_SHAPE(2, 3));
    rg_scope_push(g, "step", 0);
    rg_val loss = rg_sum(rg_relu(rg_mul(x, w)));
    rg_scope_pop(g);
    sweep_memory(&state, loss, (rg_val[]){ x, w }, 2, RG_PASS);
    /* 1e-30·sin x drowns in what it is added to: complex steps */
    rg_val tiny = rg_scale(rg_sum(rg_sin(x)), 1e-30);
    sweep_memory(&state, rg_add(rg_const(g, 1), tiny), &x, 1, RG_PASS);
    sweep_memory(&state, rg_sum(rg_emit(&net_lost, NULL, &x, 1)), &x, 1, RG_FAIL);
    rg_graph_destroy(&g);
    RGT_CHECK(state.live == 0);
}

RGT_TEST(gradcheck, the_table_has_a_line_per_failed_block_and_per_tensor)
{
    net n;
    rgt_text text = { .data = NULL };
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_RNN, 3, 2, 2, 3, 1, NULL }, NULL);
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_PASS);
    rg_gradcheck_print(n.report, rgt_write, &text);
    RGT_CHECK(rgt_has(text.data, "gradcheck: pass: 11 blocks, worst error"));
    RGT_CHECK(rgt_has(text.data, "cell.U        3       0          0"));
    RGT_CHECK(rgt_has(text.data, "out.W         1       0          0"));
    int lines = 0;
    for (const char *c = text.data; *c; c++)
        lines += *c == '\n';
    RGT_CHECK(lines == 2 + 5 + 1 + 4 + 1);
    rgt_text_free(&text);
    net_close(&n);
}
