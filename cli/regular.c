/* cli/regular.c -- what keeps a model from learning its data by heart, and what states it starts
 * with: options and checkpoints say it in the same words. */
#include "cli/regular.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of RG_DROP_BETWEEN, ... */
static const char *const kinds[] = { "between", "input", "recurrent", "candidate", "weight",
                                     "embedding", "output" };
static const char *const starts[] = { "carried", "zero", "learned", "random" };
enum { KINDS = sizeof kinds / sizeof *kinds, STARTS = sizeof starts / sizeof *starts };

/* "input,weight" -> bits; 0: a word is none of them. */
static unsigned kinds_of(const char *text)
{
    unsigned bits = 0;
    while (*text) {
        size_t n = strcspn(text, ","), k = 0;
        while (k < KINDS && (strlen(kinds[k]) != n || strncmp(kinds[k], text, n) != 0))
            k++;
        if (k == KINDS)
            return 0;
        bits |= 1u << k;
        text += n + (text[n] == ',');
    }
    return bits;
}

static void kinds_text(char out[96], unsigned bits)
{
    size_t n = 0;
    out[0] = 0;
    for (size_t k = 0; k < KINDS; k++)
        if (bits & 1u << k)
            n += (size_t)snprintf(out + n, 96 - n, "%s%s", n ? "," : "", kinds[k]);
}

/* "0.1" for both, "0.1,0.5" for the first state and the others. */
static bool shares_of(double p[2], const char *text)
{
    char *end;
    p[0] = p[1] = strtod(text, &end);
    bool ok = end != text;
    if (ok && *end == ',') {
        text = end + 1;
        p[1] = strtod(text, &end);
        ok = end != text;
    }
    return ok && !*end && p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1;
}

/* Kinds of dropout that this model has nothing for. */
static void check_kinds(const settings *s, unsigned bits, bool numbers)
{
    const unsigned idle = (s->layers == 1 ? RG_DROP_BETWEEN : 0) |
                          (numbers ? RG_DROP_EMBEDDING : 0);
    if (s->dropout > 0 && (bits & ~idle) == 0)
        warn("--dropout-kind %s drops nothing %s", s->dropout_kind,
             bits & RG_DROP_EMBEDDING ? "of inputs that are numbers" : "with one layer");
}

int regular_read(regular r, const settings *s, size_t states, bool numbers)
{
    *r.dropout = s->dropout;
    *r.start = (rg_start)s->h0;
    *r.kinds = kinds_of(s->dropout_kind ? s->dropout_kind : "between,output");
    if (!*r.kinds)
        return fail(USAGE, "--dropout-kind %s: some of between, input, recurrent, candidate, "
                    "weight, embedding, output, with commas", s->dropout_kind);
    if (s->zoneout && !shares_of(r.zoneout, s->zoneout))
        return fail(USAGE, "--zoneout %s: a share from 0 to 1, or two with a comma, for h and c",
                    s->zoneout);
    if (states < 2 && s->zoneout && strchr(s->zoneout, ','))
        return fail(USAGE, "--zoneout %s: the cell has one state, so one share", s->zoneout);
    if (states < 2)
        r.zoneout[1] = 0;
    check_kinds(s, *r.kinds, numbers);
    return DONE;
}

int regular_describe(json_t *o, regular r)
{
    char text[96];
    kinds_text(text, *r.kinds);
    return json_object_set_new(o, "dropout_kind", json_string(text)) ||
           json_object_set_new(o, "zoneout", json_pack("[f,f]", r.zoneout[0], r.zoneout[1])) ||
           json_object_set_new(o, "h0", json_string(starts[*r.start]));
}

/* What an older checkpoint does not name is as it was then. */
bool regular_recall(regular r, json_t *o)
{
    const char *kind = "between,output", *h0 = "carried";
    size_t k = 0;
    if (json_unpack(o, "{s?s, s?[F,F], s?s}", "dropout_kind", &kind, "zoneout", &r.zoneout[0],
                    &r.zoneout[1], "h0", &h0))
        return false;
    while (k < STARTS && strcmp(starts[k], h0) != 0)
        k++;
    *r.start = (rg_start)k;
    *r.kinds = kinds_of(kind);
    return k < STARTS && *r.kinds && r.zoneout[0] >= 0 && r.zoneout[0] <= 1 &&
           r.zoneout[1] >= 0 && r.zoneout[1] <= 1;
}
