/* tests/layers/masks.c -- masks, resets, initial states: docs/MATH.md 5.3 and 6, rule by rule. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 4, I = 3, H = 5, MAX = 64 };

/* Row 1 is full, row 2 empty; row 3 has a hole. */
static const int32_t length[B] = { 4, 6, 0, 3 };
static const uint8_t holes[T * B] = { 1, 1, 0, 0,  1, 1, 0, 1,  0, 1, 0, 1,
                                      1, 1, 0, 0,  1, 1, 0, 0,  0, 1, 0, 1 };

struct net {
    lab     l;
    rg_cell cell;
    rg_val  X, s0[LAB_STATES], last[LAB_STATES], Y, loss, root[MAX];
    size_t  n;
};

static void net_open(struct net *n, const lab_cell *kind)
{
    memset(n, 0, sizeof *n);
    n->l.seed = 31;
    lab_open(&n->l, RG_F64);
    n->cell = kind->make(n->l.g, "c", I, H, &kind->opts);
    lab_fill(&n->l, 0.7);
    n->X = lab_drawn(&n->l, "x", RG_SHAPE(T, B, I));
    for (size_t k = 0; k < kind->n_state; k++)
        n->s0[k] = lab_start(&n->l, &n->cell, k, B);
}

static void net_run(struct net *n)
{
    rg_val x[MAX];
    n->loss = rg_sum(rg_mul(n->Y, lab_drawn(&n->l, "gY", rg_shape_of(n->Y))));
    for (size_t k = 0; k < n->cell.n_state; k++) {
        rg_val g = lab_cotangent(&n->l, &n->cell, k, B);
        n->loss = rg_add(n->loss, rg_sum(rg_mul(n->last[k], g)));
    }
    size_t m = rg_graph_params(x, MAX, n->l.g);
    x[m++] = n->X;
    memcpy(x + m, n->s0, n->cell.n_state * sizeof *x);
    m += n->cell.n_state;
    n->root[0] = n->Y;
    memcpy(n->root + 1, n->last, n->cell.n_state * sizeof *x);
    n->n = 1 + n->cell.n_state;
    rg_grad(n->root + n->n, n->loss, x, m);
    n->n += m;
    lab_run(&n->l, n->root, n->n);
}

static void masked(struct net *n, const lab_cell *kind, bool reverse)
{
    net_open(n, kind);
    rg_val m = lab_bits(&n->l, "mask", RG_BOOL, RG_SHAPE(T, B), holes);
    n->Y = rg_unroll(n->last, &n->cell, n->X, n->s0,
                     &(rg_unroll_opts){ .mask = m, .reverse = reverse });
    net_run(n);
}

RGT_TEST(masks, what_lies_under_one_changes_no_bit_of_any_value_or_gradient)
{
    static const double garbage[] = { 1e30, -1e300, NAN, INFINITY, 0 };
    for (size_t k = 0; k < 2 * lab_n_cells; k++) {
        struct net n;
        double *was[MAX];
        masked(&n, &lab_cells[k / 2], k % 2);
        lab_keep(&n.l, n.root, n.n, was);
        for (size_t g = 0; g < sizeof garbage / sizeof *garbage; g++) {
            for (size_t e = 0; e < T * B * I; e++)
                if (!holes[e / I])
                    lab_poke(&n.l, n.X, e, garbage[g]);
            lab_again(&n.l);
            RGT_CHECK_MSG(lab_kept(&n.l, n.root, n.n, was), "%s, %g", lab_cells[k / 2].name,
                          garbage[g]);
        }
        lab_poke(&n.l, n.X, 0, 0.25); /* what is real does change them */
        lab_again(&n.l);
        RGT_CHECK(!lab_kept(&n.l, n.root, n.n, was));
        lab_forget(was, n.n);
        lab_close(&n.l);
    }
}

/* Row b alone, its real steps only: what a padded batch must equal. */
static void row_alone(struct net *n, const lab_cell *kind, int b, bool reverse)
{
    rg_val step[T];
    size_t real = 0;
    net_open(n, kind);
    for (int t = 0; t < T; t++)
        if (holes[t * B + b])
            step[real++] = rg_slice(rg_select(n->X, 0, t), 0, b, b + 1);
    rg_val x = real ? rg_stack(step, real, 0) : rg_zeros(n->l.g, RG_SHAPE(0, 1, I));
    rg_val s0[LAB_STATES];
    for (size_t k = 0; k < kind->n_state; k++)
        s0[k] = rg_slice(n->s0[k], 0, b, b + 1);
    rg_val y = rg_unroll(n->last, &n->cell, x, s0, &(rg_unroll_opts){ .reverse = reverse });
    rg_val out[T], zero = rg_zeros(n->l.g, RG_SHAPE(1, n->cell.width[0]));
    for (int t = 0, at = 0; t < T; t++)
        out[t] = holes[t * B + b] ? rg_select(y, 0, at++) : zero;
    n->Y = rg_stack(out, T, 0);
    lab_run(&n->l, &n->Y, 1);
}

