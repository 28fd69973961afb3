/* plan/passes/fold.h -- rewrite rules: data with a law each. */
#ifndef RG_PLAN_PASSES_FOLD_H
#define RG_PLAN_PASSES_FOLD_H

#include "plan/builder.h"

/* What a rule says of a node that is about to be made: 0, no opinion; RG_AGAIN, it has rewritten
 * *n; else the value that *n equals. */
#define RG_AGAIN UINT32_MAX
typedef uint32_t rg_rule_fn(rg_builder *b, rg_node *n);

typedef struct rg_rule {
    const rg_op *op;      /* NULL = any */
    rg_rule_fn  *apply;
    const char  *law;     /* names the rule in traces and tests */
} rg_rule;

/* The rules in order: those of one op stand together, those of any op are the last. */
size_t rg_rule_count(void);
const rg_rule *rg_rule_at(size_t i);
/* From an op to the number of its first rule (rg_rule_count() if it has none). */
bool rg_rules_index(rg_index *index, const rg_alloc *alloc, size_t i);
size_t rg_rules_of(const rg_index *index, const rg_op *op);

#endif
