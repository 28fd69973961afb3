/* tests/train/task.c -- task models: what is read of a sequence, what padding may hold, and that
 * each task can be learned. */
#include "tests/train/task_help.h"

#include <math.h>

static const rg_task_opts kinds[] = {
    { .task = RG_CLASSIFY, .symbols = V, .embed = 3, .outputs = O, .hidden = H,
      .layers = 2 },
    { .task = RG_CLASSIFY, .features = I, .outputs = O, .hidden = H, .bidirectional = true },
    { .task = RG_CLASSIFY, .features = I, .outputs = O, .hidden = H, .readout = RG_READ_MEAN,
      .bidirectional = true, .cell = rg_gru },
    { .task = RG_CLASSIFY, .symbols = V, .outputs = O, .hidden = H, .readout = RG_READ_MAX },
    { .task = RG_CLASSIFY, .symbols = V, .outputs = O, .hidden = H, .readout = RG_READ_ATTENTION },
    { .task = RG_TAG, .symbols = V, .outputs = O, .hidden = H, .layers = 2,
      .bidirectional = true },
    { .task = RG_TAG, .features = I, .outputs = O, .hidden = H, .cell = rg_rnn },
    { .task = RG_FORECAST, .features = I, .outputs = O, .hidden = H, .cell = rg_gru },
    { .task = RG_SEQ2SEQ, .symbols = V, .embed = 3, .outputs = O, .hidden = H, .end = 1,
      .bidirectional = true, .decoder = H + 1 },
    { .task = RG_SEQ2SEQ, .symbols = V, .outputs = O, .hidden = H, .attention = RG_ATTEND_DOT,
      .no_bridge = true, .cell = rg_gru },
    { .task = RG_SEQ2SEQ, .features = I, .outputs = O, .hidden = H, .layers = 2,
      .attention = RG_ATTEND_NONE },
    { .task = RG_SEQ2SEQ, .symbols = V, .outputs = O, .hidden = H, .attention = RG_ATTEND_CONCAT },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void shapes_of(const rg_task_model *m, const rg_task_opts *o)
{
    bool steps = o->task == RG_TAG || o->task == RG_SEQ2SEQ;
    rg_shape z = steps ? RG_SHAPE(T, B, O) : RG_SHAPE(B, O);
    rg_shape each = steps ? RG_SHAPE(T, B) : o->task == RG_CLASSIFY ? RG_SHAPE(B) : RG_SHAPE(B, O);
    RGT_CHECK(rg_shape_equal(rg_shape_of(m->z), z));
    RGT_CHECK(rg_shape_equal(rg_shape_of(m->each), each));
    RGT_CHECK(rg_shape_equal(rg_shape_of(m->counts), each));
}

/* NaN in padded features, another id in padded symbols: no bit of loss or gradient moves. */
RGT_TEST(task, padding_changes_no_bit)
{
    static batch clean, dirty;
    fill(&clean, 0);
    fill(&dirty, NAN);
    for (int i = 0; i < B; i++) /* what does not count may be anything, too */
        for (int k = 0; k < O; k++)
            if (!clean.counts[i * O + k])
                dirty.value[i * O + k] = NAN;
    for (int i = 0; i < T * B; i++)
        dirty.id[i] = dirty.mask[i] ? dirty.id[i] : 1 + i % (V - 1);
    for (int k = 0; k < KINDS; k++) {
        rg_task_model a, b;
        rg_params *ps;
        rg_params_create(&ps, 7, &(rg_params_opts){ .real = RG_F64 });
        rg_plan *p = planned(&a, ps, &kinds[k], &clean), *q = planned(&b, ps, &kinds[k], &dirty);
        shapes_of(&a, &kinds[k]);
        double loss = rg_plan_scalar(p, a.loss);
        RGT_CHECK_MSG(isfinite(loss) && loss > 0, "kind %d: loss %g", k, loss);
        RGT_CHECK_MSG(loss == rg_plan_scalar(q, b.loss), "kind %d", k);
        size_t n = (size_t)rg_shape_count(rg_shape_of(a.z));
        RGT_CHECK_MSG(!memcmp(rg_plan_data(p, a.z), rg_plan_data(q, b.z), n * 8), "kind %d", k);
        rg_optim *opt;
        rg_optim_create(&opt, ps, &(rg_optim_opts){ .kind = RG_SGD, .lr = 1e-9 });
        RGT_CHECK(rg_optim_step(opt, p) == RG_OK);
        double norm = rg_optim_facts(opt).grad_norm;
        RGT_CHECK(rg_optim_step(opt, q) == RG_OK && rg_optim_facts(opt).grad_norm == norm);
        rg_optim_destroy(&opt);
        rg_plan_destroy(&p);
        rg_plan_destroy(&q);
        rg_task_destroy(&a);
        rg_task_destroy(&b);
        rg_params_destroy(&ps);
    }
}

static int64_t steps_of(const rg_task_opts *o, int64_t n)
{
    return o->task == RG_TAG || o->task == RG_SEQ2SEQ ? n : 1;
}

/* Row r of the batch by itself, without any padding. */
static void row_alone(double z[T * O], rg_params *ps, const rg_task_opts *o, const batch *b, int r)
{
    int32_t id[T], tag[T];
    double x[T * I];
    uint8_t ones[T];
    int64_t n = lengths[r];
    rg_task_model m;
    rg_plan *plan;
    memset(ones, 1, sizeof ones);
    for (int64_t t = 0; t < n; t++) {
        id[t] = b->id[t * B + r];
        tag[t] = b->tag[t * B + r];
        memcpy(x + t * I, b->x + (t * B + r) * I, I * sizeof *x);
    }
    RGT_CHECK(rg_task_create(&m, ps, o, n, 1) == RG_OK);
    RGT_CHECK(rg_plan_create(&plan, &m.z, 1, &(rg_plan_opts){ .real = RG_F64 }) == RG_OK);
    rg_plan_bind(plan, m.x, o->symbols ? (void *)id : x,
                 (size_t)n * (o->symbols ? sizeof *id : I * sizeof *x));
    rg_plan_bind(plan, m.mask, ones, (size_t)n);
    if (o->task == RG_SEQ2SEQ)
        rg_plan_bind(plan, m.y, tag, (size_t)n * sizeof *tag);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    memcpy(z, rg_plan_data(plan, m.z), (size_t)steps_of(o, n) * O * sizeof *z);
    rg_plan_destroy(&plan);
    rg_task_destroy(&m);
}

RGT_TEST(task, a_row_of_a_padded_batch_is_the_row_alone)
{
    static batch data;
    double alone[T * O];
    fill(&data, NAN);
    for (int k = 0; k < KINDS; k++) {
        rg_task_model m;
        rg_params *ps;
        rg_params_create(&ps, 7, &(rg_params_opts){ .real = RG_F64 });
        rg_plan *plan = planned(&m, ps, &kinds[k], &data);
        const double *z = rg_plan_data(plan, m.z);
        for (int r = 0; r < B; r++) {
            if (lengths[r] == 0)
                continue;
            row_alone(alone, ps, &kinds[k], &data, r);
            int64_t steps = steps_of(&kinds[k], lengths[r]);
            for (int i = 0; i < steps * O; i++) {
                double d = fabs(alone[i] - z[(i / O * B + r) * O + i % O]);
                RGT_CHECK_MSG(d < 1e-13, "kind %d, row %d, value %d: off by %g", k, r, i, d);
            }
        }
        rg_plan_destroy(&plan);
        rg_task_destroy(&m);
        rg_params_destroy(&ps);
    }
}

/* ---- Each task can be learned ---------------------------------------------------------------- */

/* Draw a batch of symbols: full rows. The class is the first symbol, the tag is the next symbol (of
 * the last step: the first one), the value the share of symbol 0. */
static void problem(batch *b, uint64_t step)
{
    memset(b->mask, 1, sizeof b->mask);
    memset(b->counts, 1, sizeof b->counts);
    for (uint64_t i = 0; i < T * B; i++)
        b->id[i] = (int32_t)rg_draw_below(2, RG_DOMAIN_USER, step, i, O);
    for (int t = 0; t < T; t++)
        for (int r = 0; r < B; r++)
            b->tag[t * B + r] = b->id[(t + 1) % T * B + r];
    for (int r = 0; r < B; r++) {
        b->class[r] = b->id[r];
        for (int k = 0; k < O; k++)
            b->value[r * O + k] = 0;
        for (int t = 0; t < T; t++)
            b->value[r * O + b->id[t * B + r]] += 1.0 / T;
    }
}

/* Mean loss of the last 20 of so many steps. */
static double trained(const rg_task_opts *o, int steps)
{
    static batch b;
    rg_task_model m;
    rg_params *ps;
    rg_optim *opt;
    double sum = 0;
    rg_params_create(&ps, 3, &(rg_params_opts){ .real = RG_F64 });
    problem(&b, 0);
    rg_plan *plan = planned(&m, ps, o, &b);
    rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 0.02, .clip_norm = 1 });
    for (int s = 0; s < steps; s++) {
        problem(&b, (uint64_t)s);
        RGT_CHECK(rg_plan_run(plan) == RG_OK && rg_optim_step(opt, plan) == RG_OK);
        sum += s >= steps - 20 ? rg_plan_scalar(plan, m.loss) / 20 : 0;
    }
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_task_destroy(&m);
    rg_params_destroy(&ps);
    return sum;
}

