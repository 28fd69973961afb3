/* check/gradflow_copy.c -- a private copy of what the tracks need, and numbers for its inputs.
 *
 * Where parameters are asked about, the uses of each at one time step read an input of their own,
 * a tap, so that ḡ_t is a gradient like any other. */
#include "check/copying.h"
#include "check/gradflow.h"

#include "base/philox.h"
#include "base/real.h"
#include "ops/ops.h"

struct copying {
    rg_flow  *f;
    uint8_t  *needed;    /* by user's id */
    uint32_t *scope;     /* by user's scope: the copy's */
    uint32_t *tap;       /* by parameter and time step: index into f->tap + 1 */
    int64_t   steps;     /* time steps are below */
    rg_val   *in;
};

/* ---- What is needed ------------------------------------------------------------------------- */

static void want(struct copying *c, uint32_t id)
{
    if (id)
        c->needed[id] = 1;
}

static void mark_needed(struct copying *c)
{
    rg_flow *f = c->f;
    want(c, f->opts.probe == RG_PROBE_LOSS ? f->y.id : 0);
    want(c, f->x);
    for (size_t i = 0; i < f->n_track; i++)
        for (int64_t p = 0; p < f->loop[f->track[i].loop].T; p++)
            want(c, f->track[i].id[p]);
    for (size_t i = 0; i < f->n_gate; i++)
        for (int64_t p = 0; p < f->gate[i].T; p++) {
            want(c, f->gate[i].id[p]);
            want(c, f->gate[i].keep ? f->gate[i].keep[p] : 0);
        }
    for (size_t l = 0; l < f->n_loop; l++)
        for (int64_t p = 0; p < f->loop[l].T && f->loop[l].mask; p++)
            want(c, f->loop[l].mask[p]);
    rg_copy_needed(c->needed, f->g);
}

/* ---- Inputs --------------------------------------------------------------------------------- */

static rg_val leaf(rg_flow *f, const char *name, rg_sig sig, rg_flow_source source)
{
    rg_val v = rg_copy_leaf(f->copy, name, sig);
    if (v.id)
        f->source[f->copy->n_input - 1] = source;
    return v;
}

