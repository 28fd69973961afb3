/* tests/layers/golden_cells.c -- the cells that golden.c has not, against what tools/golden/cells.py
 * wrote: a few lines of PyTorch each. Weights and data are drawn here as they were drawn there; per
 * tensor the file holds its norm and two products. */
#include "tests/layers/golden_digest.h"

#include <stdlib.h>
#include <string.h>

enum { PARAMS = 24 };

static const struct kind {
    const char  *name;
    rg_cell_fn  *make;
    rg_cell_opts opts;
} kinds[] = {
    { "peephole", rg_lstm, { .peephole = true } },
    { "coupled_f", rg_lstm, { .coupled = RG_KEEP_F } },
    { "coupled_i", rg_lstm, { .coupled = RG_KEEP_I } },
    { "clip", rg_lstm, { .cell_clip = 0.5 } },
    { "proj", rg_lstm, { .proj = 3 } },
    { "ba", rg_lstm, { .norm = RG_NORM_BA } },
    { "haste", rg_lstm, { .norm = RG_NORM_HASTE } },
    { "tf_contrib", rg_lstm, { .norm = RG_NORM_TF_CONTRIB } },
    { "addons", rg_lstm, { .norm = RG_NORM_ADDONS } },
    { "lstm_clip", rg_lstm, { .preact_clip = 0.5, .peephole = true } },
    { "rnn_clip", rg_rnn, { .preact_clip = 0.5 } },
    { "gru_clip", rg_gru, { .preact_clip = 0.5 } },
    { "gru_after_clip", rg_gru, { .preact_clip = 0.5, .reset_after = true } },
    { "gru_ba", rg_gru, { .norm = RG_NORM_BA, .reset_after = true } },
    { "mgu", rg_mgu, { .bias = RG_BIAS_SINGLE } },
    { "janet", rg_janet, { .bias = RG_BIAS_SINGLE } },
    { "mingru", rg_mingru, { .bias = RG_BIAS_SINGLE } },
    { "mingru_log", rg_mingru, { .log_form = true } },
    { "minlstm", rg_minlstm, { .bias = RG_BIAS_SINGLE } },
    { "indrnn", rg_indrnn, { .bias = RG_BIAS_SINGLE } },
    { "sru", rg_sru, { .bias = RG_BIAS_SINGLE } },
    { "sru_v1", rg_sru, { .sru_v1 = true } },
    { "qrnn_fo", rg_qrnn, { .pool = RG_POOL_FO } },
    { "qrnn_f", rg_qrnn, { .pool = RG_POOL_F } },
    { "qrnn_ifo", rg_qrnn, { .pool = RG_POOL_IFO } },
    { "qrnn_4", rg_qrnn, { .window = 4 } },
};

/* A line "case ...". */
struct setting {
    const struct kind *kind;
    unsigned long long seed;
    long long          T, B, I, H;
};

static const struct kind *kind_of(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

static bool read_case(struct setting *s, const char *line)
{
    char name[24];
    if (sscanf(line, "case cell=%23s seed=%llu T=%lld B=%lld I=%lld H=%lld", name, &s->seed, &s->T,
               &s->B, &s->I, &s->H) != 6)
        return false;
    s->kind = kind_of(name);
    RGT_CHECK_MSG(s->kind, "%s", name);
    return true;
}

/* Y, hT, cT, pT; then gradients dx, dh0 …, and of the parameters. */
static bool run_case(golden_trial *c, const char *line, rg_effort how)
{
    static const char *const start[] = { "h0", "c0", "p0" }, *const end[] = { "hT", "cT", "pT" };
    rg_val x[PARAMS + 4], d[PARAMS + 4], last[LAB_STATES];
    struct setting s;
    if (!read_case(&s, line))
        return false;
    c->l.seed = s.seed;
    lab_open(&c->l, RG_F64);
    c->l.effort = how;
    rg_cell cell = s.kind->make(c->l.g, "c", s.I, s.H, &s.kind->opts);
    lab_fill(&c->l, 0.7);
    x[0] = lab_drawn(&c->l, "x", RG_SHAPE(s.T, s.B, s.I));
    for (size_t k = 0; k < cell.n_state; k++)
        x[1 + k] = lab_start(&c->l, &cell, k, s.B);
    rg_val Y = rg_unroll(last, &cell, x[0], x + 1, NULL);
    rg_val loss = rg_sum(rg_mul(Y, lab_drawn(&c->l, "gY", rg_shape_of(Y))));
    for (size_t k = 0; k < cell.n_state; k++)
        loss = rg_add(loss, rg_sum(rg_mul(last[k], lab_cotangent(&c->l, &cell, k, s.B))));
    size_t first = 1 + cell.n_state, n = first + rg_graph_params(x + first, PARAMS, c->l.g);
    rg_grad(d, loss, x, n);
    golden_add(c, "", "Y", Y);
    for (size_t k = 0; k < cell.n_state; k++)
        golden_add(c, "", end[k], last[k]);
    golden_add(c, "d", "x", d[0]);
    for (size_t k = 1; k < n; k++)
        golden_add(c, "d", k < first ? start[k - 1] : rg_params_at(c->l.ps, k - first).name + 2, d[k]);
    lab_run(&c->l, c->v, c->n);
    return true;
}

RGT_TEST(golden_cells, values_and_gradients_equal_those_of_pytorch)
{
    size_t cases = 0, tensors = 0;
    char *text = golden_load("cells.txt");
    double plain = golden_judge(run_case, text, RG_INTERPRET, &cases, &tensors);
    double planned = golden_judge(run_case, text, RG_OPTIMIZE, &cases, &tensors);
    rgt_note("%zu cases, %zu tensors; off by %.1e, %.1e\n", cases, tensors, plain, planned);
    RGT_CHECK(cases == 2 * 2 * (sizeof kinds / sizeof *kinds) && tensors > 1200);
    RGT_CHECK(plain <= 1e-12 && planned <= 1e-12);
    free(text);
}

RGT_TEST(golden_cells, a_wrong_digit_is_noticed)
{
    static const char *const line[] = { "\nY ", "\nhT ", "\ncT ", "\ndx ", "\ndUi ", "\ndPf ",
                                        "\ndgamma_x ", "\ndbeta_hg ", "\ndproj ", "\ndvf ",
                                        "\ndVz " };
    for (size_t k = 0; k < sizeof line / sizeof *line; k++)
        golden_notices(run_case, "cells.txt", line[k]);
}
