/* examples/charlm.c -- language model on bytes: a train plan with carried state and a sampling plan
 * share one store.
 *
 *     charlm TEXT [CHECKPOINT [UPDATES]]     goes on from CHECKPOINT if there is one */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { V = 256, E = 32, H = 128, L = 2, S = 2 * L, T = 32, B = 32 };

struct lm { rg_graph *g; rg_val ids, next, s0[S], last[S], loss, drawn; };

/* The same model for any length and batch; weights are shared by name. */
static struct lm lm_build(rg_params *ps, int64_t steps, int64_t rows)
{
    struct lm m = { 0 };
    rg_graph_create(&m.g, ps, NULL);
    m.ids  = rg_input(m.g, "ids", RG_INT, RG_SHAPE(steps, rows));
    m.next = rg_input(m.g, "next", RG_INT, RG_SHAPE(steps, rows));
    for (int k = 0; k < S; k++)
        m.s0[k] = rg_input(m.g, NULL, RG_F, RG_SHAPE(rows, H));
    rg_cell layer[L] = { rg_lstm(m.g, "rnn.l0", E, H, NULL), rg_lstm(m.g, "rnn.l1", H, H, NULL) };
    rg_cell cell = rg_stacked(m.g, layer, L, 0.1);
    rg_val y = rg_unroll(m.last, &cell, rg_embedding(m.ids, "embed", V, E), m.s0, NULL);
    rg_val z = rg_dense(y, "out", V);
    m.loss   = rg_mean(rg_softmax_cross_entropy(z, m.next));
    m.drawn  = rg_sample(z, 0.8, "drawn");
    return m;
}

/* Row b reads its own stretch of the text. */
static void window(int32_t ids[T][B], int32_t next[T][B], const unsigned char *text, size_t n,
                   size_t at)
{
    for (size_t b = 0; b < B; b++)
        for (size_t t = 0; t < T; t++) {
            size_t p = n / B * b + at + t;
            ids[t][b]  = text[p];
            next[t][b] = text[p + 1];
        }
}

int main(int argc, char **argv)
{
    static unsigned char text[1 << 20];
    static int32_t ids[T][B], next[T][B];
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t n = f ? fread(text, 1, sizeof text, f) : 0, windows = n / B / T;
    if (f)
        fclose(f);
    if (n < B * (T + 1))
        return fprintf(stderr, "usage: charlm TEXT [CHECKPOINT [UPDATES]], TEXT of %d bytes or "
                       "more\n", B * (T + 1)), 2;
    if (windows * T == n / B)
        windows--; /* the last character of a stretch needs a successor */
    const char *path = argc > 2 ? argv[2] : "charlm.safetensors";
    size_t end = argc > 3 ? strtoul(argv[3], NULL, 10) : 10 * windows;

    rg_params *ps = NULL;
    rg_plan *train = NULL, *gen = NULL;
    rg_optim *opt = NULL;
    rg_params_create(&ps, 7, NULL);
    struct lm m = lm_build(ps, T, B);
    rg_params_seal(ps); /* the second graph may only share */
    struct lm one = lm_build(ps, 1, 1);
    rg_val read[1 + S] = { one.drawn, one.last[0], one.last[1], one.last[2], one.last[3] };
    if (rg_plan_create_train(&train, m.loss, m.last, S, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(m.g)), 1;
    if (rg_plan_create(&gen, read, 1 + S, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(one.g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3, .clip_norm = 1 });

    rg_plan_bind(train, m.ids, ids, sizeof ids);
    rg_plan_bind(train, m.next, next, sizeof next);
    rg_plan_carry(train, m.last, m.s0, S);
    rg_params *all[] = { ps, rg_optim_state(opt), rg_plan_state(train) };
    if ((f = fopen(path, "rb")) != NULL) { /* go on, bit for bit */
        fclose(f);
        if (rg_params_load(all, 3, path, NULL))
            return fprintf(stderr, "%s\n", rg_params_message(ps)), 1;
    }
    for (size_t k = rg_optim_facts(opt).updates; k < end; k++) {
        window(ids, next, text, n, k % windows * T);
        if (rg_plan_run(train) || rg_optim_step(opt, train))
            return fprintf(stderr, "%s\n", rg_plan_message(train)), 1;
        printf("%zu  %.3f bits\n", k, rg_plan_scalar(train, m.loss) / 0.6931471805599453);
    }
    if (rg_params_save(all, 3, path, NULL))
        return fprintf(stderr, "%s\n", rg_params_message(ps)), 1;

    const int32_t prime[1] = { 'T' };
    rg_plan_bind(gen, one.ids, prime, sizeof prime);
    rg_plan_carry(gen, &one.drawn, &one.ids, 1); /* what was drawn is read next */
    rg_plan_carry(gen, one.last, one.s0, S);
    for (int k = 0; k < 500 && rg_plan_run(gen) == RG_OK; k++)
        putchar(*(const int32_t *)rg_plan_data(gen, one.drawn));
    rg_plan_destroy(&gen);
    rg_plan_destroy(&train);
    rg_optim_destroy(&opt);
    rg_graph_destroy(&one.g);
    rg_graph_destroy(&m.g);
    rg_params_destroy(&ps);
    return 0;
}
