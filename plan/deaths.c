/* plan/deaths.c -- who reads a value's memory, before there is an order of running. */
#include "plan/deaths.h"

#include "base/checked.h"
#include "ops/ops.h"

enum { MANY = UINT32_MAX };

uint32_t rg_reader_number(const rg_code *c, uint32_t id)
{
    const uint32_t cluster = c->p->cluster ? c->p->cluster[id] : 0;
    return cluster ? cluster : c->p->n_cluster + id;
}

bool rg_has_views(const rg_code *c, const rg_uses *uses, uint32_t id)
{
    for (uint32_t k = uses->first[id]; k < uses->first[id + 1]; k++)
        if (c->form[uses->user[k]] == RG_VIEW)
            return true;
    return false;
}

static void add_reader(uint32_t *reader, uint32_t unit)
{
    if (unit)
        *reader = *reader == 0 || *reader == unit ? unit : MANY;
}

/* Views, and concats of what lies in place, pass on what reads them. */
static void find_readers(rg_deaths *s, bool placed)
{
    const rg_code *c = s->c;
    for (uint32_t id = s->c->p->n_node; id-- > 1;) {
        const rg_node *node = &c->p->node[id];
        const uint32_t self = rg_reader_number(c, id);
        const bool slots = placed && node->op == &rg_op_concat && c->form[id] == RG_COMPUTED;
        rg_layout at = { 0 };
        if (slots)
            at = rg_layout_of(c, id);
        for (uint32_t k = 0; k < node->n_in; k++) {
            const uint32_t in = node->in[k];
            const bool passes = c->form[id] == RG_VIEW ||
                                (slots && (c->window[id] || rg_slot_holds(c, id, k, &at)));
            if (passes)
                add_reader(&s->reader[in], s->reader[id]);
            else if (c->form[in] != RG_COMPUTED || rg_reader_number(c, in) != self)
                add_reader(&s->reader[in], self);
            if (passes && c->readable[id])
                s->reader[in] = MANY;
            if (slots)
                rg_slot_next(c, id, k, &at);
        }
    }
}

static int64_t begin_of(const rg_node *slice)
{
    return ((const rg_attr_slice *)slice->attr)->begin;
}

/* Is every use of the value a slice of its own, that meets no other? */
static bool cut_up(rg_deaths *s, uint32_t id)
{
    const rg_code *c = s->c;
    const rg_node *node = c->p->node;
    const uint32_t *user = s->uses.user + s->uses.first[id], n = rg_use_count(&s->uses, id);
    uint32_t *sorted = rg_get(&c->alloc, n * sizeof *sorted);
    uint64_t *key = rg_get(&c->alloc, n * sizeof *key);
    bool ok = sorted && key;
    for (uint32_t k = 0; k < n && ok; k++) {
        ok = c->form[user[k]] == RG_VIEW && node[user[k]].op == &rg_op_slice &&
             ((const rg_attr_slice *)node[user[k]].attr)->axis ==
                 ((const rg_attr_slice *)node[user[0]].attr)->axis;
        sorted[k] = user[k];
        key[k] = ok ? (uint64_t)begin_of(&node[user[k]]) : 0;
    }
    if (ok)
        rg_sort_by(sorted, key, n);
    for (uint32_t k = 1; k < n && ok; k++)
        ok = ((const rg_attr_slice *)node[sorted[k - 1]].attr)->end <= begin_of(&node[sorted[k]]);
    rg_release(&c->alloc, sorted, n * sizeof *sorted);
    rg_release(&c->alloc, key, n * sizeof *key);
    return ok;
}

bool rg_dies_in(rg_deaths *s, uint32_t id, uint32_t unit)
{
    const rg_code *c = s->c;
    if (s->reader[id] != unit)
        return false;
    for (;; id = c->p->node[id].in[0]) {
        if (c->readable[id])
            return false;
        if (s->reader[id] != unit && !s->verdict[id])
            s->verdict[id] = cut_up(s, id) ? 1 : 2;
        if (s->reader[id] != unit && s->verdict[id] == 2)
            return false;
        if (c->form[id] != RG_VIEW)
            return c->form[id] == RG_COMPUTED && c->p->node[id].op != &rg_op_concat;
    }
}

rg_status rg_deaths_make(rg_deaths *s, rg_code *c, bool placed)
{
    const uint32_t n = c->p->n_node;
    *s = (rg_deaths){ .c = c, .reader = rg_get(&c->alloc, n * sizeof *s->reader),
                       .verdict = rg_get(&c->alloc, n) };
    if (!s->reader || !s->verdict || rg_uses_make(&s->uses, c->p, c->err))
        return RG_ENOMEM;
    find_readers(s, placed);
    return RG_OK;
}

void rg_deaths_free(rg_deaths *s)
{
    const uint32_t n = s->c->p->n_node;
    rg_release(&s->c->alloc, s->reader, n * sizeof *s->reader);
    rg_release(&s->c->alloc, s->verdict, n);
    rg_uses_free(&s->uses, s->c->p);
}
