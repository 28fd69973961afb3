/* plan/passes/passes.h -- what the table in plan/pipeline.c is made of. */
#ifndef RG_PLAN_PASSES_PASSES_H
#define RG_PLAN_PASSES_PASSES_H

#include "plan/prog.h"

typedef rg_status rg_pass(rg_prog *p, rg_err *err);

rg_pass rg_pass_fold, rg_pass_cse, rg_pass_dce, rg_pass_fuse;
rg_pass rg_pass_split, rg_pass_join, rg_pass_reduce, rg_pass_pack, rg_pass_batch,
    rg_pass_accumulate;

#endif
