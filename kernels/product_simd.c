/* kernels/product_simd.c -- the register block of a product, one instance per number of rows.
 *
 * R rows of A times a panel of two vectors of columns: R·2 accumulators, two vectors of B, one
 * broadcast element of A. Rows are addressed from two pointers with three strides, which is what
 * addressing modes of x86 offer; the empty asm statements keep the compiler from spilling them. */
#include "kernels/product.h"
#include "kernels/simd.h"

#if defined(RG_SIMD_AVX512)
enum { ROWS = 14 };
#else
enum { ROWS = 6 };
#endif
enum { PANEL = 2 * RG_F32_LANES, HALF = 7, SOME = 4 };

#if defined(__x86_64__)
#define KEEP_VECTOR(v)  __asm__("" : "+v"(v))
#define KEEP_POINTER(p) __asm__("" : "+r"(p))
#else
#define KEEP_VECTOR(v)  (void)(v)
#define KEEP_POINTER(p) (void)(p)
#endif

/* What one call of a block needs; strides in bytes. */
struct block {
    const char *a, *b;
    float      *c;
    int64_t     a_row, a_k, b_k, ldc, k;
    int64_t     cols;        /* columns that exist, 1 .. PANEL */
    const char *ahead;       /* fetched one line per k, for `lines` of them */
    int64_t     lines;
    bool        accumulate;
};

#define UNROLL _Pragma("GCC unroll 14")
/* Row i of a group of seven: 0, 1, 2, 3, 4, 5, 6 strides from the group's pointer. */
#define OFFSET(i)                                                                                \
    ((i) == 0 ? 0 : (i) == 1 ? row : (i) == 2 ? 2 * row : (i) == 3 ? row3 : (i) == 4 ? 4 * row   \
                                     : (i) == 5 ? row5 : 2 * row3)
#define ELEMENT(i) (*(const float *)(const void *)(((i) < HALF ? p : q) + OFFSET((i) % HALF)))

RG_INLINE void step(f32_v (*sum)[2], const char *p, const char *q, const char *b, int64_t row,
                    int64_t row3, int64_t row5, const int R, const int V)
{
    f32_v w[2];
    UNROLL for (int j = 0; j < V; j++) {
        w[j] = *(const f32_u *)(const void *)(b + j * RG_VECTOR);
        KEEP_VECTOR(w[j]);
    }
    UNROLL for (int i = 0; i < R; i++) {
        const f32_v x = ELEMENT(i) - (f32_v){ 0 }; /* broadcast */
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = f32_fma(x, w[j], sum[i][j]);
    }
}

/* The last vector of a row of C may be partial. */
RG_INLINE void put(float *c, f32_v v, int64_t n, bool accumulate)
{
    if (n >= RG_F32_LANES) {
        f32_store(c, accumulate ? f32_load(c) + v : v);
    } else if (n > 0) {
        f32_store_n(c, accumulate ? f32_load_n(c, n) + v : v, n);
    }
}

RG_INLINE void put_block(const struct block *o, f32_v (*sum)[2], const int R, const int V)
{
    float *c = o->c;
    const int64_t cols = o->cols;
    if (cols == V * RG_F32_LANES && !o->accumulate) {
        UNROLL for (int i = 0; i < R; i++)
            UNROLL for (int j = 0; j < V; j++)
                f32_store(c + i * o->ldc + j * RG_F32_LANES, sum[i][j]);
        return;
    }
    UNROLL for (int i = 0; i < R; i++)
        UNROLL for (int j = 0; j < V; j++)
            put(c + i * o->ldc + j * RG_F32_LANES, sum[i][j], cols - j * RG_F32_LANES,
                o->accumulate);
}

/* One k, and on to the next. */
#define STEP()                                                                                   \
    step(sum, p, q, b, row, row3, row5, R, V);                                                   \
    p += a_k, q += a_k, b += b_k;                                                                \
    KEEP_POINTER(p);                                                                             \
    KEEP_POINTER(q);                                                                             \
    KEEP_POINTER(b)

RG_INLINE void block(const struct block *o, const int R, const int V)
{
    f32_v sum[ROWS][2];
    const char *p = o->a, *q, *b = o->b, *ahead = o->ahead, *next = (const char *)o->c;
    int64_t row = o->a_row, row3 = 3 * row, row5 = 5 * row, a_k = o->a_k, b_k = o->b_k, k = o->k;
    int64_t rows = R, lines = o->lines, ldc = o->ldc * (int64_t)sizeof(float);
    q = p + HALF * row;
    KEEP_POINTER(q);
    KEEP_POINTER(row3);
    KEEP_POINTER(row5);
    UNROLL for (int i = 0; i < R; i++)
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = (f32_v){ 0 };
    /* the tile of C is fetched one row per k: all at once would block the miss buffers */
    for (; k > 0 && rows > 0; k--, rows--, next += ldc) {
        UNROLL for (int j = 0; j < V; j++)
            __builtin_prefetch(next + j * RG_VECTOR, 1);
        STEP();
    }
    for (; k > 0 && lines > 0; k--, lines--, ahead += 64) {
        __builtin_prefetch(ahead);
        STEP();
    }
    for (; k > 0; k--) {
        STEP();
    }
    KEEP_POINTER(o); /* what follows is loaded here, not kept in registers over the loops */
    put_block(o, sum, R, V);
}

