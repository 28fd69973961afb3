/* kernels/product_simd.c -- the register block of a product, one instance per number of rows, and
 * the order in which blocks run.
 *
 * R rows of A times a panel of two vectors of columns: R·2 accumulators, two vectors of B, one
 * broadcast element of A. Rows are addressed from two pointers with three strides, which is what
 * addressing modes of x86 offer; the empty asm statements keep the compiler from spilling them.
 *
 * Long sums are cut into stretches of k. Accumulators of a stretch start from what the one before
 * left in C, so that no cut changes a bit. */
#include "kernels/product.h"
#include "kernels/simd.h"

#if defined(RG_SIMD_AVX512)
enum { ROWS = 14 };
#else
enum { ROWS = 6 };
#endif
enum { PANEL = 2 * RG_F32_LANES, HALF = 7, STREAMS = 4 };
enum { LINE = 64, SPAN = 2 * RG_VECTOR > LINE ? 2 * LINE : LINE };  /* bytes fetched at once */

#if defined(__x86_64__)
#define KEEP_VECTOR(v)  __asm__("" : "+v"(v))
#define KEEP_POINTER(p) __asm__("" : "+r"(p))
#else
#define KEEP_VECTOR(v)  (void)(v)
#define KEEP_POINTER(p) (void)(p)
#endif

/* What will be needed: SPAN bytes every `step` bytes, n times. */
struct fetch {
    const char *at;
    int64_t     step, n;
};
enum { C_TILE, NEXT_B, NEXT_A, SOON, FETCHES };

/* What one call of a block needs; strides in bytes, but for C's. */
struct block {
    const char  *a, *b;
    float       *c;
    int64_t      a_row, a_k, b_k, ldc, k;
    int64_t      cols;       /* columns that exist, 1 .. PANEL */
    bool         resume;     /* go on from the sums that lie in C */
    bool         accumulate; /* C is added at the end */
    struct fetch fetch[FETCHES];
};

#define UNROLL _Pragma("GCC unroll 14")
/* Row i of a group of seven: 0, 1, 2, 3, 4, 5, 6 strides from the group's pointer. */
#define OFFSET(i)                                                                                \
    ((i) == 0 ? 0 : (i) == 1 ? row : (i) == 2 ? 2 * row : (i) == 3 ? row3 : (i) == 4 ? 4 * row   \
                                     : (i) == 5 ? row5 : 2 * row3)
#define ELEMENT(i) (*(const float *)(const void *)(((i) < HALF ? p : q) + OFFSET((i) % HALF)))

/* E: the last of V vectors of columns is partial, n of its elements exist. Masks are not free. */
RG_INLINE void step(f32_v (*sum)[2], const char *p, const char *q, const char *b, int64_t row,
                    int64_t row3, int64_t row5, int64_t n, const int R, const int V, const bool E)
{
    f32_v w[2];
    UNROLL for (int j = 0; j < V; j++) {
        const float *from = (const void *)(b + j * RG_VECTOR);
        w[j] = E && j == V - 1 ? f32_load_n(from, n) : f32_load(from);
        KEEP_VECTOR(w[j]);
    }
    UNROLL for (int i = 0; i < R; i++) {
        const f32_v x = ELEMENT(i) - (f32_v){ 0 }; /* broadcast */
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = f32_fma(x, w[j], sum[i][j]);
    }
}

/* A vector of a row of C. */
RG_INLINE f32_v get(const float *c, int64_t n, bool partial)
{
    return partial ? f32_load_n(c, n) : f32_load(c);
}
RG_INLINE void put(float *c, f32_v v, int64_t n, bool partial)
{
    if (partial)
        f32_store_n(c, v, n);
    else
        f32_store(c, v);
}

RG_INLINE void start(const struct block *o, f32_v (*sum)[2], int64_t n, const int R, const int V,
                     const bool E)
{
    const float *c = o->c;
    UNROLL for (int i = 0; i < R; i++)
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = (f32_v){ 0 };
    if (!o->resume)
        return;
    UNROLL for (int i = 0; i < R; i++, c += o->ldc)
        UNROLL for (int j = 0; j < V; j++)
            sum[i][j] = get(c + j * RG_F32_LANES, n, E && j == V - 1);
}

