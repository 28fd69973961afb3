/* ops/matmul.c -- matrix products over the last two axes, and what is affine. */
#include "ops/family.h"

#ifdef REAL /* ---- Reference kernel, see ops/reals.h ------------------------------------------- */

/* One product y[M,N] = A[M,K]·B[K,N]: sixteen sums of a row at a time, each in order of k. */
static void K(product)(REAL *y, const REAL *a, const REAL *b, const product *p)
{
    enum { FEW = 16 };
    for (int64_t m = 0; m < p->M; m++)
        for (int64_t n0 = 0; n0 < p->N; n0 += FEW) {
            const int64_t few = p->N - n0 < FEW ? p->N - n0 : FEW;
            WIDE sum[FEW] = { 0 };
            for (int64_t k = 0; k < p->K; k++) {
                const WIDE left = a[m * p->a_m + k * p->a_k];
                const REAL *right = b + k * p->b_k + n0 * p->b_n;
                for (int64_t n = 0; n < few; n++)
                    sum[n] += left * right[n * p->b_n];
            }
            for (int64_t n = 0; n < few; n++)
                y[m * p->N + n0 + n] = (REAL)sum[n];
        }
}

static int K(matmul)(const rg_kernel_args *k)
{
    const product p = product_of(k);
    const REAL *a = k->in[0], *b = k->in[1];
    REAL *y = k->out;
    for (int64_t i = 0; i < p.batch; i++)
        K(product)(y + i * p.M * p.N, a + i * p.M * p.K, b + i * p.b_next, &p);
    return 0;
}

#else /* ---- Inference, rule, descriptor ------------------------------------------------------- */

/* Extents, and steps of the operands as they lie in memory. */
typedef struct product {
    int64_t batch, M, K, N, a_m, a_k, b_k, b_n, b_next;
} product;

/* Extent of the last axis (0) or the one before it (1). */
static int64_t last(const rg_shape *s, int before)
{
    return s->dim[s->rank - 1 - before];
}

static product product_of(const rg_kernel_args *k)
{
    const rg_attr_matmul *t = k->attr;
    const rg_shape *a = &k->in_shape[0], *b = &k->in_shape[1], *y = k->out_shape;
    product p = { .batch = 1, .M = last(y, 1), .N = last(y, 0), .K = last(a, t->transpose_a) };
    for (int i = 0; i + 2 < y->rank; i++)
        p.batch *= y->dim[i];
    p.a_m = t->transpose_a ? 1 : p.K;
    p.a_k = t->transpose_a ? p.M : 1;
    p.b_k = t->transpose_b ? 1 : p.N;
    p.b_n = t->transpose_b ? p.K : 1;
    p.b_next = b->rank > 2 ? p.K * p.N : 0;
    return p;
}

#define RG_KERNELS "ops/matmul.c"
#include "ops/reals.h"

/* Both shapes after what is wrong with them, each with the word for its flag. */
static rg_status refuse(rg_err *err, const char *what, const rg_sig *in, bool ta, bool tb)
{
    char sa[RG_SHAPE_TEXT], sb[RG_SHAPE_TEXT];
    return rg_fail(err, RG_ESHAPE, "%s: %s%s x %s%s", what, rg_shape_text(sa, &in[0].shape),
                   ta ? " transposed" : "", rg_shape_text(sb, &in[1].shape),
                   tb ? " transposed" : "");
}

static rg_status matmul_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    const rg_attr_matmul *t = attr;
    const rg_shape *a = &in[0].shape, *b = &in[1].shape;
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n;
    if (st || (st = rg_want_kind(in, 1, RG_F, err)))
        return st;
    if (a->rank < 2 || b->rank < 2)
        return refuse(err, "operands need two axes or more", in, false, false);
    if (last(a, t->transpose_a) != last(b, !t->transpose_b))
        return refuse(err, "inner extents differ", in, t->transpose_a, t->transpose_b);
    for (int i = 0; b->rank > 2 && i < b->rank - 2; i++)
        if (a->rank != b->rank || a->dim[i] != b->dim[i])
            return refuse(err, "leading axes differ", in, false, false);
    *out = in[0];
    out->shape.dim[a->rank - 2] = last(a, !t->transpose_a);
    out->shape.dim[a->rank - 1] = last(b, t->transpose_b);
    return RG_OK;
}

