/* io/descriptors.c -- lists of layer descriptors: look-up, JSON out and in.
 *
 *     [{"group":"rnn.l0","kind":"lstm","torch":"rnn","layer":0,"bias":"single"},
 *      {"group":"out","kind":"dense","torch":"out","bias":"single"}] */
#include "io/layers.h"

#include "io/disk.h"
#include "io/sort.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static int compare_part(const char *a, const char *b, size_t n)
{
    int c = strncmp(a, b, n);
    return c ? c : a[n] != '\0';
}

static int by_group(const void *context, uint32_t a, uint32_t b)
{
    const rg_layer_desc *d = context;
    return strcmp(text_of(d[a].group), text_of(d[b].group));
}

static int compare_torch(const rg_layer_desc *d, const char *torch, int32_t index, bool reverse)
{
    int c = strcmp(d->torch, torch);
    return c ? c : d->layer != index ? (d->layer < index ? -1 : 1) : d->reverse - reverse;
}

static int by_torch(const void *context, uint32_t a, uint32_t b)
{
    const rg_layer_desc *d = context;
    return compare_torch(&d[a], d[b].torch, d[b].layer, d[b].reverse);
}

const char *rg_layer_torch(rg_arena *arena, const rg_layer_desc *desc)
{
    static const char *const direction[2][2] = { { "", ".fwd" }, { ".bwd", ".bwd" } };
    char suffix[20];
    if (desc->torch)
        return rg_arena_text(arena, desc->torch);
    char *text = rg_arena_text(arena, text_of(desc->group));
    const size_t n = text ? strlen(text) : 0;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(suffix, sizeof suffix, ".l%d%s", (int)desc->layer,
                       direction[desc->reverse][i]);
        const size_t k = strlen(suffix);
        if (n > k && strcmp(text + n - k, suffix) == 0)
            text[n - k] = '\0';
    }
    return text;
}

static rg_status check(const rg_layer_desc *d, bool strict, rg_err *err)
{
    char quoted[RG_QUOTED];
    const char *group = text_of(d->group), *kind = text_of(d->kind);
    (void)rg_quoted(quoted, group, strlen(group));
    if (d->layer < 0)
        return rg_fail(err, RG_EARG, "layer '%s': number %d, below 0", quoted, (int)d->layer);
    if (strict && !rg_layer_kind_find(d->kind))
        return rg_fail(err, RG_EARG, "layer '%s': kind '%.20s' is none of lstm, lstm-proj, gru, "
                       "gru-after, rnn, rnn-relu, dense, embedding", quoted, kind);
    return RG_OK;
}

rg_status rg_layers_init(rg_layers *l, rg_arena *arena, const rg_layer_desc *desc, size_t n,
                         bool strict, rg_err *err)
{
    rg_status st;
    char quoted[RG_QUOTED];
    rg_layer_desc *copy = rg_arena_get(arena, n * sizeof *copy);
    uint32_t *scratch = rg_arena_get(arena, n * sizeof *scratch);
    *l = (rg_layers){ copy, n, rg_arena_get(arena, n * sizeof(uint32_t)),
                      rg_arena_get(arena, n * sizeof(uint32_t)), rg_arena_get(arena, n) };
    if (!copy || !scratch || !l->by_group || !l->by_torch || !l->used)
        return rg_fail(err, RG_ENOMEM, "no memory for %zu layers", n);
    for (size_t i = 0; i < n; i++) {
        if ((st = check(&desc[i], strict, err)))
            return st;
        copy[i] = desc[i];
        if (!(copy[i].torch = rg_layer_torch(arena, &desc[i])))
            return rg_fail(err, RG_ENOMEM, "no memory for %zu layers", n);
        l->by_group[i] = l->by_torch[i] = (uint32_t)i;
    }
    rg_sort(l->by_group, scratch, n, by_group, copy);
    rg_sort(l->by_torch, scratch, n, by_torch, copy);
    for (size_t i = 1; i < n; i++)
        if (by_group(copy, l->by_group[i - 1], l->by_group[i]) == 0) {
            const char *group = text_of(copy[l->by_group[i]].group);
            return rg_fail(err, RG_EARG, "layer '%s' is described twice",
                           rg_quoted(quoted, group, strlen(group)));
        }
    return RG_OK;
}

