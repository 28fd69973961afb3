/* layers/formula_calls.c -- functions in a step: what lies in a scope of its own, such as LN, each
 * call being one connected part with one result. */
#include "layers/formula.h"

#include "ops/ops.h"

#include <string.h>

/* ---- Functions: scopes inside the step, each call one connected part with one result --------- */

/* Scopes in which a state is both read and made are layers, no functions. */
static bool find_layers(bool *layer, rg_page *p)
{
    const rg_graph *g = p->sheet.g;
    bool *reads = rg_arena_get(&p->sheet.arena, g->n_scope * sizeof *reads);
    for (uint32_t id = p->first; reads && id < p->last; id++) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t i = 0; i < node->n_in; i++)
            for (size_t k = 0; k < p->cell->n_state; k++)
                if (node->in[i] == p->s[k].id)
                    for (uint32_t s = node->scope; s; s = g->scope[s].parent)
                        reads[s] = true;
    }
    for (size_t k = 0; reads && k < p->cell->n_state; k++)
        for (uint32_t s = rg_node_at(g, p->next[k].id)->scope; s; s = g->scope[s].parent)
            layer[s] = reads[s];
    return reads != NULL;
}

/* By scope, the outermost below the cell's that is no layer; NULL without memory. */
static const uint32_t *find_groups(rg_page *p)
{
    const rg_graph *g = p->sheet.g;
    uint32_t *group = rg_arena_get(&p->sheet.arena, g->n_scope * sizeof *group);
    bool *inside = rg_arena_get(&p->sheet.arena, 2 * g->n_scope * sizeof *inside);
    bool *layer = inside ? inside + g->n_scope : NULL;
    if (!inside || !group || !find_layers(layer, p))
        return NULL;
    for (uint32_t s = 1; s < g->n_scope; s++) {
        uint32_t up = g->scope[s].parent;
        inside[s] = s == p->step || inside[up];
        if (inside[s] && s != p->step && up != p->step) /* that one is the cell's own */
            group[s] = group[up] ? group[up] : layer[s] ? 0 : s;
    }
    return group;
}

/* Nodes of one group that read each other are one part. */
static bool find_parts(rg_page *p)
{
    const rg_graph *g = p->sheet.g;
    const uint32_t *group = find_groups(p);
    p->part = rg_arena_get(&p->sheet.arena, p->last * sizeof *p->part);
    for (uint32_t id = p->first; group && p->part && id < p->last; id++) {
        const rg_node *node = rg_node_at(g, id);
        uint32_t own = group[node->scope];
        p->part[id] = own ? id : 0;
        for (uint32_t i = 0; own && i < node->n_in; i++) {
            uint32_t in = node->in[i], a = p->part[in], b = p->part[id];
            if (a && a != b && group[rg_node_at(g, in)->scope] == own)
                for (uint32_t k = p->first; k <= id; k++)
                    if (p->part[k] == a || p->part[k] == b)
                        p->part[k] = a < b ? a : b;
        }
    }
    return group && p->part;
}

static bool is_argument(const rg_page *p, uint32_t id)
{
    double c;
    bool own = id == p->x.id;
    for (size_t k = 0; k < p->cell->n_state; k++)
        own = own || id == p->s[k].id; /* a state may start as the number 0 */
    return own || !rg_node_is_number(rg_node_at(p->sheet.g, id), &c);
}

/* What the nodes of a part read from elsewhere, numbers apart. */
static bool find_arguments(rg_page *p, uint32_t part, uint32_t result)
{
    rg_sheet *f = &p->sheet;
    uint32_t *arg = rg_arena_get(&f->arena, p->last * sizeof *arg), n = 0;
    for (uint32_t id = part; arg && id <= result; id++) {
        const rg_node *node = rg_node_at(f->g, id);
        for (uint32_t i = 0; p->part[id] == part && i < node->n_in; i++) {
            uint32_t in = node->in[i], k = 0;
            while (k < n && arg[k] != in)
                k++;
            if (k == n && p->part[in] != part && is_argument(p, in))
                arg[n++] = in;
        }
    }
    f->term[result].arg = arg;
    f->term[result].n_arg = n;
    f->term[result].call = f->g->scope[rg_node_at(f->g, result)->scope].name;
    return arg != NULL;
}

