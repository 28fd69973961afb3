/* tests/optim/behaviour.c -- groups, freezing, schedules, clipping, bad numbers, resume, errors. */
#include "problem.h"

#include "tests/rgt.h"

#include <math.h>
#include <string.h>

static void step(struct problem *p, int t)
{
    problem_run(p, t);
    rg_status st = rg_optim_step(p->opt, p->plan);
    RGT_CHECK_MSG(!st, "%s", rg_plan_message(p->plan));
}

static double *weights(struct problem *p)
{
    return rg_params_find(p->ps, "net.w").data;
}

static const rg_optim_opts sgd = { .kind = RG_SGD, .lr = 0.1 };

RGT_TEST(optim, a_frozen_parameter_stays_and_takes_no_part_in_the_norm)
{
    struct problem p;
    double before[N];
    problem_create(&p, RG_F64, RG_F64, &sgd);
    memcpy(before, weights(&p), sizeof before);
    RGT_CHECK(!rg_params_freeze(p.ps, "net", true));
    step(&p, 0);
    RGT_CHECK(!memcmp(before, weights(&p), sizeof before));
    RGT_CHECK(rg_optim_facts(p.opt).grad_norm == 0);
    RGT_CHECK(!rg_params_freeze(p.ps, NULL, false));
    step(&p, 0);
    RGT_CHECK(memcmp(before, weights(&p), sizeof before) != 0);
    RGT_CHECK(rg_params_freeze(p.ps, "nett", true) == RG_EARG);
    RGT_CHECK(rgt_has(rg_params_message(p.ps), "net.w"));
    problem_destroy(&p);
}

/* Free weights first, of two optimizers and precisions; then the same cut after every update. */
RGT_TEST(optim, a_bound_cuts_what_an_update_left_outside_and_nothing_else)
{
    static const rg_optim_opts kind[] = { { .kind = RG_SGD, .lr = 0.1 }, { .lr = 0.5 } };
    for (int k = 0; k < 4; k++) {
        const rg_dtype real = k / 2 ? RG_F32 : RG_F64;
        struct problem free, held;
        double most = 0;
        problem_create(&free, real, real, &kind[k % 2]);
        problem_create(&held, real, real, &kind[k % 2]);
        step(&free, 0);
        for (int i = 0; i < N; i++)
            most = fmax(most, fabs(problem_weight(&free, i)));
        const double bound = (float)(most / 2);
        RGT_CHECK(rg_params_bound(held.ps, "net", bound) == RG_OK);
        step(&held, 0);
        for (int i = 0; i < N; i++) {
            double w = problem_weight(&free, i);
            RGT_CHECK(problem_weight(&held, i) == fmax(-bound, fmin(bound, w)));
        }
        RGT_CHECK(rg_params_bound(held.ps, NULL, 0) == RG_OK);
        step(&held, 1);
        problem_destroy(&free);
        problem_destroy(&held);
    }
}

RGT_TEST(optim, a_group_has_its_own_rate_and_the_longest_prefix_wins)
{
    struct problem a, b;
    problem_create(&a, RG_F64, RG_F64, &sgd);
    problem_create(&b, RG_F64, RG_F64, &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.05 });
    RGT_CHECK(!rg_optim_group(a.opt, "net", &(rg_group_opts){ .lr_factor = 7 }));
    RGT_CHECK(!rg_optim_group(a.opt, "net.w", &(rg_group_opts){ .lr_factor = 0.5 }));
    RGT_CHECK(!rg_optim_group(a.opt, "ne", &(rg_group_opts){ .lr_factor = 9 }));
    step(&a, 0);
    step(&b, 0);
    for (int i = 0; i < N; i++)
        RGT_CHECK(problem_weight(&a, i) == problem_weight(&b, i));
    RGT_CHECK(rg_optim_group(a.opt, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_optim_group(a.opt, "x", &(rg_group_opts){ .lr_factor = -1 }) == RG_EARG);
    problem_destroy(&a);
    problem_destroy(&b);
}

RGT_TEST(optim, a_gradient_below_the_threshold_is_untouched_bit_for_bit)
{
    struct problem a, b;
    problem_create(&a, RG_F64, RG_F64, &sgd);
    problem_create(&b, RG_F64, RG_F64,
                   &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.1, .clip_norm = 1e6 });
    for (int t = 0; t < 5; t++) {
        step(&a, t);
        step(&b, t);
    }
    RGT_CHECK(!memcmp(weights(&a), weights(&b), N * sizeof(double)));
    problem_destroy(&a);
    problem_destroy(&b);
}

