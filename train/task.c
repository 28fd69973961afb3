/* train/task.c -- models of sequences: features, layers in one or both directions, what is read of
 * them, loss. Public layers only. */
#include "train/task.h"

#include "graph/params.h"

#include <retrograd/ops.h>

#include <stdio.h>
#include <string.h>

static int64_t layers_of(const rg_task_opts *opts)
{
    return opts->layers ? opts->layers : 1;
}

const char *rg_task_fault(const rg_task_opts *o)
{
    return !o ? "no options"
         : o->task > RG_SEQ2SEQ ? "no such task"
         : o->symbols < 0 || o->features < 0 || (o->symbols > 0) == (o->features > 0)
             ? "inputs are either symbols or features, at least 1"
         : o->embed < 0 || (o->embed && !o->symbols) ? "embed is a width of symbols' vectors"
         : o->outputs < 1 || o->hidden < 1 ? "outputs and hidden must be at least 1"
         : o->layers < 0 || o->layers > RG_TASK_LAYERS ? "layers must be 1 to 64"
         : o->readout > RG_READ_ATTENTION ? "no such readout"
         : o->readout && (o->task == RG_TAG || o->task == RG_SEQ2SEQ)
             ? "only a class and a forecast have a readout"
         : o->task == RG_SEQ2SEQ && (o->attention > RG_ATTEND_NONE || o->decoder < 0)
             ? "no such attention, or a negative width of the decoder"
         : o->task == RG_SEQ2SEQ && (o->begin < 0 || o->begin >= o->outputs || o->end < 0 ||
                                     o->end >= o->outputs)
             ? "begin and end are symbols below outputs"
         : !(o->dropout >= 0 && o->dropout < 1) ? "dropout must lie in [0, 1)" : NULL;
}

/* ---- Layers --------------------------------------------------------------------------------- */

/* `rnn.l<k>`, or with a direction behind it. */
static void group_name(char out[16], int64_t layer, const rg_task_opts *opts, bool backward)
{
    (void)snprintf(out, 16, "rnn.l%d%s", (int)layer,
                   !opts->bidirectional ? "" : backward ? ".bwd" : ".fwd");
}

/* The cells of all layers, each layer's directions side by side; widths of what they read follow
 * from the cells below. */
static rg_cell *declare_cells(rg_graph *g, const rg_task_opts *opts, int64_t I)
{
    const size_t directions = opts->bidirectional ? 2 : 1, n = (size_t)layers_of(opts) * directions;
    rg_cell *cell = rg_graph_alloc(g, n * sizeof *cell);
    char group[16];
    for (size_t i = 0; cell && i < n; i++) {
        group_name(group, (int64_t)(i / directions), opts, i % directions == 1);
        cell[i] = (opts->cell ? opts->cell : rg_lstm)(g, group, I, opts->hidden, opts->cell_opts);
        if (i % directions == directions - 1 && cell[i].width)
            I = (int64_t)directions * cell[i].width[rg_cell_output(&cell[i])];
    }
    return cell;
}

rg_val rg_task_embed(rg_val id, const char *group, int64_t symbols, int64_t embed)
{
    rg_scope_push(id.graph, group, RG_NO_STEP);
    rg_val X = embed ? rg_embedding(id, group, symbols, embed) : rg_one_hot(id, symbols);
    rg_scope_pop(id.graph);
    return X;
}

rg_val rg_task_encode(rg_val **last, size_t *n, rg_val x, rg_val mask, const rg_task_opts *o)
{
    rg_graph *g = x.graph;
    const size_t layers = (size_t)layers_of(o), directions = o->bidirectional ? 2 : 1;
    rg_val X = o->symbols ? rg_task_embed(x, "embed", o->symbols, o->embed) : x;
    rg_cell *cell = declare_cells(g, o, rg_dim(X, 2));
    *n = cell ? cell[0].n_state : 0; /* all cells are of one kind */
    rg_val *all = rg_graph_alloc(g, layers * directions * *n * sizeof *all);
    if (!cell || !all)
        return (rg_val){ .graph = g };
    *last = all + (layers - 1) * directions * *n;
    return rg_layers(all, cell, layers, X, NULL,
                     &(rg_layers_opts){ .mask = mask, .bidirectional = o->bidirectional,
                                        .between = o->dropout });
}

