/* plan/made.c -- operations that only passes make. */
#include "plan/made.h"

static rg_status matmul_add_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                  rg_err *err)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_status st = rg_infer(out, &rg_op_matmul, in, 2, attr, err);
    (void)n;
    if (!st && !rg_shape_equal(out->shape, in[2].shape))
        st = rg_fail(err, RG_ESHAPE, "the product is %s, what it is added to %s",
                     rg_shape_text(have, &out->shape), rg_shape_text(want, &in[2].shape));
    return st;
}

static rg_kernel_args product_args(const rg_kernel_args *k)
{
    rg_kernel_args product = *k;
    product.n_in = 2;
    return product;
}

static int matmul_add_f32(const rg_kernel_args *k)
{
    const rg_kernel_args product = product_args(k);
    const float *c = k->in[2];
    float *y = k->out;
    int code = rg_op_matmul.kernel_f32(&product);
    for (int64_t i = 0; i < k->n && !code; i++)
        y[i] = c[i] + y[i];
    return code;
}

static int matmul_add_f64(const rg_kernel_args *k)
{
    const rg_kernel_args product = product_args(k);
    const double *c = k->in[2];
    double *y = k->out;
    int code = rg_op_matmul.kernel_f64(&product);
    for (int64_t i = 0; i < k->n && !code; i++)
        y[i] = c[i] + y[i];
    return code;
}

const rg_op rg_op_matmul_add = {
    .name = "matmul_add", .arity = 3, .flags = RG_OP_NODIFF, .attr_bytes = sizeof(rg_attr_matmul),
    .infer = matmul_add_infer, .kernel_f32 = matmul_add_f32, .kernel_f64 = matmul_add_f64,
};