RGT_TEST(task, a_classifier_remembers_the_first_symbol)
{
    double loss = trained(&(rg_task_opts){ .task = RG_CLASSIFY, .symbols = V, .embed = 4,
                                           .outputs = O, .hidden = 16, .cell = rg_gru }, 500);
    RGT_CHECK_MSG(loss < 0.1, "loss %g, chance %g", loss, log(O));
}

RGT_TEST(task, tags_that_look_ahead_need_both_directions)
{
    rg_task_opts o = { .task = RG_TAG, .symbols = V, .outputs = O, .hidden = 16, .cell = rg_gru };
    double forward = trained(&o, 500);
    o.bidirectional = true;
    double both = trained(&o, 500);
    RGT_CHECK_MSG(both < 0.1, "both directions: loss %g", both);
    RGT_CHECK_MSG(forward > 5.0 / 6 * log(O) - 0.1, "forward only: loss %g", forward);
}

RGT_TEST(task, a_forecast_learns_shares)
{
    double loss = trained(&(rg_task_opts){ .task = RG_FORECAST, .symbols = V, .outputs = O,
                                           .hidden = 12, .cell = rg_gru }, 500);
    RGT_CHECK_MSG(loss < 3e-3, "loss %g", loss);
}

/* ---- Options --------------------------------------------------------------------------------- */

