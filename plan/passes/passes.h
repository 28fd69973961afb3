/* plan/passes/passes.h -- what the table in plan/pipeline.c is made of. */
#ifndef RG_PLAN_PASSES_PASSES_H
#define RG_PLAN_PASSES_PASSES_H

#include "plan/prog.h"

typedef rg_status rg_pass(rg_prog *p, rg_err *err);

rg_pass rg_pass_fold, rg_pass_cse, rg_pass_dce, rg_pass_fuse;
rg_pass rg_pass_split, rg_pass_join, rg_pass_reduce, rg_pass_pack, rg_pass_batch,
    rg_pass_accumulate, rg_pass_recompute, rg_pass_chunk, rg_pass_columns, rg_pass_remat;

/* The level at which `fuse` would compute each node: programs that feed others have lower ones. */
rg_status rg_fuse_levels(rg_prog *p, uint32_t *level, rg_err *err);

#endif
