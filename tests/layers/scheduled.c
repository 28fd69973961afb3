/* tests/layers/scheduled.c -- a decoder that reads its own words: what it reads is what was drawn,
 * and numbers and gradients are those of a decoder that is given the same. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 5, V = 4, E = 3, H = 4, STEPS = T * B };

static const int32_t targets[STEPS] = { 1, 2, 3, 3, 1, 2, 2, 1, 3, 1, 3, 1, 1, 2, 2,
                                        1, 1, 3, 2, 3, 2, 3, 2, 1, 1, 3, 2, 1, 3, 2 };

static rg_val read_token(const void *weights, rg_val id)
{
    (void)weights;
    return rg_embedding(id, "embed", V, E);
}

static rg_val say_token(const void *weights, rg_val h)
{
    (void)weights;
    return rg_dense(h, "out", V);
}

static rg_scheduled opts_of(double share)
{
    return (rg_scheduled){ read_token, say_token, NULL, 0, share, "own" };
}

/* Roots: logits, which targets are fed (not 0), and the gradients of some weights. */
enum { ROOTS = 8 };

static void finish(lab *l, rg_val root[ROOTS])
{
    rg_val y = lab_bits(l, "loss", RG_INT, RG_SHAPE(T, B), targets);
    rg_val w[6] = { rg_param(l->g, "embed", "E", RG_SHAPE(V, E), rg_init_zeros()),
                    rg_param(l->g, "out", "W", RG_SHAPE(H, V), rg_init_zeros()),
                    rg_param(l->g, "dec", "Ug", RG_SHAPE(E, H), rg_init_zeros()),
                    rg_param(l->g, "dec", "Wr", RG_SHAPE(H, H), rg_init_zeros()),
                    rg_param(l->g, "dec", "bu", RG_SHAPE(H), rg_init_zeros()),
                    rg_param(l->g, "out", "b", RG_SHAPE(V), rg_init_zeros()) };
    rg_grad(root + 2, rg_mean(rg_softmax_cross_entropy(root[0], y)), w, 6);
    lab_fill(l, 1.5);
}

static void own_words(lab *l, rg_val root[ROOTS], double share)
{
    const rg_scheduled o = opts_of(share);
    lab_open(l, RG_F64);
    rg_cell cell = rg_gru(l->g, "dec", E, H, NULL);
    rg_val y = lab_bits(l, "y", RG_INT, RG_SHAPE(T, B), targets);
    root[0] = rg_scheduled_sampling(&cell, y, NULL, &o);
    root[1] = rg_dropout_mask(l->g, RG_SHAPE(T, B), share, "own");
    finish(l, root);
}

/* The same decoder, given what it reads. */
static void given(lab *l, rg_val root[ROOTS], const int32_t *fed)
{
    lab_open(l, RG_F64);
    rg_cell cell = rg_gru(l->g, "dec", E, H, NULL);
    rg_val x = rg_embedding(lab_bits(l, "fed", RG_INT, RG_SHAPE(T, B), fed), "embed", V, E);
    root[0] = rg_dense(rg_unroll(NULL, &cell, x, NULL, NULL), "out", V);
    root[1] = rg_zeros(l->g, RG_SHAPE(T, B));
    finish(l, root);
}

/* From logits and draws to what was read; how much of it is unlike the truth. */
static int what_was_read(int32_t fed[STEPS], const double *z, const double *mask)
{
    int wrong = 0;
    for (int i = 0; i < STEPS; i++) {
        int32_t said = 0;
        for (int32_t v = 0; i >= B && v < V; v++)
            said = z[(i - B) * V + v] > z[(i - B) * V + said] ? v : said;
        fed[i] = i < B ? 0 : mask[i] > 0 ? targets[i - B] : said;
        wrong += i >= B && fed[i] != targets[i - B];
    }
    return wrong;
}

