/* tests/kernels/rows.c -- loops over rows against plain ones in f64, every instruction set forced;
 * equal bits on all of them; special rows; moving elements. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/rows.h"

enum { ROWS = 5, MOST = 150, LD = MOST + 7 };

static float  x32[ROWS * LD + 1], y32[ROWS * LD + 1];
static double x64[ROWS * LD + 1], y64[ROWS * LD + 1], value[ROWS][MOST];

static void *x_of(int p) { return p == RG_F32 ? (void *)(x32 + 1) : (void *)(x64 + 1); }
static void *y_of(int p) { return p == RG_F32 ? (void *)(y32 + 1) : (void *)(y64 + 1); }
static double y_at(int p, int64_t i) { return p == RG_F32 ? (double)y32[i + 1] : y64[i + 1]; }

/* The same numbers in both precisions, exact in f32. */
static void fill(int64_t cols, uint64_t seed)
{
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < cols; c++) {
            float v = (float)draw(seed, (uint64_t)(r * MOST + c), -4, 4);
            x32[1 + r * LD + c] = v;
            x64[1 + r * LD + c] = value[r][c] = (double)v;
        }
}

static rg_rows rows_of(int p, int64_t cols)
{
    return (rg_rows){ ROWS, cols, x_of(p), LD, y_of(p), LD, 0.25 };
}

static bool near(int p, double got, double want, double size)
{
    return fabs(got - want) <= (p == RG_F32 ? 4e-7 : 1e-14) * (fabs(want) + size);
}

struct truth {
    double sum, squares, max, sum_exp;
};

static struct truth truth_of(int64_t r, int64_t cols)
{
    struct truth t = { 0, 0, -INFINITY, 0 };
    for (int64_t c = 0; c < cols; c++) {
        t.sum += value[r][c];
        t.squares += value[r][c] * value[r][c];
        t.max = value[r][c] > t.max ? value[r][c] : t.max;
    }
    for (int64_t c = 0; c < cols; c++)
        t.sum_exp += exp(value[r][c] - t.max);
    return t;
}

static void try_cols(const rg_row_kernels *k, int p, int64_t cols)
{
    const rg_rows a = rows_of(p, cols);
    static const int32_t label[ROWS] = { 0, 0, 0, 0, 0 };
    rg_rows_fn *const one[] = { k->sum[p], k->sum_squares[p], k->max[p], k->logsumexp[p],
                                k->mean[p] };
    for (int f = 0; f < 6; f++) {
        if (f < 5)
            one[f](&a);
        else
            k->cross_entropy[p](&a, label);
        for (int64_t r = 0; r < ROWS; r++) {
            const struct truth t = truth_of(r, cols);
            const double lse = t.max + log(t.sum_exp);
            const double want[] = { t.sum, t.squares, t.max, lse, t.sum / 4, lse - value[r][0] };
            RGT_CHECK_MSG(near(p, y_at(p, r), want[f], f == 0 || f == 4 ? 1 : f > 2 ? 4 : 0),
                          "function %d of %d columns: %g, not %g", f, (int)cols, y_at(p, r),
                          want[f]);
        }
    }
    k->softmax[p](&a);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < cols; c++) {
            const struct truth t = truth_of(r, cols);
            RGT_CHECK(near(p, y_at(p, r * LD + c), exp(value[r][c] - t.max) / t.sum_exp, 0));
        }
    k->log_softmax[p](&a);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < cols; c++) {
            const struct truth t = truth_of(r, cols);
            RGT_CHECK(near(p, y_at(p, r * LD + c), value[r][c] - t.max - log(t.sum_exp), 1));
        }
}

RGT_TEST(rows, sums_maxima_and_softmax_equal_plain_loops_at_every_width)
{
    for (int64_t cols = 1; cols <= MOST; cols += cols < 36 ? 1 : 19) {
        fill(cols, (uint64_t)cols);
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
            for (int p = 0; p < 2; p++)
                try_cols(rg_row_table(isa), p, cols);
    }
}

RGT_TEST(rows, all_sets_give_the_same_bits)
{
    static float want[10][ROWS * LD + 1];
    static const int32_t label[ROWS] = { 3, 2, 1, 0, 3 };
    for (int64_t cols = 4; cols <= MOST; cols += 13) {
        fill(cols, 100 + (uint64_t)cols);
        const rg_rows a = rows_of(RG_F32, cols);
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
            const rg_row_kernels *k = rg_row_table(isa);
            rg_rows_fn *const f[] = { k->sum[0], k->sum_squares[0], k->max[0], k->logsumexp[0],
                                      k->softmax[0], k->log_softmax[0] };
            for (int i = 0; i < 10; i++) {
                memset(y32, 0, sizeof y32);
                if (i < 6)
                    f[i](&a);
                else if (i == 6)
                    k->cross_entropy[0](&a, label);
                else if (i == 7)
                    k->column_sum[0](&a, 0, cols, NULL, NULL);
                else if (i == 8)
                    k->vector_matrix[0](ROWS, cols, x_of(0), x_of(0), LD, y_of(0), false);
                else
                    k->matrix_vector[0](ROWS, cols, x_of(0), LD, x32 + 2, y_of(0), false);
                if (isa == RG_ISA_PORTABLE)
                    memcpy(want[i], y32, sizeof y32);
                RGT_CHECK_MSG(memcmp(want[i], y32, sizeof y32) == 0,
                              "function %d, %d columns on %s",
                              i, (int)cols, rg_isa_text(isa));
            }
        }
    }
}

