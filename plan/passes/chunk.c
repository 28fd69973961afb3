/* plan/passes/chunk.c -- merged products over many rows are cut where time is, so that what one
 * chunk leaves is still in the second-level cache when it is read.
 *
 * Needs    accumulate before it: nothing looks for merged products any more.
 * Leaves   x·U for some steps, just before the first of them; dX, dU, dW and column sums for some
 *          steps, just after the last of them. Cuts are between steps, at least ROWS rows apart,
 *          the same for all that stack the same steps.
 * Law      products: the same sums; sums over the rows go on where the chunk before them stopped,
 *          in the order in which rows come to be, as they run without cuts: in our own kernels,
 *          which keep one accumulator, no cut changes a bit. Shapes and the graph alone decide.
 *
 * A product over the rows of all steps, written to memory and read again when its time comes, moves
 * its result twice through the third level or beyond. A chunk of 256 rows does not. */
#include "plan/passes/passes.h"

#include "base/checked.h"
#include "plan/made.h"
#include "plan/passes/fusible.h"
#include "plan/passes/products.h"

enum { ROWS = 256 };                       /* of a chunk */
static const double CACHE = 1024 * 1024;   /* bytes; if no product has more, all is near anyhow */

/* A product of rows, or a sum over them, in chunks. */
struct cut {
    uint32_t  id;
    bool      sums, backwards;
    bool      late;          /* a chunk is made for who reads it; else when it can be */
    uint32_t  n, done;       /* chunks; of sums, those that are made */
    int64_t  *border;        /* n + 1 rows */
    uint32_t *part[2];       /* by operand that is a stack: the parts that begin at the borders */
    uint32_t *made;          /* by chunk: its product, 0 = not yet; of sums, [0] the sum so far */
};

/* A chunk that is made right after this node. */
struct due {
    uint32_t cut, chunk, next;
};

struct chunk {
    rg_prog    *p;
    rg_builder  b;
    rg_uses     uses;
    struct cut *cut;         /* [0] unused */
    size_t      n_cut, cut_cap;
    struct due *due;         /* [0] unused */
    size_t      n_due, due_cap;
    uint32_t   *cut_of, *first_due, *last_due; /* by node */
    uint32_t   *beside;      /* by node: the last concat along columns that it is a part of */
    uint8_t    *waits;       /* by node: views from it to a late product, made for who reads it */
    double      largest;     /* bytes */
    int64_t     rows;        /* of a chunk, at least */
    bool        failed;
};

static bool is_stack(const rg_node *n)
{
    return n->op == &rg_op_concat && ((const rg_attr_axis *)n->attr)->axis == 0;
}

static bool is_rows_of(const rg_node *n)
{
    return n->op == &rg_op_slice && ((const rg_attr_slice *)n->attr)->axis == 0;
}

static bool is_columns_sum(const rg_prog *p, const rg_node *n)
{
    return n->op == &rg_op_sum_over && ((const rg_attr_axis *)n->attr)->axis == 0 &&
           p->node[n->in[0]].shape->rank == 2;
}

/* ---- Where to cut ---------------------------------------------------------------------------- */

/* Cut at borders between steps, which begin at these rows (ascending, the last one is the end). */
static bool cut_steps(struct chunk *s, struct cut *c, const int64_t *step, uint32_t n)
{
    c->border = rg_arena_get(&s->p->arena, ((size_t)n + 1) * sizeof *c->border);
    s->failed |= !c->border;
    for (uint32_t k = 1; k <= n && c->border; k++)
        if (step[k] - c->border[c->n] >= s->rows || k == n)
            c->border[++c->n] = step[k];
    return c->border && c->n > 1;
}

static int64_t *take(struct chunk *s, size_t n)
{
    int64_t *out = rg_get_raw(&s->p->alloc, n * sizeof *out);
    s->failed |= !out;
    return out;
}

