/* bench/elementwise.c -- the vector loops, element by element, on every instruction set that the
 * machine has. */
#include "bench/bench.h"

#include "kernels/tile.h"

#include <stdlib.h>
#include <string.h>

enum { N = 4096, MOST_IN = 4 };

struct loop {
    rg_tile_loop *call;
    void         *out, *in[MOST_IN];
    double        c[2];
};

static void body(void *arg)
{
    struct loop *l = arg;
    l->call(N, l->out, (const void *const *)l->in, l->c);
}

/* The kinds of operands, from "R:RB". */
static const char *signature(size_t code)
{
#define SIGNATURE(code_, name, signature_) signature_,
    static const char *const all[] = { RG_TILE_CODES(SIGNATURE) };
#undef SIGNATURE
    return code < sizeof all / sizeof *all ? all[code] : "";
}

static void fill(void *x, char kind, rg_dtype real)
{
    for (int i = 0; i < N; i++) {
        const double v = 0.1 + 3.0 * i / N;
        if (kind == 'B')
            ((uint8_t *)x)[i] = i % 3 == 0;
        else if (kind == 'I')
            ((int32_t *)x)[i] = i;
        else if (real == RG_F32)
            ((float *)x)[i] = (float)v;
        else
            ((double *)x)[i] = v;
    }
}

static void one(const rgb_row *row, const rgb_opts *opts, rg_isa isa, rg_dtype real, size_t code)
{
    struct loop l = { .call = rg_tile_table(isa)->loop[real == RG_F64][code], .c = { 0.5, 2 } };
    const char *kinds = strchr(signature(code), ':');
    if (!l.call || !kinds)
        return;
    l.out = aligned_alloc(64, N * sizeof(double));
    for (int k = 0; k < MOST_IN; k++) {
        l.in[k] = aligned_alloc(64, N * sizeof(double));
        fill(l.in[k], (size_t)k < strlen(kinds + 1) ? kinds[1 + k] : 'R', real);
    }
    const rgb_time t = rgb_measure(body, &l, opts);
    rgb_begin(row);
    rgb_text("what", "elementwise");
    rgb_text("code", rg_tile_code_text((rg_tile_code)code));
    rgb_text("loops", rg_isa_text(isa));
    rgb_text("dtype", real == RG_F32 ? "f32" : "f64");
    rgb_number("n", N);
    rgb_number("threads", 1);
    rgb_number("ns", 1e9 * t.min / N);
    rgb_number("ns_med", 1e9 * t.median / N);
    rgb_number("rounds", t.rounds);
    rgb_end();
    free(l.out);
    for (int k = 0; k < MOST_IN; k++)
        free(l.in[k]);
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const rg_dtype real = *(const rg_dtype *)row->arg;
    for (int isa = RG_ISA_PORTABLE; isa <= (int)rg_cpu_isa(); isa++)
        for (size_t code = 0; code < RG_TILE_CALL; code++)
            if (rg_tile_table((rg_isa)isa)->isa == (rg_isa)isa)
                one(row, opts, (rg_isa)isa, real, code);
}

static const rgb_row rows[] = {
    { "F3-f32", "ns per element of every vector loop, f32", run, &(const rg_dtype){ RG_F32 } },
    { "F3-f64", "the same, f64", run, &(const rg_dtype){ RG_F64 } },
};

const rgb_rows rgb_elementwise = { rows, 2 };
