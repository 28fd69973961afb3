/* layers/formula.c -- what a cell computes in one step, as equations, read off its nodes.
 *
 * The step is taken once; its nodes are written as terms from the leaves up. A term gets a line and
 * a name if it is a state, if it is read more than once, or if it is a gate: a nonlinear function of
 * what weights make. A gate is called what the names of its weights end in (Ui, Wi, bi: i). What
 * lies in a scope of its own inside the step and has one result is a function, written once. */
#include "layers/formula.h"

#include "base/text.h"
#include "ops/ops.h"

#include <string.h>

static const char conflict[] = "?"; /* names that end differently */

typedef struct line {
    const char *name, *text;
    uint32_t    id;  /* whose blocks may be named */
} line;

/* Equations being written, of the cell or of a function. */
typedef struct page {
    rg_sheet     sheet;
    const char **taken;    /* names */
    size_t       n_taken, taken_cap;
    line        *line;
    size_t       n_line, line_cap;
    uint32_t     first;    /* the step's nodes: first .. last-1 */
    uint32_t     last;
    uint32_t     step;     /* scope of the step */
    uint32_t    *group;    /* by scope: the function it belongs to, or 0 */
} page;

/* ---- Names ---------------------------------------------------------------------------------- */

static bool is_taken(const page *p, const char *name)
{
    for (size_t i = 0; i < p->n_taken; i++)
        if (strcmp(p->taken[i], name) == 0)
            return true;
    return false;
}

static const char *take(page *p, const char *name)
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

static const char *new_name(page *p, const rg_term *t, const rg_op *op)
{
    static const char *const gate[] = { "k", "z", "w", NULL }, *const value[] = { "g", "q", NULL },
                      *const sum[] = { "s", "d", "a", "q", "e", NULL };
    const char *wish = t->matrix && t->matrix != conflict ? t->matrix
                     : t->bias && t->bias != conflict ? t->bias : "";
    const char *const *other = op == &rg_op_sigmoid ? gate : op == &rg_op_tanh ? value : sum;
    if (other != sum && *wish && !is_taken(p, wish))
        return take(p, wish);
    if (other != sum && *wish && !is_taken(p, hat(wish)))
        return take(p, hat(wish));
    for (; *other; other++)
        if (!is_taken(p, *other))
            return take(p, *other);
    for (int k = 1;; k++) {
        const char *t_k = rg_sheet_say(&p->sheet, "t%d", k);
        if (!*t_k || !is_taken(p, t_k))
            return take(p, t_k);
    }
}

/* ---- Which terms have names ----------------------------------------------------------------- */

static bool squashes(const rg_op *op)
{
    const rg_op *const list[] = { &rg_op_sigmoid, &rg_op_tanh, &rg_op_relu, &rg_op_leaky_relu,
                                  &rg_op_elu, &rg_op_softplus, &rg_op_exp, &rg_op_clip, &rg_op_sin };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        if (list[k] == op)
            return true;
    return false;
}

/* So little that it is written out wherever it is read. */
static bool is_little(const rg_sheet *f, const rg_node *node)
{
    bool little = node->n_in == 0 || node->op == &rg_op_one_minus || node->op == &rg_op_neg ||
                  node->op == &rg_op_slice || node->op == &rg_op_reshape ||
                  node->op == &rg_op_broadcast;
    return little && (node->n_in == 0 || f->term[node->in[0]].binding == RG_ATOM);
}

static bool is_gate(const rg_term *t, const rg_op *op)
{
    const char *of = t->matrix && *t->matrix ? t->matrix : t->bias;
    return squashes(op) && of && *of && !(t->matrix == conflict && (!t->bias || t->bias == conflict));
}

static const char *merged(const char *a, const char *b)
{
    return !a ? b : !b || strcmp(a, b) == 0 ? a : conflict;
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
        if (from->op != &rg_op_param || !*name)
            continue;
        if (op == &rg_op_matmul)
            t->matrix = merged(t->matrix, name + 1);
        else if (name[0] == 'b')
            t->bias = merged(t->bias, name + 1);
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

static void add_line(page *p, const char *name, const char *text, uint32_t id)
{
    rg_sheet *f = &p->sheet;
    if (rg_reserve(&f->g->alloc, &p->line, &p->line_cap, p->n_line + 1, sizeof *p->line))
        p->line[p->n_line++] = (line){ name, text, id };
    else
        f->failed = true;
}

/* What the marked terms read, and how often. */
static void count_uses(page *p)
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
static void clear(page *p)
{
    for (uint32_t id = 1; id < p->last; id++) {
        rg_term *t = &p->sheet.term[id];
        rg_term old = *t;
        *t = (rg_term){ .arg = old.arg, .n_arg = old.n_arg, .call = old.call };
    }
    p->n_taken = p->n_line = 0;
}

static void set_leaf(page *p, uint32_t id, const char *name)
{
    rg_term *t = &p->sheet.term[id];
    if (t->leaf)
        return;
    t->leaf = true;
    t->text = take(p, name);
    t->binding = RG_ATOM;
}

/* Terms from the leaves up; root[id] names a term whose line is due anyway, "" but the text. */
static void write_terms(page *p, const char *const *root)
{
    rg_sheet *f = &p->sheet;
    count_uses(p);
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
                         : is_gate(t, node->op) || (t->uses > 1 && !is_little(f, node))
                         ? new_name(p, t, node->op) : NULL;
        if (!name)
            continue;
        add_line(p, name, t->text, id);
        if (*name) {
            t->text = name;
            t->binding = RG_ATOM;
        }
        t->matrix = t->bias = NULL;
    }
}

