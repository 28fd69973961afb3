/* cli/net_file.c -- models of tasks to and from the metadata of checkpoints. */
#define _POSIX_C_SOURCE 200809L
#include "cli/net.h"
#include "cli/regular.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const units[] = { "char", "word", "byte", "whole", "number", NULL };
static const char *const readouts[] = { "last", "mean", "max", "attention", NULL };
static const char *const attentions[] = { "additive", "dot", "general", "concat", "none", NULL };

static int find(const char *const *list, const json_t *o, const char *key)
{
    const char *word = json_string_value(json_object_get(o, key));
    for (int i = 0; word && list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

/* ---- Writing -------------------------------------------------------------------------------- */

char *net_description(const model *m)
{
    const net *n = m->net;
    rg_task_opts regulated = n->opts;
    const rg_task_opts *o = &n->opts;
    json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:b, s:I, s:I, s:s}",
                          "task", net_tasks[n->task], "cell", cells[m->cell].name,
                          "dtype", m->real == RG_F64 ? "f64" : "f32",
                          "hidden", (json_int_t)o->hidden, "layers", (json_int_t)o->layers,
                          "embed", (json_int_t)o->embed, "dropout", o->dropout,
                          "bidirectional", o->bidirectional, "features", (json_int_t)o->features,
                          "outputs", (json_int_t)o->outputs, "readout", readouts[o->readout]);
    json_t *more = json_pack("{s:I, s:s, s:s, s:I, s:I, s:I}", "proj",
                             (json_int_t)m->opts.proj, "units", units[n->unit],
                             "label_units", units[n->label_unit], "horizon",
                             (json_int_t)n->horizon, "window", (json_int_t)n->window,
                             "width", (json_int_t)n->width);
    json_t *decoder = n->task != SEQ2SEQ ? NULL
        : json_pack("{s:s, s:I, s:b, s:i, s:i}", "attention", attentions[o->attention],
                    "decoder", (json_int_t)o->decoder, "bridge", !o->no_bridge,
                    "begin", (int)o->begin, "end", (int)o->end);
    if (more)
        json_object_update(j, more);
    (void)regular_describe(j, regular_task(&regulated));
    if (decoder)
        json_object_update(j, decoder);
    for (int side = 0; side < 2; side++)
        if (n->name[side])
            json_object_set_new(j, side ? "label_column" : "input_column",
                                json_string(n->name[side]));
    char *text = json_dumps(j, JSON_REAL_PRECISION(17));
    json_decref(decoder);
    json_decref(more);
    json_decref(j);
    return text;
}

json_t *net_words(const rg_vocab *v)
{
    if (!v->word)
        return json_integer((json_int_t)v->n);
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(list, json_string(v->word[i]));
    return list;
}

static json_t *numbers_of(const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_real(x[i]));
    return list;
}

char *net_vocabulary(const model *m)
{
    const net *n = m->net;
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "inputs", net_words(&n->in),
                          "outputs", net_words(&n->out),
                          "shift", numbers_of(n->shift[0], n->columns[0]),
                          "scale", numbers_of(n->scale[0], n->columns[0]),
                          "output_shift", numbers_of(n->shift[1], n->columns[1]),
                          "output_scale", numbers_of(n->scale[1], n->columns[1]));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(o);
    return text;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static int damaged(const model *m, const char *what)
{
    return fail(BAD_DATA, "%s: %s: no checkpoint of `retrograd train`", m->path, what);
}

bool net_read_words(rg_vocab *v, const json_t *list)
{
    const size_t n = json_array_size(list);
    if (json_is_integer(list)) {
        v->n = (size_t)json_integer_value(list);
        return json_integer_value(list) >= 0;
    }
    const char **word = json_is_array(list) ? malloc((n + 1) * sizeof *word) : NULL;
    bool good = word != NULL;
    for (size_t i = 0; good && i < n; i++)
        good = (word[i] = json_string_value(json_array_get(list, i))) != NULL;
    good = good && rg_vocab_create(v, word, n) == RG_OK;
    free(word);
    return good;
}

static bool read_numbers(double **out, size_t n, const json_t *list)
{
    bool good = json_array_size(list) == n && (*out = malloc((n + 1) * sizeof **out)) != NULL;
    for (size_t i = 0; good && i < n; i++) {
        (*out)[i] = json_number_value(json_array_get(list, i));
        good = isfinite((*out)[i]);
    }
    return good;
}

