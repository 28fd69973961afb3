/* train/sampler.c -- a model that writes: one step at a time, one uniform number per character. */
#include "train/lm.h"

#include "base/philox.h"
#include "base/real.h"
#include "graph/params.h"
#include "train/likeliest.h"

#include <math.h>
#include <string.h>

struct rg_sampler {
    rg_alloc        alloc;
    rg_err          err;
    rg_sampler_opts opts;
    int64_t         V;
    rg_lm           lm;
    rg_plan        *plan;
    int32_t         x[1], y[1];
    int32_t         unread;  /* the character that the model has not seen yet, -1: none */
    const rg_params *params;
    rg_lm_opts      model;   /* says what it starts with */
    uint64_t        drawn;
    double         *p;       /* [V] weights of the draw */
    int32_t        *heap;    /* [V] */
    bool           *never;   /* [V] not to be drawn */
};

static rg_status read_one(rg_sampler *s, int32_t id)
{
    s->x[0] = id;
    rg_status st = rg_plan_run(s->plan);
    return st ? rg_fail(&s->err, st, "%s", rg_plan_message(s->plan)) : RG_OK;
}

static rg_status make_room(rg_sampler *s)
{
    s->p = rg_get(&s->alloc, (size_t)s->V * sizeof *s->p);
    s->heap = rg_get(&s->alloc, (size_t)s->V * sizeof *s->heap);
    s->never = rg_get(&s->alloc, (size_t)s->V * sizeof *s->never);
    if (!s->p || !s->heap || !s->never)
        return rg_fail(&s->err, RG_ENOMEM, "sampler: no memory");
    return RG_OK;
}

static rg_status exclude(rg_sampler *s, rg_span never)
{
    int64_t left = s->V;
    for (size_t i = 0; i < never.n; i++) {
        const int32_t id = never.id[i];
        if (id < 0 || id >= s->V)
            return rg_fail(&s->err, RG_EARG, "sampler: never has %d, symbols are 0 to %lld",
                           (int)id, (long long)s->V - 1);
        left -= !s->never[id];
        s->never[id] = true;
    }
    s->opts.never = (rg_span){ NULL, 0 };
    return left ? RG_OK : rg_fail(&s->err, RG_EARG, "sampler: never leaves no symbol to draw");
}

static rg_status build(rg_sampler *s, rg_params *params, const rg_lm_opts *model)
{
    rg_lm_form form = { .T = 1, .B = 1, .stream = true };
    rg_status st = rg_lm_build(&s->lm, params, model, &form);
    if (st)
        return rg_fail(&s->err, st, "%s", s->lm.graph ? rg_graph_message(s->lm.graph)
                                                      : rg_params_message(params));
    if ((st = rg_lm_plan(&s->plan, &s->lm, s->lm.z, &s->opts.plan, &s->err)) ||
        (st = rg_lm_bind(s->plan, &s->lm, s->x, s->y, sizeof s->x, &s->err)) ||
        (st = rg_lm_start(s->plan, &s->lm, params, model, 0)))
        return st;
    s->V = model->V;
    st = make_room(s);
    return st ? st : exclude(s, s->opts.never);
}

static rg_status read_prime(rg_sampler *s, rg_span prime)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < prime.n; i++)
        if (prime.id[i] < 0 || prime.id[i] >= s->V)
            return rg_fail(&s->err, RG_EINDEX, "sampler: prime has %d, symbols are 0 to %lld",
                           (int)prime.id[i], (long long)s->V - 1);
    for (size_t i = 0; st == RG_OK && i + 1 < prime.n; i++)
        st = read_one(s, prime.id[i]);
    s->unread = prime.n ? prime.id[prime.n - 1] : 0;
    s->opts.prime = (rg_span){ NULL, 0 };
    return st;
}

rg_status rg_sampler_create(rg_sampler **out, rg_params *params, const rg_lm_opts *model,
                            const rg_sampler_opts *opts)
{
    static const rg_sampler_opts none;
    rg_alloc alloc;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params || !model)
        return RG_EARG;
    opts = opts ? opts : &none;
    if (!(opts->temperature >= 0 && isfinite(opts->temperature)) || opts->top_k < 0)
        return rg_fail(&params->err, RG_EARG, "sampler: temperature and top_k must be 0 or more");
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_sampler *s = rg_get(&alloc, sizeof *s);
    if (!s)
        return rg_fail(&params->err, RG_ENOMEM, "sampler: no memory");
    *s = (rg_sampler){ .alloc = alloc, .opts = *opts, .params = params, .model = *model };
    rg_status st = build(s, params, model);
    if (st == RG_OK)
        st = read_prime(s, opts->prime);
    if (st) {
        rg_fail(&params->err, st, "%s", s->err.text);
        rg_sampler_destroy(&s);
    }
    *out = s;
    return st;
}

