/* plan/code.h -- what effort `optimize` makes of a program: steps over one arena.
 *
 * A value either is computed by a step, or is a view of another value (a slice costs nothing),
 * or is a leaf. Steps are grouped in intervals: those of one interval do not depend on each
 * other, and the team meets between intervals, but for those of a region, whose rows go through
 * all its steps alone. Every size and cut here follows from shapes alone. */
#ifndef RG_PLAN_CODE_H
#define RG_PLAN_CODE_H

#include "plan/plan.h"

/* How a value comes to be. */
typedef enum rg_form {
    RG_LEAF,      /* input, parameter, constant: somebody else's memory, or filled once */
    RG_VIEW,      /* other elements of its operand's memory */
    RG_COMPUTED   /* a step writes it: by its op, or by copying where no view would do */
} rg_form;

/* Where a value's elements lie. */
typedef struct rg_view {
    uint32_t       base;    /* the buffer: the value's own id, another's, or a slab */
    int64_t        offset;  /* elements from the start of that storage */
    const int64_t *stride;  /* by axis, in elements; NULL = dense, row-major */
} rg_view;

/* The same, on its way. */
typedef struct rg_layout {
    int64_t offset, stride[RG_MAX_RANK];
} rg_layout;

/* A place in memory that a step reads or writes. */
typedef struct rg_ref {
    uint32_t base;
    size_t   offset;  /* bytes */
} rg_ref;

typedef struct rg_task rg_task;
typedef struct rg_machine rg_machine;

/* What runs a step: parts first .. last-1 of it. Returns 0, or a kernel's own complaint. */
typedef int rg_task_fn(const rg_machine *m, const rg_task *s, int64_t first, int64_t last,
                       int rank);

/* What row r of a step touches of an argument: `width` bytes from r·pitch on; with pitch 0, all of
 * it. */
typedef struct rg_line {
    int64_t pitch, width;
} rg_line;

/* Rows of memory that the steps after this one will read: see soon.c. */
typedef struct rg_next {
    rg_ref  ref;
    rg_line line;
} rg_next;

/* What parts p .. q-1 of a step touch of an argument, from where it begins: bytes p·pitch ..
 * q·pitch of every slot of `slot` bytes (0: there is one); with pitch 0, any of the first `bytes`,
 * which hold it all (0: any of the buffer). */
typedef struct rg_share {
    int64_t pitch, slot, bytes;
} rg_share;

struct rg_task {
    rg_task_fn *run;
    const char *name;       /* of the kernel, for printouts */
    uint32_t    node;       /* the value it is named after */
    const rg_shape *shape;  /* of what it moves; NULL = the node's result */
    uint32_t    interval;
    uint32_t    n_in, n_out;
    rg_ref     *arg;        /* n_in operands, then n_out results, then what the kernel wants */
    const void *detail;
    int64_t     parts;      /* pieces of work, cut by shape */
    bool        once;       /* writes what `steady` runs find there: only for new weights */
    uint64_t    unit;       /* cost of a part */
    uint64_t    before;     /* cost of the interval's steps before this one */
    uint64_t    total;      /* cost of the interval */
    double      flop, bytes;

    bool        blocks;     /* parts are blocks of columns of few rows */
    rg_share  (*share)(const rg_task *s, uint32_t k); /* of argument k; NULL = nothing is known */

    rg_task_fn *run_rows;   /* the same for rows first .. last-1; NULL = has none */
    int64_t     rows;
    rg_line    *line;       /* by argument, operands and results */
    double      shared;     /* bytes that every row reads */
    int64_t     a_row;      /* in a region: rows that make one of its rows; 0 = runs by parts */

    bool           fetches; /* while it computes: next_rows rows of n_next places */
    const rg_next *next;
    uint32_t       n_next;
    int64_t        next_rows;
};

/* Steps first .. end-1, between which the team need not meet: see regions.c. */
typedef struct rg_region {
    size_t  first, end;
    int64_t rows, panel;    /* threads own panels of so many rows */
    bool    by_rows;        /* it pays for this team; else interval by interval */
} rg_region;

/* A piece of the arena. Buffers of values carry their ids; scratch ones follow. */
typedef struct rg_buffer {
    size_t   bytes;
    uint32_t birth, death;  /* intervals; death >= RG_FOREVER: until the next run */
    uint32_t same_as;       /* lies exactly over this buffer, which it outlives; 0 = alone */
    uint32_t reader, readers; /* in the interval of death: the last unit that reads it, how many */
    bool     born_by_rows, dies_by_rows; /* in a region, all of which sees it as one line a row */
    bool     constant;      /* filled once: nothing may ever reuse it */
    size_t   offset;
} rg_buffer;
#define RG_FOREVER UINT32_MAX

/* The right operand of products, packed once per run. */
typedef struct rg_packed {
    uint32_t value, node;   /* what is packed; a product that reads it */
    uint32_t uses;
    int64_t  rows;          /* that meet it, of all products */
    bool     across, on;    /* read transposed; worth it */
    bool     by_parts;      /* a concat, whose parts are packed one by one */
    bool     descending;    /* the next product reads it from its last columns on */
    bool     backwards;     /* from the last row to the first */
    bool     kept;          /* from run to run, until parameters change */
    uint32_t buffer;        /* 0 = not yet packed */
} rg_packed;

