/* kernels/tile_loops.h -- the loops of tile programs for one type of real; tile_simd.c includes it
 * with REAL, LANES and F(name) = f32_name or f64_name defined. One expression serves body and tail,
 * so an element's bits do not depend on where it lies. */

/* Element i of operand k: whole vectors, and the n - i that are left. */
#define PLACE(k) in[k]
#define FULL(k)  F(load)(x[k] + i)
#define PART(k)  F(load_n)(x[k] + i, n - i)
#define ARGS1(L) L(0)
#define ARGS2(L) L(0), L(1)
#define ARGS3(L) L(0), L(1), L(2)
#define ARGS4(L) L(0), L(1), L(2), L(3)

#define NEXT(k)  x[k] += row[1 + (k)]
#define NEXT1    NEXT(0)
#define NEXT2    (NEXT1, NEXT(1))
#define NEXT3    (NEXT2, NEXT(2))
#define NEXT4    (NEXT3, NEXT(3))

/* A function of vectors, and the loops that apply it; a, b, d, e are the operands. */
#define LOOP(name, args, next, expression, ...)                                                  \
    RG_INLINE F(v) F(name##_of)(F(v) c0, F(v) c1, __VA_ARGS__)                                   \
    {                                                                                            \
        (void)c0, (void)c1;                                                                      \
        return expression;                                                                       \
    }                                                                                            \
    WALK(name##_loop, name, args, args, )                                                        \
    MANY(name##_many, name, args, next)

/* The same, operand 1 being r everywhere. */
#define EACH2(L) L(0), r
#define EACH3(L) L(0), r, L(2)
#define EACH(name, places, args)                                                                 \
    WALK(name##_each, name, places, args, const F(v) r = F(set)((double)x[1][0]);)

#define WALK(loop, name, places, args, begin)                                                    \
    static void F(loop)(int64_t n, void *out, const void *const *in, const double *c)            \
    {                                                                                            \
        const REAL *const x[] = { places(PLACE) };                                               \
        REAL *y = out;                                                                           \
        const F(v) c0 = F(set)(c[0]), c1 = F(set)(c[1]);                                         \
        begin                                                                                    \
        int64_t i = 0;                                                                           \
        for (; i + LANES <= n; i += LANES)                                                       \
            F(store)(y + i, F(name##_of)(c0, c1, args(FULL)));                                   \
        if (i < n)                                                                               \
            F(store_n)(y + i, F(name##_of)(c0, c1, args(PART)), n - i);                          \
    }
#define MANY(loop, name, args, next)                                                             \
    static void F(loop)(int64_t rows, int64_t n, void *out, const void *const *in,               \
                        const int64_t *row, const double *c)                                     \
    {                                                                                            \
        const REAL *x[] = { args(PLACE) };                                                       \
        REAL *y = out;                                                                           \
        const F(v) c0 = F(set)(c[0]), c1 = F(set)(c[1]);                                         \
        for (; rows > 0; rows--, y += row[0], next) {                                            \
            int64_t i = 0;                                                                       \
            for (; i + LANES <= n; i += LANES)                                                   \
                F(store)(y + i, F(name##_of)(c0, c1, args(FULL)));                               \
            if (i < n)                                                                           \
                F(store_n)(y + i, F(name##_of)(c0, c1, args(PART)), n - i);                      \
        }                                                                                        \
    }
#define MAP1(name, expression) LOOP(name, ARGS1, NEXT1, expression, F(v) a)
#define MAP2(name, expression) LOOP(name, ARGS2, NEXT2, expression, F(v) a, F(v) b)
#define MAP3(name, expression) LOOP(name, ARGS3, NEXT3, expression, F(v) a, F(v) b, F(v) d)
#define MAP4(name, expression) LOOP(name, ARGS4, NEXT4, expression, F(v) a, F(v) b, F(v) d, F(v) e)

#define ZERO F(set)(0)
#define ONE  F(set)(1)
#define MAX0(x) F(pick)(F(le)(x, ZERO), ZERO, x) /* NaN stays */

MAP2(add, a + b)
MAP2(sub, a - b)
MAP2(mul, a * b)
MAP2(div, a / b)
MAP2(minimum, F(pick)(F(le)(a, b), a, F(pick)(F(eq)(a, a), b, a)))
MAP2(maximum, F(pick)(F(le)(b, a), a, F(pick)(F(eq)(a, a), b, a)))
MAP1(neg, -a)
MAP1(scale, c0 * a)
MAP1(shift, a + c0)
MAP1(one_minus, ONE - a)
MAP1(square, a * a)
MAP1(sqrt, F(sqrt)(a))
MAP1(abs, F(abs)(a))
MAP1(relu, MAX0(a))
MAP1(leaky_relu, F(pick)(F(lt)(ZERO, a), a, c0 * a))
MAP1(elu, F(pick)(F(lt)(ZERO, a), a, c0 * F(expm1_neg)(a)))
MAP1(clip, F(clamp)(a, c0, c1))
MAP1(exp, F(exp)(a))
MAP1(log, F(log)(a))
MAP1(sigmoid, F(sigmoid)(a))
MAP1(tanh, F(tanh)(a))
MAP1(softplus, F(softplus)(a))
MAP2(binary_cross_entropy, MAX0(a) - a * b + F(softplus)(-F(abs)(a)))

MAP3(mul_add, a * b + d)
MAP4(mul2_add, a * b + d * e)
MAP3(mul_mul, (a * b) * d)
MAP2(mul_1m, a * (ONE - b))
MAP3(mul_mul_1m, a * (b * (ONE - d)))
MAP1(slope, (ONE - a) * (a + ONE))
MAP2(mul_slope, a * ((ONE - b) * (b + ONE)))
MAP4(mul2_mul_1m, (a * b) * (d * (ONE - e)))
MAP3(mul2_slope, (a * b) * ((ONE - d) * (d + ONE)))
MAP2(add_sigmoid, F(sigmoid)(a + b))
MAP2(add_tanh, F(tanh)(a + b))

EACH(add, ARGS2, EACH2)
EACH(sub, ARGS2, EACH2)
EACH(mul, ARGS2, EACH2)
EACH(div, ARGS2, EACH2)
EACH(mul_add, ARGS3, EACH3)

static void F(fill_loop)(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)in;
    REAL *y = out, value = (REAL)c[0];
    for (int64_t i = 0; i < n; i++)
        y[i] = value;
}

/* ---- Masks are bytes ------------------------------------------------------------------------ */

#define COMPARE(name, relation)                                                                  \
    static void F(name##_loop)(int64_t n, void *out, const void *const *in, const double *c)     \
    {                                                                                            \
        (void)c;                                                                                 \
        const REAL *a = in[0], *b = in[1];                                                       \
        uint8_t *y = out;                                                                        \
        int64_t i = 0;                                                                           \
        for (; i + LANES <= n; i += LANES) {                                                     \
            F(b) m = F(to_bytes)(F(relation)(F(load)(a + i), F(load)(b + i)));                   \
            memcpy(y + i, &m, sizeof m);                                                         \
        }                                                                                        \
        if (i < n) {                                                                             \
            F(b) m = F(to_bytes)(F(relation)(F(load_n)(a + i, n - i), F(load_n)(b + i, n - i))); \
            memcpy(y + i, &m, (size_t)(n - i));                                                  \
        }                                                                                        \
    }
COMPARE(less, lt)
COMPARE(less_equal, le)
COMPARE(equal, eq)

RG_INLINE void F(where_row)(int64_t n, REAL *y, const uint8_t *m, const REAL *a, const REAL *b)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        F(store)(y + i, F(pick)(F(of_bytes)(F(bytes_n)(m + i, LANES)), F(load)(a + i),
                                F(load)(b + i)));
    if (i < n)
        F(store_n)(y + i, F(pick)(F(of_bytes)(F(bytes_n)(m + i, n - i)), F(load_n)(a + i, n - i),
                                  F(load_n)(b + i, n - i)), n - i);
}

/* One byte chooses the whole row. */
RG_INLINE void F(copy_row)(int64_t n, REAL *y, const REAL *x)
{
    int64_t i = 0;
    for (; i + LANES <= n && y != x; i += LANES)
        F(store)(y + i, F(load)(x + i));
    if (i < n && y != x)
        F(store_n)(y + i, F(load_n)(x + i, n - i), n - i);
}

static void F(where_loop)(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    F(where_row)(n, out, in[0], in[1], in[2]);
}

static void F(where_each)(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    F(copy_row)(n, out, *(const uint8_t *)in[0] ? in[1] : in[2]);
}

static void F(where_many)(int64_t rows, int64_t n, void *out, const void *const *in,
                          const int64_t *row, const double *c)
{
    const uint8_t *m = in[0];
    const REAL *a = in[1], *b = in[2];
    REAL *y = out;
    (void)c;
    for (; rows > 0; rows--, y += row[0], m += row[1], a += row[2], b += row[3])
        F(where_row)(n, y, m, a, b);
}

static void F(where_each_many)(int64_t rows, int64_t n, void *out, const void *const *in,
                               const int64_t *row, const double *c)
{
    const uint8_t *m = in[0];
    const REAL *a = in[1], *b = in[2];
    REAL *y = out;
    (void)c;
    for (; rows > 0; rows--, y += row[0], m += row[1], a += row[2], b += row[3])
        F(copy_row)(n, y, *m ? a : b);
}

static void F(bool_to_real_loop)(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    const uint8_t *m = in[0];
    REAL *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = (REAL)(m[i] != 0);
}

static void F(int_to_real_loop)(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    const int32_t *k = in[0];
    REAL *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = (REAL)k[i];
}

#undef PLACE
#undef FULL
#undef PART
#undef ARGS1
#undef ARGS2
#undef ARGS3
#undef ARGS4
#undef LOOP
#undef MANY
#undef NEXT
#undef NEXT1
#undef NEXT2
#undef NEXT3
#undef NEXT4
#undef WALK
#undef EACH
#undef EACH2
#undef EACH3
#undef MAP1
#undef MAP2
#undef MAP3
#undef MAP4
#undef ZERO
#undef ONE
#undef MAX0
#undef COMPARE
