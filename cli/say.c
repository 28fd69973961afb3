/* cli/say.c -- messages: who speaks, what a terminal may see, how loud; lines of results. */
#define _POSIX_C_SOURCE 200809L
#include "cli/cli.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 2048 };

static struct { char command[32]; bool quiet, verbose, color; } speaker;
void (*say_before)(void);

int exit_code(rg_status status)
{
    switch (status) {
    case RG_OK:
        return DONE;
    case RG_EARG: case RG_ELIMIT: case RG_ESHAPE: case RG_EDTYPE:
        return USAGE;
    case RG_EFORMAT: case RG_EVERSION: case RG_ECORRUPT: case RG_EMISMATCH: case RG_EINDEX:
        return BAD_DATA;
    case RG_ENONFINITE:
        return NUMERICAL;
    default:
        return RUN_TIME;
    }
}

/* --color wins, then NO_COLOR, CLICOLOR_FORCE, and what stderr is. */
static bool wants_color(const settings *s)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");
    if (s && s->color > 0)
        return s->color == 1;
    if (no && *no)
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

void say_setup(const char *name, const settings *s)
{
    (void)snprintf(speaker.command, sizeof speaker.command, "%s", name);
    speaker.quiet = s && s->quiet;
    speaker.verbose = s && s->verbose;
    speaker.color = wants_color(s);
}

const char *printable(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c && n + 5 < size; c++) {
        unsigned char b = (unsigned char)*c;
        if (b < 0x20 || b == 0x7f)
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", b);
        else
            out[n++] = *c;
    }
    out[n] = '\0';
    return out;
}

/* One line, written by one call, so that lines of several processes do not mix. */
static void line(const char *color, const char *label, const char *format, va_list ap)
{
    char raw[LINE], clean[LINE], whole[2 * LINE];
    (void)vsnprintf(raw, sizeof raw, format, ap);
    printable(clean, sizeof clean, raw);
    int n = speaker.color && *color
        ? snprintf(whole, sizeof whole, "\033[%sm%s\033[0m%s\n", color, label, clean)
        : snprintf(whole, sizeof whole, "%s%s\n", label, clean);
    if (say_before)
        say_before();
    if (n > 0 && write(STDERR_FILENO, whole, (size_t)n) < 0)
        return; /* a closed log stops nobody */
}

int fail(int code, const char *format, ...)
{
    char label[64];
    va_list ap;
    (void)snprintf(label, sizeof label, "retrograd: %s%s", speaker.command,
                   *speaker.command ? ": " : "");
    va_start(ap, format);
    line("31", label, format, ap);
    va_end(ap);
    return code;
}

void warn(const char *format, ...)
{
    va_list ap;
    if (speaker.quiet)
        return;
    va_start(ap, format);
    line("33", "warning: ", format, ap);
    va_end(ap);
}

void note(const char *format, ...)
{
    va_list ap;
    if (speaker.quiet)
        return;
    va_start(ap, format);
    line("", "", format, ap);
    va_end(ap);
}

void detail(const char *format, ...)
{
    va_list ap;
    if (speaker.quiet || !speaker.verbose)
        return;
    va_start(ap, format);
    line("", "", format, ap);
    va_end(ap);
}

int put_json(json_t *object, unsigned digits)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(digits)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(object);
    return text ? DONE : fail(RUN_TIME, "no memory");
}

json_t *number_json(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

int finish_output(int code, bool may_close)
{
    errno = 0;
    bool bad = fflush(stdout) != 0 || ferror(stdout);
    if (!bad || (may_close && (errno == EPIPE || errno == EBADF)))
        return code;
    return fail(code ? code : RUN_TIME, "cannot write to standard output: %s",
                errno ? strerror(errno) : "output failed");
}
