/* check/difference.c -- the oracle that needs nothing but values: four-point differences, with what
 * they may be off. docs/MATH.md 13.3. */
#include "check/check.h"

#include <float.h>
#include <math.h>
#include <string.h>

size_t rg_check_directions_of(const rg_check_tensor *t, size_t n_alone)
{
    return (uint64_t)t->n <= n_alone ? (size_t)t->n : RG_CHECK_RANDOM;
}

/* Direction j: element j alone if there are as many directions as elements, else a random one. */
void rg_check_move(const rg_check_block *b, size_t n, size_t j, double m)
{
    const rg_check_tensor *t = b->tensor;
    const double *d = t->direction + (int64_t)j * t->n;
    if ((int64_t)n == t->n) {
        b->x[j] = t->base[j] + m * t->step;
        return;
    }
    for (int64_t i = 0; i < t->n; i++)
        b->x[i] = t->base[i] + m * d[i];
}

double rg_check_along(const rg_check_tensor *t, const double *g, size_t n, size_t j)
{
    const double *d = t->direction + (int64_t)j * t->n;
    double sum = 0;
    if ((int64_t)n == t->n)
        return g[j];
    for (int64_t i = 0; i < t->n; i++)
        sum += g[i] * (d[i] / t->step);
    return sum;
}

/* ---- One block ------------------------------------------------------------------------------ */

enum { LENGTHS = RG_CHECK_LEVELS + 2 }; /* level k reads differences at 2ᵏ, 2ᵏ⁺¹ and 2ᵏ⁺² */

struct stencil {
    rg_check           *c;
    rg_check_objective *o;
    rg_check_result    *r;
    double  *slope;           /* [LENGTHS][n]: (f(h) - f(-h)) / 2h at h = 2ᵐ·h₀ */
    uint8_t *crossed;         /* [LENGTHS][n] */
    int      known;           /* lengths measured so far */
    double   most;            /* |f| seen */
};

/* A level's estimate, and what it may be off. */
struct level {
    double tau, nu, sigma, norm;  /* over the block */
    size_t excluded;
};

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Central differences at the next length, in all directions. */
static rg_status measure(struct stencil *s)
{
    const size_t n = s->r->n, at = (size_t)s->known * n;
    const double m = ldexp(1, s->known);
    rg_status st = RG_OK;
    for (size_t j = 0; j < n && !st; j++) {
        double f[2];
        bool crossed[2];
        for (int side = 0; side < 2 && !st; side++) {
            rg_check_move(s->r->block, n, j, side ? -m : m);
            st = rg_check_value(s->c, s->o, &f[side], &crossed[side]);
            if (st)
                break;
            s->most = fmax(s->most, fabs(f[side]));
            s->r->same = s->r->same && same_bits(f[side], s->o->base);
        }
        rg_check_move(s->r->block, n, j, 0);
        if (st)
            break;
        s->slope[at + j] = (f[0] - f[1]) / (2 * m * s->r->block->tensor->step);
        s->crossed[at + j] = crossed[0] || crossed[1];
    }
    s->known++;
    return st;
}

/* n(h) = (4·n₂(h) - n₂(2h)) / 3 at h = 2ᵏ·h₀ */
static double estimate(const struct stencil *s, int k, size_t j)
{
    const size_t n = s->r->n, at = (size_t)k * n + j;
    return (4 * s->slope[at] - s->slope[at + n]) / 3;
}

static bool excluded(const struct stencil *s, int k, size_t j)
{
    const size_t n = s->r->n, at = (size_t)k * n + j;
    return s->crossed[at] || s->crossed[at + n] || s->crossed[at + 2 * n];
}

