/* cli/options.h -- one table of options: parsing, help, manual page, completion and configuration
 * come from it. */
#ifndef RG_CLI_OPTIONS_H
#define RG_CLI_OPTIONS_H

#include "cli/cli.h"

typedef enum option_type {
    FLAG,    /* bool, no value */
    WHOLE,   /* int64_t */
    REAL,    /* double */
    SIZE,    /* int64_t, bytes: a number, perhaps with K, M, G or T behind it */
    CHOICE,  /* int: index into `value`, words between | */
    TEXT     /* const char * */
} option_type;

enum {
    KEPT  = 1,  /* part of a run's configuration */
    FIXED = 2,  /* and cannot change when the run is resumed */
    NONE  = 4   /* the word `none` is a value too, stored as 0 */
};

typedef struct option_spec {
    const char *name;      /* "seq-len" */
    const char *aliases;   /* what others call it; answered with a suggestion */
    char        letter;    /* of the short form, or 0 */
    option_type type;
    size_t      at;        /* in settings */
    double      lo, hi;    /* range of numbers, both ends in */
    const char *value;     /* what help calls it: "N", "FILE", or the choices */
    const char *fallback;  /* default, as typed; NULL = nothing */
    const char *group, *help;
    unsigned    commands;  /* bit per index in commands */
    unsigned    flags;
} option_spec;

extern const option_spec options[];
extern const size_t      n_options;

/* Does the row belong to the command? */
bool option_of(const option_spec *o, const command *c);
/* The command's row of that name (- and _ equal), or NULL. */
const option_spec *option_find(const command *c, const char *name, size_t length);
/* Where the command's setting of that name comes from. */
origin option_origin(const settings *s, const char *name);
/* Set from text; a usage error says what was expected. @p where names the source: "--lr". */
int option_set(settings *s, const option_spec *o, const char *text, const char *where);
/* The value as it would be typed; "" if there is none. */
const char *option_text(char *out, size_t size, const option_spec *o, const settings *s);
void settings_free(settings *s);
/* Defaults, then the command line behind the command's name. DONE or USAGE. */
int options_parse(settings *s, const command *c, int argc, char **argv);

/* Words of a choice: the i-th into out, false beyond the end. */
bool choice_word(char *out, size_t size, const char *choices, int i);
/* The nearest of the command's options to a mistyped name, or NULL; commands likewise. */
const option_spec *option_nearest(const command *c, const char *name);
const char *command_nearest(const char *name);

#endif