RG_INLINE void finish(const struct block *o, f32_v (*sum)[2], int64_t n, const int R, const int V,
                      const bool E)
{
    float *c = o->c;
    if (o->accumulate) {
        UNROLL for (int i = 0; i < R; i++, c += o->ldc)
            UNROLL for (int j = 0; j < V; j++)
                sum[i][j] = get(c + j * RG_F32_LANES, n, E && j == V - 1) + sum[i][j];
        c = o->c;
    }
    UNROLL for (int i = 0; i < R; i++, c += o->ldc)
        UNROLL for (int j = 0; j < V; j++)
            put(c + j * RG_F32_LANES, sum[i][j], n, E && j == V - 1);
}

/* One k, and on to the next. */
#define STEP()                                                                                   \
    step(sum, p, q, b, row, row3, row5, n, R, V, E);                                             \
    p += a_k, q += a_k, b += b_k;                                                                \
    KEEP_POINTER(p);                                                                             \
    KEEP_POINTER(q);                                                                             \
    KEEP_POINTER(b)

/* Fetch a row of a panel per k, to the first-level cache (3) or to the second (2): all at once
 * would block the miss buffers. */
#define FETCHING(what, level)                                                                    \
    at = o->fetch[what].at;                                                                      \
    next = o->fetch[what].step;                                                                  \
    for (left = o->fetch[what].n < k ? o->fetch[what].n : k; left > 0; left--, k--) {            \
        __builtin_prefetch(at, 0, level);                                                        \
        if (SPAN > LINE)                                                                         \
            __builtin_prefetch(at + LINE, 0, level);                                             \
        at += next;                                                                              \
        STEP();                                                                                  \
    }

RG_INLINE void block(const struct block *o, const int R, const int V, const bool E)
{
    f32_v sum[ROWS][2];
    const char *p = o->a, *q, *b = o->b, *at;
    int64_t row = o->a_row, row3 = 3 * row, row5 = 5 * row, a_k = o->a_k, b_k = o->b_k, k = o->k;
    int64_t n = o->cols - (V - 1) * RG_F32_LANES, left, next;
    q = p + HALF * row;
    KEEP_POINTER(q);
    KEEP_POINTER(row3);
    KEEP_POINTER(row5);
    start(o, sum, n, R, V, E);
    FETCHING(C_TILE, 3)
    FETCHING(NEXT_B, 2)
    FETCHING(NEXT_A, 3)
    FETCHING(SOON, 2)
    for (; k > 0; k--) {
        STEP();
    }
    KEEP_POINTER(o); /* what follows is loaded here, not kept in registers over the loops */
    finish(o, sum, n, R, V, E);
}

typedef void block_fn(const struct block *o);
#define INSTANCE(R)                                                                              \
    static void wide##R(const struct block *o) { block(o, R, 2, false); }                        \
    static void narrow##R(const struct block *o) { block(o, R, 1, false); }                      \
    static void edge_wide##R(const struct block *o) { block(o, R, 2, true); }                    \
    static void edge_narrow##R(const struct block *o) { block(o, R, 1, true); }
#define SIX(X) X(1) X(2) X(3) X(4) X(5) X(6)
#if defined(RG_SIMD_AVX512)
#define EACH(X) SIX(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define EACH(X) SIX(X)
#endif
EACH(INSTANCE)

#define WIDE(R)        wide##R,
#define NARROW(R)      narrow##R,
#define EDGE_WIDE(R)   edge_wide##R,
#define EDGE_NARROW(R) edge_narrow##R,
/* [the last vector is partial][two vectors][rows - 1] */
static block_fn *const blocks[2][2][ROWS] = { { { EACH(NARROW) }, { EACH(WIDE) } },
                                              { { EACH(EDGE_NARROW) }, { EACH(EDGE_WIDE) } } };

/* ---- One row --------------------------------------------------------------------------------- */

/* B is read once: a row waits for it, not for multiply-adds. Four panels `apart` are four streams,
 * and accumulators enough to hide the latency of one. */
