/* layers/formula_lines.c -- which terms have a line and a name, and the lines.
 *
 * A term has one if it is a state, if it is read more than once, or if it is a gate: a nonlinear
 * function of what weights make, called what their names end in (Ui, Wi, bi: i). */
#include "layers/formula.h"

#include "ops/ops.h"

#include <string.h>

static const char conflict[] = "?"; /* names that end differently */

/* ---- Names ---------------------------------------------------------------------------------- */

bool rg_page_taken(const rg_page *p, const char *name)
{
    for (size_t i = 0; i < p->n_taken; i++)
        if (strcmp(p->taken[i], name) == 0)
            return true;
    return false;
}

static const char *take(rg_page *p, const char *name)
{
    rg_sheet *f = &p->sheet;
    if (rg_reserve(&f->g->alloc, &p->taken, &p->taken_cap, p->n_taken + 1, sizeof *p->taken))
        p->taken[p->n_taken++] = name;
    else
        f->failed = true;
    return name;
}

/* A candidate for state c is ĉ. */
static const char *hat(const char *name)
{
    static const char *const row[][2] = { { "h", "ĥ" }, { "c", "ĉ" }, { "n", "n̂" },
                                          { "m", "m̂" }, { "x", "x̂" }, { "y", "ŷ" } };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        if (strcmp(row[k][0], name) == 0)
            return row[k][1];
    return name;
}

/* What the weights in a term suggest: an ending that all matrices have, else all biases; or "". */
static const char *wish(const rg_term *t)
{
    const char *end = t->matrix && t->matrix != conflict ? t->matrix
                    : t->bias && t->bias != conflict ? t->bias : "";
    const char *dot = strrchr(end, '.');
    return dot && !dot[1] ? "" : end;
}

static bool squashes(const rg_op *op)
{
    const rg_op *const list[] = { &rg_op_sigmoid, &rg_op_tanh, &rg_op_relu, &rg_op_leaky_relu,
                                  &rg_op_elu, &rg_op_softplus, &rg_op_exp, &rg_op_clip };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        if (list[k] == op)
            return true;
    return false;
}

/* A logarithm or an exponential of a gate does not have the gate's name. */
static const char *new_name(rg_page *p, const rg_term *t, const rg_op *op)
{
    static const char *const gate[] = { "k", "z", "w", NULL }, *const value[] = { "g", "q", NULL };
    static const char *const sum[] = { "s", "d", "a", "q", "e", NULL };
    const bool value_of = squashes(op) && op != &rg_op_softplus && op != &rg_op_exp;
    const char *own = value_of ? wish(t) : "";
    const char *const *other = op == &rg_op_sigmoid ? gate : op == &rg_op_tanh ? value : sum;
    if (*own && !rg_page_taken(p, own))
        return take(p, own);
    if (*own && !rg_page_taken(p, hat(own)))
        return take(p, hat(own));
    for (; *other; other++)
        if (!rg_page_taken(p, *other))
            return take(p, *other);
    for (int k = 1;; k++) {
        const char *t_k = rg_sheet_say(&p->sheet, "t%d", k);
        if (!*t_k || !rg_page_taken(p, t_k))
            return take(p, t_k);
    }
}

/* ---- Which terms have names ----------------------------------------------------------------- */

/* So little that it is written out wherever it is read. */
static bool is_little(const rg_sheet *f, const rg_term *t, const rg_node *node)
{
    if (node->n_in == 1 && t->text == f->term[node->in[0]].text)
        return true; /* as another is written */
    bool little = node->n_in == 0 || node->op == &rg_op_one_minus || node->op == &rg_op_neg ||
                  node->op == &rg_op_slice || node->op == &rg_op_reshape ||
                  node->op == &rg_op_broadcast;
    return little && (node->n_in == 0 || f->term[node->in[0]].binding == RG_ATOM);
}

/* A bound of what a gate is taken of: read by one such function alone, which is then the gate. */
static bool is_bound(const rg_page *p, uint32_t id)
{
    const rg_sheet *f = &p->sheet;
    if (rg_node_at(f->g, id)->op != &rg_op_clip || f->term[id].uses != 1)
        return false;
    for (uint32_t k = id + 1; k < p->last; k++) {
        const rg_node *reader = rg_node_at(f->g, k);
        if (f->term[k].wanted && reader->n_in == 1 && reader->in[0] == id)
            return squashes(reader->op);
    }
    return false;
}

static bool is_gate(const rg_page *p, uint32_t id)
{
    return squashes(rg_node_at(p->sheet.g, id)->op) && *wish(&p->sheet.term[id]) &&
           !is_bound(p, id);
}

static const char *merged(const char *a, const char *b)
{
    return !a ? b : !b || strcmp(a, b) == 0 ? a : conflict;
}

