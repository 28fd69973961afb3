/* tests/ops/kinks.c -- values and derivatives where differences cannot tell: kinks, ends of the
 * range, infinities, NaN. In both precisions, interpreted and optimized. */
#include "tests/ops/lab.h"
#include "tests/rgt.h"

#include <math.h>

#define LN_2 0.69314718055994531

typedef rg_val function(rg_val x);

static rg_val leaky(rg_val x)
{
    return rg_leaky_relu(x, 0.25);
}
static rg_val elu(rg_val x)
{
    return rg_elu(x, 0.5);
}
static rg_val clip(rg_val x)
{
    return rg_clip(x, -1, 2);
}
static rg_val power_0(rg_val x)
{
    return rg_power(x, 0);
}
static rg_val power_1(rg_val x)
{
    return rg_power(x, 1);
}
static rg_val power_3(rg_val x)
{
    return rg_power(x, 3);
}
static rg_val power_minus_1(rg_val x)
{
    return rg_power(x, -1);
}

/* y = f(x) and dy/dx at one point. */
static const struct point {
    const char *name;
    function   *f;
    double      x, y, slope;
} points[] = {
#define AT(f, x, y, slope) { #f " at " #x, f, x, y, slope }
    AT(rg_relu, 0, 0, 0), AT(rg_relu, -0.0, 0, 0), AT(rg_relu, INFINITY, INFINITY, 1),
    AT(rg_relu, -INFINITY, 0, 0), AT(rg_relu, NAN, NAN, 0),
    AT(rg_abs, 0, 0, 0), AT(rg_abs, -0.0, 0, 0), AT(rg_abs, -INFINITY, INFINITY, -1),
    AT(rg_abs, NAN, NAN, 0),
    AT(leaky, 0, 0, 0.25), AT(leaky, -4, -1, 0.25), AT(leaky, -INFINITY, -INFINITY, 0.25),
    AT(elu, 0, 0, 0.5), AT(elu, -INFINITY, -0.5, 0), AT(elu, INFINITY, INFINITY, 1),
    AT(clip, -1, -1, 1), AT(clip, 2, 2, 1), AT(clip, -1.5, -1, 0), AT(clip, 2.5, 2, 0),
    AT(clip, INFINITY, 2, 0), AT(clip, NAN, NAN, 0),
    AT(rg_sqrt, 0, 0, INFINITY), AT(rg_sqrt, -1, NAN, NAN), AT(rg_sqrt, INFINITY, INFINITY, 0),
    AT(rg_log, 0, -INFINITY, INFINITY), AT(rg_log, -1, NAN, -1), AT(rg_log, 1, 0, 1),
    AT(rg_exp, -INFINITY, 0, 0), AT(rg_exp, INFINITY, INFINITY, INFINITY), AT(rg_exp, 0, 1, 1),
    AT(power_0, 0, 1, 0), AT(power_0, 5, 1, 0), AT(power_1, 0, 0, 1), AT(power_3, 0, 0, 0),
    AT(power_3, -2, -8, 12), AT(power_minus_1, 0, INFINITY, -INFINITY),
    AT(rg_square, -3, 9, -6), AT(rg_square, 0, 0, 0),
    AT(rg_sigmoid, INFINITY, 1, 0), AT(rg_sigmoid, -INFINITY, 0, 0), AT(rg_sigmoid, 0, 0.5, 0.25),
    AT(rg_sigmoid, 800, 1, 0), AT(rg_sigmoid, -800, 0, 0), AT(rg_sigmoid, NAN, NAN, NAN),
    AT(rg_tanh, INFINITY, 1, 0), AT(rg_tanh, -INFINITY, -1, 0), AT(rg_tanh, 0, 0, 1),
    AT(rg_tanh, 1e-10, 1e-10, 1), AT(rg_tanh, -20, -1, 0), AT(rg_tanh, NAN, NAN, NAN),
    AT(rg_softplus, 800, 800, 1), AT(rg_softplus, -800, 0, 0),
    AT(rg_softplus, INFINITY, INFINITY, 1),
    AT(rg_softplus, -INFINITY, 0, 0), AT(rg_softplus, NAN, NAN, NAN),
    AT(rg_gelu, 0, 0, 0.5), AT(rg_gelu, 50, 50, 1), AT(rg_gelu, -50, -0.0, 0),
    AT(rg_silu, 0, 0, 0.5), AT(rg_silu, 800, 800, 1), AT(rg_silu, -800, -0.0, 0),
    AT(rg_hard_sigmoid_5, -2.5, 0, 0.2), AT(rg_hard_sigmoid_5, 2.5, 1, 0.2),
    AT(rg_hard_sigmoid_5, 3, 1, 0), AT(rg_hard_sigmoid_5, 0, 0.5, 0.2),
    AT(rg_hard_sigmoid_6, -3, 0, 1.0 / 6), AT(rg_hard_sigmoid_6, 3, 1, 1.0 / 6),
    AT(rg_hard_sigmoid_6, -3.5, 0, 0), AT(rg_hard_sigmoid_6, 0, 0.5, 1.0 / 6),
    AT(rg_safe_log, 0, 0, 0), AT(rg_safe_log, -1, 0, 0), AT(rg_safe_log, 2, LN_2, 0.5),
    AT(rg_safe_log, NAN, NAN, NAN),
    AT(rg_safe_sqrt, 0, 0, 0), AT(rg_safe_sqrt, -4, 0, 0), AT(rg_safe_sqrt, 4, 2, 0.25),
    AT(rg_one_minus, INFINITY, -INFINITY, -1), AT(rg_neg, 0, -0.0, -1),
    AT(rg_mean, 5, 5, 1), AT(rg_max, 5, 5, 1), AT(rg_norm, 0, 0, 0), AT(rg_norm, -5, 5, -1),
    AT(rg_sum, -5, -5, 1),
#undef AT
};