RGT_TEST(masks, a_padded_batch_is_its_rows_one_by_one)
{
    for (size_t k = 0; k < 2 * lab_n_cells; k++) {
        struct net all, one;
        masked(&all, &lab_cells[k / 2], k % 2);
        double *Y = lab_read(&all.l, all.Y, NULL);
        int64_t W = all.cell.width[0];
        for (int b = 0; b < B; b++) {
            row_alone(&one, &lab_cells[k / 2], b, k % 2);
            double *y = lab_read(&one.l, one.Y, NULL);
            for (int t = 0; t < T; t++)
                RGT_CHECK(memcmp(y + t * W, Y + (t * B + b) * W, (size_t)W * sizeof *y) == 0);
            free(y);
            lab_close(&one.l);
        }
        free(Y);
        lab_close(&all.l);
    }
}

RGT_TEST(masks, states_pass_unchanged_outputs_are_zero_and_an_empty_row_keeps_its_start)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        rg_val states[LAB_STATES * T], root[LAB_STATES * T + LAB_STATES + 1];
        size_t S = lab_cells[k].n_state;
        net_open(&n, &lab_cells[k]);
        rg_val m = lab_bits(&n.l, "mask", RG_BOOL, RG_SHAPE(T, B), holes);
        n.Y = rg_unroll(n.last, &n.cell, n.X, n.s0,
                        &(rg_unroll_opts){ .mask = m, .states = states });
        memcpy(root, states, T * S * sizeof *root);
        root[T * S] = n.Y;
        memcpy(root + T * S + 1, n.s0, S * sizeof *root);
        lab_run(&n.l, root, T * S + 1 + S);
        double *Y = lab_read(&n.l, n.Y, NULL);
        for (size_t s = 0; s < S; s++) {
            double *before = lab_read(&n.l, n.s0[s], NULL);
            int64_t W = n.cell.width[s];
            for (int t = 0; t < T; t++) {
                double *after = lab_read(&n.l, states[(size_t)t * S + s], NULL);
                for (int e = 0; e < B * W; e++) {
                    bool real = holes[t * B + e / W];
                    RGT_CHECK(real ? after[e] != before[e] || after[e] == 0 /* relu at rest */
                                         || fabs(after[e]) == lab_cells[k].opts.cell_clip
                                         || fabs(after[e]) == tanh(lab_cells[k].opts.preact_clip)
                                   : after[e] == before[e]);
                    if (s == 0)
                        RGT_CHECK(Y[t * B * W + e] == (real ? after[e] : 0));
                }
                free(before);
                before = after;
            }
            free(before);
            RGT_CHECK(n.last[s].id == states[(T - 1) * S + s].id);
        }
        free(Y);
        lab_close(&n.l);
    }
}

RGT_TEST(masks, a_masked_step_gives_its_input_no_gradient_and_an_empty_row_gives_its_start_all)
{
    static const char *const cotangent[LAB_STATES] = { "gh", "gc", "gp" };
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        size_t S = lab_cells[k].n_state;
        masked(&n, &lab_cells[k], false);
        double *dx = lab_read(&n.l, n.root[n.n - 1 - S], NULL);
        for (size_t e = 0; e < T * B * I; e++)
            RGT_CHECK(holes[e / I] ? dx[e] != 0 || lab_cells[k].traits & LAB_RELU
                                   : dx[e] == 0);
        free(dx);
        for (size_t s = 0; s < S; s++) {
            double *ds = lab_read(&n.l, n.root[n.n - S + s], NULL);
            size_t W = (size_t)n.cell.width[s];
            for (size_t j = 0; j < W; j++) /* row 2 is never real: its cotangent comes through */
                RGT_CHECK(ds[2 * W + j] == lab_draw(31, cotangent[s], 2 * W + j));
            free(ds);
        }
        lab_close(&n.l);
    }
}

