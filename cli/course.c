/* cli/course.c -- the tasks classify, tag, seq2seq and forecast: data, model, evaluations. */
#define _POSIX_C_SOURCE 200809L
#include "cli/course.h"
#include "cli/signals.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALIDATED = 4096 }; /* rows of the validation part, so that it costs seconds */

/* ---- Data ----------------------------------------------------------------------------------- */

/* Is there a value in this part to be said? */
static bool any_value(const lesson *l, int part, int64_t horizon)
{
    const rg_rows *rows = &l->part[part];
    for (size_t i = 0; i < rows->n; i++)
        for (int64_t k = 0; k < horizon * l->set.out.width; k++)
            if (!isnan(((const float *)rows->y[i])[k]))
                return true;
    return false;
}

static int check_parts(const session *x, const lesson *l)
{
    static const char *const name[] = { "", "training", "validation", "test" };
    static const char *const option[] = { "", "", " (--valid takes a file, --split order shares)",
                                          " (--test takes a file, --split order shares)" };
    for (int part = RG_PART_TRAIN; part <= RG_PART_TEST; part++)
        if (l->part[part].n == 0)
            return fail(BAD_DATA, "%s: none of the %zu rows is in the %s part%s", x->s->data,
                        l->set.n, name[part], option[part]);
        else if (x->s->task == FORECAST && !any_value(l, part, x->s->horizon))
            return fail(BAD_DATA, "%s: column '%s': every value of the %s part is missing",
                        x->s->data, l->name[1], name[part]);
    if ((x->s->task == CLASSIFY || x->s->task == TAG) && l->set.out_vocab.n < 2)
        return fail(BAD_DATA, "%s: there is one class only, so there is nothing to tell apart",
                    x->s->data);
    return DONE;
}

static void say_data(const session *x, const lesson *l)
{
    const rg_dataset *d = &l->set;
    char in[64] = "", out[64] = "";
    if (d->in.id)
        (void)snprintf(in, sizeof in, ", %zu symbols", d->in_vocab.n);
    else
        (void)snprintf(in, sizeof in, ", %lld numbers a step", (long long)d->in.width);
    if (x->s->task == FORECAST)
        (void)snprintf(out, sizeof out, ", %lld to come", (long long)x->s->horizon);
    else
        (void)snprintf(out, sizeof out, ", %zu %s", d->out_vocab.n, x->s->task == CLASSIFY
                       ? "classes" : x->s->task == TAG ? "tags" : "target symbols");
    note("data   %zu rows of at most %d steps%s%s; %zu train, %zu validate, %zu test", d->n,
         (int)d->in.longest, in, out, l->part[RG_PART_TRAIN].n, l->part[RG_PART_VALID].n,
         l->part[RG_PART_TEST].n);
}

static void measure_data(session *x, const lesson *l)
{
    const rg_rows *train = &l->part[RG_PART_TRAIN];
    const size_t B = (size_t)x->s->batch, item = l->set.in.id ? 4 : 4 * (size_t)l->set.in.width;
    double steps = 0;
    for (size_t i = 0; i < train->n; i++)
        steps += train->length[i];
    x->windows = (train->n + B - 1) / B;
    x->per_step = steps / (double)x->windows;
    x->data_bytes = (double)(l->set.in.steps * item);
    (void)snprintf(x->sha256, sizeof x->sha256, "%s", l->sha256);
}

static int load(session *x)
{
    course *c = x->course = calloc(1, sizeof *c);
    if (!c)
        return fail(RUN_TIME, "no memory");
    int code = lesson_load(&c->data, x->s, NULL, NULL);
    if (code == DONE)
        code = check_parts(x, &c->data);
    if (code)
        return code;
    c->valid = c->data.part[RG_PART_VALID];
    c->valid.n = c->valid.n < VALIDATED ? c->valid.n : VALIDATED;
    measure_data(x, &c->data);
    session_banner(x);
    say_data(x, &c->data);
    return DONE;
}

static json_t *data(const session *x)
{
    const rg_dataset *d = &x->course->data.set;
    return json_pack("{s:s, s:I, s:I, s:I}", "sha256", x->sha256, "rows", (json_int_t)d->n,
                     "symbols", (json_int_t)d->in_vocab.n, "outputs", (json_int_t)d->out_vocab.n);
}

/* ---- Model ---------------------------------------------------------------------------------- */

static void say_baselines(const course *c, const net *n)
{
    const char *const *name = grade_measures(n->task);
    for (int k = 0; k < c->n_base; k++)
        if (name[1])
            note("base   %s: %s %.3f, %s %.3f (test)", c->base[k].name, name[0],
                 c->base[k].measure[0], name[1], c->base[k].measure[1]);
        else
            note("base   %s: %s %.4g (test)", c->base[k].name, name[0], c->base[k].measure[0]);
}

