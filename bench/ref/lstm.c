/* bench/ref/lstm.c -- a training step of an LSTM by hand.
 *
 * One slab [T·B,4H] holds pre-activations, then gates, then their gradients; its rows are no
 * multiple of 4096 bytes apart, since those would share few lines of the cache. The input's part
 * x·U is computed for a chunk of steps at a time, and so are the gradients of x, U, W and b: while
 * the chunk is still in the cache. */
#include "bench/ref/lstm.h"

#include "base/cpu.h"
#include "bench/ref/cell.h"
#include "kernels/product.h"
#include "kernels/team.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#undef I /* complex.h, which OpenBLAS includes */

enum { CHUNK = 256, PAD = 16 };
enum { Z = REF_ARRAYS, CS, PACKED_U, PACKED_W, PACKED_UT, PACKED_WT, ARRAYS };

struct ref_lstm {
    int64_t T, B, I, H, N;   /* N = 4H */
    int64_t ldz, ldh, steps; /* of a chunk */
    int     threads;
    const rg_product_kernels *own;  /* NULL: OpenBLAS */
    const ref_cell           *cell;
    float  *at[ARRAYS];
    bool    products_only;
    rg_team_gate gate;
};

extern const ref_cell ref_cell_portable, ref_cell_avx2, ref_cell_avx512;

const ref_cell *ref_cell_table(void)
{
    switch (rg_cpu_isa()) {
#if defined(RG_HAVE_AVX512)
    case RG_ISA_AVX512: return &ref_cell_avx512;
#endif
#if defined(RG_HAVE_AVX2)
    case RG_ISA_AVX2: return &ref_cell_avx2;
#endif
    default: return &ref_cell_portable;
    }
}

/* ---- Memory --------------------------------------------------------------------------------- */

static bool take(ref_lstm *r)
{
    const int64_t TB = r->T * r->B, N = r->N, I = r->I, H = r->H;
    const int64_t elements[ARRAYS] = {
        [REF_X] = TB * I, [REF_U] = I * N, [REF_W] = H * N, [REF_BIAS] = N,
        [REF_HS] = (TB + r->B) * r->ldh, [REF_DX] = TB * I, [REF_DU] = I * N, [REF_DW] = H * N,
        [REF_DBIAS] = N, [REF_DH] = r->B * r->ldh, [REF_DC] = r->B * r->ldh, [Z] = TB * r->ldz,
        [CS] = (TB + r->B) * r->ldh,
        [PACKED_U] = r->own ? rg_product_packed(r->own, I, N) : 1,
        [PACKED_W] = r->own ? rg_product_packed(r->own, H, N) : 1,
        [PACKED_UT] = r->own ? rg_product_packed(r->own, N, I) : 1,
        [PACKED_WT] = r->own ? rg_product_packed(r->own, N, H) : 1,
    };
    for (int k = 0; k < ARRAYS; k++) {
        const size_t bytes = ((size_t)elements[k] * sizeof(float) + 63) / 64 * 64;
        if (!(r->at[k] = aligned_alloc(64, bytes)))
            return false;
        memset(r->at[k], 0, bytes);
    }
    return true;
}

ref_lstm *ref_lstm_create(int64_t T, int64_t B, int64_t I, int64_t H, ref_products products,
                          int threads)
{
    ref_lstm *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->T = T, r->B = B, r->I = I, r->H = H, r->N = 4 * H;
    r->ldz = r->N + PAD;
    r->ldh = H + PAD;
    r->steps = (CHUNK + B - 1) / B < T ? (CHUNK + B - 1) / B : T;
    r->threads = threads;
    r->own = products == REF_OWN ? rg_product_table(rg_cpu_isa()) : NULL;
    r->cell = ref_cell_table();
    if (!take(r)) {
        ref_lstm_destroy(r);
        return NULL;
    }
    return r;
}

void ref_lstm_destroy(ref_lstm *r)
{
    for (int k = 0; r && k < ARRAYS; k++)
        free(r->at[k]);
    free(r);
}

float *ref_lstm_array(ref_lstm *r, ref_array which, int64_t *ld)
{
    *ld = which == REF_X || which == REF_DX ? r->I
        : which == REF_HS || which == REF_DH || which == REF_DC ? r->ldh : r->N;
    return r->at[which] + (which == REF_HS ? r->B * r->ldh : 0);
}

/* ---- Products ------------------------------------------------------------------------------- */

