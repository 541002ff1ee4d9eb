#include "cli/cli.h"

#include "base/file.h"
#include "cli/private.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What one parse took from the heap.  It hangs on cli_common.command_line: the text is
 * the tail of this block, so that one pointer in the public struct serves both.
 */
struct taken {
    unsigned char given[CLI_OPTIONS_MAX];
    const struct cli_option *option[CLI_OPTIONS_MAX];
    size_t n;
    void *list[CLI_OPTIONS_MAX]; /* arrays of CLI_LIST options */
    size_t lists;
    char *model;
    char command_line[];
};

static struct taken *taken_of(const struct cli_common *c)
{
    return (struct taken *)(uintptr_t)(c->command_line -
                                       offsetof(struct taken, command_line));
}

#define COMMON(field) offsetof(struct cli_common, field)

static const struct {
    unsigned bit;
    struct cli_option option;
} common_options[] = {
    {CLI_MODEL,
     {.name = "model",
      .letter = 'm',
      .type = CLI_STRING,
      .offset = COMMON(model),
      .arg = "MODEL",
      .help = "Hugging Face directory, .gguf file or PEFT directory (default: the "
              "shipped model)"}},
    {CLI_MODEL,
     {.name = "adapter",
      .type = CLI_STRING,
      .offset = COMMON(adapter),
      .arg = "DIR",
      .help = "LoRA adapter for that model: a PEFT directory or a GGUF file"}},
    {CLI_OUTPUT,
     {.name = "output",
      .letter = 'o',
      .type = CLI_STRING,
      .offset = COMMON(output),
      .arg = "FILE",
      .help = "write there instead of to standard output"}},
    {CLI_THREADS,
     {.name = "threads",
      .letter = 'j',
      .type = CLI_SIZE,
      .offset = COMMON(threads),
      .arg = "N",
      .help = "threads (default: CAGSR_THREADS, else all processors)",
      .lo = 0,
      .hi = 1024}},
    {CLI_SEEDED,
     {.name = "seed",
      .type = CLI_SEED,
      .offset = COMMON(seed),
      .arg = "N",
      .help = "seed of all random numbers (default 0)"}},
    {CLI_PROGRESS,
     {.name = "progress",
      .type = CLI_FLAG,
      .offset = COMMON(progress),
      .help = "progress on standard error even if it is no terminal"}},
    {CLI_PROGRESS,
     {.name = "progress-fd",
      .type = CLI_SIZE,
      .offset = COMMON(progress_fd),
      .arg = "N",
      .help = "progress to file descriptor N, in lines of name=value",
      .lo = 2,
      .hi = 1023}},
    {CLI_PROGRESS,
     {.name = "no-progress", .type = CLI_FLAG, .offset = 0, .help = "no progress"}},
    {CLI_FORCE,
     {.name = "force",
      .letter = 'f',
      .type = CLI_FLAG,
      .offset = COMMON(force),
      .help = "binary to a terminal, replace what exists"}},
    {~0u,
     {.name = "quiet",
      .letter = 'q',
      .type = CLI_FLAG,
      .offset = COMMON(quiet),
      .help = "no notes on standard error, only errors"}},
    {~0u,
     {.name = "verbose",
      .letter = 'v',
      .type = CLI_FLAG,
      .offset = COMMON(verbose),
      .help = "more notes; twice for more"}},
    {~0u, {.name = "help", .letter = 'h', .type = CLI_FLAG, .help = "this text"}},
    {~0u, {.name = "version", .type = CLI_FLAG, .help = "the version"}},
};

size_t cli_all_options(const struct cli_tool *tool, const struct cli_option **all)
{
    size_t n = 0;

    for (const struct cli_option *o = tool->options; o && o->name; o++)
        if (n < CLI_OPTIONS_MAX)
            all[n++] = o;
    for (size_t i = 0; i < sizeof common_options / sizeof *common_options; i++)
        if ((tool->common & common_options[i].bit || common_options[i].bit == ~0u) &&
            n < CLI_OPTIONS_MAX)
            all[n++] = &common_options[i].option;
    return n;
}

