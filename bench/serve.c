/* bench/serve.c -- rounds on demand, for comparisons with other programs that take turns with this
 * one (bench/peers): `rg_bench --serve`.
 *
 * A line in, a line out:   open WHAT CELL T B I H THREADS   ready LOSS, or: no such request
 *                          round                            milliseconds a call, over some 20 ms
 *                          peak THREADS                     GF/s of multiply-adds
 * Weights and inputs are those of bench/peers/common.py, so that losses can be compared. */
#include "bench/nets.h"

#include <stdio.h>
#include <string.h>

/* The gates of a cell in order; NULL: of none that others have. */
static const char *gates_of(const char *cell)
{
    static const struct { const char *cell, *gates; } order[] = {
        { "lstm", "ifco" }, { "gru", "rug" }, { "gru-after", "rug" }, { "rnn", "" } };
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        if (strcmp(order[k].cell, cell) == 0)
            return order[k].gates;
    return NULL;
}

/* U and W of the gates; biases are 0. */
static void fill(const rgb_net *n, const rgb_shape *s)
{
    const char *gates = gates_of(s->cell);
    char name[16];
    for (size_t i = 0; i < rg_params_count(n->params); i++) {
        const rg_param_info p = rg_params_at(n->params, i);
        memset(p.data, 0, (size_t)rg_shape_count(p.shape) * sizeof(float));
    }
    for (int64_t k = 0; k < 4 * 2; k++) {
        (void)snprintf(name, sizeof name, "a.%c%.1s", k < 4 ? 'U' : 'W',
                       *gates ? gates + k % 4 : "");
        const bool there = *gates ? k % 4 < (int64_t)strlen(gates) : k % 4 == 0;
        if (!there)
            continue;
        const rg_param_info p = rg_params_find(n->params, name);
        for (int64_t i = 0; i < rg_shape_count(p.shape); i++)
            ((float *)p.data)[i] = rgb_value(k, i, 0.1);
    }
    for (int64_t i = 0; i < s->T * s->B * s->I; i++)
        n->x[i] = rgb_value(0, i, 1);
}

static double loss_of(const rgb_net *n, const rgb_shape *s)
{
    if (!s->forward)
        return rg_plan_scalar(n->plan, n->loss);
    const float *h = rg_plan_data(n->plan, n->loss);
    const int64_t count = s->T * s->B * s->H;
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)h[i] * (double)h[i];
    return sum / (double)count;
}

static bool open_net(rgb_net *n, rgb_shape *s, char cell[32], const char *line)
{
    long T, B, I, H;
    char what[16];
    int threads;
    if (sscanf(line, "open %15s %31s %ld %ld %ld %ld %d", what, cell, &T, &B, &I, &H,
               &threads) != 7 || !gates_of(cell))
        return false;
    *s = (rgb_shape)RGB_SHAPE(cell, T, B, I, H, 1, strcmp(what, "forward") == 0);
    rgb_net_open(n, s, &(rg_plan_opts){ .threads = threads });
    fill(n, s);
    rg_params_written(n->params);
    rgb_net_run(n);
    (void)printf("ready %.9g\n", loss_of(n, s));
    return true;
}

int rgb_serve(void)
{
    rgb_net n;
    rgb_shape s;
    bool there = false;
    int64_t calls = 1;
    int threads;
    char line[256], cell[32];
    while (fgets(line, sizeof line, stdin)) {
        const bool opening = strncmp(line, "open ", 5) == 0;
        if (opening && there)
            rgb_net_close(&n);
        if (opening && (there = open_net(&n, &s, cell, line)))
            calls = rgb_calls_of(&(const rgb_body){ rgb_net_run, &n });
        else if (there && strncmp(line, "round", 5) == 0)
            (void)printf("%.6f\n",
                         1e3 * rgb_one_round(&(const rgb_body){ rgb_net_run, &n }, calls).wall);
        else if (sscanf(line, "peak %d", &threads) == 1)
            (void)printf("%.3f\n", rg_measure_peak(RG_F32, threads));
        else
            (void)printf("no such request\n");
        (void)fflush(stdout);
    }
    if (there)
        rgb_net_close(&n);
    return 0;
}
