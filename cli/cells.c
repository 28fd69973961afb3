/* cli/cells.c -- the built-in cells: constructor, options, where they come from; how large. */
#include "cli/cells.h"

#include <stdio.h>
#include <string.h>

/*    name             constructor  source                                       options     */
#define CELL_ROWS(_)                                                                              \
    _("rnn", rg_rnn, "J. L. Elman, Finding structure in time, 1990", .nonlinearity = RG_TANH)     \
    _("rnn-relu", rg_rnn, IRNN, .nonlinearity = RG_RELU)                                          \
    _("irnn", rg_rnn, IRNN "; W starts as the identity", .nonlinearity = RG_RELU,                 \
      .init = RG_INIT_IRNN)                                                                       \
    _("gru", rg_gru, CHO, .reset_after = false)                                                   \
    _("gru-after", rg_gru, "the form of PyTorch and cuDNN; " CHO ", version 1",                   \
      .reset_after = true)                                                                        \
    _("gru-ln", rg_gru, LAYER_NORM "; resets after the product", .norm = RG_NORM_BA,              \
      .reset_after = true)                                                                        \
    _("lstm", rg_lstm, LSTM "; forget gate: F. Gers et al., 2000", .peephole = false)             \
    _("lstm-peephole", rg_lstm, "F. A. Gers, J. Schmidhuber, Recurrent nets that time and "       \
      "count, 2000", .peephole = true)                                                            \
    _("lstm-coupled", rg_lstm, "K. Greff et al., LSTM: a search space odyssey, 2017",             \
      .coupled = RG_KEEP_F)                                                                       \
    _("lstm-proj", rg_lstm, "H. Sak, A. Senior, F. Beaufays, Long short-term memory based "       \
      "recurrent neural network architectures, 2014", .proj = 1)                                  \
    _("lstm-ln", rg_lstm, LAYER_NORM, .norm = RG_NORM_BA)                                         \
    _("mgu", rg_mgu, "G.-B. Zhou et al., Minimal gated unit for recurrent neural networks, "      \
      "2016", .bias = RG_BIAS_SINGLE)                                                             \
    _("janet", rg_janet, "J. van der Westhuizen, J. Lasenby, The unreasonable effectiveness of "  \
      "the forget gate, 2018", .bias = RG_BIAS_SINGLE)                                            \
    _("mingru", rg_mingru, FENG, .bias = RG_BIAS_SINGLE)                                          \
    _("mingru-log", rg_mingru, FENG "; its form for logarithms, h starts at 1/2",                 \
      .log_form = true)                                                                           \
    _("minlstm", rg_minlstm, FENG, .bias = RG_BIAS_SINGLE)                                        \
    _("indrnn", rg_indrnn, "S. Li et al., Independently recurrent neural network, 2018",          \
      .bias = RG_BIAS_SINGLE)                                                                     \
    _("sru", rg_sru, "T. Lei et al., Simple recurrent units for highly parallelizable "           \
      "recurrence, 2018", .bias = RG_BIAS_SINGLE)                                                 \
    _("sru-v1", rg_sru, "T. Lei, Y. Zhang, Training RNNs as fast as CNNs, 2017",                  \
      .sru_v1 = true)                                                                             \
    _("qrnn", rg_qrnn, "J. Bradbury et al., Quasi-recurrent neural networks, 2016",               \
      .pool = RG_POOL_FO)

#define IRNN "Q. V. Le, N. Jaitly, G. E. Hinton, A simple way to initialize recurrent networks "  \
             "of rectified linear units, 2015"
#define CHO  "K. Cho et al., Learning phrase representations using RNN encoder-decoder, 2014"
#define LSTM "S. Hochreiter, J. Schmidhuber, Long short-term memory, 1997"
#define LAYER_NORM "J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, 2016"
#define FENG "L. Feng et al., Were RNNs all we needed?, 2024"

#define ROW(name, make, source, ...) { name, make, { __VA_ARGS__ }, source },
#define CHOICE_OF(name, ...) "|" name

const cell_row cells[] = { CELL_ROWS(ROW) };
const size_t n_cells = sizeof cells / sizeof *cells;
const char cell_choices[] = CELL_ROWS(CHOICE_OF);

int cell_index(const char *name)
{
    for (size_t i = 0; i < n_cells; i++)
        if (strcmp(cells[i].name, name) == 0)
            return (int)i;
    return -1;
}

rg_cell_opts cell_trained(const settings *s)
{
    rg_cell_opts opts = cell_opts(s->cell, s->proj, s->hidden);
    opts.bound_T = s->bound_lag;
    return opts;
}

rg_cell_opts cell_opts(int cell, int64_t proj, int64_t hidden)
{
    rg_cell_opts opts = cells[cell].opts;
    if (opts.proj)
        opts.proj = proj ? proj : hidden > 1 ? hidden / 2 : 1;
    return opts;
}

