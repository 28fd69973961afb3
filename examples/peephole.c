/* examples/peephole.c -- a cell from its equations: LSTM with peepholes (Gers & Schmidhuber 2000),
 * its gradients checked to second order, trained on the adding problem.
 *
 *     peephole [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { T = 100, B = 64, H = 32 };

struct peephole { rg_gate i, f, o, c; rg_val Pi, Pf, Po; };

static struct peephole peephole_declare(rg_graph *g, const char *name, int64_t I)
{
    return (struct peephole){
        .i  = rg_gate_declare(g, name, "i", I, H, 0), .f = rg_gate_declare(g, name, "f", I, H, 1),
        .o  = rg_gate_declare(g, name, "o", I, H, 0), .c = rg_gate_declare(g, name, "c", I, H, 0),
        .Pi = rg_param(g, name, "Pi", RG_SHAPE(H), rg_init_zeros()),
        .Pf = rg_param(g, name, "Pf", RG_SHAPE(H), rg_init_zeros()),
        .Po = rg_param(g, name, "Po", RG_SHAPE(H), rg_init_zeros()),
    };
}

/* i,f = σ(x·U + h·W + b + P∘c)           c' = f∘c + i∘tanh(x·Uc + h·Wc + bc)
 * o   = σ(x·Uo + h·Wo + bo + Po∘c')      h' = o∘tanh(c') */
static void peephole_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct peephole *p = weights;
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(rg_add(rg_gate_sum(&p->i, x, h), rg_mul(p->Pi, c)));
    rg_val f = rg_sigmoid(rg_add(rg_gate_sum(&p->f, x, h), rg_mul(p->Pf, c)));
    next[1]  = rg_add(rg_mul(f, c), rg_mul(i, rg_tanh(rg_gate_sum(&p->c, x, h))));
    rg_val o = rg_sigmoid(rg_add(rg_gate_sum(&p->o, x, h), rg_mul(p->Po, next[1])));
    next[0]  = rg_mul(o, rg_tanh(next[1]));
}

/* Each row: T values in [0,1], two of them marked; the answer is the sum of the marked ones. */
static void adding_batch(float x[T][B][2], float y[B])
{
    for (int b = 0; b < B; b++) {
        int first = rand() % (T / 2), second = T / 2 + rand() % (T / 2);
        for (int t = 0; t < T; t++) {
            x[t][b][0] = (float)rand() / (float)RAND_MAX;
            x[t][b][1] = t == first || t == second;
        }
        y[b] = x[first][b][0] + x[second][b][0];
    }
}

int main(int argc, char **argv)
{
    static float x[T][B][2], y[B];
    int updates = argc > 1 ? atoi(argv[1]) : 5000;
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *plan = NULL;
    rg_optim *opt = NULL;
    rg_gradcheck_report *report = NULL;

    rg_params_create(&ps, 1, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, 2));
    rg_val Y = rg_input(g, "y", RG_F, RG_SHAPE(B, 1));
    struct peephole w = peephole_declare(g, "lstm", 2);
    rg_cell cell = { "peephole", 2, (int64_t[]){ H, H }, peephole_step, &w };
    rg_val last[2];
    rg_unroll(last, &cell, X, NULL, NULL);
    rg_val loss = rg_mean(rg_mse(rg_dense(last[0], "out", 1), Y));

    if (rg_plan_create_train(&plan, loss, NULL, 0, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 2e-3, .clip_norm = 1 }); /* Adam */
    rg_plan_bind(plan, X, x, sizeof x);
    rg_plan_bind(plan, Y, y, sizeof y);

    /* The same cell and weights on a short random sequence, where a check takes a second. */
    rg_val probe = rg_unroll(NULL, &cell, rg_normal(g, "probe", RG_SHAPE(4, 2, 2)), NULL, NULL);
    rg_gradcheck(&report, rg_sum(rg_square(probe)), NULL, 0, &(rg_gradcheck_opts){ .order = 2 });
    printf("gradients: %s\n", report ? report->message : "no memory");
    rg_gradcheck_destroy(&report);

    for (int k = 0; k <= updates; k++) {
        adding_batch(x, y);
        if (rg_plan_run(plan) || rg_optim_step(opt, plan))
            return fprintf(stderr, "%s\n", rg_plan_message(plan)), 1;
        if (k % 500 == 0 || k == updates)
            printf("%5d  mse %.4f (0.1667 without memory)\n", k, rg_plan_scalar(plan, loss));
    }
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
