/* cli/compare_studies.c -- which studies there are, who takes part, on what data. */
#define _POSIX_C_SOURCE 200809L
#include "cli/cells.h"
#include "cli/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int64_t lengths[MAX_LENGTHS] = { 50, 100, 200, 400 };

/* Settings as published where they are: adding and copy as Hochreiter & Schmidhuber 1997 and
 * Arjovsky et al. 2016 pose them, order and exploding as Pascanu et al. 2013. */
static const study_row rows[] = {
    { "adding-100", ADDING, "Adding, T = 100", 100, RMSE, 32, 0, 64, 2e-3, { 2000, 5000 },
      { 2, 5 }, { true, true }, 0.1,
      "16 000 training and 2 000 test rows, batch 64, Adam 0.002, clip 1; the answer is after the "
      "last step" },
    { "copy-50", COPY, "Copy, T = 50", 50, LOSS, 64, 0, 32, 1e-3, { 1000, 5000 }, { 2, 5 },
      { false, true }, 0.2822, "10 of 8 symbols, new rows at every update, batch 32, Adam 0.001, "
      "clip 1; threshold 5 % below guessing" },
    { "copy-30", COPY, "Copy, T = 30", 30, LOSS, 64, 0, 32, 2e-3, { 1000, 10000 }, { 2, 5 },
      { false, true }, 0.2079, "as above, Adam 0.002; threshold half of guessing" },
    { "order-20", ORDER, "Temporal order, L = 20", 20, ERRORS, 0, 50, 20, 1e-2, { 2000, 20000 },
      { 2, 5 }, { false, true }, 0.01, "50 units, batch 20; rnn: SGD 0.01, U and W from N(0, "
      "0.1²); gru and lstm: 3 000 updates of Adam 0.001, clip 1" },
    { "order-60", ORDER, "Temporal order, L = 60", 60, ERRORS, 0, 50, 20, 1e-2, { 2000, 20000 },
      { 2, 5 }, { false, false }, 0.01, "as L = 20" },
    { "order-100", ORDER, "Temporal order, L = 100", 100, ERRORS, 0, 50, 20, 1e-2, { 2000, 20000 },
      { 2, 5 }, { false, true }, 0.01, "as L = 20" },
    { "exploding-50", EXPLODING, "Exploding gradients, L = 50", 50, LOSS, 0, 50, 20, 1e-2,
      { 1000, 5000 }, { 2, 10 }, { false, true }, 0, "temporal order, 50 units, W of spectral "
      "radius 1.5, U from N(0, 0.1²), batch 20, SGD 0.01" },
    { "digits-rows", DIGITS, "Digits row by row, T = 8", 8, ACCURACY, 64, 0, 64, 1e-3,
      { 2246, 2246 }, { 2, 5 }, { true, true }, 0.95, "1437 training and 360 test images of 8×8 "
      "pixels, batch 64, 100 epochs of Adam 0.001, clip 1" },
    { "digits-pixels", DIGITS, "Digits pixel by pixel, T = 64", 64, ACCURACY, 64, 0, 64, 1e-3,
      { 500, 2246 }, { 2, 5 }, { false, true }, 0.75, "as row by row, one pixel a step" },
    { "chars", CHARS, "Character model, T = 50", 50, BITS, 128, 0, 32, 2e-3, { 500, 1500 },
      { 2, 5 }, { true, true }, 0, "one-hot characters, batch 32, state carried, Adam 0.002, clip "
      "1; test: the text's last 5 %, 32 rows" },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const char *measure_name(measure m)
{
    static const char *const name[] = { "RMSE", "nats", "errors", "accuracy", "bits/character" };
    return name[m];
}

bool measure_falls(measure m)
{
    return m != ACCURACY;
}

/* ---- Contestants ---------------------------------------------------------------------------- */

/* U and W from N(0, 0.1²), as the paper's; declared first, so that the cell finds them. */
static rg_cell small_rnn(rg_graph *g, const char *group, int64_t I, int64_t H,
                         const rg_cell_opts *opts)
{
    rg_param(g, group, "U", RG_SHAPE(I, H), rg_init_normal(0.1));
    rg_param(g, group, "W", RG_SHAPE(H, H), rg_init_normal(0.1));
    return rg_rnn(g, group, I, H, opts);
}

/* The same, W scaled to spectral radius 1.5. */
static rg_cell loud_rnn(rg_graph *g, const char *group, int64_t I, int64_t H,
                        const rg_cell_opts *opts)
{
    rg_param(g, group, "W", RG_SHAPE(H, H), rg_init_spectral(1.5));
    return small_rnn(g, group, I, H, opts);
}

static contestant *add(study *st, const char *label, const char *cell, rg_cell_fn *make)
{
    contestant *w = &st->who[st->n++];
    *w = (contestant){ .make = make, .optim = { .lr = st->row->lr, .clip_norm = 1 } };
    (void)snprintf(w->label, sizeof w->label, "%s", label);
    (void)snprintf(w->cell, sizeof w->cell, "%s", cell);
    return w;
}

/* The words of --cells. */
static int add_cells(const comparison *c, study *st)
{
    char words[256], *save = NULL;
    (void)snprintf(words, sizeof words, "%s", c->s->cells);
    for (char *w = strtok_r(words, " ,", &save); w; w = strtok_r(NULL, " ,", &save)) {
        int k = cell_index(w);
        if (k < 0)
            return fail(USAGE, "--cells: no cell is called '%s' (retrograd info --help)", w);
        if (st->n + 1 >= MAX_CONTESTANTS)
            return fail(USAGE, "--cells: at most %d", MAX_CONTESTANTS - 1);
        for (size_t i = 0; i < st->n; i++)
            if (strcmp(st->who[i].cell, w) == 0)
                return fail(USAGE, "--cells: '%s' is there twice", w);
        const bool proj = cells[k].opts.proj != 0;
        add(st, w, w, proj ? cell_half_projected : cells[k].make)->opts = cells[k].opts;
    }
    return st->n ? DONE : fail(USAGE, "--cells: no cell is named");
}

/* Remedies against vanishing are tried where order is the only task. */
static void add_order(study *st, bool remedies)
{
    static const struct { const char *label; double clip, scale; rg_omega_kind omega; } rnn[] = {
        { "rnn", 0, 1, RG_OMEGA_NONE }, { "rnn clip", 1, 1, RG_OMEGA_NONE },
        { "rnn clip+Ω paper", 1, 1, RG_OMEGA_PAPER }, { "rnn clip+Ω exact", 1, 1, RG_OMEGA_EXACT },
        { "rnn ×10", 0, 10, RG_OMEGA_NONE },
    };
    for (size_t i = 0; i < (remedies ? sizeof rnn / sizeof *rnn : 2); i++) {
        contestant *w = add(st, rnn[i].label, i ? "" : "rnn", small_rnn);
        w->optim = (rg_optim_opts){ .kind = RG_SGD, .lr = st->row->lr, .clip_norm = rnn[i].clip };
        w->omega = rnn[i].omega;
        w->scale = rnn[i].scale;
    }
    for (int k = 0; k < 2; k++) {
        contestant *w = add(st, k ? "lstm Adam" : "gru Adam", k ? "lstm" : "gru",
                            k ? rg_lstm : rg_gru);
        w->optim.lr = 1e-3;
        w->updates = 3000;
    }
}

static int contestants(const comparison *c, study *st)
{
    const study_kind kind = st->row->kind;
    if (kind == ORDER) {
        add_order(st, c->s->only);
    } else if (kind == EXPLODING) {
        for (int clip = 0; clip < 2; clip++)
            add(st, clip ? "rnn clip" : "rnn", clip ? "" : "rnn", loud_rnn)->optim =
                (rg_optim_opts){ .kind = RG_SGD, .lr = st->row->lr, .clip_norm = clip };
    } else {
        int code = add_cells(c, st);
        if (code)
            return code;
        if (kind == COPY)
            add(st, "lstm chrono", "lstm-chrono", rg_lstm)->opts =
                (rg_cell_opts){ .init = RG_INIT_CHRONO, .chrono_T = st->problem.T };
    }
    return DONE;
}

/* ---- Problems ------------------------------------------------------------------------------- */

/* What a character model reads and writes, for counting its weights. */
static rg_problem chars_shape(const comparison *c)
{
    rg_problem p = rg_problem_order(10);
    p.name = "chars";
    p.I = p.O = (int64_t)c->corpus.V;
    return p;
}

static rg_problem problem_of(const comparison *c, const study_row *row)
{
    switch (row->kind) {
    case ADDING:
        return rg_problem_adding(row->T);
    case COPY:
        return rg_problem_copy(row->T);
    case DIGITS:
        return rg_problem_series("digits", &c->rows[row->T == 64], row->T, 64 / row->T, 10);
    case CHARS:
        return chars_shape(c);
    default:
        return rg_problem_order(row->T);
    }
}

static double blind_of(const comparison *c, const study *st)
{
    const rg_problem *p = &st->problem;
    double bpc = NAN;
    rg_span test = rg_corpus_part(&c->corpus, RG_PART_TEST);
    switch (st->row->measure) {
    case RMSE:
        return sqrt(p->blind_loss);
    case LOSS:
        return p->blind_loss;
    case ERRORS:
        return 1 - p->blind_accuracy;
    case ACCURACY:
        return p->blind_accuracy;
    default:
        (void)rg_count_models(&bpc, 1, c->corpus.V, rg_corpus_part(&c->corpus, RG_PART_TRAIN),
                              &test, 1);
        return bpc;
    }
}

/* Equal budgets: the LSTM's weights; or equal widths. */
static int widths(const comparison *c, study *st)
{
    const study_row *row = st->row;
    const rg_problem *p = &st->problem;
    const rg_problem_model lstm = { .cell = rg_lstm, .hidden = row->lstm_hidden };
    const int64_t budget = row->lstm_hidden ? rg_problem_weights(p, &lstm) : 0;
    for (size_t i = 0; i < st->n; i++) {
        contestant *w = &st->who[i];
        rg_problem_model m = { .cell = w->make, .cell_opts = &w->opts };
        m.hidden = c->s->width ? c->s->width : budget ? rg_problem_width(p, &m, budget)
                 : row->hidden;
        w->hidden = m.hidden;
        st->weights[i] = rg_problem_weights(p, &m);
        if (!st->weights[i])
            return fail(RUN_TIME, "%s: %s cannot be made", row->key, w->label);
    }
    return DONE;
}

static int open_study(comparison *c, const study_row *row)
{
    study *st = &c->study[c->n];
    *st = (study){ .row = row, .problem = problem_of(c, row),
                   .seeds = c->s->seeds ? (int)c->s->seeds : row->seeds[c->depth],
                   .updates = c->s->updates ? (uint64_t)c->s->updates
                                              : row->updates[c->depth] };
    int code = contestants(c, st);
    if (code == DONE)
        code = widths(c, st);
    if (code)
        return code;
    st->blind = blind_of(c, st);
    st->outcome = calloc(st->n * (size_t)st->seeds, sizeof *st->outcome);
    if (!st->outcome)
        return fail(RUN_TIME, "no memory");
    c->n++;
    return DONE;
}

static bool wanted(const comparison *c, const study_row *row)
{
    return c->s->only ? row->kind == (study_kind)(c->s->only - 1) : row->in[c->depth];
}

int studies_choose(comparison *c)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        const bool data = rows[i].kind == DIGITS ? c->pixels != NULL
                        : rows[i].kind == CHARS ? c->corpus.n > 0 : true;
        int code = wanted(c, &rows[i]) && data ? open_study(c, &rows[i]) : DONE;
        if (code)
            return code;
    }
    return c->n ? DONE : fail(BAD_DATA, "nothing to compare: %s", c->why);
}

void studies_free(comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->study[i].outcome);
    rg_corpus_destroy(&c->corpus);
    free(c->pixels);
    free(c->digit);
}
