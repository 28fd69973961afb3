/* check/gradflow_json.c -- a report as one JSON object. */
#include "check/gradflow.h"

#include "base/text.h"

#include <math.h>

static void number(const rg_out *out, double x)
{
    char text[RG_NUMBER_TEXT];
    rg_out_printf(out, "%s", isfinite(x) ? rg_number(text, x, 9) : "null");
}

static void text(const rg_out *out, const char *s)
{
    rg_out_printf(out, "\"");
    for (; *s; s++)
        rg_out_printf(out, *s == '"' || *s == '\\' ? "\\%c" : (unsigned char)*s < 0x20 ? "?" : "%c",
                      *s);
    rg_out_printf(out, "\"");
}

static void array(const rg_out *out, const char *key, const double *x, int64_t n)
{
    rg_out_printf(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        rg_out_printf(out, i ? "," : "");
        number(out, x[i]);
    }
    rg_out_printf(out, "]");
}

static void field(const rg_out *out, const char *key, double x)
{
    rg_out_printf(out, ",\"%s\":", key);
    number(out, x);
}

static void step(const rg_out *out, const char *key, int64_t t)
{
    if (t == RG_NO_STEP)
        rg_out_printf(out, ",\"%s\":null", key);
    else
        rg_out_printf(out, ",\"%s\":%lld", key, (long long)t);
}

static void singular_values(const rg_out *out, const rg_flow_state *s)
{
    rg_out_printf(out, ",\"singular\":[");
    for (size_t i = 0; i < s->n_singular; i++) {
        rg_out_printf(out, "%s{\"lag\":%lld", i ? "," : "", (long long)s->singular_lag[i]);
        array(out, "values", s->singular + i * s->width, (int64_t)s->width);
        rg_out_printf(out, "}");
    }
    rg_out_printf(out, "]");
}

static void state(const rg_out *out, const rg_flow_state *s)
{
    rg_out_printf(out, "{\"name\":");
    text(out, s->name);
    rg_out_printf(out, ",\"layer\":%zu,\"verdict\":\"%s\"", s->layer,
                  rg_flow_verdict_text(s->verdict));
    field(out, "slope", s->slope);
    field(out, "half_life", s->half_life);
    field(out, "horizon", s->horizon);
    field(out, "ratio", s->ratio);
    step(out, "underflow", s->underflow);
    step(out, "cut", s->cut);
    array(out, "norm", s->norm, s->lags);
    if (s->spectral) {
        array(out, "spectral", s->spectral, s->lags);
        array(out, "frobenius", s->frobenius, s->lags);
        singular_values(out, s);
    }
    rg_out_printf(out, "}");
}

static void states(const rg_out *out, const char *key, const rg_flow_state *s, size_t n)
{
    rg_out_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        rg_out_printf(out, i ? "," : "");
        state(out, &s[i]);
    }
    rg_out_printf(out, "]");
}

static void gates(const rg_out *out, const rg_gradflow_report *r)
{
    rg_out_printf(out, ",\"gates\":[");
    for (size_t i = 0; i < r->n_gate; i++) {
        const rg_flow_gate *g = &r->gate[i];
        rg_out_printf(out, i ? ",{\"name\":" : "{\"name\":");
        text(out, g->name);
        field(out, "low", g->low);
        field(out, "high", g->high);
        field(out, "stuck", g->stuck);
        rg_out_printf(out, ",\"dead\":%s", g->stuck > 0.99 ? "true" : "false");
        field(out, "mean", g->mean);
        field(out, "keeps", g->keeps);
        field(out, "memory", g->memory);
        array(out, "over_time", g->over_time, g->T);
        rg_out_printf(out, "}");
    }
    rg_out_printf(out, "]");
}

static void params(const rg_out *out, const rg_gradflow_report *r)
{
    rg_out_printf(out, ",\"parameters\":[");
    for (size_t i = 0; i < r->n_param; i++) {
        const rg_flow_param *p = &r->param[i];
        rg_out_printf(out, i ? ",{\"name\":" : "{\"name\":");
        text(out, p->name);
        field(out, "total", p->total);
        field(out, "outside", p->outside);
        array(out, "norm", p->norm, r->T);
        rg_out_printf(out, "}");
    }
    rg_out_printf(out, "]");
}

void rg_gradflow_json(const rg_gradflow_report *r, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    if (!r || !write)
        return;
    rg_out_printf(&out, "{\"v\":1,\"verdict\":\"%s\",\"message\":",
                  r->status ? "not run" : rg_flow_verdict_text(r->verdict));
    text(&out, r->message);
    rg_out_printf(&out, ",\"probe\":\"%s\",\"dtype\":\"%s\",\"draws\":%d,\"seed\":%llu,"
                  "\"T\":%lld,\"B\":%lld,\"lag\":%lld,\"nodes\":%zu,\"runs\":%zu",
                  rg_flow_probe_text(r->probe), r->real == RG_F64 ? "f64" : "f32", r->draws,
                  (unsigned long long)r->seed, (long long)r->T, (long long)r->B, (long long)r->lag,
                  r->nodes, r->runs);
    states(&out, "states", r->state, r->n_state);
    states(&out, "layers", r->layer, r->n_layer);
    gates(&out, r);
    params(&out, r);
    if (r->x)
        array(&out, "connectivity", r->x, r->x_lags);
    rg_out_printf(&out, "}");
}
