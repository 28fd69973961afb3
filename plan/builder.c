/* plan/builder.c -- the smart constructor: rules, then hash-consing, then a new node. */
#include "plan/builder.h"

#include "ops/ops.h"
#include "plan/passes/fold.h"

#include <string.h>

rg_status rg_builder_begin(rg_builder *b, rg_prog *p, rg_err *err)
{
    *b = (rg_builder){ .p = p, .old = p->node, .n_old = p->n_node, .old_cap = p->node_cap,
                       .err = err };
    /* what rules make on their way dies at the end, but is there for a while */
    const uint32_t most = b->n_old + b->n_old / 4;
    p->node = NULL;
    p->node_cap = 0;
    p->n_node = 1;
    p->side = !p->side;
    b->map = rg_get(&p->alloc, b->n_old * sizeof *b->map);
    b->was_folded = p->folded;
    b->but_stacks = p->folded_joined != p->joined;
    for (b->any_op = rg_rule_count(); b->any_op && !rg_rule_at(b->any_op - 1)->op; b->any_op--)
        ;
    b->failed = !b->map ||
                !rg_reserve(&p->alloc, &b->copied, &b->copied_cap, most, sizeof *b->copied) ||
                !rg_reserve_raw(&p->alloc, &p->node, &p->node_cap, most, sizeof *p->node) ||
                !rg_twins_reserve(&b->twins, &p->alloc, most);
    for (size_t i = rg_rule_count(); p->fold && i-- > 0 && !b->failed;)
        b->failed = !rg_rules_index(&b->rules, &p->alloc, i);
    return b->failed ? rg_builder_end(b) : RG_OK;
}

rg_status rg_builder_end(rg_builder *b)
{
    rg_prog *p = b->p;
    for (size_t i = 0; i < p->n_root && !b->failed; i++)
        p->root[i] = b->map[p->root[i]];
    for (uint32_t i = 0; i < p->n_of_graph && !b->failed; i++)
        p->of_graph[i] = b->map[p->of_graph[i]];
    rg_release(&p->alloc, b->old, b->old_cap * sizeof *b->old);
    rg_arena_free(&p->in[!p->side]);
    rg_release(&p->alloc, b->map, b->n_old * sizeof *b->map);
    rg_release(&p->alloc, b->copied, b->copied_cap * sizeof *b->copied);
    rg_release(&p->alloc, b->offset, b->offset_cap * sizeof *b->offset);
    rg_release(&p->alloc, b->many, b->many_cap * sizeof *b->many);
    rg_twins_free(&b->twins, &p->alloc);
    rg_index_free(&b->rules, &p->alloc);
    if (b->failed)
        return rg_fail(b->err, RG_ENOMEM, "plan: no memory for %u nodes", (unsigned)b->n_old);
    p->folded = p->fold;
    p->folded_joined = p->joined;
    p->consed = p->cse;
    return p->dce ? rg_prog_sweep(p, b->err) : RG_OK;
}

rg_status rg_builder_sweep(rg_prog *p, rg_err *err)
{
    rg_builder b;
    rg_status st = rg_builder_begin(&b, p, err);
    if (st)
        return st;
    for (uint32_t id = 1; id < b.n_old; id++)
        b.map[id] = rg_builder_copy(&b, id);
    return rg_builder_end(&b);
}

/* ---- Equal nodes are one -------------------------------------------------------------------- */

/* A draw is a function of its stream; one that names none is left alone. */
static bool may_share(const rg_node *n)
{
    return !(n->op->flags & RG_OP_RANDOM) || n->op->attr_bytes;
}

uint32_t rg_builder_plain(rg_builder *b, const rg_node *n)
{
    rg_prog *p = b->p;
    rg_node ordered = *n;
    uint32_t pair[2], id;
    rg_twins_place place;
    if (b->failed)
        return 0;
    p->visits += 1 + n->n_in;
    if (n->op->flags & RG_OP_COMMUTES && n->n_in == 2 && n->in[0] > n->in[1]) {
        pair[0] = n->in[1];
        pair[1] = n->in[0];
        ordered.in = pair;
    }
    const bool share = p->cse && !p->copies && may_share(n);
    if (share && (id = rg_twins_find(&b->twins, p, &ordered, &place)))
        return id;
    id = rg_prog_add(p, &ordered, ordered.in, ordered.n_in);
    b->failed = !id || (share && !rg_twins_add(&b->twins, p, id, place));
    return b->failed ? 0 : id;
}

uint32_t rg_builder_anew(rg_builder *b, const rg_node *n)
{
    rg_prog *p = b->p;
    const uint32_t id = b->failed ? 0 : rg_prog_add(p, n, n->in, n->n_in);
    p->visits += 1 + n->n_in;
    b->failed |= !id || (p->cse && !rg_twins_reserve(&b->twins, &p->alloc, id + 1));
    return b->failed ? 0 : id;
}

/* ---- Rules ---------------------------------------------------------------------------------- */

