/* plan/passes/fuse.c -- elementwise nodes, and sums and softmax of short rows, into tile programs.
 *
 * Needs    a verified program.
 * Leaves   p->cluster: nodes of one number have one iteration space and become one program.
 * Law      exact per element.
 *
 * The space of such a node is its shape; of a sum over the last axis that of its operand, and so of
 * what is computed elementwise from such sums, with one element for each row of the space.
 *
 * The level of a node is the number of steps on the longest path to it, where going from one
 * node to another of its space costs nothing and views are free. A node that has a space then
 * moves to the latest level that its users allow, so that what only the backward part needs
 * is computed there; except where it would be the only one to read an operand from an earlier
 * program and could be computed there: then it is kept in the operand's stead, and what else it
 * reads may die sooner. A path that leaves a set of nodes of one level and one shape comes back at
 * a higher level, so such sets never form a cycle. They are split into what hangs together, and
 * cut in order of ids where a program would become too long. A sum that hangs together with nothing
 * stays alone. */
#include "plan/passes/passes.h"

#include "kernels/tile.h"
#include "plan/passes/fusible.h"

#include <string.h>

/* Values in a program: operands are counted once per use, so this is on the safe side. */
enum { MOST = RG_TILE_MAX_VALUES - RG_TILE_MAX_IN - 1 };

struct fuse {
    rg_prog  *p;
    const rg_shape **space; /* by id: of its program; NULL = can be in none */
    uint32_t *level;  /* by id; at first the earliest, in the end the final one */
    uint32_t *limit;  /* the latest that users allow */
    uint32_t *set;    /* union-find: parent */
    uint32_t *reader; /* by id: the last elementwise node that read it */
    uint32_t *piece;  /* by root of a set: cluster being filled. Before: readers of a value, */
    uint32_t *weight; /* by root: values in it.                  Before: and those apart from it */
};

static bool same(const rg_shape *a, const rg_shape *b)
{
    return a == b || rg_shape_equal(*a, *b);
}

/* One element for each row of the space? */
static bool is_narrow(const rg_shape *shape, const rg_shape *space)
{
    const int last = space->rank - 1;
    return shape->rank == space->rank && shape->rank > 0 && shape->dim[last] == 1 &&
           space->dim[last] > 1 && rg_shape_equal(rg_shape_with(*space, last, 1), *shape);
}

static const rg_shape *space_of(const struct fuse *f, const rg_node *node)
{
    const rg_prog *p = f->p;
    if (rg_node_is_along_rows(p, node))
        return p->node[node->in[0]].shape;
    if (!rg_node_is_fusible(node))
        return NULL;
    for (uint32_t k = 0; k < node->n_in; k++) {
        const rg_shape *space = f->space[node->in[k]];
        if (space && is_narrow(node->shape, space) && same(p->node[node->in[k]].shape, node->shape))
            return space;
    }
    return node->shape;
}

/* What an edge costs: nothing inside a program, nothing into a view. */
static uint32_t cost(const struct fuse *f, uint32_t from, uint32_t to)
{
    const rg_shape *shape = f->p->node[from].shape, *space = f->space[from];
    if (rg_node_is_view(&f->p->node[to]))
        return 0;
    return space && f->space[to] && same(space, f->space[to]) &&
           (same(shape, space) || is_narrow(shape, space)) ? 0 : 1;
}

static void earliest(struct fuse *f)
{
    for (uint32_t id = 1; id < f->p->n_node; id++) {
        const rg_node *node = &f->p->node[id];
        f->space[id] = space_of(f, node);
        for (uint32_t k = 0; k < node->n_in; k++) {
            const uint32_t l = f->level[node->in[k]] + cost(f, node->in[k], id);
            f->level[id] = l > f->level[id] ? l : f->level[id];
        }
        f->p->visits += 1 + node->n_in;
    }
}

static void latest(struct fuse *f)
{
    for (uint32_t id = 1; id < f->p->n_node; id++)
        f->limit[id] = UINT32_MAX;
    for (uint32_t id = f->p->n_node; id-- > 1;) {
        const rg_node *node = &f->p->node[id];
        if (f->limit[id] == UINT32_MAX || (!f->space[id] && !rg_node_is_view(node)))
            f->limit[id] = f->level[id];
        f->level[id] = f->limit[id];
        for (uint32_t k = 0; k < node->n_in; k++) {
            const uint32_t l = f->limit[id] - cost(f, node->in[k], id);
            f->limit[node->in[k]] = l < f->limit[node->in[k]] ? l : f->limit[node->in[k]];
        }
        f->p->visits += 1 + node->n_in;
    }
}

static bool together(const struct fuse *f, uint32_t id, uint32_t user)
{
    return f->space[user] && cost(f, id, user) == 0 && f->level[id] == f->level[user];
}

static void count_readers(struct fuse *f)
{
    const rg_prog *p = f->p;
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in; k++) {
            f->piece[p->node[id].in[k]]++;
            f->weight[p->node[id].in[k]] += !together(f, p->node[id].in[k], id);
        }
    for (size_t i = 0; i < p->n_root; i++)
        f->weight[p->root[i]]++;
    for (uint32_t i = 0; i < p->n_of_graph && p->keep; i++)
        f->weight[p->of_graph[i]]++;
}