/* C (+)= A·B, A [m,k] as it lies or transposed; B as it lies, or transposed and (ours) packed. */
typedef struct product {
    int64_t m, n, k;
    const float *a;
    int64_t lda;
    bool    a_across;
    const float *b, *packed;
    int64_t ldb;
    bool    b_across;
    float  *c;
    int64_t ldc;
    bool    add;
} product;

/* Columns n0 .. n1 of C, n0 a multiple of a panel. */
static void multiply(const ref_lstm *r, const product *p, int64_t n0, int64_t n1)
{
    if (n1 <= n0)
        return;
    if (r->own) {
        const rg_product own = { .m = p->m, .n = p->n, .k = p->k,
                                 .a_row = p->a_across ? 1 : p->lda,
                                 .a_k = p->a_across ? p->lda : 1, .b_k = p->packed ? 0 : p->ldb,
                                 .ldc = p->ldc, .accumulate = p->add };
        r->own->run(&own, p->a, p->packed ? p->packed : p->b, p->c, 0, p->m, n0, n1);
        return;
    }
    cblas_sgemm(CblasRowMajor, p->a_across ? CblasTrans : CblasNoTrans,
                p->b_across ? CblasTrans : CblasNoTrans, (int)p->m, (int)(n1 - n0), (int)p->k, 1,
                p->a, (int)p->lda, p->b + (p->b_across ? n0 * p->ldb : n0), (int)p->ldb,
                p->add ? 1 : 0, p->c + n0, (int)p->ldc);
}

/* A thread's share of n columns, in panels. */
static int64_t share(const ref_lstm *r, int64_t n, int rank, int size)
{
    const int64_t panel = r->own ? r->own->panel : 32, panels = (n + panel - 1) / panel;
    const int64_t at = panels * rank / size * panel;
    return at < n ? at : n;
}

static void pack(const ref_lstm *r, int to, const float *b, int64_t k, int64_t n, int64_t b_k,
                 int64_t b_n, int rank, int size)
{
    const rg_pack all = { .k = k, .n = n, .rows = k, .cols = n, .b_k = b_k, .b_n = b_n };
    rg_product_pack(r->own, &all, r->at[to], b, share(r, n, rank, size),
                    share(r, n, rank + 1, size));
}

static void pack_all(const ref_lstm *r, int rank, int size)
{
    const int64_t N = r->N;
    if (!r->own)
        return;
    pack(r, PACKED_U, r->at[REF_U], r->I, N, N, 1, rank, size);
    pack(r, PACKED_W, r->at[REF_W], r->H, N, N, 1, rank, size);
    pack(r, PACKED_UT, r->at[REF_U], N, r->I, 1, N, rank, size);
    pack(r, PACKED_WT, r->at[REF_W], N, r->H, 1, N, rank, size);
}

static const float *packed(const ref_lstm *r, int which)
{
    return r->own ? r->at[which] : NULL;
}

/* ---- The step ------------------------------------------------------------------------------- */

/* Rows b0 .. b1 of every step belong to a thread. */
struct rows {
    int64_t b0, n;
};

/* Rows of steps t0 .. t1 times a matrix: at once where a thread owns all rows, else by steps. */
static void over_steps(const ref_lstm *r, product p, int64_t t0, int64_t t1, struct rows own)
{
    const bool whole = own.n == r->B;
    p.m = whole ? (t1 - t0) * r->B : own.n;
    for (int64_t t = t0; t < t1; t += whole ? t1 - t0 : 1) {
        product one = p;
        one.a += (t * r->B + own.b0) * p.lda;
        one.c += (t * r->B + own.b0) * p.ldc;
        multiply(r, &one, 0, p.n);
    }
}

static void cell_forward(const ref_lstm *r, int64_t t, struct rows own)
{
    for (int64_t b = t * r->B + own.b0, end = b + own.n; b < end && !r->products_only; b++)
        r->cell->forward(r->H, r->at[Z] + b * r->ldz, r->at[REF_BIAS], r->at[CS] + b * r->ldh,
                         r->at[CS] + (b + r->B) * r->ldh, r->at[REF_HS] + (b + r->B) * r->ldh);
}

static void cell_backward(const ref_lstm *r, int64_t t, struct rows own)
{
    const float slope = 2 / (float)(r->T * r->B * r->H);
    for (int64_t i = own.b0; i < own.b0 + own.n && !r->products_only; i++) {
        const int64_t b = t * r->B + i;
        r->cell->backward(r->H, r->at[Z] + b * r->ldz, r->at[CS] + b * r->ldh,
                          r->at[CS] + (b + r->B) * r->ldh, r->at[REF_HS] + (b + r->B) * r->ldh,
                          t == r->T - 1 ? NULL : r->at[REF_DH] + i * r->ldh,
                          r->at[REF_DC] + i * r->ldh, slope);
    }
}

