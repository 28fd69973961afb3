/* kernels/row_loops.h -- the loops behind kernels/rows.h for one type of real; row_simd.c includes
 * it with REAL, LANES and F(name) defined. */

/* ---- Sixteen lanes of f64 -------------------------------------------------------------------- */

/* lane i += x[i], or x[i]² */
RG_INLINE void F(add_16)(struct lanes *s, const REAL *x, bool squared)
{
    for (int q = 0; q < PARTS; q++) {
        const f64_v v = F(wide)(x + q * RG_F64_LANES);
        s->part[q] += squared ? v * v : v;
    }
}

/* The last n < 16 elements, the others being `rest`. */
RG_INLINE void F(pad_16)(REAL out[16], const REAL *x, int64_t n, REAL rest)
{
    for (int64_t i = 0; i < 16; i++)
        out[i] = i < n ? x[i] : rest;
}

static double F(sum_of)(const REAL *x, int64_t n, bool squared)
{
    struct lanes s = { { { 0 } } };
    REAL last[16];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        F(add_16)(&s, x + i, squared);
    if (i < n) {
        F(pad_16)(last, x + i, n - i, 0);
        F(add_16)(&s, last, squared);
    }
    return add_lanes(&s);
}

/* The largest element; of NaN nothing is said, but *nan tells. */
static REAL F(max_of)(const REAL *x, int64_t n, bool *nan)
{
    F(v) m = F(set)(-HUGE_VAL);
    REAL lane[LANES], top, odd = 0;
    int64_t i = 0;
    F(v) unordered = F(set)(0);
    for (; i + LANES <= n; i += LANES) {
        F(v) v = F(load)(x + i);
        m = F(pick)(F(lt)(m, v), v, m);
        unordered = F(pick)(F(eq)(v, v), unordered, v);
    }
    F(store)(lane, m);
    top = lane[0];
    for (int l = 1; l < LANES; l++)
        top = lane[l] > top ? lane[l] : top;
    F(store)(lane, unordered);
    for (int l = 0; l < LANES; l++)
        odd += lane[l];
    for (; i < n; i++) {
        top = x[i] > top ? x[i] : top;
        odd = x[i] == x[i] ? odd : x[i];
    }
    *nan = odd != 0; /* NaN is not 0 */
    return top;
}

/* ---- Softmax and its relatives --------------------------------------------------------------- */

/* e[i] = e^(x[i]-m) for 16 elements, into lanes */
RG_INLINE void F(exp_16)(struct lanes *s, REAL *e, const REAL *x, F(v) m)
{
    for (int q = 0; q < 16 / LANES; q++)
        F(store)(e + q * LANES, F(exp)(F(load)(x + q * LANES) - m));
    F(add_16)(s, e, false);
}

/* Σ e^(x-m); the terms to y where it is not NULL. */
static double F(sum_exp)(const REAL *x, int64_t n, REAL m, REAL *y)
{
    struct lanes s = { { { 0 } } };
    REAL last[16], e[16];
    const F(v) mm = F(set)((double)m);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        F(exp_16)(&s, y ? y + i : e, x + i, mm);
    if (i < n) {
        F(pad_16)(last, x + i, n - i, (REAL)-HUGE_VAL);
        F(exp_16)(&s, e, last, mm);
        if (y)
            memcpy(y + i, e, (size_t)(n - i) * sizeof *y);
    }
    return add_lanes(&s);
}

static void F(softmax_rows)(const rg_rows *a, bool or_zero)
{
    for (int64_t r = 0; r < a->rows; r++) {
        const REAL *x = (const REAL *)a->x + r * a->x_row;
        REAL *y = (REAL *)a->y + r * a->y_row;
        bool nan;
        const REAL m = F(max_of)(x, a->cols, &nan);
        if (or_zero && !nan && m == (REAL)-HUGE_VAL) {
            memset(y, 0, (size_t)a->cols * sizeof *y);
            continue;
        }
        const F(v) sum = F(set)(F(sum_exp)(x, a->cols, m, y));
        int64_t i = 0;
        for (; i + LANES <= a->cols; i += LANES)
            F(store)(y + i, F(load)(y + i) / sum);
        if (i < a->cols)
            F(store_n)(y + i, F(load_n)(y + i, a->cols - i) / sum, a->cols - i);
    }
}

