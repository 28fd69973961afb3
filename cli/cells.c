/* cli/cells.c -- the built-in cells: constructor, equations, where they come from. */
#include "cli/cells.h"

#include <string.h>

const cell_row cells[] = {
    { "rnn", rg_rnn, { .nonlinearity = RG_TANH },
      "h' = tanh(x·U + h·W + b)\n",
      "J. L. Elman, Finding structure in time, 1990" },
    { "rnn-relu", rg_rnn, { .nonlinearity = RG_RELU },
      "h' = max(0, x·U + h·W + b)\n",
      "Q. V. Le, N. Jaitly, G. E. Hinton, A simple way to initialize recurrent networks of "
      "rectified linear units, 2015" },
    { "gru", rg_gru, { .reset_after = false },
      "r  = σ(x·Ur + h·Wr + br)\n"
      "u  = σ(x·Uu + h·Wu + bu)\n"
      "ĥ  = tanh(x·Ug + (r∘h)·Wg + bg)\n"
      "h' = u∘h + (1 − u)∘ĥ\n",
      "K. Cho et al., Learning phrase representations using RNN encoder-decoder, 2014" },
    { "gru-after", rg_gru, { .reset_after = true },
      "r  = σ(x·Ur + h·Wr + br)\n"
      "u  = σ(x·Uu + h·Wu + bu)\n"
      "ĥ  = tanh(x·Ug + bg + r∘(h·Wg))\n"
      "h' = u∘h + (1 − u)∘ĥ\n",
      "the form of PyTorch and cuDNN; K. Cho et al., 2014, version 1" },
    { "lstm", rg_lstm, { .forget_bias_0 = false },
      "i  = σ(x·Ui + h·Wi + bi)\n"
      "f  = σ(x·Uf + h·Wf + bf)\n"
      "g  = tanh(x·Uc + h·Wc + bc)\n"
      "o  = σ(x·Uo + h·Wo + bo)\n"
      "c' = f∘c + i∘g\n"
      "h' = o∘tanh(c')\n",
      "S. Hochreiter, J. Schmidhuber, Long short-term memory, 1997; forget gate: F. Gers et al., "
      "2000" },
};
const size_t n_cells = sizeof cells / sizeof *cells;

int cell_index(const char *name)
{
    for (size_t i = 0; i < n_cells; i++)
        if (strcmp(cells[i].name, name) == 0)
            return (int)i;
    return -1;
}
