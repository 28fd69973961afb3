/* kernels/tile_program.h -- the insides of a compiled tile program; of tile*.c only. */
#ifndef RG_KERNELS_TILE_PROGRAM_H
#define RG_KERNELS_TILE_PROGRAM_H

#include "kernels/rows.h"
#include "kernels/tile.h"

/* A place: slot k of the scratch memory for k < n_slot, else operand or result k - n_slot. */
typedef uint32_t rg_tile_place;

enum { RG_TILE_FEW = 4 };  /* operands of a loop */

typedef struct rg_tile_step {
    rg_tile_loop       *loop;
    rg_tile_many       *many;    /* instead, where rows of a tile are apart; NULL = they are not */
    const rg_tile_call *call;    /* instead of loop */
    rg_rows_fn         *rows;    /* or this */
    double              c[2];
    uint32_t            source;  /* the instruction it came from */
    rg_tile_place       out, in[RG_TILE_MAX_IN];
    uint32_t            n_in;
    bool                narrow;  /* runs over one element a row */
    int64_t             row[1 + RG_TILE_FEW]; /* from row to row of out and of in */
    uint32_t            each;    /* row by row, operand each - 1 being narrow; 0 = none is */
    size_t              out_size; /* of an element, as the kernel sees it */
} rg_tile_step;

/* Copy an operand into a slot, or a place into a result. */
typedef struct rg_tile_move {
    uint32_t      data;
    rg_tile_place place;
    bool          narrow;  /* the place holds one element a row */
} rg_tile_move;

typedef struct rg_tile_data {
    int64_t row, col;
    size_t  size;    /* of an element */
    bool    narrow;
    bool    direct;  /* loops go over it as it lies: no copy */
} rg_tile_data;

struct rg_tile_program {
    rg_dtype real;
    bool     flat;       /* all is contiguous or one number: a single row of rows·cols elements */
    bool     whole;      /* tiles are whole rows */
    bool     plain;      /* all steps are loops over all elements, of few operands */
    bool     apart;      /* and can go over rows that are apart: these are direct, too */
    bool     bare;       /* plain and flat, with nothing to load, to fill or to store */
    bool     by_row;     /* a row at a time, by loops of few operands or along the row */
    int64_t  cols;       /* of the source */
    int64_t  block;      /* rows of a tile; more than 1 only if a tile spans all columns */
    int64_t  width;      /* columns of a tile */
    uint32_t n_slot, n_data, n_once, n_load, n_fill, n_step, n_store;
    size_t   slot_bytes, call_bytes;
    rg_tile_data *data;
    rg_tile_move *load;  /* the first n_once before all tiles, the others for each */
    rg_tile_step *step;  /* likewise the first n_fill */
    rg_tile_move *store;
};

/* Kinds by the letters of a signature; false for a code that is none. */
typedef struct rg_tile_signature {
    size_t  n_in;
    rg_kind in[RG_TILE_MAX_IN], out;
} rg_tile_signature;
bool rg_tile_signature_of(rg_tile_signature *out, const rg_tile_ins *ins);
/* The kernel of a code that works along rows; NULL for any other. */
rg_rows_fn *rg_tile_rows_of(rg_tile_code code, rg_dtype real, rg_isa isa);

/* From row to row of a place. */
static inline int64_t rg_tile_row_of(const rg_tile_program *p, rg_tile_place place)
{
    return place < p->n_slot ? p->width : p->data[place - p->n_slot].row;
}
/* When tiles and places are known: which steps go over rows that are apart. */
void rg_tile_find_rows(rg_tile_program *p);

/* ---- What compilation works on: values as in the source ------------------------------------- */

typedef struct rg_tile_node {
    rg_tile_ins ins;
    uint32_t    n_in;
    uint32_t    uses;    /* by instructions that are left (n_in each), and twice by a result */
    uint32_t    limit;   /* the last value that may read it; UINT32_MAX: any */
    uint32_t    last;    /* the last value that reads it; UINT32_MAX: needed after all */
    uint32_t    wide;    /* of a narrow one: the value that has it in every column; 0 = none */
    rg_tile_place place;
    rg_kind     kind;
    bool        operand, narrow;
    uint32_t    each;    /* as of a step */
} rg_tile_node;

/* Have all instructions of the program, n from node[0] on, loops over rows apart, and is nothing
 * narrow but what they take so? */
bool rg_tile_goes_apart(const rg_tile_program *p, const rg_tile_node *node, uint32_t n,
                        const rg_tile_kernels *kernels);

/* Is the second operand of value v, or a mask, alone narrow, with a loop for that? 1 + which; 0: no
 * loop. a + b, a·b, a·b + d may turn round. */
uint32_t rg_tile_takes_each(rg_tile_node *node, uint32_t v, rg_dtype real,
                            const rg_tile_kernels *kernels);

/* Merge an instruction with neighbours that only it uses; node[n_in + k] is instruction k. */
void rg_tile_merge(rg_tile_node *node, uint32_t n_in, uint32_t n_ins);

#endif