/* L = Σ c·w with c bound at will: the gradient is c itself. */
static double norm_of(const double *c, int n, rg_status *st, double *moved)
{
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *plan = NULL;
    rg_optim *opt = NULL;
    rg_params_create(&ps, 1, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&g, ps, NULL);
    rg_val w = rg_param(g, NULL, "w", RG_SHAPE(n), rg_init_zeros());
    rg_val C = rg_input(g, "c", RG_F, RG_SHAPE(n));
    RGT_CHECK(!rg_plan_create_train(&plan, rg_sum(rg_mul(C, w)), NULL, 0,
                                    &(rg_plan_opts){ .real = RG_F64 }));
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .kind = RG_SGD, .lr = 1, .clip_norm = 1,
                                                .nonfinite = RG_STOP });
    rg_plan_bind(plan, C, c, (size_t)n * sizeof *c);
    RGT_CHECK(!rg_plan_run(plan));
    *st = rg_optim_step(opt, plan);
    double norm = rg_optim_facts(opt).grad_norm;
    *moved = fabs(((const double *)rg_params_find(ps, "w").data)[0]);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return norm;
}

RGT_TEST(optim, norms_neither_overflow_nor_vanish)
{
    double c[128], moved;
    rg_status st;
    static const double size[] = { 1e19, 1e-40, 1e200, 1e-200, 1, 1e300 };
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        for (int i = 0; i < 128; i++)
            c[i] = i % 2 ? -size[k] : size[k];
        double n = norm_of(c, 128, &st, &moved), want = size[k] * sqrt(128);
        RGT_CHECK_MSG(!st && fabs(n - want) <= 1e-12 * want, "norm of %g: %g, want %g", size[k], n,
                      want);
        RGT_CHECK(moved <= 1 && (size[k] < 1 || fabs(moved - 1 / sqrt(128)) < 1e-12));
    }
    memset(c, 0, sizeof c);
    RGT_CHECK(norm_of(c, 128, &st, &moved) == 0 && !st);
    c[77] = INFINITY;
    norm_of(c, 128, &st, &moved);
    RGT_CHECK(st == RG_ENONFINITE && moved == 0);
    c[77] = NAN;
    norm_of(c, 128, &st, &moved);
    RGT_CHECK(st == RG_ENONFINITE && moved == 0);
}

RGT_TEST(optim, a_gradient_that_is_not_finite_never_reaches_a_weight)
{
    struct problem p;
    double before[N];
    problem_create(&p, RG_F64, RG_F64, NULL);
    step(&p, 0);
    rg_params *state = rg_optim_state(p.opt);
    double m = ((const double *)rg_params_find(state, "optim.m.net.w").data)[2];
    memcpy(before, weights(&p), sizeof before);
    for (int k = 1; k <= 10; k++) {
        problem_run(&p, 1);
        p.data[3] = k % 2 ? NAN : INFINITY;
        RGT_CHECK(!rg_plan_run(p.plan));
        rg_status st = rg_optim_step(p.opt, p.plan);
        RGT_CHECK(st == (k < 10 ? RG_OK : RG_ENONFINITE));
        RGT_CHECK(!rg_optim_facts(p.opt).applied);
        RGT_CHECK(rg_optim_facts(p.opt).skipped == (uint64_t)k);
    }
    RGT_CHECK(rgt_has(rg_plan_message(p.plan), "net.w"));
    RGT_CHECK(rgt_has(rg_plan_message(p.plan), "element 3"));
    RGT_CHECK(!memcmp(before, weights(&p), sizeof before));
    RGT_CHECK(m == ((const double *)rg_params_find(state, "optim.m.net.w").data)[2]);
    step(&p, 2);
    RGT_CHECK(rg_optim_facts(p.opt).applied && rg_optim_facts(p.opt).updates == 2);
    problem_destroy(&p);
}

RGT_TEST(optim, propagate_updates_as_computed)
{
    struct problem p;
    problem_create(&p, RG_F64, RG_F64,
                   &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.1, .nonfinite = RG_PROPAGATE });
    problem_run(&p, 0);
    p.data[3] = NAN;
    RGT_CHECK(!rg_plan_run(p.plan) && !rg_optim_step(p.opt, p.plan));
    RGT_CHECK(isnan(problem_weight(&p, 3)) && !isnan(problem_weight(&p, 2)));
    problem_destroy(&p);
}

