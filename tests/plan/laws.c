/* tests/plan/laws.c -- every rewrite rule: there is an expression on which it fires, and there the
 * folded program says what the interpreter says, for infinities and NaN too. */
#include "plan/passes/passes.h"
#include "plan/passes/fold.h"
#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <string.h>

/* What expressions are made of: a matrix with special values, a mask, indices. */
typedef struct room {
    rg_graph *g;
    rg_val    x, y, m, ids, W;
} room;

static const double special[12] = { 1.5, -0.0, INFINITY, -2, NAN, 0.25, -INFINITY, 3, 0, -1, 7,
                                    1e300 };
static const double finite[12] = { 1, 2, -3, 4, 0.5, -6, 7, 8, -9, 10, 11, 12 };

static void room_begin(room *r)
{
    RGT_CHECK(rg_graph_create(&r->g, NULL, NULL) == RG_OK);
    r->x = rg_input(r->g, "x", RG_F, RG_SHAPE(3, 4));
    r->y = rg_input(r->g, "y", RG_F, RG_SHAPE(3, 4));
    r->m = rg_input(r->g, "m", RG_BOOL, RG_SHAPE(3, 4));
    r->ids = rg_input(r->g, "ids", RG_INT, RG_SHAPE(2, 3));
    r->W = rg_input(r->g, "W", RG_F, RG_SHAPE(3, 4));
}

static rg_val c(const room *r, double v) { return rg_const(r->g, v); }
static rg_val half(rg_val x, int k) { return rg_slice(x, 0, k, k + 1 + k); }
static rg_val wide(rg_val x) { return rg_broadcast(x, RG_SHAPE(2, 3, 4)); }
static rg_val pair(rg_val a, rg_val b, int axis)
{
    const rg_val part[2] = { a, b };
    return rg_concat(part, 2, axis);
}
static rg_val flip(rg_val x) { return rg_transpose(x, (const int[]){ 1, 0 }, 2); }
static rg_val hot(const room *r) { return rg_one_hot(r->ids, 3); }
static rg_val flat(rg_val x) { return rg_reshape(x, RG_SHAPE(-1)); }
static rg_val sums(rg_val x) /* of all pairs */
{
    return rg_add(rg_reshape(x, RG_SHAPE(-1, 1)), rg_reshape(x, RG_SHAPE(1, -1)));
}

/*  law begins with                      expression */
#define LAWS(_)                                                                                  \
    _("x*1 = x, x*c",                    rg_mul(r->x, c(r, 1)))                                  \
    _("x*1 = x, x*c",                    rg_mul(c(r, 3), r->x))                                  \
    _("(-x)*(-y)",                       rg_mul(rg_neg(r->x), rg_neg(r->y)))                     \
    _("x+0 = x up to the sign of zero, ", rg_add(c(r, 0), r->x))                                 \
    _("x+0 = x up to the sign of zero, ", rg_add(r->x, c(r, 2)))                                 \
    _("x + -y",                          rg_add(rg_neg(r->x), r->y))                             \
    _("x-0 = x",                         rg_sub(r->x, c(r, 4)))                                  \
    _("x-0 = x",                         rg_sub(c(r, 1), r->x))                                  \
    _("x-0 = x",                         rg_sub(c(r, 0), r->x))                                  \
    _("x - -y",                          rg_sub(r->x, rg_neg(r->y)))                             \
    _("x/2^k",                           rg_div(r->x, c(r, 8)))                                  \
    _("-(-x)",                           rg_neg(rg_neg(r->x)))                                   \
    _("-(-x)",                           rg_neg(rg_scale(r->x, 5)))                              \
    _("-(-x)",                           rg_neg(rg_sub(r->x, r->y)))                             \
    _("1*x = x",                         rg_scale(r->x, 1))                                      \
    _("1*x = x",                         rg_scale(rg_neg(r->x), 3))                              \
    _("x+0 = x up to the sign of zero",  rg_shift(r->x, 0))                                      \
    _("where(m, x, x)",                  rg_where(r->m, r->x, r->x))                             \
    _("where(m, x, x)",                  rg_where(rg_not(r->m), r->x, r->y))                     \
    _("not not m",                       rg_real(rg_not(rg_not(r->m))))                          \
    _("m and m",                         rg_real(rg_and(r->m, r->m)))                            \
    _("min(x, x)",                       rg_minimum(r->x, r->x))                                 \
    _("max(x, x)",                       rg_maximum(r->x, r->x))                                 \
    _("detach(x)",                       rg_detach(r->x))                                        \
    _("broadcast(x) to its own",         rg_broadcast(wide(r->x), RG_SHAPE(5, 2, 3, 4)))         \
    _("broadcast(c)",                    rg_broadcast(c(r, 2), RG_SHAPE(2, 2)))                  \
    _("reshape to its own",              rg_reshape(flat(r->x), RG_SHAPE(2, 6)))                 \
    _("reshape of a sum",                rg_unsqueeze(rg_sum_over(r->x, 1, false), 1))           \
    _("reshape(c)",                      flat(rg_full(r->g, RG_SHAPE(2, 2), 3)))                 \
    _("reshape(one_hot",                 rg_reshape(hot(r), RG_SHAPE(6, 3)))                     \
    _("transposes compose",              flip(flip(r->x)))                                       \
    _("transpose(c)",                    flip(rg_full(r->g, RG_SHAPE(2, 3), 3)))                 \
    _("slice of all",                    rg_slice(r->x, 0, 0, 3))                                \
    _("slice(c)",                        half(rg_full(r->g, RG_SHAPE(3, 2), 3), 0))              \
    _("slice of a slice",                rg_slice(rg_slice(r->x, 1, 1, 4), 1, 1, 2))             \
    _("slice inside one part",           rg_slice(pair(r->x, r->y, 0), 0, 4, 6))                 \
    _("slice(one_hot",                   rg_slice(hot(r), 0, 1, 2))                              \
    _("rows of a reshape",               rg_slice(rg_reshape(r->x, RG_SHAPE(3, 2, 2)), 0, 1, 2)) \
    _("one part = the part",             pair(half(r->x, 0), half(r->x, 1), 0))                  \
    _("a stack of reshapes",             pair(flat(r->x), flat(r->y), 0))                        \
    _("columns of stacks",               pair(pair(r->x, r->y, 0), pair(r->y, r->W, 0), 1))      \
    _("a sum over one",                  rg_sum_over(half(r->x, 0), 0, true))                    \
    _("a sum of zeros",                  rg_sum(rg_zeros(r->g, RG_SHAPE(4))))                    \
    _("a sum of -x",                     rg_sum_over(rg_neg(r->x), 1, true))                     \
    _("a sum over all",                  rg_sum(sums(pair(flat(r->W), flat(r->W), 0))))          \
    _("transpose(A)*B",                  rg_matmul(flip(r->W), r->W))                            \
    _("a product of stacked rows",       rg_matmul(wide(r->W), flip(r->W)))                      \
    _("one_hot(i)*W",                    rg_matmul(hot(r), r->W))                                \
    _("rows by indices",                 rg_gather(r->W, r->ids))                                \
    _("its transpose likewise",          rg_scatter_add(rg_gather(r->W, r->ids), r->ids, 3))     \
    _("f(broadcast(x), y)",              rg_add(wide(r->x), wide(rg_exp(r->y))))                 \
    _("f(broadcast(x), y)",              rg_exp(wide(r->x)))                                     \
    _("f(constants)",                    rg_add(r->x, rg_exp(c(r, 2))))