/* By the parts of a stack. */
static bool cut_stack(struct chunk *s, struct cut *c, const rg_node *stack)
{
    const size_t n = stack->n_in;
    int64_t *step = take(s, n + 1);
    for (uint32_t k = 0; k < n && step; k++)
        step[k + 1] = (k ? step[k] : (step[0] = 0)) + s->p->node[stack->in[k]].shape->dim[0];
    const bool ok = step && cut_steps(s, c, step, (uint32_t)n);
    rg_release(&s->p->alloc, step, (n + 1) * sizeof *step);
    return ok;
}

/* By what reads the product: slices of rows, one behind the other in some order. */
static bool cut_slices(struct chunk *s, struct cut *c)
{
    const rg_node *node = s->p->node;
    const uint32_t n = rg_use_count(&s->uses, c->id), *user = s->uses.user + s->uses.first[c->id];
    bool ok = n > 0 && !s->uses.root[c->id];
    for (uint32_t k = 0; k < n && ok; k++)
        ok = is_rows_of(&node[user[k]]);
    int64_t *step = ok ? take(s, (size_t)n + 1) : NULL;
    uint32_t *sorted = ok ? rg_get_raw(&s->p->alloc, n * sizeof *sorted) : NULL;
    uint64_t *key = ok ? rg_get_raw(&s->p->alloc, n * sizeof *key) : NULL;
    s->failed |= ok && !(step && sorted && key);
    ok = step && sorted && key;
    for (uint32_t k = 0; k < n && ok; k++) {
        sorted[k] = user[k];
        key[k] = (uint64_t)((const rg_attr_slice *)node[user[k]].attr)->begin;
    }
    if (ok)
        rg_sort_by(sorted, key, n);
    for (uint32_t k = 0; k < n && ok; k++) {
        const rg_attr_slice *at = node[sorted[k]].attr;
        ok = at->begin == (k ? step[k] : 0);
        step[k] = at->begin;
        step[k + 1] = at->end;
    }
    ok = ok && step[n] == node[c->id].shape->dim[0] && cut_steps(s, c, step, n);
    rg_release(&s->p->alloc, step, ((size_t)n + 1) * sizeof *step);
    rg_release(&s->p->alloc, sorted, n * sizeof *sorted);
    rg_release(&s->p->alloc, key, n * sizeof *key);
    return ok;
}

/* Find the parts of an operand that begin at the borders; false if one goes on over a border. What
 * is no stack can be cut anywhere. */
static bool find_parts(struct chunk *s, struct cut *c, uint32_t side)
{
    const rg_node *stack = &s->p->node[s->p->node[c->id].in[side]];
    uint32_t n = 0;
    int64_t row = 0;
    if (!is_stack(stack))
        return true;
    c->part[side] = rg_arena_get(&s->p->arena, ((size_t)c->n + 1) * sizeof *c->part[side]);
    s->failed |= !c->part[side];
    s->p->visits += stack->n_in;
    for (uint32_t k = 0; k < stack->n_in && c->part[side]; k++) {
        if (row == c->border[n])
            c->part[side][n++] = k;
        row += s->p->node[stack->in[k]].shape->dim[0];
        if (row > c->border[n])
            return false;
    }
    if (c->part[side])
        c->part[side][c->n] = stack->n_in;
    return c->part[side] && n == c->n;
}

static double columns(const rg_node *n)
{
    return (double)n->shape->dim[1];
}

/* Bytes of the largest operand or result of a product, and rows of a chunk: ROWS, or as many of it
 * as the cache holds. Where two threads share the work, each end of a chunk costs a meeting and
 * lines that the other has just written. */
static void find_largest(struct chunk *s)
{
    s->rows = ROWS;
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        const rg_node *n = &s->p->node[id];
        for (uint32_t k = 0; k < 3 && rg_is_product(n); k++) {
            const rg_node *x = k < 2 ? &s->p->node[n->in[k]] : n;
            const double bytes = (double)x->shape->dim[0] * columns(x) * sizeof(float);
            if (bytes <= s->largest)
                continue;
            const double rows = CACHE / sizeof(float) / columns(x);
            s->rows = rows > ROWS ? (int64_t)rows : ROWS;
            s->largest = bytes;
        }
    }
    s->rows = s->p->chunk ? s->p->chunk : s->rows;
}

