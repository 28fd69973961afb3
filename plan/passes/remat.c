/* plan/passes/remat.c -- elementwise values that are cheaper to compute again than to keep.
 *
 * Needs    that only `fuse` follows: equal nodes would become one again.
 * Leaves   copies of nodes, for readers that run much later; what nobody reads any more is gone.
 * Law      exact: the same operation on the same elements.
 *
 * A value that is read where it is made and once more much later, as tanh(c) is in a cell, lies in
 * memory meanwhile. Where its operands lie there anyhow, the later readers get a copy of their own.
 * And a value that is read in windows by one program after the other, as the gradient of a sum
 * over a sequence is, step by step, is computed window by window.
 *
 * Later is what `fuse` calls a higher level (rg_fuse_levels()). */
#include "plan/passes/passes.h"

#include "plan/builder.h"
#include "plan/passes/fusible.h"
#include "plan/passes/products.h"

#include <string.h>

enum { AS_IT_IS, AGAIN, IN_WINDOWS }; /* what is done to a value */
enum { FAR = 4, MOST_IN = 2, MOST_CHAIN = 4 };

/* Hundredths of nanoseconds for an element; to write it and to read it is worth KEEP, at about 20
 * GB/s. In f64 the last three are calls. */
enum { KEEP = 40 };
static const struct price {
    const rg_op *op;
    int          f32, f64;
} prices[] = {
    { &rg_op_add, 5, 10 },       { &rg_op_sub, 5, 10 },   { &rg_op_mul, 5, 10 },
    { &rg_op_neg, 5, 10 },       { &rg_op_scale, 5, 10 }, { &rg_op_shift, 5, 10 },
    { &rg_op_one_minus, 5, 10 }, { &rg_op_square, 5, 10 }, { &rg_op_relu, 5, 10 },
    { &rg_op_tanh, 35, 800 },    { &rg_op_sigmoid, 35, 800 }, { &rg_op_exp, 30, 800 },
};

struct remat {
    rg_prog   *p;
    rg_builder b;
    rg_uses    uses;
    uint32_t  *level;
    uint32_t  *last;     /* by value: the last level that reads it, through any views */
    uint32_t  *far;      /* by value: the first level far away that reads it; 0 = none */
    uint8_t   *kind;     /* by value: what is done to it */
    uint32_t  *again;    /* by value: its copy, in the new program; 0 = not yet made */
    uint32_t  *whole;    /* by view: the value that is computed window by window */
    uint32_t (*part)[MOST_IN]; /* by view of such a value: that view of what it is computed from */
};

static bool is_cheap(const rg_prog *p, const rg_node *node)
{
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
        if (prices[i].op == node->op)
            return (p->real == RG_F32 ? prices[i].f32 : prices[i].f64) <= KEEP;
    return false;
}

static bool is_window(const rg_node *node)
{
    return node->op == &rg_op_slice || node->op == &rg_op_reshape;
}

/* ---- What is read when ----------------------------------------------------------------------- */

static void find_readers(struct remat *r)
{
    const rg_node *node = r->p->node;
    for (uint32_t id = r->p->n_node; id-- > 1;)
        for (uint32_t k = 0; k < node[id].n_in; k++) {
            const uint32_t in = node[id].in[k], at = r->level[id];
            const bool passes = rg_node_is_view(&node[id]) || node[id].op == &rg_op_concat;
            const uint32_t l = passes && r->last[id] ? r->last[id] : at;
            r->last[in] = l > r->last[in] ? l : r->last[in];
            if (at >= r->level[in] + FAR && node[id].op != &rg_op_concat &&
                (!r->far[in] || at < r->far[in]))
                r->far[in] = at;
        }
}

/* A stack lives as long as its parts do, on the average; and so do views of it. */
static void find_stacks(struct remat *r)
{
    const rg_node *node = r->p->node;
    for (uint32_t id = 1; id < r->p->n_node; id++) {
        uint64_t sum = 0;
        if (node[id].op != &rg_op_concat && !rg_node_is_view(&node[id]))
            continue;
        for (uint32_t k = 0; k < node[id].n_in; k++)
            sum += r->last[node[id].in[k]];
        const uint32_t mean = (uint32_t)(sum / (node[id].n_in ? node[id].n_in : 1));
        r->last[id] = mean > r->last[id] ? mean : r->last[id];
    }
}

/* What a value is computed from by functions of one operand that nobody else wants; those, the last
 * one first. */
