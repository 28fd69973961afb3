/* tests/graph/support.c -- operations of the tests' own, without kernels: nothing runs here. */
#include "tests/graph/support.h"

static void pass_on(const rg_vjp_ctx *v)
{
    (void)v;
}

const rg_op test_add = { .name = "test_add", .arity = 2, .vjp = pass_on };
const rg_op test_join = { .name = "test_join", .vjp = pass_on };
const rg_op test_fixed = { .name = "test_fixed", .arity = 1, .flags = RG_OP_NODIFF };
const rg_op test_scaled = { .name = "test_scaled", .arity = 1, .vjp = pass_on,
                            .attr_bytes = sizeof(test_attr) };
