/* train/evaluate.c -- how well a model predicts a text: every character once, summed in f64. */
#include "train/lm.h"

#include "base/memory.h"
#include "base/real.h"

#include <string.h>

enum { STEPS = 64 };

/* Row r scores the characters r·L+1 .. (r+1)·L of the text, window by window. */
typedef struct scoring {
    rg_span  text;
    int64_t  T, R;
    size_t   L, windows;
    int32_t *x, *y;   /* [T,R] */
    rg_lm    lm;
    rg_plan *plan;
    rg_dtype real;    /* of the plan */
} scoring;

static void fill(const scoring *s, size_t window)
{
    for (int64_t t = 0; t < s->T; t++)
        for (int64_t r = 0; r < s->R; r++) {
            size_t step = window * (size_t)s->T + (size_t)t, at = (size_t)r * s->L + step;
            bool real = step < s->L && at + 1 < s->text.n;
            s->x[t * s->R + r] = real ? s->text.id[at] : 0;
            s->y[t * s->R + r] = real ? s->text.id[at + 1] : 0;
        }
}

/* Add up the positions that are no padding, in order of time, then row. */
static void add(rg_lm_score *out, const scoring *s, size_t window, const void *nats)
{
    for (int64_t t = 0; t < s->T; t++)
        for (int64_t r = 0; r < s->R; r++) {
            size_t step = window * (size_t)s->T + (size_t)t;
            if (step >= s->L || (size_t)r * s->L + step + 1 >= s->text.n)
                continue;
            out->nats += rg_real_at(nats, s->real, (size_t)(t * s->R + r));
            out->count++;
        }
}

static void measure(scoring *s, rg_span text, const rg_lm_score_opts *o)
{
    size_t rows = o->rows ? o->rows : 1, n = text.n - 1;
    rows = rows < n ? rows : n;
    s->text = text;
    s->R = (int64_t)rows;
    s->L = (n + rows - 1) / rows;
    s->T = s->L < STEPS ? (int64_t)s->L : STEPS;
    s->windows = (s->L + (size_t)s->T - 1) / (size_t)s->T;
    size_t most = o->limit / (rows * (size_t)s->T) + (o->limit % (rows * (size_t)s->T) > 0);
    if (o->limit && most < s->windows)
        s->windows = most;
    s->real = o->plan.real;
}

static rg_status prepare(scoring *s, rg_params *params, const rg_lm_opts *model,
                         const rg_lm_score_opts *o, rg_err *err)
{
    rg_alloc a;
    (void)rg_alloc_resolve(&a, NULL);
    size_t bytes = (size_t)(s->T * s->R) * sizeof *s->x;
    s->x = rg_get(&a, bytes);
    s->y = rg_get(&a, bytes);
    if (!s->x || !s->y)
        return rg_fail(err, RG_ENOMEM, "evaluation: no memory for a window");
    rg_lm_form form = { .T = s->T, .B = s->R, .stream = true };
    rg_status st = rg_lm_build(&s->lm, params, model, &form);
    if (st)
        return rg_fail(err, st, "%s", s->lm.graph ? rg_graph_message(s->lm.graph)
                                                  : rg_params_message(params));
    st = rg_lm_plan(&s->plan, &s->lm, s->lm.nats, &o->plan, err);
    if (st == RG_OK)
        st = rg_lm_bind(s->plan, &s->lm, s->x, s->y, bytes, err);
    return st ? st : rg_lm_start(s->plan, &s->lm, params, model, 0);
}

static rg_status score(rg_lm_score *out, scoring *s, const rg_lm_score_opts *o, rg_err *err)
{
    for (size_t w = 0; w < s->windows; w++) {
        if (o->stop && o->stop(o->user))
            return rg_fail(err, RG_EUSER, "evaluation: stopped");
        fill(s, w);
        rg_status st = rg_plan_run(s->plan);
        if (st)
            return rg_fail(err, st, "%s", rg_plan_message(s->plan));
        add(out, s, w, rg_plan_data(s->plan, s->lm.nats));
    }
    return RG_OK;
}

static void release(scoring *s)
{
    rg_alloc a;
    (void)rg_alloc_resolve(&a, NULL);
    size_t bytes = (size_t)(s->T * s->R) * sizeof *s->x;
    rg_plan_destroy(&s->plan);
    rg_lm_destroy(&s->lm);
    rg_release(&a, s->x, bytes);
    rg_release(&a, s->y, bytes);
}

rg_status rg_lm_evaluate(rg_lm_score *out, rg_params *params, const rg_lm_opts *model,
                         rg_span text, const rg_lm_score_opts *opts)
{
    static const rg_lm_score_opts none;
    rg_err err = { .status = RG_OK };
    scoring s = { .R = 0 };
    if (!out)
        return RG_EARG;
    memset(out, 0, sizeof *out);
    opts = opts ? opts : &none;
    rg_status st = RG_OK;
    if (!params || !model || !text.id || text.n < 2)
        st = rg_fail(&err, RG_EARG, "evaluation: needs a model and two characters");
    if (st == RG_OK) {
        measure(&s, text, opts);
        st = prepare(&s, params, model, opts, &err);
    }
    if (st == RG_OK)
        st = score(out, &s, opts, &err);
    release(&s);
    if (st) {
        memset(out, 0, sizeof *out);
        memcpy(out->message, err.text, sizeof err.text);
    }
    return st;
}
