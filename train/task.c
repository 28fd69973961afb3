/* train/task.c -- models of sequences: features, layers in one or both directions, what is read of
 * them, loss. Public layers only. */
#include "train/task.h"

#include "graph/params.h"

#include <retrograd/ops.h>

#include <string.h>

rg_body rg_task_body(const rg_task_opts *o)
{
    return (rg_body){ .cell = o->cell, .cell_opts = o->cell_opts, .embed = o->embed,
                      .hidden = o->hidden, .layers = o->layers, .both = o->bidirectional,
                      .dropout = o->dropout, .kinds = o->dropout_kinds,
                      .zoneout = { o->zoneout[0], o->zoneout[1] }, .start = o->start };
}

static const char *decoder_fault(const rg_task_opts *o)
{
    return o->task != RG_SEQ2SEQ
             ? o->scheduled != 0 ? "scheduled sampling is for sequence to sequence" : NULL
         : !(o->scheduled >= 0 && o->scheduled < 1) ? "scheduled must lie in [0, 1)"
         : o->attention > RG_ATTEND_NONE || o->decoder < 0
             ? "no such attention, or a negative width of the decoder"
         : o->begin < 0 || o->begin >= o->outputs || o->end < 0 || o->end >= o->outputs
             ? "begin and end are symbols below outputs" : NULL;
}

static const char *back_fault(const rg_task_opts *o)
{
    return !o->back ? NULL
         : o->back < 0 ? "back must be 0 or more"
         : o->task == RG_CLASSIFY || o->task == RG_SEQ2SEQ
             ? "back is for tags and forecasts: a class and a sequence are said of whole rows, "
               "which end at different steps" : NULL;
}

const char *rg_task_fault(const rg_task_opts *o)
{
    if (!o)
        return "no options";
    const rg_body body = rg_task_body(o);
    const char *wrong = o->task > RG_SEQ2SEQ ? "no such task"
         : o->symbols < 0 || o->features < 0 || (o->symbols > 0) == (o->features > 0)
             ? "inputs are either symbols or features, at least 1"
         : o->embed < 0 || (o->embed && !o->symbols) ? "embed is a width of symbols' vectors"
         : o->outputs < 1 || o->hidden < 1 ? "outputs and hidden must be at least 1"
         : o->readout > RG_READ_ATTENTION ? "no such readout"
         : o->readout && (o->task == RG_TAG || o->task == RG_SEQ2SEQ)
             ? "only a class and a forecast have a readout" : decoder_fault(o);
    wrong = wrong ? wrong : back_fault(o);
    return wrong ? wrong : rg_body_fault(&body);
}

/* ---- Layers --------------------------------------------------------------------------------- */

rg_encoded rg_task_encode(rg_val x, rg_val mask, bool still, const rg_task_opts *o)
{
    rg_graph *g = x.graph;
    const rg_body b = rg_task_body(o);
    const size_t cells = rg_body_count(&b), directions = b.both ? 2 : 1;
    rg_val X = rg_body_read(x, "embed", o->symbols, &b);
    const rg_cell *cell = rg_body_cells(g, rg_dim(X, 2), &b);
    const size_t n = cell ? cell[0].n_state : 0; /* all cells are of one kind */
    rg_val *all = rg_graph_alloc(g, cells * n * sizeof *all);
    if (!cell || !all)
        return (rg_encoded){ .Y = { .graph = g } };
    const rg_val *s0 = rg_body_start(g, &b, cell, cells, rg_dim(X, 1), still);
    const rg_layers_opts run = { .mask = mask, .bidirectional = b.both, .back = o->back,
                                 .between = rg_body_drop(&b, RG_DROP_BETWEEN),
                                 .zoneout = rg_body_zoneout(g, &b, n, cells) };
    rg_val Y = rg_layers(all, cell, cells / directions, X, s0, &run);
    return (rg_encoded){ Y, all + (cells - directions) * n, n };
}

/* [B,D]: the topmost layer's final outputs, [fwd ; bwd]. */
static rg_val final_state(const rg_encoded *from, const rg_task_opts *opts)
{
    const rg_val *last = from->last;
    if (!last)
        return RG_NONE;
    return opts->bidirectional ? rg_concat((rg_val[]){ last[0], last[from->n] }, 2, -1) : last[0];
}

/* [B,D] of the outputs Y [T,B,D]. */
static rg_val read_out(rg_val Y, rg_val last, rg_val mask, const rg_task_opts *opts)
{
    switch (opts->readout) {
    case RG_READ_MEAN:
        return rg_pool_mean(Y, mask);
    case RG_READ_MAX:
        return rg_pool_max(Y, mask);
    case RG_READ_ATTENTION:
        return rg_pool_attention(NULL, Y, mask, "read", opts->hidden);
    default:
        return last;
    }
}

/* ---- The graph ------------------------------------------------------------------------------ */

