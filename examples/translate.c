/* examples/translate.c -- encoder-decoder with additive attention (Bahdanau 2015) that learns to
 * write digits backwards; greedy decoding is a loop in the same graph.
 *
 *     translate [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { S = 9, T = S + 1, B = 32, V = 11, E = 16, H = 64, END = 10 };      /* END also starts */

struct attend { rg_cell gru; rg_val M, keys, mask, Wq, v; };

/* α = softmax_s(v·tanh(h·Wq + M·Wm))   ctx = Σ_s α_s∘M_s   h' = gru([x; ctx], h) */
static void attend_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct attend *p = weights;
    rg_val e   = rg_mul(p->v, rg_tanh(rg_add(p->keys, rg_matmul(s[0], p->Wq))));     /* [S,B,H] */
    rg_val a   = rg_masked_softmax(rg_sum_over(e, -1, true), p->mask, 0);            /* [S,B,1] */
    rg_val ctx = rg_sum_over(rg_mul(a, p->M), 0, false);                             /* [B,H]   */
    p->gru.step(p->gru.weights, rg_concat((rg_val[]){ x, ctx }, 2, -1), s, next);
}

static void batch(int32_t src[S][B], int32_t n[B], int32_t in[T][B], int32_t out[T][B])
{
    for (int b = 0; b < B; b++) {
        n[b] = 1 + rand() % S;
        for (int t = 0; t < S; t++)
            src[t][b] = t < n[b] ? rand() % 10 : 0;
        for (int t = 0; t < T; t++) {
            out[t][b] = t < n[b] ? src[n[b] - 1 - t][b] : END;
            in[t][b]  = t ? out[t - 1][b] : END;
        }
    }
}

static int right(const int32_t *word, int32_t out[T][B])
{
    int n = 0;
    for (int b = 0; b < B; b++) {
        int t = 0;
        while (t < T && word[t * B + b] == out[t][b])
            t++;
        n += t == T;
    }
    return n;
}

int main(int argc, char **argv)
{
    static int32_t src[S][B], n[B], in[T][B], out[T][B];
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *train = NULL, *greedy = NULL;
    rg_optim *opt = NULL;
    int updates = argc > 1 ? atoi(argv[1]) : 1500;
    rg_params_create(&ps, 9, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val Src = rg_input(g, "src", RG_INT, RG_SHAPE(S, B));
    rg_val N   = rg_input(g, "n", RG_INT, RG_SHAPE(B));
    rg_val In  = rg_input(g, "in", RG_INT, RG_SHAPE(T, B));
    rg_val Out = rg_input(g, "out", RG_INT, RG_SHAPE(T, B));

    rg_val mask = rg_length_mask(N, S), h;
    rg_cell enc = rg_gru(g, "enc", E, H, NULL);
    rg_val M = rg_unroll(&h, &enc, rg_embedding(Src, "src", V, E), NULL,
                         &(rg_unroll_opts){ .mask = mask });
    struct attend w = {
        .gru = rg_gru(g, "dec", E + H, H, NULL), .M = M, .keys = rg_dense(M, "keys", H),
        .mask = rg_reshape(mask, RG_SHAPE(S, B, 1)),
        .Wq = rg_param(g, "dec", "Wq", RG_SHAPE(H, H), rg_init_glorot()),
        .v = rg_param(g, "dec", "v", RG_SHAPE(H), rg_init_normal(0.1)),
    };
    rg_cell dec = { "attend", 1, (int64_t[]){ H }, attend_step, &w };
    rg_val y = rg_unroll(NULL, &dec, rg_embedding(In, "out", V, E), &h, NULL);
    rg_val loss = rg_mean(rg_softmax_cross_entropy(rg_dense(y, "logits", V), Out));

    rg_val said = rg_select(In, 0, 0), ids[T];               /* row 0 of `in` is END */
    for (int t = 0; t < T; t++) {                            /* the model reads its own answer */
        rg_step(&h, &dec, rg_embedding(said, "out", V, E), &h, t);
        ids[t] = said = rg_argmax(rg_dense(h, "logits", V), -1);
    }
    rg_val answer = rg_stack(ids, T, 0);
    if (rg_plan_create_train(&train, loss, NULL, 0, NULL) ||
        rg_plan_create(&greedy, &answer, 1, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3, .clip_norm = 1 });
    for (int k = 0; k < 2; k++) {                            /* unneeded inputs are ignored */
        rg_plan *p = k ? greedy : train;
        rg_plan_bind(p, Src, src, sizeof src);
        rg_plan_bind(p, N, n, sizeof n);
        rg_plan_bind(p, In, in, sizeof in);
        rg_plan_bind(p, Out, out, sizeof out);
    }
    for (int k = 0; k < updates; k++) {
        batch(src, n, in, out);
        if (rg_plan_run(train) || rg_optim_step(opt, train))
            return fprintf(stderr, "%s\n", rg_plan_message(train)), 1;
    }
    if (rg_plan_run(greedy))
        return fprintf(stderr, "%s\n", rg_plan_message(greedy)), 1;
    const int32_t *word = rg_plan_data(greedy, answer);
    for (int b = 0; b < 4; b++, putchar('\n')) {
        for (int t = 0; t < n[b]; t++)
            printf("%d", (int)src[t][b]);
        printf(" -> ");
        for (int t = 0; t < T && word[t * B + b] != END; t++)
            printf("%d", (int)word[t * B + b]);
    }
    printf("%d of %d words right\n", right(word, out), B);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&greedy);
    rg_plan_destroy(&train);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
