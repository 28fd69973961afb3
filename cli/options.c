/* cli/options.c -- the command line by the table: whole words, whole numbers, one value each. */
#define _POSIX_C_SOURCE 200809L
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool option_of(const option_spec *o, const command *c)
{
    return o->commands >> (c - commands) & 1;
}

/* Names are equal up to - and _. */
static bool same_name(const char *name, size_t length, const char *want)
{
    size_t i = 0;
    for (; i < length && want[i]; i++)
        if (name[i] != want[i] && !(name[i] == '_' && want[i] == '-'))
            return false;
    return i == length && !want[i];
}

const option_spec *option_find(const command *c, const char *name, size_t length)
{
    for (size_t i = 0; i < n_options; i++)
        if (option_of(&options[i], c) && same_name(name, length, options[i].name))
            return &options[i];
    return NULL;
}

origin option_origin(const settings *s, const char *name)
{
    const option_spec *o = option_find(s->command, name, strlen(name));
    return o ? s->from[o - options] : FROM_DEFAULT;
}

bool choice_word(char *out, size_t size, const char *choices, int i)
{
    for (; i > 0 && choices; i--) {
        choices = strchr(choices, '|');
        choices = choices ? choices + 1 : NULL;
    }
    if (!choices || !*choices)
        return false;
    (void)snprintf(out, size, "%.*s", (int)strcspn(choices, "|"), choices);
    return true;
}

/* ---- Values --------------------------------------------------------------------------------- */

static void *field(settings *s, const option_spec *o)
{
    return (char *)s + o->at;
}

/* The whole of the text as a decimal number; the program keeps the C locale, so its point. */
static bool real_number(const char *text, double *x)
{
    char *end;
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    errno = 0;
    *x = strtod(text, &end);
    return !*end && end != text && isfinite(*x) && errno != ERANGE;
}

static bool whole_number(const char *text, double lo, double hi, int64_t *n)
{
    char *end;
    if (!*text || strspn(text, "+-0123456789") != strlen(text))
        return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*end || end == text || errno || (double)v < lo || (double)v > hi)
        return false;
    *n = v;
    return true;
}

/* Bytes: "800000", "640K", "1.5G"; a letter counts 1024s, and may go on as KiB, MB, ... */
static int set_size(int64_t *out, const char *text, const char *where)
{
    static const char letters[] = "KMGT";
    const size_t n = strspn(text, ".0123456789");
    const char *letter = memchr(letters, text[n] & ~0x20, sizeof letters - 1);
    const char *rest = text + n + (letter != NULL);
    char number[32];
    double x = 0;
    (void)snprintf(number, sizeof number, "%.*s", (int)n, text);
    const bool good = n < sizeof number && real_number(number, &x) &&
                      (!*rest || strcmp(rest, "B") == 0 || (letter && strcmp(rest, "iB") == 0));
    for (; letter && letter >= letters; letter--)
        x *= 1024;
    if (!good || x < 1 || x > 0x1p50)
        return fail(USAGE, "%s: '%s' is no size such as 64M or 1.5G", where, text);
    *out = (int64_t)x;
    return DONE;
}

static int set_choice(int *out, const option_spec *o, const char *text, const char *where)
{
    char word[64];
    for (int i = 0; choice_word(word, sizeof word, o->value, i); i++)
        if (strcasecmp(word, text) == 0) {
            *out = i;
            return DONE;
        }
    return fail(USAGE, "%s: '%s' is none of %s", where, text, o->value);
}

static int set_number(settings *s, const option_spec *o, const char *text, const char *where)
{
    double x = 0;
    const char *none = o->flags & NONE ? ", or none" : "";
    if (o->type == WHOLE) {
        if (whole_number(text, o->lo, o->hi, field(s, o)))
            return DONE;
        return fail(USAGE, "%s: '%s' is no whole number from %.0f to %.0f%s", where, text, o->lo,
                    o->hi, none);
    }
    if (none[0] && strcmp(text, "none") == 0) {
        *(double *)field(s, o) = 0;
        return DONE;
    }
    if (!real_number(text, &x) || x < o->lo || x > o->hi)
        return fail(USAGE, "%s: '%s' is no number from %g to %g%s", where, text, o->lo, o->hi,
                    none);
    *(double *)field(s, o) = x;
    return DONE;
}

int option_set(settings *s, const option_spec *o, const char *text, const char *where)
{
    switch (o->type) {
    case FLAG:
        *(bool *)field(s, o) = true;
        return DONE;
    case SIZE:
        return set_size(field(s, o), text, where);
    case CHOICE:
        return set_choice(field(s, o), o, text, where);
    case TEXT:
        if (!*text && strcmp(o->name, "prime") != 0)
            return fail(USAGE, "%s: the value is empty", where);
        *(const char **)field(s, o) = text;
        return DONE;
    default:
        return set_number(s, o, text, where);
    }
}

const char *option_text(char *out, size_t size, const option_spec *o, const settings *s)
{
    const void *at = (const char *)s + o->at;
    out[0] = '\0';
    switch (o->type) {
    case FLAG:
        (void)snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
        break;
    case WHOLE: case SIZE:
        (void)snprintf(out, size, "%lld", (long long)*(const int64_t *)at);
        break;
    case REAL:
        if (o->flags & NONE && *(const double *)at == 0)
            (void)snprintf(out, size, "none");
        else
            (void)snprintf(out, size, "%.17g", *(const double *)at);
        break;
    case CHOICE:
        (void)choice_word(out, size, o->value, *(const int *)at);
        break;
    case TEXT:
        if (*(const char *const *)at)
            (void)snprintf(out, size, "%s", *(const char *const *)at);
        break;
    }
    return out;
}

