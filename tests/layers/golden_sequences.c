/* tests/layers/golden_sequences.c -- rows of unequal length against what tools/golden/sequences.py
 * wrote: PyTorch's packed sequences, two layers in both directions, and Keras's masks with holes,
 * whose outputs are held or zero, forwards and backwards. */
#include "tests/layers/golden_digest.h"

#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 4, I = 3, H = 4, PARAMS = 96, STATES = 8 };

static const int32_t length[B] = { 4, 6, 1, 3 };
static const uint8_t holes[T * B] = { 1, 1, 0, 1,  1, 1, 0, 0,  0, 1, 0, 1,
                                      1, 1, 0, 1,  0, 1, 0, 0,  1, 1, 0, 0 };

static const struct kind {
    const char  *name;
    rg_cell_fn  *make;
    rg_cell_opts opts;
} kinds[] = {
    { "rnn_tanh", rg_rnn, { .nonlinearity = RG_TANH } },
    { "gru_after", rg_gru, { .reset_after = true } },
    { "gru_before", rg_gru, { .reset_after = false } },
    { "lstm", rg_lstm, { .forget_bias_0 = true } },
};

/* A line "case ...". */
struct setting {
    char               of[8], kind[16];
    unsigned long long seed;
    int                doubled, hold, backwards;
};

static rg_cell cell_of(golden_trial *c, const struct setting *s, const char *group, int64_t width)
{
    size_t k = 0;
    while (strcmp(kinds[k].name, s->kind) != 0)
        RGT_CHECK(++k < sizeof kinds / sizeof *kinds);
    rg_cell_opts opts = kinds[k].opts;
    opts.bias = s->doubled ? RG_BIAS_DOUBLE : RG_BIAS_SINGLE;
    return kinds[k].make(c->l.g, group, width, H, &opts);
}

/* Both layers in both directions over lengths; how many final states. */
static size_t packed(golden_trial *c, const struct setting *s, rg_val X, rg_val *Y, rg_val *last)
{
    rg_cell cell[4] = { cell_of(c, s, "l0f", I), cell_of(c, s, "l0b", I),
                        cell_of(c, s, "l1f", 2 * H), cell_of(c, s, "l1b", 2 * H) };
    rg_val n = lab_bits(&c->l, "n", RG_INT, RG_SHAPE(B), length);
    *Y = rg_layers(last, cell, 2, X, NULL,
                   &(rg_layers_opts){ .bidirectional = true, .mask = rg_length_mask(n, T) });
    return 4 * cell[0].n_state;
}

static size_t masked(golden_trial *c, const struct setting *s, rg_val X, rg_val *Y, rg_val *last)
{
    rg_cell cell = cell_of(c, s, "c", I);
    rg_val m = lab_bits(&c->l, "m", RG_BOOL, RG_SHAPE(T, B), holes);
    *Y = rg_unroll(last, &cell, X, NULL,
                   &(rg_unroll_opts){ .mask = m, .hold_output = s->hold != 0,
                                      .reverse = s->backwards != 0, .run_order = true });
    return cell.n_state;
}

static bool run_case(golden_trial *c, const char *line, rg_effort how)
{
    char name[16];
    struct setting s;
    rg_val x[PARAMS + 1], d[PARAMS + 1], last[STATES], Y;
    if (sscanf(line, "case of=%7s kind=%15s seed=%llu double=%d hold=%d backwards=%d", s.of,
               s.kind, &s.seed, &s.doubled, &s.hold, &s.backwards) != 6)
        return false;
    c->l.seed = s.seed;
    lab_open(&c->l, RG_F64);
    c->l.effort = how;
    x[0] = lab_drawn(&c->l, "x", RG_SHAPE(T, B, I));
    size_t n = (strcmp(s.of, "torch") == 0 ? packed : masked)(c, &s, x[0], &Y, last);
    lab_fill(&c->l, 0.7);
    rg_val loss = rg_sum(rg_mul(Y, lab_drawn(&c->l, "gY", rg_shape_of(Y))));
    golden_add(c, "", "Y", Y);
    for (size_t k = 0; k < n; k++) {
        (void)snprintf(name, sizeof name, "g%zu", k);
        loss = rg_add(loss, rg_sum(rg_mul(last[k], lab_drawn(&c->l, name, RG_SHAPE(B, H)))));
        name[0] = 's';
        golden_add(c, "", name, last[k]);
    }
    size_t m = 1 + rg_graph_params(x + 1, PARAMS, c->l.g);
    rg_grad(d, loss, x, m);
    golden_add(c, "d", "x", d[0]);
    for (size_t k = 1; k < m; k++)
        golden_add(c, "d", rg_params_at(c->l.ps, k - 1).name, d[k]);
    lab_run(&c->l, c->v, c->n);
    return true;
}

RGT_TEST(golden_sequences, equal_pytorch_s_packed_sequences_and_keras_s_masks)
{
    size_t cases = 0, tensors = 0;
    char *text = golden_load("sequences.txt");
    double plain = golden_judge(run_case, text, RG_INTERPRET, &cases, &tensors);
    double planned = golden_judge(run_case, text, RG_OPTIMIZE, &cases, &tensors);
    rgt_note("%zu cases, %zu tensors; off by %.1e, %.1e\n", cases, tensors, plain, planned);
    RGT_CHECK(cases == 2 * 10 && tensors > 480);
    RGT_CHECK(plain <= 1e-12 && planned <= 1e-12);
    free(text);
}

RGT_TEST(golden_sequences, a_wrong_digit_is_noticed)
{
    static const char *const line[] = { "\nY ", "\ns3 ", "\ns7 ", "\ndx ", "\ndl1b.Wf ",
                                        "\ndl0f.bhr ", "\ndc.Uo ", "\ndc.bhg " };
    for (size_t k = 0; k < sizeof line / sizeof *line; k++)
        golden_notices(run_case, "sequences.txt", line[k]);
}
