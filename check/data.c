/* check/data.c -- numbers for every leaf: the store's, a plan's, or drawn; directions to move. */
#include "check/check.h"

#include "base/philox.h"
#include "base/real.h"

#include <math.h>
#include <string.h>

/* Streams of a name: its data, and its directions. */
enum { STREAM_DATA = 0, STREAM_DIRECTION = 1 };

static uint64_t stream(const char *name, uint64_t what)
{
    return rg_stream_tail(rg_fnv1a(name), what);
}

static void widen(double *out, const void *in, int64_t n, rg_dtype from)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = rg_real_at(in, from, (size_t)i);
}

static void draw_reals(const rg_check *c, double *out, int64_t n, const char *name)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = rg_draw_normal(c->seed, RG_DOMAIN_CHECK, stream(name, STREAM_DATA), (uint64_t)i);
}

static rg_status make_leaf(rg_check *c, uint32_t id)
{
    const rg_node *node = rg_node_at(c->g, id);
    const int64_t n = rg_shape_count(*node->shape);
    void *data = c->tensor_of[id] ? c->tensor[c->tensor_of[id] - 1].base
                                  : rg_arena_get(&c->arena, (size_t)n * sizeof(double));
    if (!data)
        return rg_check_no_memory(c);
    c->data[id] = data;
    if (node->op == &rg_op_param) {
        const rg_slot *slot = ((const rg_attr_param *)node->attr)->slot;
        widen(data, slot->data, n, slot->dtype);
    } else if (!c->bound && node->kind == RG_F) {
        draw_reals(c, data, n, ((const rg_attr_input *)node->attr)->name);
    } else if (!c->bound && node->kind == RG_BOOL && n) {
        memset(data, 1, (size_t)n);
    }
    return RG_OK;
}

/* What is bound to the caller's plan, or carried in it. */
static rg_status take_bound(rg_check *c, uint8_t *taken)
{
    for (size_t i = 0; i < c->bound->n_input; i++) {
        const rg_plan_input *in = &c->bound->input[i];
        void *to = c->data[in->graph_id];
        const void *from = in->carry ? in->carry->data : in->data;
        if (!to || !from)
            continue;
        taken[in->graph_id] = 1;
        if (in->dtype == RG_F32 || in->dtype == RG_F64)
            widen(to, from, rg_shape_count(*rg_node_at(c->g, in->graph_id)->shape), in->dtype);
        else if (in->bytes)
            memcpy(to, from, in->bytes);
    }
    for (uint32_t id = 1; id <= c->loss.id; id++) {
        const rg_node *node = rg_node_at(c->g, id);
        if (c->needed[id] && node->op == &rg_op_input && !taken[id])
            return rg_fail(&c->err, RG_EGRAPH, "gradcheck: input '%s' is not bound to the plan "
                           "that the data is to come from",
                           ((const rg_attr_input *)node->attr)->name);
    }
    return RG_OK;
}

rg_status rg_check_reals(rg_check *c)
{
    rg_status st = RG_OK;
    for (uint32_t id = 1; id <= c->loss.id && !st; id++) {
        const rg_node *node = rg_node_at(c->g, id);
        if (c->needed[id] && (node->op == &rg_op_param || node->op == &rg_op_input))
            st = make_leaf(c, id);
    }
    if (st || !c->bound)
        return st;
    uint8_t *taken = rg_arena_get(&c->arena, c->g->n_node);
    return taken ? take_bound(c, taken) : rg_check_no_memory(c);
}

/* ---- Indices -------------------------------------------------------------------------------- */

/* An index that makes a mask is a length: drawn as the longest. */
static bool is_length(const rg_check *c, uint32_t leaf)
{
    for (uint32_t id = leaf + 1; id <= c->loss.id; id++) {
        const rg_node *node = rg_node_at(c->g, id);
        for (uint32_t k = 0; k < node->n_in && node->kind == RG_BOOL && node->op->index; k++)
            if (node->in[k] == leaf)
                return true;
    }
    return false;
}

rg_status rg_check_indices(rg_check *c)
{
    enum { ANY = 10 }; /* where users allow everything */
    for (size_t i = 0; i < c->whole.n_bind && !c->bound; i++) {
        const rg_check_binding *b = &c->whole.bind[i];
        const rg_plan_input *in = &c->interpreted->input[i]; /* leaves are bound in order */
        if (in->dtype != RG_I32)
            continue;
        const char *name = ((const rg_attr_input *)rg_node_at(c->g, b->id)->attr)->name;
        const int64_t bound = in->bound == INT64_MAX ? ANY : in->bound;
        const bool length = is_length(c, b->id);
        int32_t *x = b->data;
        for (size_t k = 0; k < b->bytes / sizeof *x; k++)
            x[k] = (int32_t)(length ? bound - 1
                                    : (int64_t)rg_draw_below(c->seed, RG_DOMAIN_CHECK,
                                                             stream(name, STREAM_DATA), k,
                                                             (uint64_t)bound));
    }
    return RG_OK;
}

/* ---- Directions ----------------------------------------------------------------------------- */

static double snapped(double x, double grain)
{
    return nearbyint(x / grain) * grain;
}

/* h₀ = 7e-4·max(1, |x|); the farthest point is 4·2⁵ = 128 of them away, and all stay within 2⁵² of
 * the grain. */
void rg_check_directions(rg_check *c, rg_check_tensor *t, const double *value)
{
    const double scale = fmax(1, rg_check_largest(value, t->n)), h = 7e-4 * scale;
    int exponent;
    (void)frexp(scale + 130 * h, &exponent);
    t->grain = ldexp(1, exponent - 52);
    t->step = snapped(h, t->grain);
    for (int64_t i = 0; i < t->n; i++)
        t->base[i] = snapped(t->base[i], t->grain);
    for (uint64_t j = 0; j < RG_CHECK_RANDOM && t->n > RG_CHECK_RANDOM; j++) {
        double *d = t->direction + (int64_t)j * t->n;
        for (int64_t i = 0; i < t->n; i++)
            d[i] = 2 * rg_draw_uniform(c->seed, RG_DOMAIN_CHECK,
                                       stream(t->name, STREAM_DIRECTION + j), (uint64_t)i) - 1;
        const double most = rg_check_largest(d, t->n);
        for (int64_t i = 0; i < t->n; i++)
            d[i] = snapped(d[i] / most * t->step, t->grain);
    }
}
