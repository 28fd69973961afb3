/* plan/passes/contract.c -- an order for the program in which each set of nodes is one node.
 *
 * Each set alone is an antichain, but several at once may deadlock (a₁→b₁ and b₂→a₂); so where
 * nothing is ready, one partly ready set is split. Kahn's algorithm with heaps: always ends. */
#include "plan/passes/products.h"

struct walk {
    uint32_t *ready, n_ready;      /* heap of nodes: alone, or the one that completed its set */
    uint32_t *partial, n_partial;  /* heap of nodes that were the first of their set */
    uint32_t *pending;             /* by node: operands not yet done */
    uint32_t *next;                /* by node: ready members of one set */
    uint32_t *head, *count, *left; /* by set */
};

static void push(uint32_t *heap, uint32_t *n, uint32_t id)
{
    uint32_t i = (*n)++;
    for (; i && heap[(i - 1) / 2] > id; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = id;
}

static uint32_t pop(uint32_t *heap, uint32_t *n)
{
    const uint32_t top = heap[0], last = heap[--*n];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < *n; i = child) {
        if (child + 1 < *n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static void becomes_ready(struct walk *w, const uint32_t *set_of, uint32_t id)
{
    const uint32_t set = set_of[id];
    if (!set) {
        push(w->ready, &w->n_ready, id);
        return;
    }
    w->next[id] = w->head[set];
    w->head[set] = id;
    if (++w->count[set] == w->left[set])
        push(w->ready, &w->n_ready, id);
    else if (w->count[set] == 1)
        push(w->partial, &w->n_partial, id);
}

/* Move the ready members of a set (or one node) into the result, ascending. */
static void emit(rg_contraction *c, struct walk *w, const uint32_t *set_of, uint32_t id,
                 uint32_t *done)
{
    const uint32_t set = set_of[id], begin = *done;
    if (!set)
        c->node[(*done)++] = id;
    for (uint32_t m = set ? w->head[set] : 0; m; m = w->next[m])
        c->node[(*done)++] = m;
    rg_sort_ids(c->node + begin, *done - begin);
    if (set) {
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
        uint32_t id;
        if (w->n_ready) {
            id = pop(w->ready, &w->n_ready);
        } else {
            do
                id = pop(w->partial, &w->n_partial);
            while (!w->count[set_of[id]]);
        }
        emit(c, w, set_of, id, &done);
        release_users(c, w, p, u, set_of);
    }
}

rg_status rg_contract(rg_contraction *c, rg_prog *p, const rg_uses *u, const uint32_t *set_of,
                      uint32_t n_set, rg_err *err)
{
    const size_t n = (size_t)p->n_node + 1, sets = (size_t)n_set + 1, word = sizeof(uint32_t);
    struct walk w = { .n_ready = 0 };
    uint32_t *block = rg_get_raw(&p->alloc, 4 * n * word);
    uint32_t *by_set = rg_get(&p->alloc, 3 * sets * word);
    *c = (rg_contraction){ .n_node = p->n_node };
    c->node = rg_get_raw(&p->alloc, n * word);
    c->first = rg_get_raw(&p->alloc, n * word);
    const bool ok = block && by_set && c->node && c->first;
    if (ok) {
        w.ready = block;
        w.partial = w.ready + n;
        w.pending = w.partial + n;
        w.next = w.pending + n;
        w.head = by_set;
        w.count = w.head + sets;
        w.left = w.count + sets;
        c->first[0] = 0;
        run(c, &w, p, u, set_of);
    }
    rg_release(&p->alloc, block, 4 * n * word);
    rg_release(&p->alloc, by_set, 3 * sets * word);
    return ok ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory");
}

void rg_contraction_free(rg_contraction *c, const rg_prog *p)
{
    const size_t bytes = ((size_t)c->n_node + 1) * sizeof(uint32_t);
    rg_release(&p->alloc, c->node, bytes);
    rg_release(&p->alloc, c->first, bytes);
}
