/* layers/options.c -- what a built-in cell was asked for: is it possible, does the cell know it? */
#include "layers/cell.h"

#include "base/text.h"

#include <math.h>

/* ---- Checks --------------------------------------------------------------------------------- */

static bool refuse(const rg_cell_site *s, const char *what)
{
    rg_poison(s->graph, RG_EARG, "%s '%s': %s", s->cell, s->group ? s->group : "", what);
    return false;
}

/* Is each a member of its enumeration, or a number that it can be? */
static bool range_ok(const rg_cell_site *s)
{
    const rg_cell_opts *o = &s->opts;
    if (o->bias < RG_BIAS_SINGLE || o->bias > RG_BIAS_DOUBLE)
        return refuse(s, "bias is no member of rg_bias");
    if (o->init < RG_INIT_FOUNDING || o->init > RG_INIT_IRNN)
        return refuse(s, "init is no member of rg_init_set");
    if (o->nonlinearity < RG_TANH || o->nonlinearity > RG_IDENTITY)
        return refuse(s, "nonlinearity is no member of rg_nonlinearity");
    if (o->coupled < RG_UNCOUPLED || o->coupled > RG_KEEP_I)
        return refuse(s, "coupled is no member of rg_coupling");
    if (o->norm < RG_NORM_NONE || o->norm > RG_NORM_ADDONS)
        return refuse(s, "norm is no member of rg_norm_kind");
    if (o->pool < RG_POOL_FO || o->pool > RG_POOL_IFO)
        return refuse(s, "pool is no member of rg_pooling");
    if (o->window < 0 || o->window > INT64_MAX / s->I)
        return refuse(s, "window is how many inputs a step sees, or 0 for 2");
    if (o->bound_T < 0)
        return refuse(s, "bound_T is the longest lag, or 0 for no bound");
    if (o->proj < 0)
        return refuse(s, "proj is a width, or 0 for no projection");
    if (!(o->cell_clip >= 0) || isinf(o->cell_clip))
        return refuse(s, "cell_clip is a positive bound, or 0 for none");
    if (!(o->preact_clip >= 0) || isinf(o->preact_clip))
        return refuse(s, "preact_clip is a positive bound, or 0 for none");
    return (o->norm_eps >= 0 && !isinf(o->norm_eps)) ||
           refuse(s, "norm_eps is positive, or 0 for 1e-5");
}