int64_t rg_layers_of_group(const rg_layers *l, const char *name, size_t n)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = compare_part(text_of(l->desc[l->by_group[mid]].group), name, n);
        if (c == 0)
            return l->by_group[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

int64_t rg_layers_of_torch(const rg_layers *l, const char *torch, int32_t index, bool reverse)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = compare_torch(&l->desc[l->by_torch[mid]], torch, index, reverse);
        if (c == 0)
            return l->by_torch[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void rg_layers_write(rg_text *out, const rg_layer *layer, size_t n)
{
    rg_text_add(out, "[", 1);
    for (size_t i = 0; i < n; i++) {
        const rg_layer *y = &layer[i];
        rg_text_printf(out, "%s{\"group\":", i ? "," : "");
        rg_text_add_json(out, y->group);
        rg_text_printf(out, ",\"kind\":\"%s\",\"torch\":", y->kind->name);
        rg_text_add_json(out, y->torch);
        if (y->kind->gates)
            rg_text_printf(out, ",\"layer\":%d", (int)y->index);
        if (y->reverse)
            rg_text_printf(out, ",\"direction\":\"reverse\"");
        rg_text_printf(out, ",\"bias\":\"%s\"}", rg_layer_bias_text(y->bias));
    }
    rg_text_add(out, "]", 1);
}

static rg_status take_text(const char **out, rg_arena *arena, rg_json *j)
{
    rg_json_text text;
    rg_status st = rg_json_string(j, &text);
    char *copy = st ? NULL : rg_arena_get(arena, text.n + 1);
    if (!st && !copy)
        return rg_fail(j->err, RG_ENOMEM, "no memory for layers");
    if (!st)
        (void)rg_json_unescape(copy, text);
    *out = copy;
    return st;
}

static rg_status take_direction(bool *reverse, rg_json *j)
{
    rg_json_text text;
    rg_status st = rg_json_string(j, &text);
    *reverse = !st && rg_json_is(text, "reverse");
    return st || *reverse ? st : rg_json_fail(j, "a direction is \"reverse\"");
}

static rg_status take_layer(rg_layer_desc *d, rg_arena *arena, rg_json *j)
{
    bool more;
    rg_json_text key;
    int64_t layer;
    rg_status st = rg_json_expect(j, '{');
    for (size_t n = 0; !st && !(st = rg_json_more(j, n, '}', &more)) && more; n++) {
        if ((st = rg_json_string(j, &key)) || (st = rg_json_expect(j, ':')))
            return st;
        if (rg_json_is(key, "layer")) {
            if (!(st = rg_json_natural(j, &layer)) && layer > INT32_MAX)
                st = rg_json_fail(j, "a layer's number is too large");
            d->layer = st ? 0 : (int32_t)layer;
            continue;
        }
        if (rg_json_is(key, "direction")) {
            st = take_direction(&d->reverse, j);
            continue;
        }
        const char **field = rg_json_is(key, "group") ? &d->group
                           : rg_json_is(key, "kind") ? &d->kind
                           : rg_json_is(key, "torch") ? &d->torch
                           : rg_json_is(key, "bias") ? &d->bias : NULL;
        st = field ? take_text(field, arena, j)
                   : rg_json_fail(j, "a field that layers do not have");
    }
    if (!st && (!d->group || !d->kind || !d->torch || !d->bias))
        st = rg_json_fail(j, "a layer lacks group, kind, torch or bias");
    return st;
}

rg_status rg_layers_parse(const rg_layer_desc **out, size_t *n, rg_arena *arena, const char *json,
                          rg_err *err)
{
    bool more;
    size_t cap = 0;
    rg_layer_desc *list = NULL;
    rg_json j = { json, json + strlen(json), json, 0, "layers", err };
    rg_status st = rg_json_expect(&j, '[');
    *out = NULL;
    *n = 0;
    while (!st && !(st = rg_json_more(&j, *n, ']', &more)) && more) {
        if (*n == cap) {
            size_t wider = cap ? 2 * cap : 16;
            rg_layer_desc *grown = rg_arena_get(arena, wider * sizeof *grown);
            if (!grown)
                return rg_fail(err, RG_ENOMEM, "no memory for layers");
            if (cap)
                memcpy(grown, list, cap * sizeof *grown);
            list = grown;
            cap = wider;
        }
        st = take_layer(&list[(*n)++], arena, &j);
    }
    if (!st && j.at != j.end)
        st = rg_json_fail(&j, "something follows the list");
    *out = list;
    return st;
}