static rg_val swap_last_two(rg_val x)
{
    int axes[RG_MAX_RANK], rank = rg_shape_of(x).rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return rank < 2 ? x : rg_transpose(x, axes, (size_t)rank);
}

/* All rows of all batches: [P·M, K]. */
static rg_val rows(rg_val x)
{
    const rg_shape s = rg_shape_of(x);
    return s.rank <= 2 ? x : rg_reshape(x, RG_SHAPE(rg_shape_outer(&s, s.rank - 1),
                                                    s.dim[s.rank - 1]));
}

/* y = A·B where A is a or aᵀ, B is b or bᵀ:  dA = gy·Bᵀ,  dB = Aᵀ·gy  (transposed again where the
 * operand is). A matrix b that serves a whole batch of a is one product over all its rows. */
static void matmul_vjp(const rg_vjp_ctx *v)
{
    const bool ta = ((const rg_attr_matmul *)v->attr)->transpose_a;
    const bool tb = ((const rg_attr_matmul *)v->attr)->transpose_b;
    rg_val a = v->in[0], b = v->in[1], gy = v->gy;
    const bool shared = rg_shape_of(b).rank < rg_shape_of(a).rank;
    if (rg_vjp_wants(v, 0)) {
        if (!ta)
            rg_vjp_add(v, 0, rg_matmul_t(gy, b, false, !tb));
        else if (!shared)
            rg_vjp_add(v, 0, rg_matmul_t(b, gy, tb, true));
        else
            rg_vjp_add(v, 0, swap_last_two(rg_matmul_t(gy, b, false, !tb)));
    }
    if (rg_vjp_wants(v, 1)) {
        const bool flip = ta && !shared;
        if (shared) {
            a = rows(ta ? swap_last_two(a) : a);
            gy = rows(gy);
        }
        rg_vjp_add(v, 1, tb ? rg_matmul_t(gy, a, true, flip) : rg_matmul_t(a, gy, !flip, false));
    }
}

static const rg_attr_matmul plain = { false, false }, left = { true, false },
                            right = { false, true }, both = { true, true };
