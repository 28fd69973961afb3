/* retrograd/layers.h -- cells, unrolling, layers, losses: compositions of ops.h, nothing else.
 *
 * T steps, B rows, I input width, H state width. Sequences are [T,B,I], one step is [B,I]. What
 * each cell, mask and loss means exactly: docs/MATH.md 3 to 6, 10. */
#ifndef RETROGRAD_LAYERS_H
#define RETROGRAD_LAYERS_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The cell interface -------------------------------------------------------------------- */

/**
 * One step of a recurrence: read x and the states s[0 .. n_state-1], write the next ones.
 *
 * @param weights   what the rg_cell carries: yours to cast
 * @param x         [B,I]
 * @param s         states before the step, each [B, width[k]]
 * @param next      states after the step, another array than s. next[0] is the output; a cell whose
 *                  output is no state of its own (SRU, QRNN) lists it first and never reads it
 */
typedef void rg_step_fn(const void *weights, rg_val x, const rg_val *s, rg_val *next);

/* A cell is a step and what it needs; plain data, copied freely:
 *     { "gru", 1, (int64_t[]){ H }, gru_step, &w }
 * `width` and `weights` are read while the graph is built only, so they may live on the stack. */
typedef struct rg_cell {
    const char    *name;     /* scope of its nodes: "gru" */
    size_t         n_state;  /* at least 1 */
    const int64_t *width;    /* of each state; NULL = initial states must be given, any [B,...] */
    rg_step_fn    *step;
    const void    *weights;
} rg_cell;

typedef struct rg_unroll_opts {
    rg_val  mask;         /* [T,B] RG_BOOL, 1 = real step; see rg_length_mask(). None = all real */
    rg_val  reset;        /* [T,B] RG_BOOL, 1 = the row's states start anew before this step */
    bool    reverse;      /* from the last real step to the first; outputs stay in input order */
    bool    hold_output;  /* output at a masked step: the last real one, not 0 */
    bool    run_order;    /* with reverse: outputs in the order of running, y[0] from X[T-1] */
    const double *zoneout; /* [n_state] share of each state that a step leaves as it was, 0 .. 1:
                              drawn anew at every step, the mean in evaluation. NULL = none */
    int64_t back;   /* truncated back-propagation: states are detached before the last `back`
                       steps that run, and before each `back` of the others. 0 = never */
    rg_val *states; /* receives every state: T·n_state values, states[t·n_state + k]. NULL = no */
} rg_unroll_opts;

/**
 * Run a cell over a sequence: the definition of recurrence in this library. It is a loop that
 * selects X[t], calls cell->step in the scope `name step t`, and applies reset and mask by
 * selection.
 *
 * @param[out] last   the n_state final states, each [B, width[k]] (with a mask: after each row's
 *                    last real step); NULL if not wanted
 * @param cell        read during the call
 * @param X           [T,B,I], or [T,B,...] for a step that wants it; T = 0 is legal. Further
 *                    per-step inputs are concatenated to it; what is the same at every step goes
 *                    into the weights
 * @param s0          n_state initial states, [B, width[k]] or broadcast to it, of any origin: an
 *                    input to be bound or carried, a parameter [H] to learn, rg_normal(), an
 *                    encoder's state. NULL = zeros, or what rg_cell_start() says
 * @param opts        NULL = no mask, forward
 * @return            outputs [T,B,H]; exactly 0 at masked steps
 *
 * Masks      carry the state unchanged through masked steps, forward and backward; what X holds
 *            there, NaN included, changes no bit anywhere (docs/MATH.md 5.3)
 * Errors     RG_ESHAPE mask is not [T,B], a state changes shape between steps; RG_EARG a cell
 *            without step, or without width and s0, back < 0; RG_EUSER a step left a state unset.
 *            All with the step's scope. Sticky; on a poisoned graph no step is called.
 * Cost       T times the nodes of a step; the plan merges what does not depend on the state
 * See also   rg_step(), for loops of your own; rg_stacked() for several layers
 */
