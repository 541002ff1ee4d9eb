#include "cli/cli.h"

#include <time.h>

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

static void draw(const struct cli_progress *p, size_t done, double now,
                 const char *extra)
{
    const double seconds = now - p->started;
    const double rate = seconds > 0 ? (double)done / seconds : 0;

    fprintf(stderr, "\r\033[K%s: %zu", p->name, done);
    if (p->total)
        fprintf(stderr, "/%zu", p->total);
    fprintf(stderr, " %s, %.3g/s", p->unit, rate);
    if (p->total && rate > 0 && done < p->total)
        fprintf(stderr, ", %.0f s left", (double)(p->total - done) / rate);
    if (extra && *extra)
        fprintf(stderr, ", %s", extra);
    fflush(stderr);
}

void cli_progress_update(struct cli_progress *p, size_t done, const char *extra)
{
    const double now = cli_now();

    if (!p->common->progress || (p->shown && now - p->drawn < 0.2))
        return;
    draw(p, done, now, extra);
    p->drawn = now;
    p->shown = 1;
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->shown)
        fputc('\n', stderr);
    p->shown = 0;
}
