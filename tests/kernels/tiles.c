/* tests/kernels/tiles.c -- whole tile programs: random ones against one loop per instruction,
 * cut in any way; views, calls, results over operands, refusals, memory. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"
#include "tests/kernels/random_tile.h"
#include "tests/kernels/tile_status.h"

#include <stdio.h>
#include <stdlib.h>

/* Knows where it is: writes the index of the element. */
static int index_kernel(const rg_kernel_args *k)
{
    float *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = (float)(k->first + i + (int64_t)k->run) + 0 * ((const float *)k->in[0])[i];
    return k->item != sizeof(float) || k->seed != 99;
}

static const rg_op index_op = { .name = "index", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                                .kernel_f32 = index_kernel, .kernel_f64 = index_kernel };
static const rg_shape any_shape = { 0, { 0 } };

static void check_results(const random_program *p, void *const *data, uint64_t seed)
{
    for (size_t j = 0; j < p->s.n_out; j++) {
        const rg_tile_result *out = &p->out[j];
        const size_t size = random_size_of(p, out->value);
        for (int64_t r = 0; r < p->s.rows; r++)
            for (int64_t c = 0; c < p->s.cols; c++) {
                const char *got = (const char *)data[p->s.n_in + j] +
                                  (size_t)(r * out->row + c * out->col) * size;
                const char *want = (const char *)p->value[out->value] +
                                   (size_t)(r * p->s.cols + c) * size;
                if (memcmp(got, want, size) == 0)
                    continue;
                bool nan = size == 8 ? isnan(*(const double *)(const void *)got)
                                     : size == 4 && isnan(*(const float *)(const void *)got);
                RGT_CHECK_MSG(nan, "program %d: result %d at %d,%d of %dx%d", (int)seed, (int)j,
                              (int)r, (int)c, (int)p->s.rows, (int)p->s.cols);
            }
    }
}

/* Let some results lie over operands where that is allowed. */
static size_t overwrite_some(random_program *p, void **data, uint64_t seed)
{
    size_t n = 0;
    for (size_t j = 0; j < p->s.n_out; j++)
        for (uint32_t i = 0; i < p->s.n_in; i++) {
            bool taken = false;
            for (size_t r = 0; r < p->s.n_out; r++)
                taken = taken || p->out[r].over == i + 1;
            if (taken || p->out[j].over || !draw_below(seed + 60, 10 * j + i, 4) ||
                !rg_tile_may_overwrite(&p->s, j, i))
                continue;
            p->out[j].over = i + 1;
            data[p->s.n_in + j] = data[i];
            n++;
        }
    return n;
}

/* Run it whole, or in pieces as several threads would. */
static void run_in_pieces(const random_program *p, const rg_tile_program *program,
                          void *const *data, int kind)
{
    void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
    RGT_CHECK(scratch);
    const int64_t rows = kind == 1 ? 2 : 1, cols = kind == 2 && !random_in_rows(p) ? 3 : 1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            rg_tile_run run = { .data = data, .scratch = scratch,
                                .row0 = p->s.rows * r / rows, .row1 = p->s.rows * (r + 1) / rows,
                                .col0 = p->s.cols * c / cols, .col1 = p->s.cols * (c + 1) / cols };
            RGT_CHECK(rg_tile_execute(program, &run) == 0);
        }
    free(scratch);
}

static random_program p; /* too large for a stack */

static rg_tile_program *compile_one(rg_arena *arena, rg_isa isa)
{
    rg_alloc libc;
    rg_err err = { 0 };
    rg_tile_program *program;
    RGT_CHECK(rg_alloc_resolve(&libc, NULL) == RG_OK);
    rg_arena_init(arena, &libc);
    rg_status status = rg_tile_compile(&program, &p.s, rg_tile_table(isa), arena, &err);
    RGT_CHECK_MSG(status == RG_OK, "%s", err.text);
    return program;
}

static size_t try_random(uint64_t seed, rg_isa isa, size_t *merged, size_t *whole)
{
    void *data[MAX_IN + MAX_OUT];
    rg_arena arena;
    random_source(&p, seed);
    random_operands(&p, seed);
    random_evaluate(&p, rg_tile_table(isa));
    memcpy(p.start, p.data, sizeof p.start);
    for (size_t j = 0; j < p.s.n_in + p.s.n_out; j++)
        data[j] = p.data[j];
    size_t over = overwrite_some(&p, data, seed);
    rg_tile_program *program = compile_one(&arena, isa);
    *merged += rg_tile_report(program).n_ins < p.s.n_ins;
    *whole += random_in_rows(&p);
    for (int kind = 0; kind < 3; kind++) {
        memcpy(p.data, p.start, sizeof p.start);
        run_in_pieces(&p, program, data, kind);
        check_results(&p, data, seed);
    }
    rg_arena_free(&arena);
    return over;
}

