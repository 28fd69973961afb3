/* kernels/tile.h -- fused programs, elementwise and along rows, run tile by tile.
 *
 * A program is a list of instructions over values, each defined once: values 0 .. n_in-1 are the
 * operands, value n_in + k is what instruction k computes. The iteration space is rows x cols;
 * operands and results are views of it with a row and a column stride (0 broadcasts). Values live
 * in registers, tiles of a few hundred elements that together fit half of the L1 cache.
 *
 * A value may be narrow, one element for each row: the sum of a row, what is computed from such
 * values alone, an operand with column stride 0. Where an element of the space is computed from it,
 * it is spread over its row first, or taken row by row (`each`). A program that computes narrow
 * values or works along rows runs in tiles of whole rows.
 *
 * Bits: exact operations (add, mul, compare, ...) equal the reference kernels, also inside the
 * merged instructions, which round after each operation. exp, log, tanh and sigmoid in f32 are our
 * own, within 2, 2, 2.5 and 2.5 ulp; in f64 they are libm's. An element's bits depend neither on
 * its position nor, in f32, on the instruction set. */
#ifndef RG_KERNELS_TILE_H
#define RG_KERNELS_TILE_H

#include <retrograd/graph.h>

#include "kernels/isa.h"
#include "base/error.h"
#include "base/memory.h"

/* X(CODE, name, signature): the kind of the result, a colon, the kinds of the operands; R real,
 * B mask (uint8_t), I int32_t. Constants c0, c1 are of the instruction. */
#define RG_TILE_CODES(X)                                                                         \
    X(FILL, fill, "R:")                     /* c0 */                                             \
    X(ADD, add, "R:RR") X(SUB, sub, "R:RR") X(MUL, mul, "R:RR") X(DIV, div, "R:RR")              \
    X(MINIMUM, minimum, "R:RR") X(MAXIMUM, maximum, "R:RR") /* NaN wins; a tie gives the first */ \
    X(NEG, neg, "R:R") X(SCALE, scale, "R:R") /* c0·x */ X(SHIFT, shift, "R:R") /* x + c0 */     \
    X(ONE_MINUS, one_minus, "R:R") X(SQUARE, square, "R:R") X(SQRT, sqrt, "R:R")                 \
    X(ABS, abs, "R:R") X(RELU, relu, "R:R")                                                      \
    X(LEAKY_RELU, leaky_relu, "R:R")        /* x > 0 ? x : c0·x */                               \
    X(ELU, elu, "R:R")                      /* x > 0 ? x : c0·(eˣ - 1) */                        \
    X(CLIP, clip, "R:R")                    /* to c0 .. c1 */                                    \
    X(EXP, exp, "R:R") X(LOG, log, "R:R") X(SIGMOID, sigmoid, "R:R") X(TANH, tanh, "R:R")        \
    X(SOFTPLUS, softplus, "R:R")                                                                 \
    X(BINARY_CROSS_ENTROPY, binary_cross_entropy, "R:RR") /* max(z,0) - z·y + ln(1 + e^-|z|) */  \
    X(LESS, less, "B:RR") X(LESS_EQUAL, less_equal, "B:RR") X(EQUAL, equal, "B:RR")              \
    X(AND, and, "B:BB") X(NOT, not, "B:B") X(WHERE, where, "R:BRR")                              \
    X(BOOL_TO_REAL, bool_to_real, "R:B") X(INT_TO_REAL, int_to_real, "R:I")                      \
    /* merged: what rg_tile_compile() makes of neighbours; each operation rounds */              \
    X(MUL_ADD, mul_add, "R:RRR")            /* a·b + c */                                        \
    X(MUL2_ADD, mul2_add, "R:RRRR")         /* a·b + c·d */                                      \
    X(MUL_MUL, mul_mul, "R:RRR")            /* (a·b)·c */                                        \
    X(MUL_1M, mul_1m, "R:RR")               /* a·(1 - b) */                                      \
    X(MUL_MUL_1M, mul_mul_1m, "R:RRR")      /* a·(b·(1 - c)) */                                  \
    X(SLOPE, slope, "R:R")                  /* (1 - a)·(a + 1) */                                \
    X(MUL_SLOPE, mul_slope, "R:RR")         /* a·((1 - b)·(b + 1)) */                            \
    X(MUL2_MUL_1M, mul2_mul_1m, "R:RRRR")   /* (a·b)·(c·(1 - d)) */                              \
    X(MUL2_SLOPE, mul2_slope, "R:RRR")      /* (a·b)·((1 - c)·(c + 1)) */                        \
    X(ADD_SIGMOID, add_sigmoid, "R:RR") X(ADD_TANH, add_tanh, "R:RR")
/* X(CODE, name): along each row, by the kernel of that name in rows.h, mean with c0; narrow up to
 * logsumexp. A sum that is scaled becomes a mean. */
#define RG_TILE_ROW_CODES(X)                                                                     \
    X(SUM, sum) X(MEAN, mean) X(MAX, max) X(LOGSUMEXP, logsumexp)                                \
    X(SOFTMAX, softmax) X(SOFTMAX_OR_ZERO, softmax_or_zero) X(LOG_SOFTMAX, log_softmax)

/* Any other elementwise op (power, sin, cos, comparison of integers, yours) joins a program through
 * RG_TILE_CALL. */
