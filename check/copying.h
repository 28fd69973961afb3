/* check/copying.h -- what private copies of a user's graph have in common. */
#ifndef RG_CHECK_COPYING_H
#define RG_CHECK_COPYING_H

#include "graph/graph.h"

/* Mark whatever marked nodes depend on, in any way. */
void rg_copy_needed(uint8_t *needed, const rg_graph *g);
/* The same nesting of scopes in @p to; @p scope, by the user's, receives the copy's. */
void rg_copy_scopes(uint32_t *scope, const rg_graph *g, rg_graph *to);
/* As rg_input(), but names need not differ; their addresses do, so that no two are equal nodes. */
rg_val rg_copy_leaf(rg_graph *to, const char *name, rg_sig sig);

#endif
