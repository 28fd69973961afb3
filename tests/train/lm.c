/* tests/train/lm.c -- the character model: training as a loop by hand, resume, evaluation,
 * sampling. */
#include "tests/train/help.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { V = 7, N = 150 };

static int32_t text[N];

static rg_span some_text(void)
{
    return text_of(text, N, V);
}

static const rg_trainer_opts small = {
    .model = { .V = V, .hidden = 5, .embed = 3, .layers = 2, .dropout = 0.25 },
    .optim = { .lr = 0.01, .clip_norm = 0.5, .schedule = { .kind = RG_COSINE, .total = 20 } },
    .T = 4, .B = 3,
};

/* ---- Training -------------------------------------------------------------------------------- */

/* What the header says, written out: rows are stretches, states are carried, epochs start anew. */
static void train_by_hand(rg_params *params, rg_span t, size_t steps)
{
    enum { T = 4, B = 3 };
    int32_t x[T][B], y[T][B];
    size_t L = (t.n - 1) / B, windows = L / T;
    rg_lm lm;
    rg_plan *plan;
    rg_optim *optim;
    RGT_CHECK(rg_lm_create(&lm, params, &small.model, T, B) == RG_OK);
    RGT_CHECK(rg_plan_create_train(&plan, lm.loss, lm.last, lm.n_state, NULL) == RG_OK);
    RGT_CHECK(rg_optim_create(&optim, params, &small.optim) == RG_OK);
    rg_plan_bind(plan, lm.x, x, sizeof x);
    rg_plan_bind(plan, lm.y, y, sizeof y);
    rg_plan_carry(plan, lm.last, lm.first, lm.n_state);
    for (size_t s = 0; s < steps; s++) {
        if (s % windows == 0)
            rg_plan_restart(plan);
        for (size_t b = 0; b < B; b++)
            for (size_t k = 0; k < T; k++) {
                x[k][b] = t.id[b * L + s % windows * T + k];
                y[k][b] = t.id[b * L + s % windows * T + k + 1];
            }
        RGT_CHECK(rg_plan_run(plan) == RG_OK && rg_optim_step(optim, plan) == RG_OK);
    }
    rg_optim_destroy(&optim);
    rg_plan_destroy(&plan);
    rg_lm_destroy(&lm);
}

RGT_TEST(train, a_trainer_is_the_loop_that_its_header_describes)
{
    rg_params *a, *b;
    rg_trainer *t;
    rg_span stretch = some_text();
    rg_params_create(&a, 5, NULL);
    rg_params_create(&b, 5, NULL);
    RGT_CHECK(rg_trainer_create(&t, a, stretch, &small) == RG_OK);
    RGT_CHECK(rg_trainer_facts(t).windows == 12 && isnan(rg_trainer_facts(t).loss));
    for (int i = 0; i < 30; i++) /* two and a half epochs */
        RGT_CHECK(rg_trainer_step(t) == RG_OK);
    RGT_CHECK(rg_trainer_facts(t).step == 30 && rg_trainer_facts(t).optim.updates == 30);
    train_by_hand(b, stretch, 30);
    same_weights(a, b, 0);
    rg_trainer_destroy(&t);
    rg_params_destroy(&a);
    rg_params_destroy(&b);
}

static void path_for(char path[64])
{
    (void)snprintf(path, 64, "rgt-lm-%ld.safetensors", (long)getpid());
}

/* k steps, save; a new trainer with another thread count loads and does the rest. */
static void resumed(rg_params *end, rg_span t, int k, int steps)
{
    char path[64];
    rg_trainer *first, *second;
    rg_params *begin;
    rg_trainer_opts opts = small;
    path_for(path);
    rg_params_create(&begin, 5, NULL);
    RGT_CHECK(rg_trainer_create(&first, begin, t, &opts) == RG_OK);
    for (int i = 0; i < k; i++)
        RGT_CHECK(rg_trainer_step(first) == RG_OK);
    RGT_CHECK_MSG(rg_trainer_save(first, path, NULL, 0) == RG_OK, "%s", rg_params_message(begin));
    rg_trainer_destroy(&first);
    rg_params_destroy(&begin);
    opts.plan.threads = 1 + k % 3;
    RGT_CHECK(rg_trainer_create(&second, end, t, &opts) == RG_OK);
    RGT_CHECK_MSG(rg_trainer_load(second, path, NULL) == RG_OK, "%s", rg_params_message(end));
    RGT_CHECK(rg_trainer_facts(second).step == (uint64_t)k);
    for (int i = k; i < steps; i++)
        RGT_CHECK(rg_trainer_step(second) == RG_OK);
    rg_trainer_destroy(&second);
    (void)unlink(path);
}

