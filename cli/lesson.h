/* cli/lesson.h -- the data of a task: files of any kind as rows of the three parts. */
#ifndef RG_CLI_LESSON_H
#define RG_CLI_LESSON_H

#include "cli/net.h"

typedef struct lesson {
    rg_dataset set;
    rg_rows    part[4];     /* by rg_part */
    char      *name[2];     /* columns that are read and said; NULL: no table */
    char       sha256[65];  /* of the files */
} lesson;

/* Of an rg_part. */
extern const char *const part_names[];

/* Read --data, --valid, --test as the settings say. With @p known its vocabularies and scaling are
 * used, and nothing is split: all rows are part RG_PART_ALL. @p words, unless NULL, are in place of
 * --vocab. DONE or said why. */
int  lesson_load(lesson *l, const settings *s, const net *known, const rg_vocab *words);
void lesson_close(lesson *l);

/* data_folder.c: where --data is a folder, the files in it. DONE or said why. */
int data_folder(settings *s);

#endif
