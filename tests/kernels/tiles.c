/* tests/kernels/tiles.c -- whole tile programs: random ones against one loop per instruction,
 * cut in any way; views, calls, results over operands, refusals, memory. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/rows.h"
#include "kernels/tile.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_IN = 6, MAX_INS = 30, MAX_OUT = 4, MAX_ELEMENTS = 4000, ROOM = 3 * MAX_ELEMENTS + 64 };

/* ---- A random source, its data, and what must come out --------------------------------------- */

struct random_program {
    rg_tile_source  s;
    rg_tile_operand in[MAX_IN];
    rg_tile_ins     ins[MAX_INS];
    rg_tile_result  out[MAX_OUT];
    double data[MAX_IN + MAX_OUT][ROOM];             /* room for each, of whatever type */
    double value[MAX_IN + MAX_INS][MAX_ELEMENTS];    /* of every value, dense */
    double start[MAX_IN][ROOM];
};

/* An op of the user's own, f64 only: a - 2b; fails where told to. */
static int user_kernel(const rg_kernel_args *k)
{
    const double *a = k->in[0], *b = k->in[1];
    double *y = k->out;
    const double *forbidden = k->attr;
    for (int64_t i = 0; i < k->n; i++) {
        if (forbidden && a[i] == *forbidden)
            return 42;
        y[i] = a[i] - 2 * b[i];
    }
    return 0;
}

/* Knows where it is: writes the index of the element. */
static int index_kernel(const rg_kernel_args *k)
{
    float *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = (float)(k->first + i + (int64_t)k->run) + 0 * ((const float *)k->in[0])[i];
    return k->item != sizeof(float) || k->seed != 99;
}

static const rg_op user_op = { .name = "user", .arity = 2, .flags = RG_OP_ELEMENTWISE,
                               .kernel_f64 = user_kernel };
static const rg_op index_op = { .name = "index", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                                .kernel_f32 = index_kernel, .kernel_f64 = index_kernel };
static const rg_shape any_shape = { 0, { 0 } };
static const rg_tile_call user_call = { .op = &user_op, .in_shape = &any_shape,
                                        .out_shape = &any_shape, .n_in = 2,
                                        .in_kind = { RG_F, RG_F }, .out_kind = RG_F };

static const char *signature(rg_tile_code code)
{
#define SIGNATURE(CODE, name, signature) signature,
    static const char *const text[] = { RG_TILE_CODES(SIGNATURE) "R:RR" };
    return code > RG_TILE_CALL ? "R:R" : text[code];
}

/* Has a value one element a row? Is it one number everywhere? */
static bool is_narrow(const struct random_program *p, uint32_t v)
{
    if (v >= p->s.n_in)
        return p->ins[v - p->s.n_in].narrow;
    return p->s.rows > 1 && p->s.cols > 1 && p->in[v].row != 0 && p->in[v].col == 0;
}

static bool is_number(const struct random_program *p, uint32_t v)
{
    if (v >= p->s.n_in)
        return p->ins[v - p->s.n_in].code == RG_TILE_FILL;
    return (p->s.rows <= 1 || p->in[v].row == 0) && (p->s.cols <= 1 || p->in[v].col == 0);
}

static bool in_whole_rows(const struct random_program *p)
{
    bool whole = false;
    for (size_t k = 0; k < p->s.n_ins; k++)
        whole = whole || p->ins[k].narrow || p->ins[k].code > RG_TILE_CALL;
    for (size_t j = 0; j < p->s.n_out; j++)
        whole = whole || (p->out[j].col == 0 && is_narrow(p, p->out[j].value));
    return whole;
}

static rg_kind kind_of_value(const struct random_program *p, uint32_t v)
{
    if (v < p->s.n_in)
        return p->in[v].kind;
    return signature(p->ins[v - p->s.n_in].code)[0] == 'B' ? RG_BOOL : RG_F;
}

static size_t size_of_kind(const struct random_program *p, rg_kind kind)
{
    return kind == RG_BOOL ? 1 : kind == RG_INT ? 4 : p->s.real == RG_F32 ? 4 : 8;
}

/* A value of the kind that the letter says, rather one of the latest; the first operands have all
 * kinds, so there is one. */