int course_predictor(rg_predictor **out, const model *m, const settings *s, int64_t rows)
{
    const rg_predictor_opts opts = { .B = rows, .grain = net_grain(m->net), .width = s->beam,
                                     .plan = { .real = m->real, .threads = (int)s->threads } };
    rg_status st = rg_predictor_create(out, m->params, &m->net->opts, &opts);
    return st ? fail(exit_code(st), "%s", rg_params_message(m->params)) : DONE;
}

static int build(session *x)
{
    course *c = x->course;
    const settings *s = x->s;
    int code = net_new(&x->m, s, &c->data.set, (const char *const *)c->data.name);
    if (code)
        return code;
    const rg_task_trainer_opts opts = {
        .model = x->m.net->opts, .optim = session_optim(x), .B = s->batch,
        .grain = net_grain(x->m.net),
        .plan = session_train_plan(x),
        .gradflow_every = (uint64_t)s->gradflow_every,
    };
    c->n_base = grade_baselines(c->base, x->m.net, &c->data.part[RG_PART_TRAIN],
                                &c->data.part[RG_PART_TEST]);
    if (c->n_base < 0)
        return RUN_TIME;
    c->prior = grade_prior(x->m.net, &c->data.part[RG_PART_TRAIN], &c->valid);
    say_baselines(c, x->m.net);
    rg_status st = rg_task_trainer_create(&x->trainer, x->m.params, &c->data.part[RG_PART_TRAIN],
                                          &opts);
    if (st)
        return fail(exit_code(st), "%s", rg_params_message(x->m.params));
    return course_predictor(&c->predictor, &x->m, s, s->batch);
}

/* ---- Evaluations ---------------------------------------------------------------------------- */

static bool take(void *user, const rg_prediction *said)
{
    return !signals_stop() && grade_add(user, said);
}

int course_grade(grade *g, rg_predictor *p, const net *n, const rg_rows *rows, rg_status *st)
{
    int code = grade_open(g, n, rows);
    if (code)
        return code;
    *st = rg_predictor_run(p, rows, take, g);
    if (*st == RG_EUSER && signals_stop())
        return DONE;
    return *st ? fail(exit_code(*st), "%s", rg_predictor_message(p)) : DONE;
}

static void take_measures(metrics_row *row, const grade *g)
{
    row->loss = g->loss / (double)g->count;
    grade_measure(row->measure, g);
}

static int score(session *x, metrics_row *row, char text[200], rg_status *st)
{
    grade g;
    const char *const *name = grade_measures(x->m.net->task);
    int code = course_grade(&g, x->course->predictor, x->m.net, &x->course->valid, st);
    if (code == DONE && *st == RG_OK) {
        take_measures(row, &g);
        int n = snprintf(text, 200, "loss %.4f", row->loss);
        for (int i = 0; name[i]; i++)
            n += snprintf(text + n, 200 - (size_t)n, ", %s %.4g", name[i], row->measure[i]);
        (void)snprintf(text + n, 200 - (size_t)n, " on %zu rows", x->course->valid.n);
    }
    grade_close(&g);
    return code;
}

static void show(session *x)
{
    course_show(x->course, &x->m);
    explain_flow(x);
}

static double picture_line(const session *x, char label[64])
{
    (void)snprintf(label, 64, "frequencies of the classes");
    return x->course->prior;
}

/* ---- The end -------------------------------------------------------------------------------- */

static int score_test(session *x, model *best, metrics_row *row, rg_status *st)
{
    rg_predictor *p;
    grade g;
    int code = course_predictor(&p, best, x->s, x->s->batch);
    if (code)
        return code;
    code = course_grade(&g, p, best->net, &x->course->data.part[RG_PART_TEST], st);
    if (code == DONE && *st == RG_OK)
        take_measures(row, &g);
    x->course->test_rows = g.rows->n;
    grade_close(&g);
    rg_predictor_destroy(&p);
    return code;
}

static int print(session *x, model *best, const metrics_row *row)
{
    const course *c = x->course;
    const outcome r = { "test", c->test_rows, row->loss, row->measure, c->base, c->n_base };
    if (!x->s->json) {
        course_table(best, &r);
        return DONE;
    }
    json_t *o = course_object(best, &r);
    json_object_set_new(o, "run", json_string(x->f.path));
    return put_json(o, 17);
}

static void close_course(session *x)
{
    course *c = x->course;
    if (!c)
        return;
    rg_predictor_destroy(&c->predictor);
    lesson_close(&c->data);
    free(c);
    x->course = NULL;
}

#define COURSE(measures, axis)                                                              \
    { "steps", measures, NULL, axis, false, load, build, data, score, show, picture_line,   \
      score_test, print, close_course }
const task class_task = COURSE(class_measures, "loss, nats");
const task sequence_task = COURSE(sequence_measures, "loss, nats");
const task value_task = COURSE(value_measures, "loss, scaled");
