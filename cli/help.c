/* cli/help.c -- pages of help from the tables: an example first, then options by group. */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 100, HELP_COLUMN = 30 };

/* Words up to WIDTH, further lines indented; @p column is where the first line stands. */
static void wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
    bool fresh = true;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (!fresh && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            fresh = true;
        }
        fprintf(out, "%s%.*s", fresh ? "" : " ", (int)word, text);
        column += word + !fresh;
        fresh = false;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void help_usage(FILE *out)
{
    fputs("usage: retrograd COMMAND [options]\n"
          "       retrograd train --data book.txt     fit a character model to a text\n"
          "       retrograd sample runs/book-lstm-1   let it write\n"
          "       retrograd help                      all commands\n", out);
}

void help_commands(FILE *out)
{
    fputs("Example\n  retrograd train --data book.txt\n\nCommands\n", out);
    for (size_t i = 0; i < n_commands; i++) {
        int n = fprintf(out, "  %-12s ", commands[i].name);
        wrapped(out, commands[i].summary, (size_t)n, (size_t)n);
    }
    fputs("\nretrograd COMMAND --help explains one. Results go to standard output, all else to\n"
          "standard error. Ends with 0 done, 1 run-time failure, 2 usage, 3 bad data, 4 numerical\n"
          "failure, 128+n signal n.\n", out);
}

bool help_lists(const option_spec *o)
{
    return o->type == CHOICE && strlen(o->value) > 60;
}

const char *help_text(char *out, size_t size, const option_spec *o)
{
    char word[64];
    size_t n = (size_t)snprintf(out, size, "%s", o->help);
    for (int i = 0; help_lists(o) && n < size && choice_word(word, sizeof word, o->value, i); i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : ": ", word);
    return out;
}

static void option_line(FILE *out, const option_spec *o)
{
    char left[128], about[HELP_TEXT], text[HELP_TEXT + 64];
    char letter[8] = "    ";
    if (o->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, *o->value ? " " : "",
                   help_lists(o) ? "NAME" : o->value);
    (void)snprintf(text, sizeof text, o->fallback ? "%s [%s]" : "%s",
                   help_text(about, sizeof about, o), o->fallback);
    if (strlen(left) < HELP_COLUMN)
        fprintf(out, "%-*s", HELP_COLUMN, left);
    else
        fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
    wrapped(out, text, HELP_COLUMN, HELP_COLUMN);
}

/* Is row i the command's first of its group? */
static bool opens_group(const command *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (option_of(&options[k], c) && strcmp(options[k].group, options[i].group) == 0)
            return false;
    return option_of(&options[i], c);
}

/* The group that row `first` opens, from wherever its rows stand in the table. */
static void group(FILE *out, const command *c, size_t first)
{
    fprintf(out, "\n%s\n", options[first].group);
    for (size_t i = first; i < n_options; i++)
        if (option_of(&options[i], c) && strcmp(options[i].group, options[first].group) == 0)
            option_line(out, &options[i]);
}

void help_command(FILE *out, const command *c)
{
    const char *open = !*c->operands ? "" : c->operand_needed ? " " : " [";
    fprintf(out, "usage: retrograd %s%s%s%s [options]\n\nExample\n  %s\n\n", c->name, open,
            c->operands, open[0] && open[1] ? "]" : "", c->example);
    wrapped(out, c->about, 0, 0);
    for (size_t i = 0; i < n_options; i++)
        if (opens_group(c, i))
            group(out, c, i);
}
