/* train/choose.c -- what comes next: the likeliest token, a drawn one, the best of a beam. */
#include "train/search.h"

#include "base/philox.h"
#include "base/real.h"
#include "train/likeliest.h"

#include <math.h>

static double logit(const rg_search *s, int64_t row, int64_t v)
{
    return rg_real_at(s->z, s->real, (size_t)(row * s->V + v));
}

rg_status rg_logits_measure(double *lse, int32_t *best, const rg_logits *l, rg_err *err)
{
    double most = -INFINITY, sum = 0;
    *best = 0;
    for (int64_t v = 0; v < l->V; v++) {
        const double z = rg_logit(l, v);
        if (isnan(z) || z == INFINITY)
            return rg_fail(err, RG_ENONFINITE, "decode: in step %lld the logits of row %lld "
                           "are not numbers", (long long)l->step, (long long)l->row);
        *best = z > most ? (int32_t)v : *best;
        most = z > most ? z : most;
    }
    if (most == -INFINITY)
        return rg_fail(err, RG_ENONFINITE, "decode: in step %lld row %lld has no %s that is "
                       "possible", (long long)l->step, (long long)l->row, l->what);
    for (int64_t v = 0; v < l->V; v++)
        sum += exp(rg_logit(l, v) - most);
    *lse = most + log(sum);
    return RG_OK;
}

static rg_status measure(double *lse, int32_t *best, rg_search *s, int64_t row)
{
    const rg_logits l = { s->z, s->real, row * s->V, s->V, s->step, row, "token" };
    return rg_logits_measure(lse, best, &l, &s->err);
}

/* What divides the score of a row that goes on by one token. */
static double penalty(const rg_search *s, int64_t row)
{
    double a = s->opts->length;
    return a == 0 ? 1 : pow((5 + (double)(s->slot[row].tokens + 1)) / 6, a);
}

/* A row that goes on by one token, from row @p parent. */
static rg_slot_state extended(const rg_search *s, int64_t parent, int32_t id, double log_p,
                              double divisor)
{
    const rg_slot_state *from = &s->slot[parent];
    const double sum = from->log_p + log_p;
    return (rg_slot_state){ .there = true, .finished = id == s->decoder->end,
                            .tokens = from->tokens + 1, .log_p = sum,
                            .score = sum / divisor,
                            .parent = (int32_t)parent, .id = id };
}

static rg_slot_state kept(const rg_search *s, int64_t parent)
{
    rg_slot_state same = s->slot[parent];
    same.parent = (int32_t)parent;
    same.id = -1;
    return same;
}

/* ---- One token for each row ------------------------------------------------------------------ */

static int32_t draw(rg_search *s, int64_t row, double most)
{
    const rg_decode_opts *o = s->opts;
    for (int64_t v = 0; v < s->V; v++)
        s->p[v] = exp((logit(s, row, v) - most) / o->temperature);
    rg_keep_likeliest(s->p, s->heap, s->V, o->top_k, o->top_p);
    uint64_t tail = rg_stream_tail(rg_fnv1a("decode"), (uint64_t)s->step);
    double u = rg_draw_uniform(o->seed, RG_DOMAIN_SAMPLING, tail, (uint64_t)row);
    return rg_draw_weighted(s->p, s->V, u);
}

static rg_status each_row(rg_search *s, bool drawn)
{
    for (int64_t r = 0; r < s->R; r++) {
        double lse;
        int32_t id;
        rg_status st;
        if (s->slot[r].finished) {
            s->next[r] = kept(s, r);
            continue;
        }
        if ((st = measure(&lse, &id, s, r)))
            return st;
        if (drawn && s->opts->temperature > 0)
            id = draw(s, r, logit(s, r, id));
        s->next[r] = extended(s, r, id, logit(s, r, id) - lse, penalty(s, r));
    }
    return RG_OK;
}

rg_status rg_choose_likeliest(rg_search *s)
{
    return each_row(s, false);
}

rg_status rg_choose_drawn(rg_search *s)
{
    return each_row(s, true);
}

/* ---- Beams ----------------------------------------------------------------------------------- */

/* Put c where its score belongs among the n best so far, of at most s->width: behind its equals,
 * so that of those the lower parent, then the lower token, stays. Returns the new n. */
static int64_t insert(rg_search *s, rg_slot_state *best, int64_t n, rg_slot_state c)
{
    if (!(c.score > -INFINITY) || (n == s->width && !(c.score > best[n - 1].score)))
        return n;
    int64_t at = n < s->width ? n : n - 1;
    for (; at > 0 && c.score > best[at - 1].score; at--)
        best[at] = best[at - 1];
    best[at] = c;
    return n < s->width ? n + 1 : n;
}

static rg_status one_source(rg_search *s, int64_t first)
{
    rg_slot_state *best = s->next + first;
    int64_t n = 0;
    for (int64_t r = first; r < first + s->width; r++) {
        double lse;
        int32_t likeliest;
        rg_status st;
        if (!s->slot[r].there)
            continue;
        if (s->slot[r].finished) {
            n = insert(s, best, n, kept(s, r));
            continue;
        }
        if ((st = measure(&lse, &likeliest, s, r)))
            return st;
        const double divisor = penalty(s, r); /* all tokens' */
        for (int32_t v = 0; v < s->V; v++)
            n = insert(s, best, n, extended(s, r, v, logit(s, r, v) - lse, divisor));
    }
    for (; n < s->width; n++) /* fewer continuations than room */
        best[n] = (rg_slot_state){ .finished = true, .log_p = -INFINITY, .score = -INFINITY,
                                   .parent = (int32_t)first, .id = -1 };
    return RG_OK;
}

rg_status rg_choose_beam(rg_search *s)
{
    rg_status st = RG_OK;
    for (int64_t r = 0; r < s->R && st == RG_OK; r += s->width)
        st = one_source(s, r);
    return st;
}