RGT_TEST(optim, plateau_lowers_the_rate_after_patience)
{
    struct problem p;
    rg_optim_opts o = sgd;
    o.schedule = (rg_schedule){ .kind = RG_PLATEAU, .every = 2, .factor = 0.5 };
    problem_create(&p, RG_F64, RG_F64, &o);
    static const double loss[] = { 1, 0.5, 0.5, 0.6, 0.49999, 0.7, 0.4 };
    static const double rate[] = { 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05 };
    for (int k = 0; k < 7; k++) {
        RGT_CHECK(!rg_optim_feedback(p.opt, loss[k]));
        step(&p, k);
        RGT_CHECK_MSG(rg_optim_facts(p.opt).lr == rate[k], "%d: %g", k, rg_optim_facts(p.opt).lr);
    }
    RGT_CHECK(!rg_optim_rate(p.opt, 1));
    step(&p, 8);
    RGT_CHECK(rg_optim_facts(p.opt).lr == 0.5);
    RGT_CHECK(rg_optim_rate(p.opt, NAN) == RG_EARG);
    problem_destroy(&p);
}

RGT_TEST(optim, accumulated_runs_are_averaged)
{
    struct problem a;
    rg_plan *twice = NULL;
    problem_create(&a, RG_F64, RG_F64, &sgd);
    RGT_CHECK(!rg_plan_create_train(&twice, a.loss, NULL, 0,
                                    &(rg_plan_opts){ .real = RG_F64, .accumulate = true }));
    double c[N] = { 0 }, want[N];
    for (int i = 0; i < N; i++)
        want[i] = problem_weight(&a, i) * (1 - 0.1 * (i + 1) / 4) - 0.1 * 0.5 * i;
    rg_plan_bind(twice, a.c, c, sizeof c);
    RGT_CHECK(!rg_plan_run(twice));
    for (int i = 0; i < N; i++)
        c[i] = i;
    RGT_CHECK(!rg_plan_run(twice) && !rg_optim_step(a.opt, twice));
    for (int i = 0; i < N; i++)
        RGT_CHECK(fabs(problem_weight(&a, i) - want[i]) < 1e-14);
    RGT_CHECK(rg_optim_step(a.opt, twice) == RG_ESTATE);
    rg_plan_destroy(&twice);
    problem_destroy(&a);
}

RGT_TEST(optim, misuse_is_refused_with_the_field_named)
{
    static const struct { rg_optim_opts o; const char *says; } bad[] = {
        { { .kind = RG_SGD }, "lr is required" },
        { { .lr = -1 }, "lr must" },
        { { .lr = NAN }, "lr must" },
        { { .lr = INFINITY }, "lr must" },
        { { .beta1 = 1 }, "beta1" }, { { .beta2 = -0.1 }, "beta2" }, { { .rho = 2 }, "rho" },
        { { .momentum = 1.5 }, "momentum" }, { { .eps = -1e-8 }, "eps" },
        { { .weight_decay = NAN }, "weight_decay" }, { { .clip_norm = -1 }, "clip_norm" },
        { { .clip_value = NAN }, "clip_value" }, { { .kind = (rg_optim_kind)99 }, "kind" },
        { { .nonfinite = (rg_nonfinite)9 }, "nonfinite" },
        { { .schedule = { .kind = RG_COSINE } }, "schedule.total" },
        { { .schedule = { .kind = RG_STEP_DECAY } }, "schedule.every" },
        { { .schedule = { .factor = 1 } }, "schedule.factor" },
        { { .schedule = { .floor = 2 } }, "schedule.floor" },
        { { .schedule = { .kind = (rg_schedule_kind)7 } }, "schedule.kind" },
    };
    rg_params *ps = NULL;
    rg_optim *opt = NULL;
    rg_params_create(&ps, 1, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RGT_CHECK(rg_optim_create(&opt, ps, &bad[i].o) == RG_EARG && !opt);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), bad[i].says), "%zu: %s", i,
                      rg_params_message(ps));
    }
    RGT_CHECK(rg_optim_create(&opt, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_optim_create(NULL, ps, NULL) == RG_EARG);
    RGT_CHECK(rg_optim_step(NULL, NULL) == RG_EARG && rg_optim_rate(NULL, 1) == RG_EARG);
    RGT_CHECK(rg_optim_feedback(NULL, 1) == RG_EARG && !rg_optim_state(NULL));
    RGT_CHECK(rg_optim_facts(NULL).updates == 0);
    rg_optim_destroy(NULL);
    rg_params_destroy(&ps);
}