RG_INLINE void row_of(const struct block *o, int64_t apart, const bool more)
{
    f32_v sum[2 * STREAMS];
    const char *a = o->a, *b = o->b;
    const int64_t offset[STREAMS] = { 0, apart, 2 * apart, 3 * apart };
    UNROLL for (int j = 0; j < 2 * STREAMS; j++)
        sum[j] = o->resume ? f32_load(o->c + j * RG_F32_LANES) : (f32_v){ 0 };
    for (int64_t k = o->k; k > 0; k--, a += o->a_k, b += o->b_k) {
        const f32_v x = *(const float *)(const void *)a - (f32_v){ 0 };
        UNROLL for (int j = 0; j < 2 * STREAMS; j++) {
            const float *w = (const void *)(b + offset[j / 2] + j % 2 * RG_VECTOR);
            sum[j] = f32_fma(x, f32_load(w), sum[j]);
        }
    }
    UNROLL for (int j = 0; j < 2 * STREAMS; j++) {
        float *c = o->c + j * RG_F32_LANES;
        f32_store(c, more ? f32_load(c) + sum[j] : sum[j]);
    }
}

/* Columns n0 .. n1: whole fours of panels, then what is left. A B that is a little larger than a
 * cache is best read forth and back by turns: what was read last is there. */
static void one_row(const rg_product *p, const float *a, const float *b, float *c, int64_t n0,
                    int64_t n1)
{
    const int64_t item = sizeof(float), b_k = p->b_k ? p->b_k : PANEL;
    const int64_t column = p->b_k ? 1 : p->k; /* elements of B from one to the next, or so */
    const int64_t fours = (n1 - n0) / (STREAMS * PANEL), apart = PANEL * column * item;
    struct block o = { .a = (const char *)a, .a_k = p->a_k * item, .b_k = b_k * item, .k = p->k,
                       .accumulate = p->accumulate, .resume = p->resume };
    for (int64_t i = 0; i < fours; i++) {
        const int64_t n = n0 + (p->descending ? fours - 1 - i : i) * STREAMS * PANEL;
        o.b = (const char *)(b + n * column);
        o.c = c + n;
        if (p->accumulate)
            row_of(&o, apart, true);
        else
            row_of(&o, apart, false);
    }
    for (int64_t n = n0 + fours * STREAMS * PANEL; n < n1; n += PANEL) {
        o.b = (const char *)(b + n * column);
        o.c = c + n;
        o.cols = n1 - n < PANEL ? n1 - n : PANEL;
        blocks[o.cols % RG_F32_LANES != 0][o.cols > RG_F32_LANES][0](&o);
    }
}

/* ---- The order of blocks -------------------------------------------------------------------- */

enum {
    NEAR = 256 * 1024,     /* bytes of A that stay in the second-level cache beside a panel */
    FAR = 512 * 1024,      /* bytes of a packed B: more do not */
    FEW = 64,              /* rows of a B that is near anyway */
    PAGE = 4096,
    CROWDED = ROWS < 7 ? ROWS : 7, /* rows a multiple of PAGE apart share a set of 8 ways */
    STRETCH = ROWS < 7 ? 128 : 256, /* of k, where B lies in rows: most of a first-level cache */
    COPIES = ROWS < 7,     /* few rows meet such a B at a time, and wait for lines that crowd a set:
                            * a panel of it is copied first, of a stretch of */
    COPY = 256, LONGEST = COPY + COPY / 2,
    MANY = 8               /* panels for which rows of a transposed A are copied, too */
};

/* What is to be fetched for later, piece by piece: as many SPANs of one row, or as many rows at one
 * place in each, whichever are more. */
struct ahead {
    const rg_soon *soon, *end;
    int64_t piece, at;    /* of *soon; what has been fetched of the piece */
    int64_t spans, calls; /* not yet fetched; blocks that are still to come */
};

/* Rows m0 .. m1 fall into nearly equal blocks; `group` of them meet a panel in turn. */
struct order {
    int64_t m0, m, blocks, group, depth;
    bool    fetch_b, copy_b, copy_a;
    struct ahead *ahead;
};