RGT_TEST(train, a_run_resumed_at_any_step_ends_with_the_same_bits)
{
    enum { STEPS = 26 };
    rg_params *whole;
    rg_trainer *t;
    rg_span stretch = some_text();
    rg_params_create(&whole, 5, NULL);
    RGT_CHECK(rg_trainer_create(&t, whole, stretch, &small) == RG_OK);
    for (int i = 0; i < STEPS; i++)
        RGT_CHECK(rg_trainer_step(t) == RG_OK);
    rg_trainer_destroy(&t);
    for (int k = 0; k <= STEPS; k++) {
        rg_params *end;
        rg_params_create(&end, 99, NULL); /* another seed: nothing but the file may count */
        rg_params_destroy(&end);
        rg_params_create(&end, 5, NULL);
        resumed(end, stretch, k, STEPS);
        same_weights(whole, end, k);
        rg_params_destroy(&end);
    }
    rg_params_destroy(&whole);
}

/* The state of one optimizer is not taken for another's, even where the arrays look alike. */
RGT_TEST(train, a_checkpoint_of_another_optimizer_is_refused_by_name)
{
    static const struct { rg_optim_kind kind; const char *name; } all[] = {
        { RG_ADAM, "adam" }, { RG_ADAMW, "adamw" }, { RG_SGD, "sgd" }, { RG_MOMENTUM, "momentum" },
        { RG_NESTEROV, "nesterov" }, { RG_ADAGRAD, "adagrad" }, { RG_ADADELTA, "adadelta" },
        { RG_RMSPROP, "rmsprop" },
    };
    enum { KINDS = sizeof all / sizeof *all };
    char path[64], says[128];
    rg_span stretch = some_text();
    path_for(path);
    for (int i = 0; i < KINDS; i++)
        for (int k = 0; k < KINDS; k++) {
            rg_params *a, *b;
            rg_trainer *first, *second;
            rg_trainer_opts opts = small;
            rg_params_create(&a, 5, NULL);
            rg_params_create(&b, 5, NULL);
            opts.optim.kind = all[i].kind;
            RGT_CHECK(rg_trainer_create(&first, a, stretch, &opts) == RG_OK);
            RGT_CHECK(rg_trainer_step(first) == RG_OK);
            RGT_CHECK(rg_trainer_save(first, path, NULL, 0) == RG_OK);
            opts.optim.kind = all[k].kind;
            RGT_CHECK(rg_trainer_create(&second, b, stretch, &opts) == RG_OK);
            RGT_CHECK(rg_trainer_load(second, path, NULL) == (i == k ? RG_OK : RG_EMISMATCH));
            (void)snprintf(says, sizeof says, "the state of optimizer %s, here it is %s",
                           all[i].name, all[k].name);
            RGT_CHECK_MSG(i == k || rgt_has(rg_params_message(b), says), "%s",
                          rg_params_message(b));
            rg_trainer_destroy(&first);
            rg_trainer_destroy(&second);
            rg_params_destroy(&a);
            rg_params_destroy(&b);
        }
    (void)unlink(path);
}

RGT_TEST(train, a_text_shorter_than_a_window_is_refused)
{
    rg_params *params;
    rg_trainer *t;
    rg_span all = some_text(), tiny = { all.id, 12 }, enough = { all.id, 13 };
    rg_params_create(&params, 1, NULL);
    RGT_CHECK(rg_trainer_create(&t, params, tiny, &small) == RG_ELIMIT && !t);
    RGT_CHECK_MSG(rgt_has(rg_params_message(params), "12 characters"), "%s",
                  rg_params_message(params));
    RGT_CHECK(rg_trainer_create(&t, params, enough, &small) == RG_OK);
    rg_trainer_destroy(&t);
    rg_trainer_opts wrong = small;
    wrong.model.dropout = 1;
    RGT_CHECK(rg_trainer_create(&t, params, all, &wrong) == RG_EARG && !t);
    RGT_CHECK(rgt_has(rg_params_message(params), "dropout"));
    RGT_CHECK(rg_trainer_create(&t, params, all, NULL) == RG_EARG && !t);
    rg_params_destroy(&params);
}

