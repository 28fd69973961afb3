/* tests/kernels/ulp.c -- worst errors of the f32 functions over all inputs, and equal bits on every
 * instruction set, with subnormals kept and flushed.
 *
 *     ulp [--exhaustive | STRIDE]     every bit pattern, or each STRIDE-th (1031)
 *
 * Exit status 1: an error beyond its bound, or bits that differ. */
#include "tests/kernels/help.h"

#include "kernels/fpstate.h"
#include "kernels/tile.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 4096 };

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }
static double elu(double x) { return x > 0 ? x : expm1(x); }

struct function {
    rg_tile_code code;
    double (*f)(double);
    double bound;
};

static const struct function function[] = {
    { RG_TILE_EXP, exp, 2 },         { RG_TILE_LOG, log, 2 },
    { RG_TILE_TANH, tanh, 2.5 },     { RG_TILE_SIGMOID, sigmoid, 2.5 },
    { RG_TILE_SOFTPLUS, softplus, 2 }, { RG_TILE_ELU, elu, 2 },
};

struct worst {
    double   ulp;
    float    at;
    uint64_t differ;  /* inputs whose bits depend on the instruction set */
    rg_isa   isa;
};

/* The block of inputs b, b + stride, ... */
static void fill(float *x, uint64_t b, uint64_t stride)
{
    for (uint64_t i = 0; i < BLOCK; i++)
        x[i] = f32_of_bits((uint32_t)(b + i * stride));
}

static void try_block(const struct function *f, uint64_t b, uint64_t stride, struct worst *w)
{
    static _Thread_local float x[BLOCK], y[BLOCK], other[BLOCK];
    const double c[2] = { 1, 0 };
    fill(x, b, stride);
    for (int flush = 1; flush >= 0; flush--) { /* kept last: y is what is measured */
        rg_fp_state old = rg_fp_enter(flush);
        rg_tile_table(RG_ISA_PORTABLE)->loop[RG_F32][f->code](BLOCK, y, &(const void *){ x }, c);
        rg_fp_leave(old);
        for (rg_isa isa = RG_ISA_AVX2; isa <= rg_cpu_isa(); isa++) {
            old = rg_fp_enter(flush);
            rg_tile_table(isa)->loop[RG_F32][f->code](BLOCK, other, &(const void *){ x }, c);
            rg_fp_leave(old);
            for (int i = 0; i < BLOCK; i++)
                if (!same_f32(y[i], other[i]))
                    w->differ++, w->at = x[i], w->isa = isa;
        }
    }
    for (int i = 0; i < BLOCK; i++) {
        const double e = ulp_f32(y[i], f->f((double)x[i]));
        if (e > w->ulp)
            w->ulp = e, w->at = x[i];
    }
}

static struct worst sweep(const struct function *f, uint64_t stride)
{
    struct worst all = { 0 };
#pragma omp parallel
    {
        struct worst mine = { 0 };
#pragma omp for schedule(dynamic, 16)
        for (uint64_t b = 0; b < UINT64_C(1) << 32; b += stride * BLOCK)
            try_block(f, b, stride, &mine);
#pragma omp critical
        {
            if (mine.ulp > all.ulp)
                all.ulp = mine.ulp, all.at = mine.at;
            if (mine.differ)
                all.isa = mine.isa;
            all.differ += mine.differ;
        }
    }
    return all;
}

int main(int argc, char **argv)
{
    const bool exhaustive = argc > 1 && strcmp(argv[1], "--exhaustive") == 0;
    const uint64_t stride = exhaustive ? 1 : argc > 1 ? strtoull(argv[1], NULL, 10) : 1031;
    int failed = 0;
    if (stride == 0) {
        (void)fprintf(stderr, "usage: ulp [--exhaustive | STRIDE]\n");
        return 2;
    }
    printf("each %llu-th f32, sets portable to %s\n", (unsigned long long)stride,
           rg_isa_text(rg_cpu_isa()));
    for (size_t i = 0; i < sizeof function / sizeof *function; i++) {
        const struct worst w = sweep(&function[i], stride);
        const bool good = w.ulp <= function[i].bound && w.differ == 0;
        printf("%-5s %-9s %.3f ulp (bound %.1f) at %.9g", good ? "ok" : "WRONG",
               rg_tile_code_text(function[i].code), w.ulp, function[i].bound, (double)w.at);
        if (w.differ)
            printf(", %llu inputs differ on %s", (unsigned long long)w.differ, rg_isa_text(w.isa));
        printf("\n");
        failed |= !good;
    }
    return failed;
}
