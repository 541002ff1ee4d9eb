#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define REDRAW 0.2 /* seconds */

double cli_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

void cli_progress_start(struct cli_progress *p, const struct cli_tool *tool,
                        const struct cli_common *c, const char *unit, size_t total)
{
    *p = (struct cli_progress){
        .common = c,
        .name = tool->name,
        .unit = unit,
        .total = total,
        .started = cli_now(),
    };
}

static double rate_of(const struct cli_progress *p, double now)
{
    const double seconds = now - p->started;

    return seconds > 0 ? (double)p->done / seconds : 0;
}

/* ---- for people -------------------------------------------------------------------------- */
static void draw(const struct cli_progress *p, double now)
{
    const struct cli_figure *f = p->figure;
    const double rate = rate_of(p, now);

    fprintf(stderr, "\r\033[K%s: %zu", p->name, p->done);
    if (p->total)
        fprintf(stderr, "/%zu", p->total);
    fprintf(stderr, " %s, %.3g/s", p->unit, rate);
    if (p->total && rate > 0 && p->done < p->total)
        fprintf(stderr, ", %.0f s left", (double)(p->total - p->done) / rate);
    for (size_t i = 0; i < p->figures; i++)
        fprintf(stderr, ", %.*f %s", f[i].digits, f[i].value, f[i].unit);
    fflush(stderr);
}

/* ---- for programs ------------------------------------------------------------------------ */
/* A write that does not end the program when nobody listens any more: a run that lasts all
 * night outlives its monitor. */
static void write_quietly(int fd, const char *line, size_t n)
{
    const struct timespec now = {0};
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, &old);
    if (write(fd, line, n) < 0 && errno == EPIPE)
        sigtimedwait(&set, NULL, &now);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* In one write, so that lines of several tools on one descriptor stay whole. */
static void tell(const struct cli_progress *p, double now, const char *end)
{
    const double rate = rate_of(p, now);
    char line[512];
    size_t at = 0;

#define PUT(...)                                                                       \
    (at += at < sizeof line                                                            \
               ? (size_t)snprintf(line + at, sizeof line - at, __VA_ARGS__)            \
               : 0)
    PUT("tool=%s unit=%s done=%zu", p->name, p->unit, p->done);
    if (p->total)
        PUT(" total=%zu", p->total);
    PUT(" seconds=%.3f rate=%.6g", now - p->started, rate);
    if (p->total && rate > 0 && p->done <= p->total)
        PUT(" eta=%.1f", (double)(p->total - p->done) / rate);
    for (size_t i = 0; i < p->figures; i++)
        PUT(" %s=%.6g", p->figure[i].name, p->figure[i].value);
    PUT("%s\n", end);
#undef PUT
    if (at < sizeof line)
        write_quietly((int)p->common->progress_fd, line, at);
}

/* ---- both -------------------------------------------------------------------------------- */
void cli_progress_update(struct cli_progress *p, size_t done,
                         const struct cli_figure *f, size_t n)
{
    const double now = cli_now();

    p->done = done;
    p->figures = n < CLI_FIGURES ? n : CLI_FIGURES;
    for (size_t i = 0; i < p->figures; i++)
        p->figure[i] = f[i];
    if (p->drawn != 0 && now - p->drawn < REDRAW)
        return;
    if (p->common->progress) {
        draw(p, now);
        p->shown = 1;
    }
    if (p->common->progress_fd)
        tell(p, now, "");
    p->drawn = now;
}

void cli_progress_end(struct cli_progress *p, int rc)
{
    const double now = cli_now();

    if (p->shown) {
        draw(p, now);
        fputc('\n', stderr);
    }
    p->shown = 0;
    if (p->common && p->common->progress_fd)
        tell(p, now, rc < 0 ? " end=error" : " end=ok");
}