static void usage_error(const struct cli_tool *tool, const char *fmt, ...)
    PRINTF_LIKE(2, 3) __attribute__((noreturn));

static void usage_error(const struct cli_tool *tool, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", tool->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (try '%s --help')\n", tool->name);
    exit(2);
}

/* Where an option's value lives.  The common ones live in the first member of opts. */
static void *slot(void *opts, const struct cli_option *o)
{
    return (char *)opts + o->offset;
}

static void check_bounds(const struct cli_tool *tool, const struct cli_option *o,
                         double v, const char *text)
{
    if ((o->lo != 0 || o->hi != 0) && !(v >= o->lo && v <= o->hi))
        usage_error(tool, "--%s: '%s' is not in %g to %g", o->name, text, o->lo, o->hi);
}

static void set_double(const struct cli_tool *tool, const struct cli_option *o,
                       void *at, const char *text)
{
    char *end;
    const double v = strtod(text, &end);

    if (end == text || *end || !isfinite(v))
        usage_error(tool, "--%s: '%s' is not a number", o->name, text);
    check_bounds(tool, o, v, text);
    memcpy(at, &v, sizeof v);
}

static unsigned suffix_shift(const char *s)
{
    if (!s[0] || s[1])
        return s[0] ? 64 : 0;
    switch (s[0]) {
    case 'K': return 10;
    case 'M': return 20;
    case 'G': return 30;
    default: return 64;
    }
}

static void set_size(const struct cli_tool *tool, const struct cli_option *o, void *at,
                     const char *text)
{
    char *end;

    errno = 0;
    const unsigned long long v = strtoull(text, &end, 10);
    const unsigned shift = suffix_shift(end);
    if (text[0] < '0' || text[0] > '9' || errno || shift == 64 || v > SIZE_MAX >> shift)
        usage_error(tool, "--%s: '%s' is not a whole number", o->name, text);
    const size_t size = (size_t)v << shift;
    check_bounds(tool, o, (double)size, text);
    memcpy(at, &size, sizeof size);
}

static void set_seed(const struct cli_tool *tool, const struct cli_option *o, void *at,
                     const char *text)
{
    char *end;

    errno = 0;
    const uint64_t v = strtoull(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || errno || *end)
        usage_error(tool, "--%s: '%s' is not a whole number", o->name, text);
    memcpy(at, &v, sizeof v);
}

static void set_choice(const struct cli_tool *tool, const struct cli_option *o,
                       void *at, const char *text)
{
    char words[512] = "";
    size_t used = 0;

    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            memcpy(at, &i, sizeof i);
            return;
        }
        used += (size_t)snprintf(words + used, sizeof words - used, "%s%s",
                                 i ? ", " : "", o->choices[i]);
        if (used >= sizeof words)
            break;
    }
    usage_error(tool, "--%s: '%s' is none of %s", o->name, text, words);
}

static void add_to_list(const struct cli_tool *tool, struct taken *t,
                        struct cli_list *list, const char *text)
{
    const char **grown = realloc(list->item, (list->n + 1) * sizeof *grown);

    if (!grown)
        usage_error(tool, "no memory");
    for (size_t i = 0; i < t->lists;
         i++) /* the old block moved: remember the new one */
        if (t->list[i] == (void *)list->item && list->item)
            t->list[i] = grown;
    if (!list->item && t->lists < CLI_OPTIONS_MAX)
        t->list[t->lists++] = grown;
    list->item = grown;
    list->item[list->n++] = text;
}

