/* train/cache.c -- plans by shape of batch: built when first asked for, kept while used. */
#include <retrograd/batches.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/params.h"

#include <string.h>

/* A plan of the cache; at = 0: free. */
struct entry {
    rg_cached_plan made;
    uint64_t       at;  /* number of the call that asked for it last, from 1 */
};

struct rg_plan_cache {
    rg_alloc      alloc;
    rg_params    *params, *state;
    rg_build_fn  *build;
    void         *user;
    struct entry *entry;
    size_t        capacity;
    int64_t      *run;      /* of `state`: number of the next run */
    uint64_t      calls, built;
    rg_err        err;
};

static void drop(struct entry *e)
{
    rg_plan_destroy(&e->made.plan);
    rg_graph_destroy(&e->made.graph);
    memset(e, 0, sizeof *e);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static rg_status open_state(rg_plan_cache *c)
{
    rg_slot *run;
    rg_status st = rg_params_create(&c->state, 0, &(rg_params_opts){ .alloc = c->alloc });
    if (st == RG_OK)
        st = rg_params_declare(&run, c->state, "plan.run", RG_SCALAR, RG_I64, NULL);
    if (st)
        return st;
    c->state->prefix = "plan."; /* what a file may bring undeclared */
    c->run = run->data;
    return RG_OK;
}

rg_status rg_plan_cache_create(rg_plan_cache **out, rg_params *params, rg_build_fn *build,
                               void *user, const rg_plan_cache_opts *opts)
{
    const size_t capacity = opts && opts->capacity ? opts->capacity : 32;
    rg_alloc alloc;
    size_t bytes;
    rg_status st;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params || !build)
        return RG_EARG;
    if ((st = rg_alloc_resolve(&alloc, opts ? &opts->alloc : NULL)))
        return st;
    rg_plan_cache *c = rg_get(&alloc, sizeof *c);
    if (!c)
        return RG_ENOMEM;
    *c = (rg_plan_cache){ .alloc = alloc, .params = params, .build = build, .user = user };
    if (rg_mul_size(capacity, sizeof *c->entry, &bytes) && (c->entry = rg_get(&alloc, bytes)))
        c->capacity = capacity;
    st = c->entry ? open_state(c) : RG_ENOMEM;
    if (st)
        rg_plan_cache_destroy(&c);
    *out = c;
    return st;
}

void rg_plan_cache_destroy(rg_plan_cache **cache)
{
    rg_plan_cache *c = cache ? *cache : NULL;
    if (!c)
        return;
    for (size_t i = 0; i < c->capacity; i++)
        drop(&c->entry[i]);
    rg_release(&c->alloc, c->entry, c->capacity * sizeof *c->entry);
    rg_params_destroy(&c->state);
    rg_alloc alloc = c->alloc;
    rg_release(&alloc, c, sizeof *c);
    *cache = NULL;
}

/* ---- Looking up ----------------------------------------------------------------------------- */

/* The plan of that shape; without one the place for it, which a free one is, or the stalest. */
static struct entry *find(const rg_plan_cache *c, int64_t T, int64_t B)
{
    struct entry *stalest = c->entry;
    for (size_t i = 0; i < c->capacity; i++) {
        struct entry *e = &c->entry[i];
        if (e->at && e->made.T == T && e->made.B == B)
            return e;
        if (e->at < stalest->at)
            stalest = e;
    }
    return stalest;
}

static rg_status build(rg_plan_cache *c, struct entry *e, int64_t T, int64_t B)
{
    rg_cached_plan *m = &e->made;
    drop(e);
    m->T = T;
    m->B = B;
    rg_status st = rg_graph_create(&m->graph, c->params, &(rg_graph_opts){ .alloc = c->alloc });
    if (st)
        return rg_fail(&c->err, st, "plan cache: no memory for a graph");
    st = c->build(c->user, m);
    if (st == RG_OK && !m->plan)
        st = rg_graph_status(m->graph) ? rg_graph_status(m->graph) : RG_EUSER;
    if (st == RG_OK) {
        c->built++;
        return RG_OK;
    }
    const char *why = rg_graph_message(m->graph);
    rg_fail(&c->err, st, "plan for %lld steps and %lld rows: %s", (long long)T, (long long)B,
            *why ? why : "the builder made none, and left no message in the graph");
    drop(e);
    return st;
}

rg_status rg_plan_cache_get(rg_cached_plan **out, rg_plan_cache *c, int64_t T, int64_t B)
{
    rg_status st;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!c)
        return RG_EARG;
    if (T < 0 || B < 0)
        return rg_fail(&c->err, RG_EARG, "plan cache: %lld steps, %lld rows: both must be 0 or "
                       "more", (long long)T, (long long)B);
    struct entry *e = find(c, T, B);
    bool here = e->at && e->made.T == T && e->made.B == B;
    if (!here && (st = build(c, e, T, B)))
        return st;
    e->at = ++c->calls;
    rg_param_info number = rg_params_find(rg_plan_state(e->made.plan), "plan.run");
    *(int64_t *)number.data = (*c->run)++;
    *out = &e->made;
    return RG_OK;
}

const char *rg_plan_cache_message(const rg_plan_cache *c)
{
    return c ? c->err.text : "no plan cache";
}

rg_params *rg_plan_cache_state(rg_plan_cache *c)
{
    return c ? c->state : NULL;
}

rg_plan_cache_report rg_plan_cache_facts(const rg_plan_cache *c)
{
    rg_plan_cache_report r = { .plans = 0 };
    for (size_t i = 0; c && i < c->capacity; i++)
        if (c->entry[i].at) {
            r.plans++;
            r.arena_bytes += rg_plan_facts(c->entry[i].made.plan).arena_bytes;
        }
    if (c) {
        r.runs = (uint64_t)*c->run;
        r.built = c->built;
    }
    return r;
}
