/* tests/layers/parts.c -- stacks, dense layers, embeddings, losses, sampling. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Stacks ---------------------------------------------------------------------------------- */

enum { T = 5, B = 2, I = 3, H = 4 };

RGT_TEST(stack, is_one_unrolling_after_another)
{
    lab l = { .seed = 7 };
    rg_val last[3], by_hand[3], root[5];
    lab_open(&l, RG_F64);
    rg_cell cell[2] = { rg_lstm(l.g, "a", I, H, NULL), rg_gru(l.g, "b", H, H + 1, NULL) };
    rg_cell both = rg_stacked(l.g, cell, 2, 0);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    lab_fill(&l, 0.7);
    RGT_CHECK(both.n_state == 3 && rg_cell_output(&both) == 2 && rg_cell_output(&cell[0]) == 0);
    root[0] = rg_unroll(last, &both, X, NULL, NULL);
    rg_val y = rg_unroll(by_hand, &cell[0], X, NULL, NULL);
    root[1] = rg_unroll(by_hand + 2, &cell[1], y, NULL, NULL);
    for (int k = 0; k < 3; k++)
        root[2 + k] = lab_off(last[k], by_hand[k]);
    lab_run(&l, root, 5);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    for (int k = 0; k < 3; k++)
        RGT_CHECK(rg_plan_scalar(l.plan, root[2 + k]) == 0);
    lab_close(&l);
}

RGT_TEST(stack, of_stacks_is_the_flat_one)
{
    lab l = { .seed = 7 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_cell cell[3] = { rg_gru(l.g, "a", I, H, NULL), rg_lstm(l.g, "b", H, H, NULL),
                        rg_rnn(l.g, "c", H, H, NULL) };
    rg_cell inner = rg_stacked(l.g, cell + 1, 2, 0), pair[2] = { cell[0], inner };
    rg_cell flat = rg_stacked(l.g, cell, 3, 0), nested = rg_stacked(l.g, pair, 2, 0);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    RGT_CHECK(rg_cell_output(&flat) == 3 && rg_cell_output(&nested) == 3 && nested.n_state == 4);
    root[0] = rg_unroll(NULL, &flat, X, NULL, NULL);
    root[1] = rg_unroll(NULL, &nested, X, NULL, NULL);
    lab_run(&l, root, 2);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    lab_close(&l);
}

/* Trained or evaluated as the mode says; the loss of a stack with dropout p. */
static double stack_loss(double p, rg_mode mode, int runs)
{
    lab l = { .seed = 7 };
    lab_open(&l, RG_F64);
    rg_cell cell[2] = { rg_gru(l.g, "a", I, H, NULL), rg_gru(l.g, "b", H, H, NULL) };
    rg_cell both = rg_stacked(l.g, cell, 2, p);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    rg_val loss = rg_sum(rg_square(rg_unroll(NULL, &both, X, NULL, NULL)));
    rg_plan_opts opts = { .real = RG_F64, .effort = RG_INTERPRET, .mode = mode };
    lab_fill(&l, 0.7);
    RGT_CHECK(rg_plan_create(&l.plan, &loss, 1, &opts) == RG_OK);
    for (int k = 0; k < runs; k++)
        lab_again(&l);
    double value = rg_plan_scalar(l.plan, loss);
    lab_close(&l);
    return value;
}

RGT_TEST(stack, dropout_between_layers_is_fresh_each_run_repeatable_and_absent_in_evaluation)
{
    double plain = stack_loss(0, RG_TRAIN, 1), first = stack_loss(0.5, RG_TRAIN, 1);
    RGT_CHECK(first != plain && first == stack_loss(0.5, RG_TRAIN, 1));
    RGT_CHECK(first != stack_loss(0.5, RG_TRAIN, 2));
    RGT_CHECK(stack_loss(0.5, RG_EVALUATE, 1) == plain && stack_loss(0, RG_EVALUATE, 1) == plain);
}

static void dropping_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)s;
    next[0] = rg_dropout(x, 0.5, "mask");
}

/* A mask inside a step is fresh at every step, and in every layer. */
RGT_TEST(stack, masks_differ_from_step_to_step_and_from_layer_to_layer)
{
    enum { W = 64 };
    lab l = { .seed = 7 };
    rg_val states[2 * 3], root[6];
    lab_open(&l, RG_F64);
    rg_cell drop = { "drop", 1, (int64_t[]){ W }, dropping_step, NULL }, two[2] = { drop, drop };
    rg_cell cell = rg_stacked(l.g, two, 2, 0);
    rg_unroll(NULL, &cell, rg_full(l.g, RG_SHAPE(3, 1, W), 1), NULL,
              &(rg_unroll_opts){ .states = states });
    memcpy(root, states, sizeof root);
    RGT_CHECK(rg_plan_create(&l.plan, root, 6, &(rg_plan_opts){ .real = RG_F64, .mode = RG_TRAIN,
                                                               .effort = RG_INTERPRET }) == RG_OK);
    lab_again(&l);
    for (int a = 0; a < 6; a += 2)
        for (int b = 0; b < a; b += 2)
            RGT_CHECK(!lab_same(&l, root[a], &l, root[b]));
    for (int a = 0; a < 6; a += 2) { /* the second layer drops others than the first */
        double *one = lab_read(&l, root[a], NULL), *both = lab_read(&l, root[a + 1], NULL);
        int dropped = 0;
        for (int e = 0; e < W; e++)
            dropped += one[e] != 0 && both[e] == 0;
        RGT_CHECK(dropped > 0);
        free(one);
        free(both);
    }
    lab_close(&l);
}

