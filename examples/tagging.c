/* examples/tagging.c -- many-to-many, aligned: say at every step whether the brackets so far are
 * balanced; then the state of the counter inside, which nobody told it to keep.
 *
 *     tagging [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { T = 24, B = 32, H = 12, DEPTH = 4 };

/* ( is +1, ) is -1, never below 0 nor above DEPTH; y = 1 where the sum is 0. */
static void batch(float x[T][B][1], float y[T][B][1])
{
    for (int b = 0; b < B; b++)
        for (int t = 0, depth = 0; t < T; t++) {
            int up = depth == 0 || (depth < DEPTH && rand() % 2);
            depth += up ? 1 : -1;
            x[t][b][0] = up ? 1.0f : -1.0f;
            y[t][b][0] = depth == 0;
        }
}

int main(int argc, char **argv)
{
    static float x[T][B][1], y[T][B][1];
    int updates = argc > 1 ? atoi(argv[1]) : 600;
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *plan = NULL;
    rg_optim *opt = NULL;

    rg_params_create(&ps, 4, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, 1));
    rg_val Y = rg_input(g, "y", RG_F, RG_SHAPE(T, B, 1));
    rg_val states[2 * T];
    rg_cell lstm = rg_lstm(g, "lstm", 1, H, NULL);
    rg_val h = rg_unroll(NULL, &lstm, X, NULL, &(rg_unroll_opts){ .states = states });
    rg_val z = rg_dense(h, "out", 1);                       /* [T,B,1] logits, one per step */
    rg_val loss = rg_mean(rg_binary_cross_entropy(z, Y));
    rg_val right = rg_mean(rg_real(rg_equal(rg_real(rg_less(rg_const(g, 0), z)), Y)));
    rg_val c[T];
    for (int t = 0; t < T; t++)
        c[t] = states[2 * t + 1];                           /* the cell's inner state, [B,H] */
    rg_val also[2] = { right, rg_stack(c, T, 0) };
    if (rg_plan_create_train(&plan, loss, also, 2, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 });
    rg_plan_bind(plan, X, x, sizeof x);
    rg_plan_bind(plan, Y, y, sizeof y);
    for (int k = 0; k <= updates; k++) {
        batch(x, y);
        if (rg_plan_run(plan) || rg_optim_step(opt, plan))
            return fprintf(stderr, "%s\n", rg_plan_message(plan)), 1;
        if (k % 100 == 0)
            printf("%4d  loss %.4f  right %.1f %%\n", k, rg_plan_scalar(plan, loss),
                   100 * rg_plan_scalar(plan, right));
    }

    /* The unit whose c follows the depth best, over the first row. */
    const float *state = rg_plan_data(plan, also[1]); /* [T,B,H] */
    int best = 0;
    double most = 0;
    for (int j = 0; j < H; j++) {
        double sum = 0, depth = 0, sd = 0, sdd = 0, ss = 0, sc = 0;
        for (int t = 0; t < T; t++) {
            depth += x[t][0][0] > 0 ? 1 : -1;
            double cj = state[t * B * H + j];
            sum += cj, ss += cj * cj, sd += depth, sdd += depth * depth, sc += depth * cj;
        }
        double cov = sc - sum * sd / T;
        double r2 = cov * cov / ((ss - sum * sum / T + 1e-12) * (sdd - sd * sd / T + 1e-12));
        if (r2 > most)
            most = r2, best = j;
    }
    printf("unit %d counts (r2 %.2f): ", best, most);
    for (int t = 0; t < T; t++)
        printf("%c%.1f ", x[t][0][0] > 0 ? '(' : ')', (double)state[t * B * H + best]);
    putchar('\n');
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
