/* cli/train.c -- `retrograd train`: settings from line, file or run; then a session. */
#include "cli/config.h"
#include "cli/lesson.h"
#include "cli/session.h"
#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool from_line(const settings *s, const char *name)
{
    return option_origin(s, name) == FROM_LINE;
}

/* A resumed run takes its own settings; limits on the line replace its limits. */
static int take_run(session *x, settings *s)
{
    char path[PATH_BYTES];
    int code = DONE;
    if (s->run || s->config)
        return fail(USAGE, "--resume cannot be combined with --%s", s->run ? "run" : "config");
    bool limits = from_line(s, "steps") || from_line(s, "epochs") || from_line(s, "minutes");
    code = folder_open(&x->f, s->resume);
    if (code)
        return code;
    json_t *config = config_read(folder_file(path, &x->f, "config.json"), &code);
    if (!config)
        return code;
    x->horizon = (uint64_t)json_integer_value(json_object_get(config, "horizon"));
    json_t *kept = json_object_get(config, "options");
    if (limits && kept) {
        json_object_del(kept, "steps");
        json_object_del(kept, "epochs");
        json_object_del(kept, "minutes");
    }
    code = config_apply(s, config, path, true);
    json_decref(config);
    return code;
}

static int take_config(settings *s)
{
    int code;
    json_t *config = config_read(s->config, &code);
    if (!config)
        return code;
    code = config_apply(s, config, s->config, false);
    json_decref(config);
    return code;
}

int train_check(const settings *s)
{
    enum { ROWS = 1 << CLASSIFY | 1 << TAG | 1 << SEQ2SEQ, NOT_LM = ROWS | 1 << FORECAST,
           WORDS = ROWS | 1 << LM };
    static const struct { const char *option; unsigned tasks; const char *names; } only[] = {
        { "bytes", 1 << LM, "lm" }, { "sample-length", 1 << LM, "lm" },
        { "tbptt", 1 << LM | 1 << TAG | 1 << FORECAST, "lm, tag and forecast: a class and a "
          "sequence are said of whole rows, back to their first steps" },
        { "seq-len", 1 << LM | 1 << FORECAST, "lm and forecast" },
        { "valid", ROWS, "classify, tag and seq2seq" },
        { "test", ROWS, "classify, tag and seq2seq" },
        { "split", ROWS, "classify, tag and seq2seq" },
        { "units", WORDS, "lm, classify, tag and seq2seq" },
        { "vocab", WORDS, "lm, classify, tag and seq2seq" },
        { "vocab-size", WORDS, "lm, classify, tag and seq2seq" },
        { "min-count", WORDS, "lm, classify, tag and seq2seq" },
        { "label-units", 1 << TAG | 1 << SEQ2SEQ, "tag and seq2seq" },
        { "labels", 1 << CLASSIFY | 1 << TAG, "classify and tag" },
        { "test-labels", 1 << CLASSIFY | 1 << TAG, "classify and tag" },
        { "width", 1 << CLASSIFY | 1 << TAG, "classify and tag" },
        { "input-column", NOT_LM, "other tasks than lm" },
        { "label-column", NOT_LM, "other tasks than lm" },
        { "horizon", 1 << FORECAST, "forecast" },
        { "embedding", WORDS, "lm, classify, tag and seq2seq" },
        { "freeze", WORDS, "lm, classify, tag and seq2seq" },
        { "bidirectional", NOT_LM, "other tasks than lm" },
        { "readout", 1 << CLASSIFY | 1 << FORECAST, "classify and forecast" },
        { "attention", 1 << SEQ2SEQ, "seq2seq" }, { "decoder", 1 << SEQ2SEQ, "seq2seq" },
        { "no-bridge", 1 << SEQ2SEQ, "seq2seq" }, { "beam", 1 << SEQ2SEQ, "seq2seq" },
        { "scheduled-sampling", 1 << SEQ2SEQ, "seq2seq" },
    };
    for (size_t i = 0; i < sizeof only / sizeof *only; i++)
        if (from_line(s, only[i].option) && !(only[i].tasks >> s->task & 1))
            return fail(USAGE, "--%s goes with --task %s", only[i].option, only[i].names);
    return DONE;
}