RG_API rg_val rg_unroll(rg_val *last, const rg_cell *cell, rg_val X, const rg_val *s0,
                        const rg_unroll_opts *opts);

/* One step in the scope `name step t`, for loops that rg_unroll does not cover (greedy decoding,
 * feedback). s = NULL is zeros; next may be s. */
RG_API void rg_step(rg_val *next, const rg_cell *cell, rg_val x, const rg_val *s, int64_t t);

/* [B] RG_INT lengths in 0 .. T (else RG_EINDEX at run time) -> [T,B] RG_BOOL, t < n. */
RG_API rg_val rg_length_mask(rg_val lengths, int64_t T);

/**
 * Write what a cell computes in one step as equations, read off its nodes: yours as well.
 *
 *     rg_formula_print(&cell, rg_input(g, NULL, RG_F, RG_SHAPE(1, I)), NULL, rg_to_file, stdout);
 *
 * Takes one step in the graph of @p x, which must be that of the cell's weights; nobody reads the
 * nodes made. A value has a line and a name if it is a state, if it is read more than once, or if
 * it is a gate: a nonlinear function of what weights make, called what their names end in (Ui, Wi,
 * bi: i). States are h, c, n, m; y is an output that no step reads, p a state that becomes x. What
 * a step makes in a scope of its own, with one result, is written as a function: rg_layer_norm() as
 * LN(v, γ, β). "In 4 blocks: s₁ …" says that s is sliced. ∘ is by element, · the product.
 *
 * @param x   [B,I], what a step reads
 * @param s   states before, [B, width[k]]; NULL = zeros
 *
 * Errors     as rg_step(), which stick to the graph; RG_ENOMEM
 */
RG_API rg_status rg_formula_print(const rg_cell *cell, rg_val x, const rg_val *s,
                                  rg_write_fn *write, void *user);
/* Operations of such a step: 2·M·K·N for a product, 1 for each element of anything else that is not
 * only moved. -1: it could not be taken. */
RG_API double rg_step_flop(const rg_cell *cell, rg_val x, const rg_val *s);

/* ---- Gates: what most cells are made of ---------------------------------------------------- */

/* Weights of one gate. Fill it by hand for other initialisers, or without bias (b = RG_NONE). */
typedef struct rg_gate {
    rg_val      U;       /* [I,H], input */
    rg_val      W;       /* [H,H], state */
    rg_val      b;       /* [H] */
    double      drop;    /* recurrent dropout: share of h that h·W does not see, one mask a run */
    const char *stream;  /* name of that mask; gates of one name share it */
} rg_gate;

/**
 * Declare `group.U<gate>`, `group.W<gate>`, `group.b<gate>`: e.g. enc.Ui, enc.Wi, enc.bi. No
 * dropout; set `drop` for some: the gates of a group have one mask.
 *
 * @param gate   suffix, "i"; "" for a cell with one
 * @param bias   initial value of every element of b (1 for a forget gate). U starts glorot, W
 *               orthogonal
 */
RG_API rg_gate rg_gate_declare(rg_graph *graph, const char *group, const char *gate,
                               int64_t I, int64_t H, double bias);

/* x·U + h·W + b, the pre-activation: rg_sigmoid(rg_gate_sum(&p->i, x, h)). */
RG_API rg_val rg_gate_sum(const rg_gate *gate, rg_val x, rg_val h);
/* h as that product sees it, after recurrent dropout: for gates that are summed in another way. */
RG_API rg_val rg_gate_state(const rg_gate *gate, rg_val h);

/* ---- Built-in cells ------------------------------------------------------------------------ */