RGT_TEST(kinks, values_and_slopes_of_one_operand_are_as_documented)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const struct point *p = &points[i];
        lab l;
        rg_val dx;
        lab_begin(&l);
        rg_val x = lab_input(&l, RG_F, RG_SCALAR, &p->x), y = p->f(x);
        rg_grad(&dx, y, &x, 1);
        l.signed_zeros = true;
        lab_expect(&l, y, p->name, &p->y, 1);
        l.signed_zeros = false; /* of slopes nobody promises it */
        lab_expect(&l, dx, p->name, &p->slope, 1);
        lab_end(&l);
    }
}

/* y = f(a, b), dy/da and dy/db at one point. */
static const struct pair {
    const char *name;
    rg_val    (*f)(rg_val a, rg_val b);
    double      a, b, y, da, db;
} pairs[] = {
#define AT(f, a, b, y, da, db) { #f " at " #a ", " #b, f, a, b, y, da, db }
    AT(rg_minimum, 2, 2, 2, 1, 0), AT(rg_maximum, 2, 2, 2, 1, 0), AT(rg_minimum, 3, 2, 2, 0, 1),
    AT(rg_maximum, 3, 2, 3, 1, 0), AT(rg_minimum, NAN, 2, NAN, 0, 1),
    AT(rg_minimum, 2, NAN, NAN, 0, 1), AT(rg_maximum, NAN, 2, NAN, 0, 1),
    AT(rg_maximum, 2, NAN, NAN, 0, 1), AT(rg_minimum, 2, -INFINITY, -INFINITY, 0, 1),
    AT(rg_div, 1, 0, INFINITY, INFINITY, -INFINITY), AT(rg_div, 0, 0, NAN, INFINITY, NAN),
    AT(rg_safe_div, 3, 0, 0, 0, 0), AT(rg_safe_div, 0, 0, 0, 0, 0),
    AT(rg_safe_div, 6, 2, 3, 0.5, -1.5),
    AT(rg_safe_div, INFINITY, 0, 0, 0, 0),
    AT(rg_mul, 0, INFINITY, NAN, INFINITY, 0), AT(rg_add, INFINITY, -INFINITY, NAN, 1, 1),
    AT(rg_binary_cross_entropy, 0, 0.25, LN_2, 0.25, 0),
    AT(rg_binary_cross_entropy, 800, 1, 0, 0, -800),
    AT(rg_binary_cross_entropy, -800, 1, 800, -1, 800),
    AT(rg_binary_cross_entropy, 20, 1, 2.0611536203143808e-9, -2.0611536e-9, -20),
#undef AT
};

RGT_TEST(kinks, values_and_slopes_of_two_operands_are_as_documented)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct pair *p = &pairs[i];
        lab l;
        rg_val d[2];
        lab_begin(&l);
        const rg_val x[2] = { lab_input(&l, RG_F, RG_SCALAR, &p->a),
                              lab_input(&l, RG_F, RG_SCALAR, &p->b) };
        rg_val y = p->f(x[0], x[1]);
        rg_grad(d, y, x, 2);
        l.signed_zeros = true;
        lab_expect(&l, y, p->name, &p->y, 1);
        l.signed_zeros = false;
        if (i + 1 < sizeof pairs / sizeof *pairs) /* σ(20) - 1 is all rounding */
            lab_expect(&l, d[0], p->name, &p->da, 1);
        lab_expect(&l, d[1], p->name, &p->db, 1);
        lab_end(&l);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* d⟨(1, 2, 3 …), y⟩/dx */
