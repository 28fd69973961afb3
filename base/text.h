/* base/text.h -- text to a caller's writer; real numbers the same in every locale. */
#ifndef RG_BASE_TEXT_H
#define RG_BASE_TEXT_H

#include <retrograd/base.h>

/* Where printed text goes. Every rg_..._print makes one. */
typedef struct rg_out {
    rg_write_fn *write;
    void        *user;
} rg_out;

/* At most 1023 bytes a call; no floating-point conversions (rg_number does those). */
void rg_out_printf(const rg_out *out, const char *format, ...) RG_PRINTF(2, 3);

enum { RG_NUMBER_TEXT = 32 };
/* A real number with so many significant digits, as %g prints it in the C locale; returns text. */
const char *rg_number(char text[RG_NUMBER_TEXT], double x, int digits);
/* The whole of @p text as a real number, decimal point in every locale; false: it is none. Hex,
 * "inf" and "nan" are none. */
bool rg_number_parse(const char *text, double *out);
/* How many bytes at the start of @p text are well-formed UTF-8; n if all are. */
size_t rg_utf8_prefix(const char *text, size_t n);
/* Columns on a terminal: characters, but for combining marks of U+0300 .. U+036F. */
int rg_text_columns(const char *text);
/* Well-formed UTF-8? (Shortest forms, no surrogates, at most U+10FFFF.) */
bool rg_is_utf8(const char *text);

#endif
