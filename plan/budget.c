/* plan/budget.c -- a plan within a byte budget: the whole one, or the one that computes least again
 * among those that fit.
 *
 * What a plan needs is known when it is made, so candidates are made and looked at, without taking
 * their arenas. First the size of a chunk: the largest with which the budget can be met at all.
 * Then the share of the steps: arenas shrink about linearly with it, so a few guesses find the
 * smallest that fits. */
#include "plan/plan.h"

#include "kernels/product.h"
#include "plan/pipeline.h"

enum { WHOLE = 1024, GRAIN = 8, MOST_GUESSES = 8 }; /* of a share */

/* Rows of a chunk: below 256 what is read and written once a chunk begins to show. */
static const int64_t heights[] = { 256, 192, 128, 96, 64, 32, 1 };

struct search {
    rg_graph     *g;
    const rg_val *roots;
    size_t        n;
    rg_plan_opts  opts;    /* of candidates */
    rg_err       *err;
};

/* Bytes of a candidate; *fits. */
static rg_status look(const struct search *s, const rg_again *again, size_t *bytes, bool *fits)
{
    rg_plan *plan = NULL;
    const rg_status st = rg_plan_make(&plan, s->g, s->roots, s->n, &s->opts, again, bytes, s->err);
    rg_plan_destroy(&plan);
    *fits = st == RG_OK;
    return st == RG_ELIMIT ? RG_OK : st;
}

/* The tallest chunks with which it fits; else *bytes is the least of all. In short loops what comes
 * on top of the states may be less if not all steps are computed again. */
static rg_status find_height(const struct search *s, rg_again *again, size_t *bytes, bool *fits)
{
    size_t least = SIZE_MAX;
    rg_status st = RG_OK;
    for (uint32_t share = WHOLE; share >= WHOLE / 2 && !*fits; share -= WHOLE / 4)
        for (size_t i = 0; i < sizeof heights / sizeof *heights && !st && !*fits; i++) {
            *again = (rg_again){ heights[i], share };
            st = look(s, again, bytes, fits);
            least = *bytes < least ? *bytes : least;
        }
    *bytes = *fits ? *bytes : least;
    return st;
}

/* The smallest share that fits lies above `low`, whose plan has `above` bytes, and not above
 * again->share, whose has `below`. */
static rg_status find_share(const struct search *s, rg_again *again, size_t above, size_t below)
{
    uint32_t low = 0;
    rg_status st = RG_OK;
    for (int i = 0; i < MOST_GUESSES && !st && again->share - low > GRAIN; i++) {
        const uint32_t span = again->share - low;
        const double part = (double)(above - s->opts.budget_bytes) / (double)(above - below);
        const uint32_t guess = (uint32_t)((double)span * part) + GRAIN / 2;
        const uint32_t share = low + (guess < span ? guess ? guess : 1 : span - 1);
        size_t bytes = 0;
        bool fits = false;
        st = look(s, &(rg_again){ again->rows, share }, &bytes, &fits);
        if (fits) {
            again->share = share;
            below = bytes;
        } else {
            low = share;
            above = bytes;
        }
    }
    return st;
}

/* Only our own products have rows with bits of their own. */
static bool may_recompute(const rg_plan_opts *o)
{
    return o->budget_bytes && o->effort != RG_INTERPRET && o->real == RG_F32 && !o->keep &&
           (o->portable || rg_product_table(rg_cpu_isa())->fused) &&
           !rg_pipeline_has(o->disable, "recompute") && !rg_pipeline_has(o->disable, "steps");
}

rg_status rg_plan_within(rg_plan **out, rg_graph *g, const rg_val *roots, size_t n,
                         const rg_plan_opts *o, rg_err *err)
{
    struct search s = { g, roots, n, *o, err };
    rg_again again = { 0, 0 };
    size_t whole = 0, bytes = 0;
    bool fits = false;
    rg_status st = rg_plan_make(out, g, roots, n, o, &again, &whole, err);
    if (st != RG_ELIMIT || !may_recompute(o) || whole <= o->budget_bytes)
        return st;
    s.opts.dry_run = true;
    s.opts.trace = NULL;
    if ((st = find_height(&s, &again, &bytes, &fits)))
        return st;
    if (!fits)
        return rg_fail(err, RG_ELIMIT, "plan: a run needs %zu bytes, with recomputing at least "
                       "%zu, the budget is %zu", whole, bytes < whole ? bytes : whole,
                       o->budget_bytes);
    if ((st = find_share(&s, &again, whole, bytes)))
        return st;
    return rg_plan_make(out, g, roots, n, o, &again, &bytes, err);
}
