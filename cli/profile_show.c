/* cli/profile_show.c -- a profile as tables for people and as lines of JSON. */
#include "cli/net.h"
#include "cli/profile.h"

#include <stdlib.h>
#include <string.h>

enum { SLOWEST = 12 }; /* rows of the last table */

/* ---- For people ----------------------------------------------------------------------------- */

/* Steps, ms, share of the whole, GF/s, share of the peak, GB/s. */
static void numbers(const profile *p, const profile_part *part)
{
    const double flops = profile_rate(part->flop, part->seconds);
    printf("%7zu %10.3f %6.1f %8.1f %6.1f %8.1f\n", part->steps, 1e3 * part->seconds,
           100 * part->seconds / profile_total(p), flops, 100 * flops / p->peak,
           profile_rate(part->bytes, part->seconds));
}

static void head(const char *what)
{
    printf("\n%-52s   steps         ms      %%     GF/s    %%P     GB/s\n", what);
}

static void row(const profile *p, const char *label, const profile_part *part)
{
    printf("%-52s ", label);
    numbers(p, part);
}

static void rest(const profile *p)
{
    const profile_part update = profile_update(p), left = profile_rest(p);
    const rg_plan_report r = rg_trainer_facts(p->x.trainer).plan;
    const profile_part total = { .steps = p->n_step + 1, .seconds = profile_total(p),
                                 .flop = r.flop, .bytes = r.moved_bytes + update.bytes };
    row(p, "update of the weights", &update);
    printf("%-52s %7s %10.3f %6.1f\n", "unaccounted (starting, checking, meeting)", "",
           1e3 * left.seconds, 100 * left.seconds / profile_total(p));
    row(p, "total", &total);
}

static void kernels(const profile *p, const profile_part *part, size_t n)
{
    head("kernel");
    for (size_t i = 0; i < n; i++)
        row(p, part[i].name, &part[i]);
    rest(p);
}

static void layers(const profile *p, const profile_part *part, size_t n)
{
    char label[128];
    head("layer");
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(label, sizeof label, "%-42s %s", *part[i].layer ? part[i].layer : "-",
                       profile_direction(&part[i]));
        row(p, label, &part[i]);
    }
}

static void slowest(const profile *p, const profile_part *part, size_t n)
{
    char label[320];
    head("the slowest kinds of steps");
    for (size_t i = 0; i < n && i < SLOWEST; i++) {
        (void)snprintf(label, sizeof label, "%s %s  %s %s", part[i].name, part[i].shapes,
                       *part[i].layer ? part[i].layer : "-", profile_direction(&part[i]));
        row(p, label, &part[i]);
    }
}

static void title(const profile *p)
{
    char text[128];
    const rg_plan_report r = rg_trainer_facts(p->x.trainer).plan;
    const rg_build b = rg_build_info();
    const double speed = profile_rate(r.flop, profile_untraced(p));
    printf("%s; %lld steps, %lld rows, %s\n", model_title(text, sizeof text, &p->x.m),
           (long long)p->T, (long long)p->B, p->x.m.real == RG_F64 ? "f64" : "f32");
    printf("%d thread%s, %s kernels, OpenBLAS %s; P = %.0f GF/s, measured in this run\n",
           r.threads, r.threads == 1 ? "" : "s", b.isa, b.blas_core, p->peak);
    printf("a training step: %.3f ms (median %.3f), %.3g flop, %.1f GF/s, %.1f %% of P; "
           "arena %.1f MiB\n", 1e3 * profile_untraced(p),
           1e3 * (p->run.median + p->update.median), r.flop, speed, 100 * speed / p->peak,
           (double)r.arena_bytes / 0x1p20);
    printf("part by part: %.3f ms; timing every step costs %.1f %%\n", 1e3 * profile_total(p),
           100 * (p->traced - p->run.least) / profile_untraced(p));
}

/* ---- For programs --------------------------------------------------------------------------- */

static json_t *figures(const profile *p, const char *what, const profile_part *part)
{
    const double flops = profile_rate(part->flop, part->seconds);
    return json_pack("{s:i, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "v", 1, "what", what,
                     "steps", (json_int_t)part->steps, "ms", 1e3 * part->seconds, "share",
                     part->seconds / profile_total(p), "flop", part->flop, "gflops", flops,
                     "peak_share", flops / p->peak, "bytes", part->bytes, "gbs",
                     profile_rate(part->bytes, part->seconds));
}

