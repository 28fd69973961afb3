/* check/complex.c -- the oracle without a noise floor: Im f(x + iεv)/ε by kernels for complex
 * numbers, where nothing cancels, however small a gradient has become on its way back in time.
 * Source: W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions",
 * SIAM Review 40, 1998. docs/MATH.md 13.5. */
#include "check/check.h"

#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"

typedef double _Complex real;

/* The step, and what slopes it cannot tell from zero. */
static const double EPSILON = 1e-30, UNDERFLOW = 1e-260;

/* A program of the split copy for one value; every node has memory of its own. */
struct rg_check_complex {
    const rg_graph *g;
    uint32_t   top;           /* id of the value */
    void     **value;         /* by id; NULL = not needed */
    uint8_t   *moves;         /* by id: depends on the block at hand */
    rg_shape  *in_shape;      /* of one node's operands */
    const void **in;
    void     **scratch;       /* an operand spread to the result's shape */
    const char *missing;      /* name of an op that has no kernel for complex numbers, or failed */
    uint64_t   seed;
};

static size_t item_size(rg_kind kind)
{
    return kind == RG_F ? sizeof(real) : rg_kind_size(kind, RG_F64);
}

static size_t bytes_of(const rg_node *node)
{
    return (size_t)rg_shape_count(*node->shape) * item_size((rg_kind)node->kind);
}

/* The kernel for complex numbers; where no reals are met, any will do. */
static rg_kernel_fn *kernel_of(const rg_graph *g, const rg_node *node)
{
    bool reals = node->kind == RG_F;
    for (uint32_t k = 0; k < node->n_in; k++)
        reals = reals || rg_node_at(g, node->in[k])->kind == RG_F;
    return node->op->kernel_complex ? node->op->kernel_complex
                                    : reals ? NULL : node->op->kernel_f64;
}

static void widen(real *out, const double *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i];
}

static void fill_constant(void *out, const rg_node *node)
{
    const int64_t n = rg_shape_count(*node->shape);
    if (node->op == &rg_op_full) {
        for (int64_t i = 0; i < n; i++)
            ((real *)out)[i] = ((const rg_attr_full *)node->attr)->value;
        return;
    }
    const rg_attr_constant *at = node->attr;
    if (node->kind == RG_F)
        widen(out, at->data, n);
    else if (at->bytes)
        memcpy(out, at->data, at->bytes);
}

/* ---- Running -------------------------------------------------------------------------------- */

static void run_node(struct rg_check_complex *p, uint32_t id)
{
    const rg_node *node = rg_node_at(p->g, id);
    for (uint32_t k = 0; k < node->n_in; k++) {
        const rg_node *from = rg_node_at(p->g, node->in[k]);
        p->in_shape[k] = *from->shape;
        p->in[k] = p->value[node->in[k]];
        if (node->op->flags & RG_OP_ELEMENTWISE && !rg_shape_equal(*from->shape, *node->shape)) {
            rg_shape_spread(p->scratch[k], p->in[k], from->shape, node->shape,
                            item_size((rg_kind)from->kind));
            p->in[k] = p->scratch[k];
        }
    }
    const rg_kernel_args args = {
        .n = rg_shape_count(*node->shape), .out = p->value[id], .in = p->in, .n_in = node->n_in,
        .in_shape = p->in_shape, .out_shape = node->shape, .attr = node->attr,
        .item = item_size((rg_kind)node->kind), .seed = p->seed,
    };
    if (kernel_of(p->g, node)(&args))
        p->missing = node->op->name;
}

static bool computed(const rg_node *node)
{
    return !rg_node_is_leaf(node);
}

/* Everything, or what moves. */
static void run(struct rg_check_complex *p, bool all)
{
    for (uint32_t id = 1; id <= p->top && !p->missing; id++)
        if (p->value[id] && computed(rg_node_at(p->g, id)) && (all || p->moves[id]))
            run_node(p, id);
}

static void mark_moving(struct rg_check_complex *p, uint32_t leaf)
{
    memset(p->moves, 0, (size_t)p->top + 1);
    if (leaf <= p->top)
        p->moves[leaf] = 1;
    for (uint32_t id = leaf + 1; id <= p->top; id++) {
        const rg_node *node = rg_node_at(p->g, id);
        for (uint32_t k = 0; k < node->n_in && !p->moves[id]; k++)
            p->moves[id] = p->moves[node->in[k]];
    }
}

/* ---- Setting up ----------------------------------------------------------------------------- */