static void set_value(const struct cli_tool *tool, struct taken *t, void *opts,
                      const struct cli_option *o, const char *text)
{
    void *at = slot(opts, o);

    switch (o->type) {
    case CLI_FLAG: ++*(int *)at; break;
    case CLI_STRING: memcpy(at, &text, sizeof text); break;
    case CLI_OPTARG:
        if (!text)
            text = "";
        memcpy(at, &text, sizeof text);
        break;
    case CLI_DOUBLE: set_double(tool, o, at, text); break;
    case CLI_SIZE: set_size(tool, o, at, text); break;
    case CLI_SEED: set_seed(tool, o, at, text); break;
    case CLI_LIST: add_to_list(tool, t, at, text); break;
    case CLI_CHOICE: set_choice(tool, o, at, text); break;
    }
}

static int argument_kind(const struct cli_option *o)
{
    if (o->type == CLI_FLAG)
        return no_argument;
    return o->type == CLI_OPTARG ? optional_argument : required_argument;
}

/* getopt_long's two tables out of ours. */
static void getopt_tables(const struct taken *t, struct option *longs, char *letters)
{
    size_t used = 0;

    letters[used++] = ':'; /* report a missing argument as ':' */
    for (size_t i = 0; i < t->n; i++) {
        const struct cli_option *o = t->option[i];

        longs[i] = (struct option){o->name, argument_kind(o), NULL, 256 + (int)i};
        if (!o->letter)
            continue;
        letters[used++] = o->letter;
        if (argument_kind(o) == required_argument)
            letters[used++] = ':';
    }
    longs[t->n] = (struct option){0};
    letters[used] = '\0';
}

static size_t index_of(const struct taken *t, int c)
{
    if (c >= 256)
        return (size_t)c - 256;
    for (size_t i = 0; i < t->n; i++)
        if (t->option[i]->letter == c)
            return i;
    return t->n;
}

static struct taken *take(const struct cli_tool *tool, int argc, char **argv)
{
    size_t len = 1;

    for (int i = 0; i < argc; i++)
        len += strlen(argv[i]) + 1;
    struct taken *t = calloc(1, sizeof *t + len);
    if (!t)
        usage_error(tool, "no memory");
    char *p = t->command_line;
    for (int i = 0; i < argc; i++)
        p += snprintf(p, len - (size_t)(p - t->command_line), "%s%s", i ? " " : "",
                      argv[i]);
    t->n = cli_all_options(tool, t->option);
    return t;
}

static void end_well(void) __attribute__((noreturn));

static void end_well(void)
{
    exit(fflush(stdout) || ferror(stdout) ? 1 : 0);
}

static void stop_for(const struct cli_tool *tool, const struct cli_option *o)
{
    if (strcmp(o->name, "help") == 0)
        cli_print_help(tool, stdout);
    else if (strcmp(o->name, "version") == 0)
        printf("%s %s\n", tool->name, CAGSR_VERSION);
    else
        return;
    end_well();
}

static void parse_options(const struct cli_tool *tool, struct taken *t, void *opts,
                          int argc, char **argv)
{
    struct option longs[CLI_OPTIONS_MAX + 1];
    char letters[2 * CLI_OPTIONS_MAX + 2];
    int c;

    getopt_tables(t, longs, letters);
    opterr = 0;
    optind = 0; /* GNU: start afresh */
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        /* what getopt had just looked at, for the message */
        const char *word = argv[optind > 1 ? optind - 1 : 1];
        const size_t i = index_of(t, c);

        if (c == ':')
            usage_error(tool, "'%s' needs an argument", word);
        if (c == '?' || i == t->n)
            usage_error(tool, "'%s' is not an option, or an unclear one", word);
        const struct cli_option *o = t->option[i];
        stop_for(tool, o);
        t->given[i] = 1;
        if (strcmp(o->name, "no-progress") != 0)
            set_value(tool, t, opts, o, optarg);
    }
}

