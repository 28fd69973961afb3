/* bench/masks.c -- what rows of unequal length cost: a plan with a mask, and one from a cache as
 * batches by length use it, against the same plan without. */
#include "bench/nets.h"

#include <stdlib.h>

/* A batch that comes from a cache: looked up, bound, run. */
struct cached {
    rg_params     *params;
    rg_plan_cache *cache;
    rgb_shape      shape;
    float         *x;
    int32_t       *length;
};

enum { X, LENGTHS, LOSS };

static rg_status build(void *user, rg_cached_plan *m)
{
    const struct cached *c = user;
    const rgb_cell *kind = rgb_cell_of(c->shape.cell);
    rg_val x[128], d[128];
    m->v[X] = rg_input(m->graph, "x", RG_F, RG_SHAPE(m->T, m->B, c->shape.I));
    m->v[LENGTHS] = rg_input(m->graph, "lengths", RG_INT, RG_SHAPE(m->B));
    rg_cell cell = kind->make(m->graph, "a", c->shape.I, c->shape.H, &kind->opts);
    rg_unroll_opts opts = { .mask = rg_length_mask(m->v[LENGTHS], m->T) };
    d[0] = m->v[LOSS] = rg_mean(rg_square(rg_unroll(NULL, &cell, m->v[X], NULL, &opts)));
    size_t n = rg_graph_params(x, 126, m->graph);
    x[n++] = m->v[X];
    rg_grad(d + 1, d[0], x, n);
    return rg_plan_create(&m->plan, d, n + 1, &(rg_plan_opts){ .threads = 1 });
}

static void run_cached(void *arg)
{
    struct cached *c = arg;
    const rgb_shape *s = &c->shape;
    rg_cached_plan *m;
    rgb_check(rg_plan_cache_get(&m, c->cache, s->T, s->B), rg_plan_cache_message(c->cache));
    rg_plan_bind(m->plan, m->v[X], c->x, (size_t)(s->T * s->B * s->I) * sizeof *c->x);
    rg_plan_bind(m->plan, m->v[LENGTHS], c->length, (size_t)s->B * sizeof *c->length);
    rgb_check(rg_plan_run(m->plan), rg_plan_message(m->plan));
}

static void line(const rgb_row *row, const rgb_shape *s, const rgb_race *race, int k)
{
    rgb_begin(row);
    rgb_shape_line(s, 1);
    rgb_text("against", k == 1 ? "the mask" : "the mask, from a cache");
    rgb_times(race->time[k]);
    rgb_number("ratio", race->time[k].min / race->time[0].min);
    rgb_number("ratio_cpu", race->time[k].cpu / race->time[0].cpu);
    rgb_end();
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_net net[2];
    struct cached c = { .shape = *s };
    rg_plan_opts plan = { .threads = opts->threads };
    rgb_net_open(&net[0], s, &plan);
    rgb_net_open_masked(&net[1], s, &plan);
    rgb_body body[3] = { { rgb_net_run, &net[0] }, { rgb_net_run, &net[1] }, { run_cached, &c } };
    c.x = net[1].x;
    c.length = net[1].length;
    rgb_check(rg_params_create(&c.params, 1, NULL), "store");
    rgb_check(rg_plan_cache_create(&c.cache, c.params, build, &c, NULL), "cache");
    const size_t n = opts->threads == 1 && s->layers == 1 ? 3 : 2; /* build() makes one layer */
    rgb_race race = rgb_race_rounds(body, n, opts);
    for (size_t k = 1; k < n; k++)
        line(row, s, &race, (int)k);
    rg_plan_cache_destroy(&c.cache);
    rg_params_destroy(&c.params);
    for (int k = 0; k < 2; k++)
        rgb_net_close(&net[k]);
}

static const rgb_shape shape[] = {
    RGB_SHAPE("lstm", 64, 64, 128, 256, 1, false),
    RGB_SHAPE("gru", 64, 64, 128, 256, 1, false),
    RGB_SHAPE("rnn", 64, 64, 128, 256, 1, false), RGB_SHAPE("lstm", 35, 20, 200, 200, 2, false),
    RGB_SHAPE("lstm", 50, 64, 64, 64, 1, false), RGB_SHAPE("gru-after", 64, 32, 64, 128, 1, false),
};

static const rgb_row rows[] = {
    { "M1", "lstm, rows of unequal length, against equal ones", run, &shape[0] },
    { "M2", "gru, likewise", run, &shape[1] },
    { "M3", "rnn, likewise", run, &shape[2] },
    { "M4", "two layers of lstm, likewise", run, &shape[3] },
    { "M5", "a small lstm, likewise", run, &shape[4] },
    { "M6", "gru that resets after, likewise", run, &shape[5] },
};
const rgb_rows rgb_masks = { rows, sizeof rows / sizeof *rows };
