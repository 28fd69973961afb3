/* retrograd/batches.h -- sequences of unequal length: batches of like lengths, one plan for each
 * shape of a batch. Optional part of the library. */
#ifndef RETROGRAD_BATCHES_H
#define RETROGRAD_BATCHES_H

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Batches by length --------------------------------------------------------------------- */

typedef struct rg_bucket_opts {
    int64_t  rows;     /* sequences of a batch, at least 1 */
    int64_t  pool;     /* so many batches are sorted together; 0 = 64 */
    int64_t  grain;    /* T of a batch is its longest length, rounded up to a multiple; 0 = 8 */
    bool     ordered;  /* nothing is shuffled, all is sorted: for evaluation */
    uint64_t seed;
} rg_bucket_opts;

/* One batch: sequences order[first] .. order[first + n-1], padded to T steps. */
typedef struct rg_bucket {
    size_t  first, n;
    int64_t T;
} rg_bucket;

typedef struct rg_buckets {
    size_t    *order;         /* [n] every sequence once */
    size_t     n;
    rg_bucket *batch;         /* in the order to be run */
    size_t     n_batch;
    double     padding;       /* share of padding among all positions of all batches */
    char       message[512];  /* why it failed */
} rg_buckets;

/**
 * The batches of an epoch: sequences are shuffled, sorted by length in pools of opts->pool batches,
 * cut into batches, and the batches shuffled. A function of lengths, options and epoch alone.
 *
 * @param[out] out  rg_buckets_destroy() frees it. On failure all but the message is zero
 * @param length    of the n sequences, 0 or more
 *
 * A last batch of fewer rows than the others is kept. Pad it with rows of length 0 (a mask makes
 * them legal, docs/MATH.md 5.3), so that it needs no plan of its own.
 *
 * Errors     RG_EARG options; a negative length, with its place. RG_ENOMEM
 */
RG_API rg_status rg_buckets_create(rg_buckets *out, const int32_t *length, size_t n, uint64_t epoch,
                                   const rg_bucket_opts *opts);
RG_API void rg_buckets_destroy(rg_buckets *buckets);

/**
 * Sequences of n rows, each on its own, into one time-major array: step t of row b goes to
 * out[t·B + b]; what is left is filled with zero bytes.
 *
 * @param out    [T,B] of @p item bytes each: one id, or one vector
 * @param row    row[b] has length[b] steps
 * @param n      at most B
 *
 * Errors     RG_EARG more rows than B, a length outside 0 .. T: nothing is written
 */
RG_API rg_status rg_pad_rows(void *out, size_t item, const void *const *row, const int32_t *length,
                             size_t n, int64_t T, int64_t B);

/* ---- A cache of plans ---------------------------------------------------------------------- */

typedef struct rg_plan_cache rg_plan_cache;

enum { RG_CACHED_VALUES = 16 };

/* A graph of T steps and B rows, and its plan; both belong to the cache. */
typedef struct rg_cached_plan {
    rg_graph *graph;
    rg_plan  *plan;
    int64_t   T, B;
    rg_val    v[RG_CACHED_VALUES];  /* inputs to bind, values to read, as the builder says */
    void     *data;                 /* whatever else it leaves, in memory of rg_graph_alloc() */
} rg_cached_plan;

/**
 * Make what a batch of @p made->T steps and @p made->B rows needs: nodes in made->graph, which is
 * empty and on the cache's store, a plan in made->plan, values in made->v. Return the plan's
 * status; the cache takes the message from the graph.
 */
typedef rg_status rg_build_fn(void *user, rg_cached_plan *made);

typedef struct rg_plan_cache_opts {
    size_t   capacity;  /* plans kept; the one unused for longest goes first. 0 = 32 */
    rg_alloc alloc;
} rg_plan_cache_opts;

/**
 * Plans by shape of batch, each built when first asked for. All share one store, so an optimizer
 * steps with any of them: rg_optim_step(optim, got->plan).
 *
 * @param params  must outlive the cache
 * @param user    handed to @p build
 * @param opts    NULL = defaults
 *
 * Errors     RG_EARG, RG_ENOMEM
 * Ownership  caller destroys it, before the store
 */
RG_API rg_status rg_plan_cache_create(rg_plan_cache **out, rg_params *params, rg_build_fn *build,
                                      void *user, const rg_plan_cache_opts *opts);
RG_API void rg_plan_cache_destroy(rg_plan_cache **cache);

/**
 * The plan for T steps and B rows, to be bound and run once. Runs are numbered through over all
 * plans, so that dropout draws anew whatever plan comes next.
 *
 * @param[out] out  borrowed until the next call; NULL on failure
 *
 * Errors     RG_EARG T or B negative; what the builder returns, RG_EUSER where it leaves no plan;
 *            RG_ENOMEM. Message in rg_plan_cache_message().
 */
RG_API rg_status rg_plan_cache_get(rg_cached_plan **out, rg_plan_cache *cache, int64_t T,
                                   int64_t B);
RG_API const char *rg_plan_cache_message(const rg_plan_cache *cache);
/* The number of the next run, as a store: save and load it with the parameters. Borrowed. */
RG_API rg_params *rg_plan_cache_state(rg_plan_cache *cache);

typedef struct rg_plan_cache_report {
    size_t   plans;        /* now in the cache */
    uint64_t runs, built;  /* plans asked for, plans made for them */
    size_t   arena_bytes;  /* of all plans now in the cache */
} rg_plan_cache_report;

RG_API rg_plan_cache_report rg_plan_cache_facts(const rg_plan_cache *cache);

#ifdef __cplusplus
}
#endif
#endif