void rg_sampler_destroy(rg_sampler **out)
{
    rg_sampler *s = out ? *out : NULL;
    if (!s)
        return;
    rg_plan_destroy(&s->plan);
    rg_lm_destroy(&s->lm);
    rg_release(&s->alloc, s->p, (size_t)s->V * sizeof *s->p);
    rg_release(&s->alloc, s->heap, (size_t)s->V * sizeof *s->heap);
    rg_release(&s->alloc, s->never, (size_t)s->V * sizeof *s->never);
    rg_alloc alloc = s->alloc;
    rg_release(&alloc, s, sizeof *s);
    *out = NULL;
}

const char *rg_sampler_message(const rg_sampler *s)
{
    return s ? s->err.text : "no sampler";
}

/* ---- Drawing -------------------------------------------------------------------------------- */

/* p[v] = exp((z_v - max z)/temperature), 0 for what is never drawn; the likeliest character, or -1
 * where z is no number. */
static int32_t weigh(rg_sampler *s)
{
    const void *z = rg_plan_data(s->plan, s->lm.z);
    int32_t best = -1;
    for (int64_t v = 0; v < s->V; v++) {
        s->p[v] = rg_real_at(z, s->opts.plan.real, (size_t)v);
        if (!isfinite(s->p[v]))
            return -1;
        if (s->never[v])
            s->p[v] = -INFINITY;
        else if (best < 0 || s->p[v] > s->p[best])
            best = (int32_t)v;
    }
    double most = s->p[best], temperature = s->opts.temperature;
    for (int64_t v = 0; temperature > 0 && v < s->V; v++)
        s->p[v] = exp((s->p[v] - most) / temperature);
    return best;
}

/* One of the weighed. */
static int32_t draw(rg_sampler *s)
{
    rg_keep_likeliest(s->p, s->heap, s->V, s->opts.top_k, 0);
    uint64_t tail = rg_stream_tail(rg_fnv1a("sample"), s->drawn++);
    double u = rg_draw_uniform(s->opts.seed, RG_DOMAIN_SAMPLING, tail, 0);
    return rg_draw_weighted(s->p, s->V, u);
}

/* The model reads what it has not yet; the weights of what comes next, and the likeliest. */
static rg_status look(rg_sampler *s, int32_t *best)
{
    rg_status st = s->unread >= 0 ? read_one(s, s->unread) : RG_OK;
    if (st)
        return st;
    s->unread = -1;
    *best = weigh(s);
    return *best >= 0 ? RG_OK : rg_fail(&s->err, RG_ENONFINITE,
                                        "sampler: the model's logits are not numbers");
}

rg_status rg_sampler_next(int32_t *id, rg_sampler *s)
{
    int32_t best;
    if (!id || !s)
        return RG_EARG;
    rg_status st = look(s, &best);
    if (st == RG_OK)
        *id = s->unread = s->opts.temperature > 0 ? draw(s) : best;
    return st;
}

rg_status rg_sampler_chances(double *p, rg_sampler *s)
{
    double sum = 0;
    int32_t best;
    if (!p || !s)
        return RG_EARG;
    rg_status st = look(s, &best);
    if (st)
        return st;
    if (s->opts.temperature > 0)
        rg_keep_likeliest(s->p, s->heap, s->V, s->opts.top_k, 0);
    for (int64_t v = 0; v < s->V; v++)
        sum += p[v] = s->opts.temperature > 0 ? s->p[v] : v == best;
    for (int64_t v = 0; v < s->V; v++)
        p[v] /= sum;
    return RG_OK;
}

rg_status rg_sampler_begin(rg_sampler *s, rg_span prime)
{
    if (!s || (!prime.id && prime.n))
        return RG_EARG;
    rg_status st = rg_lm_start(s->plan, &s->lm, s->params, &s->model, 0);
    return st ? rg_fail(&s->err, st, "%s", rg_plan_message(s->plan)) : read_prime(s, prime);
}
