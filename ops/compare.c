/* ops/compare.c -- comparison, logic, choice, and what turns indices and masks into reals.
 *
 * Results of comparison are masks: no gradient passes. Real and integer operands have kernels of
 * their own, so that indices beyond 2²⁴ compare exactly in an f32 plan too. */
#include "ops/family.h"

/*    name        relation                  flags */
#define COMPARE(_)                                \
    _(less,       <,  0)                          \
    _(less_equal, <=, 0)                          \
    _(equal,      ==, RG_OP_COMMUTES)

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

#define COMPARE_KERNEL(name, relation, ...)                                                       \
    static int K(name)(const rg_kernel_args *k)                                                   \
    {                                                                                             \
        const REAL *a = k->in[0], *b = k->in[1];                                                  \
        uint8_t *out = k->out;                                                                    \
        for (int64_t i = 0; i < k->n; i++)                                                        \
            out[i] = RE(a[i]) relation RE(b[i]);                                                  \
        return 0;                                                                                 \
    }

COMPARE(COMPARE_KERNEL)

static int K(int_to_real)(const rg_kernel_args *k)
{
    const int32_t *in = k->in[0];
    REAL *out = k->out;
    for (int64_t i = 0; i < k->n; i++)
        out[i] = (REAL)in[i];
    return 0;
}

static int K(bool_to_real)(const rg_kernel_args *k)
{
    const uint8_t *in = k->in[0];
    REAL *out = k->out;
    for (int64_t i = 0; i < k->n; i++)
        out[i] = in[i] ? 1 : 0;
    return 0;
}

#else /* ---- Kernels without reals, rules, descriptors ----------------------------------------- */

#define RG_KERNELS "ops/compare.c"
#include "ops/reals.h"

#define COMPARE_INT_KERNEL(name, relation, ...)                                                   \
    static int name##_int(const rg_kernel_args *k)                                                \
    {                                                                                             \
        const int32_t *a = k->in[0], *b = k->in[1];                                               \
        uint8_t *out = k->out;                                                                    \
        for (int64_t i = 0; i < k->n; i++)                                                        \
            out[i] = a[i] relation b[i];                                                          \
        return 0;                                                                                 \
    }

COMPARE(COMPARE_INT_KERNEL)

static int and_any(const rg_kernel_args *k)
{
    const uint8_t *a = k->in[0], *b = k->in[1];
    uint8_t *out = k->out;
    for (int64_t i = 0; i < k->n; i++)
        out[i] = a[i] && b[i];
    return 0;
}

static int not_any(const rg_kernel_args *k)
{
    const uint8_t *m = k->in[0];
    uint8_t *out = k->out;
    for (int64_t i = 0; i < k->n; i++)
        out[i] = !m[i];
    return 0;
}

/* Selection moves elements, whatever they are. */
static int where_any(const rg_kernel_args *k)
{
    const uint8_t *m = k->in[0];
    const char *a = k->in[1], *b = k->in[2];
    char *out = k->out;
    const size_t item = k->item;
    for (int64_t i = 0; i < k->n; i++)
        memcpy(out + (size_t)i * item, (m[i] ? a : b) + (size_t)i * item, item);
    return 0;
}

/* a where m, nothing elsewhere; and b the other way. */
static void where_vjp(const rg_vjp_ctx *v)
{
    rg_val m = v->in[0], zero = rg_const(v->gy.graph, 0);
    if (rg_vjp_wants(v, 1))
        rg_vjp_add(v, 1, rg_where(m, v->gy, zero));
    if (rg_vjp_wants(v, 2))
        rg_vjp_add(v, 2, rg_where(m, zero, v->gy));
}

static rg_status compare_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    rg_status st = rg_infer_real(out, in, n, attr, err);
    out->kind = RG_BOOL;
    return st;
}

static rg_status compare_int_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                   rg_err *err)
{
    rg_status st = rg_infer_int(out, in, n, attr, err);
    out->kind = RG_BOOL;
    return st;
}

static rg_status where_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    rg_sig like[3] = { in[0], in[1], in[2] };
    rg_status st = rg_want_kind(in, 0, RG_BOOL, err);
    like[0].kind = in[1].kind; /* the mask takes part in broadcasting only */
    return st ? st : rg_infer_broadcast(out, like, n, attr, err);
}