RGT_TEST(task, options_that_describe_no_model_are_refused)
{
    static const struct { rg_task_opts o; const char *says; } bad[] = {
        { { .symbols = 3, .features = 2, .outputs = 2, .hidden = 2 }, "symbols or features" },
        { { .outputs = 2, .hidden = 2 }, "symbols or features" },
        { { .features = 2, .embed = 3, .outputs = 2, .hidden = 2 }, "embed" },
        { { .symbols = 2, .hidden = 2 }, "outputs and hidden" },
        { { .symbols = 2, .outputs = 2, .hidden = 2, .layers = 65 }, "layers" },
        { { .symbols = 2, .outputs = 2, .hidden = 2, .dropout = 1 }, "dropout" },
        { { .symbols = 2, .outputs = 2, .hidden = 2, .dropout = NAN }, "dropout" },
        { { .task = RG_TAG, .symbols = 2, .outputs = 2, .hidden = 2, .readout = RG_READ_MAX },
          "have a readout" },
        { { .task = RG_SEQ2SEQ, .symbols = 2, .outputs = 2, .hidden = 2, .end = 2 },
          "begin and end" },
        { { .task = RG_SEQ2SEQ, .symbols = 2, .outputs = 2, .hidden = 2, .decoder = -1 }, "width" },
        { { .task = RG_SEQ2SEQ, .symbols = 2, .outputs = 2, .hidden = 2, .scheduled = 1 },
          "scheduled must lie in [0, 1)" },
        { { .task = RG_TAG, .symbols = 2, .outputs = 2, .hidden = 2, .scheduled = 0.1 },
          "sequence to sequence" },
    };
    rg_params *ps;
    rg_task_model m;
    rg_params_create(&ps, 1, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RGT_CHECK(rg_task_create(&m, ps, &bad[i].o, 2, 2) == RG_EARG);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), bad[i].says), "%zu: %s", i,
                      rg_params_message(ps));
        RGT_CHECK(!m.graph);
    }
    RGT_CHECK(rg_task_create(&m, ps, &kinds[0], 0, 2) == RG_EARG);
    RGT_CHECK(rg_task_create(&m, NULL, &kinds[0], 2, 2) == RG_EARG);
    RGT_CHECK(rg_task_create(&m, ps, NULL, 2, 2) == RG_EARG);
    rg_params_destroy(&ps);
}