RGT_TEST(scheduled, sampling_is_a_decoder_that_is_given_what_it_said_with_its_gradient)
{
    lab l = { .seed = 61 };
    rg_val root[ROOTS], same[ROOTS];
    own_words(&l, root, 0.5);
    lab_run(&l, root, ROOTS);
    for (int run = 0; run < 3; run++) { /* each with draws of its own */
        lab k = { .seed = 61 };
        int32_t fed[STEPS];
        double *was = lab_read(&l, root[0], NULL), *mask = lab_read(&l, root[1], NULL);
        RGT_CHECK(what_was_read(fed, was, mask) > 2);
        given(&k, same, fed);
        lab_run(&k, same, ROOTS);
        for (int i = 0; i < ROOTS; i++)
            RGT_CHECK_MSG(i == 1 || lab_apart(&l, root[i], &k, same[i]) < 1e-14, "run %d, root %d",
                          run, i);
        lab_again(&l);
        double *z = lab_read(&l, root[0], NULL);
        RGT_CHECK(memcmp(z, was, STEPS * V * sizeof *z) != 0);
        free(z), free(was), free(mask);
        lab_close(&k);
    }
    lab_close(&l);
}

RGT_TEST(scheduled, sampling_of_nothing_and_evaluation_read_the_truth)
{
    int32_t fed[STEPS] = { 0 };
    rg_val root[ROOTS], same[ROOTS];
    memcpy(fed + B, targets, (STEPS - B) * sizeof *fed);
    for (int evaluate = 0; evaluate < 2; evaluate++) {
        lab l = { .seed = 62 }, k = { .seed = 62 };
        own_words(&l, root, evaluate ? 0.9 : 0);
        given(&k, same, fed);
        RGT_CHECK(!rg_plan_create(&l.plan, root, 1, &(rg_plan_opts){
            .real = RG_F64, .mode = evaluate ? RG_EVALUATE : RG_TRAIN }));
        lab_again(&l);
        lab_run(&k, same, ROOTS);
        RGT_CHECK_MSG(lab_apart(&l, root[0], &k, same[0]) < 1e-14, "%d", evaluate);
        lab_close(&l), lab_close(&k);
    }
}

RGT_TEST(scheduled, sampling_draws_the_same_whatever_the_plan)
{
    lab l[2] = { { .seed = 63, .effort = RG_OPTIMIZE }, { .seed = 63, .effort = RG_INTERPRET } };
    rg_val root[2][ROOTS];
    for (int k = 0; k < 2; k++) {
        own_words(&l[k], root[k], 0.4);
        lab_run(&l[k], root[k], ROOTS);
    }
    for (int i = 0; i < ROOTS; i++)
        RGT_CHECK_MSG(lab_apart(&l[0], root[0][i], &l[1], root[1][i]) < 1e-13, "root %d", i);
    RGT_CHECK(lab_same(&l[0], root[0][1], &l[1], root[1][1])); /* the draws */
    lab_close(&l[0]), lab_close(&l[1]);
}

static void refused(int which, rg_status status, const char *says)
{
    lab l = { .seed = 61 };
    lab_open(&l, RG_F64);
    rg_cell cell = rg_gru(l.g, "dec", E, H, NULL);
    rg_val y = lab_bits(&l, "y", RG_INT, RG_SHAPE(T, B), targets);
    rg_scheduled o = opts_of(which == 3 ? 1 : which == 4 ? NAN : 0.5);
    if (which == 2)
        o.say = NULL;
    RGT_CHECK(rg_scheduled_sampling(which ? &cell : NULL, which == 1 ? rg_select(y, 0, 0) :
                                    which == 5 ? rg_real(y) : y, NULL, &o).id == 0);
    lab_says(l.g, status, says);
    lab_close(&l);
}

RGT_TEST(scheduled, sampling_says_what_it_cannot_do)
{
    refused(0, RG_EARG, "scheduled_sampling: needs a cell");
    refused(1, RG_ESHAPE, "scheduled_sampling: targets are [T,B] of RG_INT, T at least 1, these "
            "are [5]");
    refused(2, RG_EARG, "functions to read and to say");
    refused(3, RG_EARG, "the share must be in [0, 1), got 1");
    refused(4, RG_EARG, "the share must be in [0, 1), got nan");
    refused(5, RG_EDTYPE, "scheduled_sampling: targets are [T,B] of RG_INT");
}
