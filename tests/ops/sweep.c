/* tests/ops/sweep.c -- every operation, on every one of its samples. */
#include "tests/ops/trial.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 20 };

static bool differentiable(const rg_op *op)
{
    return !(op->flags & (RG_OP_NODIFF | RG_OP_BLOCK));
}

/* Does the sample have real operands and a real result? Movement and choice have others too. */
static bool has_gradient(const rg_op *op, const rg_op_sample *s)
{
    const size_t n = op->arity ? op->arity : s->n_in;
    bool real = false;
    for (size_t k = 0; k < n; k++)
        real = real || s->in[k].kind == RG_F;
    return real && differentiable(op);
}

/* Run a check over the table; what fails is named with its error. */
#define SWEEP(applies, error_, limit)                                                          \
    do {                                                                                       \
        double worst = 0;                                                                      \
        size_t count = 0, failed = 0;                                                          \
        for (size_t o = 0; o < rg_op_count(); o++)                                             \
            for (size_t k = 0; k < rg_op_at(o)->n_sample; k++)                                 \
                for (uint64_t seed = 1; seed <= SEEDS; seed++) {                               \
                    const rg_op *op = rg_op_at(o);                                             \
                    const rg_op_sample *s = &op->sample[k];                                    \
                    if (!(applies))                                                            \
                        continue;                                                              \
                    const double error = (error_);                                             \
                    worst = fmax(worst, error);                                                \
                    count++;                                                                   \
                    if (!(error <= (limit))) {                                                 \
                        rgt_note("%s, seed %d: error %g\n", trial_name(op, k), (int)seed, error); \
                        failed++;                                                              \
                    }                                                                          \
                }                                                                              \
        RGT_CHECK_MSG(!failed && count > 100, "%zu of %zu cases fail; worst error %g", failed, \
                      count, worst);                                                           \
    } while (0)

RGT_TEST(ops, every_descriptor_is_complete)
{
    RGT_CHECK(rg_op_count() > 50);
    RGT_CHECK(rg_op_at(rg_op_count()) == NULL);
    for (size_t o = 0; o < rg_op_count(); o++) {
        const rg_op *op = rg_op_at(o);
        const char *missing = what_is_missing(op);
        RGT_CHECK_MSG(missing == NULL, "%s lacks %s", op->name, missing);
        for (size_t p = 0; p < o; p++)
            RGT_CHECK_MSG(strcmp(op->name, rg_op_at(p)->name) != 0, "%s twice", op->name);
    }
}

RGT_TEST(ops, error_samples_are_refused_with_their_code_and_words)
{
    size_t failed = 0, count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        for (size_t k = 0; k < rg_op_at(o)->n_error; k++, count++) {
            const rg_op_error *e = &rg_op_at(o)->error[k];
            const char *why = how_refusal_fails(rg_op_at(o), e);
            if (why) {
                rgt_note("%s, error sample %zu: %s than '%s'\n", rg_op_at(o)->name, k, why,
                         e->says);
                failed++;
            }
        }
    RGT_CHECK_MSG(!failed && count > 100, "%zu of %zu", failed, count);
}

RGT_TEST(ops, f32_agrees_with_f64)
{
    SWEEP(true, error_of_precision(op, s, seed), 1e-5);
}

RGT_TEST(ops, parts_of_elementwise_ops_make_the_whole)
{
    SWEEP(op->flags & RG_OP_ELEMENTWISE, parts_make_the_whole(op, s, seed) ? 0 : INFINITY, 0);
}

RGT_TEST(ops, operands_of_commuting_ops_may_be_swapped)
{
    size_t count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        for (size_t k = 0; k < rg_op_at(o)->n_sample; k++)
            if (rg_op_at(o)->flags & RG_OP_COMMUTES) {
                count++;
                RGT_CHECK_MSG(order_does_not_matter(rg_op_at(o), &rg_op_at(o)->sample[k], 1), "%s",
                              trial_name(rg_op_at(o), k));
            }
    RGT_CHECK(count > 20);
}

RGT_TEST(ops, gradients_agree_with_differences)
{
    SWEEP(has_gradient(op, s), error_of_gradient(op, s, 1, 0, seed), 1e-8);
}

RGT_TEST(ops, second_derivatives_agree_with_differences_of_gradients)
{
    SWEEP(has_gradient(op, s), error_of_gradient(op, s, 2, 0, seed), 1e-7);
}

RGT_TEST(ops, third_derivatives_agree_with_differences_of_second_ones)
{
    SWEEP(has_gradient(op, s) && seed == 1, error_of_gradient(op, s, 3, 0, seed), 1e-6);
}

/* Of two or three operands any set may want a gradient. */
RGT_TEST(ops, gradients_of_some_operands_are_those_of_all)
{
    SWEEP(has_gradient(op, s) && seed == 1 && (op->arity ? op->arity : s->n_in) > 1,
          fmax(error_of_gradient(op, s, 1, 1, seed),
               fmax(error_of_gradient(op, s, 1, 2, seed), error_of_gradient(op, s, 1, 4, seed))),
          1e-8);
}

RGT_TEST(ops, every_gradient_is_somewhere_not_zero)
{
    for (size_t o = 0; o < rg_op_count(); o++)
        if (differentiable(rg_op_at(o)))
            RGT_CHECK_MSG(gradients_are_not_all_zero(rg_op_at(o), 1), "%s", rg_op_at(o)->name);
}

RGT_TEST(ops, forward_products_are_transposes_of_reverse_ones)
{
    SWEEP(has_gradient(op, s), error_of_adjoint(op, s, seed), 1e-12);
}

RGT_TEST(ops, hessians_are_symmetric)
{
    SWEEP(has_gradient(op, s), error_of_symmetry(op, s, seed), 1e-10);
}

RGT_TEST(ops, gradients_agree_with_complex_steps)
{
    SWEEP(has_gradient(op, s) && op->kernel_complex, error_of_complex_step(op, s, seed), 1e-12);
}