RGT_TEST(train, states_that_are_no_numbers_do_not_outlive_their_window)
{
    rg_params *params;
    rg_trainer *t;
    rg_params_create(&params, 5, NULL);
    RGT_CHECK(rg_trainer_create(&t, params, some_text(), &small) == RG_OK);
    RGT_CHECK(rg_trainer_step(t) == RG_OK && rg_trainer_facts(t).optim.applied);
    float *b = rg_params_find(params, "rnn.l0.bf").data, kept = b[0];
    b[0] = NAN;
    RGT_CHECK(rg_trainer_step(t) == RG_OK && !rg_trainer_facts(t).optim.applied);
    b[0] = kept;
    RGT_CHECK(rg_trainer_step(t) == RG_OK && rg_trainer_facts(t).optim.applied);
    RGT_CHECK(isfinite(rg_trainer_facts(t).loss) && rg_trainer_facts(t).step == 3);
    rg_trainer_destroy(&t);
    rg_params_destroy(&params);
}

/* ---- Evaluation ------------------------------------------------------------------------------ */

/* One character at a time, states carried by hand through a plan of one step. */
static double nats_by_hand(rg_params *params, rg_span t)
{
    int32_t x[1], y[1];
    double sum = 0;
    rg_lm lm;
    rg_plan *plan;
    rg_val root[16];
    RGT_CHECK(rg_lm_create(&lm, params, &small.model, 1, 1) == RG_OK);
    root[0] = lm.nats;
    memcpy(root + 1, lm.last, lm.n_state * sizeof *root);
    rg_plan_opts opts = { .real = RG_F64, .mode = RG_EVALUATE, .effort = RG_INTERPRET };
    RGT_CHECK(rg_plan_create(&plan, root, 1 + lm.n_state, &opts) == RG_OK);
    rg_plan_bind(plan, lm.x, x, sizeof x);
    rg_plan_bind(plan, lm.y, y, sizeof y);
    rg_plan_carry(plan, lm.last, lm.first, lm.n_state);
    for (size_t i = 0; i + 1 < t.n; i++) {
        x[0] = t.id[i];
        y[0] = t.id[i + 1];
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
        sum += *(const double *)rg_plan_data(plan, lm.nats);
    }
    rg_plan_destroy(&plan);
    rg_lm_destroy(&lm);
    return sum;
}

RGT_TEST(train, evaluation_scores_every_character_once)
{
    rg_params *params;
    rg_lm_score score;
    rg_span all = some_text();
    rg_lm_score_opts opts = { .plan = { .real = RG_F64 } };
    rg_params_create(&params, 5, &(rg_params_opts){ .real = RG_F64 });
    for (size_t n = 2; n <= N; n += n < 5 ? 1 : 29) {
        rg_span t = { all.id, n };
        RGT_CHECK(rg_lm_evaluate(&score, params, &small.model, t, &opts) == RG_OK);
        RGT_CHECK(score.count == n - 1 && fabs(score.nats - nats_by_hand(params, t)) < 1e-9);
    }
    for (size_t rows = 2; rows < 9; rows += 3) { /* each row is a text of its own */
        size_t L = (N - 1 + rows - 1) / rows;
        double want = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t n = r + 1 < rows ? L + 1 : N - r * L;
            want += nats_by_hand(params, (rg_span){ all.id + r * L, n });
        }
        opts.rows = rows;
        RGT_CHECK(rg_lm_evaluate(&score, params, &small.model, all, &opts) == RG_OK);
        RGT_CHECK_MSG(score.count == N - 1 && fabs(score.nats - want) < 1e-9, "%zu rows", rows);
    }
    all.n = 1;
    RGT_CHECK(rg_lm_evaluate(&score, params, &small.model, all, NULL) == RG_EARG);
    RGT_CHECK(*score.message && score.count == 0);
    rg_params_destroy(&params);
}

static bool second_time(void *user)
{
    return ++*(int *)user == 2;
}

