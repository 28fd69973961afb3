/* train/lm.c -- the character model: embedding or one-hot, cells, dense; public layers only. */
#include "train/lm.h"
#include "train/task.h"

#include "graph/graph.h"
#include "graph/params.h"

#include <retrograd/ops.h>

#include <stdio.h>
#include <string.h>

static int64_t layers_of(const rg_lm_opts *opts)
{
    return opts->layers ? opts->layers : 1;
}

/* p if dropout is asked for there, else 0. */
static double drop(const rg_lm_opts *o, unsigned where)
{
    unsigned kinds = o->dropout_kinds ? o->dropout_kinds : RG_DROP_BETWEEN | RG_DROP_OUTPUT;
    return kinds & where ? o->dropout : 0;
}

/* Layers 0 .. n-1 as one cell; the group of layer k is `rnn.l<k>`. */
static rg_cell stack(rg_graph *g, const rg_lm_opts *opts)
{
    rg_cell cell[RG_LM_LAYERS];
    char group[16];
    int64_t n = layers_of(opts), I = opts->embed ? opts->embed : opts->V;
    rg_cell_opts c = opts->cell_opts ? *opts->cell_opts : (rg_cell_opts){ .chrono_T = 0 };
    c.drop_recurrent += drop(opts, RG_DROP_RECURRENT);
    c.drop_weight += drop(opts, RG_DROP_WEIGHT);
    c.drop_candidate += drop(opts, RG_DROP_CANDIDATE);
    for (int64_t k = 0; k < n; k++) {
        (void)snprintf(group, sizeof group, "rnn.l%d", (int)k);
        cell[k] = (opts->cell ? opts->cell : rg_lstm)(g, group, I, opts->hidden, &c);
        if (cell[k].width)
            I = cell[k].width[rg_cell_output(&cell[k])];
    }
    return n == 1 ? cell[0] : rg_stacked(g, cell, (size_t)n, drop(opts, RG_DROP_BETWEEN));
}

/* A share for every state, zoneout[0] for the first of each layer; NULL where there is none. */
static const double *zoneout(rg_graph *g, const rg_lm_opts *o, size_t n_state)
{
    size_t each = n_state / (size_t)layers_of(o);
    if (o->zoneout[0] == 0 && o->zoneout[1] == 0)
        return NULL;
    if (o->zoneout[1] != 0 && each < 2) {
        rg_poison(g, RG_EARG, "character model: zoneout of a second state, but the cell has one");
        return NULL;
    }
    double *p = rg_graph_alloc(g, n_state * sizeof *p);
    for (size_t k = 0; p && k < n_state; k++)
        p[k] = o->zoneout[k % each > 0];
    return p;
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

static const char *fault(const rg_lm_opts *o, const rg_lm_form *f)
{
    return !o ? "no options"
         : o->V < 1 || o->hidden < 1 ? "V and hidden must be at least 1"
         : o->embed < 0 ? "embed must not be negative"
         : o->layers < 0 || o->layers > RG_LM_LAYERS ? "layers must be 1 to 64"
         : !(o->dropout >= 0 && o->dropout < 1) ? "dropout must lie in [0, 1)"
         : o->dropout_kinds & ~(unsigned)RG_DROP_ALL ? "dropout_kinds has unknown bits"
         : !(o->zoneout[0] >= 0 && o->zoneout[0] <= 1 && o->zoneout[1] >= 0 && o->zoneout[1] <= 1)
             ? "zoneout must lie in [0, 1]"
         : o->start < RG_START_CARRIED || o->start > RG_START_RANDOM
             ? "start is no member of rg_start"
         : f->T < 1 || f->B < 1 ? "T and B must be at least 1"
         : f->back < f->T ? "steps of back-propagation must be as many as those of a window"
         : f->back > f->T && o->start ? "more steps of back-propagation than a window has need "
                                        "carried states" : NULL;
}

/* [steps, B, ...]: what the cells read. */
static rg_val inputs(const rg_lm *lm, const rg_lm_opts *o)
{
    rg_scope_push(lm->graph, "embed", RG_NO_STEP);
    rg_val X = o->embed ? rg_embedding(lm->x, "embed", o->V, o->embed) : rg_one_hot(lm->x, o->V);
    X = rg_embedding_dropout(X, lm->x, "embed", o->V, drop(o, RG_DROP_EMBEDDING));
    X = rg_dropout_locked(X, drop(o, RG_DROP_INPUT), "input");
    rg_scope_pop(lm->graph);
    return X;
}

/* Outputs [steps, B, H]; lm->last becomes the state from which the next window starts, which is the
 * one after T steps of it: before `back` steps of the next. */
static rg_val recur(rg_lm *lm, const rg_cell *cell, const rg_lm_opts *o, rg_lm_form *f)
{
    rg_graph *g = lm->graph;
    size_t n = lm->n_state;
    rg_unroll_opts run = { .mask = lm->mask, .zoneout = zoneout(g, o, n) };
    if (!(f->states = run.states = rg_graph_alloc(g, (size_t)f->back * n * sizeof *run.states)))
        return (rg_val){ .graph = g };
    const rg_val *start = o->start == RG_START_LEARNED && !f->stream
                              ? rg_lm_learned(lm, cell) : lm->first;
    rg_val h = rg_unroll(NULL, cell, inputs(lm, o), start, &run);
    memcpy(lm->last, f->states + (size_t)(f->T - 1) * n, n * sizeof *lm->last);
    return rg_dropout(h, drop(o, RG_DROP_OUTPUT), "out");
}

rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, rg_lm_form *f)
{
    if (!lm || !params)
        return RG_EARG;
    memset(lm, 0, sizeof *lm);
    f->back = f->back ? f->back : f->T;
    const char *wrong = fault(opts, f);
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "character model: %s", wrong);
    rg_status st = rg_graph_create(&lm->graph, params, NULL);
    if (st)
        return rg_fail(&params->err, st, "character model: no memory for a graph");
    rg_graph *g = lm->graph;
    lm->x = rg_input(g, "x", RG_INT, RG_SHAPE(f->back, f->B));
    lm->y = rg_input(g, "y", RG_INT, RG_SHAPE(f->back, f->B));
    if (f->back > f->T)
        lm->mask = rg_input(g, "mask", RG_BOOL, RG_SHAPE(f->back, f->B));
    rg_cell cell = stack(g, opts);
    if ((st = state_inputs(lm, &cell, f->B)))
        return st;
    rg_val h = recur(lm, &cell, opts, f);
    rg_scope_push(g, "out", RG_NO_STEP);
    lm->z = rg_dense(h, "out", opts->V);
    rg_scope_pop(g);
    rg_scope_push(g, "loss", RG_NO_STEP);
    lm->nats = rg_softmax_cross_entropy(lm->z, lm->y);
    lm->loss = rg_mean(f->back > f->T ? rg_slice(lm->nats, 0, f->back - f->T, f->back) : lm->nats);
    rg_scope_pop(g);
    return rg_graph_status(g);
}

rg_status rg_lm_create(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, int64_t T, int64_t B)
{
    return rg_lm_build(lm, params, opts, &(rg_lm_form){ .T = T, .B = B });
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
