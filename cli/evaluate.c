/* cli/evaluate.c -- evaluations during a run, and the one that concludes it. */
#define _POSIX_C_SOURCE 200809L
#include "cli/session.h"
#include "cli/signals.h"

#include <math.h>
#include <stdio.h>

static int keep_best(session *x, uint64_t step, double loss)
{
    rg_status st = rg_optim_feedback(rg_trainer_optim(x->trainer), loss);
    if (st)
        return fail(exit_code(st), "%s", rg_params_message(x->m.params));
    x->at.evaluated = step;
    bool best = loss < x->at.best_loss;
    if (best) {
        x->at.best_loss = loss;
        x->at.best_step = step;
    }
    int code = best ? session_save(x, "ckpt-best.safetensors") : DONE;
    return code ? code : session_save(x, "ckpt-last.safetensors");
}

static metrics_row row_of(const session *x, const char *split, uint64_t step)
{
    metrics_row row = { .time = session_seconds(x), .step = step,
                        .epoch = (double)step / (double)x->windows, .split = split,
                        .grad_norm = -1, .lr = -1, .tok_s = -1 };
    for (int i = 0; i < MEASURES; i++)
        row.measure[i] = -1;
    return row;
}

static int draw(const session *x)
{
    char title[128], label[64] = "";
    double baseline = x->task->baseline(x, label);
    const rg_svg_opts opts = { .title = model_title(title, sizeof title, &x->m),
                               .x_label = "step", .y_label = x->task->axis,
                               .log_y = x->task->log_axis };
    return metrics_plot(&x->metrics, &x->f, &opts, baseline, label);
}

int session_evaluate(session *x)
{
    uint64_t step = rg_trainer_facts(x->trainer).step;
    metrics_row row = row_of(x, "valid", step);
    char text[200];
    rg_status st = RG_OK;
    int code = x->task->score(x, &row, text, &st);
    if (code || st)
        return code; /* stopped: the loop sees the signal */
    row.time = session_seconds(x);
    note("eval   step %llu: %s of the validation part%s", (unsigned long long)step, text,
         row.loss < x->at.best_loss ? " (best)" : "");
    x->task->show(x);
    code = metrics_add(&x->metrics, &row, x->s->json);
    if (code == DONE)
        code = keep_best(x, step, row.loss);
    return code ? code : draw(x);
}

/* ---- The end -------------------------------------------------------------------------------- */

int session_conclude(session *x)
{
    model best;
    rg_status st = RG_OK;
    int code = model_open(&best, x->f.path);
    if (code)
        return code;
    note("test   the best checkpoint (step %llu) on the whole test part",
         (unsigned long long)best.step);
    metrics_row row = row_of(x, "test", best.step);
    code = x->task->score_test(x, &best, &row, &st);
    if (code == DONE && st) {
        code = 128 + signals_stop();
        note("stopped; the run is complete, its figure: retrograd eval %s", x->f.path);
    }
    row.time = session_seconds(x);
    if (code == DONE)
        code = metrics_add(&x->metrics, &row, x->s->json);
    if (code == DONE)
        code = draw(x);
    if (code == DONE)
        code = x->task->print(x, &best, &row);
    model_close(&best);
    return code;
}
