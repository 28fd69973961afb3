/* tests/layers/wrappers.c -- two directions, layers, residual sums, highways, functions of every
 * step. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 4, I = 3, H = 4, STATES = 6 };

static const int32_t length[B] = { 4, 6, 0, 1 };

static rg_val mask_of(lab *l)
{
    return rg_length_mask(lab_bits(l, "n", RG_INT, RG_SHAPE(B), length), T);
}

static const rg_merge merges[] = { RG_MERGE_CONCAT, RG_MERGE_SUM, RG_MERGE_MEAN, RG_MERGE_MUL };

/* What the merge says, with nothing but ops. */
static rg_val by_hand(rg_val f, rg_val b, rg_merge merge)
{
    return merge == RG_MERGE_CONCAT ? rg_concat((rg_val[]){ f, b }, 2, -1)
         : merge == RG_MERGE_SUM    ? rg_add(f, b)
         : merge == RG_MERGE_MEAN   ? rg_scale(rg_add(f, b), 0.5)
                                    : rg_mul(f, b);
}

static void all_zero(lab *l, const rg_val *root, size_t n, const char *what)
{
    lab_run(l, root, n);
    for (size_t k = 0; k < n; k++)
        RGT_CHECK_MSG(rg_plan_scalar(l->plan, root[k]) == 0, "%s: %zu", what, k);
}

/* ---- Two directions -------------------------------------------------------------------------- */

RGT_TEST(bidirectional, is_two_unrollings_and_a_merge)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 5 };
        rg_val last[STATES], both[2], want[STATES], root[32];
        lab_open(&l, RG_F64);
        const lab_cell *c = &lab_cells[k];
        rg_cell cell[2] = { c->make(l.g, "f", I, H, &c->opts), c->make(l.g, "b", I, H, &c->opts) };
        size_t n = cell[0].n_state, at = 0;
        lab_fill(&l, 0.7);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), m = mask_of(&l);
        rg_val f = rg_unroll(want, &cell[0], X, NULL, &(rg_unroll_opts){ .mask = m });
        rg_val b = rg_unroll(want + n, &cell[1], X, NULL,
                             &(rg_unroll_opts){ .mask = m, .reverse = true });
        for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
            rg_scope_push(l.g, "again", (int64_t)i);
            rg_val y = rg_bidirectional(last, both, cell, X, NULL, merges[i],
                                        &(rg_unroll_opts){ .mask = m });
            rg_scope_pop(l.g);
            root[at++] = lab_off(y, by_hand(f, b, merges[i]));
            root[at++] = lab_off(rg_add(both[0], rg_scale(both[1], 2)), rg_add(f, rg_scale(b, 2)));
        }
        for (size_t s = 0; s < 2 * n; s++)
            root[at++] = lab_off(last[s], want[s]);
        rg_val y = rg_bidirectional(NULL, both, cell, X, NULL, RG_MERGE_NONE,
                                    &(rg_unroll_opts){ .mask = m });
        RGT_CHECK(y.id == both[0].id);
        root[at++] = lab_off(both[1], b);
        all_zero(&l, root, at, c->name);
        lab_close(&l);
    }
}

/* Row b alone, cut to its length: what the padded batch must have in it, backwards too. */
RGT_TEST(bidirectional, reverses_by_true_length)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 5 };
        rg_val last[STATES], alone[STATES], root[B * (STATES + 1)];
        size_t at = 0;
        lab_open(&l, RG_F64);
        const lab_cell *c = &lab_cells[k];
        rg_cell cell[2] = { c->make(l.g, "f", I, H, &c->opts), c->make(l.g, "b", I, H, &c->opts) };
        lab_fill(&l, 0.7);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
        rg_val Y = rg_bidirectional(last, NULL, cell, X, NULL, RG_MERGE_CONCAT,
                                    &(rg_unroll_opts){ .mask = mask_of(&l) });
        for (int b = 0; b < B; b++) {
            rg_val x = rg_slice(rg_slice(X, 1, b, b + 1), 0, 0, length[b]);
            rg_val y = rg_bidirectional(alone, NULL, cell, x, NULL, RG_MERGE_CONCAT, NULL);
            y = rg_pad(y, 0, 0, T - length[b], 0);
            root[at++] = lab_off(y, rg_slice(Y, 1, b, b + 1));
            for (size_t s = 0; s < 2 * cell[0].n_state; s++)
                root[at++] = lab_off(alone[s], rg_slice(last[s], 0, b, b + 1));
        }
        all_zero(&l, root, at, c->name);
        lab_close(&l);
    }
}

