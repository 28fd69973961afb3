/* examples/second_order.c -- the sharpest curvature of a GRU's loss by power iteration on Hessian-
 * vector products, then training with a penalty on the norm of the gradient.
 *
 *     second_order [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { T = 20, B = 16, I = 4, H = 12, MAX_W = 16 };

static rg_val dot(const rg_val *a, const rg_val *b, size_t n)
{
    rg_val sum = rg_sum(rg_mul(a[0], b[0]));
    for (size_t k = 1; k < n; k++)
        sum = rg_add(sum, rg_sum(rg_mul(a[k], b[k])));
    return sum;
}

int main(int argc, char **argv)
{
    static float x[T][B][I], y[B][1];
    rg_val w[MAX_W], v[MAX_W], dw[MAX_W], hv[MAX_W], u[1 + MAX_W];
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *power = NULL, *train = NULL;
    rg_optim *opt = NULL;
    int updates = argc > 1 ? atoi(argv[1]) : 300;

    rg_params_create(&ps, 5, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val Y = rg_input(g, "y", RG_F, RG_SHAPE(B, 1));
    rg_cell gru = rg_gru(g, "gru", I, H, NULL);
    rg_val last;
    rg_unroll(&last, &gru, X, NULL, NULL);
    rg_val loss = rg_mean(rg_mse(rg_dense(last, "out", 1), Y));

    /* v <- H·v / ‖H·v‖, from run to run; ⟨v, H·v⟩ tends to the largest eigenvalue. */
    size_t n = rg_graph_params(w, MAX_W, g);
    for (size_t k = 0; k < n; k++)
        v[k] = rg_input(g, NULL, RG_F, rg_shape_of(w[k]));
    rg_hvp(hv, loss, w, v, n);
    u[0] = dot(v, hv, n);
    rg_val norm = rg_sqrt(dot(hv, hv, n));
    for (size_t k = 0; k < n; k++)
        u[1 + k] = rg_div(hv[k], norm);

    /* loss + 0.01·‖∂loss/∂w‖²: a gradient inside the objective, differentiated once more. */
    rg_grad(dw, loss, w, n);
    rg_val penalty = dot(dw, dw, n);
    rg_val total = rg_add(loss, rg_scale(penalty, 0.01));

    if (rg_plan_create(&power, u, 1 + n, NULL) ||
        rg_plan_create_train(&train, total, &penalty, 1, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;

    for (int t = 0; t < T; t++)
        for (int b = 0; b < B; b++)
            for (int i = 0; i < I; i++) {
                x[t][b][i] = (float)rand() / (float)RAND_MAX - 0.5f;
                y[b][0] += x[t][b][i] / I;
            }
    rg_plan *both[2] = { power, train };
    for (int k = 0; k < 2; k++) {
        rg_plan_bind(both[k], X, x, sizeof x);
        rg_plan_bind(both[k], Y, y, sizeof y);
    }
    static const float start[H * H] = { 1 };
    for (size_t k = 0; k < n; k++)
        rg_plan_bind(power, v[k], start, sizeof *start * (size_t)rg_shape_count(rg_shape_of(v[k])));
    rg_plan_carry(power, u + 1, v, n);
    for (int k = 0; k < 50; k++)
        if (rg_plan_run(power))
            return fprintf(stderr, "%s\n", rg_plan_message(power)), 1;
    printf("largest eigenvalue about %g\n", rg_plan_scalar(power, u[0]));

    rg_optim_create(&opt, ps, NULL);
    for (int k = 0; k < updates; k++)
        if (rg_plan_run(train) || rg_optim_step(opt, train))
            return fprintf(stderr, "%s\n", rg_plan_message(train)), 1;
    printf("loss + penalty %g, gradient norm² %g\n", rg_plan_scalar(train, total),
           rg_plan_scalar(train, penalty));
    rg_optim_destroy(&opt);
    rg_plan_destroy(&train);
    rg_plan_destroy(&power);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
