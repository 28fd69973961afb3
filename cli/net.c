/* cli/net.c -- models of labels, tags, series and sequences: made for data, described, in words. */
#define _POSIX_C_SOURCE 200809L
#include "cli/net.h"
#include "cli/regular.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const net_tasks[] = { "lm", "classify", "tag", "seq2seq", "forecast", NULL };

rg_task_kind net_kind(int task)
{
    return task == TAG ? RG_TAG : task == SEQ2SEQ ? RG_SEQ2SEQ : task == FORECAST ? RG_FORECAST
                                                                                 : RG_CLASSIFY;
}

rg_unit net_unit(const settings *s)
{
    static const rg_unit unit[] = { RG_UNIT_CHAR, RG_UNIT_WORD, RG_UNIT_BYTE, RG_UNIT_NUMBER };
    return s->task == FORECAST ? RG_UNIT_NUMBER : unit[s->units];
}

rg_unit net_label_unit(const settings *s)
{
    enum { AUTO, CHAR, WORD };
    const bool chars = s->label_units == CHAR ||
                       (s->label_units == AUTO && s->task == TAG && net_unit(s) != RG_UNIT_WORD);
    return s->task == CLASSIFY ? RG_UNIT_WHOLE : s->task == FORECAST ? RG_UNIT_NUMBER
         : chars ? RG_UNIT_CHAR : RG_UNIT_WORD;
}

void net_close(net *n)
{
    if (!n)
        return;
    rg_vocab_destroy(&n->in);
    rg_vocab_destroy(&n->out);
    for (int side = 0; side < 2; side++) {
        free(n->shift[side]);
        free(n->scale[side]);
        free(n->name[side]);
    }
    free(n);
}

/* ---- Made for data -------------------------------------------------------------------------- */

static int copy_vocab(rg_vocab *to, const rg_vocab *from)
{
    if (!from->word) {
        to->n = from->n; /* bytes, classes of arrays: ids without words */
        return DONE;
    }
    rg_status st = rg_vocab_create(to, from->word, from->n);
    return st ? fail(exit_code(st), "%s", to->message) : DONE;
}

static double *copy_numbers(const double *from, size_t n)
{
    double *to = malloc((n ? n : 1) * sizeof *to);
    if (to && from)
        memcpy(to, from, n * sizeof *to);
    for (size_t i = 0; to && !from && i < n; i++)
        to[i] = 0;
    return to;
}

/* One side of the data: its scaling, and the column that it comes from. */
static int copy_side(net *n, int side, const rg_ragged *r, const char *name)
{
    n->columns[side] = (size_t)r->width;
    n->shift[side] = copy_numbers(r->shift, r->shift ? n->columns[side] : 0);
    n->scale[side] = copy_numbers(r->scale, r->scale ? n->columns[side] : 0);
    n->name[side] = name ? strdup(name) : NULL;
    if (!n->shift[side] || !n->scale[side] || (name && !n->name[side]))
        return fail(RUN_TIME, "no memory");
    return DONE;
}

static rg_task_opts opts_of(const settings *s, const rg_dataset *d, const rg_cell_opts *cell)
{
    const bool forecast = s->task == FORECAST;
    return (rg_task_opts){
        .task = net_kind(s->task), .cell = cells[s->cell].make, .cell_opts = cell,
        .symbols = d->in.id ? (int64_t)d->in_vocab.n : 0, .features = d->in.width,
        .embed = d->in.id ? s->embed : 0,
        .outputs = forecast ? d->out.width * s->horizon : (int64_t)d->out_vocab.n,
        .hidden = s->hidden, .layers = s->layers, .bidirectional = s->bidirectional,
        .readout = s->task == CLASSIFY || forecast ? (rg_readout)s->readout : RG_READ_LAST,
        .back = s->tbptt, .attention = (rg_attending)s->attention, .decoder = s->decoder,
        .no_bridge = s->no_bridge, .scheduled = s->scheduled, .begin = d->begin < 0 ? 0 : d->begin,
        .end = d->end < 0 ? 0 : d->end,
    };
}

int net_declare(const model *m)
{
    rg_task_model one;
    rg_status st = rg_task_create(&one, m->params, &m->net->opts, 1, 1);
    if (st)
        fail(exit_code(st), "%s", one.graph ? rg_graph_message(one.graph)
                                            : rg_params_message(m->params));
    rg_task_destroy(&one);
    return exit_code(st);
}

int64_t net_grain(const net *n)
{
    return n->task == FORECAST;
}

/* Would training it fit this machine? Gates are four at most; what a step of a row keeps is some
 * twenty numbers a unit. */
