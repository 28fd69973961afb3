/* io/json.c -- cursor and writer of json.h. */
#include "io/json.h"

#include <stdio.h>
#include <string.h>

rg_status rg_json_fail(const rg_json *j, const char *what)
{
    return rg_fail(j->err, RG_EFORMAT, "byte %zu: %s%s%s", j->base + (size_t)(j->at - j->begin),
                   j->field ? j->field : "", j->field ? ": " : "", what);
}

void rg_json_skip(rg_json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

bool rg_json_next(rg_json *j, char c)
{
    rg_json_skip(j);
    if (j->at == j->end || *j->at != c)
        return false;
    j->at++;
    return true;
}

rg_status rg_json_expect(rg_json *j, char c)
{
    char what[] = "'?' is missing";
    what[1] = c;
    return rg_json_next(j, c) ? RG_OK : rg_json_fail(j, what);
}

rg_status rg_json_more(rg_json *j, size_t n, char close, bool *more)
{
    *more = !rg_json_next(j, close);
    return *more && n > 0 ? rg_json_expect(j, ',') : RG_OK;
}

rg_status rg_json_natural(rg_json *j, int64_t *out)
{
    const char *bad = "a decimal integer without sign or leading zero is missing";
    int64_t x = 0;
    rg_json_skip(j);
    const char *from = j->at;
    for (; j->at < j->end && *j->at >= '0' && *j->at <= '9'; j->at++)
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, *j->at - '0', &x))
            return rg_json_fail(j, "an integer of 2^63 or more");
    if (j->at == from || (*from == '0' && j->at - from > 1) ||
        (j->at < j->end && (*j->at == '.' || *j->at == 'e' || *j->at == 'E')))
        return rg_json_fail(j, bad);
    *out = x;
    return RG_OK;
}

/* ---- Strings -------------------------------------------------------------------------------- */

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *at, const char *end)
{
    int32_t x = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        x = x * 16 + digit;
    }
    return x;
}

/* The code point of the escape whose backslash is at *at, past which *at moves; -1: there is no
 * such escape. Half a surrogate pair is none. */
static int32_t take_escape(const char **at, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *c = *at + 1, *named;
    if (c == end)
        return -1;
    if (*c != 'u') {
        named = memchr(from, *c, sizeof from - 1);
        *at = c + 1;
        return named ? to[named - from] : -1;
    }
    int32_t x = hex4(c + 1, end), low;
    if (x < 0)
        return -1;
    *at = c + 5;
    if (x < 0xd800 || x > 0xdfff)
        return x;
    if (x > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
        (low = hex4(*at + 2, end)) < 0xdc00 || low > 0xdfff)
        return -1;
    *at += 6;
    return 0x10000 + (x - 0xd800) * 0x400 + (low - 0xdc00);
}

rg_status rg_json_string(rg_json *j, rg_json_text *out)
{
    rg_json_skip(j);
    if (j->at == j->end || *j->at != '"')
        return rg_json_fail(j, "a string is missing");
    const char *c = j->at + 1;
    out->at = c;
    while (c < j->end && *c != '"') {
        const char *from = c;
        if ((unsigned char)*c < 0x20) {
            j->at = c;
            return rg_json_fail(j, "a control character in a string");
        }
        if (*c != '\\') {
            c++;
        } else if (take_escape(&c, j->end) < 0) {
            j->at = from;
            return rg_json_fail(j, "an escape that JSON does not have");
        }
    }
    if (c >= j->end)
        return rg_json_fail(j, "a string without end");
    out->n = (size_t)(c - out->at);
    j->at = c + 1;
    return RG_OK;
}

static size_t put_utf8(char *out, int32_t x)
{
    if (x < 0x80) {
        out[0] = (char)x;
        return 1;
    }
    size_t n = x < 0x800 ? 2 : x < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, x >>= 6)
        out[i] = (char)(0x80 | (x & 0x3f));
    out[0] = (char)(((0xf0 << (4 - n)) & 0xff) | x);
    return n;
}

size_t rg_json_unescape(char *out, rg_json_text text)
{
    const char *c = text.at, *end = text.at + text.n;
    size_t n = 0;
    while (c < end)
        if (*c == '\\')
            n += put_utf8(out + n, take_escape(&c, end));
        else
            out[n++] = *c++;
    return n;
}

bool rg_json_is(rg_json_text text, const char *word)
{
    char plain[6 * 31];
    size_t n = strlen(word);
    if (text.n < n || text.n > 6 * n || text.n > sizeof plain)
        return false;
    return rg_json_unescape(plain, text) == n && memcmp(plain, word, n) == 0;
}

/* ---- Writing -------------------------------------------------------------------------------- */

void rg_text_add(rg_text *t, const char *data, size_t n)
{
    if (t->failed || n == 0)
        return;
    if (n > SIZE_MAX - t->n || !rg_reserve(&t->alloc, &t->data, &t->cap, t->n + n, 1)) {
        t->failed = true;
        return;
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
}

void rg_text_printf(rg_text *t, const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n > 0)
        rg_text_add(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void rg_text_add_json(rg_text *t, const char *string)
{
    rg_text_add(t, "\"", 1);
    for (const char *c = string; *c;) {
        size_t plain = 0;
        while ((unsigned char)c[plain] >= 0x20 && c[plain] != '"' && c[plain] != '\\')
            plain++;
        rg_text_add(t, c, plain);
        c += plain;
        if (*c == '"' || *c == '\\')
            rg_text_printf(t, "\\%c", *c++);
        else if (*c)
            rg_text_printf(t, "\\u%04x", (unsigned)*c++);
    }
    rg_text_add(t, "\"", 1);
}

void rg_text_free(rg_text *t)
{
    rg_release(&t->alloc, t->data, t->cap);
    t->data = NULL;
    t->n = t->cap = 0;
}