RGT_TEST(masks, held_outputs_repeat_the_last_real_one)
{
    for (int reverse = 0; reverse < 2; reverse++) {
        struct net n;
        net_open(&n, &lab_cells[LAB_LSTM]);
        rg_val m = lab_bits(&n.l, "mask", RG_BOOL, RG_SHAPE(T, B), holes);
        rg_unroll_opts opts = { .mask = m, .reverse = reverse != 0 };
        rg_val root[2] = { rg_unroll(NULL, &n.cell, n.X, n.s0, &opts) };
        opts.hold_output = true;
        root[1] = rg_unroll(NULL, &n.cell, n.X, n.s0, &opts);
        lab_run(&n.l, root, 2);
        double *y = lab_read(&n.l, root[0], NULL), *held = lab_read(&n.l, root[1], NULL);
        for (int e = 0; e < B * H; e++)
            for (int i = 0, t; i < T; i++) {
                t = reverse ? T - 1 - i : i;
                double before = i ? held[(reverse ? t + 1 : t - 1) * B * H + e] : 0;
                RGT_CHECK(held[t * B * H + e] ==
                          (holes[t * B + e / H] ? y[t * B * H + e] : before));
            }
        free(y);
        free(held);
        lab_close(&n.l);
    }
}

RGT_TEST(masks, lengths_are_the_mask_of_their_prefixes)
{
    lab l = { .seed = 2 };
    lab_open(&l, RG_F64);
    rg_val m = rg_length_mask(lab_bits(&l, "n", RG_INT, RG_SHAPE(B), length), T);
    RGT_CHECK(rg_kind_of(m) == RG_BOOL && rg_shape_equal(rg_shape_of(m), RG_SHAPE(T, B)));
    rg_val r = rg_real(m);
    lab_run(&l, &r, 1);
    double *bit = lab_read(&l, r, NULL);
    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++)
            RGT_CHECK(bit[t * B + b] == (t < length[b]));
    free(bit);
    ((int32_t *)l.input[0].data)[1] = T + 1;
    RGT_CHECK(rg_plan_run(l.plan) == RG_EINDEX);
    RGT_CHECK(rgt_has(rg_plan_message(l.plan), "'n' holds 7 at [1]; length_mask allows 0 .. 6"));
    lab_close(&l);
}

/* A reset is a new row from there on; also under a mask. */
RGT_TEST(masks, a_reset_starts_the_row_anew_and_lets_no_gradient_across)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        uint8_t reset[T * B] = { 0 };
        rg_val part[2], root[5];
        net_open(&n, &lab_cells[k]);
        for (int b = 0; b < B; b++)
            reset[3 * B + b] = 1;
        rg_val r = lab_bits(&n.l, "reset", RG_BOOL, RG_SHAPE(T, B), reset);
        root[0] = rg_unroll(n.last, &n.cell, n.X, n.s0, &(rg_unroll_opts){ .reset = r });
        part[0] = rg_unroll(NULL, &n.cell, rg_slice(n.X, 0, 0, 3), n.s0, NULL);
        part[1] = rg_unroll(NULL, &n.cell, rg_slice(n.X, 0, 3, T), n.s0, NULL);
        root[1] = rg_concat(part, 2, 0);
        rg_grad(root + 2, rg_sum(rg_square(n.last[0])), &n.X, 1);
        rg_grad(root + 3, rg_sum(rg_square(rg_select(part[1], 0, T - 4))), n.s0, 1);
        rg_grad(root + 4, rg_sum(rg_square(n.last[0])), n.s0, 1);
        lab_run(&n.l, root, 5);
        RGT_CHECK_MSG(lab_same(&n.l, root[0], &n.l, root[1]), "%s", lab_cells[k].name);
        double *dx = lab_read(&n.l, root[2], NULL), later = 0;
        for (size_t e = 0; e < T * B * I; e++)
            if (e < 3 * B * I)
                RGT_CHECK(dx[e] == 0);
            else
                later += fabs(dx[e]);
        RGT_CHECK(later > 0 && lab_apart(&n.l, root[4], &n.l, root[3]) <= 1e-13);
        free(dx);
        lab_close(&n.l);
    }
}

RGT_TEST(masks, a_reset_at_a_masked_step_still_replaces_the_state)
{
    struct net n;
    uint8_t real[T * B], reset[T * B] = { 0 };
    net_open(&n, &lab_cells[LAB_LSTM]);
    memset(real, 1, sizeof real);
    for (int b = 0; b < B; b++) { /* the last step is masked, and resets */
        real[(T - 1) * B + b] = 0;
        reset[(T - 1) * B + b] = 1;
    }
    rg_unroll(n.last, &n.cell, n.X, n.s0,
              &(rg_unroll_opts){ .mask = lab_bits(&n.l, "m", RG_BOOL, RG_SHAPE(T, B), real),
                                 .reset = lab_bits(&n.l, "r", RG_BOOL, RG_SHAPE(T, B), reset) });
    rg_val root[4] = { n.last[0], n.last[1], n.s0[0], n.s0[1] };
    lab_run(&n.l, root, 4);
    RGT_CHECK(lab_same(&n.l, n.last[0], &n.l, n.s0[0]) && lab_same(&n.l, n.last[1], &n.l, n.s0[1]));
    lab_close(&n.l);
}