/* Was anything asked for that the cell does not know? */
static bool known_ok(const rg_cell_site *s, unsigned knows)
{
    const rg_cell_opts *o = &s->opts;
    const unsigned clips = RG_KNOWS_RNN | RG_KNOWS_RESET | RG_KNOWS_LSTM;
    const struct { bool asked; unsigned by; const char *says; } row[] = {
        { o->nonlinearity != RG_TANH, RG_KNOWS_RNN,
          "nonlinearity is an option of rnn only; leave it 0" },
        { o->init == RG_INIT_IRNN, RG_KNOWS_RNN, "init irnn is for rnn only" },
        { o->reset_after || o->update_take, RG_KNOWS_RESET,
          "reset_after and update_take are options of gru only; leave them 0" },
        { o->forget_bias_0, RG_KNOWS_FORGET,
          "forget_bias_0 is an option of lstm, mgu and janet only; leave it 0" },
        { o->peephole || o->coupled || o->proj || o->cell_clip > 0, RG_KNOWS_LSTM,
          "peephole, coupled, proj and cell_clip are options of lstm only; leave them 0" },
        { o->preact_clip > 0, clips,
          "preact_clip is an option of rnn, gru and lstm only; leave it 0" },
        { o->norm || o->norm_eps > 0, RG_KNOWS_RESET | RG_KNOWS_LSTM,
          "norm and norm_eps are options of lstm and gru only; leave them 0" },
        { o->pool != RG_POOL_FO || o->window, RG_KNOWS_QRNN,
          "pool and window are options of qrnn only; leave them 0" },
        { o->sru_v1, RG_KNOWS_SRU, "sru_v1 is an option of sru only; leave it 0" },
        { o->log_form, RG_KNOWS_LOG, "log_form is an option of mingru only; leave it 0" },
        { o->bound_T != 0, RG_KNOWS_BOUND, "bound_T is an option of indrnn only; leave it 0" },
        { o->drop_recurrent != 0 || o->drop_weight != 0, RG_KNOWS_DROP_H,
          "it has no products with the state to drop from: drop_recurrent and drop_weight must be "
          "0" },
        { o->drop_candidate != 0, RG_KNOWS_DROP_G,
          "drop_candidate is for lstm, gru, mgu and janet; leave it 0" },
        { o->init == RG_INIT_CHRONO, RG_KNOWS_CHRONO,
          "init chrono needs a cell with gates (gru, lstm)" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        if (row[k].asked && !(knows & row[k].by))
            return refuse(s, row[k].says);
    return true;
}

static bool drops_ok(const rg_cell_site *s)
{
    const double p[3] = { s->opts.drop_recurrent, s->opts.drop_weight, s->opts.drop_candidate };
    static const char *const name[3] = { "drop_recurrent", "drop_weight", "drop_candidate" };
    char text[RG_NUMBER_TEXT];
    for (int k = 0; k < 3; k++)
        if (!(p[k] >= 0 && p[k] < 1)) {
            rg_poison(s->graph, RG_EARG, "%s '%s': %s must be in [0, 1), got %s", s->cell,
                      s->group ? s->group : "", name[k], rg_number(text, p[k], 9));
            return false;
        }
    return true;
}

/* Options that exclude each other. */
static bool together_ok(const rg_cell_site *s, unsigned knows)
{
    const rg_cell_opts *o = &s->opts;
    const bool normal_gru = o->norm && knows & RG_KNOWS_RESET;
    if (normal_gru && o->norm != RG_NORM_BA)
        return refuse(s, "norm of a gru is RG_NORM_BA; the other kinds are lstm's");
    if (normal_gru && !o->reset_after)
        return refuse(s, "a gru with norm resets after the product; set reset_after");
    if (normal_gru && (o->bias == RG_BIAS_SPLIT || o->bias == RG_BIAS_DOUBLE))
        return refuse(s, "norm of a gru has beta_hg inside the reset product: bias must be single "
                      "or none");
    if (o->bias == RG_BIAS_SPLIT && !o->reset_after)
        return refuse(s, "bias split exists for gru with reset_after only");
    if (o->norm_eps > 0 && !o->norm)
        return refuse(s, "norm_eps is used with norm only; leave it 0");
    if (o->norm == RG_NORM_TF_CONTRIB && (o->bias != RG_BIAS_SINGLE || o->init == RG_INIT_CHRONO))
        return refuse(s, "norm tf_contrib has betas instead of biases: bias must be 0, init not "
                      "chrono");
    return drops_ok(s);
}

static bool chrono_ok(const rg_cell_site *s)
{
    const rg_cell_opts *o = &s->opts;
    if (o->init != RG_INIT_CHRONO)
        return !o->chrono_T || refuse(s, "chrono_T is used with init chrono only; leave it 0");
    if (o->chrono_T < 2)
        return refuse(s, "init chrono needs chrono_T, the longest lag, of at least 2");
    return o->bias != RG_BIAS_NONE || refuse(s, "init chrono sets biases, but bias is none");
}

bool rg_cell_site_init(rg_cell_site *site, rg_graph *graph, const char *cell, const char *group,
                       int64_t I, int64_t H, const rg_cell_opts *opts, unsigned knows)
{
    *site = (rg_cell_site){ .graph = graph, .cell = cell, .group = group, .I = I, .H = H };
    if (opts)
        site->opts = *opts;
    site->R = site->opts.proj > 0 ? site->opts.proj : H;
    return rg_widths_ok(graph, cell, group, I, H) && range_ok(site) && known_ok(site, knows) &&
           together_ok(site, knows) && chrono_ok(site);
}

/* ---- The cell itself ------------------------------------------------------------------------ */

/* Of a cell that could not be made: its own graph knows why, the one it runs in now does not. */
static void failed_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)s, (void)next;
    if (x.graph)
        rg_poison(x.graph, RG_EGRAPH, "this cell could not be made; its own graph says why");
}

rg_cell rg_cell_of(const char *name, size_t n_state, const int64_t *width, rg_step_fn *step,
                   const void *weights)
{
    return (rg_cell){ name, n_state, width, weights ? step : failed_step, weights };
}

/* With forget_bias_0 no bias starts elsewhere than at 0: the gate of another start is f. */
rg_cell rg_gated_cell(const rg_gated_kind *kind, rg_graph *graph, const char *group, int64_t I,
                      int64_t H, const rg_cell_opts *opts)
{
    rg_gate_kind gate[RG_GATED];
    rg_cell_site site;
    rg_gated *p = NULL;
    if (rg_cell_site_init(&site, graph, kind->cell, group, I, H, opts, kind->knows) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (rg_gated){ .width = { H }, .drop = site.opts.drop_candidate };
        for (size_t k = 0; k < kind->n; k++) {
            gate[k] = kind->gate[k];
            if (site.opts.forget_bias_0)
                gate[k].bias = 0;
        }
        rg_gates_declare(p->gate, NULL, &site, gate, kind->n);
    }
    return rg_cell_of(kind->cell, 1, p ? p->width : NULL, kind->step, p);
}
