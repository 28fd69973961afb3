/* tests/ops/forms.c -- what goes where: products, reductions, movement, indices, against formulas
 * of their own. */
#include "tests/ops/lab.h"

#include "base/philox.h"
#include "ops/ops.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>

/* 0, 1, 2 … in a shape. */
static rg_val counting(lab *l, rg_kind kind, rg_shape shape)
{
    double x[128];
    for (int i = 0; i < 128; i++)
        x[i] = i;
    return lab_input(l, kind, shape, x);
}

RGT_TEST(forms, products_are_sums_over_the_inner_axis)
{
    for (int flags = 0; flags < 16; flags++) {
        const bool ta = flags & 1, tb = flags & 2, batch = flags & 4, shared = flags & 8;
        const int64_t P = batch ? 2 : 1, M = 3, K = 5, N = 4;
        double a[30], b[40], y[24];
        lab l;
        lab_begin(&l);
        for (int i = 0; i < 30; i++)
            a[i] = (i * 7 + 3) % 11 - 5;
        for (int i = 0; i < 40; i++)
            b[i] = (i * 5 + 2) % 13 - 6;
        for (int64_t p = 0; p < P; p++)
            for (int64_t m = 0; m < M; m++)
                for (int64_t n = 0; n < N; n++) {
                    double sum = 0;
                    for (int64_t k = 0; k < K; k++)
                        sum += a[p * M * K + (ta ? k * M + m : m * K + k)] *
                               b[(batch && !shared ? p * K * N : 0) + (tb ? n * K + k : k * N + n)];
                    y[(p * M + m) * N + n] = sum;
                }
        rg_shape sa = RG_SHAPE(ta ? K : M, ta ? M : K), sb = RG_SHAPE(tb ? N : K, tb ? K : N);
        if (batch)
            sa = rg_shape_insert(sa, 0, P);
        if (batch && !shared)
            sb = rg_shape_insert(sb, 0, P);
        rg_val v = rg_matmul_t(lab_input(&l, RG_F, sa, a), lab_input(&l, RG_F, sb, b), ta, tb);
        lab_expect(&l, v, "matmul", y, (size_t)(P * M * N));
        lab_end(&l);
    }
}

