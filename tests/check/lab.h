/* tests/check/lab.h -- operations of the tests' own, from a formula: right kernels for rules that
 * may be wrong, and the smallest losses that ask about them. */
#ifndef RGT_CHECK_LAB_H
#define RGT_CHECK_LAB_H

#include "tests/check/nets.h"

#include <retrograd/graph.h>

/* A kernel of `type`: y = formula of x, element by element; of x and z. Mostly `static`. */
#define LAB_KERNEL_1(name, type, formula)                                                      \
    int name(const rg_kernel_args *k)                                                   \
    {                                                                                          \
        for (int64_t i = 0; i < k->n; i++) {                                                   \
            const type x = ((const type *)k->in[0])[i];                                        \
            ((type *)k->out)[i] = formula;                                                     \
        }                                                                                      \
        return 0;                                                                              \
    }
#define LAB_KERNEL_2(name, type, formula)                                                      \
    int name(const rg_kernel_args *k)                                                   \
    {                                                                                          \
        for (int64_t i = 0; i < k->n; i++) {                                                   \
            const type x = ((const type *)k->in[0])[i], z = ((const type *)k->in[1])[i];       \
            ((type *)k->out)[i] = formula;                                                     \
        }                                                                                      \
        return 0;                                                                              \
    }
/* An operation of so many operands, element by element, with a kernel in f64. */
#define LAB_OP(op, operands, rule, kernel)                                                     \
    static const rg_op op = { .name = #op, .arity = operands, .flags = RG_OP_ELEMENTWISE,      \
                              .vjp = rule, .kernel_f64 = kernel }

/* x, x², tanh x, x·z, 2·x·z: of x² backward */
int lab_copy_f64(const rg_kernel_args *k);
int lab_square_f64(const rg_kernel_args *k);
int lab_tanh_f64(const rg_kernel_args *k);
int lab_product_f64(const rg_kernel_args *k);
int lab_square_back_f64(const rg_kernel_args *k);

/* Three numbers from N(0,1), a parameter. */
rg_val lab_vector(net *n, const char *name);
/* Open a net and check Σ op(w), or Σ op(a, b), of such vectors; `order` as in the options. */
rg_verdict lab_check(net *n, const rg_op *op, int order);
/* Check a loss of the net in its input X alone, where that holds these numbers. */
rg_verdict lab_check_at(net *n, rg_val loss, rg_val X, const double *x, size_t bytes);

#endif
