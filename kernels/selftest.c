/* kernels/selftest.c -- holds BLAS and all vector loops against plain ones, on this machine. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "kernels/gemm.h"
#include "kernels/product.h"
#include "kernels/rows.h"
#include "kernels/team.h"
#include "kernels/tile.h"
#include "kernels/update.h"

/* Not a multiple of any vector, and longer than two of the widest. */
enum { N = 43, IN = 4 };

union matrix {
    float  f32[N * N];
    double f64[N * N];
};

struct bench {
    rg_out out;
    bool   wrong;
    union matrix a, b, c, in[IN];
    double x[IN][N], y[N];
};

static void judge(struct bench *t, bool good, const char *what, const char *of, const char *remedy)
{
    t->wrong = t->wrong || !good;
    rg_out_printf(&t->out, "%-5s %s, %s%s%s\n", good ? "ok" : "WRONG", what, of, good ? "" : ": ",
                  good ? "" : remedy);
}

static const char use_less[] = "build without this instruction set (meson option isa) and report "
                               "it";
static const char other_blas[] =
    "set OPENBLAS_CORETYPE=Haswell, or install another libopenblas0-openmp";

/* -2 .. 2, the same everywhere. */
static double number(int64_t i)
{
    return (double)(i * 7919 % 1009) / 252.0 - 2;
}

static bool close_to(double got, double want, rg_dtype real, double size)
{
    return fabs(got - want) <= (real == RG_F32 ? 1e-6 : 1e-14) * (fabs(want) + size);
}

