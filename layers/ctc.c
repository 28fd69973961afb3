/* layers/ctc.c -- connectionist temporal classification: labels whose places nobody knows.
 *
 * The sum over all alignments is a recurrence, so it is a cell. Of the paths that have read t steps
 * and said u labels, blank[u] has the ones that end with a blank, label[u-1] those that end with
 * label u-1; both as ln of their summed probabilities, of which 0 is NEVER:
 *
 *     either[u] = blank[u] ⊕ label[u-1]                  a ⊕ b = ln(eᵃ + eᵇ)
 *     blank'[u] = either[u] + ln p(blank)
 *     label'[u] = (label[u] ⊕ (y_u = y_{u-1} ? blank[u] : either[u])) + ln p(y_u)
 *
 * since between two equal labels there is a blank. */
#include "layers/cell.h"

#include <retrograd/attention.h>
#include <retrograd/losses.h>

#include "ops/ops.h"

#include <math.h>

/* ln 0, finite so that differences of two are numbers; sums of it stay in the range of f32. */
static const double never = -1e30;

struct ctc {
    rg_val  repeated;  /* [B,U]: y_u = y_{u-1} */
    int64_t U;
};

/* The larger, plus ln(1 + e^-distance): by selection, so that derivatives hold where a = b. */
static rg_val log_add(rg_val a, rg_val b)
{
    rg_val less = rg_less(a, b), hi = rg_where(less, b, a), lo = rg_where(less, a, b);
    return rg_add(hi, rg_softplus(rg_sub(lo, hi)));
}

/* [B,U] -> [B,U+1]: of one label less. */
static rg_val one_less(rg_val label)
{
    return rg_pad(label, 1, 1, 0, never);
}

/* x [B,1+U]: ln p of the blank and of each label at this step. */
static void ctc_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct ctc *p = weights;
    rg_val blank = s[0], label = s[1], either = log_add(blank, one_less(label));
    rg_val from = rg_where(p->repeated, rg_slice(blank, 1, 0, p->U), rg_slice(either, 1, 0, p->U));
    next[0] = rg_add(either, rg_slice(x, 1, 0, 1));
    next[1] = rg_add(log_add(label, from), rg_slice(x, 1, 1, p->U + 1));
}

/* [T,B,1+U]: ln p of the blank and of y's labels. A product with one-hot rows is exact. */
static rg_val emissions(rg_val z, rg_val y, int32_t blank)
{
    static const int swap[] = { 1, 0, 2 }, turn[] = { 1, 0 };
    rg_graph *g = z.graph;
    rg_val first = rg_broadcast(rg_constant(g, RG_INT, RG_SHAPE(1, 1), &blank, 1),
                                RG_SHAPE(1, rg_dim(y, 1)));
    rg_val said = rg_transpose(rg_concat((const rg_val[]){ first, y }, 2, 0), turn, 2);
    rg_val hot = rg_one_hot(said, rg_dim(z, 2));                       /* [B,1+U,V] */
    rg_val lp = rg_maximum(rg_log_softmax(z, -1), rg_const(g, never)); /* 0·∞ is no number */
    return rg_transpose(rg_matmul_t(rg_transpose(lp, swap, 3), hot, false, true), swap, 3);
}

/* Nothing is read, nothing is said, with probability 1. */
static void start(rg_val s0[2], rg_graph *g, int64_t B, int64_t U)
{
    rg_val none = rg_full(g, RG_SHAPE(B, U), never);
    s0[0] = rg_concat((const rg_val[]){ rg_zeros(g, RG_SHAPE(B, 1)), none }, 2, 1);
    s0[1] = none;
}

static bool fits(rg_val z, rg_val y, rg_val n, int64_t blank)
{
    char have[RG_SHAPE_TEXT], with[RG_SHAPE_TEXT];
    rg_graph *g = z.graph;
    rg_shape a = rg_shape_of(z), b = rg_shape_of(y), c = n.graph ? rg_shape_of(n) : RG_SCALAR;
    if (!g || g->status)
        return false;
    if (a.rank != 3 || b.rank != 2 || a.dim[1] != b.dim[1])
        rg_poison(g, RG_ESHAPE, "ctc: logits are %s and labels %s; they must be [T,B,V] and [U,B]",
                  rg_shape_text(have, &a), rg_shape_text(with, &b));
    else if (rg_kind_of(y) != RG_INT || (n.graph && rg_kind_of(n) != RG_INT))
        rg_poison(g, RG_EDTYPE, "ctc: labels and their numbers are RG_INT");
    else if (n.graph && (c.rank != 1 || c.dim[0] != b.dim[1]))
        rg_poison(g, RG_ESHAPE, "ctc: numbers of labels are %s, not [B] = [%lld]",
                  rg_shape_text(have, &c), (long long)b.dim[1]);
    else if (blank < 0 || blank >= a.dim[2])
        rg_poison(g, RG_EARG, "ctc: the blank %lld is no class of %lld", (long long)blank,
                  (long long)a.dim[2]);
    else if (b.dim[0] > INT32_MAX)
        rg_poison(g, RG_ESHAPE, "ctc: too many labels");
    return g->status == RG_OK;
}

rg_val rg_ctc(rg_val z, rg_val mask, rg_val y, rg_val n, const rg_ctc_opts *opts)
{
    static const rg_ctc_opts defaults;
    static const int turn[] = { 1, 0 };
    const rg_ctc_opts o = opts ? *opts : defaults;
    rg_graph *g = z.graph;
    if (!fits(z, y, n, o.blank))
        return (rg_val){ .graph = g };
    const int64_t T = rg_dim(z, 0), B = rg_dim(z, 1), U = rg_dim(y, 0);
    const int32_t all = (int32_t)U;
    rg_val m = rg_mask_of(g, mask, T, B, "ctc: mask"), s0[2], last[2];
    if (m.graph)
        z = rg_where_real(m, z); /* before the softmax, whose gradient multiplies */
    if (!n.graph)
        n = rg_broadcast(rg_constant(g, RG_INT, RG_SCALAR, &all, 1), RG_SHAPE(B));
    const struct ctc w = {
        rg_transpose(rg_equal(y, rg_shift_in(y, (int32_t)o.blank)), turn, 2), U
    };
    start(s0, g, B, U);
    rg_unroll(last, &(rg_cell){ "ctc", 2, (const int64_t[]){ U + 1, U }, ctc_step, &w },
              emissions(z, y, (int32_t)o.blank), s0, &(rg_unroll_opts){ .mask = mask });
    rg_val sum = log_add(rg_pick(last[0], n, 1), rg_pick(one_less(last[1]), n, 1));
    rg_val impossible = rg_less_equal(sum, rg_const(g, never / 2));
    return rg_where(impossible, rg_const(g, o.zero_infinity ? 0 : INFINITY), rg_neg(sum));
}
