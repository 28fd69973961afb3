/* train/lm.c -- the character model: embedding or one-hot, cells, dense; public layers only. */
#include "train/lm.h"

#include "graph/graph.h"
#include "graph/params.h"

#include <retrograd/ops.h>

#include <stdio.h>
#include <string.h>

static rg_body body_of(const rg_lm_opts *o)
{
    return (rg_body){ .cell = o->cell, .cell_opts = o->cell_opts, .embed = o->embed,
                      .hidden = o->hidden, .layers = o->layers, .dropout = o->dropout,
                      .kinds = o->dropout_kinds, .zoneout = { o->zoneout[0], o->zoneout[1] },
                      .start = o->start };
}

/* All layers as one cell. */
static rg_cell stack(rg_graph *g, const rg_lm_opts *o, const rg_body *b)
{
    const rg_cell *cell = rg_body_cells(g, o->embed ? o->embed : o->V, b);
    const size_t n = rg_body_count(b);
    return cell && n == 1 ? cell[0]
                          : rg_stacked(g, cell, n, rg_body_drop(b, RG_DROP_BETWEEN));
}

/* Inputs for the states before the first step, [B, width]. */
static rg_status state_inputs(rg_lm *lm, const rg_cell *cell, int64_t B)
{
    lm->n_state = cell->n_state;
    lm->first = rg_graph_alloc(lm->graph, cell->n_state * sizeof *lm->first);
    lm->last = rg_graph_alloc(lm->graph, cell->n_state * sizeof *lm->last);
    double *start = rg_graph_alloc(lm->graph, cell->n_state * sizeof *start);
    lm->start = start;
    if (!lm->first || !lm->last || !start || !cell->width)
        return rg_graph_status(lm->graph) ? rg_graph_status(lm->graph) : RG_ENOMEM;
    for (size_t k = 0; k < cell->n_state; k++) {
        char name[16];
        (void)snprintf(name, sizeof name, "state%u", (unsigned)k);
        lm->first[k] = rg_input(lm->graph, name, RG_F, RG_SHAPE(B, cell->width[k]));
        start[k] = rg_cell_start(cell, k);
    }
    return RG_OK;
}

static const char *fault(const rg_lm_opts *o, const rg_body *b, const rg_lm_form *f)
{
    const char *wrong = o->V < 1 || o->hidden < 1 ? "V and hidden must be at least 1"
                                                  : rg_body_fault(b);
    return wrong ? wrong
         : f->T < 1 || f->B < 1 ? "T and B must be at least 1"
         : f->back < f->T ? "steps of back-propagation must be as many as those of a window"
         : f->back > f->T && o->start ? "more steps of back-propagation than a window has need "
                                        "carried states" : NULL;
}

/* Outputs [steps, B, H]; lm->last becomes the state from which the next window starts, which is the
 * one after T steps of it: before `back` steps of the next. */
static rg_val recur(rg_lm *lm, const rg_cell *cell, const rg_lm_opts *o, const rg_body *b,
                    rg_lm_form *f)
{
    rg_graph *g = lm->graph;
    const size_t n = lm->n_state, layers = rg_body_count(b);
    rg_unroll_opts run = { .mask = lm->mask, .zoneout = rg_body_zoneout(g, b, n / layers, layers) };
    if (!(f->states = run.states = rg_graph_alloc(g, (size_t)f->back * n * sizeof *run.states)))
        return (rg_val){ .graph = g };
    const rg_val *start = o->start == RG_START_LEARNED && !f->stream
                              ? rg_body_start(g, b, cell, 1, f->B, false) : lm->first;
    rg_val h = rg_unroll(NULL, cell, rg_body_read(lm->x, "embed", o->V, b), start, &run);
    memcpy(lm->last, f->states + (size_t)(f->T - 1) * n, n * sizeof *lm->last);
    return rg_dropout(h, rg_body_drop(b, RG_DROP_OUTPUT), "out");
}

rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, rg_lm_form *f)
{
    if (!lm || !params)
        return RG_EARG;
    memset(lm, 0, sizeof *lm);
    f->back = f->back ? f->back : f->T;
    const rg_body body = opts ? body_of(opts) : (rg_body){ .layers = 0 };
    const char *wrong = opts ? fault(opts, &body, f) : "no options";
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
    rg_cell cell = stack(g, opts, &body);
    if ((st = state_inputs(lm, &cell, f->B)))
        return st;
    rg_val h = recur(lm, &cell, opts, &body, f);
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

size_t rg_lm_layers(rg_layer_desc *out, rg_body_names *names, const rg_lm_opts *opts)
{
    const rg_body body = body_of(opts);
    size_t n = rg_body_layers(out, names, &body);
    out[n++] = (rg_layer_desc){ .group = "out", .kind = "dense", .torch = "out" };
    return n;
}
