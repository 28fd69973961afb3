/* tests/plan/diffchecks.c -- the checks of the differential test, and passes that they must find
 * wrong. */
#include "tests/plan/diffchecks.h"

#include "plan/made.h"
#include "plan/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 16 };

diff_state diff = { .passes = tested_passes };

/* A graph, and what its roots are. */
struct subject {
    const random_graph *r;
    uint64_t            seed;
    root_values         base;
};

/* ---- Programs between passes ---------------------------------------------------------------- */

/* How far an order of sums may move the roots: more than usual only where rounding alone does, as
 * before the sine of a large sum, whose partial sums err like a random walk. */
static double reordered(program *p, const random_graph *r, double off, double usual)
{
    int64_t most = 1;
    if (!(off > usual) || !isfinite(off))
        return usual;
    for (uint32_t id = 1; id < p->prog.n_node; id++) {
        const int64_t n = rg_shape_count(*p->prog.node[id].shape);
        most = n > most ? n : most;
    }
    return fmax(usual, 8 * sqrt((double)most) * program_spread(p, r) * 0x1p-29);
}

/* Sums that run from the last row to the first, in reference kernels too: those of other ops do so
 * in our own product alone. */
static size_t backward_sums(const rg_prog *p)
{
    size_t n = 0;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_op *op = p->node[id].op;
        n += (op == &rg_op_matmul_stretch || op == &rg_op_sum_stretch) &&
             rg_sums_backwards(p, &p->node[id]);
    }
    return n;
}

/* What the program computes after `done`, against what it was before and at first. */
static bool agrees(const struct subject *s, program *p, const tested_pass *pass, const char *where,
                   root_values *before)
{
    root_values now = { .x = NULL };
    const size_t backward = backward_sums(&p->prog);
    if (program_pass(p, pass))
        (void)snprintf(diff.why, sizeof diff.why, "%s, %s: %.250s", where, pass->name, p->err.text);
    else
        now = program_run(p, s->r);
    bool ok = now.x && !now.status;
    if (now.status)
        (void)snprintf(diff.why, sizeof diff.why, "%s, %s: a kernel refuses", where, pass->name);
    const double off = ok ? values_apart(s->r, before, &now) : 0;
    const bool exact = pass->exact && backward_sums(&p->prog) <= backward;
    if (ok && exact && !values_same(before, &now, false)) {
        (void)snprintf(diff.why, sizeof diff.why, "%s: %s is exact, and off by %g", where,
                       pass->name, off);
        ok = false;
    } else if (ok && !(off <= reordered(p, s->r, off, 1e-12))) {
        (void)snprintf(diff.why, sizeof diff.why, "%s: %s is off by %g", where, pass->name, off);
        ok = false;
    }
    diff.worst_program = ok ? fmax(diff.worst_program, off) : diff.worst_program;
    if (before->x != s->base.x)
        free(before->x);
    *before = now;
    return ok;
}

/* Passes in an order, each held against the program before it. */
static bool in_order(const struct subject *s, const size_t *order, size_t n, bool alone,
                     const char *where)
{
    program p = { .made = false };
    const tested_pass *one = &diff.passes[order[0]];
    root_values before = s->base;
    bool ok = !program_make(&p, s->r, !alone || strcmp(one->name, "fold") == 0,
                            !alone || strcmp(one->name, "cse") == 0,
                            !alone || strcmp(one->name, "dce") == 0);
    for (size_t i = 0; i < n && ok; i++)
        ok = agrees(s, &p, &diff.passes[order[i]], where, &before);
    if (before.x != s->base.x)
        free(before.x);
    if (!program_free(&p) && ok) {
        (void)snprintf(diff.why, sizeof diff.why, "%s: memory came back in another size", where);
        return false;
    }
    return ok;
}

static bool after_every_pass(const struct subject *s)
{
    size_t order[PASSES];
    for (size_t i = 0; i < n_tested_passes; i++)
        order[i] = i;
    return in_order(s, order, n_tested_passes, false, "in order");
}

static bool each_alone(const struct subject *s)
{
    bool ok = true;
    for (size_t i = 0; i < n_tested_passes && ok; i++)
        ok = in_order(s, &i, 1, true, "alone");
    return ok;
}

/* All in another order, some twice; `fuse` remarks on the final program and stays last. */
static bool shuffled(const struct subject *s)
{
    size_t order[PASSES + 4];
    const size_t n = n_tested_passes - 1;
    uint64_t state = s->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    char where[200] = "shuffled";
    for (size_t i = 0; i < n + 3; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const size_t k = i < n ? (size_t)(state >> 33) % (i + 1) : (size_t)(state >> 33) % n;
        if (i < n) {
            order[i] = order[k];
            order[k] = i;
        } else {
            order[i] = k;
        }
    }
    order[n + 3] = n;
    for (size_t i = 0; i < n + 4; i++)
        (void)snprintf(where + strlen(where), sizeof where - strlen(where), " %s",
                       diff.passes[order[i]].name);
    return in_order(s, order, n + 4, false, where);
}

