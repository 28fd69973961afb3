/* tests/plan/steady.c -- plans that keep weights packed from run to run, and when they must not. */
#define _DEFAULT_SOURCE
#include "tests/rgt.h"

#include <retrograd/retrograd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { T = 6, B = 16, I = 32, H = 64, N = T * B * H };

/* The outputs of an LSTM by two plans, one of which is steady, and a plan that trains it. */
typedef struct pair {
    rg_params *params;
    rg_graph  *graph;
    rg_optim  *optim;
    rg_plan   *steady, *plain, *train;
    rg_val     y;
    float      x[T * B * I];
} pair;

static rg_plan *planned(pair *p, rg_val X, bool steady)
{
    rg_plan *plan = NULL;
    const rg_plan_opts opts = { .mode = RG_EVALUATE, .steady = steady, .verify = true,
                                .poison = true, .threads = 2, .portable = true };
    RGT_CHECK_MSG(rg_plan_create(&plan, &p->y, 1, &opts) == RG_OK, "%s",
                  rg_graph_message(p->graph));
    RGT_CHECK(rg_plan_bind(plan, X, p->x, sizeof p->x) == RG_OK);
    return plan;
}

static void begin(pair *p, rg_dtype real)
{
    RGT_CHECK(rg_params_create(&p->params, 5, &(rg_params_opts){ .real = real }) == RG_OK);
    RGT_CHECK(rg_graph_create(&p->graph, p->params, NULL) == RG_OK);
    RGT_CHECK(rg_optim_create(&p->optim, p->params, &(rg_optim_opts){ .lr = 0.1 }) == RG_OK);
    for (int i = 0; i < T * B * I; i++)
        p->x[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    rg_val X = rg_input(p->graph, "x", RG_F, RG_SHAPE(T, B, I));
    const rg_cell cell = rg_lstm(p->graph, "a", I, H, NULL);
    p->y = rg_unroll(NULL, &cell, X, NULL, NULL);
    p->steady = planned(p, X, true);
    p->plain = planned(p, X, false);
    RGT_CHECK(rg_plan_create_train(&p->train, rg_sum(rg_square(p->y)), NULL, 0, NULL) == RG_OK);
    RGT_CHECK(rg_plan_bind(p->train, X, p->x, sizeof p->x) == RG_OK);
}

static void end(pair *p)
{
    rg_plan_destroy(&p->steady);
    rg_plan_destroy(&p->plain);
    rg_plan_destroy(&p->train);
    rg_optim_destroy(&p->optim);
    rg_graph_destroy(&p->graph);
    rg_params_destroy(&p->params);
}

static const float *outputs(const pair *p, rg_plan *plan)
{
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    return rg_plan_data(plan, p->y);
}

/* Do both compute the same? */
static bool agree(const pair *p)
{
    return memcmp(outputs(p, p->steady), outputs(p, p->plain), N * sizeof(float)) == 0;
}

static void double_weights(const pair *p)
{
    const rg_param_info w = rg_params_find(p->params, "a.Wi");
    for (int k = 0; k < H * H; k++)
        if (w.dtype == RG_F64)
            ((double *)w.data)[k] *= 2;
        else
            ((float *)w.data)[k] *= 2;
}

RGT_TEST(steady, a_steady_plan_sees_every_step_of_an_optimizer)
{
    pair p;
    for (int real = RG_F32; real <= RG_F64; real++) {
        begin(&p, (rg_dtype)real);
        for (int k = 0; k < 3; k++) {
            RGT_CHECK(agree(&p) && agree(&p));
            RGT_CHECK(rg_plan_run(p.train) == RG_OK);
            RGT_CHECK(rg_optim_step(p.optim, p.train) == RG_OK);
        }
        end(&p);
    }
}

RGT_TEST(steady, it_sees_what_comes_from_a_file)
{
    pair p;
    char path[] = "/tmp/rgt_steady_XXXXXX";
    const int fd = mkstemp(path);
    RGT_CHECK(fd >= 0 && close(fd) == 0);
    begin(&p, RG_F32);
    RGT_CHECK(rg_params_save(&p.params, 1, path, NULL) == RG_OK);
    double_weights(&p);
    rg_params_written(p.params);
    RGT_CHECK(agree(&p));
    RGT_CHECK(rg_params_load(&p.params, 1, path, NULL) == RG_OK);
    RGT_CHECK(agree(&p));
    RGT_CHECK(remove(path) == 0);
    end(&p);
}

RGT_TEST(steady, what_is_written_past_the_library_must_be_told)
{
    pair p;
    begin(&p, RG_F32);
    RGT_CHECK(agree(&p));
    double_weights(&p);
    RGT_CHECK(!agree(&p)); /* it did keep them */
    rg_params_written(p.params);
    RGT_CHECK(agree(&p));
    end(&p);
}
