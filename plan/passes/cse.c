/* plan/passes/cse.c -- equal nodes become one: common subexpressions are computed once.
 *
 * Needs    a verified program.
 * Leaves   no two nodes with the same operation, attributes, kind and shape, and the same operands
 *          in order, or in any order where the operation commutes.
 * Law      exact.
 *
 * Nodes are visited in order, so operands have become one before their readers are compared: one
 * sweep is enough. The comparison is that of every later pass, in the smart constructor
 * (plan/builder.c, plan/twins.c). A random draw is a function of its stream: two of one stream are
 * equal, those that name none are not. Large constants are compared by where they lie. After
 * `recompute` equal nodes may be meant to be two (p->copies), and nothing is compared any more. */
#include "plan/passes/passes.h"

#include "plan/builder.h"

rg_status rg_pass_cse(rg_prog *p, rg_err *err)
{
    return p->consed ? RG_OK : rg_builder_sweep(p, err);
}
