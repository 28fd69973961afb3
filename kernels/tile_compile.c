/* kernels/tile_compile.c -- from a source to a program: check, merge, choose tiles, give slots. */
#include "kernels/tile_program.h"

#include <string.h>

enum {
    TILE_BYTES = 16 * 1024,  /* all that a tile touches: half of a 32 KiB first-level cache */
    TILE_MIN = 64, TILE_MAX = 1024, SHORT = 128, AFTER_ALL = UINT32_MAX
};

struct compile {
    const rg_tile_source *s;
    rg_tile_program *p;
    rg_tile_node    *node;   /* n_in operands, instructions, then what spreads narrow ones */
    uint32_t        *free;   /* slots to use again */
    uint32_t         n_in, n_ins, n_out, n_value, n_node, n_free;
    const rg_tile_kernels *kernels;
    rg_err          *err;
};

static size_t kind_size(const struct compile *c, rg_kind kind)
{
    return kind == RG_BOOL ? 1 : kind == RG_INT ? 4 : c->s->real == RG_F32 ? 4 : 8;
}

static bool is_number(const rg_tile_data *d) { return d->row == 0 && d->col == 0; }

/* ---- Reading the source ---------------------------------------------------------------------- */

/* One element a row where it must be, and of what has no more. */
static bool form_is_right(const struct compile *c, const rg_tile_node *node)
{
    if (node->ins.code > RG_TILE_CALL)
        return node->narrow == (node->ins.code <= RG_TILE_LOGSUMEXP);
    for (uint32_t i = 0; i < node->n_in && node->narrow; i++) {
        const uint32_t in = node->ins.in[i];
        const rg_tile_node *from = &c->node[in];
        if (!from->narrow && (from->operand ? !is_number(&c->p->data[in])
                                            : from->ins.code != RG_TILE_FILL))
            return false;
    }
    return true;
}

static rg_status read_instruction(struct compile *c, uint32_t v)
{
    rg_tile_node *node = &c->node[v];
    rg_tile_signature sig;
    node->ins = c->s->ins[v - c->n_in];
    RG_INVARIANT(rg_tile_signature_of(&sig, &node->ins), c->err);
    node->n_in = (uint32_t)sig.n_in;
    node->kind = sig.out;
    node->limit = AFTER_ALL;
    node->narrow = node->ins.narrow;
    for (uint32_t i = 0; i < node->n_in; i++) {
        RG_INVARIANT(node->ins.in[i] < v, c->err);
        rg_tile_node *from = &c->node[node->ins.in[i]];
        RG_INVARIANT(from->kind == sig.in[i], c->err);
        from->uses++;
    }
    RG_INVARIANT(form_is_right(c, node), c->err);
    c->p->whole = c->p->whole || node->narrow || node->ins.code > RG_TILE_CALL;
    return RG_OK;
}

/* A result counts as two uses: nobody may take its instruction apart. */
static rg_status read_result(struct compile *c, uint32_t j)
{
    const rg_tile_result *out = &c->s->out[j];
    RG_INVARIANT(out->value < c->n_value && out->over <= c->n_in, c->err);
    const bool narrow = c->node[out->value].narrow && out->col == 0;
    RG_INVARIANT(c->s->rows <= 1 || out->row != 0, c->err);
    RG_INVARIANT(c->s->cols <= 1 || out->col != 0 || narrow, c->err);
    c->p->whole = c->p->whole || narrow;
    c->node[out->value].uses += 2;
    if (out->over > 0) {
        RG_INVARIANT(rg_tile_may_overwrite(c->s, j, out->over - 1), c->err);
        if (rg_tile_overwrites_free(c->s, j, out->over - 1))
            c->node[out->over - 1].limit = out->value;
    }
    return RG_OK;
}

/* Strides along axes of one element are set to what makes the others simple. */
static rg_tile_data data_of(const struct compile *c, int64_t row, int64_t col, rg_kind kind)
{
    const bool scalar = (c->s->rows <= 1 || row == 0) && (c->s->cols <= 1 || col == 0);
    rg_tile_data d = { .row = row, .col = col, .size = kind_size(c, kind) };
    if (scalar)
        d.row = d.col = 0;
    else if (c->s->cols <= 1)
        d.col = 1;
    else if (c->s->rows <= 1)
        d.row = col == 1 ? c->s->cols : d.row;
    return d;
}

