/* examples/many_to_one.c -- a sequence in, one class out: which language is this surname? What is
 * read is the final state of both directions, after each name's own last letter; names of other
 * lengths run by other plans of the same weights.
 *
 *     python3 tools/data/surnames.py
 *     many_to_one build/data/surnames/surnames.tsv [EPOCHS] */
#include <stdlib.h>
#include <retrograd/retrograd.h>

enum { B = 64, E = 24, H = 64 };
enum { X, LENGTH, Y, COUNTS, LOSS, ANSWER };       /* values of a plan, by name */

struct model { const rg_dataset *d; bool train; };

/* h→ and h← after the last real letter;  logits = [h→; h←]·W + b */
static rg_status build(void *user, rg_cached_plan *p)
{
    const struct model *m = user;
    rg_graph *g = p->graph;
    rg_val *v = p->v, last[2];
    v[X]      = rg_input(g, "x", RG_INT, RG_SHAPE(p->T, B));
    v[LENGTH] = rg_input(g, "length", RG_INT, RG_SHAPE(B));
    v[Y]      = rg_input(g, "y", RG_INT, RG_SHAPE(B));
    v[COUNTS] = rg_input(g, "counts", RG_BOOL, RG_SHAPE(B));
    rg_cell gru[2] = { rg_gru(g, "fwd", E, H, NULL), rg_gru(g, "bwd", E, H, NULL) };
    rg_val x = rg_embedding(v[X], "letter", (int64_t)m->d->in_vocab.n, E);
    rg_bidirectional(last, NULL, gru, x, NULL, RG_MERGE_CONCAT,
                     &(rg_unroll_opts){ .mask = rg_length_mask(v[LENGTH], p->T) });
    rg_val h = rg_dropout(rg_concat(last, 2, -1), 0.3, "read");
    rg_val z = rg_dense(h, "out", (int64_t)m->d->out_vocab.n);
    v[LOSS]   = rg_masked_mean(rg_softmax_cross_entropy(z, v[Y]), v[COUNTS]);
    v[ANSWER] = rg_argmax(z, -1);
    return m->train ? rg_plan_create_train(&p->plan, v[LOSS], NULL, 0, NULL)
                    : rg_plan_create(&p->plan, &v[ANSWER], 1, NULL);
}

/* The plan for a batch, bound and run; NULL: it failed, and why was said. */
static rg_cached_plan *run(rg_plan_cache *cache, const rg_batch *b)
{
    rg_cached_plan *p;
    if (rg_plan_cache_get(&p, cache, b->T, B))
        return fprintf(stderr, "%s\n", rg_plan_cache_message(cache)), NULL;
    rg_plan_bind(p->plan, p->v[X], b->id, (size_t)b->T * sizeof(int32_t[B]));
    rg_plan_bind(p->plan, p->v[LENGTH], b->length, sizeof(int32_t[B]));
    rg_plan_bind(p->plan, p->v[Y], b->y, sizeof(int32_t[B]));
    rg_plan_bind(p->plan, p->v[COUNTS], b->y_mask, sizeof(uint8_t[B]));
    if (rg_plan_run(p->plan))
        return fprintf(stderr, "%s\n", rg_plan_message(p->plan)), NULL;
    return p;
}

/* Counts [truth][answer] of the test, by the model or by always the same class. */
static int confusion(uint64_t *counts, rg_plan_cache *cache, rg_batches *test, size_t K,
                     int32_t always)
{
    rg_batch b;
    for (size_t k = 0; k < rg_batches_count(test); k++) {
        rg_batches_get(&b, test, 0, k);
        rg_cached_plan *p = always < 0 ? run(cache, &b) : NULL;
        if (!p && always < 0)
            return 1;
        const int32_t *said = p ? rg_plan_data(p->plan, p->v[ANSWER]) : NULL;
        for (int64_t i = 0; i < b.n; i++)
            counts[(size_t)b.y[i] * K + (size_t)(p ? said[i] : always)]++;
    }
    return 0;
}

