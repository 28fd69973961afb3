/* tests/layers/mappings.c -- vectors into sequences, sequences into vectors. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 4, B = 3, H = 2, I = 5, V = 6 };

/* Rows of 4, 2 and 0 real steps. */
static const uint8_t real[T * B] = { 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0 };

RGT_TEST(mappings, a_decoder_reads_begin_and_then_the_targets_one_step_later)
{
    static const int32_t y[T * B] = { 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2 };
    static const int32_t want[T * B] = { 0, 0, 0, 1, 2, 3, 4, 5, 1, 2, 3, 4 };
    lab l = { .seed = 3 };
    lab_open(&l, RG_F64);
    rg_val fed = rg_shift_in(lab_bits(&l, "y", RG_INT, RG_SHAPE(T, B), y), 0);
    lab_run(&l, &fed, 1);
    RGT_CHECK(memcmp(rg_plan_data(l.plan, fed), want, sizeof want) == 0);
    lab_close(&l);
}

RGT_TEST(mappings, a_vector_enters_first_or_at_every_step)
{
    lab l = { .seed = 3 };
    lab_open(&l, RG_F64);
    rg_val e = lab_drawn(&l, "e", RG_SHAPE(T, B, H)), x = lab_drawn(&l, "x", RG_SHAPE(B, H));
    rg_val wide = lab_drawn(&l, "wide", RG_SHAPE(B, I));
    rg_val root[5] = { rg_feed_first(e, x), rg_feed_every(e, wide), e, x, wide };
    RGT_CHECK(rg_shape_equal(rg_shape_of(root[1]), RG_SHAPE(T, B, H + I)));
    lab_run(&l, root, 5);
    double *a[5];
    for (int k = 0; k < 5; k++)
        a[k] = lab_read(&l, root[k], NULL);
    for (int i = 0; i < T * B * H; i++)
        RGT_CHECK(a[0][i] == (i < B * H ? a[3][i] : a[2][i]));
    for (int i = 0; i < T * B; i++)
        for (int k = 0; k < H + I; k++)
            RGT_CHECK(a[1][i * (H + I) + k] == (k < H ? a[2][i * H + k] : a[4][i % B * I + k - H]));
    for (int k = 0; k < 5; k++)
        free(a[k]);
    lab_close(&l);
}

/* Pools of y under the mask, and of α, with NaN or 0 where nothing is real. */
static void pools(lab *l, rg_val root[5], double beyond)
{
    lab_open(l, RG_F64);
    rg_val y = lab_drawn(l, "y", RG_SHAPE(T, B, H)), alpha, d;
    rg_val m = lab_bits(l, "m", RG_BOOL, RG_SHAPE(T, B), real);
    root[0] = rg_pool_mean(y, m);
    root[1] = rg_pool_max(y, m);
    root[2] = rg_pool_attention(&alpha, y, m, "read", 3);
    rg_val sum = rg_add(rg_add(root[0], root[1]), root[2]);
    rg_grad(&d, rg_sum(rg_square(sum)), &y, 1);
    root[3] = alpha, root[4] = d;
    lab_fill(l, 0.9);
    for (size_t i = 0; i < T * B * H; i++)
        if (!real[i / H])
            lab_poke(l, y, i, beyond);
    lab_run(l, root, 5);
}

RGT_TEST(mappings, pools_see_real_steps_only_and_give_zero_where_there_are_none)
{
    lab l[2] = { { .seed = 3 }, { .seed = 3 } };
    rg_val root[2][5];
    pools(&l[0], root[0], 0);
    pools(&l[1], root[1], NAN);
    for (int k = 0; k < 5; k++) {
        RGT_CHECK_MSG(lab_same(&l[0], root[0][k], &l[1], root[1][k]), "root %d", k);
        double *a = lab_read(&l[1], root[1][k], NULL);
        for (int i = 0; k < 3 && i < H; i++)
            RGT_CHECK(a[2 * H + i] == 0); /* the row without a real step */
        for (int t = 0; k == 3 && t < T; t++)
            RGT_CHECK((a[T + t] > 0) == (t < 2) && a[2 * T + t] == 0);
        for (int i = 0; k == 4 && i < T * B * H; i++)
            RGT_CHECK(isfinite(a[i]) && (real[i / H] || a[i] == 0));
        free(a);
    }
    lab_close(&l[0]);
    lab_close(&l[1]);
}