#define LAW(law, expression) law,
#define BUILD(law, expression) if (i == k++) return expression;
static const char *const law_of[] = { LAWS(LAW) };
enum { N = sizeof law_of / sizeof *law_of };

static rg_val build(const room *r, int i)
{
    int k = 0;
    LAWS(BUILD)
    return RG_NONE;
}

/* How often each rule fires when this value's program is folded. */
static void fire(rg_val v, uint32_t *fired)
{
    rg_prog p;
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    RGT_CHECK(rg_alloc_resolve(&alloc, NULL) == RG_OK);
    RGT_CHECK(rg_prog_create(&p, v.graph, &v, 1, RG_EVALUATE, RG_F64, &alloc, &alloc, &err) ==
              RG_OK);
    p.fold = p.cse = p.dce = true;
    p.fired = fired;
    RGT_CHECK_MSG(rg_pass_fold(&p, &err) == RG_OK && rg_prog_verify(&p, &err) == RG_OK, "%s",
                  err.text);
    rg_prog_destroy(&p);
}

static void compute(const room *r, rg_val v, rg_effort effort, bool all_finite, double *out)
{
    static const int32_t ids[6] = { 2, 0, 1, 1, 2, 0 };
    static const uint8_t mask[12] = { 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1 };
    const double *x = all_finite ? finite : special;
    rg_plan *plan;
    RGT_CHECK_MSG(rg_plan_create(&plan, &v, 1, &(rg_plan_opts){ .real = RG_F64, .effort = effort,
                                 .verify = true }) == RG_OK, "%s", rg_graph_message(r->g));
    RGT_CHECK(rg_plan_bind(plan, r->x, x, sizeof special) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, r->y, special, sizeof special) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, r->W, finite, sizeof finite) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, r->m, mask, sizeof mask) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, r->ids, ids, sizeof ids) == RG_OK);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    memcpy(out, rg_plan_data(plan, v), (size_t)rg_shape_count(rg_shape_of(v)) * sizeof *out);
    rg_plan_destroy(&plan);
}

RGT_TEST(laws, every_rule_fires_and_keeps_its_law)
{
    uint32_t covered[64] = { 0 };
    RGT_CHECK(rg_rule_count() <= 64);
    for (int i = 0; i < N; i++) {
        uint32_t fired[64] = { 0 }, hit = 0;
        double have[128], want[128];
        room r;
        room_begin(&r);
        rg_val v = build(&r, i);
        RGT_CHECK_MSG(v.id != 0, "%s: %s", law_of[i], rg_graph_message(r.g));
        fire(v, fired);
        for (size_t k = 0; k < rg_rule_count(); k++) {
            hit += fired[k] && strncmp(rg_rule_at(k)->law, law_of[i], strlen(law_of[i])) == 0;
            covered[k] += fired[k];
        }
        RGT_CHECK_MSG(hit > 0, "expression %d: '%s' does not fire", i, law_of[i]);
        compute(&r, v, RG_OPTIMIZE, false, have);
        compute(&r, v, RG_INTERPRET, false, want);
        for (int64_t k = 0; k < rg_shape_count(rg_shape_of(v)); k++)
            RGT_CHECK_MSG(have[k] == want[k] || (isnan(have[k]) && isnan(want[k])),
                          "%s: element %d is %g, not %g", law_of[i], (int)k, have[k], want[k]);
        rg_graph_destroy(&r.g);
    }
    /* rules that only fire inside other passes are covered by products.c and difftest.c */
    for (size_t k = 0; k < rg_rule_count(); k++)
        if (!covered[k])
            rgt_note("not fired alone: %s\n", rg_rule_at(k)->law);
}
