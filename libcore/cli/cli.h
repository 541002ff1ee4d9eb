/*
 * The command line of every tool: one table of options feeds the parser, --help, the
 * completion and the check against the manual page.  getopt_long(3) does the parsing.
 *
 *     struct opts { struct cli_common common; double temp; };
 *     static const struct cli_option options[] = {
 *         {"temperature", 't', CLI_DOUBLE, offsetof(struct opts, temp), "TEMP",
 *          "sampling temperature, 0 is greedy", .lo = 0, .hi = 100},
 *         {0},
 *     };
 *
 * The common options come with it: -m --adapter -o -j --seed -f -q -v --progress -h --help
 * --version, each only if its bit is in cli_tool.common.  Only this module prints and
 * exits.
 */
#ifndef CAGSR_CLI_CLI_H
#define CAGSR_CLI_CLI_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CAGSR_VERSION "0.1.0"

enum cli_type {
    CLI_FLAG,   /* int, set to 1 */
    CLI_STRING, /* const char *, borrowed from argv */
    CLI_OPTARG, /* const char *: --name or --name=VALUE; "" when without a value */
    CLI_DOUBLE, /* double in lo..hi, finite */
    CLI_SIZE,   /* size_t in lo..hi; K, M, G suffixes are powers of 1024 */
    CLI_SEED,   /* uint64_t, decimal or 0x hexadecimal */
    CLI_LIST,   /* struct cli_list: may be given again and again */
    CLI_CHOICE, /* int: the index of the word in `choices` */
};

struct cli_list {
    const char **item; /* borrowed strings */
    size_t n;
};

struct cli_option {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* or 0 */
    enum cli_type type;
    size_t offset;              /* of the value in the tool's options */
    const char *arg;            /* what --help calls the value */
    const char *help;           /* one line; the default is part of the text */
    double lo, hi;              /* both 0: no bounds beyond the type's */
    const char *const *choices; /* NULL-terminated words of CLI_CHOICE */
};

enum {
    CLI_MODEL = 1,     /* -m, --model; default below; --adapter */
    CLI_OUTPUT = 2,    /* -o, --output */
    CLI_THREADS = 4,   /* -j, --threads; CAGSR_THREADS; 0 = all */
    CLI_SEEDED = 8,    /* --seed */
    CLI_PROGRESS = 16, /* --progress, --progress-fd, --no-progress */
    CLI_FORCE = 32,    /* -f: binary to a terminal, overwrite */
};

/* First member of every tool's options. */
struct cli_common {
    const char
        *model; /* -m, resolved: a path given is used as it is; a name without '/'
                   that does not exist is looked up in CAGSR_MODEL_PATH and the
                   installed models; without -m, the small model that is shipped */
    const char *adapter; /* --adapter: a directory, or NULL */
    const char *output;  /* NULL or "-" is stdout */
    size_t threads;      /* 0 = all processors */
    uint64_t seed;       /* 0 unless given */
    int quiet, verbose;  /* verbose counts */
    int progress;        /* already decided: 1 or 0 */
    size_t progress_fd;  /* --progress-fd: 0 is none */
    int force;
    const char *const *files; /* the operands, in order; "-" is stdin */
    size_t nfiles;            /* 0 operands stand as one "-" */
    const char *command_line; /* argv joined by blanks, for the stream's header */
};

struct cli_tool {
    const char *name; /* "cagsr-sample" */
    const char
        *synopsis;       /* "[-n N] [-t TEMP] ... [file ...]": SYNOPSIS of the manual */
    const char *summary; /* one sentence */
    unsigned common;     /* CLI_MODEL | ... */
    const struct cli_option *options;
    size_t max_files; /* operands allowed; SIZE_MAX for any number */
};

/* Fills opts (defaults already in it; struct cli_common first) from argv and the
 * environment.  --help and --version print to stdout and exit 0; a wrong command line
 * prints one line and exits 2. */
void cli_parse(const struct cli_tool *tool, void *opts, int argc, char **argv);

/* 1 if the option called `name` was given on the command line parsed last.  For options
 * whose default depends on others. */
int cli_given(const struct cli_common *c, const char *name);

/* One line on stderr, "name: text"; not under --quiet.  For what a person should know
 * but which is no fault. */
void cli_note(const struct cli_tool *tool, const struct cli_common *c, const char *fmt,
              ...) PRINTF_LIKE(3, 4);

/* Opens common.output for records, or takes stdout.  ERR_USAGE if binary would go to a
 * terminal without -f; ERR_IO.  The file appears under its name only at
 * cli_output_close. */
struct cli_output {
    int fd;
    char *path, *tmp; /* NULL for stdout */
};
int cli_output_open(struct cli_output *out, const struct cli_common *c,
                    struct err *e) MUST_CHECK;
/* rc is the tool's result so far: with rc < 0 the temporary file is removed, else it is
 * synced and renamed.  Returns rc, or ERR_IO of the close: a full disk is not lost. */
int cli_output_close(struct cli_output *out, int rc, struct err *e) MUST_CHECK;

/* The last act of main: prints "name: sentence" for rc < 0, checks that stdout took
 * everything, frees what cli_parse took, returns the exit status. */
int cli_finish(const struct cli_tool *tool, struct cli_common *c, int rc,
               const struct err *e);

/* A progress line on stderr, redrawn at most five times a second, if common.progress; and
 * with --progress-fd lines for programs, as often:
 *
 *     tool=cagsr-attn unit=records done=12 total=64 seconds=3.25 rate=3.69 eta=14.1 tokens_per_s=312
 *
 * without total and eta where the end is not known.  The last line has end=ok or end=error
 * behind them.  `unit` as in "prompts"; total 0 when unknown. */
/* What else is known: name=value for programs, "312 tokens/s" for people. */
struct cli_figure {
    const char *name, *unit;
    double value;
    int digits; /* behind the point, for people */
};
enum { CLI_FIGURES = 4 };

struct cli_progress {
    const struct cli_common *common;
    const char *name, *unit;
    size_t total, done;
    double started, drawn; /* seconds, monotonic */
    int shown;
    struct cli_figure figure[CLI_FIGURES]; /* as they were told last */
    size_t figures;
};
void cli_progress_start(struct cli_progress *p, const struct cli_tool *tool,
                        const struct cli_common *c, const char *unit, size_t total);

/* `done` units so far; n <= CLI_FIGURES figures (may be NULL, 0), whose names and units are
 * literals. */
void cli_progress_update(struct cli_progress *p, size_t done,
                         const struct cli_figure *figure, size_t n);
/* rc: the tool's result.  What the last update said is shown, however soon it came. */
void cli_progress_end(struct cli_progress *p, int rc);

/* Seconds on the monotonic clock. */
double cli_now(void);

#endif
