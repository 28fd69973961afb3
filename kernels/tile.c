/* kernels/tile.c -- tile programs: tables, names, and the rules a source must keep. */
#include "kernels/tile_program.h"

const rg_tile_kernels *rg_tile_table(rg_isa isa)
{
    return RG_ISA_TABLE(isa, rg_tile_kernels);
}

#define NAME(CODE, name, signature) #name,
#define ROW_NAME(CODE, name) #name,
#define SIGNATURE(CODE, name, signature) signature,
static const char *const code_name[] = { RG_TILE_CODES(NAME) "call", RG_TILE_ROW_CODES(ROW_NAME) };
static const char *const code_signature[] = { RG_TILE_CODES(SIGNATURE) };

const char *rg_tile_code_text(rg_tile_code code)
{
    return (unsigned)code < RG_TILE_CODE_COUNT ? code_name[code] : "?";
}

static rg_kind kind_of_letter(char letter)
{
    return letter == 'B' ? RG_BOOL : letter == 'I' ? RG_INT : RG_F;
}

bool rg_tile_signature_of(rg_tile_signature *out, const rg_tile_ins *ins)
{
    *out = (rg_tile_signature){ 0 };
    if (ins->code == RG_TILE_CALL) {
        const rg_tile_call *call = ins->call;
        if (!call || call->n_in > RG_TILE_MAX_IN || !call->op->kernel_f64)
            return false;
        out->n_in = call->n_in;
        out->out = call->out_kind;
        for (size_t i = 0; i < call->n_in; i++)
            out->in[i] = call->in_kind[i];
        return true;
    }
    if ((unsigned)ins->code >= RG_TILE_CODE_COUNT)
        return false;
    const char *s = ins->code > RG_TILE_CALL ? "R:R" : code_signature[ins->code];
    out->out = kind_of_letter(s[0]);
    for (s += 2; *s; s++)
        out->in[out->n_in++] = kind_of_letter(*s);
    return true;
}

rg_rows_fn *rg_tile_rows_of(rg_tile_code code, rg_dtype real, rg_isa isa)
{
    const rg_row_kernels *k = rg_row_table(isa);
    switch (code) {
#define ROW_CASE(CODE, name) case RG_TILE_##CODE: return k->name[real];
        RG_TILE_ROW_CODES(ROW_CASE)
#undef ROW_CASE
    default:
        return NULL;
    }
}

/* Strides that walk the rows x cols elements alike. */
static bool same_walk(const rg_tile_source *s, const rg_tile_result *out, const rg_tile_operand *in)
{
    return (s->rows <= 1 || out->row == in->row) && (s->cols <= 1 || out->col == in->col);
}

bool rg_tile_may_overwrite(const rg_tile_source *s, size_t out, size_t in)
{
    const rg_tile_result *result = &s->out[out];
    rg_tile_signature sig;
    if (result->value < s->n_in || !same_walk(s, result, &s->in[in]) ||
        !rg_tile_signature_of(&sig, &s->ins[result->value - s->n_in]) ||
        sig.out != s->in[in].kind)
        return false;
    for (size_t r = 0; r < s->n_out; r++)
        if (s->out[r].value == in)
            return false;
    return true;
}

bool rg_tile_overwrites_free(const rg_tile_source *s, size_t out, size_t in)
{
    rg_tile_signature sig;
    for (size_t k = s->out[out].value - s->n_in + 1; k < s->n_ins; k++) {
        if (!rg_tile_signature_of(&sig, &s->ins[k]))
            return false;
        for (size_t i = 0; i < sig.n_in; i++)
            if (s->ins[k].in[i] == in)
                return false;
    }
    return true;
}

uint32_t rg_tile_takes_each(rg_tile_node *node, uint32_t v, rg_dtype real,
                            const rg_tile_kernels *kernels)
{
    const rg_tile_code code = node[v].ins.code;
    uint32_t *in = node[v].ins.in, n_narrow = 0;
    for (uint32_t i = 0; i < node[v].n_in; i++)
        n_narrow += node[in[i]].narrow;
    if (code >= RG_TILE_CALL || !kernels->each[real][code] || n_narrow != 1)
        return 0;
    if (code == RG_TILE_WHERE)
        return node[in[0]].narrow ? 1 : 0;
    if (node[in[0]].narrow && code != RG_TILE_SUB && code != RG_TILE_DIV) {
        const uint32_t first = in[0];
        in[0] = in[1];
        in[1] = first;
    }
    return node[in[1]].narrow ? 2 : 0;
}

bool rg_tile_goes_apart(const rg_tile_program *p, const rg_tile_node *node, uint32_t n,
                        const rg_tile_kernels *kernels)
{
    bool ok = !p->whole;
    for (uint32_t k = 0; k < n && ok; k++) {
        const rg_tile_code code = node[k].ins.code;
        ok = node[k].uses == 0 || code == RG_TILE_FILL ||
             (code < RG_TILE_CALL &&
              (node[k].each ? kernels->each_many : kernels->many)[p->real][code]);
    }
    return ok;
}

static void find_rows(const rg_tile_program *p, rg_tile_step *step)
{
    bool apart = false;
    step->row[0] = rg_tile_row_of(p, step->out);
    for (uint32_t i = 0; i < step->n_in; i++)
        step->row[1 + i] = i + 1 == step->each && step->in[i] < p->n_slot
                               ? 1 : rg_tile_row_of(p, step->in[i]);
    for (uint32_t i = 0; i <= step->n_in; i++)
        apart |= step->row[i] != p->width || step->each;
    step->many = apart ? step->many : NULL;
}

void rg_tile_find_rows(rg_tile_program *p)
{
    for (uint32_t k = 0; k < p->n_step && p->apart && p->block > 1; k++)
        if (p->step[k].many)
            find_rows(p, &p->step[k]);
}