/* ---- Plans ---------------------------------------------------------------------------------- */

struct trial {
    rg_dtype    real;
    const char *disable;
    int         threads;
    bool        poison, keep, steady;
};

static root_values read_roots(const random_graph *r, rg_plan *plan, rg_dtype real)
{
    root_values v = { .n = 0 };
    for (size_t i = 0; i < r->n_root; i++)
        v.n += (size_t)rg_shape_count(rg_shape_of(r->root[i]));
    if (!(v.x = calloc(v.n + 1, sizeof *v.x)))
        abort();
    size_t at = 0;
    for (size_t i = 0; i < r->n_root; i++) {
        const void *data = rg_plan_data(plan, r->root[i]);
        const size_t n = (size_t)rg_shape_count(rg_shape_of(r->root[i]));
        const rg_kind kind = rg_kind_of(r->root[i]);
        for (size_t k = 0; k < n; k++)
            v.x[at++] = kind == RG_INT ? ((const int32_t *)data)[k]
                      : kind == RG_BOOL ? ((const uint8_t *)data)[k]
                      : real == RG_F64 ? ((const double *)data)[k]
                                       : (double)((const float *)data)[k];
    }
    return v;
}

/* Two runs, so that memory of the first could leak into the second. */
static root_values compute(const random_graph *r, rg_effort effort, const struct trial *t)
{
    rg_plan *plan;
    root_values v = { .x = NULL };
    const rg_plan_opts opts = {
        .real = t->real, .mode = RG_TRAIN, .effort = effort, .threads = t->threads,
        .disable = t->disable, .verify = true, .poison = t->poison, .keep = t->keep,
        .steady = t->steady,
    };
    if ((v.status = rg_plan_create(&plan, r->root, r->n_root, &opts))) {
        (void)snprintf(diff.why, sizeof diff.why, "plan: %s", rg_graph_message(r->graph));
        return v;
    }
    void *bound = random_graph_bind(r, plan, t->real);
    for (int run = 0; run < 2 && !v.status; run++)
        if ((v.status = rg_plan_run(plan)))
            (void)snprintf(diff.why, sizeof diff.why, "run: %s", rg_plan_message(plan));
    if (!v.status)
        v = read_roots(r, plan, t->real);
    rg_plan_destroy(&plan);
    free(bound);
    return v;
}

/* How far a plan may be off: more than usual only where rounding alone moves the roots so far, as
 * it does to 1 - tanh(x)^2 of a large x. */
static double allowed(const struct subject *s, const struct trial *t, double off)
{
    const double usual = t->real == RG_F64 ? 1e-11 : 2e-4;
    program p = { .made = false };
    double bound = usual;
    if (off > usual && isfinite(off) && !program_make(&p, s->r, false, false, false))
        bound = t->real == RG_F64 ? reordered(&p, s->r, off, usual)
                                  : fmax(usual, 8 * program_spread(&p, s->r));
    (void)program_free(&p);
    return bound;
}

/* One plan against what it should be, bit for bit or nearly; true if it holds. */
static bool holds(const struct subject *s, const struct trial *t, const root_values *want,
                  bool bits)
{
    root_values have = compute(s->r, RG_OPTIMIZE, t);
    const double d = have.status ? INFINITY : values_apart(s->r, want, &have);
    const bool ok = !have.status && (bits ? values_same(want, &have, true)
                                          : d <= allowed(s, t, d));
    if (ok && !bits)
        diff.worst_plan[t->real] = fmax(diff.worst_plan[t->real], d);
    if (!ok && !have.status)
        (void)snprintf(diff.why, sizeof diff.why,
                       "%s plan without '%s', %d threads%s%s: off by %g%s",
                       t->real == RG_F64 ? "f64" : "f32", t->disable ? t->disable : "", t->threads,
                       t->poison ? ", poison" : "", t->keep ? ", keep" : "", d,
                       bits ? ", and bits should be equal" : "");
    free(have.x);
    return ok;
}