typedef enum rg_bias {
    RG_BIAS_SINGLE = 0, RG_BIAS_NONE, RG_BIAS_SPLIT, RG_BIAS_DOUBLE
} rg_bias;
typedef enum rg_init_set {
    RG_INIT_FOUNDING = 0, RG_INIT_TORCH, RG_INIT_KERAS, RG_INIT_CHRONO,
    RG_INIT_IRNN  /* rnn: W starts as the identity (Le, Jaitly, Hinton 2015) */
} rg_init_set;
typedef enum rg_nonlinearity { RG_TANH = 0, RG_RELU, RG_IDENTITY } rg_nonlinearity;
/* One gate less: i = 1 - f, or f = 1 - i as ONNX's input_forget. */
typedef enum rg_coupling { RG_UNCOUPLED = 0, RG_KEEP_F, RG_KEEP_I } rg_coupling;
/* Four different cells, all called layer-norm LSTM (docs/MATH.md 4.1). BA: of Ba, Kiros, Hinton
 * 2016. TF_CONTRIB and ADDONS: TensorFlow's, which carry the normalised c. */
typedef enum rg_norm_kind {
    RG_NORM_NONE = 0, RG_NORM_BA, RG_NORM_HASTE, RG_NORM_TF_CONTRIB, RG_NORM_ADDONS
} rg_norm_kind;
typedef enum rg_pooling { RG_POOL_FO = 0, RG_POOL_F, RG_POOL_IFO } rg_pooling;

/* One struct for all, so that constructors have one type. What a cell does not know must be 0. */
typedef struct rg_cell_opts {
    rg_bias         bias;          /* docs/MATH.md 3.4 */
    rg_init_set     init;          /* weights and biases, docs/MATH.md 7 */
    int64_t         chrono_T;      /* with RG_INIT_CHRONO: longest lag */
    rg_nonlinearity nonlinearity;  /* rnn */
    bool            reset_after;   /* gru: ĥ = tanh(x·Ug + r∘(h·Wg)), as PyTorch; default: before */
    bool            update_take;   /* gru: h' = (1-u)∘h + u∘ĥ; default: u keeps */
    bool            forget_bias_0; /* lstm, mgu, janet: bias of f starts at 0; default: 1 */
    bool            peephole;      /* lstm: i and f see c, o sees c' */
    rg_coupling     coupled;       /* lstm */
    int64_t         proj;          /* lstm: h' = (o∘tanh(c'))·proj has this width; 0 = H */
    double          cell_clip;     /* lstm: c' is kept within ±this; 0 = not */
    double          preact_clip;   /* rnn, gru, lstm: what σ, tanh, φ are taken of is kept within
                                      ±this, as ONNX's clip does; 0 = not */
    rg_norm_kind    norm;          /* lstm; gru with reset_after: RG_NORM_BA */
    double          norm_eps;      /* with norm; 0 = 1e-5 */
    rg_pooling      pool;          /* qrnn */
    int64_t         window;        /* qrnn: inputs that a step sees, this one among them; 0 = 2 */
    bool            sru_v1;        /* sru as of 2017: no v, y = r∘tanh(c') + (1-r)∘x */
    bool            log_form;      /* mingru: ĥ = ψ(x·Ug + bg) > 0, h starts at 1/2 */
    int64_t         bound_T;       /* indrnn: |v| <= 2^(1/bound_T) after every update; 0 = free */
    double          drop_recurrent; /* dropout, docs/MATH.md 9: of h on its way into h·W, */
    double          drop_weight;    /* of the elements of W (one mask a run each), */
    double          drop_candidate; /* of the new values; fresh at every step */
} rg_cell_opts;

/* Type of a constructor: a program's `--cell` is a table of these, yours among them. */
typedef rg_cell rg_cell_fn(rg_graph *graph, const char *group, int64_t I, int64_t H,
                           const rg_cell_opts *opts);

/* h' = tanh(x·U + h·W + b).  One state, h. */
RG_API rg_cell rg_rnn(rg_graph *graph, const char *group, int64_t I, int64_t H,
                      const rg_cell_opts *opts);

/* r,u = σ(x·U + h·W + b)   ĥ = tanh(x·Ug + (r∘h)·Wg + bg)   h' = u∘h + (1-u)∘ĥ.  One state, h.
 * With norm: r,u = σ(LN(x·U) + LN(h·W) + b), normalised together, and
 * ĥ = tanh(LN(x·Ug) + r∘LN(h·Wg) + bg). */
