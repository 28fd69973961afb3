/* optim/optim.h -- an optimizer's insides. */
#ifndef RG_OPTIM_OPTIM_H
#define RG_OPTIM_OPTIM_H

#include <retrograd/optim.h>

#include "graph/params.h"
#include "kernels/update.h"
#include "base/checked.h"
#include "plan/plan.h"

/* What the optimizer keeps for one parameter, by the parameter's index in its store. */
typedef struct rg_optim_entry {
    rg_slot *state[RG_UPDATE_STATES];
    rg_slot *t;             /* updates of this parameter; NULL = not met yet */
} rg_optim_entry;

typedef struct rg_optim_group_rule {
    const char   *prefix;
    rg_group_opts opts;
} rg_optim_group_rule;

/* A stretch of one parameter: what one thread does at a time. Cut by shape only. */
typedef struct rg_optim_task {
    const rg_plan_gradient *gradient;
    const rg_update        *update;
    int64_t                 begin, n;
} rg_optim_task;

enum { RG_OPTIM_STRETCH = 8192 };

struct rg_optim {
    rg_alloc       alloc;
    rg_arena       arena;       /* group prefixes */
    rg_params     *params;
    rg_optim_opts  opts;        /* defaults filled in */
    rg_params     *state;
    rg_slot       *updates, *skipped, *in_row;  /* I64 */
    rg_slot       *rate;        /* F64: the schedule's base */
    rg_slot       *plateau;     /* F64 [3]: best loss, evaluations without gain, factor */
    rg_optim_entry *entry;
    size_t         entry_cap;
    rg_optim_group_rule *group;
    size_t         n_group, group_cap;

    rg_update     *update;      /* one per gradient of the step at hand */
    size_t         update_cap;
    rg_optim_task *task;
    double        *partial;     /* of each task: sum of squares, or largest element */
    size_t         n_task, task_cap, partial_cap;
    char          *scratch;     /* gradients of another precision, RG_OPTIM_STRETCH a thread */
    size_t         scratch_bytes;
    bool           applied;
    double         lr, grad_norm;
};

/* η of the next update: base rate, schedule, warm-up, plateau (schedule.c). */
double rg_optim_rate_now(const rg_optim *optim);
/* Is every field of the schedule in range? NULL, or which is not and what is. */
const char *rg_schedule_fault(const rg_schedule *schedule);
/* The settings of the longest prefix that covers the name; NULL if none does. */
const rg_group_opts *rg_optim_group_of(const rg_optim *optim, const char *name);

static inline int64_t *rg_count_of(const rg_slot *slot)
{
    return slot->data;
}

#endif