static rg_status int_to_real_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                   rg_err *err)
{
    rg_status st = rg_infer_int(out, in, n, attr, err);
    out->kind = RG_F;
    return st;
}

static rg_status bool_to_real_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                    rg_err *err)
{
    rg_status st = rg_infer_bool(out, in, n, attr, err);
    out->kind = RG_F;
    return st;
}

static const rg_op_sample compare_sample[] = {
    { .in = { RG_REALS(3, 4), RG_REALS(3, 4) }, .lo = -3, .hi = 3 },
    { .in = { RG_REALS(3, 1), RG_REALS(4) }, .lo = -3, .hi = 3 },
    { .in = { RG_REAL_SCALAR, RG_REALS(7) }, .lo = -3, .hi = 3 },
    { .in = { RG_REAL_SCALAR, RG_REAL_SCALAR }, .lo = -3, .hi = 3 },
    { .in = { RG_REALS(0, 3), RG_REALS(3) }, .lo = -3, .hi = 3 },
};
static const rg_op_error compare_error[] = {
    { .in = { RG_REALS(2, 3), RG_REALS(2) }, .status = RG_ESHAPE, .says = "[2,3] and [2]" },
    { .in = { RG_REALS(3), RG_INTS(3) }, .status = RG_EDTYPE,
      .says = "operand 1 is int, real is needed" },
    { .in = { RG_BOOLS(3), RG_BOOLS(3) }, .status = RG_EDTYPE,
      .says = "operand 0 is bool, real is needed" },
};
static const rg_op_sample compare_int_sample[] = {
    { .in = { RG_INTS(3, 4), RG_INTS(3, 4) }, .bound = 3 },
    { .in = { RG_INTS(3, 1), RG_INTS(4) }, .bound = 3 },
    { .in = { RG_INT_SCALAR, RG_INTS(7) }, .bound = 5 },
    { .in = { RG_INTS(0, 3), RG_INTS(3) }, .bound = 5 },
};
static const rg_op_error compare_int_error[] = {
    { .in = { RG_INTS(2, 3), RG_INTS(2) }, .status = RG_ESHAPE, .says = "[2,3] and [2]" },
    { .in = { RG_INTS(3), RG_REALS(3) }, .status = RG_EDTYPE,
      .says = "operand 1 is real, int is needed" },
};

#define COMPARE_OP(name_, relation, flags_)                                                       \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .arity = 2, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK | (flags_),          \
        .infer = compare_infer, RG_KERNELS_OF(name_), RG_SAMPLES(compare_sample),                 \
        RG_ERRORS(compare_error),                                                                 \
    };                                                                                            \
    const rg_op rg_op_##name_##_int = {                                                           \
        .name = #name_ "_int", .arity = 2, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK | (flags_),   \
        .infer = compare_int_infer, RG_KERNEL_ANY(name_##_int), RG_SAMPLES(compare_int_sample),   \
        RG_ERRORS(compare_int_error),                                                             \
    };

COMPARE(COMPARE_OP)

static const rg_op_sample and_sample[] = {
    { .in = { RG_BOOLS(3, 4), RG_BOOLS(3, 4) } },
    { .in = { RG_BOOLS(3, 1), RG_BOOLS(4) } },
    { .in = { RG_BOOL_SCALAR, RG_BOOLS(0, 3) } },
};
static const rg_op_error and_error[] = {
    { .in = { RG_BOOLS(2, 3), RG_BOOLS(2) }, .status = RG_ESHAPE, .says = "[2,3] and [2]" },
    { .in = { RG_BOOLS(3), RG_REALS(3) }, .status = RG_EDTYPE,
      .says = "operand 1 is real, bool is needed" },
};
const rg_op rg_op_and = {
    .name = "and", .arity = 2, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK | RG_OP_COMMUTES,
    .infer = rg_infer_bool, RG_KERNEL_ANY(and_any), RG_SAMPLES(and_sample), RG_ERRORS(and_error),
};

static const rg_op_sample not_sample[] = {
    { .in = { RG_BOOLS(3, 4) } }, { .in = { RG_BOOL_SCALAR } }, { .in = { RG_BOOLS(0) } },
};
static const rg_op_error not_error[] = {
    { .in = { RG_INTS(3) }, .status = RG_EDTYPE, .says = "operand 0 is int, bool is needed" },
};
const rg_op rg_op_not = {
    .name = "not", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK, .infer = rg_infer_bool,
    RG_KERNEL_ANY(not_any), RG_SAMPLES(not_sample), RG_ERRORS(not_error),
};

