/* train/decode_ctc.c -- from classes at every step, with blanks, to labels: the best path, and a
 * beam of beginnings. */
#include "train/search.h"

#include "base/checked.h"

#include <math.h>
#include <string.h>

/* Beginnings are nodes of a tree: 0 says nothing, any other its parent's labels and one more. */
struct node {
    int32_t parent, label;    /* -1, -1 at the root */
    int32_t child, sibling;   /* the first below, the next beside; 0 = none */
};

/* A beginning in the beam: ln of the paths that say it and end with a blank, or with its last
 * label. New ones have no node yet: they are `label` more than `node`. */
struct entry {
    int32_t node, label;      /* label -1: the node itself */
    double  blank, last, sum;
};

struct beam {
    rg_alloc         alloc;
    rg_err           err;
    const rg_frames *f;
    size_t           width;   /* entries kept */
    struct node     *node;
    size_t           n_node, cap;
    struct entry    *now, *next;       /* [width], the likeliest first */
    size_t           n_now, n_next;
    double          *lp;      /* [V] ln p of this step */
    uint8_t         *taken;   /* [V] this label more is in the beam already */
};

static rg_status no_memory(struct beam *s)
{
    return rg_fail(&s->err, RG_ENOMEM, "decode: no memory for a beam of %zu", s->width);
}

/* ln(eᵃ + eᵇ) */
static double log_add(double a, double b)
{
    const double hi = a > b ? a : b, lo = a > b ? b : a;
    return lo == -INFINITY ? hi : hi + log1p(exp(lo - hi));
}

static int64_t steps_of(const rg_frames *f, int64_t b)
{
    return f->steps ? f->steps[b] : f->T;
}

/* ln softmax of row b at step t into s->lp; the lowest of the likeliest classes. */
static rg_status read_step(struct beam *s, int64_t t, int64_t b, int32_t *best)
{
    const rg_frames *f = s->f;
    const rg_logits l = { f->z, f->real, (t * f->B + b) * f->V, f->V, t, b, "class" };
    double lse;
    rg_status st = rg_logits_measure(&lse, best, &l, &s->err);
    for (int64_t v = 0; v < f->V && !st; v++)
        s->lp[v] = rg_logit(&l, v) - lse;
    return st;
}

/* ---- The best path --------------------------------------------------------------------------- */

static rg_status best_path(rg_result *out, struct beam *s, int64_t b)
{
    const rg_frames *f = s->f;
    int32_t *id = out->id + b * f->T;
    int32_t before = (int32_t)f->blank, best;
    size_t n = 0;
    double log_p = 0;
    for (int64_t t = 0; t < steps_of(f, b); t++) {
        rg_status st = read_step(s, t, b, &best);
        if (st)
            return st;
        if (best != f->blank && best != before)
            id[n++] = best;
        log_p += s->lp[best];
        before = best;
    }
    out->best[b] = (rg_hypothesis){ .id = id, .n = n, .finished = true, .log_p = log_p,
                                    .score = log_p };
    return RG_OK;
}

/* ---- The beam -------------------------------------------------------------------------------- */

/* Into the next beam, behind what is as likely. */
static void offer(struct beam *s, struct entry e)
{
    e.sum = log_add(e.blank, e.last);
    size_t at = s->n_next;
    if (e.sum == -INFINITY || (at == s->width && !(e.sum > s->next[at - 1].sum)))
        return;
    s->n_next += at < s->width;
    at = s->n_next - 1;
    for (; at > 0 && e.sum > s->next[at - 1].sum; at--)
        s->next[at] = s->next[at - 1];
    s->next[at] = e;
}

/* ln of the paths of e after which one more label is said: between equal ones there is a blank. */
static double ready(const struct beam *s, const struct entry *e, int32_t label)
{
    return s->node[e->node].label == label ? e->blank : e->sum;
}

/* Beginning e goes on as it is: a blank, its last label again, or for the first time after one
 * label less, where that is in the beam. */
static void stay(struct beam *s, const struct entry *e)
{
    const struct node *at = &s->node[e->node];
    const double p = at->label < 0 ? -INFINITY : s->lp[at->label];
    double last = e->last + p;
    for (size_t i = 0; i < s->n_now; i++)
        if (s->now[i].node == at->parent)
            last = log_add(last, ready(s, &s->now[i], at->label) + p);
    offer(s, (struct entry){ e->node, -1, e->sum + s->lp[s->f->blank], last, 0 });
}

/* Beginning e and one label more, where that is not in the beam. */
static void grow(struct beam *s, const struct entry *e)
{
    memset(s->taken, 0, (size_t)s->f->V);
    s->taken[s->f->blank] = 1;
    for (size_t i = 0; i < s->n_now; i++)
        if (s->node[s->now[i].node].parent == e->node)
            s->taken[s->node[s->now[i].node].label] = 1;
    for (int32_t v = 0; v < s->f->V; v++)
        if (!s->taken[v])
            offer(s, (struct entry){ e->node, v, -INFINITY, ready(s, e, v) + s->lp[v], 0 });
}

/* The node of one label more than @p parent, found or made; 0: no memory. */
static int32_t node_below(struct beam *s, int32_t parent, int32_t label)
{
    for (int32_t k = s->node[parent].child; k; k = s->node[k].sibling)
        if (s->node[k].label == label)
            return k;
    if (s->n_node >= INT32_MAX ||
        !rg_reserve(&s->alloc, &s->node, &s->cap, s->n_node + 1, sizeof *s->node))
        return 0;
    const int32_t made = (int32_t)s->n_node++;
    s->node[made] = (struct node){ parent, label, 0, s->node[parent].child };
    s->node[parent].child = made;
    return made;
}

