/* cli/look.c -- a training session that is only looked at, by `profile` and `gradflow`: data, model
 * and trainer as `train` would have them, of a run or of the line; nothing is said or written. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"
#include "cli/session.h"

/* What any of them may be asked for. */
static void take_machine(settings *t, const settings *s)
{
    t->threads = s->threads;
    t->memory_budget = s->memory_budget;
    t->disable = s->disable;
    t->effort = s->effort;
}

static int defaults(settings *t, const settings *s)
{
    int code = options_parse(t, &commands[command_index("train")], 0, NULL);
    take_machine(t, s);
    return code;
}

int look_of_line(settings *t, const settings *s)
{
    int code = defaults(t, s);
    json_t *chosen = code == DONE ? config_options(s) : NULL;
    if (!chosen)
        return code ? code : fail(RUN_TIME, "no memory, or a path that is not UTF-8");
    code = config_apply(t, chosen, "options", false);
    json_decref(chosen);
    return code ? code : train_settle(t);
}

int look_of_run(settings *t, const settings *s)
{
    char file[PATH_BYTES];
    int code = defaults(t, s);
    json_t *config = code == DONE ? config_of_run(file, s->operand[0], &code) : NULL;
    if (!config)
        return code ? code : fail(USAGE, "%s: no run folder, so it is not known what data the "
                                  "model is for", s->operand[0]);
    code = config_apply(t, config, file, false);
    json_decref(config);
    if (option_origin(s, "batch") == FROM_LINE)
        t->batch = s->batch;
    if (option_origin(s, "data") == FROM_LINE)
        t->data = s->data;
    if (code == DONE && option_origin(s, "seq-len") == FROM_LINE)
        code = fail(USAGE, "--seq-len: rows of %s are as long as they are", s->operand[0]);
    return code;
}

int look_open(session *x, settings *t, const settings *s)
{
    t->dry_run = t->quiet = true;
    say_setup(s->command->name, t);
    int code = session_open(x, t);
    say_setup(s->command->name, s);
    return code;
}
