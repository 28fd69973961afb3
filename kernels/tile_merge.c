/* kernels/tile_merge.c -- makes one instruction of two or three, so that what lies between them is
 * neither stored nor loaded. Each operation still rounds: the bits stay. */
#include "kernels/tile_program.h"

struct merge {
    rg_tile_node *node;
    uint32_t      self;  /* the value being looked at */
};

/* Operand j of the value may be taken apart: an instruction of that code, narrow if this one is,
 * whose result nobody else wants, and whose own operands may still be read here. */
static const rg_tile_node *part(const struct merge *m, const rg_tile_ins *ins, int j,
                                rg_tile_code code)
{
    const rg_tile_node *p = &m->node[ins->in[j]];
    if (p->operand || p->ins.code != code || p->uses != 1 ||
        p->narrow != m->node[m->self].narrow)
        return NULL;
    for (uint32_t k = 0; k < p->n_in; k++)
        if (m->node[p->ins.in[k]].limit < m->self)
            return NULL;
    return p;
}

/* The value becomes `code` of these operands; what it used to read loses a reader. */
static void become(struct merge *m, rg_tile_code code, uint32_t n, const uint32_t *in)
{
    rg_tile_node *self = &m->node[m->self];
    for (uint32_t k = 0; k < n; k++)
        m->node[in[k]].uses++;
    for (uint32_t k = 0; k < self->n_in; k++) {
        rg_tile_node *old = &m->node[self->ins.in[k]];
        if (--old->uses == 0) /* merged: it reads no more; n_in is 0 for operands */
            for (uint32_t i = 0; i < old->n_in; i++)
                m->node[old->ins.in[i]].uses--;
    }
    self->ins.code = code;
    self->n_in = n;
    for (uint32_t k = 0; k < n; k++)
        self->ins.in[k] = in[k];
}

/* (1 - a)·(a + 1), the derivative of tanh from its value; operand j is 1 - a. */
static bool merge_slope(struct merge *m, const rg_tile_ins *ins, int j)
{
    const rg_tile_node *p = part(m, ins, j, RG_TILE_ONE_MINUS);
    const rg_tile_node *q = part(m, ins, 1 - j, RG_TILE_SHIFT);
    if (!p || !q || p->ins.in[0] != q->ins.in[0] || q->ins.c0 != 1)
        return false;
    become(m, RG_TILE_SLOPE, 1, p->ins.in);
    return true;
}

/* A product times what the derivative of a sigmoid or tanh, operand j, is made of. */
static bool merge_pair(struct merge *m, const rg_tile_ins *ins, int j)
{
    const rg_tile_node *p, *q = part(m, ins, 1 - j, RG_TILE_MUL);
    if (!q)
        return false;
    const uint32_t *a = q->ins.in;
    if ((p = part(m, ins, j, RG_TILE_MUL_1M)))
        become(m, RG_TILE_MUL2_MUL_1M, 4, (uint32_t[]){ a[0], a[1], p->ins.in[0], p->ins.in[1] });
    else if ((p = part(m, ins, j, RG_TILE_SLOPE)))
        become(m, RG_TILE_MUL2_SLOPE, 3, (uint32_t[]){ a[0], a[1], p->ins.in[0] });
    return p != NULL;
}

/* Products of three, of which gradients are made; operand j is the one taken apart. */
static bool merge_mul(struct merge *m, const rg_tile_ins *ins, int j)
{
    uint32_t a = ins->in[1 - j];
    const rg_tile_node *p;
    if ((p = part(m, ins, j, RG_TILE_SLOPE)))
        become(m, RG_TILE_MUL_SLOPE, 2, (uint32_t[]){ a, p->ins.in[0] });
    else if ((p = part(m, ins, j, RG_TILE_ONE_MINUS)))
        become(m, RG_TILE_MUL_1M, 2, (uint32_t[]){ a, p->ins.in[0] });
    else if ((p = part(m, ins, j, RG_TILE_MUL_1M)))
        become(m, RG_TILE_MUL_MUL_1M, 3, (uint32_t[]){ a, p->ins.in[0], p->ins.in[1] });
    else if ((p = part(m, ins, j, RG_TILE_MUL)))
        become(m, RG_TILE_MUL_MUL, 3, (uint32_t[]){ p->ins.in[0], p->ins.in[1], a });
    return p != NULL;
}

/* a·b + c·d, a·b + c */
static void merge_add(struct merge *m, const rg_tile_ins *ins)
{
    const rg_tile_node *p = part(m, ins, 0, RG_TILE_MUL), *q = part(m, ins, 1, RG_TILE_MUL);
    if (p && q && p != q)
        become(m, RG_TILE_MUL2_ADD, 4, (uint32_t[]){ p->ins.in[0], p->ins.in[1], q->ins.in[0],
                                                      q->ins.in[1] });
    else if (p)
        become(m, RG_TILE_MUL_ADD, 3, (uint32_t[]){ p->ins.in[0], p->ins.in[1], ins->in[1] });
    else if (q)
        become(m, RG_TILE_MUL_ADD, 3, (uint32_t[]){ q->ins.in[0], q->ins.in[1], ins->in[0] });
}

/* f(a + b) */
static void merge_add_into(struct merge *m, const rg_tile_ins *ins, rg_tile_code merged)
{
    const rg_tile_node *p = part(m, ins, 0, RG_TILE_ADD);
    if (p)
        become(m, merged, 2, p->ins.in);
}

/* c·Σ */
static void merge_scale(struct merge *m, const rg_tile_ins *ins)
{
    const rg_tile_node *p = part(m, ins, 0, RG_TILE_SUM);
    if (p)
        become(m, RG_TILE_MEAN, 1, p->ins.in);
}

void rg_tile_merge(rg_tile_node *node, uint32_t n_in, uint32_t n_ins)
{
    struct merge m = { node, 0 };
    for (m.self = n_in; m.self < n_in + n_ins; m.self++) {
        const rg_tile_ins ins = node[m.self].ins;
        if (node[m.self].uses == 0)
            continue;
        if (ins.code == RG_TILE_MUL)
            (void)(merge_slope(&m, &ins, 0) || merge_slope(&m, &ins, 1) ||
                   merge_pair(&m, &ins, 0) || merge_pair(&m, &ins, 1) ||
                   merge_mul(&m, &ins, 1) || merge_mul(&m, &ins, 0));
        else if (ins.code == RG_TILE_ADD)
            merge_add(&m, &ins);
        else if (ins.code == RG_TILE_SCALE)
            merge_scale(&m, &ins);
        else if (ins.code == RG_TILE_SIGMOID)
            merge_add_into(&m, &ins, RG_TILE_ADD_SIGMOID);
        else if (ins.code == RG_TILE_TANH)
            merge_add_into(&m, &ins, RG_TILE_ADD_TANH);
    }
}