typedef enum rg_tile_code {
#define RG_TILE_ENUM(CODE, name, signature) RG_TILE_##CODE,
    RG_TILE_CODES(RG_TILE_ENUM)
#undef RG_TILE_ENUM
    RG_TILE_CALL,       /* the reference kernel, on a tile */
#define RG_TILE_ROW_ENUM(CODE, name) RG_TILE_##CODE,
    RG_TILE_ROW_CODES(RG_TILE_ROW_ENUM)
#undef RG_TILE_ROW_ENUM
    RG_TILE_CODE_COUNT
} rg_tile_code;

enum { RG_TILE_MAX_IN = 8, RG_TILE_MAX_VALUES = 1024 };

/* What RG_TILE_CALL calls; borrowed while the program lives. */
typedef struct rg_tile_call {
    const rg_op    *op;
    const void     *attr;
    const rg_shape *in_shape;   /* one per operand, as inferred: the kernel is told */
    const rg_shape *out_shape;
    size_t          n_in;
    rg_kind         in_kind[RG_TILE_MAX_IN], out_kind;
} rg_tile_call;

typedef struct rg_tile_ins {
    rg_tile_code code;
    uint32_t     in[RG_TILE_MAX_IN];  /* values */
    double       c0, c1;
    const rg_tile_call *call;         /* for RG_TILE_CALL */
    bool         narrow;              /* as its operands are, or one number everywhere; or SUM .. */
} rg_tile_ins;

/* An operand: element (r,c) lies at data[r·row + c·col]. */
typedef struct rg_tile_operand {
    rg_kind kind;
    int64_t row, col;
} rg_tile_operand;

/* A result: which value goes where; col is 0 for a narrow one. It may lie exactly over an operand
 * (same data, same strides) if rg_tile_may_overwrite(): it is then written when nothing of a tile
 * reads that operand any more. Any other overlap is wrong. */
typedef struct rg_tile_result {
    uint32_t value;
    uint32_t over;      /* 1 + the operand that it lies over; 0 = none */
    int64_t  row, col;
} rg_tile_result;

typedef struct rg_tile_source {
    rg_dtype real;      /* RG_F32 or RG_F64 */
    int64_t  rows, cols;
    const rg_tile_operand *in;
    size_t   n_in;
    const rg_tile_ins *ins;
    size_t   n_ins;
    const rg_tile_result *out;
    size_t   n_out;
} rg_tile_source;

/* The vector loops of one instruction set, [RG_F32] and [RG_F64]. Any alignment, any n; out may be
 * one of the operands where elements are of one size. */
typedef void rg_tile_loop(int64_t n, void *out, const void *const *in, const double *c);
/* The same for rows of n elements: row[0] elements apart in out, row[1 + k] in operand k. */
typedef void rg_tile_many(int64_t rows, int64_t n, void *out, const void *const *in,
                          const int64_t *row, const double *c);
typedef struct rg_tile_kernels {
    rg_isa        isa;
    rg_tile_loop *loop[2][RG_TILE_CALL];
    rg_tile_loop *each[2][RG_TILE_CALL]; /* operand 1, or a mask, is one element, for all n; NULL:
                                            no such */
    rg_tile_many *many[2][RG_TILE_CALL]; /* NULL for most masks, integers and fills */
    rg_tile_many *each_many[2][RG_TILE_CALL]; /* both */
} rg_tile_kernels;
RG_ISA_TABLES(rg_tile_kernels, rg_tile_kernels);

/* The loops for an instruction set; the next narrower one where the build has it not. It is for the
 * caller to ask only for what rg_cpu_isa() allows. */
const rg_tile_kernels *rg_tile_table(rg_isa isa);
/* "add", ...; "call"; "sum", ... */
const char *rg_tile_code_text(rg_tile_code code);

typedef struct rg_tile_program rg_tile_program;

/* Check, merge neighbours, give registers. The program lives in the arena, is never written again,
 * and may be run by many threads, on any data that has the same strides. RG_EINTERNAL: the source
 * breaks a rule of this page; RG_ELIMIT: more than RG_TILE_MAX_VALUES values; RG_ENOMEM. */
rg_status rg_tile_compile(rg_tile_program **out, const rg_tile_source *source,
                          const rg_tile_kernels *kernels, rg_arena *arena, rg_err *err);

/* May result @p out lie over operand @p in? True where their strides and sizes are equal and no
 * result is that operand itself. Give an operand to one result only. It costs nothing where no
 * instruction after the one that makes the result reads the operand, else a copy of each tile. */
bool rg_tile_may_overwrite(const rg_tile_source *source, size_t out, size_t in);
bool rg_tile_overwrites_free(const rg_tile_source *source, size_t out, size_t in);

/* Bytes that one thread needs to run the program. */
size_t rg_tile_scratch(const rg_tile_program *program);
/* Instructions after merging, registers, elements of a tile: for printouts. */
typedef struct rg_tile_facts { size_t n_ins, n_reg, tile; } rg_tile_facts;
rg_tile_facts rg_tile_report(const rg_tile_program *program);

/* One thread's share of a run. */
typedef struct rg_tile_run {
    void *const *data;           /* n_in operands (not written), then n_out results */
    int64_t  row0, row1;         /* the part of the iteration space to do; whole rows run fastest */
    int64_t  col0, col1;         /* all columns, if a tile is whole rows */
    int64_t  first;              /* index of element (0,0) in the whole ops: what calls are told */
    uint64_t seed, run;          /* likewise */
    void    *scratch;            /* rg_tile_scratch() bytes of this thread, aligned to RG_ALIGN */
    uint32_t failed;             /* out: the instruction of the source whose kernel failed */
} rg_tile_run;

/* 0, or what the kernel of instruction run->failed returned. */
int rg_tile_execute(const rg_tile_program *program, rg_tile_run *run);

#endif