RG_API rg_cell rg_gru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                      const rg_cell_opts *opts);

/**
 * i,f,o = σ(x·U + h·W + b)   g = tanh(x·Uc + h·Wc + bc)   c' = f∘c + i∘g   h' = o∘tanh(c')
 *
 * Two states, h and c; h is [B,P] with a projection. Declares `group.Ui Uf Uc Uo Wi … bo` in the
 * graph's store, and as options ask `Pi Pf Po` [H], `proj` [H,P], `gamma_x` …: docs/MATH.md 4. The
 * weights behind the returned cell live as long as the graph.
 *
 * Errors     RG_EARG I or H < 1, an option that the cell does not know; RG_ESHAPE declared before
 *            with other widths. Sticky; the returned cell may still be unrolled, to inert values.
 * Source     Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000
 */
RG_API rg_cell rg_lstm(rg_graph *graph, const char *group, int64_t I, int64_t H,
                       const rg_cell_opts *opts);

/* f = σ(x·Uf + h·Wf + bf)   g = tanh(x·Ug + (f∘h)·Wg + bg)   h' = (1-f)∘h + f∘g.  One state, h.
 * Minimal gated unit: Zhou, Wu, Zhang, Zhou 2016. The bias of f starts at 1. */
RG_API rg_cell rg_mgu(rg_graph *graph, const char *group, int64_t I, int64_t H,
                      const rg_cell_opts *opts);

/* f = σ(x·Uf + h·Wf + bf)   g = tanh(x·Ug + h·Wg + bg)   h' = f∘h + (1 - σ(f's argument - 1))∘g.
 * One state, h. "Just another network": van der Westhuizen & Lasenby 2018. */
RG_API rg_cell rg_janet(rg_graph *graph, const char *group, int64_t I, int64_t H,
                        const rg_cell_opts *opts);

/* u = σ(x·Uu + bu)   h' = (1-u)∘h + u∘(x·Ug + bg).  One state, h; no gate sees it. With log_form
 * ψ(x·Ug + bg) takes the place of x·Ug + bg, ψ(a) = a + 1/2 where a >= 0, σ(a) where not: positive,
 * as are the states, which then start at 1/2; given ones should be positive too. Feng et al., "Were
 * RNNs all we needed?", 2024. */
RG_API rg_cell rg_mingru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                         const rg_cell_opts *opts);

/* f,i = σ(x·U + b), divided by f + i, in a form that cannot overflow;
 * h' = f∘h + i∘(x·Ug + bg).  One state, h. The same paper. */
RG_API rg_cell rg_minlstm(rg_graph *graph, const char *group, int64_t I, int64_t H,
                          const rg_cell_opts *opts);

/* h' = relu(x·U + b + v∘h), v [H] starts as U(0,1).  One state, h. Li, Li, Cook, Zhu, Gao,
 * "Independently recurrent neural network", 2018. With bound_T, the longest lag, v is bounded as
 * there: rg_params_bound(), which optimizers heed after every update. */
RG_API rg_cell rg_indrnn(rg_graph *graph, const char *group, int64_t I, int64_t H,
                         const rg_cell_opts *opts);

/* f,r = σ(x·U + v∘c + b)   c' = f∘c + (1-f)∘(x·U)   y = r∘c' + (1-r)∘x, or ∘(x·Ures) if I != H.
 * States y, which is the output and is not read, and c. Lei, Zhang, Wang, Dai, Artzi, "Simple
 * recurrent units for highly parallelizable recurrence", 2018; sru_v1: its first version. */
RG_API rg_cell rg_sru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                      const rg_cell_opts *opts);

/* z = tanh, f,o,i = σ of x·U + p·V + b, p being the window-1 inputs before, the latest first; pools
 * f, fo (default), ifo:
 *     h' = f∘h + (1-f)∘z        c' = f∘c + (1-f)∘z, y = o∘c'        c' = f∘c + i∘z, y = o∘c'
 * States h and p, or y, which is the output and is not read, c and p; p is [B,(window-1)·I], none
 * with a window of 1. Bradbury, Merity, Xiong, Socher, "Quasi-recurrent neural networks", 2016. */