static void F(softmax)(const rg_rows *a) { F(softmax_rows)(a, false); }
static void F(softmax_or_zero)(const rg_rows *a) { F(softmax_rows)(a, true); }

/* (x - m) - ln Σ in f64, rounded once */
static void F(log_softmax)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++) {
        const REAL *x = (const REAL *)a->x + r * a->x_row;
        REAL *y = (REAL *)a->y + r * a->y_row;
        bool nan;
        const REAL m = F(max_of)(x, a->cols, &nan);
        const double top = (double)m, log_sum = log(F(sum_exp)(x, a->cols, m, NULL));
        for (int64_t i = 0; i < a->cols; i++)
            y[i] = (REAL)((double)x[i] - top - log_sum);
    }
}

static void F(logsumexp)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++) {
        const REAL *x = (const REAL *)a->x + r * a->x_row;
        bool nan;
        const REAL m = F(max_of)(x, a->cols, &nan);
        const bool none = !nan && m == (REAL)-HUGE_VAL;
        ((REAL *)a->y)[r] =
            none ? m : (REAL)((double)m + log(F(sum_exp)(x, a->cols, m, NULL)));
    }
}

static void F(cross_entropy)(const rg_rows *a, const int32_t *label)
{
    for (int64_t r = 0; r < a->rows; r++) {
        const REAL *x = (const REAL *)a->x + r * a->x_row;
        bool nan;
        const REAL m = F(max_of)(x, a->cols, &nan);
        const double sum = F(sum_exp)(x, a->cols, m, NULL);
        ((REAL *)a->y)[r] = (REAL)(log(sum) - ((double)x[label[r]] - (double)m));
    }
}

/* ---- Sums and maxima ------------------------------------------------------------------------- */

static void F(sum)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++)
        ((REAL *)a->y)[r] = (REAL)F(sum_of)((const REAL *)a->x + r * a->x_row, a->cols, false);
}

static void F(mean)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++) {
        const REAL *x = (const REAL *)a->x + r * a->x_row;
        ((REAL *)a->y)[r] = (REAL)a->c * (REAL)F(sum_of)(x, a->cols, false);
    }
}

static void F(sum_squares)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++)
        ((REAL *)a->y)[r] = (REAL)F(sum_of)((const REAL *)a->x + r * a->x_row, a->cols, true);
}

static void F(max)(const rg_rows *a)
{
    for (int64_t r = 0; r < a->rows; r++) {
        bool nan;
        const REAL m = F(max_of)((const REAL *)a->x + r * a->x_row, a->cols, &nan);
        ((REAL *)a->y)[r] = nan ? (REAL)NAN : m;
    }
}

/* A strip of columns at a time: its sums stay in the first-level cache, rows are read in order. */
static void F(column_sum)(const rg_rows *a, int64_t c0, int64_t c1, const double *from, double *to)
{
    enum { STRIP = 256 };
    double sum[STRIP];
    REAL *y = a->y;
    for (int64_t c = c0; c < c1; c += STRIP) {
        const int64_t n = c1 - c < STRIP ? c1 - c : STRIP;
        for (int64_t i = 0; i < n; i++)
            sum[i] = from ? from[c + i] : 0;
        const REAL *x = (const REAL *)a->x + c;
        int64_t r = 0;
        for (; r + 4 <= a->rows; r += 4, x += 4 * a->x_row) {
            const REAL *x1 = x + a->x_row, *x2 = x1 + a->x_row, *x3 = x2 + a->x_row;
            for (int64_t i = 0; i < n; i++)
                sum[i] = sum[i] + (double)x[i] + (double)x1[i] + (double)x2[i] + (double)x3[i];
        }
        for (; r < a->rows; r++, x += a->x_row)
            for (int64_t i = 0; i < n; i++)
                sum[i] += (double)x[i];
        if (to)
            memcpy(to + c, sum, (size_t)n * sizeof *sum);
        for (int64_t i = 0; i < n && !to; i++)
            y[c + i] = (REAL)sum[i];
    }
}

