/* io/json.h -- the subset of JSON that our files use, read by cursor and written to a buffer.
 *
 * The reader never builds a tree: a header of a million arrays then costs its own size and no more,
 * and every complaint has a byte offset. Nothing nests but by the callers' own grammar. */
#ifndef RG_IO_JSON_H
#define RG_IO_JSON_H

#include "base/error.h"
#include "base/memory.h"

typedef struct rg_json {
    const char *at, *end;
    const char *begin;
    size_t      base;   /* offset of begin in the file */
    const char *field;  /* what is being read, for messages; NULL = nothing in particular */
    rg_err     *err;
} rg_json;

/* A string as it stands between its quotes, escapes and all, known to be well formed. */
typedef struct rg_json_text {
    const char *at;
    size_t      n;
} rg_json_text;

/* RG_EFORMAT "byte 57: field: what", at the cursor. */
rg_status rg_json_fail(const rg_json *j, const char *what);
void rg_json_skip(rg_json *j); /* blanks */
/* Skips blanks; takes c if it is next. */
bool rg_json_next(rg_json *j, char c);
/* c must be next. */
rg_status rg_json_expect(rg_json *j, char c);
rg_status rg_json_string(rg_json *j, rg_json_text *out);
/* A decimal integer below 2^63 without sign, leading zero, point or exponent. */
rg_status rg_json_natural(rg_json *j, int64_t *out);
/* In a list or object whose items so far are @p n: more = another item follows (after the comma),
 * else @p close has been taken. */
rg_status rg_json_more(rg_json *j, size_t n, char close, bool *more);

/* What the text means, to @p out, which may be text.at itself; at most text.n bytes, not
 * terminated. Returns their number. */
size_t rg_json_unescape(char *out, rg_json_text text);
/* Does it mean @p word, of at most 31 bytes? */
bool rg_json_is(rg_json_text text, const char *word);

/* Text that grows; after the first allocation that failed it stays as it is. */
typedef struct rg_text {
    rg_alloc alloc;
    char    *data;
    size_t   n, cap;
    bool     failed;
} rg_text;

void rg_text_add(rg_text *t, const char *data, size_t n);
/* The string as JSON, in quotes. */
void rg_text_add_json(rg_text *t, const char *string);
/* At most 255 bytes, no floating point. */
void rg_text_printf(rg_text *t, const char *format, ...) RG_PRINTF(2, 3);
void rg_text_free(rg_text *t);

#endif