RG_API rg_cell rg_qrnn(rg_graph *graph, const char *group, int64_t I, int64_t H,
                       const rg_cell_opts *opts);

/* Layers as one cell: cell l+1 reads the output of cell l, after dropout @p between (0 = none; not
 * after the last). States of all cells in order; the output is the last cell's. */
RG_API rg_cell rg_stacked(rg_graph *graph, const rg_cell *cells, size_t n, double between);
/* The cell with zoneout, as rg_unroll_opts.zoneout says: for loops of your own, or some layers of a
 * stack. p [n_state] is copied. RG_EARG: a share outside 0 .. 1, a stack in a stack. */
RG_API rg_cell rg_zoneout(rg_graph *graph, const rg_cell *cell, const double *p);
/* Which state is the output, for loops of your own: 0, but for a stack the last cell's. */
RG_API size_t rg_cell_output(const rg_cell *cell);
/* What every element of state k is before the first step if it is not given: 0, but 1/2 of
 * rg_mingru() with log_form, in whatever it is. */
RG_API double rg_cell_start(const rg_cell *cell, size_t k);

/* ---- Around a sequence ---------------------------------------------------------------------- */

typedef enum rg_merge {
    RG_MERGE_CONCAT = 0,  /* [fwd; bwd] */
    RG_MERGE_SUM, RG_MERGE_MEAN, RG_MERGE_MUL,
    RG_MERGE_NONE         /* two outputs */
} rg_merge;

/**
 * Two cells over one sequence, the second from its end to its beginning. Both outputs at t belong
 * to X[t].
 *
 * @param[out] last  final states of cell[0], after each row's last real step, then of cell[1],
 *                   after step 0; NULL if not wanted
 * @param[out] both  the outputs before they are merged; NULL if not wanted (not so with
 *                   RG_MERGE_NONE)
 * @param cell       forward and backward, each with weights of its own
 * @param s0         initial states of cell[0], then of cell[1]; NULL = zeros
 * @param opts       mask (reversal is by true length), reset (a row is then several sequences, in
 *                   both directions), hold_output, zoneout (of the states of both cells)
 * @return           [T,B,H] or, concatenated, the sum of widths; RG_MERGE_NONE: both[0]
 *
 * Errors     RG_EARG another option, no room for two outputs; RG_ESHAPE unequal widths, but for
 *            concat; else as rg_unroll
 */
RG_API rg_val rg_bidirectional(rg_val *last, rg_val both[2], const rg_cell cell[2], rg_val X,
                               const rg_val *s0, rg_merge merge, const rg_unroll_opts *opts);

typedef struct rg_layers_opts {
    rg_val        mask, reset;    /* [T,B], as in rg_unroll_opts, for every layer */
    bool          bidirectional;  /* cells come in pairs: forward, backward */
    rg_merge      merge;          /* of the two at every layer */
    bool          residual;       /* every layer but the first adds what it reads to its output, */
    const char   *highway;        /* or mixes the two by a gate, `<this>.l<layer>`; NULL = no */
    double        input;          /* dropout, docs/MATH.md 9: of X, the same at every step, */
    double        between;        /* of what the second and later layers read, fresh, */
    double        output;         /* of the last layer's output, fresh */
    const double *zoneout;        /* of all states in order; NULL = none */
    int64_t       back;           /* as in rg_unroll_opts, for every layer */
} rg_layers_opts;

/**
 * Layers one after the other, each over the whole sequence; for one direction the same numbers as
 * rg_stacked() in one loop.
 *
 * @param[out] last  final states of all cells in order; NULL if not wanted
 * @param cells      n, or with `bidirectional` 2·n: l0 forward, l0 backward, l1 forward ...
 * @param s0         initial states in the same order; NULL = zeros
 * @param opts       NULL = defaults
 *
 * Errors     RG_EARG no cells, dropout outside [0, 1), RG_MERGE_NONE, residual and highway;
 *            RG_ESHAPE a layer with either whose widths differ; else as rg_unroll. With the layer's
 *            scope, l0, l1 ...
 */
