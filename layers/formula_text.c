/* layers/formula_text.c -- operations as a person writes them: x·U + b, σ(a), (1 − f)∘h. */
#include "layers/formula.h"

#include "base/text.h"
#include "ops/ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rg_sheet_say(rg_sheet *f, const char *format, ...)
{
    va_list one, two;
    va_start(one, format);
    va_copy(two, one);
    int n = vsnprintf(NULL, 0, format, one);
    char *text = n < 0 ? NULL : rg_arena_get(&f->arena, (size_t)n + 1);
    if (text)
        (void)vsnprintf(text, (size_t)n + 1, format, two);
    f->failed = f->failed || !text;
    va_end(two);
    va_end(one);
    return text ? text : "";
}

const uint32_t *rg_term_reads(const rg_sheet *f, uint32_t id, uint32_t *n)
{
    const rg_term *t = &f->term[id];
    const rg_node *node = rg_node_at(f->g, id);
    *n = t->call ? t->n_arg : node->n_in;
    return t->call ? t->arg : node->in;
}

/* ---- Leaves --------------------------------------------------------------------------------- */

const char *rg_param_text(rg_sheet *f, const rg_node *node)
{
    static const struct { const char *word, *letter; } greek[] = {
        { "alpha", "α" }, { "beta", "β" }, { "gamma", "γ" }, { "lambda", "λ" }, { "nu", "ν" },
        { "theta", "θ" }, { "zeta", "ζ" },
    };
    const char *name = ((const rg_attr_param *)node->attr)->slot->name + f->prefix;
    for (size_t k = 0; k < sizeof greek / sizeof *greek; k++) {
        size_t n = strlen(greek[k].word);
        if (strncmp(name, greek[k].word, n) == 0 && (!name[n] || name[n] == '_'))
            return rg_sheet_say(f, "%s%s", greek[k].letter, name + n + (name[n] == '_'));
    }
    return rg_sheet_say(f, "%s", name);
}

static const char *number(rg_sheet *f, double c)
{
    char text[RG_NUMBER_TEXT];
    (void)rg_number(text, c, 6);
    return c < 0 ? rg_sheet_say(f, "−%s", text + 1) : rg_sheet_say(f, "%s", text);
}

/* ---- Operands ------------------------------------------------------------------------------- */

/* Operand i as it stands beside an operator that holds as strongly as @p least. */
static const char *operand(rg_sheet *f, uint32_t id, uint32_t i, rg_binding least)
{
    const rg_term *t = &f->term[rg_node_at(f->g, id)->in[i]];
    return t->binding >= least ? t->text : rg_sheet_say(f, "(%s)", t->text);
}

/* Factors: a chain of one kind of product needs no parentheses, a mixed one does. */
static const char *factor(rg_sheet *f, uint32_t id, uint32_t i, rg_binding kind)
{
    bool same = f->term[rg_node_at(f->g, id)->in[i]].binding == kind;
    return operand(f, id, i, same ? kind : RG_POWER);
}

static void put(rg_sheet *f, uint32_t id, rg_binding binding, const char *text)
{
    f->term[id].text = text;
    f->term[id].binding = binding;
}

/* "a, b": what the term reads. */
static const char *list(rg_sheet *f, uint32_t id)
{
    uint32_t n;
    const uint32_t *in = rg_term_reads(f, id, &n);
    const char *text = "";
    for (uint32_t i = 0; i < n; i++)
        text = rg_sheet_say(f, "%s%s%s", text, i ? ", " : "", f->term[in[i]].text);
    return text;
}

/* name(a, b, more); a name alone if it reads nothing */
static void call(rg_sheet *f, uint32_t id, const char *name, const char *more)
{
    const char *read = list(f, id);
    bool alone = !*read && !*more;
    put(f, id, RG_ATOM, rg_sheet_say(f, "%s%s%s%s%s%s", name, alone ? "" : "(", read,
                                     *read && *more ? ", " : "", more, alone ? "" : ")"));
}

/* ---- Operations ----------------------------------------------------------------------------- */

