/* examples/classify.c -- many-to-one: which language is this word? Ragged lengths, two buckets, one
 * set of weights.
 *
 *     classify [UPDATES] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { B = 32, V = 128, E = 16, H = 64, CLASSES = 2, MAX_T = 16 };

struct bucket {
    int64_t T;
    rg_graph *g;
    rg_plan *plan;
    rg_val x, length, label, loss, accuracy;
};

static rg_status bucket_create(struct bucket *b, rg_params *ps)
{
    rg_graph_create(&b->g, ps, NULL);
    b->x      = rg_input(b->g, "x", RG_INT, RG_SHAPE(b->T, B));
    b->length = rg_input(b->g, "length", RG_INT, RG_SHAPE(B));
    b->label  = rg_input(b->g, "label", RG_INT, RG_SHAPE(B));

    rg_cell gru = rg_gru(b->g, "gru", E, H, NULL);
    rg_val last;
    rg_unroll(&last, &gru, rg_embedding(b->x, "emb", V, E), NULL,
              &(rg_unroll_opts){ .mask = rg_length_mask(b->length, b->T) });
    rg_val z = rg_dense(last, "out", CLASSES);
    b->loss     = rg_mean(rg_softmax_cross_entropy(z, b->label));
    b->accuracy = rg_mean(rg_real(rg_equal(rg_argmax(z, -1), b->label)));
    return rg_plan_create_train(&b->plan, b->loss, &b->accuracy, 1, NULL);
}

static const char *const words[CLASSES][4] = { { "house", "bread", "straightforward", "tree" },
                                               { "haus", "brot", "unverzichtbar", "baum" } };

int main(int argc, char **argv)
{
    struct bucket bucket[2] = { { .T = 6 }, { .T = MAX_T } };
    int32_t x[MAX_T * B], length[B], label[B];
    rg_params *ps = NULL;
    rg_optim *opt = NULL;
    int updates = argc > 1 ? atoi(argv[1]) : 200;

    rg_params_create(&ps, 3, NULL);
    for (int k = 0; k < 2; k++)
        if (bucket_create(&bucket[k], ps))
            return fprintf(stderr, "%s\n", rg_graph_message(bucket[k].g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 });

    for (int k = 0; k < 2; k++) {
        struct bucket *b = &bucket[k];
        rg_plan_bind(b->plan, b->x, x, sizeof *x * (size_t)b->T * B);
        rg_plan_bind(b->plan, b->length, length, sizeof length);
        rg_plan_bind(b->plan, b->label, label, sizeof label);
    }
    for (int step = 0; step < updates; step++) {
        struct bucket *b = &bucket[step % 2];
        memset(x, 0, sizeof x);
        for (int row = 0, pick = step; row < B; pick++) {      /* words that fit this bucket */
            const char *word = words[pick % CLASSES][pick / CLASSES % 4];
            if ((strlen(word) > 6) != (b->T > 6))
                continue;
            for (size_t t = 0; word[t]; t++)
                x[t * B + (size_t)row] = word[t];
            length[row]  = (int32_t)strlen(word);
            label[row++] = pick % CLASSES;
        }
        if (rg_plan_run(b->plan) || rg_optim_step(opt, b->plan))
            return fprintf(stderr, "%s\n", rg_plan_message(b->plan)), 1;
        printf("%3d  T %2d  loss %.3f  right %.0f %%\n", step, (int)b->T,
               rg_plan_scalar(b->plan, b->loss), 100 * rg_plan_scalar(b->plan, b->accuracy));
    }
    for (int k = 0; k < 2; k++) {
        rg_plan_destroy(&bucket[k].plan);
        rg_graph_destroy(&bucket[k].g);
    }
    rg_optim_destroy(&opt);
    rg_params_destroy(&ps);
    return 0;
}
