/* tests/ops/chance.c -- random numbers are a function of seed, stream, run and element. */
#include "tests/ops/lab.h"

#include "base/philox.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4096 };

static rg_val noisy(lab *l, double p, const char *stream)
{
    static double ones[N];
    for (int i = 0; i < N; i++)
        ones[i] = 1;
    return rg_dropout(lab_input(l, RG_F, RG_SHAPE(N), ones), p, stream);
}

/* Element i is kept iff word i mod 4 of block i/4 < (1-p)·2³². Seed 0, run 0, no scope. */
RGT_TEST(chance, dropout_is_the_documented_mask)
{
    lab l;
    lab_begin(&l);
    double *y = lab_values(&l, noisy(&l, 0.3, "mask"), RG_F64, RG_INTERPRET);
    int kept = 0;
    for (int i = 0; i < N; i++) {
        const rg_philox_block b = rg_draw(0, RG_DOMAIN_DROPOUT, rg_stream_tail(rg_fnv1a("mask"), 0),
                                          (uint32_t)i / 4);
        const bool keep = b.w[i % 4] < (uint64_t)(0.7 * 4294967296.0);
        RGT_CHECK(y[i] == (keep ? 1 / 0.7 : 0));
        kept += keep;
    }
    RGT_CHECK(abs(kept - N * 7 / 10) < 150);
    free(y);
    lab_end(&l);
}

RGT_TEST(chance, dropout_and_its_gradients_of_any_order_share_one_mask)
{
    lab l;
    rg_val dx, ddx;
    lab_begin(&l);
    rg_val y = noisy(&l, 0.5, "m"), x = l.in[0];
    rg_grad(&dx, rg_sum(rg_square(y)), &x, 1);
    rg_grad(&ddx, rg_sum(dx), &x, 1);
    double *v = lab_values(&l, y, RG_F64, RG_INTERPRET);
    double *g = lab_values(&l, dx, RG_F64, RG_INTERPRET);
    double *h = lab_values(&l, ddx, RG_F64, RG_INTERPRET);
    for (int i = 0; i < N; i++)
        RGT_CHECK(v[i] == 0 ? g[i] == 0 && h[i] == 0 : v[i] == 2 && g[i] == 8 && h[i] == 8);
    free(v);
    free(g);
    free(h);
    lab_end(&l);
}

static int differences(const double *a, const double *b)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        n += a[i] != b[i];
    return n;
}

/* A mask differs from step to step and from run to run; made again it is the same. */
RGT_TEST(chance, masks_follow_scope_stream_and_run)
{
    lab l, again;
    lab_begin(&l);
    lab_begin(&again);
    rg_val y[4];
    for (int i = 0; i < 3; i++) {
        lab *here = i < 2 ? &l : &again; /* the third: the first one's names in another graph */
        rg_scope_push(here->graph, "cell", i % 2);
        y[i] = noisy(here, 0.5, "m");
        rg_scope_pop(here->graph);
    }
    y[3] = noisy(&l, 0.5, "other");
    double *v[4];
    for (int i = 0; i < 4; i++)
        v[i] = lab_values(i == 2 ? &again : &l, y[i], RG_F64, RG_INTERPRET);
    RGT_CHECK(differences(v[0], v[1]) > N / 3);
    RGT_CHECK(differences(v[0], v[3]) > N / 3);
    RGT_CHECK(differences(v[0], v[2]) == 0);
    rg_plan *plan = lab_plan(&l, &y[0], 1, RG_F64, RG_INTERPRET);
    lab_run(plan);
    RGT_CHECK(differences(v[0], rg_plan_data(plan, y[0])) == 0);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    RGT_CHECK(differences(v[0], rg_plan_data(plan, y[0])) > N / 3);
    lab_run(plan);
    RGT_CHECK(differences(v[0], rg_plan_data(plan, y[0])) == 0);
    rg_plan_destroy(&plan);
    for (int i = 0; i < 4; i++)
        free(v[i]);
    lab_end(&l);
    lab_end(&again);
}

