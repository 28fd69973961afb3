/* cli/compare_print.c -- a comparison as a table for people, as lines and as a file of JSON. */
#include "cli/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double ms_of(const outcome *o)
{
    return o->ms;
}

static double seconds_of(const outcome *o)
{
    return o->seconds;
}

/* ---- For people ----------------------------------------------------------------------------- */

/* How many seeds reached the threshold, and after how many updates on average. */
static void reached(char out[64], const study *st, size_t who)
{
    const reach r = reach_of(st, who);
    if (st->row->enough <= 0)
        (void)snprintf(out, 64, "-");
    else if (r.n == 0)
        (void)snprintf(out, 64, "0 of %d", st->seeds);
    else
        (void)snprintf(out, 64, "%d of %d, %.0f", r.n, st->seeds, r.updates);
}

static void print_study(const study *st)
{
    char spread_text[64], enough[64];
    printf("\n%s; %s, guessing: %.4f\n", st->row->title, measure_name(st->row->measure),
           st->blind);
    printf("  %-18s %6s %8s  %-20s %9s  %-16s %8s %8s\n", "", "width", "weights", "mean ± 95 %",
           "ms/update", "threshold", "slope", "trained");
    for (size_t i = 0; i < st->n; i++) {
        const spread s = spread_of(st, i, outcome_value);
        const outcome *o = outcome_at(st, i, 0);
        if (isnan(s.half))
            (void)snprintf(spread_text, sizeof spread_text, "%.4f", s.mean);
        else
            (void)snprintf(spread_text, sizeof spread_text, "%.4f ± %.4f", s.mean, s.half);
        reached(enough, st, i);
        printf("  %-18s %6lld %8lld  %-20s %9.3f  %-16s", st->who[i].label,
               (long long)st->who[i].hidden, (long long)st->weights[i], spread_text, st->ms[i],
               enough);
        if (o->n_lags[0])
            printf(" %8.3f %8.3f", spread_of(st, i, outcome_slope_before).mean,
                   spread_of(st, i, outcome_slope_after).mean);
        printf("\n");
    }
    for (size_t i = 0; i < st->n; i++)
        if (ended_early(st, i))
            printf("  %s: %d of %d ended early, their gradients not finite\n", st->who[i].label,
                   ended_early(st, i), st->seeds);
}

static const char *verdict_word(const claim *cl)
{
    static const char *const word[] = { [UNKNOWN] = "not measured", [NOT] = "NOT CONFIRMED",
                                        [YES] = "confirmed", [FACT] = "a fact" };
    return word[cl->verdict];
}

static void print_claims(const comparison *c, const char *other)
{
    claim list[MAX_CLAIMS];
    const size_t n = claims_of(list, c, other);
    printf("\nLSTM against %s\n", strcmp(other, "rnn") == 0 ? "RNN" : "GRU");
    for (size_t i = 0; i < n; i++)
        printf("  %-18s %-14s %s\n", list[i].topic, verdict_word(&list[i]), list[i].found);
}

/* ---- For programs --------------------------------------------------------------------------- */

static json_t *summary(const study *st, size_t who)
{
    const spread v = spread_of(st, who, outcome_value), ms = spread_of(st, who, ms_of);
    const spread took = spread_of(st, who, seconds_of);
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:I}", "v", 1, "what", "result",
                          "study", st->row->key, "contestant", st->who[who].label, "measure",
                          measure_name(st->row->measure), "hidden",
                          (json_int_t)st->who[who].hidden, "weights",
                          (json_int_t)st->weights[who], "seeds", v.n, "updates",
                          (json_int_t)outcome_at(st, who, 0)->updates);
    json_object_set_new(o, "mean", number_json(v.mean));
    json_object_set_new(o, "sd", number_json(v.sd));
    json_object_set_new(o, "half_95", number_json(v.half));
    json_object_set_new(o, "blind", number_json(st->blind));
    json_object_set_new(o, "ms", number_json(st->ms[who]));
    json_object_set_new(o, "ms_in_trials", number_json(ms.mean));
    json_object_set_new(o, "seconds", number_json(took.mean));
    return o;
}

static json_t *claim_object(const claim *cl, const char *other)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "v", 1, "what", "claim", "against",
                     other, "topic", cl->topic, "lstm", cl->left, "other", cl->right, "found",
                     cl->found, "verdict", verdict_word(cl));
}

static json_t *whole(const comparison *c)
{
    json_t *results = json_array(), *claims = json_array();
    for (size_t k = 0; k < c->n; k++)
        for (size_t i = 0; i < c->study[k].n; i++) {
            const study *st = &c->study[k];
            json_t *o = summary(st, i), *trials = json_array();
            for (int seed = 0; seed < st->seeds; seed++)
                json_array_append_new(trials, outcome_json(outcome_at(st, i, seed)));
            json_object_set_new(o, "trials", trials);
            json_array_append_new(results, o);
        }
    for (int k = 0; k < 2; k++) {
        claim list[MAX_CLAIMS];
        const size_t n = claims_of(list, c, k ? "gru" : "rnn");
        for (size_t i = 0; i < n; i++)
            json_array_append_new(claims, claim_object(&list[i], k ? "gru" : "rnn"));
    }
    return json_pack("{s:i, s:s, s:s, s:o, s:o}", "v", 1, "depth",
                     c->depth == FULL ? "full" : "quick", "missing", c->why, "results", results,
                     "claims", claims);
}

int results_write(const comparison *c)
{
    char path[PATH_BYTES];
    json_t *o = whole(c);
    char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    if (!text)
        return fail(RUN_TIME, "no memory");
    (void)snprintf(path, sizeof path, "%s/results.json", c->folder);
    int code = file_replace(path, text, strlen(text));
    free(text);
    return code;
}

static int print_lines(const comparison *c)
{
    int code = DONE;
    for (size_t k = 0; k < c->n; k++)
        for (size_t i = 0; i < c->study[k].n && code == DONE; i++)
            code = put_json(summary(&c->study[k], i), 9);
    for (int k = 0; k < 2; k++) {
        claim list[MAX_CLAIMS];
        const size_t n = claims_of(list, c, k ? "gru" : "rnn");
        for (size_t i = 0; i < n && code == DONE; i++)
            code = put_json(claim_object(&list[i], k ? "gru" : "rnn"), 9);
    }
    return code;
}

int results_print(const comparison *c)
{
    if (c->s->json)
        return print_lines(c);
    for (size_t k = 0; k < c->n; k++)
        print_study(&c->study[k]);
    print_claims(c, "rnn");
    print_claims(c, "gru");
    return DONE;
}