/* Is operand k all that the node needs to be computed in the program of that operand, and nobody
 * else's apart from it? */
static bool may_join(const struct fuse *f, uint32_t id, uint32_t k)
{
    const rg_node *node = &f->p->node[id];
    const uint32_t in = node->in[k];
    if (f->weight[in] != 1 || f->level[in] >= f->level[id] || cost(f, in, id) > 0)
        return false;
    for (uint32_t j = 0; j < node->n_in; j++)
        if (f->level[node->in[j]] + cost(f, node->in[j], id) > f->level[in])
            return false;
    return true;
}

/* In the stead of an operand. All who read the node are then apart from it. */
static void pull_back(struct fuse *f)
{
    count_readers(f);
    for (uint32_t id = 1; id < f->p->n_node; id++) {
        const rg_node *node = &f->p->node[id];
        f->p->visits += 1 + node->n_in;
        for (uint32_t k = 0; k < node->n_in && f->space[id]; k++)
            if (may_join(f, id, k)) {
                f->level[id] = f->level[node->in[k]];
                f->weight[node->in[k]] = 0;
                f->weight[id] = f->piece[id];
                break;
            }
    }
    memset(f->piece, 0, f->p->n_node * sizeof *f->piece);
    memset(f->weight, 0, f->p->n_node * sizeof *f->weight);
}

static uint32_t root_of(struct fuse *f, uint32_t id)
{
    while (f->set[id] != id)
        id = f->set[id] = f->set[f->set[id]];
    return id;
}

/* The smaller id is the root, so that numbers do not depend on the order of joining. */
static void join(struct fuse *f, uint32_t a, uint32_t b)
{
    a = root_of(f, a);
    b = root_of(f, b);
    f->set[a > b ? a : b] = a < b ? a : b;
}

/* Nodes of one level and space that feed each other, or read the same value of that size; a narrow
 * one is of their own. */
static void connect(struct fuse *f)
{
    rg_prog *p = f->p;
    for (uint32_t id = 1; id < p->n_node; id++)
        f->set[id] = id;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *node = &p->node[id];
        for (uint32_t k = 0; k < node->n_in && f->space[id]; k++) {
            const uint32_t u = node->in[k], other = f->reader[u];
            if (cost(f, u, id) == 0 && f->level[u] == f->level[id])
                join(f, u, id);
            if (!same(p->node[u].shape, f->space[id]) && !same(p->node[u].shape, node->shape))
                continue;
            if (other && f->level[other] == f->level[id] && same(f->space[other], f->space[id]))
                join(f, other, id);
            f->reader[u] = id;
        }
    }
}

static void number(struct fuse *f)
{
    rg_prog *p = f->p;
    uint32_t *members = f->reader;
    memset(members, 0, p->n_node * sizeof *members);
    for (uint32_t id = 1; id < p->n_node; id++)
        members[root_of(f, id)]++;
    p->n_cluster = 1;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const uint32_t r = root_of(f, id), w = 1 + p->node[id].n_in;
        if (!f->space[id] || (members[r] == 1 && !rg_node_is_fusible(&p->node[id])))
            continue;
        if (!f->piece[r] || f->weight[r] + w > MOST) {
            f->piece[r] = p->n_cluster++;
            f->weight[r] = 0;
        }
        f->weight[r] += w;
        p->cluster[id] = f->piece[r];
    }
}

static rg_status begin(struct fuse *f, rg_prog *p, rg_err *err)
{
    const size_t n = p->n_node;
    const rg_shape **space = rg_get(&p->alloc, n * (sizeof *space + 6 * sizeof(uint32_t)));
    if (!space)
        return rg_fail(err, RG_ENOMEM, "plan: no memory to fuse %zu nodes", n);
    uint32_t *memory = (uint32_t *)(void *)(space + n);
    *f = (struct fuse){ p, space, memory, memory + n, memory + 2 * n, memory + 3 * n,
                        memory + 4 * n, memory + 5 * n };
    earliest(f);
    latest(f);
    pull_back(f);
    return RG_OK;
}

static void end(struct fuse *f)
{
    rg_release(&f->p->alloc, f->space,
               f->p->n_node * (sizeof *f->space + 6 * sizeof *f->level));
}

rg_status rg_fuse_levels(rg_prog *p, uint32_t *level, rg_err *err)
{
    struct fuse f;
    rg_status st = begin(&f, p, err);
    if (st)
        return st;
    memcpy(level, f.level, p->n_node * sizeof *level);
    end(&f);
    return RG_OK;
}

rg_status rg_pass_fuse(rg_prog *p, rg_err *err)
{
    struct fuse f;
    rg_status st = begin(&f, p, err);
    if (st)
        return st;
    if ((p->cluster = rg_get(&p->alloc, p->n_node * sizeof *p->cluster))) {
        connect(&f);
        number(&f);
    }
    end(&f);
    return p->cluster ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory to fuse %u nodes",
                                        (unsigned)p->n_node);
}