/* A row that starts anew is two sequences, seen from either side. */
RGT_TEST(bidirectional, reset_cuts_a_row_into_sequences_in_both_directions)
{
    lab l = { .seed = 5 };
    uint8_t reset[T * B] = { 0 };
    rg_val s0[2], part[2], root[1];
    for (int b = 0; b < B; b++)
        reset[2 * B + b] = 1;
    lab_open(&l, RG_F64);
    rg_cell cell[2] = { rg_gru(l.g, "f", I, H, NULL), rg_gru(l.g, "b", I, H, NULL) };
    lab_fill(&l, 0.7);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    s0[0] = lab_drawn(&l, "h0", RG_SHAPE(B, H));
    s0[1] = lab_drawn(&l, "h1", RG_SHAPE(B, H));
    rg_val r = lab_bits(&l, "r", RG_BOOL, RG_SHAPE(T, B), reset);
    rg_val y = rg_bidirectional(NULL, NULL, cell, X, s0, RG_MERGE_CONCAT,
                                &(rg_unroll_opts){ .reset = r });
    part[0] = rg_bidirectional(NULL, NULL, cell, rg_slice(X, 0, 0, 2), s0, RG_MERGE_CONCAT, NULL);
    part[1] = rg_bidirectional(NULL, NULL, cell, rg_slice(X, 0, 2, T), s0, RG_MERGE_CONCAT, NULL);
    root[0] = lab_off(y, rg_concat(part, 2, 0));
    all_zero(&l, root, 1, "reset");
    lab_close(&l);
}

RGT_TEST(bidirectional, sum_of_a_palindrome_with_tied_weights_is_a_palindrome)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 5 };
        lab_open(&l, RG_F64);
        const lab_cell *c = &lab_cells[k];
        rg_cell one = c->make(l.g, "c", I, H, &c->opts), cell[2] = { one, one };
        lab_fill(&l, 0.7);
        rg_val x = lab_drawn(&l, "x", RG_SHAPE(T / 2, B, I));
        rg_val X = rg_concat((rg_val[]){ x, rg_reverse(x, 0) }, 2, 0);
        rg_val y = rg_bidirectional(NULL, NULL, cell, X, NULL, RG_MERGE_SUM, NULL);
        rg_val root = lab_off(y, rg_reverse(y, 0));
        all_zero(&l, &root, 1, c->name);
        lab_close(&l);
    }
}

