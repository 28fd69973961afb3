/* tests/layers/variants.c -- variants of cells: how they start, what they become at their limits,
 * which other cell they then are. */
#include "tests/layers/lab.h"

#include <retrograd/attention.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 2, I = 3, H = 4 };

/* A cell over x from drawn states. */
struct net {
    lab     l;
    rg_cell cell;
    rg_val  s0[LAB_STATES], last[LAB_STATES], Y;
};

static void build(struct net *n, rg_cell_fn *make, const rg_cell_opts *opts)
{
    memset(n, 0, sizeof *n);
    n->l.seed = 21;
    lab_open(&n->l, RG_F64);
    n->cell = make(n->l.g, "c", I, H, opts);
    lab_fill(&n->l, 0.8);
    rg_val X = lab_drawn(&n->l, "x", RG_SHAPE(T, B, I));
    for (size_t k = 0; k < n->cell.n_state; k++)
        n->s0[k] = lab_start(&n->l, &n->cell, k, B);
    n->Y = rg_unroll(n->last, &n->cell, X, n->s0, NULL);
}

static void run(struct net *n)
{
    rg_val root[3] = { n->Y, n->last[n->cell.n_state - 1], n->s0[n->cell.n_state - 1] };
    lab_run(&n->l, root, 3);
}

/* ---- Which other cell they are --------------------------------------------------------------- */

/* 1 - σ(a) = σ(-a): a coupled cell is the full one with the other gate's weights negated. */
RGT_TEST(variants, a_coupled_lstm_is_one_whose_other_gate_is_the_negated_first)
{
    static const struct { rg_coupling coupled; char kept, made; } row[] = {
        { RG_KEEP_F, 'f', 'i' }, { RG_KEEP_I, 'i', 'f' },
    };
    for (size_t k = 0; k < 2; k++) {
        struct net full, coupled;
        build(&full, rg_lstm, NULL);
        build(&coupled, rg_lstm, &(rg_cell_opts){ .coupled = row[k].coupled });
        for (const char *letter = "UWb"; *letter; letter++) {
            const char from[] = { 'c', '.', *letter, row[k].kept, 0 };
            const char to[] = { 'c', '.', *letter, row[k].made, 0 };
            size_t n;
            double *w = lab_param(&full.l, to, &n), *of = lab_param(&full.l, from, NULL);
            for (size_t i = 0; i < n; i++)
                w[i] = -of[i];
            RGT_CHECK(!rg_params_find(coupled.l.ps, to).name);
        }
        run(&full);
        run(&coupled);
        RGT_CHECK(lab_apart(&coupled.l, coupled.Y, &full.l, full.Y) <= 1e-14);
        lab_close(&full.l);
        lab_close(&coupled.l);
    }
}

RGT_TEST(variants, an_lstm_without_peepholes_is_one_whose_peepholes_are_zero)
{
    struct net plain, peep;
    build(&plain, rg_lstm, NULL);
    build(&peep, rg_lstm, &(rg_cell_opts){ .peephole = true });
    run(&plain);
    run(&peep);
    RGT_CHECK(lab_apart(&peep.l, peep.Y, &plain.l, plain.Y) > 0.01);
    lab_set(&peep.l, "c.Pi", 0);
    lab_set(&peep.l, "c.Pf", 0);
    lab_set(&peep.l, "c.Po", 0);
    lab_again(&peep.l);
    RGT_CHECK(lab_same(&peep.l, peep.Y, &plain.l, plain.Y));
    lab_close(&plain.l);
    lab_close(&peep.l);
}

RGT_TEST(variants, a_wide_clip_changes_no_bit_and_a_narrow_one_bounds_the_state)
{
    struct net plain, wide, narrow;
    build(&plain, rg_lstm, NULL);
    build(&wide, rg_lstm, &(rg_cell_opts){ .cell_clip = 100 });
    build(&narrow, rg_lstm, &(rg_cell_opts){ .cell_clip = 0.25 });
    run(&plain);
    run(&wide);
    run(&narrow);
    RGT_CHECK(lab_same(&wide.l, wide.Y, &plain.l, plain.Y));
    size_t n, at = 0;
    double *c = lab_read(&narrow.l, narrow.last[1], &n);
    for (size_t i = 0; i < n; i++) {
        RGT_CHECK(fabs(c[i]) <= 0.25);
        at += fabs(c[i]) == 0.25;
    }
    RGT_CHECK(at > 0);
    free(c);
    lab_close(&plain.l);
    lab_close(&wide.l);
    lab_close(&narrow.l);
}

