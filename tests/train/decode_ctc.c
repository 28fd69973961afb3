/* tests/train/decode_ctc.c -- labels out of steps with blanks, against all paths and against the
 * loss that trains them. */
#include "tests/rgt.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { T = 7, V = 3, PATHS = 2187, WIDE = 256 };

/* What a path of so many steps says, as a number in base V with a leading 1. */
static int said_by(const int *path, int steps, int blank)
{
    int code = 1, before = blank;
    for (int t = 0; t < steps; t++) {
        if (path[t] != blank && path[t] != before)
            code = code * V + path[t];
        before = path[t];
    }
    return code;
}

static int code_of(const rg_hypothesis *h)
{
    int code = 1;
    for (size_t i = 0; i < h->n; i++)
        code = code * V + h->id[i];
    return code;
}

/* p[code] of all labels that T steps can say, from one row's logits. */
static void by_all_paths(double p[2 * PATHS], const double *z, int steps, int blank)
{
    int paths = 1;
    memset(p, 0, 2 * PATHS * sizeof *p);
    for (int t = 0; t < steps; t++)
        paths *= V;
    for (int k = 0; k < paths; k++) {
        int path[T], rest = k;
        double product = 1;
        for (int t = 0; t < steps; t++, rest /= V) {
            double sum = 0;
            path[t] = rest % V;
            for (int v = 0; v < V; v++)
                sum += exp(z[t * V + v]);
            product *= exp(z[t * V + path[t]]) / sum;
        }
        p[said_by(path, steps, blank)] += product;
    }
}

static void draw(double *z, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        z[i] = 6 * rg_draw_uniform(seed, RG_DOMAIN_USER, rg_stream_tail(rg_fnv1a("z"), 0), i) - 3;
}

static rg_decoded *found(const rg_frames *f, int64_t width)
{
    rg_decoded *d;
    rg_status st = width ? rg_decode_ctc_beam(&d, f, width) : rg_decode_ctc_greedy(&d, f);
    RGT_CHECK_MSG(st == RG_OK, "%s", d ? d->message : "no memory");
    return d;
}

RGT_TEST(decode_ctc, the_best_path_loses_repeats_then_blanks)
{
    static const int path[2][7] = { { 0, 1, 1, 0, 1, 2, 2 }, { 2, 2, 0, 0, 0, 1, 2 } };
    static const int32_t want[2][3] = { { 1, 1, 2 }, { 2 } }, steps[2] = { 7, 5 };
    double z[7][2][V];
    for (int t = 0; t < 7; t++)
        for (int k = 0; k < 2 * V; k++)
            z[t][k / V][k % V] = path[k / V][t] == k % V ? log(2) : t < steps[k / V] ? 0 : NAN;
    rg_decoded *d = found(&(rg_frames){ z, RG_F64, 7, 2, V, steps, 0 }, 0);
    RGT_CHECK(d->sources == 2 && d->width == 1 && d->best[0].n == 3 && d->best[1].n == 1);
    for (int b = 0; b < 2; b++) {
        const rg_hypothesis *h = &d->best[b];
        RGT_CHECK(!memcmp(h->id, want[b], h->n * sizeof *h->id) && h->finished);
        RGT_CHECK(fabs(h->log_p - steps[b] * log(0.5)) < 1e-14 && h->score == h->log_p);
    }
    rg_decoded_destroy(&d);
}

RGT_TEST(decode_ctc, a_wide_beam_has_every_label_sequence_with_its_probability_the_best_first)
{
    static const int32_t steps[2] = { T, T - 1 };
    for (unsigned seed = 0; seed < 6; seed++) {
        const int blank = (int)seed % V;
        double z[T][2][V], row[T][V], p[2 * PATHS];
        draw(z[0][0], T * 2 * V, seed);
        rg_decoded *d = found(&(rg_frames){ z, RG_F64, T, 2, V, steps, blank }, WIDE);
        for (int b = 0; b < 2; b++) {
            double sum = 0;
            int possible = 0, n = 0;
            for (int t = 0; t < T; t++)
                memcpy(row[t], z[t][b], sizeof row[t]);
            by_all_paths(p, row[0], steps[b], blank);
            for (int k = 0; k < 2 * PATHS; k++)
                possible += p[k] > 0;
            for (const rg_hypothesis *h = &d->best[b * WIDE]; h->finished; h++, n++) {
                RGT_CHECK_MSG(fabs(exp(h->log_p) - p[code_of(h)]) < 1e-14, "seed %u: %g", seed,
                              h->log_p);
                RGT_CHECK(n == 0 || h->log_p <= h[-1].log_p);
                sum += p[code_of(h)];
                p[code_of(h)] = 0; /* none twice */
            }
            RGT_CHECK_MSG(n == possible && fabs(sum - 1) < 1e-14, "%d of %d", n, possible);
            RGT_CHECK(d->best[b * WIDE + n].log_p == -INFINITY && d->best[b * WIDE + n].n == 0);
        }
        rg_decoded_destroy(&d);
    }
}

