/* tests/train/batches.c -- buckets by length, padded rows, the cache of plans. */
#include <retrograd/retrograd.h>

#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Buckets --------------------------------------------------------------------------------- */

enum { N = 203 };

static void lengths(int32_t *length)
{
    for (int i = 0; i < N; i++)
        length[i] = (int32_t)((i * 7919 + 13) % 61); /* 0 among them */
}

/* Each sequence once, in batches that are long enough for it and no longer than they must be. */
static bool sound(const rg_buckets *b, const int32_t *length, int64_t rows, int64_t grain)
{
    size_t seen[N] = { 0 }, total = 0, small = 0;
    for (size_t k = 0; k < b->n_batch; k++) {
        int64_t longest = 0;
        for (size_t i = 0; i < b->batch[k].n; i++) {
            size_t s = b->order[b->batch[k].first + i];
            seen[s]++;
            longest = length[s] > longest ? length[s] : longest;
        }
        int64_t T = (longest + grain - 1) / grain * grain;
        if (b->batch[k].T != (T ? T : grain))
            return false;
        total += b->batch[k].n;
        small += b->batch[k].n != (size_t)rows;
    }
    for (size_t i = 0; i < N; i++)
        if (seen[i] != 1)
            return false;
    return total == N && small <= 1;
}

RGT_TEST(buckets, hold_every_sequence_once_in_batches_as_long_as_their_longest)
{
    static const rg_bucket_opts kind[] = {
        { .rows = 8 }, { .rows = 8, .pool = 3 }, { .rows = 1, .grain = 1 },
        { .rows = 500 }, { .rows = 7, .ordered = true, .grain = 5 }, { .rows = 4, .seed = 9 },
    };
    int32_t length[N];
    lengths(length);
    for (size_t k = 0; k < sizeof kind / sizeof *kind; k++) {
        rg_buckets b;
        int64_t rows = kind[k].rows < N ? kind[k].rows : N, grain = kind[k].grain;
        RGT_CHECK(rg_buckets_create(&b, length, N, 3, &kind[k]) == RG_OK);
        RGT_CHECK(sound(&b, length, rows, grain ? grain : 8));
        b.order[0] = b.order[1]; /* the checker can fail */
        RGT_CHECK(b.n < 2 || !sound(&b, length, rows, grain ? grain : 8));
        rg_buckets_destroy(&b);
    }
}

RGT_TEST(buckets, of_an_epoch_are_the_same_every_time_and_others_in_the_next)
{
    int32_t length[N];
    rg_buckets b[3];
    lengths(length);
    for (uint64_t i = 0; i < 3; i++)
        RGT_CHECK(rg_buckets_create(&b[i], length, N, i / 2, &(rg_bucket_opts){ .rows = 8 }) == 0);
    RGT_CHECK(memcmp(b[0].order, b[1].order, N * sizeof *b[0].order) == 0);
    RGT_CHECK(memcmp(b[0].order, b[2].order, N * sizeof *b[0].order) != 0);
    for (size_t i = 0; i < 3; i++)
        rg_buckets_destroy(&b[i]);
}

RGT_TEST(buckets, pad_less_the_larger_the_pool)
{
    int32_t length[N];
    double padding[3];
    lengths(length);
    for (int i = 0; i < 3; i++) {
        rg_buckets b;
        rg_bucket_opts opts = { .rows = 10, .pool = i == 0 ? 1 : 20, .grain = 1,
                                .ordered = i == 2 };
        RGT_CHECK(rg_buckets_create(&b, length, N, 0, &opts) == RG_OK);
        padding[i] = b.padding;
        rg_buckets_destroy(&b);
    }
    RGT_CHECK(padding[0] > 0.3 && padding[1] < 0.1 && padding[2] < 0.1);
}

RGT_TEST(buckets, of_nothing_are_none)
{
    rg_buckets b;
    RGT_CHECK(rg_buckets_create(&b, NULL, 0, 0, &(rg_bucket_opts){ .rows = 8 }) == RG_OK);
    RGT_CHECK(b.n == 0 && b.n_batch == 0 && b.padding == 0);
    rg_buckets_destroy(&b);
}

