/* graph/scope.c -- who made a node: nested names with an optional time step. */
#include "graph/graph.h"

#include "base/philox.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static uint64_t scope_hash(const rg_scope *s)
{
    return rg_hash_mix(rg_hash_mix(rg_fnv1a(s->name), (uint64_t)s->step), s->parent);
}

static bool scope_same(const rg_scope *a, const rg_scope *b)
{
    return a->parent == b->parent && a->step == b->step && strcmp(a->name, b->name) == 0;
}

/* The index of this scope, new or known; 0 without memory. */
static uint32_t scope_find(rg_graph *g, rg_scope s)
{
    uint32_t i;
    for (size_t probe = 0; (i = rg_index_next(&g->scope_index, scope_hash(&s), &probe));)
        if (scope_same(&g->scope[i], &s))
            return i;
    i = (uint32_t)g->n_scope;
    if (!(s.name = rg_arena_text(&g->arena, s.name)) ||
        !rg_reserve(&g->alloc, &g->scope, &g->scope_cap, g->n_scope + 1, sizeof *g->scope) ||
        !rg_index_put(&g->scope_index, &g->alloc, scope_hash(&s), i))
        return 0;
    g->scope[g->n_scope++] = s;
    return i;
}

void rg_scope_push(rg_graph *graph, const char *name, int64_t step)
{
    if (!graph || graph->status)
        return;
    if (!name || !rg_is_utf8(name)) {
        rg_poison(graph, RG_EARG, "scope: a name is UTF-8");
        return;
    }
    uint32_t s = scope_find(graph, (rg_scope){ name, step, graph->in_scope });
    if (s)
        graph->in_scope = s;
    else
        rg_poison(graph, RG_ENOMEM, "scope '%s': no memory", name);
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

/* Register a stream. Numbers are drawn with the low half of the hash (docs/MATH.md 18): two streams
 * that agree in it would be one. @p use tells repeated uses of a locked stream, which have the
 * same, from clashes. */
static uint64_t take_stream(rg_graph *g, uint64_t hash, uint32_t use, bool again,
                            const char *stream)
{
    size_t probe = 0;
    uint32_t taken = rg_index_next(&g->stream_index, (uint32_t)hash, &probe);
    if (taken && !(again && taken == use))
        rg_poison(g, RG_EARG, "random stream '%.60s' is taken already, by this name or one of "
                  "equal hash: each draw needs a name of its own", stream);
    else if (!taken && !rg_index_put(&g->stream_index, &g->alloc, (uint32_t)hash, use))
        rg_poison(g, RG_ENOMEM, "random stream '%.60s': no memory", stream);
    return hash;
}

uint64_t rg_draw_stream(rg_graph *g, const char *stream)
{
    char scope[RG_SCOPE_TEXT], full[RG_SCOPE_TEXT + 96];
    stream = stream ? stream : "";
    rg_scope_text(scope, g, g->in_scope);
    (void)snprintf(full, sizeof full, "%s%s%s", scope, *scope ? "/" : "", stream);
    return take_stream(g, rg_fnv1a(full), 1, false, stream);
}

uint64_t rg_lock_stream(rg_graph *g, const char *stream)
{
    stream = stream ? stream : "";
    const uint64_t hash = rg_fnv1a(stream);
    return take_stream(g, hash, (uint32_t)(hash >> 32) | 2u, true, stream);
}