RGT_TEST(tiles, random_ones_equal_one_loop_per_instruction_bit_for_bit)
{
    size_t over = 0, merged = 0, whole = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        rg_isa isa = (rg_isa)(seed % (uint64_t)(rg_cpu_isa() + 1));
        over += try_random(1000 * seed + seed % 5, isa, &merged, &whole);
    }
    RGT_CHECK_MSG(over > 500 && merged > 1000 && whole > 1000, "%zu over, %zu merged, %zu of rows",
                  over, merged, whole);
}

/* ---- Particular programs --------------------------------------------------------------------- */

/* c' = f∘c + i∘g, h = o∘tanh(c'), gates in one [B,4H] row */
static const rg_tile_ins lstm_ins[] = {
    { .code = RG_TILE_SIGMOID, .in = { 0 } }, { .code = RG_TILE_SIGMOID, .in = { 1 } },
    { .code = RG_TILE_TANH, .in = { 2 } },    { .code = RG_TILE_SIGMOID, .in = { 3 } },
    { .code = RG_TILE_MUL, .in = { 6, 4 } },  { .code = RG_TILE_MUL, .in = { 5, 7 } },
    { .code = RG_TILE_ADD, .in = { 9, 10 } }, { .code = RG_TILE_TANH, .in = { 11 } },
    { .code = RG_TILE_MUL, .in = { 8, 12 } },
};

RGT_TEST(tiles, products_that_are_added_merge_and_registers_are_few)
{
    enum { B = 5, H = 200 };
    static const rg_tile_operand in[] = { { RG_F, 4 * H, 1 }, { RG_F, 4 * H, 1 },
                                          { RG_F, 4 * H, 1 },
                                          { RG_F, 4 * H, 1 }, { RG_F, H, 1 } };
    static const rg_tile_result out[] = { { 11, 0, H, 1 }, { 13, 0, H, 1 } };
    p.s = (rg_tile_source){ RG_F32, B, H, in, 5, lstm_ins, 9, out, 2 };
    rg_arena arena;
    rg_tile_facts facts = rg_tile_report(compile_one(&arena, rg_cpu_isa()));
    RGT_CHECK(facts.n_ins == 7 && facts.n_reg <= 4);
    RGT_CHECK(facts.tile >= 200 && facts.tile * 11 * sizeof(float) <= 17000);
    rg_arena_free(&arena);
}

RGT_TEST(tiles, gradients_of_sigmoid_and_tanh_are_one_instruction_each)
{
    /* g·(y·(1 - y)) and g·((1 - y)·(y + 1)) */
    static const rg_tile_ins ins[] = {
        { .code = RG_TILE_ONE_MINUS, .in = { 1 } }, { .code = RG_TILE_MUL, .in = { 1, 2 } },
        { .code = RG_TILE_MUL, .in = { 0, 3 } },    { .code = RG_TILE_SHIFT, .in = { 1 }, .c0 = 1 },
        { .code = RG_TILE_ONE_MINUS, .in = { 1 } }, { .code = RG_TILE_MUL, .in = { 5, 6 } },
        { .code = RG_TILE_MUL, .in = { 0, 7 } },
    };
    static const rg_tile_operand in[] = { { RG_F, 8, 1 }, { RG_F, 8, 1 } };
    static const rg_tile_result out[] = { { 4, 0, 8, 1 }, { 8, 0, 8, 1 } };
    p.s = (rg_tile_source){ RG_F32, 4, 8, in, 2, ins, 7, out, 2 };
    rg_arena arena;
    RGT_CHECK(rg_tile_report(compile_one(&arena, rg_cpu_isa())).n_ins == 2);
    rg_arena_free(&arena);
}

