/* examples/one_to_many.c -- one vector in, a sequence out: the picture of a digit becomes the
 * decoder's initial state, its English name is spelled letter by letter.
 *
 *     python3 tools/data/digits.py
 *     one_to_many build/data/digits/digits.csv [EPOCHS] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { B = 32, E = 16, H = 48, P = 64, STEPS = 8 };

/* Training: s0 = tanh(picture·W + b), then every step reads the true letter before.
 * Spelling: a graph of one step, whose letter and state come from the step before. */
struct net {
    rg_graph *g, *step;
    rg_plan  *learn, *see, *spell;
    rg_val    picture, y, counts, loss, s0;   /* in g */
    rg_val    id, state, next, logits;        /* in step */
};

static rg_val letters(rg_val h, int64_t V)
{
    return rg_dense(h, "letter", V);
}

static rg_status build(struct net *n, rg_params *ps, const rg_dataset *d, int64_t T)
{
    int64_t V = (int64_t)d->out_vocab.n;
    rg_graph_create(&n->g, ps, NULL);
    n->picture = rg_input(n->g, "picture", RG_F, RG_SHAPE(B, P));
    n->y       = rg_input(n->g, "y", RG_INT, RG_SHAPE(T, B));
    n->counts  = rg_input(n->g, "counts", RG_BOOL, RG_SHAPE(T, B));
    rg_cell gru = rg_gru(n->g, "gru", E, H, NULL);
    rg_feed_init(&n->s0, &gru, n->picture, "see");
    rg_val x = rg_embedding(rg_shift_in(n->y, d->begin), "heard", V, E);
    rg_val h = rg_unroll(NULL, &gru, x, &n->s0, NULL);
    n->loss  = rg_masked_mean(rg_softmax_cross_entropy(letters(h, V), n->y), n->counts);

    rg_graph_create(&n->step, ps, NULL);
    n->id    = rg_input(n->step, "id", RG_INT, RG_SHAPE(B));
    n->state = rg_input(n->step, "state", RG_F, RG_SHAPE(B, H));
    gru = rg_gru(n->step, "gru", E, H, NULL);
    rg_step(&n->next, &gru, rg_embedding(n->id, "heard", V, E), &n->state, 0);
    n->logits = letters(n->next, V);
    rg_status st = rg_plan_create_train(&n->learn, n->loss, NULL, 0, NULL);
    if (st || (st = rg_plan_create(&n->see, &n->s0, 1, NULL)))
        return st;
    return rg_plan_create(&n->spell, (rg_val[]){ n->next, n->logits }, 2, NULL);
}

/* Words spelled exactly right; the first few are printed. -1: it failed. */
static long judge(const struct net *n, const rg_dataset *d, rg_batches *test)
{
    const rg_decoder decoder = { .plan = n->spell, .id = n->id, .logits = n->logits, .n_state = 1,
                                 .state = &n->state, .next = &n->next, .begin = d->begin,
                                 .end = d->end };
    long right = 0;
    rg_batch b;
    for (size_t k = 0; k < rg_batches_count(test); k++) {
        rg_decoded *said;
        rg_batches_get(&b, test, 0, k);
        rg_plan_bind(n->see, n->picture, b.x, sizeof(float[B][P]));
        if (rg_plan_run(n->see))
            return fprintf(stderr, "%s\n", rg_plan_message(n->see)), -1;
        const void *start = rg_plan_data(n->see, n->s0);
        if (rg_decode_greedy(&said, &decoder, &start, &(rg_decode_opts){ .steps = STEPS }))
            return fprintf(stderr, "%s\n", said ? said->message : "no memory"), -1;
        for (int64_t i = 0; i < b.n; i++) {
            const rg_hypothesis *word = &said->best[i];
            size_t t = 0;
            while (t < word->n && (int64_t)t < b.U && word->id[t] == b.y[(int64_t)t * B + i])
                t++;
            right += word->finished && t == word->n && b.y[(int64_t)t * B + i] == d->end;
            for (t = 0; k == 0 && i < 6 && t < word->n; t++)
                printf("%s%s", t ? "" : "  ", d->out_vocab.word[word->id[t]]);
        }
        rg_decoded_destroy(&said);
    }
    return right;
}

int main(int argc, char **argv)
{
    int epochs = argc > 2 ? atoi(argv[2]) : 20;
    rg_table table;
    rg_dataset d;
    rg_batches *train, *test;
    rg_batch b;
    rg_params *ps;
    rg_optim *opt;
    struct net n = { 0 };
    if (argc < 2 || rg_table_load(&table, argv[1], NULL))
        return fprintf(stderr, "%s\npython3 tools/data/digits.py writes digits.csv\n",
                       argc < 2 ? "one_to_many FILE [EPOCHS]" : table.message), 1;
    const rg_dataset_opts columns = {
        .in = { .columns = "p*", .unit = RG_UNIT_NUMBER, .scaling = RG_SCALE_UNIT },
        .out = { .columns = "word", .unit = RG_UNIT_CHAR }, .target = RG_TARGET_SEQUENCE,
        .split = RG_SPLIT_ORDER, .valid = -1, .test = 0.2 };
    if (rg_dataset_table(&d, &table, NULL, NULL, &columns) ||
        rg_batches_create(&train, &d, &(rg_batches_opts){ .part = RG_PART_TRAIN, .rows = B,
                                                          .fill = true, .seed = 1 }) ||
        rg_batches_create(&test, &d, &(rg_batches_opts){ .part = RG_PART_TEST, .rows = B,
                                                         .fill = true, .in_order = true }))
        return fprintf(stderr, "%s\n", d.message), 1;
    rg_params_create(&ps, 2, NULL);
    rg_batches_get(&b, train, 0, 0);                /* U steps: the longest word and its end */
    if (build(&n, ps, &d, b.U))
        return fprintf(stderr, "%s%s\n", rg_graph_message(n.g), rg_graph_message(n.step)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 3e-3, .clip_norm = 1 });
    for (int e = 0; e < epochs; e++) {
        for (size_t k = 0; k < rg_batches_count(train); k++) {
            rg_batches_get(&b, train, (uint64_t)e, k);
            rg_plan_bind(n.learn, n.picture, b.x, sizeof(float[B][P]));
            rg_plan_bind(n.learn, n.y, b.y, (size_t)b.U * sizeof(int32_t[B]));
            rg_plan_bind(n.learn, n.counts, b.y_mask, (size_t)b.U * sizeof(uint8_t[B]));
            if (rg_plan_run(n.learn) || rg_optim_step(opt, n.learn))
                return fprintf(stderr, "%s\n", rg_plan_message(n.learn)), 1;
        }
        printf("epoch %2d  %.4f nats a letter\n", e + 1, rg_plan_scalar(n.learn, n.loss));
    }
    long right = judge(&n, &d, test);
    printf("\nspelled rightly of %zu images that it never saw: %.3f; always one word: about .1\n",
           d.count[RG_PART_TEST], (double)right / (double)d.count[RG_PART_TEST]);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&n.spell);
    rg_plan_destroy(&n.see);
    rg_plan_destroy(&n.learn);
    rg_graph_destroy(&n.step);
    rg_graph_destroy(&n.g);
    rg_params_destroy(&ps);
    rg_batches_destroy(&test);
    rg_batches_destroy(&train);
    rg_dataset_destroy(&d);
    rg_table_destroy(&table);
    return right < 0;
}
