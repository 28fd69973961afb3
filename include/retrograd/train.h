/* retrograd/train.h -- character models: a text and its split, count models to compare with.
 * Optional part of the library; `retrograd train` is a program around it. */
#ifndef RETROGRAD_TRAIN_H
#define RETROGRAD_TRAIN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

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
    char      sha256[65];   /* of the file */
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

typedef enum rg_part { RG_PART_ALL, RG_PART_TRAIN, RG_PART_VALID, RG_PART_TEST } rg_part;

/* The first 90 % of the characters, the next 5 %, the last 5 %. Borrowed from the corpus. */
RG_API rg_span rg_corpus_part(const rg_corpus *corpus, rg_part part);

/* A symbol as it is written: UTF-8, or the byte. Returns its length, 1 to 4; terminated. */
RG_API size_t rg_symbol_text(char text[5], uint32_t symbol, bool bytes);

/* ---- Count models: what a model has to beat ------------------------------------------------ */

/**
 * Bits per character of p(x|c) = (n(cx) + 0.01) / (n(c) + 0.01·V), c being the order-1 characters
 * before x, counted on one text and tried on others.
 *
 * @param[out] bpc  [n][orders]: bpc[i·orders + k-1] is order k on test[i]; NaN for an empty one
 * @param orders    1 to 8; order 1 is the unigram
 * @param train     ids below V
 *
 * Memory     by the tested characters, not by the trained ones: only strings that occur in a test
 *            are counted. Of each test the first 2^20 characters are tried.
 * Errors     RG_EARG, RG_ENOMEM
 */
RG_API rg_status rg_count_models(double *bpc, int orders, size_t V, rg_span train,
                                 const rg_span *test, size_t n);

#ifdef __cplusplus
}
#endif
#endif
