/*
 * Any bytes as a stream of samples, through the whole of cagsr-reward; the first byte
 * chooses the options.  The law: it ends with an exit status of the manual.
 */
#define main reward_main
#include "../../tools/cagsr-reward.c"
#undef main
#include "fuzz.h"

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>

enum { WORDS = 12 };
static const char *const choices[][WORDS] = {
    {NULL},
    {"--explain", "--rank", NULL},
    {"--f7", "--pairs", NULL},
    {"--literal", "--best", "1", "--lambda", "uniform", NULL},
    {"-w", "lexical=1,coverage_best=1,mine=.5,containment=1", "--salient", "sentence",
     NULL},
    {"--explain=record", "--salient", "top", "--allow-errors", "--allow-truncated",
     NULL},
    {"--method", "f12", "--zeta", "1", "--kappa", ".5", "--t-min", "1", NULL},
};
enum { CHOICES = sizeof choices / sizeof *choices };

/* What the program says goes nowhere; what the sanitizers say still goes to the log. */
static void silence(int on)
{
    static int saved[2], nowhere = -1;

    if (nowhere < 0) {
        nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        saved[0] = dup(STDOUT_FILENO);
        saved[1] = dup(STDERR_FILENO);
        __sanitizer_set_report_fd((void *)(intptr_t)saved[1]);
    }
    dup2(on ? nowhere : saved[0], STDOUT_FILENO);
    dup2(on ? nowhere : saved[1], STDERR_FILENO);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *argv[WORDS + 8] = {"cagsr-reward", "-q", "-f"};
    int argc = 3;

    if (size == 0)
        return 0;
    for (const char *const *word = choices[data[0] % CHOICES]; *word; word++)
        argv[argc++] = (char *)(uintptr_t)*word;
    argv[argc++] = (char *)(uintptr_t)fuzz_file("samples", data + 1, size - 1);
    silence(1);
    const int status = reward_main(argc, argv);
    silence(0);
    fuzz_law(status >= 0 && status <= 6 && status != 2);
    return 0;
}
