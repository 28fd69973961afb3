/* cli/eval_course.c -- `retrograd eval` of labels, tags, sequences and series. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"
#include "cli/course.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AUTO, ALL_ROWS };

/* What the model reads and says, as settings of training. */
static void take_model(settings *t, const net *n)
{
    enum { CHAR, WORD, BYTE, NUMBER };
    t->task = n->task;
    t->units = n->unit == RG_UNIT_WORD ? WORD : n->unit == RG_UNIT_BYTE ? BYTE
             : n->unit == RG_UNIT_NUMBER ? NUMBER : CHAR;
    t->label_units = n->label_unit == RG_UNIT_CHAR ? 1 : n->label_unit == RG_UNIT_WORD ? 2 : 0;
    t->horizon = n->horizon;
    t->seq_len = n->window;
    t->width = n->width;
    t->input_column = n->name[0];
    t->label_column = n->name[1];
}

/* The settings that the run was trained with; without a run, or of other data, the model's. */
static int take_run(settings *t, char sha256[65], const settings *s, const model *m)
{
    char path[PATH_BYTES];
    const char *sha = NULL;
    int code = options_parse(t, &commands[command_index("train")], 0, NULL);
    json_t *config = code ? NULL : config_of_run(path, s->operand[0], &code);
    if (code == DONE && !config && !s->data)
        code = fail(USAGE, "--data is missing: %s is no run folder that knows its data",
                    s->operand[0]);
    if (code == DONE && config && !s->data) {
        code = config_apply(t, config, path, false);
        (void)json_unpack(config, "{s:{s:s}}", "data", "sha256", &sha);
        (void)snprintf(sha256, 65, "%s", sha ? sha : "");
    }
    json_decref(config);
    take_model(t, m->net);
    if (s->data) {
        t->data = s->data;
        t->labels = s->labels;
    }
    return code;
}

static int report(const settings *s, const model *m, const lesson *l, int part)
{
    const rg_rows *rows = &l->part[part];
    const bool own = !s->data;
    baseline base[BASELINES];
    double measure[MEASURES];
    rg_predictor *p;
    grade g;
    rg_status st = RG_OK;
    if (rows->n == 0)
        return fail(BAD_DATA, "part %s has no rows", part_names[part]);
    const int n_base = grade_baselines(base, m->net, own ? &l->part[RG_PART_TRAIN] : rows, rows);
    int code = n_base < 0 ? RUN_TIME : course_predictor(&p, m, s, s->batch > 1 ? s->batch : 32);
    if (code)
        return code;
    code = course_grade(&g, p, m->net, rows, &st);
    if (code == DONE) {
        grade_measure(measure, &g);
        const outcome r = { part_names[part], rows->n, g.loss / (double)g.count, measure, base,
                            n_base };
        if (s->json)
            code = put_json(course_object(m, &r), 17);
        else
            course_table(m, &r);
    }
    grade_close(&g);
    rg_predictor_destroy(&p);
    return code;
}

int eval_course(settings *s, model *m)
{
    settings t = { .argc = 0 };
    lesson l = { .sha256 = "" };
    char sha256[65] = "";
    const bool own = !s->data;
    int code = take_run(&t, sha256, s, m);
    if (code == DONE)
        code = lesson_load(&l, &t, own ? NULL : m->net, own && t.vocab ? &m->net->in : NULL);
    if (code == DONE && own && strcmp(sha256, l.sha256) != 0)
        code = fail(BAD_DATA, "%s: changed since the run (give --data to score it anyway)", t.data);
    if (code == DONE && !own && s->part > ALL_ROWS)
        code = fail(USAGE, "--part: other data has no parts");
    if (code == DONE)
        code = report(s, m, &l, s->part == AUTO ? own ? RG_PART_TEST : RG_PART_ALL
                                                : s->part - ALL_ROWS);
    lesson_close(&l);
    settings_free(&t);
    return code;
}