/* Rows enough for two chunks and a half, and something that is not near anyhow: one answer for all
 * that stack the same steps. */
static bool worth(const struct chunk *s, int64_t rows)
{
    return 2 * rows >= 5 * s->rows && (s->p->chunk || s->largest > CACHE);
}

enum { DEEPEST = 16 };

/* Views between a node and a late product; 0: it is none of those. */
static uint8_t distance(const struct chunk *s, uint32_t id)
{
    const rg_node *n = &s->p->node[id];
    if (!n->n_in || !rg_node_is_view(n))
        return 0;
    const uint32_t cut = s->cut_of[n->in[0]];
    if (cut && s->cut[cut].late)
        return 1;
    return s->waits[n->in[0]] && s->waits[n->in[0]] < DEEPEST ? s->waits[n->in[0]] + 1 : 0;
}

/* Does an operand wait for somebody to read it? Who is late itself cannot make it. */
static bool operand_waits(const struct chunk *s, const rg_node *n)
{
    const rg_node *a = &s->p->node[n->in[0]];
    bool found = s->waits[n->in[0]] || s->waits[n->in[1]];
    for (uint32_t k = 0; k < a->n_in && is_stack(a); k++)
        found |= s->waits[a->in[k]] != 0;
    return found;
}

/* A·B over rows of A: where the result is wider than A, it is what should be near. */
static bool cut_rows(struct chunk *s, struct cut *c, const rg_node *n)
{
    const rg_node *a = &s->p->node[n->in[0]];
    const double left = columns(a), right = columns(n);
    if (!worth(s, n->shape->dim[0]))
        return false;
    c->late = (left <= right || !is_stack(a)) && !operand_waits(s, n) && cut_slices(s, c);
    return (c->late || (!c->n && is_stack(a) && cut_stack(s, c, a))) && find_parts(s, c, 0);
}

/* Aᵀ·D, or column sums of D. */
static bool cut_sums(struct chunk *s, struct cut *c, const rg_node *n)
{
    uint32_t stack = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        stack = is_stack(&s->p->node[n->in[k]]) ? n->in[k] : stack;
    c->sums = true;
    c->backwards = rg_sums_backwards(s->p, n);
    return stack && worth(s, s->p->node[stack].shape->dim[0]) &&
           cut_stack(s, c, &s->p->node[stack]) && find_parts(s, c, 0) &&
           (n->n_in == 1 || find_parts(s, c, 1));
}

static bool find_cut(struct chunk *s, struct cut *c)
{
    const rg_node *n = &s->p->node[c->id];
    if (is_columns_sum(s->p, n))
        return cut_sums(s, c, n);
    if (!rg_is_product(n))
        return false;
    if (!rg_flags_of(n)->transpose_a)
        return cut_rows(s, c, n);
    return !rg_flags_of(n)->transpose_b && cut_sums(s, c, n);
}

/* ---- When a chunk can be made ---------------------------------------------------------------- */

/* When a part is there; beside others in a concat, if it is put so: then `columns` finds both. */
static uint32_t there(const struct chunk *s, const struct cut *c, uint32_t part)
{
    return s->beside[part] && s->beside[part] < c->id ? s->beside[part] : part;
}

/* The last node that chunk k of an operand needs. */
static uint32_t last_part(const struct chunk *s, const struct cut *c, uint32_t k, uint32_t side)
{
    const uint32_t id = s->p->node[c->id].in[side], *in = s->p->node[id].in;
    uint32_t last = c->part[side] ? 0 : id;
    for (uint32_t i = c->part[side] ? c->part[side][k] : 0; c->part[side] &&
         i < c->part[side][k + 1]; i++)
        last = there(s, c, in[i]) > last ? there(s, c, in[i]) : last;
    return last;
}