static rg_status read_source(struct compile *c)
{
    for (uint32_t j = 0; j < c->n_in; j++) {
        const rg_tile_operand *in = &c->s->in[j];
        c->node[j] = (rg_tile_node){ .kind = in->kind, .limit = AFTER_ALL, .operand = true };
        c->p->data[j] = data_of(c, in->row, in->col, in->kind);
        c->p->data[j].narrow = c->node[j].narrow = c->p->data[j].row != 0 && c->p->data[j].col == 0;
    }
    for (uint32_t v = c->n_in; v < c->n_value; v++) {
        rg_status status = read_instruction(c, v);
        if (status != RG_OK)
            return status;
    }
    for (uint32_t j = 0; j < c->n_out; j++) {
        rg_status status = read_result(c, j);
        if (status != RG_OK)
            return status;
        const rg_tile_result *out = &c->s->out[j];
        rg_tile_data *d = &c->p->data[c->n_in + j];
        *d = data_of(c, out->row, out->col, c->node[out->value].kind);
        d->narrow = c->node[out->value].narrow && out->col == 0;
        if (c->s->rows <= 1 && (c->s->cols <= 1 || d->narrow))
            d->row = d->col = 1; /* one number is contiguous, not broadcast */
    }
    return RG_OK;
}

/* ---- Lives ----------------------------------------------------------------------------------- */

/* Where an instruction needs narrow values in every column, it reads what spreads them. */
static void spread_narrow(struct compile *c)
{
    c->n_node = c->n_value;
    for (uint32_t v = c->n_in; v < c->n_value; v++) {
        rg_tile_node *node = &c->node[v];
        node->each = node->narrow ? 0 : rg_tile_takes_each(c->node, v, c->s->real, c->kernels);
        const bool as_they_are = node->each || (node->narrow && node->ins.code <= RG_TILE_CALL);
        for (uint32_t i = 0; i < node->n_in && node->uses > 0 && !as_they_are; i++) {
            rg_tile_node *from = &c->node[node->ins.in[i]];
            if (!from->narrow)
                continue;
            if (!from->wide) {
                from->wide = c->n_node++;
                c->node[from->wide] = (rg_tile_node){ .ins = { .in = { node->ins.in[i] } },
                                                      .kind = from->kind };
            }
            node->ins.in[i] = from->wide;
        }
    }
}

static void read_by(rg_tile_node *node, uint32_t v)
{
    if (node->last != AFTER_ALL)
        node->last = v;
}

/* Who reads what last; a fill keeps its slot for ever, since it runs once. */
static void find_lives(struct compile *c)
{
    for (uint32_t v = c->n_in; v < c->n_value; v++) {
        rg_tile_node *node = &c->node[v];
        if (node->uses == 0)
            continue;
        for (uint32_t i = 0; i < node->n_in; i++) {
            rg_tile_node *from = &c->node[node->ins.in[i]];
            if (node->ins.in[i] >= c->n_value && from->last == 0) /* spread for v */
                read_by(&c->node[from->ins.in[0]], v);
            read_by(from, v);
        }
        if (node->ins.code == RG_TILE_FILL)
            node->last = AFTER_ALL;
    }
    for (uint32_t j = 0; j < c->n_out; j++)
        c->node[c->s->out[j].value].last = AFTER_ALL;
}

