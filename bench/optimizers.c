/* bench/optimizers.c -- one update of two million parameters, against the bandwidth of a copy. */
#include "bench/bench.h"

struct kind {
    rg_optim_kind kind;
    const char   *name;
    int           arrays;  /* read and written: w twice, g once, each moment twice */
};

enum { N_ARRAY = 8, ROWS = 512, COLUMNS = 512 };

/* The plan must run before every step; only the step is timed. */
static rgb_time steps(rg_plan *plan, rg_optim *optim, const rgb_opts *opts)
{
    enum { WARM = 3 };
    const int rounds = opts->quick ? RGB_QUICK : RGB_ROUNDS;
    rgb_round round[RGB_ROUNDS];
    for (int k = -WARM; k < rounds; k++) {
        rgb_check(rg_plan_run(plan), rg_plan_message(plan));
        const double begin = rg_seconds(), cpu = rgb_cpu();
        rgb_check(rg_optim_step(optim, plan), rg_plan_message(plan));
        if (k >= 0)
            round[k] = (rgb_round){ rg_seconds() - begin, rgb_cpu() - cpu };
    }
    return rgb_summary(round, rounds, opts->threads);
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const struct kind *k = row->arg;
    static const char *const name[N_ARRAY] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_optim *optim;
    rgb_check(rg_params_create(&ps, 1, NULL), "store");
    rgb_check(rg_graph_create(&g, ps, NULL), "graph");
    rg_val loss = rg_const(g, 0);
    for (int i = 0; i < N_ARRAY; i++) {
        rg_val w = rg_param(g, NULL, name[i], RG_SHAPE(ROWS, COLUMNS), rg_init_normal(1));
        loss = rg_add(loss, rg_sum(rg_square(w)));
    }
    rgb_check(rg_plan_create_train(&plan, loss, NULL, 0,
                                   &(rg_plan_opts){ .threads = opts->threads }),
              rg_graph_message(g));
    rgb_check(rg_optim_create(&optim, ps, &(rg_optim_opts){ .kind = k->kind, .lr = 1e-6 }),
              rg_params_message(ps));
    double copied;
    const rgb_time t = steps(plan, optim, opts), copy = rgb_copy(&copied, opts);
    const double count = (double)N_ARRAY * ROWS * COLUMNS;
    const double bytes = (double)k->arrays * sizeof(float) * count;
    rgb_begin(row);
    rgb_text("what", "optimizer");
    rgb_text("kind", k->name);
    rgb_number("parameters", count);
    rgb_text("dtype", "f32");
    rgb_number("threads", opts->threads);
    rgb_times(t);
    rgb_number("gb_s", 1e-9 * bytes / t.min);
    rgb_number("copy_gb_s", 1e-9 * copied / copy.min);
    rgb_share(t, bytes / copied * copy.min, bytes / copied * copy.cpu, opts->threads);
    rgb_end();
    rg_optim_destroy(&optim);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
}

#define ROW(name, which, arrays) \
    { "F5-" name, name " on 2.1 M parameters", run, &(const struct kind){ which, name, arrays } }
static const rgb_row rows[] = {
    ROW("sgd", RG_SGD, 3),           ROW("momentum", RG_MOMENTUM, 5),
    ROW("nesterov", RG_NESTEROV, 5), ROW("adagrad", RG_ADAGRAD, 5),
    ROW("rmsprop", RG_RMSPROP, 5),   ROW("adadelta", RG_ADADELTA, 7),
    ROW("adam", RG_ADAM, 7),         ROW("adamw", RG_ADAMW, 7),
};

const rgb_rows rgb_optimizers = { rows, sizeof rows / sizeof *rows };
