/* check/gradflow_print.c -- a report as text with bars. */
#include "check/gradflow.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

enum { BAR = 30, LINES = 14, TENTHS = 10 };

/* ---- Columns --------------------------------------------------------------------------------- */

/* A number in a column of ten; "-" where there is none. */
static void cell(const rg_out *out, double x, int digits)
{
    char text[RG_NUMBER_TEXT];
    rg_out_printf(out, "  %10s", isnan(x) ? "-" : rg_number(text, x, digits));
}

static void percent(const rg_out *out, double share)
{
    char text[RG_NUMBER_TEXT];
    rg_out_printf(out, "  %7s %%", isnan(share) ? "-"
                                                : rg_number(text, nearbyint(1000 * share) / 10, 4));
}

static void padded(const rg_out *out, const char *name, int width)
{
    const int own = rg_text_columns(name);
    rg_out_printf(out, "  %s%*s", name, width > own ? width - own : 0, "");
}

static int wider(int w, const char *name)
{
    const int own = rg_text_columns(name);
    return own > w ? own : w;
}

static int widest(const rg_gradflow_report *r)
{
    int w = 8;
    for (size_t i = 0; i < r->n_state; i++)
        w = wider(w, r->state[i].name);
    for (size_t i = 0; i < r->n_gate; i++)
        w = wider(w, r->gate[i].name);
    for (size_t i = 0; i < r->n_param; i++)
        w = wider(w, r->param[i].name);
    return w;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static void print_states(const rg_out *out, const rg_gradflow_report *r, int w)
{
    padded(out, "state", w);
    rg_out_printf(out, "  %-10s  %10s  %10s  %10s  %10s\n", "verdict", "slope/step", "half-life",
                  "horizon", "ratio");
    for (size_t i = 0; i < r->n_state + (r->n_layer > 1 ? r->n_layer : 0); i++) {
        const rg_flow_state *s = i < r->n_state ? &r->state[i] : &r->layer[i - r->n_state];
        padded(out, s->name, w);
        rg_out_printf(out, "  %-10s", rg_flow_verdict_text(s->verdict));
        cell(out, s->slope, 3);
        cell(out, s->half_life, 3);
        cell(out, s->horizon, 3);
        cell(out, s->ratio, 3);
        if (s->cut != RG_NO_STEP)
            rg_out_printf(out, "  no gradient before time step %lld", (long long)s->cut);
        if (s->underflow != RG_NO_STEP)
            rg_out_printf(out, "  underflow from lag %lld", (long long)s->underflow);
        rg_out_printf(out, "\n");
    }
}

/* ln N between twelve decades below the largest and it, as a bar. */
static void bar(const rg_out *out, double x, double most)
{
    char text[BAR + 1];
    const double share = x > 0 ? 1 + log10(x / most) / 12 : 0;
    const int n = !isfinite(x) ? BAR : share <= 0 ? 0 : (int)ceil(BAR * fmin(share, 1));
    memset(text, '#', BAR);
    text[n] = '\0';
    rg_out_printf(out, "  %s\n", text);
}

static double largest(const rg_flow_state *s)
{
    double most = 0;
    for (int64_t k = 0; k < s->lags; k++)
        most = isfinite(s->norm[k]) && s->norm[k] > most ? s->norm[k] : most;
    return most > 0 ? most : 1;
}

static void print_lags(const rg_out *out, const rg_gradflow_report *r, const rg_flow_state *s)
{
    const int64_t n = s->lags < LINES ? s->lags : LINES;
    const bool with_x = r->x && s->layer == 0, wide = s->spectral != NULL;
    rg_out_printf(out, "\n  gradient of %s against the lag (bars: logarithm, 12 decades)\n"
                  "  %6s  %10s%s%s\n", s->name, "lag", "norm", wide ? "    spectral   frobenius"
                  : "", with_x ? "     d y/d x" : "");
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = n > 1 ? i * (s->lags - 1) / (n - 1) : 0;
        rg_out_printf(out, "  %6lld", (long long)k);
        cell(out, s->norm[k], 3);
        if (wide) {
            cell(out, s->spectral[k], 3);
            cell(out, s->frobenius[k], 3);
        }
        if (with_x)
            cell(out, k < r->x_lags ? r->x[k] : NAN, 3);
        bar(out, s->norm[k], largest(s));
    }
}

static void print_gates(const rg_out *out, const rg_gradflow_report *r, int w)
{
    if (!r->n_gate)
        return;
    rg_out_printf(out, "\n");
    padded(out, "gate", w);
    rg_out_printf(out, "  %10s  %9s  %9s  %9s  %10s  %10s\n", "mean", "< 0.1", "> 0.9", "stuck",
                  "keeps", "memory");
    for (size_t i = 0; i < r->n_gate; i++) {
        const rg_flow_gate *g = &r->gate[i];
        padded(out, g->name, w);
        cell(out, g->mean, 3);
        percent(out, g->low);
        percent(out, g->high);
        percent(out, g->stuck);
        cell(out, g->keeps, 3);
        cell(out, g->memory, 3);
        rg_out_printf(out, g->stuck > 0.99 ? "  dead\n" : "\n");
    }
}

/* Σ_t ‖ḡ_t‖ of one tenth of the time, as a share of all. */
static double tenth(const rg_flow_param *p, int64_t T, int i)
{
    double part = 0, all = p->outside;
    for (int64_t t = 0; t < T; t++) {
        all += p->norm[t];
        part += t * TENTHS / T == i ? p->norm[t] : 0;
    }
    return all > 0 ? part / all : 0;
}

static void print_params(const rg_out *out, const rg_gradflow_report *r, int w)
{
    char text[RG_NUMBER_TEXT];
    if (!r->n_param)
        return;
    rg_out_printf(out, "\n  share of each tenth of the time in a parameter's gradient, in %%\n");
    padded(out, "parameter", w);
    rg_out_printf(out, "  %10s   first ........................................ last  outside\n",
                  "norm");
    for (size_t i = 0; i < r->n_param; i++) {
        const rg_flow_param *p = &r->param[i];
        double inside = 0;
        padded(out, p->name, w);
        cell(out, p->total, 3);
        for (int k = 0; k < TENTHS; k++) {
            inside += tenth(p, r->T, k);
            rg_out_printf(out, " %5s", rg_number(text, nearbyint(1000 * tenth(p, r->T, k)) / 10,
                                                 3));
        }
        rg_out_printf(out, "  %5s\n", rg_number(text, p->outside > 0
                                                ? nearbyint(1000 * (1 - inside)) / 10 : 0, 3));
    }
}

void rg_gradflow_print(const rg_gradflow_report *r, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    if (!r || !write)
        return;
    rg_out_printf(&out, "%s\n", r->message);
    if (r->status)
        return;
    const int w = widest(r);
    rg_out_printf(&out, "  %lld steps, %lld rows, %s, probe %s, %zu run%s of %zu nodes\n\n",
                  (long long)r->T, (long long)r->B, r->real == RG_F64 ? "f64" : "f32",
                  rg_flow_probe_text(r->probe), r->runs, r->runs == 1 ? "" : "s", r->nodes);
    print_states(&out, r, w);
    for (size_t l = 0; l < r->n_layer; l++)
        print_lags(&out, r, r->n_layer == 1 && r->n_state == 1 ? &r->state[0] : &r->layer[l]);
    for (size_t k = 0; k < r->n_state && r->n_state > 1 && r->state[k].spectral; k++)
        print_lags(&out, r, &r->state[k]);
    print_gates(&out, r, w);
    print_params(&out, r, w);
}
