/* bench/nets.h -- networks to measure: a layer or several of a cell, planned. */
#ifndef RG_BENCH_NETS_H
#define RG_BENCH_NETS_H

#include "bench/bench.h"

/* A cell by name, and what it takes. */
typedef struct rgb_cell {
    const char   *name;
    rg_cell_fn   *make;
    rg_cell_opts  opts;
    int           gates;    /* products of x, and of the state, for each unit */
    double        states;   /* words for each unit and step that training must keep */
} rgb_cell;

/* "lstm", "gru", "gru-after", "rnn"; "peephole", "coupled", "layer-norm", "minimal". */
const rgb_cell *rgb_cell_of(const char *name);
rg_cell_fn rgb_peephole, rgb_coupled, rgb_layer_norm, rgb_minimal;

typedef struct rgb_shape {
    const char *cell;
    int64_t     T, B, I, H;
    int         layers;
    bool        forward;    /* else a training step, with the gradient of the input too */
    bool        both;       /* a layer for each direction, side by side */
} rgb_shape;

/* One direction: cell, T, B, I, H, layers, forward. */
#define RGB_SHAPE(...) RGB_SHAPE_OF(__VA_ARGS__)
#define RGB_SHAPE_OF(cell_, T_, B_, I_, H_, layers_, forward_)                                   \
    { .cell = (cell_), .T = (T_), .B = (B_), .I = (I_), .H = (H_), .layers = (layers_),           \
      .forward = (forward_) }

typedef struct rgb_net {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;        /* NULL: refused, rg_graph_message(graph) says why */
    rg_val     loss;        /* forward: the outputs */
    float     *x;
    int32_t   *length;
    double     compile;     /* seconds of building, differentiating, planning */
} rgb_net;

/* The loss is the mean of the squares of all outputs. A plan that is refused ends the program
 * unless it had a budget. */
void rgb_net_open(rgb_net *n, const rgb_shape *s, const rg_plan_opts *opts);
/* The same with a mask: rows of unequal length, T/2 to T. */
void rgb_net_open_masked(rgb_net *n, const rgb_shape *s, const rg_plan_opts *opts);
void rgb_net_close(rgb_net *n);
/* What arrays are filled with, array k, element i: within -scale .. scale. Every program that is
 * compared fills its arrays like this (bench/peers/common.py). */
float rgb_value(int64_t k, int64_t i, double scale);
/* A run; takes a rgb_net *. */
void rgb_net_run(void *net);

/* Products only: 2·T·B·G·H·(I + H) forward, three times that with all gradients. */
double rgb_flop(const rgb_shape *s);
/* Bytes that a training step of one layer cannot do without: input and its gradient, states,
 * weights, gradients, one packed copy of the recurrent weights for each direction. */
double rgb_bytes_bound(const rgb_shape *s);
/* Bytes of a run: arena, input, weights. */
double rgb_bytes(const rgb_net *n, const rgb_shape *s);
/* "gflops", "p_fma", "f_peak": operations of products in a time, the peak, the share of it. */
void rgb_speed(const rgb_shape *s, double seconds, double peak);
/* T, B, I, H, ... as keys of a line. */
void rgb_shape_line(const rgb_shape *s, int threads);

#endif
