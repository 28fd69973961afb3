/* tests/layers/lab.c -- the laboratory: data by name, a run in one call, comparisons. */
#include "tests/layers/lab.h"

#include "base/philox.h"
#include "base/real.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const lab_cell lab_cells[] = {
    { "rnn", rg_rnn, { .bias = RG_BIAS_SINGLE }, 1, 0 },
    { "rnn relu", rg_rnn, { .nonlinearity = RG_RELU }, 1, LAB_RELU },
    [LAB_GRU] = { "gru", rg_gru, { .bias = RG_BIAS_SINGLE }, 1, 0 },
    { "gru after", rg_gru, { .reset_after = true, .bias = RG_BIAS_SPLIT }, 1, 0 },
    { "gru take", rg_gru, { .update_take = true, .bias = RG_BIAS_DOUBLE }, 1, 0 },
    [LAB_LSTM] = { "lstm", rg_lstm, { .bias = RG_BIAS_SINGLE }, 2, 0 },
    { "lstm founding", rg_lstm, { .bias = RG_BIAS_NONE }, 2, 0 },
    { "lstm peephole", rg_lstm, { .peephole = true }, 2, 0 },
    { "lstm coupled", rg_lstm, { .coupled = RG_KEEP_F, .peephole = true }, 2, 0 },
    { "lstm coupled i", rg_lstm, { .coupled = RG_KEEP_I, .bias = RG_BIAS_DOUBLE }, 2, 0 },
    { "lstm proj", rg_lstm, { .proj = 3, .peephole = true }, 2, 0 },
    { "lstm clip", rg_lstm, { .cell_clip = 0.6 }, 2, 0 },
    { "lstm ba", rg_lstm, { .norm = RG_NORM_BA }, 2, LAB_NORM },
    { "lstm haste", rg_lstm, { .norm = RG_NORM_HASTE, .coupled = RG_KEEP_I }, 2, LAB_NORM },
    { "lstm tf_contrib", rg_lstm, { .norm = RG_NORM_TF_CONTRIB }, 2, LAB_NORM },
    { "lstm addons", rg_lstm, { .norm = RG_NORM_ADDONS, .norm_eps = 1e-3 }, 2, LAB_NORM },
    { "lstm of everything", rg_lstm,
      { .coupled = RG_KEEP_I, .peephole = true, .proj = 3, .norm = RG_NORM_BA, .cell_clip = 0.9,
        .bias = RG_BIAS_DOUBLE, .init = RG_INIT_KERAS }, 2, LAB_NORM },
    { "rnn clip", rg_rnn, { .preact_clip = 0.8 }, 1, 0 },
    { "gru clip", rg_gru, { .preact_clip = 0.5, .reset_after = true }, 1, 0 },
    { "gru ba", rg_gru, { .norm = RG_NORM_BA, .reset_after = true, .update_take = true }, 1,
      LAB_NORM },
    { "lstm preact clip", rg_lstm, { .preact_clip = 0.5, .peephole = true }, 2, 0 },
    { "mgu", rg_mgu, { .bias = RG_BIAS_SINGLE }, 1, 0 },
    { "janet", rg_janet, { .bias = RG_BIAS_DOUBLE }, 1, 0 },
    { "mingru", rg_mingru, { .bias = RG_BIAS_SINGLE }, 1, 0 },
    { "mingru log", rg_mingru, { .log_form = true }, 1, 0 },
    { "minlstm", rg_minlstm, { .bias = RG_BIAS_NONE }, 1, 0 },
    { "indrnn", rg_indrnn, { .bias = RG_BIAS_SINGLE }, 1, LAB_RELU },
    { "sru", rg_sru, { .bias = RG_BIAS_SINGLE }, 2, LAB_UNREAD | LAB_SIDE },
    { "sru v1", rg_sru, { .sru_v1 = true }, 2, LAB_UNREAD | LAB_SIDE },
    { "qrnn", rg_qrnn, { .bias = RG_BIAS_SINGLE }, 3, LAB_UNREAD | LAB_SIDE },
    { "qrnn f", rg_qrnn, { .pool = RG_POOL_F }, 2, LAB_SIDE },
    { "qrnn 1", rg_qrnn, { .window = 1, .bias = RG_BIAS_DOUBLE }, 2, LAB_UNREAD | LAB_SIDE },
    { "qrnn 4", rg_qrnn, { .window = 4 }, 3, LAB_UNREAD | LAB_SIDE },
    { "qrnn ifo", rg_qrnn, { .pool = RG_POOL_IFO }, 3, LAB_UNREAD | LAB_SIDE },
};
const size_t lab_n_cells = sizeof lab_cells / sizeof *lab_cells;

