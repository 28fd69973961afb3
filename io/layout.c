/* io/layout.c -- from parameters to the arrays of a file: PyTorch's where a group is a layer. */
#include "io/layout.h"

#include "base/checked.h"
#include "base/shape.h"
#include "io/sort.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static rg_status no_memory(const rg_layout *y)
{
    return rg_fail(y->err, RG_ENOMEM, "no memory for the list of arrays");
}

const char *rg_family_of(const char *name)
{
    return strncmp(name, "optim.", 6) == 0 ? "optim."
         : strncmp(name, "plan.", 5) == 0 ? "plan." : "";
}

void rg_layout_init(rg_layout *y, const rg_alloc *alloc, rg_err *err)
{
    *y = (rg_layout){ .alloc = *alloc, .err = err };
    rg_arena_init(&y->arena, alloc);
}

void rg_layout_free(rg_layout *y)
{
    for (size_t i = 0; i < y->n; i++)
        rg_release(&y->alloc, y->record[i].raw, y->record[i].bytes);
    rg_release(&y->alloc, y->record, y->cap * sizeof *y->record);
    rg_release(&y->alloc, y->by_name, y->n * sizeof *y->by_name);
    rg_release(&y->alloc, y->layer, y->layer_cap * sizeof *y->layer);
    rg_arena_free(&y->arena);
}

/* ---- Records --------------------------------------------------------------------------------- */

/* Append a record of @p n parts; its first extent is the sum of theirs. */
static rg_status add(rg_layout *y, const char *name, rg_shape part_shape, const rg_part *part,
                     int n)
{
    char quoted[RG_QUOTED];
    int64_t count;
    if (!name || !rg_reserve(&y->alloc, &y->record, &y->cap, y->n + 1, sizeof *y->record))
        return no_memory(y);
    rg_record *r = &y->record[y->n];
    *r = (rg_record){ .name = name, .shape = part_shape, .dtype = part[0].slot->dtype,
                      .n_part = n };
    if (!(r->part = rg_arena_get(&y->arena, (size_t)n * sizeof *r->part)))
        return no_memory(y);
    memcpy(r->part, part, (size_t)n * sizeof *r->part);
    if (strlen(name) > RG_NAME_BYTES)
        return rg_fail(y->err, RG_ELIMIT, "'%s' is longer than %d bytes",
                       rg_quoted(quoted, name, strlen(name)), RG_NAME_BYTES);
    if (n > 1)
        r->shape.dim[0] *= n;
    if (rg_numel(&r->shape, &count) || rg_bytes(count, rg_dtype_size(r->dtype), &r->bytes))
        return rg_fail(y->err, RG_ELIMIT, "'%s' is too large",
                       rg_quoted(quoted, name, strlen(name)));
    y->n++;
    return RG_OK;
}

static rg_status add_plain(rg_layout *y, const rg_group *g)
{
    rg_status st = RG_OK;
    for (size_t i = 0; !st && i < g->n; i++) {
        rg_part part = { g->slot[i], RG_PART_COPY };
        st = add(y, g->slot[i]->name, g->slot[i]->shape, &part, 1);
    }
    return st;
}

char *rg_layout_name(rg_arena *arena, const char *torch, const char *stem, int32_t index,
                     bool reverse)
{
    size_t n = strlen(torch), k = strlen(stem), room = n + k + 24;
    char *name = rg_arena_get(arena, room);
    if (name && stem[k - 1] == 'l' && stem[k - 2] == '_')
        (void)snprintf(name, room, "%s%s%s%d%s", torch, n ? "." : "", stem, (int)index,
                       reverse ? "_reverse" : "");
    else if (name)
        (void)snprintf(name, room, "%s%s%s", torch, n ? "." : "", stem);
    return name;
}

/* The same of a layer of the list. */
static char *name_of(rg_layout *y, const rg_layer *l, const char *stem)
{
    return rg_layout_name(&y->arena, l->torch, stem, l->index, l->reverse);
}

/* The blocks of all gates of one matrix or bias, one below the other. */
static rg_status add_gates(rg_layout *y, const rg_layer *l, const rg_group *g, const char *stem,
                           const char *file_stem, rg_part_how how)
{
    rg_part part[RG_MAX_GATES];
    for (int k = 0; k < l->kind->gates; k++)
        part[k] = (rg_part){ rg_group_slot(g, stem, l->kind->gate[k]), how };
    rg_shape s = part[0].slot->shape;
    if (how == RG_PART_TRANSPOSED)
        s = RG_SHAPE(s.dim[1], s.dim[0]);
    return add(y, name_of(y, l, file_stem), s, part, l->kind->gates);
}