/* Columns on a terminal: bytes that begin a character, without combining marks. */
static int columns(const char *text)
{
    int n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        n += (c & 0xc0) != 0x80 && c != 0xcc && c != 0xcd;
    }
    return n;
}

static void print_lines(const page *p, const rg_out *out, const char *indent)
{
    int widest = 0;
    for (size_t i = 0; i < p->n_line; i++)
        widest = columns(p->line[i].name) > widest ? columns(p->line[i].name) : widest;
    for (size_t i = 0; i < p->n_line; i++) {
        const line *l = &p->line[i];
        int64_t blocks = l->id ? p->sheet.term[l->id].blocks : 0;
        rg_out_printf(out, "%s", indent);
        if (*l->name)
            rg_out_printf(out, "%s%*s = ", l->name, widest - columns(l->name), "");
        out->write(out->user, l->text, strlen(l->text));
        if (blocks > 1)
            rg_out_printf(out, "   in %lld blocks: %s₁ …", (long long)blocks, l->name);
        rg_out_printf(out, "\n");
    }
}

/* ---- One step ------------------------------------------------------------------------------- */

typedef struct trace {
    const rg_cell *cell;
    rg_val         x;
    rg_val        *s, *next;  /* n_state each */
} trace;

/* Take the step in a scope of its own; p->first .. p->last are its nodes. */
static rg_status take_step(page *p, trace *t, const rg_val *s)
{
    rg_graph *g = p->sheet.g;
    size_t n = t->cell->n_state;
    if (!(t->s = rg_arena_get(&p->sheet.arena, 2 * n * sizeof *t->s)))
        return RG_ENOMEM;
    t->next = t->s + n;
    rg_scope_push(g, "formula", g->n_node);
    p->step = g->in_scope;
    p->first = g->n_node;
    for (size_t k = 0; k < n; k++)
        t->s[k] = s ? s[k] : rg_zeros(g, RG_SHAPE(rg_dim(t->x, 0), t->cell->width[k]));
    rg_step(t->next, t->cell, t->x, t->s, 0);
    rg_scope_pop(g);
    p->last = g->n_node;
    return g->status;
}

static rg_status begin(page *p, trace *t, const rg_cell *cell, rg_val x, const rg_val *s)
{
    rg_graph *g = x.graph;
    *p = (page){ .sheet = { .g = g } };
    *t = (trace){ .cell = cell, .x = x };
    if (!g)
        return RG_EARG;
    rg_arena_init(&p->sheet.arena, &g->alloc);
    if (!g->status && (!cell || !cell->step || !cell->n_state || (!cell->width && !s)))
        rg_poison(g, RG_EARG, "formula: a cell has a step, states, and their widths or values");
    rg_status st = g->status ? g->status : take_step(p, t, s);
    if (!st && !(p->sheet.term = rg_arena_get(&p->sheet.arena, p->last * sizeof(rg_term))))
        st = RG_ENOMEM;
    return st;
}

static rg_status end(page *p, rg_status st)
{
    const rg_alloc *a = &p->sheet.g->alloc;
    if (!st && p->sheet.failed)
        st = RG_ENOMEM;
    rg_release(a, p->taken, p->taken_cap * sizeof *p->taken);
    rg_release(a, p->line, p->line_cap * sizeof *p->line);
    rg_arena_free(&p->sheet.arena);
    return st;
}

/* ---- Functions: scopes inside the step that have one result --------------------------------- */