/* Instructions that nobody needs lose their operands; from the end, so that one sweep is enough. */
static void drop_dead(struct compile *c)
{
    for (uint32_t v = c->n_value; v-- > c->n_in;)
        if (c->node[v].uses == 0)
            for (uint32_t i = 0; i < c->node[v].n_in; i++)
                c->node[c->node[v].ins.in[i]].uses--;
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

static bool is_contiguous(const rg_tile_data *d, const rg_tile_source *s)
{
    return d->col == 1 && (d->row == s->cols || s->rows <= 1);
}

/* Where the iteration space is one long row, and which data need no copies. */
static void find_direct(struct compile *c)
{
    rg_tile_program *p = c->p;
    p->flat = !p->whole;
    for (uint32_t j = 0; j < p->n_data; j++)
        p->flat = p->flat && (is_number(&p->data[j]) || is_contiguous(&p->data[j], c->s));
    /* Short rows go several to a tile. */
    p->apart = c->n_node == c->n_value &&
               rg_tile_goes_apart(p, c->node + c->n_in, c->n_ins, c->kernels);
    const bool several = !p->flat && c->s->cols <= (p->apart ? SHORT : TILE_MIN) && c->s->rows > 1;
    p->block = several ? TILE_MAX : 1;
    for (uint32_t j = 0; j < p->n_data; j++) {
        rg_tile_data *d = &p->data[j];
        if (d->narrow)
            d->direct = !several || d->row == 1;
        else
            d->direct = several && !p->apart ? is_contiguous(d, c->s) : d->col == 1;
    }
}

static int64_t at_most(int64_t x, int64_t limit) { return x < limit ? x : limit; }
static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* A tile is so large that slots and direct data fit TILE_BYTES; rows are cut into equal parts. */
static void choose_tile(struct compile *c)
{
    rg_tile_program *p = c->p;
    size_t at_once = p->n_slot;
    for (uint32_t j = 0; j < p->n_data; j++)
        at_once += p->data[j].direct && !p->data[j].narrow;
    const int64_t real = c->s->real == RG_F32 ? 4 : 8;
    int64_t tile = TILE_BYTES / ((int64_t)(at_once ? at_once : 1) * real) / TILE_MIN * TILE_MIN;
    tile = tile < TILE_MIN ? TILE_MIN : at_most(tile, TILE_MAX);
    const int64_t cols = p->flat ? c->s->rows * c->s->cols : c->s->cols;
    if (p->block > 1) {
        p->width = c->s->cols > 0 ? c->s->cols : 1;
        p->block = at_most(tile > p->width ? tile / p->width : 1, c->s->rows);
    } else if (p->whole) {
        p->width = cols > 0 ? cols : 1;
    } else {
        const int64_t part = div_up(cols, cols > 0 ? div_up(cols, tile) : 1);
        p->width = at_most(div_up(part, TILE_MIN) * TILE_MIN, tile);
    }
    p->slot_bytes = (size_t)(div_up(p->block * p->width, TILE_MIN) * TILE_MIN * real);
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* While slots are being given: data places carry this bit. */
#define DATA (UINT32_C(1) << 31)

static rg_tile_place take_slot(struct compile *c)
{
    return c->n_free > 0 ? c->free[--c->n_free] : c->p->n_slot++;
}

static void free_slot(struct compile *c, rg_tile_node *node)
{
    if (node->place & DATA)
        return;
    c->free[c->n_free++] = node->place;
    node->last = 0;
}

/* Operands last read by value v give their slots back, those of the result's size, or others. */
static void give_back(struct compile *c, uint32_t v, bool same_size)
{
    const rg_tile_node *self = &c->node[v];
    for (uint32_t i = 0; i < self->n_in; i++) {
        rg_tile_node *from = &c->node[self->ins.in[i]];
        const bool same = self->ins.code != RG_TILE_CALL && (self->narrow || !from->narrow) &&
                          kind_size(c, from->kind) == kind_size(c, self->kind);
        if (from->last == v && same == same_size)
            free_slot(c, from);
    }
}

/* Before all tiles: one number, or one row for tiles of several rows. */
static bool loads_once(const rg_tile_program *p, const rg_tile_data *d)
{
    return is_number(d) || (p->block > 1 && d->row == 0);
}

static void place_operands(struct compile *c, bool once)
{
    rg_tile_program *p = c->p;
    for (uint32_t j = 0; j < c->n_in; j++) {
        rg_tile_node *node = &c->node[j];
        if (node->uses == 0 || p->data[j].direct || loads_once(p, &p->data[j]) != once)
            continue;
        node->place = take_slot(c);
        if (once)
            node->last = AFTER_ALL;
        p->load[p->n_load++] = (rg_tile_move){ j, node->place, node->narrow };
    }
}

/* The first direct result of an instruction is computed where it belongs. A call may not write over
 * what it reads, nor any instruction over what a later one reads: then the result waits in a
 * slot. */
static void place_results(struct compile *c)
{
    for (uint32_t j = c->n_out; j-- > 0;) {
        const rg_tile_result *out = &c->s->out[j];
        rg_tile_node *node = &c->node[out->value];
        const bool apart = out->over == 0 ||
                           (node->ins.code != RG_TILE_CALL &&
                            c->node[out->over - 1].limit != AFTER_ALL);
        const rg_tile_data *d = &c->p->data[c->n_in + j];
        if (!node->operand && d->direct && d->narrow == node->narrow && apart)
            node->place = DATA | (c->n_in + j);
    }
}

static void add_step(struct compile *c, uint32_t v)
{
    rg_tile_program *p = c->p;
    const rg_tile_node *node = &c->node[v];
    rg_tile_step *step = &p->step[p->n_step++];
    *step = (rg_tile_step){ .call = node->ins.call, .c = { node->ins.c0, node->ins.c1 },
                            .rows = rg_tile_rows_of(node->ins.code, c->s->real, c->kernels->isa),
                            .source = v - c->n_in, .out = node->place, .n_in = node->n_in,
                            .narrow = node->narrow, .each = node->each };
    for (uint32_t i = 0; i < node->n_in; i++)
        step->in[i] = c->node[node->ins.in[i]].place;
    step->out_size = kind_size(c, node->kind);
    if (node->ins.code != RG_TILE_CALL)
        step->call = NULL;
    if (node->ins.code < RG_TILE_CALL) {
        step->loop = (node->each ? c->kernels->each : c->kernels->loop)[c->s->real][node->ins.code];
        step->many = (node->each ? c->kernels->each_many : c->kernels->many)[c->s->real]
                                                                            [node->ins.code];
    } else if (step->call && c->s->real == RG_F32 && !step->call->op->kernel_f32) {
        if (p->call_bytes < node->n_in + 1)
            p->call_bytes = node->n_in + 1; /* tiles of double; bytes in finish() */
        if (node->kind == RG_F)
            step->out_size = sizeof(double);
    }
}

/* Operands of value v that are still to be spread. */
static void add_spreads(struct compile *c, uint32_t v)
{
    rg_tile_program *p = c->p;
    rg_rows_fn *const *spread = rg_row_table(c->kernels->isa)->spread;
    for (uint32_t i = 0; i < c->node[v].n_in; i++) {
        const uint32_t in = c->node[v].ins.in[i];
        rg_tile_node *wide = &c->node[in], *from = &c->node[wide->ins.in[0]];
        if (in < c->n_value || wide->uses > 0)
            continue;
        const size_t size = kind_size(c, wide->kind);
        wide->uses = 1;
        wide->place = take_slot(c);
        p->step[p->n_step++] = (rg_tile_step){ .rows = spread[size == 1 ? 0 : size == 4 ? 1 : 2],
                                               .out = wide->place, .in = { from->place },
                                               .n_in = 1 };
        if (from->last == v)
            free_slot(c, from);
    }
}

/* Linear scan: slots are given in order and come back after the last use. Fills run once, so theirs
 * are taken first and kept. */
static void give_places(struct compile *c)
{
    rg_tile_program *p = c->p;
    place_operands(c, true);
    p->n_once = p->n_load;
    place_operands(c, false);
    place_results(c);
    for (uint32_t v = c->n_in; v < c->n_value; v++) {
        rg_tile_node *node = &c->node[v];
        if (node->uses == 0 || node->ins.code != RG_TILE_FILL)
            continue;
        node->place = take_slot(c);
        add_step(c, v);
    }
    p->n_fill = p->n_step;
    for (uint32_t v = c->n_in; v < c->n_value; v++) {
        rg_tile_node *node = &c->node[v];
        if (node->uses == 0 || node->ins.code == RG_TILE_FILL)
            continue;
        add_spreads(c, v);
        give_back(c, v, true);
        if (!(node->place & DATA))
            node->place = take_slot(c);
        give_back(c, v, false);
        add_step(c, v);
    }
    for (uint32_t j = 0; j < c->n_out; j++) {
        const rg_tile_node *node = &c->node[c->s->out[j].value];
        if (node->place != (DATA | (c->n_in + j)))
            p->store[p->n_store++] = (rg_tile_move){ c->n_in + j, node->place, node->narrow };
    }
}

/* Data places follow the slots, whose number is known now. */
static void finish(struct compile *c)
{
    rg_tile_program *p = c->p;
    p->plain = p->by_row = true;
    for (uint32_t k = 0; k < p->n_step; k++) {
        rg_tile_step *step = &p->step[k];
        p->by_row = p->by_row && !step->call && step->n_in <= RG_TILE_FEW;
        p->plain = p->plain && p->by_row && step->loop && !step->narrow &&
                   (p->apart || !step->each);
        step->out = step->out & DATA ? p->n_slot + (step->out & ~DATA) : step->out;
        for (uint32_t i = 0; i < step->n_in; i++)
            if (step->in[i] & DATA)
                step->in[i] = p->n_slot + (step->in[i] & ~DATA);
    }
    for (uint32_t i = 0; i < p->n_store; i++)
        if (p->store[i].place & DATA)
            p->store[i].place = p->n_slot + (p->store[i].place & ~DATA);
    choose_tile(c);
    rg_tile_find_rows(p);
    p->by_row = p->by_row && p->block == 1;
    p->bare = p->plain && p->flat && !p->n_load && !p->n_fill && !p->n_store;
    p->call_bytes *= (size_t)(p->block * p->width) * sizeof(double);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static rg_status take_memory(struct compile *c, rg_arena *arena)
{
    rg_tile_program *p = rg_arena_get(arena, sizeof *p);
    if (!p)
        return RG_ENOMEM;
    c->p = p;
    p->n_data = c->n_in + c->n_out;
    p->data = rg_arena_get(arena, p->n_data * sizeof *p->data);
    p->load = rg_arena_get(arena, c->n_in * sizeof *p->load);
    p->store = rg_arena_get(arena, c->n_out * sizeof *p->store);
    return p->data && p->load && p->store ? RG_OK : RG_ENOMEM;
}

static rg_status compile(struct compile *c, rg_arena *arena)
{
    c->p->real = c->s->real;
    c->p->cols = c->s->cols;
    rg_status status = read_source(c);
    if (status != RG_OK)
        return status;
    drop_dead(c);
    rg_tile_merge(c->node, c->n_in, c->n_ins);
    spread_narrow(c);
    c->p->step = rg_arena_get(arena, (c->n_ins + c->n_node - c->n_value) * sizeof *c->p->step);
    if (!c->p->step)
        return rg_fail(c->err, RG_ENOMEM, "elementwise program: no memory");
    find_lives(c);
    find_direct(c);
    for (uint32_t j = 0; j < c->n_in; j++)
        c->node[j].place = DATA | j;
    give_places(c);
    finish(c);
    return RG_OK;
}

rg_status rg_tile_compile(rg_tile_program **out, const rg_tile_source *source,
                          const rg_tile_kernels *kernels, rg_arena *arena, rg_err *err)
{
    *out = NULL;
    RG_INVARIANT(source->real == RG_F32 || source->real == RG_F64, err);
    if (source->n_in + source->n_ins > RG_TILE_MAX_VALUES || source->n_out > RG_TILE_MAX_VALUES)
        return rg_fail(err, RG_ELIMIT, "elementwise program: %zu values (at most %d)",
                       source->n_in + source->n_ins, RG_TILE_MAX_VALUES);
    struct compile c = { .s = source, .n_in = (uint32_t)source->n_in,
                         .n_ins = (uint32_t)source->n_ins, .n_out = (uint32_t)source->n_out,
                         .n_value = (uint32_t)(source->n_in + source->n_ins),
                         .kernels = kernels, .err = err };
    const size_t bytes = 2 * c.n_value * (sizeof *c.node + sizeof *c.free);
    c.node = rg_get(&arena->alloc, bytes);
    rg_status status = c.node ? take_memory(&c, arena) : RG_ENOMEM;
    if (status == RG_OK) {
        c.free = (uint32_t *)(void *)(c.node + 2 * c.n_value);
        status = compile(&c, arena);
    } else {
        (void)rg_fail(err, status, "elementwise program: no memory");
    }
    rg_release(&arena->alloc, c.node, bytes);
    if (status == RG_OK)
        *out = c.p;
    return status;
}

size_t rg_tile_scratch(const rg_tile_program *p)
{
    return p->n_slot * p->slot_bytes + (p->n_slot + p->n_data) * sizeof(void *) + p->call_bytes;
}

rg_tile_facts rg_tile_report(const rg_tile_program *p)
{
    return (rg_tile_facts){ p->n_step, p->n_slot, (size_t)(p->block * p->width) };
}
