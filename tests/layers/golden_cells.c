/* tests/layers/golden_cells.c -- the cells that golden.c has not, against what tools/golden/cells.py
 * wrote: a few lines of PyTorch each. Weights and data are drawn here as they were drawn there; per
 * tensor the file holds its norm and two products. */
#include "tests/layers/golden_digest.h"

#include <math.h>
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
    { "mgu", rg_mgu, { .bias = RG_BIAS_SINGLE } },
    { "janet", rg_janet, { .bias = RG_BIAS_SINGLE } },
    { "mingru", rg_mingru, { .bias = RG_BIAS_SINGLE } },
    { "minlstm", rg_minlstm, { .bias = RG_BIAS_SINGLE } },
    { "indrnn", rg_indrnn, { .bias = RG_BIAS_SINGLE } },
    { "sru", rg_sru, { .bias = RG_BIAS_SINGLE } },
    { "qrnn_fo", rg_qrnn, { .pool = RG_POOL_FO } },
    { "qrnn_f", rg_qrnn, { .pool = RG_POOL_F } },
    { "qrnn_ifo", rg_qrnn, { .pool = RG_POOL_IFO } },
};

/* Y, hT, cT, pT; then gradients dx, dh0 …, and of the parameters. */
static void run_case(golden_trial *c, const struct kind *kind, const int64_t size[4], rg_effort how)
{
    static const char *const start[] = { "h0", "c0", "p0" }, *const end[] = { "hT", "cT", "pT" };
    rg_val x[PARAMS + 4], d[PARAMS + 4], last[LAB_STATES];
    lab_open(&c->l, RG_F64);
    c->l.effort = how;
    rg_cell cell = kind->make(c->l.g, "c", size[2], size[3], &kind->opts);
    lab_fill(&c->l, 0.7);
    x[0] = lab_drawn(&c->l, "x", RG_SHAPE(size[0], size[1], size[2]));
    for (size_t k = 0; k < cell.n_state; k++)
        x[1 + k] = lab_start(&c->l, &cell, k, size[1]);
    rg_val Y = rg_unroll(last, &cell, x[0], x + 1, NULL);
    rg_val loss = rg_sum(rg_mul(Y, lab_drawn(&c->l, "gY", rg_shape_of(Y))));
    for (size_t k = 0; k < cell.n_state; k++)
        loss = rg_add(loss, rg_sum(rg_mul(last[k], lab_cotangent(&c->l, &cell, k, size[1]))));
    size_t first = 1 + cell.n_state, n = first + rg_graph_params(x + first, PARAMS, c->l.g);
    rg_grad(d, loss, x, n);
    golden_add(c, "", "Y", Y);
    for (size_t k = 0; k < cell.n_state; k++)
        golden_add(c, "", end[k], last[k]);
    golden_add(c, "d", "x", d[0]);
    for (size_t k = 1; k < n; k++)
        golden_add(c, "d", k < first ? start[k - 1] : rg_params_at(c->l.ps, k - first).name + 2, d[k]);
    lab_run(&c->l, c->v, c->n);
}

static const struct kind *kind_of(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

/* Every case of the text; the largest difference, and how many tensors were compared. */
static double judge(const char *text, rg_effort how, size_t *cases, size_t *tensors)
{
    golden_trial c = { .n = 0 };
    bool open = false;
    double worst = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        char name[24];
        unsigned long long seed;
        long long size[4];
        if (*line == '#' || strncmp(line, "sum ", 4) == 0)
            continue;
        if (sscanf(line, "case cell=%23s seed=%llu T=%lld B=%lld I=%lld H=%lld", name, &seed, size,
                   size + 1, size + 2, size + 3) == 6) {
            const struct kind *kind = kind_of(name);
            if (open)
                lab_close(&c.l);
            RGT_CHECK_MSG(kind, "%s", name);
            memset(&c, 0, sizeof c);
            c.l.seed = seed;
            run_case(&c, kind, (int64_t[]){ size[0], size[1], size[2], size[3] }, how);
            open = true;
            ++*cases;
        } else {
            worst = fmax(worst, open ? golden_off_by(&c, line) : INFINITY);
            ++*tensors;
        }
    }
    if (open)
        lab_close(&c.l);
    return worst;
}

RGT_TEST(golden_cells, values_and_gradients_equal_those_of_pytorch)
{
    size_t cases = 0, tensors = 0;
    char *text = golden_load("cells.txt");
    double plain = judge(text, RG_INTERPRET, &cases, &tensors);
    double planned = judge(text, RG_OPTIMIZE, &cases, &tensors);
    rgt_note("%zu cases, %zu tensors; off by %.1e, %.1e\n", cases, tensors, plain, planned);
    RGT_CHECK(cases == 2 * 2 * (sizeof kinds / sizeof *kinds) && tensors > 900);
    RGT_CHECK(plain <= 1e-12 && planned <= 1e-12);
    free(text);
}

RGT_TEST(golden_cells, a_wrong_digit_is_noticed)
{
    static const char *const line[] = { "\nY ", "\nhT ", "\ncT ", "\ndx ", "\ndUi ", "\ndPf ",
                                        "\ndgamma_x ", "\ndproj ", "\ndvf ", "\ndVz " };
    for (size_t k = 0; k < sizeof line / sizeof *line; k++) {
        size_t cases = 0, tensors = 0;
        char *text = golden_load("cells.txt"), *digit = strchr(strstr(text, line[k]), '.') + 6;
        *digit = *digit == '7' ? '3' : '7';
        RGT_CHECK_MSG(judge(text, RG_INTERPRET, &cases, &tensors) > 1e-8, "%s", line[k] + 1);
        free(text);
    }
}
