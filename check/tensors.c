/* check/tensors.c -- what is checked: tensors, and the time steps at which they are used. */
#include "check/check.h"
#include "check/copying.h"

#include <stdio.h>
#include <string.h>

/* "lstm.Ui", "x", "rnn step 3: tanh %12". */
static const char *name_of(rg_check *c, uint32_t id)
{
    char scope[RG_SCOPE_TEXT], text[RG_SCOPE_TEXT + RG_NAME_BYTES];
    const rg_node *node = rg_node_at(c->g, id);
    if (rg_leaf_name(node))
        return rg_arena_text(&c->arena, rg_leaf_name(node));
    rg_scope_text(scope, c->g, node->scope);
    (void)snprintf(text, sizeof text, "%s%s%s %%%u", scope, *scope ? ": " : "", node->op->name,
                   (unsigned)id);
    return rg_arena_text(&c->arena, text);
}

static rg_status add_tensor(rg_check *c, uint32_t id)
{
    const rg_node *node = rg_node_at(c->g, id);
    rg_check_tensor *t = &c->tensor[c->n_tensor];
    if (c->tensor_of[id])
        return RG_OK;
    *t = (rg_check_tensor){ .id = id, .n = rg_shape_count(*node->shape) };
    const size_t bytes = (size_t)t->n * sizeof *t->base;
    t->name = name_of(c, id);
    t->base = rg_arena_get(&c->arena, bytes);
    t->direction = rg_arena_get(&c->arena, t->n > RG_CHECK_RANDOM ? RG_CHECK_RANDOM * bytes : 0);
    if (!t->name || !t->base || !t->direction)
        return rg_check_no_memory(c);
    c->tensor_of[id] = (uint32_t)++c->n_tensor;
    return RG_OK;
}

static rg_status given(rg_check *c, const rg_val *x, size_t n)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < n && !st; i++) {
        if (!x[i].graph || !x[i].id)
            return rg_fail(&c->err, RG_EARG, "gradcheck: x[%zu] is an unset value", i);
        if (x[i].graph != c->g || !rg_node_of(x[i]))
            return rg_fail(&c->err, RG_EGRAPH, "gradcheck: x[%zu] lives in another graph", i);
        if (rg_kind_of(x[i]) != RG_F)
            return rg_fail(&c->err, RG_EDTYPE, "gradcheck: x[%zu] is not real", i);
        st = add_tensor(c, x[i].id);
    }
    return st;
}

static bool trainable(const rg_check *c, uint32_t id)
{
    const rg_node *node = rg_node_at(c->g, id);
    return c->needed[id] && node->op == &rg_op_param &&
           !((const rg_attr_param *)node->attr)->slot->frozen;
}

static rg_status all_trainable(rg_check *c)
{
    rg_status st = RG_OK;
    for (uint32_t id = 1; id <= c->loss.id && !st; id++)
        if (trainable(c, id))
            st = add_tensor(c, id);
    if (!st && !c->n_tensor)
        return rg_fail(&c->err, RG_EGRAPH, "gradcheck: the loss reaches no unfrozen parameter; say "
                       "what to check");
    return st;
}

rg_status rg_check_tensors(rg_check *c, const rg_val *x, size_t n)
{
    const rg_graph *g = c->g;
    size_t most = n;
    c->needed = rg_arena_get(&c->arena, g->n_node);
    c->tensor_of = rg_arena_get(&c->arena, g->n_node * sizeof *c->tensor_of);
    c->data = rg_arena_get(&c->arena, g->n_node * sizeof *c->data);
    c->step_of_scope = rg_arena_get(&c->arena, g->n_scope * sizeof *c->step_of_scope);
    if (!c->needed || !c->tensor_of || !c->data || !c->step_of_scope)
        return rg_check_no_memory(c);
    c->needed[c->loss.id] = 1;
    rg_copy_needed(c->needed, c->g);
    c->step_of_scope[0] = RG_NO_STEP;
    for (size_t i = 1; i < g->n_scope; i++)
        c->step_of_scope[i] = g->scope[i].step != RG_NO_STEP ? g->scope[i].step
                                                             : c->step_of_scope[g->scope[i].parent];
    for (uint32_t id = 1; id <= c->loss.id && !n; id++)
        most += trainable(c, id);
    if (!(c->tensor = rg_arena_get(&c->arena, most * sizeof *c->tensor)))
        return rg_check_no_memory(c);
    return n ? given(c, x, n) : all_trainable(c);
}