RGT_TEST(buckets, refuse_negative_lengths_and_no_rows)
{
    static const int32_t length[3] = { 4, 2, -1 };
    rg_buckets b;
    RGT_CHECK(rg_buckets_create(&b, length, 3, 0, &(rg_bucket_opts){ .rows = 2 }) == RG_EARG);
    RGT_CHECK(rgt_has(b.message, "buckets: length -1 of sequence 2 is negative") && !b.order);
    RGT_CHECK(rg_buckets_create(&b, length, 2, 0, &(rg_bucket_opts){ .rows = 0 }) == RG_EARG);
    RGT_CHECK(rgt_has(b.message, "buckets: rows must be at least 1"));
    RGT_CHECK(rg_buckets_create(&b, NULL, 2, 0, &(rg_bucket_opts){ .rows = 1 }) == RG_EARG);
    RGT_CHECK(rgt_has(b.message, "buckets: no lengths"));
    RGT_CHECK(rg_buckets_create(NULL, length, 2, 0, &(rg_bucket_opts){ .rows = 1 }) == RG_EARG);
    rg_buckets_destroy(&b);
    rg_buckets_destroy(NULL);
}

RGT_TEST(pad, puts_rows_beside_each_other_and_zeros_behind_them)
{
    static const int32_t a[] = { 1, 2, 3 }, b[] = { 4 }, length[] = { 3, 1, 0 };
    const void *row[] = { a, b, NULL };
    int32_t out[4 * 4];
    memset(out, 0x55, sizeof out);
    RGT_CHECK(rg_pad_rows(out, sizeof *out, row, length, 3, 4, 4) == RG_OK);
    static const int32_t want[4 * 4] = { 1, 4, 0, 0,  2, 0, 0, 0,  3, 0, 0, 0,  0, 0, 0, 0 };
    RGT_CHECK(memcmp(out, want, sizeof want) == 0);
    RGT_CHECK(rg_pad_rows(out, sizeof *out, row, length, 3, 2, 4) == RG_EARG); /* 3 steps in 2 */
    RGT_CHECK(rg_pad_rows(out, sizeof *out, row, length, 3, 4, 2) == RG_EARG); /* 3 rows in 2 */
    RGT_CHECK(rg_pad_rows(out, sizeof *out, row, (const int32_t[]){ -1 }, 1, 4, 2) == RG_EARG);
    RGT_CHECK(memcmp(out, want, sizeof want) == 0); /* nothing was written */
}

/* ---- The cache ------------------------------------------------------------------------------- */

enum { X, LENGTHS, LOSS, DROPPED, I = 2, H = 3 };

/* A masked GRU whose loss is over the final state; counts how often it is called. */
static rg_status build(void *user, rg_cached_plan *m)
{
    ++*(int *)user;
    m->v[X] = rg_input(m->graph, "x", RG_F, RG_SHAPE(m->T, m->B, I));
    m->v[LENGTHS] = rg_input(m->graph, "lengths", RG_INT, RG_SHAPE(m->B));
    rg_val last, mask = rg_length_mask(m->v[LENGTHS], m->T);
    rg_cell cell = rg_gru(m->graph, "c", I, H, NULL);
    rg_unroll(&last, &cell, m->v[X], NULL, &(rg_unroll_opts){ .mask = mask });
    m->v[DROPPED] = rg_sum(rg_dropout(rg_full(m->graph, RG_SHAPE(64), 1), 0.5, "d"));
    m->v[LOSS] = rg_sum(rg_square(last));
    return rg_plan_create_train(&m->plan, m->v[LOSS], &m->v[DROPPED], 1,
                                &(rg_plan_opts){ .real = RG_F64 });
}

static double run(rg_cached_plan *m, double *dropped)
{
    double x[12 * 4 * I];
    static const int32_t length[4] = { 3, 0, 2, 1 };
    for (int64_t i = 0; i < m->T * m->B * I; i++) /* as row and step, whatever T */
        x[i] = (double)(i % 5) / 5;
    RGT_CHECK(rg_plan_bind(m->plan, m->v[X], x, (size_t)(m->T * m->B * I) * sizeof *x) == 0);
    RGT_CHECK(rg_plan_bind(m->plan, m->v[LENGTHS], length, (size_t)m->B * 4) == 0);
    RGT_CHECK_MSG(rg_plan_run(m->plan) == RG_OK, "%s", rg_plan_message(m->plan));
    if (dropped)
        *dropped = rg_plan_scalar(m->plan, m->v[DROPPED]);
    return rg_plan_scalar(m->plan, m->v[LOSS]);
}

