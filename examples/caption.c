/* examples/caption.c -- one-to-many: a picture becomes the initial state, a name of several letters
 * comes out. Four pictures of 3x3 points, with noise; names end with a full stop.
 *
 *     caption [UPDATES] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { T = 7, B = 16, V = 27, H = 48, P = 9, KINDS = 4, STOP = 26 };  /* STOP also starts */

static const char *const name[KINDS] = { "cross", "square", "bar", "point" };
static const char picture[KINDS][P + 1] = { ".#.###.#.", "####.####", ".#..#..#.", "....#...." };

struct net { rg_graph *g; rg_val picture, in, out, real, loss, answer; };

/* s0 = tanh(picture·W + b); then every step reads the letter before, in training the true one. */
static struct net build(rg_params *ps)
{
    struct net n = { 0 };
    rg_val h, ids[T];
    rg_graph_create(&n.g, ps, NULL);
    n.picture = rg_input(n.g, "picture", RG_F, RG_SHAPE(B, P));
    n.in      = rg_input(n.g, "in", RG_INT, RG_SHAPE(T, B));
    n.out     = rg_input(n.g, "out", RG_INT, RG_SHAPE(T, B));
    n.real    = rg_input(n.g, "real", RG_BOOL, RG_SHAPE(T, B));
    rg_val s0 = rg_tanh(rg_dense(n.picture, "start", H));
    rg_cell gru = rg_gru(n.g, "gru", V, H, NULL);
    rg_val y = rg_unroll(NULL, &gru, rg_one_hot(n.in, V), &s0, NULL);
    n.loss = rg_masked_mean(rg_softmax_cross_entropy(rg_dense(y, "letter", V), n.out), n.real);

    rg_val said = rg_select(n.in, 0, 0); /* row 0 of `in` is STOP */
    h = s0;
    for (int t = 0; t < T; t++) {        /* the model reads its own answer */
        rg_step(&h, &gru, rg_one_hot(said, V), &h, t);
        ids[t] = said = rg_argmax(rg_dense(h, "letter", V), -1);
    }
    n.answer = rg_stack(ids, T, 0);
    return n;
}

static float noise(void)
{
    return 0.6f * ((float)rand() / (float)RAND_MAX - 0.5f);
}

static void batch(float x[B][P], int32_t in[T][B], int32_t out[T][B], uint8_t real[T][B],
                  int kind[B])
{
    for (int b = 0; b < B; b++) {
        int k = kind[b] = rand() % KINDS, ended = 0;
        for (int p = 0; p < P; p++)
            x[b][p] = (float)(picture[k][p] == '#') + noise();
        for (int t = 0; t < T; t++) {
            real[t][b] = !ended; /* the stop counts, what follows it does not */
            out[t][b]  = ended || !name[k][t] ? STOP : name[k][t] - 'a';
            in[t][b]   = t ? out[t - 1][b] : STOP;
            ended      = out[t][b] == STOP;
        }
    }
}

int main(int argc, char **argv)
{
    static float x[B][P];
    static int32_t in[T][B], out[T][B];
    static uint8_t real[T][B];
    int kind[B], updates = argc > 1 ? atoi(argv[1]) : 300;
    rg_params *ps = NULL;
    rg_plan *train = NULL, *say = NULL;
    rg_optim *opt = NULL;

    rg_params_create(&ps, 2, NULL);
    struct net n = build(ps);
    if (rg_plan_create_train(&train, n.loss, NULL, 0, NULL) ||
        rg_plan_create(&say, &n.answer, 1, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(n.g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 });
    for (int k = 0; k < 2; k++) { /* inputs that a plan does not need are ignored */
        rg_plan *p = k ? say : train;
        rg_plan_bind(p, n.picture, x, sizeof x);
        rg_plan_bind(p, n.in, in, sizeof in);
        rg_plan_bind(p, n.out, out, sizeof out);
        rg_plan_bind(p, n.real, real, sizeof real);
    }
    for (int k = 0; k <= updates; k++) {
        batch(x, in, out, real, kind);
        if (rg_plan_run(train) || rg_optim_step(opt, train))
            return fprintf(stderr, "%s\n", rg_plan_message(train)), 1;
        if (k % 100 == 0)
            printf("%4d  %.4f nats a letter\n", k, rg_plan_scalar(train, n.loss));
    }
    if (rg_plan_run(say))
        return fprintf(stderr, "%s\n", rg_plan_message(say)), 1;
    const int32_t *word = rg_plan_data(say, n.answer);
    for (int b = 0; b < 6; b++, putchar('\n')) {
        printf("%-6s -> ", name[kind[b]]);
        for (int t = 0; t < T && word[t * B + b] != STOP; t++)
            putchar('a' + word[t * B + b]);
    }
    rg_optim_destroy(&opt);
    rg_plan_destroy(&say);
    rg_plan_destroy(&train);
    rg_graph_destroy(&n.g);
    rg_params_destroy(&ps);
    return 0;
}
