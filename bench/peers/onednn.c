/* bench/peers/onednn.c -- recurrent layers by oneDNN's C API (2.x), as a worker: see common.py.
 *
 * Weights take the layout that oneDNN asks for within the step, since they change from step to
 * step; so does the gradient of the outputs of the mean of their squares. Gradients of weights are
 * added to by oneDNN, and cleared before. */
#define _POSIX_C_SOURCE 200809L
#include <oneapi/dnnl/dnnl.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct shape {
    char    what[16], cell[32];
    int64_t T, B, I, H;
    int     gates, biases;
} shape;

/* Arrays of the caller's layout, and what primitives see. */
enum { X, U, W, BIAS, HS, DX, DU, DW, DBIAS, DHS, PLAIN };
enum { FU = PLAIN, FW, BU, BW, SPACE, ARRAYS };

typedef struct layer {
    shape                 s;
    dnnl_engine_t         engine;
    dnnl_stream_t         stream;
    dnnl_memory_t         at[ARRAYS];
    float                *data[PLAIN];
    size_t                count[PLAIN];
    dnnl_primitive_t      forward, backward;
    dnnl_primitive_t      reorder[4];  /* U, W for forward, for backward */
} layer;

static void check(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    (void)fprintf(stderr, "onednn_peer: %s: status %d\n", what, (int)status);
    exit(1);
}

static double milliseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* ---- Descriptions --------------------------------------------------------------------------- */

static dnnl_memory_desc_t describe(int n, const dnnl_dims_t dim, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;
    check(dnnl_memory_desc_init_by_tag(&d, n, dim, dnnl_f32, tag), "memory");
    return d;
}

static dnnl_memory_desc_t plain(const shape *s, int which, dnnl_format_tag_t weights)
{
    const dnnl_dims_t x = { s->T, s->B, s->I }, h = { s->T, s->B, s->H };
    const dnnl_dims_t u = { 1, 1, s->I, s->gates, s->H }, w = { 1, 1, s->H, s->gates, s->H };
    const dnnl_dims_t b = { 1, 1, s->biases, s->H };
    switch (which) {
    case X: case DX: return describe(3, x, dnnl_tnc);
    case U: case DU: return describe(5, u, weights);
    case W: case DW: return describe(5, w, weights);
    case BIAS: case DBIAS: return describe(4, b, dnnl_ldgo);
    default: return describe(3, h, dnnl_tnc);
    }
}

