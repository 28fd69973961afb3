/* tests/cli/help_groups.c -- the help of a table whose groups do not stand together: it ends, and
 * shows every group once with all its options. The table is the test's own. */
#define _POSIX_C_SOURCE 200809L
#include "cli/help.h"
#include "tests/rgt.h"

#include <stdlib.h>
#include <string.h>

const command commands[] = {
    { "fly", NULL, "", false, "rise", "retrograd fly", "Rises." },
    { "land", NULL, "", false, "sink", "retrograd land", "Sinks." },
};
const size_t n_commands = 2;

#define ROW(name, group, bits) { name, "", 0, FLAG, 0, 0, 0, "", NULL, group, "help", bits, 0 }
const option_spec options[] = {
    ROW("wings", "Body", 1), ROW("speed", "Course", 1), ROW("wheels", "Body", 2),
    ROW("tail", "Body", 3), ROW("height", "Course", 3), ROW("nose", "Body", 1),
};
const size_t n_options = sizeof options / sizeof *options;

/* options.c sets values, too; no test here does. */
int fail(int code, const char *format, ...)
{
    (void)format;
    return code;
}

static size_t times(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void has_groups(const command *c, const char *const *line, size_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    help_command(out, c);
    (void)fclose(out);
    const char *at = text;
    for (size_t i = 0; i < n; i++) {
        RGT_CHECK_MSG(times(text, line[i]) == 1, "'%s' not once in: %s", line[i], text);
        at = strstr(at, line[i]);
        RGT_CHECK_MSG(at != NULL, "'%s' is not in its place: %s", line[i], text);
    }
    RGT_CHECK(times(text, "\n      --") == n - 2);
    free(text);
}

RGT_TEST(help, a_group_whose_rows_stand_apart_is_shown_once_and_whole)
{
    static const char *const fly[] = { "\nBody\n", "--wings ", "--tail ", "--nose ", "\nCourse\n",
                                       "--speed ", "--height " };
    static const char *const land[] = { "\nBody\n", "--wheels ", "--tail ", "\nCourse\n",
                                        "--height " };
    has_groups(&commands[0], fly, 7);
    has_groups(&commands[1], land, 5);
}
