/* cli/cli.h -- what the subcommands share: exit codes, settings, messages, output. */
#ifndef RG_CLI_H
#define RG_CLI_H

#include <retrograd/retrograd.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program ends with; a signal n that stopped it makes 128 + n. */
enum {
    DONE      = 0,
    RUN_TIME  = 1,  /* input, output, memory */
    USAGE     = 2,  /* options, configuration */
    BAD_DATA  = 3,  /* a text or file that is not what it should be */
    NUMERICAL = 4   /* diverged; a gradient that is not proven right */
};
/* For a status of the library. */
int exit_code(rg_status status);

enum { MAX_OPERANDS = 1, MAX_OPTIONS = 192 };

/* Where a setting comes from; the larger wins. */
typedef enum origin { FROM_DEFAULT, FROM_CONFIG, FROM_LINE } origin;

/* Everything that can be set on the command line; the table in table.c says how. */
typedef struct settings {
    const struct command *command;
    origin      from[MAX_OPTIONS];   /* by row of the table */
    char       *kept[MAX_OPTIONS];   /* texts from a configuration; settings_free() frees them */
    const char *operand[MAX_OPERANDS];
    int         argc;
    char      **argv;
    /* data */
    int         task;
    const char *data, *valid, *test, *input_column, *label_column, *labels, *test_labels;
    int         units, label_units, split;
    const char *vocab;
    int64_t     vocab_size, min_count;
    int64_t     horizon;
    bool        bytes;
    int         part;
    /* model */
    int         cell, dtype;
    int64_t     hidden, layers, embed, proj, bound_lag, input, symbols;
    double      dropout;
    const char *dropout_kind, *zoneout;
    int         h0;
    bool        bidirectional, no_bridge, freeze;
    int         readout, attention;
    int64_t     decoder, beam;
    double      scheduled;
    const char *embedding;
    /* training */
    int64_t     batch, seq_len, tbptt, warmup, decay_every;
    int         optimizer, schedule;
    double      lr, clip_norm, clip_value, weight_decay, decay_factor;
    int64_t     seed, threads, memory_budget;
    int64_t     epochs, steps, patience;
    double      minutes;
    /* run */
    const char *run, *resume, *config;
    bool        dump_config, dry_run;
    int64_t     log_every, eval_every, save_every, sample_length, gradflow_every;
    /* sampling, checking */
    int64_t     length, top_k, order;
    double      temperature;
    const char *prime;
    /* profiling */
    int         effort;
    const char *disable, *svg;
    /* gradient flow */
    int         probe, init;
    int64_t     draws, lag;
    bool        forget_bias_0, parameters;
    const char *gates;
    /* comparing */
    bool        quick, full;
    int         only;
    const char *cells, *out;
    int64_t     seeds, width, updates;
    /* output */
    bool        help, mdoc, quiet, verbose, json;
    int         color, progress;
} settings;

typedef struct command {
    const char *name;
    int       (*run)(settings *s);
    const char *operands;  /* "RUN" in the usage line; "" for none */
    bool        operand_needed;
    const char *summary;   /* one line */
    const char *example;   /* one command line */
    const char *about;     /* a paragraph */
} command;

extern const command commands[];
extern const size_t  n_commands;
/* Index in commands, or -1. */
int command_index(const char *name);

/* ---- Subcommands, one file each ------------------------------------------------------------ */

int train_main(settings *s);
int eval_main(settings *s);
int predict_main(settings *s);
int sample_main(settings *s);
int gradcheck_main(settings *s);
int gradflow_main(settings *s);
int profile_main(settings *s);
int data_main(settings *s);
int info_main(settings *s);
int doctor_main(settings *s);
int compare_main(settings *s);
int completion_main(settings *s);
int help_main(settings *s);
int version_main(settings *s);

/* ---- Messages (say.c): all on stderr; bytes that are no text are shown as \xNN ------------- */

/* From now on messages name this command; quiet leaves errors only. */
void say_setup(const char *name, const settings *s);
/* `retrograd: COMMAND: ...`; returns @p code. */
int  fail(int code, const char *format, ...) RG_PRINTF(2, 3);
void warn(const char *format, ...) RG_PRINTF(1, 2);
/* A line of the log. */
void note(const char *format, ...) RG_PRINTF(1, 2);
/* The same, with -v only. */
void detail(const char *format, ...) RG_PRINTF(1, 2);
/* Called before a message is written: clears a progress bar. */
extern void (*say_before)(void);

/* Text with bytes that a terminal should not see as \xNN; cut to the buffer. Returns it. */
const char *printable(char *out, size_t size, const char *text);

/* ---- Results (stdout) ---------------------------------------------------------------------- */

/* A line of JSON, and the object is gone; without memory a message and RUN_TIME. Real numbers in so
 * many digits: 9 to be read, 17 to be exact. */
struct json_t;
int put_json(struct json_t *object, unsigned digits);
/* A real number; what is not finite JSON does not have: null. */
struct json_t *number_json(double x);
/* Was everything written? Else a message, and RUN_TIME. @p may_close: a closed reader is fine. */
int finish_output(int code, bool may_close);
/* info.c: how OpenBLAS runs its threads: rg_build.blas_threading in a word. */
const char *blas_name(int threading);

#endif