RGT_TEST(reverse, in_running_order_starts_with_the_last_step)
{
    lab l = { .seed = 5 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_cell cell = rg_lstm(l.g, "c", I, H, NULL);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    rg_val y = rg_unroll(NULL, &cell, X, NULL, &(rg_unroll_opts){ .reverse = true });
    rg_val run = rg_unroll(NULL, &cell, X, NULL,
                           &(rg_unroll_opts){ .reverse = true, .run_order = true });
    root[0] = lab_off(run, rg_reverse(y, 0));
    rg_val forward = rg_unroll(NULL, &cell, rg_reverse(X, 0), NULL,
                               &(rg_unroll_opts){ .run_order = true }); /* no effect forward */
    root[1] = lab_off(run, forward);
    all_zero(&l, root, 2, "order");
    lab_close(&l);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

RGT_TEST(layers, of_one_direction_are_a_stack)
{
    lab l = { .seed = 5 };
    rg_val last[4], want[4], s0[4], root[5];
    lab_open(&l, RG_F64);
    rg_cell cell[3] = { rg_lstm(l.g, "a", I, H, NULL), rg_gru(l.g, "b", H, H + 1, NULL),
                        rg_rnn(l.g, "c", H + 1, 2, NULL) };
    rg_cell stack = rg_stacked(l.g, cell, 3, 0);
    lab_fill(&l, 0.7);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), m = mask_of(&l);
    for (size_t k = 0; k < 4; k++)
        s0[k] = rg_full(l.g, RG_SHAPE(B, stack.width[k]), 0.1 * (double)(k + 1));
    rg_val y = rg_layers(last, cell, 3, X, s0, &(rg_layers_opts){ .mask = m });
    rg_val z = rg_unroll(want, &stack, X, s0, &(rg_unroll_opts){ .mask = m });
    root[0] = lab_off(y, z);
    for (size_t k = 0; k < 4; k++)
        root[1 + k] = lab_off(last[k], want[k]);
    all_zero(&l, root, 5, "stack");
    lab_close(&l);
}

RGT_TEST(layers, of_two_directions_merge_at_every_level_and_add_or_mix_what_they_read)
{
    for (size_t k = 0; k < 3; k++) {
        lab l = { .seed = 5 };
        rg_val last[6], want[6], root[8];
        bool residual = k == 1, highway = k == 2;
        lab_open(&l, RG_F64);
        rg_cell cell[4] = { rg_lstm(l.g, "l0.fwd", I, H, NULL), rg_gru(l.g, "l0.bwd", I, H, NULL),
                            rg_gru(l.g, "l1.fwd", H, H, NULL), rg_lstm(l.g, "l1.bwd", H, H, NULL) };
        lab_fill(&l, 0.7);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), m = mask_of(&l);
        rg_val y = rg_layers(last, cell, 2, X, NULL,
                             &(rg_layers_opts){ .bidirectional = true, .merge = RG_MERGE_MEAN,
                                                .residual = residual, .mask = m,
                                                .highway = highway ? "way" : NULL });
        rg_unroll_opts o = { .mask = m };
        rg_val a = rg_bidirectional(want, NULL, cell, X, NULL, RG_MERGE_MEAN, &o);
        rg_val b = rg_bidirectional(want + 3, NULL, cell + 2, a, NULL, RG_MERGE_MEAN, &o);
        b = residual ? rg_add(a, b) : highway ? rg_highway(a, b, "way.l1", m) : b;
        root[0] = lab_off(y, b);
        for (size_t s = 0; s < 6; s++)
            root[1 + s] = lab_off(last[s], want[s]);
        all_zero(&l, root, 7, "two");
        lab_close(&l);
    }
}

/* ---- Residual sums, highways, functions of every step ---------------------------------------- */

RGT_TEST(residual, is_zero_where_masked_whatever_was_read_there)
{
    lab l = { .seed = 5 };
    lab_open(&l, RG_F64);
    rg_val x = lab_drawn(&l, "x", RG_SHAPE(T, B, H)), y = lab_drawn(&l, "y", RG_SHAPE(T, B, H));
    rg_val root = rg_residual(x, y, mask_of(&l));
    lab_poke(&l, x, (size_t)(T * B * H) - 1, NAN); /* the last step of a row of length 1 */
    lab_run(&l, &root, 1);
    double *r = lab_read(&l, root, NULL);
    for (size_t e = 0; e < T * B * H; e++) {
        double sum = lab_draw(5, "x", e) + lab_draw(5, "y", e);
        RGT_CHECK(r[e] == ((int32_t)(e / (B * H)) < length[e / H % B] ? sum : 0));
    }
    free(r);
    lab_close(&l);
}

RGT_TEST(highway, is_a_gated_mixture_that_begins_by_carrying)
{
    lab l = { .seed = 5 };
    lab_open(&l, RG_F64);
    rg_val x = lab_drawn(&l, "x", RG_SHAPE(T, B, H)), y = lab_drawn(&l, "y", RG_SHAPE(T, B, H));
    rg_val root[2] = { rg_highway(x, y, "way", mask_of(&l)) };
    RGT_CHECK(lab_all(&l, "way.b", -1));
    lab_fill(&l, 0.7);
    double *W = lab_param(&l, "way.W", NULL), *b = lab_param(&l, "way.b", NULL);
    rg_val w = rg_param(l.g, "way", "W", RG_SHAPE(H, H), rg_init_zeros());
    rg_grad(&root[1], rg_sum(rg_square(root[0])), &w, 1);
    lab_run(&l, root, 2);
    double *was = lab_read(&l, root[1], NULL);
    lab_poke(&l, x, (size_t)(T * B * H) - 1, NAN); /* the last step of a row of length 1 */
    lab_poke(&l, y, (size_t)(T * B * H) - 2, INFINITY);
    lab_again(&l);
    double *r = lab_read(&l, root[0], NULL), *is = lab_read(&l, root[1], NULL);
    RGT_CHECK(memcmp(was, is, H * H * sizeof *is) == 0 && lab_nonzero(&l, root[1]) > 0);
    for (size_t e = 0; e < T * B * H; e++) {
        size_t at = e / H * H, j = e % H;
        double a = b[j];
        for (size_t i = 0; i < H; i++)
            a += lab_draw(5, "x", at + i) * W[i * H + j];
        double t = 1 / (1 + exp(-a));
        double mixed = t * lab_draw(5, "y", e) + (1 - t) * lab_draw(5, "x", e);
        bool real = (int32_t)(e / (B * H)) < length[e / H % B];
        RGT_CHECK(real ? fabs(r[e] - mixed) <= 1e-15 : r[e] == 0);
    }
    free(was);
    free(is);
    free(r);
    lab_close(&l);
}