/* ---- Dense, embedding ------------------------------------------------------------------------ */

RGT_TEST(dense, maps_the_last_axis_whatever_is_before_it)
{
    lab l = { .seed = 9 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_val x = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    root[0] = rg_dense(x, "out", H);
    lab_fill(&l, 1);
    rg_val rows = rg_reshape(x, RG_SHAPE(T * B, I));
    root[1] = rg_reshape(rg_dense(rows, "out", H), RG_SHAPE(T, B, H));
    lab_run(&l, root, 2);
    RGT_CHECK(rg_params_count(l.ps) == 2 && lab_same(&l, root[0], &l, root[1]));
    RGT_CHECK(rg_shape_equal(rg_params_find(l.ps, "out.W").shape, RG_SHAPE(I, H)));
    lab_close(&l);
}

RGT_TEST(embedding, is_the_product_of_a_one_hot_row_with_the_table)
{
    static const int32_t ids[6] = { 3, 0, 6, 3, 3, 1 };
    lab l = { .seed = 9 };
    rg_val root[4];
    lab_open(&l, RG_F64);
    rg_val v = lab_bits(&l, "ids", RG_INT, RG_SHAPE(3, 2), ids);
    root[0] = rg_embedding(v, "emb", 7, 4);
    rg_val E = rg_param(l.g, "emb", "E", RG_SHAPE(7, 4), rg_init_zeros());
    root[1] = rg_matmul(rg_one_hot(v, 7), E);
    rg_grad(&root[2], rg_sum(rg_square(root[0])), &E, 1);
    rg_grad(&root[3], rg_sum(rg_square(root[1])), &E, 1);
    lab_run(&l, root, 4);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    RGT_CHECK(lab_apart(&l, root[2], &l, root[3]) <= 1e-14);
    lab_close(&l);
}

RGT_TEST(embedding, shares_a_table_that_is_there)
{
    lab l = { .seed = 9 };
    lab_open(&l, RG_F64);
    rg_param(l.g, "emb", "E", RG_SHAPE(7, 4), rg_init_const(2));
    rg_val y = rg_embedding(lab_bits(&l, "ids", RG_INT, RG_SHAPE(1), (const int32_t[]){ 5 }), "emb",
                            7, 4);
    lab_run(&l, &y, 1);
    double *row = lab_read(&l, y, NULL);
    RGT_CHECK(row[0] == 2 && row[3] == 2);
    free(row);
    lab_close(&l);
}

/* ---- Losses ---------------------------------------------------------------------------------- */

RGT_TEST(losses, are_means_over_the_last_axis)
{
    static const double y[6] = { 1, 2, -3, 0.5, 4, 0 }, t[6] = { 0, 2, 1, 0, 0, 0 };
    lab l = { .seed = 9 };
    rg_val root[3];
    lab_open(&l, RG_F64);
    rg_val Y = lab_given(&l, "y", RG_SHAPE(2, 3), y);
    rg_val target = lab_given(&l, "t", RG_SHAPE(2, 3), t);
    root[0] = rg_mse(Y, target);
    root[1] = rg_mae(Y, target);
    root[2] = rg_huber(Y, target, 1);
    lab_run(&l, root, 3);
    static const double want[3][2] = { { 17.0 / 3, 16.25 / 3 }, { 5.0 / 3, 4.5 / 3 },
                                       { (0.5 + 3.5) / 3, (0.125 + 3.5) / 3 } };
    for (int k = 0; k < 3; k++) {
        double *got = lab_read(&l, root[k], NULL);
        RGT_CHECK(fabs(got[0] - want[k][0]) < 1e-15 && fabs(got[1] - want[k][1]) < 1e-15);
        free(got);
    }
    lab_close(&l);
}

/* e inside, ±δ outside, at the edge too. */
RGT_TEST(losses, huber_has_the_slope_of_the_clipped_residual)
{
    static const double e[7] = { -9, -2, -1.5, 0, 0.25, 2, 1e6 };
    static const double slope[7] = { -2, -2, -1.5, 0, 0.25, 2, 2 };
    lab l = { .seed = 9 };
    rg_val d;
    lab_open(&l, RG_F64);
    rg_val y = lab_given(&l, "y", RG_SHAPE(7, 1), e);
    rg_grad(&d, rg_sum(rg_huber(y, rg_zeros(l.g, RG_SHAPE(7, 1)), 2)), &y, 1);
    lab_run(&l, &d, 1);
    double *got = lab_read(&l, d, NULL);
    RGT_CHECK(memcmp(got, slope, sizeof slope) == 0);
    free(got);
    lab_close(&l);
}

RGT_TEST(losses, a_masked_mean_counts_the_real_ones_only_nan_or_not)
{
    static const double loss[4] = { 3, NAN, 5, INFINITY };
    static const uint8_t some[4] = { 1, 0, 1, 0 }, none[4] = { 0 };
    lab l = { .seed = 9 };
    rg_val root[4];
    lab_open(&l, RG_F64);
    rg_val v = lab_given(&l, "l", RG_SHAPE(2, 2), loss);
    root[0] = rg_masked_mean(v, lab_bits(&l, "some", RG_BOOL, RG_SHAPE(2, 2), some));
    root[1] = rg_masked_mean(v, lab_bits(&l, "none", RG_BOOL, RG_SHAPE(2, 2), none));
    rg_grad(&root[2], root[0], &v, 1);
    rg_grad(&root[3], root[1], &v, 1);
    lab_run(&l, root, 4);
    RGT_CHECK(rg_plan_scalar(l.plan, root[0]) == 4 && rg_plan_scalar(l.plan, root[1]) == 0);
    double *d = lab_read(&l, root[2], NULL), *d0 = lab_read(&l, root[3], NULL);
    for (int k = 0; k < 4; k++)
        RGT_CHECK(d[k] == (some[k] ? 0.5 : 0) && d0[k] == 0);
    free(d);
    free(d0);
    lab_close(&l);
}

/* ---- Sampling -------------------------------------------------------------------------------- */

enum { DRAWS = 4096, V = 5 };

/* DRAWS draws from p at a temperature, as counts. */
static void draw(int count[V], const double p[V], double temperature, rg_dtype real, int runs)
{
    static double z[DRAWS * V];
    lab l = { .seed = 13 };
    lab_open(&l, real);
    for (size_t e = 0; e < DRAWS * V; e++)
        z[e] = log(p[e % V]) + 3;
    rg_val s = rg_sample(lab_given(&l, "z", RG_SHAPE(DRAWS, V), z), temperature, "drawn");
    RGT_CHECK(rg_kind_of(s) == RG_INT && rg_shape_equal(rg_shape_of(s), RG_SHAPE(DRAWS)));
    lab_run(&l, &s, 1);
    for (int k = 1; k < runs; k++)
        lab_again(&l);
    const int32_t *got = rg_plan_data(l.plan, s);
    memset(count, 0, V * sizeof *count);
    for (int k = 0; k < DRAWS; k++)
        count[got[k]]++;
    lab_close(&l);
}

RGT_TEST(sample, draws_each_class_as_often_as_its_probability_says)
{
    static const double p[V] = { 0.5, 0, 0.3, 0.15, 0.05 };
    for (int real = RG_F32; real <= RG_F64; real++)
        for (double temperature = 0.5; temperature <= 2; temperature *= 2) {
            double w[V], sum = 0, chi2 = 0;
            int count[V];
            draw(count, p, temperature, (rg_dtype)real, 1);
            for (int k = 0; k < V; k++)
                sum += w[k] = pow(p[k], 1 / temperature);
            for (int k = 0; k < V; k++) {
                double want = DRAWS * w[k] / sum;
                RGT_CHECK(want > 0 || count[k] == 0);
                chi2 += want > 0 ? (count[k] - want) * (count[k] - want) / want : 0;
            }
            /* of three degrees of freedom: passed once in a thousand */
            RGT_CHECK_MSG(chi2 < 16.3, "chi² %g at temperature %g", chi2, temperature);
        }
}

RGT_TEST(sample, repeats_itself_and_draws_anew_every_run)
{
    static const double p[V] = { 0.2, 0.2, 0.2, 0.2, 0.2 };
    int first[V], again[V], second[V];
    draw(first, p, 1, RG_F32, 1);
    draw(again, p, 1, RG_F32, 1);
    draw(second, p, 1, RG_F32, 2);
    RGT_CHECK(memcmp(first, again, sizeof first) == 0 && memcmp(first, second, sizeof first) != 0);
}

RGT_TEST(sample, at_temperature_zero_takes_the_largest_and_the_first_of_equals)
{
    static const double p[V] = { 0.1, 0.3, 0.2, 0.3, 0.1 };
    int count[V];
    draw(count, p, 0, RG_F64, 1);
    RGT_CHECK(count[1] == DRAWS);
    draw(count, p, 1e-4, RG_F64, 1);
    RGT_CHECK(count[1] + count[3] == DRAWS && count[1] > 0 && count[3] > 0);
}

RGT_TEST(sample, passes_no_gradient)
{
    lab l = { .seed = 13 };
    rg_val d;
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(3, V));
    rg_grad(&d, rg_sum(rg_real(rg_sample(z, 1, "drawn"))), &z, 1);
    RGT_CHECK(rg_graph_status(l.g) == RG_OK && rg_outcome_of(d) == RG_BLOCKED);
    lab_close(&l);
}
