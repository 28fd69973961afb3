/* tests/train/task_trainer.c -- training on rows of unequal length: learned, resumed to the same
 * bits, predicted row by row as in batches; scores. */
#include "tests/train/help.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N = 50, MOST = 30, V = 4, I = 2 };

/* Rows whose class is their first symbol; tags: each symbol is the first one. */
typedef struct set {
    int32_t     length[N], id[N][MOST], tag[N][MOST], class[N];
    float       x[N][MOST][I], value[N];
    const void *ids[N], *xs[N], *tags[N], *classes[N], *values[N];
} set;

static void fill(set *s)
{
    for (uint64_t i = 0; i < N; i++) {
        s->length[i] = (int32_t)rg_draw_below(4, RG_DOMAIN_USER, 1, i, i % 3 ? 9 : MOST) + 1;
        for (uint64_t t = 0; t < MOST; t++) {
            s->id[i][t] = (int32_t)rg_draw_below(4, RG_DOMAIN_USER, 2, i * MOST + t, V);
            s->tag[i][t] = s->id[i][t] == s->id[i][0];
            for (uint64_t k = 0; k < I; k++)
                s->x[i][t][k] = (float)rg_draw_normal(4, RG_DOMAIN_USER, 3, (i * MOST + t) * I + k);
        }
        s->class[i] = s->id[i][0];
        s->value[i] = s->x[i][s->length[i] - 1][1];
        s->ids[i] = s->id[i];
        s->xs[i] = s->x[i];
        s->tags[i] = s->tag[i];
        s->classes[i] = &s->class[i];
        s->values[i] = &s->value[i];
    }
}