RGT_TEST(decode_ctc, a_narrow_beam_says_nothing_twice_and_never_too_much)
{
    for (unsigned seed = 0; seed < 100; seed++)
        for (int64_t width = 1; width < 9; width++) {
            double z[T][V], p[2 * PATHS];
            draw(z[0], T * V, seed);
            by_all_paths(p, z[0], T, 0);
            rg_decoded *d = found(&(rg_frames){ z, RG_F64, T, 1, V, NULL, 0 }, width);
            for (int64_t i = 0; i < width; i++) {
                const rg_hypothesis *h = &d->best[i];
                RGT_CHECK_MSG(exp(h->log_p) < p[code_of(h)] + 1e-14, "seed %u, width %d", seed,
                              (int)width);
                p[code_of(h)] = -1;
            }
            rg_decoded_destroy(&d);
        }
}

RGT_TEST(decode_ctc, the_beam_adds_up_what_the_best_path_overlooks)
{
    const float z[2][2] = { { logf(0.6f), logf(0.4f) }, { logf(0.6f), logf(0.4f) } };
    const rg_frames f = { z, RG_F32, 2, 1, 2, NULL, 0 };
    rg_decoded *best = found(&f, 0), *beam = found(&f, 2);
    RGT_CHECK(best->best[0].n == 0 && fabs(exp(best->best[0].log_p) - 0.36) < 1e-6);
    RGT_CHECK(beam->best[0].n == 1 && fabs(exp(beam->best[0].log_p) - 0.64) < 1e-6);
    RGT_CHECK(beam->best[1].n == 0 && fabs(exp(beam->best[1].log_p) - 0.36) < 1e-6);
    rg_decoded_destroy(&best);
    rg_decoded_destroy(&beam);
}

RGT_TEST(decode_ctc, what_a_beam_finds_has_the_loss_of_training)
{
    enum { LONG = 12 };
    double z[LONG][1][V];
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    draw(z[0][0], LONG * V, 7);
    rg_decoded *d = found(&(rg_frames){ z, RG_F64, LONG, 1, V, NULL, 0 }, 4096);
    const rg_hypothesis *h = &d->best[0];
    rg_params_create(&ps, 1, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&g, ps, NULL);
    rg_val zz = rg_input(g, "z", RG_F, RG_SHAPE(LONG, 1, V));
    rg_val y = rg_constant(g, RG_INT, RG_SHAPE((int64_t)h->n, 1), h->id, h->n);
    rg_val l = rg_sum(rg_ctc(zz, RG_NONE, y, RG_NONE, NULL));
    RGT_CHECK(!rg_plan_create(&plan, &l, 1, &(rg_plan_opts){ .real = RG_F64 }));
    RGT_CHECK(!rg_plan_bind(plan, zz, z, sizeof z) && !rg_plan_run(plan));
    RGT_CHECK_MSG(h->n > 2 && fabs(rg_plan_scalar(plan, l) + h->log_p) < 1e-6, "%zu labels: %g, %g",
                  h->n, rg_plan_scalar(plan, l), h->log_p);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    rg_decoded_destroy(&d);
}

static void refused(rg_frames f, int64_t width, rg_status want, const char *says)
{
    rg_decoded *d;
    RGT_CHECK(rg_decode_ctc_beam(&d, &f, width) == want);
    RGT_CHECK_MSG(strstr(d->message, says) && !d->best, "%s", d->message);
    rg_decoded_destroy(&d);
}

RGT_TEST(decode_ctc, what_cannot_be_decoded_is_refused_with_the_reason)
{
    static const double z[2 * V], bad[2 * V] = { 0, NAN }, shut[2 * V] = { -INFINITY, -INFINITY,
                                                                          -INFINITY };
    static const int32_t steps[1] = { 3 };
    refused((rg_frames){ z, RG_F64, 2, 1, V, NULL, V }, 1, RG_EARG, "the blank is no class");
    refused((rg_frames){ z, RG_F64, 2, 0, V, NULL, 0 }, 1, RG_EARG, "B and V at least 1");
    refused((rg_frames){ z, RG_F64, 2, 1, V, steps, 0 }, 1, RG_EARG, "row 0 has 3 steps");
    refused((rg_frames){ z, RG_I32, 2, 1, V, NULL, 0 }, 1, RG_EARG, "RG_F32 or RG_F64");
    refused((rg_frames){ NULL, RG_F64, 2, 1, V, NULL, 0 }, 1, RG_EARG, "no logits");
    refused((rg_frames){ z, RG_F64, 2, 1, V, NULL, 0 }, 0, RG_EARG, "width must be 1 to 65536");
    refused((rg_frames){ bad, RG_F64, 2, 1, V, NULL, 0 }, 1, RG_ENONFINITE, "not numbers");
    refused((rg_frames){ shut, RG_F64, 2, 1, V, NULL, 0 }, 1, RG_ENONFINITE, "no class");
    RGT_CHECK(rg_decode_ctc_greedy(NULL, NULL) == RG_EARG);
}
