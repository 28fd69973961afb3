/* cli/text.h -- a text as a language model reads it: characters, bytes, or words. */
#ifndef RG_CLI_TEXT_H
#define RG_CLI_TEXT_H

#include "cli/cli.h"

struct model;

#define LN2 0.69314718055994530942 /* nats of a bit */

typedef struct lm_text {
    rg_unit   unit;    /* RG_UNIT_CHAR and RG_UNIT_BYTE: of corpus; RG_UNIT_WORD: of words */
    rg_corpus corpus;
    rg_words  words;
} lm_text;

/* --bytes is --units byte: from here on both say the same. DONE or said why not. */
int text_units(settings *s);
/* Do the options of a vocabulary go with the others? DONE or said why not. */
int text_vocabulary_ok(const settings *s);
/* Read --data with the vocabulary that the settings ask for. DONE or said why. */
int text_load(lm_text *t, const settings *s);
/* Read a file with the vocabulary of a model, two positions at least. DONE or said why. */
int text_read(lm_text *t, const struct model *m, const char *path);
/* Decode bytes with the vocabulary of a model; @p name stands for them in messages. */
rg_status text_decode(lm_text *t, const struct model *m, const char *name, const char *bytes,
                      size_t n);
/* Why that, or reading, failed. */
const char *text_message(const lm_text *t);
void text_close(lm_text *t);

/* Positions of a part, borrowed. */
rg_span text_part(const lm_text *t, rg_part part);
/* Size of the vocabulary. */
size_t text_symbols(const lm_text *t);
/* Fingerprint of the file. */
const char *text_sha256(const lm_text *t);
/* Characters of the file for each position of a part: 1 but for words. */
double text_spread(const lm_text *t, rg_part part);
/* Share of a part's words that are unknown. */
double text_unknown(const lm_text *t, rg_part part);
/* What positions are: "characters", "words". */
const char *text_things(rg_unit unit);

#endif