RGT_TEST(chance, dropout_is_the_identity_in_evaluation_and_at_zero)
{
    lab l;
    rg_plan *plan = NULL;
    lab_begin(&l);
    rg_val y = noisy(&l, 0.5, "m"), x = l.in[0];
    RGT_CHECK(rg_dropout(x, 0, "m").id == x.id);
    for (int effort = RG_OPTIMIZE; effort <= RG_INTERPRET; effort++) {
        const rg_plan_opts opts = { .real = RG_F64, .mode = RG_EVALUATE,
                                    .effort = (rg_effort)effort };
        RGT_CHECK(rg_plan_create(&plan, &y, 1, &opts) == RG_OK);
        RGT_CHECK(rg_plan_bind(plan, x, l.data[0], N * sizeof(double)) == RG_OK);
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
        RGT_CHECK(memcmp(rg_plan_data(plan, y), l.data[0], N * sizeof(double)) == 0);
        rg_plan_destroy(&plan);
    }
    lab_end(&l);
}

RGT_TEST(chance, uniform_and_normal_have_their_moments_and_their_stream)
{
    lab l;
    lab_begin(&l);
    double *u = lab_values(&l, rg_uniform(l.graph, "u", RG_SHAPE(N)), RG_F64, RG_INTERPRET);
    double *z = lab_values(&l, rg_normal(l.graph, "z", RG_SHAPE(2, N / 2)), RG_F64, RG_INTERPRET);
    double mean_u = 0, mean_z = 0, square_z = 0;
    for (int i = 0; i < N; i++) {
        RGT_CHECK(u[i] >= 0 && u[i] < 1);
        RGT_CHECK(u[i] == rg_draw_uniform(0, RG_DOMAIN_NOISE, rg_stream_tail(rg_fnv1a("u"), 0),
                                          (uint64_t)i));
        RGT_CHECK(z[i] == rg_draw_normal(0, RG_DOMAIN_NOISE, rg_stream_tail(rg_fnv1a("z"), 0),
                                         (uint64_t)i));
        mean_u += u[i] / N;
        mean_z += z[i] / N;
        square_z += z[i] * z[i] / N;
    }
    RGT_CHECK(fabs(mean_u - 0.5) < 0.02 && fabs(mean_z) < 0.06 && fabs(square_z - 1) < 0.09);
    free(u);
    free(z);
    lab_end(&l);
}

/* The seed is the store's. */
RGT_TEST(chance, another_seed_gives_other_numbers)
{
    float y[2][8];
    for (uint64_t seed = 0; seed < 2; seed++) {
        rg_params *ps = NULL;
        rg_graph *g = NULL;
        rg_plan *plan = NULL;
        RGT_CHECK(rg_params_create(&ps, seed, NULL) == RG_OK);
        RGT_CHECK(rg_graph_create(&g, ps, NULL) == RG_OK);
        rg_val u = rg_uniform(g, "u", RG_SHAPE(8));
        RGT_CHECK(rg_plan_create(&plan, &u, 1, NULL) == RG_OK && rg_plan_run(plan) == RG_OK);
        memcpy(y[seed], rg_plan_data(plan, u), sizeof y[seed]);
        rg_plan_destroy(&plan);
        rg_graph_destroy(&g);
        rg_params_destroy(&ps);
    }
    RGT_CHECK(memcmp(y[0], y[1], sizeof y[0]) != 0);
}

RGT_TEST(chance, a_second_draw_of_one_name_in_one_scope_is_refused)
{
    static const rg_shape few = { 1, { 4 } };
    for (int second = 0; second < 3; second++) {
        lab l;
        lab_begin(&l);
        rg_graph *g = l.graph;
        rg_scope_push(g, "cell", 3);
        rg_val x = rg_dropout(rg_full(g, few, 1), 0.5, "drop");
        RGT_CHECK(x.id && rg_dropout(x, 0, "drop").id == x.id); /* p = 0 draws nothing */
        RGT_CHECK(rg_uniform(g, "u", few).id && rg_normal(g, NULL, few).id);
        rg_val again = second == 0 ? rg_dropout(x, 0.5, "drop")
                     : second == 1 ? rg_uniform(g, "drop", few) : rg_normal(g, "", few);
        RGT_CHECK(!again.id && rg_graph_status(g) == RG_EARG);
        RGT_CHECK(rgt_has(rg_graph_message(g), second < 2
                  ? "cell step 3: random stream 'drop' is taken already" : "random stream ''"));
        lab_end(&l);
    }
}