static struct order order_of(const rg_product *p, int64_t m0, int64_t m1, int64_t cols)
{
    const int64_t item = sizeof(float), m = m1 - m0, k = p->k > 0 ? p->k : 1;
    const int64_t most = p->a_row * item % PAGE == 0 ? CROWDED : ROWS;
    struct order o = { .m0 = m0, .m = m, .blocks = (m + most - 1) / most, .depth = p->k,
                       .fetch_b = p->b_k ? k > FEW : k * cols * item > FAR };
    o.copy_b = COPIES && p->room && p->b_k && o.blocks >= 4 && (k < LONGEST || !p->accumulate);
    const int64_t stretch = o.copy_b ? COPY : STRETCH;
    const int64_t parts = (k + stretch / 2) / stretch;
    if (p->b_k && !p->accumulate && parts > 1)
        o.depth = (k + parts - 1) / parts;
    const int64_t rows = NEAR / item / (o.depth > 0 ? o.depth : 1);
    o.group = rows < 4 * ROWS ? 4 : rows / ROWS;
    /* rows that lie across would come line by line, few elements of each, panel after panel */
    o.copy_a = COPIES && p->room && p->b_k && p->a_row == 1 && cols >= MANY * PANEL &&
               o.blocks >= 4 && o.depth <= LONGEST;
    return o;
}

static int64_t spans_of(int64_t width)
{
    return (width + SPAN - 1) / SPAN;
}

static struct ahead ahead_of(const rg_product *p, int64_t calls)
{
    struct ahead h = { .soon = p->soon, .end = p->soon + p->n_soon, .calls = calls };
    for (const rg_soon *s = h.soon; s < h.end; s++)
        h.spans += s->rows * spans_of(s->width);
    return h;
}

/* A block's share of it. */
static struct fetch next_share(struct ahead *h, int64_t k)
{
    struct fetch f = { 0 };
    const int64_t share = h->spans > 0 ? (h->spans + h->calls - 1) / h->calls : 0;
    h->calls -= h->calls > 1;
    if (share == 0 || h->soon == h->end)
        return f;
    const rg_soon *s = h->soon;
    const int64_t spans = spans_of(s->width);
    const bool along = spans >= s->rows; /* rows; else across them */
    const int64_t all = along ? spans : s->rows, left = all - h->at;
    f.n = share < k ? share : k;
    f.n = f.n < left ? f.n : left;
    f.step = along ? SPAN : s->pitch;
    f.at = s->at + h->piece * (along ? s->pitch : SPAN) + h->at * f.step;
    h->at += f.n;
    h->spans -= f.n;
    if (h->at == all) {
        h->at = 0;
        h->piece++;
        if (h->piece == (along ? s->rows : spans)) {
            h->piece = 0;
            h->soon++;
        }
    }
    return f;
}

/* What the block after this one reads of A: a line or two of every k, if blocks are so high that
 * each has lines of its own; or, of rows one behind the other that are read for the first time,
 * all. */
static struct fetch rows_ahead(const struct block *o, int64_t rows, bool fresh)
{
    if (o->a_row == (int64_t)sizeof(float))
        return (struct fetch){ o->a + rows * o->a_row, o->a_k, ROWS < 7 ? 0 : o->k };
    const bool dense = fresh && o->a_row <= (o->k + LINE) * o->a_k;
    const int64_t bytes = dense ? rows * o->a_row : 0;
    return (struct fetch){ o->a + rows * o->a_row, SPAN, (bytes + SPAN - 1) / SPAN };
}

/* Blocks g .. g_end of rows over one panel. What the next panel needs is shared out among them. */
static void panel_rows(struct block o, const struct order *at, int64_t g, int64_t g_end,
                       struct fetch next_b, bool fresh, const float *copied)
{
    const char *a = o.a;
    float *c = o.c;
    const bool wide = o.cols > RG_F32_LANES, edge = o.cols % RG_F32_LANES != 0;
    for (int64_t i = g; i < g_end; i++) {
        const int64_t from = at->m * i / at->blocks, to = at->m * (i + 1) / at->blocks;
        const int64_t rows = to - from, b0 = next_b.n * (i - g) / (g_end - g);
        const int64_t b1 = next_b.n * (i + 1 - g) / (g_end - g);
        o.a = a + from * o.a_row;
        if (copied) { /* the block's rows, k by k */
            o.a = (const char *)(copied + (from - at->m * g / at->blocks) * o.k);
            o.a_k = rows * (int64_t)sizeof *copied;
        }
        o.c = c + from * o.ldc;
        o.fetch[C_TILE] = (struct fetch){ (const char *)(o.resume ? o.c + rows * o.ldc : o.c),
                                          o.ldc * (int64_t)sizeof *c, rows };
        o.fetch[NEXT_B] = (struct fetch){ next_b.at + b0 * next_b.step, next_b.step, b1 - b0 };
        o.fetch[NEXT_A] = i + 1 < at->blocks ? rows_ahead(&o, rows, fresh) : (struct fetch){ 0 };
        o.fetch[SOON] = next_share(at->ahead, o.k);
        blocks[edge][wide][rows - 1](&o);
    }
}

