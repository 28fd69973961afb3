/* cli/help.h -- what the option table says, to people, to man(1) and to a shell. */
#ifndef RG_CLI_HELP_H
#define RG_CLI_HELP_H

#include "cli/options.h"

#include <stdio.h>

void help_usage(FILE *out);                           /* six lines at most */
void help_commands(FILE *out);                        /* `retrograd --help` */
void help_command(FILE *out, const command *c);       /* `retrograd train --help` */
void help_manual(FILE *out);                          /* mdoc(7) */
void help_bash(FILE *out);                            /* a completion script */

enum { HELP_TEXT = 1024 };
/* Are the choices too many to stand beside the option? It is then called NAME, and the text ends
 * with them. */
bool help_lists(const option_spec *o);
const char *help_text(char *out, size_t size, const option_spec *o);

#endif
