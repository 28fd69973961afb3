/* tests/kernels/random_tile.h -- random sources of tile programs, and what they must give. */
#ifndef RGT_KERNELS_RANDOM_TILE_H
#define RGT_KERNELS_RANDOM_TILE_H

#include "kernels/tile.h"

enum { MAX_IN = 6, MAX_INS = 30, MAX_OUT = 4, MAX_ELEMENTS = 4000, ROOM = 3 * MAX_ELEMENTS + 64 };

/* A source, its data, and every value of it. */
struct random_program {
    rg_tile_source  s;
    rg_tile_operand in[MAX_IN];
    rg_tile_ins     ins[MAX_INS];
    rg_tile_result  out[MAX_OUT];
    double data[MAX_IN + MAX_OUT][ROOM];             /* room for each, of whatever type */
    double value[MAX_IN + MAX_INS][MAX_ELEMENTS];    /* of every value, dense */
    double start[MAX_IN][ROOM];
};
typedef struct random_program random_program;

void random_source(random_program *p, uint64_t seed);
/* Data for the operands, and dense copies of them as values. */
void random_operands(random_program *p, uint64_t seed);
/* One instruction after the other over the whole space, each by the loop of its code. */
void random_evaluate(random_program *p, const rg_tile_kernels *kernels);

/* Bytes of an element of a value. */
size_t random_size_of(const random_program *p, uint32_t v);
/* Must its tiles be whole rows? */
bool random_in_rows(const random_program *p);

/* An op of the user's own, f64 only: a - 2b; fails with 42 where a is *attr. */
extern const rg_op random_user_op;

#endif
