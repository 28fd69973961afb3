/* tests/check/lab.c -- one operation in the smallest loss. */
#include "tests/check/lab.h"

#include "tests/rgt.h"

#include <math.h>

LAB_KERNEL_1(lab_copy_f64, double, x)
LAB_KERNEL_1(lab_square_f64, double, x * x)
LAB_KERNEL_1(lab_tanh_f64, double, tanh(x))
LAB_KERNEL_2(lab_product_f64, double, x * z)
LAB_KERNEL_2(lab_square_back_f64, double, 2 * x * z)

rg_val lab_vector(net *n, const char *name)
{
    return rg_param(n->g, NULL, name, RG_SHAPE(3), rg_init_normal(1));
}

rg_verdict lab_check(net *n, const rg_op *op, int order)
{
    net_open(n, 1);
    rg_val in[2];
    for (uint32_t i = 0; i < (uint32_t)op->arity; i++)
        in[i] = lab_vector(n, op->arity == 1 ? "w" : i ? "b" : "a");
    rg_val loss = rg_sum(rg_emit(op, NULL, in, (size_t)op->arity));
    return net_check(n, loss, NULL, 0, &(rg_gradcheck_opts){ .order = order });
}

rg_verdict lab_check_at(net *n, rg_val loss, rg_val X, const double *x, size_t bytes)
{
    rg_plan *plan;
    RGT_CHECK(!rg_plan_create(&plan, &loss, 1, &(rg_plan_opts){ .real = RG_F64 }));
    RGT_CHECK(!rg_plan_bind(plan, X, x, bytes));
    rg_verdict v = net_check(n, loss, &X, 1, &(rg_gradcheck_opts){ .data = plan });
    rg_plan_destroy(&plan);
    return v;
}
