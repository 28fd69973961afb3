/* examples/compare_cell.c -- a cell of your own on the problems on which cells are compared: equal
 * numbers of weights, the same rows, and what to beat.
 *
 *     compare_cell [UPDATES] */
#include <math.h>
#include <stdlib.h>
#include <retrograd/retrograd.h>

/* f = σ(x·Uf + h·Wf + bf)    h' = (1-f)∘h + f∘tanh(x·Uc + (f∘h)·Wc + bc), Zhou et al. 2016 */
struct mgu { int64_t width[1]; rg_gate f, c; };

static void mgu_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct mgu *p = weights;
    rg_val h = s[0], f = rg_sigmoid(rg_gate_sum(&p->f, x, h));
    rg_val c = rg_tanh(rg_gate_sum(&p->c, x, rg_mul(f, h)));
    next[0] = rg_add(rg_mul(rg_one_minus(f), h), rg_mul(f, c));
}

static rg_cell my_mgu(rg_graph *g, const char *group, int64_t I, int64_t H,
                      const rg_cell_opts *opts)
{
    struct mgu *p = rg_graph_alloc(g, sizeof *p);
    (void)opts;
    if (!p)
        return (rg_cell){ .name = "mgu" };
    *p = (struct mgu){ { H }, rg_gate_declare(g, group, "f", I, H, -2),
                       rg_gate_declare(g, group, "c", I, H, 0) };
    return (rg_cell){ "mgu", 1, p->width, mgu_step, p };
}

static const struct { const char *name; rg_cell_fn *make; } cell[] = {
    { "rnn", rg_rnn }, { "gru", rg_gru }, { "lstm", rg_lstm }, { "mine", my_mgu },
};

int main(int argc, char **argv)
{
    const int updates = argc > 1 ? atoi(argv[1]) : 1500;
    const rg_problem p = rg_problem_adding(60);
    printf("adding, T = %d; guessing has RMSE %.3f\n", (int)p.T, sqrt(p.blind_loss));
    for (size_t k = 0; k < sizeof cell / sizeof *cell; k++) {
        rg_params *ps;
        rg_trial t;
        rg_params_create(&ps, 1, NULL);
        rg_trial_opts o = {
            .problem = p, .model = { .cell = cell[k].make }, .updates = (uint64_t)updates,
            .optim = { .lr = 2e-3, .clip_norm = 1 }, .seed = 1, .test_rows = 500,
            .enough_loss = 0.01, .plan = { .threads = 1 },
        };
        o.model.hidden = rg_problem_width(&p, &o.model, 4500);
        if (rg_trial_run(&t, ps, &o))
            return fprintf(stderr, "%s\n", t.message), 1;
        printf("%-5s %3d wide, %lld weights, RMSE %.3f, %.2f ms an update", cell[k].name,
               (int)o.model.hidden, (long long)t.weights, t.score.rmse, t.ms);
        if (t.enough_update)
            printf(", 0.1 after %d updates", (int)t.enough_update);
        printf("\n");
        rg_trial_destroy(&t);
        rg_params_destroy(&ps);
    }
    return 0;
}