/* Make chunk k when all that it needs is there, not before node `last`: the node. */
static uint32_t add_due(struct chunk *s, uint32_t cut, uint32_t k, uint32_t last)
{
    const struct cut *c = &s->cut[cut];
    const rg_node *n = &s->p->node[c->id];
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t x = last_part(s, c, k, i);
        last = x > last ? x : last;
    }
    if (!s->n_due)
        s->n_due = 1;
    if (!rg_reserve(&s->p->alloc, &s->due, &s->due_cap, s->n_due + 1, sizeof *s->due)) {
        s->failed = true;
        return last;
    }
    const uint32_t at = (uint32_t)s->n_due++;
    s->due[at] = (struct due){ cut, k, 0 };
    if (s->last_due[last])
        s->due[s->last_due[last]].next = at;
    else
        s->first_due[last] = at;
    s->last_due[last] = at;
    return last;
}

/* Sums go on from one chunk to the next in the order of their rows, even where the parts of the
 * stack come to be in another: the first or the last step may be a node that was there before. */
static void add_dues(struct chunk *s, uint32_t cut)
{
    const struct cut *c = &s->cut[cut];
    uint32_t last = 0;
    for (uint32_t i = 0; i < c->n && !c->late && !s->failed; i++)
        last = add_due(s, cut, c->backwards ? c->n - 1 - i : i, c->sums ? last : 0);
}

static void find_beside(struct chunk *s)
{
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        const rg_node *n = &s->p->node[id];
        for (uint32_t k = 0; k < n->n_in && n->op == &rg_op_concat && !is_stack(n); k++)
            s->beside[n->in[k]] = id;
    }
}

static void find_cuts(struct chunk *s)
{
    s->n_cut = 1;
    find_beside(s);
    find_largest(s);
    for (uint32_t id = 1; id < s->p->n_node && !s->failed; id++) {
        struct cut c = { .id = id };
        s->p->visits++;
        s->waits[id] = distance(s, id);
        if (!find_cut(s, &c))
            continue;
        c.made = rg_arena_get(&s->p->arena, c.n * sizeof *c.made);
        if (!c.made || !rg_reserve(&s->p->alloc, &s->cut, &s->cut_cap, s->n_cut + 1,
                                   sizeof *s->cut)) {
            s->failed = true;
            return;
        }
        s->cut_of[id] = (uint32_t)s->n_cut;
        s->cut[s->n_cut++] = c;
        add_dues(s, s->cut_of[id]);
    }
}

/* ---- Rebuilding ------------------------------------------------------------------------------ */

/* Rows of a chunk, of an operand, which has been made. */
static uint32_t rows_of(struct chunk *s, const struct cut *c, uint32_t k, uint32_t side)
{
    const uint32_t id = s->b.old[c->id].in[side];
    const rg_node x = s->b.old[id];
    const uint32_t *first = c->part[side];
    if (!first)
        return rg_make_part(&s->b, &x, s->b.map[id], 0, c->border[k], c->border[k + 1]);
    const uint32_t n = first[k + 1] - first[k];
    uint32_t *part = rg_arena_get(&s->p->arena, n * sizeof *part);
    s->b.failed |= !part;
    for (uint32_t i = 0; i < n && !s->b.failed; i++)
        part[i] = s->b.map[x.in[first[k] + i]];
    return rg_make_concat(&s->b, &x, part, n, 0);
}

static void make_chunk(struct chunk *s, struct cut *c, uint32_t k)
{
    const rg_node n = s->b.old[c->id];
    uint32_t in[3] = { rows_of(s, c, k, 0), 0, c->made[0] };
    if (n.n_in > 1)
        in[1] = c->sums ? rows_of(s, c, k, 1) : s->b.map[n.in[1]];
    if (s->b.failed)
        return;
    if (c->sums)
        c->made[0] = rg_make_stretch(&s->b, &n, in, c->backwards, ++c->done == c->n);
    else
        c->made[k] = rg_make(&s->b, &n, n.op, n.attr, in, 2);
}

/* The rows of a late product that a slice shows. */
static uint32_t late_rows(struct chunk *s, uint32_t id)
{
    const rg_node n = s->b.old[id];
    const rg_attr_slice *at = n.attr;
    struct cut *c = &s->cut[s->cut_of[n.in[0]]];
    uint32_t low = 0, high = c->n;
    while (high - low > 1) {
        const uint32_t mid = low + (high - low) / 2;
        if (c->border[mid] <= at->begin)
            low = mid;
        else
            high = mid;
    }
    if (!c->made[low])
        make_chunk(s, c, low);
    return s->b.failed ? 0 : rg_make_part(&s->b, &n, c->made[low], 0, at->begin - c->border[low],
                                          at->end - c->border[low]);
}