static int32_t most_frequent(const rg_dataset *d)
{
    size_t count[64] = { 0 };
    int32_t best = 0;
    for (size_t i = 0; i < d->n; i++)
        count[d->out.id[d->out.start[i]]] += d->part[i] == RG_PART_TRAIN;
    for (int32_t c = 0; c < (int32_t)d->out_vocab.n; c++)
        best = count[c] > count[best] ? c : best;
    return best;
}

int main(int argc, char **argv)
{
    static uint64_t counts[2][64 * 64];
    static double f1[64];
    int epochs = argc > 2 ? atoi(argv[2]) : 12;
    rg_table table;
    rg_dataset d;
    rg_batches *train, *test;
    rg_batch b;
    rg_params *ps;
    rg_plan_cache *learn, *say;
    rg_optim *opt;
    if (argc < 2 || rg_table_load(&table, argv[1], NULL))
        return fprintf(stderr, "%s\npython3 tools/data/surnames.py writes surnames.tsv\n",
                       argc < 2 ? "many_to_one FILE [EPOCHS]" : table.message), 1;
    if (rg_dataset_table(&d, &table, NULL, NULL, &(rg_dataset_opts){
                             .in = { .columns = "name", .unit = RG_UNIT_CHAR },
                             .out = { .columns = "language", .unit = RG_UNIT_WHOLE } }) ||
        rg_batches_create(&train, &d, &(rg_batches_opts){ .part = RG_PART_TRAIN, .rows = B,
                                                          .fill = true, .seed = 3 }) ||
        rg_batches_create(&test, &d, &(rg_batches_opts){ .part = RG_PART_TEST, .rows = B,
                                                         .fill = true, .in_order = true }))
        return fprintf(stderr, "%s\n", d.message), 1;
    size_t K = d.out_vocab.n;
    rg_params_create(&ps, 3, NULL);
    rg_plan_cache_create(&learn, ps, build, &(struct model){ &d, true }, NULL);
    rg_plan_cache_create(&say, ps, build, &(struct model){ &d, false }, NULL);
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3, .clip_norm = 1 });
    for (int e = 0; e < epochs; e++) {
        double loss = 0;
        for (size_t k = 0; k < rg_batches_count(train); k++) {
            rg_batches_get(&b, train, (uint64_t)e, k);
            rg_cached_plan *p = run(learn, &b);
            if (!p || rg_optim_step(opt, p->plan))
                return fprintf(stderr, "%s\n", p ? rg_plan_message(p->plan) : ""), 1;
            loss += rg_plan_scalar(p->plan, p->v[LOSS]);
        }
        printf("epoch %2d  loss %.3f\n", e + 1, loss / (double)rg_batches_count(train));
    }
    int32_t always = most_frequent(&d);
    if (confusion(counts[0], say, test, K, -1) || confusion(counts[1], say, test, K, always))
        return 1;
    rg_class_report r = rg_class_f1(f1, counts[0], K, -1);
    rg_class_report base = rg_class_f1(NULL, counts[1], K, -1);
    printf("right of %zu names that it never saw: %.3f, macro-F1 %.3f; always %s: %.3f, %.3f\n",
           d.count[RG_PART_TEST], r.accuracy, r.macro_f1, d.out_vocab.word[always], base.accuracy,
           base.macro_f1);
    for (size_t c = 0; c < K; c++)
        printf("  %-10s F1 %.2f\n", d.out_vocab.word[c], f1[c]);
    rg_optim_destroy(&opt);
    rg_plan_cache_destroy(&say);
    rg_plan_cache_destroy(&learn);
    rg_params_destroy(&ps);
    rg_batches_destroy(&test);
    rg_batches_destroy(&train);
    rg_dataset_destroy(&d);
    rg_table_destroy(&table);
    return 0;
}