RGT_TEST(optim, a_step_needs_a_run_gradients_and_one_objective)
{
    struct problem p, other;
    rg_plan *plain = NULL, *two = NULL;
    problem_create(&p, RG_F64, RG_F64, &sgd);
    problem_create(&other, RG_F64, RG_F64, &sgd);
    RGT_CHECK(rg_optim_step(p.opt, p.plan) == RG_ESTATE);
    problem_run(&p, 0);
    problem_run(&other, 0);
    RGT_CHECK(rg_optim_step(p.opt, other.plan) == RG_EARG);
    RGT_CHECK(!rg_optim_step(p.opt, p.plan) && rg_optim_step(p.opt, p.plan) == RG_ESTATE);
    RGT_CHECK(!rg_plan_create(&plain, &p.loss, 1, &(rg_plan_opts){ .real = RG_F64 }));
    rg_plan_bind(plain, p.c, p.data, sizeof p.data);
    RGT_CHECK(!rg_plan_run(plain) && rg_optim_step(p.opt, plain) == RG_EARG);
    rg_val w, root[2], half = rg_scale(p.loss, 0.5);
    rg_graph_params(&w, 1, p.g);
    rg_grad(&root[0], p.loss, &w, 1);
    rg_grad(&root[1], half, &w, 1);
    RGT_CHECK(!rg_plan_create(&two, root, 2, &(rg_plan_opts){ .real = RG_F64 }));
    rg_plan_bind(two, p.c, p.data, sizeof p.data);
    RGT_CHECK(!rg_plan_run(two) && rg_optim_step(p.opt, two) == RG_EARG);
    RGT_CHECK(rgt_has(rg_plan_message(two), "objective"));
    rg_plan_destroy(&two);
    RGT_CHECK(!rg_plan_create(&two, root, 2,
                              &(rg_plan_opts){ .real = RG_F64, .objective = half }));
    rg_plan_bind(two, p.c, p.data, sizeof p.data);
    RGT_CHECK(!rg_plan_run(two) && !rg_optim_step(p.opt, two));
    rg_plan_destroy(&two);
    rg_plan_destroy(&plain);
    problem_destroy(&p);
    problem_destroy(&other);
}

RGT_TEST(optim, thread_counts_give_the_same_bits)
{
    float last[3][3];
    enum { BIG = 100000 };
    for (int threads = 1; threads <= 3; threads++) {
        rg_params *ps = NULL;
        rg_graph *g = NULL;
        rg_plan *plan = NULL;
        rg_optim *opt = NULL;
        rg_params_create(&ps, 3, NULL);
        rg_graph_create(&g, ps, NULL);
        rg_val w = rg_param(g, NULL, "w", RG_SHAPE(BIG), rg_init_normal(1));
        RGT_CHECK(!rg_plan_create_train(&plan, rg_sum(rg_sin(w)), NULL, 0,
                                        &(rg_plan_opts){ .threads = threads }));
        rg_optim_create(&opt, ps, &(rg_optim_opts){ .clip_norm = 1 });
        for (int t = 0; t < 3; t++)
            RGT_CHECK(!rg_plan_run(plan) && !rg_optim_step(opt, plan));
        const float *x = rg_params_find(ps, "w").data;
        last[threads - 1][0] = x[1];
        last[threads - 1][1] = x[BIG / 2];
        last[threads - 1][2] = x[BIG - 1];
        rg_optim_destroy(&opt);
        rg_plan_destroy(&plan);
        rg_graph_destroy(&g);
        rg_params_destroy(&ps);
    }
    RGT_CHECK(!memcmp(last[0], last[1], sizeof *last) && !memcmp(last[0], last[2], sizeof *last));
}

RGT_TEST(optim, every_allocation_may_fail_and_a_retry_gives_the_same_bits)
{
    double want = 0;
    for (long n = 0; n < 100; n++) {
        rgt_alloc state = { .fail_at = n };
        struct problem p;
        rg_optim *opt = NULL;
        problem_create(&p, RG_F64, RG_F64, &sgd);
        rg_optim_opts o = { .kind = RG_ADAM, .alloc = rgt_hooks(&state) };
        rg_status st = rg_optim_create(&opt, p.ps, &o);
        problem_run(&p, 0);
        if (!st)
            st = rg_optim_step(opt, p.plan);
        bool failed = st != RG_OK;
        RGT_CHECK(!failed || st == RG_ENOMEM);
        if (!opt)
            rg_optim_create(&opt, p.ps, &o);
        if (failed)
            RGT_CHECK(opt && !rg_optim_step(opt, p.plan));
        if (n == 0)
            want = problem_weight(&p, 1);
        RGT_CHECK(problem_weight(&p, 1) == want);
        rg_optim_destroy(&opt);
        RGT_CHECK(state.live == 0 && !state.corrupt);
        problem_destroy(&p);
        if (n && !failed)
            return;
    }
    RGT_CHECK(false);
}