/* The primitive's description; forward where @p hint is NULL. */
static dnnl_primitive_desc_t prepare(const layer *l, dnnl_primitive_desc_t hint)
{
    const shape *s = &l->s;
    dnnl_memory_desc_t d[PLAIN];
    dnnl_rnn_desc_t rnn;
    dnnl_primitive_desc_t out;
    const dnnl_prop_kind_t prop = strcmp(s->what, "train") == 0 ? dnnl_forward_training
                                                                : dnnl_forward_inference;
    const dnnl_rnn_direction_t way = dnnl_unidirectional_left2right;
    for (int k = 0; k < PLAIN; k++)
        d[k] = plain(s, k, k == U || k == W ? dnnl_format_tag_any : dnnl_ldigo);
#define FORWARD &d[X], NULL, &d[U], &d[W], &d[BIAS], &d[HS], NULL
#define BACKWARD FORWARD, &d[DX], NULL, &d[DU], &d[DW], &d[DBIAS], &d[DHS], NULL
    if (strcmp(s->cell, "lstm") == 0 && !hint)
        check(dnnl_lstm_forward_desc_init(&rnn, prop, way, &d[X], NULL, NULL, &d[U], &d[W],
                                          &d[BIAS], &d[HS], NULL, NULL, 0), "lstm");
    else if (strcmp(s->cell, "lstm") == 0)
        check(dnnl_lstm_backward_desc_init(&rnn, dnnl_backward, way, &d[X], NULL, NULL, &d[U],
                                           &d[W], &d[BIAS], &d[HS], NULL, NULL, &d[DX], NULL, NULL,
                                           &d[DU], &d[DW], &d[DBIAS], &d[DHS], NULL, NULL, 0),
              "lstm backward");
    else if (strcmp(s->cell, "gru") == 0)
        check(hint ? dnnl_gru_backward_desc_init(&rnn, dnnl_backward, way, BACKWARD, 0)
                   : dnnl_gru_forward_desc_init(&rnn, prop, way, FORWARD, 0), "gru");
    else if (strcmp(s->cell, "gru-after") == 0)
        check(hint ? dnnl_lbr_gru_backward_desc_init(&rnn, dnnl_backward, way, BACKWARD, 0)
                   : dnnl_lbr_gru_forward_desc_init(&rnn, prop, way, FORWARD, 0), "lbr gru");
    else
        check(hint ? dnnl_vanilla_rnn_backward_desc_init(&rnn, dnnl_backward, dnnl_eltwise_tanh,
                                                         way, BACKWARD, 0, 0, 0)
                   : dnnl_vanilla_rnn_forward_desc_init(&rnn, prop, dnnl_eltwise_tanh, way,
                                                        FORWARD, 0, 0, 0), "rnn");
    check(dnnl_primitive_desc_create(&out, &rnn, NULL, l->engine, hint), "primitive");
    return out;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static void fill(layer *l)
{
    static const int gru[] = { 1, 0, 2 }; /* ours: r u g; oneDNN's: u r g */
    const shape *s = &l->s;
    const int which[] = { U, W };
    for (int m = 0; m < 2; m++) {
        const int64_t rows = m ? s->H : s->I;
        for (int g = 0; g < s->gates; g++) {
            const int64_t k = 4 * m + (s->gates == 3 ? gru[g] : g);
            for (int64_t i = 0; i < rows * s->H; i++)
                l->data[which[m]][i / s->H * s->gates * s->H + g * s->H + i % s->H] =
                    (float)(0.1 * ((double)((31 * k + i) * 7919 % 1009) / 504.5 - 1));
        }
    }
    for (int64_t i = 0; i < s->T * s->B * s->I; i++)
        l->data[X][i] = (float)((double)(i * 7919 % 1009) / 504.5 - 1);
}

static dnnl_memory_t memory_for(layer *l, dnnl_primitive_desc_t p, dnnl_query_t what, int index)
{
    dnnl_memory_t m;
    check(dnnl_memory_create(&m, dnnl_primitive_desc_query_md(p, what, index), l->engine,
                             DNNL_MEMORY_ALLOCATE), "memory");
    return m;
}

static dnnl_primitive_t reorder(layer *l, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *a, *b;
    dnnl_primitive_desc_t d;
    dnnl_primitive_t p;
    check(dnnl_memory_get_memory_desc(from, &a), "memory");
    check(dnnl_memory_get_memory_desc(to, &b), "memory");
    check(dnnl_reorder_primitive_desc_create(&d, a, l->engine, b, l->engine, NULL), "reorder");
    check(dnnl_primitive_create(&p, d), "reorder");
    check(dnnl_primitive_desc_destroy(d), "reorder");
    return p;
}

static void open_layer(layer *l)
{
    const bool train = strcmp(l->s.what, "train") == 0;
    for (int k = 0; k < PLAIN; k++) {
        const dnnl_memory_desc_t d = plain(&l->s, k, dnnl_ldigo);
        check(dnnl_memory_create(&l->at[k], &d, l->engine, DNNL_MEMORY_ALLOCATE), "memory");
        check(dnnl_memory_get_data_handle(l->at[k], (void **)&l->data[k]), "memory");
        l->count[k] = dnnl_memory_desc_get_size(&d) / sizeof(float);
        memset(l->data[k], 0, l->count[k] * sizeof(float));
    }
    fill(l);
    dnnl_primitive_desc_t f = prepare(l, NULL), b = train ? prepare(l, f) : NULL;
    check(dnnl_primitive_create(&l->forward, f), "forward");
    l->at[FU] = memory_for(l, f, dnnl_query_weights_md, 0);
    l->at[FW] = memory_for(l, f, dnnl_query_weights_md, 1);
    l->reorder[0] = reorder(l, l->at[U], l->at[FU]);
    l->reorder[1] = reorder(l, l->at[W], l->at[FW]);
    l->backward = NULL;
    if (train) {
        check(dnnl_primitive_create(&l->backward, b), "backward");
        l->at[SPACE] = memory_for(l, f, dnnl_query_workspace_md, 0);
        l->at[BU] = memory_for(l, b, dnnl_query_weights_md, 0);
        l->at[BW] = memory_for(l, b, dnnl_query_weights_md, 1);
        l->reorder[2] = reorder(l, l->at[U], l->at[BU]);
        l->reorder[3] = reorder(l, l->at[W], l->at[BW]);
        check(dnnl_primitive_desc_destroy(b), "backward");
    }
    check(dnnl_primitive_desc_destroy(f), "forward");
}

static void close_layer(layer *l)
{
    const bool train = l->backward != NULL;
    for (int k = 0; k < ARRAYS; k++)
        if (k < BU || train)
            check(dnnl_memory_destroy(l->at[k]), "memory");
    for (int k = 0; k < (train ? 4 : 2); k++)
        check(dnnl_primitive_destroy(l->reorder[k]), "reorder");
    check(dnnl_primitive_destroy(l->forward), "forward");
    if (train)
        check(dnnl_primitive_destroy(l->backward), "backward");
}

/* ---- Running -------------------------------------------------------------------------------- */

static void relay(layer *l, int k, int from, int to)
{
    const dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, l->at[from] }, { DNNL_ARG_TO, l->at[to] } };
    check(dnnl_primitive_execute(l->reorder[k], l->stream, 2, arg), "reorder");
}