static rg_val weighted_slope(lab *l, rg_val y, rg_val x)
{
    static const double count[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    rg_val w = lab_input(l, RG_F, rg_shape_of(y), count), dx;
    rg_vjp(&dx, &y, &w, 1, &x, 1);
    return dx;
}

RGT_TEST(kinks, the_largest_is_the_first_of_equals_and_nan_is_larger_still)
{
    lab l;
    lab_begin(&l);
    const double inf = INFINITY;
    rg_val x = LAB_REALS(&l, RG_SHAPE(4, 3), 1, 5, 5, -inf, -inf, -inf, 1, NAN, NAN, NAN, 9, inf);
    rg_val most = rg_max_over(x, 1, false), kept = rg_max_over(x, -1, true);
    LAB_EXPECT(&l, most, 5, -INFINITY, NAN, NAN);
    LAB_EXPECT(&l, kept, 5, -INFINITY, NAN, NAN);
    LAB_EXPECT(&l, rg_argmax(x, 1), 1, 0, 1, 0);
    LAB_EXPECT(&l, weighted_slope(&l, most, x), 0, 1, 0, 2, 0, 0, 0, 3, 0, 4, 0, 0);
    LAB_EXPECT(&l, weighted_slope(&l, kept, x), 0, 1, 0, 2, 0, 0, 0, 3, 0, 4, 0, 0);
    rg_val column = LAB_REALS(&l, RG_SHAPE(3, 2), 1, 7, 4, 7, 4, 2);
    LAB_EXPECT(&l, rg_max_over(column, 0, false), 4, 7);
    LAB_EXPECT(&l, rg_argmax(column, 0), 1, 0);
    LAB_EXPECT(&l, rg_max(column), 7);
    LAB_EXPECT(&l, weighted_slope(&l, rg_max(column), column), 0, 1, 0, 0, 0, 0);
    lab_end(&l);
}

RGT_TEST(kinks, logsumexp_and_softmax_keep_their_heads_at_infinity)
{
    const double inf = INFINITY;
    lab l;
    lab_begin(&l);
    rg_val x = LAB_REALS(&l, RG_SHAPE(4, 2), -inf, -inf, 0, -inf, 1000, 1000, inf, 0);
    LAB_EXPECT(&l, rg_logsumexp_over(x, 1, false), -inf, 0, 1000.6931471805599453, NAN);
    LAB_EXPECT(&l, weighted_slope(&l, rg_logsumexp_over(rg_slice(x, 0, 0, 3), 1, false), x),
               0, 0, 2, 0, 1.5, 1.5, 0, 0);
    LAB_EXPECT(&l, rg_softmax(x, 1), NAN, NAN, 1, 0, 0.5, 0.5, NAN, NAN);
    LAB_EXPECT(&l, rg_log_softmax(x, 1), NAN, NAN, 0, -inf, -LN_2, -LN_2, NAN, NAN);
    lab_end(&l);
}

RGT_TEST(kinks, a_masked_softmax_of_nothing_is_zero_and_garbage_stays_under_the_mask)
{
    lab l;
    lab_begin(&l);
    rg_val x = LAB_REALS(&l, RG_SHAPE(3, 3), 1, NAN, 1, NAN, INFINITY, 2, 0, 0, NAN);
    rg_val m = rg_reshape(LAB_MASK(&l, 1, 0, 1, 0, 0, 0, 1, 1, 0), RG_SHAPE(3, 3));
    rg_val y = rg_masked_softmax(x, m, 1);
    LAB_EXPECT(&l, y, 0.5, 0, 0.5, 0, 0, 0, 0.5, 0.5, 0);
    rg_val w = LAB_REALS(&l, RG_SHAPE(3, 3), 1, 2, 3, 4, 5, 6, 7, 9, 9), dx;
    rg_vjp(&dx, &y, &w, 1, &x, 1);
    LAB_EXPECT(&l, dx, -0.5, 0, 0.5, 0, 0, 0, -0.5, 0.5, 0);
    lab_end(&l);
}

RGT_TEST(kinks, cross_entropy_holds_where_probabilities_vanish)
{
    lab l;
    lab_begin(&l);
    rg_val z = LAB_REALS(&l, RG_SHAPE(4, 3), 0, 0, 0, 1e4, 0, 0, 1e4, 0, 0, 0, -INFINITY, 0);
    rg_val y = LAB_INTS(&l, 2, 0, 1, 2);
    rg_val loss = rg_softmax_cross_entropy(z, y);
    LAB_EXPECT(&l, loss, 1.0986122886681098, 0, 1e4, LN_2);
    rg_val ones = LAB_REALS(&l, RG_SHAPE(4), 3, 1, 1, 2), dz;
    rg_vjp(&dz, &loss, &ones, 1, &z, 1);
    LAB_EXPECT(&l, dz, 1, 1, -2, 0, 0, 0, 1, -1, 0, 1, 0, -1);
    lab_end(&l);
}

RGT_TEST(kinks, a_norm_has_no_slope_at_zero_to_any_order)
{
    lab l;
    rg_val dx, hv;
    lab_begin(&l);
    rg_val x = LAB_REALS(&l, RG_SHAPE(2, 2), 0, 0, 3, 4);
    rg_val v = LAB_REALS(&l, RG_SHAPE(2, 2), 1, 1, 1, 0);
    rg_val y = rg_sum(rg_norm_over(x, 1, false));
    rg_grad(&dx, y, &x, 1);
    LAB_EXPECT(&l, dx, 0, 0, 0.6, 0.8);
    rg_hvp(&hv, y, &x, &v, 1);
    LAB_EXPECT(&l, hv, 0, 0, 0.128, -0.096);
    lab_end(&l);
}

/* What is not chosen is never multiplied. */
RGT_TEST(kinks, a_choice_lets_nothing_leak)
{
    lab l;
    rg_val d[2];
    lab_begin(&l);
    rg_val m = LAB_MASK(&l, 1, 0, 1, 0);
    const rg_val x[2] = { LAB_ROW(&l, 1, NAN, 3, INFINITY), LAB_ROW(&l, NAN, 6, -INFINITY, 8) };
    rg_val y = rg_where(m, x[0], x[1]);
    LAB_EXPECT(&l, y, 1, 6, 3, 8);
    rg_val w = LAB_ROW(&l, 1, INFINITY, NAN, 4);
    rg_vjp(d, &y, &w, 1, x, 2);
    LAB_EXPECT(&l, d[0], 1, 0, NAN, 0);
    LAB_EXPECT(&l, d[1], 0, INFINITY, 0, 4);
    lab_end(&l);
}

RGT_TEST(kinks, comparisons_with_nan_are_false)
{
    lab l;
    lab_begin(&l);
    rg_val a = LAB_ROW(&l, 1, 2, NAN, NAN, 0), b = LAB_ROW(&l, 2, 2, NAN, 1, -0.0);
    LAB_EXPECT(&l, rg_less(a, b), 1, 0, 0, 0, 0);
    LAB_EXPECT(&l, rg_less_equal(a, b), 1, 1, 0, 0, 1);
    LAB_EXPECT(&l, rg_equal(a, b), 0, 1, 0, 0, 1);
    lab_end(&l);
}

/* Sums over nothing are 0, products too; gradients of what is empty are empty. */
RGT_TEST(kinks, nothing_sums_to_zero)
{
    lab l;
    rg_val d[2];
    lab_begin(&l);
    rg_val x = lab_input(&l, RG_F, RG_SHAPE(2, 0), NULL);
    rg_val y = lab_input(&l, RG_F, RG_SHAPE(0, 3), NULL);
    LAB_EXPECT(&l, rg_sum(x), 0);
    LAB_EXPECT(&l, rg_sum_over(x, 1, false), 0, 0);
    LAB_EXPECT(&l, rg_norm(x), 0);
    LAB_EXPECT(&l, rg_matmul(x, y), 0, 0, 0, 0, 0, 0);
    const rg_val both[2] = { x, y };
    rg_grad(d, rg_sum(rg_matmul(x, y)), both, 2);
    RGT_CHECK(rg_shape_count(rg_shape_of(d[0])) == 0 && rg_shape_count(rg_shape_of(d[1])) == 0);
    lab_expect(&l, d[0], "empty", NULL, 0);
    rg_val one = lab_input(&l, RG_F, RG_SHAPE(1), NULL);
    rg_val none = lab_input(&l, RG_F, RG_SHAPE(0), NULL);
    lab_expect(&l, rg_add(one, none), "1 broadcasts to 0", NULL, 0);
    lab_end(&l);
}