/* A leaf that is copied into a slab when the slab is born. */
typedef struct rg_fill {
    uint32_t value, buffer;
    int64_t  offset;        /* elements */
} rg_fill;

typedef struct rg_code {
    struct rg_exec exec;
    rg_prog    *p;
    rg_alloc    alloc;
    rg_arena   *arena;      /* the plan's: details of steps */
    rg_arena    work;       /* until the steps are made: arrays by id and by unit */
    const rg_plan_opts *opts;
    const uint8_t *readable;  /* by id: must lie dense in memory of its own, for ever */
    rg_err     *err;

    uint8_t    *form;       /* by id: rg_form */
    rg_view    *view;       /* by id */
    uint32_t   *source;     /* by id: the value behind all views */
    uint8_t    *escapes;    /* by id: somebody outside its own tile program reads it */
    uint8_t    *window;     /* by id: a concat without work: a part of a slab, or packed by parts */
    uint32_t   *over;       /* by id: the value whose place it takes; 0 = none */
    rg_fill    *fill;
    size_t      n_fill, fill_cap;
    uint32_t   *value;      /* by id: for lower_tile.c, zero between units */
    int64_t    *band;       /* by id, of a product: columns between the cuts that its views make */
    bool        in_place;   /* results may take over what dies */
    bool        by_rows;    /* regions may be found */
    bool        in_slots;   /* parts of a concat may be computed where they belong */

    uint32_t   *unit;       /* by id: what computes it; 0 = a leaf or a view */
    uint32_t    n_unit;     /* 1 .. n_unit-1 */
    uint32_t   *member;     /* ids by unit, ascending */
    uint32_t   *first;      /* unit u has member[first[u]] .. member[first[u+1]-1] */
    uint32_t   *order;      /* units in order of running: n_unit-1 of them */
    uint32_t   *interval;   /* by unit */
    uint32_t   *ready;      /* by unit: the first interval that may read it */
    uint32_t    n_interval;

    struct rg_known_program *known; /* tile programs so far; [0] unused */
    uint32_t    n_known;
    size_t      known_cap;
    rg_index    known_index;

    rg_packed  *packed;     /* [0] unused */
    uint32_t    n_packed;
    size_t      packed_cap;
    rg_index    packed_index;

    rg_task    *step;
    size_t      n_step, step_cap;
    rg_buffer  *buffer;     /* by base id; [0] unused */
    size_t      n_buffer, buffer_cap;
    size_t      arena_bytes, scratch_bytes;  /* scratch: of one thread */
    rg_region  *region;
    size_t      n_region, region_cap;
    uint32_t   *region_of;  /* by interval: 1 + its region; 0 = none */
    uint8_t    *meets;      /* by interval: the team meets after it, unless it runs by rows */

    void      **at;         /* by base: where its storage is now */
    char       *memory;
    size_t      memory_bytes;
    char       *scratch;
    struct rg_failure *failure;  /* by thread */
    double     *seconds;    /* by step, with a trace */
    uint64_t    packed_from;/* 1 + params->written when steps that run once ran last; 0 = never */
} rg_code;

/* A step that failed, and for which value. */
typedef struct rg_failure {
    size_t   step;  /* + 1; 0 = none */
    uint32_t node;
    int      code;
} rg_failure;

/* What steps see of a run. */
struct rg_machine {
    const rg_code *code;
    void *const   *at;
    uint64_t       seed, run;
    char          *scratch;
    size_t         scratch_bytes;
    bool           packed;  /* steps that run once have run */
};

/* In a step: the kernel of @p node returned this. */
static inline int rg_fail_step(const rg_machine *m, int rank, uint32_t node, int code)
{
    m->code->failure[rank].node = node;
    m->code->failure[rank].code = code;
    return code;
}

static inline void *rg_at(const rg_machine *m, const rg_ref *r)
{
    return (char *)m->at[r->base] + r->offset;
}

static inline void *rg_scratch_of(const rg_machine *m, int rank)
{
    return m->scratch + (size_t)rank * m->scratch_bytes;
}

/* ---- views.c: which values are views, and where everything lies ----------------------------- */

rg_status rg_code_views(rg_code *c);
/* Everything that follows from where computed values lie: once more. False without memory. */
bool rg_views_settle(rg_code *c);
/* Strides of a value, dense or not. */
void rg_view_strides(int64_t stride[RG_MAX_RANK], const rg_view *v, const rg_shape *shape);
/* Where the elements of a value lie in its storage. */
rg_layout rg_layout_of(const rg_code *c, uint32_t id);
/* Where the elements of a view node lie, from where those of its operand do; false: no strides will
 * do it. */
bool rg_layout_of_view(const rg_code *c, const rg_node *node, rg_layout *out);
/* Can elements that lie like this be read as another shape in place? Writes the strides for it. */
bool rg_strides_reshape(int64_t out[RG_MAX_RANK], const rg_shape *to, const int64_t *stride,
                        const rg_shape *from);