static rg_params *store(void)
{
    rg_params *ps = NULL;
    RGT_CHECK(rg_params_create(&ps, 5, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    return ps;
}

RGT_TEST(cache, builds_a_shape_once_and_forgets_the_one_unused_for_longest)
{
    int built = 0;
    rg_params *ps = store();
    rg_plan_cache *c = NULL;
    rg_cached_plan *m;
    RGT_CHECK(rg_plan_cache_create(&c, ps, build, &built,
                                   &(rg_plan_cache_opts){ .capacity = 2 }) == RG_OK);
    static const struct { int64_t T; int built; } ask[] = {
        { 4, 1 }, { 8, 2 }, { 4, 2 }, { 12, 3 } /* 8 goes */, { 4, 3 }, { 8, 4 } /* 12 goes */,
        { 4, 4 }, { 12, 5 },
    };
    for (size_t k = 0; k < sizeof ask / sizeof *ask; k++) {
        RGT_CHECK(rg_plan_cache_get(&m, c, ask[k].T, 4) == RG_OK && m->T == ask[k].T && m->B == 4);
        RGT_CHECK(built == ask[k].built);
        run(m, NULL);
    }
    rg_plan_cache_report r = rg_plan_cache_facts(c);
    RGT_CHECK(r.plans == 2 && r.built == 5 && r.runs == 8 && r.arena_bytes > 0);
    rg_plan_cache_destroy(&c);
    rg_params_destroy(&ps);
}

/* A longer plan of the same rows gives the same loss: padding means nothing. One optimizer steps
 * with whichever plan ran. */
RGT_TEST(cache, plans_share_one_store_and_padding_changes_nothing)
{
    int built = 0;
    rg_params *ps = store();
    rg_plan_cache *c = NULL;
    rg_optim *optim = NULL;
    rg_cached_plan *m;
    double loss[2][3];
    RGT_CHECK(rg_plan_cache_create(&c, ps, build, &built, NULL) == RG_OK);
    RGT_CHECK(rg_optim_create(&optim, ps, &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.1 }) == RG_OK);
    for (int step = 0; step < 3; step++) {
        for (int k = 0; k < 2; k++) {
            RGT_CHECK(rg_plan_cache_get(&m, c, k ? 12 : 4, 4) == RG_OK);
            loss[k][step] = run(m, NULL);
        }
        RGT_CHECK(fabs(loss[0][step] - loss[1][step]) <= 1e-13);
        RGT_CHECK(rg_optim_step(optim, m->plan) == RG_OK);
    }
    RGT_CHECK(loss[0][2] < loss[0][0] && built == 2);
    rg_optim_destroy(&optim);
    rg_plan_cache_destroy(&c);
    rg_params_destroy(&ps);
}

RGT_TEST(cache, runs_are_numbered_through_so_that_no_two_plans_draw_alike)
{
    int built = 0;
    rg_params *ps = store();
    rg_plan_cache *c = NULL;
    rg_cached_plan *m;
    double drawn[6], again;
    RGT_CHECK(rg_plan_cache_create(&c, ps, build, &built, NULL) == RG_OK);
    for (int k = 0; k < 6; k++) {
        RGT_CHECK(rg_plan_cache_get(&m, c, 4 + k % 2, 4) == RG_OK);
        run(m, &drawn[k]);
    }
    RGT_CHECK(drawn[0] != drawn[1] || drawn[1] != drawn[2] || drawn[2] != drawn[3]);
    rg_param_info number = rg_params_find(rg_plan_cache_state(c), "plan.run");
    RGT_CHECK(*(int64_t *)number.data == 6);
    *(int64_t *)number.data = 3; /* as a load would */
    RGT_CHECK(rg_plan_cache_get(&m, c, 4, 4) == RG_OK);
    run(m, &again);
    RGT_CHECK(again == drawn[3]);
    rg_plan_cache_destroy(&c);
    rg_params_destroy(&ps);
}

static rg_status build_badly(void *user, rg_cached_plan *m)
{
    if (*(int *)user == 0) /* an error of shapes */
        m->v[LOSS] = rg_matmul(rg_zeros(m->graph, RG_SHAPE(2, 3)),
                               rg_zeros(m->graph, RG_SHAPE(2, 3)));
    return RG_OK;
}

RGT_TEST(cache, says_what_the_builder_did_wrong_and_goes_on)
{
    int kind = 0;
    rg_params *ps = store();
    rg_plan_cache *c = NULL;
    rg_cached_plan *m;
    RGT_CHECK(rg_plan_cache_create(&c, ps, build_badly, &kind, NULL) == RG_OK);
    RGT_CHECK(rg_plan_cache_get(&m, c, 3, 2) == RG_ESHAPE && !m);
    RGT_CHECK(rgt_has(rg_plan_cache_message(c), "plan for 3 steps and 2 rows: matmul: inner"));
    kind = 1;
    RGT_CHECK(rg_plan_cache_get(&m, c, 3, 2) == RG_EUSER && !m);
    RGT_CHECK(rgt_has(rg_plan_cache_message(c), "the builder made none"));
    RGT_CHECK(rg_plan_cache_get(&m, c, -1, 2) == RG_EARG && !m);
    RGT_CHECK(rgt_has(rg_plan_cache_message(c), "-1 steps, 2 rows"));
    RGT_CHECK(rg_plan_cache_facts(c).plans == 0);
    RGT_CHECK(rg_plan_cache_create(NULL, ps, build, &kind, NULL) == RG_EARG);
    RGT_CHECK(rg_plan_cache_get(&m, NULL, 1, 1) == RG_EARG && rg_plan_cache_get(NULL, c, 1, 1));
    rg_plan_cache_destroy(&c);
    RGT_CHECK(rg_plan_cache_create(&c, NULL, build, &kind, NULL) == RG_EARG && !c);
    rg_plan_cache_destroy(&c);
    rg_params_destroy(&ps);
}

/* ---- Without memory -------------------------------------------------------------------------- */

/* As build(), with the plan's memory from hooks. */
static rg_status build_with(void *user, rg_cached_plan *m)
{
    m->v[X] = rg_input(m->graph, "x", RG_F, RG_SHAPE(m->T, m->B, I));
    rg_cell cell = rg_rnn(m->graph, "c", I, H, NULL);
    m->v[LOSS] = rg_sum(rg_square(rg_unroll(NULL, &cell, m->v[X], NULL, NULL)));
    return rg_plan_create_train(&m->plan, m->v[LOSS], NULL, 0,
                                &(rg_plan_opts){ .effort = RG_INTERPRET, .threads = 1,
                                                 .alloc = *(const rg_alloc *)user });
}

/* Three shapes, two of them kept. */
static rg_status cached(const rg_alloc *hooks, rgt_text *result)
{
    static const float x[6 * 2 * I] = { 0.5f, -0.25f, 1 };
    rg_alloc own = *hooks;
    rg_params *ps = NULL;
    rg_plan_cache *c = NULL;
    rg_cached_plan *m;
    rg_status st = rg_params_create(&ps, 5, &(rg_params_opts){ .alloc = *hooks });
    if (!st)
        st = rg_plan_cache_create(&c, ps, build_with, &own,
                                  &(rg_plan_cache_opts){ .capacity = 2, .alloc = *hooks });
    for (int64_t T = 2; !st && T <= 6; T += 2) {
        st = rg_plan_cache_get(&m, c, T, 2);
        RGT_CHECK(!st || (!m && *rg_plan_cache_message(c)));
        if (!st)
            st = rg_plan_bind(m->plan, m->v[X], x, (size_t)(T * 2 * I) * sizeof *x);
        if (!st && !(st = rg_plan_run(m->plan)))
            rgt_write(result, rg_plan_data(m->plan, m->v[LOSS]), sizeof(float));
    }
    rg_plan_cache_destroy(&c);
    rg_params_destroy(&ps);
    return st;
}

RGT_TEST(cache, survives_every_failed_allocation)
{
    RGT_CHECK(rgt_fail_each(cached) > 50);
}