static int json_part(const profile *p, const char *what, const profile_part *part, unsigned by)
{
    json_t *o = figures(p, what, part);
    if (o && by & BY_KERNEL)
        json_object_set_new(o, "kernel", json_string(part->name));
    if (o && by & BY_SHAPES)
        json_object_set_new(o, "shapes", json_string(part->shapes));
    if (o && by & BY_LAYER)
        json_object_set_new(o, "layer", json_string(part->layer));
    if (o && by & BY_DIRECTION)
        json_object_set_new(o, "direction", json_string(profile_direction(part)));
    return put_json(o, 9);
}

/* What the model is, in the words of its options. */
static json_t *json_shape(const profile *p)
{
    const model *m = &p->x.m;
    const rg_task_opts *o = m->net ? &m->net->opts : NULL;
    const int64_t layers = o ? o->layers ? o->layers : 1 : m->lm.layers;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "task",
                     net_tasks[m->net ? m->net->task : LM], "cell", cells[m->cell].name, "hidden",
                     (json_int_t)(o ? o->hidden : m->lm.hidden), "layers", (json_int_t)layers,
                     "embed", (json_int_t)(o ? o->embed : m->lm.embed), "symbols",
                     (json_int_t)(o ? o->symbols : m->lm.V), "seq_len", (json_int_t)p->T, "batch",
                     (json_int_t)p->B, "dtype", m->real == RG_F64 ? "f64" : "f32");
}

static int json_model(const profile *p)
{
    const rg_plan_report r = rg_trainer_facts(p->x.trainer).plan;
    const rg_build b = rg_build_info();
    const settings *s = p->s;
    json_t *o = json_pack("{s:i, s:s, s:i, s:s, s:s, s:s}", "v", 1, "what", "model", "threads",
                          r.threads, "effort", s->effort ? "interpret" : "optimize", "disable",
                          s->disable ? s->disable : "", "isa", b.isa);
    json_t *more = json_pack("{s:s, s:f, s:I, s:I, s:f, s:f, s:I, s:I}", "blas_core", b.blas_core,
                             "peak_gflops", p->peak, "nodes", (json_int_t)r.nodes, "steps",
                             (json_int_t)r.steps, "flop", r.flop, "bytes", r.moved_bytes,
                             "arena_bytes", (json_int_t)r.arena_bytes, "rounds",
                             (json_int_t)s->steps);
    json_t *shape = json_shape(p);
    if (o && more && shape) {
        json_object_update(o, shape);
        json_object_update(o, more);
    }
    json_decref(shape);
    json_decref(more);
    return put_json(o, 9);
}

static int json_total(const profile *p)
{
    return put_json(json_pack("{s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "v", 1, "what",
                              "total", "ms", 1e3 * profile_total(p), "steps_ms", 1e3 * p->steps,
                              "update_ms", 1e3 * p->update.least, "unaccounted_ms",
                              1e3 * profile_rest(p).seconds, "untraced_ms",
                              1e3 * profile_untraced(p), "untraced_ms_median",
                              1e3 * (p->run.median + p->update.median), "tracing_ms",
                              1e3 * (p->traced - p->run.least)), 9);
}

/* ---- Both ----------------------------------------------------------------------------------- */

static const struct view {
    const char *what;
    unsigned    by;
    void      (*show)(const profile *p, const profile_part *part, size_t n);
} views[] = {
    { "kernel", BY_KERNEL, kernels },
    { "layer", BY_LAYER | BY_DIRECTION, layers },
    { "kind", BY_KERNEL | BY_LAYER | BY_DIRECTION | BY_SHAPES, slowest },
};

int profile_show(const profile *p)
{
    int code = DONE;
    if (p->s->json)
        code = json_model(p);
    else
        title(p);
    for (size_t v = 0; v < sizeof views / sizeof *views && code == DONE; v++) {
        size_t n;
        profile_part *part = profile_groups(&n, p, views[v].by);
        if (!part)
            return fail(RUN_TIME, "no memory");
        if (!p->s->json)
            views[v].show(p, part, n);
        for (size_t i = 0; i < n && p->s->json && code == DONE; i++)
            code = json_part(p, views[v].what, &part[i], views[v].by);
        free(part);
    }
    if (code == DONE && p->s->json) {
        const profile_part update = profile_update(p);
        code = json_part(p, "update", &update, 0);
    }
    return code == DONE && p->s->json ? json_total(p) : code;
}
