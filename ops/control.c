/* ops/control.c -- what steers gradients and leaves values alone. */
#include "ops/family.h"

static int same(const rg_kernel_args *k)
{
    if (k->n)
        memcpy(k->out, k->in[0], (size_t)k->n * k->item);
    return 0;
}

static const rg_op_sample detach_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2 },
    { .in = { RG_REAL_SCALAR }, .lo = -2, .hi = 2 },
    { .in = { RG_REALS(0, 3) }, .lo = -2, .hi = 2 },
    { .in = { RG_INTS(5) }, .bound = 9 },
    { .in = { RG_BOOLS(5) } },
};
const rg_op rg_op_detach = {
    .name = "detach", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK, RG_KERNEL_ANY(same),
    RG_SAMPLES(detach_sample),
};

rg_val rg_detach(rg_val x)
{
    return rg_emit1(&rg_op_detach, NULL, x);
}

static const rg_op *const family[] = { &rg_op_detach };
const rg_op_family rg_ops_control = { family, RG_LENGTH(family) };