/* bias_hh: our second bias; without one zeros, which may be added to the first bias, but for the
 * candidate of gru-after, tanh(x·U + b + r∘(h·W + bh)). */
static rg_status add_second_bias(rg_layout *y, const rg_layer *l, const rg_group *g)
{
    rg_part part[RG_MAX_GATES];
    for (int k = 0; k < l->kind->gates; k++) {
        const char *gate = l->kind->gate[k];
        bool candidate = l->kind == &rg_layer_gru_after && k == 2;
        rg_slot *bh = rg_group_slot(g, "bh", gate);
        part[k].slot = bh ? bh : rg_group_slot(g, "b", gate);
        part[k].how = bh ? RG_PART_COPY : candidate ? RG_PART_ZERO : RG_PART_ADDED;
    }
    return add(y, name_of(y, l, "bias_hh_l"), part[0].slot->shape, part, l->kind->gates);
}

/* weight_hr: proj [H,P] as [P,H] */
static rg_status add_projection(rg_layout *y, const rg_layer *l, const rg_group *g)
{
    rg_part part = { rg_group_slot(g, "proj", ""), RG_PART_TRANSPOSED };
    rg_shape s = part.slot->shape;
    return add(y, name_of(y, l, "weight_hr_l"), RG_SHAPE(s.dim[1], s.dim[0]), &part, 1);
}

static rg_status add_recurrent(rg_layout *y, const rg_layer *l, const rg_group *g)
{
    rg_status st;
    if ((st = add_gates(y, l, g, "U", "weight_ih_l", RG_PART_TRANSPOSED)) ||
        (st = add_gates(y, l, g, "W", "weight_hh_l", RG_PART_TRANSPOSED)) ||
        (l->kind->proj && (st = add_projection(y, l, g))) ||
        l->bias == RG_LAYER_NONE || (st = add_gates(y, l, g, "b", "bias_ih_l", RG_PART_COPY)))
        return st;
    return add_second_bias(y, l, g);
}

