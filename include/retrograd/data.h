/* retrograd/data.h -- data from files: texts, words, tables, images, arrays; data sets with their
 * split; batches. Optional part of the library, like io.h.
 *
 *     rg_table      rows and columns of a CSV or TSV file      rg_corpus   a text, by characters
 *     rg_idx_load   images; rg_npy_load (io.h): arrays         rg_words    a text, by words
 *     rg_dataset    items of one task: sequences, their targets, who is train, valid, test
 *     rg_batches    items as rectangles [T,B] for a plan, shuffled, grouped by length
 *
 * Texts, tables, vocabularies and IDX files may be packed by gzip, where the library was built with
 * zlib. Messages that concern a place begin `file:line: ` and name the column. */
#ifndef RETROGRAD_DATA_H
#define RETROGRAD_DATA_H

#include "io.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rg_part { RG_PART_ALL, RG_PART_TRAIN, RG_PART_VALID, RG_PART_TEST } rg_part;

/* Told four times a second, where something takes longer than half a second, which share of it is
 * done, 0 to 1. false ends the call with RG_EUSER. */
typedef struct rg_progress {
    bool (*tell)(void *user, double share);  /* NULL = nobody is told */
    void  *user;
    double after;                            /* seconds before the first time; 0 = 0.5, negative =
                                                at once, and without pauses */
} rg_progress;

/* ---- Corpus: a text as indices into its vocabulary ----------------------------------------- */

/* Characters in a row. */
typedef struct rg_span {
    const int32_t *id;
    size_t         n;
} rg_span;

typedef struct rg_corpus {
    int32_t  *id;           /* [n] */
    size_t    n;
    uint32_t *symbol;       /* [V] ascending: code points, or all 256 bytes */
    size_t    V;
    bool      bytes;
    bool      bom;          /* a byte order mark was dropped */
    size_t    crlf, cr;     /* CR LF pairs and lone CRs: they stay text */
    char      sha256[65];   /* of the file, unpacked */
    char      message[512]; /* why loading failed */
} rg_corpus;

typedef struct rg_corpus_opts {
    bool            bytes;   /* symbols are bytes: any file is a text */
    const uint32_t *symbol;  /* the vocabulary to use, V symbols, ascending; NULL = what occurs */
    size_t          V;
} rg_corpus_opts;

/**
 * Read a UTF-8 text. Line ends are left as they are; a byte order mark is dropped.
 *
 * @param[out] corpus  rg_corpus_destroy() frees it. On failure all but the message is zero
 * @param opts         NULL = UTF-8, vocabulary from the text
 *
 * Errors     RG_EIO not readable, not a regular file; RG_EFORMAT invalid UTF-8 or NUL, with line
 *            and byte; RG_EMISMATCH a character that is not in opts->symbol, with its place;
 *            RG_EARG opts->symbol not ascending; RG_ELIMIT 2^31 bytes or more; RG_ENOMEM
 */
RG_API rg_status rg_corpus_load(rg_corpus *corpus, const char *path, const rg_corpus_opts *opts);
/* The same from memory; @p name stands for the path in messages. */
RG_API rg_status rg_corpus_decode(rg_corpus *corpus, const char *name, const void *text,
                                  size_t bytes, const rg_corpus_opts *opts);
RG_API void rg_corpus_destroy(rg_corpus *corpus);

/* The first 90 % of the characters, the next 5 %, the last 5 %. Borrowed from the corpus. */
RG_API rg_span rg_corpus_part(const rg_corpus *corpus, rg_part part);

/* A symbol as it is written: UTF-8, or the byte. Returns its length, 1 to 4; terminated. */
RG_API size_t rg_symbol_text(char text[5], uint32_t symbol, bool bytes);

/* ---- Vocabularies: what ids mean ----------------------------------------------------------- */

typedef struct rg_vocab {
    size_t             n;
    const char *const *word;     /* [n] UTF-8, the place is the id; NULL: ids have no words, as the
                                    256 bytes and the classes of arrays */
    void              *memory;   /* behind it */
    char               message[512];
} rg_vocab;