/* A part's result: the one node that others read or that is a state; or none, or several. */
static void note_result(rg_page *p, uint32_t *result, uint32_t id)
{
    uint32_t *of = &result[p->part[id]];
    *of = !*of || *of == id ? id : UINT32_MAX;
}

bool rg_page_find_calls(rg_page *p)
{
    rg_sheet *f = &p->sheet;
    uint32_t *result = rg_arena_get(&f->arena, p->last * sizeof *result);
    bool good = result && find_parts(p);
    for (uint32_t id = p->first; good && id < p->last; id++) {
        const rg_node *node = rg_node_at(f->g, id);
        for (uint32_t i = 0; i < node->n_in; i++)
            if (p->part[node->in[i]] && p->part[node->in[i]] != p->part[id])
                note_result(p, result, node->in[i]);
    }
    for (size_t k = 0; good && k < p->cell->n_state; k++)
        if (p->part[p->next[k].id])
            note_result(p, result, p->next[k].id);
    for (uint32_t part = p->first; good && part < p->last; part++)
        if (result[part] && result[part] != UINT32_MAX)
            good = find_arguments(p, part, result[part]);
    return good;
}

/* ---- Bodies of functions -------------------------------------------------------------------- */

/* γ, β for weights that are called so, else v, w … */
static const char *formal(rg_page *p, uint32_t id, size_t *at)
{
    static const char *const letter[] = { "v", "w", "u", "r", "z", "k" };
    const rg_node *node = rg_node_at(p->sheet.g, id);
    if (node->op == &rg_op_param) {
        const char *text = rg_param_text(&p->sheet, node);
        const char *greek = rg_sheet_say(&p->sheet, "%.2s", text);
        if ((unsigned char)text[0] >= 0x80 && !rg_page_taken(p, greek))
            return greek;
    }
    if (*at < sizeof letter / sizeof *letter)
        return letter[(*at)++];
    return rg_sheet_say(&p->sheet, "v%zu", (*at)++);
}

static bool write_function(rg_page *p, uint32_t result, const rg_out *out)
{
    rg_sheet *f = &p->sheet;
    rg_term *t = &f->term[result];
    const char *name = t->call, **root = rg_arena_get(&f->arena, p->last * sizeof *root);
    size_t letters = 0;
    if (!root)
        return false;
    rg_page_clear(p);
    rg_out_printf(out, "\n%s(", name);
    for (uint32_t i = 0; i < t->n_arg; i++) {
        rg_page_leaf(p, t->arg[i], formal(p, t->arg[i], &letters));
        rg_out_printf(out, "%s%s", i ? ", " : "", f->term[t->arg[i]].text);
    }
    rg_out_printf(out, "):\n");
    t->call = NULL;
    t->wanted = true;
    root[result] = "";
    rg_page_write(p, root);
    t->call = name;
    if (!f->failed)
        rg_page_print(p, out, "    ");
    return !f->failed;
}

/* Each function that the equations call, once. */
bool rg_page_print_calls(rg_page *p, const rg_out *out)
{
    rg_sheet *f = &p->sheet;
    uint32_t *called = rg_arena_get(&f->arena, p->last * sizeof *called), n = 0;
    for (uint32_t id = p->first; called && id < p->last; id++) {
        const rg_term *t = &f->term[id];
        uint32_t k = 0;
        while (k < n && (strcmp(f->term[called[k]].call, t->call ? t->call : "") != 0 ||
                         f->term[called[k]].n_arg != t->n_arg))
            k++;
        if (t->wanted && t->call && k == n)
            called[n++] = id;
    }
    bool good = called != NULL;
    for (uint32_t k = 0; good && k < n; k++)
        good = write_function(p, called[k], out);
    return good;
}