/* ---- Initial states, empty sequences --------------------------------------------------------- */

RGT_TEST(states, a_learned_start_is_spread_over_the_rows_and_sums_their_gradients)
{
    lab l = { .seed = 3 };
    rg_val last[2], d[2], root[3];
    lab_open(&l, RG_F64);
    rg_cell cell = rg_rnn(l.g, "c", I, H, NULL);
    rg_val h0 = rg_param(l.g, "c", "h0", RG_SHAPE(H), rg_init_zeros());
    rg_val rows = lab_drawn(&l, "rows", RG_SHAPE(B, H)), x = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    lab_fill(&l, 0.7);
    rg_unroll(&last[0], &cell, x, &h0, NULL);
    rg_grad(&d[0], rg_sum(rg_square(last[0])), &h0, 1);
    rg_val spread = rg_add(rg_scale(rows, 0), h0); /* the same, by hand */
    rg_unroll(&last[1], &cell, x, &spread, NULL);
    rg_grad(&d[1], rg_sum(rg_square(last[1])), &spread, 1);
    root[0] = d[0];
    root[1] = rg_sum_over(d[1], 0, false);
    root[2] = rg_sub(last[0], last[1]);
    lab_run(&l, root, 3);
    RGT_CHECK(lab_apart(&l, root[0], &l, root[1]) <= 1e-14);
    double *off = lab_read(&l, root[2], NULL);
    RGT_CHECK(off[0] == 0 && off[B * H - 1] == 0);
    free(off);
    lab_close(&l);
}

RGT_TEST(states, no_start_is_zeros_but_where_the_cell_says_otherwise)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        rg_val start[LAB_STATES], root[2];
        net_open(&n, &lab_cells[k]);
        for (size_t s = 0; s < n.cell.n_state; s++)
            start[s] = rg_full(n.l.g, RG_SHAPE(B, n.cell.width[s]),
                               lab_cells[k].opts.log_form ? 0.5 : 0);
        root[0] = rg_unroll(NULL, &n.cell, n.X, NULL, NULL);
        root[1] = rg_unroll(NULL, &n.cell, n.X, start, NULL);
        lab_run(&n.l, root, 2);
        RGT_CHECK(lab_same(&n.l, root[0], &n.l, root[1]));
        lab_close(&n.l);
    }
}

RGT_TEST(states, of_no_steps_the_last_is_the_first_and_the_gradient_goes_straight_through)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        rg_val root[4];
        net_open(&n, &lab_cells[k]);
        rg_val m = rg_zeros(n.l.g, RG_SHAPE(0, B, I)), d;
        rg_val Y = rg_unroll(n.last, &n.cell, m, n.s0, NULL);
        RGT_CHECK(rg_shape_equal(rg_shape_of(Y), RG_SHAPE(0, B, n.cell.width[0])));
        rg_grad(&d, rg_sum(rg_square(n.last[0])), n.s0, 1);
        root[0] = n.last[0];
        root[1] = n.s0[0];
        root[2] = d;
        root[3] = rg_scale(n.s0[0], 2);
        lab_run(&n.l, root, 4);
        RGT_CHECK(lab_same(&n.l, root[0], &n.l, root[1]) && lab_same(&n.l, root[2], &n.l, root[3]));
        lab_close(&n.l);
    }
}

RGT_TEST(states, of_no_rows_there_are_none)
{
    lab l = { .seed = 3 };
    rg_val last[2], root[2];
    lab_open(&l, RG_F64);
    rg_cell cell = rg_lstm(l.g, "c", I, H, NULL);
    root[0] = rg_unroll(last, &cell, lab_drawn(&l, "x", RG_SHAPE(T, 0, I)), NULL, NULL);
    rg_grad(&root[1], rg_sum(root[0]), (rg_val[]){ rg_param(l.g, "c", "Wi", RG_SHAPE(H, H),
                                                            rg_init_zeros()) }, 1);
    lab_run(&l, root, 2);
    double *dw = lab_read(&l, root[1], NULL);
    RGT_CHECK(dw[0] == 0 && dw[H * H - 1] == 0);
    free(dw);
    lab_close(&l);
}
