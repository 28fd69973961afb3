/* cli/watch.c -- `train --gradflow-every`: the gradient's course in sampled steps, as a picture in
 * the run's folder and a line of the metrics. */
#define _POSIX_C_SOURCE 200809L
#include "cli/session.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *layer_object(const rg_flow_state *s)
{
    json_t *o = json_pack("{s:s, s:s}", "name", s->name, "verdict",
                          rg_flow_verdict_text(s->verdict));
    json_object_set_new(o, "slope", number_json(s->slope));
    json_object_set_new(o, "last", number_json(s->lags ? s->norm[0] : NAN));
    json_object_set_new(o, "first", number_json(s->lags ? s->norm[s->lags - 1] : NAN));
    return o;
}

/* {"v":1, ..., "split":"gradflow", "probe":"loss", "verdict":..., "layers":[...]} */
static int log_report(session *x, const rg_gradflow_report *r, uint64_t step)
{
    json_t *layers = json_array();
    for (size_t l = 0; l < r->n_layer; l++)
        json_array_append_new(layers, layer_object(&r->layer[l]));
    json_t *o = json_pack("{s:i, s:f, s:I, s:f, s:s, s:s, s:s, s:I, s:o}", "v", 1, "time",
                          session_seconds(x), "step", (json_int_t)step, "epoch",
                          (double)step / (double)x->windows, "split", "gradflow", "probe", "loss",
                          "verdict", rg_flow_verdict_text(r->verdict), "lag", (json_int_t)r->lag,
                          "layers", layers);
    char *line = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return metrics_line(&x->metrics, line, step, x->s->json);
}

int flow_draw(const char *path, flow_picture *paint, const rg_gradflow_report *const *report,
              const char *const *label, size_t n, const char *title)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    rg_status st = file ? paint(report, label, n, title, rg_to_file, file) : RG_ENOMEM;
    const bool good = file && fclose(file) == 0 && st == RG_OK;
    int code = good ? file_replace(path, text, bytes)
                    : fail(RUN_TIME, "%s: %s", path, rg_status_text(st ? st : RG_ENOMEM));
    free(text);
    return code;
}

/* The first sample of this session beside the last. */
static int draw(session *x, const rg_gradflow_report *now, uint64_t step)
{
    char path[PATH_BYTES], title[160], first[32], last[32];
    const rg_gradflow_report *both[2] = { x->flow_first, now };
    const char *label[2] = { first, last };
    (void)snprintf(first, sizeof first, "step %llu", (unsigned long long)x->flow_step);
    (void)snprintf(last, sizeof last, "step %llu", (unsigned long long)step);
    return flow_draw(folder_file(path, &x->f, "gradflow.svg"), rg_gradflow_svg, both, label,
                     now == both[0] ? 1 : 2, model_title(title, sizeof title, &x->m));
}

/* What the last step saw; NULL: it is not a step to look at. */
static rg_gradflow_report *look(session *x, uint64_t step)
{
    rg_gradflow_report *r = NULL;
    if (!x->s->gradflow_every || rg_trainer_sampled(&r, x->trainer) == RG_OK)
        return r;
    if (r)
        detail("flow   step %llu: %s", (unsigned long long)step, r->message);
    rg_gradflow_destroy(&r);
    return NULL;
}

int watch_step(session *x)
{
    const uint64_t step = rg_trainer_facts(x->trainer).step;
    rg_gradflow_report *r = look(x, step);
    if (!r)
        return DONE;
    if (!x->flow_first) {
        x->flow_first = r;
        x->flow_step = step;
    }
    detail("flow   step %llu: %s", (unsigned long long)step, r->message);
    explain_report(x, r);
    int code = log_report(x, r, step);
    if (code == DONE)
        code = draw(x, r, step);
    if (r != x->flow_first)
        rg_gradflow_destroy(&r);
    return code;
}