typedef void block_fn(const struct block *o);
#define INSTANCE(R)                                                                              \
    static void wide##R(const struct block *o) { block(o, R, 2); }                               \
    static void narrow##R(const struct block *o) { block(o, R, 1); }
#define SIX(X) X(1) X(2) X(3) X(4) X(5) X(6)
#if defined(RG_SIMD_AVX512)
#define EACH(X) SIX(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define EACH(X) SIX(X)
#endif
EACH(INSTANCE)

#define WIDE(R)   wide##R,
#define NARROW(R) narrow##R,
static block_fn *const blocks[2][ROWS] = { { EACH(NARROW) }, { EACH(WIDE) } };

/* The same for columns of a B that is not packed and ends within a vector: beyond the rows of B
 * nothing is read. */
RG_INLINE void edge_block(const struct block *o, const int R, const int V)
{
    f32_v sum[ROWS][2];
    const char *a = o->a, *b = o->b;
    const int64_t n = o->cols - (V - 1) * RG_F32_LANES;
    UNROLL for (int i = 0; i < R; i++)
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = (f32_v){ 0 };
    for (int64_t k = o->k; k > 0; k--, a += o->a_k, b += o->b_k) {
        const float *row = (const void *)b;
        const f32_v w[2] = { V == 1 ? f32_load_n(row, n) : f32_load(row),
                             V == 1 ? (f32_v){ 0 } : f32_load_n(row + RG_F32_LANES, n) };
        UNROLL for (int i = 0; i < R; i++) {
            const f32_v x = *(const float *)(const void *)(a + i * o->a_row) - (f32_v){ 0 };
            UNROLL for (int j = 0; j < V; j++)
                sum[i][j] = f32_fma(x, w[j], sum[i][j]);
        }
    }
    put_block(o, sum, R, V);
}

static void narrow_edge(const struct block *o) { edge_block(o, 1, 1); }
static void narrow_edges(const struct block *o) { edge_block(o, SOME, 1); }
static void wide_edge(const struct block *o) { edge_block(o, 1, 2); }
static void wide_edges(const struct block *o) { edge_block(o, SOME, 2); }

static void edge_rows(struct block o, int64_t m)
{
    static block_fn *const edges[2][2] = { { narrow_edge, narrow_edges },
                                           { wide_edge, wide_edges } };
    const int wide = o.cols > RG_F32_LANES;
    for (int64_t rows; m > 0; m -= rows, o.a += rows * o.a_row, o.c += rows * o.ldc) {
        rows = m >= SOME ? SOME : 1;
        edges[wide][rows == SOME](&o);
    }
}

/* Rows of C over one panel, in nearly equal blocks; the lines to fetch ahead are shared out. */
static void panel_rows(struct block o, int64_t m, int64_t lines)
{
    const int64_t n = (m + ROWS - 1) / ROWS;
    const char *a = o.a;
    float *c = o.c;
    const int wide = o.cols > RG_F32_LANES;
    for (int64_t i = 0; i < n; i++) {
        const int64_t from = m * i / n, to = m * (i + 1) / n;
        o.a = a + from * o.a_row;
        o.c = c + from * o.ldc;
        o.lines = lines / n;
        blocks[wide][to - from - 1](&o);
        o.ahead += o.lines * 64;
    }
}

enum { NEAR = 256 * 1024 }; /* bytes of A that stay in the second-level cache beside a panel */

static void run(const rg_product *p, const float *a, const float *b, float *c, int64_t m0,
                int64_t m1, int64_t n0, int64_t n1)
{
    const int64_t item = sizeof(float), panel_k = p->b_k ? p->b_k : PANEL;
    const int64_t most = NEAR / item / (p->k > 0 ? p->k : 1);
    const int64_t group = most < 4 * ROWS ? 4 * ROWS : most / ROWS * ROWS;
    for (int64_t m = m0; m < m1; m += group) {
        const int64_t rows = m1 - m < group ? m1 - m : group;
        for (int64_t n = n0; n < n1; n += PANEL) {
            const float *panel = b + (p->b_k ? n : n * p->k);
            const struct block o = {
                .a = (const char *)(a + m * p->a_row), .b = (const char *)panel,
                .c = c + m * p->ldc + n, .a_row = p->a_row * item, .a_k = p->a_k * item,
                .b_k = panel_k * item, .ldc = p->ldc, .k = p->k,
                .cols = n1 - n < PANEL ? n1 - n : PANEL, .accumulate = p->accumulate,
                .ahead = (const char *)(panel + PANEL * p->k),
            };
            /* the next packed panel comes from the second level while this one is used */
            if (p->b_k && o.cols % RG_F32_LANES)
                edge_rows(o, rows);
            else
                panel_rows(o, rows, p->b_k || n + PANEL >= n1 ? 0 : p->k * PANEL * item / 64);
        }
    }
}

const rg_product_kernels RG_SIMD_NAME(rg_product);
const rg_product_kernels RG_SIMD_NAME(rg_product) = { RG_SIMD_ISA, PANEL, ROWS, RG_SIMD_FMA, run };
