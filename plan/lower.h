/* plan/lower.h -- what the files that make steps share. */
#ifndef RG_PLAN_LOWER_H
#define RG_PLAN_LOWER_H

#include "kernels/tile.h"
#include "plan/code.h"

/* ---- lower_tile.c: elementwise units -------------------------------------------------------- */

rg_status rg_lower_tile(rg_code *c, uint32_t unit);
/* Compiled, or known already (lower_programs.c). */
rg_status rg_lower_program(rg_code *c, const rg_tile_source *source, const rg_tile_program **out);
/* When all units are lowered. */
void rg_forget_programs(rg_code *c);

/* ---- lower_copy.c: what moves elements ------------------------------------------------------ */

/* Parts of a concat that do not lie in place. */
rg_status rg_lower_concat(rg_code *c, uint32_t node);
/* A leaf's place in a slab. */
rg_status rg_lower_fill(rg_code *c, const rg_fill *fill);
/* A view for which no strides would do. */
rg_status rg_lower_view(rg_code *c, uint32_t node);

/* ---- lower_product.c ------------------------------------------------------------------------ */

rg_status rg_lower_matmul(rg_code *c, uint32_t node);
/* One of the last two axes is contiguous, and the other does not fold over it. */
bool rg_matrix_lies(const int64_t *stride, const rg_shape *shape);

/* ---- lower_rows.c --------------------------------------------------------------------------- */

/* Is there a row kernel for this node? And can it read an operand that lies so? */
bool rg_has_rows(const rg_prog *p, const rg_node *node);
bool rg_rows_lie(const int64_t *stride, const rg_shape *shape, const rg_node *node);
rg_status rg_lower_rows(rg_code *c, uint32_t node);
rg_status rg_lower_gather(rg_code *c, uint32_t node);
rg_status rg_lower_scatter(rg_code *c, uint32_t node);

/* ---- lower_call.c: reference kernels -------------------------------------------------------- */

rg_status rg_lower_call(rg_code *c, uint32_t node);

/* ---- Shared --------------------------------------------------------------------------------- */

/* A new step of the unit that node belongs to, with room for references and for what the kernel
 * wants to know; NULL without memory. */
rg_task *rg_task_new(rg_code *c, rg_task_fn *run, const char *name, uint32_t node, size_t n_arg,
                     size_t detail_bytes);
/* It can be cut into so many rows. Lines by argument, to be filled in; NULL without memory. */
rg_line *rg_task_rows(rg_code *c, rg_task *s, rg_task_fn *run, int64_t rows);
/* Products of few rows, and what computes on their columns element by element, are cut alike: by
 * columns, into blocks of so many. */
enum { RG_FEW_ROWS = 16, RG_BLOCK = 32 };
/* bands.c: how views take products apart; false without memory. Into how many bands of columns. */
bool rg_code_bands(rg_code *c);
int64_t rg_bands_of(const rg_code *c, uint32_t id);
/* Where a value lies. */
rg_ref rg_ref_of(rg_code *c, uint32_t id);
/* Every thread must have so much scratch. */
void rg_need_scratch(rg_code *c, size_t bytes);
size_t rg_round_up(size_t bytes, size_t to);
static inline int64_t rg_div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
rg_status rg_lower_no_memory(rg_code *c);

/* Loops over arrays of one shape that lie differently: extents of 1 are dropped, axes that continue
 * each other in all arrays become one. At least two axes remain (extents of 1 in front). */
typedef struct rg_nest {
    int      rank;
    int64_t  dim[RG_MAX_RANK];
    bool     rows;     /* the last axis, of more than one element, stays by itself */
    int64_t *stride;   /* [array][RG_MAX_RANK]; the caller's, rewritten in place */
    size_t   n;        /* arrays */
} rg_nest;
void rg_nest_simplify(rg_nest *nest, const rg_shape *shape);
/* Product of all extents but the last two. */
int64_t rg_nest_outer(const rg_nest *nest);
/* The first loop as rows: their number, and what a row touches of array a. */
int64_t rg_nest_rows(const rg_nest *nest);
rg_line rg_nest_line(const rg_nest *nest, size_t a, size_t item);
/* What parts of a_part rows, or columns of all rows, touch of array a. */
rg_share rg_nest_share(const rg_nest *nest, size_t a, size_t item, bool by_cols, int64_t a_part);
/* Elements from the start of array a at which outer iteration i begins. */
int64_t rg_nest_offset(const rg_nest *nest, size_t a, int64_t i);

#endif
