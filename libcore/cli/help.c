#include "cli/private.h"

#include <string.h>

enum { HELP_COLUMN = 28 };

static void print_option(const struct cli_option *o, FILE *to)
{
    char left[160];
    char letter[4] = "  ";

    if (o->letter)
        snprintf(letter, sizeof letter, "-%c", o->letter);
    const char *arg = o->arg ? o->arg : "";
    if (o->type == CLI_OPTARG)
        snprintf(left, sizeof left, "  %s%s --%s[=%s]", letter, o->letter ? "," : " ",
                 o->name, arg);
    else
        snprintf(left, sizeof left, "  %s%s --%s%s%s", letter, o->letter ? "," : " ",
                 o->name, *arg ? " " : "", arg);
    if (strlen(left) >= HELP_COLUMN)
        fprintf(to, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
    else
        fprintf(to, "%-*s%s\n", HELP_COLUMN, left, o->help);
}

void cli_print_help(const struct cli_tool *tool, FILE *to)
{
    const struct cli_option *all[CLI_OPTIONS_MAX];
    const size_t n = cli_all_options(tool, all);

    fprintf(to, "usage: %s %s\n\n%s\n\n", tool->name, tool->synopsis, tool->summary);
    for (size_t i = 0; i < n; i++)
        print_option(all[i], to);
    fprintf(to, "\nThe manual page %s(1) has the details and examples.\n", tool->name);
}

/* ---- completion ---------------------------------------------------------------------- */

/* What follows an option: nothing, a word, or perhaps one. */
static const char *takes(const struct cli_option *o)
{
    if (o->type == CLI_FLAG)
        return "-";
    return o->type == CLI_OPTARG ? "?" : "+";
}

void cli_print_completion(const struct cli_tool *tool, FILE *to)
{
    const struct cli_option *all[CLI_OPTIONS_MAX];
    const size_t n = cli_all_options(tool, all);

    for (size_t i = 0; i < n; i++) {
        const struct cli_option *o = all[i];

        fprintf(to, "%s\t%c\t%s\t%s\t", o->name, o->letter ? o->letter : '-', takes(o),
                o->arg ? o->arg : "");
        for (size_t k = 0; o->choices && o->choices[k]; k++)
            fprintf(to, "%s%s", k ? " " : "", o->choices[k]);
        fprintf(to, "\t%s\n", o->help);
    }
}