rg_cell cell_half_projected(rg_graph *graph, const char *group, int64_t I, int64_t H,
                            const rg_cell_opts *opts)
{
    rg_cell_opts half = *opts;
    half.proj = H > 1 ? H / 2 : 1;
    return rg_lstm(graph, group, I, H, &half);
}

rg_cell cell_stack(const settings *s, rg_graph *graph, const rg_cell_opts *opts)
{
    rg_cell cell[MAX_STACK];
    char group[16];
    int64_t I = s->input;
    for (int64_t k = 0; k < s->layers; k++) {
        (void)snprintf(group, sizeof group, "l%d", (int)k);
        cell[k] = cells[s->cell].make(graph, group, I, s->hidden, opts);
        if (cell[k].width)
            I = cell[k].width[0];
    }
    return s->layers == 1 ? cell[0] : rg_stacked(graph, cell, (size_t)s->layers, 0);
}

int cell_settings_ok(const settings *s)
{
    if (s->proj && !cells[s->cell].opts.proj)
        return fail(USAGE, "--proj: %s has no projection; lstm-proj has", cells[s->cell].name);
    if (s->bound_lag && cells[s->cell].make != rg_indrnn)
        return fail(USAGE, "--bound-lag: %s has no v to bound; indrnn has", cells[s->cell].name);
    return DONE;
}

/* ---- How large ------------------------------------------------------------------------------ */

typedef enum quantity { WEIGHTS, FLOP, STATES } quantity;

/* Weights, operations of a step, or states, at these widths; -1: no memory. */
static double measure(int cell, int64_t I, int64_t H, int64_t P, quantity what)
{
    const rg_cell_opts opts = cell_opts(cell, P, H);
    rg_params *params = NULL;
    rg_graph *g = NULL;
    double n = -1;
    if (rg_params_create(&params, 1, NULL) == RG_OK && rg_graph_create(&g, params, NULL) == RG_OK) {
        rg_cell made = cells[cell].make(g, NULL, I, H, &opts);
        if (what == FLOP)
            n = rg_step_flop(&made, rg_zeros(g, RG_SHAPE(1, I)), NULL);
        else if (rg_graph_status(g) == RG_OK)
            n = what == STATES ? (double)made.n_state : 0;
        for (size_t i = 0; what == WEIGHTS && n >= 0 && i < rg_params_count(params); i++)
            n += (double)rg_shape_count(rg_params_at(params, i).shape);
    }
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
    return n;
}

/* The coefficients, from six small cells; widths differ, since a cell may take I = H apart. */
static bool fit(cell_size *out, int cell, quantity what)
{
    static const int64_t at[6][3] = { { 5, 1, 1 }, { 5, 2, 1 }, { 5, 3, 1 }, { 6, 1, 1 },
                                      { 6, 2, 1 }, { 5, 1, 2 } };
    double n[6];
    for (int k = 0; k < 6; k++)
        if ((n[k] = measure(cell, at[k][0], at[k][1], at[k][2], what)) < 0)
            return false;
    out->HH = (n[2] - 2 * n[1] + n[0]) / 2;
    out->IH = n[4] - n[3] - n[1] + n[0];
    out->PH = n[5] - n[0];
    out->H = n[1] - n[0] - 5 * out->IH - 3 * out->HH - out->PH;
    out->I = n[3] - n[0] - out->IH;
    out->one = n[0] - 5 * out->IH - out->HH - out->PH - 5 * out->I - out->H;
    return true;
}

bool cell_weights(cell_size *out, int cell)
{
    return fit(out, cell, WEIGHTS);
}

bool cell_flop(cell_size *out, int cell)
{
    return fit(out, cell, FLOP);
}

size_t cell_states(int cell)
{
    const double n = measure(cell, 5, 2, 1, STATES);
    return n > 0 ? (size_t)n : 0;
}

double cell_size_at(const cell_size *n, double I, double H, double P)
{
    return n->IH * I * H + n->HH * H * H + n->PH * P * H + n->I * I + n->H * H + n->one;
}

const char *cell_size_text(char *out, size_t size, const cell_size *n)
{
    const struct { double factor; const char *of; } term[] = {
        { n->IH, "·I·H" }, { n->PH, "·P·H" }, { n->HH, "·H²" }, { n->I, "·I" }, { n->H, "·H" },
        { n->one, "" },
    };
    int at = 0;
    out[0] = '\0';
    for (size_t k = 0; k < sizeof term / sizeof *term && at >= 0 && (size_t)at < size; k++)
        if (term[k].factor == 1 && *term[k].of) /* H² for 1·H² */
            at += snprintf(out + at, size - (size_t)at, "%s%s", at ? " + " : "",
                           term[k].of + strlen("·"));
        else if (term[k].factor != 0)
            at += snprintf(out + at, size - (size_t)at, "%s%.0f%s", at ? " + " : "",
                           term[k].factor, term[k].of);
    return out;
}