/* One of many ways in which a plan may be made otherwise. */
static bool otherwise(const struct subject *s, struct trial t, const root_values *oracle,
                      const root_values *plan)
{
    static char alone[64], all[256];
    const uint64_t which = s->seed / 3;
    size_t n = 0;
    all[0] = '\0';
    for (; rg_pipeline_name(n); n++)
        if (strcmp(rg_pipeline_name(n), "steps") != 0 && strcmp(rg_pipeline_name(n), "solo") != 0)
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), " %s", rg_pipeline_name(n));
    switch (which % 8) {
    case 0: case 1: case 2: case 3:
        t.disable = "solo";
        t.threads = 2 + (int)(which % 4 % 3);
        t.poison = which / 8 % 2;
        return holds(s, &t, plan, true);
    case 4:
        t.keep = t.poison = true;
        return holds(s, &t, oracle, false);
    case 5:
        t.disable = all;
        return holds(s, &t, oracle, false);
    default:
        (void)snprintf(alone, sizeof alone, "%s", rg_pipeline_name(which / 8 % n));
        t.disable = alone;
        return holds(s, &t, oracle, false);
    }
}

/* The plan against the interpreter; poisoned, the same bits; and in one other way. */
static bool plans(const struct subject *s)
{
    struct trial t = { .real = s->seed % 3 == 0 ? RG_F32 : RG_F64, .threads = 1 };
    root_values oracle = compute(s->r, RG_INTERPRET, &t), plan = { .x = NULL };
    bool ok = !oracle.status;
    if (ok && t.real == RG_F64 && !values_same(&oracle, &s->base, true)) {
        (void)snprintf(diff.why, sizeof diff.why, "the interpreter is not the sum of its kernels");
        ok = false;
    }
    if (ok)
        plan = compute(s->r, RG_OPTIMIZE, &t);
    ok = ok && !plan.status && holds(s, &t, &oracle, false);
    struct trial poisoned = t;
    poisoned.poison = poisoned.steady = true;
    ok = ok && holds(s, &poisoned, &plan, true) && otherwise(s, t, &oracle, &plan);
    free(oracle.x);
    free(plan.x);
    return ok;
}

/* ---- A graph -------------------------------------------------------------------------------- */

typedef bool check(const struct subject *s);
static check *const checks[DIFF_CHECKS] = { after_every_pass, each_alone, shuffled, plans };

size_t diff_failing(const random_graph *r, uint64_t seed, size_t only)
{
    struct subject s = { .r = r, .seed = seed };
    program p = { .made = false };
    size_t k = only < DIFF_CHECKS ? only : 0;
    if (r->broken || program_make(&p, r, false, false, false)) {
        (void)snprintf(diff.why, sizeof diff.why, "the generator: %s", rg_graph_message(r->graph));
        return 0;
    }
    s.base = program_run(&p, r);
    (void)program_free(&p);
    while (k < DIFF_CHECKS && !s.base.status && checks[k](&s))
        k = only < DIFF_CHECKS ? DIFF_CHECKS : k + 1;
    free(s.base.x);
    return k;
}

/* ---- Passes that are wrong on purpose ------------------------------------------------------- */

/* a - b = b - a, for the last difference. */
static rg_status wrong_sub(rg_prog *p, rg_err *err)
{
    (void)err;
    for (uint32_t id = p->n_node; id-- > 1;) {
        const rg_node *node = &p->node[id];
        if (strcmp(node->op->name, "sub") != 0 || node->in[0] == node->in[1])
            continue;
        uint32_t *in = rg_arena_get(&p->in[p->side], 2 * sizeof *in);
        if (!in)
            abort();
        in[0] = node->in[1];
        in[1] = node->in[0];
        p->node[id].in = in;
        return RG_OK;
    }
    return RG_OK;
}

/* Two tanhs are one, whatever they are of. */
static rg_status wrong_merge(rg_prog *p, rg_err *err)
{
    (void)err;
    uint32_t first = 0;
    for (uint32_t id = 1; id < p->n_node; id++) {
        if (strcmp(p->node[id].op->name, "tanh") != 0)
            continue;
        if (first && rg_shape_equal(*p->node[first].shape, *p->node[id].shape))
            p->node[id].in = p->node[first].in;
        else
            first = id;
    }
    return RG_OK;
}

/* Operands after uses: what verification sees. */
static rg_status wrong_order(rg_prog *p, rg_err *err)
{
    (void)err;
    for (uint32_t id = 1; id < p->n_node; id++)
        if (p->node[id].n_in == 1) {
            uint32_t *in = rg_arena_get(&p->in[p->side], sizeof *in);
            if (!in)
                abort();
            *in = id;
            p->node[id].in = in;
            return RG_OK;
        }
    return RG_OK;
}

const wrong_pass wrong_passes[] = {
    { "dce", wrong_sub, 3 }, { "pack", wrong_sub, 3 }, { "batch", wrong_merge, 12 },
    { "cse", wrong_order, 2 },
};
const size_t n_wrong_passes = sizeof wrong_passes / sizeof *wrong_passes;