RGT_TEST(variants, a_wide_bound_of_what_gates_are_of_changes_no_bit_and_a_narrow_one_holds)
{
    static rg_cell_fn *const make[] = { rg_rnn, rg_gru, rg_lstm };
    for (size_t k = 0; k < 3; k++) {
        struct net plain, wide, narrow;
        build(&plain, make[k], NULL);
        build(&wide, make[k], &(rg_cell_opts){ .preact_clip = 100 });
        build(&narrow, make[k], &(rg_cell_opts){ .preact_clip = 0.25 });
        run(&plain);
        run(&wide);
        run(&narrow);
        RGT_CHECK(lab_same(&wide.l, wide.Y, &plain.l, plain.Y));
        RGT_CHECK(lab_apart(&narrow.l, narrow.Y, &plain.l, plain.Y) > 0.01);
        size_t n, at = 0;
        double *h = lab_read(&narrow.l, narrow.last[0], &n);
        for (size_t i = 0; k == 0 && i < n; i++) {
            RGT_CHECK(fabs(h[i]) <= tanh(0.25));
            at += fabs(h[i]) == tanh(0.25);
        }
        RGT_CHECK(k > 0 || at > 0);
        free(h);
        lab_close(&plain.l);
        lab_close(&wide.l);
        lab_close(&narrow.l);
    }
}

/* Rows first .. first+n-1 of a [rows,H] parameter are 0. */
static void blank(lab *l, const char *name, size_t first, size_t n)
{
    for (size_t e = first * H; e < (first + n) * H; e++)
        lab_param(l, name, NULL)[e] = 0;
}

/* The weights of inputs long past are the last rows of V. */
RGT_TEST(variants, a_qrnn_is_one_of_a_wider_window_that_does_not_look_so_far)
{
    static const char *const V[] = { "c.Vz", "c.Vf", "c.Vo" };
    for (int64_t window = 2; window <= 4; window++) {
        struct net near, far;
        build(&near, rg_qrnn, &(rg_cell_opts){ .window = window - 1 });
        build(&far, rg_qrnn, &(rg_cell_opts){ .window = window });
        RGT_CHECK(near.cell.n_state == (window == 2 ? 2 : 3) &&
                  far.cell.width[2] == (window - 1) * I);
        rg_val y = rg_unroll(NULL, &near.cell, lab_drawn(&near.l, "z", RG_SHAPE(T, B, I)), NULL,
                             NULL);
        rg_val z = rg_unroll(NULL, &far.cell, lab_drawn(&far.l, "z", RG_SHAPE(T, B, I)), NULL,
                             NULL);
        for (size_t k = 0; k < 3; k++) {
            size_t n;
            for (int64_t e = 0; window > 2 && e < (window - 2) * I * H; e++)
                lab_param(&far.l, V[k], &n)[e] = lab_param(&near.l, V[k], NULL)[e];
        }
        lab_run(&near.l, &y, 1);
        lab_run(&far.l, &z, 1);
        RGT_CHECK(lab_apart(&far.l, z, &near.l, y) > 0.01);
        for (size_t k = 0; k < 3; k++)
            blank(&far.l, V[k], (size_t)(window - 2) * I, I);
        lab_again(&far.l);
        RGT_CHECK(lab_apart(&far.l, z, &near.l, y) <= 1e-15);
        lab_close(&near.l);
        lab_close(&far.l);
    }
}

/* ---- At their limits ------------------------------------------------------------------------- */

/* f and i both underflow to 0; their shares do not. */
RGT_TEST(variants, a_minlstm_keeps_its_shares_where_both_gates_vanish)
{
    struct net n;
    build(&n, rg_minlstm, NULL);
    lab_set(&n.l, "c.bf", -2000);
    lab_set(&n.l, "c.bi", -2000);
    lab_set(&n.l, "c.Uf", 0);
    lab_set(&n.l, "c.Ui", 0);
    lab_set(&n.l, "c.Ug", 0);
    lab_set(&n.l, "c.bg", 1);
    run(&n);
    size_t count;
    double *h = lab_read(&n.l, n.last[0], &count), *h0 = lab_read(&n.l, n.s0[0], NULL);
    for (size_t i = 0; i < count; i++) /* half of each at every step */
        RGT_CHECK(fabs(h[i] - (1 + (h0[i] - 1) / 32)) <= 1e-15);
    free(h);
    free(h0);
    lab_set(&n.l, "c.bf", -1000); /* f is e^1000 times i: the state stays */
    lab_again(&n.l);
    RGT_CHECK(lab_same(&n.l, n.last[0], &n.l, n.s0[0]));
    lab_close(&n.l);
}