static const rg_op_sample matmul_sample[] = {
    { .in = { RG_REALS(3, 5), RG_REALS(5, 4) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(1, 7), RG_REALS(7, 17) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(1, 1), RG_REALS(1, 1) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(5, 3), RG_REALS(5, 4) }, .lo = -2, .hi = 2, .attr = &left },
    { .in = { RG_REALS(3, 5), RG_REALS(4, 5) }, .lo = -2, .hi = 2, .attr = &right },
    { .in = { RG_REALS(5, 3), RG_REALS(4, 5) }, .lo = -2, .hi = 2, .attr = &both },
    { .in = { RG_REALS(2, 3, 5), RG_REALS(5, 4) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(2, 5, 3), RG_REALS(5, 4) }, .lo = -2, .hi = 2, .attr = &left },
    { .in = { RG_REALS(2, 3, 5), RG_REALS(4, 5) }, .lo = -2, .hi = 2, .attr = &right },
    { .in = { RG_REALS(2, 5, 3), RG_REALS(4, 5) }, .lo = -2, .hi = 2, .attr = &both },
    { .in = { RG_REALS(2, 3, 5), RG_REALS(2, 5, 4) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(2, 5, 3), RG_REALS(2, 5, 4) }, .lo = -2, .hi = 2, .attr = &left },
    { .in = { RG_REALS(2, 3, 5), RG_REALS(2, 4, 5) }, .lo = -2, .hi = 2, .attr = &right },
    { .in = { RG_REALS(2, 1, 5, 3), RG_REALS(2, 1, 4, 5) }, .lo = -2, .hi = 2, .attr = &both },
    { .in = { RG_REALS(3, 0), RG_REALS(0, 4) }, .lo = -2, .hi = 2, .attr = &plain },
    { .in = { RG_REALS(0, 3, 5), RG_REALS(5, 4) }, .lo = -2, .hi = 2, .attr = &plain },
};
static const rg_op_error matmul_error[] = {
    { .in = { RG_REALS(16, 64), RG_REALS(32, 64) }, .attr = &plain, .status = RG_ESHAPE,
      .says = "matmul: inner extents differ: [16,64] x [32,64]" },
    { .in = { RG_REALS(16, 64), RG_REALS(64, 8) }, .attr = &both, .status = RG_ESHAPE,
      .says = "inner extents differ: [16,64] transposed x [64,8] transposed" },
    { .in = { RG_REALS(64), RG_REALS(64, 8) }, .attr = &plain, .status = RG_ESHAPE,
      .says = "operands need two axes or more: [64] x [64,8]" },
    { .in = { RG_REALS(2, 3, 4), RG_REALS(3, 4, 5) }, .attr = &plain, .status = RG_ESHAPE,
      .says = "leading axes differ: [2,3,4] x [3,4,5]" },
    { .in = { RG_REALS(3, 4), RG_REALS(3, 4, 5) }, .attr = &plain, .status = RG_ESHAPE,
      .says = "leading axes differ: [3,4] x [3,4,5]" },
    { .in = { RG_INTS(3, 4), RG_REALS(4, 5) }, .attr = &plain, .status = RG_EDTYPE,
      .says = "operand 0 is int, real is needed" },
};
const rg_op rg_op_matmul = {
    .name = "matmul", .arity = 2, .attr_bytes = sizeof(rg_attr_matmul), .infer = matmul_infer,
    .vjp = matmul_vjp, RG_KERNELS_OF(matmul), RG_SAMPLES(matmul_sample), RG_ERRORS(matmul_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

rg_val rg_matmul_t(rg_val a, rg_val b, bool transpose_a, bool transpose_b)
{
    return rg_emit2(&rg_op_matmul, &(rg_attr_matmul){ transpose_a, transpose_b }, a, b);
}

rg_val rg_matmul(rg_val a, rg_val b)
{
    return rg_matmul_t(a, b, false, false);
}

/* x·W, where x may be a single row [I]. */
static rg_val times(rg_val x, rg_val W)
{
    if (rg_shape_of(x).rank != 1)
        return rg_matmul(x, W);
    return rg_squeeze(rg_matmul(rg_unsqueeze(x, 0), W), 0);
}

static rg_val plus_bias(rg_val y, rg_val b)
{
    char sy[RG_SHAPE_TEXT], sb[RG_SHAPE_TEXT];
    const rg_shape of_y = rg_shape_of(y), of_b = rg_shape_of(b);
    if (!b.graph)
        return y;
    if (y.id && b.id && (of_b.rank != 1 || of_b.dim[0] != last(&of_y, 0)))
        return rg_poison(y.graph, RG_ESHAPE, "affine: bias %s does not fit the product %s",
                         rg_shape_text(sb, &of_b), rg_shape_text(sy, &of_y));
    return rg_add(y, b);
}

rg_val rg_affine(rg_val x, rg_val W, rg_val b)
{
    return plus_bias(times(x, W), b);
}

rg_val rg_affine2(rg_val x, rg_val U, rg_val h, rg_val W, rg_val b)
{
    return plus_bias(rg_add(times(x, U), times(h, W)), b);
}

static const rg_op *const family[] = { &rg_op_matmul };
const rg_op_family rg_ops_matmul = { family, RG_LENGTH(family) };

#endif
