/* cli/config.h -- options as JSON: --config, --dump-config, config.json. */
#ifndef RG_CLI_CONFIG_H
#define RG_CLI_CONFIG_H

#include "cli/folder.h"
#include "cli/options.h"

#include <jansson.h>

/* The kept options of `train` as an object; NULL without memory. */
json_t *config_options(const settings *s);
/* A JSON file of at most 1 MiB that holds an object; NULL: said why, *code is the exit code. */
json_t *config_read(const char *path, int *code);
/* The same from the folder of a run; NULL and DONE where it is none. @p path is the file's. */
json_t *config_of_run(char path[PATH_BYTES], const char *run, int *code);
/* Options from an object, or from its member "options". The command line wins, but in a resumed
 * run what is FIXED must agree with it. */
int config_apply(settings *s, const json_t *object, const char *path, bool resumed);
/* Steps and rows of a window that a run was trained with, where the line does not say otherwise; as
 * they are where the run does not know. DONE or said why. */
int config_windows(int64_t *T, int64_t *B, const settings *s, json_t *config, const char *path);
/* An object to stdout, or to a new string; members in order of insertion. */
char *config_text(const json_t *object);

#endif