static const rg_op_sample where_sample[] = {
    { .in = { RG_BOOLS(3, 4), RG_REALS(3, 4), RG_REALS(3, 4) }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOLS(3, 1), RG_REALS(3, 4), RG_REALS(4) }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOLS(2, 1, 3), RG_REALS(4, 1), RG_REAL_SCALAR }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOLS(7), RG_REALS(7), RG_REALS(1) }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOL_SCALAR, RG_REAL_SCALAR, RG_REAL_SCALAR }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOLS(0, 3), RG_REALS(3), RG_REALS(3) }, .lo = -3, .hi = 3 },
    { .in = { RG_BOOLS(5), RG_INTS(5), RG_INT_SCALAR }, .bound = 9 },
    { .in = { RG_BOOLS(5), RG_BOOLS(5), RG_BOOLS(1) } },
};
static const rg_op_error where_error[] = {
    { .in = { RG_REALS(3), RG_REALS(3), RG_REALS(3) }, .status = RG_EDTYPE,
      .says = "operand 0 is real, bool is needed" },
    { .in = { RG_BOOLS(3), RG_REALS(3), RG_INTS(3) }, .status = RG_EDTYPE,
      .says = "operands are real and int; one kind is needed" },
    { .in = { RG_BOOLS(2), RG_REALS(3), RG_REALS(3) }, .status = RG_ESHAPE, .says = "[2] and [3]" },
};
const rg_op rg_op_where = {
    .name = "where", .arity = 3, .flags = RG_OP_ELEMENTWISE, .infer = where_infer,
    .vjp = where_vjp, RG_KERNEL_ANY(where_any), RG_SAMPLES(where_sample), RG_ERRORS(where_error),
};

static const rg_op_sample int_to_real_sample[] = {
    { .in = { RG_INTS(3, 4) }, .bound = 9 }, { .in = { RG_INT_SCALAR }, .bound = 9 },
    { .in = { RG_INTS(0) }, .bound = 9 },
};
static const rg_op_error int_to_real_error[] = {
    { .in = { RG_BOOLS(3) }, .status = RG_EDTYPE, .says = "operand 0 is bool, int is needed" },
};
const rg_op rg_op_int_to_real = {
    .name = "int_to_real", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK,
    .infer = int_to_real_infer, RG_KERNELS_OF(int_to_real), RG_SAMPLES(int_to_real_sample),
    RG_ERRORS(int_to_real_error),
};

const rg_op rg_op_bool_to_real = {
    .name = "bool_to_real", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK,
    .infer = bool_to_real_infer, RG_KERNELS_OF(bool_to_real), RG_SAMPLES(not_sample),
    RG_ERRORS(not_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

#define COMPARE_FUNCTION(name, ...)                                                               \
    rg_val rg_##name(rg_val a, rg_val b)                                                          \
    {                                                                                             \
        return rg_emit2(rg_kind_of(a) == RG_INT ? &rg_op_##name##_int : &rg_op_##name, NULL, a,   \
                        b);                                                                       \
    }

COMPARE(COMPARE_FUNCTION)

rg_val rg_and(rg_val a, rg_val b)
{
    return rg_emit2(&rg_op_and, NULL, a, b);
}

rg_val rg_not(rg_val m)
{
    return rg_emit1(&rg_op_not, NULL, m);
}

rg_val rg_where(rg_val m, rg_val a, rg_val b)
{
    return rg_emit(&rg_op_where, NULL, (const rg_val[]){ m, a, b }, 3);
}

rg_val rg_real(rg_val v)
{
    if (rg_kind_of(v) == RG_F)
        return v;
    return rg_emit1(rg_kind_of(v) == RG_INT ? &rg_op_int_to_real : &rg_op_bool_to_real, NULL, v);
}

#define ROW(name, ...) &rg_op_##name, &rg_op_##name##_int,
static const rg_op *const family[] = {
    COMPARE(ROW) &rg_op_and, &rg_op_not, &rg_op_where, &rg_op_int_to_real, &rg_op_bool_to_real,
};
const rg_op_family rg_ops_compare = { family, RG_LENGTH(family) };

#endif
