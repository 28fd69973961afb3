/* cli/manual.c -- the manual page in mdoc(7), and completion for bash. */
#include "cli/help.h"

#include <ctype.h>
#include <string.h>

/* Text for roff: backslashes escaped, minus signs that can be copied, a new line per sentence. */
static void roff(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            fputs("\\e", out);
        else if (*c == '-')
            fputs("\\-", out);
        else if (c[0] == '.' && c[1] == ' ')
            fputs(".\n", out), c++;
        else
            fputc(*c, out);
    }
}

/* mdoc takes short capitalised words for macros: those are hidden behind an empty character. */
static void argument(FILE *out, const char *text)
{
    fputs("\\&", out);
    roff(out, text);
}

static void manual_option(FILE *out, const option_spec *o)
{
    char text[HELP_TEXT];
    fputs(".It ", out);
    if (o->letter)
        fprintf(out, "Fl %c , ", o->letter);
    fputs("Fl \\-", out);
    roff(out, o->name);
    if (*o->value) {
        fputs(" Ar ", out);
        argument(out, help_lists(o) ? "NAME" : o->value);
    }
    fputc('\n', out);
    roff(out, help_text(text, sizeof text, o));
    if (o->fallback) {
        fputs("\n.Pq default ", out);
        argument(out, o->fallback);
    }
    fputs("\n", out);
}

static void manual_command(FILE *out, const command *c)
{
    fprintf(out, ".Ss retrograd %s\n", c->name);
    roff(out, c->about);
    fputs("\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < n_options; i++)
        if (option_of(&options[i], c))
            manual_option(out, &options[i]);
    fputs(".El\n", out);
}

static const char manual_tail[] =
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev NO_COLOR , CLICOLOR_FORCE , TERM\n"
    "Whether standard error is coloured, and whether a bar is drawn there;\n"
    "options win.\n"
    ".El\n"
    ".Sh FILES\n"
    "A run folder holds\n"
    ".Bl -tag -width Ds\n"
    ".It Pa config.json\n"
    "all options, the text's fingerprint and the build\n"
    ".It Pa metrics.jsonl , metrics.csv\n"
    "one row per report: step, split, loss in nats, bits per character, gradient norm, rate,\n"
    "speed\n"
    ".It Pa plot.svg\n"
    "the loss curve\n"
    ".It Pa ckpt-last.safetensors , ckpt-best.safetensors\n"
    "weights in PyTorch's layout, optimizer, carried state, vocabulary;\n"
    "written whole or not at all\n"
    ".It Pa lock\n"
    "held by the process that trains\n"
    ".El\n"
    ".Sh EXIT STATUS\n"
    ".Bl -tag -width Ds\n"
    ".It 0\n"
    "done\n"
    ".It 1\n"
    "run-time failure: input, output, memory\n"
    ".It 2\n"
    "usage or configuration\n"
    ".It 3\n"
    "bad data or a file that does not fit\n"
    ".It 4\n"
    "numerical failure: diverged, or a gradient that is not proven right\n"
    ".It 128+n\n"
    "ended by signal n; after SIGINT, SIGTERM and SIGHUP the run is saved first, a second signal\n"
    "leaves at once\n"
    ".El\n";

void help_manual(FILE *out)
{
    fputs(".Dd November 25, 2026\n.Dt RETROGRAD 1\n.Os\n.Sh NAME\n.Nm retrograd\n"
          ".Nd recurrent networks by automatic differentiation\n"
          ".Sh SYNOPSIS\n", out);
    for (size_t i = 0; i < n_commands; i++) {
        fprintf(out, ".Nm\n.Cm %s\n", commands[i].name);
        if (*commands[i].operands)
            fprintf(out, ".%sAr %s\n", commands[i].operand_needed ? "" : "Op ",
                    commands[i].operands);
        fputs(".Op Ar options\n", out);
    }
    fputs(".Sh DESCRIPTION\nResults go to standard output, all else to standard error.\n"
          "In option names\n.Ql \\-\nand\n.Ql _\nare equal; names cannot be abbreviated.\n", out);
    for (size_t i = 0; i < n_commands; i++)
        manual_command(out, &commands[i]);
    fputs(manual_tail, out);
    fputs(".Sh EXAMPLES\n", out);
    for (size_t i = 0; i < n_commands; i++) {
        fputs(".Dl ", out);
        roff(out, commands[i].example);
        fputc('\n', out);
    }
}

/* ---- Completion ----------------------------------------------------------------------------- */

static void bash_options(FILE *out, const command *c)
{
    fprintf(out, "    %s) words=\"", c->name);
    for (size_t i = 0, n = 0; i < n_options; i++)
        if (option_of(&options[i], c))
            fprintf(out, "%s--%s", n++ ? " " : "", options[i].name);
    fputs("\" ;;\n", out);
}

/* By what the table calls the value: a file, a folder, one of some words; nothing else is known. */
static void bash_values(FILE *out, const command *c)
{
    for (size_t i = 0; i < n_options; i++) {
        const option_spec *o = &options[i];
        const bool folder = strcmp(o->value, "DIR") == 0;
        if (!option_of(o, c) || o->type == FLAG)
            continue;
        fprintf(out, "    %s:--%s) ", c->name, o->name);
        if (folder || strcmp(o->value, "FILE") == 0)
            fprintf(out, "compopt -o filenames; COMPREPLY=($(compgen -%c -- \"$cur\")); ",
                    folder ? 'd' : 'f');
        if (o->type == CHOICE) {
            fputs("words=\"", out);
            for (const char *v = o->value; *v; v++)
                fputc(*v == '|' ? ' ' : *v, out);
            fputs("\"; COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); ", out);
        }
        fputs("return ;;\n", out);
    }
}

void help_bash(FILE *out)
{
    fputs("# bash completion for retrograd\n"
          "_retrograd()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"", out);
    for (size_t i = 0; i < n_commands; i++)
        fprintf(out, "%s%s", i ? " " : "", commands[i].name);
    fputs(" --help --version\" -- \"$cur\"))\n        return\n    fi\n"
          "    case ${COMP_WORDS[1]}:$prev in\n", out);
    for (size_t i = 0; i < n_commands; i++)
        bash_values(out, &commands[i]);
    fputs("    help:help) COMPREPLY=($(compgen -W \"", out);
    for (size_t i = 0; i < n_commands; i++)
        fprintf(out, "%s%s", i ? " " : "", commands[i].name);
    fputs("\" -- \"$cur\")); return ;;\n"
          "    completion:completion) COMPREPLY=($(compgen -W bash -- \"$cur\")); return ;;\n"
          "    esac\n"
          "    case ${COMP_WORDS[1]} in\n", out);
    for (size_t i = 0; i < n_commands; i++)
        bash_options(out, &commands[i]);
    fputs("    *) return ;;\n    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    else\n"
          "        compopt -o filenames\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    fi\n}\n"
          "complete -F _retrograd retrograd\n", out);
}
