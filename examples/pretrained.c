/* examples/pretrained.c -- word vectors that others trained, as GloVe or word2vec text: read into
 * an embedding, kept as they are or trained further. Is a line of words about food?
 *
 *     pretrained VECTORS.txt [frozen] */
#include <string.h>
#include <retrograd/retrograd.h>

enum { T = 3, B = 6, WORDS = 12, E = 4, H = 8, UPDATES = 120 };

static const char *const word[WORDS] = { "bread", "apple", "soup", "rice", "eat", "cook",
                                         "stone", "car", "road", "bridge", "drive", "build" };
static const int32_t x[T][B] = { { 0, 1, 2, 6, 7, 8 }, { 4, 4, 5, 10, 10, 11 },
                                 { 3, 0, 1, 7, 8, 9 } };
static const int32_t y[B] = { 1, 1, 1, 0, 0, 0 };

int main(int argc, char **argv)
{
    bool frozen = argc > 2 && !strcmp(argv[2], "frozen");
    float before[WORDS][E], moved = 0;
    size_t found = 0;
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_optim *opt;
    rg_params_create(&ps, 6, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_INT, RG_SHAPE(T, B)), h;
    rg_val Y = rg_input(g, "y", RG_INT, RG_SHAPE(B));
    rg_val e = rg_embedding(X, "word", WORDS, E);                 /* declares word.E [WORDS,E] */
    if (argc < 2 || rg_embedding_load(ps, "word.E", argv[1], word, WORDS, &found))
        return fprintf(stderr, "%s\n", argc < 2 ? "pretrained VECTORS.txt [frozen]"
                                                : rg_params_message(ps)), 1;
    rg_params_freeze(ps, "word", frozen);                     /* nor is a gradient computed */
    rg_cell gru = rg_gru(g, "gru", E, H, NULL);
    rg_unroll(&h, &gru, e, NULL, NULL);
    rg_val loss = rg_mean(rg_softmax_cross_entropy(rg_dense(h, "out", 2), Y));
    if (rg_plan_create_train(&plan, loss, NULL, 0, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2 });
    rg_plan_bind(plan, X, x, sizeof x);
    rg_plan_bind(plan, Y, y, sizeof y);
    const float *table = rg_params_find(ps, "word.E").data;
    memcpy(before, table, sizeof before);
    for (int k = 0; k < UPDATES; k++)
        if (rg_plan_run(plan) || rg_optim_step(opt, plan))
            return fprintf(stderr, "%s\n", rg_plan_message(plan)), 1;
    for (int i = 0; i < WORDS * E; i++) {
        float d = table[i] - before[i / E][i % E];
        moved = d > moved ? d : -d > moved ? -d : moved;
    }
    printf("%zu of %d words in the file; loss %.4f; vectors moved by up to %.4f\n", found, WORDS,
           rg_plan_scalar(plan, loss), (double)moved);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
