/* examples/optimizers.c -- every optimizer on one small task, their losses in one picture.
 *
 *     optimizers [FILE.svg [UPDATES]] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { MOST = 64 };

/* Rates that suit each of them here; everything else as PyTorch has it. */
static const struct { const char *name; rg_optim_kind kind; double lr; } optim[] = {
    { "sgd", RG_SGD, 0.3 }, { "momentum", RG_MOMENTUM, 0.1 }, { "nesterov", RG_NESTEROV, 0.1 },
    { "adagrad", RG_ADAGRAD, 0.1 }, { "adadelta", RG_ADADELTA, 3 },
    { "rmsprop", RG_RMSPROP, 0.003 }, { "adam", RG_ADAM, 0.01 }, { "adamw", RG_ADAMW, 0.01 },
};
enum { N = sizeof optim / sizeof *optim };

int main(int argc, char **argv)
{
    static double x[N][MOST], y[N][MOST];
    rg_curve curve[N];
    const char *path = argc > 1 ? argv[1] : "optimizers.svg";
    const int updates = argc > 2 ? atoi(argv[2]) : 500;
    printf("which came first, X or Y? two marks among 20 symbols; guessing costs 1.386 nats\n");
    for (size_t k = 0; k < N; k++) {
        rg_params *ps;
        rg_trial t;
        rg_params_create(&ps, 1, NULL);
        rg_trial_opts o = {
            .problem = rg_problem_order(20), .model = { .cell = rg_gru, .hidden = 32 },
            .optim = { .kind = optim[k].kind, .lr = optim[k].lr, .clip_norm = 1 }, .seed = 1,
            .updates = (uint64_t)updates, .test_rows = 200, .plan = { .threads = 1 },
        };
        if (rg_trial_run(&t, ps, &o))
            return fprintf(stderr, "%s\n", t.message), 1;
        for (size_t i = 0; i < t.n_points; i++) {
            x[k][i] = (double)t.point[i].update;
            y[k][i] = t.point[i].test.loss;
        }
        curve[k] = (rg_curve){ .label = optim[k].name, .x = x[k], .y = y[k], .n = t.n_points };
        printf("%-9s rate %-6g loss %.3f, %3.0f %% right\n", optim[k].name, optim[k].lr,
               t.score.loss, 100 * t.score.accuracy);
        rg_trial_destroy(&t);
        rg_params_destroy(&ps);
    }
    FILE *out = fopen(path, "w");
    if (!out)
        return perror(path), 1;
    rg_svg_curves(curve, N, &(rg_svg_opts){ .title = "One task, eight optimizers", .log_y = true,
                                            .x_label = "updates", .y_label = "nats, test rows" },
                  rg_to_file, out);
    return fclose(out) != 0;
}
