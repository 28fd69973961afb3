/* tests/kernels/loops.c -- the loops of tile programs, every instruction set forced, against plain
 * formulas: values, special values, tails, alignment, in place, equal bits on every set. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/tile.h"

enum { N = 71, ROOM = N + 80 };

/* What each code means, in f64; kinds by its signature. */
static double max0(double x) { return x <= 0 ? 0 : x; }
static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus(double x) { return max0(x) + log1p(exp(-fabs(x))); }

struct meaning {
    rg_tile_code code;
    double (*f)(double a, double b, double c, double d, double k0, double k1);
    double ulp;  /* bound for f32; 0 = exact, each operation rounding */
};

#define MEANING(CODE, bound, value)                                                              \
    static double mean_##CODE(double a, double b, double c, double d, double k0, double k1)      \
    {                                                                                            \
        (void)a, (void)b, (void)c, (void)d, (void)k0, (void)k1;                                  \
        return value;                                                                            \
    }
#define MEANINGS(X)                                                                              \
    X(FILL, 0, k0) X(ADD, 0, a + b) X(SUB, 0, a - b) X(MUL, 0, a * b) X(DIV, 0, a / b)           \
    X(MINIMUM, 0, a <= b || a != a ? a : b) X(MAXIMUM, 0, a >= b || a != a ? a : b)              \
    X(NEG, 0, -a) X(SCALE, 0, k0 * a) X(SHIFT, 0, a + k0) X(ONE_MINUS, 0, 1 - a)                 \
    X(SQUARE, 0, a * a) X(SQRT, 0, sqrt(a)) X(ABS, 0, fabs(a)) X(RELU, 0, max0(a))               \
    X(LEAKY_RELU, 0, a <= 0 ? k0 * a : a) X(ELU, 1.5, a <= 0 ? k0 * expm1(a) : a)                \
    X(CLIP, 0, a < k0 ? k0 : a > k1 ? k1 : a) X(EXP, 2, exp(a)) X(LOG, 2, log(a))                \
    X(SIGMOID, 2.5, sigmoid(a)) X(TANH, 2.5, tanh(a)) X(SOFTPLUS, 2, softplus(a))                \
    X(LESS, 0, a < b) X(LESS_EQUAL, 0, a <= b) X(EQUAL, 0, a == b) X(AND, 0, a != 0 && b != 0)   \
    X(NOT, 0, a == 0) X(WHERE, 0, a != 0 ? b : c) X(BOOL_TO_REAL, 0, a != 0) X(INT_TO_REAL, 0, a)
MEANINGS(MEANING)
#define ROW(CODE, bound, value) { RG_TILE_##CODE, mean_##CODE, bound },
static const struct meaning meaning[] = { MEANINGS(ROW) };
enum { N_MEANING = sizeof meaning / sizeof *meaning };

static const char *signature(rg_tile_code code)
{
#define SIGNATURE(CODE, name, signature) signature,
    static const char *const text[] = { RG_TILE_CODES(SIGNATURE) };
    return text[code];
}

/* One array in all kinds. */
struct array {
    float   f32[ROOM];
    double  f64[ROOM];
    int32_t i32[ROOM];
    uint8_t u8[ROOM];
};

static void *at(struct array *a, char letter, int p, int64_t i)
{
    return letter == 'B' ? (void *)(a->u8 + i) : letter == 'I' ? (void *)(a->i32 + i)
           : p == RG_F32 ? (void *)(a->f32 + i) : (void *)(a->f64 + i);
}

static double value_at(struct array *a, char letter, int p, int64_t i)
{
    return letter == 'B' ? a->u8[i] : letter == 'I' ? a->i32[i]
           : p == RG_F32 ? (double)a->f32[i] : a->f64[i];
}

/* Numbers of moderate size, and now and then a special one. */
static void fill(struct array *a, uint64_t stream)
{
    for (int i = 0; i < ROOM; i++) {
        uint64_t u = (uint64_t)i;
        double x = draw_below(stream, u, 3) ? draw(stream, u, -6, 6)
                                            : special[draw_below(stream + 1, u, N_SPECIAL)];
        a->f32[i] = (float)x;
        a->f64[i] = x;
        a->i32[i] = (int32_t)draw_below(stream, u, 2000001) - 1000000;
        a->u8[i] = (uint8_t)draw_below(stream + 2, u, 2);
    }
}

static bool close_enough(const struct meaning *m, int p, double got, double want)
{
    if (p == RG_F32)
        return m->ulp == 0 ? same_f32((float)got, (float)want)
                           : ulp_f32((float)got, want) <= m->ulp;
    return same_f64(got, want);
}