/* Rows of one thread do not depend on those of another. */
RGT_TEST(rows, a_row_alone_equals_the_row_among_others)
{
    fill(77, 9);
    rg_rows a = rows_of(RG_F32, 77);
    rg_row_table(rg_cpu_isa())->softmax[0](&a);
    static float all[ROWS * LD + 1];
    memcpy(all, y32, sizeof all);
    for (int64_t r = ROWS; r-- > 0;) {
        rg_rows one = { 1, 77, x32 + 1 + r * LD, LD, y32 + 1, LD, 0 };
        rg_row_table(rg_cpu_isa())->softmax[0](&one);
        RGT_CHECK(memcmp(y32 + 1, all + 1 + r * LD, 77 * sizeof(float)) == 0);
    }
}

/* One row, set to v but for one element; y[0] and y[last] of a function. */
static void special_row(int p, int64_t cols, double v, int64_t place, double odd)
{
    for (int64_t c = 0; c < cols; c++) {
        x32[1 + c] = (float)(c == place ? odd : v);
        x64[1 + c] = c == place ? odd : v;
    }
    (void)p;
}

RGT_TEST(rows, infinities_and_nan_come_out_as_documented)
{
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int p = 0; p < 2; p++)
            for (int64_t cols = 1; cols < 40; cols++)
                for (int64_t place = 0; place < cols; place += 5) {
                    const rg_row_kernels *k = rg_row_table(isa);
                    const rg_rows a = { 1, cols, x_of(p), LD, y_of(p), LD, 0 };
                    special_row(p, cols, 1, place, NAN);
                    k->max[p](&a);
                    RGT_CHECK(isnan(y_at(p, 0)));
                    k->softmax[p](&a);
                    RGT_CHECK(isnan(y_at(p, 0)) && isnan(y_at(p, cols - 1)));
                    k->logsumexp[p](&a);
                    RGT_CHECK(isnan(y_at(p, 0)));
                    special_row(p, cols, 1, place, INFINITY);
                    k->max[p](&a);
                    RGT_CHECK(y_at(p, 0) == INFINITY);
                    k->softmax[p](&a);
                    RGT_CHECK(isnan(y_at(p, place)));
                    special_row(p, cols, -INFINITY, place, 2);
                    k->softmax[p](&a);
                    for (int64_t c = 0; c < cols; c++)
                        RGT_CHECK(y_at(p, c) == (c == place));
                    k->logsumexp[p](&a);
                    RGT_CHECK(y_at(p, 0) == 2);
                    special_row(p, cols, -INFINITY, place, -INFINITY);
                    k->softmax[p](&a);
                    RGT_CHECK(isnan(y_at(p, 0)));
                    k->softmax_or_zero[p](&a);
                    RGT_CHECK(y_at(p, 0) == 0 && y_at(p, cols - 1) == 0);
                    k->logsumexp[p](&a);
                    RGT_CHECK(y_at(p, 0) == -INFINITY);
                }
}

RGT_TEST(rows, sums_are_in_f64)
{
    enum { N = 100000 };
    static float x[N], y;
    for (int i = 0; i < N; i++)
        x[i] = i % 2 ? 1e8F : 1;
    const rg_rows a = { 1, N, x, N, &y, 1, 0 };
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        rg_row_table(isa)->sum[0](&a);
        RGT_CHECK(y == (float)(0.5 * N * 1e8 + 0.5 * N));
    }
}

RGT_TEST(rows, column_sums_are_in_order_and_any_cut_gives_the_same_bits)
{
    enum { R = 37, C = 600 };
    static float x[R * C], y[C], cut[C];
    for (int i = 0; i < R * C; i++)
        x[i] = (float)draw(3, (uint64_t)i, -1, 1);
    const rg_rows a = { R, C, x, C, y, 0, 0 }, b = { R, C, x, C, cut, 0, 0 };
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        rg_row_table(isa)->column_sum[0](&a, 0, C, NULL, NULL);
        for (int64_t c = 0; c < C; c++) {
            double sum = 0;
            for (int64_t r = 0; r < R; r++)
                sum += (double)x[r * C + c];
            RGT_CHECK(y[c] == (float)sum);
        }
        for (int64_t c = 0; c < C; c += 70)
            rg_row_table(isa)->column_sum[0](&b, c, c + 70 < C ? c + 70 : C, NULL, NULL);
        RGT_CHECK(memcmp(y, cut, sizeof y) == 0);
    }
}