RGT_TEST(variants, gates_that_are_shut_hold_the_state_to_the_bit)
{
    static const struct { rg_cell_fn *make; rg_cell_opts opts; const char *bias; double value; }
    row[] = {
        { rg_mgu, { .bias = RG_BIAS_SINGLE }, "c.bf", -800 },
        { rg_janet, { .bias = RG_BIAS_SINGLE }, "c.bf", 60 },
        { rg_mingru, { .bias = RG_BIAS_SINGLE }, "c.bu", -800 },
        { rg_mingru, { .log_form = true }, "c.bu", -800 },
        { rg_sru, { .sru_v1 = true }, "c.bf", 60 },
        { rg_qrnn, { .window = 5 }, "c.bf", 60 },
        { rg_gru, { .norm = RG_NORM_BA, .reset_after = true }, "c.bu", 60 },
        { rg_lstm, { .coupled = RG_KEEP_F }, "c.bf", 60 },
        { rg_lstm, { .coupled = RG_KEEP_I }, "c.bi", -800 },
        { rg_sru, { .bias = RG_BIAS_SINGLE }, "c.bf", 60 },
        { rg_qrnn, { .pool = RG_POOL_FO }, "c.bf", 60 },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct net n;
        build(&n, row[k].make, &row[k].opts);
        size_t at = n.cell.n_state > 1; /* h, or c */
        lab_set(&n.l, row[k].bias, row[k].value);
        rg_val root[2] = { n.last[at], n.s0[at] };
        lab_run(&n.l, root, 2);
        RGT_CHECK_MSG(lab_same(&n.l, root[0], &n.l, root[1]), "row %zu", k);
        lab_close(&n.l);
    }
}

/* ψ(0) = 1/2, wherever the cell is; its decoder's own states are 0. */
RGT_TEST(variants, a_mingru_of_positive_states_starts_at_a_half)
{
    const rg_cell_opts positive = { .log_form = true };
    struct net n;
    build(&n, rg_mingru, &positive);
    lab *l = &n.l;
    rg_cell two[2] = { rg_lstm(l->g, "below", I, H, NULL),
                       rg_mingru(l->g, "top", H, H, &positive) };
    rg_cell stack = rg_stacked(l->g, two, 2, 0);
    rg_cell zoned = rg_zoneout(l->g, &stack, (const double[]){ 0, 0, 0.5 });
    rg_attention over = rg_attention_over(lab_drawn(l, "m", RG_SHAPE(B, 6, 3)), RG_NONE, "att", H,
                                          NULL);
    rg_cell decoder = rg_bahdanau(l->g, &stack, &over, I);
    for (size_t k = 0; k < 3; k++)
        RGT_CHECK(rg_cell_start(&stack, k) == (k == 2 ? 0.5 : 0) &&
                  rg_cell_start(&zoned, k) == rg_cell_start(&stack, k));
    for (size_t k = 0; k < 5; k++)
        RGT_CHECK(rg_cell_start(&decoder, k) == (k == 3 ? 0.5 : 0));
    RGT_CHECK(rg_cell_start(&n.cell, 1) == 0 && rg_cell_start(NULL, 0) == 0);
    rg_val X = lab_drawn(l, "z", RG_SHAPE(T, B, I)), half = rg_full(l->g, RG_SHAPE(H), 0.5);
    rg_val y = rg_unroll(NULL, &n.cell, X, NULL, NULL), h;
    rg_step(&h, &n.cell, rg_select(X, 0, 0), NULL, 0);
    rg_val root[] = { y, rg_unroll(NULL, &n.cell, X, &half, NULL), h, rg_select(y, 0, 0) };
    lab_run(l, root, 4);
    RGT_CHECK(lab_same(l, root[0], l, root[1]) && lab_same(l, root[2], l, root[3]));
    size_t count;
    double *v = lab_read(l, y, &count);
    for (size_t i = 0; i < count; i++)
        RGT_CHECK(v[i] > 0);
    free(v);
    lab_close(l);
}

/* ---- Layer norm ------------------------------------------------------------------------------ */

