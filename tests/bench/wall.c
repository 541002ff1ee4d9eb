/*
 * What a command costs, from exec to its end.
 *
 *     wall [-n TIMES] WHO WORK UNITS COMMAND [ARG ...]
 *         runs it once unmeasured, then TIMES times (3), its output thrown away; a line
 *         for each:  WHO WORK SECONDS UNITS PEAK_KB
 *     wall -p FILE COMMAND [ARG ...]
 *         runs it once, input and output its own, and adds a line with its peak memory
 *         (KiB) to FILE: for the stages of a pipe
 *
 * Seconds are the clock's.  Memory is the largest of any of the command's processes.  A
 * command that fails ends this with its status.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum output { OUTPUT_OWN, OUTPUT_NONE };

static void fail(const char *what)
{
    fprintf(stderr, "bench/wall: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void become(char **argv, enum output output)
{
    if (output == OUTPUT_NONE) {
        const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
            _exit(126);
    }
    execvp(argv[0], argv);
    fprintf(stderr, "bench/wall: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Runs the command to its end; returns its peak memory in KiB. */
static long run(char **argv, enum output output)
{
    struct rusage u;
    int status;
    const pid_t pid = fork();

    if (pid < 0)
        fail("fork");
    if (pid == 0)
        become(argv, output);
    if (wait4(pid, &status, 0, &u) < 0)
        fail("wait");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    return u.ru_maxrss;
}

static void note_peak(const char *path, char **argv)
{
    const long kb = run(argv, OUTPUT_OWN);
    FILE *f = fopen(path, "a");

    if (!f || fprintf(f, "%ld\n", kb) < 0 || fclose(f) != 0)
        fail(path);
}

static void repeat(size_t times, char **argv)
{
    const double units = strtod(argv[2], NULL);

    run(argv + 3, OUTPUT_NONE);
    for (size_t i = 0; i < times; i++) {
        const double t = now(0);
        const long kb = run(argv + 3, OUTPUT_NONE);

        report(argv[0], argv[1], now(0) - t, units, kb);
    }
}

int main(int argc, char **argv)
{
    const char *peak = NULL;
    size_t times = 3;
    int c;

    while ((c = getopt(argc, argv, "+n:p:")) != -1)
        if (c == 'n')
            times = strtoul(optarg, NULL, 10);
        else if (c == 'p')
            peak = optarg;
        else
            return 2;
    if (argc - optind < (peak ? 1 : 4)) {
        fputs("usage: wall [-n TIMES] WHO WORK UNITS COMMAND [ARG ...]\n"
              "       wall -p FILE COMMAND [ARG ...]\n",
              stderr);
        return 2;
    }
    if (peak)
        note_peak(peak, argv + optind);
    else
        repeat(times, argv + optind);
    return 0;
}