static void step(layer *l)
{
    const dnnl_exec_arg_t arg[] = {
        { DNNL_ARG_SRC_LAYER, l->at[X] }, { DNNL_ARG_WEIGHTS_LAYER, l->at[FU] },
        { DNNL_ARG_WEIGHTS_ITER, l->at[FW] }, { DNNL_ARG_BIAS, l->at[BIAS] },
        { DNNL_ARG_DST_LAYER, l->at[HS] }, { DNNL_ARG_WORKSPACE, l->at[SPACE] },
        { DNNL_ARG_DIFF_SRC_LAYER, l->at[DX] }, { DNNL_ARG_DIFF_WEIGHTS_LAYER, l->at[DU] },
        { DNNL_ARG_DIFF_WEIGHTS_ITER, l->at[DW] }, { DNNL_ARG_DIFF_BIAS, l->at[DBIAS] },
        { DNNL_ARG_DIFF_DST_LAYER, l->at[DHS] } };
    relay(l, 0, U, FU);
    relay(l, 1, W, FW);
    check(dnnl_primitive_execute(l->forward, l->stream, l->backward ? 6 : 5, arg), "forward");
    check(dnnl_stream_wait(l->stream), "forward");
    if (!l->backward)
        return;
    const float slope = 2 / (float)l->count[HS];
    for (size_t i = 0; i < l->count[HS]; i++)
        l->data[DHS][i] = slope * l->data[HS][i];
    for (int k = DU; k <= DBIAS; k++)
        memset(l->data[k], 0, l->count[k] * sizeof(float));
    relay(l, 2, U, BU);
    relay(l, 3, W, BW);
    dnnl_exec_arg_t back[11];
    memcpy(back, arg, sizeof back);
    back[1].memory = l->at[BU];
    back[2].memory = l->at[BW];
    check(dnnl_primitive_execute(l->backward, l->stream, 11, back), "backward");
    check(dnnl_stream_wait(l->stream), "backward");
}

static double per_call(layer *l, int64_t calls)
{
    if (calls > 1)
        step(l);
    const double begin = milliseconds();
    for (int64_t i = 0; i < calls; i++)
        step(l);
    return (milliseconds() - begin) / (double)calls;
}

static bool read_shape(shape *s, const char *line)
{
    long T, B, I, H;
    int threads;
    if (sscanf(line, "open %15s %31s %ld %ld %ld %ld %d", s->what, s->cell, &T, &B, &I, &H,
               &threads) != 7)
        return false;
    s->T = T, s->B = B, s->I = I, s->H = H;
    s->gates = strcmp(s->cell, "lstm") == 0 ? 4 : strncmp(s->cell, "gru", 3) == 0 ? 3 : 1;
    s->biases = strcmp(s->cell, "gru-after") == 0 ? 4 : s->gates;
    return true;
}

static void answer_open(layer *l, int64_t *calls)
{
    double sum = 0;
    open_layer(l);
    step(l);
    for (size_t i = 0; i < l->count[HS]; i++)
        sum += (double)l->data[HS][i] * (double)l->data[HS][i];
    (void)printf("ready %.9g\n", sum / (double)l->count[HS]);
    const double once = per_call(l, 1);
    *calls = once < 20 ? (int64_t)(20 / once) : 1;
}

int main(int argc, char **argv)
{
    layer l = { .backward = NULL };
    bool there = false;
    int64_t calls = 1;
    char line[256];
    const dnnl_version_t *v = dnnl_version();
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return printf("onednn-%d.%d.%d\n", v->major, v->minor, v->patch) < 0;
    check(dnnl_engine_create(&l.engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&l.stream, l.engine, dnnl_stream_default_flags), "stream");
    while (fgets(line, sizeof line, stdin)) {
        const bool opening = strncmp(line, "open ", 5) == 0;
        if (opening && there)
            close_layer(&l);
        if (opening && (there = read_shape(&l.s, line)))
            answer_open(&l, &calls);
        else if (there && strncmp(line, "round", 5) == 0)
            (void)printf("%.6f\n", per_call(&l, calls));
        else
            (void)printf("no such request\n");
        (void)fflush(stdout);
    }
    if (there)
        close_layer(&l);
    check(dnnl_stream_destroy(l.stream), "stream");
    check(dnnl_engine_destroy(l.engine), "engine");
    return 0;
}