RGT_TEST(variants, layer_norm_of_equal_elements_or_of_one_is_beta_exactly)
{
    static const double value[] = { 0, 0.1, -3.3, 1e8 + 1.0 / 3, 1e-300 };
    enum { ROWS = sizeof value / sizeof *value };
    for (int64_t n = 1; n <= 29; n += 7) {
        lab l = { .seed = 4 };
        lab_open(&l, RG_F64);
        double x[ROWS * 29];
        for (int64_t i = 0; i < ROWS * n; i++)
            x[i] = value[i / n];
        rg_val beta = lab_drawn(&l, "beta", RG_SHAPE(n));
        rg_val y = rg_layer_norm(lab_given(&l, "x", RG_SHAPE(ROWS, n), x),
                                 lab_drawn(&l, "gamma", RG_SHAPE(n)), beta, 1e-5);
        rg_val want = rg_broadcast(beta, RG_SHAPE(ROWS, n));
        lab_run(&l, (rg_val[]){ y, want }, 2);
        RGT_CHECK(lab_same(&l, y, &l, want));
        lab_close(&l);
    }
}

RGT_TEST(variants, layer_norm_has_mean_beta_and_deviation_gamma_whatever_the_row_s_offset)
{
    enum { N = 64 };
    lab l = { .seed = 4 };
    double x[2 * N], y[2 * N];
    lab_open(&l, RG_F64);
    for (size_t i = 0; i < N; i++) { /* the second row is the first far away, to the bit */
        x[i] = floor(1024 * lab_draw(4, "x", i)) / 1024;
        x[N + i] = x[i] + 1e9;
    }
    rg_val v = rg_layer_norm(lab_given(&l, "x", RG_SHAPE(2, N), x), RG_NONE, RG_NONE, 1e-12);
    lab_run(&l, &v, 1);
    double *got = lab_read(&l, v, NULL), sum = 0, square = 0;
    memcpy(y, got, sizeof y);
    free(got);
    for (size_t i = 0; i < N; i++) {
        sum += y[i];
        square += y[i] * y[i];
        RGT_CHECK(y[i] == y[N + i]);
    }
    RGT_CHECK(fabs(sum) <= 1e-12 && fabs(square / N - 1) <= 1e-10);
    lab_close(&l);
}