/* By scope, the outermost below the step's that holds no state. */
static bool find_groups(page *p, const trace *t)
{
    const rg_graph *g = p->sheet.g;
    bool *inside = rg_arena_get(&p->sheet.arena, 2 * g->n_scope * sizeof *inside);
    bool *barred = inside + g->n_scope;
    p->group = rg_arena_get(&p->sheet.arena, g->n_scope * sizeof *p->group);
    if (!inside || !p->group)
        return false;
    for (size_t k = 0; k < t->cell->n_state; k++)
        for (uint32_t s = rg_node_at(g, t->next[k].id)->scope; s; s = g->scope[s].parent)
            barred[s] = true;
    for (uint32_t s = 1; s < g->n_scope; s++) {
        uint32_t up = g->scope[s].parent;
        inside[s] = s == p->step || inside[up];
        if (inside[s] && s != p->step && up != p->step) /* that one is the cell's own */
            p->group[s] = p->group[up] ? p->group[up] : barred[s] ? 0 : s;
    }
    return true;
}

static uint32_t group_of(const page *p, uint32_t id)
{
    return p->group[rg_node_at(p->sheet.g, id)->scope];
}

/* What the nodes of a group read from elsewhere, numbers apart. */
static bool find_arguments(page *p, uint32_t group, rg_term *result)
{
    const rg_graph *g = p->sheet.g;
    uint32_t *arg = rg_arena_get(&p->sheet.arena, p->last * sizeof *arg), n = 0;
    double c;
    for (uint32_t id = p->first; arg && id < p->last; id++) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t i = 0; group_of(p, id) == group && i < node->n_in; i++) {
            uint32_t in = node->in[i], k = 0;
            while (k < n && arg[k] != in)
                k++;
            if (k == n && group_of(p, in) != group && !rg_node_is_number(rg_node_at(g, in), &c))
                arg[n++] = in;
        }
    }
    result->arg = arg;
    result->n_arg = n;
    result->call = g->scope[group].name;
    return arg != NULL;
}

static bool find_functions(page *p)
{
    const rg_graph *g = p->sheet.g;
    uint32_t *result = rg_arena_get(&p->sheet.arena, g->n_scope * sizeof *result);
    bool good = result != NULL;
    for (uint32_t id = p->first; good && id < p->last; id++) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t i = 0; i < node->n_in; i++) {
            uint32_t of = group_of(p, node->in[i]);
            if (of && of != group_of(p, id))
                result[of] = !result[of] || result[of] == node->in[i] ? node->in[i] : UINT32_MAX;
        }
    }
    for (uint32_t s = 1; good && s < g->n_scope; s++)
        if (result[s] && result[s] != UINT32_MAX)
            good = find_arguments(p, s, &p->sheet.term[result[s]]);
    return good;
}

/* ---- States --------------------------------------------------------------------------------- */

/* Bytes that all names begin with, up to a dot. */
static void find_prefix(page *p)
{
    rg_sheet *f = &p->sheet;
    const char *first = NULL;
    for (uint32_t id = 1; id < p->last; id++) {
        const rg_node *node = rg_node_at(f->g, id);
        if (!f->term[id].wanted || node->op != &rg_op_param)
            continue;
        const char *name = ((const rg_attr_param *)node->attr)->slot->name;
        size_t n = 0, dot = 0;
        if (!first) {
            first = name;
            const char *last = strrchr(name, '.');
            f->prefix = last ? (size_t)(last - name) + 1 : 0;
        }
        for (; n < f->prefix && name[n] == first[n]; n++)
            dot = name[n] == '.' ? n + 1 : dot;
        f->prefix = n < f->prefix ? dot : f->prefix;
    }
}

/* h, c, n, m; y for an output that no step reads, p for what becomes x, s0 … in a stack. */
static void name_states(page *p, const trace *t, const char **name)
{
    static const char *const letter[] = { "h", "c", "n", "m" };
    size_t n = t->cell->n_state, at = 0;
    bool many = n > 4 || rg_cell_output(t->cell) > 0;
    for (size_t k = 0; k < n; k++) {
        bool read = p->sheet.term[t->s[k].id].wanted;
        name[k] = many ? rg_sheet_say(&p->sheet, "s%zu", k)
                : k == 0 && !read ? "y"
                : k > 0 && t->next[k].id == t->x.id ? "p" : letter[at];
        at += k == 0 || strcmp(name[k], letter[at]) == 0;
    }
}

static void mark_roots(page *p, const trace *t)
{
    for (size_t k = 0; k < t->cell->n_state; k++) {
        rg_term *term = &p->sheet.term[t->next[k].id];
        term->wanted = true;
        term->uses++;
    }
}