static bool sums(rg_sheet *f, uint32_t id, const rg_node *node)
{
    const size_t minus = strlen("−");
    if (node->op == &rg_op_add) {
        const char *a = operand(f, id, 0, RG_SUM), *b = operand(f, id, 1, RG_SUM);
        bool negative = strncmp(b, "−", minus) == 0;
        put(f, id, RG_SUM, rg_sheet_say(f, "%s %s %s", a, negative ? "−" : "+",
                                        b + (negative ? minus : 0)));
    } else if (node->op == &rg_op_sub) {
        put(f, id, RG_SUM, rg_sheet_say(f, "%s − %s", operand(f, id, 0, RG_SUM),
                                        operand(f, id, 1, RG_PRODUCT)));
    } else if (node->op == &rg_op_one_minus) {
        put(f, id, RG_SUM, rg_sheet_say(f, "1 − %s", operand(f, id, 0, RG_PRODUCT)));
    } else if (node->op == &rg_op_neg) {
        put(f, id, RG_SUM, rg_sheet_say(f, "−%s", operand(f, id, 0, RG_PRODUCT)));
    } else if (node->op == &rg_op_shift) {
        double c = ((const rg_attr_real *)node->attr)->c;
        put(f, id, RG_SUM, rg_sheet_say(f, "%s %s %s", operand(f, id, 0, RG_SUM),
                                        c < 0 ? "−" : "+", number(f, c < 0 ? -c : c)));
    } else {
        return false;
    }
    return true;
}

/* c·x; the mean of x if x is a sum of 1/c elements. */
static void scaled(rg_sheet *f, uint32_t id, const rg_node *node)
{
    double c = ((const rg_attr_real *)node->attr)->c;
    const rg_node *x = rg_node_at(f->g, node->in[0]);
    if (x->op == &rg_op_sum_over && f->term[node->in[0]].uses == 1) {
        const rg_node *of = rg_node_at(f->g, x->in[0]);
        int64_t n = of->shape->dim[((const rg_attr_axis *)x->attr)->axis];
        if (c == 1.0 / (double)n) {
            put(f, id, RG_ATOM, rg_sheet_say(f, "mean(%s)", f->term[x->in[0]].text));
            return;
        }
    }
    if (c == 1)
        put(f, id, f->term[node->in[0]].binding, f->term[node->in[0]].text);
    else if (c == -1)
        put(f, id, RG_SUM, rg_sheet_say(f, "−%s", operand(f, id, 0, RG_PRODUCT)));
    else
        put(f, id, RG_MATMUL, rg_sheet_say(f, "%s·%s", number(f, c), factor(f, id, 0, RG_MATMUL)));
}

static bool products(rg_sheet *f, uint32_t id, const rg_node *node)
{
    if (node->op == &rg_op_mul) {
        put(f, id, RG_PRODUCT, rg_sheet_say(f, "%s∘%s", factor(f, id, 0, RG_PRODUCT),
                                            factor(f, id, 1, RG_PRODUCT)));
    } else if (node->op == &rg_op_div) {
        put(f, id, RG_PRODUCT, rg_sheet_say(f, "%s/%s", factor(f, id, 0, RG_PRODUCT),
                                            operand(f, id, 1, RG_POWER)));
    } else if (node->op == &rg_op_matmul) {
        const rg_attr_matmul *at = node->attr;
        const char *a = at->transpose_a ? operand(f, id, 0, RG_ATOM) : factor(f, id, 0, RG_MATMUL);
        const char *b = operand(f, id, 1, at->transpose_b ? RG_ATOM : RG_POWER);
        put(f, id, RG_MATMUL, rg_sheet_say(f, "%s%s·%s%s", a, at->transpose_a ? "ᵀ" : "", b,
                                           at->transpose_b ? "ᵀ" : ""));
    } else if (node->op == &rg_op_scale) {
        scaled(f, id, node);
    } else if (node->op == &rg_op_square) {
        put(f, id, RG_POWER, rg_sheet_say(f, "%s²", operand(f, id, 0, RG_ATOM)));
    } else if (node->op == &rg_op_power) {
        put(f, id, RG_POWER, rg_sheet_say(f, "%s^%s", operand(f, id, 0, RG_ATOM),
                                          number(f, ((const rg_attr_real *)node->attr)->c)));
    } else if (node->op == &rg_op_sqrt) {
        put(f, id, RG_POWER, rg_sheet_say(f, "√%s", operand(f, id, 0, RG_ATOM)));
    } else {
        return false;
    }
    return true;
}