RGT_TEST(variants, layer_norm_refuses_what_does_not_fit)
{
    static const struct { rg_shape x, gamma; double eps; const char *says; } row[] = {
        { { 2, { 3, 4 } }, { 1, { 3 } }, 1e-5,
          "layer_norm: gamma is [3], for [3,4] it must be [4]" },
        { { 2, { 3, 4 } }, { 2, { 1, 4 } }, 1e-5, "layer_norm: gamma is [1,4]" },
        { { 0, { 0 } }, { 1, { 1 } }, 1e-5, "layer_norm: there is no last axis" },
        { { 2, { 3, 0 } }, { 1, { 0 } }, 1e-5, "layer_norm: there is no last axis" },
        { { 2, { 3, 4 } }, { 1, { 4 } }, 0, "layer_norm: eps must be positive, got 0" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        lab l = { .seed = 4 };
        lab_open(&l, RG_F64);
        rg_val x = rg_input(l.g, "x", RG_F, row[k].x), g = rg_input(l.g, "g", RG_F, row[k].gamma);
        RGT_CHECK(rg_layer_norm(x, g, RG_NONE, row[k].eps).id == 0);
        RGT_CHECK_MSG(rgt_has(rg_graph_message(l.g), row[k].says), "%s", rg_graph_message(l.g));
        lab_close(&l);
    }
    RGT_CHECK(rg_layer_norm(RG_NONE, RG_NONE, RG_NONE, 1).id == 0);
}

/* ---- How they start -------------------------------------------------------------------------- */

RGT_TEST(variants, gates_that_keep_start_open_and_peepholes_norms_and_v_as_their_papers_say)
{
    lab l = { .seed = 8 };
    size_t n;
    lab_open(&l, RG_F64);
    rg_lstm(l.g, "p", I, H, &(rg_cell_opts){ .peephole = true, .norm = RG_NORM_BA });
    rg_lstm(l.g, "f", I, H, &(rg_cell_opts){ .coupled = RG_KEEP_F });
    rg_lstm(l.g, "i", I, H, &(rg_cell_opts){ .coupled = RG_KEEP_I });
    rg_lstm(l.g, "t", I, H, &(rg_cell_opts){ .norm = RG_NORM_TF_CONTRIB });
    rg_mgu(l.g, "m", I, H, NULL);
    rg_mgu(l.g, "m0", I, H, &(rg_cell_opts){ .forget_bias_0 = true });
    rg_janet(l.g, "j", I, H, NULL);
    rg_sru(l.g, "s", I, H, NULL);
    rg_rnn(l.g, "irnn", I, H, &(rg_cell_opts){ .nonlinearity = RG_RELU, .init = RG_INIT_IRNN });
    RGT_CHECK(lab_all(&l, "p.Pi", 0) && lab_all(&l, "p.Po", 0) && lab_all(&l, "p.bf", 1));
    RGT_CHECK(lab_all(&l, "p.gamma_x", 1) && lab_all(&l, "p.beta_h", 0) &&
              lab_all(&l, "p.gamma_cell", 1));
    RGT_CHECK(lab_all(&l, "f.bf", 1) && lab_all(&l, "i.bi", -1) && lab_all(&l, "t.beta_f", 1));
    RGT_CHECK(lab_all(&l, "t.beta_i", 0) && !rg_params_find(l.ps, "t.bf").name);
    RGT_CHECK(lab_all(&l, "m.bf", 1) && lab_all(&l, "m0.bf", 0) && lab_all(&l, "j.bf", 1));
    RGT_CHECK(lab_all(&l, "s.vf", 0) && lab_all(&l, "s.vr", 0) && lab_all(&l, "s.bf", 0));
    double *W = lab_param(&l, "irnn.W", &n), least = 1, most = 0;
    for (size_t i = 0; i < n; i++)
        RGT_CHECK(W[i] == (i % (H + 1) == 0));
    rg_indrnn(l.g, "v", I, 200, NULL);
    double *v = lab_param(&l, "v.v", &n);
    for (size_t i = 0; i < n; i++) {
        least = fmin(least, v[i]);
        most = fmax(most, v[i]);
    }
    RGT_CHECK(least >= 0 && least < 0.05 && most < 1 && most > 0.95);
    RGT_CHECK(rg_params_find(l.ps, "v.v").bound == 0);
    rg_indrnn(l.g, "v", I, 200, &(rg_cell_opts){ .bound_T = 4 });
    RGT_CHECK(rg_params_find(l.ps, "v.v").bound == exp2(0.25));
    lab_close(&l);
}

RGT_TEST(variants, the_chrono_start_goes_to_whatever_keeps_the_state)
{
    static const struct { rg_cell_fn *make; rg_cell_opts opts; const char *bias; int sign; }
    row[] = {
        { rg_mgu, { .bias = 0 }, "c.bf", -1 }, { rg_janet, { .bias = 0 }, "c.bf", 1 },
        { rg_mingru, { .bias = 0 }, "c.bu", -1 }, { rg_minlstm, { .bias = 0 }, "c.bf", 1 },
        { rg_minlstm, { .bias = 0 }, "c.bi", -1 }, { rg_sru, { .bias = 0 }, "c.bf", 1 },
        { rg_qrnn, { .bias = 0 }, "c.bf", 1 }, { rg_lstm, { .coupled = RG_KEEP_I }, "c.bi", -1 },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        lab l = { .seed = 8 };
        rg_cell_opts opts = row[k].opts;
        size_t n;
        double most = 0;
        lab_open(&l, RG_F64);
        opts.init = RG_INIT_CHRONO;
        opts.chrono_T = 100;
        row[k].make(l.g, "c", I, 50, &opts);
        double *b = lab_param(&l, row[k].bias, &n);
        for (size_t i = 0; i < n; i++) {
            RGT_CHECK(row[k].sign * b[i] >= 0 && fabs(b[i]) <= log(99));
            most = fmax(most, fabs(b[i]));
        }
        RGT_CHECK_MSG(most > log(80), "row %zu", k);
        lab_close(&l);
    }
}

/* W is [P,H] of every gate, orthonormal, as one matrix in Keras's start; the projection is not. */
RGT_TEST(variants, a_projected_lstm_is_as_wide_as_its_projection)
{
    struct net n;
    build(&n, rg_lstm, &(rg_cell_opts){ .proj = 2, .init = RG_INIT_KERAS, .peephole = true });
    RGT_CHECK(n.cell.width[0] == 2 && n.cell.width[1] == H);
    RGT_CHECK(rg_shape_equal(rg_shape_of(n.Y), RG_SHAPE(T, B, 2)));
    RGT_CHECK(rg_shape_equal(rg_params_find(n.l.ps, "c.Wo").shape, RG_SHAPE(2, H)));
    RGT_CHECK(rg_shape_equal(rg_params_find(n.l.ps, "c.proj").shape, RG_SHAPE(H, 2)));
    run(&n);
    lab_close(&n.l);
}