/* The word for all that a vocabulary does not have, where it has this one. */
#define RG_UNKNOWN "<unk>"
/* Begin and end of a target sequence. */
#define RG_BEGIN "<bos>"
#define RG_END   "<eos>"

/* A copy of these words. RG_EARG: one is empty, not UTF-8, or there twice. Message in the vocab. */
RG_API rg_status rg_vocab_create(rg_vocab *vocab, const char *const *words, size_t n);
/* A file of a word a line, the id being line - 1; RG_EFORMAT with the line: empty, white space
 * within, not UTF-8, there twice. */
RG_API rg_status rg_vocab_load(rg_vocab *vocab, const char *path);
/* Whole or not at all. RG_EARG: a word has white space, as symbols of a text may. */
RG_API rg_status rg_vocab_save(rg_vocab *vocab, const char *path);
RG_API void rg_vocab_destroy(rg_vocab *vocab);
/* The id of these bytes, -1 if the vocabulary has none. */
RG_API int32_t rg_vocab_find(const rg_vocab *vocab, const char *word, size_t bytes);

/* What a text is cut into. */
typedef enum rg_unit {
    RG_UNIT_CHAR = 0,  /* code points */
    RG_UNIT_WORD,      /* what stands between white space; case is kept */
    RG_UNIT_BYTE,
    RG_UNIT_WHOLE,     /* not cut: a label */
    RG_UNIT_NUMBER     /* no text: a real number */
} rg_unit;

/**
 * A text as ids, without end and begin. What the vocabulary lacks is RG_UNKNOWN.
 *
 * @param[out] id   at most @p room of them are written
 * @return          how many there are, perhaps more than room; -1: a unit that the vocabulary lacks
 *                  and it has no RG_UNKNOWN, or text that is not UTF-8 (but for RG_UNIT_BYTE)
 */
RG_API int64_t rg_vocab_encode(int32_t *id, size_t room, const rg_vocab *vocab, rg_unit unit,
                               const char *text, size_t bytes);

/* ---- Words: a text as ids of its words ----------------------------------------------------- */

typedef struct rg_words {
    int32_t *id;           /* [n] */
    size_t   n;
    rg_vocab vocab;        /* RG_UNKNOWN first, then by frequency */
    size_t   unknown;      /* of the n words are RG_UNKNOWN */
    size_t   characters[4];  /* of the words of a part, each with the white space behind it:
                                characters[RG_PART_TEST]; [RG_PART_ALL] is the sum */
    char     sha256[65];   /* of the file */
    char     message[512]; /* why loading failed */
} rg_words;

typedef struct rg_words_opts {
    const rg_vocab *vocab;     /* to use, copied; NULL = the most frequent of the training part,
                                  equal ones in the order of their bytes */
    size_t          most;      /* words of it at most, with RG_UNKNOWN; 0 = 10000 */
    size_t          least;     /* and each occurs so often at least; 0 = 1 */
    rg_progress     progress;
} rg_words_opts;

/* A UTF-8 text; words are what stands between white space, as they are written. Errors as
 * rg_corpus_load(); RG_EMISMATCH: opts->vocab has neither a word of the text nor RG_UNKNOWN. */
RG_API rg_status rg_words_load(rg_words *words, const char *path, const rg_words_opts *opts);
RG_API rg_status rg_words_decode(rg_words *words, const char *name, const void *text, size_t bytes,
                                 const rg_words_opts *opts);
RG_API void rg_words_destroy(rg_words *words);
/* The first 90 % of the words, the next 5 %, the last 5 %. Borrowed. */
RG_API rg_span rg_words_part(const rg_words *words, rg_part part);

/* ---- Tables: CSV and TSV ------------------------------------------------------------------- */

