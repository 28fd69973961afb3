/* layers/indrnn.c -- a recurrent network whose units see their own past only; x [B,I], h [B,H]:
 *
 *     h' = relu(x·U + b + v∘h)        v [H]
 *
 * bound_T keeps |v| ≤ 2^(1/T) while it is trained, so that T steps at most double what a unit
 * holds. Li, Li, Cook, Zhu, Gao, "Independently recurrent neural network (IndRNN)", 2018. */
#include "layers/cell.h"

#include <math.h>

struct indrnn {
    int64_t width[1];
    rg_gate gate; /* no W */
    rg_val  v;
};

static void indrnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct indrnn *p = weights;
    rg_val a = rg_affine(x, p->gate.U, p->gate.b);
    next[0] = rg_relu(rg_add(a, rg_mul(p->v, s[0])));
}

rg_cell rg_indrnn(rg_graph *graph, const char *group, int64_t I, int64_t H,
                  const rg_cell_opts *opts)
{
    static const rg_gate_kind kind[1] = { { "", 0, 0, RG_NO_W } };
    rg_cell_site site;
    struct indrnn *p = NULL;
    if (rg_cell_site_init(&site, graph, "indrnn", group, I, H, opts, RG_KNOWS_BOUND) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        p->width[0] = H;
        rg_gates_declare(&p->gate, NULL, &site, kind, 1);
        p->v = rg_param(graph, group, "v", RG_SHAPE(H), rg_init_unit());
        if (site.opts.bound_T)
            rg_param_bound(p->v, exp2(1 / (double)site.opts.bound_T));
    }
    return rg_cell_of("indrnn", 1, p ? p->width : NULL, indrnn_step, p);
}
