/* plan/lower_call.c -- everything without a fast kernel: the op's reference kernel, by one
 * thread. */
#include "plan/lower.h"

#include "base/checked.h"
#include "plan/convert.h"

/* Elements of a part, where the op allows to call it on parts. */
enum { PIECE = 4096 };

struct detail {
    rg_kernel_fn   *kernel;
    const rg_node  *node;
    uint32_t        id;
    const rg_shape *in_shape;
    const rg_kind  *in_kind;
    bool            convert;  /* an f64 kernel in an f32 plan */
    rg_dtype        real;
    int64_t         count, a_part;
};

/* Operand k as the kernel wants it; temporary memory is argument n_in + 1 + k. */
static const void *prepare(const rg_machine *m, const rg_task *s, const struct detail *d,
                           uint32_t k)
{
    const rg_shape *from = &d->in_shape[k], *to = d->node->shape;
    const void *data = rg_at(m, &s->arg[k]);
    const bool real = d->convert && d->in_kind[k] == RG_F;
    const bool spread = d->node->op->flags & RG_OP_ELEMENTWISE && !rg_shape_equal(*from, *to);
    if (!real && !spread)
        return data;
    void *own = rg_at(m, &s->arg[s->n_in + 1 + k]);
    if (spread)
        rg_shape_spread(own, data, from, to, rg_kind_size(d->in_kind[k], d->real));
    if (spread && real)
        rg_widen_in_place(own, d->count);
    else if (real)
        rg_convert(own, data, rg_shape_count(*from), true);
    return own;
}

/* Elements begin .. end of the result. */
static int run_elements(const rg_machine *m, const rg_task *s, int64_t begin, int64_t end, int rank)
{
    const struct detail *d = s->detail;
    const void **in = rg_scratch_of(m, rank);
    const bool back = d->convert && d->node->kind == RG_F;
    const size_t item = rg_kind_size((rg_kind)d->node->kind, d->real);
    char *result = rg_at(m, &s->arg[s->n_in]);
    for (uint32_t k = 0; k < s->n_in; k++) {
        in[k] = prepare(m, s, d, k);
        if (begin > 0)
            in[k] = (const char *)in[k] + (size_t)begin * rg_kind_size(d->in_kind[k], d->real);
    }
    const rg_kernel_args args = {
        .n = end - begin, .first = begin, .n_in = s->n_in, .in = in, .in_shape = d->in_shape,
        .out = back ? rg_at(m, &s->arg[2 * s->n_in + 1]) : result + (size_t)begin * item,
        .out_shape = d->node->shape, .attr = d->node->attr, .seed = m->seed, .run = m->run,
        .item = back ? sizeof(double) : item,
    };
    const int code = d->kernel(&args);
    if (code)
        return rg_fail_step(m, rank, d->id, code);
    if (back)
        rg_convert(result, args.out, args.n, false);
    return 0;
}

static int run_call(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct detail *d = s->detail;
    const int64_t end = last * d->a_part;
    return run_elements(m, s, first * d->a_part, end < d->count ? end : d->count, rank);
}

/* Temporary memory for converted and spread operands and a converted result: as many doubles. */
static bool add_temporaries(rg_code *c, rg_task *s, const struct detail *d)
{
    const uint32_t t = s->interval;
    for (uint32_t k = 0; k <= s->n_in; k++) {
        const bool result = k == s->n_in;
        const rg_shape *shape = result ? d->node->shape : &d->in_shape[k];
        const bool spread = !result && d->node->op->flags & RG_OP_ELEMENTWISE &&
                            !rg_shape_equal(*shape, *d->node->shape);
        const bool real = d->convert && (result ? d->node->kind : d->in_kind[k]) == RG_F;
        if (!spread && !real)
            continue;
        const int64_t n = spread ? d->count : rg_shape_count(*shape);
        s->arg[s->n_in + 1 + k] = (rg_ref){ rg_buffer_new(c, (size_t)n * sizeof(double), t, t), 0 };
        if (!s->arg[s->n_in + 1 + k].base)
            return false;
    }
    return true;
}

/* Elementwise, all operands of the result's shape, nothing to convert: any part will do. */
static bool may_cut(const struct detail *d, uint32_t n_in)
{
    for (uint32_t k = 0; k < n_in; k++)
        if (!rg_shape_equal(d->in_shape[k], *d->node->shape))
            return false;
    return d->node->op->flags & RG_OP_ELEMENTWISE && !d->convert;
}

/* Elements are rows, if any part will do. */
static bool add_rows(rg_code *c, rg_task *s, const struct detail *d)
{
    rg_line *line = rg_task_rows(c, s, run_elements, d->count);
    for (uint32_t k = 0; k <= s->n_in && line; k++) {
        const rg_kind kind = k < s->n_in ? d->in_kind[k] : (rg_kind)d->node->kind;
        const int64_t item = (int64_t)rg_kind_size(kind, d->real);
        line[k] = (rg_line){ item, item };
    }
    return line != NULL;
}

rg_status rg_lower_call(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    const uint32_t n = node->n_in;
    struct detail d = { .node = node, .id = id, .real = c->p->real,
                        .count = rg_shape_count(*node->shape) };
    rg_task *s = rg_task_new(c, run_call, node->op->name, id, 2 * (size_t)n + 2, sizeof d);
    rg_shape *shape = rg_arena_get(c->arena, n * sizeof *shape);
    rg_kind *kind = rg_arena_get(c->arena, n * sizeof *kind);
    if (!s || !shape || !kind)
        return rg_lower_no_memory(c);
    d.kernel = rg_plan_kernel(node->op, c->p->real, &d.convert);
    s->n_in = n;
    s->n_out = 1;
    for (uint32_t k = 0; k < n; k++) {
        shape[k] = *c->p->node[node->in[k]].shape;
        kind[k] = (rg_kind)c->p->node[node->in[k]].kind;
        s->arg[k] = rg_ref_of(c, node->in[k]);
        s->bytes += (double)rg_shape_count(shape[k]) * (double)rg_kind_size(kind[k], d.real);
    }
    d.in_shape = shape;
    d.in_kind = kind;
    s->arg[n] = rg_ref_of(c, id);
    d.a_part = may_cut(&d, n) ? PIECE : d.count;
    s->parts = rg_div_up(d.count, d.a_part);
    s->flop = (double)d.count;
    s->bytes += (double)d.count * (double)rg_kind_size((rg_kind)node->kind, d.real);
    s->unit = 1 + (uint64_t)((s->flop + s->bytes) / (double)s->parts);
    *(struct detail *)(uintptr_t)s->detail = d;
    rg_need_scratch(c, n * sizeof(void *));
    if (may_cut(&d, n) && !add_rows(c, s, &d))
        return rg_lower_no_memory(c);
    return add_temporaries(c, s, &d) ? RG_OK : rg_lower_no_memory(c);
}