static bool write_cell(page *p, const trace *t, const rg_out *out)
{
    rg_sheet *f = &p->sheet;
    size_t n = t->cell->n_state;
    const char **name = rg_arena_get(&f->arena, n * sizeof *name);
    const char **root = rg_arena_get(&f->arena, p->last * sizeof *root);
    if (!name || !root)
        return false;
    f->term[t->x.id].leaf = true;
    for (size_t k = 0; k < n; k++)
        f->term[t->s[k].id].leaf = true;
    mark_roots(p, t);
    count_uses(p);
    find_prefix(p);
    name_states(p, t, name);
    clear(p);
    set_leaf(p, t->x.id, "x");
    for (size_t k = 0; k < n; k++)
        set_leaf(p, t->s[k].id, name[k]);
    mark_roots(p, t);
    for (size_t k = 0; k < n; k++)
        root[t->next[k].id] = rg_sheet_say(f, "%s'", name[k]);
    write_terms(p, root);
    for (size_t k = 0; k < n; k++) { /* a state that is another, or a leaf, has no term of its own */
        const char *own = rg_sheet_say(f, "%s'", name[k]), *of = f->term[t->next[k].id].text;
        if (!f->failed && strcmp(own, of) != 0)
            add_line(p, own, of, 0);
    }
    if (!f->failed)
        print_lines(p, out, "");
    return !f->failed;
}

/* ---- Bodies of functions -------------------------------------------------------------------- */

/* γ, β for weights that are called so, else v, w … */
static const char *formal(page *p, uint32_t id, size_t *at)
{
    static const char *const letter[] = { "v", "w", "u", "r", "z", "k" };
    const rg_node *node = rg_node_at(p->sheet.g, id);
    if (node->op == &rg_op_param) {
        const char *text = rg_param_text(&p->sheet, node);
        const char *greek = rg_sheet_say(&p->sheet, "%.2s", text);
        if ((unsigned char)text[0] >= 0x80 && !is_taken(p, greek))
            return greek;
    }
    if (*at < sizeof letter / sizeof *letter)
        return letter[(*at)++];
    return rg_sheet_say(&p->sheet, "v%zu", (*at)++);
}

static bool write_function(page *p, uint32_t result, const rg_out *out)
{
    rg_sheet *f = &p->sheet;
    rg_term *t = &f->term[result];
    const char *name = t->call, **root = rg_arena_get(&f->arena, p->last * sizeof *root);
    size_t letters = 0;
    if (!root)
        return false;
    clear(p);
    rg_out_printf(out, "\n%s(", name);
    for (uint32_t i = 0; i < t->n_arg; i++) {
        set_leaf(p, t->arg[i], formal(p, t->arg[i], &letters));
        rg_out_printf(out, "%s%s", i ? ", " : "", f->term[t->arg[i]].text);
    }
    rg_out_printf(out, "):\n");
    t->call = NULL;
    t->wanted = true;
    root[result] = "";
    write_terms(p, root);
    t->call = name;
    if (!f->failed)
        print_lines(p, out, "    ");
    return !f->failed;
}

/* Each function that the equations call, once. */
static bool write_functions(page *p, const rg_out *out)
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

rg_status rg_formula_print(const rg_cell *cell, rg_val x, const rg_val *s, rg_write_fn *write,
                           void *user)
{
    const rg_out out = { write, user };
    page p;
    trace t;
    rg_status st = begin(&p, &t, cell, x, s);
    if (!x.graph)
        return st;
    if (!st && !(find_groups(&p, &t) && find_functions(&p) && write_cell(&p, &t, &out) &&
                 write_functions(&p, &out)))
        st = RG_ENOMEM;
    return end(&p, st);
}

/* Does it compute, or only move? */
static bool computes(const rg_op *op)
{
    const rg_op *const moves[] = { &rg_op_reshape, &rg_op_broadcast, &rg_op_transpose, &rg_op_slice,
                                   &rg_op_concat, &rg_op_reverse, &rg_op_detach, &rg_op_gather };
    for (size_t k = 0; k < sizeof moves / sizeof *moves; k++)
        if (moves[k] == op)
            return false;
    return true;
}

double rg_step_flop(const rg_cell *cell, rg_val x, const rg_val *s)
{
    page p;
    trace t;
    double flop = 0;
    rg_status st = begin(&p, &t, cell, x, s);
    if (!x.graph)
        return -1;
    if (!st) {
        mark_roots(&p, &t);
        count_uses(&p);
    }
    for (uint32_t id = p.first; !st && id < p.last; id++) {
        const rg_node *node = rg_node_at(x.graph, id);
        double n = (double)rg_shape_count(*node->shape);
        if (!p.sheet.term[id].wanted || node->n_in == 0 || !computes(node->op))
            continue;
        const rg_shape *a = rg_node_at(x.graph, node->in[0])->shape;
        bool product = node->op == &rg_op_matmul;
        if (product && ((const rg_attr_matmul *)node->attr)->transpose_a)
            flop += 2 * n * (double)a->dim[a->rank - 2];
        else if (product)
            flop += 2 * n * (double)a->dim[a->rank - 1];
        else
            flop += n;
    }
    return end(&p, st) ? -1 : flop;
}
