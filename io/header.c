/* io/header.c -- the header of a safetensors file: a JSON object of known shape.
 *
 *     {"__metadata__":{"key":"value",...},
 *      "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, ...}      then spaces only */
#include "io/tensors.h"

#include "base/checked.h"
#include "base/text.h"
#include "graph/params.h"
#include "io/crc.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

/* Read in place: first every string stays as it is (the checksum is of these bytes), then names,
 * keys and values are unescaped where they stand. */

const rg_file_type rg_file_types[] = {
    { "F32", 4, RG_F32 }, { "F64", 8, RG_F64 }, { "I32", 4, RG_I32 }, { "I64", 8, RG_I64 },
    { "U8", 1, RG_U8 }, { "BOOL", 1, RG_U8 }, { "F16", 2, -1 }, { "BF16", 2, -1 },
    { "I8", 1, -1 }, { "I16", 2, -1 }, { "U16", 2, -1 }, { "U32", 4, -1 }, { "U64", 8, -1 },
    { "F8_E5M2", 1, -1 }, { "F8_E4M3", 1, -1 }, { "F8_E8M0", 1, -1 }, { "C64", 8, -1 },
    { NULL, 0, -1 }
};

const rg_file_type *rg_file_type_of(rg_dtype dtype)
{
    const rg_file_type *t = rg_file_types;
    while (t->name && t->store != (int)dtype)
        t++;
    return t;
}

static rg_status take_type(rg_json *j, rg_tensor *t)
{
    rg_json_text text;
    rg_status st = rg_json_string(j, &text);
    if (st)
        return st;
    for (t->type = rg_file_types; t->type->name; t->type++)
        if (rg_json_is(text, t->type->name))
            return RG_OK;
    return rg_json_fail(j, "an unknown element type");
}

static rg_status take_shape(rg_json *j, rg_tensor *t)
{
    bool more;
    rg_status st = rg_json_expect(j, '[');
    t->shape = RG_SCALAR;
    while (!st && !(st = rg_json_more(j, (size_t)t->shape.rank, ']', &more)) && more) {
        if (t->shape.rank == RG_MAX_RANK)
            return rg_fail(j->err, RG_ELIMIT, "byte %zu: shape: more than %d axes",
                           j->base + (size_t)(j->at - j->begin), RG_MAX_RANK);
        st = rg_json_natural(j, &t->shape.dim[t->shape.rank]);
        t->shape.rank += st == RG_OK;
    }
    return st;
}

static rg_status take_offsets(rg_json *j, rg_tensor *t)
{
    int64_t begin, end;
    rg_status st;
    if ((st = rg_json_expect(j, '[')) || (st = rg_json_natural(j, &begin)) ||
        (st = rg_json_expect(j, ',')) || (st = rg_json_natural(j, &end)) ||
        (st = rg_json_expect(j, ']')))
        return st;
    if (begin > end)
        return rg_json_fail(j, "begin is after end");
    t->begin = (size_t)begin;
    t->bytes = (size_t)(end - begin);
    return RG_OK;
}

/* Type, shape and extent of one array agree. */
static rg_status check_size(rg_json *j, const rg_tensor *t)
{
    int64_t count;
    size_t bytes;
    j->field = "shape";
    if (rg_numel(&t->shape, &count) || rg_bytes(count, t->type->item, &bytes))
        return rg_fail(j->err, RG_ELIMIT, "byte %zu: shape: the array is too large",
                       j->base + (size_t)(j->at - j->begin));
    j->field = "data_offsets";
    if (bytes != t->bytes)
        return rg_json_fail(j, "not as many bytes as type and shape need");
    j->field = NULL;
    return RG_OK;
}

static rg_status take_tensor(rg_json *j, rg_tensor *t)
{
    static const char *const fields[] = { "dtype", "shape", "data_offsets" };
    rg_status (*const take[])(rg_json *, rg_tensor *) = { take_type, take_shape, take_offsets };
    bool more, have[3] = { false, false, false };
    rg_json_text key;
    rg_status st = rg_json_expect(j, '{');
    for (size_t n = 0; !st && !(st = rg_json_more(j, n, '}', &more)) && more; n++) {
        int i = 0;
        if ((st = rg_json_string(j, &key)) || (st = rg_json_expect(j, ':')))
            return st;
        while (i < 3 && !rg_json_is(key, fields[i]))
            i++;
        if (i == 3 || have[i])
            return rg_json_fail(j, i == 3 ? "a field that arrays do not have" : "a field twice");
        have[i] = true;
        j->field = fields[i];
        st = take[i](j, t);
        j->field = NULL;
    }
    for (int i = 0; !st && i < 3; i++)
        if (!have[i]) {
            j->field = fields[i];
            return rg_json_fail(j, "this field is missing");
        }
    return st ? st : check_size(j, t);
}

static rg_status no_memory(rg_tensors *f)
{
    return rg_fail(f->err, RG_ENOMEM, "no memory for the header");
}