RG_API rg_val rg_layers(rg_val *last, const rg_cell *cells, size_t n, rg_val X, const rg_val *s0,
                        const rg_layers_opts *opts);

/* x + y, where y is what a layer made of x: equal shapes. Exactly 0 where [T,B] mask is 0; RG_NONE
 * for no mask. */
RG_API rg_val rg_residual(rg_val x, rg_val y, rg_val mask);

/* t∘y + (1-t)∘x with t = σ(x·W + b), where y is what a layer made of x, [T,B,D] both; declares
 * `group.W` [D,D] (glorot) and `group.b` [D] (-1: it begins by carrying x). Mask as rg_residual().
 * Srivastava, Greff, Schmidhuber, "Highway networks", 2015. */
RG_API rg_val rg_highway(rg_val x, rg_val y, const char *group, rg_val mask);

/* A function of rows, [N,...] -> [N,...]. */
typedef rg_val rg_map_fn(const void *weights, rg_val x);
/* f at every step: called once, on [T·B,...]. Rows where [T,B] mask is 0 enter as 0 and leave as 0;
 * RG_NONE for no mask. */
RG_API rg_val rg_time_distributed(rg_map_fn *f, const void *weights, rg_val X, rg_val mask);

/* Dropout of [T,...] with one mask for all steps; a stream of its scope, as rg_dropout(). */
RG_API rg_val rg_dropout_locked(rg_val X, double p, const char *stream);

/* ---- Dense, embedding, norm ----------------------------------------------------------------- */

/* x·W + b over the last axis; declares `group.W` [I,O] (glorot) and `group.b` [O] (0). */
RG_API rg_val rg_dense(rg_val x, const char *group, int64_t O);
/* RG_INT [...] -> [..., E]: rows of `group.E` [V,E] (normal, s = 1/√E). An existing
 * `group.E` is shared as it is. Pretrained: rg_embedding_load(), perhaps rg_params_freeze(). */
RG_API rg_val rg_embedding(rg_val ids, const char *group, int64_t V, int64_t E);
/* Whole rows of a table of V dropped from what was looked up: rows [...,E] of ids [...]; an id is
 * dropped everywhere or nowhere, anew every run. One-hot rows will do as well. */
RG_API rg_val rg_embedding_dropout(rg_val rows, rg_val ids, const char *group, int64_t V, double p);

/* γ∘(x - mean)/√(var + eps) + β over the last axis, var divided by its extent; a row of equal
 * elements gives β exactly.
 *
 * @param gamma,beta   of the last axis' extent, or RG_NONE for 1 and 0
 * @param eps          positive
 * Source   Ba, Kiros, Hinton, "Layer normalization", 2016 */
RG_API rg_val rg_layer_norm(rg_val x, rg_val gamma, rg_val beta, double eps);

/* ---- Losses: one number per position, then a reduction ------------------------------------- */
/* Cross-entropies are in ops.h. Prediction and target have equal shapes: losses never broadcast. */

RG_API rg_val rg_mse(rg_val y, rg_val target);  /* [...,D] -> [...]: mean of (y-t)² */
RG_API rg_val rg_mae(rg_val y, rg_val target);  /* mean of |y-t| */
RG_API rg_val rg_huber(rg_val y, rg_val target, double delta);
/* Σ m·l / Σ m, 0 if no m is set; by selection, so NaN at m = 0 is harmless. Equal shapes. */
RG_API rg_val rg_masked_mean(rg_val l, rg_val mask);

/* ---- Sampling ------------------------------------------------------------------------------ */

/* [..., V] logits -> [...] RG_INT drawn from softmax(z/temperature), anew every run; 0 = argmax. */
RG_API rg_val rg_sample(rg_val z, double temperature, const char *stream);

#ifdef __cplusplus
}
#endif
#endif
