/* examples/aligned.c -- a sequence in, an answer at every step: which letters of this sentence were
 * capitals? Reading in both directions knows what follows a letter; `forward` does not.
 *
 *     python3 tools/data/austen_case.py
 *     aligned build/data/austen-case [UPDATES] [forward] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { B = 32, E = 16, H = 64 };
enum { X, MASK, Y, LOSS, ANSWER };

struct model { const rg_dataset *d; bool both, train; };

/* logits_t = [h→_t; h←_t]·W + b, for all t at once */
static rg_status build(void *user, rg_cached_plan *p)
{
    const struct model *m = user;
    rg_graph *g = p->graph;
    rg_val *v = p->v;
    v[X]    = rg_input(g, "x", RG_INT, RG_SHAPE(p->T, B));
    v[MASK] = rg_input(g, "mask", RG_BOOL, RG_SHAPE(p->T, B));
    v[Y]    = rg_input(g, "y", RG_INT, RG_SHAPE(p->T, B));
    rg_unroll_opts opts = { .mask = v[MASK] };
    rg_cell gru[2] = { rg_gru(g, "fwd", E, H, NULL) };
    rg_val x = rg_embedding(v[X], "letter", (int64_t)m->d->in_vocab.n, E), h;
    if (m->both) {
        gru[1] = rg_gru(g, "bwd", E, H, NULL);
        h = rg_bidirectional(NULL, NULL, gru, x, NULL, RG_MERGE_CONCAT, &opts);
    } else {
        h = rg_unroll(NULL, gru, x, NULL, &opts);
    }
    rg_val z = rg_dense(h, "out", (int64_t)m->d->out_vocab.n);
    v[LOSS]   = rg_masked_mean(rg_softmax_cross_entropy(z, v[Y]), v[MASK]);
    v[ANSWER] = rg_argmax(z, -1);
    return m->train ? rg_plan_create_train(&p->plan, v[LOSS], NULL, 0, NULL)
                    : rg_plan_create(&p->plan, &v[ANSWER], 1, NULL);
}

static rg_cached_plan *run(rg_plan_cache *cache, const rg_batch *b)
{
    rg_cached_plan *p;
    if (rg_plan_cache_get(&p, cache, b->T, B))
        return fprintf(stderr, "%s\n", rg_plan_cache_message(cache)), NULL;
    rg_plan_bind(p->plan, p->v[X], b->id, (size_t)b->T * sizeof(int32_t[B]));
    rg_plan_bind(p->plan, p->v[MASK], b->y_mask, (size_t)b->T * sizeof(uint8_t[B]));
    rg_plan_bind(p->plan, p->v[Y], b->y, (size_t)b->T * sizeof(int32_t[B]));
    if (rg_plan_run(p->plan))
        return fprintf(stderr, "%s\n", rg_plan_message(p->plan)), NULL;
    return p;
}

/* The baseline: a capital where a passage or a sentence begins, and for `i` alone. */
static int32_t by_rule(const rg_dataset *d, const rg_batch *b, int64_t t, int64_t i)
{
    char c[3] = { ' ', ' ', ' ' }; /* two before, one before, at t */
    int64_t ends = t + 1 >= b->length[i];
    for (int64_t k = 0; k < 3; k++)
        if (t - 2 + k >= 0)
            c[k] = d->in_vocab.word[b->id[(t - 2 + k) * B + i]][0];
    char after = ends ? ' ' : d->in_vocab.word[b->id[(t + 1) * B + i]][0];
    bool letter = c[2] >= 'a' && c[2] <= 'z';
    bool begins = t == 0 || (c[1] == ' ' && strchr(".?!", c[0]) && t > 1);
    bool alone = c[2] == 'i' && c[1] == ' ' && (after < 'a' || after > 'z');
    return letter && (begins || alone) ? rg_vocab_find(&d->out_vocab, "1", 1)
                                       : rg_vocab_find(&d->out_vocab, "0", 1);
}

