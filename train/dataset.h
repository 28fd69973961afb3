/* train/dataset.h -- data sets while they are made. */
#ifndef RG_TRAIN_DATASET_H
#define RG_TRAIN_DATASET_H

#include <retrograd/data.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/whole.h"

/* What is behind a data set. */
typedef struct rg_behind {
    rg_arena arena;
    float   *in, *out;  /* numbers, scaled, once rg_dataset_rows() has been asked for them */
} rg_behind;

/* Is item i of this part? */
static inline bool rg_dataset_has(const rg_dataset *d, size_t i, rg_part part)
{
    return part == RG_PART_ALL || d->part[i] == part;
}

typedef struct rg_maker {
    rg_dataset            *d;
    const rg_dataset_opts *opts;
    rg_alloc               alloc;
    rg_arena              *arena;   /* behind d */
    rg_err                 err;
    rg_teller              teller;
    double                 valid, test;  /* shares to take from the first file */
    size_t                 longest;
    rg_table *const       *table;        /* [3] whose rows are the items, or NULL */
} rg_maker;

/* Options checked, an empty data set; @p has: which of train, valid, test have their own files. */
rg_status rg_maker_begin(rg_maker *m, rg_dataset *d, const rg_dataset_opts *opts,
                         const bool has[3]);
/* The data set is done, or has failed and is empty but for the message. */
rg_status rg_maker_end(rg_maker *m, rg_status st);
/* Memory that lives as long as the data set, its contents undefined; NULL: m->err says so. */
void *rg_maker_get(rg_maker *m, size_t n, size_t item);

/* To which part item i of N of file k belongs, @p data being what it reads. */
rg_part rg_maker_part(const rg_maker *m, int k, size_t i, size_t N, const void *data, size_t bytes);
/* The first of N rows that is of this part, in order. */
size_t rg_maker_border(const rg_maker *m, rg_part part, size_t N);
/* Parts of all items are known. RG_ESTATE: none is to be trained on. */
rg_status rg_maker_count(rg_maker *m);
/* Room for n sequences. */
rg_status rg_maker_sequences(rg_maker *m, rg_ragged *r, size_t n);
/* r->longest, and that no item is longer than it may; @p line NULL = items have none. */
rg_status rg_maker_lengths(rg_maker *m, rg_ragged *r, const char *what);
/* Constants for r by the sequences of @p from whose part is RG_PART_TRAIN. RG_EFORMAT: a number is
 * infinite, as it is or by scaling. */
rg_status rg_maker_scale(rg_maker *m, rg_ragged *r, const rg_ragged *from, const uint8_t *part,
                         const rg_field *f);

/* Number i of the sequences, not scaled. */
double rg_ragged_number(const rg_ragged *r, size_t i);

/* ---- Columns of tables ----------------------------------------------------------------------- */

/* Columns of up to three tables, by which items are made: of item i, row `row` of table k. */
typedef struct rg_columns {
    rg_table *table[3];
    uint32_t *column[3];  /* [n] of each table */
    size_t    n;
} rg_columns;

/* What spec names. RG_EARG with the columns that there are. */
rg_status rg_columns_find(rg_maker *m, rg_columns *c, rg_table *const table[3], const char *spec);
/* Cells as sequences of ids with their vocabulary; r has its sequences. @p target: which side. */
rg_status rg_columns_encode(rg_maker *m, rg_ragged *r, rg_vocab *vocab, const rg_columns *c,
                            const rg_field *f, bool target);
/* Cells as numbers, f->width of them a step. */
rg_status rg_columns_numbers(rg_maker *m, rg_ragged *r, const rg_columns *c, const rg_field *f);

#endif
