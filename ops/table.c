/* ops/table.c -- all operations, family by family. */
#include "ops/ops.h"

static const rg_op_family *const families[] = {
    &rg_ops_elementwise, &rg_ops_compare, &rg_ops_matmul, &rg_ops_reduce,  &rg_ops_softmax,
    &rg_ops_shape,       &rg_ops_slice,   &rg_ops_index,  &rg_ops_random,  &rg_ops_control,
};
enum { FAMILIES = sizeof families / sizeof *families };

size_t rg_op_count(void)
{
    size_t n = 0;
    for (size_t f = 0; f < FAMILIES; f++)
        n += families[f]->n;
    return n;
}

const rg_op *rg_op_at(size_t i)
{
    for (size_t f = 0; f < FAMILIES; f++) {
        if (i < families[f]->n)
            return families[f]->op[i];
        i -= families[f]->n;
    }
    return NULL;
}
