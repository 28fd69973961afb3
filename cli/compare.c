/* cli/compare.c -- `retrograd compare`: cells against each other on experiments of the field. */
#define _POSIX_C_SOURCE 200809L
#include "cli/compare.h"
#include "cli/progress.h"
#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Data ----------------------------------------------------------------------------------- */

/* A file as tools/data/ puts it: in a folder of its own or not, below $RETROGRAD_DATA, build/data
 * or data. */
static bool data_file(char out[PATH_BYTES], const char *folder_name, const char *name)
{
    const char *where[] = { getenv("RETROGRAD_DATA"), "build/data", "data" };
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        if (!where[i] || !*where[i])
            continue;
        (void)snprintf(out, PATH_BYTES, "%.3900s/%s/%s", where[i], folder_name, name);
        if (file_exists(out))
            return true;
        (void)snprintf(out, PATH_BYTES, "%.3900s/%s", where[i], name);
        if (file_exists(out))
            return true;
    }
    return false;
}

static void without(comparison *c, const char *what)
{
    note("%s", what);
    const size_t n = strlen(c->why);
    (void)snprintf(c->why + n, sizeof c->why - n, "%s%s", n ? "; " : "", what);
}

static bool needs(const comparison *c, study_kind kind)
{
    return !c->s->only || c->s->only - 1 == (int)kind;
}

static int load_text(comparison *c)
{
    char path[PATH_BYTES];
    if (c->s->data)
        (void)snprintf(path, sizeof path, "%.4000s", c->s->data);
    else if (!data_file(path, "austen", "austen.txt"))
        return without(c, "no characters: tools/data/austen.py makes the text (or --data FILE)"),
               DONE;
    rg_status st = rg_corpus_load(&c->corpus, path, NULL);
    if (st)
        return fail(exit_code(st), "%s", c->corpus.message);
    const rg_span train = rg_corpus_part(&c->corpus, RG_PART_TRAIN);
    if (train.n < 32 * 50 + 1)
        return fail(BAD_DATA, "%s: %zu characters are too few (--data takes another text)", path,
                    c->corpus.n);
    return DONE;
}

static int load_digits(comparison *c)
{
    char path[PATH_BYTES];
    if (!data_file(path, "digits", "digits.csv"))
        return without(c, "no digits: tools/data/digits.py makes the file"), DONE;
    return digits_load(c, path);
}

/* ---- The command ---------------------------------------------------------------------------- */

static int open_folder(comparison *c)
{
    char trials[PATH_BYTES];
    const char *given = c->s->out;
    if (given && strlen(given) >= FOLDER_BYTES - 200)
        return fail(USAGE, "--out: the path is too long");
    (void)snprintf(c->folder, sizeof c->folder, "%s",
                   given ? given : c->depth == FULL ? "runs/compare-full" : "runs/compare-quick");
    (void)snprintf(trials, sizeof trials, "%s/trials/", c->folder);
    return folder_parents(trials, "--out");
}

static int tell(const comparison *c)
{
    int code = results_write(c);
    if (code == DONE)
        code = report_write(c);
    if (code == DONE)
        code = results_print(c);
    if (code == DONE)
        note("report  %s/report.html", c->folder);
    return code;
}

int compare_main(settings *s)
{
    if (s->quick && s->full)
        return fail(USAGE, "--quick and --full cannot be combined");
    comparison *c = calloc(1, sizeof *c);
    if (!c)
        return fail(RUN_TIME, "no memory");
    c->s = s;
    c->depth = s->full ? FULL : QUICK;
    int code = needs(c, CHARS) ? load_text(c) : DONE;
    if (code == DONE && needs(c, DIGITS))
        code = load_digits(c);
    if (code == DONE)
        code = studies_choose(c);
    if (code == DONE)
        code = open_folder(c);
    if (code == DONE) {
        signals_install();
        progress_setup(s);
        code = work_off(c);
    }
    if (code == DONE)
        code = tell(c);
    studies_free(c);
    free(c);
    return code;
}