/* ---- Products with one vector ---------------------------------------------------------------- */

/* Columns n .. n + 4·LANES, the last vector perhaps cut to `left` elements, an accumulator each. */
RG_INLINE void F(strip)(int vectors, int64_t left, int64_t k, const REAL *x, const REAL *b,
                        int64_t ldb, REAL *y, bool accumulate)
{
    F(v) sum[4];
    for (int q = 0; q < vectors; q++)
        sum[q] = F(set)(0);
    for (int64_t i = 0; i < k; i++, b += ldb) {
        const F(v) xi = F(set)((double)x[i]);
        for (int q = 0; q < vectors; q++) {
            const REAL *p = b + q * LANES;
            const F(v) row = left == LANES ? F(load)(p) : F(load_n)(p, left);
            sum[q] += xi * row;
        }
    }
    for (int q = 0; q < vectors; q++) {
        REAL *p = y + q * LANES;
        if (accumulate)
            sum[q] += left == LANES ? F(load)(p) : F(load_n)(p, left);
        if (left == LANES)
            F(store)(p, sum[q]);
        else
            F(store_n)(p, sum[q], left);
    }
}

static void F(vector_matrix)(int64_t k, int64_t n, const void *x, const void *b, int64_t ldb,
                             void *y, bool accumulate)
{
    const REAL *bb = b;
    REAL *yy = y;
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        F(strip)(4, LANES, k, x, bb + i, ldb, yy + i, accumulate);
    for (; i + LANES <= n; i += LANES)
        F(strip)(1, LANES, k, x, bb + i, ldb, yy + i, accumulate);
    if (i < n)
        F(strip)(1, n - i, k, x, bb + i, ldb, yy + i, accumulate);
}

/* Four rows at a time, or one: y[r] (+)= Σ a[r,k]·x[k], element k in lane k mod 16. */
RG_INLINE void F(dots)(int rows, const REAL *a, int64_t lda, const REAL *x, int64_t n, REAL *y,
                       bool accumulate)
{
    F(v) s[4][16 / LANES];
    REAL lane[16], last[16], x_last[16];
    int64_t i = 0;
    memset(s, 0, sizeof s);
    for (; i + 16 <= n; i += 16)
        for (int r = 0; r < rows; r++)
            for (int q = 0; q < 16 / LANES; q++)
                s[r][q] += F(load)(a + r * lda + i + q * LANES) * F(load)(x + i + q * LANES);
    if (i < n) {
        F(pad_16)(x_last, x + i, n - i, 0);
        for (int r = 0; r < rows; r++) {
            F(pad_16)(last, a + r * lda + i, n - i, 0);
            for (int q = 0; q < 16 / LANES; q++)
                s[r][q] += F(load)(last + q * LANES) * F(load)(x_last + q * LANES);
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int q = 0; q < 16 / LANES; q++)
            F(store)(lane + q * LANES, s[r][q]);
        for (int half = 8; half > 0; half /= 2)
            for (int l = 0; l < half; l++)
                lane[l] += lane[l + half];
        y[r] = accumulate ? y[r] + lane[0] : lane[0];
    }
}

static void F(matrix_vector)(int64_t m, int64_t k, const void *a, int64_t lda, const void *x,
                             void *y, bool accumulate)
{
    const REAL *row = a;
    int64_t r = 0;
    for (; r + 4 <= m; r += 4, row += 4 * lda)
        F(dots)(4, row, lda, x, k, (REAL *)y + r, accumulate);
    for (; r < m; r++, row += lda)
        F(dots)(1, row, lda, x, k, (REAL *)y + r, accumulate);
}