static rg_status one_step(struct beam *s)
{
    s->n_next = 0;
    for (size_t i = 0; i < s->n_now; i++)
        stay(s, &s->now[i]);
    for (size_t i = 0; i < s->n_now; i++)
        grow(s, &s->now[i]);
    for (size_t i = 0; i < s->n_next; i++) {
        struct entry *e = &s->next[i];
        if (e->label >= 0 && !(e->node = node_below(s, e->node, e->label)))
            return no_memory(s);
        e->label = -1;
    }
    struct entry *swap = s->now;
    s->now = s->next;
    s->next = swap;
    s->n_now = s->n_next;
    return RG_OK;
}

/* Its labels, from the last to the first. */
static void read_back(rg_result *out, const struct beam *s, size_t row, const struct entry *e)
{
    int32_t *id = out->id + row * (size_t)s->f->T;
    size_t n = 0;
    for (int32_t k = e->node; k > 0; k = s->node[k].parent)
        n++;
    for (int32_t k = e->node, at = (int32_t)n; k > 0; k = s->node[k].parent)
        id[--at] = s->node[k].label;
    out->best[row] = (rg_hypothesis){ .id = id, .n = n, .finished = true, .log_p = e->sum,
                                      .score = e->sum };
}

static rg_status best_labels(rg_result *out, struct beam *s, int64_t b)
{
    rg_status st = RG_OK;
    int32_t likeliest;
    if (!rg_reserve(&s->alloc, &s->node, &s->cap, 1, sizeof *s->node))
        return no_memory(s);
    s->node[0] = (struct node){ -1, -1, 0, 0 };
    s->n_node = s->n_now = 1;
    s->now[0] = (struct entry){ 0, -1, 0, -INFINITY, 0 };
    for (int64_t t = 0; t < steps_of(s->f, b) && st == RG_OK; t++)
        if ((st = read_step(s, t, b, &likeliest)) == RG_OK)
            st = one_step(s);
    for (size_t i = 0; i < s->width && st == RG_OK; i++) {
        const size_t row = (size_t)b * s->width + i;
        if (i < s->n_now)
            read_back(out, s, row, &s->now[i]);
        else
            out->best[row] = (rg_hypothesis){ .id = out->id, .log_p = -INFINITY,
                                              .score = -INFINITY };
    }
    return st;
}

/* ---- All rows -------------------------------------------------------------------------------- */

static rg_status frames_fault(struct beam *s, int64_t width)
{
    const rg_frames *f = s->f;
    const char *wrong = !f ? "no frames"
        : f->real != RG_F32 && f->real != RG_F64 ? "logits are RG_F32 or RG_F64"
        : f->T < 0 || f->B < 1 || f->V < 1 || f->T > INT32_MAX || f->V > INT32_MAX ||
          f->B > INT32_MAX ? "frames are [T,B,V], B and V at least 1"
        : !f->z && f->T > 0 ? "no logits"
        : f->blank < 0 || f->blank >= f->V ? "the blank is no class"
        : width < 1 || width > 65536 ? "the beam's width must be 1 to 65536" : NULL;
    if (wrong)
        return rg_fail(&s->err, RG_EARG, "decode: %s", wrong);
    for (int64_t b = 0; f->steps && b < f->B; b++)
        if (f->steps[b] < 0 || f->steps[b] > f->T)
            return rg_fail(&s->err, RG_EARG, "decode: row %lld has %d steps, not 0 to %lld",
                           (long long)b, (int)f->steps[b], (long long)f->T);
    return RG_OK;
}

typedef rg_status row_fn(rg_result *out, struct beam *s, int64_t b);

static rg_status run(rg_result *out, struct beam *s, row_fn *row)
{
    const size_t rows = (size_t)s->f->B * s->width, V = (size_t)s->f->V;
    size_t ids;
    s->lp = rg_get(&s->alloc, V * sizeof *s->lp);
    s->taken = rg_get(&s->alloc, V);
    s->now = rg_get(&s->alloc, s->width * sizeof *s->now);
    s->next = rg_get(&s->alloc, s->width * sizeof *s->next);
    rg_status st = s->lp && s->taken && s->now && s->next &&
                   rg_mul_size(rows, (size_t)s->f->T, &ids) && rg_result_room(out, rows, ids, 0)
                 ? RG_OK : no_memory(s);
    for (int64_t b = 0; b < s->f->B && st == RG_OK; b++)
        st = row(out, s, b);
    rg_release(&s->alloc, s->lp, V * sizeof *s->lp);
    rg_release(&s->alloc, s->taken, V);
    rg_release(&s->alloc, s->now, s->width * sizeof *s->now);
    rg_release(&s->alloc, s->next, s->width * sizeof *s->next);
    rg_release(&s->alloc, s->node, s->cap * sizeof *s->node);
    return st;
}

static rg_status decode(rg_decoded **out, const rg_frames *frames, int64_t width, row_fn *row)
{
    struct beam s = { .f = frames, .width = (size_t)width };
    if (!out)
        return RG_EARG;
    rg_result *made = rg_result_create(out);
    if (!made)
        return RG_ENOMEM;
    s.alloc = made->alloc;
    rg_status st = frames_fault(&s, width);
    if (st == RG_OK && (st = run(made, &s, row)) == RG_OK) {
        made->seen.sources = frames->B;
        made->seen.width = width;
    }
    if (st)
        made->seen.best = NULL;
    memcpy(made->seen.message, s.err.text, sizeof made->seen.message);
    return st;
}

rg_status rg_decode_ctc_greedy(rg_decoded **out, const rg_frames *frames)
{
    return decode(out, frames, 1, best_path);
}

rg_status rg_decode_ctc_beam(rg_decoded **out, const rg_frames *frames, int64_t width)
{
    return decode(out, frames, width, best_labels);
}
