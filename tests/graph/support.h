/* tests/graph/support.h -- what the tests of graph/ share: operations of their own, so that they
 * stand on nothing but graph/ and base/. */
#ifndef RGT_GRAPH_SUPPORT_H
#define RGT_GRAPH_SUPPORT_H

#include "tests/rgt.h"

#include "graph/graph.h"

#include <string.h>

/* A graph on a store of its own. */
typedef struct world {
    rg_params *ps;
    rg_graph  *g;
} world;

static inline world world_with(uint64_t seed, rg_dtype real)
{
    world w = { .ps = NULL };
    RGT_CHECK(rg_params_create(&w.ps, seed, &(rg_params_opts){ .real = real }) == RG_OK);
    RGT_CHECK(rg_graph_create(&w.g, w.ps, NULL) == RG_OK);
    return w;
}

static inline world world_new(void)
{
    return world_with(1, RG_F64);
}

static inline void world_free(world *w)
{
    rg_graph_destroy(&w->g);
    rg_params_destroy(&w->ps);
}

/* Sum of broadcast operands; any number of them; an op without derivative; one with attributes. */
extern const rg_op test_add, test_join, test_fixed, test_scaled;
typedef struct test_attr { double c; } test_attr;

/* The graph is poisoned with this code and a message that has this part. */
static inline bool poisoned(const rg_graph *g, rg_status status, const char *says)
{
    bool right = rg_graph_status(g) == status && rgt_has(rg_graph_message(g), says);
    if (!right)
        rgt_note("got %d: %s\n", (int)rg_graph_status(g), rg_graph_message(g));
    return right;
}

#endif