RGT_TEST(forms, affine_takes_rows_matrices_and_sequences)
{
    lab l;
    lab_begin(&l);
    rg_val W = LAB_REALS(&l, RG_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    rg_val b = LAB_ROW(&l, 10, 20, 30), x = LAB_ROW(&l, 1, -1);
    LAB_EXPECT(&l, rg_affine(x, W, b), 7, 17, 27);
    LAB_EXPECT(&l, rg_affine(x, W, RG_NONE), -3, -3, -3);
    LAB_EXPECT(&l, rg_affine(rg_reshape(x, RG_SHAPE(1, 1, 2)), W, b), 7, 17, 27);
    RGT_CHECK(rg_shape_equal(rg_shape_of(rg_affine(rg_reshape(x, RG_SHAPE(1, 1, 2)), W, b)),
                             RG_SHAPE(1, 1, 3)));
    LAB_EXPECT(&l, rg_affine2(x, W, x, rg_scale(W, 2), b), 1, 11, 21);
    lab_end(&l);
}

RGT_TEST(forms, reductions_run_along_their_axis)
{
    lab l;
    lab_begin(&l);
    rg_val x = counting(&l, RG_F, RG_SHAPE(2, 3, 2));
    LAB_EXPECT(&l, rg_sum_over(x, 0, false), 6, 8, 10, 12, 14, 16);
    LAB_EXPECT(&l, rg_sum_over(x, 1, true), 6, 9, 24, 27);
    LAB_EXPECT(&l, rg_sum_over(x, -1, false), 1, 5, 9, 13, 17, 21);
    RGT_CHECK(rg_shape_equal(rg_shape_of(rg_sum_over(x, 1, true)), RG_SHAPE(2, 1, 2)));
    RGT_CHECK(rg_shape_equal(rg_shape_of(rg_sum_over(x, 1, false)), RG_SHAPE(2, 2)));
    LAB_EXPECT(&l, rg_mean_over(x, 1, false), 2, 3, 8, 9);
    LAB_EXPECT(&l, rg_mean(x), 5.5);
    LAB_EXPECT(&l, rg_sum(x), 66);
    LAB_EXPECT(&l, rg_max(x), 11);
    LAB_EXPECT(&l, rg_norm(x), sqrt(506));
    LAB_EXPECT(&l, rg_max_over(x, 1, false), 4, 5, 10, 11);
    LAB_EXPECT(&l, rg_square(rg_norm_over(x, 2, false)), 1, 13, 41, 85, 145, 221);
    LAB_EXPECT(&l, rg_logsumexp_over(x, 2, false), 1.3132616875182228, 3.3132616875182228,
               5.3132616875182228, 7.3132616875182228, 9.3132616875182228, 11.313261687518223);
    LAB_EXPECT(&l, rg_cumsum(x, 1), 0, 1, 2, 4, 6, 9, 6, 7, 14, 16, 24, 27);
    LAB_EXPECT(&l, rg_argmax(x, 0), 1, 1, 1, 1, 1, 1);
    lab_end(&l);
}

RGT_TEST(forms, sums_to_a_shape_undo_broadcasting)
{
    lab l;
    lab_begin(&l);
    rg_val x = counting(&l, RG_F, RG_SHAPE(2, 3, 2));
    LAB_EXPECT(&l, rg_sum_to(x, RG_SHAPE(2)), 30, 36);
    LAB_EXPECT(&l, rg_sum_to(x, RG_SHAPE(3, 1)), 14, 22, 30);
    LAB_EXPECT(&l, rg_sum_to(x, RG_SHAPE(2, 1, 2)), 6, 9, 24, 27);
    LAB_EXPECT(&l, rg_sum_to(x, RG_SHAPE(1, 3, 1)), 14, 22, 30);
    LAB_EXPECT(&l, rg_sum_to(x, RG_SCALAR), 66);
    RGT_CHECK(rg_sum_to(x, RG_SHAPE(2, 3, 2)).id == x.id);
    RGT_CHECK(rg_shape_equal(rg_shape_of(rg_sum_to(x, RG_SHAPE(1, 3, 1))), RG_SHAPE(1, 3, 1)));
    lab_end(&l);
}

/* Sums of an f32 plan's losses, norms and means do not lose what f32 would. */
RGT_TEST(forms, f32_sums_are_accumulated_in_f64)
{
    enum { N = 100001 };
    lab l;
    lab_begin(&l);
    rg_val x = lab_input(&l, RG_F, RG_SHAPE(N), NULL);
    for (int i = 0; i < N; i++)
        ((double *)l.data[0])[i] = i ? 0x1p-24 : 1;
    double *sum = lab_values(&l, rg_sum(x), RG_F32, RG_INTERPRET);
    double *norm = lab_values(&l, rg_norm(rg_scale(x, 1e20)), RG_F32, RG_INTERPRET);
    RGT_CHECK_MSG(sum[0] == (float)(1 + 1e5 * 0x1p-24), "%.9g", sum[0]);
    RGT_CHECK_MSG(fabs(norm[0] / 1e20 - 1) < 1e-6, "%.9g", norm[0]);
    free(sum);
    free(norm);
    lab_end(&l);
}

/* v consists of the elements `from` of the operand, whose own are `of`. */
#define MOVES(v, ...)                                                                          \
    do {                                                                                       \
        static const int from[] = { __VA_ARGS__ };                                             \
        double want[sizeof from / sizeof *from];                                               \
        for (size_t i = 0; i < sizeof from / sizeof *from; i++)                                \
            want[i] = of[from[i]];                                                             \
        lab_expect(l, v, #v, want, sizeof from / sizeof *from);                                \
    } while (0)

static void move_alone(lab *l, rg_val x, const double *of)
{
    MOVES(rg_transpose(x, ((const int[]){ 2, 0, 1 }), 3), 0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11);
    MOVES(rg_transpose(x, ((const int[]){ 0, -1, 1 }), 3), 0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11);
    MOVES(rg_reverse(x, 1), 4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7);
    MOVES(rg_slice(x, 1, 1, 3), 2, 3, 4, 5, 8, 9, 10, 11);
    MOVES(rg_select(x, 0, -1), 6, 7, 8, 9, 10, 11);
    MOVES(rg_select(x, -1, 1), 1, 3, 5, 7, 9, 11);
    MOVES(rg_broadcast(rg_slice(x, 1, 0, 1), RG_SHAPE(2, 2, 2, 2)),
          0, 1, 0, 1, 6, 7, 6, 7, 0, 1, 0, 1, 6, 7, 6, 7);
    MOVES(rg_reshape(x, RG_SHAPE(-1, 4)), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    MOVES(rg_squeeze(rg_unsqueeze(x, -1), 3), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    MOVES(rg_gather(x, rg_reshape(LAB_INTS(l, 1, 0), RG_SHAPE(1, 2))),
          6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5);
    MOVES(rg_detach(x), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
}

static void move_together(lab *l, rg_val x, const double *of)
{
    const rg_val ends[2] = { rg_select(x, 1, 0), rg_select(x, 1, 2) };
    rg_val part[3];
    MOVES(rg_concat(((const rg_val[]){ rg_slice(x, 1, 2, 3), x }), 2, 1),
          4, 5, 0, 1, 2, 3, 4, 5, 10, 11, 6, 7, 8, 9, 10, 11);
    MOVES(rg_stack(ends, 2, 1), 0, 1, 4, 5, 6, 7, 10, 11);
    MOVES(rg_stack(ends, 2, -1), 0, 4, 1, 5, 6, 10, 7, 11);
    rg_split(part, 3, x, 1);
    MOVES(part[1], 2, 3, 8, 9);
    RGT_CHECK(rg_kind_of(part[2]) == rg_kind_of(x));
    lab_expect(l, rg_pad(rg_select(x, 0, 0), 0, 1, 0, 1), "pad",
               (const double[]){ 1, 1, of[0], of[1], of[2], of[3], of[4], of[5] }, 8);
}

/* Movement is the same for every kind. */
RGT_TEST(forms, elements_move_where_they_should)
{
    const double bits[12] = { 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0 };
    const double count[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    for (int kind = RG_F; kind <= RG_BOOL; kind++) {
        const double *of = kind == RG_BOOL ? bits : count;
        lab l;
        lab_begin(&l);
        rg_val x = lab_input(&l, (rg_kind)kind, RG_SHAPE(2, 3, 2), of);
        move_alone(&l, x, of);
        move_together(&l, x, of);
        lab_end(&l);
    }
}

RGT_TEST(forms, indices_choose_scatter_and_mark)
{
    lab l;
    lab_begin(&l);
    rg_val rows = LAB_INTS(&l, 2, 0, 2, 2);
    rg_val x = counting(&l, RG_F, RG_SHAPE(4, 2));
    LAB_EXPECT(&l, rg_scatter_add(x, rows, 3), 2, 3, 0, 0, 10, 13);
    LAB_EXPECT(&l, rg_one_hot(rows, 3), 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1);
    LAB_EXPECT(&l, rg_gather(x, rows), 4, 5, 0, 1, 4, 5, 4, 5);
    rg_val which = LAB_INTS(&l, 1, 0, 0, 1);
    LAB_EXPECT(&l, rg_pick(x, which, 1), 1, 2, 4, 7);
    LAB_EXPECT(&l, rg_place(rg_pick(x, which, 1), which, 1, 3), 0, 1, 0, 2, 0, 0, 4, 0, 0, 0, 7, 0);
    LAB_EXPECT(&l, rg_real(rows), 2, 0, 2, 2);
    LAB_EXPECT(&l, rg_real(rg_equal(rows, LAB_INTS(&l, 2))), 1, 0, 1, 1);
    rg_val big = LAB_INTS(&l, 16777217), other = LAB_INTS(&l, 16777216);
    LAB_EXPECT(&l, rg_equal(big, other), 0); /* equal as floats */
    LAB_EXPECT(&l, rg_less(other, big), 1);
    LAB_EXPECT(&l, rg_less_equal(big, other), 0);
    LAB_EXPECT(&l, rg_and(LAB_MASK(&l, 0, 0, 1, 1), LAB_MASK(&l, 0, 1, 0, 1)), 0, 0, 0, 1);
    LAB_EXPECT(&l, rg_not(LAB_MASK(&l, 0, 1)), 1, 0);
    lab_end(&l);
}

/* Duplicates add in order of the index: big + 1 - big differs from big - big + 1. */
RGT_TEST(forms, scattered_duplicates_add_in_order)
{
    lab l;
    lab_begin(&l);
    rg_val rows = LAB_INTS(&l, 0, 0, 0);
    LAB_EXPECT(&l, rg_scatter_add(LAB_ROW(&l, 1e30, 1, -1e30), rows, 1), 0);
    LAB_EXPECT(&l, rg_scatter_add(LAB_ROW(&l, 1e30, -1e30, 1), rows, 1), 1);
    lab_end(&l);
}

/* ---- Elementary functions against libm's long doubles ---------------------------------------- */

static long double sigmoid_l(long double x)
{
    return 1 / (1 + expl(-x));
}
static long double softplus_l(long double x)
{
    return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}
static long double phi_l(long double x)
{
    return 0.5L * erfcl(-x * sqrtl(0.5L));
}
static long double gelu_l(long double x)
{
    return x * phi_l(x);
}
static long double silu_l(long double x)
{
    return x * sigmoid_l(x);
}
static long double elu_l(long double x)
{
    return x > 0 ? x : 0.7L * expm1l(x);
}
static rg_val elu_7(rg_val x)
{
    return rg_elu(x, 0.7);
}
static long double cube_root_l(long double x)
{
    return powl(x, 1.0 / 3);
}
static rg_val cube_root(rg_val x)
{
    return rg_power(x, 1.0 / 3);
}

static const struct {
    const char *name;
    rg_val    (*f)(rg_val x);
    long double (*exact)(long double x);
    double      lo, hi;
} functions[] = {
    { "exp", rg_exp, expl, -80, 80 },          { "log", rg_log, logl, 1e-30, 100 },
    { "sin", rg_sin, sinl, -20, 20 },          { "cos", rg_cos, cosl, -20, 20 },
    { "sqrt", rg_sqrt, sqrtl, 0, 100 },        { "tanh", rg_tanh, tanhl, -12, 12 },
    { "sigmoid", rg_sigmoid, sigmoid_l, -80, 40 }, { "softplus", rg_softplus, softplus_l, -80, 40 },
    { "normal_cdf", rg_normal_cdf, phi_l, -2, 8 }, { "gelu", rg_gelu, gelu_l, -2, 8 },
    { "silu", rg_silu, silu_l, -40, 40 },      { "elu", elu_7, elu_l, -20, 5 },
    { "power", cube_root, cube_root_l, 1e-10, 50 },
};

/* Element by element, relative: a few units in the last place. */
RGT_TEST(forms, elementary_functions_are_accurate)
{
    enum { N = 500 };
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        const char *name = functions[k].name;
        lab l;
        lab_begin(&l);
        rg_val x = lab_input(&l, RG_F, RG_SHAPE(N), NULL), y = functions[k].f(x);
        double *at = l.data[0];
        for (int i = 0; i < N; i++) {
            const double u = rg_draw_uniform(1, RG_DOMAIN_USER, k, (uint64_t)i);
            at[i] = (float)(functions[k].lo + (functions[k].hi - functions[k].lo) * u);
        }
        double *f64 = lab_values(&l, y, RG_F64, RG_INTERPRET);
        double *f32 = lab_values(&l, y, RG_F32, RG_INTERPRET);
        for (int i = 0; i < N; i++) {
            const long double want = functions[k].exact(at[i]);
            const double wide = (double)fabsl((f64[i] - want) / want) / 0x1p-53;
            const double narrow = (double)fabsl((f32[i] - want) / want) / 0x1p-24;
            RGT_CHECK_MSG(wide <= 12, "%s(%.9g) in f64: %g half units off", name, at[i], wide);
            RGT_CHECK_MSG(narrow <= 6, "%s(%.9g) in f32: %g half units off", name, at[i], narrow);
        }
        free(f64);
        free(f32);
        lab_end(&l);
    }
}