/* [B,D]: the topmost layer's final outputs, [fwd ; bwd]. */
static rg_val final_state(const rg_val *last, size_t n, const rg_task_opts *opts)
{
    if (!last)
        return RG_NONE;
    return opts->bidirectional ? rg_concat((rg_val[]){ last[0], last[n] }, 2, -1) : last[0];
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

/* Logits or values. */
static rg_val outputs(const rg_task_model *m, const rg_task_opts *o)
{
    rg_graph *g = m->graph;
    rg_val *last = NULL;
    size_t n;
    rg_val h = rg_task_encode(&last, &n, m->x, m->mask, o);
    if (o->task == RG_SEQ2SEQ)
        h = rg_task_teach(last, n, h, m->mask, m->y, o);
    rg_scope_push(g, "out", RG_NO_STEP);
    if (o->task == RG_CLASSIFY || o->task == RG_FORECAST)
        h = read_out(h, final_state(last, n, o), m->mask, o);
    if (o->dropout > 0)
        h = rg_dropout(h, o->dropout, "out");
    rg_val z = rg_dense(h, "out", o->outputs);
    rg_scope_pop(g);
    return z;
}

rg_status rg_task_build(rg_task_model *m, rg_graph *g, const rg_task_opts *o, int64_t T, int64_t B)
{
    *m = (rg_task_model){ .graph = g };
    declare_inputs(m, o, T, B);
    m->z = outputs(m, o);
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
    return rg_task_build(model, model->graph, opts, T, B);
}

void rg_task_destroy(rg_task_model *model)
{
    if (!model)
        return;
    rg_graph_destroy(&model->graph);
    memset(model, 0, sizeof *model);
}

/* ---- For files ------------------------------------------------------------------------------ */

const char *rg_cell_kind(rg_cell_fn *cell, const rg_cell_opts *opts)
{
    static const rg_cell_opts none;
    const rg_cell_opts *o = opts ? opts : &none;
    if (!cell || cell == rg_lstm) /* PyTorch has the plain one, and the one with a projection */
        return o->peephole || o->coupled || o->cell_clip > 0 || o->norm ? NULL
             : o->proj ? "lstm-proj" : "lstm";
    if (cell == rg_gru)
        return o->reset_after ? "gru-after" : "gru";
    if (cell == rg_rnn)
        return o->nonlinearity == RG_RELU ? "rnn-relu" : "rnn";
    return NULL;
}

size_t rg_task_layers(rg_layer_desc *out, rg_task_names *names, const rg_task_opts *opts)
{
    const char *kind = rg_cell_kind(opts->cell, opts->cell_opts);
    const int directions = opts->bidirectional ? 2 : 1;
    size_t n = 0;
    for (int64_t k = 0; kind && k < layers_of(opts); k++)
        for (int d = 0; d < directions; d++) {
            group_name(names->group[n], k, opts, d == 1);
            (void)snprintf(names->torch[n], sizeof names->torch[n], "rnn%s",
                           directions == 1 ? "" : d ? "_bwd" : "_fwd");
            out[n] = (rg_layer_desc){ .group = names->group[n], .kind = kind,
                                      .torch = names->torch[n], .layer = (int32_t)k };
            n++;
        }
    if (kind && opts->task == RG_SEQ2SEQ)
        out[n++] = (rg_layer_desc){ .group = "dec", .kind = kind, .torch = "dec" };
    if (opts->embed)
        out[n++] = (rg_layer_desc){ .group = "embed", .kind = "embedding", .torch = "embed" };
    if (opts->embed && opts->task == RG_SEQ2SEQ)
        out[n++] = (rg_layer_desc){ .group = "target", .kind = "embedding", .torch = "target" };
    out[n++] = (rg_layer_desc){ .group = "out", .kind = "dense", .torch = "out" };
    return n;
}
