/* train/buckets.c -- batches of like lengths: shuffled, sorted in pools, cut, shuffled. */
#include <retrograd/batches.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"

#include <string.h>

/* What is asked for, defaults filled in. */
struct job {
    const int32_t *length;
    size_t         n, rows, pool; /* sequences */
    int64_t        grain;
    bool           ordered;
    uint64_t       seed, epoch;
};

/* Fisher and Yates from the end; draw j is for position j. Sizes are of one item in bytes. */
static void shuffle(void *items, size_t size, size_t n, const struct job *job, const char *stream)
{
    const uint64_t tail = rg_stream_tail(rg_fnv1a(stream), job->epoch);
    unsigned char *x = items, keep[sizeof(rg_bucket)];
    for (size_t j = n; j-- > 1;) {
        size_t k = (size_t)rg_draw_below(job->seed, RG_DOMAIN_SHUFFLE, tail, j, j + 1);
        memcpy(keep, x + j * size, size);
        memmove(x + j * size, x + k * size, size);
        memcpy(x + k * size, keep, size);
    }
}

/* Runs of `width`, sorted, are merged two by two: equal lengths keep their order. */
static void merge(size_t *to, const size_t *from, size_t n, size_t width, const int32_t *length)
{
    for (size_t low = 0; low < n; low += 2 * width) {
        size_t mid = n - low < width ? n : low + width;
        size_t high = n - mid < width ? n : mid + width, a = low, b = mid;
        for (size_t i = low; i < high; i++)
            to[i] = a < mid && (b == high || length[from[a]] <= length[from[b]]) ? from[a++]
                                                                                 : from[b++];
    }
}

static void sort(size_t *order, size_t *spare, size_t n, const int32_t *length)
{
    for (size_t width = 1; width < n; width *= 2) {
        merge(spare, order, n, width, length);
        memcpy(order, spare, n * sizeof *order);
    }
}

/* T of a sorted batch: its last length, rounded up, at least one grain. */
static rg_bucket cut(const struct job *job, const size_t *order, size_t first, size_t end)
{
    size_t n = end - first < job->rows ? end - first : job->rows;
    int64_t longest = job->length[order[first + n - 1]];
    int64_t grains = (longest + job->grain - 1) / job->grain;
    return (rg_bucket){ first, n, (grains > 1 ? grains : 1) * job->grain };
}

static void fill(rg_buckets *out, size_t *spare, const struct job *job)
{
    double real = 0, all = 0;
    for (size_t i = 0; i < job->n; i++) {
        out->order[i] = i;
        real += job->length[i];
    }
    if (!job->ordered)
        shuffle(out->order, sizeof *out->order, job->n, job, "sequences");
    for (size_t first = 0, end; first < job->n; first = end) {
        end = job->n - first < job->pool ? job->n : first + job->pool;
        sort(out->order + first, spare, end - first, job->length);
        for (size_t at = first; at < end; at += job->rows)
            out->batch[out->n_batch++] = cut(job, out->order, at, end);
    }
    for (size_t i = 0; i < out->n_batch; i++)
        all += (double)out->batch[i].T * (double)out->batch[i].n;
    out->padding = all > 0 ? 1 - real / all : 0;
    if (!job->ordered)
        shuffle(out->batch, sizeof *out->batch, out->n_batch, job, "batches");
}

static rg_status check(struct job *job, const rg_bucket_opts *o, rg_err *err)
{
    if (!o || o->rows < 1 || o->pool < 0 || o->grain < 0)
        return rg_fail(err, RG_EARG, "buckets: rows must be at least 1, pool and grain 0 or more");
    if (!job->length && job->n)
        return rg_fail(err, RG_EARG, "buckets: no lengths");
    for (size_t i = 0; i < job->n; i++)
        if (job->length[i] < 0)
            return rg_fail(err, RG_EARG, "buckets: length %d of sequence %zu is negative",
                           (int)job->length[i], i);
    job->rows = (uint64_t)o->rows > job->n ? job->n : (size_t)o->rows;
    size_t pool = o->pool ? (size_t)o->pool : 64;
    if (o->ordered || !rg_mul_size(job->rows, pool, &job->pool) || job->pool > job->n)
        job->pool = job->n;
    job->grain = o->grain ? o->grain : 8;
    job->ordered = o->ordered;
    job->seed = o->seed;
    return RG_OK;
}

static void *block(const rg_alloc *alloc, size_t n, size_t item)
{
    size_t bytes;
    return rg_mul_size(n, item, &bytes) ? rg_get(alloc, bytes) : NULL;
}

static rg_status run(rg_buckets *out, struct job *job, rg_err *err)
{
    rg_alloc alloc;
    (void)rg_alloc_resolve(&alloc, NULL);
    size_t *spare = block(&alloc, job->n, sizeof *spare);
    out->n = job->n;
    out->order = block(&alloc, job->n, sizeof *out->order);
    out->batch = block(&alloc, job->n, sizeof *out->batch);
    bool ok = spare && out->order && out->batch;
    if (ok)
        fill(out, spare, job);
    rg_release(&alloc, spare, job->n * sizeof *spare);
    return ok ? RG_OK : rg_fail(err, RG_ENOMEM, "buckets: no memory for %zu sequences", job->n);
}

rg_status rg_buckets_create(rg_buckets *out, const int32_t *length, size_t n, uint64_t epoch,
                            const rg_bucket_opts *opts)
{
    struct job job = { .length = length, .n = n, .epoch = epoch };
    rg_err err = { .status = RG_OK };
    if (!out)
        return RG_EARG;
    memset(out, 0, sizeof *out);
    rg_status st = check(&job, opts, &err);
    if (st == RG_OK)
        st = run(out, &job, &err);
    if (st) {
        rg_buckets_destroy(out);
        memcpy(out->message, err.text, sizeof out->message);
    }
    return st;
}

void rg_buckets_destroy(rg_buckets *b)
{
    rg_alloc alloc;
    if (!b)
        return;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_release(&alloc, b->order, b->n * sizeof *b->order);
    rg_release(&alloc, b->batch, b->n * sizeof *b->batch);
    memset(b, 0, sizeof *b);
}

/* ---- Padding -------------------------------------------------------------------------------- */

rg_status rg_pad_rows(void *out, size_t item, const void *const *row, const int32_t *length,
                      size_t n, int64_t T, int64_t B)
{
    if (!out || T < 0 || B < 0 || (n && (!row || !length)) || (uint64_t)B < n)
        return RG_EARG;
    for (size_t b = 0; b < n; b++)
        if (length[b] < 0 || length[b] > T || (length[b] && !row[b]))
            return RG_EARG;
    for (int64_t t = 0; t < T; t++)
        for (size_t b = 0; b < (size_t)B; b++) {
            unsigned char *to = (unsigned char *)out + ((size_t)t * (size_t)B + b) * item;
            if (b < n && t < length[b])
                memcpy(to, (const unsigned char *)row[b] + (size_t)t * item, item);
            else
                memset(to, 0, item);
        }
    return RG_OK;
}