RGT_TEST(mappings, pools_are_their_formulas_with_right_gradients)
{
    lab l = { .seed = 3 };
    rg_gradcheck_report *r;
    lab_open(&l, RG_F64);
    rg_val y = lab_drawn(&l, "y", RG_SHAPE(T, B, H));
    rg_val m = lab_bits(&l, "m", RG_BOOL, RG_SHAPE(T, B), real);
    rg_val root[4] = { rg_pool_mean(y, m), rg_pool_max(y, m), rg_pool_mean(y, RG_NONE), y };
    rg_val all = rg_add(rg_add(root[0], root[1]), rg_pool_attention(NULL, y, m, "read", 3));
    lab_fill(&l, 0.9);
    lab_run(&l, root, 4);
    double *mean = lab_read(&l, root[0], NULL), *max = lab_read(&l, root[1], NULL);
    double *plain = lab_read(&l, root[2], NULL), *v = lab_read(&l, y, NULL);
    for (int j = 0; j < B * H; j++) {
        double sum = 0, every = 0, most = -9, n = 0;
        for (int t = 0; t < T; t++) {
            double x = v[t * B * H + j];
            every += x / T;
            if (real[t * B + j / H])
                sum += x, n++, most = fmax(most, x);
        }
        RGT_CHECK(n == 0 || (fabs(mean[j] - sum / n) < 1e-15 && max[j] == most));
        RGT_CHECK(fabs(plain[j] - every) < 1e-15);
    }
    rg_verdict ok = rg_gradcheck(&r, rg_sum(rg_square(all)), NULL, 0,
                                 &(rg_gradcheck_opts){ .data = l.plan, .order = 2 });
    RGT_CHECK_MSG(ok == RG_PASS, "%s", r->message);
    rg_gradcheck_destroy(&r);
    free(mean), free(max), free(plain), free(v);
    lab_close(&l);
}

/* The two ways in, one-hot rows and an embedding of one table, through a whole network. */
RGT_TEST(mappings, one_hot_rows_and_an_embedding_of_one_table_are_the_same_network)
{
    static const int32_t ids[T * B] = { 0, 5, 2, 1, 1, 3, 4, 0, 5, 2, 2, 1 };
    lab l = { .seed = 3 };
    rg_val root[6], x[2], loss[2], p[2], E;
    lab_open(&l, RG_F64);
    rg_val v = lab_bits(&l, "ids", RG_INT, RG_SHAPE(T, B), ids);
    x[0] = rg_embedding(v, "table", V, I);
    E = rg_param(l.g, "table", "E", RG_SHAPE(V, I), rg_init_zeros());
    x[1] = rg_matmul(rg_one_hot(v, V), E);
    rg_cell gru = rg_gru(l.g, "gru", I, H, NULL);
    for (int k = 0; k < 2; k++) {
        rg_val last;
        root[k] = rg_unroll(&last, &gru, x[k], NULL, NULL);
        loss[k] = rg_sum(rg_square(last));
        rg_grad(&p[k], loss[k], &E, 1);
        root[2 + k] = loss[k];
        root[4 + k] = p[k];
    }
    lab_fill(&l, 0.9);
    lab_run(&l, root, 6);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]) && lab_same(&l, root[2], &l, root[3]));
    RGT_CHECK(lab_apart(&l, root[4], &l, root[5]) < 1e-14);
    lab_close(&l);
}

RGT_TEST(mappings, pools_refuse_masks_of_another_form)
{
    typedef rg_val pool_fn(rg_val y, rg_val mask);
    static pool_fn *const pool[] = { rg_pool_mean, rg_pool_max };
    for (int k = 0; k < 4; k++) {
        lab l = { .seed = 3 };
        lab_open(&l, RG_F64);
        rg_val y = lab_drawn(&l, "y", RG_SHAPE(T, B, H));
        rg_val m = k % 2 ? lab_drawn(&l, "m", RG_SHAPE(T, B))
                         : lab_bits(&l, "m", RG_BOOL, RG_SHAPE(B, T), real);
        RGT_CHECK(pool[k / 2](y, m).id == 0);
        const char *says = rg_graph_message(l.g), *name = k / 2 ? "pool_max: " : "pool_mean: ";
        RGT_CHECK(rg_graph_status(l.g) == (k % 2 ? RG_EDTYPE : RG_ESHAPE));
        RGT_CHECK_MSG(rgt_has(says, name) && rgt_has(says, k % 2 ? "mask is real; a mask is RG_BOOL"
                                                                 : "mask is [3,4]"), "%s", says);
        lab_close(&l);
    }
}
