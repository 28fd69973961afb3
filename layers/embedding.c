/* layers/embedding.c -- rows of a table by index: the product of a one-hot row with the table. */
#include "layers/cell.h"

#include <math.h>
#include <stdio.h>

rg_val rg_embedding_dropout(rg_val rows, rg_val ids, const char *group, int64_t V, double p)
{
    char stream[RG_NAME_BYTES + 8];
    if (!rows.id || p == 0)
        return rows;
    (void)snprintf(stream, sizeof stream, "%s.rows", group ? group : "");
    rg_val d = rg_dropout_mask(rows.graph, RG_SHAPE(V, 1), p, stream);
    return rg_mul(rows, rg_gather(d, ids));
}

rg_val rg_embedding(rg_val ids, const char *group, int64_t V, int64_t E)
{
    rg_graph *g = ids.graph;
    if (!rg_widths_ok(g, "embedding", group, V, E))
        return (rg_val){ .graph = g };
    rg_val table = rg_param(g, group, "E", RG_SHAPE(V, E), rg_init_normal(1 / sqrt((double)E)));
    return rg_gather(table, ids);
}
