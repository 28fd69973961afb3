/* tests/train/decode.c -- decoding against searches by hand, over a small model of one step. */
#include "tests/rgt.h"

#include "train/likeliest.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { V = 4, H = 5, S = 3, STEPS = 4, MOST = 256, BEGIN = 0, END = 3 };

/* One step of R rows: two states (one of two axes), logits, and something to keep for each token:
 * softmax of a map of the state. */
typedef struct model {
    rg_params *ps;
    rg_graph  *g;
    rg_plan   *plan;
    rg_val     state[2], next[2];
    rg_decoder d;
} model;

static void model_open(model *m, int64_t R, rg_dtype real)
{
    rg_params_create(&m->ps, 21, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&m->g, m->ps, NULL);
    rg_val id = rg_input(m->g, "id", RG_INT, RG_SHAPE(R));
    m->state[0] = rg_input(m->g, "h", RG_F, RG_SHAPE(R, H));
    m->state[1] = rg_input(m->g, "more", RG_F, RG_SHAPE(R, 2, H));
    rg_cell gru = rg_gru(m->g, "gru", V, H, NULL);
    rg_step(m->next, &gru, rg_one_hot(id, V), m->state, 0);
    rg_val h = rg_add(m->next[0], rg_select(m->state[1], 1, 0));
    rg_val pair[2] = { rg_scale(h, 0.5), h };
    m->next[1] = rg_stack(pair, 2, 1);
    rg_val z = rg_scale(rg_dense(h, "out", V), 4);
    rg_val root[4] = { z, m->next[0], m->next[1], rg_softmax(rg_dense(h, "look", S), -1) };
    RGT_CHECK(rg_plan_create(&m->plan, root, 4, &(rg_plan_opts){ .real = real }) == RG_OK);
    m->d = (rg_decoder){ m->plan, id, z, 2, m->state, m->next, root[3], BEGIN, END };
}

static void model_close(model *m)
{
    rg_plan_destroy(&m->plan);
    rg_graph_destroy(&m->g);
    rg_params_destroy(&m->ps);
}

/* Initial states of source b. */
static void start_of(double h[H], double more[2 * H], int b)
{
    for (int i = 0; i < H; i++)
        h[i] = sin(1.0 + 3 * b + 0.7 * i);
    for (int i = 0; i < 2 * H; i++)
        more[i] = 0.4 * cos(2.0 * b + 1.1 * i);
}

/* A sequence, its end included where it has one. */
typedef struct found {
    int32_t id[STEPS];
    int     n;
    double  log_p, score;
    float   weights[STEPS][S];
} found;

typedef struct search {
    model  m;      /* of one row, f64 */
    double a;      /* length penalty */
    found  best[MOST];
    int    n;
} search;

/* Logits to log-probabilities, states after the step. */
static void one_step(model *m, int32_t id, const double *h, const double *more, double lp[V],
                     double *h1, double *more1, float *w)
{
    double sum = 0;
    RGT_CHECK(!rg_plan_bind(m->plan, m->d.id, &id, sizeof id));
    RGT_CHECK(!rg_plan_bind(m->plan, m->state[0], h, H * sizeof *h));
    RGT_CHECK(!rg_plan_bind(m->plan, m->state[1], more, 2 * H * sizeof *more));
    RGT_CHECK(!rg_plan_run(m->plan));
    const double *z = rg_plan_data(m->plan, m->d.logits);
    for (int v = 0; v < V; v++)
        sum += exp(z[v]);
    for (int v = 0; v < V; v++)
        lp[v] = z[v] - log(sum);
    memcpy(h1, rg_plan_data(m->plan, m->next[0]), H * sizeof *h1);
    memcpy(more1, rg_plan_data(m->plan, m->next[1]), 2 * H * sizeof *more1);
    const double *look = rg_plan_data(m->plan, m->d.weights);
    for (int s = 0; s < S; s++)
        w[s] = (float)look[s];
}

/* Every sequence that ends, or has STEPS tokens. */
static void every(search *x, found so_far, const double *h, const double *more)
{
    double lp[V], h1[H], more1[2 * H];
    int32_t last = so_far.n ? so_far.id[so_far.n - 1] : BEGIN;
    if (so_far.n == STEPS || (so_far.n && last == END)) {
        so_far.score = so_far.log_p / pow((5.0 + so_far.n) / 6, x->a);
        int at = x->n++;
        RGT_CHECK(at < MOST);
        for (; at > 0 && so_far.score > x->best[at - 1].score; at--)
            x->best[at] = x->best[at - 1];
        x->best[at] = so_far;
        return;
    }
    one_step(&x->m, last, h, more, lp, h1, more1, so_far.weights[so_far.n]);
    for (int32_t v = 0; v < V; v++) {
        found next = so_far;
        next.id[next.n++] = v;
        next.log_p += lp[v];
        every(x, next, h1, more1);
    }
}