enum {
    MOST_REWRITES = 64, /* rules hand over smaller problems; this only guards against a wrong one */
    SEEN = 3,           /* levels of operands that decide whether a rule has something to say */
};

static uint32_t apply(rg_builder *b, size_t rule, rg_node *n)
{
    const uint32_t id = rg_rule_at(rule)->apply(b, n);
    if (id && b->p->fired)
        b->p->fired[rule]++;
    return id;
}

/* One round: the first rule that has something to say. */
static uint32_t try_rules(rg_builder *b, rg_node *n)
{
    uint32_t id = 0;
    const rg_rule *rule = rg_rule_at(0);
    for (size_t i = rg_rules_of(&b->rules, n->op); i < b->any_op && rule[i].op == n->op && !id; i++)
        id = apply(b, i, n);
    for (size_t i = rg_rule_count(); i-- > b->any_op && !id;)
        id = apply(b, i, n);
    return id;
}

/* What equals the node *now, which rules may rewrite; *plain: they did not. */
static uint32_t simplify(rg_builder *b, rg_node *now, bool *plain)
{
    *plain = true;
    for (int round = 0; b->p->fold && round < MOST_REWRITES && !b->failed; round++) {
        const uint32_t id = try_rules(b, now);
        *plain &= !id;
        if (id && id != RG_AGAIN)
            return id;
        if (!id)
            break;
    }
    return rg_builder_plain(b, now);
}

uint32_t rg_builder_add(rg_builder *b, const rg_node *n)
{
    rg_node now = *n;
    bool plain;
    return simplify(b, &now, &plain);
}

/* Map the operands of an old node into b->many; the levels below it that are what they were. */
static uint32_t map_operands(rg_builder *b, rg_node *n)
{
    uint32_t levels = SEEN;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t now = b->many[k] = b->map[n->in[k]];
        const rg_copied *c = &b->copied[now];
        const uint32_t own = now < b->copied_cap && c->of == n->in[k] ? c->levels : 0;
        levels = own < levels ? own : levels;
    }
    n->in = b->many;
    return levels;
}

uint32_t rg_builder_copy(rg_builder *b, uint32_t id)
{
    rg_prog *p = b->p;
    rg_node n = b->old[id];
    if (b->failed || !rg_reserve(&p->alloc, &b->many, &b->many_cap, n.n_in, sizeof *b->many)) {
        b->failed = true;
        return 0;
    }
    const uint32_t levels = map_operands(b, &n), next = p->n_node;
    const bool settled = b->was_folded && levels == SEEN &&
                         !(b->but_stacks && n.op == &rg_op_concat);
    bool plain = true;
    const uint32_t now = settled ? rg_builder_plain(b, &n) : simplify(b, &n, &plain);
    if (b->failed || !plain || now != next)
        return now; /* something else, or something that was there already */
    if (!rg_reserve(&p->alloc, &b->copied, &b->copied_cap, (size_t)now + 1, sizeof *b->copied)) {
        b->failed = true;
        return 0;
    }
    b->copied[now] = (rg_copied){ id, levels < SEEN ? levels + 1 : SEEN };
    return now;
}

/* ---- For passes and rules ------------------------------------------------------------------- */

const void *rg_builder_attr(rg_builder *b, const void *attr, size_t bytes)
{
    void *copy = rg_arena_get(&b->p->arena, bytes);
    if (copy && bytes)
        memcpy(copy, attr, bytes);
    b->failed |= !copy;
    return copy;
}

const rg_shape *rg_builder_shape(rg_builder *b, const rg_shape *shape)
{
    const rg_shape *kept = rg_shapes_keep(&b->p->shapes, &b->p->arena, shape);
    b->failed |= !kept;
    return kept;
}

rg_node rg_builder_like(rg_builder *b, const rg_node *like, const rg_op *op, const void *attr,
                        const rg_shape *shape, const uint32_t *in, uint32_t n_in)
{
    rg_node n = *like;
    n.op = op;
    n.attr = op->attr_bytes ? rg_builder_attr(b, attr, op->attr_bytes) : NULL;
    n.shape = rg_builder_shape(b, shape);
    n.in = in;
    n.n_in = n_in;
    n.outcome = RG_GRADIENT;
    return n;
}

const int64_t *rg_builder_offsets(rg_builder *b, uint32_t id)
{
    const rg_node *n = rg_built(b, id);
    if (b->failed || !rg_reserve(&b->p->alloc, &b->offset, &b->offset_cap, (size_t)id + 1,
                                 sizeof *b->offset)) {
        b->failed = true;
        return NULL;
    }
    if (!b->offset[id]) {
        const int axis = ((const rg_attr_axis *)n->attr)->axis;
        int64_t *at = rg_arena_get(&b->p->arena, (n->n_in + 1) * sizeof *at);
        if (!at) {
            b->failed = true;
            return NULL;
        }
        for (uint32_t k = 0; k < n->n_in; k++)
            at[k + 1] = at[k] + rg_built(b, n->in[k])->shape->dim[axis];
        b->p->visits += n->n_in;
        b->offset[id] = at;
    }
    return b->offset[id];
}
