/* plan/passes/contract.c -- an order for the program in which each set of nodes is one node.
 *
 * Each set alone is an antichain, but several at once may deadlock (a₁→b₁ and b₂→a₂); so where
 * nothing is ready, one partly ready set is split. Kahn's algorithm, lowest id first: it ends. */
#include "plan/ids.h"
#include "plan/passes/products.h"

struct walk {
    rg_ids    ready;               /* nodes: alone, or the one that completed its set */
    rg_ids    partial;             /* nodes that were the first of their set */
    uint32_t *pending;             /* by node: operands not yet done */
    uint32_t *next;                /* by node: ready members of one set */
    uint32_t *head, *count, *left; /* by set */
};

static void becomes_ready(struct walk *w, const uint32_t *set_of, uint32_t id)
{
    const uint32_t set = set_of[id];
    if (!set) {
        rg_ids_put(&w->ready, id);
        return;
    }
    w->next[id] = w->head[set];
    w->head[set] = id;
    if (++w->count[set] == w->left[set])
        rg_ids_put(&w->ready, id);
    else if (w->count[set] == 1)
        rg_ids_put(&w->partial, id);
}

/* Move the ready members of a set (or one node) into the result, ascending. */
static void emit(rg_contraction *c, struct walk *w, const uint32_t *set_of, uint32_t id,
                 uint32_t *done)
{
    const uint32_t set = set_of[id], begin = *done;
    if (!set) {
        c->node[(*done)++] = id;
    } else {
        *done += w->count[set];
        for (uint32_t m = w->head[set], at = *done; m; m = w->next[m])
            c->node[--at] = m; /* the list begins with the last, which most often is the largest */
        rg_sort_ids(c->node + begin, w->count[set]);
        w->left[set] -= w->count[set];
        w->count[set] = 0;
        w->head[set] = 0;
    }
    c->first[++c->n_item] = *done;
}

static void release_users(const rg_contraction *c, struct walk *w, rg_prog *p, const rg_uses *u,
                          const uint32_t *set_of)
{
    for (uint32_t i = c->first[c->n_item - 1]; i < c->first[c->n_item]; i++) {
        const uint32_t id = c->node[i];
        p->visits += 1 + rg_use_count(u, id);
        for (uint32_t k = u->first[id]; k < u->first[id + 1]; k++)
            if (!--w->pending[u->user[k]])
                becomes_ready(w, set_of, u->user[k]);
    }
}

static void run(rg_contraction *c, struct walk *w, rg_prog *p, const rg_uses *u,
                const uint32_t *set_of)
{
    uint32_t done = 0;
    for (uint32_t id = 1; id < p->n_node; id++) {
        w->pending[id] = p->node[id].n_in;
        w->left[set_of[id]]++;
    }
    for (uint32_t id = 1; id < p->n_node; id++)
        if (!w->pending[id])
            becomes_ready(w, set_of, id);
    while (done + 1 < p->n_node) {
        const bool whole = rg_ids_any(&w->ready);
        uint32_t id = rg_ids_pop(whole ? &w->ready : &w->partial);
        while (!whole && !w->count[set_of[id]])
            id = rg_ids_pop(&w->partial);
        emit(c, w, set_of, id, &done);
        release_users(c, w, p, u, set_of);
    }
}

rg_status rg_contract(rg_contraction *c, rg_prog *p, const rg_uses *u, const uint32_t *set_of,
                      uint32_t n_set, rg_err *err)
{
    const size_t n = (size_t)p->n_node + 1, sets = (size_t)n_set + 1, word = sizeof(uint32_t);
    const size_t words = rg_ids_words(p->n_node);
    struct walk w = { .head = NULL };
    uint64_t *ids = rg_get(&p->alloc, 2 * words * sizeof *ids);
    uint32_t *block = rg_get_raw(&p->alloc, 2 * n * word);
    uint32_t *by_set = rg_get(&p->alloc, 3 * sets * word);
    *c = (rg_contraction){ .n_node = p->n_node };
    c->node = rg_get_raw(&p->alloc, n * word);
    c->first = rg_get_raw(&p->alloc, n * word);
    const bool ok = ids && block && by_set && c->node && c->first;
    if (ok) {
        w.ready = rg_ids_in(ids, p->n_node);
        w.partial = rg_ids_in(ids + words, p->n_node);
        w.pending = block;
        w.next = w.pending + n;
        w.head = by_set;
        w.count = w.head + sets;
        w.left = w.count + sets;
        c->first[0] = 0;
        run(c, &w, p, u, set_of);
    }
    rg_release(&p->alloc, ids, 2 * words * sizeof *ids);
    rg_release(&p->alloc, block, 2 * n * word);
    rg_release(&p->alloc, by_set, 3 * sets * word);
    return ok ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory");
}

void rg_contraction_free(rg_contraction *c, const rg_prog *p)
{
    const size_t bytes = ((size_t)c->n_node + 1) * sizeof(uint32_t);
    rg_release(&p->alloc, c->node, bytes);
    rg_release(&p->alloc, c->first, bytes);
}
