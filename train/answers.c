/* train/answers.c -- answers of an encoder and a decoder. The encoder plan computes the memory and
 * the decoder's first states once; a plan of one step reads them as inputs. */
#include "train/answers.h"

#include <retrograd/ops.h>

/* Values of a plan that encodes, or that takes a step. */
typedef struct parts {
    rg_val  x, mask_in;           /* encoder: inputs */
    rg_val  id, logits, weights;  /* step */
    rg_val  memory, keys, mask;   /* roots of the encoder, inputs of a step; perhaps none */
    rg_val *before, *after;       /* states: roots of the encoder and inputs of a step; its roots */
    size_t  n;                    /* states but for the weights */
    size_t  skip;                 /* of them start from zeros: what attention puts before */
    const void **start;           /* step: where the encoder's plan has the states; NULL = zeros */
} parts;

/* The roots of a plan, in an array of the graph. */
static rg_status plan_of(rg_cached_plan *made, const rg_answerer *a, const rg_val *first,
                         size_t n_first, const rg_val *states, size_t n)
{
    rg_plan_opts opts = a->plan;
    rg_val *root = rg_graph_alloc(made->graph, (n_first + n) * sizeof *root);
    size_t k = 0;
    for (size_t i = 0; root && i < n_first; i++)
        if (first[i].graph)
            root[k++] = first[i];
    for (size_t i = 0; root && i < n; i++)
        root[k++] = states[i];
    opts.mode = RG_EVALUATE;
    return root ? rg_plan_create(&made->plan, root, k, &opts) : rg_graph_status(made->graph);
}

static rg_status build_encoder(void *user, rg_cached_plan *made)
{
    rg_answerer *a = user;
    const rg_task_opts *o = a->model;
    rg_graph *g = made->graph;
    parts *p = made->data = rg_graph_alloc(g, sizeof *p);
    if (!p)
        return rg_graph_status(g);
    p->x = o->symbols ? rg_input(g, "x", RG_INT, RG_SHAPE(made->T, made->B))
                      : rg_input(g, "x", RG_F, RG_SHAPE(made->T, made->B, o->features));
    p->mask_in = rg_input(g, "mask", RG_BOOL, RG_SHAPE(made->T, made->B));
    const rg_encoded from = rg_task_encode(p->x, p->mask_in, true, o);
    a->D = rg_dim(from.Y, 2);
    rg_attention over = rg_task_attention(from.Y, p->mask_in, o);
    rg_task_decoder d = rg_task_decoder_with(g, &over, a->D, o);
    p->before = rg_task_decoder_start(&d, &from, o);
    if (!p->before)
        return rg_graph_status(g);
    p->memory = over.memory;
    p->keys = over.keys;
    p->mask = over.mask;
    p->skip = d.attends;
    p->n = d.inner.n_state + p->skip;
    const rg_val first[] = { p->memory, p->keys, p->mask };
    return plan_of(made, a, first, 3, p->before + p->skip, d.inner.n_state);
}

static rg_val like(rg_graph *g, const char *name, rg_val v)
{
    return v.graph ? rg_input(g, name, rg_kind_of(v), rg_shape_of(v)) : RG_NONE;
}

/* The attention with its memory taken from inputs, W times each row. */
static rg_attention asked(parts *p, rg_graph *g, const rg_answerer *a, const rg_cached_plan *made)
{
    const int64_t S = made->T, B = made->B, W = a->decode.width;
    rg_val Y = rg_input(g, "encoded", RG_F, RG_SHAPE(S, B, a->D)); /* shapes and weights only */
    rg_val m = rg_input(g, "encoded mask", RG_BOOL, RG_SHAPE(S, B));
    rg_attention over = rg_task_attention(Y, m, a->model);
    p->memory = like(g, "memory", over.memory);
    p->keys = like(g, "keys", over.keys);
    p->mask = like(g, "memory mask", over.mask);
    over.memory = p->memory.graph ? rg_repeat(p->memory, 0, W) : RG_NONE;
    over.keys = p->keys.graph ? rg_repeat(p->keys, 0, W) : RG_NONE;
    over.mask = p->mask.graph ? rg_repeat(p->mask, 0, W) : RG_NONE;
    return over;
}

/* What a step reads: states as inputs, and zeros for the weights, which nobody reads. */
static bool declare_states(parts *p, rg_graph *g, const rg_task_decoder *d, int64_t R)
{
    char name[16] = "state0";
    const size_t n = d->cell.n_state;
    p->before = rg_graph_alloc(g, 2 * n * sizeof *p->before);
    p->start = rg_graph_alloc(g, n * sizeof *p->start);
    if (!p->before || !p->start || !d->cell.width)
        return false;
    p->after = p->before + n;
    p->n = n - d->attends;
    p->skip = d->attends;
    for (size_t k = 0; k < n; k++) {
        name[5] = (char)('0' + k);
        p->before[k] = k < p->n ? rg_input(g, name, RG_F, RG_SHAPE(R, d->cell.width[k]))
                                : rg_zeros(g, RG_SHAPE(R, d->cell.width[k]));
    }
    return true;
}

