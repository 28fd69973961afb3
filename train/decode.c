/* train/decode.c -- the loop that runs one step after another, keeps for every row where it came
 * from, and reads the sequences back from the end. */
#include "train/search.h"

#include "base/checked.h"
#include "base/real.h"
#include "base/shape.h"

#include <math.h>
#include <string.h>

/* A state: what the plan reads, and bytes of one row. */
struct state {
    void  *in;
    size_t row;
};

/* Of every step: for each row parent and token, and the weights [R,S] of the rows before it. */
struct history {
    int32_t *parent, *id;
    float   *weights;
    size_t   cap[3];
    int64_t  steps;
};

struct loop {
    rg_search       s;
    struct state   *state;
    struct history  h;
    int32_t        *id;       /* [R] read by the plan */
};

/* ---- Checks ---------------------------------------------------------------------------------- */

static rg_status opts_fault(rg_search *s, bool beam)
{
    const rg_decode_opts *o = s->opts;
    const rg_decoder *d = s->decoder;
    const char *wrong = !o ? "no options"
        : !d || !d->plan || (d->n_state && (!d->state || !d->next)) ? "no decoder, plan or states"
        : o->steps < 1 ? "steps must be at least 1"
        : beam && o->width < 1 ? "the beam's width must be at least 1"
        : !isfinite(o->length) ? "the length penalty must be finite"
        : !(o->temperature >= 0 && isfinite(o->temperature)) ? "temperature must be 0 or more"
        : o->top_k < 0 ? "top_k must be 0 or more"
        : !(o->top_p >= 0 && o->top_p <= 1) ? "top_p must lie in [0, 1]" : NULL;
    return wrong ? rg_fail(&s->err, RG_EARG, "decode: %s", wrong) : RG_OK;
}

static rg_status shape_fault(rg_search *s, const char *what, size_t k, rg_val v, rg_shape want)
{
    char have[RG_SHAPE_TEXT], text[RG_SHAPE_TEXT];
    rg_shape is = rg_shape_of(v);
    if (rg_shape_equal(is, want))
        return RG_OK;
    return rg_fail(&s->err, RG_ESHAPE, "decode: %s %zu is %s, not %s", what, k,
                   rg_shape_text(have, &is), rg_shape_text(text, &want));
}

static rg_status measure(rg_search *s, bool beam)
{
    const rg_decoder *d = s->decoder;
    rg_status st = RG_OK;
    s->R = rg_shape_of(d->id).rank == 1 ? rg_dim(d->id, 0) : -1;
    s->V = rg_dim(d->logits, -1);
    s->S = d->weights.graph ? rg_dim(d->weights, -1) : 0;
    s->width = beam ? s->opts->width : 1;
    s->real = rg_plan_facts(d->plan).real;
    if (s->R < 1 || s->V < 1 || s->R > INT32_MAX || s->V > INT32_MAX)
        return rg_fail(&s->err, RG_ESHAPE, "decode: tokens must be [R], logits [R,V], neither "
                       "empty");
    if (s->R % s->width)
        return rg_fail(&s->err, RG_ESHAPE, "decode: %lld rows are no multiple of the beam's width "
                       "%lld", (long long)s->R, (long long)s->width);
    if (d->end < -1 || d->end >= s->V)
        return rg_fail(&s->err, RG_EARG, "decode: the end %d is no token of %lld", (int)d->end,
                       (long long)s->V);
    s->B = s->R / s->width;
    st = shape_fault(s, "root", 0, d->logits, RG_SHAPE(s->R, s->V));
    if (st == RG_OK && d->weights.graph)
        st = shape_fault(s, "root of weights", 0, d->weights, RG_SHAPE(s->R, s->S));
    for (size_t k = 0; k < d->n_state && st == RG_OK; k++) {
        st = shape_fault(s, "next state", k, d->next[k], rg_shape_of(d->state[k]));
        if (st == RG_OK && rg_dim(d->state[k], 0) != s->R)
            st = rg_fail(&s->err, RG_ESHAPE, "decode: state %zu has %lld rows, the tokens %lld", k,
                         (long long)rg_dim(d->state[k], 0), (long long)s->R);
    }
    return st;
}