/* y0 = m ? a·b : c, over c; y1 = (m ? 0 : a·b) + b, for a mask of one byte a row, in any cut. */
static void try_mask(int64_t cols, int64_t row, int64_t mask_row, int64_t cut, rg_isa isa)
{
    enum { R = 37, MOST = R * 210 };
    static float a[MOST], b[MOST], y[2][MOST], zero = 0;
    uint8_t m[2 * R];
    const rg_tile_operand in[] = { { RG_BOOL, mask_row, 0 }, { RG_F, row, 1 }, { RG_F, row, 1 },
                                   { RG_F, row, 1 }, { RG_F, 0, 0 } };
    static const rg_tile_ins ins[] = {
        { .code = RG_TILE_MUL, .in = { 1, 2 } }, { .code = RG_TILE_WHERE, .in = { 0, 5, 3 } },
        { .code = RG_TILE_WHERE, .in = { 0, 4, 5 } }, { .code = RG_TILE_ADD, .in = { 7, 2 } },
    };
    const rg_tile_result out[] = { { 6, 4, row, 1 }, { 8, 0, row, 1 } };
    for (int i = 0; i < MOST; i++) {
        a[i] = (float)draw(1, (uint64_t)i, -1, 1);
        b[i] = (float)draw(2, (uint64_t)i, -1, 1);
        y[0][i] = (float)i;
        m[i % (2 * R)] = (uint8_t)(i % (2 * R) % 3 == 1);
    }
    p.s = (rg_tile_source){ RG_F32, R, cols, in, 5, ins, 4, out, 2 };
    rg_arena arena;
    rg_tile_program *program = compile_one(&arena, isa);
    void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
    for (int64_t c = 0; c < cols; c += cut) {
        rg_tile_run run = { .data = (void *[]){ m, a, b, y[0], &zero, y[0], y[1] }, .row1 = R,
                            .col0 = c, .col1 = c + cut < cols ? c + cut : cols,
                            .scratch = scratch };
        RGT_CHECK(rg_tile_execute(program, &run) == 0);
    }
    for (int64_t r = 0; r < R; r++)
        for (int64_t c = 0; c < cols; c++) {
            const int64_t i = r * row + c;
            const float ab = a[i] * b[i];
            RGT_CHECK_MSG(y[0][i] == (m[r * mask_row] ? ab : (float)i) &&
                          y[1][i] == (m[r * mask_row] ? 0 : ab) + b[i], "%d of %d, isa %d",
                          (int)c, (int)cols, (int)isa);
        }
    free(scratch);
    rg_arena_free(&arena);
}

RGT_TEST(tiles, a_mask_of_a_byte_a_row_chooses_rows)
{
    static const int64_t cols[] = { 2, 3, 16, 17, 64, 65, 100, 128, 200 };
    for (size_t k = 0; k < sizeof cols / sizeof *cols; k++)
        for (int form = 0; form < 8; form++)
            try_mask(cols[k], cols[k] + (form & 1 ? 5 : 0), form & 2 ? 2 : 1,
                     form & 4 ? 31 : cols[k], (rg_isa)(form % ((int)rg_cpu_isa() + 1)));
}

/* A kernel is told which elements it has, in any cut. */
RGT_TEST(tiles, calls_know_the_index_of_their_elements)
{
    enum { R = 37, C = 11 };
    static const rg_tile_call call = { .op = &index_op, .in_shape = &any_shape,
                                       .out_shape = &any_shape, .n_in = 1, .in_kind = { RG_F },
                                       .out_kind = RG_F };
    static const rg_tile_ins ins[] = { { .code = RG_TILE_CALL, .in = { 0 }, .call = &call } };
    static float x[2 * R * C], y[2 * R * C];
    for (int64_t row = C; row < 2 * C; row += C - 1) {
        const rg_tile_operand in[] = { { RG_F, row, 1 } };
        const rg_tile_result out[] = { { 1, 0, row, 1 } };
        p.s = (rg_tile_source){ RG_F32, R, C, in, 1, ins, 1, out, 1 };
        rg_arena arena;
        rg_tile_program *program = compile_one(&arena, RG_ISA_PORTABLE);
        void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
        for (int64_t cut = 1; cut <= C; cut += 5)
            for (int64_t c = 0; c < C; c += cut) {
                rg_tile_run run = { .data = (void *[]){ x, y }, .row0 = 0, .row1 = R, .col0 = c,
                                    .col1 = c + cut < C ? c + cut : C, .first = 1000, .seed = 99,
                                    .run = 7, .scratch = scratch };
                RGT_CHECK(rg_tile_execute(program, &run) == 0);
            }
        for (int64_t r = 0; r < R; r++)
            for (int64_t c = 0; c < C; c++)
                RGT_CHECK(y[r * row + c] == (float)(1007 + r * C + c));
        free(scratch);
        rg_arena_free(&arena);
    }
}