/* The code on n elements from a given offset, against its meaning; what follows stays untouched. */
static void try_code(const rg_tile_kernels *k, const struct meaning *m, int p, int64_t n,
                     int64_t offset)
{
    static struct array in[3], out;
    const char *sig = signature(m->code);
    const void *x[3];
    double c[2] = { p == RG_F32 ? (double)-0.3f : -0.3, 1.75 };
    for (int j = 0; j < 3; j++)
        fill(&in[j], 100 * (uint64_t)m->code + 10 * (uint64_t)j + (uint64_t)n);
    for (int j = 0; sig[2 + j]; j++)
        x[j] = at(&in[j], sig[2 + j], p, offset + j);
    memset(&out, 0x5a, sizeof out);
    k->loop[p][m->code](n, at(&out, sig[0], p, offset), x, c);
    double v[3] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; sig[2 + j]; j++)
            v[j] = value_at(&in[j], sig[2 + j], p, offset + j + i);
        double want = m->f(v[0], v[1], v[2], 0, c[0], c[1]);
        double got = value_at(&out, sig[0], p, offset + i);
        RGT_CHECK_MSG(close_enough(m, p, got, want), "%s %s f%d: f(%g, %g, %g) is %.9g, got %.9g",
                      rg_isa_text(k->isa), rg_tile_code_text(m->code), p == RG_F32 ? 32 : 64, v[0],
                      v[1], v[2], want, got);
    }
    const uint8_t *after = at(&out, sig[0], p, offset + n);
    for (int b = 0; b < 64; b++)
        RGT_CHECK_MSG(after[b] == 0x5a, "%s: wrote behind the end", rg_tile_code_text(m->code));
}

RGT_TEST(loops, every_code_means_its_formula_at_every_length_on_every_set)
{
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int k = 0; k < N_MEANING; k++)
            for (int p = 0; p < 2; p++)
                for (int64_t n = 0; n < N; n++)
                    try_code(rg_tile_table(isa), &meaning[k], p, n, n % 5);
}

/* Round after each operation, in the precision at hand. */
static double rounded(int p, double x) { return p == RG_F32 ? (double)(float)x : x; }

static double merged_value(rg_tile_code code, int p, const double *v)
{
#define R(x) rounded(p, x)
    switch (code) {
    case RG_TILE_MUL_ADD: return R(R(v[0] * v[1]) + v[2]);
    case RG_TILE_MUL2_ADD: return R(R(v[0] * v[1]) + R(v[2] * v[3]));
    case RG_TILE_MUL_MUL: return R(R(v[0] * v[1]) * v[2]);
    case RG_TILE_MUL_1M: return R(v[0] * R(1 - v[1]));
    case RG_TILE_MUL_MUL_1M: return R(v[0] * R(v[1] * R(1 - v[2])));
    case RG_TILE_SLOPE: return R(R(1 - v[0]) * R(v[0] + 1));
    case RG_TILE_MUL2_MUL_1M: return R(R(v[0] * v[1]) * R(v[2] * R(1 - v[3])));
    case RG_TILE_MUL2_SLOPE: return R(R(v[0] * v[1]) * R(R(1 - v[2]) * R(v[2] + 1)));
    default: return R(v[0] * R(R(1 - v[1]) * R(v[1] + 1)));
    }
#undef R
}

RGT_TEST(loops, merged_codes_round_after_each_operation)
{
    static struct array in[4], out;
    for (int j = 0; j < 4; j++)
        fill(&in[j], 9000 + 10 * (uint64_t)j);
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (rg_tile_code code = RG_TILE_MUL_ADD; code <= RG_TILE_MUL2_SLOPE; code++)
            for (int p = 0; p < 2; p++) {
                const void *x[4];
                for (int j = 0; j < 4; j++)
                    x[j] = at(&in[j], 'R', p, 0);
                rg_tile_table(isa)->loop[p][code](N, at(&out, 'R', p, 0), x, (double[2]){ 0, 0 });
                for (int64_t i = 0; i < N; i++) {
                    double v[4];
                    for (int j = 0; j < 4; j++)
                        v[j] = value_at(&in[j], 'R', p, i);
                    double want = merged_value(code, p, v), got = value_at(&out, 'R', p, i);
                    RGT_CHECK_MSG(same_f64(got, want), "%s: %g, not %g", rg_tile_code_text(code),
                                  got, want);
                }
            }
}