static bool is(const rg_hypothesis *got, const found *want)
{
    bool end = want->id[want->n - 1] == END;
    return got->n == (size_t)(want->n - end) && got->finished == end &&
           memcmp(got->id, want->id, got->n * sizeof *got->id) == 0 &&
           fabs(got->log_p - want->log_p) < 1e-12 && fabs(got->score - want->score) < 1e-12;
}

RGT_TEST(decode, a_beam_wide_enough_finds_what_trying_everything_finds_for_every_source)
{
    enum { B = 3 };
    for (int k = 0; k < 3; k++) {
        static search x;
        static double h[B][H], more[B][2 * H];
        model m;
        rg_decoded *got;
        const double a = k * 0.7;
        model_open(&m, B * MOST, RG_F64);
        for (int b = 0; b < B; b++)
            start_of(h[b], more[b], b);
        rg_decode_opts opts = { .steps = STEPS, .width = MOST, .length = a };
        rg_status st = rg_decode_beam(&got, &m.d, (const void *[]){ h, more }, &opts);
        RGT_CHECK_MSG(st == RG_OK, "%s", got->message);
        RGT_CHECK(got->sources == B && got->width == MOST && got->S == S);
        for (int b = 0; b < B; b++) {
            x = (search){ .a = a };
            model_open(&x.m, 1, RG_F64);
            every(&x, (found){ .n = 0 }, h[b], more[b]);
            for (int i = 0; i < x.n; i++) {
                const rg_hypothesis *g = &got->best[b * MOST + i];
                RGT_CHECK_MSG(is(g, &x.best[i]), "a %g source %d rank %d", a, b, i);
                RGT_CHECK(memcmp(g->weights, x.best[i].weights,
                                 (g->n + g->finished) * sizeof x.best[i].weights[0]) == 0);
            }
            RGT_CHECK(got->best[b * MOST + x.n].log_p == -INFINITY);
            model_close(&x.m);
        }
        rg_decoded_destroy(&got);
        model_close(&m);
    }
}

RGT_TEST(decode, a_beam_of_one_is_greedy_and_sampling_without_heat_too)
{
    enum { B = 8 };
    static double h[B][H], more[B][2 * H];
    model m;
    rg_decoded *got[3];
    model_open(&m, B, RG_F64);
    for (int b = 0; b < B; b++)
        start_of(h[b], more[b], b);
    const void *start[2] = { h, more };
    rg_decode_opts opts = { .steps = 12, .width = 1 };
    RGT_CHECK(rg_decode_greedy(&got[0], &m.d, start, &opts) == RG_OK);
    RGT_CHECK(rg_decode_beam(&got[1], &m.d, start, &opts) == RG_OK);
    RGT_CHECK(rg_decode_sample(&got[2], &m.d, start, &opts) == RG_OK);
    size_t lengths = 0, ends = 0;
    for (int k = 1; k < 3; k++)
        for (int b = 0; b < B; b++) {
            const rg_hypothesis *a = &got[0]->best[b], *c = &got[k]->best[b];
            RGT_CHECK(a->n == c->n && a->finished == c->finished && a->log_p == c->log_p);
            RGT_CHECK(memcmp(a->id, c->id, a->n * sizeof *a->id) == 0);
            RGT_CHECK(memcmp(a->weights, c->weights,
                             (a->n + a->finished) * S * sizeof *a->weights) == 0);
            lengths += a->n;
            ends += a->finished;
        }
    RGT_CHECK(lengths > 2 * B && ends > 0 && ends < 2 * B); /* both kinds occur */
    for (int k = 0; k < 3; k++)
        rg_decoded_destroy(&got[k]);
    model_close(&m);
}

