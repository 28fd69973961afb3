/* tests/check/nets.h -- small recurrent nets written out by hand, for the tests of gradcheck. */
#ifndef RGT_CHECK_NETS_H
#define RGT_CHECK_NETS_H

#include <retrograd/check.h>
#include <retrograd/grad.h>
#include <retrograd/ops.h>

/* A store, a graph, and the report of the last check. */
typedef struct net {
    rg_params           *ps;
    rg_graph            *g;
    rg_gradcheck_report *report;
} net;

void net_open(net *n, uint64_t seed);
void net_close(net *n);
/* rg_gradcheck() of every parameter, or of x; the report is kept in n. */
rg_verdict net_check(net *n, rg_val loss, const rg_val *x, size_t n_x,
                     const rg_gradcheck_opts *opts);
/* The block of that name, step and order (first: oracle is not "second order"); NULL if none. */
const rg_gradcheck_block *net_block(const net *n, const char *name, int64_t step);

/* The law of that name; NULL if it was not asked. */
const rg_gradcheck_law *net_law(const net *n, const char *name);

/* y = x with a rule that gives nothing. */
extern const rg_op net_lost;

/* One function of a pre-activation, for nets whose nonlinearity is under test. */
typedef rg_val net_fn(rg_val x);

/* Which cell, and its sizes; recurrent weights are `gain` times orthonormal. */
typedef enum net_cell { NET_RNN, NET_GRU, NET_LSTM } net_cell;
typedef struct net_shape {
    net_cell cell;
    int64_t  T, B, I, H;
    double   gain;
    net_fn  *fn;       /* NET_RNN: NULL = tanh */
} net_shape;

/* Cross-entropy of classes read from the last state, with a learned initial state: a scalar.
 * Inputs "x" [T,B,I] and "y" [B]; the outputs of the steps go to h, if not NULL. */
rg_val net_build(net *n, const net_shape *s, rg_val *h);

#endif
