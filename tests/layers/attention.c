/* tests/layers/attention.c -- scores against their formulas, decoders against loops by hand. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { S = 5, T = 3, B = 3, D = 4, H = 4, A = 6, E = 2 };

/* Row 1 has a hole, row 2 nothing at all. */
static const uint8_t some[S * B] = { 1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0 };

static const rg_attention_opts kinds[] = {
    { RG_SCORE_ADDITIVE, 0, false }, { RG_SCORE_ADDITIVE, A, false }, { RG_SCORE_DOT, 0, false },
    { RG_SCORE_DOT, 0, true }, { RG_SCORE_GENERAL, 0, false }, { RG_SCORE_GENERAL, 0, true },
    { RG_SCORE_CONCAT, 0, false }, { RG_SCORE_CONCAT, A, false },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* score(q, m) by the formula of its kind */
static double score(lab *l, const rg_attention_opts *o, const double *q, const double *m)
{
    const int wide = o->width ? (int)o->width : H;
    double e = 0, root = o->scale ? sqrt(D) : 1;
    if (o->score == RG_SCORE_DOT)
        for (int d = 0; d < D; d++)
            e += q[d] * m[d];
    if (o->score == RG_SCORE_GENERAL)
        for (int i = 0; i < H; i++)
            for (int d = 0; d < D; d++)
                e += q[i] * lab_param(l, "att.Wa", NULL)[i * D + d] * m[d];
    const bool add = o->score == RG_SCORE_ADDITIVE, hidden = add || o->score == RG_SCORE_CONCAT;
    for (int a = 0; a < wide && hidden; a++) {
        double sum = add ? lab_param(l, "att.ba", NULL)[a] : 0;
        const double *Wq = lab_param(l, add ? "att.Wq" : "att.Wa", NULL);
        const double *Wm = add ? lab_param(l, "att.Wm", NULL) : Wq + H * wide;
        for (int i = 0; i < H; i++)
            sum += q[i] * Wq[i * wide + a];
        for (int d = 0; d < D; d++)
            sum += m[d] * Wm[d * wide + a];
        e += lab_param(l, "att.v", NULL)[a] * tanh(sum);
    }
    return e / root;
}

static void attend_by_hand(double alpha[S], double ctx[D], lab *l, const rg_attention_opts *o,
                           const double *q, const double *M, int b)
{
    double e[S], most = -INFINITY, sum = 0;
    for (int s = 0; s < S; s++) {
        e[s] = score(l, o, q, M + (s * B + b) * D);
        most = some[s * B + b] ? fmax(most, e[s]) : most;
    }
    for (int s = 0; s < S; s++)
        sum += alpha[s] = some[s * B + b] ? exp(e[s] - most) : 0;
    memset(ctx, 0, D * sizeof *ctx);
    for (int s = 0; s < S && sum > 0; s++) {
        alpha[s] /= sum;
        for (int d = 0; d < D; d++)
            ctx[d] += alpha[s] * M[(s * B + b) * D + d];
    }
}

RGT_TEST(attention, is_its_formula_for_every_score_and_zero_where_nothing_is_real)
{
    for (int k = 0; k < KINDS; k++) {
        lab l = { .seed = 5 };
        rg_val root[4];
        lab_open(&l, RG_F64);
        root[2] = lab_drawn(&l, "M", RG_SHAPE(S, B, D));
        root[3] = lab_drawn(&l, "q", RG_SHAPE(B, H));
        rg_val mask = lab_bits(&l, "mask", RG_BOOL, RG_SHAPE(S, B), some);
        rg_attention a = rg_attention_over(root[2], mask, "att", H, &kinds[k]);
        root[0] = rg_attend(&root[1], &a, root[3]);
        lab_fill(&l, 0.8);
        lab_run(&l, root, 4);
        double *ctx = lab_read(&l, root[0], NULL), *alpha = lab_read(&l, root[1], NULL);
        double *M = lab_read(&l, root[2], NULL), *q = lab_read(&l, root[3], NULL);
        for (int b = 0; b < B; b++) {
            double w[S], c[D];
            attend_by_hand(w, c, &l, &kinds[k], q + b * H, M, b);
            for (int s = 0; s < S; s++)
                RGT_CHECK(fabs(alpha[b * S + s] - w[s]) < 1e-14 &&
                          (some[s * B + b] || alpha[b * S + s] == 0));
            for (int d = 0; d < D; d++)
                RGT_CHECK(fabs(ctx[b * D + d] - c[d]) < 1e-14 && (b != 2 || ctx[b * D + d] == 0));
        }
        free(ctx), free(alpha), free(M), free(q);
        lab_close(&l);
    }
}

/* A loss through both results, with gradients for memory, query and all weights. */
static rg_val attended(lab *l, int kind, rg_val *M, rg_val *q)
{
    rg_val alpha, mask = lab_bits(l, "mask", RG_BOOL, RG_SHAPE(S, B), some);
    *M = lab_drawn(l, "M", RG_SHAPE(S, B, D));
    *q = lab_drawn(l, "q", RG_SHAPE(B, H));
    rg_attention a = rg_attention_over(*M, mask, "att", H, &kinds[kind]);
    rg_val ctx = rg_attend(&alpha, &a, *q);
    rg_val w = lab_drawn(l, "w", RG_SHAPE(B, S));
    return rg_add(rg_sum(rg_square(ctx)), rg_sum(rg_mul(alpha, w)));
}

RGT_TEST(attention, has_right_gradients_of_first_and_second_order)
{
    for (int k = 0; k < KINDS; k++) {
        lab l = { .seed = 5 };
        rg_val M, q;
        lab_open(&l, RG_F64);
        rg_val loss = attended(&l, k, &M, &q);
        lab_fill(&l, 0.8);
        lab_run(&l, &loss, 1);
        rg_val x[8] = { M, q };
        size_t n = 2 + rg_graph_params(x + 2, 6, l.g);
        rg_gradcheck_report *r;
        rg_verdict v = rg_gradcheck(&r, loss, x, n, &(rg_gradcheck_opts){ .data = l.plan,
                                                                         .order = 2 });
        RGT_CHECK_MSG(v == RG_PASS, "kind %d: %s", k, r->message);
        rg_gradcheck_destroy(&r);
        lab_close(&l);
    }
}

RGT_TEST(attention, what_masked_steps_hold_changes_no_bit_forward_or_backward)
{
    for (int k = 0; k < KINDS; k++) {
        lab l[2] = { { .seed = 5 }, { .seed = 5 } };
        rg_val root[2][9];
        size_t n = 0;
        for (int i = 0; i < 2; i++) {
            rg_val x[8];
            lab_open(&l[i], RG_F64);
            root[i][0] = attended(&l[i], k, &x[0], &x[1]);
            lab_fill(&l[i], 0.8);
            n = 2 + rg_graph_params(x + 2, 6, l[i].g);
            rg_grad(root[i] + 1, root[i][0], x, n);
            for (size_t e = 0; i && e < S * B; e++)
                for (size_t d = 0; !some[e] && d < D; d++)
                    lab_poke(&l[i], x[0], e * D + d, d % 2 ? NAN : INFINITY);
            lab_run(&l[i], root[i], n + 1);
        }
        for (size_t j = 0; j <= n; j++)
            RGT_CHECK_MSG(lab_same(&l[0], root[0][j], &l[1], root[1][j]), "kind %d root %zu", k, j);
        double *dM = lab_read(&l[1], root[1][1], NULL);
        for (size_t e = 0; e < S * B * D; e++)
            RGT_CHECK(some[e / D] || dM[e] == 0);
        free(dM);
        lab_close(&l[0]);
        lab_close(&l[1]);
    }
}

RGT_TEST(attention, over_no_steps_gives_zeros)
{
    lab l = { .seed = 5 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_val q = lab_drawn(&l, "q", RG_SHAPE(B, H));
    rg_attention a = rg_attention_over(rg_zeros(l.g, RG_SHAPE(0, B, D)), RG_NONE, "att", H, NULL);
    root[0] = rg_attend(&root[1], &a, q);
    RGT_CHECK(rg_shape_equal(rg_shape_of(root[1]), RG_SHAPE(B, 0)));
    lab_run(&l, root, 1);
    double *ctx = lab_read(&l, root[0], NULL);
    for (int k = 0; k < B * D; k++)
        RGT_CHECK(ctx[k] == 0);
    free(ctx);
    lab_close(&l);
}

RGT_TEST(attention, repeating_gives_each_slice_k_times_in_a_row)
{
    static const double x[6] = { 1, 2, 3, 4, 5, 6 };
    static const double rows[12] = { 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6 };
    static const double columns[12] = { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6 };
    lab l = { .seed = 5 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_val v = lab_given(&l, "x", RG_SHAPE(2, 3), x);
    root[0] = rg_repeat(v, 0, 2);
    root[1] = rg_repeat(v, -1, 2);
    lab_run(&l, root, 2);
    double *a = lab_read(&l, root[0], NULL), *b = lab_read(&l, root[1], NULL);
    RGT_CHECK(memcmp(a, rows, sizeof rows) == 0 && memcmp(b, columns, sizeof columns) == 0);
    free(a), free(b);
    lab_close(&l);
}

/* ---- Decoders -------------------------------------------------------------------------------- */

/* Both decoders, unrolled, and the same written out; root[0..] outputs, final h, α of all steps. */
static void unrolled(lab *l, bool luong, rg_val root[6])
{
    lab_open(l, RG_F64);
    rg_graph *g = l->g;
    rg_val M = lab_drawn(l, "M", RG_SHAPE(S, B, D)), x = lab_drawn(l, "x", RG_SHAPE(T, B, E));
    rg_val mask = lab_bits(l, "mask", RG_BOOL, RG_SHAPE(S, B), some);
    rg_val h = lab_drawn(l, "h", RG_SHAPE(B, H)), a = rg_zeros(g, RG_SHAPE(B, A));
    rg_attention_opts how = { .score = luong ? RG_SCORE_GENERAL : RG_SCORE_ADDITIVE };
    rg_attention att = rg_attention_over(M, mask, "att", H, &how);
    rg_cell gru = rg_gru(g, "dec", E + (luong ? A : D), H, NULL);
    rg_cell dec = luong ? rg_luong(g, "dec", &gru, &att, A) : rg_bahdanau(g, &gru, &att, E);
    rg_val s0[3], last[3], states[3 * T], y[T], w[T];
    RGT_CHECK(dec.n_state == 3 && rg_cell_output(&dec) == 0);
    rg_attending_start(s0, &dec, &h);
    root[0] = rg_unroll(last, &dec, x, s0, &(rg_unroll_opts){ .states = states });
    root[1] = last[1];
    root[2] = rg_attention_weights(&dec, states, T);
    for (int t = 0; t < T; t++) {
        rg_val in = rg_select(x, 0, t);
        if (luong) {
            gru.step(gru.weights, rg_concat((rg_val[]){ in, a }, 2, -1), &h, &s0[0]);
            h = s0[0];
            rg_val ctx = rg_attend(&w[t], &att, h);
            rg_val Wc = rg_param(g, "dec", "Wc", RG_SHAPE(D + H, A), rg_init_zeros());
            y[t] = a = rg_tanh(rg_matmul(rg_concat((rg_val[]){ ctx, h }, 2, -1), Wc));
        } else {
            rg_val ctx = rg_attend(&w[t], &att, h);
            gru.step(gru.weights, rg_concat((rg_val[]){ in, ctx }, 2, -1), &h, &s0[0]);
            h = s0[0];
            y[t] = rg_concat((rg_val[]){ h, ctx, in }, 3, -1);
        }
    }
    root[3] = rg_stack(y, T, 0);
    root[4] = h;
    root[5] = rg_stack(w, T, 0);
    lab_fill(l, 0.7);
}

RGT_TEST(decoder, is_the_loop_that_its_paper_writes)
{
    for (int luong = 0; luong < 2; luong++) {
        lab l = { .seed = 11 };
        rg_val root[6];
        unrolled(&l, luong, root);
        RGT_CHECK(rg_shape_equal(rg_shape_of(root[0]), RG_SHAPE(T, B, luong ? A : H + D + E)));
        RGT_CHECK(rg_shape_equal(rg_shape_of(root[2]), RG_SHAPE(T, B, S)));
        lab_run(&l, root, 6);
        for (int k = 0; k < 3; k++)
            RGT_CHECK_MSG(lab_apart(&l, root[k], &l, root[k + 3]) < 1e-14, "%d: %d", luong, k);
        lab_close(&l);
    }
}

RGT_TEST(decoder, has_right_gradients)
{
    for (int luong = 0; luong < 2; luong++) {
        lab l = { .seed = 11 };
        rg_val root[6];
        rg_gradcheck_report *r;
        unrolled(&l, luong, root);
        rg_val loss = rg_add(rg_sum(rg_square(root[0])), rg_sum(rg_square(root[1])));
        lab_run(&l, &loss, 1);
        rg_verdict v = rg_gradcheck(&r, loss, NULL, 0, &(rg_gradcheck_opts){ .data = l.plan });
        RGT_CHECK_MSG(v == RG_PASS, "%d: %s", luong, r->message);
        rg_gradcheck_destroy(&r);
        lab_close(&l);
    }
}

RGT_TEST(decoder, over_two_layers_asks_with_the_upper_one)
{
    lab l = { .seed = 11 };
    rg_val root[2], s0[5], last[5], next[5];
    lab_open(&l, RG_F64);
    rg_val M = lab_drawn(&l, "M", RG_SHAPE(S, B, D)), x = lab_drawn(&l, "x", RG_SHAPE(1, B, E));
    rg_cell two[2] = { rg_gru(l.g, "l0", E + D, H + 1, NULL), rg_lstm(l.g, "l1", H + 1, H, NULL) };
    rg_cell stack = rg_stacked(l.g, two, 2, 0);
    rg_attention att = rg_attention_over(M, RG_NONE, "att", H, NULL);
    rg_cell dec = rg_bahdanau(l.g, &stack, &att, E);
    rg_val inner[3] = { lab_drawn(&l, "a", RG_SHAPE(B, H + 1)), lab_drawn(&l, "b", RG_SHAPE(B, H)),
                        lab_drawn(&l, "c", RG_SHAPE(B, H)) };
    rg_attending_start(s0, &dec, inner);
    root[0] = rg_unroll(last, &dec, x, s0, NULL);
    rg_val ctx = rg_attend(NULL, &att, inner[1]), in = rg_select(x, 0, 0);
    rg_step(next, &stack, rg_concat((rg_val[]){ in, ctx }, 2, -1), inner, 0);
    root[1] = rg_unsqueeze(rg_concat((rg_val[]){ next[1], ctx, in }, 3, -1), 0);
    lab_fill(&l, 0.7);
    lab_run(&l, root, 2);
    RGT_CHECK(dec.n_state == 5 && lab_apart(&l, root[0], &l, root[1]) < 1e-14);
    lab_close(&l);
}

/* ---- Bridges and refusals -------------------------------------------------------------------- */

RGT_TEST(bridge, hands_equal_states_over_and_maps_others_each_by_its_own_weights)
{
    lab l = { .seed = 3 };
    rg_val s0[2];
    lab_open(&l, RG_F64);
    rg_val last[3] = { lab_drawn(&l, "h", RG_SHAPE(B, H)), lab_drawn(&l, "c", RG_SHAPE(B, H)),
                       lab_drawn(&l, "more", RG_SHAPE(B, D + 1)) };
    rg_cell same = rg_lstm(l.g, "a", E, H, NULL), wide = rg_lstm(l.g, "b", E, A, NULL);
    rg_bridge(s0, &same, last, NULL, 2, NULL);
    RGT_CHECK(s0[0].id == last[0].id && s0[1].id == last[1].id);
    rg_bridge(s0, &wide, last, last, 2, "both");
    RGT_CHECK(rg_shape_equal(rg_shape_of(s0[1]), RG_SHAPE(B, A)));
    RGT_CHECK(rg_shape_equal(rg_params_find(l.ps, "both.s1.W").shape, RG_SHAPE(2 * H, A)));
    rg_bridge(s0, &wide, last, NULL, 3, "all");
    RGT_CHECK(rg_shape_equal(rg_params_find(l.ps, "all.s0.W").shape, RG_SHAPE(2 * H + D + 1, A)));
    rg_feed_init(s0, &wide, last[2], "picture");
    rg_val by_hand = rg_tanh(rg_dense(last[2], "picture.s1", A)), root[2] = { s0[1], by_hand };
    lab_fill(&l, 0.7);
    lab_run(&l, root, 2);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    lab_close(&l);
}

static void refused(int which, rg_status status, const char *says)
{
    lab l = { .seed = 3 };
    rg_val s0[4];
    lab_open(&l, RG_F64);
    rg_graph *g = l.g;
    rg_val M = lab_drawn(&l, "M", RG_SHAPE(S, B, D)), h = lab_drawn(&l, "h", RG_SHAPE(B, H + 1));
    rg_val real = lab_drawn(&l, "real", RG_SHAPE(S, B));
    rg_cell gru = rg_gru(g, "dec", E + D, H, NULL), lstm = rg_lstm(g, "lstm", E, H + 1, NULL);
    rg_attention a = rg_attention_over(M, RG_NONE, "att", H, NULL);
    rg_attention_opts o = { .score = which == 2 ? RG_SCORE_DOT : 0, .scale = which == 3,
                            .width = which == 8 ? -1 : 0 };
    switch (which) {
    case 0: rg_attention_over(h, RG_NONE, "x", H, NULL); break;
    case 1: rg_attention_over(M, real, "x", H, NULL); break;
    case 2: case 3: case 8: rg_attention_over(M, RG_NONE, "x", H + 1, &o); break;
    case 4: rg_attend(NULL, &a, h); break;
    case 5: rg_bridge(s0, &gru, &h, NULL, 1, NULL); break;
    case 6: rg_bridge(s0, &lstm, &h, NULL, 1, NULL); break;
    case 7: rg_bridge(s0, &gru, &h, &h, 1, NULL); break;
    case 9: rg_feed_first(M, h); break;
    case 10: rg_bahdanau(g, &(rg_cell){ "none", 1, NULL, gru.step, NULL }, &a, E); break;
    case 11: rg_repeat(h, 0, 0); break;
    default: rg_attention_over(M, rg_less(rg_sum_over(M, 0, false), rg_const(g, 0)), "x", H, NULL);
    }
    lab_says(g, status, says);
    lab_close(&l);
}

RGT_TEST(attention, what_does_not_fit_is_refused_with_the_reason)
{
    refused(0, RG_ESHAPE, "memory is [S,B,D]");
    refused(1, RG_EDTYPE, "must be RG_BOOL");
    refused(2, RG_ESHAPE, "query has 5, memory 4");
    refused(3, RG_EARG, "additive score is not scaled");
    refused(4, RG_ESHAPE, "query is [3,5], it must be [B,Q] = [3,4]");
    refused(5, RG_ESHAPE, "5 wide in the encoder, 4 in the decoder; give the bridge a group");
    refused(6, RG_ESHAPE, "encoder has 1 states, the decoder 2");
    refused(7, RG_EARG, "two directions");
    refused(8, RG_EARG, "at least 1");
    refused(9, RG_ESHAPE, "width 5 cannot be the first of 5 inputs of width 4");
    refused(10, RG_EARG, "states' widths");
    refused(11, RG_EARG, "0 times");
    refused(12, RG_ESHAPE, "mask is [3,4], the memory wants [S,B] = [5,3]");
}
