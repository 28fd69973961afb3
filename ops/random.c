/* ops/random.c -- chance, as a function of (seed, stream, run, element): base/philox.h. A kernel
 * may be called on any part of the result, in any thread, again: the numbers are the same. */
#include "ops/family.h"

#include "base/philox.h"

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

/* Element i is kept iff word i mod 4 of block i/4 is below (1-p)·2³²; then it is scaled. */
static int K(dropout)(const rg_kernel_args *k)
{
    const rg_attr_stream *at = k->attr;
    const uint64_t tail = rg_stream_tail(at->hash, k->run), keep = kept_below(at->p);
    const CONST scale = (CONST)(1 / (1 - at->p));
    const REAL *x = k->in[0];
    REAL *y = k->out;
    for (int64_t i = 0; i < k->n; i++) {
        const uint64_t e = (uint64_t)(k->first + i);
        const rg_philox_block b = rg_draw(k->seed, RG_DOMAIN_DROPOUT, tail, (uint32_t)(e / 4));
        y[i] = b.w[e % 4] < keep ? x[i] * scale : 0;
    }
    return 0;
}

static int K(uniform)(const rg_kernel_args *k)
{
    const uint64_t tail = rg_stream_tail(((const rg_attr_stream *)k->attr)->hash, k->run);
    REAL *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = (REAL)rg_draw_uniform(k->seed, RG_DOMAIN_NOISE, tail, (uint64_t)(k->first + i));
    return 0;
}

static int K(normal)(const rg_kernel_args *k)
{
    const uint64_t tail = rg_stream_tail(((const rg_attr_stream *)k->attr)->hash, k->run);
    REAL *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = (REAL)rg_draw_normal(k->seed, RG_DOMAIN_NOISE, tail, (uint64_t)(k->first + i));
    return 0;
}

#else /* ---- Inference, rules, descriptors ----------------------------------------------------- */

/* ⌊(1-p)·2³²⌋ */
static uint64_t kept_below(double p)
{
    return (uint64_t)((1 - p) * 4294967296.0);
}

#define RG_KERNELS "ops/random.c"
#include "ops/reals.h"

/* Elements are counted in blocks of two or four numbers, and blocks in 32 bits. */
static rg_status want_countable(const rg_shape *shape, int block, rg_err *err)
{
    char text[RG_SHAPE_TEXT];
    int64_t n;
    rg_status st = rg_numel(shape, &n);
    if (!st && n / block <= UINT32_MAX)
        return RG_OK;
    return rg_fail(err, st ? st : RG_ELIMIT, "%s cannot be filled", rg_shape_text(text, shape));
}

static rg_status dropout_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    const double p = ((const rg_attr_stream *)attr)->p;
    char text[RG_NUMBER_TEXT];
    rg_status st = rg_infer_real(out, in, n, NULL, err);
    if (st)
        return st;
    if (!(p >= 0 && p < 1))
        return rg_fail(err, RG_EARG, "probability %s is not in [0, 1)", rg_number(text, p, 9));
    return want_countable(&in[0].shape, 4, err);
}

static rg_status random_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    (void)in;
    *out = (rg_sig){ RG_F, ((const rg_attr_stream *)attr)->shape };
    if (n)
        return rg_fail(err, RG_EARG, "takes no operands, got %zu", n);
    return want_countable(&out->shape, 2, err);
}

/* Linear in x, with the same mask. */
static void dropout_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit1(&rg_op_dropout, v->attr, v->gy));
}

static const rg_attr_stream half = { 7, 0.5, { 0, { 0 } } }, tenth = { 8, 0.1, { 0, { 0 } } },
                            never = { 9, 0, { 0, { 0 } } }, always = { 9, 1, { 0, { 0 } } },
                            not_a_number = { 9, NAN, { 0, { 0 } } };
