/* plan/passes/fold.c -- the rewrite rules as a table, and the pass that applies them once.
 *
 * Needs    a verified program.
 * Leaves   no node that a rule has an opinion on, as far as rules look: at a node and its operands.
 * Law      each row's. All hold for infinities and NaN too, so there is no x*0 = 0 and no x-x = 0.
 *          Where the sign of a zero, a subnormal that is flushed an operation earlier or later, or
 *          the order of a sum may change, the row says so.
 *
 * A rule keeps shape and kind; looks at the node and its operands only; and makes the program
 * smaller or moves towards a normal form, so that folding ends. Normal forms: numbers become
 * attributes (scale, shift); of two transposes, reshapes or slices in a row one is left; a slice
 * of a concat is the part; a concat of neighbouring slices is the slice; one-hot products are
 * look-ups; broadcasts come last. */
#include "plan/passes/passes.h"

#include "plan/passes/rules.h"

static const rg_rule table[] = {
    { &rg_op_mul,       rg_fold_mul_number,      "x*1 = x, x*c = scale(x, c)" },
    { &rg_op_mul,       rg_fold_mul_negs,        "(-x)*(-y) = x*y" },
    { &rg_op_add,       rg_fold_add_number,
      "x+0 = x up to the sign of zero, x+c = shift(x, c)" },
    { &rg_op_add,       rg_fold_add_neg,         "x + -y = x-y" },
    { &rg_op_add,       rg_fold_add_reshapes,    "reshape(x) + reshape(y) = reshape(x + y)" },
    { &rg_op_add,       rg_fold_add_concats,
      "concat + concat = concat of sums, while `split` runs" },
    { &rg_op_sub,       rg_fold_sub_number,
      "x-0 = x, x-c = shift(x, -c), 1-x = one_minus(x), 0-x = -x up to the sign of zero" },
    { &rg_op_sub,       rg_fold_sub_neg,         "x - -y = x+y" },
    { &rg_op_div,       rg_fold_div_number,      "x/2^k = scale(x, 2^-k)" },
    { &rg_op_neg,       rg_fold_neg,
      "-(-x) = x, -(c*x) = (-c)*x, -(x-y) = y-x up to the sign of zero" },
    { &rg_op_scale,     rg_fold_scale,           "1*x = x, -1*x = -x, c*(-x) = (-c)*x" },
    { &rg_op_shift,     rg_fold_shift_zero,      "x+0 = x up to the sign of zero" },
    { &rg_op_where,     rg_fold_where,
      "where(m, x, x) = x, where(not m, x, y) = where(m, y, x)" },
    { &rg_op_not,       rg_fold_not,             "not not m = m" },
    { &rg_op_and,       rg_fold_same_twice,      "m and m = m" },
    { &rg_op_minimum,   rg_fold_same_twice,      "min(x, x) = x" },
    { &rg_op_maximum,   rg_fold_same_twice,      "max(x, x) = x" },

    { &rg_op_detach,    rg_fold_copy,            "detach(x) = x" },
    { &rg_op_broadcast, rg_fold_broadcast,
      "broadcast(x) to its own shape = x, of a broadcast = of what it is of" },
    { &rg_op_broadcast, rg_fold_form_of_number,  "broadcast(c) = c" },
    { &rg_op_reshape,   rg_fold_reshape,
      "reshape to its own shape = x, of a reshape = of what it is of" },
    { &rg_op_reshape,   rg_fold_form_of_number,  "reshape(c) = c" },
    { &rg_op_reshape,   rg_fold_reshape_sum,
      "reshape of a sum over the last axis to the shape with that axis = the sum that keeps it" },
    { &rg_op_reshape,   rg_fold_reshape_one_hot, "reshape(one_hot(i)) = one_hot(reshape(i))" },
    { &rg_op_transpose, rg_fold_transpose,
      "transposes compose, the identity is x, one that moves only extents of 1 is a reshape" },
    { &rg_op_transpose, rg_fold_form_of_number,  "transpose(c) = c" },
    { &rg_op_slice,     rg_fold_slice_whole,     "slice of all = x" },
    { &rg_op_slice,     rg_fold_form_of_number,  "slice(c) = c" },
    { &rg_op_slice,     rg_fold_slice_slice,     "slice of a slice = a slice" },
    { &rg_op_slice,     rg_fold_slice_concat,
      "slice inside one part of a concat = slice of the part" },
    { &rg_op_slice,     rg_fold_slice_one_hot,   "slice(one_hot(i)) = one_hot(slice(i))" },
    { &rg_op_slice,     rg_fold_slice_reshape,   "rows of a reshape = a reshape of rows" },
    { &rg_op_concat,    rg_fold_concat,
      "one part = the part, empty parts are none, neighbouring slices = their slice, equal "
      "numbers = one" },
    { &rg_op_concat,    rg_fold_concat_reshape,  "a stack of reshapes = a reshape of the stack" },
    { &rg_op_concat,    rg_fold_concat_columns,  "columns of stacks = a stack of columns" },
    { &rg_op_concat,    rg_fold_concat_slices,
      "a stack of equal columns = columns of the stack" },
    { &rg_op_sum_over,  rg_fold_sum_one,         "a sum over one = x up to the sign of zero" },
    { &rg_op_sum_over,  rg_fold_sum_zero,        "a sum of zeros = 0" },
    { &rg_op_sum_over,  rg_fold_sum_neg,
      "a sum of -x over the last axis, kept = -(the sum) up to the sign of zero" },
    { &rg_op_sum_over,  rg_fold_sum_all,
      "a sum over all elements = the sum over sums of rows, up to the order of the sum, while "
      "`fold` runs" },

    { &rg_op_matmul,    rg_fold_matmul_transpose, "transpose(A)*B is a product with A transposed" },
    { &rg_op_matmul,    rg_fold_matmul_one_hot,
      "one_hot(i)*W = W[i] up to the sign of zero, one_hot(i)'*d = scatter_add(d, i) up to the "
      "order of the sum; both where W and d are finite: a look-up never meets the 0*inf of other "
      "rows" },
    { &rg_op_matmul,    rg_fold_matmul_rows,
      "a product of stacked rows with one matrix is one product" },
    { &rg_op_gather,    rg_fold_gather_rows,     "rows by indices of any shape = rows by a list" },
    { &rg_op_scatter_add, rg_fold_scatter_rows,  "its transpose likewise" },

    { NULL,             rg_fold_elementwise_broadcast,
      "f(broadcast(x), y) = f(x, y), f(broadcast(x)) = broadcast(f(x))" },
    { NULL,             rg_fold_constants,
      "f(constants) = the constant, by its reference kernel" },
};

size_t rg_rule_count(void)
{
    return sizeof table / sizeof *table;
}

const rg_rule *rg_rule_at(size_t i)
{
    return &table[i];
}

static uint64_t key(const rg_op *op)
{
    return rg_hash_mix(0, (uint64_t)(uintptr_t)op);
}

bool rg_rules_index(rg_index *index, const rg_alloc *alloc, size_t i)
{
    if (!table[i].op || (i > 0 && table[i - 1].op == table[i].op))
        return true;
    return rg_index_put(index, alloc, key(table[i].op), (uint32_t)i + 1);
}

size_t rg_rules_of(const rg_index *index, const rg_op *op)
{
    uint32_t i;
    for (size_t probe = 0; (i = rg_index_next(index, key(op), &probe));)
        if (table[i - 1].op == op)
            return i - 1;
    return rg_rule_count();
}

rg_status rg_pass_fold(rg_prog *p, rg_err *err)
{
    if (p->folded)
        return RG_OK;
    p->regroup = true;
    const rg_status st = rg_builder_sweep(p, err);
    p->regroup = false;
    return st;
}
