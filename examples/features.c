/* examples/features.c -- a recurrent layer over what another network computed: features x [N,T,D]
 * and classes y [N] in an .npz file, as numpy.savez(file, x=x, y=y) writes them (float32, int32).
 * Beside it a plain layer on the mean of the same features, which cannot tell their order.
 *
 *     features FILE.npz [UPDATES] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { B = 32, H = 24 };

struct net { rg_graph *g; rg_plan *learn, *say; rg_val x, y, loss, answer; };

static rg_status build(struct net *n, rg_params *ps, int64_t T, int64_t D, int64_t K,
                       bool recurrent)
{
    rg_graph_create(&n->g, ps, NULL);
    n->x = rg_input(n->g, "x", RG_F, RG_SHAPE(B, T, D));               /* rows first, as it came */
    n->y = rg_input(n->g, "y", RG_INT, RG_SHAPE(B));
    rg_val x = rg_transpose(n->x, (const int[]){ 1, 0, 2 }, 3), h;
    if (recurrent) {
        rg_cell gru = rg_gru(n->g, "gru", D, H, NULL);
        rg_unroll(&h, &gru, x, NULL, NULL);                           /* final state */
    } else {
        h = rg_tanh(rg_dense(rg_pool_mean(x, RG_NONE), "plain", H));
    }
    rg_val z = rg_dense(h, recurrent ? "out" : "plain_out", K);
    n->loss = rg_mean(rg_softmax_cross_entropy(z, n->y));
    n->answer = rg_argmax(z, -1);
    rg_status st = rg_plan_create_train(&n->learn, n->loss, NULL, 0, NULL);
    return st ? st : rg_plan_create(&n->say, &n->answer, 1, NULL);
}

/* Rows begin .. begin + B - 1 of both arrays, where they lie in the file's memory. */
static void bind(rg_plan *p, const struct net *n, const rg_array *x, const rg_array *y,
                 size_t begin)
{
    size_t row = x->bytes / (size_t)x->shape.dim[0];
    rg_plan_bind(p, n->x, (const char *)x->data + begin * row, B * row);
    rg_plan_bind(p, n->y, (const int32_t *)y->data + begin, sizeof(int32_t[B]));
}

/* Trained on the first three quarters; share of the last quarter that it answers rightly. */
static double learn(const rg_array *x, const rg_array *y, int64_t K, int updates, bool recurrent)
{
    size_t N = (size_t)x->shape.dim[0], train = N * 3 / 4 / B * B, right = 0, asked = 0;
    struct net n = { 0 };
    rg_params *ps;
    rg_optim *opt;
    rg_params_create(&ps, 5, NULL);
    if (build(&n, ps, x->shape.dim[1], x->shape.dim[2], K, recurrent))
        return fprintf(stderr, "%s\n", rg_graph_message(n.g)), -1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 });
    for (size_t k = 0; k < (size_t)updates; k++) {
        bind(n.learn, &n, x, y, k * B % train);
        if (rg_plan_run(n.learn) || rg_optim_step(opt, n.learn))
            return fprintf(stderr, "%s\n", rg_plan_message(n.learn)), -1;
    }
    for (size_t at = train; at + B <= N; at += B) {
        bind(n.say, &n, x, y, at);
        if (rg_plan_run(n.say))
            return fprintf(stderr, "%s\n", rg_plan_message(n.say)), -1;
        const int32_t *said = rg_plan_data(n.say, n.answer);
        for (size_t i = 0; i < B; i++, asked++)
            right += said[i] == ((const int32_t *)y->data)[at + i];
    }
    rg_optim_destroy(&opt);
    rg_plan_destroy(&n.say);
    rg_plan_destroy(&n.learn);
    rg_graph_destroy(&n.g);
    rg_params_destroy(&ps);
    return asked ? (double)right / (double)asked : -1;
}

int main(int argc, char **argv)
{
    int updates = argc > 2 ? atoi(argv[2]) : 300;
    char member[2][1024];
    rg_array x, y;
    int32_t K = 0;
    for (int k = 0; k < 2; k++)
        (void)snprintf(member[k], sizeof member[k], "%s:%c", argc > 1 ? argv[1] : "", "xy"[k]);
    if (rg_npy_load(&x, member[0]) || rg_npy_load(&y, member[1]))
        return fprintf(stderr, "%s\n", x.data ? y.message : x.message), 1;
    if (x.dtype != RG_F32 || x.shape.rank != 3 || y.dtype != RG_I32 || y.shape.rank != 1 ||
        y.shape.dim[0] != x.shape.dim[0] || x.shape.dim[0] < 2 * B)
        return fprintf(stderr, "x must be float32 [N,T,D], y int32 [N], N at least %d\n", 2 * B), 1;
    for (int64_t i = 0; i < y.shape.dim[0]; i++)
        K = ((int32_t *)y.data)[i] >= K ? ((int32_t *)y.data)[i] + 1 : K;
    printf("right of the last quarter: recurrent %.3f, plain %.3f\n",
           learn(&x, &y, K, updates, true), learn(&x, &y, K, updates, false));
    rg_array_destroy(&y);
    rg_array_destroy(&x);
    return 0;
}