static void from_environment(const struct cli_tool *tool, struct cli_common *c)
{
    const char *threads = getenv("CAGSR_THREADS");

    if (tool->common & CLI_THREADS && threads && *threads) {
        const struct cli_option o = {.name = "threads (from CAGSR_THREADS)",
                                     .hi = 1024};

        set_size(tool, &o, &c->threads, threads);
    }
}

static void decide_progress(const struct cli_tool *tool, struct cli_common *c)
{
    if (!(tool->common & CLI_PROGRESS))
        return;
    if (c->progress_fd && fcntl((int)c->progress_fd, F_GETFD) < 0)
        usage_error(tool, "--progress-fd %zu: no such descriptor is open",
                    c->progress_fd);
    if (cli_given(c, "no-progress") || c->quiet)
        c->progress = 0;
    else if (!cli_given(c, "progress"))
        c->progress = isatty(STDERR_FILENO);
}

/* "DIR/NAME" for the first DIR of a colon-separated list that holds it. */
static char *search_path(const char *dirs, const char *name)
{
    while (dirs && *dirs) {
        const size_t n = strcspn(dirs, ":");
        char *dir = strndup(dirs, n);
        char *path = dir && n ? file_join(dir, name) : NULL;

        free(dir);
        if (path && file_exists(path))
            return path;
        free(path);
        dirs += n + (dirs[n] == ':');
    }
    return NULL;
}

static void resolve_model(struct cli_common *c, struct taken *t)
{
    const char *name = c->model ? c->model : "tiny-qa";

    if (c->model && (strchr(name, '/') || file_exists(name)))
        return;
    t->model = search_path(getenv("CAGSR_MODEL_PATH"), name);
    if (!t->model)
        t->model = search_path(PREFIX "/share/cagsr/models", name);
    c->model = t->model ? t->model : name;
}

void cli_parse(const struct cli_tool *tool, void *opts, int argc, char **argv)
{
    /* Not for people: what the completions of shells are made from. */
    if (argc == 2 && strcmp(argv[1], "--completion") == 0) {
        cli_print_completion(tool, stdout);
        end_well();
    }

    struct taken *t = take(tool, argc, argv);
    struct cli_common *c = opts;
    static const char *const standard_input[] = {"-"};

    c->command_line = t->command_line;
    from_environment(tool, c);
    parse_options(tool, t, opts, argc, argv);
    c->files = (const char *const *)argv + optind;
    c->nfiles = (size_t)(argc - optind);
    if (c->nfiles > tool->max_files)
        usage_error(tool, "'%s' is one operand too many", c->files[tool->max_files]);
    if (c->nfiles == 0 && tool->max_files > 0) {
        c->files = standard_input;
        c->nfiles = 1;
    }
    decide_progress(tool, c);
    if (tool->common & CLI_MODEL)
        resolve_model(c, t);
}

int cli_given(const struct cli_common *c, const char *name)
{
    const struct taken *t = taken_of(c);

    for (size_t i = 0; i < t->n; i++)
        if (t->given[i] && strcmp(t->option[i]->name, name) == 0)
            return 1;
    return 0;
}

void cli_note(const struct cli_tool *tool, const struct cli_common *c, const char *fmt,
              ...)
{
    va_list ap;

    if (c->quiet)
        return;
    fprintf(stderr, "%s: ", tool->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int cli_finish(const struct cli_tool *tool, struct cli_common *c, int rc,
               const struct err *e)
{
    struct taken *t = taken_of(c);
    int status = err_exit_status(rc);

    if (rc < 0)
        fprintf(stderr, "%s: %s\n", tool->name, e->text[0] ? e->text : "failed");
    if ((fflush(stdout) || ferror(stdout)) && status == 0) {
        fprintf(stderr, "%s: standard output: %s\n", tool->name, strerror(errno));
        status = 1;
    }
    for (size_t i = 0; i < t->lists; i++)
        free(t->list[i]);
    free(t->model);
    free(t);
    c->command_line = NULL;
    return status;
}