static rg_status build_step(void *user, rg_cached_plan *made)
{
    const rg_answerer *a = user;
    const rg_task_opts *o = a->model;
    rg_graph *g = made->graph;
    const int64_t R = made->B * a->decode.width;
    parts *p = made->data = rg_graph_alloc(g, sizeof *p);
    if (!p)
        return rg_graph_status(g);
    p->id = rg_input(g, "id", RG_INT, RG_SHAPE(R));
    rg_attention over = asked(p, g, a, made);
    rg_task_decoder d = rg_task_decoder_with(g, &over, a->D, o);
    if (!declare_states(p, g, &d, R))
        return rg_graph_status(g) ? rg_graph_status(g) : RG_EARG;
    rg_step(p->after, &d.cell, rg_task_feed(p->id, o), p->before, 0);
    p->logits = rg_task_out(p->after[d.attends ? 0 : rg_cell_output(&d.cell)], o);
    p->weights = d.attends ? p->after[p->n] : RG_NONE;
    const rg_val first[] = { p->logits, p->weights };
    return plan_of(made, a, first, 2, p->after, p->n);
}

rg_status rg_answerer_open(rg_answerer *a, rg_params *params, const rg_task_opts *model)
{
    a->model = model;
    rg_status st = rg_plan_cache_create(&a->encoders, params, build_encoder, a, NULL);
    return st ? st : rg_plan_cache_create(&a->steps, params, build_step, a, NULL);
}

void rg_answerer_close(rg_answerer *a)
{
    rg_plan_cache_destroy(&a->encoders);
    rg_plan_cache_destroy(&a->steps);
}

/* ---- Running -------------------------------------------------------------------------------- */

static size_t bytes_of(rg_val v, const rg_plan_opts *opts)
{
    const size_t item = rg_kind_of(v) == RG_BOOL ? 1 : opts->real == RG_F64 ? 8 : 4;
    return (size_t)rg_shape_count(rg_shape_of(v)) * item;
}

/* What the encoder computed becomes what every step reads. */
static rg_status hand_over(const rg_answerer *a, rg_cached_plan *from, rg_cached_plan *to)
{
    const parts *p = from->data, *q = to->data;
    const rg_val root[] = { p->memory, p->keys, p->mask }, in[] = { q->memory, q->keys, q->mask };
    rg_status st = RG_OK;
    for (int i = 0; i < 3 && st == RG_OK; i++)
        if (in[i].graph)
            st = rg_plan_bind(to->plan, in[i], rg_plan_data(from->plan, root[i]),
                              bytes_of(in[i], &a->plan));
    return st;
}

static rg_status decode(rg_decoded **out, rg_answerer *a, rg_cached_plan *from, rg_cached_plan *to,
                        int64_t T, rg_err *err)
{
    const parts *p = from->data, *q = to->data;
    rg_decode_opts opts = a->decode;
    const rg_decoder d = { to->plan, q->id, q->logits, q->n, q->before, q->after, q->weights,
                           a->model->begin, a->model->end };
    for (size_t k = q->skip; k < q->n; k++)
        q->start[k] = rg_plan_data(from->plan, p->before[k]);
    opts.steps = opts.steps ? opts.steps : 2 * T + 16;
    rg_status st = opts.width == 1 ? rg_decode_greedy(out, &d, q->start, &opts)
                                   : rg_decode_beam(out, &d, q->start, &opts);
    return st ? rg_fail(err, st, "%s", *out ? (*out)->message : "no memory") : RG_OK;
}

rg_status rg_answerer_run(rg_decoded **out, rg_answerer *a, const void *x, size_t x_bytes,
                          const uint8_t *mask, int64_t T, int64_t B, rg_err *err)
{
    rg_cached_plan *from, *to;
    rg_status st;
    if ((st = rg_plan_cache_get(&from, a->encoders, T, B)))
        return rg_fail(err, st, "%s", rg_plan_cache_message(a->encoders));
    if ((st = rg_plan_cache_get(&to, a->steps, T, B)))
        return rg_fail(err, st, "%s", rg_plan_cache_message(a->steps));
    const parts *p = from->data;
    if ((st = rg_plan_bind(from->plan, p->x, x, x_bytes)) ||
        (st = rg_plan_bind(from->plan, p->mask_in, mask, (size_t)(T * B))) ||
        (st = rg_plan_run(from->plan)))
        return rg_fail(err, st, "%s", rg_plan_message(from->plan));
    if ((st = hand_over(a, from, to)))
        return rg_fail(err, st, "%s", rg_plan_message(to->plan));
    return decode(out, a, from, to, T, err);
}