/* "i" of Ui, "l0.i" of l0.Ui. */
static const char *ending(rg_sheet *f, const char *name)
{
    const char *dot = strrchr(name, '.'), *own = dot ? dot + 1 : name;
    return !*own ? own : rg_sheet_say(f, "%.*s%s", (int)(own - name), name, own + 1);
}

/* What the names of the weights in a term end in. */
static void find_endings(rg_sheet *f, uint32_t id)
{
    uint32_t n;
    const uint32_t *in = rg_term_reads(f, id, &n);
    rg_term *t = &f->term[id];
    const rg_op *op = rg_node_at(f->g, id)->op;
    for (uint32_t i = 0; i < n; i++) {
        const rg_node *from = rg_node_at(f->g, in[i]);
        const char *name = f->term[in[i]].text;
        t->matrix = merged(t->matrix, f->term[in[i]].matrix);
        t->bias = merged(t->bias, f->term[in[i]].bias);
        if (from->op != &rg_op_param)
            continue;
        const char *dot = strrchr(name, '.'), *end = ending(f, name);
        if (op == &rg_op_matmul)
            t->matrix = merged(t->matrix, end);
        else if ((dot ? dot[1] : name[0]) == 'b')
            t->bias = merged(t->bias, end);
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

void rg_page_line(rg_page *p, const char *name, const char *text, uint32_t id)
{
    rg_sheet *f = &p->sheet;
    if (rg_reserve(&f->g->alloc, &p->line, &p->line_cap, p->n_line + 1, sizeof *p->line))
        p->line[p->n_line++] = (rg_line){ name, text, id };
    else
        f->failed = true;
}

/* What the marked terms read, and how often. */
void rg_page_count(rg_page *p)
{
    rg_sheet *f = &p->sheet;
    for (uint32_t id = p->last - 1; id > 0; id--) {
        uint32_t n;
        if (!f->term[id].wanted || f->term[id].leaf)
            continue;
        const uint32_t *in = rg_term_reads(f, id, &n);
        for (uint32_t i = 0; i < n; i++) {
            f->term[in[i]].wanted = true;
            f->term[in[i]].uses++;
        }
    }
}

/* Marks of an earlier page go, and so do texts but for those of leaves. */
void rg_page_clear(rg_page *p)
{
    for (uint32_t id = 1; id < p->last; id++) {
        rg_term *t = &p->sheet.term[id];
        rg_term old = *t;
        *t = (rg_term){ .arg = old.arg, .n_arg = old.n_arg, .call = old.call };
    }
    p->n_taken = p->n_line = 0;
}

void rg_page_leaf(rg_page *p, uint32_t id, const char *name)
{
    rg_term *t = &p->sheet.term[id];
    if (t->leaf)
        return;
    t->leaf = true;
    t->text = take(p, name);
    t->binding = RG_ATOM;
}

/* Terms from the leaves up; root[id] names a term whose line is due anyway, "" but the text. */
void rg_page_write(rg_page *p, const char *const *root)
{
    rg_sheet *f = &p->sheet;
    rg_page_count(p);
    for (uint32_t id = 1; id < p->last; id++)
        if (f->term[id].wanted && !f->term[id].leaf && rg_node_at(f->g, id)->op == &rg_op_param)
            take(p, rg_param_text(f, rg_node_at(f->g, id)));
    for (uint32_t id = 1; id < p->last && !f->failed; id++) {
        rg_term *t = &f->term[id];
        const rg_node *node = rg_node_at(f->g, id);
        if (!t->wanted || t->leaf)
            continue;
        rg_term_write(f, id);
        find_endings(f, id);
        const char *name = root[id] ? root[id]
                         : is_gate(p, id) || (t->uses > 1 && !is_little(f, t, node))
                         ? new_name(p, t, node->op) : NULL;
        if (!name)
            continue;
        rg_page_line(p, name, t->text, id);
        if (*name) {
            t->text = name;
            t->binding = RG_ATOM;
        }
        t->matrix = t->bias = NULL;
    }
}

void rg_page_print(const rg_page *p, const rg_out *out, const char *indent)
{
    int widest = 0;
    for (size_t i = 0; i < p->n_line; i++)
        widest = rg_text_columns(p->line[i].name) > widest ? rg_text_columns(p->line[i].name)
                                                           : widest;
    for (size_t i = 0; i < p->n_line; i++) {
        const rg_line *l = &p->line[i];
        int64_t blocks = l->id ? p->sheet.term[l->id].blocks : 0;
        rg_out_printf(out, "%s", indent);
        if (*l->name)
            rg_out_printf(out, "%s%*s = ", l->name, widest - rg_text_columns(l->name), "");
        out->write(out->user, l->text, strlen(l->text));
        if (blocks > 1)
            rg_out_printf(out, "   in %lld blocks: %s₁ …", (long long)blocks, l->name);
        rg_out_printf(out, "\n");
    }
}