static const rg_task_trainer_opts kinds[] = {
    { .model = { .task = RG_CLASSIFY, .symbols = V, .embed = 3, .outputs = V, .hidden = 12,
                 .bidirectional = true, .dropout = 0.1 }, .optim = { .lr = 0.02 }, .B = 8 },
    { .model = { .task = RG_TAG, .symbols = V, .outputs = 2, .hidden = 12, .layers = 2,
                 .cell = rg_gru, .dropout = 0.1 }, .optim = { .lr = 0.02 }, .B = 7, .grain = 4 },
    { .model = { .task = RG_FORECAST, .features = I, .outputs = 1, .hidden = 12, .cell = rg_gru },
      .optim = { .lr = 0.02 }, .B = 8 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static rg_rows rows_of(const set *s, int kind)
{
    return (rg_rows){ .n = N, .length = s->length, .x = kind == 2 ? s->xs : s->ids,
                      .y = kind == 0 ? s->classes : kind == 1 ? s->tags : s->values };
}

static rg_trainer *trainer_of(rg_params **ps, const set *s, int kind, int threads)
{
    rg_trainer *t;
    rg_rows rows = rows_of(s, kind);
    rg_task_trainer_opts o = kinds[kind];
    o.plan.threads = threads;
    rg_params_create(ps, 5, NULL);
    rg_status st = rg_task_trainer_create(&t, *ps, &rows, &o);
    RGT_CHECK_MSG(st == RG_OK, "kind %d: %s", kind, rg_params_message(*ps));
    return t;
}

static void steps(rg_trainer *t, int n)
{
    for (int i = 0; i < n; i++)
        RGT_CHECK_MSG(rg_trainer_step(t) == RG_OK, "%s", rg_trainer_message(t));
}

/* Every kind of task, stopped anywhere in two epochs, with another number of threads behind. */
RGT_TEST(task_trainer, a_run_resumed_at_any_step_ends_with_the_same_bits)
{
    static set s;
    enum { STEPS = 15 };
    char path[64];
    (void)snprintf(path, sizeof path, "rgt-task-%ld.safetensors", (long)getpid());
    fill(&s);
    for (int kind = 0; kind < KINDS; kind++) {
        rg_params *whole, *half, *other;
        rg_trainer *t = trainer_of(&whole, &s, kind, 2);
        RGT_CHECK(rg_trainer_facts(t).windows == (kind == 1 ? 8 : 7));
        RGT_CHECK(rg_trainer_facts(t).plan.nodes > 0); /* known before the first step */
        steps(t, STEPS);
        rg_trainer_destroy(&t);
        for (int k = 0; k < STEPS; k += 3) {
            t = trainer_of(&half, &s, kind, 1);
            steps(t, k);
            RGT_CHECK_MSG(rg_trainer_save(t, path, NULL, 0) == RG_OK, "%s",
                          rg_params_message(half));
            rg_trainer_destroy(&t);
            t = trainer_of(&other, &s, kind, 1 + k % 3);
            RGT_CHECK_MSG(rg_trainer_load(t, path, NULL) == RG_OK, "%s", rg_params_message(other));
            steps(t, STEPS - k);
            same_weights(whole, other, kind);
            rg_trainer_destroy(&t);
            rg_params_destroy(&half);
            rg_params_destroy(&other);
        }
        rg_params_destroy(&whole);
    }
    (void)unlink(path);
}

/* A look at the gradient between two steps changes no bit of what follows. */
RGT_TEST(task_trainer, the_gradient_can_be_followed_and_nothing_moves)
{
    static set s;
    fill(&s);
    for (int kind = 0; kind < KINDS; kind++) {
        rg_params *plain, *watched;
        rg_gradflow_report *r = NULL;
        rg_trainer *t = trainer_of(&plain, &s, kind, 1);
        steps(t, 12);
        rg_trainer_destroy(&t);
        t = trainer_of(&watched, &s, kind, 1);
        for (int k = 0; k < 12; k++) {
            RGT_CHECK_MSG(rg_trainer_gradflow(&r, t, NULL) == RG_OK, "kind %d: %s", kind,
                          rg_trainer_message(t));
            RGT_CHECK(r->n_layer > 0 && r->lag > 0);
            rg_gradflow_destroy(&r);
            steps(t, 1);
        }
        same_weights(plain, watched, kind);
        rg_trainer_destroy(&t);
        rg_params_destroy(&plain);
        rg_params_destroy(&watched);
    }
}

/* ---- Sampled steps --------------------------------------------------------------------------- */

enum { DEC = 3 };  /* the task with a decoder */

/* Every task: both directions, layers, a decoder. */
static const rg_task_trainer_opts looks[] = {
    { .model = { .task = RG_CLASSIFY, .symbols = V, .embed = 3, .outputs = V, .hidden = 12,
                 .cell = rg_gru, .bidirectional = true, .dropout = 0.1 } },
    { .model = { .task = RG_TAG, .symbols = V, .outputs = 2, .hidden = 12, .layers = 2,
                 .bidirectional = true } },
    { .model = { .task = RG_FORECAST, .features = I, .outputs = 1, .hidden = 12, .cell = rg_rnn } },
    { .model = { .task = RG_SEQ2SEQ, .symbols = V, .embed = 3, .outputs = V, .hidden = 12,
                 .cell = rg_gru, .bidirectional = true } },
};
static const size_t states_of[] = { 2, 8, 1, DEC };

static rg_trainer *looking(rg_params **ps, const set *s, int kind, uint64_t every, rg_dtype real)
{
    rg_trainer *t;
    rg_rows rows = rows_of(s, kind);
    rg_task_trainer_opts o = looks[kind];
    if (kind == DEC) {
        rows.y = s->ids;
        rows.y_length = s->length;
    }
    o.optim.lr = 0.02;
    o.B = 8;
    o.plan.real = real;
    o.gradflow_every = every;
    rg_params_create(ps, 5, &(rg_params_opts){ .real = real });
    rg_status st = rg_task_trainer_create(&t, *ps, &rows, &o);
    RGT_CHECK_MSG(st == RG_OK, "kind %d: %s", kind, rg_params_message(*ps));
    return t;
}

RGT_TEST(task_trainer, a_step_that_is_looked_at_gives_the_bits_of_one_that_is_not)
{
    static set s;
    fill(&s);
    for (int kind = 0; kind < 2 * (DEC + 1); kind++) {
        rg_params *plain, *watched;
        rg_gradflow_report *r;
        const rg_dtype real = kind % 2 ? RG_F64 : RG_F32;
        rg_trainer *a = looking(&plain, &s, kind / 2, 0, real);
        rg_trainer *b = looking(&watched, &s, kind / 2, 3, real);
        for (int k = 0; k < 10; k++) {
            steps(a, 1);
            steps(b, 1);
            RGT_CHECK(rg_trainer_facts(a).loss == rg_trainer_facts(b).loss);
            RGT_CHECK(rg_trainer_sampled(&r, a) == RG_ESTATE && !r);
            RGT_CHECK(rg_trainer_sampled(&r, b) == (k % 3 ? RG_ESTATE : RG_OK));
            RGT_CHECK(k % 3 || r->n_state == states_of[kind / 2]);
            rg_gradflow_destroy(&r);
        }
        same_weights(plain, watched, kind);
        rg_trainer_destroy(&a);
        rg_trainer_destroy(&b);
        rg_params_destroy(&plain);
        rg_params_destroy(&watched);
    }
}

RGT_TEST(task_trainer, what_a_step_saw_is_what_the_probe_loss_sees_of_its_batch)
{
    static set s;
    fill(&s);
    for (int kind = 1; kind <= DEC; kind++) { /* not the first, whose dropout draws anew */
        rg_params *ps;
        rg_gradflow_report *saw, *sees;
        const rg_gradflow_opts probe = { .probe = RG_PROBE_LOSS, .real = RG_F64 };
        rg_trainer *t = looking(&ps, &s, kind, 1, RG_F64);
        RGT_CHECK(rg_optim_rate(rg_trainer_optim(t), 1e-30) == RG_OK); /* the weights stay */
        steps(t, 2);
        RGT_CHECK(rg_trainer_sampled(&saw, t) == RG_OK);
        RGT_CHECK(rg_trainer_gradflow(&sees, t, &probe) == RG_OK);
        RGT_CHECK(saw->n_state == sees->n_state && saw->lag == sees->lag);
        for (size_t k = 0; k < saw->n_state; k++) {
            const rg_flow_state *x = &saw->state[k], *y = &sees->state[k];
            RGT_CHECK(!strcmp(x->name, y->name) && x->lags == y->lags && x->verdict == y->verdict);
            for (int64_t lag = 0; lag < x->lags; lag++)
                RGT_CHECK_MSG(fabs(x->norm[lag] - y->norm[lag]) <= 1e-9 * y->norm[lag],
                              "kind %d %s lag %d: %g, %g", kind, x->name, (int)lag, x->norm[lag],
                              y->norm[lag]);
        }
        rg_gradflow_destroy(&saw);
        rg_gradflow_destroy(&sees);
        rg_trainer_destroy(&t);
        rg_params_destroy(&ps);
    }
}

/* ---- Predictions ----------------------------------------------------------------------------- */

typedef struct answers {
    double loss, z[N][MOST][V];
    size_t count, rows, right;
    const set *truth;
    int    kind;
} answers;

static bool take(void *user, const rg_prediction *said)
{
    answers *a = user;
    a->loss += said->loss;
    a->count += said->count;
    a->rows++;
    for (int64_t t = 0; t < said->steps; t++) {
        const double *z = said->z + t * said->outputs;
        int best = 0;
        for (int k = 0; k < said->outputs; k++) {
            a->z[said->row][t][k] = z[k];
            best = z[k] > z[best] ? k : best;
        }
        a->right += best == (a->kind ? a->truth->tag[said->row][t] : a->truth->class[said->row]);
    }
    return true;
}

static void ask(answers *a, rg_params *ps, const set *s, int kind, int64_t B, bool truth)
{
    rg_predictor *p;
    rg_rows rows = rows_of(s, kind);
    memset(a, 0, sizeof *a);
    a->truth = s;
    a->kind = kind;
    rows.y = truth ? rows.y : NULL;
    RGT_CHECK(rg_predictor_create(&p, ps, &kinds[kind].model, &(rg_predictor_opts){ .B = B })
              == RG_OK);
    RGT_CHECK_MSG(rg_predictor_run(p, &rows, take, a) == RG_OK, "%s", rg_predictor_message(p));
    RGT_CHECK(a->rows == N);
    rg_predictor_destroy(&p);
}

RGT_TEST(task_trainer, what_is_learned_is_said_row_by_row_as_in_batches)
{
    static set s;
    static answers batch, alone;
    fill(&s);
    for (int kind = 0; kind < KINDS; kind++) {
        rg_params *ps;
        rg_trainer *t = trainer_of(&ps, &s, kind, 1);
        steps(t, 250);
        rg_trainer_destroy(&t);
        ask(&batch, ps, &s, kind, 8, true);
        ask(&alone, ps, &s, kind, 1, false);
        RGT_CHECK(alone.count == 0 && alone.loss == 0); /* nothing is known */
        double loss = batch.loss / (double)batch.count;
        RGT_CHECK_MSG(loss < 0.2, "kind %d: loss %g", kind, loss);
        if (kind < 2)
            RGT_CHECK_MSG((double)batch.right > 0.95 * (double)batch.count, "kind %d: %zu of %zu",
                          kind, batch.right, batch.count);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < MOST * V; k++)
                RGT_CHECK(fabs(batch.z[i][k / V][k % V] - alone.z[i][k / V][k % V]) < 1e-4);
        rg_params_destroy(&ps);
    }
}

static bool stop(void *user, const rg_prediction *said)
{
    (void)said;
    return ++*(int *)user < 3;
}

RGT_TEST(task_trainer, a_caller_may_stop_the_predictions)
{
    static set s;
    rg_params *ps;
    rg_predictor *p;
    int asked = 0;
    fill(&s);
    rg_rows rows = rows_of(&s, 0);
    rg_params_create(&ps, 5, NULL);
    RGT_CHECK(rg_predictor_create(&p, ps, &kinds[0].model, NULL) == RG_OK);
    RGT_CHECK(rg_predictor_run(p, &rows, stop, &asked) == RG_EUSER && asked == 3);
    rg_predictor_destroy(&p);
    rg_params_destroy(&ps);
}

/* ---- Missing values, bad rows ---------------------------------------------------------------- */

RGT_TEST(task_trainer, missing_values_count_for_nothing)
{
    static set s, holes;
    rg_params *ps;
    rg_predictor *p;
    static answers said[2];
    fill(&s);
    fill(&holes);
    for (int i = 0; i < N; i++) {
        s.length[i] = holes.length[i] = MOST;
        for (int t = 10; t < MOST; t++)
            holes.x[i][t][i % I] = NAN;     /* the row is its first ten steps */
        holes.value[i] = i % 2 ? NAN : s.value[i];
        s.length[i] = 10;
    }
    rg_params_create(&ps, 5, NULL);
    for (int k = 0; k < 2; k++) {
        rg_rows rows = rows_of(k ? &holes : &s, 2);
        RGT_CHECK(rg_predictor_create(&p, ps, &kinds[2].model, NULL) == RG_OK);
        RGT_CHECK(rg_predictor_run(p, &rows, take, (said[k].truth = &s, &said[k])) == RG_OK);
        rg_predictor_destroy(&p);
    }
    RGT_CHECK(said[0].count == N && said[1].count == N / 2);
    for (int i = 0; i < N; i++)
        RGT_CHECK(said[0].z[i][0][0] == said[1].z[i][0][0]);
    rg_params_destroy(&ps);
}

RGT_TEST(task_trainer, rows_that_do_not_fit_are_named)
{
    static set s;
    rg_params *ps;
    rg_trainer *t;
    rg_params_create(&ps, 5, NULL);
    fill(&s);
    s.class[3] = V;
    rg_rows rows = rows_of(&s, 0);
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &kinds[0]) == RG_EINDEX && !t);
    RGT_CHECK(rgt_has(rg_params_message(ps), "row 3: class 4"));
    s.class[3] = 0;
    s.id[7][0] = -1;
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &kinds[0]) == RG_EINDEX);
    RGT_CHECK(rgt_has(rg_params_message(ps), "row 7: symbol -1"));
    rows.n = 0;
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &kinds[0]) == RG_EARG);
    rows.n = N;
    rows.y = NULL;
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &kinds[0]) == RG_EARG);
    rg_task_trainer_opts bad = kinds[0];
    bad.B = 0;
    rows = rows_of(&s, 0);
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &bad) == RG_EARG);
    rg_params_destroy(&ps);
}