RGT_TEST(train, evaluation_can_be_limited_and_stopped)
{
    static int32_t longer[1000];
    rg_params *params;
    rg_lm_score score;
    int asked = 0;
    rg_span t = { longer, 1000 };
    rg_params_create(&params, 5, NULL);
    rg_lm_score_opts opts = { .rows = 2, .limit = 200 };
    RGT_CHECK(rg_lm_evaluate(&score, params, &small.model, t, &opts) == RG_OK);
    RGT_CHECK(score.count == 256); /* two windows of 64 in two rows */
    opts.stop = second_time;
    opts.user = &asked;
    RGT_CHECK(rg_lm_evaluate(&score, params, &small.model, t, &opts) == RG_EUSER && asked == 2);
    rg_params_destroy(&params);
}

/* ---- Sampling -------------------------------------------------------------------------------- */

/* A model whose logits are always @p z: the last matrix is zero. */
static void fix_logits(rg_params *params, const float *z)
{
    rg_lm lm;
    RGT_CHECK(rg_lm_create(&lm, params, &small.model, 1, 1) == RG_OK);
    rg_lm_destroy(&lm);
    memset(rg_params_find(params, "out.W").data, 0, 5 * V * sizeof *z);
    memcpy(rg_params_find(params, "out.b").data, z, V * sizeof *z);
}

static void draw(int32_t *id, size_t n, rg_params *params, rg_sampler_opts opts)
{
    rg_sampler *s;
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &opts) == RG_OK);
    for (size_t i = 0; i < n; i++)
        RGT_CHECK(rg_sampler_next(&id[i], s) == RG_OK);
    rg_sampler_destroy(&s);
}

RGT_TEST(train, samples_follow_temperature_and_top_k)
{
    enum { DRAWS = 4000 };
    static const float z[V] = { 0, 1, -1, 2, 0.5f, 1, -3 };
    static int32_t id[DRAWS];
    rg_params *params;
    rg_params_create(&params, 5, NULL);
    fix_logits(params, z);
    for (int k = 0; k <= V; k += 2) {
        double seen[V] = { 0 }, p[V], sum = 0, chi = 0;
        for (int v = 0; v < V; v++) { /* the k largest; of equal ones the first */
            int before = 0;
            for (int w = 0; w < V; w++)
                before += z[w] > z[v] || (w < v && z[w] >= z[v]);
            p[v] = k == 0 || before < k ? exp(z[v] / 1.5) : 0;
            sum += p[v];
        }
        draw(id, DRAWS, params, (rg_sampler_opts){ .temperature = 1.5, .top_k = k, .seed = 9 });
        for (int i = 0; i < DRAWS; i++)
            seen[id[i]] += 1;
        for (int v = 0; v < V; v++) {
            double want = DRAWS * p[v] / sum;
            RGT_CHECK(p[v] > 0 || seen[v] == 0);
            chi += want > 0 ? (seen[v] - want) * (seen[v] - want) / want : 0;
        }
        RGT_CHECK_MSG(chi < 24, "top %d: chi square %.1f of 6 degrees", k, chi);
    }
    draw(id, 5, params, (rg_sampler_opts){ .temperature = 0 });
    RGT_CHECK(id[0] == 3 && id[4] == 3);
    draw(id, 5, params, (rg_sampler_opts){ .temperature = 3, .top_k = 1 });
    RGT_CHECK(id[0] == 3 && id[4] == 3);
    rg_params_destroy(&params);
}

RGT_TEST(train, a_sampler_never_draws_what_is_excluded_and_the_rest_keep_their_odds)
{
    enum { DRAWS = 4000 };
    static const float z[V] = { 0, 1, -1, 2, 0.5f, 1, -3 };
    static const int32_t never[] = { 3, 1, 3, 0 }, all[] = { 0, 1, 2, 3, 4, 5, 6 }, none[] = { V };
    static int32_t id[DRAWS];
    const rg_span out = { never, 4 };
    double p[V] = { 0 }, sum = 0, seen[V] = { 0 }, chi = 0;
    rg_params *params;
    rg_sampler *s;
    rg_params_create(&params, 5, NULL);
    fix_logits(params, z);
    for (int v = 0; v < V; v++)
        sum += p[v] = v == 3 || v < 2 ? 0 : exp(z[v]);
    draw(id, DRAWS, params, (rg_sampler_opts){ .temperature = 1, .never = out, .seed = 3 });
    for (int i = 0; i < DRAWS; i++)
        seen[id[i]] += 1;
    for (int v = 0; v < V; v++) {
        const double want = DRAWS * p[v] / sum;
        RGT_CHECK(p[v] > 0 || seen[v] == 0);
        chi += want > 0 ? (seen[v] - want) * (seen[v] - want) / want : 0;
    }
    RGT_CHECK_MSG(chi < 16, "chi square %.1f of 3 degrees", chi);
    draw(id, 5, params, (rg_sampler_opts){ .temperature = 0, .never = out });
    RGT_CHECK(id[0] == 5 && id[4] == 5);
    draw(id, 5, params, (rg_sampler_opts){ .temperature = 2, .top_k = 1, .never = out });
    RGT_CHECK(id[0] == 5 && id[4] == 5);
    const rg_sampler_opts empty = { .never = { all, V } }, strange = { .never = { none, 1 } };
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &empty) == RG_EARG && !s &&
              rgt_has(rg_params_message(params), "no symbol"));
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &strange) == RG_EARG && !s &&
              rgt_has(rg_params_message(params), "never has 7"));
    rg_params_destroy(&params);
}