typedef struct rg_table {
    size_t             rows, columns;
    const char *const *name;         /* [columns], from the first line */
    const char *const *cell;         /* [rows, columns] UTF-8, terminated */
    const uint32_t    *line;         /* [rows] of the file on which each begins, from 1 */
    const char        *file;         /* its name, for messages */
    char               sha256[65];   /* of the file */
    void              *memory;       /* behind it */
    char               message[512]; /* why loading failed */
} rg_table;

typedef struct rg_table_opts {
    char        separator;  /* 0 = a tab if the first line has one, else a comma */
    rg_progress progress;
    rg_alloc    alloc;
} rg_table_opts;

/**
 * Read a table: RFC 4180, lines ended by LF or CR LF, a byte order mark dropped, empty lines passed
 * over. The first line names the columns.
 *
 * Errors     RG_EIO; RG_EFORMAT with the line: not UTF-8, NUL, a quote without end, text after a
 *            closing quote, a row with more or fewer cells than columns, a column without name or
 *            with another's; no row at all; RG_ELIMIT 2^31 bytes or more, more than 65536 columns;
 *            RG_EUSER, RG_ENOMEM
 */
RG_API rg_status rg_table_load(rg_table *table, const char *path, const rg_table_opts *opts);
RG_API rg_status rg_table_decode(rg_table *table, const char *name, const void *text, size_t bytes,
                                 const rg_table_opts *opts);
RG_API void rg_table_destroy(rg_table *table);
/* The column of this name; -1: there is none, and the message tells those that there are. */
RG_API int64_t rg_table_column(rg_table *table, const char *name);
/* A column as [rows] numbers. Missing ones (an empty cell, NA, NaN, null, ?) become NaN. RG_EFORMAT
 * with the line: a cell that is no finite number. */
RG_API rg_status rg_table_numbers(double *out, rg_table *table, size_t column);

/* ---- Images: IDX ---------------------------------------------------------------------------- */

/* The format of MNIST and Fashion-MNIST: unsigned bytes [N], [N,H,W], ...; also its 32-bit integers
 * and reals. Errors as rg_npy_load(); message in the array. */
RG_API rg_status rg_idx_load(rg_array *out, const char *path);

/* ---- Data sets ------------------------------------------------------------------------------ */

/* Sequences: steps that lie one after the other, each an id or `width` numbers. */
typedef struct rg_ragged {
    size_t    n;       /* sequences */
    size_t   *start;   /* [n] first step of each; windows of a series overlap */
    int32_t  *length;  /* [n] its steps */
    int32_t  *id;      /* [steps], or NULL */
    void     *number;  /* [steps, width], or NULL; NaN = missing */
    rg_dtype  dtype;   /* of the numbers: RG_F32, RG_F64, RG_U8 */
    int64_t   width;   /* of a step; 0 with ids */
    size_t    steps;
    double   *shift, *scale;  /* [width]: a model sees (number - shift)·scale; with ids NULL */
    int32_t   longest; /* of the lengths */
} rg_ragged;

/* What is to be predicted from an item. */
typedef enum rg_target {
    RG_TARGET_CLASS = 0,  /* one class */
    RG_TARGET_TAGS,       /* a class for every step */
    RG_TARGET_SEQUENCE,   /* a sequence of its own length, RG_END its last step */
    RG_TARGET_VALUES,     /* real numbers */
    RG_TARGET_NONE
} rg_target;

typedef enum rg_scaling {
    RG_SCALE_STANDARD = 0,  /* mean 0, deviation 1, each number of a step for itself */
    RG_SCALE_UNIT,          /* smallest 0, largest 1, all numbers of a step alike: images */
    RG_SCALE_NONE
} rg_scaling;

/* Where one side of the items comes from. */
typedef struct rg_field {
    const char     *columns;  /* of a table, commas between names; `p*`: all that begin so */
    rg_unit         unit;
    const rg_vocab *vocab;    /* the vocabulary or classes to use, copied; NULL = what occurs in the
                                 training part: characters and labels in the order of their bytes,
                                 words by frequency, inputs with RG_UNKNOWN first */
    size_t          most;     /* symbols of it at most, the most frequent; 0 = all */
    size_t          least;    /* each occurs so often at least; 0 = 1 */
    int64_t         width;    /* numbers of a step, the columns in order; 0 = all are one step */
    rg_scaling      scaling;  /* of numbers, by the training part */
    const double   *shift, *scale;  /* [width] constants to use instead */
} rg_field;

