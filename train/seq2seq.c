/* train/seq2seq.c -- a decoder over an encoder: cell, attention, bridge, what is fed in. */
#include "train/task.h"

#include <retrograd/ops.h>

static int64_t width_of(const rg_task_opts *o)
{
    return o->decoder ? o->decoder : o->hidden;
}

/* Width of the decoder's h, which asks. */
static int64_t query_width(const rg_task_opts *o)
{
    return o->cell_opts && o->cell_opts->proj ? o->cell_opts->proj : width_of(o);
}

rg_attention rg_task_attention(rg_val Y, rg_val mask, const rg_task_opts *o)
{
    static const rg_score score[] = {
        [RG_ATTEND_ADDITIVE] = RG_SCORE_ADDITIVE, [RG_ATTEND_DOT] = RG_SCORE_DOT,
        [RG_ATTEND_GENERAL] = RG_SCORE_GENERAL, [RG_ATTEND_CONCAT] = RG_SCORE_CONCAT,
    };
    if (o->attention == RG_ATTEND_NONE)
        return (rg_attention){ .factor = 1 };
    return rg_attention_over(Y, mask, "att", query_width(o),
                             &(rg_attention_opts){ .score = score[o->attention] });
}

rg_task_decoder rg_task_decoder_with(rg_graph *g, const rg_attention *a, int64_t D,
                                     const rg_task_opts *o)
{
    const int64_t H = width_of(o), E = o->embed ? o->embed : o->outputs;
    const bool bahdanau = o->attention == RG_ATTEND_ADDITIVE;
    const rg_body body = rg_task_body(o);
    rg_task_decoder d = { .attends = o->attention != RG_ATTEND_NONE };
    const int64_t I = !d.attends ? E : E + (bahdanau ? D : H);
    d.inner = rg_body_cell(g, "dec", I, H, &body);
    const double *p = rg_body_zoneout(g, &body, d.inner.n_state, 1);
    if (p)
        d.inner = rg_zoneout(g, &d.inner, p);
    d.cell = d.inner;
    if (d.attends)
        d.cell = bahdanau ? rg_bahdanau(g, &d.inner, a, E)
                          : rg_luong(g, "luong", &d.inner, a, H);
    return d;
}

rg_val *rg_task_decoder_start(const rg_task_decoder *d, const rg_encoded *from,
                              const rg_task_opts *o)
{
    const rg_val *last = from->last;
    rg_graph *g = last ? last[0].graph : NULL;
    rg_val *s0 = g ? rg_graph_alloc(g, (d->inner.n_state + d->cell.n_state) * sizeof *s0) : NULL;
    if (!s0)
        return NULL;
    rg_scope_push(g, "bridge", RG_NO_STEP);
    rg_bridge(s0, &d->inner, last, o->bidirectional ? last + from->n : NULL, from->n,
              o->no_bridge ? NULL : "bridge");
    rg_scope_pop(g);
    if (!d->attends)
        return s0;
    rg_attending_start(s0 + d->inner.n_state, &d->cell, s0);
    return s0 + d->inner.n_state;
}

rg_val rg_task_feed(rg_val id, const rg_task_opts *o)
{
    const rg_body body = rg_task_body(o);
    return rg_body_read(id, "target", o->outputs, &body);
}

/* Symbols of one step. What is dropped of inputs is the same at all of them. */
static rg_val read_own(const void *opts, rg_val id)
{
    const rg_task_opts *o = opts;
    rg_body body = rg_task_body(o);
    const double p = rg_body_drop(&body, RG_DROP_INPUT);
    body.kinds &= ~(unsigned)RG_DROP_INPUT;
    rg_val x = rg_body_read(id, "target", o->outputs, &body);
    return p > 0 ? rg_mul(x, rg_dropout_mask(x.graph, rg_shape_of(x), p, "target.input")) : x;
}

static rg_val say_own(const void *opts, rg_val h)
{
    return rg_task_out(h, opts);
}

rg_val rg_task_teach(const rg_encoded *from, rg_val mask, rg_val y, bool still,
                     const rg_task_opts *o)
{
    rg_graph *g = from->Y.graph;
    const rg_attention a = rg_task_attention(from->Y, mask, o);
    const rg_task_decoder d = rg_task_decoder_with(g, &a, rg_dim(from->Y, 2), o);
    const rg_val *s0 = rg_task_decoder_start(&d, from, o);
    if (!s0)
        return (rg_val){ .graph = g };
    if (o->scheduled > 0 && !still)
        return rg_scheduled_sampling(&d.cell, y, s0, &(rg_scheduled){
            .read = read_own, .say = say_own, .weights = o, .begin = o->begin,
            .share = o->scheduled, .stream = "own words" });
    rg_val h = rg_unroll(NULL, &d.cell, rg_task_feed(rg_shift_in(y, o->begin), o), s0, NULL);
    rg_scope_push(g, "out", RG_NO_STEP);
    rg_val z = rg_task_out(h, o);
    rg_scope_pop(g);
    return z;
}
