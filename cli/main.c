/* cli/main.c -- the `retrograd` program: find the command, read its options, run it. */
#define _POSIX_C_SOURCE 200809L
#include "cli/help.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int command_index(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* A closed standard stream must not become the descriptor of the next file that is opened. */
static void keep_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

static int no_command(const char *name)
{
    const char *near = command_nearest(name);
    say_setup("", NULL);
    if (near)
        return fail(USAGE, "unknown command '%s'; did you mean %s?", name, near);
    return fail(USAGE, "unknown command '%s' (retrograd help lists them)", name);
}

static int run(const command *c, int argc, char **argv)
{
    settings s = { .argc = argc, .argv = argv };
    say_setup(c->name, NULL);
    int code = options_parse(&s, c, argc - 2, argv + 2);
    if (code)
        return code;
    say_setup(c->name, &s);
    if (s.help)
        help_command(stdout, c);
    else
        code = c->run(&s);
    settings_free(&s);
    return code;
}

int main(int argc, char **argv)
{
    keep_streams();
    if (argc < 2) {
        help_usage(stderr);
        return USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_commands(stdout);
        return finish_output(DONE, false);
    }
    int i = command_index(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    if (i < 0)
        return no_command(argv[1]);
    return finish_output(run(&commands[i], argc, argv), strcmp(commands[i].name, "train") == 0);
}