/* All codes that take reals only, on many f32 bit patterns. */
RGT_TEST(loops, all_sets_give_the_same_bits_in_f32)
{
    enum { MANY = 4096 };
    static float in[4][MANY], want[MANY], got[MANY];
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < MANY; i++) {
            rg_philox_block b = rg_draw(3, RG_DOMAIN_USER, (uint64_t)j, (uint32_t)i);
            in[j][i] = i % 3 ? (float)draw((uint64_t)j, (uint64_t)i, -20, 20) : f32_of_bits(b.w[0]);
        }
    for (int code = 0; code < RG_TILE_CALL; code++) {
        const char *sig = signature((rg_tile_code)code);
        if (strpbrk(sig, "BI"))
            continue;
        const void *x[4] = { in[0], in[1], in[2], in[3] };
        const double c[2] = { 0.3, 1.5 };
        rg_tile_table(RG_ISA_PORTABLE)->loop[RG_F32][code](MANY, want, x, c);
        for (rg_isa isa = RG_ISA_AVX2; isa <= rg_cpu_isa(); isa++) {
            rg_tile_table(isa)->loop[RG_F32][code](MANY, got, x, c);
            for (int i = 0; i < MANY; i++)
                RGT_CHECK_MSG(same_f32(got[i], want[i]), "%s of %a, %a: %a on %s, %a portable",
                              rg_tile_code_text((rg_tile_code)code), (double)in[0][i],
                              (double)in[1][i], (double)got[i], rg_isa_text(isa), (double)want[i]);
        }
    }
}

/* What an element becomes does not depend on its place: body, tail, neighbours. */
RGT_TEST(loops, an_element_has_the_same_bits_in_body_and_tail)
{
    static const rg_tile_code unary[] = { RG_TILE_EXP, RG_TILE_LOG, RG_TILE_SIGMOID, RG_TILE_TANH,
                                          RG_TILE_SOFTPLUS, RG_TILE_ELU };
    static float in[N], whole[N], alone;
    for (int i = 0; i < N; i++)
        in[i] = (float)draw(77, (uint64_t)i, -4, 4);
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (size_t k = 0; k < sizeof unary / sizeof *unary; k++) {
            rg_tile_loop *loop = rg_tile_table(isa)->loop[RG_F32][unary[k]];
            loop(N, whole, &(const void *){ in }, (double[2]){ 1, 0 });
            for (int i = 0; i < N; i++) {
                loop(1, &alone, &(const void *){ in + i }, (double[2]){ 1, 0 });
                RGT_CHECK(same_f32(alone, whole[i]));
            }
        }
}

RGT_TEST(loops, a_result_may_lie_over_an_operand)
{
    static float a[N], b[N], want[N];
    for (int code = 0; code < RG_TILE_CALL; code++) {
        if (strpbrk(signature((rg_tile_code)code), "BI"))
            continue;
        for (int over = 0; over < 2; over++) {
            for (int i = 0; i < N; i++) {
                a[i] = (float)draw(5, (uint64_t)i, 0.1, 3);
                b[i] = (float)draw(6, (uint64_t)i, 0.1, 3);
            }
            const void *x[4] = { a, b, a, b };
            const double c[2] = { 0.5, 1.5 };
            rg_tile_loop *loop = rg_tile_table(rg_cpu_isa())->loop[RG_F32][code];
            loop(N, want, x, c);
            loop(N, over ? b : a, x, c);
            RGT_CHECK(memcmp(over ? b : a, want, sizeof want) == 0);
        }
    }
}

/* For every finite x: |tanh| <= 1, 0 <= σ <= 1, and both keep their order at the ends. */
RGT_TEST(loops, activations_saturate_without_leaving_their_range)
{
    static float x[4096], y[4096];
    for (int i = 0; i < 4096; i++)
        x[i] = (float)ldexp((double)(i % 2 ? i : -i), -8); /* -16 .. 16 */
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        const rg_tile_kernels *k = rg_tile_table(isa);
        k->loop[RG_F32][RG_TILE_TANH](4096, y, &(const void *){ x }, (double[2]){ 0, 0 });
        for (int i = 0; i < 4096; i++) {
            RGT_CHECK(fabsf(y[i]) <= 1 && signbit(y[i]) == signbit(x[i]));
            RGT_CHECK(fabsf(x[i]) < 9.02f || fabsf(y[i]) == 1);
        }
        k->loop[RG_F32][RG_TILE_SIGMOID](4096, y, &(const void *){ x }, (double[2]){ 0, 0 });
        for (int i = 0; i < 4096; i++)
            RGT_CHECK(y[i] > 0 && y[i] <= 1);
    }
}