RGT_TEST(rows, column_sums_in_stretches_from_the_last_row_to_the_first_leave_no_trace)
{
    enum { R = 37, C = 600, CUT = 14 };
    static float x[R * C], y[C];
    static double stand[C];
    for (int i = 0; i < R * C; i++)
        x[i] = (float)draw(3, (uint64_t)i, -1, 1);
    const rg_rows late = { .rows = R - CUT, .cols = C, .x = x + (R - 1) * C, .x_row = -C };
    const rg_rows early = { .rows = CUT, .cols = C, .x = x + (CUT - 1) * C, .x_row = -C,
                            .y = y };
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        rg_row_table(isa)->column_sum[0](&late, 0, C, NULL, stand);
        rg_row_table(isa)->column_sum[0](&early, 0, C, stand, NULL);
        for (int64_t c = 0; c < C; c++) {
            double sum = 0;
            for (int64_t r = R; r-- > 0;)
                sum += (double)x[r * C + c];
            RGT_CHECK(y[c] == (float)sum);
        }
    }
}

/* ---- Moving elements ------------------------------------------------------------------------- */

RGT_TEST(rows, copies_follow_their_strides)
{
    static uint8_t src[8 * 100 * 100], dst[8 * 100 * 100];
    for (size_t i = 0; i < sizeof src; i++)
        src[i] = (uint8_t)draw_below(1, i, 256);
    for (size_t item = 1; item <= 8; item += item == 1 ? 3 : 4)
        for (int form = 0; form < 4; form++) {
            const int64_t R = 67, C = 41;
            const rg_copy p = { item, C, form & 1 ? 1 : C + 2, form & 1 ? R + 1 : 1,
                                form & 2 ? 1 : C, form & 2 ? R : 1 };
            memset(dst, 0, sizeof dst);
            rg_copy_rows(&p, dst, src, 0, 30);
            rg_copy_rows(&p, dst, src, 30, R);
            for (int64_t r = 0; r < R; r++)
                for (int64_t c = 0; c < C; c++)
                    RGT_CHECK(memcmp(dst + (size_t)(r * p.dst_row + c * p.dst_col) * item,
                                     src + (size_t)(r * p.src_row + c * p.src_col) * item,
                                 item) == 0);
        }
    rg_copy_rows(&(rg_copy){ .item = 4, .cols = 0 }, NULL, NULL, 0, 5);
}

RGT_TEST(rows, gather_and_scatter_add_are_in_order_of_the_index)
{
    enum { V = 7, W = 19, N = 40 };
    static float table[V * W], out[N * W], sum[V * W], want[V * W];
    static int32_t row[N];
    for (int i = 0; i < V * W; i++)
        table[i] = (float)draw(4, (uint64_t)i, -1, 1);
    for (int i = 0; i < N; i++)
        row[i] = (int32_t)draw_below(5, (uint64_t)i, V);
    rg_gather_rows(out, table, row, W * sizeof(float), 0, 13);
    rg_gather_rows(out, table, row, W * sizeof(float), 13, N);
    for (int i = 0; i < N; i++)
        RGT_CHECK(memcmp(out + i * W, table + row[i] * W, W * sizeof(float)) == 0);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < W; c++)
            want[row[i] * W + c] += out[i * W + c];
    for (int64_t c = 0; c < W; c += 8)
        rg_scatter_add_rows(RG_F32, sum, out, row, N, W, c, c + 8 < W ? c + 8 : W);
    RGT_CHECK(memcmp(sum, want, sizeof sum) == 0);
}

RGT_TEST(rows, one_element_is_spread_over_its_row_whatever_it_is)
{
    enum { R = 3, C = 37, APART = 40 };
    static const uint8_t bytes[R] = { 0, 1, 255 };
    static const uint32_t words[R] = { 0, 1, 0x7fa00001 };      /* a subnormal, a signalling NaN */
    static const uint64_t longs[R] = { 0, 1, 0x7ff4000000000001 };
    static const void *const x[] = { bytes, words, longs };
    static const size_t size[] = { 1, 4, 8 };
    static uint64_t y[R * APART];
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int k = 0; k < 3; k++)
            for (int64_t n = 0; n <= C; n++) {
                memset(y, 0x55, sizeof y);
                rg_row_table(isa)->spread[k](&(rg_rows){ R, n, x[k], 0, y, APART, 0 });
                for (int64_t i = 0; i < R * APART; i++) {
                    const char *got = (char *)y + (size_t)i * size[k];
                    const char *want = (const char *)x[k] + (size_t)(i / APART) * size[k];
                    const uint64_t untouched = 0x5555555555555555;
                    RGT_CHECK(memcmp(got, i % APART < n ? want : (const char *)&untouched,
                                     size[k]) == 0);
                }
            }
}
