/* tests/train/task_help.h -- a batch that any task can be bound to, and a plan of it. */
#ifndef TESTS_TRAIN_TASK_HELP_H
#define TESTS_TRAIN_TASK_HELP_H

#include "tests/rgt.h"

#include "base/philox.h"

#include <retrograd/retrograd.h>
#include <string.h>

enum { T = 6, B = 4, V = 5, I = 3, H = 4, O = 3 };

static const int32_t lengths[B] = { 6, 1, 4, 0 };

/* Everything that a graph of a task can be bound to. */
typedef struct batch {
    int32_t id[T * B], tag[T * B], class[B];
    double  x[T * B * I], value[B * O];
    uint8_t mask[T * B], counts[T * B];
} batch;

static inline void fill(batch *b, double padding)
{
    for (uint64_t i = 0; i < T * B; i++) {
        bool real = (int32_t)(i / B) < lengths[i % B];
        b->id[i] = real ? (int32_t)rg_draw_below(1, RG_DOMAIN_USER, 1, i, V) : padding > 0;
        b->tag[i] = real ? (int32_t)rg_draw_below(1, RG_DOMAIN_USER, 2, i, O) : 0;
        b->mask[i] = b->counts[i] = real;
        for (uint64_t k = 0; k < I; k++)
            b->x[i * I + k] = real ? rg_draw_normal(1, RG_DOMAIN_USER, 3, i * I + k) : padding;
    }
    for (uint64_t i = 0; i < B; i++)
        b->class[i] = (int32_t)rg_draw_below(1, RG_DOMAIN_USER, 4, i, O);
    for (uint64_t i = 0; i < B * O; i++)
        b->value[i] = rg_draw_normal(1, RG_DOMAIN_USER, 5, i);
}

static inline void bind(rg_plan *plan, const rg_task_model *m, const rg_task_opts *o,
                        const batch *b)
{
    size_t n_y = o->task == RG_CLASSIFY ? B : o->task == RG_FORECAST ? B * O : T * B;
    rg_plan_bind(plan, m->x, o->symbols ? (const void *)b->id : b->x,
                 o->symbols ? sizeof b->id : sizeof b->x);
    rg_plan_bind(plan, m->mask, b->mask, sizeof b->mask);
    rg_plan_bind(plan, m->y, o->task == RG_FORECAST ? (const void *)b->value
                             : o->task == RG_CLASSIFY ? b->class : b->tag,
                 o->task == RG_FORECAST ? sizeof b->value : n_y * sizeof *b->tag);
    rg_plan_bind(plan, m->counts, b->counts, n_y);
}

/* A plan of loss, outputs and all gradients in f64, run once. */
static inline rg_plan *planned(rg_task_model *m, rg_params *ps, const rg_task_opts *o,
                               const batch *b)
{
    rg_plan *plan = NULL;
    RGT_CHECK_MSG(rg_task_create(m, ps, o, T, B) == RG_OK, "%s", rg_params_message(ps));
    RGT_CHECK_MSG(rg_plan_create_train(&plan, m->loss, &m->z, 1, &(rg_plan_opts){ .real = RG_F64 })
                  == RG_OK, "%s", rg_graph_message(m->graph));
    bind(plan, m, o, b);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    return plan;
}

#endif
