/* tests/ops/effort.c -- an optimized plan computes what the interpreter does: every operation, its
 * gradients, on operands that are inputs, slices or transposes. And x op x. */
#include "tests/ops/trial.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef rg_val view(rg_val x);

static rg_val plain(rg_val x)
{
    return x;
}

/* The second half of x beside itself. */
static rg_val sliced(rg_val x)
{
    const rg_val twice[2] = { x, x };
    const int64_t n = rg_dim(x, -1);
    return rg_shape_of(x).rank ? rg_slice(rg_concat(twice, 2, -1), -1, n, 2 * n) : x;
}

/* There and back again, with something in between that a plan cannot remove. */
static rg_val transposed(rg_val x)
{
    int axes[RG_MAX_RANK], back[RG_MAX_RANK];
    const int rank = rg_shape_of(x).rank;
    for (int i = 0; i < rank; i++) {
        axes[i] = (i + 1) % rank;
        back[axes[i]] = i;
    }
    x = rg_transpose(x, axes, (size_t)rank);
    return rg_transpose(rank ? rg_reverse(rg_reverse(x, 0), 0) : x, back, (size_t)rank);
}

/* y and its gradients by both efforts. */
static double error_of_effort(const rg_op *op, const rg_op_sample *s, uint64_t seed, rg_dtype real,
                              view *through)
{
    trial t;
    rg_val in[TRIAL_MOST], x[TRIAL_MOST], root[TRIAL_MOST + 1];
    size_t n_x = 0, n = 0;
    double worst = 0;
    trial_begin(&t, op, s, seed);
    for (size_t k = 0; k < t.n_in; k++) {
        in[k] = through(t.lab.in[k]);
        if (s->in[k].kind == RG_F)
            x[n_x++] = t.lab.in[k];
    }
    rg_val y = root[n++] = rg_emit_in(t.lab.graph, op, s->attr, in, t.n_in);
    if (n_x && rg_kind_of(y) == RG_F) {
        rg_grad(&root[n], trial_dot(trial_input(&t, rg_shape_of(y)), rg_square(y)), x, n_x);
        n += n_x;
    }
    for (size_t k = 0; k < n; k++) {
        double *fast = lab_values(&t.lab, root[k], real, RG_OPTIMIZE);
        double *slow = lab_values(&t.lab, root[k], real, RG_INTERPRET);
        worst = fmax(worst, worst_error(fast, slow, rg_shape_count(rg_shape_of(root[k])), 1e-3));
        free(fast);
        free(slow);
    }
    trial_end(&t);
    return worst;
}

static void sweep(view *through)
{
    size_t failed = 0, count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        for (size_t k = 0; k < rg_op_at(o)->n_sample; k++, count++) {
            const rg_op *op = rg_op_at(o);
            const double wide = error_of_effort(op, &op->sample[k], 1, RG_F64, through);
            const double narrow = error_of_effort(op, &op->sample[k], 1, RG_F32, through);
            if (wide <= 1e-13 && narrow <= 1e-5)
                continue;
            rgt_note("%s: %g in f64, %g in f32\n", trial_name(op, k), wide, narrow);
            failed++;
        }
    RGT_CHECK_MSG(!failed && count > 200, "%zu of %zu", failed, count);
}

RGT_TEST(effort, optimized_plans_compute_what_the_interpreter_does)
{
    sweep(plain);
}

RGT_TEST(effort, slices_as_operands_change_nothing)
{
    sweep(sliced);
}

RGT_TEST(effort, transposes_as_operands_change_nothing)
{
    sweep(transposed);
}

/* Both operands the same value: y = f(x, x) has the slope f_a + f_b. */
RGT_TEST(effort, an_operand_may_be_given_twice)
{
    size_t count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        for (size_t k = 0; k < rg_op_at(o)->n_sample; k++) {
            const rg_op *op = rg_op_at(o);
            const rg_op_sample *s = &op->sample[k];
            trial t;
            rg_val d[2], dx;
            if (op->arity != 2 || s->in[0].kind != RG_F || s->in[1].kind != RG_F || !op->vjp ||
                !rg_shape_equal(s->in[0].shape, s->in[1].shape))
                continue;
            trial_begin(&t, op, s, 1);
            memcpy(t.lab.data[1], t.lab.data[0], (size_t)t.n[0] * sizeof(double));
            rg_val x = t.lab.in[0], w = trial_input(&t, rg_shape_of(t.y));
            rg_val both = rg_emit2(op, s->attr, x, x);
            rg_grad(d, trial_dot(w, t.y), t.lab.in, 2);
            rg_grad(&dx, trial_dot(w, both), &x, 1);
            double *sum = lab_values(&t.lab, rg_add(d[0], d[1]), RG_F64, RG_INTERPRET);
            double *one = lab_values(&t.lab, dx, RG_F64, RG_OPTIMIZE);
            RGT_CHECK_MSG(worst_error(one, sum, t.n[0], 1e-3) <= 1e-13, "%s", trial_name(op, k));
            free(sum);
            free(one);
            trial_end(&t);
            count++;
        }
    RGT_CHECK(count > 10);
}

/* The canary: a kernel that is not a function of its operands. */
static int counting_f64(const rg_kernel_args *k)
{
    static double calls;
    calls++;
    for (int64_t i = 0; i < k->n; i++)
        ((double *)k->out)[i] = calls;
    return 0;
}

RGT_TEST(effort, a_kernel_that_is_no_function_is_caught)
{
    static const rg_op_sample s = { .in = { { RG_F, { 1, { 3 } } } }, .lo = 1, .hi = 2 };
    const rg_op op = { .name = "counting", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_BLOCK,
                       .kernel_f64 = counting_f64, .sample = &s, .n_sample = 1 };
    RGT_CHECK(error_of_effort(&op, &s, 1, RG_F64, plain) > 0.1);
}
