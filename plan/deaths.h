/* plan/deaths.h -- who reads a value's memory, before there is an order of running. */
#ifndef RG_PLAN_DEATHS_H
#define RG_PLAN_DEATHS_H

#include "plan/code.h"
#include "plan/passes/products.h"

typedef struct rg_deaths {
    rg_code  *c;
    rg_uses   uses;
    uint32_t *reader;   /* by value: what reads its memory, through any views; UINT32_MAX = many */
    uint8_t  *verdict;  /* by value: is every use a window apart? 0 = not yet asked */
} rg_deaths;

/* @p placed: slots have been given, so concats of what lies in place only pass on. RG_ENOMEM; free
 * in any case. */
rg_status rg_deaths_make(rg_deaths *r, rg_code *c, bool placed);
void rg_deaths_free(rg_deaths *r);

/* Does a view show the value? */
bool rg_has_views(const rg_code *c, const rg_uses *uses, uint32_t id);
/* What computes a node, as a number: tile programs first. */
uint32_t rg_reader_number(const rg_code *c, uint32_t id);
/* Are the elements of a computed value read there only, whatever they are windows of? */
bool rg_dies_in(rg_deaths *r, uint32_t id, uint32_t reader);

#endif