void lab_open(lab *l, rg_dtype real)
{
    l->real = real;
    l->effort = RG_INTERPRET;
    RGT_CHECK(rg_params_create(&l->ps, l->seed, &(rg_params_opts){ .real = real }) == RG_OK);
    RGT_CHECK(rg_graph_create(&l->g, l->ps, NULL) == RG_OK);
}

void lab_close(lab *l)
{
    rg_plan_destroy(&l->plan);
    rg_graph_destroy(&l->g);
    rg_params_destroy(&l->ps);
    for (size_t i = 0; i < l->n_input; i++)
        free(l->input[i].data);
    l->n_input = 0;
}

double lab_draw(uint64_t seed, const char *name, size_t i)
{
    return 2 * rg_draw_uniform(seed, RG_DOMAIN_USER, rg_stream_tail(rg_fnv1a(name), 0), i) - 1;
}

static lab_input *add(lab *l, const char *name, rg_kind kind, rg_shape shape, size_t item)
{
    RGT_CHECK(l->n_input < LAB_INPUTS);
    lab_input *in = &l->input[l->n_input++];
    in->v = rg_input(l->g, name, kind, shape);
    in->bytes = (size_t)rg_shape_count(shape) * item;
    in->data = calloc(in->bytes + 1, 1);
    RGT_CHECK(in->data);
    return in;
}

static void put(const lab *l, void *data, size_t i, double x)
{
    if (l->real == RG_F64)
        ((double *)data)[i] = x;
    else
        ((float *)data)[i] = (float)x;
}

static size_t real_size(const lab *l)
{
    return l->real == RG_F64 ? sizeof(double) : sizeof(float);
}

rg_val lab_drawn(lab *l, const char *name, rg_shape shape)
{
    lab_input *in = add(l, name, RG_F, shape, real_size(l));
    for (size_t i = 0; i < in->bytes / real_size(l); i++)
        put(l, in->data, i, lab_draw(l->seed, name, i));
    return in->v;
}

rg_val lab_given(lab *l, const char *name, rg_shape shape, const double *data)
{
    lab_input *in = add(l, name, RG_F, shape, real_size(l));
    for (size_t i = 0; i < in->bytes / real_size(l); i++)
        put(l, in->data, i, data[i]);
    return in->v;
}

rg_val lab_bits(lab *l, const char *name, rg_kind kind, rg_shape shape, const void *data)
{
    lab_input *in = add(l, name, kind, shape, kind == RG_INT ? sizeof(int32_t) : 1);
    memcpy(in->data, data, in->bytes);
    return in->v;
}

rg_val lab_start(lab *l, const rg_cell *cell, size_t k, int64_t rows)
{
    static const char *const name[LAB_STATES] = { "h0", "c0", "p0" };
    return lab_drawn(l, name[k], RG_SHAPE(rows, cell->width[k]));
}

rg_val lab_cotangent(lab *l, const rg_cell *cell, size_t k, int64_t rows)
{
    static const char *const name[LAB_STATES] = { "gh", "gc", "gp" };
    return lab_drawn(l, name[k], RG_SHAPE(rows, cell->width[k]));
}

void lab_poke(lab *l, rg_val input, size_t i, double x)
{
    for (size_t k = 0; k < l->n_input; k++)
        if (l->input[k].v.id == input.id)
            put(l, l->input[k].data, i, x);
}

void lab_fill(lab *l, double scale)
{
    const rg_init init = rg_init_uniform(scale);
    for (size_t i = 0; i < rg_params_count(l->ps); i++) {
        rg_param_info p = rg_params_at(l->ps, i);
        size_t n = (size_t)rg_shape_count(p.shape);
        double *w = calloc(n + 1, sizeof *w);
        RGT_CHECK(w && init.fill(&init, w, p.shape, l->seed, p.name) == RG_OK);
        for (size_t k = 0; k < n; k++)
            put(l, p.data, k, w[k]);
        free(w);
    }
}

