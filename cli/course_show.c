/* cli/course_show.c -- predictions with their truth, series as blocks, tables of results. */
#define _POSIX_C_SOURCE 200809L
#include "cli/course.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5, CHARACTERS = 48, BLOCKS = 60 };

/* Rows that are shown, and the line of each. */
typedef struct panel {
    const net     *n;
    const rg_rows *rows;
    rg_unit        unit;
    char          *line[BLOCKS];
    double         said[BLOCKS];  /* forecast: the first value */
} panel;

/* A text cut to so many characters. */
static void cut(char *text)
{
    size_t n = 0;
    for (char *c = text; *c; c++) {
        n += ((unsigned char)*c & 0xc0) != 0x80;
        if (n > CHARACTERS) {
            (void)memcpy(c, "..", 3 < strlen(c) + 1 ? 3 : strlen(c) + 1);
            return;
        }
    }
}

static void put_cut(FILE *out, const rg_vocab *v, rg_unit unit, const int32_t *id, size_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (!f)
        return;
    net_put_ids(f, v, unit, id, n);
    if (fclose(f) == 0) {
        cut(text);
        (void)fputs(text, out);
    }
    free(text);
}

static void put_input(FILE *out, const panel *p, size_t row)
{
    if (p->n->opts.symbols)
        put_cut(out, &p->n->in, p->n->unit, p->rows->x[row], (size_t)p->rows->length[row]);
    else
        (void)fprintf(out, "row %zu", row);
}

/* "Novak -> Croatian (0.71)   truth Croatian" */
static void put_answer(FILE *out, const panel *p, const rg_prediction *said)
{
    const net *n = p->n;
    const size_t K = (size_t)said->outputs;
    const int32_t *y = p->rows->y[said->row];
    double prob;
    if (n->task == CLASSIFY) {
        net_put_word(out, &n->out, net_best(&prob, said->z, K));
        (void)fprintf(out, " (%.2f)   truth ", prob);
        net_put_word(out, &n->out, *y);
    } else if (n->task == SEQ2SEQ) {
        put_cut(out, &n->out, n->label_unit, said->best[0].id, said->best[0].n);
        (void)fputs("   truth ", out);
        put_cut(out, &n->out, n->label_unit, y, (size_t)p->rows->y_length[said->row] - 1);
    } else {
        int32_t *tag = malloc(((size_t)said->steps + 1) * sizeof *tag);
        for (int64_t t = 0; tag && t < said->steps; t++)
            tag[t] = net_best(NULL, said->z + (size_t)t * K, K);
        if (tag)
            put_cut(out, &n->out, n->label_unit, tag, (size_t)said->steps);
        (void)fputs("   truth ", out);
        put_cut(out, &n->out, n->label_unit, y, (size_t)said->steps);
        free(tag);
    }
}

static bool take(void *user, const rg_prediction *said)
{
    panel *p = user;
    size_t bytes;
    if (p->n->task == FORECAST) {
        p->said[said->row] = net_value(p->n, said->z, 0);
        return true;
    }
    FILE *out = open_memstream(&p->line[said->row], &bytes);
    if (!out)
        return false;
    put_input(out, p, said->row);
    (void)fputs(" -> ", out);
    put_answer(out, p, said);
    return fclose(out) == 0;
}

/* Values as blocks of eight heights between the least and the largest. */
static void put_blocks(const char *label, const double *value, size_t n, double low, double high)
{
    static const char *const block[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    char line[4 * BLOCKS + 1] = "";
    for (size_t i = 0; i < n; i++) {
        const double share = high > low ? (value[i] - low) / (high - low) : 0;
        const int k = isnan(value[i]) ? -1 : share < 0 ? 0 : share > 0.999 ? 7 : (int)(8 * share);
        strcat(line, k < 0 ? " " : block[k]);
    }
    note("%s  %s  %.4g .. %.4g", label, line, low, high);
}

static void show_series(const panel *p, size_t n)
{
    double truth[BLOCKS], low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double y = (double)((const float *)p->rows->y[i])[0];
        truth[i] = net_value(p->n, &y, 0);
        low = fmin(low, fmin(truth[i], p->said[i]));
        high = fmax(high, fmax(truth[i], p->said[i]));
    }
    put_blocks("truth ", truth, n, low, high);
    put_blocks("said  ", p->said, n, low, high);
}

void course_show(course *c, const model *m)
{
    const bool series = m->net->task == FORECAST;
    const size_t all = c->valid.n, most = series ? BLOCKS : SHOWN, n = all < most ? all : most;
    const void *x[BLOCKS], *y[BLOCKS];
    int32_t length[BLOCKS], y_length[BLOCKS];
    const rg_rows rows = { n, length, x, y, c->valid.y_length ? y_length : NULL };
    panel p = { .n = m->net, .rows = &rows };
    for (size_t i = 0; i < n; i++) {
        const size_t from = series ? i : i * all / n;
        x[i] = c->valid.x[from];
        y[i] = c->valid.y[from];
        length[i] = c->valid.length[from];
        y_length[i] = c->valid.y_length ? c->valid.y_length[from] : 0;
    }
    if (rg_predictor_run(c->predictor, &rows, take, &p) == RG_OK) {
        if (series)
            show_series(&p, n);
        for (size_t i = 0; !series && i < n; i++)
            note("said   %s", p.line[i] ? p.line[i] : "");
    }
    for (size_t i = 0; i < n; i++)
        free(p.line[i]);
}

/* ---- Results -------------------------------------------------------------------------------- */

/* How people call the measures. */
static const char *long_name(const char *measure)
{
    return strcmp(measure, "acc") == 0 ? "accuracy" : strcmp(measure, "f1") == 0 ? "macro-F1"
         : strcmp(measure, "per") == 0 ? "error rate" : "RMSE";
}

void course_table(const model *m, const outcome *r)
{
    const char *const *name = grade_measures(m->net->task);
    char title[128];
    const int length = (int)strlen(net_title(title, sizeof title, m));
    const int wide = length > 52 ? length : 52;
    printf("%zu rows, part %s\n  %-*s", r->rows, r->part, wide, "");
    for (int i = 0; name[i]; i++)
        printf(" %10s", long_name(name[i]));
    for (int k = 0; k < r->n_base; k++) {
        printf("\n  %-*s", wide, r->base[k].name);
        for (int i = 0; name[i]; i++)
            printf(" %10.4g", r->base[k].measure[i]);
    }
    printf("\n  %-*s", wide, title);
    for (int i = 0; name[i]; i++)
        printf(" %10.4g", r->measure[i]);
    printf("   (step %llu)\n", (unsigned long long)m->step);
}

static json_t *measures_object(const char *const *name, const double *measure)
{
    json_t *o = json_object();
    for (int i = 0; name[i]; i++)
        json_object_set_new(o, name[i], number_json(measure[i]));
    return o;
}

json_t *course_object(const model *m, const outcome *r)
{
    const char *const *name = grade_measures(m->net->task);
    json_t *base = json_array(), *measures = measures_object(name, r->measure);
    for (int k = 0; k < r->n_base; k++) {
        json_t *one = measures_object(name, r->base[k].measure);
        json_object_set_new(one, "name", json_string(r->base[k].name));
        json_array_append_new(base, one);
    }
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:o, s:o}", "v", 1, "checkpoint", m->path,
                          "part", r->part, "step", (json_int_t)m->step, "rows",
                          (json_int_t)r->rows, "loss", number_json(r->loss), "baselines", base);
    json_object_update(o, measures);
    json_decref(measures);
    return o;
}