/* What a node of this time step reads instead of a parameter. */
static rg_val tap(struct copying *c, const rg_slot *slot, int64_t step)
{
    rg_flow *f = c->f;
    uint32_t *at = &c->tap[(int64_t)slot->index * (c->steps + 1) + step + 1];
    if (!*at) {
        const rg_flow_source from = { .slot = slot };
        rg_flow_tap *t = &f->tap[f->n_tap];
        t->leaf = leaf(f, slot->name, (rg_sig){ RG_F, slot->shape }, from);
        t->slot = slot;
        t->step = step;
        *at = (uint32_t)++f->n_tap;
    }
    return f->tap[*at - 1].leaf;
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

static uint32_t copy_node(struct copying *c, uint32_t id)
{
    rg_flow *f = c->f;
    const rg_node *node = rg_node_at(f->g, id);
    const uint32_t outer = f->step_of[node->scope];
    const int64_t step = outer ? f->g->scope[outer].step : RG_NO_STEP;
    f->copy->in_scope = c->scope[node->scope];
    f->copy->origin = f->of[node->origin];
    if (node->op == &rg_op_input) {
        const rg_attr_input *attr = node->attr;
        return leaf(f, attr->name, attr->sig, (rg_flow_source){ .input = id }).id;
    }
    for (uint32_t k = 0; k < node->n_in; k++) {
        const rg_node *in = rg_node_at(f->g, node->in[k]);
        c->in[k] = c->tap && in->op == &rg_op_param
                       ? tap(c, ((const rg_attr_param *)in->attr)->slot, step)
                       : (rg_val){ f->copy, f->of[node->in[k]] };
    }
    return rg_emit_in(f->copy, node->op, node->attr, c->in, node->n_in).id;
}

static rg_status prepare(struct copying *c)
{
    rg_flow *f = c->f;
    const rg_graph *g = f->g;
    const size_t n_param = g->params ? g->params->n_slot : 0;
    size_t most = 1;
    for (uint32_t id = 1; id < g->n_node; id++)
        most = rg_node_at(g, id)->n_in > most ? rg_node_at(g, id)->n_in : most;
    for (size_t i = 1; i < g->n_scope; i++)
        c->steps = g->scope[i].step >= c->steps ? g->scope[i].step + 1 : c->steps;
    const size_t taps = f->opts.parameters ? n_param * ((size_t)c->steps + 1) : 0;
    c->needed = rg_arena_get(&f->arena, g->n_node);
    c->scope = rg_arena_get(&f->arena, (g->n_scope + 1) * sizeof *c->scope);
    c->tap = taps ? rg_arena_get(&f->arena, taps * sizeof *c->tap) : NULL;
    c->in = rg_arena_get(&f->arena, most * sizeof *c->in);
    f->of = rg_arena_get(&f->arena, g->n_node * sizeof *f->of);
    f->tap = rg_arena_get(&f->arena, taps * sizeof *f->tap);
    f->source = rg_arena_get(&f->arena, (g->n_input + taps + f->n_loop) * sizeof *f->source);
    if (!c->needed || !c->scope || (taps && !c->tap) || !c->in || !f->of || !f->tap || !f->source ||
        rg_graph_create(&f->copy, g->params, &(rg_graph_opts){ .alloc = f->alloc }))
        return rg_flow_no_memory(f);
    return RG_OK;
}

/* An input for each loop's last state: what it is multiplied with. */
static rg_status make_seeds(rg_flow *f)
{
    f->seed = rg_arena_get(&f->arena, f->n_loop * sizeof *f->seed);
    f->direction = rg_arena_get(&f->arena, f->n_loop * sizeof *f->direction);
    if (!f->seed || !f->direction)
        return rg_flow_no_memory(f);
    for (size_t l = 0; l < f->n_loop && f->opts.probe != RG_PROBE_LOSS; l++) {
        const rg_flow_loop *loop = &f->loop[l];
        const rg_shape *shape = rg_node_at(f->g, f->track[loop->top].id[loop->T - 1])->shape;
        const size_t bytes = (size_t)rg_shape_count(*shape) * rg_dtype_size(f->opts.real);
        if (!(f->direction[l] = rg_arena_get(&f->arena, bytes)))
            return rg_flow_no_memory(f);
        f->seed[l] = leaf(f, "direction", (rg_sig){ RG_F, *shape },
                          (rg_flow_source){ .own = f->direction[l], .bytes = bytes });
    }
    return f->copy->status ? rg_fail(&f->err, f->copy->status, "%s", rg_graph_message(f->copy))
                           : RG_OK;
}

rg_status rg_flow_copy(rg_flow *f)
{
    struct copying c = { .f = f };
    rg_status st = prepare(&c);
    if (st)
        return st;
    mark_needed(&c);
    rg_copy_scopes(c.scope, f->g, f->copy);
    for (uint32_t id = 1; id < f->g->n_node && !f->copy->status; id++)
        if (c.needed[id] && !(c.tap && rg_node_at(f->g, id)->op == &rg_op_param))
            f->of[id] = copy_node(&c, id);
    f->copy->in_scope = f->copy->origin = 0;
    return make_seeds(f);
}

/* ---- Numbers for the inputs ------------------------------------------------------------------ */

static void convert(void *out, rg_dtype to, const void *in, rg_dtype from, int64_t n)
{
    for (size_t i = 0; i < (size_t)n; i++)
        rg_real_put(out, to, i, rg_real_at(in, from, i));
}

/* An index that makes a mask is a length: drawn as the longest. */
static bool is_length(const rg_graph *g, uint32_t leaf_id)
{
    for (uint32_t id = leaf_id + 1; id < g->n_node; id++)
        if (rg_node_at(g, id)->op == &rg_op_length_mask && rg_node_at(g, id)->in[0] == leaf_id)
            return true;
    return false;
}

static void draw(const rg_flow *f, void *out, const rg_plan_input *in, uint32_t id)
{
    enum { ANY = 10 }; /* where users allow everything */
    const uint64_t tail = rg_stream_tail(rg_fnv1a(in->name), 0);
    const uint64_t bound = in->bound == INT64_MAX ? ANY : (uint64_t)in->bound;
    const bool length = in->dtype == RG_I32 && is_length(f->g, id);
    const size_t n = in->bytes / rg_dtype_size(in->dtype);
    for (size_t i = 0; i < n; i++) {
        if (in->dtype == RG_F64 || in->dtype == RG_F32)
            rg_real_put(out, in->dtype, i,
                        rg_draw_normal(f->opts.seed, RG_DOMAIN_CHECK, tail, i));
        else if (in->dtype == RG_I32)
            ((int32_t *)out)[i] = (int32_t)(length ? bound - 1
                                                   : rg_draw_below(f->opts.seed, RG_DOMAIN_CHECK,
                                                                   tail, i, bound));
        else
            ((uint8_t *)out)[i] = 1;
    }
}

const void *rg_flow_bound(const rg_plan *plan, uint32_t id, rg_dtype *dtype)
{
    for (size_t i = 0; i < plan->n_input; i++) {
        const rg_plan_input *in = &plan->input[i];
        if (in->graph_id != id)
            continue;
        *dtype = in->dtype;
        return in->carry ? in->carry->data : in->data;
    }
    return NULL;
}

static rg_status bind_one(rg_flow *f, size_t i)
{
    const rg_plan_input *in = &f->plan->input[i];
    const rg_flow_source *from = &f->source[i];
    const rg_val v = { f->copy, in->graph_id };
    rg_dtype dtype = from->slot ? from->slot->dtype : in->dtype;
    const void *data = from->slot ? from->slot->data : from->own;
    void *made;
    if (from->input && f->opts.data && !(data = rg_flow_bound(f->opts.data, from->input, &dtype)))
        return rg_fail(&f->err, RG_EGRAPH, "gradflow: input '%s' is not bound to the plan that the "
                       "data is to come from", in->name);
    if (!data || dtype != in->dtype) {
        if (!(made = rg_arena_get(&f->arena, in->bytes)))
            return rg_flow_no_memory(f);
        if (data)
            convert(made, in->dtype, data, dtype,
                    (int64_t)(in->bytes / rg_dtype_size(in->dtype)));
        else
            draw(f, made, in, from->input);
        data = made;
    }
    rg_status st = rg_plan_bind(f->plan, v, data, in->bytes);
    return st ? rg_fail(&f->err, st, "%s", rg_plan_message(f->plan)) : RG_OK;
}

rg_status rg_flow_bind(rg_flow *f)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < f->plan->n_input && !st; i++)
        if (f->plan->input[i].id)
            st = bind_one(f, i);
    if (!st && f->opts.data) { /* the same random draws as in its last run */
        const int64_t number = *(const int64_t *)f->opts.data->run->data;
        *(int64_t *)f->plan->run->data = number > 0 ? number - 1 : 0;
    }
    return st;
}
