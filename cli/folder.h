/* cli/folder.h -- a run's folder: made once, one writer, files whole or not at all. */
#ifndef RG_CLI_FOLDER_H
#define RG_CLI_FOLDER_H

#include "cli/cli.h"

enum { PATH_BYTES = 4096, FOLDER_BYTES = 4000 };

typedef struct folder {
    char path[FOLDER_BYTES];
    int  lock;  /* descriptor, or -1 */
} folder;

/* A new folder, with its parents; the name given, or runs/TEXT-CELL-N. Locked. */
int folder_create(folder *f, const settings *s);
/* Make the folders before the last part of a path that are missing; where that fails, the message
 * names the option that takes another. DONE or said why. */
int folder_parents(const char *path, const char *option);
/* Says that the name is taken. */
int folder_taken(const char *path);
/* An existing one. Locked. */
int folder_open(folder *f, const char *path);
/* Let go of the lock. */
void folder_close(folder *f);
/* Seconds spent on the run, which the lock file holds; 0 where nobody has told. */
void folder_tell_seconds(const folder *f, double seconds);
double folder_told_seconds(const folder *f);
/* Path of a file in it. */
const char *folder_file(char out[PATH_BYTES], const folder *f, const char *name);
/* Write a file beside the old one, sync, rename; what is a pipe or a device is written into. DONE,
 * or said why. */
int file_replace(const char *path, const char *text, size_t n);
/* Is it there? */
bool file_exists(const char *path);

#endif
