/* examples/no_memory.c -- a plain network decides on one input at a time; the answer that is asked
 * for lies in two inputs long past. It stays at guessing; networks that remember do not.
 *
 *     no_memory [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

/* h = tanh(x·U + b): a layer, written as a cell that never looks at its state. */
struct plain { int64_t width[1]; rg_val U, b; };

static void plain_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct plain *p = weights;
    (void)s;
    next[0] = rg_tanh(rg_affine(x, p->U, p->b));
}

static rg_cell plain_net(rg_graph *g, const char *group, int64_t I, int64_t H,
                         const rg_cell_opts *opts)
{
    struct plain *p = rg_graph_alloc(g, sizeof *p);
    (void)opts;
    if (!p)
        return (rg_cell){ .name = "plain" };
    *p = (struct plain){ { H }, rg_param(g, group, "U", RG_SHAPE(I, H), rg_init_glorot()),
                         rg_param(g, group, "b", RG_SHAPE(H), rg_init_zeros()) };
    return (rg_cell){ "plain", 1, p->width, plain_step, p };
}

static const struct { const char *name; rg_cell_fn *make; } cell[] = {
    { "plain", plain_net }, { "rnn", rg_rnn }, { "gru", rg_gru }, { "lstm", rg_lstm },
};

int main(int argc, char **argv)
{
    const int updates = argc > 1 ? atoi(argv[1]) : 500;
    printf("two marks among 20 symbols, which in which order? guessing is 25 %% right\n");
    for (size_t k = 0; k < sizeof cell / sizeof *cell; k++) {
        rg_params *ps;
        rg_trial t;
        rg_params_create(&ps, 1, NULL);
        rg_trial_opts o = {
            .problem = rg_problem_order(20), .model = { .cell = cell[k].make, .hidden = 32 },
            .optim = { .lr = 3e-3, .clip_norm = 1 }, .seed = 1, .updates = (uint64_t)updates,
            .test_rows = 200, .plan = { .threads = 1 },
        };
        if (rg_trial_run(&t, ps, &o))
            return fprintf(stderr, "%s\n", t.message), 1;
        printf("%-6s %5.1f %% right, loss %.3f nats\n", cell[k].name, 100 * t.score.accuracy,
               t.score.loss);
        rg_trial_destroy(&t);
        rg_params_destroy(&ps);
    }
    return 0;
}
