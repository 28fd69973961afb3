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

/* ---- Stretches of sums over rows ------------------------------------------------------------- */

static rg_status matmul_stretch_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                      rg_err *err)
{
    return n == 3 ? matmul_add_infer(out, in, n, attr, err)
                  : rg_infer(out, &rg_op_matmul, in, 2, attr, err);
}

static rg_status sum_stretch_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                   rg_err *err)
{
    const rg_attr_stretch *t = attr;
    const int64_t cols = in[0].shape.rank == 2 ? in[0].shape.dim[1] : -1;
    if (cols < 0 || (n > 1 && rg_shape_count(in[1].shape) != 2 * cols))
        return rg_fail(err, RG_ESHAPE, "a stretch of sums needs rows, and two reals a column");
    *out = in[0];
    out->shape = !t->last  ? RG_SHAPE(2 * cols)
                 : t->keep ? RG_SHAPE(1, cols)
                           : RG_SHAPE(cols);
    return RG_OK;
}

/* Row i of n in the order of summation. */
static int64_t row_of(const rg_attr_stretch *t, int64_t i, int64_t n)
{
    return t->backwards ? n - 1 - i : i;
}

#define STRETCHES(REAL, T)                                                                       \
    static int matmul_stretch_##T(const rg_kernel_args *k)                                       \
    {                                                                                            \
        const int64_t M = k->out_shape->dim[0], N = k->out_shape->dim[1];                        \
        const int64_t K = k->in_shape[0].dim[0];                                                 \
        const REAL *a = k->in[0], *b = k->in[1], *c = k->n_in > 2 ? k->in[2] : NULL;             \
        REAL *y = k->out;                                                                        \
        for (int64_t m = 0; m < M; m++)                                                          \
            for (int64_t n = 0; n < N; n++) {                                                    \
                double sum = c ? (double)c[m * N + n] : 0;                                       \
                for (int64_t i = 0; i < K; i++) {                                                \
                    const int64_t r = row_of(k->attr, i, K);                                     \
                    sum += (double)a[r * M + m] * (double)b[r * N + n];                          \
                }                                                                                \
                y[m * N + n] = (REAL)sum;                                                        \
            }                                                                                    \
        return 0;                                                                                \
    }                                                                                            \
    static int sum_stretch_##T(const rg_kernel_args *k)                                          \
    {                                                                                            \
        const rg_attr_stretch *t = k->attr;                                                      \
        const int64_t K = k->in_shape[0].dim[0], N = k->in_shape[0].dim[1];                      \
        const REAL *x = k->in[0];                                                                \
        const double *from = k->n_in > 1 ? k->in[1] : NULL;                                      \
        for (int64_t n = 0; n < N; n++) {                                                        \
            double sum = from ? from[n] : 0;                                                     \
            for (int64_t i = 0; i < K; i++)                                                      \
                sum += (double)x[row_of(t, i, K) * N + n];                                       \
            if (t->last)                                                                         \
                ((REAL *)k->out)[n] = (REAL)sum;                                                 \
            else                                                                                 \
                ((double *)k->out)[n] = sum;                                                     \
        }                                                                                        \
        return 0;                                                                                \
    }
STRETCHES(float, f32)
STRETCHES(double, f64)

const rg_op rg_op_matmul_stretch = {
    .name = "matmul_stretch", .flags = RG_OP_NODIFF, .attr_bytes = sizeof(rg_attr_stretch),
    .infer = matmul_stretch_infer, .kernel_f32 = matmul_stretch_f32,
    .kernel_f64 = matmul_stretch_f64,
};
const rg_op rg_op_sum_stretch = {
    .name = "sum_stretch", .flags = RG_OP_NODIFF, .attr_bytes = sizeof(rg_attr_stretch),
    .infer = sum_stretch_infer, .kernel_f32 = sum_stretch_f32, .kernel_f64 = sum_stretch_f64,
};

/* Are these rows stacked from the youngest to the oldest, or columns of rows that are? */
static bool stacked_backwards(const rg_prog *p, uint32_t id)
{
    const rg_node *n = &p->node[id];
    while (n->op == &rg_op_slice && ((const rg_attr_slice *)n->attr)->axis == 1)
        n = &p->node[n->in[0]];
    return n->op == &rg_op_concat && n->shape->rank == 2 && n->n_in > 1 &&
           ((const rg_attr_axis *)n->attr)->axis == 0 && n->in[0] > n->in[n->n_in - 1];
}

bool rg_sums_backwards(const rg_prog *p, const rg_node *sum)
{
    const rg_attr_matmul *t = sum->attr;
    if (sum->op == &rg_op_matmul_stretch || sum->op == &rg_op_sum_stretch)
        return ((const rg_attr_stretch *)sum->attr)->backwards;
    if (sum->op == &rg_op_matmul)
        return t->transpose_a && !t->transpose_b && stacked_backwards(p, sum->in[1]);
    return sum->op == &rg_op_sum_over && ((const rg_attr_axis *)sum->attr)->axis == 0 &&
           stacked_backwards(p, sum->in[0]);
}