static void copy_panel(float *to, const struct block *o)
{
    const char *b = o->b;
    for (int64_t k = o->k; k > 0; k--, to += PANEL, b += o->b_k)
        if (o->cols == PANEL)
            memcpy(to, b, PANEL * sizeof *to);
        else
            memcpy(to, b, (size_t)o->cols * sizeof *to);
}

/* Blocks g .. g_end of rows, each k by k. */
static void copy_rows(float *to, const struct order *at, int64_t g, int64_t g_end, const float *a,
                      int64_t a_k, int64_t k)
{
    for (int64_t i = g; i < g_end; i++) {
        const int64_t from = at->m * i / at->blocks, rows = at->m * (i + 1) / at->blocks - from;
        const float *x = a + from;
        for (int64_t j = 0; j < k; j++, to += rows, x += a_k)
            if (rows == ROWS)
                memcpy(to, x, ROWS * sizeof *to);
            else
                memcpy(to, x, (size_t)rows * sizeof *to);
    }
}

/* Stretch k0 .. of the sums. */
static void stretch(const rg_product *p, const struct order *at, const float *a, const float *b,
                    float *c, int64_t k0, int64_t n0, int64_t n1)
{
    const int64_t item = sizeof(float), k = p->k - k0 < at->depth ? p->k - k0 : at->depth;
    const int64_t b_k = p->b_k ? p->b_k : PANEL;
    const float *a0 = a + at->m0 * p->a_row + k0 * p->a_k;
    float *rows = at->copy_a ? p->room + LONGEST * PANEL : NULL;
    for (int64_t g = 0; g < at->blocks; g += at->group) {
        const int64_t end = g + at->group < at->blocks ? g + at->group : at->blocks;
        if (rows)
            copy_rows(rows, at, g, end, a0, p->a_k, k);
        for (int64_t n = n0; n < n1; n += PANEL) {
            const float *panel = b + (p->b_k ? n : n * p->k) + k0 * b_k;
            const float *next = panel + (p->b_k ? PANEL : PANEL * p->k);
            struct block o = {
                .a = (const char *)a0, .b = (const char *)panel, .c = c + at->m0 * p->ldc + n,
                .a_row = p->a_row * item, .a_k = p->a_k * item, .b_k = b_k * item, .ldc = p->ldc,
                .k = k, .cols = n1 - n < PANEL ? n1 - n : PANEL, .resume = k0 > 0 || p->resume,
                .accumulate = p->accumulate,
            };
            if (at->copy_b) {
                copy_panel(p->room, &o);
                o.b = (const char *)p->room;
                o.b_k = PANEL * item;
            }
            const int64_t ahead = at->fetch_b && n + PANEL < n1 ? k : 0;
            panel_rows(o, at, g, end, (struct fetch){ (const char *)next, b_k * item, ahead },
                       n == n0, rows);
        }
    }
}

static void run(const rg_product *p, const float *a, const float *b, float *c, int64_t m0,
                int64_t m1, int64_t n0, int64_t n1)
{
    if (m1 - m0 == 1) {
        one_row(p, a + m0 * p->a_row, b, c + m0 * p->ldc, n0, n1);
        return;
    }
    struct order at = order_of(p, m0, m1, n1 - n0);
    const int64_t panels = (n1 - n0 + PANEL - 1) / PANEL;
    const int64_t stretches = at.depth > 0 ? (p->k + at.depth - 1) / at.depth : 1;
    struct ahead ahead = ahead_of(p, at.blocks * panels * stretches);
    at.ahead = &ahead;
    int64_t k0 = 0;
    do {
        stretch(p, &at, a, b, c, k0, n0, n1);
        k0 += at.depth;
    } while (k0 < p->k);
}

const rg_product_kernels RG_SIMD_NAME(rg_product) = {
    RG_SIMD_ISA, PANEL, ROWS, COPIES * LONGEST * PANEL, COPIES * NEAR / (int64_t)sizeof(float),
    RG_SIMD_FMA, run,
};