/* τ = |n(2h) - n(h)| / 15,  ν = 1.5·ε_f / h,  ε_f = 4·eps·max(|f|, Σ|terms|) */
static rg_status climb(struct stencil *s, int k, struct level *out)
{
    rg_status st = RG_OK;
    while (s->known < k + 3 && !st)
        st = measure(s);
    *out = (struct level){ .tau = 0 };
    for (size_t j = 0; j < s->r->n && !st; j++) {
        const double n = estimate(s, k, j);
        if (excluded(s, k, j)) {
            out->excluded++;
            continue;
        }
        const double tau = fabs(estimate(s, k + 1, j) - n) / 15;
        out->tau = isfinite(tau) ? fmax(out->tau, tau) : INFINITY;
        out->norm = fmax(out->norm, fabs(n));
    }
    const double noise = fmax(4 * DBL_EPSILON * s->most, s->o->noise);
    out->nu = 1.5 * noise / ldexp(s->r->block->tensor->step, k);
    out->sigma = out->tau + out->nu;
    return st;
}

static bool kinked(const struct stencil *s, const struct level *l)
{
    return 10 * l->excluded > s->r->n;
}

/* Not even the least noise of all levels would resolve it. */
static bool hopeless(const struct stencil *s, const struct level *l)
{
    return ldexp(l->nu, 1 - RG_CHECK_LEVELS) > s->c->rtol * (l->norm + l->sigma);
}

/* The level of least σ; one is enough if it resolves the block, and longer steps end at kinks. */
static rg_status choose(struct stencil *s, int *best, struct level *at)
{
    rg_status st = climb(s, 0, at);
    *best = 0;
    if (hopeless(s, at))
        return st;
    for (int k = 1; k < RG_CHECK_LEVELS && !st; k++) {
        struct level l;
        if (kinked(s, at) || at->sigma <= s->c->rtol * at->norm)
            break;
        if ((st = climb(s, k, &l)) || kinked(s, &l))
            break;
        if (l.sigma < at->sigma) {
            *at = l;
            *best = k;
        }
    }
    return st;
}

/* Which values of the program depend on the block. */
static void mark_moving(uint8_t *moves, const rg_plan *plan, rg_val leaf)
{
    const rg_prog *p = &plan->prog;
    const uint32_t at = leaf.id < p->n_of_graph ? p->of_graph[leaf.id] : 0;
    for (uint32_t id = 1; id < p->n_node; id++) {
        moves[id] = id == at;
        for (uint32_t k = 0; k < p->node[id].n_in && !moves[id]; k++)
            moves[id] = moves[p->node[id].in[k]];
    }
}

/* Only what the block moves is computed again and again, and in the end once at the base point. */
static rg_status measured(struct stencil *s, int *best, struct level *at)
{
    const size_t n = s->o->eval->prog.n_node;
    uint8_t *moves = rg_get(&s->c->alloc, n);
    if (!moves)
        return rg_fail(&s->c->err, RG_ENOMEM, "gradcheck: no memory");
    mark_moving(moves, s->o->eval, s->r->block->leaf);
    s->o->eval->watch = &(rg_plan_watch){ .only = moves };
    rg_status st = choose(s, best, at);
    if (!st)
        st = rg_check_run(s->c, s->o->eval);
    s->o->eval->watch = NULL;
    rg_release(&s->c->alloc, moves, n);
    return st;
}

rg_status rg_check_difference(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    const size_t count = LENGTHS * r->n;
    struct stencil s = { .c = c, .o = o, .r = r, .most = fabs(o->base) };
    struct level at = { .tau = 0 };
    int k = 0;
    s.slope = rg_get(&c->alloc, count * sizeof *s.slope);
    s.crossed = rg_get(&c->alloc, count);
    r->same = true;
    rg_status st = s.slope && s.crossed ? measured(&s, &k, &at)
                                        : rg_check_no_memory(c);
    for (size_t j = 0; j < r->n && !st; j++) {
        r->want[j] = estimate(&s, k, j);
        r->out[j] = excluded(&s, k, j);
    }
    r->excluded = at.excluded;
    r->sigma = at.sigma;
    r->h = ldexp(r->block->tensor->step, k);
    r->rtol = c->rtol;
    r->exact = false;
    r->reason = kinked(&s, &at)         ? "next to kinks: move inputs away from them"
                : !isfinite(at.sigma)   ? "not finite next to the point"
                : at.tau > at.nu        ? "changes too fast for the step"
                                        : "below the noise of the loss";
    rg_release(&c->alloc, s.slope, count * sizeof *s.slope);
    rg_release(&c->alloc, s.crossed, count);
    return st;
}