bool rg_strides_dense(const int64_t *stride, const rg_shape *shape);
/* The same, but for extents of one, whose strides say nothing? */
bool rg_strides_equal(const int64_t *a, const int64_t *b, const rg_shape *shape);

/* ---- slots.c: parts of a concat that are written where they belong -------------------------- */

/* @p dense: values that some consumer can only read dense. First, products on top of what they are
 * added to. RG_ENOMEM. */
rg_status rg_code_on_top(rg_code *c, const uint8_t *dense);
rg_status rg_code_slots(rg_code *c, const uint8_t *dense);
/* Where a part of a concat belongs: the first where the concat lies; the one after part k; and does
 * part k lie there? */
void rg_slot_next(const rg_code *c, uint32_t concat, uint32_t k, rg_layout *at);
bool rg_slot_holds(const rg_code *c, uint32_t concat, uint32_t k, const rg_layout *at);
/* A computed value that is a concat whose parts all lie in place has none. */
bool rg_has_work(const rg_code *c, uint32_t id);

/* ---- over.c: results that take the place of what dies ---------------------------------------- */

/* Results of tile programs, and slabs of them; after slots were given. RG_ENOMEM. */
rg_status rg_code_over(rg_code *c, const uint8_t *dense);

/* ---- schedule.c: units, their order, intervals ---------------------------------------------- */

rg_status rg_code_schedule(rg_code *c);
/* Ids by the set they belong to (1 .. n_set-1; 0 = none), in rising order: set k has
 * member[first[k]] .. member[first[k+1]-1]. first: n_set + 2 numbers, zero. */
void rg_list_members(uint32_t *first, uint32_t *member, const uint32_t *set, uint32_t n_set,
                     uint32_t n_node);
static inline uint32_t rg_unit_first(const rg_code *c, uint32_t unit)
{
    return c->member[c->first[unit]];
}
/* The last member: what a unit is named after. */
static inline uint32_t rg_unit_last(const rg_code *c, uint32_t unit)
{
    return c->member[c->first[unit + 1] - 1];
}

/* ---- lower.c and its family: from units to steps -------------------------------------------- */

rg_status rg_code_lower(rg_code *c);
/* Can the kernel of node @p id read operand k as it lies now? */
bool rg_suits(const rg_code *c, uint32_t id, uint32_t k);
/* Could it read it in rows apart, the elements of a row together? */
bool rg_reads_rows(const rg_prog *p, const rg_node *node, uint32_t k);
/* Can it write its result so? */
bool rg_writes_rows(const rg_node *node);
/* Which right operands of products are worth packing; before scheduling. */
rg_status rg_code_packs(rg_code *c);
/* Does the product read one? Then its packing needs an interval before it. */
bool rg_reads_packed(const rg_code *c, uint32_t id);

/* ---- regions.c: where the team need not meet ------------------------------------------------ */

/* After lowering. RG_ENOMEM. */
rg_status rg_code_regions(rg_code *c);
/* Which regions are worth it for so many threads, and after which intervals those must meet. */
void rg_code_choose(rg_code *c, int threads);
/* Nothing reads what another step of its interval writes, and no two rows of a region touch the
 * same bytes of the arena, unless both only read. After placing. */
rg_status rg_code_verify_regions(const rg_code *c, rg_err *err);

/* ---- soon.c: what products fetch for the steps after them ----------------------------------- */

/* After lowering. RG_ENOMEM. */
rg_status rg_code_soon(rg_code *c);

/* ---- meetings.c: intervals between which the team need not meet ------------------------------ */

/* The first part of a step that belongs to thread @p rank of @p size: the first whose middle lies
 * in the thread's share of the interval's cost. */
int64_t rg_first_part(const rg_task *s, int rank, int size);
/* c->meets, for a team of so many, and how many are left; costs of intervals must be summed. After
 * placing. */
size_t rg_code_meetings(rg_code *c, int threads);

/* ---- place.c: lives and offsets ------------------------------------------------------------- */

/* Scratch memory of a step in the arena; 0 without memory. */
uint32_t rg_buffer_new(rg_code *c, size_t bytes, uint32_t birth, uint32_t death);
/* Births and deaths of all buffers, as far as units tell. Before lowering. */
rg_status rg_code_lives(rg_code *c);
/* Buffers that lie over others: what they lie over lives as long. After lowering. */
void rg_code_settle(rg_code *c);
/* The buffer whose memory this one has. */
static inline uint32_t rg_buffer_under(const rg_code *c, uint32_t base)
{
    return c->buffer[base].same_as ? c->buffer[base].same_as : base;
}
/* Offsets in one arena. After settling. */
rg_status rg_code_place(rg_code *c);

/* ---- verify.c ------------------------------------------------------------------------------- */

/* Buffers that live at the same time do not overlap, and every step finds what it reads. */
rg_status rg_code_verify(const rg_code *c, rg_err *err);

rg_status rg_code_run(rg_plan *plan, uint64_t run);  /* exec_run.c */
extern const rg_executor rg_optimizer;               /* exec.c */

#endif