/* ---- Suggestions ---------------------------------------------------------------------------- */

/* Edit distance: insertions, deletions, changes, swaps of neighbours; names up to 31 bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t d[32][32], n = strlen(a), m = strlen(b);
    if (n > 31 || m > 31)
        return 99;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

static bool listed(const char *words, const char *name)
{
    size_t n = strlen(name);
    for (const char *w = words; *w; w += strspn(w, " ")) {
        size_t k = strcspn(w, " ");
        if (k == n && strncmp(w, name, n) == 0)
            return true;
        w += k;
    }
    return false;
}

const option_spec *option_nearest(const command *c, const char *name)
{
    const option_spec *best = NULL;
    char plain[32];
    size_t least = 4, n = 0;
    for (; name[n] && name[n] != '=' && n < sizeof plain - 1; n++)
        plain[n] = name[n] == '_' ? '-' : name[n];
    plain[n] = '\0';
    for (size_t i = 0; i < n_options; i++) {
        if (!option_of(&options[i], c))
            continue;
        bool begins = n > 1 && strncmp(options[i].name, plain, n) == 0;
        if (begins || listed(options[i].aliases, plain))
            return &options[i];
        size_t d = distance(plain, options[i].name);
        if (d < least && d < n) {
            least = d;
            best = &options[i];
        }
    }
    return best;
}

const char *command_nearest(const char *name)
{
    const char *best = NULL;
    size_t least = 4;
    for (size_t i = 0; i < n_commands; i++) {
        size_t d = distance(name, commands[i].name);
        if (d < least && d < strlen(name)) {
            least = d;
            best = commands[i].name;
        }
    }
    return best;
}

/* ---- The line ------------------------------------------------------------------------------- */

static int unknown(const command *c, const char *arg)
{
    const option_spec *near = option_nearest(c, arg + strspn(arg, "-"));
    if (near)
        return fail(USAGE, "unknown option %s; did you mean --%s?", arg, near->name);
    return fail(USAGE, "unknown option %s (retrograd %s --help lists them)", arg, c->name);
}

/* One option, its value perhaps being the next word. */
static int take(settings *s, const option_spec *o, const char *equals, int argc, char **argv,
                int *i)
{
    char where[64];
    const char *value = equals ? equals + 1 : NULL;
    (void)snprintf(where, sizeof where, "--%s", o->name);
    if (s->from[o - options] == FROM_LINE)
        return fail(USAGE, "%s is given twice", where);
    s->from[o - options] = FROM_LINE;
    if (o->type == FLAG && value)
        return fail(USAGE, "%s takes no value", where);
    if (o->type != FLAG && !value) {
        if (*i + 1 >= argc)
            return fail(USAGE, "%s needs a value: %s", where, o->value);
        value = argv[++*i];
        if (value[0] == '-' && value[1])
            return fail(USAGE, "%s needs a value; one that begins with '-' is written %s=%s", where,
                        where, value);
    }
    return option_set(s, o, value, where);
}

static const option_spec *by_letter(const command *c, const char *arg)
{
    for (size_t i = 0; i < n_options; i++)
        if (option_of(&options[i], c) && options[i].letter == arg[1] && !arg[2])
            return &options[i];
    return NULL;
}

static int operand(settings *s, const command *c, const char *text, size_t *n)
{
    if (!*c->operands || *n >= MAX_OPERANDS)
        return fail(USAGE, "unexpected word '%s'", text);
    if (!*text)
        return fail(USAGE, "%s is empty", c->operands);
    s->operand[(*n)++] = text;
    return DONE;
}

static int scan(settings *s, const command *c, int argc, char **argv)
{
    size_t n = 0;
    bool only_operands = false;
    for (int i = 0, code = DONE; i < argc; i++) {
        const char *arg = argv[i], *equals = strchr(arg, '=');
        const option_spec *o = NULL;
        if (only_operands || arg[0] != '-' || !arg[1]) {
            code = operand(s, c, arg, &n);
        } else if (strcmp(arg, "--") == 0) {
            only_operands = true;
        } else {
            if (arg[1] == '-')
                o = option_find(c, arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
            else
                o = by_letter(c, arg);
            code = o ? take(s, o, equals, argc, argv, &i) : unknown(c, arg);
        }
        if (code)
            return code;
    }
    return DONE;
}

void settings_free(settings *s)
{
    for (size_t i = 0; i < n_options; i++)
        free(s->kept[i]);
}

int options_parse(settings *s, const command *c, int argc, char **argv)
{
    s->command = c;
    for (size_t i = 0; i < n_options; i++)
        if (option_of(&options[i], c) && options[i].fallback)
            (void)option_set(s, &options[i], options[i].fallback, options[i].name);
    int code = scan(s, c, argc, argv);
    if (code == DONE && !s->help && c->operand_needed && !s->operand[0])
        code = fail(USAGE, "%s is missing (retrograd %s --help)", c->operands, c->name);
    return code;
}
