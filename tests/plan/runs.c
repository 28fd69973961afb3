/* tests/plan/runs.c -- kinds of runs: trained or evaluated, accumulated, in a forked child. */
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 64 };

/* loss = Σ (x·w with a part of it dropped)² and its gradient by w. */
typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, kept, loss, dw;
} net;

static void net_begin(net *n)
{
    RGT_CHECK(rg_params_create(&n->params, 3, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    rg_graph *g = n->graph;
    n->x = rg_input(g, "x", RG_F, RG_SHAPE(N, N));
    rg_val w = rg_param(g, NULL, "w", RG_SHAPE(N, N), rg_init_uniform(0.5));
    n->kept = rg_dropout(rg_matmul(n->x, w), 0.5, "drop");
    n->loss = rg_sum(rg_square(n->kept));
    rg_grad(&n->dw, n->loss, &w, 1);
}

static void net_end(net *n)
{
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static const double *ramp(double step)
{
    static double x[N * N];
    for (int i = 0; i < N * N; i++)
        x[i] = sin(step * i);
    return x;
}

static rg_plan *planned(const net *n, const rg_val *roots, size_t n_root, rg_plan_opts opts)
{
    rg_plan *plan = NULL;
    opts.real = RG_F64;
    RGT_CHECK_MSG(rg_plan_create(&plan, roots, n_root, &opts) == RG_OK, "%s",
                  rg_graph_message(n->graph));
    return plan;
}

static void run(rg_plan *plan, const net *n, double step)
{
    RGT_CHECK(rg_plan_bind(plan, n->x, ramp(step), N * N * sizeof(double)) == RG_OK);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
}

/* ---- Modes ---------------------------------------------------------------------------------- */

/* How many of the kept values are 0, as the mode says; automatic: as a gradient among the roots. */
static int dropped(const net *n, bool gradient, rg_mode asked, rg_mode got, rg_effort effort)
{
    const rg_val roots[2] = { n->kept, n->dw };
    rg_plan *plan = planned(n, roots, gradient ? 2 : 1, (rg_plan_opts){ .mode = asked,
                                                                        .effort = effort });
    RGT_CHECK(rg_plan_facts(plan).mode == got);
    run(plan, n, 0.3);
    int zeros = 0;
    for (int i = 0; i < N * N; i++)
        zeros += ((const double *)rg_plan_data(plan, n->kept))[i] == 0;
    rg_plan_destroy(&plan);
    return zeros;
}

RGT_TEST(modes, a_gradient_among_the_roots_makes_a_plan_train_unless_it_is_told)
{
    net n;
    net_begin(&n);
    for (int e = RG_OPTIMIZE; e <= RG_INTERPRET; e++) {
        const rg_effort effort = (rg_effort)e;
        RGT_CHECK(dropped(&n, false, RG_MODE_AUTO, RG_EVALUATE, effort) == 0);
        RGT_CHECK(dropped(&n, false, RG_EVALUATE, RG_EVALUATE, effort) == 0);
        RGT_CHECK(dropped(&n, true, RG_EVALUATE, RG_EVALUATE, effort) == 0);
        const int some = dropped(&n, true, RG_MODE_AUTO, RG_TRAIN, effort);
        RGT_CHECK(some > N * N / 3 && some < N * N * 2 / 3);
        RGT_CHECK(dropped(&n, false, RG_TRAIN, RG_TRAIN, effort) == some);
        RGT_CHECK(dropped(&n, true, RG_TRAIN, RG_TRAIN, effort) == some);
    }
    rg_plan *plan;
    RGT_CHECK(rg_plan_create(&plan, &n.loss, 1, &(rg_plan_opts){ .mode = (rg_mode)3 }) == RG_EARG);
    net_end(&n);
}

/* One graph, two plans: evaluation does not disturb the runs, and the masks, of training. */
RGT_TEST(modes, an_evaluation_between_two_runs_of_training_changes_nothing)
{
    net n;
    net_begin(&n);
    const rg_val roots[2] = { n.loss, n.dw };
    rg_plan *a = planned(&n, roots, 2, (rg_plan_opts){ .mode = RG_TRAIN });
    rg_plan *b = planned(&n, roots, 2, (rg_plan_opts){ .mode = RG_TRAIN });
    rg_plan *score = planned(&n, roots, 1, (rg_plan_opts){ .mode = RG_MODE_AUTO });
    for (int k = 0; k < 3; k++) {
        run(a, &n, 0.3);
        run(b, &n, 0.3);
        run(score, &n, 0.7);
        RGT_CHECK(memcmp(rg_plan_data(a, n.dw), rg_plan_data(b, n.dw),
                         N * N * sizeof(double)) == 0);
    }
    rg_plan_destroy(&a);
    rg_plan_destroy(&b);
    rg_plan_destroy(&score);
    net_end(&n);
}

/* ---- Accumulation --------------------------------------------------------------------------- */

/* Gradients of three runs add up until an optimizer takes them; then they begin anew. */
static void add_up(const net *n, rg_effort effort, int threads)
{
    static double sum[N * N];
    const rg_plan_opts one = { .effort = effort, .threads = threads, .mode = RG_EVALUATE };
    rg_plan_opts all = one;
    rg_optim *optim;
    const rg_val roots[2] = { n->loss, n->dw };
    all.accumulate = true;
    rg_plan *single = planned(n, roots, 2, one), *added = planned(n, roots, 2, all);
    RGT_CHECK(rg_optim_create(&optim, n->params, &(rg_optim_opts){ .kind = RG_SGD,
                                                                   .lr = 1e-3 }) == RG_OK);
    for (int round = 0; round < 2; round++) {
        memset(sum, 0, sizeof sum);
        for (int k = 0; k < 3; k++) {
            run(single, n, 0.3 + k);
            run(added, n, 0.3 + k);
            const double *g = rg_plan_data(single, n->dw), *s = rg_plan_data(added, n->dw);
            for (int i = 0; i < N * N; i++)
                sum[i] += g[i];
            RGT_CHECK(memcmp(s, sum, sizeof sum) == 0);
            RGT_CHECK(rg_plan_scalar(single, n->loss) == rg_plan_scalar(added, n->loss));
        }
        RGT_CHECK(rg_optim_step(optim, added) == RG_OK);
    }
    RGT_CHECK(rg_optim_step(optim, added) == RG_ESTATE); /* nothing has been added since */
    rg_optim_destroy(&optim);
    rg_plan_destroy(&single);
    rg_plan_destroy(&added);
}

RGT_TEST(accumulate, gradients_of_runs_add_up_until_a_step_takes_them)
{
    net n;
    net_begin(&n);
    for (int e = RG_OPTIMIZE; e <= RG_INTERPRET; e++)
        for (int threads = 1; threads <= 2; threads++)
            add_up(&n, (rg_effort)e, threads);
    net_end(&n);
}

RGT_TEST(accumulate, the_sums_are_memory_of_a_run)
{
    net n;
    size_t bytes[2];
    net_begin(&n);
    for (int on = 0; on < 2; on++) {
        rg_plan *plan = planned(&n, &n.dw, 1, (rg_plan_opts){ .accumulate = on, .dry_run = true });
        bytes[on] = rg_plan_facts(plan).arena_bytes;
        rg_plan_destroy(&plan);
    }
    RGT_CHECK(bytes[1] == bytes[0] + N * N * sizeof(double));
    net_end(&n);
}

/* ---- Objectives ----------------------------------------------------------------------------- */

/* A step for an objective that no root was made for would leave every weight as it is. */
RGT_TEST(objectives, one_that_no_root_is_for_is_refused)
{
    net n, other;
    rg_plan *plan;
    rg_optim *optim;
    net_begin(&n);
    net_begin(&other);
    rg_plan_opts opts = { .real = RG_F64, .objective = other.loss };
    RGT_CHECK(rg_plan_create(&plan, &n.dw, 1, &opts) == RG_EARG && !plan);
    RGT_CHECK(rgt_has(rg_graph_message(n.graph), "objective lives in another graph"));
    RGT_CHECK(rg_optim_create(&optim, n.params, &(rg_optim_opts){ .lr = 1e-3 }) == RG_OK);
    const rg_val objective[] = { n.kept, n.loss, RG_NONE };
    for (int k = 0; k < 3; k++) {
        plan = planned(&n, &n.dw, 1, (rg_plan_opts){ .objective = objective[k] });
        run(plan, &n, 0.3);
        RGT_CHECK(rg_optim_step(optim, plan) == (k ? RG_OK : RG_EARG));
        RGT_CHECK(k || rgt_has(rg_plan_message(plan), "no root of the plan is a gradient of its"));
        rg_plan_destroy(&plan);
    }
    rg_optim_destroy(&optim);
    net_end(&other);
    net_end(&n);
}

/* ---- Forks ---------------------------------------------------------------------------------- */

enum { HUNG = 99, SECONDS = 20 };

/* The child's exit status is its answer; one that hangs is ended by its alarm. */
static int in_child(int (*body)(net *, rg_plan *), net *n, rg_plan *plan)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(SECONDS);
        _exit(body(n, plan));
    }
    RGT_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : HUNG;
}

static int run_the_parents(net *n, rg_plan *plan)
{
    (void)n;
    return rg_plan_run(plan) == RG_EFORKED && rgt_has(rg_plan_message(plan), "rg_before_fork()")
           ? 0 : 1;
}

static int make_and_run(net *n, rg_plan *parents)
{
    rg_plan *plan;
    const rg_plan_opts opts = { .real = RG_F64, .threads = 2 };
    if (rg_plan_create(&plan, &n->dw, 1, &opts) ||
        rg_plan_bind(plan, n->x, ramp(0.3), N * N * sizeof(double)) || rg_plan_run(plan))
        return 1;
    return memcmp(rg_plan_data(plan, n->dw), rg_plan_data(parents, n->dw),
                  N * N * sizeof(double)) != 0;
}

RGT_TEST(forks, a_child_refuses_its_parents_plan_and_can_make_its_own)
{
    net n;
    net_begin(&n);
    rg_plan *plan = planned(&n, &n.dw, 1, (rg_plan_opts){ .threads = 2 });
    run(plan, &n, 0.3);
    RGT_CHECK(in_child(run_the_parents, &n, plan) == 0);
    RGT_CHECK(rg_before_fork() == RG_OK);
    RGT_CHECK(in_child(run_the_parents, &n, plan) == 0);
    RGT_CHECK(in_child(make_and_run, &n, plan) == 0);
    RGT_CHECK(rg_plan_restart(plan) == RG_OK);
    run(plan, &n, 0.3); /* the parent goes on */
    rg_plan_destroy(&plan);
    net_end(&n);
}