double *lab_param(lab *l, const char *name, size_t *n)
{
    rg_param_info p = rg_params_find(l->ps, name);
    RGT_CHECK_MSG(p.data && p.dtype == RG_F64, "no %s", name);
    if (n)
        *n = (size_t)rg_shape_count(p.shape);
    return p.data;
}

void lab_set(lab *l, const char *name, double c)
{
    size_t n;
    double *w = lab_param(l, name, &n);
    for (size_t i = 0; i < n; i++)
        w[i] = c;
}

bool lab_all(lab *l, const char *name, double c)
{
    size_t n, equal = 0;
    double *w = lab_param(l, name, &n);
    for (size_t i = 0; i < n; i++)
        equal += w[i] == c;
    return equal == n;
}

rg_val lab_off(rg_val a, rg_val b)
{
    return rg_sum(rg_abs(rg_sub(a, b)));
}

void lab_says(const rg_graph *g, rg_status status, const char *says)
{
    RGT_CHECK_MSG(rg_graph_status(g) == status && rgt_has(rg_graph_message(g), says),
                  "%d '%s', expected %d '%s'", rg_graph_status(g), rg_graph_message(g), status,
                  says);
}

void lab_again(lab *l)
{
    for (size_t i = 0; i < l->n_input; i++)
        (void)rg_plan_bind(l->plan, l->input[i].v, l->input[i].data, l->input[i].bytes);
    RGT_CHECK_MSG(rg_plan_run(l->plan) == RG_OK, "%s", rg_plan_message(l->plan));
}

void lab_run(lab *l, const rg_val *roots, size_t n)
{
    rg_plan_destroy(&l->plan);
    rg_status st = rg_plan_create(&l->plan, roots, n,
                                  &(rg_plan_opts){ .real = l->real, .effort = l->effort });
    RGT_CHECK_MSG(st == RG_OK, "%s", rg_graph_message(l->g));
    lab_again(l);
}

double *lab_read(lab *l, rg_val v, size_t *count)
{
    size_t n = (size_t)rg_shape_count(rg_shape_of(v));
    const void *data = rg_plan_data(l->plan, v);
    double *out = calloc(n + 1, sizeof *out);
    RGT_CHECK_MSG(data && out, "%s", rg_plan_message(l->plan));
    for (size_t i = 0; i < n; i++)
        out[i] = rg_real_at(data, l->real, i);
    if (count)
        *count = n;
    return out;
}

bool lab_same(lab *a, rg_val x, lab *b, rg_val y)
{
    size_t n, m;
    double *p = lab_read(a, x, &n), *q = lab_read(b, y, &m);
    bool same = n == m && memcmp(p, q, n * sizeof *p) == 0;
    free(p);
    free(q);
    return same;
}

void lab_keep(lab *l, const rg_val *root, size_t n, double **was)
{
    for (size_t k = 0; k < n; k++)
        was[k] = lab_read(l, root[k], NULL);
}

bool lab_kept(lab *l, const rg_val *root, size_t n, double *const *was)
{
    bool same = true;
    for (size_t k = 0; k < n; k++) {
        size_t count;
        double *is = lab_read(l, root[k], &count);
        same = same && memcmp(is, was[k], count * sizeof *is) == 0;
        free(is);
    }
    return same;
}

void lab_forget(double **was, size_t n)
{
    for (size_t k = 0; k < n; k++)
        free(was[k]);
}

size_t lab_nonzero(lab *l, rg_val v)
{
    size_t n, some = 0;
    double *x = lab_read(l, v, &n);
    for (size_t e = 0; e < n; e++)
        some += x[e] != 0;
    free(x);
    return some;
}

double lab_apart(lab *a, rg_val x, lab *b, rg_val y)
{
    size_t n, m;
    double *p = lab_read(a, x, &n), *q = lab_read(b, y, &m), worst = 0, scale = 0;
    RGT_CHECK(n == m);
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(p[i] - q[i]));
        scale = fmax(scale, fabs(q[i]));
        if (isnan(p[i]) || isnan(q[i]))
            worst = INFINITY;
    }
    free(p);
    free(q);
    return scale > 0 ? worst / scale : worst;
}