/* dense and embedding */
static rg_status add_simple(rg_layout *y, const rg_layer *l, const rg_group *g)
{
    bool dense = l->kind == &rg_layer_dense;
    rg_part weight = { rg_group_slot(g, dense ? "W" : "E", ""),
                       dense ? RG_PART_TRANSPOSED : RG_PART_COPY };
    rg_shape s = weight.slot->shape;
    if (dense)
        s = RG_SHAPE(s.dim[1], s.dim[0]);
    rg_status st = add(y, name_of(y, l, "weight"), s, &weight, 1);
    if (st || l->bias == RG_LAYER_NONE)
        return st;
    rg_part bias = { rg_group_slot(g, "b", ""), RG_PART_COPY };
    return add(y, name_of(y, l, "bias"), bias.slot->shape, &bias, 1);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

/* Number and direction of a recurrent layer by its group's name, which ends in ".l<k>", perhaps
 * with ".fwd" or ".bwd" behind; false: it does not. */
static bool read_number(rg_layer *l, const char *group, size_t n)
{
    const bool two = n > 4 && (!strcmp(group + n - 4, ".fwd") || !strcmp(group + n - 4, ".bwd"));
    size_t end = two ? n - 4 : n, at = end;
    int64_t number = 0, unit = 1;
    for (; at > 0 && end - at < 9 && group[at - 1] >= '0' && group[at - 1] <= '9'; unit *= 10)
        number += unit * (group[--at] - '0');
    if (at == end || at < 3 || group[at - 1] != 'l' || group[at - 2] != '.' ||
        (group[at] == '0' && end - at > 1))
        return false;
    l->index = (int32_t)number;
    l->reverse = two && group[n - 3] == 'b';
    return true;
}

static rg_status set_layer(rg_layout *y, rg_layer *l, const rg_group *g, const rg_layer_desc *d,
                           bool recurrent)
{
    const char *name = g->slot[0]->name;
    char *group = rg_arena_get(&y->arena, g->name_bytes + 1);
    if (!group)
        return no_memory(y);
    memcpy(group, name, g->name_bytes);
    l->group = group;
    rg_layer_desc own = { .group = group };
    if (d) {
        l->index = d->layer;
        l->reverse = d->reverse;
    } else if (recurrent && read_number(l, group, g->name_bytes)) {
        own.layer = l->index;
        own.reverse = l->reverse;
    } else {
        own.torch = group;
    }
    return (l->torch = rg_layer_torch(&y->arena, d ? d : &own)) ? RG_OK : no_memory(y);
}

static rg_status does_not_fit(rg_layout *y, const rg_layer_desc *d)
{
    const rg_layer_kind *kind = rg_layer_kind_find(d->kind);
    const char *group = d->group ? d->group : "", *needs;
    char quoted[RG_QUOTED];
    needs = kind == &rg_layer_dense ? "W [I,O], b [O]" : kind == &rg_layer_embedding ? "E [V,E]"
          : kind->gates == 1 ? "U [I,H], W [H,H], b [H]"
          : kind->gates == 3 ? "Ur [I,H], Wr [H,H], br [H], and so for u, g"
          : kind->proj ? "Ui [I,H], Wi [P,H], bi [H], and so for f, c, o, and proj [H,P]"
                             : "Ui [I,H], Wi [H,H], bi [H], and so for f, c, o";
    return rg_fail(y->err, RG_EARG, "layer '%s' is no %s: its arrays must be %s, of one type",
                   rg_quoted(quoted, group, strlen(group)), d->kind, needs);
}

/* What layer the group is; kind NULL = none. @p gru: it is a gru of either form. */
static rg_status layer_of(rg_layout *y, rg_layer *l, bool *gru, const rg_group *g)
{
    const char *name = g->slot[0]->name;
    int64_t given = rg_layers_of_group(&y->given, name, g->name_bytes);
    int64_t filed = rg_layers_of_group(&y->filed, name, g->name_bytes);
    const rg_layer_desc *d = given >= 0 ? &y->given.desc[given]
                           : filed >= 0 ? &y->filed.desc[filed] : NULL;
    *l = (rg_layer){ .said = given >= 0 };
    *gru = false;
    if (given >= 0)
        y->given.used[given] = true;
    if (d && (l->kind = rg_layer_kind_find(d->kind)) && rg_layer_fits(&l->bias, l->kind, g))
        return set_layer(y, l, g, d, l->kind->gates > 0);
    if (l->said)
        return does_not_fit(y, d);
    l->kind = rg_layer_guess(&l->bias, gru, g);
    if (!l->kind && !*gru)
        return RG_OK;
    rg_status st = set_layer(y, l, g, NULL, *gru || l->kind->gates > 0);
    filed = st || l->kind ? -1 : rg_layers_of_torch(&y->filed, l->torch, l->index, l->reverse);
    if (filed < 0)
        return st;
    l->kind = rg_layer_kind_find(y->filed.desc[filed].kind); /* a gru under another group's name */
    if (l->kind && !rg_layer_fits(&l->bias, l->kind, g))
        l->kind = NULL;
    return RG_OK;
}

/* Is the layer in the file under PyTorch's names? */
static rg_status in_torch_form(bool *is, rg_layout *y, const rg_layer *l, bool gru)
{
    const char *stem = gru || l->kind->gates ? "weight_ih_l" : "weight";
    char *name = name_of(y, l, stem);
    *is = name && rg_tensors_find(y->file, name);
    return name ? RG_OK : no_memory(y);
}

/* Reading: the file's layer is the model's. A gru without descriptor is PyTorch's, reset after. */
static void compare_kinds(rg_layout *y, const rg_layer *l, const rg_group *g, bool gru, bool torch)
{
    char quoted[RG_QUOTED];
    int64_t d = torch ? rg_layers_of_torch(&y->filed, l->torch, l->index, l->reverse)
                      : rg_layers_of_group(&y->filed, l->group, g->name_bytes);
    bool foreign = torch && d < 0 && (gru || l->kind->gates == 3);
    const rg_layer_kind *filed = foreign ? &rg_layer_gru_after
                               : d >= 0 ? rg_layer_kind_find(y->filed.desc[d].kind) : NULL;
    (void)rg_quoted(quoted, l->group, g->name_bytes);
    if (foreign && gru)
        rg_differ(y->differences, "'%s' may reset before or after the product, the file's gru is "
                  "PyTorch's, after: describe the layer as gru or gru-after", quoted);
    else if (filed && l->kind && filed != l->kind && filed->gates == 3 && l->kind->gates == 3)
        rg_differ(y->differences, "'%s' is a %s, in the file a %s: resetting before and after the "
                  "product are different functions", quoted, l->kind->name, filed->name);
    else if (filed && l->kind && filed != l->kind && (l->said || l->kind != &rg_layer_rnn ||
                                                      filed != &rg_layer_rnn_relu))
        rg_differ(y->differences, "'%s' is a %s, in the file a %s", quoted, l->kind->name,
                  filed->name);
}

static rg_status add_group(rg_layout *y, const rg_group *g)
{
    rg_layer l;
    bool gru, torch = false;
    rg_status st = layer_of(y, &l, &gru, g);
    if (st)
        return st;
    if (y->file && (l.kind || gru)) {
        if ((st = in_torch_form(&torch, y, &l, gru)))
            return st;
        compare_kinds(y, &l, g, gru, torch);
    }
    if (!l.kind)
        return add_plain(y, g);
    if (!rg_reserve(&y->alloc, &y->layer, &y->layer_cap, y->n_layer + 1, sizeof *y->layer))
        return no_memory(y);
    y->layer[y->n_layer++] = l;
    if (y->file ? !torch : y->own_names)
        return add_plain(y, g);
    return l.kind->gates ? add_recurrent(y, &l, g) : add_simple(y, &l, g);
}

/* ---- Stores ---------------------------------------------------------------------------------- */

static int by_group(const void *context, uint32_t a, uint32_t b)
{
    rg_slot *const *slot = context;
    const char *s = slot[a]->name, *t = slot[b]->name;
    size_t n = rg_group_bytes(s), m = rg_group_bytes(t);
    int c = memcmp(s, t, n < m ? n : m);
    return c ? c : n != m ? (n < m ? -1 : 1) : strcmp(s, t);
}

static rg_status add_model(rg_layout *y, rg_slot **slot, uint32_t *order, size_t n)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    rg_sort(order, order + n, n, by_group, slot);
    rg_slot **run = slot + n; /* the same, in that order */
    for (size_t i = 0; i < n; i++)
        run[i] = slot[order[i]];
    for (size_t i = 0, k; !st && i < n; i = k) {
        size_t bytes = rg_group_bytes(run[i]->name);
        for (k = i + 1; k < n && rg_group_bytes(run[k]->name) == bytes &&
                        memcmp(run[k]->name, run[i]->name, bytes) == 0; k++)
            ;
        st = add_group(y, &(rg_group){ run + i, k - i, bytes });
    }
    return st;
}