static uint32_t bottom_of(const struct remat *r, const rg_node *node, uint32_t id,
                          uint32_t *chain, uint32_t *n)
{
    for (*n = 0; *n < MOST_CHAIN && rg_node_is_fusible(&node[id]) && node[id].n_in == 1 &&
                 is_cheap(r->p, &node[id]) && rg_used_once(&r->uses, id);
         id = node[id].in[0])
        chain[(*n)++] = id;
    return id;
}

/* Would reading its operands at this level make them live longer by less than half of what the
 * value is spared? */
static bool operands_live(const struct remat *r, uint32_t id, uint32_t at)
{
    const rg_node *node = &r->p->node[id];
    uint64_t longer = 0;
    for (uint32_t k = 0; k < node->n_in; k++) {
        const uint32_t in = node->in[k];
        if (!rg_node_is_leaf(&r->p->node[in]) && r->kind[in] != AGAIN && r->last[in] < at)
            longer += at - r->last[in];
    }
    return 2 * longer <= at - r->level[id];
}

static bool worth_again(const struct remat *r, uint32_t id)
{
    const rg_node *node = &r->p->node[id];
    return r->far[id] && rg_node_is_fusible(node) && !r->uses.root[id] && is_cheap(r->p, node) &&
           operands_live(r, id, r->far[id]);
}

/* ---- Windows --------------------------------------------------------------------------------- */

/* Are all windows of it read by elementwise nodes, and the last of them far away? */
static bool read_in_windows(const struct remat *r, uint32_t id)
{
    const rg_node *node = r->p->node;
    uint32_t windows = 0;
    for (uint32_t k = r->uses.first[id]; k < r->uses.first[id + 1]; k++) {
        const uint32_t user = r->uses.user[k];
        if (!rg_node_is_view(&node[user]))
            continue;
        windows += node[user].op == &rg_op_slice;
        if (!is_window(&node[user]) || r->uses.root[user])
            return false;
    }
    return windows > 1 && r->last[id] >= r->level[id] + FAR;
}

/* What it is computed from lies like the value and lives until the last window, but for numbers. */
static bool worth_windows(const struct remat *r, uint32_t id)
{
    const rg_node *node = &r->p->node[id];
    uint32_t chain[MOST_CHAIN], n;
    uint64_t longer = 0;
    double x;
    if (!rg_node_is_fusible(node) || node->n_in > MOST_IN || r->uses.root[id] ||
        !is_cheap(r->p, node) || !read_in_windows(r, id))
        return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        const uint32_t from = bottom_of(r, r->p->node, node->in[k], chain, &n);
        if (rg_node_is_number(&r->p->node[from], &x))
            continue;
        if (!rg_shape_equal(*r->p->node[from].shape, *node->shape))
            return false;
        if (!rg_node_is_leaf(&r->p->node[from]) && r->last[from] < r->last[id])
            longer += r->last[id] - r->last[from];
    }
    return 2 * longer <= r->last[id] - r->level[id];
}

/* This view of a value. A number has no places: the same number in the view's shape. */
static uint32_t view_of(struct remat *r, uint32_t view, uint32_t value, uint32_t k)
{
    const rg_node *node = &r->b.old[view];
    const uint32_t from = node->in[0];
    double x;
    rg_node n = *node;
    if (rg_node_is_number(&r->b.old[value], &x)) {
        rg_attr_full attr;
        memset(&attr, 0, sizeof attr);
        attr.sig.shape = *node->shape;
        attr.value = x;
        n = rg_builder_like(&r->b, node, &rg_op_full, &attr, node->shape, NULL, 0);
        return r->b.failed ? 0 : rg_builder_plain(&r->b, &n);
    }
    const uint32_t operand = from == r->whole[view] ? r->b.map[value] : r->part[from][k];
    n.in = &operand;
    return rg_builder_plain(&r->b, &n);
}

/* Value @p id of operands @p in, for this view only. */
static uint32_t compute(struct remat *r, uint32_t view, uint32_t id, const uint32_t *in)
{
    rg_node n = r->b.old[id];
    n.shape = r->b.old[view].shape;
    n.scope = r->b.old[view].scope;
    n.in = in;
    return rg_builder_anew(&r->b, &n);
}

static void view_parts(struct remat *r, uint32_t view)
{
    const rg_node *whole = &r->b.old[r->whole[view]];
    uint32_t chain[MOST_CHAIN], n;
    for (uint32_t k = 0; k < whole->n_in; k++)
        r->part[view][k] = view_of(r, view, bottom_of(r, r->b.old, whole->in[k], chain, &n), k);
}

