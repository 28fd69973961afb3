/* grad/reverse.h -- the one reverse sweep that all derivatives are made of. */
#ifndef RG_GRAD_REVERSE_H
#define RG_GRAD_REVERSE_H

#include "graph/graph.h"

/* dx[j] = Σ_i gyᵢ · ∂yᵢ/∂x[j]. @p who names the caller in messages. Operands are checked by the
 * caller. On failure the graph is poisoned and all dx are inert. */
void rg_sweep(rg_val *dx, const rg_val *y, const rg_val *gy, size_t n_y, const rg_val *x,
                size_t n_x, const char *who);

#endif
