/* cli/gradcheck.c -- `retrograd gradcheck`: a small network of a built-in cell, held against
 * oracles. */
#include "cli/cells.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 96 };

/* What is differentiated for: every parameter, the sequence, the initial states. */
typedef struct network {
    rg_params *params;
    rg_graph  *graph;
    rg_val     loss;
    rg_val     x[MOST + 16];
    size_t     n;
} network;

/* Mean square distance of a value from drawn targets, so that every element matters differently. */
static rg_val distance(rg_graph *g, rg_val v)
{
    return rg_mean(rg_mse(v, rg_input(g, NULL, RG_F, rg_shape_of(v))));
}

static int build(network *net, const settings *s)
{
    int64_t T = s->seq_len, B = s->batch;
    rg_val first[12], last[12]; /* at most 4 layers of 3 states */
    if (rg_params_create(&net->params, (uint64_t)s->seed, &(rg_params_opts){ .real = RG_F64 }) ||
        rg_graph_create(&net->graph, net->params, NULL))
        return fail(RUN_TIME, "no memory");
    rg_graph *g = net->graph;
    const rg_cell_opts opts = cell_opts(s->cell, s->proj, s->hidden);
    rg_cell cell = cell_stack(s, g, &opts);
    if (rg_graph_status(g))
        return fail(exit_code(rg_graph_status(g)), "%s", rg_graph_message(g));
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, s->input));
    for (size_t k = 0; k < cell.n_state; k++) {
        size_t per_layer = cell.n_state / (size_t)s->layers;
        char name[16];
        (void)snprintf(name, sizeof name, "l%zu.%c0", k / per_layer, "hcp"[k % per_layer]);
        first[k] = rg_input(g, name, RG_F, RG_SHAPE(B, cell.width[k]));
    }
    rg_val hs = rg_unroll(last, &cell, X, first, NULL);
    net->loss = distance(g, hs);
    for (size_t k = 0; k < cell.n_state; k++)
        net->loss = rg_add(net->loss, distance(g, last[k]));
    net->n = rg_graph_params(net->x, MOST, g);
    net->x[net->n++] = X;
    for (size_t k = 0; k < cell.n_state; k++)
        net->x[net->n++] = first[k];
    rg_status st = rg_graph_status(g);
    return st ? fail(exit_code(st), "%s", rg_graph_message(g)) : DONE;
}

static const char *const verdict_name[] = { "pass", "fail", "inconclusive", "not run" };

static void add_place(json_t *o, int64_t step, const char *reason)
{
    if (o && step != RG_NO_STEP)
        json_object_set_new(o, "step", json_integer(step));
    if (o && *reason)
        json_object_set_new(o, "reason", json_string(reason));
}

static void add_number(json_t *o, const char *key, double x)
{
    if (o)
        json_object_set_new(o, key, number_json(x));
}

static json_t *block_object(const rg_gradcheck_block *b)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", b->name, "verdict",
                          verdict_name[b->verdict], "oracle", b->oracle, "index",
                          (json_int_t)b->index, "excluded", (json_int_t)b->excluded);
    add_number(o, "got", b->got);
    add_number(o, "want", b->want);
    add_number(o, "error", b->error);
    add_number(o, "sigma", b->sigma);
    if (b->h > 0)
        add_number(o, "h", b->h);
    add_place(o, b->step, b->reason);
    return o;
}

/* One that was not asked has no numbers. */
static json_t *law_object(const rg_gradcheck_law *l)
{
    json_t *o = json_pack("{s:s, s:s, s:s}", "name", l->name, "verdict", verdict_name[l->verdict],
                          "tensor", l->tensor);
    if (l->verdict != RG_NOT_RUN) {
        add_number(o, "got", l->got);
        add_number(o, "want", l->want);
        add_number(o, "error", l->error);
        add_number(o, "bound", l->bound);
    }
    add_place(o, l->step, l->reason);
    return o;
}

static int print_json(const settings *s, const rg_gradcheck_report *r)
{
    json_t *list = json_array(), *laws = json_array();
    for (size_t i = 0; i < r->n_block; i++)
        json_array_append_new(list, block_object(&r->block[i]));
    for (size_t i = 0; i < r->n_law; i++)
        json_array_append_new(laws, law_object(&r->law[i]));
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:f, s:o, s:o}", "v", 1,
                          "cell", cells[s->cell].name, "order", (json_int_t)s->order, "seed",
                          (json_int_t)r->seed, "verdict", verdict_name[r->verdict], "message",
                          r->message, "passed", (json_int_t)r->passed, "failed",
                          (json_int_t)r->failed, "inconclusive", (json_int_t)r->inconclusive,
                          "worst_error", r->worst_error, "laws", laws, "blocks", list);
    return put_json(o, 17);
}

int gradcheck_main(settings *s)
{
    network net = { .n = 0 };
    rg_gradcheck_report *report = NULL;
    int code = cell_settings_ok(s) ? USAGE : build(&net, s);
    if (code == DONE) {
        rg_gradcheck_opts opts = { .order = (int)s->order, .seed = (uint64_t)s->seed };
        rg_verdict verdict = rg_gradcheck(&report, net.loss, net.x, net.n, &opts);
        if (!report || verdict == RG_NOT_RUN)
            code = fail(report ? exit_code(report->status) : RUN_TIME, "%s",
                        report ? report->message : "no memory");
        else if (s->json)
            code = print_json(s, report);
        else
            rg_gradcheck_print(report, rg_to_file, stdout);
        if (code == DONE && verdict != RG_PASS)
            code = NUMERICAL;
    }
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&net.graph);
    rg_params_destroy(&net.params);
    return code;
}
