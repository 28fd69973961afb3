/* check/gradflow_norms.c -- N(k): lags of rows, norms of any size, means over rows and draws. */
#include "check/gradflow.h"

#include "base/real.h"

#include <math.h>
#include <string.h>

double rg_flow_element(const rg_plan *plan, const void *data, int64_t i)
{
    return rg_real_at(data, plan->opts.real, (size_t)i);
}

/* A row's lag at a position is the number of its real steps after it. */
rg_status rg_flow_lags(rg_flow *f, rg_flow_loop *loop, rg_flow_real_fn *is_real)
{
    const int64_t T = loop->T, B = loop->B;
    if (!(loop->lag = rg_arena_get(&f->arena, (size_t)(T * B) * sizeof *loop->lag)) ||
        !(loop->rows = rg_arena_get(&f->arena, (size_t)T * sizeof *loop->rows)))
        return rg_flow_no_memory(f);
    for (int64_t b = 0; b < B; b++) {
        int64_t n = 0;
        for (int64_t p = T; p-- > 0;)
            loop->lag[p * B + b] = is_real(f, loop, p, b) ? n++ : -1;
        for (int64_t k = 0; k < n; k++)
            loop->rows[k] += 1;
        if (n > loop->lags) {
            loop->lags = n;
            loop->longest = b;
        }
    }
    return RG_OK;
}

rg_status rg_flow_norms_make(rg_flow *f, rg_flow_norms *n, const rg_flow_loop *loop)
{
    const size_t bytes = (size_t)loop->T * sizeof(double);
    n->norm = rg_arena_get(&f->kept, bytes);
    n->most = rg_arena_get(&f->arena, bytes);
    n->sum = rg_arena_get(&f->arena, bytes);
    n->draws = rg_arena_get(&f->arena, bytes);
    return n->norm && n->most && n->sum && n->draws ? RG_OK : rg_flow_no_memory(f);
}

/* ‖row‖ by its largest element, so that squares are of numbers up to 1. */
static double row_norm(const rg_plan *plan, const void *data, int64_t first, int64_t width)
{
    double most = 0, sum = 0;
    for (int64_t j = 0; j < width; j++) {
        const double x = fabs(rg_flow_element(plan, data, first + j));
        if (!isfinite(x))
            return x;
        most = x > most ? x : most;
    }
    for (int64_t j = 0; j < width && most > 0; j++) {
        const double x = rg_flow_element(plan, data, first + j) / most;
        sum += x * x;
    }
    return most * sqrt(sum);
}

void rg_flow_norms_add(rg_flow_norms *n, const rg_flow_loop *loop, int64_t p, const rg_plan *plan,
                       const void *data, int64_t width)
{
    for (int64_t b = 0; b < loop->B && data; b++) {
        const int64_t k = loop->lag[p * loop->B + b];
        if (k < 0)
            continue;
        const double r = row_norm(plan, data, b * width, width);
        if (!isfinite(r)) {
            n->most[k] = r;
            n->sum[k] = 1;
        } else if (r > n->most[k]) {
            const double shrink = n->most[k] / r;
            n->sum[k] = n->sum[k] * shrink * shrink + 1;
            n->most[k] = r;
        } else if (n->most[k] > 0) {
            n->sum[k] += r / n->most[k] * (r / n->most[k]);
        }
    }
}

/* Of one draw: root of the mean over rows; 0 where nothing arrived. */
static double of_draw(const rg_flow_norms *n, const rg_flow_loop *loop, int64_t k)
{
    return n->most[k] * sqrt(n->sum[k] / loop->rows[k]);
}

void rg_flow_norms_next(rg_flow_norms *n, const rg_flow_loop *loop, bool log_mean)
{
    for (int64_t k = 0; k < loop->lags && log_mean; k++) {
        const double N = of_draw(n, loop, k);
        if (N > 0 || isnan(N)) {
            n->norm[k] += log(N);
            n->draws[k] += 1;
        }
        n->most[k] = n->sum[k] = 0;
    }
}

void rg_flow_norms_end(rg_flow_norms *n, const rg_flow_loop *loop, bool log_mean, double draws)
{
    for (int64_t k = 0; k < loop->lags; k++)
        n->norm[k] = !log_mean ? of_draw(n, loop, k) / sqrt(draws)
                   : n->draws[k] > 0 ? exp(n->norm[k] / n->draws[k]) : 0;
}
