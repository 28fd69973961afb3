/* train/body.c -- layers of cells over vectors of symbols, dropout, zoneout, initial states: what
 * every model of this folder is made of. Public layers only. */
#include "train/body.h"

#include "base/philox.h"
#include "graph/graph.h"
#include "graph/params.h"

#include <retrograd/ops.h>

#include <stdio.h>
#include <string.h>

static int64_t layers_of(const rg_body *b)
{
    return b->layers ? b->layers : 1;
}

size_t rg_body_count(const rg_body *b)
{
    return (size_t)layers_of(b) * (b->both ? 2 : 1);
}

static bool is_share(double p)
{
    return p >= 0 && p <= 1;
}

const char *rg_body_fault(const rg_body *b)
{
    return b->embed < 0 ? "embed must not be negative"
         : b->layers < 0 || b->layers > RG_BODY_LAYERS ? "layers must be 1 to 64"
         : !(b->dropout >= 0 && b->dropout < 1) ? "dropout must lie in [0, 1)"
         : b->kinds & ~(unsigned)RG_DROP_ALL ? "dropout_kinds has unknown bits"
         : !is_share(b->zoneout[0]) || !is_share(b->zoneout[1]) ? "zoneout must lie in [0, 1]"
         : b->start < RG_START_CARRIED || b->start > RG_START_RANDOM
             ? "start is no member of rg_start" : NULL;
}

double rg_body_drop(const rg_body *b, unsigned where)
{
    unsigned kinds = b->kinds ? b->kinds : RG_DROP_BETWEEN | RG_DROP_OUTPUT;
    return kinds & where ? b->dropout : 0;
}

/* ---- Cells ---------------------------------------------------------------------------------- */

rg_val rg_body_read(rg_val x, const char *group, int64_t symbols, const rg_body *b)
{
    rg_scope_push(x.graph, group, RG_NO_STEP);
    rg_val X = !symbols ? x : b->embed ? rg_embedding(x, group, symbols, b->embed)
                                       : rg_one_hot(x, symbols);
    if (symbols)
        X = rg_embedding_dropout(X, x, group, symbols, rg_body_drop(b, RG_DROP_EMBEDDING));
    X = rg_dropout_locked(X, rg_body_drop(b, RG_DROP_INPUT), "input");
    rg_scope_pop(x.graph);
    return X;
}

rg_cell rg_body_cell(rg_graph *g, const char *group, int64_t I, int64_t H, const rg_body *b)
{
    rg_cell_opts c = b->cell_opts ? *b->cell_opts : (rg_cell_opts){ .chrono_T = 0 };
    c.drop_recurrent += rg_body_drop(b, RG_DROP_RECURRENT);
    c.drop_weight += rg_body_drop(b, RG_DROP_WEIGHT);
    c.drop_candidate += rg_body_drop(b, RG_DROP_CANDIDATE);
    return (b->cell ? b->cell : rg_lstm)(g, group, I, H, &c);
}

/* `rnn.l<k>`, or with a direction behind it. */
static void group_name(char out[16], size_t layer, const rg_body *b, bool backward)
{
    (void)snprintf(out, 16, "rnn.l%d%s", (int)layer, !b->both ? "" : backward ? ".bwd" : ".fwd");
}

rg_cell *rg_body_cells(rg_graph *g, int64_t I, const rg_body *b)
{
    const size_t directions = b->both ? 2 : 1, n = rg_body_count(b);
    rg_cell *cell = rg_graph_alloc(g, n * sizeof *cell);
    char group[16];
    for (size_t i = 0; cell && i < n; i++) {
        group_name(group, i / directions, b, i % directions == 1);
        cell[i] = rg_body_cell(g, group, I, b->hidden, b);
        if (i % directions == directions - 1 && cell[i].width)
            I = (int64_t)directions * cell[i].width[rg_cell_output(&cell[i])];
    }
    return cell;
}

const double *rg_body_zoneout(rg_graph *g, const rg_body *b, size_t n_state, size_t n)
{
    if (b->zoneout[0] == 0 && b->zoneout[1] == 0)
        return NULL;
    if (b->zoneout[1] != 0 && n_state < 2) {
        rg_poison(g, RG_EARG, "zoneout of a second state, but the cell has one");
        return NULL;
    }
    double *p = rg_graph_alloc(g, n * n_state * sizeof *p);
    for (size_t k = 0; p && k < n * n_state; k++)
        p[k] = b->zoneout[k % n_state > 0];
    return p;
}

