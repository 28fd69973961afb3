/* cli/plain.c -- the commands that only print: completion, help, version. */
#include "cli/help.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

int completion_main(settings *s)
{
    if (strcmp(s->operand[0], "bash") != 0)
        return fail(USAGE, "no completion for '%s' (there is one for bash)", s->operand[0]);
    help_bash(stdout);
    return DONE;
}

int help_main(settings *s)
{
    const char *name = s->operand[0];
    if (s->mdoc) {
        help_manual(stdout);
        return DONE;
    }
    if (!name) {
        help_commands(stdout);
        return DONE;
    }
    int i = command_index(name);
    if (i < 0) {
        const char *near = command_nearest(name);
        return fail(USAGE, "unknown command '%s'%s%s", name, near ? "; did you mean " : "",
                    near ? near : "");
    }
    help_command(stdout, &commands[i]);
    return DONE;
}

int version_main(settings *s)
{
    if (s->json)
        printf("{\"v\": 1, \"version\": \"%s\"}\n", rg_build_info().version);
    else
        printf("retrograd %s\n", rg_build_info().version);
    return DONE;
}