static rg_status take_meta(rg_tensors *f, rg_json *j)
{
    bool more;
    rg_json_text key, value;
    rg_status st = rg_json_expect(j, '{');
    j->field = "__metadata__";
    while (!st && !(st = rg_json_more(j, f->n_meta, '}', &more)) && more) {
        if ((st = rg_json_string(j, &key)) || (st = rg_json_expect(j, ':')) ||
            (st = rg_json_string(j, &value)))
            return st;
        if (!rg_reserve(&f->alloc, &f->meta, &f->meta_cap, f->n_meta + 1, sizeof *f->meta))
            return no_memory(f);
        f->meta[f->n_meta++] = (rg_meta){ key.at, value.at, key.n, value.n };
    }
    j->field = NULL;
    return st;
}

/* Put the name of the array that is wrong in front of what is wrong. */
static rg_status blame(rg_tensors *f, rg_json_text name, rg_status st)
{
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 2];
    (void)snprintf(prefix, sizeof prefix, "'%s'", rg_quoted(quoted, name.at, name.n));
    rg_err_prefix(f->err, prefix);
    return st;
}

static rg_status take_entries(rg_tensors *f, rg_json *j)
{
    bool more, meta = false;
    rg_json_text name;
    rg_status st = rg_json_expect(j, '{');
    for (size_t n = 0; !st && !(st = rg_json_more(j, n, '}', &more)) && more; n++) {
        if ((st = rg_json_string(j, &name)) || (st = rg_json_expect(j, ':')))
            return st;
        if (rg_json_is(name, "__metadata__")) {
            if (meta)
                return rg_json_fail(j, "__metadata__ twice");
            meta = true;
            st = take_meta(f, j);
            continue;
        }
        if (f->n == RG_MAX_TENSORS)
            return rg_fail(f->err, RG_ELIMIT, "more than %d arrays", RG_MAX_TENSORS);
        if (!rg_reserve(&f->alloc, &f->tensor, &f->cap, f->n + 1, sizeof *f->tensor))
            return no_memory(f);
        rg_tensor *t = &f->tensor[f->n++];
        t->name = name.at;
        t->name_bytes = name.n;
        if ((st = take_tensor(j, t)))
            return blame(f, name, st);
    }
    return st;
}

/* The checksum of the header, its own eight digits counted as zeros, is what they say. */
static rg_status check_crc(rg_tensors *f)
{
    enum { DIGITS = 8 };
    static const char zeros[] = "00000000";
    char digits[DIGITS + 1];
    rg_crc *crc;
    for (size_t i = 0; i < f->n_meta; i++) {
        rg_meta *m = &f->meta[i];
        if (!rg_json_is((rg_json_text){ m->key, m->key_bytes }, RG_KEY_HEADER))
            continue;
        if (!(crc = rg_get(&f->alloc, sizeof *crc)))
            return no_memory(f);
        rg_crc_init(crc, RG_CRC32C);
        size_t at = (size_t)(m->value - f->header), n = m->value_bytes == DIGITS ? DIGITS : 0;
        uint32_t sum = rg_crc_add(crc, 0, f->header, at);
        sum = rg_crc_add(crc, sum, zeros, n);
        sum = rg_crc_add(crc, sum, f->header + at + n, f->header_bytes - at - n);
        rg_release(&f->alloc, crc, sizeof *crc);
        (void)snprintf(digits, sizeof digits, "%08lx", (unsigned long)sum);
        if (n == 0 || memcmp(digits, m->value, DIGITS) != 0)
            return rg_fail(f->err, RG_ECORRUPT, "the header is damaged: its checksum is wrong");
    }
    return RG_OK;
}

/* Unescape a string of the header where it stands, and end it. */
static void settle(rg_tensors *f, const char **text, size_t *n)
{
    char *at = f->header + (*text - f->header);
    *n = rg_json_unescape(at, (rg_json_text){ at, *n });
    at[*n] = '\0';
}

rg_status rg_header_parse(rg_tensors *f)
{
    rg_json j = { f->header, f->header + f->header_bytes, f->header, 8, NULL, f->err };
    rg_status st;
    if (*j.at != '{')
        return rg_json_fail(&j, "the header does not begin with '{'");
    j.at += rg_utf8_prefix(f->header, f->header_bytes);
    if (j.at != j.end)
        return rg_json_fail(&j, "the header is not UTF-8");
    j.at = j.begin;
    if ((st = take_entries(f, &j)))
        return st;
    while (j.at < j.end && *j.at == ' ')
        j.at++;
    if (j.at < j.end)
        return rg_json_fail(&j, "something other than spaces follows the header");
    if ((st = check_crc(f)))
        return st;
    for (size_t i = 0; i < f->n; i++) {
        settle(f, &f->tensor[i].name, &f->tensor[i].name_bytes);
        if (f->tensor[i].name_bytes > RG_NAME_BYTES)
            return blame(f, (rg_json_text){ f->tensor[i].name, f->tensor[i].name_bytes },
                         rg_fail(f->err, RG_ELIMIT, "a name of %zu bytes, more than %d",
                                 f->tensor[i].name_bytes, RG_NAME_BYTES));
    }
    for (size_t i = 0; i < f->n_meta; i++) {
        settle(f, &f->meta[i].key, &f->meta[i].key_bytes);
        settle(f, &f->meta[i].value, &f->meta[i].value_bytes);
    }
    return RG_OK;
}