static uint32_t pick_value(const struct random_program *p, uint32_t v, char letter, uint64_t seed)
{
    const rg_kind kind = letter == 'B' ? RG_BOOL : letter == 'I' ? RG_INT : RG_F;
    for (uint64_t i = 0;; i++) {
        uint32_t near = v < 5 ? v : 5;
        uint32_t w = draw_below(seed, 3 * i, 2)
                         ? v - 1 - (uint32_t)draw_below(seed, 3 * i + 1, near)
                                                : (uint32_t)draw_below(seed, 3 * i + 2, v);
        if (kind_of_value(p, w) == kind)
            return w;
    }
}

/* Mostly those that merge. */
static rg_tile_code pick_code(uint64_t seed, uint64_t k)
{
    static const rg_tile_code common[] = { RG_TILE_MUL, RG_TILE_MUL, RG_TILE_ADD, RG_TILE_ONE_MINUS,
                                           RG_TILE_SHIFT, RG_TILE_SIGMOID, RG_TILE_TANH };
    if (draw_below(seed, k, 3))
        return common[draw_below(seed, k + 1000, 7)];
    return (rg_tile_code)draw_below(seed, k + 2000, seed % 2 ? RG_TILE_CALL + 1
                                                             : RG_TILE_CODE_COUNT);
}

/* Where it may compute one element a row, it mostly does. */
static bool pick_narrow(const struct random_program *p, const rg_tile_ins *ins, uint64_t seed)
{
    if (ins->code > RG_TILE_CALL)
        return ins->code <= RG_TILE_LOGSUMEXP;
    bool narrow = signature(ins->code)[2] != '\0' && draw_below(seed, 0, 4);
    for (size_t i = 0; signature(ins->code)[2 + i]; i++)
        narrow = narrow && (is_narrow(p, ins->in[i]) || is_number(p, ins->in[i]));
    return narrow;
}

static void random_view(int64_t *row, int64_t *col, int64_t rows, int64_t cols, uint64_t seed,
                        bool broadcast)
{
    switch (draw_below(seed, 0, broadcast ? 7 : 4)) {
    case 0: case 1: *row = cols, *col = 1; break;
    case 2: *row = cols + 3, *col = 1; break;
    case 3: *row = 1, *col = rows + 1; break;           /* transposed */
    case 4: *row = 0, *col = 1; break;
    case 5: *row = 1, *col = 0; break;
    default: *row = 0, *col = 0; break;
    }
    (void)rows;
}

static void random_shape(struct random_program *p, uint64_t seed)
{
    static const int64_t rows[] = { 1, 1, 2, 7, 33, 64, 3 };
    static const int64_t cols[] = { 1, 3, 10, 16, 64, 65, 200, 300, 1000 };
    p->s.rows = rows[draw_below(seed, 1, 7)];
    p->s.cols = cols[draw_below(seed, 2, 9)];
    while (p->s.rows * p->s.cols > MAX_ELEMENTS)
        p->s.rows = (p->s.rows + 1) / 2;
}

static void random_source(struct random_program *p, uint64_t seed)
{
    random_shape(p, seed);
    p->s.real = draw_below(seed, 3, 2) ? RG_F64 : RG_F32;
    p->s.n_in = 3 + (size_t)draw_below(seed, 4, MAX_IN - 2);
    p->s.n_ins = 1 + (size_t)draw_below(seed, 5, MAX_INS);
    p->s.n_out = 1 + (size_t)draw_below(seed, 6, MAX_OUT);
    p->s.in = p->in, p->s.ins = p->ins, p->s.out = p->out;
    for (size_t j = 0; j < p->s.n_in; j++) {
        p->in[j].kind = j == 1 ? RG_BOOL : j == 2 ? RG_INT : RG_F;
        random_view(&p->in[j].row, &p->in[j].col, p->s.rows, p->s.cols, seed + 10 + j, true);
    }
    for (size_t k = 0; k < p->s.n_ins; k++) {
        rg_tile_ins *ins = &p->ins[k];
        const uint32_t v = (uint32_t)(p->s.n_in + k);
        *ins = (rg_tile_ins){ .code = pick_code(seed + 20, k), .call = NULL };
        ins->c0 = ins->code == RG_TILE_SHIFT ? 1 : draw(seed, k + 100, -1, 1);
        ins->c1 = ins->c0 + 0.5;
        if (ins->code == RG_TILE_CALL)
            ins->call = &user_call;
        const char *sig = signature(ins->code);
        for (size_t i = 0; sig[2 + i]; i++)
            ins->in[i] = pick_value(p, v, sig[2 + i], seed + 100 + 7 * k + i);
        ins->narrow = pick_narrow(p, ins, seed + 500 + k);
    }
    for (size_t j = 0; j < p->s.n_out; j++) {
        rg_tile_result *out = &p->out[j];
        const uint32_t value = (uint32_t)draw_below(seed + 30, j, p->s.n_in + p->s.n_ins);
        *out = (rg_tile_result){ .value = value };
        if (draw_below(seed + 33, j, 3)) /* rather late ones */
            out->value = (uint32_t)(p->s.n_in + p->s.n_ins - 1 - (size_t)draw_below(seed, j + 50,
                                    p->s.n_ins < 3 ? p->s.n_ins : 3));
        random_view(&out->row, &out->col, p->s.rows, p->s.cols, seed + 40 + j, false);
        if (is_narrow(p, out->value) && draw_below(seed + 45, j, 3)) {
            out->row = 1 + (int64_t)draw_below(seed + 46, j, 2);
            out->col = 0;
        }
    }
}