/* Logits that depend on the token before only: rows of a table. */
static rg_decoded *by_table(double table[V][V], int64_t R, const rg_decode_opts *opts, int how,
                            rg_status want)
{
    rg_graph *g;
    rg_plan *plan;
    rg_decoded *got;
    rg_graph_create(&g, NULL, NULL);
    rg_val id = rg_input(g, "id", RG_INT, RG_SHAPE(R));
    rg_val z = rg_gather(rg_constant(g, RG_F, RG_SHAPE(V, V), table, V * V), id);
    RGT_CHECK(rg_plan_create(&plan, &z, 1, NULL) == RG_OK);
    rg_decoder d = { .plan = plan, .id = id, .logits = z, .begin = BEGIN, .end = END };
    rg_status st = how == 0 ? rg_decode_greedy(&got, &d, NULL, opts)
                 : how == 1 ? rg_decode_sample(&got, &d, NULL, opts)
                            : rg_decode_beam(&got, &d, NULL, opts);
    RGT_CHECK_MSG(st == want, "%d: %s", (int)st, got->message);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    return got;
}

RGT_TEST(decode, ties_go_to_the_lower_parent_and_then_to_the_lower_token)
{
    static double equal[V][V];
    rg_decoded *d = by_table(equal, 3, &(rg_decode_opts){ .steps = 3, .width = 3 }, 2, RG_OK);
    static const int32_t want[3][3] = { { 0, 0, 0 }, { 0, 0, 1 }, { 0, 0, 2 } };
    for (int j = 0; j < 3; j++)
        RGT_CHECK(d->best[j].n == 3 && !memcmp(d->best[j].id, want[j], sizeof want[j]));
    rg_decoded_destroy(&d);
    d = by_table(equal, 2, &(rg_decode_opts){ .steps = 3 }, 0, RG_OK);
    RGT_CHECK(d->sources == 2 && d->best[1].n == 3 && d->best[1].id[2] == 0);
    rg_decoded_destroy(&d);
}

/* A garden path: the likeliest first token leads to nothing good. */
RGT_TEST(decode, a_beam_finds_what_greedy_misses_and_finished_hypotheses_keep_their_score)
{
    static const double p[V][V] = { { 0.05, 0.5, 0.44, 0.01 }, { 0.2, 0.2, 0.2, 0.4 },
                                    { 0.01, 0.01, 0.01, 0.97 }, { 1, 1, 1, 1 } };
    double z[V][V];
    for (int i = 0; i < V * V; i++)
        z[i / V][i % V] = log(p[i / V][i % V]);
    rg_decoded *d = by_table(z, 1, &(rg_decode_opts){ .steps = 6 }, 0, RG_OK);
    RGT_CHECK(d->best[0].id[0] == 1);
    rg_decoded_destroy(&d);
    d = by_table(z, 2, &(rg_decode_opts){ .steps = 6, .width = 2 }, 2, RG_OK);
    RGT_CHECK(d->best[0].n == 1 && d->best[0].id[0] == 2 && d->best[0].finished);
    RGT_CHECK(fabs(d->best[0].log_p - log(0.44 * 0.97)) < 1e-6);
    RGT_CHECK(d->best[1].n == 1 && d->best[1].id[0] == 1 && d->best[1].finished);
    rg_decoded_destroy(&d);
}

RGT_TEST(decode, draws_follow_temperature_then_the_k_likeliest_then_the_share_p)
{
    enum { ROWS = 20000 };
    static const double p[V] = { 0.1, 0.4, 0.2, 0.3 };
    static const struct { double heat, top_p; int64_t k; double want[V]; } row[] = {
        { 1, 0, 0, { 0.1, 0.4, 0.2, 0.3 } },
        { 0.5, 0, 0, { 1 / 30., 16 / 30., 4 / 30., 9 / 30. } },
        { 1, 0, 2, { 0, 4 / 7., 0, 3 / 7. } },
        { 1, 0.65, 0, { 0, 4 / 7., 0, 3 / 7. } },
        { 1, 0.71, 0, { 0, 4 / 9., 2 / 9., 3 / 9. } },
        { 1, 0.5, 3, { 0, 4 / 7., 0, 3 / 7. } },    /* 4/9 do not reach a half of 9/10 */
        { 1, 0.4, 3, { 0, 1, 0, 0 } },
        { 0.5, 0.5, 0, { 0, 1, 0, 0 } },
    };
    double z[V][V];
    for (int i = 0; i < V * V; i++)
        z[i / V][i % V] = log(p[i % V]) + 5;
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        double chi2 = 0, count[V] = { 0 };
        rg_decode_opts opts = { .steps = 1, .temperature = row[k].heat, .top_k = row[k].k,
                                .top_p = row[k].top_p, .seed = 4 };
        rg_decoded *d = by_table(z, ROWS, &opts, 1, RG_OK);
        for (int r = 0; r < ROWS; r++)
            count[d->best[r].finished ? END : d->best[r].id[0]]++;
        for (int v = 0; v < V; v++) {
            double want = ROWS * row[k].want[v];
            RGT_CHECK_MSG(want > 0 || count[v] == 0, "row %zu draws %d", k, v);
            chi2 += want > 0 ? (count[v] - want) * (count[v] - want) / want : 0;
        }
        RGT_CHECK_MSG(chi2 < 16.3, "row %zu: chi² %g", k, chi2);
        rg_decoded_destroy(&d);
    }
}

