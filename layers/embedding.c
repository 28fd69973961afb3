/* layers/embedding.c -- rows of a table by index: the product of a one-hot row with the table. */
#include "layers/cell.h"

#include <math.h>

rg_val rg_embedding(rg_val ids, const char *group, int64_t V, int64_t E)
{
    rg_graph *g = ids.graph;
    if (!rg_widths_ok(g, "embedding", group, V, E))
        return (rg_val){ .graph = g };
    rg_val table = rg_param(g, group, "E", RG_SHAPE(V, E), rg_init_normal(1 / sqrt((double)E)));
    return rg_gather(table, ids);
}