static rg_status add_store(rg_layout *y, rg_params *ps)
{
    size_t n = ps->n_slot;
    rg_slot **slot = rg_get_raw(&y->alloc, 2 * n * sizeof *slot);
    uint32_t *order = rg_get_raw(&y->alloc, 2 * n * sizeof *order);
    rg_status st = slot && order ? RG_OK : no_memory(y);
    for (size_t i = 0; !st && i < n; i++)
        slot[i] = ps->slot[ps->order[i]];
    if (!st && n > 0)
        st = ps->prefix || *rg_family_of(slot[0]->name) ? add_plain(y, &(rg_group){ slot, n, 0 })
                                          : add_model(y, slot, order, n);
    rg_release(&y->alloc, slot, 2 * n * sizeof *slot);
    rg_release(&y->alloc, order, 2 * n * sizeof *order);
    return st;
}

static int by_name(const void *context, uint32_t a, uint32_t b)
{
    const rg_record *r = context;
    return strcmp(r[a].name, r[b].name);
}

static rg_status index_names(rg_layout *y)
{
    char quoted[RG_QUOTED];
    uint32_t *scratch = rg_get_raw(&y->alloc, y->n * sizeof *scratch);
    y->by_name = rg_get_raw(&y->alloc, y->n * sizeof *y->by_name);
    rg_status st = scratch && y->by_name ? RG_OK : no_memory(y);
    for (size_t i = 0; !st && i < y->n; i++)
        y->by_name[i] = (uint32_t)i;
    if (!st)
        rg_sort(y->by_name, scratch, y->n, by_name, y->record);
    for (size_t i = 1; !st && i < y->n; i++) {
        const char *name = y->record[y->by_name[i]].name;
        if (by_name(y->record, y->by_name[i - 1], y->by_name[i]) == 0)
            st = rg_fail(y->err, RG_EARG, "two arrays would be named '%s'",
                         rg_quoted(quoted, name, strlen(name)));
    }
    rg_release(&y->alloc, scratch, y->n * sizeof *scratch);
    return st;
}

rg_status rg_layout_build(rg_layout *y, rg_params *const *stores, size_t n)
{
    rg_status st = RG_OK;
    char quoted[RG_QUOTED];
    for (size_t i = 0; !st && i < n; i++)
        st = add_store(y, stores[i]);
    for (size_t i = 0; !st && i < y->given.n; i++)
        if (!y->given.used[i]) {
            const char *group = y->given.desc[i].group ? y->given.desc[i].group : "";
            st = rg_fail(y->err, RG_EARG, "layer '%s': no parameter is named so",
                         rg_quoted(quoted, group, strlen(group)));
        }
    return st ? st : index_names(y);
}