RGT_TEST(decode, draws_repeat_with_the_seed_and_differ_from_step_to_step)
{
    static double equal[V][V];
    rg_decode_opts opts = { .steps = 40, .temperature = 1, .top_k = 2, .seed = 8 };
    rg_decoded *a = by_table(equal, 2, &opts, 1, RG_OK), *b = by_table(equal, 2, &opts, 1, RG_OK);
    opts.seed++;
    rg_decoded *c = by_table(equal, 2, &opts, 1, RG_OK);
    const size_t bytes = 40 * sizeof(int32_t);
    RGT_CHECK(!memcmp(a->best[0].id, b->best[0].id, bytes));
    RGT_CHECK(memcmp(a->best[0].id, c->best[0].id, bytes) &&
              memcmp(a->best[0].id, a->best[1].id, bytes));
    int ones = 0;
    for (int t = 0; t < 40; t++)
        ones += a->best[0].id[t];
    RGT_CHECK(ones > 8 && ones < 32);
    rg_decoded_destroy(&a);
    rg_decoded_destroy(&b);
    rg_decoded_destroy(&c);
}

static void refused(rg_decode_opts opts, int how, int64_t R, rg_status want, const char *says)
{
    double z[V][V] = { { 0 } };
    if (want == RG_ENONFINITE)
        z[0][1] = NAN;
    rg_decoded *d = by_table(z, R, &opts, how, want);
    RGT_CHECK_MSG(strstr(d->message, says) && !d->best, "%s", d->message);
    rg_decoded_destroy(&d);
}

RGT_TEST(decode, what_cannot_be_decoded_is_refused_with_the_reason)
{
    refused((rg_decode_opts){ .steps = 3 }, 2, 2, RG_EARG, "width must be at least 1");
    refused((rg_decode_opts){ .steps = 3, .width = -2 }, 2, 2, RG_EARG, "width");
    refused((rg_decode_opts){ .steps = 0 }, 0, 2, RG_EARG, "steps must be at least 1");
    refused((rg_decode_opts){ .steps = 3, .width = 2 }, 2, 3, RG_ESHAPE, "3 rows are no multiple");
    refused((rg_decode_opts){ .steps = 3, .temperature = -1 }, 1, 3, RG_EARG, "temperature");
    refused((rg_decode_opts){ .steps = 3, .top_p = 1.5 }, 1, 3, RG_EARG, "top_p");
    refused((rg_decode_opts){ .steps = 3 }, 0, 3, RG_ENONFINITE, "not numbers");
    rg_decoded *d;
    RGT_CHECK(rg_decode_greedy(&d, NULL, NULL, &(rg_decode_opts){ .steps = 1 }) == RG_EARG);
    rg_decoded_destroy(&d);
    RGT_CHECK(rg_decode_greedy(NULL, NULL, NULL, NULL) == RG_EARG);
}

RGT_TEST(likeliest, keeps_the_largest_and_of_equals_the_lower_index)
{
    int32_t heap[6];
    double p[6] = { 1, 3, 2, 3, 3, 0.5 }, q[6] = { 1, 3, 2, 3, 3, 0.5 };
    rg_keep_likeliest(p, heap, 6, 2, 0);
    RGT_CHECK(p[1] == 3 && p[3] == 3 && p[0] + p[2] + p[4] + p[5] == 0);
    rg_keep_likeliest(q, heap, 6, 0, 0.49); /* 6 of 12.5 are not enough */
    RGT_CHECK(q[1] == 3 && q[3] == 3 && q[4] == 3 && q[0] + q[2] + q[5] == 0);
    RGT_CHECK(rg_draw_weighted(q, 6, 0) == 1 && rg_draw_weighted(q, 6, 0.34) == 3);
    RGT_CHECK(rg_draw_weighted(q, 6, 0.99) == 4);
}
