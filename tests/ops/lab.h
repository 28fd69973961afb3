/* tests/ops/lab.h -- a graph whose inputs hold numbers; what its expressions are by any plan. */
#ifndef RGT_OPS_LAB_H
#define RGT_OPS_LAB_H

#include <retrograd/retrograd.h>

enum { LAB_INPUTS = 24, LAB_COPIES = 1024 };

typedef struct lab {
    rg_graph *graph;
    rg_val    in[LAB_INPUTS];
    void     *data[LAB_INPUTS];  /* double, int32_t or uint8_t; ours, to be changed at will */
    size_t    n;
    void     *copy[LAB_COPIES];  /* what f32 plans were bound to */
    size_t    n_copy;
    bool      keep_subnormals;   /* what f32 plans are made with */
    bool      signed_zeros;      /* lab_expect() tells -0 from 0 */
} lab;

void lab_begin(lab *l);
void lab_end(lab *l);
/* An input that holds these numbers; x NULL: zeros. */
rg_val lab_input(lab *l, rg_kind kind, rg_shape shape, const double *x);
/* A real one: LAB_REALS(&l, RG_SHAPE(2, 2), 1, 2, 3, 4). Of rank 1: LAB_ROW(&l, 1, 2, 3). */
#define LAB_REALS(l, shape, ...) lab_input(l, RG_F, shape, (const double[]){ __VA_ARGS__ })
#define LAB_RANK_1(l, kind, ...)                                                               \
    lab_input(l, kind, RG_SHAPE((int64_t)LAB_COUNT(__VA_ARGS__)), (const double[]){ __VA_ARGS__ })
#define LAB_ROW(l, ...) LAB_RANK_1(l, RG_F, __VA_ARGS__)
#define LAB_INTS(l, ...) LAB_RANK_1(l, RG_INT, __VA_ARGS__)
#define LAB_MASK(l, ...) LAB_RANK_1(l, RG_BOOL, __VA_ARGS__)
#define LAB_COUNT(...) (sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))

/* A plan for training with everything bound. */
rg_plan *lab_plan(lab *l, const rg_val *roots, size_t n, rg_dtype real, rg_effort effort);
/* Run as if for the first time, so that random ops draw the same numbers. */
void lab_run(rg_plan *plan);
/* The value as doubles; caller frees. */
double *lab_values(lab *l, rg_val v, rg_dtype real, rg_effort effort);

/* The value is this, in both precisions, interpreted and optimized: to 1e-14 and 1e-6 of its
 * largest, NaN and infinities exactly. */
void lab_expect(lab *l, rg_val v, const char *what, const double *want, size_t n);
#define LAB_EXPECT(l, v, ...)                                                                  \
    lab_expect(l, v, #v, (const double[]){ __VA_ARGS__ }, LAB_COUNT(__VA_ARGS__))

/* Largest |a-b| against the scale of b: max|a-b| / (max|b| + floor). NaN or infinity in one and not
 * the other is an infinite error. */
double worst_error(const double *a, const double *b, int64_t n, double floor);

#endif