static double get(const void *x, rg_dtype real, int64_t i)
{
    return real == RG_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void put(void *x, rg_dtype real, int64_t i, double v)
{
    if (real == RG_F32)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}

/* ---- BLAS ------------------------------------------------------------------------------------ */

/* C is full of NaN before, which a product must not read. */
static bool product_is_right(struct bench *t, rg_gemm_shape s)
{
    for (int64_t i = 0; i < N * N; i++) {
        put(&t->a, s.real, i, number(i));
        put(&t->b, s.real, i, number(3 * i + 1));
        put(&t->c, s.real, i, NAN);
    }
    rg_gemm(&s, &t->a, &t->b, &t->c);
    for (int64_t m = 0; m < s.m; m++)
        for (int64_t n = 0; n < s.n; n++) {
            double sum = 0;
            for (int64_t k = 0; k < s.k; k++)
                sum += get(&t->a, s.real, s.transpose_a ? k * s.lda + m : m * s.lda + k) *
                       get(&t->b, s.real, s.transpose_b ? n * s.ldb + k : k * s.ldb + n);
            if (!close_to(get(&t->c, s.real, m * s.ldc + n), sum, s.real, 2 * (double)s.k))
                return false;
        }
    return true;
}

static void test_blas(void *arg, int rank, int size)
{
    static const int64_t shape[][3] = { { N, N, N }, { 2, N, 1 }, { 7, 3, 32 }, { 16, 40, 8 },
                                        { 1, N, 20 }, { N, 1, 20 }, { 4, 5, 0 } };
    struct bench *t = arg;
    (void)size;
    if (rank != 0)
        return;
    for (rg_dtype real = RG_F32; real <= RG_F64; real++) {
        bool good = true;
        for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
            for (int form = 0; form < 4; form++)
                good = product_is_right(t, rg_gemm_dense(real, form & 1, form & 2, shape[i][0],
                                                         shape[i][1], shape[i][2])) && good;
        judge(t, good, real == RG_F32 ? "products f32" : "products f64", rg_blas_core(),
              other_blas);
    }
}

/* ---- Tile loops ------------------------------------------------------------------------------ */

static double max0(double x) { return x <= 0 ? 0 : x; }
static double softplus(double x) { return max0(x) + log1p(exp(-fabs(x))); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* What the codes of reals mean; c0 = 1/2, c1 = 3/2. */
static double meaning(rg_tile_code code, double a, double b, double c, double d)
{
    switch ((int)code) {
    case RG_TILE_FILL: return 0.5;
    case RG_TILE_ADD: return a + b;
    case RG_TILE_SUB: return a - b;
    case RG_TILE_MUL: return a * b;
    case RG_TILE_DIV: return a / b;
    case RG_TILE_MINIMUM: return a < b ? a : b;
    case RG_TILE_MAXIMUM: return a > b ? a : b;
    case RG_TILE_NEG: return -a;
    case RG_TILE_SCALE: return 0.5 * a;
    case RG_TILE_SHIFT: return a + 0.5;
    case RG_TILE_ONE_MINUS: return 1 - a;
    case RG_TILE_SQUARE: return a * a;
    case RG_TILE_SQRT: return a < 0 ? NAN : sqrt(a);
    case RG_TILE_ABS: return fabs(a);
    case RG_TILE_RELU: return max0(a);
    case RG_TILE_LEAKY_RELU: return a > 0 ? a : 0.5 * a;
    case RG_TILE_ELU: return a > 0 ? a : 0.5 * expm1(a);
    case RG_TILE_CLIP: return a < 0.5 ? 0.5 : a > 1.5 ? 1.5 : a;
    case RG_TILE_EXP: return exp(a);
    case RG_TILE_LOG: return a < 0 ? NAN : log(a);
    case RG_TILE_SIGMOID: return sigmoid(a);
    case RG_TILE_TANH: return tanh(a);
    case RG_TILE_SOFTPLUS: return softplus(a);
    case RG_TILE_BINARY_CROSS_ENTROPY: return max0(a) - a * b + softplus(-fabs(a));
    case RG_TILE_MUL_ADD: return a * b + c;
    case RG_TILE_MUL2_ADD: return a * b + c * d;
    case RG_TILE_MUL_MUL: return a * b * c;
    case RG_TILE_MUL_1M: return a * (1 - b);
    case RG_TILE_MUL_MUL_1M: return a * (b * (1 - c));
    case RG_TILE_SLOPE: return (1 - a) * (a + 1);
    case RG_TILE_MUL_SLOPE: return a * (1 - b) * (b + 1);
    case RG_TILE_MUL2_MUL_1M: return a * b * (c * (1 - d));
    case RG_TILE_MUL2_SLOPE: return a * b * (1 - c) * (c + 1);
    case RG_TILE_ADD_SIGMOID: return sigmoid(a + b);
    default: return tanh(a + b);
    }
}

/* @p each: operand 1 is its first element for all. */
static bool loop_is_right(struct bench *t, rg_tile_loop *loop, rg_dtype real, rg_tile_code code,
                          bool each)
{
    const void *in[IN];
    for (int j = 0; j < IN; j++) {
        in[j] = &t->in[j];
        for (int64_t i = 0; i < N; i++) {
            put(&t->in[j], real, i, number(j * N + i + 5));
            t->x[j][i] = get(&t->in[j], real, i);
        }
    }
    loop(N, &t->c, in, (double[2]){ 0.5, 1.5 });
    for (int64_t i = 0; i < N; i++) {
        const double b = t->x[1][each ? 0 : i];
        const double want = meaning(code, t->x[0][i], b, t->x[2][i], t->x[3][i]);
        const double got = get(&t->c, real, i);
        if (isnan(want) ? !isnan(got) : !close_to(got, want, real, 2))
            return false;
    }
    return true;
}

static bool real_code_is_right(struct bench *t, const rg_tile_kernels *k, rg_dtype real,
                               rg_tile_code code)
{
    rg_tile_loop *each = k->each[real][code];
    return loop_is_right(t, k->loop[real][code], real, code, false) &&
           (!each || loop_is_right(t, each, real, code, true));
}

/* Comparison, logic, choice, conversion. */
static bool mask_codes_are_right(struct bench *t, const rg_tile_kernels *k, rg_dtype real)
{
    static const int32_t integer[N] = { 5, -7, 1000000 };
    uint8_t m[4][N];
    const void *in[3] = { &t->a, &t->b };
    const double c[2] = { 0 };
    for (int64_t i = 0; i < N; i++) {
        put(&t->a, real, i, (double)(i % 3));
        put(&t->b, real, i, 1);
    }
    k->loop[real][RG_TILE_LESS](N, m[0], in, c);
    k->loop[real][RG_TILE_LESS_EQUAL](N, m[1], in, c);
    k->loop[real][RG_TILE_EQUAL](N, m[2], in, c);
    k->loop[real][RG_TILE_NOT](N, m[3], &(const void *){ m[0] }, c);
    k->loop[real][RG_TILE_AND](N, m[3], (const void *[]){ m[1], m[3] }, c);
    k->loop[real][RG_TILE_WHERE](N, &t->c, (const void *[]){ m[0], &t->b, &t->a }, c);
    bool good = true;
    for (int64_t i = 0; i < N; i++)
        good = good && m[0][i] == (i % 3 < 1) && m[1][i] == (i % 3 <= 1) &&
               m[2][i] == (i % 3 == 1) &&
               m[3][i] == (i % 3 == 1) && get(&t->c, real, i) == (double)(i % 3 < 1 ? 1 : i % 3);
    k->loop[real][RG_TILE_BOOL_TO_REAL](N, &t->a, &(const void *){ m[2] }, c);
    k->loop[real][RG_TILE_INT_TO_REAL](N, &t->b, &(const void *){ integer }, c);
    for (int64_t i = 0; i < N; i++)
        good = good && get(&t->a, real, i) == (i % 3 == 1) &&
               get(&t->b, real, i) == (double)integer[i];
    return good;
}

static bool is_about_masks(rg_tile_code code)
{
    return code >= RG_TILE_LESS && code <= RG_TILE_INT_TO_REAL;
}

static void test_tiles(struct bench *t, rg_isa isa)
{
    const rg_tile_kernels *k = rg_tile_table(isa);
    const char *wrong = NULL;
    for (rg_dtype real = RG_F32; real <= RG_F64; real++) {
        if (!mask_codes_are_right(t, k, real))
            wrong = "masks";
        for (int code = 0; code < RG_TILE_CALL; code++)
            if (!is_about_masks((rg_tile_code)code) &&
                !real_code_is_right(t, k, real, (rg_tile_code)code))
                wrong = rg_tile_code_text((rg_tile_code)code);
    }
    judge(t, !wrong, wrong ? wrong : "elementwise", rg_isa_text(isa), use_less);
}

/* ---- Row loops ------------------------------------------------------------------------------- */

static bool each_is(const struct bench *t, rg_dtype real, const double *want)
{
    for (int64_t i = 0; i < N; i++)
        if (!close_to(get(&t->c, real, i), want[i], real, 4))
            return false;
    return true;
}

/* One row x, its results in t->c; t->y is what must come out. */
static bool softmax_is_right(struct bench *t, const rg_row_kernels *k, rg_dtype real)
{
    const rg_rows row = { 1, N, &t->a, N, &t->c, N, 0.5 };
    double largest = -INFINITY, sum = 0, total = 0;
    for (int64_t i = 0; i < N; i++) {
        put(&t->a, real, i, number(i));
        t->x[0][i] = get(&t->a, real, i);
        largest = fmax(largest, t->x[0][i]);
        total += t->x[0][i];
    }
    for (int64_t i = 0; i < N; i++)
        sum += exp(t->x[0][i] - largest);
    for (int64_t i = 0; i < N; i++) {
        t->y[i] = exp(t->x[0][i] - largest) / sum;
        t->x[1][i] = t->x[0][i] - largest - log(sum);
    }
    k->softmax[real](&row);
    bool good = each_is(t, real, t->y);
    k->softmax_or_zero[real](&row);
    good = good && each_is(t, real, t->y);
    k->log_softmax[real](&row);
    good = good && each_is(t, real, t->x[1]);
    k->sum[real](&row);
    good = good && close_to(get(&t->c, real, 0), total, real, 4);
    k->mean[real](&row);
    good = good && close_to(get(&t->c, real, 0), total / 2, real, 4);
    k->max[real](&row);
    good = good && get(&t->c, real, 0) == largest;
    k->logsumexp[real](&row);
    good = good && close_to(get(&t->c, real, 0), largest + log(sum), real, 4);
    k->cross_entropy[real](&row, &(const int32_t){ 3 });
    return good && close_to(get(&t->c, real, 0), -t->x[1][3], real, 4);
}

/* x·B, B·x, sums of columns and of squares of rows, B [N,N] */
static bool sums_are_right(struct bench *t, const rg_row_kernels *k, rg_dtype real)
{
    memset(t->x, 0, sizeof t->x);
    for (int64_t i = 0; i < N * N; i++)
        put(&t->b, real, i, number(5 * i));
    for (int64_t r = 0; r < N; r++) {
        put(&t->a, real, r, number(r));
        for (int64_t c = 0; c < N; c++) {
            const double b = get(&t->b, real, r * N + c);
            t->x[0][c] += number(r) * b;
            t->x[1][r] += number(c) * b;
            t->x[2][c] += b;
            t->x[3][r] += b * b;
        }
    }
    const rg_rows rows = { N, N, &t->b, N, &t->c, N, 0 };
    k->vector_matrix[real](N, N, &t->a, &t->b, N, &t->c, false);
    bool good = each_is(t, real, t->x[0]);
    k->matrix_vector[real](N, N, &t->b, N, &t->a, &t->c, false);
    good = good && each_is(t, real, t->x[1]);
    k->column_sum[real](&rows, 0, N, NULL, NULL);
    good = good && each_is(t, real, t->x[2]);
    k->sum_squares[real](&rows);
    return good && each_is(t, real, t->x[3]);
}

static void test_rows(struct bench *t, rg_isa isa)
{
    const rg_row_kernels *k = rg_row_table(isa);
    bool good = true;
    for (rg_dtype real = RG_F32; real <= RG_F64; real++)
        good = softmax_is_right(t, k, real) && sums_are_right(t, k, real) && good;
    judge(t, good, "rows", rg_isa_text(isa), use_less);
}

/* ---- Our own products ------------------------------------------------------------------------ */

/* C = A·B, B in panels and as it lies. */
static void test_products(struct bench *t, rg_isa isa)
{
    const rg_product_kernels *k = rg_product_table(isa);
    rg_product p = { .m = N, .n = N, .k = N, .a_row = N, .a_k = 1, .ldc = N };
    const rg_pack all = { .k = N, .n = N, .rows = N, .cols = N, .b_k = N, .b_n = 1 };
    bool good = rg_product_packed(k, N, N) <= (int64_t)(sizeof t->in[0] / sizeof(float));
    for (int64_t i = 0; i < N * N; i++) {
        t->a.f32[i] = (float)number(i);
        t->b.f32[i] = (float)number(3 * i + 1);
    }
    if (good)
        rg_product_pack(k, &all, t->in[0].f32, t->b.f32, 0, N);
    for (int packed = 0; packed < 2 && good; packed++) {
        p.b_k = packed ? 0 : N;
        memset(&t->c, 0xff, sizeof t->c); /* NaN */
        k->run(&p, t->a.f32, packed ? t->in[0].f32 : t->b.f32, t->c.f32, 0, N, 0, N);
        for (int64_t i = 0; i < N * N; i++) {
            double sum = 0;
            for (int64_t e = 0; e < N; e++)
                sum += (double)t->a.f32[i / N * N + e] * (double)t->b.f32[e * N + i % N];
            good = good && close_to((double)t->c.f32[i], sum, RG_F32, 2.0 * N);
        }
    }
    judge(t, good, "own products", rg_isa_text(isa), use_less);
}

/* ---- Update loops ---------------------------------------------------------------------------- */

/* Weights after three updates by one rule, into t->c; state starts at zero. */
static void update_thrice(struct bench *t, const rg_update_kernels *k, rg_update_rule rule)
{
    rg_update u = { .rule = rule, .runs = 1, .clip = INFINITY, .scale = 1, .lr = 0.1, .shrink = 1,
                    .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .momentum = 0.9, .root_bias2 = 1 };
    float state[RG_UPDATE_STATES][N] = { { 0 } };
    float *const s[RG_UPDATE_STATES] = { state[0], state[1], state[2] };
    for (int64_t i = 0; i < N; i++) {
        t->a.f32[i] = (float)number(i);
        t->c.f32[i] = (float)number(i + 100);
    }
    for (int step = 0; step < 3; step++) {
        u.first = step == 0;
        k->f32.update(&u, N, t->c.f32, t->a.f32, s);
    }
}

/* The portable loops are the plain ones: the others must give the same bits. */
static void test_updates(struct bench *t, rg_isa isa)
{
    bool good = true;
    for (rg_update_rule rule = RG_UPDATE_SGD; rule <= RG_UPDATE_ADAM; rule++) {
        update_thrice(t, rg_update_table(RG_ISA_PORTABLE), rule);
        memcpy(&t->b, &t->c, sizeof t->b);
        update_thrice(t, rg_update_table(isa), rule);
        good = good && memcmp(t->b.f32, t->c.f32, N * sizeof(float)) == 0;
    }
    judge(t, good, "optimizers", rg_isa_text(isa), use_less);
}

/* ---- The whole ------------------------------------------------------------------------------- */

rg_status rg_selftest(rg_write_fn *write, void *user)
{
    rg_alloc alloc;
    rg_status status = rg_alloc_resolve(&alloc, NULL);
    struct bench *t = status == RG_OK ? rg_get(&alloc, sizeof *t) : NULL;
    if (!t)
        return RG_ENOMEM;
    t->out = (rg_out){ write, user };
    rg_team_run(1, false, test_blas, t);
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        test_tiles(t, isa);
        test_rows(t, isa);
        test_products(t, isa);
        test_updates(t, isa);
    }
    status = t->wrong ? RG_EINTERNAL : RG_OK;
    rg_release(&alloc, t, sizeof *t);
    return status;
}
