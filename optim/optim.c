/* optim/optim.c -- the life of an optimizer: options, groups, state. */
#include "optim/optim.h"

#include <math.h>
#include <string.h>

/* What a field of 0 means, per kind: PyTorch's defaults. */
static const struct { double lr, beta1, beta2, eps, momentum, decay; } usual[] = {
    [RG_ADAM]     = { .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    [RG_ADAMW]    = { .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.01 },
    [RG_SGD]      = { .lr = 0 },
    [RG_MOMENTUM] = { .momentum = 0.9 },
    [RG_NESTEROV] = { .momentum = 0.9 },
    [RG_ADAGRAD]  = { .lr = 0.01, .eps = 1e-10 },
    [RG_ADADELTA] = { .lr = 1, .beta2 = 0.9, .eps = 1e-6 },
    [RG_RMSPROP]  = { .lr = 0.01, .beta2 = 0.99, .eps = 1e-8 },
};

/* An empty array in the state; its name says whose state it is (io/load.c). */
static const char *const kind_name[] = {
    [RG_ADAM] = "optim.kind.adam",         [RG_ADAMW] = "optim.kind.adamw",
    [RG_SGD] = "optim.kind.sgd",           [RG_MOMENTUM] = "optim.kind.momentum",
    [RG_NESTEROV] = "optim.kind.nesterov", [RG_ADAGRAD] = "optim.kind.adagrad",
    [RG_ADADELTA] = "optim.kind.adadelta", [RG_RMSPROP] = "optim.kind.rmsprop",
};

static rg_status refuse(rg_params *ps, const char *what)
{
    return rg_fail(&ps->err, RG_EARG, "optim: %s", what);
}

static bool within(double x, double lo, double hi)
{
    return x >= lo && x < hi;  /* false for NaN */
}

static rg_status check(rg_params *ps, const rg_optim_opts *o)
{
    const char *fault = rg_schedule_fault(&o->schedule);
    if ((unsigned)o->kind > RG_RMSPROP)
        return refuse(ps, "kind is unknown");
    if ((unsigned)o->nonfinite > RG_PROPAGATE)
        return refuse(ps, "nonfinite is unknown");
    if (!within(o->lr, 0, INFINITY))
        return refuse(ps, "lr must be finite and not negative");
    if (o->lr == 0 && usual[o->kind].lr == 0)
        return refuse(ps, "lr is required for sgd, momentum and nesterov");
    if (!within(o->weight_decay, 0, INFINITY))
        return refuse(ps, "weight_decay must be finite and not negative");
    if (!within(o->beta1, 0, 1) || !within(o->beta2, 0, 1) || !within(o->rho, 0, 1))
        return refuse(ps, "beta1, beta2 and rho must lie in [0, 1); 0 means the default");
    if (!within(o->momentum, 0, 1))
        return refuse(ps, "momentum must lie in [0, 1)");
    if (!within(o->eps, 0, INFINITY))
        return refuse(ps, "eps must be finite and not negative; 0 means the default");
    if (!within(o->clip_norm, 0, INFINITY) || !within(o->clip_value, 0, INFINITY))
        return refuse(ps, "clip_norm and clip_value must be finite and not negative; 0 means none");
    return fault ? refuse(ps, fault) : RG_OK;
}

static void fill_in(rg_optim_opts *o)
{
    if (o->lr == 0)
        o->lr = usual[o->kind].lr;
    if (o->beta1 == 0)
        o->beta1 = usual[o->kind].beta1;
    if (o->rho != 0)
        o->beta2 = o->rho;
    if (o->beta2 == 0)
        o->beta2 = usual[o->kind].beta2;
    if (o->eps == 0)
        o->eps = usual[o->kind].eps;
    if (o->momentum == 0)
        o->momentum = usual[o->kind].momentum;
    if (o->weight_decay == 0 && !o->no_decay)
        o->weight_decay = usual[o->kind].decay;
}

static rg_status make_state(rg_optim *optim)
{
    rg_params_opts opts = { .real = optim->params->real, .alloc = optim->alloc };
    rg_params *s;
    rg_slot *kind;
    if (rg_params_create(&optim->state, optim->params->seed, &opts))
        return RG_ENOMEM;
    s = optim->state;
    s->prefix = "optim.";
    if (rg_params_declare(&optim->updates, s, "optim.updates", RG_SCALAR, RG_I64, NULL) ||
        rg_params_declare(&optim->skipped, s, "optim.skipped", RG_SCALAR, RG_I64, NULL) ||
        rg_params_declare(&optim->in_row, s, "optim.skipped_in_row", RG_SCALAR, RG_I64, NULL) ||
        rg_params_declare(&optim->rate, s, "optim.rate", RG_SCALAR, RG_F64, NULL) ||
        rg_params_declare(&optim->plateau, s, "optim.plateau", RG_SHAPE(3), RG_F64, NULL) ||
        rg_params_declare(&kind, s, kind_name[optim->opts.kind], RG_SHAPE(0), RG_U8, NULL))
        return s->err.status;
    *(double *)optim->rate->data = optim->opts.lr;
    ((double *)optim->plateau->data)[0] = INFINITY;
    ((double *)optim->plateau->data)[2] = 1;
    return RG_OK;
}

rg_status rg_optim_create(rg_optim **out, rg_params *params, const rg_optim_opts *opts)
{
    rg_optim_opts o = opts ? *opts : (rg_optim_opts){ .kind = RG_ADAM };
    rg_alloc alloc;
    rg_optim *optim;
    rg_status st;
    if (out)
        *out = NULL;
    if (!out || !params)
        return RG_EARG;
    if ((st = check(params, &o)))
        return st;
    if (rg_alloc_resolve(&alloc, &o.alloc))
        return refuse(params, "alloc needs both get and release");
    if (!(optim = rg_get(&alloc, sizeof *optim)))
        return rg_fail(&params->err, RG_ENOMEM, "optim: no memory");
    fill_in(&o);
    optim->alloc = alloc;
    optim->params = params;
    optim->opts = o;
    optim->lr = o.lr;
    rg_arena_init(&optim->arena, &alloc);
    if ((st = make_state(optim))) {
        rg_optim_destroy(&optim);
        return rg_fail(&params->err, st, "optim: no memory for its state");
    }
    *out = optim;
    return RG_OK;
}

void rg_optim_destroy(rg_optim **out)
{
    rg_optim *o = out ? *out : NULL;
    if (!o)
        return;
    rg_release(&o->alloc, o->entry, o->entry_cap * sizeof *o->entry);
    rg_release(&o->alloc, o->group, o->group_cap * sizeof *o->group);
    rg_release(&o->alloc, o->update, o->update_cap * sizeof *o->update);
    rg_release(&o->alloc, o->task, o->task_cap * sizeof *o->task);
    rg_release(&o->alloc, o->partial, o->partial_cap * sizeof *o->partial);
    rg_release(&o->alloc, o->scratch, o->scratch_bytes);
    rg_params_destroy(&o->state);
    rg_arena_free(&o->arena);
    rg_alloc alloc = o->alloc;
    rg_release(&alloc, o, sizeof *o);
    *out = NULL;
}

rg_params *rg_optim_state(rg_optim *optim)
{
    return optim ? optim->state : NULL;
}

rg_optim_report rg_optim_facts(const rg_optim *optim)
{
    if (!optim)
        return (rg_optim_report){ .updates = 0 };
    return (rg_optim_report){ (uint64_t)*rg_count_of(optim->updates),
                              (uint64_t)*rg_count_of(optim->skipped), optim->applied, optim->lr,
                              optim->grad_norm };
}

rg_status rg_optim_rate(rg_optim *optim, double lr)
{
    if (!optim)
        return RG_EARG;
    if (!(lr > 0 && within(lr, 0, INFINITY)))
        return refuse(optim->params, "lr must be finite and above 0");
    *(double *)optim->rate->data = lr;
    return RG_OK;
}

/* ---- Groups --------------------------------------------------------------------------------- */

const rg_group_opts *rg_optim_group_of(const rg_optim *optim, const char *name)
{
    const rg_optim_group_rule *best = NULL;
    for (size_t i = 0; i < optim->n_group; i++) {
        const rg_optim_group_rule *g = &optim->group[i];
        if (rg_name_below(name, g->prefix) && (!best || strlen(g->prefix) >= strlen(best->prefix)))
            best = g;
    }
    return best ? &best->opts : NULL;
}

rg_status rg_optim_group(rg_optim *optim, const char *prefix, const rg_group_opts *opts)
{
    if (!optim)
        return RG_EARG;
    if (!prefix || !opts)
        return refuse(optim->params, "a group needs a prefix and options");
    if (!within(opts->lr_factor, 0, INFINITY) || !within(opts->weight_decay, 0, INFINITY))
        return refuse(optim->params, "a group's lr_factor and weight_decay must be finite and not "
                      "negative");
    const char *kept = rg_arena_text(&optim->arena, prefix);
    if (!kept || !rg_reserve(&optim->alloc, &optim->group, &optim->group_cap, optim->n_group + 1,
                             sizeof *optim->group))
        return rg_fail(&optim->params->err, RG_ENOMEM, "optim: no memory for a group");
    optim->group[optim->n_group++] = (rg_optim_group_rule){ kept, *opts };
    return RG_OK;
}