/* How far back, and from what states; both mean something else for rows than for a stream. */
static int check_course(settings *s)
{
    const bool stream = s->task == LM;
    if (!stream && s->h0 == RG_START_CARRIED && from_line(s, "h0"))
        return fail(USAGE, "--h0 carried goes with --task lm: rows are no stream, so one leaves "
                    "nothing to the next (zero, learned or random)");
    if (!stream && s->h0 == RG_START_CARRIED)
        s->h0 = RG_START_ZERO;
    if (stream && s->tbptt && s->tbptt < s->seq_len)
        return fail(USAGE, "--tbptt %lld is less than --seq-len %lld: a window goes back at least "
                    "through itself", (long long)s->tbptt, (long long)s->seq_len);
    if (stream && s->tbptt > s->seq_len && s->h0 != RG_START_CARRIED)
        return fail(USAGE, "--tbptt beyond --seq-len needs --h0 carried");
    if (s->task == FORECAST && s->tbptt > s->seq_len)
        return fail(USAGE, "--tbptt %lld is more than --seq-len %lld: a forecast reads no more "
                    "rows, so there is nothing to go back to", (long long)s->tbptt,
                    (long long)s->seq_len);
    if (s->task == FORECAST && s->tbptt && s->tbptt < s->seq_len && s->h0 == RG_START_LEARNED &&
        s->readout == RG_READ_LAST)
        return fail(USAGE, "--h0 learned is out of reach: the gradient goes back --tbptt %lld of "
                    "--seq-len %lld rows", (long long)s->tbptt, (long long)s->seq_len);
    return DONE;
}

/* Defaults that depend on other settings. */
int train_settle(settings *s)
{
    int code = train_check(s);
    if (code == DONE)
        code = check_course(s);
    if (code == DONE)
        code = text_units(s);
    if (code == DONE)
        code = text_vocabulary_ok(s);
    if (code)
        return code;
    if (option_origin(s, "sample-length") == FROM_DEFAULT && net_unit(s) == RG_UNIT_WORD)
        s->sample_length = 30;
    if (option_origin(s, "weight-decay") == FROM_DEFAULT && s->optimizer == RG_ADAMW)
        s->weight_decay = 0.01;
    if (!s->decay_every)
        s->decay_every = s->schedule == RG_PLATEAU ? 3 : 1000;
    if (!s->epochs && !s->steps && s->minutes <= 0)
        s->epochs = 10;
    if (s->schedule == RG_COSINE && !s->epochs && !s->steps)
        return fail(USAGE, "--schedule cosine needs --steps or --epochs: --minutes does not say "
                    "where it ends");
    if (s->run && !s->resume && file_exists(s->run))
        return folder_taken(s->run);
    if (!s->data)
        return fail(USAGE, "--data is missing: the text to learn, or a table, a series, images "
                    "(retrograd train --help)");
    return data_folder(s);
}

static int dump(const settings *s)
{
    json_t *object = config_options(s);
    char *text = object ? config_text(object) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(object);
    return text ? DONE : fail(RUN_TIME, "no memory, or a path that is not UTF-8");
}

static int work(session *x, settings *s)
{
    int code = session_open(x, s);
    if (code == DONE && s->dry_run)
        return session_try(x);
    if (code)
        return code;
    code = session_run(x);
    return code ? code : session_conclude(x);
}

int train_main(settings *s)
{
    session x = { .f.lock = -1, .metrics = { .jsonl = -1, .csv = -1 } };
    int code = s->resume ? take_run(&x, s) : s->config ? take_config(s) : DONE;
    if (code == DONE)
        code = train_settle(s);
    if (code == DONE && s->dump_config) {
        code = dump(s);
    } else if (code == DONE) {
        signals_install();
        code = work(&x, s);
    }
    progress_clear();
    session_close(&x);
    return code;
}