static int read_vocabulary(model *m, const char *text)
{
    net *n = m->net;
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *out = json_object_get(o, "output_scale");
    n->columns[0] = (size_t)n->opts.features;
    n->columns[1] = json_array_size(out);
    bool good = o && net_read_words(&n->in, json_object_get(o, "inputs")) &&
                net_read_words(&n->out, json_object_get(o, "outputs")) &&
                read_numbers(&n->shift[0], n->columns[0], json_object_get(o, "shift")) &&
                read_numbers(&n->scale[0], n->columns[0], json_object_get(o, "scale")) &&
                read_numbers(&n->shift[1], n->columns[1], json_object_get(o, "output_shift")) &&
                read_numbers(&n->scale[1], n->columns[1], out);
    n->opts.symbols = n->opts.features ? 0 : (int64_t)n->in.n;
    good = good && (n->task == FORECAST
        ? n->columns[1] > 0 && n->opts.outputs % (int64_t)n->columns[1] == 0
        : n->opts.outputs == (int64_t)n->out.n);
    json_decref(o);
    return good ? DONE : damaged(m, "vocabulary");
}

static bool read_decoder(net *n, json_t *o)
{
    rg_task_opts *t = &n->opts;
    json_int_t decoder = 0;
    int bridge = 1, begin = 0, end = 0, attention = find(attentions, o, "attention");
    if (n->task != SEQ2SEQ)
        return true;
    if (json_unpack(o, "{s:I, s:b, s:i, s:i}", "decoder", &decoder, "bridge", &bridge, "begin",
                    &begin, "end", &end) || attention < 0 || decoder > 65536)
        return false;
    t->attention = (rg_attending)attention;
    t->decoder = decoder;
    t->no_bridge = !bridge;
    t->begin = begin;
    t->end = end;
    return true;
}

static bool read_sizes(model *m, json_t *o)
{
    rg_task_opts *t = &m->net->opts;
    json_int_t hidden, layers, embed, features, outputs, horizon, window, width;
    int both;
    if (json_unpack(o, "{s:I, s:I, s:I, s:F, s:b, s:I, s:I, s:I, s:I, s:I}", "hidden", &hidden,
                    "layers", &layers, "embed", &embed, "dropout", &t->dropout, "bidirectional",
                    &both, "features", &features, "outputs", &outputs, "horizon", &horizon,
                    "window", &window, "width", &width))
        return false;
    t->hidden = hidden;
    t->layers = layers;
    t->embed = embed;
    t->bidirectional = both;
    t->features = features;
    t->outputs = outputs;
    m->net->horizon = horizon;
    m->net->window = window;
    m->net->width = width;
    return hidden > 0 && hidden <= 65536 && layers > 0 && layers <= 64 && embed >= 0 &&
           embed <= 65536 && features >= 0 && outputs > 0 && horizon > 0;
}

static bool read_names(net *n, const json_t *o)
{
    for (int side = 0; side < 2; side++) {
        const char *name = json_string_value(json_object_get(o, side ? "label_column"
                                                                     : "input_column"));
        if (name && !(n->name[side] = strdup(name)))
            return false;
    }
    return true;
}

int net_read(model *m, const char *description, const char *vocabulary)
{
    json_t *o = description ? json_loads(description, 0, NULL) : NULL;
    const char *dtype = json_string_value(json_object_get(o, "dtype"));
    const char *cell = json_string_value(json_object_get(o, "cell"));
    const int task = find(net_tasks, o, "task"), unit = find(units, o, "units"),
              label = find(units, o, "label_units"), readout = find(readouts, o, "readout");
    net *n = m->net = calloc(1, sizeof *n);
    bool good = n && task > LM && unit >= 0 && label >= 0 && readout >= 0 && dtype && cell &&
                cell_index(cell) >= 0;
    if (good) {
        n->task = task;
        n->opts.task = net_kind(task);
        n->opts.readout = (rg_readout)readout;
        n->unit = (rg_unit)unit;
        n->label_unit = (rg_unit)label;
        m->cell = cell_index(cell);
        m->real = strcmp(dtype, "f64") == 0 ? RG_F64 : RG_F32;
        n->opts.cell = cells[m->cell].make;
        n->opts.cell_opts = &m->opts;
        good = read_sizes(m, o) && read_decoder(n, o) && read_names(n, o) &&
               regular_recall(regular_task(&n->opts), o);
        m->opts = cell_opts(m->cell, json_integer_value(json_object_get(o, "proj")),
                            n->opts.hidden);
    }
    json_decref(o);
    return good ? read_vocabulary(m, vocabulary) : damaged(m, "model");
}