static void put(const struct random_program *p, void *base, rg_kind kind, int64_t i, double x)
{
    if (kind == RG_BOOL)
        ((uint8_t *)base)[i] = x > 0;
    else if (kind == RG_INT)
        ((int32_t *)base)[i] = (int32_t)(x * 100);
    else if (p->s.real == RG_F32)
        ((float *)base)[i] = (float)x;
    else
        ((double *)base)[i] = x;
}

/* Data for the operands, and dense copies of them as values. */
static void fill_operands(struct random_program *p, uint64_t seed)
{
    memset(p->data, 0x33, sizeof p->data);
    for (size_t j = 0; j < p->s.n_in; j++) {
        const rg_kind kind = p->in[j].kind;
        const size_t size = size_of_kind(p, kind);
        for (int64_t i = 0; i < ROOM / 2; i++)
            put(p, p->data[j], kind, i, draw(seed + j, (uint64_t)i, -3, 3));
        for (int64_t r = 0; r < p->s.rows; r++)
            for (int64_t c = 0; c < p->s.cols; c++)
                memcpy((char *)p->value[j] + (size_t)(r * p->s.cols + c) * size,
                       (char *)p->data[j] + (size_t)(r * p->in[j].row + c * p->in[j].col) * size,
                       size);
    }
}

/* A row kernel over the whole space; one element a row stands in all columns. */
static void evaluate_rows(struct random_program *p, const rg_tile_ins *ins, void *y, rg_isa isa)
{
    const rg_row_kernels *k = rg_row_table(isa);
#define ROW_KERNEL(CODE, name) [RG_TILE_##CODE - RG_TILE_CALL] = k->name[p->s.real],
    rg_rows_fn *const fn[] = { RG_TILE_ROW_CODES(ROW_KERNEL) };
    static double narrow[MAX_ELEMENTS];
    const int64_t rows = p->s.rows, cols = p->s.cols;
    const size_t size = p->s.real == RG_F32 ? 4 : 8;
    fn[ins->code - RG_TILE_CALL](&(rg_rows){ rows, cols, p->value[ins->in[0]], cols,
                                             ins->narrow ? narrow : y, cols });
    for (int64_t i = 0; i < rows * cols && ins->narrow; i++)
        memcpy((char *)y + (size_t)i * size, (char *)narrow + (size_t)(i / cols) * size, size);
}

/* One instruction over the whole space, by the loop of its code. */
static void evaluate(struct random_program *p, const rg_tile_kernels *kernels)
{
    const int64_t n = p->s.rows * p->s.cols;
    for (size_t k = 0; k < p->s.n_ins; k++) {
        const rg_tile_ins *ins = &p->ins[k];
        const void *in[4];
        for (size_t i = 0; i < 4; i++)
            in[i] = p->value[ins->in[i]];
        void *y = p->value[p->s.n_in + k];
        const double c[2] = { ins->c0, ins->c1 };
        if (ins->code > RG_TILE_CALL) {
            evaluate_rows(p, ins, y, kernels->isa);
        } else if (ins->code != RG_TILE_CALL) {
            kernels->loop[p->s.real][ins->code](n, y, in, c);
        } else if (p->s.real == RG_F64) {
            (void)user_kernel(&(rg_kernel_args){ .n = n, .out = y, .in = in });
        } else {
            for (int64_t i = 0; i < n; i++)
                ((float *)y)[i] = (float)((double)((const float *)in[0])[i] -
                                          2 * (double)((const float *)in[1])[i]);
        }
    }
}