static void declare_inputs(rg_task_model *m, const rg_task_opts *o, int64_t T, int64_t B)
{
    rg_graph *g = m->graph;
    rg_shape target = o->task == RG_CLASSIFY ? RG_SHAPE(B)
                    : o->task == RG_FORECAST ? RG_SHAPE(B, o->outputs) : RG_SHAPE(T, B);
    m->x = o->symbols ? rg_input(g, "x", RG_INT, RG_SHAPE(T, B))
                      : rg_input(g, "x", RG_F, RG_SHAPE(T, B, o->features));
    m->mask = rg_input(g, "mask", RG_BOOL, RG_SHAPE(T, B));
    m->y = rg_input(g, "y", o->task == RG_FORECAST ? RG_F : RG_INT, target);
    m->counts = rg_input(g, "counts", RG_BOOL, target);
}

/* (z - y)², 0 where no value is known, which then may be NaN. */
static rg_val squared_error(const rg_task_model *m)
{
    rg_val zero = rg_const(m->graph, 0);
    return rg_square(rg_sub(rg_where(m->counts, m->z, zero), rg_where(m->counts, m->y, zero)));
}

/* z = d(h)·W + b; without b over Luong's a_t. */
rg_val rg_task_out(rg_val h, const rg_task_opts *o)
{
    rg_graph *g = h.graph;
    const rg_body b = rg_task_body(o);
    const bool luong = o->task == RG_SEQ2SEQ && o->attention != RG_ATTEND_ADDITIVE &&
                       o->attention != RG_ATTEND_NONE;
    h = rg_dropout(h, rg_body_drop(&b, RG_DROP_OUTPUT), "out");
    if (!luong || !h.id)
        return rg_dense(h, "out", o->outputs);
    return rg_matmul(h, rg_param(g, "out", "W", RG_SHAPE(rg_dim(h, -1), o->outputs),
                                 rg_init_glorot()));
}

static rg_val outputs(const rg_task_model *m, const rg_task_opts *o, bool still)
{
    rg_graph *g = m->graph;
    const rg_encoded from = rg_task_encode(m->x, m->mask, still, o);
    rg_val h = from.Y;
    if (o->task == RG_SEQ2SEQ)
        return rg_task_teach(&from, m->mask, m->y, still, o);
    rg_scope_push(g, "out", RG_NO_STEP);
    if (o->task == RG_CLASSIFY || o->task == RG_FORECAST)
        h = read_out(h, final_state(&from, o), m->mask, o);
    rg_val z = rg_task_out(h, o);
    rg_scope_pop(g);
    return z;
}

rg_status rg_task_build(rg_task_model *m, rg_graph *g, const rg_task_opts *o, rg_task_form form)
{
    *m = (rg_task_model){ .graph = g };
    declare_inputs(m, o, form.T, form.B);
    m->z = outputs(m, o, form.still);
    rg_scope_push(g, "loss", RG_NO_STEP);
    m->each = o->task == RG_FORECAST ? squared_error(m) : rg_softmax_cross_entropy(m->z, m->y);
    m->loss = rg_masked_mean(m->each, m->counts);
    rg_scope_pop(g);
    return rg_graph_status(g);
}

rg_status rg_task_create(rg_task_model *model, rg_params *params, const rg_task_opts *opts,
                         int64_t T, int64_t B)
{
    if (!model || !params)
        return RG_EARG;
    memset(model, 0, sizeof *model);
    const char *wrong = rg_task_fault(opts);
    if (!wrong && (T < 1 || B < 1))
        wrong = "T and B must be at least 1";
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "task model: %s", wrong);
    rg_status st = rg_graph_create(&model->graph, params, NULL);
    if (st)
        return rg_fail(&params->err, st, "task model: no memory for a graph");
    return rg_task_build(model, model->graph, opts, (rg_task_form){ T, B, false });
}

void rg_task_destroy(rg_task_model *model)
{
    if (!model)
        return;
    rg_graph_destroy(&model->graph);
    memset(model, 0, sizeof *model);
}

/* ---- For files ------------------------------------------------------------------------------ */

size_t rg_task_layers(rg_layer_desc *out, rg_body_names *names, const rg_task_opts *opts)
{
    const rg_body body = rg_task_body(opts);
    const char *kind = rg_cell_kind(opts->cell, opts->cell_opts);
    size_t n = rg_body_layers(out, names, &body);
    if (kind && opts->task == RG_SEQ2SEQ)
        out[n++] = (rg_layer_desc){ .group = "dec", .kind = kind, .torch = "dec" };
    if (opts->embed && opts->task == RG_SEQ2SEQ)
        out[n++] = (rg_layer_desc){ .group = "target", .kind = "embedding", .torch = "target" };
    out[n++] = (rg_layer_desc){ .group = "out", .kind = "dense", .torch = "out" };
    return n;
}
