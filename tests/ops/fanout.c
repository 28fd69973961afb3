/* tests/ops/fanout.c -- one value used many times: its gradient is the sum of all uses, added in
 * descending order of the consumers, to the bit. */
#include "tests/ops/lab.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>

/* Weights of very different size, so that every order of adding has bits of its own. */
static double weight(int i)
{
    return (i % 2 ? -1 : 1) * ldexp(1 + 0.37 * (i % 7), (i * 5) % 23 - 11) / 3;
}

static float weight_f32(int i)
{
    return (float)weight(i);
}

RGT_TEST(fanout, gradients_of_many_uses_are_the_ordered_sum)
{
    static const int uses[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 64, 1000 };
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++) {
        lab l;
        rg_val dx;
        lab_begin(&l);
        rg_val x = lab_input(&l, RG_F, RG_SCALAR, &(double){ 1.25 }), y = RG_NONE;
        for (int i = 0; i < uses[k]; i++) {
            rg_val use = rg_scale(x, weight(i));
            y = i ? rg_add(y, use) : use;
        }
        rg_grad(&dx, y, &x, 1);
        double want = weight(uses[k] - 1);
        float want_f32 = weight_f32(uses[k] - 1);
        for (int i = uses[k] - 1; i-- > 0;) {
            want += weight(i);
            want_f32 += weight_f32(i);
        }
        for (int effort = RG_OPTIMIZE; effort <= RG_INTERPRET; effort++) {
            double *wide = lab_values(&l, dx, RG_F64, (rg_effort)effort);
            double *narrow = lab_values(&l, dx, RG_F32, (rg_effort)effort);
            RGT_CHECK_MSG(*wide == want, "%d uses: %.17g, not %.17g", uses[k], *wide, want);
            RGT_CHECK_MSG(*narrow == want_f32, "%d uses: %.9g, not %.9g", uses[k], *narrow,
                          want_f32);
            free(wide);
            free(narrow);
        }
        lab_end(&l);
    }
}

/* With a gradient that comes from elsewhere, too. */
RGT_TEST(fanout, an_operand_twice_is_two_uses)
{
    lab l;
    rg_val dx;
    lab_begin(&l);
    rg_val x = LAB_ROW(&l, 3, -2), w = LAB_ROW(&l, 5, 7);
    rg_val y = rg_add(rg_mul(x, x), rg_add(rg_div(x, x), rg_mul(w, x)));
    rg_grad(&dx, rg_sum(y), &x, 1);
    LAB_EXPECT(&l, dx, 11, 3);
    rg_val row = rg_reshape(x, RG_SHAPE(1, 2));
    rg_grad(&dx, rg_sum(rg_matmul_t(row, row, false, true)), &x, 1);
    LAB_EXPECT(&l, dx, 6, -4);
    rg_grad(&dx, rg_sum(rg_mul(rg_concat((const rg_val[]){ x, x, x }, 3, 0),
                               LAB_ROW(&l, 1, 2, 3, 4, 5, 6))), &x, 1);
    LAB_EXPECT(&l, dx, 9, 12);
    lab_end(&l);
}

/* A value broadcast in several ways at once. */
RGT_TEST(fanout, broadcasting_is_undone_for_every_use)
{
    lab l;
    rg_val dx;
    lab_begin(&l);
    rg_val x = LAB_REALS(&l, RG_SHAPE(2, 1), 1, 2);
    rg_val a = LAB_REALS(&l, RG_SHAPE(3, 2, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    rg_val y = rg_add(rg_sum(rg_mul(a, x)), rg_sum(rg_add(x, LAB_ROW(&l, 1, 1, 1))));
    rg_grad(&dx, y, &x, 1);
    LAB_EXPECT(&l, dx, 36, 48);
    lab_end(&l);
}