static void forward(const ref_lstm *r, struct rows own)
{
    const product xu = { .n = r->N, .k = r->I, .a = r->at[REF_X], .lda = r->I, .b = r->at[REF_U],
                         .packed = packed(r, PACKED_U), .ldb = r->N, .c = r->at[Z],
                         .ldc = r->ldz };
    const product hw = { .n = r->N, .k = r->H, .a = r->at[REF_HS], .lda = r->ldh,
                         .b = r->at[REF_W], .packed = packed(r, PACKED_W), .ldb = r->N,
                         .c = r->at[Z], .ldc = r->ldz, .add = true };
    for (int64_t t = 0; t < r->T; t++) {
        if (t % r->steps == 0)
            over_steps(r, xu, t, t + r->steps < r->T ? t + r->steps : r->T, own);
        over_steps(r, hw, t, t + 1, own);
        cell_forward(r, t, own);
    }
}

/* Of steps t0 .. t1, whose gate gradients are there: this thread's columns of dU, dW, db. */
static void weights(const ref_lstm *r, int64_t t0, int64_t t1, int rank, int size)
{
    const int64_t k = (t1 - t0) * r->B, first = t0 * r->B;
    const int64_t n0 = share(r, r->N, rank, size), n1 = share(r, r->N, rank + 1, size);
    const float *d = r->at[Z] + first * r->ldz;
    const product du = { .m = r->I, .n = r->N, .k = k, .a = r->at[REF_X] + first * r->I,
                         .lda = r->I, .a_across = true, .b = d, .ldb = r->ldz,
                         .c = r->at[REF_DU], .ldc = r->N, .add = t1 < r->T };
    product dw = du;
    dw.m = r->H;
    dw.a = r->at[REF_HS] + first * r->ldh;
    dw.lda = r->ldh;
    dw.c = r->at[REF_DW];
    multiply(r, &du, n0, n1);
    multiply(r, &dw, n0, n1);
    if (t1 == r->T)
        memset(r->at[REF_DBIAS] + n0, 0, (size_t)(n1 - n0) * sizeof(float));
    if (!r->products_only)
        r->cell->add_rows(k, r->ldz, d, n0, n1, r->at[REF_DBIAS]);
}

static void backward(ref_lstm *r, struct rows own, int rank, int size)
{
    const product dx = { .n = r->I, .k = r->N, .a = r->at[Z], .lda = r->ldz, .b = r->at[REF_U],
                         .packed = packed(r, PACKED_UT), .ldb = r->N, .b_across = true,
                         .c = r->at[REF_DX], .ldc = r->I };
    product dh = { .m = own.n, .n = r->H, .k = r->N, .lda = r->ldz, .b = r->at[REF_W],
                   .packed = packed(r, PACKED_WT), .ldb = r->N, .b_across = true,
                   .c = r->at[REF_DH] + own.b0 * r->ldh, .ldc = r->ldh };
    memset(r->at[REF_DC] + own.b0 * r->ldh, 0, (size_t)(own.n * r->ldh) * sizeof(float));
    for (int64_t t = r->T - 1, end = r->T; t >= 0; t--) {
        cell_backward(r, t, own);
        dh.a = r->at[Z] + (t * r->B + own.b0) * r->ldz;
        multiply(r, &dh, 0, r->H);
        if (t % r->steps)
            continue;
        over_steps(r, dx, t, end, own);
        rg_team_meet(&r->gate, size); /* columns of dU, dW, db need all rows */
        weights(r, t, end, rank, size);
        end = t;
    }
}

static void train(void *arg, int rank, int size)
{
    ref_lstm *r = arg;
    const int64_t b0 = r->B * rank / size;
    const struct rows own = { b0, r->B * (rank + 1) / size - b0 };
    pack_all(r, rank, size);
    rg_team_meet(&r->gate, size);
    forward(r, own);
    backward(r, own, rank, size);
}

void ref_lstm_train(ref_lstm *r)
{
    r->products_only = false;
    rg_team_run(r->threads, true, train, r);
}

void ref_lstm_products(ref_lstm *r)
{
    r->products_only = true;
    rg_team_run(r->threads, true, train, r);
}

void ref_lstm_cell_forward(ref_lstm *r)
{
    r->products_only = false;
    cell_forward(r, 0, (struct rows){ 0, r->B });
}

void ref_lstm_cell_backward(ref_lstm *r)
{
    r->products_only = false;
    cell_backward(r, 0, (struct rows){ 0, r->B });
}
