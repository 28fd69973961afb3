/* cli/gradflow.c -- `retrograd gradflow`: what the gradient does on its way back through time, in a
 * run before and after training, or in a cell as it starts. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is shown: one report, or two. */
typedef struct flows {
    const settings     *s;
    int64_t             T, B;
    uint64_t            seed;      /* of the run's weights */
    char               *vectors;   /* the file that its embedding began with, or NULL */
    rg_gradflow_report *report[2];
    char                label[2][32];
    size_t              n;
    char                title[160];
} flows;

static rg_gradflow_opts opts_of(const settings *s, rg_dtype real)
{
    return (rg_gradflow_opts){ .probe = (rg_probe)s->probe, .draws = (int)s->draws,
                               .lag = s->lag, .parameters = s->parameters, .real = real,
                               .threads = (int)s->threads, .seed = (uint64_t)s->seed };
}

/* ---- A cell as it starts --------------------------------------------------------------------- */

/* The cell's options, with the start that is asked for. */
static rg_cell_opts started(const settings *s)
{
    rg_cell_opts opts = cell_opts(s->cell, 0, s->hidden);
    if (s->init != RG_INIT_FOUNDING)
        opts.init = (rg_init_set)s->init;
    if (s->init == RG_INIT_CHRONO)
        opts.chrono_T = s->lag ? s->lag : s->seq_len;
    opts.forget_bias_0 = s->forget_bias_0;
    return opts;
}

/* The mean square of all outputs: a loss at every step. */
static rg_val loss_of(const settings *s, rg_graph *g)
{
    const rg_cell_opts opts = started(s);
    rg_cell cell = cell_stack(s, g, &opts);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(s->seq_len, s->batch, s->input));
    return rg_mean(rg_square(rg_unroll(NULL, &cell, X, NULL, NULL)));
}

static int of_cell(flows *f)
{
    const settings *s = f->s;
    rg_params *params = NULL;
    rg_graph *g = NULL;
    const rg_dtype real = (rg_dtype)s->dtype;
    if (rg_params_create(&params, (uint64_t)s->seed, &(rg_params_opts){ .real = real }) ||
        rg_graph_create(&g, params, NULL)) {
        rg_params_destroy(&params);
        return fail(RUN_TIME, "no memory");
    }
    const rg_gradflow_opts opts = opts_of(s, real);
    rg_status st = rg_gradflow(&f->report[0], loss_of(s, g), &opts);
    if (st)
        st = fail(exit_code(st), "%s", f->report[0] ? f->report[0]->message : "no memory");
    (void)snprintf(f->label[0], sizeof f->label[0], "initial");
    (void)snprintf(f->title, sizeof f->title, "%s %lldx%lld as it starts, %lld steps",
                   cells[s->cell].name, (long long)s->layers, (long long)s->hidden,
                   (long long)s->seq_len);
    f->n = 1;
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
    return st ? (int)st : DONE;
}

/* ---- A run ----------------------------------------------------------------------------------- */

/* Window, rows, seed and text of the run, where the line does not say otherwise. */
static int take_run(flows *f, char **data)
{
    char file[PATH_BYTES];
    int code;
    json_int_t seed = -1;
    const char *text = NULL, *vectors = NULL;
    json_t *config = config_of_run(file, f->s->operand[0], &code);
    if (!config)
        return code;
    code = config_windows(&f->T, &f->B, f->s, config, file);
    (void)json_unpack(config, "{s:{s?I, s?s, s?s}}", "options", "seed", &seed, "data", &text,
                      "embedding", &vectors);
    f->seed = seed >= 0 ? (uint64_t)seed : 0;
    f->n = seed >= 0; /* the weights that it began with can be drawn again */
    *data = text && !f->s->data ? strdup(text) : NULL;
    f->vectors = vectors ? strdup(vectors) : NULL;
    json_decref(config);
    return code;
}

/* Measure a model with these weights. */
static int measure(flows *f, rg_gradflow_report **out, const model *m, rg_span text)
{
    rg_trainer *trainer = NULL;
    const rg_trainer_opts trained = { .model = m->lm, .optim = { .lr = 1e-3 }, .T = f->T,
                                      .B = f->B, .plan = { .real = m->real,
                                                           .threads = (int)f->s->threads } };
    const rg_gradflow_opts opts = opts_of(f->s, m->real);
    int code = model_trainer(&trainer, m, text, &trained);
    if (code == DONE) {
        rg_status st = rg_trainer_gradflow(out, trainer, &opts);
        if (st)
            code = fail(exit_code(st), "%s", *out ? (*out)->message : "no memory");
    }
    rg_trainer_destroy(&trainer);
    return code;
}

/* The same model with the weights that its seed and a file of vectors give. */
static int measure_initial(flows *f, const model *m, rg_span text)
{
    model first = *m;
    first.params = NULL;
    if (rg_params_create(&first.params, f->seed, &(rg_params_opts){ .real = m->real }))
        return fail(RUN_TIME, "no memory");
    int code = f->vectors ? model_declare(&first) : DONE;
    if (code == DONE)
        code = model_embed(&first, f->vectors, false);
    if (code == DONE)
        code = measure(f, &f->report[0], &first, text);
    (void)snprintf(f->label[0], sizeof f->label[0], "initial");
    rg_params_destroy(&first.params);
    return code;
}

