/*
 * Any bytes as a command line: arguments end with 0xff.  The first byte chooses whether
 * CAGSR_THREADS takes the first of them, too.  The laws: the command line is taken or the
 * program ends with 0 or 2; numbers that are taken are within their bounds.
 *
 * Ending would end the fuzzer: exit jumps back here instead, with what the parser holds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

static jmp_buf back;
static int status;
static void *held;

static void leave(int code) __attribute__((noreturn));
static void leave(int code)
{
    status = code;
    longjmp(back, 1);
}

static void *hold(size_t n, size_t size)
{
    return held = calloc(n, size);
}

#define PREFIX "/none"
#define exit leave
#define calloc hold
#include "../../libcore/cli/cli.c"
#undef exit
#undef calloc
#include "fuzz.h"

enum { ARGS = 16 };

struct opts {
    struct cli_common common;
    int flag, word;
    const char *string, *optarg;
    double x;
    size_t n;
    struct cli_list list;
};

#define AT(field) offsetof(struct opts, field)
static const char *const words[] = {"one", "two", NULL};
static const struct cli_option options[] = {
    {"flag", 'F', CLI_FLAG, AT(flag), NULL, "", .lo = 0},
    {"string", 's', CLI_STRING, AT(string), "S", "", .lo = 0},
    {"optarg", 'O', CLI_OPTARG, AT(optarg), "S", "", .lo = 0},
    {"real", 'x', CLI_DOUBLE, AT(x), "X", "", .lo = -1, .hi = 2},
    {"size", 'n', CLI_SIZE, AT(n), "N", "", .lo = 1, .hi = 1e6},
    {"list", 'l', CLI_LIST, AT(list), "L", "", .lo = 0},
    {"word", 'w', CLI_CHOICE, AT(word), "W", "", .choices = words},
    {0},
};
static const struct cli_tool tool = {.name = "fuzz",
                                     .synopsis = "",
                                     .summary = "",
                                     .common = ~0u,
                                     .options = options,
                                     .max_files = 3};

static void release(void)
{
    struct taken *t = held;

    for (size_t i = 0; i < t->lists; i++)
        free(t->list[i]);
    free(t->model);
    free(t);
    held = NULL;
}

static void check(const struct opts *o)
{
    fuzz_law(o->x >= -1 && o->x <= 2);
    fuzz_law(o->n >= 1 && o->n <= 1000000);
    fuzz_law(o->word >= 0 && o->word < 2);
    fuzz_law(o->common.threads <= 1024);
    fuzz_law(o->common.nfiles >= 1 && o->common.nfiles <= 3);
    for (size_t i = 0; i < o->list.n; i++)
        fuzz_law(o->list.item[i] != NULL);
    fuzz_law(strlen(o->common.command_line) >= 4);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct opts o; /* survives the jump */
    static char *argv[ARGS + 2];
    int argc = 0;

    if (size == 0)
        return 0;
    const int environment = *data++ & 1;
    size--;
    o = (struct opts){.x = .5, .n = 7};
    argv[argc++] = strdup("fuzz");
    while (size > 0 && argc <= ARGS)
        argv[argc++] = fuzz_text(&data, &size);
    argv[argc] = NULL;
    if (environment && argc > 1)
        setenv("CAGSR_THREADS", argv[1], 1);
    else
        unsetenv("CAGSR_THREADS");
    if (setjmp(back) == 0) {
        cli_parse(&tool, &o, argc, argv);
        check(&o);
    } else {
        fuzz_law(status == 0 || status == 2);
    }
    release();
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return 0;
}