RGT_TEST(train, chances_are_those_of_the_draws_and_a_sampler_begins_anew)
{
    static const float z[V] = { 0, 1, -1, 2, 0.5f, 1, -3 };
    static const int32_t never[] = { 3 }, strange[] = { 1, V };
    double p[V], again[V], sum = 0;
    rg_params *params;
    rg_sampler *s;
    rg_span t = some_text();
    int32_t id[6], then[6];
    rg_params_create(&params, 5, NULL);
    const rg_sampler_opts opts = { .temperature = 2, .top_k = 3, .prime = { t.id, 9 },
                                   .never = { never, 1 } };
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &opts) == RG_OK);
    RGT_CHECK(rg_sampler_chances(p, s) == RG_OK && rg_sampler_chances(again, s) == RG_OK);
    RGT_CHECK(!memcmp(p, again, sizeof p)); /* looking changes nothing */
    for (int i = 0; i < 6; i++)
        RGT_CHECK(rg_sampler_next(&id[i], s) == RG_OK);
    RGT_CHECK(p[id[0]] > 0 && rg_sampler_begin(s, opts.prime) == RG_OK);
    RGT_CHECK(rg_sampler_chances(again, s) == RG_OK && !memcmp(p, again, sizeof p));
    RGT_CHECK(rg_sampler_begin(s, (rg_span){ strange, 2 }) == RG_EINDEX);
    RGT_CHECK(rgt_has(rg_sampler_message(s), "prime has 7"));
    rg_sampler_destroy(&s);
    draw(then, 6, params, opts); /* nor does it change what is drawn */
    RGT_CHECK(!memcmp(id, then, sizeof id));
    fix_logits(params, z);
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &opts) == RG_OK);
    RGT_CHECK(rg_sampler_chances(p, s) == RG_OK);
    for (int v = 0; v < V; v++) /* the largest without the third: 1, 5, 4 */
        sum += again[v] = v == 1 || v == 5 || v == 4 ? exp(z[v] / 2) : 0;
    for (int v = 0; v < V; v++)
        RGT_CHECK_MSG(fabs(p[v] - again[v] / sum) < 1e-7, "%d: %g", v, p[v]);
    rg_sampler_destroy(&s);
    rg_params_destroy(&params);
}

RGT_TEST(train, a_sampler_reads_its_prime_and_what_it_wrote)
{
    rg_params *params;
    rg_sampler *s;
    rg_span t = some_text();
    int32_t first[40], second[20], id = -1;
    rg_params_create(&params, 5, NULL);
    rg_sampler_opts greedy = { .prime = { t.id, 3 } }, rest = { .prime = { first, 20 } };
    memcpy(first, t.id, 3 * sizeof *first); /* prime, then what was written */
    draw(first + 3, 37, params, greedy);
    draw(second, 20, params, rest);
    RGT_CHECK(!memcmp(first + 20, second, sizeof second));
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &(rg_sampler_opts){ .temperature = -1 })
              == RG_EARG && !s);
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, &(rg_sampler_opts){ .temperature = NAN })
              == RG_EARG && rgt_has(rg_params_message(params), "temperature"));
    RGT_CHECK(rg_sampler_create(&s, params, &small.model, NULL) == RG_OK);
    ((float *)rg_params_find(params, "out.b").data)[2] = NAN;
    RGT_CHECK(rg_sampler_next(&id, s) == RG_ENONFINITE && rgt_has(rg_sampler_message(s), "logits"));
    rg_sampler_destroy(&s);
    rg_params_destroy(&params);
}