static const rg_op_sample dropout_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &half },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -2, .hi = 2, .attr = &tenth },
    { .in = { RG_REALS(7) }, .lo = -2, .hi = 2, .attr = &never },
    { .in = { RG_REAL_SCALAR }, .lo = 1, .hi = 2, .attr = &never },
    { .in = { RG_REALS(0, 3) }, .lo = -2, .hi = 2, .attr = &half },
};
static const rg_op_error dropout_error[] = {
    { .in = { RG_REALS(3) }, .attr = &always, .status = RG_EARG,
      .says = "probability 1 is not in [0, 1)" },
    { .in = { RG_REALS(3) }, .attr = &not_a_number, .status = RG_EARG, .says = "not in [0, 1)" },
    { .in = { RG_INTS(3) }, .attr = &half, .status = RG_EDTYPE,
      .says = "operand 0 is int, real is needed" },
};
const rg_op rg_op_dropout = {
    .name = "dropout", .arity = 1,
    .flags = RG_OP_ELEMENTWISE | RG_OP_RANDOM | RG_OP_TRAIN_ONLY,
    .attr_bytes = sizeof(rg_attr_stream), .infer = dropout_infer, .vjp = dropout_vjp,
    RG_KERNELS_OF(dropout), RG_SAMPLES(dropout_sample), RG_ERRORS(dropout_error),
};

static const rg_attr_stream some = { 7, 0, { 2, { 3, 5 } } }, one = { 7, 0, { 0, { 0 } } },
                            nothing = { 7, 0, { 2, { 0, 3 } } }, negative = { 7, 0, { 1, { -1 } } },
                            vast = { 7, 0, { 1, { INT64_C(1) << 34 } } };
static const rg_op_sample random_sample[] = { { .attr = &some }, { .attr = &one },
                                              { .attr = &nothing } };
static const rg_op_error random_error[] = {
    { .attr = &negative, .status = RG_ESHAPE, .says = "[-1] cannot be filled" },
    { .attr = &vast, .status = RG_ELIMIT, .says = "cannot be filled" },
    { .in = { RG_REALS(3) }, .n_in = 1, .attr = &some, .status = RG_EARG,
      .says = "takes no operands, got 1" },
};
#define RANDOM_OP(name_)                                                                          \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .flags = RG_OP_ELEMENTWISE | RG_OP_RANDOM | RG_OP_BLOCK,                  \
        .attr_bytes = sizeof(rg_attr_stream), .infer = random_infer, RG_KERNELS_OF(name_),        \
        RG_SAMPLES(random_sample), RG_ERRORS(random_error),                                       \
    }
RANDOM_OP(uniform);
RANDOM_OP(normal);

/* ---- Expressions --------------------------------------------------------------------------- */

rg_val rg_dropout(rg_val x, double p, const char *stream)
{
    if (!x.id || p == 0) /* bit-exact identity */
        return x;
    rg_attr_stream attr;
    memset(&attr, 0, sizeof attr);
    attr.hash = rg_draw_stream(x.graph, stream);
    attr.p = p;
    return rg_emit1(&rg_op_dropout, &attr, x);
}

/* Dropout of ones. A plan has equal nodes once, so a mask asked for at every step is drawn once. */
rg_val rg_dropout_mask(rg_graph *graph, rg_shape shape, double p, const char *stream)
{
    rg_val ones = rg_full(graph, shape, 1);
    if (!ones.id || p == 0)
        return ones;
    rg_attr_stream attr;
    memset(&attr, 0, sizeof attr);
    attr.hash = rg_lock_stream(graph, stream);
    attr.p = p;
    return rg_emit1(&rg_op_dropout, &attr, ones);
}

static rg_val drawn(const rg_op *op, rg_graph *graph, const char *stream, rg_shape shape)
{
    rg_attr_stream attr;
    if (!graph)
        return RG_NONE;
    memset(&attr, 0, sizeof attr);
    attr.hash = rg_draw_stream(graph, stream);
    rg_attr_of_shape(&attr.shape, shape);
    return rg_emit_in(graph, op, &attr, NULL, 0);
}

rg_val rg_uniform(rg_graph *graph, const char *stream, rg_shape shape)
{
    return drawn(&rg_op_uniform, graph, stream, shape);
}

rg_val rg_normal(rg_graph *graph, const char *stream, rg_shape shape)
{
    return drawn(&rg_op_normal, graph, stream, shape);
}

static const rg_op *const family[] = { &rg_op_dropout, &rg_op_uniform, &rg_op_normal };
const rg_op_family rg_ops_random = { family, RG_LENGTH(family) };

#endif
