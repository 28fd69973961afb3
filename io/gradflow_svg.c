/* io/gradflow_svg.c -- reports of gradient flow as pictures: norms by lag, gates over time. */
#include "base/memory.h"
#include "io/svg.h"

#include <retrograd/gradflow.h>

#include <stdio.h>

enum { LABEL = 64, GATES = 64 /* pictures */ };

static bool reports_ok(const rg_gradflow_report *const *reports, size_t n, rg_write_fn *write)
{
    for (size_t i = 0; i < n; i++)
        if (!reports || !reports[i] || reports[i]->status)
            return false;
    return write && n >= 1 && n <= 4;
}

/* "before rnn.l0 h" */
static const char *label_of(char out[LABEL], const char *const *labels, size_t i, const char *name)
{
    const char *who = labels && labels[i] ? labels[i] : "";
    (void)snprintf(out, LABEL, "%.20s%s%.40s", who, *who ? " " : "", name);
    return out;
}

rg_status rg_gradflow_svg(const rg_gradflow_report *const *reports, const char *const *labels,
                          size_t n, const char *title, rg_write_fn *write, void *user)
{
    rg_curve curve[RG_SVG_CURVES];
    char label[RG_SVG_CURVES][LABEL];
    size_t k = 0, states = 0;
    if (!reports_ok(reports, n, write))
        return RG_EARG;
    for (size_t i = 0; i < n; i++)
        states += reports[i]->n_state;
    for (size_t i = 0; i < n; i++) { /* layers, where states would be too many */
        const bool all = states <= RG_SVG_CURVES;
        const size_t m = all ? reports[i]->n_state : reports[i]->n_layer;
        const rg_flow_state *s = all ? reports[i]->state : reports[i]->layer;
        for (size_t j = 0; j < m && k < RG_SVG_CURVES; j++, k++)
            curve[k] = (rg_curve){ .label = label_of(label[k], labels, i, s[j].name),
                                   .y = s[j].norm, .n = (size_t)s[j].lags };
    }
    const rg_svg_opts opts = { .title = title ? title : "gradient of the states against the lag",
                               .x_label = "lag: steps back from the last one",
                               .y_label = "norm of the gradient", .log_y = true };
    return rg_svg_curves(curve, k, &opts, write, user);
}

struct pictures {
    rg_heat map[GATES];
    char    label[GATES][LABEL];
};

/* As many as there are gates of all reports, and places. */
static size_t put_gates(struct pictures *p, const rg_gradflow_report *const *reports,
                        const char *const *labels, size_t n)
{
    size_t k = 0;
    for (size_t j = 0; j < reports[0]->n_gate && k + n <= GATES; j++)
        for (size_t i = 0; i < n; i++, k++) {
            const rg_flow_gate *g = j < reports[i]->n_gate ? &reports[i]->gate[j] : NULL;
            p->map[k] = (rg_heat){ .label = label_of(p->label[k], labels, i, g ? g->name : "") };
            if (!g)
                continue;
            p->map[k].value = g->first_row;
            p->map[k].rows = (size_t)g->width;
            p->map[k].columns = (size_t)g->T;
            p->map[k].by_column = true;
        }
    return k;
}

rg_status rg_gradflow_gates_svg(const rg_gradflow_report *const *reports,
                                const char *const *labels, size_t n, const char *title,
                                rg_write_fn *write, void *user)
{
    rg_alloc alloc;
    if (!reports_ok(reports, n, write))
        return RG_EARG;
    (void)rg_alloc_resolve(&alloc, NULL);
    struct pictures *p = rg_get(&alloc, sizeof *p);
    if (!p)
        return RG_ENOMEM;
    const size_t k = put_gates(p, reports, labels, n);
    const rg_svg_opts opts = { .title = title ? title : "gates over a sequence",
                               .x_label = "time from left to right, one line for each unit" };
    rg_status st = rg_svg_heat(p->map, k, n, &opts, write, user);
    rg_release(&alloc, p, sizeof *p);
    return st;
}