/* ---- Sequence to sequence -------------------------------------------------------------------- */

enum { BEGIN = V, END = V + 1, PAIRS = 40, LETTERS = 4 };

/* Pairs of a word and the same word backwards, its end behind. */
typedef struct pairs {
    int32_t     x[PAIRS][LETTERS], y[PAIRS][LETTERS + 1], length[PAIRS], y_length[PAIRS];
    const void *xs[PAIRS], *ys[PAIRS];
    rg_edits    edits;
    size_t      rows, width;
    double      worst;  /* share of attention on the letter that is to be copied */
} pairs;

static rg_rows pairs_of(pairs *p)
{
    for (uint64_t i = 0; i < PAIRS; i++) {
        p->length[i] = (int32_t)rg_draw_below(8, RG_DOMAIN_USER, 1, i, LETTERS) + 1;
        p->y_length[i] = p->length[i] + 1;
        for (int32_t t = 0; t < p->length[i]; t++) {
            uint64_t at = i * LETTERS + (uint64_t)t;
            p->x[i][t] = (int32_t)rg_draw_below(8, RG_DOMAIN_USER, 2, at, V);
            p->y[i][p->length[i] - 1 - t] = p->x[i][t];
        }
        p->y[i][p->length[i]] = END;
        p->xs[i] = p->x[i];
        p->ys[i] = p->y[i];
    }
    return (rg_rows){ PAIRS, p->length, p->xs, p->ys, p->y_length };
}