typedef enum rg_split_rule {
    RG_SPLIT_HASH = 0,  /* by the first byte of the SHA-256 of an item's input: 0 to 204 train, to
                           229 valid, to 255 test. Equal inputs are never in two parts */
    RG_SPLIT_ORDER      /* as the file has them: the first train, the last test */
} rg_split_rule;

typedef struct rg_dataset_opts {
    rg_field    in, out;   /* out.columns NULL = RG_TARGET_NONE (of tables) */
    rg_target   target;
    rg_split_rule split;
    double      valid, test;  /* RG_SPLIT_ORDER and series: these shares; 0 = 0.1 and 0.2, negative
                                 = none */
    int64_t     steps;     /* of a window of a series; 0 = 1 */
    int64_t     horizon;   /* rows ahead; 0 = 1. RG_TARGET_VALUES: all rows until there */
    int64_t     longest;   /* steps of an item at most, else RG_ELIMIT; 0 = 10000 */
    rg_progress progress;
    rg_alloc    alloc;
} rg_dataset_opts;

/* Items 0 .. n-1: item i reads sequence i of `in`; its target is sequence i of `out`. */
typedef struct rg_dataset {
    size_t        n;
    size_t        count[4];     /* items of a part: count[RG_PART_TEST]; [RG_PART_ALL] = n */
    rg_ragged     in, out;
    rg_target     target;
    rg_vocab      in_vocab;     /* of ids; n = 0 with numbers */
    rg_vocab      out_vocab;    /* classes, tags, or what target sequences are of */
    uint8_t      *part;         /* [n] rg_part */
    uint32_t     *line;         /* [n] of the file, for messages; NULL for arrays */
    int32_t       begin, end;   /* ids of RG_BEGIN and RG_END in out_vocab; -1 = none */
    void         *memory;       /* behind it */
    char          message[512]; /* why it could not be made */
} rg_dataset;

/**
 * Items from rows of tables.
 *
 * @param[out] dataset  rg_dataset_destroy() frees it; the tables are needed during the call only
 * @param train         @param valid  NULL = a part of train, by opts->split
 * @param test          NULL = a part of train. If test is given and valid is not, train is divided
 *                      among these two
 * @param opts          in.columns at least
 *
 * Errors     RG_EARG a column that is not there (with those that are), options that do not go
 *            together; RG_EFORMAT with the line: a number that is none, a missing label; tags and
 *            steps that differ in number; RG_EINDEX with line and label: one that the training part
 *            does not have; RG_ELIMIT an item longer than opts->longest, with its line; RG_ESTATE
 *            no item in the training part; RG_EUSER, RG_ENOMEM
 */
RG_API rg_status rg_dataset_table(rg_dataset *dataset, rg_table *train, rg_table *valid,
                                  rg_table *test, const rg_dataset_opts *opts);

/**
 * Windows of a series: item i reads opts->steps rows, its target lies in the rows after them; it
 * belongs to the part that has the last of these, the parts being stretches of time.
 *
 * RG_TARGET_VALUES: out.columns of the next `horizon` rows. RG_TARGET_CLASS: the label in the row
 * `horizon` ahead. Scaling constants come from the rows before the first target outside of train.
 * Errors as rg_dataset_table(); RG_ELIMIT fewer rows than a window and its target.
 */
RG_API rg_status rg_dataset_series(rg_dataset *dataset, rg_table *table,
                                   const rg_dataset_opts *opts);

/* Arrays as files have them; what is not there is NULL. */
typedef struct rg_arrays {
    const rg_array *x;        /* [N,D] one step each, [N,T,D]; with offsets [steps,D];
                                 or ids: [N,T], with offsets [steps] */
    const rg_array *lengths;  /* [N], with [N,T,D] */
    const rg_array *offsets;  /* [N+1] rising from 0 to steps */
    const rg_array *y;        /* classes [N] or tags [N,T], [steps] with offsets; VALUES: [N,K] */
} rg_arrays;