RGT_TEST(tiles, a_failing_kernel_is_named_by_its_instruction)
{
    static const double forbidden = 3;
    static const rg_tile_call call = { .op = &random_user_op, .attr = &forbidden, .n_in = 2,
                                       .in_kind = { RG_F, RG_F }, .out_kind = RG_F };
    static const rg_tile_ins ins[] = { { .code = RG_TILE_SQUARE, .in = { 0 } },
                                       { .code = RG_TILE_CALL, .in = { 0, 1 }, .call = &call } };
    static const rg_tile_operand in[] = { { RG_F, 0, 1 } };
    static const rg_tile_result out[] = { { 2, 0, 0, 1 } };
    float x[4] = { 1, 2, 3, 4 }, y[4];
    p.s = (rg_tile_source){ RG_F32, 1, 4, in, 1, ins, 2, out, 1 };
    rg_arena arena;
    rg_tile_program *program = compile_one(&arena, rg_cpu_isa());
    void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
    rg_tile_run run = { .data = (void *[]){ x, y }, .row1 = 1, .col1 = 4, .scratch = scratch };
    RGT_CHECK(rg_tile_execute(program, &run) == 42 && run.failed == 1);
    x[2] = 5;
    RGT_CHECK(rg_tile_execute(program, &run) == 0 && y[2] == 5 - 2 * 25);
    free(scratch);
    rg_arena_free(&arena);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

#if !defined(RG_TRAP_INVARIANTS)
RGT_TEST(tiles, a_source_that_breaks_the_rules_is_refused)
{
    rg_tile_operand in[] = { { RG_F, 4, 1 }, { RG_BOOL, 4, 1 } };
    rg_tile_ins ins[] = { { .code = RG_TILE_ADD, .in = { 0, 0 } },
                          { .code = RG_TILE_EXP, .in = { 2 } } };
    rg_tile_result out[] = { { 3, 0, 4, 1 } };
    rg_tile_source s = { RG_F32, 3, 4, in, 2, ins, 2, out, 1 };
    RGT_CHECK(tile_status(&s) == RG_OK);
    ins[1].in[0] = 3; /* itself */
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    ins[1].in[0] = 1; /* a mask */
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    ins[1].in[0] = 2, ins[1].code = RG_TILE_CALL; /* without a kernel */
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    ins[1].code = RG_TILE_EXP, out[0].value = 4;
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    out[0].value = 3, out[0].col = 0;
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    out[0].col = 1, out[0].over = 2; /* over a mask */
    RGT_CHECK(tile_status(&s) == RG_EINTERNAL);
    out[0].over = 1;
    RGT_CHECK(tile_status(&s) == RG_OK);
    ins[1] = (rg_tile_ins){ .code = RG_TILE_MUL, .in = { 2, 0 } };
    RGT_CHECK(tile_status(&s) == RG_OK); /* read while it is overwritten: element by element */
    out[0].value = 2;
    RGT_CHECK(tile_status(&s) == RG_OK); /* read after it: it waits */
}
#endif

RGT_TEST(tiles, too_many_values_are_refused_and_the_most_allowed_are_not)
{
    enum { MANY = RG_TILE_MAX_VALUES };
    static rg_tile_ins ins[MANY];
    rg_tile_operand in[] = { { RG_F, 0, 1 } };
    rg_tile_result out[] = { { MANY - 1, 0, 0, 1 } };
    for (uint32_t k = 0; k < MANY; k++)
        ins[k] = (rg_tile_ins){ .code = RG_TILE_EXP, .in = { k } };
    rg_tile_source s = { RG_F32, 1, 100, in, 1, ins, MANY - 1, out, 1 };
    RGT_CHECK(tile_status(&s) == RG_OK);
    s.n_ins = MANY;
    RGT_CHECK(tile_status(&s) == RG_ELIMIT);
}

static rg_status compile_with(const rg_alloc *hooks, struct rgt_text *result)
{
    rg_arena arena;
    rg_err err = { 0 };
    rg_tile_program *program;
    random_source(&p, 17);
    rg_arena_init(&arena, hooks);
    rg_status status = rg_tile_compile(&program, &p.s, rg_tile_table(rg_cpu_isa()), &arena, &err);
    char line[64];
    if (status == RG_OK) {
        int n = snprintf(line, sizeof line, "%zu", rg_tile_report(program).n_ins);
        rgt_write(result, line, (size_t)n);
    }
    rg_arena_free(&arena);
    return status;
}

RGT_TEST(tiles, each_failing_allocation_is_an_error)
{
    RGT_CHECK(rgt_fail_each(compile_with) > 0);
}
