/* examples/regulariser.c -- a penalty on how the gradient's length changes from step to step, and
 * so a gradient of a gradient through time (Pascanu, Mikolov & Bengio 2013): temporal order with a
 * plain RNN and SGD, without anything, with clipping, with clipping and the penalty.
 *
 *     regulariser [LENGTH [UPDATES [SEEDS]]] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { H = 50, B = 20, STEPS = 5 };

/* The paper's start: all weights from N(0, 0.1²); what is declared is what the cell finds. */
static rg_cell small_rnn(rg_graph *g, const char *group, int64_t I, int64_t n,
                         const rg_cell_opts *opts)
{
    rg_param(g, group, "U", RG_SHAPE(I, n), rg_init_normal(0.1));
    rg_param(g, group, "W", RG_SHAPE(n, n), rg_init_normal(0.1));
    return rg_rnn(g, group, I, n, opts);
}

/* Ω is made of gradients; its own gradient, by which training goes, is held against differences. */
static int prove(void)
{
    rg_params *ps;
    rg_graph *g;
    rg_gradcheck_report *report;
    rg_val h[STEPS], w[8];
    rg_params_create(&ps, 1, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(STEPS, 3, 4));
    rg_cell cell = small_rnn(g, "rnn", 4, 6, NULL);
    rg_unroll(NULL, &cell, X, NULL, &(rg_unroll_opts){ .states = h });
    rg_val L = rg_mean(rg_square(rg_dense(h[STEPS - 1], "out", 2)));
    size_t n = rg_graph_params(w, 8, g);
    rg_val total = rg_add(L, rg_scale(rg_omega(L, h, STEPS, RG_NONE), 4));
    rg_verdict v = rg_gradcheck(&report, total, w, n, &(rg_gradcheck_opts){ .order = 1 });
    printf("the gradient of L + 4·Ω: %s\n", report ? report->message : "no memory");
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return v != RG_PASS;
}

static const struct { const char *name; double clip; rg_omega_kind omega; } variant[] = {
    { "nothing", 0, RG_OMEGA_NONE }, { "clip", 1, RG_OMEGA_NONE },
    { "clip, authors' omega", 1, RG_OMEGA_PAPER }, { "clip, exact omega", 1, RG_OMEGA_EXACT },
};

int main(int argc, char **argv)
{
    const int length = argc > 1 ? atoi(argv[1]) : 60, updates = argc > 2 ? atoi(argv[2]) : 3000;
    const int seeds = argc > 3 ? atoi(argv[3]) : 3;
    if (prove())
        return 1;
    printf("temporal order, L = %d, %d updates of SGD 0.01; guessing is 25 %% right\n", length,
           updates);
    for (size_t k = 0; k < sizeof variant / sizeof *variant; k++)
        for (int seed = 1; seed <= seeds; seed++) {
            rg_params *ps;
            rg_trial t;
            rg_params_create(&ps, (uint64_t)seed, NULL);
            rg_trial_opts o = {
                .problem = rg_problem_order(length), .model = { .cell = small_rnn, .hidden = H },
                .optim = { .kind = RG_SGD, .lr = 0.01, .clip_norm = variant[k].clip },
                .batch = B, .updates = (uint64_t)updates, .seed = (uint64_t)seed,
                .test_rows = 200, .omega = variant[k].omega, .plan = { .threads = 1 },
            };
            if (rg_trial_run(&t, ps, &o))
                return fprintf(stderr, "%s\n", t.message), 1;
            printf("%-22s seed %d  %5.1f %% right  loss %.3f  %.2f ms an update\n",
                   variant[k].name, seed, 100 * t.score.accuracy, t.score.loss, t.ms);
            rg_trial_destroy(&t);
            rg_params_destroy(&ps);
        }
    return 0;
}
