/* graph/scope.c -- who made a node: nested names with an optional time step. */
#include "graph/graph.h"

#include "base/philox.h"

#include <stdio.h>
#include <string.h>

static size_t scope_hash(const rg_scope *s)
{
    uint64_t h = rg_fnv1a(s->name) ^ (uint64_t)s->step * UINT64_C(0x9E3779B97F4A7C15) ^
                 (uint64_t)s->parent * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (size_t)(h ^ h >> 29);
}

static bool scope_same(const rg_scope *a, const rg_scope *b)
{
    return a->parent == b->parent && a->step == b->step && strcmp(a->name, b->name) == 0;
}

/* Twice the slots, all scopes entered anew. */
static bool scope_rehash(rg_graph *g)
{
    size_t cap = g->scope_slot_cap ? 2 * g->scope_slot_cap : 64;
    uint32_t *slot = rg_get(&g->alloc, cap * sizeof *slot);
    if (!slot)
        return false;
    for (size_t i = 1; i < g->n_scope; i++) {
        size_t at = scope_hash(&g->scope[i]) % cap;
        while (slot[at])
            at = (at + 1) % cap;
        slot[at] = (uint32_t)i;
    }
    rg_release(&g->alloc, g->scope_slot, g->scope_slot_cap * sizeof *slot);
    g->scope_slot = slot;
    g->scope_slot_cap = cap;
    return true;
}

/* The index of this scope, new or known; 0 without memory. */
static uint32_t scope_find(rg_graph *g, rg_scope s)
{
    if (2 * (g->n_scope + 1) > g->scope_slot_cap && !scope_rehash(g))
        return 0;
    size_t at = scope_hash(&s) % g->scope_slot_cap;
    for (; g->scope_slot[at]; at = (at + 1) % g->scope_slot_cap)
        if (scope_same(&g->scope[g->scope_slot[at]], &s))
            return g->scope_slot[at];
    if (!(s.name = rg_arena_text(&g->arena, s.name)) ||
        !rg_reserve(&g->alloc, &g->scope, &g->scope_cap, g->n_scope + 1, sizeof *g->scope))
        return 0;
    g->scope[g->n_scope] = s;
    return g->scope_slot[at] = (uint32_t)g->n_scope++;
}

void rg_scope_push(rg_graph *graph, const char *name, int64_t step)
{
    if (!graph || graph->status)
        return;
    uint32_t s = scope_find(graph, (rg_scope){ name ? name : "", step, graph->in_scope });
    if (s)
        graph->in_scope = s;
    else
        rg_poison(graph, RG_ENOMEM, "no memory for scope '%s'", name ? name : "");
}

void rg_scope_pop(rg_graph *graph)
{
    if (graph && !graph->status)
        graph->in_scope = graph->scope[graph->in_scope].parent;
}

int64_t rg_scope_step(const rg_graph *g, uint32_t scope)
{
    for (; scope; scope = g->scope[scope].parent)
        if (g->scope[scope].step != RG_NO_STEP)
            return g->scope[scope].step;
    return RG_NO_STEP;
}

const char *rg_scope_text(char text[RG_SCOPE_TEXT], const rg_graph *g, uint32_t scope)
{
    /* from the inside out, each name put before what is there already */
    char *at = text + RG_SCOPE_TEXT - 1;
    *at = '\0';
    for (; scope; scope = g->scope[scope].parent) {
        char one[RG_SCOPE_TEXT];
        const rg_scope *s = &g->scope[scope];
        int n = s->step == RG_NO_STEP
                    ? snprintf(one, sizeof one, "%s%s", s->name, *at ? "/" : "")
                    : snprintf(one, sizeof one, "%s step %lld%s", s->name, (long long)s->step,
                               *at ? "/" : "");
        if (n < 0 || n >= (int)sizeof one || at - text < n)
            break;
        at -= n;
        memcpy(at, one, (size_t)n);
    }
    return memmove(text, at, (size_t)(text + RG_SCOPE_TEXT - at));
}

uint64_t rg_stream_here(const rg_graph *g, const char *stream)
{
    char scope[RG_SCOPE_TEXT], full[RG_SCOPE_TEXT + 96];
    rg_scope_text(scope, g, g->in_scope);
    (void)snprintf(full, sizeof full, "%s%s%s", scope, *scope ? "/" : "", stream ? stream : "");
    return rg_fnv1a(full);
}