int main(int argc, char **argv)
{
    static const char *const part[3] = { "train", "valid", "test" };
    int updates = argc > 2 ? atoi(argv[2]) : 600;
    bool both = argc < 4 || strcmp(argv[3], "forward");
    uint64_t counts[2][4] = { { 0 } };             /* [model, rule][truth][answer] */
    rg_table table[3];
    rg_dataset d;
    rg_batches *train, *test;
    rg_batch b;
    rg_params *ps;
    rg_plan_cache *learn, *say;
    rg_optim *opt;
    char path[1024];
    for (int k = 0; k < 3; k++) {
        (void)snprintf(path, sizeof path, "%s/%s.tsv", argc > 1 ? argv[1] : ".", part[k]);
        if (rg_table_load(&table[k], path, NULL))
            return fprintf(stderr, "%s\npython3 tools/data/austen_case.py writes the folder\n",
                           table[k].message), 1;
    }
    if (rg_dataset_table(&d, &table[0], &table[1], &table[2], &(rg_dataset_opts){
                             .in = { .columns = "text", .unit = RG_UNIT_CHAR },
                             .out = { .columns = "tags", .unit = RG_UNIT_CHAR },
                             .target = RG_TARGET_TAGS }) ||
        rg_batches_create(&train, &d, &(rg_batches_opts){ .part = RG_PART_TRAIN, .rows = B,
                                                          .fill = true, .seed = 4 }) ||
        rg_batches_create(&test, &d, &(rg_batches_opts){ .part = RG_PART_TEST, .rows = B,
                                                         .fill = true, .in_order = true }))
        return fprintf(stderr, "%s\n", d.message), 1;
    rg_params_create(&ps, 4, NULL);
    rg_plan_cache_create(&learn, ps, build, &(struct model){ &d, both, true }, NULL);
    rg_plan_cache_create(&say, ps, build, &(struct model){ &d, both, false }, NULL);
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3, .clip_norm = 1 });
    for (int k = 0; k < updates; k++) {
        size_t n = rg_batches_count(train);
        rg_batches_get(&b, train, (size_t)k / n, (size_t)k % n);
        rg_cached_plan *p = run(learn, &b);
        if (!p || rg_optim_step(opt, p->plan))
            return fprintf(stderr, "%s\n", p ? rg_plan_message(p->plan) : ""), 1;
        if (k % 100 == 99)
            printf("%4d  %.4f nats a letter\n", k + 1, rg_plan_scalar(p->plan, p->v[LOSS]));
    }
    for (size_t k = 0; k < rg_batches_count(test); k++) {
        rg_batches_get(&b, test, 0, k);
        rg_cached_plan *p = run(say, &b);
        const int32_t *said = p ? rg_plan_data(p->plan, p->v[ANSWER]) : NULL;
        for (int64_t at = 0; said && at < b.T * B; at++)
            if (b.y_mask[at]) {
                counts[0][b.y[at] * 2 + said[at]]++;
                counts[1][b.y[at] * 2 + by_rule(&d, &b, at / B, at % B)]++;
            }
    }
    int32_t lower = rg_vocab_find(&d.out_vocab, "0", 1);
    for (int k = 0; k < 2; k++) {
        rg_class_report r = rg_class_f1(NULL, counts[k], 2, lower);
        printf("%-13s letters right %.4f, F1 of capitals %.3f\n",
               k ? "rule" : both ? "both ways" : "forward only", r.accuracy, r.macro_f1);
    }
    rg_optim_destroy(&opt);
    rg_plan_cache_destroy(&say);
    rg_plan_cache_destroy(&learn);
    rg_params_destroy(&ps);
    rg_batches_destroy(&test);
    rg_batches_destroy(&train);
    rg_dataset_destroy(&d);
    for (int k = 0; k < 3; k++)
        rg_table_destroy(&table[k]);
    return 0;
}