/* ---- Uses ----------------------------------------------------------------------------------- */

struct use {
    uint32_t tensor;
    int64_t  step;
};

static bool before(const struct use *a, const struct use *b)
{
    return a->tensor != b->tensor ? a->tensor < b->tensor : a->step < b->step;
}

static void sink(struct use *u, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(&u[child], &u[child + 1]))
            child++;
        if (!before(&u[root], &u[child]))
            return;
        struct use t = u[root];
        u[root] = u[child];
        u[child] = t;
    }
}

static void sort(struct use *u, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sink(u, i, n);
    for (size_t end = n; end-- > 1;) {
        struct use t = u[0];
        u[0] = u[end];
        u[end] = t;
        sink(u, 0, end);
    }
}

/* All uses of tensors by needed nodes; NULL @p out: only their number. The root is a use too, and a
 * tensor that nothing uses is given one. */
static size_t list_uses(const rg_check *c, struct use *out)
{
    size_t n = 0;
    for (uint32_t id = 1; id <= c->loss.id; id++) {
        const rg_node *node = rg_node_at(c->g, id);
        for (uint32_t k = 0; k < node->n_in && c->needed[id]; k++) {
            uint32_t t = c->tensor_of[node->in[k]];
            if (t && out)
                out[n] = (struct use){ t - 1, c->step_of_scope[node->scope] };
            n += t != 0;
        }
    }
    for (uint32_t t = 0; t < c->n_tensor; t++) {
        bool extra = c->tensor[t].id == c->loss.id || !c->needed[c->tensor[t].id];
        if (extra && out)
            out[n] = (struct use){ t, RG_NO_STEP };
        n += extra;
    }
    return n;
}

/* Of n steps in order, is the i-th among the 32 that are checked: the first and the last eight, and
 * sixteen evenly between? */
static bool chosen(size_t i, size_t n)
{
    enum { END = 8, MIDDLE = RG_CHECK_STEPS - 2 * END };
    if (n <= RG_CHECK_STEPS || i < END || i >= n - END)
        return true;
    size_t inner = n - 2 * END, at = i - END;
    return (at + 1) * MIDDLE / inner != at * MIDDLE / inner;
}

static rg_status add_block(rg_check *c, rg_check_tensor *t, int64_t step, bool checked)
{
    rg_check_block *b = &c->block[c->n_block++];
    *b = (rg_check_block){ .tensor = t, .step = step, .checked = checked };
    b->x = rg_arena_get(&c->arena, (size_t)t->n * sizeof *b->x);
    t->n_block++;
    return b->x ? RG_OK : rg_check_no_memory(c);
}

static rg_status add_blocks(rg_check *c, uint32_t tensor, const struct use *u, size_t n)
{
    rg_check_tensor *t = &c->tensor[tensor];
    const size_t none = u[0].step == RG_NO_STEP;
    rg_status st = RG_OK;
    bool all = true;
    t->first = c->n_block;
    for (size_t i = 0; i < n && !st; i++) {
        bool checked = c->all_steps || i < none || chosen(i - none, n - none);
        all = all && checked;
        if (checked)
            st = add_block(c, t, u[i].step, true);
    }
    return all || st ? st : add_block(c, t, INT64_MAX, false);
}

rg_status rg_check_blocks(rg_check *c)
{
    size_t n = list_uses(c, NULL), kept = 0;
    rg_status st = RG_OK;
    struct use *u = rg_arena_get(&c->arena, n * sizeof *u);
    if (!u)
        return rg_check_no_memory(c);
    list_uses(c, u);
    sort(u, n);
    for (size_t i = 0; i < n; i++)
        if (!kept || before(&u[kept - 1], &u[i]))
            u[kept++] = u[i];
    if (!(c->block = rg_arena_get(&c->arena, (kept + c->n_tensor) * sizeof *c->block)))
        return rg_check_no_memory(c);
    for (size_t i = 0, end; i < kept && !st; i = end) {
        for (end = i + 1; end < kept && u[end].tensor == u[i].tensor;)
            end++;
        st = add_blocks(c, u[i].tensor, u + i, end - i);
    }
    return st;
}