/* ---- States ---------------------------------------------------------------------------------- */

static rg_status no_memory(rg_search *s)
{
    return rg_fail(&s->err, RG_ENOMEM, "decode: no memory for %lld rows", (long long)s->R);
}

static rg_status bind(rg_search *s, rg_val input, const void *data, size_t bytes)
{
    rg_status st = rg_plan_bind(s->decoder->plan, input, data, bytes);
    return st ? rg_fail(&s->err, st, "%s", rg_plan_message(s->decoder->plan)) : RG_OK;
}

/* Every row of a source starts as the source's. */
static rg_status start_states(struct loop *l, const void *const *start)
{
    rg_search *s = &l->s;
    const rg_decoder *d = s->decoder;
    rg_status st = RG_OK;
    for (size_t k = 0; k < d->n_state && st == RG_OK; k++) {
        struct state *x = &l->state[k];
        size_t item = rg_kind_size(rg_kind_of(d->state[k]), s->real);
        x->row = (size_t)(rg_shape_count(rg_shape_of(d->state[k])) / s->R) * item;
        if (!(x->in = rg_get(&s->alloc, (size_t)s->R * x->row)))
            return no_memory(s);
        for (int64_t r = 0; r < s->R && start && start[k]; r++)
            memcpy((char *)x->in + (size_t)r * x->row,
                   (const char *)start[k] + (size_t)(r / s->width) * x->row, x->row);
        st = bind(s, d->state[k], x->in, (size_t)s->R * x->row);
    }
    return st;
}