/* Memory for everything that the value needs; p->missing: what keeps it from being computed. */
static rg_status place(rg_check *c, struct rg_check_complex *p)
{
    uint32_t most = 0;
    size_t widest = 0, n_scratch = 0;
    p->value[p->top] = p;     /* a mark, until there is memory */
    for (uint32_t id = p->top; id > 0; id--) {
        const rg_node *node = rg_node_at(p->g, id);
        if (!p->value[id])
            continue;
        for (uint32_t k = 0; k < node->n_in; k++)
            p->value[node->in[k]] = p;
        if (computed(node) && !kernel_of(p->g, node))
            p->missing = node->op->name;
        most = node->n_in > most ? node->n_in : most;
        if (node->op->flags & RG_OP_ELEMENTWISE) {
            n_scratch = node->n_in > n_scratch ? node->n_in : n_scratch;
            const size_t n = (size_t)rg_shape_count(*node->shape) * sizeof(real);
            widest = n > widest ? n : widest;
        }
        if (!(p->value[id] = rg_arena_get(&c->arena, bytes_of(node))))
            return rg_check_no_memory(c);
    }
    p->moves = rg_arena_get(&c->arena, (size_t)p->top + 1);
    p->in_shape = rg_arena_get(&c->arena, most * sizeof *p->in_shape);
    p->in = rg_arena_get(&c->arena, most * sizeof *p->in);
    p->scratch = rg_arena_get(&c->arena, n_scratch * sizeof *p->scratch);
    if (!p->moves || !p->in_shape || !p->in || !p->scratch)
        return rg_check_no_memory(c);
    for (size_t k = 0; k < n_scratch; k++)
        if (!(p->scratch[k] = rg_arena_get(&c->arena, widest)))
            return rg_check_no_memory(c);
    return RG_OK;
}

static void fill_leaves(const rg_check *c, struct rg_check_complex *p)
{
    for (uint32_t id = 1; id <= p->top; id++)
        if (p->value[id] && rg_node_is_constant(rg_node_at(p->g, id)))
            fill_constant(p->value[id], rg_node_at(p->g, id));
    for (size_t i = 0; i < c->split.n_bind; i++) {
        const rg_check_binding *b = &c->split.bind[i];
        const uint32_t id = b->leaf.id;
        if (id > p->top || !p->value[id])
            continue;
        if (rg_kind_of(b->leaf) == RG_F)
            widen(p->value[id], b->data, rg_shape_count(rg_shape_of(b->leaf)));
        else if (b->bytes)
            memcpy(p->value[id], b->data, b->bytes);
    }
}

static rg_status make(rg_check *c, rg_check_objective *o)
{
    struct rg_check_complex *p = rg_arena_get(&c->arena, sizeof *p);
    if (!p)
        return rg_check_no_memory(c);
    *p = (struct rg_check_complex){ .g = c->split.g, .top = o->value.id,
                                    .seed = c->split.g->params ? c->split.g->params->seed : 0 };
    if (!(p->value = rg_arena_get(&c->arena, ((size_t)p->top + 1) * sizeof *p->value)))
        return rg_check_no_memory(c);
    rg_status st = place(c, p);
    if (st)
        return st;
    fill_leaves(c, p);
    run(p, true);
    o->program = p;
    return RG_OK;
}

/* ---- The gradient's own rounding ------------------------------------------------------------ */

/* How far gradients move when every value on their way moves by its last bits: what they may be off
 * themselves, be it by saturated gates or by a recurrence that explodes. */
static rg_status measure_jitter(rg_check *c, rg_check_objective *o)
{
    rg_status st = RG_OK;
    if (!(o->jitter = rg_arena_get(&c->arena, c->n_block * sizeof *o->jitter)))
        return rg_check_no_memory(c);
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, o->diff, RG_F64, k);
        for (size_t i = 0; i < c->n_block && !st; i++) {
            const rg_check_result *r = &o->result[i];
            const double *g = rg_plan_data(o->diff, o->grad[i]);
            for (size_t j = 0; j < r->n; j++) {
                const double moved = rg_check_along(r->block->tensor, g, r->n, j);
                o->jitter[i] = fmax(o->jitter[i], RG_CHECK_SAFETY * fabs(moved - r->got[j]));
            }
        }
    }
    return st ? st : rg_check_run(c, o->diff);
}

/* ---- One block ------------------------------------------------------------------------------ */

static double slope(struct rg_check_complex *p, const rg_check_result *r, size_t j)
{
    const rg_check_tensor *t = r->block->tensor;
    const double *d = t->direction + (int64_t)j * t->n;
    real *x = p->value[r->block->leaf.id];
    const bool alone = (int64_t)r->n == t->n;
    for (int64_t i = 0; i < t->n; i++)
        x[i] = CMPLX(t->base[i], alone ? (i == (int64_t)j) * EPSILON : d[i] / t->step * EPSILON);
    run(p, false);
    return cimag(*(const real *)p->value[p->top]) / EPSILON;
}

rg_status rg_check_complex_step(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    rg_status st = o->program ? RG_OK : make(c, o);
    if (!st && !o->jitter)
        st = measure_jitter(c, o);
    struct rg_check_complex *p = o->program;
    if (st)
        return st;
    if (p->missing) {
        r->missing = p->missing;
        return RG_OK;
    }
    const uint32_t leaf = r->block->leaf.id;
    mark_moving(p, leaf);
    for (size_t j = 0; j < r->n; j++)
        r->want[j] = leaf <= p->top && p->value[leaf] ? slope(p, r, j) : 0;
    if (leaf <= p->top && p->value[leaf])
        widen(p->value[leaf], r->block->tensor->base, r->block->tensor->n);
    run(p, false);            /* as before for the next block */
    memset(r->out, 0, r->n);
    r->excluded = 0;
    r->exact = true;
    r->h = 0;
    r->sigma = fmax(o->jitter[r->block - c->block], UNDERFLOW);
    r->rtol = fmax(1e-10, 1e-4 * c->rtol);
    r->reason = "below the rounding of the gradient itself";
    return RG_OK;
}