static bool compare(void *user, const rg_prediction *said)
{
    pairs *p = user;
    const rg_hypothesis *best = &said->best[0];
    rg_tokens answer = { best->id, best->n };
    rg_tokens truth = { p->y[said->row], (size_t)p->length[said->row] };
    p->rows++;
    p->width = (size_t)said->width;
    RGT_CHECK(said->z == NULL && said->count == (size_t)p->y_length[said->row]);
    RGT_CHECK(said->width < 2 || best[0].log_p >= best[1].log_p);
    return rg_edits_add(&p->edits, answer, truth) == RG_OK;
}

static void reversed(rg_attending attention, bool both, int64_t decoder)
{
    static pairs p;
    rg_params *ps;
    rg_trainer *t;
    rg_predictor *said;
    memset(&p, 0, sizeof p);
    rg_rows rows = pairs_of(&p);
    rg_task_trainer_opts o = {
        .model = { .task = RG_SEQ2SEQ, .symbols = V, .embed = 6, .outputs = V + 2, .hidden = 16,
                   .cell = rg_gru, .bidirectional = both, .attention = attention,
                   .decoder = decoder, .no_bridge = !both && !decoder, .begin = BEGIN, .end = END,
                   .scheduled = both ? 0 : 0.1 },
        .optim = { .lr = 0.02, .clip_norm = 1 }, .B = 10, .grain = 5,
    };
    rg_params_create(&ps, 6, NULL);
    RGT_CHECK_MSG(rg_task_trainer_create(&t, ps, &rows, &o) == RG_OK, "%s", rg_params_message(ps));
    steps(t, 300);
    for (int64_t width = 1; width <= 3; width += 2) {
        memset(&p.edits, 0, sizeof p.edits);
        p.rows = 0;
        RGT_CHECK(rg_predictor_create(&said, ps, &o.model,
                                      &(rg_predictor_opts){ .width = width, .B = 7 }) == RG_OK);
        RGT_CHECK_MSG(rg_predictor_run(said, &rows, compare, &p) == RG_OK, "%s",
                      rg_predictor_message(said));
        RGT_CHECK(p.rows == PAIRS && p.width == (size_t)width);
        RGT_CHECK_MSG(rg_edits_rate(&p.edits) < 0.05, "attention %d, beam %d: error rate %g",
                      attention, (int)width, rg_edits_rate(&p.edits));
        rg_predictor_destroy(&said);
    }
    rg_trainer_destroy(&t);
    rg_params_destroy(&ps);
}

RGT_TEST(task_trainer, words_are_read_and_written_backwards)
{
    reversed(RG_ATTEND_ADDITIVE, true, 18);
    reversed(RG_ATTEND_DOT, false, 0);
}

RGT_TEST(task_trainer, states_that_do_not_fit_need_a_bridge)
{
    static pairs p;
    rg_params *ps;
    rg_trainer *t;
    rg_rows rows = pairs_of(&p);
    rg_task_trainer_opts o = {
        .model = { .task = RG_SEQ2SEQ, .symbols = V, .outputs = V + 2, .hidden = 8, .decoder = 9,
                   .no_bridge = true, .begin = BEGIN, .end = END }, .B = 10,
    };
    rg_params_create(&ps, 6, NULL);
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &o) == RG_ESHAPE && !t);
    RGT_CHECK_MSG(rgt_has(rg_params_message(ps), "bridge"), "%s", rg_params_message(ps));
    rows.y_length = NULL;
    o.model.no_bridge = false;
    RGT_CHECK(rg_task_trainer_create(&t, ps, &rows, &o) == RG_EARG);
    rg_params_destroy(&ps);
}
