/* cli/compare_plots.c -- the curves of a study as SVG, means over seeds in bands of 95 %. */
#include "cli/compare_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One value of an outcome at a place of its curve; NaN beyond its end. */
typedef double place_fn(const outcome *o, size_t i);

static double test_at(const outcome *o, size_t i)
{
    return i < o->n_points ? o->test[i] : NAN;
}

static double before_at(const outcome *o, size_t i)
{
    return i < o->n_lags[0] ? exp(o->flow[0][i]) : NAN;
}

static double after_at(const outcome *o, size_t i)
{
    return i < o->n_lags[1] ? exp(o->flow[1][i]) : NAN;
}

static double length_at(const outcome *o, size_t i)
{
    return o->by_length[i];
}

typedef struct lines {
    rg_curve curve[MAX_CONTESTANTS + 1];
    double   blind[2], ends[2];
    double   x[MAX_CONTESTANTS][MAX_LAGS], y[MAX_CONTESTANTS][MAX_LAGS];
    double   low[MAX_CONTESTANTS][MAX_LAGS], high[MAX_CONTESTANTS][MAX_LAGS];
} lines;

/* Mean and interval of place i over seeds; on a log axis of the logarithms. */
static void point(lines *l, const study *st, size_t who, size_t i, place_fn *value, bool log_y)
{
    double v[MAX_SEEDS];
    int n = 0;
    for (int k = 0; k < st->seeds; k++) {
        const outcome *o = outcome_at(st, who, k);
        const double y = o->done ? value(o, i) : NAN;
        if (isfinite(y) && (!log_y || y > 0))
            v[n++] = log_y ? log(y) : y;
    }
    const spread s = spread_list(v, n);
    const double half = isnan(s.half) ? 0 : s.half;
    l->y[who][i] = log_y ? exp(s.mean) : s.mean;
    l->low[who][i] = log_y ? exp(s.mean - half) : s.mean - half;
    l->high[who][i] = log_y ? exp(s.mean + half) : s.mean + half;
}

/* A level line: what the best guess without input gets. */
static void guessing(lines *l, const study *st)
{
    const rg_curve *c = &l->curve[0];
    if (c->n == 0)
        return;
    l->blind[0] = l->blind[1] = st->blind;
    l->ends[0] = c->x[0];
    l->ends[1] = c->x[c->n - 1];
    l->curve[st->n] = (rg_curve){ .label = "guessing", .x = l->ends, .y = l->blind, .n = 2 };
}

static void draw(FILE *out, const study *st, size_t n, place_fn *value, const double *x,
                 const rg_svg_opts *opts)
{
    lines *l = calloc(1, sizeof *l);
    if (!l)
        return;
    for (size_t who = 0; who < st->n; who++) {
        const outcome *o = outcome_at(st, who, 0);
        if (value == before_at && !*st->who[who].cell)
            continue; /* a cell that is there already, to be trained in another way */
        for (size_t i = 0; i < n; i++) {
            l->x[who][i] = x ? x[i] : value == test_at ? o->at[i] : (double)i;
            point(l, st, who, i, value, opts->log_y);
        }
        l->curve[who] = (rg_curve){ .label = st->who[who].label, .x = l->x[who], .y = l->y[who],
                                    .n = value == test_at ? o->n_points : n };
        if (st->seeds > 2) { /* two seeds' intervals would hide everything */
            l->curve[who].low = l->low[who];
            l->curve[who].high = l->high[who];
        }
    }
    if (value == test_at || value == length_at)
        guessing(l, st);
    (void)rg_svg_curves(l->curve, st->n + (l->curve[st->n].n > 0), opts, rg_to_file, out);
    free(l);
}

void plot_learning(FILE *out, const study *st)
{
    char title[96];
    const bool bits = st->row->measure == BITS;
    (void)snprintf(title, sizeof title, "%s: %s on %s rows", st->row->title,
                   measure_name(st->row->measure), bits ? "training" : "test");
    draw(out, st, MAX_POINTS, test_at, NULL,
         &(rg_svg_opts){ .title = title, .x_label = "updates",
                         .y_label = measure_name(st->row->measure) });
}

void plot_flow(FILE *out, const study *st, bool after)
{
    char title[96];
    (void)snprintf(title, sizeof title, "%s: gradient against lag, %s training", st->row->title,
                   after ? "after" : "before");
    draw(out, st, outcome_at(st, 0, 0)->n_lags[after], after ? after_at : before_at, NULL,
         &(rg_svg_opts){ .title = title, .x_label = "lag (steps back from the last)",
                         .y_label = "norm of the gradient", .log_y = true });
}

void plot_lengths(FILE *out, const study *st)
{
    double x[MAX_LENGTHS];
    for (size_t i = 0; i < MAX_LENGTHS; i++)
        x[i] = (double)lengths[i];
    draw(out, st, MAX_LENGTHS, length_at, x,
         &(rg_svg_opts){ .title = "Adding: trained at T = 100, tested at other lengths",
                         .x_label = "T", .y_label = "RMSE" });
}

void plot_order(FILE *out, const comparison *c)
{
    const study *order[MAX_STUDIES];
    size_t n = 0;
    for (size_t k = 0; k < c->n; k++)
        if (c->study[k].row->kind == ORDER)
            order[n++] = &c->study[k];
    lines *l = n > 1 ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return;
    for (size_t who = 0; who < order[0]->n; who++) {
        for (size_t i = 0; i < n; i++) {
            const spread s = spread_of(order[i], who, outcome_value);
            l->x[who][i] = (double)order[i]->row->T;
            l->y[who][i] = s.mean;
        }
        l->curve[who] = (rg_curve){ .label = order[0]->who[who].label, .x = l->x[who],
                                    .y = l->y[who], .n = n };
    }
    fputs("<figure>", out);
    (void)rg_svg_curves(l->curve, order[0]->n,
                        &(rg_svg_opts){ .title = "Temporal order: errors over length",
                                        .x_label = "L", .y_label = "share of errors" },
                        rg_to_file, out);
    fputs("</figure>\n", out);
    free(l);
}
