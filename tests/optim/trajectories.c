/* tests/optim/trajectories.c -- hundred steps of every optimizer against PyTorch's. */
#include "problem.h"

#include "tests/rgt.h"

#include <math.h>
#include <string.h>

#include "golden.h"

static rg_status start(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                       const char *name)
{
    (void)self, (void)seed, (void)name;
    for (int i = 0; i < shape.dim[0]; i++)
        w[i] = (i - 3) / 2.0;
    return RG_OK;
}

void problem_create(struct problem *p, rg_dtype store, rg_dtype plan, const rg_optim_opts *opts)
{
    double a[N];
    memset(p, 0, sizeof *p);
    for (int i = 0; i < N; i++)
        a[i] = (i + 1) / 4.0;
    RGT_CHECK(!rg_params_create(&p->ps, 1, &(rg_params_opts){ .real = store }));
    RGT_CHECK(!rg_graph_create(&p->g, p->ps, NULL));
    rg_val w = rg_param(p->g, "net", "w", RG_SHAPE(N), (rg_init){ .fill = start });
    p->c = rg_input(p->g, "c", RG_F, RG_SHAPE(N));
    rg_val A = rg_constant(p->g, RG_F, RG_SHAPE(N), a, N);
    rg_val half = rg_scale(rg_sum(rg_mul(A, rg_square(w))), 0.5);
    p->loss = rg_add(half, rg_sum(rg_mul(p->c, w)));
    rg_status st = rg_plan_create_train(&p->plan, p->loss, NULL, 0,
                                        &(rg_plan_opts){ .real = plan });
    RGT_CHECK_MSG(!st, "%s", rg_graph_message(p->g));
    st = rg_optim_create(&p->opt, p->ps, opts);
    RGT_CHECK_MSG(!st, "%s", rg_params_message(p->ps));
    if (plan == RG_F64)
        rg_plan_bind(p->plan, p->c, p->data, sizeof p->data);
    else
        rg_plan_bind(p->plan, p->c, p->data32, sizeof p->data32);
}

void problem_destroy(struct problem *p)
{
    rg_optim_destroy(&p->opt);
    rg_plan_destroy(&p->plan);
    rg_graph_destroy(&p->g);
    rg_params_destroy(&p->ps);
}

void problem_run(struct problem *p, int t)
{
    for (int i = 0; i < N; i++) {
        p->data[i] = ((7 * t + 13 * i) % 11 - 5) / 5.0;
        p->data32[i] = (float)p->data[i];
    }
    rg_status st = rg_plan_run(p->plan);
    RGT_CHECK_MSG(!st, "%s", rg_plan_message(p->plan));
}

double problem_weight(const struct problem *p, int i)
{
    rg_param_info w = rg_params_find(p->ps, "net.w");
    return w.dtype == RG_F64 ? ((const double *)w.data)[i] : (double)((const float *)w.data)[i];
}

/* Largest difference from the golden trajectory, all stops. */
static double worst(const struct golden *gold, rg_dtype store, rg_dtype plan)
{
    static const int stop[4] = { 1, 2, 10, 100 };
    struct problem p;
    double off = 0;
    problem_create(&p, store, plan, &gold->opts);
    for (int t = 0, k = 0; t < 100; t++) {
        problem_run(&p, t);
        rg_status st = rg_optim_step(p.opt, p.plan);
        RGT_CHECK_MSG(!st, "%s", rg_plan_message(p.plan));
        if (t + 1 != stop[k])
            continue;
        for (int i = 0; i < N; i++)
            off = fmax(off, fabs(problem_weight(&p, i) - gold->w[k][i]));
        k++;
    }
    problem_destroy(&p);
    return off;
}

RGT_TEST(optim, trajectories_in_f64_are_pytorchs)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        double off = worst(&golden[i], RG_F64, RG_F64);
        RGT_CHECK_MSG(off <= 1e-10, "%s: off by %g", golden[i].name, off);
    }
}

RGT_TEST(optim, trajectories_in_f32_and_across_precisions_stay_close)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        RGT_CHECK_MSG(worst(&golden[i], RG_F32, RG_F32) <= 2e-4, "%s f32", golden[i].name);
        RGT_CHECK_MSG(worst(&golden[i], RG_F32, RG_F64) <= 2e-4, "%s f32/f64", golden[i].name);
        RGT_CHECK_MSG(worst(&golden[i], RG_F64, RG_F32) <= 2e-4, "%s f64/f32", golden[i].name);
    }
}

RGT_TEST(optim, a_damaged_trajectory_is_noticed)
{
    struct golden bad = golden[0];
    bad.w[3][2] += 1e-9;
    RGT_CHECK(worst(&bad, RG_F64, RG_F64) > 1e-10);
    bad = golden[8];
    bad.opts.beta1 = 0.91;
    RGT_CHECK(worst(&bad, RG_F64, RG_F64) > 1e-6);
}
