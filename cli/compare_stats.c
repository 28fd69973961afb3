/* cli/compare_stats.c -- means over seeds and what they are worth: Student's t. */
#include "cli/compare.h"

#include <math.h>
#include <string.h>

/* The 97.5 % point of Student's t with n degrees of freedom. */
static double student(int n)
{
    static const double t[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
                                2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
                                2.093, 2.086 };
    enum { N = sizeof t / sizeof *t };
    return n < 1 ? NAN : t[n < N ? n - 1 : N - 1];
}

spread spread_list(const double *v, int n)
{
    spread s = { .sd = NAN, .half = NAN, .n = n };
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += v[i];
    s.mean = n ? sum / n : NAN;
    for (int i = 0; i < n; i++)
        squares += (v[i] - s.mean) * (v[i] - s.mean);
    if (n > 1) {
        s.sd = sqrt(squares / (n - 1));
        s.half = student(n - 1) * s.sd / sqrt(n);
    }
    return s;
}

spread spread_of(const study *st, size_t who, outcome_fn *value)
{
    double v[MAX_SEEDS];
    int n = 0;
    for (int k = 0; k < st->seeds; k++) {
        const outcome *o = outcome_at(st, who, k);
        if (o->done && !isnan(value(o)))
            v[n++] = value(o);
    }
    return spread_list(v, n);
}

spread spread_between(const study *st, size_t a, size_t b, outcome_fn *value)
{
    double v[MAX_SEEDS];
    int n = 0;
    for (int k = 0; k < st->seeds; k++) {
        const outcome *x = outcome_at(st, a, k), *y = outcome_at(st, b, k);
        if (x->done && y->done && !isnan(value(x) - value(y)))
            v[n++] = value(x) - value(y);
    }
    return spread_list(v, n);
}

double outcome_value(const outcome *o)
{
    return o->value;
}

double outcome_slope_before(const outcome *o)
{
    return o->n_lags[0] ? o->slope[0] : NAN;
}

double outcome_slope_after(const outcome *o)
{
    return o->n_lags[1] ? o->slope[1] : NAN;
}

int ended_early(const study *st, size_t who)
{
    int n = 0;
    for (int k = 0; k < st->seeds; k++)
        n += outcome_at(st, who, k)->updates < trial_updates(st, &st->who[who]);
    return n;
}

reach reach_of(const study *st, size_t who)
{
    reach r = { .n = 0 };
    for (int k = 0; k < st->seeds; k++) {
        const outcome *o = outcome_at(st, who, k);
        if (!o->enough_update)
            continue;
        r.n++;
        r.updates += (double)o->enough_update;
        r.seconds += o->enough_seconds;
    }
    r.updates = r.n ? r.updates / r.n : NAN;
    r.seconds = r.n ? r.seconds / r.n : NAN;
    return r;
}

int contestant_index(const study *st, const char *cell)
{
    for (size_t i = 0; i < st->n; i++)
        if (strcmp(st->who[i].cell, cell) == 0)
            return (int)i;
    return -1;
}

const study *study_find(const comparison *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->study[i].row->key, key) == 0)
            return &c->study[i];
    return NULL;
}