static rg_status follow(struct loop *l)
{
    const rg_search *s = &l->s;
    for (size_t k = 0; k < s->decoder->n_state; k++) {
        const struct state *x = &l->state[k];
        const char *from = rg_plan_data(s->decoder->plan, s->decoder->next[k]);
        if (!from)
            return rg_fail(&l->s.err, RG_EARG, "decode: next state %zu: %s", k,
                           rg_plan_message(s->decoder->plan));
        for (int64_t r = 0; r < s->R; r++)
            memcpy((char *)x->in + (size_t)r * x->row,
                   from + (size_t)s->next[r].parent * x->row, x->row);
    }
    return RG_OK;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static rg_status note(struct loop *l)
{
    rg_search *s = &l->s;
    struct history *h = &l->h;
    size_t R = (size_t)s->R, at = (size_t)h->steps * R, wide = R * (size_t)s->S;
    const void *w = s->S ? rg_plan_data(s->decoder->plan, s->decoder->weights) : NULL;
    if (s->S && !w)
        return rg_fail(&s->err, RG_EARG, "decode: weights: %s", rg_plan_message(s->decoder->plan));
    if (!rg_reserve(&s->alloc, &h->parent, &h->cap[0], at + R, sizeof *h->parent) ||
        !rg_reserve(&s->alloc, &h->id, &h->cap[1], at + R, sizeof *h->id) ||
        !rg_reserve(&s->alloc, &h->weights, &h->cap[2], at * (size_t)s->S + wide,
                    sizeof *h->weights))
        return no_memory(s);
    for (size_t r = 0; r < R; r++) {
        h->parent[at + r] = s->next[r].parent;
        h->id[at + r] = s->next[r].id;
    }
    for (size_t i = 0; i < wide && w; i++)
        h->weights[at * (size_t)s->S + i] = (float)rg_real_at(w, s->real, i);
    h->steps++;
    return RG_OK;
}

static bool all_finished(const rg_search *s)
{
    for (int64_t r = 0; r < s->R; r++)
        if (s->slot[r].there && !s->slot[r].finished)
            return false;
    return true;
}

static rg_status one_step(struct loop *l, rg_choose_fn *choose)
{
    rg_search *s = &l->s;
    rg_plan *plan = s->decoder->plan;
    rg_status st = rg_plan_run(plan);
    if (st)
        return rg_fail(&s->err, st, "%s", rg_plan_message(plan));
    if (!(s->z = rg_plan_data(plan, s->decoder->logits)))
        return rg_fail(&s->err, RG_EARG, "decode: logits: %s", rg_plan_message(plan));
    if ((st = choose(s)) || (st = note(l)) || (st = follow(l)))
        return st;
    for (int64_t r = 0; r < s->R; r++) {
        s->slot[r] = s->next[r];
        l->id[r] = s->slot[r].id < 0 ? s->decoder->begin : s->slot[r].id;
    }
    return RG_OK;
}

static rg_status prepare(struct loop *l, const void *const *start)
{
    rg_search *s = &l->s;
    size_t R = (size_t)s->R, V = (size_t)s->V;
    (void)rg_alloc_resolve(&s->alloc, NULL);
    l->id = rg_get(&s->alloc, R * sizeof *l->id);
    s->slot = rg_get(&s->alloc, R * sizeof *s->slot);
    s->next = rg_get(&s->alloc, R * sizeof *s->next);
    s->p = rg_get(&s->alloc, V * sizeof *s->p);
    s->heap = rg_get(&s->alloc, V * sizeof *s->heap);
    l->state = rg_get(&s->alloc, s->decoder->n_state * sizeof *l->state);
    if (!l->id || !s->slot || !s->next || !s->p || !s->heap || !l->state)
        return no_memory(s);
    for (size_t r = 0; r < R; r++) { /* a beam starts as one */
        s->slot[r].there = r % (size_t)s->width == 0;
        l->id[r] = s->decoder->begin;
    }
    rg_status st = start_states(l, start);
    return st ? st : bind(s, s->decoder->id, l->id, R * sizeof *l->id);
}

static void release(struct loop *l)
{
    rg_search *s = &l->s;
    size_t R = (size_t)s->R, V = (size_t)s->V;
    for (size_t k = 0; l->state && k < s->decoder->n_state; k++)
        rg_release(&s->alloc, l->state[k].in, R * l->state[k].row);
    rg_release(&s->alloc, l->state, s->decoder->n_state * sizeof *l->state);
    rg_release(&s->alloc, l->id, R * sizeof *l->id);
    rg_release(&s->alloc, s->slot, R * sizeof *s->slot);
    rg_release(&s->alloc, s->next, R * sizeof *s->next);
    rg_release(&s->alloc, s->p, V * sizeof *s->p);
    rg_release(&s->alloc, s->heap, V * sizeof *s->heap);
    rg_release(&s->alloc, l->h.parent, l->h.cap[0] * sizeof *l->h.parent);
    rg_release(&s->alloc, l->h.id, l->h.cap[1] * sizeof *l->h.id);
    rg_release(&s->alloc, l->h.weights, l->h.cap[2] * sizeof *l->h.weights);
}

/* ---- What was found -------------------------------------------------------------------------- */

rg_result *rg_result_create(rg_decoded **out)
{
    rg_alloc alloc;
    *out = NULL;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_result *r = rg_get(&alloc, sizeof *r);
    if (r) {
        r->alloc = alloc;
        *out = &r->seen;
    }
    return r;
}

bool rg_result_room(rg_result *r, size_t rows, size_t ids, size_t weights)
{
    if (!rg_mul_size(rows, sizeof *r->best, &r->best_bytes) ||
        !rg_mul_size(ids, sizeof *r->id, &r->id_bytes) ||
        !rg_mul_size(weights, sizeof *r->weights, &r->weight_bytes))
        return false;
    r->best = rg_get(&r->alloc, r->best_bytes);
    r->id = rg_get(&r->alloc, r->id_bytes);
    r->weights = rg_get(&r->alloc, r->weight_bytes);
    r->seen.best = r->best;
    return r->best && r->id && r->weights;
}

/* ---- Reading back ---------------------------------------------------------------------------- */

/* The tokens of the sequence that ends in row r, from the last to the first, to the end of the
 * room for opts.steps of them. */
static void read_back(rg_result *out, const struct loop *l, int64_t r)
{
    const rg_search *s = &l->s;
    const rg_slot_state *slot = &s->slot[r];
    const size_t R = (size_t)s->R, S = (size_t)s->S, room = (size_t)l->h.steps;
    int32_t *id = out->id + (size_t)r * room;
    float *weights = S ? out->weights + (size_t)r * room * S : NULL;
    size_t at = (size_t)slot->tokens, row = (size_t)r;
    for (size_t t = room; t-- > 0 && at > 0;) {
        const size_t parent = (size_t)l->h.parent[t * R + row];
        if (l->h.id[t * R + row] >= 0) {
            id[--at] = l->h.id[t * R + row];
            if (S)
                memcpy(weights + at * S, l->h.weights + (t * R + parent) * S, S * sizeof *weights);
        }
        row = parent;
    }
    const bool ended = slot->there && slot->finished;
    out->best[r] = (rg_hypothesis){ .id = id, .n = (size_t)slot->tokens - ended,
                                    .finished = ended, .log_p = slot->log_p,
                                    .score = slot->score, .weights = weights };
}

static rg_status finish(rg_result *out, struct loop *l)
{
    rg_search *s = &l->s;
    const size_t R = (size_t)s->R, n = R * (size_t)l->h.steps;
    if (!rg_result_room(out, R, n, n * (size_t)s->S))
        return no_memory(s);
    for (int64_t r = 0; r < s->R; r++)
        read_back(out, l, r);
    out->seen.sources = s->B;
    out->seen.width = s->width;
    out->seen.S = s->S;
    return RG_OK;
}

static rg_status run(rg_result *out, struct loop *l, const void *const *start, bool beam,
                     rg_choose_fn *choose)
{
    rg_search *s = &l->s;
    rg_status st = opts_fault(s, beam);
    if (st || (st = measure(s, beam)))
        return st;
    st = prepare(l, start);
    for (; st == RG_OK && s->step < s->opts->steps && !all_finished(s); s->step++)
        st = one_step(l, choose);
    if (st == RG_OK)
        st = finish(out, l);
    release(l);
    return st;
}

static rg_status decode(rg_decoded **out, const rg_decoder *decoder, const void *const *start,
                        const rg_decode_opts *opts, bool beam, rg_choose_fn *choose)
{
    struct loop l = { .s = { .decoder = decoder, .opts = opts } };
    if (!out)
        return RG_EARG;
    rg_result *made = rg_result_create(out);
    if (!made)
        return RG_ENOMEM;
    rg_status st = run(made, &l, start, beam, choose);
    memcpy(made->seen.message, l.s.err.text, sizeof made->seen.message);
    return st;
}

rg_status rg_decode_greedy(rg_decoded **out, const rg_decoder *decoder, const void *const *start,
                           const rg_decode_opts *opts)
{
    return decode(out, decoder, start, opts, false, rg_choose_likeliest);
}

rg_status rg_decode_sample(rg_decoded **out, const rg_decoder *decoder, const void *const *start,
                           const rg_decode_opts *opts)
{
    return decode(out, decoder, start, opts, false, rg_choose_drawn);
}

rg_status rg_decode_beam(rg_decoded **out, const rg_decoder *decoder, const void *const *start,
                         const rg_decode_opts *opts)
{
    return decode(out, decoder, start, opts, true, rg_choose_beam);
}

void rg_decoded_destroy(rg_decoded **decoded)
{
    rg_result *r = decoded && *decoded ? (rg_result *)*decoded : NULL;
    if (!r)
        return;
    const rg_alloc alloc = r->alloc;
    rg_release(&alloc, r->best, r->best_bytes);
    rg_release(&alloc, r->id, r->id_bytes);
    rg_release(&alloc, r->weights, r->weight_bytes);
    rg_release(&alloc, r, sizeof *r);
    *decoded = NULL;
}