static uint32_t compute_window(struct remat *r, uint32_t view)
{
    const rg_node *whole = &r->b.old[r->whole[view]];
    uint32_t in[MOST_IN], chain[MOST_CHAIN], n;
    for (uint32_t k = 0; k < whole->n_in; k++) {
        (void)bottom_of(r, r->b.old, whole->in[k], chain, &n);
        in[k] = r->part[view][k];
        while (n-- > 0)
            in[k] = compute(r, view, chain[n], &in[k]);
    }
    return compute(r, view, r->whole[view], in);
}

/* ---- The pass -------------------------------------------------------------------------------- */

/* What a node at this level gets for an operand: copies are made for the first that wants them, so
 * that the order of nodes stays that of their use. */
static uint32_t operand(struct remat *r, uint32_t id, uint32_t level)
{
    rg_node n = r->b.old[id];
    uint32_t in[RG_TILE_MAX_IN];
    if (!r->whole[id] && (r->kind[id] != AGAIN || level < r->level[id] + FAR))
        return r->b.map[id];
    if (r->again[id])
        return r->again[id];
    if (r->whole[id])
        return r->again[id] = compute_window(r, id);
    for (uint32_t k = 0; k < n.n_in; k++)
        in[k] = r->again[n.in[k]] ? r->again[n.in[k]] : r->b.map[n.in[k]];
    n.in = in;
    return r->again[id] = rg_builder_anew(&r->b, &n);
}

static void copy(struct remat *r, uint32_t id)
{
    const rg_node *node = &r->b.old[id];
    uint32_t kept[RG_TILE_MAX_IN];
    const bool same = node->n_in > RG_TILE_MAX_IN || rg_node_is_view(node) ||
                      node->op == &rg_op_concat; /* whose parts are computed in their places */
    for (uint32_t k = 0; k < node->n_in && !same; k++)
        kept[k] = r->b.map[node->in[k]];
    for (uint32_t k = 0; k < node->n_in && !same; k++)
        r->b.map[node->in[k]] = operand(r, node->in[k], r->level[id]);
    r->b.map[id] = rg_builder_copy(&r->b, id);
    for (uint32_t k = 0; k < node->n_in && !same; k++)
        r->b.map[node->in[k]] = kept[k];
}

static rg_status run(struct remat *r, rg_err *err)
{
    for (uint32_t id = 1; id < r->p->n_node; id++) {
        const uint32_t from = r->p->node[id].n_in ? r->p->node[id].in[0] : 0;
        r->kind[id] = worth_windows(r, id) ? IN_WINDOWS : worth_again(r, id) ? AGAIN : AS_IT_IS;
        if (is_window(&r->p->node[id]) && !r->uses.root[id])
            r->whole[id] = r->kind[from] == IN_WINDOWS ? from : r->whole[from];
    }
    rg_status st = rg_builder_begin(&r->b, r->p, err);
    if (st)
        return st;
    for (uint32_t id = 1; id < r->b.n_old; id++) {
        copy(r, id);
        if (r->whole[id])
            view_parts(r, id);
    }
    return rg_builder_end(&r->b);
}

rg_status rg_pass_remat(rg_prog *p, rg_err *err)
{
    const size_t n = p->n_node;
    struct remat r = { .p = p };
    rg_arena arena;
    rg_status st = RG_OK;
    if (p->keep)
        return RG_OK;
    rg_arena_init(&arena, &p->alloc);
    r.level = rg_arena_get(&arena, n * sizeof *r.level);
    r.last = rg_arena_get(&arena, n * sizeof *r.last);
    r.far = rg_arena_get(&arena, n * sizeof *r.far);
    r.again = rg_arena_get(&arena, n * sizeof *r.again);
    r.whole = rg_arena_get(&arena, n * sizeof *r.whole);
    r.part = rg_arena_get(&arena, n * sizeof *r.part);
    r.kind = rg_arena_get(&arena, n);
    if (!r.level || !r.last || !r.far || !r.again || !r.whole || !r.part || !r.kind)
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    if (!st && !(st = rg_fuse_levels(p, r.level, err)) && !(st = rg_uses_make(&r.uses, p, err))) {
        find_readers(&r);
        find_stacks(&r);
        st = run(&r, err);
    }
    rg_uses_free(&r.uses, p);
    rg_arena_free(&arena);
    return st;
}
