/* plan/chains.c -- chains of values, by union-find. */
#include "plan/chains.h"

static uint32_t root_of(rg_chains *c, uint32_t i)
{
    while (c->set[i] != i)
        i = c->set[i] = c->set[c->set[i]];
    return i;
}

static bool link_two(rg_chains *c, uint32_t a, uint32_t b)
{
    const uint32_t x = root_of(c, a), y = root_of(c, b);
    if (c->next[a] || c->prev[b] || x == y)
        return false;
    c->next[a] = b;
    c->prev[b] = a;
    c->set[x > y ? x : y] = x < y ? x : y;
    return true;
}

bool rg_chains_link(rg_chains *c, const rg_alloc *alloc, const uint32_t *item, uint32_t n)
{
    uint32_t *made = rg_get(alloc, n * sizeof *made), linked = 0;
    bool ok = made != NULL;
    for (uint32_t i = 0; i + 1 < n && ok; i++) {
        if (c->next[item[i]] == item[i + 1])
            continue;
        ok = link_two(c, item[i], item[i + 1]);
        if (ok)
            made[linked++] = item[i];
    }
    for (uint32_t i = 0; i < linked && !ok; i++) {
        c->prev[c->next[made[i]]] = 0;
        c->next[made[i]] = 0;
    }
    rg_release(alloc, made, n * sizeof *made);
    return ok;
}