/* The k-th of equal blocks of the last axis is v₁, v₂ …, any other slice v[begin:end]. */
static void slice(rg_sheet *f, uint32_t id, const rg_node *node)
{
    static const char *const digit[] = { "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉" };
    const rg_attr_slice *at = node->attr;
    const rg_shape *whole = rg_node_at(f->g, node->in[0])->shape;
    int64_t n = whole->dim[at->axis], width = at->end - at->begin;
    const char *of = operand(f, id, 0, RG_ATOM);
    if (at->axis == whole->rank - 1 && width > 0 && n % width == 0 && at->begin % width == 0 &&
        at->begin / width < 9) {
        put(f, id, RG_ATOM, rg_sheet_say(f, "%s%s", of, digit[at->begin / width]));
        if (width > 1)
            f->term[node->in[0]].blocks = n / width;
    } else {
        put(f, id, RG_ATOM, rg_sheet_say(f, "%s[%lld:%lld]", of, (long long)at->begin,
                                         (long long)at->end));
    }
}

static bool forms(rg_sheet *f, uint32_t id, const rg_node *node)
{
    if (node->op == &rg_op_reshape || node->op == &rg_op_broadcast ||
        node->op == &rg_op_bool_to_real || node->op == &rg_op_int_to_real) {
        const rg_term *of = &f->term[node->in[0]]; /* says nothing that the reader misses */
        put(f, id, of->binding, of->text);
    } else if (node->op == &rg_op_transpose && node->shape->rank == 2) {
        put(f, id, RG_ATOM, rg_sheet_say(f, "%sᵀ", operand(f, id, 0, RG_ATOM)));
    } else if (node->op == &rg_op_slice) {
        slice(f, id, node);
    } else if (node->op == &rg_op_concat) {
        put(f, id, RG_ATOM, rg_sheet_say(f, "[%s]", list(f, id)));
    } else if (node->op == &rg_op_less) {
        put(f, id, RG_RELATION, rg_sheet_say(f, "%s < %s", operand(f, id, 0, RG_SUM),
                                             operand(f, id, 1, RG_SUM)));
    } else if (node->op == &rg_op_less_equal) {
        put(f, id, RG_RELATION, rg_sheet_say(f, "%s ≤ %s", operand(f, id, 0, RG_SUM),
                                             operand(f, id, 1, RG_SUM)));
    } else {
        return false;
    }
    return true;
}

/* What is not called by its name as an operation. */
static const char *function_name(const rg_op *op)
{
    static const struct { const rg_op *op; const char *name; } row[] = {
        { &rg_op_sigmoid, "σ" }, { &rg_op_log, "ln" }, { &rg_op_minimum, "min" },
        { &rg_op_maximum, "max" }, { &rg_op_sum_over, "sum" }, { &rg_op_max_over, "max" },
        { &rg_op_norm_over, "norm" }, { &rg_op_logsumexp_over, "logsumexp" },
        { &rg_op_normal_cdf, "Φ" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        if (row[k].op == op)
            return row[k].name;
    return op->name;
}

static void function(rg_sheet *f, uint32_t id, const rg_node *node)
{
    const char *more = "";
    if (node->op == &rg_op_leaky_relu || node->op == &rg_op_elu) {
        more = number(f, ((const rg_attr_real *)node->attr)->c);
    } else if (node->op == &rg_op_clip) {
        const rg_attr_range *at = node->attr;
        more = rg_sheet_say(f, "%s, %s", number(f, at->lo), number(f, at->hi));
    } else if (node->op == &rg_op_dropout) {
        more = number(f, ((const rg_attr_stream *)node->attr)->p);
    }
    call(f, id, function_name(node->op), more);
}

void rg_term_write(rg_sheet *f, uint32_t id)
{
    const rg_node *node = rg_node_at(f->g, id);
    double c;
    if (f->term[id].call)
        call(f, id, f->term[id].call, "");
    else if (node->op == &rg_op_param)
        put(f, id, RG_ATOM, rg_param_text(f, node));
    else if (node->op == &rg_op_input)
        put(f, id, RG_ATOM, ((const rg_attr_input *)node->attr)->name);
    else if (rg_node_is_number(node, &c))
        put(f, id, c < 0 ? RG_SUM : RG_ATOM, number(f, c));
    else if (!sums(f, id, node) && !products(f, id, node) && !forms(f, id, node))
        function(f, id, node);
}