/* The new node of an old one; views of late products are made now. */
static uint32_t made(struct chunk *s, uint32_t id)
{
    uint32_t chain[DEEPEST], n = 0;
    for (uint32_t at = id; s->waits[at] && !s->b.map[at]; at = s->b.old[at].in[0])
        chain[n++] = at;
    while (n-- > 0 && !s->b.failed) {
        const uint32_t at = chain[n];
        s->b.map[at] = s->waits[at] == 1 ? late_rows(s, at) : rg_builder_copy(&s->b, at);
    }
    return s->b.map[id];
}

/* All chunks, stacked; the sum of all. */
static uint32_t whole(struct chunk *s, const struct cut *c)
{
    return c->sums ? c->made[0] : rg_make_concat(&s->b, &s->b.old[c->id], c->made, c->n, 0);
}

static void copy(struct chunk *s, uint32_t id)
{
    const rg_node *n = &s->b.old[id];
    const struct cut *c = s->cut_of[id] ? &s->cut[s->cut_of[id]] : NULL;
    if (s->waits[id] || (c && c->late))
        return;
    for (uint32_t k = 0; k < n->n_in && !c; k++)
        (void)made(s, n->in[k]);
    s->b.map[id] = c ? whole(s, c) : rg_builder_copy(&s->b, id);
}

/* A chunk whose time has come, after what it needs. */
static void make_due(struct chunk *s, const struct due *d)
{
    struct cut *c = &s->cut[d->cut];
    const rg_node *n = &s->b.old[c->id];
    for (uint32_t side = 0; side < n->n_in; side++) {
        const uint32_t *first = c->part[side], *in = s->b.old[n->in[side]].in;
        for (uint32_t i = first ? first[d->chunk] : 0; first && i < first[d->chunk + 1]; i++)
            (void)made(s, in[i]);
        if (!first)
            (void)made(s, n->in[side]);
    }
    make_chunk(s, c, d->chunk);
}

static rg_status rebuild(struct chunk *s, rg_err *err)
{
    rg_status st = rg_builder_begin(&s->b, s->p, err);
    if (st)
        return st;
    for (uint32_t id = 1; id < s->b.n_old && !s->b.failed; id++) {
        copy(s, id);
        for (uint32_t d = s->first_due[id]; d && !s->b.failed; d = s->due[d].next)
            make_due(s, &s->due[d]);
    }
    for (uint32_t id = 1; id < s->b.n_old && !s->b.failed; id++)
        if (s->uses.root[id])
            (void)made(s, id);
    return rg_builder_end(&s->b);
}

rg_status rg_pass_chunk(rg_prog *p, rg_err *err)
{
    const size_t n = p->n_node;
    struct chunk s = { .p = p };
    rg_arena arena;
    rg_status st = rg_uses_make(&s.uses, p, err);
    rg_arena_init(&arena, &p->alloc);
    s.cut_of = rg_arena_get(&arena, n * sizeof *s.cut_of);
    s.first_due = rg_arena_get(&arena, n * sizeof *s.first_due);
    s.last_due = rg_arena_get(&arena, n * sizeof *s.last_due);
    s.beside = rg_arena_get(&arena, n * sizeof *s.beside);
    s.waits = rg_arena_get(&arena, n);
    s.failed = !s.cut_of || !s.beside || !s.first_due || !s.last_due || !s.waits;
    if (!st && !s.failed)
        find_cuts(&s);
    if (!st && s.failed)
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    if (!st && s.n_cut > 1)
        st = rebuild(&s, err);
    rg_release(&p->alloc, s.cut, s.cut_cap * sizeof *s.cut);
    rg_release(&p->alloc, s.due, s.due_cap * sizeof *s.due);
    rg_uses_free(&s.uses, p);
    rg_arena_free(&arena);
    return st;
}
