/* cli/checkpoint.c -- a run's checkpoints: everything that goes on, nothing that a clock says. */
#define _POSIX_C_SOURCE 200809L
#include "cli/net.h"
#include "cli/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *standing_text(const standing *at)
{
    json_t *o = json_pack("{s:I, s:I, s:f, s:I}", "evaluated", (json_int_t)at->evaluated,
                          "best_step", (json_int_t)at->best_step, "loss_sum", at->loss_sum,
                          "loss_count", (json_int_t)at->loss_count);
    if (o && isfinite(at->best_loss))
        json_object_set_new(o, "best_loss", json_real(at->best_loss));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(o);
    return text;
}

static bool read_standing(standing *at, const char *text)
{
    json_int_t evaluated, best_step, count;
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    bool good = o && json_unpack(o, "{s:I, s:I, s:F, s:I}", "evaluated", &evaluated, "best_step",
                                 &best_step, "loss_sum", &at->loss_sum, "loss_count", &count) == 0;
    if (good) {
        json_t *best = json_object_get(o, "best_loss");
        at->evaluated = (uint64_t)evaluated;
        at->best_step = (uint64_t)best_step;
        at->loss_count = (uint64_t)count;
        at->best_loss = best ? json_number_value(best) : INFINITY;
    }
    json_decref(o);
    return good;
}

int session_save(session *x, const char *name)
{
    char path[PATH_BYTES], step[32];
    char *description = model_description(&x->m), *vocabulary = model_vocabulary(&x->m);
    char *at = standing_text(&x->at);
    (void)snprintf(step, sizeof step, "%llu",
                   (unsigned long long)rg_trainer_facts(x->trainer).step);
    rg_text_pair meta[] = { { "data", x->sha256 }, { "model", description },
                            { "standing", at }, { "step", step }, { "vocabulary", vocabulary } };
    int code = DONE;
    if (!description || !vocabulary || !at)
        code = fail(RUN_TIME, "no memory for a checkpoint");
    rg_status st = code ? RG_OK
        : rg_trainer_save(x->trainer, folder_file(path, &x->f, name), meta, 5);
    if (st)
        code = fail(exit_code(st), "%s", rg_params_message(x->m.params));
    if (code == DONE)
        folder_tell_seconds(&x->f, session_seconds(x));
    free(description);
    free(vocabulary);
    free(at);
    return code;
}

/* ---- Going on ------------------------------------------------------------------------------- */

static void take_meta(void *user, const char *key, const char *value)
{
    session *x = user;
    if (strcmp(key, "standing") == 0)
        (void)read_standing(&x->at, value);
}

static rg_status load(session *x, const char *name)
{
    char path[PATH_BYTES];
    rg_load_opts opts = { .meta = take_meta, .user = x };
    return rg_trainer_load(x->trainer, folder_file(path, &x->f, name), &opts);
}

/* The text, and a file of its words, must be those that the run was started with. */
static int check_text(const session *x)
{
    char path[PATH_BYTES], *now = x->s->vocab ? model_vocabulary(&x->m) : NULL;
    rg_file file;
    int code = DONE;
    if (rg_file_info(&file, folder_file(path, &x->f, "ckpt-last.safetensors")) &&
        rg_file_info(&file, folder_file(path, &x->f, "ckpt-best.safetensors"))) {
        free(now);
        return DONE; /* loading will say why */
    }
    const char *data = meta_of(&file, "data"), *words = meta_of(&file, "vocabulary");
    if (data && strcmp(data, x->sha256) != 0)
        code = fail(BAD_DATA, "%s: not the %s that this run was started with (another "
                    "fingerprint); --data names it, or begin a new run", x->s->data,
                    x->s->task == LM ? "text" : "data");
    else if (now && words && strcmp(words, now) != 0)
        code = fail(BAD_DATA, "%s: not the words that this run was started with", x->s->vocab);
    rg_file_destroy(&file);
    free(now);
    return code;
}

int session_resume(session *x)
{
    char last[PATH_BYTES], best[PATH_BYTES];
    folder_file(last, &x->f, "ckpt-last.safetensors");
    folder_file(best, &x->f, "ckpt-best.safetensors");
    if (!file_exists(last) && !file_exists(best)) {
        warn("%s holds no checkpoint: the run starts anew", x->f.path);
        return DONE;
    }
    int code = check_text(x);
    if (code)
        return code;
    rg_status st = load(x, "ckpt-last.safetensors");
    if (st && file_exists(best)) {
        warn("%s; going on from ckpt-best", rg_params_message(x->m.params));
        st = load(x, "ckpt-best.safetensors");
    }
    if (st)
        return fail(exit_code(st), "%s", rg_params_message(x->m.params));
    note("resume step %llu", (unsigned long long)rg_trainer_facts(x->trainer).step);
    return DONE;
}