static rg_val dense_relu(const void *weights, rg_val x)
{
    return rg_relu(rg_dense(x, weights, 5));
}

RGT_TEST(time_distributed, calls_a_function_once_for_all_steps_and_zeroes_what_is_masked)
{
    lab l = { .seed = 5 };
    rg_val root[4], d[2], W;
    lab_open(&l, RG_F64);
    rg_val x = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), m = mask_of(&l);
    rg_val y = rg_time_distributed(dense_relu, "d", x, m);
    RGT_CHECK(rg_shape_equal(rg_shape_of(y), RG_SHAPE(T, B, 5)));
    lab_fill(&l, 0.7);
    rg_val all = rg_relu(rg_dense(x, "d", 5));
    rg_val want = rg_where(rg_reshape(m, RG_SHAPE(T, B, 1)), all, rg_const(l.g, 0));
    W = rg_param(l.g, "d", "W", RG_SHAPE(I, 5), rg_init_zeros());
    rg_grad(d, rg_sum(rg_square(y)), (rg_val[]){ W, x }, 2);
    root[0] = y;
    root[1] = want;
    root[2] = d[0];
    root[3] = d[1];
    lab_run(&l, root, 4);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    double *was = lab_read(&l, root[2], NULL), *is;
    lab_poke(&l, x, (size_t)(T * B * I) - 1, NAN);
    lab_poke(&l, x, 2 * I, INFINITY); /* of the empty row */
    lab_again(&l);
    is = lab_read(&l, root[2], NULL);
    RGT_CHECK(memcmp(was, is, I * 5 * sizeof *is) == 0);
    free(was);
    free(is);
    is = lab_read(&l, root[3], NULL);
    for (size_t e = 0; e < T * B * I; e++)
        RGT_CHECK((int32_t)(e / (B * I)) < length[e / I % B] || is[e] == 0);
    free(is);
    lab_close(&l);
}

/* ---- Derivatives ----------------------------------------------------------------------------- */

static void checked(rg_val loss, const char *what)
{
    rg_gradcheck_report *report = NULL;
    rg_verdict v = rg_gradcheck(&report, loss, NULL, 0,
                                &(rg_gradcheck_opts){ .order = 2, .rtol = 1e-7 });
    RGT_CHECK_MSG(v == RG_PASS, "%s: %s", what, report ? report->message : "");
    rg_gradcheck_destroy(&report);
}

RGT_TEST(wrappers, pass_a_gradient_check_of_second_order)
{
    for (size_t k = 0; k < sizeof merges / sizeof *merges; k++) {
        lab l = { .seed = 6 };
        const bool highway = k == 1;
        lab_open(&l, RG_F64);
        int64_t W = merges[k] == RG_MERGE_CONCAT ? 4 : 2;
        rg_cell cell[4] = { rg_gru(l.g, "l0.fwd", 2, 2, NULL), rg_rnn(l.g, "l0.bwd", 2, 2, NULL),
                            rg_rnn(l.g, "l1.fwd", W, 2, NULL), rg_lstm(l.g, "l1.bwd", W, 2, NULL) };
        lab_fill(&l, 0.7);
        rg_val mask = rg_constant(l.g, RG_BOOL, RG_SHAPE(3, 2),
                                  (const uint8_t[]){ 1, 1, 1, 1, 1, 0 }, 6);
        rg_val y = rg_layers(NULL, cell, 2, rg_normal(l.g, "x", RG_SHAPE(3, 2, 2)), NULL,
                             &(rg_layers_opts){ .bidirectional = true, .merge = merges[k],
                                                .residual = !highway, .mask = mask, .between = 0.3,
                                                .highway = highway ? "way" : NULL });
        y = rg_time_distributed(dense_relu, "d", y, mask);
        checked(rg_sum(rg_square(y)), "layers");
        lab_close(&l);
    }
}
