/* train/problem_model.c -- the model of every problem: a cell over the input, a dense layer on its
 * output, a loss; and how wide it is for a budget of weights. */
#include <retrograd/experiments.h>

#include "base/error.h"
#include "graph/params.h"

#include <retrograd/ops.h>

#include <string.h>

static rg_cell make_cell(rg_graph *g, const rg_problem *p, const rg_problem_model *model)
{
    return (model->cell ? model->cell : rg_lstm)(g, "rnn", p->I, model->hidden,
                                                 model->cell_opts);
}

static const char *fault(const rg_problem *p, const rg_problem_model *model, int64_t B)
{
    return !p || !p->row ? "no problem"
         : p->T < 1 || p->I < 1 || p->O < 1 ? "T, I and O of the problem must be at least 1"
         : p->every_step && !p->classes ? "answers at every step must be classes"
         : !model || model->hidden < 1 ? "hidden must be at least 1"
         : B < 1 ? "a batch must have a row" : NULL;
}

static void build(rg_problem_graph *m, const rg_problem *p, const rg_problem_model *model,
                  int64_t B)
{
    rg_graph *g = m->graph;
    rg_cell cell = make_cell(g, p, model);
    m->n_state = cell.n_state;
    m->x = rg_input(g, "x", RG_F, RG_SHAPE(p->T, B, p->I));
    m->states = rg_graph_alloc(g, (size_t)p->T * cell.n_state * sizeof *m->states);
    if (!m->states)
        return;
    rg_val h = rg_unroll(NULL, &cell, m->x, NULL, &(rg_unroll_opts){ .states = m->states });
    if (!p->every_step)
        h = rg_select(h, 0, -1);
    rg_scope_push(g, "out", RG_NO_STEP);
    m->z = rg_dense(h, "out", p->O);
    rg_scope_pop(g);
    rg_scope_push(g, "loss", RG_NO_STEP);
    if (p->classes) {
        m->y = rg_input(g, "y", RG_INT, p->every_step ? RG_SHAPE(p->T, B) : RG_SHAPE(B));
        m->loss = rg_mean(rg_softmax_cross_entropy(m->z, m->y));
    } else {
        m->y = rg_input(g, "y", RG_F, RG_SHAPE(B, p->O));
        m->loss = rg_mean(rg_mse(m->z, m->y));
    }
    rg_scope_pop(g);
}

rg_status rg_problem_graph_create(rg_problem_graph *out, rg_params *params, const rg_problem *p,
                                  const rg_problem_model *model, int64_t B)
{
    if (!out)
        return RG_EARG;
    memset(out, 0, sizeof *out);
    if (!params)
        return RG_EARG;
    const char *wrong = fault(p, model, B);
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "problem: %s", wrong);
    rg_status st = rg_graph_create(&out->graph, params, NULL);
    if (st)
        return rg_fail(&params->err, st, "problem %s: no memory for a graph", p->name);
    build(out, p, model, B);
    return rg_graph_status(out->graph);
}

void rg_problem_graph_destroy(rg_problem_graph *graph)
{
    if (!graph)
        return;
    rg_graph_destroy(&graph->graph);
    memset(graph, 0, sizeof *graph);
}

int64_t rg_problem_weights(const rg_problem *p, const rg_problem_model *model)
{
    rg_params *params = NULL;
    rg_problem_graph g = { .graph = NULL };
    int64_t n = 0;
    rg_problem shorter = { .name = NULL };
    if (p) {
        shorter = *p;
        shorter.T = 1; /* weights do not depend on the length */
    }
    if (rg_params_create(&params, 0, NULL) == RG_OK &&
        rg_problem_graph_create(&g, params, &shorter, model, 1) == RG_OK)
        for (size_t i = 0; i < rg_params_count(params); i++)
            n += rg_shape_count(rg_params_at(params, i).shape);
    rg_problem_graph_destroy(&g);
    rg_params_destroy(&params);
    return n;
}

static int64_t weights_at(const rg_problem *p, const rg_problem_model *model, int64_t hidden)
{
    rg_problem_model m = *model;
    m.hidden = hidden;
    return rg_problem_weights(p, &m);
}

int64_t rg_problem_width(const rg_problem *p, const rg_problem_model *model, int64_t budget)
{
    int64_t low = 1, high = 2;
    if (!p || !model || budget < 1 || weights_at(p, model, low) == 0)
        return 0;
    while (high < INT32_MAX / 2 && weights_at(p, model, high) <= budget)
        low = high, high *= 2;
    while (high - low > 1) { /* the widest within the budget is at least low, below high */
        int64_t middle = low + (high - low) / 2;
        if (weights_at(p, model, middle) <= budget)
            low = middle;
        else
            high = middle;
    }
    int64_t under = weights_at(p, model, low), over = weights_at(p, model, high);
    return over - budget < budget - under ? high : low;
}