static int load_text(lm_text *t, const model *m, const flows *f, const char *path)
{
    if (!path)
        return fail(USAGE, "--data is missing: %s is no run folder that knows its text",
                    f->s->operand[0]);
    int code = text_read(t, m, path);
    const size_t n = text_part(t, RG_PART_ALL).n;
    if (code == DONE && n < (size_t)(f->T * f->B) + 1)
        code = fail(BAD_DATA, "%s: %zu %s are less than a window of %lld steps in %lld rows "
                    "(smaller --seq-len or --batch)", path, n, text_things(t->unit),
                    (long long)f->T, (long long)f->B);
    return code;
}

static int of_model(flows *f, const model *m, const char *own)
{
    lm_text t = { .unit = m->unit };
    char title[128];
    int code = load_text(&t, m, f, f->s->data ? f->s->data : own);
    const rg_span all = text_part(&t, RG_PART_ALL);
    if (code == DONE && f->n)
        code = measure_initial(f, m, all);
    if (code == DONE)
        code = measure(f, &f->report[f->n], m, all);
    (void)snprintf(f->label[f->n], sizeof f->label[0], "step %llu", (unsigned long long)m->step);
    (void)snprintf(f->title, sizeof f->title, "%s", model_title(title, sizeof title, m));
    f->n++;
    text_close(&t);
    return code;
}

/* ---- A run of another task ------------------------------------------------------------------- */

/* The gradient through the session's first batch, with the weights of now. */
static int look(flows *f, session *x)
{
    const rg_gradflow_opts opts = opts_of(f->s, x->m.real);
    rg_gradflow_report **r = &f->report[f->n++];
    rg_status st = rg_trainer_gradflow(r, x->trainer, &opts);
    return st ? fail(exit_code(st), "%s", *r ? (*r)->message : rg_trainer_message(x->trainer))
              : DONE;
}

/* A session opened as the run's began has the weights that it began with. */
static int of_task(flows *f, const model *m)
{
    settings t = { .command = NULL };
    session x = { .f.lock = -1, .metrics = { .jsonl = -1, .csv = -1 } };
    char title[128];
    int code = look_of_run(&t, f->s);
    if (code == DONE)
        code = look_open(&x, &t, f->s);
    f->n = 0;
    if (code == DONE)
        code = look(f, &x);
    if (code == DONE && rg_params_load(&x.m.params, 1, m->path, NULL))
        code = fail(BAD_DATA, "%s", rg_params_message(x.m.params));
    if (code == DONE)
        code = look(f, &x);
    (void)snprintf(f->label[0], sizeof f->label[0], "initial");
    (void)snprintf(f->label[1], sizeof f->label[1], "step %llu", (unsigned long long)m->step);
    (void)snprintf(f->title, sizeof f->title, "%s", model_title(title, sizeof title, m));
    session_close(&x);
    settings_free(&t);
    return code;
}

static int of_run(flows *f)
{
    static const char *const fixed[] = { "cell", "hidden", "layers", "input", "dtype", "init",
                                         "forget-bias-0" };
    model m;
    char *own = NULL;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (option_origin(f->s, fixed[i]) == FROM_LINE)
            return fail(USAGE, "--%s: %s says what the model is", fixed[i], f->s->operand[0]);
    int code = model_open(&m, f->s->operand[0]);
    if (code)
        return code;
    code = m.net ? of_task(f, &m) : take_run(f, &own);
    if (code == DONE && !m.net)
        code = of_model(f, &m, own);
    free(own);
    free(f->vectors);
    model_close(&m);
    return code;
}

/* ---- Results --------------------------------------------------------------------------------- */

static int draw(const flows *f, flow_picture *paint, const char *path)
{
    const rg_gradflow_report *report[2] = { f->report[0], f->report[1] };
    const char *label[2] = { f->n > 1 ? f->label[0] : "", f->label[1] };
    return flow_draw(path, paint, report, label, f->n, f->title);
}

static void print(const flows *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->s->json) {
            printf("{\"v\":1,\"label\":\"%s\",\"report\":", f->label[i]);
            rg_gradflow_json(f->report[i], rg_to_file, stdout);
            puts("}");
            continue;
        }
        printf("%s%s, %s: ", i ? "\n" : "", f->title, f->label[i]);
        rg_gradflow_print(f->report[i], rg_to_file, stdout);
    }
}

int gradflow_main(settings *s)
{
    flows f = { .s = s, .T = s->seq_len, .B = s->batch };
    int code = s->operand[0] ? of_run(&f) : of_cell(&f);
    if (code == DONE)
        print(&f);
    if (code == DONE && s->svg)
        code = draw(&f, rg_gradflow_svg, s->svg);
    if (code == DONE && s->gates)
        code = draw(&f, rg_gradflow_gates_svg, s->gates);
    rg_gradflow_destroy(&f.report[0]);
    rg_gradflow_destroy(&f.report[1]);
    return code;
}
