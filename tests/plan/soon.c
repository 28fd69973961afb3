/* tests/plan/soon.c -- what products fetch for the steps after them: what a tile program reads and
 * nobody touched lately; nothing that is near anyhow. */
#include "plan/code.h"
#include "plan/plan.h"
#include "tests/rgt.h"

#include <retrograd/retrograd.h>

enum { T = 12, I = 32 };

/* A training step of an LSTM, planned. */
static rg_plan *planned(rg_params **params, rg_graph **graph, int64_t B, int64_t H)
{
    rg_plan *plan = NULL;
    RGT_CHECK(!rg_params_create(params, 1, NULL));
    RGT_CHECK(!rg_graph_create(graph, *params, NULL));
    rg_val x = rg_input(*graph, "x", RG_F, RG_SHAPE(T, B, I));
    const rg_cell cell = rg_lstm(*graph, "l", I, H, NULL);
    rg_val loss = rg_mean(rg_square(rg_unroll(NULL, &cell, x, NULL, NULL)));
    const rg_plan_opts opts = { .threads = 1, .portable = true };
    RGT_CHECK(!rg_plan_create_train(&plan, loss, NULL, 0, &opts));
    return plan;
}

/* Steps that fetch, and whether each place is what one of the next steps touches, whole rows of it,
 * inside its buffer. */
static int count_fetching(const rg_code *c)
{
    int n = 0;
    for (size_t i = 0; i < c->n_step; i++) {
        const rg_task *s = &c->step[i];
        n += s->n_next > 0;
        for (uint32_t k = 0; k < s->n_next; k++) {
            const rg_next *next = &s->next[k];
            const size_t end = next->ref.offset + (size_t)(next->line.width +
                               (s->next_rows - 1) * next->line.pitch);
            RGT_CHECK(end <= c->buffer[rg_buffer_under(c, next->ref.base)].bytes);
            RGT_CHECK(next->line.width <= next->line.pitch);
            bool read = false;
            for (size_t j = i + 1; j <= i + 3 && j < c->n_step; j++)
                for (uint32_t a = 0; a < c->step[j].n_in + c->step[j].n_out; a++)
                    read |= c->step[j].arg[a].base == next->ref.base;
            RGT_CHECK_MSG(read, "step %zu fetches what the next three do not touch", i);
        }
    }
    return n;
}

RGT_TEST(soon, backward_steps_fetch_the_gates_of_the_step_before)
{
    rg_params *params;
    rg_graph *graph;
    rg_plan *plan = planned(&params, &graph, 64, 128); /* a step's gates: 128 KiB */
    const int n = count_fetching((const rg_code *)plan->exec);
    RGT_CHECK_MSG(n >= T - 2, "%d steps fetch, of %d of the backward loop", n, T);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&graph);
    rg_params_destroy(&params);
}

/* Does step j touch this very place? */
static bool touches(const rg_task *s, const rg_ref *place)
{
    bool found = false;
    for (uint32_t a = 0; a < s->n_in + s->n_out; a++)
        found |= s->arg[a].base == place->base && s->arg[a].offset == place->offset;
    return found;
}

RGT_TEST(soon, what_was_touched_just_now_is_not_fetched)
{
    rg_params *params;
    rg_graph *graph;
    rg_plan *plan = planned(&params, &graph, 2, 8);
    const rg_code *c = (const rg_code *)plan->exec;
    for (size_t i = 2; i < c->n_step; i++)
        for (uint32_t k = 0; k < c->step[i].n_next; k++)
            for (size_t j = i - 2; j <= i; j++)
                RGT_CHECK(!touches(&c->step[j], &c->step[i].next[k].ref));
    (void)count_fetching(c);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&graph);
    rg_params_destroy(&params);
}
