/* io/layers.c -- kinds of layers, and how a group of parameters shows which it is. */
#include "io/layers.h"

#include <string.h>

const rg_layer_kind rg_layer_lstm = { "lstm", 4, { "i", "f", "c", "o" }, false };
const rg_layer_kind rg_layer_lstm_proj = { "lstm-proj", 4, { "i", "f", "c", "o" }, true };
const rg_layer_kind rg_layer_gru = { "gru", 3, { "r", "u", "g" }, false };
const rg_layer_kind rg_layer_gru_after = { "gru-after", 3, { "r", "u", "g" }, false };
const rg_layer_kind rg_layer_rnn = { "rnn", 1, { "" }, false };
const rg_layer_kind rg_layer_rnn_relu = { "rnn-relu", 1, { "" }, false };
const rg_layer_kind rg_layer_dense = { "dense", 0, { NULL }, false };
const rg_layer_kind rg_layer_embedding = { "embedding", 0, { NULL }, false };

static const rg_layer_kind *const kinds[] = {
    &rg_layer_lstm, &rg_layer_lstm_proj, &rg_layer_gru, &rg_layer_gru_after, &rg_layer_rnn,
    &rg_layer_rnn_relu, &rg_layer_dense, &rg_layer_embedding
};

const rg_layer_kind *rg_layer_kind_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

static const char *const biases[] = { "none", "single", "split", "double" };

const char *rg_layer_bias_text(rg_layer_bias bias)
{
    return biases[bias];
}

rg_layer_bias rg_layer_bias_find(const char *text)
{
    int b = 0;
    while (b < RG_LAYER_BIASES && !(text && strcmp(biases[b], text) == 0))
        b++;
    return (rg_layer_bias)b;
}

/* ---- Groups ---------------------------------------------------------------------------------- */

size_t rg_group_bytes(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* The slot's name below its group. */
static const char *leaf(const rg_group *g, size_t i)
{
    const char *name = g->slot[i]->name;
    return name + g->name_bytes + (name[g->name_bytes] == '.');
}

rg_slot *rg_group_slot(const rg_group *g, const char *stem, const char *suffix)
{
    size_t n = strlen(stem);
    for (size_t i = 0; i < g->n; i++)
        if (strncmp(leaf(g, i), stem, n) == 0 && strcmp(leaf(g, i) + n, suffix) == 0)
            return g->slot[i];
    return NULL;
}

static bool is_vector(const rg_slot *s, int64_t n)
{
    return s->shape.rank == 1 && s->shape.dim[0] == n;
}

static bool is_matrix(const rg_slot *s, int64_t rows, int64_t cols)
{
    return s->shape.rank == 2 && s->shape.dim[0] == rows && s->shape.dim[1] == cols;
}

static bool fits_recurrent(rg_layer_bias *bias, const rg_layer_kind *kind, const rg_group *g)
{
    int b = 0, bh = 0;
    const rg_slot *first = rg_group_slot(g, "U", kind->gate[0]);
    if (!first || first->shape.rank != 2)
        return false;
    int64_t I = first->shape.dim[0], H = first->shape.dim[1], R = H;
    const rg_slot *proj = kind->proj ? rg_group_slot(g, "proj", "") : NULL;
    if (proj && proj->shape.rank == 2)
        R = proj->shape.dim[1]; /* rows of W */
    if (kind->proj && (!proj || !is_matrix(proj, H, R)))
        return false;
    for (int k = 0; k < kind->gates; k++) {
        const rg_slot *U = rg_group_slot(g, "U", kind->gate[k]);
        const rg_slot *W = rg_group_slot(g, "W", kind->gate[k]);
        const rg_slot *one = rg_group_slot(g, "b", kind->gate[k]);
        const rg_slot *two = rg_group_slot(g, "bh", kind->gate[k]);
        if (!U || !W || !is_matrix(U, I, H) || !is_matrix(W, R, H) || (one && !is_vector(one, H)) ||
            (two && !is_vector(two, H)))
            return false;
        b += one != NULL;
        bh += two != NULL;
    }
    bool split = kind == &rg_layer_gru_after && bh == 1 && rg_group_slot(g, "bh", "g");
    *bias = b == 0 ? RG_LAYER_NONE : bh == 0 ? RG_LAYER_SINGLE : split ? RG_LAYER_SPLIT
                                                                      : RG_LAYER_DOUBLE;
    size_t arrays = (size_t)(2 * kind->gates + b + bh + kind->proj);
    return g->n == arrays && (b == 0 ? bh == 0 : b == kind->gates) &&
           (bh == 0 || split || bh == kind->gates);
}

bool rg_layer_fits(rg_layer_bias *bias, const rg_layer_kind *kind, const rg_group *g)
{
    if (g->n == 0 || g->n > 4 * RG_MAX_GATES + 1) /* and a projection */
        return false;
    for (size_t i = 0; i < g->n; i++)
        if (g->slot[i]->dtype != g->slot[0]->dtype || g->slot[i]->dtype > RG_F64)
            return false;
    if (kind->gates > 0)
        return fits_recurrent(bias, kind, g);
    const rg_slot *W = rg_group_slot(g, kind == &rg_layer_dense ? "W" : "E", "");
    const rg_slot *b = kind == &rg_layer_dense ? rg_group_slot(g, "b", "") : NULL;
    *bias = b ? RG_LAYER_SINGLE : RG_LAYER_NONE;
    return W && W->shape.rank == 2 && g->n == (b ? 2 : 1) && (!b || is_vector(b, W->shape.dim[1]));
}

const rg_layer_kind *rg_layer_guess(rg_layer_bias *bias, bool *gru, const rg_group *g)
{
    static const rg_layer_kind *const sure[] = {
        &rg_layer_lstm, &rg_layer_lstm_proj, &rg_layer_rnn, &rg_layer_dense, &rg_layer_embedding
    };
    *gru = rg_layer_fits(bias, &rg_layer_gru_after, g);
    if (*gru)
        return *bias == RG_LAYER_SPLIT ? &rg_layer_gru_after : NULL;
    for (size_t i = 0; i < sizeof sure / sizeof *sure; i++)
        if (rg_layer_fits(bias, sure[i], g) &&
            (sure[i] != &rg_layer_dense || *bias != RG_LAYER_NONE))
            return sure[i];
    return NULL;
}
