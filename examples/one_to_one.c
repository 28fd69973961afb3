/* examples/one_to_one.c -- one vector in, one class out: which digit is this picture? A recurrent
 * cell that runs for a single step from a state of zeros is a feed-forward net.
 *
 *     python3 tools/data/digits.py
 *     one_to_one build/data/digits/digits.csv [EPOCHS] */
#include <math.h>
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { B = 32, H = 64, K = 10, P = 64 };

struct net { rg_graph *g; rg_val x, y, counts, loss, answer; };

/* h = tanh(x·U + b), the state before being 0;  logits = h·W + b */
static struct net build(rg_params *ps)
{
    struct net n = { 0 };
    rg_graph_create(&n.g, ps, NULL);
    n.x      = rg_input(n.g, "x", RG_F, RG_SHAPE(1, B, P));          /* T = 1 */
    n.y      = rg_input(n.g, "y", RG_INT, RG_SHAPE(1, B));
    n.counts = rg_input(n.g, "counts", RG_BOOL, RG_SHAPE(1, B));    /* 0 in rows of a short batch */
    rg_cell rnn = rg_rnn(n.g, "hidden", P, H, NULL);
    rg_val z = rg_dense(rg_unroll(NULL, &rnn, n.x, NULL, NULL), "out", K);
    n.loss   = rg_masked_mean(rg_softmax_cross_entropy(z, n.y), n.counts);
    n.answer = rg_argmax(z, -1);
    return n;
}

static void bind(rg_plan *p, const struct net *n, const rg_batch *b)
{
    rg_plan_bind(p, n->x, b->x, sizeof(float[B][P]));
    rg_plan_bind(p, n->y, b->y, sizeof(int32_t[B]));
    rg_plan_bind(p, n->counts, b->y_mask, sizeof(uint8_t[B]));
}

/* Share of the part that is answered rightly, by the plan. */
static double accuracy(rg_plan *p, const struct net *n, rg_batches *part, size_t items)
{
    rg_batch b;
    size_t right = 0;
    for (size_t k = 0; k < rg_batches_count(part); k++) {
        rg_batches_get(&b, part, 0, k);
        bind(p, n, &b);
        if (rg_plan_run(p))
            return fprintf(stderr, "%s\n", rg_plan_message(p)), -1;
        const int32_t *said = rg_plan_data(p, n->answer);
        for (int64_t i = 0; i < b.n; i++)
            right += said[i] == b.y[i];
    }
    return (double)right / (double)items;
}

/* The baseline: the class whose mean image is the nearest. */
static double nearest_mean(rg_batches *train, rg_batches *test, size_t items)
{
    static double mean[K][P], n[K];
    rg_batch b;
    size_t right = 0;
    for (size_t k = 0; k < rg_batches_count(train); k++) {
        rg_batches_get(&b, train, 0, k);
        for (int64_t i = 0; i < b.n; i++, n[b.y[i - 1]]++)
            for (int p = 0; p < P; p++)
                mean[b.y[i]][p] += (double)((const float *)b.x)[i * P + p];
    }
    for (size_t k = 0; k < rg_batches_count(test); k++) {
        rg_batches_get(&b, test, 0, k);
        for (int64_t i = 0; i < b.n; i++) {
            double best = INFINITY;
            int said = 0;
            for (int c = 0; c < K; c++) {
                double d = 0;
                for (int p = 0; p < P; p++)
                    d += pow((double)((const float *)b.x)[i * P + p] - mean[c][p] / n[c], 2);
                if (d < best)
                    best = d, said = c;
            }
            right += said == b.y[i];
        }
    }
    return (double)right / (double)items;
}

int main(int argc, char **argv)
{
    int epochs = argc > 2 ? atoi(argv[2]) : 15;
    rg_table table;
    rg_dataset d;
    rg_batches *train, *test;
    rg_batch b;
    rg_params *ps;
    rg_plan *learn, *say;
    rg_optim *opt;
    if (argc < 2 || rg_table_load(&table, argv[1], NULL))
        return fprintf(stderr, "%s\npython3 tools/data/digits.py writes digits.csv\n",
                       argc < 2 ? "one_to_one FILE [EPOCHS]" : table.message), 1;
    const rg_dataset_opts columns = {
        .in = { .columns = "p*", .unit = RG_UNIT_NUMBER, .scaling = RG_SCALE_UNIT },
        .out = { .columns = "digit", .unit = RG_UNIT_WHOLE }, .split = RG_SPLIT_ORDER,
        .valid = -1, .test = 0.2 };
    if (rg_dataset_table(&d, &table, NULL, NULL, &columns) ||
        rg_batches_create(&train, &d, &(rg_batches_opts){ .part = RG_PART_TRAIN, .rows = B,
                                                          .fill = true, .seed = 1 }) ||
        rg_batches_create(&test, &d, &(rg_batches_opts){ .part = RG_PART_TEST, .rows = B,
                                                         .fill = true, .in_order = true }))
        return fprintf(stderr, "%s\n", d.message), 1;
    rg_params_create(&ps, 1, NULL);
    struct net n = build(ps);
    if (rg_plan_create_train(&learn, n.loss, NULL, 0, NULL) ||
        rg_plan_create(&say, &n.answer, 1, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(n.g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3 });
    for (int e = 0; e < epochs; e++) {
        for (size_t k = 0; k < rg_batches_count(train); k++) {
            rg_batches_get(&b, train, (uint64_t)e, k);
            bind(learn, &n, &b);
            if (rg_plan_run(learn) || rg_optim_step(opt, learn))
                return fprintf(stderr, "%s\n", rg_plan_message(learn)), 1;
        }
        printf("epoch %2d  loss %.4f\n", e + 1, rg_plan_scalar(learn, n.loss));
    }
    size_t items = d.count[RG_PART_TEST];
    printf("right of %zu images that it never saw: %.3f; the nearest class mean: %.3f\n", items,
           accuracy(say, &n, test, items), nearest_mean(train, test, items));
    rg_optim_destroy(&opt);
    rg_plan_destroy(&say);
    rg_plan_destroy(&learn);
    rg_graph_destroy(&n.g);
    rg_params_destroy(&ps);
    rg_batches_destroy(&test);
    rg_batches_destroy(&train);
    rg_dataset_destroy(&d);
    rg_table_destroy(&table);
    return 0;
}