static int fits(const net *n, const settings *s, int32_t longest, rg_dtype real)
{
    const rg_task_opts *o = &n->opts;
    const double H = (double)o->hidden;
    const double I = (double)(o->embed ? o->embed : o->symbols + o->features);
    const double both = o->bidirectional ? 2 : 1, layers = (double)o->layers;
    const double weights = both * (4 * H * (I + H) + (layers - 1) * 4 * H * (both * H + H))
                         + (double)(o->symbols * o->embed) + (double)o->outputs * both * H;
    const double steps = (double)s->batch * (double)(longest + 1);
    return model_fits((real == RG_F64 ? 8 : 4) *
                      (4 * weights + steps * (20 * H * both * layers + 3 * (double)o->outputs)));
}

int net_new(model *m, const settings *s, const rg_dataset *d, const char *const name[2])
{
    if (cell_settings_ok(s))
        return USAGE;
    if (s->no_bridge && (s->bidirectional || (s->decoder && s->decoder != s->hidden)))
        return fail(USAGE, "--no-bridge: an encoder of %lld units%s cannot hand its states to a "
                    "decoder of %lld; leave it out", (long long)s->hidden,
                    s->bidirectional ? " in both directions" : "",
                    (long long)(s->decoder ? s->decoder : s->hidden));
    net *n = calloc(1, sizeof *n);
    *m = (model){ .cell = s->cell, .real = (rg_dtype)s->dtype, .net = n };
    if (!n)
        return fail(RUN_TIME, "no memory");
    n->task = s->task;
    m->opts = cell_trained(s);
    n->opts = opts_of(s, d, &m->opts);
    n->unit = d->in.id ? net_unit(s) : RG_UNIT_NUMBER;
    n->label_unit = net_label_unit(s);
    n->horizon = s->horizon;
    n->window = s->seq_len;
    n->width = s->width;
    int code = regular_read(regular_task(&n->opts), s, cell_states(s->cell), !d->in.id);
    if (code == DONE)
        code = copy_vocab(&n->in, &d->in_vocab);
    if (code == DONE)
        code = copy_vocab(&n->out, &d->out_vocab);
    if (code == DONE)
        code = copy_side(n, 0, &d->in, name[0]);
    if (code == DONE)
        code = copy_side(n, 1, &d->out, name[1]);
    if (code == DONE)
        code = fits(n, s, d->in.longest, m->real);
    if (code == DONE && rg_params_create(&m->params, (uint64_t)s->seed,
                                         &(rg_params_opts){ .real = m->real }))
        code = fail(RUN_TIME, "no memory");
    if (code == DONE)
        code = net_declare(m);
    return code ? code : model_embed(m, s->resume ? NULL : s->embedding, s->freeze);
}

/* ---- In words -------------------------------------------------------------------------------- */

const char *net_title(char *out, size_t size, const model *m)
{
    const net *n = m->net;
    FILE *f = fmemopen(out, size, "w");
    out[0] = '\0';
    if (!f)
        return out;
    (void)fprintf(f, "%s: %s %lldx%lld%s", net_tasks[n->task], cells[m->cell].name,
                  (long long)(n->opts.layers ? n->opts.layers : 1), (long long)n->opts.hidden,
                  n->opts.bidirectional ? " both ways" : "");
    if (n->opts.embed)
        (void)fprintf(f, ", embedding %lld", (long long)n->opts.embed);
    (void)fprintf(f, ", %lld %s to %lld %s",
                  (long long)(n->opts.symbols ? n->opts.symbols : n->opts.features),
                  n->opts.symbols ? "symbols" : "numbers", (long long)n->opts.outputs,
                  n->task == CLASSIFY ? "classes" : n->task == TAG ? "tags"
                  : n->task == SEQ2SEQ ? "symbols" : "values");
    (void)fclose(f);
    out[size - 1] = '\0';
    return out;
}

void net_put_word(FILE *out, const rg_vocab *v, int32_t id)
{
    if (v->word && id >= 0 && (size_t)id < v->n)
        (void)fputs(v->word[id], out);
    else
        (void)fprintf(out, "%d", (int)id);
}

void net_put_ids(FILE *out, const rg_vocab *v, rg_unit unit, const int32_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i && (unit == RG_UNIT_WORD || !v->word))
            (void)fputc(' ', out);
        net_put_word(out, v, id[i]);
    }
}

int32_t net_best(double *p, const double *z, size_t K)
{
    size_t best = 0;
    double sum = 0;
    for (size_t k = 1; k < K; k++)
        best = z[k] > z[best] ? k : best;
    for (size_t k = 0; p && k < K; k++)
        sum += exp(z[k] - z[best]);
    if (p)
        *p = 1 / sum;
    return (int32_t)best;
}

double net_own(const net *n, int side, size_t column, double x)
{
    const double scale = n->scale[side][column];
    return (scale != 0 ? x / scale : 0) + n->shift[side][column];
}

double net_value(const net *n, const double *z, size_t k)
{
    return net_own(n, 1, k % n->columns[1], z[k]);
}
