/* cli/net.h -- models of labels, tags, series and sequences as checkpoints describe them: what they
 * are, what their ids mean, how numbers are scaled; what they say, in words. */
#ifndef RG_CLI_NET_H
#define RG_CLI_NET_H

#include "cli/model.h"

/* Choices of --task, in their order. */
enum { LM, CLASSIFY, TAG, SEQ2SEQ, FORECAST };
/* Their names, NULL at the end. */
extern const char *const net_tasks[];

typedef struct net {
    int          task;
    rg_task_opts opts;
    rg_unit      unit, label_unit;  /* of inputs and targets, where these are texts */
    rg_vocab     in, out;           /* symbols; classes, tags, or symbols of targets */
    int64_t      horizon, window;   /* forecast: steps said, steps read */
    int64_t      width;             /* of arrays: numbers of a step, as --width */
    size_t       columns[2];        /* numbers of a step of inputs and targets, or 0 */
    double      *shift[2], *scale[2];  /* [columns]: a model sees (x - shift)·scale */
    char        *name[2];           /* columns of a table that are read and said; NULL: none */
} net;

/* Which kind of task --task means: not for LM. */
rg_task_kind net_kind(int task);
/* What inputs and targets are cut into. */
rg_unit net_unit(const settings *s);
rg_unit net_label_unit(const settings *s);
/* The model that the settings describe for this data; m->net is filled, its store declared, an
 * --embedding read. DONE or said why. */
int  net_new(model *m, const settings *s, const rg_dataset *d, const char *const name[2]);
void net_close(net *n);
/* What lengths are padded to multiples of, 0 as ever: a forecast's rows are of one length. */
int64_t net_grain(const net *n);
/* As JSON, to be freed; NULL without memory. */
char *net_description(const model *m);
char *net_vocabulary(const model *m);
/* Words as a list, or how many there are where they have no names; and back. */
json_t *net_words(const rg_vocab *v);
bool    net_read_words(rg_vocab *v, const json_t *list);
/* From these; the store is not made yet. DONE or said why. */
int  net_read(model *m, const char *description, const char *vocabulary);
/* Declare every weight in the model's store. DONE or said why. */
int  net_declare(const model *m);
/* "classify gru 1x64 both ways, 30 symbols, 9 classes" */
const char *net_title(char *out, size_t size, const model *m);

/* ---- In words -------------------------------------------------------------------------------- */

/* Id of a vocabulary as it is shown; bytes and classes of arrays are numbers. */
void net_put_word(FILE *out, const rg_vocab *v, int32_t id);
/* Ids in a row: words with blanks between, characters without. */
void net_put_ids(FILE *out, const rg_vocab *v, rg_unit unit, const int32_t *id, size_t n);
/* The largest of K logits, of equals the lowest; its probability if @p p is not NULL. */
int32_t net_best(double *p, const double *z, size_t K);
/* What a model sees as x in a column of inputs (0) or targets (1), in the data's own unit. */
double net_own(const net *n, int side, size_t column, double x);
/* Number k of a forecast in the data's own unit. */
double net_value(const net *n, const double *z, size_t k);

#endif