/* ---- Initial states ------------------------------------------------------------------------- */

double rg_start_draw(uint64_t seed, uint64_t step, size_t k, uint64_t i)
{
    char stream[32];
    (void)snprintf(stream, sizeof stream, "plan.state%u", (unsigned)k);
    return RG_START_SCALE * rg_draw_normal(seed, RG_DOMAIN_STATE,
                                           rg_stream_tail(rg_fnv1a(stream), step), i);
}

/* [H], what the first row of step 0 would start with, around the cell's @p own. */
static rg_val still_state(rg_graph *g, size_t k, int64_t H, double own)
{
    double *v = rg_graph_alloc(g, (size_t)H * sizeof *v);
    for (int64_t i = 0; v && i < H; i++)
        v[i] = own + rg_start_draw(g->params->seed, 0, k, (uint64_t)i);
    return v ? rg_constant(g, RG_F, RG_SHAPE(H), v, (size_t)H) : (rg_val){ .graph = g };
}

static rg_val start_state(rg_graph *g, rg_start start, size_t k, int64_t H, int64_t B, bool still,
                          double own)
{
    char name[24];
    (void)snprintf(name, sizeof name, "s%u", (unsigned)k);
    if (start == RG_START_LEARNED)
        return rg_param(g, "start", name, RG_SHAPE(H), rg_init_const(own));
    if (still)
        return still_state(g, k, H, own);
    rg_scope_push(g, "start", RG_NO_STEP);
    rg_val s = rg_scale(rg_normal(g, name, RG_SHAPE(B, H)), RG_START_SCALE);
    if (own != 0)
        s = rg_shift(s, own);
    rg_scope_pop(g);
    return s;
}

rg_val *rg_body_start(rg_graph *g, const rg_body *b, const rg_cell *cell, size_t n, int64_t B,
                      bool still)
{
    const size_t each = n ? cell[0].n_state : 0; /* all cells are of one kind */
    if (b->start < RG_START_LEARNED)
        return NULL;
    rg_val *s = rg_graph_alloc(g, n * each * sizeof *s);
    for (size_t k = 0; s && k < n * each; k++) {
        const rg_cell *c = &cell[k / each];
        s[k] = c->width ? start_state(g, b->start, k, c->width[k % each], B, still,
                                      rg_cell_start(c, k % each))
                        : rg_poison(g, RG_EARG, "a cell without widths starts from zeros");
    }
    return s;
}

/* ---- For files ------------------------------------------------------------------------------ */

const char *rg_cell_kind(rg_cell_fn *cell, const rg_cell_opts *opts)
{
    static const rg_cell_opts none;
    const rg_cell_opts *o = opts ? opts : &none;
    if (o->norm || o->preact_clip > 0)
        return NULL;
    if (!cell || cell == rg_lstm) /* PyTorch has the plain one, and the one with a projection */
        return o->peephole || o->coupled || o->cell_clip > 0 ? NULL
             : o->proj ? "lstm-proj" : "lstm";
    if (cell == rg_gru)
        return o->reset_after ? "gru-after" : "gru";
    if (cell == rg_rnn)
        return o->nonlinearity == RG_RELU ? "rnn-relu" : "rnn";
    return NULL;
}

size_t rg_body_layers(rg_layer_desc *out, rg_body_names *names, const rg_body *b)
{
    const char *kind = rg_cell_kind(b->cell, b->cell_opts);
    const size_t directions = b->both ? 2 : 1;
    size_t n = 0;
    for (size_t i = 0; kind && i < rg_body_count(b); i++) {
        const bool backward = i % directions == 1;
        group_name(names->group[i], i / directions, b, backward);
        out[n++] = (rg_layer_desc){ .group = names->group[i], .kind = kind, .torch = "rnn",
                                    .layer = (int32_t)(i / directions), .reverse = backward };
    }
    if (b->embed)
        out[n++] = (rg_layer_desc){ .group = "embed", .kind = "embedding", .torch = "embed" };
    return n;
}
