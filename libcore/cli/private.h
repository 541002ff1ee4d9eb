/* Shared by the files of cli/ only. */
#ifndef CAGSR_CLI_PRIVATE_H
#define CAGSR_CLI_PRIVATE_H

#include "cli/cli.h"

enum { CLI_OPTIONS_MAX = 96 };

/* The tool's own options, then the common ones it takes; at most CLI_OPTIONS_MAX. */
size_t cli_all_options(const struct cli_tool *tool, const struct cli_option **all);

/* "usage: name synopsis", the summary, a line per option. */
void cli_print_help(const struct cli_tool *tool, FILE *to);

/* The same for programs, a line per option with tabs between: name, letter or -, what
 * follows (- nothing, + a word, ? perhaps one), what it is called, choices, help. */
void cli_print_completion(const struct cli_tool *tool, FILE *to);

#endif