static void check_results(const struct random_program *p, void *const *data, uint64_t seed)
{
    for (size_t j = 0; j < p->s.n_out; j++) {
        const rg_tile_result *out = &p->out[j];
        const size_t size = size_of_kind(p, kind_of_value(p, out->value));
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
static size_t overwrite_some(struct random_program *p, void **data, uint64_t seed)
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
static void run_in_pieces(const struct random_program *p, const rg_tile_program *program,
                          void *const *data, int kind)
{
    void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
    RGT_CHECK(scratch);
    const int64_t rows = kind == 1 ? 2 : 1, cols = kind == 2 && !in_whole_rows(p) ? 3 : 1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            rg_tile_run run = { .data = data, .scratch = scratch,
                                .row0 = p->s.rows * r / rows, .row1 = p->s.rows * (r + 1) / rows,
                                .col0 = p->s.cols * c / cols, .col1 = p->s.cols * (c + 1) / cols };
            RGT_CHECK(rg_tile_execute(program, &run) == 0);
        }
    free(scratch);
}

static struct random_program p; /* too large for a stack */

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
    fill_operands(&p, seed);
    evaluate(&p, rg_tile_table(isa));
    memcpy(p.start, p.data, sizeof p.start);
    for (size_t j = 0; j < p.s.n_in + p.s.n_out; j++)
        data[j] = p.data[j];
    size_t over = overwrite_some(&p, data, seed);
    rg_tile_program *program = compile_one(&arena, isa);
    *merged += rg_tile_report(program).n_ins < p.s.n_ins;
    *whole += in_whole_rows(&p);
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
    static const rg_tile_call call = { .op = &user_op, .attr = &forbidden, .n_in = 2,
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

static rg_status status_of(const rg_tile_source *s)
{
    rg_alloc libc;
    rg_arena arena;
    rg_err err = { 0 };
    rg_tile_program *program;
    (void)rg_alloc_resolve(&libc, NULL);
    rg_arena_init(&arena, &libc);
    rg_status status = rg_tile_compile(&program, s, rg_tile_table(rg_cpu_isa()), &arena, &err);
    RGT_CHECK((status == RG_OK) == (program != NULL) && (status == RG_OK) == (err.text[0] == 0));
    rg_arena_free(&arena);
    return status;
}

#if !defined(RG_TRAP_INVARIANTS)
RGT_TEST(tiles, a_source_that_breaks_the_rules_is_refused)
{
    rg_tile_operand in[] = { { RG_F, 4, 1 }, { RG_BOOL, 4, 1 } };
    rg_tile_ins ins[] = { { .code = RG_TILE_ADD, .in = { 0, 0 } },
                          { .code = RG_TILE_EXP, .in = { 2 } } };
    rg_tile_result out[] = { { 3, 0, 4, 1 } };
    rg_tile_source s = { RG_F32, 3, 4, in, 2, ins, 2, out, 1 };
    RGT_CHECK(status_of(&s) == RG_OK);
    ins[1].in[0] = 3; /* itself */
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    ins[1].in[0] = 1; /* a mask */
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    ins[1].in[0] = 2, ins[1].code = RG_TILE_CALL; /* without a kernel */
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    ins[1].code = RG_TILE_EXP, out[0].value = 4;
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    out[0].value = 3, out[0].col = 0;
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    out[0].col = 1, out[0].over = 2; /* over a mask */
    RGT_CHECK(status_of(&s) == RG_EINTERNAL);
    out[0].over = 1;
    RGT_CHECK(status_of(&s) == RG_OK);
    ins[1] = (rg_tile_ins){ .code = RG_TILE_MUL, .in = { 2, 0 } };
    RGT_CHECK(status_of(&s) == RG_OK); /* read while it is overwritten: element by element */
    out[0].value = 2;
    RGT_CHECK(status_of(&s) == RG_OK); /* read after it: it waits */
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
    RGT_CHECK(status_of(&s) == RG_OK);
    s.n_ins = MANY;
    RGT_CHECK(status_of(&s) == RG_ELIMIT);
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
