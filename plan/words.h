/* plan/words.h -- steps in words: what a printout and a picture of a plan share. */
#ifndef RG_PLAN_WORDS_H
#define RG_PLAN_WORDS_H

#include "plan/code.h"

#include "base/text.h"

/* Text that grows. Places in memory stand in it as a mark and sixteen digits, so that lines that
 * differ by places only can be told, and be printed as one. */
typedef struct rg_words {
    const rg_alloc *alloc;
    char           *text;
    size_t          n, cap;
    bool            failed;   /* no memory: the text is not to be used */
} rg_words;

enum { RG_MARK_PLACE = 1, RG_MARK_SHIFT = 2, RG_MARK_DIGITS = 16 };
/* A place in the arena is printed "@N"; one within a leaf "+N", or not at all where it is 0. */

/* Who belongs to which tile program, and what its values are called; see rg_speaker_create. */
typedef struct rg_speaker {
    const rg_plan *plan;
    const rg_code *code;
    rg_alloc       alloc;
    uint32_t      *first, *next;  /* by cluster, by id: members in rising order; 0 ends */
    uint32_t      *uses;          /* by id: by members of its own cluster */
    uint32_t      *nth;           /* by id: its number among the members */
    char         (*formula)[192]; /* by number: the member in terms of what has a name */
    uint8_t       *infix, *named; /* by number */
    uint32_t       most;          /* members of a cluster */
} rg_speaker;

/* NULL memory leaves formulas out. */
void rg_speaker_create(rg_speaker *sp, const rg_plan *plan);
void rg_speaker_destroy(rg_speaker *sp);

/* A number, a leaf, a place; with its shape, unless that is the usual one. Appends. */
void rg_say_value(rg_words *out, const rg_speaker *sp, uint32_t id, const rg_shape *usual);
/* What a step does: "@640[8,64] = x[8,4] · enc.W[4,64]"; a tile program's formulas are lines of
 * their own. Appends. */
void rg_say_step(rg_words *out, const rg_speaker *sp, const rg_task *step);
/* "lstm t=3", "grad out", ""; @p time: with the number, else with the letter. */
void rg_say_scope(rg_words *out, const rg_speaker *sp, const rg_task *step, bool time);
int64_t rg_time_of(const rg_speaker *sp, const rg_task *step);

void rg_words_add(rg_words *out, const char *format, ...) RG_PRINTF(2, 3);
void rg_words_free(rg_words *out);
/* The number behind a mark. */
uint64_t rg_words_place(const char *mark);

/* "12.3k": four letters or a little more. */
const char *rg_amount(char text[RG_NUMBER_TEXT], double x);

#endif