/* Items from arrays, parts as in rg_dataset_table(). in.width cuts the numbers of an item into
 * steps: 28 reads [N,28,28] by rows, 1 pixel by pixel, 784 as one step; 0 = as the array is.
 * Classes are 0 .. the largest of the training part, or those of out.vocab. RG_ESHAPE, RG_EDTYPE:
 * arrays that do not fit; RG_EINDEX with the item: a length outside of 0 .. T, offsets that fall, a
 * class that the training part does not have. */
RG_API rg_status rg_dataset_arrays(rg_dataset *dataset, const rg_arrays *train,
                                   const rg_arrays *valid, const rg_arrays *test,
                                   const rg_dataset_opts *opts);
RG_API void rg_dataset_destroy(rg_dataset *dataset);

/* ---- Batches ------------------------------------------------------------------------------- */

/* Items as rectangles; each array is what rg_plan_bind wants. Valid until the next rg_batches_get
 * of the same object. Padding is 0 and masked. */
typedef struct rg_batch {
    int64_t         T, U, B;     /* steps of inputs and of targets, rows; U is the same for all
                                    batches of a T */
    int64_t         n;           /* the first n rows are items */
    const uint32_t *item;        /* [B] which of the data set; RG_NO_ITEM in other rows */
    const int32_t  *id;          /* [T,B] inputs, or NULL */
    const void     *x;           /* [T,B,in.width] inputs, scaled, or NULL */
    const int32_t  *length;      /* [B] steps of the inputs */
    const uint8_t  *mask;        /* [T,B] 1 = a step of the item of which nothing is missing */
    const int32_t  *y;           /* [U,B] classes (U = 1), tags (U = T), sequences; or NULL */
    const int32_t  *feed;        /* [U,B] what a decoder reads: RG_BEGIN, then y one step later */
    const void     *value;       /* [U,B,out.width] RG_TARGET_VALUES, scaled, or NULL */
    const int32_t  *y_length;    /* [B] steps of the targets */
    const uint8_t  *y_mask;      /* [U,B] 1 = counts in the loss */
} rg_batch;

#define RG_NO_ITEM UINT32_MAX

typedef struct rg_batches rg_batches;

typedef struct rg_batches_opts {
    rg_part  part;      /* RG_PART_ALL = every item */
    size_t   rows;      /* of a batch; 0 = 32 */
    size_t   lengths;   /* values of T at most, chosen so that padding is least; 0 = 8 */
    bool     fill;      /* a short batch gets rows of length 0, so that B = rows in all */
    bool     in_order;  /* by length and number, nothing shuffled: for evaluation */
    uint64_t seed;
    rg_dtype real;      /* of x and value */
    rg_alloc alloc;
} rg_batches_opts;

/**
 * The batches of one part, of like lengths and shuffled as rg_buckets_create() does (batches.h).
 * Which items are in batch `position` of an epoch depends on the data set, opts and (epoch,
 * position) only: that is all to store for going on.
 *
 * @param dataset  must outlive the batches
 *
 * Errors     RG_EARG options out of range; RG_ESTATE the part is empty; RG_ELIMIT, RG_ENOMEM.
 *            Message in the data set
 */
RG_API rg_status rg_batches_create(rg_batches **out, rg_dataset *dataset,
                                   const rg_batches_opts *opts);
RG_API void rg_batches_destroy(rg_batches **batches);
/* Batches of an epoch, the same in all. */
RG_API size_t rg_batches_count(const rg_batches *batches);
/* Batch `position` of an epoch; RG_EARG: there is none. Allocates only where the epoch is not that
 * of the call before. */
RG_API rg_status rg_batches_get(rg_batch *out, rg_batches *batches, uint64_t epoch,
                                size_t position);

#ifdef __cplusplus
}
#endif
#endif
