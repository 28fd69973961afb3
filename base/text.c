/* base/text.c -- printing through a writer, and numbers that no locale changes. The one file of
 * base/ that needs more than C11: uselocale() and strtod_l() of POSIX and GNU. */
#define _GNU_SOURCE
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rg_out_printf(const rg_out *out, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n > 0 && out->write)
        out->write(out->user, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

const char *rg_number(char text[RG_NUMBER_TEXT], double x, int digits)
{
    if (isnan(x) || isinf(x)) {
        (void)snprintf(text, RG_NUMBER_TEXT, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return text;
    }
    (void)snprintf(text, RG_NUMBER_TEXT, "%.*g", digits < 1 ? 1 : digits > 17 ? 17 : digits, x);
    /* what a locale may have put for the point: the one byte run that %g never writes itself */
    char *c = text + strspn(text, "-+0123456789");
    if (*c && *c != '.' && *c != 'e') {
        size_t odd = strcspn(c, "-+0123456789e");
        *c = '.';
        memmove(c + 1, c + odd, strlen(c + odd) + 1);
    }
    return text;
}

bool rg_number_parse(const char *text, double *out)
{
    char *end;
    size_t n = strlen(text);
    if (n == 0 || strspn(text, "+-.0123456789eE") != n)
        return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    double x = strtod_l(text, &end, c);
    freelocale(c);
    if (*end || end == text || !isfinite(x))
        return false;
    *out = x;
    return true;
}

/* Bytes that follow this first byte, and the range of the first of them; -1: no first byte. */
static int utf8_tail(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    *high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (c < 0x80)
        return 0;
    if (c < 0xc2 || c > 0xf4)
        return -1;
    return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

size_t rg_utf8_prefix(const char *text, size_t n)
{
    unsigned char low, high;
    for (size_t i = 0; i < n;) {
        const unsigned char *c = (const unsigned char *)text + i;
        int tail = utf8_tail(*c, &low, &high);
        if (tail < 0 || (size_t)tail >= n - i)
            return i;
        for (int k = 1; k <= tail; k++, low = 0x80, high = 0xbf)
            if (c[k] < low || c[k] > high)
                return i;
        i += (size_t)tail + 1;
    }
    return n;
}

bool rg_is_utf8(const char *text)
{
    size_t n = strlen(text);
    return rg_utf8_prefix(text, n) == n;
}

/* Bytes that begin a character; those marks begin with 0xcc and 0xcd. */
int rg_text_columns(const char *text)
{
    int n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        n += (c & 0xc0) != 0x80 && c != 0xcc && c != 0xcd;
    }
    return n;
}
