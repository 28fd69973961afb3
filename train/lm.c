/* train/lm.c -- the character model: embedding or one-hot, cells, dense; public layers only. */
#include "train/lm.h"
#include "train/task.h"

#include "graph/params.h"

#include <retrograd/ops.h>

#include <stdio.h>
#include <string.h>

static int64_t layers_of(const rg_lm_opts *opts)
{
    return opts->layers ? opts->layers : 1;
}

/* Layers 0 .. n-1 as one cell; the group of layer k is `rnn.l<k>`. */
static rg_cell stack(rg_graph *g, const rg_lm_opts *opts)
{
    rg_cell cell[RG_LM_LAYERS];
    char group[16];
    int64_t n = layers_of(opts), I = opts->embed ? opts->embed : opts->V;
    for (int64_t k = 0; k < n; k++) {
        (void)snprintf(group, sizeof group, "rnn.l%d", (int)k);
        cell[k] = (opts->cell ? opts->cell : rg_lstm)(g, group, k ? opts->hidden : I, opts->hidden,
                                                      opts->cell_opts);
    }
    return n == 1 ? cell[0] : rg_stacked(g, cell, (size_t)n, opts->dropout);
}

/* Inputs for the states before the first step, [B, width]. */
static rg_status state_inputs(rg_lm *lm, const rg_cell *cell, int64_t B)
{
    lm->n_state = cell->n_state;
    lm->first = rg_graph_alloc(lm->graph, cell->n_state * sizeof *lm->first);
    lm->last = rg_graph_alloc(lm->graph, cell->n_state * sizeof *lm->last);
    if (!lm->first || !lm->last || !cell->width)
        return rg_graph_status(lm->graph) ? rg_graph_status(lm->graph) : RG_ENOMEM;
    for (size_t k = 0; k < cell->n_state; k++) {
        char name[16];
        (void)snprintf(name, sizeof name, "state%u", (unsigned)k);
        lm->first[k] = rg_input(lm->graph, name, RG_F, RG_SHAPE(B, cell->width[k]));
    }
    return RG_OK;
}

static const char *fault(const rg_lm_opts *o, int64_t T, int64_t B)
{
    return !o ? "no options"
         : o->V < 1 || o->hidden < 1 ? "V and hidden must be at least 1"
         : o->embed < 0 ? "embed must not be negative"
         : o->layers < 0 || o->layers > RG_LM_LAYERS ? "layers must be 1 to 64"
         : !(o->dropout >= 0 && o->dropout < 1) ? "dropout must lie in [0, 1)"
         : T < 1 || B < 1 ? "T and B must be at least 1" : NULL;
}

rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, int64_t T, int64_t B,
                      rg_val **states)
{
    if (!lm || !params)
        return RG_EARG;
    memset(lm, 0, sizeof *lm);
    const char *wrong = fault(opts, T, B);
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "character model: %s", wrong);
    rg_status st = rg_graph_create(&lm->graph, params, NULL);
    if (st)
        return rg_fail(&params->err, st, "character model: no memory for a graph");
    rg_graph *g = lm->graph;
    lm->x = rg_input(g, "x", RG_INT, RG_SHAPE(T, B));
    lm->y = rg_input(g, "y", RG_INT, RG_SHAPE(T, B));
    rg_scope_push(g, "embed", RG_NO_STEP);
    rg_val X = opts->embed ? rg_embedding(lm->x, "embed", opts->V, opts->embed)
                           : rg_one_hot(lm->x, opts->V);
    rg_scope_pop(g);
    rg_cell cell = stack(g, opts);
    st = state_inputs(lm, &cell, B);
    if (st)
        return st;
    rg_unroll_opts unroll = { .states = NULL };
    if (states && !(*states = unroll.states = rg_graph_alloc(g, (size_t)T * lm->n_state *
                                                                    sizeof **states)))
        return rg_graph_status(g);
    rg_val h = rg_unroll(lm->last, &cell, X, lm->first, &unroll);
    if (opts->dropout > 0)
        h = rg_dropout(h, opts->dropout, "out");
    rg_scope_push(g, "out", RG_NO_STEP);
    lm->z = rg_dense(h, "out", opts->V);
    rg_scope_pop(g);
    rg_scope_push(g, "loss", RG_NO_STEP);
    lm->nats = rg_softmax_cross_entropy(lm->z, lm->y);
    lm->loss = rg_mean(lm->nats);
    rg_scope_pop(g);
    return rg_graph_status(g);
}

rg_status rg_lm_create(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, int64_t T, int64_t B)
{
    return rg_lm_build(lm, params, opts, T, B, NULL);
}

rg_status rg_lm_plan(rg_plan **plan, const rg_lm *lm, rg_val value, const rg_plan_opts *opts,
                     rg_err *err)
{
    const size_t n = 1 + lm->n_state;
    rg_plan_opts own = *opts;
    own.mode = RG_EVALUATE;
    own.steady = true;
    if (rg_dim(lm->x, 1) == 1)
        own.threads = 1; /* one row is too little to share */
    rg_val *root = rg_graph_alloc(lm->graph, n * sizeof *root);
    rg_status st = RG_ENOMEM;
    if (root) {
        root[0] = value;
        memcpy(root + 1, lm->last, lm->n_state * sizeof *root);
        st = rg_plan_create(plan, root, n, &own);
    }
    return st ? rg_fail(err, st, "%s", rg_graph_message(lm->graph)) : RG_OK;
}

rg_status rg_lm_bind(rg_plan *plan, const rg_lm *lm, void *x, void *y, size_t bytes, rg_err *err)
{
    rg_status st;
    if ((st = rg_plan_bind(plan, lm->x, x, bytes)) || (st = rg_plan_bind(plan, lm->y, y, bytes)) ||
        (st = rg_plan_carry(plan, lm->last, lm->first, lm->n_state)))
        return rg_fail(err, st, "%s", rg_plan_message(plan));
    return RG_OK;
}

void rg_lm_destroy(rg_lm *lm)
{
    if (!lm)
        return;
    rg_graph_destroy(&lm->graph);
    memset(lm, 0, sizeof *lm);
}

size_t rg_lm_layers(rg_layer_desc *out, rg_lm_names *names, const rg_lm_opts *opts)
{
    const char *kind = rg_cell_kind(opts->cell, opts->cell_opts);
    size_t n = 0;
    for (int64_t k = 0; kind && k < layers_of(opts); k++) {
        (void)snprintf(names->group[k], sizeof names->group[k], "rnn.l%d", (int)k);
        out[n++] = (rg_layer_desc){ .group = names->group[k], .kind = kind, .torch = "rnn",
                                    .layer = (int32_t)k };
    }
    if (opts->embed)
        out[n++] = (rg_layer_desc){ .group = "embed", .kind = "embedding", .torch = "embed" };
    out[n++] = (rg_layer_desc){ .group = "out", .kind = "dense", .torch = "out" };
    return n;
}
