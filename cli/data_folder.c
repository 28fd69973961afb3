/* cli/data_folder.c -- a folder of data in place of a file: train, valid and test in files of these
 * names, or the one table that is there. */
#define _POSIX_C_SOURCE 200809L
#include "cli/folder.h"
#include "cli/lesson.h"
#include "cli/options.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_table(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".tsv") == 0 || strcmp(dot, ".csv") == 0);
}

/* A setting becomes a path in the folder; the text is the settings' to free. */
static int take(settings *s, const char *option, const char **field, const char *where,
                const char *name)
{
    char path[PATH_BYTES + 256];
    const size_t row = (size_t)(option_find(s->command, option, strlen(option)) - options);
    (void)snprintf(path, sizeof path, "%s/%s", where, name);
    char *text = strdup(path);
    if (!text)
        return fail(RUN_TIME, "no memory");
    free(s->kept[row]);
    *field = s->kept[row] = text;
    return DONE;
}

/* The only table of a folder, or train.tsv; more than one other is not chosen from. */
static int find_table(char name[256], const char *where)
{
    DIR *dir = opendir(where);
    int tables = 0;
    bool parts = false;
    if (!dir)
        return fail(RUN_TIME, "%s: %s", where, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));)
        if (is_table(e->d_name)) {
            const bool train = strncmp(e->d_name, "train.", 6) == 0;
            if (!parts || train)
                (void)snprintf(name, 256, "%s", e->d_name);
            parts = parts || train;
            tables++;
        }
    (void)closedir(dir);
    if (parts || tables == 1)
        return DONE;
    return fail(BAD_DATA, "%s: a folder of %d tables, none of which is train.tsv or train.csv",
                where, tables);
}

int data_folder(settings *s)
{
    struct stat st;
    char name[256] = "", part[300], path[PATH_BYTES + 300];
    if (s->task == LM || !s->data || stat(s->data, &st) || !S_ISDIR(st.st_mode))
        return DONE;
    if (strlen(s->data) >= FOLDER_BYTES)
        return fail(USAGE, "--data: the path is too long");
    char *where = strdup(s->data);
    int code = where ? find_table(name, where) : fail(RUN_TIME, "no memory");
    const bool parts = code == DONE && strncmp(name, "train.", 6) == 0;
    const char **field[] = { &s->valid, &s->test };
    static const char *const option[] = { "valid", "test" };
    if (code == DONE)
        code = take(s, "data", &s->data, where, name);
    for (int k = 0; k < 2 && parts && code == DONE; k++) {
        (void)snprintf(part, sizeof part, "%s.%s", option[k], name + 6);
        (void)snprintf(path, sizeof path, "%s/%s", where, part);
        if (!*field[k] && file_exists(path))
            code = take(s, option[k], field[k], where, part);
    }
    free(where);
    return code;
}
